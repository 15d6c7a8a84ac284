"""A gateway beside its servers, and how it looks from outside: its CPU time, its memory, its tables, its queues."""

import http.client
import json
import statistics
import urllib.request
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Sequence

from bench import Bench
from children import Child, environment_without, free_port, run_once, wait_until
from servers import Servers

READY_LIMIT = 30
# So many submit or report at the same time, to the gateway or to the bare database.
CLIENTS = 16
LOAD = Path(__file__).resolve().parents[1] / "load"


class World:
    def __init__(self, bench: Bench, running: Servers, troupe: Path, sidecar: Path):
        self.bench = bench
        self.servers = running
        self.sidecar = sidecar
        # Where both were built.
        self.programs = troupe.parent
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        bench.folder.joinpath("logs").mkdir()
        self.gateway = Child("gateway", [troupe, "gateway"], bench.folder / "logs" / "gateway.log", {
            **environment_without("TROUPE_", "ASYA_"), "TROUPE_DATABASE_URL": running.database_url,
            "TROUPE_RABBITMQ_URL": running.rabbitmq_url, "TROUPE_GATEWAY_PORT": str(self.port),
            "TROUPE_GATEWAY_OUTBOX_LIMIT": "10000000", "TROUPE_GATEWAY_MAX_CONNECTIONS": "20000",
            "TROUPE_GATEWAY_MAX_STREAMS": "20000", "TROUPE_LOG_LEVEL": "warning"})

    # MARK: The gateway

    def start(self) -> None:
        self.gateway.start()
        wait_until(self.is_ready, "the gateway", READY_LIMIT, [self.gateway])

    def stop(self) -> None:
        self.gateway.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def metric(self, name: str) -> int:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return next((int(float(line.split()[-1])) for line in lines if line.startswith(name)), 0)

    def cpu_seconds(self) -> float:
        # Threads that have ended are in the sum of the process only, which has a coarser clock.
        tasks = Path(f"/proc/{self.gateway.pid}/task").glob("*/schedstat")
        return sum(int(path.read_text().split()[0]) for path in tasks) / 1e9

    def resident_kib(self) -> int:
        lines = Path(f"/proc/{self.gateway.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    # MARK: The database

    def sql(self, statement: str) -> str:
        """What the last statement answers, as psql prints it without ornaments."""
        postgresql = self.servers.postgresql
        return run_once(
            [postgresql.programs / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--single-transaction",
             "--set=ON_ERROR_STOP=1", "--file=-"],
            "a statement", {**postgresql.env, "PGDATABASE": "troupe"}, limit=300, given=statement).strip()

    def count(self, table: str, condition: str = "true") -> int:
        return int(self.sql(f"SELECT count(*) FROM {table} WHERE {condition}"))

    def pgbench(self, script: str, seconds: float) -> float:
        """Transactions per second."""
        postgresql = self.servers.postgresql
        path = self.bench.folder / "pgbench.sql"
        path.write_text(script)
        report = run_once(
            [postgresql.programs / "pgbench", "--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", "--jobs=2",
             f"--time={seconds:.0f}", f"--file={path}"],
            "pgbench", {**postgresql.env, "PGDATABASE": "troupe"}, limit=seconds + 60)
        return float(next(line.split()[2] for line in report.splitlines() if line.startswith("tps = ")))

    # MARK: The broker

    def channel(self) -> Any:
        import pika
        parameters = pika.URLParameters(self.servers.rabbitmq_url)
        return pika.BlockingConnection(parameters).channel()

    def add_queue(self, actor: str) -> None:
        """Where messages stay: nobody works there."""
        channel = self.channel()
        channel.queue_declare(f"troupe-{actor}", durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(f"troupe-{actor}", "troupe", actor)
        channel.connection.close()

    def depth(self, queue: str) -> int:
        channel = self.channel()
        depth = channel.queue_declare(queue, passive=True).method.message_count
        channel.connection.close()
        return depth

    # MARK: Load

    def wrk(self, path: str, seconds: float, *arguments: object) -> Mapping[str, float]:
        """Requests over connections that stay open: `requests`, `failures`, `seconds`, and `p50`, `p99` in milliseconds."""
        report = run_once(
            ["wrk", "--threads=1", f"--connections={CLIENTS}", f"--duration={seconds:.0f}s", "--timeout=20s",
             f"--script={LOAD / 'post.lua'}", self.url + path, "--", *arguments],
            "wrk", environment_without(), limit=seconds + 60)
        return json.loads(report.splitlines()[-1])

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)


def quantile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(values: Sequence[float]) -> Optional[tuple[float, float]]:
    return (min(values), max(values)) if len(values) > 1 else None


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
