"""All worlds as one: a copy of `actors` under one `troupe dev`, and what one sees of it from outside."""

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / part) for part in ("deploy/local", "Tests/Dev", "Tests/Shop")]

import venvs  # noqa: E402
from pipeline_dev import Dev, check, wait_until  # noqa: E402
from world_shop import requirements  # noqa: E402

# Quick, and with room for a machine that others use as well.
QUICK = {
    "SHOP_SLOW_MS": "500", "SHOP_BUSY_CORES": "0.35", "SHOP_COOLDOWN_SECONDS": "2", "SHOP_SETTLE_SECONDS": "0.5",
    "FELIX_INTERVAL": "2", "FELIX_SETTLE_SECONDS": "0.5", "FELIX_COOLDOWN_SECONDS": "2", "FELIX_SLOW_MS": "1500",
    "FELIX_PROBE_SECONDS": "8",
}
ARENA = ("api_gateway", "user_service", "payment_service", "database_service", "echo_service")


def home(folder: Path, name: str) -> Path:
    """As in the repository, so that its state is the test's own."""
    top = folder / name
    ignored = shutil.ignore_patterns("__pycache__", ".troupe", ".venv")
    shutil.copytree(REPOSITORY / "actors", top / "actors", ignore=ignored)
    (top / ".build").symlink_to(REPOSITORY / ".build")
    (top / "actors" / "shop" / ".venv").symlink_to(venvs.install("venv-shop", requirements()))
    return top / "actors"


class Worlds(Dev):
    """Everybody has come."""

    def __init__(self, home: Path, *options: object):
        super().__init__(home, *options, env=QUICK)
        wait_until(lambda: not self.missing(), "all actors", 60, lambda: [str(self.missing()), *self.texts()])

    def missing(self) -> list[str]:
        return [one["name"] for one in self.request("GET", "/actors")["actors"] if not one["consumers"]]

    def tool(self, name: str, /, **arguments: object) -> str:
        """The envelope's id."""
        return self.request("POST", "/envelopes", {"tool": name, "arguments": arguments})["id"]

    def call(self, name: str, /, **arguments: object) -> dict:
        ended = self.result(self.tool(name, **arguments), 60)
        check(ended["status"] == "succeeded", ended)
        return ended["result"]

    def cancel(self, id: str) -> None:
        self.request("POST", f"/envelopes/{id}/cancel", {})

    def rows(self, file: str, statement: str, *values: object) -> list[dict]:
        """Of a database of a world, without disturbing it."""
        path = self.folder / file
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(statement, values)]
