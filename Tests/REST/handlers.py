"""Handlers of the REST tests."""

import time


def count(payload):
    if isinstance(payload, dict) and "seconds" in payload:
        time.sleep(payload["seconds"])
    return payload
