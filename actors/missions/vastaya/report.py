"""What a mission has come to, in figures that add up: offered = docked + failed + in flight."""

import time
from datetime import datetime, timezone

from . import traffic
from .store import ACTIVE, CAUSES, DOCKED, Store

RECENT = 10  # seconds


def record(mission: dict) -> dict:
    return {
        "id": mission["id"],
        "status": mission["status"],
        **({"reason": mission["reason"]} if mission["reason"] else {}),
        "source": mission["source"],
        "destination": mission["destination"],
        "rps": mission["rps"],
        "speed": mission["speed"],
        "escort": bool(mission["escort"]),
        **({"seconds": mission["seconds"]} if mission["seconds"] else {}),
        "created_at": moment(mission["created_at"]),
        "started_at": moment(mission["started_at"]),
        "ended_at": moment(mission["ended_at"]),
    }


def full(store: Store, mission: dict) -> dict:
    """The record, with its ledger."""
    now = time.time()
    recent = store.recent(mission["id"], now - RECENT)
    return {
        **record(mission),
        **figures(mission, store.counts(mission["id"]), now),
        "recent": {
            "seconds": RECENT,
            "docked_per_second": round(recent.pop(DOCKED, 0) / RECENT, 2),
            "failed_per_second": round(sum(recent.values()) / RECENT, 2),
        },
        "failures": [{**failure, "at": moment(failure["at"])} for failure in store.failures(mission["id"], 10)],
    }


def figures(mission: dict, counts: dict, now: float) -> dict:
    offered, docked = counts.get("offered", 0), counts.get(DOCKED, 0)
    failed = {cause: counts.get(cause, 0) for cause in CAUSES}
    left = offered - docked - sum(failed.values())
    if mission["status"] not in ACTIVE and mission["status"] != "completed":
        # Whoever was under way when the mission was ended turned round.
        failed["stopped"], left = failed["stopped"] + left, 0
    seconds = (mission["ended_at"] or now) - mission["started_at"] if mission["started_at"] else 0
    return {
        "ticks": mission["tick"],
        "offered": offered,
        "docked": docked,
        "failed": {"total": sum(failed.values()), **failed},
        "in_flight": left,
        "rates": {
            "seconds": round(seconds, 1),
            "requested": mission["rps"],
            "profile": round(traffic.nominal_rate(mission["rps"], mission["speed"]), 2),
            "offered": rate(offered, seconds),
            "docked": rate(docked, seconds),
        },
    }


def rate(number: int, seconds: float) -> float:
    """A second; the first burst counts for a second, however short ago it was."""
    return round(number / max(1.0, seconds), 2) if number else 0.0


def moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
