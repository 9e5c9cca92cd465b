"""Text to SymPy, by walking Python's syntax tree: nothing a user types is ever evaluated."""

import ast
from collections.abc import Callable, Mapping
from fractions import Fraction

import sympy

from symcomp.errors import ExpressionError
from symcomp.special import normal_cdf

X = sympy.Symbol("x", real=True)

_MAX_LENGTH = 500
_MAX_POWER = 64
_MAX_DIGITS = 60

_CONSTANTS = {"pi": sympy.pi, "E": sympy.E, "e": sympy.E}


def _sigmoid(x: sympy.Expr) -> sympy.Expr:
    return 1 / (1 + sympy.exp(-x))


def _hermite(n: sympy.Expr, x: sympy.Expr) -> sympy.Expr:
    if not (n.is_Integer and 0 <= n <= _MAX_POWER):
        raise ExpressionError(f"expression: found He({n}, ...), expected a degree from 0 to 64")
    return sympy.hermite_prob(n, x)


# name -> (constructor, least and greatest number of arguments)
_FUNCTIONS: dict[str, tuple[Callable[..., sympy.Expr], int, int]] = {
    **{
        name: (getattr(sympy, name), 1, 1)
        for name in (
            *("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh"),
            *("asin", "acos", "atan", "asinh", "erf", "erfc", "sign", "Heaviside"),
        )
    },
    "Abs": (sympy.Abs, 1, 1),
    "abs": (sympy.Abs, 1, 1),
    "Max": (sympy.Max, 2, 8),
    "max": (sympy.Max, 2, 8),
    "Min": (sympy.Min, 2, 8),
    "min": (sympy.Min, 2, 8),
    "He": (_hermite, 2, 2),
    "relu": (lambda t: sympy.Max(0, t), 1, 1),
    "step": (sympy.Heaviside, 1, 1),
    "normal_cdf": (normal_cdf, 1, 1),
    "sigmoid": (_sigmoid, 1, 1),
    "softplus": (lambda t: sympy.log(1 + sympy.exp(t)), 1, 1),
}


def parse_number(text: str) -> sympy.Rational:
    """Exact rational from "3", "-1/10" or "0.25"; raises ExpressionError."""
    try:
        if len(text) > _MAX_DIGITS or "e" in text.lower():
            raise ValueError
        value = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        message = f"parameter: found {_shown(text)}, expected a number like 3, -1/10 or 0.25"
        raise ExpressionError(message) from None
    return sympy.Rational(value.numerator, value.denominator)


def parse(text: str, names: Mapping[str, sympy.Expr] | None = None) -> sympy.Expr:
    """SymPy expression from `text`, with `names` (default: x alone) as its symbols.

    Accepts numbers (decimals are exact), + - * / ** (or ^), parentheses, pi, E and the functions
    exp, log, sqrt, sin, cos, tanh, erf, Abs, Max, Min, sign, Heaviside, relu, ...
    Raises ExpressionError on anything else; nothing is evaluated as Python.
    """
    if len(text) > _MAX_LENGTH:
        found = f"{len(text)} characters"
        raise ExpressionError(f"expression: found {found}, expected at most {_MAX_LENGTH}")
    try:
        tree = ast.parse(text.strip().replace("^", "**"), mode="eval")
        return _build(tree.body, text, names or {"x": X})
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        if isinstance(error, ExpressionError):
            raise
        message = f"expression: found {_shown(text)}, expected an expression in x such as Max(0, x)"
        raise ExpressionError(message) from None


def _build(node: ast.expr, text: str, names: Mapping[str, sympy.Expr]) -> sympy.Expr:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float()):
            return parse_number(ast.get_source_segment(text.strip().replace("^", "**"), node) or "")
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.Name(id=name):
            expected = ", ".join([*names, *sorted(_CONSTANTS)])
            raise ExpressionError(
                f"expression: found the name {name!r}, expected one of {expected}"
            )
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_build(operand, text, names)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _build(operand, text, names)
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(op, _build(left, text, names), _build(right, text, names), text)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            make, least, most = _FUNCTIONS[name]
            if not least <= len(args) <= most:
                found = f"{name} with {len(args)} arguments"
                raise ExpressionError(f"expression: found {found}, expected {least} to {most}")
            return make(*(_build(arg, text, names) for arg in args))
    piece = ast.get_source_segment(text.strip().replace("^", "**"), node) or text
    raise ExpressionError(
        f"expression: found {_shown(piece)}, expected numbers, x, + - * / ** and functions such as"
        " exp, erf, Abs, Max"
    )


def _binary(op: ast.operator, a: sympy.Expr, b: sympy.Expr, text: str) -> sympy.Expr:
    match op:
        case ast.Add():
            return a + b
        case ast.Sub():
            return a - b
        case ast.Mult():
            return a * b
        case ast.Div() if b == 0:
            raise ExpressionError(f"expression: found a division by zero in {_shown(text)}")
        case ast.Div():
            return a / b
        case ast.Pow():
            if b.is_number and not abs(b) <= _MAX_POWER:
                raise ExpressionError(
                    f"expression: found the power {b}, expected at most {_MAX_POWER}"
                )
            return a**b
    raise ExpressionError(f"expression: found an operator in {_shown(text)} other than + - * / **")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
