"""Networks with biases, against the definition, against enclosures and against their own slopes."""

from types import ModuleType

import flint
import mpmath
import numpy as np
import pytest
from flint import fmpq
from mpmath import mpf

import symcomp
from proofs_checks import oracles
from symcomp.balls import ball, to_mpf
from tests.comparison import compare
from tests.generated import generated, module

# σ for mpmath and where it has kinks
SIGMAS = {
    "relu": (lambda x: max(x, mpf(0)), (0,)),
    "leaky_relu": (lambda x: max(x, x / 100), (0,)),
    "abs": (abs, (0,)),
    "step": (lambda x: mpf(x > 0), (0,)),
    "sign": (mpmath.sign, (0,)),
    "hard_tanh": (lambda x: max(min(x, mpf(1)), mpf(-1)), (-1, 1)),
    "gelu": (lambda x: x * mpmath.ncdf(x), ()),
    "erf": (mpmath.erf, ()),
    "sin": (mpmath.sin, ()),
    "gaussian": (lambda x: mpmath.exp(-(x**2)), ()),
    "x**3-x": (lambda x: x**3 - x, ()),
}


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def network(N: int, d: int, seed: int, name: str = "relu", k: int = 0) -> symcomp.TwoLayerNetwork:
    outer = (N, k) if k else (N,)
    return symcomp.TwoLayerNetwork(
        draw(N, d, seed=seed),
        draw(*outer, seed=seed + 1),
        bias=draw(N, seed=seed + 2),
        activation=name,
    )


def loss(f: symcomp.TwoLayerNetwork, g: symcomp.TwoLayerNetwork, **more) -> float:
    return module(f.activation.name).loss(f.W, g.W, f.a, g.a, s=f.bias, t=g.bias, **more)


# ---- kernels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGMAS)
def test_kernel_is_the_mean_of_the_product(name):
    sigma, kinks = SIGMAS[name]
    cases = [(0.6, -1.1, 0.4), (1.5, 0.3, -0.7)]
    rows = []
    for s, t, rho in cases[: 2 if name in ("relu", "hard_tanh") else 1]:
        u, v = np.array([0.75, 0.5]), np.array([[rho, 1.0], [1.0, -rho]]) @ [0.75, 0.5]
        got = module(name).kernel([u], [v], [s], [t])[0, 0]
        exact_u, exact_v = [mpf(x) for x in u], [mpf(x) for x in v]
        quadratics = [
            mpmath.fdot(x, y) for x, y in [(exact_u,) * 2, (exact_v,) * 2, (exact_u, exact_v)]
        ]
        wanted = oracles.expectation(
            lambda x, s=s: sigma(x + mpf(s)),
            lambda y, t=t: sigma(y + mpf(t)),
            *quadratics,
            [k - mpf(s) for k in kinks],
            [k - mpf(t) for k in kinks],
            digits=14,
        )
        rows.append(((s, t, rho), got, wanted))
    compare(rows, rtol=5e-14, atol=1e-15, min_points=1)


def test_relu_keeps_its_digits_in_the_far_tails_and_between_opposite_rows():
    """Against the closed form at 600 bits, which cancels where the quadrature here does not."""
    expr, symbols = symcomp.kernels.shifted_kernel("relu")
    biases = [(0, 0), (0.5, -0.75), (1, 2), (-3, -2), (-8, -6), (-6, 9), (5, -5), (-30, 1)]
    rows = []
    for s, t in [*biases, (-30, -28), (40, -20)]:
        for rho in (-0.9, -0.5, 0.2, 0.74, 0.99, 1 - 2.0**-30):
            v = [rho, np.sqrt((1 - rho) * (1 + rho))]
            second = sum(fmpq(*x.as_integer_ratio()) ** 2 for x in map(float, v))
            values = [fmpq(1), second, *(fmpq(*float(x).as_integer_ratio()) for x in (rho, s, t))]
            with flint.ctx.workprec(600):
                wanted = ball(expr, dict(zip(symbols, values, strict=True)))
            if wanted > 1e-290:
                got = module().kernel([[1.0, 0.0]], [v], [s], [t])[0, 0]
                rows.append(((s, t, rho), got, to_mpf(wanted)))
    compare(rows, rtol=2e-11, min_points=45)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("angle", [1e-3, 1e-6, 1e-9])
def test_kernels_of_almost_parallel_rows_against_balls(sign, angle):
    u = np.array([0.75, -1.25])
    v = sign * u + angle * np.array([0.5, 1.0])
    rows = []
    for s, t in [(0.5, sign * 0.5), (0.5, 0.25), (-1.0, -1.0 + angle)]:
        f = symcomp.TwoLayerNetwork([u], bias=[s])
        g = symcomp.TwoLayerNetwork([v], bias=[t])
        got = module().loss(f.W, g.W, s=f.bias, t=g.bias)
        wanted = symcomp.loss_enclosure(f, g, digits=20)
        rows.append(((s, t), got, to_mpf(wanted)))
    compare(rows, atol=1e-15, rtol=1e-15, min_points=3)


def test_zero_rows_are_constant_nodes():
    s, t = np.array([1.5, -1.5, 0.0]), np.array([2.0, -0.5])
    K = module().kernel(np.zeros((3, 2)), np.zeros((2, 2)), s, t)
    np.testing.assert_allclose(K, np.outer([1.5, 0, 0], [2, 0]), rtol=1e-15, atol=1e-60)
    mean = 1.5 * (np.sqrt(2.0 / np.pi) * 1.0)  # σ(s) E (2 Z)_+
    got = module().kernel([[0.0, 0.0]], [[2.0, 0.0]], [1.5], [0.0])[0, 0]
    compare([("mean", got, mean)], rtol=1e-15)
    _, by_theta, by_b, by_t = module().loss_and_grad([[1.0, 0.5]], np.zeros((3, 2)), s=[0.25], t=s)
    assert all(np.isfinite(x).all() for x in (by_theta, by_b, by_t))


@pytest.mark.parametrize("factor", [1e-6, 1e6, 1e-20, 1e20])
def test_homogeneity_holds_over_the_scales(factor):
    f, g = network(5, 3, 1), network(4, 3, 7)
    plain = loss(f, g)
    scaled = module().loss(
        factor * f.W, factor * g.W, f.a, g.a, s=factor * f.bias, t=factor * g.bias
    )
    compare([(factor, scaled / factor**2, plain)], rtol=1e-13)


def test_rows_of_very_different_lengths_against_balls():
    lengths = np.array([[1e-6], [1.0], [1e6]])
    f = symcomp.TwoLayerNetwork(lengths * draw(3, 2), bias=[1.0, -2.0, 1e5])
    g = symcomp.TwoLayerNetwork(lengths[::-1] * draw(3, 2, seed=1), bias=[-1e6, 1e-6, 3.0])
    wanted = to_mpf(symcomp.loss_enclosure(f, g, digits=20))
    compare([("loss", module().loss(f.W, g.W, s=f.bias, t=g.bias), wanted)], rtol=1e-13)


# ---- losses and enclosures -----------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGMAS)
@pytest.mark.parametrize("k", [0, 2])
def test_losses_against_enclosures(name, k):
    f, g = network(3, 2, 1, name, k), network(2, 2, 5, name, k)
    wanted = to_mpf(symcomp.loss_enclosure(f, g, digits=20))
    compare([(name, loss(f, g), wanted)], rtol=1e-13, min_points=1)


@pytest.mark.parametrize("name", ["relu", "step", "gelu", "tanh"])
def test_the_enclosure_is_the_mean_square_of_the_difference(name):
    sigma, kinks = SIGMAS[name] if name != "tanh" else (mpmath.tanh, ())
    W, s, a = [1.5, -0.5, 0.0], [0.5, -1.0, 0.75], [1.0, 2.0, -1.0]
    T, t = [0.25, -3.0], [-0.5, 1.0]
    f = symcomp.TwoLayerNetwork(np.c_[W], a, bias=s, activation=name)
    g = symcomp.TwoLayerNetwork(np.c_[T], bias=t, activation=name, scaling="sum")

    def square(x: mpf) -> mpf:
        left = sum(c * sigma(w * x + e) for w, e, c in zip(W, s, a, strict=True)) / 3
        return (left - sum(sigma(w * x + e) for w, e in zip(T, t, strict=True))) ** 2 * (
            mpmath.npdf(x)
        )

    cuts = {-14, -5, 0, 5, 14}
    cuts |= {mpf(k - e) / w for w, e in zip(W + T, s + t, strict=True) for k in kinks if w}
    with mpmath.workdps(25):
        wanted = mpmath.quad(square, sorted(cuts))
        value = to_mpf(symcomp.loss_enclosure(f, g, digits=18))
        compare([(name, value, wanted)], rtol=1e-15, min_points=1)


def test_copies_with_biases_have_loss_0():
    f = network(6, 3, 1)
    assert symcomp.loss_enclosure(f, f).is_exact()
    scaled = symcomp.TwoLayerNetwork(4.0 * f.W, f.a / 4.0, bias=4.0 * f.bias)
    assert symcomp.loss_enclosure(f, scaled) == 0
    other = symcomp.TwoLayerNetwork(f.W, f.a, bias=np.nextafter(f.bias, 9.0))
    assert 0 < symcomp.loss_enclosure(f, other) < 1e-28
    for name in SIGMAS:
        copy = network(6, 3, 1, name)
        assert loss(copy, copy) < 1e-14


@pytest.mark.parametrize("name", SIGMAS)
def test_zero_biases_are_no_biases(name):
    W, Theta, a, b = draw(5, 3), draw(4, 3, seed=1), draw(5, seed=2), draw(4, seed=3)
    plain = module(name).loss_and_grad(W, Theta, a, b)
    zero = module(name).loss_and_grad(W, Theta, a, b, s=np.zeros(5), t=np.zeros(4))
    assert len(zero) == 4
    for label, got, wanted in zip(("L", "dTheta", "db"), zero, plain, strict=False):
        pairs = zip(np.ravel(got), np.ravel(wanted), strict=True)
        compare([((label, *p), *p) for p in pairs], rtol=1e-11, atol=1e-13, min_points=1)


def test_targets_stand_for_their_networks():
    f, g = network(5, 3, 1), network(4, 3, 7)
    m = module()
    whole = m.loss_and_grad(f.W, g.W, f.a, g.a, s=f.bias, t=g.bias)
    for got, wanted in zip(
        m.loss_and_grad(m.Target(f.W, f.a, f.bias), g.W, b=g.a, t=g.bias), whole, strict=True
    ):
        np.testing.assert_array_equal(got, wanted)
    without = m.loss(m.Target(f.W, f.a), g.W, b=g.a, t=g.bias)
    compare([("t", without, m.loss(f.W, g.W, f.a, g.a, s=np.zeros(5), t=g.bias))], rtol=1e-14)
    none = m.loss_and_grad(m.Target(f.W, f.a, f.bias), g.W, b=g.a)
    assert len(none) == 3
    assert none[0] == m.loss(f.W, g.W, f.a, g.a, s=f.bias, t=np.zeros(4))


# ---- gradients -----------------------------------------------------------------------------------


def slopes(m: ModuleType, f: symcomp.TwoLayerNetwork, g: symcomp.TwoLayerNetwork) -> list[float]:
    """|L(x + h e) - L(x) - h <e, grad>| / h² over a decade of h, along one direction in all."""
    target = m.Target(f.W, f.a, f.bias)
    value, *gradient = m.loss_and_grad(target, g.W, b=g.a, t=g.bias)
    at = (g.W, g.a, g.bias)
    along = [draw(*x.shape, seed=30 + i) for i, x in enumerate(at)]
    slope = sum(np.vdot(e, d) for e, d in zip(along, gradient, strict=True))
    errors = []
    for h in 10.0 ** -np.arange(2.0, 3.01, 0.25):
        theta, b, t = (x + h * e for x, e in zip(at, along, strict=True))
        errors.append(abs(m.loss(target, theta, b=b, t=t) - value - h * slope) / h**2)
    return errors


@pytest.mark.parametrize("name", SIGMAS)
def test_gradients_leave_an_error_of_second_order(name):
    errors = slopes(module(name), network(4, 3, 11, name), network(3, 3, 17, name))
    assert max(errors) < 1.5 * min(errors)
    assert max(errors) > 1e-6  # a flat loss would say nothing


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("by_qv += both * 0.5", "by_qv += both * 0.51"),
        ("by_c += both * probability", "by_c += 0.99 * both * probability"),
        ("mean = h *", "mean = 1.01 * h *"),
    ],
)
def test_the_slope_notices_a_wrong_gradient(old, new):
    source = generated("relu").source
    assert old in source
    changed = symcomp.codegen.Generated(symcomp.activation("relu"), source.replace(old, new))
    errors = slopes(changed.load(), network(4, 3, 11), network(3, 3, 17))
    assert max(errors) > 1.5 * min(errors)


def test_gradient_beside_a_copy_against_mpmath():
    """The derivative of the enclosed loss in one bias, nodes almost coinciding."""
    f = network(2, 2, 3)
    W, t = f.W + 1e-7 * draw(2, 2, seed=9), f.bias + 1e-7 * draw(2, seed=8)
    *_, by_t = module().loss_and_grad(f.W, W, f.a, f.a, s=f.bias, t=t)
    h = 2.0**-40
    ends = []
    for step in (h, -h):
        moved = symcomp.TwoLayerNetwork(W, f.a, bias=t + np.array([step, 0.0]))
        exact = moved.bias[0]
        ends.append((mpf(float(exact)), to_mpf(symcomp.loss_enclosure(f, moved, digits=40))))
    with mpmath.workdps(40):
        wanted = (ends[0][1] - ends[1][1]) / (ends[0][0] - ends[1][0])
    compare([("dt", by_t[0], wanted)], atol=5e-15, min_points=1)
    assert abs(by_t[0]) > 1e-9


# ---- errors --------------------------------------------------------------------------------------


def test_wrong_biases_are_refused():
    W, m = draw(3, 2), module()
    cases = [
        (lambda: m.loss(W, W, s=[1.0]), r"s has shape \(1,\); expected \(3,\)"),
        (lambda: m.loss(W, W, t=np.ones((3, 1))), r"t has shape \(3, 1\); expected \(3,\)"),
        (lambda: m.kernel(W, W, [np.nan] * 3), "s contains NaN or infinity"),
        (lambda: m.kernel(W, W, None, ["a"] * 3), "t has dtype <U1; expected real numbers"),
        (lambda: m.loss(m.Target(W), W, s=np.ones(3)), "a or s is given beside a Target"),
        (lambda: m.loss(W, W, s=[1e70] * 3), r"s reaches 1e\+70; expected below 1e60"),
        (
            lambda: m.loss(m.Target(W, s=np.ones(3)), W, b=np.ones((3, 2))),
            "b has 2 outputs; expected 1",
        ),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("name", ["sin(x)+Max(0,x)", "cos(x)+Heaviside(x)"])
def test_an_activation_without_a_short_form_refuses_biases(name):
    m = module(name)
    W = draw(3, 2)
    for call in (
        lambda: m.loss(W, W, s=np.ones(3)),
        lambda: m.loss_and_grad(W, W, t=np.ones(3)),
        lambda: m.kernel(W, W, np.ones(3)),
        lambda: m.Target(W, s=np.ones(3)),
    ):
        with pytest.raises(ValueError, match="biases s, t are given; expected none"):
            call()
    assert m.loss(W, W) < 1e-13
