"""E1 for M = 2, 3, 4 as a chain of two-point inequalities, decided by SymPy and by balls.

The mass p_i p_j at ρ_ij, i ≠ j, and what the diagonal has beyond 1/M, at 1, are merged two by two
into one mass at t. Each merging loses (mass) · J(λ, x, y) of energy, where

    J(λ, x, y) = λκ(x) + (1-λ)κ(y) - κ(z),  z = λx + (1-λ)y,
               = λ(1-λ)(x-y)² κ[x, z, y],

and the divided difference κ[x, z, y] is an average of κ''/2 between x and y: where κ'' > 0 no slack
is left in it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import flint
import sympy

from proofs_checks.checks import certify, combine, identities, signs
from proofs_checks.ledger import Finding
from symcomp import objectives
from symcomp.antiderivatives import C
from symcomp.balls import compiled, exact
from symcomp.kernels import RHO, DualKernel

Row = tuple[str, sympy.Expr, sympy.Expr]
Bound = Callable[[DualKernel, sympy.Expr, sympy.Expr], sympy.Expr]
Condition = Callable[[tuple[flint.arb, ...]], bool | None]

SIZES = (2, 3, 4)


def chain(kernels: Sequence[DualKernel], bound: Bound) -> Finding:
    """E1 for M in SIZES, all weights and all correlations: the chain, and κ'' > 0 in balls."""
    rows = [row for m in SIZES for row in _telescope(kernels[0], bound, m)]
    curvature = [certify(_bends(ker), box("0 1"), depth=20) for ker in kernels]
    return combine(identities([_quotient(), *rows]), signs(_masses()), *curvature)


def _quotient() -> Row:
    share, x, y, kx, ky, kz = sympy.symbols("lambda x y kappa_x kappa_y kappa_z", real=True)
    z = share * x + (1 - share) * y
    divided = ((ky - kz) / (y - z) - (kz - kx) / (z - x)) / (y - x)
    return (
        "J = λ(1-λ)(x-y)² κ[x, z, y]",
        share * kx + (1 - share) * ky - kz,
        share * (1 - share) * (x - y) ** 2 * divided,
    )


def _telescope(ker: DualKernel, bound: Bound, m: int) -> Iterator[Row]:
    """The masses and means of the chain, and 𝓔 - bound as the sum of what the mergings lose."""
    p = [*sympy.symbols(f"p1:{m}", nonnegative=True)]
    p.append(1 - sympy.Add(*p))
    rho = {pair: sympy.Symbol(f"rho{pair[0]}{pair[1]}", real=True) for pair in _pairs(m)}
    squares = sympy.Add(*(w**2 for w in p))
    square = squares + 2 * sympy.Add(*(p[i] * p[j] * rho[i, j] for i, j in _pairs(m)))
    points = [(2 * p[i] * p[j], rho[i, j]) for i, j in _pairs(m)]
    points.append((squares - sympy.Rational(1, m), sympy.S.One))
    yield f"M = {m}: the whole mass", sympy.Add(*(w for w, _ in points)), 1 - sympy.Rational(1, m)
    moment = sympy.Add(*(w * x for w, x in points))
    yield f"M = {m}: mass times mean t", moment, square - sympy.Rational(1, m)
    # κ at the points and at the means of the chain, as symbols; the last mean is t
    values = [sympy.Symbol(f"kappa{k}", real=True) for k in range(len(points))]
    means = [values[0], *sympy.symbols(f"zeta1:{len(points)}", real=True)]
    masses = [sympy.Add(*(w for w, _ in points[: k + 1])) for k in range(len(points))]
    lost = sympy.Add(
        *(
            masses[k - 1] * means[k - 1] + points[k][0] * values[k] - masses[k] * means[k]
            for k in range(1, len(points))
        )
    )
    energy = squares * values[-1] + sympy.Add(
        *(w * k for (w, _), k in zip(points[:-1], values[:-1], strict=True))
    )
    kept = _with_values(ker, bound, m, values[-1], means[-1])
    yield f"M = {m}: 𝓔 - bound is what {len(points) - 1} mergings lose", energy - kept, lost


def _with_values(
    ker: DualKernel, bound: Bound, m: int, one: sympy.Symbol, at_t: sympy.Symbol
) -> sympy.Expr:
    """The bound with symbols for κ(1) and κ(t); κ anywhere else is a number of its own."""
    kappa, Q = sympy.Function("kappa"), sympy.Symbol("Q", nonnegative=True)
    names = {sympy.S.One: one, sympy.cancel((m * Q - 1) / (m - 1)): at_t}
    claimed = bound(replace(ker, expr=kappa(C)), sympy.Integer(m), Q)
    other = sympy.Symbol("kappa_elsewhere", real=True)
    return claimed.replace(kappa, lambda x: names.get(sympy.cancel(x), other))


def _pairs(m: int) -> list[tuple[int, int]]:
    return list(combinations(range(m), 2))


def _masses() -> Iterator[tuple[str, sympy.Expr, str]]:
    for m in SIZES:
        p = sympy.symbols(f"p1:{m + 1}", real=True)
        centred = sympy.Add(*((w - sympy.Rational(1, m)) ** 2 for w in p))
        yield f"M = {m}: Σp² - 1/M = Σ(p - 1/M)² as Σp = 1", centred, ">=0"


def _bends(ker: DualKernel) -> Condition:
    """v κ''(±(1 - v²)) > 0 for 0 <= v <= 1: κ'' > 0 on (-1, 1), with its poles at ±1 cancelled."""
    v = sympy.Symbol("v", positive=True)
    second = sympy.diff(ker.correlation, RHO, 2)
    sides = [compiled(sympy.simplify(v * second.subs(RHO, s * (1 - v**2))), [v]) for s in (1, -1)]

    def condition(at: tuple[flint.arb, ...]) -> bool | None:
        values = [side(*at) for side in sides]
        if all(value > 0 for value in values):
            return True
        return False if any(value < 0 for value in values) else None

    return condition


def positive(expr: sympy.Expr, symbols: Sequence[sympy.Symbol]) -> Condition:
    """expr > 0 on a box, by its range or by the mean-value form; boxes of certify."""
    plain = compiled(expr, symbols)
    slopes = [compiled(sympy.diff(expr, symbol), symbols) for symbol in symbols]

    def condition(ball: tuple[flint.arb, ...]) -> bool | None:
        value = plain(*ball)
        if not (value > 0 or value < 0):
            middle = [flint.arb(b.mid()) for b in ball]
            value = plain(*middle)
            for b, c, slope in zip(ball, middle, slopes, strict=True):
                value += slope(*ball) * (b - c)
        return True if value > 0 else False if value < 0 else None

    return condition


def box(*sides: str) -> list[tuple[flint.fmpq, flint.fmpq]]:
    """Sides "low high" as rationals."""
    ends = ([exact(end) for end in side.split()] for side in sides)
    return [(low, high) for low, high in ends]


def gap(
    ker: DualKernel, bound: Bound, p: Sequence[Any], rho: Sequence[Sequence[Any]]
) -> sympy.Expr:
    """𝓔 - bound, with the powers of each variable collected."""
    nodes = range(len(p))
    pairs = [(p[i] * p[j], rho[i][j]) for i in nodes for j in nodes]
    energy = sum(w * objectives.kappa(ker, r) for w, r in pairs)
    square = sympy.expand(sum(w * r for w, r in pairs))
    return sympy.expand(energy - bound(ker, sympy.Integer(len(p)), square))
