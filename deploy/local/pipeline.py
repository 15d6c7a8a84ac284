"""A pipeline on this machine: gateway, and per actor a sidecar and a handler, each restarted when it crashes."""

import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping, Optional, Sequence

from children import Child, environment_without, free_port, stop_all, wait_until
from guard import Problem
from servers import Servers

READY_LIMIT = 30
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
SOCKET_NAME = "runtime.sock"
LONGEST_SOCKET_PATH = 107


@dataclass(frozen=True)
class Actor:
    """What an actor's handler and its sidecar are started with."""

    name: str
    handler: Sequence[object]
    settings: Mapping[str, str] = field(default_factory=dict)
    is_end: bool = False
    concurrency: int = 1
    sidecar_settings: Mapping[str, str] = field(default_factory=dict)


class Pipeline:
    def __init__(
        self, actors: Sequence[Actor], servers: Servers, folder: Path, programs: Path, tools: Path,
        gateway_port: Optional[int] = None, reports_by_http: bool = False,
        settings: Mapping[str, str] = {}, longest_pause: float = LONGEST_PAUSE,
    ):
        """`settings`: of all its programs. `longest_pause`: before what has crashed is started again."""
        self.folder = folder
        self.logs = folder / "logs"
        self.results = folder / "results"
        self.servers = servers
        self.base = {**environment_without("TROUPE_", "ASYA_"), **settings}
        port = gateway_port or free_port()
        self.gateway_url = f"http://127.0.0.1:{port}"
        self.reports_by_http = reports_by_http
        self.metrics_urls: dict[str, str] = {}
        self.gateway = self.child("gateway", [programs / "troupe", "gateway"], {
            "TROUPE_GATEWAY_PORT": str(port),
            "TROUPE_DATABASE_URL": servers.database_url,
            "TROUPE_RABBITMQ_URL": servers.rabbitmq_url,
            "TROUPE_CONFIG_PATH": str(tools),
        })
        self.handlers = {actor.name: self.handler(actor) for actor in actors}
        self.sidecars = {actor.name: self.sidecar(actor, programs / "troupe-sidecar") for actor in actors}
        self.supervised = [Supervised(child, longest_pause) for child in self.children]

    def child(self, name: str, argv: Sequence[object], settings: Mapping[str, str]) -> Child:
        return Child(name, argv, self.logs / f"{name}.log", {**self.base, **settings})

    def handler(self, actor: Actor) -> Child:
        return self.child(f"{actor.name}-handler", actor.handler, {
            **actor.settings,
            "TROUPE_SOCKET_DIR": str(self.socket_folder(actor)),
            "TROUPE_CONCURRENCY": str(actor.concurrency),
            "PYTHONDONTWRITEBYTECODE": "1",  # the sources' folders stay as they are
        })

    def sidecar(self, actor: Actor, program: Path) -> Child:
        address = f"127.0.0.1:{free_port()}"
        self.metrics_urls[actor.name] = f"http://{address}"
        return self.child(f"{actor.name}-sidecar", [program], {
            **actor.sidecar_settings,
            "TROUPE_ACTOR_NAME": actor.name,
            "TROUPE_RABBITMQ_URL": self.servers.rabbitmq_url,
            "TROUPE_SOCKET_DIR": str(self.socket_folder(actor)),
            "TROUPE_METRICS_ADDR": address,
            "TROUPE_CONCURRENCY": str(actor.concurrency),
            **({"TROUPE_IS_END_ACTOR": "true"} if actor.is_end else {}),
            **({"TROUPE_GATEWAY_URL": self.gateway_url} if self.reports_by_http else {}),
        })

    def socket_folder(self, actor: Actor) -> Path:
        folder = self.folder / "s" / actor.name
        if len(str(folder / SOCKET_NAME)) > LONGEST_SOCKET_PATH:
            raise Problem(
                f"{folder / SOCKET_NAME} is longer than the {LONGEST_SOCKET_PATH} bytes that a Unix socket's path "
                "may have; set TMPDIR to a shorter one, like /tmp", 73)
        return folder

    @property
    def victims(self) -> list[Child]:
        """What may die at any moment."""
        return [*self.handlers.values(), *self.sidecars.values()]

    @property
    def places(self) -> list[tuple[str, str]]:
        """Where to look around, besides the gateway."""
        return [
            ("sidecar metrics", f"{next(iter(self.metrics_urls.values()))}/metrics"),
            ("broker", self.servers.rabbitmq_url), ("database", self.servers.database_url), ("logs", str(self.logs))]

    @property
    def children(self) -> list[Child]:
        return [self.gateway, *self.handlers.values(), *self.sidecars.values()]

    def start(self) -> None:
        self.logs.mkdir()
        for prefix in ("happy-end", "error-end"):
            (self.results / prefix).mkdir(parents=True)
        for name in self.handlers:
            (self.folder / "s" / name).mkdir(parents=True)
        for child in self.children:
            child.start()
        wait_until(lambda: answers(f"{self.gateway_url}/health"), "the gateway", READY_LIMIT, [self.gateway])
        for name, url in self.metrics_urls.items():
            wait_until(
                lambda url=url: answers(f"{url}/readyz"), f"actor {name}", READY_LIMIT,
                [self.sidecars[name], self.handlers[name]])

    def supervise(self) -> list[str]:
        """To be called often; what was restarted."""
        return [one.child.name for one in self.supervised if one.restarted()]

    def logs_of(self, actor: Optional[str]) -> list[Path]:
        """The logs that tell what became of an envelope at `actor`."""
        names = [f"{actor}-sidecar", f"{actor}-handler"] if actor in self.handlers else []
        return [self.logs / f"{name}.log" for name in [*names, "gateway"]]

    def stop(self) -> None:
        """Along the flow: sidecars finish what they hold, which takes handlers; the gateway hears of it last."""
        stop_all(list(self.sidecars.values()))
        stop_all(list(self.handlers.values()))
        stop_all([self.gateway])


def check_programs(*programs: Path) -> None:
    for program in programs:
        if not program.exists():
            raise Problem(f"{program} is not there; build it first: make build", 69)


class Supervised:
    """Restarts a child as a pod would be: after a pause that doubles while it keeps on crashing."""

    def __init__(self, child: Child, longest_pause: float = LONGEST_PAUSE):
        self.child = child
        self.longest_pause = longest_pause
        self.pause = FIRST_PAUSE
        self.due: Optional[float] = None
        self.started = time.monotonic()

    def restarted(self) -> bool:
        now = time.monotonic()
        if self.child.running:
            return False
        if self.due is None:
            if now - self.started > 2 * self.longest_pause:
                self.pause = FIRST_PAUSE
            self.due = now + self.pause
            self.pause = min(2 * self.pause, self.longest_pause)
        if now < self.due:
            return False
        self.due = None
        self.started = now
        self.child.start()
        return True


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:  # refused, or a status that is an error
        return False
