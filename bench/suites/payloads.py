"""Payloads from 100 bytes to 16 MiB over one hop, beside the C relay: how many megabytes (10^6 bytes) of them pass in
a second. From 64 KiB on that should not fall: a payload is copied, never decoded. Classic queues."""

from typing import Iterator

import servers
from bench import Bench
from broker import Broker
from course import measure
from courses import Relay, Troupe, null
from figure import Bound, Figure
from plot import Line, Plot
from statistic import figure, median

SIZES = {100: "100 B", 1 << 10: "1 KiB", 64 << 10: "64 KiB", 1 << 20: "1 MiB", 16 << 20: "16 MiB"}
FULL_SPEED = 64 << 10
MOST, LEAST, BYTES = 20_000, 16, 256 << 20
DOES_NOT_FALL = Bound(1, at_most=False)


def figures(bench: Bench) -> Iterator[Figure]:
    with servers.broker(bench.folder) as rabbitmq:
        broker = Broker(bench, rabbitmq)
        courses = [Relay(broker, bench.folder, "classic"), Troupe(bench, broker, "classic", null(broker))]
        speeds: dict[str, dict[int, list[float]]] = {course.name: {size: [] for size in SIZES} for course in courses}
        for _ in bench.turns("payloads"):
            for size in SIZES:
                for course in courses:
                    rate = measure(course, count(bench, size), size).rate
                    speeds[course.name][size].append(rate * size / 1e6)
    relay, sidecar = speeds.values()
    for size, name in SIZES.items():
        yield figure(f"C relay: {name} payloads", relay[size], "MB/s")
        yield figure(f"sidecar: {name} payloads", sidecar[size], "MB/s", "the C relay's", relay[size])
    for size, name in SIZES.items():
        if size > FULL_SPEED:
            against = f"that of {SIZES[FULL_SPEED]}"
            yield figure(f"C relay: {name} payloads", relay[size], "MB/s", against, relay[FULL_SPEED])
            yield figure(
                f"sidecar: {name} payloads", sidecar[size], "MB/s", against, sidecar[FULL_SPEED], DOES_NOT_FALL)
    bench.draw(Plot(
        "payloads", "One hop, by the size of the payload", "MB/s of payload", "payload",
        [Line(name, [(size, median(all)) for size, all in of.items()])
         for name, of in (("C relay", relay), ("Troupe's sidecar", sidecar))], ticks=dict(SIZES)))


def count(bench: Bench, size: int) -> int:
    return 4 if bench.quick else max(LEAST, min(MOST, BYTES // size))
