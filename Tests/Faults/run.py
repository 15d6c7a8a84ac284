"""One scenario's run: what is submitted, what is known of it, and whether it has come to an end."""

import random
import time
from typing import Mapping, Sequence

import workload
from children import Child
from submitter import Submitter
from world import World

FINAL = ("succeeded", "failed", "cancelled")
REPORTS = "troupe.events.gateway"


class Run:
    def __init__(self, world: World, scenario: str, seed: int, count: int, seconds: float):
        self.world = world
        self.pipeline = world.pipeline
        self.scenario = scenario
        self.seed = seed
        self.count = count
        self.seconds = seconds
        self.begin = time.monotonic()
        self.random = random.Random(f"{seed}/{scenario}")
        self.submitters: list[Submitter] = []
        self.victims: set[str] = set()
        # For the table.
        self.notes: list[str] = []

    def submit(self, numbers: Sequence[int], seconds: float) -> None:
        self.submitters.append(
            Submitter(self.pipeline.gateway_url, self.scenario, self.seed, numbers, seconds))

    def note(self, text: str) -> None:
        self.notes.append(text)

    @property
    def is_submitting(self) -> bool:
        return not all(submitter.is_done for submitter in self.submitters)

    @property
    def accepted(self) -> set[str]:
        return set().union(*(submitter.accepted for submitter in self.submitters))

    def choice(self, children: Mapping[str, Child]) -> Child:
        return self.random.choice(list(children.values()))

    def statuses(self) -> dict[str, str]:
        """Of every envelope that the gateway knows, by key."""
        rows = self.world.query(f"SELECT id, status FROM envelopes WHERE id LIKE '{self.scenario}-%'")
        return {workload.key_of(self.scenario, id): status for id, status in rows}

    def unfinished(self) -> set[str]:
        statuses = self.statuses()
        return {key for key in workload.expected_ends(self.seed, self.count) if statuses.get(key) not in FINAL
                and (key in statuses or int(key[:5]) < self.submitted)}

    @property
    def submitted(self) -> int:
        return sum(len(submitter.numbers) for submitter in self.submitters)

    def is_busy(self, except_for: str = "") -> bool:
        """Whether messages are on their way, dead letters aside."""
        queues = self.world.queues()
        return any(sum(counts) > 0 for name, counts in queues.items()
                   if not name.endswith("-dlq") and name != f"troupe-{except_for}") or self.outbox > 0

    @property
    def outbox(self) -> int:
        return int(self.world.query("SELECT count(*) FROM outbox")[0][0])
