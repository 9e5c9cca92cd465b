"""S7: the optimisers and constants behind the rates, against brute force."""

import numpy as np
import pytest

import symcomp
from proofs_checks import rates
from proofs_checks.ledger import Kind, Outcome, Settings
from proofs_checks.rates import S7
from symcomp.networks import draw_weights
from tests.comparison import compare

RELU = symcomp.generate("relu").load()


@pytest.mark.slow
def test_another_seed_finds_the_same_rates():
    for evidence in S7.evidence:
        if evidence.kind is Kind.STATISTICS:
            finding = evidence.check(S7.subject(), Settings(seed=1))
            assert finding.outcome is Outcome.HOLDS, finding


def test_the_mean_of_one_direction_and_its_gradient():
    w = draw_weights(12, 4, beta=0.3, seed=1).reshape(2, 6, 4)
    u = np.array([[0.5, 0.5, -0.5, 0.5], [0.0, 0.6, 0.8, 0.0]])
    values, slope = rates._direction_mean(w, u)
    rows = [(k, values[k], RELU.kernel(w[k], u[k : k + 1]).mean()) for k in range(2)]
    for k in range(2):
        for axis in range(4):
            step = 1e-6 * np.eye(4)[axis]
            ends = [RELU.kernel(w[k], (u[k] + sign * step)[None]).mean() for sign in (1, -1)]
            rows.append((f"slope {k} {axis}", slope[k, axis], (ends[0] - ends[1]) / 2e-6))
    compare(rows, rtol=1e-8, atol=1e-9, min_points=10)


@pytest.mark.parametrize(("count", "beta"), [(50, 0.0), (2000, 0.0), (200, 0.5)])
def test_the_largest_mean_is_that_of_a_grid(count, beta):
    w = draw_weights(6 * count, 2, beta=beta, seed=3).reshape(6, count, 2)
    best = rates._largest_mean(w)
    angle = np.linspace(0, 2 * np.pi, 4000)
    grid = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = [RELU.kernel(rows, grid).mean(axis=0).max() for rows in w]
    compare([(k, best[k], found[k]) for k in range(6)], rtol=3e-6, min_points=6)


def test_the_largest_mean_is_not_beaten_from_other_starts():
    """d = 5: 20 targets of 200 rows, against L-BFGS from four starts."""
    w = draw_weights(200 * 20, 5, seed=8).reshape(20, 200, 5)
    best = rates._largest_mean(w)
    for rows, value in zip(w, best, strict=True):
        found = symcomp.compression.minimise(rows, 1, starts=4, seed=1, module=RELU)
        least = RELU.kernel(rows, rows).mean() - 2 * value**2
        compare([("least loss", least, found.value)], atol=1e-6)


def test_the_gain_of_the_minimum_is_that_of_the_generated_loss():
    """L_N(θ*) - min L_N for one neuron, by the module's loss at the two networks."""
    w = draw_weights(30, rates._DEPTH, seed=4)
    c = rates._constant(rates._DEPTH)
    star = 2 * c * np.eye(1, rates._DEPTH)
    largest = rates._largest_mean(w[None])[0]
    own = RELU.kernel(w, w).mean()
    gain = 2 * largest**2 - 4 * c * RELU.kernel(w, star / (2 * c)).mean() + 2 * c**2
    compare([("gain", gain, RELU.loss(w, star) - (own - 2 * largest**2))], rtol=1e-9)
    assert gain > 0


def test_the_finite_objective_is_the_mean_loss():
    """F_d at μ = 0: E L_N - V/N over drawn targets, N = 5, d = 3, and its gradient."""
    Theta = rates._NETWORK
    value, slope = rates._finite_objective(Theta, 3)
    rows = draw_weights(5 * 6000, 3, seed=5).reshape(-1, 5, 3)
    losses = np.array([RELU.loss(w, Theta) for w in rows])
    excess = (0.5 - 1 / (2 * np.pi)) / 5
    error = losses.std() / len(losses) ** 0.5
    assert abs(losses.mean() - value - excess) < 4 * error
    step = np.zeros_like(Theta)
    step[1, 2] = 1e-6
    ends = [rates._finite_objective(Theta + sign * step, 3)[0] for sign in (1, -1)]
    compare([("slope", slope[1, 2], (ends[0] - ends[1]) / 2e-6)], rtol=1e-6)


def test_the_worst_two_neurons_are_not_beaten_at_random():
    rng = np.random.default_rng(0)
    d, worst = 4, rates._worst_two(4)
    most = 0.0
    for _ in range(3000):
        Theta = rng.standard_normal((2, d)) * rng.choice([0.3, 1.0, 3.0])
        Theta[1] = -Theta[0] if rng.random() < 0.5 else Theta[1]
        near, _ = rates._finite_objective(Theta, d)
        far = RELU.simplified(1.0, np.zeros(d), Theta)
        most = max(most, abs(far**0.5 - near**0.5))
    assert most <= worst
    assert most > 0.98 * worst


def test_the_mean_along_the_axis_by_simulation():
    rows = draw_weights(200_000, rates._DEPTH, beta=0.5, seed=6)
    values = RELU.kernel(rows, np.eye(1, rates._DEPTH))
    error = values.std() / len(values) ** 0.5
    assert abs(values.mean() - rates._mean_along(0.5)) < 4 * error
    compare([("β = 0", rates._mean_along(0.0), rates._constant(rates._DEPTH))], rtol=1e-8)
