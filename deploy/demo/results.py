"""The end of the demo: the table, and whether every envelope ended as it should, once."""

import json
import os
import re
import shutil
import textwrap
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Optional, Sequence

from gateway import FINAL
from tracking import Track

TOP = 4


class Stored:
    """What the crew stored: the complete envelopes, `<folder>/<prefix>/<timestamp>/<actor>/<id>.json`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.paths: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(folder.glob("*/*/*/*.json")):
            self.paths[path.stem].append(path)

    def ends(self, id: str) -> list[str]:
        return [path.relative_to(self.folder).parts[0] for path in self.paths.get(id, [])]

    def payload(self, id: str) -> Any:
        paths = self.paths.get(id)
        return json.loads(paths[0].read_text()).get("payload") if paths else None


def complaints(tracks: Sequence[Track], stored: Stored, redelivery_allowed: bool) -> list[str]:
    """What is not as it should be. `redelivery_allowed`: a result may be stored twice by a crew that was killed."""
    found: list[str] = []
    for track in tracks:
        name, expected = track.document.name, track.document.expected
        if track.problem:
            found.append(f"{name}: {track.problem}")
        finals = [update["status"] for update in track.updates if update.get("status") in FINAL]
        if len(finals) != 1:
            found.append(f"{name}: its stream had {len(finals)} final updates {finals}, not one")
        for id, status in track.statuses.items():
            if status != expected:
                found.append(f"{name}: envelope {id} is {status}, not {expected}")
            end = "happy-end" if expected == "succeeded" else "error-end"
            ends = stored.ends(id)
            if set(ends) != {end} or (len(ends) > 1 and not redelivery_allowed):
                found.append(f"{name}: envelope {id} is stored in {ends or 'no folder'}, not once in {end}")
        found += [f"{name}: {gap}" for gap in gaps(track, stored)]
    known = {id for track in tracks for id in track.statuses}
    found += [f"envelope {id} is stored, but no document's" for id in stored.paths if id not in known]
    return found


def gaps(track: Track, stored: Stored) -> list[str]:
    """The children are numbered from 1; the handler says how many sections there are."""
    numbers = sorted(int(id.rsplit("-", 1)[1]) for id in track.children)
    missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    found = [f"child {track.id}-{number} is missing" for number in missing]
    payload = stored.payload(track.id)
    sections = payload.get("sections") if isinstance(payload, dict) else None
    if isinstance(sections, int) and sections != track.total:
        found.append(f"has {track.total} envelopes for {sections} sections")
    return found


def table(tracks: Sequence[Track], stored: Stored) -> str:
    rows = [("document", "sections", "top keywords, or the reason", "status", "seconds")]
    for track in tracks:
        failed = track.status == "failed"
        rows.append((
            track.document.name,
            "-" if failed else str(track.total),
            reason(track, stored) if failed else ", ".join(top_keywords(track, stored)),
            outcome(track),
            "-" if track.seconds is None else f"{track.seconds:.1f}",
        ))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    columns = shutil.get_terminal_size((160, 24)).columns
    widths[2] = max(12, min(widths[2], columns - sum(widths) + widths[2] - 8))
    return "\n".join(format_row(row, widths) for row in [*rows[:1], tuple("-" * width for width in widths), *rows[1:]])


def format_row(row: Sequence[str], widths: Sequence[int]) -> str:
    texts = textwrap.wrap(row[2], widths[2]) or [""]
    lines = [[*row[:2], texts[0], *row[3:]], *(["", "", text, "", ""] for text in texts[1:])]
    return "\n".join(format_line(line, widths).rstrip() for line in lines)


def format_line(line: Sequence[str], widths: Sequence[int]) -> str:
    name, sections, text, status, seconds = line
    return "  ".join([
        name.ljust(widths[0]), sections.rjust(widths[1]), text.ljust(widths[2]), status.ljust(widths[3]),
        seconds.rjust(widths[4])])


def outcome(track: Track) -> str:
    counts = Counter(track.statuses.values())
    text = ", ".join(status if len(counts) == 1 else f"{count} {status}" for status, count in counts.most_common())
    return f"{text}, as meant" if track.document.expected == text == "failed" else text


def reason(track: Track, stored: Stored) -> str:
    """Why it failed, from the stored envelope; as the stream told it when there is none."""
    payload = stored.payload(track.id)
    details = payload.get("details") if isinstance(payload, dict) else None
    if isinstance(details, dict) and details.get("message"):
        return one_line(f"{details.get('type') or payload.get('error')}: {details['message']}")
    last = track.updates[-1] if track.updates else {}
    return one_line(str(last.get("error") or last.get("message") or "no reason given"))


def top_keywords(track: Track, stored: Stored) -> list[str]:
    """The terms with the highest scores over all sections."""
    scores: Counter[str] = Counter()
    for id in track.statuses:
        payload = stored.payload(id)
        keywords = payload.get("keywords") if isinstance(payload, dict) else None
        for term, score in scored(keywords):
            scores[term] += score
    # the names break ties, so that the table is the same each time
    return [term for term, _ in sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:TOP]]


def scored(keywords: Any) -> list[tuple[str, float]]:
    if isinstance(keywords, dict):
        return [(str(term), float(score)) for term, score in keywords.items()]
    pairs = []
    for keyword in keywords if isinstance(keywords, list) else []:
        if isinstance(keyword, dict):
            term: Optional[str] = keyword.get("term") or keyword.get("word") or keyword.get("keyword")
            pairs.append((str(term), float(keyword.get("score", 1))))
        elif isinstance(keyword, (list, tuple)) and len(keyword) == 2:
            pairs.append((str(keyword[0]), float(keyword[1])))
        else:
            pairs.append((str(keyword), 1.0))
    return pairs


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
