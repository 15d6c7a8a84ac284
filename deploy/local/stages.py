#!/usr/bin/env python3
"""`make test`: installs what is missing, checks, builds, and runs every test beside real servers.

A stage that fails does not keep the others from running, unless they cannot do without it.
"""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional, Sequence

import guard
import servers
from with_servers import run

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
SWIFT_SOURCES = ["Sources", "Tests", "actors", "Package.swift"]
CONFORMANCE = [PYTHON, "Tests/RuntimeConformance/conformance.py", "--name"]


@dataclass
class Stage:
    name: str
    command: Sequence[str]
    settings: Optional[Mapping[str, str]] = None
    essential: bool = False
    code: Optional[int] = None
    seconds: float = 0

    def run(self, settings: Mapping[str, str]) -> bool:
        print(f"\n=== {self.name}", flush=True)
        begin = time.monotonic()
        try:
            self.code = run(self.command, {**os.environ, **settings, **(self.settings or {})})
        except guard.Problem as problem:
            guard.say(f"error: {problem}")
            self.code = problem.code
        self.seconds = time.monotonic() - begin
        return self.code == 0

    def __str__(self) -> str:
        outcome = "not run" if self.code is None else "passed" if self.code == 0 else f"FAILED (code {self.code})"
        return f"{self.name:<22} {self.seconds:7.1f} s  {outcome}"


BEFORE = [
    Stage("install", ["deploy/local/install.sh", "servers"], essential=True),
    Stage("lint", ["swift", "format", "lint", "--strict", "--recursive", "--parallel", *SWIFT_SOURCES]),
    Stage("build", ["swift", "build", "--build-tests"], essential=True),
]
WITH_SERVERS = [
    # One at a time: side by side on few cores, tests that compute keep those waiting that have a time limit.
    Stage("swift tests", ["swift", "test", "--skip-build", "--no-parallel"]),
    Stage("runtime in Python", [*CONFORMANCE, "python", "--", PYTHON, "actors/runtime/troupe_runtime.py"]),
    Stage("runtime in Swift", [*CONFORMANCE, "swift", "--", ".build/debug/conformance-actor"]),
]
AFTER = [  # these start servers of their own
    Stage("python tests", [
        PYTHON, "-m", "unittest",
        *sorted(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "Tests").rglob("test_*.py")),
    ]),
    Stage("mcp clients", [PYTHON, "Tests/MCP/run.py"]),
    Stage("command line", [PYTHON, "Tests/CLI/run.py"]),
    Stage("rest clients", [PYTHON, "Tests/REST/run.py"]),
    Stage("dev", [PYTHON, "Tests/Dev/run.py"]),
    Stage("missions", [PYTHON, "Tests/Missions/run.py"]),
    Stage("arena", [PYTHON, "Tests/Arena/run.py"]),
    Stage("shop", [PYTHON, "Tests/Shop/run.py"]),
    Stage("worlds", [PYTHON, "Tests/Worlds/run.py"]),
    Stage("traces", [PYTHON, "Tests/Traces/run.py"]),
    Stage("metrics", [PYTHON, "Tests/Prometheus/run.py"]),
    Stage("faults", [PYTHON, "Tests/Faults/faults.py"]),
    Stage("readme", [PYTHON, "Tests/Local/readme.py"]),
    Stage("demo under chaos", [PYTHON, "deploy/demo/demo.py"], {"ONCE": "1", "CHAOS": "1.5"}),
    Stage("demo on servers", [PYTHON, "deploy/demo/demo.py"], {"ONCE": "1", "SERVERS": "1", "CHAOS": "0.4"}),
    # Builds the sidecar for release, too: the optimizer has opinions of its own.
    Stage("bench, quick", [PYTHON, "bench/run.py", "--quick"]),
    Stage("demo, HTTP reports", [PYTHON, "deploy/demo/demo.py"], {"ONCE": "1", "SERVERS": "1", "REPORTS": "http"}),
]


def main(folder: Path) -> int:
    os.chdir(REPOSITORY)
    run_all(folder)
    stages = [*BEFORE, *WITH_SERVERS, *AFTER]
    print("\n=== summary", *stages, sep="\n")
    passed = sum(stage.code == 0 for stage in stages)
    not_run = sum(stage.code is None for stage in stages)
    print(f"{passed} passed, {len(stages) - passed - not_run} failed" + (f", {not_run} not run" if not_run else ""))
    return 0 if passed == len(stages) else 1


def run_all(folder: Path) -> None:
    for stage in BEFORE:
        if not stage.run({}) and stage.essential:
            return
    try:
        with servers.started(folder, with_s3=True) as running:
            for stage in WITH_SERVERS:
                stage.run(running.settings())
    except guard.Problem as problem:
        guard.say(f"error: {problem}")
    for stage in AFTER:
        stage.run({})


if __name__ == "__main__":
    guard.run(main)
