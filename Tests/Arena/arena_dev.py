"""The arena under `troupe dev`, in a folder of its own, and what one sees of it from outside."""

import os
import shutil
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Optional

from guard import Problem

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "actors" / "arena")]

from pipeline_dev import FINAL, Dev, check, handlers_of, wait_until  # noqa: E402

import world  # noqa: E402

# Quick, and with room for a machine that others use as well.
QUICK = {
    "FELIX_INTERVAL": "0.5", "FELIX_SETTLE_SECONDS": "0.3", "FELIX_COOLDOWN_SECONDS": "2", "FELIX_SLOW_MS": "1000",
    "FELIX_PROBE_SECONDS": "8", "FELIX_CPU_PERCENT": "25", "FELIX_MEMORY_MB": "150",
}


def home(folder: Path, name: str) -> Path:
    """A copy of the world, so that its state is the test's own."""
    place = folder / name
    for world in ("arena", "remediation"):
        shutil.copytree(
            REPOSITORY / "actors" / world, place / world, ignore=shutil.ignore_patterns(".troupe", "__pycache__"))
    return place / "arena"


class Arena:
    def __init__(self, home: Path, **settings: str):
        self.home = home
        self.settings = {**QUICK, **settings}
        self.dev = Dev(home, env=self.settings)
        # Felix would take a service for dead that is slower to start than he looks twice.
        wait_until(self.is_up, "all services", 40, self.dev.texts)

    def is_up(self) -> bool:
        time.sleep(0.2)
        actors = self.dev.request("GET", "/actors")["actors"]
        return set(world.read()) <= {one["name"] for one in actors if one["consumers"]}

    def __enter__(self) -> "Arena":
        return self

    def __exit__(self, *error: object) -> None:
        self.dev.__exit__(*error)

    def killed_and_started_again(self) -> None:
        self.dev.kill()
        self.dev = Dev(self.home, env=self.settings)

    def sigkill(self, actor: str) -> None:
        for pid, environ in handlers_of(self.dev.process.pid):
            if f"TROUPE_ACTOR_NAME={actor}\0" in environ:
                os.kill(pid, signal.SIGKILL)

    # ---- Its tools

    def tool(self, name: str, id: Optional[str] = None, **arguments: object) -> str:
        body = {"tool": name, "arguments": arguments}
        return self.dev.request("POST", "/envelopes", {**body, "id": id} if id else body)["id"]

    def call(self, tool: str, limit: float = 30, **arguments: object) -> dict:
        ended = self.dev.result(self.tool(tool, **arguments), limit)
        check(ended["status"] == "succeeded", ended)
        return ended["result"]

    # ---- Incidents

    def incidents(self) -> list[dict]:
        """The oldest first."""
        found = self.dev.request("GET", "/envelopes?tool=incident&order=asc&limit=500")["envelopes"]
        return [self.dev.envelope(one["id"]) for one in found]

    def incident_of(self, service: str, known: int, limit: float = 40) -> dict:
        """The first of the service that comes behind so many others, when it has ended."""
        last: list[dict] = []

        def ended() -> bool:
            time.sleep(0.2)
            last[:] = [one for one in self.incidents()[known:] if one["payload"]["incident"]["service"] == service]
            return bool(last) and last[0]["status"] in FINAL

        wait_until(ended, f"the end of an incident of {service}", limit, lambda: [str(last), *self.dev.texts()])
        return last[0]

    def timeline(self, id: str) -> list[str]:
        updates = self.dev.request("GET", f"/envelopes/{id}/history?limit=1000")["updates"]
        return [update["data"]["message"] for update in updates if update.get("type") == "log"]

    def calm(self, limit: float = 40) -> None:
        """Felix has looked once more, all is well, and nothing is open."""
        ticks = self.rows("arena.db", "SELECT count(DISTINCT id) AS n FROM samples")[0]["n"]

        def is_calm() -> bool:
            time.sleep(0.2)
            now = self.rows("arena.db", "SELECT count(DISTINCT id) AS n FROM samples")[0]["n"]
            unsettled = self.rows("arena.db", "SELECT id FROM incidents WHERE state IN ('open', 'escalated')")
            return now >= ticks + 2 and not unsettled

        wait_until(is_calm, "calm", limit, self.dev.texts)

    def operations(self, owner: str) -> list[dict]:
        return [row for row in self.rows("arena.db", "SELECT * FROM operations ORDER BY number") if row["owner"] == owner]

    def rows(self, file: str, statement: str) -> list[dict]:
        with closing(sqlite3.connect(self.home / ".troupe" / file, timeout=20)) as database:
            database.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in database.execute(statement)]
            except sqlite3.OperationalError as error:
                if "no such table" not in str(error):
                    raise
                return []  # whose handler has not started yet


class Customers:
    """Somebody pays, again and again, as long as the block lasts."""

    def __init__(self, arena: Arena, pause: float = 0.3):
        self.arena, self.pause, self.ids, self.over = arena, pause, [], threading.Event()
        self.thread = threading.Thread(target=self.pay, daemon=True)

    def __enter__(self) -> "Customers":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join(20)

    def pay(self) -> None:
        number = 0
        while not self.over.is_set():
            id = f"pay-{number}"
            try:
                self.arena.tool("process_payment", id=id, user_id=1 + number % 2, amount=1.5)
                self.ids.append(id)
                number += 1
            except (OSError, Problem) as error:
                # The gateway may be down just now; an envelope that it has taken is known by its id.
                if "duplicate_id" in str(error):
                    self.ids.append(id)
                    number += 1
            time.sleep(self.pause)

    def account(self) -> str:
        """Every call has ended, and each payment that succeeded is there, once."""
        ends: dict[str, list[str]] = {}
        for id in self.ids:
            envelope = self.arena.dev.result(id, 40)
            ends.setdefault(envelope["status"], []).append(id)
            if envelope["status"] == "failed":
                check("injected" in envelope["error"] or "declined" in envelope["error"], envelope["error"])
        paid = [row["envelope"] for row in self.arena.rows("arena-bank.db", "SELECT envelope FROM payments")]
        check(len(paid) == len(set(paid)), "no payment is there twice")
        check(set(ends.get("succeeded", [])) <= set(paid), "each that succeeded is there")
        check(self.arena.dev.request("GET", "/dead-letters")["dead_letters"] == [], "no dead letters")
        return ", ".join(f"{len(ids)} calls {status}" for status, ids in sorted(ends.items()))
