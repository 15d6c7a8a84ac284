"""The gateway's REST, as far as handlers need it. TROUPE_GATEWAY_URL says where it is; where it asks for keys, TROUPE_API_KEY."""

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any, Optional
from urllib.parse import quote, urlencode

FINAL = ("succeeded", "failed", "cancelled")


class GatewayAway(Exception):
    """No answer, or none for now: worth another attempt."""


class Refused(Exception):
    def __init__(self, method: str, path: str, status: int, problem: dict):
        super().__init__(f"{method} {path}: {status} {problem.get('detail') or problem.get('title') or ''}".rstrip())
        self.status = status
        self.code = problem.get("code", "")


class Gateway:
    def __init__(self, url: Optional[str] = None, key: Optional[str] = None, timeout: float = 10):
        self.url = (url or os.environ.get("TROUPE_GATEWAY_URL") or "http://127.0.0.1:8080").rstrip("/")
        self.key = key or os.environ.get("TROUPE_API_KEY")
        self.timeout = timeout

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query)

    def post(self, path: str, body: Any) -> Any:
        return self.call("POST", path, body=body)

    def delete(self, path: str, **query: Any) -> Any:
        return self.call("DELETE", path, query)

    def call(self, method: str, path: str, query: Optional[dict] = None, body: Any = None) -> Any:
        words = {name: value for name, value in (query or {}).items() if value is not None}
        request = urllib.request.Request(
            self.url + path + ("?" + urlencode(words) if words else ""),
            None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
        if self.key:
            request.add_header("Authorization", "Bearer " + self.key)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            problem = problem_of(error.read())
            if error.code in (429, 500, 502, 503, 504):
                raise GatewayAway(f"{method} {path}: {error.code} {problem.get('detail', '')}") from None
            raise Refused(method, path, error.code, problem) from None
        except (OSError, ValueError) as error:
            raise GatewayAway(f"{method} {path}: {error}") from None

    # ---- Envelopes

    def submit(self, id: str, **submission: Any) -> bool:
        """Whether it is new: what was submitted under this id before is left as it is."""
        try:
            self.post("/envelopes", {"id": id, **submission})
        except Refused as refused:
            if refused.code != "duplicate_id":
                raise
            return False
        return True

    def envelope(self, id: str) -> Optional[dict]:
        try:
            return self.get("/envelopes/" + quote(id, safe=""))
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    def ended(self, id: str, seconds: float) -> Optional[dict]:
        """The envelope when it has ended, or as it is when the seconds are over; None: there is none."""
        end = time.monotonic() + seconds
        while True:
            left = max(0.001, min(end - time.monotonic(), self.timeout / 2))
            try:
                # The gateway waits; nobody need ask again and again.
                self.get(f"/envelopes/{quote(id, safe='')}/result", wait=f"{round(left * 1000) or 1}ms")
            except Refused:
                pass  # not ended, or not well: the envelope says which
            envelope = self.envelope(id)
            if envelope is None or envelope["status"] in FINAL or time.monotonic() >= end:
                return envelope

    def history(self, id: str) -> list[dict]:
        return self.get(f"/envelopes/{quote(id, safe='')}/history", limit=1000)["updates"]

    def cancel(self, id: str) -> None:
        try:
            self.post(f"/envelopes/{quote(id, safe='')}/cancel", {})
        except Refused as refused:
            if refused.status not in (404, 409):
                raise

    # ---- Actors and faults

    def actor(self, name: str) -> Optional[dict]:
        """None where it was never seen."""
        try:
            return self.get("/actors/" + quote(name, safe=""))["actor"]
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    def faults(self, **query: Any) -> list[dict]:
        return self.get("/faults", **query)["faults"]

    def end_fault(self, id: str) -> None:
        try:
            self.delete("/faults/" + quote(id, safe=""))
        except Refused as refused:
            if refused.status != 404:
                raise


def problem_of(body: bytes) -> dict:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
