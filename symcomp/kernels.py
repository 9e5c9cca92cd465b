"""The dual kernel K(q_u, q_v, c) = E σ(X) τ(Y), (X, Y) centred Gaussian (theory.md section 2)."""

from dataclasses import dataclass
from functools import cached_property

import mpmath
import sympy
from flint import arb, fmpq

from symcomp.antiderivatives import C
from symcomp.balls import Number, ball, enclose, exact, rational, to_mpf
from symcomp.catalogue import Activation, activation
from symcomp.errors import ArgumentError, ExpressionError
from symcomp.expectations import QU, QV, Step, expectation, price
from symcomp.terms import Form

__all__ = ["DualKernel", "dual_kernel"]

RHO = sympy.Symbol("rho", real=True)


@dataclass(frozen=True)
class DualKernel:
    """K(q_u, q_v, c) = E σ(X) τ(Y) for Var X = q_u, Var Y = q_v, Cov(X, Y) = c, derived from σ, τ.

    expr: the closed form in `symbols`; steps: its derivation, one equation a line (K1).
    """

    left: Activation
    right: Activation
    expr: sympy.Expr
    steps: tuple[Step, ...]
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
    def correlation(self) -> sympy.Expr:
        """κ(ρ) = K(1, 1, ρ), an expression in the symbol `rho`."""
        return self.expr.subs({QU: 1, QV: 1}).subs(C, RHO)

    def enclosure(self, qu: Number, qv: Number, c: Number, digits: int = 50) -> arb:
        """Ball that contains K(q_u, q_v, c), of relative radius at most 10^-digits (exact at 0).

        Numbers: int, float (taken exactly), str ("1.3" is 13/10), Fraction, Rational, mpf.
        Raises ArgumentError unless q_u, q_v >= 0 and c² <= q_u q_v.
        """
        u, v, cov = exact(qu, "q_u"), exact(qv, "q_v"), exact(c, "c")
        _check(u, v, cov, digits)
        expr = self._at(u, v)
        values = {QU: u, QV: v, C: cov}
        at = {symbol: rational(value) for symbol, value in values.items()}
        return enclose(
            lambda: ball(expr, values), digits, lambda: sympy.simplify(expr.subs(at)) == 0
        )

    def evaluate(self, qu: Number, qv: Number, c: Number, digits: int = 50) -> mpmath.mpf:
        """K(q_u, q_v, c) to `digits` digits, all right; arguments and errors as in `enclosure`."""
        return to_mpf(self.enclosure(qu, qv, c, digits))

    def _at(self, u: fmpq, v: fmpq) -> sympy.Expr:
        """The closed form; where a variance is 0 that variable is the constant 0."""
        if u > 0 and v > 0:
            return self.expr
        left, right = (
            expectation(_form(act), q) if value > 0 else act.expr.subs(act.symbol, 0)
            for act, q, value in ((self.left, QU, u), (self.right, QV, v))
        )
        return left * right

    def hermite(self, n: int) -> tuple[sympy.Expr, ...]:
        """μ_0 .. μ_{n-1}, μ_k = E σ(Z) He_k(Z) / sqrt(k!) = E σ^(k)(Z) / sqrt(k!) (K2).

        Exact, for σ the left activation at unit variance. Raises ArgumentError if n < 0.
        """
        if not isinstance(n, int) or n < 0:
            raise ArgumentError(f"n: found {n!r}, expected a nonnegative integer")
        f, coefficients = _form(self.left), []
        for k in range(n):
            mean = expectation(f, sympy.S.One)
            coefficients.append(sympy.simplify(mean / sympy.sqrt(sympy.factorial(k))))
            f = f.derivative()
        return tuple(coefficients)


def dual_kernel(
    left: str | sympy.Expr | Activation, right: str | sympy.Expr | Activation | None = None
) -> DualKernel:
    """The dual kernel of σ (or of the pair σ, τ), derived by Price's ladder (K1).

    left, right: an Activation, a catalogue name, or an expression in one symbol.
    Raises ExpressionError where σ lies outside the class that the ladder closes.
    """
    sigma = activation(left)
    tau = sigma if right is None else activation(right)
    expr, steps = price(_form(sigma), _form(tau))
    return DualKernel(sigma, tau, expr, steps)


def _form(act: Activation) -> Form:
    if act.form is None:
        raise ExpressionError(
            f"activation: found {act.name}, expected a sum of polynomials times exponentials of"
            " quadratics, sines, cosines and erf, on half-lines"
        )
    return act.form


def _check(u: fmpq, v: fmpq, c: fmpq, digits: int) -> None:
    if u < 0 or v < 0:
        raise ArgumentError(f"variances: found q_u = {u}, q_v = {v}, expected both nonnegative")
    if c * c > u * v:
        raise ArgumentError(f"c: found {c} with q_u q_v = {u * v}, expected c² <= q_u q_v")
    if not isinstance(digits, int) or not 1 <= digits <= 100_000:
        raise ArgumentError(f"digits: found {digits!r}, expected an integer from 1 to 100000")
