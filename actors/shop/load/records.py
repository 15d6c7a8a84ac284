"""What load runs have measured, under the ids of their requests: measured twice, it counts once."""

import sqlite3
from typing import Optional

from .. import state
from .scenarios import Sample

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, begun REAL NOT NULL);
CREATE TABLE IF NOT EXISTS users (run TEXT, number INTEGER, gone INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (run, number));
CREATE TABLE IF NOT EXISTS samples (id TEXT PRIMARY KEY, run TEXT NOT NULL, operation TEXT NOT NULL,
    milliseconds REAL NOT NULL, ok INTEGER NOT NULL, outcome TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS samples_run ON samples (run)
"""


def opened():
    return state.transaction("load", SCHEMA)


def begin(run: str, users: int, now: float) -> float:
    """When it began, which may have been in an earlier delivery."""
    with opened() as database:
        database.execute("INSERT OR IGNORE INTO runs VALUES (?, ?)", (run, now))
        database.executemany(
            "INSERT OR IGNORE INTO users (run, number) VALUES (?, ?)", [(run, number) for number in range(users)])
        return database.execute("SELECT begun FROM runs WHERE id = ?", (run,)).fetchone()["begun"]


def note(id: str, run: str, sample: Sample) -> None:
    with opened() as database:
        database.execute(
            "INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?, ?, ?)",
            (id, run, sample.operation, sample.milliseconds, sample.ok, sample.outcome))


def known(id: str) -> Optional[Sample]:
    with opened() as database:
        row = database.execute("SELECT * FROM samples WHERE id = ?", (id,)).fetchone()
    return None if row is None else sample_in(row)


def leave(run: str, number: int) -> None:
    with opened() as database:
        database.execute("UPDATE users SET gone = 1 WHERE run = ? AND number = ?", (run, number))


def staying(run: str) -> int:
    with opened() as database:
        return database.execute("SELECT count(*) FROM users WHERE run = ? AND NOT gone", (run,)).fetchone()[0]


def samples(run: str) -> list[Sample]:
    with opened() as database:
        return [sample_in(row) for row in database.execute("SELECT * FROM samples WHERE run = ? ORDER BY id", (run,))]


def sample_in(row: sqlite3.Row) -> Sample:
    return Sample(row["operation"], row["milliseconds"], bool(row["ok"]), row["outcome"])
