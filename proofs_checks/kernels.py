"""Claim K1, closed forms of dual kernels (theory.md section 2), and what K2-K6 share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import mpmath
import sympy
from mpmath import mpf

import symcomp
from proofs_checks import oracles
from proofs_checks.checks import agreement, identities
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.reference import REFERENCE, Real
from symcomp.antiderivatives import C
from symcomp.catalogue import Activation
from symcomp.expectations import QU, QV, Step, stein
from symcomp.kernels import RHO

# Those that homogeneous oracles reach quickly.
SIGMA: dict[str, Real] = {
    name: REFERENCE[name].sigma
    for name in ("relu", "leaky_relu", "abs", "step", "sign", "identity")
}

# Crowded near -1, 0 and 1; (q_u, q_v, c) with unequal variances too.
RHOS = ("-1", "-0.999999999999", "-0.9", "-0.3", "1e-9", "0.5", "0.999999999999", "1")
POINTS = (*((1, 1, r) for r in RHOS), ("1.3", 2, "0.5"), ("1e-6", "1e6", "-0.99"), (2, 8, "-4"))


@dataclass(frozen=True)
class Derived:
    """A kernel as derived: σ, K(q_u, q_v, c) and the rungs of the ladder that led to it."""

    act: Activation
    expr: sympy.Expr
    steps: tuple[Step, ...]

    @property
    def kappa(self) -> sympy.Expr:
        """κ(ρ)."""
        return self.expr.subs({QU: 1, QV: 1}).subs(C, RHO)


Catalogue = tuple[Derived, ...]
Row = tuple[str, sympy.Expr, sympy.Expr]


def catalogue() -> Catalogue:
    """The kernels of every activation that SIGMA spells out."""
    kernels = (symcomp.dual_kernel(name) for name in SIGMA)
    return tuple(Derived(k.activation, k.expr, k.steps) for k in kernels)


def relu() -> Derived:
    """The ReLU kernel alone."""
    ker = symcomp.dual_kernel("relu")
    return Derived(ker.activation, ker.expr, ker.steps)


def sigma(d: Derived) -> Real:
    """The hand-written σ."""
    return SIGMA[d.act.name.split(":")[0]]


def _degree(d: Derived) -> int:
    degree = d.act.degree
    assert degree is not None
    return degree


def value(d: Derived, qu: Any, qv: Any, c: Any, digits: int) -> mpf:
    """The claimed K at one point, by mpmath; NaN where it is no real number."""
    numbers = {QU: qu, QV: qv, C: c}
    at = {symbol: sympy.Rational(str(number)) for symbol, number in numbers.items()}
    return real(sympy.N(d.expr.subs(at), digits + 15, maxn=1000))


def real(value: sympy.Expr) -> mpf:
    """A number of SymPy's; NaN, which fails every comparison, if it is not real."""
    return mpf(value) if value.is_Float or value.is_Rational else mpf("nan")


@cache
def _integral(name: str, degree: int, qu: Any, qv: Any, c: Any, digits: int) -> mpf:
    """E σ(X) σ(Y) of the hand-written σ; kept, as many false formulas meet the same points."""
    u, v, cov = (mpf(str(number)) for number in (qu, qv, c))
    f = SIGMA[name]
    return oracles.homogeneous(f, f, 2 * degree, u, v, cov, digits)


def changed(name: str, change: Callable[[sympy.Expr], sympy.Expr]) -> Mutant[Catalogue]:
    """The same formula changed in every kernel of the catalogue."""
    return Mutant(name, lambda all_: tuple(replace(d, expr=change(d.expr)) for d in all_))


# ---- K1: Price's ladder --------------------------------------------------------------------------


def _replay(kernels: Catalogue, _: Settings) -> Finding:
    """Each rung is the derivative of the next, its value at c = 0 a product of means; so is K."""
    return identities(row for d in kernels for row in _rungs(d))


def _rungs(d: Derived) -> Iterator[tuple[str, sympy.Expr, sympy.Expr]]:
    name, order = d.act.name, 0
    f = d.act.form
    assert f is not None
    expr, below = d.expr, d.expr
    values = {_order(s): s.equation.rhs for s in d.steps if s.text.startswith("integrate")}
    starts = {_order(s): s.equation.rhs for s in d.steps if s.text.startswith("value at c = 0")}
    while order in values:
        claimed = expr if order == 0 else sympy.diff(d.expr, C, order)
        yield f"{name}: rung {order}", claimed, values[order]
        yield f"{name}: K^({order}) at c = 0", values[order].subs(C, 0), starts[order]
        below, order = values[order], order + 1
    elementary = next(s.equation.rhs for s in d.steps if s.text.startswith("the expectation"))
    yield f"{name}: the elementary rung", sympy.diff(below, C) if order else below, elementary
    yield f"{name}: Stein's recursion agrees", d.expr, stein(f, f)[0]


def _order(step: Step) -> int:
    """k of an equation for ∂^k K/∂c^k."""
    left = step.equation.lhs
    derivatives = left.atoms(sympy.Derivative)
    return int(derivatives.pop().derivative_count) if derivatives else 0


def _against_integral(kernels: Catalogue, settings: Settings) -> Finding:
    """K against the double integral that defines it."""

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for d in kernels:
            for qu, qv, c in POINTS:
                wanted = _integral(d.act.name, _degree(d), qu, qv, c, settings.digits)
                yield f"{d.act.name} at {qu}, {qv}, {c}", value(d, qu, qv, c, 60), wanted

    with mpmath.workdps(settings.digits + 20):
        return agreement(rows(), settings.digits)


def _ladder_of_expectations(kernels: Catalogue, settings: Settings) -> Finding:
    """dκ/dρ against E σ'(X) σ'(Y), σ' for the activations whose σ' is a function."""
    slopes: dict[str, Real] = {
        "relu": SIGMA["step"],
        "abs": mpmath.sign,
        "leaky_relu": lambda x: mpf(1) if x > 0 else mpf("0.01"),
        "identity": lambda _: mpf(1),
    }

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for d in kernels:
            slope = slopes.get(d.act.name.split(":")[0])
            if slope is None:
                continue
            derivative = replace(d, expr=sympy.diff(d.expr, C))
            for rho in RHOS[1:-1]:
                wanted = oracles.homogeneous(slope, slope, 0, 1, 1, mpf(rho), settings.digits)
                yield f"{d.act.name} at {rho}", value(derivative, 1, 1, rho, 60), wanted

    with mpmath.workdps(settings.digits + 20):
        return agreement(rows(), settings.digits)


K1 = Claim(
    id="K1",
    title="Price's ladder gives the closed forms",
    statement=(
        r"\partial_c^k K(q_u,q_v,c) = \mathbb{E}\,\sigma^{(k)}(X)\sigma^{(k)}(Y), "
        r"K|_{c=0} = \mathbb{E}\sigma(X)\,\mathbb{E}\sigma(Y); "
        r"\text{for ReLU } K = \frac{1}{2\pi}\Bigl[\sqrt{q_uq_v-c^2}"
        r" + c\bigl(\pi-\arccos\tfrac{c}{\sqrt{q_uq_v}}\bigr)\Bigr]"
    ),
    source="Price 1958; theory.md K1",
    subject=catalogue,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy replays each rung: derivative, value at c = 0, and Stein's recursion as a"
            " second derivation of the same kernel",
            _replay,
        ),
        Evidence(Kind.PRECISION, "mpmath: K against its defining integral", _against_integral),
        Evidence(
            Kind.PRECISION,
            "mpmath: ∂K/∂c against E σ'(X)σ'(Y)",
            _ladder_of_expectations,
            covers="k = 1",
        ),
    ),
    mutants=(
        changed("ρ → -ρ", lambda e: e.subs(C, -C)),
        changed("π → 3 in the density", lambda e: e.subs(sympy.pi, 3)),
        # a public closed form does this at ρ = -1
        changed("the pair at -ρ valued as at ρ", lambda e: e.subs(C, abs(C))),
    ),
)

CLAIMS: tuple[Claim[Any], ...] = (K1,)
