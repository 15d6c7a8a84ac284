"""The gateway's REST, as far as missions need it."""

import json
import os
import urllib.error
import urllib.request
from urllib.parse import quote, urlencode

TIMEOUT = 10


class Refused(Exception):
    """What the gateway does not do, and why."""

    def __init__(self, status: int, code: str, detail: str):
        super().__init__(f"the gateway refuses ({status} {code}): {detail}")
        self.status = status
        self.code = code


def call(method: str, path: str, body: object = None, **query: object) -> dict:
    url = os.environ["TROUPE_GATEWAY_URL"].rstrip("/") + path + ("?" + urlencode(query) if query else "")
    headers = {"Content-Type": "application/json"}
    if os.environ.get("TROUPE_API_KEY"):
        headers["Authorization"] = "Bearer " + os.environ["TROUPE_API_KEY"]
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            problem = json.loads(text)
        except ValueError:
            problem = {}
        raise Refused(error.code, problem.get("code", ""), problem.get("detail") or text[:200]) from None


def submit(id: str, route: list[str], payload: object, headers: dict, delay: float = 0) -> None:
    """Asking again by the same id starts nothing twice."""
    body = {"id": id, "route": {"actors": route}, "payload": payload, "headers": headers}
    if delay:
        body["delay_ms"] = round(delay * 1000)
    try:
        call("POST", "/envelopes", body)
    except Refused as error:
        if error.code != "duplicate_id":
            raise


def cancel(id: str) -> None:
    """Ends it and all that has come out of it; one that has ended, or never was, is no mistake."""
    try:
        call("POST", f"/envelopes/{quote(id, safe='')}/cancel")
    except Refused as error:
        if error.code not in ("already_ended", "unknown_envelope"):
            raise


def envelope(id: str) -> dict:
    """{} for one that there isn't."""
    try:
        return call("GET", f"/envelopes/{quote(id, safe='')}")
    except Refused as error:
        if error.status != 404:
            raise
        return {}
