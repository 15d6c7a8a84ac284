"""What can be done to a service, for people, the villain and Felix alike: each operation once for its id.

Killing and stopping are an actor's pause (nobody works any more, what comes waits in its queue); before it, killing takes the
process by SIGKILL, through a fault. Failures and latency are faults; CPU and memory are wasted by the service's process itself.
"""

import time
from typing import Any, Callable, Collection, Mapping, Optional

from registry import Registry
from remediation.gateway import FINAL, Gateway, GatewayAway, Refused

HARM_SECONDS = 600
KILL_HEADER = "arena-kill"
CPU_SECONDS = 30
MOST_SECONDS = 3600
FAULTS = ("inject_failure", "latency")
STRESS = ("cpu", "memory")
DOWN = ("kill", "stop")
ALL = FAULTS + STRESS + DOWN


class WrongOperation(ValueError):
    pass


class Control:
    def __init__(
        self, gateway: Gateway, registry: Registry, wait: float = 10, clock: Callable[[], float] = time.time,
        foreign: Collection[str] = (),
    ):
        """foreign: services of neighbours, whose processes take no orders from here."""
        self.gateway, self.registry, self.wait, self.clock = gateway, registry, wait, clock
        self.foreign = foreign

    def perform(self, id: str, op: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        """id: of letters, digits and `:._-`. Raises WrongOperation before anything is done."""
        operation = OPERATIONS.get(op)
        if operation is None:
            raise WrongOperation(f"op {op!r}: expected one of {', '.join(sorted(OPERATIONS))}")
        arguments = checked(op, arguments)
        now = self.clock()
        self.registry.begin(id, service, op, arguments, owner, now, now + arguments["seconds"] if op in ALL else None)
        begin = time.monotonic()
        result = operation(self, id, service, arguments, owner)
        elapsed = round(time.monotonic() - begin, 3)
        self.registry.finish(id, result["ok"], elapsed)
        return {"op": op, "service": service, **arguments, **result, "elapsed": elapsed}

    # ---- Up and down

    def start(self, id: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        self.set(service, "resume", {})
        self.registry.mend(service, DOWN, self.clock())
        hop = self.nudge(f"{id}:up", service)
        return {"ok": hop is not None, "pid": hop and hop["pid"]}

    def stop(self, id: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        self.set(service, "pause", {"reason": f"{owner}: {id}"})
        return {"ok": True}

    def kill(self, id: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        struck = not self.is_running(service) or self.sigkill(id, service, owner, and_wait=False) is not None
        self.set(service, "pause", {"reason": f"{owner}: {id}"})
        return {"ok": struck}

    def restart(self, id: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        self.gateway.delete("/faults", actor=service)
        self.set(service, "resume", {})
        hop = self.sigkill(id, service, owner, and_wait=True)
        # All that a process had is gone with it.
        self.registry.mend(service, ALL, self.clock())
        return {"ok": hop is not None, "pid": hop and hop.get("pid")}

    def set(self, service: str, state: str, body: Mapping[str, Any]) -> None:
        try:
            self.gateway.post(f"/actors/{service}/{state}", body)
        except Refused as refused:
            if refused.status != 404:
                raise
            raise GatewayAway(f"{service} has never started") from None

    def sigkill(self, id: str, service: str, owner: str, and_wait: bool) -> Optional[dict]:
        """Its process dies by a fault that strikes one call, which is sent for it. None: it did not."""
        fault = f"{id}:kill"
        self.gateway.post("/faults", {
            "id": fault, "kind": "crash", "actor": service, "match": {KILL_HEADER: id}, "times": 1, "duration": "30s",
            "owner": owner})
        end = time.monotonic() + self.wait
        for number in range(20):
            nudge = f"{id}:nudge-{number}"
            self.submit(nudge, service, {"op": "health"}, headers={KILL_HEADER: id})
            while time.monotonic() < end:
                envelope = self.gateway.envelope(nudge) or {}
                step = (envelope.get("steps") or [{}])[0]
                struck = any(mark.get("fault") == fault for mark in step.get("faults", []))
                over = envelope.get("status") in FINAL
                if struck and (over or not and_wait):
                    self.gateway.end_fault(fault)
                    return hop_of(envelope) or {}
                if over:
                    break  # before the fault was heard of
                time.sleep(0.05)
            else:
                break
        self.gateway.end_fault(fault)
        return None

    # ---- Mending

    def recover(self, id: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        self.gateway.delete("/faults", actor=service)
        self.registry.mend(service, FAULTS, self.clock())
        if not self.is_running(service):
            return {"ok": True, "note": "not running: its process has nothing to give back"}
        ok = self.stress(id, service, {"recover": True})
        if ok:
            self.registry.mend(service, STRESS, self.clock())
        return {"ok": ok}

    def optimize(self, id: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        for fault in self.gateway.faults(actor=service):
            if fault["kind"] == "latency":
                self.gateway.end_fault(fault["id"])
        self.registry.mend(service, ("latency",), self.clock())
        return self.recover(id, service, arguments, owner)

    # ---- Harm

    def inject_failure(self, id: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        return self.fault(id, service, owner, arguments, kind="error", error_type=arguments["type"])

    def latency(self, id: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        if arguments["ms"] < 1:  # as the seed has it: no latency any more
            return self.optimize(id, service, arguments, owner)
        return self.fault(id, service, owner, arguments, kind="latency", delay=f"{int(arguments['ms'])}ms")

    def fault(self, id: str, service: str, owner: str, arguments: Mapping[str, Any], **fault: Any) -> dict:
        made = self.gateway.post("/faults", {
            "id": id, "actor": service, "owner": owner, "duration": f"{int(arguments['seconds'] * 1000)}ms", **fault})
        return {"ok": True, "fault": made["id"], "until": made["until"]}

    def cpu(self, id: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        if service in self.foreign:  # beside its process, then
            load = {"load": arguments["percent"] / 100, "cpu": f"{int(min(60, arguments['seconds']) * 1000)}ms"}
            return self.fault(id, service, owner, arguments, kind="cpu", **load)
        return {"ok": self.stress(id, service, {"cpu": arguments["percent"], "seconds": arguments["seconds"]})}

    def memory(self, id: str, service: str, arguments: Mapping[str, Any], owner: str) -> dict:
        return {"ok": self.stress(id, service, {"memory": arguments["mb"], "seconds": arguments["seconds"]})}

    def in_force(self) -> list[dict]:
        """What does harm, of everybody. What others have mended, who do not write it down here, is over too."""
        harm = self.registry.harm(self.clock())
        active = {fault["id"] for fault in self.gateway.faults()} if harm else set()
        paused = {row["service"] for row in harm if row["op"] in DOWN and self.is_paused(row["service"])}

        def lasts(row: Mapping[str, Any]) -> bool:
            if row["op"] in DOWN:
                return row["service"] in paused
            return row["id"] in active or row["op"] in STRESS and row["service"] not in self.foreign

        return [row for row in harm if lasts(row)]

    # ---- Calls of a service

    def stress(self, id: str, service: str, command: Mapping[str, Any]) -> bool:
        self.submit(f"{id}:stress", service, {"op": "stress", "id": id, **command})
        return (self.ended(f"{id}:stress") or {}).get("status") == "succeeded"

    def nudge(self, id: str, service: str) -> Optional[dict]:
        """A call of its own health; its answer."""
        self.submit(id, service, {"op": "health"})
        return hop_of(self.ended(id) or {})

    def submit(self, id: str, service: str, payload: Mapping[str, Any], **more: Any) -> None:
        self.gateway.submit(id, route={"actors": [service]}, payload=payload, timeout="30s", **more)

    def ended(self, id: str) -> Optional[dict]:
        envelope = self.gateway.ended(id, self.wait)
        return envelope if envelope and envelope["status"] in FINAL else None

    def is_running(self, service: str) -> bool:
        return (self.gateway.actor(service) or {}).get("state") == "running"

    def is_paused(self, service: str) -> bool:
        return (self.gateway.actor(service) or {}).get("state") == "paused"


def hop_of(envelope: Mapping[str, Any]) -> Optional[dict]:
    hops = (envelope.get("result") or {}).get("hops") if envelope.get("status") == "succeeded" else None
    return hops[-1] if hops else None


BOUNDS = {"ms": (0, 60_000), "percent": (1, 100), "mb": (1, 300), "seconds": (0.1, MOST_SECONDS)}
NEEDS = {"inject_failure": {"type": "logical_failure"}, "latency": {"ms": 500}, "cpu": {"percent": 50}, "memory": {"mb": 100}}


def checked(op: str, arguments: Mapping[str, Any]) -> dict:
    """With defaults. The seed's bounds, and an end for everything."""
    known = {**NEEDS.get(op, {}), **({"seconds": CPU_SECONDS if op == "cpu" else HARM_SECONDS} if op in ALL else {})}
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise WrongOperation(f"{op} takes no '{unknown[0]}'")
    values = {**known, **arguments}
    for name, value in values.items():
        if name == "type":
            if not isinstance(value, str) or not value.isidentifier() or len(value) > 50:
                raise WrongOperation(f"type is {value!r}: expected a word of letters, digits and _")
            continue
        least, most = BOUNDS[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise WrongOperation(f"{name} is {value!r}: expected a number, {least:g} to {most:g}")
    return values


OPERATIONS: dict[str, Callable[..., dict]] = {
    "start": Control.start, "stop": Control.stop, "kill": Control.kill, "restart": Control.restart,
    "recover": Control.recover, "optimize": Control.optimize, "inject_failure": Control.inject_failure,
    "latency": Control.latency, "cpu": Control.cpu, "memory": Control.memory,
}
