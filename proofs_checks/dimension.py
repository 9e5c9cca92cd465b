"""Claims S6 and S6e: the mean target at dimension d beside its limit, and exact constants.

Means over w are integrals, never samples.
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
from proofs_checks.slopes import extrapolated
from symcomp import objectives
from symcomp.catalogue import activation
from symcomp.kernels import dual_kernel
from symcomp.objectives import MU, TAU, D

Row: TypeAlias = tuple[str, sympy.Expr, sympy.Expr]

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

CLAIMS: tuple[Claim[Any], ...] = (S6, S6E)
