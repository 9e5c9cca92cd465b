"""Claim E4v: what E4's optimum is at a few M and β, and that its height s is the only one there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import flint
import mpmath
import sympy
from flint import arb, fmpq
from mpmath import mpf
from sympy import Rational

import symcomp
from proofs_checks.certificates import MeanValue
from proofs_checks.checks import agreement, certify, combine
from proofs_checks.etf.ensembles import cone_optimum
from proofs_checks.etf.forms import BETA, M, S
from proofs_checks.etf.tangents import true_height
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp import objectives
from symcomp.balls import ball, exact
from symcomp.kernels import DualKernel, dual_kernel

Number: TypeAlias = tuple[int, Rational, str, str]
Condition: TypeAlias = Any

_NEAR = fmpq(1, 10**13)


@dataclass(frozen=True)
class Values:
    """(M, β, min F/τ², s) to as many decimals as are written, for a kernel."""

    kernel: DualKernel
    numbers: tuple[Number, ...]


def values() -> Values:
    """theory.md's numbers."""
    return Values(
        dual_kernel("relu"),
        (
            (3, Rational(2, 5), "0.0218763540", "0.5683"),
            (2, Rational(1, 5), "0.0458838949", "0.4885"),
        ),
    )


def _certificate(claim: Values, _: Settings) -> Finding:
    """The slope of h(βs)²/E(s) is positive below s* and negative above, on all of [-1, 1].

    Between, on an interval of width 2·10^-13 around s*, F is enclosed. For s <= 0 the slope is
    β h'(βs) E(s) - s h(βs) h'(t) with no negative term and a positive one.
    """
    return combine(*(_one(claim, number) for number in claim.numbers))


def _one(claim: Values, number: Number) -> Finding:
    m, beta, value, s = number
    with mpmath.workdps(40):
        near = exact(cone_optimum(m, mpf(beta.p) / beta.q)[1])
    point = {M: m, BETA: beta}
    slope = objectives.cone_stationarity(claim.kernel).subs(point)
    low, high = near - _NEAR, near + _NEAR
    rising = certify(_sign(slope), [(fmpq(0), low)], depth=60)
    falling = certify(_sign(-slope), [(high, fmpq(1))], depth=60)
    with flint.ctx.workprec(128):
        ends = arb(low).union(arb(high))
        least = ball(objectives.cone_value(claim.kernel).subs(point), {S: ends})
        good = _rounds_to(least, value) and _rounds_to(ends, s)
    label = f"M = {m}, β = {beta}: F = {least.str(14)}, s = {ends.str(12)}"
    outcome = Outcome.HOLDS if good else Outcome.FAILS
    return combine(rising, falling, Finding(outcome, label, 1, 1, 1, "" if good else label))


def _rounds_to(value: arb, text: str) -> bool:
    """Whether every number of the ball is within half a unit of the last decimal of the text."""
    unit = fmpq(1, 2 * 10 ** len(text.partition(".")[2]))
    return bool(abs(value - exact(text)) < unit)


def _sign(expr: sympy.Expr) -> Condition:
    form, other = MeanValue(expr, [S]), MeanValue(-expr, [S])

    def condition(box: tuple[flint.arb, ...]) -> bool | None:
        side = (_exact(box[0].lower()), _exact(box[0].upper()))
        return True if form.positive((side,)) else False if other.positive((side,)) else None

    return condition


def _exact(end: arb) -> fmpq:
    man, exponent = end.man_exp()
    return fmpq(man) * fmpq(2) ** int(exponent)


def _computed(_: Values, settings: Settings) -> Finding:
    """What symcomp.optimum gives against the maximum over a grid, refined."""

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for m in (2, 7, 40):
            for beta in (Rational(1, 100), Rational(9, 10)):
                b = mpf(beta.p) / beta.q
                best, s = cone_optimum(m, b)
                got = symcomp.optimum("relu", m, beta=beta)
                yield f"F, M = {m}, β = {beta}", got.value, _half(b * b) - best
                yield f"s, M = {m}, β = {beta}", got.cosine, s

    with mpmath.workdps(settings.digits):
        return agreement([*rows()], settings.digits - 10)


def _half(rho: mpf) -> mpf:
    return true_height(rho) / (2 * mpmath.pi)


def _with(c: Values, place: int, change: str) -> Values:
    first = list(c.numbers[0])
    first[place] = change
    return replace(c, numbers=(tuple(first), *c.numbers[1:]))


E4V = Claim(
    id="E4v",
    title="Values of the optimum of E4, each at a single s",
    statement=(
        r"\min F/\tau^2\text{ and its only }s^*:\quad M=3,\ \beta=0.4:\ 0.0218763540,\ 0.5683;"
        r"\quad M=2,\ \beta=0.2:\ 0.0458838949,\ 0.4885"
    ),
    source="theory.md E4 (this project's reconstruction)",
    subject=values,
    evidence=(
        Evidence(Kind.CERTIFICATE, "signs of the slope in balls, and an enclosure", _certificate),
        Evidence(
            Kind.PRECISION,
            "symcomp.optimum against the maximum over s",
            _computed,
            covers="M = 2, 7, 40 at two β",
        ),
    ),
    mutants=(
        Mutant("the last digit of F", lambda c: _with(c, 2, "0.0218763541")),
        Mutant("the last digit of s", lambda c: _with(c, 3, "0.5684")),
    ),
    depends_on=("E4",),
)

CLAIMS: tuple[Claim[Any], ...] = (E4V,)
