"""The worked examples run, and their figures are those of the networks they print."""

import numpy as np
import pytest
from click.testing import CliRunner

from symcomp.examples import digits
from tests.comparison import compare


@pytest.fixture(scope="module")
def task():
    return digits.task(0, hidden=12)


def test_the_network_is_the_one_that_was_trained(task):
    assert task.network.W.shape == (12, 64)
    assert task.network.a.shape == (12, 10)
    assert task.accuracy(task.network) > 0.8


def test_losses_by_sampling(task):
    """The exact relative loss against the mean over samples of the Gaussian."""
    small = digits.pruned(task, 4)
    mean, root = task.inputs.mean, task.inputs.root
    X = mean + np.random.default_rng(0).standard_normal((200_000, root.shape[1])) @ root.T
    square = np.sum((task.network(X) - small(X)) ** 2, axis=1)
    scale = np.mean(np.sum(task.network(X) ** 2, axis=1))
    error = 5 * square.std() / np.sqrt(len(X)) / scale
    compare([("loss", task.relative_loss(small), square.mean() / scale)], atol=2 * error)


@pytest.mark.slow
def test_the_table(task, tmp_path):
    lines = {x.method: x for x in digits.compare([task], [4], lambda _: None)}
    assert list(lines) == list(digits.METHODS)
    ours = lines["symcomp"].loss[0]
    refitted = ("magnitude pruning", "random subset", "k-means merging")
    assert ours < min(lines[name].loss[0] for name in refitted)
    path = tmp_path / "digits.md"
    args = ["-o", str(path), "--seeds", "1", "--hidden", "12", "--sizes", "2"]
    result = CliRunner().invoke(digits.main, args)
    assert result.exit_code == 0, result.output
    rows = [line for line in path.read_text().splitlines() if line.startswith("| 2 |")]
    assert len(rows) == len(digits.METHODS)
