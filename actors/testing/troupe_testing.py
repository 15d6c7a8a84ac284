"""Whole pipelines in a team's own tests: handlers in their real runtimes, real sidecars, no server to install.

    from troupe_testing import run_pipeline

    def test_the_digest():
        end = run_pipeline("digest", {"path": "README.md"})          # a route of the project's troupe.yaml
        assert end.result["words"] > 100

    def test_two_handlers():
        end = run_pipeline(["split", "count"], "a b c", actors={"split": split, "count": "handlers.count.process"})
        assert sorted(one.result for one in end.all) == [1, 1, 1]

One file, standard library only, Python 3.7 or newer. It runs `troupe dev` in a folder of its own: the program is
TROUPE_PROGRAM, or `troupe` on the PATH. A pipeline starts with the first test that asks for it, serves all tests of the
process, and ends with it.
"""

import atexit
import ctypes
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Union

Handler = Union[str, Callable]

START_LIMIT = 60
FINAL = {"succeeded", "failed", "cancelled"}
PR_SET_PDEATHSIG = 1
PROJECT_FILE = "troupe.yaml"


class PipelineError(Exception):
    """The pipeline could not be run to its end: a mistake in the test or the project, or a handler that hangs."""


class EnvelopeFailed(Exception):
    """What `End.result` raises for an envelope that has not succeeded. `end` is how it ended."""

    def __init__(self, end: "End"):
        super().__init__(end.error or end.status)
        self.end = end


@dataclass
class End:
    """How an envelope has ended."""

    id: str
    # succeeded, failed or cancelled
    status: str
    payload: Any
    # Of a failure: in one line, and {"type", "message", "traceback"} as far as the handler has said.
    error: Optional[str] = None
    details: Mapping[str, Any] = field(default_factory=dict)
    # What handlers have emitted, in order: {"type", "data", "actor"} each.
    events: List[dict] = field(default_factory=list)
    # What has come out of it by fan-out.
    children: List["End"] = field(default_factory=list)

    @property
    def result(self) -> Any:
        """The payload at the end of the route. Raises EnvelopeFailed where it has not come there."""
        if self.status != "succeeded":
            raise EnvelopeFailed(self)
        return self.payload

    @property
    def all(self) -> List["End"]:
        """This one, its children and theirs."""
        return [self] + [one for child in self.children for one in child.all]


def run_pipeline(
    route: Union[str, Sequence[str]], payload: Any, actors: Optional[Mapping[str, Handler]] = None,
    project: Union[str, Path, None] = None, headers: Optional[Mapping[str, Any]] = None, timeout: float = 30,
) -> End:
    """Sends one envelope through real handlers; returns when it and all that came out of it have ended.

    route: actors, or the name of a route of the project.
    actors: handlers by name, each a function of a module, or where one is ("module.function"). Without it, those of the
        project: `troupe.yaml` in `project` (a folder or a file), or in this folder or one above.
    timeout: seconds, for all of it.
    """
    return pipeline(actors, project).run(route, payload, headers=headers, timeout=timeout)


def pipeline(
    actors: Optional[Mapping[str, Handler]] = None, project: Union[str, Path, None] = None
) -> "Pipeline":
    """The running pipeline of these actors, or of a project: started once, ended with this process."""
    if actors is not None and project is not None:
        raise PipelineError("give actors or a project, not both")
    if actors is not None:
        text = project_text(actors)
        # Modules that this process can import, handlers can, too.
        path = os.pathsep.join(os.path.abspath(path) for path in sys.path)
        return started(text, lambda folder: write_project(folder, text), {"PYTHONPATH": path})
    file = project_file(project)
    return started(str(file), lambda folder: file, {})


class Pipeline:
    """A `troupe dev` with a folder of its own."""

    def __init__(self, locate: Callable[[Path], Path], settings: Mapping[str, str]):
        self.folder = Path(tempfile.mkdtemp(prefix="troupe-testing-"))
        self.output: List[str] = []
        self.process: Optional[subprocess.Popen] = None
        self.url = ""
        self.settings = settings
        try:
            self.project = locate(self.folder)
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        command = [
            program(), "dev", str(self.project), "--port", "0", "--json", "--state", str(self.folder / "state")]
        self.process = subprocess.Popen(
            command, env={**os.environ, **self.settings}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True, preexec_fn=die_with_parent)
        ready = threading.Event()
        threading.Thread(target=self.listen, args=(ready,), daemon=True).start()
        if not ready.wait(START_LIMIT) or not self.url:
            raise PipelineError("the pipeline does not start:\n" + self.last_words())

    def listen(self, ready: threading.Event) -> None:
        for line in self.process.stdout:
            try:
                entry = json.loads(line)
                text = "%s: %s" % (entry["actor"], entry["text"])
            except (ValueError, KeyError, TypeError):
                entry, text = {}, line.rstrip("\n")
            self.output.append(text)
            if entry.get("actor") == "dev" and entry["text"].startswith("ready: "):
                self.url = entry["text"].split()[-1]
                ready.set()
        ready.set()

    def last_words(self, lines: int = 30) -> str:
        return "\n".join(self.output[-lines:])

    def run(
        self, route: Union[str, Sequence[str]], payload: Any, headers: Optional[Mapping[str, Any]] = None,
        timeout: float = 30,
    ) -> End:
        limit = time.monotonic() + timeout
        actors = self.actors_of(route)
        submission = {"route": {"actors": actors}, "payload": payload}
        if headers:
            submission["headers"] = dict(headers)
        root = self.request("/envelopes", submission)["id"]
        events, ids, place = {root: []}, [root], actors[0] if actors else "nowhere"
        for kind, update in self.updates(root, limit):
            if update is None:
                raise PipelineError(
                    "%s has not ended within %g s, last heard of at '%s'\n%s"
                    % (root, timeout, place, self.last_words()))
            if update["id"] not in events:
                events[update["id"]] = []
                ids.append(update["id"])
            if kind == "partial":
                events[update["id"]].append({name: update.get(name) for name in ("type", "data", "actor")})
            place = update.get("actor") or place
        return self.end(ids, events)

    def actors_of(self, route: Union[str, Sequence[str]]) -> List[str]:
        if not isinstance(route, str):
            return list(route)
        answer = subprocess.run(
            [program(), "validate", str(self.project), "--output", "json"], stdout=subprocess.PIPE, text=True)
        routes = json.loads(answer.stdout).get("routes", {})
        if route not in routes:
            raise PipelineError("there is no route '%s'; there are: %s" % (route, ", ".join(sorted(routes)) or "none"))
        return routes[route]

    def end(self, ids: Sequence[str], events: Mapping[str, List[dict]]) -> End:
        ends: Dict[str, End] = {}
        for id in ids:
            record = self.request("/envelopes/%s" % id)
            failure = record.get("result") if record["status"] == "failed" else None
            end = End(
                id, record["status"], record.get("result") if failure is None else record.get("payload"),
                error=record.get("error"), details=(failure or {}).get("details") or {}, events=events[id])
            ends[id] = end
            parent = ends.get(record.get("parent_id"))
            if parent is not None:
                parent.children.append(end)
        return ends[ids[0]]

    def request(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read() or b"{}")
            raise PipelineError(problem.get("detail") or str(error)) from None
        except OSError as error:
            raise PipelineError("the pipeline does not answer: %s\n%s" % (error, self.last_words())) from None

    def updates(self, root: str, limit: float) -> Iterator[tuple]:
        """Kinds and updates of an envelope and its children until all have ended; (None, None) when the time is up."""
        last = ""
        while True:
            for last, kind, data in self.stream("/envelopes/%s/stream?children=true" % root, last, limit):
                yield kind, data
            # A stream that was cut off is read on behind what was seen last.
            if self.request("/envelopes/%s" % root)["status"] in FINAL:
                return
            if time.monotonic() > limit:
                yield None, None
            time.sleep(0.1)

    def stream(self, path: str, last: str, limit: float) -> Iterator[tuple]:
        """Ids, kinds and data of events, until the end or the limit."""
        request = urllib.request.Request(self.url + path, headers={"Last-Event-ID": last} if last else {})
        kind, data = "message", ""
        try:
            with urllib.request.urlopen(request, timeout=max(0.1, limit - time.monotonic())) as response:
                for raw in response:
                    line = raw.decode().rstrip("\n")
                    if line.startswith("id:"):
                        last = line[3:].strip()
                    elif line.startswith("event:"):
                        kind = line[6:].strip()
                    elif line.startswith("data:"):
                        data += line[5:].strip()
                    elif not line and data:
                        yield last, kind, json.loads(data)
                        kind, data = "message", ""
                    if time.monotonic() > limit:
                        return
        except OSError:
            return

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process is not None:
            self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def die_with_parent() -> None:
    """Also when this process is killed. Linux only, as Troupe is."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


libc = ctypes.CDLL(None)
_running: Dict[str, Pipeline] = {}


def started(key: str, locate: Callable[[Path], Path], settings: Mapping[str, str]) -> Pipeline:
    known = _running.get(key)
    if known is None or known.process.poll() is not None:
        _running[key] = Pipeline(locate, settings)
    return _running[key]


@atexit.register
def stop_all() -> None:
    """Ends all pipelines. Called by itself at the end of the process."""
    while _running:
        _running.popitem()[1].stop()


def program() -> str:
    path = os.environ.get("TROUPE_PROGRAM") or shutil.which("troupe")
    if not path:
        raise PipelineError("there is no `troupe` on the PATH; or set TROUPE_PROGRAM to where it is")
    return path


def project_file(project: Union[str, Path, None]) -> Path:
    if project is not None:
        path = Path(project)
        file = path / PROJECT_FILE if path.is_dir() else path
        if not file.exists():
            raise PipelineError("there is no '%s'" % file)
        return file.resolve()
    for folder in [Path.cwd(), *Path.cwd().parents]:
        if (folder / PROJECT_FILE).exists():
            return folder / PROJECT_FILE
    raise PipelineError("there is no %s here or in a folder above; give `actors`, or a `project`" % PROJECT_FILE)


def project_text(actors: Mapping[str, Handler]) -> str:
    """JSON, which is YAML as well."""
    return json.dumps({"python": sys.executable, "actors": {
        name: {"handler": where(name, handler)} for name, handler in sorted(actors.items())}}, indent=2)


def where(name: str, handler: Handler) -> str:
    if isinstance(handler, str):
        return handler
    module, path = inspect.getmodule(handler), handler.__qualname__
    if module is None or "<" in path:
        raise PipelineError(
            "the handler of '%s' must be a function of a module: its runtime is a process of its own, and cannot import "
            "what stands inside of another function" % name)
    if module.__name__ == "__main__":
        return "%s.%s" % (Path(inspect.getsourcefile(handler)).stem, path)
    return "%s.%s" % (module.__name__, path)


def write_project(folder: Path, text: str) -> Path:
    file = folder / PROJECT_FILE
    file.write_text(text)
    return file
