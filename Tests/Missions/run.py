#!/usr/bin/env python3
"""Missions as somebody flies them: the project as it is, on `troupe dev`, with what kills it at the worst moments.

    run.py [WORD] [--servers]: only the scenarios whose names have the word; the last one on RabbitMQ and PostgreSQL too
"""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / part) for part in ("deploy/local", "Tests/Dev", "actors/missions")]

import guard  # noqa: E402
import servers  # noqa: E402
from pipeline import check_programs  # noqa: E402
from pipeline_dev import TROUPE  # noqa: E402

import flights  # noqa: E402
import lanes  # noqa: E402


def main(folder: Path, arguments: list[str]) -> int:
    check_programs(TROUPE)
    word = next((argument for argument in arguments if not argument.startswith("-")), "")
    lanes.play(flights.LANES, folder, word)
    if "--servers" in arguments:
        with servers.started(folder) as running:
            def on_rabbitmq_and_postgresql(place: Path) -> str:
                return flights.everything_is_killed(
                    place, "--broker", running.rabbitmq_url, "--database", running.database_url)

            lanes.play([[on_rabbitmq_and_postgresql]], folder)
    return 0


if __name__ == "__main__":
    guard.run(lambda folder: main(folder, sys.argv[1:]))
