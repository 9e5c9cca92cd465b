import numpy as np
import pytest

from proofs_checks import landscape
from proofs_checks.descents_of_f import Found
from proofs_checks.ledger import Outcome, Settings


def test_a_counterexample_can_be_read_back():
    """A claim of too much is refuted by a network whose text says all of it."""
    finding = landscape.attack(
        lambda M, beta: landscape.claimed(M, beta) + 1e-9, Settings(), iter([(2, "0.5")])
    )
    assert finding.outcome is Outcome.FAILS
    rows = finding.counterexample.split("Theta = ")[1]
    Theta = np.array([[float(x) for x in row.split(",")] for row in rows.strip("[]").split("], [")])
    again = Found(2, "0.5", Theta, np.ones(2), 0.0)
    assert again.value() < landscape.claimed(2, "0.5") + 1e-9 - 1e-12


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
