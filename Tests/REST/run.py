#!/usr/bin/env python3
"""The gateway's REST API as strangers find it: property tests made from its own OpenAPI document, and a client library for event
streams whose connection breaks again and again. Gateway, sidecars and handlers are real."""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / "local")]

import children  # noqa: E402
import guard  # noqa: E402
import servers  # noqa: E402
import venvs  # noqa: E402
from pipeline import Actor, Pipeline, check_programs  # noqa: E402

HERE = Path(__file__).resolve().parent
PROGRAMS = REPOSITORY / ".build" / "debug"
PACKAGES = {
    "api": ["schemathesis==4.32.5", "openapi-spec-validator==0.9.0"],
    "streams": ["httpx==0.28.1", "httpx-sse==0.4.3"],
}
LIMIT = 400


def main(folder: Path, only: str) -> int:
    chosen = [name for name in PACKAGES if only in ("", name)]
    pythons = {name: venvs.install(f"venv-rest-{name}", PACKAGES[name]) / "bin" / "python" for name in chosen}
    check_programs(PROGRAMS / "troupe", PROGRAMS / "troupe-sidecar")
    actors = [handler("count")] + [
        Actor(name, [PROGRAMS / "troupe", "crew", name], {"TROUPE_RESULTS_DIR": str(folder / "results")}, is_end=True)
        for name in ("happy-end", "error-end")
    ]
    with servers.started(folder) as running:
        pipeline = Pipeline(
            actors, running, folder, PROGRAMS, HERE / "tools.yaml", settings={"TROUPE_GATEWAY_KEEPALIVE": "1s"})
        try:
            pipeline.start()
            for name, python in pythons.items():
                print(f"--- {name}: {', '.join(PACKAGES[name])}", flush=True)
                env = {
                    **children.environment_without("TROUPE_", "PYTHON"), "PYTHONDONTWRITEBYTECODE": "1",
                    "GATEWAY_URL": pipeline.gateway_url,
                }
                print(children.run_once([python, HERE / f"{name}.py"], name, env, limit=LIMIT))
        finally:
            pipeline.stop()
    return 0


def handler(name: str) -> Actor:
    runtime = REPOSITORY / "actors/runtime/troupe_runtime.py"
    return Actor(
        name, [sys.executable, runtime], {"TROUPE_HANDLER": f"handlers.{name}", "PYTHONPATH": str(HERE)}, concurrency=4)


if __name__ == "__main__":
    guard.run(lambda folder: main(folder, sys.argv[1] if len(sys.argv) > 1 else ""))
