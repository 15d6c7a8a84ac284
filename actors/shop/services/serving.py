"""What all services share: a call comes in, an answer or a refusal goes out, and each says so in one line of JSON.

A *refusal* (a wrong password, nothing left in stock) is an answer: it ends the route, and the envelope succeeds with
`{"status": 401, "error": "invalid_token", "detail", "trace_id"}`. Only what is the shop's own fault is raised.
"""

import datetime
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional

from . import tokens

TRACE = re.compile(r"[\w.:-]{1,128}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Refusal(Exception):
    def __init__(self, status: int, error: str, detail: str):
        super().__init__(detail)
        self.status, self.error, self.detail = status, error, detail


@dataclass
class Call:
    # Of the envelope: the same when the call is delivered again.
    id: str
    operation: str
    request: Mapping[str, Any]
    # What the services before this one have found.
    answer: dict = field(default_factory=dict)
    user_id: Optional[str] = None

    def user(self) -> str:
        if self.user_id is None:
            raise Refusal(401, "invalid_token", "nobody has signed in: the route must begin with auth-service")
        return self.user_id

    def text(self, name: str, most: int = 254) -> str:
        value = self.request.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise Refusal(422, "invalid_request", f"'{name}' must be a text of 1 to {most} characters")
        return value

    def count(self, name: str, most: int, default: int = 1) -> int:
        value = self.request.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise Refusal(422, "invalid_request", f"'{name}' must be a whole number from 1 to {most}")
        return value


def serve(service: str, envelope: dict, answer: Callable[[Call], Mapping[str, Any]]) -> dict:
    """The envelope, one step further: with what `answer` has found, or at its end with a refusal."""
    begin = time.monotonic()
    route, headers = envelope["route"], envelope.setdefault("headers", {})
    trace = headers["trace_id"] = trace_id(envelope)
    request = envelope["payload"] if isinstance(envelope["payload"], dict) else {}
    operation = request.get("operation")
    call = Call(
        envelope["id"], operation if isinstance(operation, str) else "", request, dict(request.get("answer") or {}),
        tokens.user_of(headers.get("shop-user"), envelope["id"]))
    status = 200
    try:
        found = dict(answer(call))
        if call.user_id is not None:
            headers["shop-user"] = tokens.signed_user(call.user_id, call.id)
        if route["current"] + 1 == len(route["actors"]):
            envelope["payload"] = {**found, "trace_id": trace}
        else:
            kept = {name: value for name, value in request.items() if name not in ("token", "password")}
            envelope["payload"] = {**kept, "answer": found}
    except Refusal as refusal:
        status = refusal.status
        route["current"] = len(route["actors"]) - 1  # nothing comes behind it
        envelope["payload"] = {
            "status": status, "error": refusal.error, "detail": refusal.detail, "trace_id": trace}
    except Exception as error:
        log(service, "ERROR", f"{call.operation} failed: {type(error).__name__}", trace)
        raise
    route["current"] += 1
    milliseconds = (time.monotonic() - begin) * 1000
    log(service, "INFO" if status < 400 else "WARN", f"{call.operation} -> {status} [{milliseconds:.1f}ms]", trace)
    return envelope


def trace_id(envelope: Mapping[str, Any]) -> str:
    """The caller's, else that of the gateway's trace, else the envelope's id."""
    headers = envelope.get("headers") or {}
    given = headers.get("trace_id")
    if isinstance(given, str) and TRACE.fullmatch(given):
        return given
    parent = TRACEPARENT.fullmatch(str(headers.get("traceparent")))
    return parent.group(1) if parent else envelope["id"]


def log(service: str, level: str, message: str, trace: str) -> None:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    print(json.dumps({
        "service": service, "level": level, "message": message, "timestamp": now, "trace_id": trace}), flush=True)


def unknown(call: Call) -> Refusal:
    return Refusal(422, "unknown_operation", f"there is no operation '{call.operation[:40]}' here")
