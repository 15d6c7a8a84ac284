"""Whatever a run starts ends with it: by itself, on Ctrl-C, on SIGTERM, and when one of its processes is killed.

`run` splits the program in two. The *worker* does the work; the *guardian* (the process that the user knows) only
waits. As a subreaper it inherits what leaves its parent, so that also a daemon stays within reach. If the worker is
killed, the guardian clears up after it; if the guardian is killed, the kernel tells the worker, which stops.
"""

import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Callable, NoReturn

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


class Problem(Exception):
    """Something that the user can mend: a sentence for the terminal, and an exit code (sysexits.h)."""

    def __init__(self, message: str, code: int = 70):
        super().__init__(message)
        self.code = code


class Stopped(BaseException):
    """A signal asked the worker to end; not an `Exception`, so that no loop swallows it."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


def run(main: Callable[[Path], int]) -> NoReturn:
    """Runs `main` with a throw-away folder, and exits with its code when nothing of it is left.

    `KEEP=1` keeps the folder.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until somebody is there who can clear up
    folder = Path(tempfile.mkdtemp(prefix="troupe-")).resolve()
    folder.chmod(0o711)  # PostgreSQL's own user has to pass through
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    guardian = os.getpid()
    worker = os.fork()
    code = be_worker(guardian, main, folder) if worker == 0 else be_guardian(worker)
    complaint = clear_up(folder, announce=worker != 0)
    if complaint:
        say(complaint)
    sys.stdout.flush()
    os._exit(code or (1 if complaint else 0))


def be_worker(guardian: int, main: Callable[[Path], int], folder: Path) -> int:
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    for number in SIGNALS:
        signal.signal(number, stop_once)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if os.getppid() != guardian:
            return 128 + signal.SIGTERM
        return main(folder)
    except Stopped as stopped:
        return stopped.code
    except Problem as problem:
        say(f"error: {problem}")
        return problem.code
    except BaseException:
        traceback.print_exc()
        return 70
    finally:
        ignore_signals()


def stop_once(number: int, _frame: object) -> None:
    # Stopping takes a moment and has time limits of its own; a second Ctrl-C must not leave it half done.
    ignore_signals()
    raise Stopped(number)


def ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def be_guardian(worker: int) -> int:
    for number in SIGNALS:
        signal.signal(number, lambda number, _frame: signal_quietly(worker, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    pid, status = os.wait()
    while pid != worker:  # an orphan that came to us and ended
        pid, status = os.wait()
    ignore_signals()
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        say(f"the process that did the work was ended by {signal.Signals(-code).name}; clearing up after it")
    return code if code >= 0 else 128 - code


def clear_up(folder: Path, announce: bool) -> str:
    """Ends all descendants and removes the folder; what resisted, in words."""
    left = end_descendants()
    if os.environ.get("KEEP") == "1":
        if announce:
            say(f"kept (KEEP=1): {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            left.append(f"folder {folder}")
    return f"error: could not clear up: {', '.join(left)}" if left else ""


def end_descendants(patience: float = 5) -> list[str]:
    """SIGTERM, and SIGKILL when `patience` is over: PostgreSQL frees its shared memory only when it may end itself."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # the children of whom we end are ours to end
    begin = time.monotonic()
    asked: set[int] = set()
    while True:
        reap()
        living = descendants(os.getpid())
        waited = time.monotonic() - begin
        if not living or waited > 2 * patience:
            return [f"process {pid} ({name})" for pid, name in living.items()]
        for pid in living:
            if waited > patience:
                signal_quietly(pid, signal.SIGKILL)
            elif pid not in asked:
                signal_quietly(pid, signal.SIGTERM)
        asked |= living.keys()
        time.sleep(0.02)


def descendants(ancestor: int) -> dict[int, str]:
    """Process ids and names of all that descend from `ancestor`."""
    children: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        name, rest = stat.partition("(")[2].rsplit(")", 1)
        pid = int(entry.name)
        names[pid] = name
        children.setdefault(int(rest.split()[1]), []).append(pid)
    found: dict[int, str] = {}
    generation = [ancestor]
    while generation:
        generation = [child for parent in generation for child in children.get(parent, [])]
        found.update((pid, names[pid]) for pid in generation)
    return found


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def signal_quietly(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
