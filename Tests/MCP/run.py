#!/usr/bin/env python3
"""The gateway's MCP endpoint as the official client library finds it: its 1.x line, which opens sessions, and its 2.x line, which
doesn't any more; and as the scenarios of the official conformance suite want it. Gateway, sidecars and handlers are real."""

import argparse
import contextlib
import shutil
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
TESTS = {
    "sessions": (HERE / "sessions.py", "mcp==1.30.0"),
    "stateless": (HERE / "stateless.py", "mcp==2.3.0"),
    "conformance": (HERE / "conformance" / "scenarios.py", "mcp==2.3.0"),
}
FIXTURES = ["text", "greet", "image", "audio", "embedded", "mixed", "error", "step", "compute", "broken"]
LIMIT = 120


def main(folder: Path, programs: Path, only: str) -> int:
    chosen = {name: test for name, test in TESTS.items() if only in ("", name)}
    # One environment a library: its name tells the one from the other.
    pythons = {
        client: venvs.install(f"venv-{client.replace('==', '-')}", [client]) / "bin" / "python"
        for client in {client for _, client in chosen.values()}}
    with started(folder, programs) as pipeline:
        for name, (script, client) in chosen.items():
            print(f"--- {name}, {client}", flush=True)
            env = {
                **children.environment_without("TROUPE_", "PYTHON"), "PYTHONDONTWRITEBYTECODE": "1",
                "MCP_URL": f"{pipeline.gateway_url}/mcp", "MCP_TOOLS": str(folder / "tools" / "tools.yaml"),
            }
            print(children.run_once([pythons[client], script, "--verbose"], name, env, limit=LIMIT))
    return 0


@contextlib.contextmanager
def started(folder: Path, programs: Path) -> Iterator[Pipeline]:
    check_programs(*(programs / name for name in ("troupe", "troupe-sidecar")))
    tools = folder / "tools"  # the tests change it
    tools.mkdir()
    shutil.copy(HERE / "tools.yaml", tools)
    shutil.copy(HERE / "conformance" / "tools.yaml", tools / "conformance.yaml")
    for file in ("pixel.png", "watched.txt"):
        shutil.copy(HERE / "conformance" / file, tools)
    settings = {"TROUPE_CONFIG_RELOAD": "200ms", "TROUPE_MCP_TASK_AFTER": "1s"}
    results = {"TROUPE_RESULTS_DIR": str(folder / "results")}
    actors = [handler("slow", 4), handler("add"), handler("fail")]
    actors += [handler(name, 4, "conformance", "fixtures") for name in FIXTURES]
    actors += [
        Actor(name, [programs / "troupe", "crew", name], results, is_end=True) for name in ("happy-end", "error-end")
    ]
    with servers.started(folder) as running:
        pipeline = Pipeline(actors, running, folder, programs, tools, settings=settings)
        try:
            pipeline.start()
            yield pipeline
        finally:
            pipeline.stop()


def handler(name: str, concurrency: int = 1, folder: str = "", module: str = "handlers") -> Actor:
    runtime = REPOSITORY / "actors/runtime/troupe_runtime.py"
    settings = {"TROUPE_HANDLER": f"{module}.{name}", "PYTHONPATH": str(HERE / folder)}
    return Actor(name, [sys.executable, runtime], settings, concurrency=concurrency)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(TESTS), default="", help="one of the tests")
    parser.add_argument("--programs", type=Path, default=REPOSITORY / ".build" / "debug", help="folder of the built programs")
    arguments = parser.parse_args()
    guard.run(lambda folder: main(folder, arguments.programs, arguments.only))
