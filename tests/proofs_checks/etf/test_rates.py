from types import SimpleNamespace

import numpy as np
import pytest

from proofs_checks.etf import rates
from proofs_checks.ledger import Outcome, Settings
from symcomp.networks import draw_weights
from tests.comparison import compare


def test_least_of_the_mean_target_by_simulation():
    """E K(w, u) and E K(w, w') at d = 3 from many rows; min F_d follows from them and E_M."""
    W = draw_weights(4000, 3, seed=1)
    module = rates._module()
    u = module.kernel(W, np.eye(3)[:1]).ravel()
    mean = rates._mean_kernel(3) / (2 * np.pi)
    assert abs(u.mean() - mean) < 5 * u.std() / np.sqrt(4000)
    pairs = np.array(
        [module.kernel(W[2 * i : 2 * i + 1], W[2 * i + 1 : 2 * i + 2])[0, 0] for i in range(2000)]
    )
    assert abs(pairs.mean() - 1 / (2 * np.pi)) < 5 * pairs.std() / np.sqrt(2000)
    assert rates.least_of_mean(3) < float(rates._best().value)
    compare([("limit", rates.least_of_mean(200), rates._best().value)], rtol=0.02)


@pytest.fixture
def no_runs(monkeypatch):
    """Sizes without the minimisation."""
    monkeypatch.setattr(rates, "run", lambda N, d, seed: SimpleNamespace(N=N, d=d, seed=seed))


@pytest.mark.usefixtures("no_runs")
def test_fitted_slope_of_exact_powers():
    made = rates.Rate("made", lambda r: 3.0 * r.N**-0.5, "N", -0.5)
    slope, low, high = rates.fitted(made, range(2))
    compare([("slope", slope, -0.5), ("low", low, -0.5), ("high", high, -0.5)], atol=1e-6)
    found = rates._slopes((made,), Settings())
    assert found.decided == 1
    wrong = rates._slopes((rates.replace(made, slope=-1.0),), Settings())
    assert wrong.outcome is Outcome.FAILS
    assert "-1.0 claimed" in wrong.counterexample
    both = rates.Rate("both", lambda r: r.d**-1.0 + 0 * r.N, "d", -1.0)
    compare([("in d", rates.fitted(both, range(2))[0], -1)], atol=1e-12)


@pytest.mark.usefixtures("no_runs")
def test_a_vague_slope_is_not_a_pass():
    noise = np.random.default_rng(0)
    made = rates.Rate("noise", lambda _: float(np.exp(3 * noise.standard_normal())), "N", 0.0)
    assert rates._slopes((made,), Settings()).outcome is Outcome.FAILS


@pytest.mark.slow
def test_rates_of_other_draws():
    finding = rates._slopes(rates.rates(), Settings(seed=10))
    assert finding.outcome is Outcome.HOLDS, finding.counterexample
