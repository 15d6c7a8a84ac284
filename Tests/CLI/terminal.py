"""A terminal that a program runs in: what is typed, and what is to be seen."""

import re
import time
from typing import Callable, Mapping, Sequence

import pexpect
import pyte

PATIENCE = 60


class Terminal:
    def __init__(self, program: str, arguments: Sequence[str], columns: int, rows: int, env: Mapping[str, str]):
        self.screen = pyte.HistoryScreen(columns, rows, history=2000)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.child = pexpect.spawn(
            program, list(arguments), dimensions=(rows, columns), timeout=PATIENCE, env=dict(env))

    def read(self, wait: float = 0.05) -> bool:
        """Takes what has come; false at the end."""
        try:
            piece = self.child.read_nonblocking(65536, timeout=wait)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += piece
        self.stream.feed(piece)
        return True

    @property
    def lines(self) -> list[str]:
        """What is to be seen, without empty lines at the end."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().splitlines()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def scrolled(self) -> str:
        """With what has scrolled away."""
        above = ["".join(line[column].data for column in range(self.screen.columns)).rstrip()
                 for line in self.screen.history.top]
        return "\n".join([*above, self.text])

    def wait_for(self, pattern: str, limit: float = PATIENCE) -> str:
        return self.wait_until(lambda: re.search(pattern, self.text), repr(pattern), limit)

    def wait_until(self, condition: Callable[[], object], what: str, limit: float = PATIENCE) -> str:
        end = time.monotonic() + limit
        while not condition():
            is_open = self.read()
            if condition():
                break
            assert is_open, f"ended without {what}; the screen:\n{self.text}"
            assert time.monotonic() < end, f"no {what} within {limit} s; the screen:\n{self.text}"
        return self.text

    def type(self, keys: str) -> None:
        self.child.send(keys)

    def interrupt(self) -> None:
        self.child.sendintr()

    def resize(self, columns: int, rows: int) -> None:
        self.child.setwinsize(rows, columns)
        self.screen.resize(rows, columns)

    def end(self, limit: float = PATIENCE) -> int:
        """Its exit code; one above 128 for a signal that has ended it."""
        end = time.monotonic() + limit
        while self.read():
            assert time.monotonic() < end, f"did not end within {limit} s; the screen:\n{self.text}"
        self.child.close()
        if self.child.signalstatus is not None:
            return 128 + self.child.signalstatus
        return self.child.exitstatus
