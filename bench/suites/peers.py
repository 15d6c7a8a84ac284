"""Three hops with handlers in Python, beside what one would take instead: Celery (prefork and solo), Dramatiq,
FastStream. The same work (none) on the same payloads (1 KiB), three handler processes each, at most 64 messages
taken ahead, and everybody as durable as it can: durable classic queues, persistent messages, publisher confirms,
acknowledgement after the work and after sending on. Nobody keeps results; only Troupe sends a fourth message, the
result's. CPU time is that of all its processes, without the broker."""

import os
import signal
from pathlib import Path
from typing import Iterator, Sequence

import servers
from bench import REPOSITORY, Bench
from broker import Broker
from children import Child, run_once, stop_all, tail
from course import Course, Sample, measure
from courses import PREFETCH, Troupe, python, swift
from figure import Bound, Figure
from guard import Problem
from plot import Bar, Plot
from statistic import figure, median

PEERS = REPOSITORY / "bench" / "peers"
PACKAGES = ["celery==5.7.0", "dramatiq[rabbitmq]==2.2.1", "faststream[rabbit,cli]==0.7.8"]
SIZE = 1024
STEPS = ("first", "second", "third")
LINE = 9
FILL_LIMIT = 120
FIVE_TIMES = Bound(5, at_most=False)


def figures(bench: Bench) -> Iterator[Figure]:
    venv = bench.python(PACKAGES)
    with servers.broker(bench.folder) as rabbitmq:
        broker = Broker(bench, rabbitmq)
        contenders = courses(bench, broker, venv)
        samples: dict[str, list[Sample]] = {course.name: [] for course, _ in contenders}
        for _ in bench.turns("peers"):
            for course, count in contenders:
                samples[course.name].append(measure(course, 40 if bench.quick else count, SIZE))
    ours, *others = samples
    rates = {name: [sample.rate for sample in all] for name, all in samples.items()}
    for name, all in samples.items():
        yield figure(f"{name}: throughput of three hops", rates[name], "envelopes/s")
        yield figure(f"{name}: CPU time for each envelope", [sample.cpu_microseconds for sample in all], "us")
    for name in others:
        bound = FIVE_TIMES if name.startswith("Celery") else None
        if not name.startswith("Troupe"):
            what = f"{ours}: throughput against {name}"
            yield figure(what, rates[ours], "envelopes/s", f"{name}'s", rates[name], bound)
    bench.draw(Plot("peers", "Three hops that do nothing, 1 KiB", "envelopes per second", bars=[
        Bar(name, median(all)) for name, all in rates.items()]))


def courses(bench: Bench, broker: Broker, venv: Path) -> list[tuple[Course, int]]:
    """Each with as many envelopes as take it some seconds."""
    def troupe(handler) -> Troupe:
        return Troupe(bench, broker, "classic", handler, STEPS, concurrency=1, whole=True)

    def celery(pool: str, queues: Sequence[str], processes: int, name: str) -> list[object]:
        return [
            venv / "bin" / "celery", "--app", "celery_chain", "worker", "--pool", pool, "--concurrency", processes,
            "--queues", ",".join(f"celery-{queue}" for queue in queues), "--hostname", f"{name}@localhost",
            "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]

    def peer(name: str, module: str, commands: Sequence[Sequence[object]], processes: int = 1, **more) -> Peer:
        return Peer(name, module, commands, bench, broker, venv, processes, **more)

    # Celery's own word for stopping at once; asked politely, it takes longer than what is measured.
    at_once = {"stop_signal": signal.SIGQUIT}

    return [
        (troupe(python()), 8_000),
        (troupe(swift(bench)), 8_000),
        (peer("Celery, prefork", "celery_chain", [celery("prefork", STEPS, 3, "all")], 3, **at_once), 1_000),
        (peer("Celery, solo", "celery_chain", [celery("solo", [step], 1, step) for step in STEPS], **at_once), 1_000),
        (peer("Dramatiq", "dramatiq_chain", [
            [venv / "bin" / "dramatiq", "dramatiq_chain", "--processes", 3, "--threads", 1]]), 1_000),
        (peer("FastStream", "faststream_chain", [
            [venv / "bin" / "faststream", "run", "faststream_chain:app"]] * 3), 2_000),
    ]


class Peer:
    """A course of somebody else's: its last step writes the number of what has come through into a file."""

    def __init__(
        self, name: str, module: str, commands: Sequence[Sequence[object]], bench: Bench, broker: Broker, venv: Path,
        processes: int, stop_signal: int = signal.SIGTERM,
    ):
        self.name = name
        self.broker = broker
        self.module = module
        self.prefix = module.removesuffix("_chain")
        self.python = venv / "bin" / "python"
        self.through = bench.folder / f"{module}.done"
        self.env = {
            **os.environ, "BENCH_DONE": str(self.through), "BENCH_PREFETCH": str(PREFETCH),
            "BENCH_PROCESSES": str(processes), "BROKER_URL": broker.url, "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(PEERS), "dramatiq_queue_prefetch": str(PREFETCH)}
        self.children = [
            Child(
                f"{name} {number}", command, bench.folder / f"{module}-{number}.log", self.env, cwd=bench.folder,
                stop_signal=stop_signal, patience=1)
            for number, command in enumerate(commands, 1)]

    @property
    def measured(self) -> Sequence[Child]:
        return self.children

    def prepare(self, count: int, size: int) -> None:
        self.broker.delete(f"{self.prefix}-{step}" for step in STEPS)
        self.through.write_bytes(b"")
        code = f"import {self.module}; {self.module}.fill({count}, {size})"
        run_once([self.python, "-c", code], f"filling for {self.name}", self.env, limit=FILL_LIMIT)

    def start(self) -> None:
        for child in self.children:
            child.start()

    def done(self) -> int:
        return self.through.stat().st_size // LINE

    def verify(self, count: int) -> None:
        numbers = sorted(map(int, self.through.read_text().split()))
        if numbers != list(range(count)):
            raise Problem(
                f"{self.name}: of {count} envelopes {len(set(numbers))} came through, {len(numbers)} times\n"
                f"{tail(self.children[0].log)}")

    def stop(self) -> None:
        stop_all(self.children)
