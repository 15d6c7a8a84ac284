#!/usr/bin/env python3
"""The fault suite: breaks one thing after the other under load, and proves that no envelope is lost by it.

    faults.py [--soak] [--envelopes N] [--seconds S] [--seed SEED] [--only NAME[,NAME]] [--programs FOLDER]

The seed says what is submitted, what fails, and who is struck when; a run is replayed with the seed that it has
printed. KEEP=1 keeps the folder with logs.
"""

import argparse
import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "deploy" / "local"))

import guard  # noqa: E402
from children import tail  # noqa: E402

import amqp  # noqa: E402
import scenarios  # noqa: E402
import workload  # noqa: E402
import world  # noqa: E402
from invariants import Facts, Stored, Verdict, lost_of, verdict  # noqa: E402
from run import FINAL, Run  # noqa: E402
from scenarios import Scenario  # noqa: E402
from world import World  # noqa: E402

TICK = 0.05
MOST_COMPLAINTS = 20
COLUMNS = "{:<22}{:>10}{:>6}{:>12}{:>13}{:>10}  {}"


@dataclass
class Outcome:
    scenario: str
    envelopes: int
    verdict: Verdict
    redelivered: int
    recovery: float
    notes: list[str]

    def __str__(self) -> str:
        return COLUMNS.format(
            self.scenario, self.envelopes, len(self.verdict.lost), len(self.verdict.duplicated), self.redelivered,
            f"{self.recovery:.1f} s", "; ".join(["FAILED" if self.verdict.complaints else "passed", *self.notes]))


def main(folder: Path, options: argparse.Namespace) -> int:
    chosen = [scenario for scenario in scenarios.ALL
              if scenario.name in options.only or not options.only and (options.soak or not scenario.takes_long)]
    # The measure of all others.
    if chosen[0].name != scenarios.ALL[0].name:
        chosen.insert(0, scenarios.ALL[0])
    print(f"seed {options.seed}: {options.envelopes} envelopes of {workload.PARTS} parts in each of {len(chosen)} "
          "scenarios", flush=True)
    outcomes: list[Outcome] = []
    reference: dict[str, Any] = {}
    with world.started(folder, options.programs.absolute(), options.reports == "http") as running:
        for scenario in chosen:
            outcome = play(scenario, running, options, reference)
            outcomes.append(outcome)
            print(f"    {outcome}", flush=True)
            if outcome.verdict.complaints:
                explain(outcome, running)
    header = COLUMNS.format(
        "scenario", "envelopes", "lost", "duplicated", "redelivered", "recovery", "")
    print("\n".join(["", header.rstrip(), *map(str, outcomes), ""]))
    failed = sum(bool(outcome.verdict.complaints) for outcome in outcomes) + len(chosen) - len(outcomes)
    if failed:
        print(f"replay with --seed {options.seed} --envelopes {options.envelopes} --seconds {options.seconds:g}")
    print(f"{len(chosen) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def play(scenario: Scenario, running: World, options: argparse.Namespace, reference: dict[str, Any]) -> Outcome:
    run = Run(running, scenario.name, options.seed, options.envelopes, options.seconds)
    redelivered = running.watcher.redeliveries
    running.deaths.clear()
    running.watcher.silent.clear()
    complaints: list[str] = []
    if not scenario.submits_by_itself:
        run.submit(range(run.count), run.seconds)
    for pause in scenario.steps(run):
        until = time.monotonic() + pause
        while time.monotonic() < until:
            running.tend()
            time.sleep(TICK)
    # What is still to be submitted when the fault is over is no part of the recovery.
    over = max(time.monotonic(), run.begin + run.seconds)
    complaints += wait_for_the_end(run, over + options.limit)
    recovery = max(0, time.monotonic() - over)
    stored = stored_results(run)
    half_written = remove_half_written(run)
    if half_written:
        run.note(f"{half_written} half-written files left")
    facts = gather(run, scenario, stored)
    if not reference:
        reference.update({key: results[0].payload for key, results in stored.items()})
        complaints += unlike_the_model(reference, options)
    found = verdict(facts, reference)
    if facts.dead:
        run.note(f"{sum(map(len, facts.dead.values()))} dead letters")
    if facts.victims:
        run.note(f"{len(facts.victims & lost_of(facts))} of {len(facts.victims)} gone with the queue")
    for submitter in run.submitters:
        found.complaints += submitter.complaints[:5]
    allowed = tuple(f"{name} ended" for name in scenario.may_end)
    found.complaints += [death for death in running.deaths if not death.startswith(allowed or ("-",))]
    found.complaints += sorted(set(running.watcher.silent))
    found.complaints[:0] = complaints
    return Outcome(scenario.name, len(facts.statuses), found, running.watcher.redeliveries - redelivered, recovery, run.notes)


def wait_for_the_end(run: Run, deadline: float) -> list[str]:
    """Until everything is accepted and final, and nothing is on its way any more; what is missing at `deadline`."""
    while True:
        run.world.tend()
        missing = "not all envelopes are accepted" if run.is_submitting else ""
        if not missing:
            left = run.unfinished() - run.victims
            missing = f"{len(left)} envelopes are not final: {', '.join(sorted(left)[:5])}" if left else ""
        if not missing and run.is_busy():
            missing = "messages are still on their way"
        if not missing:
            return []
        if time.monotonic() > deadline:
            for submitter in run.submitters:
                submitter.stop()
            return [f"too late: {missing}"]
        time.sleep(2 * TICK)


def gather(run: Run, scenario: Scenario, stored: Mapping[str, list[Stored]]) -> Facts:
    rows = run.world.query(
        f"SELECT envelope_id, count(*) FROM envelope_updates WHERE envelope_id LIKE '{run.scenario}-%' "
        f"AND status IN {FINAL} GROUP BY envelope_id")
    queues = run.world.queues()
    return Facts(
        expected=workload.expected_ends(run.seed, run.count),
        statuses=run.statuses(),
        final_updates={workload.key_of(run.scenario, id): int(count) for id, count in rows},
        stored=stored,
        dead=dead_letters(run, scenario, queues),
        queues=queues,
        outbox=run.outbox,
        victims=frozenset(run.victims),
        in_hand=world.PREFETCH if run.victims else 0,
        dead_letters_allowed=frozenset(scenario.dead_letters))


def stored_results(run: Run) -> dict[str, list[Stored]]:
    """Takes them out of the folder: the next scenario needs the room."""
    stored: dict[str, list[Stored]] = {}
    for path in sorted(run.pipeline.results.glob("*/*/*/*.json")):
        key = workload.key_of(run.scenario, path.stem)
        end = path.relative_to(run.pipeline.results).parts[0]
        stored.setdefault(key, []).append(Stored(end, json.loads(path.read_bytes())["payload"]))
        path.unlink()
    return stored


def remove_half_written(run: Run) -> int:
    """Whoever is killed while he writes leaves them; nobody takes them for results."""
    files = list(run.pipeline.results.glob(".partial/*"))
    for file in files:
        file.unlink()
    return len(files)


def dead_letters(
    run: Run, scenario: Scenario, queues: Mapping[str, tuple[int, int]]
) -> dict[str, list[Stored]]:
    """Takes them out of their queues, too."""
    dead: dict[str, list[Stored]] = {}
    for name in (name for name, (ready, _) in queues.items() if name.endswith("-dlq") and ready):
        end = name.removeprefix("troupe-").removesuffix("-dlq")
        for body in amqp.taken_from(run.world.servers.rabbitmq_url, name):
            envelope = json.loads(body)
            dead.setdefault(workload.key_of(run.scenario, envelope["id"]), []).append(Stored(end, envelope["payload"]))
    return dead


def unlike_the_model(reference: Mapping[str, Any], options: argparse.Namespace) -> list[str]:
    """The undisturbed run itself is measured by what the handlers would say."""
    sys.path.insert(0, str(Path(__file__).parent))
    import handlers
    found = []
    for number, part in workload.parts(options.envelopes):
        key = workload.key(number, part)
        given = {**workload.payload(options.seed, number), "part": part}
        result = reference.get(key)
        if workload.fails(options.seed, number, part):
            result = result.get("original_payload") if isinstance(result, dict) else None
        else:
            given["digest"] = handlers.digest(given)
        if result != given:
            found.append(f"{key}: its result is not what the handlers make of it")
    return found[:5]


def explain(outcome: Outcome, running: World) -> None:
    """What is wrong, and what those had to say who are to blame: where the lost ones are, and who ended by himself."""
    complaints = outcome.verdict.complaints
    print("\n".join(f"      - {complaint}" for complaint in complaints[:MOST_COMPLAINTS]))
    if len(complaints) > MOST_COMPLAINTS:
        print(f"      - and {len(complaints) - MOST_COMPLAINTS} more")
    places = running.query(
        f"SELECT DISTINCT coalesce(current_actor_name, '') FROM envelopes WHERE id LIKE '{outcome.scenario}-%' "
        f"AND status NOT IN {FINAL}")
    actors = {name for [name] in places if name} or {"happy-end", "error-end"}
    for child in running.pipeline.children:
        actor = child.name.removesuffix("-sidecar").removesuffix("-handler")
        if actor in actors or child.name == "gateway" or any(child.name in complaint for complaint in complaints):
            print(tail(child.log, 12))
    print(f"--- queues (ready, unacknowledged): {running.queues()}", flush=True)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soak", action="store_true", help="2,000 envelopes over 40 s, and the scenarios that take long")
    parser.add_argument("--envelopes", type=int, metavar="N", help="to submit in each scenario (700)")
    parser.add_argument("--seconds", type=float, metavar="S", help="over which they are submitted (7)")
    parser.add_argument("--limit", type=float, metavar="S", help="for the recovery of a scenario (120)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="NAMES")
    parser.add_argument("--reports", choices=["broker", "http"], default="broker", help="how sidecars report")
    parser.add_argument("--programs", type=Path, default=REPOSITORY / ".build" / "debug", metavar="FOLDER")
    options = parser.parse_args(arguments)
    usual = {"envelopes": 2000, "seconds": 40, "limit": 300} if options.soak else {
        "envelopes": 700, "seconds": 7, "limit": 120}
    for name, value in usual.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    unknown = set(options.only) - {scenario.name for scenario in scenarios.ALL}
    if unknown or options.envelopes < 10:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}" if unknown else "--envelopes: at least 10")
    return options


if __name__ == "__main__":
    options = parse(sys.argv[1:])
    guard.run(lambda folder: main(folder, options))
