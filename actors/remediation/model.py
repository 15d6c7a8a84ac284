"""What travels in an incident's envelope: each value turns into JSON and back."""

from dataclasses import asdict, dataclass, field
from typing import Any, Mapping, Optional


class Malformed(ValueError):
    """What was read is no such value; the text says where."""


@dataclass(frozen=True)
class Incident:
    id: str
    # Where it was seen to be wrong: the deepest unhealthy service.
    service: str
    type: str
    # Seconds since 1970.
    detected_at: float
    signals: Mapping[str, Any] = field(default_factory=dict)

    def payload(self) -> dict:
        return asdict(self)

    @classmethod
    def read(cls, value: Any) -> "Incident":
        value = members(value, "incident")
        return cls(
            text(value, "id", "incident"), text(value, "service", "incident"), text(value, "type", "incident"),
            number(value, "detected_at", "incident"), dict(value.get("signals") or {}))


@dataclass(frozen=True)
class Action:
    """One call of one of a world's enumerated tools. Never a command line."""

    tool: str
    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def payload(self) -> dict:
        return asdict(self)

    @classmethod
    def read(cls, value: Any) -> "Action":
        value = members(value, "action")
        return cls(
            text(value, "tool", "action"), text(value, "target", "action"),
            dict(members(value.get("arguments") or {}, "action.arguments")))

    def __str__(self) -> str:
        words = ", ".join(f"{name}={self.arguments[name]}" for name in sorted(self.arguments))
        return f"{self.tool} {self.target}" + (f" ({words})" if words else "")


@dataclass(frozen=True)
class Decision:
    root_cause: str
    # 0...1
    confidence: float
    # In the order in which they are done.
    actions: tuple[Action, ...]
    evidence: tuple[str, ...] = ()
    # Who decided: "template" or "llm".
    source: str = "template"
    # Why a model's answer was not used, where one was asked.
    fallback: Optional[str] = None

    def payload(self) -> dict:
        return {
            "root_cause": self.root_cause, "confidence": self.confidence, "source": self.source,
            "fallback": self.fallback, "evidence": list(self.evidence),
            "actions": [action.payload() for action in self.actions],
        }

    @classmethod
    def read(cls, value: Any) -> "Decision":
        value = members(value, "decision")
        confidence = number(value, "confidence", "decision")
        if not 0 <= confidence <= 1:
            raise Malformed(f"decision.confidence is {confidence:g}: expected 0 to 1")
        actions, evidence = value.get("actions"), value.get("evidence", [])
        if not isinstance(actions, list):
            raise Malformed("decision.actions: expected a list")
        if not isinstance(evidence, list) or not all(isinstance(one, str) for one in evidence):
            raise Malformed("decision.evidence: expected a list of texts")
        return cls(
            text(value, "root_cause", "decision"), confidence, tuple(map(Action.read, actions)), tuple(evidence),
            value.get("source", "template"), value.get("fallback"))


def members(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{where}: expected an object")
    return value


def text(value: Mapping[str, Any], name: str, where: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise Malformed(f"{where}.{name}: expected a text")
    return found


def number(value: Mapping[str, Any], name: str, where: str) -> float:
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise Malformed(f"{where}.{name}: expected a number")
    return found
