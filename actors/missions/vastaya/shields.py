"""Shields: a ship is signed where it leaves, and a planet with shields up refuses one that isn't, or was altered."""

import hashlib
import hmac
import json
import os
from pathlib import Path

SIGNED = ("dock", "mission", "source", "destination", "deadline", "cargo")


def signature(dock: dict, key: bytes) -> str:
    text = json.dumps([dock.get(name) for name in SIGNED], sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def is_genuine(dock: dict, key: bytes) -> bool:
    shown = dock.get("signature")
    return isinstance(shown, str) and hmac.compare_digest(shown.encode(), signature(dock, key).encode())


def key(folder: Path) -> bytes:
    """SHIELD_KEY, or else a file that is made when there is none, for nobody else to read."""
    if os.environ.get("SHIELD_KEY"):
        return os.environ["SHIELD_KEY"].encode()
    file = folder / "shield.key"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        own = folder / f"shield.key.{os.getpid()}"
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(os.urandom(32).hex().encode())
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(own, file)  # whole, or not at all; the first one counts
        except FileExistsError:
            pass
        own.unlink()
    return file.read_bytes()
