from functools import cache, partial

import mpmath
import numpy as np
import pytest
import sympy
from scipy.optimize import minimize as scipy_minimize

from proofs_checks import oracles
from symcomp import generate, objectives
from symcomp.compression import compress, minimise, optimum
from symcomp.errors import ArgumentError
from symcomp.frames import diagnostics
from symcomp.kernels import dual_kernel
from symcomp.networks import TwoLayerNetwork, draw_weights
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
    assert "global by E4, which the ledger has yet to replay, b_j = 1, d >= 3" in text
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
        ({"d": 2}, "d is 2; E2 needs d >= M - 1 = 3 for M = 4"),
        ({"d": 3, "beta": "0.4"}, "d is 3; E4 needs d >= M = 4 for M = 4"),
        ({"d": 3, "act": "abs"}, "d is 3; E7 needs d >= M = 4"),
        ({"d": 3, "act": "abs", "beta": "0.1"}, "d is 3; the cone needs d >= M = 4"),
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


# ---- the minimiser of L_N ------------------------------------------------------------------------


def test_minimiser_of_the_exact_loss(relu):
    W = draw_weights(60, 8, seed=3)
    first = optimum("relu", 3).weights(np.zeros(8))
    found = minimise(W, 3, starts=3, seed=1, module=relu, first=first)
    assert found.Theta.shape == (3, 8)
    assert len(found.values) == 4
    compare(
        [
            ("value", found.value, relu.loss(W, found.Theta)),
            ("least", found.value, min(found.values)),
            ("slope", found.gradient_norm, 0),
        ],
        atol=1e-7,
    )
    assert found.value <= relu.loss(W, first)
    rows = zip("abc", found.norms, np.linalg.norm(found.Theta, axis=1), strict=True)
    compare(rows, rtol=1e-15)
    units = found.Theta / found.norms[:, None]
    compare(zip(range(9), found.gram.ravel(), (units @ units.T).ravel(), strict=True), atol=1e-15)
    # nothing nearby is lower
    rng = np.random.default_rng(0)
    moved = [relu.loss(W, found.Theta + 1e-3 * rng.standard_normal((3, 8))) for _ in range(50)]
    assert min(moved) > found.value


def test_minimisation_repeats_and_runs_without_a_module():
    W = draw_weights(20, 4, seed=1)
    one, two = (minimise(W, 2, starts=2, seed=5) for _ in range(2))
    assert (one.Theta == two.Theta).all()
    assert one.values == two.values


def test_agreement_of_starts_is_seen_and_denied(relu):
    # two far clusters of opposite direction and two neurons: every start finds one for each
    W = np.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, -0.1]])
    assert minimise(W, 2, starts=4, module=relu).agree
    # a large target on a small network has minima of slightly different depth
    rough = minimise(draw_weights(30, 12, seed=2), 6, starts=3, module=relu)
    assert not rough.agree
    assert max(rough.values) - min(rough.values) > 1e-6
    assert rough.value == min(rough.values)
    compare(
        [("value", rough.value, relu.loss(draw_weights(30, 12, seed=2), rough.Theta))], rtol=1e-9
    )


def test_a_start_that_cannot_be_improved_is_kept(relu):
    W = draw_weights(3, 4, seed=0)
    exact = minimise(W, 3, starts=0, first=W, module=relu)
    assert exact.value <= 1e-16


def test_scale_of_the_target_does_not_matter(relu):
    W = draw_weights(40, 5, seed=7)
    small, large = (minimise(t * W, 3, seed=2, module=relu) for t in (1e-4, 1e4))
    compare([("value", small.value * 1e8, large.value * 1e-8)], rtol=1e-8)


def test_sum_networks_are_compressed_as_sums(relu):
    W = draw_weights(10, 3, seed=4)
    mean = minimise(W, 2, module=relu)
    total = minimise(TwoLayerNetwork(W, np.full(10, 0.1), scaling="sum"), 2, module=relu)
    compare([("value", mean.value, total.value)], rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: minimise([1.0], 2), r"W has shape \(1,\)"),
        (lambda: minimise([[1.0]], 0), "M is 0"),
        (lambda: minimise([[1.0]], 1, starts=0), "starts is 0; expected an integer >= 1"),
        (lambda: minimise([[1.0]], 1, first=[[1.0, 2.0]]), r"first has shape \(1, 2\)"),
        (lambda: minimise([[0.0, 0.0]], 1), "target network is identically zero"),
        (
            lambda: minimise(TwoLayerNetwork([[1.0]], [[1.0, 2.0]]), 1),
            r"a has shape \(1, 2\); expected one output",
        ),
        (
            lambda: minimise(TwoLayerNetwork([[1.0]], bias=[0.0]), 1),
            "bias is given; this needs the shifted kernel",
        ),
    ],
)
def test_bad_targets(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


# ---- the compression of a given network ----------------------------------------------------------

RNG = np.random.default_rng(11)
NET = TwoLayerNetwork(draw_weights(30, 6, beta=0.5, seed=2), RNG.normal(size=30), scaling="sum")
ROOT = RNG.normal(size=(6, 6))


def outputs_differ(one, other):
    X = np.random.default_rng(0).standard_normal((40, one.d))
    return np.abs(one(X) - other(X)).max()


@pytest.fixture(scope="module")
def free(relu):
    return compress(NET, 5, module=relu)


def test_loss_is_the_expectation_of_the_square(relu):
    """In the plane, against quadrature; with a covariance as the loss of the rows W R."""
    net = TwoLayerNetwork([[1.0, 0.2], [-0.3, 1.0], [0.5, -1.0], [-1.0, -0.4]], [1, -2, 1.5, 0.5])
    cov = np.array([[2.0, 0.6], [0.6, 0.5]])
    root = np.linalg.cholesky(cov)
    for given, factor in ((None, np.eye(2)), (cov, root)):
        small = compress(net, 2, cov=given, module=relu)
        W, Theta = net.W @ factor, small.network.W @ factor
        wanted = oracles.loss_by_quadrature(W, Theta, net.a, small.network.a, digits=15)
        whole = oracles.loss_by_quadrature(W, [[0, 0]], net.a, digits=15)
        compare([("loss", small.loss, wanted)], rtol=1e-10)
        compare([("relative", small.relative_loss, wanted / whole)], rtol=1e-10)


def test_history_falls_to_the_result(free):
    steps = np.diff(free.history)
    assert len(free.history) > 5
    assert steps.max() <= 0
    assert free.history[-1] == free.relative_loss
    assert free.relative_loss < 0.5 * free.history[0]


def test_outer_weights_are_the_best(relu, free):
    target, b = relu.Target(NET.W, NET.a * NET.N), free.network.a * free.network.N
    compare([("loss", relu.loss(target, free.network.W, b=b), free.loss)], rtol=1e-12)
    for j in range(5):
        for step in (-1e-3, 1e-3):
            moved = b + step * (np.arange(5) == j)
            assert relu.loss(target, free.network.W, b=moved) > free.loss


def test_positive_weights(relu, free):
    positive = compress(NET, 5, signs="positive", module=relu)
    assert positive.network.a.min() >= 0
    assert free.network.a.min() < 0
    assert positive.loss > free.loss


def test_a_network_that_fits_is_found(relu):
    directions = np.array([[1.0, 0, 0], [0, 1.0, 0], [0.6, 0, -0.8]])
    W = np.vstack([directions, 2 * directions, 0.5 * directions])
    net = TwoLayerNetwork(W, [1, -1, 2, 0.5, 1, 1, -3, 2, 1])
    for scaling in ("mean", "sum"):
        scaled = TwoLayerNetwork(W, net.a, scaling=scaling)
        small = compress(scaled, 3, seed=1, module=relu)
        assert small.relative_loss < 1e-12
        assert outputs_differ(scaled, small.network) < 1e-5
        assert (small.network.scaling, small.network.N) == (scaling, 3)


def test_covariance_of_low_rank(relu):
    flat = ROOT[:, :3] @ ROOT[:, :3].T
    small = compress(NET, 5, cov=flat, module=relu)
    X = np.random.default_rng(0).standard_normal((200_000, 3)) @ ROOT[:, :3].T
    errors = (NET(X) - small.network(X)) ** 2
    compare([("loss", errors.mean(), small.loss)], atol=6 * errors.std() / np.sqrt(len(X)))


def test_outputs_share_the_nodes(relu):
    a = np.stack([NET.a, np.ones(30)], axis=1)
    small = compress(TwoLayerNetwork(NET.W, a), 5, starts=1, module=relu)
    assert small.network.a.shape == (5, 2)
    X = np.random.default_rng(0).standard_normal((200_000, 6))
    errors = ((TwoLayerNetwork(NET.W, a)(X) - small.network(X)) ** 2).sum(axis=1)
    compare([("loss", errors.mean(), small.loss)], atol=6 * errors.std() / np.sqrt(len(X)))


def test_one_column_is_one_output(relu, free):
    column = TwoLayerNetwork(NET.W, NET.a[:, None], scaling="sum")
    small = compress(column, 5, module=relu)
    assert small.network.a.shape == (5, 1)
    compare([("loss", small.loss, free.loss)], rtol=1e-9)


def test_another_activation():
    net = TwoLayerNetwork(draw_weights(12, 4, seed=9), activation="abs")
    small = compress(net, 6)
    assert small.network.activation == net.activation
    assert small.relative_loss < 0.02


def test_more_nodes_are_never_worse(relu):
    losses = [compress(NET, M, module=relu).relative_loss for M in (1, 2, 4, 8)]
    assert losses == sorted(losses, reverse=True)
    assert compress(NET, NET.N, starts=1, module=relu).relative_loss < 1e-12


def test_compressed_frame_of_a_large_target(relu):
    """E5 on data: with free signs a large centred target gives nearly a simplex, weights equal."""
    small = compress(TwoLayerNetwork(draw_weights(600, 10, seed=0)), 3, starts=2, module=relu)
    figures = diagnostics(small.network.W, d=2)
    assert abs(figures.coherence - 1 / 2) < 0.05
    heights = small.network.a * np.linalg.norm(small.network.W, axis=1)
    assert np.ptp(heights) < 0.1 * heights.mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"M": 31}, "M is 31; expected at most the number of nodes, 30"),
        ({"M": 0}, "M is 0"),
        ({"starts": 0}, "starts is 0"),
        ({"signs": "negative"}, r"signs is 'negative'; expected one of \('free', 'positive'\)"),
        ({"mean": [1, 0, 0, 0, 0, 0]}, "mean is not zero; this needs the shifted kernel"),
        ({"mean": [0, 0]}, r"mean has shape \(2,\); expected \(6,\)"),
        ({"cov": np.eye(5)}, r"cov has shape \(5, 5\); expected \(6, 6\)"),
        ({"cov": np.triu(np.ones((6, 6)))}, "cov is not symmetric"),
        ({"cov": np.diag([1, 1, 1, 1, 1, -1])}, "cov has least eigenvalue -1"),
        ({"cov": np.zeros((6, 6))}, "cov has least eigenvalue 0"),
        ({"cov": np.full((6, 6), np.nan)}, "cov contains NaN"),
    ],
)
def test_bad_arguments_of_compress(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        compress(**{"net": NET, "M": 3, **arguments})


def test_biases_and_zero_networks_are_refused():
    with pytest.raises(ArgumentError, match="bias is given; this needs the shifted kernel"):
        compress(TwoLayerNetwork([[1.0]], bias=[1.0]), 1)
    with pytest.raises(ArgumentError, match="identically zero"):
        compress(TwoLayerNetwork([[1.0], [2.0]], [2.0, -1.0]), 1)
