"""A way from one queue to the last, served by somebody: how many envelopes pass in a second, and at what cost."""

import time
from dataclasses import dataclass
from typing import Protocol, Sequence

from broker import LIMIT
from children import Child, tails
from guard import Problem
from processes import cpu_seconds, families, resident_mib

# The first envelopes are not measured: who serves is only just starting.
WARM_UP = 0.1
POLL = 0.005


class Course(Protocol):
    name: str

    def prepare(self, count: int, size: int) -> None:
        """Fills the first queue with envelopes 0 ... count - 1; nobody serves yet."""

    def start(self) -> None: ...

    def done(self) -> int:
        """How many have come to the end."""

    def verify(self, count: int) -> None:
        """Complains unless each has come to the end, once."""

    def stop(self) -> None: ...

    @property
    def children(self) -> Sequence[Child]:
        """All of its processes."""

    @property
    def measured(self) -> Sequence[Child]:
        """Those whose CPU time counts."""


@dataclass(frozen=True)
class Sample:
    rate: float
    cpu_microseconds: float
    peak_mib: float


def measure(course: Course, count: int, size: int) -> Sample:
    course.prepare(count, size)
    started = time.monotonic()
    course.start()
    try:
        begin, done, cpu = passed(course, int(count * WARM_UP))
        end, total, cpu_after = passed(course, count)
        if done == total:  # too few to leave any out, as in a quick run
            begin, done, cpu = started, 0, 0.0
        peak = max(resident_mib(child.pid, peak=True) for child in course.measured)
    finally:
        course.stop()
    course.verify(count)
    return Sample((total - done) / (end - begin), (cpu_after - cpu) / (total - done) * 1e6, peak)


def passed(course: Course, count: int) -> tuple[float, int, float]:
    """When at least that many have come to the end: the time, how many they are, and CPU seconds until then."""
    deadline = time.monotonic() + LIMIT
    while (done := course.done()) < max(count, 1):
        ended = [child.name for child in course.children if not child.running]
        if ended or time.monotonic() > deadline:
            why = f"{ended[0]} has ended" if ended else f"{LIMIT} s are over"
            raise Problem(f"{course.name}: {why} after {done} of {count} envelopes\n{tails(course.children)}")
        time.sleep(POLL)
    return time.monotonic(), done, cpu_seconds(families(child.pid for child in course.measured))
