import mpmath
import pytest
import sympy
from mpmath import mpf

import symcomp
from symcomp.errors import ArgumentError
from symcomp.printing import ALPHA, ANGLE, ROOT, Angular, Formula, formulas, statements
from tests.comparison import compare

QU, QV = sympy.symbols("q_u q_v", positive=True)
C = sympy.Symbol("c", real=True)


def pair(name: str) -> tuple[Angular, Angular]:
    ker = symcomp.dual_kernel(name)
    kappa = Angular.of(ker.correlation, ker.rho, sympy.S.One)
    return kappa, kappa.diff(ker.rho)


def best(name: str) -> tuple[Formula, Formula]:
    found = formulas(*pair(name))
    assert found is not None
    return found


def plain(f: Angular) -> sympy.Expr:
    return f.expr.subs({ROOT: sympy.sqrt(f.q - f.c**2), ALPHA: sympy.asin(f.c / sympy.sqrt(f.q))})


@pytest.mark.parametrize(
    "name",
    ["relu", "Max(0,x)**3", "sign(x) + x**2", "Max(0,x) + x**2", "gelu", "Max(0,x)*exp(-x**2)"],
)
def test_derivatives_in_the_normal_form_are_sympys(name):
    ker = symcomp.dual_kernel(name)
    expr = ker.expr.subs(dict(zip(ker.symbols, (QU, QV, C), strict=True)))
    f = Angular.of(expr, C, QU * QV)
    point = {QU: sympy.Rational(7, 5), QV: sympy.Rational(3, 4), C: sympy.Rational(-2, 3)}
    rows = [("itself", plain(f), expr)]
    rows += [(str(x), plain(f.diff(x)), sympy.diff(expr, x)) for x in (C, QU, QV)]
    compare(
        [(label, *(str(sympy.N(e.subs(point), 40)) for e in two)) for label, *two in rows],
        rtol=1e-35,
        min_points=4,
    )


def test_the_singular_terms_of_relus_slope_cancel():
    kappa, slope = pair("relu")
    assert kappa.expr.has(ROOT)
    assert not slope.expr.has(ROOT)
    assert pair("step")[1].expr.has(1 / ROOT)


def test_the_form_follows_the_cancellation():
    kappa, slope = best("relu")
    rho = kappa.rho
    assert {b: p.as_expr() for b, p in kappa.parts.items()} == {
        ANGLE: rho / (2 * sympy.pi),
        ROOT: 1 / (2 * sympy.pi),
    }
    assert kappa.form.name == slope.form.name == "arccos(-ρ)"
    assert best("abs")[0].form.name == "arcsin(ρ)"
    assert formulas(*pair("gelu")) is None


def test_relus_series_is_that_of_sin_minus_psi_cos_and_is_cut_where_it_says():
    kappa, slope = best("relu")
    series = kappa.series
    assert series is not None
    assert slope.series is None
    assert series.power == 3
    exact = [
        (-1) ** m
        * (1 / mpmath.factorial(2 * m + 1) - 1 / mpmath.factorial(2 * m))
        / (2 * mpmath.pi)
        for m in range(1, 1 + len(series.coefficients))
    ]
    compare(zip("0123456789", series.coefficients, exact, strict=False), rtol=2e-16, min_points=10)
    with mpmath.workdps(40):
        psi = mpf(series.switch)
        truth = (mpmath.sin(psi) - psi * mpmath.cos(psi)) / (2 * mpmath.pi)
        terms = [c * psi ** (2 * n + 3) for n, c in enumerate(series.coefficients)]
        compare([("cut", mpmath.fsum(terms), truth)], rtol=2e-16)
        # One term fewer would not do.
        assert abs(mpmath.fsum(terms[:-1]) - truth) > truth / 2**58
        assert kappa.cancellation(psi) <= 3 < kappa.cancellation(psi - mpf(1) / 16)


def test_in_place_statements():
    kappa, slope = best("relu")
    assert kappa.code("t.kappa") == [
        "np.multiply(t.rho, t.angle, out=t.kappa)",
        "t.kappa += t.sine",
        "t.kappa *= 0.15915494309189535",
    ]
    assert slope.code("t.slope") == ["np.multiply(t.angle, 0.15915494309189535, out=t.slope)"]


def test_statements_share_and_guard():
    lines = statements({"K": sympy.sqrt(C - QU) / C, "L": (C - QU) ** 2, "one": sympy.S.One}, C)
    text = "\n".join(lines)
    assert text.count("c - q_u") == 1
    assert "_reciprocal(c)" in text
    assert "_sqrt(" in text
    assert "one: Array = np.broadcast_to(1, c.shape)" in lines
    assert lines[-1] == "return K, L, one"


def test_statements_refuse_what_numpy_lacks():
    with pytest.raises(ArgumentError, match="found gamma, expected functions NumPy has"):
        statements({"K": sympy.gamma(C)}, C)
