"""F of ReLU at τ = 1 in float64, and where its descents end."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from symcomp.descent import Descent, descend

Array: TypeAlias = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Found:
    """A network where a descent of F ended: τ = 1, μ = beta times the first axis."""

    M: int
    beta: str
    Theta: Array
    b: Array
    residual: float

    def value(self) -> float:
        """F, of the rows that are not 0."""
        live = np.any(self.Theta != 0, axis=1)
        return simplified(float(self.beta), self.Theta[live], self.b[live] / self.M)[0]

    def slack(self) -> float:
        """What rounding may take off the value: huge outer weights of opposite sign cancel."""
        size = float(np.abs(self.b) @ np.linalg.norm(self.Theta, axis=1)) / self.M
        return 1e-12 + 16 * EPS * size**2

    def __str__(self) -> str:
        """Everything that is needed to see the counterexample again."""
        with np.printoptions(precision=17, threshold=10_000):
            rows = " ".join(repr(self.Theta.tolist()).split())
            return f"M = {self.M}, β = {self.beta}, b = {self.b.tolist()}, Theta = {rows}"


def simplified(beta: float, Theta: Array, c: Array) -> tuple[float, Array, Array]:
    """F and its gradients in Theta and c = b/M, from the arc-cosine formula of the kernel.

    2π h = sin ψ - ψ cos ψ and 2π h' = ψ with ρ = -cos ψ, so that h - ρ h' = sin ψ/(2π).
    """
    r = np.sqrt(np.einsum("ij,ij->i", Theta, Theta))
    u = Theta / r[:, None]
    gram = np.clip(u @ u.T, -1, 1)
    np.fill_diagonal(gram, 1)
    h, slope, sine = _arc(gram)
    at, turn, rest = _arc(beta * u[:, 0])
    w = c * r
    pull, cross = h @ w, c * r @ at
    own = float(_arc(np.array(beta * beta))[0])
    by_theta = 2 * c[:, None] * (slope @ (w[:, None] * u) + (sine @ w - rest)[:, None] * u)
    by_theta[:, 0] -= 2 * beta * c * turn
    return own - 2 * float(cross) + float(w @ pull), by_theta, 2 * r * (pull - at)


def _arc(rho: Array) -> tuple[Array, Array, Array]:
    """h, h' and h - ρ h'."""
    psi = np.pi - np.arccos(rho)
    sine = np.sqrt((1 - rho) * (1 + rho))
    return (sine + rho * psi) / (2 * np.pi), psi / (2 * np.pi), sine / (2 * np.pi)


def descent_of_f(
    beta: str, Theta: Array, b: Array | None = None, tol: float = 1e-9, maxiter: int = 20_000
) -> tuple[Found, Descent]:
    """Descend F from Theta (M, d), with b = 1, or from b over both with free signs."""
    (M, d), inner, mean = Theta.shape, Theta.size, float(beta)
    equal = np.full(M, 1 / M)

    def objective(x: Array) -> tuple[float, Array]:
        c = equal if b is None else x[inner:] / M
        value, by_theta, by_c = simplified(mean, x[:inner].reshape(M, d), c)
        return value, by_theta.ravel() if b is None else np.append(by_theta, by_c / M)

    start = Theta.ravel() if b is None else np.append(Theta, b)
    run = descend(objective, start, tol=tol, maxiter=maxiter, polish=10 if maxiter > 1000 else 0)
    outer = np.ones(M) if b is None else run.point[inner:]
    return Found(M, beta, run.point[:inner].reshape(M, d), outer, run.gradient), run
