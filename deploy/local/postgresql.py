"""A private PostgreSQL cluster in a folder, on loopback and on a Unix socket, password always asked for."""

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from children import Child, as_user, environment_without, free_port, run_once, wait_until
from guard import Problem

USER = DATABASE = "troupe"
START_LIMIT = 60


class PostgreSQL:
    def __init__(self, folder: Path, durable: bool):
        self.programs = find_programs()
        self.folder = folder
        self.port = free_port()
        self.password = secrets.token_hex(12)
        self.url = f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"
        # PostgreSQL refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        self.env = {
            **environment_without("PG"),
            "PGCONNECT_TIMEOUT": "5", "PGHOST": "127.0.0.1", "PGPORT": str(self.port),
            "PGUSER": USER, "PGPASSWORD": self.password,
        }
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(folder),
            "max_connections": "200",  # tests run side by side, each with its pool
        }
        if not durable:  # what a power cut would take is thrown away anyway
            settings.update(fsync="off", synchronous_commit="off", full_page_writes="off")
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for its clients.
        self.server = Child(
            "PostgreSQL", [self.programs / "postgres", "-D", folder / "data", *options],
            folder.parent / "postgresql.log", self.env, user=self.user, cwd=folder, stop_signal=signal.SIGINT)

    def start(self) -> None:
        self.folder.mkdir(mode=0o700)
        if self.user:
            shutil.chown(self.folder, self.user, self.user)
            self.check_access()
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        if self.user:
            shutil.chown(password_file, self.user)
        run_once(
            [self.programs / "initdb", "-D", self.folder / "data", "--username", USER, "--pwfile", password_file,
             "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"],
            "PostgreSQL could not be set up", self.env, user=self.user, cwd=self.folder)
        self.server.start()

    def check_access(self) -> None:
        done = subprocess.run([*as_user(self.user), "test", "-w", self.folder])
        if done.returncode != 0:
            raise Problem(
                f"user {self.user}, as whom PostgreSQL runs under root, cannot reach {self.folder}; "
                "set TMPDIR to a folder that everybody may enter, like /tmp", 73)

    def wait(self) -> None:
        wait_until(self.answers, "PostgreSQL", START_LIMIT, [self.server])
        run_once(
            [self.programs / "createdb", DATABASE], "PostgreSQL could not make the database", self.env)

    def start_again(self) -> None:
        """On the same port and folder, after its server was stopped."""
        self.server.start()
        wait_until(self.answers, "PostgreSQL", START_LIMIT, [self.server])

    def crash(self) -> None:
        """Ends it without a checkpoint. SIGKILL would leave its processes and their shared memory to themselves."""
        if self.server.running:
            self.server.process.send_signal(signal.SIGQUIT)
            self.server.process.wait()

    def answers(self) -> bool:
        query = [self.programs / "psql", "--dbname=postgres", "--no-psqlrc", "--quiet", "--command=SELECT 1"]
        return subprocess.run(
            query, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def stop(self) -> None:
        self.server.stop()


def find_programs() -> Path:
    """The folder of `postgres`: Debian keeps one a version, off the PATH."""
    versions = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if versions:
        return max(versions, key=lambda folder: int(folder.parent.name))
    found = shutil.which("postgres")
    if found:
        return Path(found).parent
    raise Problem(
        "PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/postgres); run deploy/local/install.sh", 69)
