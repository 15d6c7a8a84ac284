"""What became of each of the villain's strikes. Pure: rows in, a table out."""

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence


@dataclass(frozen=True)
class Line:
    """One strike, and the incident that found it."""

    op: str
    service: str
    # Of the incident's envelope, where there is one.
    incident: Optional[str] = None
    status: str = "-"
    cause: str = "-"
    target: str = "-"
    action: str = "-"
    healthy: bool = False
    # Seconds from the strike.
    opened: Optional[float] = None
    well: Optional[float] = None

    @property
    def is_right(self) -> bool:
        return self.target == self.service

    @property
    def is_mended(self) -> bool:
        return self.status == "succeeded" and self.healthy


def lines(strikes: Sequence[Mapping], incidents: Sequence[Mapping]) -> list[Line]:
    """
    strikes: {"op", "service", "at"} in order. incidents: their envelopes when they have ended. An incident belongs to
    the last strike before it was detected, or, if it was open already, to the one that it has mended; of several, the
    first that names the service speaks for it.
    """
    found = []
    for number, strike in enumerate(strikes):
        until = strikes[number + 1]["at"] if number + 1 < len(strikes) else float("inf")
        own = [line(strike, one) for one in incidents if strike["at"] <= detected(one) < until]
        earlier = [one for one in incidents if detected(one) < strike["at"] <= acted(one) < until]
        right = [one for one in own if one.is_right]
        right += [one for one in (line(strike, one) for one in earlier) if one.is_right]
        found.append((right or own or [Line(strike["op"], strike["service"])])[0])
    return found


def line(strike: Mapping, envelope: Mapping) -> Line:
    payload = envelope.get("result") or {}
    decision, verification = payload.get("decision") or {}, payload.get("verification") or {}
    opened = detected(envelope) - strike["at"]
    well = payload["acted_at"] + verification["after_s"] - strike["at"] if verification.get("healthy") else None
    return Line(
        strike["op"], strike["service"], envelope["id"], envelope["status"], decision.get("root_cause", "-"),
        decision.get("target", "-"), decision.get("action_type", "-"), verification.get("healthy") is True,
        round(opened, 1), None if well is None else round(well, 1))


def detected(envelope: Mapping) -> float:
    return envelope["payload"]["incident"]["detected_at"]


def acted(envelope: Mapping) -> float:
    result = envelope.get("result") or {}
    return result["acted_at"] if result.get("actions") else float("-inf")


def table(found: Sequence[Line]) -> str:
    rows = [("strike", "at", "cause", "action", "opened", "well", "root cause", "mended")]
    rows += [
        (one.op, one.service, one.cause, f"{one.action} {one.target}", seconds(one.opened), seconds(one.well),
         "right" if one.is_right else "WRONG", "verified" if one.is_mended else one.status.upper()) for one in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = (("  ".join(cell.ljust(width) for cell, width in zip(row, widths))).rstrip() for row in rows)
    return "\n".join(f"      {row}" for row in padded)


def seconds(value: Optional[float]) -> str:
    return "-" if value is None else f"{value:.1f} s"
