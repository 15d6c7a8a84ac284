"""What a suite measures: figures, each with what it is held against and the bound that it must keep."""

from dataclasses import dataclass
from typing import Any, Optional

RATIO, VALUE = "ratio", "value"


@dataclass(frozen=True)
class Bound:
    limit: float
    at_most: bool
    of: str = RATIO

    def __post_init__(self) -> None:
        if self.of not in (RATIO, VALUE):
            raise ValueError(f"a bound is of '{RATIO}' or '{VALUE}', not of '{self.of}'")

    def __str__(self) -> str:
        return f"{'at most' if self.at_most else 'at least'} {self.limit:g}"


@dataclass(frozen=True)
class Figure:
    """A median of `samples` rounds; `spread` is the least and the greatest of them, in `unit`.

    `ratio` is `value` in relation to what `against` names, measured in the same run.
    """

    figure: str
    value: float
    unit: str
    against: str = ""
    ratio: Optional[float] = None
    bound: Optional[Bound] = None
    spread: Optional[tuple[float, float]] = None
    samples: int = 1

    def __post_init__(self) -> None:
        if self.bound and self.bound.of == RATIO and self.ratio is None:
            raise ValueError(f"{self.figure}: its bound is of a ratio, and there is none")

    @property
    def met(self) -> Optional[bool]:
        """Whether it keeps its bound; None where there is none."""
        if self.bound is None:
            return None
        measured = self.ratio if self.bound.of == RATIO else self.value
        return measured <= self.bound.limit if self.bound.at_most else measured >= self.bound.limit

    def document(self) -> dict[str, Any]:
        bound = self.bound and {"limit": self.bound.limit, "at_most": self.bound.at_most, "of": self.bound.of}
        return {
            "figure": self.figure, "value": self.value, "unit": self.unit, "against": self.against, "ratio": self.ratio,
            "bound": bound, "met": self.met, "spread": self.spread, "samples": self.samples}
