"""Whether a tick goes on. A mission is one envelope that comes back to itself; a copy must not double it.

A crash between a broker's confirm and the acknowledgement leaves two copies of a tick, and a redelivery looks just like
a copy. So the store notes which tick was claimed last. Who brings the next one claims it and goes. Who brings one that
was claimed already stands by: it waits until that tick must have led on, and goes only if it has not. What both bring
has the same docks with the same ids, so even a wrong guess counts nothing twice.
"""

from typing import NamedTuple, Union

PATIENCE = 5.0  # seconds; longer than any pause of a mission, and than a delivery takes
LONGEST_WATCH = 60.0


class Go(NamedTuple):
    tick: int
    claims: bool  # whether it is the first to do so


class StandBy(NamedTuple):
    tick: int  # what it waits for
    looks: int  # how often it has waited
    seconds: float


def decide(tick: int, looks: int, claimed: int, claimed_at: float, now: float) -> Union[Go, StandBy]:
    """`looks`: how often this copy has stood by. `claimed`: the last claimed tick, 0 for none, since `claimed_at`."""
    if tick > claimed:
        return Go(tick, claims=True)
    if tick == claimed and looks > 0 and now - claimed_at >= PATIENCE:
        return Go(tick, claims=False)
    return StandBy(claimed, looks + 1, min(LONGEST_WATCH, 1.2 * PATIENCE * 2 ** min(looks, 10)))


def pause(due: float, seconds: float, now: float) -> tuple[float, float]:
    """(when the next tick is due, how long to wait for it). The clock of a mission doesn't drift; what is far behind
    starts afresh, so that a pipeline that was down isn't flooded when it is back."""
    following = due + seconds
    if following < now - seconds:
        following = now + seconds
    return following, max(0.05, following - now)
