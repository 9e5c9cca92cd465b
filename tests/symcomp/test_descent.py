from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from symcomp.descent import descend, projected
from tests.comparison import compare

A = np.diag([1.0, 1e-2, 1e-4])
AIM = np.array([1.0, -2.0, 3.0])


def bowl(x):
    """Least at AIM, where it is 1/2, with curvatures over four decades."""
    y = x - AIM
    return 0.5 + 0.5 * float(y @ A @ y), A @ y


def valley(x):
    """Rosenbrock's function over 100: value and gradient."""
    u, v = x[1] - x[0] ** 2, 1 - x[0]
    return float(u**2 + v**2 / 100), np.array([-4 * x[0] * u - v / 50, 2 * u])


@pytest.mark.parametrize("exact", [True, False])
def test_bottom_of_a_bowl(exact):
    product = (lambda _, v: A @ v) if exact else None
    found = descend(bowl, np.zeros(3), product=product)
    compare(zip("xyz", found.point, AIM, strict=True), atol=1e-4)
    assert found.gradient <= 1e-9
    compare([("gradient", found.gradient, np.linalg.norm(bowl(found.point)[1]))], rtol=1e-12)
    assert found.value == found.history[-1] == bowl(found.point)[0]
    assert (np.diff(found.history) <= 0).all()


def test_newton_steps_finish_what_the_first_phase_left():
    rough = descend(valley, np.array([-1.2, 1.0]), tol=1e-13, maxiter=25, polish=0)
    fine = descend(valley, np.array([-1.2, 1.0]), tol=1e-13)
    assert rough.gradient > 1e-9
    assert fine.gradient <= 1e-12
    compare(zip("xy", fine.point, (1, 1), strict=True), atol=1e-10)


def test_bounds_hold_and_are_seen_in_the_gradient():
    lower = np.array([-np.inf, 0.0, 0.0])
    found = descend(bowl, np.ones(3), lower=lower)
    compare(zip("xyz", found.point, (1, 0, 3), strict=True), atol=1e-4)
    assert found.point[1] == 0
    assert found.gradient <= 1e-9
    assert np.linalg.norm(bowl(found.point)[1]) > 1e-3
    slope = projected(np.zeros(3), np.array([1.0, 1.0, -1.0]), lower)
    assert slope.tolist() == [1.0, 0.0, -1.0]


def test_a_start_that_cannot_be_improved_is_returned():
    found = descend(bowl, AIM.copy())
    assert (found.point == AIM).all()
    assert (found.value, found.gradient) == (0.5, 0.0)


def test_every_value_is_recorded():
    seen = []
    found = descend(valley, np.array([-1.2, 1.0]), record=seen.append)
    compare(zip(range(len(seen)), seen, found.history[1:], strict=False), atol=1e-15)


def test_an_interrupt_passes_through():
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        descend(valley, np.array([-1.2, 1.0]), record=stop)
    compare([("x", descend(valley, np.array([-1.2, 1.0])).point[0], 1)], atol=1e-6)


def test_it_ends_at_the_first_point_calm_enough():
    curvatures = np.geomspace(1e-3, 1, 400)
    seen = []

    def wide(x):
        gradient = curvatures * x
        seen.append((x.copy(), float(np.linalg.norm(gradient))))
        return 0.5 * float(x @ gradient), gradient

    found = descend(wide, np.ones(400), tol=1e-3, polish=0)
    first = next(x for x, size in seen if size <= 1e-3)
    assert (found.point == first).all()
    assert 1e-4 < found.gradient <= 1e-3
    assert all((x == first).all() for x, size in seen if size <= 1e-3)


def test_scipys_threads_rest_while_it_descends():
    """Where SciPy has a BLAS of its own; NumPy's keeps its threads, and both have them after."""
    loaded = ThreadpoolController().select(user_api="blas")
    places = [Path(each["filepath"]).parent.name for each in loaded.info()]
    if "scipy.libs" not in places:
        pytest.skip("SciPy shares its BLAS")
    counts = []

    def seen(x):
        counts.append([each["num_threads"] for each in loaded.info()])
        return bowl(x)

    with threadpool_limits(2, user_api="blas"):
        threads = [each["num_threads"] for each in loaded.info()]
        descend(seen, np.zeros(3), polish=0)
        assert [each["num_threads"] for each in loaded.info()] == threads
    calm = [1 if place == "scipy.libs" else n for place, n in zip(places, threads, strict=True)]
    assert threads != calm
    assert counts.count(calm) == len(counts) - 3  # but for start, Newton's first and the result
