"""The energy of very many nodes: E σ(rZ) He_m(Z), m = 0, 1, 2, printed and measured."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import flint
import numpy as np
import sympy

from symcomp import skeletons
from symcomp.antiderivatives import C
from symcomp.balls import ball, exact
from symcomp.codegen.header import indented
from symcomp.codegen.loading import executed
from symcomp.expectations import QU, QV, OutsideClassError, expectation
from symcomp.kernels import DualKernel
from symcomp.parsing import X
from symcomp.printing import RU, in_lengths, small, statements
from symcomp.terms import form

__all__ = ["expansion_source"]

_ORTHANT = "bivariate_normal_cdf"
_IMPORTS = "import numpy as np\nfrom numpy.typing import NDArray\n\nArray = NDArray[np.float64]\n"

MIDDLE = 16.0  # the length from which on errors may grow


def expansion_source(ker: DualKernel, draft: ModuleType, largest: float) -> str:
    """`Target(W, a, expand=True)` for the general engine, which draft holds.

    largest: a bound of |row|². Where K° converges for some lengths alone, or the h_m or E σ(X)²
    have no short closed form, expansion is refused.
    """
    found = None if ker.domain else _closed_forms(ker)
    if found is None:
        return skeletons.NO_EXPANSION
    code = _code(found)
    called = [name for name in (*skeletons.GUARDS, _ORTHANT) if any(name in line for line in code)]
    new = [name for name in called if not hasattr(draft, name)]
    if _ORTHANT in new:
        return skeletons.NO_EXPANSION
    of_lengths = _executed(code, {_ORTHANT: getattr(draft, _ORTHANT, None)})
    lengths = _lengths(largest)
    points = [p for r in lengths if (p := _measured(r, found, of_lengths)) is not None]
    if any(math.isinf(p.mixed) for p in points):  # exponentials that ought to cancel overflow
        return skeletons.NO_EXPANSION
    unsure, growth, floor = _stated(points)
    origin = _origin(ker)
    return skeletons.GENERAL_EXPANSION.substitute(
        code=indented(code),
        guards="".join(skeletons.GUARDS[name] for name in new),
        unsure=unsure,
        growth=growth,
        floor=floor,
        origin=repr(origin),
        at_zero=repr(origin * origin),
        middle=MIDDLE,
        points=len(points),
        shortest=f"{points[0].length:.0e}",
        longest=f"{points[-1].length:.0e}",
    )


def _closed_forms(ker: DualKernel) -> tuple[sympy.Expr, ...] | None:
    """h_0, h_1, h_2 and S = E σ(X)² in q_u = r².

    h_m(r) = r^m E σ^(m)(rZ) / sqrt(m!): by parts nothing cancels in short rows.
    """
    act = ker.left
    f, square = act.form, form((act.expr**2).subs(act.symbol, X))
    assert f is not None  # the kernel has a closed form
    if square is None:
        return None
    found = []
    with suppress(OutsideClassError):
        for m in range(3):
            root = sympy.sqrt(QU**m / sympy.factorial(m))
            found.append(sympy.expand(root * expectation(f, QU), deep=False))
            f = f.derivative()
        return (*found, expectation(square, QU))
    return None


def _origin(ker: DualKernel) -> float:
    """h_0 of a zero row, the mean of σ(0+) and σ(0-)."""
    f, total = ker.left.form, sympy.S.Zero
    assert f is not None  # the kernel has a closed form
    for t in f.terms:
        share = 1 if t.start is None else sympy.Heaviside(-t.start, sympy.S.Half)
        total += share * t.expr().subs(X, 0)
    return float(sympy.re(sympy.N(total, 25)))


def _code(exprs: tuple[sympy.Expr, ...]) -> list[str]:
    """Statements for an array of lengths r."""
    r = sympy.Symbol("r", positive=True)
    names = ("zeroth", "first", "second", "square")
    printed = (small(in_lengths(e, QU, QV, C)).xreplace({RU: r}) for e in exprs)
    code = statements(dict(zip(names, printed, strict=True)), r)
    imports = [n for n in ("erf", "erfc") if any(re.search(rf"\b{n}\(", line) for line in code)]
    if imports:
        code.insert(0, f"from scipy.special import {', '.join(imports)}\n")
    return code


def _executed(code: list[str], helpers: Mapping[str, Any]) -> Callable[..., Sequence[Any]]:
    """The function of an array of lengths that these statements make."""
    text = _IMPORTS + "".join(skeletons.GUARDS.values())
    made = executed("moments", f"{text}\n\ndef of_lengths(r: Array):\n    {indented(code)}\n")
    vars(made).update(helpers)
    function: Callable[..., Sequence[Any]] = made.of_lengths
    return function


def _lengths(largest: float) -> list[float]:
    """Short ones, and on to the longest or 2^40; their squares are floats."""
    top = min(math.floor(0.5 * math.log2(largest)), 40)
    fine = [x * 2.0**k for k in range(-6, 5) for x in (1.0, 1.25, 1.5)]
    far = [2.0**k for k in (*range(-192, -60, 33), *range(-60, -6, 6), *range(5, top + 1, 3))]
    return sorted(r for r in {*fine, *far} if r * r < largest)


@dataclass(frozen=True)
class _Point:
    """The worst error of h_0, h_1, h_2 and S at one length, in two units each."""

    length: float
    relative: float  # in units of sqrt(S) and S
    mixed: float  # the same of S + 1


def _measured(
    r: float, exprs: tuple[sympy.Expr, ...], of_lengths: Callable[..., Sequence[Any]]
) -> _Point | None:
    """Against balls; None where S is so small or large that floats do not hold it."""
    q = exact(r) ** 2
    with flint.ctx.workprec(1000):
        wanted = [ball(expr, {QU: q}) for expr in exprs]
        size = float(wanted[-1])
        if not 1e-150 < size < 1e150:
            return None
        with np.errstate(all="ignore"):
            got = [float(value[0]) for value in of_lengths(np.array([r]))]
        if not all(map(math.isfinite, got)):
            return _Point(r, math.inf, math.inf)
        errors = [abs(float(w - exact(g))) for w, g in zip(wanted, got, strict=True)]

    def worst(unit: float) -> float:
        return max(*(error / math.sqrt(unit) for error in errors[:3]), errors[3] / unit)

    return _Point(r, worst(size), worst(size + 1.0))


def _stated(points: list[_Point]) -> tuple[str, str, str]:
    """Four times the worst error over max(r/MIDDLE, 1)^growth, growth, and FLOOR.

    The unit is that of S where the worst error is much the same in it; the growth is the least
    that fits, or 2.
    """
    inner = [p for p in points if p.length <= MIDDLE]
    alone = max(p.relative for p in inner) < 10.0 * max(max(p.mixed for p in inner), 1e-15)

    def worst(some: list[_Point], growth: int) -> float:
        errors = [p.relative if alone else p.mixed for p in some]
        scales = [max(p.length / MIDDLE, 1.0) ** growth for p in some]
        return 4.0 * max(error / scale for error, scale in zip(errors, scales, strict=True))

    near = max(worst(inner, 0), 1e-15)
    growth = next((n for n in range(2) if worst(points, n) < 10.0 * near), 2)
    return _coarse(worst(points, growth)), str(growth), "0.0" if alone else "1.0"


def _coarse(error: float) -> str:
    """Rounded up, as last bits differ from machine to machine and the text must not."""
    return f"1e{math.ceil(math.log10(max(error, 1e-15)))}"
