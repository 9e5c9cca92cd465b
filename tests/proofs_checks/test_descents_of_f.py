import numpy as np

from proofs_checks.descents_of_f import Found, descent_of_f, simplified
from symcomp import generate
from symcomp.optima import optimum
from tests.comparison import compare


def test_value_of_a_found_network_is_f():
    """The cone itself: F by the arc-cosine formula is the claimed value; a zero row counts as 0."""
    best = optimum("relu", 4, "0.6")
    Theta = best.weights(0.6 * np.eye(5)[0])
    found = Found(4, "0.6", Theta, np.ones(4), 0.0)
    compare([("F", found.value(), best.value)], atol=1e-15)
    more = Found(5, "0.6", np.vstack([5 * Theta / 4, np.zeros(5)]), np.ones(5), 0.0)
    compare([("F with a zero row", more.value(), best.value)], atol=1e-15)


def test_f_and_its_gradients_are_those_of_the_generated_module():
    module, rng = generate("relu").load(), np.random.default_rng(0)
    for M, d, beta in ((1, 1, 0.3), (3, 4, 0.0), (5, 2, 0.9)):
        Theta, b = rng.standard_normal((M, d)), rng.standard_normal(M)
        mine = simplified(beta, Theta, b / M)
        other = module.simplified_and_grad(1.0, beta * np.eye(d)[0], Theta, b)
        got = np.concatenate([[mine[0]], mine[1].ravel(), mine[2] / M])
        wanted = np.concatenate([[other[0]], other[1].ravel(), other[2]])
        compare(zip(range(len(got)), got, wanted, strict=True), atol=1e-14)


def test_descents_move_outer_weights_only_if_asked():
    rng = np.random.default_rng(0)
    start = rng.standard_normal((3, 4))
    fixed, _ = descent_of_f("0.5", start)
    free, run = descent_of_f("0.5", start, rng.standard_normal(3))
    assert (fixed.b == 1).all()
    assert (free.b != 1).all()
    compare([("F", free.value(), run.value)], atol=1e-14)
    assert fixed.residual <= 1e-9


def test_huge_opposite_weights_get_their_rounding():
    Theta = np.array([[1.0, 0.0], [1.0, 1e-7]])
    calm = Found(2, "0.5", Theta, np.ones(2), 0.0)
    wild = Found(2, "0.5", Theta, np.array([1e6, -1e6]), 0.0)
    assert calm.slack() < 1.1e-12
    assert wild.slack() > 1e-3
