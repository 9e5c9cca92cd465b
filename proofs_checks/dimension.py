"""Claims S6 and S8: from dimension d to the mean field, and what it takes from the law of w.

Means over w are integrals, finite sums or Gauss rules (`proofs_checks.laws`), never samples.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy
from hypothesis import strategies as st
from mpmath import mpf
from scipy.special import ndtr
from sympy import Rational

from proofs_checks import laws, oracles
from proofs_checks.checks import agreement, combine, falsify, identities, signs
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.slopes import Remainder, extrapolated, orders
from symcomp import expansions, objectives
from symcomp.antiderivatives import C
from symcomp.catalogue import activation
from symcomp.expansions import Entries
from symcomp.expectations import QU, QV
from symcomp.kernels import DualKernel, dual_kernel
from symcomp.objectives import MU, TAU, D

Row: TypeAlias = tuple[str, sympy.Expr, sympy.Expr]
Correct: TypeAlias = Callable[[DualKernel, Entries], sympy.Expr]

SOURCE = "theory.md section 3, {}; this project's reconstruction"
_SPREAD = sympy.sqrt(TAU**2 - MU**2)  # s √d
_LINEAR = ("relu", "leaky_relu:slope=1/10")
_HOMOGENEOUS = ("relu", "abs", "relu_power", "step")


# ---- S6: the mean target and its limit -----------------------------------------------------------


@dataclass(frozen=True)
class Distance:
    """A bound on |ḡ - g| in τ, |μ| and d for each activation, and its limit in units of s, ReLU."""

    bounds: dict[str, sympy.Expr]
    limit: sympy.Expr


def _distance() -> Distance:
    bounds = {
        name: objectives.mean_distance(dual_kernel(name)).subs(TAU, _SPREAD) for name in _LINEAR
    }
    return Distance(bounds, 1 / (2 * sympy.sqrt(sympy.pi)))


def _bounded_slope(claim: Distance, _: Settings) -> Finding:
    """ḡ(x) = ψ(m, s|x|) and g(x) = ψ(m, s√d), m = <μ,x>, ψ(m, a) = E σ(m + aζ).

    ∂ψ/∂a = (σ(1) + σ(-1)) φ(m/a), at most its value at m = 0: |ḡ - g| <= |∂ψ/∂a| s | |x| - √d |
    pointwise, with equality for every x at m = 0, and E (|x| - √d)² = 2d - 2 √d E|x|.
    """
    rows = [row for name in claim.bounds for row in _slope_rows(claim, name)]
    return combine(identities([*rows, *_limit_rows(claim)]), signs(_norm_signs()))


_X = sympy.Symbol("x", positive=True)  # d as a real number
_H = sympy.Symbol("h", positive=True)  # in [0, 1/4]


def _limit_rows(claim: Distance) -> Iterator[Row]:
    """With e_d = E|x|: e_d² = d - 1/2 + h/d, 0 <= h <= 1/4, so 2d - 2 √d e_d tends to 1/2.

    e_d² lies in [d²/(d+1), d] by Cauchy and e_d e_{d+1} = d; so e_d²/f(d) tends to 1 for
    f = d - 1/2 and f = d - 1/2 + 1/(4d), falling for the first and rising for the second, as
    `_norm_signs` decides from e_{d+2} = e_d (d+1)/d.
    """
    norm = objectives.radial_moment(1)
    yield "e_d e_{d+1}", sympy.gammasimp(norm * norm.subs(D, D + 1)), D
    yield "e_{d+2}/e_d", sympy.gammasimp(norm.subs(D, D + 2) / norm), (D + 1) / D
    gap = 2 * sympy.sqrt(_X) * (Rational(1, 2) - _H / _X)
    gap /= sympy.sqrt(_X) + sympy.sqrt(_X - Rational(1, 2) + _H / _X)
    limit = sympy.limit(gap, _X, sympy.oo)
    yield "the bound's square over s² at d = ∞", limit / (2 * sympy.pi), claim.limit**2


def _norm_signs() -> Iterator[tuple[str, sympy.Expr, str]]:
    def step(f: sympy.Expr) -> sympy.Expr:
        """Of the sign of e_{d+2}²/f(d+2) - e_d²/f(d), with d = x + 1."""
        rise = (_X + 1) ** 2 * f - _X**2 * f.subs(_X, _X + 2)
        return sympy.factor(rise.subs(_X, _X + 1))

    below = _X - Rational(1, 2)
    yield "e_d²/(d - 1/2) falls", step(below), "<0"
    yield "e_d²/(d - 1/2 + 1/(4d)) rises", step(below + 1 / (4 * _X)), ">0"


def _slope_rows(claim: Distance, name: str) -> Iterator[Row]:
    m = sympy.Symbol("m", real=True)
    a, z = sympy.Symbol("a", positive=True), sympy.Symbol("zeta", real=True)
    act = activation(name)
    right, left = (abs(act.expr.subs(act.symbol, x)) for x in (1, -1))
    left *= sympy.sign(act.expr.subs(act.symbol, -1))  # σ(x) = left |x| for x < 0
    density = sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi)
    psi = sympy.integrate(right * (m + a * z) * density, (z, -m / a, sympy.oo))
    psi += sympy.integrate(-left * (m + a * z) * density, (z, -sympy.oo, -m / a))
    top = (right + left) / sympy.sqrt(2 * sympy.pi)
    yield f"{name}: ∂ψ/∂a", sympy.diff(psi, a), top * sympy.exp(-(m**2) / (2 * a**2))
    spread = objectives.radial_moment(2) - 2 * sympy.sqrt(D) * objectives.radial_moment(1) + D
    yield f"{name}: E |x|² = d", objectives.radial_moment(2), D
    square = top**2 * _SPREAD**2 / D * spread
    yield f"{name}: the square of the bound", sympy.expand(claim.bounds[name] ** 2), square


def _distance_at_zero(claim: Distance, settings: Settings) -> Finding:
    """Equality at μ = 0, the means E_w σ(<w,x>) and the norm of ḡ - g both by quadrature."""
    digits = min(settings.digits, 20)

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for d in (1, 3):
            value = claim.bounds["relu"].subs({D: d, TAU: 1, MU: 0})
            yield f"d = {d}", mpf(sympy.N(value, digits + 10)), _distance_by_quadrature(d, digits)

    with mpmath.workdps(digits + 10):
        tends = [2 ** (6 + j) for j in range(10)]
        squares = [
            mpf(sympy.N((claim.bounds["relu"] ** 2 * D).subs({D: d, TAU: 1, MU: 0}), 40))
            for d in tends
        ]
        limit = mpf(sympy.N(claim.limit, 40)) ** 2
        at_infinity = agreement([("d → ∞", extrapolated(squares), limit)], 15)
        return combine(agreement(rows(), digits), at_infinity)


@cache
def _distance_by_quadrature(d: int, digits: int) -> mpf:
    s = 1 / mpmath.sqrt(d)
    g = oracles.expectation1(oracles.relu, 1, digits=digits)

    def square(r: mpf) -> mpf:
        mean = oracles.expectation1(oracles.relu, (s * r) ** 2, digits=digits)
        return (mean - g) ** 2 * r ** (d - 1) * mpmath.exp(-r * r / 2)

    mass = mpf(2) ** (mpf(d) / 2 - 1) * mpmath.gamma(mpf(d) / 2)
    ends = [mpf(0), mpf(3), mpf(7), mpf(12)]
    return mpmath.sqrt(mpmath.quad(square, ends, method="gauss-legendre", maxdegree=5) / mass)


def _distance_search(claim: Distance, settings: Settings) -> Finding:
    """Any β and d: |ḡ - g| by a Gauss rule in polar coordinates, τ = 1."""
    bound = sympy.lambdify((MU, D), claim.bounds["relu"].subs(TAU, 1), "scipy")

    def margin(beta: float, d: int) -> float:
        return float(bound(beta, d)) / _relu_distance(beta, d) - 1

    edges = st.sampled_from((0.0, 1e-6, 0.5, 0.9, 0.999))
    dimensions = st.integers(2, 9) | st.sampled_from((20, 50, 100))
    strategies = {"beta": edges | st.floats(0, 0.999), "d": dimensions}
    return falsify(margin, strategies, settings, slack=1e-9)


def _relu_distance(beta: float, d: int) -> float:
    """|ḡ - g|, ReLU, τ = 1, d >= 2."""
    spread = np.sqrt((1 - beta) * (1 + beta))

    def gap(first: laws.Array, norm: laws.Array) -> laws.Array:
        mean, limit = _psi(beta * first, spread / d**0.5 * norm), _psi(beta * first, spread)
        return (mean - limit) ** 2

    return float(np.sqrt(_input_mean(gap, d)))


def mean_target_square(beta: float, d: int) -> float:
    """|ḡ|², ReLU, τ = 1, d >= 2, Gaussian w with |μ| = β: an integral over the input x."""
    s = np.sqrt((1 - beta) * (1 + beta) / d)
    return _input_mean(lambda first, norm: _psi(beta * first, s * norm) ** 2, d)


def _input_mean(f: Callable[[laws.Array, laws.Array], laws.Array], d: int) -> float:
    """E f(x_1, |x|) over |x| and the angle of x with the first axis."""
    r, wr = _legendre(max(0.0, d**0.5 - 9), d**0.5 + 9)
    width = min(np.pi / 2, 9 / d**0.5)
    angle, wa = _legendre(np.pi / 2 - width, np.pi / 2 + width)
    log_r = (d - 1) * np.log(r) - r**2 / 2
    radial, angular = np.exp(log_r - log_r.max()) * wr, np.sin(angle) ** (d - 2) * wa
    values = f(r[:, None] * np.cos(angle), r[:, None] + 0 * angle)
    return float(radial @ values @ angular / (radial.sum() * angular.sum()))


def _psi(m: laws.Array, a: laws.Array | float) -> laws.Array:
    """E relu(m + aζ)."""
    z = m / a
    value: laws.Array = m * ndtr(z) + a * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return value


def _legendre(low: float, high: float) -> tuple[laws.Array, laws.Array]:
    x, w = np.polynomial.legendre.leggauss(160)
    return low + (x + 1) * (high - low) / 2, w * (high - low) / 2


def _scaled_bounds(factor: sympy.Expr) -> Callable[[Distance], Distance]:
    return lambda c: replace(c, bounds={name: b * factor for name, b in c.bounds.items()})


S6 = Claim(
    id="S6",
    title="The mean target at dimension d is close to its limit (ReLU, leaky ReLU)",
    statement=(
        r"w=\mu+sG:\ |\bar g-g|\le\frac{|\sigma(1)+\sigma(-1)|\,s}{\sqrt{2\pi}}"
        r"\sqrt{2d-2\sqrt d\,\mathbb{E}|x|},\text{ with equality at }\mu=0;\ "
        r"\text{for ReLU this is}\sim\frac s{2\sqrt\pi};\quad "
        r"\bigl|\sqrt{F_d}-\sqrt F\bigr|\le|\bar g-g|\text{ for all }\theta,b,M"
    ),
    source=SOURCE.format("S6"),
    subject=_distance,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: ∂/∂a E σ(m + aζ), the norm of |x| - √d, and its limit",
            _bounded_slope,
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: E_w and the norm by quadrature at μ = 0; the limit by extrapolation",
            _distance_at_zero,
            covers="ReLU, μ = 0, d = 1, 3, and d → ∞",
        ),
        Evidence(
            Kind.PROPERTY,
            "Hypothesis: β in [0, 1), d from 2 to 100, |ḡ - g| by Gauss rules",
            _distance_search,
            covers="the bound, ReLU",
        ),
    ),
    mutants=(
        Mutant("nine tenths of the bound", _scaled_bounds(Rational(9, 10))),
        Mutant("the limit s/(2π)", lambda c: replace(c, limit=1 / (2 * sympy.pi))),
    ),
    depends_on=("S3",),
)


# ---- S6e: exact constants at zero mean -----------------------------------------------------------


@dataclass(frozen=True)
class Constants:
    """c_0(d) = E K(w, u) for w ~ N(0, (τ²/d) I_d), by activation."""

    values: dict[str, sympy.Expr]


def _constants() -> Constants:
    names = (*_HOMOGENEOUS, "abs_power", "leaky_relu:slope=1/10")
    return Constants({n: objectives.mean_field_constant(dual_kernel(n)) for n in names})


def _two_means(claim: Constants, _: Settings) -> Finding:
    """With e = E σ(ζ), R_p = E|x|^p: E_w σ(<w,x>) = e s^k |x|^k, as <w,x> ~ N(0, s²|x|²), and
    E |x|^k σ(<u,x>) = R_2k E σ(<u,ω>) with E σ(<u,ω>) = e/R_k, |x| and ω = x/|x| independent.
    """
    r = sympy.Symbol("r", positive=True)
    rows: list[Row] = []
    for name, value in claim.values.items():
        ker = dual_kernel(name)
        k = objectives.homogeneity(ker)
        weight = sympy.exp(-(r**2) / 2) * r ** (D - 1)
        mass, first, second = (
            sympy.integrate(weight * r**p, (r, 0, sympy.oo)) for p in (0, k, 2 * k)
        )
        mean2 = objectives.kappa(ker, sympy.S.Zero)
        s = TAU / sympy.sqrt(D)
        ratio = sympy.gammasimp(value / (s**k * mean2 * second / first))
        rows.append((f"{name}: c_0 = s^k e² R_2k/R_k", ratio, sympy.S.One))
        if name == "relu":
            stated = s * D * sympy.gamma(D / 2) / sympy.gamma((D + 1) / 2)
            stated /= 2 * sympy.sqrt(2) * sympy.pi
            rows.append(("relu: as theory.md has it", sympy.gammasimp(value / stated), sympy.S.One))
        rows.append((f"{name}: E|x|^k", sympy.gammasimp(first / mass), objectives.radial_moment(k)))
    return identities(rows)


def _over_directions(claim: Constants, settings: Settings) -> Finding:
    """E|w|^k ∫ κ(cos φ) sin(φ)^(d-2) dφ / ∫ sin(φ)^(d-2) dφ, |w| by its density."""
    digits = min(settings.digits, 20)
    with mpmath.workdps(digits + 10):
        return agreement(
            (
                (
                    f"{name}, d = {d}",
                    mpf(sympy.N(value.subs({D: d, TAU: 1}), digits + 10)),
                    _direction_mean(name, d, digits),
                )
                for name, value in claim.values.items()
                for d in (2, 10)
            ),
            digits,
        )


@cache
def _direction_mean(name: str, d: int, digits: int) -> mpf:
    ker = dual_kernel(name)
    kappa = sympy.lambdify(ker.rho, ker.correlation, "mpmath")
    with mpmath.workdps(digits + 10):
        angles = [0, mpmath.pi / 2, mpmath.pi]

        def along(t: mpf) -> mpf:
            return mpmath.re(kappa(mpmath.cos(t))) * mpmath.sin(t) ** (d - 2)

        top = mpmath.quad(along, angles)
        bottom = mpmath.quad(lambda t: mpmath.sin(t) ** (d - 2), angles)
        radial, mass = (
            mpmath.quad(lambda r, p=p: r ** (d - 1 + p) * mpmath.exp(-r * r / 2), [0, 2, 6, 12, 24])
            for p in (ker.degree, 0)
        )
        return top / bottom * radial / mass / mpf(d) ** (mpf(ker.degree) / 2)


S6E = Claim(
    id="S6e",
    title="The cross term at zero mean, exactly at every d",
    statement=(
        r"\mu=0,\ \sigma(tx)=t^k\sigma(x),\ |u|=1,\ w=sG:\ \mathbb{E}K(w,u)="
        r"s^k(\mathbb{E}\sigma(\zeta))^2\frac{\mathbb{E}|x|^{2k}}{\mathbb{E}|x|^k}"
        r"\text{ for every }u,\ x\sim N(0,I_d);\ \text{ReLU: }"
        r"\frac{s\,d\,\Gamma(d/2)}{2\sqrt2\,\pi\,\Gamma((d+1)/2)}"
    ),
    source=SOURCE.format("S6"),
    subject=_constants,
    evidence=(
        Evidence(Kind.PROOF, "SymPy: radial integrals, symbolic d", _two_means),
        Evidence(
            Kind.PRECISION,
            "mpmath: mean of |w|^k times mean of κ over the sphere",
            _over_directions,
            covers="d = 2, 10",
        ),
    ),
    mutants=(
        Mutant(
            "Γ((d+2)/2) in place of Γ((d+1)/2)",
            lambda c: Constants(
                {
                    n: v * sympy.gamma((D + 1) / 2) / sympy.gamma((D + 2) / 2)
                    for n, v in c.values.items()
                }
            ),
        ),
        Mutant(
            "d - 1 in place of d",
            lambda c: Constants({n: v * (D - 1) / D for n, v in c.values.items()}),
        ),
    ),
    depends_on=("K1",),
)


# ---- S6b: the coefficient of 1/d -----------------------------------------------------------------


@dataclass(frozen=True)
class Correction:
    """The coefficients of 1/d of E K(w,θ) and E K(w,w'), from a kernel and the law of z."""

    cross: Correct = expansions.cross_correction
    target: Correct = expansions.target_correction

    def value(self, ker: DualKernel, entries: Entries, beta: Any, t: Any) -> sympy.Expr:
        """B at τ = 1, |u| = 1, |μ| = β, <μ,u> = βt."""
        at = {TAU: 1, MU: beta, QV: 1, C: sympy.S(beta) * t}
        return _applied(self.cross, ker, entries).subs(at, simultaneous=True)


@cache
def _applied(correct: Correct, ker: DualKernel, entries: Entries) -> sympy.Expr:
    return correct(ker, entries)


def _second_moments(claim: Correction, _: Settings) -> Finding:
    """A kernel that is any quadratic in (|w|², <w,·>) has no remainder: its mean is exact.

    Means of polynomials in z are taken entry by entry: E z = 0, E z² = 1, E z³ and E z⁴ symbols.
    """
    return identities(row for d in (1, 2) for row in _quadratic_rows(claim, d))


def _quadratic_rows(claim: Correction, d: int) -> Iterator[Row]:
    a = sympy.symbols("a:6", real=True)
    third, fourth = sympy.symbols("m_3 m_4", real=True)
    z, z2, mu, theta = (sympy.symbols(f"{name}:{d}", real=True) for name in ("z", "y", "mu", "th"))
    s = sympy.Symbol("s", positive=True)
    quadratic = a[0] * QU**2 + a[1] * QU * C + a[2] * C**2 + a[3] * QU + a[4] * C
    own = a[0] * (QU**2 + QV**2) + a[1] * (QU + QV) * C + a[2] * C**2 + a[5] * QU * QV
    root = sympy.sqrt(d)
    moments = (1, 0, 1, third, fourth)
    entries = Entries(fourth - 3, third * sum(mu) / root, third * sum(theta) / root)
    w, w2 = ([m + s * x for m, x in zip(mu, side, strict=True)] for side in (z, z2))
    mean2 = sum(m**2 for m in mu)
    ends = {TAU: sympy.sqrt(mean2 + s**2 * d), MU: sympy.sqrt(mean2)}
    pairs = ((w, w), (w, theta), (w2, w2), (w, w2))
    dots = [sum(x * y for x, y in zip(u, v, strict=True)) for u, v in pairs]

    base = replace(dual_kernel("relu"), expr=quadratic)
    drawn = quadratic.subs({QU: dots[0], C: dots[1]}, simultaneous=True)
    limit = {QU: mean2 + s**2 * d, C: sum(m * x for m, x in zip(mu, theta, strict=True))}
    expected = quadratic.subs(limit, simultaneous=True)
    at = {QV: sum(x**2 for x in theta), C: limit[C]}
    corrected = claim.cross(base, entries).subs(at, simultaneous=True).subs(ends)
    gap = _mean(drawn, z, moments) - expected
    yield f"E K(w, θ), d = {d}", gap, sympy.expand(sympy.simplify(corrected / d))

    base = replace(base, expr=own)
    drawn = own.subs({QU: dots[0], QV: dots[2], C: dots[3]}, simultaneous=True)
    limit = {QU: mean2 + s**2 * d, QV: mean2 + s**2 * d, C: mean2}
    expected = own.subs(limit, simultaneous=True)
    corrected = claim.target(base, entries).subs(ends)
    gap = _mean(drawn, (*z, *z2), moments) - expected
    yield f"E K(w, w'), d = {d}", gap, sympy.expand(sympy.simplify(corrected / d))


@cache
def _mean(expr: sympy.Expr, z: tuple[sympy.Symbol, ...], moments: tuple[Any, ...]) -> sympy.Expr:
    """The mean of a polynomial in independent z from the moments of each, to degree 4."""
    terms = sympy.Poly(expr, *z).terms()
    return sympy.expand(sum(c * sympy.prod([moments[n] for n in powers]) for powers, c in terms))


_SIZES = tuple(2**n for n in range(6, 11))
# (β, <v,u>) with u along the mean: two variables are left
_ALONG = ((Rational(0), 1), (Rational(3, 10), 1), (Rational(4, 5), -1))


def _gaussian_limit(claim: Correction, _: Settings) -> Finding:
    """lim d (E K(w,u) - κ(±β)) and lim d (|ḡ|² - κ(β²)), τ = 1, from integrals at d = 64..1024.

    Both are integrals over one Gaussian and one χ² variable, in 30 digits. |ḡ|² is the mean of
    ψ(β x_1, s|x|)² over x, ReLU; no kernel enters there.
    """
    with mpmath.workdps(30):
        rows = [
            (
                f"{name}, β = {beta}, <v,u> = {t}",
                mpf(sympy.N(claim.value(dual_kernel(name), expansions.GAUSSIAN, beta, t), 30)),
                _cross_limit(name, beta, t),
            )
            for name in ("relu", "relu_power")
            for beta, t in _ALONG
        ]
        target = claim.target(dual_kernel("relu"), expansions.GAUSSIAN)
        for beta in (Rational(3, 10), Rational(4, 5)):
            got = mpf(sympy.N(target.subs({TAU: 1, MU: beta}), 30))
            rows.append((f"relu, |ḡ|², β = {beta}", got, _target_limit(beta)))
        return agreement(rows, 8)


@cache
def _cross_limit(name: str, beta: sympy.Rational, t: int) -> mpf:
    ker = dual_kernel(name)
    kappa = sympy.lambdify(ker.rho, ker.correlation, "mpmath")
    mean = mpf(beta.p) / beta.q * t

    def value(s: mpf, x: mpf, rest: mpf) -> mpf:
        along = mean + s * x
        length = mpmath.sqrt(along**2 + s**2 * rest)
        return length**ker.degree * kappa(along / length)

    return _limit(value, kappa(mean), mean, _hermite())


@cache
def _target_limit(beta: sympy.Rational) -> mpf:
    ker = dual_kernel("relu")
    kappa = sympy.lambdify(ker.rho, ker.correlation, "mpmath")
    mean = mpf(beta.p) / beta.q

    def square(s: mpf, x: mpf, rest: mpf) -> mpf:
        m, a = mean * x, s * mpmath.sqrt(x**2 + rest)
        return (m * mpmath.ncdf(m / a) + a * mpmath.npdf(m / a)) ** 2

    return _limit(square, kappa(mean**2), mean, _trapezoid())


def _limit(
    value: Callable[[mpf, mpf, mpf], mpf],
    at_infinity: mpf,
    beta: mpf,
    gaussian: tuple[list[mpf], list[mpf]],
) -> mpf:
    """lim d (E value(s, x, χ²_{d-1}) - at_infinity), s² = (1-β²)/d."""
    x, p = gaussian
    scaled = []
    for d in _SIZES:
        shape = mpf(d - 1) / 2 - 1  # χ² is twice a Gamma variable
        rest, q = _golub_welsch(
            [2 * n + 1 + shape for n in range(_NODES)],
            [n * (n + shape) for n in range(1, _NODES)],
        )
        s = mpmath.sqrt((1 - beta**2) / d)
        mean = mpmath.fsum(
            pi * qj * value(s, xi, 2 * rj)
            for xi, pi in zip(x, p, strict=True)
            for rj, qj in zip(rest, q, strict=True)
        )
        scaled.append(d * (mean - at_infinity))
    return extrapolated(scaled)


_NODES = 8


def _hermite() -> tuple[list[mpf], list[mpf]]:
    """For functions of s x: they vary little where the Gaussian lives."""
    return _golub_welsch([mpf(0)] * _NODES, [mpf(n) for n in range(1, _NODES)])


def _trapezoid() -> tuple[list[mpf], list[mpf]]:
    """For functions of x itself, entire ones: the error falls like exp(-const/h²)."""
    h = mpf(3) / 10
    x = [k * h for k in range(-33, 34)]
    return x, [h * mpmath.npdf(t) for t in x]


def _golub_welsch(diagonal: list[mpf], squares: list[mpf]) -> tuple[list[mpf], list[mpf]]:
    """Nodes and weights, of sum 1, of the rule with this three-term recurrence."""
    n = len(diagonal)
    jacobi = mpmath.diag(diagonal)
    for i, square in enumerate(squares):
        jacobi[i, i + 1] = jacobi[i + 1, i] = mpmath.sqrt(square)
    nodes, vectors = mpmath.eigsy(jacobi)
    return list(nodes), [vectors[0, i] ** 2 for i in range(n)]


# (β, <v,u>) in general position, with u orthogonal to the mean and along it among them
POSITIONS = tuple(
    (Rational(b), Rational(t))
    for b, t in (("0", "0"), ("2/5", "3/5"), ("4/5", "-1/2"), ("3/5", "1"), ("3/10", "0"))
)
_DOUBLED = (256, 512)


def _gaussian_order(claim: Correction, _: Settings) -> Finding:
    """E K(w,u) - κ(βs) - B/d falls like d^-2 at every position; a wrong B leaves d^-1."""
    return orders(
        _remainder(claim, name, laws.LAWS["gaussian"], beta, t)
        for name in ("relu", "relu_power", "step")
        for beta, t in POSITIONS
    )


def _remainder(
    claim: Correction, name: str, law: laws.Law, beta: sympy.Rational, t: sympy.Rational
) -> Remainder:
    """With μ and u in the plane of two axes: third moments meet them at order d^-3/2 only."""
    ker = dual_kernel(name)
    value = float(claim.value(ker, Entries(fourth=law.fourth), beta, t))
    limit = float(objectives.kappa(ker, beta * t))
    values = [
        laws.plane_rule(law.name, d, float(beta), float(t)).mean(_numbers(name)) - limit - value / d
        for d in _DOUBLED
    ]
    return Remainder(f"{name}, {law.name}, β = {beta}, s = {t}", _DOUBLED, values, 2)


@cache
def _numbers(name: str) -> laws.Kernel:
    return laws.kernel_of(dual_kernel(name))


def _without_covariance(ker: DualKernel, law: Entries) -> sympy.Expr:
    full = expansions.cross_correction(ker, law)
    K = objectives.kernel_at(ker, QU, QV, C)
    term = sympy.diff(K, QU, C) * 2 * (TAU**2 - MU**2) * C
    return full - term.subs(QU, TAU**2)


def _twice(correct: Correct) -> Correct:
    return lambda ker, law: 2 * correct(ker, law)


S6B = Claim(
    id="S6b",
    title="The first correction in 1/d",
    statement=(
        r"\mathbb{E}K(w,u)=\tau^k\Bigl(\kappa(\beta s)+\frac{B(\beta,s)}d\Bigr)+O(d^{-2}),\ "
        r"s=\langle v,u\rangle,\ \beta|s|<1;\ \text{ReLU: }"
        r"B=\frac{(1-\beta^2)^2(1-2\beta^2s^2)}{8\pi\sqrt{1-\beta^2s^2}};\quad "
        r"F_d=F+\frac{F_1}d+O(d^{-2}),\ \text{Gaussian }w"
    ),
    source=SOURCE.format("S6"),
    subject=Correction,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: second moments of |w|², <w,θ>, <w,w'> with symbolic μ, θ, E z³, E z⁴",
            _second_moments,
            covers="the terms of second order, d = 1, 2",
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: two-dimensional integrals at d = 64..1024, extrapolated",
            _gaussian_limit,
            covers="ReLU and its square, u along the mean; |ḡ|² for ReLU",
        ),
        Evidence(
            Kind.PRECISION,
            "Gauss rules: the remainder after 1/d falls like d^-2",
            _gaussian_order,
            covers="5 positions of u, 3 activations",
        ),
    ),
    mutants=(
        Mutant("twice B", lambda c: replace(c, cross=_twice(c.cross))),
        Mutant(
            "|w|² and <w,u> taken for uncorrelated",
            lambda c: replace(c, cross=_without_covariance),
        ),
        Mutant("no correction of |ḡ|²", lambda c: replace(c, target=lambda *_: sympy.S.Zero)),
    ),
    depends_on=("K1", "S1"),
)


# ---- S8: other laws ------------------------------------------------------------------------------

SKEWED = laws.TwoValued(Rational(1, 10))


def _laws_order(claim: Correction, _: Settings) -> Finding:
    """The remainder after B/d falls like d^-2, every law of `symcomp.networks`, ReLU and x_+²."""
    return orders(
        _remainder(claim, name, law, beta, t)
        for name in ("relu", "relu_power")
        for law in laws.LAWS.values()
        for beta, t in POSITIONS
    )


def _skewed_order(claim: Correction, _: Settings) -> Finding:
    """Two values, 3 and -1/3, with μ and u off the axes: only with E z³ is the remainder d^-2."""
    places = (POSITIONS[1], POSITIONS[2], (Rational(0), Rational(3, 5)))
    return orders(_skewed_remainder(claim, n, p) for n in ("relu", "relu_power") for p in places)


def _skewed_remainder(
    claim: Correction, name: str, position: tuple[sympy.Rational, sympy.Rational]
) -> Remainder:
    beta, t = position
    ker, law, sizes = dual_kernel(name), SKEWED.law(), (512, 1024)
    entries = Entries(law.fourth, skew_mu=law.third * beta, skew_theta=law.third * t)
    value = float(claim.value(ker, entries, beta, t))
    limit = float(objectives.kappa(ker, beta * t))
    values = [
        laws.two_valued_rule(SKEWED, d, float(beta), float(t)).mean(_numbers(name))
        - limit
        - value / d
        for d in sizes
    ]
    return Remainder(f"{name}, two-valued, β = {beta}, s = {t}", sizes, values, 2)


def _seeing(see: Callable[[Entries], Entries]) -> Callable[[Correction], Correction]:
    """The same coefficients of a law of which less, or something else, is seen."""
    return lambda claim: Correction(
        lambda ker, law: claim.cross(ker, see(law)), lambda ker, law: claim.target(ker, see(law))
    )


S8 = Claim(
    id="S8",
    title="Universality: what the 1/d coefficient takes from the law of the entries",
    statement=(
        r"w=\mu+sz,\ z\text{ with i.i.d. entries}:\ \text{the limit }F\text{ is the same, and }"
        r"F_1\text{ depends on the law through }\mathbb{E}z^4\text{ and through }"
        r"\mathbb{E}z^3\tfrac{\langle1,\mu\rangle}{\sqrt d},\ "
        r"\mathbb{E}z^3\tfrac{\langle1,\theta\rangle}{\sqrt d};\ \text{through }\mathbb{E}z^4"
        r"\text{ alone where the third moment vanishes (not in general);}\ "
        r"\text{ReLU at }\mu=0:\ B=\tfrac1{8\pi}-\tfrac{\mathbb{E}z^4-3}{16\pi}"
    ),
    source=SOURCE.format("S8, corrected: its 'only through the fourth moment' is false"),
    subject=Correction,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: second moments of |w|², <w,θ>, <w,w'> with symbolic μ, θ, E z³, E z⁴",
            _second_moments,
            covers="the terms of second order, d = 1, 2",
        ),
        Evidence(
            Kind.PRECISION,
            "Gauss rules: remainders fall like d^-2",
            _laws_order,
            covers="Gaussian, Rademacher, uniform, Bernoulli-Gaussian entries; 5 positions",
        ),
        Evidence(
            Kind.PRECISION,
            "finite sums over a skewed law, off the axes: remainders fall like d^-2",
            _skewed_order,
            covers="values 3 and -1/3; 3 positions",
        ),
    ),
    mutants=(
        Mutant(
            "only through the fourth moment (theory.md as written)",
            _seeing(lambda law: Entries(fourth=law.fourth)),
        ),
        Mutant(
            "the same coefficient for every law",
            _seeing(lambda law: replace(law, fourth=sympy.S.Zero)),
        ),
        Mutant(
            "E z⁴ in place of E z⁴ - 3",
            _seeing(lambda law: replace(law, fourth=law.fourth + 3)),
        ),
    ),
    depends_on=("S6b",),
)

CLAIMS: tuple[Claim[Any], ...] = (S6, S6E, S6B, S8)
