"""What processes expose, and what docs/metrics.md says of it."""

import re
from dataclasses import dataclass, field
from pathlib import Path

SERIES = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


@dataclass
class Metric:
    name: str
    type: str
    unit: str = ""
    labels: set = field(default_factory=set)
    values: dict = field(default_factory=dict)  # of each label

    @property
    def series(self) -> list[str]:
        return [self.name + suffix for suffix in SUFFIXES[self.type]]


def exposed(text: str) -> dict[str, Metric]:
    """Metrics by name; a series without TYPE and HELP before it is an error."""
    metrics: dict[str, Metric] = {}
    helped = set()
    current = Metric("", "")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ", 3)[2])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helped and name not in metrics, line
            current = metrics[name] = Metric(name, kind)
        else:
            found = SERIES.fullmatch(line)
            assert found and found[1] in current.series, line
            float(found[3])
            for label, value in LABEL.findall(found[2] or ""):
                if label != "le":
                    current.labels.add(label)
                    current.values.setdefault(label, set()).add(value)
    return metrics


def documented(page: Path) -> dict[str, dict[str, Metric]]:
    """The tables by their headings."""
    tables: dict[str, dict[str, Metric]] = {}
    heading = ""
    for line in page.read_text().splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| `"):
            name, kind, unit, labels = [cell.strip() for cell in line.strip("|").split("|")][:4]
            metric = Metric(name.strip("`"), kind, unit, set(re.findall(r"`(\w+)`", labels)))
            assert metric.name not in tables.setdefault(heading, {}), f"{metric.name} stands there twice"
            tables[heading][metric.name] = metric
    return tables
