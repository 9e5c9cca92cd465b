"""Sums of products of special functions, gathered: one factored coefficient for each product."""

from functools import lru_cache
from math import lcm

import sympy

__all__ = ["factored", "gathered"]

factored = lru_cache(maxsize=4096)(sympy.factor)  # terms share nearly all of their covariances


def gathered(expr: sympy.Expr) -> sympy.Expr:
    """The sum with one factored coefficient for each product of special functions."""
    masks = {f: sympy.Dummy() for f in expr.atoms(sympy.Function)}
    unmask = {mask: f for f, mask in masks.items()}
    # xreplace works from the outside in: only outermost functions are masked.
    hidden, denominators = _hidden_denominators(expr.xreplace(masks), set(unmask))
    groups: dict[sympy.Expr, list[sympy.Expr]] = {}
    for addend in sympy.Add.make_args(sympy.expand(hidden)):
        plain, special = addend.as_independent(*unmask, as_Add=False)
        special = sympy.powsimp(special.xreplace(unmask), combine="exp")
        special = special.replace(sympy.exp, lambda e: sympy.exp(factored(e)))
        groups.setdefault(special, []).append(plain.xreplace(denominators))
    add_up = _fractions if denominators else lambda addends: sympy.Add(*addends)
    return sum((factored(add_up(k)) * f for f, k in groups.items()), sympy.S.Zero)


def _hidden_denominators(
    expr: sympy.Expr, keep: set[sympy.Dummy]
) -> tuple[sympy.Expr, dict[sympy.Dummy, sympy.Expr]]:
    """Symbols in place of sums with negative powers, whose products expanding multiplies out.

    One such sum alone makes no product, and is left as it is.
    """
    powers = [p for p in expr.atoms(sympy.Pow) if p.base.is_Add and p.exp.is_Rational]
    bases = {p.base for p in powers if p.exp < 0 and not p.free_symbols & keep}
    hidden: dict[sympy.Expr, sympy.Expr] = {}
    shown: dict[sympy.Dummy, sympy.Expr] = {}
    for base in sorted(bases, key=sympy.default_sort_key) if len(bases) > 1 else ():
        symbol, here = sympy.Dummy(), [p for p in powers if p.base == base]
        root = lcm(*(int(p.exp.q) for p in here))
        hidden |= {p: symbol ** (p.exp * root) for p in here} | {base: symbol**root}
        shown[symbol] = base ** sympy.Rational(1, root)
    return expr.xreplace(hidden), shown


def _fractions(addends: list[sympy.Expr]) -> sympy.Expr:
    """Their sum, those over the same square roots brought over one denominator."""
    alike: dict[frozenset[sympy.Expr], list[sympy.Expr]] = {}
    for addend in addends:
        powers = (f.as_base_exp() for f in sympy.Mul.make_args(addend))
        roots = frozenset(b for b, n in powers if b.is_Add and n.is_Rational and n.q > 1)
        alike.setdefault(roots, []).append(addend)
    return sympy.Add(*map(_one_fraction, alike.values()))


def _one_fraction(addends: list[sympy.Expr]) -> sympy.Expr:
    """Their sum over the least product of powers that all denominators divide, cancelled."""
    bottom: dict[sympy.Expr, sympy.Expr] = {}
    for addend in addends:
        for base, power in (f.as_base_exp() for f in sympy.Mul.make_args(addend)):
            if power.is_Rational and -power > bottom.get(base, 0):
                bottom[base] = -power
    common = sympy.Mul(*(base**power for base, power in bottom.items()))
    top = sympy.expand(sympy.Add(*(addend * common for addend in addends)))
    for base in (b for b in bottom if b.is_Add):
        while bottom[base] > 0:
            quotient, rest = sympy.div(top, base)
            if rest != 0:
                break
            top, bottom[base] = quotient, bottom[base] - 1
    return top / sympy.Mul(*(base**power for base, power in bottom.items()))
