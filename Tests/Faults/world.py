"""Servers, pipeline, proxy and disk of a run, and what scenarios do to them."""

import contextlib
import dataclasses
import signal
import sys
import time
from pathlib import Path
from typing import Iterator

import servers
from children import Child, run_once
from full_disk import Disk
from pipeline import Actor, Pipeline, check_programs
from proxy import Proxy
from servers import Servers
from watcher import Watcher

REPOSITORY = Path(__file__).resolve().parents[2]
CONCURRENCY = 4
PREFETCH = 2 * CONCURRENCY
SETTINGS = {
    # What takes a minute in production would only make the suite longer.
    "TROUPE_RABBITMQ_HEARTBEAT": "4",
    "TROUPE_RABBITMQ_PREFETCH": str(PREFETCH),
    "TROUPE_GATEWAY_PUBLISH_TIMEOUT": "2s",
    "TROUPE_GATEWAY_OUTBOX_GRACE": "3s",
    # A handler that is killed from outside again and again is no reason to give its envelope up.
    "TROUPE_CRASH_ATTEMPTS": "10",
    # What is injected on purpose is over some time; what handlers say themselves is final.
    "TROUPE_FAULTS_ENABLED": "true",
    "TROUPE_RETRY_ATTEMPTS": "1000",
    "TROUPE_RETRY_ON": "injected_.*",
    "TROUPE_RETRY_INITIAL_DELAY": "100ms",
    "TROUPE_RETRY_MAX_DELAY": "500ms",
}
# Whoever is killed is back after that: long enough to be missed.
LONGEST_PAUSE = 0.4


class World:
    def __init__(self, running: Servers, pipeline: Pipeline, proxy: Proxy, disk: Disk):
        self.servers = running
        self.pipeline = pipeline
        self.proxy = proxy
        self.disk = disk
        self.watcher = Watcher(pipeline)
        self.killed: set[int] = set()
        self.deaths: list[str] = []

    # What is done to processes.

    def kill(self, child: Child) -> None:
        if not child.running:
            return
        if child in self.pipeline.sidecars.values():
            self.watcher.look_at(child)  # its counters go with it
        self.killed.add(child.pid)
        child.kill()

    def ask_to_stop(self, child: Child) -> None:
        if child.running:
            self.killed.add(child.pid)
            child.ask_to_stop()

    @contextlib.contextmanager
    def frozen(self, child: Child) -> Iterator[None]:
        """As if its node had no time for it. Only for a child that nobody kills meanwhile."""
        self.watcher.ignored.add(child.name)  # whose silence is no wonder
        child.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            child.process.send_signal(signal.SIGCONT)
            time.sleep(0.2)
            self.watcher.ignored.discard(child.name)

    def tend(self) -> None:
        """To be called often: restarts who is gone, and notes who went by himself."""
        for child in self.pipeline.children:
            if child.process and not child.running and child.pid not in self.killed:
                self.killed.add(child.pid)
                self.deaths.append(f"{child.name} ended by itself with code {child.process.returncode}")
        self.pipeline.supervise()

    # What is asked of the servers.

    def query(self, sql: str) -> list[list[str]]:
        """The rows; nothing can hold a tab."""
        postgresql = self.servers.postgresql
        command = [postgresql.programs / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
                   "--field-separator=\t", self.servers.database_url, f"--command={sql}"]
        return [line.split("\t") for line in run_once(command, "asking the database", postgresql.env).splitlines()]

    def control(self, *arguments: str) -> str:
        return run_once([self.servers.rabbitmq.control, "--quiet", *arguments], "rabbitmqctl", self.servers.rabbitmq.server.env)

    def queues(self) -> dict[str, tuple[int, int]]:
        """Ready and unacknowledged messages of each, but for sidecars' inboxes: those that have ended leave theirs for a while."""
        lines = self.control(
            "list_queues", "--no-table-headers", "name", "messages_ready", "messages_unacknowledged").splitlines()
        return {name: (int(ready), int(unacknowledged)) for name, ready, unacknowledged in map(str.split, lines)
                if not name.startswith("troupe.control.inbox.")}


@contextlib.contextmanager
def started(folder: Path, programs: Path, reports_by_http: bool) -> Iterator[World]:
    check_programs(*(programs / name for name in ("troupe", "troupe-sidecar")))
    (folder / "results").mkdir()
    with contextlib.ExitStack() as stack:
        disk = Disk(folder / "results")  # before anybody is started who writes there
        stack.callback(disk.close)
        running = stack.enter_context(servers.started(folder, durable=True))
        proxy = Proxy(running.rabbitmq.port)
        stack.callback(proxy.close)
        port_before, port = f":{running.rabbitmq.port}/", f":{proxy.port}/"
        proxied = dataclasses.replace(running, rabbitmq_url=running.rabbitmq_url.replace(port_before, port))
        pipeline = Pipeline(
            actors(folder, programs), proxied, folder, programs, REPOSITORY / "deploy/demo/tools.yaml",
            reports_by_http=reports_by_http, settings=SETTINGS, longest_pause=LONGEST_PAUSE)
        stack.callback(pipeline.stop)
        pipeline.start()
        yield World(running, pipeline, proxy, disk)


def actors(folder: Path, programs: Path) -> list[Actor]:
    runtime = [sys.executable, REPOSITORY / "actors/runtime/troupe_runtime.py"]
    route = [
        Actor(name, runtime, {"TROUPE_HANDLER": f"handlers.{name}", "PYTHONPATH": str(Path(__file__).parent)},
              concurrency=CONCURRENCY, sidecar_settings=settings)
        # The broker shall not take a frozen sidecar for dead while a slow machine deletes its queue.
        for name, settings in (("split", {}), ("flaky", {}), ("slow", {"TROUPE_RABBITMQ_HEARTBEAT": "30"}))
    ]
    results = {"TROUPE_RESULTS_DIR": str(folder / "results")}
    crew = [
        Actor(name, [programs / "troupe", "crew", name], results, is_end=True, concurrency=CONCURRENCY)
        for name in ("happy-end", "error-end")
    ]
    return [*route, *crew]
