"""A gateway with a pipeline behind it, and the program to speak to it."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Mapping, Optional, Sequence

import children
from pipeline import READY_LIMIT, Actor, Pipeline, answers
from servers import Servers
from terminal import Terminal

HERE = Path(__file__).resolve().parent
RUNTIME = HERE.parents[1] / "actors/runtime/troupe_runtime.py"
HANDLERS = ["work", "shape", "part", "shaky", "broken"]
SETTINGS = {"TROUPE_GATEWAY_KEEPALIVE": "1s"}
SHAKY = 'troupe-retry={"attempts": 3, "initial_delay_ms": 2000, "jitter": false}'


class World:
    def __init__(self, servers: Servers, folder: Path, programs: Path):
        self.folder = folder
        self.program = str(programs / "troupe")
        ends = [
            Actor(name, [self.program, "crew", name], {"TROUPE_RESULTS_DIR": str(folder / "results")}, is_end=True)
            for name in ("happy-end", "error-end")
        ]
        self.pipeline = Pipeline(
            [*map(handler, HANDLERS), *ends], servers, folder, programs, HERE / "tools.yaml", settings=SETTINGS)
        self.env = {
            **children.environment_without("TROUPE_", "ASYA_", "NO_COLOR", "COLUMNS", "LINES"),
            "TROUPE_GATEWAY_URL": self.pipeline.gateway_url, "TERM": "xterm-256color",
        }

    def start(self) -> None:
        self.pipeline.start()

    def stop(self) -> None:
        self.pipeline.stop()

    def restart_gateway(self, pause: float = 1) -> None:
        self.pipeline.gateway.kill()
        time.sleep(pause)
        self.pipeline.gateway.start()
        children.wait_until(
            lambda: answers(f"{self.pipeline.gateway_url}/health"), "the gateway", READY_LIMIT,
            [self.pipeline.gateway])

    def terminal(
        self, *arguments: str, columns: int = 100, rows: int = 24, env: Mapping[str, str] = {},
        program: Optional[str] = None,
    ) -> Terminal:
        return Terminal(program or self.program, arguments, columns, rows, {**self.env, **env})

    def run(
        self, *arguments: str, given: Optional[str] = None, code: Optional[int] = 0, limit: float = 120,
        env: Mapping[str, str] = {},
    ) -> subprocess.CompletedProcess:
        """Into pipes, as scripts do."""
        done = subprocess.run(
            [self.program, *arguments], input=given, stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True, text=True, env={**self.env, **env}, timeout=limit)
        shown = f"troupe {' '.join(arguments)}: code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, f"{shown}\nexpected code {code}"
        assert "\x1b" not in done.stdout + done.stderr, f"escape codes in a pipe: {shown!r}"
        return done

    def submit(self, route: str, payload: object, *more: str) -> str:
        return self.run("submit", "--route", route, "--payload", json.dumps(payload), *more).stdout.strip()

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(self.pipeline.gateway_url + path, timeout=20) as answer:
            return json.load(answer)


def handler(name: str) -> Actor:
    return Actor(
        name, [sys.executable, RUNTIME], {"TROUPE_HANDLER": f"handlers.{name}", "PYTHONPATH": str(HERE)}, concurrency=4)
