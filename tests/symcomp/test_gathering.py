import pytest
import sympy

from symcomp.antiderivatives import C
from symcomp.balls import exact, to_mpf
from symcomp.expectations import QU, QV, stein
from symcomp.parsing import parse
from symcomp.quadrature import expectation2
from symcomp.terms import form
from tests.comparison import compare


def denominators_seen(text: str, monkeypatch) -> tuple[sympy.Expr, set[sympy.Expr]]:
    """E σ(X) σ(Y) by Stein's recursion, and the sums below fraction bars when factored."""
    seen = []

    def watched(expr):
        seen.append(expr)
        return sympy.factor(expr)

    monkeypatch.setattr("symcomp.gathering.factored", watched)
    f = form(parse(text))
    total, _ = stein(f, f)
    powers = {p for expr in seen for p in expr.atoms(sympy.Pow) if p.base.is_Add and p.exp < 0}
    return total, {p.base for p in powers}


def degrees(bases: set[sympy.Expr]) -> list[int]:
    return [sympy.expand(base**2).as_poly(QU, QV, C).total_degree() // 2 for base in bases]


@pytest.mark.slow
def test_denominators_are_never_multiplied_out(monkeypatch):
    """Factoring sees powers of the few determinants, not their expanded products."""
    text = "Max(0, x)**2*exp(-(x + 1)**2)"
    total, bases = denominators_seen(text, monkeypatch)
    assert len(bases) >= 3
    assert all(base.is_polynomial(QU, QV, C) for base in bases)
    assert max(degrees(bases)) == 2
    assert sympy.count_ops(total) < 1500
    f, rows = form(parse(text)).expr(), []
    for at in (("1.3", "0.7", "0.4"), ("2", "1/2", "-0.9")):
        wanted = to_mpf(expectation2(f, f, *(exact(value, "variance") for value in at), 15))
        values = dict(zip((QU, QV, C), map(sympy.Rational, at), strict=True))
        rows.append((f"at {at}", sympy.N(total.subs(values), 20), wanted))
    compare(rows, rtol=1e-12, min_points=2)


def test_denominators_left_open_are_multiplied_out(monkeypatch):
    monkeypatch.setattr("symcomp.gathering._hidden_denominators", lambda *given: (given[0], {}))
    _, bases = denominators_seen("Max(0, x)*exp(-(x + 1)**2)", monkeypatch)
    grown = [b for b in bases if not b.is_polynomial(QU, QV, C)]
    assert grown or max(degrees(bases)) > 2
