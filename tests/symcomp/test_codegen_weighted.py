"""Thresholds at 0 under Gaussian weights: K° and its derivatives where rows are (almost) parallel.

The oracles are integrals of the definition and the closed form at many digits, differentiated
numerically; the generated modules know neither.
"""

from collections.abc import Callable
from functools import cache
from types import ModuleType

import mpmath
import numpy as np
import pytest
import sympy
from mpmath import mpf

import symcomp
from proofs_checks import oracles
from symcomp.codegen import Generated, shifted
from symcomp.codegen.tilted import ROOT, Tilted, is_tilted
from tests.comparison import compare
from tests.generated import generated, module


def ramp(x: mpf) -> mpf:
    return max(x, mpf(0))


def step(x: mpf) -> mpf:
    return (mpmath.sign(x) + 1) / 2


# text -> σ, written for mpmath
CONTINUOUS: dict[str, Callable[[mpf], mpf]] = {
    "Max(0,x)*exp(-x**2)": lambda x: ramp(x) * mpmath.exp(-(x**2)),
    "Abs(x)*exp(-x**2/2)": lambda x: abs(x) * mpmath.exp(-(x**2) / 2),
    "Max(0,x)**2*exp(-x**2)": lambda x: ramp(x) ** 2 * mpmath.exp(-(x**2)),
    "x*Heaviside(x)*exp(-x**2)+x": lambda x: ramp(x) * mpmath.exp(-(x**2)) + x,
    "Max(0,x)*exp(-x**2)+Max(0,x)": lambda x: ramp(x) * (mpmath.exp(-(x**2)) + 1),
    "sign(x)*(1-exp(-x**2))": lambda x: mpmath.sign(x) * (1 - mpmath.exp(-(x**2))),
    "Max(0,x)*exp(x**2/32)": lambda x: ramp(x) * mpmath.exp(x**2 / 32),
}
JUMPS: dict[str, Callable[[mpf], mpf]] = {
    "Heaviside(x)*exp(-x**2)": lambda x: step(x) * mpmath.exp(-(x**2)),
}
EVERY = CONTINUOUS | JUMPS
VANISHING = {"sign(x)*(1-exp(-x**2))"}  # terms of order 1 add up to less near 0
FIRST = "Max(0,x)*exp(-x**2)"

# angles between rows, and their distance from parallel or opposite ones
OBLIQUE = (0.3, 1.1, 2.5)
SMALL = (1e-3, 1e-6, 1e-9, 1e-12, 0.0)
LENGTHS = ((1.0, 1.0), (0.7, 1.9), (0.01, 0.02), (1.25**0.5, 1.25**0.5), (1e-4, 1.5), (1.8, 1.9))


@cache
def closed(name: str) -> Callable[..., mpf]:
    """K°, so little inside c² <= q_u q_v, where its form is regular, that no digit tells."""
    ker = symcomp.dual_kernel(name)
    function = sympy.lambdify(ker.symbols, ker.expr, "mpmath", cse=True)

    def value(qu: mpf, qv: mpf, c: mpf) -> mpf:
        digits = mpmath.mp.dps
        with mpmath.workdps(3 * digits):
            return mpmath.re(function(qu, qv, c * (1 - mpf(10) ** (-2 * digits))))

    return value


def arguments(lengths: tuple[float, float], angle: float) -> tuple[float, float, float]:
    """q_u, q_v, c as floats with c² <= q_u q_v."""
    qu, qv = (r * r for r in lengths)
    c = lengths[0] * lengths[1] * float(np.cos(angle))
    while mpf(c) ** 2 > mpf(qu) * mpf(qv):
        c = float(np.nextafter(c, 0.0))
    return qu, qv, c


def called(function: Callable[..., tuple], *numbers: float) -> list[float]:
    out = function(*(np.array([x]) for x in numbers))
    return [float(x[0]) for x in (out if isinstance(out, tuple) else (out,))]


def changed(name: str, old: str, new: str) -> ModuleType:
    source = generated(name).source
    assert old in source
    return Generated(generated(name).activation, source.replace(old, new)).load()


# ---- the kernel ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [FIRST, *JUMPS, "Max(0,x)*exp(x**2/32)"])
def test_kernel_is_the_integral_of_its_definition(name):
    sigma = EVERY[name]
    rows = []
    for lengths, angle in (((0.7, 1.9), 1.1), ((1.0, 0.5), np.pi - 1e-3), ((1.5, 1.5), 0.0)):
        qu, qv, c = arguments(lengths, angle)
        wanted = oracles.expectation(sigma, sigma, qu, qv, c, digits=14)
        got = module(name)._kernel(np.array([qu]), np.array([qv]), np.array([c]))[0]
        rows.append(((lengths, angle), got, wanted))
    compare(rows, atol=2e-15, rtol=2e-14, min_points=3)


def kernel_errors(
    name: str, mod: ModuleType, pairs: tuple[tuple[float, float], ...] = LENGTHS
) -> list[tuple[object, float]]:
    """Errors of K° in units of sqrt(K°(q_u, q_u, q_u) K°(q_v, q_v, q_v)), or of 1."""
    ker = symcomp.dual_kernel(name)
    rows = []
    for lengths in pairs:
        sizes = [ker.evaluate(r * r, r * r, r * r, digits=30) for r in lengths]
        for angle in (*OBLIQUE, *SMALL, *(np.pi - t for t in SMALL)):
            point = arguments(lengths, angle)
            (got,) = called(mod._kernel, *point)
            wanted = ker.evaluate(*point, digits=30)
            unit = mpmath.sqrt(sizes[0] * sizes[1]) if name not in VANISHING else 1
            error = abs(mpf(got) - wanted) / unit
            rows.append(((lengths, angle), float(error)))
    return rows


@pytest.mark.parametrize("name", CONTINUOUS)
def test_kernel_keeps_its_digits_between_almost_parallel_rows(name):
    rows = kernel_errors(name, module(name))
    compare([(at, error, 0) for at, error in rows], atol=1e-14, min_points=78)


def test_kernel_of_a_jump_loses_what_the_covariance_does_not_tell():
    rows = kernel_errors("Heaviside(x)*exp(-x**2)", module("Heaviside(x)*exp(-x**2)"))
    assert max(error for (_, angle), error in rows if angle in OBLIQUE) < 1e-14
    compare([(at, error, 0) for at, error in rows], atol=3e-8, min_points=78)


def test_an_angle_of_the_untilted_rows_is_noticed():
    wrong = changed(FIRST, "np.arctan2(c, root*stretch_0)", "np.arctan2(c, root)")
    assert max(error for _, error in kernel_errors(FIRST, wrong)) > 1e-3


# ---- its derivatives -----------------------------------------------------------------------------


def slopes(name: str, point: tuple[mpf, ...]) -> list[mpf]:
    """∂K°/∂c and ∂K°/∂q_v by central differences."""
    K = closed(name)
    with mpmath.workdps(60):
        u, v, c = map(mpf, point)
        h = mpf(10) ** -25
        by_c = (K(u, v, c + h) - K(u, v, c - h)) / (2 * h)
        return [by_c, (K(u, v + h, c) - K(u, v - h, c)) / (2 * h)]


@pytest.mark.parametrize("name", EVERY)
def test_slopes_of_oblique_rows(name):
    rows = []
    for lengths in LENGTHS[:4]:
        for angle in (*OBLIQUE, 1e-2, np.pi - 1e-2):
            point = arguments(lengths, angle)
            found = called(module(name)._kernel_and_slopes, *point)[1:]
            rows += [
                ((lengths, angle, label), *pair)
                for label, *pair in zip("cv", found, slopes(name, point), strict=True)
            ]
    compare(rows, rtol=2e-11, atol=1e-12, min_points=40)


def parallel_rows(name: str, mod: ModuleType) -> list[tuple[object, float, mpf]]:
    """Slopes at rows that are parallel but for rounding, and their limits at parallel ones."""
    rows = []
    for q in (1.0, 1.25, 0.09, 3.61):  # bound = sqrt(q)² is rounded off q
        for sign in (1.0, -1.0):
            found = called(mod._kernel_and_slopes, q, q, sign * q)[1:]
            with mpmath.workdps(60):
                inside = q, q, sign * mpf(q) * (1 - mpf(10) ** -22)
                rows += [
                    ((q, sign, label), *pair)
                    for label, *pair in zip("cv", found, slopes(name, inside), strict=True)
                ]
    return rows


@pytest.mark.parametrize("name", CONTINUOUS)
def test_slopes_of_parallel_and_opposite_rows(name):
    compare(parallel_rows(name, module(name)), atol=3e-11, min_points=16)


def test_rounded_parallel_rows_would_lose_half_of_the_digits():
    wrong = changed(FIRST, "<= 2.0**-50 * bound", "< 0.0")
    with pytest.raises(AssertionError, match="points differ"):
        compare(parallel_rows(FIRST, wrong), atol=3e-11, min_points=16)


@pytest.mark.parametrize("name", [FIRST, *JUMPS])
def test_means_of_derivatives_are_derivatives_of_the_mean(name):
    ker = symcomp.dual_kernel(name)
    u, v, c = ker.symbols
    tilted = Tilted()
    found = tilted.derivatives(ker.left.form)
    K, A = ker.expr, ker.expr.diff(c, 2)
    wanted = {"K": K, "by_c": K.diff(c), "by_qu": K.diff(u), "by_qv": K.diff(v), "A": A}
    wanted["B"] = 2 * K.diff(c, v) + c / v * A
    wanted["turned"] = 2 * K.diff(c, u) + c / u * A
    wanted["G"] = 4 * K.diff(v, 2) + 4 * c / v * K.diff(c, v) + (c / v) ** 2 * A
    at = {u: sympy.Rational(1, 3), v: sympy.Rational(7, 4), c: sympy.Rational(-1, 2)}
    values = {**at, ROOT: sympy.sqrt(at[u] * at[v] - at[c] ** 2)}
    for symbol, value in tilted.values.items():
        values[symbol] = sympy.N(value.xreplace(values), 60)
    compare(
        [
            (label, str(sympy.N(found[label].xreplace(values), 50)), str(expr.subs(at).evalf(50)))
            for label, expr in wanted.items()
        ],
        rtol=1e-35,
        min_points=8,
    )


# ---- losses --------------------------------------------------------------------------------------

W = np.array([[0.5, -0.25], [1.0, 0.5], [0.0, 0.0]])
THETA = np.array([[0.5, -0.25], [-0.5, -0.25], [0.3, 0.8]])  # equal, opposite and oblique to W
OUTER, INNER = np.array([1.0, -0.5, 2.0]), np.array([0.75, 1.5, -1.0])


def loss(name: str, Theta: list[list[mpf]], b: list[mpf]) -> mpf:
    """(S0) term by term, zero rows left out: they add nothing where σ(0) = 0."""
    kernel = closed(name)
    nodes = [(mpf(a) / len(W), [*map(mpf, w)]) for a, w in zip(OUTER, W, strict=True) if w.any()]
    nodes += [(-weight / len(b), row) for weight, row in zip(b, Theta, strict=True)]
    return mpmath.fsum(
        s * t * kernel(mpmath.fdot(p, p), mpmath.fdot(q, q), mpmath.fdot(p, q))
        for s, p in nodes
        for t, q in nodes
    )


def along(name: str, *moves: np.ndarray) -> mpf:
    """A mixed derivative of the loss in Theta and b along each of the moves, by differences."""
    with mpmath.workdps(90):
        h, total = mpf(10) ** (-40 // len(moves)), mpf(0)
        point = [mpf(x) for x in (*THETA.ravel(), *INNER)]
        for signs in np.ndindex(*[2] * len(moves)):
            moved = list(point)
            for sign, move in zip(signs, moves, strict=True):
                moved = [x + (h, -h)[sign] * mpf(y) for x, y in zip(moved, move, strict=True)]
            rows = [moved[2 * i : 2 * i + 2] for i in range(3)]
            total += (-1) ** sum(signs) * loss(name, rows, moved[6:])
        return total / (2 * h) ** len(moves)


@pytest.mark.parametrize("name", [FIRST, "x*Heaviside(x)*exp(-x**2)+x"])
def test_gradient_and_second_derivatives_with_equal_opposite_and_zero_rows(name):
    mod = module(name)
    value, *gradients = mod.loss_and_grad(W, THETA, OUTER, INNER)
    found = np.concatenate([g.ravel() for g in gradients])
    with mpmath.workdps(60):
        rows = [("loss", value, loss(name, [[*map(mpf, r)] for r in THETA], [*map(mpf, INNER)]))]
    unit = np.eye(9)
    rows += [(f"gradient {i}", found[i], along(name, unit[i])) for i in range(9)]
    move = np.array([0.5, 0.25, -1.0, 0.75, 0.25, -0.5, 1.0, -0.5, 0.25])
    products = mod.hessian_vector_product(W, THETA, move[:6].reshape(3, 2), move[6:], OUTER, INNER)
    bent = np.concatenate([np.ravel(p) for p in products[-2:]])
    rows += [(f"second {i}", bent[i], along(name, unit[i], move)) for i in (0, 1, 2, 4, 5, 6, 8)]
    compare(rows, rtol=1e-12, atol=1e-13, min_points=17)


# ---- what is said and refused --------------------------------------------------------------------


def test_rows_beyond_convergence_are_refused():
    with pytest.raises(ValueError, match=r"U reaches \|row\|\^2 = 9; expected below 8\.0"):
        module("Max(0,x)*exp(x**2/32)").kernel([[3.0]], [[1.0]])


def test_which_activations_are_tilted():
    def tilted(text: str) -> bool:
        form = symcomp.activation(text).form
        assert form is not None
        return is_tilted(form)

    assert all(map(tilted, EVERY))
    assert not any(map(tilted, ("relu", "exp(-x**2)", "gelu", "Max(0,x)+x**2", "hard_tanh")))


def test_header_states_the_error_of_the_kernel():
    assert "K° was within 1e-15 of sqrt(K°(q_u, q_u, q_u)" in " ".join(
        generated(FIRST).source.split()
    )
    (vanishing,) = VANISHING
    assert "K° was within 1e-15 of sqrt((1 + K°(q_u, q_u, q_u))" in " ".join(
        generated(vanishing).source.split()
    )


# ---- thresholds and weights off 0 ----------------------------------------------------------------

# text -> σ and its kinks
SHIFTED: dict[str, tuple[Callable[[mpf], mpf], tuple[mpf, ...]]] = {
    "Max(0,x-1)*exp(-x**2)": (lambda x: ramp(x - 1) * mpmath.exp(-(x**2)), (mpf(1),)),
    "Max(0,x)*exp(-(x-1)**2)": (lambda x: ramp(x) * mpmath.exp(-((x - 1) ** 2)), (mpf(0),)),
    "Max(0,x-1/2)*exp(-x**2)+Max(0,x)": (
        lambda x: ramp(x - mpf("0.5")) * mpmath.exp(-(x**2)) + ramp(x),
        (mpf(0), mpf("0.5")),
    ),
    "Heaviside(x-1)*exp(-x**2)": (lambda x: step(x - 1) * mpmath.exp(-(x**2)), (mpf(1),)),
}
OFF = "Max(0,x)*exp(-(x-1)**2)"


@pytest.mark.parametrize("name", SHIFTED)
def test_shifted_kernel_is_the_integral_of_its_definition(name):
    sigma, kinks = SHIFTED[name]
    rows = []
    for lengths, angle in (((0.75, 1.9), 1.1), ((1.5, 1.5), 0.0)):
        if angle and 0 in kinks:
            continue  # takes many seconds
        qu, qv, c = arguments(lengths, angle)
        wanted = oracles.expectation(sigma, sigma, qu, qv, c, kinks, kinks, digits=14)
        (got,) = called(module(name)._kernel, qu, qv, c)
        rows.append(((lengths, angle), got, wanted))
    compare(rows, atol=2e-15, rtol=2e-14, min_points=1)


def shifted_slopes(name: str, mod: ModuleType) -> list[tuple[object, float, mpf]]:
    """Slopes and theirs from the closed form in balls, by differences of order 4."""
    ker, h = symcomp.dual_kernel(name), mpf(10) ** -12
    rows: list[tuple[object, float, mpf]] = []
    with mpmath.workdps(80):
        for point in ((0.75, 0.5, -0.375), (0.25, 4.0, 0.75), (1.5, 1.5, 1.4375)):
            found = called(mod._kernel_and_slopes, *point)
            for i, got in ((2, found[1]), (1, found[2])):

                def moved(t: int, i: int = i, point: tuple[float, ...] = point) -> mpf:
                    at = [mpf(x) + t * h * (j == i) for j, x in enumerate(point)]
                    return ker.evaluate(*at, digits=60)

                slope = (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * h)
                rows.append(((point, i), got, slope))
    return rows


@pytest.mark.parametrize("name", SHIFTED)
def test_shifted_slopes(name):
    compare(shifted_slopes(name, module(name)), rtol=1e-12, atol=1e-14, min_points=6)


def test_a_tilted_mean_left_out_is_noticed():
    source = generated(OFF).source
    line = next(row for row in source.splitlines() if row.strip().startswith("mx_"))
    wrong = changed(OFF, line, line.split("=")[0] + "= np.zeros_like(c)")
    with pytest.raises(AssertionError, match="points differ"):
        compare(shifted_slopes(OFF, wrong), rtol=1e-12, atol=1e-14, min_points=6)


@pytest.mark.parametrize("name", [OFF, "Max(0,x-1/2)*exp(-x**2)+Max(0,x)"])
def test_shifted_second_derivatives_are_differences_of_gradients(name):
    mod, rng = module(name), np.random.default_rng(5)
    W, Theta, move = rng.standard_normal((3, 3, 2))
    W[0] = Theta[0]  # equal rows
    *_, found, _ = mod.hessian_vector_product(W, Theta, move)
    h = 2.0**-9
    ends = {t: mod.loss_and_grad(W, Theta + t * h * move)[1] for t in (-2, -1, 1, 2)}
    wanted = (8 * (ends[1] - ends[-1]) - (ends[2] - ends[-2])) / (12 * h)
    # Differences over the equal row meet its third derivative, which jumps.
    rows = [(i, found[i], wanted[i]) for i in np.ndindex(found.shape) if i[0] > 0]
    compare(rows, atol=1e-7, min_points=4)


@pytest.mark.parametrize("name", [OFF, "Heaviside(x-1)*exp(-x**2)"])
def test_shifted_modules_stand_zero_and_parallel_rows(name):
    mod = module(name)
    rows = np.array([[0.0, 0.0], [1.0, 0.5], [-2.0, -1.0], [1e-30, 0.0], [3.0, 4.0]])
    K = mod.kernel(rows, rows)
    assert np.isfinite(K).all()
    compare([(i, K[i], K.T[i]) for i in np.ndindex(K.shape)], atol=1e-15, min_points=25)
    assert all(np.isfinite(part).all() for part in mod.loss_and_grad(rows, rows[::-1]))


# ---- exponentials beside thresholds --------------------------------------------------------------

FALLING = ("elu", "exp(-Abs(x))")
RNG = np.random.default_rng(7)
STEEP = "celu:alpha=1/2"
LONG = ((0.5, 0.5), (3.0, 2.0), (6.0, 1.0), (8.0, 8.0), (12.0, 0.5))


@pytest.mark.parametrize("name", FALLING)
def test_exponentials_are_taken_where_they_fall(name):
    rows = kernel_errors(name, module(name), LONG)
    compare([(at, error, 0) for at, error in rows], atol=2e-14, min_points=65)


@pytest.mark.parametrize("name", [*FALLING, STEEP])
def test_gradients_agree_with_those_of_the_engine_for_biases(name):
    mod = module(name)
    for long, short in LONG:
        W, Theta = (r * RNG.uniform(-1, 1, (3, 3)) / 3**0.5 for r in (long, short))
        value, by_theta, by_b = mod.loss_and_grad(W, Theta)
        wanted = mod.loss_and_grad(W, Theta, s=np.zeros(3))
        found = [value, *by_theta.ravel(), *by_b]
        expected = [wanted[0], *wanted[1].ravel(), *wanted[2]]
        rows = zip(range(len(found)), found, expected, strict=True)
        compare(rows, atol=1e-12 * max(map(abs, expected)), rtol=1e-11, min_points=13)


def steep_error(mod: ModuleType) -> float:
    """The relative error of CELU's K° where its exponential would grow to e^72."""
    point = arguments((6.0, 1.0), 1.1)
    wanted = symcomp.dual_kernel(STEEP).evaluate(*point, digits=20)
    return abs(float(called(mod._kernel, *point)[0] / wanted) - 1)


def test_a_steep_exponential_is_taken_where_it_falls(monkeypatch):
    compare([(STEEP, steep_error(module(STEEP)), 0)], atol=1e-13)
    monkeypatch.setattr(shifted, "_sided", lambda f: [shifted._Sided(t, 1) for t in f.terms])
    with np.errstate(all="ignore"):
        assert not steep_error(symcomp.generate(STEEP).load()) < 1


def test_a_tail_of_few_digits_is_noticed():
    few = symcomp.generate("elu").load()
    few.ndtr = lambda z: 0.5 + 0.5 * few.erf(z / 2**0.5)
    assert not max(error for _, error in kernel_errors("elu", few, LONG[4:])) < 1e-6
