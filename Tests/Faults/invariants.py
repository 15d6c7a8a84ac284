"""What must be true when a scenario is over. Pure: facts in, complaints out."""

from dataclasses import dataclass, field
from typing import Any, Mapping

FINAL = {"happy-end": "succeeded", "error-end": "failed"}
MOST_SHOWN = 5


@dataclass
class Stored:
    """One result as the crew has kept it."""

    end: str
    payload: Any


@dataclass
class Facts:
    """What is known of a scenario's envelopes, by key."""

    # Where each must end.
    expected: Mapping[str, str]
    statuses: Mapping[str, str] = field(default_factory=dict)
    # How many final updates the gateway's history has.
    final_updates: Mapping[str, int] = field(default_factory=dict)
    stored: Mapping[str, list[Stored]] = field(default_factory=dict)
    # Bodies in the dead-letter queue of an end actor: the end's name and the payload.
    dead: Mapping[str, list[Stored]] = field(default_factory=dict)
    # Ready and unacknowledged messages, by queue.
    queues: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    outbox: int = 0
    # Those which lay in a queue that was deleted, and how many of these a sidecar had in its hands.
    victims: frozenset[str] = frozenset()
    in_hand: int = 0
    # Dead-letter queues that may hold something.
    dead_letters_allowed: frozenset[str] = frozenset()


@dataclass
class Verdict:
    lost: set[str]
    duplicated: set[str]
    complaints: list[str]


def verdict(facts: Facts, reference: Mapping[str, Any]) -> Verdict:
    """`reference`: the payloads that an undisturbed run has stored."""
    gone = lost_of(facts)
    complaints = [
        *listed("lost", gone - facts.victims),
        *victims(facts, gone),
        *listed("is not one of ours, but the gateway knows it", facts.statuses.keys() - facts.expected.keys()),
        *listed("is not one of ours, but it is stored", facts.stored.keys() - facts.expected.keys()),
    ]
    for key in sorted(facts.expected.keys() - gone):
        complaints += of_one(key, facts, reference)
    complaints += of_queues(facts)
    duplicated = {key for key, stored in facts.stored.items() if len(stored) > 1}
    complaints += listed("stored more than once", duplicated)
    return Verdict(gone - facts.victims, duplicated, complaints)


def lost_of(facts: Facts) -> set[str]:
    """Whatever has no final state, or is to be found nowhere."""
    missing = {key for key in facts.expected if facts.statuses.get(key) not in FINAL.values()}
    nowhere = {key for key in facts.expected if not facts.stored.get(key) and not facts.dead.get(key)}
    return missing | nowhere


def victims(facts: Facts, gone: set[str]) -> list[str]:
    """What lay in a deleted queue is gone; what a sidecar had already been given is not."""
    survivors = facts.victims - gone
    if len(survivors) == facts.in_hand:
        return []
    return [f"{len(survivors)} of {len(facts.victims)} envelopes survived the deletion of their queue, "
            f"but {facts.in_hand} had been delivered"]


def of_one(key: str, facts: Facts, reference: Mapping[str, Any]) -> list[str]:
    end, status = facts.expected[key], facts.statuses[key]
    stored, dead = facts.stored.get(key, []), facts.dead.get(key, [])
    found = []
    if facts.final_updates.get(key) != 1:
        found.append(f"{key}: {facts.final_updates.get(key, 0)} final updates in its history, not 1")
    # One that its end actor could not keep has failed, wherever it was to end.
    if status != FINAL[end] and not (dead and status == "failed"):
        found.append(f"{key}: is {status}, not {FINAL[end]}")
    if {one.end for one in (*stored, *dead)} != {end}:
        found.append(f"{key}: ended in {sorted({one.end for one in (*stored, *dead)})}, not in {end}")
    elif any(one.payload != reference.get(key) for one in (*stored, *dead)):
        found.append(f"{key}: its result is not that of the undisturbed run")
    return found


def of_queues(facts: Facts) -> list[str]:
    found = [f"{facts.outbox} messages are still in the gateway's outbox"] if facts.outbox else []
    for name, (ready, unacknowledged) in sorted(facts.queues.items()):
        is_allowed = name.removeprefix("troupe-").removesuffix("-dlq") in facts.dead_letters_allowed
        if name.endswith("-dlq") and is_allowed and not unacknowledged:
            continue
        if ready or unacknowledged:
            found.append(f"queue {name} holds {ready} ready and {unacknowledged} unacknowledged messages")
    return found


def listed(what: str, keys: set[str]) -> list[str]:
    shown = ", ".join(sorted(keys)[:MOST_SHOWN])
    return [f"{len(keys)} {what}: {shown}{' ...' if len(keys) > MOST_SHOWN else ''}"] if keys else []
