"""What was opened, done and approved: what must outlive every process. An SQLite file, for the processes of one machine."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Optional, Union

from .model import Action
from .policy import Done

SCHEMA = """
CREATE TABLE IF NOT EXISTS incidents (id TEXT PRIMARY KEY, key TEXT NOT NULL, state TEXT NOT NULL, opened_at REAL NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS incidents_open ON incidents (key) WHERE state IN ('open', 'escalated');
CREATE TABLE IF NOT EXISTS actions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, incident TEXT NOT NULL, action TEXT NOT NULL,
    at REAL NOT NULL, ok INTEGER, elapsed REAL);
CREATE TABLE IF NOT EXISTS approvals (action TEXT PRIMARY KEY, approved INTEGER NOT NULL, by TEXT);
"""


class Ledger:
    """Each call is one transaction. Calls that come twice, with the same ids, change nothing the second time."""

    def __init__(self, path: Union[str, Path]):
        self.path = str(path)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with closing(self.connection()) as connection, connection:
            connection.executescript("PRAGMA journal_mode = WAL;" + SCHEMA)

    def connection(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=20)

    # ---- Incidents: at most one for each key that is open, or that was given to a person

    def claim(self, key: str, id: str, now: float) -> str:
        """The id of the incident that is open for the key: this one, unless there is one already."""
        with closing(self.connection()) as connection, connection:
            connection.execute("INSERT OR IGNORE INTO incidents VALUES (?, ?, 'open', ?)", (id, key, now))
            row = connection.execute(
                "SELECT id FROM incidents WHERE key = ? AND state IN ('open', 'escalated')", (key,)).fetchone()
            return row[0] if row else id

    def unsettled(self) -> list[tuple[str, str, str]]:
        """Keys, ids and states of those that are open or escalated, the oldest first."""
        with closing(self.connection()) as connection:
            return connection.execute(
                "SELECT key, id, state FROM incidents WHERE state IN ('open', 'escalated') ORDER BY opened_at, id").fetchall()

    def settle(self, id: str, state: str) -> None:
        """state: escalated, verified, cleared, cancelled"""
        with closing(self.connection()) as connection, connection:
            connection.execute("UPDATE incidents SET state = ? WHERE id = ?", (state, id))

    # ---- Actions

    def begin(self, id: str, incident: str, action: Action, now: float) -> bool:
        """Whether it is still to be done: what was begun and not finished is, for its process may have died."""
        with closing(self.connection()) as connection, connection:
            connection.execute(
                "INSERT OR IGNORE INTO actions (id, incident, action, at) VALUES (?, ?, ?, ?)",
                (id, incident, json.dumps(action.payload()), now))
            return connection.execute("SELECT ok FROM actions WHERE id = ?", (id,)).fetchone()[0] is None

    def has_begun(self, id: str) -> bool:
        with closing(self.connection()) as connection:
            return connection.execute("SELECT 1 FROM actions WHERE id = ?", (id,)).fetchone() is not None

    def finish(self, id: str, ok: bool, elapsed: float) -> None:
        with closing(self.connection()) as connection, connection:
            connection.execute("UPDATE actions SET ok = ?, elapsed = ? WHERE id = ? AND ok IS NULL", (ok, elapsed, id))

    def outcome(self, id: str) -> Optional[tuple[bool, float]]:
        with closing(self.connection()) as connection:
            row = connection.execute("SELECT ok, elapsed FROM actions WHERE id = ? AND ok IS NOT NULL", (id,)).fetchone()
            return (bool(row[0]), row[1]) if row else None

    def history(self, since: float = 0) -> list[Done]:
        with closing(self.connection()) as connection:
            rows = connection.execute("SELECT incident, action, at FROM actions WHERE at >= ? ORDER BY number", (since,))
            return [Done(incident, Action.read(json.loads(action)), at) for incident, action, at in rows]

    # ---- Approvals

    def approve(self, action: str, approved: bool, by: str = "") -> None:
        """The first word counts."""
        with closing(self.connection()) as connection, connection:
            connection.execute("INSERT OR IGNORE INTO approvals VALUES (?, ?, ?)", (action, approved, by))

    def approval(self, action: str) -> Optional[bool]:
        with closing(self.connection()) as connection:
            row = connection.execute("SELECT approved FROM approvals WHERE action = ?", (action,)).fetchone()
            return bool(row[0]) if row else None
