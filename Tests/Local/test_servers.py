"""The private servers really serve, side by side, and leave nothing behind, however their run ends."""

import os
import signal
import subprocess
import sys
import time
import unittest
import urllib.request
from pathlib import Path
from typing import Iterator, Optional, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
LOCAL = REPOSITORY / "deploy" / "local"
sys.path.insert(0, str(LOCAL))

from guard import descendants  # noqa: E402

WITH_SERVERS = [sys.executable, str(LOCAL / "with_servers.py")]
LIMIT = 120


class Run:
    """A `with_servers.py` whose command tells where its servers are, and then waits for a line from us."""

    SCRIPT = 'env | grep ^TROUPE_TEST_; echo ready; read -r answer; exit "$answer"'

    def __init__(self, *options: str):
        self.process = subprocess.Popen(
            [*WITH_SERVERS, *options, "--", "sh", "-c", self.SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.settings = dict(line.split("=", 1) for line in self.lines_until_ready())
        if not self.settings:
            raise AssertionError(f"the servers did not start:\n{self.process.stderr.read()}")
        self.folder = Path(self.settings["TROUPE_TEST_RABBITMQCTL"]).parents[1]
        self.processes = {self.process.pid, *descendants(self.process.pid)}

    def lines_until_ready(self) -> Iterator[str]:
        for line in self.process.stdout:
            if line == "ready\n":
                return
            yield line.rstrip("\n")

    def worker(self) -> int:
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def end(self, answer: Optional[str] = None) -> int:
        self.process.communicate(None if answer is None else f"{answer}\n", timeout=LIMIT)
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def left(self) -> list[str]:
        """What there still is of it, after a moment for the kernel."""
        deadline = time.monotonic() + 20
        while True:
            left = [f"process {pid}: {name_of(pid)}" for pid in self.processes if name_of(pid)]
            if self.folder.exists():
                left.append(str(self.folder))
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.1)


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def output(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, timeout=LIMIT).stdout


class ServersTests(unittest.TestCase):
    def start(self, *options: str) -> Run:
        run = Run(*options)
        self.addCleanup(run.close)
        return run

    def test_two_side_by_side_serve_and_leave_nothing(self) -> None:
        first, second = self.start("--s3"), self.start()
        for run, name in ((first, "first"), (second, "second")):
            control, database = run.settings["TROUPE_TEST_RABBITMQCTL"], run.settings["TROUPE_TEST_DATABASE_URL"]
            output(control, "add_vhost", name)
            output("psql", "--quiet", database, "--command", f"CREATE TABLE {name} (n int)")
        for run, name in ((first, "first"), (second, "second")):
            control, database = run.settings["TROUPE_TEST_RABBITMQCTL"], run.settings["TROUPE_TEST_DATABASE_URL"]
            vhosts = output(control, "--quiet", "list_vhosts", "--no-table-headers").split()
            self.assertEqual(sorted(vhosts), ["/", name])
            tables = output(
                "psql", "--tuples-only", "--no-align", database, "--command",
                "SELECT tablename FROM pg_tables WHERE tablename IN ('first', 'second')")
            self.assertEqual(tables.split(), [name])
        with urllib.request.urlopen(first.settings["TROUPE_TEST_S3_ENDPOINT"], timeout=10) as response:
            self.assertEqual(response.status, 200)
        self.assertNotIn("TROUPE_TEST_S3_ENDPOINT", second.settings)
        self.check_closed_to_others(first)

        self.assertEqual(first.end("0"), 0)
        self.assertEqual(first.left(), [])
        self.assertIn("second", output(second.settings["TROUPE_TEST_RABBITMQCTL"], "list_vhosts"))
        self.assertEqual(second.end("3"), 3, "the command's exit code is passed on")
        self.assertEqual(second.left(), [])

    def check_closed_to_others(self, run: Run) -> None:
        addresses = listening(run.processes)
        self.assertGreaterEqual(len(addresses), 4)
        self.assertLessEqual({address for address, _ in addresses}, {"127.0.0.1", "::1"})
        url = run.settings["TROUPE_TEST_DATABASE_URL"]
        password = url.split(":")[2].split("@")[0]
        command = ["psql", url.replace(password, "wrong"), "--command", "SELECT 1"]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("password authentication failed", done.stderr)
        control = run.settings["TROUPE_TEST_RABBITMQCTL"]
        done = subprocess.run([control, "authenticate_user", "troupe", "wrong"], capture_output=True)
        self.assertNotEqual(done.returncode, 0)

    def test_signals_leave_nothing(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number.name):
                run = self.start()
                run.process.send_signal(number)
                self.assertEqual(run.end(), 128 + number)
                self.assertEqual(run.left(), [])

    def test_ctrl_c_in_the_terminal_leaves_nothing(self) -> None:
        run = self.start()
        os.killpg(run.process.pid, signal.SIGINT)
        os.killpg(run.process.pid, signal.SIGINT)  # impatience
        self.assertEqual(run.end(), 128 + signal.SIGINT)
        self.assertEqual(run.left(), [])

    def test_sigterm_while_starting_leaves_nothing(self) -> None:
        process = subprocess.Popen([*WITH_SERVERS, "true"], stderr=subprocess.DEVNULL)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 30
        while "beam.smp" not in descendants(process.pid).values():
            self.assertLess(time.monotonic(), deadline, "RabbitMQ was never started")
            time.sleep(0.05)
        processes = set(descendants(process.pid))
        process.terminate()
        self.assertEqual(process.wait(LIMIT), 128 + signal.SIGTERM)
        self.assertEqual([name_of(pid) for pid in processes if name_of(pid)], [])

    def test_killed_worker_leaves_nothing(self) -> None:
        run = self.start()
        os.kill(run.worker(), signal.SIGKILL)
        self.assertEqual(run.end(), 128 + signal.SIGKILL)
        self.assertEqual(run.left(), [])

    def test_killed_guardian_leaves_nothing(self) -> None:
        run = self.start()
        run.process.kill()
        run.process.wait(LIMIT)
        self.assertEqual(run.left(), [])

    def test_daemon_of_the_command_leaves_with_it(self) -> None:
        process = subprocess.run(
            [*WITH_SERVERS, "sh", "-c", "setsid sleep 987 >/dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, timeout=LIMIT)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(name_of(int(process.stdout)), "")

    def test_unknown_command_is_named(self) -> None:
        done = subprocess.run([*WITH_SERVERS, "no-such-command"], capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, 127)
        self.assertIn("cannot run no-such-command", done.stderr)


def listening(processes: Sequence[int]) -> set[tuple[str, str]]:
    lines = output("ss", "--listening", "--tcp", "--numeric", "--processes", "--no-header").splitlines()
    ours = [line.split() for line in lines if any(f"pid={pid}," in line for pid in processes)]
    return {tuple(fields[3].replace("[", "").replace("]", "").rsplit(":", 1)) for fields in ours}


if __name__ == "__main__":
    unittest.main()
