import ast
import importlib
import os
import pickle
import subprocess
import sys
import traceback
import tracemalloc
from functools import cache
from pathlib import Path
from types import ModuleType

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from scipy import special
from threadpoolctl import threadpool_limits

import symcomp
from proofs_checks import oracles
from symcomp.errors import ArgumentError, ExpressionError
from tests.comparison import compare
from tests.generated import generated, module

X = sympy.Symbol("x", real=True)
DIGITS = 60

# name -> (σ, degree) of positively homogeneous activations, σ written for mpmath
HOMOGENEOUS = {
    "relu": (lambda x: max(x, mpf(0)), 1),
    "abs": (abs, 1),
    "identity": (lambda x: x, 1),
    "leaky_relu:slope=1/10": (lambda x: max(x, x / 10), 1),
    "leaky_relu:slope=-1/2": (lambda x: max(x, -x / 2), 1),
    "step": (lambda x: (mpmath.sign(x) + 1) / 2, 0),
    "sign": (mpmath.sign, 0),
    "Max(0,x)**2": (lambda x: max(x, mpf(0)) ** 2, 2),
    "x*Abs(x)": (lambda x: x * abs(x), 2),
    "Max(0,x)**3": (lambda x: max(x, mpf(0)) ** 3, 3),
}
ORTHANTS = ["hard_tanh", "selu"]
GENERAL = ["gelu", "erf", "Max(0,x)+x**2", "sin", "exp(-x**2)", *ORTHANTS]


@cache
def draw(*shape: int, seed: int = 0) -> np.ndarray:
    array = np.random.default_rng((seed, *shape)).standard_normal(shape)
    array.setflags(write=False)
    return array


# ---- oracles in mpmath, from the integral over the angle -----------------------------------------


def kappa_relu(rho: mpf) -> mpf:
    """(1/2π) ∫ cos t cos(t - φ) where both are positive, times ∫ r³ exp(-r²/2) = 2; ρ = cos φ."""
    sine = mpmath.sqrt((1 - rho) * (1 + rho))
    return ((mpmath.pi - mpmath.acos(rho)) * rho + sine) / (2 * mpmath.pi)


def slope_relu(rho: mpf) -> mpf:
    return (mpmath.pi - mpmath.acos(rho)) / (2 * mpmath.pi)


def kernel_relu(u: list[mpf], v: list[mpf]) -> mpf:
    length = mpmath.sqrt(mpmath.fdot(u, u) * mpmath.fdot(v, v))
    if length == 0:
        return mpf(0)
    return length * kappa_relu(min(max(mpmath.fdot(u, v) / length, mpf(-1)), mpf(1)))


def loss_relu(W, Theta, a, b) -> mpf:
    """(S0) for ReLU, term by term; several outputs add up."""
    networks = [(mpf(1) / len(W), W, np.reshape(a, (len(W), -1)))]
    networks.append((-mpf(1) / len(Theta), Theta, np.reshape(b, (len(Theta), -1))))
    nodes = [
        (scale, [mpmath.mpf(x) for x in row], [mpmath.mpf(x) for x in outer])
        for scale, rows, weights in networks
        for row, outer in zip(rows, weights, strict=True)
    ]
    return mpmath.fsum(
        s * t * mpmath.fdot(p, q) * kernel_relu(u, v) for s, u, p in nodes for t, v, q in nodes
    )


def simplified_relu(tau, mu, Theta, b) -> mpf:
    """(S1) for ReLU."""
    tau, mu = mpf(tau), [mpf(x) for x in mu]
    square, M = mpmath.fdot(mu, mu), len(Theta)
    cross = mpf(0)
    for row, weight in zip(Theta, b, strict=True):
        r = mpmath.sqrt(mpmath.fdot(row, row))
        cross += mpf(weight) * tau * r * kappa_relu(mpmath.fdot(mu, row) / (tau * r))
    own = loss_relu([[0.0] * len(mu)], Theta, [0.0], b)
    return tau**2 * kappa_relu(square / tau**2) - 2 * cross / M + own


def gradient(function, Theta: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences in mpmath, exact to about 30 digits."""
    with mpmath.workdps(DIGITS + 30):
        h = mpf(10) ** -20

        def slope(array: np.ndarray, index: tuple[int, ...], call) -> mpf:
            ends = []
            for step in (h, -h):
                moved = np.array([mpf(x) for x in array.ravel()]).reshape(array.shape)
                moved[index] += step
                ends.append(call(moved))
            return (ends[0] - ends[1]) / (2 * h)

        by_theta = [slope(Theta, i, lambda t: function(t, b)) for i in np.ndindex(Theta.shape)]
        by_b = [slope(b, i, lambda t: function(Theta, t)) for i in np.ndindex(b.shape)]
    return np.reshape(by_theta, Theta.shape), np.reshape(by_b, b.shape)


def compare_arrays(label: str, got: np.ndarray, wanted: np.ndarray, **tolerance: float) -> None:
    assert got.shape == wanted.shape
    compare(
        ((f"{label}{i}", got[i], wanted[i]) for i in np.ndindex(got.shape)),
        min_points=got.size,
        **tolerance,
    )


# ---- κ and κ' ------------------------------------------------------------------------------------


def correlations() -> np.ndarray:
    """Correlations all over [-1, 1], with ±(1 - 10^-k), ±1 and their neighbours."""
    outer = 1 - 10.0 ** -np.arange(1, 17)
    inner = np.random.default_rng(7).uniform(-1, 1, 1500)
    tiny = 10.0 ** -np.arange(1, 30, 3)
    crowd = -1 + 2.0 ** -np.arange(1, 54)
    return np.concatenate([[-1, 1, 0], outer, -outer, inner, tiny, -tiny, crowd, -crowd])


def ulps(mod: ModuleType) -> list[tuple[str, float]]:
    """The error of κ and κ' at every correlation, in ulp of the true value."""
    points = correlations()
    rows = []
    with mpmath.workdps(DIGITS):
        for name, got, true in zip(
            ("κ", "κ'"), mod._correlation(points), (kappa_relu, slope_relu), strict=True
        ):
            for x, y in zip(points, got, strict=True):
                wanted = true(mpf(x))
                error = abs(mpf(y) - wanted) / mpf(np.spacing(float(wanted)))
                rows.append((f"{name}({float(x)!r})", float(error)))
    return rows


def test_relu_is_within_8_ulp_at_every_correlation():
    rows = ulps(module())
    compare([(label, error, 0) for label, error in rows], atol=8, min_points=3000)
    assert max(error for _, error in rows) > 0.5  # rounding is there to be seen


@pytest.mark.parametrize(("name", "stated"), [("κ", 8), ("κ'", 4)])
def test_header_states_an_accuracy_that_holds(name, stated):
    assert "Accuracy: κ within 8 ulp and κ' within 4 ulp." in generated("relu").source
    worst = max(error for label, error in ulps(module()) if label.startswith(f"{name}("))
    assert stated / 8 < worst <= stated


def test_ends_are_exact_and_beyond_them_nothing_is_nan():
    kappa, slope = module()._correlation(np.array([-1.0, 1.0]))
    assert kappa.tolist() == [0.0, 0.5]
    assert slope.tolist() == [0.0, 0.5]
    beyond = np.nextafter([-1.0, 1.0], [-2.0, 2.0])
    for got, wanted in zip(module()._correlation(beyond), (kappa, slope), strict=True):
        assert got.tolist() == wanted.tolist()


def mutants() -> list[tuple[str, str]]:
    """Constants of κ and κ' in the source, paired with ones that differ from the 12th digit on."""
    source = generated("relu").source
    constants = [
        repr(node.value)
        for function in ast.parse(source).body
        if isinstance(function, ast.FunctionDef)
        and function.name in ("_angles", "_kappa", "_slope")
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    # The later coefficients of the series matter less, by the size of their terms at the switch.
    return [
        (text, repr(float(text) * (1 + 1e-12))) for text in constants if abs(float(text)) > 1e-4
    ]


@pytest.mark.parametrize("which", range(4))
def test_a_changed_constant_is_noticed(which):
    kept = [pair for pair in mutants() if pair[0] not in ("1.0", "1.1875", "0.75", "0.861")]
    assert len(kept) >= 4
    old, new = kept[which]
    changed = symcomp.codegen.Generated(
        generated("relu").activation, generated("relu").source.replace(old, new, 1)
    )
    assert max(error for _, error in ulps(changed.load())) > 8


def test_without_the_series_accuracy_is_lost():
    source = generated("relu").source.replace("if t.square <= 0.861:", "if False:")
    changed = symcomp.codegen.Generated(generated("relu").activation, source)
    assert max(error for _, error in ulps(changed.load())) > 1e6


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_kappa_of_every_homogeneous_activation(name):
    sigma, degree = HOMOGENEOUS[name]
    points = [-1.0, -0.9999, -0.7, -0.31, 0.0, 0.2, 0.8, 0.999999, 1.0]
    kappa, _ = module(name)._correlation(points)
    wanted = [oracles.homogeneous(sigma, sigma, 2 * degree, 1, 1, x, digits=25) for x in points]
    scale = float(max(map(abs, wanted)))
    compare(zip(points, kappa, wanted, strict=True), atol=2e-15 * scale, min_points=9)


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_slope_is_the_derivative_of_kappa(name):
    sigma, degree = HOMOGENEOUS[name]
    points = [-0.93, -0.4, 0.15, 0.77]
    _, slope = module(name)._correlation(points)

    def difference(x: float) -> mpf:
        h = mpf(10) ** -12
        ends = [
            oracles.homogeneous(sigma, sigma, 2 * degree, 1, 1, mpf(x) + s, digits=40)
            for s in (h, -h)
        ]
        return (ends[0] - ends[1]) / (2 * h)

    with mpmath.workdps(50):
        rows = [(x, y, difference(x)) for x, y in zip(points, slope, strict=True)]
    scale = float(max(abs(w) for _, _, w in rows))
    compare(rows, atol=5e-15 * scale, min_points=4)


# ---- the kernel ----------------------------------------------------------------------------------


def test_kernel_of_random_and_of_almost_parallel_rows():
    U = draw(6, 3)
    rows = []
    with mpmath.workdps(DIGITS):
        for step in (1.0, 1e-3, 1e-6, 1e-9, 1e-12):
            for sign in (1.0, -1.0):
                V = sign * (U + step * draw(6, 3, seed=1))
                K = module().kernel(U, V)
                for i, j in np.ndindex(K.shape):
                    wanted = kernel_relu([*map(mpf, U[i])], [*map(mpf, V[j])])
                    rows.append(((step, sign, i, j), K[i, j], wanted))
    compare(rows, atol=1e-15, rtol=2e-15, min_points=360)


@pytest.mark.parametrize("d", [1, 2, 3, 64, 512])
def test_opposite_rows_have_kernel_exactly_zero(d):
    U = draw(40, d)
    for factor in (-1.0, -3.0, -1e-5):
        assert not np.diag(module().kernel(U, factor * U)).any()


def test_kernel_at_the_ends_of_the_float_range():
    U = np.array([[1e150, 2e150], [3e-308, 1e-309], [0, 0], [5e-324, 0], [1, 2], [1e-200, 3e-200]])
    K = module().kernel(U, U)
    with mpmath.workdps(DIGITS):
        rows = [
            ((i, j), K[i, j], kernel_relu([*map(mpf, U[i])], [*map(mpf, U[j])]))
            for i, j in np.ndindex(K.shape)
        ]
    compare(rows, rtol=4e-15, atol=5e-324, min_points=36)


@pytest.mark.parametrize(
    ("name", "sigma"), [("gelu", lambda x: x * special.ndtr(x)), ("erf", special.erf)]
)
def test_kernel_of_smooth_activations(name, sigma):
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights /= weights.sum()
    U, V = draw(3, 3) / 2, draw(3, 3, seed=1) / 2
    rows = []
    for i, j in np.ndindex(3, 3):
        r, s = np.linalg.norm(U[i]), np.linalg.norm(V[j])
        rho = U[i] @ V[j] / (r * s)
        second = s * (rho * nodes[:, None] + np.sqrt(1 - rho**2) * nodes)
        mean = weights @ (sigma(r * nodes)[:, None] * sigma(second)) @ weights
        rows.append(((i, j), module(name).kernel(U, V)[i, j], mean))
    compare(rows, atol=1e-12, min_points=9)


def test_kernel_of_an_activation_with_a_kink_that_is_not_homogeneous():
    u, v = draw(2, 3)
    wanted = oracles.expectation(
        *[lambda x: max(x, mpf(0)) + x**2] * 2, u @ u, v @ v, u @ v, digits=14
    )
    got = module("Max(0,x)+x**2").kernel([u], [v])[0, 0]
    compare([("kernel", got, wanted)], rtol=5e-15)


# ---- the loss and its gradients ------------------------------------------------------------------


def small_networks(k: int = 0, d: int = 3) -> tuple[np.ndarray, ...]:
    outer = (k,) if k else ()
    return draw(4, d), draw(3, d, seed=1), draw(4, *outer, seed=2), draw(3, *outer, seed=3)


def test_loss_is_the_integral():
    W, Theta, a, b = small_networks(d=2)
    wanted = oracles.loss_by_quadrature(W, Theta, a, b, digits=20)
    compare([("loss", module().loss(W, Theta, a, b), wanted)], rtol=1e-14)
    ones = oracles.loss_by_quadrature(W, Theta, digits=20)
    compare([("default weights", module().loss(W, Theta), ones)], rtol=1e-14)


@pytest.mark.parametrize("name", ["step", "abs", "Max(0,x)**2"])
def test_loss_of_other_activations_is_the_integral(name):
    sigma, degree = HOMOGENEOUS[name]
    W, Theta, a, b = small_networks(d=2)
    wanted = oracles.loss_by_quadrature(W, Theta, a, b, sigma, degree, digits=20)
    compare([(name, module(name).loss(W, Theta, a, b), wanted)], rtol=1e-13)


@pytest.mark.parametrize("k", [0, 1, 3])
def test_value_and_gradients_against_mpmath(k):
    W, Theta, a, b = small_networks(k)
    value, by_theta, by_b = module().loss_and_grad(W, Theta, a, b)
    with mpmath.workdps(DIGITS):
        compare([("loss", value, loss_relu(W, Theta, a, b))], rtol=1e-14)
    wanted = gradient(lambda t, s: loss_relu(W, t, a, s), Theta, b)
    compare_arrays("dTheta", by_theta, wanted[0], atol=2e-15)
    compare_arrays("db", by_b, wanted[1], atol=2e-15)


@pytest.mark.parametrize("angle", [1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradient_of_almost_parallel_rows(angle, sign):
    W = draw(2, 3)
    Theta = sign * (W + angle * draw(2, 3, seed=5))
    _, by_theta, _ = module().loss_and_grad(W, Theta)
    ones = np.ones(2)
    wanted, _ = gradient(lambda t, s: loss_relu(W, t, ones, s), Theta, ones)
    # A gradient computed from ρ alone would be off by 10^-16/angle here.
    compare_arrays("dTheta", by_theta, wanted, atol=1e-15)


@pytest.mark.parametrize(("tau", "beta"), [(1.3, 0.0), (1.3, 0.4), (0.7, 1.0), (2.0, 0.999999)])
def test_simplified_against_mpmath(tau, beta):
    Theta, b = draw(3, 3), draw(3, seed=4)
    direction = np.array([2.0, -1.0, 2.0]) / 3
    mu = beta * tau * direction
    value, by_theta, by_b = module().simplified_and_grad(tau, mu, Theta, b)
    assert value == module().simplified(tau, mu, Theta, b) or beta == 1
    with mpmath.workdps(DIGITS):
        true_tau = mpf(tau) if beta < 1 else mpmath.sqrt(mpmath.fsum(mpf(x) ** 2 for x in mu))
        compare([("F", value, simplified_relu(true_tau, mu, Theta, b))], rtol=2e-14)
    wanted = gradient(lambda t, s: simplified_relu(true_tau, mu, t, s), Theta, b)
    compare_arrays("dTheta", by_theta, wanted[0], atol=4e-15)
    compare_arrays("db", by_b, wanted[1], atol=4e-15)


def test_simplified_is_the_integral():
    Theta, mu = draw(3, 2), np.array([0.6, 0.3])
    wanted = oracles.simplified_by_quadrature(1.5, mu, Theta, digits=16)
    compare([("F", module().simplified(1.5, mu, Theta), wanted)], rtol=1e-14)


SLOPE_STEPS = 2.0 ** -np.arange(4, 10)


def slopes(mod: ModuleType, call: str, *arguments) -> list[float]:
    """log2 of the error's decrease when the step of central differences along a line is halved."""
    value, gradient_of = getattr(mod, call), getattr(mod, f"{call}_and_grad")
    *fixed, Theta, b = arguments
    direction, other = draw(*Theta.shape, seed=8), draw(*b.shape, seed=9)
    _, by_theta, by_b = gradient_of(*fixed, Theta, b=b)
    exact = np.vdot(by_theta, direction) + np.vdot(by_b, other)
    errors = []
    for h in SLOPE_STEPS:
        ends = [value(*fixed, Theta + s * h * direction, b=b + s * h * other) for s in (1, -1)]
        errors.append(abs((ends[0] - ends[1]) / (2 * h) - exact))
    return list(np.log2(np.array(errors[:-1]) / errors[1:]))


@pytest.mark.parametrize("name", [*HOMOGENEOUS, *GENERAL])
def test_differences_converge_to_the_gradient_at_second_order(name):
    target = module(name).Target(draw(5, 4), draw(5, seed=2))
    Theta, b = draw(3, 4, seed=1), draw(3, seed=3)
    assert slopes(module(name), "loss", target, Theta, b) == pytest.approx([2] * 5, abs=0.3)
    mu = np.array([0.3, -0.2, 0.1, 0.4])
    assert slopes(module(name), "simplified", 1.1, mu, Theta, b) == pytest.approx([2] * 5, abs=0.3)


def test_a_wrong_gradient_has_no_second_order():
    source = generated("relu").source
    changed = source.replace("2.0 * (own_pulls - cross_pulls)", "2.001 * (own_pulls - cross_pulls)")
    assert changed != source
    mod = symcomp.codegen.Generated(generated("relu").activation, changed).load()
    got = slopes(mod, "loss", mod.Target(draw(5, 4)), draw(3, 4, seed=1), draw(3, seed=3))
    assert abs(got[-1] - 2) > 1


# ---- coinciding, opposite, zero ------------------------------------------------------------------


@pytest.mark.parametrize("name", HOMOGENEOUS)
@pytest.mark.parametrize("d", [1, 2, 100])
def test_an_exact_copy_has_loss_and_gradient_zero(name, d):
    W, mod = draw(30, d), module(name)
    scale = float(mod.kernel(W, W).max())
    for order in (slice(None), slice(None, None, -1)):
        value, by_theta, by_b = mod.loss_and_grad(W, W[order])
        assert 0 <= value <= 1e-15 * scale
        assert 0 <= mod.loss(W, W[order]) <= 1e-15 * scale
        assert np.abs(by_theta).max() <= 4e-15 * scale
        assert np.abs(by_b).max() <= 4e-15 * scale


def test_an_opposite_pair():
    W = draw(1, 5)
    value, by_theta, _ = module().loss_and_grad(W, -W)
    assert value == pytest.approx(float(np.sum(W**2)), rel=1e-15)
    np.testing.assert_allclose(by_theta, -W, rtol=1e-15)


def test_at_a_zero_row_the_gradient_is_the_mean_of_both_sides():
    W, Theta = draw(5, 3), np.vstack([np.zeros(3), draw(1, 3, seed=1)])
    _, by_theta, by_b = module().loss_and_grad(W, Theta)
    assert by_b[0] == 0
    h = 1e-7
    for axis in np.eye(3):
        ends = [module().loss(W, Theta + s * h * np.outer([1, 0], axis)) for s in (1, -1)]
        assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(by_theta[0] @ axis, abs=1e-7)


@pytest.mark.parametrize("name", [*HOMOGENEOUS, *GENERAL])
def test_gradients_are_finite_where_rows_coincide_or_vanish(name):
    W = np.array([[1.0, 2.0], [0.0, 0.0], [-1.0, -2.0], [2.0, 4.0], [1e-30, 0.0]])
    for Theta in (W, -W, np.zeros((2, 2))):
        value, by_theta, by_b = module(name).loss_and_grad(W, Theta)
        assert np.isfinite(value)
        assert np.isfinite(by_theta).all()
        assert np.isfinite(by_b).all()


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 5), st.integers(1, 4))
def test_laws_of_the_relu_loss(seed, N, M, d):
    rng = np.random.default_rng(seed)
    W, Theta, a, b = (rng.standard_normal(s) for s in ((N, d), (M, d), N, M))
    value, by_theta, by_b = module().loss_and_grad(W, Theta, a, b)
    assert value >= 0
    # Euler: scaling row j is scaling b_j.
    np.testing.assert_allclose(np.sum(by_theta * Theta, axis=1), b * by_b, atol=1e-13)
    # A factor moves freely between |θ_j| and b_j, and the loss is a square.
    t = rng.uniform(0.1, 10)
    assert module().loss(W, t * Theta, a, b / t) == pytest.approx(value, rel=1e-12, abs=1e-14)
    assert module().loss(t * W, t * Theta, a, b) == pytest.approx(t * t * value, abs=1e-12 * t * t)
    # A rotation changes nothing, and the loss is symmetric.
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    assert module().loss(W @ Q, Theta @ Q, a, b) == pytest.approx(value, rel=1e-11, abs=1e-13)
    assert module().loss(Theta, W, b, a) == pytest.approx(value, rel=1e-12, abs=1e-14)


# ---- shapes, types, targets ----------------------------------------------------------------------


def test_a_target_stands_where_W_does_and_holds_its_own_copy():
    W, Theta, a, b = (np.array(x) for x in small_networks(2))
    wanted = module().loss_and_grad(W, Theta, a, b)
    target = module().Target(W, a)
    W[:], a[:] = 0, 0
    for got, want in zip(module().loss_and_grad(target, Theta, b=b), wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    assert module().loss(target, Theta, b=b) == pytest.approx(wanted[0], rel=1e-14)


def test_tiles_do_not_show():
    W, Theta = draw(1500, 7), draw(600, 7, seed=1)
    a, b = draw(1500, seed=2), draw(600, seed=3)
    K = [module().kernel(u, v) for u, v in ((W, W), (W, Theta), (Theta, Theta))]
    np.testing.assert_array_equal(K[0][1200:1210, :70], module().kernel(W[1200:1210], W[:70]))
    L = a @ K[0] @ a / 1500**2 - 2 * (a @ K[1] @ b) / (1500 * 600) + b @ K[2] @ b / 600**2
    value, _, by_b = module().loss_and_grad(W, Theta, a, b)
    assert value == pytest.approx(L, rel=1e-12)
    np.testing.assert_allclose(by_b, 2 / 600 * (K[2] @ b / 600 - K[1].T @ a / 1500), atol=1e-15)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: np.repeat(x, 3, axis=-1)[..., ::3],
        lambda x: x[::-1][::-1],
        lambda x: x.tolist(),
        lambda x: x.astype(np.longdouble),
        lambda x: x.astype(">f8"),
    ],
)
def test_layout_and_container_do_not_matter(change):
    arguments = small_networks(2)
    wanted = module().loss_and_grad(*arguments)
    for got, want in zip(module().loss_and_grad(*map(change, arguments)), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-16)


def test_float32_and_integers_are_computed_in_float64():
    narrow = [x.astype(np.float32) for x in small_networks()]
    wide = [x.astype(np.float64) for x in narrow]
    for got, want in zip(
        module().loss_and_grad(*narrow), module().loss_and_grad(*wide), strict=True
    ):
        np.testing.assert_array_equal(got, want)
        assert np.asarray(got).dtype == np.float64
    assert module().loss([[1, 2]], [[2, 1]]) == module().loss([[1.0, 2.0]], [[2.0, 1.0]])


def test_shapes_of_the_results():
    W, Theta = draw(4, 3), draw(2, 3, seed=1)
    shapes = {
        (None, None): (2,),
        ((4,), (2,)): (2,),
        ((4, 1), (2, 1)): (2, 1),
        ((4, 3), (2, 3)): (2, 3),
        ((4, 3), None): (2, 3),
        (None, (2, 3)): (2, 3),
        (None, (2,)): (2,),
    }
    for (of_a, of_b), wanted in shapes.items():
        a, b = (None if s is None else np.ones(s) for s in (of_a, of_b))
        value, by_theta, by_b = module().loss_and_grad(W, Theta, a, b)
        assert isinstance(value, float)
        assert by_theta.shape == (2, 3)
        assert by_b.shape == wanted
    assert module().kernel(W, Theta).shape == (4, 2)
    assert module().loss_and_grad(W, Theta[:1])[2].shape == (1,)
    assert module().simplified_and_grad(1, np.zeros(3), Theta)[2].shape == (2,)


def test_two_outputs_are_the_sum_of_the_losses():
    W, Theta, a, b = small_networks(2)
    both = module().loss(W, Theta, a, b)
    each = [module().loss(W, Theta, a[:, i], b[:, i]) for i in range(2)]
    assert both == pytest.approx(sum(each), rel=1e-14)


def test_memory_stays_far_below_one_entry_a_pair():
    N, M, d = 20_000, 64, 8
    target = module().Target(draw(50, d))
    target.nodes = module()._nodes("W", draw(N, d), np.ones((N, 1)))  # spares the O(N²) term
    Theta = draw(M, d, seed=1)
    tracemalloc.start()
    with threadpool_limits(1):
        module().loss_and_grad(target, Theta)
        gradient_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        module().loss(draw(4000, d), Theta)
        energy_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    tiles = 6 * 8 * module().TILE
    assert gradient_peak < tiles + 8 * 8 * N < 8 * N * M
    assert energy_peak < 2 * tiles < 8 * 4000**2 / 8


# ---- errors --------------------------------------------------------------------------------------

GOOD = [[1.0, 2.0]]
BAD_LOSS = [
    (([[1.0, np.nan]], GOOD), r"W contains NaN or infinity; expected finite numbers"),
    ((GOOD, [[1.0, np.inf]]), r"Theta contains NaN or infinity"),
    (([1.0, 2.0], GOOD), r"W has shape \(2,\); expected \(rows, d\)"),
    ((np.zeros((2, 0)), GOOD), r"W has shape \(2, 0\)"),
    ((GOOD, [[1.0, 2.0, 3.0]]), r"Theta has shape \(1, 3\); expected \(1, 2\)"),
    ((GOOD, [[1.0, 2.0j]]), r"Theta has dtype complex128; expected real numbers"),
    ((GOOD, [["a", "b"]]), r"Theta has dtype <U1; expected real numbers"),
    ((GOOD, [[1.0, 2.0], [3.0]]), r"Theta is ragged; expected a rectangular array"),
    ((GOOD, GOOD, [1.0, 2.0]), r"a has shape \(2,\); expected \(1,\) or \(1, k\)"),
    ((GOOD, GOOD, [1.0], [[[1.0]]]), r"b has shape \(1, 1, 1\); expected \(1,\) or \(1, k\)"),
    ((GOOD, GOOD, [1.0], [[1.0, 2.0]]), r"b has 2 outputs; expected 1"),
    ((GOOD, GOOD, [np.nan]), r"a contains NaN or infinity"),
    ((GOOD, [[1e200, 0.0]]), r"Theta reaches .* = 1e\+200; expected less than 1e152"),
]
BAD_SIMPLIFIED = [
    ((0.0, [0.0, 0.0], GOOD), r"tau is 0.0; expected a positive finite number"),
    ((-1.0, [0.0, 0.0], GOOD), r"tau is -1.0"),
    ((np.nan, [0.0, 0.0], GOOD), r"tau is nan"),
    ((1.0, [2.0, 0.0], GOOD), r"mu has length 2.0; expected at most tau = 1.0"),
    ((1.0, [[0.0, 0.0]], GOOD), r"mu has shape \(1, 2\); expected \(d,\)"),
    ((1.0, [np.nan, 0.0], GOOD), r"mu contains NaN"),
    ((1.0, [0.0, 0.0, 0.0], GOOD), r"Theta has shape \(1, 2\); expected \(1, 3\)"),
    ((1.0, [0.0, 0.0], GOOD, [1.0, 2.0]), r"b has shape \(2,\)"),
    ((1.0, [0.0, 0.0], GOOD, [[1.0, 2.0]]), r"b has shape \(1, 2\); expected \(1,\)"),
    ((1e200, [0.0, 0.0], GOOD), r"tau reaches .* = 1e\+200"),
]


@pytest.mark.parametrize("call", ["loss", "loss_and_grad"])
@pytest.mark.parametrize(("arguments", "message"), BAD_LOSS)
def test_bad_arguments_of_the_loss(call, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(module(), call)(*arguments)


@pytest.mark.parametrize("call", ["simplified", "simplified_and_grad"])
@pytest.mark.parametrize(("arguments", "message"), BAD_SIMPLIFIED)
def test_bad_arguments_of_the_simplified_objective(call, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(module(), call)(*arguments)


def test_bad_arguments_of_kernel_and_target():
    with pytest.raises(ValueError, match=r"V has shape \(1, 1\); expected \(1, 2\)"):
        module().kernel(GOOD, [[1.0]])
    with pytest.raises(ValueError, match=r"a is given beside a Target"):
        module().loss(module().Target(GOOD), GOOD, a=[1.0])
    with pytest.raises(ValueError, match=r"W contains NaN"):
        module().Target([[np.nan, 1.0]])
    with pytest.raises(ValueError, match=r"W reaches \|row\|\^2 = 1e\+160; expected below 1e100"):
        module("gelu").Target([[1e80]])


def test_generate_refuses_what_it_cannot_derive():
    with pytest.raises(ExpressionError, match="with kinks at 0 and no closed form"):
        symcomp.generate("Max(0,tanh(x))")
    with pytest.raises(ArgumentError, match="found that of relu and abs, expected one activation"):
        symcomp.generate(symcomp.dual_kernel("relu", "abs"))


# ---- the source ----------------------------------------------------------------------------------


def test_every_kind_of_source_gives_the_same_module():
    wanted = generated("relu")
    for source in (symcomp.activation("relu"), symcomp.dual_kernel("relu")):
        assert symcomp.generate(source) == wanted
    body = wanted.source.split('"""', 2)[2]
    assert symcomp.generate(sympy.Max(0, X)).source.split('"""', 2)[2] == body


def test_the_same_bytes_whatever_the_hash_seed():
    names = ["relu", "gelu"]
    code = "import symcomp, sys; [print(symcomp.generate(n).source, end='') for n in sys.argv[1:]]"
    run = subprocess.run(
        [sys.executable, "-c", code, *names],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "3", "PYTHONIOENCODING": "utf-8"},
    )
    assert run.stdout == "".join(generated(name).source for name in names).encode()


@pytest.mark.parametrize("name", [*HOMOGENEOUS, *GENERAL])
def test_source_needs_numpy_alone_and_has_the_functions_promised(name):
    tree = ast.parse(generated(name).source)
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    imported |= {a.name for node in tree.body if isinstance(node, ast.Import) for a in node.names}
    others = {part for part in imported if part.split(".")[0] not in sys.stdlib_module_names}
    assert others <= {"numpy", "numpy.typing", *(["scipy.special"] if name in ORTHANTS else [])}
    public = ["Target", "hessian_vector_product", "kernel", "loss", "loss_and_grad", "simplified"]
    public += ["simplified_and_grad", "simplified_hessian_vector_product"]
    assert module(name).__all__ == public
    for function in public:
        assert getattr(module(name), function).__doc__
    assert f"Generated by symcomp {symcomp.__version__} from σ(x) = " in ast.get_docstring(tree)
    assert "\n\n\n\n" not in generated(name).source


def test_write_replaces_whole_and_the_module_pickles(tmp_path, monkeypatch):
    path = tmp_path / "relu_on_disk.py"
    path.write_text("old")
    generated("relu").write(path)
    assert path.read_text(encoding="utf-8") == generated("relu").source
    assert [p.name for p in tmp_path.iterdir()] == ["relu_on_disk.py"]
    monkeypatch.syspath_prepend(tmp_path)
    mod = importlib.import_module("relu_on_disk")
    try:
        W, Theta = draw(4, 3), draw(2, 3)
        call, target = pickle.loads(pickle.dumps((mod.loss_and_grad, mod.Target(W))))
        assert call(target, Theta)[0] == module().loss_and_grad(W, Theta)[0]
    finally:
        del sys.modules["relu_on_disk"]
    generated("relu").write(tmp_path / "missing" / "folder" / "relu.py")
    assert (tmp_path / "missing" / "folder" / "relu.py").read_bytes() == path.read_bytes()


def test_tracebacks_show_the_generated_line():
    try:
        module().loss([[np.nan]], [[1.0]])
    except ValueError as error:
        shown = "".join(traceback.format_exception(error))
    assert '_nodes("W", rows, outer_a)' in shown


def test_a_name_cannot_break_out_of_the_docstring():
    name = '"""\nraise SystemExit\n"""\\'
    act = symcomp.Activation(name, X, X)
    assert symcomp.generate(act).load().loss(GOOD, GOOD) == 0


# ---- probabilities of orthants -------------------------------------------------------------------


def rows_of_all_kinds() -> np.ndarray:
    """Oblique, parallel, opposite and nearly so, equal, short and zero rows."""
    u = np.array([1.25, -0.5, 0.75])
    v = np.array([0.5, 2.0, -0.25])
    rows = [u, v, 2 * u, -u, u + 1e-9 * v, -u + 1e-7 * v, 1e-8 * u, 0 * u, 6 * v]
    return np.array(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", ORTHANTS)
def test_kernel_with_orthants_against_balls(name):
    rows = rows_of_all_kinds()
    K = module(name).kernel(rows, rows)
    ker = symcomp.dual_kernel(name)
    exact = [[sympy.Rational(float(x)) for x in row] for row in rows]

    def product(i: int, j: int) -> sympy.Rational:
        return sum(x * y for x, y in zip(exact[i], exact[j], strict=True))

    def wanted(i: int, j: int) -> mpf:
        return ker.evaluate(product(i, i), product(j, j), product(i, j), digits=20)

    pairs = [(i, j) for i in (0, 1, 8) for j in range(i, len(rows))]
    compare([(f"K{i, j}", K[i, j], wanted(i, j)) for i, j in pairs], atol=2e-13, min_points=18)
    assert np.abs(K - K.T).max() < 1e-14


@pytest.mark.slow
@pytest.mark.parametrize("name", ORTHANTS)
def test_loss_with_orthants_of_a_perturbed_copy(name):
    W = draw(2, 2, seed=11)
    near = W + 1e-3 * draw(2, 2, seed=12)
    exact = symcomp.loss_enclosure(
        symcomp.TwoLayerNetwork(W, activation=name),
        symcomp.TwoLayerNetwork(near, activation=name),
        digits=8,
    )
    compare([(name, module(name).loss(W, near), float(exact))], atol=2e-14, min_points=1)
    assert module(name).loss(W, W) < 1e-14


def test_rows_too_long_for_orthants_are_refused():
    with pytest.raises(ValueError, match=r"W reaches \|row\|\^2 = 400; expected below 256"):
        module("selu").loss([[20.0]], [[1.0]])


def test_powers_that_lose_their_digits_are_refused():
    source = symcomp.generate("relu_power:k=10").source
    assert "κ within 256 ulp" in source or "κ within 128 ulp" in source
    with pytest.raises(ArgumentError, match="expected 2\\^20 ulp at most"):
        symcomp.generate("relu_power:k=12")


# ---- the committed modules -----------------------------------------------------------------------

COMMITTED = Path(__file__).parents[2] / "reports" / "generated"
NAMES = sorted(path.stem for path in COMMITTED.glob("*.py"))


def test_the_whole_catalogue_is_committed():
    assert set(NAMES) == set(symcomp.activations())
    assert len(NAMES) >= 31


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_committed_module_is_what_is_generated(name):
    assert generated(name).source == (COMMITTED / f"{name}.py").read_text(encoding="utf-8")


def test_the_catalogue_is_written_module_by_module(tmp_path, monkeypatch):
    monkeypatch.setattr(symcomp.codegen, "activations", lambda: ("identity", "relu", "sin"))
    paths = symcomp.codegen.write_catalogue(tmp_path)
    assert [path.name for path in paths] == ["identity.py", "relu.py", "sin.py"]
    for path in paths:
        assert path.read_bytes() == generated(path.stem).source.encode()
