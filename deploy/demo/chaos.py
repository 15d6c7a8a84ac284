"""CHAOS=1: kills a handler or a sidecar now and then; the demo's table must come out the same."""

import os
import random
import time
from typing import Optional

from guard import Problem
from pipeline import Pipeline

USUAL_INTERVAL = 1.5
# On a slow machine what was killed needs longer to be back than the next kill is away: nothing would ever finish.
PATIENCE = 15


class Chaos:
    def __init__(self, pipeline: Pipeline, interval: float):
        self.victims = pipeline.victims
        self.interval = interval
        self.due = time.monotonic() + min(0.2, interval)  # the first at once: a quick machine is soon done
        self.kills = 0
        self.finished = -1
        self.impatient = 0.0

    def strike(self, finished: int) -> Optional[str]:
        """Kills when it is time, and when some envelope has finished since the last time (or none does); whom."""
        now = time.monotonic()
        running = [child for child in self.victims if child.running]
        if not running:  # what comes back has its time
            self.due = now + self.interval
        if now < self.due or (finished == self.finished and now < self.impatient):
            return None
        self.finished, self.impatient = finished, now + PATIENCE
        self.due = now + self.interval * random.uniform(0.7, 1.3)
        victim = random.choice(running)
        victim.kill()
        self.kills += 1
        return victim.name


def interval_from_environment() -> Optional[float]:
    """CHAOS=1 is the usual interval, another number the seconds between two kills."""
    value = os.environ.get("CHAOS", "0")
    try:
        number = float(value)
    except ValueError:
        raise Problem(f"CHAOS={value}: expected 1, or the seconds between two kills", 64) from None
    if number <= 0:
        return None
    return USUAL_INTERVAL if value == "1" else number
