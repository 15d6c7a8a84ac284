"""A TCP proxy before the broker that can cut connections after so many bytes, half-close, stall and delay them."""

import random
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import Optional

CHUNK = 65536


@dataclass
class Plan:
    """What happens to a connection."""

    # Bytes of both directions. The handshake takes some 500: most cuts come later, amid a publish or a delivery.
    cut_after: int
    # reset: an abrupt end. close: an orderly one, amid a frame. half_close: only the receiver of the last bytes sees an
    # end. stall: nothing passes any more for some seconds; then reset.
    way: str
    stall: float
    delay: float


def random_plan(generator: random.Random) -> Plan:
    return Plan(
        cut_after=int(10 ** generator.uniform(2.5, 5.8)),
        way=generator.choice(["reset", "reset", "close", "half_close", "stall"]),
        # The longest is longer than the heartbeats' patience.
        stall=generator.choice([0.5, 2, 15]),
        delay=generator.choice([0, 0, generator.uniform(0, 0.02)]))


class Proxy:
    def __init__(self, target_port: int):
        self.target_port = target_port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.connections: set["Connection"] = set()
        self.random: Optional[random.Random] = None
        self.cuts = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def disturb(self, generator: random.Random) -> None:
        """From now on, also connections that there are, with plans drawn from `generator`."""
        with self.lock:
            self.random = generator
            for connection in self.connections:
                connection.plan = random_plan(generator)

    def stop_disturbing(self) -> None:
        with self.lock:
            self.random = None
            for connection in self.connections:
                connection.plan = None

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            with self.lock:
                connection = Connection(self, client, random_plan(self.random) if self.random else None)
                self.connections.add(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def close(self) -> None:
        shut(self.listener, socket.SHUT_RDWR)
        self.listener.close()

    def forget(self, connection: "Connection") -> None:
        with self.lock:
            self.connections.discard(connection)


class Connection:
    def __init__(self, proxy: Proxy, client: socket.socket, plan: Optional[Plan]):
        self.proxy = proxy
        self.client = client
        self.plan = plan
        self.is_abrupt = False

    def run(self) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.proxy.target_port), timeout=5)
        except OSError:
            self.client.close()
            return self.proxy.forget(self)
        server.settimeout(None)
        back = threading.Thread(target=self.bring, args=(server, self.client), daemon=True)
        back.start()
        self.bring(self.client, server)
        back.join(1)
        for end in (self.client, server):
            end.close()
        self.proxy.forget(self)

    def bring(self, source: socket.socket, sink: socket.socket) -> None:
        """One direction, until somebody ends the connection: then so does the other direction."""
        try:
            while data := source.recv(CHUNK):
                plan = self.plan
                if plan and plan.delay:
                    time.sleep(plan.delay)
                if plan and len(data) >= plan.cut_after:
                    return self.cut(plan, data, source, sink)
                if plan:
                    plan.cut_after -= len(data)
                sink.sendall(data)
        except OSError:
            pass
        if not self.is_abrupt:
            finish(source, sink)

    def cut(self, plan: Plan, data: bytes, source: socket.socket, sink: socket.socket) -> None:
        self.proxy.cuts += 1
        sink.sendall(data[:max(0, plan.cut_after)])
        plan.cut_after = 1 << 60  # once is enough
        if plan.way == "half_close":
            sink.shutdown(socket.SHUT_WR)
            while source.recv(CHUNK):
                pass
        elif plan.way == "stall":
            time.sleep(plan.stall)
        self.is_abrupt = plan.way in ("reset", "stall")
        if self.is_abrupt:
            for end in (source, sink):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                shut(end, socket.SHUT_RD)  # tells the peer nothing yet, but wakes the other direction
        else:
            finish(source, sink)


def finish(*ends: socket.socket) -> None:
    for end in ends:
        shut(end, socket.SHUT_RDWR)


def shut(end: socket.socket, how: int) -> None:
    try:
        end.shutdown(how)
    except OSError:
        pass  # it is gone already
