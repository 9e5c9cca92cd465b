import pytest
import sympy

from symcomp.antiderivatives import C, Element, integral_from_zero, to_expr

A, B = sympy.Rational(7, 3), sympy.Rational(3, 5)

ELEMENTS = [
    *(Element(n, p, A, B) for n in range(5) for p in (-5, -3, -1, 1, 3)),
    *(Element(n, 0, A, B, arc=True) for n in range(4)),
    Element(3),
    Element(2, 3, A, sympy.S.Zero),
]


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
def test_the_integral_differentiates_back_and_starts_at_zero(element):
    integral = to_expr(integral_from_zero({element: sympy.Integer(2)}))
    assert integral.subs(C, 0).equals(0)
    assert sympy.simplify(sympy.diff(integral, C) - 2 * element.expr()) == 0


def test_a_wrong_coefficient_is_seen():
    element = Element(2, 1, A, B)
    integral = to_expr(integral_from_zero({element: sympy.Integer(2)}))
    assert sympy.simplify(sympy.diff(integral, C) - 3 * element.expr()) != 0
