"""CPU and memory that a service's own process wastes on command, within bounds, until it is told to stop or the time is up.

In the process itself, not in its sidecar: what it wastes is seen in its own figures, and goes when it is killed.
"""

import threading
import time

MOST_MB = 600
MOST_SECONDS = 600
SLICE = 0.1


class Stress:
    def __init__(self):
        self.lock = threading.Lock()
        self.cpu_until = 0.0
        self.load = 0.0
        self.burner = None
        self.blocks = {}
        self.memory_until = 0.0

    def burn(self, percent: float, seconds: float) -> None:
        """One thread, whatever is asked how often: the last word counts."""
        with self.lock:
            self.load = min(max(percent, 0), 100) / 100
            self.cpu_until = time.monotonic() + min(seconds, MOST_SECONDS)
            if self.burner is None or not self.burner.is_alive():
                self.burner = threading.Thread(target=self.burn_on, daemon=True)
                self.burner.start()

    def burn_on(self) -> None:
        while True:
            with self.lock:
                if time.monotonic() >= self.cpu_until:
                    self.burner = None
                    return
                load = self.load
            end = time.monotonic() + SLICE * load
            while time.monotonic() < end:
                pass
            time.sleep(SLICE * (1 - load))

    def leak(self, id: str, megabytes: float, seconds: float) -> int:
        """Adds to what has leaked, up to a limit; once for each id."""
        with self.lock:
            if id not in self.blocks:
                room = MOST_MB - self.leaked()
                # Filled, so that it is memory and not a promise of some.
                self.blocks[id] = bytearray(b"x") * (int(min(max(megabytes, 0), room)) << 20)
            self.memory_until = time.monotonic() + min(seconds, MOST_SECONDS)
            return self.leaked()

    def leaked(self) -> int:
        return sum(len(block) for block in self.blocks.values()) >> 20

    def recover(self) -> None:
        with self.lock:
            self.cpu_until = 0
            self.blocks = {}

    def state(self) -> dict:
        with self.lock:
            if self.blocks and time.monotonic() >= self.memory_until:
                self.blocks = {}
            return {"cpu_stress_active": time.monotonic() < self.cpu_until, "memory_leak_mb": self.leaked()}


STRESS = Stress()


def command(payload: dict) -> dict:
    """{"op": "stress", "id", "cpu": percent | "memory": megabytes | "recover": true, "seconds"}"""
    seconds = payload.get("seconds", 30)
    if "cpu" in payload:
        STRESS.burn(payload["cpu"], seconds)
    elif "memory" in payload:
        STRESS.leak(payload["id"], payload["memory"], seconds)
    else:
        STRESS.recover()
    return {**payload, **STRESS.state()}
