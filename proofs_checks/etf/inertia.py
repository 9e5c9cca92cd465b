"""Claim B1: the number of positive outer weights takes the place of the rank."""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy
from hypothesis import assume
from hypothesis import strategies as st
from mpmath import mpf
from numpy.typing import NDArray
from sympy import Expr, IndexedBase, Sum

from proofs_checks.attack import descend
from proofs_checks.checks import falsify, identities
from proofs_checks.etf.tangents import SOURCE
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.strategies import gram_matrices
from symcomp import objectives

Array: TypeAlias = NDArray[np.float64]
Row: TypeAlias = tuple[str, Expr, Expr]
Sign: TypeAlias = tuple[str, Expr, str]

M = objectives.M
NUMBER = sympy.Symbol("n", integer=True, positive=True)  # of positive weights
ORDER = sympy.Symbol("k", integer=True, nonnegative=True)
_I, _J = sympy.symbols("i j", integer=True)


def kernel_of(rho: Array) -> Array:
    """h(ρ) in float64, with ρ clipped to [-1, 1]."""
    rho = np.clip(rho, -1, 1)
    whole = np.sqrt((1 - rho) * (1 + rho)) + rho * (np.pi - np.arccos(rho))
    return np.asarray(whole / (2 * np.pi))


# ---- B1 ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inertia:
    """c'(Q∘Q)c >= bound q² (Σc)², bound an expression in n, the number of positive weights."""

    bound: Expr
    constant: bool = True  # whether Q has a constant diagonal


def inertia() -> Inertia:
    """1/n."""
    return Inertia(1 / NUMBER)


def _inertia_proof(claim: Inertia, _: Settings) -> Finding:
    """T = Σ c_i v_i v_i' for Q = Gram(v_i), |v_i|² = q, Σc = 1.

    Its trace is q and |T|² = c'(Q∘Q)c. On the vectors orthogonal to all v_i with c_i > 0, a space
    of codimension at most n, x'Tx = Σ c_i <v_i, x>² <= 0; so, by Courant and Fischer, at most n
    eigenvalues are positive, and n >= 1 as Σc > 0. Their sum is at least the trace, and their
    squares at least its square over n, by Cauchy.
    """
    v = sympy.Matrix(3, 2, sympy.symbols("a:6", real=True))
    c = sympy.symbols("c:3", real=True)
    x = sympy.Matrix(sympy.symbols("x:2", real=True))
    T = sum((w * v[i, :].T * v[i, :] for i, w in enumerate(c)), sympy.zeros(2, 2))
    gram = v * v.T
    weights, root, eigen = IndexedBase("c"), IndexedBase("q"), IndexedBase("lambda")
    q, mean = sympy.symbols("q lambdabar", real=True)
    total = Sum(eigen[_I], (_I, 1, NUMBER))
    rows = [
        (
            "trace T = Σ c_i |v_i|², here for three vectors of the plane",
            T.trace(),
            sum(w * gram[i, i] for i, w in enumerate(c)),
        ),
        (
            "which is q Σc for a constant diagonal",
            Sum(weights[_I] * (q if claim.constant else root[_I]), (_I, 1, 5)).doit(),
            q * Sum(weights[_I], (_I, 1, 5)).doit(),
        ),
        (
            "|T|² = ΣΣ c c <v, v>²",
            (T * T).trace(),
            sum(c[i] * c[j] * gram[i, j] ** 2 for i in range(3) for j in range(3)),
        ),
        (
            "x'Tx = Σ c <v, x>²",
            (x.T * T * x)[0],
            sum(w * (v[i, :] * x)[0] ** 2 for i, w in enumerate(c)),
        ),
        (
            "Cauchy: Σλ² >= (Σλ)²/n, by Σλ = n λ̄ and",
            Sum(sympy.expand((eigen[_I] - mean) ** 2), (_I, 1, NUMBER)),
            Sum(eigen[_I] ** 2, (_I, 1, NUMBER)) - 2 * mean * total + NUMBER * mean**2,
        ),
        ("(n λ̄)²/n = q²/n", (NUMBER * mean) ** 2 / NUMBER, NUMBER**2 * mean**2 * claim.bound),
    ]
    return identities(rows)


def _inertia_search(claim: Inertia, settings: Settings) -> Finding:
    """Gram matrices of every kind of strategies.gram_matrices, small whole weights."""
    bound = sympy.lambdify(NUMBER, claim.bound, "math")

    def margin(gram: Array, weights: list[int], stretch: float) -> float:
        c = np.resize(np.array(weights, dtype=np.float64), len(gram))
        assume(c.sum() > 0)
        if not claim.constant:
            scale = np.linspace(1, stretch, len(gram))
            gram = gram * np.outer(scale, scale)
        positive = int((c > 0).sum())
        assume(positive > 1 or claim.bound == 1 / NUMBER)
        # the scale of the bound is the mean of the diagonal
        least = bound(positive) * np.mean(np.diag(gram)) ** 2 * c.sum() ** 2
        return float(c @ (gram * gram) @ c - least)

    strategies = {
        "gram": gram_matrices(),
        "weights": st.lists(st.integers(-3, 3), min_size=2, max_size=12),
        "stretch": st.floats(0.1, 2),
    }
    return falsify(margin, strategies, settings, slack=1e-10)


def _inertia_descent(claim: Inertia, settings: Settings) -> Finding:
    """Two positive weights and a negative one in the plane, next to orthogonal vectors."""
    bound = claim.bound.subs(NUMBER, 2)

    def margin(first: mpf, second: mpf, one: mpf, other: mpf) -> mpf:
        c = (one, other, 1 - one - other)
        angles = (mpf(0), first, second)
        value = mpmath.fsum(
            c[i] * c[j] * mpmath.cos(angles[i] - angles[j]) ** 4 for i in range(3) for j in range(3)
        )
        return value - mpf(bound.p) / bound.q

    sides = {"first": (0, 3.2), "second": (0, 3.2), "one": (0.5, 2), "other": (0.5, 2)}
    return descend(margin, sides, settings, [(0.49, 0.3, 0.01, 0.01), (0.5, 0.5, 0.3, 0.3)])


B1 = Claim(
    id="B1",
    title="Inertia lemma",
    statement=(
        r"Q\succeq0,\ Q_{ii}=q>0,\ \textstyle\sum_i c_i=1,\ n=\#\{i:c_i>0\}:\quad "
        r"c^\top(Q\circ Q)\,c\ \ge\ q^2/n"
    ),
    source=SOURCE,
    subject=inertia,
    evidence=(
        Evidence(Kind.PROOF, "trace, Frobenius norm, inertia and Cauchy, every n", _inertia_proof),
        Evidence(Kind.PROPERTY, "search over Gram matrices and sign patterns", _inertia_search),
        Evidence(
            Kind.PROPERTY,
            "descent next to equality, 50 digits",
            _inertia_descent,
            covers="three vectors of the plane",
        ),
    ),
    mutants=(
        Mutant("1/(n - 1)", lambda c: replace(c, bound=1 / (NUMBER - 1))),
        Mutant("2/n", lambda c: replace(c, bound=2 / NUMBER)),
        Mutant("any diagonal", lambda c: replace(c, constant=False)),
    ),
)

CLAIMS: tuple[Claim[Any], ...] = (B1,)
