"""What σ is: the catalogue, and σ from a user's expression; its properties are derived."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import flint
import sympy

from symcomp.balls import ball, exact
from symcomp.errors import ArgumentError, ExpressionError
from symcomp.parsing import X, parse, parse_number
from symcomp.terms import Form, branches, form

# Beyond this many operations SymPy's rational simplification takes seconds.
_LARGEST = 80

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

    @cached_property
    def lipschitz(self) -> sympy.Expr | None:
        """sup |σ'|, ∞ where σ jumps or outgrows every line; None where no closed form is found."""
        breaks, pieces = branches(self.expr)
        ends = [-sympy.oo, *breaks, sympy.oo]
        for at, left, right in zip(breaks, pieces, pieces[1:], strict=False):
            if sympy.simplify((right - left).subs(X, at)) != 0:
                return sympy.oo
        slopes = [sympy.diff(piece, X) for piece in pieces]
        sups = [_sup(slope, a, b) for slope, a, b in zip(slopes, ends, ends[1:], strict=False)]
        return None if None in sups else sympy.Max(*sups)

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
    """Whether expr >= 0 on (low, high): a ball that is negative refutes, SymPy's signs prove."""
    if _negative_somewhere(expr, low, high):
        return False
    t = sympy.Dummy("t", positive=True)
    if low.is_infinite and high.is_infinite:
        halves = [expr.subs(X, t), expr.subs(X, -t)]
    elif low.is_infinite:
        halves = [expr.subs(X, high - t)]
    elif high.is_infinite:
        halves = [expr.subs(X, low + t)]
    else:
        halves = [expr.subs(X, (low + high * t) / (1 + t))]
    return True if all(_decided_nonnegative(half, t) for half in halves) else None


def _sup(slope: sympy.Expr, low: sympy.Expr, high: sympy.Expr) -> sympy.Expr | None:
    """sup |slope| on (low, high), from its limits and the zeros of its derivative."""
    a, b = sympy.Wild("a", exclude=[X]), sympy.Wild("b")
    for wave in (sympy.sin, sympy.cos):
        match = slope.match(a * wave(b))
        if match and match[a] != 0 and low.is_infinite and high.is_infinite:
            return abs(match[a])
    zeros = _zeros(sympy.diff(slope, X))
    if zeros is None:
        return None
    inner = [z for z in zeros if (z > low) == True and (z < high) == True]  # noqa: E712
    values = [sympy.limit(slope, X, low, "+"), sympy.limit(slope, X, high, "-")]
    values += [slope.subs(X, z) for z in inner]
    return sympy.Max(*(sympy.Abs(sympy.simplify(value)) for value in values))


def _zeros(expr: sympy.Expr) -> list[sympy.Expr] | None:
    """Real zeros of a polynomial times exponentials, or of a rational function of exp(x)."""
    if expr.count_ops() > _LARGEST:
        return None
    u = sympy.Dummy("u", positive=True)
    rational = sympy.powsimp(sympy.expand(expr.rewrite(sympy.exp)))
    rational = sympy.factor(rational.subs(sympy.exp(X), u).subs(sympy.exp(-X), 1 / u))
    zeros: list[sympy.Expr] = []
    for factor in sympy.Mul.make_args(sympy.numer(sympy.together(rational))):
        base = factor.as_base_exp()[0]
        if base.is_polynomial(X) and not base.has(u):
            zeros += [] if not base.has(X) else sympy.real_roots(sympy.Poly(base, X))
        elif base.is_polynomial(u) and not base.has(X):
            zeros += [sympy.log(r) for r in sympy.real_roots(sympy.Poly(base, u)) if r > 0]
        elif not isinstance(factor, sympy.exp):
            return None
    return zeros


def _decided_nonnegative(expr: sympy.Expr, t: sympy.Symbol) -> bool:
    """SymPy's answer for expr as it is, factored, or rational in u = exp(t) - 1 > 0."""
    u = sympy.Dummy("u", positive=True)
    exponential = sympy.powsimp(sympy.expand(expr.rewrite(sympy.exp)))
    rational = exponential.subs(sympy.exp(t), 1 + u).subs(sympy.exp(-t), 1 / (1 + u))
    forms = (expr, sympy.factor(expr), sympy.factor(rational))
    return any(form.is_nonnegative for form in forms)


def _negative_somewhere(expr: sympy.Expr, low: sympy.Expr, high: sympy.Expr) -> bool:
    if expr.free_symbols - {X}:
        return False
    with flint.ctx.workprec(128):
        points = [sympy.Rational(k, 8) for k in range(-64, 65)]
        inside = [p for p in points if (p > low) == True and (p < high) == True]  # noqa: E712
        return any(ball(expr, {X: exact(p)}) < 0 for p in inside)


# ---- the catalogue -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """σ as text in x and its parameters, their defaults, and the bounds of whole-number ones."""

    text: str
    defaults: Mapping[str, str] = field(default_factory=dict)
    whole: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    nonzero: tuple[str, ...] = ()


_ELU = "Max(0, x) + alpha*(exp(Min(0, x)) - 1)"
_COEFFICIENTS = {f"c{k}": "1" if k == 1 else "0" for k in range(9)}

_CATALOGUE: dict[str, _Entry] = {
    "identity": _Entry("x"),
    "relu": _Entry("Max(0, x)"),
    "leaky_relu": _Entry("Max(0, x) + slope*Min(0, x)", {"slope": "1/100"}),
    "abs": _Entry("Abs(x)"),
    "step": _Entry("Heaviside(x)"),
    "sign": _Entry("sign(x)"),
    "relu_power": _Entry("Max(0, x)**k", {"k": "2"}, {"k": (1, 20)}),
    "abs_power": _Entry("Abs(x)**k", {"k": "3"}, {"k": (1, 20)}),
    "monomial": _Entry("x**n", {"n": "2"}, {"n": (0, 20)}),
    "polynomial": _Entry(" + ".join(f"c{k}*x**{k}" for k in range(9)), _COEFFICIENTS),
    "hermite": _Entry("He(n, x)", {"n": "3"}, {"n": (0, 20)}),
    "erf": _Entry("erf(a*x + b)", {"a": "1", "b": "0"}),
    "normal_cdf": _Entry("normal_cdf(x)"),
    "gelu": _Entry("x*normal_cdf(x)"),
    "gaussian": _Entry("exp(-a*x**2)", {"a": "1"}),
    "exp": _Entry("exp(a*x)", {"a": "1"}),
    "sin": _Entry("sin(a*x + b)", {"a": "1", "b": "0"}),
    "cos": _Entry("cos(a*x + b)", {"a": "1", "b": "0"}),
    "gabor": _Entry("exp(-a*x**2)*sin(b*x)", {"a": "1", "b": "1"}),
    "hard_tanh": _Entry("Max(-1, Min(1, x))"),
    "hard_sigmoid": _Entry("Max(0, Min(1, x/6 + 1/2))"),
    "relu6": _Entry("Min(6, Max(0, x))"),
    "elu": _Entry(_ELU, {"alpha": "1"}),
    "selu": _Entry(
        f"scale*({_ELU})", {"alpha": "1.6732632423543772", "scale": "1.0507009873554805"}
    ),
    "celu": _Entry("Max(0, x) + alpha*(exp(Min(0, x)/alpha) - 1)", {"alpha": "1"}, {}, ("alpha",)),
    "tanh": _Entry("tanh(x)"),
    "sigmoid": _Entry("sigmoid(x)"),
    "softplus": _Entry("softplus(x)"),
    "silu": _Entry("x*sigmoid(x)"),
    "mish": _Entry("x*tanh(softplus(x))"),
    "gelu_tanh": _Entry("x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))/2"),
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
    numbers = {
        key: _parameter(key, values.get(key, text), name) for key, text in entry.defaults.items()
    }
    shown = ",".join(f"{key}={numbers[key]}" for key in entry.defaults if key in values)
    return Activation(f"{name}:{shown}" if shown else name, parse(entry.text, {"x": X, **numbers}))


def _parameter(key: str, value: object, name: str) -> sympy.Expr:
    """A number or symbol, in the range of the entry."""
    entry = _CATALOGUE[name]
    number = value if isinstance(value, sympy.Expr) else parse_number(str(value))
    if number.is_extended_real is False or number.has(sympy.oo, sympy.nan, X):
        raise ArgumentError(f"parameter: found {key} = {number} for {name}, expected a real number")
    if key in entry.whole:
        low, high = entry.whole[key]
        if not (number.is_Integer and low <= number <= high):
            expected = f"a whole number from {low} to {high}"
            raise ArgumentError(
                f"parameter: found {key} = {number} for {name}, expected {expected}"
            )
    if key in entry.nonzero and number.is_zero:
        raise ArgumentError(f"parameter: found {key} = 0 for {name}, expected a nonzero number")
    return number


def _from_expr(expr: sympy.Expr, name: str | None = None) -> Activation:
    symbols = expr.free_symbols
    if len(symbols) > 1:
        found = ", ".join(sorted(map(str, symbols)))
        raise ExpressionError(f"activation: found the symbols {found}, expected one variable")
    expr = expr.xreplace(dict.fromkeys(symbols, X))
    if expr.has(sympy.I, sympy.oo, sympy.zoo, sympy.nan) or expr.is_extended_real is False:
        raise ExpressionError(f"activation: found {expr}, expected a real function of x")
    return Activation(name or str(expr), expr)
