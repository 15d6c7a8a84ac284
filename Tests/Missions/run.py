#!/usr/bin/env python3
"""Missions as somebody flies them: the project as it is, on `troupe dev`, with what kills it at the worst moments.

    run.py [WORD] [--servers]: only the scenarios whose names have the word; the last one on RabbitMQ and PostgreSQL too
"""

import sys
import time
from functools import partial
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / part) for part in ("deploy/local", "Tests/Dev", "actors/missions")]

import guard  # noqa: E402
import servers  # noqa: E402
from pipeline import check_programs  # noqa: E402
from pipeline_dev import TROUPE  # noqa: E402

import flights  # noqa: E402


def main(folder: Path, arguments: list[str]) -> int:
    check_programs(TROUPE)
    word = next((argument for argument in arguments if not argument.startswith("-")), "")
    for scenario in flights.SCENARIOS:
        if word in scenario.__name__:
            play(scenario.__name__, partial(scenario, folder))
    if "--servers" in arguments:
        with servers.started(folder) as running:
            play("on rabbitmq and postgresql", lambda: flights.everything_is_killed(
                folder, "--broker", running.rabbitmq_url, "--database", running.database_url))
    return 0


def play(name: str, scenario) -> None:
    begin = time.monotonic()
    print(f"--- {name.replace('_', ' ')}", flush=True)
    found = scenario()
    print(f"    ok after {time.monotonic() - begin:.1f} s{': ' + found if found else ''}", flush=True)


if __name__ == "__main__":
    guard.run(lambda folder: main(folder, sys.argv[1:]))
