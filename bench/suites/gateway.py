"""The gateway on PostgreSQL that waits for its disk: submits, status reports, event streams, lists.

Each figure is held against what the same database does without a gateway, in the same run: `pgbench` with the two inserts of a
submission, `COPY` of the rows that reports become. The machine's cores are shared by gateway, database, broker and load.
"""

from typing import Iterator

import servers
from bench import Bench, use
from figure import Figure
from suites import gateway_lists, gateway_reports, gateway_streams, gateway_submits, gateway_updates
from suites.gateway_world import World


def figures(bench: Bench) -> Iterator[Figure]:
    use(bench.python(["pika==1.3.2"]))
    troupe, sidecar = bench.program("troupe"), bench.program("troupe-sidecar")
    folder = bench.folder / "servers"
    folder.mkdir()
    with servers.started(folder, durable=True) as running:
        world = World(bench, running, troupe, sidecar)
        try:
            for part in (gateway_submits, gateway_reports, gateway_updates, gateway_streams, gateway_lists):
                yield from part.figures(world)
        finally:
            world.stop()
