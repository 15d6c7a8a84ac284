"""What a suite is given to measure with: a folder, programs, Python packages, and its part of the time."""

import contextlib
import functools
import hashlib
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Sequence

import venvs
from children import run_once
from guard import say
from plot import Plot

REPOSITORY = Path(__file__).resolve().parents[1]
SCRATCH = REPOSITORY / ".build" / "bench"
BUILD_LIMIT = 3600


@dataclass
class Bench:
    """One suite's. `folder` is its own and is gone afterwards; `seconds` are the time that it should keep to."""

    folder: Path
    quick: bool
    rounds: int
    seconds: float
    plots: list[Plot] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin = time.monotonic()

    @property
    def seconds_left(self) -> float:
        return self.seconds - (time.monotonic() - self.begin)

    def turns(self, what: str, share: float = 1) -> Iterator[int]:
        """Rounds 1, 2, ...: one in any case, and no further one that would take more than `share` of the time left."""
        until = time.monotonic() + self.seconds_left * share
        longest = 0.0
        for number in range(1, self.rounds + 1):
            begin = time.monotonic()
            if number > 1 and begin + longest > until:
                self.cut(f"{what}: {number - 1} of {self.rounds} rounds")
                return
            yield number
            longest = max(longest, time.monotonic() - begin)

    def cut(self, what: str) -> None:
        """Tells the reader of the report what there was no time for."""
        self.cuts.append(what)
        self.say(f"cut: {what}")

    def draw(self, plot: Plot) -> None:
        self.plots.append(plot)

    def program(self, product: str) -> Path:
        """Built for release, the Swift runtime within; what that takes is not the suite's time. A quick run takes the
        debug build, which is there in CI, for all but the sidecar: a release build of the gateway takes ten minutes."""
        with self.time_out():
            return built(product, for_release=not self.quick or product == "troupe-sidecar")

    def compiled(self, name: str) -> Path:
        """A program of `bench/programs`, in C on rabbitmq-c."""
        flags = run_once(["pkg-config", "--cflags", "--libs", "librabbitmq"], "librabbitmq", os.environ).split()
        program = self.folder / name
        run_once(
            ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", program,
             REPOSITORY / "bench" / "programs" / f"{name}.c", *flags, "-lm"], f"compiling {name}.c", os.environ)
        return program

    def python(self, packages: Sequence[str]) -> Path:
        """A virtual environment that holds them; its interpreter is `bin/python` there."""
        name = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
        with self.time_out():
            return venvs.install(f"venv-bench-{name}", packages)

    @contextlib.contextmanager
    def time_out(self) -> Iterator[None]:
        begin = time.monotonic()
        yield
        self.begin += time.monotonic() - begin

    def say(self, line: str) -> None:
        say(line)


@functools.cache
def built(product: str, for_release: bool) -> Path:
    say(f"building {product}" + (" for release (many minutes the first time)" if for_release else ""))
    kind = ["-c", "release", "--static-swift-stdlib", "--scratch-path", SCRATCH] if for_release else []
    run_once(
        ["swift", "build", *kind, "--product", product], f"the build of {product}", os.environ, cwd=REPOSITORY,
        limit=BUILD_LIMIT)
    return SCRATCH / "release" / product if for_release else REPOSITORY / ".build" / "debug" / product


def use(venv: Path) -> None:
    """Lets this process import what is in there."""
    sys.path[:0] = [str(path) for path in venv.glob("lib/python3*/site-packages")]
