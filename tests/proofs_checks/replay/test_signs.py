"""The checker of certificate B4: nothing near an accepted row is accepted."""

import itertools
import json

import flint
import mpmath
import numpy as np
import pytest
from flint import arb, fmpq

from proofs_checks import search_signs
from proofs_checks.replay import checker
from proofs_checks.replay import signs as replay_signs
from proofs_checks.storage import certificate_folder
from tests.comparison import compare

CHARTS = json.loads((certificate_folder() / "B4.json").read_text(encoding="utf-8"))["charts"]
BITS = 64


def row(chart, index=-1):
    """The sides and the witnesses of one box."""
    _, low, high, *rest = CHARTS[chart]["boxes"][index]
    numbers = [fmpq(*map(int, n.split("/"))) for n in (low, high, *rest)]
    return ((numbers[0], numbers[1]),), numbers[2:]


def accepted(chart, box, witnesses):
    kind = chart.split()[0]
    with flint.ctx.workprec(BITS):
        return replay_signs.B4.charts[chart].alternatives[kind](box, tuple(witnesses))


@pytest.mark.parametrize("chart", ["cells 2", "cells 3", "cells 10", "cells 64"])
def test_changed_witnesses_are_refused(chart):
    box, found = row(chart)
    y, low, high, *cuts = found
    assert accepted(chart, box, found)
    middle = (low + high) / 2
    near = fmpq(1, 10**9)
    changed = {
        "σ_- inside": [y, middle - near, high, *cuts],
        "σ_+ inside": [y, low, middle + near, *cuts],
        "σ_- below β²": [y, fmpq(-1), high, *cuts],
        "a poor height": [y / 2, low, high, *cuts],
        "cells end early": [y, low, high, *cuts[: len(cuts) // 2 + 1]],
        "cells begin late": [y, low, high, *cuts[len(cuts) // 2 :]],
        "cells out of order": [y, low, high, cuts[0], cuts[-1], cuts[1], cuts[-1]],
        "one wide cell to s = 1": [y, low, high, cuts[0] / 2, 1 / box[0][1]],
        "no cells": [y, low, high],
    }
    for name, witnesses in changed.items():
        assert not accepted(chart, box, witnesses), name


@pytest.mark.parametrize("chart", ["fewer 3", "fewer 64"])
def test_a_poor_height_does_not_beat_fewer_neurons(chart):
    box, (y,) = row(chart)
    assert accepted(chart, box, [y])
    assert not accepted(chart, box, [y * fmpq(1, 2)])


def test_boxes_swapped_or_moved_are_refused():
    first, witnesses = row("cells 5", 0)
    last, others = row("cells 5")
    assert not accepted("cells 5", last, witnesses)
    assert not accepted("cells 5", first, others)
    other_count, _ = row("cells 9")
    assert not accepted("cells 9", other_count, others)


def test_a_row_of_another_number_of_neurons_makes_the_certificate_invalid():
    broken = json.loads((certificate_folder() / "B4.json").read_text(encoding="utf-8"))
    rows = broken["charts"]["cells 2"]["boxes"]
    rows[0][3:], rows[-1][3:] = rows[-1][3:], rows[0][3:]
    found = checker.replay(json.dumps(broken), replay_signs.B4)
    assert "is not certain on" in found.problem


def test_reach_is_beyond_the_first_one_stated():
    stated = {2: 0.617, 3: 0.579, 4: 0.545, 5: 0.516, 6: 0.492, 7: 0.470, 8: 0.452, 9: 0.436}
    stated |= {10: 0.421, 16: 0.355, 32: 0.257, 48: 0.193}
    assert all(float(replay_signs.reach(m)) > beta for m, beta in stated.items())
    assert len(stated) == 12


def test_mean_value_forms_stay_below_the_function():
    """At points of a cell, with the function at high precision."""
    field = replay_signs.Roots(mpmath.pi, mpmath.sqrt, mpmath.asin, lambda p, q: mpmath.mpf(p) / q)
    points = 0
    for m, b, x in ((2, (0.6, 0.61), (1.0, 1.02)), (5, (0.5, 0.51), (1.1, 1.12))):
        form = replay_signs.Scaled(m)
        box = tuple((fmpq(round(1000 * p), 1000), fmpq(round(1000 * q), 1000)) for p, q in (b, x))
        with flint.ctx.workprec(BITS):
            low = replay_signs.lower(form.room, box)
            spare = replay_signs.lower(lambda b, x, f, form=form: form.gain(b, x, 1, f), box)
        for at in itertools.product(np.linspace(*b, 5), np.linspace(*x, 5)):
            value = form.room(*map(mpmath.mpf, at), field)
            assert 0 <= value - float(low.mid()) < 0.1
            assert form.gain(*map(mpmath.mpf, at), 1, field) >= float(spare.mid()) - 1e-12
            points += 1
    assert points == 50


def test_taylor_forms_decide_only_what_is_true():
    side = (fmpq(-1), fmpq(1))
    with flint.ctx.workprec(BITS):
        assert replay_signs.taylor_positive(lambda x, _: 2 + x * x, side)
        assert not replay_signs.taylor_positive(lambda x, _: x * x - fmpq(1, 100), side)
        assert not replay_signs.taylor_positive(lambda x, _: 1 / (x * x), side)


def test_bounds_of_curvature_and_quotient_are_above_and_close():
    field = replay_signs.Roots(mpmath.pi, mpmath.sqrt, mpmath.asin, lambda p, q: mpmath.mpf(p) / q)
    rows = []
    for beta, s in ((0.2, 0.3), (0.6, 0.8), (0.6, 0.99)):
        exact = mpmath.quad(
            lambda n, b=beta, s=s: (1 - n) / mpmath.sqrt(1 - (b * (s + n * (1 - s))) ** 2), [0, 1]
        ) / (2 * mpmath.pi)
        got = replay_signs.curvature(mpmath.mpf(beta), mpmath.mpf(s), field)
        assert got >= exact - mpmath.mpf(10) ** -14
        rows.append((f"curvature {beta} {s}", float(got), float(exact)))
    for t in (-0.5, 0.1, 0.7):
        got = replay_signs.quotient(mpmath.mpf(t), field)
        exact = mpmath.mpf(t) / mpmath.asin(t)
        assert got >= exact - mpmath.mpf(10) ** -14
        rows.append((f"quotient {t}", float(got), float(exact)))
    compare(rows, rtol=2e-3, min_points=6)


def test_the_search_gives_up_where_no_cells_do():
    search = search_signs.Search(5)
    beyond = ((fmpq(9, 10), fmpq(901, 1000)),)
    with flint.ctx.workprec(BITS):
        assert search.cells(beyond) is None
        assert search.cells(((fmpq(0), fmpq(1, 2)),)) is None
        assert search.fewer(((fmpq(0), fmpq(1, 2)),)) is None


def test_balls_without_a_number_certify_nothing():
    with flint.ctx.workprec(BITS):
        assert not replay_signs.lower(lambda x, _: 1 / x, ((fmpq(-1), fmpq(2)),)).is_finite()
        wide = ((fmpq(0), fmpq(9, 10)), (fmpq(0), fmpq(1)))
        assert not replay_signs.certain(replay_signs.Scaled(3), *wide, fmpq(1))
        assert arb.nan().is_nan()
