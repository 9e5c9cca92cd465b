"""Claim S0c: the exact loss between two networks of other activations (theory.md section 3)."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from math import prod
from typing import Any

import sympy
from mpmath import mpf
from sympy import Rational

import symcomp
from proofs_checks import oracles
from proofs_checks.checks import agreement, identities
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.loss_formulas import (
    PAIRS,
    SOURCE,
    Exact,
    Formula,
    Networks,
    entry,
    scaled,
    spelled_out,
)
from symcomp.balls import exact, rational
from symcomp.catalogue import Activation
from symcomp.objectives import (
    N,
    population_loss,
)

# ---- S0c: other activations ----------------------------------------------------------------------

Losses = tuple[Formula, ...]
# σ by hand, and its degree: what the oracles integrate
_SIGMA: dict[str, tuple[oracles.Function, int]] = {
    "abs": (abs, 1),
    "leaky_relu:slope=-1/2": (lambda x: x if x > 0 else -x / 2, 1),
    "relu_power": (lambda x: oracles.relu(x) ** 2, 2),
    "abs_power": (lambda x: abs(x) ** 3, 3),
}
_POLYNOMIALS = ("x", "x**2", "x**3 - 2*x + 1")
_OTHER_PAIRS = ("generic", "signed outer weights")


def _other_losses() -> Losses:
    kernels = map(symcomp.dual_kernel, (*_SIGMA, *_POLYNOMIALS))
    return tuple(Formula(ker, population_loss(ker)) for ker in kernels)


def _other_integrals(losses: Losses, settings: Settings) -> Finding:
    digits = min(settings.digits, 20)
    return agreement(
        (
            (
                f"{loss.kernel.left.name}, {pair.label}",
                loss.value(pair.numbers, digits),
                _other_oracle(loss.kernel.left.name, pair, digits),
            )
            for loss in losses
            if loss.kernel.left.name in _SIGMA
            for pair in PAIRS
            if pair.label in _OTHER_PAIRS
        ),
        digits,
    )


@cache
def _other_oracle(name: str, pair: Networks, digits: int) -> mpf:
    sigma, degree = _SIGMA[name]
    return oracles.loss_by_quadrature(
        pair.W, pair.Theta, pair.a, pair.b, sigma=sigma, degree=degree, digits=digits
    )


def _rational_losses(losses: Losses, _: Settings) -> Finding:
    """Polynomial σ and rational weights: the square is a polynomial in x, its mean is rational."""
    return identities(
        (
            f"{loss.kernel.left.name}, {pair.label}",
            _exact_value(loss, pair),
            _mean_square(loss.kernel.left, pair),
        )
        for loss in losses
        if loss.kernel.left.name in _POLYNOMIALS
        for pair in PAIRS
        if pair.label in ("signed outer weights", "three dimensions")
    )


def _exact_value(loss: Formula, pair: Networks) -> sympy.Expr:
    expr, atoms = spelled_out(loss.expr, len(pair.W), len(pair.Theta))
    entries = ((symbol, entry(pair.numbers[name], at)) for symbol, name, at in atoms)
    return expr.subs({symbol: rational(exact(value)) for symbol, value in entries})


def _mean_square(act: Activation, pair: Networks) -> sympy.Expr:
    x = sympy.symbols(f"x:{len(pair.W[0])}", real=True)

    def network(rows: Exact, outer: Sequence[Fraction]) -> sympy.Expr:
        nodes = (
            Rational(a)
            * act.expr.subs(act.symbol, sum(Rational(w) * t for w, t in zip(row, x, strict=True)))
            for a, row in zip(outer, rows, strict=True)
        )
        return sum(nodes, sympy.S.Zero) / len(rows)

    square = (network(pair.W, pair.a) - network(pair.Theta, pair.b)) ** 2
    # E x^n = (n-1)!! for even n, else 0, in each coordinate
    return sum(
        (
            c * prod(int(sympy.factorial2(n - 1)) if n % 2 == 0 else 0 for n in powers)
            for powers, c in sympy.Poly(square, *x).terms()
        ),
        sympy.S.Zero,
    )


S0C = Claim(
    id="S0c",
    title="The exact loss between two networks, other activations",
    statement=(
        r"L_N=\mathbb{E}(f_N-\hat f)^2\text{ is (S0) with the dual kernel of }\sigma\text{, for }"
        r"|x|,\ \text{leaky ReLU},\ x_+^2,\ |x|^3\text{ and polynomials}"
    ),
    source=f"{SOURCE}, (S0)",
    subject=_other_losses,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: polynomial σ, the square expanded and its mean taken, in rationals",
            _rational_losses,
            covers="3 polynomials, 2 pairs of networks, d = 2, 3",
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: the formula against ∫ (f_N - f̂)² over the circle and the sphere",
            _other_integrals,
            covers="4 homogeneous activations, 2 pairs of networks, d = 2",
        ),
    ),
    mutants=(
        Mutant(
            "cross term without the factor 2",
            lambda all_: tuple(replace(f, expr=scaled("ab", Rational(1, 2))(f.expr)) for f in all_),
        ),
        Mutant(
            "1/N in place of 1/N²",
            lambda all_: tuple(replace(f, expr=scaled("aa", N)(f.expr)) for f in all_),
        ),
    ),
    depends_on=("K1",),
)

CLAIMS: tuple[Claim[Any], ...] = (S0C,)
