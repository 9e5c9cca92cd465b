"""Integrals over the plane: trapezoidal sums on strips of analyticity; Hermite series (K2)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import flint
import sympy
from flint import arb, arb_poly, fmpq

from symcomp.errors import ArgumentError
from symcomp.quadrature.analytic import LOW, complex_function
from symcomp.quadrature.growth import Envelope, Function, strip_envelope
from symcomp.quadrature.line import mean_square, project

_SERIES = 2500  # longest Hermite series summed


@dataclass(frozen=True)
class Correlation:
    """0 <= ρ <= 1 from its exact square."""

    square: fmpq

    @property
    def rho(self) -> arb:
        """The ball of ρ."""
        return arb(self.square).sqrt()

    @property
    def s(self) -> arb:
        """sqrt(1 - ρ²), without cancellation."""
        return arb(1 - self.square).sqrt()

    @property
    def gap(self) -> arb:
        """1 - ρ, without cancellation."""
        return arb(1 - self.square) / (1 + self.rho)


def rule(f: Function, g: Function, r: Correlation) -> Callable[[int], arb]:
    """The rule for E f(X) g(Y) at correlation ρ: absolute digits -> ball."""
    if r.square == 0:
        return lambda digits: project(f, 1, digits)[0] * project(g, 1, digits)[0]
    if r.square == 1:
        product = _product(f, g)
        return lambda digits: project(product, 1, digits)[0]

    def compute(digits: int) -> arb:
        if f.is_smooth and g.is_smooth:
            strips = strip_envelope(f.pieces[0], digits), strip_envelope(g.pieces[0], digits)
            if strips[0] is not None and strips[1] is not None:
                return _lattice(f.pieces[0], g.pieces[0], strips[0], strips[1], r, digits)
        return _series(f, g, r, digits)

    return compute


def _product(f: Function, g: Function) -> Function:
    breaks = sorted({*f.breaks, *g.breaks})
    pieces = []
    for i in range(len(breaks) + 1):
        left, right = (h.pieces[sum(point in breaks[:i] for point in h.breaks)] for h in (f, g))
        pieces.append(left * right)
    return Function(tuple(breaks), tuple(pieces))


def _series(f: Function, g: Function, r: Correlation, digits: int) -> arb:
    """Σ_{k<n} μ_k ν_k ρ^k, the rest at most the root of the two tail masses times ρ^n (K2)."""
    mass = [mean_square(h, digits) for h in (f, g)]
    need = digits * math.log(10) + float((mass[0] * mass[1] + 1).log()) / 2
    n = math.ceil(need / -float(r.rho.log()))
    if n > _SERIES:
        raise ArgumentError(
            f"c: found |ρ| = {float(r.rho):.6g} for a function with kinks, where {digits} digits"
            f" take {n} Hermite coefficients, expected |ρ| = 1 or at most {_SERIES} coefficients"
        )
    mu, nu = (project(h, n, digits + 2) for h in (f, g))
    total = sum((a * b * r.rho**k for k, (a, b) in enumerate(zip(mu, nu, strict=True))), arb(0))
    tails = [
        (m - sum((a * a for a in row), arb(0))).nonnegative_part().upper()
        for m, row in zip(mass, (mu, nu), strict=True)
    ]
    return total + arb(0, ((tails[0] * tails[1]).sqrt() * r.rho**n).upper())


def _lattice(
    f: sympy.Expr, g: sympy.Expr, a: Envelope, b: Envelope, r: Correlation, digits: int
) -> arb:
    """The cheaper of the two lattices; the error bounds of both are at most 10^-digits."""
    with flint.ctx.workprec(LOW):
        tolerance = arb(10) ** -digits / 8
        sheared = _sheared(a, b, r, tolerance)
        grid = _grid(a, b, r, tolerance) if r.s > arb(1) / 10**5 else None
    if grid is not None and grid.n < sheared.n * sheared.m:
        return _grid_sum(f, g, grid, r) + arb(0, 2 * tolerance)
    return _sheared_sum(f, g, sheared, r) + arb(0, 3 * tolerance)


def _step(error: Callable[[arb], arb], tolerance: arb, first: float) -> arb:
    """The longest step below `first`, to 2 percent, whose error bound is small enough."""
    while not error(arb(first)) < tolerance:
        first *= 0.98
    return arb(first)


def _gaussian_step(tolerance: arb) -> float:
    """No step much longer than this sums even a plain Gaussian."""
    return math.tau / math.sqrt(-2 * float(tolerance.log()))


def _axis_alias(step: arb, width: arb) -> tuple[arb, arb]:
    """Σ_k exp(-k ω a + a²/2) and Σ_k exp(-k ω a/2 + a²/4), k >= 1, ω = 2π/step, a <= width.

    Poisson: the sum misses the Fourier transform at the dual lattice. Shifting the contour by ia
    in a direction of unit variance gives exp(-k ω a + a²/2) at the k-th point of that axis; half
    the sum of two such shifts serves the points off the axes, and the exponents average.
    """
    omega = 2 * arb.pi() / step
    a = width.min(omega)
    whole, half = (-omega * a).exp(), (-omega * a / 2).exp()
    return (a**2 / 2).exp() * whole / (1 - whole), (a**2 / 4).exp() * half / (1 - half)


def _beyond_sum(n: int, linear: bool, rate: arb, square: arb) -> arb:
    """Bound of Σ_{m>n} w(m) exp(rate m - square m²), w(m) = m if `linear`, else 1."""
    m = n + 1
    ratio = (1 + arb(1) / m) * (rate - square * (2 * m + 1)).exp()
    if not ratio < 1:
        return arb.pos_inf()
    return (m if linear else 1) * (rate * m - square * m**2).exp() / (1 - ratio)


def _size(rest: Callable[[int], arb], tolerance: arb) -> int:
    n = 8
    while not rest(n) < tolerance:
        n += 1 + n // 32
    return n


@dataclass(frozen=True)
class _Grid:
    """Points (x, y) = (i h, j h), |i|, |j| <= n."""

    h: arb
    n: int


def _grid(a: Envelope, b: Envelope, r: Correlation, tolerance: arb) -> _Grid:
    scale = (a.mean_square() * b.mean_square()).sqrt()
    first = _gaussian_step(tolerance) * min(1.0, math.sqrt(2 * float(r.gap)))
    h = _step(lambda h: scale * _grid_alias(h, a.width, b.width, r), tolerance, first)
    # p(x, y) <= exp(-max(x², y²)/2) / (2π s), and 8m points have max(|i|, |j|) = m.
    peak = 8 * h**2 * a.scale * b.scale / (2 * arb.pi() * r.s)
    rate, square = (a.rate + b.rate) * h, (arb(0.5) - a.square - b.square) * h**2
    return _Grid(h, _size(lambda n: peak * _beyond_sum(n, True, rate, square), tolerance))


def _grid_alias(h: arb, a: arb, b: arb, r: Correlation) -> arb:
    """What the grid misses, per unit of sup E |f(X + iy) g(Y + iy')|, |y| <= a, |y'| <= b.

    The shift (t, ρ t) costs t²/2 and serves (k, 0); (d, -d) costs d²/(1 - ρ) and serves the
    points (k, -l), which matter when ρ is near 1.
    """
    axis, off = _axis_alias(h, a.min(b / r.rho))
    other_axis, other_off = _axis_alias(h, b.min(a / r.rho))
    omega = 2 * arb.pi() / h
    d = a.min(b).min(omega * r.gap)
    x = (-omega * d).exp()
    return 2 * (axis + other_axis + off * other_off + (d**2 / r.gap).exp() * (x / (1 - x)) ** 2)


def _grid_sum(f: sympy.Expr, g: sympy.Expr, grid: _Grid, r: Correlation) -> arb:
    """h² Σ f(ih) g(jh) p(ih, jh), a convolution: beside i and j the density needs i - j alone.

    p(x, y) = exp(-(x² + y²)/(2(1 + ρ)) - ρ (x - y)²/(2 s²)) / (2π s).
    """
    h, n, spread = grid.h, grid.n, 2 * (1 + r.rho)
    points = [h * i for i in range(-n, n + 1)]
    weights = [(-x * x / spread).exp() for x in points]
    rows = []
    for expr in (f, g) if f != g else (f,):
        values = map(complex_function(expr), points)
        rows.append([value * w for value, w in zip(values, weights, strict=True)])
    lags = arb_poly(rows[0]) * arb_poly(rows[-1][::-1])
    decay = -r.rho * h**2 / (2 * r.s**2)
    total = sum((lags[i] * (decay * (i - 2 * n) ** 2).exp() for i in range(4 * n + 1)), arb(0))
    return total * h**2 / (2 * arb.pi() * r.s)


@dataclass(frozen=True)
class _Sheared:
    """Points (x, y) = (i h, ρ i h + s j k), |i| <= n, |j| <= m."""

    h: arb
    k: arb
    n: int
    m: int


def _sheared(a: Envelope, b: Envelope, r: Correlation, tolerance: arb) -> _Sheared:
    """Steps such that the dual lattice carries less than `tolerance` an axis, sizes likewise."""
    mean = (a.mean_square() * b.mean_square()).sqrt()
    first = _gaussian_step(tolerance)

    def step(width: arb) -> arb:
        return _step(lambda h: 8 * mean * _axis_alias(h, width)[1] ** 2, tolerance, first)

    # |y| <= |x| + s |z| and y² <= x² + z² in |f(x) g(y)| φ(x) φ(z).
    x = _Axis(step(a.width.min(b.width / r.rho)), a.rate + b.rate, arb(0.5) - a.square - b.square)
    z = _Axis(step(b.width / r.s), b.rate * r.s, arb(0.5) - b.square)
    peak = a.scale * b.scale
    n = _size(lambda n: peak * x.beyond(n) * z.whole(), tolerance)
    m = _size(lambda m: peak * z.beyond(m) * x.whole(), tolerance)
    return _Sheared(x.step, z.step, n, m)


@dataclass(frozen=True)
class _Axis:
    """The sum step · Σ exp(rate |t| - square t²) over the multiples t of step."""

    step: arb
    rate: arb
    square: arb

    def whole(self) -> arb:
        """Bound of the whole sum: the integral, and a peak of the summand on either side."""
        peak = (self.rate**2 / (4 * self.square)).exp()
        return 2 * ((arb.pi() / self.square).sqrt() + self.step) * peak

    def beyond(self, n: int) -> arb:
        """Bound of the terms past n on both sides."""
        rate, square = self.rate * self.step, self.square * self.step**2
        return 2 * self.step * _beyond_sum(n, False, rate, square)


def _sheared_sum(f: sympy.Expr, g: sympy.Expr, at: _Sheared, r: Correlation) -> arb:
    """h k Σ_i f(x_i) φ(x_i) Σ_j g(ρ x_i + s z_j) φ(z_j)."""
    left, right = complex_function(f), complex_function(g)
    column = [at.k * j for j in range(-at.m, at.m + 1)]
    inner = [(r.s * z, (-z * z / 2).exp()) for z in column]
    total, rho = arb(0), r.rho
    for i in range(-at.n, at.n + 1):
        x = at.h * i
        y = rho * x
        row = sum((right(y + dy) * w for dy, w in inner), arb(0))
        total += left(x) * (-x * x / 2).exp() * row
    return total * at.h * at.k / (2 * arb.pi())
