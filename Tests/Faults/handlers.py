"""The handlers of the route: they know of no faults, and give the same answer each time."""

import hashlib
import time

import workload

PAUSE = 0.02


def split(payload):
    return [{**payload, "part": part} for part in range(workload.PARTS)]


def flaky(payload):
    number, part = payload["number"], payload["part"]
    if workload.fails(payload["seed"], number, part):
        raise ValueError("part %d of %d fails, says the seed" % (part, number))
    return payload


def slow(payload):
    time.sleep(PAUSE)
    return {**payload, "digest": digest(payload)}


def digest(payload):
    return hashlib.sha256(payload["text"].encode()).hexdigest()
