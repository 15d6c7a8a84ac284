"""The demo's pipeline: split (Python) -> keywords (Python) -> summary (Swift), the crew, the gateway, the servers."""

import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import Iterator, Optional

import servers
from pipeline import Actor, Pipeline, check_programs

REPOSITORY = Path(__file__).resolve().parents[2]
ROUTE = ["split", "keywords", "summary"]
USUAL_PORT = 8080


@contextlib.contextmanager
def started(folder: Path, programs: Path, gateway_port: Optional[int] = None) -> Iterator[Pipeline]:
    check_programs(*(programs / name for name in ("troupe", "troupe-sidecar", "summary")))
    with servers.started(folder, durable=True) as running:
        pipeline = Pipeline(
            actors(folder, programs), running, folder, programs, REPOSITORY / "deploy/demo/tools.yaml", gateway_port,
            reports_by_http=os.environ.get("REPORTS") == "http")
        try:
            pipeline.start()
            yield pipeline
        finally:
            pipeline.stop()


def actors(folder: Path, programs: Path) -> list[Actor]:
    results = {"TROUPE_RESULTS_DIR": str(folder / "results")}
    crew = [
        Actor(name, [programs / "troupe", "crew", name], results, is_end=True) for name in ("happy-end", "error-end")
    ]
    return [python_actor("split"), python_actor("keywords"), Actor("summary", [programs / "summary"]), *crew]


def python_actor(name: str) -> Actor:
    runtime = REPOSITORY / "actors/runtime/troupe_runtime.py"
    settings = {"TROUPE_HANDLER": "handler.process", "PYTHONPATH": str(REPOSITORY / "actors" / name)}
    return Actor(name, [sys.executable, runtime], settings)


def usual_port_if_free() -> Optional[int]:
    """The port that the documentation's examples use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            return None
    return USUAL_PORT
