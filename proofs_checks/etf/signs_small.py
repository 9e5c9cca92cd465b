"""Claim B3: an upper bound for outer weights of any sign, every β."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy
from hypothesis import assume
from hypothesis import strategies as st
from mpmath import mpf
from numpy.typing import NDArray
from sympy import Expr, Rational, pi

from proofs_checks.attack import descend
from proofs_checks.checks import combine, falsify, identities, signs
from proofs_checks.etf.inertia import kernel_of
from proofs_checks.etf.signs import coefficient, series_rows, top
from proofs_checks.etf.tangents import SOURCE, true_height
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.strategies import unit_vectors
from symcomp import objectives
from symcomp.kernels import DualKernel, dual_kernel

Array: TypeAlias = NDArray[np.float64]
Row: TypeAlias = tuple[str, Expr, Expr]
Sign: TypeAlias = tuple[str, Expr, str]

M = objectives.M
B = sympy.Symbol("beta", positive=True)
S = sympy.Symbol("s", positive=True)
SIGMA = sympy.Symbol("sigma", positive=True)
N = sympy.Symbol("n", positive=True)
CONSTANT, TOP = 1 / (2 * pi), top()


def even(x: Expr) -> Expr:
    """e(x) = h(x) - a - x/4."""
    return objectives.kappa(dual_kernel("relu"), x) - CONSTANT - x / 4


# ---- B3 ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Upper:
    """sup k'h(P)⁺k <= bound, an expression in β and n, the number of positive weights.

    ``single`` bounds it for one positive weight.
    """

    kernel: DualKernel
    bound: Expr
    single: Expr


def upper() -> Upper:
    """UB_n and h(β)²/h(1)."""
    kernel = dual_kernel("relu")
    one, two = even(B), even(B**2)
    own = objectives.kappa(kernel, B**2) - CONSTANT - two / N
    at_one = objectives.kappa(kernel, sympy.S.One)
    return Upper(
        kernel,
        own + (CONSTANT + one / N) ** 2 / (CONSTANT + TOP / N),
        objectives.kappa(kernel, B) ** 2 / at_one,
    )


def _upper_proof(claim: Upper, _: Settings) -> Finding:
    """Φ(c) = c'h(P)c - 2c'k order by order, k_i = h(βs_i), σ = Σc, w = Σ c u, T = Σ c u^⊗k u^⊗k'.

    The order 0 is a(σ² - 2σ), the order 1 (|w|² - 2β<w,v>)/4 >= -β²/4. At the order 2k, T - β^2k U,
    U of v, has the trace σ - β^2k and at most n positive eigenvalues, so by B1's argument its
    square is at least (σ - β^2k)²₊/n. So Φ >= L_n(σ), which is convex. Its slope at β² is at most
    -2h(-β) <= 0, since (β² - β^2k)/n is between 0 and β² - β^2k: its least point is at σ >= β²,
    where no term is cut off and L_n is a parabola. L_n grows as n falls. If no c_i is positive,
    Φ >= 0 as k >= 0.

    n = 1: for σ >= β the order 1 has |w - βv| >= c_1 - Σ|c_j| - β = σ - β, the triangle inequality,
    so Φ >= h(1)σ² - 2σh(β) >= -h(β)²/h(1). For σ <= β, L_1 falls up to β, as its slope there is at
    most -2h(-β) too, and L_1(β) is the value of that parabola at β.
    """
    return combine(
        identities([*series_rows(claim.kernel), *_orders(), *_parabola(claim), *_single(claim)]),
        signs(_upper_signs(claim)),
    )


def _orders() -> Iterator[Row]:
    square, inner, power, ww, wv = sympy.symbols("TT TU p ww wv", real=True)
    a = CONSTANT
    yield "order 0", a * SIGMA**2 - 2 * a * SIGMA, a * (SIGMA - 1) ** 2 - a
    yield "order 1: |w - βv|²", ww - 2 * B * wv, (ww - 2 * B * wv + B**2) - B**2
    yield (
        "order 2k, |U| = 1 and p = β^2k",
        square - 2 * power * inner,
        (square - 2 * power * inner + power**2) - power**2,
    )


def level(n: Expr) -> Expr:
    """L_n(σ) for σ >= β², summed: Σ r_2k β^2k = e(β), Σ r_2k β^4k = e(β²), Σ r_2k = A."""
    one, two = even(B), even(B**2)
    inner = (TOP * SIGMA**2 - 2 * SIGMA * one + two) / n
    return CONSTANT * (SIGMA - 1) ** 2 - CONSTANT - B**2 / 4 + inner - two


def _parabola(claim: Upper) -> Iterator[Row]:
    least = (CONSTANT + even(B) / N) / (CONSTANT + TOP / N)
    yield (
        "L_n = -UB_n + (a + A/n)(σ - σ*)²",
        level(N),
        -claim.bound + (CONSTANT + TOP / N) * (SIGMA - least) ** 2,
    )
    slope = 2 * CONSTANT * (B**2 - 1) + 2 * (TOP * B**2 - even(B))
    yield (
        "2a(β² - 1) + 2Σ r_2k (β² - β^2k) = -2h(-β) - β(1 - β)/2",
        slope,
        -2 * objectives.kappa(claim.kernel, -B) - B * (1 - B) / 2,
    )


def _single(claim: Upper) -> Iterator[Row]:
    h = objectives.kappa(claim.kernel, B)
    one = objectives.kappa(claim.kernel, sympy.S.One)
    curve = one * SIGMA**2 - 2 * SIGMA * h
    linear = ((SIGMA - B) ** 2 - B**2) / 4
    orders = CONSTANT * ((SIGMA - 1) ** 2 - 1) + TOP * SIGMA**2 - 2 * SIGMA * even(B)
    yield "n = 1, σ >= β: the orders together", orders + linear, curve
    yield "its least value", curve, -claim.single + one * (SIGMA - h / one) ** 2
    flat = orders - B**2 / 4
    yield (
        "L_1 is that less the order 1, both are equal at σ = β",
        flat.subs(SIGMA, B),
        curve.subs(SIGMA, B),
    )
    yield (
        "the slope of L_1 at β is -2h(-β)",
        sympy.diff(flat, SIGMA).subs(SIGMA, B),
        -2 * objectives.kappa(claim.kernel, -B),
    )


def _upper_signs(claim: Upper) -> Iterator[Sign]:
    angle = sympy.Symbol("x", positive=True)
    yield "r_2k", coefficient(claim.kernel), ">0"
    # h(-cos x) = (sin x - x cos x)/2π has the derivative x sin x/2π and is 0 at 0
    yield "h(-1) = 0", objectives.kappa(claim.kernel, sympy.S.NegativeOne), ">=0"
    slope = sympy.diff(sympy.sin(angle) - angle * sympy.cos(angle), angle) / sympy.sin(angle)
    yield "(sin x - x cos x)'/sin x", sympy.simplify(slope), ">0"
    yield "β(1 - β), with β = 1/(1 + x)", 1 / (1 + angle) * angle / (1 + angle), ">0"


def _upper_search(claim: Upper, settings: Settings) -> Finding:
    """Φ(c) >= -UB_n, and for one positive weight >= -h(β)²/h(1), at the best scale of any c."""
    bound = sympy.lambdify((B, N), claim.bound, "numpy")
    single = sympy.lambdify(B, claim.single, "numpy")

    def margin(vectors: Array, weights: list[int], beta: float) -> float:
        c = np.resize(np.array(weights, dtype=np.float64), len(vectors))
        positive = int((c > 0).sum())
        assume(positive > 0)
        gram = vectors @ vectors.T
        np.fill_diagonal(gram, 1)
        cross = c @ kernel_of(beta * vectors[:, 0])
        own = c @ kernel_of(gram) @ c
        reached = max(float(cross), 0.0) ** 2 / own if own > 1e-9 else 0.0
        limits = [float(bound(beta, positive))]
        if positive == 1:
            limits.append(float(single(beta)))
        return float(min(limits) - reached)

    strategies = {
        "vectors": unit_vectors(),
        "weights": st.lists(st.integers(-3, 5), min_size=1, max_size=12),
        "beta": st.sampled_from((1e-6, 0.2, 0.6, 1 - 1e-9)) | st.floats(1e-6, 1 - 1e-9),
    }
    return falsify(margin, strategies, settings, slack=1e-9)


def _single_descent(claim: Upper, settings: Settings) -> Finding:
    """One positive and one negative weight in the plane, next to a single neuron at v."""

    def margin(beta: mpf, first: mpf, second: mpf, weight: mpf) -> mpf:
        c, angles = (mpf(1), -weight), (first, second)
        own = (1 + weight**2) / 2 - 2 * weight * h_of(mpmath.cos(first - second))
        cross = mpmath.fsum(w * h_of(beta * mpmath.cos(a)) for w, a in zip(c, angles, strict=True))
        limit = mpf(sympy.N(claim.single.subs(B, sympy.Float(str(beta), settings.digits + 10)), 60))
        return limit - max(cross, 0) ** 2 / own

    sides = {"beta": (0.01, 0.99), "first": (0, 3.1), "second": (0, 3.1), "weight": (0, 0.9)}
    return descend(margin, sides, settings, [(0.5, 0.01, 0.5, 0.1)], drawn=2)


def h_of(rho: mpf) -> mpf:
    """h(ρ) at the current precision."""
    return true_height(rho) / (2 * mpmath.pi)


B3 = Claim(
    id="B3",
    title="An upper bound for weights of any sign, every β",
    statement=(
        r"k_i=h(\beta s_i),\ n\text{ positive weights}:\quad c^\top h(P)c-2c^\top k\ \ge\ -"
        r"\mathrm{UB}_n(\beta),\quad \mathrm{UB}_n(\beta)=h(\beta^2)-a-\frac{e(\beta^2)}n+"
        r"\frac{(a+e(\beta)/n)^2}{a+A/n},\ a=\tfrac1{2\pi},\ e(x)=h(x)-a-\tfrac x4,\ A=e(1);\ "
        r"\text{and for }n=1\text{ it is}\ \ge-h(\beta)^2/h(1)"
    ),
    source=f"{SOURCE}; the case n = 1 is proved here",
    subject=upper,
    evidence=(
        Evidence(Kind.PROOF, "B1's argument order by order, every n and β", _upper_proof),
        Evidence(Kind.PROPERTY, "search over vectors, signs and β", _upper_search),
        Evidence(
            Kind.PROPERTY,
            "descent next to one neuron at v, 50 digits",
            _single_descent,
            covers="two neurons of the plane, n = 1",
        ),
    ),
    mutants=(
        Mutant("n + 1 for n", lambda c: replace(c, bound=c.bound.subs(N, N + 1))),
        Mutant("e(β) without its n", lambda c: replace(c, bound=c.bound - even(B) / 10)),
        Mutant("99% of h(β)²/h(1)", lambda c: replace(c, single=c.single * Rational(99, 100))),
    ),
    depends_on=("B1",),
)

CLAIMS: tuple[Claim[Any], ...] = (B3,)
