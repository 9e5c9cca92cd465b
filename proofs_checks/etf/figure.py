"""The figure of reports/etf-theorem.md: networks beside the cone at their own barycentric height.

``python -m proofs_checks.etf.figure`` writes reports/etf-theorem.svg anew.
"""

import math
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from proofs_checks.etf.inertia import kernel_of
from symcomp.storage import replacing

Array: TypeAlias = NDArray[np.float64]

NEURONS, BETA, NETWORKS = 3, 0.4, 500
NAME = "etf-theorem.svg"
_STYLE = {"font.size": 8, "svg.hashsalt": "symcomp", "svg.fonttype": "path"}


def cone_ratio(s: Array) -> Array:
    """h(βs)²/E(s)."""
    m = NEURONS
    energy = 0.5 / m + (1 - 1 / m) * kernel_of((m * s * s - 1) / (m - 1))
    return np.asarray(kernel_of(BETA * s) ** 2 / energy)


def bad(s: Array) -> NDArray[np.bool_]:
    """Heights with s² > -cos y_c, where the cone's bound is not proved and one neuron's is."""
    turn = np.pi - np.arccos(BETA * s)
    angle = np.pi * turn**2 / (np.pi - np.arccos(BETA)) ** 2
    return np.asarray(s**2 > -np.cos(angle))


def barycentre(c: Array, s: Array) -> float:
    """s̄ of the proof: Σ c sin ψ = m̄ sin ψ̄ and Σ c ψ cos ψ = m̄ ψ̄ cos ψ̄, s̄ = -cos ψ̄/β."""
    psi = np.pi - np.arccos(BETA * s)
    low, high = float(psi.min()), float(psi.max())
    ratio = float((c * psi * np.cos(psi)).sum() / (c * np.sin(psi)).sum())

    def excess(x: float) -> float:
        return x / math.tan(x) - ratio

    mean = low if high - low < 1e-12 else brentq(excess, low - 1e-9, high + 1e-9)
    return -math.cos(mean) / BETA


def networks(seed: int = 0) -> Array:
    """Rows (s̄, ratio) of random networks with nonnegative weights, (NETWORKS, 2)."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(NETWORKS):
        U = rng.standard_normal((NEURONS, NEURONS + 1))
        U[:, 0] += rng.uniform(-2, 3)
        U /= np.linalg.norm(U, axis=1, keepdims=True)
        c = rng.exponential(size=NEURONS) ** rng.choice((0.2, 1.0))
        gram = U @ U.T
        np.fill_diagonal(gram, 1)
        cross = float(c @ kernel_of(BETA * U[:, 0]))
        rows.append((barycentre(c, U[:, 0]), cross**2 / float(c @ kernel_of(gram) @ c)))
    return np.array(rows)


def draw(path: Path) -> None:
    """Write the figure as SVG; the same bytes every time."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 3.2), layout="constrained")
        axes = figure.add_subplot()
        s = np.linspace(-1, 1, 801)
        points, curve = networks(), cone_ratio(s)
        best = int(np.argmax(curve))
        axes.fill_between(
            s, 0, 1, where=bad(s), color="0.92", lw=0, transform=axes.get_xaxis_transform()
        )
        axes.plot(points[:, 0], points[:, 1], ".", ms=2, color="C0", label="random networks")
        axes.plot(s, curve, color="C1", label=r"cone, $h(\beta s)^2/E(s)$")
        axes.axhline(float(curve[-1]), color="C2", ls="--", lw=0.8, label="one neuron at $v$")
        axes.plot(s[best], curve[best], "o", ms=4, color="C3", label="the optimum, $J^*$")
        axes.set_xlabel(r"barycentric height $\bar s$")
        axes.set_ylabel(r"$(\Sigma c\,h(\beta s))^2 / \Sigma\Sigma c\,c\,h(\rho)$")
        axes.set_title(f"M = {NEURONS}, β = {BETA}; grey: bad heights", fontsize=8)
        axes.set_xlim(-1, 1)
        axes.legend(frameon=False, fontsize=7, loc="upper left")
        with replacing(path) as part:
            figure.savefig(part, format="svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    draw(Path("reports") / NAME)
