"""How long formulas and digits take, beside SymPy's own integrators in one run.

    .venv/bin/pytest tests/benchmarks/test_bench_derivations.py -s

Prints medians; asserts nothing about time. A peer that has not finished after PATIENCE seconds is
stopped and reported so.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import mpmath
import pytest

import symcomp

PATIENCE = 5.0

PEERS = {
    "integrate relu": (
        "from sympy import *; x, y = symbols('x y', real=True); r = Rational(3, 10);"
        "p = exp(-(x**2 - 2*r*x*y + y**2)/(2*(1 - r**2)))/(2*pi*sqrt(1 - r**2));"
        "integrate(Max(0, x)*Max(0, y)*p, (x, -oo, oo), (y, -oo, oo))"
    ),
    "integrate erf": (
        "from sympy import *; x, y = symbols('x y', real=True); r = Rational(3, 10);"
        "p = exp(-(x**2 - 2*r*x*y + y**2)/(2*(1 - r**2)))/(2*pi*sqrt(1 - r**2));"
        "integrate(erf(x)*erf(y)*p, (x, -oo, oo), (y, -oo, oo))"
    ),
    "stats.E relu": (
        "from sympy import *; from sympy.stats import *; r = Rational(3, 10);"
        "X, Z = Normal('X', 0, 1), Normal('Z', 0, 1);"
        "E(Max(0, X)*Max(0, r*X + sqrt(1 - r**2)*Z))"
    ),
}


def seconds(action: Callable[[], object], runs: int = 3) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peer(source: str) -> str:
    start = time.perf_counter()
    try:
        subprocess.run([sys.executable, "-c", source], timeout=PATIENCE, check=True)
    except subprocess.TimeoutExpired:
        return f"not finished after {PATIENCE:.0f} s"
    return f"{time.perf_counter() - start:.2f} s"


@pytest.mark.slow
def test_formulas_and_digits(capsys):
    rows = []
    start = time.perf_counter()
    kernels = {name: symcomp.dual_kernel(name) for name in symcomp.activations()}
    whole = time.perf_counter() - start
    closed = sum(ker.expr is not None for ker in kernels.values())
    for name in ("relu", "erf", "abs", "sign", "gelu", "sin"):
        took = seconds(lambda name=name: symcomp.dual_kernel(name))
        rows.append((f"derive {name}", f"{took:.3f} s"))
    rows.append((f"derive the catalogue ({closed} closed forms)", f"{whole:.1f} s"))
    relu, tanh = kernels["relu"], kernels["tanh"]
    took = seconds(lambda: relu.evaluate(1, 2, "0.3", digits=1000))
    rows.append(("1000 digits of relu's kernel", f"{took * 1e3:.2f} ms"))
    took = seconds(lambda: tanh.enclosure(1, 1, "0.3", digits=50), runs=1)
    rows.append(("50 digits of E tanh(X)tanh(Y), enclosed", f"{took:.3f} s"))

    def quadrature() -> mpmath.mpf:
        gap = mpmath.sqrt(1 - mpmath.mpf("0.09"))
        return mpmath.quad(
            lambda x, z: (
                mpmath.tanh(x) * mpmath.tanh(0.3 * x + gap * z) * mpmath.npdf(x) * mpmath.npdf(z)
            ),
            [-8, 8],
            [-8, 8],
        )

    rows.append(("15 digits of the same by mpmath.quad", f"{seconds(quadrature, runs=1):.2f} s"))
    rows += [(name, peer(source)) for name, source in PEERS.items()]
    with capsys.disabled():
        print()
        for name, figure in rows:
            print(f"  {name:<48} {figure}")
    assert closed >= 25
