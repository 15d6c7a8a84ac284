"""A handler that says when it answers."""

import time


def process(payload):
    return {"answered": time.time()}
