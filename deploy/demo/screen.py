"""The live view: a line per document, redrawn in place on a terminal; plain lines, on change only, elsewhere."""

import os
import shutil
import sys
from typing import Sequence

from tracking import Track

GREEN, RED, DIM = "32", "31", "2"


class Screen:
    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colours = self.is_terminal and not os.environ.get("NO_COLOR")
        unicode = "utf" in (sys.stdout.encoding or "").lower()
        self.full, self.empty = ("█", "░") if unicode else ("#", ".")
        self.drawn = 0
        self.last: dict[str, str] = {}

    def show(self, tracks: Sequence[Track]) -> None:
        size = shutil.get_terminal_size((100, 24))
        if self.is_terminal and len(tracks) < size.lines:
            self.draw([self.line(track, tracks, size.columns) for track in tracks])
        else:
            self.report(tracks)

    def draw(self, lines: Sequence[str]) -> None:
        up = f"\x1b[{self.drawn}A" if self.drawn else ""
        print(up + "".join(f"\r\x1b[2K{line}\n" for line in lines), end="", flush=True)
        self.drawn = len(lines)

    def line(self, track: Track, tracks: Sequence[Track], columns: int) -> str:
        name = track.document.name.ljust(max(len(one.document.name) for one in tracks))
        width = 24 if columns >= 80 else 10 if columns >= 50 else 0
        full = round(width * track.fraction)
        bar = self.full * full + self.empty * (width - full)
        text = f"{name}  {bar}{' ' if bar else ''}{track.fraction:4.0%}  {doing(track)}"
        return self.coloured(text[: columns - 1], colour(track))

    def report(self, tracks: Sequence[Track]) -> None:
        for track in tracks:
            # two lines a document, not one for each step of its hundred sections
            state = "done" if track.done else "split up" if track.children else ""
            if state != self.last.get(track.id, ""):
                self.last[track.id] = state
                print(f"{track.document.name}: {doing(track)}", flush=True)

    def say(self, line: str) -> None:
        """A line above the documents, which the next `show` draws again."""
        up = f"\x1b[{self.drawn}A\r\x1b[J" if self.drawn else ""
        self.drawn = 0
        print(up + line, flush=True)

    def coloured(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours and code else text


def doing(track: Track) -> str:
    if track.done:
        took = f"in {track.seconds:.1f} s"
        return f"{track.status} {took}" if track.total == 1 else f"{track.status}, {track.total} sections, {took}"
    count = f"  {track.finished}/{track.total}" if track.children else ""
    return f"{track.at or track.status}{count}"


def colour(track: Track) -> str:
    if track.done:
        return GREEN if set(track.statuses.values()) == {"succeeded"} else RED
    return DIM if track.status == "pending" else ""
