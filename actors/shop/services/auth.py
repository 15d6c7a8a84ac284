"""auth-service: who somebody is.

    signup, login {email, password} -> {access_token, token_type, expires_in}
    anything else {token, ...}      -> goes on, with a header that names the user for this envelope
"""

import re
import time

from .. import state
from . import passwords, tokens
from .serving import Call, Refusal, serve

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
SCHEMA = "CREATE TABLE IF NOT EXISTS users (email TEXT PRIMARY KEY, password TEXT NOT NULL, envelope TEXT NOT NULL)"
# A wrong address takes as long as a wrong password: nobody learns who has an account.
NOBODY = passwords.hashed("nobody")


def process(envelope):
    return serve("auth-service", envelope, answer)


def answer(call: Call) -> dict:
    if call.operation == "signup":
        return signup(call)
    if call.operation == "login":
        return login(call)
    token = call.text("token", 2000).removeprefix("Bearer ")
    call.user_id = tokens.read(token, time.time())
    if call.user_id is None:
        raise Refusal(401, "invalid_token", "the token is not one of ours, or has expired: log in again")
    return {"valid": True, "email": call.user_id} if call.operation == "validate" else {}


def signup(call: Call) -> dict:
    email, password = credentials(call)
    if len(password) < 8:
        raise Refusal(422, "invalid_request", "'password' must have at least 8 characters")
    kept = passwords.hashed(password)
    with state.transaction("auth", SCHEMA) as users:
        users.execute("INSERT OR IGNORE INTO users VALUES (?, ?, ?)", (email, kept, call.id))
        (by,) = users.execute("SELECT envelope FROM users WHERE email = ?", (email,)).fetchone()
    if by != call.id:  # what comes a second time has signed up already
        raise Refusal(409, "email_taken", "there is an account for this address: log in")
    return signed_in(email)


def login(call: Call) -> dict:
    email, password = credentials(call)
    with state.transaction("auth", SCHEMA) as users:
        row = users.execute("SELECT password FROM users WHERE email = ?", (email,)).fetchone()
    if not passwords.matches(password, row["password"] if row else NOBODY) or row is None:
        raise Refusal(401, "wrong_credentials", "address or password is wrong")
    return signed_in(email)


def credentials(call: Call) -> tuple[str, str]:
    email = call.text("email").strip().lower()
    if not EMAIL.fullmatch(email):
        raise Refusal(422, "invalid_request", "'email' must be an address, like ada@example.com")
    return email, call.text("password", 1000)


def signed_in(email: str) -> dict:
    return {
        "access_token": tokens.issue(email, time.time()), "token_type": "bearer", "expires_in": tokens.lifetime()}
