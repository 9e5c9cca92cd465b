"""The mutator changes every place of a formula once, and the evidence tells true from false."""

from collections import Counter

import pytest
import sympy

from proofs_checks import kernels, mutator
from proofs_checks.ledger import Settings, Verdict
from proofs_checks.mutator import Formula, Variant, fate, formulas, summary, survey, variants
from symcomp.antiderivatives import C

SETTINGS = Settings(examples=20)


def toy(expr: sympy.Expr) -> Formula:
    return Formula(kernels.K1, "toy", expr, lambda e: e)


def test_every_place_is_changed_once() -> None:
    changed = {v.expr for v in variants(toy(2 * C**3 / sympy.pi))}
    wanted = {
        -2 * C**3 / sympy.pi,
        3 * C**3 / sympy.pi,
        2 * C**4 / sympy.pi,
        2 * C ** (-3) / sympy.pi,
        2 * C**3 / 3,
        2 * C**3,
        2 * C**3 * sympy.pi,
    }
    assert changed == wanted


def test_the_formula_itself_is_no_variant() -> None:
    for formula in formulas():
        found = [v.expr for v in variants(formula)]
        assert formula.expr not in found
        assert len(found) == len(set(found)) > 0


def test_an_equivalent_variant_is_told_from_a_false_one() -> None:
    relu = next(formulas())
    c, q = C, sympy.Symbol("q_u", positive=True)
    same = relu.expr + c * (sympy.sin(q) ** 2 + sympy.cos(q) ** 2 - 1)
    assert fate(Variant(relu, "identity", same), SETTINGS).verdict is Verdict.PROVED
    false = Variant(relu, "a millionth", relu.expr + c / 10**6)
    assert fate(false, SETTINGS).verdict is Verdict.REFUTED
    nowhere = Variant(relu, "imaginary", relu.expr + sympy.I)
    assert fate(nowhere, SETTINGS).verdict is Verdict.REFUTED


@pytest.mark.slow
def test_the_evidence_kills_them() -> None:
    fates = survey(SETTINGS, 2)
    count = Counter(f.verdict for f in fates)
    survivors = [
        f"{f.variant.formula.name}: {f.variant.change}" for f in fates if f.verdict == "undecided"
    ]
    false = count[Verdict.REFUTED] + count[Verdict.UNDECIDED]
    assert count[Verdict.REFUTED] >= 0.95 * false > 0, survivors
    assert summary(fates).startswith(f"{count[Verdict.REFUTED]} of {false} false variants")


def test_a_survey_that_kills_nothing_falls() -> None:
    claim = mutator.L1
    finding = claim.evidence[0].check(claim.mutants[0].change(claim.subject()), SETTINGS)
    assert finding.outcome == "fails"
    assert "refutes nothing" in finding.counterexample
