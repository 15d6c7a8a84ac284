"""What a service's process says of itself: of its own process, measured."""

import os
import resource
import time

from services import stress

PAGE = resource.getpagesize()


class CPUMeter:
    """Per cent of one core since the last time that it was asked, a second at least."""

    def __init__(self, wall=time.monotonic, cpu=time.process_time):
        self.wall, self.cpu = wall, cpu
        self.begin = (wall(), cpu())
        self.percent = 0.0

    def read(self) -> float:
        now = (self.wall(), self.cpu())
        seconds = now[0] - self.begin[0]
        if seconds >= 1:
            self.percent = round(100 * (now[1] - self.begin[1]) / seconds, 1)
            self.begin = now
        return self.percent


METER = CPUMeter()


def report(service: str) -> dict:
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return {
        "service": service, "pid": os.getpid(), "cpu_percent": METER.read(), "memory_mb": round(pages * PAGE / (1 << 20), 1),
        "timestamp": time.time(), **stress.STRESS.state(),
    }
