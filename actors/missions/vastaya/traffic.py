"""The traffic of a mission: how large a burst is, how long the pause after it, and what a ship carries.

All of it comes from the mission's seed and the number of the tick: one that is worked on twice makes the same docks.
"""

import random
from typing import NamedTuple

# speed: multiples of rps in a burst, seconds of pause; both drawn uniformly, independently.
SPEEDS = {
    "cruise": ((0.95, 1.05), (0.9, 1.1)),
    "warp": ((1.75, 3.0), (1.2, 2.4)),
    "chaotic": ((0.35, 4.0), (0.35, 1.5)),
}
SHORTEST_PAUSE = 0.05

# A resort sees a spike in one burst of ten, and little between; the mean stays what was asked for.
SPIKE_CHANCE, SPIKE_FACTOR = 0.1, 7.0
QUIET_FACTOR = (1 - SPIKE_CHANCE * SPIKE_FACTOR) / (1 - SPIKE_CHANCE)

CATALOGUE = (
    ("fusion cores", "crates"), ("quantum relays", "pallets"), ("hydroponic seeds", "canisters"),
    ("medical stims", "cases"), ("survey drones", "tubes"), ("vacuum-rated textiles", "rolls"),
)


class Burst(NamedTuple):
    size: int  # docks, at least 1
    pause: float  # seconds until the next burst


def generator(*parts: object) -> random.Random:
    """Chance that is the same wherever and whenever it is asked for."""
    return random.Random("/".join(map(str, parts)))


def burst(rps: int, speed: str, chance: random.Random, bursty: bool = False) -> Burst:
    multiple, pause = SPEEDS[speed]
    size = rps * chance.uniform(*multiple)
    pause = max(SHORTEST_PAUSE, chance.uniform(*pause))
    if bursty:
        size *= SPIKE_FACTOR if chance.random() < SPIKE_CHANCE else QUIET_FACTOR
    return Burst(max(1, round(size)), pause)


def nominal_rate(rps: int, speed: str) -> float:
    """Docks a second that the profile comes to: mean burst by mean pause. Only `cruise` is what its name promises."""
    multiple, pause = SPEEDS[speed]
    return rps * sum(multiple) / sum(pause)


def cargo(chance: random.Random) -> list[dict]:
    """2 to 4 distinct items, 1 to 12 of each."""
    items = chance.sample(CATALOGUE, chance.randint(2, 4))
    return [{"item": item, "quantity": chance.randint(1, 12), "unit": unit} for item, unit in items]


def takes_wormhole(dock: str, instability: int) -> bool:
    """Whether a dock goes to the planet's second variant: `instability` of 100 do, and each always the same way."""
    return generator("wormhole", dock).randrange(100) < instability
