#!/usr/bin/env python3
"""Drives a handler runtime through the conformance table (cases.json), and checks how it starts, waits and stops.

    conformance.py --name python -- python3 actors/runtime/troupe_runtime.py
    conformance.py --name swift -- .build/release/conformance-handlers

The command is started once for each distinct (handler, mode, validation, settings) of the table, with a socket folder
of its own; TROUPE_HANDLER is handlers.<name> (see handlers.py). Standard library only. Exit code 0: all passed.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from decimal import Decimal

HERE = os.path.dirname(os.path.abspath(__file__))
# Generous: a test machine may be busy. Nothing waits this long unless it is broken.
PATIENCE = 20


# ---------------------------------------------------------------- A runtime as a child


class Runtime:
    """A runtime in a socket folder of its own. Use as a context manager: it is ready inside, and stopped afterwards."""

    def __init__(self, command, handler="echo", prefix="handlers.", **settings):
        self.command = command
        self.folder = tempfile.mkdtemp(prefix="troupe-")  # short: a socket path has at most 107 characters
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("TROUPE_", "ASYA_"))}
        self.environment["PYTHONPATH"] = os.pathsep.join(filter(None, [HERE, os.environ.get("PYTHONPATH")]))
        self.environment["TROUPE_HANDLER"] = prefix + handler
        self.move_socket(self.folder)
        for name, value in settings.items():
            self.environment.pop(name, None)
            if value is not None:
                self.environment[name] = value
        self.process = None

    def move_socket(self, folder):
        self.environment["TROUPE_SOCKET_DIR"] = folder
        self.socket_path = os.path.join(folder, "runtime.sock")
        self.ready_path = os.path.join(folder, "runtime-ready")

    def __enter__(self):
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        # A file, not a pipe: a runtime that prints much must not wait for us.
        with open(os.path.join(self.folder, "output"), "wb") as output:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def wait_ready(self):
        until(lambda: os.path.exists(self.ready_path) or self.process.poll() is not None, "the readiness file")
        if self.process.poll() is not None:
            raise AssertionError("the runtime ended with exit code %d:\n%s" % (self.process.returncode, self.output()))

    def output(self):
        with open(os.path.join(self.folder, "output"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def connect(self, takes_events=False):
        return Connection(self.socket_path, takes_events)

    def stop(self, number=signal.SIGTERM):
        """Sends the signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def exit_code(self):
        """The exit code of a runtime that ends by itself."""
        self.start()
        return self.process.wait(PATIENCE)


class Connection:
    def __init__(self, path, takes_events=False):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if takes_events:
            self.socket.bind("\0troupe-events-1/%016x" % random.getrandbits(64))
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()

    def send(self, data):
        # Fails when the runtime closes before it has read all: also a frame that it refuses must be taken to its end,
        # or a sidecar that writes first and reads then would never see why.
        self.socket.sendall(data)

    def call(self, body):
        """Sends the body as a frame; the body of the reply, None when the runtime closed instead."""
        self.send(frame(body))
        return self.receive()

    def call_json(self, envelope):
        return parse(self.call(json.dumps(envelope).encode()))

    def receive(self):
        header = self.read(4)
        if not header:
            return None
        (length,) = struct.unpack(">I", header)
        body = self.read(length)
        assert len(header) == 4 and len(body) == length, "the reply ended after %d of %d bytes" % (len(body), length)
        return body

    def read(self, count):
        data = bytearray()
        while len(data) < count:
            some = self.socket.recv(min(count - len(data), 1 << 20))
            if not some:
                break
            data += some
        return bytes(data)

    def is_closed(self):
        """Whether the runtime closes the connection without another word."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def frame(body):
    return struct.pack(">I", len(body)) + body


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited %d s for %s" % (PATIENCE, what))
        time.sleep(0.005)


def standard_envelope(payload, current=0):
    route = {"actors": ["a", "b"], "current": current}
    return {"id": "e-1", "route": route, "headers": {"trace": "t-1"}, "payload": payload}


# ---------------------------------------------------------------- The table: what is sent


def request_of(case):
    """The bytes that the case sends, length included."""
    if "frame" in case:
        return bytes.fromhex(case["frame"])
    if "oversize" in case:
        return frame(b" " * case["oversize"])
    if "hex" in case:
        return frame(bytes.fromhex(case["hex"]))
    if "text" in case:
        return frame(case["text"].encode())
    if "open_brackets" in case.get("generate", {}):
        return frame(b'{"payload":' + b"[" * case["generate"]["open_brackets"])
    if "nesting" in case.get("generate", {}):
        # json.dumps can't write what is nested this deep.
        depth = case["generate"]["nesting"] - 2  # the envelope, and the payload around the arrays
        payload = b'{"deep":' + b"[" * depth + b"]" * depth + b"}"
        return frame(json.dumps(standard_envelope("@")).encode().replace(b'"@"', payload))
    return frame(json.dumps(envelope_of(case), ensure_ascii=False).encode())


def envelope_of(case):
    if "envelope" in case:
        return case["envelope"]
    generate = case.get("generate", {})
    if "bytes" in generate:
        return standard_envelope({"text": "x" * generate["bytes"]})
    if "message" in generate:
        return standard_envelope({"message": "x" * generate["message"]})
    return standard_envelope(case["payload"])


# ---------------------------------------------------------------- The table: what must come


def complaints(expect, case, reply, language):
    """What is wrong with the reply, as sentences."""
    if reply is None:
        return ["no reply: the connection was closed"]
    if "any" in expect:
        tries = [complaints(one, case, reply, language) for one in expect["any"]]
        return [] if [] in tries else ["none of: " + "; or ".join(", ".join(t) for t in tries)]
    found = []
    if "payloads" in expect:
        found += differences([reply_item(payload) for payload in expect["payloads"]], reply)
    if "reply" in expect:
        found += differences(expect["reply"], reply)
    if expect.get("echo"):
        found += echo_complaints(case, reply)
    for text in expect.get("texts", []):
        if text.encode() not in reply:
            found.append("%r does not stand in the reply %s" % (text, shown(reply)))
    if len(reply) < expect.get("bytes", 0):
        found.append("the reply has %d bytes, fewer than %d" % (len(reply), expect["bytes"]))
    if "error" in expect:
        found += error_complaints(expect["error"], parse(reply), language)
    return found


def reply_item(payload):
    envelope = standard_envelope(payload, current=1)
    return {name: envelope[name] for name in ("payload", "route", "headers")}


def echo_complaints(case, reply):
    if "nesting" in case.get("generate", {}):
        # As text: Python's parser gives up on some of the depths that are allowed here.
        depth = case["generate"]["nesting"] - 2
        wanted = b'{"deep":' + b"[" * depth + b"]" * depth + b"}"
        return [] if wanted in reply else ["the nested payload does not stand in the reply %s" % shown(reply)]
    return differences([reply_item(envelope_of(case)["payload"])], reply)


def error_complaints(wanted, reply, language):
    if not (isinstance(reply, list) and len(reply) == 1 and isinstance(reply[0], dict) and "error" in reply[0]):
        return ["expected an array with one error, got %s" % shown(reply)]
    code, details = reply[0]["error"], reply[0].get("details", {})
    message = details.get("message")
    found = []
    if code != wanted["code"]:
        found.append("expected the error %s, got %s" % (wanted["code"], code))
    if not message or not isinstance(message, str):
        found.append("details.message is missing: %s" % shown(reply))
    elif message != wanted.get("message", message):
        found.append("expected the message %r, got %r" % (wanted["message"], message))
    for text in wanted.get("contains", []):
        if text not in str(message):
            found.append("%r does not stand in the message %r" % (text, message))
    if not isinstance(details.get("type"), str):
        found.append("details.type is missing: %s" % shown(reply))
    elif details["type"] != wanted.get("type", {}).get(language, details["type"]):
        found.append("expected the type %r, got %r" % (wanted["type"][language], details["type"]))
    if language in wanted.get("traceback", []) and not details.get("traceback"):
        found.append("details.traceback is missing: %s" % shown(reply))
    return found


def differences(wanted, reply):
    got = parse(reply)
    wanted = parse(json.dumps(wanted).encode())  # so that both have the same number types
    return [] if same(wanted, got) else ["expected %s, got %s" % (shown(wanted), shown(got))]


def parse(data):
    assert data is not None, "no reply: the connection was closed"
    try:
        return json.loads(data.decode("utf-8"), parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise AssertionError("the reply is not JSON: %s: %s" % (error, shown(data)))


def same(one, other):
    """Equality that doesn't take 1 for true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def shown(value):
    if isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 400 else "%s ... %s (%d characters)" % (text[:200], text[-100:], len(text))


# ---------------------------------------------------------------- The table: driving it


class Report:
    def __init__(self, verbose):
        self.verbose = verbose
        self.passed = 0
        self.failed = []

    def add(self, name, found):
        if found:
            self.failed.append(name)
        else:
            self.passed += 1
        if found or self.verbose:
            print("%s  %s" % ("FAIL" if found else "ok  ", name))
        for complaint in found:
            print("        " + complaint.replace("\n", "\n        "))
        sys.stdout.flush()


def run_table(options, report):
    with open(os.path.join(HERE, "cases.json"), encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), "two cases have the same name"
    groups = {}
    for case in cases:
        groups.setdefault(group_of(case), []).append(case)
    for key, group in groups.items():
        run_group(options, group, json.loads(key), report)


def group_of(case):
    settings = dict(case.get("settings", {}))
    settings["TROUPE_HANDLER_MODE"] = case.get("mode", "payload")
    settings["TROUPE_ENABLE_VALIDATION"] = "true" if case.get("validation", True) else "false"
    return json.dumps([case.get("handler", "echo"), settings], sort_keys=True)


def run_group(options, cases, key, report):
    handler, settings = key
    found = {case["name"]: [] for case in cases}
    try:
        with options.runtime(handler, **settings) as runtime:
            run_on_one_connection(runtime, cases, found, options.name)
            run_on_one_each(runtime, cases, found, options.name)
            if runtime.stop() != 0:
                found[cases[-1]["name"]].append("SIGTERM afterwards: exit code %d, not 0" % runtime.process.returncode)
    except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
        found[cases[0]["name"]].append("the runtime for %s: %s" % (handler, error))
    for case in cases:
        report.add(case["name"], found[case["name"]])


def run_on_one_connection(runtime, cases, found, language):
    """All cases in a row over one connection; a new one only after a case that closes it, or one that failed."""
    connection = runtime.connect()
    for case in cases:
        wrong = run_case(connection, case, language)
        found[case["name"]] += ["kept connection: " + complaint for complaint in wrong]
        if wrong or case.get("closes"):
            connection.socket.close()
            connection = runtime.connect()
    connection.socket.close()


def run_on_one_each(runtime, cases, found, language):
    for case in cases:
        with runtime.connect() as connection:
            wrong = run_case(connection, case, language)
            found[case["name"]] += ["own connection: " + complaint for complaint in wrong]


def run_case(connection, case, language):
    try:
        connection.send(request_of(case))
        if case.get("half_close"):
            connection.socket.shutdown(socket.SHUT_WR)
        found = complaints(case["expect"], case, connection.receive(), language)
        if not found and case.get("closes") and not connection.is_closed():
            found.append("the connection should be closed now")
        return found
    except (AssertionError, OSError) as error:
        return ["%s: %s" % (type(error).__name__, error)]


# ---------------------------------------------------------------- What is no request with a reply

CHECKS = []


def check(name):
    def add(function):
        CHECKS.append((name, function))
        return function

    return add


def run_checks(options, report):
    for name, function in CHECKS:
        found = []
        try:
            function(options)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            place = traceback.extract_tb(error.__traceback__)[1]
            found.append("%s: %s (line %d: %s)" % (type(error).__name__, error, place.lineno, place.line))
        report.add(name, found)


def timed_call(runtime, milliseconds, into):
    with runtime.connect() as connection:
        into.append(connection.call_json(standard_envelope({"milliseconds": milliseconds})))


def start_call(runtime, milliseconds, into):
    thread = threading.Thread(target=timed_call, args=(runtime, milliseconds, into))
    thread.start()
    return thread


@check("the readiness file and the socket go when the runtime stops")
def readiness(options):
    with options.runtime() as runtime:
        assert stat.S_ISSOCK(os.stat(runtime.socket_path).st_mode)
        assert runtime.stop() == 0, runtime.output()
        assert not os.path.exists(runtime.ready_path), "runtime-ready is still there"
        assert not os.path.exists(runtime.socket_path), "the socket is still there"


@check("the socket folder is made when it isn't there")
def folder_is_made(options):
    runtime = options.runtime()
    runtime.move_socket(os.path.join(runtime.folder, "a", "b"))
    with runtime, runtime.connect() as connection:
        assert connection.call_json(standard_envelope(1)) == [reply_item(1)]


@check("what a killed runtime left behind is no hindrance")
def stale_files(options):
    with options.runtime() as runtime:
        runtime.process.kill()
        runtime.process.wait()
        assert os.path.exists(runtime.socket_path)
        os.utime(runtime.ready_path, (0, 0))
        runtime.start()
        until(lambda: os.path.exists(runtime.ready_path) and os.stat(runtime.ready_path).st_mtime > 0, "readiness")
        with runtime.connect() as connection:
            assert connection.call_json(standard_envelope(1)) == [reply_item(1)]


@check("a second runtime on the same socket is refused, the first one goes on")
def second_runtime(options):
    with options.runtime() as first:
        second = options.runtime()
        second.move_socket(first.folder)
        code = second.exit_code()
        assert 64 <= code <= 78, "exit code %d: %s" % (code, second.output())
        assert os.path.exists(first.ready_path), "the readiness file of the first is gone"
        with first.connect() as connection:
            assert connection.call_json(standard_envelope(1)) == [reply_item(1)]
        shutil.rmtree(second.folder)


@check("the mode of the socket: 0660 by default, or as set")
def socket_mode(options):
    umask = os.umask(0)
    os.umask(umask)
    for value, mode in ((None, 0o660), ("666", 0o666), ("0o666", 0o666), ("0600", 0o600), ("", 0o777 & ~umask)):
        with options.runtime(TROUPE_SOCKET_CHMOD=value) as runtime:
            got = stat.S_IMODE(os.stat(runtime.socket_path).st_mode)
            assert got == mode, "TROUPE_SOCKET_CHMOD=%r: expected %o, got %o" % (value, mode, got)


@check("settings are read under their ASYA_ names, TROUPE_ wins")
def asya_names(options):
    runtime = options.runtime(
        TROUPE_HANDLER=None,
        ASYA_HANDLER=options.prefix + "advance",
        TROUPE_HANDLER_MODE="envelope",
        ASYA_HANDLER_MODE="payload",
    )
    with runtime, runtime.connect() as connection:
        assert connection.call_json(standard_envelope(1)) == [standard_envelope(1, current=1)]


@check("the socket is asya-runtime.sock when its folder was set by ASYA_SOCKET_DIR")
def asya_socket(options):
    runtime = options.runtime(TROUPE_SOCKET_DIR=None)
    runtime.environment["ASYA_SOCKET_DIR"] = runtime.folder
    runtime.socket_path = os.path.join(runtime.folder, "asya-runtime.sock")
    with runtime, runtime.connect() as connection:
        assert connection.call_json(standard_envelope(1)) == [reply_item(1)]


@check("the name of the socket can be set")
def socket_name(options):
    runtime = options.runtime(TROUPE_SOCKET_NAME="other.sock")
    runtime.socket_path = os.path.join(runtime.folder, "other.sock")
    with runtime, runtime.connect() as connection:
        assert connection.call_json(standard_envelope(1)) == [reply_item(1)]


WRONG_SETTINGS = [
    ("TROUPE_HANDLER", None),
    ("TROUPE_HANDLER", ""),
    ("TROUPE_HANDLER", "handlers.no_such_handler"),
    ("TROUPE_HANDLER_MODE", "payloads"),
    ("ASYA_HANDLER_MODE", "payloads"),
    ("TROUPE_ENABLE_VALIDATION", "maybe"),
    ("TROUPE_CONCURRENCY", "0"),
    ("TROUPE_CONCURRENCY", "many"),
    ("TROUPE_SOCKET_CHMOD", "0999"),
    ("TROUPE_SOCKET_CHMOD", "rw-rw----"),
    ("TROUPE_SOCKET_NAME", "a/b.sock"),
    ("TROUPE_MAX_MESSAGE_BYTES", "-1"),
    ("TROUPE_MAX_MESSAGE_BYTES", "64MiB"),
    ("TROUPE_MAX_NESTING", "0"),
    ("TROUPE_LOG_LEVEL", "loud"),
]


@check("a wrong setting is refused: exit code 78, one sentence with its name and value")
def wrong_settings(options):
    for name, value in WRONG_SETTINGS:
        runtime = options.runtime(**{name: value})
        code, output = runtime.exit_code(), runtime.output()
        assert code == 78, "%s=%r: exit code %d: %s" % (name, value, code, output)
        assert name in output and (value or "") in output, "%s=%r: %s" % (name, value, output)
        assert len(output.strip().splitlines()) == 1, "%s=%r: more than a sentence: %s" % (name, value, output)
        assert not os.path.exists(runtime.ready_path)
        shutil.rmtree(runtime.folder)


@check("requests sent at once are answered in order")
def pipelining(options):
    with options.runtime() as runtime, runtime.connect() as connection:
        bodies = [json.dumps(standard_envelope({"n": n})).encode() for n in range(50)]
        connection.send(b"".join(map(frame, bodies)))
        for n in range(50):
            assert parse(connection.receive()) == [reply_item({"n": n})], n


@check("a request that comes byte by byte")
def byte_by_byte(options):
    with options.runtime() as runtime, runtime.connect() as connection:
        for byte in frame(json.dumps(standard_envelope("slow")).encode()):
            connection.send(bytes([byte]))
            time.sleep(0.001)
        assert parse(connection.receive()) == [reply_item("slow")]


@check("a peer that goes away, with or without its reply, does no harm")
def peer_goes_away(options):
    with options.runtime("sleep") as runtime:
        runtime.connect().socket.close()
        with runtime.connect() as connection:
            connection.send(b"\0\0")
        with runtime.connect() as connection:
            connection.send(frame(json.dumps(standard_envelope({"milliseconds": 100})).encode()))
        with runtime.connect() as connection:
            assert connection.call_json(standard_envelope({"milliseconds": 0})) == [reply_item({"milliseconds": 0})]


def wait_request(milliseconds):
    return frame(json.dumps(standard_envelope({"milliseconds": milliseconds})).encode())


def until_said(runtime, *words):
    """Waits until the handler `wait` has said these words, and no others."""
    until(lambda: said(runtime) == list(words), "the handler to say %s; it said %s" % (words, said(runtime)))


def said(runtime):
    return [line for line in runtime.output().splitlines() if line in ("began", "cancelled", "ended")]


@check("a call whose peer goes away is cancelled, and the next one is served")
def cancelled_call(options):
    with options.runtime("wait") as runtime:
        with runtime.connect() as connection:
            connection.send(wait_request(60000))
            until_said(runtime, "began")
        until_said(runtime, "began", "cancelled")
        with runtime.connect() as connection:
            assert connection.call_json(standard_envelope({"milliseconds": 1})) == [reply_item({"milliseconds": 1})]
        assert runtime.stop() == 0, runtime.output()


@check("bytes behind a request are no cancellation, the end of the connection behind them is")
def bytes_behind_a_request(options):
    for behind in (b"\0", wait_request(60000)):
        with options.runtime("wait") as runtime:
            with runtime.connect() as connection:
                connection.send(wait_request(300) + behind)
                assert parse(connection.receive()) == [reply_item({"milliseconds": 300})]
            with runtime.connect() as connection:
                connection.send(wait_request(60000) + behind)
                until(lambda: said(runtime)[-1] == "began", "the second call")
            until(lambda: said(runtime)[-1] == "cancelled", "its cancellation")


@check("a peer that only sends no more still gets its reply")
def closed_for_sending(options):
    with options.runtime("wait") as runtime, runtime.connect() as connection:
        connection.send(wait_request(300))
        connection.socket.shutdown(socket.SHUT_WR)
        assert parse(connection.receive()) == [reply_item({"milliseconds": 300})]
        until_said(runtime, "began", "ended")


@check("a call whose peer has gone before its turn is not begun")
def cancelled_before_its_turn(options):
    with options.runtime("wait") as runtime:
        with runtime.connect() as connection:
            connection.send(wait_request(60000))
            until_said(runtime, "began")
            with runtime.connect() as late:
                late.send(wait_request(60000))
        with runtime.connect() as connection:
            assert connection.call_json(standard_envelope({"milliseconds": 1})) == [reply_item({"milliseconds": 1})]
        until_said(runtime, "began", "cancelled", "began", "ended")


def emitted(connection, tokens, tasks):
    """Calls the handler `emit`: what it has emitted, and its reply."""
    connection.send(frame(json.dumps(standard_envelope({"tokens": tokens, "tasks": tasks})).encode()))
    return events_and_reply(connection)


def events_and_reply(connection):
    events = []
    while isinstance(message := parse(connection.receive()), dict):
        assert set(message) == {"event"} and set(message["event"]) == {"type", "data"}, message
        events.append((message["event"]["type"], message["event"]["data"]))
    return events, message


@check("events come before the reply, in order, where the sidecar takes them")
def events_before_the_reply(options):
    with options.runtime("emit") as runtime, runtime.connect(takes_events=True) as connection:
        for tokens in (3, 0, 2000):
            events, reply = emitted(connection, tokens, 1)
            assert reply == [reply_item({"tokens": tokens, "tasks": 1})], reply
            assert events[0] == ("log", {"level": "warning", "message": "began"}), events[0]
            assert events[1:-1] == [("token", {"task": 0, "n": n}) for n in range(tokens)], events
            assert events[-1] == ("progress", {"percent": 50, "message": "half"}), events[-1]


@check("a sidecar that has not said that it takes events gets none")
def no_events_unasked(options):
    with options.runtime("emit", TROUPE_CONCURRENCY="2") as runtime:
        with runtime.connect(takes_events=True), runtime.connect() as connection:
            assert emitted(connection, 50, 2) == ([], [reply_item({"tokens": 50, "tasks": 2})])


@check("several tasks of a handler may emit: each event is whole, and in its task's order")
def events_of_tasks(options):
    with options.runtime("emit", TROUPE_CONCURRENCY="2") as runtime:
        with runtime.connect(takes_events=True) as connection, runtime.connect(takes_events=True) as other:
            for one in (connection, other):
                one.send(frame(json.dumps(standard_envelope({"tokens": 300, "tasks": 4})).encode()))
            for one in (connection, other):
                events, reply = events_and_reply(one)
                assert reply == [reply_item({"tokens": 300, "tasks": 4})], reply
                for task in range(4):
                    numbers = [data["n"] for kind, data in events if kind == "token" and data["task"] == task]
                    assert numbers == list(range(300)), numbers


@check("a sidecar that goes away, or reads late, while events come does no harm")
def events_to_nobody(options):
    with options.runtime("emit") as runtime:
        with runtime.connect(takes_events=True) as connection:
            connection.send(frame(json.dumps(standard_envelope({"tokens": 20000, "tasks": 1})).encode()))
            connection.receive()
        with runtime.connect(takes_events=True) as connection:
            connection.send(frame(json.dumps(standard_envelope({"tokens": 10000, "tasks": 1})).encode()))
            time.sleep(1)
            events, reply = events_and_reply(connection)
            assert len(events) == 10002, len(events)
            assert reply == [reply_item({"tokens": 10000, "tasks": 1})], reply


@check("an idle connection keeps no other from being served")
def idle_connections(options):
    for concurrency in ("1", "2"):
        with options.runtime(TROUPE_CONCURRENCY=concurrency) as runtime:
            idle = [runtime.connect() for _ in range(4)]
            for connection in idle + idle[::-1]:
                assert connection.call_json(standard_envelope(1)) == [reply_item(1)]
            for connection in idle:
                connection.socket.close()


@check("TROUPE_CONCURRENCY=2: two calls run at once")
def two_at_once(options):
    # Both connections are kept open and idle first: each must have a worker of its own.
    with options.runtime("sleep", TROUPE_CONCURRENCY="2") as runtime:
        for _ in range(3):
            with runtime.connect() as one, runtime.connect() as other:
                for connection in (one, other):
                    connection.call_json(standard_envelope({"milliseconds": 0}))
                began = time.monotonic()
                for connection in (one, other):
                    connection.send(frame(json.dumps(standard_envelope({"milliseconds": 600})).encode()))
                for connection in (one, other):
                    assert parse(connection.receive()) == [reply_item({"milliseconds": 600})]
                took = time.monotonic() - began
                assert took < 1.1, "two calls of 0.6 s took %.1f s" % took


@check("TROUPE_CONCURRENCY=1: two calls run one after the other")
def one_at_a_time(options):
    with options.runtime("sleep") as runtime:
        replies = []
        began = time.monotonic()
        threads = [start_call(runtime, 300, replies) for _ in range(2)]
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        assert replies == [[reply_item({"milliseconds": 300})]] * 2, replies
        assert took >= 0.6, "two calls of 0.3 s took %.1f s" % took


@check("more connections than workers: all are served")
def more_connections_than_workers(options):
    with options.runtime("sleep", TROUPE_CONCURRENCY="2") as runtime:
        replies = []
        threads = [start_call(runtime, 50, replies) for _ in range(10)]
        for thread in threads:
            thread.join()
        assert replies == [[reply_item({"milliseconds": 50})]] * 10, replies


@check("SIGTERM and SIGINT while idle: exit code 0, also with a connection open")
def stop_while_idle(options):
    for concurrency in ("1", "3"):
        for number in (signal.SIGTERM, signal.SIGINT):
            with options.runtime(TROUPE_CONCURRENCY=concurrency) as runtime, runtime.connect() as connection:
                assert connection.call_json(standard_envelope(1)) == [reply_item(1)]
                assert runtime.stop(number) == 0, runtime.output()
                assert connection.is_closed()


@check("SIGTERM while a call runs: it ends, its reply is sent, exit code 0")
def stop_while_running(options):
    for concurrency in ("1", "2"):
        with options.runtime("sleep", TROUPE_CONCURRENCY=concurrency) as runtime, runtime.connect() as connection:
            # The first call shows that the connection is taken; only then is the second surely running.
            connection.call_json(standard_envelope({"milliseconds": 0}))
            connection.send(frame(json.dumps(standard_envelope({"milliseconds": 700})).encode()))
            time.sleep(0.3)
            runtime.process.send_signal(signal.SIGTERM)
            assert parse(connection.receive()) == [reply_item({"milliseconds": 700})]
            assert connection.is_closed()
            assert runtime.process.wait(PATIENCE) == 0, runtime.output()


@check("SIGTERM while a call runs: no new connection is taken")
def stop_takes_no_more(options):
    with options.runtime("sleep", TROUPE_CONCURRENCY="2") as runtime, runtime.connect() as connection:
        connection.call_json(standard_envelope({"milliseconds": 0}))
        connection.send(frame(json.dumps(standard_envelope({"milliseconds": 1500})).encode()))
        time.sleep(0.3)
        runtime.process.send_signal(signal.SIGTERM)
        until(lambda: not os.path.exists(runtime.ready_path), "the readiness file to go")
        assert runtime.process.poll() is None, "the call should still run"
        try:
            with runtime.connect() as late:
                assert late.call(json.dumps(standard_envelope({"milliseconds": 0})).encode()) is None
        except OSError:
            pass
        assert parse(connection.receive()) == [reply_item({"milliseconds": 1500})]


# ---------------------------------------------------------------- Start


class Options:
    def __init__(self, arguments):
        self.name = arguments.name
        self.command = arguments.command
        self.prefix = arguments.prefix

    def runtime(self, handler="echo", **settings):
        return Runtime(self.command, handler, self.prefix, **settings)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="the language of the runtime, as in the table: python or swift")
    parser.add_argument("--prefix", default="handlers.", help="what stands before a handler's name in TROUPE_HANDLER")
    parser.add_argument("--quiet", action="store_true", help="show failures only")
    parser.add_argument("command", nargs="+", help="what starts the runtime")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    options = Options(arguments)
    report = Report(verbose=not arguments.quiet)
    run_table(options, report)
    run_checks(options, report)
    for name in report.failed:
        print("failed: " + name)
    print("%d passed, %d failed" % (report.passed, len(report.failed)))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
