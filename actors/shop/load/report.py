"""load-report: waits until the last customer has left, then says whether the run was good."""

import time

from remediation.routes import again, onward

from . import records
from .scenarios import SCENARIOS, verdict
from .user import PATIENCE


def process(envelope):
    payload = envelope["payload"]
    scenario = SCENARIOS[payload["test"]]
    left = records.staying(payload["run"])
    if left and time.time() < payload["begun"] + scenario.seconds + 2 * PATIENCE:
        return again(envelope, 0.5)
    found = verdict(scenario, records.samples(payload["run"]))
    if left:
        found.update(verdict="failed", reason=f"{left} customers have not finished")
    return onward({**envelope, "payload": {"run": payload["run"], "test": payload["test"], **found}})
