"""Child processes: each with a log of its own, awaited with patience, stopped without fail."""

import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Mapping, Optional, Sequence

from guard import Problem, say

TAIL_LINES = 25


class Child:
    """A process that writes to a log file, and ends when we do."""

    def __init__(
        self,
        name: str,
        argv: Sequence[object],
        log: Path,
        env: Optional[Mapping[str, str]] = None,
        user: Optional[str] = None,
        cwd: Optional[Path] = None,
        stop_signal: int = signal.SIGTERM,
        patience: float = 10,
    ):
        self.name = name
        self.argv = [*as_user(user), *map(str, argv)]
        self.log = log
        self.env = dict(os.environ if env is None else env)
        self.cwd = cwd
        self.stop_signal = stop_signal
        self.patience = patience
        self.process: Optional[subprocess.Popen] = None

    def start(self) -> "Child":
        # A session of its own: Ctrl-C in the terminal is for us, and we decide who stops when. The death signal is
        # tied to the thread that starts the child, so children are started from the main thread only.
        argv = ["setpriv", "--pdeathsig", signal.Signals(self.stop_signal).name[3:], *self.argv]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, env=self.env, cwd=self.cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        return self

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        if self.running:
            self.process.send_signal(self.stop_signal)

    def stop(self) -> None:
        self.ask_to_stop()
        if self.process is None:
            return
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            say(f"{self.name} did not stop within {self.patience:g} s and is killed")
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        if self.running:
            self.process.kill()


def as_user(user: Optional[str]) -> list[str]:
    return ["setpriv", "--reuid", user, "--regid", user, "--init-groups"] if user else []


def stop_all(children: Sequence[Child]) -> None:
    """Stops them side by side."""
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop()


def wait_until(
    ready: Callable[[], bool], what: str, limit: float, children: Sequence[Child] = (),
) -> None:
    """Waits for `ready`; says so when it takes longer than a second; shows the logs when it fails."""
    begin = time.monotonic()
    said = False
    while not ready():
        waited = time.monotonic() - begin
        ended = [child for child in children if not child.running]
        if ended:
            child = ended[0]
            raise Problem(f"{child.name} ended with code {child.process.returncode} at start\n{tails(children)}")
        if waited > limit:
            raise Problem(f"{what} is not ready after {limit:g} s\n{tails(children)}")
        if waited > 1 and not said:
            say(f"waiting for {what} ...")
            said = True
        time.sleep(0.05)


def tails(children: Sequence[Child]) -> str:
    return "\n".join(tail(child.log) for child in children)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    text = log.read_text(errors="replace") if log.exists() else ""
    last = text.splitlines()[-lines:] or ["(empty)"]
    return "\n".join([f"--- the end of {log.name}:", *("    " + line for line in last)])


def run_once(
    argv: Sequence[object], what: str, env: Mapping[str, str], user: Optional[str] = None,
    cwd: Optional[Path] = None, limit: float = 60, given: str = "",
) -> str:
    """Runs a command that should succeed; its output."""
    try:
        done = subprocess.run(
            [*as_user(user), *map(str, argv)], env=dict(env), cwd=cwd, input=given, timeout=limit, text=True,
            errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise Problem(f"{what}: {argv[0]} is not installed; run deploy/local/install.sh", 69) from None
    except subprocess.TimeoutExpired as slow:
        raise Problem(f"{what}: {argv[0]} did not end within {limit:g} s; it said:\n{slow.output or ''}") from None
    if done.returncode != 0:
        raise Problem(f"{what}: {argv[0]} ended with code {done.returncode} and said:\n{done.stdout}")
    return done.stdout


def environment_without(*prefixes: str) -> dict[str, str]:
    """Our environment, less the settings with which the caller may address servers of his own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


_taken: set[int] = set()


def free_port() -> int:
    """A free loopback port, below those that the kernel hands out for outgoing connections."""
    for _ in range(1000):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _taken:
            _taken.add(port)
            return port
    raise Problem("found no free loopback port between 20000 and 32000", 69)
