"""The claims behind E4: what their evidence is made of, and what it refutes."""

from dataclasses import replace

import mpmath
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Rational, cos, pi, sin

from proofs_checks import REGISTRY
from proofs_checks.etf import bad_heights, ensembles
from proofs_checks.etf import forms as etf_forms
from proofs_checks.etf import inequalities as etf_inequalities
from proofs_checks.etf import jensen as etf_jensen
from proofs_checks.etf import regions as etf_regions
from proofs_checks.etf import tangents as etf_tangents
from proofs_checks.etf import theorem as etf_theorem
from proofs_checks.ledger import Kind, Outcome, Settings, own_verdict, verdicts
from symcomp.errors import ExpressionError
from tests.comparison import compare

QUICK = Settings(digits=30, examples=30, seed=1)
IDS = ("A1", "A2", "A3a", "A3b", "V1", "V2", "A4i", "A4ii", "A4iii", "A4", "E4")


@pytest.mark.slow
def test_e4_is_certified_and_no_more():
    """Proved in itself, but capped by V1 and V2."""
    needed = REGISTRY.with_dependencies(["E4"])
    assert set(IDS) <= set(needed)
    own = {}
    for claim in map(REGISTRY.__getitem__, needed):
        strong = [e for e in claim.evidence if e.kind in (Kind.PROOF, Kind.CERTIFICATE)]
        found = [(e.kind, e.covers, e.check(claim.subject(), QUICK).outcome) for e in strong]
        own[claim.id] = own_verdict(found)
    final = verdicts(REGISTRY, own)
    assert own["E4"] == "proved"
    assert final["E4"] == "certified"
    assert {i for i in IDS if own[i] == "certified"} == {"A3b", "V1", "V2", "A4ii"}
    assert {i for i in IDS if final[i] == "proved"} == {"A1", "A2", "A3a", "A4i", "A4iii"}


def test_s_and_the_minimiser_are_certified_to_be_unique():
    for claim in (REGISTRY["E4s"], REGISTRY["E4u"]):
        found = claim.evidence[0].check(claim.subject(), QUICK)
        assert found.outcome is Outcome.HOLDS, found.figure
    assert "E4s" in REGISTRY["E4u"].depends_on


@pytest.mark.parametrize(
    ("claim", "name", "kinds"),
    [
        ("A1", "t(s) with M - 1 for M", {"proof"}),
        ("A1", "the line yρ + y", {"proof", "property"}),
        ("A2", "a negative weight", {"property"}),
        ("A2", "u = ψ tan ψ", {"proof", "property"}),
        ("A3a", "kψ up to 2π", {"property"}),
        ("A3b", "g²ψ² up to 2π", {"property"}),
        ("A3b", "a share of 1/4", {"certificate", "property"}),
        ("V1", "y² d sin y in place of 2y² d sin y", {"certificate", "property"}),
        ("V2", "also where s is not bad", {"property"}),
        ("A4i", "from β/2 on", {"property"}),
        ("A4ii", "1 - s² <= 16α²", {"certificate", "property"}),
        ("A4iii", "H(βs) <= ψ̄³/4", {"proof", "property"}),
        ("A4", "A4ii for β <= 0.06 only", {"proof"}),
        ("E4s", "D with the other sign", {"certificate", "property"}),
        ("E4v", "the last digit of s", {"certificate"}),
    ],
)
def test_which_evidence_refutes_a_mutant(claim, name, kinds):
    entry = REGISTRY[claim]
    (mutant,) = (m for m in entry.mutants if m.name == name)
    subject = mutant.change(entry.subject())
    settings = Settings(examples=100)
    found = {e.kind for e in entry.evidence if _fails(e, subject, settings)}
    assert {kind.value for kind in found} == kinds


def _fails(evidence, subject, settings):
    return evidence.check(subject, settings).outcome is Outcome.FAILS


# ---- forms ---------------------------------------------------------------------------------------


def test_taylor_against_sympy_series():
    x, a = sympy.symbols("x a", positive=True)
    for expr in (
        sin(a * x) * cos(x) ** 3,
        (pi - x) ** 2 / (pi - a * x) ** 2,
        sin(pi * (1 - x) ** 2) / cos(a * x),
        x**2 * cos(1 + x + a * x**2),
    ):
        wanted = expr.series(x, 0, 5).removeO()
        assert sympy.simplify(etf_inequalities.taylor(expr, x, 5) - wanted) == 0


def test_taylor_leaves_alone_what_it_cannot_do():
    x = sympy.Symbol("x")
    with pytest.raises(ExpressionError, match=r"found exp\(x\), expected sums"):
        etf_inequalities.taylor(sympy.exp(x), x, 3)


@given(
    z=st.floats(0.01, 0.49),
    share=st.floats(0, 1),
)
def test_pair_values_are_those_of_the_forms(z, share):
    """The searches go through arccos, the forms are in angles."""
    z = Rational(z).limit_denominator(1000)
    x = z + (1 - 2 * z) * Rational(share).limit_denominator(1000)
    pair = etf_forms.scaled(z, x)
    with mpmath.workdps(30):
        values = etf_inequalities.pair_values(mpf(z.p) / z.q, mpf(x.p) / x.q)
    forms = [sympy.N(f, 30) for f in (pair.s, pair.badness, pair.left - pair.right)]
    for got, wanted in zip(values, forms, strict=True):
        assert abs(sympy.Float(got, 30) - wanted) < 1e-20


# ---- means in angles -----------------------------------------------------------------------------


@given(
    c=st.lists(st.floats(0.001, 5), min_size=1, max_size=5),
    turns=st.lists(st.floats(0.001, 0.999), min_size=5, max_size=5),
)
def test_mean_angle_solves_both_equations(c, turns):
    with mpmath.workdps(30):
        weights = [mpf(w) for w in c]
        psi = [mpmath.pi * mpf(t) for t in turns[: len(c)]]
        scale, end = etf_jensen.mean_angle(weights, psi)
        pairs = [*zip(weights, psi, strict=True)]
        first = mpmath.fsum(w * mpmath.sin(x) for w, x in pairs)
        second = mpmath.fsum(w * x * mpmath.cos(x) for w, x in pairs)
        size = 10 * mpmath.fsum(w * (1 + x) for w, x in pairs)
        assert min(psi) <= end <= max(psi)
        assert abs(scale * mpmath.sin(end) - first) < mpf(10) ** -25 * size
        assert abs(scale * end * mpmath.cos(end) - second) < mpf(10) ** -25 * size * 1000


def test_mean_angle_without_mass_is_not_a_number():
    assert mpmath.isnan(etf_jensen.mean_angle([mpf(-1)], [mpf(1)])[1])
    assert mpmath.isnan(etf_jensen.mean_angle([mpf(3), mpf(-1)], [mpf(1), mpf(2)])[1])


def test_the_criterion_on_a_function_that_is_convex_in_u():
    """F = sin ψ u² has d²(F/sin)/du² = 2, so N_F = 2 B³/sin³ψ."""
    psi = etf_jensen.PSI
    u = psi * cos(psi) / sin(psi)
    b = psi - sin(psi) * cos(psi)
    gap = etf_jensen.criterion(sin(psi) * u**2) - 2 * b**3 / sin(psi) ** 3
    for value in (Rational(1, 3), Rational(3, 2), 3):
        assert abs(sympy.N(gap.subs(psi, value), 40)) < 1e-30


# ---- the theorem ---------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [2, 3, 11])
@pytest.mark.parametrize("beta", [0.001, 0.4, 0.95])
def test_cone_optimum_is_the_greatest_on_a_grid(m, beta):
    with mpmath.workdps(30):
        best, s = ensembles.cone_optimum(m, mpf(beta))
        value = _cone(m, beta, s)
        assert abs(value - best) < mpf(10) ** -28
        for k in range(-40, 41):
            assert _cone(m, beta, mpf(k) / 40) <= best


def _cone(m, beta, s):
    def h(rho):
        return (mpmath.sqrt(1 - rho**2) + rho * (mpmath.pi - mpmath.acos(rho))) / (2 * mpmath.pi)

    energy = (h(mpf(1)) + (m - 1) * h((m * s * s - 1) / (m - 1))) / m
    return h(beta * s) ** 2 / energy


def test_the_optimal_cone_attains_the_bound():
    """The margin of the descent is 0 there, to 40 digits, for two neurons and for three."""
    claim = etf_theorem.dominance()
    rows = []
    with mpmath.workdps(50):
        for m, beta in ((2, mpf("0.2")), (3, mpf("0.4"))):
            best, s = ensembles.cone_optimum(m, beta)
            turns = [2 * mpmath.pi * k / m for k in range(m)]
            e = [[mpmath.cos(t), mpmath.sin(t)] for t in turns]
            found = ensembles.Ensemble([mpf(1)] * m, [s] * m, e, beta)
            assert abs(found.ratio() - best) < mpf(10) ** -45
            assert etf_theorem._least_gap(found, claim) < mpf(10) ** -45
            rows.append((m, float(best), float(found.ratio())))
    compare(rows, rtol=1e-15, min_points=2)


def test_beyond_y_c_the_bound_of_the_proof_is_false():
    claim = replace(etf_theorem.dominance(), reach=Rational(5, 4))
    assert etf_theorem._chain_search(claim, QUICK).outcome is Outcome.FAILS


def test_one_neuron_at_v_for_low_heights():
    """Two opposite neurons have s̄ < 0, badly low: the cone at s̄ does not bound them, J* does."""
    with mpmath.workdps(30):
        beta = mpf("0.05")
        found = ensembles.Ensemble(
            [mpf("0.02"), mpf(1)], [mpf("0.1"), mpf(-1)], [[mpf(1)], [mpf(1)]], beta
        )
        best, _ = ensembles.cone_optimum(2, beta)
        assert found.ratio() < found.bound(mpf(1))
        assert found.ratio() < best


def test_regions_meet():
    seams = bad_heights.everywhere()
    assert seams.beta == etf_regions.low().least
    assert seams.psi == etf_regions.deep().reach
    assert float(cos(pi * seams.z)) <= float(seams.beta)


def test_tangents_touch():
    claim = etf_tangents.tangents()
    for y in (Rational(1, 3), Rational(2), pi):
        at = claim.touch.subs(etf_tangents.Y, y)
        line = claim.line.subs({etf_tangents.Y: y, etf_tangents.RHO: at})
        assert abs(sympy.N(line - etf_forms.height(y))) < 1e-14
