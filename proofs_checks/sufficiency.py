"""Claim E4d (theory.md 4): at the best cone F is strictly convex but for the rotations about μ.

With unit φ_j = s v + sqrt(1 - s²) e_j and θ_j = r φ_j, and every derivative of K at (1, 1, ρ):

    F = κ(β²) - (2r/M) Σ_j K(1, |φ_j|², β<v, φ_j>) + (r²/M²) Σ_ij K(|φ_i|², |φ_j|², <φ_i, φ_j>).

The simplex is e_j = (δ_jk - 1/M)_k sqrt(M/(M-1)) in R^M beside the axis v, so that d = M + 1: the
direction (1, ..., 1) is orthogonal to the network, and each further dimension adds a copy of its
block and couples with nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations, product
from typing import Any, TypeAlias

import numpy as np
import sympy
from flint import arb, arb_mat, ctx, fmpq
from numpy.typing import NDArray
from scipy.optimize import brentq

from proofs_checks.checks import certify, combine
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome
from symcomp import objectives
from symcomp.antiderivatives import C
from symcomp.balls import ball, compiled, exact, rational
from symcomp.expectations import QU, QV
from symcomp.kernels import RHO, dual_kernel

Array: TypeAlias = NDArray[np.float64]
Vector: TypeAlias = list[arb]

SIZES = range(2, 7)
GRID = tuple(fmpq(i, 20) for i in range(1, 20))  # of β
BITS = 80
PAD = 1e-7  # half the width of the ball around s


@dataclass(frozen=True)
class Cone:
    """The cone whose height zeroes stationarity(M); nullity(M) is its count of flat directions.

    energy(M) is E(s), an expression in s like stationarity(M), which also contains β. simplex puts
    s = 0 in place of the root.
    """

    energy: Callable[[int], sympy.Expr]
    stationarity: Callable[[int], sympy.Expr]
    nullity: Callable[[int], int]
    simplex: bool = False


def cone() -> Cone:
    """The formulas that symcomp derives; the rotations of R^M, all of which move the simplex."""
    ker = dual_kernel("relu")
    return Cone(
        lambda M: objectives.energy_bound(ker, sympy.Integer(M)),
        lambda M: objectives.cone_stationarity(ker, sympy.Integer(M)),
        lambda M: M * (M - 1) // 2,
    )


# ---- derivatives of K, derived from its closed form ----------------------------------------------

_ORDERS: dict[str, tuple[sympy.Symbol, ...]] = {
    "": (),
    "u": (QU,),
    "c": (C,),
    "uu": (QU, QU),
    "uv": (QU, QV),
    "uc": (QU, C),
    "cc": (C, C),
}


@cache
def derivatives() -> dict[str, sympy.Expr]:
    """K and its derivatives in (q_u, q_v, c) at (1, 1, ρ), for ReLU."""
    expr = dual_kernel("relu").expr
    at = {QU: 1, QV: 1, C: RHO}
    return {
        name: sympy.simplify((sympy.diff(expr, *by) if by else expr).subs(at))
        for name, by in _ORDERS.items()
    }


def _at(rho: arb) -> dict[str, arb]:
    return {name: f(rho) for name, f in _compiled_derivatives(ctx.prec).items()}


@cache
def _compiled_derivatives(_prec: int) -> dict[str, Callable[[arb], arb]]:
    return {name: compiled(expr, (RHO,)) for name, expr in derivatives().items()}


# ---- gradient and Hessian in ball arithmetic -----------------------------------------------------


@dataclass(frozen=True)
class Local:
    """The cone at balls of β, s and r: its rows φ (M, M+1) and the derivatives of K that it needs.

    target holds those at ρ = βs, own those at ρ = (Ms² - 1)/(M - 1).
    """

    M: int
    beta: arb
    r: arb
    phi: list[Vector]
    target: dict[str, arb]
    own: dict[str, arb]


def local(M: int, beta: arb, s: arb, energy: Callable[[arb], arb]) -> Local:
    """The cone of height s at its best radius r = κ(βs)/E(s)."""
    target = _at(beta * s)
    across = (1 - s**2).sqrt() * (arb(M) / (M - 1)).sqrt()
    phi = [[s, *(across * (arb(int(j == k)) - arb(1) / M) for k in range(M))] for j in range(M)]
    return Local(M, beta, target[""] / energy(s), phi, target, _at((M * s**2 - 1) / (M - 1)))


def gradient(p: Local) -> Vector:
    """dF/dφ_1 over r: the others are its permutations."""
    M, one = p.M, p.phi[0]
    others = [sum((row[k] for row in p.phi[1:]), arb(0)) for k in range(M + 1)]
    near = 2 * _own_term() + 4 * (M - 1) * p.own["u"]
    slope = [
        p.r / M**2 * (near * x + 2 * p.own["c"] * y) - arb(4) / M * p.target["u"] * x
        for x, y in zip(one, others, strict=True)
    ]
    slope[0] -= arb(2) / M * p.beta * p.target["c"]
    return slope


def _own_term() -> arb:
    """κ(1), of K(θ, θ) = κ(1) |θ|²."""
    return ball(derivatives()[""].subs(RHO, 1), {})


def hessian(p: Local) -> arb_mat:
    """The second derivatives of F in φ over r, (M(M+1), M(M+1))."""
    M, d = p.M, p.M + 1
    blocks = [[[[arb(0)] * d for _ in range(d)] for _ in range(M)] for _ in range(M)]
    axis = [arb(int(k == 0)) for k in range(d)]
    weight, scale = -arb(2) / M, 2 * p.r / M**2
    g, k = p.target, p.own
    for i in range(M):
        u = p.phi[i]
        here = blocks[i][i]
        _add(here, 4 * weight * g["uu"], u, u)
        _add(here, 2 * weight * p.beta * g["uc"], u, axis)
        _add(here, 2 * weight * p.beta * g["uc"], axis, u)
        _add(here, weight * p.beta**2 * g["cc"], axis, axis)
        _add_identity(here, 2 * weight * g["u"] + scale * _own_term())
        for j in range(M):
            if i == j:
                continue
            w = p.phi[j]
            _add(here, 4 * scale * k["uu"], u, u)
            _add(here, scale * k["cc"], w, w)
            _add(here, 2 * scale * k["uc"], u, w)
            _add(here, 2 * scale * k["uc"], w, u)
            _add_identity(here, 2 * scale * k["u"])
            there = blocks[i][j]
            _add(there, 4 * scale * k["uv"], u, w)
            _add(there, scale * k["cc"], w, u)
            _add(there, 2 * scale * k["uc"], u, u)
            _add(there, 2 * scale * k["uc"], w, w)
            _add_identity(there, scale * k["c"])
    nodes, axes = range(M), range(d)
    return arb_mat([[blocks[i][j][a][b] for j in nodes for b in axes] for i in nodes for a in axes])


def _add(block: list[Vector], factor: arb, left: Vector, right: Vector) -> None:
    for a, x in enumerate(left):
        for b, y in enumerate(right):
            block[a][b] += factor * x * y


def _add_identity(block: list[Vector], factor: arb) -> None:
    for a in range(len(block)):
        block[a][a] += factor


def rotations(M: int) -> Array:
    """The network's velocities under the rotations of R^M about v, as columns, exact integers.

    At a stationary point F's Hessian sends each to 0. Their common length is left out.
    """
    corners = np.eye(M, dtype=np.int64) * M - 1  # the e_j, up to a factor
    columns = []
    for a, b in combinations(range(M), 2):
        moved = np.zeros((M, M + 1))
        moved[:, 1 + a], moved[:, 1 + b] = corners[:, b], -corners[:, a]
        columns.append(moved.ravel() / M)
    return np.array(columns).T


# ---- the certificate -----------------------------------------------------------------------------


def positive_definite(matrix: arb_mat) -> bool:
    """Certain that a symmetric matrix of balls is positive definite, by Gershgorin's discs.

    P' A P is nearly the identity for the approximate inverse square root P of A's midpoint; P is
    invertible if P' A P is diagonally dominant.
    """
    n = matrix.nrows()
    middle = np.array([[float(matrix[i, j].mid()) for j in range(n)] for i in range(n)])
    if not np.isfinite(middle).all():
        return False
    values, vectors = np.linalg.eigh((middle + middle.T) / 2)
    if values[0] <= 0:
        return False
    P = arb_mat([[arb(float(x)) for x in row] for row in vectors / np.sqrt(values)])
    near = P.transpose() * matrix * P
    return all(
        near[i, i] > sum((abs(near[i, j]) for j in range(n) if j != i), arb(0)) for i in range(n)
    )


def _root(stationarity: sympy.Expr, beta: fmpq) -> float:
    """A zero of the stationarity in s, to float64."""
    S = sympy.lambdify((objectives.BETA, objectives.S), stationarity, "math")
    b = float(arb(beta).mid())
    return float(brentq(lambda s: S(b, s), 1e-6, 1 - 1e-9, xtol=1e-13))


def _condition(claim: Cone, M: int, beta: fmpq, s: arb) -> Finding:
    """Stationary as far as the ball shows, and positive definite but for the rotations."""
    energy = compiled(claim.energy(M), (objectives.S,))
    point = local(M, arb(beta), s, energy)
    label = f"M = {M}, β = {beta}"
    if any(not x.contains(0) for x in gradient(point)):
        against = f"{label}: the gradient is not 0 at s = {s.str(8)}"
        return Finding(Outcome.FAILS, against, 1, 1, 1, against)
    columns = _balls(rotations(M))
    if positive_definite(hessian(point) + columns * columns.transpose()):
        return Finding(Outcome.HOLDS, label, 1, 1, 1)
    return Finding(Outcome.UNDECIDED, f"{label}: not certified", 1, 1)


def _balls(matrix: Array) -> arb_mat:
    return arb_mat([[arb(float(x)) for x in row] for row in matrix])


def _one_height(claim: Cone, M: int, beta: fmpq, s: float) -> Finding:
    """The stationarity is positive on [0, s - PAD] and negative on [s + PAD, 1]: one zero.

    It has the sign of the slope of κ(βs)²/E(s), so that this zero is the maximum over [0, 1]; a
    negative s is worse, as κ increases and E is even.
    """
    at_beta = claim.stationarity(M).subs(objectives.BETA, rational(beta))
    S = compiled(at_beta, (objectives.S,))

    def sign(wanted: int) -> Callable[[tuple[arb, ...]], bool | None]:
        def condition(box: tuple[arb, ...]) -> bool | None:
            value = wanted * S(box[0])
            return True if value > 0 else False if value < 0 else None

        return condition

    left = (fmpq(0), exact(s - PAD))
    right = (exact(s + PAD), fmpq(1))
    return combine(
        certify(sign(1), [left], depth=50, bits=BITS),
        certify(sign(-1), [right], depth=50, bits=BITS),
    )


def certificate(claim: Cone, sizes: Iterable[int] = SIZES, grid: Iterable[fmpq] = GRID) -> Finding:
    """H + N N' is positive definite, N the rotations: H n = 0 at the stationary point inside.

    So the kernel of H is the span of N, and H > 0 on its orthogonal complement. The rank of N is
    its number of columns if N' N is positive definite.
    """
    done, boxes = 0, 0
    with ctx.workprec(BITS):
        for M, beta in product(sizes, grid):
            N = rotations(M)
            if not positive_definite(_balls(N.T @ N)) or N.shape[1] != claim.nullity(M):
                text = f"M = {M}: {N.shape[1]} independent rotations, {claim.nullity(M)} claimed"
                return Finding(Outcome.FAILS, text, done + 1, done + 1, done + 1, text)
            s = 0.0 if claim.simplex else _root(claim.stationarity(M), beta)
            around = arb(s) if claim.simplex else arb(s - PAD).union(arb(s + PAD))
            found = _condition(claim, M, beta, around)
            if found.outcome is Outcome.HOLDS:
                unique = _one_height(claim, M, beta, s)
                boxes += unique.decided
                found = unique if unique.outcome is not Outcome.HOLDS else found
            done += 1
            if found.outcome is not Outcome.HOLDS:
                return replace(found, tried=done, met=done, decided=done)
    figure = f"{done} cones, each with one stationary height ({boxes} boxes), at {BITS} bits"
    return Finding(Outcome.HOLDS, figure, done, done, done)


# ---- the claim -----------------------------------------------------------------------------------


def _fewer(M: int) -> sympy.Expr:
    return objectives.energy_bound(dual_kernel("relu"), sympy.Integer(M + 1))


def _doubled(M: int) -> sympy.Expr:
    ker = dual_kernel("relu")
    energy = objectives.energy_bound(ker, sympy.Integer(M))
    cross = objectives.kappa(ker, objectives.BETA * objectives.S)
    return sympy.diff(cross, objectives.S) * energy - cross * sympy.diff(energy, objectives.S)


E4S = Claim[Cone](
    id="E4d",
    title="Second-order sufficiency at the best cone",
    statement=(
        r"\text{ReLU},\ M=2,\dots,6,\ \beta\in\{\tfrac1{20},\tfrac2{20},\dots,\tfrac{19}{20}\},\ "
        r"d>M:\quad \beta h'(\beta s)E(s)=s\,h(\beta s)\,h'\bigl(\tfrac{Ms^2-1}{M-1}\bigr) \text{ "
        r"has one solution in } [0,1];\ \text{at its cone } \nabla^2F \text{ in } \mathbb R^{M+1} "
        r"\text{ has a kernel of dimension } \tfrac{M(M-1)}2 \text{, the rotations that fix } \mu, "
        r"\text{ and is positive definite on its complement: a strict local minimum up to them}"
    ),
    source="theory.md E4 (this project's reconstruction): the second-order condition",
    subject=cone,
    evidence=(
        Evidence(
            Kind.CERTIFICATE,
            "balls: the sign of the stationarity on [0, 1], Gershgorin's discs of P'(H + NN')P",
            lambda claim, _: certificate(claim),
        ),
    ),
    mutants=(
        Mutant("M + 1 for M in E(s)", lambda c: replace(c, energy=_fewer)),
        Mutant("the simplex in place of the cone", lambda c: replace(c, simplex=True)),
        Mutant(
            "one flat direction more", lambda c: replace(c, nullity=lambda M: M * (M - 1) // 2 + 1)
        ),
        Mutant(
            "β κ'(βs) E(s) = 2 s κ(βs) κ'(t)",
            lambda c: replace(c, stationarity=_doubled),
        ),
    ),
)


CLAIMS: tuple[Claim[Any], ...] = (E4S,)
