"""A private RabbitMQ node in a folder, on loopback, with its own port mapper (epmd)."""

import secrets
import shlex
import shutil
import socket
from pathlib import Path

import certificates
from children import Child, environment_without, free_port, stop_all, wait_until
from guard import Problem

# Debian's /usr/sbin/rabbitmq-server switches to the user rabbitmq and to the machine's own folders; these don't.
PROGRAMS = Path("/usr/lib/rabbitmq/bin")
USER = "troupe"
START_LIMIT = 90


class RabbitMQ:
    def __init__(self, folder: Path):
        if not (PROGRAMS / "rabbitmq-server").exists() or not shutil.which("epmd"):
            raise Problem(f"RabbitMQ is not installed ({PROGRAMS}/rabbitmq-server); run deploy/local/install.sh", 69)
        self.folder = folder
        self.port = free_port()
        self.password = secrets.token_hex(12)
        self.url = f"amqp://{USER}:{self.password}@127.0.0.1:{self.port}/%2f"
        # By name: rabbitmq-c compares host names with certificates, not addresses.
        self.tls_port = free_port()
        self.tls_url = f"amqps://{USER}:{self.password}@localhost:{self.tls_port}/%2f"
        self.authority = folder / "ca.pem"
        self.node = f"troupe-{secrets.token_hex(4)}@localhost"
        self.control = folder / "rabbitmqctl"
        epmd_port = free_port()
        env = self.environment(epmd_port)
        # Ours and in the foreground: the one that Erlang would start is a daemon that outlives its node.
        self.epmd = Child("epmd", ["epmd", "-port", epmd_port, "-address", "127.0.0.1"], folder / "epmd.log", env)
        # Nothing in the node is worth a clean shutdown of some seconds, but plugins and ports are: so TERM first.
        self.server = Child("RabbitMQ", [PROGRAMS / "rabbitmq-server"], folder / "rabbitmq.log", env, patience=15)

    def environment(self, epmd_port: int) -> dict[str, str]:
        config = self.folder / "rabbitmq.conf"
        return {
            **environment_without("RABBITMQ_", "ERL_", "NOTIFY_SOCKET"),
            "HOME": str(self.folder),  # the Erlang cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(epmd_port),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),  # not the machine's
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "config"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PLUGINS_EXPAND_DIR": str(self.folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # Makes the start script become the node instead of watching over it: signals reach the node itself.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def settings(self) -> dict[str, str]:
        """What tests read to find it."""
        return {
            "TROUPE_TEST_RABBITMQ_URL": self.url,
            "TROUPE_TEST_RABBITMQ_TLS_URL": self.tls_url,
            "TROUPE_TEST_RABBITMQ_CA_FILE": str(self.authority),
            "TROUPE_TEST_RABBITMQCTL": str(self.control),
        }

    def start(self) -> None:
        self.folder.mkdir(mode=0o700)
        certificate, key = certificates.issue(self.folder, "localhost")
        (self.folder / "rabbitmq-env.conf").touch()
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}\n"
            f"ssl_options.cacertfile = {self.authority}\n"
            f"ssl_options.certfile = {certificate}\n"
            f"ssl_options.keyfile = {key}\n"
            f"default_user = {USER}\n"
            f"default_pass = {self.password}\n"
            # A laptop's nearly full disk would block every publisher.
            "disk_free_limit.absolute = 10MB\n"
            "log.console.level = info\n"
        )
        # What list_queues says of a quorum queue is as old as its last tick: 5 s, left alone.
        (self.folder / "advanced.config").write_text("[{rabbit, [{quorum_tick_interval, 500}]}].\n")
        self.write_control()
        self.epmd.start()
        self.server.start()

    def start_again(self) -> None:
        """On the same port and folder, after its server was stopped or killed."""
        self.server.start()
        self.wait()

    def write_control(self) -> None:
        """A `rabbitmqctl` that speaks to this node only."""
        names = [name for name in self.server.env if name.startswith(("RABBITMQ_", "ERL_"))]
        settings = {name: self.server.env[name] for name in [*names, "HOME"]}
        first = free_port()  # of the range in which a control command listens itself
        settings["RABBITMQ_CTL_DIST_PORT_MIN"] = str(first)
        settings["RABBITMQ_CTL_DIST_PORT_MAX"] = str(first + 99)
        settings["RABBITMQ_CTL_ERL_ARGS"] = "-kernel inet_dist_use_interface {127,0,0,1}"
        lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(settings.items())]
        exec_line = f'exec {PROGRAMS}/rabbitmqctl --node {self.node} "$@"'
        self.control.write_text("\n".join(["#!/bin/sh", *lines, exec_line, ""]))
        self.control.chmod(0o700)

    def wait(self) -> None:
        wait_until(self.answers, "RabbitMQ", START_LIMIT, [self.server])

    def answers(self) -> bool:
        """The node opens its port when all else has started; its first frame is method 10.10, connection.start."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(11)[7:11] == b"\x00\x0a\x00\x0a"
        except OSError:
            return False

    def stop(self) -> None:
        self.server.stop()
        stop_all([self.epmd])
