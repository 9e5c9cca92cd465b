"""Proposes the boxes of the certificates B4-M: witnesses in float64, cells by trial.

The cells of a box are found from the greatest x down, each as wide as the checker accepts; a box
that would need too many is halved. The checker, ``replay.signs``, knows nothing of this module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from proofs_checks.replay import signs as replay_signs

Array: TypeAlias = NDArray[np.float64]
Box = tuple[tuple[fmpq, fmpq], ...]
Label = tuple[str, tuple[fmpq, ...]]
Side = tuple[fmpq, fmpq]

_A, _TOP = 1 / (2 * np.pi), 0.25 - 1 / (2 * np.pi)
_MOST_CELLS, _PARTS, _NARROWEST = 40, 65536, fmpq(1, 16384)
_PAD = 0.04


def _h(r: Array) -> Array:
    return np.asarray((np.sqrt(1 - r * r) + r * (np.pi / 2 + np.arcsin(r))) / (2 * np.pi))


def _slope(r: Array) -> Array:
    return np.asarray((np.pi / 2 + np.arcsin(r)) / (2 * np.pi))


def _even(r: Array) -> Array:
    return _h(r) - _A - r / 4


@dataclass(frozen=True)
class Surfaces:
    """The functions of B4 for M neurons, over b and x."""

    m: int

    def beta(self, b: Array) -> Array:
        """β."""
        return b * b if self.m == 2 else b

    def energy(self, s: Array) -> Array:
        """E(s)."""
        return 0.5 / self.m + (1 - 1 / self.m) * _h((self.m * s * s - 1) / (self.m - 1))

    def ratio(self, b: Array, x: Array) -> Array:
        """h(βs)²/E(s)."""
        top = _h(self.beta(b) * b * x)
        return np.asarray(top * top / self.energy(b * x))

    def pulled(self, over: Array, under: Array, x: Array) -> Array:
        """g with one b above and one below."""
        top = _slope(self.beta(over) * over * x)
        s = under * x
        if self.m == 2:
            return np.asarray(np.pi * top / (x * x * np.arcsin(s) / s))
        return np.asarray(top / (x * _slope((self.m * s * s - 1) / (self.m - 1))))


class Search:
    """Labels for boxes of b, M neurons."""

    def __init__(self, m: int) -> None:
        """The functions of B4 for M = m."""
        self.m, self.on = m, Surfaces(m)

    def fewer(self, box: Box) -> Label | None:
        """A height y with V > UB_{M-1} at the ends and the middle of a short box."""
        b = self._points(box)
        if b[2] - b[0] > 0.04:
            return None
        y = self._best(b[1])
        above = [float(self.on.ratio(at, _float(y))) - self._bound(self.m - 1, at) for at in b]
        return ("fewer", (y,)) if min(above) > 0.1 * max(above) > 0 else None

    def cells(self, box: Box) -> Label | None:
        """The witnesses of chart "cells"."""
        b = self._points(box)
        if b[2] - b[0] > 0.04:
            return None
        y = self._best(b[1])
        low, high = self._levels(b, float(_float(y)))
        ends = self._ends(b, float(low), float(high))
        if ends is None:
            return None
        cuts = self._cuts(box[0], ends, y)
        return None if cuts is None else ("cells", (y, low, high, *cuts))

    def _points(self, box: Box) -> Array:
        ((low, high),) = box
        first, last = float(_float(low)), float(_float(high))
        return np.asarray(np.maximum([first, (first + last) / 2, last], 1e-4))

    def _bound(self, n: int, b: float) -> float:
        beta = float(self.on.beta(np.asarray(b)))
        one, two = (float(_even(np.asarray(v))) for v in (beta, beta * beta))
        own = float(_h(np.asarray(beta * beta))) - _A - two / n
        return float(own + (_A + one / n) ** 2 / (_A + _TOP / n))

    def _best(self, b: float) -> fmpq:
        x = np.linspace(0.02, min(1 / b, 4.0), 4001)
        values = self.on.ratio(np.asarray(b), x)
        return _rounded(float(x[int(values.argmax())]), 16384)

    def _levels(self, b: Array, y: float) -> tuple[fmpq, fmpq]:
        """σ_± where L = -V, a little farther out."""
        lows, highs = [], []
        for at in b:
            beta = float(self.on.beta(at))
            one = float(_even(np.asarray(beta)))
            least = (_A + one / self.m) / (_A + _TOP / self.m)
            value = float(self.on.ratio(at, np.asarray(y)))
            half = np.sqrt(max(self._bound(self.m, at) - value, 0) / (_A + _TOP / self.m))
            lows.append(least - half * (1 + _PAD))
            highs.append(least + half * (1 + _PAD))
        return _rounded(min(lows), 65536), _rounded(max(highs), 65536)

    def _ends(self, b: Array, low: float, high: float) -> tuple[fmpq, fmpq] | None:
        x = np.arange(0.3, min(1 / b[2], 4.0), 1 / 8192)
        enough = np.nonzero(self.on.pulled(b[0], b[2], x) >= high)[0]
        few = np.nonzero(self.on.pulled(b[2], b[0], x) <= low)[0]
        if not (enough.size and few.size):
            return None
        first, last = _rounded(float(x[enough[-1]]), 8192), _rounded(float(x[few[0]]), 8192)
        return first - fmpq(1, 8192), last + fmpq(1, 8192)

    def _cuts(self, side: Side, ends: tuple[fmpq, fmpq], y: fmpq) -> list[fmpq] | None:
        """From the greatest x down, each cell as wide as the checker accepts."""
        first, at = ends
        form, cuts, step = replay_signs.Scaled(self.m), [at], fmpq(1, 32)
        while at > first:
            step = min(step * 2, at - first)
            while not replay_signs.certain(form, side, (at - step, at), y):
                step = fmpq(int((step * _PARTS).floor()) // 2, _PARTS)
                if step < _NARROWEST or len(cuts) > _MOST_CELLS:
                    return None
            at -= step
            cuts.append(at)
        return cuts[::-1]


def _float(x: fmpq) -> Array:
    return np.asarray(int(x.p) / int(x.q), dtype=np.float64)


def _rounded(x: float, parts: int) -> fmpq:
    return fmpq(round(x * parts), parts)


def charts() -> dict[str, Callable[[], Callable[[Box], Label | None]]]:
    """What ``certificates.Search`` asks for: by chart, a maker of the labels of its boxes."""
    found: dict[str, Callable[[], Callable[[Box], Label | None]]] = {}
    for name in replay_signs.B4.charts:
        kind, m = name.split()
        found[name] = partial(getattr, Search(int(m)), kind)
    return found
