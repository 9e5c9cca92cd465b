"""SymPy expressions in ball arithmetic: enclosures by Arb, exact where the input is rational."""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

import flint
import mpmath
import sympy
from flint import acb, arb, fmpq

from symcomp.bivariate_balls import ball as bivariate_ball
from symcomp.errors import ArgumentError, ExpressionError
from symcomp.special import BivariateNormalCDF

Ball = arb | fmpq
Number: TypeAlias = "int | float | str | Fraction | sympy.Rational | mpmath.mpf | fmpq"

# A ball that still straddles 0 at this many times the digits asked for is taken up exactly.
_PATIENCE = 16


def exact(value: Number, name: str = "number") -> fmpq:
    """The rational that `value` stands for: floats and mpf as they are, "1.3" as 13/10.

    Raises ArgumentError for anything that is not a finite real number.
    """
    try:
        if isinstance(value, fmpq):
            return value
        if isinstance(value, mpmath.mpf):
            sign, man, exponent, _ = value._mpf_
            if not man and exponent:
                raise ValueError
            return fmpq(-int(man) if sign else int(man)) * fmpq(2) ** int(exponent)
        ratio = value if isinstance(value, sympy.Rational) else Fraction(value)
        top, bottom = (
            (ratio.p, ratio.q) if isinstance(ratio, sympy.Rational) else ratio.as_integer_ratio()
        )
        return fmpq(int(top), int(bottom))
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise ArgumentError(
            f"{name}: found {value!r}, expected a finite real number (int, float, Fraction, "
            'Rational, mpf or a string such as "1.3")'
        ) from None


def rational(value: fmpq) -> sympy.Rational:
    """The same number in SymPy."""
    return sympy.Rational(int(value.p), int(value.q))


def ball(expr: sympy.Expr, values: Mapping[sympy.Symbol, Ball | int]) -> arb:
    """Enclosure of `expr` at `values`, at flint's current precision.

    Exact rational input stays exact until the first irrational function. Square roots, asin and
    acos take the part of their argument in their real domain: the caller vouches that the true
    argument lies there, as it does for every kernel at |c| <= sqrt(q_u q_v).
    """
    return arb(_walk(expr, values))


def compiled(expr: sympy.Expr, symbols: Sequence[sympy.Symbol]) -> Callable[..., arb]:
    """The same enclosure as a function of `symbols`, for many calls at the current precision.

    Equal subexpressions are evaluated once a call, constant ones once for all, here and now.
    """
    place: dict[sympy.Expr, int] = {symbol: i for i, symbol in enumerate(symbols)}
    cells: list[Ball] = [fmpq(0)] * len(symbols)
    steps: list[tuple[int, Callable[..., Ball], tuple[int, ...]]] = []

    def put(node: sympy.Expr) -> int:
        if node not in place:
            if node.free_symbols:
                parts = tuple(put(arg) for arg in node.args)
                steps.append((len(cells), _operation(node), parts))
                value: Ball = fmpq(0)
            else:
                value = _walk(node, {})
            place[node] = len(cells)
            cells.append(value)
        return place[node]

    last = put(expr)

    def run(*values: Ball) -> arb:
        work = [*values, *cells[len(values) :]]
        for at, operation, args in steps:
            work[at] = operation(*[work[i] for i in args])
        return arb(work[last])

    return run


def _operation(node: sympy.Expr) -> Callable[..., Ball]:
    if node.is_Add:
        return lambda *args: sum(args[1:], args[0])
    if node.is_Mul:
        return lambda *args: math.prod(args[1:], start=args[0])
    if node.is_Pow:
        return _power
    if type(node) not in _FUNCTIONS:
        raise ExpressionError(f"expression: found {node.func}, which has no ball arithmetic here")
    function = _FUNCTIONS[type(node)]
    return lambda *args: function(*(arb(a) for a in args))


def _walk(expr: sympy.Expr, values: Mapping[sympy.Symbol, Ball | int]) -> Ball:
    if expr.is_Rational:
        return fmpq(int(expr.p), int(expr.q))
    if expr.is_Symbol:
        found = values[expr]
        return fmpq(found) if isinstance(found, int) else found
    if expr in _CONSTANTS:
        return _CONSTANTS[expr]()
    args = [_walk(arg, values) for arg in expr.args]
    if expr.is_Add:
        return sum(args[1:], args[0])
    if expr.is_Mul:
        return math.prod(args[1:], start=args[0])
    if expr.is_Pow:
        return _power(args[0], args[1])
    if type(expr) in _FUNCTIONS:
        return _FUNCTIONS[type(expr)](*(arb(a) for a in args))
    raise ExpressionError(f"expression: found {expr.func}, which has no ball arithmetic here")


def _power(base: Ball, exponent: Ball) -> Ball:
    if not isinstance(exponent, fmpq):
        return arb(base) ** exponent
    if exponent.q == 1:
        return _whole_power(base, int(exponent.p))
    if exponent.q == 2:
        return _whole_power(_square_root(base), int(exponent.p))
    return arb(base) ** arb(exponent)


def _whole_power(base: Ball, n: int) -> Ball:
    if isinstance(base, fmpq):
        return arb.nan() if n < 0 and base == 0 else base**n
    # arb ** int is NaN on balls around 0; acb ** int is not.
    return (acb(base) ** n).real


def _square_root(x: Ball) -> Ball:
    if isinstance(x, fmpq):
        top, bottom = int(x.p), int(x.q)
        if top >= 0 and math.isqrt(top) ** 2 == top and math.isqrt(bottom) ** 2 == bottom:
            return fmpq(math.isqrt(top), math.isqrt(bottom))
        return arb(x).sqrt()
    return x.nonnegative_part().sqrt() if x.contains(0) else x.sqrt()


def _asin(x: arb) -> arb:
    if x <= 1 and x >= -1:
        return x.asin()
    # asin is monotone: the ends of what lies in [-1, 1] enclose it.
    low, high = (max(min(end, arb(1)), arb(-1)) for end in (x.lower(), x.upper()))
    return low.asin().union(high.asin())


_CONSTANTS: dict[sympy.Expr, Callable[[], arb]] = {
    sympy.pi: arb.pi,
    sympy.E: arb.const_e,
}

_FUNCTIONS: dict[type, Callable[..., arb]] = {
    sympy.asin: _asin,
    sympy.acos: lambda x: arb.pi() / 2 - _asin(x),
    sympy.atan: arb.atan,
    sympy.exp: arb.exp,
    sympy.log: arb.log,
    sympy.sin: arb.sin,
    sympy.cos: arb.cos,
    sympy.sinh: arb.sinh,
    sympy.cosh: arb.cosh,
    sympy.tanh: arb.tanh,
    sympy.erf: arb.erf,
    sympy.erfc: arb.erfc,
    sympy.gamma: arb.gamma,
    sympy.Abs: abs,
    sympy.erfi: arb.erfi,
    BivariateNormalCDF: bivariate_ball,
}


def enclose(compute: Callable[[], arb], digits: int, is_zero: Callable[[], bool]) -> arb:
    """Repeat `compute` at growing precision until its relative radius is at most 10^-digits.

    `is_zero` decides exactly whether the value is 0, where no relative radius can shrink.
    Raises ArgumentError if the digits are not reached.
    """
    bits = math.ceil(digits * math.log2(10)) + 4
    for growth in (1, 2, 4, 8, _PATIENCE):
        with flint.ctx.workprec(growth * bits + 32):
            value = compute()
            if value.rel_accuracy_bits() >= bits:
                return value
            if growth > 1 and value.contains(0) and is_zero():
                return arb(0)
    raise ArgumentError(f"digits: found {digits}, but the value was not enclosed to that many")


def to_mpf(value: arb) -> mpmath.mpf:
    """The midpoint as an mpf, unrounded."""
    man, exponent = value.mid().man_exp()
    return mpmath.mp.make_mpf(mpmath.libmp.from_man_exp(int(man), int(exponent)))
