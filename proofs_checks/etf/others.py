"""Claim E4k: the equiangular cone for other homogeneous activations, a conjecture with numbers."""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp import objectives
from symcomp.codegen import generate
from symcomp.kernels import DualKernel, dual_kernel

Array: TypeAlias = NDArray[np.float64]

NAMES = ("leaky_relu:slope=1/10", "leaky_relu:slope=-1/2", "Max(0,x)**2")
CASES = ((2, "1/5"), (3, "2/5"), (5, "7/10"))


@dataclass(frozen=True)
class Others:
    """min F is that of the cone whose height is at most ``most``."""

    names: tuple[str, ...]
    most: float


def others() -> Others:
    """Any height."""
    return Others(NAMES, 1.0)


def _runs(claim: Others, settings: Settings) -> Finding:
    """L-BFGS on F from random starts, one dimension more than neurons: never below, often at it."""
    rng = np.random.default_rng(settings.seed)
    worst, reached, runs, against = np.inf, 0, 0, ""
    for name in claim.names:
        ker = dual_kernel(name)
        module = generate(ker.left).load()
        for m, beta in CASES:
            least = _cone(ker, m, beta, claim.most)
            mu = float(sympy.Rational(beta)) * np.eye(m + 1)[0]

            def objective(x: Array, m: int = m, mu: Array = mu, code: Any = module) -> Any:
                value, slope, _ = code.simplified_and_grad(1.0, mu, x.reshape(m, m + 1))
                return value, slope.ravel()

            for _ in range(2):
                start = rng.standard_normal(m * (m + 1))
                options: Any = {"maxiter": 3000, "ftol": 1e-16, "gtol": 1e-12}
                found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
                excess, runs = float(found.fun) - least, runs + 1
                reached += abs(excess) < 1e-9
                if excess < -1e-12 and excess < worst:
                    against = f"{name}, M = {m}, β = {beta}: below by {-excess:.3g}"
                worst = min(worst, excess)
    figure = f"{runs} runs, {reached} of them at the cone's value, least excess {worst:.2g}"
    outcome = Outcome.FAILS if against or not reached else Outcome.HOLDS
    return Finding(outcome, figure, runs, runs, runs, against)


def _cone(ker: DualKernel, m: int, beta: str, most: float) -> float:
    """The least F/τ^2k of the cones with |s| <= most."""
    point = {objectives.M: m, objectives.BETA: sympy.Rational(beta)}
    value = sympy.lambdify(objectives.S, objectives.cone_value(ker).subs(point), "math")
    grid = np.linspace(-most, most, 402)[1:-1]
    best = grid[int(np.argmin([value(float(s)) for s in grid]))]
    step = 2 * most / 401
    ends = (max(best - step, -most), min(best + step, most))
    found = minimize_scalar(value, bounds=ends, method="bounded", options={"xatol": 1e-10})
    return float(found.fun)


E4K = Claim(
    id="E4k",
    title="The equiangular cone for leaky ReLU and ReLU², b = 1 (conjecture)",
    statement=(
        r"\sigma\text{ leaky ReLU of slope }\tfrac1{10},-\tfrac12\text{ or ReLU}^2,\ "
        r"b_j=1,\ d\ge M:\quad\min_\theta F/\tau^{2k}=\min_s\kappa(\beta^2)-\frac{\kappa(\beta "
        r"s)^2}{E(s)}"
    ),
    source="found in this project; E4's proof is about ReLU's kernel alone",
    subject=others,
    evidence=(
        Evidence(
            Kind.STATISTICS,
            "L-BFGS from random starts",
            _runs,
            covers="M = 2, β = 1/5; M = 3, β = 2/5; M = 5, β = 7/10",
        ),
    ),
    mutants=(Mutant("heights up to 1/4 only", lambda c: replace(c, most=0.25)),),
    depends_on=("K1",),
)

CLAIMS: tuple[Claim[Any], ...] = (E4K,)
