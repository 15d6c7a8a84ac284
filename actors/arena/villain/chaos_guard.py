"""chaos-guard: lets through what of an attack may be. To hold the villain: `troupe actors pause chaos-guard`."""

import time

import settings
import world
from registry import Registry
from remediation.gateway import Gateway
from remediation.routes import onward
from villain import guard

WORLD = world.read()
REGISTRY = Registry(settings.read().state)
MOST = 3


def process(envelope, context):
    payload = envelope["payload"]
    attack = payload.get("attack")
    if attack is None:
        return onward(envelope)
    gateway = Gateway()
    down = [name for name in WORLD if (gateway.actor(name) or {}).get("state") == "paused"]
    # What this very attack has done already does not keep it from being done again, should it come twice.
    mine = f"{envelope['id']}:{attack['number']}:"
    harmed = [row["service"] for row in REGISTRY.harm(time.time()) if not row["id"].startswith(mine)]
    allowed, skipped = guard.split(attack["strikes"], harmed, down, int(payload.get("max_faults", MOST)))
    for strike in skipped:
        context.log(f"skipped {strike['op']} {strike['service']}: {strike['reason']}")
    attack = {**attack, "strikes": allowed, "skipped": skipped}
    return onward({**envelope, "payload": {**payload, "attack": attack}})
