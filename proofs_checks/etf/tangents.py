"""Claim A1: tangents to the ReLU kernel in angles, the first step of E4's proof."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import mpmath
import sympy
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Expr, cos, pi, sin

from proofs_checks.attack import descend
from proofs_checks.checks import combine, falsify, identities, signs
from proofs_checks.etf.forms import ANGLE, M, S, big_kernel, defect, height
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from symcomp import objectives
from symcomp.kernels import RHO, DualKernel, dual_kernel

Row: TypeAlias = tuple[str, Expr, Expr]
SOURCE = "proof of E4 found in this project; refereed by nobody outside it"

Y = sympy.Symbol("y", nonnegative=True)
R = sympy.Symbol("r", real=True)  # the point of tangency


@dataclass(frozen=True)
class Tangents:
    """H(ρ) >= line(y, ρ), with equality at ρ = touch(y); e(y; s) = total, t(s) = mean."""

    kernel: DualKernel
    line: Expr
    touch: Expr
    total: Expr
    mean: Expr


def tangents() -> Tangents:
    """The lines yρ + sin y, and e(y; s) = ys² + sin y + d(y)/M."""
    return Tangents(
        kernel=dual_kernel("relu"),
        line=Y * RHO + sin(Y),
        touch=-cos(Y),
        total=Y * S**2 + sin(Y) + defect(Y) / M,
        mean=(M * S**2 - 1) / (M - 1),
    )


def _proof(claim: Tangents, _: Settings) -> Finding:
    """H is strictly convex and yρ + sin y is its tangent at ρ = -cos y.

    As y runs through [0, π], r = -cos y runs through [-1, 1], and y = π - arccos r. At the ends
    the line is the limit of tangents, and the inequality their limit, strict elsewhere as H is
    strictly convex up to the ends. e(y; s) is (1 - 1/M) times the line at ρ = t(s), plus π/M: its
    greatest value over y is at y = π - arccos t(s), as t(s) is in [-1, 1], and is 2πE(s).
    """
    return combine(identities([*_lines(claim), *_sums(claim)]), signs(_ranges(claim)))


def _lines(claim: Tangents) -> Iterator[Row]:
    H = big_kernel(claim.kernel, RHO)
    slope = sympy.diff(H, RHO)
    at = ANGLE.subs(RHO, R)
    yield "H(-cos ψ) = sin ψ - ψ cos ψ, with ψ = π - arccos ρ", H, height(ANGLE)
    yield "H' = ψ", slope, ANGLE
    yield "the line of y touches at ρ = r, with y = π - arccos r", claim.touch.subs(Y, at), R
    tangent = H.subs(RHO, R) + slope.subs(RHO, R) * (RHO - R)
    yield "and is the tangent there", claim.line.subs(Y, at), tangent
    yield "y = 0: the line is 0 = H(-1)", claim.line.subs(Y, 0), H.subs(RHO, -1)
    yield "y = π: it is πρ, and π = H(1)", claim.line.subs({Y: pi, RHO: 1}), H.subs(RHO, 1)


def _sums(claim: Tangents) -> Iterator[Row]:
    line = claim.line.subs(RHO, claim.mean)
    yield (
        "e(y; s) = (1 - 1/M)(y t + sin y) + π/M, with d(y) = π - y - sin y",
        claim.total,
        (1 - 1 / M) * line + pi / M,
    )
    yield (
        "(1 - 1/M) H(t) + π/M = 2πE(s)",
        (1 - 1 / M) * big_kernel(claim.kernel, claim.mean) + pi / M,
        2 * pi * objectives.energy_bound(claim.kernel, M, S**2),
    )


def _ranges(claim: Tangents) -> Iterator[tuple[str, Expr, str]]:
    """κ'' > 0; -1 <= t <= 1 for M >= 2 and |s| <= 1."""
    x = sympy.Symbol("x", positive=True)
    more, gap = sympy.symbols("m D", nonnegative=True)
    second = sympy.simplify(sympy.diff(big_kernel(claim.kernel, RHO), RHO, 2))
    mean = claim.mean.subs(M, more + 2)
    yield f"H'' = {second} with ρ = (1 - x)/(1 + x)", second.subs(RHO, (1 - x) / (1 + x)), ">0"
    yield "1 + t, with M = m + 2", sympy.factor(1 + mean), ">=0"
    square = sympy.factor((1 - mean).subs(S, sympy.sqrt(1 - gap)))
    yield "1 - t, with M = m + 2 and s² = 1 - D", square, ">=0"


# ---- attack --------------------------------------------------------------------------------------


def true_height(rho: mpf) -> mpf:
    """H(ρ) = sqrt(1 - ρ²) + ρ (π - arccos ρ), from the arc-cosine formula."""
    rho = min(max(rho, mpf(-1)), mpf(1))
    return mpmath.sqrt((1 - rho) * (1 + rho)) + rho * (mpmath.pi - mpmath.acos(rho))


class _Margins:
    """H(ρ) minus the line, and 2πE(s) minus e(y; s), at high precision."""

    def __init__(self, claim: Tangents) -> None:
        self.line = sympy.lambdify((Y, RHO), claim.line, "mpmath")
        self.total = sympy.lambdify((Y, S, M), claim.total, "mpmath")

    def below(self, y: mpf, rho: mpf) -> mpf:
        return true_height(rho) - self.line(y, rho)

    def greatest(self, y: mpf, s: mpf, m: int) -> mpf:
        t = (m * s * s - 1) / (m - 1)
        return (mpmath.pi + (m - 1) * true_height(t)) / m - self.total(y, s, m)


def _search(claim: Tangents, settings: Settings) -> Finding:
    """Angles and correlations at and next to the ends and to the point of tangency."""
    margins, digits = _Margins(claim), settings.digits

    def margin(turn: float, offset: float, s: float, m: int) -> float:
        with mpmath.workdps(digits):
            y = mpmath.pi * mpf(turn)
            rho = min(max(-mpmath.cos(y) + mpf(offset), mpf(-1)), mpf(1))
            t = (m * mpf(s) ** 2 - 1) / (m - 1)
            touching = mpmath.pi - mpmath.acos(t)
            angles = (y, touching, min(max(touching + mpf(offset), mpf(0)), mpmath.pi))
            values = [margins.below(y, rho), *(margins.greatest(a, mpf(s), m) for a in angles)]
            # at χ(s) itself e is 2πE: more than rounding there is a failure too
            values.append(mpf(10) ** (15 - digits) - abs(margins.greatest(touching, mpf(s), m)))
            return float(min(values))

    tiny = st.sampled_from((0.0, 1e-20, -1e-20, 1e-6, -1e-6)) | st.floats(-2, 2)
    strategies = {
        "turn": st.sampled_from((0.0, 1.0, 1e-9, 0.5)) | st.floats(0, 1),
        "offset": tiny,
        "s": st.sampled_from((0.0, 1.0, -1.0, 1e-9)) | st.floats(-1, 1),
        "m": st.integers(2, 60),
    }
    return falsify(margin, strategies, settings, slack=10.0 ** (10 - digits))


def _descent(claim: Tangents, settings: Settings) -> Finding:
    margins = _Margins(claim)
    with mpmath.workdps(settings.digits):
        top = +mpmath.pi
    return combine(
        descend(margins.below, {"y": (0, top), "rho": (-1, 1)}, settings, [(0, 0), (1, 1), (1, 0)]),
        descend(
            lambda y, s: margins.greatest(y, s, 2),
            {"y": (0, top), "s": (-1, 1)},
            settings,
            [(0, 0.5)],
        ),
    )


A1 = Claim(
    id="A1",
    title="Tangents to the ReLU kernel in angles",
    statement=(
        r"H=2\pi h,\ y\in[0,\pi],\ \rho\in[-1,1]:\quad H(\rho)\ge y\rho+\sin y,\ \text{equality "
        r"iff }\rho=-\cos y;\quad d(y)=\pi-y-\sin y,\ t(s)=\tfrac{Ms^2-1}{M-1}\in[-1,1]:\quad"
        r"\max_{0\le y\le\pi}\Bigl(ys^2+\sin y+\tfrac1M d(y)\Bigr)=2\pi E(s),\ \text{at }"
        r"y=\chi(s)=\pi-\arccos t(s)"
    ),
    source=SOURCE,
    subject=tangents,
    evidence=(
        Evidence(Kind.PROOF, "the tangents of a strictly convex function, every M >= 2", _proof),
        Evidence(Kind.PROPERTY, "search next to the ends and to the tangency, 50 digits", _search),
        Evidence(Kind.PROPERTY, "descent of both margins, 50 digits", _descent),
    ),
    mutants=(
        Mutant("t(s) with M - 1 for M", lambda c: replace(c, mean=((M - 1) * S**2 - 1) / (M - 2))),
        Mutant("a kernel with κ'' < 0 somewhere", lambda c: replace(c, kernel=dual_kernel("sign"))),
        Mutant("the line yρ + y", lambda c: replace(c, line=Y * RHO + Y)),
        Mutant("touching at ρ = cos y", lambda c: replace(c, touch=cos(Y))),
        Mutant(
            "d(y) = π - y + sin y",
            lambda c: replace(c, total=Y * S**2 + sin(Y) + (pi - Y + sin(Y)) / M),
        ),
    ),
    depends_on=("K1",),
)

CLAIMS: tuple[Claim[Any], ...] = (A1,)
