"""Enclosures without closed form, against sums written from the definition in mpmath."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import flint
import mpmath
import pytest
import sympy
from flint import acb, arb, fmpq
from mpmath import mpf

import symcomp
from symcomp.balls import to_mpf
from symcomp.errors import ArgumentError, DivergenceError, ExpressionError
from symcomp.parsing import X, parse
from symcomp.quadrature import (
    analytic,
    expectation2,
    growth,
    hermite_coefficients,
    line,
    plane,
    second_moment,
)
from tests.comparison import TALLY, compare

ONE = fmpq(1)
TANH = sympy.tanh(X)

# name -> (σ in x, the same in mpmath, distance from the real line to the nearest singularity)
SMOOTH: dict[str, tuple[str, Callable[[mpf], mpf], float]] = {
    "tanh": ("tanh(x)", mpmath.tanh, 1.5708),
    "sigmoid": ("sigmoid(x)", lambda x: 1 / (1 + mpmath.exp(-x)), 3.1416),
    "softplus": ("softplus(x)", lambda x: mpmath.log1p(mpmath.exp(x)), 3.1416),
    "silu": ("x*sigmoid(x)", lambda x: x / (1 + mpmath.exp(-x)), 3.1416),
    "mish": ("x*tanh(softplus(x))", lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))), 2.3562),
    "tanh_gelu": (
        "x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))/2",
        lambda x: (
            x * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpf(44715) / 10**6 * x**3))) / 2
        ),
        2.7547,
    ),
    "atan": ("atan(x)", mpmath.atan, 1.0),
    "wave": ("sin(x)/(1 + x**2)", lambda x: mpmath.sin(x) / (1 + x**2), 1.0),
    "root": ("sqrt(1 + x**2)", lambda x: mpmath.sqrt(1 + x**2), 1.0),
    "asinh": ("asinh(x - 1)", lambda x: mpmath.asinh(x - 1), 1.0),
    "peak": ("1/(1 + 9*x**2)", lambda x: 1 / (1 + 9 * x**2), 1 / 3),
    "log": ("log(4 + x**2)", lambda x: mpmath.log(4 + x**2), 2.0),
    "sin": ("sin(2*x)", lambda x: mpmath.sin(2 * x), 99.0),
}

KINKED: dict[str, tuple[str, Callable[[mpf], mpf]]] = {
    "tanh of relu": ("tanh(Max(0, x))", lambda x: mpmath.tanh(max(x, 0))),
    "softsign": ("x/(1 + Abs(x))", lambda x: x / (1 + abs(x))),
    "shifted": (
        "Max(x, 1/2)*atan(x)*Heaviside(x + 1)",
        lambda x: max(x, mpf(1) / 2) * mpmath.atan(x) * (x > -1),
    ),
}


@pytest.fixture(autouse=True)
def _no_memory() -> Iterator[None]:
    """Nothing that a mutant computed outlives its test."""
    caches = (line.project, growth.strip_envelope, growth.standardised, line._legendre)
    yield
    for cache in caches:
        cache.cache_clear()


def encloses(label: str, value: arb, wanted: mpf, digits: int, slack: float) -> None:
    """`value` has relative radius at most 10^-digits and meets wanted ± slack."""
    with mpmath.workdps(digits + 30), flint.ctx.workprec(4 * digits + 200):
        compare([(label, to_mpf(value), wanted)], rtol=10.0**-digits, atol=slack)
        assert value.rad() <= abs(value.mid()) * arb(10) ** -digits, f"{label}: {value} is too wide"
        truth = arb(mpmath.nstr(wanted, digits + 25)) + arb(0, slack)
        assert value.overlaps(truth), f"{label}: {value} misses {truth}"


# ---- references from the definition --------------------------------------------------------------


def over_line(f: Callable[[mpf], mpf], q: mpf, kinks: tuple[mpf, ...] = (), end: int = 13) -> mpf:
    """E f(√q Z) by mpmath's quadrature, split at the kinks and at a few points between."""
    root = mpmath.sqrt(q)
    cuts = sorted({*(mpf(i) for i in range(-end, end + 1)), *(k / root for k in kinks)})
    return mpmath.quad(lambda x: f(root * x) * mpmath.npdf(x), cuts)


def over_plane(
    f: Callable[[mpf], mpf], g: Callable[[mpf], mpf], rho: mpf, steps: tuple[mpf, mpf], end: int
) -> mpf:
    """E f(X) g(ρ X + sqrt(1 - ρ²) Z) by the product trapezoidal rule."""
    h, k = steps
    s = mpmath.sqrt((1 - rho) * (1 + rho))
    inner = [(s * j * k, k * mpmath.npdf(j * k)) for j in range(-int(end / k), int(end / k) + 1)]
    total = mpf(0)
    for i in range(-int(end / h), int(end / h) + 1):
        x = i * h
        total += h * mpmath.npdf(x) * f(x) * mpmath.fsum(g(rho * x + z) * w for z, w in inner)
    return total


# ---- one dimension -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMOOTH)
def test_full_correlation_is_the_line(name: str) -> None:
    text, f, _ = SMOOTH[name]
    expr = parse(text)
    with mpmath.workdps(30):
        for q in (ONE, fmpq(1, 9)):
            variance = mpf(int(q.p)) / int(q.q)
            same = over_line(lambda x: f(x) ** 2, variance)
            encloses(f"{name} second moment", second_moment(expr, q, 22), same, 22, 1e-24)
            encloses(f"{name} rho = 1", expectation2(expr, expr, q, q, q, 22), same, 22, 1e-24)
        opposite = over_line(lambda x: f(x) * f(-x), mpf(1))
        encloses(
            f"{name} rho = -1", expectation2(expr, expr, ONE, ONE, -ONE, 22), opposite, 22, 1e-24
        )


def test_large_variances_on_the_line() -> None:
    # σ is near relu, so E σ² is q/2 up to O(√q).
    for text in ("x*sigmoid(x)", "x*tanh(softplus(x))", "softplus(x) - log(2)/2"):
        value = second_moment(parse(text), fmpq(10**4), 40)
        assert value.rel_accuracy_bits() > 132
        assert abs(float(value) - 5e3) < 50, text


@pytest.mark.parametrize("name", KINKED)
def test_kinks_on_the_line(name: str) -> None:
    text, f = KINKED[name]
    kinks = (mpf(-1), mpf(0), mpf(1) / 2)
    with mpmath.workdps(30):
        for q in (ONE, fmpq(2)):
            wanted = over_line(lambda x: f(x) ** 2, mpf(int(q.p)), kinks)
            encloses(name, second_moment(parse(text), q, 22), wanted, 22, 1e-24)


def _weighted(f: Callable[[mpf], mpf], he: list[mpf], x: mpf) -> mpf:
    return f(2 * x) * mpmath.polyval(he, x)


def test_hermite_coefficients_are_integrals() -> None:
    for text, f, kinks in (
        ("tanh(x)", mpmath.tanh, ()),
        ("tanh(Max(0, x))", KINKED["tanh of relu"][1], (mpf(0),)),
    ):
        with mpmath.workdps(30):
            got = hermite_coefficients(parse(text), fmpq(4), 16, 25)
            for k in (0, 1, 2, 15):
                he = [mpmath.mpf(c) for c in sympy.Poly(sympy.hermite_prob(k, X), X).all_coeffs()]
                norm = mpmath.sqrt(mpmath.factorial(k))
                wanted = over_line(partial(_weighted, f, he), mpf(1), kinks)
                compare([(f"{text} {k}", to_mpf(got[k]), wanted / norm)], atol=1e-22)
            assert len(got) == 16
            assert all(mu.rad() <= arb(10) ** -25 for mu in got)


def test_hermite_coefficients_where_they_are_known() -> None:
    # E exp(aZ) h_k(Z) = a^k exp(a²/2) / sqrt(k!)
    with mpmath.workdps(50):
        coefficients = hermite_coefficients(sympy.exp(X / 2), ONE, 200, 40)
        half = mpf(1) / 2
        compare(
            (
                (
                    k,
                    to_mpf(mu),
                    half**k * mpmath.exp(half**2 / 2) / mpmath.sqrt(mpmath.factorial(k)),
                )
                for k, mu in enumerate(coefficients)
            ),
            atol=1e-40,
            min_points=200,
        )


def test_parseval() -> None:
    # Σ μ_k² 1^k = E σ² for a polynomial, whose series ends.
    with flint.ctx.workprec(200):
        mu = hermite_coefficients(X**3 - X, ONE, 5, 40)
        assert (sum(m * m for m in mu) - second_moment(X**3 - X, ONE, 40)).contains(0)
        assert second_moment(X**3 - X, ONE, 40).contains(10)


def test_no_variance_is_a_constant() -> None:
    with flint.ctx.workprec(120):
        zero = fmpq(0)
        sigmoid = parse("sigmoid(x)")
        assert second_moment(sigmoid, zero, 30) == arb(1) / 4
        assert [float(mu) for mu in hermite_coefficients(sigmoid, zero, 3, 30)] == [0.5, 0, 0]
        assert expectation2(TANH, sigmoid, zero, ONE, zero, 30) == 0
        assert expectation2(sigmoid, sigmoid, ONE, zero, zero, 30).overlaps(arb(1) / 4)
    assert hermite_coefficients(TANH, ONE, 0, 30) == []


# ---- two dimensions ------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", ["0.3", "-0.8", "0.99"])
def test_tanh_against_the_product_trapezoidal_rule(rho: str) -> None:
    ratio = sympy.Rational(rho)
    c = fmpq(int(ratio.p), int(ratio.q))
    with mpmath.workdps(38):
        # 2π · 1.5 / h = 79: h = 0.12 leaves 1e-34; the strip in z is wider by 1/s.
        wide = mpf("0.12") / max(mpmath.sqrt(1 - mpf(rho) ** 2), mpf("0.3"))
        wanted = over_plane(mpmath.tanh, mpmath.tanh, mpf(rho), (mpf("0.12"), wide), 13)
        encloses(f"tanh {rho}", expectation2(TANH, TANH, ONE, ONE, c, 31), wanted, 31, 1e-32)


def test_pair_of_different_variances() -> None:
    with mpmath.workdps(26):
        silu = SMOOTH["silu"]
        wanted = over_plane(
            lambda x: mpmath.tanh(x / 2),
            lambda y: silu[1](2 * y),
            mpf(3) / 5,
            (mpf("0.2"),) * 2,
            11,
        )
        value = expectation2(TANH, parse(silu[0]), fmpq(1, 4), fmpq(4), fmpq(3, 5), 20)
        encloses("tanh, silu", value, wanted, 20, 1e-21)
        swapped = expectation2(parse(silu[0]), TANH, fmpq(4), fmpq(1, 4), fmpq(3, 5), 20)
        assert value.overlaps(swapped)


@pytest.mark.parametrize("q", [fmpq(1, 100), ONE, fmpq(100)])
@pytest.mark.parametrize("text", ["erf(x)", "x*normal_cdf(x)", "exp(-x**2/3)", "sin(x/4)"])
def test_closed_forms_are_met(text: str, q: fmpq) -> None:
    ker = symcomp.dual_kernel(text)
    for c in (q * 3 / 10, -q * 99 / 100, q - q / 10**9, q / 10**25, -q):
        with flint.ctx.workprec(400):
            closed = ker.enclosure(q, q, c, 60)
            value = expectation2(ker.left.expr, ker.left.expr, q, q, c, 25)
            assert value.overlaps(closed), f"{text} at {q}, {c}: {value} against {closed}"
            assert value.rel_accuracy_bits() >= 83
            TALLY.points += 1


@pytest.mark.parametrize("text", ["Max(0, x)", "Heaviside(x)", "Abs(x)"])
def test_kinked_closed_forms_are_met(text: str) -> None:
    ker = symcomp.dual_kernel(text)
    for u, v, c in (
        (ONE, ONE, fmpq(3, 10)),
        (fmpq(1, 4), fmpq(3), fmpq(-1, 2)),
        (ONE, ONE, fmpq(8, 10)),
        (fmpq(2), fmpq(8), fmpq(-4)),
    ):
        with flint.ctx.workprec(300):
            closed = ker.enclosure(u, v, c, 40)
            value = expectation2(ker.left.expr, ker.left.expr, u, v, c, 30)
            assert value.overlaps(closed), f"{text} at {u}, {v}, {c}: {value} against {closed}"
            TALLY.points += 1


def test_exponential_over_many_scales() -> None:
    # E exp(X + Y) = exp((qu + qv)/2 + c)
    for u, v, c in ((1, 1, 0), (1, 4, 2), (100, 100, 30), (100, 1, -9), (0, 9, 0)):
        value = expectation2(sympy.exp(X), sympy.exp(X), fmpq(u), fmpq(v), fmpq(c), 40)
        with flint.ctx.workprec(300):
            assert value.overlaps((arb(u + v) / 2 + c).exp()), f"{u}, {v}, {c}: {value}"
            TALLY.points += 1


@pytest.mark.parametrize("name", SMOOTH)
def test_precisions_overlap_and_digits_are_kept(name: str) -> None:
    expr = parse(SMOOTH[name][0])
    for q, c in ((ONE, fmpq(7, 10)), (fmpq(4), fmpq(-1)), (fmpq(2), 2 - fmpq(1, 10**12))):
        coarse, fine = (expectation2(expr, expr, q, q, c, digits) for digits in (12, 30))
        with flint.ctx.workprec(300):
            assert coarse.overlaps(fine), f"{name} at {q}, {c}: {coarse} and {fine}"
            for value, digits in ((coarse, 12), (fine, 30)):
                assert value.rad() <= abs(value.mid()) * arb(10) ** -digits
            TALLY.points += 1


def test_lattices_and_series_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    # Three rules of different kind for one number.
    args = (TANH, parse("softplus(x)"), ONE, fmpq(2), fmpq(3, 4), 30)
    grid = expectation2(*args)
    with monkeypatch.context() as patch:
        patch.setattr(plane, "_grid", lambda *_: None)
        sheared = expectation2(*args)
    monkeypatch.setattr(plane, "strip_envelope", lambda *_: None)
    series = expectation2(*args)
    with flint.ctx.workprec(200):
        for value in (grid, sheared, series):
            assert value.rel_accuracy_bits() > 99
        assert grid.overlaps(sheared)
        assert grid.overlaps(series)
        assert sheared.overlaps(series)


def test_zero_by_symmetry() -> None:
    even = parse("1/(1 + x**2)")
    assert expectation2(TANH, TANH, ONE, ONE, fmpq(0), 30).is_zero()
    assert expectation2(TANH, even, ONE, ONE, fmpq(1, 3), 30).is_zero()
    assert expectation2(TANH, even, ONE, ONE, ONE, 30).is_zero()
    assert expectation2(TANH, parse("0*x"), ONE, ONE, fmpq(1, 3), 30).is_zero()
    assert second_moment(parse("0*x"), ONE, 30).is_zero()
    # Small is not zero: K is odd in c, and about c (E tanh')² near 0.
    tiny = expectation2(TANH, TANH, ONE, ONE, fmpq(1, 10**40), 30)
    with flint.ctx.workprec(200):
        slope = hermite_coefficients(TANH, ONE, 2, 40)[1] ** 2
        assert abs(tiny * arb(10) ** 40 - slope) < arb(10) ** -29


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "q"),
    [("exp(x**2)", ONE), ("exp(x**2/4)", ONE), ("exp(x**2/8)", fmpq(2)), ("exp(x**3)", ONE)],
)
def test_divergence(text: str, q: fmpq) -> None:
    for call in (
        lambda e: second_moment(e, q, 20),
        lambda e: hermite_coefficients(e, q, 3, 20),
        lambda e: expectation2(e, TANH, q, ONE, fmpq(0), 20),
    ):
        with pytest.raises(DivergenceError, match="growth like"):
            call(parse(text))


def test_square_integrable_below_the_edge() -> None:
    # E exp(2 a Z²) = (1 - 4a)^(-1/2)
    value = second_moment(parse("exp(x**2*6/25)"), ONE, 30)
    with flint.ctx.workprec(200):
        assert value.overlaps(arb(25).sqrt())


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("tan(x)", "no growth bound"),
        ("log(1 + exp(x**4))", "no growth bound"),
        ("sqrt(x)", "no growth bound"),
        ("exp(x**2/4)/(1 + x**2)", "not known to be finite"),
        ("1/x", "not shown to be analytic"),
        ("log(x**2)", "not shown to be analytic"),
        ("sin(exp(4*x))", "varies too fast"),
    ],
)
def test_refusals(text: str, match: str) -> None:
    with pytest.raises(ExpressionError, match=match):
        second_moment(parse(text), ONE, 20)


def test_kinks_that_mirror_each_other() -> None:
    # The middle between ±3/√q is a ball around 0.
    expr = parse("Max(-1, Min(1, x/3))")
    for q in (ONE, fmpq(17, 16), fmpq(170, 36)):
        with mpmath.workdps(30):
            variance = mpf(int(q.p)) / int(q.q)
            wanted = over_line(lambda x: max(-1, min(1, x / 3)) ** 2, variance, (mpf(-3), mpf(3)))
            encloses(f"{q}", second_moment(expr, q, 22), wanted, 22, 1e-24)


def test_kinks_near_full_correlation_are_refused() -> None:
    sigma = parse("tanh(Max(0, x))")
    with pytest.raises(ArgumentError, match="Hermite coefficients"):
        expectation2(sigma, sigma, ONE, ONE, fmpq(999, 1000), 30)


@pytest.mark.parametrize(
    "call",
    [
        lambda: expectation2(TANH, TANH, ONE, ONE, fmpq(2), 20),
        lambda: expectation2(TANH, TANH, -ONE, ONE, fmpq(0), 20),
        lambda: second_moment(TANH, -ONE, 20),
        lambda: second_moment(TANH, ONE, 0),
        lambda: hermite_coefficients(TANH, ONE, -1, 20),
    ],
)
def test_arguments(call: Callable[[], Any]) -> None:
    with pytest.raises(ArgumentError, match="expected"):
        call()


def test_other_symbols_are_refused() -> None:
    with pytest.raises(ExpressionError, match="expected x alone"):
        second_moment(sympy.Symbol("a", real=True) * X, ONE, 20)


# ---- the parts that rigour rests on --------------------------------------------------------------


@pytest.mark.parametrize("name", SMOOTH)
def test_strips_stay_clear_of_singularities_and_bounds_hold(name: str) -> None:
    text, _, distance = SMOOTH[name]
    expr = parse(text)
    strip = growth.strip_envelope(expr, 40)
    assert strip is not None
    assert 0.5 * min(distance, 2) < float(strip.width) < distance
    f = analytic.complex_function(expr)
    with flint.ctx.workprec(80):
        for x in [sign * t for sign in (-1, 1) for t in (0, 0.1, 0.7, 1, 2.5, 6, 11, 40)]:
            for part in (0, 0.5, 1):
                value = f(acb(x, strip.width * part)).abs_upper()
                bound = strip.scale * (strip.rate * abs(x) + strip.square * x**2).exp()
                assert value <= bound, f"{name} at {x} + {part} i width"
                TALLY.points += 1


@pytest.mark.parametrize(
    ("text", "centre"),
    [
        ("log(x)", acb(-1, 0)),
        ("sqrt(x)", acb(-1, 0)),
        ("(1 + x**2)**(1/3)", acb(0, 2)),
        ("atan(x)", acb(0, 2)),
        ("asinh(x)", acb(0, -2)),
        ("asin(x)", acb(2, 0)),
        ("acos(x)", acb(-2, 0)),
        ("tanh(x)", acb(0, arb.pi() / 2)),
        ("1/x", acb(0, 0)),
        ("softplus(x)", acb(1, arb.pi())),
    ],
)
def test_balls_across_a_cut_or_a_pole_are_not_finite(text: str, centre: acb) -> None:
    f = analytic.complex_function(parse(text))
    near = acb(arb(0, 0.1), arb(0, 0.1))
    assert not acb(f(centre + near)).is_finite()
    assert acb(f(acb("0.5", "0.2") + near)).is_finite()


def test_balls_around_zero_have_powers() -> None:
    for power in (2, 3):
        assert abs(analytic.complex_function(X**power)(arb(0, 0.5))) < 0.26


def test_unknown_functions_have_no_complex_balls() -> None:
    with pytest.raises(ExpressionError, match="no complex balls"):
        analytic.complex_function(sympy.gamma(X))


@pytest.mark.parametrize("text", ["exp(x*tanh(x)/9)", "erfc(x)", "2**x", "cosh(x)*cos(x)", "x**4"])
@pytest.mark.parametrize("width", [0.0, 0.5])
def test_growth_bounds_hold(text: str, width: float) -> None:
    expr = parse(text)
    tails = growth.both_tails(growth.Function((), (expr,)), arb(width))
    f = analytic.complex_function(expr)
    for x in (1, 1.3, 2, 5, 11):
        for sign in (-1, 1):
            t = tails.start * x
            value = f(acb(sign * t, width)).abs_upper()
            bound = tails.scale * (tails.rate * t + tails.square * t**2).exp()
            assert value * (1 - 1e-9) <= bound
            TALLY.points += 1


# ---- broken on purpose ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def truth() -> tuple[arb, arb]:
    """E tanh(X) tanh(Y) at ρ = 1/2 and E tanh², from the definition."""
    with mpmath.workdps(42), flint.ctx.workprec(200):
        half = over_plane(mpmath.tanh, mpmath.tanh, mpf(1) / 2, (mpf("0.1"), mpf("0.12")), 13)
        square = over_line(lambda x: mpmath.tanh(x) ** 2, mpf(1))
        balls = [arb(mpmath.nstr(value, 42)) + arb(0, 1e-33) for value in (half, square)]
    return balls[0], balls[1]


def _misses(truth: tuple[arb, arb], moment: bool) -> bool:
    with flint.ctx.workprec(200):
        if moment:
            return not second_moment(TANH, ONE, 25).overlaps(truth[1])
        return not expectation2(TANH, TANH, ONE, ONE, fmpq(1, 2), 25).overlaps(truth[0])


def test_unbroken_meets_the_truth(truth: tuple[arb, arb]) -> None:
    assert not _misses(truth, moment=False)
    assert not _misses(truth, moment=True)


def test_a_strip_believed_too_wide_shows(
    truth: tuple[arb, arb], monkeypatch: pytest.MonkeyPatch
) -> None:
    believed = growth.strip_envelope

    def doubled(expr: sympy.Expr, digits: int) -> Any:
        found = believed(expr, digits)
        return found and replace(found, width=2 * found.width)

    monkeypatch.setattr(plane, "strip_envelope", doubled)
    assert _misses(truth, moment=False)


def test_half_the_nodes_show(truth: tuple[arb, arb], monkeypatch: pytest.MonkeyPatch) -> None:
    panel = line._panel

    def halved(*args: Any) -> Any:
        found = panel(*args)
        return found and replace(found, nodes=found.nodes // 2)

    monkeypatch.setattr(line, "_panel", halved)
    assert _misses(truth, moment=True)


def test_a_dropped_tail_shows(truth: tuple[arb, arb], monkeypatch: pytest.MonkeyPatch) -> None:
    beyond = line._beyond
    monkeypatch.setattr(line, "_beyond", lambda *args: beyond(*args) / 10**20)
    assert _misses(truth, moment=True)


def test_a_dropped_lattice_tail_shows(
    truth: tuple[arb, arb], monkeypatch: pytest.MonkeyPatch
) -> None:
    beyond = plane._beyond_sum
    monkeypatch.setattr(plane, "_beyond_sum", lambda *args: beyond(*args) / 10**20)
    assert _misses(truth, moment=False)


def test_a_dropped_alias_shows(truth: tuple[arb, arb], monkeypatch: pytest.MonkeyPatch) -> None:
    alias = plane._grid_alias
    monkeypatch.setattr(plane, "_grid_alias", lambda *args: alias(*args) / 10**20)
    assert _misses(truth, moment=False)


def test_a_dropped_remainder_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    step = parse("Heaviside(x)")
    closed = symcomp.dual_kernel(step).enclosure(1, 1, "0.5", 60)
    small = plane.Correlation(fmpq(1, 4))
    f = growth.standardised(step, ONE)
    with flint.ctx.workprec(300):
        assert plane._series(f, f, small, 20).overlaps(closed)
        monkeypatch.setattr(plane, "mean_square", lambda *_: arb(0))  # no tail mass
        assert not plane._series(f, f, small, 20).overlaps(closed)


def test_a_kink_beside_a_polynomial():
    """The polynomial's tail mass is exactly 0: E 1(X > 0) Y = c / sqrt(2π q_u)."""
    value = expectation2(sympy.Heaviside(X), X, fmpq(1), fmpq(2), fmpq(1, 3), 20)
    wanted = 1 / (3 * (2 * arb.pi()).sqrt())
    assert value.overlaps(wanted)
    assert value.rel_accuracy_bits() > 60
