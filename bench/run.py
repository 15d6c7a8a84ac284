#!/usr/bin/env python3
"""`make bench`: measures Troupe beside what it is held against, in one run, and writes `report.md` and `report.json`.

    bench/run.py [--quick] [--check] [--only SUITE[,SUITE]] [--rounds N] [--out DIR]

Starts servers of its own on loopback. Release builds come first; what follows keeps to 15 minutes, --quick to two: a
suite does fewer rounds where time is short, and the report says so. --quick only sees to it that everything runs and
that no message is lost. --check ends with code 1 when a bound is missed.
"""

import argparse
import dataclasses
import importlib
import sys
from pathlib import Path
from typing import Optional, Sequence

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "bench"), str(REPOSITORY / "deploy" / "local")]

import guard  # noqa: E402
import machine  # noqa: E402
import report  # noqa: E402
from bench import Bench  # noqa: E402
from report import Report, Section  # noqa: E402

# Each suite with its part of the minutes, in the order of the report.
SUITES = {
    name: weight for name, weight in {
        "hop": 4.0, "payloads": 1.5, "scaling": 2.0, "backlog": 3.0, "peers": 3.0, "gateway": 2.5, "binary": 0.1,
    }.items() if (REPOSITORY / "bench" / "suites" / f"{name}.py").exists()
}
OUT = REPOSITORY / "bench" / "out"
MINUTES, QUICK_MINUTES = 14.5, 1.8
# Every one must build, whether or not a suite needs it.
PRODUCTS = ["troupe-sidecar", "troupe", "bench-echo"]


def main(folder: Path, options: argparse.Namespace) -> int:
    before = Bench(folder, options.quick, options.rounds, 0)
    for product in PRODUCTS if set(options.only) == set(SUITES) else []:
        before.program(product)
    found = Report(machine.describe(REPOSITORY), options.quick, sections(folder, options))
    report.write(found, options.out, before)
    if options.quick:
        guard.say(f"everything runs, and nothing was lost: {options.out / 'report.md'}")
        return 0
    print(report.markdown(found))
    missed = report.missed(found) if options.check else []
    for figure in missed:
        guard.say(f"missed: {figure.figure}: {report.measured(figure)}")
    return 1 if missed else 0


def sections(folder: Path, options: argparse.Namespace) -> list[Section]:
    seconds = 60 * (QUICK_MINUTES if options.quick else MINUTES)
    done = []
    left = list(options.only)
    for name in options.only:
        weight = SUITES[name] / sum(SUITES[other] for other in left)
        bench = Bench(folder / name, options.quick, options.rounds, seconds * weight)
        bench.folder.mkdir()
        if seconds < 0 and not options.quick:
            bench.cut("all of it")
            done.append(Section(name, "", [], [], bench.cuts, 0))
            continue
        suite = importlib.import_module(f"suites.{name}")
        guard.say(f"\n=== {name}: {bench.seconds:.0f} s")
        figures = []
        for figure in suite.figures(bench):
            guard.say(f"    {figure.figure}: {report.measured(figure)}")
            # A quick run judges nobody.
            figures.append(dataclasses.replace(figure, bound=None) if options.quick else figure)
        took = bench.seconds - bench.seconds_left
        done.append(Section(name, suite.__doc__ or "", figures, bench.plots, bench.cuts, took))
        # What a suite leaves of its time is for those after it.
        seconds -= took
        left.remove(name)
    return done


def suites(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in SUITES:
            raise argparse.ArgumentTypeError(f"there is no suite '{name}', but {', '.join(SUITES)}")
    return list(dict.fromkeys(names))


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of rounds")
    return int(text)


def arguments(given: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="whether it runs and loses nothing, in two minutes")
    parser.add_argument("--check", action="store_true", help="end with code 1 when a bound is missed")
    parser.add_argument("--only", type=suites, default=list(SUITES), metavar="SUITE[,SUITE]", help=", ".join(SUITES))
    parser.add_argument("--rounds", type=positive, help="at most so many of each, in turns (default 3, with --quick 1)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for the report: bench/out, or bench/out/quick")
    options = parser.parse_args(given)
    if options.quick and options.check:
        parser.error("--check needs a full run: a --quick one measures too little to judge")
    options.out = options.out or OUT / ("quick" if options.quick else "")
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


if __name__ == "__main__":
    chosen = arguments()
    guard.run(lambda folder: main(folder, chosen))
