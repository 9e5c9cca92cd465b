"""Claim E8 (theory.md 4): minimisers of L_N approach the simplex."""

from dataclasses import dataclass, replace
from functools import cache
from math import sqrt
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.stats import t as student

from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from proofs_checks.optimality import TAU, M, simplex_theorem
from symcomp import objectives
from symcomp.codegen import generate
from symcomp.compression import Minimum, minimise
from symcomp.networks import draw_weights

Array: TypeAlias = NDArray[np.float64]

LAWS = ("gaussian", "rademacher")
SEEDS = 3


@dataclass(frozen=True)
class Experiment:
    """The minimiser of L_N for one drawn target with τ = 1 and β = 0, b = 1, ReLU."""

    law: str
    N: int
    d: int
    M: int
    starts: int
    seed: int
    minimum: Minimum

    def angle_error(self, cosine: float) -> float:
        """The largest |cos(θ_i, θ_j) - cosine| over i ≠ j."""
        off = ~np.eye(self.M, dtype=bool)
        return float(np.abs(self.minimum.gram[off] - cosine).max())


@cache
def experiment(
    law: str,
    N: int = 2000,
    d: int = 50,
    M: int = 5,
    starts: int = 1,
    seed: int = 0,
    tol: float = 1e-4,
) -> Experiment:
    """Draw N rows in R^d from law (see symcomp.networks.LAWS) and minimise L_N over M neurons.

    seed decides both the target and the random starts of L-BFGS. A residual of 1e-4 leaves the
    cosines within a few 1e-3, far less than their distance from the limit may be.
    """
    W = draw_weights(N, d, law, seed=seed)
    minimum = minimise(W, M, starts=starts, seed=seed, module=_relu_module(), tol=tol)
    return Experiment(law, N, d, M, starts, seed, minimum)


@cache
def _relu_module() -> ModuleType:
    return generate("relu").load()


@dataclass(frozen=True)
class FiniteMinimum:
    """What minimisers of L_N look like: cosines, lengths and value, in the symbols M and τ.

    excess is V of (S2): the value is near min F + V/N. The tolerances are for N = 2000, d = 50.
    """

    cosine: sympy.Expr
    radius: sympy.Expr
    value: sympy.Expr
    excess: sympy.Expr
    angle_tolerance: float = 0.02
    length_tolerance: float = 0.05
    value_tolerance: float = 0.2


def finite_minimum() -> FiniteMinimum:
    """E2's optimum for ReLU, with V = τ² (κ(1) - κ(0)) to leading order in 1/d."""
    theorem = simplex_theorem()
    one, zero = (objectives.kappa(theorem.kernel, rho) for rho in (sympy.S.One, sympy.S.Zero))
    excess = TAU**2 * (one - zero)
    return FiniteMinimum(theorem.cosine, theorem.radius, theorem.value, excess)


def _on_data(claim: FiniteMinimum, settings: Settings) -> Finding:
    """Several targets of each law; every one of them must come within the tolerances."""
    seeds = range(settings.seed, settings.seed + SEEDS)
    runs = [experiment(law, seed=seed) for law in LAWS for seed in seeds]
    cosine, radius, value, excess = (
        float(expr.subs({M: 5, TAU: 1}))
        for expr in (claim.cosine, claim.radius, claim.value, claim.excess)
    )
    wanted = value + excess / runs[0].N
    angles = [run.angle_error(cosine) for run in runs]
    lengths = [float(np.abs(run.minimum.norms / radius - 1).max()) for run in runs]
    values = [run.minimum.value for run in runs]
    bad = [
        f"{run.law}, seed {run.seed}: cosine off by {angle:.3g}, length by {length:.2%}, "
        f"L_N = {run.minimum.value:.5g}"
        for run, angle, length in zip(runs, angles, lengths, strict=True)
        if not (
            angle <= claim.angle_tolerance
            and length <= claim.length_tolerance
            and abs(run.minimum.value / wanted - 1) <= claim.value_tolerance
        )
    ]
    low, high = _interval(angles)
    figure = (
        f"{len(runs)} targets, N = 2000, d = 50, M = 5, seeds {seeds[0]} to {seeds[-1]}: "
        f"cosines within {max(angles):.2g} of {cosine:.4g} (mean of the worst "
        f"{np.mean(angles):.2g}, 95% interval {low:.2g} to {high:.2g}), lengths within "
        f"{max(lengths):.1%}, mean L_N {np.mean(values):.5f} beside min F + V/N = {wanted:.5f}"
    )
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    return Finding(outcome, figure, len(runs), len(runs), len(runs), "; ".join(bad))


def _interval(sample: list[float]) -> tuple[float, float]:
    """Student's 95% interval for the mean."""
    half = student.ppf(0.975, len(sample) - 1) * np.std(sample, ddof=1) / sqrt(len(sample))
    return float(np.mean(sample) - half), float(np.mean(sample) + half)


E8 = Claim(
    id="E8",
    title="Minimisers of the exact loss approach the ETF",
    statement=(
        r"\mu = 0,\ \theta^* \in \arg\min_\theta L_N:\quad \cos(\theta^*_i, \theta^*_j) \to "
        r"-\frac1{M-1},\ |\theta^*_j| \to \frac{\tau}{2\pi E_M},\ L_N(\theta^*) \to \min F "
        r"\quad \text{as } N, d \to \infty"
    ),
    source="theory.md E8 (this project's reconstruction)",
    subject=finite_minimum,
    evidence=(
        Evidence(
            Kind.STATISTICS,
            "L-BFGS on drawn targets, every cosine within 0.02",
            _on_data,
            covers="N = 2000, d = 50, M = 5; Gaussian and Rademacher weights",
        ),
    ),
    mutants=(
        Mutant("cosine -1/M", lambda c: replace(c, cosine=-1 / M)),
        Mutant("radius τ/(π E_M)", lambda c: replace(c, radius=2 * c.radius)),
        Mutant("twice the value", lambda c: replace(c, value=2 * c.value)),
    ),
    depends_on=("E2",),
)

CLAIMS: tuple[Claim[Any], ...] = (E8,)
