"""Descent to a stationary point that is checked: L-BFGS-B, then Newton's steps by MINRES."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult
from scipy.optimize import minimize as scipy_minimize
from scipy.sparse.linalg import LinearOperator, minres
from threadpoolctl import ThreadpoolController

Array: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[[Array], tuple[float, Array]]
Product: TypeAlias = Callable[[Array, Array], Array]

_STEP = 1e-5  # of the differences that stand in for Hessian products
_ROUNDING = 4 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a descent ended: the value and the norm of the projected gradient at point.

    history holds the value after each iteration, never rising; its last entry is value.
    """

    point: Array
    value: float
    gradient: float
    history: tuple[float, ...]


def descend(
    function: Function,
    start: Array,
    tol: float = 1e-9,
    lower: Array | None = None,
    product: Product | None = None,
    record: Callable[[float], None] | None = None,
    maxiter: int = 20_000,
    polish: int = 10,
) -> Descent:
    """Minimise function, which returns value and gradient, over x >= lower from start (n,).

    Both should be about 1 in size: tol bounds the norm of the projected gradient, the components
    that could still lower the value. product(x, v) is the Hessian times v; differences of gradients
    without it. At most maxiter iterations and polish Newton steps. The result's value is never
    above that of start. record sees every new value.
    """
    history = [function(start)[0]]
    slopes: list[Array] = []

    def seen(x: Array) -> tuple[float, Array]:
        value, gradient = function(x)
        slopes[:] = [projected(x, gradient, lower)]
        return value, gradient

    def see(intermediate_result: OptimizeResult) -> None:
        history.append(float(intermediate_result.fun))
        if record is not None:
            record(history[-1])
        if _length(slopes[-1]) <= tol:  # of the last evaluation, which was at this iterate
            raise StopIteration

    bounds: Any = None if lower is None else [(low, None) for low in lower]
    # Woken for its dot products, SciPy's threads spin on beside NumPy's, which do the work.
    with _scipys_blas().limit(limits=1):
        result = scipy_minimize(
            seen,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            callback=see,
            options={
                "maxiter": maxiter,
                "maxfun": 4 * maxiter,
                "ftol": 1e-16,
                "gtol": 0.0,  # its own test is of the largest component, sqrt(n) times too strict
                "maxcor": 20,
            },
        )
    point = _polished(function, np.asarray(result.x), tol, lower, product, polish)
    value, gradient = function(point)
    if value > history[0]:
        point, (value, gradient) = start, function(start)
        history = [value]
    size = _length(projected(point, gradient, lower))
    path = [*history, value] if value != history[-1] else history
    return Descent(point, value, size, never_rising(path))


@cache
def _scipys_blas() -> ThreadpoolController:
    """The BLAS that SciPy's wheel brings along, nothing where it shares NumPy's."""
    loaded = ThreadpoolController().select(user_api="blas")
    paths = [each["filepath"] for each in loaded.info()]
    own = [path for path in paths if any("scipy" in part for part in Path(path).parts[-3:-1])]
    return loaded.select(filepath=own)


def never_rising(values: list[float]) -> tuple[float, ...]:
    """The values with every rise, an ulp of rounding, taken back to before it; the last stays."""
    falling = np.maximum.accumulate(np.array(values)[::-1])[::-1]
    return tuple(falling.tolist())


def _length(x: Array) -> float:
    # A norm of BLAS's wakes its threads, which spin on beside those of the next evaluation.
    return float(np.sqrt(np.sum(np.square(x))))


def projected(x: Array, gradient: Array, lower: Array | None) -> Array:
    """The gradient without the components that push x below a bound it stands on."""
    if lower is None:
        return gradient
    return np.where((x > lower) | (gradient < 0), gradient, 0.0)


def _polished(
    function: Function,
    x: Array,
    tol: float,
    lower: Array | None,
    product: Product | None,
    steps: int,
) -> Array:
    """Newton's steps in the variables off their bounds, each kept only if the gradient halves."""
    value, gradient = function(x)
    for _ in range(steps):
        slope = projected(x, gradient, lower)
        if _length(slope) <= tol:
            break
        moved = x + _newton_step(function, x, slope, lower, product)
        if lower is not None and (moved < lower).any():
            break
        new_value, new_gradient = function(moved)
        new_slope = projected(moved, new_gradient, lower)
        calmer = _length(new_slope) <= 0.5 * _length(slope)
        if not (calmer and new_value <= value + _ROUNDING * max(abs(value), 1.0)):
            break
        x, value, gradient = moved, new_value, new_gradient
    return x


def _newton_step(
    function: Function, x: Array, slope: Array, lower: Array | None, product: Product | None
) -> Array:
    loose = np.ones(len(x), dtype=bool) if lower is None else (x > lower)
    times = product or (lambda at, v: _difference(function, at, v))

    def free(v: Array) -> Array:
        whole = np.zeros(len(x))
        whole[loose] = np.ravel(v)
        return times(x, whole)[loose]

    count = int(loose.sum())
    if count == 0:
        return np.zeros(len(x))
    operator = LinearOperator((count, count), matvec=free, dtype=np.float64)
    found, _ = minres(operator, -slope[loose], rtol=1e-5, maxiter=min(8 * count, 2000))
    step = np.zeros(len(x))
    step[loose] = found
    return step


def _difference(function: Function, x: Array, v: Array) -> Array:
    """The Hessian at x times v by a central difference of gradients."""
    length = _length(v)
    if length == 0:
        return np.zeros(len(x))
    step = _STEP / length
    ahead, behind = function(x + step * v)[1], function(x - step * v)[1]
    return (ahead - behind) / (2 * step)
