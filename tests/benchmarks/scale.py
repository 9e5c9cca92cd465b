"""How the cost of large targets grows, and one large minimisation whole.

    python -m tests.benchmarks.scale -o reports/scale.md

Times value and gradient of L_N while N, d and M each run over two decades, and draws, prepares and
minimises one target of N = 100,000 nodes in R^1000, in a process of its own whose peak memory is
read from the operating system.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

import symcomp
from symcomp.networks import draw_weights
from symcomp.plots import slope
from symcomp.runs import Run
from symcomp.storage import replace_file
from symcomp.sweep import measure

AXES = {
    "N": [(N, 256, 32) for N in (1000, 3000, 10_000, 30_000, 100_000)],
    "d": [(5000, d, 32) for d in (100, 300, 1000, 3000, 10_000)],
    "M": [(10_000, 256, M) for M in (10, 30, 100, 300, 1000)],
}
TOLERANCE = 1e-5
LARGE = Run("relu", "gaussian", 1000, 100_000, 32, 0.4, 0, 0)


def gradient_seconds(N: int, d: int, M: int, calls: int = 7) -> float:
    """Median seconds of loss_and_grad with a prepared target."""
    module = symcomp.generate("relu").load()
    target = module.Target(draw_weights(N, d), expand=N > 10_000)
    Theta = draw_weights(M, d, seed=1)
    module.loss_and_grad(target, Theta)
    spent = []
    for _ in range(calls):
        begun = perf_counter()
        module.loss_and_grad(target, Theta)
        spent.append(perf_counter() - begun)
    return median(spent)


def large(run: Run = LARGE) -> dict[str, float]:
    """One run of a sweep: seconds, peak memory of this process in GiB, losses."""
    begun = perf_counter()
    row = measure(run, TOLERANCE)
    return {
        "seconds": perf_counter() - begun,
        "target": row.target_seconds,
        "minimise": row.minimise_seconds,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "minimum": row.minimum,
        "at_optimum": row.at_optimum,
        "simplified": row.simplified,
        "energy_error": row.energy_error,
        "gradient_norm": row.gradient_norm,
    }


_FITS = """\
Fitted slopes of log time: {}.
The products take N·d·M; beside them every pair of nodes has its angle, which is what small d show,
and every row of the target is read, which is what small M do."""
_LARGE = """\
## N = {run.N}, d = {run.d}, M = {run.M}, β = {run.beta}

Drawn and prepared in {target:.0f} s, minimised from the closed-form optimum of F in
{minimise:.0f} s; {seconds:.0f} s in all, at most {memory:.2f} GiB resident.

min L_N = {minimum:.8f}, L_N at the optimum of F {at_optimum:.8f}, both ± {energy_error:.1e} for the
enclosed |f_N|²; min F = {simplified:.8f}; the descent ended at a gradient of L_N/|f_N|² of 1e-5."""


def report() -> str:
    """The tables as Markdown."""
    command = [sys.executable, "-m", "tests.benchmarks.scale", "--large"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    lines = [
        "# Large targets",
        "",
        "Written by `python -m tests.benchmarks.scale`; not to be edited by hand.",
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()},"
        f" NumPy {np.__version__}; load {os.getloadavg()[0]:.1f} at the end.",
        "",
        "## Value and gradient of L_N (ReLU)",
        "",
        "| N | d | M | seconds | ns per N·d·M |",
        "|---:|---:|---:|---:|---:|",
    ]
    fits = []
    for name, sizes in AXES.items():
        spent = [gradient_seconds(*size) for size in sizes]
        at = [float(size["NdM".index(name)]) for size in sizes]
        fits.append(f"{slope(at, spent)} in {name}")
        for (N, d, M), seconds in zip(sizes, spent, strict=True):
            lines.append(f"| {N} | {d} | {M} | {seconds:.4f} | {1e9 * seconds / (N * d * M):.2f} |")
    lines += ["", _FITS.format(", ".join(fits)), "", _LARGE.format(run=LARGE, **found)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print one large run as JSON, or write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    if given.large:
        print(json.dumps(large()))
    elif given.output is None:
        print(report(), end="")
    else:
        replace_file(given.output, report())


if __name__ == "__main__":
    main()
