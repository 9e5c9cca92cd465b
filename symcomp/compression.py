"""Compression: the minimiser of the exact loss L_N, and the best small network for a given one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symcomp.descent import descend, never_rising
from symcomp.errors import ArgumentError
from symcomp.networks import TwoLayerNetwork, check_count, real_array
from symcomp.optima import optimum
from symcomp.problems import RANK, Inputs, Problem

Array: TypeAlias = NDArray[np.float64]

SIGNS = ("free", "positive")
TOL = 1e-8
_AGREE = 1e-8
_EXACT = 1e-14  # a relative loss that is rounding alone
_WARM = 100, 1e-3  # iterations with the outer weights eliminated, and where these end early
_WARM_OUTPUTS = 5000, 1e-6  # of several outputs, whose weights slow the joint descent down


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
    error bounds what value and values may be off by where |f_N|² is enclosed; 0 where it is summed.
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
    error: float


@dataclass(frozen=True, eq=False)
class Compressed:
    """A network of M nodes in the format of the one it stands for.

    loss is E (f - f̂)², summed over outputs; relative_loss is that over E f²; history holds the
    relative loss after each iteration of the best start, never rising. values is the relative loss
    that each start reached, up to an exact fit, and agree whether these lie within 1e-8. residual
    is the norm of the projected gradient of the relative loss at the result, in Theta and the outer
    weights, with XX"""

    network: TwoLayerNetwork
    loss: float
    relative_loss: float
    history: tuple[float, ...]
    values: tuple[float, ...]
    agree: bool
    residual: float
    converged: bool
    error: float


def minimise(
    target: TwoLayerNetwork | ArrayLike | Problem,
    M: int,
    starts: int = 5,
    seed: int = 0,
    module: ModuleType | None = None,
    first: ArrayLike | None = None,
    tol: float = TOL,
    watch: Watch | None = None,
) -> Minimum:
    """Minimise the exact loss L_N of (S0) over Theta, b = 1, from random starts (E8).

    target is a network without bias and with one output, or its rows W (N, d) (ReLU, a = 1), or
    the Problem made of it. From 20,001 nodes on |f_N|² is enclosed (`error`), not summed.
    starts random starts come from seed; first (M, d) is one more, such as optimum(...).weights(mu).
    L-BFGS, then Newton's steps, until the residual is <= tol. module is
    symcomp.generate(activation).load() if it is at hand; watch is called after each iteration. The
    result is never above the loss at any start. Raises ArgumentError for other targets or shapes.
    """
    check_count("M", M)
    check_count("starts", starts, 1 if first is None else 0)
    _check_tol(tol)
    problem = target if isinstance(target, Problem) else _plain_problem(target, module)
    d = problem.nodes.shape[1]
    points = _random_starts(starts, (M, d), problem.unit, seed)
    if first is not None:
        given = real_array("first", first)
        if given.shape != (M, d):
            raise ArgumentError(f"first has shape {given.shape}; expected ({M}, {d})")
        points.append(given)
    runs = _runs(problem, points, None, tol, watch)
    best = min(runs, key=lambda run: run.history[-1])
    finals = [run.history[-1] for run in runs]
    slope = problem.slopes(best.X, best.b)[1]
    return Minimum(
        value=best.history[-1] * problem.scale,
        Theta=best.X,
        norms=np.linalg.norm(best.X, axis=1),
        gram=_cosines(best.X),
        gradient_norm=float(np.linalg.norm(slope)),
        values=tuple(final * problem.scale for final in finals),
        agree=max(finals) - min(finals) <= _AGREE,
        history=best.history,
        residual=best.residual,
        converged=best.residual <= tol,
        error=problem.error,
    )


def _plain_problem(target: TwoLayerNetwork | ArrayLike, module: ModuleType | None) -> Problem:
    """White inputs, one output and no biases."""
    net = target if isinstance(target, TwoLayerNetwork) else TwoLayerNetwork(target)
    if net.a.ndim != 1:
        raise ArgumentError(f"a has shape {net.a.shape}; expected one output, ({net.N},)")
    if net.bias is not None or net.offset is not None:
        raise ArgumentError("target has a bias; expected none, which compress takes")
    return Problem.of(net, Inputs.standard(net.d), module)


def compress(
    net: TwoLayerNetwork,
    M: int,
    mean: ArrayLike | None = None,
    cov: ArrayLike | None = None,
    signs: str = "free",
    seed: int = 0,
    starts: int = 8,
    module: ModuleType | None = None,
    tol: float = TOL,
    watch: Watch | None = None,
) -> Compressed:
    """Replace net by M <= N nodes with the same activation, minimising E (f - f̂)² (E5, E6).

    Inputs are Gaussian of mean m (d,), default 0, and covariance Σ (d, d), default the identity:
    the kernel sees the rows W Σ^{1/2} and the biases bias_i + <w_i, m>. A network has biases, and
    its output one, where net has them. The outer weights are free, or nonnegative ("positive"): at
    first they are solved for at every Theta (least squares, NNLS), then both move together until
    the residual is <= tol. The first of `starts` starts is the optimum of F for the target's
    empirical mean and τ where that is known in closed form (a positive, no bias, a convex
    homogeneous activation, M <= d); the others are nodes of net and Gaussian rows in turn. Only a
    local minimum is certain, but never above the best start. watch is called after each iteration.
    Raises ArgumentError for a bias or a mean where the kernel with biases has no closed form, for a
    cov that is not symmetric positive semidefinite, or for a zero network.
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
    inputs = replace(Inputs.standard(net.d), mean=centre)
    if cov is not None:
        inputs = Inputs.of(centre, real_array("cov", cov))
    problem = Problem.of(net, inputs, module)
    points = _starts_near(problem, M, starts, seed)
    if problem.drift is None:
        white = TwoLayerNetwork(problem.nodes, problem.a, None, net.activation)
        ideal = mean_field_start(white, M, seed)
        points[0] = points[0] if ideal is None else ideal
    runs = _runs(problem, points, signs, tol, watch)
    best = min(runs, key=lambda run: run.history[-1])
    finals = tuple(run.history[-1] for run in runs)
    return Compressed(
        network=problem.network(net, inputs, best.X, best.b),
        loss=best.history[-1] * problem.scale,
        relative_loss=best.history[-1],
        history=best.history,
        values=finals,
        agree=max(finals) - min(finals) <= _AGREE,
        residual=best.residual,
        converged=best.residual <= tol,
        error=problem.error,
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


def _check_tol(tol: float) -> None:
    if not tol > 0:
        raise ArgumentError(f"tol is {tol}; expected a positive number")


# ---- one start -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Run:
    """The end of one descent, the relative loss after each iteration, and its residual."""

    X: Array
    b: Array
    history: tuple[float, ...]
    residual: float


def _runs(
    problem: Problem, points: list[Array], signs: str | None, tol: float, watch: Watch | None
) -> list[_Run]:
    """A descent from every point, with b = 1 (signs None), free or positive; none after a fit."""
    runs: list[_Run] = []
    for i, point in enumerate(points):
        runs.append(_run(problem, point, signs, tol, _recorder(watch, i, len(points))))
        if runs[-1].history[-1] <= _EXACT:
            break
    return runs


def _recorder(watch: Watch | None, start: int, starts: int) -> Callable[[float], None] | None:
    if watch is None:
        return None
    count = iter(range(1, 1 << 62))
    return lambda loss: watch(Progress(start, starts, next(count), loss))


def _run(
    problem: Problem,
    start: Array,
    signs: str | None,
    tol: float,
    record: Callable[[float], None] | None,
) -> _Run:
    if signs is None:
        return _together(problem, start, np.ones(len(start)), None, tol, record)
    warm, history = _eliminated(problem, start, partial(problem.best_outer, signs), record)
    b = problem.best_outer(signs, warm)
    Theta, b = _balanced(problem, warm, b)
    run = _together(problem, Theta, b, signs, tol, record)
    path = never_rising([*history, *run.history])
    return _Run(run.X, run.b, path, run.residual)


def _eliminated(
    problem: Problem,
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

    count, tol = _WARM if problem.a.ndim == 1 else _WARM_OUTPUTS
    x = start.ravel() / problem.unit
    found = descend(reduced, x, tol=tol, record=record, maxiter=count, polish=0)
    return problem.unit * found.point.reshape(start.shape), found.history


def _balanced(problem: Problem, Theta: Array, b: Array) -> tuple[Array, Array]:
    """The same network with |b_j| = 1 where σ is homogeneous of degree k: its size goes to θ_j."""
    k = getattr(problem.module, "DEGREE", None)
    if not k or b.ndim != 1 or len(b) > len(Theta):
        return Theta, b
    size = np.abs(b)
    live = size > RANK * max(float(size.max()), 1e-300)
    stretch = np.where(live, size, 1.0) ** (1 / k)
    return Theta * stretch[:, None], np.where(live, np.sign(b), 0.0)


def _together(
    problem: Problem,
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

    def product(x: Array, v: Array) -> Array:
        dX, db = parts(v)
        by_x, by_b = problem.curvature(*parts(x), dX, db if free else np.zeros_like(b))
        both = np.concatenate([by_x.ravel(), by_b.ravel()]) if free else by_x.ravel()
        curved: Array = both * units / problem.scale
        return curved

    lower = np.full(count, -np.inf) if signs == "positive" else None
    if lower is not None:
        lower[inner : inner + len(Theta) * b[0].size] = 0.0  # an output's bias has either sign
    newton = product if problem.curved else None
    found = descend(scaled, start, tol=tol, lower=lower, product=newton, record=record)
    return _Run(*parts(found.point), found.history, found.gradient)


# ---- starts and inputs ---------------------------------------------------------------------------


def _random_starts(starts: int, shape: tuple[int, int], unit: float, seed: int) -> list[Array]:
    """Gaussian rows of mean squared length unit²."""
    rng = np.random.default_rng(seed)
    return [unit * rng.standard_normal(shape) / np.sqrt(shape[1]) for _ in range(starts)]


def _starts_near(problem: Problem, M: int, starts: int, seed: int) -> list[Array]:
    """Alternately M nodes of the target, the heavy ones likelier, and Gaussian rows."""
    rng = np.random.default_rng(seed)
    outer = np.abs(problem.a).reshape(len(problem.nodes), -1).sum(axis=1)
    weight = np.linalg.norm(problem.nodes, axis=1) * outer
    weight += RANK * weight.max() or 1.0  # every node has a chance
    points = _random_starts(starts, (M, problem.nodes.shape[1]), problem.unit, seed)
    for i in range(0, starts, 2):
        nodes = rng.choice(len(weight), M, replace=False, p=weight / weight.sum())
        points[i] = problem.nodes[nodes]
    return points


def _cosines(Theta: Array) -> Array:
    lengths = np.linalg.norm(Theta, axis=1, keepdims=True)
    units = np.divide(Theta, lengths, out=np.full_like(Theta, np.nan), where=lengths > 0)
    gram: Array = units @ units.T
    return gram
