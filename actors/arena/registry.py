"""What was done to which service, by whom, in which order: one list for villain, Felix and people. An SQLite file."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Mapping, Optional

SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at REAL NOT NULL, service TEXT NOT NULL,
    op TEXT NOT NULL, arguments TEXT NOT NULL, owner TEXT NOT NULL, until REAL, ok INTEGER, elapsed REAL, mended_at REAL);
CREATE TABLE IF NOT EXISTS samples (
    id TEXT NOT NULL, service TEXT NOT NULL, at REAL NOT NULL, sample TEXT NOT NULL, PRIMARY KEY (service, id));
CREATE INDEX IF NOT EXISTS samples_at ON samples (service, at);
"""
KEPT_SAMPLES = 720


class Registry:
    """Each call is one transaction; a call that comes twice with the same id changes nothing."""

    def __init__(self, path: str):
        self.path = path
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with closing(self.connection()) as connection, connection:
            connection.executescript("PRAGMA journal_mode = WAL;" + SCHEMA)

    def connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=20)
        connection.row_factory = sqlite3.Row
        return connection

    def begin(
        self, id: str, service: str, op: str, arguments: Mapping[str, Any], owner: str, now: float,
        until: Optional[float],
    ) -> None:
        """until: when the harm that it does ends; None for what does none."""
        with closing(self.connection()) as connection, connection:
            connection.execute(
                "INSERT OR IGNORE INTO operations (id, at, service, op, arguments, owner, until) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (id, now, service, op, json.dumps(arguments, sort_keys=True), owner, until))

    def finish(self, id: str, ok: bool, elapsed: float) -> None:
        with closing(self.connection()) as connection, connection:
            connection.execute("UPDATE operations SET ok = ?, elapsed = ? WHERE id = ? AND ok IS NULL", (ok, elapsed, id))

    def mend(self, service: str, ops: tuple[str, ...], now: float) -> None:
        """Harm of these kinds is over."""
        marks = ", ".join("?" * len(ops))
        with closing(self.connection()) as connection, connection:
            connection.execute(
                f"UPDATE operations SET mended_at = ? WHERE service = ? AND op IN ({marks}) AND mended_at IS NULL AND at <= ?",
                (now, service, *ops, now))

    def harm(self, now: float) -> list[dict]:
        """What is still in force, of everybody."""
        return self.rows(
            "SELECT * FROM operations WHERE until > ? AND mended_at IS NULL ORDER BY number", (now,))

    def history(self, after: int = 0, limit: int = 1000) -> list[dict]:
        return self.rows("SELECT * FROM operations WHERE number > ? ORDER BY number LIMIT ?", (after, limit))

    # ---- What Felix has seen

    def keep(self, id: str, service: str, at: float, sample: Mapping[str, Any]) -> None:
        with closing(self.connection()) as connection, connection:
            connection.execute("INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?)", (id, service, at, json.dumps(sample)))
            connection.execute(
                "DELETE FROM samples WHERE service = ? AND at < (SELECT at FROM samples WHERE service = ? "
                "ORDER BY at DESC LIMIT 1 OFFSET ?)", (service, service, KEPT_SAMPLES))

    def samples(self, service: str, most: int) -> list[dict]:
        """The oldest first."""
        rows = self.rows("SELECT sample FROM samples WHERE service = ? ORDER BY at DESC LIMIT ?", (service, most))
        return [json.loads(row["sample"]) for row in reversed(rows)]

    def rows(self, statement: str, values: tuple) -> list[dict]:
        with closing(self.connection()) as connection:
            return [dict(row) for row in connection.execute(statement, values)]
