import mpmath
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import symcomp
from proofs_checks import oracles
from symcomp.antiderivatives import C
from symcomp.balls import exact, to_mpf
from symcomp.errors import DivergenceError
from symcomp.expectations import QU, QV, OutsideClassError, expectation, price, stein
from symcomp.kernels import shifted_kernel
from symcomp.parsing import X, parse
from symcomp.quadrature import expectation2
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
        wanted = oracles.expectation1(f, str(q), kinks, digits=30)
        rows.append((f"q = {q}", sympy.N(expectation(form(parse(text)), q), 40), wanted))
    compare(rows, rtol=1e-28, min_points=3)


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
    compare(rows, rtol=1e-35, atol=1e-35, min_points=3)


def test_a_pair_of_different_activations():
    ladder, _ = price(form(parse("relu(x)")), form(parse("sign(x)")))
    with mpmath.workdps(40):
        wanted = oracles.expectation(oracles.relu, mpmath.sign, 2, 3, -1, digits=30)
    got = sympy.N(ladder.subs({QU: 2, QV: 3, C: -1}), 40)
    compare([("relu, sign", got, wanted)], rtol=1e-28)


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


# ---- random members of the class -----------------------------------------------------------------

small = st.integers(-3, 3).map(lambda k: sympy.Rational(k, 2))
factors = st.sampled_from(["1", "x", "x**2", "exp(-x**2/2)", "x*exp(x/2)", "sin(x)", "cos(2*x)"])
thresholds = st.sampled_from(["1", "Heaviside(x)", "Heaviside(x - 1)", "erf(x + 1/2)"])


@st.composite
def members(draw):
    """Polynomial · exponential · wave, with at most one threshold."""
    smooth = parse(draw(factors)) * draw(small.filter(bool))
    if smooth.has(sympy.sin, sympy.cos):
        return smooth
    return smooth * parse(draw(thresholds))


@given(members(), members(), st.sampled_from([(1, 2, "1/3"), ("1/2", "1/2", "-1/8"), (1, 1, 0)]))
@settings(max_examples=20)
def test_random_members_against_rigorous_quadrature(f, g, point):
    """The closed form against an enclosure that knows the expressions and nothing else."""
    assume(f.has(X) and g.has(X))
    qu, qv, c = (sympy.Rational(number) for number in point)
    try:
        value, _ = stein(form(f), form(g))
    except OutsideClassError:
        assume(False)
    wanted = expectation2(f, g, *(exact(number) for number in (qu, qv, c)), 15)
    got = sympy.N(value.subs({QU: qu, QV: qv, C: c}), 40)
    error = abs(mpmath.mpf(got) - to_mpf(wanted))
    compare([(f"{f} | {g}", error, 0)], atol=1e-13 * max(1, abs(mpmath.mpf(got))))


def test_symbolic_thresholds():
    """E 1(X > a) 1(Y > b) with symbols a, b, and a ramp that starts at a."""
    a, b = sympy.symbols("a b", positive=True)
    value, _ = stein(form(sympy.Heaviside(X - a)), form(sympy.Max(0, X - b)))
    at = {QU: 1, QV: 2, C: sympy.Rational(-1, 2), a: sympy.Rational(1, 3), b: sympy.Rational(3, 4)}
    wanted = expectation2(
        sympy.Heaviside(X - at[a]), sympy.Max(0, X - at[b]), *map(exact, (1, 2, "-1/2")), 18
    )
    compare([("ramp", sympy.N(value.subs(at), 30), to_mpf(wanted))], rtol=1e-17)


@pytest.mark.parametrize("name", ["relu", "erf", "hard_tanh", "gelu", "exp"])
def test_biases_are_shifts(name):
    """K(q_u, q_v, c; s, t) against the kernel of the shifted expressions."""
    expr, symbols = shifted_kernel(name)
    sigma = symcomp.activation(name).expr
    point = tuple(map(sympy.Rational, ("1", "2", "-3/4", "1/3", "-1/2")))
    left, right = (sigma.subs(X, X + s) for s in point[3:])
    wanted = expectation2(left, right, *map(exact, point[:3]), 18)
    got = sympy.N(expr.subs(dict(zip(symbols, point, strict=True))), 40)
    compare([(name, got, to_mpf(wanted))], rtol=1e-17)


def test_every_step_of_steins_recursion_is_true():
    """Each E(s(x) t(y)) = value of a derivation, against rigorous quadrature of its two factors."""
    _, steps = stein(form(parse("Max(0, x) + (exp(x) - 1)*Heaviside(-x)")), form(parse("erf(x)")))
    y = sympy.Symbol("y", real=True)
    at = {QU: 1, QV: 2, C: sympy.Rational(1, 3)}
    rows = []
    for step in steps:
        if step.text.startswith("tilt"):
            left, right = step.equation.lhs.args[0].as_independent(y, as_Add=False)
            pair = (left + 0 * X, right.subs(y, X))
            wanted = expectation2(*pair, *(exact(at[q]) for q in (QU, QV, C)), 15)
            rows.append(
                (step.equation.lhs, sympy.N(step.equation.rhs.subs(at), 20), to_mpf(wanted))
            )
    compare(rows, rtol=1e-13, atol=1e-15, min_points=6)
