"""What must outlive every process: the universe, missions, and what became of each dock. One SQLite file, any number of
processes on one machine (MISSIONS_DB, default .troupe/missions.db). On several machines it must be a database server.
"""

import json
import os
import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional

from . import universe

SCHEMA = """
CREATE TABLE IF NOT EXISTS universe (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    draft TEXT NOT NULL, version INTEGER NOT NULL, saved_at REAL NOT NULL,
    applied TEXT NOT NULL, applied_version INTEGER NOT NULL, applied_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS missions (
    id TEXT PRIMARY KEY, source TEXT NOT NULL, destination TEXT NOT NULL, rps INTEGER NOT NULL, speed TEXT NOT NULL,
    escort INTEGER NOT NULL, seed INTEGER NOT NULL, seconds REAL, status TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    generation INTEGER NOT NULL DEFAULT 1, created_at REAL NOT NULL, started_at REAL, ended_at REAL,
    tick INTEGER NOT NULL DEFAULT 0, tick_at REAL NOT NULL DEFAULT 0,
    tick_ships INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS missions_status ON missions (status, created_at);
-- How many docks of a mission ended in which way; `offered` and `shed` are counted when a tick is claimed.
CREATE TABLE IF NOT EXISTS counts (
    mission TEXT NOT NULL, what TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (mission, what)) WITHOUT ROWID;
-- One row for each dock that was settled: the second time it counts no more.
CREATE TABLE IF NOT EXISTS docks (
    id TEXT PRIMARY KEY, mission TEXT NOT NULL, outcome TEXT NOT NULL, text TEXT NOT NULL, settled_at REAL NOT NULL)
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS docks_recent ON docks (mission, settled_at);
"""
DOCKED = "docked"
CAUSES = ("chaos", "deadline", "unreachable", "shield", "shed", "stopped")
KEPT = 24 * 3600  # seconds that settled docks are remembered: longer than a delivery may come again
ACTIVE = ("scheduled", "running")


def default_file() -> Path:
    return Path(os.environ.get("MISSIONS_DB") or ".troupe/missions.db")


class Store:
    def __init__(self, file: Optional[Path] = None):
        self.file = Path(file) if file else default_file()
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.connection() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(SCHEMA)
            # The planets of a new store are those of the project's file.
            default, now = json.dumps(universe.DEFAULT), time.time()
            database.execute(
                "INSERT OR IGNORE INTO universe VALUES (1, ?, 1, ?, ?, 1, ?)", (default, now, default, now))

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.file, timeout=30, isolation_level=None)
        database.row_factory = sqlite3.Row
        try:
            database.execute("PRAGMA synchronous = FULL")
            yield database
        finally:
            database.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self.connection() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                database.execute("ROLLBACK")
                raise

    # ---- Universe

    def universe(self) -> dict:
        with self.connection() as database:
            row = dict(database.execute("SELECT * FROM universe").fetchone())
        # A key that is newer than the document has its default.
        for name in ("draft", "applied"):
            row[name] = universe.completed(json.loads(row[name]))
        return row

    def save_draft(self, document: dict, version: int) -> bool:
        """Whether it was saved: not when somebody else has saved since `version`."""
        with self.transaction() as database:
            return database.execute(
                "UPDATE universe SET draft = ?, version = version + 1, saved_at = ? WHERE version = ?",
                (json.dumps(document), time.time(), version)).rowcount == 1

    def apply(self, document: dict, version: int, base: int) -> bool:
        """Whether `document` is what holds now. Planned on `base`; the second time it changes nothing."""
        with self.transaction() as database:
            changed = database.execute(
                "UPDATE universe SET applied = ?, applied_version = ?, applied_at = ? WHERE applied_version = ?"
                " AND applied_version <> ?", (json.dumps(document), version, time.time(), base, version)).rowcount
            now = database.execute("SELECT applied_version FROM universe").fetchone()[0]
            return changed == 1 or now == version

    # ---- Missions

    def create(self, mission: dict, most: int) -> dict:
        """The record, made unless it is there. `most` may be active at a time."""
        with self.transaction() as database:
            known = database.execute("SELECT * FROM missions WHERE id = ?", (mission["id"],)).fetchone()
            if known is None:
                active = database.execute(
                    "SELECT count(*) FROM missions WHERE status IN (?, ?)", ACTIVE).fetchone()[0]
                if active >= most:
                    raise ValueError(f"there are {active} active missions already: terminate one, {most} are the most")
                database.execute(
                    "INSERT INTO missions (id, source, destination, rps, speed, escort, seed, seconds, status,"
                    " created_at) VALUES (:id, :source, :destination, :rps, :speed, :escort, :seed, :seconds,"
                    " 'scheduled', :created_at)", mission)
                known = database.execute("SELECT * FROM missions WHERE id = ?", (mission["id"],)).fetchone()
            return dict(known)

    def mission(self, id: str) -> Optional[dict]:
        with self.connection() as database:
            row = database.execute("SELECT * FROM missions WHERE id = ?", (id,)).fetchone()
            return None if row is None else dict(row)

    def missions(self, statuses: tuple[str, ...] = (), planet: str = "", limit: int = 100) -> list[dict]:
        """The newest first; those that begin or end at the planet, where one is named."""
        marks = ", ".join("?" * len(statuses))
        chosen = [f"status IN ({marks})"] if statuses else []
        values = list(statuses)
        if planet:
            chosen.append("(source = ? OR destination = ?)")
            values += [planet, planet]
        where = " WHERE " + " AND ".join(chosen) if chosen else ""
        with self.connection() as database:
            rows = database.execute(
                f"SELECT * FROM missions{where} ORDER BY created_at DESC, id LIMIT ?", (*values, limit))
            return [dict(row) for row in rows]

    def end(self, id: str, status: str, reason: str, generation: Optional[int] = None) -> Optional[dict]:
        """Ends an active mission, and makes all that is under way for it out of date; the second time nothing."""
        with self.transaction() as database:
            self._end(database, id, status, reason, generation)
            row = database.execute("SELECT * FROM missions WHERE id = ?", (id,)).fetchone()
            return None if row is None else dict(row)

    @staticmethod
    def _end(database: sqlite3.Connection, id: str, status: str, reason: str, generation: Optional[int]) -> None:
        database.execute(
            "UPDATE missions SET status = ?, reason = ?, generation = generation + 1, ended_at = ?"
            " WHERE id = ? AND status IN (?, ?) AND generation = coalesce(?, generation)",
            (status, reason, time.time(), id, *ACTIVE, generation))

    def claim(self, id: str, generation: int, tick: int, docks: int, most: int, now: float) -> Optional[int]:
        """Claims a tick, and counts what it offers, in one step. How many docks set off: those that find no room beside
        what is in flight are shed. None when the tick was claimed before, or is out of date."""
        with self.transaction() as database:
            ships = min(docks, max(0, most - self._in_flight(database, id)))
            claimed = database.execute(
                "UPDATE missions SET tick = ?, tick_at = ?, tick_ships = ?, status = 'running',"
                " started_at = coalesce(started_at, ?)"
                " WHERE id = ? AND generation = ? AND tick < ? AND status IN (?, ?)",
                (tick, now, ships, now, id, generation, tick, *ACTIVE)).rowcount == 1
            if not claimed:
                return None
            self._count(database, id, "offered", docks)
            if docks > ships:
                self._count(database, id, "shed", docks - ships)
            return ships

    # ---- The ledger

    def settle(self, dock: str, mission: str, outcome: str, text: str, now: float) -> bool:
        """Counts how a dock ended. False when that was counted before, or its mission was ended by force meanwhile: the
        figures of such a mission are final, and who was under way counts as stopped."""
        with self.transaction() as database:
            new = database.execute(
                "INSERT OR IGNORE INTO docks SELECT ?, id, ?, ?, ? FROM missions WHERE id = ?"
                " AND status NOT IN ('terminated', 'failed')", (dock, outcome, text[:500], now, mission)).rowcount == 1
            if new:
                self._count(database, mission, outcome, 1)
            return new

    def prune(self, before: float) -> None:
        """Forgets docks that were settled long ago; their counts stay."""
        with self.transaction() as database:
            database.execute("DELETE FROM docks WHERE settled_at < ?", (before,))

    def counts(self, mission: str) -> dict[str, int]:
        with self.connection() as database:
            return self._counts(database, mission)

    def recent(self, mission: str, since: float) -> dict[str, int]:
        with self.connection() as database:
            rows = database.execute(
                "SELECT outcome, count(*) FROM docks WHERE mission = ? AND settled_at >= ? GROUP BY outcome",
                (mission, since))
            return dict(map(tuple, rows))

    def failures(self, mission: str, limit: int) -> list[dict]:
        """The last docks that failed, each with why: never an empty text."""
        with self.connection() as database:
            rows = database.execute(
                "SELECT id AS dock, outcome AS cause, text, settled_at AS at FROM docks WHERE mission = ?"
                " AND outcome <> ? ORDER BY settled_at DESC LIMIT ?", (mission, DOCKED, limit))
            return [dict(row) for row in rows]

    @staticmethod
    def _count(database: sqlite3.Connection, mission: str, what: str, number: int) -> None:
        database.execute(
            "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (mission, what) DO UPDATE"
            " SET number = number + excluded.number", (mission, what, number))

    @staticmethod
    def _counts(database: sqlite3.Connection, mission: str) -> dict[str, int]:
        return dict(map(tuple, database.execute("SELECT what, number FROM counts WHERE mission = ?", (mission,))))

    @classmethod
    def _in_flight(cls, database: sqlite3.Connection, mission: str) -> int:
        counts = cls._counts(database, mission)
        return counts.pop("offered", 0) - sum(counts.values())
