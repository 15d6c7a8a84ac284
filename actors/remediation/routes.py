"""What envelope-mode handlers do with a route: on, back, again; now or after a pause."""

DELAY = "troupe-delay-ms"
LONGEST_SECONDS = 30 * 86400


def onward(envelope: dict, seconds: float = 0) -> dict:
    return moved(envelope, envelope["route"]["current"] + 1, seconds)


def again(envelope: dict, seconds: float) -> dict:
    """To the same actor."""
    return moved(envelope, envelope["route"]["current"], seconds)


def back(envelope: dict, actor: str, seconds: float = 0) -> dict:
    """To an earlier actor of the route."""
    return moved(envelope, envelope["route"]["actors"].index(actor), seconds)


def moved(envelope: dict, current: int, seconds: float) -> dict:
    headers = dict(envelope.get("headers") or {})
    headers.pop(DELAY, None)
    if seconds > 0:
        headers[DELAY] = int(min(max(seconds, 0.05), LONGEST_SECONDS) * 1000)
    return {**envelope, "route": {**envelope["route"], "current": current}, "headers": headers}
