"""Weights of any sign: the functions of the claims against definitions, and the counterexample."""

import mpmath
import numpy as np
import pytest
import sympy

from proofs_checks.etf import inertia, signs, signs_reach, signs_small
from proofs_checks.etf.ensembles import cone_optimum
from proofs_checks.ledger import Outcome, Settings
from proofs_checks.replay import signs as replay_signs
from symcomp.kernels import dual_kernel
from tests.comparison import compare


def test_coefficients_are_those_of_the_hermite_series():
    """r_2k is the square of the Hermite coefficient of order 2k."""
    kernel = dual_kernel("relu")
    wanted = kernel.hermite(13)
    rows = []
    for k in range(6):
        got = signs.coefficient(kernel, sympy.Integer(k))
        rows.append((f"r_{2 * k + 2}", float(got), float(wanted[2 * k + 2]) ** 2))
    compare(rows, rtol=1e-12, min_points=6)


def test_kernel_in_float64():
    rho = np.array([-1, -0.5, 0, 0.3, 1])
    exact = [
        float((mpmath.sqrt(1 - r * r) + r * (mpmath.pi - mpmath.acos(r))) / (2 * mpmath.pi))
        for r in map(mpmath.mpf, rho)
    ]
    rows = list(zip(map(str, rho), inertia.kernel_of(rho), exact, strict=True))
    compare(rows, rtol=1e-14, atol=1e-16, min_points=5)


def test_the_square_as_a_kernel_needs_the_condition_on_the_slope():
    """κ = r² and M = 2: two orthogonal vectors have 1/2, the simplex has 1."""
    c, simplex = np.full(2, 0.5), np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert c @ np.eye(2) ** 2 @ c == 0.5
    assert c @ simplex**2 @ c == 1.0
    free = signs.Kernels(sympy.Rational(0))
    found = signs.B2K.evidence[1].check(free, Settings(examples=100))
    assert found.outcome is Outcome.FAILS


def test_the_bound_for_one_positive_weight_is_less_than_the_general_one():
    """UB_1 is above h(β)²/h(1): the case n = 1 needs the linear order."""
    claim = signs_small.upper()
    at = {signs_small.B: sympy.Rational(1, 2), signs_small.N: 1}
    assert claim.bound.subs(at).evalf() > claim.single.subs(at).evalf() + sympy.Rational(1, 200)


@pytest.mark.parametrize("m", [2, 3, 7])
def test_rows_of_the_cone(m):
    V = signs_reach.cone(m, 0.4)
    gram = V @ V.T
    off = gram[~np.eye(m, dtype=bool)]
    assert np.allclose(np.diag(gram), 1, atol=1e-14)
    assert np.allclose(off, (m * 0.16 - 1) / (m - 1), atol=1e-14)


def test_fewer_neurons_stay_below_the_cone_inside_the_reach():
    claim = signs_small.upper()
    bound = sympy.lambdify((signs_small.B, signs_small.N), claim.bound, "mpmath")
    for m in replay_signs.REACH:
        if m == 2:
            continue
        beta = mpmath.mpf(replay_signs.reach(m).numerator) / replay_signs.reach(m).denominator
        best, _ = cone_optimum(m, beta)
        assert bound(beta, m - 1) < best < bound(beta, m)


def test_a_reach_beyond_the_certificate_decides_nothing():
    far = signs_reach.Reach(((3, sympy.Rational(7, 10)),))
    found = signs_reach.E5B.evidence[0].check(far, Settings())
    assert found.outcome is Outcome.UNDECIDED
    assert "ends at β = 79/125, M = 3" in found.figure
