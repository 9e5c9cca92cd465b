"""Claim A3b: Jensen's inequality in angles for the root of d(g²ψ²), for E4's proof."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import factorial
from typing import Any

import flint
import mpmath
import sympy
from flint import arb, fmpq
from mpmath import mpf
from sympy import Expr, Rational, cos, pi, sin

from proofs_checks.attack import descend
from proofs_checks.checks import certify, combine, falsify, identities, signs
from proofs_checks.etf.forms import bracket, defect
from proofs_checks.etf.jensen import PSI, B, Row, Sign, criterion, ensembles, jensen_gap
from proofs_checks.etf.tangents import SOURCE
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings

G = sympy.Symbol("g", positive=True)
_X = sympy.Symbol("x", positive=True)
_SIGMA = sin(PSI) * cos(PSI) / PSI
_TOP = fmpq(44, 7)  # > 2π


@dataclass(frozen=True)
class Roots:
    """F = sqrt(d(g²ψ²)) for g²ψ² <= reach π: Z, the lower bound of N_F, and the bound on σ.

    1 - σ <= share ψ² (1 + σ), σ = sin ψ cos ψ/ψ; N_F sqrt(d)/ψ >= (1 + σ)(d - yZ/2) where Z > 0.
    """

    z: Callable[[Expr], Expr]
    share: Expr
    reach: str


def roots() -> Roots:
    """Z = 1 + cos y - 2y sin y + y(1 + cos y)²/d, and a share of one half."""
    return Roots(bracket, Rational(1, 2), "1")


def _roots_proof(claim: Roots, _: Settings) -> Finding:
    """N_F sqrt(d)/ψ is a sum in which only the term with Z can be negative; (V1) outweighs it.

    If Z <= 0 every term of the first line is >= 0. If Z > 0 the second line has three terms >= 0,
    the first of them by (V1) as d > 0: d decreases to d(π) = 0. The bound on σ is, with x = 2ψ in
    (0, 2π), q(x)(1 + x²/8) <= 1/4 for q = (x - sin x)/x³; balls decide it on [0, 44/7], with the
    series of q at 0. (It follows from Redheffer's inequality too, on the last line.) At the end
    g²ψ² = π F is continuous.
    """
    return combine(
        identities([*_root_rows(claim), *_sigma_rows(claim)]),
        signs(_root_signs()),
        certify(_below_a_quarter, [(fmpq(0), _TOP)]),
    )


def _root_rows(claim: Roots) -> Iterator[Row]:
    y = G**2 * PSI**2
    d, z, whole = defect(y), claim.z(y), 1 + cos(y)
    left = criterion(sympy.sqrt(d)) * sympy.sqrt(d) / PSI
    terms = d * (1 + _SIGMA), 2 * G**2 * sin(PSI) ** 2 * whole, -(G**2) * (1 - _SIGMA) * z
    yield (
        "N_F sqrt(d)/ψ = d(1 + σ) + 2g² sin²ψ (1 + cos y) - g²(1 - σ) Z",
        left,
        sum(terms, sympy.S.Zero),
    )
    slack = claim.share * PSI**2 * (1 + _SIGMA) - (1 - _SIGMA)
    yield (
        "= (1 + σ)(d - yZ/2) + 2g² sin²ψ (1 + cos y) + g² Z (ψ²(1 + σ)/2 - (1 - σ))",
        sum(terms, sympy.S.Zero),
        (1 + _SIGMA) * (d - y * z / 2) + terms[1] + G**2 * z * slack,
    )


def _sigma_rows(claim: Roots) -> Iterator[Row]:
    slack = (claim.share * PSI**2 * (1 + _SIGMA) - (1 - _SIGMA)).subs(PSI, _X / 2)
    q = (_X - sin(_X)) / _X**3
    yield (
        "ψ²(1 + σ)/2 - (1 - σ) = x²(1/4 - q(1 + x²/8)), with x = 2ψ",
        slack.expand(trig=True).rewrite(sin).subs(sin(_X / 2) * cos(_X / 2), sin(_X) / 2),
        (_X**2 * (Rational(1, 4) - q * (1 + _X**2 / 8))),
    )
    yield "1 - σ = B/ψ", 1 - _SIGMA, B / PSI
    yield (
        "(ψ(1 + σ))' = 2 cos²ψ, and ψ(1 + σ) is 0 at 0",
        sympy.diff(PSI * (1 + _SIGMA), PSI),
        2 * cos(PSI) ** 2,
    )
    y = sympy.Symbol("y", positive=True)
    yield "d' = -(1 + cos y) = -2 cos²(y/2)", sympy.diff(defect(y), y), -2 * cos(y / 2) ** 2
    yield "d(π) = 0", defect(pi), sympy.S.Zero
    yield (
        "Redheffer's sin x/x >= (π² - x²)/(π² + x²) would do",
        (pi**2 - _X**2) * (1 + _X**2 / 8) - (pi**2 + _X**2) * (1 - _X**2 / 8),
        _X**2 * (pi**2 - 8) / 4,
    )


def _root_signs() -> Iterator[Sign]:
    yield "2 cos²ψ", 2 * cos(PSI) ** 2, ">=0"
    yield "π² - 8", pi**2 - 8, ">0"


def _below_a_quarter(box: tuple[flint.arb, ...]) -> bool | None:
    """q(x)(1 + x²/8) < 1/4, q by its alternating series up to 3 and directly beyond 2."""
    (x,) = box
    square = x * x
    if x < 3:
        # Taylor's theorem for sin: after x²⁸ no more than x²⁸/31! is left of q
        q = sum((arb(-1) ** n * square**n / factorial(2 * n + 3) for n in range(14)), arb(0))
        q += (square**14).abs_upper() / factorial(31) * arb(0, 1)
    elif x > 2:
        q = (x - x.sin()) / (x * square)
    else:
        return None
    value = q * (1 + square / 8)
    return True if value < fmpq(1, 4) else False if value > fmpq(1, 4) else None


def _true_defect(y: mpf) -> mpf:
    """d(y), 0 for what rounding makes negative at y = π, NaN beyond π, where it has no root."""
    d = mpmath.pi - y - mpmath.sin(y)
    return d if d > 0 else mpmath.nan if d < -1e3 * mpmath.eps else mpf(0)


def _roots_search(claim: Roots, settings: Settings) -> Finding:
    """Weights, angles and g anywhere, also with g²ψ² = π; the bound on σ at each angle."""

    def margin(weights: list[float], shares: list[float], turn: float, top: float) -> float:
        with mpmath.workdps(settings.digits):
            most = mpmath.pi * mpf(turn)
            square = mpf(claim.reach) * mpmath.pi / most**2 * mpf(top)
            count = min(len(weights), len(shares))
            psi = [most * mpf(share) for share in shares[:count]]
            c = [mpf(w) for w in weights[:count]]
            gap = jensen_gap(c, psi, lambda x: mpmath.sqrt(_true_defect(square * x * x)))
            share = mpf(claim.share.p) / claim.share.q
            bounds = [share * x**2 * (1 + s) - 1 + s for x, s in ((x, _sinc(x)) for x in psi)]
            return float(min(gap / sum(c), *bounds))

    # the root of a rounding error next to π is 10^-25
    return falsify(margin, ensembles(), settings, slack=10.0 ** (5 - settings.digits // 2))


def _sinc(x: mpf) -> mpf:
    return mpmath.sin(x) * mpmath.cos(x) / x


def _roots_descent(claim: Roots, settings: Settings) -> Finding:
    """Two neurons: their angles, the share of the first, and g."""

    def margin(a: mpf, b: mpf, w: mpf, top: mpf) -> mpf:
        square = mpf(claim.reach) * mpmath.pi * top / max(a, b) ** 2
        return jensen_gap(
            (w, 1 - w), (a, b), lambda x: mpmath.sqrt(_true_defect(square * x * x))
        ) + mpf(10) ** (5 - settings.digits // 2)

    sides = {"a": (0.001, 3.14), "b": (0.001, 3.14), "w": (0, 1), "top": (0.001, 1)}
    return descend(margin, sides, settings, [(1, 0.5, 0.5, 1), (0.5, 0.5, 0.5, 0.9)])


A3B = Claim(
    id="A3b",
    title="Jensen in angles for the root of d(g²ψ²)",
    statement=(
        r"g>0,\ d(y)=\pi-y-\sin y,\ F(\psi)=\sqrt{d(g^2\psi^2)}:\ N_F\ge0\text{ for }0<\psi<"
        r"\min(\pi,\sqrt\pi/g);\text{ hence }\sum c_iF(\psi_i)\ge\bar mF(\bar\psi)\text{ if all }"
        r"0<\psi_i<\pi,\ g^2\psi_i^2\le\pi"
    ),
    source=SOURCE,
    subject=roots,
    evidence=(
        Evidence(
            Kind.CERTIFICATE, "(V1), identities, and one bound in balls, every g", _roots_proof
        ),
        Evidence(Kind.PROPERTY, "search over weights, angles and g, 50 digits", _roots_search),
        Evidence(Kind.PROPERTY, "descent for two neurons, 50 digits", _roots_descent),
    ),
    mutants=(
        Mutant("g²ψ² up to 2π", lambda c: replace(c, reach="2")),
        Mutant("a share of 1/4", lambda c: replace(c, share=Rational(1, 4))),
        Mutant(
            "Z without its last term",
            lambda c: replace(c, z=lambda y: 1 + cos(y) - 2 * y * sin(y)),
        ),
    ),
    depends_on=("A2", "V1"),
)

CLAIMS: tuple[Claim[Any], ...] = (A3B,)
