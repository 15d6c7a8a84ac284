"""The universe: one document that says which planets there are, and what befalls ships."""

import re
from typing import Iterator

TYPES = {
    # What a planet of this type does to ships, and how many it serves at the same time.
    "trade": {"nebulaDensity": 0, "chaosFailureRate": 0.0, "bursty": False, "berths": 64},
    "archive": {"nebulaDensity": 300, "chaosFailureRate": 0.0, "bursty": False, "berths": 32},
    "research": {"nebulaDensity": 0, "chaosFailureRate": 0.18, "bursty": False, "berths": 32},
    "resort": {"nebulaDensity": 0, "chaosFailureRate": 0.0, "bursty": True, "berths": 16},
    "generic": {"nebulaDensity": 0, "chaosFailureRate": 0.0, "bursty": False, "berths": 32},
}
DEFAULT = {
    "planets": [
        {"id": "planet-a", "code": "A", "displayName": "Planet A", "type": "trade", "description": "Trade Hub"},
        {"id": "planet-b", "code": "B", "displayName": "Planet B", "type": "archive", "description": "Archive World"},
        {"id": "planet-c", "code": "C", "displayName": "Planet C", "type": "research",
         "description": "Experimental Research"},
        {"id": "planet-d", "code": "D", "displayName": "Planet D", "type": "resort", "description": "Resort Planet"},
    ],
    "crossGalaxyEnabled": False, "crossGalaxyMode": "gateway", "wormholesEnabled": False, "wormholeInstability": 0,
    "nebulaEnabled": False, "nebulaDensity": 0, "shieldsEnabled": False, "blackHoleEnabled": False,
    "chaosExperimentsEnabled": False, "chaosFailureRate": 0.18, "dockDeadlineSeconds": 15, "statusMessage": "",
}
MODES = ("gateway", "mirrored", "federated")
# (least, most, whole)
NUMBERS = {
    "wormholeInstability": (0, 100, True), "nebulaDensity": (0, 10_000, True), "chaosFailureRate": (0, 1, False),
    "dockDeadlineSeconds": (1, 300, False), "berths": (1, 256, True),
}
TRAITS = ("nebulaDensity", "chaosFailureRate", "bursty", "berths")
MOST_PLANETS = 50
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
RESERVED = ("mission-", "universe-", "galaxy-", "black-hole", "happy-end", "error-end", "fan-in")


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "planet"


def completed(document: dict) -> dict:
    """With what it does not say. A planet that has no id or type gets one; nothing else is guessed."""
    whole = {**DEFAULT, **document}
    if isinstance(whole["planets"], list):
        whole["planets"] = [
            completed_planet(planet, number) if isinstance(planet, dict) else planet
            for number, planet in enumerate(whole["planets"], 1)
        ]
    return whole


def completed_planet(planet: dict, number: int) -> dict:
    id = planet.get("id", f"planet-{number}")
    id = slug(id) if isinstance(id, str) else id
    name = str(id).replace("-", " ").title()
    return {"code": f"P{number}", "displayName": name, "type": "generic", "description": "", **planet, "id": id}


def problems(document: object) -> list[str]:
    """All that is wrong with a document, each with a JSON Pointer."""
    return ["the universe must be an object"] if not isinstance(document, dict) else list(find_problems(document))


def find_problems(document: dict) -> Iterator[str]:
    for key, value in document.items():
        at = "/" + key
        if key not in DEFAULT:
            yield f"{at}: there is no such key; there are {', '.join(DEFAULT)}"
        elif key == "planets":
            yield from planet_problems(value)
        elif key == "crossGalaxyMode":
            if value not in MODES:
                yield f"{at}: expected one of {', '.join(MODES)}"
        else:
            yield from value_problems(at, key, value, DEFAULT[key])


def planet_problems(planets: object) -> Iterator[str]:
    if not isinstance(planets, list) or len(planets) > MOST_PLANETS:
        yield f"/planets: expected a list of at most {MOST_PLANETS} planets"
        return
    seen = set()
    for index, planet in enumerate(planets):
        at = f"/planets/{index}"
        if not isinstance(planet, dict):
            yield f"{at}: expected an object"
            continue
        id = planet.get("id")
        if not isinstance(id, str) or not NAME.fullmatch(id) or len(id) > 60:
            yield f"{at}/id: expected at most 60 of a-z, 0-9 and single '-' between them"
        elif id.startswith(RESERVED) or id.endswith("-v2"):
            yield f"{at}/id: '{id}' is the name of something else"
        elif id in seen:
            yield f"{at}/id: there are two planets '{id}'"
        seen.add(str(id))
        for key, value in planet.items():
            if key == "type":
                if not isinstance(value, str) or value not in TYPES:
                    yield f"{at}/type: expected one of {', '.join(TYPES)}"
            elif key in TRAITS:
                yield from value_problems(f"{at}/{key}", key, value, TYPES["generic"][key])
            elif key not in ("id", "code", "displayName", "description"):
                yield f"{at}/{key}: there is no such key"
            elif not isinstance(value, str):
                yield f"{at}/{key}: expected a text"


def value_problems(at: str, key: str, value: object, like: object) -> Iterator[str]:
    if key in NUMBERS:
        least, most, whole = NUMBERS[key]
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            yield f"{at}: expected a {'whole ' if whole else ''}number from {least} to {most}"
    elif isinstance(like, bool) != isinstance(value, bool) or not isinstance(value, type(like)):
        yield f"{at}: expected {'true or false' if isinstance(like, bool) else 'a text'}"


def trait(planet: dict, name: str) -> object:
    """The planet's own, or that of its type."""
    return planet.get(name, TYPES[planet["type"]][name])


def planet_of(document: dict, id: str) -> dict | None:
    return next((planet for planet in document["planets"] if planet["id"] == id), None)


def profile(document: dict, planet: dict) -> dict:
    """What befalls a ship that arrives: the planet's traits, and over them what holds in the whole universe."""
    nebula, chaos = trait(planet, "nebulaDensity"), trait(planet, "chaosFailureRate")
    if document["nebulaEnabled"]:
        nebula = max(nebula, document["nebulaDensity"])
    if document["chaosExperimentsEnabled"]:
        chaos = document["chaosFailureRate"]
    return {"nebula_ms": nebula, "chaos_rate": chaos, "shields": document["shieldsEnabled"]}


def has_wormholes(document: dict) -> bool:
    return document["wormholesEnabled"] and document["wormholeInstability"] > 0


def workers(document: dict) -> dict[str, dict]:
    """The actors that a universe needs: one for each planet, and a second variant behind a wormhole."""
    variants = ("", "-v2") if has_wormholes(document) else ("",)
    return {
        planet["id"] + variant: {"planet": planet["id"], "berths": trait(planet, "berths")}
        for planet in document["planets"] for variant in variants
    }


def plan(applied: dict, wanted: dict) -> dict:
    """What applying a document would do: actors that come, change and go, and settings that change."""
    before, after = workers(applied), workers(wanted)
    settings = {
        key: {"from": applied[key], "to": wanted[key]}
        for key in DEFAULT if key != "planets" and applied[key] != wanted[key]
    }
    types = {
        id for id in after if id in before
        and planet_of(applied, after[id]["planet"]) != planet_of(wanted, after[id]["planet"])
    }
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(types),
        "unchanged": sorted((after.keys() & before.keys()) - types),
        "settings": settings,
    }
