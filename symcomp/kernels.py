"""The dual kernel K(q_u, q_v, c) = E σ(X) τ(Y), (X, Y) centred Gaussian (theory.md section 2)."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import flint
import mpmath
import sympy
from flint import arb, fmpq

from symcomp.antiderivatives import C
from symcomp.balls import Number, ball, enclose, exact, rational, to_mpf
from symcomp.catalogue import Activation, activation
from symcomp.errors import ArgumentError, DivergenceError, ExpressionError
from symcomp.expectations import (
    QU,
    QV,
    OutsideClassError,
    Step,
    convergence,
    expectation,
    price,
    require_square_integrable,
    stein,
)
from symcomp.quadrature import expectation2, hermite_coefficients, second_moment
from symcomp.terms import Form

__all__ = ["DualKernel", "dual_kernel", "shifted_kernel"]

RHO = sympy.Symbol("rho", real=True)


@dataclass(frozen=True)
class DualKernel:
    """K(q_u, q_v, c) = E σ(X) τ(Y) for Var X = q_u, Var Y = q_v, Cov(X, Y) = c, derived from σ, τ.

    expr: the closed form in `symbols`, or None where none is known; steps: its derivation, one
    equation a line (K1); domain: expressions in `symbols` that are positive where K converges.
    """

    left: Activation
    right: Activation
    expr: Any  # sympy.Expr or None
    steps: tuple[Step, ...] = ()
    domain: tuple[sympy.Expr, ...] = ()
    symbols: tuple[sympy.Symbol, sympy.Symbol, sympy.Symbol] = (QU, QV, C)
    rho: sympy.Symbol = RHO

    @property
    def activation(self) -> Activation:
        """σ, the left activation."""
        return self.left

    @property
    def degree(self) -> int | None:
        """k where both activations are positively homogeneous of degree k, else None."""
        return self.left.degree if self.left.degree == self.right.degree else None

    @cached_property
    def correlation(self) -> Any:
        """κ(ρ) = K(1, 1, ρ), an expression in the symbol `rho`; None without a closed form."""
        return None if self.expr is None else self.expr.subs({QU: 1, QV: 1}).subs(C, RHO)

    def enclosure(self, qu: Number, qv: Number, c: Number, digits: int = 50) -> arb:
        """Ball that contains K(q_u, q_v, c), of relative radius at most 10^-digits (exact at 0).

        Without a closed form: Hermite series or quadrature, with rigorous remainders (K2).
        Numbers: int, float (taken exactly), str ("1.3" is 13/10), Fraction, Rational, mpf.
        Raises ArgumentError unless q_u, q_v >= 0 and c² <= q_u q_v, DivergenceError where the
        expectation does not exist.
        """
        u, v, cov = exact(qu, "q_u"), exact(qv, "q_v"), exact(c, "c")
        _check(u, v, cov, digits)
        if self.expr is None:
            return expectation2(self.left.expr, self.right.expr, u, v, cov, digits)
        values = {QU: u, QV: v, C: cov}
        self._check_domain(values)
        expr = self._at(u, v)
        on_diagonal = cov * cov == u * v

        def integral() -> arb:
            """The expectation itself, one integral on the diagonal."""
            return expectation2(self.left.expr, self.right.expr, u, v, cov, digits)

        if on_diagonal and not ball(expr, values).is_finite():
            return integral()  # orthant probabilities degenerate there
        at = {symbol: rational(value) for symbol, value in values.items()}

        def is_zero() -> bool:
            return sympy.simplify(expr.subs(at)) == 0 or (on_diagonal and integral() == 0)

        return enclose(lambda: ball(expr, values), digits, is_zero)

    def _check_domain(self, values: dict[sympy.Symbol, fmpq]) -> None:
        for condition in self.domain:
            with flint.ctx.workprec(200):
                if not ball(condition, values) > 0:
                    at = ", ".join(f"{symbol} = {value}" for symbol, value in values.items())
                    raise DivergenceError(
                        f"K: found {at}, expected {condition} > 0, where the expectation converges"
                    )

    def evaluate(self, qu: Number, qv: Number, c: Number, digits: int = 50) -> mpmath.mpf:
        """K(q_u, q_v, c) to `digits` digits, all right; arguments and errors as in `enclosure`."""
        return to_mpf(self.enclosure(qu, qv, c, digits))

    def _at(self, u: fmpq, v: fmpq) -> sympy.Expr:
        """The closed form; where a variance is 0 that variable is the constant 0."""
        if u > 0 and v > 0:
            return self.expr
        left, right = (
            _mean(act, q) if value > 0 else act.expr.subs(act.symbol, 0)
            for act, q, value in ((self.left, QU, u), (self.right, QV, v))
        )
        return left * right

    def hermite(self, n: int, digits: int = 50) -> tuple[sympy.Expr, ...] | tuple[arb, ...]:
        """μ_0 .. μ_{n-1}, μ_k = E σ(Z) He_k(Z) / sqrt(k!) = E σ^(k)(Z) / sqrt(k!) (K2).

        For σ the left activation at unit variance: exact expressions, or balls of absolute radius
        at most 10^-digits where no closed form is known. Raises ArgumentError if n < 0.
        """
        if not isinstance(n, int) or n < 0:
            raise ArgumentError(f"n: found {n!r}, expected a nonnegative integer")
        if self.left.form is not None:
            with suppress(OutsideClassError):
                return _exact_hermite(self.left.form, n)
        return tuple(hermite_coefficients(self.left.expr, fmpq(1), n, digits))


def shifted_kernel(
    left: str | sympy.Expr | Activation, right: str | sympy.Expr | Activation | None = None
) -> tuple[sympy.Expr, tuple[sympy.Symbol, ...]]:
    """E σ(X + s) τ(Y + t), biases s and t, and its symbols (q_u, q_v, c, s, t) (theory.md 1).

    In terms of the bivariate normal distribution function for ReLU and its like.
    Raises ExpressionError where no closed form is known.
    """
    sigma = activation(left)
    tau = sigma if right is None else activation(right)
    s, t = sympy.symbols("s t", real=True)
    if sigma.form is None or tau.form is None:
        raise ExpressionError(f"activation: found {sigma.name}, {tau.name} without a closed form")
    try:
        expr, _ = stein(sigma.form.shifted(s), tau.form.shifted(t))
    except OutsideClassError as error:
        raise ExpressionError(str(error)) from None
    return expr, (QU, QV, C, s, t)


def _exact_hermite(f: Form, n: int) -> tuple[sympy.Expr, ...]:
    coefficients = []
    for k in range(n):
        mean = expectation(f, sympy.S.One)
        coefficients.append(sympy.factor_terms(mean / sympy.sqrt(sympy.factorial(k))))
        f = f.derivative()
    return tuple(coefficients)


def dual_kernel(
    left: str | sympy.Expr | Activation, right: str | sympy.Expr | Activation | None = None
) -> DualKernel:
    """The dual kernel of σ (or of the pair σ, τ), derived from the expressions (K1).

    left, right: an Activation, a catalogue name, or an expression in one symbol.
    By Price's ladder where thresholds are at 0, else by Stein's recursion; where neither closes
    the kernel has expr None and is still evaluated and enclosed.
    Raises ExpressionError for what is no real function of one variable, DivergenceError for one
    without Gaussian moments.
    """
    sigma = activation(left)
    tau = sigma if right is None else activation(right)
    f, g = sigma.form, tau.form
    if f is not None and g is not None:
        require_square_integrable(f, sigma.name)
        require_square_integrable(g, tau.name)
        for derive in (price, stein):
            with suppress(OutsideClassError):
                expr, steps = derive(f, g)
                return DualKernel(sigma, tau, expr, steps, convergence(f, g))
    for act in (sigma, tau):
        second_moment(act.expr, fmpq(1), digits=3)  # refuses what has none
    return DualKernel(sigma, tau, None)


def _mean(act: Activation, q: sympy.Symbol) -> sympy.Expr:
    assert act.form is not None  # a kernel with a closed form has one
    return expectation(act.form, q)


def _check(u: fmpq, v: fmpq, c: fmpq, digits: int) -> None:
    if u < 0 or v < 0:
        raise ArgumentError(f"variances: found q_u = {u}, q_v = {v}, expected both nonnegative")
    if c * c > u * v:
        raise ArgumentError(f"c: found {c} with q_u q_v = {u * v}, expected c² <= q_u q_v")
    if not isinstance(digits, int) or not 1 <= digits <= 100_000:
        raise ArgumentError(f"digits: found {digits!r}, expected an integer from 1 to 100000")
