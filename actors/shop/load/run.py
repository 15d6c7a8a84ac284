"""load-run: from one envelope the report and all customers, each of whom comes when its time has come.

    {test: normal | spike | endurance | stress, with_failures: false}

Customers are the run's fan-out: cancel its envelope, and they all stop.
"""

import time

from remediation.gateway import Gateway
from remediation.routes import onward

from .. import failures
from ..services import tokens
from . import records
from .scenarios import SCENARIOS, presence

# Enough of everything for any run.
STOCK = 10_000
# As the original injects them before a run.
FAILURES = [("product-service", "timeout"), ("db-service", "error")]
FAILURE_SECONDS = 120


def process(envelope):
    payload, run = envelope["payload"], envelope["id"]
    test = payload.get("test", "normal")
    if test not in SCENARIOS:
        raise ValueError(f"there is no load test '{test}': expected one of {', '.join(SCENARIOS)}")
    windows = presence(SCENARIOS[test])
    begun = records.begin(run, len(windows), time.time())
    restock(run)
    if payload.get("with_failures"):
        for service, kind in FAILURES:
            request = {"service": service, "type": kind, "duration": FAILURE_SECONDS}
            Gateway().post("/faults", failures.fault_of(request, f"{run}:{service}"))

    def later(actor: str, at: float, payload: dict) -> dict:
        ahead = envelope["route"]["actors"][: envelope["route"]["current"] + 1]
        route = {**envelope["route"], "actors": [*ahead, actor]}
        return onward({**envelope, "route": route, "payload": payload}, max(0, begun + at - time.time()))

    report = later("load-report", SCENARIOS[test].seconds, {"run": run, "test": test, "begun": begun})
    users = [
        later("load-user", come, {"run": run, "test": test, "user": number, "step": 0, "until": begun + go})
        for number, (come, go) in enumerate(windows)]
    return [report, *users]


def restock(run: str) -> None:
    id = f"{run}:stock"
    Gateway().submit(
        id, route={"actors": ["db-service"]}, payload={"operation": "restock", "least": STOCK},
        headers={"shop-user": tokens.signed_user("load-run", id)})
