"""Means over target weights w = μ + s z without sampling: Gauss rules of laws, and enumeration.

A unit vector u and the mean μ in a coordinate plane leave three independent variables, the two
entries of z in the plane and the square of the rest; each is replaced by the Gauss rule of its law,
exact for polynomials of degree 2n - 1. Two-valued laws in general position are enumerated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import comb

import mpmath
import numpy as np
import sympy
from mpmath import mpf
from numpy.typing import NDArray
from scipy.special import gammaln

from symcomp.kernels import DualKernel

Array = NDArray[np.float64]
Kernel = Callable[[Array, Array], Array]

_DIGITS = 80  # moments determine a rule badly: 8 nodes cost some 20 digits
_NODES = 8


@dataclass(frozen=True)
class Law:
    """i.i.d. entries z of mean 0 and variance 1 by their moments E z^n."""

    name: str
    moment: Callable[[int], sympy.Expr]

    @property
    def third(self) -> sympy.Expr:
        """E z³."""
        return sympy.simplify(self.moment(3))

    @property
    def fourth(self) -> sympy.Expr:
        """E z⁴ - 3."""
        return sympy.simplify(self.moment(4) - 3)


@dataclass(frozen=True)
class TwoValued:
    """z = √((1-p)/p) with probability p, else -√(p/(1-p)): mean 0, variance 1."""

    p: sympy.Rational

    @property
    def values(self) -> tuple[sympy.Expr, sympy.Expr]:
        """The higher and the lower value."""
        odds = (1 - self.p) / self.p
        return sympy.sqrt(odds), -1 / sympy.sqrt(odds)

    def law(self) -> Law:
        """The law by its moments."""
        high, low = self.values
        return Law(f"two-valued, p = {self.p}", lambda n: self.p * high**n + (1 - self.p) * low**n)


def _even(moment: Callable[[int], sympy.Expr]) -> Callable[[int], sympy.Expr]:
    return lambda n: sympy.S.Zero if n % 2 else moment(n)


def _bernoulli_gaussian(n: int) -> sympy.Expr:
    """Half of the moments of a Gaussian of variance 2, and 1 at n = 0."""
    return sympy.Integer(2) ** (n // 2 - 1) * sympy.factorial2(n - 1) if n else sympy.S.One


# by the names of symcomp.networks.LAWS
LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law("gaussian", _even(lambda n: sympy.factorial2(n - 1))),
        Law("rademacher", _even(lambda _: sympy.S.One)),
        Law("uniform", _even(lambda n: sympy.Rational(3) ** (n // 2) / (n + 1))),
        Law("bernoulli_gaussian", _even(_bernoulli_gaussian)),
    )
}


# ---- Gauss rules ---------------------------------------------------------------------------------


def gauss(moments: Sequence[mpf]) -> tuple[Array, Array]:
    """Nodes and weights of the measure with these 2n moments; fewer if it has fewer points."""
    alpha, beta = _recurrence(moments)
    jacobi = np.diag([float(a) for a in alpha])
    jacobi += np.diag(off := [float(mpmath.sqrt(b)) for b in beta[1:]], 1) + np.diag(off, -1)
    nodes, vectors = np.linalg.eigh(jacobi)
    return nodes, float(moments[0]) * vectors[0] ** 2


def _recurrence(moments: Sequence[mpf]) -> tuple[list[mpf], list[mpf]]:
    """Chebyshev's algorithm: π_{k+1} = (x - α_k) π_k - β_k π_{k-1}."""
    n = len(moments) // 2
    before, row = [mpf(0)] * (2 * n), list(moments)
    alpha, beta = [row[1] / row[0]], [row[0]]
    for k in range(1, n):
        new = [mpf(0)] * (2 * n)
        for i in range(k, 2 * n - k):
            new[i] = row[i + 1] - alpha[-1] * row[i] - beta[-1] * before[i] * (k > 1)
        if new[k] <= mpf(10) ** (-_DIGITS // 2):
            break  # all of the measure's points are nodes already
        beta.append(new[k] / row[k - 1])
        alpha.append(new[k + 1] / new[k] - row[k] / row[k - 1])
        before, row = row, new
    return alpha, beta


@cache
def entry_rule(name: str) -> tuple[Array, Array]:
    """The Gauss rule of one entry z."""
    with mpmath.workdps(_DIGITS):
        return gauss([_number(LAWS[name].moment(n)) for n in range(2 * _NODES)])


@cache
def square_rule(name: str, count: int) -> tuple[Array, Array]:
    """The Gauss rule of Σ z_j² over so many entries, from the cumulants of z²."""
    with mpmath.workdps(_DIGITS):
        order = 2 * _NODES
        cumulants = _cumulants([_number(LAWS[name].moment(2 * n)) for n in range(order)])
        scale = mpmath.sqrt(count)
        # (Σ z² - count) / √count
        scaled = [mpf(0), mpf(0), *(count * c / scale**n for n, c in enumerate(cumulants) if n > 1)]
        nodes, weights = gauss(_moments(scaled))
        return count + float(scale) * nodes, weights


def _number(value: sympy.Expr) -> mpf:
    return mpf(sympy.N(value, _DIGITS + 10))


def _cumulants(moments: Sequence[mpf]) -> list[mpf]:
    cumulants = [mpf(0)]
    for n in range(1, len(moments)):
        lower = (comb(n - 1, j - 1) * cumulants[j] * moments[n - j] for j in range(1, n))
        cumulants.append(moments[n] - mpmath.fsum(lower))
    return cumulants


def _moments(cumulants: Sequence[mpf]) -> list[mpf]:
    moments = [mpf(1)]
    for n in range(1, len(cumulants)):
        terms = (comb(n - 1, j - 1) * cumulants[j] * moments[n - j] for j in range(1, n + 1))
        moments.append(mpmath.fsum(terms))
    return moments


# ---- means over w, τ = 1 -------------------------------------------------------------------------


def kernel_of(ker: DualKernel) -> Kernel:
    """(|w|², <w,u>) -> K(w, u), |u| = 1, for a positively homogeneous activation."""
    kappa, degree = sympy.lambdify(ker.rho, ker.correlation, "numpy"), ker.degree

    def value(square: Array, along: Array) -> Array:
        length = np.sqrt(np.maximum(square, 0))
        safe = np.where(length > 0, length, 1)
        cosine = np.clip(along / safe, -1, 1)
        result: Array = length**degree * (kappa(cosine) + 0 * cosine)
        return result

    return value


@dataclass(frozen=True)
class Rule:
    """Weights of sum 1 at values of |w|² and <w,u>."""

    square: Array
    along: Array
    weights: Array

    def mean(self, kernel: Kernel) -> float:
        """E kernel(|w|², <w,u>)."""
        return float(self.weights @ kernel(self.square, self.along))


def plane_rule(name: str, d: int, beta: float, t: float) -> Rule:
    """u = e_1, μ = β (t, √(1-t²), 0, ...), s² = (1-β²)/d; d some tens at least."""
    s = np.sqrt((1 - beta) * (1 + beta) / d)
    z, p = entry_rule(name)
    rest, q = square_rule(name, d - 2)
    along = (beta * t + s * z)[:, None, None]
    across = (beta * np.sqrt((1 - t) * (1 + t)) + s * z)[None, :, None]
    square = along**2 + across**2 + s**2 * rest
    weights = p[:, None, None] * p[:, None] * q
    return Rule(square.ravel(), np.broadcast_to(along, square.shape).ravel(), weights.ravel())


def two_valued_rule(law: TwoValued, d: int, beta: float, t: float) -> Rule:
    """μ = β 1/√d, <u, 1>/√d = t, u constant on either half of the entries, even d: a finite sum.

    1 = (1, ..., 1), |u| = 1. w enters through how often each half has the higher value.
    """
    half, p = d // 2, float(law.p)
    high, low = map(float, law.values)
    s = np.sqrt((1 - beta) * (1 + beta) / d)
    k = np.arange(half + 1)
    logs = gammaln(half + 1) - gammaln(k + 1) - gammaln(half - k + 1)
    weight = np.exp(logs + k * np.log(p) + (half - k) * np.log(1 - p))
    weight /= weight.sum()
    total, square = k * high + (half - k) * low, k * high**2 + (half - k) * low**2
    plus, minus = ((total[:, None] + sign * total) / np.sqrt(d) for sign in (1, -1))
    along = beta * t + s * (t * plus + np.sqrt((1 - t) * (1 + t)) * minus)
    length = beta**2 + 2 * s * beta * plus + s**2 * (square[:, None] + square)
    return Rule(length.ravel(), along.ravel(), np.outer(weight, weight).ravel())
