"""What is broken in the arena, and what must come of it."""

from pathlib import Path

from arena_dev import Arena, Customers, home
from pipeline_dev import check, wait_until

# Service, tool and arguments; the incident's type.
FAULTS = [
    ("database_service", "kill", {}, "service_down"),
    ("user_service", "inject_failure", {"type": "database_error"}, "service_unhealthy"),
    ("payment_service", "latency", {"ms": 1000}, "performance_issue"),
    ("echo_service", "memory", {"mb": 250}, "performance_issue"),
    ("api_gateway", "stop", {}, "service_down"),
    ("echo_service", "cpu", {"percent": 100, "seconds": 60}, "performance_issue"),
    ("database_service", "inject_failure", {"type": "timeout"}, "service_unhealthy"),
]


def felix_mends_each_kind_of_fault(folder: Path) -> str:
    with Arena(home(folder, "mends")) as arena:
        check(arena.call("get_users")["users"][0] == {"id": 1, "name": "Alice"}, "users")
        check(arena.call("echo", hello=1)["echo"]["hello"] == 1, "echo")
        arena.tool("felix", id="felix")
        right = 0
        with Customers(arena) as customers:
            for service, tool, arguments, kind in FAULTS:
                known = len(arena.incidents())
                check(arena.call(tool, service=service, **arguments)["ok"], tool)
                incident = arena.incident_of(service, known)
                opened = [
                    (one["payload"]["incident"]["service"], one["payload"]["incident"]["type"])
                    for one in arena.incidents()[known:]]
                is_right = opened == [(service, kind)] and incident["status"] == "succeeded"
                right += is_right
                found = incident["result"] or {}
                print(f"    {'right' if is_right else 'WRONG'}: {tool} {service}: {opened}, "
                      f"{found.get('plan', {}).get('class')}, {[one['tool'] for one in found.get('actions', [])]}, "
                      f"{found.get('verification')}", flush=True)
                if not is_right:
                    print("\n".join(arena.timeline(incident["id"])))
                arena.calm()
        check(right == len(FAULTS), f"{right} of {len(FAULTS)} causes are right")
        paid = customers.account()
        last = arena.timeline(incident["id"])
        check(any(line.startswith("policy: ") for line in last) and "healthy" in last[-1], last)
    return f"{right} of {len(FAULTS)} causes right, all verified; {paid}"


SCENARIOS = [felix_mends_each_kind_of_fault]
