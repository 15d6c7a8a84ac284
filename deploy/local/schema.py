"""Deploys the gateway's schema with Sqitch, verified change by change."""

import os
import urllib.parse
from pathlib import Path

from children import environment_without, run_once

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = REPOSITORY / "gateway-schema"


def deploy(database_url: str, folder: Path) -> bool:
    """False when there is no Sqitch project to deploy."""
    if not (PROJECT / "sqitch.plan").exists():
        return False
    url = urllib.parse.urlsplit(database_url)
    target = f"db:pg://{url.username}@{url.hostname}:{url.port}{url.path}"
    env = {
        **environment_without("PG", "SQITCH_"),
        "PGPASSWORD": urllib.parse.unquote(url.password or ""),  # not in the arguments, where everyone can read it
        # Nobody's own configuration; and Sqitch wants to know who deploys.
        "SQITCH_SYSTEM_CONFIG": os.devnull, "SQITCH_USER_CONFIG": os.devnull,
        "SQITCH_FULLNAME": "Troupe", "SQITCH_EMAIL": "troupe@localhost",
        "HOME": str(folder),
    }
    run_once(["sqitch", "deploy", "--verify", target], "the schema could not be deployed", env, cwd=PROJECT)
    return True
