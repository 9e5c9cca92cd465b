"""Claims K3 and K4, convexity and positive definiteness of kernels (theory.md section 2)."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from proofs_checks.checks import combine, falsify, identities, signs
from proofs_checks.kernels import (
    Catalogue,
    Derived,
    Row,
    catalogue,
    changed,
)
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.strategies import correlations, gram_matrices
from symcomp.antiderivatives import C
from symcomp.expectations import QU, QV
from symcomp.kernels import RHO

# ---- K3: convexity and monotonicity --------------------------------------------------------------

_U = sympy.Symbol("u", positive=True)
# ρ = (1-u²)/(1+u²) runs through (-1, 1) as u runs through (0, ∞), and sqrt(1-ρ²) = 2u/(1+u²).
RHO_OF_U = (1 - _U**2) / (1 + _U**2)


@dataclass(frozen=True)
class Shapes:
    """The kernels whose κ is claimed convex, and those claimed nondecreasing."""

    convex: Catalogue
    nondecreasing: Catalogue


def _shapes() -> Shapes:
    return Shapes(
        tuple(d for d in catalogue() if d.act.convex),
        tuple(d for d in catalogue() if d.act.nondecreasing),
    )


def _shape_signs(s: Shapes, _: Settings) -> Finding:
    """κ'' >= 0 and κ' >= 0 on (-1, 1), by the substitution above; κ is continuous at the ends.

    Where κ' itself is transcendental, κ'(-1) >= 0 and κ'' >= 0 decide it.
    """
    rows = [(f"{d.act.name}: κ'' on (-1,1)", _on_arc(d, 2), ">=0") for d in s.convex]
    for d in s.nondecreasing:
        if d.act.convex:
            limit = sympy.limit(sympy.diff(d.kappa, RHO), RHO, -1, "+")
            rows.append((f"{d.act.name}: κ'(-1)", limit, ">=0"))
            rows.append((f"{d.act.name}: κ'' on (-1,1)", _on_arc(d, 2), ">=0"))
        else:
            rows.append((f"{d.act.name}: κ' on (-1,1)", _on_arc(d, 1), ">=0"))
    return signs(rows)


def _on_arc(d: Derived, order: int) -> sympy.Expr:
    return sympy.simplify(sympy.diff(d.kappa, RHO, order).subs(RHO, RHO_OF_U))


def _chords(s: Shapes, settings: Settings) -> Finding:
    """κ at a midpoint below the chord; κ at the right above κ at the left."""
    functions = [sympy.lambdify(RHO, d.kappa, "numpy") for d in s.convex]
    rising = [sympy.lambdify(RHO, d.kappa, "numpy") for d in s.nondecreasing]

    def margin(a: float, b: float) -> float:
        low, high = min(a, b), max(a, b)
        bends = [(f(a) + f(b)) / 2 - f((a + b) / 2) for f in functions]
        return float(min(*bends, *(f(high) - f(low) for f in rising)))

    return falsify(margin, {"a": correlations(), "b": correlations()}, settings, slack=1e-12)


def _plus_step(s: Shapes) -> Shapes:
    """Drop the hypothesis: claim convexity for the step too, which is not convex."""
    step = next(d for d in catalogue() if d.act.name == "step")
    return replace(s, convex=(*s.convex, step))


K3 = Claim(
    id="K3",
    title="Convex σ gives convex κ, nondecreasing σ nondecreasing κ",
    statement=(
        r"\sigma''\ge0\Rightarrow\kappa''=\mathbb{E}\,\sigma''(X)\sigma''(Y)\ge0;\quad"
        r"\sigma'\ge0\Rightarrow\kappa'\ge0\ \text{on }[-1,1]\ "
        r"\text{(checked for every homogeneous activation of the catalogue)}"
    ),
    source="theory.md K3, read off K1",
    subject=_shapes,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: signs of κ' and κ'' with ρ = (1-u²)/(1+u²), u > 0",
            _shape_signs,
        ),
        Evidence(Kind.PROPERTY, "Hypothesis: chords and order", _chords),
    ),
    mutants=(
        Mutant("the step function taken for convex", _plus_step),
        Mutant(
            "|x| taken for nondecreasing",
            lambda s: replace(
                s, nondecreasing=tuple(d for d in catalogue() if d.act.name == "abs")
            ),
        ),
    ),
    depends_on=("K1",),
)


# ---- K4: positive definiteness -------------------------------------------------------------------


def _least_eigenvalue(kernels: Catalogue, settings: Settings) -> Finding:
    functions = [sympy.lambdify(RHO, d.kappa, "numpy") for d in kernels]

    def margin(gram: np.ndarray) -> float:
        rho = np.clip(gram, -1, 1)
        return float(min(np.linalg.eigvalsh(f(rho) + 0 * rho)[0] for f in functions) / len(rho))

    # sqrt(1-ρ²) turns a rounding 1e-16 of an entry at ±1 into 1e-8.
    return falsify(margin, {"gram": gram_matrices()}, settings, slack=1e-7)


def _square_expands(kernels: Catalogue, _: Settings) -> Finding:
    """Σ c_i c_j K(u_i, u_j) = E (Σ c_i σ_i)² for every number n of vectors.

    With a_i = c_i σ(<u_i, x>): the double sum of a_i a_j is S², S = Σ a_i, a factor of a sum being
    taken out twice; E is linear and E a_i a_j = c_i c_j K(u_i, u_j) by K1, of which K(u, u) = E σ²
    and the symmetry of K are checked once more.
    """
    n = sympy.Symbol("n", integer=True, positive=True)
    i, j = sympy.symbols("i j", integer=True)
    a, total = sympy.IndexedBase("a"), sympy.Symbol("S", real=True)
    rows: list[Row] = [
        (
            "for fixed j: Σ_i a_i a_j = a_j S",
            sympy.Sum(a[i] * a[j], (i, 1, n)),
            a[j] * sympy.Sum(a[i], (i, 1, n)),
        ),
        (
            "Σ_j a_j S = S Σ_j a_j = S²",
            sympy.Sum(total * a[j], (j, 1, n)),
            total * sympy.Sum(a[j], (j, 1, n)),
        ),
    ]
    for d in kernels:
        mirrored = d.expr.subs({QU: QV, QV: QU}, simultaneous=True)
        rows.append((f"{d.act.name}: K(u,v) = K(v,u)", d.expr, mirrored))
        rows.append((f"{d.act.name}: K(u,u) = E σ²", d.expr.subs({QV: QU, C: QU}), _second(d)))
    return combine(identities(rows), signs([("S²", total**2, ">=0")]))


def _second(d: Derived) -> sympy.Expr:
    """E σ(√q Z)², by SymPy's integrals of σ² over the two half-lines."""
    z = sympy.Symbol("z", positive=True)
    density = sympy.exp(-(z**2) / (2 * QU)) / sympy.sqrt(2 * sympy.pi * QU)
    halves = (d.act.expr.subs(d.act.symbol, sign * z) ** 2 for sign in (1, -1))
    return sum(sympy.integrate(half * density, (z, 0, sympy.oo)) for half in halves)


K4 = Claim(
    id="K4",
    title="Gram matrices of the dual kernel are positive semidefinite",
    statement=(
        r"\sum_{ij}c_ic_jK(u_i,u_j)="
        r"\mathbb{E}\bigl(\textstyle\sum_ic_i\sigma(\langle u_i,x\rangle)\bigr)^2\ge0"
    ),
    source="theory.md K4",
    subject=catalogue,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: the double sum is the square of a sum, any number of vectors",
            _square_expands,
        ),
        Evidence(Kind.PROPERTY, "Hypothesis: least eigenvalue of κ(Gram)", _least_eigenvalue),
    ),
    mutants=(changed("ρ → -ρ", lambda e: e.subs(C, -C)),),
    depends_on=("K1",),
)

CLAIMS: tuple[Claim[Any], ...] = (K3, K4)
