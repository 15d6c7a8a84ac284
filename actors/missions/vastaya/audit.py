"""Looks for ships that never came to the ledger: their planet died over them each time, or somebody cancelled them."""

import time

from . import gateway
from .store import Store

PAGE = 500
MOST_REMEMBERED = 100_000
# What ended an envelope on its way, and what that means for its ship.
CAUSE = {"cancelled": "stopped", "failed": "unreachable"}


class Audit:
    def __init__(self, store: Store):
        self.store = store
        self.seen: set[str] = set()  # envelopes that need not be asked for again

    def look(self, mission: str) -> int:
        """How many were found now. Counted by the ship, so it doesn't matter how often, and by whom, one is found."""
        if len(self.seen) > MOST_REMEMBERED:
            self.seen.clear()
        return sum(
            self.settle(id, mission, cause)
            for status, cause in CAUSE.items() for id in self.ended(mission, status) if id not in self.seen)

    @staticmethod
    def ended(mission: str, status: str) -> list[str]:
        found, cursor = [], {}
        while True:
            page = gateway.call("GET", "/envelopes", parent=mission, status=status, limit=PAGE, **cursor)
            found += [envelope["id"] for envelope in page["envelopes"]]
            if not page.get("next_cursor"):
                return found
            cursor = {"cursor": page["next_cursor"]}

    def settle(self, id: str, mission: str, cause: str) -> bool:
        envelope = gateway.envelope(id)
        ship = envelope.get("payload")
        self.seen.add(id)
        if not isinstance(ship, dict) or not isinstance(ship.get("dock"), str) or ship.get("mirror"):
            return False
        text = str(envelope.get("error") or envelope.get("message") or "lost on its way")
        return self.store.settle(ship["dock"], mission, cause, text, time.time())
