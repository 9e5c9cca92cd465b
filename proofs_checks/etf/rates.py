"""Claim E8r (theory.md 4): how fast the minimisers of L_N approach the ETF, in N and in d."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from math import gamma, pi, sqrt
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from scipy.stats import linregress
from scipy.stats import t as student

from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp.codegen import generate
from symcomp.compression import Minimum, minimise
from symcomp.networks import draw_weights
from symcomp.optima import Optimum, optimum

Quantity: TypeAlias = Callable[["Run"], float]

M = 3
NODES = (250, 500, 1000, 2000, 4000)
DIMENSION = 10
DIMENSIONS = (4, 6, 8, 11, 16)
PER_SQUARE = 16  # N = 16 d² where d grows
SEEDS = 6


@dataclass(frozen=True)
class Run:
    """A drawn Gaussian target with τ = 1 and β = 0, and the minimiser of its L_N, b = 1."""

    N: int
    d: int
    minimum: Minimum

    @property
    def best(self) -> Optimum:
        """E2's optimum."""
        return _best()

    def angles(self) -> float:
        """Root mean square of cos(θ_i, θ_j) + 1/(M - 1), i ≠ j."""
        off = self.minimum.gram[~np.eye(M, dtype=bool)] - self.best.gram[0, 1]
        return float(np.sqrt(np.mean(off**2)))

    def norms(self) -> float:
        """Root mean square of |θ_j| less E2's radius times c_d."""
        off = self.minimum.norms - _mean_kernel(self.d) * float(self.best.radius)
        return float(np.sqrt(np.mean(off**2)))

    def value(self) -> float:
        """|L_N there - min F_d|."""
        return abs(self.minimum.value - least_of_mean(self.d))

    def norm_bias(self) -> float:
        """The mean of |θ_j| less E2's radius."""
        return abs(float(self.minimum.norms.mean()) - float(self.best.radius))

    def value_bias(self) -> float:
        """|L_N there - min F|."""
        return abs(self.minimum.value - float(self.best.value))


def _mean_kernel(d: int) -> float:
    """E K(w, u) of S6 for Gaussian rows with τ = 1, over its limit 1/(2π)."""
    return 2 * pi * sqrt(d) * gamma(d / 2) / (2 * sqrt(2) * pi * gamma((d + 1) / 2))


def least_of_mean(d: int) -> float:
    """min F_d = E K(w, w') - (E K(w, u))²/E_M (E2 at dimension d).

    E K(w, w') = E|w| E K(w', u) = 1/(2π) whatever d.
    """
    zero = 1 / (2 * pi)
    energy = zero**2 / (zero - float(_best().value))
    return zero - (_mean_kernel(d) * zero) ** 2 / energy


@cache
def _best() -> Optimum:
    return optimum("relu", M)


@cache
def _module() -> ModuleType:
    return generate("relu").load()


@cache
def run(N: int, d: int, seed: int) -> Run:
    """One target and the best of one random start; nothing of E2 goes into the start."""
    W = draw_weights(N, d, seed=1000 * seed + d)
    return Run(N, d, minimise(W, M, starts=1, seed=seed, module=_module(), tol=1e-5))


@dataclass(frozen=True)
class Rate:
    """quantity falls like size^slope; the size is N at d = 10, or d with N = 16 d²."""

    name: str
    quantity: Quantity
    along: str
    slope: float


def rates() -> tuple[Rate, ...]:
    """The 1/√N of S3, also gained by the freedom of orientation, and the 1/d of S6."""
    return (
        Rate("cosines", Run.angles, "N", -0.5),
        Rate("norms", Run.norms, "N", -0.5),
        Rate("value less min F_d", Run.value, "N", -0.5),
        Rate("norms", Run.norm_bias, "d", -1.0),
        Rate("value less min F", Run.value_bias, "d", -1.0),
    )


def fitted(rate: Rate, seeds: range) -> tuple[float, float, float]:
    """Least squares in logarithms over all runs: the slope and its 99% interval."""
    along_n = rate.along == "N"
    sizes = NODES if along_n else DIMENSIONS
    points = [
        (n, rate.quantity(run(n, DIMENSION, k) if along_n else run(PER_SQUARE * n * n, n, k)))
        for n in sizes
        for k in seeds
    ]
    fit = linregress(*np.log(np.array(points)).T)
    half = float(student.ppf(0.995, len(points) - 2) * fit.stderr)
    return float(fit.slope), float(fit.slope) - half, float(fit.slope) + half


def _slopes(claim: tuple[Rate, ...], settings: Settings) -> Finding:
    """Every predicted slope lies in its interval, and no interval is wider than 3/4."""
    seeds = range(settings.seed, settings.seed + SEEDS)
    lines, bad = [], []
    for rate in claim:
        slope, low, high = fitted(rate, seeds)
        text = f"{rate.name} in {rate.along}: {slope:.2f} ({low:.2f} to {high:.2f})"
        lines.append(text)
        if not (low <= rate.slope <= high and high - low <= 0.75):
            bad.append(f"{text}, {rate.slope} claimed")
            break
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    count = len(lines)
    return Finding(outcome, "; ".join(lines), count, count, count, "; ".join(bad))


def _one(along: str, quantity: Quantity, slope: float) -> Callable[[Any], tuple[Rate, ...]]:
    """One rate alone, with another slope."""
    return lambda all_rates: tuple(
        replace(r, slope=slope) for r in all_rates if r.along == along and r.quantity is quantity
    )


E8R = Claim[tuple[Rate, ...]](
    id="E8r",
    title="Rates at which the minimisers of L_N approach the ETF",
    statement=(
        r"\mu=0,\ \theta^*\in\arg\min L_N,\ b_j=1,\ \text{ReLU, Gaussian } w:\quad \text{as } N "
        r"\text{ grows, } d \text{ fixed: } |\cos(\theta^*_i,\theta^*_j)+\tfrac1{M-1}|,\ "
        r"\bigl||\theta^*_j|-r_d\bigr|,\ |L_N(\theta^*)-\min F_d| \asymp N^{-1/2};\quad \text{as } "
        r"d \text{ grows, } N\propto d^2:\ |\overline{|\theta^*_j|}-r_\infty|,\ "
        r"|L_N(\theta^*)-\min F| \asymp d^{-1}"
    ),
    source="theory.md E8, S3, S6, S7 (this project's reconstruction)",
    subject=rates,
    evidence=(
        Evidence(
            Kind.STATISTICS,
            f"log-log slopes over {SEEDS} targets a size, 99% intervals of width <= 3/4",
            _slopes,
            covers="M = 3; N = 250..4000 at d = 10; d = 4..16 at N = 16 d²",
        ),
    ),
    mutants=(
        Mutant("cosines like 1/N", _one("N", Run.angles, -1.0)),
        Mutant("value like 1/N", _one("N", Run.value, -1.0)),
        Mutant("norms like 1/√d", _one("d", Run.norm_bias, -0.5)),
    ),
    depends_on=("E2",),
)

CLAIMS: tuple[Claim[Any], ...] = (E8R,)
