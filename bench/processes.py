"""What the kernel says of a process: the CPU time it has taken, the memory it holds."""

from pathlib import Path
from typing import Iterable

from guard import descendants


def families(pids: Iterable[int]) -> set[int]:
    """They and all their children."""
    return {member for pid in pids for member in (pid, *descendants(pid))}


def cpu_seconds(pids: Iterable[int]) -> float:
    """Of all their threads; not of threads that have ended."""
    files = (path for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(path.read_text().split()[0]) for path in files) / 1e9


def resident_mib(pid: int, peak: bool = False) -> float:
    """What it holds of the machine's memory now, or has at most held so far."""
    name = "VmHWM:" if peak else "VmRSS:"
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024
