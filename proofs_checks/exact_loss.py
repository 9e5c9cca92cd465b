"""Claim S0: the exact loss between two networks, as a formula (theory.md section 3)."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st
from mpmath import mpf
from sympy import IndexedBase, Rational, Symbol

import symcomp
from proofs_checks import oracles, strategies
from proofs_checks.checks import agreement, falsify, identities
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.loss_formulas import (
    PAIRS,
    SOURCE,
    Array,
    Exact,
    Formula,
    Networks,
    changed,
    scaled,
    term_rows,
)
from symcomp.objectives import (
    M,
    N,
    kernel_at,
    population_loss,
)


def exact_loss() -> Formula:
    """The formula (S0) for ReLU, as derived."""
    ker = symcomp.dual_kernel("relu")
    return Formula(ker, population_loss(ker))


@cache
def _loss_oracle(pair: Networks, digits: int) -> mpf:
    return oracles.loss_by_quadrature(pair.W, pair.Theta, pair.a, pair.b, digits=digits)


def _loss_against_integral(loss: Formula, settings: Settings) -> Finding:
    rows = [
        (pair.label, loss.value(pair.numbers, settings.digits), _loss_oracle(pair, settings.digits))
        for pair in PAIRS
    ]
    return agreement(rows, settings.digits)


OUTER_A, OUTER_B = IndexedBase("a"), IndexedBase("b")
_WW, _WT, THETA_GRAM = (
    IndexedBase(name) for name in (r"{(WW^\top)}", r"{(W\Theta^\top)}", r"{(\Theta\Theta^\top)}")
)


def _square_of_difference(loss: Formula, _: Settings) -> Finding:
    """E (f_N - f̂)² for all N and M, with E σ(<u,x>) σ(<v,x>) = K(u, v), a linear mean and
    (Σ A_i - Σ B_j)² = ΣΣ A A' - 2 ΣΣ A B + ΣΣ B B'; the last is expanded once, for N = M = 4.
    """

    def own(outer: IndexedBase, gram: IndexedBase, count: Symbol) -> Callable[..., sympy.Expr]:
        return lambda i, j: (
            (outer[i] / count)
            * (outer[j] / count)
            * kernel_at(loss.kernel, gram[i, i], gram[j, j], gram[i, j])
        )

    def cross(i: Symbol, j: Symbol) -> sympy.Expr:
        pair = kernel_at(loss.kernel, _WW[i, i], THETA_GRAM[j, j], _WT[i, j])
        return -2 * (OUTER_A[i] / N) * (OUTER_B[j] / M) * pair

    return identities(
        [
            _distributive_law(4),
            *term_rows(loss, "aa", own(OUTER_A, _WW, N), (N, N)),
            *term_rows(loss, "ab", cross, (N, M)),
            *term_rows(loss, "bb", own(OUTER_B, THETA_GRAM, M), (M, M)),
        ]
    )


def _distributive_law(n: int) -> tuple[str, sympy.Expr, sympy.Expr]:
    A, B = sympy.symbols(f"A:{n}"), sympy.symbols(f"B:{n}")
    double = sum(p * q for p in A for q in A) + sum(p * q for p in B for q in B)
    return "the square", (sum(A) - sum(B)) ** 2, double - 2 * sum(p * q for p in A for q in B)


@cache
def _generated() -> ModuleType:
    return symcomp.generate("relu").load()


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Array, Array, Array, Array]:
    """W, Θ, a, b in one dimension, small enough to be summed exactly."""
    d = draw(st.integers(1, 3))
    W, a = draw(strategies.networks(N=draw(st.integers(1, 3)), d=d))
    Theta, b = draw(strategies.networks(N=draw(st.integers(1, 3)), d=d))
    if draw(st.booleans()):  # the same neurons on both sides: the loss may vanish
        Theta = W
        b = a if draw(st.booleans()) else a + 1e-6
    return W, Theta, a, b


def _generated_loss(loss: Formula, settings: Settings) -> Finding:
    """The generated module's loss is the formula to 1e-12 of the networks' size, never negative."""
    module = _generated()

    def margin(networks: tuple[Array, Array, Array, Array]) -> float:
        W, Theta, a, b = networks
        found = float(module.loss(W, Theta, a, b))
        size = (_size(W, a) + _size(Theta, b)) ** 2
        if size == 0:
            return -abs(found)
        wanted = loss.value(_without_zeros(*networks).numbers, 20)
        return min(found / size, 1e-12 - abs(found - float(wanted)) / size)

    return falsify(margin, {"networks": _pairs()}, settings)


def _size(W: Array, a: Array) -> float:
    return float(np.abs(a) @ np.linalg.norm(W, axis=1)) / len(W)


def _without_zeros(W: Array, Theta: Array, a: Array, b: Array) -> Networks:
    """The same networks for a formula that divides by norms: a zero row is any row of weight 0."""
    sides = []
    for rows, outer in ((W, a), (Theta, b)):
        zero = np.linalg.norm(rows, axis=1) == 0
        sides.append((np.where(zero[:, np.newaxis], 1.0, rows), np.where(zero, 0.0, outer)))
    (W, a), (Theta, b) = sides
    return Networks("", _exactly(W), _exactly(Theta), *(_exactly([v])[0] for v in (a, b)))


def _exactly(rows: Iterable[Iterable[float]]) -> Exact:
    return tuple(tuple(Fraction(float(x)) for x in row) for row in rows)


def _even_half_negated(f: Formula) -> Formula:
    """κ with arcsin|ρ|: right for ρ >= 0, but a pair at ρ = -1 has the value -|u|²/2."""
    kernel = replace(f.kernel, expr=f.kernel.expr.replace(sympy.asin, _asin_of_modulus))
    return Formula(f.kernel, population_loss(kernel))


def _asin_of_modulus(x: sympy.Expr) -> sympy.Expr:
    return sympy.asin(abs(x))


S0 = Claim(
    id="S0",
    title="The exact loss between two networks (ReLU)",
    statement=(
        r"L_N=\mathbb{E}(f_N-\hat f)^2=\tfrac1{N^2}\sum_{ii'}a_ia_{i'}K(w_i,w_{i'})"
        r"-\tfrac2{NM}\sum_{ij}a_ib_jK(w_i,\theta_j)"
        r"+\tfrac1{M^2}\sum_{jj'}b_jb_{j'}K(\theta_j,\theta_{j'})"
    ),
    source=f"{SOURCE}, (S0)",
    subject=exact_loss,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: every term of the expanded square, symbolic N and M",
            _square_of_difference,
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: the formula against ∫ (f_N - f̂)² over the circle and the sphere",
            _loss_against_integral,
        ),
        Evidence(
            Kind.PROPERTY,
            "Hypothesis: the generated NumPy loss against the formula",
            _generated_loss,
        ),
    ),
    mutants=(
        changed("cross term without the factor 2", scaled("ab", Rational(1, 2))),
        changed("1/N in place of 1/N²", scaled("aa", N)),
        Mutant("a pair at ρ = -1 valued -|u|²/2", _even_half_negated),
    ),
    depends_on=("K1",),
)

CLAIMS: tuple[Claim[Any], ...] = (S0,)
