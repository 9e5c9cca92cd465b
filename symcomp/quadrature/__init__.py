"""Enclosures of Gaussian expectations that have no closed form: tanh, sigmoid, SiLU, Mish, ...

Every error is bounded and added to the ball. On the line: Gauss-Legendre panels, the error from
the maximum over a Bernstein ellipse. In the plane: trapezoidal sums, whose error by Poisson's
formula falls with the width of the strip where σ is analytic; with kinks, the Hermite series (K2).
"""

import math
from collections.abc import Callable

import flint
import sympy
from flint import arb, fmpq

from symcomp.balls import ball
from symcomp.catalogue import Activation
from symcomp.errors import ArgumentError
from symcomp.parsing import X
from symcomp.quadrature.growth import standardised
from symcomp.quadrature.line import mean_square, project, working_bits
from symcomp.quadrature.plane import Correlation, rule

__all__ = ["expectation2", "hermite_coefficients", "second_moment"]

_ROUNDS = 8  # how often digits lost to a small value are made up for


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
        with flint.ctx.workprec(working_bits(digits)):
            return [_at_zero(expr), *(arb(0) for _ in range(n - 1))]
    return list(project(standardised(expr, q), n, digits))


def second_moment(expr: sympy.Expr, q: fmpq, digits: int) -> arb:
    """E σ(√q Z)², of relative radius at most 10^-digits; arguments as `hermite_coefficients`."""
    _check(q, digits)
    if q == 0:
        return _relative(
            lambda _: _at_zero(expr) * _at_zero(expr), digits, lambda: expr.subs(X, 0) == 0
        )
    f = standardised(expr, q)
    return _relative(lambda d: mean_square(f, d), digits, lambda: f.is_zero)


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
    f, g = standardised(left, qu), standardised(right, qv)

    def is_zero() -> bool:
        parities = {Activation("", expr).parity for expr in (left, right)}
        by_parity = parities == {"even", "odd"} or (c == 0 and "odd" in parities)
        return by_parity or f.is_zero or g.is_zero

    return _relative(rule(f, g, Correlation(c * c / (qu * qv))), digits, is_zero)


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
        mean = ball(right.subs(X, 0), {}) if qv == 0 else project(standardised(right, qv), 1, d)[0]
        return ball(constant, {}) * mean

    def is_zero() -> bool:
        return bool(right.subs(X, 0) == 0 if qv == 0 else Activation("", right).parity == "odd")

    return _relative(value, digits, is_zero)


def _relative(compute: Callable[[int], arb], digits: int, is_zero: Callable[[], bool]) -> arb:
    """Ask `compute` for more absolute digits until the value has `digits` relative ones."""
    bits, asked = math.ceil(digits * math.log2(10)), digits + 2
    for _ in range(_ROUNDS):
        with flint.ctx.workprec(working_bits(asked)):
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
