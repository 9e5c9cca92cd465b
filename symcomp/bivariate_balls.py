"""Enclosures of the bivariate normal distribution function Φ₂ in ball arithmetic."""

from collections.abc import Callable
from typing import Any

import flint
from flint import acb, arb, fmpq

from symcomp.errors import ArgumentError


def ball(h: arb | fmpq, k: arb | fmpq, r: arb | fmpq) -> arb:
    """Enclosure of Φ₂(h, k; r) at flint's current precision, by formula (*) of symcomp.special.

    Exact arguments (fmpq, or arb of radius 0) give full relative accuracy, also in the far tails
    and as r -> ±1. Φ₂ is nondecreasing in h, k and r (its derivatives are >= 0), so that inexact
    ones need no more than its values at the two extreme corners. What of r lies outside [-1, 1]
    is left out: the caller vouches that the true r does not. A ball without finite bounds for
    h or k gives [0, 1].

    Rigorous because: every operation is in ball arithmetic; `acb.integral` encloses the integral
    of the integrand, which is meromorphic, so that poles show themselves as non-finite balls; and
    what is cut off left and right, where y is negative and positive, is enclosed by its length
    times exp(-y²/2) at the cut, because y is increasing.

    Raises ArgumentError if r lies outside [-1, 1].
    """
    low_r, high_r = _corners(r) if _bounded(r) else (fmpq(-1), fmpq(1))
    low_r, high_r = max(low_r, fmpq(-1)), min(high_r, fmpq(1))
    if low_r > high_r:
        raise ArgumentError(f"r: found {r}, expected a correlation in [-1, 1]")
    if not (_bounded(h) and _bounded(k)):
        return arb(0).union(arb(1))
    (low_h, high_h), (low_k, high_k) = _corners(h), _corners(k)
    low = _exact(low_h, low_k, low_r)
    if (low_h, low_k, low_r) == (high_h, high_k, high_r):
        return low
    return low.union(_exact(high_h, high_k, high_r))


def _bounded(x: arb | fmpq) -> bool:
    return isinstance(x, fmpq) or bool(x.is_finite())


def _corners(x: arb | fmpq) -> tuple[fmpq, fmpq]:
    if isinstance(x, fmpq):
        return x, x
    low, high = (end.man_exp() for end in (x.lower(), x.upper()))
    return fmpq(low[0]) * fmpq(2) ** int(low[1]), fmpq(high[0]) * fmpq(2) ** int(high[1])


def _exact(h: fmpq, k: fmpq, r: fmpq) -> arb:
    bits = flint.ctx.prec
    a, b, sharp = abs(h - k) / 2, abs(h + k) / 2, (1 + abs(r)) / max(1 - abs(r), fmpq(1, 1 << bits))
    guard = 32 + 2 * max(_length(h), _length(k)) + _length(sharp)
    with flint.ctx.workprec(bits + guard):
        if r == 1:
            value = _normal(min(h, k))
        elif r >= 0:
            value = _normal(h) * _normal(k)
            if r > 0:
                value += _integral(b, a, ((1 - r) / (1 + r), fmpq(1)))
        else:
            value = _between(h, k, bits + guard)
            if r > -1:
                value += _integral(a, b, (fmpq(0), (1 + r) / (1 - r)))
    return +value


def _normal(x: fmpq) -> arb:
    return (-arb(x) / arb(2).sqrt()).erfc() / 2


def _between(h: fmpq, k: fmpq, bits: int) -> arb:
    """max(0, Φ(h) - Φ(-k)) to that many bits; exact numbers, so that more precision decides."""
    if h + k <= 0:
        return arb(0)
    work = bits
    while True:
        with flint.ctx.workprec(work):
            value = _normal(h) - _normal(-k)
        if value.rel_accuracy_bits() >= bits - 4:
            return value
        work *= 2


def _length(x: fmpq) -> int:
    """About log2 |x|, at least 0."""
    return max(0, int(x.p).bit_length() - int(x.q).bit_length() + 1)


def _integral(p: fmpq, q: fmpq, squares: tuple[fmpq, fmpq]) -> arb:
    """1/π ∫ exp(-((p+q)² + y²)/2)/(1 + t²) dt, y = pt - q/t, over t² in `squares`, within [0, 1].

    The peak of the integrand is taken out as exp(-edge²/2); any number `edge` would be rigorous.
    """

    def y(t: Any) -> Any:
        return p * t - q / t if q else p * t

    low, high = arb(squares[0]).sqrt(), arb(squares[1]).sqrt()
    edge = arb(0)
    if y(high) < 0:
        edge = y(high).mid()
    elif squares[0] and y(low) > 0:
        edge = y(low).mid()

    def scaled(t: Any) -> Any:
        return ((edge - y(t)) * (edge + y(t)) / 2).exp()

    reach = (edge**2 + 2 * flint.ctx.prec * arb(2).log()).sqrt()
    root = (reach**2 + 4 * arb(p * q)).sqrt()
    cut = arb(0)
    left = (2 * q / (reach + root)).mid()
    if left > low and y(left) < 0:
        cut += ((left - low) * scaled(left)).union(arb(0))
        low = left
    right = ((reach + root) / (2 * p)).mid() if p else high
    if right < high and y(right) > 0:
        cut += ((high - right) * scaled(right)).union(arb(0))
        high = right
    width = high - low
    body = _unit_integral(lambda u: scaled(low + width * u) / (1 + (low + width * u) ** 2))
    return (-(arb(p + q) ** 2 + edge**2) / 2).exp() * (width * body + cut) / arb.pi()


def _unit_integral(f: Callable[[acb], acb]) -> arb:
    """∫_0^1 f for a meromorphic f, real on [0, 1]."""
    return acb.integral(lambda u, _: f(u), 0, 1).real
