"""Jumps beside soft thresholds, off 0 or in mixtures: values, gradients and Hessian products."""

from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import symcomp
from symcomp.codegen import Generated
from symcomp.errors import ExpressionError
from tests.comparison import compare
from tests.generated import generated, module

FIRST = "Heaviside(x-1)+erf(x)"
WEIGHTED = "Heaviside(x-1)*exp(-x)+erf(x)"


def beyond(x: mpf, at: int = 1) -> mpf:
    return mpf(x > at)


# σ for mpmath and its jump
SIGMAS: dict[str, tuple[Callable[[mpf], mpf], int]] = {
    FIRST: (lambda x: beyond(x) + mpmath.erf(x), 1),
    "Heaviside(x-1)*x+erf(2*x-1)": (lambda x: x * beyond(x) + mpmath.erf(2 * x - 1), 1),
    WEIGHTED: (lambda x: mpmath.exp(-x) * beyond(x) + mpmath.erf(x), 1),
    "exp(-x)*(1-erf(1-2*x))+Heaviside(x-1)": (
        lambda x: mpmath.exp(-x) * mpmath.erfc(1 - 2 * x) + beyond(x),
        1,
    ),
    "Heaviside(x)*(1+x**2)+erf(x-1)": (
        lambda x: beyond(x, 0) * (1 + x * x) + mpmath.erf(x - 1),
        0,
    ),
}
NAMES = list(SIGMAS)


def smooth_mean(mean: mpf, deviation: mpf, slope: int = 1, level: int = 0) -> mpf:
    """E erf(slope Y + level)."""
    wide = mpmath.sqrt(1 + 2 * slope**2 * deviation**2)
    return mpmath.erf((slope * mean + level) / wide)


def decaying(mean: mpf, deviation: mpf) -> mpf:
    """E exp(-Y) where Y > 1."""
    moved = mean - deviation**2
    return mpmath.exp(deviation**2 / 2 - mean) * mpmath.ncdf((moved - 1) / deviation)


def linear(mean: mpf, deviation: mpf) -> mpf:
    """E Y where Y > 1."""
    h = (mean - 1) / deviation
    return mean * mpmath.ncdf(h) + deviation * mpmath.npdf(h)


MEANS = {  # E σ(Y) in closed form
    FIRST: lambda m, d: mpmath.ncdf((m - 1) / d) + smooth_mean(m, d),
    "Heaviside(x-1)*x+erf(2*x-1)": lambda m, d: linear(m, d) + smooth_mean(m, d, 2, -1),
    WEIGHTED: lambda m, d: decaying(m, d) + smooth_mean(m, d),
}


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def mutated(name: str, old: str, new: str) -> ModuleType:
    source = generated(name).source
    assert source.count(old) == 1
    return Generated(symcomp.activation(name), source.replace(old, new)).load()


# ---- what is generated ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_pieces_carry_the_kernel_and_its_curves(name):
    source = generated(name).source
    assert "by the engine for biases at biases 0" in source
    assert "The parts of derivatives that are infinite between parallel rows count as 0" in source
    assert "of which only A can be infinite" not in source


@pytest.mark.parametrize("name", ["Heaviside(x-1)+sin(x)", "Heaviside(x+1/2)*normal_cdf(2*x)"])
def test_what_does_not_close_is_refused(name):
    with pytest.raises(ExpressionError, match="no closed form of its dual kernel, expected one or"):
        symcomp.generate(name)


# ---- values --------------------------------------------------------------------------------------


def on_a_line(name: str, u: Sequence[float], v: Sequence[float], s: float, t: float) -> mpf:
    """E σ(X + s) E[σ(Y + t) | X] to 30 digits, the inner mean in closed form."""
    sigma, jump = SIGMAS[name]
    with mpmath.workdps(32):
        x, y = [mpf(e) for e in u], [mpf(e) for e in v]
        ru, c = mpmath.norm(x), mpmath.fdot(x, y)
        rest = abs(x[0] * y[1] - x[1] * y[0]) / ru
        cuts = {(jump - mpf(s)) / ru, *map(mpf, (-14, -6, -3, -1, 0, 1, 3, 6, 14))}

        def integrand(z: mpf) -> mpf:
            mean = MEANS[name](t + c / ru * z, rest)
            return sigma(ru * z + s) * mean * mpmath.npdf(z)

        return mpmath.quad(integrand, sorted(c for c in cuts if -14 <= c <= 14))


@pytest.mark.parametrize("name", list(MEANS))
def test_kernels_are_the_means_of_the_products(name):
    rows, m = [], module(name)
    for u, v in (([1.0, 0.25], [0.75, -1.5]), ([1.5, -0.5], [-2.0, 0.25])):
        rows.append((("no biases", u), m.kernel([u], [v])[0, 0], on_a_line(name, u, v, 0, 0)))
        got = m.kernel([u], [v], [0.375], [-0.625])[0, 0]
        rows.append((("biases", u), got, on_a_line(name, u, v, 0.375, -0.625)))
    compare(rows, rtol=5e-15, atol=1e-15, min_points=4)


def test_a_wrong_threshold_is_noticed():
    u, v = [1.0, 0.25], [0.75, -1.5]
    piece = "_Piece(1.0, 1, 0.0, 0.0, 0.0, {0: 1.0"
    m = mutated(FIRST, piece, f"{piece}1")
    assert abs(m.kernel([u], [v])[0, 0] - float(on_a_line(FIRST, u, v, 0, 0))) > 1e-4


@pytest.mark.parametrize("name", list(MEANS))
def test_the_derivative_in_a_bias_is_that_of_the_definition(name):
    """L = E σ(Y + t)² - 2 E σ(X + s) σ(Y + t) but for the target's own term."""
    u, v, s, t = [1.0, 0.25], [0.75, -1.5], 0.375, -0.625
    sigma, jump = SIGMAS[name]

    def loss_at(shift: mpf) -> mpf:
        r = mpmath.norm([mpf(x) for x in v])
        cuts = sorted({(jump - shift) / r, *map(mpf, (-14, -6, -2, 0, 2, 6, 14))})
        own = mpmath.quad(lambda z: sigma(r * z + shift) ** 2 * mpmath.npdf(z), cuts)
        return own - 2 * on_a_line(name, u, v, s, shift)

    with mpmath.workdps(32):
        wanted = mpmath.diff(loss_at, mpf(t), h=mpf(10) ** -8)
    *_, by_t = module(name).loss_and_grad([u], [v], s=[s], t=[t])
    compare([(name, by_t[0], wanted)], rtol=1e-13, min_points=1)


# ---- gradients and Hessian products against 50 digits --------------------------------------------


@cache
def pair(name: str) -> Callable[[tuple[mpf, ...], tuple[mpf, ...]], mpf]:
    """K(u, v), for u = v from its definition on the line."""
    ker, (sigma, jump) = symcomp.dual_kernel(name), SIGMAS[name]

    @cache
    def K(u: tuple[mpf, ...], v: tuple[mpf, ...]) -> mpf:
        qu, qv, c = mpmath.fdot(u, u), mpmath.fdot(v, v), mpmath.fdot(u, v)
        if u != v:
            return ker.evaluate(qu, qv, c, digits=50)
        r = mpmath.sqrt(qu)
        cuts = sorted({jump / r, *map(mpf, (-17, -8, -4, -2, 0, 2, 4, 8, 17))})
        return mpmath.quadgl(lambda z: sigma(r * z) ** 2 * mpmath.npdf(z), cuts)

    return K


W, THETA = [[0.75, -0.5], [-0.25, 1.25]], [[1.0, 0.5], [-0.5, -1.5]]
MOVE = [[0.5, 1.0], [-1.0, 0.25]]
B, PUSH = [1.0, -0.5], [0.25, 0.75]


def loss(name: str, theta: list[list[mpf]], b: list[mpf]) -> mpf:
    """L but for the target's own term, N = M = 2."""
    K, rows = pair(name), [tuple(row) for row in theta]
    own = sum(x * x * K(row, row) for x, row in zip(b, rows, strict=True))
    own += 2 * b[0] * b[1] * K(*rows)
    cross = sum(b[j] * K(tuple(map(mpf, w)), rows[j]) for w in W for j in range(2))
    return (own - 2 * cross) / 4


@cache
def directions(name: str) -> tuple[list[mpf], list[mpf]]:
    """The gradient along every coordinate, and its derivative along (MOVE, PUSH)."""
    with mpmath.workdps(55):
        start = [mpf(x) for x in (*THETA[0], *THETA[1], *B)]
        along = [mpf(x) for x in (*MOVE[0], *MOVE[1], *PUSH)]
        h = mpf(10) ** -12

        def at(i: int, x: int, y: int) -> mpf:
            point = [p + y * h * a for p, a in zip(start, along, strict=True)]
            point[i] += x * h
            return loss(name, [point[0:2], point[2:4]], point[4:6])

        first, second = [], []
        for i in range(6):
            values = {(x, y): at(i, x, y) for x in (-1, 1) for y in (-1, 0, 1)}
            first.append((values[1, 0] - values[-1, 0]) / (2 * h))
            turns = [(values[1, y] - values[-1, y]) / (2 * h) for y in (-1, 1)]
            second.append((turns[1] - turns[0]) / (2 * h))
        return first, second


Row = tuple[str, float, mpf]


def found(m: ModuleType, name: str) -> tuple[list[Row], list[Row]]:
    """Rows for `compare`: the gradient's, and those of the Hessian's product."""
    gradient = np.concatenate([np.ravel(x) for x in m.loss_and_grad(W, THETA, b=B)[1:]])
    product = m.hessian_vector_product(W, THETA, MOVE, PUSH, b=B)
    got = gradient, np.concatenate([np.ravel(x) for x in product])
    first, second = (
        [(f"coordinate {i}", *values) for i, values in enumerate(zip(x, y, strict=True))]
        for x, y in zip(got, directions(name), strict=True)
    )
    return first, second


def off(rows: list[Row]) -> float:
    return max(float(abs(got - wanted)) for _, got, wanted in rows)


@pytest.mark.parametrize("name", list(MEANS))
def test_gradients_and_products_of_the_hessian(name):
    """With the own terms of both networks' rows, each of which is parallel to itself."""
    for rows in found(module(name), name):
        compare(rows, rtol=1e-13, atol=1e-14, min_points=6)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v * far * (bend * mean + jump * (pull", "v * far * (bend * mean + jump * (1.01 * pull"),
        ("jump * (pull * mean - lean * rate))\n        G -=", "jump * pull * mean)\n        G -="),
        ("G -= height * v * 2.0", "G -= height * v * 2.02"),
        ("(bend * pull - jump * square) * mean", "(bend * pull - 1.01 * jump * square) * mean"),
        ("along += height * jump * knot", "along += 1.01 * height * jump * knot"),
        ("A += height * (bend * mean + jump", "A += height * (bend * mean + 1.01 * jump"),
        ("across += height * jump * (lean", "across += height * jump * (1.01 * lean"),
        ("q.below * q.above * rate", "1.01 * q.below * q.above * rate"),
        ("(fold + step * x) * (bend + jump * y)", "(fold + step * x) * bend"),
        ("A += both * step * jump * p.rho", "A += 1.01 * both * step * jump * p.rho"),
        ("(bend + jump * y) - jump)", "(bend + jump * y) - 1.01 * jump)"),
        ("(fold + step * x) - step)", "(fold + 1.01 * step * x) - step)"),
        ("rate += step * _density(z)", "rate += 1.01 * step * _density(z)"),
        ('"curve": "twist"}', '"curve": "slope"}'),
    ],
)  # fmt: skip
def test_a_wrong_share_of_the_jumps_is_noticed(old, new):
    name = "Heaviside(x-1)*x+erf(2*x-1)"
    gradient, product = found(mutated(name, old, new), name)
    assert off(gradient) < 1e-14
    assert off(product) > 1e-5


@pytest.mark.parametrize("part", ["value", "slope", "curve"])
def test_a_jump_that_is_left_out_of_the_table_is_noticed(part):
    name = WEIGHTED
    line = next(x for x in generated(name).source.splitlines() if x.startswith(f'    "{part}": (('))
    product = found(mutated(name, line, f'    "{part}": (),'), name)[1]
    assert off(product) > 1e-5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("both = step * height", "both = 1.01 * step * height"),
        ("(k * value + p.rho", "(1.01 * k * value + p.rho"),
        ("by_c += height * slope", "by_c += 1.01 * height * slope"),
    ],
)
def test_a_wrong_slope_is_noticed(old, new):
    assert off(found(mutated(FIRST, old, new), FIRST)[0]) > 1e-5


# ---- parallel rows -------------------------------------------------------------------------------

BESIDE = draw(2, 3, seed=5)


def sides(m: ModuleType, step: float, order: int) -> np.ndarray:
    """The mean over both sides of parallel rows of gradients, or of products of the Hessian."""
    rows, turn = draw(2, 3), BESIDE - BESIDE.mean()
    total = np.zeros((2, 3))
    for each in (step, -step) if step else (0.0,):
        theta = rows + each * turn
        found = (
            m.loss_and_grad(rows, theta)[1]
            if order == 1
            else m.hessian_vector_product(rows, theta, draw(2, 3, seed=6))[0]
        )
        total += found / (2 if step else 1)
    return total


@pytest.mark.parametrize("name", NAMES)
def test_between_parallel_rows_stands_the_finite_part(name):
    """Gradients jump there, and second derivatives are c/step + finite part + O(step)."""
    m, h = module(name), 1e-4
    assert np.abs(sides(m, h, 1) - sides(m, 0.0, 1)).max() < 1e-4
    near, far = sides(m, h, 2), sides(m, 2 * h, 2)
    assert np.abs(near).max() > 100.0
    assert np.abs(2 * far - near - sides(m, 0.0, 2)).max() < 1e-2


def test_a_zero_row_is_a_constant_node():
    """Where the jump is at 0 it is the mean of σ(0+) and σ(0-), 1/2 - erf(1)."""
    m, theta, move = module("Heaviside(x)*(1+x**2)+erf(x-1)"), draw(2, 3), draw(2, 3, seed=1)
    zero = np.zeros((1, 3))
    shares = [m.hessian_vector_product(zero, theta, move, a=[x])[0] for x in (1.0, 0.0)]
    rows = []
    for i, (row, way) in enumerate(zip(theta, move, strict=True)):

        def mean(t: mpf, row: np.ndarray = row, way: np.ndarray = way) -> mpf:
            q = mpmath.fsum((x + t * y) ** 2 for x, y in zip(row, way, strict=True))
            return (1 + q) / 2 - mpmath.erf(1 / mpmath.sqrt(1 + 2 * q))

        got = np.vdot(shares[0][i] - shares[1][i], way)
        with mpmath.workdps(40):
            rows.append((i, got, -(mpf(1) / 2 - mpmath.erf(1)) * mpmath.diff(mean, 0, 2)))
    compare(rows, rtol=1e-12, min_points=2)


# ---- the bound of the error ----------------------------------------------------------------------

STEPS = (1e-8, 3e-8, 1e-7)


def broken(m: ModuleType, name: str) -> list[float]:
    """The steps apart at which the loss is off by more than its bound."""
    rows, turn = draw(3, 3), draw(3, 3, seed=7)
    target, found = symcomp.TwoLayerNetwork(rows, activation=name), []
    for step in STEPS:
        other = rows + step * turn
        net = symcomp.TwoLayerNetwork(other, activation=name)
        exact = float(symcomp.loss_enclosure(target, net, digits=6))
        value, bound = m.loss(rows, other, return_error=True)
        found += [step] * (not abs(value - exact) <= bound)
    return found


@pytest.mark.parametrize("name", [FIRST, "Heaviside(x-1)"])
def test_the_bound_of_the_error_holds_between_rows_that_almost_coincide(name):
    """K° is like sqrt(1 - ρ) there, which a derivative times the rounding of c misses."""
    assert broken(module(name), name) == []
    assert broken(mutated(name, "> (1.0 - edge) * bound", "> 2.0 * bound"), name)
