#!/usr/bin/env python3
"""What the documentation says is true: links lead somewhere, `make` targets exist, and the README's commands work.

A fenced `sh` block after the line `<!-- tested -->` is run in bash, as written, from the top of the repository, beside
the demo's pipeline; `localhost:8080` in it becomes the address of that gateway. Blocks run in order, each must exit 0.
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
        address = pipeline.gateway_url.removeprefix("http://")
        # One shell for all of them, as a reader has one terminal: what a block exports or starts is there for the next.
        script = "\n".join(blocks).replace("/tmp/greet", str(folder / "greet"))
        return [*run(script, address, {"TROUPE_RABBITMQ_URL": pipeline.servers.rabbitmq_url})]


def run(block: str, address: str, settings: dict[str, str]) -> Iterator[str]:
    script = re.sub(r"\b(localhost|127\.0\.0\.1):8080\b", address, block)
    print(f"--- running:\n{script}", flush=True)
    try:
        code = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], timeout=LIMIT, env={**os.environ, **settings}).returncode
    except subprocess.TimeoutExpired:
        code = None
    if code != 0:
        ended = f"did not end within {LIMIT} s" if code is None else f"ended with code {code}"
        yield f"README.md: {ended}:\n{block}"


if __name__ == "__main__":
    guard.run(main)
