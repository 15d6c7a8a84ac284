"""The formulas of bursts, cargo and docking, drawn often enough that a wrong bound shows."""

import sys
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "actors" / "missions"
sys.path[:0] = [str(PROJECT)]

from vastaya import docking, traffic  # noqa: E402

DRAWS = 3000


def bursts(rps: int, speed: str, bursty: bool = False) -> list[traffic.Burst]:
    return [traffic.burst(rps, speed, traffic.generator(speed, n), bursty) for n in range(DRAWS)]


class Bursts(unittest.TestCase):
    def check(self, speed: str, sizes: tuple[int, int], pauses: tuple[float, float]) -> None:
        drawn = bursts(100, speed)
        for values, (least, most) in ((sorted(b.size for b in drawn), sizes), (sorted(b.pause for b in drawn), pauses)):
            self.assertGreaterEqual(values[0], least)
            self.assertLessEqual(values[-1], most)
            # All of the range is used, evenly.
            self.assertLess(values[0], least + 0.03 * (most - least) + 1e-9)
            self.assertGreater(values[-1], most - 0.03 * (most - least) - 1e-9)
            self.assertAlmostEqual(sum(values) / DRAWS, (least + most) / 2, delta=0.03 * (most - least))

    def test_cruise_is_steady(self):
        self.check("cruise", (95, 105), (0.9, 1.1))

    def test_warp_comes_in_waves(self):
        self.check("warp", (175, 300), (1.2, 2.4))

    def test_chaotic_is_anything(self):
        self.check("chaotic", (35, 400), (0.35, 1.5))

    def test_a_burst_is_never_empty(self):
        self.assertEqual(min(b.size for b in bursts(1, "chaotic")), 1)

    def test_size_and_pause_are_drawn_by_themselves(self):
        drawn = bursts(100, "warp")
        mean_size, mean_pause = (sum(values) / DRAWS for values in zip(*drawn))
        together = sum((b.size - mean_size) * (b.pause - mean_pause) for b in drawn) / DRAWS
        self.assertLess(abs(together), 0.05 * 125 * 1.2)

    def test_the_rate_that_a_profile_comes_to(self):
        self.assertAlmostEqual(traffic.nominal_rate(100, "cruise"), 100)
        self.assertAlmostEqual(traffic.nominal_rate(100, "warp"), 131.9, delta=0.1)
        self.assertAlmostEqual(traffic.nominal_rate(100, "chaotic"), 235.1, delta=0.1)

    def test_a_resort_has_spikes_and_the_same_mean(self):
        sizes = [b.size for b in bursts(100, "cruise", bursty=True)]
        spikes = sum(size > 600 for size in sizes)
        self.assertAlmostEqual(spikes / DRAWS, traffic.SPIKE_CHANCE, delta=0.02)
        self.assertTrue(all(size < 40 or size > 600 for size in sizes))
        self.assertAlmostEqual(sum(sizes) / DRAWS, 100, delta=10)

    def test_the_same_tick_is_the_same_burst(self):
        self.assertEqual(bursts(7, "chaotic"), bursts(7, "chaotic"))


class Ships(unittest.TestCase):
    def test_cargo(self):
        manifests = [traffic.cargo(traffic.generator("cargo", n)) for n in range(DRAWS)]
        self.assertEqual({len(manifest) for manifest in manifests}, {2, 3, 4})
        for manifest in manifests:
            self.assertEqual(len({line["item"] for line in manifest}), len(manifest))
        lines = [line for manifest in manifests for line in manifest]
        self.assertEqual({line["quantity"] for line in lines}, set(range(1, 13)))
        self.assertEqual({(line["item"], line["unit"]) for line in lines}, set(traffic.CATALOGUE))

    def test_docking(self):
        plans = [docking.steps(traffic.generator("dock", n)) for n in range(DRAWS)]
        self.assertEqual({len(plan) for plan in plans}, {3, 4, 5, 6})
        for plan in plans:
            self.assertEqual(len({step.action for step in plan}), len(plan))
        seconds = [step.seconds for plan in plans for step in plan]
        self.assertTrue(all(0.2 <= one <= 1.5 and one == round(one, 2) for one in seconds))
        self.assertEqual({plan[0].action for plan in plans}, set(docking.STEPS))
        totals = [sum(step.seconds for step in plan) for plan in plans]
        self.assertAlmostEqual(sum(totals) / DRAWS, 3.82, delta=0.1)
        self.assertAlmostEqual(sum(total > 5 for total in totals) / DRAWS, 0.186, delta=0.025)

    def test_a_late_ship_is_told_before_which_step(self):
        planned = [docking.Step("align bay doors", 1.0), docking.Step("sign customs ledger", 1.0)]
        self.assertIsNone(docking.missed(100.0, 99.9, 1, planned))
        self.assertEqual(
            docking.missed(100.0, 102.5, 1, planned),
            "the deadline passed 2.5 s before 'sign customs ledger', 1 of 2 steps done")

    def test_chaos(self):
        struck = sum(docking.chaos_strikes(0.18, traffic.generator("chaos", n, 1)) for n in range(DRAWS))
        self.assertAlmostEqual(struck / DRAWS, 0.18, delta=0.025)
        self.assertFalse(any(docking.chaos_strikes(0, traffic.generator(n)) for n in range(DRAWS)))
        self.assertTrue(all(docking.chaos_strikes(1, traffic.generator(n)) for n in range(DRAWS)))

    def test_wormholes_split_as_they_are_unstable_and_always_the_same_way(self):
        docks = [f"m/{n}/0" for n in range(DRAWS)]
        for instability in (0, 20, 100):
            through = [traffic.takes_wormhole(dock, instability) for dock in docks]
            self.assertAlmostEqual(sum(through) / DRAWS, instability / 100, delta=0.025 if instability == 20 else 0)
            self.assertEqual(through, [traffic.takes_wormhole(dock, instability) for dock in docks])


if __name__ == "__main__":
    unittest.main()
