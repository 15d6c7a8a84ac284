"""arena-control: does what a tool's call says, or the strikes of the villain's attack, one a second.

    {"op": "kill", "service": "echo_service"}  ->  {"op", "service", "ok": true, "elapsed": 0.4}
"""

import time

import settings
import world
from control.operations import Control
from registry import Registry
from remediation.gateway import Gateway
from remediation.routes import again, back, onward

WORLD = world.read()
FOREIGN = frozenset().union(*world.neighbours().values())
REGISTRY = Registry(settings.read().state)
BETWEEN_STRIKES = 1


def process(envelope, context):
    payload = envelope["payload"]
    control = Control(Gateway(), REGISTRY, foreign=FOREIGN)
    if isinstance(payload, dict) and "number" in payload:
        return villainy(envelope, payload, control, context)
    if not isinstance(payload, dict):
        raise ValueError("expected {'op', 'service'}")
    op = payload.get("op")
    if op == "status":
        return onward({**envelope, "payload": status(control)})
    if op == "history":
        found = REGISTRY.history(int(payload.get("after", 0)), min(1000, max(1, int(payload.get("limit", 100)))))
        return onward({**envelope, "payload": {"operations": found}})
    service = known(payload.get("service"))
    arguments = {name: value for name, value in payload.items() if name not in ("op", "service", "owner")}
    result = control.perform(envelope["id"], op, service, arguments, str(payload.get("owner", "person")))
    context.log(f"{op} {service}: {'ok' if result['ok'] else 'failed'}")
    return onward({**envelope, "payload": result})


def villainy(envelope, payload, control, context):
    attack = payload.get("attack")
    if attack is None:
        return onward(envelope)
    position, strikes = attack.get("position", 0), attack["strikes"]
    if position < len(strikes):
        strike = strikes[position]
        result = control.perform(
            f"{envelope['id']}:{attack['number']}:{position}", strike["op"], strike["service"],
            strike["arguments"], "villain")
        context.log(f"{strike['op']} {strike['service']}: {'ok' if result['ok'] else 'failed'}")
        payload = {**payload, "struck": payload["struck"] + 1, "attack": {**attack, "position": position + 1}}
        if position + 1 < len(strikes):
            return again({**envelope, "payload": payload}, BETWEEN_STRIKES)
    payload = {
        **payload, "number": payload["number"] + 1, "skipped": payload["skipped"] + len(attack.get("skipped", []))}
    return back({**envelope, "payload": payload}, "villain", payload["interval"])


def known(service):
    if service not in WORLD:
        raise ValueError(f"service {service!r}: expected one of {', '.join(WORLD)}")
    return service


def status(control):
    now = time.time()
    harm = REGISTRY.harm(now)
    found = {}
    for name in WORLD:
        actor = control.gateway.actor(name) or {}
        samples = REGISTRY.samples(name, 1)
        found[name] = {
            "running": actor.get("state") == "running" and bool(actor.get("consumers")), "ready": actor.get("ready"),
            "last_seen": samples[-1] if samples else None,
            "harm": [
                {"op": row["op"], "owner": row["owner"], "seconds_left": round(row["until"] - now, 1)}
                for row in harm if row["service"] == name],
        }
    return {"services": found}
