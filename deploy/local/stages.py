#!/usr/bin/env python3
"""`make test`: installs what is missing, checks, builds, and runs every test beside real servers.

Tests wait most of the time, so they run in two lanes, a stage's output in one piece when it has ended. A stage that fails
does not keep the others from running, unless they cannot do without it.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Optional, Sequence

import guard
import servers

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
SWIFT_SOURCES = ["Sources", "Tests", "actors", "Package.swift"]
CONFORMANCE = [PYTHON, "Tests/RuntimeConformance/conformance.py", "--name"]
# Seconds of silence after which it is told who is at work.
SILENCE = 30


@dataclass
class Stage:
    name: str
    command: Sequence[str]
    settings: Optional[Mapping[str, str]] = None
    essential: bool = False
    code: Optional[int] = None
    # When it was started, and how long it took.
    begin: float = 0
    seconds: float = 0

    def run(self, settings: Mapping[str, str], log: Optional[Path] = None) -> bool:
        """With its output in a file, if one is named."""
        self.begin = time.monotonic()
        with log.open("wb") if log else contextlib.nullcontext() as output:
            try:
                environment = {**os.environ, **settings, **(self.settings or {})}
                code = subprocess.run(self.command, env=environment, stdout=output, stderr=output).returncode
                self.code = code if code >= 0 else 128 - code
            except OSError as error:
                guard.say(f"error: cannot run {self.command[0]}: {error.strerror}")
                self.code = 127
        self.seconds = time.monotonic() - self.begin
        return self.code == 0

    @property
    def outcome(self) -> str:
        return "not run" if self.code is None else "passed" if self.code == 0 else f"FAILED (code {self.code})"

    def __str__(self) -> str:
        return f"{self.name:<22} {self.seconds:7.1f} s  {self.outcome}"


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
# These start servers of their own.
BEHIND = [
    Stage("faults", [PYTHON, "Tests/Faults/faults.py"]),
    Stage("readme", [PYTHON, "Tests/Local/readme.py"]),
    Stage("demo under chaos", [PYTHON, "deploy/demo/demo.py"], {"ONCE": "1", "CHAOS": "1.5"}),
    Stage("demo on servers", [PYTHON, "deploy/demo/demo.py"], {"ONCE": "1", "SERVERS": "1", "CHAOS": "0.4"}),
    Stage("demo, HTTP reports", [PYTHON, "deploy/demo/demo.py"], {"ONCE": "1", "SERVERS": "1", "REPORTS": "http"}),
]
BESIDE = [
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
    Stage("traces", [PYTHON, "Tests/Traces/run.py"]),
    Stage("metrics", [PYTHON, "Tests/Prometheus/run.py"]),
    # Builds the sidecar for release, too: the optimizer has opinions of its own. Behind the Swift tests, which hold the
    # lock of the build folder.
    Stage("bench, quick", [PYTHON, "bench/run.py", "--quick"]),
]
# An operator in there tells by processor time who is ill: nobody else shall take it.
ALONE = [Stage("worlds", [PYTHON, "Tests/Worlds/run.py"])]


def main(folder: Path) -> int:
    os.chdir(REPOSITORY)
    run_all(folder)
    stages = [*BEFORE, *WITH_SERVERS, *BEHIND, *BESIDE, *ALONE]
    print("\n=== summary", *stages, sep="\n")
    passed = sum(stage.code == 0 for stage in stages)
    not_run = sum(stage.code is None for stage in stages)
    print(f"{passed} passed, {len(stages) - passed - not_run} failed" + (f", {not_run} not run" if not_run else ""))
    return 0 if passed == len(stages) else 1


def run_all(folder: Path) -> None:
    for stage in BEFORE:
        print(f"\n=== {stage.name}", flush=True)
        if not stage.run({}) and stage.essential:
            return
    lanes = Lanes(folder)
    lanes.run([lambda: follow_with_servers(lanes, folder), lambda: lanes.follow(BESIDE)])
    lanes.run([lambda: lanes.follow(ALONE)])


def follow_with_servers(lanes: "Lanes", folder: Path) -> None:
    try:
        with servers.started(folder, with_s3=True) as running:
            lanes.follow(WITH_SERVERS, running.settings())
    except guard.Problem as problem:
        guard.say(f"error: {problem}")
    lanes.follow(BEHIND)


class Lanes:
    """Stages side by side. Whatever they start is ended with this process by the guardian."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.running: dict[str, Stage] = {}
        self.printing = threading.Lock()
        self.last_word = time.monotonic()

    def run(self, lanes: Sequence) -> None:
        threads = [threading.Thread(target=lane, daemon=True) for lane in lanes]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(0.5)
            if time.monotonic() - self.last_word > SILENCE:
                self.tell("\n".join(self.progress()))

    def follow(self, stages: Sequence[Stage], settings: Mapping[str, str] = {}) -> None:
        for stage in stages:
            self.tell(f"... {stage.name}")
            self.running[stage.name] = stage
            stage.run(settings, self.log(stage))
            del self.running[stage.name]
            self.tell(f"\n=== {stage.name}\n{self.log(stage).read_text(errors='replace')}\n=== {stage}")

    def log(self, stage: Stage) -> Path:
        return self.folder / f"{stage.name}.log"

    def progress(self) -> Iterator[str]:
        for stage in list(self.running.values()):
            lines = self.log(stage).read_text(errors="replace").rstrip().splitlines() if stage.begin else []
            yield f"... {stage.name}, {time.monotonic() - stage.begin:.0f} s: {lines[-1][:100] if lines else ''}"

    def tell(self, text: str) -> None:
        with self.printing:
            print(text, flush=True)
            self.last_word = time.monotonic()


if __name__ == "__main__":
    guard.run(main)
