"""What the detector knows, from poll to poll."""

import json
from typing import Optional

from .. import state
from .detector import Watch

SCHEMA = """
CREATE TABLE IF NOT EXISTS owner (one INTEGER PRIMARY KEY CHECK (one = 1), envelope TEXT NOT NULL, poll INTEGER NOT
NULL);
CREATE TABLE IF NOT EXISTS watches (service TEXT PRIMARY KEY, watch TEXT NOT NULL, incident TEXT, seen REAL, state
TEXT);
CREATE TABLE IF NOT EXISTS log (number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, service TEXT, state TEXT, incident
TEXT,
    vector TEXT)
"""


def opened():
    return state.transaction("detector", SCHEMA)


def own(envelope: str) -> None:
    """From now on only this envelope's polls count."""
    with opened() as database:
        database.execute(
            "INSERT INTO owner VALUES (1, ?1, -1) ON CONFLICT DO UPDATE SET envelope = ?1, poll = -1"
            " WHERE envelope <> ?1", (envelope,))


def last_poll(envelope: str) -> Optional[int]:
    """None: it is another one's turn."""
    with opened() as database:
        row = database.execute("SELECT * FROM owner").fetchone()
    return row["poll"] if row and row["envelope"] == envelope else None


def watches() -> dict[str, tuple[Watch, Optional[str]]]:
    """Each with the incident that is open."""
    with opened() as database:
        rows = database.execute("SELECT service, watch, incident FROM watches").fetchall()
    return {row["service"]: (Watch.read(json.loads(row["watch"])), row["incident"]) for row in rows}


def keep(poll: int, now: float, found: dict[str, tuple[Watch, str, Optional[str], list]]) -> None:
    """All of a poll, or nothing: services with their watch, state, incident and vector."""
    with opened() as database:
        database.execute("UPDATE owner SET poll = ?", (poll,))
        for service, (watch, condition, incident, vector) in found.items():
            database.execute(
                "INSERT OR REPLACE INTO watches VALUES (?, ?, ?, ?, ?)",
                (service, json.dumps(watch.payload()), incident, now, condition))
            database.execute(
                "INSERT INTO log (at, service, state, incident, vector) VALUES (?, ?, ?, ?, ?)",
                (now, service, condition, incident, json.dumps(vector)))
        database.execute("DELETE FROM log WHERE number <= (SELECT max(number) FROM log) - 5000")


def states_since(service: str, at: float) -> list[str]:
    with opened() as database:
        rows = database.execute("SELECT state FROM log WHERE service = ? AND at > ? ORDER BY number", (service, at))
        return [row["state"] for row in rows]


def forget() -> None:
    with opened() as database:
        database.execute("DELETE FROM watches")
        database.execute("DELETE FROM log")
