"""A results folder whose disk can be filled."""

import ctypes
import errno
import os
import subprocess
from pathlib import Path

CLONE_NEWNS = 0x00020000
SIZE = 256 << 20
FILLER = "filler"


class Disk:
    """With root's rights a small file system in memory; else something that fails at the same calls."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.is_mounted = os.geteuid() == 0 and mount(folder)

    def fill(self) -> None:
        if not self.is_mounted:
            return self.obstruct()
        block = bytes(1 << 20)
        with (self.folder / FILLER).open("wb", buffering=0) as filler:
            while block:
                try:
                    filler.write(block)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    block = block[:len(block) // 2]  # the last bytes, too

    def empty(self) -> None:
        if not self.is_mounted:
            return self.clear()
        (self.folder / FILLER).unlink(missing_ok=True)

    def close(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)

    def obstruct(self) -> None:
        """Puts files in the places of folders: whatever is to be created there fails."""
        for name in ("happy-end", "error-end"):
            (self.folder / name).rename(self.folder / f".{name}")
            (self.folder / name).touch()

    def clear(self) -> None:
        for name in ("happy-end", "error-end"):
            if (self.folder / f".{name}").exists():
                (self.folder / name).unlink(missing_ok=True)
                (self.folder / f".{name}").rename(self.folder / name)


def mount(folder: Path) -> bool:
    """For this process and its children only: the mount goes with them."""
    if ctypes.CDLL(None).unshare(CLONE_NEWNS) != 0:
        return False
    commands = [
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "troupe-faults", str(folder)],
    ]
    return all(subprocess.run(command, capture_output=True).returncode == 0 for command in commands)
