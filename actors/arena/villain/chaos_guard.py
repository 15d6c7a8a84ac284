"""chaos-guard: lets through what of an attack may be. To hold the villain: `troupe actors pause chaos-guard`."""

import settings
import world
from control.operations import Control
from registry import Registry
from remediation.gateway import Gateway
from remediation.routes import again, onward
from villain import guard

FOREIGN = frozenset().union(*world.neighbours().values())
REGISTRY = Registry(settings.read().state)
MOST = 3
LOOK_AGAIN_SECONDS = 0.5


def process(envelope, context):
    payload = envelope["payload"]
    attack = payload.get("attack")
    if attack is None:
        return onward(envelope)
    control = Control(Gateway(), REGISTRY, foreign=FOREIGN)
    # What this very attack has done already does not keep it from being done again, should it come twice.
    mine = f"{envelope['id']}:{attack['number']}:"
    harmed = [row["service"] for row in control.in_force() if not row["id"].startswith(mine)]
    if harmed and payload.get("patient"):
        return again(envelope, LOOK_AGAIN_SECONDS)
    down = [strike["service"] for strike in attack["strikes"] if control.is_paused(strike["service"])]
    allowed, skipped = guard.split(attack["strikes"], harmed, down, int(payload.get("max_faults", MOST)))
    for strike in skipped:
        context.log(f"skipped {strike['op']} {strike['service']}: {strike['reason']}")
    attack = {**attack, "strikes": allowed, "skipped": skipped}
    return onward({**envelope, "payload": {**payload, "attack": attack}})
