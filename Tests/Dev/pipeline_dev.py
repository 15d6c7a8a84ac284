"""`troupe dev` as somebody uses it: a project's folder, the command in it, what it writes, and the gateway that it opens."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Mapping, Optional, Sequence

from children import environment_without
from guard import Problem

REPOSITORY = Path(__file__).resolve().parents[2]
TROUPE = REPOSITORY / ".build" / "debug" / "troupe"
FINAL = ("succeeded", "failed", "cancelled")


def environment() -> dict[str, str]:
    return {**environment_without("TROUPE_", "ASYA_", "PYTHON", "NO_COLOR", "XDG_"), "TERM": "xterm"}


def troupe(*arguments: object, cwd: Path, env: Optional[Mapping[str, str]] = None) -> subprocess.CompletedProcess:
    """A command that ends by itself."""
    return subprocess.run(
        [TROUPE, *map(str, arguments)], cwd=cwd, env={**environment(), **(env or {})}, text=True, timeout=60,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def project(folder: Path, name: str, yaml: str, **handlers: str) -> Path:
    """A project of its own; `handlers` are files of Python."""
    path = folder / name
    (path / "handlers").mkdir(parents=True)
    (path / "troupe.yaml").write_text(yaml)
    for handler, source in handlers.items():
        (path / "handlers" / f"{handler}.py").write_text(source)
    return path


class Dev:
    """A running `troupe dev`; its lines are read as JSON."""

    def __init__(self, folder: Path, *options: object, env: Optional[Mapping[str, str]] = None):
        self.folder = folder
        self.begin = time.monotonic()
        self.lines: list[dict] = []
        self.process = subprocess.Popen(
            [TROUPE, "dev", "--port", "0", "--json", "--verbose", *map(str, options)], cwd=folder,
            env={**environment(), **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.port = int(self.wait_for("gateway listens").split("port=")[1].split()[0])

    def __enter__(self) -> "Dev":
        return self

    def __exit__(self, kind: object, error: object, _trace: object) -> None:
        if error:
            print("\n".join(self.texts()[-40:]), file=sys.stderr)
        self.stop()

    def _read(self) -> None:
        for line in self.process.stdout:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"actor": "", "stream": "plain", "text": line.decode(errors="replace").rstrip()})

    def texts(self, actor: Optional[str] = None) -> list[str]:
        return [line["text"] for line in self.lines if actor is None or line["actor"].split("/")[0] == actor]

    def wait_for(self, text: str, actor: Optional[str] = None, times: int = 1, limit: float = 20) -> str:
        """The line (the last of so many) that has the text."""
        def found() -> list[str]:
            return [line for line in self.texts(actor) if text in line]

        wait_until(lambda: len(found()) >= times or self.process.poll() is not None, f"'{text}'", limit, self.texts)
        if len(found()) < times:
            raise Problem(f"`troupe dev` ended before it said '{text}':\n" + "\n".join(self.texts()))
        return found()[times - 1]

    # ---- The gateway

    def request(self, method: str, path: str, body: object = None) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(
                method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise Problem(f"{method} {path}: {answer.status} {text.decode()}")
            return json.loads(text)
        finally:
            connection.close()

    def submit(self, route: Sequence[str], payload: object) -> str:
        return self.request("POST", "/envelopes", {"route": {"actors": list(route)}, "payload": payload})["id"]

    def envelope(self, id: str) -> dict:
        return self.request("GET", f"/envelopes/{id}")

    def result(self, id: str, limit: float = 20) -> dict:
        """The envelope when it has ended."""
        last: dict = {}

        def ended() -> bool:
            try:
                self.request("GET", f"/envelopes/{id}/result?wait=1s")
            except Problem:
                pass  # not ended, or not well
            last.update(self.envelope(id))
            return last["status"] in FINAL

        wait_until(ended, f"the end of {id}", limit, lambda: [json.dumps(last), *self.texts()])
        return last

    def replicas(self, actor: str) -> int:
        """Processes of handlers that are up just now."""
        return sum(f"TROUPE_ACTOR_NAME={actor}" in environ for _, environ in handlers_of(self.process.pid))

    # ---- Its end

    def stop(self, limit: float = 15) -> float:
        """Ctrl-C; how long it took."""
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Problem(f"`troupe dev` did not end within {limit} s") from None
        self.reader.join(5)
        return time.monotonic() - begin

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join(5)


def handlers_of(parent: int) -> list[tuple[int, str]]:
    """Process ids and environments of the children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if int(stat[1]) == parent and stat[0] != "Z":
                found.append((int(entry.name), (entry / "environ").read_text(errors="replace")))
        except OSError:
            continue  # it ended meanwhile
    return found


def alive_with(mark: str) -> list[int]:
    """Processes whose environment or arguments have the text."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "environ").read_text(errors="replace") + (entry / "cmdline").read_text(errors="replace")
            state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark in text and state != "Z":
            found.append(int(entry.name))
    return found


def wait_until(
    condition: Callable[[], bool], what: str, limit: float = 20, details: Callable[[], Sequence[str]] = lambda: (),
) -> None:
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise Problem("\n".join([f"{what}: not within {limit:g} s", *list(details())[-40:]]))
        time.sleep(0.02)


def check(condition: object, what: object) -> None:
    if not condition:
        raise Problem(f"not as it should be: {what}")
