"""The planets' part of a `troupe.yaml`: universe-reconcile writes what stands between two marks, the rest is yours.

`troupe dev` reads the file again when it changes: planets come, change and go while missions fly.
"""

from . import universe

BEGIN = "  # planets: written by universe-reconcile, from the universe that was applied"
END = "  # end of planets"


class NoMarks(Exception):
    """The file has no place for planets."""


def section(document: dict) -> str:
    lines = [
        f"  {name}: {{handler: vastaya/planet.py:Planet.process, mode: envelope, concurrency: {worker['berths']},"
        f" timeout: 2m}}"
        for name, worker in sorted(universe.workers(document).items())
    ]
    return "\n".join([BEGIN, *lines, END])


def with_planets(text: str, document: dict) -> str:
    """The file's text with the planets of the document.

    Raises NoMarks unless there is one pair of marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise NoMarks(f"troupe.yaml needs, under `actors`, one pair of lines '{BEGIN.strip()}' and '{END.strip()}'")
    before, _, rest = text.partition(BEGIN)
    return before + section(document) + rest.partition(END)[2]
