"""What the benchmarks make of their measurements: a bound that is missed must be seen, by people and by programs."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "bench"), str(REPOSITORY / "deploy" / "local")]

import report  # noqa: E402
from bench import Bench  # noqa: E402
from figure import VALUE, Bound, Figure  # noqa: E402
from report import Report, Section  # noqa: E402
from statistic import figure, percentile  # noqa: E402


class FigureTests(unittest.TestCase):
    def test_a_bound_of_the_ratio(self) -> None:
        fast = Bound(0.8, at_most=False)
        self.assertIs(Figure("a", 9, "/s", "b's", 0.79, fast).met, False)
        self.assertIs(Figure("a", 9, "/s", "b's", 0.8, fast).met, True)
        cheap = Bound(3, at_most=True)
        self.assertIs(Figure("a", 1, "us", "b's", 3.0, cheap).met, True)
        self.assertIs(Figure("a", 1, "us", "b's", 3.01, cheap).met, False)

    def test_a_bound_of_the_value(self) -> None:
        small = Bound(12, at_most=True, of=VALUE)
        self.assertIs(Figure("a", 12.5, "MiB", bound=small, ratio=1).met, False)
        self.assertIs(Figure("a", 11.5, "MiB", bound=small).met, True)

    def test_none(self) -> None:
        self.assertIsNone(Figure("a", 1, "MiB").met)

    def test_a_bound_without_what_it_is_of(self) -> None:
        with self.assertRaisesRegex(ValueError, "there is none"):
            Figure("a", 1, "MiB", bound=Bound(2, at_most=True))
        with self.assertRaisesRegex(ValueError, "'ratio' or 'value'"):
            Bound(1, at_most=True, of="values")


class MedianTests(unittest.TestCase):
    def test_of_rounds(self) -> None:
        made = figure("a", [30.0, 10.0, 20.0], "us")
        self.assertEqual((made.value, made.spread, made.samples, made.ratio), (20, (10, 30), 3, None))

    def test_the_ratio_is_that_of_the_rounds(self) -> None:
        # The second round was disturbed on both sides: the ratio of the medians would say 1.5.
        made = figure("a", [10.0, 40.0, 15.0], "us", "b's", [5.0, 20.0, 10.0])
        self.assertEqual(made.ratio, 2)

    def test_rounds_without_their_other_side(self) -> None:
        with self.assertRaises(ValueError):
            figure("a", [10.0, 40.0], "us", "b's", [5.0])

    def test_percentiles(self) -> None:
        values = [float(number) for number in range(100, -1, -1)]
        self.assertEqual([percentile(values, percent) for percent in (0, 50, 99, 100)], [0, 50, 99, 100])
        self.assertEqual(percentile([1, 2], 50), 1.5)
        self.assertEqual(percentile([7], 99), 7)


class TurnsTests(unittest.TestCase):
    def bench(self, seconds: float, rounds: int = 3) -> Bench:
        return Bench(Path("/nowhere"), False, rounds, seconds)

    def test_all_rounds_where_there_is_time(self) -> None:
        bench = self.bench(60)
        self.assertEqual((list(bench.turns("x")), bench.cuts), ([1, 2, 3], []))

    def test_one_round_in_any_case_and_the_rest_is_told(self) -> None:
        bench = self.bench(-1)
        self.assertEqual((list(bench.turns("x")), bench.cuts), ([1], ["x: 1 of 3 rounds"]))


class ReportTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, *figures: Figure, quick: bool = False) -> Report:
        made = Report({"CPU": "two of them"}, quick, [Section("hop", "One hop.", figures, [], ["half of it"], 7)])
        report.write(made, self.folder, Bench(self.folder, quick, 1, 1))
        return made

    def test_for_programs(self) -> None:
        self.write(Figure("a", 9, "/s", "b's", 0.7, Bound(0.8, at_most=False), (8, 10), 3), Figure("c", 1, "us"))
        first, second = json.loads((self.folder / "report.json").read_text())
        self.assertEqual(first, {
            "figure": "a", "value": 9, "unit": "/s", "against": "b's", "ratio": 0.7,
            "bound": {"limit": 0.8, "at_most": False, "of": "ratio"}, "met": False, "spread": [8, 10], "samples": 3})
        self.assertEqual((second["met"], second["bound"], second["ratio"]), (None, None, None))

    def test_for_people(self) -> None:
        made = self.write(Figure("a", 9123, "/s", "b's", 0.7, Bound(0.8, at_most=False), (8000, 10000), 3))
        text = (self.folder / "report.md").read_text()
        self.assertIn("| a | 9,123 /s | 3, 8,000 to 10,000 | 0.70 of b's | at least 0.8 | **no** |", text)
        self.assertIn("0 of 1 are met", text)
        self.assertIn("For want of time: half of it.", text)
        self.assertIn("- CPU: two of them", text)
        self.assertEqual([figure.figure for figure in report.missed(made)], ["a"])

    def test_a_quick_run_says_so(self) -> None:
        self.write(Figure("a", 9, "/s"), quick=True)
        self.assertIn("Its figures say nothing", (self.folder / "report.md").read_text())


class CommandTests(unittest.TestCase):
    def complaint(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, REPOSITORY / "bench" / "run.py", *arguments], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        return done.stderr

    def test_bad_input(self) -> None:
        self.assertIn("there is no suite 'hops', but hop,", self.complaint("--only", "hop,hops"))
        self.assertIn("'0' is no number of rounds", self.complaint("--rounds", "0"))
        self.assertIn("--check", self.complaint("--quick", "--check"))


if __name__ == "__main__":
    unittest.main()
