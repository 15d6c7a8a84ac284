"""The chat API's other side is a real HTTP server here, which answers as such an API does, also when it is not well."""

import json
import sys
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "actors"))

from remediation import replies  # noqa: E402
from remediation.chat import Chat, ChatBusy, ChatRefused  # noqa: E402
from remediation.model import Action, Malformed  # noqa: E402


class Server:
    """Answers with status, headers and body as they are set; keeps what it was sent."""

    def __init__(self):
        self.status, self.headers, self.body, self.pause = 200, {}, b"", 0.0
        self.requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, dict(self.headers), json.loads(body)))
                time.sleep(outer.pause)
                try:
                    self.send_response(outer.status)
                    for name, value in outer.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(outer.body)))
                    self.end_headers()
                    self.wfile.write(outer.body)
                except OSError:
                    pass  # nobody waits any more

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def says(self, text):
        self.body = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


class ChatTests(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.server.server_close)
        self.addCleanup(self.server.server.shutdown)
        self.chat = Chat(self.server.url, "small-model", "secret", timeout=0.5)

    def test_it_speaks_as_the_api_wants_it(self):
        self.server.says("hello")
        self.assertEqual(self.chat.ask("you are", "what is"), "hello")
        path, headers, body = self.server.requests[0]
        self.assertEqual((path, headers["Authorization"]), ("/v1/chat/completions", "Bearer secret"))
        self.assertEqual(
            (body["model"], body["temperature"], body["max_tokens"]), ("small-model", 0.3, 1000))
        self.assertEqual([one["role"] for one in body["messages"]], ["system", "user"])

    def test_quota_faults_and_silence_are_worth_another_attempt(self):
        for status in (429, 500, 503):
            self.server.status, self.server.headers = status, {"Retry-After": "7"}
            with self.assertRaises(ChatBusy) as caught:
                self.chat.ask("", "")
            self.assertEqual(caught.exception.retry_after, 7)
        self.server.status, self.server.pause = 200, 1.0
        with self.assertRaises(ChatBusy):
            self.chat.ask("", "")
        with self.assertRaises(ChatBusy):
            Chat("http://127.0.0.1:9/v1").ask("", "")

    def test_a_wrong_key_and_what_is_no_chat_api_are_not(self):
        for status, body in [(401, b"{}"), (404, b""), (200, b"<html>"), (200, b"{}"), (200, b'{"choices": []}'),
                             (200, b'{"choices": [{"message": {"content": null}}]}')]:
            self.server.status, self.server.body = status, body
            with self.assertRaises(ChatRefused) as caught:
                self.chat.ask("", "a question")
            self.assertNotIn("secret", str(caught.exception))

    def test_the_environment_is_checked(self):
        self.assertEqual(Chat.from_environment({}), Chat())
        with self.assertRaisesRegex(ValueError, "LLM_TIMEOUT"):
            Chat.from_environment({"LLM_TIMEOUT": "0"})


TOOLS, TARGETS = {"restart", "recover"}, {"db", "api"}
GOOD = {
    "root_cause": "db is down", "confidence": 0.9, "evidence": ["no answer"],
    "actions": [{"id": "b", "tool": "recover", "target": "api", "depends_on": ["a"]},
                {"id": "a", "tool": "restart", "target": "db", "depends_on": []}]}


class ReplyTests(unittest.TestCase):
    def test_actions_come_in_the_order_of_their_dependencies(self):
        for text in (json.dumps(GOOD), f"Sure!\n```json\n{json.dumps(GOOD)}\n```\nGood luck."):
            decision = replies.read(text, TOOLS, TARGETS)
            self.assertEqual(decision.actions, (Action("restart", "db"), Action("recover", "api")))
            self.assertEqual((decision.source, decision.confidence), ("llm", 0.9))

    def test_what_does_not_fit_says_where(self):
        def with_action(**more):
            return {**GOOD, "actions": [{"id": "a", "tool": "restart", "target": "db", **more}]}
        for reply, where in [
            ("I would restart it.", "no JSON object"), ("{,}", "no JSON"), ("{" * 100_000 + "}", "no JSON"), ([], "no JSON object"),
            ({**GOOD, "actions": []}, "1 to 5"), ({**GOOD, "actions": GOOD["actions"] * 3}, "1 to 5"),
            (with_action(tool="kubectl delete"), "'kubectl delete' is none of recover, restart"),
            (with_action(target="kube-system"), "'kube-system' is none of"), (with_action(target=None), "target"),
            (with_action(depends_on=["x"]), "depends on 'x'"), (with_action(depends_on=["a"]), "wait for each other"),
            (with_action(depends_on=[{}]), "depends_on"), ({**GOOD, "confidence": 90}, "confidence"),
            ({**GOOD, "confidence": "high"}, "confidence"), ({**GOOD, "root_cause": ""}, "root_cause"),
            ({**GOOD, "evidence": [1]}, "evidence"),
        ]:
            with self.assertRaisesRegex(Malformed, where, msg=str(reply)[:100]):
                replies.read(reply if isinstance(reply, str) else json.dumps(reply), TOOLS, TARGETS)


if __name__ == "__main__":
    unittest.main()
