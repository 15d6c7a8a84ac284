"""What the demo submits: the licence texts that every Debian machine has, and one document that is no text."""

from dataclasses import dataclass
from pathlib import Path

from guard import Problem

FOLDER = Path("/usr/share/common-licenses")
PNG_SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10]


@dataclass(frozen=True)
class Document:
    name: str
    payload: dict
    expected: str


def collect() -> list[Document]:
    # GPL is a link to GPL-3: each document once, under its own name.
    paths = sorted({path.resolve() for path in FOLDER.glob("*") if path.is_file()})
    if not paths:
        raise Problem(f"{FOLDER} has no licence texts; the demo processes those that Debian keeps there", 66)
    texts = [Document(path.name, {"name": path.name, "text": read(path)}, "succeeded") for path in paths]
    return [*texts, Document("logo.png", {"name": "logo.png", "text": None, "bytes": PNG_SIGNATURE}, "failed")]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
