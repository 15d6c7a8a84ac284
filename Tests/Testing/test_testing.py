"""A team's own tests of its pipeline, with troupe_testing: everything real, by unittest as pytest would."""

import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "actors/testing"), str(Path(__file__).parent)]
os.environ.setdefault("TROUPE_PROGRAM", str(REPOSITORY / ".build/debug/troupe"))

import handlers_under_test as handlers  # noqa: E402
import troupe_testing  # noqa: E402
from troupe_testing import EnvelopeFailed, PipelineError, run_pipeline  # noqa: E402


class Testing(unittest.TestCase):
    def test_an_envelope_goes_through_all_of_its_route(self):
        end = run_pipeline(
            ["shout", "count"], "ada", actors={"shout": handlers.shout, "count": handlers.Counter.process})
        self.assertEqual(end.status, "succeeded")
        self.assertEqual(end.result, {"seen": 1})
        self.assertEqual([event["data"]["message"] for event in end.events], ["shouting ada"])
        # The same pipeline again: its class was built once.
        again = run_pipeline(
            ["count"], 1, actors={"shout": handlers.shout, "count": handlers.Counter.process}, headers={"tenant": "t"})
        self.assertEqual(again.result, {"seen": 2})

    def test_children_of_a_fan_out_end_with_it(self):
        words = ["w%d" % number for number in range(50)]
        end = run_pipeline(
            ["split", "shout"], " ".join(words),
            actors={"split": "handlers_under_test.split", "shout": "handlers_under_test.shout"})
        self.assertEqual(len(end.children), 49)
        self.assertEqual(sorted(one.result for one in end.all), sorted(word.upper() for word in words))

    def test_a_failure_is_the_end_and_says_why(self):
        end = run_pipeline(["refuse"], 7, actors={"refuse": handlers.refuse})
        self.assertEqual((end.status, end.payload, end.details["type"]), ("failed", 7, "ValueError"))
        self.assertIn("in refuse", end.details["traceback"])
        with self.assertRaises(EnvelopeFailed) as caught:
            end.result
        self.assertEqual(str(caught.exception), "ValueError: not 7")

    def test_what_does_not_end_is_given_up_with_its_place(self):
        begin = time.monotonic()
        with self.assertRaisesRegex(PipelineError, "not ended within 1 s, last heard of at 'sleep'"):
            run_pipeline(["sleep"], 1, actors={"sleep": handlers.sleep}, timeout=1)
        self.assertLess(time.monotonic() - begin, 30)

    def test_a_project_is_found_and_its_routes_have_names(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [os.environ["TROUPE_PROGRAM"], "init", "reading"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            project = Path(folder) / "reading"
            end = run_pipeline("digest", {"path": "README.md"}, project=project)
            self.assertGreater(end.result["words"], 100)
            with self.assertRaisesRegex(PipelineError, "no route 'digst'; there are: digest"):
                run_pipeline("digst", {}, project=project)
            # What a running `troupe dev` of the same project keeps is not touched.
            self.assertFalse((project / ".troupe").exists())

    def test_mistakes_are_told(self):
        with self.assertRaisesRegex(PipelineError, "must be a function of a module"):
            run_pipeline(["a"], 1, actors={"a": lambda payload: payload})
        with self.assertRaisesRegex(PipelineError, "(?s)does not start.*no actor name"):
            run_pipeline(["-"], 1, actors={"-": handlers.split})
        with self.assertRaisesRegex(PipelineError, "there is no '.*nowhere'"):
            run_pipeline("digest", 1, project="nowhere")
        with self.assertRaisesRegex(PipelineError, "route"):
            run_pipeline([], 1, actors={"split": handlers.split})

    @classmethod
    def tearDownClass(cls):
        running = [pipeline.process for pipeline in troupe_testing._running.values()]
        troupe_testing.stop_all()
        assert running and all(process.poll() == 0 for process in running)


if __name__ == "__main__":
    unittest.main()
