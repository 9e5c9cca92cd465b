"""The benchmark's contenders compute one and the same thing."""

import numpy as np
import pytest

from tests.benchmarks.__main__ import between
from tests.benchmarks.contenders import CONTENDERS, data, disagreement
from tests.comparison import compare


@pytest.mark.parametrize("name", ["symcomp", "SymPy lambdify, cse"])
def test_value_and_gradient_agree_with_those_by_hand(name):
    W, Theta = data(300, 8, 5)
    wanted = CONTENDERS["NumPy by hand"][0](W)(Theta)
    error = disagreement(name, CONTENDERS[name][0](W)(Theta), wanted, Theta)
    compare([(name, error, 0)], atol=1e-12)


def test_a_wrong_gradient_disagrees():
    W, Theta = data(300, 8, 5)
    value, by_theta = CONTENDERS["NumPy by hand"][0](W)(Theta)
    wrong = value, by_theta + 1e-6 * np.abs(by_theta).max()
    assert disagreement("NumPy by hand", wrong, (value, by_theta), Theta) > 1e-7


def test_the_bounds_tell_a_faster_contender_from_an_equal_one():
    calls = np.random.default_rng(0).normal(30.0, 1.0, size=(2, 40))
    low, high = between(list(calls[0]), list(calls[1]))
    assert low < 1.0 < high
    low, high = between(list(0.9 * calls[0]), list(calls[1]))
    assert 0.85 < low < 0.9 < high < 0.95
