"""The demo's pipeline without any server: `troupe dev` on the project in `actors/`, with queues and states in one file."""

import contextlib
import re
from pathlib import Path
from typing import Iterator, Optional

from children import Child, environment_without, free_port, wait_until
from pipeline import READY_LIMIT, Supervised, answers, check_programs

REPOSITORY = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def started(folder: Path, programs: Path, gateway_port: Optional[int] = None) -> Iterator["EmbeddedPipeline"]:
    check_programs(programs / "troupe", programs / "summary")
    pipeline = EmbeddedPipeline(folder, programs, gateway_port or free_port())
    try:
        pipeline.start()
        yield pipeline
    finally:
        pipeline.dev.stop()


class EmbeddedPipeline:
    def __init__(self, folder: Path, programs: Path, port: int):
        self.results = folder / "state" / "results"
        self.log = folder / "dev.log"
        self.gateway_url = f"http://127.0.0.1:{port}"
        project = self.project(folder, programs)
        command = [programs / "troupe", "dev", project, "--port", port, "--state", folder / "state", "--color", "never"]
        self.dev = Child("troupe dev", command, self.log, environment_without("TROUPE_", "ASYA_"))
        self.supervised = Supervised(self.dev)

    @staticmethod
    def project(folder: Path, programs: Path) -> Path:
        """The one in `actors/`, without the worlds that it includes, with the programs that are meant."""
        text = (REPOSITORY / "actors" / "troupe.yaml").read_text()
        text = re.sub(r"^include: .*\n", "", text, flags=re.MULTILINE)
        text = text.replace("../.build/debug/summary", str(programs / "summary"))
        for name in ("split", "keywords"):
            (folder / name).symlink_to(REPOSITORY / "actors" / name)
        (folder / "troupe.yaml").write_text(text)
        return folder / "troupe.yaml"

    @property
    def victims(self) -> list[Child]:
        """All of it at once: what it was at goes on after the restart."""
        return [self.dev]

    @property
    def places(self) -> list[tuple[str, str]]:
        return [("queues and states", str(self.results.parent / "troupe.db")), ("log", str(self.log))]

    def start(self) -> None:
        self.dev.start()
        wait_until(lambda: answers(f"{self.gateway_url}/health"), "the pipeline", READY_LIMIT, [self.dev])

    def supervise(self) -> list[str]:
        return [self.dev.name] if self.supervised.restarted() else []

    def logs_of(self, actor: Optional[str]) -> list[Path]:
        return [self.log]
