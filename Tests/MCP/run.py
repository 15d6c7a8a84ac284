#!/usr/bin/env python3
"""The gateway's MCP endpoint as the official client library finds it: its 1.x line, which opens sessions, and its 2.x line, which
doesn't any more. Gateway, sidecars and handlers are real."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / "local")]

import children  # noqa: E402
import guard  # noqa: E402
import servers  # noqa: E402
import venvs  # noqa: E402
from pipeline import Actor, Pipeline, check_programs  # noqa: E402

HERE = Path(__file__).resolve().parent
CLIENTS = {"sessions": "mcp==1.30.0", "stateless": "mcp==2.3.0"}
LIMIT = 120


def main(folder: Path, programs: Path, only: str) -> int:
    chosen = [name for name in CLIENTS if only in ("", name)]
    pythons = {name: venvs.install(f"venv-mcp-{name}", [CLIENTS[name]]) / "bin" / "python" for name in chosen}
    with started(folder, programs) as pipeline:
        for name, python in pythons.items():
            print(f"--- {CLIENTS[name]}", flush=True)
            env = {
                **children.environment_without("TROUPE_", "PYTHON"), "PYTHONDONTWRITEBYTECODE": "1",
                "MCP_URL": f"{pipeline.gateway_url}/mcp", "MCP_TOOLS": str(folder / "tools.yaml"),
            }
            print(children.run_once([python, HERE / f"{name}.py", "--verbose"], name, env, limit=LIMIT))
    return 0


@contextlib.contextmanager
def started(folder: Path, programs: Path) -> Iterator[Pipeline]:
    check_programs(*(programs / name for name in ("troupe", "troupe-sidecar")))
    tools = folder / "tools.yaml"  # the tests change it
    tools.write_text((HERE / "tools.yaml").read_text())
    settings = {"TROUPE_CONFIG_RELOAD": "200ms", "TROUPE_MCP_TASK_AFTER": "1s"}
    results = {"TROUPE_RESULTS_DIR": str(folder / "results")}
    actors = [handler("slow", 4), handler("add", 1), handler("fail", 1)] + [
        Actor(name, [programs / "troupe", "crew", name], results, is_end=True) for name in ("happy-end", "error-end")
    ]
    with servers.started(folder) as running:
        pipeline = Pipeline(actors, running, folder, programs, tools, settings=settings)
        try:
            pipeline.start()
            yield pipeline
        finally:
            pipeline.stop()


def handler(name: str, concurrency: int) -> Actor:
    runtime = REPOSITORY / "actors/runtime/troupe_runtime.py"
    settings = {"TROUPE_HANDLER": f"handlers.{name}", "PYTHONPATH": str(HERE)}
    return Actor(name, [sys.executable, runtime], settings, concurrency=concurrency)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(CLIENTS), default="", help="one of the clients")
    parser.add_argument("--programs", type=Path, default=REPOSITORY / ".build" / "debug", help="folder of the built programs")
    arguments = parser.parse_args()
    guard.run(lambda folder: main(folder, arguments.programs, arguments.only))
