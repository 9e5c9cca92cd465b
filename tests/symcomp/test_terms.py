import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from symcomp.errors import ExpressionError
from symcomp.parsing import X, parse
from symcomp.terms import branches, form
from tests.comparison import compare

INSIDE = [
    "relu(x)",
    "Abs(x)**3 - 1",
    "Max(-1, Min(1, x))",
    "x*normal_cdf(x)",
    "exp(-x**2/2)*cos(3*x)",
    "erf(x)**2 + erfc(2*x - 1)",
    "Max(0, x) + (exp(x) - 1)*Heaviside(-x)",
    "Max(x, x**2 - 2)",
]


@pytest.mark.parametrize("text", INSIDE)
def test_the_form_is_the_function(text):
    expr = parse(text)
    rebuilt = form(expr).expr()
    points = [sympy.Rational(k, 7) for k in range(-20, 21) if k % 7]
    compare(
        (
            (f"x = {p}", sympy.re(rebuilt.subs(X, p).evalf(40)), expr.subs(X, p).evalf(40))
            for p in points
        ),
        atol=1e-30,
        min_points=30,
    )


@pytest.mark.parametrize("text", ["tanh(x)", "sqrt(Abs(x))", "log(1 + exp(x))", "1/(1 + x**2)"])
def test_outside_the_class_there_is_no_form(text):
    assert form(parse(text)) is None


def test_relu_differentiates_to_a_step_and_a_dirac():
    first = form(parse("relu(x)")).derivative()
    assert first.expr() == sympy.Heaviside(X)
    assert first.derivative().expr() == sympy.DiracDelta(X)
    assert first.derivative().derivative().expr() == sympy.DiracDelta(X, 1)


@given(st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 2))
def test_derivatives_integrate_back(a, b, power):
    """f(t) - f(0) is the integral of f' off the kinks plus the Diracs' masses."""
    expr = X**power * sympy.Max(a * X, b) + sympy.exp(-(X**2)) * sympy.erf(X + a)
    f = form(expr)
    derivative = f.derivative().expr()
    point = sympy.Rational(10, 7)
    smooth = derivative.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)
    slope = expr.subs(X, point + sympy.Rational(1, 10**12)) - expr.subs(X, point)
    got = sympy.N(smooth.subs(X, point), 30)
    compare([("slope", got, sympy.N(slope * 10**12, 30))], atol=1e-9)


def test_branches_are_ordered_and_false_kinks_dropped():
    breaks, pieces = branches(parse("Max(-1, Min(1, x)) + Abs(x) - Abs(x)"))
    assert breaks == [-1, 1]
    assert pieces == [-1, X, 1]
    assert branches(parse("Max(x, x + 1)")) == ([], [X + 1])


def test_an_undecidable_branch_is_refused():
    with pytest.raises(ExpressionError, match="switch"):
        form(parse("Max(x, exp(x) - 2)"))
