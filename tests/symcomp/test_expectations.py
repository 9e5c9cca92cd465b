import mpmath
import pytest
import sympy

from proofs_checks import oracles
from symcomp.antiderivatives import C
from symcomp.errors import DivergenceError
from symcomp.expectations import QU, QV, OutsideClassError, expectation, price, stein
from symcomp.parsing import X, parse
from symcomp.terms import form
from tests.comparison import compare

ONE = {
    "relu(x)": (oracles.relu, (0,)),
    "Abs(x)**3": (lambda x: abs(x) ** 3, (0,)),
    "Max(-1, Min(2, x))": (lambda x: max(-1, min(2, x)), (-1, 2)),
    "exp(x/2)*Heaviside(x - 1)": (lambda x: mpmath.exp(x / 2) if x > 1 else mpmath.mpf(0), (1,)),
    "x**2*exp(-x**2)*normal_cdf(x + 1)": (
        lambda x: x**2 * mpmath.exp(-(x**2)) * mpmath.ncdf(x + 1),
        (),
    ),
    "x*normal_cdf(x)": (lambda x: x * mpmath.ncdf(x), ()),
}


@pytest.mark.parametrize("text", ONE)
def test_one_variable_against_the_integral(text):
    f, kinks = ONE[text]
    rows = []
    for q in (sympy.Rational(1, 3), sympy.Integer(1), sympy.Rational(5, 2)):
        wanted = oracles.expectation1(f, mpmath.mpf(q.p) / q.q, kinks, digits=30)
        rows.append((f"q = {q}", sympy.N(expectation(form(parse(text)), q), 40), wanted))
    compare(rows, rtol=1e-15, min_points=3)


def test_a_divergent_mean_is_refused():
    growing = form(parse("exp(x**2)"))
    with pytest.raises(DivergenceError, match="grows too fast"):
        expectation(growing, sympy.Integer(1))
    assert expectation(growing, sympy.Rational(1, 4)) == sympy.sqrt(2)


CENTRED = [
    "relu(x)",
    "Abs(x)",
    "sign(x)",
    "relu(x)**3 - x",
    "x*normal_cdf(x)",
    "erf(2*x)",
    "x**4 - 2*x + 1",
    "exp(-x**2)*x**2",
    "Abs(x)*x + erf(x)",
]


@pytest.mark.parametrize("text", CENTRED)
def test_two_derivations_agree(text):
    """Price's ladder integrates in c, Stein's recursion never does."""
    f = form(parse(text))
    ladder, recursion = price(f, f)[0], stein(f, f)[0]
    points = [(1, 1, 0.5), (2, "1/3", "-3/4"), ("7/5", "9/7", "6/5")]
    rows = []
    for point in points:
        at = dict(zip((QU, QV, C), map(sympy.Rational, point), strict=True))
        rows.append((point, sympy.N(ladder.subs(at), 40), sympy.N(recursion.subs(at), 40)))
    compare(rows, rtol=1e-15, atol=1e-30, min_points=3)


def test_a_pair_of_different_activations():
    ladder, _ = price(form(parse("relu(x)")), form(parse("sign(x)")))
    with mpmath.workdps(40):
        wanted = oracles.expectation(oracles.relu, mpmath.sign, 2, 3, -1, digits=30)
    got = sympy.N(ladder.subs({QU: 2, QV: 3, C: -1}), 40)
    compare([("relu, sign", got, wanted)], rtol=1e-15)


def test_the_ladder_refuses_what_it_cannot_climb():
    for text in ("relu(x - 1)", "exp(x)*Heaviside(x)"):
        f = form(parse(text))
        with pytest.raises(OutsideClassError):
            price(f, f)


def test_every_step_is_an_equation_that_the_next_confirms():
    _, steps = price(form(parse("relu(x)")), form(parse("relu(x)")))
    integrals = [s.equation.rhs for s in steps if s.text.startswith("integrate")]
    elementary = next(s.equation.rhs for s in steps if "elementary" in s.text)
    assert sympy.simplify(sympy.diff(integrals[0], C) - elementary) == 0
    assert sympy.simplify(sympy.diff(integrals[1], C) - integrals[0]) == 0
    assert [str(s.equation.rhs) for s in steps[1:3]] == [
        str(sympy.Heaviside(X)),
        str(sympy.DiracDelta(X)),
    ]
