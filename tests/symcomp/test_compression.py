from functools import cache

import numpy as np
import pytest

from proofs_checks import oracles
from symcomp import generate
from symcomp.compression import compress, mean_field_start, minimise
from symcomp.errors import ArgumentError
from symcomp.frames import diagnostics
from symcomp.networks import TwoLayerNetwork, draw_weights
from symcomp.optima import optimum
from symcomp.problems import Inputs, Problem
from tests.comparison import compare


@cache
def generated(name):
    return generate(name).load()


@pytest.fixture(scope="module")
def relu():
    return generated("relu")


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
            "target has a bias; expected none, which compress takes",
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


def test_what_cannot_be_compressed():
    with pytest.raises(ArgumentError, match="identically zero"):
        compress(TwoLayerNetwork([[1.0], [2.0]], [2.0, -1.0]), 1)
    soft = TwoLayerNetwork(np.eye(2), bias=[1.0, 2.0], activation="sin(x)+Max(0,x)")
    with pytest.raises(ArgumentError, match="network: biases s, t are given; expected none"):
        compress(soft, 1)


# ---- what both return ----------------------------------------------------------------------------


def test_the_gradient_is_small_at_the_result(relu, free):
    """Recomputed at the returned network, by differences of the loss."""
    assert free.converged
    assert free.residual <= 1e-8
    target = relu.Target(NET.W, NET.a * NET.N)
    b = free.network.a * free.network.N
    _, by_theta, by_b = relu.loss_and_grad(target, free.network.W, None, b)
    assert np.abs(by_theta).max() < 1e-6 * free.loss
    assert np.abs(by_b).max() < 1e-6 * free.loss
    rng = np.random.default_rng(5)
    for _ in range(20):
        turned = free.network.W + 1e-4 * rng.standard_normal(free.network.W.shape)
        assert relu.loss(target, turned, None, b) > free.loss


def test_too_small_a_tolerance_is_reported(relu):
    small = compress(NET, 3, starts=1, module=relu, tol=1e-300)
    assert not small.converged
    assert small.residual < 1e-6
    found = minimise(NET.W, 3, starts=1, module=relu, tol=1e-300)
    assert (found.converged, found.residual < 1e-6) == (False, True)


@pytest.mark.parametrize("signs", ["free", "positive"])
@pytest.mark.parametrize("seed", range(3))
def test_never_worse_than_the_best_start(relu, signs, seed):
    net = TwoLayerNetwork(draw_weights(25, 5, beta=0.3, seed=seed))
    small = compress(net, 3, signs=signs, seed=seed, module=relu, starts=3)
    assert small.relative_loss == min(small.values) == small.history[-1]
    start = mean_field_start(net, 3, seed)
    assert small.loss <= relu.loss(net.W, start)
    nodes = net.W[np.random.default_rng(seed).choice(25, 3, replace=False)]
    assert small.loss <= relu.loss(net.W, nodes)
    assert small.loss <= relu.loss(net.W, small.network.W, b=small.network.a) * (1 + 1e-12)


def test_mean_field_start_is_the_optimum_for_the_empirical_mean():
    net = TwoLayerNetwork(draw_weights(4000, 6, beta=0.5, seed=1))
    start = mean_field_start(net, 3)
    best = optimum("relu", 3, "0.5")
    gram = start @ start.T / float(best.radius) ** 2
    compare(zip(range(9), gram.ravel(), best.gram.ravel(), strict=True), atol=0.05)
    mu = net.W.mean(axis=0)
    v = mu / np.linalg.norm(mu)
    compare([(j, x, best.cosine) for j, x in enumerate(start @ v / float(best.radius))], atol=0.05)
    heavy = TwoLayerNetwork(np.vstack([net.W, net.W]) / 2, np.full(8000, 2.0))
    moved = mean_field_start(heavy, 3)
    compare(zip(range(18), moved.ravel(), start.ravel(), strict=True), atol=1e-12)


@pytest.mark.parametrize(
    "net",
    [
        TwoLayerNetwork([[1.0, 0.0, 0.0]], [-1.0]),
        TwoLayerNetwork([[1.0, 0.0]], [1.0]),
        TwoLayerNetwork([[1.0, 0.0, 0.0]], activation="erf"),
        TwoLayerNetwork([[1.0, 0.0, 0.0]], activation="identity"),
        TwoLayerNetwork([[1.0, 0.0, 0.0]], [[1.0]]),
        TwoLayerNetwork([[0.0, 0.0, 0.0]]),
    ],
)
def test_no_mean_field_start(net):
    assert mean_field_start(net, 3) is None


def test_progress_is_shown_and_an_interrupt_leaves_nothing(relu):
    seen = []
    small = compress(NET, 3, starts=2, module=relu, watch=seen.append)
    assert {(p.start, p.starts) for p in seen} == {(0, 2), (1, 2)}
    first = [p for p in seen if p.start == 0]
    assert [p.iteration for p in first] == list(range(1, len(first) + 1))
    assert min(p.relative_loss for p in seen) <= small.relative_loss * (1 + 1e-12)

    def stop(progress):
        if progress.iteration == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress(NET, 3, starts=2, module=relu, watch=stop)
    with pytest.raises(KeyboardInterrupt):
        minimise(NET.W, 3, starts=2, module=relu, watch=stop)
    again = compress(NET, 3, starts=2, module=relu)
    assert (again.network.W == small.network.W).all()
    assert again.history == small.history


@pytest.mark.parametrize("tol", [0.0, -1.0, float("nan")])
def test_bad_tolerances(tol):
    for call in (lambda: compress(NET, 2, tol=tol), lambda: minimise(NET.W, 2, tol=tol)):
        with pytest.raises(ArgumentError, match=r"tol is .*; expected a positive number"):
            call()


def test_an_exact_fit_ends_the_search(relu):
    W = np.eye(4)[:3]
    net = TwoLayerNetwork(np.vstack([W, 2 * W]))
    small = compress(net, 3, module=relu, starts=8)
    assert small.relative_loss <= 1e-14
    assert len(small.values) < 8


@pytest.mark.parametrize("outputs", [(), (2,)])
def test_second_derivatives_of_the_problem_are_differences_of_its_slopes(relu, outputs):
    rng = np.random.default_rng(8)
    net = TwoLayerNetwork(NET.W, rng.standard_normal((30, *outputs)))
    problem = Problem.of(net, inputs_of(6), relu)
    assert problem.curved
    X, dX = rng.standard_normal((2, 4, 6))
    b, db = rng.standard_normal((2, 4, *outputs))
    ahead, behind = (problem.slopes(X + h * dX, b + h * db)[1:] for h in (1e-5, -1e-5))
    got = np.concatenate([part.ravel() for part in problem.curvature(X, b, dX, db)])
    wanted = [((f - g) / 2e-5).ravel() for f, g in zip(ahead, behind, strict=True)]
    compare(zip(range(len(got)), got, np.concatenate(wanted), strict=True), atol=1e-8)
    assert not Problem.of(TwoLayerNetwork(NET.W, activation="erf"), inputs_of(6)).curved


def inputs_of(d):
    return Inputs.of(np.zeros(d), np.eye(d))
