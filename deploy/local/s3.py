"""An S3-compatible server for tests: moto's, from PyPI, in a virtual environment under `.build`."""

import urllib.request
from pathlib import Path

import venvs
from children import Child, environment_without, free_port, wait_until

# Not moto[server]: that brings three times as much, for services that nobody asks for here.
REQUIREMENTS = ["moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"]
START_LIMIT = 60


class S3:
    def __init__(self, folder: Path):
        programs = venvs.install("venv", REQUIREMENTS) / "bin"
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.server = Child(
            "moto", [programs / "moto_server", "-H", "127.0.0.1", "-p", self.port], folder / "s3.log",
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
