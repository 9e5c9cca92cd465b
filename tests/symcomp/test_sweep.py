import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest

import symcomp
from proofs_checks import oracles
from symcomp.errors import ArgumentError
from symcomp.networks import draw_weights
from symcomp.runs import Run, Table
from symcomp.sweep import grid, measure, sweep
from tests.comparison import compare

RUNS = grid(d=(4, 6), N=(20, 40), M=(2, 3), beta=(0.0, 0.4), starts=1)


@pytest.fixture(scope="module")
def rows():
    return {run: measure(run) for run in RUNS}


def test_the_grid():
    assert len(RUNS) == 16 == len(set(RUNS))
    assert Run("relu", "gaussian", 6, 40, 3, 0.4, 0, 1) in RUNS


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"law": ("cauchy",)}, "law is 'cauchy'"),
        ({"d": (2,), "M": (4,)}, "d is 2; expected at least M = 4"),
        ({"N": (0,)}, "N is 0"),
        ({"beta": (1.5,)}, "beta is 1.5"),
        ({"activation": ("tanh",)}, "activation: found tanh"),
        ({"seeds": 0}, "seeds is 0"),
    ],
)
def test_bad_grids(axes, message):
    with pytest.raises(ArgumentError, match=message):
        grid(**axes)


def test_a_row_against_its_definitions(rows):
    """Losses by the enclosure, F by E4's closed form, and what must lie below what."""
    points = []
    for run, row in rows.items():
        W = draw_weights(run.N, run.d, beta=run.beta, seed=run.seed)
        best = symcomp.optimum("relu", run.M, beta=run.beta)
        mu = run.beta * np.eye(run.d)[0]
        net = symcomp.TwoLayerNetwork(W)
        start = symcomp.TwoLayerNetwork(best.weights(mu, np.random.default_rng(run.seed)))
        points.append((run, row.at_optimum, float(symcomp.loss_enclosure(net, start).mid())))
        points.append((run, row.simplified, float(best.value)))
        assert row.gap == row.at_optimum - row.minimum >= 0
        assert np.shape(json.loads(row.gram)) == (run.M, run.M)
        assert abs(np.sqrt(row.at_optimum) - np.sqrt(row.simplified)) < row.xi
    compare(points, rtol=1e-11, min_points=32)


def test_xi_by_quadrature(rows):
    """|f_N - g|² from the bare definition: E σ σ by quadrature of mpmath, node by node."""
    run = Run("relu", "gaussian", 4, 20, 2, 0.4, 0, 1)
    W = draw_weights(run.N, run.d, beta=run.beta, seed=run.seed)

    def relu(x):
        return max(x, 0)

    def expectation(qu, qv, c):
        return float(oracles.homogeneous(relu, relu, 2, qu, qv, c, 15))

    cross = np.mean([expectation(1.0, float(w @ w), float(run.beta * w[0])) for w in W])
    own = expectation(1.0, 1.0, run.beta**2)
    xi = np.sqrt(rows[run].energy - 2 * cross + own)
    compare([("xi", rows[run].xi, xi)], rtol=1e-9)


@pytest.mark.parametrize("kind", ["here", "threads", "processes"])
def test_executors_give_the_same_rows(tmp_path, rows, kind):
    wanted = RUNS[:4]
    table = Table(tmp_path / "runs.csv")
    seen = []
    if kind == "here":
        count = sweep(wanted, table, progress=seen.append)
    elif kind == "threads":
        with ThreadPoolExecutor(2) as pool:
            count = sweep(wanted, table, pool, seen.append, ahead=2)
    else:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            count = sweep(wanted, table, pool, seen.append)
    assert count == 4 == len(seen)
    got = {row.run: timeless(row) for row in Table(table.path).rows}
    assert got == {run: timeless(rows[run]) for run in wanted}


def timeless(row):
    return replace(row, target_seconds=0.0, minimise_seconds=0.0)


def test_a_sweep_resumes(tmp_path):
    table = Table(tmp_path / "runs.csv")

    def stop(_):
        if len(table.rows) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(RUNS[:5], table, progress=stop)
    again = Table(table.path)
    assert [row.run for row in again.rows] == RUNS[:2]
    assert sweep(RUNS[:5], again) == 3
    assert [row.run for row in Table(table.path).rows] == RUNS[:5]
    assert sweep(RUNS[:5], Table(table.path)) == 0


def test_a_run_that_fails_keeps_the_others(tmp_path):
    broken = replace(RUNS[0], law="cauchy")
    table = Table(tmp_path / "runs.csv")
    with pytest.raises(ArgumentError, match="law is 'cauchy'"):
        sweep([RUNS[0], broken, RUNS[1]], table)
    assert [row.run for row in Table(table.path).rows] == RUNS[:1]


@pytest.mark.slow
def test_a_dask_worker_killed_in_mid_run_loses_no_row(tmp_path):
    address_file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
             "--port", "0", "--no-dashboard", "--scheduler-file", str(address_file)],
            **quiet,
        )
    ]  # fmt: skip
    try:
        wait_for(address_file.exists)
        address = json.loads(address_file.read_text())["address"]
        processes += [
            subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny",
                 "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"],
                **quiet,
            )
            for _ in range(2)
        ]  # fmt: skip
        table = Table(tmp_path / "runs.csv")
        victim = processes[1]

        def kill(_):
            if victim.poll() is None:
                os.kill(victim.pid, signal.SIGKILL)
                victim.wait()

        from distributed import Client

        with Client(address, timeout="60s") as client:
            client.wait_for_workers(2, timeout=60)
            count = sweep(RUNS, table, client.get_executor(pure=False), kill)
        assert victim.returncode == -signal.SIGKILL
        assert count == len(RUNS)
        assert {row.run for row in Table(table.path).rows} == set(RUNS)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the scheduler did not start"
        time.sleep(0.1)
