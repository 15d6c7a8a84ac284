import sys
import unittest
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "actors"))

from remediation.model import Action, Decision, Incident, Malformed  # noqa: E402
from remediation.policy import Done, Policy, judge  # noqa: E402
from remediation.topology import root_causes  # noqa: E402

POLICY = Policy(tools=frozenset({"restart", "scale"}), targets=frozenset({"db", "api"}), limits={"replicas": (1, 4)})
INCIDENT = Incident("i-1", "db", "service_down", 100)
RESTART = Action("restart", "db")
DECISION = Decision("db is down", 0.9, (RESTART,), ("db: crashed",))


def verdict(action=RESTART, policy=POLICY, decision=DECISION, history=(), now=1000.0, approved=None):
    return judge(policy, INCIDENT, decision, action, history, now, approved)


class PolicyTests(unittest.TestCase):
    def test_what_is_within_the_policy_is_allowed(self):
        self.assertEqual(verdict().payload(), {"allowed": True, "outcome": "allow", "reason": "within the policy"})

    def test_unknown_tools_targets_and_arguments_are_refused_by_name(self):
        self.assertIn("'rm' is no tool; there are: restart, scale", verdict(Action("rm", "db")).reason)
        self.assertIn("'moon' does not exist", verdict(Action("restart", "moon")).reason)
        self.assertIn("'force' may not be said", verdict(Action("restart", "db", {"force": 1})).reason)
        for wrong in (0, 5, "3", True, None, float("nan")):
            self.assertEqual(verdict(Action("scale", "db", {"replicas": wrong})).outcome, "refuse", wrong)
        self.assertEqual(verdict(Action("scale", "db", {"replicas": 4})).outcome, "allow")

    def test_a_doubtful_decision_is_not_acted_on(self):
        self.assertEqual(verdict(decision=replace(DECISION, confidence=0.49)).outcome, "refuse")
        self.assertEqual(verdict(decision=replace(DECISION, confidence=0.5)).outcome, "allow")

    def test_the_same_action_waits_until_it_has_cooled_down_whoever_asks(self):
        history = [Done("another", RESTART, 985)]
        found = verdict(history=history)
        self.assertEqual((found.outcome, found.seconds), ("wait", 5))
        self.assertEqual(verdict(Action("scale", "db"), history=history).outcome, "allow")
        self.assertEqual(verdict(history=history, now=1005).outcome, "allow")

    def test_there_is_an_end_to_trying(self):
        old = [Done("i-1", RESTART, number) for number in range(6)]
        self.assertIn("6 actions for one incident", verdict(history=old).reason)
        storm = [Done(f"i-{number}", Action("restart", "api"), 990) for number in range(2, 32)]
        self.assertIn("30 actions within 600 s", verdict(history=storm).reason)
        self.assertEqual(verdict(history=storm, now=1600).outcome, "allow")

    def test_a_person_is_asked_where_one_must_be(self):
        policy = replace(POLICY, ask_for=frozenset({"restart"}))
        self.assertEqual(verdict(policy=policy).outcome, "ask")
        self.assertEqual(verdict(policy=policy, approved=True).outcome, "allow")
        self.assertEqual(verdict(policy=policy, approved=False).outcome, "refuse")
        # Nobody is asked for what is not done.
        self.assertEqual(verdict(policy=replace(policy, dry_run=True)).outcome, "rehearse")


class ModelTests(unittest.TestCase):
    def test_values_survive_the_wire(self):
        self.assertEqual(Decision.read(DECISION.payload()), DECISION)
        self.assertEqual(Incident.read(INCIDENT.payload()), INCIDENT)

    def test_what_is_wrong_is_named(self):
        for wrong, where in [
            ([], "decision: expected an object"), ({**DECISION.payload(), "confidence": 2}, "decision.confidence"),
            ({**DECISION.payload(), "confidence": True}, "decision.confidence"),
            ({**DECISION.payload(), "actions": [{"tool": "restart"}]}, "action.target"),
            ({**DECISION.payload(), "evidence": "because"}, "decision.evidence"),
        ]:
            with self.assertRaisesRegex(Malformed, where):
                Decision.read(wrong)


class TopologyTests(unittest.TestCase):
    DEPENDENCIES = {"api": ["user", "pay"], "user": ["db"], "pay": ["db"], "db": [], "echo": []}

    def test_the_deepest_unhealthy_one_is_the_cause(self):
        self.assertEqual(
            root_causes(["api", "user", "pay", "db"], self.DEPENDENCIES), {"db": ["api", "pay", "user"]})
        self.assertEqual(root_causes(["api", "pay"], self.DEPENDENCIES), {"pay": ["api"]})

    def test_causes_that_have_nothing_to_do_with_each_other_are_several(self):
        self.assertEqual(root_causes(["user", "pay", "echo"], self.DEPENDENCIES), {"user": [], "pay": [], "echo": []})
        self.assertEqual(root_causes([], self.DEPENDENCIES), {})


if __name__ == "__main__":
    unittest.main()
