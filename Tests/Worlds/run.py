#!/usr/bin/env python3
"""Missions, arena, shop and demo under one `troupe dev`, on one machine and on RabbitMQ and PostgreSQL; and the
villain of the arena in the shop, while customers buy.

    run.py [WORD]: only the scenarios whose names have the word
"""

import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / part) for part in ("deploy/local", "Tests/Dev", "Tests/Shop")]

import guard  # noqa: E402
import servers  # noqa: E402
from pipeline import check_programs  # noqa: E402
from pipeline_dev import TROUPE  # noqa: E402

import scenarios_worlds  # noqa: E402


def main(folder: Path, word: str) -> int:
    check_programs(TROUPE, TROUPE.parent / "summary")
    if word in scenarios_worlds.on_one_machine.__name__:
        play("on one machine", lambda: scenarios_worlds.on_one_machine(folder))
    if word in scenarios_worlds.on_servers.__name__:
        with servers.started(folder) as running:
            play("on rabbitmq and postgresql", lambda: scenarios_worlds.on_servers(
                folder, "--broker", running.rabbitmq_url, "--database", running.database_url))
    return 0


def play(name: str, scenario) -> None:
    begin = time.monotonic()
    print(f"--- {name}", flush=True)
    found = scenario()
    print(f"    ok after {time.monotonic() - begin:.1f} s: {found}", flush=True)


if __name__ == "__main__":
    guard.run(lambda folder: main(folder, sys.argv[1] if len(sys.argv) > 1 else ""))
