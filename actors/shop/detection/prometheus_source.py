"""What services do, from Prometheus (`PROMETHEUS_URL`): for a cluster, where each sidecar is scraped."""

import json
import urllib.error
import urllib.request
from typing import Iterable
from urllib.parse import urlencode

from remediation.gateway import GatewayAway

from .detector import Vector

PREFIX = "troupe-"
RANGE = "1m"
QUERIES = {
    "calls": "sum by (queue) (rate(troupe_actor_messages_received_total[{range}]))",
    "failed": "sum by (queue) (rate(troupe_actor_runtime_errors_total[{range}]))",
    "p95": "histogram_quantile(0.95, sum by (queue, le)"
           " (rate(troupe_actor_processing_duration_seconds_bucket[{range}])))",
    "queue_age": "max by (queue) (troupe_gateway_queue_oldest_seconds)",
    # A process says nothing of its queue: its instance does.
    "cpu": "sum by (queue) (rate(process_cpu_seconds_total[{range}]) * on (instance) group_left (queue)"
           " group by (instance, queue) (troupe_actor_active_messages))",
}


class PrometheusSource:
    def __init__(self, services: Iterable[str], url: str, timeout: float = 5):
        self.services = tuple(services)
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.last: dict[str, Vector] = {}

    def look(self, after: str) -> tuple[dict[str, Vector], dict[str, list[str]], str]:
        found = {name: self.ask(query.format(range=RANGE)) for name, query in QUERIES.items()}
        vectors = {}
        for service in self.services:
            calls = found["calls"].get(service, 0)
            age = found["queue_age"].get(service, 0)
            if calls > 0 or age > 1:
                vectors[service] = Vector(
                    min(1.0, found["failed"].get(service, 0) / calls) if calls else 0,
                    found["p95"].get(service, age), age,
                    found["cpu"].get(service, 0))
        # What has not been scraped anew says nothing: it must not count as another odd poll.
        new = {service: vector for service, vector in vectors.items() if self.last.get(service) != vector}
        self.last = vectors
        return new, {}, after

    def ask(self, query: str) -> dict[str, float]:
        """By service; what is no number is left out."""
        request = f"{self.url}/api/v1/query?{urlencode({'query': query})}"
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                result = json.load(answer)["data"]["result"]
        except (OSError, ValueError, KeyError) as error:
            raise GatewayAway(f"Prometheus: {error}") from None
        values = {one["metric"].get("queue", "").removeprefix(PREFIX): float(one["value"][1]) for one in result}
        return {service: value for service, value in values.items() if value == value}
