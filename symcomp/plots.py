"""Figures of a table of experiments, as vector files for a two-column paper (S7, E2, E4, E8)."""

import json
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import sympy
from scipy.stats import linregress, t

from symcomp.errors import ArgumentError
from symcomp.kernels import dual_kernel
from symcomp.objectives import TAU, simplex_optimum
from symcomp.optima import optimum
from symcomp.runs import Row
from symcomp.storage import replacing

__all__ = ["FIGURES", "Slope", "plot", "slope"]

Axes: TypeAlias = Any

_FORMATS = (".pdf", ".svg", ".eps")
_WIDTH = 3.4  # inches of a column
_LEVEL = 0.95
_STYLE = {
    "font.size": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "lines.linewidth": 1.0,
    "lines.markersize": 3,
    "svg.hashsalt": "symcomp",  # the same figure gives the same bytes
    "svg.fonttype": "path",
}


@dataclass(frozen=True)
class Slope:
    """A least-squares slope in log-log coordinates with its confidence interval."""

    value: float
    low: float
    high: float
    intercept: float

    def __str__(self) -> str:
        """The slope and half the width of its interval."""
        return f"{self.value:.2f} ± {(self.high - self.low) / 2:.2f}"


def slope(x: Sequence[float], y: Sequence[float], level: float = _LEVEL) -> Slope:
    """Fit log y = intercept + slope log x; the interval is Student's at the given level.

    Raises ArgumentError for numbers that are not positive, or at fewer than 3 different x.
    """
    if len(set(x)) < 3 or len(x) != len(y):
        raise ArgumentError(f"x: found {len(set(x))} different values, expected at least 3")
    if min(x) <= 0 or min(y) <= 0:
        raise ArgumentError("x, y: found a number that is not positive, expected logarithms")
    fit = linregress(np.log(x), np.log(y))
    half = float(t.ppf((1 + level) / 2, len(x) - 2)) * float(fit.stderr)
    value = float(fit.slope)
    return Slope(value, value - half, value + half, float(fit.intercept))


def plot(kind: str, rows: Sequence[Row], path: str | os.PathLike[str]) -> None:
    """Draw a figure of FIGURES from the rows of a table into a .pdf, .svg or .eps file.

    The file is replaced whole. Raises ArgumentError for an unknown kind or ending, for rows that do
    not suffice, and where matplotlib is missing.
    """
    if kind not in FIGURES:
        raise ArgumentError(f"kind: found {kind!r}, expected one of {tuple(FIGURES)}")
    if Path(path).suffix not in _FORMATS:
        raise ArgumentError(f"path: found {path}, expected a .pdf, .svg or .eps file")
    if not rows:
        raise ArgumentError("table: found no rows, expected at least one")
    with _canvas() as new:
        figure = FIGURES[kind](rows, new)
        ending = Path(path).suffix[1:]
        with replacing(path) as file:
            figure.savefig(file, format=ending, metadata=_UNDATED.get(ending))


_UNDATED: Mapping[str, Mapping[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}

New: TypeAlias = Callable[[int, float], tuple[Any, Sequence[Axes]]]


@contextmanager
def _canvas() -> Iterator[New]:
    """Figures of panels side by side, in the project's style."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ArgumentError(
            "matplotlib: found none, expected pip install 'symcomp[plots]'"
        ) from error

    def new(panels: int, height: float) -> tuple[Any, Sequence[Axes]]:
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        return figure, list(np.ravel(figure.subplots(1, panels)))

    with matplotlib.rc_context(_STYLE):
        yield new


# ---- the figures ---------------------------------------------------------------------------------


def _rates(rows: Sequence[Row], new: New) -> Any:
    """ξ and |sqrt L_N - sqrt F| against N at the largest d, and against d at the largest N (S7).

    Of several activations, laws, M and β in the table the first is drawn.
    """
    first = min(rows, key=_kind)
    rows = [r for r in rows if _kind(r) == _kind(first)]
    figure, (left, right) = new(2, 2.6)
    widest, longest = max(r.d for r in rows), max(r.N for r in rows)
    _decay(left, [r for r in rows if r.d == widest], "N", f"d = {widest}")
    _decay(right, [r for r in rows if longest == r.N], "d", f"N = {longest}")
    left.set_ylabel(f"error, M = {first.M}, β = {first.beta:g}")
    return figure


def _kind(row: Row) -> tuple[str, str, int, float]:
    return row.activation, row.law, row.M, row.beta


def _decay(axes: Axes, rows: Sequence[Row], name: str, title: str) -> None:
    x = [float(getattr(r, name)) for r in rows]
    at = np.array(sorted(set(x)))
    errors = {
        r"$\xi=|f_N-g|$": [r.xi for r in rows],
        r"$|\sqrt{L_N}-\sqrt{F}|$": [
            abs(math.sqrt(r.at_optimum) - math.sqrt(r.simplified)) for r in rows
        ],
    }
    for (label, y), marker in zip(errors.items(), "o^", strict=True):
        fit = slope(x, y)
        (dots,) = axes.plot(x, y, marker, label=f"{label}: {fit}")
        axes.plot(at, np.exp(fit.intercept) * at**fit.value, color=dots.get_color())
    top = max(errors[r"$\xi=|f_N-g|$"])
    axes.plot(at, top * (at / at[0]) ** -0.5, "k:", label="-1/2, the bound (S7)")
    axes.set(xscale="log", yscale="log", xlabel=f"${name}$ ({title})")
    _tick(axes, at.tolist())
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), title="slopes", frameon=False)


def _tick(axes: Axes, at: Sequence[float]) -> None:
    """Plain numbers under a logarithmic axis, few enough to be read."""
    shown = at[:: 1 + len(at) // 4]
    axes.set_xticks(shown, [f"{x:g}" for x in shown])
    axes.minorticks_off()


def _frames(rows: Sequence[Row], new: New) -> Any:
    """min F against M with its 1/M law, and the minimum of L_N at the largest N, β = 0 (E2)."""
    act, chosen = _one_activation([r for r in rows if r.beta == 0], "beta = 0")
    counts = np.arange(1, max(r.M for r in chosen) + 1)
    values = [float(optimum(act, int(M), digits=15).value) for M in counts]
    law = _law(act)
    figure, (axes,) = new(1, 2.2)
    axes.plot(counts, values, "-", label="min $F$, simplex ETF (E2)")
    axes.plot(counts, law / counts, "k:", label=f"{law:.4f}$/M$")
    longest = max(r.N for r in chosen)
    dots = [r for r in chosen if longest == r.N]
    axes.plot(
        [r.M for r in dots], [r.minimum for r in dots], "o", label=f"min $L_N$, N = {longest}"
    )
    axes.set(xscale="log", yscale="log", xlabel="$M$", ylabel="loss")
    _tick(axes, [2**i for i in range(int(counts[-1]).bit_length())])
    axes.legend()
    return figure


def _law(act: str) -> float:
    """M min F for M to infinity, to 8 digits."""
    M = 10**9
    value = simplex_optimum(dual_kernel(act), sympy.Integer(M)).value
    return float((value.subs(TAU, 1) * M).evalf(12))


def _gram(rows: Sequence[Row], new: New) -> Any:
    """The Gram matrix of the minimiser's directions beside the optimum's, for the largest run."""
    row = max(rows, key=lambda r: (r.N, r.d, r.M, -r.beta, -r.seed))
    best = optimum(row.activation, row.M, beta=row.beta, digits=15)
    figure, panels = new(2, 1.9)
    for axes, gram, title in (
        (panels[0], np.array(json.loads(row.gram)), f"min $L_N$, N = {row.N}, d = {row.d}"),
        (panels[1], best.gram, f"min $F$, β = {row.beta:g}"),
    ):
        image = axes.imshow(gram, vmin=-1, vmax=1, cmap="RdBu_r")
        axes.set_title(title, fontsize=7)
        axes.set(xlabel="neuron", xticks=[], yticks=[])
    panels[0].set_ylabel("neuron")
    figure.colorbar(image, ax=list(panels), label=r"$\langle u_i,u_j\rangle$", shrink=0.8)
    return figure


def _angles(rows: Sequence[Row], new: New) -> Any:
    """The cosine s and the angle between neurons against β, best cone and minimisers (E4)."""
    act, chosen = _one_activation(rows, "any beta")
    figure, (left, right) = new(2, 2.0)
    grid = np.linspace(0, 1, 25) ** 2  # dense where s has a root of β
    for M in sorted({r.M for r in chosen}):
        best = [optimum(act, M, beta=float(b), digits=10) for b in grid]
        (line,) = left.plot(grid, [float(o.cosine) for o in best], label=f"M = {M}")
        right.plot(grid, [_degrees(o.gram) for o in best])
        dots = _largest([r for r in chosen if r.M == M])
        betas = [r.beta for r in dots]
        left.plot(betas, [r.cosine for r in dots], "o", color=line.get_color())
        angles = [_degrees(np.array(json.loads(r.gram))) for r in dots]
        right.plot(betas, angles, "o", color=line.get_color())
    left.set(xlabel=r"$\beta$", ylabel=r"$s=\langle v,u_j\rangle$")
    right.set(xlabel=r"$\beta$", ylabel="angle between neurons (°)")
    left.legend()
    return figure


def _degrees(gram: np.ndarray[Any, Any]) -> float:
    """The angle of the mean cosine between different neurons."""
    M = len(gram)
    mean = (float(gram.sum()) - M) / (M * (M - 1)) if M > 1 else 1.0
    return math.degrees(math.acos(min(max(mean, -1.0), 1.0)))


def _largest(rows: Sequence[Row]) -> list[Row]:
    """For every β the runs of the largest N and d."""
    groups = defaultdict(list)
    for r in rows:
        groups[r.beta].append(r)
    return [r for g in groups.values() for r in g if (r.N, r.d) == max((q.N, q.d) for q in g)]


def _one_activation(rows: Sequence[Row], what: str) -> tuple[str, Sequence[Row]]:
    names = sorted({r.activation for r in rows})
    if len(names) != 1:
        raise ArgumentError(
            f"table: found the activations {', '.join(names) or 'none'} at {what}, expected one"
        )
    return names[0], rows


FIGURES: Mapping[str, Callable[[Sequence[Row], New], Any]] = MappingProxyType(
    {"rates": _rates, "frames": _frames, "gram": _gram, "angles": _angles}
)
