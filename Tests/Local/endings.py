"""Handlers of test_endings.py."""

import os
import time
from pathlib import Path

CALLS = Path(os.environ.get("CALLS", os.devnull))


def noted(name, payload):
    with CALLS.open("a") as calls:
        calls.write(f"{name} {payload}\n")


def watchdog(envelope):
    """Goes round for ever: an envelope that comes back to its own actor."""
    noted("watchdog", envelope["payload"]["name"])
    envelope["payload"]["rounds"] += 1
    return {**envelope, "headers": {**envelope.get("headers", {}), "troupe-delay-ms": 100}}


def split(payload):
    noted("split", payload)
    return [{**payload, "part": part} for part in range(payload["parts"])]


def slow(payload):
    noted("slow", payload)
    time.sleep(payload.get("seconds", 0.5))
    return payload


def poison(payload):
    """Kills the sidecar that gave it to us, as often as it is told to."""
    noted("poison", payload)
    if not Path(payload["cure"]).exists():
        while not (sidecar := Path(os.environ["SIDECAR"]).read_text()):
            time.sleep(0.01)  # one that has just been started: its number is being written
        os.kill(int(sidecar), 9)
        time.sleep(600)
    return {"cured": True}


def fragile(payload):
    """Fails until it is mended."""
    noted("fragile", payload)
    if not Path(payload["cure"]).exists():
        raise ValueError("not mended yet")
    return {"mended": payload.get("part")}
