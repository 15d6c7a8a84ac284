#!/usr/bin/env python3
"""A collector for tests: keeps what it is sent (OTLP over HTTP), and misbehaves where the endpoint's path says so.

As a program it prints its port and ends when its standard input does. `GET /requests` shows what has come.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Collector:
    def __init__(self):
        self.requests = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"collector": self}))
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def spans(self):
        """All of them, each with its resource's attributes under `resource`."""
        with self.lock:
            bodies = [json.loads(request["body"]) for request in self.requests if request["path"] == "/v1/traces"]
        return [
            {**span, "resource": attributes(resource["resource"])}
            for body in bodies for resource in body["resourceSpans"] for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    collector: Collector

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.collector.lock:
            before = sum(request["path"] == self.path for request in self.collector.requests)
            self.collector.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})
        kind, _, number = self.path.strip("/").removesuffix("/v1/traces").partition("/")
        if kind == "hang":
            time.sleep(3600)
        if kind == "busy" and before < int(number):  # so often
            return self.answer(503, {}, {"Retry-After": "0"})
        if kind == "refuse":
            return self.answer(400, {"message": "no"})
        if kind == "partial":
            return self.answer(200, {"partialSuccess": {"rejectedSpans": number, "errorMessage": "too old"}})
        return self.answer(200, {})

    def do_GET(self):
        with self.collector.lock:
            self.answer(200, self.collector.requests)

    def answer(self, status, body, headers={}):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def attributes(owner):
    values = {}
    for attribute in owner.get("attributes", []):
        ((kind, value),) = attribute["value"].items()
        values[attribute["key"]] = int(value) if kind == "intValue" else value
    return values


if __name__ == "__main__":
    print(Collector().port, flush=True)
    sys.stdin.read()
