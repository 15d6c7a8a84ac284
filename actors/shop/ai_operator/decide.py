"""What is to be done about an incident. Pure.

A decision has what the original's has, `root_cause, confidence, action_type, target, command`, and `evidence`. The
command is for people to read: what is done is the typed action, and only if there is one.
"""

from dataclasses import dataclass, field
from typing import Collection, Mapping, Optional, Sequence

from remediation.model import Action, Decision, Incident

ACTION_TYPES = ("restart", "scale", "reset_failure", "rollback", "quarantine", "release", "none")
# What can be done through the gateway, anywhere. The others need whoever runs the processes: a person.
TOOLS = ("reset_failure", "quarantine", "release")
BY_HAND = ("restart", "scale", "rollback")
EVERYTHING = "all"
CORRUPTED = "CorruptedData: db-service"

COMMANDS = {
    "restart": "kubectl rollout restart deployment/{target} -n archaics",
    "scale": "kubectl scale deployment/{target} --replicas=3 -n archaics",
    "rollback": "kubectl rollout undo deployment/{target} -n archaics",
    "quarantine": "troupe actors pause {target}",
    "release": "troupe actors resume {target}",
    "reset_failure": "troupe fault reset --actor {target}",
    "none": "",
}


@dataclass(frozen=True)
class Situation:
    incident: Incident
    # Those that are active: [{"id", "actor", "kind"}]
    faults: Sequence[Mapping] = ()
    attempt: int = 1
    # Services that do not work because somebody has stopped them, and what they have said.
    stopped: Mapping[str, str] = field(default_factory=dict)


def template(situation: Situation, services: Collection[str]) -> Decision:
    """Without a model: what is known beats what is likely."""
    incident, signals = situation.incident, situation.incident.signals
    culprit = str(signals.get("culprit", "unknown"))
    errors = [str(error) for error in signals.get("errors", [])]
    target, evidence = incident.service, evidence_of(incident)
    if any(CORRUPTED in error for error in errors):
        target = "db-service"
        evidence.append("its caller says that what it got was corrupted")
    loads = [fault for fault in situation.faults if fault.get("kind") in ("cpu", "memory")]
    struck = [fault for fault in situation.faults if fault.get("actor") in (target, "*")]
    if target not in services:  # the whole machine
        struck = loads or list(situation.faults)
        at = {str(fault.get("actor")) for fault in struck}
        target = at.pop() if len(at) == 1 and at <= set(services) else EVERYTHING
    if target in situation.stopped:
        evidence.append(f"it was stopped: {situation.stopped[target] or 'nobody has said why'}")
        return decided(f"{target} was stopped", 0.9, "release", target, evidence)
    if struck:
        kinds = ", ".join(sorted({str(fault.get("kind")) for fault in struck}))
        evidence.append(f"faults that were injected are active: {kinds}")
        return decided(f"injected faults at {target}: {kinds}", 0.95, "reset_failure", target, evidence)
    if culprit in ("p95", "queue_age") and loads:
        # A machine that is busy makes all of its services slow.
        busy = str(loads[0].get("actor"))
        evidence.append(f"a fault that was injected at {busy} loads the machine")
        return decided(
            f"{target} is slow beside a loaded {busy}", 0.7, "reset_failure", busy if busy in services else EVERYTHING,
            evidence)
    if any(CORRUPTED in error for error in errors):
        return decided("db-service sends corrupted data", 0.8, "quarantine", target, evidence)
    if culprit == "failure_ratio":
        return decided(f"{target} fails", 0.7, "restart", target, evidence)
    if culprit in ("p95", "queue_age", "cpu"):
        return decided(f"{target} is overloaded: {culprit}", 0.7, "scale", target, evidence)
    return decided(f"unknown: {culprit}", 0.3, "none", target, evidence)


def decided(root_cause: str, confidence: float, tool: str, target: str, evidence: Sequence[str]) -> Decision:
    return Decision(root_cause, confidence, (Action(tool, target),), tuple(evidence))


def evidence_of(incident: Incident) -> list[str]:
    signals = incident.signals
    culprit = str(signals.get("culprit", ""))
    now, usual = signals.get("vector", {}).get(culprit), signals.get("usual", {}).get(culprit)
    found = []
    if now is not None and usual is not None:
        found.append(f"{culprit} of {incident.service} is {now:.3g}, usually {usual:.3g}")
    return found + [f"error: {error}" for error in list(signals.get("errors", []))[-3:]]


def payload(decision: Decision) -> dict:
    """As the original's operator answers, with what it lacked."""
    action = decision.actions[0] if decision.actions else Action("none", EVERYTHING)
    return {
        "root_cause": decision.root_cause, "confidence": decision.confidence, "action_type": action.tool,
        "target": action.target, "command": command(action), "evidence": list(decision.evidence),
        "source": decision.source, "fallback": decision.fallback}


def command(action: Action) -> str:
    text = COMMANDS.get(action.tool, "").format(target=action.target)
    return text.replace(" --actor all", "")


def read(value: Mapping) -> tuple[Decision, Optional[Action]]:
    """From a payload; no action where there is nothing to do."""
    action = Action(value["action_type"], value["target"])
    decision = Decision(
        value["root_cause"], value["confidence"], (action,), tuple(value["evidence"]), value["source"],
        value["fallback"])
    return decision, None if action.tool == "none" else action
