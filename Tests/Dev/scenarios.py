"""What somebody does with `troupe dev`, and what must come of it."""

import os
import pty
import re
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

from faults_dev import faults_on_a_laptop
from pipeline_dev import Dev, TROUPE, alive_with, check, environment, project, troupe, wait_until

ECHO = "def process(payload):\n    return payload\n"

SLOW = '''
import time

def process(payload):
    time.sleep(payload["sleep"])
    return {"version": 1}
'''


def the_first_envelope(folder: Path) -> str:
    made = troupe("init", "first", cwd=folder)
    check(made.returncode == 0 and "next: cd first && troupe dev" in made.stdout, made)
    home = folder / "first"
    check(troupe("validate", cwd=home).stdout == "ok: 3 actors, 1 tool, 1 route\n", "the example is valid")
    tests = subprocess.run(
        "python3 -m unittest tests/*.py", shell=True, cwd=home, env=environment(), stderr=subprocess.PIPE, text=True)
    check(tests.returncode == 0, tests.stderr)
    again = troupe("init", "first", cwd=folder)
    check(again.returncode == 64 and "nothing was written: there is already troupe.yaml" in again.stderr, again)
    check(troupe("init", "a b", cwd=folder).returncode == 64, "a name with a space")
    with Dev(home) as dev:
        answer = dev.request("POST", "/tools/call", {"name": "digest", "arguments": {"path": "README.md"}})
        id = re.search(r'"envelope_id":"([^"]+)"', answer["content"][0]["text"]).group(1)
        envelope = dev.result(id)
        seconds = time.monotonic() - dev.begin
        check(envelope["status"] == "succeeded" and len(envelope["result"]["summary"]) == 3, envelope)
        check(seconds < 2, f"the first envelope took {seconds:.2f} s")
        sockets = Path(os.readlink(home / ".troupe" / "sockets"))
        check(stat.S_IMODE(sockets.stat().st_mode) == 0o700, "the sockets are for nobody else")
        stopping = dev.stop()
        check(dev.process.returncode == 0 and stopping < 5, f"it ends in {stopping:.1f} s")
        check(not sockets.exists(), "no socket is left behind")
        kept = list((home / ".troupe" / "results").glob("happy-end/*/*/*.json"))
        check(len(kept) == 1, kept)
    return f"{seconds:.2f} s from the command to the first answer, {stopping:.2f} s to end"


def a_handler_is_edited_while_it_works(folder: Path) -> str:
    home = project(folder, "edited", "actors: {slow: 'handlers/slow.py:process'}", slow=SLOW)
    with Dev(home) as dev:
        id = dev.submit(["slow"], {"sleep": 600})
        wait_until(lambda: dev.envelope(id)["status"] == "running", "work")
        time.sleep(0.3)
        # More often than a handler may crash over one envelope.
        for version in range(2, 8):
            (home / "handlers" / "slow.py").write_text(SLOW.replace("1}", f"{version}}}"))
            dev.wait_for("changed: restarting", times=version - 1)
            time.sleep(1.2 if version < 7 else 0)
        saved = time.monotonic()
        (home / "handlers" / "slow.py").write_text('def process(payload):\n    return {"version": 9}\n')
        envelope = dev.result(id)
        seconds = time.monotonic() - saved
        check(envelope["status"] == "succeeded" and envelope["result"] == {"version": 9}, envelope)
        check("has ended" not in "".join(dev.texts("slow")), "a restart is no crash")
        updates = dev.request("GET", f"/envelopes/{id}")
        check("retrying" not in str(updates), updates)
    return f"{seconds:.2f} s from the save to the result"


def a_syntax_error_and_its_mending(folder: Path) -> str:
    home = project(
        folder, "broken", "actors: {a: 'handlers/a.py:process', b: 'handlers/b.py:process'}", a=ECHO, b=ECHO)
    with Dev(home) as dev:
        check(dev.result(dev.submit(["a", "b"], 1))["result"] == 1, "it works")
        (home / "handlers" / "a.py").write_text("def process(payload)\n    return payload\n")
        dev.wait_for("the handler cannot start; save a change to try again", "a")
        traceback = [line["text"] for line in dev.lines if line["actor"] == "a" and line["stream"] == "error"]
        check(any("SyntaxError" in line for line in traceback), traceback)
        check(not any("troupe_runtime" in line or "importlib" in line for line in traceback), traceback)
        id = dev.submit(["a", "b"], 2)
        check(dev.result(dev.submit(["b"], 3))["result"] == 3, "the others go on")
        time.sleep(0.5)
        check(dev.envelope(id)["status"] not in ("failed", "succeeded"), "it waits until the handler is mended")
        (home / "handlers" / "a.py").write_text(ECHO)
        check(dev.result(id)["result"] == 2, "what waited goes on")
        check(sum("SyntaxError:" in text and "raised" not in text for text in dev.texts("a")) == 1, dev.texts("a"))
        check(dev.texts("b").count("changed: restarting the handler") == 0, "only the one that was saved is restarted")
    return ""


def a_crash_is_shown_once(folder: Path) -> str:
    crash = "import os, sys\n\ndef process(payload):\n    print('the reason', file=sys.stderr)\n    os._exit(3)\n"
    home = project(folder, "crash", "actors: {bad: 'handlers/bad.py:process'}", bad=crash)
    with Dev(home) as dev:
        envelope = dev.result(dev.submit(["bad"], 1))
        check(envelope["status"] == "failed" and "3 times in a row" in str(envelope), envelope)
        dev.wait_for("the handler has ended (exit code 3); starting it again in", "bad", times=3)
        check(dev.texts("bad").count("the reason") == 1, dev.texts("bad"))
    return ""


def replicas_follow_the_queue(folder: Path) -> str:
    yaml = """
actors:
  work:
    handler: handlers/work.py:process
    scale: {min: 0, max: 4, queueLength: 5, cooldown: 2s, period: 500ms, stabilization: 500ms}
"""
    home = project(folder, "scaled", yaml, work="import time\n\ndef process(payload):\n    time.sleep(0.2)\n    return payload\n")
    with Dev(home) as dev:
        check(dev.replicas("work") == 0, "none without work")
        ids = [dev.submit(["work"], number) for number in range(60)]
        wait_until(lambda: dev.replicas("work") == 4, "4 replicas", details=dev.texts)
        for number, id in enumerate(ids):
            check(dev.result(id)["result"] == number, id)
        begin = time.monotonic()
        wait_until(lambda: dev.replicas("work") == 0, "none again", details=dev.texts)
        seconds = time.monotonic() - begin
        steps = re.findall(r"(\d+) -> (\d+) replicas", "\n".join(dev.texts("work")))
        check(steps[0] == ("0", "1") and steps[-1][1] == "0", steps)
        check(dev.result(dev.submit(["work"], "again"))["result"] == "again", "and up again")
    return f"{' '.join(f'{a}->{b}' for a, b in steps)}; {seconds:.1f} s to none"


def what_cannot_be_is_said(folder: Path) -> str:
    home = project(folder, "refused", "actors: {a: 'handlers/a.py:process'}", a=ECHO)
    # A port that somebody has.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = troupe("dev", "--port", port, cwd=home)
        check(refused.returncode == 69, refused)
        check(f"port {port} is taken by python3, pid {os.getpid()}: choose another with --port" in refused.stderr, refused)
    # Twice in one folder.
    with Dev(home) as dev:
        refused = troupe("dev", "--port", 0, cwd=home)
        check(refused.returncode == 69 and "this pipeline runs already" in refused.stderr, refused)
        check(f"pid {dev.process.pid}" in refused.stderr, refused)
    # Nothing to run, or no way to.
    for yaml, code, message in [
        (None, 78, "there is no such file: `troupe init` makes one"),
        ("actors: {a: 'handlers/b.py:process'}\n", 78, "troupe.yaml:1:13: handler of actor 'a': there is no file 'handlers/b.py' (did you mean 'handlers/a.py'?)"),
        ("python: nopython\nactors: {a: 'handlers/a.py:process'}\n", 69, "python: there is no program 'nopython'"),
    ]:
        file = home / "troupe.yaml"
        file.unlink() if yaml is None else file.write_text(yaml)
        refused = troupe("dev", "--port", 0, cwd=home)
        check(refused.returncode == code and message in refused.stderr, refused)
    # Handlers that are looked into, but not run.
    (home / "troupe.yaml").write_text("actors: {a: 'handlers/a.py:proces', b: 'handlers/b.py:process'}\n")
    (home / "handlers" / "b.py").write_text("def process(payload:\n    pass\n")
    found = troupe("validate", cwd=home)
    check(found.returncode == 78, found)
    check("handlers/a.py: there is no 'proces' (did you mean 'process'?)" in found.stderr, found)
    check("handlers/b.py:1:12: SyntaxError: '(' was never closed" in found.stderr, found)
    found = troupe("validate", "--output", "json", cwd=home)
    check(found.returncode == 78 and '"line":1,"column":12' in found.stdout, found)
    # A folder that is somebody else's.
    if os.getuid() == 0:
        return "without the folder that cannot be written: root can write all"
    (home / "troupe.yaml").write_text("actors: {a: 'handlers/a.py:process'}\n")
    locked = project(folder, "locked", "actors: {a: 'handlers/a.py:process'}", a=ECHO)
    locked.chmod(0o500)
    refused = troupe("dev", "--port", 0, cwd=locked)
    locked.chmod(0o700)
    check(refused.returncode == 73 and "cannot write to" in refused.stderr, refused)
    return ""


def one_that_cannot_be_imported_stops_no_other(folder: Path) -> str:
    home = project(
        folder, "imports", "actors: {bad: 'handlers/bad.py:process', good: 'handlers/good.py:process'}",
        bad="import nothing_of_that_name\n\ndef process(payload):\n    return payload\n", good=ECHO)
    with Dev(home) as dev:
        dev.wait_for("No module named 'nothing_of_that_name'", "bad")
        check(dev.result(dev.submit(["good"], 1))["result"] == 1, "the other works")
    return ""


def whatever_a_handler_writes_is_shown_safely(folder: Path) -> str:
    noisy = r'''
import logging, sys

def process(payload):
    sys.stdout.buffer.write(b"\x1b[2J\x1b]0;owned\x07plain \xff\xfe text\n")
    sys.stdout.buffer.flush()
    print("x" * 100000)
    print("part", end="", flush=True)
    print(" and rest")
    logging.warning("by logging")
    return payload
'''
    home = project(folder, "noisy", "actors: {noisy: 'handlers/noisy.py:process'}", noisy=noisy)
    with Dev(home) as dev:
        dev.result(dev.submit(["noisy"], 1))
        dev.wait_for("WARNING:root:by logging", "noisy")
        texts = dev.texts("noisy")
        check("plain \ufffd\ufffd text" in texts and "part and rest" in texts, texts)
        check(any(text.startswith("xxxx") and text.endswith("bytes more)") for text in texts), "long lines are cut")
        check(not any("\x1b" in text for text in texts), texts)
    quiet = subprocess.Popen(
        [TROUPE, "dev", "--port", "0", "--quiet"], cwd=home, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(1)
    quiet.terminate()
    check(quiet.communicate(timeout=10)[0] == b"", "--quiet says nothing where nothing is wrong")
    return ""


def a_terminal_gets_colours(folder: Path) -> str:
    home = project(folder, "colours", "actors: {a: 'handlers/a.py:process'}", a="raise ValueError('no colour of mine')\n")

    def shown(env: dict) -> str:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [TROUPE, "dev", "--port", "0"], cwd=home, env={**environment(), **env}, stdin=theirs, stdout=theirs,
            stderr=theirs, start_new_session=True)
        os.close(theirs)
        text, begin = b"", time.monotonic()
        while b"save a change" not in text or b"try  " not in text:
            check(time.monotonic() - begin < 20, text)
            text += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        check(process.wait(15) == 0, "it ends well")
        os.close(ours)
        return text.decode()

    colourful, plain = shown({}), shown({"NO_COLOR": "1"})
    check("\x1b[36ma         │" in colourful and "\x1b[31merror: " in colourful, colourful)
    check("\x1b" not in plain and "ValueError: no colour of mine" in plain, plain)
    return ""


def who_asks_twice_does_not_wait(folder: Path) -> str:
    home = project(folder, "twice", "actors: {slow: 'handlers/slow.py:process'}", slow=SLOW)
    mark = f"twice-{os.getpid()}"
    with Dev(home, env={"MARK": mark}) as dev:
        id = dev.submit(["slow"], {"sleep": 600})
        wait_until(lambda: dev.envelope(id)["status"] == "running", "work")
        begin = time.monotonic()
        dev.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        check(dev.process.poll() is None, "what runs has a moment to finish")
        dev.process.send_signal(signal.SIGINT)
        check(dev.process.wait(5) == 130, dev.process.returncode)
        seconds = time.monotonic() - begin
        wait_until(lambda: alive_with(mark) == [], "nobody is left", 5)
    # What was in the middle is done after the next start.
    (home / "handlers" / "slow.py").write_text(ECHO)
    with Dev(home) as dev:
        check(dev.result(id)["status"] == "succeeded", "it goes on")
    return f"{seconds:.1f} s"


def the_project_file_is_applied(folder: Path) -> str:
    home = project(folder, "changing", "actors: {a: 'handlers/a.py:process'}", a=ECHO, b=ECHO)
    with Dev(home) as dev:
        (home / "troupe.yaml").write_text("actors: {a: 'handlers/a.py:process', b: handlers/nothing.py:process}")
        dev.wait_for("everything stays as it was", "dev")
        dev.wait_for("there is no file 'handlers/nothing.py'", "dev")
        check(dev.result(dev.submit(["a"], 1))["result"] == 1, "it goes on")
        (home / "troupe.yaml").write_text(
            "actors: {a: 'handlers/a.py:process', b: {handler: 'handlers/b.py:process', replicas: 2}}\n"
            "tools: [{name: both, route: [a, b]}]")
        dev.wait_for("troupe.yaml has changed: applied", "dev")
        check(dev.result(dev.submit(["a", "b"], 2))["result"] == 2, "the new actor works")
        wait_until(lambda: "both" in str(dev.request("GET", "/tools")), "the new tool")
        check(dev.replicas("b") == 2, "two replicas")
        (home / "troupe.yaml").write_text("actors: {a: 'handlers/a.py:process'}")
        wait_until(lambda: dev.replicas("b") == 0, "the actor is gone", details=dev.texts)
    return ""


def killed_in_the_middle(folder: Path) -> str:
    mark = f"dev-mark-{os.getpid()}"
    work = f'''
import subprocess, time

# A child of the handler's own, which knows nothing of us.
subprocess.Popen(["sleep", "1000"], env={{"MARK": "{mark}"}})

def process(payload):
    time.sleep(0.01)
    return payload
'''
    yaml = "actors: {first: {handler: 'handlers/work.py:process', replicas: 2}, second: 'handlers/work.py:process'}"
    home = project(folder, "killed", yaml, work=work)
    ids = []
    for kill in range(3):
        dev = Dev(home, env={"MARK": mark})
        ids += [dev.submit(["first", "second"], number) for number in range(len(ids), len(ids) + 70)]
        if kill == 0:
            wait_until(lambda: len(alive_with(mark)) > 5, "handlers and their children")
        dev.kill()
        wait_until(lambda: alive_with(mark) == [], "nobody is left", 5, lambda: map(str, alive_with(mark)))
    with Dev(home, env={"MARK": mark}) as dev:
        begin = time.monotonic()
        for number, id in enumerate(ids):
            envelope = dev.result(id, limit=60)
            check(envelope["status"] == "succeeded" and envelope["result"] == number, envelope)
        seconds = time.monotonic() - begin
        check(len(list((home / ".troupe").glob("results/happy-end/*/*/*.json"))) == len(ids), "each result is kept once")
    wait_until(lambda: alive_with(mark) == [], "nobody is left")
    return f"{len(ids)} envelopes, killed 3 times; finished {seconds:.1f} s after the last start"


def on_rabbitmq_and_postgresql(folder: Path, broker: str, database: str, empty_database: str) -> str:
    troupe("init", "servers", cwd=folder)
    home = folder / "servers"
    env = {"TROUPE_QUEUE_PREFIX": f"dev{os.getpid()}-", "TROUPE_RABBITMQ_EXCHANGE": f"dev{os.getpid()}"}
    refused = troupe("dev", "--port", 0, "--broker", broker, cwd=home)
    check(refused.returncode == 64 and "--broker and --database go together" in refused.stderr, refused)
    refused = troupe("dev", "--port", 0, "--broker", broker, "--database", empty_database, cwd=home, env=env)
    check(refused.returncode == 78 and "sqitch" in refused.stderr, refused)
    with Dev(home, "--broker", broker, "--database", database, env=env) as dev:
        envelope = dev.result(dev.submit(["read", "summarise", "measure"], {"path": "README.md"}))
        check(envelope["status"] == "succeeded" and envelope["result"]["words"] > 100, envelope)
        check(not (home / ".troupe" / "troupe.db").exists(), "nothing is kept in a file")
    return ""


SCENARIOS = [
    the_first_envelope, a_handler_is_edited_while_it_works, a_syntax_error_and_its_mending, a_crash_is_shown_once,
    one_that_cannot_be_imported_stops_no_other, replicas_follow_the_queue, whatever_a_handler_writes_is_shown_safely,
    a_terminal_gets_colours, the_project_file_is_applied, who_asks_twice_does_not_wait, what_cannot_be_is_said,
    killed_in_the_middle, faults_on_a_laptop,
]
