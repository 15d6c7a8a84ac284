"""What holds for the Python runtime only; what holds for every runtime is in cases.json.

    python3 -m unittest discover Tests/RuntimeConformance
"""

import ast
import datetime
import json
import os
import signal
import sys
import tempfile
import textwrap
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from conformance import Runtime, frame, parse, reply_item, standard_envelope, until  # noqa: E402

RUNTIME = os.path.join(HERE, "..", "..", "actors", "runtime", "troupe_runtime.py")


class RuntimeTest(unittest.TestCase):
    """Starts a runtime for a handler whose source stands in the test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="troupe-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, path, source):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(source))

    def prepared(self, source=None, handler="h.process", **settings):
        if source is not None:
            self.write("h.py", source)
        runtime = Runtime([sys.executable, RUNTIME], handler, prefix="", PYTHONPATH=self.folder, **settings)
        self.addCleanup(runtime.__exit__)
        return runtime

    def started(self, *arguments, **settings):
        return self.prepared(*arguments, **settings).__enter__()

    def connect(self, runtime):
        connection = runtime.connect()
        self.addCleanup(connection.socket.close)
        return connection

    def call(self, runtime, payload=None):
        return self.connect(runtime).call_json(standard_envelope(payload))

    def payloads(self, runtime, payload=None):
        reply = self.call(runtime, payload)
        self.assertFalse([item for item in reply if "error" in item], reply)
        return [item["payload"] for item in reply]

    def error(self, runtime, payload=None, code="processing_error"):
        (item,) = self.call(runtime, payload)
        self.assertEqual(item.get("error"), code, item)
        return item["details"]

    def refusal(self, *arguments, code=78, **settings):
        """What the runtime prints when it refuses to start."""
        runtime = self.prepared(*arguments, **settings)
        found = runtime.exit_code()
        self.assertEqual(found, code, runtime.output())
        self.assertFalse(os.path.exists(runtime.ready_path))
        return runtime.output()


class Source(unittest.TestCase):
    def test_is_python_3_7(self):
        with open(RUNTIME, encoding="utf-8") as file:
            source = file.read()
        # Python 3.7 itself, which has no feature_version, needs none.
        ast.parse(source, **({"feature_version": (3, 7)} if sys.version_info >= (3, 8) else {}))


class HandlerKinds(RuntimeTest):
    def test_a_method_of_a_class_that_is_built_once(self):
        runtime = self.started(
            """
            class Counter:
                def __init__(self, start=10, *more, **options):
                    self.count = start
                def process(self, payload):
                    self.count += 1
                    return self.count
            """,
            "h.Counter.process",
        )
        self.assertEqual([self.payloads(runtime), self.payloads(runtime)], [[11], [12]])

    def test_static_and_class_methods(self):
        source = """
            class C:
                name = "C"
                @staticmethod
                def static(payload): return "static"
                @classmethod
                def of_class(cls, payload): return cls.name
            """
        self.assertEqual(self.payloads(self.started(source, "h.C.static")), ["static"])
        self.assertEqual(self.payloads(self.started(source, "h.C.of_class")), ["C"])

    def test_a_function_and_a_method_deep_in_packages(self):
        self.write("a/__init__.py", "")
        self.write("a/b/__init__.py", "")
        self.write("a/b/c.py", "def process(payload): return 'f'\nclass C:\n    def process(self, p): return 'm'\n")
        self.assertEqual(self.payloads(self.started(handler="a.b.c.process")), ["f"])
        self.assertEqual(self.payloads(self.started(handler="a.b.c.C.process")), ["m"])

    def test_a_method_of_an_object_in_the_module(self):
        runtime = self.started("class C:\n    def run(self, p): return 'o'\npipeline = C()\n", "h.pipeline.run")
        self.assertEqual(self.payloads(runtime), ["o"])

    def test_a_module_in_the_current_folder(self):
        runtime = self.prepared("def process(payload): return 'here'")
        runtime.environment.pop("PYTHONPATH")
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        self.assertEqual(self.payloads(runtime.__enter__()), ["here"])

    def test_async(self):
        runtime = self.started(
            """
            import asyncio
            async def process(payload):
                await asyncio.sleep(0.01)
                return {"loop": id(asyncio.get_running_loop()), "payload": payload}
            """
        )
        first, second = self.payloads(runtime, 1) + self.payloads(runtime, 2)
        self.assertEqual([first["payload"], second["payload"]], [1, 2])
        self.assertEqual(first["loop"], second["loop"], "the event loop must be kept between calls")

    def test_async_in_several_threads(self):
        runtime = self.started(
            """
            import asyncio
            async def process(payload):
                await asyncio.sleep(0.4)
                return id(asyncio.get_running_loop())
            """,
            TROUPE_CONCURRENCY="2",
        )
        connections = [self.connect(runtime), self.connect(runtime)]
        began = time.monotonic()
        for connection in connections:
            connection.send(frame(json.dumps(standard_envelope(1)).encode()))
        loops = [parse(connection.receive())[0]["payload"] for connection in connections]
        self.assertEqual(len(set(loops)), 2)
        self.assertLess(time.monotonic() - began, 0.75)
        self.assertEqual(runtime.stop(), 0, runtime.output())

    def test_tasks_that_an_async_handler_left_behind_are_cancelled_at_the_end(self):
        runtime = self.started(
            """
            import asyncio
            tasks = []
            async def forever():
                try:
                    await asyncio.sleep(1000)
                finally:
                    print("cleaned up")
            async def process(payload):
                tasks.append(asyncio.ensure_future(forever()))
                await asyncio.sleep(0)
                return 1
            """
        )
        self.assertEqual(self.payloads(runtime), [1])
        self.assertEqual(runtime.stop(), 0)
        self.assertIn("cleaned up", runtime.output())
        self.assertNotIn("Task was destroyed", runtime.output())

    def test_generators_fan_out(self):
        source = """
            def process(payload):
                for n in range(payload):
                    yield n
            async def asynchronous(payload):
                for n in range(payload):
                    yield n
            """
        for handler in ("h.process", "h.asynchronous"):
            runtime = self.started(source, handler)
            self.assertEqual(self.payloads(runtime, 3), [0, 1, 2])
            self.assertEqual(self.call(runtime, 0), [])

    def test_a_generator_that_fails_half_way_is_an_error(self):
        runtime = self.started("def process(payload):\n    yield 1\n    raise ValueError('second')\n")
        self.assertEqual(self.error(runtime)["message"], "second")

    def test_a_tuple_fans_out(self):
        self.assertEqual(self.payloads(self.started("def process(payload): return 1, [2]")), [1, [2]])

    def test_context_by_name_only_where_asked_for(self):
        source = """
            def by_keyword(payload, *, context): return context.id
            def optional(payload, context=None): return context.id
            def first(context): return context
            def anything(*args, **kwargs): return [len(args), sorted(kwargs)]
            class C:
                async def process(self, payload, context): return context.route["actors"]
            """
        self.assertEqual(self.payloads(self.started(source, "h.by_keyword")), ["e-1"])
        self.assertEqual(self.payloads(self.started(source, "h.optional")), ["e-1"])
        self.assertEqual(self.payloads(self.started(source, "h.first"), "the payload"), ["the payload"])
        self.assertEqual(self.payloads(self.started(source, "h.anything")), [1, []])
        self.assertEqual(self.payloads(self.started(source, "h.C.process")), ["a", "b"])

    def test_a_changed_context_changes_nothing(self):
        runtime = self.started(
            """
            def process(payload, context):
                context.headers["trace"] = "changed"
                context.route["actors"].append("z")
                context.route["current"] = 99
                return payload
            """
        )
        self.assertEqual(self.call(runtime, 1), [reply_item(1)])

    def test_a_function_written_in_c(self):
        self.assertEqual(self.payloads(self.started(handler="operator.neg"), 5), [-5])

    def test_one_worker_runs_in_the_main_thread(self):
        source = """
            import threading
            def process(payload): return threading.current_thread() is threading.main_thread()
            """
        self.assertEqual(self.payloads(self.started(source)), [True])


class Cancellation(RuntimeTest):
    """That a handler can ask for it is in conformance.py; here is what Python has beyond that."""

    def cancelled(self, runtime, behind=b""):
        """Goes away in the middle of a call, waits until the handler has said so, and makes another call."""
        with runtime.connect() as connection:
            connection.send(frame(json.dumps(standard_envelope("long")).encode()) + behind)
            until(lambda: "began" in runtime.output(), "the call")
        until(lambda: "told" in runtime.output(), "the handler to hear of it")
        self.assertEqual(self.payloads(runtime, "short"), ["short"])
        self.assertIn("cancelled, the sidecar has closed the connection: envelope_id=e-1", runtime.output())
        self.assertNotIn("handler failed", runtime.output())
        self.assertEqual(runtime.stop(), 0, runtime.output())

    ASYNC = """
        import asyncio
        async def process(payload):
            if payload == "short": return payload
            print("began")
            try:
                await asyncio.sleep(60)
            finally:
                print("told")
        async def generator(payload):
            yield await process(payload)
        async def stubborn(payload):
            try:
                return await process(payload)
            except asyncio.CancelledError:
                return "a result that nobody waits for"
        """

    def test_the_task_of_an_async_handler_is_cancelled(self):
        for handler in ("h.process", "h.generator", "h.stubborn"):
            with self.subTest(handler=handler):
                self.cancelled(self.started(self.ASYNC, handler))

    def test_bytes_of_a_next_request_do_not_hide_it_from_an_async_handler(self):
        self.cancelled(self.started(self.ASYNC), behind=b"\0\0")

    def test_an_async_handler_is_not_cancelled_by_bytes_of_a_next_request(self):
        runtime = self.started(
            """
            import asyncio, time
            async def process(payload):
                began = time.thread_time()
                await asyncio.sleep(payload)
                return time.thread_time() - began < 0.1
            """
        )
        connection = self.connect(runtime)
        connection.send(2 * frame(json.dumps(standard_envelope(0.5)).encode()))
        for _ in range(2):
            self.assertEqual(parse(connection.receive()), [reply_item(True)], "bytes that wait must cost no time")

    def test_threads_of_the_handler_may_ask(self):
        self.cancelled(
            self.started(
                """
                import threading, time
                def process(payload, context):
                    if payload == "short": return payload
                    print("began")
                    def work():
                        while not context.cancelled: time.sleep(0.005)
                        print("told")
                    threads = [threading.Thread(target=work) for _ in range(4)]
                    for thread in threads: thread.start()
                    for thread in threads: thread.join()
                """
            )
        )

    def test_with_worker_threads_and_processes(self):
        source = """
            import time
            def process(payload, context):
                if payload == "short": return payload
                print("began")
                while not context.cancelled: time.sleep(0.005)
                print("told")
            """
        for mode in ("threads", "processes"):
            with self.subTest(mode=mode):
                self.cancelled(self.started(source, TROUPE_CONCURRENCY="2", TROUPE_CONCURRENCY_MODE=mode))

    def test_a_call_that_is_over_is_not_cancelled_with_a_later_one(self):
        runtime = self.started(
            """
            import time
            kept = []
            def process(payload, context):
                kept.append(context)
                if payload != "long": return [[one.cancelled for one in kept]]
                print("began")
                while not context.cancelled: time.sleep(0.005)
            """
        )
        self.assertEqual(self.payloads(runtime), [[False]])
        with runtime.connect() as connection:
            connection.send(frame(json.dumps(standard_envelope("long")).encode()))
            until(lambda: "began" in runtime.output(), "the call")
        self.assertEqual(self.payloads(runtime), [[False, True, False]])

    def test_a_handler_that_fails_because_it_was_cancelled_is_no_failure(self):
        self.cancelled(
            self.started(
                """
                import time
                def process(payload, context):
                    if payload == "short": return payload
                    print("began")
                    while not context.cancelled: time.sleep(0.005)
                    print("told")
                    raise RuntimeError("given up")
                """
            )
        )


class ContextOfATest(unittest.TestCase):
    """A handler's own tests have no sidecar."""

    def setUp(self):
        sys.path.insert(0, os.path.dirname(RUNTIME))
        self.addCleanup(sys.path.remove, os.path.dirname(RUNTIME))
        from troupe_runtime import Context

        self.context = Context

    def test_of_a_bare_envelope(self):
        context = self.context()
        self.assertEqual((context.id, context.parent_id, context.route, context.headers), (None, None, None, {}))
        self.assertEqual((context.attempt, context.deadline, context.cancelled), (1, None, False))

    def test_deadlines(self):
        second = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
        for text, expected in {
            "2030-01-01T00:00:00Z": second,
            "2030-01-01T00:00:00.5Z": second.replace(microsecond=500000),
            "2030-01-01T00:00:00.1234567Z": second.replace(microsecond=123456),
            "2030-01-01T02:00:00+02:00": second,
            "2029-12-31T22:30:00-0130": second,
            "2030-01-01T00:00:00": None,  # whose midnight?
            "2030-13-01T00:00:00Z": None,
            "soon": None,
            7: None,
        }.items():
            self.assertEqual(self.context({"deadline": text}).deadline, expected, text)


class Errors(RuntimeTest):
    SOURCE = """
        import asyncio
        class Silent(Exception):
            pass
        class Broken(Exception):
            def __str__(self): raise RuntimeError("no text")
        class Own(BaseException):
            pass
        def deep(n): return deep(n + 1)
        def misbehave(what):
            if what == "exit": raise SystemExit(3)
            if what == "interrupt": raise KeyboardInterrupt()
            if what == "own": raise Own("own")
            if what == "recursion": deep(0)
            if what == "memory": bytearray(1 << 62)
            if what == "silent": raise Silent()
            if what == "broken": raise Broken()
            if what == "cancelled": raise asyncio.CancelledError()
            if what == "surrogate": raise ValueError("\\ud800")
            return what
        def process(payload): return misbehave(payload)
        async def asynchronous(payload): return misbehave(payload)
        def generator(payload): yield misbehave(payload)
        """
    TYPES = {
        "exit": "SystemExit",
        "interrupt": "KeyboardInterrupt",
        "own": "Own",
        "recursion": "RecursionError",
        "memory": "MemoryError",
        "silent": "Silent",
        "broken": "Broken",
        "cancelled": "CancelledError",
        "surrogate": "ValueError",
    }

    def test_whatever_a_handler_raises_is_an_error_reply_and_the_next_call_works(self):
        for handler in ("h.process", "h.asynchronous", "h.generator"):
            runtime = self.started(self.SOURCE, handler)
            for what, expected in self.TYPES.items():
                with self.subTest(handler=handler, what=what):
                    details = self.error(runtime, what)
                    self.assertEqual(details["type"], expected)
                    self.assertTrue(details["message"])
                    self.assertIn(expected, details["traceback"])
                    self.assertEqual(self.payloads(runtime, "fine"), ["fine"])
            self.assertEqual(runtime.stop(), 0, runtime.output())

    def test_an_error_too_large_for_a_frame_is_cut(self):
        source = "def process(payload): raise ValueError('begins ' + 'x' * 1000000)"
        runtime = self.started(source, TROUPE_MAX_MESSAGE_BYTES="65536")
        reply = self.connect(runtime).call(json.dumps(standard_envelope(1)).encode())
        self.assertLessEqual(len(reply), 65536)
        self.assertTrue(parse(reply)[0]["details"]["message"].startswith("begins xxx"))

    def test_the_traceback_begins_at_the_handler(self):
        runtime = self.started("def inner(): raise KeyError('k')\ndef process(payload):\n    inner()\n")
        details = self.error(runtime)
        self.assertIn("in inner", details["traceback"])
        self.assertNotIn("troupe_runtime.py", details["traceback"])
        self.assertIn(details["traceback"].strip(), runtime.output(), "it should stand in the log, too")


class Results(RuntimeTest):
    SOURCE = """
        import datetime
        loop = []
        loop.append(loop)
        deep = []
        for _ in range(100000):
            deep = [deep]
        RESULTS = {
            "nan": {"a": [1, {"b/c": float("nan")}]},
            "infinity": float("-inf"),
            "date": {"when": datetime.date(2030, 1, 1)},
            "set": {"items": {1}},
            "bytes": b"x",
            "key": {(1, 2): 3},
            "circle": {"loop": loop},
            "deep": {"deep": deep},
            "huge": {"int": 10 ** 5000},
            "surrogate": {"te\\ud800xt": "\\udfff!"},
            "numbers": {"big": 10 ** 40, "float": 1e22, "tiny": 5e-324, "one": 1.0},
            "keys": {1: "a", None: "b", True: "c"},
        }
        def process(payload): return RESULTS[payload]
        """

    def setUp(self):
        super().setUp()
        self.runtime = self.started(self.SOURCE)

    def test_what_is_no_json_is_refused_with_its_place(self):
        for what, expected in {
            "nan": "nan at /0/payload/a/1/b~1c",
            "infinity": "-inf at /0/payload",
            "date": "a value of type date at /0/payload/when",
            "set": "a value of type set at /0/payload/items",
            "bytes": "a value of type bytes at /0/payload",
            "key": "keys must be str",
            "circle": "Circular reference",
            "deep": "nested too deeply",
        }.items():
            with self.subTest(what=what):
                self.assertIn(expected, self.error(self.runtime, what)["message"])

    def test_an_integer_that_python_refuses_to_write(self):
        if not hasattr(sys, "get_int_max_str_digits"):
            self.skipTest("this Python writes integers of any length")
        self.assertIn("integer", self.error(self.runtime, "huge")["message"])

    def test_a_lone_surrogate_comes_back_as_an_escape(self):
        reply = self.connect(self.runtime).call(json.dumps(standard_envelope("surrogate")).encode())
        self.assertIn(b'{"te\\ud800xt":"\\udfff!"}', reply)

    def test_numbers(self):
        reply = self.connect(self.runtime).call(json.dumps(standard_envelope("numbers")).encode())
        self.assertIn(b'{"big":1%s,"float":1e+22,"tiny":5e-324,"one":1.0}' % (b"0" * 40), reply)

    def test_keys_become_strings_as_in_pythons_json(self):
        self.assertEqual(self.payloads(self.runtime, "keys"), [{"1": "c", "null": "b"}])


class Refusals(RuntimeTest):
    """Each: one sentence, the exit code, the traceback only where the handler's own code is to blame."""

    def test_what_the_setting_names_is_not_there(self):
        self.write("h.py", "class C:\n    def run(self, p): pass\nnumber = 1\ndef none(): pass\ndef two(a, b): pass\n")
        for handler, expected in {
            "nowhere.process": "there is no module 'nowhere'",
            "h.nothing": "module 'h' has no 'nothing'",
            "h.C.nothing": "an instance of C has no 'nothing'",
            "h.C": "name its method too, as in h.C.process",
            "h.number": "an instance of int, not a function",
            "h.none": "too many positional arguments",
            "h.two": "missing a required argument: 'b'",
            "process": "expected module.function or module.Class.method",
            "h:process": "expected module.function or module.Class.method",
            "h.": "expected module.function or module.Class.method",
        }.items():
            with self.subTest(handler=handler):
                output = self.refusal(handler=handler)
                self.assertIn(expected, output)
                self.assertIn("TROUPE_HANDLER is '%s': " % handler, output)
                self.assertEqual(len(output.strip().splitlines()), 1, output)

    def test_the_name_under_which_the_handler_was_set(self):
        runtime = self.prepared(handler="", TROUPE_HANDLER=None, ASYA_HANDLER="nowhere.process")
        self.assertEqual(runtime.exit_code(), 78)
        self.assertIn("ASYA_HANDLER is 'nowhere.process'", runtime.output())

    def test_a_class_that_needs_arguments(self):
        output = self.refusal("class C:\n    def __init__(self, a, b=1): pass\n    def run(self, p): pass\n", "h.C.run")
        self.assertIn("C.__init__ has the parameter 'a' without a default", output)

    def test_a_module_that_needs_another_one(self):
        output = self.refusal("import no_such_library\ndef process(p): pass\n")
        self.assertIn("its module 'h' can't be imported: No module named 'no_such_library'", output)
        self.assertIn("Traceback", output)

    def test_a_module_in_a_package_that_needs_another_one(self):
        self.write("p/__init__.py", "")
        self.write("p/m.py", "import p.gone\ndef process(x): pass\n")
        self.assertIn("No module named 'p.gone'", self.refusal(handler="p.m.process"))

    def test_a_module_with_a_syntax_error(self):
        output = self.refusal("def process(p:\n", code=70)
        self.assertIn("its module 'h' raised SyntaxError", output)

    def test_a_module_that_raises(self):
        output = self.refusal("raise RuntimeError('no model file')\n", code=70)
        self.assertIn("its module 'h' raised RuntimeError: no model file", output)
        self.assertIn("Traceback", output)
        self.assertNotIn("troupe_runtime.py", output)

    def test_a_module_that_exits(self):
        self.assertIn("raised SystemExit: 0", self.refusal("raise SystemExit(0)\n", code=70))

    def test_a_constructor_that_raises(self):
        source = "class C:\n    def __init__(self): raise OSError('no GPU')\n    def run(self, p): pass\n"
        self.assertIn("C() raised OSError: no GPU", self.refusal(source, "h.C.run", code=70))

    def test_something_else_in_the_sockets_place_is_left_alone(self):
        runtime = self.prepared("def process(p): pass")
        with open(runtime.socket_path, "w") as file:
            file.write("precious")
        self.assertEqual(runtime.exit_code(), 73)
        self.assertIn(runtime.socket_path, runtime.output())
        with open(runtime.socket_path) as file:
            self.assertEqual(file.read(), "precious")

    def test_a_folder_that_cannot_be_made(self):
        runtime = self.prepared("def process(p): pass")
        self.write("file", "")
        runtime.move_socket(os.path.join(self.folder, "file", "folder"))
        self.assertEqual(runtime.exit_code(), 73)
        self.assertIn("can't create the folder", runtime.output())

    def test_refusals_with_processes(self):
        settings = {"TROUPE_CONCURRENCY": "3", "TROUPE_CONCURRENCY_MODE": "processes"}
        self.assertIn("there is no module 'nowhere'", self.refusal(handler="nowhere.process", **settings))
        self.assertIn("no model file", self.refusal("raise RuntimeError('no model file')\n", code=70, **settings))


class Stalls(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.runtime = self.prepared("def process(payload): return 'x' * payload")
        # The real patience is longer than a test's.
        main = "import sys; sys.path.insert(0, %r); import troupe_runtime; troupe_runtime.STALL_SECONDS = 1; "
        folder = os.path.dirname(RUNTIME)
        self.runtime.command = [sys.executable, "-c", main % folder + "sys.exit(troupe_runtime.main())"]
        self.runtime.__enter__()

    def test_a_peer_that_stops_in_the_middle_of_a_frame(self):
        for beginning in (b"\0\0", b"\0\0\0\x10{"):
            connection = self.connect(self.runtime)
            connection.send(beginning)
            (item,) = parse(connection.receive())
            self.assertEqual(item["error"], "msg_parsing_error")
            self.assertIn("the frame ended after", item["details"]["message"])
            self.assertTrue(connection.is_closed())
            self.assertEqual(self.payloads(self.runtime, 1), ["x"])

    def test_a_peer_that_does_not_read_its_reply(self):
        connection = self.connect(self.runtime)
        connection.send(frame(json.dumps(standard_envelope(10000000)).encode()))
        self.assertEqual(self.payloads(self.runtime, 1), ["x"])
        self.assertIn("took nothing of its reply", self.runtime.output())


class Forks(RuntimeTest):
    def test_a_process_that_the_handler_forked_can_be_stopped_and_stops_nothing_else(self):
        runtime = self.started(
            """
            import os, signal, time
            def process(payload):
                pid = os.fork()
                if pid == 0:
                    time.sleep(30)
                    os._exit(1)
                os.kill(pid, signal.SIGTERM)
                return os.waitpid(pid, 0)[1]
            """
        )
        self.assertEqual(self.payloads(runtime), [signal.SIGTERM])
        self.assertEqual(self.payloads(runtime), [signal.SIGTERM])
        self.assertEqual(runtime.stop(), 0)


class Processes(RuntimeTest):
    SOURCE = """
        import os, time
        def process(payload):
            if payload.get("die"): os.kill(os.getpid(), 9)
            if payload.get("exit"): os._exit(5)
            time.sleep(payload.get("seconds", 0))
            return os.getpid()
        """
    SETTINGS = {"TROUPE_CONCURRENCY": "2", "TROUPE_CONCURRENCY_MODE": "processes"}

    def setUp(self):
        super().setUp()
        self.runtime = self.started(self.SOURCE, **self.SETTINGS)

    def pids(self):
        """One connection for each worker, and their pids."""
        connections = [self.connect(self.runtime) for _ in range(2)]
        return connections, [connection.call_json(standard_envelope({}))[0]["payload"] for connection in connections]

    def test_each_connection_has_a_process_of_its_own(self):
        for _ in range(5):
            connections, pids = self.pids()
            self.assertEqual(len(set(pids)), 2, "both connections are in one process")
            self.assertNotIn(self.runtime.process.pid, pids)
            for connection in connections:
                connection.socket.close()
            time.sleep(0.2)

    def test_calls_run_at_once(self):
        connections, _ = self.pids()
        began = time.monotonic()
        for connection in connections:
            connection.send(frame(json.dumps(standard_envelope({"seconds": 0.5})).encode()))
        for connection in connections:
            connection.receive()
        self.assertLess(time.monotonic() - began, 0.9)

    def test_a_worker_that_died_is_replaced(self):
        for how, line in (("die", "killed by SIGKILL"), ("exit", "exit code 5")):
            connections, before = self.pids()
            self.assertIsNone(connections[0].call(json.dumps(standard_envelope({how: True})).encode()))
            ready = self.runtime.output().count("is ready")
            until(lambda: line in self.runtime.output(), "the log line")
            until(lambda: self.runtime.output().count("is ready") > ready, "the new worker")
            self.assertIn("worker process %d died (%s): starting another" % (before[0], line), self.runtime.output())
            self.assertEqual(connections[1].call_json(standard_envelope({}))[0]["payload"], before[1])
            connections[1].socket.close()
            # A worker that has not noticed yet leaves the next connection to the other one.
            until(lambda: self.serves_both(without=before[0]), "a connection for each worker")

    def serves_both(self, without):
        connections, pids = self.pids()
        for connection in connections:
            connection.socket.close()
        return len(set(pids)) == 2 and without not in pids

    def test_a_connection_waits_for_the_new_worker_rather_than_crowding_another(self):
        connections, before = self.pids()
        connections[0].send(frame(json.dumps(standard_envelope({"exit": True})).encode()))
        self.assertIsNone(connections[0].receive())
        again = self.connect(self.runtime).call_json(standard_envelope({}))[0]["payload"]
        self.assertNotIn(again, before)

    def test_a_stop_finishes_the_running_calls(self):
        connections, pids = self.pids()
        for connection in connections:
            connection.send(frame(json.dumps(standard_envelope({"seconds": 0.6})).encode()))
        time.sleep(0.2)
        self.runtime.process.send_signal(signal.SIGTERM)
        self.assertEqual([parse(connection.receive())[0]["payload"] for connection in connections], pids)
        self.assertEqual(self.runtime.process.wait(10), 0, self.runtime.output())
        self.assertFalse(os.path.exists(self.runtime.ready_path))
        self.assertNotIn("died", self.runtime.output())

    def test_workers_end_when_the_supervisor_was_killed(self):
        _, pids = self.pids()
        self.runtime.process.kill()
        self.runtime.process.wait()
        until(lambda: not any(alive(pid) for pid in pids), "the workers to end")


def alive(pid):
    """Running: not gone, and not a zombie that only waits for its parent to look."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    unittest.main()
