"""Enclosures of Gaussian expectations that have no closed form: tanh, sigmoid, SiLU, Mish, ...

Every error is bounded and added to the ball. On the line: Gauss-Legendre panels, the error from
the maximum over a Bernstein ellipse. In the plane: trapezoidal sums, whose error by Poisson's
formula falls with the width of the strip where σ is analytic; with kinks, the Hermite series (K2).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from operator import methodcaller
from typing import Any

import flint
import sympy
from flint import acb, arb, arb_poly, fmpq

from symcomp.balls import ball, rational
from symcomp.catalogue import Activation
from symcomp.errors import ArgumentError, DivergenceError, ExpressionError
from symcomp.parsing import X
from symcomp.terms import branches

__all__ = ["expectation2", "hermite_coefficients", "second_moment"]

_LOW = 64  # bits for bounds, where only the magnitude matters
_DEPTH = 12  # how often a box is halved before analyticity is given up
_VISITS = 5000  # how many panels a piece may be cut into
_ROUNDS = 8  # how often digits lost to a small value are made up for
_SERIES = 2500  # longest Hermite series summed


# ---- what is offered -----------------------------------------------------------------------------


def hermite_coefficients(expr: sympy.Expr, q: fmpq, n: int, digits: int) -> list[arb]:
    """μ_k = E σ(√q Z) He_k(Z) / sqrt(k!) for k < n, each of radius at most 10^-digits (K2).

    expr: σ in `symcomp.parsing.X`, with finitely many branches. Raises ArgumentError unless
    q >= 0, n >= 0, digits >= 1; ExpressionError if no growth bound of σ is known or σ is not
    analytic between its kinks; DivergenceError if E σ(√q Z)² does not exist.
    """
    _check(q, digits)
    if n < 0:
        raise ArgumentError(f"n: found {n}, expected a nonnegative integer")
    if n == 0:
        return []
    if q == 0:
        with flint.ctx.workprec(_bits(digits)):
            return [_at_zero(expr), *(arb(0) for _ in range(n - 1))]
    return list(_project(_unit(expr, q), n, digits))


def second_moment(expr: sympy.Expr, q: fmpq, digits: int) -> arb:
    """E σ(√q Z)², of relative radius at most 10^-digits; arguments as `hermite_coefficients`."""
    _check(q, digits)
    if q == 0:
        return _relative(
            lambda _: _at_zero(expr) * _at_zero(expr), digits, lambda: expr.subs(X, 0) == 0
        )
    f = _unit(expr, q)
    return _relative(lambda d: _mean_square(f, d), digits, lambda: f.is_zero)


def expectation2(
    left: sympy.Expr, right: sympy.Expr, qu: fmpq, qv: fmpq, c: fmpq, digits: int
) -> arb:
    """E σ(X) τ(Y), (X, Y) centred Gaussian with Var X = qu, Var Y = qv, Cov(X, Y) = c.

    Relative radius at most 10^-digits; exactly 0 where parity makes it so. Arguments and errors as
    `hermite_coefficients`; ArgumentError also if c² > qu qv, and if the digits are not reached:
    σ or τ with kinks and |ρ| near 1, which has no fast rule here.
    """
    _check(qu, digits)
    _check(qv, digits)
    if c * c > qu * qv:
        raise ArgumentError(f"c: found {c} with qu qv = {qu * qv}, expected c² <= qu qv")
    if qu == 0 or qv == 0:
        return _degenerate(left, right, qu, qv, digits)
    if c < 0:
        right, c = right.xreplace({X: -X}), -c
    f, g = _unit(left, qu), _unit(right, qv)

    def is_zero() -> bool:
        parities = {Activation("", expr).parity for expr in (left, right)}
        by_parity = parities == {"even", "odd"} or (c == 0 and "odd" in parities)
        return by_parity or f.is_zero or g.is_zero

    return _relative(_rule(f, g, _Correlation(c * c / (qu * qv))), digits, is_zero)


def _check(q: fmpq, digits: int) -> None:
    if q < 0:
        raise ArgumentError(f"q: found {q}, expected a nonnegative variance")
    if digits < 1:
        raise ArgumentError(f"digits: found {digits}, expected a positive integer")


def _at_zero(expr: sympy.Expr) -> arb:
    return ball(expr.subs(X, 0), {})


def _degenerate(left: sympy.Expr, right: sympy.Expr, qu: fmpq, qv: fmpq, digits: int) -> arb:
    """A variable of variance 0 is the constant 0."""
    if qu > 0:
        left, right, qu, qv = right, left, qv, qu
    constant = left.subs(X, 0)
    if constant == 0:
        return arb(0)

    def value(d: int) -> arb:
        mean = ball(right.subs(X, 0), {}) if qv == 0 else _project(_unit(right, qv), 1, d)[0]
        return ball(constant, {}) * mean

    def is_zero() -> bool:
        return bool(right.subs(X, 0) == 0 if qv == 0 else Activation("", right).parity == "odd")

    return _relative(value, digits, is_zero)


def _relative(compute: Callable[[int], arb], digits: int, is_zero: Callable[[], bool]) -> arb:
    """Ask `compute` for more absolute digits until the value has `digits` relative ones."""
    bits, asked = math.ceil(digits * math.log2(10)), digits + 2
    for _ in range(_ROUNDS):
        with flint.ctx.workprec(_bits(asked)):
            value = compute(asked)
        if value.rel_accuracy_bits() > bits or value.is_zero():
            return value
        if value.contains(0):
            if is_zero():
                return arb(0)
            asked *= 2
        else:
            asked += 2 + math.ceil((bits - value.rel_accuracy_bits()) * math.log10(2))
    raise ArgumentError(f"digits: found {digits}, but the value was not enclosed to that many")


def _bits(digits: int) -> int:
    return math.ceil(digits * math.log2(10)) + 64


# ---- functions of a standard Gaussian ------------------------------------------------------------


@dataclass(frozen=True)
class _Function:
    """Analytic pieces between increasing breaks, as a function of a standard Gaussian."""

    breaks: tuple[sympy.Expr, ...]
    pieces: tuple[sympy.Expr, ...]

    @property
    def is_smooth(self) -> bool:
        return not self.breaks

    @property
    def is_zero(self) -> bool:
        return all(piece == 0 for piece in self.pieces)


@lru_cache(maxsize=64)
def _unit(expr: sympy.Expr, q: fmpq) -> _Function:
    """x -> σ(√q x), shown to be square integrable."""
    if expr.free_symbols - {X}:
        found = ", ".join(sorted(map(str, expr.free_symbols)))
        raise ExpressionError(f"expression: found the symbols {found}, expected x alone")
    root = sympy.sqrt(rational(q))
    breaks, pieces = branches(expr)
    f = _Function(
        tuple(point / root for point in breaks),
        tuple(piece.xreplace({X: root * X}) for piece in pieces),
    )
    _tails(f, arb(0), square=True)
    return f


@dataclass(frozen=True)
class _Correlation:
    """0 <= ρ <= 1 from its exact square."""

    square: fmpq

    @property
    def rho(self) -> arb:
        return arb(self.square).sqrt()

    @property
    def s(self) -> arb:
        """sqrt(1 - ρ²), without cancellation."""
        return arb(1 - self.square).sqrt()

    @property
    def gap(self) -> arb:
        """1 - ρ, without cancellation."""
        return arb(1 - self.square) / (1 + self.rho)


# ---- analytic evaluation -------------------------------------------------------------------------


def _compile(expr: sympy.Expr) -> Callable[[Any], Any]:
    """z -> expr(z) over arb and acb balls; finite on an acb ball only if analytic there."""
    if X not in expr.free_symbols:
        constant = ball(expr, {})
        return lambda _: constant
    if expr == X:
        return lambda z: z
    if expr.is_Pow:
        return _compile_power(*expr.args)
    parts = [_compile(arg) for arg in expr.args]
    if expr.is_Add:
        return lambda z: sum((part(z) for part in parts[1:]), parts[0](z))
    if expr.is_Mul:
        return lambda z: math.prod((part(z) for part in parts[1:]), start=parts[0](z))
    if type(expr) in _FUNCTIONS:
        function, (inner,) = _FUNCTIONS[type(expr)], parts
        return lambda z: function(inner(z))
    raise ExpressionError(f"expression: found {expr.func}, which has no complex balls here")


def _compile_power(base: sympy.Expr, exponent: sympy.Expr) -> Callable[[Any], Any]:
    inner = _compile(base)
    if exponent.is_Integer:
        n = int(exponent)
        return lambda z: _integer_power(inner(z), n)
    if exponent.is_Rational and exponent.q == 2:
        n = int(exponent.p)
        return lambda z: _integer_power(_sqrt(inner(z)), n)
    power = _compile(exponent)
    return lambda z: (power(z) * _log(inner(z))).exp()


def _integer_power(z: Any, n: int) -> Any:
    # arb ** int is nan for balls around 0, acb ** int is not.
    return z**n if isinstance(z, acb) else (acb(z) ** n).real


def _log(z: Any) -> Any:
    return z.log(analytic=True) if isinstance(z, acb) else z.log()


def _sqrt(z: Any) -> Any:
    return z.sqrt(analytic=True) if isinstance(z, acb) else z.sqrt()


def _asinh(z: Any) -> Any:
    if not isinstance(z, acb):
        return z.asinh()
    sign = -1 if z.real < 0 else 1
    return sign * _log(sign * z + _sqrt(z * z + 1))


def _off_cut(name: str, imaginary: bool) -> Callable[[Any], Any]:
    """A function cut along the real (imaginary) axis beyond ±1 (±i)."""

    def function(z: Any) -> Any:
        if isinstance(z, acb):
            along, across = (z.imag, z.real) if imaginary else (z.real, z.imag)
            if across.contains(0) and not abs(along) < 1:
                return acb(arb.nan())
        return getattr(z, name)()

    return function


_FUNCTIONS: dict[type, Callable[[Any], Any]] = {
    sympy.log: _log,
    sympy.asin: _off_cut("asin", False),
    sympy.acos: _off_cut("acos", False),
    sympy.atan: _off_cut("atan", True),
    sympy.asinh: _asinh,
    **{
        getattr(sympy, name): methodcaller(name)
        for name in ("exp", "sin", "cos", "sinh", "cosh", "tanh", "erf", "erfc")
    },
}


def _supremum(
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
    for half in _halves(*(real if wide > high else imag)):
        sides = (half, imag) if wide > high else (real, half)
        worst = worst.max(_supremum(f, *sides, depth - 1))
        if not worst.is_finite():
            break
    return worst


def _halves(low: arb, high: arb) -> tuple[tuple[arb, arb], tuple[arb, arb]]:
    middle = (low + high) / 2
    return (low, middle), (middle, high)


# ---- growth towards infinity ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Envelope:
    """|f(z)| <= scale · exp(rate |Re z| + square (Re z)²) for |Im z| <= width, |Re z| >= start."""

    width: arb
    start: arb
    scale: arb
    rate: arb
    square: arb

    def mean_square(self) -> arb:
        """Bound of E |f(Z + ia)|², |a| <= width, for start 0: twice the integral from 0 on."""
        spread = 1 - 4 * self.square
        return 2 * self.scale**2 * (2 * self.rate**2 / spread).exp() / spread.sqrt()


@dataclass(frozen=True)
class _Growth:
    """f(z) = exp(gamma z² + kappa z) z^power u(z), with u(z) in the ball `unit`."""

    gamma: sympy.Expr  # oo on the real line for what outgrows every Gaussian
    kappa: sympy.Expr
    power: sympy.Expr
    unit: acb

    @property
    def exponents(self) -> tuple[sympy.Expr, sympy.Expr, sympy.Expr]:
        return self.gamma, self.kappa, self.power

    @property
    def order(self) -> int:
        """1 if the prefactor grows, -1 if it decays, 0 if it is 1."""
        return _order(*self.exponents)

    def __mul__(self, other: "_Growth") -> "_Growth":
        g, k, p = (a + b for a, b in zip(self.exponents, other.exponents, strict=True))
        return _Growth(g, k, p, self.unit * other.unit)


def _constant(value: acb) -> _Growth:
    return _Growth(sympy.S.Zero, sympy.S.Zero, sympy.S.Zero, value)


_X = _Growth(sympy.S.Zero, sympy.S.Zero, sympy.S.One, acb(1))


def _order(*exponents: sympy.Expr) -> int:
    for exponent in exponents:
        if exponent.is_extended_positive:
            return 1
        if exponent.is_extended_negative:
            return -1
        if not exponent.is_zero:
            raise _no_bound(exponent)
    return 0


def _no_bound(expr: sympy.Expr) -> ExpressionError:
    return ExpressionError(f"expression: found {expr}, for which no growth bound is known")


@dataclass(frozen=True)
class _Tail:
    """The half strip Re z >= start, |Im z| <= width (0 for the real line), start >= 4."""

    start: arb
    width: arb

    @property
    def is_real(self) -> bool:
        return bool(self.width == 0)

    def growth(self, expr: sympy.Expr) -> _Growth:
        """The form of `expr` here; ExpressionError if none is found."""
        if X not in expr.free_symbols:
            return _constant(acb(ball(expr, {})))
        if expr == X:
            return _X
        if expr.is_Add:
            first, *others = (self.growth(arg) for arg in expr.args)
            for other in others:
                first = self._sum(first, other)
            return first
        if expr.is_Mul:
            return math.prod((self.growth(arg) for arg in expr.args), start=_constant(acb(1)))
        if expr.is_Pow:
            return self._power(*expr.args)
        if isinstance(expr, sympy.exp):
            return self._exp(expr.args[0])
        if isinstance(expr, sympy.sinh | sympy.cosh):
            return self.growth(expr.rewrite(sympy.exp))
        return self._function(expr)

    def _disc(self, radius: arb) -> acb:
        span = arb(0, radius.upper())
        return acb(span) if self.is_real else acb(span, span)

    def _decay(self, gamma: sympy.Expr, kappa: sympy.Expr, power: sympy.Expr) -> arb:
        """Supremum of |exp(gamma z² + kappa z) z^power|, exponents of negative order."""
        if gamma == -sympy.oo:
            return arb(0)
        g, k, p = (ball(e, {}) for e in (gamma, kappa, power))
        rises = p.max(arb(0))
        # Unless 0, the derivative of the logarithm in Re z has to be negative from start on.
        if (gamma != 0 or kappa != 0) and not 2 * g * self.start + k + rises / self.start < 0:
            return arb.pos_inf()
        far = (self.start**2 + self.width**2).sqrt()
        exponential = (g * (self.start**2 - self.width**2) + k * self.start).exp()
        return exponential * far**rises * self.start ** p.min(arb(0))

    def _sum(self, f: _Growth, g: _Growth) -> _Growth:
        gaps = [b - a for a, b in zip(f.exponents, g.exponents, strict=True)]
        order = _order(*gaps)
        if order > 0:
            return self._sum(g, f)
        factor = self._disc(self._decay(*gaps)) if order else acb(1)
        return replace(f, unit=f.unit + g.unit * factor)

    def _bounded(self, f: _Growth) -> acb | None:
        """A ball that holds f, None if f grows."""
        if f.order > 0:
            return None
        if f.order == 0:
            return f.unit
        return self._disc(self._decay(*f.exponents) * f.unit.abs_upper())

    def _angle(self, f: _Growth) -> arb:
        """Bound of |arg f|, tracked along the half strip; not finite if there is none."""
        if f.gamma.is_infinite or not f.unit.real > 0:
            return arb.nan()
        if self.is_real:
            return arb(0)
        if f.gamma != 0:
            return arb.nan()
        kappa, power = (abs(ball(e, {})) for e in (f.kappa, f.power))
        turn = kappa * self.width + power * (self.width / self.start).atan()
        return turn + abs(f.unit.arg()).upper()

    def _modulus(self, f: _Growth) -> arb:
        """Lower bound of |f| for f that grows."""
        if any(_order(e) < 0 for e in f.exponents) or f.gamma.is_infinite:
            return arb.nan()
        g, k, p = (ball(e, {}) for e in f.exponents)
        low = (g * (self.start**2 - self.width**2) + k * self.start).exp() * self.start**p
        return low * f.unit.abs_lower()

    def _side(self, f: _Growth) -> tuple[int, arb, arb]:
        """The sign of Re f, a bound of its angle to that axis and a lower bound of |f|."""
        sign = 1 if f.unit.real > 0 else -1
        return sign, self._angle(replace(f, unit=sign * f.unit)), self._modulus(f)

    def _power(self, base: sympy.Expr, exponent: sympy.Expr) -> _Growth:
        if X in exponent.free_symbols:
            return self._exp(exponent * sympy.log(base))
        f = self.growth(base)
        if f.gamma.is_infinite:
            raise _no_bound(base**exponent)
        if exponent.is_Integer:
            unit = f.unit ** int(exponent)
        elif self._angle(f) < arb.pi():
            unit = (acb(ball(exponent, {})) * f.unit.log(analytic=True)).exp()
        else:
            raise _no_bound(base**exponent)
        g, k, p = (e * exponent for e in f.exponents)
        return _Growth(g, k, p, unit)

    def _exp(self, arg: sympy.Expr) -> _Growth:
        """Linear and quadratic parts of `arg` stay exact, unless something outgrows them."""
        whole = self.growth(arg)
        if _order(whole.gamma, whole.kappa, whole.power - 2) > 0:
            return self._exp_of(whole, arg)
        exact, rest = [sympy.S.Zero] * 3, sympy.S.Zero
        for term in sympy.Add.make_args(sympy.expand(arg)):
            coeff, power = term.as_coeff_exponent(X)
            if X not in coeff.free_symbols and power in (0, 1, 2):
                exact[int(power)] += coeff
            else:
                rest += term
        known = _Growth(exact[2], exact[1], sympy.S.Zero, acb(ball(exact[0], {})).exp())
        return known * self._exp_of(self.growth(rest), rest)

    def _exp_of(self, f: _Growth, arg: sympy.Expr) -> _Growth:
        inner = self._bounded(f)
        if inner is not None:
            return _constant(inner.exp())
        sign, angle, modulus = self._side(f)
        if sign < 0 and angle < arb.pi() / 2:
            return _constant(self._disc((-modulus * angle.cos()).exp()))
        if f.gamma == 0 == f.kappa and f.power <= 2:
            m = 1 if f.power <= 1 else 2  # |exp f| <= exp(rate |z|^m)
            power = ball(f.power - m, {})
            rate = _above(f.unit.abs_upper() * self.start**power)
            unit = self._disc((m * ball(rate, {}) * self.width**m).exp())
            return _Growth(rate * (m - 1), rate * (2 - m), sympy.S.Zero, unit)
        if self.is_real and angle < arb.pi() / 2:
            return _Growth(sympy.oo, sympy.S.Zero, sympy.S.Zero, acb(1))
        raise _no_bound(sympy.exp(arg))

    def _function(self, expr: sympy.Expr) -> _Growth:
        """log, tanh, erf, ... of something bounded, or large in a known direction."""
        if type(expr) not in _FUNCTIONS:
            raise _no_bound(expr)
        f = self.growth(expr.args[0])
        if f.gamma.is_infinite:
            raise _no_bound(expr)
        if isinstance(expr, sympy.log):
            return self._log(f, expr)
        inner = self._bounded(f)
        if inner is not None:
            return _constant(acb(_FUNCTIONS[type(expr)](inner)))
        sign, angle, modulus = self._side(f)
        if isinstance(expr, sympy.asinh):
            w = sign * expr.args[0]
            return _constant(acb(sign)) * self.growth(sympy.log(w + sympy.sqrt(w**2 + 1)))
        if isinstance(expr, sympy.sin | sympy.cos):
            return _constant(self._wave(expr))
        if not angle < arb.pi() / (4 if isinstance(expr, sympy.erf | sympy.erfc) else 2):
            if self.is_real and not isinstance(expr, sympy.asin | sympy.acos):
                return _constant(self._disc(arb(2)))
            raise _no_bound(expr)
        return _constant(self._limit(expr, sign, angle, modulus))

    def _limit(self, expr: sympy.Expr, sign: int, angle: arb, modulus: arb) -> acb:
        """Values near the limits at ±infinity, for an argument w that grows."""
        if isinstance(expr, sympy.tanh):
            small = self._disc((-2 * modulus * angle.cos()).exp())
            return sign * (1 - small) / (1 + small)
        if isinstance(expr, sympy.atan):
            inverse: acb = _FUNCTIONS[sympy.atan](self._disc(1 / modulus))
            return sign * (acb.pi() / 2 - inverse)
        if isinstance(expr, sympy.erf | sympy.erfc):
            # |erfc w| <= exp(-Re w²) for Re w >= 0.
            erf = sign * (1 - self._disc((-(modulus**2) * (2 * angle).cos()).exp()))
            return erf if isinstance(expr, sympy.erf) else 1 - erf
        raise _no_bound(expr)

    def _wave(self, expr: sympy.Expr) -> acb:
        slope = sympy.diff(expr.args[0], X)
        if self.is_real:
            return self._disc(arb(1))
        if X in slope.free_symbols:
            raise _no_bound(expr)
        return self._disc((ball(slope, {}) * self.width).cosh())

    def _log(self, f: _Growth, expr: sympy.Expr) -> _Growth:
        """gamma z² + kappa z + power log z + log u, over the power of z that leads."""
        if not self._angle(f) < arb.pi():
            raise _no_bound(expr)
        g, k, p = (ball(e, {}) for e in f.exponents)
        rest = f.unit.log(analytic=True)
        if f.order == 0:
            return _constant(rest)
        # log |z| / |z| falls from |z| = e on.
        small = abs(p) * (self.start.log() + arb.pi() / 2) + rest.abs_upper()
        small /= self.start
        if f.gamma == 0:
            return replace(_X, unit=acb(k) + self._disc(small))
        return replace(_X * _X, unit=acb(g) + self._disc((small + abs(k)) / self.start))


def _above(value: arb) -> sympy.Rational:
    """A short rational not below `value`."""
    if not value.is_finite():
        raise _no_bound(X)
    return sympy.Rational(float(value.upper()) * (1 + 2.0**-40))


def _tails(f: _Function, width: arb, square: bool = False) -> _Envelope:
    """An envelope of both tails of f; `square` asks for f in L2 of the Gaussian."""
    problem = _no_bound(f.pieces[-1])
    with flint.ctx.workprec(_LOW):
        for doubling in range(12):
            start = arb(4).max(2 * width) * 2**doubling
            tail = _Tail(start, width)
            try:
                forms = [tail.growth(f.pieces[0].xreplace({X: -X})), tail.growth(f.pieces[-1])]
                if square:
                    for form in forms:
                        _square_integrable(form)
            except ExpressionError as error:
                problem = error
                continue
            envelope = _envelope(forms, tail)
            if envelope.scale.is_finite():
                return envelope
    raise problem


def _square_integrable(form: _Growth) -> None:
    """Compare exp(gamma z²) with the root of the Gaussian density, exp(-z²/4)."""
    if _order(form.gamma - sympy.Rational(1, 4)) < 0:
        return
    half = sympy.Rational(1, 2)
    fills = _order(form.gamma - half**2, form.kappa, form.power + half) >= 0
    if fills and form.unit.abs_lower() > 0:
        raise DivergenceError(
            f"expression: found growth like exp({form.gamma} z²), z standard Gaussian, expected"
            " a finite E σ²"
        )
    raise ExpressionError("expression: found growth for which E σ² is not known to be finite")


def _envelope(forms: list[_Growth], tail: _Tail) -> _Envelope:
    scale = rate = square = arb(0)
    unit = arb(8)  # |z|^p <= unit^p exp(p (|z|/unit - 1)), tightest at |z| = unit
    for form in forms:
        if form.gamma.is_infinite:
            return _Envelope(tail.width, tail.start, arb.pos_inf(), rate, square)
        g, k, p = (ball(e, {}) for e in form.exponents)
        up = p.max(arb(0))
        factor = (g.min(arb(0)) * -(tail.width**2) + up * (tail.width / unit - 1)).exp()
        scale = scale.max(form.unit.abs_upper() * factor * unit**up)
        rate, square = rate.max(k + up / unit), square.max(g)
    return _Envelope(tail.width, tail.start, scale.upper(), rate.upper(), square.upper())


@lru_cache(maxsize=64)
def _strip(expr: sympy.Expr, digits: int) -> _Envelope | None:
    """The strip that allows the longest step for `digits`, None if none is found."""
    goal = digits * math.log(10)
    best, longest = None, 0.0
    with flint.ctx.workprec(_LOW):
        width = math.sqrt(2 * goal)
        while width > 1e-3:
            found = _on_strip(expr, arb(width))
            if found is not None:
                lost = float(found.mean_square().log()) / 2 + width**2 / 2
                step = width / (goal + lost)
                if step < longest:
                    return best
                best, longest = found, step
            width *= 0.88
    return best


def _on_strip(expr: sympy.Expr, width: arb) -> _Envelope | None:
    """An envelope from start 0 on, None if f is not shown to be analytic on the closed strip."""
    try:
        far = _tails(_Function((), (expr,)), width)
    except ExpressionError:
        return None
    if not 4 * far.square < 1:
        return None
    f = _compile(expr)
    scale, cells = far.scale, math.ceil(2 * float(far.start / width))
    for i in range(-cells, cells):
        real = (far.start * i / cells, far.start * (i + 1) / cells)
        scale = scale.max(_supremum(f, real, (arb(0), width), _DEPTH))
        if not scale.is_finite():
            return None
    return _Envelope(width, arb(0), scale.upper(), far.rate, far.square)


# ---- the line ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Weight:
    """|h_k(z) φ(z)| <= scale · exp(-decay (Re z)² + rise (Im z)²) for k < n, h_k = He_k/sqrt(k!).

    Mehler: Σ |h_k(z)|² r^k = exp(r x²/(1+r) + r y²/(1-r)) / sqrt(1-r²), z = x + iy, 0 <= r < 1.
    """

    scale: arb
    decay: arb
    rise: arb


def _weight(n: int, square: arb) -> _Weight:
    """r near its best, but small enough that the weight outruns exp(square z²)."""
    r = max(0.0, min(1 - 1 / math.sqrt(n), 0.9 * (0.5 / max(float(square), 1e-9) - 1)))
    q = arb(r)
    scale = q ** (arb(1 - n) / 2) if n > 1 else arb(1)
    scale /= (1 - q**2) ** arb(0.25) * (2 * arb.pi()).sqrt()
    return _Weight(scale, 1 / (2 * (1 + q)), 1 / (2 * (1 - q)))


@dataclass(frozen=True)
class _Panel:
    """One Gauss-Legendre rule: σ is `piece` on [low, high]; `error` bounds what it misses."""

    piece: sympy.Expr
    low: arb
    high: arb
    nodes: int
    error: arb


@lru_cache(maxsize=32)
def _project(f: _Function, n: int, digits: int) -> tuple[arb, ...]:
    """E f(Z) h_k(Z), k < n, each of radius at most 10^-digits."""
    with flint.ctx.workprec(_bits(digits) + n):
        panels, missed = _panels(f, n, digits)
    reach = max((float(abs(panel.high)) for panel in panels), default=0.0)
    # What rounding errors grow by in the recurrence for He_k, under the Gaussian weight.
    peak = min(math.sqrt(n), reach)
    spread = math.ceil((peak * math.sqrt(n) - peak**2 / 2) / math.log(2))
    for growth in (1, 2, 4, 8):
        with flint.ctx.workprec(growth * (_bits(digits) + spread)):
            sums = [value + arb(0, missed) for value in _sums(panels, n)]
            if all(value.rad() <= arb(10) ** -digits for value in sums):
                return tuple(sums)
    raise ArgumentError(f"digits: found {digits}, but the integrals were not enclosed to that many")


def _panels(f: _Function, n: int, digits: int) -> tuple[list[_Panel], arb]:
    """Panels between the breaks, and the bound of all that they and the cut tails miss."""
    breaks = [ball(point, {}) for point in f.breaks]
    with flint.ctx.workprec(_LOW):
        tails = _tails(f, arb(0))
        weight = _weight(n, tails.square)
        tolerance = arb(10) ** -digits / 8
        end = _cutoff(tails, weight, breaks, tolerance)
        cut = 2 * _beyond(tails, weight, end)
    ends = [-end, *breaks, end]
    pieces = zip(f.pieces, ends, ends[1:], strict=False)
    panels = [p for piece in pieces for p in _split(*piece, weight, tolerance / (64 * end))]
    with flint.ctx.workprec(_LOW):
        missed = (sum((panel.error for panel in panels), arb(0)) + cut).upper()
    return [panel for panel in panels if panel.nodes], missed


def _beyond(tails: _Envelope, weight: _Weight, end: arb) -> arb:
    """Bound of the integral of |f h_k φ| from `end` on: exponent over its slope."""
    decay = weight.decay - tails.square
    slope = 2 * decay * end - tails.rate
    if not slope > 0:
        return arb.pos_inf()
    exponent = tails.rate * end - decay * end**2
    return (tails.scale * weight.scale * exponent.exp() / slope).upper()


def _cutoff(tails: _Envelope, weight: _Weight, breaks: list[arb], tolerance: arb) -> arb:
    end = max([float(tails.start), *(float(abs(point)) + 1 for point in breaks)])
    end = math.ceil(end)
    while not _beyond(tails, weight, arb(end)) < tolerance:
        end += 1 + end // 16
    return arb(end)


def _split(
    piece: sympy.Expr, low: arb, high: arb, weight: _Weight, density: arb
) -> Iterator[_Panel]:
    """Halve [low, high] until every panel is worth its nodes; error <= density · length each."""
    with flint.ctx.workprec(_LOW):
        f = _compile(piece)
    stack, visits = [(low, high, 0)], 0
    while stack:
        a, b, depth = stack.pop()
        visits += 1
        panel = _panel(piece, f, a, b, weight, density)
        if panel is not None:
            yield panel
        elif depth > 10 * _DEPTH or visits > _VISITS:
            raise ExpressionError(
                f"expression: found {piece}, which is not shown to be analytic (or varies too fast)"
                f" near {float(a):.6g} standard deviations, expected that between kinks"
            )
        else:
            stack += [(*half, depth + 1) for half in reversed(_halves(a, b))]


def _panel(
    piece: sympy.Expr, f: Callable[[Any], Any], a: arb, b: arb, weight: _Weight, density: arb
) -> _Panel | None:
    """As many nodes as the bound on the Bernstein ellipse of parameter 2 asks for.

    |I - Q_n| <= (64/15) M 2^(-2n) / (1 - 1/4) · (half length) for n >= 2.
    None if M is so much above the values on the panel that halving it is cheaper.
    """
    with flint.ctx.workprec(_LOW):
        middle, half = (a + b) / 2, (b - a) / 2
        wide, high = 5 * half / 4, 3 * half / 4
        bound = _supremum(f, (middle - wide, middle + wide), (arb(0), high), 3)
        if not bound.is_finite():
            return None
        nearest = (abs(middle) - wide).max(arb(0))
        bound *= weight.scale * (weight.rise * high**2 - weight.decay * nearest * nearest).exp()
        allowed = density * 2 * half
        if 2 * half * bound <= allowed:
            return _Panel(piece, a, b, 0, (2 * half * bound).upper())
        total = arb(256) / 45 * bound * half
        need = float((total / allowed).log()) / math.log(4)
        values = (acb(f(x)).abs_upper() * (-weight.decay * x * x).exp() for x in (a, middle, b))
        peak = reduce(arb.max, values, 1 / weight.scale) * weight.scale
        least = float((peak / density).log()) / math.log(4)
        if not need <= 1.6 * least + 16:
            return None
        nodes = 16 * math.ceil(max(need, 2) / 16)
        return _Panel(piece, a, b, nodes, (total / arb(4) ** nodes).upper())


@lru_cache(maxsize=64)
def _legendre(n: int, bits: int) -> tuple[tuple[arb, arb], ...]:
    """Nodes and weights on [-1, 1], n even."""
    with flint.ctx.workprec(bits):
        half = [arb.legendre_p_root(n, k, weight=True) for k in range(n // 2)]
    return (*half, *((-x, w) for x, w in half))


def _sums(panels: list[_Panel], n: int) -> list[arb]:
    """Σ w f(x) φ(x) h_k(x), by He_(k+1) = x He_k - k He_(k-1)."""
    points, now = [], []
    for panel in panels:
        f = _compile(panel.piece)
        middle, half = (panel.low + panel.high) / 2, (panel.high - panel.low) / 2
        for node, w in _legendre(panel.nodes, flint.ctx.prec):
            x = middle + half * node
            points.append(x)
            now.append(half * w * f(x) * (-x * x / 2).exp())
    before, norm, sums = [arb(0)] * len(now), (2 * arb.pi()).rsqrt(), []
    for k in range(n):
        sums.append(norm * sum(now, arb(0)))
        now, before = [x * a - k * b for x, a, b in zip(points, now, before, strict=True)], now
        norm /= arb(k + 1).sqrt()
    return sums


def _mean_square(f: _Function, digits: int) -> arb:
    square = _Function(f.breaks, tuple(piece**2 for piece in f.pieces))
    return _project(square, 1, digits)[0]


# ---- the plane -----------------------------------------------------------------------------------


def _rule(f: _Function, g: _Function, r: _Correlation) -> Callable[[int], arb]:
    """The rule for E f(X) g(Y) at correlation ρ: absolute digits -> ball."""
    if r.square == 0:
        return lambda digits: _project(f, 1, digits)[0] * _project(g, 1, digits)[0]
    if r.square == 1:
        product = _product(f, g)
        return lambda digits: _project(product, 1, digits)[0]

    def compute(digits: int) -> arb:
        if f.is_smooth and g.is_smooth:
            strips = _strip(f.pieces[0], digits), _strip(g.pieces[0], digits)
            if strips[0] is not None and strips[1] is not None:
                return _lattice(f.pieces[0], g.pieces[0], strips[0], strips[1], r, digits)
        return _series(f, g, r, digits)

    return compute


def _product(f: _Function, g: _Function) -> _Function:
    breaks = sorted({*f.breaks, *g.breaks})
    pieces = []
    for i in range(len(breaks) + 1):
        left, right = (h.pieces[sum(point in breaks[:i] for point in h.breaks)] for h in (f, g))
        pieces.append(left * right)
    return _Function(tuple(breaks), tuple(pieces))


def _series(f: _Function, g: _Function, r: _Correlation, digits: int) -> arb:
    """Σ_{k<n} μ_k ν_k ρ^k, the rest at most the root of the two tail masses times ρ^n (K2)."""
    mass = [_mean_square(h, digits) for h in (f, g)]
    need = digits * math.log(10) + float((mass[0] * mass[1] + 1).log()) / 2
    n = math.ceil(need / -float(r.rho.log()))
    if n > _SERIES:
        raise ArgumentError(
            f"c: found |ρ| = {float(r.rho):.6g} for a function with kinks, where {digits} digits"
            f" take {n} Hermite coefficients, expected |ρ| = 1 or at most {_SERIES} coefficients"
        )
    mu, nu = (_project(h, n, digits + 2) for h in (f, g))
    total = sum((a * b * r.rho**k for k, (a, b) in enumerate(zip(mu, nu, strict=True))), arb(0))
    tails = [
        (m - sum((a * a for a in row), arb(0))).nonnegative_part().upper()
        for m, row in zip(mass, (mu, nu), strict=True)
    ]
    return total + arb(0, ((tails[0] * tails[1]).sqrt() * r.rho**n).upper())


def _lattice(
    f: sympy.Expr, g: sympy.Expr, a: _Envelope, b: _Envelope, r: _Correlation, digits: int
) -> arb:
    """The cheaper of the two lattices; the error bounds of both are at most 10^-digits."""
    with flint.ctx.workprec(_LOW):
        tolerance = arb(10) ** -digits / 8
        sheared = _sheared(a, b, r, tolerance)
        grid = _grid(a, b, r, tolerance) if r.s > arb(1) / 10**5 else None
    if grid is not None and grid.n < sheared.n * sheared.m:
        return _grid_sum(f, g, grid, r) + arb(0, 2 * tolerance)
    return _sheared_sum(f, g, sheared, r) + arb(0, 3 * tolerance)


def _step(error: Callable[[arb], arb], tolerance: arb, first: float) -> arb:
    """The longest step below `first`, to 2 percent, whose error bound is small enough."""
    while not error(arb(first)) < tolerance:
        first *= 0.98
    return arb(first)


def _gaussian_step(tolerance: arb) -> float:
    """No step much longer than this sums even a plain Gaussian."""
    return math.tau / math.sqrt(-2 * float(tolerance.log()))


def _axis_alias(step: arb, width: arb) -> tuple[arb, arb]:
    """Σ_k exp(-k ω a + a²/2) and Σ_k exp(-k ω a/2 + a²/4), k >= 1, ω = 2π/step, a <= width.

    Poisson: the sum misses the Fourier transform at the dual lattice. Shifting the contour by ia
    in a direction of unit variance gives exp(-k ω a + a²/2) at the k-th point of that axis; half
    the sum of two such shifts serves the points off the axes, and the exponents average.
    """
    omega = 2 * arb.pi() / step
    a = width.min(omega)
    whole, half = (-omega * a).exp(), (-omega * a / 2).exp()
    return (a**2 / 2).exp() * whole / (1 - whole), (a**2 / 4).exp() * half / (1 - half)


def _beyond_sum(n: int, linear: bool, rate: arb, square: arb) -> arb:
    """Bound of Σ_{m>n} w(m) exp(rate m - square m²), w(m) = m if `linear`, else 1."""
    m = n + 1
    ratio = (1 + arb(1) / m) * (rate - square * (2 * m + 1)).exp()
    if not ratio < 1:
        return arb.pos_inf()
    return (m if linear else 1) * (rate * m - square * m**2).exp() / (1 - ratio)


def _size(rest: Callable[[int], arb], tolerance: arb) -> int:
    n = 8
    while not rest(n) < tolerance:
        n += 1 + n // 32
    return n


@dataclass(frozen=True)
class _Grid:
    """Points (x, y) = (i h, j h), |i|, |j| <= n."""

    h: arb
    n: int


def _grid(a: _Envelope, b: _Envelope, r: _Correlation, tolerance: arb) -> _Grid:
    scale = (a.mean_square() * b.mean_square()).sqrt()
    first = _gaussian_step(tolerance) * min(1.0, math.sqrt(2 * float(r.gap)))
    h = _step(lambda h: scale * _grid_alias(h, a.width, b.width, r), tolerance, first)
    # p(x, y) <= exp(-max(x², y²)/2) / (2π s), and 8m points have max(|i|, |j|) = m.
    peak = 8 * h**2 * a.scale * b.scale / (2 * arb.pi() * r.s)
    rate, square = (a.rate + b.rate) * h, (arb(0.5) - a.square - b.square) * h**2
    return _Grid(h, _size(lambda n: peak * _beyond_sum(n, True, rate, square), tolerance))


def _grid_alias(h: arb, a: arb, b: arb, r: _Correlation) -> arb:
    """What the grid misses, per unit of sup E |f(X + iy) g(Y + iy')|, |y| <= a, |y'| <= b.

    The shift (t, ρ t) costs t²/2 and serves (k, 0); (d, -d) costs d²/(1 - ρ) and serves the
    points (k, -l), which matter when ρ is near 1.
    """
    axis, off = _axis_alias(h, a.min(b / r.rho))
    other_axis, other_off = _axis_alias(h, b.min(a / r.rho))
    omega = 2 * arb.pi() / h
    d = a.min(b).min(omega * r.gap)
    x = (-omega * d).exp()
    return 2 * (axis + other_axis + off * other_off + (d**2 / r.gap).exp() * (x / (1 - x)) ** 2)


def _grid_sum(f: sympy.Expr, g: sympy.Expr, grid: _Grid, r: _Correlation) -> arb:
    """h² Σ f(ih) g(jh) p(ih, jh), a convolution: beside i and j the density needs i - j alone.

    p(x, y) = exp(-(x² + y²)/(2(1 + ρ)) - ρ (x - y)²/(2 s²)) / (2π s).
    """
    h, n, spread = grid.h, grid.n, 2 * (1 + r.rho)
    points = [h * i for i in range(-n, n + 1)]
    weights = [(-x * x / spread).exp() for x in points]
    rows = []
    for expr in (f, g) if f != g else (f,):
        values = map(_compile(expr), points)
        rows.append([value * w for value, w in zip(values, weights, strict=True)])
    lags = arb_poly(rows[0]) * arb_poly(rows[-1][::-1])
    decay = -r.rho * h**2 / (2 * r.s**2)
    total = sum((lags[i] * (decay * (i - 2 * n) ** 2).exp() for i in range(4 * n + 1)), arb(0))
    return total * h**2 / (2 * arb.pi() * r.s)


@dataclass(frozen=True)
class _Sheared:
    """Points (x, y) = (i h, ρ i h + s j k), |i| <= n, |j| <= m."""

    h: arb
    k: arb
    n: int
    m: int


def _sheared(a: _Envelope, b: _Envelope, r: _Correlation, tolerance: arb) -> _Sheared:
    """Steps such that the dual lattice carries less than `tolerance` an axis, sizes likewise."""
    mean = (a.mean_square() * b.mean_square()).sqrt()
    first = _gaussian_step(tolerance)

    def step(width: arb) -> arb:
        return _step(lambda h: 8 * mean * _axis_alias(h, width)[1] ** 2, tolerance, first)

    # |y| <= |x| + s |z| and y² <= x² + z² in |f(x) g(y)| φ(x) φ(z).
    x = _Axis(step(a.width.min(b.width / r.rho)), a.rate + b.rate, arb(0.5) - a.square - b.square)
    z = _Axis(step(b.width / r.s), b.rate * r.s, arb(0.5) - b.square)
    peak = a.scale * b.scale
    n = _size(lambda n: peak * x.beyond(n) * z.whole(), tolerance)
    m = _size(lambda m: peak * z.beyond(m) * x.whole(), tolerance)
    return _Sheared(x.step, z.step, n, m)


@dataclass(frozen=True)
class _Axis:
    """The sum step · Σ exp(rate |t| - square t²) over the multiples t of step."""

    step: arb
    rate: arb
    square: arb

    def whole(self) -> arb:
        """Bound of the whole sum: the integral, and a peak of the summand on either side."""
        peak = (self.rate**2 / (4 * self.square)).exp()
        return 2 * ((arb.pi() / self.square).sqrt() + self.step) * peak

    def beyond(self, n: int) -> arb:
        """Bound of the terms past n on both sides."""
        rate, square = self.rate * self.step, self.square * self.step**2
        return 2 * self.step * _beyond_sum(n, False, rate, square)


def _sheared_sum(f: sympy.Expr, g: sympy.Expr, at: _Sheared, r: _Correlation) -> arb:
    """h k Σ_i f(x_i) φ(x_i) Σ_j g(ρ x_i + s z_j) φ(z_j)."""
    left, right = _compile(f), _compile(g)
    column = [at.k * j for j in range(-at.m, at.m + 1)]
    inner = [(r.s * z, (-z * z / 2).exp()) for z in column]
    total, rho = arb(0), r.rho
    for i in range(-at.n, at.n + 1):
        x = at.h * i
        y = rho * x
        row = sum((right(y + dy) * w for dy, w in inner), arb(0))
        total += left(x) * (-x * x / 2).exp() * row
    return total * at.h * at.k / (2 * arb.pi())
