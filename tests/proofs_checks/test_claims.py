"""Every claim of the ledger: its evidence holds, and each of its mutants falls to that evidence."""

import pytest

from proofs_checks import REGISTRY
from proofs_checks.ledger import Outcome, Settings

SETTINGS = Settings(examples=50)
EVIDENCE = [(c, e) for c in REGISTRY.claims for e in c.evidence]
MUTANTS = [(c, m) for c in REGISTRY.claims for m in c.mutants]


@pytest.mark.parametrize(
    ("claim", "evidence"), EVIDENCE, ids=[f"{c.id}-{e.kind}" for c, e in EVIDENCE]
)
def test_evidence_holds(claim, evidence):
    finding = evidence.check(claim.subject(), SETTINGS)
    assert finding.outcome is Outcome.HOLDS, f"{finding.figure}: {finding.counterexample}"
    assert finding.decided > 0


@pytest.mark.parametrize(("claim", "mutant"), MUTANTS, ids=[f"{c.id}-{m.name}" for c, m in MUTANTS])
def test_mutant_falls(claim, mutant):
    subject = mutant.change(claim.subject())
    outcomes = (evidence.check(subject, SETTINGS).outcome for evidence in claim.evidence)
    assert any(outcome is Outcome.FAILS for outcome in outcomes)
