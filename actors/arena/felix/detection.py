"""What is wrong with which service, and which of it is the cause. Pure: samples in, findings out.

A sample is what one look at one service has found: {"service", "running", "probe", "culprit", "error", "own_ms",
"cpu_percent", "memory_mb"}, `paused` where somebody has stopped it, `starting` where it may only not have started yet.
`probe` is ok, failed, silent (no answer in time) or skipped (it is known to be useless); its `culprit` is the service where
the call was when it failed, or was waited for.
"""

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence

from remediation.topology import Dependencies, root_causes

SERVICE_DOWN = "service_down"
SERVICE_UNHEALTHY = "service_unhealthy"
PERFORMANCE_ISSUE = "performance_issue"
# What may be chance is believed when it was so in 2 of the last 3 looks.
LOOKS, BELIEVED = 3, 2

Sample = Mapping[str, Any]


@dataclass(frozen=True)
class Limits:
    slow_ms: float = 100
    cpu_percent: float = 80
    memory_mb: float = 500


@dataclass(frozen=True)
class Symptom:
    type: str
    text: str


@dataclass(frozen=True)
class Finding:
    """One incident is to be open for it: of one service and one type."""

    service: str
    type: str
    text: str
    # Unhealthy, too, and above it.
    affected: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.service}/{self.type}"


def probed(service: str, envelope: Optional[Mapping[str, Any]]) -> dict:
    """What the envelope of a probe says, ended or not."""
    if envelope is None:
        return {"probe": "silent", "culprit": service, "error": "the probe is gone", "own_ms": None}
    steps = [step for step in envelope.get("steps", []) if step["actor"] == service]
    own_ms = next((step["run_ms"] for step in steps if step.get("run_ms") is not None), None)
    found = {"probe": "ok", "culprit": None, "error": None, "own_ms": own_ms}
    if envelope["status"] == "succeeded":
        return found
    culprit = (envelope.get("result") or {}).get("failed_actor") or envelope.get("current_actor_name") or service
    if envelope["status"] == "failed":
        return {**found, "probe": "failed", "culprit": culprit, "error": envelope.get("error")}
    return {**found, "probe": "silent", "culprit": culprit, "error": f"no answer of {culprit} in time"}


def own_symptom(samples: Sequence[Sample], limits: Limits, looks: int = BELIEVED) -> Optional[Symptom]:
    """What is wrong with the service itself, by its samples, the newest last. looks: how often what may be chance must be seen."""
    now, recent = samples[-1], samples[-LOOKS:]
    # Who has just been started, with Felix himself or by him, has no consumer yet.
    if not now["running"] and (now.get("paused") or often(recent, looks, is_gone)):
        return Symptom(SERVICE_DOWN, "it is not running")
    own = now.get("culprit") == now["service"]
    if now["probe"] == "failed" and own:
        return Symptom(SERVICE_UNHEALTHY, now.get("error") or "calls fail")
    if now["probe"] == "silent" and own and often(recent, looks, lambda one: one["probe"] == "silent"):
        return Symptom(SERVICE_UNHEALTHY, now.get("error") or "no answer")
    for name, most, unit in (("cpu_percent", limits.cpu_percent, "% CPU"), ("memory_mb", limits.memory_mb, " MB")):
        if (now.get(name) or 0) > most:
            return Symptom(PERFORMANCE_ISSUE, f"{now[name]:g}{unit}, more than {most:g}")
    if often(recent, looks, lambda one: (one.get("own_ms") or 0) > limits.slow_ms) and is_slow(now, limits):
        return Symptom(PERFORMANCE_ISSUE, f"{now['own_ms']:.0f} ms for its own part, more than {limits.slow_ms:g}")
    return None


def is_gone(sample: Sample) -> bool:
    return not sample["running"] and not sample.get("starting")


def is_slow(sample: Sample, limits: Limits) -> bool:
    return (sample.get("own_ms") or 0) > limits.slow_ms


def often(samples: Sequence[Sample], looks: int, condition) -> bool:
    return sum(map(bool, map(condition, samples))) >= looks


def findings(
    history: Mapping[str, Sequence[Sample]], dependencies: Dependencies, limits: Limits = Limits()
) -> list[Finding]:
    """One for each service with a symptom of its own; who only suffers from them is `affected`."""
    own = {service: symptom for service, samples in history.items() if samples
           for symptom in [own_symptom(samples, limits)] if symptom}
    suffering: set[str] = set()
    for service, samples in history.items():
        now = samples[-1] if samples else None
        if now is None or service in own or now["probe"] in ("ok", "skipped"):
            suffering |= {service} if now is not None and now["probe"] == "skipped" else set()
            continue
        culprit = now["culprit"]
        suffering.add(service)
        # It answers when it is asked itself, but fails those who need it.
        if culprit not in own and culprit != service and now["probe"] == "failed":
            own[culprit] = Symptom(SERVICE_UNHEALTHY, f"fails calls of {service}: {now['error']}")
    roots = root_causes(set(own) | suffering, dependencies)
    return [
        Finding(service, symptom.type, symptom.text, tuple(
            one for one in roots.get(service, sorted(above(service, suffering, dependencies))) if one in suffering))
        for service, symptom in sorted(own.items())
    ]


def above(service: str, services: set[str], dependencies: Dependencies) -> set[str]:
    return {one for root, many in root_causes(services | {service}, dependencies).items() if root == service for one in many}
