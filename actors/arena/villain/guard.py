"""Which strikes of an attack may be carried out: never more harm at a time than was agreed, and none to what is down. Pure."""

from typing import Any, Collection, Iterable, Mapping


def split(
    strikes: Iterable[Mapping[str, Any]], harmed: Collection[str], down: Collection[str], most: int,
) -> tuple[list[Mapping[str, Any]], list[dict]]:
    """Those that may be, and those that may not, each with its `reason`.

    harmed: the service of each harm in force, as often as there is one. down: services that do not run.
    """
    allowed: list[Mapping[str, Any]] = []
    skipped: list[dict] = []
    for strike in strikes:
        if strike["service"] in down:
            skipped.append({**strike, "reason": f"{strike['service']} is down already"})
        elif len(harmed) + len(allowed) >= most:
            skipped.append({**strike, "reason": f"{len(harmed) + len(allowed)} faults are in force, {most} may be"})
        else:
            allowed.append(strike)
    return allowed, skipped
