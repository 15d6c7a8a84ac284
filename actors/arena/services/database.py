"""What the database service keeps: users and payments. A row is written once for each envelope, however often that comes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import settings

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, envelope TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS payments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL, amount REAL NOT NULL, status TEXT NOT NULL,
    envelope TEXT UNIQUE);
INSERT OR IGNORE INTO users VALUES (1, 'Alice', 'seed-1'), (2, 'Bob', 'seed-2');
INSERT OR IGNORE INTO payments VALUES (1, 1, 100.0, 'completed', 'seed-1'), (2, 2, 50.0, 'pending', 'seed-2');
"""


class NotThere(LookupError):
    pass


def path():
    return Path(settings.read().state).with_name("arena-bank.db")


def connection():
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    opened = sqlite3.connect(file, timeout=20)
    opened.row_factory = sqlite3.Row
    opened.executescript("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE;" + SCHEMA + "COMMIT;")
    return opened


def run(query, envelope):
    (name, value), = query.items()
    with closing(connection()) as opened, opened:
        return QUERIES[name](opened, value, envelope)


def users(opened, value, envelope):
    return {"users": [dict(row) for row in opened.execute("SELECT id, name FROM users ORDER BY id LIMIT 1000")]}


def payments(opened, value, envelope):
    rows = opened.execute("SELECT id, user_id, amount, status FROM payments ORDER BY id DESC LIMIT 1000")
    return {"payments": [dict(row) for row in rows]}


def find_user(opened, value, envelope):
    row = opened.execute("SELECT id, name FROM users WHERE id = ?", (value,)).fetchone()
    if row is None:
        raise NotThere(f"there is no user {value}")
    return {"user": dict(row)}


def balance(opened, value, envelope):
    row = opened.execute(
        "SELECT coalesce(sum(amount), 0) FROM payments WHERE user_id = ? AND status = 'completed'", (value,)).fetchone()
    return {"user_id": value, "balance": round(row[0], 2)}


def insert_user(opened, value, envelope):
    opened.execute("INSERT OR IGNORE INTO users (name, envelope) VALUES (?, ?)", (value["name"], envelope))
    return {"user": dict(opened.execute("SELECT id, name FROM users WHERE envelope = ?", (envelope,)).fetchone())}


def insert_payment(opened, value, envelope):
    opened.execute(
        "INSERT OR IGNORE INTO payments (user_id, amount, status, envelope) VALUES (?, ?, 'completed', ?)",
        (value["user_id"], value["amount"], envelope))
    row = opened.execute("SELECT id, user_id, amount, status FROM payments WHERE envelope = ?", (envelope,)).fetchone()
    return {"payment": dict(row), "transaction": f"txn_{envelope}"}


QUERIES = {
    "users": users, "payments": payments, "find_user": find_user, "balance": balance, "insert_user": insert_user,
    "insert_payment": insert_payment,
}
