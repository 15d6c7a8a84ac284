#!/usr/bin/env python3
"""The shop as somebody runs it on `troupe dev`: customers buy, load runs measure, failures are found and mended, and
processes are killed at bad moments; nothing is lost, doubled, or sold twice.

    run.py [WORD]: only the scenarios whose names have the word
"""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / "local"), str(REPOSITORY / "Tests" / "Dev")]

import guard  # noqa: E402
from pipeline import check_programs  # noqa: E402
from pipeline_dev import TROUPE  # noqa: E402

import lanes  # noqa: E402
import scenarios_shop  # noqa: E402


def main(folder: Path, word: str) -> int:
    check_programs(TROUPE)
    for side_by_side in (scenarios_shop.LANES, scenarios_shop.ALONE):
        lanes.play(side_by_side, folder, word)
    return 0


if __name__ == "__main__":
    guard.run(lambda folder: main(folder, sys.argv[1] if len(sys.argv) > 1 else ""))
