"""felix-log, felix-metric, felix-probe: what can be known about the service of an incident. Each adds its part."""

import os
import shutil
import time

import settings
import world
from felix import diagnosis
from felix.looking import look
from registry import Registry
from remediation.gateway import Gateway
from remediation.model import Incident

WORLD = world.read()
SETTINGS = settings.read()
REGISTRY = Registry(SETTINGS.state)
SINCE_SECONDS = 300
SAMPLES = 12


def log(payload, context):
    service, gateway = Incident.read(payload["incident"]).service, Gateway()
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - SINCE_SECONDS))
    failures = gateway.get("/envelopes", status="failed", actor=service, since=since, limit=50)["envelopes"]
    rates = (gateway.actor(service) or {}).get("rates", {})
    found = diagnosis.log_findings(service, failures, rates)
    context.log(f"log: {found['failures']} failures in {SINCE_SECONDS // 60} minutes; {found['recommendations'][0]}")
    return {"attempt": 1, "actions": [], **payload, "log": found}


def metric(payload, context):
    service = Incident.read(payload["incident"]).service
    samples = REGISTRY.samples(service, SAMPLES)
    sample, machine = (samples or [{}])[-1], system()
    alerts = diagnosis.alerts(sample, machine, SETTINGS.slow_ms)
    found = {
        "system": machine, "service": sample, "queue": (Gateway().actor(service) or {}).get("ready"), "alerts": alerts,
        "trend_analysis": {
            "cpu_trend": diagnosis.trend(samples, "cpu_percent"), "memory_trend": diagnosis.trend(samples, "memory_mb"),
            "latency_trend": diagnosis.trend(samples, "own_ms"), "performance_score": diagnosis.score(alerts)},
    }
    words = "; ".join(alert["alert"] for alert in alerts) or "no alerts"
    context.log(f"metric: score {found['trend_analysis']['performance_score']}; {words}")
    return {**payload, "metrics": found}


def probe(payload, context):
    service = Incident.read(payload["incident"]).service
    names = [service, *WORLD[service].dependencies]
    id = f"{context.id}:probe-{payload['attempt']}"
    found = look(Gateway(), WORLD, id, SETTINGS.probe_seconds, names)
    words = ", ".join(f"{name} {one['probe']}" + ("" if one["running"] else ", down") for name, one in found.items())
    context.log(f"probe: {words}")
    return {**payload, "probe": {
        "service": found[service], "dependencies": {name: found[name] for name in names[1:]},
        "all_dependencies_healthy": all(found[name]["running"] and found[name]["probe"] == "ok" for name in names[1:])}}


def system():
    """Of this machine: the share of CPU over a fifth of a second, memory, disk, load."""
    before = cpu_times()
    time.sleep(0.2)
    after = cpu_times()
    total = max(1, sum(after) - sum(before))
    with open("/proc/meminfo") as file:
        memory = {line.split(":")[0]: int(line.split()[1]) for line in file if len(line.split()) > 1}
    disk = shutil.disk_usage(".")
    return {
        "cpu_percent": round(100 * (1 - (after[3] - before[3]) / total), 1),
        "memory_percent": round(100 * (1 - memory["MemAvailable"] / memory["MemTotal"]), 1),
        "disk_percent": round(100 * disk.used / disk.total, 1), "load_average": os.getloadavg()[0],
    }


def cpu_times():
    with open("/proc/stat") as file:
        return [int(field) for field in file.readline().split()[1:9]]
