"""Integrals on the line: Gauss-Legendre panels, errors from the maximum over an ellipse."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import flint
import sympy
from flint import acb, arb

from symcomp.balls import ball
from symcomp.errors import ArgumentError, ExpressionError
from symcomp.quadrature.analytic import DEPTH, LOW, complex_function, halves, supremum
from symcomp.quadrature.growth import Envelope, Function, both_tails

_VISITS = 5000  # how many panels a piece may be cut into


def working_bits(digits: int) -> int:
    """Bits for so many absolute digits, some to spare."""
    return math.ceil(digits * math.log2(10)) + 64


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
def project(f: Function, n: int, digits: int) -> tuple[arb, ...]:
    """E f(Z) h_k(Z), k < n, each of radius at most 10^-digits."""
    with flint.ctx.workprec(working_bits(digits) + n):
        panels, missed = _panels(f, n, digits)
    reach = max((float(abs(panel.high)) for panel in panels), default=0.0)
    # What rounding errors grow by in the recurrence for He_k, under the Gaussian weight.
    peak = min(math.sqrt(n), reach)
    spread = math.ceil((peak * math.sqrt(n) - peak**2 / 2) / math.log(2))
    for growth in (1, 2, 4, 8):
        with flint.ctx.workprec(growth * (working_bits(digits) + spread)):
            sums = [value + arb(0, missed) for value in _sums(panels, n)]
            if all(value.rad() <= arb(10) ** -digits for value in sums):
                return tuple(sums)
    raise ArgumentError(f"digits: found {digits}, but the integrals were not enclosed to that many")


def _panels(f: Function, n: int, digits: int) -> tuple[list[_Panel], arb]:
    """Panels between the breaks, and the bound of all that they and the cut tails miss."""
    breaks = [ball(point, {}) for point in f.breaks]
    with flint.ctx.workprec(LOW):
        tails = both_tails(f, arb(0))
        weight = _weight(n, tails.square)
        tolerance = arb(10) ** -digits / 8
        end = _cutoff(tails, weight, breaks, tolerance)
        cut = 2 * _beyond(tails, weight, end)
    ends = [-end, *breaks, end]
    pieces = zip(f.pieces, ends, ends[1:], strict=False)
    panels = [p for piece in pieces for p in _split(*piece, weight, tolerance / (64 * end))]
    with flint.ctx.workprec(LOW):
        missed = (sum((panel.error for panel in panels), arb(0)) + cut).upper()
    return [panel for panel in panels if panel.nodes], missed


def _beyond(tails: Envelope, weight: _Weight, end: arb) -> arb:
    """Bound of the integral of |f h_k φ| from `end` on: exponent over its slope."""
    decay = weight.decay - tails.square
    slope = 2 * decay * end - tails.rate
    if not slope > 0:
        return arb.pos_inf()
    exponent = tails.rate * end - decay * end**2
    return (tails.scale * weight.scale * exponent.exp() / slope).upper()


def _cutoff(tails: Envelope, weight: _Weight, breaks: list[arb], tolerance: arb) -> arb:
    end = max([float(tails.start), *(float(abs(point)) + 1 for point in breaks)])
    end = math.ceil(end)
    while not _beyond(tails, weight, arb(end)) < tolerance:
        end += 1 + end // 16
    return arb(end)


def _split(
    piece: sympy.Expr, low: arb, high: arb, weight: _Weight, density: arb
) -> Iterator[_Panel]:
    """Halve [low, high] until every panel is worth its nodes; error <= density · length each."""
    with flint.ctx.workprec(LOW):
        f = complex_function(piece)
    stack, visits = [(low, high, 0)], 0
    while stack:
        a, b, depth = stack.pop()
        visits += 1
        panel = _panel(piece, f, a, b, weight, density)
        if panel is not None:
            yield panel
        elif depth > 10 * DEPTH or visits > _VISITS:
            raise ExpressionError(
                f"expression: found {piece}, which is not shown to be analytic (or varies too fast)"
                f" near {float(a):.6g} standard deviations, expected that between kinks"
            )
        else:
            stack += [(*half, depth + 1) for half in reversed(halves(a, b))]


def _panel(
    piece: sympy.Expr, f: Callable[[Any], Any], a: arb, b: arb, weight: _Weight, density: arb
) -> _Panel | None:
    """As many nodes as the bound on the Bernstein ellipse of parameter 2 asks for.

    |I - Q_n| <= (64/15) M 2^(-2n) / (1 - 1/4) · (half length) for n >= 2.
    None if M is so much above the values on the panel that halving it is cheaper.
    """
    with flint.ctx.workprec(LOW):
        middle, half = (a + b) / 2, (b - a) / 2
        wide, high = 5 * half / 4, 3 * half / 4
        bound = supremum(f, (middle - wide, middle + wide), (arb(0), high), 3)
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
        f = complex_function(panel.piece)
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


def mean_square(f: Function, digits: int) -> arb:
    """E f(Z)²."""
    square = Function(f.breaks, tuple(piece**2 for piece in f.pieces))
    return project(square, 1, digits)[0]
