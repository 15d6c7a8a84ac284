"""mission-registry: creates, lists, shows and terminates missions. A mission is an envelope of the mission's id."""

import os
import re
import time

from . import gateway, report, traffic, universe
from .audit import Audit
from .store import ACTIVE, Store

GENERATOR = "mission-generator"
MOST_RPS = 1000
MOST_SECONDS = 30 * 24 * 3600
ID = re.compile(r"[!-.0-~]{1,100}")


class Registry:
    def __init__(self):
        self.store = Store()
        self.audit = Audit(self.store)
        self.most = int(os.environ.get("MISSIONS_ACTIVE", "100"))

    def process(self, payload, context):
        if not isinstance(payload, dict):
            raise ValueError("expected an object with an 'action'")
        action = payload.get("action")
        actions = {"create": self.create, "list": self.list, "show": self.show, "terminate": self.terminate}
        if not isinstance(action, str) or action not in actions:
            raise ValueError(f"action {action!r}: expected one of {', '.join(actions)}")
        return actions[action](payload, context)

    def create(self, payload: dict, context) -> dict:
        mission = asked(payload)
        planets = [planet["id"] for planet in self.store.universe()["applied"]["planets"]]
        for role in ("source", "destination"):
            if mission[role] not in planets:
                known = ", ".join(planets) or "none: apply a universe that has some"
                raise ValueError(f"{role}: there is no planet '{mission[role]}'; there are {known}")
        # The id comes from the envelope: one that is delivered again makes no second mission.
        id = "m-" + context.id
        mission = self.store.create(
            {**mission, "id": id, "created_at": time.time(), "seed": traffic.generator(id).getrandbits(40)}, self.most)
        if mission["status"] in ACTIVE:
            tick = {"mission": id, "generation": mission["generation"], "tick": 1, "looks": 0, "due": time.time()}
            headers = {"mission_id": id, "generation": mission["generation"]}
            gateway.submit(id, [GENERATOR], tick, headers)
        return report.record(mission)

    def list(self, payload: dict, _context) -> dict:
        status, planet, limit = payload.get("status", "all"), payload.get("planet", ""), payload.get("limit", 100)
        if not isinstance(status, str) or not isinstance(planet, str):
            raise ValueError("status and planet: expected texts")
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= 1000:
            raise ValueError("limit: expected a whole number from 1 to 1000")
        statuses = {"all": (), "active": ACTIVE}.get(status, (status,))
        missions = [self.current(mission) for mission in self.store.missions(statuses, planet, limit)]
        figures = [report.figures(one, self.store.counts(one["id"]), time.time()) for one in missions]
        return {"missions": [{**report.record(one), **sums} for one, sums in zip(missions, figures)]}

    def show(self, payload: dict, _context) -> dict:
        mission = self.current(self.known(payload))
        left = report.figures(mission, self.store.counts(mission["id"]), 0)["in_flight"]
        if mission["status"] == "completed" and left:
            self.audit.look(mission["id"])  # no tick does it any more
        return report.full(self.store, mission)

    def terminate(self, payload: dict, _context) -> dict:
        mission = self.known(payload)
        # The store first: whoever looks from now on sees the new generation, also when we die before the next line.
        mission = self.store.end(mission["id"], "terminated", "terminated by request")
        gateway.cancel(mission["id"])
        return report.full(self.store, mission)

    def known(self, payload: dict) -> dict:
        id = payload.get("mission_id")
        if not isinstance(id, str) or not ID.fullmatch(id):
            raise ValueError("mission_id: expected the id of a mission, as `list_missions` shows it")
        mission = self.store.mission(id)
        if mission is None:
            raise ValueError(f"there is no mission '{id}'")
        return mission

    def current(self, mission: dict) -> dict:
        """Whoever cancels the envelope itself has ended the mission, too."""
        if mission["status"] not in ACTIVE:
            return mission
        envelope = gateway.envelope(mission["id"])
        if envelope.get("status") not in ("cancelled", "failed"):
            return mission
        status = "terminated" if envelope["status"] == "cancelled" else "failed"
        reason = "its envelope was cancelled" if status == "terminated" else str(envelope.get("error", "failed"))
        return self.store.end(mission["id"], status, reason) or mission


def asked(payload: dict) -> dict:
    """A mission as it was asked for, or all that is wrong with it."""
    wrong = []
    rps, speed, seconds = payload.get("rps"), payload.get("speed", "cruise"), payload.get("seconds")
    escort = payload.get("escort_enabled", True)
    if isinstance(rps, bool) or not isinstance(rps, int) or not 1 <= rps <= MOST_RPS:
        wrong.append(f"rps: expected a whole number from 1 to {MOST_RPS}")
    speed = speed.strip().lower() if isinstance(speed, str) else ""
    if speed not in traffic.SPEEDS:
        wrong.append(f"speed: expected one of {', '.join(traffic.SPEEDS)}")
    if seconds is not None and (
            isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= MOST_SECONDS):
        wrong.append(f"seconds: expected a number above 0, at most {MOST_SECONDS}")
    if not isinstance(escort, bool):
        wrong.append("escort_enabled: expected true or false")
    ends = {}
    for role in ("source", "destination"):
        planet = payload.get(f"{role}_id")
        if not isinstance(planet, str) or not planet:
            wrong.append(f"{role}_id: expected the id of a planet")
        else:
            ends[role] = universe.slug(planet)
    if wrong:
        raise ValueError("; ".join(wrong))
    return {**ends, "rps": rps, "speed": speed, "escort": int(escort), "seconds": seconds}
