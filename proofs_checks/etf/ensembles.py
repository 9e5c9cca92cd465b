"""The two sides of E4 as numbers: the cone's J*, and any ensemble's ratio and its bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import mpmath
import numpy as np
from mpmath import mpf
from numpy.typing import NDArray

from proofs_checks.etf.jensen import mean_angle
from proofs_checks.etf.tangents import true_height

Array: TypeAlias = NDArray[np.float64]


def cone_optimum(m: int, beta: mpf) -> tuple[mpf, mpf]:
    """J* and its s at the current precision: grids in float64, then the secant method."""
    start = 0.0
    for half in (1.0, 4e-3, 2e-5):
        s = np.clip(np.linspace(start - half, start + half, 801), -1, 1)
        energies = 0.5 / m + (1 - 1 / m) * float_h((m * s * s - 1) / (m - 1))
        start = float(s[int(np.argmax(float_h(float(beta) * s) ** 2 / energies))])

    def slope(x: mpf) -> mpf:
        t = (m * x * x - 1) / (m - 1)
        cross, energy = true_h(beta * x), (mpf(1) / 2 + (m - 1) * true_h(t)) / m
        return beta * _true_slope(beta * x) * energy - x * cross * _true_slope(t)

    best = mpmath.findroot(slope, (mpf(start), mpf(start) - mpf(10) ** -7), verify=False)
    energy = (mpf(1) / 2 + (m - 1) * true_h((m * best**2 - 1) / (m - 1))) / m
    return true_h(beta * best) ** 2 / energy, best


def float_h(rho: Array) -> Array:
    """h in float64."""
    rho = np.clip(rho, -1, 1)
    return np.asarray(
        (np.sqrt((1 - rho) * (1 + rho)) + rho * (np.pi - np.arccos(rho))) / (2 * np.pi)
    )


def true_h(rho: mpf) -> mpf:
    """h at the current precision."""
    return true_height(rho) / (2 * mpmath.pi)


def _true_slope(rho: mpf) -> mpf:
    return (mpmath.pi - mpmath.acos(min(max(rho, mpf(-1)), mpf(1)))) / (2 * mpmath.pi)


@dataclass(frozen=True)
class Ensemble:
    """Weights c, heights s, unit vectors e orthogonal to v, and β, at high precision."""

    c: Sequence[mpf]
    s: Sequence[mpf]
    e: Sequence[Sequence[mpf]]
    beta: mpf

    def ratio(self) -> mpf:
        """(Σ c h(βs))²/ΣΣ c c h(ρ)."""
        cross = mpmath.fsum(w * true_h(self.beta * x) for w, x in zip(self.c, self.s, strict=True))
        n = range(len(self.c))
        own = mpmath.fsum(
            self.c[i] * self.c[j] * (mpf(1) / 2 if i == j else true_h(self._rho(i, j)))
            for i in n
            for j in n
        )
        return cross**2 / own if own else mpmath.inf  # 0 with weights of both signs only

    def _rho(self, i: int, j: int) -> mpf:
        flat = mpmath.sqrt((1 - self.s[i] ** 2) * (1 - self.s[j] ** 2))
        return self.s[i] * self.s[j] + flat * mpmath.fdot(self.e[i], self.e[j])

    def bound(self, share: mpf) -> mpf:
        """H(βs̄)²/(2πe(y; s̄)) at y = share y_c."""
        psi = [mpmath.pi - mpmath.acos(self.beta * x) for x in self.s]
        _, end = mean_angle(self.c, psi)
        y = mpmath.pi * end**2 / (mpmath.pi - mpmath.acos(self.beta)) ** 2 * share
        height_ = -mpmath.cos(end) / self.beta
        defect_ = mpmath.pi - y - mpmath.sin(y)
        below = y * height_**2 + mpmath.sin(y) + defect_ / len(self.c)
        return true_height(-mpmath.cos(end)) ** 2 / (2 * mpmath.pi * below)
