"""Soft thresholds beside sharp ones: K° from the pieces of σ, against Stein's closed form."""

from functools import cache

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import symcomp
from symcomp.codegen import Generated
from tests.comparison import compare
from tests.generated import generated, module

NAMES = ["erf(x)+Max(0,x)", "exp(-x)*(1+erf(x))+Max(0,x)", "x*erf(x)+Max(0,x-1)**2"]
JUMPS = ["exp(-x)*(1-erf(1-2*x))+Heaviside(x-1)", "Heaviside(x)*(1+x**2)+erf(x-1)"]
POINTS = [(1.3, 0.7, 0.5), (0.6, 2.25, -1.0)]
ORDERS = {  # (∂/∂q_u, ∂/∂q_v, ∂/∂c)
    "K": (0, 0, 0),
    "by_c": (0, 0, 1),
    "by_qu": (1, 0, 0),
    "by_qv": (0, 1, 0),
    "A": (0, 0, 2),
    "cross_u": (1, 0, 1),
    "cross_v": (0, 1, 1),
    "far": (0, 2, 0),
}


@cache
def derivatives(name: str, point: tuple[float, float, float]) -> dict[str, mpf]:
    """Partial derivatives of the closed form by differences with 60 digits."""
    ker = symcomp.dual_kernel(name)

    def K(*at: mpf) -> mpf:
        return mpmath.mpf(ker.evaluate(*at, digits=50))

    with mpmath.workdps(60):
        return {key: mpmath.diff(K, point, n, h=mpf(10) ** -9) for key, n in ORDERS.items()}


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


@pytest.mark.parametrize("name", [*NAMES, *JUMPS])
def test_slopes_and_curves_are_those_of_the_closed_form(name):
    rows = []
    for point in POINTS:
        columns = [np.array([x]) for x in point]
        got = [float(x[0]) for x in module(name)._kernel_and_curves(*columns)]
        found = derivatives(name, point)
        qu, qv, c = map(mpf, point)
        A = found["A"]
        wanted = {key: found[key] for key in ("K", "by_c", "by_qu", "by_qv", "A")}
        wanted["B"] = 2 * found["cross_v"] + c / qv * A
        wanted["B'"] = 2 * found["cross_u"] + c / qu * A
        wanted["G"] = 4 * found["far"] + 4 * c / qv * found["cross_v"] + (c / qv) ** 2 * A
        rows += [((key, point), x, wanted[key]) for x, key in zip(got, wanted, strict=True)]
        assert got[:2] == [float(x[0]) for x in module(name)._kernel_and_slopes(*columns)[:2]]
    compare(rows, rtol=1e-12, atol=1e-13, min_points=16)


def orders(mod) -> np.ndarray:
    """By which power of the step the gradient differs from its linear part, next to 2."""
    W, Theta, move = draw(3, 2), draw(2, 2, seed=1), draw(2, 2, seed=2)
    start = mod.loss_and_grad(W, Theta)[1]
    along = mod.hessian_vector_product(W, Theta, move)[0]
    steps = 2.0 ** -np.arange(7, 12)
    moved = [mod.loss_and_grad(W, Theta + h * move)[1] - start - h * along for h in steps]
    return -np.diff(np.log2([np.linalg.norm(x) for x in moved]))


@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives_leave_an_error_of_second_order(name):
    assert orders(module(name)) == pytest.approx([2] * 4, abs=0.2)


@pytest.mark.parametrize(
    "old",
    [
        "(A, 1.0,",
        "(B, v,",
        "(G, v * v,",
        "A += at_v * _mean",
        "A += at_u",
        "B += at_v",
        "G += at_v",
        "A += at_v * step",
    ],
)
def test_a_wrong_curve_has_no_second_order(old):
    name = "erf(x)+Max(0,x-1)"
    source = generated(name).source
    assert source.count(old) == 1
    new = old.replace("+= ", "+= 1.05 * ").replace("1.0,", "1.05,").replace(" v", " 1.05 * v")
    assert (
        abs(orders(Generated(generated(name).activation, source.replace(old, new)).load())[-1] - 2)
        > 0.3
    )


def test_between_parallel_rows_stands_the_limit():
    W, turn = draw(2, 3), draw(4, 3, seed=3)
    Theta = np.vstack([W, 2 * W[:1], -W[:1]])
    dTheta, db = draw(4, 3, seed=1), draw(4, seed=2)

    def at(step: float) -> np.ndarray:
        mod = module("erf(x)+Max(0,x-1)")
        pair = mod.hessian_vector_product(W, Theta + step * turn, dTheta, db)
        return np.concatenate([x.ravel() for x in pair])

    assert np.abs(at(1e-5) - at(0.0)).max() < 1e-3
    assert np.abs(at(1e-3) - at(0.0)).max() < 1e-1


def test_what_took_minutes_to_print_is_generated():
    """The derivatives of this closed form fill pages; its pieces and their edges are four."""
    source = generated("x*erf(2*x-1)+Abs(x)**3").source
    assert "by the engine for biases at biases 0" in source
    assert source.count("    _Piece(") == 4
