"""load-user: one customer's next step. It asks as anybody would, waits for the answer, notes how long that took,
thinks, and comes again; its state is in the envelope.

A request's id is that of the customer and the step, so a step that comes twice asks once.
"""

import time
from datetime import datetime
from typing import Optional
from urllib.parse import quote

from remediation.gateway import FINAL, Gateway, GatewayAway, Refused
from remediation.routes import again, onward

from . import records
from .scenarios import ROUTES, SCENARIOS, Sample, Step

# Seconds.
SHORTEST_DELAY = 0.05
# Seconds until a customer gives up.
PATIENCE = 30
PASSWORD = "load-test-password"


def process(envelope):
    payload = envelope["payload"]
    run, user, number = payload["run"], payload["user"], payload["step"]
    journey = SCENARIOS[payload["test"]].journey
    # Whoever has no token signs up first. That is measured where it fails, so that a shop in which nobody can shows.
    step = journey[(number - 1) % len(journey)] if payload.get("token") else Step("signup", 1)
    result = ask(run, user, number, step, payload.get("token")) or {}
    token = result.get("access_token") or payload.get("token")
    number += 1
    if time.time() + step.pause >= payload["until"]:
        records.leave(run, user)
        return onward({**envelope, "payload": {"run": run, "user": user, "steps": number}})
    following = {**payload, "token": token, "step": number}
    has_signed_up = step.operation == "signup" and token is not None
    pause = 0 if has_signed_up else step.pause
    return again({**envelope, "payload": following}, max(pause, SHORTEST_DELAY))


def ask(run: str, user: int, number: int, step: Step, token: Optional[str]) -> Optional[dict]:
    """The answer, where there is one."""
    id = f"{run}:{user}:{number}"
    request = {"operation": step.operation, **dict(step.request)}
    if step.operation in ("signup", "login"):
        request.update(email=f"{run}-{user}@load.example".lower(), password=PASSWORD)
    else:
        request["token"] = token
    begin, gateway = time.monotonic(), Gateway(timeout=PATIENCE + 5)
    try:
        is_new = gateway.submit(
            id, route={"actors": ROUTES[step.operation]}, payload=request, headers={"trace_id": id})
        ended = gateway.ended(id, begin + PATIENCE - time.monotonic()) or {"status": "unknown"}
        milliseconds = (time.monotonic() - begin) * 1000 if is_new else between(ended)
        result = gateway.get(f"/envelopes/{quote(id, safe='')}/result") if ended["status"] == "succeeded" else None
        outcome = outcome_of(ended, result)
    except (GatewayAway, Refused) as error:
        milliseconds, result, outcome = (time.monotonic() - begin) * 1000, None, f"gateway: {error}"[:100]
    if step.operation != "signup" or outcome != "ok":
        records.note(id, run, Sample(step.operation, milliseconds, outcome == "ok", outcome))
    return result if outcome == "ok" else None


def outcome_of(envelope: dict, result: object) -> str:
    if envelope["status"] not in FINAL:
        return "no answer in time"
    if envelope["status"] != "succeeded":
        return str(envelope.get("error") or envelope["status"]).split(":")[0][:60]
    return result["error"] if isinstance(result, dict) and "error" in result else "ok"


def between(envelope: dict) -> float:
    """Milliseconds from submission to the last news, where an earlier delivery has asked."""
    begin, end = (
        datetime.fromisoformat(envelope[name].replace("Z", "+00:00")) for name in ("created_at", "updated_at"))
    return (end - begin).total_seconds() * 1000
