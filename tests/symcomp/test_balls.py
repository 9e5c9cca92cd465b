from fractions import Fraction

import flint
import mpmath
import pytest
import sympy
from flint import arb, fmpq
from hypothesis import given
from hypothesis import strategies as st

from symcomp.balls import ball, compiled, enclose, exact, to_mpf
from symcomp.errors import ArgumentError, ExpressionError

x = sympy.Symbol("x", real=True)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (3, fmpq(3)),
        (0.1, fmpq(3602879701896397, 2**55)),
        ("1.3", fmpq(13, 10)),
        ("-2/7", fmpq(-2, 7)),
        (Fraction(1, 3), fmpq(1, 3)),
        (sympy.Rational(5, 7), fmpq(5, 7)),
        (mpmath.mpf("-0.75"), fmpq(-3, 4)),
        (mpmath.mpf(0), fmpq(0)),
    ],
)
def test_numbers_are_taken_exactly(value, wanted):
    assert exact(value) == wanted


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "abc", None, 1j, mpmath.inf, mpmath.nan, [1], "1/0"]
)
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(ArgumentError, match="expected a finite real number"):
        exact(value, "c")


EXPRESSIONS = [
    sympy.sqrt(1 - x**2) / 3,
    sympy.asin(x) + sympy.acos(x / 2),
    sympy.exp(x) * sympy.erf(x) - x**-2,
    sympy.pi * sympy.cos(x) ** 3 + sympy.Abs(x),
    (2 + x) ** sympy.Rational(1, 3) + 2**x,
]


@pytest.mark.parametrize("expr", EXPRESSIONS, ids=str)
@given(point=st.fractions(min_value=-1, max_value=1, max_denominator=50).filter(bool))
def test_balls_enclose_and_are_narrow(expr, point):
    with flint.ctx.workprec(200):
        value = ball(expr, {x: fmpq(point.numerator, point.denominator)})
    with mpmath.workdps(80):
        at = {x: sympy.Rational(point.numerator, point.denominator)}
        wanted = mpmath.mpf(sympy.N(expr.subs(at), 80))
        # SymPy's own last digits may be off, so the ball is compared at its radius.
        assert abs(to_mpf(value) - wanted) <= mpmath.mpf("1e-50")
    assert value.rad() < arb("1e-27") or abs(point) == 1


def test_a_wide_ball_stays_in_the_real_domain():
    wide = arb(1, 0.5)  # [1/2, 3/2]
    root = ball(sympy.sqrt(1 - x), {x: wide})
    assert root.contains(0)
    assert root.contains(0.7)
    angle = ball(sympy.asin(x), {x: wide})
    assert angle.contains(arb.pi() / 2 - arb("1e-9"))
    assert angle.contains(arb(1) / 2) is False or angle.lower() <= arb("0.5235987756")


def test_powers_of_a_ball_around_zero():
    square = ball(x**2, {x: arb(0, 0.5)})
    assert square.contains(0.25)
    assert square.is_finite()
    assert not ball(1 / x, {x: arb(0, 0.5)}).is_finite()


def test_exact_input_stays_exact():
    assert ball(sympy.sqrt(1 - x**2), {x: fmpq(3, 5)}) == arb(fmpq(4, 5)) or ball(
        sympy.sqrt(1 - x**2), {x: fmpq(3, 5)}
    ).contains(fmpq(4, 5))
    assert ball(sympy.sqrt(1 - x**2), {x: fmpq(-1)}).is_zero()


def test_an_unknown_function_is_refused():
    with pytest.raises(ExpressionError, match="no ball arithmetic"):
        ball(sympy.zeta(x), {x: fmpq(3)})


def test_enclose_reaches_its_digits_or_says_so():
    value = enclose(lambda: (arb(1) / 3 + arb(10) ** 40) - arb(10) ** 40, 30, lambda: False)
    assert value.rel_accuracy_bits() >= 99
    assert enclose(lambda: arb(0, 1e-30), 20, lambda: True).is_zero()
    with pytest.raises(ArgumentError, match="digits"):
        enclose(lambda: arb(0, 1e-30), 20, lambda: False)


@pytest.mark.parametrize(
    "expr",
    [
        x,
        sympy.pi**2,
        sympy.sqrt(1 - x**2) + x * sympy.asin(x) / (2 * sympy.pi),
        sympy.exp(-(x**2)) * sympy.erf(x) ** 3 / sympy.sqrt(2 + x),
    ],
)
def test_a_compiled_expression_gives_the_same_balls(expr):
    with flint.ctx.workprec(200):
        function = compiled(expr, [x])
        for value in (fmpq(1, 3), fmpq(-5, 7), arb(0.25, 1e-9)):
            got, wanted = function(value), ball(expr, {x: value})
            assert got.overlaps(wanted)
            assert got.rad() <= 2 * wanted.rad()


def test_compiling_refuses_what_has_no_ball_arithmetic():
    with pytest.raises(ExpressionError, match="no ball arithmetic"):
        compiled(sympy.Function("f")(x), [x])
