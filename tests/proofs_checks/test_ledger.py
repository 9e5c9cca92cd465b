"""Verdicts are computed, and an unsound registry is refused."""

from dataclasses import replace
from itertools import product

import pytest

from proofs_checks.ledger import (
    Finding,
    Kind,
    Outcome,
    Registry,
    Settings,
    Verdict,
    capped,
    own_verdict,
    verdicts,
)
from symcomp.errors import ArgumentError, SymcompError
from tests.proofs_checks.tiny import GOOD, claim

H, F, U = Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        ([(Kind.PROOF, "", H)], Verdict.PROVED),
        ([(Kind.CERTIFICATE, "", H)], Verdict.CERTIFIED),
        ([(Kind.PRECISION, "", H)], Verdict.SUPPORTED),
        ([(Kind.PROPERTY, "", H)], Verdict.SUPPORTED),
        ([(Kind.STATISTICS, "", H)], Verdict.SUPPORTED),
        ([(Kind.PROOF, "M = 2 only", H)], Verdict.SUPPORTED),
        ([(Kind.PROOF, "M = 2 only", H), (Kind.CERTIFICATE, "", H)], Verdict.CERTIFIED),
        ([(Kind.STATISTICS, "", H), (Kind.PROOF, "", H)], Verdict.PROVED),
        ([(Kind.PROOF, "", U), (Kind.PROPERTY, "", H)], Verdict.SUPPORTED),
        ([(Kind.PROOF, "", U)], Verdict.UNDECIDED),
        ([], Verdict.UNDECIDED),
        ([(Kind.PROOF, "", H), (Kind.STATISTICS, "a part", F)], Verdict.REFUTED),
    ],
)
def test_own_verdict(evidence: list[tuple[Kind, str, Outcome]], verdict: Verdict) -> None:
    assert own_verdict(evidence) is verdict


def test_no_dependency_strengthens_a_verdict() -> None:
    order = list(Verdict)
    for own, below in product(order, order):
        assert order.index(capped(own, [below])) >= order.index(own)


@pytest.mark.parametrize(
    ("own", "below", "verdict"),
    [
        (Verdict.PROVED, (), Verdict.PROVED),
        (Verdict.PROVED, (Verdict.CERTIFIED, Verdict.SUPPORTED), Verdict.SUPPORTED),
        (Verdict.SUPPORTED, (Verdict.PROVED,), Verdict.SUPPORTED),
        (Verdict.PROVED, (Verdict.REFUTED,), Verdict.UNDECIDED),
        (Verdict.REFUTED, (Verdict.REFUTED,), Verdict.REFUTED),
        (Verdict.REFUTED, (Verdict.PROVED,), Verdict.REFUTED),
    ],
)
def test_capped(own: Verdict, below: tuple[Verdict, ...], verdict: Verdict) -> None:
    assert capped(own, below) is verdict


def test_caps_travel_through_the_whole_chain() -> None:
    chain = Registry((claim("C", depends_on=("B",)), claim("B", depends_on=("A",)), claim("A")))
    own = dict.fromkeys("ABC", Verdict.PROVED)
    assert verdicts(chain, own | {"A": Verdict.SUPPORTED})["C"] is Verdict.SUPPORTED
    assert verdicts(chain, own | {"A": Verdict.REFUTED})["C"] is Verdict.UNDECIDED
    assert verdicts(chain, own) == own


def test_a_dependency_that_did_not_run_leaves_a_claim_undecided() -> None:
    assert verdicts(GOOD, {"T2": Verdict.PROVED}) == {"T2": Verdict.UNDECIDED}


def test_the_order_of_kinds_and_verdicts_is_strongest_first() -> None:
    assert " ".join(Kind) == "proof certificate precision property statistics"
    assert " ".join(Verdict) == "proved certified supported undecided refuted"


def test_a_pass_must_have_decided_something() -> None:
    with pytest.raises(ValueError, match="must have decided"):
        Finding(H, "0 points", tried=10, met=0, decided=0)
    assert Finding(U, "0 points").decided == 0
    assert Finding(H, "1 point", decided=1).outcome is H


def test_settings_have_the_documented_defaults() -> None:
    assert Settings() == Settings(digits=50, examples=100, seed=0)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ((claim("A"), claim("A")), "claim id A occurs more than once"),
        ((claim("A", depends_on=("B",)),), "claim A depends on B, which is no claim"),
        ((claim("A", depends_on=("A",)),), "claims depend on each other: A -> A"),
        (
            (claim("A", depends_on=("B",)), claim("B", depends_on=("A",))),
            "claims depend on each other",
        ),
        ((replace(claim("A"), evidence=()),), "claim A has no evidence"),
        ((replace(claim("A"), mutants=()),), "claim A has no mutant"),
        ((replace(claim("A"), statement="\theta"),), r"claim A: found '\\t' in its statement"),
    ],
)
def test_an_unsound_registry_is_refused(claims: tuple, message: str) -> None:
    with pytest.raises(SymcompError, match=message):
        Registry(claims)


def test_selection_by_pattern_ignores_case() -> None:
    assert GOOD.select() == ("T1", "T2", "U1")
    assert GOOD.select("t*") == ("T1", "T2")
    assert GOOD.select("u1") == ("U1",)
    assert GOOD.select("?2") == ("T2",)


@pytest.mark.parametrize("pattern", ["E7", "", "T", "[!TU]*"])
def test_an_unknown_pattern_lists_the_claims(pattern: str) -> None:
    with pytest.raises(ArgumentError, match=r"matches no claim, expected one of T1, T2, U1"):
        GOOD.select(pattern)


def test_dependencies_come_along_in_the_order_of_the_registry() -> None:
    assert GOOD.with_dependencies(["U1"]) == ("T1", "T2", "U1")
    assert GOOD.with_dependencies(["T1"]) == ("T1",)
    assert GOOD["T2"].title == "Title T2"
