#!/usr/bin/env python3
"""One hop, side by side with the limit: a C relay that keeps the same promises, against the sidecar with a handler that
answers at once. Messages per second, and CPU time for each; medians of rounds that alternate.

    bench/hop.py [--rounds 3] [--messages 20000] [--size 1024]

Needs Debian's packages and one from PyPI; starts a RabbitMQ of its own. What it says of the sidecar is the sidecar's own
cost: its handler is a C program, and nobody hears its status reports.
"""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence
from urllib.parse import urlparse

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "deploy" / "local"))

import guard  # noqa: E402
import servers  # noqa: E402
import venvs  # noqa: E402
from children import Child, environment_without, free_port, run_once, wait_until  # noqa: E402

PREFETCH = 64
# The first messages are not measured: whoever takes them is only just starting.
WARM_UP = 0.1
POLL = 0.005
LIMIT = 120


@dataclass
class Sample:
    rate: float
    cpu_microseconds: float
    resident_mib: float


class Broker:
    """Its queues, as their reader sees them from outside."""

    def __init__(self, url: str):
        import pika
        self.pika = pika
        self.url = url
        self.channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
        for name in ("", "-dlx", ".events"):
            self.channel.exchange_declare(f"troupe{name}", "topic", durable=True)
        self.channel.exchange_declare("troupe.control", "fanout", durable=True)

    def declare(self, actor: str, kind: str) -> None:
        self.channel.queue_delete(f"troupe-{actor}")
        self.channel.queue_declare(f"troupe-{actor}", durable=True, arguments={"x-queue-type": kind})
        self.channel.queue_bind(f"troupe-{actor}", "troupe", actor)

    def fill(self, actor: str, count: int, size: int) -> None:
        persistent = self.pika.BasicProperties(delivery_mode=2)
        head = json.dumps({"id": "e-%07d", "route": {"actors": ["first", "second"], "current": 0}, "headers": {}})
        text = f'{head[:-1]},"payload":"{"x" * size}"}}'
        for number in range(count):
            self.channel.basic_publish("troupe", actor, text % number, persistent)
        wait_until(lambda: self.depth(actor) == count, "the queue to be full", LIMIT)

    def depth(self, actor: str) -> int:
        return self.channel.queue_declare(f"troupe-{actor}", passive=True).method.message_count


class Relay:
    name = "relay"

    def __init__(self, folder: Path, url: str):
        broker = urlparse(url)
        self.child = Child(self.name, [
            folder / "relay", broker.hostname, broker.port, broker.username, broker.password, "/", "troupe-first",
            "troupe", "second", PREFETCH], folder / "relay.log")

    def start(self) -> None:
        self.child.start()

    def stop(self) -> None:
        self.child.stop()


class Sidecar:
    name = "sidecar"

    def __init__(self, folder: Path, url: str, program: Path):
        sockets = folder / "s"
        sockets.mkdir(exist_ok=True)
        self.handler = Child("echo", [folder / "echo", sockets / "runtime.sock"], folder / "echo.log")
        self.ready = sockets / "runtime-ready"
        self.child = Child(self.name, [program], folder / "sidecar.log", {
            **environment_without("TROUPE_", "ASYA_"), "TROUPE_ACTOR_NAME": "first", "TROUPE_RABBITMQ_URL": url,
            "TROUPE_SOCKET_DIR": str(sockets), "TROUPE_CONCURRENCY": str(PREFETCH),
            "TROUPE_RABBITMQ_PREFETCH": str(PREFETCH), "TROUPE_STATUS_REPORTS": "off",
            "TROUPE_METRICS_ADDR": f"127.0.0.1:{free_port()}", "TROUPE_LOG_LEVEL": "warning"})

    def start(self) -> None:
        self.handler.start()
        self.ready.touch()
        self.child.start()

    def stop(self) -> None:
        self.child.stop()
        self.handler.kill()


def main(folder: Path, rounds: int, messages: int, size: int) -> int:
    venv = venvs.install("venv-bench", ["pika==1.3.2"])
    sys.path[:0] = [str(path) for path in venv.glob("lib/python3*/site-packages")]
    build(folder)
    sidecar = release_sidecar()
    with servers.broker(folder) as rabbitmq:
        broker = Broker(rabbitmq.url)
        takers = [Relay(folder, rabbitmq.url), Sidecar(folder, rabbitmq.url, sidecar)]
        for kind in ("classic", "quorum"):
            samples: dict[str, list[Sample]] = {taker.name: [] for taker in takers}
            for number in range(rounds):
                for taker in takers:
                    samples[taker.name].append(sample(broker, taker, kind, messages, size))
                    guard.say(f"{kind}, round {number + 1} of {rounds}, {taker.name}: {words(samples[taker.name][-1])}")
            print("\n".join([f"\n{kind} queues, {size} bytes, {messages} messages, medians of {rounds}:", *table(samples)]))
    return 0


def build(folder: Path) -> None:
    flags = run_once(["pkg-config", "--cflags", "--libs", "librabbitmq"], "librabbitmq", os.environ).split()
    for name, libraries in (("relay", flags), ("echo", [])):
        source = REPOSITORY / "bench" / "relay" / f"{name}.c"
        run_once(
            ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", folder / name, source, *libraries],
            f"the {name}", os.environ)


def release_sidecar() -> Path:
    guard.say("building the sidecar for release (a minute or two the first time)")
    scratch = REPOSITORY / ".build" / "bench"
    run_once(
        ["swift", "build", "-c", "release", "--static-swift-stdlib", "--product", "troupe-sidecar", "--scratch-path", scratch],
        "the sidecar", os.environ, cwd=REPOSITORY, limit=1200)
    return scratch / "release" / "troupe-sidecar"


def sample(broker: Broker, taker, kind: str, messages: int, size: int) -> Sample:
    for actor in ("first", "second"):
        broker.declare(actor, kind)
    broker.fill("first", messages, size)
    taker.start()
    try:
        begin, done, cpu = passed(broker, taker, int(messages * WARM_UP))
        end, total, cpu_after = passed(broker, taker, messages)
        return Sample(
            (total - done) / (end - begin), (cpu_after - cpu) / (total - done) * 1e6, resident(taker.child.pid))
    finally:
        taker.stop()


def passed(broker: Broker, taker, count: int) -> tuple[float, int, float]:
    """When that many have come to the next queue: the time, how many they are by then, and CPU seconds until then."""
    deadline = time.monotonic() + LIMIT
    while True:
        done = broker.depth("second")
        if done >= count:
            return time.monotonic(), done, cpu_seconds(taker.child.pid)
        if time.monotonic() > deadline or not taker.child.running:
            raise guard.Problem(f"{taker.name}: {done} of {count} messages after {LIMIT} s, see {taker.child.log}")
        time.sleep(POLL)


def cpu_seconds(pid: int) -> float:
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def resident(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def words(one: Sample) -> str:
    return f"{one.rate:,.0f}/s, {one.cpu_microseconds:.1f} us of CPU each, {one.resident_mib:.1f} MiB"


def table(samples: dict[str, list[Sample]]) -> Iterator[str]:
    medians = {name: Sample(*(median(all, field) for field in Sample.__annotations__)) for name, all in samples.items()}
    for name, one in medians.items():
        rates = [sample.rate for sample in samples[name]]
        yield f"    {name:<8} {words(one)}  ({min(rates):,.0f} to {max(rates):,.0f})"
    relay, sidecar = medians["relay"], medians["sidecar"]
    yield (f"    sidecar against relay: {sidecar.rate / relay.rate:.2f} of the throughput, "
           f"{sidecar.cpu_microseconds / relay.cpu_microseconds:.1f} times the CPU")


def median(samples: Sequence[Sample], field: str) -> float:
    return statistics.median(getattr(sample, field) for sample in samples)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=1024, help="bytes of the payload")
    options = parser.parse_args()
    guard.run(lambda folder: main(folder, options.rounds, options.messages, options.size))
