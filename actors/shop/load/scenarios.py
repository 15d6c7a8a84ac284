"""What a load run is: how many customers when, what each does, and what counts as good. Pure."""

import math
from dataclasses import dataclass
from typing import Mapping, Sequence


@dataclass(frozen=True)
class Step:
    operation: str
    # Seconds of thinking behind it.
    pause: float
    request: Mapping[str, object] = ()


@dataclass(frozen=True)
class Scenario:
    # Customers at the beginning, and then (seconds, how many at their end), in between evenly.
    begin: int
    stages: Sequence[tuple[float, int]]
    journey: Sequence[Step]
    # Upper bounds, exclusive: p95 and p99 in milliseconds, failed as a share.
    thresholds: Mapping[str, float]

    @property
    def seconds(self) -> float:
        return sum(seconds for seconds, _ in self.stages)


ADD = {"product_id": "p1", "quantity": 1}

SCENARIOS = {
    # The last step gives back what is in the cart: a run must not measure how the shop is sold out.
    "normal": Scenario(
        10, [(30, 10)],
        [Step("products", 1), Step("login", 1), Step("cart_view", 1), Step("cart_add", 1, ADD), Step("cart_clear", 0)],
        {"p95": 500, "p99": 1000, "failed": 0.10}),
    "spike": Scenario(
        0, [(5, 0), (10, 50), (20, 50), (10, 0)], [Step("products", 0.5), Step("login", 0.5)],
        {"p95": 1000, "p99": 2000, "failed": 0.20}),
    "endurance": Scenario(
        5, [(120, 5)],
        [Step("products", 2), Step("login", 0), Step("cart_view", 1), Step("cart_view", 1), Step("cart_view", 1 + 3)],
        {"p95": 500, "failed": 0.05}),
    "stress": Scenario(
        0, [(10, 10), (10, 20), (10, 50), (10, 100), (20, 100), (20, 0)],
        [Step("products", 0.3), Step("login", 0), Step("cart_add", 0.2, ADD), Step("cart_view", 0.2),
         Step("checkout", 0.5)],
        {"p95": 2000, "p99": 5000, "failed": 0.50}),
}

ROUTES = {
    "signup": ["auth-service"],
    "login": ["auth-service"],
    "checkout": ["auth-service", "db-service", "payment-service", "db-service"],
    **dict.fromkeys(
        ["products", "cart_view", "cart_add", "cart_clear"], ["auth-service", "db-service", "product-service"]),
}


def presence(scenario: Scenario) -> list[tuple[float, float]]:
    """Of each customer, the first one first: when it comes and when it goes, in seconds from the beginning."""
    most = max([scenario.begin, *(target for _, target in scenario.stages)])
    found = []
    for number in range(1, most + 1):
        come = 0.0 if scenario.begin >= number else None
        go, at, level = scenario.seconds, 0.0, scenario.begin
        for seconds, target in scenario.stages:
            if target != level:
                crossing = at + seconds * (number - level) / (target - level)
                if level < number <= target and come is None:
                    come = crossing
                if target < number <= level:
                    go = crossing
            at, level = at + seconds, target
        found.append((come or 0.0, go))
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: a value that was measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Sample:
    operation: str
    milliseconds: float
    ok: bool
    # "ok", the refusal's code, or the envelope's error
    outcome: str


def verdict(scenario: Scenario, samples: Sequence[Sample]) -> dict:
    """A run without any sample is no success."""
    if not samples:
        return {"verdict": "failed", "requests": 0, "thresholds": [], "reason": "nobody has asked for anything"}
    times = [sample.milliseconds for sample in samples]
    values = {
        "p95": round(percentile(times, 0.95), 1), "p99": round(percentile(times, 0.99), 1),
        "failed": round(sum(not sample.ok for sample in samples) / len(samples), 4)}
    checked = [
        {"metric": metric, "below": limit, "value": values[metric], "ok": values[metric] < limit}
        for metric, limit in scenario.thresholds.items()]
    outcomes: dict[str, int] = {}
    for sample in samples:
        if not sample.ok:
            key = f"{sample.operation}: {sample.outcome}"
            outcomes[key] = outcomes.get(key, 0) + 1
    return {
        "verdict": "passed" if all(one["ok"] for one in checked) else "failed", "requests": len(samples),
        "p50_ms": round(percentile(times, 0.5), 1), "p95_ms": values["p95"], "p99_ms": values["p99"],
        "failed_share": values["failed"], "thresholds": checked, "failures": outcomes}
