"""Scenarios side by side, since they wait most of the time: lanes at once, what is in a lane one after the other."""

import threading
import time
from pathlib import Path
from typing import Callable, Sequence

# Gets a folder of its own; returns what is worth telling.
Scenario = Callable[[Path], str]
# Characters of a failure: all of the first one is told in the end.
MOST_SAID = 1000


def play(lanes: Sequence[Sequence[Scenario]], folder: Path, word: str = "") -> None:
    """Those whose names have the word. Raises what the first one that fails has raised: then no lane begins another."""
    failures: list[BaseException] = []
    threads = [
        threading.Thread(
            target=follow, args=([one for one in lane if word in one.__name__], folder, failures), daemon=True)
        for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def follow(lane: Sequence[Scenario], folder: Path, failures: list[BaseException]) -> None:
    for scenario in lane:
        if failures:
            return
        name, begin = scenario.__name__.replace("_", " "), time.monotonic()
        try:
            place = folder / scenario.__name__
            place.mkdir()
            outcome, found = "ok", scenario(place)
        except BaseException as error:
            outcome, found = "FAILED", f"{type(error).__name__}: {error}"[:MOST_SAID]
            failures.append(error)
        said = f"--- {name}: {outcome} after {time.monotonic() - begin:.1f} s" + (f": {found}" if found else "")
        print(said, flush=True)
