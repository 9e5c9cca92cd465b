import mpmath
import pytest
import sympy

import symcomp
from proofs_checks.reference import REFERENCE
from symcomp.errors import ArgumentError, ExpressionError, SymcompError
from symcomp.parsing import X
from tests.comparison import compare

# (degree, convex, nondecreasing, parity), known by hand
PROPERTIES = {
    "relu": (1, True, True, None),
    "leaky_relu": (1, True, True, None),
    "abs": (1, True, False, "even"),
    "step": (0, False, True, None),
    "sign": (0, False, True, "odd"),
    "identity": (1, True, True, "odd"),
    "erf": (None, False, True, "odd"),
    "leaky_relu:slope=-1/2": (1, True, False, None),
    "leaky_relu:slope=2": (1, False, True, None),
    "Max(0,x)**2": (2, True, True, None),
    "Max(-1, Min(1, x))": (None, False, True, "odd"),
    "x**3": (3, False, True, "odd"),
    "exp(x)": (None, True, True, None),
}


@pytest.mark.parametrize("text", PROPERTIES)
def test_properties_follow_from_the_expression(text):
    act = symcomp.activation(text)
    assert (act.degree, act.convex, act.nondecreasing, act.parity) == PROPERTIES[text]


def test_every_catalogue_name_makes_an_activation():
    for name in symcomp.activations():
        act = symcomp.activation(name)
        assert act.expr.free_symbols == {X}
        assert act.nondecreasing is not None
        assert act.convex is not None


# sup |σ'|, known by hand
LIPSCHITZ = {
    "relu": 1,
    "leaky_relu:slope=-3": 3,
    "sign": sympy.oo,
    "relu_power": sympy.oo,
    "erf": 2 / sympy.sqrt(sympy.pi),
    "gelu": (1 + sympy.erf(1)) / 2 + sympy.exp(-1) / sympy.sqrt(sympy.pi),
    "gaussian": sympy.sqrt(2 / sympy.E),
    "sin": 1,
    "tanh": 1,
    "sigmoid": sympy.Rational(1, 4),
    "softplus": 1,
    "hard_sigmoid": sympy.Rational(1, 6),
    "mish": None,
}


@pytest.mark.parametrize("text", LIPSCHITZ)
def test_the_lipschitz_constant_is_derived(text):
    found, known = symcomp.activation(text).lipschitz, LIPSCHITZ[text]
    if known is None or known is sympy.oo:
        assert found == known
    else:
        assert sympy.simplify(found - known) == 0


@pytest.mark.parametrize("name", symcomp.activations())
def test_every_entry_is_the_function_it_is_named_after(name):
    act, ref = symcomp.activation(name), REFERENCE[name]
    rows = []
    with mpmath.workdps(40):
        for k in range(-29, 30, 4):
            at = sympy.Rational(k, 7)
            got = mpmath.mpf(sympy.N(act.expr.subs(X, at), 40))
            rows.append((f"{name} at {at}", got, ref.sigma(mpmath.mpf(k) / 7)))
        compare(rows, rtol=1e-15, atol=1e-30, min_points=15)


@pytest.mark.parametrize(
    "text",
    [
        "relu_power:k=0",
        "relu_power:k=1/2",
        "monomial:n=100000",
        "hermite:n=-1",
        "celu:alpha=0",
        "gaussian:a=nan",
        "gaussian:a=1e400",
        "polynomial:c99=1",
    ],
)
def test_a_parameter_out_of_range_is_named(text):
    with pytest.raises(SymcompError, match="found"):
        symcomp.activation(text)


def test_an_expression_in_any_symbol_is_an_activation():
    t = sympy.Symbol("t")
    assert symcomp.activation(sympy.Max(0, t)).expr == sympy.Max(0, X)
    act = symcomp.activation("leaky_relu", slope=sympy.Rational(1, 10))
    assert act == symcomp.activation("leaky_relu:slope=1/10")


@pytest.mark.parametrize(
    ("source", "error", "match"),
    [
        ("rleu", ExpressionError, "expected one of identity, relu"),
        ("leaky_relu:slop=1", ArgumentError, "found 'slop'"),
        ("leaky_relu:1/10", ArgumentError, "name=value"),
        ("leaky_relu:slope=x", ExpressionError, "expected a number"),
        (sympy.Symbol("x") * sympy.Symbol("y"), ExpressionError, "x, y"),
        (sympy.I * X, ExpressionError, "real function"),
        (3, ExpressionError, "found a int"),
    ],
)
def test_bad_input_is_one_sentence(source, error, match):
    with pytest.raises(error, match=match):
        symcomp.activation(source)
