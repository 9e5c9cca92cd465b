"""Φ₂ by every route against its definition, in the bulk, in the far tails and as r -> ±1."""

import ast
import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf
from scipy.special import ndtr, owens_t
from scipy.stats import multivariate_normal

from symcomp import special
from symcomp.bivariate_balls import ball
from symcomp.errors import ArgumentError
from symcomp.special import BivariateNormalCDF, bivariate_normal_cdf, density, normal_cdf
from tests.comparison import compare

Point = tuple[float, float, float]

# ---- the oracle ----------------------------------------------------------------------------------


@cache
def oracle(h: float, k: float, r: float, digits: int = 40) -> mpf:
    """∫_{-oo}^h φ(x) Φ((k - rx)/sqrt(1 - r²)) dx: the definition, Y integrated out; |r| < 1.

    Intervals at every scale of the integrand, shrunk towards h and around the step at x = k/r.
    """
    with mpmath.workdps(digits + 10):
        h, k, r = mpf(h), mpf(k), mpf(r)
        width = mpmath.sqrt(1 - r * r)

        def integrand(x: mpf) -> mpf:
            return mpmath.npdf(x) * mpmath.ncdf((k - r * x) / width)

        scales = (mpf(1), 1 / (1 + abs(h)), width, width**2)
        steps = [scale * mpf(2) ** j for scale in scales for j in range(-3, 7, 2)]
        marks = [h - step for step in steps] + [n * s for s in steps[:5] for n in (-1, 0, 1)]
        if r:
            marks += [(k + n * width) / r for n in (-16, -8, -4, -2, 0, 2, 4, 8, 16)]
        points = sorted({x for x in marks if h - 40 < x < h} | {h - 40, h})
        peak = max(map(integrand, points))
        body = mpmath.quad(lambda x: integrand(x) / peak, points, method="gauss-legendre")
        return peak * body


def normal(x: float) -> mpf:
    with mpmath.workdps(60):
        return mpmath.ncdf(mpf(x))


# Each region says which points belong to it; the points stand beside it.
REGIONS: dict[str, tuple[Callable[[Point], bool], tuple[Point, ...]]] = {
    "bulk": (
        lambda p: max(map(abs, p[:2])) < 3 and abs(p[2]) < 0.95,
        (
            (0.5, 0.25, 0.2),
            (-0.75, 1.25, -0.9),
            (1.0, 2.0, 0.5),
            (-2.0, -1.5, 0.75),
            (0, 1.5, -0.5),
        ),
    ),
    "both in the left tail, r < 0": (
        lambda p: max(p[:2]) <= -4 and p[2] < 0,
        ((-6.0, -6.0, -0.3), (-4.0, -5.0, -0.9), (-20.0, -15.0, -0.1)),
    ),
    "both in the left tail, r > 0": (
        lambda p: max(p[:2]) <= -4 and p[2] > 0,
        ((-30.0, -30.0, 0.5), (-37.0, -4.0, 0.05), (-25.0, -36.0, 0.99)),
    ),
    "one in the left tail": (
        lambda p: p[0] < -4 and p[1] > -1,
        ((-10.0, 0.5, -0.25), (-30.0, 3.0, 0.75), (-36.0, 37.0, -0.5)),
    ),
    "r near 1": (
        lambda p: 0.999 < p[2] < 1,
        ((-3.0, -2.0, 1 - 1e-12), (2.0, 2.0, 1 - 2**-40), (-20.0, -20.0000001, 1 - 1e-9)),
    ),
    "r near -1": (
        lambda p: -1 < p[2] < -0.999,
        ((-0.001, -0.0002, -1 + 1e-6), (1.0, 0.5, -1 + 1e-12), (-1e-7, -1e-7, -1 + 2**-43)),
    ),
    "h near -k": (
        lambda p: abs(p[0] + p[1]) < 1e-3 * abs(p[0]),
        (
            (-3.0, 3.000001, -0.3),
            (8.0, -8.00001, -1 + 1e-9),
            (-30.0, 30.0, -0.875),
            (-35.75, 35.75 + 2**-33, -1 + 2**-53),
        ),
    ),
}
POINTS = [(region, *map(float, p)) for region, (_, points) in REGIONS.items() for p in points]


def test_points_lie_in_their_regions():
    assert all(REGIONS[region][0](tuple(p)) for region, *p in POINTS)
    assert not any(REGIONS["r near 1"][0](p) for p in REGIONS["r near -1"][1])


def test_oracle_is_the_double_integral():
    def joint(x: mpf, y: mpf) -> mpf:
        return mpmath.exp(-(x * x - 0.8 * x * y + y * y) / 1.68) / (2 * mpmath.pi)

    with mpmath.workdps(15):
        double = mpmath.quad(
            joint, [-9, -3, 0.5], [-9, -3, -0.25], maxdegree=4, method="gauss-legendre"
        )
        wanted = double / mpmath.sqrt(1 - 0.16)
    compare([("Φ₂(1/2, -1/4; 2/5)", oracle(0.5, -0.25, 0.4), wanted)], rtol=1e-9)


# ---- every route against the oracle --------------------------------------------------------------


def fraction(x: float) -> fmpq:
    return fmpq(*Fraction(x).as_integer_ratio())


def rational(x: float) -> sympy.Rational:
    return sympy.Rational(*x.as_integer_ratio())


def to_arb(x: mpf) -> arb:
    """x with the error that the oracle may have."""
    return arb(mpmath.nstr(x, 50)) * (1 + arb(0, arb(10) ** -38))


def by_ball(h: float, k: float, r: float) -> mpf:
    with flint.ctx.workdps(45):
        man, exponent = ball(fraction(h), fraction(k), fraction(r)).mid().man_exp()
    return mpmath.mp.make_mpf(mpmath.libmp.from_man_exp(int(man), int(exponent)))


def by_evalf(h: float, k: float, r: float) -> mpf:
    return unrounded(BivariateNormalCDF(*map(rational, (h, k, r))).evalf(45))


def unrounded(x: sympy.Float) -> mpf:
    return mpmath.mp.make_mpf(x._mpf_)


def agree(f: Callable[[float, float, float], Any], rtol: float) -> None:
    rows = [(p, f(*p[1:]), oracle(*p[1:])) for p in POINTS if oracle(*p[1:]) > 1e-300]
    compare(rows, rtol=rtol, min_points=20)


@pytest.mark.parametrize(
    ("route", "rtol"),
    [(bivariate_normal_cdf, 5e-15), (by_ball, 1e-38), (by_evalf, 1e-38)],
    ids=["numpy", "ball", "evalf"],
)
def test_against_the_definition(route: Callable[..., Any], rtol: float):
    agree(route, rtol)


MUTANTS: dict[str, Callable[[float, float, float], Any]] = {
    "sign of r": lambda h, k, r: bivariate_normal_cdf(h, k, -r),
    "sign of h": lambda h, k, r: bivariate_normal_cdf(-h, k, r),
    "independence": lambda h, k, _: ndtr(h) * ndtr(k),
    "r moved by 1e-12": lambda h, k, r: bivariate_normal_cdf(h, k, r * (1 - 1e-12)),
    "without the start": lambda h, k, r: special._from_start(*map(np.atleast_1d, (h, k, r)))[0],
    "Owen's identity": lambda h, k, r: by_owen(h or 1e-300, k, r),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_fall(mutant: str):
    with pytest.raises(AssertionError, match="points differ"):
        agree(MUTANTS[mutant], 5e-15)


def test_beyond_floats_the_tail_is_still_right():
    point = (-3.0, -2.0, -0.9999)
    assert bivariate_normal_cdf(*point) == 0
    compare([("ball", by_ball(*point), oracle(*point))], rtol=1e-38)


# ---- float64 -------------------------------------------------------------------------------------


def by_owen(h: float, k: float, r: float) -> float:
    """Owen's identity, h k != 0: right in the bulk, all digits lost in the tails."""
    root = math.sqrt((1 - r) * (1 + r))
    first, second = owens_t(h, (k / h - r) / root), owens_t(k, (h / k - r) / root)
    return float((ndtr(h) + ndtr(k)) / 2 - first - second - (0.5 if h * k < 0 else 0.0))


def random_points(n: int, seed: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    towards_one = rng.choice([-1, 1], n) * (1 - 10 ** rng.uniform(-16, 0, n))
    r = np.where(rng.random(n) < 0.5, rng.uniform(-1, 1, n), towards_one)
    h, k = rng.uniform(-spread, spread, (2, n))
    k = np.where(rng.random(n) < 0.3, rng.choice([-1, 1], n) * h * (1 + towards_one - r), k)
    return np.stack([h, np.clip(k, -37, 37), r])


@pytest.mark.parametrize("spread", [1e-6, 2.0, 37.0])
def test_float64_against_balls(spread: float):
    points = random_points(100, 7, spread)
    rows = []
    with flint.ctx.workprec(80):
        for p, got in zip(points.T, bivariate_normal_cdf(*points), strict=True):
            wanted = by_ball(*map(float, p))
            if wanted > 1e-300:
                rows.append((tuple(p), got, wanted))
    compare(rows, rtol=8e-15, min_points=40)


def test_scipy_agrees_in_the_bulk():
    h, k = np.random.default_rng(3).normal(size=(2, 60))
    r = np.random.default_rng(4).uniform(-0.95, 0.95, 60)
    got = bivariate_normal_cdf(h, k, r)
    for i in range(60):
        genz = multivariate_normal.cdf([h[i], k[i]], cov=[[1, r[i]], [r[i], 1]])
        wanted = [("Genz", got[i], genz), ("Owen", got[i], by_owen(h[i], k[i], r[i]))]
        compare(wanted, atol=1e-14)


def test_scipy_is_lost_in_the_tail():
    point = (-6.0, -6.0, -0.3)
    genz = multivariate_normal.cdf(point[:2], cov=[[1, point[2]], [point[2], 1]])
    assert abs(genz / float(oracle(*point)) - 1) > 0.5
    assert abs(by_owen(*point) / float(oracle(*point)) - 1) > 0.5


def test_ends_and_edges():
    h, k = np.meshgrid([-40.0, -37.0, -3.0, -1e-9, 0.0, 1e-9, 2.0, 9.0], [-9.0, -2.0, 0.0, 3.0])
    least = np.array([float(normal(x)) for x in np.minimum(h, k).ravel()]).reshape(h.shape)
    np.testing.assert_allclose(bivariate_normal_cdf(h, k, 1.0), least, rtol=2e-15)
    rows = [
        ((x, y), bivariate_normal_cdf(x, y, -1.0), by_ball(x, y, -1.0))
        for x, y in zip(h.ravel(), k.ravel(), strict=True)
        if x > -40
    ]
    compare(rows, rtol=4e-15)
    assert bivariate_normal_cdf(-np.inf, 1.0, 0.3) == 0
    assert bivariate_normal_cdf(np.inf, np.inf, -0.3) == 1
    compare([("h = oo", bivariate_normal_cdf(np.inf, -20.0, 0.3), normal(-20.0))], rtol=2e-15)
    bad = [(np.nan, 0, 0), (0, np.nan, 0.5), (0, 0, np.nan), (0, 0, 1.5), (0, 0, -1.1)]
    assert all(np.isnan(bivariate_normal_cdf(*p)) for p in bad)


def test_shapes_broadcast_over_blocks():
    h, k, r = np.linspace(-3, 3, 41)[:, None], np.linspace(-2, 4, 13), 0.3
    got = bivariate_normal_cdf(h, k, r)
    assert got.shape == (41, 13)
    assert got.dtype == np.float64
    compare([((7, 5), got[7, 5], bivariate_normal_cdf(h[7, 0], k[5], r))], rtol=1e-15)
    assert bivariate_normal_cdf(np.empty((0, 3)), 1.0, 0.5).shape == (0, 3)
    assert bivariate_normal_cdf(1, 1, 0).shape == ()


def test_source_stands_alone():
    source = special.numpy_source()
    imported = [
        n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import | ast.ImportFrom)
    ]
    names = {a.name if isinstance(n, ast.Import) else n.module for n in imported for a in n.names}
    assert names == {"functools", "numpy", "numpy.typing", "scipy.special"}
    space: dict[str, Any] = {}
    exec(compile(source, "generated", "exec"), space)
    points = random_points(300, 11, 10.0)
    np.testing.assert_array_equal(
        space["bivariate_normal_cdf"](*points), bivariate_normal_cdf(*points)
    )


def test_nodes_are_right_to_a_few_ulp():
    nodes, weights = special._legendre_rule(76)
    rows = []
    with flint.ctx.workdps(30):
        for i in range(38):
            root, weight = arb.legendre_p_root(76, 75 - i, weight=True)
            rows.append((("node", i), nodes[i], ((1 + root) / 2).str(25, radius=False)))
            rows.append((("weight", i), weights[i], (weight / 2).str(25, radius=False)))
    compare(rows, rtol=4e-15)
    np.testing.assert_allclose(nodes + nodes[::-1], 1, rtol=1e-15)
    np.testing.assert_array_equal(weights, weights[::-1])


# ---- balls ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [53, 150])
def test_balls_enclose_and_are_narrow(bits: int):
    for region, h, k, r in POINTS:
        with flint.ctx.workprec(bits):
            value = ball(*map(fraction, (h, k, r)))
        with flint.ctx.workprec(250):
            wanted = to_arb(oracle(h, k, r))
            assert value.overlaps(wanted), (region, h, k, r)
            assert not value.overlaps(wanted * (1 + arb(2) ** (6 - min(bits, 120)))), (h, k, r)
        assert value.rel_accuracy_bits() >= bits - 4, (region, h, k, r)


def test_balls_at_two_precisions_overlap():
    for _, h, k, r in POINTS:
        values = []
        for bits in (40, 300):
            with flint.ctx.workprec(bits):
                values.append(ball(*map(fraction, (h, k, r))))
        assert values[0].contains(values[1])
        assert values[1].rel_accuracy_bits() >= 296


small = st.fractions(min_value=-8, max_value=8, max_denominator=64)
correlation = st.fractions(min_value=-1, max_value=1, max_denominator=64)
radius = st.sampled_from([Fraction(0), Fraction(1, 10**12), Fraction(1, 50), Fraction(1, 2)])


def interval(x: Fraction, width: Fraction) -> arb | fmpq:
    return arb(fraction(x), arb(fraction(width))) if width else fraction(x)


@settings(max_examples=60)
@given(small, small, correlation, radius, st.tuples(*[st.fractions(-1, 1, max_denominator=16)] * 3))
def test_wide_balls_contain_every_value(h, k, r, width, inside):
    value = ball(interval(h, width), interval(k, width), interval(r, width))
    x, y, z = (c + t * width for c, t in zip((h, k, r), inside, strict=True))
    z = min(max(z, Fraction(-1)), Fraction(1))
    with flint.ctx.workprec(90):
        assert value.contains(ball(fraction(x), fraction(y), fraction(z)))
    assert value.upper() <= 1 + 1e-12
    assert width or value.is_zero() or value.rel_accuracy_bits() >= 50


@settings(max_examples=60)
@given(small, small, correlation, correlation, st.fractions(0, 2, max_denominator=64))
def test_monotone_in_every_argument(h, k, r, other, step):
    low, high = sorted((r, other))
    base = ball(*map(fraction, (h, k, low)))
    for larger in ((h + step, k, low), (h, k + step, low), (h, k, high)):
        assert not ball(*map(fraction, larger)) < base
        got = bivariate_normal_cdf(*map(float, larger))
        assert got >= (1 - 2e-14) * bivariate_normal_cdf(float(h), float(k), float(low))


@settings(max_examples=60)
@given(small, small, correlation)
def test_symmetry_and_complement(h, k, r):
    x, y, z = map(fraction, (h, k, r))
    assert ball(x, y, z).overlaps(ball(y, x, z))
    # P(X <= h) = P(X <= h, Y <= k) + P(X <= h, -Y <= -k)
    with flint.ctx.workprec(100):
        total = ball(x, y, z) + ball(x, -y, -z)
        assert total.overlaps((-arb(x) / arb(2).sqrt()).erfc() / 2)
        assert total.rad() < 1e-25
    assert bivariate_normal_cdf(float(h), float(k), float(r)) == pytest.approx(
        bivariate_normal_cdf(float(k), float(h), float(r)), rel=1e-15, abs=0
    )


def test_balls_touching_one():
    value = ball(arb(1), arb(2), arb(1, 1e-3))
    assert value.contains(ball(fmpq(1), fmpq(2), fmpq(1)))
    assert value.contains(ball(fmpq(1), fmpq(2), fmpq(999, 1000)))
    assert ball(arb(-1), arb(1), arb(-1)).is_zero()
    touching = ball(arb(-1), arb("0.5"), arb(-1, 0.5))
    assert touching.contains(0)
    assert touching.contains(ball(fmpq(-1), fmpq(1, 2), fmpq(-1, 2)))
    with pytest.raises(ArgumentError, match=r"r: found .*expected a correlation in \[-1, 1\]"):
        ball(arb(1), arb(1), arb(2, 0.5))


def test_unbounded_balls():
    assert ball(arb.nan(), arb(1), arb(0)).contains(0)
    assert ball(arb.nan(), arb(1), arb(0)).contains(1)
    assert ball(fmpq(1), fmpq(1), arb.nan()).overlaps(ball(fmpq(1), fmpq(1), fmpq(1, 3)))


# ---- SymPy ---------------------------------------------------------------------------------------

h, k = sympy.symbols("h k", real=True)
r = sympy.Symbol("r", real=True)


def test_automatic_closed_forms():
    f = BivariateNormalCDF
    assert f(k, h, r) == f(h, k, r)
    assert f(2, 1, r).args == (1, 2, r)
    assert f(h, k, 0) == normal_cdf(h) * normal_cdf(k)
    assert f(0, 0, r) == sympy.Rational(1, 4) + sympy.asin(r) / (2 * sympy.pi)
    assert f(0, 0, sympy.Rational(1, 2)) == sympy.Rational(1, 3)
    assert f(2, 3, 1) == normal_cdf(sympy.Integer(2))
    assert f(h, h, 1) == normal_cdf(h)
    assert isinstance(f(h, k, 1), f)
    assert f(2, -3, -1) == 0
    assert f(h, -h, -1) == 0
    assert f(3, -2, -1) == (normal_cdf(sympy.S(3)) + normal_cdf(sympy.S(-2)) - 1).expand()
    assert isinstance(f(h, k, -1), f)
    assert f(h, sympy.oo, r) == normal_cdf(h)
    assert f(-sympy.oo, h, r) == 0
    assert f(h, sympy.nan, r) is sympy.nan
    assert f(h, k, r).is_nonnegative


def test_closed_forms_agree_with_balls():
    half = sympy.Rational(1, 2)
    for args in [(-1, 2, 0), (half, 3, 1), (3, -2, -1), (0, 0, -half)]:
        closed = unrounded(BivariateNormalCDF(*args).evalf(40))
        exact = [fmpq(int(sympy.S(a).p), int(sympy.S(a).q)) for a in args]
        with flint.ctx.workdps(45):
            value = ball(*exact).str(44, radius=False)
        with mpmath.workdps(45):
            compare([(args, closed, mpf(value))], rtol=1e-38)


def test_correlation_outside_is_refused():
    with pytest.raises(ArgumentError, match=r"r: found 2, expected a correlation in \[-1, 1\]"):
        BivariateNormalCDF(h, k, 2)


def test_evalf_of_irrational_arguments():
    value = BivariateNormalCDF(-sympy.sqrt(2), -sympy.pi, sympy.cos(3)).evalf(40)
    with mpmath.workdps(70):
        wanted = oracle(-mpmath.sqrt(2), -mpmath.pi, mpmath.cos(3))
        compare([("Φ₂(-√2, -π; cos 3)", unrounded(value), wanted)], rtol=1e-38)
    tiny, end = sympy.Rational(1, 10**30), -1 + sympy.Rational(1, 10**90)
    close = BivariateNormalCDF(-sympy.sqrt(2), sympy.sqrt(2) + tiny, end).evalf(20)
    compare([("φ(√2) 1e-30", close, 1e-30 * math.exp(-1) / math.sqrt(2 * math.pi))], rtol=1e-14)


def test_evalf_leaves_what_it_cannot_do():
    symbolic = BivariateNormalCDF(h, 1, r)
    assert symbolic.evalf() == symbolic
    assert BivariateNormalCDF(sympy.I, 1, r).evalf().has(BivariateNormalCDF)


def numeric(f: sympy.Expr, point: tuple[Fraction, ...], digits: int = 50) -> mpf:
    at = {s: sympy.Rational(*x.as_integer_ratio()) for s, x in zip((h, k, r), point, strict=True)}
    return unrounded(f.xreplace(at).evalf(digits))


def slope(f: sympy.Expr, index: int, point: tuple[Fraction, ...], derivative: sympy.Expr) -> float:
    """How the error of the central difference falls with the step: 2 if `derivative` is right."""
    errors = []
    for step in (Fraction(1, 10**4), Fraction(1, 10**7)):
        ends = [tuple(x + s * step * (i == index) for i, x in enumerate(point)) for s in (-1, 1)]
        low, high = (numeric(f, end) for end in ends)
        difference = (high - low) / (2 * mpf(step.numerator) / step.denominator)
        errors.append(abs(difference - numeric(derivative, point)))
    return float(mpmath.log10(errors[0] / errors[1]) / 3)


SMOOTH = [
    (Fraction(1, 3), Fraction(-1, 2), Fraction(2, 5)),
    (Fraction(-7), Fraction(-5), Fraction(-1, 3)),
]


@pytest.mark.parametrize("point", SMOOTH)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_derivatives_by_the_slope_of_differences(index: int, point: tuple[Fraction, ...]):
    f = BivariateNormalCDF(h, k, r)
    derivative = f.diff((h, k, r)[index])
    assert not derivative.has(sympy.Derivative)
    with mpmath.workdps(50):
        assert slope(f, index, point, derivative) == pytest.approx(2, abs=0.01)
        assert slope(f, index, point, derivative.subs(r, -r)) == pytest.approx(0, abs=0.01)
        assert slope(f, index, point, derivative * (1 + 1e-9)) < 1.9


def test_mixed_derivative_is_the_density():
    f = BivariateNormalCDF(h, k, r)
    assert sympy.simplify(f.diff(h).diff(k) - density(h, k, r)) == 0
    assert f.diff(r) == density(h, k, r)


def test_no_derivative_at_the_ends():
    assert BivariateNormalCDF(h, k, 1).diff(h).has(sympy.Derivative)


def test_printing():
    f = BivariateNormalCDF(h, k, r)
    assert sympy.latex(f) == r"\Phi_2\left(h, k; r\right)"
    assert sympy.latex(f**2) == r"\Phi_2^{2}\left(h, k; r\right)"
    names = [{"bivariate_normal_cdf": bivariate_normal_cdf}, "numpy"]
    code = sympy.lambdify((h, k, r), 2 * f, names)
    grid = list(itertools.product((-1.0, 0.5), (0.25, 2.0), (-0.5, 0.75)))
    compare([(p, code(*p), 2 * bivariate_normal_cdf(*p)) for p in grid], rtol=1e-15)
