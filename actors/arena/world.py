"""arena.json: which services there are, what each depends on, and how a call goes through it; and whom the villain may
visit beside them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Optional


class WorldError(ValueError):
    """arena.json can't be used; the text says where."""


@dataclass(frozen=True)
class Service:
    name: str
    dependencies: tuple[str, ...]
    # The route of a call that touches it and all that it depends on.
    probe: tuple[str, ...]
    # How much the villain likes it.
    weight: int


def read(path: Optional[Path] = None) -> dict[str, Service]:
    return read_by(world, path)


def neighbours(path: Optional[Path] = None) -> dict[str, dict[str, int]]:
    """Worlds that have watchdogs of their own: services, and how much the villain likes each."""
    return read_by(neighbours_in, path)


def read_by(reader: Callable[[Any], dict], path: Optional[Path]) -> dict:
    path = path or Path(__file__).with_name("arena.json")
    try:
        return reader(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise WorldError(f"{path.name}: {error}") from None


def world(document: Any) -> dict[str, Service]:
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict) or not services:
        raise WorldError("'services' must be an object with at least one service")
    return {name: service(name, one, services) for name, one in services.items()}


def service(name: str, one: Any, services: Mapping[str, Any]) -> Service:
    if not isinstance(one, dict):
        raise WorldError(f"services.{name}: expected an object")
    dependencies, probe, weight = one.get("dependencies", []), one.get("probe", [name]), one.get("weight", 1)
    for member, names in (("dependencies", dependencies), ("probe", probe)):
        for other in names if isinstance(names, list) else [None]:
            if other not in services:
                raise WorldError(f"services.{name}.{member}: {other!r} is no service")
    if probe[:1] != [name]:
        raise WorldError(f"services.{name}.probe: expected a route that begins with '{name}'")
    check_weight(weight, f"services.{name}.weight")
    return Service(name, tuple(dependencies), tuple(probe), weight)


def neighbours_in(document: Any) -> dict[str, dict[str, int]]:
    own, found = world(document), document.get("neighbours", {})
    if not isinstance(found, dict) or "arena" in found:
        raise WorldError("'neighbours' must be an object of worlds, none of them 'arena'")
    for name, services in found.items():
        if not isinstance(services, dict) or not services or set(services) & set(own):
            raise WorldError(f"neighbours.{name}: expected services that are none of the arena's, at least one")
        for service, weight in services.items():
            check_weight(weight, f"neighbours.{name}.{service}")
    return found


def check_weight(weight: Any, where: str) -> None:
    if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= 1000:
        raise WorldError(f"{where}: expected a whole number, 0 to 1000")


def dependencies(services: Mapping[str, Service]) -> dict[str, tuple[str, ...]]:
    return {name: one.dependencies for name, one in services.items()}
