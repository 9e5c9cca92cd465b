"""SymPy decides that two expressions are equal, or the sign of one.

It proves by simplification and refutes at a random rational point; what neither does is undecided.
"""

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sympy

from proofs_checks.ledger import Outcome

_POINT_DIGITS = 50
_POINTS = 8
_DRAWS = 60
# relation: the assumption that decides it, the one that denies it, and the test of a number
RELATIONS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    ">0": ("is_positive", "is_nonpositive", lambda v: v > 0),
    ">=0": ("is_nonnegative", "is_negative", lambda v: v >= 0),
    "<0": ("is_negative", "is_nonnegative", lambda v: v < 0),
    "<=0": ("is_nonpositive", "is_positive", lambda v: v <= 0),
}

_Route = Callable[[sympy.Expr], sympy.Expr]
_ROUTES_TO_ZERO: tuple[_Route, ...] = (
    sympy.factor,
    sympy.simplify,
    sympy.trigsimp,
    lambda e: sympy.simplify(sympy.expand(e, func=True, trig=True)),
    lambda e: sympy.simplify(e.replace(sympy.acos, lambda x: sympy.pi / 2 - sympy.asin(x))),
    lambda e: sympy.simplify(e.rewrite(sympy.exp)),
    lambda e: sympy.simplify(sympy.radsimp(sympy.together(e))),
)
_ROUTES_TO_SIGN: tuple[_Route, ...] = (
    lambda e: e,
    sympy.factor,
    sympy.expand,
    sympy.simplify,
)


@lru_cache(maxsize=4096)
def equality(lhs: sympy.Expr, rhs: sympy.Expr) -> tuple[Outcome, str]:
    """Whether lhs = rhs, and a point against it, "" if there is none.

    Kept, as the mutants of a claim share most of its rows.
    """
    lhs, rhs = lhs.doit(), rhs.doit()
    difference = lhs - rhs
    if difference == 0 or sympy.expand(difference) == 0:
        return Outcome.HOLDS, ""
    # A false identity is refuted in milliseconds; only then are the expensive routes worth trying.
    against = _point_against((lhs, rhs), _agree)
    if against:
        return Outcome.FAILS, against
    closed = any(route(difference) == 0 for route in _ROUTES_TO_ZERO)
    return Outcome.HOLDS if closed else Outcome.UNDECIDED, ""


@lru_cache(maxsize=4096)
def sign(expr: sympy.Expr, relation: str) -> tuple[Outcome, str]:
    """Whether expr has this relation to 0, a key of RELATIONS; a point against it, or ""."""
    affirmed, denied, holds = RELATIONS[relation]
    expr = expr.doit()
    for form in (route(expr) for route in _ROUTES_TO_SIGN):
        if getattr(form, affirmed):
            return Outcome.HOLDS, ""
        if getattr(form, denied):
            return Outcome.FAILS, ""
    against = _point_against((expr, sympy.S.Zero), lambda v, zero: holds(v) or _agree(v, zero))
    return Outcome.FAILS if against else Outcome.UNDECIDED, against


def _agree(left: sympy.Expr, right: sympy.Expr) -> bool:
    # evalf keeps 50 digits of each side; a difference beyond the 35th is evidence of nothing.
    scale = max(abs(left), abs(right), 1)
    return bool(abs(left - right) <= sympy.Float(10, _POINT_DIGITS) ** -35 * scale)


def _point_against(sides: tuple[sympy.Expr, sympy.Expr], holds: Callable[[Any, Any], bool]) -> str:
    """A random rational point, within the symbols' assumptions, where ``holds`` is false, or ""."""
    if any(side.has(sympy.Integral, sympy.Sum, sympy.Derivative, sympy.Limit) for side in sides):
        return ""
    # The same point in every process also where two symbols have one name.
    symbols = sorted(
        sides[0].free_symbols | sides[1].free_symbols,
        key=lambda s: (str(s), str(sorted(s.assumptions0.items()))),
    )
    draw = random.Random(0)
    met = 0
    for _ in range(_DRAWS):
        point = {symbol: _draw(symbol, draw) for symbol in symbols}
        values = [side.subs(point).evalf(_POINT_DIGITS, chop=True) for side in sides]
        if not all(value.is_Float or value.is_Rational for value in values):
            continue  # outside the domain: not a real number there
        met += 1
        if not holds(*values):
            where = ", ".join(f"{symbol} = {value}" for symbol, value in point.items())
            shown = " against ".join(str(value.evalf(20)) for value in values)
            return f"at {where}: {shown}" if where else shown
        if met == _POINTS or not symbols:
            break
    return ""


def _draw(symbol: sympy.Symbol, draw: random.Random) -> sympy.Rational:
    """A rational within the symbol's assumptions: in (-1, 1), or up to 4, or an integer up to 6."""
    size = (
        sympy.Integer(draw.randint(1, 6))
        if symbol.is_integer
        else sympy.Rational(draw.randint(1, 96), 97) + draw.choice((0, 0, 1, 3))
    )
    negative = symbol.is_nonpositive or (not symbol.is_nonnegative and draw.random() < 0.5)
    return -size if negative else size
