"""What the actors of the traced pipeline do."""

attempts = {}


def double(payload, context):
    """Says which trace it sees."""
    return {**payload, "seen": context.headers["traceparent"]}


double2 = double


def flaky(payload, context):
    """Fails at its first attempt."""
    attempts[context.id] = attempts.get(context.id, 0) + 1
    if attempts[context.id] == 1:
        raise TimeoutError(payload["secret"])
    return [payload, payload] if payload.get("split") else payload


def broken(payload):
    raise ValueError(payload["secret"])
