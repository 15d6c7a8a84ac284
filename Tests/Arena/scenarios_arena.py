"""What is broken in the arena, and what must come of it."""

import json
import subprocess
import time
from pathlib import Path

from arena_dev import REPOSITORY, Arena, Customers, home
from language_model import LanguageModel, plan
from pipeline_dev import TROUPE, check, environment, troupe, wait_until

import world
from villain import curriculum

# Service, tool and arguments; the incident's type. Kills and failures are in the next scenario.
FAULTS = [
    ("payment_service", "latency", {"ms": 2500}, "performance_issue"),
    ("echo_service", "memory", {"mb": 250}, "performance_issue"),
    ("api_gateway", "stop", {}, "service_down"),
    ("echo_service", "cpu", {"percent": 100, "seconds": 60}, "performance_issue"),
]


def felix_mends_each_kind_of_fault(folder: Path) -> str:
    with Arena(home(folder, "mends")) as arena:
        check(arena.call("get_users")["users"][0] == {"id": 1, "name": "Alice"}, "users")
        check(arena.call("echo", hello=1)["echo"]["hello"] == 1, "echo")
        arena.tool("felix", id="felix")
        right, told = 0, []
        # So few that they wait in no queue behind a slow service: that would be another test.
        with Customers(arena, pause=0.8) as customers:
            for service, tool, arguments, kind in FAULTS:
                known = len(arena.incidents())
                check(arena.call(tool, service=service, **arguments)["ok"], tool)
                incident = arena.incident_of(service, known)
                opened = [
                    (one["payload"]["incident"]["service"], one["payload"]["incident"]["type"])
                    for one in arena.incidents()[known:]]
                is_right = opened == [(service, kind)] and incident["status"] == "succeeded"
                right += is_right
                result = incident["result"] or {}
                done = ", ".join(f"{one['tool']} in {one['elapsed']} s" for one in result.get("actions", []))
                told.append(f"\n    {'right' if is_right else 'WRONG'}: {tool} {service}: {opened}; {done}; "
                            f"well after {result.get('verification', {}).get('after_s')} s")
                if not is_right:
                    told.append("\n".join(arena.timeline(incident["id"])))
                arena.calm()
        check(right == len(FAULTS), f"{right} of {len(FAULTS)} causes are right{''.join(told)}")
        paid = customers.account()
        last = arena.timeline(incident["id"])
        check(any(line.startswith("policy: ") for line in last) and "healthy" in last[-1], last)
    return f"{right} of {len(FAULTS)} causes right, all verified; {paid}{''.join(told)}"


def killed_at_the_worst_moment_nothing_is_done_twice(folder: Path) -> str:
    with Arena(home(folder, "killed"), FELIX_SETTLE_SECONDS="2", FELIX_SLOW_MS="10000") as arena:
        arena.tool("felix", id="felix")
        with Customers(arena) as customers:
            check(arena.call("kill", service="database_service")["ok"], "kill")
            # Its action is done, and not yet looked at: all of it is killed, the incident in the midst of its pause.
            wait_until(lambda: any("act: " in line for line in first_timeline(arena)), "an action", 30, arena.dev.texts)
            arena.killed_and_started_again()
            check(arena.incident_of("database_service", 0)["status"] == "succeeded", "mended in spite of it")
            arena.calm()
            # The handlers that look, judge and act are killed while they do.
            check(arena.call("inject_failure", service="user_service")["ok"], "inject")
            for actor in ("felix-detect", "felix-act", "felix-policy", "felix-act", "felix-verify"):
                arena.sigkill(actor)
                time.sleep(0.25)
            check(arena.incident_of("user_service", 1, 60)["status"] == "succeeded", "mended in spite of that")
            arena.calm()
        opened = [(one["payload"]["incident"]["service"], one["payload"]["incident"]["type"]) for one in arena.incidents()]
        check(opened == [("database_service", "service_down"), ("user_service", "service_unhealthy")], opened)
        actions = arena.rows("arena.db", "SELECT * FROM actions")
        check(len(actions) == 2 and all(row["ok"] for row in actions), actions)
        tick = len(arena.dev.envelope("felix")["steps"])
        wait_until(lambda: len(arena.dev.envelope("felix")["steps"]) > tick, "Felix goes on", 20)
        return customers.account()


def first_timeline(arena: Arena) -> list[str]:
    time.sleep(0.1)
    incidents = arena.incidents()
    return arena.timeline(incidents[0]["id"]) if incidents else []


def the_villain_keeps_to_its_seed_and_its_bounds(folder: Path) -> str:
    attacks, most = 7, 2
    with Arena(home(folder, "villain")) as arena:
        arena.tool("felix", id="felix")
        with Customers(arena) as customers:
            arena.tool("villain", id="villain", seed="7", interval=1.5, attacks=attacks, max_faults=most)
            wait_until(lambda: len(arena.operations("villain")) >= 2, "two attacks", 30, arena.dev.texts)
            arena.killed_and_started_again()
            end = arena.dev.result("villain", 60)
            check(end["status"] == "succeeded" and end["result"]["number"] == attacks, end)
            arena.calm()
            check(all(one["running"] for one in arena.call("status")["services"].values()), "all run")
        weights = {name: service.weight for name, service in world.read().items()}
        agreed = [
            (f"villain:{number}:{position}", strike.service, strike.op)
            for number in range(attacks) for position, strike in
            enumerate(curriculum.attack("7", number, weights).strikes)]
        struck = [(row["id"], row["service"], row["op"]) for row in arena.operations("villain")]
        check(set(struck) <= set(agreed) and len(set(struck)) == len(struck), (struck, agreed))
        check(len(struck) == end["result"]["struck"] == attacks - end["result"]["skipped"], (struck, end["result"]))
        states = [one["status"] for one in arena.incidents()]
        check(states and set(states) == {"succeeded"}, states)
        return f"{len(struck)} attacks, {end['result']['skipped']} skipped, {len(states)} incidents; {customers.account()}"


def a_language_model_plans_within_the_policy(folder: Path) -> str:
    with LanguageModel() as model, Arena(
        home(folder, "model"), USE_LLM="true", LLM_URL=model.url, LLM_TIMEOUT="0.5", FELIX_COOLDOWN_SECONDS="0.2",
    ) as arena:
        arena.tool("felix", id="felix")
        recover = plan("recover_service", "echo_service")
        for answers, source, fallback in [
            ([429, recover], "llm", None),
            ([plan("kubectl delete", "echo_service")], "template", "'kubectl delete' is none of"),
            ([401], "template", "refused: HTTP 401"),
            ([1.5], "template", "busy after 3 attempts"),
        ]:
            model.answers, known = list(answers), len(arena.incidents())
            check(arena.call("inject_failure", service="echo_service")["ok"], "inject")
            incident = arena.incident_of("echo_service", known)
            check(incident["status"] == "succeeded", incident)
            decided = incident["result"]["plan"]
            check(decided["source"] == source and (fallback or "None") in str(decided["fallback"]), decided)
            arena.calm()
        return f"{model.asked} questions to the model"


def a_person_is_asked_and_gets_what_cannot_be_mended(folder: Path) -> str:
    with LanguageModel() as model, Arena(
        home(folder, "person"), USE_LLM="true", LLM_URL=model.url, LLM_API_KEY="sk-secret", FELIX_ATTEMPTS="2",
        FELIX_ASK_FOR="restart_service", FELIX_COOLDOWN_SECONDS="0.2",
    ) as arena:
        arena.tool("felix", id="felix")
        # What the model wants does not help: it goes to a person, once, and is not opened anew while nobody has come.
        model.answers, known = [plan("optimize_config", "echo_service")], len(arena.incidents())
        check(arena.call("stop", service="echo_service")["ok"], "stop")
        lost = arena.incident_of("echo_service", known)
        check(lost["status"] == "failed" and "not healthy after 2 plans" in lost["error"], lost)
        time.sleep(1.5)
        opened = [(one["id"], one["payload"]["incident"]) for one in arena.incidents()[known:]]
        check(len(opened) == 1, ("it is left to that person", opened))
        check(arena.call("start", service="echo_service")["ok"], "a person mends it")
        arena.calm()

        # What a person must approve waits for that word.
        model.answers = [plan("restart_service", "echo_service")]
        check(arena.call("kill", service="echo_service")["ok"], "kill")
        wait_until(lambda: len(arena.incidents()) == known + 2, "an incident", 30, arena.dev.texts)
        asked = arena.incidents()[-1]["id"]
        wait_until(lambda: any("a person must approve" in line for line in arena.timeline(asked)), "the question", 20)
        check(arena.dev.envelope(asked)["status"] == "running", "it waits")
        words = next(line for line in arena.timeline(asked) if "approve --arg" in line)
        url = f"http://127.0.0.1:{arena.dev.port}"
        approved = troupe(
            "call", "approve", "--arg", words.split("--arg ")[1], "--gateway", url, "--wait", cwd=arena.home)
        check(approved.returncode == 0 and '"approved":true' in approved.stdout.replace(" ", ""), approved)
        check(arena.dev.result(asked, 40)["status"] == "succeeded", "done and verified")

        shown = troupe("incidents", "--gateway", url, cwd=arena.home).stdout
        check("escalated" in shown and "verified" in shown and "restart_service echo_service" in shown, shown)
        timeline = troupe("incidents", asked, "--gateway", url, cwd=arena.home).stdout
        check("service_down of echo_service" in timeline and "policy: " in timeline and "healthy" in timeline, timeline)
        exported = troupe("incidents", "--output", "json", "--gateway", url, cwd=arena.home).stdout.splitlines()
        incidents = [json.loads(line) for line in exported]
        check(len(incidents) == known + 2 and all(one["timeline"] for one in incidents), exported)
        everything = "\n".join([*exported, *arena.dev.texts()])
        check("sk-secret" not in everything, "the key is nowhere")
        return f"{len(incidents)} incidents, {model.asked} questions to the model"


def the_guide_tells_the_truth(folder: Path) -> str:
    """Its commands, one after the other, as somebody types them; only the waiting is shorter."""
    guide = (REPOSITORY / "docs" / "arena.md").read_text()
    block = guide.split("In a second terminal:")[1].split("```sh")[1].split("```")[0]
    with Arena(home(folder, "guide")) as arena:
        done = subprocess.run(
            # A payment in ten is declined: then the command says so, by 1.
            ["bash", "-euxc", block.replace("sleep 15", "sleep 7").replace("9.5 --wait", "9.5 --wait || test $? = 1")],
            cwd=arena.home, text=True, timeout=80,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={
                **environment(), "PATH": f"{TROUPE.parent}:/usr/bin:/bin",
                "TROUPE_GATEWAY_URL": f"http://127.0.0.1:{arena.dev.port}"})
        check(done.returncode == 0, done.stdout)
        check((arena.home / "incidents.jsonl").read_text().count("\n") >= 1, done.stdout)
    return f"{block.count('troupe ')} commands"


# Side by side.
LANES = [
    [felix_mends_each_kind_of_fault, a_person_is_asked_and_gets_what_cannot_be_mended],
    [the_guide_tells_the_truth, a_language_model_plans_within_the_policy],
    [killed_at_the_worst_moment_nothing_is_done_twice, the_villain_keeps_to_its_seed_and_its_bounds],
]
