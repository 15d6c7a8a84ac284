"""Event streams through a client library, over a connection that breaks every few events: each event comes once, in order, and the
stream ends with its envelope."""

import json
import os
import sys
import time

import httpx
import httpx_sse

GATEWAY = os.environ["GATEWAY_URL"]
FINAL = ("succeeded", "failed", "cancelled")
ROUTE = ["count"] * 40


def main() -> int:
    with httpx.Client(base_url=GATEWAY, timeout=30) as client:
        # Who was here before has tried every request, and may have left somebody paused.
        for actor in client.get("/actors").raise_for_status().json()["actors"]:
            client.post(f"/actors/{actor['name']}/resume", json={}).raise_for_status()
        for events_before_break in (1, 3, 1000):
            identity = submit(client)
            seen = follow(client, f"/envelopes/{identity}/stream", events_before_break)
            numbers = [int(event.id) for event in seen]
            assert numbers == sorted(set(numbers)), numbers
            history = client.get(f"/envelopes/{identity}/history", params={"limit": 1000}).json()["updates"]
            assert numbers == [update["number"] for update in history]
            assert json.loads(seen[-1].data)["status"] == "succeeded"
            print(f"a break after each {events_before_break}: {len(seen)} events, each once", flush=True)
            # It has ended: what is left of it comes, and the stream closes.
            assert [int(event.id) for event in follow(client, f"/envelopes/{identity}/stream", 7)] == numbers
    return 0


def submit(client: httpx.Client) -> str:
    return client.post("/envelopes", json={"route": {"actors": ROUTE}, "payload": {"seconds": 0.02}}).json()["id"]


def follow(client: httpx.Client, path: str, events_before_break: int) -> list:
    seen, last, deadline = [], None, time.monotonic() + 60
    while not (seen and json.loads(seen[-1].data)["status"] in FINAL):
        headers = {"Last-Event-ID": last} if last else {}
        with httpx_sse.connect_sse(client, "GET", path, headers=headers) as source:
            source.response.raise_for_status()
            for number, event in enumerate(source.iter_sse(), 1):
                assert time.monotonic() < deadline, f"not within a minute; {len(seen)} events seen"
                seen.append(event)
                last = event.id
                if number == events_before_break:
                    break  # leaving the block cuts the connection in the middle of the stream
    return seen


if __name__ == "__main__":
    sys.exit(main())
