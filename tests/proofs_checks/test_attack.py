import mpmath
import pytest
from mpmath import mpf

from proofs_checks.attack import descend
from proofs_checks.ledger import Outcome, Settings

SIDES = {"x": (-1, 1), "y": (0, 2)}


def test_a_small_dip_is_found():
    """Below 0 by 1e-8 on a disc of radius 1e-4, which random points miss."""

    def margin(x, y):
        return (x - mpf("0.3")) ** 2 + (y - mpf("1.1")) ** 2 - mpf("1e-8")

    found = descend(margin, SIDES, Settings())
    assert found.outcome is Outcome.FAILS
    x, y = (float(part.partition(" = ")[2]) for part in found.counterexample.split(", "))
    assert margin(x, y) < 0


def test_a_margin_that_touches_zero_holds():
    found = descend(lambda x, y: (x - 1) ** 2 + y**2, SIDES, Settings(), [(0.9, 0.1)])
    assert found.outcome is Outcome.HOLDS
    assert found.figure.startswith("5 descents, ")
    assert found.figure.endswith(" values at 50 digits, least 0.0")


def test_rounding_is_no_counterexample_but_more_is():
    for size, outcome in (("1e-41", Outcome.HOLDS), ("1e-39", Outcome.FAILS)):
        found = descend(lambda x, y, size=size: -mpf(size) + 0 * (x + y), SIDES, Settings())
        assert found.outcome is outcome


def test_nan_fails():
    found = descend(lambda x, y: mpmath.nan * x * y, SIDES, Settings())
    assert found.outcome is Outcome.FAILS


def test_points_outside_the_assumptions_do_not_count():
    found = descend(lambda x, y: None if x < 0 else x + y, SIDES, Settings(), [(0.9, 0.9)])
    assert found.outcome is Outcome.HOLDS
    nowhere = descend(lambda **_: None, SIDES, Settings())
    assert nowhere.outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("digits", [20, 80])
def test_the_precision_is_that_of_the_settings(digits):
    seen = set()

    def margin(x, y):
        seen.add(mpmath.mp.dps)
        return x * x + y

    before = mpmath.mp.dps
    descend(margin, SIDES, Settings(digits=digits))
    assert seen == {digits}
    assert mpmath.mp.dps == before
