"""Claims K1d, K1m and K1f: Gaussian means that other tools get wrong (theory.md 2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import sympy
from hypothesis import strategies as st
from mpmath import mpf

import symcomp
from proofs_checks.checks import agreement, falsify
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp.antiderivatives import C
from symcomp.errors import DivergenceError
from symcomp.expectations import QU, QV, expectation

# ---- K1d: divergence -----------------------------------------------------------------------------

_A = sympy.Rational(1, 8)


@dataclass(frozen=True)
class Growth:
    """E exp(X²/8) exp(Y²/8) at q_u = q_v = c = q: the value claimed, ∞ where it diverges."""

    value: Callable[[Fraction], mpf]


def _derived_growth(q: Fraction) -> mpf:
    ker = symcomp.dual_kernel(sympy.exp(_A * sympy.Symbol("x") ** 2))
    try:
        return ker.evaluate(q, q, q, 40)
    except DivergenceError:
        return mpf("inf")


def _finite_beyond(q: Fraction) -> mpf:
    return 1 / mpmath.sqrt(abs(1 - mpf(q.numerator) / q.denominator / 2))


def _grows(g: Growth, _: Settings) -> Finding:
    """The integral over [-L, L], L = 20: its value where finite, beyond 10^6 where it diverges.

    The integrand is exp(q z²/4) against exp(-z²/2), so q >= 2 diverges.
    """

    def truncated(q: Fraction) -> mpf:
        slope = (mpf(q.numerator) / q.denominator / 2 - 1) / 2
        cuts = list(range(-20, 21))
        return mpmath.quad(lambda z: mpmath.exp(slope * z * z), cuts) / mpmath.sqrt(2 * mpmath.pi)

    rows = []
    with mpmath.workdps(30):
        for q in (Fraction(1, 2), Fraction(1), Fraction(3), Fraction(5)):
            part, claimed = truncated(q), g.value(q)
            wanted = part if q < 2 else mpf("inf")
            error = "" if _same(claimed, wanted) else f"q = {q}: {claimed}, [-20,20] has {part}"
            rows.append(error)
    bad = [row for row in rows if row]
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    figure = f"{len(rows)} variances, 2 of them beyond convergence"
    return Finding(outcome, figure, len(rows), len(rows), len(rows), "; ".join(bad))


def _same(a: mpf, b: mpf) -> bool:
    return bool(a == b or abs(a - b) < mpf(10) ** -20)


K1D = Claim(
    id="K1d",
    title="A Gaussian expectation that diverges has no value",
    statement=(
        r"\mathbb{E}\,e^{X^2/8}e^{X^2/8}=(1-q/2)^{-1/2}\text{ for }q<2,\quad"
        r"=\infty\text{ for }q\ge2"
    ),
    source="theory.md K1, the case the ladder must refuse",
    subject=lambda: Growth(_derived_growth),
    evidence=(Evidence(Kind.PRECISION, "mpmath: integrals over [-20, 20]", _grows),),
    mutants=(
        # a public tool returns this number
        Mutant("a finite value beyond q = 2", lambda g: replace(g, value=_finite_beyond)),
    ),
)


# ---- K1m: the mean of a maximum ------------------------------------------------------------------


def _mean_of_maximum() -> sympy.Expr:
    """E max(X, Y) = E relu(X - Y), as E Y = 0."""
    form = symcomp.activation("relu").form
    assert form is not None
    return expectation(form, QU + QV - 2 * C)


def _maximum_by_angle(expr: sympy.Expr, settings: Settings) -> Finding:
    """E |z| times the mean over the circle of max(√q_u cos φ, √q_v cos(φ - α)), cos α = ρ."""
    digits = settings.digits

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for qu, qv, c in ((1, 1, "-1/2"), (1, 1, "1/2"), (1, 4, -1), ("13/10", 2, "4/5")):
            at = {QU: sympy.Rational(qu), QV: sympy.Rational(qv), C: sympy.Rational(c)}
            u, v, cov = (mpf(n.p) / n.q for n in at.values())
            alpha = mpmath.acos(cov / mpmath.sqrt(u * v))
            x, y = mpmath.sqrt(u), mpmath.sqrt(v)

            def larger(t: mpf, x: mpf = x, y: mpf = y, alpha: mpf = alpha) -> mpf:
                return max(x * mpmath.cos(t), y * mpmath.cos(t - alpha))

            kink = mpmath.atan2(x - y * mpmath.cos(alpha), y * mpmath.sin(alpha))
            cuts = [kink, kink + mpmath.pi, kink + 2 * mpmath.pi]
            mean = mpmath.quad(larger, cuts) / (2 * mpmath.pi) * mpmath.sqrt(mpmath.pi / 2)
            yield f"at {qu}, {qv}, {c}", mpf(sympy.N(expr.subs(at), digits + 10)), mean

    with mpmath.workdps(digits + 20):
        return agreement(rows(), digits)


def _wrong_maximum(expr: sympy.Expr) -> sympy.Expr:
    q = QU + QV - 2 * C
    return sympy.Piecewise((expr - q / (2 * sympy.sqrt(2 * sympy.pi)), C < 0), (expr, True))


K1M = Claim(
    id="K1m",
    title="The mean of the larger of two Gaussians",
    statement=r"\mathbb{E}\max(X,Y)=\sqrt{(q_u+q_v-2c)/(2\pi)};\ 0.691\text{ at }\rho=-\tfrac12",
    source="Clark 1961; from E relu(X - Y)",
    subject=_mean_of_maximum,
    evidence=(Evidence(Kind.PRECISION, "mpmath: the integral over the angle", _maximum_by_angle),),
    mutants=(
        # a computer algebra system gives 0.093 at ρ = -1/2
        Mutant("0.093 at ρ = -1/2, and so for every c < 0", _wrong_maximum),
        Mutant("plus 2c", lambda e: e.subs(C, -C)),
    ),
)


# ---- K1f: in floating point ----------------------------------------------------------------------

FloatKernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _lambdified(U: np.ndarray, V: np.ndarray) -> np.ndarray:
    ker = symcomp.dual_kernel("relu")
    kappa = sympy.lambdify(ker.rho, ker.correlation, "numpy")
    sizes = np.outer(np.linalg.norm(U, axis=1), np.linalg.norm(V, axis=1))
    with np.errstate(invalid="ignore"):
        return np.asarray(sizes * kappa(U @ V.T / sizes))


def _generated() -> FloatKernel:
    kernel: FloatKernel = symcomp.generate("relu").load().kernel
    return kernel


def _parallel(kernel: FloatKernel, settings: Settings) -> Finding:
    """K(u, ku) = k |u|²/2: rounding puts the cosine of u and ku above 1 as often as below."""

    def margin(seed: int, k: float) -> float:
        u = np.random.default_rng(seed).standard_normal((1, 5))
        exact_value = k * float(np.sum(u * u)) / 2
        return 1e-14 - abs(float(kernel(u, k * u)[0, 0]) / exact_value - 1)

    domain = {"seed": st.integers(0, 9999), "k": st.floats(0.1, 10)}
    return falsify(margin, domain, settings)


K1F: Claim[FloatKernel] = Claim(
    id="K1f",
    title="The generated ReLU kernel of parallel vectors is right in float64",
    statement=r"K(u,ku)=\tfrac k2|u|^2\text{ to }10^{-14},\ k>0,\text{ in floating point}",
    source="theory.md K1 at ρ = 1",
    subject=_generated,
    evidence=(Evidence(Kind.PROPERTY, "Hypothesis: parallel vectors", _parallel),),
    mutants=(Mutant("the lambdified κ: NaN one ulp above 1", lambda _: _lambdified),),
    depends_on=("K1",),
)

CLAIMS: tuple[Claim[Any], ...] = (K1D, K1M, K1F)
