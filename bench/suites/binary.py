"""The sidecar's program, stripped, with the Swift runtime in it: what a container image grows by."""

import os
from typing import Iterator

from bench import Bench
from children import run_once
from figure import VALUE, Bound, Figure


def figures(bench: Bench) -> Iterator[Figure]:
    stripped = bench.folder / "troupe-sidecar"
    run_once(["strip", "-o", stripped, bench.program("troupe-sidecar")], "strip", os.environ)
    yield Figure(
        "sidecar's program, stripped", stripped.stat().st_size / 2**20, "MiB", bound=Bound(12, at_most=True, of=VALUE))
