"""What the actors of the measured pipeline do."""

import time

attempts = {}


def work(payload, context):
    """Takes its time, and tells of it."""
    time.sleep(0.02)
    context.emit("progress", {"percent": 50})
    return payload


def flaky(payload, context):
    """Fails at its first attempt."""
    attempts[context.id] = attempts.get(context.id, 0) + 1
    if attempts[context.id] == 1:
        raise TimeoutError("not yet")
    return payload


def split(payload):
    return [payload, payload, payload]


def broken(payload):
    raise ValueError("broken by design")
