"""failure-injector: things that go wrong on purpose, by the shop's own names and parameters.

    inject_shop_failure {service, type, intensity, probability, duration}   reset_failures {service}

They are Troupe's faults (docs/faults.md): several at once, each with an end of its own, marked wherever they strike.
"""

from remediation.gateway import Gateway

SERVICES = ("auth-service", "db-service", "product-service", "payment-service")
OWNER = "shop"
# As the original has it: seconds of sleep for each unit of intensity.
TIMEOUT_SECONDS = 2
KINDS = {
    "timeout": {"kind": "latency", "delay": f"{TIMEOUT_SECONDS}s"},
    "error": {"kind": "error", "error_type": "SimulatedFailure", "message": "Simulated failure"},
    "cpu": {"kind": "cpu", "cpu": "60s", "load": 1},
    "crash": {"kind": "crash"},
    "bad_data": {"kind": "bad_data", "changes": [
        {"op": "null", "at": "/answer/products/*/name"},
        {"op": "set", "at": "/answer/products/*/price", "value": -1}]},
}


class WrongFailure(ValueError):
    """What was asked for is no failure; nothing was injected."""


def fault_of(request: dict, id: str) -> dict:
    service, kind = request.get("service", "db-service"), request.get("type", "timeout")
    if service not in SERVICES:
        raise WrongFailure(f"there is no service '{service}': expected one of {', '.join(SERVICES)}")
    if kind not in KINDS:
        raise WrongFailure(f"there is no failure '{kind}': expected one of {', '.join(KINDS)}")
    if kind == "bad_data" and service != "db-service":
        raise WrongFailure("only db-service sends bad data")
    intensity = number(request, "intensity", 1, 1, 30)
    probability = number(request, "probability", 1, 0, 1)
    duration = number(request, "duration", 30, 1, 3600)
    fault = {
        **KINDS[kind], "id": id, "actor": service, "probability": probability,
        "duration": f"{round(duration * 1000)}ms", "owner": OWNER}
    # It multiplies what a kind has an amount of; processor time is bounded as it is.
    return {**fault, "intensity": intensity} if kind == "timeout" else fault


def number(request: dict, name: str, default: float, least: float, most: float) -> float:
    value = request.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise WrongFailure(f"'{name}' is {value!r}: expected a number from {least} to {most}")
    return value


def process(payload, context):
    gateway = Gateway()
    if payload.get("operation") == "reset":
        service = payload.get("service") or None
        if service is not None and service not in SERVICES:
            raise WrongFailure(f"there is no service '{service}': expected one of {', '.join(SERVICES)}")
        ended = gateway.delete("/faults", owner=OWNER, actor=service)["faults"]
        return {"status": "reset", "service": service or "all", "ended": [fault["id"] for fault in ended]}
    fault = gateway.post("/faults", fault_of(payload, f"shop:{context.id}"))
    return {"service": fault["actor"], "failure_config": fault}
