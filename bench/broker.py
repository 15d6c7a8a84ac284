"""The queues of a private RabbitMQ, filled and counted from outside by programs in C: they cost little beside what is
measured."""

import json
import os
from typing import Iterable, Sequence

from bench import Bench, use
from children import run_once
from guard import Problem
from rabbitmq import RabbitMQ

# Where routes here end: a queue that nobody serves.
END = "end"
LIMIT = 240


class Broker:
    def __init__(self, bench: Bench, rabbitmq: RabbitMQ):
        use(bench.python(["pika==1.3.2"]))
        import pika
        self.rabbitmq = rabbitmq
        self.url = rabbitmq.url
        self.env = {**os.environ, "BROKER_URL": rabbitmq.url}
        self.programs = {name: bench.compiled(name) for name in ("count", "fill", "latency", "relay")}
        self.echo = bench.compiled("echo")
        parameters = pika.URLParameters(rabbitmq.url)
        parameters.heartbeat = 0  # nobody is there to answer while something else is waited for
        self.channel = pika.BlockingConnection(parameters).channel()
        for name in ("", "-dlx", ".events"):
            self.channel.exchange_declare(f"troupe{name}", "topic", durable=True)
        self.channel.exchange_declare("troupe.control", "fanout", durable=True)

    def declare(self, actors: Sequence[str], kind: str) -> None:
        """Anew and empty."""
        for actor in actors:
            self.channel.queue_delete(f"troupe-{actor}")
            self.channel.queue_declare(f"troupe-{actor}", durable=True, arguments={"x-queue-type": kind})
            self.channel.queue_bind(f"troupe-{actor}", "troupe", actor)

    def delete(self, queues: Iterable[str]) -> None:
        for queue in queues:
            self.channel.queue_delete(queue)

    def filler(self, route: Sequence[str], count: int, size: int, first: int = 0) -> list[object]:
        return [self.programs["fill"], "troupe", route[0], json.dumps(route), count, size, first]

    def fill(self, route: Sequence[str], count: int, size: int, first: int = 0) -> None:
        """That many envelopes, numbered from `first`, payloads of `size` bytes, into the first queue of `route`."""
        run_once(self.filler(route, count, size, first), "filling a queue", self.env, limit=LIMIT)

    def latencies(self, route: Sequence[str], count: int, size: int, rate: int) -> list[float]:
        """Microseconds from the publishing of an envelope until it is in the last queue of `route`."""
        lines = run_once(
            [self.programs["latency"], "troupe", route[0], json.dumps(route), f"troupe-{route[-1]}", count, size, rate],
            "latencies", self.env, limit=LIMIT)
        return [float(line) for line in lines.split()]

    def depth(self, actor: str) -> int:
        return self.channel.queue_declare(f"troupe-{actor}", passive=True).method.message_count

    def consumers(self, actor: str) -> int:
        return self.channel.queue_declare(f"troupe-{actor}", passive=True).method.consumer_count

    def take_all(self, actors: Sequence[str], count: int, who: str, interrupted: bool = False) -> int:
        """Empties queues, and complains unless each of the envelopes 0 ... count - 1 was there, once.

        Who was `interrupted` may have sent some again, as "at least once" allows: how many.
        """
        queues = [f"troupe-{actor}" for actor in actors]
        said = run_once([self.programs["count"], count, *queues], "counting", self.env, limit=LIMIT)
        distinct, repeated, others = map(int, said.split())
        if (distinct, others) != (count, 0) or (repeated and not interrupted):
            raise Problem(
                f"{who}: of {count} envelopes {distinct} came through, {repeated} of them again; {others} others")
        return repeated
