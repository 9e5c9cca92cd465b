"""Tiles shared among threads, products in strips, networks without nodes or beside their copy."""

import re
import tracemalloc
from threading import Event, Thread
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from symcomp.codegen import Generated
from tests.generated import generated, module

ENGINES = ["relu", "step", "gelu", "hard_tanh", "tanh"]
BIASED = ["relu", "gelu", "hard_tanh"]


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return 0.3 * np.random.default_rng((seed, *shape)).standard_normal(shape)


def in_small_tiles(name: str) -> ModuleType:
    """The module with tiles of 64 pairs, so that few rows make many."""
    source = generated(name).source
    small = re.sub(r"TILE = 1 << 1[67]", "TILE = 64", source).replace("SIDE = 256", "SIDE = 8")
    assert small.count("TILE = 64") == small.count("SIDE = 8") == 1
    return Generated(generated(name).activation, small).load()


def threads_of_blas() -> list[int]:
    blas = ThreadpoolController().select(user_api="blas")
    return [each.num_threads for each in blas.lib_controllers]


def everything(mod: ModuleType, biases: bool) -> list[np.ndarray]:
    W, Theta, a, b = draw(40, 3), draw(21, 3, seed=1), draw(40, seed=2), draw(21, seed=3)
    found = [mod.loss(W, Theta, a, b), *mod.loss_and_grad(W, Theta, a, b)]
    found += mod.loss_and_grad(W, Theta, draw(40, 2), draw(21, 2))
    if mod.__name__ != "step":
        found += mod.hessian_vector_product(W, Theta, Theta[::-1], b[::-1], a, b)
    if biases:
        found += mod.loss_and_grad(W, Theta, a, b, s=draw(40, seed=4), t=draw(21, seed=5))
    return [np.asarray(each) for each in found]


@pytest.mark.parametrize("name", ENGINES)
def test_threads_change_no_bit(name, monkeypatch):
    mod = in_small_tiles(name)
    with threadpool_limits(1):
        alone = everything(mod, name in BIASED)
        calls: list[int] = []

        def three() -> tuple[int, SimpleNamespace]:
            calls.append(1)
            return 3, SimpleNamespace(restore_original_limits=lambda: None)

        monkeypatch.setattr(mod, "_held", three)
        together = everything(mod, name in BIASED)
    assert len(calls) >= 4
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_sum_that_skips_a_tile_is_noticed(monkeypatch):
    mod = in_small_tiles("relu")
    whole = everything(mod, biases=True)
    ordered = mod._add_up
    monkeypatch.setattr(
        mod, "_add_up", lambda work, n, m, crew, totals: ordered(work, n - 8, m, crew, totals)
    )
    with threadpool_limits(1):
        cut = everything(mod, biases=True)
    assert not any(np.array_equal(x, y) for x, y in zip(whole, cut, strict=True))


def test_blas_is_held_to_one_thread_and_let_go():
    mod = module("relu")
    with threadpool_limits(2):
        before = threads_of_blas()
        if max(before) == 1:
            pytest.skip("BLAS of this machine has one thread")
        with mod._shared(10**7) as crew:
            assert crew.pool is not None
            assert set(threads_of_blas()) == {1}
            with mod._shared(10**7) as inner:  # as if called at once by someone else
                assert inner is mod.ALONE
        assert threads_of_blas() == before
        with mod._shared(1000) as crew:
            assert crew is mod.ALONE
            assert threads_of_blas() == before
        with pytest.raises(ZeroDivisionError), mod._shared(10**7) as crew:
            list(crew.map(lambda _: 1 // 0, [(slice(0), slice(0))] * 5))
        assert threads_of_blas() == before


def test_calls_at_once_leave_blas_as_it_was():
    mod = module("relu")
    with threadpool_limits(2):
        before = threads_of_blas()
        entered, leave = Event(), Event()

        def first() -> None:
            with mod._shared(10**7):
                entered.set()
                leave.wait(60)

        thread = Thread(target=first)
        thread.start()
        assert entered.wait(60)
        with mod._shared(10**7):
            leave.set()
            thread.join(60)
        assert threads_of_blas() == before


def test_without_threadpoolctl_nothing_is_shared(monkeypatch):
    mod = module("relu")
    monkeypatch.setattr(mod, "_blas", lambda: None)
    with mod._shared(10**9) as crew:
        assert crew is mod.ALONE


def test_threads_obey_the_callers_errstate(monkeypatch):
    mod = module("relu")
    monkeypatch.setattr(
        mod, "_held", lambda: (2, SimpleNamespace(restore_original_limits=lambda: None))
    )

    def work(place: tuple[slice, slice]) -> tuple[np.ndarray, ...]:
        return (np.ones(3)[place[0]] / np.zeros(3)[place[1]],)

    places = [(slice(0, 1), slice(0, 1))] * 3
    with mod._shared(10**9) as crew:
        with np.errstate(divide="ignore"):
            assert [x[0] for x in crew.map(work, places)] == [np.inf] * 3
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
            list(crew.map(work, places))


def test_threads_keep_few_tiles_in_memory(monkeypatch):
    mod, M, d = module("relu"), 64, 8
    monkeypatch.setattr(
        mod, "_held", lambda: (2, SimpleNamespace(restore_original_limits=lambda: None))
    )
    target = mod.Target(draw(50, d))
    N = 60_000
    target.nodes = mod._nodes("W", draw(N, d), np.ones((N, 1)))  # spares the O(N²) term
    tracemalloc.start()
    with threadpool_limits(1):
        mod.loss_and_grad(target, draw(M, d, seed=1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 6 * 8 * mod.TILE + 8 * 8 * N < 8 * N * M


# ---- narrow products in strips -------------------------------------------------------------------


def in_strips_and_at_once(M: int, monkeypatch) -> list[list[np.ndarray]]:
    """Values and gradients of 100 nodes with both products, from tiles of up to 50 rows."""
    source = generated("relu").source.replace("TILE = 1 << 17", f"TILE = {50 * M}")
    mod = Generated(generated("relu").activation, source).load()
    W, Theta = draw(100, 400) / 6, draw(M, 400, seed=1) / 6
    W[3], W[60], W[70] = Theta[0], -Theta[M - 1], 0.0
    monkeypatch.setattr(mod, "FEW", 0)
    monkeypatch.setattr(mod, "_held", lambda: (1, None))
    found = []
    for kind in (False, True):
        monkeypatch.setattr(mod, "_avx512", lambda kind=kind: kind)
        nodes = mod._nodes("W", W, np.ones((100, 1))), mod._nodes("Θ", Theta, np.ones((M, 1)))
        assert bool(mod._strip(*nodes, M)) is kind
        found.append([*mod._values_and_pulls(*nodes), *mod.loss_and_grad(W, Theta)])
    return found


@pytest.mark.parametrize("M", [1, 3, 64])
def test_strips_give_the_products(M, monkeypatch):
    at_once, in_strips = in_strips_and_at_once(M, monkeypatch)
    for one, other in zip(at_once, in_strips, strict=True):
        scale = np.abs(one).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13 * scale + 1e-17)


def test_a_strip_left_out_is_noticed():
    source = generated("relu").source
    cut = source.replace("    np.matmul(rows[whole:], u, out=t.rho[:, whole:].T)\n", "")
    assert cut != source
    mod = Generated(generated("relu").activation, cut).load()
    rows, others = draw(50, 400), mod._nodes("Θ", draw(3, 400, seed=1), np.ones((3, 1)))
    whole = module("relu")
    found = []
    for each in (mod, whole):
        t = each._Tile(*np.zeros((6, 3, 50)))
        each._multiply(rows, others, 24, t)
        found.append(np.abs(t.rho - (others.rows * others.inverse[:, None]) @ rows.T).max())
    assert found[1] < 1e-14 < 1e-3 < found[0]


def test_strips_are_for_narrow_products_of_long_rows_alone(monkeypatch):
    mod = module("relu")
    monkeypatch.setattr(mod, "_avx512", lambda: True)

    def strip(n: int, m: int, d: int, order: str = "C") -> int:
        some, others = (
            mod._Nodes(np.asarray(np.empty((k, d)), order=order), *[np.empty(0)] * 3, 0.0)
            for k in (n, m)
        )
        return mod._strip(some, others, m)

    assert (strip(20_000, 64, 512), strip(20_000, 64, 1500)) == (24, 10)
    cases = [(20_000, 65, 512), (20_000, 64, 300), (20_000, 64, 2000), (2000, 64, 512)]
    assert {strip(*case) for case in cases} == {strip(20_000, 64, 512, "F")} == {0}


def test_strips_ask_for_openblas_with_avx512(monkeypatch):
    mod = module("relu")
    for kind, wanted in (("SkylakeX", True), ("Haswell", False), (None, False)):
        each = SimpleNamespace(architecture=kind) if kind else SimpleNamespace()
        monkeypatch.setattr(mod, "_blas", lambda each=each: SimpleNamespace(lib_controllers=[each]))
        assert mod._avx512.__wrapped__() is wanted
    monkeypatch.setattr(mod, "_blas", lambda: None)
    assert mod._avx512.__wrapped__() is False


# ---- networks without nodes ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ENGINES)
def test_a_network_without_nodes_is_zero(name):
    mod, W, none = module(name), draw(4, 3), np.empty((0, 3))
    energy = mod.Target(W).energy
    assert energy > 0
    assert mod.loss(W, none) == mod.loss(none, W) == energy
    assert mod.loss(none, none) == mod.Target(none).energy == 0
    assert mod.Target(none, expand=True).energy == 0
    value, by_theta, by_b = mod.loss_and_grad(W, none)
    assert (value, by_theta.shape, by_b.shape) == (energy, (0, 3), (0,))
    assert mod.loss_and_grad(none, W)[0] == pytest.approx(energy, rel=1e-15)
    assert mod.loss_and_grad(W, none, np.ones((4, 2)), np.ones((0, 2)))[2].shape == (0, 2)
    origin = np.zeros(3)
    assert mod.simplified(0.5, origin, none) == mod.simplified_and_grad(0.5, origin, none)[0]
    assert mod.kernel(W, none).shape == (4, 0)
    assert mod.kernel(none, none).shape == (0, 0)
    bound = mod.loss(W, none, return_error=True)[1]
    assert 0 < bound < 1e-12
    by_theta, by_b = mod.hessian_vector_product(W, none, none)
    assert (by_theta.shape, by_b.shape) == ((0, 3), (0,))


@pytest.mark.parametrize("name", BIASED)
def test_a_network_without_nodes_is_zero_beside_biases(name):
    mod, W, s, none = module(name), draw(4, 3), draw(4, seed=1), np.empty((0, 3))
    value, by_theta, by_b, by_t = mod.loss_and_grad(W, none, s=s, t=[])
    assert value == mod.Target(W, s=s).energy == mod.loss(none, W, t=s) > 0
    assert (by_theta.shape, by_b.shape, by_t.shape) == ((0, 3), (0,), (0,))


# ---- a network beside its copy -------------------------------------------------------------------


def losses_of_copies(mod: ModuleType, biases: bool) -> list[float]:
    W, a, s = draw(300, 5), draw(300, seed=1), draw(300, seed=2)
    found = [mod.loss(W, W), mod.loss(W, W, a, a), mod.loss_and_grad(W, W, a, a)[0]]
    if biases:
        found += [mod.loss(W, W, a, a, s=s, t=s), mod.loss_and_grad(W, W, a, a, s=s, t=s)[0]]
    return found


@pytest.mark.parametrize("name", ENGINES)
def test_the_loss_of_a_copy_is_zero_and_its_gradient_too(name):
    mod = module(name)
    assert set(losses_of_copies(mod, name in BIASED)) == {0.0}
    W, a = draw(300, 5), draw(300, seed=1)
    assert all(not gradient.any() for gradient in mod.loss_and_grad(W, W, a, a)[1:])
    other = W.copy()
    other[7, 3] += 0.1
    assert mod.loss(W, other) > 0


def test_without_the_comparison_rounding_is_left(monkeypatch):
    mod = module("relu")
    monkeypatch.setattr(mod, "_same", lambda *_: False)
    assert max(losses_of_copies(mod, biases=True)) > 0
