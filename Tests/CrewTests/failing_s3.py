"""Answers PUT as S3 does on a bad day. The bucket's name says how: `busy-N` fails N times for each key, `forbidden` always,
`silent` closes the connection, `garbage` answers something else. Prints its port; ends when its standard input does."""

import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

tries = Counter()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        tries[self.path] += 1
        bucket = self.path.split("/")[1]
        if bucket.startswith("busy-"):
            if tries[self.path] > int(bucket[5:]):
                self.answer(200, "")
            else:
                self.answer(503, error("SlowDown", "Please reduce your request rate."))
        elif bucket == "forbidden":
            self.answer(403, error("AccessDenied", "Access Denied"))
        elif bucket == "silent":
            self.close_connection = True
        else:
            self.answer(418, "\x00<Code>\xff")

    def do_GET(self):
        self.answer(200, str(tries[self.path]))

    def answer(self, status, text):
        body = text.encode("latin-1")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def error(code, message):
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
