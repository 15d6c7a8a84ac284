"""The score table says what was: right is right, and what nobody has found is not passed over."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import score  # noqa: E402


def incident(id: str, at: float, target: str, status: str = "succeeded", healthy: bool = True) -> dict:
    return {
        "id": id, "status": status, "payload": {"incident": {"detected_at": at}},
        "result": {
            "decision": {"root_cause": f"{target} fails", "target": target, "action_type": "reset_failure"},
            "actions": [{"tool": "reset_failure"}], "acted_at": at + 1,
            "verification": {"healthy": healthy, "after_s": 2}}}


class Score(unittest.TestCase):
    STRIKES = [{"op": "kill", "service": "a", "at": 10}, {"op": "latency", "service": "b", "at": 20}]

    def test_each_strike_has_its_incident(self):
        found = score.lines(self.STRIKES, [incident("x", 12, "a"), incident("y", 23, "b")])
        seen = [(one.incident, one.is_right, one.is_mended) for one in found]
        self.assertEqual(seen, [("x", True, True), ("y", True, True)])
        self.assertEqual((found[0].opened, found[0].well), (2, 5))

    def test_the_one_that_names_the_service_speaks(self):
        found = score.lines(self.STRIKES, [incident("w", 11, "c"), incident("x", 12, "a"), incident("y", 23, "a")])
        self.assertEqual([(one.incident, one.is_right) for one in found], [("x", True), ("y", False)])

    def test_one_that_was_open_already_may_mend_it(self):
        found = score.lines(self.STRIKES, [incident("w", 9.5, "a"), incident("x", 19.5, "c")])
        self.assertEqual([one.incident for one in found], ["w", None])

    def test_what_nobody_found_is_wrong(self):
        found = score.lines(self.STRIKES, [incident("x", 8, "a"), incident("y", 23, "b", "failed")])
        self.assertEqual([(one.incident, one.is_right, one.is_mended) for one in found], [
            (None, False, False), ("y", True, False)])
        self.assertIn("WRONG", score.table(found))
        self.assertIn("FAILED", score.table(found))


if __name__ == "__main__":
    unittest.main()
