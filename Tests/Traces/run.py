#!/usr/bin/env python3
"""One trace from the caller through every hop to the end, at a collector that speaks OTLP; and no secret in any log."""

import argparse
import collections
import json
import subprocess
import sys
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / "local"), str(REPOSITORY / "Tests" / "TelemetryTests")]

import children  # noqa: E402
import guard  # noqa: E402
import servers  # noqa: E402
import venvs  # noqa: E402
from collector import Collector, attributes  # noqa: E402
from pipeline import Actor, Pipeline, check_programs  # noqa: E402

HERE = Path(__file__).resolve().parent
REQUIREMENTS = ["opentelemetry-proto==1.45.2"]
SERVER, INTERNAL, PRODUCER, CONSUMER = 2, 1, 4, 5
ERROR = 2
LIMIT = 30
CANARY = "canary-7f3a"
SECRETS = {where: f"{CANARY}-{where}" for where in ("payload", "header", "baggage", "key", "query", "collector")}


def main(folder: Path, programs: Path) -> int:
    python = venvs.install("venv-traces", REQUIREMENTS) / "bin" / "python"
    check_programs(*(programs / name for name in ("troupe", "troupe-sidecar")))
    collector = Collector()
    with servers.started(folder) as running:
        pipeline = started(folder, programs, running, collector)
        try:
            pipeline.start()
            envelopes = submit_all(pipeline)
        finally:
            pipeline.stop()  # sends what is left
    Traces.collector, Traces.envelopes, Traces.python = collector, envelopes, python
    Traces.logs, Traces.passwords = folder / "logs", [
        urllib.parse.urlsplit(url).password for url in (running.rabbitmq_url, running.database_url)]
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(Traces))
    return 0 if result.wasSuccessful() else 1


def started(folder: Path, programs: Path, running: servers.Servers, collector: Collector) -> Pipeline:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SECRETS['collector']}",
        "TROUPE_RETRY_ATTEMPTS": "2", "TROUPE_RETRY_INITIAL_DELAY": "100ms", "TROUPE_RETRY_ON": "TimeoutError",
    }
    results = {"TROUPE_RESULTS_DIR": str(folder / "results")}
    actors = [handler(name) for name in ("double", "double2", "flaky", "broken")] + [
        Actor(name, [programs / "troupe", "crew", name], results, is_end=True) for name in ("happy-end", "error-end")
    ]
    pipeline = Pipeline(actors, running, folder, programs, HERE / "tools.yaml", settings=settings)
    for child in [pipeline.gateway, *pipeline.sidecars.values()]:
        child.env["TROUPE_LOG_LEVEL"] = "trace"
    return pipeline


def handler(name: str) -> Actor:
    runtime = REPOSITORY / "actors/runtime/troupe_runtime.py"
    return Actor(name, [sys.executable, runtime], {"TROUPE_HANDLER": f"handlers.{name}", "PYTHONPATH": str(HERE)})


def submit_all(pipeline: Pipeline) -> dict:
    envelopes = {}
    for number, (name, route, more) in enumerate([
        ("good", ["double", "flaky"], {}), ("bad", ["double", "broken"], {}), ("split", ["flaky"], {"split": True}),
        ("unsampled", ["double"], {}), ("hops", ["double", "double2", "flaky"], {}),
    ], 1):
        envelopes[name] = submit(pipeline, "/envelopes", number, 0 if name == "unsampled" else 1, {
            "route": {"actors": route}, "payload": {"secret": SECRETS["payload"], **more},
            "headers": {"own": SECRETS["header"]},
        })
    envelopes["tool"] = submit(pipeline, "/tools/call", 9, 1, {
        "name": "work", "arguments": {"secret": SECRETS["payload"]}})
    try:
        urllib.request.urlopen(f"{pipeline.gateway_url}/envelopes?status={SECRETS['query']}", timeout=10)
    except urllib.error.HTTPError:
        pass
    for name, envelope in envelopes.items():
        children.wait_until(
            lambda: state(pipeline, envelope["id"])["status"] in ("succeeded", "failed"), f"the end of '{name}'", LIMIT,
            pipeline.children)
        envelope["state"] = state(pipeline, envelope["id"])
    return envelopes


def submit(pipeline: Pipeline, path: str, number: int, flags: int, body: dict) -> dict:
    trace, span = f"{number:032x}", f"{number + 0xca11e4:016x}"
    request = urllib.request.Request(pipeline.gateway_url + path, json.dumps(body).encode(), {
        "Content-Type": "application/json", "traceparent": f"00-{trace}-{span}-{flags:02x}", "tracestate": "vendor=1",
        "baggage": f"k={SECRETS['baggage']}", "Authorization": f"Bearer {SECRETS['key']}",
        "X-Api-Key": SECRETS["key"], "X-Request-Id": f"request-{number}",
    })
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.headers["X-Request-Id"] == f"request-{number}"
        answer = json.load(response)
    if "content" in answer:
        answer = json.loads(answer["content"][0]["text"])
    return {"id": answer.get("envelope_id") or answer["id"], "trace": trace, "caller": span}


def state(pipeline: Pipeline, envelope: str) -> dict:
    with urllib.request.urlopen(f"{pipeline.gateway_url}/envelopes/{envelope}", timeout=10) as response:
        return json.load(response)


class Traces(unittest.TestCase):
    collector: Collector
    envelopes: dict
    python: Path
    logs: Path
    passwords: list

    def spans(self, name: str) -> list:
        trace = self.envelopes[name]["trace"]
        return sorted(
            (span for span in self.collector.spans if span["traceId"] == trace),
            key=lambda span: int(span["startTimeUnixNano"]))

    def path(self, span: dict) -> list:
        """Names from the caller down to this span; an error is marked."""
        by_id = {one["spanId"]: one for one in self.collector.spans if one["traceId"] == span["traceId"]}
        names = []
        while span:
            mark = "!" if span.get("status", {}).get("code") == ERROR else ""
            names.insert(0, span["name"] + mark)
            parent = span.get("parentSpanId")
            if parent not in by_id:
                names.insert(0, parent)
            span = by_id.get(parent)
        return names

    def leaf(self, name: str, last: str) -> list:
        return [self.path(span) for span in self.spans(name) if span["name"] == last]

    def test_one_trace_from_the_caller_to_the_end(self):
        good = self.envelopes["good"]
        self.assertEqual(good["state"]["status"], "succeeded")
        process = "process troupe:{0}:troupe-{0}".format
        self.assertEqual(self.leaf("good", "call happy-end"), [[
            good["caller"], "POST /envelopes", "publish troupe:double", process("double"), "publish troupe:flaky",
            process("flaky") + "!", "publish troupe:flaky", process("flaky"), "publish troupe:happy-end",
            process("happy-end"), "call happy-end"]])
        attempts = [attributes(span) for span in self.spans("good") if span["name"] == process("flaky")]
        self.assertEqual([one["troupe.attempt"] for one in attempts], [1, 2])
        self.assertEqual([one["troupe.outcome"] for one in attempts], ["retried", "success"])
        self.assertEqual([one.get("error.type") for one in attempts], ["TimeoutError", None])

    def test_every_parent_is_there_and_begins_first(self):
        for name in self.envelopes:
            spans = {span["spanId"]: span for span in self.spans(name)}
            self.assertEqual(len(spans), len(self.spans(name)), "each span is exported once")
            outside = [span for span in spans.values() if span.get("parentSpanId") not in spans]
            expected = [] if name == "unsampled" else [self.envelopes[name]["caller"]]
            self.assertEqual([span["parentSpanId"] for span in outside], expected)
            for span in spans.values():
                parent = spans.get(span["parentSpanId"])
                if parent:
                    self.assertGreater(int(span["startTimeUnixNano"]), int(parent["startTimeUnixNano"]) - 5_000_000)

    def test_kinds_names_and_attributes(self):
        kinds = collections.Counter(span["kind"] for span in self.spans("good"))
        self.assertEqual(kinds, {SERVER: 1, PRODUCER: 4, CONSUMER: 4, INTERNAL: 4})
        for span in self.spans("good"):
            known = attributes(span)
            if span["kind"] in (PRODUCER, CONSUMER):
                operation = ("publish", "send") if span["kind"] == PRODUCER else ("process", "process")
                self.assertEqual((known["messaging.operation.name"], known["messaging.operation.type"]), operation)
                self.assertEqual(known["messaging.system"], "rabbitmq")
                self.assertEqual(known["messaging.message.id"], self.envelopes["good"]["id"])
                self.assertEqual(span["name"], f"{operation[0]} {known['messaging.destination.name']}")
                self.assertTrue(known["server.port"] and known["messaging.message.body.size"])
            if span["kind"] == SERVER:
                self.assertEqual(known["http.route"], "/envelopes")
        services = {span["resource"]["service.name"] for span in self.spans("good")}
        self.assertEqual(services, {"troupe-gateway", "double", "flaky", "happy-end"})

    def test_an_error_has_its_status_and_leads_to_error_end(self):
        self.assertEqual(self.envelopes["bad"]["state"]["status"], "failed")
        call, = (span for span in self.spans("bad") if span["name"] == "call broken")
        self.assertEqual(call["status"], {"code": ERROR})
        self.assertEqual(attributes(call)["error.type"], "ValueError")
        (path,) = self.leaf("bad", "call error-end")
        self.assertEqual(path[-4:], [
            "process troupe:broken:troupe-broken!", "publish troupe:error-end",
            "process troupe:error-end:troupe-error-end", "call error-end"])

    def test_a_fan_out_branches(self):
        ends = self.leaf("split", "call happy-end")
        self.assertEqual(len(ends), 2)
        self.assertEqual(ends[0], ends[1])

    def test_a_child_of_a_fan_out_links_to_the_message_it_came_out_of(self):
        envelope = self.envelopes["split"]["id"]
        published = [span for span in self.spans("split") if span["name"] == "publish troupe:happy-end"]
        by_id = {attributes(span)["messaging.message.id"]: span for span in published}
        self.assertEqual(set(by_id), {envelope, f"{envelope}-1"})
        self.assertNotIn("links", by_id[envelope], "it goes on, and is no other envelope")
        # The delivery that fanned out, and the message that brought it.
        (process,) = (span for span in self.spans("split") if span["spanId"] == by_id[envelope]["parentSpanId"])
        self.assertEqual(by_id[f"{envelope}-1"]["links"], [
            {"traceId": self.envelopes["split"]["trace"], "spanId": process["parentSpanId"]}])
        self.assertEqual(by_id[f"{envelope}-1"]["parentSpanId"], process["spanId"], "in one tree all the same")

    def test_a_consumer_links_to_what_made_its_message(self):
        consumers = [span for name in self.envelopes for span in self.spans(name) if span["kind"] == CONSUMER]
        self.assertGreater(len(consumers), 15)
        for span in consumers:
            self.assertEqual(span["links"], [{"traceId": span["traceId"], "spanId": span["parentSpanId"]}])

    def test_three_hops_are_one_tree(self):
        process = "process troupe:{0}:troupe-{0}".format
        (path,) = self.leaf("hops", "call happy-end")
        self.assertEqual([name.rstrip("!") for name in path if name.startswith("process")], [
            process("double"), process("double2"), process("flaky"), process("flaky"), process("happy-end")])
        spans = {span["spanId"]: span for span in self.spans("hops")}
        roots = {span["spanId"] for span in spans.values() if span["parentSpanId"] not in spans}
        self.assertEqual(len(roots), 1)
        for span in spans.values():
            seen = set()
            while span["spanId"] not in roots:
                self.assertNotIn(span["spanId"], seen)
                seen.add(span["spanId"])
                span = spans[span["parentSpanId"]]

    def test_a_tool_call_is_traced_too(self):
        (path,) = self.leaf("tool", "call happy-end")
        self.assertEqual(path[:3], [self.envelopes["tool"]["caller"], "POST /tools/call", "publish troupe:double"])

    def test_what_is_not_sampled_is_not_exported(self):
        self.assertEqual(self.envelopes["unsampled"]["state"]["status"], "succeeded")
        self.assertEqual(self.spans("unsampled"), [])
        seen = self.envelopes["unsampled"]["state"]["result"]["seen"]
        self.assertEqual(seen, f"00-{self.envelopes['unsampled']['trace']}-{self.envelopes['unsampled']['caller']}-00")

    def test_a_handler_sees_its_call(self):
        call, = (span for span in self.spans("good") if span["name"] == "call double")
        seen = self.envelopes["good"]["state"]["result"]["seen"]
        self.assertEqual(seen, f"00-{call['traceId']}-{call['spanId']}-01")

    def test_it_is_the_protocol(self):
        bodies = json.dumps([request["body"] for request in self.collector.requests])
        parsed = subprocess.run(
            [self.python, HERE / "parse.py"], input=bodies, capture_output=True, text=True, timeout=60)
        self.assertEqual(parsed.returncode, 0, parsed.stderr)
        self.assertEqual(int(parsed.stdout), len(self.collector.spans))
        for request in self.collector.requests:
            self.assertEqual(request["headers"]["authorization"], SECRETS["collector"])

    def test_logs_name_envelope_and_trace(self):
        bad = self.envelopes["bad"]
        lines = [json.loads(line) for line in (self.logs / "broken-sidecar.log").read_text().splitlines()]
        failed, = (line for line in lines if line["message"] == "delivery failed")
        self.assertEqual((failed["envelope_id"], failed["trace_id"]), (bad["id"], bad["trace"]))
        self.assertIn(failed["span_id"], {span["spanId"] for span in self.spans("bad")})
        lines = [json.loads(line) for line in (self.logs / "gateway.log").read_text().splitlines()]
        accepted, = (line for line in lines if line.get("envelope_id") == bad["id"] and "accepted" in line["message"])
        self.assertEqual((accepted["trace_id"], accepted["request_id"]), (bad["trace"], "request-2"))
        answered = [line for line in lines if line["message"] == "request" and line["request_id"] == "request-2"]
        self.assertEqual([line["trace_id"] for line in answered], [bad["trace"]])

    def test_no_secret_in_a_log_or_a_span(self):
        texts = {path.name: path.read_text() for path in self.logs.iterdir()}
        for raising in ("flaky", "broken"):  # what they raise is theirs to say, in their own log
            self.assertIn(SECRETS["payload"], texts.pop(f"{raising}-handler.log"))
        for own in ("gateway.log", "broken-sidecar.log"):
            self.assertIn("envelope_id", texts[own])
        texts["spans"] = json.dumps(self.collector.spans)
        for name, text in texts.items():
            for secret in [CANARY, *self.passwords]:
                self.assertNotIn(secret, text, f"in {name}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, default=REPOSITORY / ".build" / "debug", help="folder of the built programs")
    arguments = parser.parse_args()
    guard.run(lambda folder: main(folder, arguments.programs))
