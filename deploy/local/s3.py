"""An S3-compatible server for tests: moto's, from PyPI, in a virtual environment under `.build`."""

import fcntl
import sys
import urllib.request
from pathlib import Path

from children import Child, environment_without, free_port, run_once, wait_until
from guard import say

REPOSITORY = Path(__file__).resolve().parents[2]
VENV = REPOSITORY / ".build" / "venv"
# Not moto[server]: that brings three times as much, for services that nobody asks for here.
REQUIREMENTS = ["moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"]
START_LIMIT = 60


class S3:
    def __init__(self, folder: Path):
        install()
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.server = Child(
            "moto", [VENV / "bin" / "moto_server", "-H", "127.0.0.1", "-p", self.port], folder / "s3.log",
            environment_without("AWS_", "MOTO_", "PYTHON"))

    def start(self) -> None:
        self.server.start()

    def wait(self) -> None:
        wait_until(self.answers, "the S3 server", START_LIMIT, [self.server])

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint, timeout=5):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        self.server.stop()


def install() -> None:
    """Once; the stamp says what is in there, so that a changed version is installed anew."""
    VENV.parent.mkdir(exist_ok=True)
    with VENV.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs may start side by side
        stamp = VENV / "requirements"
        wanted = "\n".join([sys.version, *REQUIREMENTS])
        if stamp.exists() and stamp.read_text() == wanted:
            return
        say(f"installing {', '.join(REQUIREMENTS)} into {VENV.relative_to(REPOSITORY)}")
        env = {**environment_without("PIP_TARGET", "PYTHON"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        run_once([sys.executable, "-m", "venv", "--clear", VENV], "the virtual environment", env, limit=120)
        run_once([VENV / "bin" / "pip", "install", "--quiet", *REQUIREMENTS], "the S3 server", env, limit=600)
        stamp.write_text(wanted)
