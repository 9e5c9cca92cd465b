"""A race to the minimum of L_N: symcomp, SciPy on the textbook loss, torch's Adam, greedy pursuit.

    python -m tests.benchmarks.compression_race -o reports/compression-benchmarks.md

All start from the same random point, but for compress, which has its own eight starts, and the
pursuit, which needs none; they take turns, and times are medians over the rounds. Every final loss
is computed by the generated module. A contender's time to 1e-8 is when its own loss first came
within a relative 1e-8 of a reference: the least final loss of all, or the one that it ended at
itself (L_N has many minima of nearly the same depth). Times are of one processor, whatever else the
machine does: run it with OPENBLAS_NUM_THREADS=1. torch is optional.
"""

import argparse
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls

from symcomp import TwoLayerNetwork, compression
from symcomp.networks import draw_weights
from symcomp.problems import Inputs, Problem

torch: Any = import_module("torch") if find_spec("torch") else None

Array = NDArray[np.float64]

ACCURACY = 1e-8
LIMIT = 4.0  # seconds of one processor for each contender and round


@dataclass(frozen=True)
class Case:
    """A random ReLU target and how it is compressed: b = 1 ("one"), or b free ("free")."""

    N: int
    d: int
    M: int
    beta: float
    signs: str
    seed: int = 0

    def __str__(self) -> str:
        outer = "b = 1" if self.signs == "one" else "b free, a_i = ±1"
        return f"N = {self.N}, d = {self.d}, M = {self.M}, β = {self.beta}, {outer}"


CASES = (
    Case(200, 10, 4, 0.0, "one"),
    Case(1000, 20, 8, 0.5, "one"),
    Case(2000, 50, 5, 0.0, "one"),
    Case(300, 12, 6, 0.0, "free"),
    Case(1000, 30, 10, 0.3, "free"),
)


@dataclass
class Trace:
    """The seconds and losses of one run, as it saw them, and where it ended."""

    started: float = field(default_factory=process_time)
    points: list[tuple[float, float]] = field(default_factory=list)
    end: tuple[Array, Array] | None = None

    def see(self, loss: float) -> None:
        self.points.append((process_time() - self.started, loss))

    def late(self) -> bool:
        return process_time() - self.started > LIMIT

    def reached(self, level: float) -> float:
        """Seconds until the loss was first at most level, or infinity."""
        return next((t for t, loss in self.points if loss <= level), np.inf)


class TooLateError(Exception):
    """The time of a contender is up."""


@dataclass(frozen=True)
class Setting:
    """What every contender is given: the target, its prepared constants, and the start."""

    case: Case
    net: TwoLayerNetwork
    problem: Problem
    Theta: Array
    b: Array

    @property
    def one(self) -> bool:
        """b = 1."""
        return self.case.signs == "one"

    def judge(self, end: tuple[Array, Array]) -> float:
        """L_N by the generated module."""
        return float(self.problem.module.loss(self.problem.target, end[0], None, end[1]))


def setting(case: Case) -> Setting:
    """The target's N² term is computed for all, outside their time."""
    W = draw_weights(case.N, case.d, beta=case.beta, seed=case.seed)
    rng = np.random.default_rng(case.seed + 1)
    a = np.ones(case.N) if case.signs == "one" else rng.choice([-1.0, 1.0], case.N)
    net = TwoLayerNetwork(W, a)
    problem = Problem.of(net, Inputs.of(np.zeros(case.d), np.eye(case.d)))
    Theta = rng.standard_normal((case.M, case.d)) / np.sqrt(case.d)
    b = np.ones(case.M) if case.signs == "one" else rng.standard_normal(case.M)
    return Setting(case, net, problem, Theta, b)


# ---- contenders ----------------------------------------------------------------------------------


def with_symcomp(given: Setting, trace: Trace) -> None:
    signs, own = None if given.one else "free", given.problem.scale
    run = compression._run(
        given.problem, given.Theta, signs, compression.TOL, lambda x: trace.see(x * own)
    )
    trace.end = run.X, run.b


def with_all_starts(given: Setting, trace: Trace) -> None:
    """What compress does by default, its own starts; the N² term is within its time."""
    own, least, signs = given.problem.scale, [np.inf], "positive" if given.one else "free"

    def watch(progress: compression.Progress) -> None:
        least[0] = min(least[0], progress.relative_loss * own)
        trace.see(least[0])

    small = compression.compress(
        given.net, given.case.M, signs=signs, module=given.problem.module, watch=watch
    )
    trace.end = small.network.W, small.network.a


def _parts(given: Setting, x: Array) -> tuple[Array, Array]:
    inner = given.Theta.size
    return x[:inner].reshape(given.Theta.shape), x[inner:] if len(x) > inner else given.b


def _start(given: Setting) -> Array:
    return given.Theta.ravel() if given.one else np.append(given.Theta, given.b)


def textbook(given: Setting, Theta: Array, b: Array) -> float:
    """(S0) with the arc-cosine formula as it is printed, the N² term a constant."""

    def kernel(U: Array, V: Array) -> Array:
        p, q = np.linalg.norm(U, axis=1), np.linalg.norm(V, axis=1)
        rho = np.clip(U @ V.T / np.outer(p, q), -1, 1)
        angle = np.arccos(rho)
        return np.outer(p, q) * (np.sqrt(1 - rho**2) + rho * (np.pi - angle)) / (2 * np.pi)

    N, M = given.case.N, given.case.M
    cross = given.net.a @ kernel(given.net.W, Theta) @ b / (N * M)
    return float(given.problem.scale - 2 * cross + b @ kernel(Theta, Theta) @ b / M**2)


def with_scipy_differences(given: Setting, trace: Trace) -> None:
    _with_scipy(given, trace, lambda x: textbook(given, *_parts(given, x)), jac=None)


def with_scipy_autograd(given: Setting, trace: Trace) -> None:
    loss = _torch_loss(given)

    def both(x: Array) -> tuple[float, Array]:
        point = torch.tensor(x, requires_grad=True)
        value = loss(point)
        value.backward()
        return value.item(), point.grad.numpy()

    _with_scipy(given, trace, both, jac=True)


def _with_scipy(given: Setting, trace: Trace, f: Callable[..., Any], jac: bool | None) -> None:
    last = [_start(given)]

    def watched(x: Array) -> Any:
        if trace.late():
            raise TooLateError
        return f(x)

    def callback(intermediate_result: Any) -> None:
        last[0] = intermediate_result.x.copy()
        trace.see(float(intermediate_result.fun))

    options = {"maxiter": 20_000, "maxfun": 10**8, "ftol": 1e-16, "gtol": 1e-10}
    with suppress(TooLateError):
        minimize(watched, last[0], jac=jac, method="L-BFGS-B", callback=callback, options=options)
    trace.end = _parts(given, last[0])


def _torch_loss(given: Setting) -> Callable[[Any], Any]:
    W, a = torch.tensor(given.net.W), torch.tensor(given.net.a)
    lengths, N, M = W.norm(dim=1), given.case.N, given.case.M
    inner, shape, fixed = given.Theta.size, given.Theta.shape, torch.tensor(given.b)
    off = 1 - torch.eye(M, dtype=torch.float64)

    def h(rho: Any) -> Any:
        # clamped short of ±1, where arccos has no gradient
        rho = rho.clamp(-1 + 1e-14, 1 - 1e-14)
        return (torch.sqrt(1 - rho**2) + rho * (torch.pi - torch.arccos(rho))) / (2 * torch.pi)

    def loss(x: Any) -> Any:
        Theta = x[:inner].reshape(shape)
        b = x[inner:] if len(x) > inner else fixed
        r = Theta.norm(dim=1)
        U = Theta / r[:, None]
        c = b * r / M
        cross = ((a * lengths) @ h(W @ U.T / lengths[:, None])) @ c / N
        gram = (U @ U.T) * off
        own = c @ (h(gram) * off) @ c + 0.5 * (c**2).sum()
        return given.problem.scale - 2 * cross + own

    return loss


def with_adam(given: Setting, trace: Trace) -> None:
    """5000 steps, the rate from 0.02 down to 0 by a half cosine."""
    loss, steps = _torch_loss(given), 5000
    x = torch.tensor(_start(given), requires_grad=True)
    adam = torch.optim.Adam([x], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        adam.zero_grad()
        value = loss(x)
        trace.see(value.item())
        value.backward()
        adam.step()
        schedule.step()
        if trace.late():
            break
    trace.end = _parts(given, x.detach().numpy())


def with_pursuit(given: Setting, trace: Trace) -> None:
    """Orthogonal matching pursuit over the target's rows: the best aligned, then all weights."""
    M, N = given.case.M, given.case.N
    units = given.net.W / np.linalg.norm(given.net.W, axis=1, keepdims=True)
    pull = given.problem.module.kernel(units, given.net.W) @ given.net.a / N  # E f_N σ(<u, x>)
    chosen: list[int] = []
    c = np.zeros(0)
    for _ in range(M):
        left = (
            pull - given.problem.module.kernel(units, units[chosen]) @ c if chosen else pull.copy()
        )
        left[chosen] = -np.inf
        chosen.append(int(np.argmax(left if given.one else np.abs(left))))
        gram = given.problem.module.kernel(units[chosen], units[chosen])
        if given.one:
            root = np.linalg.cholesky(gram + 1e-13 * np.eye(len(chosen)))
            c = nnls(root.T, np.linalg.solve(root, pull[chosen]))[0]
        else:
            c = np.linalg.lstsq(gram, pull[chosen])[0]
    Theta, b = (c[:, None] * units[chosen] * M, np.ones(M))
    if not given.one:
        Theta, b = units[chosen], c * M
    trace.end = Theta, b
    trace.see(given.judge(trace.end))


CONTENDERS: dict[str, Callable[[Setting, Trace], None]] = {
    "symcomp, this start": with_symcomp,
    "symcomp.compress, 8 starts": with_all_starts,
    "SciPy L-BFGS-B, differences": with_scipy_differences,
}
if torch:
    CONTENDERS["SciPy L-BFGS-B, torch gradient"] = with_scipy_autograd
    CONTENDERS["torch Adam"] = with_adam
CONTENDERS["greedy matching pursuit"] = with_pursuit


# ---- the race ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """Medians over the rounds."""

    name: str
    loss: float
    seconds: float
    to_best: float
    to_own: float


def race(case: Case, rounds: int) -> list[Result]:
    """All contenders in turn, rounds times."""
    given = setting(case)
    start = given.judge((given.Theta, given.b))
    # with b = 1 one start is as good as another; with free signs it is not
    entered = [name for name, f in CONTENDERS.items() if f is not with_all_starts or not given.one]
    traces: dict[str, list[Trace]] = {name: [] for name in entered}
    for _ in range(rounds):
        for name in traces:
            trace = Trace()
            trace.see(start)
            CONTENDERS[name](given, trace)
            trace.see(trace.points[-1][1])
            traces[name].append(trace)
    losses = {name: min(given.judge(t.end) for t in runs if t.end) for name, runs in traces.items()}
    best = min(losses.values())
    return [
        Result(
            name,
            losses[name],
            float(np.median([t.points[-1][0] for t in runs])),
            float(np.median([t.reached(best * (1 + ACCURACY)) for t in runs])),
            float(np.median([t.reached(losses[name] * (1 + ACCURACY)) for t in runs])),
        )
        for name, runs in traces.items()
    ]


def table(case: Case, results: list[Result]) -> Iterator[str]:
    best = min(r.loss for r in results)
    yield f"## {case}\n"
    yield (
        "| contender | final L_N | above the best | whole run | to 1e-8 of the best "
        "| to 1e-8 of its own end |"
    )
    yield "|---|---|---|---|---|---|"
    for r in results:
        yield (
            f"| {r.name} | {r.loss:.10g} | {r.loss / best - 1:.1e} | {_time(r.seconds)} | "
            f"{_time(r.to_best)} | {_time(r.to_own)} |"
        )
    yield ""


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if np.isfinite(seconds) else "never"


def report(cases: tuple[Case, ...], rounds: int) -> Iterator[str]:
    yield "# Compression: a race to the minimum of L_N\n"
    assert __doc__
    yield __doc__.split("\n\n", 2)[2].strip() + "\n"
    versions = (
        f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    )
    if torch:
        torch.set_num_threads(1)
        versions += f", torch {torch.__version__}"
    turns = f"{rounds} round{'s' * (rounds > 1)}"
    yield f"{versions}; {turns}; at most {LIMIT:.0f} s for each contender and round.\n"
    for case in cases:
        yield from table(case, race(case, rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    lines = []
    for line in report(CASES, arguments.rounds):
        print(line, flush=True)
        lines.append(line)
    if arguments.out:
        whole = arguments.out.with_suffix(".part")
        whole.write_text("\n".join(lines), encoding="utf-8")
        os.replace(whole, arguments.out)


if __name__ == "__main__":
    main()
