"""The universe's document: what is refused and where, what a plan says, and what is made of it."""

import copy
import sys
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "actors" / "missions"
sys.path[:0] = [str(PROJECT)]

from vastaya import manifests, project, universe  # noqa: E402

DEFAULT = universe.DEFAULT


def changed(**keys: object) -> dict:
    return {**copy.deepcopy(DEFAULT), **keys}


class Documents(unittest.TestCase):
    def test_the_default_is_right_and_has_the_four_planets(self):
        self.assertEqual(universe.problems(DEFAULT), [])
        self.assertEqual([planet["type"] for planet in DEFAULT["planets"]], ["trade", "archive", "research", "resort"])

    def test_slugs(self):
        for text, expected in {"Planet A": "planet-a", "--Ω--": "planet", "x  Y__9": "x-y-9", "": "planet"}.items():
            self.assertEqual(universe.slug(text), expected)

    def test_what_is_missing_is_filled_in_and_nothing_is_guessed(self):
        whole = universe.completed({"planets": [{"id": "New Earth"}, {}]})
        self.assertEqual(whole["planets"][0], {
            "id": "new-earth", "code": "P1", "displayName": "New Earth", "type": "generic", "description": ""})
        self.assertEqual(whole["planets"][1]["id"], "planet-2")
        self.assertFalse(whole["blackHoleEnabled"] or whole["chaosExperimentsEnabled"] or whole["nebulaEnabled"])

    def test_each_mistake_is_told_with_its_place(self):
        planet = {"id": "p", "type": "trade"}
        for wrong, at in [
            ({"wormholeInstability": 101}, "/wormholeInstability"),
            ({"wormholeInstability": "abc"}, "/wormholeInstability"),
            ({"wormholeInstability": True}, "/wormholeInstability"),
            ({"nebulaDensity": -1}, "/nebulaDensity"),
            ({"nebulaDensity": 1.5}, "/nebulaDensity"),
            ({"chaosFailureRate": 1.01}, "/chaosFailureRate"),
            ({"blackHoleEnabled": "yes"}, "/blackHoleEnabled"),
            ({"blackHoleEnabled": 1}, "/blackHoleEnabled"),
            ({"statusMessage": None}, "/statusMessage"),
            ({"crossGalaxyMode": []}, "/crossGalaxyMode"),
            ({"blackholes": True}, "/blackholes"),
            ({"planets": {}}, "/planets"),
            ({"planets": [7]}, "/planets/0"),
            ({"planets": [{**planet, "id": "P!"}]}, "/planets/0/id"),
            ({"planets": [planet, planet]}, "/planets/1/id"),
            ({"planets": [{**planet, "id": "mission-ledger"}]}, "/planets/0/id"),
            ({"planets": [{**planet, "id": "p-v2"}]}, "/planets/0/id"),
            ({"planets": [{**planet, "type": ["trade"]}]}, "/planets/0/type"),
            ({"planets": [{**planet, "chaosFailureRate": 2}]}, "/planets/0/chaosFailureRate"),
            ({"planets": [{**planet, "color": "red"}]}, "/planets/0/color"),
            ({"planets": [{**planet, "description": 1}]}, "/planets/0/description"),
        ]:
            with self.subTest(wrong=wrong):
                found = universe.problems(changed(**wrong))
                self.assertEqual([problem.partition(":")[0] for problem in found], [at])
        self.assertEqual(len(universe.problems(changed(nebulaDensity=-1, blackHoleEnabled=0, x=1))), 3)
        self.assertEqual(universe.problems([]), ["the universe must be an object"])


class Traits(unittest.TestCase):
    def profile(self, planet: str, **keys: object) -> tuple:
        document = changed(**keys)
        found = universe.profile(document, universe.planet_of(document, planet))
        return found["nebula_ms"], found["chaos_rate"], found["shields"]

    def test_planets_differ(self):
        self.assertEqual(self.profile("planet-a"), (0, 0.0, False))
        self.assertEqual(self.profile("planet-b"), (300, 0.0, False))
        self.assertEqual(self.profile("planet-c"), (0, 0.18, False))
        self.assertTrue(universe.trait(universe.planet_of(DEFAULT, "planet-d"), "bursty"))

    def test_the_universe_goes_over_them(self):
        self.assertEqual(self.profile("planet-a", nebulaEnabled=True, nebulaDensity=35), (35, 0.0, False))
        self.assertEqual(self.profile("planet-b", nebulaEnabled=True, nebulaDensity=35), (300, 0.0, False))
        self.assertEqual(
            self.profile("planet-c", chaosExperimentsEnabled=True, chaosFailureRate=0.5, shieldsEnabled=True),
            (0, 0.5, True))
        # Switched off, a number means nothing.
        self.assertEqual(self.profile("planet-a", nebulaDensity=9000), (0, 0.0, False))

    def test_a_planet_may_have_its_own(self):
        planets = [{"id": "p", "type": "archive", "nebulaDensity": 5}]
        self.assertEqual(self.profile("p", planets=planets), (5, 0.0, False))


class Plans(unittest.TestCase):
    def test_additions_changes_and_removals(self):
        a, b, c, _ = DEFAULT["planets"]
        wanted = changed(
            planets=[a, {**b, "nebulaDensity": 9}, c, {"id": "planet-e", "type": "trade"}], shieldsEnabled=True)
        self.assertEqual(universe.plan(DEFAULT, wanted), {
            "added": ["planet-e"], "removed": ["planet-d"], "changed": ["planet-b"],
            "unchanged": ["planet-a", "planet-c"], "settings": {"shieldsEnabled": {"from": False, "to": True}}})

    def test_a_wormhole_has_two_ends_and_leaves_none_behind(self):
        through = changed(wormholesEnabled=True, wormholeInstability=20)
        self.assertEqual(universe.plan(DEFAULT, through)["added"], [f"planet-{x}-v2" for x in "abcd"])
        self.assertEqual(universe.plan(through, DEFAULT)["removed"], [f"planet-{x}-v2" for x in "abcd"])
        self.assertEqual(universe.plan(DEFAULT, changed(wormholesEnabled=True))["added"], [])

    def test_nothing_to_do_is_an_empty_plan(self):
        plan = universe.plan(DEFAULT, changed())
        self.assertEqual((plan["added"], plan["removed"], plan["changed"], plan["settings"]), ([], [], [], {}))

    def test_all_planets_may_go(self):
        self.assertEqual(len(universe.plan(DEFAULT, changed(planets=[]))["removed"]), 4)


class Rendering(unittest.TestCase):
    def test_the_project_that_is_shipped_is_the_default_universe(self):
        text = (PROJECT / "troupe.yaml").read_text()
        self.assertEqual(project.with_planets(text, DEFAULT), text)

    def test_what_lies_around_the_marks_stays(self):
        text = "a: 1\n" + project.section(DEFAULT) + "\nb: 2  # mine\n"
        written = project.with_planets(text, changed(planets=[]))
        self.assertEqual(written, f"a: 1\n{project.BEGIN}\n{project.END}\nb: 2  # mine\n")
        self.assertEqual(project.with_planets(written, DEFAULT), text)

    def test_a_file_without_marks_is_left_alone(self):
        for text in ("", project.BEGIN, f"{project.END}\n{project.BEGIN}", project.section(DEFAULT) * 2):
            with self.assertRaises(project.NoMarks):
                project.with_planets(text, DEFAULT)

    def test_manifests(self):
        document = changed(wormholesEnabled=True, wormholeInstability=20)
        files = manifests.render(document, "image:1", "sidecar:1", "space")
        self.assertEqual(len(files), 8)
        one = files["planet-b-v2-deployment.json"]
        self.assertEqual(one["metadata"]["namespace"], "space")
        self.assertEqual(one["metadata"]["labels"][manifests.LABEL], "planet-b")
        self.assertEqual(one["metadata"]["labels"][manifests.VERSION_LABEL], "v2")
        pod = one["spec"]["template"]
        self.assertEqual(one["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"])
        self.assertEqual([container["image"] for container in pod["spec"]["containers"]], ["image:1", "sidecar:1"])
        for container in pod["spec"]["containers"]:
            self.assertIn({"name": "TROUPE_CONCURRENCY", "value": "32"}, container["env"])
        self.assertNotIn("password", str(files).lower())


if __name__ == "__main__":
    unittest.main()
