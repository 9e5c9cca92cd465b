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
from proofs_checks.reference import REFERENCE
from symcomp.balls import exact, to_mpf
from symcomp.errors import ArgumentError, DivergenceError, SymcompError
from symcomp.quadrature import expectation2
from tests.comparison import compare

HOMOGENEOUS = tuple(SIGMA)
OTHERS = tuple(name for name in symcomp.activations() if name not in SIGMA)
CLOSED = tuple(name for name in symcomp.activations() if symcomp.activation(name).form is not None)
# |ρ| = 1, just inside, unequal variances: where formulas and series differ most in difficulty
HARD_POINTS = (("1", "1", "-1"), ("0.25", "4", "1"), ("1.3", "2", "0.5"))
EDGE = ("1", "1", "-0.999999999999")


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
        compare(rows, rtol=1e-48, atol=1e-50, min_points=len(POINTS))


def integral(name, point, digits):
    """E σ(X) σ(Y) from σ written out by hand."""
    ref = REFERENCE[name]
    return oracles.expectation(ref.sigma, ref.sigma, *point, ref.kinks, ref.kinks, digits)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_value_and_enclosure_against_the_defining_integral(name):
    ker, rows = symcomp.dual_kernel(name), []
    for point, digits in [*((p, 50) for p in HARD_POINTS), (EDGE, 25)]:
        wanted = integral(name, point, digits)
        value = ker.enclosure(*point, digits=digits)
        with mpmath.workdps(digits + 20):
            gap = abs(to_mpf(value) - wanted)
            room = to_mpf(value.rad()) + abs(wanted) * mpmath.mpf(10) ** (1 - digits)
            rows.append((point, gap <= room, True))
    compare(rows, min_points=4)


@pytest.mark.parametrize("name", [name for name in CLOSED if name in OTHERS])
def test_closed_forms_lie_in_rigorous_enclosures(name):
    """Formula against quadrature that knows σ alone, on correlations crowded near 0 and ±1."""
    ker = symcomp.dual_kernel(name)
    smooth = not ker.activation.kinks
    near = ("-0.999999999999", "-0.99", "0.99") if smooth else ("-0.9", "0.9")
    points = [(1, 1, r) for r in ("-1", *near, "-0.5", "-1e-9", "1e-9", "0.3", "1")]
    points += [("1.3", 2, "0.5"), ("1e-2", 9, "-0.1")]
    digits = 50 if smooth else 20
    for point in points:
        wanted = expectation2(*(ker.left.expr,) * 2, *map(exact, point), digits)
        assert ker.enclosure(*point, digits=digits).overlaps(wanted), point


@pytest.mark.parametrize(
    "name", [name for name in symcomp.activations() if name not in ("step", "sign")]
)
def test_the_slope_of_kappa_is_the_kernel_of_the_derivative(name):
    """dκ/dρ = E σ'(X) σ'(Y) (K1), the left side by a difference quotient at 60 digits."""
    ker = symcomp.dual_kernel(name)
    slope = sympy.diff(ker.activation.expr, ker.activation.symbol)
    rows = []
    for rho in ("-1/2", "1/7", "4/5"):
        at, step = sympy.Rational(rho), sympy.Rational(1, 10**15)
        with mpmath.workdps(60):
            up, down = (ker.evaluate(1, 1, at + h, 60) for h in (step, -step))
            wanted = to_mpf(expectation2(slope, slope, *map(exact, (1, 1, rho)), 25))
            rows.append((rho, (up - down) / 2 * 10**15, wanted))
    with mpmath.workdps(60):
        compare(rows, rtol=1e-20, atol=1e-20, min_points=3)


@pytest.mark.parametrize("name", symcomp.activations())
def test_the_diagonal_is_the_second_moment(name):
    ker, ref = symcomp.dual_kernel(name), REFERENCE[name]
    wanted = oracles.expectation1(lambda x: ref.sigma(x) ** 2, "1.7", ref.kinks, digits=30)
    with mpmath.workdps(40):
        compare([(name, ker.evaluate("1.7", "1.7", "1.7", 30), wanted)], rtol=1e-28)


@pytest.mark.parametrize("name", symcomp.activations())
def test_at_zero_covariance_the_means_factor(name):
    ker, ref = symcomp.dual_kernel(name), REFERENCE[name]
    means = [oracles.expectation1(ref.sigma, q, ref.kinks, digits=30) for q in ("0.5", "3")]
    with mpmath.workdps(40):
        wanted = means[0] * means[1]
        compare([(name, ker.evaluate("0.5", "3", 0, 30), wanted)], rtol=1e-28, atol=1e-28)


@pytest.mark.parametrize("name", CLOSED)
def test_hermite_series_against_the_closed_form(name):
    """κ(ρ) = Σ μ_k² ρ^k, within the rigorous remainder (K2)."""
    ker, n, rho = symcomp.dual_kernel(name), 12, sympy.Rational(1, 3)
    with mpmath.workdps(40):
        mu = [mpmath.mpf(sympy.N(m, 45)) for m in ker.hermite(n)]
        series = mpmath.fsum(m**2 * mpmath.mpf(1) / 3**k for k, m in enumerate(mu))
        tail = ker.evaluate(1, 1, 1, 40) - mpmath.fsum(m**2 for m in mu)
        assert -1e-35 <= ker.evaluate(1, 1, rho, 40) - series <= abs(tail) / 3**n + 1e-30


@pytest.mark.parametrize("name", [n for n in CLOSED if symcomp.activation(n).lipschitz != sympy.oo])
def test_the_slope_of_kappa_is_positive_where_sigma_rises(name):
    ker = symcomp.dual_kernel(name)
    if ker.activation.nondecreasing:
        values = [ker.evaluate(1, 1, sympy.Rational(k, 8), 30) for k in range(-8, 9)]
        assert all(a <= b for a, b in itertools.pairwise(values))


@pytest.mark.parametrize("name", symcomp.activations())
def test_gram_matrices_are_positive_semidefinite(name):
    ker = symcomp.dual_kernel(name)
    rng = np.random.default_rng(3)
    U = rng.integers(-3, 4, size=(4, 3)) / 4
    gram = U @ U.T
    values = [
        [float(ker.evaluate(gram[i, i], gram[j, j], gram[i, j], 20)) for j in range(4)]
        for i in range(4)
    ]
    assert np.linalg.eigvalsh(np.array(values))[0] >= -1e-13 * np.abs(values).max()


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


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("exp(x**2)", DivergenceError, "Var X < 1/4"),
        ("exp(x**4)", DivergenceError, "found"),
        ("exp(exp(x))", SymcompError, "found"),
        ("1/x", SymcompError, "found"),
        ("log(x)", SymcompError, "found"),
        ("sqrt(x)", SymcompError, "found"),
    ],
)
def test_what_has_no_gaussian_moments_is_refused(text, error, match):
    with pytest.raises(error, match=match) as caught:
        symcomp.dual_kernel(text)
    assert "\n" not in str(caught.value)


def test_beyond_its_domain_a_kernel_refuses():
    ker = symcomp.dual_kernel("exp(x**2/8)")
    assert ker.evaluate(1, 1, 0) > 0
    for point in ((2, 2, 2), (4, 1, 0), (5, 5, 0)):
        with pytest.raises(DivergenceError, match="converges"):
            ker.evaluate(*point)


def test_without_a_closed_form_nothing_is_pretended():
    ker = symcomp.dual_kernel("tanh")
    assert ker.expr is None
    assert ker.correlation is None
    assert ker.steps == ()


def test_parameters_may_be_symbols():
    a = sympy.Symbol("a", positive=True)
    ker = symcomp.dual_kernel(symcomp.activation("erf", a=a))
    qu, qv, c = ker.symbols
    angle = 2 * a**2 * c / sympy.sqrt((1 + 2 * a**2 * qu) * (1 + 2 * a**2 * qv))
    assert sympy.simplify(ker.expr - 2 * sympy.asin(angle) / sympy.pi) == 0


def test_pairs_are_consistent_with_linearity():
    """E (σ+τ)² = K_σσ + 2 K_στ + K_ττ."""
    names = ("relu", "sign")
    both = symcomp.dual_kernel("relu(x) + sign(x)")
    at = (2, 3, 1)
    with mpmath.workdps(60):
        parts = mpmath.fsum(
            symcomp.dual_kernel(a, b).evaluate(*at, digits=40)
            for a, b in itertools.product(names, names)
        )
        compare([("sum", both.evaluate(*at, digits=40), parts)], rtol=1e-38)
