"""What the last step of a chain leaves: a line with the payload's number, in a file that all processes append to."""

import functools
import os
from typing import Iterator

DIGITS = 8


def payloads(count: int, size: int) -> Iterator[str]:
    for number in range(count):
        yield f"{number:0{DIGITS}}".ljust(size, "x")


@functools.cache
def file() -> int:
    return os.open(os.environ["BENCH_DONE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(payload: str) -> None:
    os.write(file(), f"{payload[:DIGITS]}\n".encode())
