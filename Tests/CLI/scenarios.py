"""What people do with the command line, one after the other."""

import json
import re
import signal
import subprocess
import time
import traceback
from pathlib import Path
from typing import Callable

from children import wait_until
from guard import Problem, say
from servers import Servers
from world import SHAKY, World

SCENARIOS: list[Callable[[World], None]] = []


def scenario(function: Callable[[World], None]) -> Callable[[World], None]:
    SCENARIOS.append(function)
    return function


def run(servers: Servers, folder: Path, programs: Path, only: str) -> None:
    names = [one.__name__ for one in SCENARIOS]
    if only not in ("", *names):
        raise Problem(f"there is no scenario '{only}'; there are {', '.join(names)}", 64)
    world = World(servers, folder, programs)
    failed = []
    try:
        world.start()
        for one in SCENARIOS:
            if only not in ("", one.__name__):
                continue
            begin = time.monotonic()
            try:
                one(world)
            except Exception:
                failed.append(one.__name__)
                traceback.print_exc()
            say(f"{'FAILED ' if one.__name__ in failed else ''}{one.__name__}: {one.__doc__} ({time.monotonic() - begin:.1f} s)")
    finally:
        world.stop()
    if failed:
        raise Problem(f"{len(failed)} failed: {', '.join(failed)}")


# What a command line that was typed wrong gets


@scenario
def usage(world: World) -> None:
    """every command explains itself, and says what was wrong, with code 64"""
    overview = world.run("--help").stdout
    commands = re.findall(r"^  ([a-z]+) {2,}\S", overview, re.M)
    assert {"tools", "call", "submit", "watch", "status", "list", "result", "cancel", "retry"} <= set(commands), overview
    for command in commands:
        shown = world.run(command, "--help").stdout
        assert "USAGE: troupe " + command in shown, shown
        assert re.search(rf"^ +(\S.* \| )?troupe {command}\b", shown, re.M), f"no example: {shown}"
    for wrong in (
        ["frobnicate"], ["watch"], ["watch", ""], ["list", "--status", "odd"], ["list", "--since", "soon"],
        ["list", "--limit", "0"], ["submit"], ["submit", "--payload", "1"], ["submit", "--route", "a,,b", "--payload", "1"],
        ["submit", "--route", "a", "--payload", "1", "--lines", "x"], ["submit", "--lines", "x", "--timeout", "5m"],
        ["submit", "--route", "a", "--payload", "1", "--timeout", "never"], ["call", "shape", "--arg", "x", "--json", "y"],
        ["submit", "--route", "a", "--payload", "1", "--header", "x"], ["call"], ["result", "x", "--wait", "long"],
        ["submit", "--route", "a", "--payload", "1", "--wait-limit", "1s"], ["cancel"], ["list", "--output", "xml"],
    ):
        done = world.run(*wrong, code=64)
        assert done.stderr.startswith("troupe: ") and not done.stdout, done.stderr


@scenario
def no_gateway(world: World) -> None:
    """nobody there is said at once, with what to do"""
    for command in (["tools"], ["list"], ["watch", "x"], ["submit", "--route", "a", "--payload", "1"], ["actors"],
                    ["submit", "--route", "a", "--lines", "-", "--wait"]):
        begin = time.monotonic()
        done = world.run(*command, "--gateway", "http://127.0.0.1:1", given="1\n", code=69)
        assert "Is it running? See --gateway." in done.stderr, done.stderr
        assert time.monotonic() - begin < 10
    done = world.run("tools", "--gateway", "nonsense://x", code=69)
    assert "not an http or https URL" in done.stderr


# Calling and submitting


@scenario
def calls(world: World) -> None:
    """a tool's schema gives words their types; what is wrong is explained before anything is sent"""
    box = world.folder / "box.json"
    box.write_text('{"width": 12345678901234567890}')
    done = world.run(
        "call", "shape", "--arg", "text=5", "--arg", "count=7", "--arg", "size=1.50", "--arg", "exact=no",
        "--arg", "color=blue", "--arg", "tags=a,b", "--arg", "sizes=1", "--arg", "sizes=2", "--arg", f"box=@{box}", "--wait")
    assert done.stdout == (
        '{"text":"5","count":7,"size":1.5,"exact":false,"color":"blue","tags":["a","b"],"sizes":[1,2],'
        '"box":{"width":12345678901234567890}}\n'), done.stdout
    before = len(world.get("/envelopes")["envelopes"])
    done = world.run("call", "shape", "--arg", "txt=a", "--arg", "count=1.5", "--arg", "color=bleu", "--arg", "sizes=1,b", code=64)
    for words in ("'txt'; did you mean 'text'?", "count: '1.5' is no integer", "did you mean 'blue'?", "sizes: 'b' is no integer"):
        assert words in done.stderr, done.stderr
    assert "text is missing" in world.run("call", "shape", code=64).stderr
    assert "did you mean 'shape'?" in world.run("call", "shappe", code=66).stderr
    assert "must be 9" in world.run("call", "bounded", "--arg", "n=10", code=64).stderr
    assert "n is missing: integer" in world.run("call", "bounded", "--json", "-", given="{}", code=64).stderr
    assert "line 2, column 1" in world.run("call", "bounded", "--json", "-", given="{\n", code=65).stderr
    assert len(world.get("/envelopes")["envelopes"]) == before, "something was sent"
    assert world.run("call", "bounded", "--json", "-", "--wait", given='{"n": 3}').stdout == '{"n":3}\n'
    shown = world.run("tools", "shape").stdout
    assert "one of: red, green, blue" in shown and "(required)" in shown and "array of integer" in shown


@scenario
def submissions(world: World) -> None:
    """one envelope: from a file, typed, with a key, a delay, a deadline, a header"""
    payload = world.folder / "payload.json"
    payload.write_text('{"n": 1.25}\n')
    for given in (str(payload), f"@{payload}", '{"n": 1.25}'):
        assert world.run("submit", "--route", "shape, shape", "--payload", given, "--wait").stdout == '{"n":1.25}\n'
    typed = world.terminal("submit", "--route", "shape", "--payload", "-", "--wait")
    typed.type('{"typed": "日本"}\r')
    typed.type("\x04")
    typed.wait_for(r'(?s)\{"typed": "日本"\}.*\{"typed":"日本"\}')
    assert typed.end() == 0
    ids = {world.submit("shape", {}, "--idempotency-key", "once") for _ in range(2)}
    assert len(ids) == 1
    other = world.run("submit", "--route", "shape", "--payload", "2", "--idempotency-key", "once", code=65)
    assert "was used for another request" in other.stderr
    assert world.submit("shape", 1, "--id", "mine-1") == "mine-1"
    assert "is there already" in world.run("submit", "--route", "shape", "--payload", "2", "--id", "mine-1", code=65).stderr
    later = world.submit("shape", {}, "--delay", "1h", "--timeout", "5m", "--header", "x=5", "--header", 'y={"z": "ü"}')
    shown = world.run("status", later).stdout
    assert re.search(r"^status +pending", shown, re.M) and re.search(r"^starts +20", shown, re.M), shown
    assert re.search(r"^deadline +20", shown, re.M), shown
    assert "is pending" in world.run("result", later, code=75).stderr
    begin = time.monotonic()
    limited = world.run("submit", "--route", "work", "--payload", '{"steps": 40}', "--wait", "--wait-limit", "500ms", code=75)
    assert "troupe watch" in limited.stderr and time.monotonic() - begin < 20, limited.stderr
    slow = limited.stderr.split()[-1]
    assert world.run("result", slow, "--wait", "1m").stdout == '{"steps":40}\n'
    failed = world.run("submit", "--route", "broken", "--payload", "{}", "--wait", code=1)
    assert "ValueError: broken  [31mby design" in failed.stderr and not failed.stdout
    for wrong, code in (("nowhere.json", 66), ("/", 66), ('{"a": }', 65), ("[1,", 65)):
        assert world.run("submit", "--route", "shape", "--payload", wrong, code=code).stderr.startswith("troupe: ")
    file = world.folder / "result.json"
    world.run("result", slow, "--output-file", str(file))
    assert file.read_bytes() == b'{"steps":40}' and not Path(f"{file}.part").exists()
    assert "can't be written" in world.run("result", slow, "--output-file", "/proc/x/y", code=73).stderr
    failed_id = world.get("/envelopes?status=failed&limit=1")["envelopes"][0]["id"]
    assert f"troupe retry {failed_id}" in world.run("result", failed_id, code=1).stderr


# Watching


@scenario
def watching(world: World) -> None:
    """bars, partial results, retries and a tree of children; what comes from outside does not reach the terminal"""
    tree = world.submit("part,work", {"parts": 3})
    shaky = world.submit("shaky", {"failures": 2}, "--header", SHAKY)
    slow = world.submit("work,shape", {"steps": 15, "pause": 0.1, "say": "sæy 日本語 \x1b[2J🎭"})
    terminal = world.terminal("watch", slow, tree, shaky, columns=140)
    terminal.wait_for(r"▸ \S+ +█.*work  step")
    terminal.wait_for(r"↻ \S+ .* again in .*Attempt \d of 3 failed: ConnectionError: not yet 🙈")
    terminal.wait_for(r"(?s)✓ \S+ .*succeeded.*\n  ✓ …-1 .*\n  ✓ …-2 ")
    assert terminal.end() == 0, terminal.text
    assert terminal.text.count("succeeded after") == 5, terminal.text
    assert "info: sæy 日本語  [2J🎭" in terminal.text, terminal.text
    assert b"\x1b[2J" not in terminal.raw
    assert "\x1b[?25l" not in terminal.raw.decode(errors="replace"), "the cursor was hidden"
    # Programs see who came out of what.
    told = [json.loads(line) for line in world.run("watch", tree, "--output", "json").stdout.splitlines()]
    assert {update["id"]: update.get("parent_id") for update in told} == {
        tree: None, f"{tree}-1": tree, f"{tree}-2": tree}, told
    # One that has ended is shown as it is.
    again = world.terminal("watch", tree)
    assert again.end() == 0 and again.text.count("succeeded") == 3, again.text
    broken = world.submit("shape,broken", {})
    failed = world.terminal("watch", broken, columns=120)
    assert failed.end() == 1 and "✗" in failed.text and "at broken: ValueError: broken" in failed.text, failed.text
    cancelled = world.submit("shape", {}, "--delay", "1h")
    watcher = world.terminal("watch", cancelled)
    watcher.wait_for("Starts at")
    world.run("cancel", cancelled)
    assert watcher.end() == 2 and "cancelled" in watcher.text, watcher.text
    assert "there is no envelope" in world.run("watch", "nobody", code=66).stderr
    late = world.submit("shape", {}, "--delay", "1h")
    assert "troupe watch" in world.run("watch", late, "--wait-limit", "1s", code=75).stderr
    # On the way of a call, on standard error, so that the result can be taken from standard output.
    call = world.terminal("call", "work", "--arg", "steps=5", "--watch")
    assert call.end() == 0 and "succeeded" in call.text and '"steps":5' in call.text, call.text


@scenario
def restart(world: World) -> None:
    """the gateway is killed while somebody watches: he sees it, and all the rest"""
    slow = world.submit("work,work", {"steps": 40, "pause": 0.1})
    terminal = world.terminal("watch", slow, columns=80)
    lines = subprocess.Popen(
        [world.program, "watch", slow, "--output", "json"], env=world.env, stdout=subprocess.PIPE, text=True)
    terminal.wait_for("step")
    told = [lines.stdout.readline()]
    world.restart_gateway(2)
    assert terminal.end() == 0
    assert "no connection to the gateway" not in terminal.text and "succeeded" in terminal.text, terminal.text
    assert "no connection to the gateway" in terminal.raw.decode(errors="replace")
    told = [json.loads(line) for line in [*told, *lines.stdout]]
    assert lines.wait(60) == 0
    history = world.get(f"/envelopes/{slow}/history?limit=1000")["updates"]
    for update in history:
        del update["number"]
    assert told == history, "an event is missing, or was told twice"


@scenario
def interrupt(world: World) -> None:
    """Ctrl-C in the middle: code 130, the terminal is left in order, and how to go on is said"""
    slow = world.submit("work", {"steps": 60, "pause": 0.1})
    terminal = world.terminal("watch", slow)
    terminal.wait_for("step")
    terminal.interrupt()
    assert terminal.end(20) == 130
    assert f"Go on watching: troupe watch {slow}" in terminal.text.replace("\n", ""), terminal.text
    assert terminal.screen.cursor.x == 0 and not terminal.screen.cursor.hidden
    assert "^C" not in terminal.lines[0]
    steps = '{"steps": 60, "pause": 0.1}'
    waiting = world.terminal("submit", "--route", "work", "--payload", steps, "--id", "waited-for", "--wait")
    running = lambda: [one["id"] for one in world.get("/envelopes?status=running")["envelopes"]]  # noqa: E731
    wait_until(lambda: "waited-for" in running(), "its envelope at work", 20)
    waiting.interrupt()
    assert waiting.end(20) == 130 and "troupe watch" in waiting.text, waiting.text
    typing = world.terminal("submit", "--route", "work", "--payload", "-")
    wait_until_handled(signal.SIGINT, typing.child.pid)
    typing.interrupt()
    assert typing.end(20) == 130 and "nothing is known to be submitted" in typing.text, typing.text
    ended = subprocess.Popen([world.program, "watch", slow], env=world.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until_handled(signal.SIGTERM, ended.pid)
    ended.send_signal(signal.SIGTERM)
    assert ended.wait(20) == 143
    assert world.run("watch", slow).returncode == 0


def wait_until_handled(number: signal.Signals, pid: int) -> None:
    """Until the signal does not simply end the process any more."""
    def handled() -> bool:
        masks = re.findall(r"^Sig(?:Ign|Cgt):\s+(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)
    wait_until(handled, f"a handler of {number.name}", 20)


@scenario
def narrow(world: World) -> None:
    """40 columns, and windows that change"""
    identity = world.submit("work", {"steps": 30, "pause": 0.1, "say": "x"})
    terminal = world.terminal("watch", identity, columns=40, rows=10)
    terminal.wait_for("step")
    assert len(terminal.lines) == 2 and terminal.lines[0].endswith(identity), terminal.text
    terminal.resize(100, 10)
    terminal.wait_for(rf"{identity}  █.* step")
    assert len(terminal.lines) == 1, terminal.text
    assert terminal.end() == 0
    many = world.submit("part,shape", {"parts": 40})
    world.run("watch", many)
    low = world.terminal("watch", many, columns=80, rows=8)
    assert low.end() == 0 and re.search(r"… and 3\d that have succeeded", low.text), low.text
    assert len(low.scrolled.splitlines()) <= 8, low.scrolled
    for command in (["list", "--limit", "1000"], ["actors"], ["tools"], ["tools", "shape"], ["status", identity]):
        shown = world.terminal(*command, columns=40, rows=200)
        assert shown.end() == 0
        raw = [line for line in re.sub(rb"\x1b\[\d*m", b"", shown.raw).decode().splitlines()]
        assert all(len(line) <= 40 for line in raw), f"{command}: {raw}"
    shown = world.terminal("list", columns=40, rows=200)
    shown.end()
    assert identity in shown.text, "an id is cut"


@scenario
def plain(world: World) -> None:
    """a pipe, NO_COLOR, TERM=dumb, --color: escape codes only where they are wanted"""
    identity = world.submit("shape", {})
    world.run("watch", identity)
    lines = world.run("watch", identity).stdout.splitlines()
    assert len(lines) >= 4 and all(re.match(r"20\d\d-\d\d-\d\dT\S+Z  " + identity, line) for line in lines), lines
    colors = re.compile(rb"\x1b\[[1-9]\d*m")
    for env, more, has_color in (
        ({}, [], True), ({"NO_COLOR": "1"}, [], False), ({"TERM": "dumb"}, [], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True), ({}, ["--color", "never"], False),
    ):
        for command in ("watch", "status"):
            shown = world.terminal(command, identity, *more, env=env)
            assert shown.end() == 0
            assert bool(colors.search(shown.raw)) == has_color, f"{command} {env} {more}: {shown.raw!r}"
    dumb = world.terminal("watch", identity, env={"TERM": "dumb"})
    assert dumb.end() == 0 and b"\x1b" not in dumb.raw
    # Whoever reads has had enough.
    for command in ("watch " + identity, "list --limit 1000", "list --output json"):
        head = subprocess.run(
            ["bash", "-c", f"set -o pipefail; '{world.program}' {command} | head -c 1"], env=world.env, timeout=60,
            capture_output=True, text=True)
        assert head.returncode in (0, 141) and not head.stderr, (command, head.returncode, head.stderr)



@scenario
def top(world: World) -> None:
    """top: live, sorted by keys, over a gateway that is away; in a narrow window, a pipe, and as JSON"""
    slow = world.submit("work", {"steps": 400, "pause": 0.1})
    try:
        screen = world.terminal("top", columns=110, rows=24)
        screen.wait_for(r"\nwork +0 +1 +1 ")
        screen.wait_for(rf"UNDER WAY .*\n{slow} +\d+\S+ +\S+ +running")
        screen.wait_for(r"\n7 actors ")  # as soon as all have started
        first = screen.text.splitlines()[0]
        screen.wait_until(lambda: screen.text.splitlines()[0] != first, "another second")
        assert not screen.scrolled.replace(screen.text, "").strip(), f"it scrolls: {screen.scrolled}"

        def rows() -> list[str]:
            return [line.split()[0] for line in screen.lines[4:screen.lines.index("", 4)]]
        screen.type("a")
        screen.wait_for("a actor▾")
        assert rows() == sorted(rows()) and len(rows()) == 7, screen.text
        screen.type("a")
        screen.wait_for("a actor▴")
        assert rows() == sorted(rows(), reverse=True), screen.text
        screen.type("\x1b[Ai")  # an arrow means nothing
        screen.wait_for("i in flight▾")
        assert rows()[0] == "work", screen.text
        assert re.search(rb"\x1b\[1m", screen.raw) and "i in flight▾i" not in screen.text
        world.restart_gateway(pause=3)
        screen.wait_until(lambda: "no connection to the gateway; again in" in screen.scrolled or
                          "no connection" in screen.raw.decode(errors="replace"), "that it is away")
        screen.wait_until(lambda: "no connection" not in screen.text, "that it is back")
        screen.resize(40, 24)
        screen.wait_for(r"\nwork\n  ")
        assert all(len(line) <= 39 for line in screen.lines), screen.text
        screen.type("q")
        assert screen.end() == 0

        # Whatever ends it, the terminal's keys are as they were.
        for ending, code in (("q", 0), ("\x03", 130)):
            shell = world.terminal("--norc", program="/bin/bash", columns=110, rows=30, env={"PS1": "$ "})
            shell.wait_for(r"\$")
            shell.type(f"stty -g > {world.folder}/before; {world.program} top; echo \"code $?\"; "
                       f"stty -g > {world.folder}/after\r")
            shell.wait_for("q quit")
            shell.type(ending)
            shell.wait_for(rf"\ncode {code}\n")
            shell.type("exit\r")
            shell.end()
            before, after = ((world.folder / name).read_text() for name in ("before", "after"))
            assert before == after, (ending, before, after)

        once = world.run("top", "--once", "--sort", "actor").stdout.splitlines()
        assert once[3].startswith("ACTOR ") and once[4].startswith("broken "), once
        known = json.loads(world.run("top", "--once", "--output", "json", "--envelopes", "1").stdout)
        assert known["totals"]["in_flight"] >= 1 and known["slowest"][0]["id"] == slow, known
        assert {"work", "happy-end"} <= {actor["name"] for actor in known["actors"]}
        several = subprocess.run(
            ["timeout", "-s", "INT", "6", world.program, "top", "--interval", "500ms"], env=world.env, timeout=60,
            capture_output=True, text=True)
        tables = several.stdout.count("troupe top  http")
        assert several.returncode in (124, 130) and 3 <= tables <= 12 and "\x1b" not in several.stdout, several
        plain = world.terminal("top", "--once", env={"NO_COLOR": "1"}, columns=110)
        assert plain.end() == 0 and b"\x1b" not in plain.raw and "q quit" not in plain.text, plain.raw
        assert "100ms or more" in world.run("top", "--interval", "1ms", code=64).stderr
    finally:
        world.run("cancel", slow, code=None)


# Many


@scenario
def many(world: World) -> None:
    """10,000 lines through back-pressure and a killed gateway: each becomes one envelope, and one only"""
    lines = world.folder / "lines.jsonl"
    lines.write_text("".join(f'{{"n": {n}, "text": "ü🎭"}}\n' for n in range(10_000)))
    begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(1)
    gateway = world.pipeline.gateway
    gateway.env["TROUPE_GATEWAY_RATE"] = "0.5"
    world.restart_gateway(0)
    terminal = world.terminal("submit", "--route", "shape", "--lines", str(lines), "--wait", columns=110)
    terminal.wait_for(r"(?s)█.*%\n[3-9]\d\d\d sent", limit=120)
    del gateway.env["TROUPE_GATEWAY_RATE"]
    world.restart_gateway(5)  # longer than the pause that the gateway has asked for
    code = terminal.end(900)
    assert code == 0, f"code {code}: {terminal.text}"
    assert "10000 accepted, 10000 succeeded" in terminal.text, terminal.text
    raw = terminal.raw.decode(errors="replace")
    assert "more than 0.5 requests per second; again in" in raw, "no back-pressure was met"
    assert "no connection to the gateway" in raw, "the gateway was not away"
    listed = json.loads(world.run("list", "--since", begin, "--limit", "100000", "--output", "json").stdout)["envelopes"]
    assert len(listed) == 10_000 and {one["status"] for one in listed} == {"succeeded"}, len(listed)
    # The same input with the same key again, stopped in the middle the first time.
    part = world.folder / "part.jsonl"
    part.write_text("".join(f"{n}\n" for n in range(3000)))
    begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    time.sleep(2)
    first = world.terminal("submit", "--route", "shape", "--lines", str(part), "--idempotency-key", "part", columns=110)
    first.wait_for(r"[1-9]\d* accepted")
    first.interrupt()
    assert first.end(30) == 130 and "--idempotency-key part" in first.text, first.text
    assert world.run("submit", "--route", "shape", "--lines", str(part), "--idempotency-key", "part").stdout == "3000 accepted\n"
    listed = json.loads(world.run("list", "--since", begin, "--limit", "10000", "--output", "json").stdout)["envelopes"]
    assert len(listed) == 3000, len(listed)


@scenario
def lines(world: World) -> None:
    """wrong lines are told by their number and keep no other from being sent; slow ones are sent as they come"""
    given = '{"n": 1}\n\n{"n": \n1e400\n"last"'
    done = world.run("submit", "--route", "shape", "--lines", "-", given=given, code=65)
    assert done.stdout == "3 accepted, 1 refused\n" and "line 3: is not valid JSON" in done.stderr, done
    given = '{"tool": "bounded", "arguments": {"n": 3}}\n{"tool": "boundet"}\n{"route": {"actors": ["shape"]}, "payload": 1}\n'
    done = world.run("submit", "--lines", "-", "--output", "json", given=given, code=65)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["line"] for one in answers] == [1, 2, 3] and answers[1]["error"]["code"] == "unknown_tool", answers
    slow = subprocess.Popen(
        [world.program, "submit", "--route", "shape", "--lines", "-", "--output", "json"], env=world.env, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)
    for number in (1, 2):
        slow.stdin.write(f"{number}\n")
        assert json.loads(slow.stdout.readline())["line"] == number
    slow.stdin.close()
    assert slow.wait(20) == 0
    mixed = world.folder / "mixed.jsonl"
    mixed.write_text('{"route": {"actors": ["shape"]}, "payload": 1}\n{"route": {"actors": ["broken"]}, "payload": {}}\n')
    done = world.run("submit", "--lines", str(mixed), "--wait", code=1)
    assert done.stdout == "2 accepted, 1 succeeded, 1 failed\n" and "has failed" in done.stderr, done
    done = world.run("submit", "--lines", str(mixed), "--wait", "--output", "json", code=1)
    assert sum('"status":"succeeded"' in line or '"status":"failed"' in line for line in done.stdout.splitlines()) == 2, done


# Looking and acting


@scenario
def acting(world: World) -> None:
    """list, cancel, retry, actors: by hand and from scripts"""
    waiting = [world.submit("shape", {}, "--delay", "1h") for _ in range(3)]
    listed = world.run("list", "--status", "pending", "--since", "1m").stdout
    assert all(one in listed for one in waiting), listed
    done = world.run("cancel", waiting[0], "nobody", waiting[1], code=66)
    assert done.stdout.count("is cancelled") == 2 and "there is no envelope 'nobody'" in done.stderr
    assert world.run("list", "--status", "cancelled", "--limit", "1").stdout.count("cancelled") >= 1
    broken = world.submit("broken", {})
    world.run("watch", broken, code=1)
    assert "is on its way again" in world.run("retry", broken, "--from-start").stdout
    world.run("watch", broken, code=1)
    assert world.get(f"/envelopes/{broken}")["status"] == "failed"
    assert world.run("retry", waiting[2], code=65).stderr.startswith("troupe: ")
    page = json.loads(world.run("list", "--limit", "2", "--output", "json").stdout)
    assert len(page["envelopes"]) == 2 and page["next_cursor"]
    assert world.run("list", "--parent", "nobody").stdout == "no envelopes\n"
    # A sidecar that started before the gateway says after some seconds that it is there.
    wait_until(
        lambda: re.search(r"^shape +\d+ +\d+ +1 ", world.run("actors").stdout, re.M) is not None, "shape to be known", 30)
    assert json.loads(world.run("actors", "--output", "json").stdout)["broker"]["available"]
    world.run("actors", "pause", "shape", "--reason", "out of paper")
    assert "paused since" in world.run("actors").stdout
    world.run("actors", "resume", "shape")


@scenario
def shells(world: World) -> None:
    """completions for bash, with names from the gateway; and scripts for the other shells"""
    script = world.run("--generate-completion-script", "bash").stdout
    file = world.folder / "troupe.bash"
    file.write_text(script)
    for shell in ("zsh", "fish"):
        assert "troupe" in world.run("--generate-completion-script", shell).stdout
    path = f"{Path(world.program).parent}:{world.env['PATH']}"
    bash = world.terminal("--norc", "--noprofile", env={"PATH": path, "PS1": "$ "}, program="bash")
    bash.wait_for(r"\$")
    bash.type(f"source {file}\r")
    bash.type("troupe wat\t")
    bash.wait_for(r"troupe watch")
    bash.type("\x15troupe call bou\t")
    bash.wait_for("troupe call bounded")
    bash.type("\x15troupe list --status fai\t")
    bash.wait_for("--status failed")
    bash.type("\x15exit\r")
    assert bash.end() == 0
