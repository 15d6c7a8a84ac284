"""Passwords as scrypt keeps them: salted, and slow on purpose (some 50 ms, 16 MiB)."""

import base64
import hashlib
import hmac
import os

COST = {"n": 1 << 14, "r": 8, "p": 1}


def hashed(password: str) -> str:
    salt = os.urandom(16)
    parts = (base64.b64encode(part).decode() for part in (salt, derived(password, salt)))
    return "$".join(("scrypt", *parts))


def matches(password: str, kept: str) -> bool:
    _, salt, key = kept.split("$")
    return hmac.compare_digest(derived(password, base64.b64decode(salt)), base64.b64decode(key))


def derived(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, dklen=32, **COST)
