"""What is known of each document while it is under way."""

import threading
import time
from collections import Counter
from typing import Optional

from documents import Document
from gateway import FINAL, Gateway
from guard import Problem

POLL_INTERVAL = 0.25


class Track:
    """A document's envelope, followed by its stream, and the envelopes that it fanned out into, asked for."""

    def __init__(self, document: Document, gateway: Gateway, actors: list[str]):
        self.document = document
        self.gateway = gateway
        self.actors = actors
        self.begin = time.monotonic()
        self.id: str = gateway.submit(actors, document.payload)["id"]
        self.status = "pending"
        self.actor: Optional[str] = None
        self.percent = 0.0
        self.updates: list[dict] = []
        self.problem: Optional[str] = None
        self.children: dict[str, dict] = {}
        self.asked = 0.0
        self.seconds: Optional[float] = None
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self) -> None:
        try:
            for update in self.gateway.updates(self.id):
                self.updates.append(update)
                self.status = update.get("status", self.status)
                self.actor = update.get("actor") or self.actor
                self.percent = max(self.percent, update.get("progress_percent") or 0)
        except (Problem, ValueError) as error:
            self.problem = str(error)

    def poll(self) -> None:
        """Asks for the children, now and then, until all is done."""
        now = time.monotonic()
        if self.done or self.status == "pending" or now - self.asked < POLL_INTERVAL:
            return
        # What is final before the question has all of its children in the answer: the gateway hears of them first.
        followed = not self.thread.is_alive()
        try:
            for child in self.gateway.children(self.id):
                self.children[child["id"]] = child
        except Problem as problem:  # a gateway that restarts; the time limit ends this if it does not come back
            self.problem = str(problem)
            return
        finally:
            self.asked = time.monotonic()
        if followed and all(child["status"] in FINAL for child in self.children.values()):
            self.problem = None if self.status in FINAL else self.problem
            self.seconds = time.monotonic() - self.begin

    @property
    def done(self) -> bool:
        return self.seconds is not None

    @property
    def total(self) -> int:
        return 1 + len(self.children)

    @property
    def finished(self) -> int:
        return sum(status in FINAL for status in self.statuses.values())

    @property
    def statuses(self) -> dict[str, str]:
        return {self.id: self.status, **{id: child["status"] for id, child in self.children.items()}}

    @property
    def fraction(self) -> float:
        percents = [self.percent, *(child.get("progress_percent") or 0 for child in self.children.values())]
        done = [100 if status in FINAL else percent for status, percent in zip(self.statuses.values(), percents)]
        return sum(done) / len(done) / 100

    @property
    def at(self) -> Optional[str]:
        """The actor where most of the unfinished envelopes are."""
        places = [self.actor] if self.status not in FINAL else []
        places += [place(child) for child in self.children.values() if child["status"] not in FINAL]
        known = Counter(name for name in places if name)
        return known.most_common(1)[0][0] if known else None


def place(envelope: dict) -> Optional[str]:
    if envelope.get("current_actor_name"):
        return envelope["current_actor_name"]
    actors = envelope.get("route", {}).get("actors", [])
    index = envelope.get("current_actor_idx") or envelope.get("route", {}).get("current") or 0
    return actors[index] if 0 <= index < len(actors) else None
