"""What happens to a ship at its destination: which steps, how long each, and whether the planet's chaos strikes."""

import random
from typing import NamedTuple, Optional

STEPS = (
    "request clearance", "synchronise shields", "align bay doors", "unload containers", "route to storage rings",
    "sign customs ledger",
)


class Step(NamedTuple):
    action: str
    seconds: float


def steps(chance: random.Random) -> list[Step]:
    """3 to 6 distinct steps in any order, 0.2 to 1.5 s each."""
    return [Step(action, round(chance.uniform(0.2, 1.5), 2)) for action in chance.sample(STEPS, chance.randint(3, 6))]


def chaos_strikes(rate: float, chance: random.Random) -> bool:
    return chance.random() < rate


def missed(deadline: float, now: float, done: int, planned: list[Step]) -> Optional[str]:
    """Why no further step is begun, if so. Nobody waits for a ship that is late: it costs the planet nothing more."""
    if now < deadline:
        return None
    late = now - deadline
    return f"the deadline passed {late:.1f} s before '{planned[done].action}', {done} of {len(planned)} steps done"
