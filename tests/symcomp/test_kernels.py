import itertools

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import symcomp
from proofs_checks import oracles
from proofs_checks.kernels import POINTS, SIGMA
from symcomp.errors import ArgumentError, ExpressionError
from tests.comparison import compare

HOMOGENEOUS = tuple(SIGMA)


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_value_against_the_defining_integral(name):
    ker, f = symcomp.dual_kernel(name), SIGMA[name]
    rows = []
    with mpmath.workdps(60):
        for point in POINTS:
            at = [mpmath.mpf(str(number)) for number in point]
            wanted = oracles.homogeneous(f, f, 2 * ker.degree, *at, digits=50)
            got = ker.evaluate(*map(str, point), digits=50)
            rows.append((point, got, wanted))
        compare(rows, rtol=1e-15, atol=mpmath.mpf("1e-45"), min_points=len(POINTS))


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_enclosures_at_two_precisions_overlap_and_are_narrow(name):
    ker = symcomp.dual_kernel(name)
    for point in POINTS:
        wide, narrow = (ker.enclosure(*map(str, point), digits=d) for d in (15, 80))
        assert wide.overlaps(narrow)
        assert narrow.rad() <= abs(narrow.mid()) * flint.arb("1e-79")


def test_relu_is_derived_in_its_textbook_form():
    ker = symcomp.dual_kernel("relu")
    rho = ker.rho
    textbook = (sympy.sqrt(1 - rho**2) + rho * (sympy.pi - sympy.acos(rho))) / (2 * sympy.pi)
    assert sympy.simplify((ker.correlation - textbook).rewrite(sympy.asin)) == 0
    assert ker.evaluate(1, 1, -1) == 0
    compare([("κ(1)", ker.evaluate(1, 1, 1), 0.5)], atol=1e-50)
    assert ker.evaluate(0, 3, 0) == 0


def test_all_digits_of_a_value_are_right():
    ker = symcomp.dual_kernel("relu")
    low, high = (ker.evaluate(1, 1, "-0.999999999999999999", digits=d) for d in (20, 400))
    with mpmath.workdps(500):
        assert abs(low - high) <= abs(high) * mpmath.mpf(10) ** -20


@pytest.mark.parametrize("name", HOMOGENEOUS)
@given(rho=st.floats(-1, 1), qu=st.floats(0.01, 100), qv=st.floats(0.01, 100))
def test_symmetry_and_cauchy_schwarz(name, rho, qu, qv):
    ker = symcomp.dual_kernel(name)
    c = rho * float(np.sqrt(qu * qv)) * (1 - 1e-15)
    value = ker.enclosure(qu, qv, c, digits=20)
    assert value.overlaps(ker.enclosure(qv, qu, c, digits=20))
    own = ker.enclosure(qu, qu, qu, digits=20) * ker.enclosure(qv, qv, qv, digits=20)
    assert value**2 <= own * (1 + flint.arb("1e-18"))


def test_the_slope_in_rho_is_the_kernel_of_the_derivative():
    relu, step = symcomp.dual_kernel("relu"), symcomp.dual_kernel("step")
    slope = sympy.diff(relu.correlation, relu.rho)
    assert sympy.simplify(slope - step.correlation) == 0


def test_hermite_coefficients_sum_to_the_kernel():
    ker = symcomp.dual_kernel("relu")
    mu = ker.hermite(60)
    rho = sympy.Rational(1, 2)
    series = sum(m**2 * rho**k for k, m in enumerate(mu))
    compare([("series", sympy.N(series, 30), ker.evaluate(1, 1, "1/2"))], rtol=1e-15)
    assert ker.hermite(0) == ()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((1, 1, 2), "c²"),
        ((-1, 1, 0), "nonnegative"),
        ((1, 1, float("nan")), "finite real"),
        ((1, 1, 0, 0), "digits"),
        ((1, 1, 0, 2.5), "digits"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ArgumentError, match=match):
        symcomp.dual_kernel("relu").evaluate(*arguments)


def test_outside_the_class_is_refused_by_name():
    with pytest.raises(ExpressionError, match="tanh"):
        symcomp.dual_kernel("tanh(x)")
    with pytest.raises(ArgumentError, match="n: found -1"):
        symcomp.dual_kernel("relu").hermite(-1)


def test_pairs_are_consistent_with_linearity():
    """E (σ+τ)² = K_σσ + 2 K_στ + K_ττ."""
    names = ("relu", "sign")
    both = symcomp.dual_kernel("relu(x) + sign(x)")
    at = (2, 3, 1)
    parts = sum(
        symcomp.dual_kernel(a, b).evaluate(*at, digits=40)
        for a, b in itertools.product(names, names)
    )
    compare([("sum", both.evaluate(*at, digits=40), parts)], rtol=1e-15)
