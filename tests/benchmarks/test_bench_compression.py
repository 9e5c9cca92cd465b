"""The race runs: every contender ends, and the minimiser here is not beaten in a small case.

The whole of it: python -m tests.benchmarks.compression_race -o reports/compression-benchmarks.md
"""

import numpy as np
import pytest

from tests.benchmarks import compression_race as race_track


@pytest.mark.slow
def test_a_small_race(monkeypatch):
    monkeypatch.setattr(race_track, "LIMIT", 1.0)
    case = race_track.Case(60, 4, 2, 0.0, "one", seed=1)
    results = {r.name: r for r in race_track.race(case, 1)}
    least = min(r.loss for r in results.values())
    ours = results["symcomp, this start"]
    assert ours.loss <= least * (1 + 1e-8)
    assert np.isfinite(ours.to_best)
    assert results["greedy matching pursuit"].loss > least
    lines = list(race_track.table(case, list(results.values())))
    assert len(lines) == 4 + len(results)


def test_textbook_loss_is_the_loss():
    given = race_track.setting(race_track.Case(30, 3, 2, 0.3, "free"))
    value = race_track.textbook(given, given.Theta, given.b)
    assert abs(value - given.judge((given.Theta, given.b))) < 1e-13
