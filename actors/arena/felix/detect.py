"""felix-detect: one envelope that goes round for ever. It looks at all services, and opens an incident for each cause."""

import time

import settings
import world
from felix import detection
from felix.looking import look
from registry import Registry
from remediation.gateway import Gateway
from remediation.ledger import Ledger
from remediation.model import Incident
from remediation.routes import again

WORLD = world.read()
SETTINGS = settings.read()
REGISTRY = Registry(SETTINGS.state)
LEDGER = Ledger(SETTINGS.state)
LIMITS = detection.Limits(SETTINGS.slow_ms, SETTINGS.cpu_percent, SETTINGS.memory_mb)
STARTED = time.monotonic()
ENDED = {"succeeded": "verified", "failed": "escalated", "cancelled": "cancelled"}


def process(envelope, context):
    payload = {"tick": 0, "opened": 0, **envelope["payload"]}
    gateway, id = Gateway(), f"{envelope['id']}:{payload['tick']}"
    # Perhaps all has been started with us: then others may need a moment more.
    starting = time.monotonic() - STARTED < SETTINGS.start_seconds
    for name, sample in look(gateway, WORLD, id, SETTINGS.probe_seconds).items():
        sample["starting"] = starting and not sample["running"]
        REGISTRY.keep(id, name, sample["at"], sample)
    history = {name: REGISTRY.samples(name, detection.LOOKS) for name in WORLD}
    found = {one.key: one for one in detection.findings(history, world.dependencies(WORLD), LIMITS)}
    settle(gateway, found, context)
    for finding in found.values():
        payload["opened"] += open_incident(gateway, id, finding, history, context)
    payload["tick"] += 1
    payload["unhealthy"] = sorted(found)
    return again({**envelope, "payload": payload}, payload.get("interval", SETTINGS.felix_interval))


def settle(gateway, found, context):
    """What has become of those that are open. One that went to a person stays that person's until the service is well."""
    for key, id, state in LEDGER.unsettled():
        if state == "escalated":
            if key not in found:
                LEDGER.settle(id, "cleared")
            continue
        incident = gateway.envelope(id)
        if incident is None:
            # Its opener died before it was sent. While something is wrong, it is sent below.
            if key not in found:
                LEDGER.settle(id, "cleared")
            continue
        if incident["status"] in ENDED:
            LEDGER.settle(id, ENDED[incident["status"]])
            context.log(f"{id}: {ENDED[incident['status']]}")


def open_incident(gateway, id, finding, history, context):
    name = f"incident-{id}:{finding.service}".replace(":", "-")
    claimed = LEDGER.claim(finding.key, name, time.time())
    sample = history[finding.service][-1]
    signals = {"text": finding.text, "affected": list(finding.affected), "sample": sample}
    incident = Incident(claimed, finding.service, finding.type, sample["at"], signals)
    is_new = gateway.submit(claimed, tool="incident", arguments={"incident": incident.payload()})
    if is_new:
        context.log(f"{finding.type} of {finding.service}: {finding.text}; {claimed}")
    return is_new
