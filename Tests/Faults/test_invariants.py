"""The judge of the fault suite: it must notice each kind of fault, or the suite proves nothing."""

import contextlib
import random
import socket
import sys
import threading
import unittest
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import workload  # noqa: E402
from invariants import Facts, Stored, Verdict, verdict  # noqa: E402
from proxy import Plan, Proxy  # noqa: E402

REFERENCE = {"0": {"n": 0}, "1": {"error": "x"}}
GOOD = Facts(
    expected={"0": "happy-end", "1": "error-end"},
    statuses={"0": "succeeded", "1": "failed"},
    final_updates={"0": 1, "1": 1},
    stored={"0": [Stored("happy-end", {"n": 0})], "1": [Stored("error-end", {"error": "x"})]},
    queues={"troupe-slow": (0, 0), "troupe-slow-dlq": (0, 0)})
DEAD = replace(
    GOOD, statuses={"0": "failed", "1": "failed"}, stored={"1": GOOD.stored["1"]}, dead={"0": GOOD.stored["0"]})


class InvariantsTests(unittest.TestCase):
    def judge(self, facts: Facts, **changes: object) -> Verdict:
        return verdict(replace(facts, **changes), REFERENCE)

    def assert_noticed(self, text: str, facts: Facts, **changes: object) -> None:
        complaints = self.judge(facts, **changes).complaints
        self.assertTrue(any(text in complaint for complaint in complaints), complaints)

    def test_all_as_it_should_be(self) -> None:
        self.assertEqual(self.judge(GOOD), Verdict(set(), set(), []))

    def test_lost(self) -> None:
        for changes in (
            {"statuses": {"1": "failed"}}, {"statuses": {"0": "running", "1": "failed"}},
            {"stored": {"1": GOOD.stored["1"]}},
        ):
            self.assert_noticed("1 lost: 0", GOOD, **changes)
            self.assertEqual(self.judge(GOOD, **changes).lost, {"0"})

    def test_a_wrong_end(self) -> None:
        self.assert_noticed("0: is failed, not succeeded", GOOD, statuses={"0": "failed", "1": "failed"})
        self.assert_noticed("0: 2 final updates", GOOD, final_updates={"0": 2, "1": 1})
        other = {**GOOD.stored, "0": [Stored("error-end", {"n": 0})]}
        self.assert_noticed("0: ended in ['error-end'], not in happy-end", GOOD, stored=other)
        self.assert_noticed("1 is not one of ours, but the gateway", GOOD, statuses={**GOOD.statuses, "2": "succeeded"})
        self.assert_noticed("1 is not one of ours, but it is stored", GOOD, stored={**GOOD.stored, "2": other["0"]})

    def test_duplicates(self) -> None:
        twice = {**GOOD.stored, "0": [Stored("happy-end", {"n": 0})] * 2}
        self.assertEqual(
            self.judge(GOOD, stored=twice), Verdict(set(), {"0"}, ["1 stored more than once: 0"]))
        twice["0"] = [Stored("happy-end", {"n": 0}), Stored("happy-end", {"n": 1})]
        self.assert_noticed("0: its result is not that of the undisturbed run", GOOD, stored=twice)

    def test_what_is_stuck(self) -> None:
        self.assert_noticed("queue troupe-slow holds 0 ready and 1 una", GOOD, queues={"troupe-slow": (0, 1)})
        self.assert_noticed("queue troupe-slow-dlq holds 1 ready", GOOD, queues={"troupe-slow-dlq": (1, 0)})
        self.assert_noticed("3 messages are still in the gateway's outbox", GOOD, outbox=3)

    def test_dead_letters_where_the_scenario_says_so(self) -> None:
        queues = {"troupe-happy-end-dlq": (1, 0)}
        self.assert_noticed("queue troupe-happy-end-dlq holds 1", DEAD, queues=queues)
        allowed = {"queues": queues, "dead_letters_allowed": frozenset(["happy-end"])}
        self.assertEqual(self.judge(DEAD, **allowed), Verdict(set(), set(), []))
        broken = {"0": [Stored("happy-end", None)]}
        self.assert_noticed("0: its result is not that", DEAD, dead=broken, **allowed)

    def test_what_was_deleted_is_gone_and_nothing_else(self) -> None:
        gone = {"statuses": {"1": "failed"}, "victims": frozenset(["0"])}
        self.assertEqual(self.judge(GOOD, **gone), Verdict(set(), set(), []))
        self.assert_noticed("1 of 1 envelopes survived", GOOD, victims=frozenset(["0"]))
        self.assertEqual(self.judge(GOOD, victims=frozenset(["0"]), in_hand=1).complaints, [])
        self.assert_noticed("0 of 1 envelopes survived", GOOD, **gone, in_hand=1)
        self.assert_noticed("1 lost: 1", GOOD, statuses={}, victims=frozenset(["0"]))


class WorkloadTests(unittest.TestCase):
    def test_a_seed_says_it_all(self) -> None:
        self.assertEqual(workload.submission("s", 7, 3), workload.submission("s", 7, 3))
        self.assertNotEqual(workload.payload(7, 3), workload.payload(8, 3))
        ends = list(workload.expected_ends(7, 2000).values())
        self.assertEqual(len(ends), 6000)
        self.assertAlmostEqual(ends.count("error-end") / 6000, workload.FAILURE_RATE, delta=0.03)


class ProxyTests(unittest.TestCase):
    """Before a server that sends everything back."""

    def setUp(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.server.close)
        self.proxy = Proxy(self.server.getsockname()[1])
        self.addCleanup(self.proxy.close)
        threading.Thread(target=self.serve, daemon=True).start()
        self.received = b""
        self.ended = threading.Event()

    def serve(self) -> None:
        connection, _ = self.server.accept()
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(100):
                self.received += data
                connection.sendall(data)
        self.ended.set()

    def connect(self, way: str, cut_after: int) -> socket.socket:
        self.proxy.disturb(random.Random(1))
        client = socket.create_connection(("127.0.0.1", self.proxy.port))
        self.addCleanup(client.close)
        client.settimeout(5)
        while not self.proxy.connections:
            pass
        next(iter(self.proxy.connections)).plan = Plan(cut_after, way, stall=0.1, delay=0)
        return client

    def test_everything_passes_when_nothing_is_disturbed(self) -> None:
        client = self.connect("reset", 1)
        self.proxy.stop_disturbing()
        client.sendall(b"x" * 50)
        self.assertEqual(client.recv(100), b"x" * 50)

    def test_cuts_after_so_many_bytes(self) -> None:
        for way in ("reset", "close", "stall"):
            with self.subTest(way=way):
                self.setUp()
                client = self.connect(way, 7)
                client.sendall(b"0123456789")
                self.assertTrue(self.ended.wait(5))
                self.assertEqual(self.received, b"0123456")
                self.assertEqual(ending(client), "close" if way == "close" else "reset")

    def test_half_close_lets_the_answer_pass(self) -> None:
        client = self.connect("half_close", 7)
        client.sendall(b"0123456789")
        self.assertTrue(self.ended.wait(5))
        self.assertEqual(self.received, b"0123456")


def ending(client: socket.socket) -> str:
    try:
        while client.recv(100):
            pass
        return "close"
    except ConnectionResetError:
        return "reset"


if __name__ == "__main__":
    unittest.main()
