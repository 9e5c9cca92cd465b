"""A claim explained: all that it rests on first, every step, the same from the cache."""

from dataclasses import replace
from pathlib import Path

from proofs_checks.cache import Cache
from proofs_checks.explain import explain
from proofs_checks.ledger import Registry, Settings
from proofs_checks.runner import run
from tests.proofs_checks.tiny import BAD, GOOD, claim

SETTINGS = Settings(examples=5)


def test_the_chain_comes_in_order_with_every_step() -> None:
    text = explain(run(GOOD, "U1", SETTINGS))
    wanted = (
        "U1. Title U1: certified",
        "T1 → T2 → U1",
        "T1  Square of a sum",
        r"(x+1)^2 = x^2 + 2x + 1",
        "verdict: proved",
        "proof: expand",
        "holds: 1 identity closed",
        "1. square: (x + 1)**2 = x**2 + 2*x + 1",
        "T2  Title T2",
        "verdict: certified; rests on T1",
        "U1  Title U1",
        "verdict: certified (by itself: proved); rests on T2",
        "mutants refuted: 1/1",
        "three: refuted by proof",
    )
    places = [text.find(line) for line in wanted]
    assert -1 not in places
    assert places == sorted(places)


def test_a_claim_of_two_chains_is_written_out_once() -> None:
    text = explain(run(GOOD, settings=SETTINGS))
    assert text.count("T1  Square of a sum") == 1
    assert [line for line in text.splitlines() if " → " in line] == ["T1 → T2", "T1 → T2 → U1"]
    assert "rests on no other claim" in text


def test_a_dependency_reached_twice_stands_before_both() -> None:
    registry = Registry(
        (
            claim("A"),
            claim("B", depends_on=("A",)),
            claim("C", depends_on=("A",)),
            claim("D", depends_on=("C", "B")),
        )
    )
    assert "A → C → B → D" in explain(run(registry, "D"))


def test_what_fails_or_survives_is_told() -> None:
    text = explain(run(BAD))
    assert "fails: 1 point" in text
    assert "against it: at x = 1" in text
    assert "three: SURVIVES" in text
    assert "verdict: undecided (by itself: proved); rests on R1" in text


def test_the_cache_explains_as_well(tmp_path: Path) -> None:
    kept = Cache(tmp_path, "sources", SETTINGS)
    fresh = explain(run(GOOD, settings=SETTINGS, cache=kept))
    assert explain(run(GOOD, settings=SETTINGS, cache=kept)) == fresh


def test_long_lines_are_folded_and_nothing_is_lost() -> None:
    words = " ".join(f"word{n}" for n in range(60))
    text = explain(run(Registry((replace(claim("A"), statement=words, source="a  b"),))))
    assert max(map(len, text.splitlines())) <= 100
    assert words in " ".join(text.split())
