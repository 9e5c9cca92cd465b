"""What the benchmark of large targets runs, on small ones."""

from symcomp.runs import Run
from tests.benchmarks.scale import gradient_seconds, large


def test_figures_are_there():
    assert gradient_seconds(50, 5, 3, calls=2) > 0
    found = large(Run("relu", "gaussian", 5, 30, 2, 0.4, 0, 1))
    assert 0 < found["memory"] < 8
    assert found["minimum"] <= found["at_optimum"]
    assert found["seconds"] >= found["minimise"] > 0
