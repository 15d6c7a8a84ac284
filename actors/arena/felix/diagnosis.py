"""What the log and metric agents make of what they have read. Pure."""

from collections import Counter
from typing import Any, Mapping, Sequence

SYSTEM_LIMITS = {"cpu_percent": 80, "memory_percent": 85, "disk_percent": 90}
SERVICE_CPU, SERVICE_MEMORY_MB = 70, 300
# A trend is one where the newer half differs from the older by more than this.
TREND = 0.2


def log_findings(service: str, failures: Sequence[Mapping[str, Any]], rates: Mapping[str, Any]) -> dict:
    """failures: envelopes that have failed there lately, the newest first."""
    errors = Counter((one.get("error") or "").split("(injected")[0].strip()[:200] for one in failures)
    warnings = []
    retried = rates.get("retried_per_minute") or 0
    if retried > 0:
        warnings.append(f"{retried:g} attempts a minute are made again")
    top = errors.most_common(1)
    advice = f"most calls fail by: {top[0][0]}" if top else "no call has failed there lately"
    return {
        "service": service, "failures": len(failures), "warnings": warnings, "recommendations": [advice],
        "error_patterns": [{"error": error, "count": count} for error, count in errors.most_common(5)],
    }


def alerts(sample: Mapping[str, Any], system: Mapping[str, float], slow_ms: float) -> list[dict]:
    """Each with what to do about it."""
    found = []

    def alert(text: str, advice: str) -> None:
        found.append({"alert": text, "recommendation": advice})

    for name, most in SYSTEM_LIMITS.items():
        if system.get(name, 0) > most:
            alert(f"machine: {name} {system[name]:g}, more than {most}", "find what else runs there")
    if sample.get("probe") == "failed":
        alert(f"calls fail: {sample.get('error')}", f"recover {sample.get('culprit')}")
    if not sample.get("running", True):
        alert("it is not running", "start it")
    if (sample.get("cpu_percent") or 0) > SERVICE_CPU:
        alert(f"{sample['cpu_percent']:g}% CPU, more than {SERVICE_CPU}", "scale or restart it")
    if (sample.get("memory_mb") or 0) > SERVICE_MEMORY_MB:
        alert(f"{sample['memory_mb']:g} MB, more than {SERVICE_MEMORY_MB}", "restart it")
    if (sample.get("own_ms") or 0) > slow_ms:
        alert(f"{sample['own_ms']:.0f} ms, more than {slow_ms:g}", "look for latency in its configuration")
    if sample.get("cpu_stress_active"):
        alert("CPU is wasted", "recover it")
    if (sample.get("memory_leak_mb") or 0) > 0:
        alert(f"{sample['memory_leak_mb']} MB have leaked", "recover it")
    return found


def score(found: Sequence[object]) -> int:
    return max(0, 100 - 20 * len(found))


def trend(samples: Sequence[Mapping[str, Any]], name: str) -> str:
    """rising, falling, stable; or unknown, of fewer than four looks."""
    values = [one[name] for one in samples if one.get(name) is not None]
    if len(values) < 4:
        return "unknown"
    half = len(values) // 2
    old, new = sum(values[:half]) / half, sum(values[half:]) / (len(values) - half)
    least = max(abs(old), 1e-9) * TREND
    return "rising" if new - old > least else "falling" if old - new > least else "stable"
