"""Which of several unhealthy services is the cause: the deepest, none of whose own dependencies is unhealthy."""

from typing import Collection, Mapping, Sequence

Dependencies = Mapping[str, Sequence[str]]


def below(service: str, dependencies: Dependencies) -> set[str]:
    """All that it depends on, by any number of steps."""
    found: set[str] = set()
    waiting = list(dependencies.get(service, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += dependencies.get(one, ())
    return found


def root_causes(unhealthy: Collection[str], dependencies: Dependencies) -> dict[str, list[str]]:
    """Each root with those that are unhealthy above it, and perhaps because of it."""
    ill = set(unhealthy)
    roots = sorted(one for one in ill if not (below(one, dependencies) - {one}) & ill)
    return {root: sorted(one for one in ill - {root} if root in below(one, dependencies)) for root in roots}
