from functools import cache

import flint
import mpmath
import numpy as np
import pytest
from flint import fmpq
from mpmath import mpf

import symcomp
from symcomp.balls import to_mpf
from symcomp.errors import ArgumentError, DivergenceError
from tests.comparison import compare


def network(N: int, d: int, seed: int, outputs: int | None = None, **options) -> object:
    rng = np.random.default_rng((seed, N, d))
    a = rng.standard_normal((N, outputs) if outputs else N)
    return symcomp.TwoLayerNetwork(rng.standard_normal((N, d)), a, **options)


@cache
def direct(left: str, right: str, u: tuple, v: tuple) -> mpf:
    """K(u, v) term by term from the kernel's own evaluation."""
    rows = [[fmpq(*float(x).as_integer_ratio()) for x in row] for row in (u, v)]
    products = [
        sum(x * y for x, y in zip(*pair, strict=True))
        for pair in ((rows[0], rows[0]), (rows[1], rows[1]), rows)
    ]
    return symcomp.dual_kernel(left, right).evaluate(*products, digits=40)


def wanted(f: object, g: object) -> mpf:
    """(S0) as a plain double sum in mpmath."""
    nodes = []
    for sign, net in ((1, f), (-1, g)):
        scale = mpf(sign) / (net.N if net.scaling == "mean" else 1)
        for w, a in zip(net.W, net.a.reshape(net.N, -1), strict=True):
            nodes.append((net.activation.name, tuple(w), [scale * mpf(x) for x in a]))
    return sum(
        sum(x * y for x, y in zip(a, b, strict=True)) * direct(s, t, u, v)
        for s, u, a in nodes
        for t, v, b in nodes
    )


@pytest.mark.parametrize(
    ("left", "right", "outputs"),
    [
        ("relu", "relu", None),
        ("relu", "relu", 2),
        ("gelu", "gelu", 2),
        ("hard_tanh", "hard_tanh", None),
        ("relu", "erf", None),
        ("relu", "erf", 2),
        ("step", "step", 2),
        ("tanh", "tanh", None),
        ("Max(0,x)**2", "abs", 2),
    ],
)
def test_the_loss_is_the_double_sum(left, right, outputs):
    f = network(2, 2, 1, outputs, activation=left)
    g = network(1, 2, 2, outputs, activation=right, scaling="sum")
    value = symcomp.loss_enclosure(f, g, digits=25)
    assert value.rel_accuracy_bits() > 25 * 3.32
    with mpmath.workdps(40):
        compare([(left, to_mpf(value), wanted(f, g))], rtol=1e-24, min_points=1)


def test_it_is_the_mean_square_of_the_difference():
    f = symcomp.TwoLayerNetwork([[1.5], [-0.5]], [1.0, 2.0], activation="gelu")
    g = symcomp.TwoLayerNetwork([[0.25]], [3.0], activation="relu", scaling="sum")

    def integrand(x):
        def gelu(t):
            return t * mpmath.ncdf(t)

        gap = (gelu(1.5 * x) + 2 * gelu(-x / 2)) / 2 - 3 * max(x / 4, mpf(0))
        return gap**2 * mpmath.npdf(x)

    value = symcomp.loss_enclosure(f, g, digits=20)
    compare(
        [("quadrature", to_mpf(value), mpmath.quad(integrand, [-12, -4, 0, 4, 12]))], rtol=1e-12
    )


@pytest.mark.parametrize("name", ["relu", "gelu", "hard_tanh", "tanh"])
def test_copies_of_a_network_have_loss_exactly_0(name):
    f = network(4, 3, 5, activation=name)
    split = symcomp.TwoLayerNetwork(
        np.concatenate([f.W, f.W[::-1]]), np.concatenate([f.a, f.a[::-1]]), activation=name
    )
    loss = symcomp.loss_enclosure(f, split)
    assert loss == 0
    assert loss.is_exact()


def test_positive_multiples_are_equal_where_the_activation_is_homogeneous():
    f = network(4, 3, 5)
    scaled = symcomp.TwoLayerNetwork(4.0 * f.W, f.a / 4.0)
    assert symcomp.loss_enclosure(f, scaled).is_exact()
    opposite = symcomp.TwoLayerNetwork(-f.W, f.a)
    assert symcomp.loss_enclosure(f, opposite) > 1e-3


def test_a_perturbed_copy_keeps_all_digits():
    f = network(5, 3, 8)
    g = symcomp.TwoLayerNetwork(f.W * (1 + 2.0**-50 * np.arange(3)), f.a)
    loss = symcomp.loss_enclosure(f, g, digits=30)
    assert 0 < loss < 1e-26
    assert loss.rel_accuracy_bits() >= 99


def test_a_loss_that_vanishes_by_an_identity_is_a_small_ball_around_0():
    """|x| = relu(x) + relu(-x): 0, but no two nodes are equal."""
    f = symcomp.TwoLayerNetwork([[0.25, 0.75]], activation="abs")
    g = symcomp.TwoLayerNetwork([[0.25, 0.75], [-0.25, -0.75]], scaling="sum")
    loss = symcomp.loss_enclosure(f, g, digits=10)
    assert loss.contains(0)
    assert loss.rad() < 1e-40


def test_zero_and_extreme_rows():
    f = symcomp.TwoLayerNetwork([[0.0, 0.0], [1e150, -1e-300]], [2.0, 1e-150])
    g = symcomp.TwoLayerNetwork([[0.0, 5e-324]])
    assert symcomp.loss_enclosure(f, g).rel_accuracy_bits() > 99
    assert abs(float(symcomp.loss_enclosure(f, g)) - 0.125) < 1e-15
    cosine = symcomp.TwoLayerNetwork([[0.0]], [3.0], activation="cos")
    none = symcomp.TwoLayerNetwork([[0.0]], [1.0], activation="sin")
    assert symcomp.loss_enclosure(cosine, none) == 9


def test_a_hundred_nodes_take_seconds():
    f, g = network(60, 16, 1), network(40, 16, 2)
    loss = symcomp.loss_enclosure(f, g)
    assert abs(float(loss) / symcomp.generate("relu").load().loss(f.W, g.W, f.a, g.a) - 1) < 1e-12


def test_refusals():
    f = network(2, 3, 1)
    cases = [
        ("target: found ndarray", (f.W, f), {}),
        (r"inputs in R\^2, expected R\^3", (f, network(2, 2, 1)), {}),
        ("found 2 outputs, expected 1", (f, network(2, 3, 1, 2)), {}),
        ("digits: found 0", (f, f), {"digits": 0}),
    ]
    for message, args, options in cases:
        with pytest.raises(ArgumentError, match=message):
            symcomp.loss_enclosure(*args, **options)
    wide = symcomp.TwoLayerNetwork([[3.0]], activation="exp(x**2/8)")
    with pytest.raises(DivergenceError):
        symcomp.loss_enclosure(wide, symcomp.TwoLayerNetwork([[1.0]], activation="exp(x**2/8)"))


def test_the_precision_of_the_caller_is_left_alone():
    with flint.ctx.workprec(30):
        loss = symcomp.loss_enclosure(network(2, 2, 1), network(1, 2, 1), digits=40)
        assert flint.ctx.prec == 30
    assert loss.rel_accuracy_bits() > 130
