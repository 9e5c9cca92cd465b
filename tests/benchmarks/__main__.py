"""Value and gradient of a loss's cross term beside hand-written code and other libraries.

    python -m tests.benchmarks

writes reports/benchmarks.md. Every setting of threads, every figure of memory and the target of a
million nodes have a process of their own; contenders take turns, so that whatever else the machine
does hits all alike. Peers that are not installed are left out with a line that says so.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from tests.benchmarks.contenders import CONTENDERS, PRODUCTS, Array, data, disagreement, present

N, D, M = 20_000, 512, 64
MANY = 200_000
SECONDS, ROUNDS = 75.0, (5, 60)  # time for one setting of threads, least and most rounds
REST = 0.2  # seconds before a call, in which the threads of the one before stop spinning
REPORT = Path(__file__).parents[2] / "reports" / "benchmarks.md"
IN_A_ROW = 5
WAYS = {
    "rested": f"Contenders take turns, with {REST} s of rest before every call, as threads that"
    " spin on after a call would take the next one's processors.",
    "in a row": f"Each contender is called {IN_A_ROW} times in a row, as in a descent; their"
    " median is that turn's figure.",
    "busy": "As the first, beside another process that keeps one processor busy.",
}
MEMORY = (
    "Peak of a call in MiB above what was resident before it. A library whose allocator keeps pages"
    " of an earlier call shows less than it used."
)


# ---- what runs in a process of its own -----------------------------------------------------------


def times(threads: int, way: str) -> dict[str, list[float]]:
    """Milliseconds of every contender in every turn; `way` is a key of WAYS."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    W, Theta = data(N, D, M)
    calls = {name: CONTENDERS[name][0](W) for name in CONTENDERS if present(name)}
    wanted = calls["NumPy by hand"](Theta)
    for name, call in calls.items():
        found = call(Theta)
        if name not in PRODUCTS:
            error = disagreement(name, found, wanted, Theta)
            assert error < 1e-10, f"{name} is off by {error}"
    spent: dict[str, list[float]] = {name: [] for name in calls}
    begin = perf_counter()
    with _busy_process() if way == "busy" else nullcontext():
        for turn in range(ROUNDS[1]):
            if turn >= ROUNDS[0] and perf_counter() - begin > SECONDS:
                break
            for name, call in calls.items():
                sleep(REST)
                each = []
                for _ in range(IN_A_ROW if way == "in a row" else 1):
                    start = perf_counter()
                    call(Theta)
                    each.append(1e3 * (perf_counter() - start))
                spent[name].append(median(each))
    return spent


@contextmanager
def _busy_process() -> Iterator[None]:
    """A process beside this one that keeps a processor busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def memory(name: str, nodes: int) -> float | None:
    """MiB by which the resident memory rises in a call, the second, above what it was before.

    The parent has made malloc return what the first call freed, so that the second takes it anew.
    """
    W, Theta = data(nodes, D, M)
    call = CONTENDERS[name][0](W)
    call(Theta)
    return _peak(lambda: call(Theta))


def million() -> dict[str, float | None]:
    """A target of a million nodes by moments: seconds, MiB, energy and its bound."""
    import symcomp

    rng = np.random.default_rng(0)
    W = np.empty((10**6, 256), dtype=np.float32)
    for start in range(0, len(W), 10**5):
        rng.standard_normal(out=W[start : start + 10**5], dtype=np.float32)
    W /= 16.0
    module = symcomp.generate("relu").load()
    module.Target(W[:1000], expand=True)
    made: list[Any] = []
    start = perf_counter()
    peak = _peak(lambda: made.append(module.Target(W, expand=True)))
    seconds = perf_counter() - start
    target = made[0]
    return {
        "seconds": seconds,
        "MiB": peak,
        "energy": target.energy,
        "error": target.energy_error,
    }


def _peak(action: Any) -> float | None:
    """MiB; None where the kernel does not tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    before = _status("VmRSS")
    action()
    return (_status("VmHWM") - before) / 1024


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


# ---- the report ----------------------------------------------------------------------------------


def apart(threads: int, cache: str, *arguments: object) -> Any:
    """What a fresh process with so many threads finds."""
    count = str(threads)
    names = ("OPENBLAS", "OMP", "MKL", "VECLIB")
    env = os.environ | {f"{name}_NUM_THREADS": count for name in names}
    env |= {"TORCHINDUCTOR_CACHE_DIR": cache, "JAX_PLATFORMS": "cpu"}
    if arguments[0] != "times":
        env |= {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, "-m", "tests.benchmarks", *map(str, arguments)]
    run = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout.splitlines()[-1])


def busy(seconds: float = 2.0) -> float:
    """The share of the processors that others use; by the load where the kernel does not tell."""
    if not Path("/proc/stat").exists():
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    ticks = []
    for wait in (seconds, 0.0):
        line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
        ticks.append(np.array(line.split()[1:9], dtype=float))
        sleep(wait)
    spent = ticks[1] - ticks[0]
    return 1.0 - float(spent[3] + spent[4]) / float(spent.sum())  # idle, waiting for a disk


def machine() -> str:
    config: Any = np.show_config(mode="dicts")
    blas = config["Build Dependencies"]["blas"]
    parts = [f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}"]
    parts += [f"Python {platform.python_version()}", f"NumPy {np.__version__}"]
    parts.append(f"{blas['name']} {blas['version']}")
    for name in ("sympy", "jax", "torch"):
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            parts.append(f"{name} not installed")
    return ", ".join(parts)


def table(found: dict[str, list[float]]) -> list[str]:
    ours, two = found["symcomp"], found["the two products"]
    lines = [
        "| | median, ms | least, ms | to the products | symcomp to it | between |",
        "|---|---|---|---|---|---|",
    ]
    for name, spent in found.items():
        cells = [name, f"{np.median(spent):.1f}", f"{min(spent):.1f}"]
        cells.append(f"{np.median(spent) / np.median(two):.2f}")
        if name != "symcomp":
            low, high = between(ours, spent)
            cells += [f"{np.median(ours) / np.median(spent):.2f}", f"{low:.2f} and {high:.2f}"]
        lines.append(f"| {' | '.join([*cells, '', ''][:6])} |")
    return lines


def between(ours: list[float], theirs: list[float]) -> tuple[float, float]:
    """Bounds of 95 % on the ratio of two medians, taken in the same turns, by the bootstrap."""

    def ratio(x: Array, y: Array, axis: int) -> Array:
        return np.asarray(np.median(x, axis=axis) / np.median(y, axis=axis))

    found = bootstrap((ours, theirs), ratio, paired=True, method="percentile", rng=0)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def main() -> None:
    others = busy()
    lines = ["# Benchmarks", "", "Written by `python -m tests.benchmarks`.", "", machine() + "."]
    state = "busy with other work, so that the figures are noisy" if others > 0.1 else "quiet"
    lines += [f"The machine was {state} ({others:.0%} of it in use before the run)."]
    missing = [name for name in CONTENDERS if not present(name)]
    if missing:
        lines += [f"Left out, as their packages are not installed: {', '.join(missing)}."]
    lines += [
        "",
        "## Time",
        "",
        f"Value and gradient in Θ of the cross term of ReLU's loss, N = {N}, d = {D}, M = {M},"
        " float64. symcomp computes the whole loss with a prepared target, the others the cross"
        " term alone; all values and gradients agree to 1e-10. The products are the two that"
        " none can avoid, W Θᵀ and Sᵀ W; turned, as Θ Wᵀ and S W, they take OpenBLAS less time."
        " Ratios are of medians in the same run, with bounds of 95 % by the bootstrap: below 1,"
        " symcomp takes less time.",
    ]
    with tempfile.TemporaryDirectory() as cache:
        for threads, way in ((2, "rested"), (2, "in a row"), (2, "busy"), (1, "rested")):
            found = apart(threads, cache, "times", threads, way)
            turns = len(found["symcomp"])
            lines += ["", f"Threads: {threads}. {WAYS[way]} {turns} turns.", "", *table(found)]
        lines += ["", "## Memory", "", MEMORY, ""]
        lines += [f"| | N = {N} | N = {MANY} |", "|---|---|---|"]
        for name in CONTENDERS:
            if present(name):
                sizes = (N, MANY) if name in ("symcomp", "NumPy by hand") else (N,)
                peaks = [apart(2, cache, "memory", name, nodes) for nodes in sizes]
                cells = ["-" if peak is None else f"{peak:.0f}" for peak in peaks]
                lines.append(f"| {name} | {' | '.join([*cells, '-'][:2])} |")
        many = apart(1, cache, "million")
    peak = "-" if many["MiB"] is None else f"{many['MiB']:.0f} MiB"
    lines += [
        "",
        "## A million nodes",
        "",
        "`Target(W, expand=True)` of ReLU, W normal of variance 1/d, N = 10^6, d = 256, float32,"
        f" one thread: {many['seconds']:.1f} s, {peak} above W itself; energy {many['energy']:.8g}"
        f" ± {many['error']:.1e}.",
    ]
    temporary = REPORT.with_suffix(".tmp")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.replace(REPORT)
    print("\n".join(lines))


JOBS: dict[str, Any] = {
    "times": lambda threads, way: times(int(threads), way),
    "memory": lambda name, nodes: memory(name, int(nodes)),
    "million": million,
}

if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(JOBS[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
