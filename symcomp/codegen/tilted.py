"""Means of centred thresholds under Gaussian weights, by the Gaussian to which the weights tilt.

With D = q_u q_v - c² and Δ = 1 + 2a q_u + 2b q_v + 4ab D the density of (X, Y) times the weight
exp(-a X² - b Y²) is Δ^(-1/2) times the density of variances (q_u + 2bD)/Δ and (q_v + 2aD)/Δ and
covariance c/Δ, whose determinant is D/Δ: singular where (X, Y) is, between parallel rows. In these
variables, with root = sqrt(D) and the angle arctan2(c, root sqrt(Δ)), which is the arcsine of the
tilted correlation, no mean below is divided by root unless two Diracs meet.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product

import sympy

from symcomp.antiderivatives import C
from symcomp.expectations import QU, QV
from symcomp.terms import Dirac, Form, Term

__all__ = ["ROOT", "Tilted", "by_expectations", "is_tilted", "printable"]

ROOT = sympy.Symbol("root", nonnegative=True)  # sqrt(q_u q_v - c²)

# of a tilted Gaussian: variances, covariance, root of the determinant, arcsine of the correlation
_VX, _VY, _SPREAD = sympy.symbols("vx vy spread", positive=True)
_COV, _ANGLE = sympy.symbols("cov angle", real=True)
_SIZE, _STRETCH = sympy.symbols("size stretch", positive=True)  # Δ, sqrt(Δ)
_GIVEN_X, _GIVEN_Y = sympy.symbols("given_x given_y", positive=True)  # Var(X | Y), Var(Y | X)


def by_expectations(mean: Callable[[Form, Form], sympy.Expr], f: Form) -> dict[str, sympy.Expr]:
    """K° = E σ(X) σ(Y) and what a module needs of its derivatives; mean(f, g) is E f(X) g(Y).

    ∂K°/∂c = E σ' σ', 2 ∂K°/∂q_v = E σ(X) σ''(Y), A = E σ'' σ'', B = E σ'(X) Y σ''(Y)/q_v and
    G = E σ(X) (Y²/q_v - 1) σ''(Y)/q_v.
    """
    slope = f.derivative()
    curve = slope.derivative()
    along = times_x(curve)
    by_qv = mean(f, curve) / 2
    return {
        "K": mean(f, f),
        "by_c": mean(slope, slope),
        "by_qu": mean(curve, f) / 2,
        "by_qv": by_qv,
        "A": mean(curve, curve),
        "B": mean(slope, along) / QV,
        "turned": mean(along, slope) / QU,
        "G": (mean(f, times_x(along)) / QV - 2 * by_qv) / QV,
    }


def is_tilted(f: Form) -> bool:
    """Whether f is made of smooth terms and thresholds at 0, some of them under weights."""
    centred = all(t.is_centred and not t.soft for t in f.terms)
    return centred and any(t.start is not None and t.alpha != 0 for t in f.terms)


@dataclass
class Tilted:
    """Means in q_u, q_v, c, ROOT and the `values`, which are of the tilted Gaussians."""

    values: dict[sympy.Symbol, sympy.Expr] = field(default_factory=dict)
    known: dict[tuple[sympy.Expr, sympy.Expr], dict[sympy.Symbol, sympy.Expr]] = field(
        default_factory=dict
    )
    alphas: dict[sympy.Expr, int] = field(default_factory=dict)

    def derivatives(self, f: Form) -> dict[str, sympy.Expr]:
        """K° and its derivatives, as in `by_expectations`."""
        self.values |= {_GIVEN_X: ROOT**2 / QV, _GIVEN_Y: ROOT**2 / QU}
        return by_expectations(self._mean, f)

    def _mean(self, f: Form, g: Form) -> sympy.Expr:
        """E f(X) g(Y)."""
        parts = [self._of_terms(s, t) for s, t in product(f.terms, g.terms)]
        parts += [self._of_dirac(d, g, QU, _GIVEN_Y) for d in f.diracs]
        parts += [self._of_dirac(d, Form(f.terms), QV, _GIVEN_X) for d in g.diracs]
        return sympy.expand(sympy.Add(*parts))

    def _of_terms(self, s: Term, t: Term) -> sympy.Expr:
        moment = _moment(s.power, t.power, s.start is not None, t.start is not None)
        tilt = self._tilt(s.alpha, t.alpha)
        return s.coeff * t.coeff * (moment / _STRETCH).xreplace(tilt)

    def _tilt(self, a: sympy.Expr, b: sympy.Expr) -> dict[sympy.Symbol, sympy.Expr]:
        """What stands for the symbols of the moments under the weight exp(-a X² - b Y²)."""
        if (a, b) not in self.known:
            n, D = len(self.known), ROOT**2
            values = {
                _SIZE: 1 + 2 * a * QU + 2 * b * QV + 4 * a * b * D,
                _STRETCH: sympy.sqrt(_SIZE),
                _VX: (QU + 2 * b * D) / _SIZE,
                _VY: (QV + 2 * a * D) / _SIZE,
                _COV: C / _SIZE,
                _SPREAD: ROOT / _STRETCH,
                _ANGLE: sympy.atan2(C, ROOT * _STRETCH),
            }
            tilt: dict[sympy.Symbol, sympy.Expr] = {}
            for symbol, value in values.items():
                value = value.xreplace(tilt)
                if not value.is_Atom:
                    # Of the same assumptions, so that powers come together as in the moments.
                    name = sympy.Symbol(f"{symbol}_{n}", **symbol.assumptions0)
                    self.values[name], value = value, name
                tilt[symbol] = value
            self.known[a, b] = tilt
        return self.known[a, b]

    def _of_dirac(self, d: Dirac, g: Form, q: sympy.Expr, given: sympy.Symbol) -> sympy.Expr:
        """E δ^(k)(X) g(Y), Var X = q, Var(Y | X) = given.

        Lowered by q E δ^(k)(X) g(Y) = (1 - k) E δ^(k-2)(X) g(Y) - c E δ^(k-1)(X) g'(Y).
        """
        if d.order == 0:
            alone = [self._alone(t, given) / sympy.sqrt(2 * sympy.pi * q) for t in g.terms]
            meeting = [e.coeff * _meeting(e.order, given) for e in g.diracs]
            return d.coeff * sympy.Add(*alone, *meeting)
        total = -C * self._of_dirac(replace(d, order=d.order - 1), g.derivative(), q, given)
        if d.order > 1:
            total -= (d.order - 1) * self._of_dirac(replace(d, order=d.order - 2), g, q, given)
        return total / q

    def _alone(self, t: Term, variance: sympy.Symbol) -> sympy.Expr:
        """E t(Y) under that variance, which the weight divides by `size`."""
        size = sympy.S.One
        if t.alpha != 0:
            side = "x" if variance == _GIVEN_X else "y"
            n = self.alphas.setdefault(t.alpha, len(self.alphas))
            size = sympy.Symbol(f"size_{side}{n}", positive=True)
            self.values[size] = 1 + 2 * t.alpha * variance
        moment = _power_mean(t.power, t.start is not None, sympy.sqrt(variance / size))
        return t.coeff * moment / sympy.sqrt(size)


def printable(
    known: dict[sympy.Symbol, sympy.Expr], exprs: dict[str, sympy.Expr]
) -> tuple[dict[str, sympy.Expr], dict[sympy.Symbol, sympy.Expr]]:
    """The expressions and those of the known values that they need, in a module's variables."""
    wanted = set().union(*(expr.free_symbols for expr in exprs.values()))
    needed = dict[sympy.Symbol, sympy.Expr]()
    for symbol, value in reversed(known.items()):
        if symbol in wanted:
            needed = {symbol: value, **needed}
            wanted |= value.free_symbols
    at = {q: sympy.Symbol(name, nonnegative=True) for q, name in ((QU, "qu"), (QV, "qv"))}
    values = dict[sympy.Symbol, sympy.Expr]()
    for symbol, value in needed.items():
        value = value.xreplace(at)
        if symbol.is_positive and not value.is_positive:  # 0 at a zero row
            at[symbol] = sympy.Symbol(symbol.name, nonnegative=True)
        values[at.get(symbol, symbol)] = value
    return {name: expr.xreplace(at) for name, expr in exprs.items()}, values


def times_x(f: Form) -> Form:
    """x f(x): x δ^(k)(x - s) = s δ^(k)(x - s) - k δ^(k-1)(x - s)."""
    terms = tuple(replace(t, power=t.power + 1) for t in f.terms)
    diracs = [replace(d, coeff=d.at * d.coeff) for d in f.diracs if d.at != 0]
    diracs += [replace(d, coeff=-d.order * d.coeff, order=d.order - 1) for d in f.diracs if d.order]
    return Form(terms, tuple(diracs))


@cache
def _moment(m: int, n: int, left: bool, right: bool) -> sympy.Expr:
    """E X^m Y^n over the half-planes X > 0 (if `left`) and Y > 0 (if `right`), by Stein's lemma."""
    if m == 0 == n:
        share = sympy.Rational(1, (1 + left) * (1 + right))
        return share + _ANGLE / (2 * sympy.pi) if left and right else share
    if m == 0:
        return _moment(n, m, right, left).xreplace({_VX: _VY, _VY: _VX})
    total = sympy.S.Zero
    if m > 1:
        total += (m - 1) * _VX * _moment(m - 2, n, left, right)
    if n > 0:
        total += n * _COV * _moment(m - 1, n - 1, left, right)
    if left and m == 1:
        total += _VX * _edge(n, right, _VX)
    if right and n == 0:
        total += _COV * _edge(m - 1, left, _VY)
    return sympy.expand(total)


def _edge(n: int, half: bool, variance: sympy.Expr) -> sympy.Expr:
    """E δ(X) Y^n over Y > 0 (if `half`), X of that variance."""
    scale = sympy.sqrt(variance)
    return _power_mean(n, half, _SPREAD / scale) / (sympy.sqrt(2 * sympy.pi) * scale)


def _power_mean(n: int, half: bool, scale: sympy.Expr) -> sympy.Expr:
    """E Z^n over Z > 0 (if `half`), Z Gaussian of that standard deviation."""
    if n % 2 and not half:
        return sympy.S.Zero
    size = sympy.factorial2(n - 1) * (sympy.sqrt(2 / sympy.pi) if n % 2 else 1)
    return size * scale**n / (1 + half)


def _meeting(order: int, given: sympy.Symbol) -> sympy.Expr:
    """E δ(X) δ^(k)(Y): 1/(2π root) times E (d/dy)^k of the density over that density, at 0."""
    if order % 2:
        return sympy.S.Zero
    return sympy.factorial2(order - 1) * (-given) ** (-order // 2) / (2 * sympy.pi * ROOT)
