#!/usr/bin/env python3
"""Runs a command beside private servers, and passes on its exit code.

    with_servers.py [--s3 | --broker] [--] COMMAND [ARGUMENT ...]

The command finds them by TROUPE_TEST_RABBITMQ_URL, TROUPE_TEST_RABBITMQ_TLS_URL (its authority's certificate:
TROUPE_TEST_RABBITMQ_CA_FILE), TROUPE_TEST_DATABASE_URL (schema deployed), with --s3 by TROUPE_TEST_S3_ENDPOINT;
TROUPE_TEST_RABBITMQCTL is a `rabbitmqctl` for this very node. With --broker there is RabbitMQ alone. All of it is gone
afterwards.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Sequence

import guard
import servers


def main(folder: Path, command: Sequence[str], with_s3: bool, only_broker: bool) -> int:
    with servers.broker(folder) if only_broker else servers.started(folder, with_s3) as running:
        return run(command, {**os.environ, **running.settings()})


def run(command: Sequence[str], env: dict[str, str]) -> int:
    # In our process group: the terminal, and its Ctrl-C, are the command's as well.
    try:
        process = subprocess.Popen(command, env=env)
    except OSError as error:
        raise guard.Problem(f"cannot run {command[0]}: {error.strerror}", 127) from None
    try:
        code = process.wait()
    except guard.Stopped:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--s3", action="store_true", help="start an S3 server too")
    choice.add_argument("--broker", action="store_true", help="start RabbitMQ only")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("no COMMAND given")
    if not shutil.which(command[0]):  # before servers are started for it
        guard.say(f"error: cannot run {command[0]}: no such program")
        sys.exit(127)
    guard.run(lambda folder: main(folder, command, options.s3, options.broker))
