"""What biases, second derivatives, error bounds and targets by moments are to each other."""

from functools import partial

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import symcomp
from symcomp.balls import exact
from symcomp.codegen import Generated
from tests.comparison import compare
from tests.generated import generated, module


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def refused(message: str, call, *arguments, **more) -> None:
    with pytest.raises(ValueError, match=message):
        call(*arguments, **more)


# ---- what is refused -----------------------------------------------------------------------------


def test_a_target_by_moments_has_no_biases():
    refused("s is given and expand is True", module().Target, draw(4, 3), s=draw(4), expand=True)


def test_second_derivatives_have_no_biases():
    mod, W, Theta = module(), draw(4, 3), draw(2, 3)
    target = mod.Target(W, s=draw(4))
    message = "W is a Target with biases; expected one without for this function"
    refused(message, mod.hessian_vector_product, target, Theta, Theta)


@pytest.mark.parametrize("which", ["target", "s", "t"])
def test_bounds_have_no_biases(which):
    mod, W, Theta = module(), draw(4, 3), draw(2, 3)
    given = {
        "target": ((mod.Target(W, s=draw(4)), Theta), {}),
        "s": ((W, Theta), {"s": draw(4)}),
        "t": ((mod.Target(W), Theta), {"t": draw(2)}),
    }
    arguments, more = given[which]
    message = "return_error is given with biases; expected networks without"
    refused(message, mod.loss, *arguments, return_error=True, **more)


def test_tables_refuse_what_needs_a_closed_form():
    mod, W = module("tanh"), draw(3, 2)
    refused("biases s, t are given; expected none", mod.Target, W, s=draw(3))
    refused("expand is True; expected False", mod.Target, W, expand=True)


# ---- the bound with a target by moments ----------------------------------------------------------


def worst_excess(mod) -> tuple[float, int]:
    """How far the enclosed loss lies beyond the bound, in units of it; over several targets."""
    worst = -np.inf
    cases = [
        (draw(6, 3), None),
        (draw(6, 3), draw(6, seed=1)),
        (np.repeat(draw(2, 3), 3, axis=0), None),
        (np.tile(np.eye(3), (2, 1)), None),
    ]
    for W, a in cases:
        Theta, b = draw(2, 3, seed=2), draw(2, seed=3)
        value, bound = mod.loss(mod.Target(W, a, expand=True), Theta, b=b, return_error=True)
        nets = [symcomp.TwoLayerNetwork(*pair) for pair in ((W, a), (Theta, b))]
        error = abs(float(symcomp.loss_enclosure(*nets, digits=20) - exact(value)))
        worst = max(worst, error / bound - 1.0)
    return worst, len(cases)


def test_the_bound_includes_the_error_of_a_target_by_moments():
    worst, count = worst_excess(module())
    compare([("excess", max(worst, 0.0), 0.0)], atol=0.0)
    assert count == 4
    mod = module()
    target = mod.Target(draw(6, 3), expand=True)
    _, bound = mod.loss(target, draw(2, 3), return_error=True)
    assert 1e-6 < target.energy_error < bound < target.energy_error * (1 + 1e-6)


def test_a_bound_that_forgets_that_error_is_noticed():
    source, old = generated("relu").source, "(known or _sum_error(target, target, slack))"
    assert old in source
    changed = source.replace(old, "_sum_error(target, target, slack)")
    assert worst_excess(Generated(generated("relu").activation, changed).load())[0] > 1.0


def test_a_target_by_moments_has_the_same_second_derivatives():
    mod, W, a = module(), draw(6, 3), draw(6, seed=1)
    Theta, move = draw(2, 3, seed=2), draw(2, 3, seed=3)
    wanted = mod.hessian_vector_product(mod.Target(W, a), Theta, move)
    got = mod.hessian_vector_product(mod.Target(W, a, expand=True), Theta, move)
    for x, y in zip(got, wanted, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-14)


# ---- second derivatives of piecewise linear activations with several knots -----------------------

# name -> (σ for mpmath, knots); levels, slopes and jumps of the slope of both signs
SPLINES = {
    "hard_tanh": (lambda x: max(min(x, mpf(1)), mpf(-1)), (-1, 1)),
    "hard_sigmoid": (lambda x: max(min(x / 6 + mpf(1) / 2, mpf(1)), mpf(0)), (-3, 3)),
    "Abs(x-1)+Max(0,x)": (lambda x: abs(x - 1) + max(x, mpf(0)), (0, 1)),
}
POINTS = [(1.3, 0.7, 0.5), (0.6, 2.25, -1.0)]


def slope(name: str, x: mpf) -> mpf:
    h = mpf(10) ** -20
    sigma = SPLINES[name][0]
    return (sigma(x + h) - sigma(x - h)) / (2 * h)


def jump(name: str, knot: int) -> mpf:
    """σ'' = Σ jump δ(x - knot)."""
    return slope(name, knot + mpf(1) / 8) - slope(name, knot - mpf(1) / 8)


def mean_of_curves(name: str, qu: mpf, qv: mpf, c: mpf) -> mpf:
    """E σ''(X) σ''(Y): densities at pairs of knots."""
    ru, spread = mpmath.sqrt(qu), mpmath.sqrt(qv - c * c / qu)
    return mpmath.fsum(
        jump(name, k) * jump(name, m) * mpmath.npdf(k, 0, ru) * mpmath.npdf(m, c * k / qu, spread)
        for k in SPLINES[name][1]
        for m in SPLINES[name][1]
    )


def mean_at_knots(left, name: str, qu: mpf, qv: mpf, c: mpf, weight) -> mpf:
    """E left(X) weight(Y) σ''(Y): means given that Y is at a knot."""
    total, spread = mpf(0), mpmath.sqrt(qu - c * c / qv)
    knots = SPLINES[name][1]
    for m in knots:
        centre = c * m / qv
        ends = centre - 14 * spread, centre, centre + 14 * spread
        cuts = sorted({*ends, *(mpf(k) for k in knots if ends[0] < k < ends[2])})
        inner = mpmath.quad(lambda x, a=centre: left(x) * mpmath.npdf(x, a, spread), cuts)
        total += jump(name, m) * mpmath.npdf(m, 0, mpmath.sqrt(qv)) * weight(mpf(m)) * inner
    return total


@pytest.mark.parametrize("name", SPLINES)
def test_curves_of_splines_against_integrals(name):
    """A = E σ'' σ'', B = E σ'(X) Y σ''(Y)/q_v, G = E σ(X) (Y²/q_v - 1) σ''(Y)/q_v; ∂/∂q_v."""
    rows = []
    for point in POINTS:
        got = module(name)._kernel_and_curves(*(np.array([x]) for x in point))
        _, _, by_qu, by_qv, A, B, turned, G = (float(x[0]) for x in got)
        with mpmath.workdps(45):
            qu, qv, c = map(mpf, point)
            sigma, turn = SPLINES[name][0], partial(slope, name)
            wanted = {
                "A": (A, mean_of_curves(name, qu, qv, c)),
                "B": (B, mean_at_knots(turn, name, qu, qv, c, lambda y, q=qv: y / q)),
                "B'": (turned, mean_at_knots(turn, name, qv, qu, c, lambda y, q=qu: y / q)),
                "G": (
                    G,
                    mean_at_knots(sigma, name, qu, qv, c, lambda y, q=qv: y * y / q**2 - 1 / q),
                ),
                "q_v": (by_qv, mean_at_knots(sigma, name, qu, qv, c, lambda _: mpf(1) / 2)),
                "q_u": (by_qu, mean_at_knots(sigma, name, qv, qu, c, lambda _: mpf(1) / 2)),
            }
        rows += [((label, point), *pair) for label, pair in wanted.items()]
    compare(rows, rtol=1e-12, atol=1e-13, min_points=12)


def test_a_wrong_curve_of_a_spline_has_no_second_order():
    W, Theta, move = draw(3, 2), draw(2, 2, seed=1), draw(2, 2, seed=2)
    name = "Abs(x-1)+Max(0,x)"

    def orders(mod) -> np.ndarray:
        start = mod.loss_and_grad(W, Theta)[1]
        along = mod.hessian_vector_product(W, Theta, move)[0]
        steps = 2.0 ** -np.arange(7, 12)
        moved = [mod.loss_and_grad(W, Theta + h * move)[1] - start - h * along for h in steps]
        return -np.diff(np.log2([np.linalg.norm(x) for x in moved]))

    assert orders(module(name)) == pytest.approx([2] * 4, abs=0.2)
    source = generated(name).source
    for old in (
        "A += at_v",
        "B += at_v",
        "G += at_v * (k * k - 1.0) * p.ru",
        "G += at_v * (k * k - 1.0) * (LEVEL",
    ):
        assert source.count(old) == 1
        wrong = source.replace(old, old.replace("+= ", "+= 1.01 * "))
        mod = Generated(generated(name).activation, wrong).load()
        assert abs(orders(mod)[-1] - 2) > 0.5


@pytest.mark.parametrize("name", SPLINES)
def test_between_parallel_rows_of_splines_stands_the_limit(name):
    W = draw(2, 3)
    Theta = np.vstack([W, 2 * W[:1], -W[:1]])
    dTheta, db, turn = draw(4, 3, seed=1), draw(4, seed=2), draw(4, 3, seed=3)

    def at(step: float) -> np.ndarray:
        pair = module(name).hessian_vector_product(W, Theta + step * turn, dTheta, db)
        return np.concatenate([x.ravel() for x in pair])

    assert np.abs(at(1e-5) - at(0.0)).max() < 1e-3
    assert np.abs(at(1e-3) - at(0.0)).max() < 1e-1


def test_zero_rows_of_splines_are_constant_nodes():
    """E σ(0) σ(|θ| Z) for hard_sigmoid: the second derivative of the mean, by differences."""
    name, theta, move = "hard_sigmoid", np.array([[0.75, -1.5]]), np.array([[0.5, 2.0]])
    mod = module(name)
    sigma, knots = SPLINES[name]
    got = mod.hessian_vector_product(np.zeros((1, 2)), theta, move, b=[1.0])[0]
    own = mod.hessian_vector_product(np.zeros((1, 2)), theta, move, None, [0.0], [1.0])[0]

    def mean_at(x: mpf, y: mpf) -> mpf:
        r = mpmath.sqrt(x * x + y * y)
        cuts = sorted({mpf(-14), mpf(14), *(k / r for k in knots)})
        return mpmath.quad(lambda z: sigma(r * z) * mpmath.npdf(z), cuts)

    with mpmath.workdps(40):
        h = mpf(10) ** -12
        x, y = map(mpf, theta[0])
        wanted = []
        for e in ((h, 0), (0, h)):
            ends = [
                s
                * t
                * mean_at(x + s * h * move[0, 0] + t * e[0], y + s * h * move[0, 1] + t * e[1])
                for s in (1, -1)
                for t in (1, -1)
            ]
            wanted.append(-2 * sigma(mpf(0)) * mpmath.fsum(ends) / (4 * h * h))
    rows = zip(("x", "y"), (got - own)[0], wanted, strict=True)
    compare(rows, atol=1e-13, min_points=2)
