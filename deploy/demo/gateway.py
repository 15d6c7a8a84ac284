"""The gateway's REST interface, as far as the demo needs it."""

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Iterable, Iterator, Optional

from guard import Problem

TIMEOUT = 30  # a stream sends a comment every 15 s
FINAL = {"succeeded", "failed", "cancelled"}


class Gateway:
    def __init__(self, url: str):
        self.url = url

    def submit(self, actors: list[str], payload: dict) -> dict:
        return self.call("/envelopes", {"route": {"actors": actors, "current": 0}, "payload": payload})

    def envelope(self, id: str) -> dict:
        return self.call(f"/envelopes/{urllib.parse.quote(id)}")

    def children(self, id: str) -> list[dict]:
        return self.call(f"/envelopes?parent={urllib.parse.quote(id)}")["envelopes"]

    def call(self, path: str, body: Optional[dict] = None) -> Any:
        request = urllib.request.Request(self.url + path)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise Problem(f"the gateway answered {request.get_method()} {path} with {error.code}: {said}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Problem(f"the gateway did not answer {request.get_method()} {path}: {error!r}") from None

    def updates(self, id: str) -> Iterator[dict]:
        """Every update of an envelope until the stream ends after the final one, across lost connections."""
        last_event_id = ""
        final = False
        while not final:
            request = urllib.request.Request(f"{self.url}/envelopes/{urllib.parse.quote(id)}/stream")
            if last_event_id:
                request.add_header("Last-Event-ID", last_event_id)
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                    for last_event_id, data in events(response):
                        update = json.loads(data)
                        if "status" not in update:
                            continue  # a partial result: what a handler tells on its way
                        final = update.get("status") in FINAL
                        yield update
            except urllib.error.HTTPError as error:
                said = error.read().decode(errors="replace")
                raise Problem(f"the stream of {id} was answered with {error.code}: {said}") from None
            except (OSError, http.client.HTTPException):
                pass  # the gateway went away; the next stream goes on where this one stopped
            if not final:
                time.sleep(0.2)


def events(lines: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Server-sent events as (id, data); those without data are left out."""
    last_id, data = "", []
    for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if not line:
            if data:
                yield last_id, "\n".join(data)
            data = []
            continue
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "id":
            last_id = value
        elif field == "data":
            data.append(value)
