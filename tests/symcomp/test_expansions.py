import sympy

import symcomp
from symcomp.antiderivatives import C
from symcomp.expansions import (
    GENERAL,
    KURTOSIS,
    SKEW_MU,
    SKEW_THETA,
    cross_correction,
    objective_correction,
    target_correction,
    unit_correction,
)
from symcomp.expectations import QV
from symcomp.objectives import BETA, MU, TAU, D, M, S, mean_field_constant
from tests.comparison import compare

RELU = symcomp.dual_kernel("relu")


def test_relu_at_zero_mean():
    """B(0, .) = 1/(8π), the coefficient in the series of c_0(d) at d = ∞; -κ_4/(16π) beside it."""
    assert unit_correction(RELU).subs(BETA, 0) == 1 / (8 * sympy.pi)
    for d in (10**3, 10**4):
        c0 = mean_field_constant(RELU, sympy.Integer(d)).subs(TAU, 1)
        got = d * (sympy.N(c0, 40) - 1 / (2 * sympy.pi))
        compare([(d, sympy.N(got, 20), sympy.N(1 / (8 * sympy.pi), 20))], atol=1 / d)
    general = unit_correction(RELU, GENERAL).subs({BETA: 0, SKEW_MU: 0})
    assert sympy.expand(general - 1 / (8 * sympy.pi) + KURTOSIS / (16 * sympy.pi)) == 0


def test_relu_in_closed_form():
    wanted = (1 - BETA**2) ** 2 * (1 - 2 * BETA**2 * S**2)
    wanted /= 8 * sympy.pi * sympy.sqrt(1 - BETA**2 * S**2)
    assert sympy.simplify(unit_correction(RELU) - wanted) == 0


def test_polynomials_have_no_remainder():
    """E <w,θ>² = <μ,θ>² + s²|θ|², E (w·w')² likewise: K = q_u q_v + 2c² for x², cut at 1/d²."""
    square = symcomp.dual_kernel("monomial")
    s2 = (TAU**2 - MU**2) / D
    # E |w|² = τ², and K is linear in |w|²
    assert sympy.expand(D * 2 * s2 * QV - cross_correction(square)) == 0
    both = 2 * (2 * s2 * MU**2 + s2**2 * D)
    assert sympy.expand(D * both - target_correction(square)) == 0


def test_the_identity_moves_by_nothing():
    line = symcomp.dual_kernel("identity")
    assert cross_correction(line, GENERAL) == 0
    assert target_correction(line, GENERAL) == 0


def test_the_third_moment_enters_through_mean_and_direction():
    general = cross_correction(RELU, GENERAL)
    assert sympy.simplify(sympy.diff(general, SKEW_THETA)) != 0
    assert sympy.simplify(sympy.diff(general, SKEW_THETA).subs({C: 0, MU: 0})) == 0
    assert sympy.simplify(sympy.diff(general, SKEW_MU)) != 0


def test_the_objective_sums_over_neurons():
    total = objective_correction(RELU, GENERAL).subs(M, 2).doit()
    assert len({x for x in total.atoms(sympy.Indexed) if str(x.base.label) == "b"}) == 2
    assert len({x for x in total.atoms(sympy.Indexed) if "gamma" in str(x.base.label)}) == 2
    alone = total.subs({x: 0 for x in total.atoms(sympy.Indexed) if str(x.base.label) == "b"})
    assert sympy.simplify(alone - target_correction(RELU, GENERAL)) == 0


def test_an_activation_without_kinks_has_a_correction_too():
    """erf: no homogeneity is needed for cross and target terms."""
    assert cross_correction(symcomp.dual_kernel("erf")).free_symbols == {TAU, MU, QV, C}
