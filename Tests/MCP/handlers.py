"""What the tools of `tools.yaml` do."""

import time


def slow(payload):
    time.sleep(payload.get("seconds", 0))
    return payload


def add(payload):
    return {"sum": sum(payload["numbers"])}


def fail(payload):
    raise ValueError(payload["reason"])
