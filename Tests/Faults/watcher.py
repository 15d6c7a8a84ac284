"""Watches sidecars by their metrics: how often the broker delivered again, and whether they answer at all."""

import re
import socket
import threading
import time
import urllib.error
import urllib.request

from children import Child
from pipeline import Pipeline

INTERVAL = 0.5
# A probe that takes longer would have Kubernetes restart the pod, sooner or later.
LIMIT = 5
REDELIVERED = re.compile(r"^troupe_actor_messages_redelivered_total\S* (\d+)", re.MULTILINE)


class Watcher:
    def __init__(self, pipeline: Pipeline):
        self.pipeline = pipeline
        self.lock = threading.Lock()
        # By process: a restarted sidecar counts from 0.
        self.redelivered: dict[tuple[str, int], int] = {}
        self.silent: list[str] = []
        self.ignored: set[str] = set()
        threading.Thread(target=self.run, daemon=True).start()

    @property
    def redeliveries(self) -> int:
        with self.lock:
            return sum(self.redelivered.values())

    def run(self) -> None:
        while True:
            time.sleep(INTERVAL)
            for child in list(self.pipeline.sidecars.values()):
                self.look_at(child)

    def look_at(self, child: Child) -> None:
        actor = child.name.removesuffix("-sidecar")
        pid = child.pid
        try:
            with urllib.request.urlopen(f"{self.pipeline.metrics_urls[actor]}/metrics", timeout=LIMIT) as response:
                text = response.read().decode()
        except (TimeoutError, urllib.error.URLError) as error:
            reason = getattr(error, "reason", error)
            is_same = child.running and child.pid == pid and child.name not in self.ignored
            if isinstance(reason, (TimeoutError, socket.timeout)) and is_same:
                self.silent.append(f"{child.name} did not answer a probe within {LIMIT} s")
            return
        except OSError:
            return  # it is just being killed
        found = REDELIVERED.search(text)
        if found:
            with self.lock:
                self.redelivered[actor, pid] = int(found.group(1))
