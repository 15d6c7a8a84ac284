"""What services do, from the gateway alone: the stream of all updates for calls and failures, `GET /actors` for the
age of queues, `/metrics` for processor time, which only the whole process has."""

import datetime
import json
import time
import urllib.request
from dataclasses import dataclass, field
from typing import Iterable, Iterator, Mapping, Optional

from remediation.gateway import Gateway, GatewayAway

from .detector import Vector, p95

# The one service of which processor time is known here.
HOST = "host"
# So long a stream says nothing before it counts as read; and so long it is read at most, in seconds.
SILENCE = 0.3
LONGEST_READ = 3
# Calls that are under way: the oldest are forgotten.
MOST_CALLS = 10_000


@dataclass
class Seen:
    """Of one service since the last look."""

    durations: list[float] = field(default_factory=list)
    failures: int = 0
    errors: list[str] = field(default_factory=list)

    def vector(self, queue_age: float) -> Optional[Vector]:
        """None where there is nothing to go by."""
        ended = len(self.durations)
        if ended == 0 and self.failures == 0:
            return Vector(p95=queue_age, queue_age=queue_age) if queue_age > 1 else None
        return Vector(self.failures / max(1, ended), p95(self.durations), queue_age)


class Calls:
    """Puts updates together to calls. What a restart forgets are the calls that were under way."""

    def __init__(self) -> None:
        self.begun: dict[tuple, float] = {}

    def read(self, updates: Iterable[Mapping], services: Iterable[str]) -> dict[str, Seen]:
        seen = {service: Seen() for service in services}
        for update in updates:
            service = update.get("actor")
            if service not in seen:
                continue
            call = (update["id"], update.get("current_actor_idx"), service)
            at = seconds(update.get("reported_at") or update["timestamp"])
            phase = update.get("envelope_state")
            if phase == "received":
                self.begun[call] = at
                if len(self.begun) > MOST_CALLS:
                    del self.begun[next(iter(self.begun))]
            elif phase in ("completed", "retrying") or update.get("status") == "failed":
                # Who is done has moved on in the route already.
                begin = self.begun.pop(call, None) or self.begun.pop((call[0], (call[1] or 0) - 1, service), None)
                # An attempt that a later one made good has failed all the same.
                seen[service].durations.append(0.0 if begin is None else max(0.0, at - begin))
                if phase != "completed":
                    seen[service].failures += 1
                    seen[service].errors.append(str(update.get("error") or update.get("message"))[:200])
        return seen


class GatewaySource:
    def __init__(self, services: Iterable[str], gateway: Optional[Gateway] = None):
        self.services = tuple(services)
        self.gateway = gateway or Gateway()
        self.calls = Calls()
        self.cpu: Optional[tuple[float, float]] = None

    def look(self, after: str) -> tuple[dict[str, Vector], dict[str, list[str]], str]:
        """Vectors and errors by service, of what came behind an update; and the last one that came."""
        updates = []
        for id, update in self.updates(after):
            updates.append(update)
            after = id
        seen = self.calls.read(updates, self.services)
        vectors, now = {}, time.time()
        for service in self.services:
            actor = self.gateway.actor(service) or {}
            oldest = actor.get("oldest_at")
            vector = seen[service].vector(max(0.0, now - seconds(oldest)) if oldest else 0.0)
            if vector is not None:
                vectors[service] = vector
        cpu = self.cores()
        if cpu is not None:
            vectors[HOST] = Vector(cpu=cpu)
        return vectors, {service: seen[service].errors[-5:] for service in self.services}, after

    def updates(self, after: str) -> Iterator[tuple[str, dict]]:
        request = urllib.request.Request(self.gateway.url + "/stream", headers={"Last-Event-ID": after})
        if self.gateway.key:
            request.add_header("Authorization", "Bearer " + self.gateway.key)
        begin, end, id = time.time(), time.monotonic() + LONGEST_READ, after
        try:
            with urllib.request.urlopen(request, timeout=10) as stream:
                stream.fp.raw._sock.settimeout(SILENCE)
                while time.monotonic() < end:
                    line = stream.readline().decode()
                    if line.startswith("id:"):
                        id = line[3:].strip()
                    elif line.startswith("data:"):
                        update = json.loads(line[5:])
                        yield id, update
                        if seconds(update["timestamp"]) >= begin:
                            return
                    elif not line:
                        return
        except TimeoutError:
            return  # all that there is
        except (OSError, ValueError) as error:
            raise GatewayAway(f"GET /stream: {error}") from None

    def cores(self) -> Optional[float]:
        request = urllib.request.Request(self.gateway.url + "/metrics")
        if self.gateway.key:
            request.add_header("Authorization", "Bearer " + self.gateway.key)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                lines = answer.read().decode().splitlines()
        except OSError as error:
            raise GatewayAway(f"GET /metrics: {error}") from None
        found = [float(line.split()[1]) for line in lines if line.startswith("process_cpu_seconds_total ")]
        if not found:
            return None
        last, self.cpu = self.cpu, (time.monotonic(), found[0])
        return None if last is None else max(0.0, (found[0] - last[1]) / (self.cpu[0] - last[0]))


def seconds(time: str) -> float:
    return datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
