"""Many measurements, in one number and how far they lie apart."""

import statistics
from typing import Optional, Sequence

from figure import Bound, Figure

median = statistics.median


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many of them do not exceed; between two neighbours in proportion."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below, above = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return below + (above - below) * (place % 1)


def figure(
    name: str, values: Sequence[float], unit: str, against: str = "", others: Sequence[float] = (),
    bound: Optional[Bound] = None,
) -> Figure:
    """The median of rounds. With `others`, of the same rounds, the ratio too: the median of the rounds' ratios, since
    what disturbs one round disturbs both sides of it."""
    ratio = median([value / other for value, other in zip(values, others, strict=True)]) if others else None
    return Figure(
        name, median(values), unit, against, ratio, bound, (min(values), max(values)), len(values))
