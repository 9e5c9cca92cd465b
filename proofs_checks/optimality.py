"""Claim E2 (theory.md 4): the simplex is optimal at β = 0."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy
from hypothesis import strategies as st
from mpmath import mpf
from numpy.typing import NDArray
from sympy import IndexedBase, Rational, Sum

from proofs_checks import oracles
from proofs_checks.checks import agreement, combine, falsify, identities, signs
from proofs_checks.energy import configurations, real_number
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from symcomp import objectives
from symcomp.kernels import RHO, DualKernel, dual_kernel

Array: TypeAlias = NDArray[np.float64]
Row: TypeAlias = tuple[str, sympy.Expr, sympy.Expr]

M, TAU = objectives.M, objectives.TAU


@dataclass(frozen=True)
class SimplexTheorem:
    """min F at β = 0: its value, cosine <u_i, u_j>, radius |θ_j| and 𝓔, in the symbols M and τ.

    law is the limit of M · value.
    """

    kernel: DualKernel
    cosine: sympy.Expr
    energy: sympy.Expr
    radius: sympy.Expr
    value: sympy.Expr
    law: sympy.Expr


def simplex_theorem() -> SimplexTheorem:
    """The formulas that symcomp derives for ReLU, with theory.md's cosine and limit."""
    ker = dual_kernel("relu")
    best = objectives.simplex_optimum(ker)
    law = TAU**2 * (Rational(1, 4) - 1 / (2 * sympy.pi))
    return SimplexTheorem(ker, -1 / (M - 1), best.energy, best.radius, best.value, law)


def _proof(claim: SimplexTheorem, _: Settings) -> Finding:
    """With R = Σ|θ_j|/M and p_j = |θ_j|/(M R): F = V - 2cR + 𝓔R², and E1 bounds 𝓔 by a constant."""
    lines = [*_polar_form(), *_least_energy(claim), *_least_radius(claim), _decay(claim)]
    return combine(identities(lines), signs(_monotone(claim)))


def _polar_form() -> Iterator[Row]:
    """F for a target whose cross term is c |θ_j|, whatever the direction of θ_j.

    For F itself c = τ κ(0) and V = τ² κ(0); for F_d with rotation-invariant w, c = E K(w, u).
    """
    i, j = sympy.symbols("i j", integer=True)
    p, kappa = IndexedBase("p"), IndexedBase("kappa")
    R, cross = sympy.symbols("R c", positive=True)
    yield (
        "cross term, |θ_j| = M R p_j",
        Sum(cross * M * R * p[j], (j, 1, M)) * 2 / M,
        2 * cross * R * Sum(p[j], (j, 1, M)),
    )
    yield (
        "self term",
        Sum(M * R * p[i] * M * R * p[j] * kappa[i, j], (i, 1, M), (j, 1, M)) / M**2,
        R**2 * Sum(p[i] * p[j] * kappa[i, j], (i, 1, M), (j, 1, M)),
    )


def _least_energy(claim: SimplexTheorem) -> Iterator[Row]:
    """E1's bound grows with |q|², so 𝓔 >= its value at q = 0, which the simplex attains."""
    ker, zero = claim.kernel, sympy.S.Zero
    one = objectives.kappa(ker, sympy.S.One)
    at_simplex = one / M + (1 - 1 / M) * objectives.kappa(ker, claim.cosine)
    yield (
        "Σu = 0 for equal cosines: |Σu|² = M + M(M - 1) cosine",
        M + M * (M - 1) * claim.cosine,
        zero,
    )
    yield "𝓔 of the simplex is E_M", at_simplex, claim.energy
    yield "E_M is E1's bound at q = 0", claim.energy, objectives.energy_bound(ker, M, zero)
    yield "κ(-1) = 0", objectives.kappa(ker, sympy.S.NegativeOne), zero
    yield "κ'(-1) = 0", _slope(ker).subs(RHO, -1), zero


def _least_radius(claim: SimplexTheorem) -> Iterator[Row]:
    ker = claim.kernel
    R, cross, energy, own = sympy.symbols("R c E V", positive=True)
    yield (
        "any c and V: complete the square",
        own - 2 * cross * R + energy * R**2,
        own - cross**2 / energy + energy * (R - cross / energy) ** 2,
    )
    c = objectives.kernel_at(ker, TAU**2, sympy.S.One, sympy.S.Zero)
    v = objectives.kernel_at(ker, TAU**2, TAU**2, sympy.S.Zero)
    yield (
        "F: the same square around the radius, over the value",
        v - 2 * c * R + claim.energy * R**2,
        claim.value + claim.energy * (R - claim.radius) ** 2,
    )


def _decay(claim: SimplexTheorem) -> Row:
    return "M · min F as M grows", sympy.limit(M * claim.value, M, sympy.oo), claim.law


def _monotone(claim: SimplexTheorem) -> Iterator[tuple[str, sympy.Expr, str]]:
    """κ'' > 0, so κ' > κ'(-1) = 0 and κ > κ(-1) = 0 on (-1, 1]: the bound grows, and E_M > 0."""
    x = sympy.Symbol("x", positive=True)
    second = sympy.simplify(sympy.diff(_slope(claim.kernel), RHO))
    yield f"κ'' = {second} with ρ = (1 - x)/(1 + x)", second.subs(RHO, (1 - x) / (1 + x)), ">0"
    yield "κ(1)/M", objectives.kappa(claim.kernel, sympy.S.One) / M, ">0"


def _slope(ker: DualKernel) -> sympy.Expr:
    return sympy.diff(ker.correlation, RHO)


def _quadrature(claim: SimplexTheorem, settings: Settings) -> Finding:
    """F on the simplex by quadrature of its definition, a parabola in the radius; τ = 13/10.

    g is the constant E σ(τζ); E (g - r f̂)² needs E f̂, from one Gaussian, and E f̂², from the
    plane or the space that the simplex spans (M = 2, 3), or from pairs of Gaussians (M = 5, 16).
    """
    digits = settings.digits

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        tau = mpf(13) / 10
        mean = oracles.expectation1(oracles.relu, 1, digits=digits)
        g = oracles.expectation1(oracles.relu, tau**2, digits=digits)
        for m in (2, 3, 5, 16):
            square = _mean_square(m, digits)
            wanted = {"energy": square, "radius": g * mean / square}
            # the vertex of the parabola g² - 2 g mean r + square r² through three of its points
            F = [g**2 - 2 * g * mean * r + square * r**2 for r in (0, 1, 2)]
            curvature, slope = (F[2] - 2 * F[1] + F[0]) / 2, (4 * F[1] - F[2] - 3 * F[0]) / 2
            wanted["value"] = F[0] - slope**2 / (4 * curvature)
            for name, number in wanted.items():
                got = getattr(claim, name).subs({M: m, TAU: Rational(13, 10)})
                yield f"{name}, M = {m}", real_number(got, digits), number

    with mpmath.workdps(digits + 15):
        return agreement(rows(), digits)


def _hundred_digits(claim: SimplexTheorem, settings: Settings) -> Finding:
    """E_M, radius and value for M up to 40, and M min F for a huge M beside its limit.

    𝓔 = E f̂² from integrals over pairs of Gaussians, g and E f̂ from one; the minimum of the parabola
    in the radius. At M = 10^(digits + 10) the law's next term, of order 1/M, is below the digits.
    """
    digits = max(100, settings.digits)

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        mean = _mean(digits)
        for m in (2, 3, 4, 7, 40):
            square = _pairs_square(mpf(m), digits)
            wanted = (square, mean**2 / square, mean**2 - mean**4 / square)
            for field, number in zip(("energy", "radius", "value"), wanted, strict=True):
                got = getattr(claim, field).subs({M: m, TAU: 1})
                yield f"{field}, M = {m}", real_number(got, digits), number
        huge = mpf(10) ** (digits + 10)
        with mpmath.workdps(3 * digits):  # M min F is a difference of numbers near 1/(2π), times M
            mean = _mean(2 * digits + 20)
            square = _pairs_square(huge, 2 * digits + 20)
            law = huge * (mean**2 - mean**4 / square)
        yield "M min F", real_number(claim.law.subs(TAU, 1), digits), law

    with mpmath.workdps(digits + 15):
        return agreement(rows(), digits)


@cache
def _mean(digits: int) -> mpf:
    """E relu(Z)."""
    return oracles.expectation1(oracles.relu, 1, digits=digits)


@cache
def _pairs_square(m: mpf, digits: int) -> mpf:
    """E f̂² for the unit simplex of m neurons, from pairs of Gaussians."""
    one, other = (
        oracles.homogeneous(oracles.relu, oracles.relu, 2, 1, 1, rho, digits=digits)
        for rho in (1, -1 / (m - 1))
    )
    return (one + (m - 1) * other) / m


@cache
def _mean_square(m: int, digits: int) -> mpf:
    """E f̂² for the unit simplex of m neurons."""
    if m <= 3:
        turn = 2 * mpmath.pi / m
        rows = [mpmath.cos_sin(turn * j) for j in range(m)]
        return oracles.loss_by_quadrature(rows, [[0, 0]], digits=digits)
    return _pairs_square(mpf(m), digits)


def _search(claim: SimplexTheorem, settings: Settings) -> Finding:
    """Any number of neurons anywhere, near the optimum and far from it: F is never below min F.

    F at τ = 1 is computed from the arc-cosine formula of the kernel.
    """
    value = sympy.lambdify(M, claim.value.subs(TAU, 1), "math")
    radius = sympy.lambdify(M, claim.radius.subs(TAU, 1), "math")

    def margin(configuration: tuple[Array, Array], stretch: float) -> float:
        p, U = configuration
        lengths = p * len(p) * radius(len(p)) * stretch
        return _simplified(lengths, U) - float(value(len(p)))

    near = st.sampled_from((1.0, 1 + 1e-6, 0.999, 1.1))
    strategies = {"configuration": configurations(), "stretch": near | st.floats(0, 4)}
    return falsify(margin, strategies, settings, slack=1e-13)


def _simplified(lengths: Array, U: Array) -> float:
    """F at τ = 1, β = 0 and b = 1 for θ_j = lengths_j U_j, ReLU."""
    rho = np.clip(U @ U.T, -1, 1)
    np.fill_diagonal(rho, 1)
    h = (np.sqrt((1 - rho) * (1 + rho)) + rho * (np.pi - np.arccos(rho))) / (2 * np.pi)
    r = lengths / len(lengths)
    return float(1 / (2 * np.pi) - 2 * r.sum() / (2 * np.pi) + r @ h @ r)


def _changed(name: str, **changes: Callable[[sympy.Expr], sympy.Expr]) -> Mutant[SimplexTheorem]:
    def change(claim: SimplexTheorem) -> SimplexTheorem:
        values = {field: f(getattr(claim, field)) for field, f in changes.items()}
        return replace(claim, **values)

    return Mutant(name, change)


E2 = Claim(
    id="E2",
    title="ETF theorem at β = 0",
    statement=(
        r"\mu = 0,\ d \ge M - 1,\ \text{ReLU}:\quad \min_\theta F = \tau^2 \Bigl(\frac1{2\pi} - "
        r"\frac1{4\pi^2 E_M}\Bigr),\quad E_M = \frac1{2M} + \Bigl(1 - \frac1M\Bigr) "
        r"h\Bigl(-\frac1{M-1}\Bigr),\quad \text{attained exactly at the simplex, } \langle u_i, "
        r"u_j \rangle = -\frac1{M-1},\ |\theta_j| = \frac{\tau}{2\pi E_M};\quad M \min_\theta F "
        r"\to \tau^2 \Bigl(\frac14 - \frac1{2\pi}\Bigr);\ \text{the same directions minimise } "
        r"F_d \text{ for rotation-invariant } w"
    ),
    source="theory.md E2 (this project's reconstruction; the abstract's conjecture at zero mean)",
    subject=simplex_theorem,
    evidence=(
        Evidence(Kind.PROOF, "E1, monotonicity of κ and a completed square, every M", _proof),
        Evidence(
            Kind.PRECISION,
            "minimum over the radius of F by quadrature",
            _quadrature,
            covers="energy, radius and value of the simplex, M = 2, 3, 5, 16",
        ),
        Evidence(
            Kind.PRECISION,
            "100 digits: energy, radius, value, and the 1/M law at an M of 111 digits",
            _hundred_digits,
            covers="M = 2, 3, 4, 7, 40, and the limit of M min F",
        ),
        Evidence(Kind.PROPERTY, "search for a network below the minimum, M <= 40", _search),
    ),
    mutants=(
        _changed("cosine -1/M", cosine=lambda _: -1 / M),
        _changed("E_M with 1/M in place of 1/(2M)", energy=lambda e: e + 1 / (2 * M)),
        _changed("radius τ/(π E_M)", radius=lambda r: 2 * r),
        _changed("value with 1/(8π² E_M)", value=lambda v: (v + TAU**2 / (2 * sympy.pi)) / 2),
        _changed("law 1/4 - 1/(4π)", law=lambda _: TAU**2 * (Rational(1, 4) - 1 / (4 * sympy.pi))),
    ),
    depends_on=("E1",),
)

CLAIMS: tuple[Claim[Any], ...] = (E2,)
