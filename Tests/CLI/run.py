#!/usr/bin/env python3
"""The command line as a person uses it: keys typed into a pseudo-terminal, the screen read as it is seen. Gateway, sidecars,
handlers, RabbitMQ and PostgreSQL are real.

    run.py [SCENARIO]
"""

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / "local")]

import guard  # noqa: E402
import servers  # noqa: E402
import venvs  # noqa: E402
from pipeline import check_programs  # noqa: E402

PROGRAMS = REPOSITORY / ".build" / "debug"
PACKAGES = ["pexpect==4.9.0", "pyte==0.8.2"]


def main(folder: Path, only: str) -> int:
    import scenarios  # needs the packages
    with servers.started(folder) as running:
        scenarios.run(running, folder, PROGRAMS, only)
    return 0


if __name__ == "__main__":
    venv = REPOSITORY / ".build" / "venv-cli"
    if Path(sys.prefix) != venv:
        check_programs(PROGRAMS / "troupe", PROGRAMS / "troupe-sidecar")
        python = venvs.install(venv.name, PACKAGES) / "bin" / "python"
        os.execv(python, [str(python), __file__, *sys.argv[1:]])
    guard.run(lambda folder: main(folder, sys.argv[1] if len(sys.argv) > 1 else ""))
