"""villain: one envelope that goes round for ever. It draws an attack, and the guard and arena-control do the rest.

    {"seed": 7, "prey": "arena"}  ->  {"seed": 7, "number": 0, "attack": {"stage": "kill", "strikes": [...]}}  ->  ...
"""

from dataclasses import asdict

import settings
import world
from remediation.routes import onward
from villain import curriculum

PREYS = {
    "arena": {name: service.weight for name, service in world.read().items()}, **world.neighbours()}
SETTINGS = settings.read()


def process(envelope, context):
    payload = {"number": 0, "struck": 0, "skipped": 0, "prey": "arena", **envelope["payload"]}
    payload.setdefault("seed", envelope["id"])
    payload.setdefault("interval", SETTINGS.villain_interval)
    check(payload)
    limit = payload.get("attacks", 0)
    if limit and payload["number"] >= limit:
        payload.pop("attack", None)
        end = {**envelope["route"], "current": len(envelope["route"]["actors"]) - 1}
        return onward({**envelope, "payload": payload, "route": end})
    stages = curriculum.STAGES if payload["prey"] == "arena" else curriculum.STAGES_ABROAD
    attack = curriculum.attack(payload["seed"], payload["number"], PREYS[payload["prey"]], stages)
    payload["attack"] = asdict(attack)
    words = "; ".join(f"{one.op} {one.service} {dict(one.arguments) or ''}".strip() for one in attack.strikes)
    context.log(f"attack {attack.number} ({attack.stage}): {words}")
    return onward({**envelope, "payload": payload})


def check(payload):
    if payload["prey"] not in PREYS:
        raise ValueError(f"prey is {payload['prey']!r}: expected one of {', '.join(PREYS)}")
    bounds = {"interval": (0.05, 86400), "attacks": (0, 1_000_000), "max_faults": (1, 20), "number": (0, float("inf"))}
    for name, (least, most) in bounds.items():
        value = payload.get(name, least)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise ValueError(f"{name} is {value!r}: expected a number, {least:g} to {most:g}")
