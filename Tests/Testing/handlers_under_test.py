"""Handlers that the tests of troupe_testing send envelopes through."""

import time


def split(payload):
    return payload.split()


def shout(payload, context):
    context.log("shouting %s" % payload)
    return payload.upper()


def refuse(payload):
    raise ValueError("not %r" % payload)


def sleep(payload):
    time.sleep(60)


class Counter:
    def __init__(self):
        self.count = 0

    def process(self, payload):
        self.count += 1
        return {"seen": self.count}
