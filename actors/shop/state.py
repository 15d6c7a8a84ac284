"""Where the shop keeps what must survive: one SQLite file, and the secret that tokens are signed with."""

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path
from typing import Iterator

from remediation.ledger import Ledger


def folder() -> Path:
    """Of `troupe dev`, unless said otherwise; it keeps itself out of repositories."""
    path = Path(os.environ.get("SHOP_STATE", ".troupe/shop"))
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def transaction(name: str, schema: str) -> Iterator[sqlite3.Connection]:
    """All or nothing, on disk when it is over; one writer at a time, who waits for the others."""
    with contextlib.closing(sqlite3.connect(folder() / f"{name}.db", timeout=10, isolation_level=None)) as database:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN IMMEDIATE")
        try:
            for statement in schema.split(";"):
                database.execute(statement)
            yield database
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise


def secret() -> bytes:
    """`SHOP_SECRET`, which all replicas of a cluster must share; on one machine it is drawn once."""
    if given := os.environ.get("SHOP_SECRET"):
        if len(given) < 16:
            raise ValueError("SHOP_SECRET is too short: expected at least 16 characters")
        return given.encode()
    path = folder() / "secret"
    if not path.exists():
        # Whole or not there, and the first of several wins.
        draft = path.with_name(f"secret.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_bytes()


def ledger() -> Ledger:
    """Of incidents and of what was done about them."""
    return Ledger(folder() / "incidents.db")
