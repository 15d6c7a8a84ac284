"""What an envelope costs with 1,000,000 waiting in the queue, against 1,000 waiting. A filler keeps the queue as full
as it is while envelopes of 100 bytes are taken from it, in both cases. Cost is time; what of it is the sidecar's
and the broker's CPU time stands beside. The two can't take turns, since filling a queue takes longest: the short
queue comes first."""

from typing import Iterator

import servers
from bench import Bench
from broker import END, Broker
from children import Child, tail, wait_until
from course import passed
from courses import Troupe, null
from figure import Bound, Figure
from guard import Problem
from processes import cpu_seconds
from statistic import figure

KINDS = ("quorum", "classic")
SHORT, LONG, STEP = 1_000, 1_000_000, 100_000
SIZE = 100
BOUND = Bound(1.2, at_most=True)


def figures(bench: Bench) -> Iterator[Figure]:
    with servers.broker(bench.folder) as rabbitmq:
        broker = Broker(bench, rabbitmq)
        for number, kind in enumerate(KINDS):
            if number > 0 and not bench.quick and bench.seconds_left < bench.seconds / 3:
                bench.cut(f"{kind} queues")
                return
            course = Troupe(bench, broker, kind, null(broker))
            costs, depths = {}, {}
            for long in (False, True):
                queue = Queue(bench, course, kind)
                queue.fill(long)
                costs[long], depths[long] = queue.rounds(), queue.waiting
                queue.verify()
            against = f"that with {depths[False]:,} waiting"
            for index, what in enumerate(("time", "the sidecar's CPU time", "the broker's CPU time")):
                least, most = ([cost[index] for cost in costs[long]] for long in (False, True))
                yield figure(f"{kind}, {depths[False]:,} waiting: {what} for each envelope", least, "us")
                yield figure(
                    f"{kind}, {depths[True]:,} waiting: {what} for each envelope", most, "us", against, least,
                    None if index == 2 else BOUND)


class Queue:
    def __init__(self, bench: Bench, course: Troupe, kind: str):
        self.bench, self.course, self.kind = bench, course, kind
        self.broker = course.broker
        self.broker.declare(course.route, kind)
        self.sent = 0
        self.waiting = 0

    def fill(self, long: bool) -> None:
        full = (20 * SHORT if self.bench.quick else LONG) if long else SHORT
        until = self.bench.seconds_left * 0.4
        step = min(full, STEP)
        while self.sent < full:
            if self.sent and self.bench.seconds_left < until:
                self.bench.cut(f"{self.kind} queues: {self.sent:,} envelopes waiting instead of {full:,}")
                break
            self.broker.fill(self.course.route, step, SIZE, self.sent)
            self.sent += step
        self.waiting = self.sent

    def rounds(self) -> list[tuple[float, float, float]]:
        return [self.cost() for _ in range(self.bench.rounds)]

    def cost(self) -> tuple[float, float, float]:
        """Microseconds for each envelope: of time, of the sidecar's CPU time, of the broker's."""
        count = SHORT if self.bench.quick else 20 * SHORT
        already = self.broker.depth(END)
        filler = Child(
            "fill", [*self.broker.filler(self.course.route, count, SIZE, self.sent), f"troupe-{self.course.actors[0]}",
                     self.waiting], self.bench.folder / "fill.log", self.broker.env)
        self.sent += count
        filler.start()
        self.course.start()
        try:
            begin, done, cpu = passed(self.course, already + count // 10)
            broker = self.broker_seconds()
            end, total, cpu_after = passed(self.course, already + count)
            broker_after = self.broker_seconds()
            wait_until(lambda: not filler.running, "the filler", 60)
        finally:
            self.course.stop()
        if filler.process.returncode != 0:
            raise Problem(f"the filler failed\n{tail(filler.log)}")
        each = (total - done) / 1e6
        return (end - begin) / each, (cpu_after - cpu) / each, (broker_after - broker) / each

    def broker_seconds(self) -> float:
        return cpu_seconds([self.broker.rabbitmq.server.pid])

    def verify(self) -> None:
        """What was not taken is still there."""
        self.broker.take_all([*self.course.actors, END], self.sent, self.course.name)
