"""Rates as findings: the order of a remainder, limits by extrapolation, slopes with intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

import mpmath
import numpy as np
from mpmath import mpf
from numpy.typing import NDArray
from scipy.stats import norm

from proofs_checks.ledger import Finding, Outcome

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Remainder:
    """|values| at increasing sizes, free of noise above `floor`, claimed to fall like size^-order.

    Values that all lie below the floor are zero for all that can be seen, and pass.
    """

    label: str
    sizes: Sequence[int]
    values: Sequence[float]
    order: float
    floor: float = 1e-13

    @property
    def vanishes(self) -> bool:
        """All values are at the floor."""
        return max(map(abs, self.values)) <= self.floor

    @property
    def slope(self) -> float:
        """The log-log slope over the last doubling of the size, NaN at a zero."""
        (m, n), (v, w) = self.sizes[-2:], self.values[-2:]
        return log(abs(w / v)) / log(n / m) if v and w else float("nan")


def orders(rows: Iterable[Remainder], tolerance: float = 0.05) -> Finding:
    """Every remainder has its order to within the tolerance; how often and how closely."""
    remainders = list(rows)
    seen = [r for r in remainders if not r.vanishes]
    bad = [r for r in seen if not abs(r.slope + r.order) <= tolerance]
    listed = "; ".join(
        f"{r.label}: slope {r.slope:.3f}, claimed {-r.order:g}, value {r.values[-1]:.3g} at "
        f"{r.sizes[-1]}"
        for r in bad[:5]
    )
    count = len(remainders)
    if not seen:
        return Finding(Outcome.UNDECIDED, "every remainder vanishes", count, count)
    worst = max(abs(r.slope + r.order) for r in seen)
    figure = f"{len(seen)} remainders, slopes within {worst:.2g} of the claimed orders"
    if bad:
        figure = f"{len(bad)} of {figure}"
    if count > len(seen):
        figure += f"; {count - len(seen)} more vanish"
    return Finding(Outcome.FAILS if bad else Outcome.HOLDS, figure, count, count, count, listed)


def extrapolated(values: Sequence[mpf]) -> mpf:
    """The limit of a series in 1/d whose values at d, 2d, 4d, ... are given (Richardson)."""
    row = list(values)
    for m in range(1, len(values)):
        row = [(2**m * b - a) / (2**m - 1) for a, b in pairwise(row)]
    return mpmath.mpf(row[0])


# ---- slopes of simulated quantities --------------------------------------------------------------


@dataclass(frozen=True)
class Slope:
    """A log-log slope by weighted least squares, with its interval at the stated level."""

    value: float
    half: float
    level: float

    def contains(self, slope: float) -> bool:
        """Whether the interval holds it."""
        return abs(self.value - slope) <= self.half

    def __str__(self) -> str:
        """Value and interval."""
        return f"{self.value:.3f} ± {self.half:.3f}"


def fitted(sizes: Sequence[int], means: Array, errors: Array, level: float = 0.9999) -> Slope:
    """Slope of log means in log sizes; `errors` are standard errors of the means."""
    x = np.log(np.asarray(sizes, dtype=np.float64))
    y = np.log(np.abs(means))
    weight = (means / errors) ** 2
    x = x - np.average(x, weights=weight)
    spread = float(weight @ x**2)
    half = float(norm.ppf((1 + level) / 2)) / spread**0.5
    return Slope(float(weight @ (x * y)) / spread, half, level)
