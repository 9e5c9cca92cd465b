"""Claims S6b and S8: the coefficient of 1/d, and what it takes from the law of w.

Means over w are integrals, finite sums or Gauss rules (`proofs_checks.laws`), never samples.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

import mpmath
import sympy
from mpmath import mpf
from sympy import Rational

from proofs_checks import laws
from proofs_checks.checks import agreement, identities
from proofs_checks.dimension import SOURCE, Row
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.slopes import Remainder, extrapolated, orders
from symcomp import expansions, objectives
from symcomp.antiderivatives import C
from symcomp.expansions import Entries
from symcomp.expectations import QU, QV
from symcomp.kernels import DualKernel, dual_kernel
from symcomp.objectives import MU, TAU

Correct: TypeAlias = Callable[[DualKernel, Entries], sympy.Expr]


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

CLAIMS: tuple[Claim[Any], ...] = (S6B, S8)
