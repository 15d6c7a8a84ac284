"""The shop's decisions: accounts, tokens, stock, orders, failures, load, and what is to be done about an incident."""

import json
import os
import random
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "actors"))

from remediation.model import Incident  # noqa: E402
from shop import failures, state  # noqa: E402
from shop.ai_operator import decide  # noqa: E402
from shop.failures import SERVICES  # noqa: E402
from shop.load import records  # noqa: E402
from shop.load.scenarios import SCENARIOS, Sample, percentile, presence, verdict  # noqa: E402
from shop.services import auth, db, passwords, payment, product, serving, shelf, tokens  # noqa: E402

STOCK = {"p1": 50, "p2": 30, "p3": 100, "p4": 25, "p5": 15}
HANDLERS = {
    "auth-service": auth.process, "db-service": db.process, "product-service": product.process,
    "payment-service": payment.process}
CHECKOUT = ["auth-service", "db-service", "payment-service", "db-service"]


class InAFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        patch = mock.patch.dict(os.environ, {"SHOP_STATE": folder.name})
        patch.start()
        self.addCleanup(patch.stop)
        silence = mock.patch.object(serving, "log")
        self.log = silence.start()
        self.addCleanup(silence.stop)
        self.number = 0

    def call(self, route, id=None, **request):
        """Goes the route as sidecars would have it go."""
        self.number += 1
        envelope = {
            "id": id or f"e{self.number}", "route": {"actors": route, "current": 0}, "payload": request,
            "headers": {"trace_id": "t-1"}}
        while envelope["route"]["current"] < len(route):
            envelope = HANDLERS[route[envelope["route"]["current"]]](envelope)
        return envelope["payload"]

    def signed_up(self, email="ada@example.com"):
        return self.call(["auth-service"], operation="signup", email=email, password="secure123")["access_token"]

    def shop(self, operation, token, id=None, **request):
        route = CHECKOUT if operation == "checkout" else ["auth-service", "db-service", "product-service"]
        return self.call(route, id, operation=operation, token=token, **request)

    def stock(self, token):
        return {one["id"]: one["stock"] for one in self.shop("products", token)["products"]}

    def sold(self):
        with state.transaction("shop", shelf.SCHEMA) as database:
            rows = database.execute("SELECT lines FROM orders WHERE state = 'paid'").fetchall()
            left = {row["id"]: row["stock"] for row in database.execute("SELECT id, stock FROM products")}
        sold = dict.fromkeys(STOCK, 0)
        for row in rows:
            for line in json.loads(row["lines"]):
                sold[line["product_id"]] += line["quantity"]
        return sold, left


class Accounts(InAFolder):
    def test_a_password_is_salted_and_slow(self):
        one, other = passwords.hashed("secure123"), passwords.hashed("secure123")
        self.assertNotEqual(one, other)
        begin = time.process_time()
        self.assertTrue(passwords.matches("secure123", one))
        self.assertGreater(time.process_time() - begin, 0.01)
        self.assertFalse(passwords.matches("secure124", one))

    def test_signing_up_twice(self):
        first = self.call(["auth-service"], "same", operation="signup", email="Ada@Example.com ", password="secure123")
        again = self.call(["auth-service"], "same", operation="signup", email="Ada@Example.com ", password="secure123")
        other = self.call(["auth-service"], operation="signup", email="ada@example.com", password="other-one")
        self.assertTrue(first["access_token"] and again["access_token"], "a second delivery")
        self.assertEqual((other["status"], other["error"]), (409, "email_taken"))

    def test_logging_in(self):
        self.signed_up()
        def login(email, password):
            return self.call(["auth-service"], operation="login", email=email, password=password)
        self.assertIn("access_token", login("ada@example.com", "secure123"))
        for wrong in (login("ada@example.com", "secure124"), login("eve@example.com", "secure123")):
            self.assertEqual((wrong["status"], wrong["error"]), (401, "wrong_credentials"))

    def test_tokens_end_and_cannot_be_made(self):
        key = b"k" * 32
        token = tokens.issue("ada@example.com", 1000, key)
        self.assertEqual(tokens.read(token, 1000 + 3599, key), "ada@example.com")
        self.assertIsNone(tokens.read(token, 1000 + 3600, key))
        self.assertIsNone(tokens.read(token, 1000, b"o" * 32))
        for wrong in ("", ".", "ä.ö", token[:-1], token.replace(".", ""), "x" + token):
            self.assertIsNone(tokens.read(wrong, 1000, key), wrong)

    def test_who_has_signed_in_is_known_for_one_envelope_only(self):
        header = tokens.signed_user("ada@example.com", "e1")
        self.assertEqual(tokens.user_of(header, "e1"), "ada@example.com")
        self.assertIsNone(tokens.user_of(header, "e2"))
        self.assertIsNone(tokens.user_of({**header, "user_id": "eve@example.com"}, "e1"))
        refused = self.call(["db-service", "product-service"], operation="cart_view")
        self.assertEqual(refused["status"], 401)

    def test_a_refusal_ends_the_route(self):
        answer = self.shop("products", "not-a-token")
        self.assertEqual((answer["status"], answer["error"], answer["trace_id"]), (401, "invalid_token", "t-1"))

    def test_neither_password_nor_token_goes_any_further(self):
        token = self.signed_up()
        envelope = auth.process({
            "id": "e", "route": {"actors": ["auth-service", "db-service"], "current": 0}, "headers": {},
            "payload": {"operation": "products", "token": token}})
        self.assertNotIn(token, str(envelope))
        self.assertNotIn("secure123", str(self.log.call_args_list))

    def test_a_trace_comes_from_the_caller_else_from_the_gateway_else_from_the_envelope(self):
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        self.assertEqual(serving.trace_id({"id": "e", "headers": {"trace_id": "mine", "traceparent": parent}}), "mine")
        self.assertEqual(
            serving.trace_id({"id": "e", "headers": {"traceparent": parent}}), "0af7651916cd43dd8448eb211c80319c")
        self.assertEqual(serving.trace_id({"id": "e"}), "e")
        self.assertEqual(serving.trace_id({"id": "e", "headers": {"trace_id": "two\nlines"}}), "e")


class Carts(InAFolder):
    def test_the_catalogue(self):
        token = self.signed_up()
        products = self.shop("products", token)["products"]
        self.assertEqual(products[0], {"id": "p1", "name": "Wireless Headphones", "price": 79.99, "stock": 50})
        self.assertEqual({one["id"]: one["stock"] for one in products}, STOCK)

    def test_a_cart(self):
        token = self.signed_up()
        self.shop("cart_add", token, product_id="p1", quantity=2)
        self.assertEqual(self.shop("cart_add", token, product_id="p1")["cart"][0]["quantity"], 3)
        self.assertEqual(self.shop("cart_add", token, product_id="p9")["status"], 404)
        self.assertEqual(self.shop("cart_add", token, product_id="p5", quantity=16)["status"], 409)
        for wrong in (-5, 0, 1.5, True, "2", 101):
            self.assertEqual(self.shop("cart_add", token, product_id="p1", quantity=wrong)["status"], 422, wrong)
        self.assertEqual(self.shop("cart_view", token)["total"], 239.97)
        self.assertEqual(self.stock(token)["p1"], 47)
        self.shop("cart_clear", token)
        self.assertEqual(self.stock(token)["p1"], 50)

    def test_two_people_of_one_name_have_two_carts(self):
        one, other = self.signed_up("alice@a.example"), self.signed_up("alice@b.example")
        self.shop("cart_add", one, product_id="p1")
        self.assertEqual(self.shop("cart_view", other)["items"], [])

    def test_a_second_delivery_changes_nothing(self):
        token = self.signed_up()
        first = self.shop("cart_add", token, "same", product_id="p1", quantity=2)
        self.assertEqual(self.shop("cart_add", token, "same", product_id="p1", quantity=2), first)
        self.assertEqual(self.shop("cart_view", token)["items"][0]["quantity"], 2)
        paid = self.shop("checkout", token, "pay")
        self.assertEqual(self.shop("checkout", token, "pay"), paid)
        self.assertEqual(self.sold()[0]["p1"], 2)

    def test_what_is_reserved_is_nobody_elses_until_it_lapses(self):
        one, other = self.signed_up("a@a.example"), self.signed_up("b@b.example")
        self.shop("cart_add", one, product_id="p5", quantity=15)
        self.assertEqual(self.shop("cart_add", other, product_id="p5")["error"], "out_of_stock")
        with mock.patch.object(db.time, "time", return_value=time.time() + shelf.RESERVED + 1):
            self.assertEqual(self.shop("cart_add", other, product_id="p5")["status"], "added")
            self.assertEqual(self.shop("checkout", one)["error"], "out_of_stock")


class Checkout(InAFolder):
    def test_it_succeeds(self):
        token = self.signed_up()
        self.shop("cart_add", token, product_id="p1", quantity=2)
        paid = self.shop("checkout", token)
        self.assertEqual((paid["status"], paid["amount_usd"], paid["mode"]), ("paid", 159.98, "simulated"))
        self.assertTrue(paid["checkout_url"].startswith("https://mock.stripe.com/"))
        self.assertEqual(self.shop("cart_view", token)["items"], [])
        self.assertEqual(self.stock(token)["p1"], 48)
        self.assertEqual(self.shop("checkout", token)["error"], "cart_is_empty")

    def test_what_is_added_meanwhile_stays_in_the_cart(self):
        token = self.signed_up()
        self.shop("cart_add", token, product_id="p1")
        envelope = {"id": "pay", "route": {"actors": CHECKOUT, "current": 0}, "headers": {},
                    "payload": {"operation": "checkout", "token": token}}
        for name in CHECKOUT[:3]:
            envelope = HANDLERS[name](envelope)
        self.shop("cart_add", token, product_id="p1", quantity=2)
        self.assertEqual(db.process(envelope)["payload"]["amount_usd"], 79.99)
        self.assertEqual(self.shop("cart_view", token)["items"][0]["quantity"], 2)

    def test_nothing_is_sold_twice_or_lost_whatever_comes_when(self):
        chance = random.Random(11)
        people = [self.signed_up(f"p{number}@example.com") for number in range(3)]
        asked = []
        for number in range(150):
            if asked and chance.random() < 0.3:
                self.shop(*asked[chance.randrange(len(asked))][:3], **asked[-1][3])
                continue
            operation = chance.choice(["cart_add", "cart_add", "cart_add", "checkout", "cart_clear"])
            one = (operation, chance.choice(people), f"r{number}", {
                "product_id": chance.choice(list(STOCK)), "quantity": chance.randint(1, 6)})
            asked.append(one)
            self.shop(*one[:3], **one[3])
        sold, left = self.sold()
        self.assertGreater(sum(sold.values()), 20)
        self.assertEqual({id: sold[id] + left[id] for id in STOCK}, STOCK)

    def test_data_that_cannot_be_is_the_stores_failure(self):
        for products in (
                [{"id": "p1", "name": None, "price": 1}], [{"id": "p1", "name": "a", "price": -1}], [], "none", [None]):
            call = serving.Call("e", "products", {}, {"products": products})
            with self.assertRaisesRegex(product.CorruptedData, "^db-service sent"):
                product.answer(call)


class Failures(unittest.TestCase):
    def test_the_shops_words_become_faults(self):
        fault = failures.fault_of({"service": "auth-service", "type": "timeout", "intensity": 2, "duration": 45}, "f")
        self.assertEqual(
            fault, {"kind": "latency", "delay": "2s", "intensity": 2, "probability": 1, "duration": "45000ms", "id":
            "f",
                    "actor": "auth-service", "owner": "shop"})
        self.assertEqual(failures.fault_of({}, "f")["actor"], "db-service")
        self.assertEqual(failures.fault_of({"type": "error", "probability": 0.3}, "f")["probability"], 0.3)

    def test_what_is_none_is_refused(self):
        for wrong in (
                {"service": "bank"}, {"type": "banana"}, {"service": "auth-service", "type": "bad_data"},
                {"intensity": 0}, {"probability": 1.1}, {"probability": True}, {"duration": 0}, {"duration": "1"}):
            with self.assertRaises(failures.WrongFailure, msg=wrong):
                failures.fault_of(wrong, "f")


class Load(InAFolder):
    def test_stages_are_the_originals(self):
        self.assertEqual(
            {name: (one.seconds, len(presence(one))) for name, one in SCENARIOS.items()},
            {"normal": (30, 10), "spike": (45, 50), "endurance": (120, 5), "stress": (80, 100)})

    def test_who_comes_when(self):
        self.assertEqual(set(presence(SCENARIOS["normal"])), {(0.0, 30)})
        stress = presence(SCENARIOS["stress"])
        self.assertEqual((stress[9], stress[99]), ((10.0, 78.0), (40.0, 60.0)))
        for at in (15, 35, 50, 70):
            there = sum(come <= at < go for come, go in stress)
            self.assertAlmostEqual(there, {15: 15, 35: 75, 50: 100, 70: 50}[at], delta=1)

    def test_the_verdict(self):
        normal = SCENARIOS["normal"]
        good = [Sample("products", 100, True, "ok")] * 95 + [Sample("products", 400, False, "SimulatedFailure")] * 5
        found = verdict(normal, good)
        self.assertEqual((found["verdict"], found["failed_share"], found["p95_ms"]), ("passed", 0.05, 100))
        self.assertEqual(found["failures"], {"products: SimulatedFailure": 5})
        self.assertEqual(verdict(normal, good[:90] + good[-5:] * 2)["verdict"], "failed", "a bound is exclusive")
        self.assertEqual(verdict(normal, [])["verdict"], "failed")
        self.assertEqual(percentile([1, 2, 3, 4], 0.5), 2)

    def test_what_is_measured_twice_counts_once(self):
        self.assertEqual(records.begin("run", 2, 1000), 1000)
        self.assertEqual(records.begin("run", 2, 2000), 1000)
        for milliseconds in (10, 99):
            records.note("run:0:1", "run", Sample("login", milliseconds, True, "ok"))
        self.assertEqual(records.samples("run"), [Sample("login", 10, True, "ok")])
        records.leave("run", 0)
        self.assertEqual(records.staying("run"), 1)


class Deciding(unittest.TestCase):
    def decided(self, service, culprit, errors=(), faults=(), stopped=None):
        incident = Incident("i", service, "anomaly", 0, {
            "culprit": culprit, "vector": {culprit: 0.9}, "usual": {culprit: 0.1}, "errors": list(errors)})
        return decide.payload(decide.template(decide.Situation(incident, faults, 1, stopped or {}), SERVICES))

    def test_an_injected_failure_is_reset(self):
        found = self.decided("db-service", "p95", faults=[{"id": "f", "actor": "db-service", "kind": "latency"}])
        self.assertEqual((found["action_type"], found["target"]), ("reset_failure", "db-service"))
        self.assertEqual(found["command"], "troupe fault reset --actor db-service")
        self.assertIn("p95 of db-service is 0.9, usually 0.1", found["evidence"])

    def test_corrupted_data_is_the_stores(self):
        errors = ["CorruptedData: db-service sent product 'p1' without a name"]
        found = self.decided("product-service", "failure_ratio", errors)
        self.assertEqual((found["action_type"], found["target"]), ("quarantine", "db-service"))
        faults = [{"id": "f", "actor": "db-service", "kind": "bad_data"}]
        found = self.decided("product-service", "failure_ratio", errors, faults)
        self.assertEqual((found["action_type"], found["target"]), ("reset_failure", "db-service"))

    def test_a_fault_elsewhere_is_not_the_cause(self):
        faults = [{"id": "f", "actor": "auth-service", "kind": "error"}]
        found = self.decided("db-service", "failure_ratio", faults=faults)
        self.assertEqual((found["action_type"], found["confidence"]), ("restart", 0.7))
        self.assertEqual(found["command"], "kubectl rollout restart deployment/db-service -n archaics")

    def test_one_loads_the_machine_of_all(self):
        faults = [{"id": "f", "actor": "db-service", "kind": "cpu"}]
        found = self.decided("auth-service", "p95", faults=faults)
        self.assertEqual((found["action_type"], found["target"]), ("reset_failure", "db-service"))
        self.assertEqual(self.decided("auth-service", "failure_ratio", faults=faults)["action_type"], "restart")

    def test_what_loads_the_whole_machine_is_sought_everywhere(self):
        found = self.decided("host", "cpu", faults=[{"id": "f", "actor": "db-service", "kind": "cpu"}])
        self.assertEqual((found["action_type"], found["target"]), ("reset_failure", "db-service"))
        two = [{"id": str(n), "actor": actor, "kind": "crash"} for n, actor in enumerate(SERVICES[:2])]
        found = self.decided("host", "cpu", faults=two)
        self.assertEqual((found["action_type"], found["target"]), ("reset_failure", "all"))
        self.assertEqual(found["command"], "troupe fault reset")

    def test_who_was_stopped_is_released(self):
        stopped = {"db-service": "villain: v:1:0"}
        found = self.decided("db-service", "queue_age", stopped=stopped)
        self.assertEqual((found["action_type"], found["target"]), ("release", "db-service"))
        self.assertIn("it was stopped: villain: v:1:0", found["evidence"])
        self.assertEqual(found["command"], "troupe actors resume db-service")
        self.assertEqual(self.decided("auth-service", "queue_age", stopped=stopped)["action_type"], "scale")


if __name__ == "__main__":
    unittest.main()
