"""The work that all are given: none. What is measured is what surrounds it."""


def process(payload):
    return payload
