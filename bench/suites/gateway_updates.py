"""How long after its handler has answered a client hears of it: over the sidecar, the broker, the database, the event stream."""

import http.client
import json
import sys
import time
from typing import Iterator

from bench import REPOSITORY
from figure import Figure
from pipeline import Actor, Pipeline
from suites.gateway_world import LOAD, World, quantile

ACTOR = "answer"


def figures(world: World) -> Iterator[Figure]:
    bench = world.bench
    world.stop()
    pipeline = a_pipeline(world)
    try:
        pipeline.start()
        address = pipeline.gateway_url.removeprefix("http://")
        for _ in range(5):
            followed(address)
        delays = [followed(address) for _ in range(20 if bench.quick else 250)]
    finally:
        pipeline.stop()
        world.start()
    for place, what in enumerate(("step", "envelope's end, which passes a crew actor")):
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            times = [delay[place] for delay in delays]
            yield Figure(
                f"from a handler's answer to the event of its {what}, {name}", quantile(times, share), "ms",
                spread=(min(times), max(times)), samples=len(times))


def a_pipeline(world: World) -> Pipeline:
    folder = world.bench.folder / "p"
    folder.mkdir()
    handler = {"TROUPE_HANDLER": "answer.process", "PYTHONPATH": str(LOAD)}
    results = {"TROUPE_RESULTS_DIR": str(folder / "results")}
    return Pipeline(
        [Actor(ACTOR, [sys.executable, REPOSITORY / "actors/runtime/troupe_runtime.py"], handler),
         Actor("happy-end", [world.programs / "troupe", "crew", "happy-end"], results, is_end=True)],
        world.servers, folder, world.programs, REPOSITORY / "deploy/demo/tools.yaml",
        settings={"TROUPE_LOG_LEVEL": "warning"})


def followed(address: str) -> tuple[float, float]:
    """Submits an envelope and follows it; milliseconds until its step and its end are heard of."""
    submit, stream = (http.client.HTTPConnection(address, timeout=30) for _ in range(2))
    submit.request("POST", "/envelopes", json.dumps({"route": {"actors": [ACTOR]}, "payload": {}}))
    accepted = json.loads(submit.getresponse().read())
    stream.request("GET", accepted["stream_url"])
    answered = stepped = 0.0
    for line in stream.getresponse():
        if not line.startswith(b"data: "):
            continue
        heard = time.time()
        update = json.loads(line[len(b"data: "):])
        if update.get("envelope_state") == "completed" and update.get("actor") == ACTOR:
            stepped = heard
        elif update["status"] == "succeeded":
            answered, ended = update["result"]["answered"], heard
    submit.close()
    stream.close()
    return (stepped - answered) * 1e3, (ended - answered) * 1e3
