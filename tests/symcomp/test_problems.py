"""Compression with biases, means, covariances and a bias of the output."""

import itertools

import numpy as np
import pytest

import symcomp
from symcomp.compression import compress
from symcomp.errors import ArgumentError
from symcomp.networks import TwoLayerNetwork
from symcomp.problems import Inputs, Problem
from tests.comparison import compare

RNG = np.random.default_rng(11)
D, N, M = 3, 6, 2
ROOT = RNG.normal(size=(D, D))
MEAN, COV = 0.5 * RNG.normal(size=D), 0.2 * ROOT @ ROOT.T + np.eye(D)


@pytest.fixture(scope="module")
def relu():
    return symcomp.generate("relu").load()


def network(n, biased=True, offset=True, outputs=None, scaling="sum", act="relu"):
    rng = np.random.default_rng(n)
    shape = (n,) if outputs is None else (n, outputs)
    return TwoLayerNetwork(
        rng.normal(size=(n, D)),
        rng.normal(size=shape),
        0.5 * rng.normal(size=n) if biased else None,
        act,
        scaling,
        rng.normal(size=shape[1:]) if offset else None,
    )


def sampled(f, g, mean, cov, count=200_000):
    """E |f - g|² by sampling, and its standard error."""
    X = np.random.default_rng(3).multivariate_normal(mean, cov, count)
    square = np.sum(np.reshape(f(X) - g(X), (count, -1)) ** 2, axis=1)
    return square.mean(), square.std() / np.sqrt(count)


CASES = list(itertools.product([True, False], [True, False], [None, 2], ["sum", "mean"]))


@pytest.mark.parametrize(("biased", "offset", "outputs", "scaling"), CASES)
def test_the_loss_is_that_of_the_networks(relu, biased, offset, outputs, scaling):
    net = network(N, biased, offset, outputs, scaling)
    inputs = Inputs.of(MEAN, COV)
    problem = Problem.of(net, inputs, relu)
    X = problem.nodes[:M] + 0.1
    b = RNG.normal(size=(M + offset, *net.a.shape[1:]))
    loss = problem.slopes(X, b)[0]
    wanted, error = sampled(net, problem.network(net, inputs, X, b), MEAN, COV)
    compare([("loss", loss, wanted)], atol=5 * error)
    zero = TwoLayerNetwork(np.ones((1, D)), np.zeros((1, *net.a.shape[1:])))
    scale, error = sampled(net, zero, MEAN, COV)
    compare([("scale", problem.scale, scale)], atol=5 * error)


@pytest.mark.parametrize(("biased", "offset", "outputs", "scaling"), CASES[::2])
@pytest.mark.parametrize("mean", [np.zeros(D), MEAN])
def test_slopes_by_the_slope_of_the_error(relu, mean, biased, offset, outputs, scaling):
    net = network(N, biased, offset, outputs, scaling)
    problem = Problem.of(net, Inputs.of(mean, COV), relu)
    X = RNG.normal(size=(M, D + biased))
    b = RNG.normal(size=(M + offset, *net.a.shape[1:]))
    dX, db = RNG.normal(size=X.shape), RNG.normal(size=b.shape)
    loss, by_x, by_b = problem.slopes(X, b)
    line = float(np.vdot(by_x, dX) + np.vdot(by_b, db))
    steps = [1e-2, 1e-3, 1e-4]
    errors = [
        abs(problem.slopes(X + h * dX, b + h * db)[0] - loss - h * line) / h**2 for h in steps
    ]
    size = float(np.sum(dX**2) + np.sum(db**2))
    assert max(errors) < 50 * size * (1 + loss)
    wrong = abs(problem.slopes(X + 1e-4 * dX, b + 1e-4 * db)[0] - loss - 1.01e-4 * line) / 1e-8
    assert wrong > 10 * errors[-1]  # a slope one percent off shows


@pytest.mark.parametrize(("offset", "outputs"), [(True, None), (False, 2), (True, 2)])
def test_the_best_outer_weights_leave_no_slope(relu, offset, outputs):
    net = network(N, True, offset, outputs)
    problem = Problem.of(net, Inputs.of(MEAN, COV), relu)
    X = RNG.normal(size=(M, D + 1))
    b = problem.best_outer("free", X)
    slope = problem.slopes(X, b)[2]
    assert np.abs(slope).max() < 1e-11 * problem.scale
    positive = problem.best_outer("positive", X)
    assert (positive[:M] >= 0).all()
    slope = problem.slopes(X, positive)[2]
    assert slope[:M].min() > -1e-11 * problem.scale
    assert np.abs(slope[:M][positive[:M] > 0]).max(initial=0.0) < 1e-11 * problem.scale
    assert np.abs(slope[M:]).max(initial=0.0) < 1e-11 * problem.scale


@pytest.mark.parametrize(("act", "outputs"), [("relu", None), ("relu", 2), ("erf", 2)])
def test_a_network_that_fits_is_found(act, outputs):
    small = network(M, True, True, outputs, act=act)
    twice = TwoLayerNetwork(
        np.vstack([small.W, small.W]),
        np.concatenate([0.25 * small.a, 0.75 * small.a]),
        np.tile(small.bias, 2),
        small.activation,
        "sum",
        small.offset,
    )
    found = compress(twice, M, mean=MEAN, cov=COV, seed=1)
    assert found.relative_loss < 1e-9
    assert found.network.scaling == "sum"
    assert found.network.bias.shape == (M,)
    X = RNG.multivariate_normal(MEAN, COV, 200)
    scale = np.sqrt(np.mean(small(X) ** 2))
    values = zip(np.ravel(found.network(X)), np.ravel(small(X)), strict=True)
    compare([(i, got, wanted) for i, (got, wanted) in enumerate(values)], atol=1e-3 * scale)


def test_no_bias_is_invented():
    net = network(N, False, False)
    found = compress(net, M, mean=MEAN, cov=COV, starts=1)
    assert found.network.bias is None
    assert found.network.offset is None
    wanted, error = sampled(net, found.network, MEAN, COV)
    compare([("loss", found.loss, wanted)], atol=5 * error)


def test_a_mean_is_a_bias():
    """x ~ N(m, I) is z + m: the network with biases <w, m> loses as much."""
    net = network(N, True, False)
    moved = TwoLayerNetwork(net.W, net.a, net.bias + net.W @ MEAN, scaling="sum")
    compare(
        [("loss", compress(net, M, mean=MEAN).loss, compress(moved, M).loss)],
        rtol=1e-6,
    )


def test_an_output_bias_that_no_node_can_carry():
    net = TwoLayerNetwork(np.eye(D), activation="sin(pi*x)", offset=1.0)
    with pytest.raises(ArgumentError, match="bias of the output with sin"):
        compress(net, 1)
