"""Many open event streams: the gateway's memory for each, its CPU time in silence, and when the last one hears an event."""

import json
import resource
import select
import socket
import time
from typing import Iterator, Sequence

import guard
from figure import Bound, Figure
from suites.gateway_world import World, median, spread

# The gateway must hold them, too: it inherits what we may open.
OPEN_FILES = 65_536
LIMIT = 60
SILENCE = 6
EVENTS = 5


def figures(world: World) -> Iterator[Figure]:
    bench = world.bench
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, OPEN_FILES), most))
    for count in [50, 200] if bench.quick else [1000, 10_000]:
        memory, cpu = of_one_each(world, count)
        bound = None if bench.quick or count < 1000 else Bound(16, at_most=True, of="value")
        yield Figure(f"{count:,} streams of an envelope each, resident memory of one", memory, "KiB", bound=bound)
        yield Figure(f"{count:,} streams of an envelope each, gateway CPU in silence", cpu, "% of a core")
        memory, delays = of_all(world, count)
        yield Figure(f"{count:,} streams of all envelopes, resident memory of one", memory, "KiB", bound=bound)
        yield Figure(
            f"{count:,} streams of all envelopes, until the last one hears an event", median(delays), "ms",
            spread=spread(delays), samples=len(delays))


def of_one_each(world: World, count: int) -> tuple[float, float]:
    """KiB for each, and the share of a core that they take while nothing happens."""
    world.sql(f"""
        TRUNCATE envelopes CASCADE;
        INSERT INTO envelopes (id, route_actors, status) SELECT 's' || n, '{{a}}', 'running' FROM generate_series(1, {count}) n;
        INSERT INTO envelope_updates (envelope_id, status) SELECT id, 'running' FROM envelopes;""")
    world.restart()
    before = world.resident_kib()
    with Streams(world, [f"/envelopes/s{number}/stream" for number in range(1, count + 1)]) as streams:
        streams.hear(count)
        memory = (world.resident_kib() - before) / count
        cpu, begin = world.cpu_seconds(), time.monotonic()
        time.sleep(1 if world.bench.quick else SILENCE)
        return memory, (world.cpu_seconds() - cpu) / (time.monotonic() - begin) * 100


def of_all(world: World, count: int) -> tuple[float, list[float]]:
    """KiB for each, and the milliseconds until an event has come to all, event by event."""
    world.sql("TRUNCATE envelopes CASCADE; INSERT INTO envelopes (id, route_actors, status) VALUES ('w', '{a}', 'running');")
    world.restart()
    before = world.resident_kib()
    with Streams(world, ["/stream"] * count) as streams:
        time.sleep(1)
        memory = (world.resident_kib() - before) / count
        delays = []
        for number in range(EVENTS):
            begin = time.monotonic()
            report(world, number)
            streams.hear(count)
            delays.append((time.monotonic() - begin) * 1e3)
            time.sleep(0.2)
        return memory, delays


def report(world: World, number: int) -> None:
    connection = world.connection()
    body = {"status": "processing", "actors": ["a"], "current_actor_idx": 0, "message": f"event {number}"}
    connection.request("POST", "/envelopes/w/progress", json.dumps(body))
    if connection.getresponse().status != 200:
        raise guard.Problem(f"the report was refused, see {world.gateway.log}")
    connection.close()


class Streams:
    """Open streams, read as what comes comes."""

    def __init__(self, world: World, paths: Sequence[str]):
        self.port = world.port
        self.paths = paths
        self.sockets: dict[int, socket.socket] = {}
        self.poll = select.epoll()

    def __enter__(self) -> "Streams":
        for path in self.paths:
            opened = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)
            opened.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
            self.sockets[opened.fileno()] = opened
            # Read to the end of the head, which tells that it was taken: no more than one waits.
            head = b""
            while b"\r\n\r\n" not in head:
                piece = opened.recv(1)
                if not piece:
                    raise guard.Problem(f"stream {len(self.sockets)} of {len(self.paths)} was closed")
                head += piece
            if not head.startswith(b"HTTP/1.1 200"):
                raise guard.Problem(f"stream {len(self.sockets)} was refused: {head.splitlines()[0].decode()}")
            self.poll.register(opened.fileno(), select.EPOLLIN)
        return self

    def __exit__(self, *_: object) -> None:
        self.poll.close()
        for opened in self.sockets.values():
            opened.close()

    def hear(self, count: int) -> None:
        """Returns when so many have heard an event."""
        heard: set[int] = set()
        until = time.monotonic() + LIMIT
        while len(heard) < count:
            for number, _ in self.poll.poll(1, 1024):
                data = self.sockets[number].recv(65_536)
                if not data:
                    raise guard.Problem("the gateway has closed a stream")
                if b"event: " in data:
                    heard.add(number)
            if time.monotonic() > until:
                raise guard.Problem(f"after {LIMIT} s {len(heard)} of {count} streams have heard the event")
