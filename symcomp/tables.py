"""Tables for dual kernels without a closed form: Chebyshev coefficients of σ on growing intervals.

Write σ(t cos φ) = Σ_m a_m(t) cos mφ. A Gaussian pair of correlation ρ = cos θ is X = r_u ϱ cos φ,
Y = r_v ϱ cos(φ - θ) with φ uniform and ϱ of density ϱ exp(-ϱ²/2); the mean over φ leaves

    K°(r_u², r_v², r_u r_v ρ) = Σ_m ε_m T_m(ρ) E a_m(r_u ϱ) a_m(r_v ϱ),   ε_0 = 1, else ε_m = 1/2.

So one function of t for every m holds the kernel, as a sum of products of functions of one length.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import flint
import numpy as np
import sympy
from flint import arb, arb_mat, fmpq
from numpy.typing import NDArray

from symcomp.balls import compiled, exact
from symcomp.catalogue import Activation
from symcomp.errors import ArgumentError, ExpressionError
from symcomp.kernels import DualKernel, dual_kernel
from symcomp.parsing import X

__all__ = [
    "EDGE",
    "LONGEST",
    "MIDDLE",
    "REACH",
    "Errors",
    "Part",
    "Row",
    "Tables",
    "measure",
    "tables",
]

LONGEST = 8  # rows of networks
EDGE = 8.5  # where the tables end, as derivatives of series lose digits at the end of their range
REACH = 80  # t = r ϱ with ϱ < 9.4: exp(-ϱ²/2) < 2^-64 beyond
MIDDLE = 16  # half of the range of s lies below it
_CUT = 49  # rows that weigh less than 2^-49 in K° and its derivatives are left out
_BITS = 51  # of K° and its derivatives: a row is held to 2^-51 over its own size
_PRECISION = 192
_SIZES = ((96, 160), (96, 288), (160, 640))  # points in t, points in φ of a quarter


@dataclass(frozen=True)
class Row:
    """g(t) = 2^exponent Σ_i coefficients_i T_i(s(t)), s(t) as below."""

    exponent: int
    coefficients: tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """The even or the odd part of σ, less σ(0): its a_m, m = 2k + parity, k the place of the row.

    a_m(t) = t^order (1 + t²)^((growth - order)/2) exp(t²/(4 EDGE²)) g_k(t),
    s(t) = 2 t (REACH + MIDDLE)/(REACH (t + MIDDLE)) - 1 in g_k.
    """

    parity: int
    order: int
    growth: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Tables:
    """σ(0), rounded, and the parts of σ that do not vanish."""

    constant: float
    parts: tuple[Part, ...]


def tables(act: Activation) -> Tables:
    """The tables of a smooth activation, from balls: the same on every machine.

    Raises ExpressionError for kinks, where the series in m converges too slowly, and for what
    varies too fast on [-REACH, REACH].
    """
    if act.kinks:
        found = ", ".join(map(str, act.kinks))
        raise ExpressionError(
            f"activation: found {act.name} with kinks at {found} and no closed form of its dual"
            " kernel, expected one or the other"
        )
    with flint.ctx.workprec(_PRECISION):
        for sizes in _SIZES:
            samples = _Samples.of(act, *sizes)
            parts = [samples.part(parity) for parity in (0, 1)]
            if None not in parts:
                return Tables(float(samples.centre), tuple(p for p in parts if p and p.rows))
    raise ExpressionError(
        f"activation: found {act.name}, which varies too fast for tables up to |x| = {REACH},"
        " expected a dual kernel in closed form or a smoother activation"
    )


@dataclass(frozen=True)
class _Samples:
    """Both parts of σ - σ(0) at x = t_i cos φ_j, Chebyshev points in s and in cos φ > 0."""

    centre: arb
    lengths: list[arb]
    folded: tuple[arb_mat, arb_mat]

    @staticmethod
    def of(act: Activation, points: int, angles: int) -> "_Samples":
        sigma = compiled(act.expr, (X,))
        centre = sigma(arb(0))
        lengths = [_length(_cosine(2 * i + 1, 2 * points)) for i in range(points)]
        cosines = [_cosine(2 * j + 1, 4 * angles) for j in range(angles)]
        even, odd = [], []
        for t in lengths:
            values = [(sigma(t * x), sigma(-t * x)) for x in cosines]
            even.append([(a + b) / 2 - centre for a, b in values])
            odd.append([(a - b) / 2 for a, b in values])
        return _Samples(centre, lengths, (arb_mat(even), arb_mat(odd)))

    def part(self, parity: int) -> Part | None:
        """The rows of one part, none where it vanishes; None where the points are too few."""
        points, angles = len(self.lengths), self.folded[parity].ncols()
        turn = [_cosine(n, 4 * angles) * 2 / angles for n in range(8 * angles)]
        waves = arb_mat(
            [
                [turn[(2 * k + parity) * (2 * j + 1) % (8 * angles)] for k in range(angles)]
                for j in range(angles)
            ]
        )
        a = self.folded[parity] * waves  # a_m at t_i, (points, angles)
        sizes = [math.hypot(*(float(a[i, k]) for k in range(angles))) for i in range(points)]
        if max(sizes) < 2.0 ** (-_PRECISION / 2):
            return Part(parity, 0, 0, ())
        order = self._power(sizes, points - 1, points - 2)
        growth = self._power(sizes, 0, min(range(points), key=lambda i: self._from_longest(i)))
        for i, t in enumerate(self.lengths):
            scale = (1 + t * t) ** (arb(order - growth) / 2) / t**order
            scale *= (-((t / (2 * EDGE)) ** 2)).exp()
            for k in range(angles):
                a[i, k] *= scale / 2 if k == 0 == parity else scale
        return _rounded(Part(parity, order, growth, ()), a)

    def _from_longest(self, i: int) -> float:
        return abs(float(self.lengths[i]) - LONGEST)

    def _power(self, sizes: list[float], i: int, j: int) -> int:
        """The exponent of the power law between two lengths."""
        ratio = math.log(float(self.lengths[i] / self.lengths[j]))
        return round(math.log(sizes[i] / sizes[j]) / ratio)


def _cosine(i: int, n: int) -> arb:
    return (arb.pi() * i / n).cos()


def _length(s: arb) -> arb:
    """The inverse of s(t)."""
    share = (1 + s) / 2 * REACH / (REACH + MIDDLE)
    return MIDDLE * share / (1 - share)


def _rounded(part: Part, g: arb_mat) -> Part | None:
    """Chebyshev coefficients in s, each row in units that matter alike in K°."""
    points, angles = g.nrows(), g.ncols()
    peaks = [max(abs(float(g[i, k])) for i in range(points)) for k in range(angles)]
    turn = [_cosine(n, 2 * points) / points for n in range(4 * points)]
    fit = [
        [turn[i * (2 * j + 1) % (4 * points)] * (2 if i else 1) for j in range(points)]
        for i in range(points)
    ]
    chebyshev = arb_mat(fit) * g
    # T_m' <= m², so that a row is as important as its peak times its order, squared.
    weights = [(peak * (2 * k + 1) / max(peaks)) ** 2 for k, peak in enumerate(peaks)]
    last = max(k for k, weight in enumerate(weights) if weight > 2.0**-_CUT)
    rows = []
    for weight, (k, peak) in zip(weights, enumerate(peaks[: last + 1]), strict=False):
        units = max(_BITS + math.frexp(weight / peak)[1], 0)
        ints = [_nearest(chebyshev[i, k] * arb(2) ** units) for i in range(points)]
        rows.append(Row(-units, tuple(_trimmed(ints))))
    # The aliases of a_m are a_m' with m' >= 4 angles - m, where nothing may be left.
    if 3 * len(rows) > 2 * angles or max(len(row.coefficients) for row in rows) > points - 4:
        return None
    return Part(part.parity, part.order, part.growth, tuple(rows))


def _nearest(x: arb) -> int:
    whole = (x.mid() + arb(0.5)).floor().unique_fmpz()
    assert whole is not None  # the floor of a midpoint is exact
    return int(whole)


def _trimmed(ints: list[int]) -> list[int]:
    while ints and ints[-1] == 0:
        ints.pop()
    return ints


# ---- the error of what is made of them -----------------------------------------------------------

Derivatives: TypeAlias = Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[float, ...]]

TOLERANCE, SLOPE_TOLERANCE = 1e-12, 1e-9  # of K°, of its derivatives
_PARALLEL, _OPPOSITE, _OBLIQUE = (1.0, 0.0), (-1.0, 0.0), (0.8, 0.6)
_PAIRS = {  # lengths of two rows -> directions of the second; oblique pairs take longest
    (1 / 64, 0.5): (_OPPOSITE, _OBLIQUE),
    (1.0, 1.0): (_PARALLEL, _OPPOSITE),
    (2.0, 8.0): (_PARALLEL, _OBLIQUE),
    (8.0, 8.0): (_PARALLEL, _OPPOSITE),
}


@dataclass(frozen=True)
class Errors:
    """The worst errors of K°, ∂K°/∂c and 2 q_v ∂K°/∂q_v, and at how many pairs of rows.

    In units of sqrt(K°(q_u, q_u, q_u) K°(q_v, q_v, q_v)); that of ∂K°/∂c = E σ'(X) σ'(Y) in the
    same with σ' for σ.
    """

    value: float
    by_c: float
    by_qv: float
    points: int

    @property
    def stated_value(self) -> str:
        """What a header says of K°."""
        return _stated(self.value)

    def sentence(self) -> str:
        """What a header says; coarse, since last bits differ from machine to machine."""
        return (
            f"Accuracy: at {self.points} pairs of rows of lengths 1/64 to {LONGEST}, parallel and"
            f" opposite ones among them, K° was within {self.stated_value} and 2 q_v ∂K°/∂q_v"
            f" within {_stated(self.by_qv)} of sqrt(K°(q_u, q_u, q_u) K°(q_v, q_v, q_v)), and"
            f" ∂K°/∂c = E σ'(X) σ'(Y) within {_stated(self.by_c)} of the same with σ' for σ."
        )


def _stated(error: float) -> str:
    """A power of 10 that is four times as large or more."""
    return f"1e{math.ceil(math.log10(max(4.0 * error, 1e-13)) - 1e-9)}"


def measure(ker: DualKernel, differentiate: Derivatives) -> Errors:
    """The errors of K, ∂K/∂c and ∂K/∂r_v (at fixed c) of two rows, against ball arithmetic.

    Raises ArgumentError if that of K exceeds 1e-12 or that of a derivative 1e-9.
    """
    sigma = ker.left.expr
    slope = sympy.diff(sigma, X)
    slopes, mixed = dual_kernel(slope), dual_kernel(sigma, X * slope)
    norms = {
        (k, r): math.sqrt(float(_at(k, *[exact(r) ** 2] * 3)))
        for k in (ker, slopes)
        for r in {r for pair in _PAIRS for r in pair}
    }
    errors = []
    for (ru, rv), directions in _PAIRS.items():
        size, other = (norms[k, ru] * norms[k, rv] for k in (ker, slopes))
        for direction in directions:
            u, v = np.array([ru, 0.0]), rv * np.array(direction)
            got = [exact(x) for x in differentiate(u, v)]
            qu, qv, c = (_dot(x, y) for x, y in ((u, u), (v, v), (u, v)))
            by_c = _at(slopes, qu, qv, c)
            by_rv = _at(mixed, qu, qv, c) - c * by_c
            gaps = _at(ker, qu, qv, c) - got[0], by_c - got[1], by_rv - got[2] * arb(qv).sqrt()
            units = size, other, size
            errors.append([abs(float(x)) / unit for x, unit in zip(gaps, units, strict=True)])
    worst = [max(column) for column in zip(*errors, strict=True)]
    if not (worst[0] <= TOLERANCE and max(worst[1:]) <= SLOPE_TOLERANCE):
        raise ArgumentError(
            f"activation: found {ker.left.name}, whose tables are off by {worst[0]:.1e} and their"
            f" derivatives by {max(worst[1:]):.1e}, expected at most {TOLERANCE:.0e} and"
            f" {SLOPE_TOLERANCE:.0e}"
        )
    return Errors(worst[0], worst[1], worst[2], len(errors))


def _dot(x: NDArray[np.float64], y: NDArray[np.float64]) -> fmpq:
    return sum((exact(float(a)) * exact(float(b)) for a, b in zip(x, y, strict=True)), fmpq(0))


def _at(ker: DualKernel, qu: fmpq, qv: fmpq, c: fmpq) -> arb:
    return ker.enclosure(qu, qv, c, digits=16)
