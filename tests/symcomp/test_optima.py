from functools import cache, partial

import mpmath
import numpy as np
import pytest
import sympy
from scipy.optimize import minimize as scipy_minimize

from symcomp import generate, objectives
from symcomp.errors import ArgumentError
from symcomp.kernels import dual_kernel
from symcomp.optima import optimum
from tests.comparison import compare


@cache
def generated(name):
    return generate(name).load()


@pytest.fixture(scope="module")
def relu():
    return generated("relu")


@cache
def kappa(name):
    ker = dual_kernel(name)
    return sympy.lambdify(ker.rho, ker.correlation, "mpmath")


def cone_value(name, M, beta, s):
    """F on the equiangular cone at its best radius, from the statement of E4."""
    k, t = kappa(name), (M * s * s - 1) / (M - 1)
    energy = k(mpmath.mpf(1)) / M + (1 - mpmath.mpf(1) / M) * mpmath.re(k(t))
    return k(beta**2) - k(beta * s) ** 2 / energy


# ---- the optimum of F ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("M", "beta", "value", "cosine"),
    [(3, "0.4", 0.0218763540, 0.5683), (2, "0.2", 0.0458838949, 0.4885)],
)
def test_values_stated_in_the_theory(M, beta, value, cosine):
    best = optimum("relu", M, beta)
    compare([("F", best.value, value)], atol=5e-11)
    compare([("s", best.cosine, cosine)], atol=5e-5)
    assert best.claim == "E4"
    assert best.least_d == M


@pytest.mark.parametrize("name", ["relu", "leaky_relu:slope=1/10", "Max(0,x)**2"])
@pytest.mark.parametrize("M", [2, 5, 40])
def test_simplex_is_the_closed_form(name, M):
    best = optimum(name, M, tau="1.3", digits=40)
    closed = objectives.simplex_optimum(dual_kernel(name), sympy.Integer(M))
    at = {objectives.TAU: sympy.Rational(13, 10)}
    with mpmath.workdps(45):
        rows = [
            ("value", best.value, mpmath.mpf(sympy.N(closed.value.subs(at), 45))),
            ("radius", best.radius, mpmath.mpf(sympy.N(closed.radius.subs(at), 45))),
        ]
    compare(rows, rtol=1e-38)
    compare([("cosine", best.gram[0, 1], -1 / (M - 1)), ("s", best.cosine, 0)], rtol=1e-15)
    assert (best.claim, best.least_d) == ("E2", M - 1)


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu:slope=-1/2", "Max(0,x)**2"])
@pytest.mark.parametrize(("M", "beta"), [(2, "0.9"), (3, "0.05"), (8, "0.5"), (4, "0.999")])
def test_no_cone_is_better(name, M, beta):
    with mpmath.workdps(40):
        best, value = optimum(name, M, beta), partial(cone_value, name, M, mpmath.mpf(beta))
        assert min(value(mpmath.mpf(i) / 40) for i in range(-39, 40)) >= best.value
        compare([("value", best.value, value(best.cosine))], rtol=1e-28)
        # at a minimum the value moves by the square of the step
        small, large = (value(best.cosine + e) - best.value for e in (1e-8, -1e-7))
        compare([("quadratic", large / small, 100)], rtol=0.01)
        assert small > 0


@pytest.mark.parametrize(("M", "beta", "tau"), [(2, "0.2", 1), (3, "0.4", 2), (4, 0, "0.5")])
def test_no_network_found_is_better(relu, M, beta, tau):
    best = optimum("relu", M, beta, tau)
    t, d, rng = float(best.tau), M + 1, np.random.default_rng(0)
    mu = np.zeros(d)
    mu[0] = float(best.beta) * t

    def loss(x):
        value, slope, _ = relu.simplified_and_grad(t, mu, x.reshape(M, d))
        return value, slope.ravel()

    found = [
        scipy_minimize(loss, rng.standard_normal(M * d), jac=True, options={"gtol": 1e-10}).fun
        for _ in range(3)
    ]
    compare([("min F", value, best.value) for value in found], atol=1e-11 * t * t, min_points=3)


@pytest.mark.parametrize("name", ["relu", "abs", "Max(0,x)**2"])
@pytest.mark.parametrize(("M", "beta"), [(1, "0.3"), (2, "0.4"), (4, 0), (4, "0.7"), (3, 1)])
@pytest.mark.parametrize("seed", [None, 0])
def test_weights_attain_the_value(name, M, beta, seed):
    best = optimum(name, M, beta, "1.5")
    rng = None if seed is None else np.random.default_rng(seed)
    direction = np.array([1.0, -2.0, 0.5, 3.0, -1.0])
    mu = float(best.beta * best.tau) * direction / np.linalg.norm(direction)
    Theta = best.weights(mu, rng)
    assert Theta.shape == (M, 5)
    radius, v = float(best.radius), direction / np.linalg.norm(direction)
    gram = (Theta @ Theta.T / radius**2).ravel()
    compare(zip(range(M * M), gram, best.gram.ravel(), strict=True), atol=2e-15)
    if best.beta:
        compare([(i, x, best.cosine) for i, x in enumerate(Theta @ v / radius)], atol=2e-15)
    value = generated(name).simplified(1.5, mu, Theta)
    compare([("F", value, best.value)], atol=1e-14 * 1.5 ** (2 * dual_kernel(name).degree))


def test_orientation_is_random_and_repeats():
    best, mu = optimum("relu", 3, "0.4"), np.array([0.4, 0, 0, 0])
    one, again, other = (best.weights(mu, np.random.default_rng(s)) for s in (1, 1, 2))
    assert (one == again).all()
    assert np.abs(one - other).max() > 0.1


def test_cosines_where_the_kernel_is_not_monotone():
    """E7: max(-1/(M - 1), argmin κ)."""
    compare([("abs", optimum("abs", 5).gram[0, 1], 0)], atol=1e-15)
    k = kappa("leaky_relu:slope=-1/2")
    with mpmath.workdps(30):
        least = mpmath.findroot(lambda r: mpmath.diff(k, r), -0.17)
    for M in (2, 4, 6, 7, 9):
        best = optimum("leaky_relu:slope=-1/2", M)
        wanted = max(least, -mpmath.mpf(1) / (M - 1))
        compare([(M, best.gram[0, 1], wanted)], rtol=1e-15)
        assert (best.cosine == 0) == (wanted != least)
        assert (best.claim, best.least_d) == ("E7", M - 1 if best.cosine == 0 else M)


def test_extremes():
    flat = optimum("relu", 3, 1, 2)
    assert (flat.value, flat.radius, flat.cosine) == (0, 2, 1)
    alone = optimum("relu", 1)
    compare([("M = 1", alone.value, 1 / (2 * np.pi) - 1 / (2 * np.pi**2))], rtol=1e-14)
    assert alone.weights(np.zeros(1)).shape == (1, 1)


def test_digits_are_right():
    rough, fine = optimum("relu", 4, "0.3", digits=15), optimum("relu", 4, "0.3", digits=60)
    compare([("s", rough.cosine, fine.cosine), ("F", rough.value, fine.value)], rtol=1e-15)


def test_optimum_as_text():
    text = str(optimum("relu", 3, "0.4"))
    assert text.splitlines()[0] == "relu, M = 3, β = 0.4, τ = 1.0"
    assert "min F             0.0218763540101" in text
    assert "global minimiser (E4), b_j = 1, d >= 3" in text
    assert "global minimiser (E2)" in str(optimum("relu", 3))
    assert "no claim says that nothing beats it" in str(optimum("abs", 3, "0.4"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"act": "erf"}, "found erf, expected a positively homogeneous one"),
        ({"act": "step"}, "found step, expected a convex one that is not linear"),
        ({"act": "identity"}, "found identity, expected a convex one that is not linear"),
        ({"M": 0}, "M is 0; expected an integer >= 1"),
        ({"M": 2.0}, "M is 2.0"),
        ({"beta": "1.5"}, r"beta is 1.5; expected a number in \[0, 1\]"),
        ({"beta": float("nan")}, "beta: found nan"),
        ({"digits": 0}, "digits is 0; expected an integer >= 1"),
        ({"tau": 0}, "tau is 0; expected a positive number"),
        ({"d": 0}, "d is 0; expected an integer >= 1"),
    ],
)
def test_bad_arguments_of_optimum(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        optimum(**{"act": "relu", "M": 4, **arguments})


@pytest.mark.parametrize(
    ("mu", "message"),
    [
        ([0.4, 0], r"mu has shape \(2,\); expected \(d,\), d >= 3"),
        ([[0.4, 0, 0]], r"mu has shape \(1, 3\)"),
        ([0.5, 0, 0], "mu has norm 0.5; expected beta \\* tau = 0.4"),
        ([np.nan, 0, 0], "mu contains NaN"),
    ],
)
def test_bad_means(mu, message):
    with pytest.raises(ArgumentError, match=message):
        optimum("relu", 3, "0.4").weights(mu)


# ---- fewer dimensions than the closed forms need -------------------------------------------------


def energy_of(best):
    """𝓔 from min F at β = 0, where F = κ(0) - κ(0)²/𝓔."""
    zero = kappa(best.activation)(mpmath.mpf(0))
    return zero**2 / (zero - best.value)


@pytest.mark.parametrize(
    ("name", "d", "M"), [("relu", 6, 16), ("relu", 5, 10), ("abs", 3, 6), ("abs", 2, 3)]
)
def test_real_frames_that_attain_the_bound(name, d, M):
    best = optimum(name, M, tau="1.5", d=d)
    assert (best.claim, best.bound, best.least_d, best.started) == ("E3", "E3", d, 0)
    compare([("gap", best.gap, 0)], atol=1e-30)
    Theta = best.weights(np.zeros(d + 1), np.random.default_rng(0))
    value = generated(name).simplified(1.5, np.zeros(d + 1), Theta)
    compare([("F", value, best.value)], atol=1e-14)
    assert "global minimiser (E3)" in str(best)


def test_energies_stated_in_the_theory():
    found = optimum("relu", 4, d=2)
    compare([("(6, 16)", energy_of(optimum("relu", 16, d=6)), 0.1732015256)], atol=6e-11)
    compare([("(2, 4)", energy_of(found), 0.2028939455)], atol=6e-11)
    assert 1 + (np.diff(np.sort(found.norms)) > 1e-4).sum() == 2
    assert (found.claim, found.bound) == ("", "E3")
    assert found.gap > 1e-4
    text = str(found)
    assert "min F >=" in text
    assert "best of 24 descents; no claim says that nothing beats it, b_j = 1, d = 2" in text


@pytest.mark.parametrize(
    ("name", "M", "d", "beta"),
    [("relu", 3, 2, "0.4"), ("relu", 4, 2, 0), ("Max(0,x)**2", 3, 1, "0.3")],
)
def test_the_best_found_has_this_value_and_no_slope(name, M, d, beta):
    best = optimum(name, M, beta, "1.5", d=d)
    mu = np.zeros(d + 1)
    mu[1] = 1.5 * float(best.beta)
    Theta = best.weights(mu, np.random.default_rng(3))
    value, slope, _ = generated(name).simplified_and_grad(1.5, mu, Theta)
    compare([("F", value, best.value)], rtol=1e-13)
    compare([("slope", np.linalg.norm(slope), 0)], atol=1e-7)
    assert best.lower_bound <= best.value + mpmath.mpf(10) ** -30
    assert (best == best, best.gram.shape, best.frame.shape) == (True, (M, M), (M, d))
    again = optimum(name, M, beta, "1.5", d=d)
    assert (again.frame == best.frame).all()


def test_neurons_of_too_few_dimensions_are_no_better_than_in_many():
    wide = optimum("relu", 5, "0.4")
    values = [optimum("relu", 5, "0.4", d=d).value for d in (2, 4)]
    assert sorted(values, reverse=True) == values
    assert values[-1] > wide.value
    assert optimum("relu", 5, "0.4", d=5).value == wide.value
