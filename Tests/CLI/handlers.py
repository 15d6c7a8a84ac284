"""What the actors of the command line's tests do."""

import time


def work(payload, context):
    """Takes its time, and tells how far it is."""
    for step in range(payload.get("steps", 0)):
        time.sleep(payload.get("pause", 0.05))
        context.emit("progress", {"percent": 100 * (step + 1) / payload["steps"], "message": f"step {step + 1}"})
    if text := payload.get("say"):
        context.log(text)
        context.emit("sample", {"text": text})
    return payload


def shape(payload):
    return payload


def part(payload):
    """A fan-out."""
    return [{"part": number} for number in range(payload["parts"])] if "parts" in payload else payload


def shaky(payload, context):
    if context.attempt <= payload.get("failures", 0):
        raise ConnectionError("not yet 🙈")
    return payload


def broken(payload):
    raise ValueError("broken \x1b[31mby design\x1b[0m")
