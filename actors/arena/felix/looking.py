"""Looks at services: asks the gateway for the actor, and sends a health call through the service and all it depends on."""

import time
from typing import Callable, Collection, Mapping, Optional

from felix.detection import probed
from remediation.gateway import FINAL, Gateway
from remediation.topology import below
from world import Service, dependencies


def look(
    gateway: Gateway, services: Mapping[str, Service], id: str, seconds: float,
    names: Optional[Collection[str]] = None, clock: Callable[[], float] = time.time,
) -> dict[str, dict]:
    """A sample of each service named, of all unless some are. id: of these probes; who asks again by it sends no others."""
    names = list(services if names is None else names)
    needed = set(names).union(*(below(name, dependencies(services)) for name in names))
    actors = {name: gateway.actor(name) for name in sorted(needed)}
    running = {name: is_running(actor) for name, actor in actors.items()}
    probes = {}
    for name in names:
        if all(running[one] for one in set(services[name].probe)):
            probes[name] = f"{id}:{name}"
            gateway.submit(
                probes[name], route={"actors": list(services[name].probe)}, payload={"op": "health"}, timeout="30s")
    envelopes = wait(gateway, probes, seconds)
    found = {}
    for name in names:
        sample = {"service": name, "at": clock(), "running": running[name], "culprit": None, "error": None, "own_ms": None,
                  "paused": (actors[name] or {}).get("state") == "paused"}
        if name not in probes:
            down = [one for one in services[name].probe if not running[one]]
            found[name] = {**sample, "probe": "skipped", "error": f"{', '.join(sorted(set(down)))} not running"}
            continue
        sample.update(probed(name, envelopes[name]))
        found[name] = {**sample, **figures(gateway, name, probes[name], envelopes[name])}
    return found


def is_running(actor: Optional[Mapping]) -> bool:
    """consumers: None while the broker is away."""
    return actor is not None and actor["state"] == "running" and actor.get("consumers") != 0


def wait(gateway: Gateway, probes: Mapping[str, str], seconds: float) -> dict:
    end = time.monotonic() + seconds
    found = {name: gateway.ended(id, max(0, end - time.monotonic())) for name, id in probes.items()}
    for name, one in found.items():
        if one is not None and one["status"] not in FINAL:
            gateway.cancel(probes[name])  # nobody waits for it any more
    return found


def figures(gateway: Gateway, name: str, id: str, envelope: Optional[Mapping]) -> dict:
    """What the service said of itself, also where the call has failed behind it."""
    if envelope is None:
        return {}
    if envelope["status"] == "succeeded":
        hops = envelope["result"]["hops"]
    else:
        hops = [update["data"] for update in gateway.history(id) if update.get("type") == "health"]
    own = next((hop for hop in hops if hop["service"] == name), {})
    return {key: own[key] for key in ("pid", "cpu_percent", "memory_mb", "cpu_stress_active", "memory_leak_mb") if key in own}
