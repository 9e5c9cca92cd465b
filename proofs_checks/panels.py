"""Gauss-Legendre quadrature at any precision, panel by panel, of integrands with declared kinks.

It squares its error when the nodes double, so a panel is done when two levels agree to somewhat
more than half of the digits; one that never settles (an undeclared kink) is an error.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache, partial
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

Rule = tuple[tuple[Any, mpf], ...]  # nodes, as the integrand takes them, and weights

GUARD = 15  # digits that rounding may cost
_TAIL = 20  # digits of the Gaussian tail left to the growth of the integrand
_LEVELS = (10, 20, 40, 80, 160)
_BISECTIONS = 8


class QuadratureError(ArithmeticError):
    """The integrand is not smooth between the declared kinks."""


def cutoff(digits: int) -> mpf:
    """L with exp(-L²/2) = 10^-(digits + tail); what lies beyond is dropped."""
    return mpmath.sqrt(2 * mpmath.ln(10) * (digits + _TAIL))


def gaussian_mean(fun: Callable[[mpf], mpf], kinks: Iterable[mpf], digits: int) -> mpf:
    """E fun(Z), Z ~ N(0, 1), over [-L, L] split at the kinks."""
    end = cutoff(digits)
    cuts = split(-end, end, kinks)
    total = integral(lambda at: at[1] * fun(at[0]), cuts, digits, rule=_normal_panel)
    return total / mpmath.sqrt(2 * mpmath.pi)


def split(low: Any, high: Any, kinks: Iterable[mpf]) -> list[mpf]:
    """low, the kinks between in their order, and high."""
    return [+low, *sorted({k for k in kinks if low < k < high}), +high]


def integral(
    fun: Callable[[Any], mpf],
    cuts: Sequence[mpf],
    digits: int,
    scale: Any = 0,
    depth: int = 0,
    rule: Callable[[int, mpf, mpf, int], Rule] | None = None,
) -> mpf:
    """∫ fun over [cuts[0], cuts[-1]], fun smooth between neighbouring cuts; nodes are the rule's.

    Each panel is settled in proportion to the whole, or to `scale` where that is larger: a tail, or
    a sector where the integrand is nothing but rounding, costs no nodes.
    """
    rule = rule or _panel
    panels = [partial(rule, digits, low, high) for low, high in pairwise(cuts) if low < high]
    starts = [_weighted(panel(_LEVELS[0]), fun) for panel in panels]
    scale = max(scale, mpmath.fsum(size for _, size in starts))
    total = mpf(0)
    for panel, start in zip(panels, starts, strict=True):
        try:
            total += settle(panel, fun, digits, scale, start)
        except QuadratureError:
            if depth == _BISECTIONS:
                raise
            low, high = panel.args[1:]
            halves = [low, (low + high) / 2, high]
            total += integral(fun, halves, digits, scale, depth + 1, rule)
    return total


def settle(
    rule: Callable[[int], Rule],
    fun: Callable[[Any], mpf],
    digits: int,
    scale: Any = 0,
    start: tuple[mpf, mpf] | None = None,
) -> mpf:
    """Σ weight fun(node), the nodes doubled until the error is negligible against the scale.

    Relative to the panel's own size the error is squared by each doubling; a fifth more digits
    than asked for make up for the constants in that rule. ``start`` is the sum and the size at the
    first level, if they are known.
    """
    tolerance = mpf(10) ** -(1.2 * digits)
    previous, _ = start or _weighted(rule(_LEVELS[0]), fun)
    for n in _LEVELS[1:]:
        total, size = _weighted(rule(n), fun)
        small = tolerance * size * max(size, scale)
        if (total - previous) ** 2 <= small:
            return total
        previous = total
    raise QuadratureError(f"{_LEVELS[-1]} nodes do not settle the integral to {digits} digits")


def _weighted(rule: Rule, fun: Callable[[Any], mpf]) -> tuple[mpf, mpf]:
    """Σ weight fun(node) and Σ weight |fun(node)|."""
    terms = [weight * fun(node) for node, weight in rule]
    return mpmath.fsum(terms), mpmath.fsum(terms, absolute=True)


@lru_cache(maxsize=512)
def _panel(digits: int, low: mpf, high: mpf, n: int) -> Rule:
    half, middle = (high - low) / 2, (high + low) / 2
    return tuple((middle + half * x, half * w) for x, w in _legendre(n, digits))


@lru_cache(maxsize=512)
def _normal_panel(digits: int, low: mpf, high: mpf, n: int) -> Rule:
    """A node is a pair (z, exp(-z²/2)), kept for the next activation with the same kinks."""
    return tuple(((z, mpmath.exp(-z * z / 2)), w) for z, w in _panel(digits, low, high, n))


@cache
def rayleigh_rule(digits: int, n: int) -> Rule:
    """Nodes and weights for ∫_0^L fun(r) r exp(-r²/2) dr, densest where the weight is."""
    with mpmath.workdps(digits + GUARD):
        end = cutoff(digits)
        rule = (*_panel(digits, mpf(0), end / 4, n), *_panel(digits, end / 4, end, n))
        return tuple((r, w * r * mpmath.exp(-r * r / 2)) for r, w in rule)


@cache
def _legendre(n: int, digits: int) -> Rule:
    """Gauss-Legendre nodes and weights on [-1, 1]: NumPy's, polished by Newton, and mirrored."""
    rough = np.polynomial.legendre.leggauss(n)[0]
    with mpmath.workdps(digits + GUARD + 5):
        upper = [_polished(n, mpf(x), digits) for x in rough[n // 2 :]]
        return (*((-x, w) for x, w in reversed(upper[n % 2 :])), *upper)


def _polished(n: int, x: mpf, digits: int) -> tuple[mpf, mpf]:
    """The zero of P_n near x and its weight 2 / ((1-x²) P_n'(x)²)."""
    while True:
        before, value = mpf(1), x
        for k in range(2, n + 1):
            before, value = value, ((2 * k - 1) * x * value - (k - 1) * before) / k
        slope = n * (before - x * value) / (1 - x * x)
        step = value / slope
        x -= step
        if abs(step) < mpf(10) ** -(digits + GUARD):
            return x, 2 / ((1 - x * x) * slope**2)
