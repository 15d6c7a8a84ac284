"""felix-plan: decides what is to be done, by a language model where one is set up, else by the template; and lays the route."""

import json
from dataclasses import replace

import settings
import world
from felix import templates
from remediation import replies
from remediation.chat import Chat, ChatBusy, ChatRefused
from remediation.model import Incident, Malformed
from remediation.routes import onward

WORLD = world.read()
SETTINGS = settings.read()
CHAT = Chat.from_environment() if SETTINGS.use_llm else None
# Of felix-plan's attempts in troupe.yaml: after the last one the template decides.
ATTEMPTS = 3
SYSTEM = "You are an incident-response planner for a system of services. You answer with one JSON object, and nothing else."


def process(envelope, context):
    payload = envelope["payload"]
    incident, sample = Incident.read(payload["incident"]), payload["probe"]["service"]
    kind = templates.classify(
        {**incident.signals.get("sample", {}), **sample}, SETTINGS.slow_ms, SETTINGS.cpu_percent, SETTINGS.memory_mb)
    decision = decide(payload, incident, kind, context)
    words = ", ".join(map(str, decision.actions))
    context.log(f"plan by {decision.source}: {decision.root_cause}; {words} (confidence {decision.confidence:g})")
    if decision.fallback:
        context.log(f"plan: the model's answer is not used: {decision.fallback}", "warning")
    route = envelope["route"]
    ahead = ["felix-policy", "felix-act"] * len(decision.actions) + ["felix-verify"]
    route = {**route, "actors": route["actors"][:route["current"] + 1] + ahead}
    plan = {**decision.payload(), "class": kind, "steps": templates.steps(incident.service, kind, decision)}
    return onward({**envelope, "route": route, "payload": {**payload, "plan": plan, "position": 0}})


def decide(payload, incident, kind, context):
    template = templates.decide(
        incident.service, kind, payload["attempt"], incident.signals.get("affected", ()), evidence(payload))
    if CHAT is None:
        return template
    try:
        return replies.read(CHAT.ask(SYSTEM, question(payload, incident)), templates.TOOLS, WORLD)
    except Malformed as error:
        return replace(template, fallback=f"does not fit: {error}")
    except ChatRefused as error:
        return replace(template, fallback=f"refused: {error}")
    except ChatBusy as error:
        if context.attempt < ATTEMPTS:
            context.log(f"plan: the model is busy ({error}); again later", "warning")
            raise  # the framework waits, and tries again
        return replace(template, fallback=f"busy after {ATTEMPTS} attempts: {error}")


def evidence(payload):
    found = [payload["incident"]["signals"].get("text", "")]
    found += [one["error"] for one in payload["log"]["error_patterns"][:2]]
    found += [one["alert"] for one in payload["metrics"]["alerts"][:3]]
    return [one for one in found if one]


def question(payload, incident):
    known = {
        "incident": {"service": incident.service, "type": incident.type, "signals": incident.signals},
        "attempt": payload["attempt"], "log": payload["log"], "metrics": payload["metrics"], "probe": payload["probe"],
        "done_so_far": payload["actions"],
        "dependencies": {name: list(service.dependencies) for name, service in WORLD.items()},
    }
    return (
        f"What is known:\n{json.dumps(known)}\n\nTools: {', '.join(sorted(templates.TOOLS))}. "
        f"Targets: {', '.join(WORLD)}.\nAnswer in this shape:\n{replies.SCHEMA}\n"
        "Find the cause first; look at dependencies; recover gradually; do as little as will help.")
