"""The detector on numbers with fixed seeds: quiet in an hour of noise, and awake when something happens."""

import json
import random
import sys
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "actors"), str(Path(__file__).parent)]

from world_shop import use_scikit_learn  # noqa: E402

use_scikit_learn()

from shop.detection.detector import Parameters, Vector, Watch, p95  # noqa: E402

POLLS_AN_HOUR = 720
SEEDS = range(3)
# The original's dashboard: what each failure does to failure ratio, p95 and cpu, at intensity i (0...1).
FAULTS = {
    "error": lambda i: Vector(0.05 + 0.95 * i, 0.3 + 1.2 * i, 0, 0.02 + 0.1 * i),
    "timeout": lambda i: Vector(0.01 + 0.2 * i, 1.5 + 8 * i, 0, 0.02 + 0.05 * i),
    "cpu": lambda i: Vector(0.01 + 0.15 * i, 0.2 + 2.5 * i, 0, 0.3 + 0.7 * i),
    "crash": lambda i: Vector(0.8 + 0.2 * i, 5 + 5 * i, 0, 0),
    "bad_data": lambda i: Vector(0.1 + 0.4 * i, 0.2 + 0.8 * i, 0, 0.02 + 0.08 * i),
}
# Its first page suggests 2; all of it; and in between.
INTENSITIES = [0.02, 0.3, 1.0]


def steady(chance: random.Random) -> Vector:
    """A service that nothing is wrong with, as noisy as the original's [0.001, 0.05, 0.01] is."""
    return Vector(
        max(0, chance.gauss(0.001, 0.001)), max(0, chance.gauss(0.05, 0.015)), 0, max(0, chance.gauss(0.01, 0.003)))


def rough(chance: random.Random) -> Vector:
    """One whose noise is wider than any floor of the detector's: here the votes alone decide."""
    return Vector(
        max(0, chance.gauss(0.06, 0.02)), max(0, chance.gauss(0.4, 0.1)), max(0, chance.gauss(3, 1)),
        max(0, chance.gauss(0.4, 0.1)))


class Quiet(unittest.TestCase):
    def hour(self, vectors) -> tuple[int, int]:
        """Incidents, and polls that were odd by themselves."""
        watch, opened, odd = Watch(), 0, 0
        for poll in range(POLLS_AN_HOUR):
            condition, judgement = watch.observe(next(vectors), poll * 5)
            opened += condition == "open"
            odd += judgement.is_odd
        return opened, odd

    def test_at_most_one_false_alarm_in_an_hour(self):
        for noise in (steady, rough):
            for seed in SEEDS:
                chance = random.Random(seed)
                opened, odd = self.hour(noise(chance) for _ in iter(int, 1))
                with self.subTest(noise=noise.__name__, seed=seed, odd=odd):
                    self.assertLessEqual(opened, 1)
                    if noise is rough:  # else nothing was shown
                        self.assertGreater(odd, 10)

    def test_what_becomes_better_is_no_incident(self):
        watch, chance = Watch(), random.Random(1)
        for poll in range(60):
            watch.observe(rough(chance), poll * 5)
        for poll in range(60, 120):
            self.assertNotEqual(watch.observe(Vector(0, 0.05, 0, 0.02), poll * 5)[0], "open")


class Awake(unittest.TestCase):
    def caught(self, fault, noise, seed: int, before: int = 60) -> int:
        """Polls from the fault's beginning to the incident."""
        watch, chance = Watch(), random.Random(seed)
        for poll in range(before):
            watch.observe(noise(chance), poll * 5)
        for poll in range(1, 100):
            jitter = Vector(*(value * chance.uniform(0.95, 1.05) for value in fault))
            if watch.observe(jitter, (before + poll) * 5)[0] == "open":
                return poll
        return 100

    def test_each_failure_is_caught_within_six_polls(self):
        for name, fault in FAULTS.items():
            for intensity in INTENSITIES:
                for seed in SEEDS:
                    with self.subTest(fault=name, intensity=intensity, seed=seed):
                        self.assertLessEqual(self.caught(fault(intensity), steady, seed), 6)

    def test_failures_of_a_service_that_never_failed(self):
        """Of a feature that never varied a forest knows nothing."""
        def flawless(chance):
            return Vector(0, max(0, chance.gauss(0.05, 0.015)), 0, 0)
        self.assertLessEqual(self.caught(Vector(1, 0.05, 0, 0), flawless, 1), 6)

    def test_also_right_after_it_has_learnt_enough(self):
        """The original took its own incident for usual then."""
        first = Parameters().least_samples + Parameters().polls
        self.assertLessEqual(self.caught(FAULTS["error"](0.3), steady, 1, before=first), 6)

    def test_a_lasting_outage_never_becomes_usual(self):
        watch, chance = Watch(), random.Random(3)
        for poll in range(60):
            watch.observe(steady(chance), poll * 5)
        conditions = [watch.observe(FAULTS["error"](0.5), poll * 5)[0] for poll in range(60, 60 + POLLS_AN_HOUR)]
        self.assertEqual((conditions.count("open"), conditions.count("close")), (1, 0))
        self.assertTrue(all(vector.failure_ratio < 0.1 for vector in watch.baseline))
        conditions = [watch.observe(steady(chance), poll * 5)[0] for poll in range(800, 830)]
        self.assertEqual(conditions.count("close"), 1)

    def test_what_comes_right_behind_an_incident_is_one_of_its_own(self):
        watch, chance = Watch(), random.Random(4)
        for poll in range(60):
            watch.observe(steady(chance), poll * 5)
        broken = FAULTS["error"](0.5)
        conditions = [watch.observe(broken, (60 + poll) * 5)[0] for poll in range(6)]
        self.assertEqual(conditions.count("open"), 1)
        for poll in range(3):  # as many as the operator waits for
            watch.observe(steady(chance), (66 + poll) * 5)
        self.assertTrue(watch.is_open)
        watch.settle(69 * 5)
        conditions = [watch.observe(broken, (69 + poll) * 5)[0] for poll in range(12)]
        self.assertEqual(conditions.count("open"), 1)

    def test_what_was_kept_goes_on_as_if_nothing_had_happened(self):
        one, other, chance = Watch(), Watch(), random.Random(5)
        for poll in range(80):
            vector = FAULTS["timeout"](0.1) if poll >= 70 else steady(chance)
            other = Watch.read(json.loads(json.dumps(other.payload())))
            self.assertEqual(one.observe(vector, poll * 5)[0], other.observe(vector, poll * 5)[0], poll)

    def test_p95_is_a_value_that_was_measured(self):
        self.assertEqual(p95([]), 0)
        self.assertEqual(p95([7]), 7)
        self.assertEqual(p95(list(range(1, 101))), 95)


if __name__ == "__main__":
    unittest.main()
