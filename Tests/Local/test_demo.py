"""The parts of the demo that judge: its exit code is worth what they notice."""

import json
import sys
import tempfile
import time
import unittest
from pathlib import Path
from types import SimpleNamespace

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / name) for name in ("local", "demo")]

import children  # noqa: E402
import gateway  # noqa: E402
import pipeline  # noqa: E402
import results  # noqa: E402
from tracking import Track  # noqa: E402


def track(id: str, child_statuses: dict[int, str], status: str = "succeeded", expected: str = "succeeded") -> Track:
    """As it is when its stream has ended and its children are known."""
    made = Track.__new__(Track)
    made.document = SimpleNamespace(name=f"{id}.txt", expected=expected)
    made.id, made.status, made.problem, made.seconds = id, status, None, 1.5
    made.updates = [{"status": "running"}, {"status": status, "error": "told by the stream"}]
    made.children = {f"{id}-{number}": {"status": status} for number, status in child_statuses.items()}
    return made


class ResultsTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def store(self, id: str, end: str = "happy-end", payload: object = None, at: str = "T1") -> None:
        path = self.folder / end / at / "summary" / f"{id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"id": id, "payload": payload}))

    def complaints(self, *tracks: Track, redelivery_allowed: bool = False) -> list[str]:
        return results.complaints(tracks, results.Stored(self.folder), redelivery_allowed)

    def test_all_as_it_should_be(self) -> None:
        self.store("a", payload={"sections": 2})
        self.store("a-1")
        self.store("b", "error-end")
        self.assertEqual(self.complaints(track("a", {1: "succeeded"}), track("b", {}, "failed", "failed")), [])

    def test_each_fault_is_noticed(self) -> None:
        self.store("a")
        self.store("a-1")
        good = track("a", {1: "succeeded"})
        self.assertEqual(self.complaints(good), [])

        failed = track("a", {1: "failed"})
        self.assertIn("a.txt: envelope a-1 is failed, not succeeded", self.complaints(failed))
        twice = track("a", {1: "succeeded"})
        twice.updates.append({"status": "failed"})
        self.assertIn("2 final updates", self.complaints(twice)[0])
        never = track("a", {1: "succeeded"})
        never.updates.pop()
        self.assertIn("0 final updates", self.complaints(never)[0])
        self.assertIn("envelope a-1 is stored, but no document's", self.complaints(track("a", {})))
        self.assertIn("a.txt: child a-1 is missing", self.complaints(track("a", {2: "succeeded"})))
        self.store("a", payload={"sections": 3}, at="T0")
        self.assertIn("a.txt: has 2 envelopes for 3 sections", self.complaints(good))

    def test_where_it_is_stored(self) -> None:
        lone = track("a", {})
        self.assertIn("stored in no folder, not once in happy-end", self.complaints(lone)[0])
        self.store("a")
        self.store("a", at="T2")
        self.assertIn("stored in ['happy-end', 'happy-end']", self.complaints(lone)[0])
        self.assertEqual(self.complaints(lone, redelivery_allowed=True), [])
        self.store("a", "error-end")
        self.assertEqual(len(self.complaints(lone, redelivery_allowed=True)), 1)

    def test_table(self) -> None:
        self.store("a", payload={"keywords": [{"term": "licence", "score": 1}, {"term": "work", "score": 2}]})
        self.store("a-1", payload={"keywords": [{"term": "licence", "score": 2.5}]})
        self.store("b", "error-end", {"error": "x", "details": {"type": "TypeError", "message": "no\ntext"}})
        tracks = [track("a", {1: "succeeded"}), track("b", {}, "failed", "failed"), track("c", {}, "failed", "failed")]
        rows = [line.split() for line in results.table(tracks, results.Stored(self.folder)).splitlines()[2:]]
        self.assertEqual(rows[0], ["a.txt", "2", "licence,", "work", "succeeded", "1.5"])
        self.assertEqual(rows[1], ["b.txt", "-", "TypeError:", "no", "text", "failed,", "as", "meant", "1.5"])
        self.assertEqual(rows[2][2:6], ["told", "by", "the", "stream"])


class EventsTests(unittest.TestCase):
    def test_server_sent_events(self) -> None:
        stream = (
            b': keepalive\n\nevent: update\nid: 7\ndata: {"a":1}\n\n'
            b"data:x\r\ndata: y\r\n\r\nid: 8\n\ndata: cut off")
        self.assertEqual(list(gateway.events(stream.splitlines(keepends=True))), [("7", '{"a":1}'), ("7", "x\ny")])


class SupervisionTests(unittest.TestCase):
    def test_restarts_after_pauses_that_double(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            child = children.Child("crasher", ["false"], Path(folder) / "log").start()
            supervised = pipeline.Supervised(child)
            times = [time.monotonic()]
            while len(times) < 4:
                self.assertLess(time.monotonic() - times[0], 10)
                if supervised.restarted():
                    times.append(time.monotonic())
                time.sleep(0.01)
            child.stop()
        pauses = [after - before for before, after in zip(times, times[1:])]
        for pause, least in zip(pauses, [0.2, 0.4, 0.8]):
            self.assertGreaterEqual(pause, least - 0.01)


if __name__ == "__main__":
    unittest.main()
