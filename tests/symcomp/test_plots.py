import statistics
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from symcomp.errors import ArgumentError
from symcomp.plots import FIGURES, plot, slope
from symcomp.sweep import grid, measure
from tests.comparison import compare


@pytest.fixture(scope="module")
def rows():
    runs = grid(d=(4, 6, 8), N=(10, 20, 40), M=(2, 3), starts=1)
    return [
        measure(r) for r in [*runs, *grid(d=(8,), N=(40,), M=(2, 3), beta=(0.4, 0.8), starts=1)]
    ]


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize("ending", ["svg", "pdf"])
def test_every_figure_is_a_vector_file(tmp_path, rows, kind, ending):
    path = tmp_path / f"figures/{kind}.{ending}"
    plot(kind, rows, path)
    first = path.read_bytes()
    if ending == "svg":
        assert ET.fromstring(first).tag.endswith("svg")
    else:
        assert first.startswith(b"%PDF")
    plot(kind, rows, path)
    assert path.read_bytes() == first  # the same rows give the same bytes


def test_what_cannot_be_drawn(tmp_path, rows):
    with pytest.raises(ArgumentError, match="kind: found 'pie'"):
        plot("pie", rows, tmp_path / "a.svg")
    with pytest.raises(ArgumentError, match=r"expected a \.pdf, \.svg or \.eps file"):
        plot("gram", rows, tmp_path / "a.png")
    with pytest.raises(ArgumentError, match="table: found no rows"):
        plot("gram", [], tmp_path / "a.svg")
    with pytest.raises(ArgumentError, match="expected at least 3"):
        plot("rates", rows[:1], tmp_path / "a.svg")
    other = [replace(rows[0], activation="abs"), rows[0]]
    with pytest.raises(ArgumentError, match="found the activations abs, relu"):
        plot("angles", other, tmp_path / "a.svg")
    assert not list(tmp_path.iterdir())


def test_a_slope_and_its_interval_by_hand():
    x = np.array([10.0, 20.0, 40.0, 80.0])
    exact = slope(x, 3 * x**-0.5)
    compare([("slope", exact.value, -0.5), ("low", exact.low, -0.5)], atol=1e-12)
    logs, noise = np.log(x), np.array([0.1, -0.1, -0.1, 0.1])
    found = slope(x, np.exp(2 - logs + noise))
    by_hand = statistics.linear_regression(logs, 2 - logs + noise)
    rest = 2 - logs + noise - by_hand.intercept - by_hand.slope * logs
    error = np.sqrt(rest @ rest / 2 / np.sum((logs - logs.mean()) ** 2))
    half = 4.302652729749464 * error  # Student's t, 2 degrees of freedom, 97.5 %
    compare(
        [
            ("slope", found.value, by_hand.slope),
            ("low", found.low, by_hand.slope - half),
            ("high", found.high, by_hand.slope + half),
        ],
        rtol=1e-9,
    )
    with pytest.raises(ArgumentError, match="not positive"):
        slope([1.0, 2.0, 3.0], [1.0, -2.0, 3.0])


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    x = np.repeat([10.0, 100.0, 1000.0], 3)
    fits = [slope(x, x**-0.5 * np.exp(0.3 * rng.standard_normal(9))) for _ in range(1000)]
    covered = sum(fit.low <= -0.5 <= fit.high for fit in fits)
    assert 925 <= covered <= 975  # 950 ± 3.6 standard deviations
