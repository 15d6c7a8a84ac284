"""Status reports written, over the broker and over HTTP, against `COPY` of the same rows."""

import json
import time
from typing import Iterator

import guard
from figure import Bound, Figure
from suites.gateway_world import CLIENTS, World, median, spread

QUEUE = "troupe.events.gateway"
ACTORS = ["first", "second", "third"]
STEPS = ("received", "processing", "completed")
# Envelopes whose reports come in turns.
SIDE_BY_SIDE = 64
APPLIED = 'troupe_gateway_status_reports_total{outcome="applied"}'
COLUMNS = """envelope_id, status, message, result, error, progress_percent, actor, actors, current_actor_idx, envelope_state,
    event_id, timestamp, attempt, next_attempt_at, reported_at, sent_head, failed_message, partial_type, partial_call"""


def figures(world: World) -> Iterator[Figure]:
    bench = world.bench
    envelopes = 512 if bench.quick else 6400
    rates, cores, copies = [], [], []
    for _ in bench.turns("reports over the broker", 0.35):
        rate, core = over_broker(world, envelopes)
        rates.append(rate)
        cores.append(core)
        copies.append(copied(world))
    ratio = median(rates) / median(copies)
    per_core = Bound(20_000, at_most=False, of="value")
    keeps_ratio = median(cores) < per_core.limit and ratio >= 0.5
    limit = f"COPY of the rows: {median(copies):,.0f}/s"
    yield Figure(
        "status reports over the broker", median(rates), "1/s", limit, ratio,
        Bound(0.5, at_most=False) if keeps_ratio else None, spread(rates), len(rates))
    yield Figure(
        "status reports over the broker, per second of gateway CPU", median(cores), "1/s",
        bound=None if keeps_ratio else per_core, spread=spread(cores), samples=len(cores))
    rates, cores = [], []
    for _ in bench.turns("reports over HTTP", 0.15):
        rate, core = over_http(world, envelopes, 2 if bench.quick else 4)
        rates.append(rate)
        cores.append(core)
    yield Figure(
        f"status reports over HTTP, {CLIENTS} clients", median(rates), "1/s", limit, median(rates) / median(copies),
        spread=spread(rates), samples=len(rates))
    yield Figure(
        "status reports over HTTP, per second of gateway CPU", median(cores), "1/s", spread=spread(cores),
        samples=len(cores))


def add_envelopes(world: World, count: int) -> None:
    world.sql(f"""
        TRUNCATE envelopes CASCADE;
        INSERT INTO envelopes (id, route_actors, payload, total_actors)
        SELECT 'r' || n, '{{{",".join(ACTORS)}}}', '{{}}', 3 FROM generate_series(1, {count}) n""")


def over_broker(world: World, envelopes: int) -> tuple[float, float]:
    """Reports that have waited while the gateway was away: per second, and per second of its CPU time."""
    world.stop()
    add_envelopes(world, envelopes)
    count = publish(world, envelopes)
    world.start()
    begin, done, cpu = written(world, count // 10)
    end, total, cpu_after = written(world, count)
    if total != count or world.count("envelope_updates") != count:
        raise guard.Problem(f"of {count} reports {world.count('envelope_updates')} were written")
    if world.count("envelopes", "status = 'succeeded'") != envelopes:
        raise guard.Problem("not all envelopes have ended")
    return (total - done) / (end - begin), (total - done) / (cpu_after - cpu)


def written(world: World, count: int) -> tuple[float, int, float]:
    """When so many are: the time, how many they are by then, the gateway's CPU seconds until then."""
    until = time.monotonic() + 120
    while True:
        done = world.metric(APPLIED)
        if done >= count:
            return time.monotonic(), done, world.cpu_seconds()
        if time.monotonic() > until:
            raise guard.Problem(f"after two minutes {done} of {count} reports are written")
        time.sleep(0.05)


def publish(world: World, envelopes: int) -> int:
    """What the sidecars of a route of three tell. Returns how many reports that is."""
    import pika
    channel = world.channel()
    properties = pika.BasicProperties(delivery_mode=2)
    count = 0
    for first in range(1, envelopes + 1, SIDE_BY_SIDE):
        group = range(first, min(first + SIDE_BY_SIDE, envelopes + 1))
        for kind, members in reports():
            for number in group:
                body = {"kind": kind, "event_id": f"{count}-{number}", "id": f"r{number}", **members}
                channel.basic_publish("troupe.events", kind, json.dumps(body), properties)
                count += 1
    # A round trip: the broker has read all that stands before it.
    channel.queue_declare(QUEUE, passive=True)
    channel.connection.close()
    return count


def reports() -> Iterator[tuple[str, dict]]:
    times = iter(f"2026-11-22T10:00:{second:02}.123456Z" for second in range(60))
    for index, actor in enumerate(ACTORS):
        for step in STEPS:
            place = index + 1 if step == "completed" else index
            yield "progress", {
                "status": step, "actors": ACTORS, "current_actor_idx": place, "current_actor_name": actor, "attempt": 1,
                **({"message_size_kb": 0.3} if step == "received" else {}),
                **({"duration_ms": 12} if step == "completed" else {}), "timestamp": next(times)}
    yield "final", {
        "status": "succeeded", "actors": ACTORS, "current_actor_idx": 3, "current_actor_name": "happy-end",
        "result": {"answer": 42}, "timestamp": next(times)}


def copied(world: World) -> float:
    """Rows per second of the same history, into the same table."""
    path = world.servers.postgresql.folder / "updates.copy"
    world.sql(f"COPY (SELECT {COLUMNS} FROM envelope_updates ORDER BY id) TO '{path}'; TRUNCATE envelope_updates;")
    begin = time.monotonic()
    world.sql(f"COPY envelope_updates ({COLUMNS}) FROM '{path}'")
    seconds = time.monotonic() - begin
    path.unlink()
    return world.count("envelope_updates") / seconds


def over_http(world: World, envelopes: int, seconds: float) -> tuple[float, float]:
    add_envelopes(world, envelopes)
    _, members = next(reports())
    body = world.bench.folder / "report.json"
    body.write_text(json.dumps(members))
    cpu = world.cpu_seconds()
    load = world.wrk("/", seconds, body, envelopes)
    cpu = world.cpu_seconds() - cpu
    if load["failures"]:
        raise guard.Problem(f"{load['failures']} of {load['requests']} reports failed, see {world.gateway.log}")
    if world.count("envelope_updates") < load["requests"]:
        raise guard.Problem(f"of {load['requests']} reports {world.count('envelope_updates')} were written")
    return load["requests"] / load["seconds"], load["requests"] / cpu
