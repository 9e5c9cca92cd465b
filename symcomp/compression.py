"""Optimal compression: the best network for F, for the exact loss L_N, and for a given network."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult, nnls
from scipy.optimize import minimize as scipy_minimize

from symcomp import objectives
from symcomp.balls import Number, exact, rational
from symcomp.catalogue import Activation
from symcomp.codegen import generate
from symcomp.errors import ArgumentError
from symcomp.frames import simplex_etf
from symcomp.kernels import DualKernel, dual_kernel
from symcomp.networks import TwoLayerNetwork, check_count, real_array

Array: TypeAlias = NDArray[np.float64]
Real: TypeAlias = Callable[[mpmath.mpf], mpmath.mpf]

SIGNS = ("free", "positive")
_SHIFTED = "{}; this needs the shifted kernel, which this version does not have"
_AGREE = 1e-8
_RANK = 1e-12


# ---- the optimum of F ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Optimum:
    """Best network with b_j = 1 for F, all θ_j = radius · u_j, <v, u_j> = cosine, v = μ/|μ|.

    value is min F, cosine is s of E4 (0: a simplex, orthogonal to no direction in particular),
    gram (M, M) float64 holds the <u_i, u_j>. value, radius and cosine are mpf, right to `digits`.
    least_d is the smallest dimension in which the network fits. claim is the statement of theory.md
    that makes it a global minimiser (E4's proof is not replayed yet); empty, it is the best
    equiangular cone and no more.
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
        s = float(self.cosine)
        if s == 0:
            return float(self.radius) * _placed_simplex(self.M, len(mean), rng)
        across = np.sqrt((1 - s) * (1 + s)) * _placed_simplex(self.M, len(mean) - 1, rng)
        cone = np.hstack([np.full((self.M, 1), s), across])
        axis = mean / length if length else _direction(len(mean), rng)
        return float(self.radius) * _reflected(cone, axis)

    def __str__(self) -> str:
        """A small table."""
        M = self.M
        what = {
            "": "the best equiangular cone; no claim says that nothing beats it",
            "E2": "global minimiser (E2)",
            "E4": "the best equiangular cone, global by E4, which the ledger has yet to replay",
            "E7": "global minimiser (E7)",
        }[self.claim]
        inner = mpmath.mpf(1) if M == 1 else (M * self.cosine**2 - 1) / (M - 1)
        rows = (
            ("min F", self.value),
            ("radius |θ_j|", self.radius),
            ("cosine <v, u_j>", self.cosine),
            ("cosine <u_i, u_j>", inner),
        )
        head = f"{self.activation}, M = {M}, β = {_shown(self.beta)}, τ = {_shown(self.tau)}"
        table = [f"  {name:<18}{mpmath.nstr(value, 12, strip_zeros=False)}" for name, value in rows]
        return "\n".join([head, *table, f"  {what}, b_j = 1, d >= {self.least_d}"])


def optimum(
    act: str | sympy.Expr | Activation,
    M: int,
    beta: Number = 0,
    tau: Number = 1,
    d: int | None = None,
    digits: int = 30,
) -> Optimum:
    """The best M neurons for F, for a target with E|w|² = tau² and |E w| = beta tau (E2, E4, E7).

    β = 0: the simplex in closed form (E2), or the cosine that minimises κ (E7). β > 0: the maximum
    over s of κ(βs)²/E(s), the best equiangular cone; for ReLU a global minimiser of F by E4, whose
    proof the ledger has yet to replay. The degree k of act gives radius^k = tau^k κ(βs)/E(s).
    These statements are this project's reconstruction. Raises ArgumentError unless act is convex,
    positively homogeneous and not linear, M >= 1, beta in [0, 1], tau > 0, and d >= M - 1 (E2) or
    d >= M (otherwise).
    """
    ker = dual_kernel(act)
    k = objectives.homogeneity(ker)
    zero = objectives.kappa(ker, sympy.S.Zero)
    if ker.left.convex is not True or zero == 0:
        found = ker.left.name
        raise ArgumentError(f"activation: found {found}, expected a convex one that is not linear")
    check_count("M", M)
    check_count("digits", digits)
    b, t = rational(exact(beta, "beta")), rational(exact(tau, "tau"))
    if not 0 <= b <= 1:
        raise ArgumentError(f"beta is {beta}; expected a number in [0, 1]")
    if t <= 0:
        raise ArgumentError(f"tau is {tau}; expected a positive number")
    with mpmath.workdps(digits + 20):
        s = _best_cosine(ker, M, b, digits)
        claim, least_d = _claim(ker, M, b, s)
        if d is not None and d < least_d:
            raise ArgumentError(f"d is {d}; {_need(claim, M, least_d)}")
        cross, energy, own = _figures(ker, M, b, s)
        scale = _mpf(t)
        inner = 1.0 if M == 1 else float((M * s * s - 1) / (M - 1))
        gram = np.full((M, M), inner) + (1 - inner) * np.eye(M)
        gram.flags.writeable = False
        return Optimum(
            activation=ker.left.name,
            M=M,
            beta=_mpf(b),
            tau=scale,
            value=scale ** (2 * k) * (own - cross**2 / energy),
            radius=scale * mpmath.root(cross / energy, k),
            cosine=s,
            gram=gram,
            least_d=least_d,
            claim=claim,
            digits=digits,
        )


def _best_cosine(ker: DualKernel, M: int, beta: sympy.Rational, digits: int) -> mpmath.mpf:
    """argmax over s in [0, 1] of κ(βs)²/E(s).

    s >= 0 is enough: κ(x) >= |κ(-x)| for x >= 0 by the Hermite series of a convex homogeneous σ.
    """
    if M == 1 or beta == 1:
        return mpmath.mpf(1)
    if beta == 0 and ker.left.nondecreasing:
        return mpmath.mpf(0)
    m = sympy.Integer(M)
    value = _real_function(-objectives.cone_value(ker, m, beta))
    slope = _real_function(objectives.cone_stationarity(ker, m, beta))
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


def _need(claim: str, M: int, least_d: int) -> str:
    wanted = "M - 1" if least_d < M else "M"
    return f"{claim or 'the cone'} needs d >= {wanted} = {least_d} for M = {M}"


def _figures(
    ker: DualKernel, M: int, beta: sympy.Rational, s: mpmath.mpf
) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """κ(βs), E(s) and κ(β²)."""
    kappa = _real_function(ker.correlation, ker.rho)
    cross, own = kappa(_mpf(beta) * s), kappa(_mpf(beta) ** 2)
    if s == 1:  # one direction; for M = 1 the general formula is 0/0
        return cross, kappa(mpmath.mpf(1)), own
    energy = _real_function(objectives.energy_bound(ker, sympy.Integer(M)))
    return cross, energy(s), own


def _real_function(expr: sympy.Expr, symbol: sympy.Symbol = objectives.S) -> Real:
    """The expression at the working precision; near ±1 rounding may leave κ's domain by an ulp."""
    f = sympy.lambdify(symbol, expr, "mpmath")
    return lambda x: mpmath.re(f(x))


def _mpf(value: sympy.Rational) -> mpmath.mpf:
    return mpmath.mpf(value.p) / value.q


def _shown(value: mpmath.mpf) -> str:
    return str(mpmath.nstr(value, 12))


def _placed_simplex(M: int, n: int, rng: Generator | None) -> Array:
    """A simplex of M vectors in R^n, (M, n): on the first axes, or randomly turned."""
    U = simplex_etf(M)
    axes = np.eye(n, U.shape[1])
    if rng is not None:
        axes = np.linalg.qr(rng.standard_normal(axes.shape))[0]
    placed: Array = U @ axes.T
    return placed


def _direction(n: int, rng: Generator | None) -> Array:
    """The first axis, or a random direction."""
    v = np.eye(n)[0] if rng is None else rng.standard_normal(n)
    unit: Array = v / np.linalg.norm(v)
    return unit


def _reflected(rows: Array, axis: Array) -> Array:
    """The rows after the reflection that takes the first axis to the unit vector axis."""
    mirror = np.eye(len(axis))[0] - axis
    length = np.linalg.norm(mirror)
    if length == 0:
        return rows
    mirror /= length
    reflected: Array = rows - 2 * np.outer(rows @ mirror, mirror)
    return reflected


# ---- the minimiser of L_N ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Minimum:
    """The best of several minimisations of L_N over Theta (M, d) with b = 1.

    value is L_N there, norms (M,) and gram (M, M) the lengths of the rows and their cosines (NaN
    for a zero row), gradient_norm the Frobenius norm of dL_N/dTheta, values the result of each
    start and agree whether these lie within 1e-8 of the target's own |f_N|².
    """

    value: float
    Theta: Array
    norms: Array
    gram: Array
    gradient_norm: float
    values: tuple[float, ...]
    agree: bool


def minimise(
    target: TwoLayerNetwork | ArrayLike,
    M: int,
    starts: int = 5,
    seed: int = 0,
    module: ModuleType | None = None,
    first: ArrayLike | None = None,
) -> Minimum:
    """Minimise the exact loss L_N of (S0) over Theta, b = 1, by L-BFGS from random starts (E8).

    target is a network without bias and with one output, or its rows W (N, d) (ReLU, a = 1).
    starts random starts come from seed; first (M, d) is one more, such as optimum(...).weights(mu).
    module is symcomp.generate(activation).load() if it is at hand. The result is never above the
    loss at any start. Raises ArgumentError for other targets or shapes.
    """
    net = target if isinstance(target, TwoLayerNetwork) else TwoLayerNetwork(target)
    check_count("M", M)
    check_count("starts", starts, 1 if first is None else 0)
    if net.a.ndim != 1:
        raise ArgumentError(f"a has shape {net.a.shape}; expected one output, ({net.N},)")
    problem = _problem(net, net.W, module)
    points = _random_starts(starts, (M, net.d), problem.unit, seed)
    if first is not None:
        given = real_array("first", first)
        if given.shape != (M, net.d):
            raise ArgumentError(f"first has shape {given.shape}; expected ({M}, {net.d})")
        points.append(given)
    ones = np.ones(M)
    runs = [problem.descend(point, lambda _: ones) for point in points]
    best = min(runs, key=lambda run: run.history[-1])
    finals = [run.history[-1] for run in runs]
    return Minimum(
        value=best.history[-1] * problem.scale,
        Theta=best.Theta,
        norms=np.linalg.norm(best.Theta, axis=1),
        gram=_cosines(best.Theta),
        gradient_norm=float(np.linalg.norm(problem.value_and_slope(best.Theta, ones)[1])),
        values=tuple(final * problem.scale for final in finals),
        agree=max(finals) - min(finals) <= _AGREE,
    )


def _random_starts(starts: int, shape: tuple[int, int], unit: float, seed: int) -> list[Array]:
    """Gaussian rows of mean squared length unit²."""
    rng = np.random.default_rng(seed)
    return [unit * rng.standard_normal(shape) / np.sqrt(shape[1]) for _ in range(starts)]


def _cosines(Theta: Array) -> Array:
    lengths = np.linalg.norm(Theta, axis=1, keepdims=True)
    units = np.divide(Theta, lengths, out=np.full_like(Theta, np.nan), where=lengths > 0)
    gram: Array = units @ units.T
    return gram


@dataclass(frozen=True, eq=False)
class _Run:
    """The end of one descent and the scaled loss after each of its iterations, never rising."""

    Theta: Array
    history: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Problem:
    """A target in the generated module's terms, a mean over its nodes, with its units.

    unit is the root mean square length of its rows, scale its |f_N|².
    """

    module: Any
    target: Any
    W: Array
    a: Array
    unit: float
    scale: float

    def value_and_slope(self, Theta: Array, b: Array) -> tuple[float, Array]:
        """L_N and dL_N/dTheta."""
        loss, slope, _ = self.module.loss_and_grad(self.target, Theta, None, b)
        return loss, slope

    def descend(self, start: Array, outer: Callable[[Array], Array]) -> _Run:
        """L-BFGS over Theta from start, with b = outer(Theta) a constant or the best b.

        By the envelope theorem the slope at the best b is the slope of the loss reduced by b.
        """

        def scaled(x: Array) -> tuple[float, Array]:
            Theta = self.unit * x.reshape(start.shape)
            loss, slope = self.value_and_slope(Theta, outer(Theta))
            return loss / self.scale, slope.ravel() * (self.unit / self.scale)

        first = start.ravel() / self.unit
        history = [scaled(first)[0]]

        def record(intermediate_result: OptimizeResult) -> None:
            history.append(float(intermediate_result.fun))

        # scaled to 1 at the zero network, with rows of length about 1: the rule is absolute
        result = scipy_minimize(
            scaled,
            first,
            jac=True,
            method="L-BFGS-B",
            callback=record,
            options={"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-8, "maxcor": 20},
        )
        if result.fun > history[0]:
            return _Run(start, (history[0],))
        return _Run(self.unit * result.x.reshape(start.shape), tuple(history))


def _problem(net: TwoLayerNetwork, W: Array, module: ModuleType | None) -> _Problem:
    """The problem of compressing net, its rows replaced by W (for inputs that are not white)."""
    if net.bias is not None:
        raise ArgumentError(_SHIFTED.format("bias is given"))
    made: Any = generate(net.activation).load() if module is None else module
    a = net.a * net.N if net.scaling == "sum" else net.a
    target = made.Target(W, a)
    scale = float(made.loss(target, W[:1], None, np.zeros((1, *a.shape[1:]))))
    if scale <= 0:
        raise ArgumentError(
            "the target network is identically zero; expected something to compress"
        )
    unit = float(np.sqrt(np.mean(np.sum(W**2, axis=1)))) or 1.0
    return _Problem(made, target, W, a, unit, scale)


# ---- the compression of a given network ----------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Compressed:
    """A network of M nodes in the format of the one it stands for.

    loss is E (f - f̂)², summed over outputs; relative_loss is that over E f²; history holds the
    relative loss after each iteration of the best start, never rising.
    """

    network: TwoLayerNetwork
    loss: float
    relative_loss: float
    history: tuple[float, ...]


def compress(
    net: TwoLayerNetwork,
    M: int,
    mean: ArrayLike | None = None,
    cov: ArrayLike | None = None,
    signs: str = "free",
    seed: int = 0,
    starts: int = 4,
    module: ModuleType | None = None,
) -> Compressed:
    """Replace net by M <= N nodes with the same activation, minimising E (f - f̂)² (E5, E6).

    Inputs are Gaussian with covariance cov (d, d), default the identity; K(w, w') then sees the
    rows W Σ^{1/2}. The outer weights are free, or nonnegative ("positive"), and are solved for at
    every Theta; L-BFGS moves Theta from `starts` random starts, half of them nodes of net. Only a
    local minimum is certain. Raises ArgumentError for a bias or a nonzero mean, which need the
    shifted kernel, for a cov that is not symmetric positive semidefinite, or for a zero network.
    """
    check_count("M", M)
    check_count("starts", starts)
    if M > net.N:
        raise ArgumentError(f"M is {M}; expected at most the number of nodes, {net.N}")
    if signs not in SIGNS:
        raise ArgumentError(f"signs is {signs!r}; expected one of {SIGNS}")
    centre = np.zeros(net.d) if mean is None else real_array("mean", mean)
    if centre.shape != (net.d,):
        raise ArgumentError(f"mean has shape {centre.shape}; expected ({net.d},)")
    if centre.any():
        raise ArgumentError(_SHIFTED.format("mean is not zero"))
    root, inverse = _square_root(np.eye(net.d) if cov is None else real_array("cov", cov), net.d)
    problem = _problem(net, net.W @ root, module)
    points = _starts_near(problem, M, starts, seed)
    outer = partial(_best_outer, problem, signs)
    best = min((problem.descend(p, outer) for p in points), key=lambda run: run.history[-1])
    b = outer(best.Theta)
    network = TwoLayerNetwork(
        best.Theta @ inverse,
        b / M if net.scaling == "sum" else b,
        activation=net.activation,
        scaling=net.scaling,
    )
    relative = best.history[-1]
    return Compressed(network, relative * problem.scale, relative, best.history)


def _square_root(cov: Array, d: int) -> tuple[Array, Array]:
    """R (d, r) with R R' = cov of rank r, and a left inverse (r, d): <w, x> = <R'w, z>, z white."""
    if cov.shape != (d, d):
        raise ArgumentError(f"cov has shape {cov.shape}; expected ({d}, {d})")
    size = float(np.abs(cov).max())
    if np.abs(cov - cov.T).max() > _RANK * size:
        raise ArgumentError("cov is not symmetric; expected a covariance matrix")
    values, vectors = np.linalg.eigh(cov)
    if size == 0 or values[0] < -_RANK * size * d:
        raise ArgumentError(
            f"cov has least eigenvalue {values[0]:.3g}; expected a covariance matrix, and not 0"
        )
    kept = values > _RANK * values[-1]
    lengths, axes = np.sqrt(values[kept]), vectors[:, kept]
    return axes * lengths, (axes / lengths).T


def _starts_near(problem: _Problem, M: int, starts: int, seed: int) -> list[Array]:
    """Alternately M nodes of the target, the heavy ones likelier, and Gaussian rows."""
    rng = np.random.default_rng(seed)
    outer = np.abs(problem.a).reshape(len(problem.W), -1).sum(axis=1)
    weight = np.linalg.norm(problem.W, axis=1) * outer
    weight += _RANK * weight.max() or 1.0  # every node has a chance
    points = _random_starts(starts, (M, problem.W.shape[1]), problem.unit, seed)
    for i in range(0, starts, 2):
        nodes = rng.choice(len(weight), M, replace=False, p=weight / weight.sum())
        points[i] = problem.W[nodes]
    return points


def _best_outer(problem: _Problem, signs: str, Theta: Array) -> Array:
    """The outer weights that minimise the loss at Theta: b' K b / M² - 2 b' G / (N M) least."""
    M, N = len(Theta), len(problem.W)
    gram = problem.module.kernel(Theta, Theta)
    cross = problem.module.kernel(Theta, problem.W) @ problem.a.reshape(N, -1)
    values, vectors = np.linalg.eigh(gram)
    kept = values > _RANK * values[-1]
    lengths, axes = np.sqrt(values[kept]), vectors[:, kept]
    aim = (axes / lengths).T @ cross  # gram = R'R, R = (axes * lengths)': minimise |R c - aim|
    if signs == "free":
        c = (axes / lengths) @ aim
    else:
        c = np.column_stack([nnls((axes * lengths).T, column)[0] for column in aim.T])
    b: Array = (c * (M / N)).reshape((M, *problem.a.shape[1:]))
    return b
