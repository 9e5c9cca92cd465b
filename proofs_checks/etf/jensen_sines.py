"""Claim A3a: Jensen's inequality in angles for sin kψ, for E4's proof."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import sympy
from mpmath import mpf
from sympy import Expr, cos, sin

from proofs_checks.attack import descend
from proofs_checks.checks import combine, falsify, identities, signs
from proofs_checks.etf.jensen import (
    PSI,
    B,
    Row,
    Sign,
    U,
    criterion,
    ensembles,
    jensen_gap,
    wronskian,
)
from proofs_checks.etf.tangents import SOURCE
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings

K = sympy.Symbol("k", positive=True)


@dataclass(frozen=True)
class Sines:
    """F = sin kψ for kψ <= reach π: W' and W'/B' as claimed."""

    rise: Expr
    ratio: Expr
    reach: str


def sines() -> Sines:
    """W' = (1 - k²) sin kψ sin ψ, over B' = 2 sin² ψ."""
    factor = 1 - K**2
    return Sines(factor * sin(K * PSI) * sin(PSI), factor * sin(K * PSI) / (2 * sin(PSI)), "1")


def _sines_proof(claim: Sines, _: Settings) -> Finding:
    """W/B is a running average of r = W'/B' with the weight B' dψ, and r does not decrease.

    W(0) = B(0) = 0, so W = ∫ r B' and B = ∫ B'. (W/B)' = B' (rB - W)/B², and rB - W is 0 at 0
    and has the derivative r'B. The sign of r' is that of (1 - k²)(u(kψ) - u(ψ)), because
    sin kψ / sin ψ > 0 for kψ < π, and that of (1 - k²)(1 - k) >= 0, because u decreases (A2). At
    the end b = π/k < π F is continuous.
    """
    return combine(identities(_sine_rows(claim)), signs(_sine_signs()))


def _sine_rows(claim: Sines) -> Iterator[Row]:
    w = wronskian(sin(K * PSI))
    yield "W(0) = 0", w.subs(PSI, 0), sympy.S.Zero
    yield "W' = (1 - k²) sin kψ sin ψ", sympy.diff(w, PSI), claim.rise
    yield "r = W'/B'", claim.rise / (2 * sin(PSI) ** 2), claim.ratio
    yield (
        "r' = (1 - k²)/2 · (u(kψ) - u(ψ))/ψ · sin kψ/sin ψ",
        sympy.diff(claim.ratio, PSI),
        (1 - K**2) / 2 * (U.subs(PSI, K * PSI) - U) / PSI * sin(K * PSI) / sin(PSI),
    )
    r, total = sympy.Function("r")(PSI), sympy.Function("W")(PSI)
    rise = sympy.diff(B, PSI) * r
    swap = {sympy.diff(total, PSI): rise}
    yield (
        "(W/B)' = B' (rB - W)/B²",
        sympy.diff(total / B, PSI).subs(swap),
        sympy.diff(B, PSI) * (r * B - total) / B**2,
    )
    yield (
        "(rB - W)' = r'B",
        sympy.diff(r * B - total, PSI).subs(swap),
        sympy.diff(r, PSI) * B,
    )


def _sine_signs() -> Iterator[Sign]:
    yield "(1 - k²)(1 - k)", sympy.factor((1 - K**2) * (1 - K)), ">=0"


def _sines_search(claim: Sines, settings: Settings) -> Finding:
    """Weights, angles and k anywhere, also with kψ = π; N_F at each angle too."""
    n = sympy.lambdify((K, PSI), criterion(sin(K * PSI)), "mpmath")

    def margin(weights: list[float], shares: list[float], turn: float, top: float) -> float:
        with mpmath.workdps(settings.digits):
            most = mpmath.pi * mpf(turn)
            k = mpf(claim.reach) * mpmath.pi / most * mpf(top)
            count = min(len(weights), len(shares))
            psi = [most * mpf(share) for share in shares[:count]]
            c = [mpf(w) for w in weights[:count]]
            gap = jensen_gap(c, psi, lambda x: mpmath.sin(k * x)) / sum(c)
            return float(min(gap, *(n(k, x) for x in psi)))

    return falsify(margin, ensembles(), settings, slack=10.0 ** (10 - settings.digits))


def _sines_descent(claim: Sines, settings: Settings) -> Finding:
    """Two neurons: their angles, the share of the first, and k."""

    def margin(a: mpf, b: mpf, w: mpf, top: mpf) -> mpf:
        k = mpf(claim.reach) * mpmath.pi * top / max(a, b)
        return jensen_gap((w, 1 - w), (a, b), lambda x: mpmath.sin(k * x))

    sides = {"a": (0.001, 3.14), "b": (0.001, 3.14), "w": (0, 1), "top": (0.001, 1)}
    return descend(margin, sides, settings, [(1, 0.5, 0.5, 1), (0.5, 0.5, 0.5, 0.9)])


A3A = Claim(
    id="A3a",
    title="Jensen in angles for sin kψ",
    statement=(
        r"k>0,\ F(\psi)=\sin k\psi:\ N_F\ge0\text{ for }0<\psi<\min(\pi,\pi/k);\text{ hence }"
        r"\sum c_i\sin k\psi_i\ge\bar m\sin k\bar\psi\text{ if all }0<\psi_i<\pi,\ k\psi_i\le\pi"
    ),
    source=SOURCE,
    subject=sines,
    evidence=(
        Evidence(Kind.PROOF, "running averages of a monotone quotient, every k", _sines_proof),
        Evidence(Kind.PROPERTY, "search over weights, angles and k, 50 digits", _sines_search),
        Evidence(Kind.PROPERTY, "descent for two neurons, 50 digits", _sines_descent),
    ),
    mutants=(
        Mutant("kψ up to 2π", lambda c: replace(c, reach="2")),
        Mutant("W' with 1 - k", lambda c: replace(c, rise=(1 - K) * sin(K * PSI) * sin(PSI))),
        Mutant("W'/B' with sin kψ / sin 2ψ", lambda c: replace(c, ratio=c.ratio / cos(PSI))),
    ),
    depends_on=("A2",),
)

CLAIMS: tuple[Claim[Any], ...] = (A3A,)
