"""Claim B4: positive weights against the cone whose height their sum gives."""

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
from sympy import Expr, Rational, asin, pi, sqrt

from proofs_checks.checks import agreement, combine, falsify, identities, signs
from proofs_checks.etf.inertia import kernel_of
from proofs_checks.etf.signs import coefficient
from proofs_checks.etf.signs_small import SIGMA, B, N, S, even, h_of, level, upper
from proofs_checks.etf.tangents import SOURCE
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.replay import signs as replay_signs
from proofs_checks.strategies import unit_vectors
from symcomp import objectives
from symcomp.kernels import RHO, DualKernel, dual_kernel

Array: TypeAlias = NDArray[np.float64]
Row: TypeAlias = tuple[str, Expr, Expr]
Sign: TypeAlias = tuple[str, Expr, str]

M = objectives.M


# ---- B4 ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sharp:
    """The comparison functions of B4; expressions in t, s, β, M.

    κ and α² of the kernel, l_1 of the cross term, the right side of (C), and the price of (slack)
    in l = l_2, with g for σ.
    """

    kernel: DualKernel
    curve: Expr
    alpha: Expr
    first: Expr
    right: Expr
    price: Expr


T, R, SECOND, G = sympy.symbols("t R l g", positive=True)


def sharp() -> Sharp:
    """κ = arcsin t/(4πt), α² = 1/(8κ), l_1 = βh'(βs)/(2s), (C)'s right side, and the price."""
    kernel = dual_kernel("relu")
    curve = asin(T) / (4 * pi * T)
    slope = sympy.diff(kernel.correlation, RHO).subs(RHO, B * S)
    price = 2 * SECOND * G * (1 - S**2) / (M - 1) + (1 - 1 / M) * SECOND**2 / curve
    return Sharp(
        kernel,
        curve,
        1 / (8 * curve),
        B * slope / (2 * S),
        B * S * slope / (2 * R),
        price,
    )


def _sharp_proof(claim: Sharp, _: Settings) -> Finding:
    """All c_i > 0 and σ = g(s) for an s in (0, 1]; t = t(s).

    h(r) - r/4 is convex in y = r², its coefficients being positive, so above its tangent at t²:
    h(r) >= κ(r + α²)² + q_0. On the diagonal more is true, h(1) = κ(1 + α²)² + q_0 + δ with
    δ >= 0, and Σc² >= σ²/M: without δ the bound would not be sharp. h(βx) <= h(βs) +
    βh'(βs)(x - s) + R(x - s)²: the second divided difference is the mean of β²h''(β|z|) over
    z = (1 - θ)s + θx, and |z| <= (1 - θ)s + θ, its z at x = 1, while h'' grows with |z|.

    With g_i = (u_i, α) and T = Σ c g g', the trace is τ = (1 + α²)σ, |T|² = ΣΣ c c (ρ + α²)², and
    the cross term is <T, L> up to a multiple of σ. <T, L> is at most l_1 λ_1 + l λ_2 with
    l = max(l_2, 0) and the two greatest eigenvalues of T in one order or the other (von Neumann;
    what follows does not depend on the order). At most M eigenvalues are not 0: Φ is at least the
    minimum of a convex quadratic over M numbers with the sum τ. At σ = g(s) that is
    σ²E(s) - 2σh(βs) - price, which for l = 0 is the cone's own value, at least -h(βs)²/E(s) >= -V.
    """
    rows = [*_kernel_rows(claim), *_cross_rows(claim), *_quadratic_rows(claim), *_cone_rows()]
    return combine(identities(rows), signs(_sharp_signs(claim)))


def _kernel_rows(claim: Sharp) -> Iterator[Row]:
    h, curve, alpha = claim.kernel.correlation, claim.curve, claim.alpha
    even = h - RHO / 4
    yield (
        "κ is the slope of h(r) - r/4 in r², at r = t",
        (sympy.diff(even, RHO) / (2 * RHO)).subs(RHO, T),
        curve,
    )
    at = even.subs(RHO, T)
    q0 = at - curve * T**2 - curve * alpha**2
    yield (
        "r/4 + e(t) + κ(r² - t²) = κ(r + α²)² + q_0",
        RHO / 4 + at + curve * (RHO**2 - T**2),
        curve * (RHO + alpha) ** 2 + q0,
    )
    yield (
        "δ on the diagonal",
        h.subs(RHO, 1) - curve * (1 + alpha) ** 2 - q0,
        even.subs(RHO, 1) - at - curve * (1 - T**2),
    )
    yield "κ(t + α²) = h'(t)/2", curve * (T + alpha), sympy.diff(h, RHO).subs(RHO, T) / 2


def _cross_rows(claim: Sharp) -> Iterator[Row]:
    h = claim.kernel.correlation
    x, D, first = sympy.symbols("x D l_1", real=True)
    alpha = sympy.Symbol("alpha2", positive=True)
    slope = B * sympy.diff(h, RHO).subs(RHO, B * S)
    second = (R * D - first * S**2) / alpha
    forms = (first * (S * x + alpha) ** 2 + second * alpha * (x - S) ** 2) / D
    yield (
        "<gg', L> over g = (u, α), x = <u, v>, D = s² + α²",
        forms.subs(D, S**2 + alpha),
        (first * D + 2 * S * first * (x - S) + R * (x - S) ** 2).subs(D, S**2 + alpha),
    )
    yield "2s l_1 = βh'(βs)", 2 * S * claim.first, slope
    yield (
        "l_2 <= 0 is (C)",
        (R * (S**2 + alpha) - claim.first * S**2) / R,
        S**2 + alpha - claim.right,
    )
    yield "α² = (π/2) t/arcsin t", claim.alpha, pi / 2 * T / asin(T)
    rest = h.subs(RHO, B) - h.subs(RHO, B * S) - (1 - S) * slope
    curvature = B**2 * sympy.diff(h, RHO, 2).subs(RHO, B * S)
    yield (
        "R(1 - s)² = ∫ (1 - z) β²h''(βz) dz from s to 1: the slopes in s",
        sympy.diff(rest, S),
        -(1 - S) * curvature,
    )
    yield "and 0 at s = 1", rest.subs(S, 1), sympy.S.Zero


def _quadratic_rows(claim: Sharp) -> Iterator[Row]:
    """κΣλ² - 2l_1λ_1 - 2lλ_2 with Σλ = τ: the least value over M eigenvalues."""
    kappa, first, tau, alpha = sympy.symbols("kappa l_1 tau alpha2", positive=True)
    lam = [tau / M + (own - (first + SECOND) / M) / kappa for own in (first, SECOND, 0)]
    value = kappa * (lam[0] ** 2 + lam[1] ** 2 + (M - 2) * lam[2] ** 2)
    value -= 2 * first * lam[0] + 2 * SECOND * lam[1]
    bound = kappa * (tau - (first + SECOND) / kappa) ** 2 / M - (first**2 + SECOND**2) / kappa
    yield "the stationary eigenvalues have the sum τ", lam[0] + lam[1] + (M - 2) * lam[2], tau
    yield "the least value", value, bound
    alone = bound.subs(SECOND, 0)
    # at σ = g: l_1/κ = σ(t + α²) and τ = σ(1 + α²)
    at = {tau: SIGMA * (1 + alpha), first: kappa * SIGMA * (T + alpha)}
    price = claim.price.subs({G: SIGMA, asin(T): kappa * 4 * pi * T})
    yield (
        "what l costs, with 1 - t = M(1 - s²)/(M - 1)",
        (alone - bound).subs(at).subs(T, (M * S**2 - 1) / (M - 1)),
        price.subs(T, (M * S**2 - 1) / (M - 1)),
    )


def _cone_rows() -> Iterator[Row]:
    """The value at l = 0 is that of M equal weights σ/M on the cone."""
    kappa, q0, delta, top_ = sympy.symbols("kappa q_0 delta h_s", positive=True)
    alpha, energy = sympy.symbols("alpha2 E", positive=True)
    first, tau = kappa * SIGMA * (T + alpha), SIGMA * (1 + alpha)
    spread = kappa * (tau - first / kappa) ** 2 / M - first**2 / kappa
    height = S**2 + alpha
    value = spread + (q0 + delta / M) * SIGMA**2 - 2 * (top_ - first * height) * SIGMA
    one, off = kappa * (1 + alpha) ** 2 + q0 + delta, kappa * (T + alpha) ** 2 + q0
    cone = SIGMA**2 * (one / M + (1 - 1 / M) * off) - 2 * SIGMA * top_
    mean = (M * S**2 - 1) / (M - 1)
    yield "σ²E - 2σh(βs), on the cone", value.subs(T, mean), cone.subs(T, mean)
    yield (
        "which is at least -h²/E",
        SIGMA**2 * energy - 2 * SIGMA * top_,
        -(top_**2) / energy + energy * (SIGMA - top_ / energy) ** 2,
    )


def _sharp_signs(claim: Sharp) -> Iterator[Sign]:
    x = sympy.Symbol("x", positive=True)
    theta, size = Rational(1, 3), sympy.Symbol("D", nonnegative=True)
    yield "the even coefficients", coefficient(claim.kernel), ">0"
    third = sympy.diff(claim.kernel.correlation, RHO, 3).subs(RHO, 1 / sqrt(1 + x**2))
    yield "h'' grows with |z|: its slope at 1/sqrt(1 + x²)", sympy.simplify(third), ">0"
    # |(1 - θ)s + θx| <= (1 - θ)s + θ: both differences, at x = 1 - D, D <= 2
    yield "θD", theta * size, ">=0"
    yield "l_1", claim.first.subs(asin(B * S), x).subs(sympy.acos(B * S), pi / 2 - x), ">0"


def _formulas(claim: Sharp, settings: Settings) -> Finding:
    """What the checker evaluates, at symbols and at numbers, against B4's own."""
    return combine(
        identities([*same_rows(claim), *bound_rows(claim), *two_rows(claim)]),
        _room_numbers(claim, settings),
    )


def _symbols() -> replay_signs.Roots:
    return replay_signs.Roots(pi, sqrt, asin, Rational)


def same_rows(claim: Sharp) -> Iterator[Row]:
    """The checker's h, e, UB_n, L_n, E and g are those of the ledger."""
    f, m = _symbols(), 5
    h, mean = claim.kernel.correlation, (m * S**2 - 1) / (m - 1)
    slope = sympy.diff(h, RHO)
    yield "h", replay_signs.h(RHO, f), h
    yield "h'", replay_signs.h1(RHO, f), slope
    yield "h''", replay_signs.h2(RHO, f), sympy.diff(h, RHO, 2)
    yield "e", replay_signs.even(B, f), even(B)
    yield "UB_3", replay_signs.bound(3, B, f), upper().bound.subs(N, 3)
    yield "L_3", replay_signs.level(3, B, SIGMA, f), level(sympy.Integer(3))
    yield "t, M = 5", replay_signs.mean(m, S), mean
    energy = objectives.energy_bound(claim.kernel, sympy.Integer(m), S**2)
    yield "E, M = 5", replay_signs.energy(m, S, f), energy
    pull = B * slope.subs(RHO, B * S) / (S * slope.subs(RHO, mean))
    yield "g, M = 5", replay_signs.Scaled(m).pull(B, S / B, f), pull


def bound_rows(claim: Sharp) -> Iterator[Row]:
    """The checker's weights of the chords, price and series of arcsin t/t are the claim's."""
    f, k = _symbols(), replay_signs.PANELS
    weights = [replay_signs.weight(i, f) for i in range(k + 1)]
    yield "weights of the chords: ∫ (1 - θ)", sum(weights), Rational(1, 2)
    mean = sum(w * Rational(i, k) for i, w in enumerate(weights))
    yield "and ∫ (1 - θ)θ", mean, Rational(1, 6)
    price = claim.price.subs(asin(T), T).subs(M, 5)
    yield "the price with 1/κ = 4π", replay_signs.price(5, S, G, SECOND, f), price
    series = sympy.series(asin(T) / T, T, 0, 7).removeO()
    given = sympy.series(1 / replay_signs.quotient(T, f), T, 0, 7).removeO()
    yield "arcsin t/t to order 6", given, series


def two_rows(claim: Sharp) -> Iterator[Row]:
    """M = 2 with s = sin x: t = -cos 2x, h(t) = (sin 2x - 2x cos 2x)/2π, h'(t) = 2x/2π."""
    f, x, q = _symbols(), sympy.Symbol("x", positive=True), sympy.Symbol("q", positive=True)
    slope = sympy.diff(claim.kernel.correlation, RHO)
    yield "t = -cos 2x", replay_signs.mean(2, sympy.sin(x)), -sympy.cos(2 * x)
    given = replay_signs.energy(2, q, f).subs(asin(q), x).subs(sqrt(1 - q**2), sympy.cos(x))
    own = (sympy.sin(2 * x) - 2 * x * sympy.cos(2 * x)) / (2 * pi)
    yield "E, M = 2", given.subs(q, sympy.sin(x)), Rational(1, 4) + own / 2
    pull = B**2 * slope.subs(RHO, B**2 * S) / (S * asin(S) / pi)
    yield "g, M = 2", replay_signs.Scaled(2).pull(B, S / B, f), pull


def _room_numbers(claim: Sharp, settings: Settings) -> Finding:
    """The checker's room in (C) is a little less than the true one, as ρ and φ are bounded."""
    f = replay_signs.Roots(mpmath.pi, mpmath.sqrt, mpmath.asin, lambda p, q: mpf(p) / q)
    room = 2 * R / B * (claim.right - S**2 - claim.alpha)
    true = sympy.lambdify((B, S, T, R), room, "mpmath")
    close, above = [], []
    with mpmath.workdps(settings.digits):
        for m, beta, s in ((3, "0.5", "0.7"), (10, "0.4", "0.45"), (48, "0.3", "0.31")):
            b, x = mpf(beta), mpf(s)
            wanted = true(b, x, (m * x * x - 1) / (m - 1), _rest(b, x) / (1 - x) ** 2)
            got = replay_signs.Scaled(m).room(b, x / b, f) * b
            close.append((f"(C), M = {m}", got, wanted))
            above.append((f"not more than true, M = {m}", max(got - wanted, mpf(0)), mpf(0)))
    return combine(agreement(close, 3, floor=0.1), agreement(above, 40, floor=1))


def _rest(beta: mpf, s: mpf) -> mpf:
    """h(β) - h(βs) - β(1 - s)h'(βs)."""
    return h_of(beta) - h_of(beta * s) - beta * (1 - s) * _slope(beta * s)


def _slope(rho: mpf) -> mpf:
    return (mpmath.pi / 2 + mpmath.asin(rho)) / (2 * mpmath.pi)


def _sharp_search(claim: Sharp, settings: Settings) -> Finding:
    """Φ(c) >= σ²E(s) - 2σh(βs) - price for every c > 0 with the sum g(s), every β and s."""
    names = (B, S, T, R)
    second = (R * (S**2 + claim.alpha) - claim.first * S**2) / claim.alpha
    lead = sympy.lambdify(names, second, "numpy")
    price = sympy.lambdify((S, T, M, G, SECOND), claim.price, "numpy")

    def margin(vectors: Array, weights: list[int], beta: float, s: float) -> float:
        m = len(vectors)
        t = (m * s * s - 1) / (m - 1) if m > 1 else 0.0
        assume(m > 1 and abs(t) > 1e-3 and t > -0.99)
        g = beta * float(_slope(mpf(beta * s))) / (s * float(_slope(mpf(t))))
        c = np.resize(np.array(weights, dtype=np.float64), m)
        c *= g / c.sum()
        gram = vectors @ vectors.T
        np.fill_diagonal(gram, 1)
        own = c @ kernel_of(gram) @ c - 2 * c @ kernel_of(beta * vectors[:, 0])
        rest = float(_rest(mpf(beta), mpf(s))) / (1 - s) ** 2
        lack = max(float(lead(beta, s, t, rest)), 0.0)
        energy = 0.5 / m + (1 - 1 / m) * kernel_of(np.asarray(t))
        cone = g * g * energy - 2 * g * kernel_of(np.asarray(beta * s))
        return float(own - cone + price(s, t, m, g, lack)) / max(g, g * g)

    strategies = {
        "vectors": unit_vectors(),
        "weights": st.lists(st.integers(1, 9), min_size=1, max_size=12),
        "beta": st.sampled_from((0.01, 0.3, 0.6)) | st.floats(0.01, 0.99),
        "s": st.floats(0.02, 0.99),
    }
    return falsify(margin, strategies, settings, slack=1e-10)


def _scaled_by(name: str, **factors: Rational) -> Mutant[Sharp]:
    return Mutant(name, lambda c: replace(c, **{k: f * getattr(c, k) for k, f in factors.items()}))


B4 = Claim(
    id="B4",
    title="The cone against positive weights of the sum g(s)",
    statement=(
        r"c_i>0,\ \sigma=\textstyle\sum c_i=g(s)=\frac{\beta h'(\beta s)}{s\,h'(t(s))},\ 0<s\le1:"
        r"\quad c^\top h(P)c-2c^\top k\ge\sigma^2E(s)-2\sigma h(\beta s)-\frac{2l\sigma(1-s^2)}"
        r"{M-1}-\Bigl(1-\frac1M\Bigr)\frac{l^2}{\kappa},\ l=\max(l_2,0);\quad l_2\le0\iff"
        r"\text{(C)}\ \tfrac\pi2\tfrac{t}{\arcsin t}+s^2\le\frac{\beta s\,h'(\beta s)}{2R}"
    ),
    source=f"{SOURCE}; the price of l_2 > 0 is new here",
    subject=sharp,
    evidence=(
        Evidence(Kind.PROOF, "quadratic comparison functions, every M, β and s", _sharp_proof),
        Evidence(
            Kind.PRECISION,
            "the checker's formulas are these",
            _formulas,
            covers="the formulas of the certificate B4",
        ),
        Evidence(Kind.PROPERTY, "search over vectors, weights, β and s", _sharp_search),
    ),
    mutants=(
        _scaled_by("twice κ", curve=Rational(2)),
        _scaled_by("half of l_1", first=Rational(1, 2)),
        _scaled_by("(C) with βsh'/R", right=Rational(2)),
        _scaled_by("no price", price=Rational(0)),
    ),
    depends_on=("B1",),
)

CLAIMS: tuple[Claim[Any], ...] = (B4,)
