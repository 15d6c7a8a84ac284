"""The operator with a model that is reached over HTTP, and Prometheus' answers as the detector reads them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "actors"), str(REPOSITORY / "actors" / "runtime"), str(Path(__file__).parent)]

from world_shop import use_scikit_learn  # noqa: E402

use_scikit_learn()

from remediation.chat import ChatBusy  # noqa: E402
from remediation.model import Incident  # noqa: E402
from shop.ai_operator import decide, handlers  # noqa: E402
from shop.detection.prometheus_source import PrometheusSource  # noqa: E402
from shop.failures import SERVICES  # noqa: E402
from troupe_runtime import Context  # noqa: E402


class Answering:
    """An HTTP server on loopback that says what it is told to."""

    def __init__(self, answer):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = answer()
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Model(unittest.TestCase):
    def asked(self, status, reply, attempt=1):
        body = json.dumps({"choices": [{"message": {"content": reply}}]})
        situation = decide.Situation(Incident("i", "db-service", "anomaly", 0, {"culprit": "p95"}))
        context = Context({"id": "i", "route": {"actors": ["ai-operator"], "current": 0}, "headers": {
            "troupe-attempts": [{"actor": "ai-operator", "attempt": number} for number in range(1, attempt)]}})
        with Answering(lambda: (status, body)) as model, mock.patch.dict(os.environ, {
                "LLM_URL": f"http://{model.address}/v1", "LLM_TIMEOUT": "5"}):
            return handlers.asked(situation, decide.template(situation, SERVICES), context)

    def test_what_fits_is_taken(self):
        found = self.asked(200, json.dumps({
            "root_cause": "slow", "confidence": 0.9, "evidence": ["p95"],
            "actions": [{"id": "a", "tool": "quarantine", "target": "db-service"}]}))
        self.assertEqual((found.source, str(found.actions[0])), ("llm", "quarantine db-service"))

    def test_what_does_not_fit_is_recorded_and_not_done(self):
        for reply in (
                "I would restart it.", "{}", json.dumps({
                    "root_cause": "x", "confidence": 1, "actions": [{"tool": "rm -rf /", "target": "db-service"}]})):
            found = self.asked(200, reply)
            self.assertEqual((found.source, found.actions[0].tool), ("template", "scale"), reply)
            self.assertTrue(found.fallback)

    def test_a_model_that_is_busy_is_asked_again_and_then_no_more(self):
        with self.assertRaises(ChatBusy):
            self.asked(429, "")
        found = self.asked(429, "", attempt=handlers.MOST_QUESTIONS)
        self.assertEqual((found.source, found.fallback), ("template", "the model was busy: HTTP 429"))


@unittest.skipUnless(shutil.which("prometheus"), "deploy/local/install.sh servers")
class Remedy(unittest.TestCase):
    def test_what_was_begun_is_done_once_and_told_alike_however_often_it_comes(self):
        incident = Incident("i-1", "db-service", "anomaly_p95", 0, {"culprit": "p95"})
        situation = decide.Situation(incident, [{"id": "f", "actor": "db-service", "kind": "latency"}])
        envelope = {
            "id": "i-1", "headers": {}, "route": {"actors": ["remedy", "verify"], "current": 0}, "payload": {
                "incident": incident.payload(), "attempt": 1,
                "decision": decide.payload(decide.template(situation, SERVICES))}}
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"SHOP_STATE": folder}), \
                mock.patch.object(handlers, "act") as act:
            first, second = (handlers.remedy(envelope)["payload"] for _ in range(2))
        act.assert_called_once()
        self.assertEqual(first["actions"], second["actions"])
        self.assertTrue(first["policy"]["allowed"] and second["policy"]["allowed"])


    def test_what_only_a_person_can_do_may_pass_by_itself_and_else_goes_to_that_person(self):
        incident = Incident("i-2", "db-service", "anomaly_p95", 0, {"culprit": "p95"})
        overloaded = decide.payload(decide.template(decide.Situation(incident), SERVICES))
        route = {"actors": ["ai-operator", "remedy", "verify"], "current": 1}
        envelope = {"id": "i-2", "headers": {}, "route": route, "payload": {
            "incident": incident.payload(), "attempt": 1, "decision": overloaded}}
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"SHOP_STATE": folder}), \
                mock.patch.object(handlers, "act") as act, \
                mock.patch.object(handlers.memory, "states_since") as seen:
            waiting = handlers.remedy(envelope)
            self.assertEqual(waiting["route"]["current"], 2)
            seen.return_value = ["odd"] * 5
            asked = handlers.verify(waiting)
            self.assertEqual(asked["route"]["current"], 0, "the rules are asked again")
            since = asked["payload"]["acted_at"]
            again = handlers.remedy({**asked, "route": route})
            self.assertEqual(again["payload"]["acted_at"], since)
            seen.return_value = ["odd", "usual", "usual", "usual"]
            self.assertTrue(handlers.verify(again)["payload"]["verification"]["healthy"])
            seen.return_value = ["odd"] * 5
            again["payload"]["acted_at"] -= handlers.PATIENCE
            with self.assertRaisesRegex(handlers.Escalated, "kubectl scale deployment/db-service"):
                handlers.verify(again)
            # What has shown itself meanwhile is done, and is what counts from then on.
            found = decide.template(decide.Situation(incident, stopped={"db-service": ""}), SERVICES)
            again["payload"]["decision"] = decide.payload(found)
            done = handlers.remedy({**again, "route": route})["payload"]
        act.assert_called_once()
        self.assertNotIn("waiting", done)
        self.assertGreater(done["acted_at"], again["payload"]["acted_at"])


class Prometheus(unittest.TestCase):
    def test_a_real_one_scrapes_and_the_detector_reads(self):
        begin = time.monotonic()

        def metrics():
            """db-service: 10 calls a second, of which one in five fails; all within half a second; half a core."""
            at = time.monotonic() - begin
            queue = 'queue="troupe-db-service"'
            calls = round(10 * at)
            return 200, "\n".join([
                f"troupe_actor_messages_received_total{{{queue}}} {calls}",
                f'troupe_actor_runtime_errors_total{{{queue},error_type="processing_error"}} {round(2 * at)}',
                *(f'troupe_actor_processing_duration_seconds_bucket{{{queue},le="{le}"}} {count}'
                  for le, count in (("0.25", 0), ("0.5", calls), ("+Inf", calls))),
                f"troupe_actor_active_messages{{{queue}}} 1", f"troupe_gateway_queue_oldest_seconds{{{queue}}} 3",
                f"process_cpu_seconds_total {0.5 * at}", ""])

        with tempfile.TemporaryDirectory() as folder, Answering(metrics) as target:
            (Path(folder) / "prometheus.yml").write_text(
                "global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: sidecars\n    static_configs:\n"
                f"      - targets: ['{target.address}']\n")
            with Answering(lambda: (200, "")) as free:
                address = free.address
            process = subprocess.Popen(
                ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address={address}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                self.look(PrometheusSource(SERVICES, f"http://{address}"))
            finally:
                process.terminate()
                process.wait(30)

    def look(self, source):
        vectors, limit = {}, time.monotonic() + 60
        while not (vectors.get("db-service") and vectors["db-service"].cpu > 0) and time.monotonic() < limit:
            time.sleep(0.5)
            try:
                vectors = source.look("")[0] or vectors
            except Exception:  # it is starting
                continue
        found = vectors["db-service"]
        self.assertAlmostEqual(found.failure_ratio, 0.2, delta=0.1)
        self.assertTrue(0.25 < found.p95 <= 0.5, found)
        self.assertEqual(found.queue_age, 3)
        self.assertEqual(set(vectors), {"db-service"})


if __name__ == "__main__":
    unittest.main()
