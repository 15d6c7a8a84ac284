#!/usr/bin/env python3
"""The chaos arena as somebody runs it: real services are broken, and Felix mends them, while calls go on and processes are killed.

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
import scenarios_arena  # noqa: E402


def main(folder: Path, word: str) -> int:
    check_programs(TROUPE)
    lanes.play(scenarios_arena.LANES, folder, word)
    return 0


if __name__ == "__main__":
    guard.run(lambda folder: main(folder, sys.argv[1] if len(sys.argv) > 1 else ""))
