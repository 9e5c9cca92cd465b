import dataclasses
import os
from math import sqrt

import numpy as np
import pytest
import sympy

from symcomp.errors import ArgumentError
from symcomp.networks import LAWS, TwoLayerNetwork, draw_weights
from tests.comparison import compare

W = [[1, 0], [0, 2], [-1, 1]]
A = [1.0, -2.0, 3.0]
X = [[1.0, 1.0], [-2.0, 0.5]]
# by hand, relu: hidden (1, 2, 0) and (0, 1, 2.5)
SUMS = [1 - 4, -2 + 7.5]


def rows(got, wanted):
    return ((i, g, w) for (i, g), w in zip(np.ndenumerate(got), np.ravel(wanted), strict=True))


def test_values_by_hand():
    mean, total = (TwoLayerNetwork(W, A, scaling=s)(X) for s in ("mean", "sum"))
    compare(rows(total, SUMS))
    compare(rows(mean, np.divide(SUMS, 3)), rtol=1e-15)
    shifted = TwoLayerNetwork(W, A, bias=[-1, 0, 1], scaling="sum")
    compare(rows(shifted(X), [0 - 4 + 3, -2 + 10.5]))
    compare(rows(TwoLayerNetwork(W, scaling="sum")(X), [3, 3.5]))


def test_shapes_of_input_and_output():
    net = TwoLayerNetwork(W, A)
    assert (net.N, net.d) == (3, 2)
    assert net(X[0]).shape == ()
    assert net(np.ones((4, 5, 2))).shape == (4, 5)
    two = TwoLayerNetwork(W, np.stack([A, A], axis=1), scaling="sum")
    assert two(X).shape == (2, 2)
    compare(rows(two(X), [[s, s] for s in SUMS]))


@pytest.mark.parametrize("act", ["abs", "Max(0,x)**2", "leaky_relu:slope=1/10", "erf", "sign"])
def test_other_activations(act):
    net = TwoLayerNetwork([[1.0]], activation=act)
    points = [-1.5, -0.25, 0.0, 2.0]
    sigma = net.activation
    wanted = [sigma.expr.subs(sigma.symbol, sympy.Rational(x)).evalf(20) for x in points]
    compare(rows(net(np.reshape(points, (4, 1))), [str(w) for w in wanted]), rtol=1e-15)


def test_network_is_frozen_and_copied():
    weights = np.ones((2, 2))
    net = TwoLayerNetwork(weights)
    weights[0, 0] = 7
    assert net.W[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        net.W[0, 0] = 7
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.W = weights


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"W": [1.0, 2.0]}, r"W has shape \(2,\); expected \(N, d\)"),
        ({"W": np.ones((0, 2))}, r"W has shape \(0, 2\)"),
        ({"W": [[1.0], [1.0, 2.0]]}, "W is ragged"),
        ({"W": [[1j]]}, "W has dtype complex128; expected real numbers"),
        ({"W": [["1"]]}, "W has dtype <U1"),
        ({"W": [[None]]}, "W has dtype object"),
        ({"W": [[np.nan]]}, "W contains NaN or infinity"),
        ({"W": W, "a": [1, 2]}, r"a has shape \(2,\); expected \(3,\) or \(3, k\)"),
        ({"W": W, "a": np.ones((3, 0))}, r"a has shape \(3, 0\)"),
        ({"W": W, "a": [1, 2, np.inf]}, "a contains NaN or infinity"),
        ({"W": W, "bias": [1, 2]}, r"bias has shape \(2,\); expected \(3,\)"),
        ({"W": W, "scaling": "max"}, r"scaling is 'max'; expected one of \('mean', 'sum'\)"),
    ],
)
def test_bad_networks(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        TwoLayerNetwork(**arguments)


@pytest.mark.parametrize(
    ("points", "message"),
    [(1.0, r"X has shape \(\); expected \(..., 2\)"), ([1, 2, 3], r"X has shape \(3,\)")],
)
def test_bad_points(points, message):
    with pytest.raises(ArgumentError, match=message):
        TwoLayerNetwork(W)(points)


@pytest.mark.parametrize(
    "net",
    [
        TwoLayerNetwork(W, A),
        TwoLayerNetwork(W, np.ones((3, 2)), bias=[1, 2, 3], activation="abs", scaling="sum"),
        TwoLayerNetwork(W, activation=sympy.Max(0, sympy.Symbol("t", real=True)) ** 2),
    ],
)
def test_files_read_back(net, tmp_path):
    path = tmp_path / "net.npz"
    net.save(path)
    back = TwoLayerNetwork.load(path)
    assert (back.W == net.W).all()
    assert back.a.shape == net.a.shape
    assert (back.a == net.a).all()
    assert (back.bias is None and net.bias is None) or (back.bias == net.bias).all()
    assert (back.activation, back.scaling) == (net.activation, net.scaling)
    assert os.listdir(tmp_path) == ["net.npz"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    TwoLayerNetwork(W).save(path)
    before = path.read_bytes()

    def fail(*_args, **_arrays):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        TwoLayerNetwork(W, A).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["net.npz"]


def test_an_activation_without_text_is_not_saved(tmp_path):
    x = sympy.Symbol("x", real=True)
    net = TwoLayerNetwork(W, activation=sympy.Piecewise((x, x > 1), (0, True)))
    with pytest.raises(ArgumentError, match="cannot be written as text"):
        net.save(tmp_path / "net.npz")
    assert os.listdir(tmp_path) == []


def write_pickled(path):
    np.savez(path, W=np.array([[None, 1]], dtype=object))


def write_plain_array(path):
    with open(path, "wb") as file:
        np.save(file, np.ones((2, 2)))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "not a .npz file of plain arrays"),
        (lambda path: path.write_bytes(b"abcdefgh" * 9), "not a .npz file of plain arrays"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + b"abcdefgh" * 9), "not a .npz file"),
        (write_pickled, "not a .npz file of plain arrays"),
        (write_plain_array, "not a .npz file of plain arrays"),
        (lambda path: np.savez(path, a=np.ones(2)), r"holds \['a'\]; expected W"),
        (lambda path: np.savez(path, W=np.ones((2, 2)), V=1), "expected W and optionally"),
        (lambda path: np.savez(path, W=np.ones((2, 2)), scaling="max"), "scaling is 'max'"),
    ],
)
def test_bad_files(write, message, tmp_path):
    path = tmp_path / "bad.npz"
    write(path)
    with pytest.raises(ArgumentError, match=message):
        TwoLayerNetwork.load(path)


# within 6 standard deviations, from moments of the laws known by hand
KURTOSIS = {"gaussian": 3, "rademacher": 1, "uniform": 9 / 5, "bernoulli_gaussian": 6}
EIGHTH = {"gaussian": 105, "rademacher": 1, "uniform": 9, "bernoulli_gaussian": 840}


@pytest.mark.parametrize("law", LAWS)
def test_laws_are_standardised(law):
    n = 200_000
    z = LAWS[law](np.random.default_rng(0), (n,))
    compare([("mean", z.mean(), 0)], atol=6 / sqrt(n))
    compare([("variance", z.var(), 1)], atol=6 * sqrt(KURTOSIS[law] / n))
    compare([("fourth", (z**4).mean(), KURTOSIS[law])], atol=6 * sqrt(EIGHTH[law] / n))


@pytest.mark.parametrize("law", LAWS)
def test_weights_have_the_stated_moments(law):
    N, d, tau, beta = 100_000, 4, 3.0, 0.6
    rows_ = draw_weights(N, d, law, tau, beta, seed=1)
    assert rows_.shape == (N, d)
    compare([("E|w|²", (rows_**2).sum(axis=1).mean(), tau**2)], rtol=0.02)
    compare(rows(rows_.mean(axis=0), [beta * tau, 0, 0, 0]), atol=0.03)
    centred = np.cov(rows_.T)
    compare(rows(centred, np.eye(d) * tau**2 * (1 - beta**2) / d), atol=0.05)


def test_wrong_moments_are_noticed():
    z = draw_weights(100_000, 4, tau=1.1)
    with pytest.raises(AssertionError, match="1 of 1 points differ"):
        compare([("E|w|²", (z**2).sum(axis=1).mean(), 1)], rtol=0.02)


def test_draws_repeat_and_extremes():
    assert (draw_weights(3, 2, seed=5) == draw_weights(3, 2, seed=5)).all()
    assert (draw_weights(3, 2, seed=5) != draw_weights(3, 2, seed=6)).all()
    assert draw_weights(2, 3, tau=2.0, beta=1.0).tolist() == [[2.0, 0, 0]] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"N": 0}, "N is 0; expected an integer >= 1"),
        ({"d": 2.5}, "d is 2.5"),
        ({"law": "cauchy"}, "law is 'cauchy'; expected one of"),
        ({"tau": 0.0}, "tau is 0.0; expected a positive number"),
        ({"tau": float("nan")}, "tau is nan"),
        ({"beta": 1.5}, r"beta is 1.5; expected a number in \[0, 1\]"),
        ({"beta": float("nan")}, "beta is nan"),
    ],
)
def test_bad_draws(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        draw_weights(**{"N": 2, "d": 2, **arguments})
