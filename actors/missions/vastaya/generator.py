"""mission-generator: each tick of a mission comes here, sends off a burst of ships, and comes back after the pause.

Envelope mode: the tick returns to its own queue, so the mission lies in the broker, and its docks are its children.
"""

import os
import time
from typing import Optional

from . import ticks, traffic, universe
from .store import ACTIVE, Store

LEDGER, GATE = "mission-ledger", "galaxy-gate"
AUDIT_EVERY = 10  # ticks
ESCORT_ATTEMPTS = 3
ESCORT = {
    "attempts": ESCORT_ATTEMPTS, "initial_delay_ms": 200, "factor": 2, "max_delay_ms": 2000,
    "retry_on": ["ChaosStrike", "runtime_error"],
}


class Generator:
    def __init__(self):
        self.store = Store()
        self.in_flight = int(os.environ.get("MISSIONS_IN_FLIGHT", "1000"))

    def process(self, envelope):
        tick, now = envelope["payload"], time.time()
        mission = self.store.mission(tick["mission"])
        if mission is None or mission["status"] not in ACTIVE or mission["generation"] != tick["generation"]:
            return None  # it has ended
        if mission["seconds"] and mission["started_at"] and now >= mission["started_at"] + mission["seconds"]:
            self.store.end(mission["id"], "completed", "its time was over", tick["generation"])
            return None
        decision = ticks.decide(tick["tick"], tick["looks"], mission["tick"], mission["tick_at"], now)
        if isinstance(decision, ticks.Go):
            applied = self.store.universe()["applied"]
            ships = self.ships(mission, decision, applied, now)
            if ships is not None:
                return departure(envelope, mission, decision.tick, ships, applied, now)
            decision = ticks.StandBy(decision.tick, 1, ticks.PATIENCE)  # another copy was quicker
        return onward(envelope, {**tick, "tick": decision.tick, "looks": decision.looks}, decision.seconds)

    def ships(self, mission: dict, decision: ticks.Go, applied: dict, now: float) -> Optional[int]:
        """How many set off, None where the tick is not ours. The second time as many as the first."""
        if not decision.claims:
            return mission["tick_ships"]
        size = burst(mission, decision.tick, applied).size
        return self.store.claim(
            mission["id"], mission["generation"], decision.tick, size, self.in_flight, now)


def departure(envelope: dict, mission: dict, tick: int, ships: int, applied: dict, now: float) -> list[dict]:
    """The next tick, first, so that it keeps the mission's id; and the ships of this one."""
    due, seconds = ticks.pause(envelope["payload"]["due"], burst(mission, tick, applied).pause, now)
    sent = [onward(envelope, {**envelope["payload"], "tick": tick + 1, "looks": 0, "due": due}, seconds)]
    for number in range(ships):
        chance = traffic.generator(mission["seed"], tick, number)
        sent += dock(mission, f"{mission['id']}/{tick}/{number}", applied, number == 0, now, chance)
    if tick % AUDIT_EVERY == 0:
        sent.append({"route": route(LEDGER), "headers": headers(mission), "payload": {"audit": mission["id"]}})
    return sent


def burst(mission: dict, tick: int, applied: dict) -> traffic.Burst:
    source = universe.planet_of(applied, mission["source"])
    bursty = source is not None and universe.trait(source, "bursty")
    return traffic.burst(mission["rps"], mission["speed"], traffic.generator(mission["seed"], tick), bursty)


def dock(mission: dict, id: str, applied: dict, shown: bool, now: float, chance) -> list[dict]:
    """The envelope of a ship: where it goes, what it carries, and what may befall it there. Planets keep nothing."""
    ship = {
        "dock": id,
        "mission": mission["id"],
        "source": mission["source"],
        "destination": mission["destination"],
        "leg": "departure",
        "cargo": traffic.cargo(chance),
        # An escort lets nobody hurry.
        "deadline": now + applied["dockDeadlineSeconds"] * (2 if mission["escort"] else 1),
        "escort": bool(mission["escort"]),
        "shown": shown,
    }
    source = universe.planet_of(applied, mission["source"])
    planet = universe.planet_of(applied, mission["destination"])
    if source is None or planet is None:
        gone = mission["source"] if source is None else mission["destination"]
        lost = {**ship, "outcome": "unreachable", "text": f"planet '{gone}' is in this universe no more"}
        return [{"route": route(LEDGER), "headers": headers(mission), "payload": lost}]
    ship["profile"] = universe.profile(applied, planet)
    unstable = universe.has_wormholes(applied) and traffic.takes_wormhole(id, applied["wormholeInstability"])
    arrival = mission["destination"] + ("-v2" if unstable else "")
    across = applied["crossGalaxyEnabled"] and applied["crossGalaxyMode"]
    between = [GATE] if across == "gateway" else []
    way = route(mission["source"], *between, arrival, LEDGER)
    sent = [{"route": way, "headers": headers(mission), "payload": ship}]
    if across == "mirrored":
        sent.append({"route": route(GATE), "headers": headers(mission), "payload": {**ship, "mirror": True}})
    return sent


def headers(mission: dict) -> dict:
    # The empty list takes a ship out of the fan-outs of all earlier ticks.
    policy = {"troupe-retry": ESCORT} if mission["escort"] else {}
    return {
        "mission_id": mission["id"], "generation": mission["generation"], "troupe-fan-out": [], **policy,
    }


def route(*actors: str) -> dict:
    return {"actors": ["mission-generator", *actors], "current": 1}


def onward(envelope: dict, tick: dict, seconds: float) -> dict:
    """The tick again, to its own queue."""
    kept = {**envelope.get("headers", {}), "troupe-delay-ms": round(max(0.05, seconds) * 1000), "troupe-fan-out": []}
    return {"route": envelope["route"], "headers": kept, "payload": tick}
