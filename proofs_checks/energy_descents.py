"""The least energy 𝓔 over weights and unit vectors, by L-BFGS from many starts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.optimize import minimize

from symcomp import objectives
from symcomp.kernels import RHO, DualKernel

Array: TypeAlias = NDArray[np.float64]


def gram_functions(ker: DualKernel) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """κ and κ' of the Gram matrix of rows U; on the diagonal κ(1), and 0 for the slope."""
    one = float(objectives.kappa(ker, sympy.S.One))
    value = sympy.lambdify(RHO, ker.correlation, "numpy")
    slope = sympy.lambdify(RHO, sympy.diff(ker.correlation, RHO), "numpy")

    def off(f: Callable[[Array], Array], U: Array, diagonal: float) -> Array:
        gram = np.clip(U @ U.T, -1 + 1e-15, 1 - 1e-15)
        out = f(gram) + 0 * gram
        np.fill_diagonal(out, diagonal)
        return np.asarray(out)

    return partial(off, value, diagonal=one), partial(off, slope, diagonal=0.0)


@dataclass(frozen=True)
class Least:
    """The least energy found, its weights p and its vectors U."""

    energy: float
    p: Array
    U: Array


def least_energy(
    ker: DualKernel, m: int, d: int, starts: int, seed: int, *, equal: bool = False
) -> Least:
    """Minimise 𝓔 over weights (equal ones if asked) and m unit vectors in R^d by L-BFGS."""
    kappa, slope = gram_functions(ker)
    rng = np.random.default_rng(seed)

    def parts(z: Array) -> tuple[Array, Array, Array]:
        theta = z[m:].reshape(m, d)
        sizes = np.linalg.norm(theta, axis=1, keepdims=True)
        w = np.zeros(m) if equal else np.exp(z[:m] - z[:m].max())
        p = np.full(m, 1 / m) if equal else w / w.sum()
        return p, theta / sizes, sizes

    def energy(z: Array) -> tuple[float, Array]:
        p, U, sizes = parts(z)
        field = kappa(U) @ p
        value = float(p @ field)
        weights = np.zeros(m) if equal else 2 * p * (field - value)
        pull = 2 * (np.outer(p, p) * slope(U)) @ U
        pull -= np.sum(pull * U, axis=1, keepdims=True) * U
        return value, np.concatenate([weights, (pull / sizes).ravel()])

    options: Any = {"maxiter": 2000, "ftol": 1e-16, "gtol": 1e-10}
    runs = (
        minimize(
            energy, rng.standard_normal(m + m * d), jac=True, method="L-BFGS-B", options=options
        )
        for _ in range(starts)
    )
    best = min(runs, key=lambda run: float(run.fun))
    p, U, _ = parts(best.x)
    return Least(float(best.fun), p, U)
