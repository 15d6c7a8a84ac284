"""black-hole: kills the worker of a random planet, rests 20 to 90 s, and comes back, until its universe is gone.

The worker is killed in the midst of its docks (the fault `crash`). They come again, and count once.
"""

from . import gateway, traffic, universe
from .store import Store

REST = (20.0, 90.0)  # seconds
# Between looks whether its universe is applied by now: until then it must not close, nor rest.
PATIENCE = 2.0
FAULT_SECONDS = 15


def process(envelope):
    hole = envelope["payload"]
    state = Store().universe()
    if state["applied_version"] < hole["version"]:
        return later(envelope, hole, PATIENCE)
    if state["applied_version"] > hole["version"] or not state["applied"]["blackHoleEnabled"]:
        return None
    chance = traffic.generator("black hole", hole["version"], hole["round"])
    planets = sorted(universe.workers(state["applied"]))
    if planets:
        planet = chance.choice(planets)
        swallow(planet, f"{envelope['id']}:{hole['round']}")
        hole = {**hole, "last": planet}
    return later(envelope, {**hole, "round": hole["round"] + 1}, chance.uniform(*REST))


def later(envelope: dict, hole: dict, seconds: float) -> dict:
    return {
        "route": envelope["route"],
        "headers": {**envelope.get("headers", {}), "troupe-delay-ms": round(seconds * 1000)},
        "payload": hole,
    }


def swallow(planet: str, id: str) -> None:
    """Of one id there is one fault, however often we are called. Where no faults may be, the hole is only dark."""
    fault = {
        "id": id, "kind": "crash", "actor": planet, "times": 1, "duration": f"{FAULT_SECONDS}s", "owner": "black-hole"}
    try:
        gateway.call("POST", "/faults", fault)
    except gateway.Refused as error:
        if error.code not in ("faults_disabled", "duplicate_fault", "too_many_faults"):
            raise
