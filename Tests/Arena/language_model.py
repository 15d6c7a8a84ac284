"""The other side of the wire: a server of the OpenAI-compatible chat API, which answers as it is told to, well or not."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LanguageModel:
    """`answers`: of the next requests, in order; the last one stands. Each is a plan, a text, a status, or seconds of silence."""

    def __init__(self) -> None:
        self.answers: list[object] = [500]
        self.asked = 0
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                model.asked += 1
                answer = model.answers.pop(0) if len(model.answers) > 1 else model.answers[0]
                status, body = 200, b"{}"
                if isinstance(answer, float):
                    time.sleep(answer)
                elif isinstance(answer, int):
                    status = answer
                else:
                    text = answer if isinstance(answer, str) else json.dumps(answer)
                    body = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # nobody waits any more

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self) -> "LanguageModel":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def plan(tool: str, target: str, confidence: float = 0.9) -> dict:
    return {
        "root_cause": f"the model says: {target}", "confidence": confidence, "evidence": ["its probe"],
        "actions": [{"id": "a", "tool": tool, "target": target, "depends_on": []}]}
