import numpy as np
import pytest

from proofs_checks import landscape
from proofs_checks.ledger import Outcome, Settings
from symcomp import generate
from symcomp.optima import optimum
from tests.comparison import compare


def test_value_of_a_found_network_is_f():
    """The cone itself: F by the arc-cosine formula is the claimed value; a zero row counts as 0."""
    best = optimum("relu", 4, "0.6")
    Theta = best.weights(0.6 * np.eye(5)[0])
    found = landscape.Found(4, "0.6", Theta, np.ones(4), 0.0)
    compare([("F", found.value(), best.value)], atol=1e-15)
    more = landscape.Found(5, "0.6", np.vstack([5 * Theta / 4, np.zeros(5)]), np.ones(5), 0.0)
    compare([("F with a zero row", more.value(), best.value)], atol=1e-15)


def test_f_and_its_gradients_are_those_of_the_generated_module():
    module, rng = generate("relu").load(), np.random.default_rng(0)
    for M, d, beta in ((1, 1, 0.3), (3, 4, 0.0), (5, 2, 0.9)):
        Theta, b = rng.standard_normal((M, d)), rng.standard_normal(M)
        mine = landscape.simplified(beta, Theta, b / M)
        other = module.simplified_and_grad(1.0, beta * np.eye(d)[0], Theta, b)
        got = np.concatenate([[mine[0]], mine[1].ravel(), mine[2] / M])
        wanted = np.concatenate([[other[0]], other[1].ravel(), other[2]])
        compare(zip(range(len(got)), got, wanted, strict=True), atol=1e-14)


def test_descents_move_outer_weights_only_if_asked():
    rng = np.random.default_rng(0)
    start = rng.standard_normal((3, 4))
    fixed, _ = landscape.descent_of_f("0.5", start)
    free, run = landscape.descent_of_f("0.5", start, rng.standard_normal(3))
    assert (fixed.b == 1).all()
    assert (free.b != 1).all()
    compare([("F", free.value(), run.value)], atol=1e-14)
    assert fixed.residual <= 1e-9


def test_a_counterexample_can_be_read_back():
    """A claim of too much is refuted by a network whose text says all of it."""
    finding = landscape.attack(
        lambda M, beta: landscape.claimed(M, beta) + 1e-9, Settings(), iter([(2, "0.5")])
    )
    assert finding.outcome is Outcome.FAILS
    rows = finding.counterexample.split("Theta = ")[1]
    Theta = np.array([[float(x) for x in row.split(",")] for row in rows.strip("[]").split("], [")])
    again = landscape.Found(2, "0.5", Theta, np.ones(2), 0.0)
    assert again.value() < landscape.claimed(2, "0.5") + 1e-9 - 1e-12


def test_huge_opposite_weights_get_their_rounding():
    Theta = np.array([[1.0, 0.0], [1.0, 1e-7]])
    calm = landscape.Found(2, "0.5", Theta, np.ones(2), 0.0)
    wild = landscape.Found(2, "0.5", Theta, np.array([1e6, -1e6]), 0.0)
    assert calm.slack() < 1.1e-12
    assert wild.slack() > 1e-3


def test_cases_cover_every_size_and_all_betas():
    few, all_of_them = list(landscape.cases()), list(landscape.cases(every=True))
    assert {M for M, _ in few} == set(range(2, 17))
    assert {beta for _, beta in few} == set(landscape.BETAS)
    assert len(all_of_them) == 15 * 7
    assert set(few) < set(all_of_them)


@pytest.mark.slow
def test_more_attacks():
    finding = landscape.attack(
        landscape.claimed,
        Settings(seed=1),
        iter([(M, b) for M, b in landscape.cases(every=True) if M <= 7]),
    )
    assert finding.outcome is Outcome.HOLDS, finding.counterexample
    which = tuple((M, beta) for M in range(2, 7) for beta in ("0.1", "0.65", "0.8", "0.9"))
    signed = landscape.signed_attack(landscape.claimed, Settings(seed=1), which)
    assert signed.outcome is Outcome.HOLDS, signed.counterexample
