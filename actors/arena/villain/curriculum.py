"""What the villain does at which attack: six stages of three, then any of the first five for ever. Pure.

An attack depends on seed and number only, so that a run is the same again by its seed, whatever became of its attacks.
"""

import random
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

STAGES = ("kill", "inject_logical_failure", "latency", "cpu_stress", "memory_leak", "multi")
# Of a neighbour: what its own process wastes nobody can see from outside.
STAGES_ABROAD = tuple(stage for stage in STAGES if stage != "memory_leak")
ATTACKS_PER_STAGE = 3
FAILURE_TYPES = ("database_error", "timeout", "auth_failure", "rate_limit")
LATENCIES_MS = (100, 250, 500, 1000, 2000)
CPU_PERCENT = (30, 50, 70, 90)
LEAKS_MB = (50, 100, 200, 300)
TARGETS_OF_MULTI = 3


@dataclass(frozen=True)
class Strike:
    service: str
    # As arena-control has it.
    op: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Attack:
    number: int
    stage: str
    strikes: tuple[Strike, ...]


def attack(seed: Any, number: int, weights: Mapping[str, int], stages: Sequence[str] = STAGES) -> Attack:
    """number: from 0. weights: how often each service is chosen, in proportion; 0: never. The last stage comes once."""
    chance = random.Random(f"{seed}:{number}")
    stage = number // ATTACKS_PER_STAGE
    name = stages[stage] if stage < len(stages) else chance.choice(stages[:-1])
    targets = sorted(service for service, weight in weights.items() if weight > 0)
    if name == "multi":
        chosen = chance.sample(targets, min(TARGETS_OF_MULTI, len(targets)))
        kinds = ("latency", "cpu_stress", "inject_logical_failure")
        return Attack(number, name, tuple(strike(chance, service, chance.choice(kinds)) for service in chosen))
    service = chance.choices(targets, [weights[target] for target in targets])[0]
    return Attack(number, name, (strike(chance, service, name),))


def strike(chance: random.Random, service: str, kind: str) -> Strike:
    if kind == "kill":
        return Strike(service, "kill", {})
    if kind == "inject_logical_failure":
        return Strike(service, "inject_failure", {"type": chance.choice(FAILURE_TYPES)})
    if kind == "latency":
        return Strike(service, "latency", {"ms": chance.choice(LATENCIES_MS)})
    if kind == "cpu_stress":
        return Strike(service, "cpu", {"percent": chance.choice(CPU_PERCENT)})
    return Strike(service, "memory", {"mb": chance.choice(LEAKS_MB)})
