"""The derived formulas in the subjects of the ledger's claims, each with a place for another."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import flint
import sympy
from flint import arb
from mpmath import mpf

from proofs_checks import (
    catalogue,
    cone,
    energy,
    exact_loss,
    frames,
    hermite_series,
    kernels,
    loss_formulas,
    optimality,
    relu_kernel,
    simplification,
)
from proofs_checks.ledger import Claim, Kind
from symcomp import objectives
from symcomp.antiderivatives import C
from symcomp.balls import ball, exact
from symcomp.errors import ArgumentError, DivergenceError, ExpressionError
from symcomp.expectations import QU, QV
from symcomp.kernels import DualKernel


@dataclass(frozen=True)
class Formula:
    """A formula of a claim's subject: its name, its tree, and how to put another in its place."""

    claim: Claim[Any]
    name: str
    expr: sympy.Expr
    put: Callable[[sympy.Expr], Any]
    # what refutes a false variant soonest: mostly numbers, at points that are kept
    first: Kind = Kind.PRECISION


@cache
def formulas() -> tuple[Formula, ...]:
    """Every formula in a subject of the ledger: K, e, μ_k, E1's and E3's bounds, E2's optimum, L_N.

    K of a homogeneous activation belongs to K1, of the others with a closed form to K1c.
    """
    halves = relu_kernel.K6.subject()
    even = Formula(relu_kernel.K6, "e", halves.even, lambda e: replace(halves, even=e))
    return (*_kernels(), *_hermite(), even, *_losses(), *_optima())


def _kernels() -> Iterator[Formula]:
    homogeneous = kernels.catalogue()
    for d in homogeneous:

        def derived(expr: sympy.Expr, d: kernels.Derived = d) -> kernels.Catalogue:
            return (replace(d, expr=expr),)

        yield Formula(kernels.K1, f"K of {d.act.name}", d.expr, derived)
    known = {d.act.name for d in homogeneous}
    for ker in catalogue.everything().kernels:
        if ker.expr is None or ker.left.name in known:
            continue

        def enclosed(expr: sympy.Expr, ker: DualKernel = ker) -> catalogue.Kernels:
            return catalogue.Kernels((replace(ker, expr=expr),), _enclosure)

        yield Formula(catalogue.K1C, f"K of {ker.left.name}", ker.expr, enclosed)


def _enclosure(ker: DualKernel, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    """What ker.enclosure encloses, without its proof that a value is 0; NaN where it has none."""
    u, v, cov = (exact(x) for x in (qu, qv, c))
    with flint.ctx.workprec(8 * digits + 64):
        value = ball(ker.expr, {QU: u, QV: v, C: cov})
    if value.is_finite() and value.rad() < arb(10) ** -(digits + 5):
        return value
    if not value.is_finite() and cov * cov == u * v:
        return catalogue.quadrature(ker.left.expr, u, v, cov, digits)
    try:
        return ker.enclosure(u, v, cov, digits)
    except (ArgumentError, DivergenceError):
        return arb.nan()


def _hermite() -> Iterator[Formula]:
    series = hermite_series.K2.subject()
    for k in (0, 1, 2, 4, 6):

        def put(expr: sympy.Expr, k: int = k) -> hermite_series.Series:
            return replace(series, mu=(*series.mu[:k], expr, *series.mu[k + 1 :]))

        yield Formula(hermite_series.K2, f"μ_{k} of relu", series.mu[k], put)


class _Candid(loss_formulas.Formula):
    """A loss that is NaN, which fails every comparison, where it has no real value."""

    def value(self, numbers: Mapping[str, Any], digits: int) -> mpf:
        try:
            return super().value(numbers, digits)
        except (ExpressionError, ValueError):
            return mpf("nan")


def _losses() -> Iterator[Formula]:
    for claim, name in ((exact_loss.S0, "L_N"), (simplification.S1, "F")):
        loss = claim.subject()

        def put(expr: sympy.Expr, loss: loss_formulas.Formula = loss) -> loss_formulas.Formula:
            return _Candid(loss.kernel, expr)

        yield Formula(claim, name, loss.expr, put, Kind.PROOF)
    yield Formula(simplification.S2, "V/N", simplification.S2.subject().expr, simplification.Excess)


def _optima() -> Iterator[Formula]:
    inequality = energy.E1.subject()
    stand_in = replace(inequality.kernels[0], expr=energy.ANY(C))

    def bounded(expr: sympy.Expr) -> energy.EnergyInequality:
        def bound(ker: DualKernel, m: sympy.Expr, square: sympy.Expr) -> sympy.Expr:
            at = expr.subs({objectives.M: m, energy.Q: square})
            return at.replace(energy.ANY, lambda rho: objectives.kappa(ker, rho))

        return replace(inequality, bound=bound)

    general = inequality.bound(stand_in, objectives.M, energy.Q)
    yield Formula(energy.E1, "bound", general, bounded)
    for claim, fields in (
        (optimality.E2, ("energy", "radius", "value", "law")),
        (frames.E3, ("mass", "mean", "even")),
        (cone.E4C, ("value", "slope")),
    ):
        subject = claim.subject()
        for field in fields:

            def exchange(expr: sympy.Expr, subject: Any = subject, field: str = field) -> Any:
                return replace(subject, **{field: expr})

            name = f"{field} of the cone" if claim is cone.E4C else field
            yield Formula(claim, name, getattr(subject, field), exchange)
