"""Claim A4: where a height is bad, (V2) holds; the regions cover all of them."""

from dataclasses import dataclass, replace
from typing import Any

import mpmath
import sympy
from hypothesis import assume
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Rational, cos, pi

from proofs_checks.attack import descend
from proofs_checks.checks import falsify, signs
from proofs_checks.etf.inequalities import bad_margin
from proofs_checks.etf.regions import deep, low
from proofs_checks.etf.tangents import SOURCE
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings


@dataclass(frozen=True)
class Everywhere:
    """Where the parts meet: β at A4ii's end, ψ̄ at A4iii's, and V2's z and x; bad heights only."""

    beta: Rational
    psi: Rational
    z: Rational
    x: Rational
    everywhere: bool = False


def everywhere() -> Everywhere:
    """0.07, 4/5, 12/25 and 3/4."""
    return Everywhere(low().least, deep().reach, Rational(12, 25), Rational(3, 4))


def _cover(claim: Everywhere, _: Settings) -> Finding:
    """β = cos πz and βs = cos πx: s in [-1, 1] is z <= x <= 1 - z, and cos decreases.

    What A4ii leaves has β > 0.07, so z < 12/25; what A4iii leaves has π(1 - x) > 4/5, so x < 3/4;
    of the rest V2 has all bad s < β, and A4i says that no s >= β is bad.
    """
    return signs(
        [
            ("β at z = 12/25 is at most 0.07", claim.beta - cos(pi * claim.z), ">=0"),
            ("ψ̄ at x = 3/4 is at most 4/5", claim.psi - pi * (1 - claim.x), ">=0"),
            ("and β > 0 there", sympy.Rational(1, 2) - claim.z, ">0"),
        ]
    )


def _cover_search(claim: Everywhere, settings: Settings) -> Finding:
    """All β and s, at the edges and where the parts meet."""

    def margin(z: float, share: float) -> float:
        with mpmath.workdps(settings.digits):
            x = mpf(z) + (1 - 2 * mpf(z)) * mpf(share)
            value = bad_margin(mpf(z), x, everywhere=claim.everywhere)
        assume(value is not None)
        return float(value if value is not None else 0)

    seams = (float(claim.z), 0.4777, 0.4999999, 1e-6, 0.0)
    strategies = {
        "z": st.sampled_from(seams) | st.floats(0, 0.4999),
        "share": st.sampled_from((1.0, 0.0, 0.999999)) | st.floats(0, 1),
    }
    return falsify(margin, strategies, settings, slack=10.0 ** (16 - settings.digits))


def _cover_descent(claim: Everywhere, settings: Settings) -> Finding:
    def inside(z: mpf, share: mpf) -> mpf | None:
        return bad_margin(z, z + (1 - 2 * z) * share, everywhere=claim.everywhere)

    sides = {"z": (0, 0.4999), "share": (0, 1)}
    return descend(inside, sides, settings, [(0.99, 0.99), (0.5, 0.9), (0.01, 0.05)])


A4 = Claim(
    id="A4",
    title="A bad height is worse than one neuron at v",
    statement=(
        r"0<\beta<1,\ -1\le s\le1,\ m=\pi-\arccos\beta,\ \bar\psi=\pi-\arccos\beta s,\ y_c=\pi"
        r"\bar\psi^2/m^2:\quad s^2>-\cos y_c\ \Rightarrow\ H(\beta)^2(y_cs^2+\sin y_c)\ge\pi "
        r"H(\beta s)^2"
    ),
    source=SOURCE,
    subject=everywhere,
    evidence=(
        Evidence(Kind.PROOF, "the four regions cover all β and s", _cover),
        Evidence(Kind.PROPERTY, "search over all β and s, 50 digits", _cover_search),
        Evidence(Kind.PROPERTY, "descent over all β and s, 50 digits", _cover_descent),
    ),
    mutants=(
        Mutant("A4ii for β <= 0.06 only", lambda c: replace(c, beta=Rational(3, 50))),
        Mutant("A4iii for ψ̄ <= 3/4 only", lambda c: replace(c, psi=Rational(3, 4))),
        Mutant("for every s", lambda c: replace(c, everywhere=True)),
    ),
    depends_on=("A4i", "A4ii", "A4iii", "V2"),
)

CLAIMS: tuple[Claim[Any], ...] = (A4,)
