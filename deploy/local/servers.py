"""The servers of a run: RabbitMQ, PostgreSQL and, on request, S3, side by side in one throw-away folder."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional

import schema
from guard import say
from postgresql import PostgreSQL
from rabbitmq import RabbitMQ
from s3 import S3


@dataclass(frozen=True)
class Servers:
    rabbitmq_url: str
    database_url: str
    s3_endpoint: Optional[str]
    # For whoever stops and starts them.
    rabbitmq: RabbitMQ
    postgresql: PostgreSQL

    def settings(self) -> dict[str, str]:
        """What tests read to find them."""
        settings = {**self.rabbitmq.settings(), "TROUPE_TEST_DATABASE_URL": self.database_url}
        if self.s3_endpoint:
            settings["TROUPE_TEST_S3_ENDPOINT"] = self.s3_endpoint
        return settings


@contextlib.contextmanager
def started(folder: Path, with_s3: bool = False, durable: bool = False) -> Iterator[Servers]:
    begin = time.monotonic()
    rabbitmq = RabbitMQ(folder / "rabbitmq")
    postgresql = PostgreSQL(folder / "postgresql", durable)
    servers = [rabbitmq, postgresql, *([S3(folder)] if with_s3 else [])]
    with contextlib.ExitStack() as stack:
        for server in servers:  # none waits for another: RabbitMQ, the slowest, goes first
            stack.callback(server.stop)
            server.start()
        for server in servers:
            server.wait()
        deployed = schema.deploy(postgresql.url, folder)
        say(
            f"servers are up after {time.monotonic() - begin:.1f} s: RabbitMQ on 127.0.0.1:{rabbitmq.port}, "
            f"PostgreSQL on 127.0.0.1:{postgresql.port}{'' if deployed else ' (no schema to deploy)'}"
            + (f", S3 on {servers[2].endpoint}" if with_s3 else ""))
        yield Servers(
            rabbitmq.url, postgresql.url, servers[2].endpoint if with_s3 else None, rabbitmq, postgresql)


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[RabbitMQ]:
    """RabbitMQ alone, for a test that does to it what others must not suffer from: alarms, restarts."""
    rabbitmq = RabbitMQ(folder / "rabbitmq")
    with contextlib.ExitStack() as stack:
        stack.callback(rabbitmq.stop)
        rabbitmq.start()
        rabbitmq.wait()
        yield rabbitmq
