"""What an envelope costs with 1,000,000 waiting in the queue, against 1,000 waiting. A filler keeps the queue as full as
it is while envelopes of 100 bytes are taken from it, in both cases. Cost is time, and of it the CPU time of who takes
them and of the broker. The C relay shows what is the broker's own. The two queues can't take turns, since filling one
takes longest: the short one comes first."""

import collections
from typing import Iterator, Optional, Sequence

import servers
from bench import Bench
from broker import END, Broker
from children import Child, tail, wait_until
from course import passed
from courses import QueueCourse, Relay, Troupe, null
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
            relay, sidecar = Relay(broker, bench.folder, kind), Troupe(bench, broker, kind, null(broker))
            queues = []
            for full in (SHORT, 20 * SHORT if bench.quick else LONG):
                queue = Queue(bench, broker, sidecar.route, kind)
                queue.fill(full)
                for _ in range(bench.rounds):
                    for course in (relay, sidecar):
                        queue.costs[course.name].append(queue.cost(course))
                queue.verify()
                queues.append(queue)
            yield from compared(relay, *queues, None)
            yield from compared(sidecar, *queues, BOUND)


def compared(course: QueueCourse, short: "Queue", long: "Queue", bound: Optional[Bound]) -> Iterator[Figure]:
    for index, what in enumerate(("time", "its CPU time", "the broker's CPU time")):
        least, most = ([cost[index] for cost in queue.costs[course.name]] for queue in (short, long))
        name = f"{course.name}, {course.kind}"
        yield figure(f"{name}, {short.waiting:,} waiting: {what} for each envelope", least, "us")
        yield figure(
            f"{name}, {long.waiting:,} waiting: {what} for each envelope", most, "us",
            f"that with {short.waiting:,} waiting", least, None if what.startswith("the broker's") else bound)


class Queue:
    def __init__(self, bench: Bench, broker: Broker, route: Sequence[str], kind: str):
        self.bench, self.broker, self.route, self.kind = bench, broker, route, kind
        self.broker.declare(route, kind)
        self.costs: dict[str, list[tuple[float, float, float]]] = collections.defaultdict(list)
        self.sent = 0
        self.waiting = 0

    def fill(self, full: int) -> None:
        until = self.bench.seconds_left * 0.4
        step = min(full, STEP)
        while self.sent < full:
            if self.sent and self.bench.seconds_left < until:
                self.bench.cut(f"{self.kind} queues: {self.sent:,} envelopes waiting instead of {full:,}")
                break
            self.broker.fill(self.route, step, SIZE, self.sent)
            self.sent += step
        self.waiting = self.sent

    def cost(self, course: QueueCourse) -> tuple[float, float, float]:
        """Microseconds for each envelope: of time, of the course's CPU time, of the broker's."""
        count = SHORT if self.bench.quick else 20 * SHORT
        already = self.broker.depth(END)
        filler = Child(
            "fill", [*self.broker.filler(self.route, count, SIZE, self.sent), f"troupe-{self.route[0]}",
                     self.waiting], self.bench.folder / "fill.log", self.broker.env)
        self.sent += count
        filler.start()
        course.start()
        try:
            begin, done, cpu = passed(course, already + count // 10)
            broker = self.broker_seconds()
            end, total, cpu_after = passed(course, already + count)
            broker_after = self.broker_seconds()
            wait_until(lambda: not filler.running, "the filler", 60)
        finally:
            course.stop()
        if filler.process.returncode != 0:
            raise Problem(f"the filler failed\n{tail(filler.log)}")
        each = (total - done) / 1e6
        return (end - begin) / each, (cpu_after - cpu) / each, (broker_after - broker) / each

    def broker_seconds(self) -> float:
        return cpu_seconds([self.broker.rabbitmq.server.pid])

    def verify(self) -> None:
        """What was not taken is still there. Who takes is stopped in the midst of it: some envelopes may come again."""
        again = self.broker.take_all(self.route, self.sent, f"{self.kind} queues", interrupted=True)
        if again:
            self.bench.say(f"    {again} of {self.sent:,} envelopes came again, since they were interrupted")
