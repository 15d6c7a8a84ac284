"""Virtual environments under `.build`, for what tests need from PyPI."""

import fcntl
import sys
from pathlib import Path
from typing import Sequence

from children import environment_without, run_once
from guard import say

REPOSITORY = Path(__file__).resolve().parents[2]


def install(name: str, requirements: Sequence[str]) -> Path:
    """Once; the stamp says what is in there, so that a changed version is installed anew."""
    venv = REPOSITORY / ".build" / name
    venv.parent.mkdir(exist_ok=True)
    with venv.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs may start side by side
        stamp = venv / "requirements"
        wanted = "\n".join([sys.version, *requirements])
        if not stamp.exists() or stamp.read_text() != wanted:
            what = ", ".join(requirements)
            say(f"installing {what} into {venv.relative_to(REPOSITORY)}")
            env = {**environment_without("PIP_TARGET", "PYTHON"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
            run_once([sys.executable, "-m", "venv", "--clear", venv], "the virtual environment", env, limit=120)
            run_once([venv / "bin" / "pip", "install", "--quiet", *requirements], what, env, limit=600)
            stamp.write_text(wanted)
    return venv
