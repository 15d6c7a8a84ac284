"""Whatever else may become of an envelope than success and failure: a whole pipeline, real servers, as users see it."""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "deploy" / "local"))

import servers  # noqa: E402
from pipeline import Actor, Pipeline  # noqa: E402

PROGRAMS = REPOSITORY / ".build" / "debug"
RUNTIME = [sys.executable, REPOSITORY / "actors/runtime/troupe_runtime.py"]
HANDLERS = {
    "watchdog": "envelope", "split": "payload", "slow": "payload", "quick": "payload", "poison": "payload", "fragile": "payload",
    "tell": "payload",
}
CONCURRENCY = {"quick": 4}
FINAL = ("succeeded", "failed", "cancelled")
LIMIT = 40


class Endings(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="troupe-"))
        cls.folder.chmod(0o755)  # servers run as users of their own
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.calls = cls.folder / "calls"
        cls.calls.touch()
        cls.servers = cls.enterClassContext(servers.started(cls.folder))
        tools = cls.folder / "tools.yaml"
        tools.write_text("tools: []\n")
        route = [
            Actor(name, RUNTIME, {
                "TROUPE_HANDLER": f"endings.{name}", "TROUPE_HANDLER_MODE": mode, "CALLS": str(cls.calls),
                "PYTHONPATH": str(Path(__file__).parent), "SIDECAR": str(cls.folder / f"{name}.pid")},
                concurrency=CONCURRENCY.get(name, 1))
            for name, mode in HANDLERS.items()
        ]
        crew = [
            Actor(name, [PROGRAMS / "troupe", "crew", name], {"TROUPE_RESULTS_DIR": str(cls.folder / "results")},
                  is_end=True)
            for name in ("happy-end", "error-end")
        ]
        cls.pipeline = Pipeline(
            [*route, *crew], cls.servers, cls.folder, PROGRAMS, tools,
            settings={"TROUPE_DELIVERY_LIMIT": "2", "TROUPE_EXIT_ON_TIMEOUT": "false"}, longest_pause=0.3)
        cls.addClassCleanup(cls.pipeline.stop)
        cls.pipeline.start()

    def setUp(self) -> None:
        self.calls.write_text("")

    # What a user does.

    def ask(self, path: str, body: object = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.pipeline.gateway_url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)

    def submit(self, *route: str, payload: object, **more: object) -> str:
        return self.ask("/envelopes", {"route": {"actors": route}, "payload": payload, **more})["id"]

    def envelope(self, identity: str) -> dict:
        return self.ask(f"/envelopes/{identity}")

    def ended(self, identity: str) -> dict:
        return self.until(lambda: self.envelope(identity), lambda envelope: envelope["status"] in FINAL)

    def until(self, look, is_good):
        deadline = time.monotonic() + LIMIT
        while not is_good(found := look()):
            if time.monotonic() > deadline:
                self.fail(f"not within {LIMIT} s; last seen: {found}")
            time.sleep(0.05)
        return found

    def history(self, identity: str) -> list[dict]:
        with urllib.request.urlopen(f"{self.pipeline.gateway_url}/envelopes/{identity}/stream", timeout=20) as stream:
            return [json.loads(line[5:]) for line in stream.read().decode().splitlines() if line.startswith("data:")]

    def events(self, identity: str, after: str = "0"):
        """(id, event, data) as they come."""
        request = urllib.request.Request(
            f"{self.pipeline.gateway_url}/envelopes/{identity}/stream", headers={"Last-Event-ID": after})
        with urllib.request.urlopen(request, timeout=20) as stream:
            event = {}
            for line in stream:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name in ("id", "event", "data"):
                    event[name] = value
                elif event:
                    yield event["id"], event["event"], json.loads(event["data"])
                    event = {}

    def calls_of(self, name: str) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if line.startswith(f"{name} ")]

    def actor(self, name: str) -> dict:
        return self.ask(f"/actors/{name}")["actor"]

    def queue_is_empty(self, name: str) -> None:
        rabbitmq = self.servers.rabbitmq

        def messages() -> dict:
            lines = subprocess.run(
                [rabbitmq.control, "--quiet", "list_queues", "--no-table-headers", "name", "messages"],
                env=rabbitmq.server.env, capture_output=True, text=True, check=True).stdout.splitlines()
            return dict(line.split() for line in lines)

        self.until(messages, lambda queues: queues[f"troupe-{name}"] == "0")

    # What must come of it.

    def test_a_loop_goes_on_until_it_is_cancelled(self) -> None:
        identity = self.submit("watchdog", payload={"name": "rex", "rounds": 0})
        self.until(lambda: self.calls_of("watchdog"), lambda calls: len(calls) >= 5)
        self.assertEqual(self.envelope(identity)["status"], "running")
        self.assertEqual(self.ask(f"/envelopes/{identity}/cancel", {})["status"], "cancelled")
        self.queue_is_empty("watchdog")
        time.sleep(1)
        rounds = len(self.calls_of("watchdog"))
        time.sleep(1)
        self.assertEqual(len(self.calls_of("watchdog")), rounds)
        self.assertEqual(self.envelope(identity)["status"], "cancelled")
        stored = self.until(lambda: list(self.folder.glob(f"results/error-end/*/*/{identity}.json")), len)
        self.assertEqual(json.loads(stored[0].read_text())["payload"]["error"], "cancelled")
        final = [update for update in self.history(identity) if update["status"] in FINAL]
        self.assertEqual(len(final), 1)

    def test_the_parts_are_cancelled_with_the_whole(self) -> None:
        identity = self.submit("split", "slow", payload={"parts": 12})
        self.until(lambda: self.calls_of("slow"), len)
        self.ask(f"/envelopes/{identity}/cancel", {})
        children = self.until(
            lambda: self.ask(f"/envelopes?parent={identity}")["envelopes"], lambda children: len(children) == 11)
        self.until(
            lambda: self.ask(f"/envelopes?parent={identity}")["envelopes"],
            lambda children: all(child["status"] in FINAL for child in children))
        self.queue_is_empty("slow")
        self.assertLess(len(self.calls_of("slow")), 6)
        self.assertGreater(sum(child["status"] == "cancelled" for child in children), 6)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            done = self.submit("slow", payload={"seconds": 0})
            self.ended(done)
            self.ask(f"/envelopes/{done}/cancel", {})
        self.assertEqual(refused.exception.code, 409)

    def test_what_waits_for_an_absent_actor_is_not_begun_once_it_is_cancelled(self) -> None:
        sidecar = self.pipeline.sidecars["slow"]
        sidecar.ask_to_stop()
        self.until(lambda: sidecar.running, lambda running: not running)
        first, second = (self.submit("slow", payload={"n": n, "seconds": 0}) for n in (1, 2))
        self.until(lambda: self.ask(f"/envelopes/{second}/active"), lambda answer: answer["active"])
        time.sleep(0.5)
        self.ask(f"/envelopes/{first}/cancel", {})
        time.sleep(0.5)
        sidecar.start()
        self.assertEqual(self.ended(second)["status"], "succeeded")
        self.queue_is_empty("slow")
        self.assertEqual(self.calls_of("slow"), ["slow {'n': 2, 'seconds': 0}"])

    def test_it_starts_when_it_is_told_to(self) -> None:
        begin = time.monotonic()
        identity = self.submit("slow", payload={"seconds": 0}, delay_ms=2500)
        self.assertEqual(self.envelope(identity)["status"], "pending")
        self.assertEqual(self.ended(identity)["status"], "succeeded")
        self.assertGreater(time.monotonic() - begin, 2.4)
        self.assertLess(time.monotonic() - begin, 6)

    def test_nobody_works_on_it_beyond_its_deadline(self) -> None:
        begin = time.monotonic()
        hanging = self.submit("slow", payload={"seconds": 4}, timeout=1)
        behind = self.submit("slow", payload={"seconds": 0.1}, timeout=1)
        for identity in (hanging, behind):
            envelope = self.ended(identity)
            self.assertEqual(envelope["status"], "failed")
            self.assertIn("deadline_exceeded", envelope["error"])
        self.assertLess(time.monotonic() - begin, 3.5)
        self.assertEqual(len(self.calls_of("slow")), 1)

    def test_a_paused_actor_loses_nothing_and_stays_paused_when_it_is_killed(self) -> None:
        sidecar = self.pipeline.sidecars["quick"]
        identities = [self.submit("quick", payload={"n": n, "seconds": 0.1}) for n in range(200)]
        self.until(lambda: self.calls_of("quick"), lambda calls: len(calls) >= 20)
        self.assertEqual(self.troupe("actors", "pause", "quick", "--reason", "out of paper"), "quick is paused\n")
        # Just when it holds what it is about to give back, and has calls under way.
        self.until(lambda: self.metric("quick", "paused"), lambda paused: paused == 1)
        sidecar.kill()
        self.until(lambda: sidecar.running, lambda running: not running)
        time.sleep(0.3)
        calls = len(self.calls_of("quick"))
        late = self.submit("quick", payload={"n": 200, "seconds": 0})
        doomed = self.submit("quick", payload={"n": 201}, timeout=1)
        unwanted = self.submit("quick", payload={"n": 202})
        self.ask(f"/envelopes/{unwanted}/cancel", {})
        sidecar.start()
        self.until(lambda: self.metric("quick", "paused"), lambda paused: paused == 1)
        self.assertEqual(self.ended(doomed)["status"], "failed")  # nobody had to take it for that
        with urllib.request.urlopen(f"{self.pipeline.metrics_urls['quick']}/readyz", timeout=5) as response:
            self.assertEqual(response.status, 200)
        self.until(lambda: self.actor("quick")["consumers"], lambda consumers: consumers == 0)
        self.assertGreater(self.actor("quick")["ready"], 50)
        self.assertEqual(len(self.calls_of("quick")), calls)
        shown = next(line for line in self.troupe("actors").splitlines() if line.startswith("quick "))
        self.assertIn("paused since", shown)
        self.assertIn("out of paper", shown)

        self.assertEqual(self.troupe("actors", "resume", "quick"), "quick is resumed\n")
        for identity in [*identities, late]:
            self.assertEqual(self.ended(identity)["status"], "succeeded")
        self.queue_is_empty("quick")
        self.assertEqual(len(set(self.calls_of("quick"))), 201)
        self.assertLessEqual(len(self.calls_of("quick")), 201 + CONCURRENCY["quick"])  # those that were killed
        self.queue_is_empty("happy-end")
        for identity in [*identities, late]:
            self.assertEqual(len(list(self.folder.glob(f"results/happy-end/*/*/{identity}.json"))), 1)
        self.assertEqual(json.loads(self.troupe("actors", "--output", "json"))["broker"], {"available": True})
        self.assertEqual(self.actor("quick")["dead_letters"], 0)

    def metric(self, actor: str, name: str) -> float:
        try:
            with urllib.request.urlopen(f"{self.pipeline.metrics_urls[actor]}/metrics", timeout=5) as response:
                lines = response.read().decode().splitlines()
        except OSError:  # it has not started yet
            return -1
        return next((float(line.split()[-1]) for line in lines if line.startswith(f"troupe_actor_{name}{{")), -1)

    def test_poison_ends_in_the_dead_letters_and_comes_back_when_there_is_a_cure(self) -> None:
        cure = self.folder / "cure"
        sidecar, handler = self.pipeline.sidecars["poison"], self.pipeline.handlers["poison"]
        stopped = threading.Event()

        def tend() -> None:
            while not stopped.wait(0.05):
                if not sidecar.running:
                    handler.kill()  # it still sleeps
                    handler.process.wait()
                    handler.start()
                    sidecar.start()
                (self.folder / "poison.pid").write_text(str(sidecar.pid))

        tending = threading.Thread(target=tend)
        tending.start()
        self.addCleanup(tending.join)
        self.addCleanup(stopped.set)
        time.sleep(0.3)
        identity = self.submit("poison", payload={"cure": str(cure)})
        envelope = self.ended(identity)
        self.assertEqual(envelope["status"], "failed")
        self.assertIn("delivery_limit", envelope["error"])
        self.assertEqual(len(self.calls_of("poison")), 3)

        cure.touch()
        listed = self.troupe("dlq", "list")
        self.assertIn(identity, listed)
        self.assertIn("delivery_limit", listed)
        self.assertIn("1 sent again", self.troupe("dlq", "replay", "--type", "delivery_limit"))
        envelope = self.until(lambda: self.envelope(identity), lambda envelope: envelope["status"] == "succeeded")
        self.assertEqual(envelope["result"], {"cured": True})
        self.assertFalse(envelope.get("error"))
        statuses = [update["status"] for update in self.history(identity)]
        self.assertEqual([status for status in statuses if status in FINAL], ["failed", "succeeded"])
        self.assertEqual(self.troupe("dlq", "list"), "no dead letters\n")

    def test_what_a_handler_tells_is_seen_while_it_works(self) -> None:
        identity = self.submit("tell", "slow", payload={"tokens": 200})
        seen = []
        for event in self.events(identity):
            if not any(kind == "partial" for _, kind, _ in seen):
                self.assertEqual(self.envelope(identity)["status"] in FINAL, False)
            seen.append(event)
        ids = [int(number) for number, _, _ in seen]
        self.assertEqual(ids, sorted(set(ids)))
        told = [data for _, kind, data in seen if kind == "partial"]
        self.assertEqual([data["type"] for data in told], ["log", *["token"] * 200, "progress"])
        self.assertEqual([data["data"]["n"] for data in told[1:-1]], list(range(200)))
        self.assertEqual({(data["id"], data["actor"], data["attempt"]) for data in told}, {(identity, "tell", 1)})
        self.assertEqual(len({data["call"] for data in told}), 1)
        _, kind, last = seen[-1]
        self.assertEqual((kind, last["status"], last["result"]), ("update", "succeeded", {"told": 200}))
        percents = [data["progress_percent"] for _, kind, data in seen if kind == "update"]
        self.assertEqual(percents, sorted(percents))

        # Who comes back gets the rest.
        self.assertEqual(list(self.events(identity, after=seen[100][0])), seen[101:])

    def test_a_handler_that_dies_while_it_tells_begins_anew(self) -> None:
        handler = self.pipeline.handlers["tell"]
        identity = self.submit("tell", payload={"tokens": 60, "pause": 0.02})
        calls = {}
        for _, kind, data in self.events(identity):
            if kind == "partial" and data["type"] == "token":
                told = calls.setdefault(data["call"], [])
                told.append(data["data"]["n"])
                if len(calls) == 1 and len(told) == 20:
                    handler.kill()
                    handler.process.wait()
                    handler.start()
        first, second = calls.values()
        self.assertEqual(first, list(range(len(first))))
        self.assertLess(len(first), 60)
        self.assertEqual(second, list(range(60)))
        self.assertEqual(self.envelope(identity)["result"], {"told": 60})

    def troupe(self, *arguments: str) -> str:
        return subprocess.run(
            [PROGRAMS / "troupe", *arguments, "--gateway", self.pipeline.gateway_url],
            capture_output=True, text=True, check=True, timeout=LIMIT).stdout

    def test_what_has_failed_is_sent_again_from_where_it_failed_or_from_the_start(self) -> None:
        for start, calls_before in (("failed_step", 1), ("start", 2)):
            self.calls.write_text("")
            cure = self.folder / f"mended-{start}"
            identity = self.submit("slow", "fragile", payload={"seconds": 0, "cure": str(cure)})
            failed = self.ended(identity)
            self.assertEqual((failed["status"], failed["current_actor_name"]), ("failed", "fragile"))
            cure.touch()
            self.assertNotIn(self.ask(f"/envelopes/{identity}/retry", {"from": start})["status"], ("failed", "cancelled"))
            self.assertEqual(self.ended(identity)["status"], "succeeded")
            self.assertEqual(len(self.calls_of("slow")), calls_before)
            self.assertEqual(len(self.calls_of("fragile")), 2)
            # It got the same both times.
            self.assertEqual(*self.calls_of("fragile"))
            ends = [update["status"] for update in self.history(identity) if update["status"] in FINAL]
            self.assertEqual(ends, ["failed", "succeeded"])

    def test_parts_that_have_failed_are_sent_again_one_by_one_or_with_the_whole(self) -> None:
        cure = self.folder / "mended-parts"
        identity = self.submit("split", "fragile", payload={"parts": 3, "cure": str(cure)})
        family = [identity, f"{identity}-1", f"{identity}-2"]
        for one in family:
            self.until(lambda: self.known(one), lambda envelope: envelope and envelope["status"] == "failed")
        cure.touch()
        for one in family:
            self.ask(f"/envelopes/{one}/retry", {})
        for one, part in zip(family, range(3)):
            self.assertEqual(self.ended(one)["result"], {"mended": part})
        with self.assertRaises(urllib.error.HTTPError) as refusal:
            self.ask(f"/envelopes/{identity}/retry", {"from": "start"})
        self.assertEqual(json.load(refusal.exception)["code"], "not_retryable")

    def test_a_cancelled_whole_is_sent_again_with_parts_of_its_own(self) -> None:
        identity = self.submit("split", "slow", payload={"parts": 3, "seconds": 1})
        self.until(lambda: self.calls_of("slow"), len)
        self.ask(f"/envelopes/{identity}/cancel", {})

        def retried():
            try:
                return self.ask(f"/envelopes/{identity}/retry", {"from": "start"})
            except urllib.error.HTTPError as refusal:
                problem = json.load(refusal)
                self.assertEqual((problem["code"], refusal.headers["Retry-After"]), ("not_retryable", "1"), problem)
                return None

        self.until(retried, lambda envelope: envelope)  # once its message has ended
        self.assertEqual(self.ended(identity)["status"], "succeeded")
        for part in (f"{identity}-1.1", f"{identity}-1.2"):
            self.until(lambda: self.known(part), lambda envelope: envelope and envelope["status"] == "succeeded")
        self.assertEqual(self.envelope(f"{identity}-1")["status"], "cancelled")

    def known(self, identity: str):
        try:
            return self.envelope(identity)
        except urllib.error.HTTPError:
            return None


if __name__ == "__main__":
    unittest.main()
