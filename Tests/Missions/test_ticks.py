"""Ticks, and what is made of copies of them: thousands of bad days around the real decision, from seeds."""

import heapq
import random
import sys
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "actors" / "missions"
sys.path[:0] = [str(PROJECT)]

from vastaya import ticks  # noqa: E402

DAYS = 400
PAUSE = 1.0


class Decisions(unittest.TestCase):
    def test_the_next_tick_goes(self):
        self.assertEqual(ticks.decide(1, 0, 0, 0, 100), ticks.Go(1, claims=True))
        self.assertEqual(ticks.decide(8, 3, 7, 99, 100), ticks.Go(8, claims=True))

    def test_one_that_was_claimed_stands_by_first(self):
        self.assertEqual(ticks.decide(7, 0, 7, 10, 1000), ticks.StandBy(7, 1, 6.0))

    def test_and_goes_when_nothing_has_come_of_it(self):
        self.assertEqual(ticks.decide(7, 1, 7, 994, 1000), ticks.Go(7, claims=False))
        self.assertEqual(ticks.decide(7, 1, 7, 997, 1000), ticks.StandBy(7, 2, 12.0))

    def test_an_old_copy_waits_ever_longer_for_the_one_that_flies(self):
        self.assertEqual(ticks.decide(3, 1, 9, 0, 1000), ticks.StandBy(9, 2, 12.0))
        self.assertEqual(ticks.decide(9, 9, 40, 0, 1000).seconds, ticks.LONGEST_WATCH)

    def test_the_clock_of_a_mission_does_not_drift(self):
        self.assertEqual(ticks.pause(100.0, 1.0, 100.3), (101.0, 0.7000000000000028))
        # Late, but caught up with at once; far behind: afresh.
        self.assertEqual(ticks.pause(100.0, 1.0, 101.5), (101.0, 0.05))
        self.assertEqual(ticks.pause(100.0, 1.0, 160.0), (161.0, 1.0))


class BadDays(unittest.TestCase):
    """A broker that doubles and delays, and handlers that die before or after they claim."""

    def test_no_tick_is_lost_and_none_counts_twice(self):
        for seed in range(DAYS):
            with self.subTest(seed=seed):
                day = Day(seed)
                day.play(until=300)
                self.assertEqual(day.offered, list(range(1, day.claimed + 1)))
                self.assertGreater(day.claimed, 150 if day.trouble < 0.02 else 15)
                self.assertEqual(day.docked, set(day.offered) - day.on_their_way())
                # Copies sleep: they don't make a second stream.
                self.assertLess(day.sent, day.claimed * (1 + 3 * day.trouble) + 5)


class Day:
    def __init__(self, seed: int):
        self.chance = random.Random(seed)
        self.trouble = self.chance.choice([0.0, 0.01, 0.05, 0.2])
        self.queue: list[tuple[float, int, dict]] = [(0.0, 0, {"tick": 1, "looks": 0, "due": 0.0})]
        self.number = 0
        self.claimed, self.claimed_at = 0, 0.0
        self.offered: list[int] = []
        self.docked: set[int] = set()
        self.sent = 0

    def put(self, at: float, tick: dict) -> None:
        self.number += 1
        heapq.heappush(self.queue, (at, self.number, tick))

    def happens(self) -> bool:
        return self.chance.random() < self.trouble

    def play(self, until: float) -> None:
        while self.queue and self.queue[0][0] < until:
            now, _, tick = heapq.heappop(self.queue)
            now += self.chance.uniform(0, 0.2)
            if self.happens():  # dies before anything
                self.put(now + self.chance.uniform(0.1, 2), tick)
                continue
            decision = ticks.decide(tick["tick"], tick["looks"], self.claimed, self.claimed_at, now)
            if isinstance(decision, ticks.StandBy):
                self.put(now + decision.seconds, {**tick, "tick": decision.tick, "looks": decision.looks})
                continue
            if decision.claims:
                self.claimed, self.claimed_at = decision.tick, now
                self.offered.append(decision.tick)
            if self.happens():  # dies after the claim: nothing was sent
                self.put(now + self.chance.uniform(0.1, 2), tick)
                continue
            self.docked.add(decision.tick)  # by its id: a second time counts nothing
            self.sent += 1
            due, seconds = ticks.pause(tick["due"], PAUSE, now)
            following = {"tick": decision.tick + 1, "looks": 0, "due": due}
            self.put(now + seconds, following)
            if self.happens():  # dies after the confirm: comes again, beside what it has sent
                self.put(now + self.chance.uniform(0.1, 2), tick)

    def on_their_way(self) -> set[int]:
        """Claimed at last, and its sender has died: a copy of it waits."""
        waiting = {tick["tick"] for _, _, tick in self.queue}
        return {self.claimed} & waiting if self.claimed not in self.docked else set()


if __name__ == "__main__":
    unittest.main()
