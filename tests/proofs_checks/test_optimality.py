from dataclasses import replace

import mpmath
import numpy as np
import pytest

from proofs_checks import optimality, oracles
from proofs_checks.ledger import Kind, Outcome, Settings
from symcomp.frames import simplex_etf
from tests.comparison import compare

QUICK = Settings(digits=30, examples=60, seed=1)
E2 = optimality.E2


def outcomes(claim, subject, settings=QUICK):
    """The outcome of each kind of evidence: failed if one of the kind fails."""
    found = {}
    for e in claim.evidence:
        outcome = e.check(subject, settings).outcome
        if found.get(e.kind) is not Outcome.FAILS:
            found[e.kind] = outcome
    return found


@pytest.mark.parametrize("evidence", E2.evidence, ids=lambda e: e.method)
def test_every_evidence_of_e2_holds(evidence):
    finding = evidence.check(E2.subject(), QUICK)
    assert finding.outcome is Outcome.HOLDS, finding


# name of the mutant -> the evidence that refutes it, beside the proof, which refutes all
REFUTED_BY = {
    "cosine -1/M": set(),
    "E_M with 1/M in place of 1/(2M)": {Kind.PRECISION},
    "radius τ/(π E_M)": {Kind.PRECISION},
    "value with 1/(8π² E_M)": {Kind.PRECISION, Kind.PROPERTY},
    "law 1/4 - 1/(4π)": {Kind.PRECISION},
}


@pytest.mark.parametrize("mutant", E2.mutants, ids=lambda m: m.name)
def test_every_mutant_of_e2_falls(mutant):
    found = outcomes(E2, mutant.change(E2.subject()))
    refuting = {kind for kind, outcome in found.items() if outcome is Outcome.FAILS}
    assert refuting == {Kind.PROOF} | REFUTED_BY[mutant.name]


def test_a_value_slightly_too_high_is_found():
    raised = replace(E2.subject(), value=E2.subject().value + 1e-9)
    assert outcomes(E2, raised)[Kind.PROPERTY] is Outcome.FAILS


def test_the_objective_of_the_search_is_the_integral():
    """F of two neurons in the plane, τ = 1: g is constant, so E (g - f̂)² takes three integrals."""
    U = np.array([[1.0, 0.0], [-0.6, 0.8]])
    lengths = np.array([0.5, 1.25])
    g = oracles.expectation1(oracles.relu, 1, digits=20)
    square = oracles.loss_by_quadrature(lengths[:, None] * U, [[0, 0]], digits=20)
    wanted = g**2 - 2 * g * g * mpmath.mpf(lengths.mean()) + square
    compare([("F", optimality._simplified(lengths, U), wanted)], rtol=1e-14)


def test_simplex_attains_the_minimum():
    claim = E2.subject()
    for m in (2, 3, 7, 20):
        at = {optimality.M: m, optimality.TAU: 1}
        radius, value = (float(x.subs(at)) for x in (claim.radius, claim.value))
        compare(
            [(m, optimality._simplified(np.full(m, radius), simplex_etf(m)), value)], atol=1e-15
        )
