"""Draws plots, as SVG for the report and as PNG for whoever has no use for SVG."""

import itertools
from pathlib import Path
from typing import Any, Sequence

from bench import Bench, use
from plot import Plot

MATPLOTLIB = "matplotlib==3.11.2"
# Colours that stay apart also for the colour-blind (Okabe and Ito); the first is ours, grey what ours is held against.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
OTHERS = "#999999"
INK, GRID = "#333333", "#DDDDDD"


def draw(plots: Sequence[Plot], folder: Path, bench: Bench) -> None:
    use(bench.python([MATPLOTLIB]))
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams.update({
        "font.size": 10, "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK,
        "ytick.color": INK, "svg.hashsalt": "troupe", "svg.fonttype": "none", "font.family": "DejaVu Sans"})
    from matplotlib import pyplot
    for plot in plots:
        height = 4 if plot.lines else 1.2 + 0.38 * len(plot.bars)
        figure, axes = pyplot.subplots(figsize=(7.5, height), layout="constrained")
        axes.set_title(plot.title, loc="left", fontsize=11, fontweight="bold", pad=12)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        draw_lines(axes, plot) if plot.lines else draw_bars(axes, plot)
        for kind in ("svg", "png"):
            figure.savefig(folder / f"{plot.name}.{kind}", dpi=144, metadata={"Date": None} if kind == "svg" else None)
        pyplot.close(figure)


def draw_lines(axes: Any, plot: Plot) -> None:
    colours = itertools.cycle(COLOURS)
    for line in plot.lines:
        colour = next(colours) if plot.is_ours(line.name) else OTHERS
        axes.plot(*zip(*line.points), marker="o", markersize=5, linewidth=1.8, color=colour, label=line.name)
    axes.set_xscale("log", base=2)
    points = sorted({x for line in plot.lines for x, _ in line.points})
    axes.set_xticks(points, [plot.ticks.get(x, f"{x:g}") for x in points])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel(plot.x)
    axes.set_ylabel(plot.y)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.legend(frameon=False)


def draw_bars(axes: Any, plot: Plot) -> None:
    """The first on top."""
    bars = plot.bars[::-1]
    colours = [COLOURS[0] if plot.is_ours(bar.name) else OTHERS for bar in bars]
    drawn = axes.barh([bar.name for bar in bars], [bar.value for bar in bars], color=colours, height=0.65)
    axes.bar_label(drawn, [f"{bar.value:,.0f}" if bar.value >= 100 else f"{bar.value:.3g}" for bar in bars], padding=4)
    axes.margins(x=0.12)
    axes.set_xlabel(plot.y)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
