"""Compression: the minimiser of the exact loss L_N, and the best small network for a given one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from symcomp.codegen import generate
from symcomp.descent import descend, never_rising
from symcomp.errors import ArgumentError
from symcomp.networks import TwoLayerNetwork, check_count, real_array
from symcomp.optima import optimum

Array: TypeAlias = NDArray[np.float64]

SIGNS = ("free", "positive")
TOL = 1e-8
_SHIFTED = "{}; this needs the shifted kernel, which this version does not have"
_AGREE = 1e-8
_RANK = 1e-12
_WARM = 100  # iterations with the outer weights eliminated, and where these end early
_WARM_TOL = 1e-3


@dataclass(frozen=True)
class Progress:
    """One iteration: which start of how many, which iteration, and the relative loss so far."""

    start: int
    starts: int
    iteration: int
    relative_loss: float


Watch: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, eq=False)
class Minimum:
    """The best of several minimisations of L_N over Theta (M, d) with b = 1.

    value is L_N there, norms (M,) and gram (M, M) the lengths of the rows and their cosines (NaN
    for a zero row), gradient_norm the Frobenius norm of dL_N/dTheta, values the result of each
    start and agree whether these lie within 1e-8 of the target's own |f_N|². history is L_N/|f_N|²
    after each iteration of the best start, never rising. residual is the gradient norm in units of
    |f_N|² and the root mean square length of the target's rows, converged whether it is <= tol.
    """

    value: float
    Theta: Array
    norms: Array
    gram: Array
    gradient_norm: float
    values: tuple[float, ...]
    agree: bool
    history: tuple[float, ...]
    residual: float
    converged: bool


@dataclass(frozen=True, eq=False)
class Compressed:
    """A network of M nodes in the format of the one it stands for.

    loss is E (f - f̂)², summed over outputs; relative_loss is that over E f²; history holds the
    relative loss after each iteration of the best start, never rising. values is the relative loss
    that each start reached and agree whether these lie within 1e-8. residual is the norm of the
    projected gradient of the relative loss at the result, in Theta and the outer weights, with
    their typical sizes as units; converged says whether it is <= tol.
    """

    network: TwoLayerNetwork
    loss: float
    relative_loss: float
    history: tuple[float, ...]
    values: tuple[float, ...]
    agree: bool
    residual: float
    converged: bool


def minimise(
    target: TwoLayerNetwork | ArrayLike,
    M: int,
    starts: int = 5,
    seed: int = 0,
    module: ModuleType | None = None,
    first: ArrayLike | None = None,
    tol: float = TOL,
    watch: Watch | None = None,
) -> Minimum:
    """Minimise the exact loss L_N of (S0) over Theta, b = 1, from random starts (E8).

    target is a network without bias and with one output, or its rows W (N, d) (ReLU, a = 1).
    starts random starts come from seed; first (M, d) is one more, such as optimum(...).weights(mu).
    L-BFGS, then Newton's steps, until the residual is <= tol. module is
    symcomp.generate(activation).load() if it is at hand; watch is called after each iteration. The
    result is never above the loss at any start. Raises ArgumentError for other targets or shapes.
    """
    net = target if isinstance(target, TwoLayerNetwork) else TwoLayerNetwork(target)
    check_count("M", M)
    check_count("starts", starts, 1 if first is None else 0)
    _check_tol(tol)
    if net.a.ndim != 1:
        raise ArgumentError(f"a has shape {net.a.shape}; expected one output, ({net.N},)")
    problem = _problem(net, net.W, module)
    points = _random_starts(starts, (M, net.d), problem.unit, seed)
    if first is not None:
        given = real_array("first", first)
        if given.shape != (M, net.d):
            raise ArgumentError(f"first has shape {given.shape}; expected ({M}, {net.d})")
        points.append(given)
    runs = _runs(problem, points, None, tol, watch)
    best = min(runs, key=lambda run: run.history[-1])
    finals = [run.history[-1] for run in runs]
    slope = problem.slopes(best.Theta, best.b)[1]
    return Minimum(
        value=best.history[-1] * problem.scale,
        Theta=best.Theta,
        norms=np.linalg.norm(best.Theta, axis=1),
        gram=_cosines(best.Theta),
        gradient_norm=float(np.linalg.norm(slope)),
        values=tuple(final * problem.scale for final in finals),
        agree=max(finals) - min(finals) <= _AGREE,
        history=best.history,
        residual=best.residual,
        converged=best.residual <= tol,
    )


def compress(
    net: TwoLayerNetwork,
    M: int,
    mean: ArrayLike | None = None,
    cov: ArrayLike | None = None,
    signs: str = "free",
    seed: int = 0,
    starts: int = 4,
    module: ModuleType | None = None,
    tol: float = TOL,
    watch: Watch | None = None,
) -> Compressed:
    """Replace net by M <= N nodes with the same activation, minimising E (f - f̂)² (E5, E6).

    Inputs are Gaussian with covariance cov (d, d), default the identity; K(w, w') then sees the
    rows W Σ^{1/2}. The outer weights are free, or nonnegative ("positive"): at first they are
    solved for at every Theta (least squares, NNLS), then both move together until the residual is
    <= tol. The first of `starts` starts is the optimum of F for the target's empirical mean and τ
    where that is known in closed form (a positive, a convex homogeneous activation, M <= d); the
    others are nodes of net and Gaussian rows in turn. Only a local minimum is certain, but never
    above the best start. watch is called after each iteration. Raises ArgumentError for a bias or a
    nonzero mean, which need the shifted kernel, for a cov that is not symmetric positive
    semidefinite, or for a zero network.
    """
    check_count("M", M)
    check_count("starts", starts)
    _check_tol(tol)
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
    ideal = mean_field_start(TwoLayerNetwork(problem.W, problem.a, None, net.activation), M, seed)
    if ideal is not None:
        points[0] = ideal
    runs = _runs(problem, points, signs, tol, watch)
    best = min(runs, key=lambda run: run.history[-1])
    finals = tuple(run.history[-1] for run in runs)
    network = TwoLayerNetwork(
        best.Theta @ inverse,
        best.b / M if net.scaling == "sum" else best.b,
        activation=net.activation,
        scaling=net.scaling,
    )
    return Compressed(
        network=network,
        loss=best.history[-1] * problem.scale,
        relative_loss=best.history[-1],
        history=best.history,
        values=finals,
        agree=max(finals) - min(finals) <= _AGREE,
        residual=best.residual,
        converged=best.residual <= tol,
    )


def mean_field_start(net: TwoLayerNetwork, M: int, seed: int = 0) -> Array | None:
    """The closed-form optimum of F for the empirical mean and τ of net's rows, Theta (M, d).

    For a homogeneous activation of degree k the rows are a_i^{1/k} w_i, so a must not be negative.
    None where no closed form is known for so few dimensions, such outer weights or activation.
    """
    act = net.activation
    k = act.degree
    if not k or act.convex is not True or net.bias is not None or net.a.ndim != 1 or net.d < M:
        return None
    a = net.a * net.N if net.scaling == "sum" else net.a
    if a.min() < 0:
        return None
    rows = a[:, None] ** (1 / k) * net.W
    mu, tau = rows.mean(axis=0), float(np.sqrt(np.mean(np.sum(rows**2, axis=1))))
    if tau == 0:
        return None
    beta = min(float(np.linalg.norm(mu)) / tau, 1.0)
    try:
        best = optimum(act, M, beta, tau, digits=12)
    except ArgumentError:  # linear: every direction is as good
        return None
    return best.weights(mu, np.random.default_rng(seed))


# ---- the problem and its units -------------------------------------------------------------------


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

    def slopes(self, Theta: Array, b: Array) -> tuple[float, Array, Array]:
        """L_N, dL_N/dTheta and dL_N/db."""
        loss, by_theta, by_b = self.module.loss_and_grad(self.target, Theta, None, b)
        return loss, by_theta, by_b


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


def _check_tol(tol: float) -> None:
    if not tol > 0:
        raise ArgumentError(f"tol is {tol}; expected a positive number")


# ---- one start -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Run:
    """The end of one descent, the relative loss after each iteration, and its residual."""

    Theta: Array
    b: Array
    history: tuple[float, ...]
    residual: float


def _runs(
    problem: _Problem, points: list[Array], signs: str | None, tol: float, watch: Watch | None
) -> list[_Run]:
    """A descent from every point, with b = 1 (signs None), free or positive."""
    return [
        _run(problem, point, signs, tol, _recorder(watch, i, len(points)))
        for i, point in enumerate(points)
    ]


def _recorder(watch: Watch | None, start: int, starts: int) -> Callable[[float], None] | None:
    if watch is None:
        return None
    count = iter(range(1, 1 << 62))
    return lambda loss: watch(Progress(start, starts, next(count), loss))


def _run(
    problem: _Problem,
    start: Array,
    signs: str | None,
    tol: float,
    record: Callable[[float], None] | None,
) -> _Run:
    if signs is None:
        return _together(problem, start, np.ones(len(start)), None, tol, record)
    warm, history = _eliminated(problem, start, partial(_best_outer, problem, signs), record)
    b = _best_outer(problem, signs, warm)
    Theta, b = _balanced(problem, warm, b)
    run = _together(problem, Theta, b, signs, tol, record)
    path = never_rising([*history, *run.history])
    return _Run(run.Theta, run.b, path, run.residual)


def _eliminated(
    problem: _Problem,
    start: Array,
    outer: Callable[[Array], Array],
    record: Callable[[float], None] | None,
) -> tuple[Array, tuple[float, ...]]:
    """Some iterations over Theta with b = outer(Theta), the best there.

    By the envelope theorem the slope at the best b is the slope of the loss reduced by b.
    """

    def reduced(x: Array) -> tuple[float, Array]:
        Theta = problem.unit * x.reshape(start.shape)
        loss, slope, _ = problem.slopes(Theta, outer(Theta))
        return loss / problem.scale, slope.ravel() * (problem.unit / problem.scale)

    found = descend(
        reduced, start.ravel() / problem.unit, tol=_WARM_TOL, record=record, maxiter=_WARM, polish=0
    )
    return problem.unit * found.point.reshape(start.shape), found.history


def _balanced(problem: _Problem, Theta: Array, b: Array) -> tuple[Array, Array]:
    """The same network with |b_j| = 1 where σ is homogeneous of degree k: its size goes to θ_j."""
    k = getattr(problem.module, "DEGREE", None)
    if not k or b.ndim != 1:
        return Theta, b
    size = np.abs(b)
    live = size > _RANK * max(float(size.max()), 1e-300)
    stretch = np.where(live, size, 1.0) ** (1 / k)
    return Theta * stretch[:, None], np.where(live, np.sign(b), 0.0)


def _together(
    problem: _Problem,
    Theta: Array,
    b: Array,
    signs: str | None,
    tol: float,
    record: Callable[[float], None] | None,
) -> _Run:
    """Descent over Theta and b (b fixed for signs None), in units that make both about 1."""
    inner, width = Theta.size, problem.unit
    height = float(np.sqrt(np.mean(b**2))) or 1.0
    free = signs is not None
    count = inner + (b.size if free else 0)
    units = np.concatenate([np.full(inner, width), np.full(count - inner, height)])
    start = (np.concatenate([Theta.ravel(), b.ravel()]) if free else Theta.ravel()) / units

    def parts(x: Array) -> tuple[Array, Array]:
        whole = units * x
        outer = whole[inner:].reshape(b.shape) if free else b
        return whole[:inner].reshape(Theta.shape), outer

    def scaled(x: Array) -> tuple[float, Array]:
        loss, by_theta, by_b = problem.slopes(*parts(x))
        slope = np.concatenate([by_theta.ravel(), by_b.ravel()]) if free else by_theta.ravel()
        return loss / problem.scale, slope * units / problem.scale

    lower = np.full(count, -np.inf) if signs == "positive" else None
    if lower is not None:
        lower[inner:] = 0.0
    found = descend(scaled, start, tol=tol, lower=lower, record=record)
    return _Run(*parts(found.point), found.history, found.gradient)


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


# ---- starts and inputs ---------------------------------------------------------------------------


def _random_starts(starts: int, shape: tuple[int, int], unit: float, seed: int) -> list[Array]:
    """Gaussian rows of mean squared length unit²."""
    rng = np.random.default_rng(seed)
    return [unit * rng.standard_normal(shape) / np.sqrt(shape[1]) for _ in range(starts)]


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


def _cosines(Theta: Array) -> Array:
    lengths = np.linalg.norm(Theta, axis=1, keepdims=True)
    units = np.divide(Theta, lengths, out=np.full_like(Theta, np.nan), where=lengths > 0)
    gram: Array = units @ units.T
    return gram


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
