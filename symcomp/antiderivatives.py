"""Antiderivatives in c of sums of  coeff · c^n · R^p · arcsin(c sqrt(B/A))^s,  R = sqrt(A - B c²).

This class (p odd, or B = 0; s = 0 or 1, with p = 0 where s = 1) holds every rung of Price's ladder
for centred thresholds and is closed under integration from 0 to c, by the reduction formulas below.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import sympy

C = sympy.Symbol("c", real=True)


@dataclass(frozen=True)
class Element:
    """c^power · R^root · arcsin(c sqrt(B/A))^arc with R² = a - b c²; a, b free of c."""

    power: int
    root: int = 0
    a: sympy.Expr = sympy.S.One
    b: sympy.Expr = sympy.S.Zero
    arc: bool = False

    def expr(self) -> sympy.Expr:
        """The element as a SymPy expression in c."""
        value = C**self.power * sympy.sqrt(self.a - self.b * C**2) ** self.root
        return value * sympy.asin(C * sympy.sqrt(self.b / self.a)) if self.arc else value


Elements = Mapping[Element, sympy.Expr]


def to_expr(sum_: Elements) -> sympy.Expr:
    """Σ coeff · element, grouped by the element's root and arcsine."""
    groups: dict[Element, sympy.Expr] = {}
    for e, coeff in sum_.items():
        key = Element(0, e.root, e.a, e.b, e.arc)
        groups[key] = groups.get(key, sympy.S.Zero) + coeff * C**e.power
    return sum((sympy.factor(g) * key.expr() for key, g in groups.items()), sympy.S.Zero)


def add(*sums: Elements) -> dict[Element, sympy.Expr]:
    """Sum with like elements collected and zeros dropped."""
    total: dict[Element, sympy.Expr] = {}
    for sum_ in sums:
        for e, coeff in sum_.items():
            total[e] = total.get(e, sympy.S.Zero) + coeff
    simple = {e: sympy.factor(coeff) for e, coeff in total.items()}
    return {e: coeff for e, coeff in simple.items() if coeff != 0}


def scale(factor: sympy.Expr, sum_: Elements) -> dict[Element, sympy.Expr]:
    """factor · sum."""
    return {e: factor * coeff for e, coeff in sum_.items()}


def integral_from_zero(sum_: Elements) -> dict[Element, sympy.Expr]:
    """∫_0^c of a sum of elements."""
    whole = add(*(scale(coeff, _antiderivative(e)) for e, coeff in sum_.items()))
    start = sympy.expand(to_expr(whole).subs(C, 0))
    return add(whole, {Element(0): -start})


@lru_cache(maxsize=4096)
def _antiderivative(e: Element) -> dict[Element, sympy.Expr]:
    n, p, a, b = e.power, e.root, e.a, e.b
    if e.arc:
        # By parts: (arcsin(c sqrt(b/a)))' = sqrt(b)/R.
        up = Element(n + 1, 0, a, b, arc=True)
        rest = _antiderivative(Element(n + 1, -1, a, b))
        factor = sympy.Rational(1, n + 1)
        return add({up: factor}, scale(-sympy.sqrt(b) * factor, rest))
    if p == 0 or b == 0:
        return {Element(n + 1, p, a, b): sympy.Rational(1, n + 1)}
    if n == 0:
        return _pure_root(p, a, b)
    if n == 1:
        return {Element(0, p + 2, a, b): -1 / (b * (p + 2))}
    # c² = (a - R²)/b
    lower = _antiderivative(Element(n - 2, p, a, b))
    higher = _antiderivative(Element(n - 2, p + 2, a, b))
    return add(scale(a / b, lower), scale(-1 / b, higher))


def _pure_root(p: int, a: sympy.Expr, b: sympy.Expr) -> dict[Element, sympy.Expr]:
    """∫ R^p from (c R^p)' = (p+1) R^p - a p R^(p-2), down or up to p = -1."""
    if p == -1:
        return {Element(0, 0, a, b, arc=True): 1 / sympy.sqrt(b)}
    here = Element(1, p if p > 0 else p + 2, a, b)
    if p > 0:
        lower = scale(a * p, _antiderivative(Element(0, p - 2, a, b)))
        return scale(sympy.Rational(1, p + 1), add({here: sympy.S.One}, lower))
    upper = scale(sympy.Integer(p + 3), _antiderivative(Element(0, p + 2, a, b)))
    return scale(1 / (a * (p + 2)), add(upper, {here: sympy.S.NegativeOne}))
