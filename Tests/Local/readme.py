#!/usr/bin/env python3
"""What the documentation says is true: links lead somewhere, `make` targets exist, and the README's commands work.

A fenced `sh` block after the line `<!-- tested -->` is run in bash, as written, from the top of the repository, beside
the demo's pipeline on servers. Ports become free ones, and `/tmp` a folder of the test. Blocks run in order, in one shell,
as a reader has one terminal; each command must exit 0.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / name) for name in ("local", "demo")]

import demo_pipeline  # noqa: E402
import guard  # noqa: E402
from children import free_port  # noqa: E402

BLOCK = re.compile(r"^(<!-- tested -->\n+)?```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
LIMIT = 300


def main(folder: Path) -> int:
    os.chdir(REPOSITORY)
    readme = Path("README.md")
    if not readme.exists():
        raise guard.Problem("README.md is missing", 66)
    pages = [*Path().glob("*.md"), *Path("docs").rglob("*.md")]
    found = [complaint for page in pages for complaint in [*broken_links(page), *unknown_targets(page)]]
    found += wrong_commands([block for tested, block in BLOCK.findall(readme.read_text()) if tested], folder)
    print("\n".join([f"{len(pages)} pages checked, {len(found)} complaints", *found]))
    return 1 if found else 0


def broken_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(page.read_text()):
        if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists():
            yield f"{page}: links to {target}, which is not there"


def unknown_targets(page: Path) -> Iterator[str]:
    targets = set(re.findall(r"^([a-z]+):", Path("Makefile").read_text(), re.MULTILINE))
    for _, block in BLOCK.findall(page.read_text()):
        for target in re.findall(r"^(?:[A-Z]+=\S+ )*make ([a-z]+)", block, re.MULTILINE):
            if target not in targets:
                yield f"{page}: says 'make {target}', which the Makefile doesn't have"


def wrong_commands(blocks: list[str], folder: Path) -> list[str]:
    if not blocks:
        return ["README.md: no block is marked <!-- tested -->"]
    with demo_pipeline.started(folder, REPOSITORY / ".build" / "debug") as pipeline:
        own, other = free_port(), free_port()
        # What a block exports or starts is there for the next; what it leaves running ends with the shell.
        script = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + "\n".join(blocks)
        script = script.replace("cd /tmp ", f"cd {folder} ").replace("8081", str(other)).replace(
            "troupe dev &", f"troupe dev --port {own} &")
        return [*run(script, {
            "TROUPE_GATEWAY_URL": f"http://127.0.0.1:{own}",
            "TROUPE_RABBITMQ_URL": pipeline.servers.rabbitmq_url,
            "TROUPE_DATABASE_URL": pipeline.servers.database_url,
        })]


def run(script: str, settings: dict[str, str]) -> Iterator[str]:
    print(f"--- running:\n{script}", flush=True)
    try:
        code = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], timeout=LIMIT, env={**os.environ, **settings}).returncode
    except subprocess.TimeoutExpired:
        code = None
    if code != 0:
        ended = f"did not end within {LIMIT} s" if code is None else f"ended with code {code}"
        yield f"README.md: {ended}:\n{script}"


if __name__ == "__main__":
    guard.run(main)
