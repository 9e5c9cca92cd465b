import dataclasses

import numpy as np
import pytest

from proofs_checks import minimisers
from proofs_checks.ledger import Outcome, Settings
from tests.comparison import compare

QUICK = Settings(digits=30, examples=60, seed=1)
E8 = minimisers.E8


def test_minimisers_on_data_and_their_mutants():
    finding = E8.evidence[0].check(E8.subject(), QUICK)
    assert finding.outcome is Outcome.HOLDS, finding
    assert "seeds 1 to 3" in finding.figure
    assert "95% interval" in finding.figure
    assert (finding.tried, finding.met, finding.decided) == (6, 6, 6)
    for mutant in E8.mutants:
        fallen = E8.evidence[0].check(mutant.change(E8.subject()), QUICK)
        assert fallen.outcome is Outcome.FAILS, mutant.name
        assert "gaussian, seed 1: cosine off by" in fallen.counterexample


def test_an_experiment_repeats_and_is_frozen():
    run = minimisers.experiment("uniform", N=40, d=6, M=3, starts=2, seed=4)
    again = minimisers.experiment.__wrapped__("uniform", N=40, d=6, M=3, starts=2, seed=4)
    assert (run.minimum.Theta == again.minimum.Theta).all()
    assert len(run.minimum.values) == 2
    off = run.minimum.gram[~np.eye(3, dtype=bool)]
    compare([("error", run.angle_error(-0.5), np.abs(off + 0.5).max())])
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.N = 1


def test_interval_by_hand():
    # mean 2, standard error 1/√3, Student's quantile for 2 degrees of freedom 4.302653
    half = 4.302652729911275 / np.sqrt(3)
    low, high = minimisers._interval([1.0, 2.0, 3.0])
    compare([("low", low, 2 - half), ("high", high, 2 + half)], rtol=1e-9)
