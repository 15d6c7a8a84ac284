"""mission-ledger: counts how each dock ended, once, however often it is told; and looks for those that were lost."""

import time

from .audit import Audit
from .store import CAUSES, DOCKED, KEPT, Store


class Ledger:
    def __init__(self):
        self.store = Store()
        self.audit = Audit(self.store)

    def process(self, payload):
        if not isinstance(payload, dict):
            raise ValueError("expected a ship with an 'outcome', or an 'audit'")
        if "audit" in payload:
            if self.store.mission(str(payload["audit"])) is None:
                raise ValueError(f"there is no mission {payload['audit']!r} to look after")
            self.store.prune(time.time() - KEPT)
            return {"audit": payload["audit"], "lost": self.audit.look(payload["audit"])}
        outcome, dock, mission = (payload.get(name) for name in ("outcome", "dock", "mission"))
        if outcome != DOCKED and outcome not in CAUSES:
            raise ValueError(f"outcome {outcome!r}: expected one of {', '.join((DOCKED, *CAUSES))}")
        if not isinstance(dock, str) or self.store.mission(str(mission)) is None:
            raise ValueError(f"no ship of a mission that there is: dock {dock!r}, mission {mission!r}")
        self.store.settle(dock, mission, outcome, text_of(payload.get("text"), outcome), time.time())
        return payload


def text_of(text: object, outcome: str) -> str:
    """Never empty for what has failed."""
    if outcome == DOCKED:
        return ""
    return text if isinstance(text, str) and text else f"failed: {outcome}, and nobody has said why"
