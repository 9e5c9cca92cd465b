"""The mutator changes every place of a formula once, and the evidence tells true from false."""

from collections import Counter
from dataclasses import replace

import pytest
import sympy

from proofs_checks import kernels, mutator
from proofs_checks.derived import Formula, formulas
from proofs_checks.ledger import Outcome, Settings, Verdict
from proofs_checks.mutator import Variant, fate, notes, summary, survey, variants
from symcomp.antiderivatives import C
from symcomp.special import BivariateNormalCDF

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
    relu = formulas()[0]
    c, q = C, sympy.Symbol("q_u", positive=True)
    same = relu.expr + c * (sympy.sin(q) ** 2 + sympy.cos(q) ** 2 - 1)
    assert fate(Variant(relu, "identity", same), SETTINGS).verdict is Verdict.PROVED
    false = Variant(relu, "a millionth", relu.expr + c / 10**6)
    assert fate(false, SETTINGS).verdict is Verdict.REFUTED
    nowhere = Variant(relu, "imaginary", relu.expr + sympy.I)
    assert fate(nowhere, SETTINGS).verdict is Verdict.REFUTED


def slow_to_compare(formula: Formula) -> bool:
    """Sums and orthant probabilities: seconds a variant; claim L1 draws some of theirs."""
    return bool(formula.expr.has(BivariateNormalCDF, sympy.Sum))


@pytest.mark.slow
def test_the_evidence_kills_them() -> None:
    """Every variant, of which L1 draws a few a formula."""
    fates = survey(SETTINGS, among=lambda f: not slow_to_compare(f))
    count = Counter(f.verdict for f in fates)
    survivors = notes(fates)
    false = count[Verdict.REFUTED] + count[Verdict.UNDECIDED]
    assert count[Verdict.REFUTED] >= 0.95 * false > 900, survivors
    assert summary(fates).startswith(f"{count[Verdict.REFUTED]} of {false} false variants")
    surveyed = {f.name for f in formulas() if not slow_to_compare(f)}
    assert {f.variant.formula.name for f in fates} == surveyed


def test_every_formula_has_a_place_of_its_own() -> None:
    """The unchanged formula put back passes the quickest evidence of its claim."""
    for formula in formulas():
        if slow_to_compare(formula):
            continue  # the ledger runs them
        quick = (e for e in formula.claim.evidence if e.kind is formula.first)
        first = next(quick, formula.claim.evidence[0])
        found = first.check(formula.put(formula.expr), replace(SETTINGS, digits=20))
        assert found.outcome is not Outcome.FAILS, (formula.name, found)


def test_every_formula_belongs_to_one_group() -> None:
    names = ("kernel", "orthant", "loss", "optimum", "other")
    groups = [getattr(mutator, f"_is_{name}") for name in names]
    for formula in formulas():
        assert sum(group(formula) for group in groups) == 1, formula.name


def test_sums_are_compared_with_two_neurons_of_each() -> None:
    loss = next(f for f in formulas() if f.name == "L_N")
    assert mutator._same_function(loss.expr, loss.expr + 0 * loss.expr)
    assert not mutator._same_function(loss.expr, -loss.expr)
    assert not mutator._plain(loss.expr).has(sympy.Indexed, sympy.Sum)


def test_notes_name_what_is_not_refuted() -> None:
    relu = formulas()[0]
    fates = survey(SETTINGS, 1, mutator._never, lambda f: f.name == relu.name)
    assert len(fates) == len(notes(fates)) == 1
    assert notes(fates)[0].startswith("K of relu, ")
    assert notes(fates)[0].endswith("survives, evidence that refutes nothing")


def test_a_survey_that_kills_nothing_falls() -> None:
    claim = mutator.L1
    finding = claim.evidence[0].check(claim.mutants[0].change(claim.subject()), SETTINGS)
    assert finding.outcome == "fails"
    assert "refutes nothing" in finding.counterexample
