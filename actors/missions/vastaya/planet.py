"""A planet: ships leave it and dock at it. It keeps nothing: what it does to a ship stands in the ship's envelope."""

import time

from . import docking, shields, store, traffic
from .generator import ESCORT_ATTEMPTS

LONGEST_NEBULA = 10.0


class ChaosStrike(Exception):
    """A ship with an escort was struck, and tries again."""


class Refused(Exception):
    """How a ship ended that did not dock."""

    def __init__(self, cause: str, text: str):
        super().__init__(text)
        self.cause = cause


class Planet:
    def __init__(self):
        self.key = shields.key(store.default_file().parent)

    def process(self, envelope, context):
        ship = envelope["payload"]
        wrong = problem(ship)
        if wrong:
            raise ValueError(f"this is no ship: {wrong}")
        here = envelope["route"]["actors"][envelope["route"]["current"]]
        if ship["leg"] == "departure":
            return onward(envelope, {
                **ship, "leg": "arrival", "signature": shields.signature(ship, self.key), "departed_at": time.time()})
        try:
            done = self.dock(ship, here, context)
        except Refused as refused:
            return onward(envelope, {**ship, "outcome": refused.cause, "text": f"{here}: {refused}"}, settled=True)
        return onward(envelope, {**ship, **done, "outcome": "docked", "text": ""}, settled=True)

    def dock(self, ship: dict, here: str, context) -> dict:
        profile = ship["profile"]
        if profile.get("shields") and not shields.is_genuine(ship, self.key):
            raise Refused("shield", "shields are up, and the ship's signature is missing or wrong")
        time.sleep(min(LONGEST_NEBULA, profile.get("nebula_ms", 0) / 1000))
        attempt = context.attempt
        rate = profile.get("chaos_rate", 0)
        if docking.chaos_strikes(rate, traffic.generator("chaos", ship["dock"], attempt)):
            text = f"500: struck by the chaos experiment (rate {rate}), attempt {attempt}"
            if ship.get("escort") and attempt < ESCORT_ATTEMPTS:
                raise ChaosStrike(text)
            raise Refused("chaos", text)
        planned = docking.steps(traffic.generator("docking", ship["dock"]))
        operations = []
        for number, step in enumerate(planned):
            late = docking.missed(ship["deadline"], time.time(), number, planned)
            if late:
                raise Refused("deadline", late)
            if context.cancelled:
                raise Refused("stopped", f"the mission was ended before '{step.action}'")
            if ship.get("shown"):
                context.progress(100 * number / len(planned), step.action)
            time.sleep(step.seconds)
            operations.append({"action": step.action, "seconds": step.seconds, "completed_at": time.time()})
        return {
            "planet": here, "operations": operations,
            "cargo_processed": sum(item["quantity"] for item in ship["cargo"]),
        }


def onward(envelope: dict, ship: dict, settled: bool = False) -> dict:
    """To the next stop; with its outcome straight to the ledger, where no escort's patience counts."""
    route, headers = envelope["route"], dict(envelope.get("headers", {}))
    if settled:
        headers.pop("troupe-retry", None)
    return {"route": {**route, "current": route["current"] + 1}, "headers": headers, "payload": ship}


def problem(ship: object) -> str:
    """What a planet could not work with, '' for nothing: anybody may send it an envelope."""
    if not isinstance(ship, dict):
        return "expected an object"
    for name in ("dock", "mission", "source", "destination"):
        if not isinstance(ship.get(name), str) or not ship[name]:
            return f"/{name}: expected a text"
    if ship.get("leg") not in ("departure", "arrival"):
        return "/leg: expected departure or arrival"
    if not is_number(ship.get("deadline")):
        return "/deadline: expected a time, in seconds since 1970"
    profile = ship.get("profile")
    if not isinstance(profile, dict) or not all(is_number(profile.get(name, 0)) and profile.get(name, 0) >= 0
                                                for name in ("nebula_ms", "chaos_rate")):
        return "/profile: expected an object with numbers nebula_ms and chaos_rate, from 0"
    cargo = ship.get("cargo")
    if not isinstance(cargo, list) or not all(isinstance(i, dict) and is_number(i.get("quantity")) for i in cargo):
        return "/cargo: expected a list of objects, each with a quantity"
    return ""


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
