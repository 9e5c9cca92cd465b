"""σ as a function of complex balls, and its maximum over boxes."""

import math
from collections.abc import Callable
from operator import methodcaller
from typing import Any

import sympy
from flint import acb, arb

from symcomp.balls import ball
from symcomp.errors import ExpressionError
from symcomp.parsing import X

LOW = 64  # bits for bounds, where only the magnitude matters
DEPTH = 12  # how often a box is halved before analyticity is given up


def complex_function(expr: sympy.Expr) -> Callable[[Any], Any]:
    """z -> expr(z) over arb and acb balls; finite on an acb ball only if analytic there."""
    if X not in expr.free_symbols:
        constant = ball(expr, {})
        return lambda _: constant
    if expr == X:
        return lambda z: z
    if expr.is_Pow:
        return _compile_power(*expr.args)
    parts = [complex_function(arg) for arg in expr.args]
    if expr.is_Add:
        return lambda z: sum((part(z) for part in parts[1:]), parts[0](z))
    if expr.is_Mul:
        return lambda z: math.prod((part(z) for part in parts[1:]), start=parts[0](z))
    if type(expr) in FUNCTIONS:
        function, (inner,) = FUNCTIONS[type(expr)], parts
        return lambda z: function(inner(z))
    raise ExpressionError(f"expression: found {expr.func}, which has no complex balls here")


def _compile_power(base: sympy.Expr, exponent: sympy.Expr) -> Callable[[Any], Any]:
    inner = complex_function(base)
    if exponent.is_Integer:
        n = int(exponent)
        return lambda z: _integer_power(inner(z), n)
    if exponent.is_Rational and exponent.q == 2:
        n = int(exponent.p)
        return lambda z: _integer_power(_sqrt(inner(z)), n)
    power = complex_function(exponent)
    return lambda z: (power(z) * log(inner(z))).exp()


def _integer_power(z: Any, n: int) -> Any:
    # arb ** int is nan for balls around 0, acb ** int is not.
    return z**n if isinstance(z, acb) else (acb(z) ** n).real


def log(z: Any) -> Any:
    """log on the plane cut along the negative axis, NaN across the cut."""
    return z.log(analytic=True) if isinstance(z, acb) else z.log()


def _sqrt(z: Any) -> Any:
    return z.sqrt(analytic=True) if isinstance(z, acb) else z.sqrt()


def _asinh(z: Any) -> Any:
    if not isinstance(z, acb):
        return z.asinh()
    sign = -1 if z.real < 0 else 1
    return sign * log(sign * z + _sqrt(z * z + 1))


def _off_cut(name: str, imaginary: bool) -> Callable[[Any], Any]:
    """A function cut along the real (imaginary) axis beyond ±1 (±i)."""

    def function(z: Any) -> Any:
        if isinstance(z, acb):
            along, across = (z.imag, z.real) if imaginary else (z.real, z.imag)
            if across.contains(0) and not abs(along) < 1:
                return acb(arb.nan())
        return getattr(z, name)()

    return function


FUNCTIONS: dict[type, Callable[[Any], Any]] = {
    sympy.log: log,
    sympy.asin: _off_cut("asin", False),
    sympy.acos: _off_cut("acos", False),
    sympy.atan: _off_cut("atan", True),
    sympy.asinh: _asinh,
    **{
        getattr(sympy, name): methodcaller(name)
        for name in ("exp", "sin", "cos", "sinh", "cosh", "tanh", "erf", "erfc")
    },
}


def supremum(
    f: Callable[[Any], Any], real: tuple[arb, arb], imag: tuple[arb, arb], depth: int
) -> arb:
    """Upper bound of |f| on a rectangle, infinite unless f is shown to be analytic there."""
    value = f(acb(real[0].union(real[1]), imag[0].union(imag[1])))
    if value.is_finite():
        return acb(value).abs_upper()
    if depth == 0:
        return arb.pos_inf()
    wide, high = real[1] - real[0], imag[1] - imag[0]
    worst = arb(0)
    for half in halves(*(real if wide > high else imag)):
        sides = (half, imag) if wide > high else (real, half)
        worst = worst.max(supremum(f, *sides, depth - 1))
        if not worst.is_finite():
            break
    return worst


def halves(low: arb, high: arb) -> tuple[tuple[arb, arb], tuple[arb, arb]]:
    """The two halves of an interval."""
    middle = (low + high) / 2
    return (low, middle), (middle, high)
