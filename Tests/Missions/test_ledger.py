"""What is counted once, however often it is told; and what handlers do with a store of their own, without servers."""

import os
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

TOP = Path(__file__).resolve().parents[2] / "actors"
sys.path[:0] = [str(TOP / "missions"), str(TOP / "runtime")]

from troupe_runtime import Context  # noqa: E402
from vastaya import draft, gateway, generator, ledger, planet, registry, report, shields, store, universe  # noqa: E402

ASKED = {"action": "create", "source_id": "planet-a", "destination_id": "planet-a", "rps": 10}


class World(unittest.TestCase):
    """A store of its own; what goes to the gateway is only noted."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.submitted, self.cancelled = [], []
        for patch in [
            mock.patch.dict(os.environ, {"MISSIONS_DB": str(self.folder / "missions.db")}),
            mock.patch.object(gateway, "submit", lambda *given: self.submitted.append(given)),
            mock.patch.object(gateway, "cancel", self.cancelled.append),
            mock.patch.object(gateway, "envelope", lambda id: {"status": "running"}),
        ]:
            patch.start()
            self.addCleanup(patch.stop)
        self.store = store.Store()
        self.registry = registry.Registry()
        self.generator = generator.Generator()

    def create(self, id: str = "e1", **changes: object) -> dict:
        return self.registry.process({**ASKED, **changes}, Context({"id": id}))

    def tick(self, mission: dict, **changes: object) -> dict:
        record = self.store.mission(mission["id"])
        payload = {"mission": record["id"], "generation": record["generation"], "tick": record["tick"] + 1, "looks": 0,
                   "due": time.time(), **changes}
        route = {"actors": ["mission-generator"], "current": 0}
        return {"id": record["id"], "route": route, "headers": {}, "payload": payload}

    def apply(self, **keys: object) -> None:
        state = self.store.universe()
        self.assertTrue(self.store.save_draft({**state["draft"], **keys}, state["version"]))
        state = self.store.universe()
        self.assertTrue(self.store.apply(state["draft"], state["version"], state["applied_version"]))


class Missions(World):
    def test_created_once_however_often_it_is_asked(self):
        first = self.create()
        self.assertEqual(self.create(), first)
        self.assertEqual(len(self.store.missions()), 1)
        # The second time it is sent off again, by the same id: the first may never have been.
        self.assertEqual([given[0] for given in self.submitted], [first["id"]] * 2)

    def test_a_mission_that_has_ended_is_not_started_again(self):
        mission = self.create()
        self.registry.process({"action": "terminate", "mission_id": mission["id"]}, Context())
        self.assertEqual(self.create()["status"], "terminated")
        self.assertEqual(len(self.submitted), 1)

    def test_what_cannot_be_asked_for(self):
        for changes, words in [
            ({"rps": 0}, "rps"), ({"rps": 1001}, "rps"), ({"rps": 1.5}, "rps"), ({"rps": True}, "rps"),
            ({"speed": "banana"}, "speed"), ({"speed": 7}, "speed"), ({"source_id": 7}, "source_id"),
            ({"destination_id": "planet-x"}, "there is no planet 'planet-x'; there are planet-a"),
            ({"seconds": 0}, "seconds"), ({"escort_enabled": "yes"}, "escort_enabled"), ({"action": "fly"}, "action"),
            ({"rps": 0, "speed": ""}, "rps.*; speed"),
        ]:
            with self.subTest(changes=changes), self.assertRaisesRegex(ValueError, words):
                self.create(**changes)
        self.assertEqual((self.store.missions(), self.submitted), ([], []))

    def test_there_is_a_limit(self):
        self.registry.most = 2
        self.create("e1"), self.create("e2")
        with self.assertRaisesRegex(ValueError, "2 active missions already"):
            self.create("e3")
        self.assertEqual(self.create("e2")["status"], "scheduled")  # not a third one

    def test_unknown_missions(self):
        for id in ("m-x", "", "a/b", None, 7):
            with self.subTest(id=id), self.assertRaisesRegex(ValueError, "mission"):
                self.registry.process({"action": "show", "mission_id": id}, Context())

    def test_a_cancelled_envelope_has_ended_its_mission(self):
        mission = self.create()
        with mock.patch.object(gateway, "envelope", lambda id: {"status": "cancelled"}):
            shown = self.registry.process({"action": "show", "mission_id": mission["id"]}, Context())
        self.assertEqual((shown["status"], shown["reason"]), ("terminated", "its envelope was cancelled"))


class Ticks(World):
    def test_a_tick_sends_ships_and_itself_first(self):
        mission = self.create(destination_id="planet-c")
        sent = self.generator.process(self.tick(mission))
        self.assertEqual(sent[0]["payload"]["tick"], 2)
        self.assertEqual(sent[0]["route"], {"actors": ["mission-generator"], "current": 0})
        self.assertTrue(500 <= sent[0]["headers"]["troupe-delay-ms"] <= 1200)
        ships = sent[1:]
        self.assertIn(len(ships), (9, 10, 11))
        for ship in ships:
            self.assertEqual(
                ship["route"],
                {"actors": ["mission-generator", "planet-a", "planet-c", "mission-ledger"], "current": 1})
            self.assertEqual(ship["payload"]["profile"], {"nebula_ms": 0, "chaos_rate": 0.18, "shields": False})
            self.assertEqual(ship["headers"]["mission_id"], mission["id"])
        self.assertEqual(self.store.counts(mission["id"]), {"offered": len(ships)})

    def test_the_same_tick_again_stands_by_then_makes_the_same_ships_and_counts_nothing(self):
        mission = self.create()
        tick = self.tick(mission)
        first = self.generator.process(tick)
        waiting = self.generator.process(tick)
        self.assertEqual((waiting["payload"]["tick"], waiting["payload"]["looks"]), (1, 1))
        later = time.time() + 10
        with mock.patch.object(generator.time, "time", lambda: later):
            again = self.generator.process({**tick, "payload": waiting["payload"]})
        self.assertEqual(
            [(ship["payload"]["dock"], ship["payload"]["cargo"]) for ship in again[1:]],
            [(ship["payload"]["dock"], ship["payload"]["cargo"]) for ship in first[1:]])
        self.assertEqual(self.store.counts(mission["id"]), {"offered": len(first) - 1})

    def test_ticks_of_a_mission_that_has_ended_end(self):
        mission = self.create()
        tick = self.tick(mission)
        self.registry.process({"action": "terminate", "mission_id": mission["id"]}, Context())
        self.assertIsNone(self.generator.process(tick))
        self.assertEqual(self.cancelled, [mission["id"]])
        self.assertIsNone(self.generator.process({**tick, "payload": {**tick["payload"], "mission": "m-x"}}))

    def test_a_mission_with_a_time_completes(self):
        mission = self.create(seconds=5)
        self.generator.process(self.tick(mission))
        later = time.time() + 6
        with mock.patch.object(generator.time, "time", lambda: later):
            self.assertIsNone(self.generator.process(self.tick(mission)))
        self.assertEqual(self.store.mission(mission["id"])["status"], "completed")

    def test_what_finds_no_room_is_shed_and_counted(self):
        self.generator.in_flight = 15
        mission = self.create()
        sizes = [len(self.generator.process(self.tick(mission))) - 1 for _ in range(3)]
        counts = self.store.counts(mission["id"])
        self.assertEqual(sum(sizes), 15)
        self.assertEqual(counts["offered"] - counts["shed"], 15)

    def test_a_planet_that_is_gone_is_unreachable(self):
        mission = self.create(destination_id="planet-c")
        self.apply(planets=universe.DEFAULT["planets"][:1])
        ship = self.generator.process(self.tick(mission))[1]
        self.assertEqual(ship["route"]["actors"], ["mission-generator", "mission-ledger"])
        self.assertEqual(ship["payload"]["outcome"], "unreachable")
        self.assertIn("planet-c", ship["payload"]["text"])

    def test_wormholes_and_galaxies_change_the_way(self):
        mission = self.create(rps=200, destination_id="planet-b")
        self.apply(wormholesEnabled=True, wormholeInstability=30, crossGalaxyEnabled=True)
        ways = [ship["route"]["actors"][1:] for ship in self.generator.process(self.tick(mission))[1:]]
        self.assertEqual({way[1] for way in ways}, {"galaxy-gate"})
        self.assertAlmostEqual(sum(way[2] == "planet-b-v2" for way in ways) / len(ways), 0.3, delta=0.12)
        self.apply(wormholesEnabled=False, crossGalaxyMode="mirrored")
        sent = self.generator.process(self.tick(mission))[1:]
        copies = [ship for ship in sent if ship["payload"].get("mirror")]
        self.assertEqual(len(copies) * 2, len(sent))
        self.apply(crossGalaxyMode="federated")
        ways = {tuple(ship["route"]["actors"][1:]) for ship in self.generator.process(self.tick(mission))[1:]}
        self.assertEqual(ways, {("planet-a", "planet-b", "mission-ledger")})

    def test_an_escort_is_a_policy_and_time(self):
        with_escort = self.generator.process(self.tick(self.create("e1")))[1]
        without = self.generator.process(self.tick(self.create("e2", escort_enabled=False)))[1]
        self.assertEqual(with_escort["headers"]["troupe-retry"]["attempts"], 3)
        self.assertNotIn("troupe-retry", without["headers"])
        now = time.time()
        self.assertAlmostEqual(with_escort["payload"]["deadline"] - now, 30, delta=2)
        self.assertAlmostEqual(without["payload"]["deadline"] - now, 15, delta=2)


class Ledger(World):
    def ship(self, record: dict, **more: object) -> dict:
        return {"dock": f"{record['id']}/1/0", "mission": record["id"], "outcome": "docked", "text": "", **more}

    def test_each_dock_counts_once_and_as_it_ended_first(self):
        mission, handler = self.create(), ledger.Ledger()
        for outcome in ("docked", "docked", "chaos"):
            handler.process(self.ship(mission, outcome=outcome))
        self.assertEqual(self.store.counts(mission["id"]), {"docked": 1})

    def test_also_when_many_tell_it_at_the_same_time(self):
        mission, handler = self.create(), ledger.Ledger()
        threads = [
            threading.Thread(target=lambda: [
                handler.process(self.ship(mission, dock=f"{mission['id']}/1/{n}")) for n in range(20)])
            for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.store.counts(mission["id"]), {"docked": 20})

    def test_the_figures_of_a_terminated_mission_are_final(self):
        mission, handler = self.create(), ledger.Ledger()
        handler.process(self.ship(mission))
        self.registry.process({"action": "terminate", "mission_id": mission["id"]}, Context())
        handler.process(self.ship(mission, dock=f"{mission['id']}/1/1"))
        self.assertEqual(self.store.counts(mission["id"]), {"docked": 1})

    def test_no_failure_has_an_empty_text(self):
        mission = self.create()
        ledger.Ledger().process(self.ship(mission, outcome="chaos"))
        self.assertEqual(self.store.failures(mission["id"], 5)[0]["text"], "failed: chaos, and nobody has said why")

    def test_what_is_no_ship_is_refused_and_counts_nothing(self):
        mission, handler = self.create(), ledger.Ledger()
        for payload in (7, {}, self.ship(mission, outcome="lost"), self.ship(mission, mission="m-x"),
                        self.ship(mission, dock=None)):
            with self.subTest(payload=payload), self.assertRaises(ValueError):
                handler.process(payload)
        self.assertEqual(self.store.counts(mission["id"]), {})

    def test_ships_that_never_came_are_found_once(self):
        mission, handler = self.create(), ledger.Ledger()
        lost = {"id": "c1", "error": "runtime_error: the handler died 3 times", "payload": self.ship(mission)}
        pages = {"failed": {"envelopes": [{"id": "c1"}]}, "cancelled": {"envelopes": []}}
        with mock.patch.object(gateway, "call", lambda *_, status, **__: pages[status]), \
                mock.patch.object(gateway, "envelope", lambda id: lost):
            self.assertEqual(handler.process({"audit": mission["id"]})["lost"], 1)
            self.assertEqual(handler.process({"audit": mission["id"]})["lost"], 0)
            self.assertEqual(ledger.Ledger().process({"audit": mission["id"]})["lost"], 0)
        self.assertEqual(self.store.counts(mission["id"]), {"unreachable": 1})

    def test_figures_add_up(self):
        mission = {"status": "running", "started_at": 100.0, "ended_at": None, "rps": 10, "speed": "cruise", "tick": 4}
        counts = {"offered": 40, "docked": 20, "chaos": 5, "shed": 3}
        running = report.figures(mission, counts, 104.0)
        self.assertEqual((running["in_flight"], running["failed"]["total"]), (12, 8))
        self.assertEqual((running["rates"]["offered"], running["rates"]["docked"]), (10.0, 5.0))
        ended = report.figures({**mission, "status": "terminated", "ended_at": 104.0}, counts, 999.0)
        self.assertEqual((ended["in_flight"], ended["failed"]["stopped"]), (0, 12))
        self.assertEqual(ended["docked"] + ended["failed"]["total"], ended["offered"])


class Planets(World):
    def arrival(self, **profile: object) -> tuple[planet.Planet, dict]:
        ship = self.generator.process(self.tick(self.create(escort_enabled=False)))[1]
        ship = {**ship, "payload": {**ship["payload"], "profile": {"nebula_ms": 0, "chaos_rate": 0, **profile}}}
        here = planet.Planet()
        with mock.patch.object(planet.time, "sleep"):
            return here, here.process(ship, Context(ship))

    def dock(self, here: planet.Planet, ship: dict, **context: object) -> dict:
        with mock.patch.object(planet.time, "sleep"):
            return here.process(ship, Context({**ship, **context}))["payload"]

    def test_a_ship_docks(self):
        here, ship = self.arrival()
        docked = self.dock(here, ship)
        self.assertEqual(docked["outcome"], "docked")
        self.assertEqual(docked["cargo_processed"], sum(item["quantity"] for item in docked["cargo"]))
        self.assertIn(len(docked["operations"]), (3, 4, 5, 6))

    def test_shields_refuse_what_is_not_signed_or_was_altered(self):
        here, ship = self.arrival(shields=True)
        self.assertEqual(self.dock(here, ship)["outcome"], "docked")
        for change in ({"signature": None}, {"signature": "ä"}, {"cargo": []}, {"deadline": 9e9}):
            forged = self.dock(here, {**ship, "payload": {**ship["payload"], **change}})
            self.assertEqual(forged["outcome"], "shield", change)

    def test_a_key_of_ones_own_is_kept_for_nobody_else_to_read(self):
        self.assertEqual(shields.key(self.folder), shields.key(self.folder))
        self.assertEqual((self.folder / "shield.key").stat().st_mode & 0o777, 0o600)

    def test_chaos_with_and_without_escort(self):
        here, ship = self.arrival(chaos_rate=1)
        self.assertEqual(self.dock(here, ship)["outcome"], "chaos")
        ship["payload"]["escort"] = True
        with self.assertRaises(planet.ChaosStrike):
            self.dock(here, ship)
        tried = [{"actor": "planet-a", "attempt": 2, "error": "ChaosStrike"}]
        self.assertEqual(self.dock(here, ship, headers={"troupe-attempts": tried})["outcome"], "chaos")

    def test_a_late_ship_is_not_worked_on(self):
        here, ship = self.arrival()
        ship["payload"]["deadline"] = time.time() - 1
        late = self.dock(here, ship)
        self.assertEqual(late["outcome"], "deadline")
        self.assertIn("0 of", late["text"])

    def test_what_is_no_ship(self):
        here, ship = self.arrival()
        for name, value in {
                "leg": "x", "deadline": "soon", "profile": {"nebula_ms": -1}, "cargo": [{}], "dock": 1}.items():
            with self.subTest(name=name), self.assertRaisesRegex(ValueError, "this is no ship: /" + name):
                self.dock(here, {**ship, "payload": {**ship["payload"], name: value}})


class Drafts(World):
    def test_an_edit_waits_until_it_is_applied(self):
        shown = draft.Draft().process({"action": "update", "updates": {"shieldsEnabled": True}})
        self.assertEqual(shown["pending"]["settings"], {"shieldsEnabled": {"from": False, "to": True}})
        self.assertFalse(self.store.universe()["applied"]["shieldsEnabled"])

    def test_nobodys_edit_gets_lost(self):
        handler = draft.Draft()
        handler.process({"action": "update", "updates": {"shieldsEnabled": True}, "version": 1})
        with self.assertRaises(draft.Stale):
            handler.process({"action": "update", "updates": {"nebulaEnabled": True}, "version": 1})
        # The same request again, after a crash before its answer, is no conflict.
        handler.process({"action": "update", "updates": {"shieldsEnabled": True}, "version": 1})
        self.assertEqual(self.store.universe()["version"], 2)

    def test_a_planet_is_destroyed_once_and_a_second_delivery_is_no_mistake(self):
        handler, asked = draft.Draft(), {"action": "destroy", "planet_id": "planet-b", "reason": "too slow"}
        self.assertEqual(handler.process(asked), handler.process(asked))
        self.assertEqual(len(self.store.universe()["draft"]["planets"]), 3)
        with self.assertRaisesRegex(ValueError, "no planet 'planet-x'"):
            handler.process({**asked, "planet_id": "planet-x"})

    def test_a_store_that_has_a_universe_gets_no_other(self):
        draft.Draft().process({"action": "destroy"})
        self.apply()
        self.assertEqual(store.Store().universe()["applied"]["planets"], [])

    def test_a_plan_on_what_is_out_of_date_is_not_applied(self):
        state = self.store.universe()
        self.apply(shieldsEnabled=True)
        self.assertFalse(self.store.apply(state["draft"], 9, state["applied_version"]))


if __name__ == "__main__":
    unittest.main()
