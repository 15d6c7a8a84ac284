#!/usr/bin/env python3
"""`troupe init`, `validate` and `dev`, as somebody uses them: real projects, real handlers, killed and edited at bad moments.

    run.py [WORD]: only the scenarios whose names have the word
"""

import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / "local")]

import guard  # noqa: E402
import servers  # noqa: E402
from pipeline import check_programs  # noqa: E402

import scenarios  # noqa: E402
from pipeline_dev import TROUPE  # noqa: E402


def main(folder: Path, word: str) -> int:
    check_programs(TROUPE)
    for scenario in scenarios.SCENARIOS:
        if word in scenario.__name__:
            play(scenario.__name__, lambda scenario=scenario: scenario(folder))
    name = scenarios.on_rabbitmq_and_postgresql.__name__
    if word in name:
        with servers.started(folder) as running:
            database, empty = running.database_url, running.database_url.rpartition("/")[0] + "/postgres"
            play(name, lambda: scenarios.on_rabbitmq_and_postgresql(folder, running.rabbitmq_url, database, empty))
    return 0


def play(name: str, scenario) -> None:
    begin = time.monotonic()
    print(f"--- {name.replace('_', ' ')}", flush=True)
    found = scenario()
    print(f"    ok after {time.monotonic() - begin:.1f} s{': ' + found if found else ''}", flush=True)


if __name__ == "__main__":
    guard.run(lambda folder: main(folder, sys.argv[1] if len(sys.argv) > 1 else ""))
