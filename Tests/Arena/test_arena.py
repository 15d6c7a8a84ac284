"""The arena's decisions, without anything that runs."""

import json
import sys
import tempfile
import unittest
import unittest.mock
from collections import Counter
from pathlib import Path

ACTORS = Path(__file__).resolve().parents[2] / "actors"
sys.path[:0] = [str(ACTORS), str(ACTORS / "arena")]

import settings  # noqa: E402
import world  # noqa: E402
from control.operations import Control, WrongOperation, checked  # noqa: E402
from felix import detection, diagnosis, templates  # noqa: E402
from registry import Registry  # noqa: E402
from remediation.topology import below  # noqa: E402
from services.stress import MOST_MB, Stress  # noqa: E402
from shop.failures import SERVICES  # noqa: E402
from villain import curriculum, guard  # noqa: E402

WORLD = world.read()
WEIGHTS = {name: service.weight for name, service in WORLD.items()}
DEPENDENCIES = world.dependencies(WORLD)


class CurriculumTests(unittest.TestCase):
    def test_six_stages_of_three_attacks_then_any_of_the_first_five(self):
        stages = [curriculum.attack("seed", number, WEIGHTS).stage for number in range(200)]
        self.assertEqual(stages[:18], [stage for stage in curriculum.STAGES for _ in range(3)])
        self.assertEqual(set(stages[18:]), set(curriculum.STAGES[:5]))

    def test_a_seed_is_a_run(self):
        run = [curriculum.attack(7, number, WEIGHTS) for number in range(50)]
        self.assertEqual(run, [curriculum.attack(7, number, WEIGHTS) for number in reversed(range(50))][::-1])
        self.assertNotEqual(run, [curriculum.attack(8, number, WEIGHTS) for number in range(50)])

    def test_targets_come_by_their_weights(self):
        counts = Counter(
            curriculum.attack(seed, 0, WEIGHTS).strikes[0].service for seed in range(11_000))
        for service, weight in WEIGHTS.items():
            self.assertAlmostEqual(counts[service] / 1000, weight, delta=0.15)
        self.assertEqual(WEIGHTS, {
            "api_gateway": 3, "database_service": 3, "user_service": 2, "payment_service": 2, "echo_service": 1})

    def test_parameters_are_the_seeds_and_can_be_carried_out(self):
        seen: dict = {}
        for number in range(3000):
            attack = curriculum.attack("p", number, WEIGHTS)
            self.assertEqual(len({one.service for one in attack.strikes}), 3 if attack.stage == "multi" else 1)
            for strike in attack.strikes:
                checked(strike.op, strike.arguments)
                for name, value in strike.arguments.items():
                    seen.setdefault(name, set()).add(value)
        self.assertEqual(seen, {
            "type": {"database_error", "timeout", "auth_failure", "rate_limit"}, "ms": {100, 250, 500, 1000, 2000},
            "percent": {30, 50, 70, 90}, "mb": {50, 100, 200, 300}})

    def test_abroad_no_memory_leaks(self):
        stages = [curriculum.attack("seed", number, WEIGHTS, curriculum.STAGES_ABROAD).stage for number in range(100)]
        self.assertEqual(set(stages[:15]), set(curriculum.STAGES) - {"memory_leak"})
        self.assertEqual(set(stages[15:]), {"kill", "inject_logical_failure", "latency", "cpu_stress"})

    def test_a_service_of_weight_zero_is_spared(self):
        services = {curriculum.attack(1, number, {"a": 1, "b": 0}).strikes[0].service for number in range(50)}
        self.assertEqual(services, {"a"})


class GuardTests(unittest.TestCase):
    STRIKES = [{"service": name, "op": "latency", "arguments": {}} for name in ("a", "b", "c")]

    def test_no_more_than_was_agreed(self):
        allowed, skipped = guard.split(self.STRIKES, ["x"], [], 3)
        self.assertEqual([one["service"] for one in allowed], ["a", "b"])
        self.assertEqual(skipped[0]["reason"], "3 faults are in force, 3 may be")

    def test_what_is_down_is_left_alone(self):
        allowed, skipped = guard.split(self.STRIKES, [], ["b"], 9)
        self.assertEqual([one["service"] for one in allowed], ["a", "c"])
        self.assertEqual(skipped[0]["reason"], "b is down already")


class ControlTests(unittest.TestCase):
    def test_everything_has_bounds_and_an_end(self):
        self.assertEqual(checked("latency", {}), {"ms": 500, "seconds": 600})
        self.assertEqual(checked("cpu", {"percent": 90}), {"percent": 90, "seconds": 30})
        self.assertEqual(checked("recover", {}), {})
        for op, wrong in [
            ("latency", {"ms": -1}), ("latency", {"ms": float("nan")}), ("cpu", {"percent": 101}), ("memory", {"mb": 301}),
            ("memory", {"mb": True}), ("kill", {"seconds": 3601}), ("inject_failure", {"type": "a b"}), ("start", {"ms": 1}),
        ]:
            with self.assertRaises(WrongOperation, msg=f"{op} {wrong}"):
                checked(op, wrong)

    def test_an_operation_counts_once_and_is_mended(self):
        with tempfile.TemporaryDirectory() as folder:
            registry = Registry(f"{folder}/arena.db")
            for _ in range(2):
                registry.begin("k-1", "db", "kill", {}, "villain", 100, 700)
                registry.finish("k-1", True, 0.5)
            registry.begin("l-1", "db", "latency", {"ms": 5}, "villain", 110, 120)
            self.assertEqual([row["id"] for row in registry.harm(115)], ["k-1", "l-1"])
            self.assertEqual([row["id"] for row in registry.harm(125)], ["k-1"])
            registry.mend("db", ("kill",), 130)
            self.assertEqual(Registry(f"{folder}/arena.db").harm(131), [])
            numbers = [row["number"] for row in registry.history()]
            self.assertEqual((len(numbers), numbers), (2, sorted(numbers)))

    def test_what_others_have_mended_is_in_force_no_more(self):
        class Gateway:
            def faults(self):
                return [{"id": "latency"}, {"id": "abroad"}]

            def actor(self, name):
                return {"state": "paused" if name == "down" else "running"}

        with tempfile.TemporaryDirectory() as folder:
            registry = Registry(f"{folder}/arena.db")
            for id, service, op in [
                ("latency", "a", "latency"), ("reset", "a", "inject_failure"), ("killed", "down", "kill"),
                ("resumed", "a", "stop"), ("burns", "a", "cpu"), ("abroad", "b", "cpu"), ("reset-abroad", "b", "cpu"),
            ]:
                registry.begin(id, service, op, {}, "villain", 100, 700)
            control = Control(Gateway(), registry, clock=lambda: 200, foreign={"b"})
            self.assertEqual([row["id"] for row in control.in_force()], ["latency", "killed", "burns", "abroad"])

    def test_abroad_processor_time_is_wasted_by_a_fault(self):
        made = []

        class Gateway:
            def post(self, path, body):
                made.append((path, body))
                return {"id": body["id"], "until": None}

        with tempfile.TemporaryDirectory() as folder:
            control = Control(Gateway(), Registry(f"{folder}/arena.db"), foreign={"b"})
            self.assertTrue(control.perform("v:1:0", "cpu", "b", {"percent": 70}, "villain")["ok"])
        fault = {"id": "v:1:0", "actor": "b", "owner": "villain", "duration": "30000ms", "kind": "cpu", "load": 0.7,
                 "cpu": "30000ms"}
        self.assertEqual(made, [("/faults", fault)])

    def test_samples_are_bounded(self):
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch("registry.KEPT_SAMPLES", 10):
            registry = Registry(f"{folder}/arena.db")
            for number in range(15):
                registry.keep(str(number), "db", number, {"n": number})
            self.assertEqual([one["n"] for one in registry.samples("db", 3)], [12, 13, 14])
            self.assertLessEqual(len(registry.samples("db", 10_000)), 11)


class StressTests(unittest.TestCase):
    def test_memory_leaks_up_to_a_limit_once_for_each_id_and_comes_back(self):
        stress = Stress()
        self.assertEqual((stress.leak("a", 5, 60), stress.leak("a", 5, 60), stress.leak("b", 3, 60)), (5, 5, 8))
        stress.blocks["full"] = bytearray(0)
        self.assertLess(MOST_MB, 1000)
        stress.recover()
        self.assertEqual(stress.state(), {"cpu_stress_active": False, "memory_leak_mb": 0})

    def test_the_burner_is_one_and_ends(self):
        stress = Stress()
        stress.burn(10, 60)
        first = stress.burner
        stress.burn(20, 60)
        self.assertIs(stress.burner, first)
        self.assertTrue(stress.state()["cpu_stress_active"])
        stress.recover()
        first.join(2)
        self.assertFalse(first.is_alive())


def sample(service, **more):
    return {
        "service": service, "at": 0, "running": True, "probe": "ok", "culprit": None, "error": None, "own_ms": 5,
        "cpu_percent": 1, "memory_mb": 20, **more}


def well():
    return {name: [sample(name)] * 3 for name in WORLD}


def found(history):
    return [(one.service, one.type, one.affected) for one in detection.findings(history, DEPENDENCIES)]


class DetectionTests(unittest.TestCase):
    def test_all_is_well(self):
        self.assertEqual(found(well()), [])

    def test_a_database_that_is_down_is_one_incident_and_not_four(self):
        history = well()
        history["database_service"] = [
            sample("database_service", running=False, paused=True, probe="skipped")]
        for name in ("api_gateway", "user_service", "payment_service"):
            history[name] = [sample(name, probe="skipped")]
        self.assertEqual(
            found(history), [("database_service", "service_down", ("api_gateway", "payment_service", "user_service"))])

    def test_a_failure_is_that_of_who_fails_and_not_of_who_calls(self):
        history = well()
        failing = {"probe": "failed", "culprit": "user_service", "error": "timeout: no"}
        history["user_service"] = [sample("user_service", **failing)]
        history["api_gateway"] = [sample("api_gateway", **failing)]
        self.assertEqual(found(history), [("user_service", "service_unhealthy", ("api_gateway",))])

    def test_who_fails_only_others_is_found_through_them(self):
        history = well()
        history["user_service"] = [sample("user_service", probe="failed", culprit="database_service", error="x")]
        self.assertEqual(found(history), [("database_service", "service_unhealthy", ("user_service",))])

    def test_causes_at_the_same_time_are_incidents_of_their_own(self):
        history = well()
        history["database_service"] = [sample("database_service", probe="failed", culprit="database_service", error="x")]
        history["user_service"] = [
            sample("user_service", probe="failed", culprit="database_service", error="x", own_ms=900)] * 2
        history["echo_service"] = [sample("echo_service", memory_mb=501)]
        self.assertEqual([(service, kind) for service, kind, _ in found(history)], [
            ("database_service", "service_unhealthy"), ("echo_service", "performance_issue"),
            ("user_service", "performance_issue")])

    def test_the_seeds_limits(self):
        for values, is_found in [
            ({"cpu_percent": 80}, False), ({"cpu_percent": 80.1}, True), ({"memory_mb": 500}, False), ({"memory_mb": 501}, True),
            ({"cpu_percent": None, "memory_mb": None}, False),
        ]:
            history = {**well(), "echo_service": [sample("echo_service", **values)]}
            self.assertEqual(bool(found(history)), is_found, values)

    def test_one_slow_look_is_chance_and_two_of_three_are_not(self):
        slow, quick = sample("echo_service", own_ms=150), sample("echo_service")
        for looks, is_found in [
            ([slow], False), ([quick, quick, slow], False), ([slow, quick, slow], True), ([slow, slow], True),
            ([slow, slow, quick], False),
        ]:
            self.assertEqual(bool(found({**well(), "echo_service": looks})), is_found)
        gone = sample("echo_service", running=False, probe="skipped")
        self.assertEqual(found({**well(), "echo_service": [quick, gone]}), [])
        self.assertEqual(
            found({**well(), "echo_service": [gone, quick, gone]}), [("echo_service", "service_down", ())])
        starting = {**gone, "starting": True}
        self.assertEqual(found({**well(), "echo_service": [starting, starting, gone]}), [])
        silent = sample("echo_service", probe="silent", culprit="echo_service")
        self.assertEqual(found({**well(), "echo_service": [quick, silent]}), [])
        self.assertEqual(
            found({**well(), "echo_service": [silent, silent]}), [("echo_service", "service_unhealthy", ())])

    def test_what_a_probe_says(self):
        step = {"actor": "user_service", "run_ms": 12}
        self.assertEqual(
            detection.probed("user_service", {"status": "succeeded", "steps": [step]}),
            {"probe": "ok", "culprit": None, "error": None, "own_ms": 12})
        failed = {"status": "failed", "steps": [step], "error": "e", "result": {"failed_actor": "database_service"}}
        self.assertEqual(detection.probed("user_service", failed)["culprit"], "database_service")
        waiting = {"status": "running", "steps": [step], "current_actor_name": "database_service"}
        self.assertEqual(detection.probed("user_service", waiting)["probe"], "silent")
        self.assertEqual(detection.probed("user_service", None)["culprit"], "user_service")


class PlanTests(unittest.TestCase):
    LIMITS = (100, 80, 500)

    def test_classes(self):
        for values, kind in [
            ({"running": False}, "service_down"), ({"probe": "failed", "culprit": "s"}, "service_unhealthy"),
            ({"cpu_percent": 81}, "resource_exhaustion"), ({"memory_mb": 501}, "resource_exhaustion"),
            ({"own_ms": 101}, "high_latency"), ({}, "service_unhealthy"),
        ]:
            self.assertEqual(templates.classify(sample("s", **values), *self.LIMITS), kind, values)

    def test_four_templates_that_get_stronger(self):
        for kind, tool in [
            ("service_down", "restart_service"), ("service_unhealthy", "recover_service"),
            ("high_latency", "optimize_config"), ("resource_exhaustion", "scale_or_restart"),
        ]:
            decisions = [templates.decide("s", kind, attempt, ["above"]) for attempt in (1, 2, 3)]
            self.assertEqual([str(action) for action in decisions[0].actions], [f"{tool} s"])
            self.assertEqual([str(one) for one in decisions[1].actions], ["restart_service s", "recover_service s"])
            self.assertEqual([str(one) for one in decisions[2].actions], ["restart_service s", "restart_service above"])
            self.assertTrue({action.tool for one in decisions for action in one.actions} <= templates.TOOLS)
            steps = templates.steps("s", kind, decisions[0])
            done: set = set()
            for step in steps:
                self.assertTrue(set(step["dependencies"]) <= done, step)
                done.add(step["step"])


class DiagnosisTests(unittest.TestCase):
    def test_errors_are_counted_without_the_mark_of_their_injection(self):
        failures = [{"error": f"timeout: no (injected by fault f-{number})"} for number in range(3)] + [{"error": "other"}]
        self.assertEqual(
            diagnosis.log_findings("s", failures, {"retried_per_minute": 2})["error_patterns"],
            [{"error": "timeout: no", "count": 3}, {"error": "other", "count": 1}])

    def test_alerts_and_score(self):
        alerts = diagnosis.alerts(
            sample("s", cpu_percent=71, memory_mb=301, own_ms=101, memory_leak_mb=5), {"disk_percent": 91}, 100)
        self.assertEqual(len(alerts), 5)
        self.assertEqual((diagnosis.score(alerts), diagnosis.score([]), diagnosis.score(alerts * 2)), (0, 100, 0))
        self.assertTrue(all(one["recommendation"] for one in alerts))

    def test_trends_come_from_what_was_seen(self):
        def trend(*values):
            return diagnosis.trend([{"x": value} for value in values], "x")
        self.assertEqual(
            [trend(1, 1, 1, 1), trend(1, 1, 2, 2), trend(2, 2, 1, 1), trend(1, 2), trend(None, 1, 1, 1.1, 1.1)],
            ["stable", "rising", "falling", "unknown", "stable"])


class SettingsTests(unittest.TestCase):
    def test_defaults_are_the_seeds(self):
        found = settings.read({})
        self.assertEqual((found.villain_interval, found.felix_interval, found.use_llm), (15, 5, False))
        self.assertEqual((found.cpu_percent, found.memory_mb, found.slow_ms), (80, 500, 100))

    def test_a_wrong_one_is_named(self):
        for name, value in [("FELIX_INTERVAL", "soon"), ("FELIX_ATTEMPTS", "0"), ("USE_LLM", "maybe"), ("FELIX_SLOW_MS", "nan")]:
            with self.assertRaisesRegex(settings.SettingError, name):
                settings.read({name: value})


class WorldTests(unittest.TestCase):
    def test_a_probe_goes_through_all_that_a_service_depends_on(self):
        for name, service in WORLD.items():
            self.assertEqual(set(service.probe), {name} | below(name, DEPENDENCIES))

    def test_mistakes_are_named(self):
        for document, where in [
            ([], "services"), ({"services": {"a": {"dependencies": ["b"]}}}, r"services\.a\.dependencies: 'b'"),
            ({"services": {"a": {"probe": []}}}, r"services\.a\.probe"), ({"services": {"a": {"weight": -1}}}, "weight"),
        ]:
            with self.assertRaisesRegex(world.WorldError, where):
                world.world(json.loads(json.dumps(document)))

    def test_neighbours_have_services_that_are_none_of_ours(self):
        self.assertEqual(set(world.neighbours()["shop"]), set(SERVICES))
        for wrong, where in [
            ([], "'neighbours'"), ({"arena": {"x": 1}}, "'neighbours'"), ({"y": {}}, r"neighbours\.y"),
            ({"y": {"a": 1}}, r"neighbours\.y"), ({"y": {"x": True}}, r"neighbours\.y\.x"),
        ]:
            with self.assertRaisesRegex(world.WorldError, where):
                world.neighbours_in({"services": {"a": {}}, "neighbours": wrong})


if __name__ == "__main__":
    unittest.main()
