"""What is submitted, and what must become of it: all of it follows from a seed, so that a run can be replayed.

Envelope n goes through split (three parts), flaky (fails one part in five) and slow. Part 0 keeps the envelope's id, the
others are its children `{id}-1` and `{id}-2`. A *key* is an id without its scenario: `00012`, `00012-1`.
"""

import hashlib
import random
from typing import Iterator

ROUTE = ["split", "flaky", "slow"]
PARTS = 3
FAILURE_RATE = 0.2
# Most messages fit into one small frame, some fill a socket's buffer, a few take several frames.
SIZES = {0: 200_000, 10: 20_000, 20: 20_000, 30: 20_000}
SIZE_CYCLE, USUAL_SIZE = 40, 300


def fails(seed: int, number: int, part: int) -> bool:
    digest = hashlib.sha256(f"{seed}/{number}/{part}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < FAILURE_RATE * 2**32


def payload(seed: int, number: int) -> dict:
    size = SIZES.get(number % SIZE_CYCLE, USUAL_SIZE)
    text = random.Random(f"{seed}/{number}").randbytes(size // 2).hex()
    return {"seed": seed, "number": number, "text": text}


def key(number: int, part: int) -> str:
    return f"{number:05}" + (f"-{part}" if part else "")


def envelope_id(scenario: str, key: str) -> str:
    return f"{scenario}-{key}"


def key_of(scenario: str, envelope_id: str) -> str:
    return envelope_id.removeprefix(f"{scenario}-")


def submission(scenario: str, seed: int, number: int) -> dict:
    return {
        "id": envelope_id(scenario, key(number, 0)),
        "route": {"actors": ROUTE, "current": 0},
        "payload": payload(seed, number),
    }


def expected_ends(seed: int, count: int) -> dict[str, str]:
    """Where each key ends."""
    return {key(number, part): "error-end" if fails(seed, number, part) else "happy-end"
            for number, part in parts(count)}


def parts(count: int) -> Iterator[tuple[int, int]]:
    return ((number, part) for number in range(count) for part in range(PARTS))
