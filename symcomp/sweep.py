"""Experiments: the exact loss against the simplified objective over a grid of runs (S7, S8, E8)."""

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from functools import lru_cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

import symcomp
from symcomp.codegen import generate
from symcomp.compression import minimise
from symcomp.errors import ArgumentError
from symcomp.networks import LAWS, TwoLayerNetwork, check_count, draw_weights
from symcomp.optima import optimum
from symcomp.problems import Inputs, Problem
from symcomp.runs import Row, Run, Table

__all__ = ["grid", "measure", "sweep"]

_BLOCK = 4096  # rows of the target treated at a time
TOL = 1e-6  # of the gradient, so that a minimum is right to its square, some 1e-12


def grid(
    activation: Sequence[str] = ("relu",),
    law: Sequence[str] = ("gaussian",),
    d: Sequence[int] = (32,),
    N: Sequence[int] = (1000,),
    M: Sequence[int] = (4,),
    beta: Sequence[float] = (0.0,),
    seeds: int = 1,
    starts: int = 2,
) -> list[Run]:
    """Every combination of the arguments, with seeds 0 .. seeds - 1.

    A run descends from `starts` random starts and from the optimum of F.

    Raises ArgumentError for an unknown law, a number out of range, a dimension without room for M
    neurons (d >= M), and an activation for which `optimum` knows no best network.
    """
    for name, values in (("d", d), ("N", N), ("M", M), ("seeds", (seeds,))):
        for value in values:
            check_count(name, value)
    check_count("starts", starts, 0)
    for name in law:
        if name not in LAWS:
            raise ArgumentError(f"law is {name!r}; expected one of {tuple(LAWS)}")
    if min(d) < max(M):
        raise ArgumentError(f"d is {min(d)}; expected at least M = {max(M)}")
    for act, m, b in itertools.product(activation, M, beta):
        optimum(act, m, beta=b, digits=15)
    return [
        Run(*point, starts)
        for point in itertools.product(activation, law, d, N, M, map(float, beta), range(seeds))
    ]


def measure(run: Run, tol: float = TOL) -> Row:
    """Draw the target of a run, minimise its L_N, and compare with the optimum of F.

    tol bounds the gradient of L_N/|f_N|² at the minimum, as in `minimise`.
    """
    module = _module(run.activation)
    best = optimum(run.activation, run.M, beta=run.beta, digits=20)
    mu = np.zeros(run.d)
    mu[0] = run.beta
    begun = time.perf_counter()
    W = draw_weights(run.N, run.d, run.law, beta=run.beta, seed=run.seed)
    problem = Problem.of(TwoLayerNetwork(W), Inputs.standard(run.d), module)
    ready = time.perf_counter()
    start = best.weights(mu, np.random.default_rng(run.seed))
    found = minimise(problem, run.M, starts=run.starts, seed=run.seed, first=start, tol=tol)
    done = time.perf_counter()
    at_optimum = problem.slopes(start, np.ones(run.M))[0]
    units = found.Theta / found.norms[:, None]
    return Row(
        **asdict(run),
        minimum=found.value,
        at_optimum=at_optimum,
        simplified=float(best.value),
        gap=at_optimum - found.value,
        energy=problem.scale,
        energy_error=problem.error,
        xi=_distance(problem, mu),
        gradient_norm=found.gradient_norm,
        cosine=float(units[:, 0].mean()),
        radius=float(found.norms.mean()),
        gram=json.dumps(np.round(found.gram, 12).tolist()),
        target_seconds=ready - begun,
        minimise_seconds=done - ready,
        version=symcomp.__version__,
    )


def _distance(problem: Problem, mu: NDArray[np.float64]) -> float:
    """|f_N - g| for τ = 1.

    With a coordinate more, f_N and g meet as f_N and the unit node (μ, s), s² = 1 - |μ|², which g
    is the mean of over that coordinate; with two more, g meets itself as (μ, s, 0) and (μ, 0, s).
    """
    s = np.sqrt(max(1.0 - float(mu @ mu), 0.0))
    node = np.append(mu, s)[None, :]
    W, kernel = problem.nodes, problem.module.kernel
    blocks = (W[i : i + _BLOCK] for i in range(0, len(W), _BLOCK))
    cross = sum(float(kernel(np.pad(w, ((0, 0), (0, 1))), node).sum()) for w in blocks)
    own = float(kernel([[*mu, s, 0.0]], [[*mu, 0.0, s]])[0, 0])
    return float(np.sqrt(max(problem.scale - 2.0 * cross / len(W) + own, 0.0)))


@lru_cache(maxsize=8)
def _module(activation: str) -> ModuleType:
    return generate(activation).load()


def sweep(
    runs: Iterable[Run],
    table: Table,
    executor: Executor | None = None,
    progress: Callable[[Row], None] | None = None,
    ahead: int = 64,
) -> int:
    """Measure the runs that the table has no row of, and append each row as soon as it is there.

    executor is any concurrent.futures executor, such as that of a Dask client; None measures here,
    one run after the other. At most `ahead` runs wait in it at a time. progress is called with each
    new row. Returns how many were measured. An interrupt loses the runs in progress and no row;
    the same call resumes. A run that raises stops the sweep once the rows at hand are written.
    """
    todo = (run for run in dict.fromkeys(runs) if run not in table)
    if executor is None:
        return _collect(map(measure, todo), table, progress)
    return _collect(_answers(todo, executor, ahead), table, progress)


def _collect(rows: Iterable[Row], table: Table, progress: Callable[[Row], None] | None) -> int:
    count = 0
    for row in rows:
        table.append(row)
        if progress is not None:
            progress(row)
        count += 1
    return count


def _answers(todo: Iterator[Run], executor: Executor, ahead: int) -> Iterator[Row]:
    """Rows in the order in which they are ready; what waits is cancelled on the way out.

    Not in a pool of processes, which Python 3.11 breaks if its workers die of the same interrupt:
    there whoever made it shuts it down.
    """
    pending: set[Future[Row]] = set()
    try:
        while True:
            for run in itertools.islice(todo, ahead - len(pending)):
                pending.add(executor.submit(measure, run))
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        if not isinstance(executor, ProcessPoolExecutor):
            for future in pending:
                future.cancel()
