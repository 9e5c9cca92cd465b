import tracemalloc
from collections.abc import Callable
from functools import cache
from types import ModuleType

import mpmath
import numpy as np
import pytest
import sympy
from mpmath import mpf
from threadpoolctl import threadpool_limits

import symcomp
from symcomp.codegen import Generated
from tests.comparison import compare
from tests.generated import generated, module

DEGREES = {
    "relu": 1,
    "abs": 1,
    "identity": 1,
    "leaky_relu:slope=-1/2": 1,
    "step": 0,
    "sign": 0,
    "Max(0,x)**2": 2,
    "x*Abs(x)": 2,
    "Max(0,x)**3": 3,
}
CURVED = [name for name, degree in DEGREES.items() if degree > 0 and name != "identity"]
ORTHANTS = ["hard_tanh", "selu"]
SMOOTH = ["gelu", "erf", "Max(0,x)+x**2", "sin", "exp(-x**2)", "x**2-1"]
QUICK = [*DEGREES, *SMOOTH]
MU = np.array([0.3, -0.2, 0.1])


def changed(name: str, old: str, new: str) -> ModuleType:
    source = generated(name).source
    assert old in source
    return Generated(generated(name).activation, source.replace(old, new)).load()


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def joined(pair: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.concatenate([np.ravel(x) for x in pair[-2:]])


# ---- oracles: losses in mpmath from K alone, differentiated numerically --------------------------


def kernel_relu(qu: mpf, qv: mpf, c: mpf) -> mpf:
    """From the integral over the angle, as in the tests of the losses."""
    length = mpmath.sqrt(qu * qv)
    sine = mpmath.sqrt(max(1 - (c / length) ** 2, mpf(0)))
    return (length * sine + c * (mpmath.pi - mpmath.acos(c / length))) / (2 * mpmath.pi)


@cache
def closed(name: str) -> Callable[..., mpf]:
    """K°, whose closed form other tests hold against integrals.

    Where c² = q_u q_v rounding may leave the domain of the roots by half of the digits: hence more.
    """
    ker = symcomp.dual_kernel(name)
    function = sympy.lambdify(ker.symbols, ker.expr, "mpmath")

    def value(*arguments: mpf) -> mpf:
        with mpmath.workdps(3 * mpmath.mp.dps):
            return mpmath.re(function(*arguments))

    return value


def loss(kernel: Callable[..., mpf], W, Theta, a, b) -> mpf:
    """(S0) term by term without the constant energy of the target."""
    N, M = len(W), len(Theta)
    square = {id(rows): [mpmath.fdot(row, row) for row in rows] for rows in (W, Theta)}
    total = mpf(0)
    for rows, outer, factor in ((W, a, mpf(-2) / (N * M)), (Theta, b, mpf(1) / M**2)):
        for u, p, qu in zip(rows, outer, square[id(rows)], strict=True):
            for v, q, qv in zip(Theta, b, square[id(Theta)], strict=True):
                total += factor * mpmath.fdot(p, q) * kernel(qu, qv, mpmath.fdot(u, v))
    return total


def simplified(kernel: Callable[..., mpf], tau, mu, Theta, b) -> mpf:
    """(S1), in the same way."""
    M = len(Theta)
    total = mpf(0)
    for u, p in zip(Theta, b, strict=True):
        qu = mpmath.fdot(u, u)
        total -= 2 * p[0] * kernel(mpf(tau) ** 2, qu, mpmath.fdot(mu, u)) / M
        for v, q in zip(Theta, b, strict=True):
            total += p[0] * q[0] * kernel(qu, mpmath.fdot(v, v), mpmath.fdot(u, v)) / M**2
    return total


def as_mpf(array: np.ndarray, rows: int) -> list[list[mpf]]:
    return [[mpf(float(x)) for x in row] for row in np.reshape(array, (rows, -1))]


def product(
    value: Callable[..., mpf], Theta, b, dTheta, db, digits: int = 90, indices: tuple = ()
) -> np.ndarray:
    """H (dTheta, db) by mixed central differences, exact to about a third of the digits."""
    M, split = len(Theta), np.size(Theta)
    pairs = (Theta, b), (dTheta, db)
    point, move = (np.concatenate([np.ravel(x) for x in pair]) for pair in pairs)

    def at(step: mpf, index: int, other: mpf) -> mpf:
        moved = [mpf(float(x)) + step * mpf(float(y)) for x, y in zip(point, move, strict=True)]
        moved[index] += other
        pair = np.array(moved[:split]), np.array(moved[split:])
        return value(*([list(row) for row in x.reshape(M, -1)] for x in pair))

    result = []
    with mpmath.workdps(digits):
        h = mpf(10) ** -(digits // 3)
        for index in indices or range(len(point)):
            ends = [s * t * at(s * h, index, t * h) for s in (1, -1) for t in (1, -1)]
            result.append(mpmath.fsum(ends) / (4 * h * h))
    return np.array(result)


def check(label: str, got: np.ndarray, wanted: np.ndarray, **tolerance: float) -> None:
    rows = [(f"{label}[{i}]", *pair) for i, pair in enumerate(zip(got, wanted, strict=True))]
    compare(rows, min_points=len(wanted), **tolerance)


@pytest.mark.parametrize("k", [1, 3])
def test_relu_against_mpmath(k):
    W, Theta, dTheta = draw(4, 3), draw(3, 3, seed=1), draw(3, 3, seed=4)
    a, b, db = draw(4, k, seed=2), draw(3, k, seed=3), draw(3, k, seed=5)
    got = joined(module().hessian_vector_product(W, Theta, dTheta, db, a, b))
    outer = as_mpf(a, 4)
    rows = as_mpf(W, 4)
    wanted = product(lambda t, s: loss(kernel_relu, rows, t, outer, s), Theta, b, dTheta, db)
    check("H", got, wanted, atol=4e-15)


@pytest.mark.parametrize("name", QUICK)
def test_every_kernel_against_mpmath(name):
    W, Theta, dTheta = draw(2, 3) / 2, draw(2, 3, seed=1) / 2, draw(2, 3, seed=4)
    a, b, db = draw(2, seed=2), draw(2, seed=3), draw(2, seed=5)
    kernel, rows, outer = closed(name), as_mpf(W, 2), as_mpf(a, 2)
    got = joined(module(name).hessian_vector_product(W, Theta, dTheta, db, a, b))
    wanted = product(lambda t, s: loss(kernel, rows, t, outer, s), Theta, b, dTheta, db, 60)
    scale = max(1.0, float(max(map(abs, wanted))))
    check(name, got, wanted, atol=1e-14 * scale)
    got = joined(module(name).simplified_hessian_vector_product(1.1, MU, Theta, dTheta, db, b))
    mean = [mpf(float(x)) for x in MU]
    wanted = product(lambda t, s: simplified(kernel, 1.1, mean, t, s), Theta, b, dTheta, db, 60)
    scale = max(1.0, float(max(map(abs, wanted))))
    check(name, got, wanted, atol=1e-14 * scale)


@pytest.mark.slow
@pytest.mark.parametrize("name", ORTHANTS)
def test_kernels_with_orthants_against_mpmath(name):
    """As above, K from the enclosure."""
    ker = symcomp.dual_kernel(name)

    @cache
    def kernel(qu: mpf, qv: mpf, c: mpf) -> mpf:
        return ker.evaluate(qu, qv, c, digits=48)

    W, Theta, dTheta = draw(1, 2), draw(2, 2, seed=1), draw(2, 2, seed=4)
    a, b, db = draw(1, seed=2), draw(2, seed=3), draw(2, seed=5)
    rows, outer = as_mpf(W, 1), as_mpf(a, 1)
    got = joined(module(name).hessian_vector_product(W, Theta, dTheta, db, a, b))
    few = (0, 5)
    wanted = product(lambda t, s: loss(kernel, rows, t, outer, s), Theta, b, dTheta, db, 45, few)
    check(name, got[list(few)], wanted, atol=2e-13)


# ---- parallel, opposite and zero rows ------------------------------------------------------------


@pytest.mark.parametrize("angle", [1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_almost_parallel_rows_lose_nothing(angle, sign):
    W, dTheta, db = draw(2, 3), draw(2, 3, seed=1), draw(2, seed=2)
    Theta = sign * (W + angle * draw(2, 3, seed=5))
    Theta[1] = Theta[0] + angle * draw(3, seed=6)
    got = joined(module().hessian_vector_product(W, Theta, dTheta, db))
    rows, ones = as_mpf(W, 2), [[mpf(1)]] * 2
    wanted = product(
        lambda t, s: loss(kernel_relu, rows, t, ones, s), Theta, np.ones(2), dTheta, db, 120
    )
    check("H", got, wanted, atol=4e-15)


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_between_parallel_rows_stands_the_limit(name, sign):
    W = draw(2, 3)
    Theta = np.vstack([sign * W, 2 * W[:1], -W[:1]])
    dTheta, db, turn = draw(4, 3, seed=1), draw(4, seed=2), draw(4, 3, seed=3)
    at = joined(module(name).hessian_vector_product(W, Theta, dTheta, db))
    for step in (1e-4, 1e-7, 1e-10):
        near = joined(module(name).hessian_vector_product(W, Theta + step * turn, dTheta, db))
        assert 0 < np.abs(near - at).max() < (100 * step + 1e-14) * np.abs(at).max()


@pytest.mark.parametrize("name", ["Max(0,x)+x**2", "hard_tanh"])
def test_between_parallel_rows_of_other_kernels_half_of_the_digits_stay(name):
    W = draw(2, 3)
    Theta = np.vstack([W, 2 * W[:1], -W[:1]])
    dTheta, db, turn = draw(4, 3, seed=1), draw(4, seed=2), draw(4, 3, seed=3)
    at = joined(module(name).hessian_vector_product(W, Theta, dTheta, db))
    near = joined(module(name).hessian_vector_product(W, Theta + 1e-6 * turn, dTheta, db))
    assert np.abs(near - at).max() < 1e-4


def test_at_jumps_the_share_of_parallel_rows_is_zero():
    u, v = draw(1, 3), draw(1, 3, seed=1)
    for W in (u, -u, 3 * u):
        alone = module("step").hessian_vector_product(v, u, v)
        both = module("step").hessian_vector_product(np.vstack([v, W]), u, v)
        np.testing.assert_allclose(2 * both[0], alone[0], rtol=1e-14)


def test_at_a_zero_row_stands_the_mean_over_both_sides():
    """Of degree 1 that is the part <w, θ> κ'(0) of K, of degree 2 the even part of K."""
    W, d = draw(3, 4), np.zeros((2, 4))
    Theta = np.vstack([np.zeros(4), draw(1, 4, seed=1)])
    move = draw(2, 4, seed=2)
    by_theta, by_b = module().hessian_vector_product(W, Theta, move)
    np.testing.assert_allclose(by_theta[0], (move[1] / 2 + move[0]) / 4, rtol=1e-14)
    slope = 2 / 4 * (Theta[1] @ move[0]) / 4 - 2 / 6 * np.sum(W @ move[0]) / 4
    assert by_b[0] == pytest.approx(slope, rel=1e-13)
    d[0] = move[0]
    square = module("Max(0,x)**2")
    got = square.hessian_vector_product(W, Theta, d)[0][0]
    step = 1e-5
    sides = []
    for sign in (1, -1):
        moved = Theta.copy()
        moved[0] = sign * step * move[0]
        sides.append(sign * square.loss_and_grad(W, moved)[1][0] / step)
    np.testing.assert_allclose(got, sum(sides) / 2, rtol=1e-4)


@pytest.mark.parametrize("name", [*QUICK, "hard_tanh"])
def test_products_are_finite_or_refused(name):
    W = np.array([[1.0, 2.0], [0.0, 0.0], [-1.0, -2.0], [2.0, 4.0], [1e-30, 0.0]])
    refusals = []
    for Theta in (W, -W, W[[0, 2, 3]], np.zeros((2, 2)), 1e-200 * W):
        try:
            got = joined(module(name).hessian_vector_product(W, Theta, np.ones(Theta.shape)))
        except ValueError as error:
            refusals.append(str(error))
        else:
            assert np.isfinite(got).all()
    assert all("second derivative" in message for message in refusals)
    assert len(refusals) < 5


# ---- laws ----------------------------------------------------------------------------------------


def setting(name: str, k: int = 2) -> tuple[Callable, Callable, tuple[np.ndarray, ...]]:
    """The gradient and the product as functions of (Theta, b) and of a direction."""
    W, a = draw(5, 4), draw(5, k, seed=2)

    def gradient(Theta, b):
        return joined(module(name).loss_and_grad(W, Theta, a, b))

    def along(Theta, b, dTheta, db):
        return joined(module(name).hessian_vector_product(W, Theta, dTheta, db, a, b))

    return gradient, along, (draw(3, 4, seed=1), draw(3, k, seed=3))


@pytest.mark.parametrize("name", [*QUICK, *ORTHANTS])
def test_symmetry(name):
    _, along, point = setting(name)
    x, y = ((draw(3, 4, seed=s), draw(3, 2, seed=s + 1)) for s in (10, 20))
    left, right = joined(x) @ along(*point, *y), joined(y) @ along(*point, *x)
    assert left == pytest.approx(right, rel=1e-11)


def remainders(mod: ModuleType) -> list[float]:
    """log2 of the decrease of |g(x + h v) - g(x) - h H v| when h is halved."""
    W, Theta, b = draw(5, 4), draw(3, 4, seed=1), draw(3, seed=3)
    v, s = draw(3, 4, seed=8), draw(3, seed=9)
    start = joined(mod.loss_and_grad(W, Theta, b=b))
    along = joined(mod.hessian_vector_product(W, Theta, v, s, b=b))
    sizes = []
    for h in 2.0 ** -np.arange(8, 15):
        moved = joined(mod.loss_and_grad(W, Theta + h * v, b=b + h * s))
        sizes.append(np.linalg.norm(moved - start - h * along))
    return list(np.log2(np.array(sizes[:-1]) / sizes[1:]))


@pytest.mark.parametrize("name", [*QUICK, *ORTHANTS])
def test_the_remainder_is_of_second_order(name):
    assert remainders(module(name)) == pytest.approx([2] * 6, abs=0.15)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("relu", "bend = curve * s\n", "bend = 1.01 * curve * s\n"),
        ("relu", "on_ahead = ", "on_ahead = -"),
        ("relu", "pull += both @ move.rows", "pull += 0.9 * both @ move.rows"),
        ("relu", "np.multiply(curve, q, out=bend)", "np.multiply(curve, -q, out=bend)"),
        ("gelu", "on_w += skew", "on_w -= skew"),
        ("gelu", "on_aim = 2.0", "on_aim = 2.001"),
        ("gelu", "B * p + G * y[j]", "B * p - G * y[j]"),
        ("gelu", "2.0 * by_qu * e", "by_qu * e"),
    ],
)
def test_a_wrong_product_has_no_second_order(name, old, new):
    assert abs(remainders(changed(name, old, new))[-1] - 2) > 0.5


@pytest.mark.parametrize("name", DEGREES)
def test_laws_of_homogeneity(name):
    k, W, Theta, b = DEGREES[name], draw(5, 4), draw(3, 4, seed=1), draw(3, seed=3)
    mod = module(name)
    # A factor moves freely between |θ_j|^k and b_j, so that the gradient follows a scaling.
    _, by_theta, by_b = mod.loss_and_grad(W, Theta, b=b)
    got = mod.hessian_vector_product(W, Theta, Theta, -k * b, b=b)
    np.testing.assert_allclose(got[0], -by_theta, atol=1e-13)
    np.testing.assert_allclose(got[1], k * by_b, atol=1e-13)
    # Without a target the loss is of degree 2k.
    _, by_theta, _ = mod.loss_and_grad(W, Theta, np.zeros(5), b)
    got = mod.hessian_vector_product(W, Theta, Theta, None, np.zeros(5), b)
    np.testing.assert_allclose(got[0], (2 * k - 1) * by_theta, atol=1e-13)


def test_the_loss_is_quadratic_in_the_outer_weights():
    W, Theta, b, db = draw(5, 4), draw(3, 4, seed=1), draw(3, seed=3), draw(3, seed=5)
    by_b = module().hessian_vector_product(W, Theta, 0 * Theta, db, b=b)[1]
    change = [module().loss_and_grad(W, Theta, b=b + s * db)[2] for s in (0, 1)]
    np.testing.assert_allclose(by_b, change[1] - change[0], atol=1e-15)


# ---- shapes, tiles, memory, errors ---------------------------------------------------------------


def test_shapes_and_defaults():
    W, Theta, move = draw(4, 3), draw(2, 3, seed=1), draw(2, 3, seed=2)
    mod = module()
    for a, b, db, wanted in (
        (None, None, None, (2,)),
        (None, np.ones(2), None, (2,)),
        (None, np.ones((2, 1)), None, (2, 1)),
        (np.ones((4, 3)), None, None, (2, 3)),
        (np.ones((4, 3)), None, np.ones((2, 3)), (2, 3)),
        (None, None, np.zeros(2), (2,)),
    ):
        by_theta, by_b = mod.hessian_vector_product(W, Theta, move, db, a, b)
        assert by_theta.shape == (2, 3)
        assert by_b.shape == wanted
    zero = mod.hessian_vector_product(W, Theta, move, np.zeros(2))
    np.testing.assert_array_equal(zero[0], mod.hessian_vector_product(W, Theta, move)[0])
    target = mod.Target(W)
    np.testing.assert_array_equal(zero[0], mod.hessian_vector_product(target, Theta, move)[0])
    assert mod.hessian_vector_product(W, Theta[:1], move[:1])[1].shape == (1,)
    assert mod.simplified_hessian_vector_product(1, np.zeros(3), Theta, move)[1].shape == (2,)


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_tiles_do_not_show(name):
    W, Theta, dTheta = draw(300, 5), draw(70, 5, seed=1), draw(70, 5, seed=2)
    a, b, db = draw(300, seed=3), draw(70, seed=4), draw(70, seed=5)
    whole = joined(module(name).hessian_vector_product(W, Theta, dTheta, db, a, b))
    small = changed(name, f"TILE = 1 << {17 if name == 'relu' else 16}", "TILE = 512")
    cut = changed(name, "SIDE = 256", "SIDE = 7")
    for mod in (small, cut):
        got = joined(mod.hessian_vector_product(W, Theta, dTheta, db, a, b))
        np.testing.assert_allclose(got, whole, atol=1e-15)


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_memory_does_not_grow_with_the_number_of_pairs(name):
    M, d, mod, peaks = 64, 4, module(name), []
    target, Theta = mod.Target(draw(50, d)), draw(M, d, seed=1)
    for N in (3000, 24_000):
        target.nodes = mod._nodes("W", draw(N, d), np.ones((N, 1)))  # spares the O(N²) term
        tracemalloc.start()
        with threadpool_limits(1):
            mod.hessian_vector_product(target, Theta, Theta)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 8 * 8 * 24_000 < 8 * 24_000 * M / 4


GOOD = [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((GOOD, GOOD, [1.0, 2.0]), r"dTheta has shape \(2,\); expected \(rows, d\)"),
        ((GOOD, GOOD, [[1.0]]), r"dTheta has shape \(1, 1\); expected \(1, 2\)"),
        ((GOOD, GOOD, GOOD * 2), r"dTheta has shape \(2, 2\); expected \(1, 2\), as Theta"),
        ((GOOD, GOOD, [[1.0, np.nan]]), r"dTheta contains NaN or infinity"),
        ((GOOD, GOOD, GOOD, [1.0, 2.0]), r"db has shape \(2,\); expected \(1,\) or \(1, k\)"),
        ((GOOD, GOOD, GOOD, [[1.0, 2.0]]), r"db has 2 outputs; expected 1, as many as b"),
        ((GOOD, GOOD, GOOD, [np.inf]), r"db contains NaN or infinity"),
        ((GOOD, [[1e-300, 1e-310]], [[1e100, 3.0]]), r"second derivative overflows"),
        ((np.zeros((2, 0)), GOOD, GOOD), r"W has shape \(2, 0\)"),
        ((GOOD, np.zeros((2, 0)), GOOD), r"Theta has shape \(2, 0\); expected \(rows, d\)"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        module().hessian_vector_product(*arguments)


def test_short_rows_are_refused_where_digits_would_be_lost():
    with pytest.raises(ValueError, match="Theta has a row shorter than 1e-4"):
        module("hard_tanh").hessian_vector_product(GOOD, [[1e-5, 0.0]], GOOD)


# ---- κ'' and the text ----------------------------------------------------------------------------


def test_curvature_of_relu_is_as_accurate_as_the_header_says():
    points = np.concatenate([np.linspace(-1, 1, 401)[1:-1], 1 - 0.1 ** np.arange(1, 16)])
    t, curve = module()._Tile(*np.empty((6, len(points)))), np.empty(len(points))
    t.rho[:] = points
    module()._angles(t)
    module()._curve(t, curve)
    with mpmath.workdps(40):
        wanted = [1 / (2 * mpmath.pi * mpmath.sqrt(1 - mpf(x) ** 2)) for x in points]
    assert "In the same sense κ'' is within 4 ulp." in " ".join(generated("relu").source.split())
    check("κ''", curve, wanted, rtol=4 * 2.0**-52)


def test_headers_say_which_second_derivatives_are_used():
    assert r"κ''(ρ) = \frac{1}{2 \pi \sqrt{1 - \rho^{2}}}" in generated("relu").source
    for name in ("gelu", "hard_tanh"):
        text = " ".join(generated(name).source.split())
        assert "Second derivatives come from A = ∂²K°/∂c²" in text
