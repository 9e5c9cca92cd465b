from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from proofs_checks import energy
from proofs_checks.ledger import Outcome, Settings
from symcomp import objectives
from tests.comparison import compare

QUICK = Settings(digits=30, examples=60, seed=1)
MUTANTS = {mutant.name: mutant for mutant in energy.E1.mutants}
MEAN, MASS, SHAPE = MUTANTS


NAMES = ("proof", "chain", "direct", "precision", "property")


def findings(subject):
    return {
        name: evidence.check(subject, QUICK)
        for name, evidence in zip(NAMES, energy.E1.evidence, strict=True)
    }


@pytest.fixture(scope="module")
def held():
    return findings(energy.E1.subject())


@pytest.mark.parametrize("name", NAMES)
def test_every_evidence_holds(held, name):
    assert held[name].outcome is Outcome.HOLDS, held[name]


def test_the_proof_covers_every_kernel_and_reads_in_order(held):
    steps = held["proof"].steps
    assert steps[0].startswith("Σp² >= 1/M is the mass of the diagonal")
    for name in energy.CONVEX:
        assert any(step.startswith(f"{name}: κ'' = ") for step in steps)


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        # the proof leaves a false bound with an abstract κ undecided: no number can refute it
        (MEAN, ["undecided", "fails", "fails", "fails", "fails"]),
        (MASS, ["undecided", "fails", "fails", "fails", "fails"]),
        # at equality the shape of κ does not matter
        (SHAPE, ["fails", "fails", "fails", "holds", "fails"]),
    ],
)
def test_every_mutant_falls(name, outcomes):
    subject = MUTANTS[name].change(energy.E1.subject())
    assert [finding.outcome for finding in findings(subject).values()] == outcomes


def test_a_looser_bound_is_not_taken_for_the_claim():
    """True but not sharp: no counterexample exists, yet it is not what symcomp computes."""
    loose = replace(
        energy.energy_inequality(),
        bound=lambda ker, m, q: objectives.energy_bound(ker, m, q) - 1 / (m * 10**6),
    )
    found = findings(loose)
    assert found["property"].outcome is found["direct"].outcome is Outcome.HOLDS
    assert found["precision"].outcome is found["chain"].outcome is Outcome.FAILS
    assert found["proof"].outcome is not Outcome.HOLDS


@given(configuration=energy.configurations())
def test_configurations_are_weights_and_unit_vectors(configuration):
    p, U = configuration
    assert 2 <= len(p) <= 40
    assert p.min() >= 0
    rows = [("sum", p.sum(), 1), *(("norm", x, 1) for x in np.linalg.norm(U, axis=1))]
    compare(rows, rtol=1e-14, min_points=len(p))


def test_float_kernels_are_right_up_to_the_ends():
    """Plainly 1 - ρ² loses half of the digits next to 1, and the search would cry wolf."""
    for ker in energy.energy_inequality().kernels:
        kappa = energy._float_kernel(ker)
        for e in (0.0, 2.0**-53, 3 * 2.0**-53, 1e-12, 1e-3):
            for rho in (1 - e, e - 1, e):
                wanted = ker.evaluate(1, 1, rho)
                compare([(f"{ker.left.name} at {rho!r}", kappa(np.array(rho)), wanted)], atol=2e-16)


def test_the_search_reaches_equality():
    """The worst margin touches 0, so a bound that is too high by 1e-9 would be found."""
    raised = replace(
        energy.energy_inequality(),
        bound=lambda ker, m, q: objectives.energy_bound(ker, m, q) + 1e-9,
    )
    search = energy.E1.evidence[-1].check
    assert search(raised, QUICK).outcome is Outcome.FAILS
