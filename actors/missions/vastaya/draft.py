"""universe-draft: reads and edits the universe. Nothing that is edited here holds before it is applied."""

from . import report, universe
from .store import ACTIVE, Store


class Stale(Exception):
    """Somebody else has saved meanwhile."""


class Draft:
    def __init__(self):
        self.store = Store()

    def process(self, payload):
        actions = {"get": lambda _: shown(self.store.universe()), "update": self.update, "destroy": self.destroy,
                   "orders": self.orders}
        action = payload.get("action") if isinstance(payload, dict) else None
        if not isinstance(action, str) or action not in actions:
            raise ValueError(f"action {action!r}: expected one of {', '.join(actions)}")
        return actions[action](payload)

    def update(self, payload: dict) -> dict:
        updates, replace = payload.get("updates"), payload.get("replace_config", False)
        if not isinstance(updates, dict) or not isinstance(replace, bool):
            raise ValueError("updates: expected an object with keys of the universe; replace_config: true or false")
        state = self.store.universe()
        document = universe.completed({**({} if replace else state["draft"]), **updates})
        return self.save(document, payload.get("version", state["version"]))

    def destroy(self, payload: dict) -> dict:
        """One planet, or all of them where none is named."""
        state, id, reason = self.store.universe(), payload.get("planet_id"), payload.get("reason", "")
        if not isinstance(reason, str):
            raise ValueError("reason: expected a text")
        gone = "all planets" if id is None else f"planet {id}"
        message = f"{gone} destroyed{': ' if reason else ''}{reason}"[:500]
        planets = [] if id is None else [planet for planet in state["draft"]["planets"] if planet["id"] != id]
        # The note tells that an earlier delivery of this request has done it.
        if id is not None and planets == state["draft"]["planets"] and state["draft"]["statusMessage"] != message:
            raise ValueError(f"planet_id: there is no planet {id!r} in the draft")
        return self.save({**state["draft"], "planets": planets, "statusMessage": message}, state["version"])

    def save(self, document: dict, version: object) -> dict:
        wrong = universe.problems(document)
        if wrong:
            raise ValueError("the universe was not saved: " + "; ".join(wrong))
        if isinstance(version, bool) or not isinstance(version, int):
            raise ValueError("version: expected the version that you have read")
        before = self.store.universe()
        # Saved already, when an earlier call of this very request died before its answer.
        if before["draft"] != document and not self.store.save_draft(document, version):
            raise Stale(f"the draft is at version {before['version']} by now, you have read {version}: read it again")
        return shown(self.store.universe())

    def orders(self, payload: dict) -> dict:
        """Active missions that begin or end at a planet."""
        planet = payload.get("planet_id", "")
        if not isinstance(planet, str):
            raise ValueError("planet_id: expected a text")
        return {"orders": [report.record(mission) for mission in self.store.missions(ACTIVE, planet, 1000)]}


def shown(state: dict) -> dict:
    pending = None
    if state["version"] != state["applied_version"]:
        pending = universe.plan(state["applied"], state["draft"])
    return {
        "config": state["draft"],
        "version": state["version"],
        "lastUpdatedAt": report.moment(state["saved_at"]),
        "appliedVersion": state["applied_version"],
        "lastAppliedAt": report.moment(state["applied_at"]),
        "pending": pending,
    }
