"""More at a time: one sidecar whose handler takes 1, 8 or 64 calls at once, and 1 to 16 sidecars on one queue. With a
handler that waits 5 ms for somebody else, as many do, more at a time should be that much faster until the machine
is full; with one that answers at once it is full from the start, and more sidecars should at least not make it
slower."""

from typing import Iterator

import servers
from bench import Bench
from broker import Broker
from course import Sample, measure
from courses import Troupe, null
from figure import Figure
from plot import Line, Plot
from statistic import figure, median

KIND = "classic"
SIZE = 1024
WAIT = 5
CONCURRENCIES = (1, 8, 64)
REPLICAS = (1, 2, 4, 8, 16)
SECONDS = 2
# Of the time left, in the order of measuring.
SHARES = {("concurrency", WAIT): 0.2, ("concurrency", 0): 0.25, ("replicas", WAIT): 0.5}
MOST = 15_000


def figures(bench: Bench) -> Iterator[Figure]:
    with servers.broker(bench.folder) as rabbitmq:
        broker = Broker(bench, rabbitmq)
        for name, numbers, variable in (
            ("calls at once", CONCURRENCIES, "concurrency"), ("sidecars on one queue", REPLICAS, "replicas")):
            lines = []
            for milliseconds, handler in ((WAIT, f"a handler that waits {WAIT} ms"), (0, "null handler")):
                samples = rounds(bench, broker, numbers, variable, milliseconds, f"{name}, {handler}")
                for number in numbers:
                    rates, one = ([sample.rate for sample in samples[n]] for n in (number, 1))
                    against = ("one's", one) if number > 1 else ()
                    yield figure(f"{name}: {number}, {handler}: throughput", rates, "envelopes/s", *against)
                lines.append(Line(handler, [(n, median([sample.rate for sample in samples[n]])) for n in numbers]))
            bench.draw(Plot(f"scaling-{variable}", name.capitalize(), "envelopes per second", name, lines))


def rounds(
    bench: Bench, broker: Broker, numbers: tuple[int, ...], variable: str, milliseconds: int, what: str,
) -> dict[int, list[Sample]]:
    courses = {number: course(bench, broker, number, variable, milliseconds) for number in numbers}
    samples: dict[int, list[Sample]] = {number: [] for number in numbers}
    for _ in bench.turns(what, SHARES.get((variable, milliseconds), 1)):
        for number in numbers:
            rate = number / (milliseconds or 0.1) * 1000
            count = 20 * number if bench.quick else min(MOST, int(rate * SECONDS))
            samples[number].append(measure(courses[number], count, SIZE))
    return samples


def course(bench: Bench, broker: Broker, number: int, variable: str, milliseconds: int) -> Troupe:
    concurrency, replicas = (number, 1) if variable == "concurrency" else (1, number)
    return Troupe(
        bench, broker, KIND, null(broker, milliseconds), concurrency=concurrency, prefetch=2 * concurrency,
        replicas=replicas)
