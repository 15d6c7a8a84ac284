"""What the environment says, read once at the start: a wrong value is named, and nothing starts with it."""

import os
from dataclasses import dataclass
from typing import Mapping


class SettingError(ValueError):
    pass


@dataclass(frozen=True)
class Settings:
    # What must survive: an SQLite file.
    state: str
    villain_interval: float
    felix_interval: float
    # How long services may need to start when Felix has started himself.
    start_seconds: float
    # How long a probe is waited for, and what an own step may take until it is slow.
    probe_seconds: float
    slow_ms: float
    cpu_percent: float
    memory_mb: float
    # After an action, before it is looked whether it has helped.
    settle_seconds: float
    attempts: int
    cooldown_seconds: float
    confidence_floor: float
    dry_run: bool
    ask_for: frozenset[str]
    approval_seconds: float
    use_llm: bool


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    def number(name: str, default: float, least: float, most: float) -> float:
        text = environment.get(name, "").strip()
        try:
            value = float(text) if text else default
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise SettingError(f"{name} is {text!r}: expected a number, {least:g} to {most:g}")
        return value

    def flag(name: str) -> bool:
        text = environment.get(name, "").strip().lower()
        if text not in ("", "true", "false", "1", "0", "yes", "no", "on", "off"):
            raise SettingError(f"{name} is {text!r}: expected true or false")
        return text in ("true", "1", "yes", "on")

    return Settings(
        state=environment.get("ARENA_STATE") or ".troupe/arena.db",
        villain_interval=number("VILLAIN_INTERVAL", 15, 0.05, 86400),
        felix_interval=number("FELIX_INTERVAL", 5, 0.05, 3600),
        start_seconds=number("FELIX_START_SECONDS", 10, 0, 600),
        probe_seconds=number("FELIX_PROBE_SECONDS", 3, 0.1, 60),
        slow_ms=number("FELIX_SLOW_MS", 100, 1, 60000),
        cpu_percent=number("FELIX_CPU_PERCENT", 80, 1, 10000),
        memory_mb=number("FELIX_MEMORY_MB", 500, 1, 1e6),
        settle_seconds=number("FELIX_SETTLE_SECONDS", 2, 0, 600),
        attempts=int(number("FELIX_ATTEMPTS", 3, 1, 10)),
        cooldown_seconds=number("FELIX_COOLDOWN_SECONDS", 10, 0, 3600),
        confidence_floor=number("FELIX_CONFIDENCE_FLOOR", 0.5, 0, 1),
        dry_run=flag("FELIX_DRY_RUN"),
        ask_for=frozenset(filter(None, (word.strip() for word in environment.get("FELIX_ASK_FOR", "").split(",")))),
        approval_seconds=number("FELIX_APPROVAL_SECONDS", 600, 0.1, 86400),
        use_llm=flag("USE_LLM"))
