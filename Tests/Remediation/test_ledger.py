import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "actors"))

from remediation import routes  # noqa: E402
from remediation.ledger import Ledger  # noqa: E402
from remediation.model import Action  # noqa: E402

RESTART = Action("restart", "db")


class LedgerTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = f"{folder.name}/state/ledger.db"
        self.ledger = Ledger(self.path)

    def test_one_incident_for_a_cause_until_it_is_settled(self):
        self.assertEqual(self.ledger.claim("db/down", "i-1", 1), "i-1")
        self.assertEqual(self.ledger.claim("db/down", "i-2", 2), "i-1")
        self.assertEqual(self.ledger.claim("api/down", "i-3", 3), "i-3")
        self.ledger.settle("i-1", "escalated")
        self.assertEqual(self.ledger.claim("db/down", "i-4", 4), "i-1")
        self.ledger.settle("i-1", "cleared")
        self.assertEqual(self.ledger.claim("db/down", "i-5", 5), "i-5")
        self.assertEqual(Ledger(self.path).unsettled(), [("api/down", "i-3", "open"), ("db/down", "i-5", "open")])

    def test_who_asks_at_the_same_time_gets_the_same(self):
        with ThreadPoolExecutor(8) as pool:
            ids = set(pool.map(lambda number: Ledger(self.path).claim("db/down", f"i-{number}", number), range(40)))
        self.assertEqual(len(ids), 1)

    def test_an_action_that_was_begun_and_not_finished_is_still_to_be_done(self):
        self.assertTrue(self.ledger.begin("a-1", "i-1", RESTART, 100))
        self.assertTrue(self.ledger.begin("a-1", "i-1", RESTART, 105))
        self.assertIsNone(self.ledger.outcome("a-1"))
        self.ledger.finish("a-1", True, 0.5)
        self.ledger.finish("a-1", False, 9)
        self.assertFalse(self.ledger.begin("a-1", "i-1", RESTART, 110))
        self.assertEqual(self.ledger.outcome("a-1"), (True, 0.5))
        self.assertEqual([(one.incident, one.action, one.at) for one in self.ledger.history()], [("i-1", RESTART, 100)])

    def test_the_first_word_of_a_person_counts(self):
        self.assertIsNone(self.ledger.approval("a-1"))
        self.ledger.approve("a-1", False, "ada")
        self.ledger.approve("a-1", True, "bob")
        self.assertIs(self.ledger.approval("a-1"), False)


class RouteTests(unittest.TestCase):
    ENVELOPE = {"id": "1", "route": {"actors": ["a", "b", "c"], "current": 1}, "headers": {"troupe-delay-ms": 5, "x": 1}}

    def test_on_again_and_back(self):
        self.assertEqual(routes.onward(self.ENVELOPE)["route"]["current"], 2)
        self.assertEqual(routes.onward(self.ENVELOPE)["headers"], {"x": 1})
        self.assertEqual(routes.again(self.ENVELOPE, 1.5)["headers"], {"x": 1, "troupe-delay-ms": 1500})
        self.assertEqual(routes.back(self.ENVELOPE, "a", 0.01)["headers"]["troupe-delay-ms"], 50)
        self.assertEqual(routes.back(self.ENVELOPE, "a")["route"], {"actors": ["a", "b", "c"], "current": 0})
        self.assertEqual(self.ENVELOPE["route"]["current"], 1)


if __name__ == "__main__":
    unittest.main()
