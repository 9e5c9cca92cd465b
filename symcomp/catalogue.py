"""What σ is: the catalogue, and σ from a user's expression; its properties are derived."""

from dataclasses import dataclass
from functools import cached_property

import sympy

from symcomp.errors import ArgumentError, ExpressionError
from symcomp.parsing import X, parse, parse_number
from symcomp.terms import Form, branches, form

__all__ = ["Activation", "activation", "activations"]


@dataclass(frozen=True)
class Activation:
    """An activation σ: a name and a real SymPy expression in the symbol x."""

    name: str
    expr: sympy.Expr
    symbol: sympy.Symbol = X

    @cached_property
    def form(self) -> Form | None:
        """σ as a finite sum of terms, or None outside the class of `symcomp.terms`."""
        return form(self.expr)

    @cached_property
    def kinks(self) -> tuple[sympy.Expr, ...]:
        """The points where the branches of σ meet, in increasing order."""
        return tuple(branches(self.expr)[0])

    @cached_property
    def degree(self) -> int | None:
        """k if σ(t x) = t^k σ(x) for all t > 0, else None."""
        breaks, pieces = branches(self.expr)
        if any(b != 0 for b in breaks):
            return None
        degrees = {_monomial_degree(piece) for piece in pieces if piece != 0}
        return degrees.pop() if len(degrees) == 1 else None

    @cached_property
    def parity(self) -> str | None:
        """'even', 'odd' or None."""
        mirrored = branches(self.expr.xreplace({X: -X}))
        for name, sign in (("even", 1), ("odd", -1)):
            if mirrored[0] == list(self.kinks) and all(
                sympy.simplify(a - sign * b) == 0
                for a, b in zip(mirrored[1], branches(self.expr)[1], strict=True)
            ):
                return name
        return None

    @cached_property
    def nondecreasing(self) -> bool | None:
        """Whether σ' >= 0 as a distribution; None where SymPy cannot decide."""
        return self._nonnegative_derivative(1)

    @cached_property
    def convex(self) -> bool | None:
        """Whether σ'' >= 0 as a distribution; None where SymPy cannot decide."""
        return self._nonnegative_derivative(2)

    def _nonnegative_derivative(self, order: int) -> bool | None:
        """The smooth part of σ^(order) and its Dirac masses are all >= 0."""
        breaks, pieces = branches(self.expr)
        ends = [-sympy.oo, *breaks, sympy.oo]
        signs = [
            _nonnegative_on(sympy.diff(piece, X, order), low, high)
            for piece, low, high in zip(pieces, ends, ends[1:], strict=False)
        ]
        for at, left, right in zip(breaks, pieces, pieces[1:], strict=False):
            # A jump of σ^(i) at `at` is a δ^(order - 1 - i): a measure only for i = order - 1.
            for i in range(order):
                jump = sympy.simplify(sympy.diff(right - left, X, i).subs(X, at))
                allowed = jump.is_nonnegative if i == order - 1 else jump.is_zero
                signs.append(allowed)
        if any(sign is False for sign in signs):
            return False
        return True if all(signs) else None


def _monomial_degree(piece: sympy.Expr) -> int | None:
    """n if `piece` is a multiple of x^n."""
    if not piece.is_polynomial(X):
        return None
    monomials = sympy.Poly(piece, X).monoms()
    return int(monomials[0][0]) if len(monomials) == 1 else None


def _nonnegative_on(expr: sympy.Expr, low: sympy.Expr, high: sympy.Expr) -> bool | None:
    """Whether expr >= 0 on (low, high), decided by a substitution of signed symbols."""
    t = sympy.Dummy("t", positive=True)
    if low.is_infinite and high.is_infinite:
        halves = [expr.subs(X, t), expr.subs(X, -t)]
    elif low.is_infinite:
        halves = [expr.subs(X, high - t)]
    elif high.is_infinite:
        halves = [expr.subs(X, low + t)]
    else:
        halves = [expr.subs(X, (low + high * t) / (1 + t))]
    signs = [sympy.factor(half).is_nonnegative for half in halves]
    if False in signs:
        return False
    return True if all(signs) else None


# ---- the catalogue -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    text: str  # σ in x and its parameters
    defaults: dict[str, str]


_CATALOGUE: dict[str, _Entry] = {
    "relu": _Entry("Max(0, x)", {}),
    "leaky_relu": _Entry("Max(0, x) + slope*Min(0, x)", {"slope": "1/100"}),
    "abs": _Entry("Abs(x)", {}),
    "step": _Entry("Heaviside(x)", {}),
    "sign": _Entry("sign(x)", {}),
    "identity": _Entry("x", {}),
    "erf": _Entry("erf(x)", {}),
    "gelu": _Entry("x*normal_cdf(x)", {}),
}


def activations() -> tuple[str, ...]:
    """The names of the catalogue."""
    return tuple(_CATALOGUE)


def activation(source: "str | sympy.Expr | Activation", **parameters: object) -> Activation:
    """An activation from a catalogue name, an expression in x, or text such as "Max(0,x)**2".

    source: "relu"; "leaky_relu:slope=1/10"; a SymPy expression in one symbol; text in x.
    parameters: values of the catalogue entry's parameters (int, Fraction, Rational, str, or a
    SymPy expression).
    Raises ExpressionError if it is not a real function of one variable, ArgumentError for an
    unknown or impossible parameter.
    """
    if isinstance(source, Activation):
        return source
    if isinstance(source, str):
        return _from_text(source, parameters)
    if not isinstance(source, sympy.Expr):
        found = type(source).__name__
        raise ExpressionError(f"activation: found a {found}, expected a name or an expression in x")
    if parameters:
        raise ArgumentError(f"activation: found parameters {sorted(parameters)} with an expression")
    return _from_expr(source)


def _from_text(text: str, parameters: dict[str, object]) -> Activation:
    name, _, tail = text.partition(":")
    name = name.strip()
    if name not in _CATALOGUE:
        if name.isidentifier() and name != "x":
            known = ", ".join(_CATALOGUE)
            raise ExpressionError(f"activation: found {name!r}, expected one of {known}")
        return _from_expr(parse(text), text.strip())
    entry = _CATALOGUE[name]
    given = dict(part.split("=", 1) for part in tail.split(",") if "=" in part) if tail else {}
    if tail and len(given) != len(tail.split(",")):
        raise ArgumentError(f"parameter: found {tail!r}, expected name=value[,name=value]")
    values = {**given, **parameters}
    unknown = sorted(set(values) - set(entry.defaults))
    if unknown:
        known = ", ".join(entry.defaults) or "none"
        raise ArgumentError(f"parameter: found {unknown[0]!r} for {name}, expected one of: {known}")
    numbers = {key: _parameter(values.get(key, text)) for key, text in entry.defaults.items()}
    shown = ",".join(f"{key}={value}" for key, value in numbers.items())
    return Activation(f"{name}:{shown}" if shown else name, parse(entry.text, {"x": X, **numbers}))


def _parameter(value: object) -> sympy.Expr:
    if isinstance(value, sympy.Expr):
        return value
    return parse_number(str(value))


def _from_expr(expr: sympy.Expr, name: str | None = None) -> Activation:
    symbols = expr.free_symbols
    if len(symbols) > 1:
        found = ", ".join(sorted(map(str, symbols)))
        raise ExpressionError(f"activation: found the symbols {found}, expected one variable")
    expr = expr.xreplace(dict.fromkeys(symbols, X))
    if expr.has(sympy.I, sympy.oo, sympy.zoo, sympy.nan) or expr.is_extended_real is False:
        raise ExpressionError(f"activation: found {expr}, expected a real function of x")
    return Activation(name or str(expr), expr)
