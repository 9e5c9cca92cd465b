"""Losses as formulas: sums over neurons of the kernel of inner products, and their values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import flint
import numpy as np
import sympy
from mpmath import mpf
from numpy.typing import NDArray
from sympy import Indexed, IndexedBase, Sum, Symbol

from proofs_checks.ledger import Mutant
from symcomp.balls import ball, exact, to_mpf
from symcomp.kernels import DualKernel
from symcomp.objectives import (
    M,
    N,
)

Array = NDArray[np.float64]
Exact = tuple[tuple[Fraction, ...], ...]
Rows = Iterator[tuple[str, sympy.Expr, sympy.Expr]]

SOURCE = "theory.md section 3, this project's reconstruction"


# ---- formulas in N, M and inner products, and their values ---------------------------------------


@dataclass(frozen=True)
class Formula:
    """A claimed value of a loss: sums over neurons of the kernel of inner products."""

    kernel: DualKernel
    expr: sympy.Expr

    def value(self, numbers: Mapping[str, Any], digits: int) -> mpf:
        """The formula at exact numbers, correct to `digits` digits.

        `numbers` maps the name of each symbol to its value, of each indexed family to a nested
        list; N and M are among them.
        """
        expr, atoms = spelled_out(self.expr, numbers["N"], numbers["M"])
        values = {symbol: exact(entry(numbers[name], at)) for symbol, name, at in atoms}
        # At |ρ| = 1 the arcsine keeps only half of the digits: four times as many leave plenty.
        with flint.ctx.workprec(14 * digits + 64):
            return to_mpf(ball(expr, values))


@cache
def spelled_out(
    formula: sympy.Expr, n: int, m: int
) -> tuple[sympy.Expr, tuple[tuple[Symbol, str, tuple[int, ...]], ...]]:
    """The sums for N = n, M = m written out, and (symbol, name, indices) of each of its atoms."""
    expr = formula.subs({N: n, M: m}).doit()
    indexed = sorted(expr.atoms(Indexed), key=str)
    plain = {atom: sympy.Dummy(str(atom), real=True) for atom in indexed}
    atoms = [(plain[a], str(a.base.label), tuple(int(k) for k in a.indices)) for a in indexed]
    expr = expr.xreplace(plain)
    own = expr.free_symbols - set(plain.values())
    return expr, (*atoms, *((symbol, symbol.name, ()) for symbol in own))


def entry(family: Any, indices: tuple[int, ...]) -> Any:
    """The member of a nested list at these indices, which start at 1 as in SymPy's sums."""
    for k in indices:
        family = family[k - 1]
    return family


def gram(U: Sequence[Sequence[Any]], V: Sequence[Sequence[Any]]) -> list[list[flint.fmpq]]:
    """The inner products of the rows, exact."""
    rows, columns = ([[exact(x) for x in row] for row in side] for side in (U, V))
    return [[_dot(u, v) for v in columns] for u in rows]


def _dot(u: Sequence[flint.fmpq], v: Sequence[flint.fmpq]) -> flint.fmpq:
    return sum((x * y for x, y in zip(u, v, strict=True)), flint.fmpq(0))


def changed(name: str, change: Callable[[sympy.Expr], sympy.Expr]) -> Mutant[Formula]:
    """The claim with another formula."""
    return Mutant(name, lambda f: replace(f, expr=change(f.expr)))


def scaled(kind: str, factor: sympy.Expr) -> Callable[[sympy.Expr], sympy.Expr]:
    """Multiply one term of a formula."""
    return lambda expr: sympy.Add(
        *(term * factor if kind_of(term) == kind else term for term in sympy.Add.make_args(expr))
    )


def kind_of(term: sympy.Expr) -> str:
    """The outer weights of a term, one letter a sum: "aa", "ab", "bb", "b", or "" without sums."""
    if not term.has(Sum):
        return ""
    (total,) = term.atoms(Sum)
    names = sorted({str(base.label) for base in total.atoms(IndexedBase)} & {"a", "b"})
    return "ab" if len(names) == 2 else names[0] * len(total.limits)


def term_rows(
    formula: Formula, kind: str, value: Callable[..., sympy.Expr], ends: tuple[Symbol, ...]
) -> Rows:
    """The term of this kind: its ranges, and its summand (coefficient included) against `value`."""
    (term,) = (t for t in sympy.Add.make_args(formula.expr) if kind_of(t) == kind)
    coefficient, total = term.as_independent(Sum)
    indices = []
    for (index, first, last), end in zip(total.limits, ends, strict=True):
        indices.append(index)
        yield f"{kind}: sum from 1", first, sympy.S.One
        yield f"{kind}: sum to {end}", last, end
    yield f"{kind}: coefficient times K", coefficient * total.function, value(*indices)


# ---- S0: the exact loss --------------------------------------------------------------------------


@dataclass(frozen=True)
class Networks:
    """Two mean networks with exact weights."""

    label: str
    W: Exact
    Theta: Exact
    a: tuple[Fraction, ...]
    b: tuple[Fraction, ...]

    @property
    def numbers(self) -> dict[str, Any]:
        """What `Formula.value` needs."""
        return {
            "N": len(self.W),
            "M": len(self.Theta),
            "a": self.a,
            "b": self.b,
            r"{(WW^\top)}": gram(self.W, self.W),
            r"{(W\Theta^\top)}": gram(self.W, self.Theta),
            r"{(\Theta\Theta^\top)}": gram(self.Theta, self.Theta),
        }


def _networks(label: str, W: str, Theta: str, a: str = "", b: str = "") -> Networks:
    """Rows and entries from text: "1 2, 1/2 -1" are two rows; outer weights are 1 if not given."""
    w, t = rows_of(W), rows_of(Theta)
    (outer_a,), (outer_b,) = (rows_of(a or "1 " * len(w)), rows_of(b or "1 " * len(t)))
    return Networks(label, w, t, outer_a, outer_b)


def rows_of(text: str) -> Exact:
    """Rows of exact numbers from text: "1 2, 1/2 -1" are two."""
    return tuple(tuple(Fraction(x) for x in row.split()) for row in text.split(","))


PAIRS = (
    _networks("generic", "1 2, 3/10 -1", "-1 1, 2 1"),
    _networks("signed outer weights", "1 2, -3/2 1, 1 0", "-1 1, 2 1/2", "1 -2 3", "1/2 -3"),
    _networks("opposite neurons", "1 2, -1 -2", "1/2 1, -2 -4", "1 1", "1 -1"),
    _networks("copies", "1 2, 3 -1", "3 -1, 1 2, 1 2, 3 -1"),
    _networks("parallel neurons merged", "1 2, 2 4", "3/2 3"),
    _networks("almost opposite", "1 0, -1 1/1000000000000", "0 1"),
    _networks("three dimensions", "1 2 1, 3/10 -1 1", "-1 1 2", "1 -2", "3/2"),
)
