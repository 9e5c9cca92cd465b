"""The optimum of the simplified objective F: in closed form, or the best found with a bound."""

from dataclasses import dataclass
from threading import RLock

import mpmath
import numpy as np
import sympy
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from symcomp import objectives
from symcomp.balls import Number, exact, rational
from symcomp.bounds import Real, correlation, frame_bound, inertia_bound, real_function
from symcomp.catalogue import Activation
from symcomp.errors import ArgumentError
from symcomp.few_dimensions import STARTS, exact_objective, frame_at_bound, search
from symcomp.frames import simplex_etf
from symcomp.kernels import DualKernel, dual_kernel
from symcomp.networks import check_count, real_array

Array = NDArray[np.float64]

# mpmath's precision belongs to the process: threads that each set their own take turns
_PRECISION = RLock()

_TEXTS = {
    "": "no claim says that nothing beats it",
    **{name: f"global minimiser ({name})" for name in ("E2", "E3", "E4", "E7")},
}


@dataclass(frozen=True, eq=False)
class Optimum:
    """Best network known with b_j = 1 for F: θ_j = norms_j u_j, <v, u_j> = heights_j, v = μ/|μ|.

    value is F of these weights; min F lies in [lower_bound, value], an interval of length gap.
    claim is the statement of theory.md that makes it a global minimiser (E4: by a proof of this
    project, replayed by its ledger and refereed by nobody else), and then gap is 0; empty, it is
    the best equiangular cone (started is 0) or the best of `started` descents in R^d.
    bound names the statement behind lower_bound, which holds in every dimension (E2, E4, E7) or in
    R^d: "E3", or "B3" for symcomp.bounds.inertia_bound.

    radius is |θ_j| and cosine is <v, u_j>, their means where they differ (cosine 0 at β = 0 for a
    simplex, orthogonal to no direction in particular). gram (M, M) holds the <u_i, u_j>, frame
    (M, least_d) the u_j, with v along the first axis where beta > 0; norms and heights are (M,):
    float64, read-only. value, radius, cosine and lower_bound are mpf: right to `digits`, or for a
    search value is right to `digits` for the float64 weights as they are. least_d is the smallest
    dimension in which the network fits.
    """

    activation: str
    M: int
    beta: mpmath.mpf
    tau: mpmath.mpf
    value: mpmath.mpf
    radius: mpmath.mpf
    cosine: mpmath.mpf
    gram: Array
    least_d: int
    claim: str
    digits: int
    norms: Array
    heights: Array
    frame: Array
    lower_bound: mpmath.mpf
    bound: str
    started: int = 0

    @property
    def gap(self) -> mpmath.mpf:
        """value - lower_bound."""
        return self.value - self.lower_bound

    def weights(self, mu: ArrayLike, rng: Generator | None = None) -> Array:
        """Theta, (M, d) float64, for the mean mu (d,) of the target's rows.

        rng draws the orientation (orthogonal to mu), which F does not see; without it the
        coordinate axes decide. Raises ArgumentError unless |mu| = beta tau and d >= least_d.
        """
        mean = real_array("mu", mu)
        if mean.ndim != 1 or len(mean) < self.least_d:
            raise ArgumentError(f"mu has shape {mean.shape}; expected (d,), d >= {self.least_d}")
        length, wanted = float(np.linalg.norm(mean)), float(self.beta * self.tau)
        if abs(length - wanted) > 1e-9 * float(self.tau):
            raise ArgumentError(f"mu has norm {length:.12g}; expected beta * tau = {wanted:.12g}")
        if length == 0:
            return self.norms[:, None] * _placed(self.frame, len(mean), rng)
        across = _placed(self.frame[:, 1:], len(mean) - 1, rng)
        units = np.hstack([self.frame[:, :1], across])
        return self.norms[:, None] * _reflected(units, mean / length)

    def __str__(self) -> str:
        """A small table."""
        head = f"{self.activation}, M = {self.M}, β = {_shown(self.beta)}, τ = {_shown(self.tau)}"
        rows = self._found_rows() if self.started else self._closed_rows()
        table = [f"  {name:<18}{text}" for name, text in rows]
        if self.claim:
            what = _TEXTS[self.claim]
        elif self.started:
            what = f"best of {self.started} descents; {_TEXTS['']}"
        else:
            what = f"the best equiangular cone; {_TEXTS['']}"
        return "\n".join([head, *table, f"  {what}, b_j = 1, {self._where()}"])

    def _where(self) -> str:
        return f"d = {self.least_d}" if self.started else f"d >= {self.least_d}"

    def _closed_rows(self) -> list[tuple[str, str]]:
        angles = self.gram[~np.eye(self.M, dtype=bool)] if self.M > 1 else np.ones(1)
        rows = [
            ("min F" if self.claim else "F", _digits(self.value)),
            ("radius |θ_j|", _digits(self.radius)),
            ("cosine <v, u_j>", _digits(self.cosine)),
            ("cosine <u_i, u_j>", _signs(self._angles(angles))),
        ]
        return rows if self.claim else [*rows, *self._gap_rows()]

    def _angles(self, angles: Array) -> list[mpmath.mpf]:
        """Different cosines: of a cone from its height to all digits, of a frame as they are."""
        if np.ptp(angles) > 1e-12:
            return [mpmath.mpf(angles.max()), mpmath.mpf(angles.min())]
        inner = (self.M * self.cosine**2 - 1) / (self.M - 1) if self.M > 1 else mpmath.mpf(1)
        return [inner]

    def _found_rows(self) -> list[tuple[str, str]]:
        spans = [("norms |θ_j|", self.norms), ("cosines u_i, u_j", self._off_diagonal())]
        if self.beta > 0:
            spans.insert(1, ("cosines v, u_j", self.heights))
        found = [(name, f"{span.min():.6f} to {span.max():.6f}") for name, span in spans]
        return [("F", _digits(self.value)), *self._gap_rows(), *found]

    def _gap_rows(self) -> list[tuple[str, str]]:
        bound = f"{_digits(self.lower_bound)} ({self.bound})"
        return [("min F >=", bound), ("gap", str(mpmath.nstr(self.gap, 3)))]

    def _off_diagonal(self) -> Array:
        angles: Array = self.gram[~np.eye(self.M, dtype=bool)]
        return angles if self.M > 1 else np.ones(1)


def optimum(
    act: str | sympy.Expr | Activation,
    M: int,
    beta: Number = 0,
    tau: Number = 1,
    d: int | None = None,
    digits: int = 30,
) -> Optimum:
    """The best M neurons for F, for a target with E|w|² = tau² and |E w| = beta tau (E2-E4, E7).

    β = 0: the simplex in closed form (E2), or the cosine that minimises κ (E7). β > 0: the maximum
    over s of κ(βs)²/E(s), the best equiangular cone; for ReLU a global minimiser of F (E4). The
    degree k of act gives radius^k = tau^k κ(βs)/E(s). In a dimension d too small for these, a real
    ETF that attains the Welch bound on F (E3), or else the best of a search from fixed starts, with
    a lower bound. These statements are this project's reconstruction. Raises ArgumentError unless
    act is convex, positively homogeneous and not linear, M, d >= 1, beta in [0, 1], tau > 0.
    """
    ker = dual_kernel(act)
    objectives.homogeneity(ker)
    zero = objectives.kappa(ker, sympy.S.Zero)
    if ker.left.convex is not True or zero == 0:
        found = ker.left.name
        raise ArgumentError(f"activation: found {found}, expected a convex one that is not linear")
    check_count("M", M)
    check_count("digits", digits)
    if d is not None:
        check_count("d", d)
    b, t = rational(exact(beta, "beta")), rational(exact(tau, "tau"))
    if not 0 <= b <= 1:
        raise ArgumentError(f"beta is {beta}; expected a number in [0, 1]")
    if t <= 0:
        raise ArgumentError(f"tau is {tau}; expected a positive number")
    with _PRECISION, mpmath.workdps(digits + 20):
        closed = _closed(ker, M, b, t, digits)
        if d is None or d >= closed.least_d:
            return closed
        return _in_few_dimensions(ker, closed, b, t, d)


# ---- closed forms --------------------------------------------------------------------------------


def _closed(
    ker: DualKernel, M: int, beta: sympy.Rational, tau: sympy.Rational, digits: int
) -> Optimum:
    """The simplex or the best equiangular cone."""
    k, scale = objectives.homogeneity(ker), _mpf(tau)
    s = _best_cosine(ker, M, beta, digits)
    claim, least_d = _claim(ker, M, beta, s)
    cross, energy, own = _figures(ker, M, beta, s)
    value = own - cross**2 / energy
    least, bound = (value, claim) if claim else _least(ker, M, least_d, _mpf(beta))
    inner = 1.0 if M == 1 else float((M * s * s - 1) / (M - 1))
    radius = scale * mpmath.root(cross / energy, k)
    return Optimum(
        activation=ker.left.name,
        M=M,
        beta=_mpf(beta),
        tau=scale,
        value=scale ** (2 * k) * value,
        radius=radius,
        cosine=s,
        gram=_kept(np.full((M, M), inner) + (1 - inner) * np.eye(M)),
        least_d=least_d,
        claim=claim,
        digits=digits,
        norms=_kept(np.full(M, float(radius))),
        heights=_kept(np.full(M, float(s))),
        frame=_kept(_cone(M, float(s), least_d)),
        lower_bound=scale ** (2 * k) * least,
        bound=bound,
    )


def _cone(M: int, s: float, least_d: int) -> Array:
    """The simplex where it is claimed (fewer dimensions than M), else the cone of height s."""
    if least_d < M or M == 1:
        return simplex_etf(M)
    across = np.sqrt((1 - s) * (1 + s)) * simplex_etf(M)
    return np.hstack([np.full((M, 1), s), across])


def _best_cosine(ker: DualKernel, M: int, beta: sympy.Rational, digits: int) -> mpmath.mpf:
    """argmax over s in [0, 1] of κ(βs)²/E(s).

    s >= 0 is enough: κ(x) >= |κ(-x)| for x >= 0 by the Hermite series of a convex homogeneous σ.
    """
    if M == 1 or beta == 1:
        return mpmath.mpf(1)
    if beta == 0 and ker.left.nondecreasing:
        return mpmath.mpf(0)
    m = sympy.Integer(M)
    value = real_function(-objectives.cone_value(ker, m, beta), objectives.S)
    slope = real_function(objectives.cone_stationarity(ker, m, beta), objectives.S)
    least = mpmath.mpf(10) ** -digits
    if beta == 0 and slope(least) < 0:
        return mpmath.mpf(0)  # E is convex in s²: it increases from s = 0 on
    return _argmax(value, slope, least)


def _argmax(value: Real, slope: Real, least: mpmath.mpf) -> mpmath.mpf:
    """The maximum of value over [0, 1]: grids, each between the neighbours of the last one's best.

    A sign change of the slope ends the search; uniqueness is not assumed (it is open in E4).
    """
    low, high = mpmath.mpf(0), mpmath.mpf(1)
    while high - low > least:
        grid = [low + (high - low) * mpmath.mpf(i) / 200 for i in range(201)]
        best = max(range(len(grid)), key=lambda i: value(grid[i]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 200)]
        if low > 0 and high < 1 and slope(low) > 0 > slope(high):
            return mpmath.findroot(slope, (low, high), solver="anderson", tol=least**2)
    return (low + high) / 2


def _claim(ker: DualKernel, M: int, beta: sympy.Rational, s: mpmath.mpf) -> tuple[str, int]:
    """The statement that covers this optimum, "" for none, and the least dimension it needs."""
    if beta == 0:
        return "E2" if ker.left.nondecreasing else "E7", max(M - 1, 1) if s == 0 else M
    relu = ker.left.expr == sympy.Max(0, ker.left.symbol)
    return "E4" if relu else "", M


def _figures(
    ker: DualKernel, M: int, beta: sympy.Rational, s: mpmath.mpf
) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """κ(βs), E(s) and κ(β²)."""
    kappa = correlation(ker)
    cross, own = kappa(_mpf(beta) * s), kappa(_mpf(beta) ** 2)
    if s == 1:  # one direction; for M = 1 the general formula is 0/0
        return cross, kappa(mpmath.mpf(1)), own
    energy = real_function(objectives.energy_bound(ker, sympy.Integer(M)), objectives.S)
    return cross, energy(s), own


# ---- too few dimensions for them -----------------------------------------------------------------


def _least(ker: DualKernel, M: int, d: int, beta: mpmath.mpf) -> tuple[mpmath.mpf, str]:
    """The better of the bounds that need no claim, at τ = 1, and its name."""
    bounds = [(inertia_bound(ker, M, d, beta), "B3")]
    if beta == 0 and M > 1:
        bounds.append((frame_bound(ker, M, d), "E3"))
    return max(bounds)


def _in_few_dimensions(
    ker: DualKernel, closed: Optimum, beta: sympy.Rational, tau: sympy.Rational, d: int
) -> Optimum:
    """A real ETF that attains the bound, or the best of STARTS descents; at τ = 1, then scaled."""
    M, k, b = closed.M, objectives.homogeneity(ker), _mpf(beta)
    least, bound = _least(ker, M, d, b)
    if closed.claim:  # what holds in every dimension holds in this one
        everywhere = closed.value / closed.tau ** (2 * k)
        least, bound = max((least, bound), (everywhere, closed.claim))
    frame = frame_at_bound(ker, M, d, least, closed.digits) if beta == 0 else None
    scale = _mpf(tau)
    if frame is not None:
        units, radius = frame
        lengths, value, mean = np.full(M, float(scale * radius)), least, scale * radius
    else:
        Theta = search(ker, M, d, float(beta))
        value = exact_objective(ker, Theta, b)
        norms = np.linalg.norm(Theta, axis=1)
        units = np.divide(Theta, norms[:, None], out=np.zeros_like(Theta), where=Theta != 0)
        lengths = float(scale) * norms
        mean = mpmath.mpf(float(lengths.mean()))
    heights = units[:, 0] if beta > 0 else np.zeros(M)
    gram = np.clip(units @ units.T, -1, 1)
    np.fill_diagonal(gram, 1)
    return Optimum(
        activation=closed.activation,
        M=M,
        beta=closed.beta,
        tau=scale,
        value=scale ** (2 * k) * value,
        radius=mean,
        cosine=mpmath.mpf(float(heights.mean())),
        gram=_kept(gram),
        least_d=d,
        claim="E3" if frame is not None else "",
        digits=closed.digits,
        norms=_kept(lengths),
        heights=_kept(heights),
        frame=_kept(units),
        lower_bound=scale ** (2 * k) * least,
        bound=bound,
        started=0 if frame is not None else STARTS,
    )


# ---- small things --------------------------------------------------------------------------------


def _mpf(value: sympy.Rational) -> mpmath.mpf:
    return mpmath.mpf(value.p) / value.q


def _shown(value: mpmath.mpf) -> str:
    return str(mpmath.nstr(value, 12))


def _digits(value: mpmath.mpf) -> str:
    return str(mpmath.nstr(value, 12, strip_zeros=False))


def _signs(values: list[mpmath.mpf]) -> str:
    return " and ".join(map(_digits, values))


def _kept(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _placed(units: Array, n: int, rng: Generator | None) -> Array:
    """Rows (M, m) as rows of R^n, n >= m: on the first axes, or randomly turned."""
    axes = np.eye(n, units.shape[1])
    if rng is not None and axes.size:
        axes = np.linalg.qr(rng.standard_normal(axes.shape))[0]
    placed: Array = units @ axes.T
    return placed


def _reflected(rows: Array, axis: Array) -> Array:
    """The rows after the reflection that takes the first axis to the unit vector axis."""
    mirror = np.eye(len(axis))[0] - axis
    length = np.linalg.norm(mirror)
    if length == 0:
        return rows
    mirror /= length
    reflected: Array = rows - 2 * np.outer(rows @ mirror, mirror)
    return reflected
