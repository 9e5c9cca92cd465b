"""Free signs for small β (B4), M by M, for ``replay``: no condition of B4 is left to the eye.

Variables: b with β = b^p, and heights s = bx; p = 1, but p = 2 for two neurons, where the best
height is of the order of sqrt(β). h is the ReLU kernel, e(r) = h(r) - a - r/4 with a = 1/(2π) and
A = e(1), t = (Ms² - 1)/(M - 1), E(s) = h(1)/M + (1 - 1/M)h(t), g(s) = βh'(βs)/(s h'(t)),

    UB_n = h(β²) - a - e(β²)/n + (a + e(β)/n)²/(a + A/n)
    L(σ) = a(σ - 1)² - a - β²/4 - e(β²) + (Aσ² - 2σe(β) + e(β²))/M
    V    = h(βs)²/E(s) at s = by for a witness y, a lower bound of its maximum over s.

Chart "fewer", witness y: V > UB_{M-1}, and nothing for M = 2.
Chart "cells", witnesses y, σ_-, σ_+ and x_0 < ... < x_k: β² <= σ_- <= σ* <= σ_+, where σ* is the
least point of L; L(σ_±) > -V; g >= σ_+ at x_0 and g <= σ_- at x_k; and on each [x_i, x_{i+1}]

    (C)      2βρ((π/2)φ(t) + s²) < s h'(βs), or
    (slack)  V + g²E - 2g h(βs) > 2l(1 - s²)g/(M - 1) + (1 - 1/M) l²/κ,

with ρ the mean of h''/2 of B4, φ(t) = t/arcsin t, κ = 1/(4πφ), 1/α² = 8κ and l = (β/2α²) times left
minus right of (C). ρ and φ are replaced by upper bounds. The standard library and python-flint,
nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import comb
from typing import Any

from flint import arb, arb_series, ctx, fmpq

from proofs_checks.replay.checker import Box, Chart, Side, Theorem, capped, hull

PANELS, ROOT_TERMS, ORDER = 6, 12, 6

Formula = Callable[..., Any]


@dataclass(frozen=True)
class Roots:
    """What the formulas need besides + - * /: they run on balls, series of balls or symbols."""

    pi: Any
    sqrt: Callable[[Any], Any]
    asin: Callable[[Any], Any]
    number: Callable[[int, int], Any]


def roots() -> Roots:
    """Balls, or power series of balls, at the current precision."""
    return Roots(arb.pi(), lambda x: x.sqrt(), lambda x: x.asin(), fmpq)


# ------------------------------------------------------------------ formulas


def h(r: Any, f: Roots) -> Any:
    """The ReLU kernel."""
    return (f.sqrt(1 - r * r) + r * (f.pi / 2 + f.asin(r))) / (2 * f.pi)


def h1(r: Any, f: Roots) -> Any:
    """Its derivative."""
    return (f.pi / 2 + f.asin(r)) / (2 * f.pi)


def h2(r: Any, f: Roots) -> Any:
    """Its second derivative."""
    return 1 / (2 * f.pi * f.sqrt(1 - r * r))


def even(r: Any, f: Roots) -> Any:
    """e(r) = h(r) - 1/(2π) - r/4."""
    return (f.sqrt(1 - r * r) - 1 + r * f.asin(r)) / (2 * f.pi)


def tops(f: Roots) -> tuple[Any, Any]:
    """a = h(0) and A = e(1)."""
    return 1 / (2 * f.pi), f.number(1, 4) - 1 / (2 * f.pi)


def bound(n: int, beta: Any, f: Roots) -> Any:
    """UB_n."""
    a, top = tops(f)
    one, two = even(beta, f), even(beta * beta, f)
    square = (a + one / n) * (a + one / n)
    return h(beta * beta, f) - a - two / n + square / (a + top / n)


def level(m: int, beta: Any, sigma: Any, f: Roots) -> Any:
    """L(σ), for σ >= β²."""
    a, top = tops(f)
    one, two = even(beta, f), even(beta * beta, f)
    inner = (top * sigma * sigma - 2 * sigma * one + two) / m
    return a * (sigma - 1) * (sigma - 1) - a - beta * beta / 4 - two + inner


def energy(m: int, s: Any, f: Roots) -> Any:
    """E(s), s >= 0; h(2s² - 1) is analytic at s = 0 too."""
    if m == 2:
        own = (s * f.sqrt(1 - s * s) - f.asin(s) * (1 - 2 * s * s)) / f.pi
        return f.number(1, 4) + own / 2
    return f.number(1, 2 * m) + f.number(m - 1, m) * h(mean(m, s), f)


def mean(m: int, s: Any) -> Any:
    """t(s)."""
    return (m * s * s - 1) / (m - 1)


def cone(m: int, beta: Any, s: Any, f: Roots) -> Any:
    """h(βs)²/E(s)."""
    top = h(beta * s, f)
    return top * top / energy(m, s, f)


def curvature(beta: Any, s: Any, f: Roots) -> Any:
    """Upper bound of ρ = ∫ (1 - θ) h''(β(s + θ(1 - s))) dθ over [0, 1]: h'' under its chords."""
    k, total = PANELS, 0
    for i in range(k + 1):
        y = beta * (s + f.number(i, k) * (1 - s))
        total = total + weight(i, f) * h2(y, f)
    return total


def weight(i: int, f: Roots) -> Any:
    """∫ (1 - θ) times the piecewise linear function that is 1 at i/k and 0 at the other nodes."""
    k = PANELS
    inner = f.number(k - i, k * k)
    ends = {0: f.number(3 * k - 1, 6 * k * k), k: f.number(1, 6 * k * k)}
    return ends.get(i, inner)


def quotient(t: Any, f: Roots) -> Any:
    """Upper bound of t/arcsin t: all coefficients of arcsin t/t are positive, twelve are kept."""
    square, total = t * t, 0
    for n in reversed(range(ROOT_TERMS)):
        total = total * square + f.number(comb(2 * n, n), 4**n * (2 * n + 1))
    return 1 / total


def price(m: int, s: Any, g: Any, excess: Any, f: Roots) -> Any:
    """Upper bound of the right side of (slack): 1/κ <= 4π."""
    return 2 * excess * g * (1 - s * s) / (m - 1) + f.number(m - 1, m) * excess * excess * 4 * f.pi


# ------------------------------------------------------------------ the same over b and x


@dataclass(frozen=True)
class Scaled:
    """The formulas at β = b^p, s = bx, divided by b where they vanish there."""

    m: int

    @property
    def power(self) -> int:
        """The exponent p."""
        return 2 if self.m == 2 else 1

    def beta(self, b: Any) -> Any:
        """β."""
        return b * b if self.power == 2 else b

    def room(self, b: Any, x: Any, f: Roots) -> Any:
        """Right minus left of (C), divided by b."""
        beta, s = self.beta(b), b * x
        left = f.pi / 2 * quotient(mean(self.m, s), f) + s * s
        ratio = b if self.power == 2 else 1
        return x * h1(beta * s, f) - 2 * ratio * curvature(beta, s, f) * left

    def pull(self, b: Any, x: Any, f: Roots) -> Any:
        """g; for M = 2, h'(2s² - 1) = arcsin(s)/π."""
        beta, s = self.beta(b), b * x
        if self.power == 2:
            return f.pi * b * h1(beta * s, f) / (x * f.asin(s))
        return h1(beta * s, f) / (x * h1(mean(self.m, s), f))

    def gain(self, b: Any, x: Any, y: fmpq, f: Roots) -> Any:
        """Left side of (slack), by completing the square."""
        s, top = b * x, h(self.beta(b) * b * x, f)
        own = energy(self.m, s, f)
        off = self.pull(b, x, f) - top / own
        return self.best(b, y, f) - top * top / own + off * off * own

    def best(self, b: Any, y: fmpq, f: Roots) -> Any:
        """V."""
        return cone(self.m, self.beta(b), b * y, f)


# ------------------------------------------------------------------ enclosures


def lower(f: Formula, box: Box) -> arb:
    """A ball that no value of f over the box is below: from its middle and its slopes."""
    field, sides = roots(), [hull(side) for side in box]
    middle = [(low + high) / 2 for low, high in box]
    value = f(*map(arb, middle), field)
    with capped(2):
        for i, side in enumerate(sides):
            moved = [arb_series([s, int(j == i)], 2) for j, s in enumerate(sides)]
            value += _coefficients(f, moved)[1] * (side - arb(middle[i]))
    return arb(value.lower())


def taylor_positive(f: Formula, side: Side) -> bool:
    """f > 0 on an interval: its Taylor polynomial at the middle, the last coefficient over all."""
    over, middle = hull(side), arb((side[0] + side[1]) / 2)
    with capped(ORDER + 1):
        total = _coefficients(f, [arb_series([over, 1], ORDER + 1)])[ORDER]
        at = _coefficients(f, [arb_series([middle, 1], ORDER + 1)])
    for k in reversed(range(ORDER)):
        total = total * (over - middle) + at[k]
    return bool(total > 0)


def _coefficients(f: Formula, at: Sequence[arb_series]) -> Sequence[arb]:
    """The coefficients of f; no numbers where a denominator may vanish or terms are lost."""
    try:
        series = f(*at, roots())
    except ValueError:
        return [arb.nan()] * ctx.cap
    return [arb(series[k]) if series.prec >= ctx.cap else arb.nan() for k in range(ctx.cap)]


# ------------------------------------------------------------------ the charts


def _fewer(form: Scaled) -> Callable[[Box, tuple[fmpq, ...]], bool]:
    m = form.m

    def test(box: Box, witnesses: tuple[fmpq, ...]) -> bool:
        (y,) = witnesses

        def margin(b: Any, f: Roots) -> Any:
            return form.best(b, y, f) - bound(m - 1, form.beta(b), f)

        return taylor_positive(margin, box[0])

    return test


def _cells(form: Scaled) -> Callable[[Box, tuple[fmpq, ...]], bool]:
    def test(box: Box, witnesses: tuple[fmpq, ...]) -> bool:
        if len(witnesses) < 5:
            return False
        y, low, high, *cuts = witnesses
        if not (_levels(form, box[0], y, low, high) and _ends(form, box[0], low, high, cuts)):
            return False
        return all(a < c and certain(form, box[0], (a, c), y) for a, c in pairwise(cuts))

    return test


def _levels(form: Scaled, side: Side, y: fmpq, low: fmpq, high: fmpq) -> bool:
    """β² <= σ_- <= σ* <= σ_+ and L(σ_±) > -V; σ* = (a + e(β)/M)/(a + A/M) grows with β."""
    m, field = form.m, roots()
    a, top = tops(field)

    def least(b: fmpq) -> arb:
        return arb((a + even(arb(form.beta(b)), field) / m) / (a + top / m))

    if not (form.beta(side[1]) ** 2 <= low and least(side[0]) >= low and least(side[1]) <= high):
        return False

    def margin(sigma: fmpq) -> Formula:
        return lambda b, f: level(m, form.beta(b), sigma, f) + form.best(b, y, f)

    return taylor_positive(margin(low), side) and taylor_positive(margin(high), side)


def _ends(form: Scaled, side: Side, low: fmpq, high: fmpq, cuts: Sequence[fmpq]) -> bool:
    """0 < x_0, bx_k <= 1, g(bx_0) >= σ_+ and g(bx_k) <= σ_-: each factor of g is monotone in b."""
    first, last = cuts[0], cuts[-1]
    if not (first > 0 and side[1] * last <= 1):
        return False
    return bool(
        _pull(form, side[0], side[1], first) >= high and _pull(form, side[1], side[0], last) <= low
    )


def _pull(form: Scaled, over: fmpq, under: fmpq, x: fmpq) -> arb:
    """g with b = over in its numerator and b = under in its denominator."""
    field = roots()
    top = h1(arb(form.beta(over) * over * x), field)
    s = under * x
    if form.power == 1:
        return arb(top / (x * h1(arb(mean(form.m, s)), field)))
    sine = arb(s).asin() / s if s else arb(1)
    return arb(field.pi * top / (x * x * sine))


def certain(form: Scaled, side: Side, cell: Side, y: fmpq) -> bool:
    """(C) or (slack) on b in ``side`` and x in ``cell``."""
    margin = lower(form.room, (side, cell))
    if margin > 0:
        return True
    b, x, m, field = hull(side), hull(cell), form.m, roots()
    s = b * x
    excess = form.beta(b) * b * -margin / 2 * _most(mean(m, s), field)
    pull_ = form.pull(b, x, field)
    asked = price(m, s, pull_, excess, field)
    left = lower(lambda b, x, f: form.gain(b, x, y, f), (side, cell))
    return bool(margin.is_finite() and left > asked)


def _most(t: arb, f: Roots) -> arb:
    """1/α² = (2/π) arcsin(t)/t at the largest |t|, where it is greatest."""
    far = arb(t.abs_upper())
    return arb(2 / f.pi * (f.asin(far) / far))


# ------------------------------------------------------------------ theorems

# the greatest b, where β = b, or β = b² for M = 2
REACH = {
    2: "811/1000",
    3: "632/1000",
    4: "607/1000",
    5: "587/1000",
    6: "570/1000",
    7: "554/1000",
    8: "540/1000",
    9: "528/1000",
    10: "516/1000",
    11: "506/1000",
    12: "496/1000",
    13: "487/1000",
    14: "479/1000",
    15: "471/1000",
    16: "464/1000",
    20: "439/1000",
    24: "418/1000",
    32: "386/1000",
    48: "342/1000",
    64: "312/1000",
}


def reach(m: int) -> Fraction:
    """The greatest β."""
    b = Fraction(REACH[m])
    return b * b if m == 2 else b


def _charts(m: int) -> dict[str, Chart]:
    form, domain = Scaled(m), (("0", REACH[m]),)
    charts = {f"cells {m}": Chart(("b",), domain, {"cells": _cells(form)})}
    if m > 2:
        charts[f"fewer {m}"] = Chart(("b",), domain, {"fewer": _fewer(form)})
    return charts


B4 = Theorem(
    statement="weights of any sign, 0 <= β <= reach(M): k'h(P)⁺k <= max over s of h(βs)²/E(s), for "
    + ", ".join(f"M = {m} and {reach(m)}" for m in REACH),
    charts={name: chart for m in REACH for name, chart in _charts(m).items()},
)
