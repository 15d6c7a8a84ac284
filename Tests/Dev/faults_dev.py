"""What somebody does with faults on a laptop, and what must come of it."""

import json
import random
import time
from pathlib import Path

from guard import Problem
from pipeline_dev import Dev, check, project, troupe, wait_until

YAML = """
faults: true
actors:
  first:
    handler: handlers/first.py:process
    concurrency: 2
    timeout: 3s
    retry: {attempts: 100, initialDelay: 50ms, maxDelay: 200ms, only: ["injected_.*", timeout, runtime_error]}
  second:
    handler: handlers/second.py:process
    replicas: 2
    retry: {attempts: 100, initialDelay: 50ms, maxDelay: 200ms, only: ["injected_.*", timeout, runtime_error]}
  plain: {handler: handlers/plain.py:process, timeout: 2s}
  villain: {handler: handlers/villain.py:process, faults: false}
"""

WORK = "def process(payload):\n    return {**payload, '%s': True}\n"
PLAIN = "def process(payload):\n    return {'price': 12.50, 'names': ['a', 'b'], 'of': payload}\n"

# As docs/faults.md has it.
VILLAIN = '''
import json, os, urllib.request

def process(payload):
    request = urllib.request.Request(
        os.environ["TROUPE_GATEWAY_URL"] + "/faults", json.dumps(payload).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
'''

KINDS = [
    {"kind": "latency", "delay": "30ms", "intensity": 3}, {"kind": "timeout", "delay": "50ms"}, {"kind": "error"},
    {"kind": "crash"}, {"kind": "crash", "delay": "5ms"}, {"kind": "cpu", "cpu": "200ms"},
    {"kind": "memory", "bytes": 5_000_000}, {"kind": "drop"}, {"kind": "hang"},
]


def faults_on_a_laptop(folder: Path) -> str:
    home = project(
        folder, "faults", YAML, first=WORK % "first", second=WORK % "second", plain=PLAIN, villain=VILLAIN)
    off(home)
    with Dev(home) as dev:
        one_of_each_kind(dev)
        reset_helps_at_once(dev)
        a_handler_injects(dev)
        the_command(dev)
        found = every_kind_under_load(dev)
        # Another start learns of it.
        dev.request("POST", "/faults", {"kind": "error", "actor": "plain", "duration": "60s", "id": "survivor"})
    with Dev(home) as dev:
        wait_until(lambda: "begins" in "".join(dev.texts("plain")), "news of the fault", details=dev.texts)
        check(ended(dev, "plain")["status"] == "failed", "it has survived the restart")
        check(dev.request("DELETE", "/faults/survivor")["faults"][0]["state"] == "reset", "it ends")
    return found


def off(home: Path) -> None:
    yaml = (home / "troupe.yaml").read_text()
    (home / "troupe.yaml").write_text(yaml.replace("faults: true\n", ""))
    with Dev(home) as dev:
        try:
            dev.request("POST", "/faults", {"kind": "drop", "actor": "plain"})
        except Problem as problem:
            check("faults_disabled" in str(problem) and "TROUPE_FAULTS_ENABLED=true" in str(problem), problem)
        else:
            raise Problem("a fault was injected where none may be")
    (home / "troupe.yaml").write_text(yaml)


def inject(dev: Dev, actor: str, kind: str, **more: object) -> str:
    """Returns when the sidecars have heard of it."""
    fault = dev.request("POST", "/faults", {"kind": kind, "actor": actor, **more})["id"]
    heard = lambda: sum("fault begins" in text and fault in text for text in dev.texts(actor))  # noqa: E731
    wait_until(lambda: heard() == (2 if actor == "second" else 1), f"news of {kind}", details=dev.texts)
    return fault


def ended(dev: Dev, actor: str) -> dict:
    return dev.result(dev.submit([actor], {"n": 1}))


def marks(envelope: dict) -> list[str]:
    return [fault["kind"] for step in envelope["steps"] for fault in step.get("faults", [])]


def one_of_each_kind(dev: Dev) -> None:
    as_it_is = ended(dev, "plain")
    check(marks(as_it_is) == [] and as_it_is["result"] == {"price": 12.5, "names": ["a", "b"], "of": {"n": 1}}, as_it_is)

    inject(dev, "plain", "latency", times=1, delay="350ms", intensity=2)
    slow = ended(dev, "plain")
    check(slow["status"] == "succeeded" and 700 <= slow["steps"][0]["run_ms"] < 2000, slow)
    check(slow["steps"][0]["faults"][0]["message"].startswith("injected 700ms of latency, by fault f-"), slow)

    inject(dev, "plain", "error", times=1, error_type="database_error", message="no rows", id="e:1")
    failed = ended(dev, "plain")
    check(failed["error"] == "database_error: no rows (injected by fault e:1)", failed)
    check(failed["result"]["details"]["injected"] is True and failed["result"]["details"]["fault"] == "e:1", failed)
    check(marks(failed) == ["error"], failed)
    history = dev.request("GET", f"/envelopes/{failed['id']}/history")["updates"]
    check(any(update.get("type") == "fault" and update["data"]["injected"] for update in history), history)

    inject(dev, "plain", "timeout", times=1, delay="300ms")
    check("timeout: time-out after 300ms (injected" in ended(dev, "plain")["error"], "a time-out")

    inject(dev, "first", "error", times=1)
    retried = ended(dev, "first")
    check(retried["status"] == "succeeded" and [step["outcome"] for step in retried["steps"]] == ["retrying", "completed"], retried)

    changes = [{"op": "scale", "at": "/price", "factor": -2}, {"op": "null", "at": "/names/*"}, {"op": "drop", "at": "/of/n"}]
    inject(dev, "plain", "bad_data", times=1, changes=changes)
    bad = ended(dev, "plain")
    check(bad["result"] == {"price": -25, "names": [None, None], "of": {}} and marks(bad) == ["bad_data"], bad)
    inject(dev, "plain", "bad_data", times=1)
    check(ended(dev, "plain")["result"] != as_it_is["result"], "a change of chance")

    inject(dev, "plain", "crash", times=1)
    crashed = ended(dev, "plain")
    check(crashed["status"] == "succeeded" and marks(crashed) == ["crash"], crashed)
    dev.wait_for("the handler has ended (signal 9)", "plain")
    inject(dev, "plain", "crash", times=1, delay="5s")
    check(ended(dev, "plain")["status"] == "succeeded", "it dies when it answers, and is called again")
    dev.wait_for("the handler has ended (signal 9)", "plain", times=2)

    inject(dev, "plain", "hang", times=1)
    hung = ended(dev, "plain")
    check("timeout: the runtime did not answer (injected" in hung["error"] and hung["steps"][0]["run_ms"] >= 1900, hung)
    check(ended(dev, "plain")["status"] == "succeeded", "its runtime was replaced")

    inject(dev, "plain", "drop", times=1)
    dropped = ended(dev, "plain")
    check(dropped["status"] == "succeeded" and marks(dropped) == ["drop"], dropped)

    for kind, more in [("cpu", {"cpu": "300ms", "load": 1}), ("memory", {"bytes": 50_000_000})]:
        before = footprint(dev)[kind]
        fault = inject(dev, "plain", kind, times=1, **more)
        check(marks(ended(dev, "plain")) == [kind], kind)
        least = 0.3 if kind == "cpu" else 45_000_000
        wait_until(lambda: footprint(dev)[kind] - before >= least, f"{kind} is used")
        dev.request("DELETE", f"/faults/{fault}")
        if kind == "memory":
            wait_until(lambda: footprint(dev)[kind] - before < 20_000_000, "it is given back")
    dev.request("DELETE", "/faults")


def footprint(dev: Dev) -> dict[str, float]:
    fields = Path(f"/proc/{dev.process.pid}/stat").read_text().rpartition(")")[2].split()
    return {"cpu": (int(fields[11]) + int(fields[12])) / 100, "memory": int(fields[21]) * 4096}


def reset_helps_at_once(dev: Dev) -> None:
    fault = inject(dev, "second", "latency", delay="20s", match={"mission": "m-1"})
    slow = dev.request("POST", "/envelopes", {
        "route": {"actors": ["second"]}, "payload": {}, "headers": {"mission": "m-1"}})["id"]
    other = dev.request("POST", "/envelopes", {
        "route": {"actors": ["second"]}, "payload": {}, "headers": {"mission": "m-2"}})["id"]
    check(dev.result(other)["status"] == "succeeded", "of another mission")
    cancelled = dev.request("POST", "/envelopes", {
        "route": {"actors": ["second"]}, "payload": {}, "headers": {"mission": "m-1"}})["id"]
    for id in (slow, cancelled):
        wait_until(lambda: marks(dev.envelope(id)) == ["latency"], "it waits", details=dev.texts)
    check(dev.request("POST", f"/envelopes/{cancelled}/cancel")["status"] == "cancelled", "it can be cancelled")
    begin = time.monotonic()
    dev.request("DELETE", f"/faults/{fault}")
    check(dev.result(slow)["status"] == "succeeded" and time.monotonic() - begin < 5, "it goes on")
    # Nobody resets it.
    inject(dev, "second", "hang", duration="1s")
    check(ended(dev, "second")["status"] == "succeeded", "it ends by itself")


def a_handler_injects(dev: Dev) -> None:
    fault = {"kind": "error", "actor": "plain", "id": "villain:1", "times": 1, "owner": "villain"}
    for _ in range(2):
        answer = dev.result(dev.submit(["villain"], fault))
        check(answer["status"] == "succeeded" and answer["result"]["id"] == "villain:1", answer)
    wait_until(lambda: any("villain:1" in text for text in dev.texts("plain")), "news of it")
    check(ended(dev, "plain")["status"] == "failed" and ended(dev, "plain")["status"] == "succeeded", "once")
    check(len(dev.request("DELETE", "/faults?owner=villain")["faults"]) == 1, "its own are reset")


def the_command(dev: Dev) -> None:
    url = f"http://127.0.0.1:{dev.port}"
    def command(*arguments: str) -> str:
        done = troupe("fault", *arguments, "--gateway", url, cwd=dev.folder)
        check(done.returncode == 0, done)
        return done.stdout
    check("until 20" in command("inject", "bad_data", "plain", "--for", "1m", "--change",
                                '{"op":"null","at":"/price"}', "--owner", "me", "--match", "mission=m-9"), "injected")
    shown = command("list")
    check("bad_data" in shown and "mission" in shown and "/price" in shown and "me" in shown, shown)
    check(json.loads(command("list", "--output", "json"))["faults"][0]["match"] == {"mission": "m-9"}, "as JSON")
    check("has ended: reset" in command("reset", "--owner", "me"), "reset")
    check(command("list") == "no faults\n", "none")
    wrong = troupe("fault", "inject", "latency", "plain", "--delay", "1h", "--gateway", url, cwd=dev.folder)
    check(wrong.returncode != 0 and "TROUPE_FAULTS_MAX_LATENCY" in wrong.stderr, wrong)
    inject(dev, "plain", "error", times=1)
    id = dev.submit(["plain"], {})
    watched = troupe("watch", id, "--gateway", url, cwd=dev.folder)
    check("fault: injected the error InjectedError, by fault f-" in watched.stdout, watched)
    status = troupe("status", id, "--gateway", url, cwd=dev.folder)
    check("plain: injected the error InjectedError, by fault f-" in status.stdout, status)


def every_kind_under_load(dev: Dev, envelopes: int = 150) -> str:
    chance, ids, begin = random.Random(7), [], time.monotonic()
    for number in range(envelopes):
        ids.append(dev.submit(["first", "second"], {"number": number}))
        if number % 3 == 0:
            dev.request("POST", "/faults", {
                **KINDS[number // 3 % len(KINDS)], "actor": chance.choice(["first", "second", "*"]), "seed": number,
                "probability": chance.choice([0.2, 0.5, 1]), "duration": f"{chance.randint(300, 1500)}ms"})
        time.sleep(chance.uniform(0, 0.05))
    kinds: dict[str, int] = {}
    for number, id in enumerate(ids):
        envelope = dev.result(id, limit=60)
        check(envelope["status"] == "succeeded", envelope)
        check(envelope["result"] == {"number": number, "first": True, "second": True}, envelope)
        for kind in marks(envelope):
            kinds[kind] = kinds.get(kind, 0) + 1
    check({one["kind"] for one in KINDS} <= set(kinds), kinds)
    kept = list((dev.folder / ".troupe" / "results").glob("happy-end/*/*/*.json"))
    check(len([path for path in kept if path.stem in set(ids)]) == envelopes, "each has ended once")
    check(dev.request("GET", "/dead-letters")["dead_letters"] == [], "no dead letters")
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{envelopes} envelopes, none lost in {time.monotonic() - begin:.0f} s of {counts}"
