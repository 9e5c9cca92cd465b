import pytest
import sympy

import symcomp
from symcomp.errors import ArgumentError, ExpressionError
from symcomp.parsing import X

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
        assert act.expr.free_symbols <= {X}
        assert act.form is not None


def test_an_expression_in_any_symbol_is_an_activation():
    t = sympy.Symbol("t")
    assert symcomp.activation(sympy.Max(0, t)).expr == sympy.Max(0, X)
    act = symcomp.activation("leaky_relu", slope=sympy.Rational(1, 10))
    assert act == symcomp.activation("leaky_relu:slope=1/10")


@pytest.mark.parametrize(
    ("source", "error", "match"),
    [
        ("rleu", ExpressionError, "expected one of relu"),
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
