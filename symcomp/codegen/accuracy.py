"""What is measured of a generated module before it is given away."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import flint
import mpmath
import numpy as np
import sympy
from flint import arb, fmpq
from numpy.typing import NDArray

from symcomp.balls import ball, exact
from symcomp.errors import ArgumentError
from symcomp.kernels import DualKernel
from symcomp.printing import DIGITS, Formula

__all__ = ["Error", "Measured", "measured", "measured_errors", "require_accurate", "stated"]


# ---- κ, κ' and κ'' -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Error:
    """A bound in ulp, of the value itself or, beside a change of sign, of the greatest one."""

    ulps: int
    relative: bool

    @property
    def text(self) -> str:
        """What a header says."""
        return f"{self.ulps} ulp" + ("" if self.relative else " of its greatest value")


def stated(kappa: Error, slope: Error, curve: Error) -> str:
    """A sentence on the errors of the module's κ, κ' and κ''."""
    return (
        f"Accuracy: κ within {kappa.text} and κ' within {slope.text}. That is twice the worst error"
        f" that was measured at {len(_points())} correlations, ±1 and ±(1 - 10^-k) for k <= 16"
        f" among them, rounded up to a power of 2. In the same sense κ'' is within {curve.text}."
    )


_LARGEST = 2**20  # ulp, 1e-10


def measured_errors(
    ker: DualKernel, draft: ModuleType, functions: tuple[Formula, ...]
) -> list[Error]:
    """The errors of κ, κ' and κ'', measured against many digits.

    Raises ArgumentError where κ or κ' keeps less than ten digits, as with powers above 11.
    """
    points = _points()
    t = draft._Tile(*np.empty((6, len(points))))
    t.rho[:], curve = points, np.empty(len(points))
    for call in (draft._angles, draft._kappa, draft._slope):
        call(t)
    draft._curve(t, curve)
    found = zip(functions, (t.kappa, t.slope, curve), strict=True)
    errors = [_error(f, points, got) for f, got in found]
    if any(error.ulps > _LARGEST for error in errors[:2]):
        raise ArgumentError(
            f"activation: found {ker.left.name}, whose dual kernel comes out within"
            f" {errors[0].text} and its slope within {errors[1].text}; expected 2^20 ulp at most"
        )
    return errors


def _error(f: Formula, points: NDArray[np.float64], got: NDArray[np.float64]) -> Error:
    inside = np.abs(points) < (1.0 if f.steep else 2.0)
    wanted = [f.at(x) for x in points[inside]]
    with mpmath.workdps(DIGITS):
        errors = [abs(mpmath.mpf(y) - w) for y, w in zip(got[inside], wanted, strict=True)]
    sizes = np.abs(np.array(wanted, dtype=float))
    absolute = np.array(errors, dtype=float)
    worst, relative = float(np.max(absolute / np.spacing(sizes))), True
    if worst > 16 and min(wanted) < 0 < max(wanted):
        worst, relative = float(absolute.max() / np.spacing(sizes.max())), False
    # Coarse, since the last bits of arccos differ from machine to machine and the text must not.
    return Error(2 ** math.ceil(math.log2(max(2.0 * worst, 1.0))), relative)


def _points() -> NDArray[np.float64]:
    """Correlations all over [-1, 1], crowded at the ends."""
    inner = np.cos(np.pi * np.arange(1, 1024) / 2048)
    right = np.concatenate([inner, 1.0 - 0.1 ** np.arange(1, 17), [1.0]])
    return np.sort(np.concatenate([-right, right]))


# ---- K°(q_u, q_v, c) -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """Errors of K° against its enclosure."""

    relative: float  # in units of sqrt(K°(q_u, q_u, q_u) K°(q_v, q_v, q_v))
    mixed: float  # the same with 1 added to both
    points: int
    least: float  # of the lengths of rows
    greatest: float

    @property
    def text(self) -> str:
        """What a header says; coarse, as last bits differ from machine to machine.

        1.2 keeps the errors of the catalogue at a factor of 1.4 from the next power of ten.
        """
        error, unit = self.relative, "sqrt(K°(q_u, q_u, q_u) K°(q_v, q_v, q_v))"
        if error > 1e-6:  # terms of order 1 add up to little for short rows
            error, unit = self.mixed, "sqrt((1 + K°(q_u, q_u, q_u)) (1 + K°(q_v, q_v, q_v)))"
        return (
            f" K° was within 1e{math.ceil(math.log10(max(1.2 * error, 1e-15)))} of {unit} at"
            f" {self.points} points with rows of lengths {_length(self.least)} to"
            f" {_length(self.greatest)}, in pairs as unequal as these: oblique, parallel and"
            " opposite ones, and those almost so."
        )

    @property
    def bound(self) -> str:
        """Four times the worst mixed error; coarse, as in _error."""
        return f"1e{math.ceil(math.log10(max(4.0 * self.mixed, 1e-15)))}"


def _length(x: float) -> str:
    """A power of 2."""
    if x >= 1:
        return f"{x:g}"
    return f"1/{1 / x:g}" if x >= 1 / 1000 else f"2^{math.log2(x):g}"


def measured(ker: DualKernel, draft: ModuleType, longest: float, short: bool) -> Measured:
    """The errors of K° for rows shorter than `longest`; `short`: at short rows too.

    At pairs of lengths in both orders, though K° is the same: not so its rounding.
    """
    relative, mixed, count = 0.0, 0.0, 0
    tried = _LENGTHS + _SHORT_LENGTHS * short
    scale = _scale(max(map(max, tried)), longest)
    tried = tuple((scale * r, scale * s) for r, s in tried)
    found = [_found(ker, draft, r, s) for r, s in tried]
    sizes = {r: _size(ker, r) for r in sorted({r for pair in tried for r in pair})}
    for (r, s), values in zip(tried, found, strict=True):
        unit, mixed_unit = (math.sqrt((sizes[r] + x) * (sizes[s] + x)) for x in (0.0, 1.0))
        wanted = _inside(ker, r, s, 2.0**-60 * unit)
        pairs = zip(values, wanted * (len(values) // len(wanted)), strict=True)
        errors = [float(abs(w - exact(got)).upper()) for got, w in pairs]
        if not all(error < math.inf for error in errors):
            raise _unknown(ker, max(r, s))
        error = max(errors)
        relative, mixed = max(relative, error / unit), max(mixed, error / mixed_unit)
        count += len(values)
    return Measured(relative, mixed, count, min(sizes), max(sizes))


def _scale(tried: float, longest: float) -> float:
    """What brings lengths up to `tried` well below `longest`, a power of 2."""
    return 1.0 if longest > 2.0 * tried else 2.0 ** math.floor(math.log2(longest / tried) - 0.1)


def _found(ker: DualKernel, draft: ModuleType, r: float, s: float) -> list[float]:
    """The draft's K° of rows of lengths r, s and, unless these are equal, of s, r."""
    found: list[float] = []
    c = _covariances(r, s)
    for left, right in dict.fromkeys(((r, s), (s, r))):
        squares = left * left, right * right
        with np.errstate(all="ignore"):
            values = draft._kernel(*(np.full(len(c), q) for q in squares), c)
        for x, got in zip(c, values, strict=True):
            if not math.isfinite(got):
                raise ArgumentError(
                    f"activation: found {ker.left.name}, whose dual kernel comes out as {got} at"
                    f" (q_u, q_v, c) = {(*squares, float(x))}; expected a number"
                )
        found += map(float, values)
    return found


def _covariances(r: float, s: float) -> NDArray[np.float64]:
    return r * s * np.array(_CORRELATIONS)


def _inside(ker: DualKernel, r: float, s: float, radius: float) -> list[arb]:
    """K° of rows of lengths r, s to within `radius`, where _MOST_BITS are enough for that.

    A wider enclosure counts as an error.
    """

    def narrow(value: arb) -> bool:
        return float(value.rad()) <= radius

    bits, found = _BITS, []
    for c in map(float, _covariances(r, s)):
        value, bits = _raised(ker, (r, s, c), narrow, bits)
        found.append(value)
    return found


def _size(ker: DualKernel, r: float) -> float:
    """K°(r², r², r²) to four digits: a unit lost in cancellation would hide every error."""

    def sure(value: arb) -> bool:
        return value.rel_accuracy_bits() > 14

    value, _ = _raised(ker, (r, r, r * r), sure, _BITS)
    if not (sure(value) and value > 0):
        raise _unknown(ker, r)
    return float(value)


def _unknown(ker: DualKernel, length: float) -> ArgumentError:
    return ArgumentError(
        f"activation: found {ker.left.name}, whose K° is not enclosed by {_MOST_BITS} bits at"
        f" rows of length {_length(length)}; expected less cancellation"
    )


def _raised(
    ker: DualKernel, at: tuple[float, float, float], good: Callable[[arb], bool], bits: int
) -> tuple[arb, int]:
    """K° at lengths and a covariance, its precision raised until it is good, and that precision.

    So little inside |c| <= sqrt(q_u q_v) that no float tells: there the formula is regular.
    """
    r, s, c = map(exact, at)
    values = dict(zip(ker.symbols, (r * r, s * s, c * (1 - fmpq(1, 10**24))), strict=True))
    while True:
        with flint.ctx.workprec(bits):
            value = ball(ker.expr, values)
        if good(value) or bits >= _MOST_BITS:
            return value, bits
        bits = min(bits * 3 // 2, _MOST_BITS)


def _enclosed(expr: sympy.Expr, values: dict[sympy.Symbol, fmpq]) -> arb:
    """To 20 digits or more; half of the precision is enough more often than not."""
    with flint.ctx.workprec(125):
        value = ball(expr, values)
    if value.rel_accuracy_bits() > 68:
        return value
    with flint.ctx.workprec(250):
        return ball(expr, values)


_BITS, _MOST_BITS = 140, 5000
# shorter rows first; each pair is tried in the other order too
_LENGTHS = ((0.125, 0.125), (0.125, 1.0), (1.0, 1.0), (0.125, 8.0), (1.0, 8.0), (3.0, 8.0))
_SHORT_LENGTHS = (
    (2.0**-20, 2.0**-20),
    (2.0**-20, 1.0),
    (2.0**-20, 8.0),
    (0.5, 8.0),
    (8.0, 8.0),
)
# the first takes the most digits where exponentials grow
_CORRELATIONS = (
    *(sign * r for r in (1 - 2.0**-20, 1.0, 1 - 2.0**-7, 0.75, 0.25) for sign in (1.0, -1.0)),
    0.0,
)


# (q_u, q_v, c); sqrt(1.25)² rounds to a neighbour of 1.25, as the lengths of rows do
_ROUNDED = ((1.25, 1.25, 1.25), (1.25, 1.25, -1.25))
_CHECKED = (
    (1.0, 1.0, 1.0),
    (2.25, 0.25, -0.75),
    (0.75, 1.5, 0.5),
    (2.0, 0.5, -0.9375),
    *_ROUNDED,
)


def require_accurate(ker: DualKernel, draft: ModuleType, longest: float, parallel: float) -> None:
    """K° and its derivatives against ball arithmetic, where c² = q_u q_v against their limit.

    longest: of the rows; parallel: the tolerance where they are parallel but for rounding.
    """
    kernel_and_slopes = draft._kernel_and_slopes
    u, v, c = ker.symbols
    exprs = [ker.expr, sympy.diff(ker.expr, c), sympy.diff(ker.expr, v)]
    square = _scale(max(map(max, _CHECKED)) ** 0.5, longest) ** 2
    for point in _CHECKED:
        tolerance = parallel if point in _ROUNDED else 1e-10
        at = tuple(square * x for x in point)
        qu, qv, edge = map(exact, at)
        wanted, closer = (
            [float(_enclosed(expr, {u: qu, v: qv, c: edge * (1 - distance)})) for expr in exprs]
            for distance in (fmpq(1, 10**24), fmpq(1, 10**28))
        )
        got = kernel_and_slopes(*(np.array([x]) for x in at))
        pairs = [
            (float(g[0]), w)
            for g, w, near in zip(got, wanted, closer, strict=True)
            if not abs(near) > 10.0 * abs(w) > 1e-8  # else infinite at the edge, like 1/sqrt
        ]
        scale = max(1.0, *(abs(w) for _, w in pairs))
        if not all(abs(g - w) <= tolerance * scale for g, w in pairs):
            raise ArgumentError(
                f"activation: found {ker.left.name}, whose dual kernel loses its digits at"
                f" (q_u, q_v, c) = {at}; expected no removable singularity"
            )
