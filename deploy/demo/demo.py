#!/usr/bin/env python3
"""Pushes real documents through a real pipeline, and shows it live.

It runs in a throw-away folder, as `troupe dev` does, and is gone afterwards. From the environment: SERVERS=1 runs it on
a private RabbitMQ and PostgreSQL, each part a process of its own. ONCE=1 ends after the table even on a terminal, KEEP=1
keeps the folder, LIMIT is the most seconds that the documents may take (180), CHAOS=1 kills something every 1.5 s
meanwhile: `troupe dev` as a whole, or with SERVERS a handler or a sidecar. REPORTS=http has sidecars report to the gateway
by HTTP instead of over the broker (SERVERS only), NO_COLOR is respected.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Optional

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "deploy" / "local"))

import guard  # noqa: E402
from children import tail  # noqa: E402
from guard import Problem  # noqa: E402
from pipeline import Pipeline  # noqa: E402

import chaos  # noqa: E402
import demo_pipeline  # noqa: E402
import embedded  # noqa: E402
import documents  # noqa: E402
import results  # noqa: E402
from gateway import FINAL, Gateway  # noqa: E402
from screen import Screen  # noqa: E402
from tracking import Track  # noqa: E402

TICK = 0.1


def main(folder: Path, programs: Path) -> int:
    stays = sys.stdout.isatty() and os.environ.get("ONCE") != "1"
    limit = time_limit()
    chaos_interval = chaos.interval_from_environment()
    port = demo_pipeline.usual_port_if_free() if stays else None
    kind = demo_pipeline if os.environ.get("SERVERS") == "1" else embedded
    with kind.started(folder, programs, port) as pipeline:
        print(f"the pipeline is up: {' -> '.join(demo_pipeline.ROUTE)}; gateway {pipeline.gateway_url}", flush=True)
        print(f"results are stored in {pipeline.results}\n", flush=True)
        gateway = Gateway(pipeline.gateway_url)
        tracks = [Track(document, gateway, demo_pipeline.ROUTE) for document in documents.collect()]
        killer = chaos.Chaos(pipeline, chaos_interval) if chaos_interval else None
        follow(tracks, pipeline, killer, limit)
        code = conclude(tracks, pipeline, killer)
        if stays:
            code = stay(pipeline, code)
    return code


def time_limit() -> float:
    value = os.environ.get("LIMIT", "180")
    try:
        return float(value)
    except ValueError:
        raise Problem(f"LIMIT={value}: expected a number of seconds", 64) from None


def follow(tracks: list[Track], pipeline: Pipeline, killer: Optional[chaos.Chaos], limit: float) -> None:
    screen = Screen()
    deadline = time.monotonic() + limit
    while True:
        for track in tracks:
            track.poll()
        screen.show(tracks)
        if all(track.done for track in tracks):
            return
        if time.monotonic() > deadline:
            raise Problem(unfinished(tracks, pipeline, limit))
        for name in pipeline.supervise():
            screen.say(f"{name} had ended and was started again")
        victim = killer.strike(sum(track.finished for track in tracks)) if killer else None
        if victim:
            screen.say(f"chaos: killed {victim}")
        time.sleep(TICK)


def unfinished(tracks: list[Track], pipeline: Pipeline, limit: float) -> str:
    """Who did not finish, where it is, and what those there had to say."""
    lines = [f"not everything is finished after {limit:g} s (LIMIT):"]
    logs: list[Path] = []
    for track in tracks:
        if track.done:
            continue
        waiting = [id for id, status in track.statuses.items() if status not in FINAL]
        lines.append(
            f"    {track.document.name}: {track.finished} of {track.total} envelopes are final; at {track.at or '?'}: "
            f"{', '.join(waiting[:3])}{' ...' if len(waiting) > 3 else ''} {track.problem or ''}".rstrip())
        logs += pipeline.logs_of(track.at)
    return "\n".join([*lines, *(tail(log) for log in dict.fromkeys(logs))])


def conclude(tracks: list[Track], pipeline: Pipeline, killer: Optional[chaos.Chaos]) -> int:
    stored = results.Stored(pipeline.results)
    found = results.complaints(tracks, stored, redelivery_allowed=killer is not None)
    count = sum(track.total for track in tracks)
    print(f"\n{results.table(tracks, stored)}\n")
    if found:
        print("\n".join(["not as it should be:", *(f"    {complaint}" for complaint in found)]), flush=True)
    else:
        print(f"all {count} envelopes ended as they should, each once", end="")
        print(f", although {killer.kills} processes were killed" if killer else "", flush=True)
    return 1 if found else 0


def stay(pipeline: Pipeline, code: int) -> int:
    example = next(iter(sorted(pipeline.results.glob("happy-end/*/*/*.json"))), None)
    id = example.stem if example else "ID"
    places = "\n".join(f"    {name:<17} {place}" for name, place in pipeline.places)
    print(f"""
look around:
    stored results    {pipeline.results}
    gateway           {pipeline.gateway_url}/health
    one envelope      {pipeline.gateway_url}/envelopes/{id}
    its stream        {pipeline.gateway_url}/envelopes/{id}/stream
{places}

Ctrl-C stops all of it.""", flush=True)
    try:
        while True:
            for name in pipeline.supervise():
                print(f"{name} had ended and was started again", flush=True)
            time.sleep(TICK)
    except guard.Stopped:
        print("\nstopping ...", flush=True)
        return code


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--programs", type=Path, default=REPOSITORY / ".build" / "debug", metavar="FOLDER",
        help="where troupe, troupe-sidecar and summary are (default: .build/debug)")
    options = parser.parse_args()
    guard.run(lambda folder: main(folder, options.programs.absolute()))
