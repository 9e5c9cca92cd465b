"""The bounds on rounding errors, the kinds of input, and pickling of loaded modules."""

import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import symcomp
from symcomp.balls import exact
from tests.comparison import TALLY
from tests.generated import generated, module

HOMOGENEOUS = ["relu", "abs", "identity", "step", "Max(0,x)**2", "Max(0,x)**3"]
FAST = ["relu", "abs", "identity", "step", "erf", "sin"]  # to enclose
GENERAL = ["gelu", "erf", "sin", "Max(0,x)+x**2"]

Network = tuple[np.ndarray, np.ndarray]


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


# ---- bounds --------------------------------------------------------------------------------------


def configurations(count: int, longest: float) -> Iterator[tuple[Network, Network]]:
    """Random pairs of networks: oblique, near copies, opposite, of many lengths, cancelling."""
    rng = np.random.default_rng(5)
    for trial in range(count):
        N, d, k = (int(rng.choice(x)) for x in ((1, 2, 4), (1, 2, 3, 30), (1, 1, 2)))
        W, a = rng.standard_normal((N, d)), rng.standard_normal((N, k))
        M = int(rng.choice((1, 3)))
        Theta, b = rng.standard_normal((M, d)), rng.standard_normal((M, k))
        kind = trial % 6
        if kind == 1:
            Theta, b = W + 1e-6 * rng.standard_normal(W.shape), a
        elif kind == 2:
            Theta, b = np.vstack([-W, 2 * W]), rng.standard_normal((2 * N, k))
        elif kind == 3:
            W = W * 10.0 ** rng.uniform(-longest, longest, (N, 1))
            a = a / np.linalg.norm(W, axis=1, keepdims=True)
        elif kind == 4:
            Theta, b = np.repeat(W, 2, axis=0), np.repeat(a, 2, axis=0)
            Theta = Theta * (1 + 1e-15 * rng.standard_normal(Theta.shape))
        elif kind == 5:
            W, a = np.vstack([W, W]), np.vstack([a, -a * (1 + 1e-9)])
        yield (W, a), (Theta, b)


def ratios(name: str, mod: ModuleType, count: int, longest: float) -> tuple[int, list[float]]:
    """How often |value - exact| > bound, and bound/|value - exact| where that is not 0."""
    broken, found, tried = 0, [], 0
    for (W, a), (Theta, b) in configurations(count, longest):
        value, bound = mod.loss(W, Theta, a, b, return_error=True)
        assert value == mod.loss(W, Theta, a, b)
        nets = [symcomp.TwoLayerNetwork(X, w, activation=name) for X, w in ((W, a), (Theta, b))]
        error = abs(float(symcomp.loss_enclosure(*nets, digits=20) - exact(value)))
        broken += not error <= bound
        tried += 1
        if error > 0:
            found.append(bound / error)
    TALLY.points += tried
    assert tried == count
    return broken, found


@pytest.mark.parametrize("name", [*HOMOGENEOUS, *GENERAL])
def test_the_bound_holds_and_is_not_absurd(name):
    longest = 60.0 if name in HOMOGENEOUS[:4] else 1.0
    broken, found = ratios(name, module(name), 24 if name in FAST else 12, longest)
    assert broken == 0
    assert min(found) < 200
    assert np.median(found) < 3000


@pytest.mark.slow
@pytest.mark.parametrize("step", [1.0, 1e-6])
def test_the_bound_holds_for_orthants(step):
    W = draw(2, 3)
    Theta = W[:1] + step * draw(1, 3, seed=1)
    value, bound = module("hard_tanh").loss(W, Theta, return_error=True)
    nets = [symcomp.TwoLayerNetwork(X, activation="hard_tanh") for X in (W, Theta)]
    error = abs(float(symcomp.loss_enclosure(*nets, digits=20) - exact(value)))
    assert error <= bound < 1e-11


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (
            "relu",
            "(known or _sum_error(target, target, slack)) + 2.0 * cross + own",
            "1e-4 * (_sum_error(target, target, slack) + 2.0 * cross + own)",
        ),
        (
            "gelu",
            "(known or _sum_error(target, target, slack)) + 2.0 * cross + own",
            "1e-4 * (_sum_error(target, target, slack) + 2.0 * cross + own)",
        ),
        ("relu", "return 1.001 * (total + peak * lost)", "return 1.001 * peak * lost"),
        ("step", "turned @ np.abs(source.weights[i])", "1e-4 * turned @ np.abs(source.weights[i])"),
        ("sin", "KERNEL_ERROR * float(left @ right)", "1e-4 * KERNEL_ERROR * float(left @ right)"),
    ],
)
def test_a_bound_with_a_part_left_out_is_noticed(name, old, new):
    source = generated(name).source
    assert old in source
    if name in ("step", "sin"):  # the parts beside it must not hide the one that is changed
        zero = "relative * peak" if name == "step" else "error = 2.0 * unit * error + relative"
        assert zero in source
        source = source.replace(zero, f"{zero} * 1e-4").replace("2.0 * unit *", "2e-4 * unit *")
    mod = replace(generated(name), source=source.replace(old, new)).load()
    broken, _ = ratios(name, mod, 24 if name in FAST else 6, 1.0)
    assert broken > 0


@pytest.mark.parametrize("d", [1, 3, 200])
@pytest.mark.parametrize("beta", [0.0, 0.4, 1 - 1e-9, 1.0])
def test_bound_of_the_simplified_objective(beta, d):
    """Against (S1) for ReLU in mpmath."""
    rng = np.random.default_rng(d)
    mu = rng.standard_normal(d)
    tau = 1.3
    mu *= beta * tau / np.linalg.norm(mu)
    Theta, b = rng.standard_normal((4, d)), rng.standard_normal(4)
    Theta[1] = mu if beta else Theta[0]
    value, bound = module().simplified(tau, mu, Theta, b, return_error=True)
    with mpmath.workdps(50):
        rows = [[mpf(float(x)) for x in row] for row in Theta]
        mean, t = [mpf(float(x)) for x in mu], mpf(tau)
        if beta == 1.0:
            t = mpmath.sqrt(mpmath.fdot(mean, mean))

        def kernel(length: mpf, c: mpf) -> mpf:
            rho = min(max(c / length, mpf(-1)), mpf(1))
            sine = mpmath.sqrt(1 - rho * rho)
            return length * (sine + rho * (mpmath.pi - mpmath.acos(rho))) / (2 * mpmath.pi)

        norms = [mpmath.sqrt(mpmath.fdot(u, u)) for u in rows]
        wanted = kernel(t * t, mpmath.fdot(mean, mean))
        for u, r, p in zip(rows, norms, b, strict=True):
            wanted -= mpf(2) / 4 * float(p) * kernel(t * r, mpmath.fdot(mean, u))
            for v, s, q in zip(rows, norms, b, strict=True):
                wanted += mpf(float(p)) * float(q) / 16 * kernel(r * s, mpmath.fdot(u, v))
        error = abs(mpf(value) - wanted)
    assert error <= bound < 1e-11
    assert value == module().simplified(tau, mu, Theta, b)


def test_bound_of_a_simplified_objective_with_jumps():
    """(S1) for the step in closed form: κ = (π - arccos ρ)/2π."""
    mu, Theta = np.array([0.6, -0.3]), np.array([[1.0, 2.0], [2.0, -1.0]])
    value, bound = module("step").simplified(1.0, mu, Theta, return_error=True)
    with mpmath.workdps(40):

        def kappa(rho: mpf) -> mpf:
            return mpf(1) / 4 + mpmath.asin(rho) / (2 * mpmath.pi)

        exact_mu = [mpf(float(x)) for x in mu]
        wanted = kappa(mpmath.fdot(exact_mu, exact_mu)) + (2 * kappa(1) + 2 * kappa(0)) / 4
        for row in Theta:
            wanted -= kappa(mpmath.fdot(exact_mu, map(float, row)) / mpmath.sqrt(5))
        assert abs(mpf(value) - wanted) <= bound < 1e-6


def test_a_target_gives_the_same_bound():
    W, Theta, a, b = draw(5, 3), draw(4, 3, seed=1), draw(5, seed=2), draw(4, seed=3)
    for name in ("relu", "gelu"):
        mod = module(name)
        plain = mod.loss(W, Theta, a, b, return_error=True)
        assert mod.loss(mod.Target(W, a), Theta, b=b, return_error=True) == plain


def test_the_bound_grows_slowly_with_the_number_of_nodes():
    """Tiles keep the sums short: 64 times the nodes, about 4 times the relative bound."""
    bounds = []
    for N in (64, 4096):
        value, bound = module().loss(draw(N, 2), draw(3, 2), return_error=True)
        bounds.append(bound / value)
    assert bounds[1] < 40 * bounds[0]


# ---- kinds of input ------------------------------------------------------------------------------

LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every third column": lambda x: np.repeat(x, 3, axis=-1)[..., ::3],
    "backwards": lambda x: np.ascontiguousarray(x[::-1])[::-1],
    "list": lambda x: x.tolist(),
    "long double": lambda x: x.astype(np.longdouble),
    "big endian": lambda x: x.astype(">f8"),
    "unaligned": lambda x: (
        np.frombuffer(b"0" + x.tobytes(), dtype=np.uint8)[1:].view(np.float64).reshape(x.shape)
    ),
}


def results(name: str, W, Theta, a, b, move) -> list[np.ndarray]:
    mod = module(name)
    flat = [*mod.loss_and_grad(W, Theta, a, b), *mod.loss(W, Theta, a, b, return_error=True)]
    flat += [*mod.hessian_vector_product(W, Theta, move, None, a, b), mod.kernel(W, Theta)]
    return [np.asarray(x) for x in flat]


def same(got: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    assert len(got) == len(wanted) == 8
    for x, y in zip(got, wanted, strict=True):
        assert x.dtype == np.float64
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", ["relu", "step", "gelu"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_identical_results(name, layout):
    arrays = draw(7, 5), draw(4, 5, seed=1), draw(7, 2, seed=2), draw(4, 2, seed=3), draw(4, 5)
    same(results(name, *map(LAYOUTS[layout], arrays)), results(name, *arrays))


@pytest.mark.parametrize("name", ["relu", "gelu"])
@pytest.mark.parametrize("kind", [np.float32, np.float16, np.int8, np.int64, np.uint16, np.bool_])
def test_other_numbers_are_computed_in_float64(name, kind):
    arrays = [
        np.abs(np.round(2 * x)).astype(kind)
        for x in (draw(7, 5), draw(4, 5, seed=1), draw(7, seed=2), draw(4, seed=3), draw(4, 5))
    ]
    wide = [x.astype(np.float64) for x in arrays]
    same(results(name, *arrays), results(name, *wide))


def test_read_only_arrays_and_single_nodes():
    arrays = [draw(1, 5), draw(1, 5, seed=1), np.array([2.0]), np.array([[0.5]]), draw(1, 5)]
    wanted = results("relu", *arrays)
    for array in arrays:
        array.setflags(write=False)
    same(results("relu", *arrays), wanted)
    assert module().loss_and_grad(*arrays[:4])[2].shape == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((1, 2)), np.ones((2, 0))), r"Theta has shape \(2, 0\); expected \(rows, d\)"),
        ((np.ones((2, 0)), np.ones((1, 2))), r"W has shape \(2, 0\); expected \(rows, d\)"),
        ((np.ones((1, 2)), np.ones((1, 2)), 1.0), r"a has shape \(\); expected \(1,\) or \(1, k\)"),
        ((np.ones((1, 2)), np.ones((1, 2)), None, []), r"b has shape \(0,\); expected \(1,\)"),
    ],
)
def test_rows_without_entries_and_scalars_are_refused(arguments, message):
    for call in (module().loss, module().loss_and_grad):
        with pytest.raises(ValueError, match=message):
            call(*arguments)


# ---- pickling ------------------------------------------------------------------------------------


def test_what_is_loaded_pickles_in_this_process():
    mod = module("leaky_relu:slope=1/7")
    assert symcomp.generate("leaky_relu:slope=1/7").load() is mod
    target = mod.Target(draw(4, 3))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        dumped = pickle.dumps((mod.loss, mod.hessian_vector_product, target), protocol)
        call, product, copy = pickle.loads(dumped)
        assert call is mod.loss
        assert product is mod.hessian_vector_product
        assert type(copy) is mod.Target
        assert call(copy, draw(2, 3)) == mod.loss(target, draw(2, 3))
        assert b"np.multiply" not in dumped  # names travel, no source


def test_what_is_loaded_pickles_into_a_spawned_process():
    mod = module()
    target = mod.Target(draw(4, 3))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        got = pool.starmap(mod.loss, [(target, draw(2, 3, seed=s)) for s in range(3)])
    assert got == [mod.loss(target, draw(2, 3, seed=s)) for s in range(3)]


def elsewhere(dumped: bytes) -> subprocess.CompletedProcess[bytes]:
    code = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()).__name__)"
    return subprocess.run([sys.executable, "-c", code], input=dumped, capture_output=True)


def test_another_process_refuses_what_it_cannot_derive():
    good = pickle.dumps(module("x**2").loss)
    assert elsewhere(good).stdout.strip() == b"loss"
    source = generated("x**2").source.replace("= 2.0**-53", "= 2.0**-52")
    other = replace(generated("x**2"), source=source).load()
    assert other is not module("x**2")
    run = elsewhere(pickle.dumps(other.loss))
    assert b"ImportError: symcomp derives another module from 'x**2'" in run.stderr
    name = module("x**2").__name__.encode()
    run = elsewhere(good.replace(name, b"symcomp.loaded.m" + b"_" * (len(name) - 16)))
    assert b"is not a module that symcomp can derive" in run.stderr


def test_each_catalogue_name_is_its_own_activation():
    """Otherwise another process could not derive it."""
    for name in symcomp.activations():
        act = symcomp.activation(name)
        assert symcomp.activation(act.name) == act
