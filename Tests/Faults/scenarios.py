"""The faults, one function each: a generator that does something and yields for how long to let it work.

Envelopes come in at an even pace meanwhile. When it returns, the fault is over and recovery begins.
"""

import json
import urllib.request
from dataclasses import dataclass
from typing import Callable, Iterator

import workload
from run import Run

Steps = Iterator[float]


@dataclass(frozen=True)
class Scenario:
    name: str
    steps: Callable[[Run], Steps]
    # Dead-letter queues in which envelopes may be found instead of stored results.
    dead_letters: tuple[str, ...] = ()
    # Who may end by himself.
    may_end: tuple[str, ...] = ()
    submits_by_itself: bool = False
    # For `make soak` only.
    takes_long: bool = False


def undisturbed(run: Run) -> Steps:
    while run.is_submitting:
        yield 0.1


def sidecars_killed(run: Run) -> Steps:
    while run.is_submitting:
        yield run.random.uniform(0.1, 0.6)
        run.world.kill(run.choice(run.pipeline.sidecars))


def kill_sidecars(run: Run) -> None:
    """All of them, with what they hold in memory: results that no broker has taken yet must not be settled yet."""
    for child in run.pipeline.sidecars.values():
        run.world.kill(child)


def handlers_killed(run: Run) -> Steps:
    while run.is_submitting:
        yield run.random.uniform(0.1, 0.6)
        run.world.kill(run.choice(run.pipeline.handlers))


def gateway_killed(run: Run) -> Steps:
    while run.is_submitting:
        yield run.random.uniform(0.3, 1.5)
        run.world.kill(run.pipeline.gateway)


def rolling_restart(run: Run) -> Steps:
    """SIGTERM: who is asked to stop hands back what he has not begun, also while he is only just starting."""
    while run.is_submitting:
        child = run.random.choice(run.pipeline.children)
        run.world.ask_to_stop(child)
        while child.pid in run.world.killed and run.is_submitting:
            yield 0.05
        yield run.random.uniform(0, 0.3)
        run.world.ask_to_stop(child)
        yield run.random.uniform(0, 0.3)


def rabbitmq_restarted(run: Run) -> Steps:
    server = run.world.servers.rabbitmq
    yield 1
    server.server.stop()
    yield 0.5
    kill_sidecars(run)
    yield 0.5
    server.start_again()
    yield 2
    server.server.kill()  # what it has confirmed must be on its disk
    yield 0.5
    server.start_again()


def rabbitmq_frozen(run: Run) -> Steps:
    """As if its node had no time for it, longer than heartbeats wait: connections are open, but nobody is there."""
    yield 1
    with run.world.frozen(run.world.servers.rabbitmq.server):
        yield 12


def postgresql_restarted(run: Run) -> Steps:
    server = run.world.servers.postgresql
    yield 1
    server.server.stop()
    yield 0.5
    run.world.kill(run.pipeline.gateway)  # and the reports that it has taken, but not written
    yield 1
    server.start_again()
    yield 1.5
    server.crash()
    yield 1
    server.start_again()


def connections_cut(run: Run) -> Steps:
    run.world.proxy.disturb(run.random)
    while run.is_submitting:
        yield run.random.uniform(0.5, 1.5)
        run.world.kill(run.choice(run.pipeline.sidecars))
    yield 2  # envelopes are still under way
    run.world.proxy.stop_disturbing()
    run.note(f"{run.world.proxy.cuts} connections cut")


def publishers_blocked(run: Run) -> Steps:
    yield 1
    run.world.control("set_vm_memory_high_watermark", "0.00001")
    yield 2
    kill_sidecars(run)
    yield 2
    run.world.control("set_vm_memory_high_watermark", "0.4")


def queue_deleted(run: Run) -> Steps:
    """Its sidecar is frozen, so that it is sure what lies in the queue, and what comes while there is none."""
    middle = run.count // 2
    with run.world.frozen(run.pipeline.sidecars["slow"]):
        run.submit(range(middle), seconds=1)
        while run.is_submitting or run.is_busy(except_for="slow"):
            yield 0.5
        run.victims = run.unfinished()
        run.world.control("delete_queue", "troupe-slow")
        run.submit(range(middle, run.count), seconds=1)
        yield 1


def results_folder_full(run: Run) -> Steps:
    yield 1
    run.world.disk.fill()
    yield 5
    run.world.disk.empty()


INJECTED = [
    {"kind": "latency", "delay": "30ms", "intensity": 3}, {"kind": "timeout", "delay": "50ms"}, {"kind": "error"},
    {"kind": "crash"}, {"kind": "cpu", "cpu": "200ms"}, {"kind": "memory", "bytes": 10_000_000}, {"kind": "drop"},
    # Shorter than the sidecar's patience: it ends with its fault.
    {"kind": "hang"},
]


def injected(run: Run) -> Steps:
    """By the sidecars themselves, as somebody asks the gateway to: every kind but changed results."""
    kinds = 0
    while run.is_submitting:
        fault = {
            **INJECTED[kinds % len(INJECTED)], "actor": run.random.choice([*workload.ROUTE, "*"]), "seed": kinds,
            "probability": run.random.choice([0.1, 0.3, 0.6]), "duration": f"{run.random.randint(300, 2000)}ms"}
        request = urllib.request.Request(
            f"{run.pipeline.gateway_url}/faults", json.dumps(fault).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()
        kinds += 1
        yield run.random.uniform(0.05, 0.25)
    rows = run.world.query(
        "SELECT result->>'kind', count(*) FROM envelope_updates WHERE partial_type = 'fault' GROUP BY 1 ORDER BY 1")
    run.note(f"{kinds} faults; effects: " + ", ".join(f"{count} {kind}" for kind, count in rows))


def storm(run: Run) -> Steps:
    """Everything together, in an order that nobody has thought of."""
    rabbitmq, postgresql = run.world.servers.rabbitmq, run.world.servers.postgresql
    while run.is_submitting:
        yield run.random.uniform(0.1, 1)
        fault = run.random.choice(["child"] * 12 + ["cut"] * 3 + ["calm"] * 2 + ["disk", "broker", "database"])
        if fault == "child":
            run.world.kill(run.random.choice(run.pipeline.children))
        elif fault == "cut":
            run.world.proxy.disturb(run.random)
        elif fault == "calm":
            run.world.proxy.stop_disturbing()
        elif fault == "disk":
            run.world.disk.fill()
            yield 1
            run.world.disk.empty()
        elif fault == "broker":
            rabbitmq.server.kill()
            yield run.random.uniform(0, 2)
            rabbitmq.start_again()
        elif fault == "database":
            postgresql.crash()
            yield run.random.uniform(0, 2)
            postgresql.start_again()
    run.world.proxy.stop_disturbing()


ALL = [
    Scenario("undisturbed", undisturbed),
    Scenario("sidecars-killed", sidecars_killed),
    Scenario("handlers-killed", handlers_killed),
    Scenario("gateway-killed", gateway_killed),
    Scenario("rolling-restart", rolling_restart),
    Scenario("rabbitmq-restarted", rabbitmq_restarted),
    Scenario("rabbitmq-frozen", rabbitmq_frozen, takes_long=True),
    Scenario("postgresql-restarted", postgresql_restarted),
    Scenario("connections-cut", connections_cut),
    Scenario("publishers-blocked", publishers_blocked),
    Scenario("queue-deleted", queue_deleted, submits_by_itself=True),
    Scenario("results-folder-full", results_folder_full),
    Scenario("injected", injected),
    Scenario("storm", storm, takes_long=True),
]
