"""Networks where the cone does not fit: a real ETF that attains the bound on F, or a search."""

import mpmath
import numpy as np
from numpy.typing import NDArray

from symcomp import objectives
from symcomp.bounds import correlation
from symcomp.codegen import generate
from symcomp.descent import descend
from symcomp.errors import ArgumentError
from symcomp.frames import real_etf, seidel
from symcomp.kernels import DualKernel

Array = NDArray[np.float64]

STARTS = 24  # of the search where no closed form is known
_SEED = 0


def frame_at_bound(
    ker: DualKernel, M: int, d: int, least: mpmath.mpf, digits: int
) -> tuple[Array, mpmath.mpf] | None:
    """A real ETF(d, M) and its radius, if one is constructed here and its F is the bound.

    Its Gram matrix is I + c S with S of whole numbers, so that 𝓔 needs only their counts.
    """
    try:
        S = seidel(d, M)
    except ArgumentError:
        return None
    kappa, k = correlation(ker), objectives.homogeneity(ker)
    c = mpmath.sqrt(mpmath.mpf(M - d) / (d * (M - 1)))
    counts = ((mpmath.mpf(1), M), (c, int((S == 1).sum())), (-c, int((S == -1).sum())))
    energy = sum(count * kappa(rho) for rho, count in counts) / mpmath.mpf(M) ** 2
    zero = kappa(mpmath.mpf(0))
    if abs(zero - zero**2 / energy - least) > mpmath.mpf(10) ** -(digits + 10):
        return None
    return real_etf(d, M), mpmath.root(zero / energy, k)


def search(ker: DualKernel, M: int, d: int, beta: float) -> Array:
    """The best Theta (M, d) of descents of F at τ = 1 from Gaussian starts, the same every time."""
    module = generate(ker.left).load()
    mu = beta * np.eye(d)[0]
    rng = np.random.default_rng(_SEED)

    def objective(x: Array) -> tuple[float, Array]:
        value, slope, _ = module.simplified_and_grad(1.0, mu, x.reshape(M, d))
        return value, slope.ravel()

    starts = (rng.standard_normal(M * d) / d**0.5 for _ in range(STARTS))
    rough = (descend(objective, start, tol=1e-5) for start in starts)
    best = min(rough, key=lambda run: run.value)
    return descend(objective, best.point).point.reshape(M, d)


def exact_objective(ker: DualKernel, Theta: Array, beta: mpmath.mpf) -> mpmath.mpf:
    """F of the weights as they are, at τ = 1 and μ = beta times the first axis."""
    kappa, k = correlation(ker), objectives.homogeneity(ker)
    rows = [[mpmath.mpf(float(x)) for x in row] for row in Theta if row.any()]
    lengths = [mpmath.sqrt(mpmath.fdot(row, row)) for row in rows]
    cross = sum(
        length**k * kappa(beta * row[0] / length) for row, length in zip(rows, lengths, strict=True)
    )
    own = sum(length ** (2 * k) for length in lengths) * kappa(mpmath.mpf(1))
    for i, row in enumerate(rows):
        for j in range(i):
            rho = mpmath.fdot(row, rows[j]) / (lengths[i] * lengths[j])
            rho = max(min(rho, mpmath.mpf(1)), mpmath.mpf(-1))
            own += 2 * (lengths[i] * lengths[j]) ** k * kappa(rho)
    return kappa(beta**2) - 2 * cross / len(Theta) + own / mpmath.mpf(len(Theta)) ** 2
