"""A broker that can do what a real one does only on a bad day. Answers the handshake, confirms publishes, and obeys
lines on standard input: `stall` (reads no more), `resume`, `mute` (sends no more heartbeats), `block`, `unblock`,
`send HEX` (those bytes, as they are). First argument: how it meets a connection: `amqp`, `silent` or `http`.

Says its port on the first line, then `stalled`, `published N` (bytes of body) and the like as they happen.
"""

import socket
import struct
import sys
import threading
import time

talking = threading.Lock()
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8


def short(text: str) -> bytes:
    return struct.pack(">B", len(text)) + text.encode()


def method(channel: int, class_id: int, method_id: int, arguments: bytes = b"") -> bytes:
    return frame(METHOD, channel, struct.pack(">HH", class_id, method_id) + arguments)


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


class Connection:
    def __init__(self, peer: socket.socket):
        self.peer = peer
        self.reads = threading.Event()
        self.reads.set()
        self.beats = True
        self.published = 0
        self.missing = 0
        self.lock = threading.Lock()

    def send(self, data: bytes) -> None:
        with self.lock:
            self.peer.sendall(data)

    def receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            self.reads.wait()
            part = self.peer.recv(min(count - len(data), 4096))
            if not part:
                raise ConnectionError
            data += part
        return data

    def serve(self) -> None:
        try:
            assert self.receive(8) == b"AMQP\x00\x00\x09\x01"
            self.send(method(0, 10, 10, b"\0\x09" + bytes(4) + struct.pack(">I", 5) + b"PLAIN" + bytes(4)))
            while True:
                kind, channel, size = struct.unpack(">BHI", self.receive(7))
                payload = self.receive(size)
                assert self.receive(1) == b"\xce"
                self.take(kind, channel, payload)
        except OSError:
            say("gone")

    def take(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == METHOD:
            answer = {
                (10, 11): method(0, 10, 30, struct.pack(">HIH", 0, 131072, 1)),  # start-ok: tune, a heartbeat a second
                (10, 40): method(0, 10, 41, b"\0"),
                (20, 10): method(channel, 20, 11, bytes(4)),
                (85, 10): method(channel, 85, 11),
                (60, 10): method(channel, 60, 11),
                (60, 20): method(channel, 60, 21, short("troupe")),
                (10, 50): method(0, 10, 51),
            }.get(struct.unpack(">HH", payload[:4]))
            if answer:
                self.send(answer)
            if payload[:4] == b"\0\x0a\0\x28":  # open: from here on there are heartbeats
                threading.Thread(target=self.beat, daemon=True).start()
        elif kind == HEADER:
            self.missing = struct.unpack(">Q", payload[4:12])[0]
            self.size = self.missing
        elif kind == BODY:
            self.missing -= len(payload)
        elif kind == HEARTBEAT:
            say("heartbeat")
        if kind in (HEADER, BODY) and self.missing == 0:
            self.published += 1
            self.send(method(channel, 60, 80, struct.pack(">QB", self.published, 0)))
            say(f"published {self.size}")

    def beat(self) -> None:
        try:
            while self.beats:
                self.send(frame(HEARTBEAT, 0, b""))
                time.sleep(0.2)
        except OSError:
            pass


def say(text: str) -> None:
    with talking:
        print(text, flush=True)


def main(manner: str) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    # As over a real network: with loopback's huge segments the kernel would take megabytes at once.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    say(str(listener.getsockname()[1]))
    connections: list = []

    def accept() -> None:
        while True:
            peer = listener.accept()[0]
            if manner == "http":
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            connection = Connection(peer)
            connections.append(connection)
            if manner == "amqp":
                threading.Thread(target=connection.serve, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        for connection in connections:
            if command == "stall":
                connection.reads.clear()
            elif command == "resume":
                connection.reads.set()
            elif command == "mute":
                connection.beats = False
            elif command == "block":
                connection.send(method(0, 10, 60, short("low on patience")))
            elif command == "unblock":
                connection.send(method(0, 10, 61))
            elif command == "send":
                connection.send(bytes.fromhex(argument))
        say(f"did {command}")


main(sys.argv[1])
