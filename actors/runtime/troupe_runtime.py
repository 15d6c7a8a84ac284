#!/usr/bin/env python3
"""Troupe runtime for Python handlers: one file, standard library only, Python 3.7 or newer.

It runs beside a Troupe sidecar, listens on a Unix socket, and calls the handler once for each envelope:

    TROUPE_HANDLER=handler.process python3 troupe_runtime.py

A frame is a 4-byte big-endian length and that many bytes of JSON. The request is the whole envelope, the reply
a JSON array: [] (abort), [{"payload", "route", "headers"?}, ...] or [{"error", "details"}]. Before its reply go the
events that the handler emits, {"event": {"type", "data"}}, where the sidecar takes them. One connection carries any
number of request/reply pairs. Nothing but frames is ever written to the socket; the log goes to stderr.

Settings (environment; each TROUPE_X is also read as ASYA_X, TROUPE_ wins):

    TROUPE_HANDLER            required: module.function or module.Class.method. Modules are looked up in PYTHONPATH,
                              then in the current folder. A class is built once; its __init__ needs defaults.
    TROUPE_HANDLER_MODE       payload (default): the handler gets the payload, the route advances by itself.
                              envelope: the handler gets and returns whole envelopes and moves the route itself.
    TROUPE_ENABLE_VALIDATION  true (default) | false: check envelopes before, and in envelope mode after the handler
    TROUPE_CONCURRENCY        calls at the same time, default 1 (which runs in the main thread)
    TROUPE_CONCURRENCY_MODE   threads (default) | processes: each worker process loads the handler for itself and
                              is replaced when it dies
    TROUPE_SOCKET_DIR         default /var/run/troupe; the file runtime-ready appears there once calls can be made
    TROUPE_SOCKET_NAME        default runtime.sock (asya-runtime.sock when the folder came from ASYA_SOCKET_DIR)
    TROUPE_SOCKET_CHMOD       octal mode of the socket, default 0660; empty leaves what the umask gives
    TROUPE_MAX_MESSAGE_BYTES  largest request and reply, default 67108864 (64 MiB)
    TROUPE_MAX_NESTING        deepest nesting of a request, default 512
    TROUPE_CHUNK_SIZE         most bytes read at once, default 65536
    TROUPE_LOG_LEVEL          DEBUG, INFO (default), WARNING, ERROR or CRITICAL

A handler may be a function, a method, async, or a generator (what it yields is sent as a list). If it has a further
parameter named `context`, it gets a Context there: the envelope's id, parent_id, route, headers, deadline and attempt,
and whether the call was cancelled: the sidecar closes the connection when it waits no longer. The task of an async
handler is cancelled then. What the handler tells with context.emit(type, data), context.log(message, level="info")
and context.progress(percent, message=None) is seen by whoever follows the envelope, while the handler works.

Numbers: integers are exact; other numbers are 64-bit floats, as everywhere in Python. A number that no float can
hold (1e400) is refused on the way in, NaN and Infinity on the way out, so none is ever changed in silence.

Exit codes (sysexits.h): 0 stopped by SIGTERM or SIGINT, after the running calls were answered;
70 the handler's own code raised while it was loaded; 73 the socket or the readiness file can't be created;
78 a setting is wrong, or names a handler that can't be imported, found or called.
"""

from __future__ import annotations

import asyncio
import atexit
import collections
import contextlib
import copy
import datetime
import importlib
import inspect
import json
import logging
import math
import mmap
import os
import re
import select
import selectors
import signal
import socket
import stat
import struct
import sys
import threading
import time
import traceback
from typing import Any, Callable, Iterator, NamedTuple

EXIT_SOFTWARE = 70
EXIT_CANNOT_CREATE = 73
EXIT_CONFIG = 78

READY_FILE = "runtime-ready"
HEADER = struct.Struct(">I")
LARGEST_LENGTH = 0xFFFFFFFF

# A peer that stops in the middle of a frame, or doesn't read its reply, is given up after this time.
STALL_SECONDS = 30
# How long the rest of a refused frame is read and thrown away, so that the peer gets to its reply.
DRAIN_SECONDS = 5
# How long a start waits for a runtime that is still listening, for it may be about to end.
TAKEOVER_SECONDS = 2
# A worker process that has left a new connection to those that have none looks again after this time.
PATIENCE_SECONDS = 0.1
# How often an async handler's call looks for its peer where bytes that came too early hide its going.
LOOK_SECONDS = 0.1
# A reply up to this size is copied once, to send it in a single call.
SMALL_REPLY = 65536
# A sidecar that takes events has bound its end of the connection to an abstract address that begins so.
EVENTS_PEER = b"\0troupe-events-1/"
LONGEST_EVENT_TYPE = 100
LOG_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")

log = logging.getLogger("troupe.runtime")


# ---------------------------------------------------------------- Settings


class StartError(Exception):
    """The runtime can't start: one sentence for the operator, and the exit code."""

    def __init__(self, sentence: str, code: int, cause: str = ""):
        super().__init__(sentence)
        self.code = code
        self.cause = cause  # a traceback, where the handler's code is to blame


class Settings(NamedTuple):
    handler: str
    handler_setting: str  # the name under which it was set
    envelope_mode: bool
    validation: bool
    concurrency: int
    processes: bool
    socket_dir: str
    socket_name: str
    socket_mode: int | None
    max_message_bytes: int
    max_nesting: int
    chunk_size: int
    log_level: str

    @property
    def socket_path(self) -> str:
        return os.path.join(self.socket_dir, self.socket_name)

    @property
    def ready_path(self) -> str:
        return os.path.join(self.socket_dir, READY_FILE)


class Environment:
    """Reads settings; a wrong one is refused by the name under which it was set."""

    def __init__(self, variables):
        self.variables = variables

    def name(self, setting: str) -> str | None:
        """The variable that the setting comes from, None when it isn't set."""
        for name in ("TROUPE_" + setting, "ASYA_" + setting):
            if name in self.variables:
                return name
        return None

    def refuse(self, setting: str, expected: str) -> StartError:
        name = self.name(setting)
        if name is None:
            return StartError("TROUPE_%s is not set: expected %s" % (setting, expected), EXIT_CONFIG)
        return StartError("%s is %r: expected %s" % (name, self.variables[name], expected), EXIT_CONFIG)

    def text(self, setting: str, default: str, pattern: str, expected: str) -> str:
        name = self.name(setting)
        value = default if name is None else self.variables[name].strip()
        if not re.match(pattern + r"\Z", value):
            raise self.refuse(setting, expected)
        return value

    def choice(self, setting: str, default: str, choices: tuple) -> str:
        name = self.name(setting)
        value = default if name is None else self.variables[name].strip()
        for choice in choices:
            if value.lower() == choice.lower():
                return choice
        raise self.refuse(setting, "one of " + ", ".join(choices))

    def flag(self, setting: str, default: str) -> bool:
        yes, no = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
        return self.choice(setting, default, yes + no) in yes

    def number(self, setting: str, default: int, least: int, most: int) -> int:
        expected = "a whole number from %d to %d" % (least, most)
        value = int(self.text(setting, str(default), r"[0-9]{1,18}", expected))
        if not least <= value <= most:
            raise self.refuse(setting, expected)
        return value

    def file_mode(self, setting: str, default: str) -> int | None:
        expected = "an octal file mode such as 0660, or nothing to leave the mode as it is"
        value = self.text(setting, default, r"((0o)?[0-7]{1,4})?", expected)
        if not value:
            return None
        mode = int(value, 8)
        if mode > 0o777:
            raise self.refuse(setting, expected)
        return mode


def read_settings(variables) -> Settings:
    env = Environment(variables)
    original = env.name("SOCKET_DIR") == "ASYA_SOCKET_DIR"
    settings = Settings(
        handler=env.text(
            "HANDLER", "", r"[^\W\d]\w*(\.[^\W\d]\w*)+", "module.function or module.Class.method, as in handler.process"
        ),
        handler_setting=env.name("HANDLER") or "",
        envelope_mode=env.choice("HANDLER_MODE", "payload", ("payload", "envelope")) == "envelope",
        validation=env.flag("ENABLE_VALIDATION", "true"),
        concurrency=env.number("CONCURRENCY", 1, 1, 1024),
        processes=env.choice("CONCURRENCY_MODE", "threads", ("threads", "processes")) == "processes",
        socket_dir=env.text("SOCKET_DIR", "/var/run/troupe", r"[^\0]+", "a folder"),
        socket_name=env.text(
            "SOCKET_NAME", "asya-runtime.sock" if original else "runtime.sock", r"[^/\0]+", "a file name without '/'"
        ),
        socket_mode=env.file_mode("SOCKET_CHMOD", "0660"),
        max_message_bytes=env.number("MAX_MESSAGE_BYTES", 64 * 1024 * 1024, 1024, LARGEST_LENGTH),
        # Python's own JSON code gives up at about a thousand levels.
        max_nesting=env.number("MAX_NESTING", 512, 1, 900),
        chunk_size=env.number("CHUNK_SIZE", 65536, 1, 1 << 30),
        log_level=env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    )
    if settings.socket_name in (READY_FILE, ".", ".."):
        raise env.refuse("SOCKET_NAME", "a file name other than '%s'" % READY_FILE)
    return settings


# ---------------------------------------------------------------- Loading the handler


class Handler(NamedTuple):
    call: Callable
    wants_context: bool


def load_handler(settings: Settings) -> Handler:
    """Imports the module, builds the class if there is one, and checks that the result can be called."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        function = find_handler(settings.handler)
        return Handler(function, check_parameters(function))
    except StartError as error:
        sentence = "%s is '%s': %s" % (settings.handler_setting, settings.handler, error)
        raise StartError(sentence, error.code, error.cause) from None


def find_handler(path: str) -> Callable:
    target, names = import_module_of(path)
    for name in names:
        if inspect.isclass(target):
            target = build(target)
        if not hasattr(target, name):
            raise StartError("%s has no '%s'" % (described(target), name), EXIT_CONFIG)
        target = getattr(target, name)
    if inspect.isclass(target):
        raise StartError("this is a class: name its method too, as in %s.process" % path, EXIT_CONFIG)
    if not callable(target):
        raise StartError("this is %s, not a function" % described(target), EXIT_CONFIG)
    return target


def import_module_of(path: str) -> tuple:
    """The module with the longest name that is a prefix of the path, and the names that remain."""
    parts = path.split(".")
    for end in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:end])
        try:
            return importlib.import_module(name), parts[end:]
        except ImportError as error:
            # Not there: its last part may be a class. A module that it needs, and that isn't there, is another matter.
            if isinstance(error, ModuleNotFoundError) and (name + ".").startswith(str(error.name) + "."):
                continue
            raise StartError("its module '%s' can't be imported: %s" % (name, error), EXIT_CONFIG, formatted(error))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise crash("its module '%s'" % name, error)
    raise StartError("there is no module '%s' in PYTHONPATH or in %s" % (parts[0], os.getcwd()), EXIT_CONFIG)


def build(cls: type) -> Any:
    for parameter in signature_of(cls):
        collects_the_rest = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and not collects_the_rest:
            why = "%s.__init__ has the parameter '%s' without a default" % (cls.__name__, parameter.name)
            raise StartError(why, EXIT_CONFIG)
    try:
        return cls()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise crash("%s()" % cls.__name__, error)


def crash(what: str, error: BaseException) -> StartError:
    return StartError("%s raised %s" % (what, summary(error)), EXIT_SOFTWARE, formatted(error))


def check_parameters(function: Callable) -> bool:
    """Whether the handler has a `context` beside its first parameter. One that can't be called is refused."""
    parameters = signature_of(function)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    wants_context = any(p.name == "context" and p.kind in by_name for p in parameters[1:])
    keywords = {"context": None} if wants_context else {}
    try:
        inspect.Signature(parameters).bind(None, **keywords)
    except TypeError as error:
        why = "it must be callable with one argument, or with one and `context`: %s" % error
        raise StartError(why, EXIT_CONFIG) from None
    return wants_context


def signature_of(function: Callable) -> list:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        # Some functions written in C don't tell; the first call will.
        return [inspect.Parameter("payload", inspect.Parameter.POSITIONAL_ONLY, default=None)]


def described(value: Any) -> str:
    name = getattr(value, "__name__", None)
    kind = "module" if inspect.ismodule(value) else "class" if inspect.isclass(value) else type(value).__name__
    return "%s '%s'" % (kind, name) if name else "an instance of %s" % kind


# ---------------------------------------------------------------- Errors


def error_reply(code: str, error: BaseException) -> list:
    details = {"message": message_of(error), "type": type(error).__name__, "traceback": formatted(error)}
    return [{"error": code, "details": details}]


def message_of(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # an exception's own __str__ may fail
        return type(error).__name__


def summary(error: BaseException) -> str:
    return "%s: %s" % (type(error).__name__, message_of(error))


def formatted(error: BaseException) -> str:
    """The traceback, beginning at the handler's own code."""
    step = error.__traceback__
    while step is not None and is_ours(step.tb_frame.f_code.co_filename):
        step = step.tb_next
    return "".join(traceback.format_exception(type(error), error, step))


def is_ours(file: str) -> bool:
    return file in (__file__, importlib.__file__) or file.startswith("<frozen importlib")


# ---------------------------------------------------------------- Request: bytes to envelope


def refuse_constant(name: str) -> None:
    raise ValueError("'%s' is not JSON" % name)


def finite_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        shown = text if len(text) < 40 else text[:40] + "..."
        raise ValueError("the number %s is too large for a 64-bit float" % shown)
    return value


DECODER = json.JSONDecoder(parse_float=finite_float, parse_constant=refuse_constant)


def read_envelope(body: bytearray, settings: Settings) -> dict:
    """The envelope in a frame. Raises ValueError, with a message for whoever sent it."""
    envelope = decode(body, settings.max_nesting)
    if not isinstance(envelope, dict):
        raise ValueError("an envelope must be a JSON object, not %s" % json_type(envelope))
    if settings.validation:
        validate(envelope)
        envelope["route"].setdefault("current", 0)
    elif not settings.envelope_mode:
        require_payload_and_route(envelope)
    return envelope


def decode(body: bytearray, max_nesting: int) -> Any:
    if not body:
        raise ValueError("the frame is empty")
    try:
        value = DECODER.decode(body.decode("utf-8"))
    except RecursionError:
        raise ValueError(too_deep(max_nesting)) from None
    # The brackets are an upper bound of the depth: most messages need no closer look.
    if body.count(b"[") + body.count(b"{") > max_nesting and deeper_than(value, max_nesting):
        raise ValueError(too_deep(max_nesting))
    return value


def too_deep(max_nesting: int) -> str:
    return "the message is nested more than %d levels deep (TROUPE_MAX_NESTING)" % max_nesting


def deeper_than(value: Any, levels: int) -> bool:
    containers = [value]
    for _ in range(levels):
        containers = [
            child
            for container in containers
            for child in (container.values() if type(container) is dict else container)
            if type(child) is dict or type(child) is list
        ]
        if not containers:
            return False
    return True


def json_type(value: Any) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "a boolean"), ((int, float), "a number"), (str, "a string"), ((list, tuple), "an array")):
        if isinstance(value, kind):
            return name
    return "an object" if isinstance(value, dict) else "a Python " + type(value).__name__


def require_payload_and_route(envelope: dict) -> None:
    """What payload mode can't do without, also when validation is off."""
    if "payload" not in envelope:
        raise ValueError("Missing required field 'payload' in envelope")
    if "route" not in envelope:
        raise ValueError("Missing required field 'route' in envelope")
    if not isinstance(envelope["route"], dict):
        raise ValueError("Field 'route' must be a dict")
    current = envelope["route"].get("current", 0)
    if not isinstance(current, int) or isinstance(current, bool):
        raise ValueError("Field 'route.current' must be an integer")


def validate(envelope: dict) -> None:
    require_payload_and_route(envelope)
    route = envelope["route"]
    if "actors" not in route:
        raise ValueError("Missing required field 'actors' in route")
    actors = route["actors"]
    if not isinstance(actors, (list, tuple)):
        raise ValueError("Field 'route.actors' must be a list")
    if not actors:
        raise ValueError("Field 'route.actors' cannot be empty")
    for index, actor in enumerate(actors):
        if not isinstance(actor, str):
            raise ValueError("Field 'route.actors[%d]' must be a string" % index)
    current = route.get("current", 0)
    if not 0 <= current <= len(actors):
        raise ValueError("Invalid route.current=%d: out of bounds for %d actors" % (current, len(actors)))
    if "headers" in envelope and not isinstance(envelope["headers"], dict):
        raise ValueError("Field 'headers' must be a dict")
    if "id" in envelope and not isinstance(envelope["id"], str):
        raise ValueError("Field 'id' must be a string")


# ---------------------------------------------------------------- The call


class Peer:
    """The sidecar at the other end of a call. Closing the connection is its way to say that it waits no longer."""

    __slots__ = ("connection", "gone", "lock", "most", "_takes_events")

    def __init__(self, connection: socket.socket, most: int):
        self.connection = connection
        self.gone = False
        self.lock = threading.Lock()
        self.most = most  # bytes of a frame
        self._takes_events = None

    def tell(self, event: dict) -> None:
        """Sends an event, in any thread, while the call runs. Where nobody takes events it is dropped."""
        body = encode({"event": event}, self.most, "the event")
        with self.lock:
            if self.connection is None:
                raise RuntimeError("the handler's call is over: an event belongs to a call, and is emitted before its end")
            if self.gone:
                return
            try:
                if self.takes_events():
                    write_frame(self.connection, body)
            except OSError as error:
                # There may be half a frame in front of the reply: nothing more can be said here.
                log.warning("connection lost: an event can't be sent: %s", error)
                self.gone = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

    def takes_events(self) -> bool:
        if self._takes_events is None:
            name = self.connection.getpeername()
            self._takes_events = isinstance(name, bytes) and name.startswith(EVENTS_PEER)
        return self._takes_events

    def has_gone(self) -> bool:
        """May be asked by any thread, also after the call: then it says what was known at its end."""
        with self.lock:
            if not self.gone and self.connection is not None:
                self.gone = is_hung_up(self.connection)
            return self.gone

    def forget(self) -> None:
        """The call is over. What becomes of the connection is no business of threads that it has left behind."""
        with self.lock:
            self.connection = None


def is_hung_up(connection: socket.socket) -> bool:
    """Whether the peer has closed. One that only sends no more still waits; bytes that have come too early don't count."""
    poll = select.poll()
    poll.register(connection, 0)  # a hang-up is told without being asked for
    return bool(poll.poll(0))


class Context:
    """What a handler may know about its call. Copies: a change has no effect.

    For tests of handlers: Context() is that of a bare envelope, Context({"id": "1", "headers": {...}}) of another one.
    Without a sidecar it is never cancelled, and what is emitted stands in `emitted`, a list of (type, data).
    """

    __slots__ = ("id", "parent_id", "route", "headers", "attempt", "emitted", "_deadline", "_peer")

    def __init__(self, envelope: dict | None = None, peer: Peer | None = None):
        envelope = envelope or {}
        self.id = envelope.get("id")
        self.parent_id = envelope.get("parent_id")
        self.route = copy.deepcopy(envelope.get("route"))
        self.headers = copy.deepcopy(envelope.get("headers", {}))
        self.attempt = attempt_of(envelope)
        self.emitted = []
        self._deadline = envelope.get("deadline")
        self._peer = peer

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more: the call took too long, or the envelope was cancelled.

        Costs a few microseconds; any thread may ask.
        """
        return self._peer is not None and self._peer.has_gone()

    def emit(self, type: str, data: Any = None) -> None:
        """Tells whoever follows the envelope something, at once: a token, a row, any JSON.

        Returns when the sidecar has it. Any thread may emit, as long as the call runs; afterwards it is a RuntimeError.
        What can't be written as JSON, or is no type, is a TypeError or ValueError; what is more than the sidecar takes is
        left out, and the stream says so.
        """
        if not isinstance(type, str):
            raise TypeError("an event's type must be a string, not %s" % json_type(type))
        if not 1 <= len(type.encode("utf-8", "replace")) <= LONGEST_EVENT_TYPE:
            raise ValueError("an event's type must have 1 to %d bytes" % LONGEST_EVENT_TYPE)
        if self._peer is None:
            self.emitted.append((type, data))
        else:
            self._peer.tell({"type": type, "data": data})

    def log(self, message: str, level: str = "info") -> None:
        """Emits a log line, of a level as MCP has them: debug, info, notice, warning, error, critical, ..."""
        if level not in LOG_LEVELS:
            raise ValueError("%r is no level: expected one of %s" % (level, ", ".join(LOG_LEVELS)))
        self.emit("log", {"level": level, "message": str(message)})

    def progress(self, percent: float, message: str | None = None) -> None:
        """Emits how much of its work the handler has done, 0 to 100: the envelope's own progress moves with it."""
        data = {"percent": min(max(percent, 0), 100)}
        if message is not None:
            data["message"] = str(message)
        self.emit("progress", data)

    @property
    def deadline(self) -> datetime.datetime | None:
        """When the result will be of no use any more, with its time zone."""
        return parse_time(self._deadline)


def attempt_of(envelope: dict) -> int:
    """From 1: the sidecar notes those that failed in a header."""
    try:
        route = envelope["route"]
        actor = route["actors"][route.get("current", 0)]
        failed = [one["attempt"] for one in envelope["headers"]["troupe-attempts"] if one["actor"] == actor]
        return max(int(failed[-1]), 0) + 1
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # none, or nothing that a sidecar wrote
        return 1


TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:?\d\d)\Z", re.ASCII)


def parse_time(text: Any) -> datetime.datetime | None:
    """ISO 8601 with a time zone; None for what isn't that."""
    found = TIME.match(text) if isinstance(text, str) else None
    if found is None:
        return None
    date, seconds, fraction, zone = found.groups()
    microseconds = ((fraction or "") + "000000")[:6]
    zone = "+00:00" if zone in "Zz" else zone[:3] + ":" + zone[-2:]
    try:
        return datetime.datetime.fromisoformat("%sT%s.%s%s" % (date, seconds, microseconds, zone))
    except ValueError:
        return None


class Answering:
    """From the bytes of a request to the bytes of its reply. Never raises."""

    def __init__(self, settings: Settings, handler: Handler):
        self.settings = settings
        self.handler = handler

    def answer(self, body: bytearray, loop: HandlerLoop, peer: Peer) -> bytes | None:
        """None when nobody waits for the reply any more."""
        try:
            envelope = read_envelope(body, self.settings)
        except Exception as error:
            log.warning("request refused: %s", summary(error))
            return self.refusal(error)
        reply = None if peer.has_gone() else self.reply(envelope, loop, peer)
        if peer.has_gone():
            log.info("cancelled, the sidecar has closed the connection: envelope_id=%s", envelope.get("id"))
            return None
        return reply

    def reply(self, envelope: dict, loop: HandlerLoop, peer: Peer) -> bytes:
        try:
            return encode(self.process(envelope, loop, peer), self.settings.max_message_bytes)
        except BaseException as error:  # also SystemExit: a handler doesn't stop the runtime
            if not peer.has_gone():
                log.warning("handler failed: envelope_id=%s\n%s", envelope.get("id"), formatted(error).rstrip())
            return encode_error(error_reply("processing_error", error), self.settings.max_message_bytes)

    def refusal(self, error: BaseException) -> bytes:
        return encode_error(error_reply("msg_parsing_error", error), self.settings.max_message_bytes)

    def process(self, envelope: dict, loop: HandlerLoop, peer: Peer) -> list:
        if self.settings.envelope_mode:
            return self.process_envelope(envelope, loop, peer)
        return self.process_payload(envelope, loop, peer)

    def process_payload(self, envelope: dict, loop: HandlerLoop, peer: Peer) -> list:
        payloads = as_list(self.call(envelope, envelope["payload"], loop, peer))
        route = dict(envelope["route"])
        route["current"] = route.get("current", 0) + 1
        shared = {"route": route}
        if "headers" in envelope:
            shared["headers"] = envelope["headers"]
        return [dict(payload=payload, **shared) for payload in payloads]

    def process_envelope(self, envelope: dict, loop: HandlerLoop, peer: Peer) -> list:
        if not self.settings.validation:
            return as_list(self.call(envelope, envelope, loop, peer))
        # The handler may change the route in place: what was done so far is noted before the call.
        current = envelope["route"]["current"]
        done = list(envelope["route"]["actors"][: current + 1])
        results = as_list(self.call(envelope, envelope, loop, peer))
        for index, result in enumerate(results):
            try:
                validate_output(result, done)
            except ValueError as error:
                raise ValueError("Invalid output envelope[%d/%d]: %s" % (index, len(results), error)) from None
        return results

    def call(self, envelope: dict, argument: Any, loop: HandlerLoop, peer: Peer) -> Any:
        if self.handler.wants_context:
            result = self.handler.call(argument, context=Context(envelope, peer))
        else:
            result = self.handler.call(argument)
        if inspect.isawaitable(result) or inspect.isasyncgen(result):
            result = loop.run(result, peer)
        return list(result) if inspect.isgenerator(result) else result


class HandlerLoop:
    """The event loop on which one worker's async handlers run; made when first needed, kept between calls."""

    def __init__(self):
        self.loop = None

    def run(self, pending: Any, peer: Peer) -> Any:
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(self.finish(pending, peer))

    async def finish(self, pending: Any, peer: Peer) -> Any:
        watch = PeerWatch(peer, self.loop, asyncio.current_task())
        try:
            if inspect.isasyncgen(pending):
                return [item async for item in pending]
            return await pending
        finally:
            watch.end()

    def close(self) -> None:
        if self.loop is None:
            return
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True) if left else asyncio.sleep(0))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


class PeerWatch:
    """Cancels a task when the peer of its call has gone."""

    def __init__(self, peer: Peer, loop: asyncio.AbstractEventLoop, task: asyncio.Task):
        self.peer = peer
        self.loop = loop
        self.task = task
        self.timer = None
        self.begin()

    def begin(self) -> None:
        self.loop.add_reader(self.peer.connection.fileno(), self.look)

    def look(self) -> None:
        self.end()
        if self.peer.has_gone():
            self.task.cancel()
        else:
            # Bytes of the next request: they must wait, and would wake us again and again.
            self.timer = self.loop.call_later(LOOK_SECONDS, self.begin)

    def end(self) -> None:
        self.loop.remove_reader(self.peer.connection.fileno())
        if self.timer is not None:
            self.timer.cancel()


def as_list(result: Any) -> list:
    if result is None:
        return []
    return list(result) if isinstance(result, (list, tuple)) else [result]


def validate_output(result: Any, done: list) -> None:
    if not isinstance(result, dict):
        raise ValueError("an envelope must be a dict, not %s" % json_type(result))
    validate(result)
    beginning = list(result["route"]["actors"][: len(done)])
    if beginning != done:
        raise ValueError(
            "Route modification error: already-processed actors cannot be erased: "
            "the input's route begins with %s, the output's with %s" % (done, beginning)
        )


# ---------------------------------------------------------------- Reply: results to bytes

ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(value: Any, limit: int, what: str = "the handler's result") -> bytes:
    try:
        text = ENCODER.encode(value)
    except RecursionError:
        raise ValueError("%s is nested too deeply to be written as JSON" % what) from None
    except (TypeError, ValueError) as error:
        raise type(error)("%s can't be written as JSON: %s" % (what, culprit(value, error))) from None
    # What UTF-8 can't hold is a lone surrogate, which can stand in a string only: written as \ud800, as JSON does.
    body = text.encode("utf-8", "backslashreplace")
    if len(body) > limit:
        raise ValueError("%s has %d bytes, more than TROUPE_MAX_MESSAGE_BYTES (%d)" % (what, len(body), limit))
    return body


def encode_error(reply: list, limit: int) -> bytes:
    """An error must get through: where it is too large itself, without its traceback and the end of its message."""
    try:
        return encode(reply, limit)
    except Exception:
        details = reply[0]["details"]
        short = {"message": details["message"][: limit // 16], "type": details["type"], "traceback": ""}
        return encode([{"error": reply[0]["error"], "details": short}], LARGEST_LENGTH)


def culprit(whole: Any, error: Exception) -> str:
    """Where in the whole the value is that isn't JSON, as a JSON pointer."""
    seen = set()
    waiting = [("", whole)]
    while waiting:
        pointer, value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return "%s at %s (JSON has no NaN and no Infinity)" % (value, pointer)
        if isinstance(value, dict):
            children = [(str(key), child) for key, child in value.items()]
        elif isinstance(value, (list, tuple)):
            children = [(str(index), child) for index, child in enumerate(value)]
        elif value is None or isinstance(value, (str, int, float)):
            continue
        else:
            return "a value of type %s at %s" % (type(value).__name__, pointer)
        if id(value) in seen:
            continue
        seen.add(id(value))
        for key, child in reversed(children):
            waiting.append((pointer + "/" + key.replace("~", "~0").replace("/", "~1"), child))
    return message_of(error)


# ---------------------------------------------------------------- Frames


class BadFrame(ValueError):
    """What came is no frame, so where the next one begins is unknown: answered, then the connection is closed."""


def read_frame(connection: socket.socket, settings: Settings) -> bytearray | None:
    """The body of the next frame; None when the peer has closed."""
    header = bytearray(HEADER.size)
    got = fill(connection, header, HEADER.size)
    if got == 0:
        return None
    if got < HEADER.size:
        raise BadFrame("the frame ended after %d of the %d bytes of its length" % (got, HEADER.size))
    (length,) = HEADER.unpack(header)
    if length > settings.max_message_bytes:
        raise BadFrame(
            "a frame of %d bytes is larger than TROUPE_MAX_MESSAGE_BYTES (%d)" % (length, settings.max_message_bytes)
        )
    try:
        body = bytearray(length)
    except MemoryError:
        raise BadFrame("there is no memory for a frame of %d bytes" % length) from None
    got = fill(connection, body, settings.chunk_size)
    if got < length:
        raise BadFrame("the frame ended after %d of %d bytes" % (got, length))
    return body


def fill(connection: socket.socket, buffer: bytearray, chunk: int) -> int:
    """Reads until the buffer is full, or nothing more comes; how many bytes it has."""
    view = memoryview(buffer)
    got = 0
    while got < len(buffer):
        try:
            count = connection.recv_into(view[got : got + chunk])
        except BlockingIOError:
            log.warning("a peer stopped in the middle of a frame for %d s", STALL_SECONDS)
            break
        if count == 0:
            break
        got += count
    return got


def write_frame(connection: socket.socket, body: bytes) -> None:
    header = HEADER.pack(len(body))
    if len(body) <= SMALL_REPLY:
        connection.sendall(header + body)
    else:
        connection.sendall(header)
        connection.sendall(body)


def drain(connection: socket.socket) -> None:
    """Throws away what the peer is still sending: closed before that, it would see an error instead of its reply."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(1)
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end and connection.recv(1 << 20):
        pass


# ---------------------------------------------------------------- Connections and workers


class Connections:
    """The listening socket and every open connection: whichever worker is free takes the next request.

    Only one worker waits in the selector at a time, the others for the lock. A connection is out of the selector while
    it is served. The workers of one process share all of this, worker processes share the listening socket only: a
    connection stays with the process that took it. So that each process gets one, a process that has a connection
    already leaves a new one to the others for a moment (in which the end of an old one, or of a process, is noticed),
    and then until each of them has one, too.
    """

    def __init__(self, listener: socket.socket, stop_fds: tuple, seat: Seat | None = None):
        self.listener = listener
        self.stop_fds = stop_fds
        self.seat = seat  # None: there are no other processes
        self.open = set()
        self.waiting = collections.deque()  # those with a request
        self.stopping = False
        self.look_again_at = None  # when a connection was left to others
        self.lock = threading.Lock()
        self.selector = selectors.DefaultSelector()
        for source in stop_fds + (listener,):
            self.selector.register(source, selectors.EVENT_READ)

    def next(self) -> socket.socket | None:
        """The next connection with a request; None when it is time to stop and who was waiting then has been served."""
        with self.lock:
            while not self.waiting and not self.stopping:
                self.wait()
            return self.waiting.popleft() if self.waiting else None

    def wait(self) -> None:
        left = None if self.look_again_at is None else max(0, self.look_again_at - time.monotonic())
        ready = [key.fileobj for key, _ in self.selector.select(left)]
        for source in ready:
            if source in self.stop_fds:
                self.stopping = True
            elif source is self.listener:
                self.accept_or_leave()
            else:
                self.selector.unregister(source)
                self.waiting.append(source)
        if self.look_again_at is not None and time.monotonic() >= self.look_again_at:
            self.look_again_at = None
            self.selector.register(self.listener, selectors.EVENT_READ)
            if self.seat.all_are_taken():
                self.accept()

    def accept_or_leave(self) -> None:
        if self.seat is None or not self.open:
            self.accept()
        else:
            self.look_again_at = time.monotonic() + PATIENCE_SECONDS
            self.selector.unregister(self.listener)

    def accept(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return  # another worker was quicker, or the peer has gone
        connection.setblocking(True)
        # Kernel timeouts cost nothing per call; Python's own would poll before each read.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STALL_SECONDS, 0))
        self.open.add(connection)
        self.note_seat()
        self.give_back(connection)

    def give_back(self, connection: socket.socket) -> None:
        # Another worker may be waiting in the selector: epoll and kqueue notice the newcomer all the same.
        self.selector.register(connection, selectors.EVENT_READ)

    def close(self, connection: socket.socket) -> None:
        self.open.discard(connection)
        self.note_seat()
        # A process that the handler started may hold a copy: only a shutdown tells the peer for certain.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def note_seat(self) -> None:
        if self.seat is not None:
            self.seat.take(bool(self.open))

    def close_all(self) -> None:
        self.selector.close()
        for connection in list(self.open):
            self.close(connection)


class Worker:
    """Answers requests, one at a time, until it is time to stop."""

    def __init__(self, answering: Answering, connections: Connections):
        self.answering = answering
        self.connections = connections
        self.loop = HandlerLoop()

    def run(self) -> None:
        while True:
            connection = self.connections.next()
            if connection is None:
                break
            if self.serve(connection):
                self.connections.give_back(connection)
            else:
                self.connections.close(connection)
        self.loop.close()

    def serve(self, connection: socket.socket) -> bool:
        """One request and its reply. Whether the connection can be used for another."""
        try:
            body = read_frame(connection, self.answering.settings)
            if body is None:
                return False
            reply = self.answer(body, connection)
            if reply is None:
                return False
            write_frame(connection, reply)
            return True
        except BadFrame as error:
            log.warning("connection closed: %s", error)
            self.refuse(connection, error)
        except BlockingIOError:
            log.warning("connection closed: the peer took nothing of its reply for %d s", STALL_SECONDS)
        except OSError as error:
            log.warning("connection lost: %s", error)
        return False

    def answer(self, body: bytearray, connection: socket.socket) -> bytes | None:
        peer = Peer(connection, self.answering.settings.max_message_bytes)
        try:
            return self.answering.answer(body, self.loop, peer)
        finally:
            peer.forget()

    def refuse(self, connection: socket.socket, error: BadFrame) -> None:
        with contextlib.suppress(OSError):
            write_frame(connection, self.answering.refusal(error))
            drain(connection)


# ---------------------------------------------------------------- Socket, readiness, signals


class Endpoint:
    """The listening socket and the readiness file."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.listener = None

    def clear(self) -> None:
        """Makes the folder, and takes away what a runtime that was killed has left there."""
        with self.creating("the folder " + self.settings.socket_dir):
            os.makedirs(self.settings.socket_dir, exist_ok=True)
        with self.creating("the socket " + self.settings.socket_path):
            self.remove_stale(self.settings.socket_path)
        with self.creating("the readiness file " + self.settings.ready_path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.settings.ready_path)

    def bind(self) -> None:
        path = self.settings.socket_path
        with self.creating("the socket " + path):
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(path)
            if self.settings.socket_mode is not None:
                os.chmod(path, self.settings.socket_mode)
            # Several workers may wake up for one connection: who comes too late mustn't wait.
            self.listener.setblocking(False)
            self.listener.listen(128)

    def remove_stale(self, path: str) -> None:
        if not os.path.lexists(path):
            return
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError("something else than a socket is there already")
        end = time.monotonic() + TAKEOVER_SECONDS
        while is_listening(path):
            if time.monotonic() > end:
                raise OSError("another runtime is listening there")
            time.sleep(0.1)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def announce(self) -> None:
        with self.creating("the readiness file " + self.settings.ready_path):
            with open(self.settings.ready_path, "w") as file:
                file.write("ready\n")
        log.info(
            "ready: handler=%s mode=%s validation=%s concurrency=%d%s socket=%s",
            self.settings.handler,
            "envelope" if self.settings.envelope_mode else "payload",
            "on" if self.settings.validation else "off",
            self.settings.concurrency,
            " (processes)" if self.settings.processes else "",
            self.settings.socket_path,
        )

    def withdraw(self) -> None:
        """No new connection finds its way from here on. Called inside a signal handler, so it doesn't log."""
        for path in (self.settings.ready_path, self.settings.socket_path):
            with contextlib.suppress(OSError):
                os.unlink(path)

    @contextlib.contextmanager
    def creating(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StartError("can't create %s: %s" % (what, error.strerror or error), EXIT_CANNOT_CREATE) from None


def is_listening(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(path) == 0


class Signals:
    """Turns signals into bytes in a pipe, which a worker can wait for together with its connections."""

    def __init__(self, on_stop: Callable, *more: int):
        self.on_stop = on_stop
        self.fd, self.write_fd = os.pipe()
        os.set_blocking(self.write_fd, False)
        self.held = threading.local()
        self.stops = (signal.SIGTERM, signal.SIGINT)
        self.numbers = self.stops + more
        for number in self.numbers:
            signal.signal(number, self.received)
        # A process that the handler forks is to die of these signals, and not to stop the runtime. They are held back
        # meanwhile: one that comes before the new process has forgotten its inheritance would be lost.
        os.register_at_fork(before=self.hold, after_in_parent=self.release, after_in_child=self.forget)

    def received(self, number: int, frame: Any) -> None:
        if number in self.stops:
            self.on_stop()
        with contextlib.suppress(OSError):
            os.write(self.write_fd, bytes([number]))

    def hold(self) -> None:
        self.held.before = signal.pthread_sigmask(signal.SIG_BLOCK, self.numbers)

    def release(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self.held.before)

    def forget(self) -> None:
        for number in self.numbers:
            # Methods are equal, never identical.
            if signal.getsignal(number) == self.received:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        self.release()


# ---------------------------------------------------------------- Threads


def run_threads(settings: Settings, endpoint: Endpoint) -> int:
    answering = Answering(settings, load_handler(settings))
    endpoint.bind()
    signals = Signals(endpoint.withdraw)
    endpoint.announce()
    connections = Connections(endpoint.listener, (signals.fd,))
    if settings.concurrency == 1:
        Worker(answering, connections).run()  # in the main thread, on which some handlers and libraries insist
    else:
        run_in_threads([Worker(answering, connections) for _ in range(settings.concurrency)])
    endpoint.withdraw()
    connections.close_all()
    log.info("stopped")
    return 0


def run_in_threads(workers: list) -> None:
    # Some C libraries give a thread 128 KiB of stack, too little for a deeply nested document.
    threading.stack_size(8 * 1024 * 1024)
    threads = [threading.Thread(target=worker.run, name="worker-%d" % n) for n, worker in enumerate(workers, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ---------------------------------------------------------------- Processes


class Seat:
    """A worker process's place in a table of bytes that all of them share: 1 where one has a connection."""

    def __init__(self, table: mmap.mmap, number: int):
        self.table = table
        self.number = number

    def take(self, taken: bool) -> None:
        self.table[self.number] = int(taken)

    def all_are_taken(self) -> bool:
        return 0 not in self.table[:]


class Supervisor:
    """Keeps as many worker processes as TROUPE_CONCURRENCY says."""

    def __init__(self, settings: Settings, endpoint: Endpoint):
        self.settings = settings
        self.endpoint = endpoint
        self.workers = {}  # pid -> (its seat, when it was started)
        self.ready = set()  # the pids that have loaded the handler
        self.table = mmap.mmap(-1, settings.concurrency)
        self.announced = False
        self.exit_code = None  # set when it is time to stop
        # Workers stop when the other end of this pipe is closed: also when the supervisor was killed.
        self.life_fd, self.life = os.pipe()
        self.ready_fd, self.ready_write = os.pipe()
        os.set_blocking(self.ready_fd, False)
        self.selector = selectors.DefaultSelector()

    def run(self) -> int:
        self.endpoint.bind()
        signals = Signals(self.endpoint.withdraw, signal.SIGCHLD)
        self.selector.register(signals.fd, selectors.EVENT_READ)
        self.selector.register(self.ready_fd, selectors.EVENT_READ)
        try:
            for number in range(self.settings.concurrency):
                self.start(Seat(self.table, number))
            while self.exit_code is None:
                self.turn(signals)
        finally:
            self.endpoint.withdraw()
            os.close(self.life)
            for pid in self.workers:
                os.waitpid(pid, 0)
        if self.exit_code == 0:
            log.info("stopped")
        return self.exit_code

    def turn(self, signals: Signals) -> None:
        for key, _ in self.selector.select():
            if key.fd == signals.fd and any(number in signals.stops for number in os.read(signals.fd, 4096)):
                self.exit_code = 0
                return
        for pid in list(self.workers):
            found, status = os.waitpid(pid, os.WNOHANG)
            self.note_ready()
            if found:
                self.bury(pid, status)
        if len(self.ready) == self.settings.concurrency and not self.announced:
            self.endpoint.announce()
            self.announced = True

    def note_ready(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                (pid,) = HEADER.unpack(os.read(self.ready_fd, HEADER.size))
                self.ready.add(pid)
                log.info("worker process %d is ready", pid)

    def bury(self, pid: int, status: int) -> None:
        seat, started = self.workers.pop(pid)
        how = "exit code %d" % os.WEXITSTATUS(status)
        if os.WIFSIGNALED(status):
            how = "killed by " + signal.Signals(os.WTERMSIG(status)).name
        if pid not in self.ready:
            self.exit_code = (os.WIFEXITED(status) and os.WEXITSTATUS(status)) or EXIT_SOFTWARE
            if self.exit_code != EXIT_CONFIG:  # of a wrong setting the worker has said all that there is to say
                log.error("worker process %d ended before it was ready (%s): stopping", pid, how)
            return
        self.ready.discard(pid)
        seat.take(False)
        log.error("worker process %d died (%s): starting another", pid, how)
        # One that dies at once mustn't be started a thousand times a second.
        time.sleep(max(0, started + 1 - time.monotonic()))
        self.start(seat)

    def start(self, seat: Seat) -> None:
        pid = os.fork()
        if pid == 0:
            self.become_worker(seat)
        self.workers[pid] = (seat, time.monotonic())

    def become_worker(self, seat: Seat) -> None:
        """Never returns: what stands on the stack belongs to the supervisor."""
        code = EXIT_SOFTWARE
        try:
            os.close(self.life)
            self.selector.close()
            code = self.work(seat)
        except StartError as error:
            code = report(error)
        except BaseException:
            traceback.print_exc()
        finally:
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def work(self, seat: Seat) -> int:
        answering = Answering(self.settings, load_handler(self.settings))
        signals = Signals(lambda: None)
        os.write(self.ready_write, HEADER.pack(os.getpid()))
        stop_fds = (signals.fd, self.life_fd)
        connections = Connections(self.endpoint.listener, stop_fds, seat)
        Worker(answering, connections).run()
        connections.close_all()
        return 0


# ---------------------------------------------------------------- Start


def set_up_output(settings: Settings) -> None:
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(logging.Formatter("%(asctime)s %(levelname)s troupe-runtime[%(process)d] %(message)s"))
    log.addHandler(output)
    log.setLevel(settings.log_level)
    log.propagate = False  # a handler that sets up logging for itself mustn't double these lines
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # what a handler prints is seen when it is printed


def report(error: StartError) -> int:
    print("troupe-runtime: %s" % error, file=sys.stderr)
    if error.cause:
        print(error.cause.rstrip(), file=sys.stderr)
    return error.code


def main() -> int:
    try:
        settings = read_settings(os.environ)
        set_up_output(settings)
        endpoint = Endpoint(settings)
        endpoint.clear()
        if settings.processes:
            return Supervisor(settings, endpoint).run()
        return run_threads(settings, endpoint)
    except StartError as error:
        return report(error)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
