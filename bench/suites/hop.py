"""One hop, beside the limit: a relay in C that keeps the same promises (consume with prefetch 64, publish persistent
and mandatory with pipelined confirms, acknowledge last). The sidecar's handler is a C program that answers at once,
so what is seen is the sidecar's own cost: throughput, CPU time for each envelope (without broker and handler),
resident memory, and the time from an envelope's publishing until it is in the next queue, at a rate that nothing
has to wait for."""

import time
from typing import Iterator

import servers
from bench import Bench
from broker import Broker
from children import wait_until
from course import Sample, measure
from courses import Relay, Troupe, null
from figure import VALUE, Bound, Figure
from plot import Bar, Plot
from processes import resident_mib
from statistic import figure, median, percentile

KINDS = ("classic", "quorum")
SIZE, LARGE = 1024, 16 << 20
RATE = 100
THROUGHPUT, CPU = Bound(0.8, at_most=False), Bound(3, at_most=True)
P50, P99 = Bound(1.5, at_most=True), Bound(2, at_most=True)
IDLE, LOADED = Bound(12, at_most=True, of=VALUE), Bound(20, at_most=True, of=VALUE)
LARGE_ABOVE_IDLE = Bound(4, at_most=True)


def figures(bench: Bench) -> Iterator[Figure]:
    with servers.broker(bench.folder) as rabbitmq:
        broker = Broker(bench, rabbitmq)
        loaded: list[float] = []
        bars: list[Bar] = []
        for kind in KINDS:
            relay, sidecar = throughput(bench, broker, kind)
            loaded += [sample.peak_mib for sample in sidecar]
            rates, limits = [one.rate for one in sidecar], [one.rate for one in relay]
            cpu, least = [one.cpu_microseconds for one in sidecar], [one.cpu_microseconds for one in relay]
            yield figure(f"C relay, {kind}: throughput", limits, "envelopes/s")
            yield figure(f"sidecar, {kind}: throughput", rates, "envelopes/s", "the C relay's", limits, THROUGHPUT)
            yield figure(f"C relay, {kind}: CPU time for each envelope", least, "us")
            yield figure(f"sidecar, {kind}: CPU time for each envelope", cpu, "us", "the C relay's", least, CPU)
            bars += [Bar(f"C relay, {kind}", median(limits)), Bar(f"Troupe's sidecar, {kind}", median(rates))]
        bench.draw(Plot("hop", "One hop, 1 KiB, prefetch 64", "envelopes per second", bars=bars))
        for kind in KINDS:
            yield from latency(bench, broker, kind)
        yield from memory(bench, broker, loaded)


def throughput(bench: Bench, broker: Broker, kind: str) -> tuple[list[Sample], list[Sample]]:
    courses = [Relay(broker, bench.folder, kind), Troupe(bench, broker, kind, null(broker))]
    samples: dict[str, list[Sample]] = {course.name: [] for course in courses}
    for _ in bench.turns(f"throughput, {kind} queues", 0.4 if kind == KINDS[0] else 0.6):
        for course in courses:
            samples[course.name].append(measure(course, 1_000 if bench.quick else 20_000, SIZE))
    relay, sidecar = samples.values()
    return relay, sidecar


def latency(bench: Bench, broker: Broker, kind: str) -> Iterator[Figure]:
    """One handler's call at a time, as by default; of each round the first tenth is not measured."""
    courses = [Relay(broker, bench.folder, kind), Troupe(bench, broker, kind, null(broker), concurrency=1, prefetch=2)]
    count = 50 if bench.quick else 500
    times: dict[str, list[list[float]]] = {course.name: [] for course in courses}
    for _ in bench.turns(f"latency, {kind} queues", 0.45 if kind == KINDS[0] else 0.9):
        for course in courses:
            broker.declare(course.route, kind)
            course.start()
            try:
                times[course.name].append(broker.latencies(course.route, count, SIZE, RATE)[count // 10:])
            finally:
                course.stop()
    relay, sidecar = times.values()
    for percent, bound in ((50, P50), (99, P99)):
        limits = [percentile(one, percent) for one in relay]
        yield figure(f"C relay, {kind}: p{percent} from queue to queue, {RATE}/s", limits, "us")
        yield figure(
            f"sidecar, {kind}: p{percent} from queue to queue, {RATE}/s", [percentile(one, percent) for one in sidecar],
            "us", "the C relay's", limits, bound)


def memory(bench: Bench, broker: Broker, loaded: list[float]) -> Iterator[Figure]:
    idle, large = [], []
    for _ in bench.turns("memory"):
        course = Troupe(bench, broker, "classic", null(broker), concurrency=1, prefetch=2)
        broker.declare(course.route, "classic")
        course.start()
        try:
            serving = lambda: broker.consumers(course.actors[0]) == 1  # noqa: E731
            wait_until(serving, "the sidecar", 30, course.children)
            time.sleep(0.5)
            idle.append(resident_mib(course.sidecars[0].pid))
        finally:
            course.stop()
        large.append(measure(course, 4 if bench.quick else 12, LARGE).peak_mib)
    yield figure("sidecar: resident memory, idle", idle, "MiB", bound=IDLE)
    yield figure("sidecar: resident memory at most, prefetch 64, 1 KiB", loaded, "MiB", bound=LOADED)
    above = [most - least for most, least in zip(large, idle)]
    payload = LARGE / 2**20
    yield figure(
        "sidecar: resident memory at most above idle, 16 MiB payloads", above, "MiB", "one payload",
        [payload] * len(above), LARGE_ABOVE_IDLE)
