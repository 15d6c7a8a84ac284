"""felix-policy, felix-act, felix-verify: one action after the other is judged and done; then it is looked whether it has helped."""

import time

import settings
import world
from control.operations import Control
from felix import detection, templates
from felix.looking import look
from registry import Registry
from remediation import policy
from remediation.gateway import Gateway
from remediation.ledger import Ledger
from remediation.model import Decision, Incident
from remediation.routes import again, back, onward

WORLD = world.read()
SETTINGS = settings.read()
REGISTRY = Registry(SETTINGS.state)
LEDGER = Ledger(SETTINGS.state)
LIMITS = detection.Limits(SETTINGS.slow_ms, SETTINGS.cpu_percent, SETTINGS.memory_mb)
POLICY = policy.Policy(
    tools=templates.TOOLS, targets=frozenset(WORLD), confidence_floor=SETTINGS.confidence_floor,
    cooldown_seconds=SETTINGS.cooldown_seconds, dry_run=SETTINGS.dry_run, ask_for=SETTINGS.ask_for)
# Each tool as operations of arena-control, in order.
OPERATIONS = {
    "start_service": ("start",), "restart_service": ("restart",), "recover_service": ("recover",),
    "optimize_config": ("optimize",), "scale_or_restart": ("restart", "recover"),
}
ASK_AGAIN_SECONDS = 1
# What is measured over seconds needs some until it is good again.
LOOKS = 3


class Escalated(Exception):
    """It goes to a person: error-end has the envelope with all that is known."""


def judge(envelope, context):
    payload = envelope["payload"]
    incident, decision, action, id = current(payload)
    now = time.time()
    # What this very envelope has begun already does not keep it from going on.
    history = LEDGER.history(now - max(POLICY.window_seconds, POLICY.cooldown_seconds) - 3600)
    verdict = policy.judge(POLICY, incident, decision, action, history, now, LEDGER.approval(id))
    if verdict.outcome in (policy.WAIT, policy.ASK):
        since = payload.setdefault("waiting_since", now)
        if verdict.outcome == policy.ASK and now - since > SETTINGS.approval_seconds:
            raise Escalated(f"nobody has approved '{action}' within {SETTINGS.approval_seconds:g} s")
        if payload.get("told") != id:
            context.log(
                f"policy: {verdict.reason}"
                + (f": troupe call approve --arg action={id}" if verdict.outcome == policy.ASK else ""))
        payload["told"] = id
        return again(envelope, verdict.seconds or ASK_AGAIN_SECONDS)
    context.log(f"policy: {action}: {verdict.outcome}, {verdict.reason}")
    payload["policy"] = verdict.payload()
    payload.pop("waiting_since", None)
    if verdict.outcome == policy.REFUSE:
        raise Escalated(f"the policy refuses '{action}': {verdict.reason}")
    return onward(envelope)


def act(envelope, context):
    payload = envelope["payload"]
    incident, decision, action, id = current(payload)
    if payload["policy"]["outcome"] == policy.REHEARSE:
        done = {"id": id, **action.payload(), "ok": None, "dry_run": True, "elapsed": 0}
    else:
        if LEDGER.begin(id, incident.id, action, time.time()):
            control, begin = Control(Gateway(), REGISTRY), time.monotonic()
            ok = all([
                control.perform(f"{id}:{op}", op, action.target, {}, "felix")["ok"] for op in OPERATIONS[action.tool]])
            LEDGER.finish(id, ok, round(time.monotonic() - begin, 3))
        ok, elapsed = LEDGER.outcome(id)
        done = {"id": id, **action.payload(), "ok": ok, "elapsed": elapsed}
    context.log(f"act: {action}: " + {True: "done", False: "failed", None: "not done, it is a dry run"}[done["ok"]])
    payload = {
        **payload, "actions": [*payload["actions"], done], "position": payload["position"] + 1,
        "looks": 0}
    return onward({**envelope, "payload": payload}, SETTINGS.settle_seconds)


def verify(envelope, context):
    payload = envelope["payload"]
    incident, looks = Incident.read(payload["incident"]), payload["looks"] + 1
    if payload["actions"] and payload["actions"][-1].get("dry_run"):
        context.log("verify: a dry run changes nothing")
        return onward({**envelope, "payload": {**payload, "verification": {"healthy": None, "dry_run": True}}})
    id = f"{envelope['id']}:verify-{payload['attempt']}-{looks}"
    sample = look(Gateway(), WORLD, id, SETTINGS.probe_seconds, [incident.service])[incident.service]
    # What may be chance need not be seen twice here: there will be another look.
    symptom = detection.own_symptom([sample], LIMITS, looks=1)
    after = round(time.time() - incident.detected_at, 1)
    payload = {**payload, "looks": looks, "verification": {
        "healthy": symptom is None, "after_s": after, "symptom": symptom and symptom.text}}
    envelope = {**envelope, "payload": payload}
    if symptom is None:
        context.log(f"verify: {incident.service} is healthy, {after:g} s after it was detected")
        return onward(envelope)
    if looks < LOOKS:
        context.log(f"verify: not yet: {symptom.text}")
        return again(envelope, max(SETTINGS.settle_seconds, 0.2))
    if payload["attempt"] < SETTINGS.attempts:
        context.log(f"verify: {incident.service} is not healthy: {symptom.text}; plan again")
        return back({**envelope, "payload": {**payload, "attempt": payload["attempt"] + 1}}, "felix-log")
    raise Escalated(f"{incident.service} is not healthy after {payload['attempt']} plans: {symptom.text}")


def approve(payload):
    """A person's word: {"action", "approved", "by"?}"""
    action, approved = payload.get("action"), payload.get("approved", True)
    if not isinstance(action, str) or not isinstance(approved, bool):
        raise ValueError("expected {'action': its id, 'approved': true or false}")
    LEDGER.approve(action, approved, str(payload.get("by", "")))
    return {"action": action, "approved": LEDGER.approval(action)}


def current(payload):
    incident, decision = Incident.read(payload["incident"]), Decision.read(payload["plan"])
    position = payload["position"]
    return incident, decision, decision.actions[position], f"{incident.id}:{payload['attempt']}.{position}"
