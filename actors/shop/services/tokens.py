"""Signed tokens that expire: who somebody is, for `lifetime()` seconds. And the same from service to service, for
one envelope."""

import base64
import hashlib
import hmac
import json
import os
from typing import Any, Mapping, Optional

from .. import state


def lifetime() -> int:
    """`SHOP_TOKEN_LIFETIME`, in seconds; an hour."""
    return int(os.environ.get("SHOP_TOKEN_LIFETIME", "3600"))


def issue(user_id: str, now: float, key: Optional[bytes] = None) -> str:
    claims = {"sub": user_id, "iat": int(now), "exp": int(now) + lifetime()}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{body}.{signature('token', body, key)}"


def read(token: str, now: float, key: Optional[bytes] = None) -> Optional[str]:
    """Whose it is; None: it is not ours, or too old."""
    body, dot, signed = token.partition(".")
    if not dot or not hmac.compare_digest(signature("token", body, key).encode(), signed.encode()):
        return None
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims["sub"] if now < claims["exp"] else None


def signed_user(user_id: str, envelope: str, key: Optional[bytes] = None) -> dict:
    """A header that says for this envelope alone who has signed in."""
    return {"user_id": user_id, "signature": signature("user", f"{envelope}\n{user_id}", key)}


def user_of(header: Any, envelope: str, key: Optional[bytes] = None) -> Optional[str]:
    if not isinstance(header, Mapping) or not isinstance(header.get("user_id"), str):
        return None
    expected = signed_user(header["user_id"], envelope, key)["signature"]
    return header["user_id"] if hmac.compare_digest(expected.encode(), str(header.get("signature")).encode()) else None


def signature(purpose: str, text: str, key: Optional[bytes]) -> str:
    return hmac.new(key or state.secret(), f"{purpose}\n{text}".encode(), hashlib.sha256).hexdigest()
