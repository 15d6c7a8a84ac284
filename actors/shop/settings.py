"""What the environment says of watching and mending, read once at the start: a wrong value is named, and nothing starts."""

import os
from dataclasses import dataclass
from typing import Mapping


class SettingError(ValueError):
    pass


@dataclass(frozen=True)
class Settings:
    # What is above the usual by less than this is nothing: seconds, and cores.
    slow_seconds: float
    busy_cores: float
    # Between two incidents of a service, and between two of the same action.
    cooldown_seconds: float
    # After an action, before it is looked whether it has helped.
    settle_seconds: float
    dry_run: bool


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

    dry_run = environment.get("SHOP_DRY_RUN", "").strip().lower()
    if dry_run not in ("", "true", "false"):
        raise SettingError(f"SHOP_DRY_RUN is {dry_run!r}: expected true or false")
    return Settings(
        slow_seconds=number("SHOP_SLOW_MS", 5, 0, 60_000) / 1000,
        busy_cores=number("SHOP_BUSY_CORES", 0.0025, 0, 1000),
        cooldown_seconds=number("SHOP_COOLDOWN_SECONDS", 20, 0, 3600),
        settle_seconds=number("SHOP_SETTLE_SECONDS", 3, 0, 600),
        dry_run=dry_run == "true")
