"""A picture of a suite's figures, as data: `pictures.py` draws it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Line:
    """Points (x, y), in the order of x."""

    name: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Bar:
    name: str
    value: float


@dataclass(frozen=True)
class Plot:
    """Lines over a logarithmic x, or bars: one of the two. `name` is the file's."""

    name: str
    title: str
    y: str
    x: str = ""
    lines: list[Line] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    ticks: dict[float, str] = field(default_factory=dict)

    def is_ours(self, name: str) -> bool:
        """What is compared with others says whose it is; where there are no others, all is ours."""
        names = [one.name for one in (*self.lines, *self.bars)]
        return name.startswith("Troupe") or not any(other.startswith("Troupe") for other in names)
