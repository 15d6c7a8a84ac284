"""`troupe run-handler` and `troupe doctor`, as somebody with a project would call them."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = REPOSITORY / ".build" / "debug"


class Commands(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.troupe("init", "reading", cwd=folder.name)
        self.project = Path(folder.name) / "reading"

    def troupe(self, *arguments: str, cwd=None, code: int = 0, settings: dict = {}, stdin: str = "") -> tuple:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("TROUPE_", "ASYA_"))}
        ended = subprocess.run(
            [PROGRAMS / "troupe", *arguments], cwd=cwd or self.project, env={**environment, **settings}, input=stdin,
            capture_output=True, text=True, timeout=60)
        self.assertEqual(ended.returncode, code, ended.stdout + ended.stderr)
        return ended.stdout, ended.stderr

    # run-handler

    def test_an_actor_of_the_project_is_called(self) -> None:
        output, errors = self.troupe("run-handler", "read", "--payload", '{"path": "README.md"}')
        self.assertEqual(json.loads(output)["title"], "A first pipeline")
        self.assertEqual(errors, "")

    def test_a_function_is_called_by_its_file_or_its_module_with_a_file_or_standard_input(self) -> None:
        (self.project / "request.json").write_text('{"text": "a b c"}')
        for handler, payload in (
                ("handlers/measure.py:process", "request.json"), ("handlers.measure.process", "-")):
            output, _ = self.troupe("run-handler", handler, "--payload", payload, stdin='{"text": "a b c"}')
            self.assertEqual(json.loads(output), {"words": 3, "minutes": 0.0})

    def test_without_a_project_too(self) -> None:
        folder = self.project / "elsewhere"
        folder.mkdir()
        (folder / "double.py").write_text("def process(payload):\n    yield payload\n    yield payload\n")
        output, _ = self.troupe("run-handler", "double.py:process", "--payload", "7", cwd=folder)
        self.assertEqual(output, "7\n7\n")

    def test_what_a_handler_tells_goes_to_standard_error(self) -> None:
        (self.project / "handlers" / "read.py").write_text(
            "def process(payload, context):\n    print('printed')\n    context.log('told')\n    return None\n")
        output, errors = self.troupe("run-handler", "read", "--payload", "1")
        self.assertEqual(output.strip(), "null" if output else "")
        self.assertIn("printed", errors)
        self.assertIn("told", errors)

    def test_a_handler_in_swift_is_a_program(self) -> None:
        section = {
            "document": "d", "section": 0, "sections": 1, "title": "t", "text": "A text about dogs. Dogs bark.",
            "keywords": [{"term": "dogs", "score": 1}]}
        output, errors = self.troupe(
            "run-handler", "--payload", json.dumps(section), "--command", str(PROGRAMS / "summary"))
        self.assertIn("dogs", json.loads(output)["extract"])
        self.assertIn("info: 1 of 1 sentences of", errors)

    def test_an_envelope_handler_gets_headers_and_returns_its_envelope(self) -> None:
        (self.project / "handlers" / "read.py").write_text(
            "def process(envelope):\n    envelope['payload'] = envelope['headers']\n"
            "    envelope['route']['current'] += 1\n    return envelope\n")
        output, _ = self.troupe(
            "run-handler", "read", "--envelope-mode", "--payload", "1", "--header", "tenant=t1", "--header", "n=5")
        self.assertEqual(json.loads(output)["payload"], {"tenant": "t1", "n": 5})
        self.assertEqual(json.loads(output)["route"]["current"], 1)

    def test_a_failure_is_told_with_its_traceback_once(self) -> None:
        output, errors = self.troupe("run-handler", "read", "--payload", '{"path": "nowhere"}', code=1)
        self.assertEqual(output, "")
        self.assertEqual(errors.count("Traceback"), 1)
        self.assertTrue(errors.strip().splitlines()[-1].startswith("troupe: FileNotFoundError"), errors)

    def test_mistakes_are_told(self) -> None:
        _, errors = self.troupe("run-handler", "reed", "--payload", "1", code=66)
        self.assertIn("the project's actors are: read, summarise, measure", errors)
        self.troupe("run-handler", "read", "--payload", "{", code=65)
        self.troupe("run-handler", "--payload", "1", code=64)
        (self.project / "handlers" / "read.py").write_text("def process(payload):\n    return {\n")
        _, errors = self.troupe("run-handler", "read", "--payload", "1", code=1)
        self.assertIn("SyntaxError", errors)
        (self.project / "handlers" / "read.py").write_text("import os\ndef process(payload):\n    os._exit(3)\n")
        _, errors = self.troupe("run-handler", "read", "--payload", "1", code=1)
        self.assertIn("exit code 3", errors)
        (self.project / "handlers" / "read.py").write_text(
            "import time\ndef process(payload):\n    time.sleep(60)\n")
        _, errors = self.troupe("run-handler", "read", "--payload", "1", "--timeout", "1s", code=1)
        self.assertIn("no answer within 1 s", errors.replace("1s", "1 s"))

    # doctor

    def examine(self, code: int = 0, **settings: str) -> list:
        # A port that nobody listens on.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            gateway = "http://127.0.0.1:%d" % probe.getsockname()[1]
        output, _ = self.troupe("doctor", "--output", "json", "--gateway", gateway, code=code, settings=settings)
        return [json.loads(line) for line in output.splitlines()]

    @staticmethod
    def states(findings: list) -> dict:
        return {finding["part"]: finding["state"] for finding in findings}

    def test_a_sound_project_has_no_problems(self) -> None:
        findings = self.examine()
        self.assertEqual(self.states(findings), {
            "project": "ok", "sockets": "ok", "python": "ok", "handler": "ok", "store": "skipped", "broker": "skipped",
            "database": "skipped", "gateway": "skipped"})
        self.assertEqual(len([one for one in findings if one["part"] == "handler"]), 3)
        for finding in findings:
            self.assertTrue(finding["state"] == "ok" or finding["advice"], finding)

    def test_a_handler_that_does_not_start_is_shown_with_its_words(self) -> None:
        (self.project / "handlers" / "measure.py").write_text("import nothing_of_that_name\ndef process(p): return p\n")
        findings = self.examine(code=1)
        bad = [finding["text"] for finding in findings if finding["state"] == "problem"]
        self.assertEqual(len(bad), 1)
        self.assertIn("measure: does not start", bad[0])
        self.assertIn("nothing_of_that_name", bad[0])

    def test_mistakes_in_the_file_stand_with_their_places(self) -> None:
        file = self.project / "troupe.yaml"
        file.write_text(file.read_text().replace("routes:", "rutes:"))
        findings = self.examine(code=1)
        self.assertIn("troupe.yaml:", findings[0]["text"])
        self.assertIn("did you mean 'routes'", findings[0]["text"])

    def test_servers_that_are_away_are_told_with_their_settings(self) -> None:
        findings = self.examine(
            code=1, TROUPE_RABBITMQ_URL="amqp://127.0.0.1:1", TROUPE_DATABASE_URL="postgres://127.0.0.1:1/x")
        states = self.states(findings)
        self.assertEqual((states["broker"], states["database"]), ("problem", "problem"))
        self.assertIn("TROUPE_DATABASE_URL", next(one["text"] for one in findings if one["part"] == "database"))

    def test_a_store_that_is_none(self) -> None:
        (self.project / ".troupe").mkdir()
        (self.project / ".troupe" / "troupe.db").write_text("a letter" * 1000)
        findings = self.examine(code=1)
        self.assertEqual(self.states(findings)["store"], "problem")
        shutil.rmtree(self.project / ".troupe")

    def test_for_people_it_ends_with_a_sum(self) -> None:
        output, _ = self.troupe("doctor", "--gateway", "http://127.0.0.1:1")
        self.assertTrue(output.endswith("\nno problems\n"), output)
        self.assertNotIn("\x1b", output)


if __name__ == "__main__":
    unittest.main()
