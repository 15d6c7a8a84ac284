"""The steps that apply the universe, each an actor: validate -> plan -> render -> reconcile -> verify.

Each adds to the payload what it has found. The first three change nothing: alone they are a dry run.
"""

import json
import os
import time
from pathlib import Path

from . import gateway, manifests, project, universe
from .store import Store

BLACK_HOLE = "black-hole"
TARGETS = ("dev", "kubernetes")
VERIFY_LIMIT, VERIFY_PAUSE = 60.0, 0.5  # seconds


class Invalid(Exception):
    """The document can't be applied."""


class Stale(Exception):
    """Another universe was applied since this one was planned."""


class NotThere(Exception):
    """What was applied did not come about."""


def validate(_payload):
    """The draft as it is now, checked whole."""
    state = Store().universe()
    wrong = universe.problems(state["draft"])
    if wrong:
        raise Invalid("; ".join(wrong))
    return {"document": state["draft"], "version": state["version"]}


def plan(payload):
    state = Store().universe()
    return {
        **payload, "base": state["applied_version"], "plan": universe.plan(state["applied"], payload["document"]),
    }


def render(payload):
    """For both targets: a dry run shows what either would get."""
    rendered = manifests.render(
        payload["document"], os.environ.get("UNIVERSE_PLANET_IMAGE", "troupe-planet:local"),
        os.environ.get("UNIVERSE_SIDECAR_IMAGE", "troupe-sidecar:local"),
        os.environ.get("UNIVERSE_NAMESPACE", "vastaya"))
    return {**payload, "manifests": rendered, "project": project.section(payload["document"])}


def reconcile(payload):
    """Makes it so. A second call finds everything as it should be, and changes nothing."""
    store = Store()
    state, document = store.universe(), payload["document"]
    if state["applied_version"] not in (payload["base"], payload["version"]):
        raise Stale(f"version {state['applied_version']} was applied since this was planned on {payload['base']}")
    target = os.environ.get("UNIVERSE_TARGET", "dev")
    if target not in TARGETS:
        raise Invalid(f"UNIVERSE_TARGET is {target!r}: expected one of {', '.join(TARGETS)}")
    operations = to_dev(document) if target == "dev" else to_kubernetes(payload["manifests"])
    operations += black_hole(state, document, payload["version"])
    if not store.apply(document, payload["version"], payload["base"]):
        raise Stale("another universe was applied at the same time")
    return {**payload, "target": target, "operations": operations, "applied_at": time.time(),
            "until": time.time() + VERIFY_LIMIT}


def to_dev(document: dict) -> list[str]:
    file = Path(os.environ.get("UNIVERSE_PROJECT", "troupe.yaml"))
    text = file.read_text()
    wanted = project.with_planets(text, document)
    if wanted == text:
        return [f"{file.name}: unchanged"]
    write(file, wanted)
    return [f"{file.name}: {len(universe.workers(document))} planets written"]


def to_kubernetes(files: dict[str, dict]) -> list[str]:
    """One file for each object; those that are there no more go. `kubectl apply --prune` does the rest."""
    folder = manifest_folder()
    folder.mkdir(parents=True, exist_ok=True)
    operations = []
    for name, content in files.items():
        file, text = folder / name, json.dumps(content, indent=2) + "\n"
        if not file.exists() or file.read_text() != text:
            write(file, text)
            operations.append(f"{name}: written")
    for file in sorted(folder.glob("*-deployment.json")):
        if file.name not in files:
            file.unlink()
            operations.append(f"{file.name}: removed")
    return operations or ["nothing to write"]


def manifest_folder() -> Path:
    return Path(os.environ.get("UNIVERSE_MANIFESTS", ".troupe/universe"))


def write(file: Path, text: str) -> None:
    """The whole of it, or nothing."""
    own = file.with_name(f".{file.name}.{os.getpid()}")
    with open(own, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.chmod(own, file.stat().st_mode & 0o777 if file.exists() else 0o644)
    os.replace(own, file)


def black_hole(state: dict, document: dict, version: int) -> list[str]:
    """One at most: an envelope that comes back to itself, of the version that opened it."""
    if state["applied_version"] != version:
        gateway.cancel(f"{BLACK_HOLE}-{state['applied_version']}")
    if not document["blackHoleEnabled"]:
        return ["black hole: closed"]
    gateway.submit(f"{BLACK_HOLE}-{version}", [BLACK_HOLE], {"version": version, "round": 0}, {"origin": BLACK_HOLE})
    return ["black hole: open"]


def verify(envelope):
    """Looks until all is as it was planned. Envelope mode: it waits in its queue, not here."""
    payload = envelope["payload"]
    missing = not_there(payload)
    route, headers = envelope["route"], envelope.get("headers", {})
    if not missing:
        done = {name: value for name, value in payload.items() if name != "until"}
        return {"route": {**route, "current": route["current"] + 1}, "headers": headers,
                "payload": {**done, "verified_at": time.time()}}
    if time.time() > payload["until"]:
        raise NotThere(f"after {VERIFY_LIMIT:g} s: {'; '.join(missing)}")
    return {"route": route, "headers": {**headers, "troupe-delay-ms": round(VERIFY_PAUSE * 1000)}, "payload": payload}


def not_there(payload: dict) -> list[str]:
    if payload["target"] == "kubernetes":
        # The cluster is who applies them: here it is only known what was written.
        folder = manifest_folder()
        return [f"{name} is not as it was written" for name, content in payload["manifests"].items()
                if not (folder / name).exists() or json.loads((folder / name).read_text()) != content]
    consumers = {actor["name"]: actor["consumers"] or 0 for actor in gateway.call("GET", "/actors")["actors"]}
    wanted = universe.workers(payload["document"])
    return [f"{name} does not work yet" for name in wanted if not consumers.get(name)] + [
        f"{name} works still" for name in payload["plan"]["removed"] if consumers.get(name)]
