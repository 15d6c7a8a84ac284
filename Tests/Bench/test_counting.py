"""The benchmarks' own count of what came through, on a real broker: what is lost or comes twice must be noticed."""

import sys
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "bench"), str(REPOSITORY / "deploy" / "local")]

import servers  # noqa: E402
from bench import Bench  # noqa: E402
from broker import END, Broker  # noqa: E402
from course import measure  # noqa: E402
from courses import Relay  # noqa: E402
from guard import Problem  # noqa: E402

ROUTE = ["first", END]


class CountingTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.broker = Broker(
            Bench(cls.folder, True, 1, 60), cls.enterClassContext(servers.broker(cls.folder)))

    def setUp(self) -> None:
        self.broker.declare(ROUTE, "classic")

    def test_all_of_them_once(self) -> None:
        self.broker.fill(ROUTE, 70, 10)
        self.broker.fill(ROUTE, 30, 10, first=70)
        self.broker.take_all(ROUTE, 100, "all")
        self.assertEqual(self.broker.depth("first"), 0)

    def test_one_that_comes_twice(self) -> None:
        self.broker.fill(ROUTE, 100, 10)
        self.broker.fill(ROUTE, 1, 10, first=42)
        with self.assertRaisesRegex(Problem, "of 100 envelopes 100 came through, 1 of them again; 0 others"):
            self.broker.take_all(ROUTE, 100, "one twice")

    def test_one_that_is_lost(self) -> None:
        self.broker.fill(ROUTE, 99, 10, first=1)
        with self.assertRaisesRegex(Problem, "of 100 envelopes 99 came through, 0 of them again; 0 others"):
            self.broker.take_all(ROUTE, 100, "one lost")

    def test_the_relay_passes_all_on(self) -> None:
        relay = Relay(self.broker, self.folder, "quorum")
        sample = measure(relay, 2_000, 100)
        self.assertGreater(sample.rate, 0)
        self.assertGreater(sample.cpu_microseconds, 0)
        self.assertEqual(relay.child.process.returncode, 0, relay.child.log.read_text())

    def test_latencies_of_the_relay(self) -> None:
        relay = Relay(self.broker, self.folder, "classic")
        relay.start()
        try:
            times = self.broker.latencies(ROUTE, 20, 100, 200)
        finally:
            relay.stop()
        self.assertEqual(len(times), 20)
        self.assertTrue(all(0 < time < 10e6 for time in times), times)


if __name__ == "__main__":
    unittest.main()
