"""What a run has found, for people (Markdown, pictures) and for programs (JSON)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from bench import Bench
from figure import Figure
from plot import Plot


@dataclass(frozen=True)
class Section:
    """A suite's."""

    name: str
    words: str
    figures: Sequence[Figure]
    plots: Sequence[Plot]
    cuts: Sequence[str]
    seconds: float


@dataclass(frozen=True)
class Report:
    machine: Mapping[str, str]
    quick: bool
    sections: Sequence[Section]


def missed(report: Report) -> list[Figure]:
    return [figure for section in report.sections for figure in section.figures if figure.met is False]


def write(report: Report, folder: Path, bench: Bench) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = [figure.document() for section in report.sections for figure in section.figures]
    (folder / "report.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    (folder / "report.md").write_text(markdown(report))
    if any(section.plots for section in report.sections):
        import pictures
        pictures.draw([plot for section in report.sections for plot in section.plots], folder, bench)


def markdown(report: Report) -> str:
    bounded = [figure for section in report.sections for figure in section.figures if figure.bound]
    lines = ["# Benchmarks", ""]
    if report.quick:
        lines += ["**A quick run: whether everything runs and nothing is lost. Its figures say nothing.**", ""]
    lines += [f"- {name}: {value}" for name, value in report.machine.items()]
    if bounded:
        met = sum(figure.met is True for figure in bounded)
        lines += ["", f"## Bounds: {met} of {len(bounded)} are met", "", *table(bounded)]
    for section in report.sections:
        lines += ["", f"## {section.name}", "", section.words.strip(), "", *table(section.figures)]
        lines += [f"\n![{plot.title}]({plot.name}.svg)" for plot in section.plots]
        lines += [f"\nFor want of time: {cut}." for cut in section.cuts]
        lines += [f"\nTook {section.seconds:.0f} s."]
    return "\n".join(lines) + "\n"


def table(figures: Sequence[Figure]) -> list[str]:
    """Each figure's median and, behind it, the least and the greatest of its rounds."""
    if not figures:
        return ["Nothing was measured."]
    rows = [[
        figure.figure, f"{number(figure.value)} {figure.unit}", spread(figure), ratio(figure),
        str(figure.bound or ""), {True: "yes", False: "**no**", None: ""}[figure.met],
    ] for figure in figures]
    return ["| figure | median | of | ratio | bound | met |", "| --- | ---: | --- | --- | --- | --- |"] + [
        f"| {' | '.join(row)} |" for row in rows]


def spread(figure: Figure) -> str:
    if figure.samples == 1 or figure.spread is None:
        return str(figure.samples)
    return f"{figure.samples}, {number(figure.spread[0])} to {number(figure.spread[1])}"


def ratio(figure: Figure) -> str:
    return "" if figure.ratio is None else f"{figure.ratio:.2f} of {figure.against}"


def measured(figure: Figure) -> str:
    text = f"{number(figure.value)} {figure.unit}"
    if figure.ratio is not None:
        text += f", {ratio(figure)}"
    return text + (f" ({figure.bound})" if figure.bound else "")


def number(value: float) -> str:
    """Three digits that count, and no more zeros than it takes."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
