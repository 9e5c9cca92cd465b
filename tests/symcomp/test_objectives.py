import mpmath
import pytest
import sympy

import symcomp
from symcomp.errors import ArgumentError
from symcomp.objectives import (
    BETA,
    TAU,
    M,
    N,
    S,
    cone_stationarity,
    cone_value,
    energy_bound,
    population_loss,
    simplex_optimum,
    simplified_objective,
)
from tests.comparison import compare

RELU = symcomp.dual_kernel("relu")


def test_the_simplex_optimum_is_the_minimum_over_the_radius():
    optimum = simplex_optimum(RELU)
    with mpmath.workdps(40):
        rows = []
        for m in (2, 3, 7, 40):
            at = {M: m, TAU: 1}
            energy = mpmath.mpf(sympy.N(optimum.energy.subs(at), 40))
            h0 = 1 / (2 * mpmath.pi)
            grid = mpmath.findroot(
                lambda r, e=energy, h0=h0: mpmath.diff(lambda s: h0 - 2 * s * h0 + s**2 * e, r), 1
            )
            rows.append((f"radius {m}", sympy.N(optimum.radius.subs(at), 40), grid))
            least = h0 - 2 * grid * h0 + grid**2 * energy
            rows.append((f"value {m}", sympy.N(optimum.value.subs(at), 40), least))
        compare(rows, rtol=1e-12, min_points=8)


def test_known_values_of_the_cone():
    """theory.md E4: M=3, β=0.4: F = 0.0218763540, s = 0.5683; M=2, β=0.2: 0.0458838949, 0.4885."""
    for m, beta, value, s in ((3, "2/5", 0.0218763540, 0.5683), (2, "1/5", 0.0458838949, 0.4885)):
        count, b = sympy.Integer(m), sympy.Rational(beta)
        root = sympy.nsolve(cone_stationarity(RELU, count, b), S, s)
        got = sympy.N(cone_value(RELU, count, b).subs(S, root), 20)
        compare([(m, got, value)], atol=6e-11)
        compare([(m, root, s)], atol=5e-5)


def test_stationarity_is_the_derivative_of_the_value():
    derivative = sympy.diff(cone_value(RELU), S)
    energy = energy_bound(RELU)
    cross = RELU.correlation.subs(RELU.rho, BETA * S)
    gap = derivative + 2 * cross * cone_stationarity(RELU) / energy**2
    for at in ({M: 3, BETA: "2/5", S: "1/3"}, {M: 9, BETA: "4/5", S: "-1/7"}):
        exact = {k: sympy.Rational(v) for k, v in at.items()}
        compare([(at, sympy.N(gap.subs(exact), 30), 0)], atol=1e-25)


def test_the_losses_are_sums_over_nodes():
    assert population_loss(RELU).free_symbols >= {M, N}
    assert TAU in simplified_objective(RELU).free_symbols


def test_a_non_homogeneous_activation_has_no_radial_optimum():
    with pytest.raises(ArgumentError, match="positively homogeneous"):
        simplex_optimum(symcomp.dual_kernel("erf"))
