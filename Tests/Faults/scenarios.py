"""The faults, one function each: a generator that does something and yields for how long to let it work.

Envelopes come in at an even pace meanwhile. When it returns, the fault is over and recovery begins.
"""

from dataclasses import dataclass
from typing import Callable, Iterator

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


def undisturbed(run: Run) -> Steps:
    while run.is_submitting:
        yield 0.1


def sidecars_killed(run: Run) -> Steps:
    while run.is_submitting:
        yield run.random.uniform(0.1, 0.6)
        run.world.kill(run.choice(run.pipeline.sidecars))


def handlers_killed(run: Run) -> Steps:
    while run.is_submitting:
        yield run.random.uniform(0.1, 0.6)
        run.world.kill(run.choice(run.pipeline.handlers))


def gateway_killed(run: Run) -> Steps:
    while run.is_submitting:
        yield run.random.uniform(0.3, 1.5)
        run.world.kill(run.pipeline.gateway)


def rolling_restart(run: Run) -> Steps:
    """SIGTERM, one after the other: who is asked to stop hands back what it has not begun."""
    while run.is_submitting:
        for child in run.pipeline.children:
            yield run.random.uniform(0.05, 0.3)
            run.world.ask_to_stop(child)


def rabbitmq_restarted(run: Run) -> Steps:
    server = run.world.servers.rabbitmq
    yield 1
    server.server.stop()
    yield 1
    server.start_again()
    yield 2
    server.server.kill()  # what it has confirmed must be on its disk
    yield 0.5
    server.start_again()


def postgresql_restarted(run: Run) -> Steps:
    server = run.world.servers.postgresql
    yield 1
    server.server.stop()
    yield 1.5
    server.start_again()
    yield 1.5
    server.crash()
    yield 1
    server.start_again()


def connections_cut(run: Run) -> Steps:
    run.world.proxy.disturb(run.random)
    while run.is_submitting:
        yield 0.2
    yield 3  # envelopes are still under way
    run.world.proxy.stop_disturbing()
    run.note(f"{run.world.proxy.cuts} connections cut")


def publishers_blocked(run: Run) -> Steps:
    yield 1
    run.world.control("set_vm_memory_high_watermark", "0.00001")
    yield 4
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


ALL = [
    Scenario("undisturbed", undisturbed),
    Scenario("sidecars-killed", sidecars_killed),
    Scenario("handlers-killed", handlers_killed),
    Scenario("gateway-killed", gateway_killed),
    Scenario("rolling-restart", rolling_restart),
    Scenario("rabbitmq-restarted", rabbitmq_restarted),
    Scenario("postgresql-restarted", postgresql_restarted),
    Scenario("connections-cut", connections_cut),
    Scenario("publishers-blocked", publishers_blocked),
    Scenario("queue-deleted", queue_deleted, submits_by_itself=True),
    Scenario("results-folder-full", results_folder_full, dead_letters=("happy-end", "error-end")),
]
