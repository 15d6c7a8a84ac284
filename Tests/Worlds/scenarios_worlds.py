"""What must hold when missions, arena, shop and demo run as one."""

import json
import threading
import time
from pathlib import Path

import score
from pipeline_dev import FINAL, Dev, check, wait_until
from scenarios_shop import Traffic
from worlds_dev import ARENA, Worlds, home

SEED, FIRST, ATTACKS = "7171", 15, 8
NOISE = 2  # incidents that no strike accounts for: a busy machine is slow now and then


def all_run_as_one(dev: Worlds) -> str:
    """Somebody uses each of them, at once."""
    mission = dev.call("create_mission", source_id="planet-a", destination_id="planet-b", rps=3, seconds=4)["id"]
    dev.tool("felix", interval=1)
    injected = dev.call("inject_failure", service="user_service")
    check(injected["ok"], injected)
    extract = dev.tool("extract", name="a text", text="# One\nActors send letters.\n\n# Two\nLetters are kept.\n")
    token = dev.call("signup", email="eve@example.com", password="secure123")["access_token"]
    added = dev.call("cart_add", token=token, product_id="p1", quantity=2)
    check(added["status"] == "added", added)
    paid = dev.call("checkout", token=token)
    check((paid["status"], paid["amount_usd"]) == ("paid", 159.98), paid)
    check(dev.result(extract, 60)["status"] == "succeeded", "a text is extracted")

    def shown() -> dict:
        time.sleep(0.3)
        return dev.call("get_mission", mission_id=mission)

    def flew() -> bool:
        flown.update(shown())
        return flown["status"] == "completed" and flown["in_flight"] == 0

    flown: dict = {}
    wait_until(flew, "the mission's end", 60, dev.texts)
    check(flown["docked"] + flown["failed"]["total"] == flown["offered"] > 5, flown)
    ended: list[dict] = []

    def mended() -> bool:
        time.sleep(0.3)
        ended[:] = dev.request("GET", "/envelopes?tool=incident&limit=10")["envelopes"]
        return bool(ended) and all(one["status"] in FINAL for one in ended)

    wait_until(mended, "the end of an incident", 60, dev.texts)
    check([one["status"] for one in ended] == ["succeeded"], ended)
    return f"{flown['docked']} ships docked, an order paid, a text extracted, an incident of user_service mended"


def on_one_machine(folder: Path) -> str:
    """Embedded; and a planet comes, by a change of a file that is included."""
    with Worlds(home(folder, "embedded")) as dev:
        said = all_run_as_one(dev)
        planets = dev.call("get_universe_state")["config"]["planets"]
        edit = {"planets": [*planets, {"id": "planet-e", "type": "trade"}]}
        dev.call("update_universe_config", updates=edit)
        applied = dev.call("apply_universe_config")
        check(applied["verified_at"] and dev.replicas("planet-e") == 1, applied)
        attacked = the_villain_attacks_the_shop(dev)
    return f"{said}, a planet came\n{attacked}"


def on_servers(folder: Path, *options: str) -> str:
    with Worlds(home(folder, "servers"), *options) as dev:
        return all_run_as_one(dev)


# ---- The villain in the shop


class Load:
    """Normal load runs, one behind the other, and somebody who buys."""

    def __init__(self, dev: Worlds):
        self.dev, self.runs, self.over = dev, [dev.tool("load_test", test="normal")], threading.Event()
        self.buyers = Traffic(pause=0.25)
        self.buyers.begin(dev)
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self) -> None:
        while not self.over.wait(0.5):
            if self.dev.envelope(self.runs[-1])["status"] in FINAL:
                self.runs.append(self.dev.tool("load_test", test="normal"))

    def end(self) -> None:
        """Nobody comes any more; the last run need not go to its end."""
        self.over.set()
        self.thread.join(10)
        self.buyers.pause()
        if self.dev.envelope(self.runs[-1])["status"] not in FINAL:
            self.dev.cancel(self.runs[-1])

    def reports(self) -> dict[str, dict]:
        """By run, of those that went to their end."""
        ended = {run: self.dev.envelope(run) for run in self.runs}
        return {run: one["result"] for run, one in ended.items() if one["status"] == "succeeded"}


def the_villain_attacks_the_shop(dev: Worlds) -> str:
    begin = time.monotonic()
    mission = dev.call("create_mission", source_id="planet-a", destination_id="planet-c", rps=1)["id"]
    load = Load(dev)
    watch = dev.tool("watch", poll_seconds=0.5)
    wait_until(lambda: is_ready(dev), "the detector has learnt enough", 120, dev.texts)
    villain = dev.tool(
        "villain", seed=SEED, prey="shop", number=FIRST, attacks=FIRST + ATTACKS, interval=4, max_faults=1,
        patient=True)
    wait_until(lambda: is_over(dev, villain), "the end of the villain", 300, lambda: state_of(dev))
    # It does not wait for the end of its last one.
    wait_until(lambda: all(one.is_mended for one in scored(dev)), "the end of each strike", 180, lambda: state_of(dev))
    wait_until(lambda: not unsettled(dev), "the end of all incidents", 180, lambda: state_of(dev))
    seconds = time.monotonic() - begin
    for looping in (watch, mission, *felixes(dev)):
        dev.cancel(looping)
    load.end()
    found, incidents = scored(dev), ended_or_not(dev)
    known = {one.incident for one in found}
    noise = [one for one in incidents if one["id"] not in known and one["status"] != "succeeded"]
    shown = score.table(found)
    check(len(found) == ATTACKS, f"{ATTACKS} strikes:\n{shown}")
    check(all(one.is_right for one in found), f"root causes:\n{shown}")
    check(all(one.is_mended for one in found), f"mended and verified:\n{shown}")
    check(len(noise) <= NOISE, [one["payload"] for one in noise])
    check(dev.request("GET", "/faults")["faults"] == [], "no fault is left")
    return "\n".join([
        shown, f"      {len(found)} of {len(found)} root causes right, recovered and verified without a person, in "
        f"{seconds:.0f} s; {len(incidents) - len(found)} other incidents, {len(noise)} of them given up",
        nothing_is_lost(dev, load)])


def is_ready(dev: Worlds) -> bool:
    time.sleep(0.5)
    services = dev.call("watch_status")["services"]
    return len(services) == 5 and all(one["ready"] for one in services.values())


def is_over(dev: Worlds, id: str) -> bool:
    time.sleep(0.3)
    return dev.envelope(id)["status"] in FINAL


def state_of(dev: Worlds) -> list[str]:
    return [
        score.table(scored(dev)), str(dev.request("GET", "/faults")["faults"]),
        *(f"{one['id']}: {one['status']} {one['message']} {one.get('error')}" for one in ended_or_not(dev)),
        json.dumps(dev.call("watch_status"))]


def scored(dev: Worlds) -> list[score.Line]:
    time.sleep(0.3)
    strikes = dev.rows("arena/.troupe/arena.db", "SELECT * FROM operations WHERE owner = 'villain' ORDER BY number")
    return score.lines(strikes, ended_or_not(dev))


def ended_or_not(dev: Worlds) -> list[dict]:
    return [dev.envelope(row["id"]) for row in incidents_of(dev)]


def incidents_of(dev: Worlds) -> list[dict]:
    return dev.rows("shop/.troupe/shop/incidents.db", "SELECT id, state FROM incidents ORDER BY opened_at")


def unsettled(dev: Worlds) -> list[str]:
    time.sleep(0.3)
    return [row["id"] for row in incidents_of(dev) if dev.envelope(row["id"])["status"] not in FINAL]


def felixes(dev: Worlds) -> list[str]:
    return [one["id"] for one in dev.request("GET", "/envelopes?tool=felix&limit=10")["envelopes"]]


def nothing_is_lost(dev: Worlds, load: Load) -> str:
    """Whatever was submitted has an end, and the store knows as many as those who have submitted them."""
    def kept() -> dict[str, str]:
        return {row["id"]: row["status"] for row in dev.rows(".troupe/troupe.db", "SELECT id, status FROM envelopes")}

    def endless() -> list[str]:
        return [f"{id}: {status}" for id, status in kept().items() if status not in FINAL]

    wait_until(lambda: not endless(), "the end of every envelope", 60, endless)
    ends = kept()
    measured = dev.rows("shop/.troupe/shop/load.db", "SELECT id, run FROM samples")
    reports = load.reports()
    for run, report in reports.items():
        count = sum(row["run"] == run for row in measured)
        check(count == report["requests"], (count, report))
    submitted = [*(row["id"] for row in measured), *load.buyers.ids, *load.runs]
    lost = [id for id in submitted if id not in ends]
    check(not lost, f"lost: {lost}")
    # A payment that was answered is an order, and each order was answered.
    paid = {
        (dev.envelope(id)["result"] or {}).get("order_id") for id in load.buyers.checkouts if ends[id] == "succeeded"}
    orders = {
        row["id"] for row in dev.rows("shop/.troupe/shop/shop.db", "SELECT id FROM orders WHERE state = 'paid'")}
    check(paid - {None} <= orders, (paid, orders))
    check(dev.request("GET", "/dead-letters")["dead_letters"] == [], "no dead letters")
    verdicts = ", ".join(report["verdict"] for report in reports.values())
    counts = ", ".join(f"{list(ends.values()).count(status)} {status}" for status in FINAL)
    return (f"      {len(load.runs)} load runs ({verdicts}, the last one cut short); {len(submitted)} envelopes of"
            f" customers, none lost, {len(paid - {None})} paid orders; in the store {counts}, and no other")
