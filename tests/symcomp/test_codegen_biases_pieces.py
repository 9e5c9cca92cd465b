"""Biases of activations made of pieces, against the definition, their own slopes and K°."""

from functools import cache
from types import ModuleType

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import symcomp
from proofs_checks import oracles
from symcomp.biases import biases
from symcomp.codegen.header import tidy
from symcomp.pieces import Pieces
from tests.comparison import compare
from tests.generated import generated, module


def ramp(x: mpf, power: int = 1) -> mpf:
    return x**power if x > 0 else mpf(0)


# σ and σ' for mpmath, and where they are not smooth
SIGMAS = {
    "Max(0,x)**2": (lambda x: ramp(x, 2), lambda x: 2 * ramp(x), (0,)),
    "abs_power": (lambda x: abs(x) ** 3, lambda x: 3 * x * abs(x), (0,)),
    "Max(0,x-1)**2": (lambda x: ramp(x - 1, 2), lambda x: 2 * ramp(x - 1), (1,)),
    "elu": (
        lambda x: x if x > 0 else mpmath.expm1(x),
        lambda x: mpmath.exp(min(x, mpf(0))),
        (0,),
    ),
    "exp(-Abs(x))": (
        lambda x: mpmath.exp(-abs(x)),
        lambda x: -mpmath.sign(x) * mpmath.exp(-abs(x)),
        (0,),
    ),
    "gabor": (
        lambda x: mpmath.exp(-x * x) * mpmath.sin(x),
        lambda x: mpmath.exp(-x * x) * (mpmath.cos(x) - 2 * x * mpmath.sin(x)),
        (),
    ),
    "exp(-x**2)*Heaviside(x)": (lambda x: mpmath.exp(-x * x) if x > 0 else mpf(0), None, (0,)),
    "x*normal_cdf(x)+Max(0,x)": (
        lambda x: x * mpmath.ncdf(x) + ramp(x),
        lambda x: mpmath.ncdf(x) + x * mpmath.npdf(x) + (x > 0),
        (0,),
    ),
    "x**2*normal_cdf(x)": (
        lambda x: x * x * mpmath.ncdf(x),
        lambda x: 2 * x * mpmath.ncdf(x) + x * x * mpmath.npdf(x),
        (),
    ),
    "exp(-x)*(1-erf(1-2*x))+Heaviside(x-1)": (
        lambda x: mpmath.exp(-x) * mpmath.erfc(1 - 2 * x) + (x > 1),
        None,
        (1,),
    ),
}
NAMES = list(SIGMAS)
QUICK = ["Max(0,x)**2", "gabor", "exp(-x**2)*Heaviside(x)"]


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def engine(name: str, old: str = "", new: str = "") -> ModuleType:
    """A module for biases alone: that of Max(0,x)**2 with the pieces of σ, which spares K°."""
    texts = [
        tidy(Pieces.of(symcomp.activation(n).form).source()).strip() for n in ("Max(0,x)**2", name)
    ]
    source = generated("Max(0,x)**2").source
    assert texts[0] in source
    assert old in texts[1]
    source = source.replace(*texts).replace(old, new) if old else source.replace(*texts)
    return symcomp.codegen.Generated(symcomp.activation(name), source).load()


def definition(name: str, u, v, s: float, t: float, slope: bool = False, digits: int = 20) -> mpf:
    """E σ(X + s) σ(Y + t), or with σ' in Y, by quadrature in the plane or on the line."""
    f, df, kinks = SIGMAS[name]
    rows = [[mpf(float(x)) for x in row] for row in (u, v)]
    quadratics = [mpmath.fdot(rows[i], rows[j]) for i, j in ((0, 0), (1, 1), (0, 1))]
    g = df if slope else f
    shifted = [[mpf(k) - mpf(b) for k in kinks] for b in (s, t)]
    return oracles.expectation(
        lambda x: f(x + mpf(s)), lambda y: g(y + mpf(t)), *quadratics, *shifted, digits=digits
    )


def entry(m: ModuleType, u, v, s: float, t: float) -> float:
    return m.kernel([u], [v], [s], [t])[0, 0]


# ---- which activations take biases ---------------------------------------------------------------

SUMS = [
    *(f"Max(0,x)**{k}" for k in (2, 3, 5)),
    "Max(0,x-1)**2",
    "Abs(x)**3",
    "x*Max(0,x)",
    "sin(x)*exp(-x**2/2)",
    "Max(0,x)*exp(-x**2)",
    "Max(0,x)*exp(-x)",
    "exp(-Abs(x))",
    "Max(x,x**2)",
    "Max(0,1-x**2)",
    "x**8",
    "Max(0,x)+Heaviside(x-1)",
    "sin(x)+exp(-x**2)",
    "erf(x)+Max(0,x)",
    "x*normal_cdf(x)+Abs(x)",
    "x**3*erf(x)",
    "exp(-x)*(1-erf(1-2*x))+Heaviside(x-1)",
]


@pytest.mark.parametrize("name", [*symcomp.activations(), *SUMS])
def test_every_shifted_kernel_that_closes_takes_biases(name):
    act = symcomp.activation(name)
    if act.form is None:
        assert name in {"tanh", "sigmoid", "softplus", "silu", "mish", "gelu_tanh"}
    else:
        assert biases(act).supported


@pytest.mark.parametrize("name", ["sin(Abs(x))", "sin(x)+erf(x)", "Max(0,x)*erf(x)", "erf(x)**2"])
def test_waves_beside_thresholds_and_two_in_a_term_make_no_pieces(name):
    act = symcomp.activation(name)
    assert Pieces.of(act.form) is None
    assert not biases(act).supported


def test_pieces_stand_where_nothing_grows():
    """exp(x) of ELU holds for x < 0 alone, not as a difference of two exponentials."""
    source = generated("elu").source
    assert "_Piece(0.0, -1, 0.0, 1.0, {0: 1.0}, {0: 1.0}, {0: 1.0})," in source
    assert "scipy" not in generated("gabor").source
    assert symcomp.generate("abs_power").source == generated("abs_power").source


# ---- kernels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Max(0,x)**2",
        "gabor",
        "x**2*normal_cdf(x)",
        pytest.param("elu", marks=pytest.mark.slow),
        pytest.param("x*normal_cdf(x)+Max(0,x)", marks=pytest.mark.slow),
    ],
)
def test_kernel_is_the_mean_of_the_product(name):
    """Oblique rows, in the plane, to 20 digits."""
    u, v, s, t = [1.0, 0.25], [0.75, -1.5], 0.375, -0.625
    wanted = definition(name, u, v, s, t)
    compare([(name, entry(engine(name), u, v, s, t), wanted)], rtol=2e-14, min_points=1)


@pytest.mark.parametrize("name", NAMES)
def test_parallel_opposite_and_zero_rows(name):
    m, rows = engine(name), []
    u = np.array([0.75, -1.0])
    for v in (u, -u, 1.5 * u, -0.125 * u, 0.0 * u, 4.0 * u):
        for s, t in ((0.0, 0.0), (0.5, -1.25), (-2.5, -2.0), (1.5, 3.0)):
            if "Heaviside" in name and not (v.any() or t):
                continue  # σ(0) is a convention
            rows.append(((*v, s, t), entry(m, u, v, s, t), definition(name, u, v, s, t)))
            rows.append(((*v, t, s), entry(m, v, u, t, s), rows[-1][2]))
    compare(rows, rtol=1e-13, atol=1e-15, min_points=46)


@pytest.mark.parametrize("name", NAMES)
def test_zero_rows_are_constant_nodes(name):
    s, t = np.array([1.5, -1.5, 0.25]), np.array([2.0, -0.5])
    K = engine(name).kernel(np.zeros((3, 2)), np.zeros((2, 2)), s, t)
    sigma = SIGMAS[name][0]
    rows = [
        ((i, j), K[i, j], sigma(mpf(s[i])) * sigma(mpf(t[j]))) for i in range(3) for j in range(2)
    ]
    compare(rows, rtol=1e-13, atol=1e-16, min_points=6)


@pytest.mark.parametrize("name", [*QUICK, "abs_power", "elu", "x**8"])
def test_zero_biases_are_no_biases(name):
    """K° has its own engine, from a printed closed form."""
    m = module(name)
    U, V = draw(6, 3), draw(5, 3, seed=1)
    plain, zero = m.kernel(U, V), m.kernel(U, V, np.zeros(6), np.zeros(5))
    rows = [((i, j), zero[i, j], plain[i, j]) for i in range(6) for j in range(5)]
    compare(rows, rtol=1e-12, min_points=30)
    gradients = m.loss_and_grad(U, V), m.loss_and_grad(U, V, s=np.zeros(6), t=np.zeros(5))
    found = [np.concatenate([np.ravel(x) for x in out[:2]]) for out in gradients]
    jumps = 1e-7 if "Heaviside" in name else 1e-12  # of K°, whose rows keep half of their digits
    compare([(name, *pair) for pair in zip(*found, strict=True)], rtol=jumps, atol=jumps)


# ---- the accuracy that the header states ---------------------------------------------------------


def half(mean: mpf, deviation: mpf, power: int) -> mpf:
    """E (Y)_+^power in closed form."""
    a = mean / deviation
    moments = [mpmath.ncdf(a), a * mpmath.ncdf(a) + mpmath.npdf(a)]
    for n in range(1, power):
        moments.append(a * moments[-1] + n * moments[-2])
    return moments[power] * deviation**power


def left(mean: mpf, deviation: mpf) -> mpf:
    """E exp(Y) where Y < 0."""
    mass = mpmath.ncdf(-mean / deviation - deviation)
    return mpmath.exp(mean + deviation**2 / 2) * mass


def under_normal(mean: mpf, deviation: mpf, power: int) -> mpf:
    """E Y^power Φ(Y), power 1 or 2, in closed form."""
    variance, whole = deviation**2, 1 + deviation**2
    a = mean / mpmath.sqrt(whole)
    mass, density = mpmath.ncdf(a), mpmath.npdf(a) / mpmath.sqrt(whole)
    first = mean * mass + variance * density
    second = mean * first + variance * (mass + mean / whole * density)
    return first if power == 1 else second


CONDITIONAL = {
    "Max(0,x)**2": lambda m, d: half(m, d, 2),
    "elu": lambda m, d: half(m, d, 1) + left(m, d) - mpmath.ncdf(-m / d),
    "exp(-Abs(x))": lambda m, d: left(m, d) + left(-m, d),
    "relu_power:k=8": lambda m, d: half(m, d, 8),
    "x*normal_cdf(x)+Max(0,x)": lambda m, d: half(m, d, 1) + under_normal(m, d, 1),
    "x**2*normal_cdf(x)": lambda m, d: under_normal(m, d, 2),
}


def on_a_line(name: str, u, v, s: float, t: float) -> mpf:
    """E σ(X + s) E[σ(Y + t) | X], the inner mean in closed form."""
    sigma = SIGMAS[name][0] if name in SIGMAS else lambda x: ramp(x, 8)
    with mpmath.workdps(30):
        x, y = [mpf(float(e)) for e in u], [mpf(float(e)) for e in v]
        ru, slope = mpmath.norm(x), mpmath.fdot(x, y) / mpmath.fdot(x, x)
        rest = abs(x[0] * y[1] - x[1] * y[0]) / ru
        edge, other = -mpf(s) / ru, -mpf(t) / (slope * ru)
        width = rest / abs(slope * ru)
        cuts = {mpf(c) for c in (-13, -5, -1, 0, 1, 5, 13)}
        cuts |= {edge + c / ru for c in (-10, -1, 0, 1, 10)}
        cuts |= {other + c * width for c in (-12, -3, 0, 3, 12)}

        def integrand(z: mpf) -> mpf:
            mean = CONDITIONAL[name](t + slope * ru * z, rest)
            return sigma(ru * z + s) * mean * mpmath.npdf(z)

        return mpmath.quad(integrand, sorted(c for c in cuts if -13 <= c <= 13))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "error"), [(n, 1e-11 if "8" in n else 1e-13) for n in CONDITIONAL]
)
def test_the_header_states_the_accuracy(name, error):
    m, rng, rows = engine(name), np.random.default_rng(3), []
    assert f"right to {error} sqrt" in Pieces.of(symcomp.activation(name).form).note()
    for i in range(8):
        lengths = 10 ** rng.uniform(-1, 1, 2)
        s, t = (1.0, 3.0)[i % 2] * rng.standard_normal(2)
        if i % 4 == 3:
            s, t = -abs(s), -abs(t)
        angle = rng.uniform(0.1, 3.0) if i % 3 else 10 ** rng.uniform(-7, -2) + np.pi * (i % 2)
        u, v = [lengths[0], 0.0], lengths[1] * np.array([np.cos(angle), np.sin(angle)])
        scale = np.sqrt(entry(m, u, u, s, s) * entry(m, v, v, t, t))
        got, wanted = entry(m, u, v, s, t), on_a_line(name, u, v, s, t)
        rows.append(((lengths, angle, s, t), got / scale, wanted / scale))
    compare(rows, atol=error, min_points=8)


# ---- gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["gabor", "x**2*normal_cdf(x)", pytest.param("Max(0,x)**2", marks=pytest.mark.slow)]
)
def test_the_derivative_in_a_bias_is_a_mean(name):
    """dL/dt = 2 E (σ(Y + t) - σ(X + s)) σ'(Y + t) for one node against one."""
    rows, m = [], engine(name)
    for u, v in (([1.0, 0.25], [0.75, -1.5]), ([0.75, -1.0], [-1.5, 2.0])):
        s, t = 0.375, -0.625
        *_, by_t = m.loss_and_grad([u], [v], s=[s], t=[t])
        own = definition(name, v, v, t, t, slope=True)
        wanted = 2 * (own - definition(name, u, v, s, t, slope=True))
        rows.append(((u, v), by_t[0], wanted))
    compare(rows, rtol=5e-14, min_points=2)


def slopes(m: ModuleType) -> list[float]:
    """|L(x + h e) - L(x) - h <e, grad>| / h² over a decade of h, along one direction in all."""
    target = m.Target(draw(4, 3, seed=11), draw(4, seed=12), draw(4, seed=13))
    at = (draw(3, 3, seed=17), draw(3, seed=18), draw(3, seed=19))
    along = [draw(*x.shape, seed=30 + i) for i, x in enumerate(at)]
    value, *gradient = m.loss_and_grad(target, at[0], b=at[1], t=at[2])
    slope = sum(np.vdot(e, d) for e, d in zip(along, gradient, strict=True))
    errors = []
    for h in 10.0 ** -np.arange(2.0, 3.01, 0.25):
        theta, b, t = (x + h * e for x, e in zip(at, along, strict=True))
        errors.append(abs(m.loss(target, theta, b=b, t=t) - value - h * slope) / h**2)
    return errors


@pytest.mark.parametrize("name", NAMES)
def test_gradients_leave_an_error_of_second_order(name):
    errors = slopes(engine(name))
    assert max(errors) < 1.7 * min(errors)
    assert max(errors) > 1e-6  # a flat loss would say nothing


@pytest.mark.parametrize("name", ["Max(0,x)**2", "elu", "exp(-Abs(x))"])
def test_gradients_at_zero_rows_are_finite(name):
    s = np.array([1.5, -1.5, 0.0])
    gradients = engine(name).loss_and_grad([[1.0, 0.5]], np.zeros((3, 2)), s=[0.25], t=s)
    assert all(np.isfinite(x).all() for x in gradients)


# ---- mutants -------------------------------------------------------------------------------------


@cache
def one_pair(name: str) -> mpf:
    return definition(name, *PAIR, digits=14)


PAIR = ([1.0, 0.25], [0.75, -1.5], 0.375, -0.625)


def worst(m: ModuleType, name: str) -> float:
    """The largest error of K at one pair, of K and L's gradient at zero biases and of its slope."""
    U, V, s, t = draw(6, 3), draw(5, 3, seed=1), np.zeros(6), np.zeros(5)
    own = float(abs(entry(m, *PAIR) / one_pair(name) - 1))
    kernels = np.abs(m.kernel(U, V, s, t) / m.kernel(U, V) - 1.0).max()
    gradient, plain = m.loss_and_grad(U, V, s=s, t=t)[1], m.loss_and_grad(U, V)[1]
    errors = slopes(m)
    slope = np.abs(gradient - plain).max() / np.abs(plain).max()
    return max(own, kernels, slope - 1e-7, max(errors) / min(errors) - 1.7)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (
            "Max(0,x)**2",
            "more = n * moments[n - 1] / scale",
            "more = 1.01 * n * moments[n - 1] / scale",
        ),
        ("Max(0,x)**2", "0.125 / np.pi * weights", "0.1251 / np.pi * weights"),
        ("Max(0,x)**2", "(by_qv, 0.5, ", "(by_qv, 0.51, "),
        ("Max(0,x)**2", "{1: 2.0}", "{1: 2.01}"),
        ("abs_power", "row[n] + n * cov *", "row[n] + 1.01 * n * cov *"),
        ("abs_power", "row[0] + other *", "row[0] + 1.5 * other *"),
        ("gabor", "2.0 * p.rho * a * b", "2.02 * p.rho * a * b"),
        ("gabor", "(A * h * mean_u", "(1.01 * A * h * mean_u"),
        ("x**2*normal_cdf(x)", "X = (free + b * u,", "X = (free + 1.01 * b * u,"),
        ("x**2*normal_cdf(x)", "((m - 1) * noise[0]", "(m * noise[0]"),
        ("x**2*normal_cdf(x)", "n * noise[1]", "1.01 * n * noise[1]"),
        (
            "x*normal_cdf(x)+Max(0,x)",
            "v * c.ru * c.root * c.z +",
            "1.1 * v * c.ru * c.root * c.z +",
        ),
        ("x*normal_cdf(x)+Max(0,x)", "X = (share, 0.0", "X = (1.1 * share, 0.0"),
        ("exp(-x**2)*Heaviside(x)", "both * inverse_u", "1.1 * both * inverse_u"),
        ("exp(-x**2)*Heaviside(x)", "k * value + p.rho", "1.1 * k * value + p.rho"),
    ],
)
def test_a_wrong_number_is_noticed(name, old, new):
    source = generated(name).source
    assert old in source
    assert worst(module(name), name) < 1e-9
    changed = symcomp.codegen.Generated(symcomp.activation(name), source.replace(old, new))
    assert worst(changed.load(), name) > 1e-5


def test_a_wrong_kink_is_noticed():
    errors = slopes(engine("exp(-Abs(x))", "0.5 * height *", "0.51 * height *"))
    assert max(errors) > 2.0 * min(errors)


# ---- losses, enclosures and compression ----------------------------------------------------------


@pytest.mark.parametrize("name", ["Max(0,x)**2", pytest.param("elu", marks=pytest.mark.slow)])
def test_losses_against_enclosures(name):
    f = symcomp.TwoLayerNetwork(draw(2, 2), draw(2, seed=1), bias=draw(2, seed=2), activation=name)
    g = symcomp.TwoLayerNetwork(draw(1, 2, seed=3), bias=draw(1, seed=4), activation=name)
    got = module(name).loss(f.W, g.W, f.a, g.a, s=f.bias, t=g.bias)
    wanted = symcomp.loss_enclosure(f, g, digits=16)
    compare([(name, got, float(wanted.mid()))], rtol=1e-13, min_points=1)


@pytest.mark.parametrize("name", ["Max(0,x)**2", pytest.param("elu", marks=pytest.mark.slow)])
def test_networks_with_biases_are_compressed(name):
    """Of four nodes two are copies: two nodes remain, and no loss."""
    W, bias = np.repeat(draw(2, 2), 2, axis=0), np.repeat(draw(2, seed=2), 2)
    f = symcomp.TwoLayerNetwork(W, [1.0, 2.0, -0.5, -1.0], bias=bias, activation=name)
    found = symcomp.compress(f, 2, seed=1, starts=2)
    assert found.loss < 1e-10
    assert found.network.bias is not None


def test_rows_that_are_too_long_are_refused():
    """exp(x²/16) cos(x) has E σ(X + s)² for Var X < 4 alone."""
    m = module("exp(x**2/16)*cos(x)")
    U, s = np.array([[1.0, 0.5], [0.25, -1.75]]), np.zeros(2)
    plain, zero = m.kernel(U, U), m.kernel(U, U, s, s)
    rows = [((i, j), zero[i, j], plain[i, j]) for i in range(2) for j in range(2)]
    compare(rows, rtol=1e-12, min_points=4)
    with pytest.raises(ValueError, match="rows are too long for σ"):
        m.kernel(2.0 * U, U, s, s)
    with pytest.raises(ValueError, match="U reaches 1e\\+03; expected below 1e3 with biases"):
        m.kernel(1e3 * np.eye(2), U, s, s)
