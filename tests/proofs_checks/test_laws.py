"""Gauss rules and enumerations of laws against exact moments, constants and direct sums."""

from itertools import product

import mpmath
import numpy as np
import pytest
import sympy

import symcomp
from proofs_checks import laws
from symcomp.networks import LAWS as DRAWN
from symcomp.objectives import TAU, mean_field_constant
from tests.comparison import compare

RELU = laws.kernel_of(symcomp.dual_kernel("relu"))


def test_the_laws_are_those_that_are_drawn():
    assert set(laws.LAWS) == set(DRAWN)
    rng = np.random.default_rng(0)
    for name, law in laws.LAWS.items():
        sample = DRAWN[name](rng, (200_000,))
        for n in (1, 2, 3, 4):
            error = (sample**n).std() / len(sample) ** 0.5
            assert abs((sample**n).mean() - float(law.moment(n))) <= 5 * error + 1e-12, (name, n)


@pytest.mark.parametrize("name", list(laws.LAWS))
def test_entry_rules_have_the_moments(name):
    nodes, weights = laws.entry_rule(name)
    rows = [(n, weights @ nodes**n, float(laws.LAWS[name].moment(n))) for n in range(12)]
    compare(rows, rtol=1e-10, atol=1e-9, min_points=12)
    assert len(nodes) == {"rademacher": 2}.get(name, 8)


@pytest.mark.parametrize("name", list(laws.LAWS))
def test_square_rules_have_mean_and_variance(name):
    nodes, weights = laws.square_rule(name, 50)
    variance = 50 * (float(laws.LAWS[name].moment(4)) - 1)
    mean = weights @ nodes
    compare([("sum", weights.sum(), 1), ("mean", mean, 50)], rtol=1e-12, min_points=2)
    compare([("variance", weights @ (nodes - mean) ** 2, variance)], rtol=1e-9, atol=1e-9)


def test_gauss_of_few_points_is_exact():
    with mpmath.workdps(80):
        moments = [mpmath.mpf(1 + 2**n) / 2 for n in range(8)]  # 1 and 2, equally likely
        nodes, weights = laws.gauss(moments)
    compare([(1, nodes[0], 1), (2, nodes[1], 2), (3, weights[0], 0.5)], rtol=1e-14, min_points=3)


def test_the_gaussian_mean_is_the_exact_constant():
    expr = mean_field_constant(symcomp.dual_kernel("relu"))
    for d, rtol in ((32, 1e-7), (64, 1e-9), (256, 1e-13)):
        wanted = float(expr.subs({TAU: 1, symcomp.objectives.D: d}))
        compare([(d, laws.plane_rule("gaussian", d, 0, 0.3).mean(RELU), wanted)], rtol=rtol)


def test_two_valued_rules_are_the_sum_over_all_signs():
    law = laws.TwoValued(sympy.Rational(1, 4))
    high, low = map(float, law.values)
    beta, t, d = 0.6, 0.8, 6
    s = ((1 - beta**2) / d) ** 0.5
    u = (t + 0.6 * np.repeat([1, -1], 3)) / d**0.5
    total = 0.0
    for choice in product((True, False), repeat=d):
        w = beta / d**0.5 + s * np.where(choice, high, low)
        total += 0.25 ** sum(choice) * 0.75 ** (d - sum(choice)) * RELU(w @ w, w @ u)
    compare([("mean", laws.two_valued_rule(law, d, beta, t).mean(RELU), total)], rtol=1e-13)
    moments = law.law()
    assert [sympy.simplify(moments.moment(n)) for n in (0, 1, 2)] == [1, 0, 1]
    assert moments.third > 0


def test_a_rademacher_row_in_the_plane_is_its_two_entries():
    """d - 2 entries have a fixed square; four sign pairs are left."""
    d, beta, t = 40, 0.5, 0.6
    s = ((1 - beta**2) / d) ** 0.5
    signs = list(product((1, -1), repeat=2))
    along = np.array([beta * t + s * a for a, _ in signs])
    across = np.array([beta * 0.8 + s * b for _, b in signs])
    wanted = RELU(along**2 + across**2 + s**2 * (d - 2), along).mean()
    compare([("mean", laws.plane_rule("rademacher", d, beta, t).mean(RELU), wanted)], rtol=1e-13)
