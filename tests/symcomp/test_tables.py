from dataclasses import replace
from functools import cache

import flint
import numpy as np
import pytest
from flint import arb

import symcomp
from symcomp import tables as made
from symcomp.catalogue import Activation
from symcomp.errors import ArgumentError, ExpressionError
from symcomp.parsing import X
from tests.comparison import compare

OPEN = ["tanh", "sigmoid", "softplus", "silu", "mish", "gelu_tanh"]


@cache
def tables(name: str) -> made.Tables:
    return made.tables(symcomp.activation(name))


def from_table(name: str, m: int, t: float) -> float:
    """a_m(t) by the formulas in the docstrings of Part and Row."""
    part = next(p for p in tables(name).parts if p.parity == m % 2)
    row = part.rows[m // 2]
    s = 2 * t * (made.REACH + made.MIDDLE) / (made.REACH * (t + made.MIDDLE)) - 1
    g = np.polynomial.chebyshev.chebval(s, np.array(row.coefficients, dtype=float))
    front = t**part.order * (1 + t * t) ** ((part.growth - part.order) / 2)
    return float(front * np.exp((t / (2 * made.EDGE)) ** 2) * g * 2.0**row.exponent)


def by_definition(sigma, m: int, t: float) -> float:
    """(1/π) ∫ σ(t cos φ) cos mφ dφ over a period, halved for m = 0, by many equal steps."""
    phi = 2 * np.pi * np.arange(4096) / 4096
    return float(np.mean(sigma(t * np.cos(phi)) * np.cos(m * phi)) * (2 if m else 1))


@pytest.mark.parametrize(
    ("name", "sigma", "orders"),
    [
        ("tanh", np.tanh, (1, 3, 9)),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x)) - 0.5, (1, 5)),
        ("silu", lambda x: x / (1 + np.exp(-x)), (0, 1, 2, 8)),
        ("mish", lambda x: x * np.tanh(np.logaddexp(0, x)), (0, 1, 2, 3)),
    ],
)
def test_rows_are_the_chebyshev_coefficients_of_sigma(name, sigma, orders):
    rows = [
        ((m, t), from_table(name, m, t), by_definition(sigma, m, t))
        for m in orders
        for t in (0.01, 0.7, 3.0, 9.0, 20.0)
    ]
    compare(rows, atol=2e-14, rtol=1e-13, min_points=10)


@pytest.mark.parametrize("name", OPEN)
def test_parities_and_powers_are_found(name):
    parts = {part.parity: part for part in tables(name).parts}
    odd_alone = name in ("tanh", "sigmoid")
    assert set(parts) == ({1} if odd_alone else {0, 1})
    assert parts[1].order == 1
    assert parts[1].growth == (0 if odd_alone else 1)
    if not odd_alone:
        assert (parts[0].order, parts[0].growth) == (2, 1)
    # x/2 is what is odd in softplus, SiLU and the approximate GELU, and for it a_1 alone is left.
    assert (len(parts[1].rows) == 1) == (name in ("softplus", "silu", "gelu_tanh"))


def test_orders_at_the_origin_and_growth_at_infinity():
    (cube,) = made.tables(symcomp.activation("tanh(x/2)**3")).parts
    assert (cube.parity, cube.order, cube.growth) == (1, 3, 0)
    (bowl,) = made.tables(symcomp.activation("x*tanh(x/2)")).parts
    assert (bowl.parity, bowl.order, bowl.growth) == (0, 2, 1)


def test_the_value_at_the_origin_is_kept_apart():
    assert tables("softplus").constant == pytest.approx(np.log(2), rel=1e-16)
    assert tables("sigmoid").constant == 0.5
    assert tables("tanh").constant == 0.0


def test_coefficients_are_rounded_to_nearest():
    with flint.ctx.workprec(80):
        assert [made._nearest(arb(x)) for x in (2.25, -2.25, 2.75, -2.75, 0.0)] == [2, -2, 3, -3, 0]


def test_kinks_and_fast_oscillation_are_refused(monkeypatch):
    with pytest.raises(ExpressionError, match=r"Max\(0,tanh\(x\)\) with kinks at 0 and no closed"):
        made.tables(symcomp.activation("Max(0,tanh(x))"))
    monkeypatch.setattr(made, "_SIZES", made._SIZES[:1])
    fast = Activation("fast", symcomp.activation("tanh(x)").expr.subs(X, 40 * X))
    with pytest.raises(ExpressionError, match="found fast, which varies too fast for tables up to"):
        made.tables(fast)


# ---- the measured error --------------------------------------------------------------------------


def exact_derivatives(u: np.ndarray, v: np.ndarray) -> tuple[float, float, float]:
    """K, ∂K/∂c and ∂K/∂r_v of σ(x) = x³, from E X³ Y³ = 9 q_u q_v c + 6 c³."""
    qu, qv, c = u @ u, v @ v, u @ v
    value = 9 * qu * qv * c + 6 * c**3
    return value, 9 * qu * qv + 18 * c * c, 18 * qu * np.sqrt(qv) * c


@pytest.mark.parametrize("which", range(3))
def test_measure_sees_an_error_in_every_quantity(which):
    ker = symcomp.dual_kernel("x**3")
    errors = made.measure(ker, exact_derivatives)
    assert max(errors.value, errors.by_c, errors.by_qv) < 1e-14
    assert errors.points == 8

    def damaged(u: np.ndarray, v: np.ndarray) -> tuple[float, ...]:
        values = list(exact_derivatives(u, v))
        values[which] *= 1 + (1e-11 if which == 0 else 1e-8)
        return tuple(values)

    with pytest.raises(ArgumentError, match=r"x\*\*3, whose tables are off by"):
        made.measure(ker, damaged)


def test_the_sentence_of_a_header_is_four_times_what_was_measured():
    errors = made.Errors(2.4e-14, 3e-14, 0.9e-11, 16)
    text = errors.sentence()
    assert "at 16 pairs of rows" in text
    assert "K° was within 1e-13" in text
    assert "2 q_v ∂K°/∂q_v within 1e-10" in text
    assert "σ'(Y) within 1e-12" in text
    assert errors.sentence() != replace(errors, value=1e-13).sentence()
