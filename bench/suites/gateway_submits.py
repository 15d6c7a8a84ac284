"""Envelopes accepted: one by one and in bulk, against the same two inserts with a commit and nothing else."""

import json
import time
from typing import Iterator

import guard
from figure import Bound, Figure
from suites.gateway_world import CLIENTS, World, median, spread

ROUTE = {"actors": ["sink", "second", "third"]}
PAYLOAD = {"url": "https://example.com/cat.png", "note": "x" * 200}
BULK_LINES = 500
# What a submission writes in any case: the envelope, and the message that is to be sent.
TWO_INSERTS = f"""\\set number random(1, 9000000000000000)
BEGIN;
INSERT INTO envelopes (id, route_actors, payload, current_actor_name, message, total_actors)
    VALUES ('p' || :number, '{{sink,second,third}}', '{json.dumps(PAYLOAD)}', 'sink', 'Sending envelope to first actor', 3);
INSERT INTO outbox (envelope_id, actor, head, due_at)
    VALUES ('p' || :number, 'sink',
            '{{"id":"0193f1c2","route":{{"actors":["sink","second","third"],"current":0}},"headers":{{}},"payload":',
            now() + interval '1 day');
COMMIT;
"""


def figures(world: World) -> Iterator[Figure]:
    bench = world.bench
    seconds = 2 if bench.quick else 5
    body = json.dumps({"route": ROUTE, "payload": PAYLOAD})
    (bench.folder / "one.json").write_text(body)
    (bench.folder / "bulk.jsonl").write_text(f"{body}\n" * BULK_LINES)
    world.start()
    world.add_queue("sink")
    bare, single, bulk, cpu = [], [], [], []
    for _ in bench.turns("submits", 0.25):
        bare.append(world.pgbench(TWO_INSERTS, seconds))
        world.sql("TRUNCATE outbox")
        used = world.cpu_seconds()
        single.append(submitted(world, "/envelopes", "one.json", seconds, 1))
        cpu.append((world.cpu_seconds() - used) / single[-1]["requests"] * 1e6)
        bulk.append(submitted(world, "/envelopes/bulk", "bulk.jsonl", seconds, BULK_LINES))
    limit = median(bare)
    rates = [one["requests"] / one["seconds"] for one in single]
    yield Figure(
        f"submits one by one, {CLIENTS} clients", median(rates), "1/s", f"pgbench, two inserts: {limit:,.0f}/s",
        median(rates) / limit, Bound(0.5, at_most=False), spread(rates), len(rates))
    for name in ("p50", "p99"):
        times = [one[name] for one in single]
        yield Figure(f"submits one by one, {name}", median(times), "ms", spread=spread(times), samples=len(times))
    yield Figure(
        "submits one by one, gateway CPU with publishing", median(cpu), "us", spread=spread(cpu), samples=len(cpu))
    rates = [one["requests"] * BULK_LINES / one["seconds"] for one in bulk]
    yield Figure(
        f"submits in bulk, {BULK_LINES} lines each", median(rates), "1/s", f"pgbench, two inserts: {limit:,.0f}/s",
        median(rates) / limit, spread=spread(rates), samples=len(rates))
    for name in ("p50", "p99"):
        times = [one[name] for one in bulk]
        yield Figure(f"a bulk of {BULK_LINES} lines, {name}", median(times), "ms", spread=spread(times), samples=len(times))


def submitted(world: World, path: str, file: str, seconds: float, lines: int):
    """Load, and whether all that was accepted is in the database and comes to the broker."""
    before, waiting = world.count("envelopes"), world.depth("troupe-sink")
    load = world.wrk(path, seconds, world.bench.folder / file)
    if load["failures"]:
        raise guard.Problem(f"{path}: {load['failures']} of {load['requests']} requests failed, see {world.gateway.log}")
    until = time.monotonic() + 60
    while world.count("outbox"):
        if time.monotonic() > until:
            raise guard.Problem(f"{path}: {world.count('outbox')} messages are still in the outbox")
        time.sleep(0.2)
    accepted = world.count("envelopes") - before
    if accepted < load["requests"] * lines:
        raise guard.Problem(f"{path}: {load['requests']} requests were answered, {accepted} envelopes are there")
    until = time.monotonic() + 10
    while world.depth("troupe-sink") - waiting < accepted:
        if time.monotonic() > until:
            raise guard.Problem(f"{path}: of {accepted} envelopes {world.depth('troupe-sink') - waiting} were sent")
        time.sleep(0.2)
    return load
