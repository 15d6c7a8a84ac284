"""Whether an action may be done now. Pure: history and time are passed in."""

from dataclasses import dataclass, field
from typing import Iterable, Mapping, Optional

from .model import Action, Decision, Incident

ALLOW = "allow"
REHEARSE = "rehearse"
WAIT = "wait"
ASK = "ask"
REFUSE = "refuse"


@dataclass(frozen=True)
class Policy:
    tools: frozenset[str]
    targets: frozenset[str]
    # A decision that its maker is less sure of is not acted on. 0...1
    confidence_floor: float = 0.5
    # Between two actions of the same tool on the same target, of whatever incident.
    cooldown_seconds: float = 20
    most_per_incident: int = 6
    # Of all incidents together, within the window.
    most_per_window: int = 30
    window_seconds: float = 600
    # Everything is decided and recorded, nothing done.
    dry_run: bool = False
    # Tools that a person must approve.
    ask_for: frozenset[str] = frozenset()
    # Of numbers among arguments: the smallest and largest that may stand there; no other argument may.
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """An action of the past."""

    incident: str
    action: Action
    at: float


@dataclass(frozen=True)
class Verdict:
    # allow, rehearse (a dry run), wait, ask (a person), refuse
    outcome: str
    reason: str
    # Of wait: when to ask again.
    seconds: float = 0

    def payload(self) -> dict:
        return {"allowed": self.outcome == ALLOW, "outcome": self.outcome, "reason": self.reason}


def judge(
    policy: Policy, incident: Incident, decision: Decision, action: Action, history: Iterable[Done], now: float,
    approved: Optional[bool] = None,
) -> Verdict:
    """approved: what a person has said to this action; None: nothing yet."""
    if action.tool not in policy.tools:
        return Verdict(REFUSE, f"'{action.tool}' is no tool; there are: {', '.join(sorted(policy.tools))}")
    if action.target not in policy.targets:
        return Verdict(REFUSE, f"'{action.target}' does not exist; there are: {', '.join(sorted(policy.targets))}")
    for name, value in action.arguments.items():
        if name not in policy.limits:
            return Verdict(REFUSE, f"'{name}' may not be said here")
        least, most = policy.limits[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            return Verdict(REFUSE, f"{name} is {value!r}: expected {least:g} to {most:g}")
    if decision.confidence < policy.confidence_floor:
        return Verdict(
            REFUSE, f"a confidence of {decision.confidence:g} is below the floor of {policy.confidence_floor:g}")
    done = list(history)
    of_this = sum(one.incident == incident.id for one in done)
    if of_this >= policy.most_per_incident:
        return Verdict(REFUSE, f"{of_this} actions for one incident are enough")
    recent = [one.at for one in done if now - one.at < policy.window_seconds]
    if len(recent) >= policy.most_per_window:
        return Verdict(REFUSE, f"{len(recent)} actions within {policy.window_seconds:g} s are enough")
    if action.tool in policy.ask_for and not policy.dry_run:
        if approved is None:
            return Verdict(ASK, f"a person must approve '{action}'")
        if not approved:
            return Verdict(REFUSE, f"a person has refused '{action}'")
    same = [one.at for one in done if (one.action.tool, one.action.target) == (action.tool, action.target)]
    left = policy.cooldown_seconds - (now - max(same)) if same else 0
    if left > 0:
        return Verdict(WAIT, f"'{action.tool} {action.target}' cools down for another {left:.1f} s", left)
    if policy.dry_run:
        return Verdict(REHEARSE, "dry run: nothing is done")
    return Verdict(ALLOW, "within the policy")
