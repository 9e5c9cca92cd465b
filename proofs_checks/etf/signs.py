"""Claims B2, B2k and E5: outer weights of any sign at β = 0."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np
import sympy
from hypothesis import assume
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Expr, IndexedBase, Rational, pi

from proofs_checks.attack import descend
from proofs_checks.checks import combine, falsify, identities, signs
from proofs_checks.etf.inertia import ORDER, Array, M, Row, Sign, kernel_of
from proofs_checks.etf.tangents import SOURCE, true_height
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.strategies import gram_matrices
from symcomp import objectives
from symcomp.kernels import RHO, DualKernel, dual_kernel

# ---- B2 ------------------------------------------------------------------------------------------


def coefficient(kernel: DualKernel, k: Expr = ORDER) -> Expr:
    """r_{2k+2} = binom(2k, k)/(2π 4^k (2k + 1)(2k + 2)); ``series_rows`` ties it to the kernel."""
    middle = sympy.gamma(2 * k + 1) / sympy.gamma(k + 1) ** 2 / 4**k
    lead = sympy.diff(kernel.correlation, RHO, 2).subs(RHO, 0)
    return lead * middle / ((2 * k + 1) * (2 * k + 2))


def series_rows(kernel: DualKernel) -> Iterator[Row]:
    """h = a + r/4 + Σ r_2k r^2k: h'' is an inverse square root, whose series has a recurrence."""
    h = kernel.correlation
    second = sympy.simplify(sympy.diff(h, RHO, 2))
    c = 4**-ORDER * sympy.gamma(2 * ORDER + 1) / sympy.gamma(ORDER + 1) ** 2
    yield "a = h(0)", h.subs(RHO, 0), 1 / (2 * pi)
    yield "h'(0) = 1/4", sympy.diff(h, RHO).subs(RHO, 0), Rational(1, 4)
    yield "h''² (1 - r²) = h''(0)²", second**2 * (1 - RHO**2), second.subs(RHO, 0) ** 2
    yield (
        "f = (1 - y)^(-1/2) has 2(1 - y)f' = f",
        sympy.diff((1 - RHO) ** Rational(-1, 2), RHO) * 2 * (1 - RHO),
        (1 - RHO) ** Rational(-1, 2),
    )
    yield (
        "so its coefficients have 2(k + 1)c_{k+1} = (2k + 1)c_k, c_0 = 1",
        sympy.gammasimp(2 * (ORDER + 1) * c.subs(ORDER, ORDER + 1) / c),
        2 * ORDER + 1,
    )
    taylor = sympy.series(h, RHO, 0, 9).removeO()
    for k in range(4):
        yield (
            f"r_{2 * k + 2}",
            taylor.coeff(RHO, 2 * k + 2),
            sympy.simplify(coefficient(kernel, sympy.Integer(k))),
        )
    yield "A = Σ r_2k = h(1) - a - 1/4", h.subs(RHO, 1) - h.subs(RHO, 0) - Rational(1, 4), top()


def top() -> Expr:
    """A = 1/4 - 1/(2π)."""
    return Rational(1, 4) - 1 / (2 * pi)


@dataclass(frozen=True)
class Simplex:
    """c'h(P)c >= energy (Σc)², any signs; ``few`` bounds it from below if some c_i <= 0."""

    kernel: DualKernel
    energy: Expr
    few: Expr


def simplex() -> Simplex:
    """E_M from symcomp, and a + A/(M - 1)."""
    kernel = dual_kernel("relu")
    energy = objectives.simplex_optimum(kernel).energy
    return Simplex(kernel, energy, 1 / (2 * pi) + top() / (M - 1))


def _simplex_proof(claim: Simplex, _: Settings) -> Finding:
    """All c_i > 0: E1, as h increases, with equality only for equal weights, equal ρ_ij, Σu = 0.

    Some c_i <= 0: n <= M - 1. B1 with Q = P^∘k, positive semidefinite by Schur and with diagonal 1,
    gives c'P^∘2k c >= 1/n >= 1/(M - 1), and c'Pc >= 0; the series converges at |r| = 1, its
    coefficients being positive with the finite sum A. So c'h(P)c >= a + A/(M - 1) >= E_M, order by
    order; strictly for M >= 3, at the order 4. For M = 2 the two are equal, and it is the linear
    term that is strict: n = 1, and |Σ c u| >= c_1 - Σ|c_j| = 1 instead of 0.
    """
    return combine(identities(_simplex_rows(claim)), signs(_simplex_signs(claim)))


def _simplex_rows(claim: Simplex) -> Iterator[Row]:
    yield from series_rows(claim.kernel)
    rho, h = -1 / (M - 1), claim.kernel.correlation
    yield (
        "E_M = h(1)/M + (1 - 1/M) h(-1/(M - 1))",
        claim.energy,
        h.subs(RHO, 1) / M + (1 - 1 / M) * objectives.kappa(claim.kernel, rho),
    )
    yield "its constant order", 1 / M + (1 - 1 / M), sympy.S.One
    yield "its linear order", 1 / M + (1 - 1 / M) * rho, sympy.S.Zero
    x = sympy.Symbol("x", positive=True)  # (M - 1)^(2 - 2k)
    own = 1 / M + (1 - 1 / M) * x / (M - 1) ** 2
    yield (
        "order 2k of a + A/(M - 1) minus that of E_M, x = (M - 1)^(2-2k)",
        (claim.few - 1 / (2 * pi)) / top() - own,
        (1 - x) / (M * (M - 1)),
    )
    yield (
        "M = 2: the linear order adds h'(0)",
        claim.few.subs(M, 2) + Rational(1, 4),
        h.subs(RHO, 1),
    )


def _simplex_signs(claim: Simplex) -> Iterator[Sign]:
    more = sympy.Symbol("m", nonnegative=True)
    yield "r_2k", coefficient(claim.kernel), ">0"
    yield "-ln x, M = m + 2: (2k - 2) ln(m + 1) with k >= 1", ORDER * sympy.log(1 + more), ">=0"
    half = claim.kernel.correlation.subs(RHO, 1) - claim.energy.subs(M, 2)
    yield "1/2 - E_2", sympy.simplify(half), ">0"


def _simplex_search(claim: Simplex, settings: Settings) -> Finding:
    energy = sympy.lambdify(M, claim.energy, "math")
    few = sympy.lambdify(M, claim.few, "math")

    def margin(gram: Array, weights: list[int]) -> float:
        m = len(gram)
        assume(m > 1)
        c = np.resize(np.array(weights, dtype=np.float64), m)
        assume(c.sum() > 0)
        value = float(c @ kernel_of(gram) @ c) / c.sum() ** 2
        floor = energy(m) if (c > 0).all() else max(energy(m), few(m))
        return float(value - floor)

    strategies = {
        "gram": gram_matrices(),
        "weights": st.lists(st.integers(-3, 5), min_size=1, max_size=12),
    }
    return falsify(margin, strategies, settings, slack=1e-11)


def _simplex_descent(claim: Simplex, settings: Settings) -> Finding:
    """Three neurons of the plane, weights of any sign."""
    with mpmath.workdps(settings.digits):
        least = mpf(sympy.N(claim.energy.subs(M, 3), settings.digits + 5))

    def margin(first: mpf, second: mpf, one: mpf, other: mpf) -> mpf:
        c, angles = (one, other, 1 - one - other), (mpf(0), first, second)
        pairs = ((c[i] * c[j], angles[i] - angles[j]) for i in range(3) for j in range(3))
        value = mpmath.fsum(w * true_height(mpmath.cos(a)) for w, a in pairs) / (2 * mpmath.pi)
        return value - least

    third = 2 * mpmath.pi / 3
    sides = {"first": (0, 3 * third), "second": (0, 3 * third), "one": (-1, 2), "other": (-1, 2)}
    starts = [(1 / 3, 2 / 3, 4 / 9, 4 / 9), (0.2, 0.5, 0.9, 0.1)]
    return descend(margin, sides, settings, starts)


B2 = Claim(
    id="B2",
    title="Energy inequality for weights of any sign",
    statement=(
        r"P\text{ a correlation matrix of order }M\ge2,\ c\in\mathbb{R}^M,\ \textstyle\sum c=1:"
        r"\quad c^\top h(P)c\ge E_M,\text{ equality only for }c_i=\tfrac1M,\ P_{ij}=-\tfrac1{M-1};"
        r"\ \text{and }c^\top h(P)c\ge\tfrac1{2\pi}+\tfrac{A}{M-1}\text{ if some }c_i\le0,\ "
        r"A=\tfrac14-\tfrac1{2\pi}"
    ),
    source=SOURCE,
    subject=simplex,
    evidence=(
        Evidence(Kind.PROOF, "E1, or B1 order by order, every M", _simplex_proof),
        Evidence(Kind.PROPERTY, "search over correlation matrices and signs", _simplex_search),
        Evidence(
            Kind.PROPERTY,
            "descent around the simplex, 50 digits",
            _simplex_descent,
            covers="three neurons of the plane",
        ),
    ),
    mutants=(
        Mutant("E_M + 1/1000", lambda c: replace(c, energy=c.energy + Rational(1, 1000))),
        Mutant("a + 2A/(M - 1)", lambda c: replace(c, few=1 / (2 * pi) + 2 * top() / (M - 1))),
    ),
    depends_on=("E1", "B1"),
)


# ---- B2k: other kernels --------------------------------------------------------------------------


@dataclass(frozen=True)
class Kernels:
    """κ(r) = a_0 + a_1 r + Σ a_2k r^2k, a >= 0, a_1 at least slope times Σ 2k a_2k (M-1)^(1-2k)."""

    slope: Rational
    negative: bool = False


def kernels() -> Kernels:
    """Slope 1: κ'(-1/(M - 1)) >= 0."""
    return Kernels(Rational(1))


def _kernels_proof(claim: Kernels, _: Settings) -> Finding:
    """B2's proof uses no more: B1 for the even orders; E1 where κ increases from -1/(M - 1) on.

    E1's bound is κ at a mean >= -1/(M - 1), where the convex κ is least if κ' >= 0 there.
    """
    a, b = IndexedBase("a"), sympy.Symbol("a1", nonnegative=True)
    r, m = sympy.Symbol("r", real=True), sympy.Symbol("m", positive=True)  # m = M - 1
    kappa = b * r + sum(a[2 * k] * r ** (2 * k) for k in (1, 2, 3))
    wanted = sum(2 * k * a[2 * k] * m ** (1 - 2 * k) for k in (1, 2, 3))
    positive = sympy.symbols("p1:4", positive=True)
    if claim.negative:
        positive = tuple(-p for p in positive)
    curve = sympy.diff(kappa, r, 2).subs({a[2 * k]: positive[k - 1] for k in (1, 2, 3)})
    return combine(
        identities(
            [
                (
                    "κ'(-1/m) = a_1 - Σ 2k a_2k m^(1-2k), here to order 6",
                    sympy.diff(kappa, r).subs(r, -1 / m),
                    sympy.expand(b - wanted),
                ),
                ("the condition is that this is >= 0", claim.slope * wanted, wanted),
            ]
        ),
        signs([("κ''", curve, ">=0")]),
    )


def _kernels_search(claim: Kernels, settings: Settings) -> Finding:
    def margin(gram: Array, weights: list[int], even: list[int], extra: int) -> float:
        m = len(gram)
        assume(m > 1)
        c = np.resize(np.array(weights, dtype=np.float64), m)
        assume(c.sum() > 0)
        orders = 2 * np.arange(1, 4)
        a = np.resize(np.array(even, dtype=np.float64), 3)
        if claim.negative:
            a = -a
        linear = float(claim.slope) * max((orders * a * (m - 1.0) ** (1 - orders)).sum(), 0) + extra

        def kappa(rho: Array) -> Array:
            powers = sum(w * rho**k for w, k in zip(a, orders, strict=True))
            return np.asarray(linear * rho + powers)

        least = kappa(np.ones(1))[0] / m + (1 - 1 / m) * kappa(np.full(1, -1 / (m - 1)))[0]
        return float(c @ kappa(gram) @ c / c.sum() ** 2 - least)

    strategies = {
        "gram": gram_matrices(),
        "weights": st.lists(st.integers(-2, 4), min_size=1, max_size=8),
        "even": st.lists(st.integers(0, 4), min_size=1, max_size=3),
        "extra": st.integers(0, 2),
    }
    return falsify(margin, strategies, settings, slack=1e-9)


B2K = Claim(
    id="B2k",
    title="The same for other kernels, if they increase from -1/(M - 1) on",
    statement=(
        r"\kappa(r)=a_0+a_1r+\sum_{k\ge1}a_{2k}r^{2k},\ a\ge0\text{ summable},\ "
        r"\kappa'(-\tfrac1{M-1})\ge0,\ \textstyle\sum c=1:\quad c^\top\kappa(P)c\ge"
        r"\tfrac1M\kappa(1)+(1-\tfrac1M)\kappa(-\tfrac1{M-1})"
    ),
    source=f"{SOURCE}; there without the condition on the slope, which fails for r²",
    subject=kernels,
    evidence=(
        Evidence(Kind.PROOF, "B2's proof, with E1 where the slope allows it", _kernels_proof),
        Evidence(Kind.PROPERTY, "search over kernels of degree 6", _kernels_search),
    ),
    mutants=(
        Mutant("without the condition on the slope", lambda c: replace(c, slope=Rational(0))),
        Mutant("half the slope", lambda c: replace(c, slope=Rational(1, 2))),
        Mutant("a negative coefficient", lambda c: replace(c, negative=True)),
    ),
    depends_on=("E1", "B1", "B2"),
)


# ---- E5 at β = 0 ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class FreeSigns:
    """min F/τ² over all θ and signed b at β = 0."""

    value: Expr


def free_signs() -> FreeSigns:
    """1/(2π) - 1/(4π² E_M)."""
    return FreeSigns(objectives.simplex_optimum(dual_kernel("relu")).value)


def _free_proof(claim: FreeSigns, _: Settings) -> Finding:
    """F/τ² = a - 2aσ + c'h(P)c with σ = Σc, and c'h(P)c >= σ²E_M by B2, by E1 for all c_i > 0.

    For σ = 0, F >= aτ², which is more than the value; σ < 0 is -c with a larger F.
    """
    ker = dual_kernel("relu")
    a, energy = 1 / (2 * pi), sympy.Symbol("E", positive=True)
    sigma, tau = sympy.Symbol("sigma", real=True), objectives.TAU
    best = objectives.simplex_optimum(ker)
    rows = [
        ("a = h(0)", objectives.kappa(ker, sympy.S.Zero), a),
        (
            "complete the square",
            a - 2 * a * sigma + energy * sigma**2,
            a - a**2 / energy + energy * (sigma - a / energy) ** 2,
        ),
        ("the value", claim.value, tau**2 * (a - a**2 / best.energy)),
    ]
    return combine(identities(rows), signs([("a²/E", a**2 / energy, ">0")]))


def _free_search(claim: FreeSigns, settings: Settings) -> Finding:
    """The best signed weights of any correlation matrix leave at least the value."""
    value = sympy.lambdify(M, claim.value.subs(objectives.TAU, 1), "math")

    def margin(gram: Array) -> float:
        m = len(gram)
        assume(m > 1)
        cross = np.full(m, 1 / (2 * np.pi))
        c = np.linalg.lstsq(kernel_of(gram), cross, rcond=1e-10)[0]
        return float(cross[0] - 2 * c @ cross + c @ kernel_of(gram) @ c - value(m))

    return falsify(margin, {"gram": gram_matrices()}, settings, slack=1e-11)


E5 = Claim(
    id="E5",
    title="ETF theorem with weights of any sign, β = 0",
    statement=(
        r"\mu=0,\ M\ge2,\ d\ge M-1:\quad \min_{\theta,\ b\in\mathbb{R}^M}F=\tau^2\Bigl("
        r"\frac1{2\pi}-\frac1{4\pi^2E_M}\Bigr),\text{ only at the simplex with equal positive "
        r"weights}"
    ),
    source="theory.md E5 (this project's reconstruction)",
    subject=free_signs,
    evidence=(
        Evidence(Kind.PROOF, "B2 and a completed square, every M", _free_proof),
        Evidence(Kind.PROPERTY, "search, weights by least squares", _free_search),
    ),
    mutants=(
        Mutant("2% above", lambda c: replace(c, value=c.value * Rational(51, 50))),
        Mutant(
            "E_M + 1/1000 in place of E_M",
            lambda c: replace(c, value=c.value + objectives.TAU**2 / 1000),
        ),
    ),
    depends_on=("B2",),
)

CLAIMS: tuple[Claim[Any], ...] = (B2, B2K, E5)
