"""Submits the workload through the gateway, at an even pace, until every envelope is accepted: like a client that
insists."""

import http.client
import json
import threading
import time
import urllib.parse
from collections import Counter
from typing import Optional, Sequence

import workload

THREADS = 4
TIMEOUT = 10
PAUSE = 0.1


class Submitter:
    def __init__(self, gateway_url: str, scenario: str, seed: int, numbers: Sequence[int], seconds: float):
        """`seconds`: the time over which the submissions are spread."""
        self.address = urllib.parse.urlsplit(gateway_url).netloc
        self.scenario = scenario
        self.seed = seed
        self.numbers = numbers
        self.pending = iter([(index * seconds / len(numbers), number) for index, number in enumerate(numbers)])
        self.lock = threading.Lock()
        self.accepted: set[str] = set()
        self.complaints: list[str] = []
        self.retries: Counter[str] = Counter()
        self.is_stopped = False
        self.begin = time.monotonic()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(THREADS)]
        for thread in self.threads:
            thread.start()

    @property
    def is_done(self) -> bool:
        return not any(thread.is_alive() for thread in self.threads)

    def stop(self) -> None:
        self.is_stopped = True

    def work(self) -> None:
        connection: Optional[http.client.HTTPConnection] = None
        while not self.is_stopped:
            with self.lock:
                due, number = next(self.pending, (0, None))
            if number is None:
                return
            time.sleep(max(0, self.begin + due - time.monotonic()))
            connection = self.submit(number, connection)

    def submit(
        self, number: int, connection: Optional[http.client.HTTPConnection]
    ) -> Optional[http.client.HTTPConnection]:
        submission = workload.submission(self.scenario, self.seed, number)
        body = json.dumps(submission).encode()
        is_first = True
        while not self.is_stopped:
            connection = connection or http.client.HTTPConnection(self.address, timeout=TIMEOUT)
            try:
                connection.request("POST", "/envelopes", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                text = response.read().decode(errors="replace")
                outcome = str(response.status)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                outcome, text = type(error).__name__, ""
            # Known already: an earlier try was accepted, and its answer got lost with the gateway.
            if outcome == "202" or (outcome == "409" and not is_first):
                with self.lock:
                    self.accepted.add(submission["id"])
                return connection
            with self.lock:
                self.retries[outcome] += 1
                if outcome.startswith("4") or outcome == "500":
                    self.complaints.append(f"the gateway answered {submission['id']} with {outcome}: {text.strip()}")
            is_first = False
            time.sleep(PAUSE)
        return connection
