"""Orders, limits and slopes of sequences whose answer is known."""

import mpmath
import numpy as np
import pytest

from proofs_checks.ledger import Outcome
from proofs_checks.slopes import Remainder, extrapolated, fitted, orders
from tests.comparison import compare

SIZES = (100, 200)


def remainder(power: float, order: float) -> Remainder:
    return Remainder("r", SIZES, [3 * n**power for n in SIZES], order)


@pytest.mark.parametrize(
    ("power", "order", "holds"), [(-2, 2, True), (-2, 1, False), (-1, 2, False)]
)
def test_an_order_is_accepted_or_rejected(power, order, holds):
    finding = orders([remainder(power, order)])
    assert finding.outcome is (Outcome.HOLDS if holds else Outcome.FAILS)
    assert bool(finding.counterexample) is not holds


def test_vanishing_remainders_decide_nothing_alone():
    zero = Remainder("z", SIZES, [0.0, 1e-15], 2)
    assert orders([zero]).outcome is Outcome.UNDECIDED
    assert "1 more vanish" in orders([zero, remainder(-2, 2)]).figure


def test_a_zero_or_nan_is_a_failure():
    for value in (0.0, float("nan")):
        broken = Remainder("b", SIZES, [1.0, value], 2)
        assert orders([broken]).outcome is Outcome.FAILS


def test_richardson_on_a_polynomial_in_1_over_d():
    with mpmath.workdps(30):
        values = [7 + mpmath.mpf(2) / d - mpmath.mpf(5) / d**2 for d in (8, 16, 32)]
        compare([("limit", extrapolated(values), 7)], rtol=1e-25)


def test_a_slope_and_its_interval():
    sizes = (10, 100, 1000)
    means = np.array([n**-0.5 for n in sizes])
    slope = fitted(sizes, means, 0.01 * means)
    compare([("slope", slope.value, -0.5)], atol=1e-12)
    # equal weights: the error of the slope is 0.01/√Σx², x = ±log 10
    half = 3.890591886413094 * 0.01 / (2**0.5 * np.log(10))
    compare([("half", slope.half, half)], rtol=1e-9)
    assert slope.contains(-0.5)
    assert not slope.contains(-0.52)
    assert str(slope).startswith("-0.500 ± ")


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    sizes = (10, 40, 160)
    truth = np.array([n**-0.5 for n in sizes])
    inside = sum(
        fitted(sizes, truth * (1 + 0.02 * rng.standard_normal(3)), 0.02 * truth, 0.9).contains(-0.5)
        for _ in range(2000)
    )
    assert 0.87 < inside / 2000 < 0.93
