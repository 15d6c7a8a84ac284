"""Handlers behind the names that the official conformance suite expects of a server. Their tools say `result: content` where what they
return is MCP's own content."""

import base64
import struct
import time
from pathlib import Path

PNG = base64.b64encode((Path(__file__).parent / "pixel.png").read_bytes()).decode()
# A wave file with a single sample.
WAV = base64.b64encode(
    b"RIFF" + struct.pack("<I", 37) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    + b"data" + struct.pack("<IB", 1, 128)).decode()

IMAGE = {"type": "image", "data": PNG, "mimeType": "image/png"}


def text(payload):
    return "This is a simple text response for testing."


def greet(payload):
    return f"Hello, {payload['name']}!"


def image(payload):
    return {"content": [IMAGE]}


def audio(payload):
    return {"content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]}


def embedded(payload):
    resource = {
        "uri": "test://embedded-resource", "mimeType": "text/plain", "text": "This is an embedded resource content."}
    return {"content": [{"type": "resource", "resource": resource}]}


def mixed(payload):
    resource = {
        "uri": "test://mixed-content-resource", "mimeType": "application/json",
        "text": '{"test":"data","value":123}'}
    link = {"type": "resource_link", "uri": "test://static-text", "name": "static-text"}
    return {
        "content": [
            {"type": "text", "text": "Multiple content types test:"}, IMAGE, {"type": "resource", "resource": resource},
            link],
        "structuredContent": {"blocks": 4},
    }


def error(payload):
    raise RuntimeError("This tool intentionally returns an error for testing")


def step(payload):
    time.sleep(0.05)
    return payload


def compute(payload):
    time.sleep(payload.get("seconds", 0))
    return {"content": [{"type": "text", "text": f"computed {payload.get('label', '')}"}]}


def broken(payload):
    return {"content": [{"type": "image", "data": "no base64", "mimeType": "image/png"}]}
