"""As much of AMQP 0-9-1 as it takes to empty a queue and look at what was in it."""

import socket
import struct
import urllib.parse
from typing import Iterator

METHOD, HEADER, BODY = 1, 2, 3
CONNECTION_START, CONNECTION_TUNE, CONNECTION_OPEN_OK = (10, 10), (10, 30), (10, 41)
CHANNEL_OPEN_OK, GET_OK, GET_EMPTY = (20, 11), (60, 71), (60, 72)


def taken_from(url: str, queue: str) -> list[bytes]:
    """The bodies of all messages; the queue is empty then."""
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        channel = Channel(connection, address.username or "", address.password or "")
        return list(channel.messages(queue))


class Channel:
    def __init__(self, connection: socket.socket, user: str, password: str):
        self.connection = connection
        self.stream = connection.makefile("rb")
        connection.sendall(b"AMQP\x00\x00\x09\x01")
        self.expect(CONNECTION_START)
        response = f"\0{user}\0{password}".encode()
        self.send(0, (10, 11), struct.pack(">I", 0) + short("PLAIN") + long(response) + short("en_US"))
        tune = self.expect(CONNECTION_TUNE)
        self.send(0, (10, 31), tune[:6] + struct.pack(">H", 0))
        self.send(0, (10, 40), short("/") + short("") + b"\0")
        self.expect(CONNECTION_OPEN_OK)
        self.send(1, (20, 10), short(""))
        self.expect(CHANNEL_OPEN_OK)

    def messages(self, queue: str) -> Iterator[bytes]:
        while True:
            # Without acknowledgement: what is taken is gone.
            self.send(1, (60, 70), struct.pack(">H", 0) + short(queue) + b"\1")
            if self.method()[0] == GET_EMPTY:
                return
            kind, header = self.frame()
            size = struct.unpack(">Q", header[4:12])[0]
            body = b""
            while len(body) < size:
                body += self.frame()[1]
            yield body

    def expect(self, wanted: tuple[int, int]) -> bytes:
        method, arguments = self.method()
        if method != wanted:
            raise OSError(f"the broker said {method} instead of {wanted}: {arguments!r}")
        return arguments

    def method(self) -> tuple[tuple[int, int], bytes]:
        kind, content = self.frame()
        if kind != METHOD:
            raise OSError(f"frame of kind {kind} instead of a method")
        method = struct.unpack(">HH", content[:4])
        if method not in (CONNECTION_START, CONNECTION_TUNE, CONNECTION_OPEN_OK, CHANNEL_OPEN_OK, GET_OK, GET_EMPTY):
            raise OSError(f"the broker said {method}: {content[4:]!r}")
        return method, content[4:]

    def frame(self) -> tuple[int, bytes]:
        kind, _, size = struct.unpack(">BHI", self.read(7))
        content = self.read(size)
        self.read(1)
        return kind, content

    def read(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) < count:
            raise OSError("the broker closed the connection")
        return data

    def send(self, channel: int, method: tuple[int, int], arguments: bytes) -> None:
        content = struct.pack(">HH", *method) + arguments
        self.connection.sendall(struct.pack(">BHI", METHOD, channel, len(content)) + content + b"\xce")


def short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def long(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content
