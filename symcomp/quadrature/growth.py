"""Functions of a standard Gaussian: their pieces, their growth and envelopes of their tails."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import flint
import sympy
from flint import acb, arb, fmpq

from symcomp.balls import ball, rational
from symcomp.errors import DivergenceError, ExpressionError
from symcomp.parsing import X
from symcomp.quadrature.analytic import DEPTH, FUNCTIONS, LOW, complex_function, supremum
from symcomp.terms import branches


@dataclass(frozen=True)
class Function:
    """Analytic pieces between increasing breaks, as a function of a standard Gaussian."""

    breaks: tuple[sympy.Expr, ...]
    pieces: tuple[sympy.Expr, ...]

    @property
    def is_smooth(self) -> bool:
        """Whether there is one piece."""
        return not self.breaks

    @property
    def is_zero(self) -> bool:
        """Whether every piece is the number 0."""
        return all(piece == 0 for piece in self.pieces)


@dataclass(frozen=True)
class Envelope:
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
        if type(expr) not in FUNCTIONS:
            raise _no_bound(expr)
        f = self.growth(expr.args[0])
        if f.gamma.is_infinite:
            raise _no_bound(expr)
        if isinstance(expr, sympy.log):
            return self._log(f, expr)
        inner = self._bounded(f)
        if inner is not None:
            return _constant(acb(FUNCTIONS[type(expr)](inner)))
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
            inverse: acb = FUNCTIONS[sympy.atan](self._disc(1 / modulus))
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


def both_tails(f: Function, width: arb, square: bool = False) -> Envelope:
    """An envelope of both tails of f; `square` asks for f in L2 of the Gaussian."""
    problem = _no_bound(f.pieces[-1])
    with flint.ctx.workprec(LOW):
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


def _envelope(forms: list[_Growth], tail: _Tail) -> Envelope:
    scale = rate = square = arb(0)
    unit = arb(8)  # |z|^p <= unit^p exp(p (|z|/unit - 1)), tightest at |z| = unit
    for form in forms:
        if form.gamma.is_infinite:
            return Envelope(tail.width, tail.start, arb.pos_inf(), rate, square)
        g, k, p = (ball(e, {}) for e in form.exponents)
        up = p.max(arb(0))
        factor = (g.min(arb(0)) * -(tail.width**2) + up * (tail.width / unit - 1)).exp()
        scale = scale.max(form.unit.abs_upper() * factor * unit**up)
        rate, square = rate.max(k + up / unit), square.max(g)
    return Envelope(tail.width, tail.start, scale.upper(), rate.upper(), square.upper())


@lru_cache(maxsize=64)
def strip_envelope(expr: sympy.Expr, digits: int) -> Envelope | None:
    """The strip that allows the longest step for `digits`, None if none is found."""
    goal = digits * math.log(10)
    best, longest = None, 0.0
    with flint.ctx.workprec(LOW):
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


def _on_strip(expr: sympy.Expr, width: arb) -> Envelope | None:
    """An envelope from start 0 on, None if f is not shown to be analytic on the closed strip."""
    try:
        far = both_tails(Function((), (expr,)), width)
    except ExpressionError:
        return None
    if not 4 * far.square < 1:
        return None
    f = complex_function(expr)
    scale, cells = far.scale, math.ceil(2 * float(far.start / width))
    for i in range(-cells, cells):
        real = (far.start * i / cells, far.start * (i + 1) / cells)
        scale = scale.max(supremum(f, real, (arb(0), width), DEPTH))
        if not scale.is_finite():
            return None
    return Envelope(width, arb(0), scale.upper(), far.rate, far.square)


@lru_cache(maxsize=64)
def standardised(expr: sympy.Expr, q: fmpq) -> Function:
    """x -> σ(√q x), shown to be square integrable."""
    if expr.free_symbols - {X}:
        found = ", ".join(sorted(map(str, expr.free_symbols)))
        raise ExpressionError(f"expression: found the symbols {found}, expected x alone")
    root = sympy.sqrt(rational(q))
    breaks, pieces = branches(expr)
    f = Function(
        tuple(point / root for point in breaks),
        tuple(piece.xreplace({X: root * X}) for piece in pieces),
    )
    both_tails(f, arb(0), square=True)
    return f
