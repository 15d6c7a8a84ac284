"""The courses over Troupe's queues: the C relay, which is the limit, and sidecars with handlers."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from bench import Bench, REPOSITORY
from broker import END, Broker
from children import Child, environment_without, free_port, stop_all, wait_until

READY_LIMIT = 30
PREFETCH = 64


class QueueCourse:
    """From the first actor's queue to one that nobody serves."""

    def __init__(self, name: str, broker: Broker, actors: Sequence[str], kind: str):
        self.name = name
        self.broker = broker
        self.actors = actors
        self.kind = kind

    @property
    def route(self) -> list[str]:
        return [*self.actors, END]

    def prepare(self, count: int, size: int) -> None:
        self.broker.declare(self.route, self.kind)
        self.broker.fill(self.route, count, size)

    def done(self) -> int:
        return self.broker.depth(END)

    def verify(self, count: int) -> None:
        self.broker.take_all(self.route, count, self.name)


class Relay(QueueCourse):
    def __init__(self, broker: Broker, folder: Path, kind: str, prefetch: int = PREFETCH):
        super().__init__("C relay", broker, ["first"], kind)
        self.child = Child(
            "relay", [broker.programs["relay"], "troupe-first", "troupe", END, prefetch], folder / "relay.log",
            broker.env)

    @property
    def children(self) -> Sequence[Child]:
        return [self.child]

    measured = children

    def start(self) -> None:
        self.child.start()

    def stop(self) -> None:
        self.child.stop()


@dataclass(frozen=True)
class Handler:
    """How one is started. One that does not say itself when it is ready is ready at once."""

    name: str
    command: Sequence[object]
    settings: Mapping[str, str]
    says_ready: bool


def null(broker: Broker, milliseconds: int = 0) -> Handler:
    """Answers at once, or so much later: what is left is the sidecar's own cost."""
    return Handler("null handler", [broker.echo, "{socket}", milliseconds], {}, False)


def python() -> Handler:
    return Handler(
        "Python handler", [sys.executable, REPOSITORY / "actors" / "runtime" / "troupe_runtime.py"],
        {"TROUPE_HANDLER": "echo.process", "PYTHONPATH": str(REPOSITORY / "bench" / "handlers"),
         "PYTHONDONTWRITEBYTECODE": "1"}, True)


def swift(bench: Bench) -> Handler:
    return Handler("Swift handler", [bench.program("bench-echo")], {}, True)


class Troupe(QueueCourse):
    """Sidecars, each with a handler beside it: `replicas` of them for every actor. Nobody hears status reports.

    `whole`: the handlers are measured, too.
    """

    def __init__(
        self, bench: Bench, broker: Broker, kind: str, handler: Handler, actors: Sequence[str] = ("first",),
        concurrency: int = PREFETCH, prefetch: int = PREFETCH, replicas: int = 1,
        whole: bool = False,
    ):
        super().__init__(f"Troupe, {handler.name}", broker, actors, kind)
        program = bench.program("troupe-sidecar")
        self.handlers: list[Child] = []
        self.sidecars: list[Child] = []
        self.ready_files: list[Path] = []
        self.says_ready = handler.says_ready
        self.whole = whole
        for actor in actors:
            for number in range(replicas):
                self.add(bench, program, handler, actor, number, concurrency, prefetch)

    def add(
        self, bench: Bench, program: Path, handler: Handler, actor: str, number: int, concurrency: int, prefetch: int,
    ) -> None:
        name = f"{actor}-{number}"
        folder = bench.folder / "s" / name
        folder.mkdir(parents=True, exist_ok=True)
        settings = {
            **environment_without("TROUPE_", "ASYA_", "OTEL_"), "TROUPE_SOCKET_DIR": str(folder),
            "TROUPE_CONCURRENCY": str(concurrency), "TROUPE_LOG_LEVEL": "WARNING"}
        command = [str(word).replace("{socket}", str(folder / "runtime.sock")) for word in handler.command]
        self.handlers.append(Child(
            f"{name}-handler", command, bench.folder / f"{name}-handler.log", {**settings, **handler.settings}))
        self.sidecars.append(Child(f"{name}-sidecar", [program], bench.folder / f"{name}-sidecar.log", {
            **settings, "TROUPE_ACTOR_NAME": actor, "TROUPE_RABBITMQ_URL": self.broker.url,
            "TROUPE_RABBITMQ_PREFETCH": str(prefetch), "TROUPE_RABBITMQ_QUEUE_TYPE": self.kind,
            "TROUPE_STATUS_REPORTS": "off", "TROUPE_METRICS_ADDR": f"127.0.0.1:{free_port()}",
            "TROUPE_LOG_LEVEL": "warning"}))
        self.ready_files.append(folder / "runtime-ready")

    @property
    def children(self) -> Sequence[Child]:
        return [*self.handlers, *self.sidecars]

    @property
    def measured(self) -> Sequence[Child]:
        return self.children if self.whole else self.sidecars

    def start(self) -> None:
        for ready in self.ready_files:
            ready.unlink(missing_ok=True)
        for handler in self.handlers:
            handler.start()
        for ready in [] if self.says_ready else self.ready_files:
            ready.touch()
        wait_until(
            lambda: all(ready.exists() for ready in self.ready_files), "the handlers", READY_LIMIT, self.handlers)
        for sidecar in self.sidecars:
            sidecar.start()

    def stop(self) -> None:
        stop_all(self.sidecars)
        stop_all(self.handlers)
