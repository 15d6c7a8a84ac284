"""anomaly-detector: an envelope that looks at the shop, rests, and comes back, until somebody cancels it.

    {poll_seconds: 5}   begins a watch; one that was there before ends with its next poll
    {operation: status} what it sees     {operation: reset} forgets what was usual
"""

import os
import time

from remediation.gateway import Gateway
from remediation.model import Incident
from remediation.routes import again, onward

from .. import settings, state
from ..failures import SERVICES
from . import memory
from .detector import Parameters, Watch
from .gateway_source import HOST, GatewaySource
from .prometheus_source import PrometheusSource

SETTINGS = settings.read()
USUAL = Parameters()
PARAMETERS = Parameters(
    cooldown_seconds=SETTINGS.cooldown_seconds, deviations=USUAL.deviations._replace(
        p95=SETTINGS.slow_seconds, queue_age=max(USUAL.deviations.queue_age, SETTINGS.slow_seconds),
        cpu=SETTINGS.busy_cores))
URL = os.environ.get("PROMETHEUS_URL")
SOURCE = PrometheusSource(SERVICES, URL) if URL else GatewaySource(SERVICES)
# Forests are grown once, not at each poll; what must survive is in memory's file.
WATCHES: dict[str, Watch] = {}


def process(envelope):
    payload = envelope["payload"]
    if payload.get("operation") == "status":
        return onward({**envelope, "payload": status()})
    if payload.get("operation") == "reset":
        memory.forget()
        WATCHES.clear()
        return onward({**envelope, "payload": {"status": "reset"}})
    rest = payload.get("poll_seconds", 5)
    if isinstance(rest, bool) or not isinstance(rest, (int, float)) or not 0.5 <= rest <= 3600:
        raise ValueError(f"'poll_seconds' is {rest!r}: expected 0.5 to 3600")
    poll = payload.get("poll", 0)
    if poll == 0:
        memory.own(envelope["id"])
    last = memory.last_poll(envelope["id"])
    if last is None:
        return onward({**envelope, "payload": {"status": "replaced by a newer watch", "polls": poll}})
    after = payload.get("after") or str(Gateway().history(envelope["id"])[-1]["number"])
    if last < poll:
        after = look(envelope["id"], poll, after)
    return again({**envelope, "payload": {"poll_seconds": rest, "poll": poll + 1, "after": after}}, rest)


def look(watch_id: str, poll: int, after: str) -> str:
    vectors, errors, after = SOURCE.look(after)
    known, now, found, opened = memory.watches(), time.time(), {}, []
    unsettled = {id for _, id, _ in state.ledger().unsettled()}
    for service, vector in vectors.items():
        kept, incident = known.get(service, (Watch(), None))
        # The one in memory has its forest; it is as good as the one that was kept unless that is another's.
        watch = WATCHES.get(service)
        if watch is None or watch != kept:
            watch = WATCHES[service] = kept
        # Until six calm polls have passed it would hide what comes behind it.
        if watch.is_open and incident not in unsettled:
            watch.settle(now)
            incident = None
        condition, judgement = watch.observe(vector, now, PARAMETERS)
        if condition == "open":
            # One for each service: where there is one that nobody has settled, it is that one.
            incident = state.ledger().claim(service, f"incident-{service}-{watch_id}-{poll}", now)
            opened.append(Incident(incident, service, f"anomaly_{judgement.culprit}", now, {
                "vector": vector._asdict(), "usual": judgement.mean._asdict(), "z": judgement.z._asdict(),
                "culprit": judgement.culprit, "errors": errors.get(service, [])}))
        elif condition == "close":
            if incident is not None:
                state.ledger().settle(incident, "cleared")
            incident = None
        found[service] = (watch, condition, incident, list(vector))
    # Before it is kept that they are open. What was submitted under an id before is left as it is.
    for incident in opened:
        Gateway().submit(
            incident.id, tool="shop_incident", arguments={"incident": incident.payload(), "attempt": 1},
            headers={"incident_id": incident.id, "trace_id": incident.id})
    memory.keep(poll, now, found)
    return after


def status() -> dict:
    return {
        "source": "prometheus" if URL else "gateway",
        "services": {
            service: {
                "samples": len(watch.baseline), "ready": len(watch.baseline) >= PARAMETERS.least_samples,
                "incident": incident, "latest": watch.recent[-1][0]._asdict() if watch.recent else None}
            for service, (watch, incident) in memory.watches().items() if service in (*SERVICES, HOST)}}
