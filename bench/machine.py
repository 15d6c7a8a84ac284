"""On what was measured: a figure without it says little."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Sequence


def describe(repository: Path) -> dict[str, str]:
    """In the order of the report; what can't be found out is 'unknown'."""
    return {
        "commit": commit(repository),
        "CPU": f"{cpu_model()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "RabbitMQ": version("rabbitmq-server"),
        "Erlang": version("erlang-base"),
        "rabbitmq-c": version("librabbitmq4"),
        "Swift": first_line(["swift", "--version"]).removeprefix("Swift version "),
        "Python": sys.version.split()[0],
    }


def commit(repository: Path) -> str:
    """With a word on whether the tree holds what no commit does."""
    name = first_line(["git", "-C", repository, "rev-parse", "--short=12", "HEAD"])
    if name == "unknown":
        return name
    changed = first_line(["git", "-C", repository, "status", "--porcelain"], "")
    return f"{name}, {'with changes' if changed else 'clean'}"


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def version(package: str) -> str:
    return first_line(["dpkg-query", "--show", "--showformat=${Version}", package])


def first_line(argv: Sequence[object], otherwise: str = "unknown") -> str:
    try:
        done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return otherwise
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout.strip() else otherwise
