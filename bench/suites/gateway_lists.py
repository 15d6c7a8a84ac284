"""Lists of envelopes where there are a million of them."""

import json
import time
from typing import Callable, Iterator
from urllib.parse import quote

import guard
from figure import Figure
from suites.gateway_world import World, quantile

PAGE = 100
# How deep the deep page lies, and in which steps one gets there.
DEPTH, STEP = 50_000, 1000


def figures(world: World) -> Iterator[Figure]:
    bench = world.bench
    total = 20_000 if bench.quick else 1_000_000
    fill(world, total)
    world.restart()
    connection = world.connection()

    def page(query: str) -> dict:
        connection.request("GET", f"/envelopes?{query}")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise guard.Problem(f"/envelopes?{query}: {answer.status} {body[:300]!r}")
        return json.loads(body)

    cursor = page(f"limit={STEP}")["next_cursor"]
    for _ in range(min(DEPTH, total // 2) // STEP - 1):
        cursor = page(f"limit={STEP}&cursor={quote(cursor)}")["next_cursor"]
    since = world.sql(
        "SELECT to_char(max(created_at) - interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM envelopes")
    queries = {
        "the newest": "", "of a status": "&status=failed", "of an actor": "&actor=actor-3",
        f"behind {min(DEPTH, total // 2):,} others": f"&cursor={quote(cursor)}", "since a day ago": f"&since={quote(since)}&order=asc",
    }
    for what, query in queries.items():
        times = timed(lambda: page(f"limit={PAGE}{query}"), 20 if bench.quick else 200)
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            yield Figure(
                f"a page of {PAGE} of {total:,} envelopes, {what}, {name}", quantile(times, share), "ms",
                spread=(min(times), max(times)), samples=len(times))
    connection.close()


def timed(page: Callable[[], dict], samples: int) -> list[float]:
    """Milliseconds, when the page's statement has been prepared."""
    times = []
    for number in range(samples + 10):
        begin = time.monotonic()
        if len(page()["envelopes"]) != PAGE:
            raise guard.Problem("a page is not full")
        if number >= 10:
            times.append((time.monotonic() - begin) * 1e3)
    return times


def fill(world: World, total: int) -> None:
    """Over ten days: two in a hundred have failed, one is under way, the others are done; 17 actors."""
    world.sql(f"""
        TRUNCATE envelopes CASCADE;
        SET synchronous_commit = off;
        INSERT INTO envelopes (
            id, status, route_actors, payload, created_at, updated_at, current_actor_name, total_actors, tool)
        SELECT 'e' || 10000000 + n,
               CASE WHEN n % 100 = 5 THEN 'running' WHEN n % 50 = 1 THEN 'failed' ELSE 'succeeded' END,
               '{{a,b}}', '{{}}', time, time, 'actor-' || n % 17, 2, CASE WHEN n % 10 = 0 THEN 'tool-' || n % 19 END
        FROM (SELECT n, now() - interval '10 days' * (1 - n / {total}.0) AS time FROM generate_series(1, {total}) n) AS numbers;
        ANALYZE envelopes;""")
