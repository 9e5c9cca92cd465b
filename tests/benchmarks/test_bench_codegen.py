"""What the gradient costs beside the two matrix products it cannot avoid.

Nothing is asserted of time. On a busy machine the threads of the matrix products wait for each
other and the figures mean little; OPENBLAS_NUM_THREADS=1 steadies them.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pytest

import symcomp

N, D, M = 20_000, 512, 64
ROUNDS = 5


def medians(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Milliseconds, interleaved, so that whatever else the machine does hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = perf_counter()
            call()
            times[name].append(perf_counter() - start)
    return {name: 1e3 * float(np.median(found)) for name, found in times.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_gradient_beside_two_products(name, capsys):
    module = symcomp.generate(name).load()
    rng = np.random.default_rng(0)
    W, Theta, S = (rng.standard_normal(shape) / D**0.5 for shape in ((N, D), (M, D), (N, M)))
    target = module.Target(W[:50])
    target.nodes = module._nodes("W", W, np.ones((N, 1)))  # without its O(N²) term
    C, G = np.empty((N, M)), np.empty((M, D))

    def products() -> None:
        np.matmul(W, Theta.T, out=C)
        np.matmul(S.T, W, out=G)

    found = medians(
        {
            "W Θᵀ and Sᵀ W": products,
            "loss": lambda: module.loss(target, Theta),
            "loss_and_grad": lambda: module.loss_and_grad(target, Theta),
        }
    )
    two = found["W Θᵀ and Sᵀ W"]
    with capsys.disabled():
        print(f"\n{name}, N = {N}, d = {D}, M = {M}, medians of {ROUNDS}:")
        for call, time in found.items():
            print(f"  {call:15} {time:8.1f} ms   {time / two:5.2f} of the two products")
    assert np.isfinite(module.loss_and_grad(target, Theta)[0])
