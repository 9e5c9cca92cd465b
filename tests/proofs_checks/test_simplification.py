"""Every check of S0-S2 is seen accepting its claim, and refuting each mutant it can judge."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import mpmath
import pytest
import sympy

from proofs_checks import exact_loss, other_losses, simplification
from proofs_checks.exact_loss import S0
from proofs_checks.ledger import Claim, Evidence, Kind, Mutant, Outcome, Settings
from proofs_checks.loss_formulas import PAIRS
from proofs_checks.simplification import S2
from symcomp.objectives import N
from tests.comparison import compare

QUICK = Settings(digits=20, examples=60)
CLAIMS = (*exact_loss.CLAIMS, *other_losses.CLAIMS, *simplification.CLAIMS)
BY_ID = {claim.id: claim for claim in CLAIMS}
EVIDENCE = [(claim, evidence) for claim in CLAIMS for evidence in claim.evidence]
MUTANTS = [(claim, mutant) for claim in CLAIMS for mutant in claim.mutants]


def name(value: Any) -> str:
    return str(getattr(value, "id", getattr(value, "kind", getattr(value, "name", ""))))


@pytest.mark.parametrize(("claim", "evidence"), EVIDENCE, ids=name)
def test_accepts_the_claim(claim: Claim[Any], evidence: Evidence[Any]) -> None:
    finding = evidence.check(claim.subject(), QUICK)
    assert finding.outcome is Outcome.HOLDS, f"{finding.figure}: {finding.counterexample}"


@pytest.mark.parametrize(("claim", "mutant"), MUTANTS, ids=name)
def test_refutes_the_mutant(claim: Claim[Any], mutant: Mutant[Any]) -> None:
    changed = mutant.change(claim.subject())
    for evidence in claim.evidence:
        finding = evidence.check(changed, QUICK)
        assert finding.outcome is Outcome.FAILS, f"{evidence.method}: {finding.figure}"
        assert finding.counterexample


def test_the_claims_are_those_of_the_theory() -> None:
    assert list(BY_ID) == ["S0", "S0c", "S1", "S2"]


def test_fifty_digits_are_reached() -> None:
    (precision,) = (e for e in S0.evidence if e.kind is Kind.PRECISION)
    assert "7 points to 50 digits" in precision.check(S0.subject(), Settings()).figure


def test_a_changed_digit_in_the_oracle_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    true = exact_loss._loss_oracle
    monkeypatch.setattr(
        exact_loss,
        "_loss_oracle",
        lambda pair, digits: true(pair, digits) * (1 + mpmath.mpf(10) ** (2 - digits)),
    )
    (precision,) = (e for e in S0.evidence if e.kind is Kind.PRECISION)
    assert precision.check(S0.subject(), QUICK).outcome is Outcome.FAILS


@pytest.mark.parametrize(
    ("factor", "shift"), [(1 + 1e-9, 0.0), (1.0, -1e-9)], ids=["inexact", "negative"]
)
def test_a_faulty_generated_loss_is_found(
    monkeypatch: pytest.MonkeyPatch, factor: float, shift: float
) -> None:
    true = exact_loss._generated().loss
    faulty = SimpleNamespace(loss=lambda *networks: factor * true(*networks) + shift)
    monkeypatch.setattr(exact_loss, "_generated", lambda: faulty)
    (search,) = (e for e in S0.evidence if e.kind is Kind.PROPERTY)
    assert search.check(S0.subject(), QUICK).outcome is Outcome.FAILS


def test_the_stated_cases_are_what_their_labels_say() -> None:
    pairs = {pair.label: pair for pair in PAIRS}
    assert pairs["opposite neurons"].W[0] == tuple(-x for x in pairs["opposite neurons"].W[1])
    assert len(pairs["three dimensions"].W[0]) == 3
    assert min(pairs["signed outer weights"].a) < 0 < max(pairs["signed outer weights"].a)
    value = S0.subject().value
    rows = [
        (label, value(pairs[label].numbers, 50), 0)
        for label in ("copies", "parallel neurons merged")
    ]
    compare(rows, atol=1e-60, min_points=2)


def test_the_enumeration_is_complete() -> None:
    for law in simplification.LAWS:
        assert sum(p for p, _ in law.draws()) == 1
        mean = [sum(x) / Fraction(len(law.w)) for x in zip(*law.w, strict=True)]
        drawn = [
            sum(p * sum(law.w[k][axis] for k in chosen) for p, chosen in law.draws()) / law.N
            for axis in range(2)
        ]
        assert drawn == mean


def test_outer_weights_do_more_than_rescale() -> None:
    """With E a = 0 the mean target vanishes, and the loss does not: V/N = E a² E K(w,w)/N."""
    excess = S2.subject().expr
    mean, square = simplification._A1, simplification._A2
    assert sympy.simplify(excess.subs(mean, 0) - square * simplification._D / N) == 0
