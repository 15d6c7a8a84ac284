"""Lanes run at once, tell what failed, and begin nothing more then."""

import contextlib
import io
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lanes  # noqa: E402


class Lanes(unittest.TestCase):
    def play(self, *given, word: str = "") -> str:
        said = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(said):
            try:
                lanes.play(given, Path(folder), word)
            finally:
                self.said = said.getvalue()
        return self.said

    def test_lanes_are_side_by_side_each_with_its_folder(self):
        both = threading.Barrier(2, timeout=10)

        def one_waits(folder):
            (folder / "x").write_text("")
            both.wait()
            return "met"

        def other_waits(folder):
            (folder / "x").write_text("")
            both.wait()
            return ""

        said = self.play([one_waits], [other_waits])
        self.assertRegex(said, r"--- one waits: ok after 0\.\d s: met\n")
        self.assertRegex(said, r"--- other waits: ok after 0\.\d s\n")

    def test_a_failure_is_raised_and_nothing_follows(self):
        begun = []

        def fails(folder):
            raise ValueError("no")

        def follows(folder):
            begun.append(1)
            return ""

        with self.assertRaisesRegex(ValueError, "no"):
            self.play([fails, follows])
        self.assertRegex(self.said, r"--- fails: FAILED after 0\.\d s: ValueError: no")
        self.assertEqual(begun, [])

    def test_a_word_chooses(self):
        def this(folder):
            return "it"

        def another(folder):
            return ""

        self.assertEqual(self.play([this, another], word="this").count("---"), 1)


if __name__ == "__main__":
    unittest.main()
