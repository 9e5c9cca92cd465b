"""Sums over many nodes, shared among threads."""

import sys
import threading
import tracemalloc

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from symcomp.codegen.loading import executed
from tests.comparison import compare
from tests.generated import generated, module

N, D, M = 9000, 7, 40
RNG = np.random.default_rng(5)
W, THETA = RNG.standard_normal((N, D)) / 3, RNG.standard_normal((M, D)) / 3
A, B = RNG.standard_normal(N), RNG.standard_normal(M)


@pytest.fixture
def mod(monkeypatch):
    """ReLU's module as it is where BLAS has two threads."""
    monkeypatch.setattr(module(), "_threads", lambda: 2)
    with threadpool_limits(2, "blas"):
        yield module()


def blas_threads():
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def double_sums(mod):
    """The energy and the loss from the entries of three kernel matrices."""
    blocks = [slice(i, i + 1000) for i in range(0, N, 1000)]
    energy = sum(float(A[i] @ mod.kernel(W[i], W) @ A) for i in blocks) / N**2
    cross, own = A @ mod.kernel(W, THETA) @ B, B @ mod.kernel(THETA, THETA) @ B
    return energy, energy - 2 * cross / (N * M) + own / M**2


def bits(results):
    return [np.asarray(x).tobytes() for x in results]


@pytest.mark.parametrize("name", ["relu", "erf", "tanh"])
def test_results_do_not_depend_on_the_number_of_threads(name, monkeypatch):
    mod = generated(name).load()
    target = mod.Target(W[:2])
    target.nodes = mod._nodes("W", W, A[:, None])  # the energy of so many would take long
    move = RNG.standard_normal((M, D))
    found = []
    with threadpool_limits(1, "blas"):
        for count in (1, 2, 5):
            monkeypatch.setattr(mod, "_threads", lambda count=count: count)
            curved = mod.hessian_vector_product(target, THETA, move, B, b=B)
            found.append(bits([*mod.loss_and_grad(target, THETA, b=B), *curved]))
    assert found[0] == found[1] == found[2]


def test_all_nodes_are_summed_once(mod):
    target = mod.Target(W, A)
    found = target.energy, mod.loss(target, THETA, b=B)
    compare(zip(("energy", "loss"), found, double_sums(mod), strict=True), rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 1023, 1024, 1025, 8192, 8193, 9217, 100_000])
def test_strands_are_whole_tiles_in_order(rows):
    strands = module()._strands(module()._nodes("W", np.ones((rows, 1)), np.ones((rows, 1))))
    sizes = [len(strand.rows) for strand in strands]
    assert sum(sizes) == rows
    assert len(sizes) == min(-(-rows // 1024), 8)
    assert all(size % 1024 == 0 for size in sizes[:-1])


def test_strands_that_leave_nodes_out_are_seen():
    source = generated("relu").source
    assert source.count("blocks * k // STRANDS") == 1
    mutant = executed("mutant", source.replace("* k // STRANDS", "* k // (STRANDS + 1)"))
    with pytest.raises(AssertionError):
        compare([("loss", mutant.loss(W, THETA, A, B), double_sums(mutant)[1])], rtol=1e-12)


def test_two_strands_run_at_a_time_with_one_blas_thread_each(mod):
    meeting = threading.Barrier(2, timeout=60)
    seen = []

    def strand(_source, _probe):
        meeting.wait()
        seen.append(blas_threads())
        meeting.wait()
        return threading.get_ident()

    nodes = mod._nodes("W", W, A[:, None])
    threads = mod._each(strand, mod._strands(nodes), nodes)
    assert len(set(threads)) == 2
    assert seen == [{1}] * 8
    assert blas_threads() == {2}


def test_blas_has_its_threads_back_after_an_error(mod):
    def strand(_source, _probe):
        raise ValueError("no")

    nodes = mod._nodes("W", W, A[:, None])
    with pytest.raises(ValueError, match="no"):
        mod._each(strand, mod._strands(nodes), nodes)
    assert blas_threads() == {2}
    assert not mod._limiting.locked()


def test_a_second_caller_does_not_wait(mod):
    expected = mod.loss_and_grad(W[:3000], THETA)
    with mod._limiting:
        found = mod.loss_and_grad(W[:3000], THETA)
    compare([("loss", found[0], expected[0])], rtol=1e-12)


def test_few_pairs_start_no_threads(mod, monkeypatch):
    monkeypatch.setattr(mod, "ThreadPoolExecutor", None)
    small, large = mod.Target(W[:3000], expand=True), mod.Target(W, expand=True)
    mod.loss_and_grad(small, THETA)
    with pytest.raises(TypeError):
        mod.loss_and_grad(large, THETA)


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_eight_threads_need_little_memory(name, monkeypatch):
    mod, nodes = generated(name).load(), 64
    monkeypatch.setattr(mod, "_threads", lambda: 8)
    target, Theta = mod.Target(W[:2]), RNG.standard_normal((nodes, D))
    target.nodes = mod._nodes("W", W, A[:, None])
    tracemalloc.start()
    mod.loss_and_grad(target, Theta)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 8 * 8 * mod.TILE < peak < 2**26


def test_without_threadpoolctl_blas_keeps_its_threads(monkeypatch):
    mod = executed("alone", generated("relu").source)
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert mod._threads() == 1
    compare([("loss", mod.loss(W, THETA, A, B), module().loss(W, THETA, A, B))], rtol=1e-12)


def test_as_many_threads_as_blas_may_use():
    for count in (1, 2):
        with threadpool_limits(count, "blas"):
            assert module()._threads() == count
