#!/usr/bin/env python3
"""A real Prometheus scrapes a real pipeline under load, with the configuration, rules and dashboards from deploy/; and
docs/metrics.md is held against what the processes expose.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / "local"), str(REPOSITORY / "Tests" / "TelemetryTests")]

import children  # noqa: E402
import guard  # noqa: E402
import servers  # noqa: E402
from collector import Collector  # noqa: E402
from exposition import documented, exposed  # noqa: E402
from pipeline import Actor, Pipeline, answers, check_programs  # noqa: E402

HERE = Path(__file__).resolve().parent
SETUP = REPOSITORY / "deploy" / "prometheus"
DASHBOARDS = sorted((REPOSITORY / "deploy" / "grafana").glob("*.json"))
METRICS = REPOSITORY / "docs" / "metrics.md"
ROUTES = {"work": 40, "flaky": 6, "split,work": 5, "broken": 4}
# Longer than the wait in a queue may be: that a delay is no wait shows.
RETRY_DELAY = 4
HELD = 3
FAULTY = "work"
LIMIT = 60


def main(folder: Path, programs: Path) -> int:
    check_programs(*(programs / name for name in ("troupe", "troupe-sidecar")))
    with servers.started(folder) as running:
        pipeline = started(folder, programs, running, Collector())
        try:
            pipeline.start()
            prometheus = Prometheus(folder / "prometheus", pipeline)
            prometheus.start()
            try:
                Visible.held = load(pipeline)
                Visible.texts = texts(pipeline)
                prometheus.wait_for_scrapes(3)
                Visible.prometheus, Visible.pipeline = prometheus, pipeline
                result = unittest.TextTestRunner(verbosity=2).run(
                    unittest.defaultTestLoader.loadTestsFromTestCase(Visible))
            finally:
                prometheus.child.stop()
        finally:
            pipeline.stop()
    return 0 if result.wasSuccessful() else 1


def started(folder: Path, programs: Path, running: servers.Servers, collector: Collector) -> Pipeline:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "TROUPE_RETRY_ATTEMPTS": "2", "TROUPE_RETRY_INITIAL_DELAY": f"{RETRY_DELAY}s", "TROUPE_RETRY_JITTER": "false",
        "TROUPE_RETRY_ON": "TimeoutError", "TROUPE_FAULTS_ENABLED": "true",
    }
    results = {"TROUPE_RESULTS_DIR": str(folder / "results")}
    actors = [handler(name) for name in ("work", "flaky", "split", "broken")] + [
        Actor(name, [programs / "troupe", "crew", name], results, is_end=True) for name in ("happy-end", "error-end")
    ]
    return Pipeline(actors, running, folder, programs, REPOSITORY / "Tests/Traces/tools.yaml", settings=settings)


def handler(name: str) -> Actor:
    runtime = REPOSITORY / "actors/runtime/troupe_runtime.py"
    return Actor(name, [sys.executable, runtime], {"TROUPE_HANDLER": f"handlers.{name}", "PYTHONPATH": str(HERE)})


class Prometheus:
    """With the configuration from deploy/, of which only the pace and the targets are others."""

    def __init__(self, folder: Path, pipeline: Pipeline):
        shutil.copytree(SETUP, folder)
        config = folder / "prometheus.yml"
        config.write_text(config.read_text().replace("15s", "1s"))
        targets(folder / "targets" / "gateways.yml", [pipeline.gateway_url])
        targets(folder / "targets" / "sidecars.yml", pipeline.metrics_urls.values())
        address = f"127.0.0.1:{children.free_port()}"
        self.url = f"http://{address}"
        self.child = children.Child("prometheus", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}", "--log.level=warn",
        ], pipeline.logs / "prometheus.log")

    def start(self) -> None:
        self.child.start()
        children.wait_until(lambda: answers(f"{self.url}/-/ready"), "Prometheus", LIMIT, [self.child])

    def get(self, path: str, **parameters: str) -> dict:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters or path}: {json.load(error)['error']}") from None

    def query(self, expression: str) -> list[dict]:
        data = self.get("query", query=expression)
        return data["result"] if data["resultType"] == "vector" else [data["result"]]

    def value(self, expression: str) -> float:
        (series,) = self.query(expression)
        return float(series["value"][1])

    def wait_for_scrapes(self, count: int) -> None:
        """So many of each target, that see all that has happened."""
        begin = time.time()

        def done() -> bool:
            seen = self.query(f"count_over_time(up[{max(1, int(time.time() - begin))}s])")
            return len(seen) == len(self.get("targets")["activeTargets"]) and all(
                float(one["value"][1]) >= count for one in seen)
        children.wait_until(done, "enough scrapes", LIMIT, [self.child])


def targets(file: Path, urls) -> None:
    assert file.exists(), f"{file.name} is not among the examples"
    file.write_text(json.dumps([{"targets": [urllib.parse.urlsplit(url).netloc for url in urls]}]))


def load(pipeline: Pipeline) -> dict:
    """Envelopes of all kinds, to their ends; what was to be seen while some of them were held."""
    call(pipeline, "/faults", {"kind": "latency", "delay": "1ms", "actor": FAULTY, "duration": "1m"})
    ids = []
    for route, count in ROUTES.items():
        for number in range(count):
            body = {"route": {"actors": route.split(",")}, "payload": {"number": number}}
            ids.append(call(pipeline, "/envelopes", body)["id"])
    call(pipeline, "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, mcp_session(pipeline))
    wait_for_ends(pipeline, ids)
    call(pipeline, "/actors/work/pause", {"reason": "a test"})
    wait_for_metric(pipeline, r'paused\{queue="troupe-work"\} 1', pipeline.metrics_urls["work"])
    # A pause lets its sidecar hold what it has for a moment; then it is the queue's again.
    ids = [call(pipeline, "/envelopes", {"route": {"actors": ["work"]}, "payload": 1})["id"] for _ in range(HELD)]
    wait_for_metric(
        pipeline, rf'troupe_gateway_queue_messages\{{queue="troupe-work"\}} {HELD}\b', pipeline.gateway_url)
    time.sleep(2.5)
    held = exposed_values(metrics(pipeline.gateway_url))
    call(pipeline, "/actors/work/resume", {})
    wait_for_ends(pipeline, ids)
    return held


def wait_for_metric(pipeline: Pipeline, pattern: str, url: str) -> None:
    children.wait_until(lambda: re.search(pattern, metrics(url)), pattern, LIMIT, pipeline.children)


def wait_for_ends(pipeline: Pipeline, ids: list[str]) -> None:
    def state(envelope: str) -> str:
        with urllib.request.urlopen(f"{pipeline.gateway_url}/envelopes/{envelope}", timeout=10) as answer:
            return json.load(answer)["status"]
    for envelope in ids:
        children.wait_until(
            lambda: state(envelope) in ("succeeded", "failed"), f"the end of {envelope}", LIMIT, pipeline.children)


def mcp_session(pipeline: Pipeline) -> dict[str, str]:
    with post(pipeline, "/mcp", {
        "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
    }) as answer:
        return {"Mcp-Session-Id": answer.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-06-18"}


def call(pipeline: Pipeline, path: str, body: dict, headers: dict[str, str] = {}) -> dict:
    with post(pipeline, path, body, headers) as answer:
        return json.load(answer)


def post(pipeline: Pipeline, path: str, body: dict, headers: dict[str, str] = {}):
    return urllib.request.urlopen(urllib.request.Request(pipeline.gateway_url + path, json.dumps(body).encode(), {
        "Content-Type": "application/json", "Accept": "application/json, text/event-stream", **headers}), timeout=10)


def texts(pipeline: Pipeline) -> dict[str, str]:
    urls = {"gateway": pipeline.gateway_url, **pipeline.metrics_urls}
    return {name: metrics(url) for name, url in urls.items()}


def metrics(url: str) -> str:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        return answer.read().decode()


def exposed_values(text: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, _, value in lines}


class Visible(unittest.TestCase):
    maxDiff = None
    prometheus: Prometheus
    pipeline: Pipeline
    texts: dict[str, str]
    held: dict[str, float]

    @classmethod
    def setUpClass(cls):
        cls.tables = documented(METRICS)
        cls.documented = {name: metric for table in cls.tables.values() for name, metric in table.items()}

    # The documented table

    def test_what_is_documented_is_exposed_and_the_other_way_round(self):
        both = self.tables["Both"]
        for process, text in self.texts.items():
            table = {**self.tables["Gateway" if process == "gateway" else "Sidecar and crew"], **both}
            seen = exposed(text)
            # Known when it happens only: an end actor sends nothing, and one actor has a fault.
            sent = {name for name in table if "_sent_" in name or "queue_send" in name}
            missing = set(table) - set(seen) - (sent if process.endswith("-end") else set())
            faults = {"troupe_actor_faults_injected_total"} if process not in ("gateway", FAULTY) else set()
            self.assertEqual((missing, set(seen) - set(table)), (faults, set()), process)
            for name, metric in seen.items():
                self.assertEqual(metric.type, table[name].type, name)
                self.assertLessEqual(metric.labels, table[name].labels, name)

    def test_every_documented_label_is_there(self):
        labels = {name: set() for name in self.documented}
        for text in self.texts.values():
            for name, metric in exposed(text).items():
                labels[name] |= metric.labels
        self.assertEqual(labels, {name: metric.labels for name, metric in self.documented.items()})

    def test_names_tell_type_and_unit(self):
        for name, metric in self.documented.items():
            self.assertEqual(name.endswith("_total"), metric.type == "counter", name)
            for unit in ("seconds", "bytes"):
                self.assertEqual(name.removesuffix("_total").endswith(f"_{unit}"), metric.unit == unit, name)

    def test_labels_have_few_values(self):
        """However many envelopes there were."""
        for process, text in self.texts.items():
            for metric in exposed(text).values():
                for label, values in metric.values.items():
                    self.assertLessEqual(len(values), 40, (process, metric.name, label, values))
                    for value in values:
                        self.assertNotRegex(value, r"[0-9a-f]{8}-[0-9a-f]{4}", (process, metric.name, label))

    # Prometheus

    def test_every_target_is_up(self):
        found = self.prometheus.get("targets")["activeTargets"]
        self.assertEqual({one["health"] for one in found}, {"up"}, [one["lastError"] for one in found])
        jobs = sorted(one["labels"]["job"] for one in found)
        self.assertEqual(jobs, ["troupe-gateway"] + ["troupe-sidecar"] * len(self.pipeline.sidecars))

    def test_every_documented_series_is_there(self):
        for metric in self.documented.values():
            for series in metric.series:
                self.assertTrue(self.prometheus.query(series), series)

    def test_numbers_are_what_has_happened(self):
        value = self.prometheus.value
        count = sum(ROUTES.values()) + HELD
        self.assertEqual(value("sum(troupe_gateway_envelopes_submitted_total)"), count)
        finished = 'sum(troupe_gateway_envelopes_finished_total{{status="{}"}})'.format
        # Each split makes two more.
        self.assertEqual(value(finished("succeeded")), count - ROUTES["broken"] + 2 * ROUTES["split,work"])
        self.assertEqual(value(finished("failed")), ROUTES["broken"])
        retried = 'sum(troupe_actor_messages_retried_total{queue="troupe-flaky", error_type="processing_error"})'
        self.assertEqual(value(retried), ROUTES["flaky"])
        injected = f'sum(troupe_actor_faults_injected_total{{queue="troupe-{FAULTY}", kind="latency"}})'
        self.assertGreaterEqual(value(injected), ROUTES["work"])
        failed = 'sum(troupe_actor_messages_failed_total{queue="troupe-broken", reason="runtime_error"})'
        self.assertEqual(value(failed), ROUTES["broken"])
        self.assertEqual(value("sum(troupe_actor_active_messages)"), 0)
        self.assertGreater(value('sum(troupe_actor_runtime_execution_duration_seconds_sum{queue="troupe-work"})'), 0.02)
        self.assertGreater(value("sum(troupe_actor_queue_send_duration_seconds_count)"), count)
        self.assertGreaterEqual(value("sum(troupe_gateway_outbox_confirm_duration_seconds_count)"), count)

    def test_a_delay_is_no_wait_and_a_pause_is_one(self):
        wait = 'sum(troupe_actor_queue_wait_seconds_bucket{{queue="troupe-{}", le="{}"}})'.format
        value = self.prometheus.value
        self.assertEqual(value(wait("flaky", "+Inf")), 2 * ROUTES["flaky"])
        self.assertEqual(value(wait("flaky", "2.0")), 2 * ROUTES["flaky"], "retried deliveries came at once")
        waited = value(wait("work", "+Inf")) - value(wait("work", "1.0"))
        self.assertGreaterEqual(waited, HELD)

    def test_what_is_held_is_seen_in_its_queue(self):
        queue = 'troupe_gateway_queue_{}{{queue="troupe-work"}}'.format
        self.assertEqual(self.held[queue("messages")], HELD)
        self.assertEqual(self.held[queue("paused")], 1)
        self.assertIn(self.held[queue("oldest_seconds")], range(2, 30))
        self.assertEqual(self.held['troupe_gateway_queue_paused{queue="troupe-flaky"}'], 0)
        self.assertEqual(self.held['troupe_gateway_queue_consumers{queue="troupe-flaky"}'], 1)
        self.assertEqual(self.prometheus.value(f"max({queue('messages')})"), 0)

    # Rules

    def test_rules_are_evaluated_and_nothing_is_wrong(self):
        groups = self.prometheus.get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertGreater(len(rules), 15)
        self.assertEqual({(rule["name"], rule["lastError"] if "lastError" in rule else "") for rule in rules},
                         {(rule["name"], "") for rule in rules})
        self.assertEqual({rule["health"] for rule in rules}, {"ok"})
        self.assertFalse([rule["name"] for rule in rules if rule["state"] == "firing"])
        for rule in rules:
            self.check_expression(rule["query"], rule["name"])
            self.assertTrue(rule["annotations"]["summary"] and rule["annotations"]["action"])

    def test_promtool_finds_nothing(self):
        for arguments in (["check", "rules", SETUP / "troupe.rules.yml"], ["check", "config", SETUP / "prometheus.yml"],
                          ["test", "rules", *sorted((SETUP / "tests").glob("*.yml"))]):
            done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_alert_has_a_test(self):
        alerts = set(re.findall(r"- alert: (\w+)", (SETUP / "troupe.rules.yml").read_text()))
        tested = "".join(path.read_text() for path in (SETUP / "tests").glob("*.yml"))
        for alert in alerts:
            self.assertRegex(tested, rf"eval_time: \w+, alertname: {alert}\}}", f"{alert} just before it fires")
            self.assertRegex(tested, rf"alertname: {alert}\n +exp_alerts:\n +- ", alert)

    # Dashboards

    def test_dashboards(self):
        self.assertEqual([path.name for path in DASHBOARDS], ["actor.json", "gateway.json", "pipeline.json"])
        for path in DASHBOARDS:
            board = json.loads(path.read_text())
            self.assertIn("DS_PROMETHEUS", [one["name"] for one in board["__inputs"]])
            self.assertTrue(board["uid"] and board["title"] and board["schemaVersion"] >= 39)
            self.assertEqual(len({panel["id"] for panel in board["panels"]}), len(board["panels"]))
            self.check_layout(path.name, board["panels"])
            for variable in board["templating"]["list"]:
                if variable["type"] == "query":
                    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
                    self.assertTrue(self.prometheus.query(f"count by ({label}) ({metric})"), variable["definition"])
            for panel in board["panels"]:
                for target in panel.get("targets", []):
                    self.assertEqual(panel["datasource"]["uid"], "${DS_PROMETHEUS}")
                    where = f"{path.name}: {panel['title']}"
                    seen = self.check_expression(target["expr"], where)
                    # What is shown only where there is some may well be nothing.
                    if not target["expr"].endswith("> 0"):
                        self.assertTrue(seen, f"{where}: no data: {target['expr']}")

    def check_layout(self, name: str, panels: list[dict]) -> None:
        taken = set()
        for panel in panels:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, f"{name}: {panel['title']} covers another")
            self.assertLessEqual(place["x"] + place["w"], 24, f"{name}: {panel['title']}")
            taken |= cells

    def check_expression(self, expression: str, where: str) -> list[dict]:
        """Prometheus takes it, and it speaks of documented metrics only."""
        for name in re.findall(r"\b(?:troupe|process)_\w+", re.sub(r'"[^"]*"', '""', expression)):
            known = any(name in metric.series for metric in self.documented.values())
            self.assertTrue(known, f"{where}: {name} is not in docs/metrics.md")
        for variable, value in (("$__rate_interval", "1m"), ("$actor", ".+"), ("$gateway", ".+")):
            expression = expression.replace(variable, value)
        self.assertNotIn("$", expression, where)
        return self.prometheus.query(expression)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, default=REPOSITORY / ".build" / "debug", help="where they are built")
    options = parser.parse_args()
    guard.run(lambda folder: main(folder, options.programs.resolve()))
