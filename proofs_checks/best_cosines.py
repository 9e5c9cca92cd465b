"""Claim E7 (theory.md 4): the best cosine of other activations."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy
from mpmath import mpf
from sympy import Integer, Rational

import symcomp
from proofs_checks.checks import combine, identities, signs
from proofs_checks.energy_descents import least_energy
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp import objectives
from symcomp.kernels import RHO, DualKernel

Row: TypeAlias = tuple[str, sympy.Expr, sympy.Expr]

LINES = (
    *("identity", "relu", "leaky_relu", "leaky_relu:slope=1/2", "leaky_relu:slope=-1/4"),
    *("leaky_relu:slope=-1/2", "abs", "relu_power:k=2", "relu_power:k=3", "abs_power:k=3"),
    "monomial:n=2",
)
# σ'' as a multiple of another activation, where κ'' is transcendental
BENDS = {
    "relu_power:k=2": (4, "step"),
    "relu_power:k=3": (36, "relu"),
    "abs_power:k=3": (36, "abs"),
}


@dataclass(frozen=True)
class Line:
    """One activation: its kernel, the claimed signs of κ'' and κ', and ρ* = argmin κ.

    strict: κ is not linear, so that the optimum is claimed to be the only one.
    """

    ker: DualKernel
    convex: bool
    nondecreasing: bool
    star: sympy.Expr
    strict: bool = True

    def cosine(self, m: int) -> sympy.Expr:
        """max(-1/(M - 1), ρ*)."""
        return sympy.Max(-Rational(1, m - 1), self.star)


@cache
def _line(name: str) -> Line:
    ker = symcomp.dual_kernel(name)
    act = ker.left
    strict = sympy.diff(ker.correlation, RHO, 2) != 0
    return Line(ker, bool(act.convex), bool(act.nondecreasing), _least_cosine(ker), strict)


def _least_cosine(ker: DualKernel) -> sympy.Expr:
    """-1 where κ' >= 0 there, else the zero of the increasing κ' by bisection, exact if it is 0."""
    slope = sympy.diff(ker.correlation, RHO)
    if _at_minus_one(slope) >= 0:
        return sympy.S.NegativeOne
    if sympy.simplify(slope.subs(RHO, 0)) == 0:
        return sympy.S.Zero
    f = sympy.lambdify(RHO, slope, "mpmath")
    with mpmath.workdps(40):
        low, high = mpf(-1), mpf(0)
        for _ in range(130):
            middle = (low + high) / 2
            low, high = (middle, high) if f(middle) < 0 else (low, middle)
        return sympy.Float(low, 35)


@cache
def _at_minus_one(expr: sympy.Expr) -> sympy.Expr:
    """The value, or with ρ = u² - 1 that at u = 0: a limit takes SymPy many times longer."""
    value = expr.subs(RHO, -1)
    if value.has(sympy.nan, sympy.zoo):
        u = sympy.Symbol("u", nonnegative=True)
        value = sympy.simplify(expr.subs(RHO, u**2 - 1)).subs(u, 0)
    return value


def _hypotheses(lines: tuple[Line, ...], _: Settings) -> Finding:
    """κ'' >= 0 on (-1, 1) where claimed, by ρ = (1-u²)/(1+u²); and with it κ' >= κ'(-1) >= 0."""
    u = sympy.Symbol("u", positive=True)
    rows: list[tuple[str, sympy.Expr, str]] = []
    powers: list[Row] = [("κ of |x| at 1", _kappa("abs").subs(RHO, 1), sympy.S.One)]
    for line in lines:
        kappa, name = line.ker.correlation, line.ker.left.name
        if line.convex and name in BENDS:
            factor, of = BENDS[name]
            label = f"{name}: κ'' = {factor} κ of {of}, the mean of a product of σ'' >= 0"
            powers.append((label, sympy.diff(kappa, RHO, 2), factor * _kappa(of)))
        elif line.convex:
            bend = sympy.diff(kappa, RHO, 2).subs(RHO, (1 - u**2) / (1 + u**2))
            rows.append((f"{name}: κ''", sympy.simplify(bend), ">=0"))
        if line.nondecreasing:
            rows.append((f"{name}: κ'(-1)", _at_minus_one(sympy.diff(kappa, RHO)), ">=0"))
    return combine(signs(rows), identities(powers))


def _kappa(name: str) -> sympy.Expr:
    return symcomp.dual_kernel(name).correlation


def _many_starts(lines: tuple[Line, ...], settings: Settings) -> Finding:
    """M = 2, 3, 5 in R^M, 6 starts each: least 𝓔, its cosines and equal weights as claimed."""
    bad, count, worst = [], 0, 0.0
    for line in lines:
        for m in (2, 3, 5):
            found = least_energy(line.ker, m, m, 6, settings.seed)
            cosine = line.cosine(m)
            energy = float(
                objectives.kappa(line.ker, sympy.S.One) / m
                + (1 - Rational(1, m)) * objectives.kappa(line.ker, cosine)
            )
            gram = (found.U @ found.U.T)[~np.eye(m, dtype=bool)]
            errors = [abs(found.energy - energy) / max(energy, 1e-3) * 1e3]
            if line.strict:
                errors.append(float(np.abs(gram - float(cosine)).max()))
                errors.append(float(np.abs(m * found.p - 1).max()))
            off = max(errors)
            count, worst = count + 1, max(worst, off)
            if not off < 1e-2:
                bad.append(
                    f"{line.ker.left.name}, M = {m}: 𝓔 = {found.energy:.8f} against {energy:.8f}, "
                    f"cosines {gram.min():.4f} to {gram.max():.4f} against {float(cosine):.4f}"
                )
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    figure = f"{count} optima of {len(lines)} activations, worst error {worst:.1g}"
    return Finding(outcome, figure, count, count, count, "; ".join(bad[:4]))


def _one_line(name: str, change: Callable[[Line], Line]) -> Callable[[Any], tuple[Line, ...]]:
    """The changed line alone."""
    return lambda lines: tuple(change(x) for x in lines if x.ker.left.name == name)


E7 = Claim(
    id="E7",
    title="Other activations: the optimal cosine is the argmin of κ, or the simplex's",
    statement=(
        r"\sigma\text{ convex, homogeneous, }\beta=0,\ \rho^*=\arg\min_{[-1,1]}\kappa,\ d\ge M:"
        r"\quad\text{equal norms and }\rho_{ij}=\max\Bigl(-\frac1{M-1},\rho^*\Bigr);\quad"
        r"\rho^*=-1\text{ for nondecreasing }\kappa,\ 0\text{ for }|x|;\quad"
        r"\sigma(x)=x:\ \kappa=\rho,\text{ least energy }0\text{ at the simplex, not there alone}"
    ),
    source="theory.md E7 (this project's reconstruction)",
    subject=lambda: tuple(map(_line, LINES)),
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: the signs of κ'' and of κ'(-1) that the engine read off σ",
            _hypotheses,
            covers="the hypotheses, line by line",
        ),
        Evidence(
            Kind.STATISTICS,
            "L-BFGS over weights and directions, 6 starts",
            _many_starts,
            covers="M = 2, 3, 5, d = M",
        ),
    ),
    mutants=(
        Mutant("ρ* = -1 for |x|", _one_line("abs", lambda x: replace(x, star=Integer(-1)))),
        Mutant(
            "ρ* = 0 for a leaky slope of -1/4",
            _one_line("leaky_relu:slope=-1/4", lambda x: replace(x, star=Integer(0))),
        ),
        Mutant(
            "the optimum of the identity the only one",
            _one_line("identity", lambda x: replace(x, strict=True)),
        ),
        Mutant("|x| nondecreasing", _one_line("abs", lambda x: replace(x, nondecreasing=True))),
    ),
    depends_on=("E1", "K3"),
)

CLAIMS: tuple[Claim[Any], ...] = (E7,)
