"""Claim E4c: the formulas of the equiangular cone family of E4 against the definition of F."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import mpmath
import sympy
from mpmath import mpf

import symcomp
from proofs_checks import oracles
from proofs_checks.checks import agreement
from proofs_checks.energy import real_number
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from symcomp import objectives

M, BETA, S = objectives.M, objectives.BETA, objectives.S

# β and s as integer ratios; the cone of M = 2 lies in the plane
PLANE = (((3, 5), (4, 5)),)
SLOPES = ((2, (3, 5), (1, 2)), (3, (2, 5), (1, 2)), (7, (4, 5), (-1, 4)))


@dataclass(frozen=True)
class Cone:
    """F/τ² at the best scale, and what vanishes at its best height, in M, β and s."""

    value: sympy.Expr
    slope: sympy.Expr


def cone() -> Cone:
    """The formulas that symcomp derives for ReLU."""
    ker = symcomp.dual_kernel("relu")
    return Cone(objectives.cone_value(ker), objectives.cone_stationarity(ker))


def _value(claim: Cone, settings: Settings) -> Finding:
    """M = 2: the vertex of the parabola F(r) through three of its points, F by quadrature."""
    digits = min(settings.digits, 25)

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for beta, s in PLANE:
            at = {M: 2, BETA: sympy.Rational(*beta), S: sympy.Rational(*s)}
            label = f"F, M = 2, β = {at[BETA]}, s = {at[S]}"
            yield label, real_number(claim.value.subs(at), digits), _least(beta, s, digits)

    with mpmath.workdps(digits + 15):
        return agreement(rows(), digits - 5)


@cache
def _least(beta: tuple[int, int], s: tuple[int, int], digits: int) -> mpf:
    b, along = (mpf(top) / bottom for top, bottom in (beta, s))
    across = mpmath.sqrt(1 - along**2)

    def F(r: int) -> mpf:
        rows = [[r * along, r * across], [r * along, -r * across]]
        return oracles.simplified_by_quadrature(1, [b, 0], rows, digits=digits)

    zero, one, two = map(F, (0, 1, 2))
    curvature, slope = (two - 2 * one + zero) / 2, (4 * one - two - 3 * zero) / 2
    return zero - slope**2 / (4 * curvature)


def _slope(claim: Cone, _: Settings) -> Finding:
    """(κ(βs)²/E(s))' E(s)²/(2κ(βs)) by central differences, κ from its defining integral.

    With κ(β²) less that ratio, as M = 2 alone cannot tell M - 1 from its inverse.
    """

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for m, beta, s in SLOPES:
            at = {M: m, BETA: sympy.Rational(*beta), S: sympy.Rational(*s)}
            label = f"M = {m}, β = {at[BETA]}, s = {at[S]}"
            least, change = _from_integrals(m, beta, s)
            yield f"slope, {label}", real_number(claim.slope.subs(at), 30), change
            yield f"F, {label}", real_number(claim.value.subs(at), 30), least

    with mpmath.workdps(60):
        return agreement(rows(), 15)


@cache
def _from_integrals(m: int, beta: tuple[int, int], s: tuple[int, int]) -> tuple[mpf, mpf]:
    kappa = partial(oracles.homogeneous, oracles.relu, oracles.relu, 2, 1, 1, digits=45)
    with mpmath.workdps(60):
        b, height = (mpf(top) / bottom for top, bottom in (beta, s))

        def energy(x: mpf) -> mpf:
            return (kappa(1) + (m - 1) * kappa((m * x * x - 1) / (m - 1))) / m

        def ratio(x: mpf) -> mpf:
            return kappa(b * x) ** 2 / energy(x)

        step = mpf(10) ** -12
        change = (ratio(height + step) - ratio(height - step)) / (2 * step)
        least = kappa(b * b) - ratio(height)
        return least, change * energy(height) ** 2 / (2 * kappa(b * height))


def _with(name: str, **changes: Callable[[sympy.Expr], sympy.Expr]) -> Mutant[Cone]:
    def change(claim: Cone) -> Cone:
        return replace(claim, **{f: g(getattr(claim, f)) for f, g in changes.items()})

    return Mutant(name, change)


E4C = Claim(
    id="E4c",
    title="The equiangular cone: its value and its stationary height (ReLU)",
    statement=(
        r"\theta_j=r(sv+\sqrt{1-s^2}\,e_j):\ \min_rF/\tau^2=h(\beta^2)-\frac{h(\beta s)^2}{E(s)},\ "
        r"E(s)=\frac{h(1)}M+\Bigl(1-\frac1M\Bigr)h\Bigl(\frac{Ms^2-1}{M-1}\Bigr);\quad "
        r"\frac{E^2}{2h(\beta s)}\,\frac d{ds}\frac{h(\beta s)^2}{E}=\beta h'(\beta s)E(s)-"
        r"s\,h(\beta s)\,h'\Bigl(\frac{Ms^2-1}{M-1}\Bigr)"
    ),
    source="theory.md E4 (this project's reconstruction)",
    subject=cone,
    evidence=(
        Evidence(
            Kind.PRECISION,
            "F by quadrature of its definition, its least value over the scale",
            _value,
            covers="M = 2, β = 3/5, s = 4/5; 20 digits",
        ),
        Evidence(
            Kind.PRECISION,
            "the ratio and its central differences, κ from its integral, 15 digits",
            _slope,
            covers="M = 2, 3, 7",
        ),
    ),
    mutants=(
        _with("β in place of β²", value=lambda e: e.subs(BETA, sympy.sqrt(BETA))),
        _with("s → -s in the slope", slope=lambda e: e.subs(S, -S)),
    ),
    depends_on=("S1",),
)

CLAIMS: tuple[Claim[Any], ...] = (E4C,)
