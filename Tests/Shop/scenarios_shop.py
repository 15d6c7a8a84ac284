"""What somebody does in the shop, and what must come of it."""

import json
import os
import signal
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from pipeline_dev import Dev, check, handlers_of, troupe, wait_until
from world_shop import Customer, project, tool

# Quick, and with room for a machine that others use as well.
QUICK = {
    "SHOP_SLOW_MS": "1000", "SHOP_BUSY_CORES": "2", "SHOP_COOLDOWN_SECONDS": "2", "SHOP_SETTLE_SECONDS": "0.5"}
STOCK = {"p1": 50, "p2": 30, "p3": 100, "p4": 25, "p5": 15}
# What is injected, which service it is that is to be mended, and what the detector must see first. What the villain does
# in Tests/Worlds is not done here.
FAILURES = [
    ("bad_data", "db-service", ("failure_ratio",)),
    ("crash", "product-service", ("p95", "queue_age", "failure_ratio"))]


def somebody_buys(folder: Path) -> str:
    """docs/shop.md, by the command line."""
    with Dev(project(folder)) as dev:
        def call(name: str, **arguments: object) -> dict:
            words = [word for item in arguments.items() for word in ("--arg", "=".join(map(str, item)))]
            done = troupe("call", name, *words, "--wait", "--gateway", f"http://127.0.0.1:{dev.port}", cwd=dev.folder)
            check(done.returncode == 0, done)
            return json.loads(done.stdout)

        alice = {"email": "alice@example.com", "password": "secure123"}
        check(call("signup", **alice)["token_type"] == "bearer", "she has an account")
        token = call("login", **alice)["access_token"]
        products = call("products", token=token)
        check([one["stock"] for one in products["products"]] == list(STOCK.values()), products)
        check(call("cart_add", token=token, product_id="p1", quantity=2)["status"] == "added", "in the cart")
        paid = call("checkout", token=token)
        check((paid["status"], paid["amount_usd"], paid["mode"]) == ("paid", 159.98, "simulated"), paid)
        check(call("cart_view", token=token)["items"] == [], "the cart is empty")
        check(call("products", token=token)["products"][0]["stock"] == 48, "two are sold")
        check(call("products", token="wrong")["error"] == "invalid_token", "refused")
        # One trace through all services.
        services = [
            line["service"] for line in map(as_json, dev.texts())
            if line and line.get("trace_id") == paid["trace_id"]]
        check(services == ["auth-service", "db-service", "payment-service", "db-service"], services)
        everything = "\n".join(dev.texts())
        check("secure123" not in everything and token not in everything, "secrets in the log")
        # What comes of a checkout that is asked for twice, under one id.
        bob = Customer(dev, "bob@example.com").sign_up()
        bob.ask("cart_add", product_id="p5", quantity=15)
        first, second = (dev.result(bob.submit("checkout"))["result"] for _ in range(2))
        check((first["status"], second.get("error")) == ("paid", "cart_is_empty"), (first, second))
        check(bob.ask("cart_add", product_id="p5")["error"] == "out_of_stock", "sold out")
    return ""


def as_json(text: str) -> dict:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def killed_while_people_buy(folder: Path) -> str:
    """`kill -9` of everything, and of single handlers, again and again."""
    home = project(folder)
    with Dev(home) as dev:
        people = [Customer(dev, f"p{number}@example.com").sign_up() for number in range(6)]
    ids: list[str] = []
    for kills in range(2):
        dev = Dev(home)
        for person in people:
            person.dev = dev
        for number in range(9):
            for person in people:
                product = f"p{1 + (number + kills) % 5}"
                ids.append(person.submit("cart_add", product_id=product) if number % 3 else person.submit("checkout"))
            if number % 4 == 3:
                victims = [
                    pid for pid, environ in handlers_of(dev.process.pid)
                    if "TROUPE_ACTOR_NAME=db-service" in environ or "TROUPE_ACTOR_NAME=payment-service" in environ]
                for pid in victims:
                    os.kill(pid, signal.SIGKILL)
        dev.kill()
    with Dev(home) as dev:
        ended = {id: dev.result(id, limit=60) for id in ids}
        for person in people:
            person.dev = dev
            person.ask("cart_clear")
        check(dev.request("GET", "/dead-letters")["dead_letters"] == [], "no dead letters")
    for id, envelope in ended.items():
        check(envelope["status"] == "succeeded", envelope)
    answers = [envelope["result"] for envelope in ended.values()]
    orders = [answer["order_id"] for answer in answers if answer.get("status") == "paid"]
    paid, left = sold(home)
    totals = {product: paid.get(product, 0) + left[product] for product in STOCK}
    check(totals == STOCK, f"sold {paid} and left {left} are not what there was")
    with closing(sqlite3.connect(home / ".troupe/shop/shop.db")) as database:
        kept = {id for (id,) in database.execute("SELECT id FROM orders WHERE state = 'paid'")}
        check(kept == set(orders) and orders, (len(kept), len(orders)))
    return (f"{len(ids)} requests, {len(kept)} orders, {sum(paid.values())} sold, "
            "through 2 kills of all and 4 of handlers")


def sold(home: Path) -> tuple[dict[str, int], dict[str, int]]:
    with closing(sqlite3.connect(home / ".troupe/shop/shop.db")) as database:
        paid: dict[str, int] = {}
        for (lines,) in database.execute("SELECT lines FROM orders WHERE state = 'paid'"):
            for line in json.loads(lines):
                paid[line["product_id"]] = paid.get(line["product_id"], 0) + line["quantity"]
        return paid, dict(database.execute("SELECT id, stock FROM products"))


def failures_are_found_and_mended(folder: Path) -> str:
    """Under steady traffic, without a person; the detector's own process and everything else are killed meanwhile."""
    home, found = project(folder), []
    traffic = Traffic()
    dev = Dev(home, env=QUICK)
    try:
        traffic.begin(dev)
        watch = tool(dev, "watch", poll_seconds=0.5)
        wait_until(lambda: services_of(dev), "a poll", 20, dev.texts)
        # All ends and comes back: the watch goes on where it was.
        traffic.pause()
        dev.kill()
        dev = Dev(home, env=QUICK)
        traffic.begin(dev)
        wait_until(lambda: is_ready(dev), "the detector has learnt enough", 60, dev.texts)
        check(dev.envelope(watch)["status"] not in ("succeeded", "failed", "cancelled"), "the watch goes on")
        for number, (kind, service, culprits) in enumerate(FAILURES):
            known = set(incidents(dev))
            begin = time.monotonic()
            dev.result(tool(dev, "inject_shop_failure", type=kind, service=service, duration=120))
            wait_until(lambda: set(incidents(dev)) - known, f"an incident of {kind}", 40, lambda: state_of(dev))
            opened = time.monotonic() - begin
            if number == 1:  # whoever is at work on it dies
                for pid, environ in handlers_of(dev.process.pid):
                    if any(f"TROUPE_ACTOR_NAME={name}" in environ for name in ("ai-operator", "remedy", "verify")):
                        os.kill(pid, signal.SIGKILL)
            id = sorted(set(incidents(dev)) - known)[0]
            ended = dev.result(id, limit=60)
            check(ended["status"] == "succeeded", ended)
            result = ended["result"]
            check(result["decision"]["target"] == service, result)
            check(result["incident"]["signals"]["culprit"] in culprits, result)
            check(result["decision"]["action_type"] == "reset_failure" and result["policy"]["allowed"], result)
            check([action["tool"] for action in result["actions"]] == ["reset_failure"], result)
            check(result["verification"]["healthy"], result)
            check(dev.request("GET", "/faults")["faults"] == [], "no fault is left")
            well = time.monotonic() - begin
            found.append(f"\n      {kind} at {service}: incident after {opened:.1f} s, well after {well:.1f} s")
            wait_until(lambda: not open_incidents(dev), "it is closed", 40, lambda: state_of(dev))
        check(len(incidents(dev)) == len(FAILURES), incidents(dev))
        dev.request("POST", f"/envelopes/{watch}/cancel")
    finally:
        traffic.pause()
        dev.stop()
    return "".join(found)


class Traffic:
    """Somebody looks at the catalogue and pays, ten times a second unless said otherwise, whatever comes of it."""

    def __init__(self, pause: float = 0.1) -> None:
        self.rest = pause
        # Of what was submitted, and of that what pays.
        self.ids: list[str] = []
        self.checkouts: list[str] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread()

    def begin(self, dev: Dev) -> None:
        self.stopped = threading.Event()
        customer = Customer(dev, f"c{time.monotonic_ns()}@example.com").sign_up()
        self.thread = threading.Thread(target=self.run, args=(customer, self.stopped), daemon=True)
        self.thread.start()

    def run(self, customer: Customer, stopped: threading.Event) -> None:
        number = 0
        while not stopped.wait(self.rest):
            number += 1
            if number % 3 == 0:
                self.ids.append(customer.submit("cart_add", product_id="p3"))
            elif number % 3 == 1:
                self.ids.append(customer.submit("checkout"))
                self.checkouts.append(self.ids[-1])
            else:
                self.ids.append(customer.submit("products"))

    def pause(self) -> None:
        self.stopped.set()
        if self.thread.is_alive():
            self.thread.join(10)


def services_of(dev: Dev) -> dict:
    return dev.result(tool(dev, "watch_status"), 60)["result"]["services"]


def is_ready(dev: Dev) -> bool:
    time.sleep(0.5)
    services = services_of(dev)
    return len(services) == 5 and all(one["ready"] for one in services.values())


def open_incidents(dev: Dev) -> list[str]:
    time.sleep(0.5)
    return [service for service, one in services_of(dev).items() if one["incident"]]


def incidents(dev: Dev) -> list[str]:
    time.sleep(0.2)
    envelopes = dev.request("GET", "/envelopes?actor=ai-operator&limit=100")["envelopes"]
    every = dev.request("GET", "/envelopes?limit=1000")["envelopes"]
    return sorted({one["id"] for one in [*envelopes, *every] if one["id"].startswith("incident-")})


def state_of(dev: Dev) -> list[str]:
    return [json.dumps(services_of(dev), indent=1), *dev.texts("anomaly-detector")[-10:]]


def a_load_run_has_a_verdict(folder: Path) -> str:
    with Dev(project(folder)) as dev:
        cancelled = tool(dev, "load_test", test="stress")
        run = tool(dev, "load_test", test="normal")
        time.sleep(3)
        dev.request("POST", f"/envelopes/{cancelled}/cancel")
        # Customers are handed on to another process, and ask for nothing twice.
        for pid, environ in handlers_of(dev.process.pid):
            if "TROUPE_ACTOR_NAME=load-user" in environ:
                os.kill(pid, signal.SIGKILL)
        ended = dev.result(run, limit=90)
        check(ended["status"] == "succeeded", ended)
        result = ended["result"]
        check(result["requests"] > 50 and result["failed_share"] == 0, result)
        check([one["metric"] for one in result["thresholds"]] == ["p95", "p99", "failed"], result)
        check((result["verdict"] == "passed") == all(one["ok"] for one in result["thresholds"]), result)
        pages, cursor = [], ""
        while cursor is not None:
            page = dev.request("GET", f"/envelopes?limit=500{cursor}")
            pages += page["envelopes"]
            cursor = f"&cursor={page['next_cursor']}" if page.get("next_cursor") else None
        asked = [one["id"] for one in pages if one["id"].startswith(f"{run}:") and not one["id"].endswith(":stock")]
        # Signing up is not measured.
        check(len(asked) == result["requests"] + 10, (len(asked), result["requests"]))
        check(dev.request("GET", f"/envelopes/{cancelled}")["status"] == "cancelled", "the other one was cancelled")
    return (f"{result['verdict']}, {result['requests']} requests, p50 {result['p50_ms']:.0f}, "
            f"p95 {result['p95_ms']:.0f}, p99 {result['p99_ms']:.0f} ms")


# Side by side; then what would take the others' noise for its own.
LANES = [[somebody_buys, killed_while_people_buy], [a_load_run_has_a_verdict]]
ALONE = [[failures_are_found_and_mended]]
