"""The plan that is always there: a class of incident, and what is done about it, stronger with each attempt. Pure."""

from typing import Any, Mapping, Sequence

from remediation.model import Action, Decision

TOOLS = frozenset({"start_service", "restart_service", "recover_service", "optimize_config", "scale_or_restart"})

# Steps before the action, each with the agent that does it and what it waits for, as the seed's planner has them.
STEPS = {
    "service_down": [
        ("analyze_logs", "log", ()), ("check_metrics", "metric", ()), ("probe_dependencies", "probe", ("analyze_logs",))],
    "service_unhealthy": [
        ("analyze_logs", "log", ()), ("check_metrics", "metric", ()), ("probe_service", "probe", ())],
    "high_latency": [
        ("check_metrics", "metric", ()), ("analyze_performance", "log", ()), ("probe_dependencies", "probe", ("check_metrics",))],
    "resource_exhaustion": [
        ("check_metrics", "metric", ()), ("analyze_resource_usage", "log", ()), ("probe_system", "probe", ("check_metrics",))],
}
FIRST = {
    "service_down": "restart_service", "service_unhealthy": "recover_service", "high_latency": "optimize_config",
    "resource_exhaustion": "scale_or_restart",
}
CONFIDENCE = (0.8, 0.7, 0.6)


def classify(sample: Mapping[str, Any], slow_ms: float, cpu_percent: float, memory_mb: float) -> str:
    if not sample.get("running", True):
        return "service_down"
    if sample.get("probe") in ("failed", "silent") and sample.get("culprit") == sample.get("service"):
        return "service_unhealthy"
    if (sample.get("cpu_percent") or 0) > cpu_percent or (sample.get("memory_mb") or 0) > memory_mb:
        return "resource_exhaustion"
    if (sample.get("own_ms") or 0) > slow_ms:
        return "high_latency"
    return "service_unhealthy"


def decide(
    service: str, kind: str, attempt: int, affected: Sequence[str] = (), evidence: Sequence[str] = ()
) -> Decision:
    """attempt: from 1."""
    actions = [Action(FIRST[kind], service)]
    if attempt == 2:
        actions = [Action("restart_service", service), Action("recover_service", service)]
    if attempt >= 3:
        actions = [Action("restart_service", service)] + [Action("restart_service", one) for one in affected]
    confidence = CONFIDENCE[min(attempt, len(CONFIDENCE)) - 1]
    return Decision(f"{kind.replace('_', ' ')}: {service}", confidence, tuple(actions), tuple(evidence), "template")


def steps(service: str, kind: str, decision: Decision) -> list[dict]:
    """For people: what has been done to know, and what is to be done."""
    before = [
        {"step": step, "agent": agent, "target": service, "dependencies": list(needs), "status": "completed"}
        for step, agent, needs in STEPS[kind]]
    names = [step for step, _, _ in STEPS[kind]]
    for action in decision.actions:
        before.append({
            "step": action.tool, "agent": "action", "target": action.target, "dependencies": list(names),
            "status": "pending"})
        names.append(action.tool)
    return before
