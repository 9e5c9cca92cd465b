import os
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import sympy
from flint import arb, fmpq

import symcomp
from symcomp.balls import exact
from symcomp.codegen.tabulated import tabulated_source
from symcomp.errors import ArgumentError
from symcomp.parsing import X
from symcomp.tables import LONGEST, tables
from tests.comparison import compare
from tests.generated import generated, module

OPEN = ["tanh", "sigmoid", "softplus", "silu", "mish", "gelu_tanh"]
SIGMA = {
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "gelu_tanh": lambda x: x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2,
}


@cache
def kernel(name: str, *derivatives: int) -> symcomp.DualKernel:
    """E f(X) g(Y), f and g derivatives of σ, g times x if the last entry is 1."""
    sigma = symcomp.activation(name).expr
    left, right, power = derivatives or (0, 0, 0)
    return symcomp.dual_kernel(sympy.diff(sigma, X, left), X**power * sympy.diff(sigma, X, right))


def dot(u: np.ndarray, v: np.ndarray) -> fmpq:
    return sum((exact(float(x)) * exact(float(y)) for x, y in zip(u, v, strict=True)), fmpq(0))


def enclosed(ker: symcomp.DualKernel, u: np.ndarray, v: np.ndarray) -> arb:
    return ker.enclosure(dot(u, u), dot(v, v), dot(u, v), digits=16)


def pairs(seed: int, *bends: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of lengths 8e-4 to 8, from oblique to parallel and opposite as the bend falls to 0."""
    rng = np.random.default_rng(seed)
    made = []
    for bend in bends:
        u, w = rng.standard_normal((2, 3))
        u *= LONGEST * min(1.0, 10.0 ** rng.uniform(-4, 1)) / np.linalg.norm(u) * (1 - 1e-12)
        v = rng.choice((-1.0, 1.0)) * (u / np.linalg.norm(u) + bend * w)
        v *= LONGEST * min(1.0, 10.0 ** rng.uniform(-4, 1)) / np.linalg.norm(v) * (1 - 1e-12)
        made.append((u, v))
    return made


# ---- the kernel and its gradient against balls ---------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", OPEN)
def test_kernel_against_balls(name):
    rows = []
    bends = (0.5, 0.0, *((0.0, 0.2, 0.01, 1e-9) if name == "tanh" else ()))
    for k, (u, v) in enumerate(pairs(1, *bends)):
        size = np.sqrt(float(enclosed(kernel(name), u, u) * enclosed(kernel(name), v, v)))
        error = exact(float(module(name).kernel([u], [v])[0, 0])) - enclosed(kernel(name), u, v)
        rows.append((k, float(error) / size, 0.0))
    compare(rows, atol=1e-13, min_points=len(bends))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_gradient_against_balls(name):
    """∂K/∂θ = E σ'(X) σ'(Y) (w - (c/q_v) θ) + (E σ(X) Y σ'(Y)/q_v) θ."""
    one, rows = np.ones((1, 1)), []
    mod = module(name)
    for k, (w, theta) in enumerate(pairs(2, 1.0, 0.0)):
        nodes = mod._nodes("w", w[None], one), mod._nodes("theta", theta[None], one)
        _, pull = mod._values_and_pulls(*nodes)
        by_c = float(enclosed(kernel(name, 1, 1, 0), w, theta))
        own = float(enclosed(kernel(name, 0, 1, 1), w, theta))
        q, c = float(dot(theta, theta)), float(dot(w, theta))
        wanted = by_c * (w - c / q * theta) + own / q * theta
        size = np.sqrt(float(enclosed(kernel(name), w, w))) + np.linalg.norm(w)
        rows += [((k, i), pull[0, i] / size, wanted[i] / size) for i in range(3)]
    compare(rows, atol=2e-12, min_points=6)


@pytest.mark.parametrize("name", OPEN)
def test_zero_and_tiny_rows(name):
    mod, sigma = module(name), SIGMA[name]
    u = np.array([0.6, -1.2, 0.4])
    rows = np.array([np.zeros(3), [1e-170, 0, 0], [1e-200, 1e-200, 0], [-1e-9, 0, 0]])
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    mean = weights @ sigma(np.linalg.norm(u) * nodes) / weights.sum()
    K = mod.kernel([u], rows)[0]
    wanted = sigma(0.0) * mean
    compare(
        [(i, x, wanted) for i, x in enumerate(K)],
        atol=2e-9,  # the slope of K° times the longest of these rows
        min_points=4,
    )
    compare([(i, x, wanted) for i, x in enumerate(K[:3])], atol=1e-13, min_points=3)
    value, by_theta, _ = mod.loss_and_grad([u], rows)
    assert np.isfinite(value)
    # At θ = 0: ∂K/∂θ = σ'(0) E σ'(X) w, and 2 (∂K°/∂q) θ = 0.
    slope = float(sympy.diff(symcomp.activation(name).expr, X).subs(X, 0))
    means = float(enclosed(kernel(name, 1, 1, 0), u, np.zeros(3)))
    own = float(enclosed(kernel(name, 1, 1, 0), rows[0], rows[0]))
    wanted_row = -2 / 4 * means * u + 2 / 16 * own * rows.sum(axis=0)
    assert slope**2 == pytest.approx(own, rel=1e-14)
    compare([(i, by_theta[0, i], wanted_row[i]) for i in range(3)], atol=1e-12, min_points=3)


def test_relative_accuracy_where_sigma_vanishes_to_third_order():
    u, v = np.array([1e-3, 0.0]), np.array([5e-4, 1.5e-3])
    got = symcomp.generate("tanh(x/2)**3").load().kernel([u], [v])[0, 0]
    wanted = enclosed(symcomp.dual_kernel("tanh(x/2)**3"), u, v)
    compare([("kernel", got, float(wanted))], rtol=1e-12, min_points=1)


# ---- losses --------------------------------------------------------------------------------------


def networks(seed: int = 0, k: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    outer = (k,) if k else ()
    W, Theta = rng.standard_normal((3, 2)), rng.standard_normal((2, 2))
    return W, Theta, rng.standard_normal((3, *outer)), rng.standard_normal((2, *outer))


@pytest.mark.slow
@pytest.mark.parametrize("name", OPEN)
def test_loss_against_its_enclosure(name):
    W, Theta, a, b = networks()
    wanted = symcomp.loss_enclosure(
        symcomp.TwoLayerNetwork(W, a, activation=name),
        symcomp.TwoLayerNetwork(Theta, b, activation=name),
        digits=15,
    )
    compare([(name, module(name).loss(W, Theta, a, b), float(wanted))], rtol=1e-12, min_points=1)


@pytest.mark.parametrize("name", OPEN)
@pytest.mark.parametrize("k", [0, 2])
def test_gradient_is_the_derivative_of_the_loss(name, k):
    """The error of central differences falls as the square of the step."""
    W, Theta, a, b = networks(1, k)
    rng = np.random.default_rng(5)
    along, beside = rng.standard_normal(Theta.shape), rng.standard_normal(b.shape)
    mod = module(name)
    value, by_theta, by_b = mod.loss_and_grad(W, Theta, a, b)
    assert value == pytest.approx(mod.loss(W, Theta, a, b), rel=1e-13)
    slope = np.sum(by_theta * along) + np.sum(by_b * beside)
    steps = 2.0 ** -np.arange(3, 8)
    ends = [
        [mod.loss(W, Theta + s * h * along, a, b + s * h * beside) for s in (1, -1)] for h in steps
    ]
    errors = [abs((x - y) / (2 * h) - slope) for (x, y), h in zip(ends, steps, strict=True)]
    orders = -np.diff(np.log2(errors))
    assert np.all(np.abs(orders - 2) < 0.1), orders


@pytest.mark.parametrize("name", OPEN)
def test_a_copy_has_no_loss_and_kernels_are_symmetric(name):
    rng = np.random.default_rng(3)
    W = rng.standard_normal((300, 5))  # more than one strip of pairs
    a = rng.standard_normal((300, 2))
    mod = module(name)
    assert 0 <= mod.loss(W, W, a, a) <= 1e-13 * mod.loss(W, W[:1], a, a[:1])
    order = rng.permutation(300)
    assert mod.loss(W, W[order], a, a[order]) <= 1e-13 * mod.loss(W, W[:1], a, a[:1])
    K = mod.kernel(W, W)
    assert np.abs(K - K.T).max() <= 1e-13 * np.abs(K).max()
    assert np.linalg.eigvalsh(K)[0] >= -1e-12 * len(W)
    target = mod.Target(W, a)
    assert mod.loss(target, W[:9], b=a[:9]) == pytest.approx(
        mod.loss(W, W[:9], a, a[:9]), rel=1e-12
    )


@pytest.mark.parametrize("name", ["tanh", "silu"])
def test_simplified_is_the_limit_of_the_loss_in_the_plane(name):
    """E w = μ, w = μ ± e: the simplified target is a row of variance τ² and covariance <μ, θ>."""
    mu, tau = np.array([0.3, 0.8]), 1.5
    Theta, b = np.array([[0.5, 1.0], [-2.0, 0.25]]), np.array([0.75, -0.5])
    lift = np.sqrt(tau**2 - mu @ mu)
    # The mean over independent copies: <w, w'> = |μ|², <w, θ> = <μ, θ>, from two rows in R^4.
    rows = np.array([[*mu, lift, 0.0], [*mu, 0.0, lift]])
    padded = np.hstack([Theta, np.zeros((2, 2))])
    K = module(name).kernel(rows, np.vstack([rows, padded]))
    own = module(name).kernel(Theta, Theta)
    wanted = K[0, 1] - b @ K[0, 2:] + b @ own @ b / 4
    value, by_theta, by_b = module(name).simplified_and_grad(tau, mu, Theta, b)
    assert value == pytest.approx(module(name).simplified(tau, mu, Theta, b), rel=1e-13)
    compare([("F", value, wanted)], rtol=1e-12, min_points=1)
    h = 1e-5
    moved = [module(name).simplified(tau, mu, Theta + s * h, b + s * h) for s in (1, -1)]
    assert by_theta.sum() + by_b.sum() == pytest.approx((moved[0] - moved[1]) / (2 * h), rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("reach", [1.0, 5.0])
def test_second_derivative_across_a_row_against_balls(reach):
    """For δ ⟂ θ: d²K(w, θ + tδ) = E σ''(X) σ''(Y) <w, δ>² + 2 (∂K°/∂q_v) |δ|²."""
    mod, one = module("tanh"), np.ones((1, 1))
    w, theta, delta = reach * np.array([[0.5, 1.0], [1.25, 0.0], [0.0, 0.75]])
    nodes = mod._nodes("w", w[None], one), mod._nodes("theta", theta[None], one)
    _, turn = mod._tangents(*nodes, None, mod._Move(delta[None], 0 * one))
    curve, slope, own = (
        float(enclosed(kernel("tanh", *orders), w, theta))
        for orders in ((2, 2, 0), (1, 1, 0), (0, 1, 1))
    )
    by_q = (own - (w @ theta) * slope) / (theta @ theta)
    wanted = curve * (w @ delta) ** 2 + by_q * (delta @ delta)
    compare([(reach, turn[0] @ delta, wanted)], rtol=1e-10, min_points=1)


@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_second_derivative_is_that_of_the_gradient(name):
    W, Theta, a, b = networks(7)
    rng = np.random.default_rng(8)
    along, beside = rng.standard_normal(Theta.shape), rng.standard_normal(b.shape)
    mod = module(name)
    by_theta, by_b = mod.hessian_vector_product(W, Theta, along, beside, a, b)
    errors = []
    for h in 2.0 ** -np.arange(4, 8):
        ends = [
            mod.loss_and_grad(W, Theta + s * h * along, a, b + s * h * beside)[1:] for s in (1, -1)
        ]
        slopes = [(x - y) / (2 * h) for x, y in zip(*ends, strict=True)]
        errors.append(np.linalg.norm(np.append(slopes[0] - by_theta, slopes[1] - by_b)))
    assert np.all(np.abs(-np.diff(np.log2(errors)) - 2) < 0.1), errors


def test_the_bound_of_the_loss_holds_and_is_small():
    W, Theta, a, b = networks()
    exact_loss = symcomp.loss_enclosure(
        symcomp.TwoLayerNetwork(W, a, activation="tanh"),
        symcomp.TwoLayerNetwork(Theta, b, activation="tanh"),
        digits=15,
    )
    value, bound = module("tanh").loss(W, Theta, a, b, return_error=True)
    assert abs(value - float(exact_loss)) <= bound < 1e-11 * value


def test_rows_beyond_the_table_are_refused():
    mod = module("tanh")
    mod.kernel([[8.0, 0.0]], [[0.0, -8.0]])
    for call in (
        lambda: mod.kernel([[1.0, 0.0]], [[9.0, 0.0]]),
        lambda: mod.loss([[1.0]], [[1e300]]),
        lambda: mod.simplified(9.0, [0.0], [[1.0]]),
    ):
        with pytest.raises(ValueError, match=r"reaches \|row\| = .*; expected at most 8, where"):
            call()
    with pytest.raises(ValueError, match="Theta contains NaN or infinity"):
        mod.loss([[1.0]], [[np.inf]])


# ---- the source ----------------------------------------------------------------------------------


def test_a_damaged_table_is_not_written():
    ker = symcomp.dual_kernel("tanh")
    table = tables(ker.left)
    (part,) = table.parts
    for place, kept in ((0, 3), (5, 0)):
        row = part.rows[place]
        size = max(map(abs, row.coefficients))
        wrong = list(row.coefficients)
        wrong[kept] += max(size >> 22, 1)
        rows = (
            *part.rows[:place],
            replace(row, coefficients=tuple(wrong)),
            *part.rows[place + 1 :],
        )
        damaged = replace(table, parts=(replace(part, rows=rows),))
        with pytest.raises(ArgumentError, match="tanh, whose tables are off by"):
            tabulated_source(ker, damaged)


def test_the_same_bytes_whatever_the_hash_seed():
    code = "import symcomp; print(symcomp.generate('tanh').source, end='')"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "3", "PYTHONIOENCODING": "utf-8"},
    )
    assert run.stdout == generated("tanh").source.encode()


@pytest.mark.parametrize("name", OPEN)
def test_source_states_its_range_and_its_error_and_stays_small(name):
    source = generated(name).source
    header = source.split('"""')[1]
    assert "for rows of length at most 8." in " ".join(header.split())
    assert "Accuracy: at 8 pairs of rows" in header
    assert "K° was within 1e-13" in " ".join(header.split())
    assert "scipy" not in source
    assert len(source.encode()) < 100_000
