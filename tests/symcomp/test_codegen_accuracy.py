"""The points at which K° of a generated module is compared with its enclosure, and the units."""

import re
from functools import cache
from types import ModuleType

import flint
import mpmath
import numpy as np
import pytest
from flint import arb
from mpmath import mpf

import symcomp
from symcomp.codegen import Generated, accuracy, shifted
from symcomp.codegen.accuracy import Measured, measured
from symcomp.errors import ArgumentError
from tests.comparison import compare
from tests.generated import generated, module

NAME = "Max(0,x)+Heaviside(x-1)"
STEEP = "celu:alpha=1/2"

# (q_u, q_v, c) of pairs no more unequal than 1 to 8, oblique ones at |rho| = 1/4 alone
FEW = [
    (r * r, s * s, r * s * rho)
    for r, s in ((0.125, 1.0), (1.0, 1.0), (3.0, 8.0))
    for rho in (-0.25, 0.25, 2.0**-20 - 1, 1 - 2.0**-20, -1.0, 1.0)
]
FAULTS = {
    "a much longer first row, oblique": "(qu > 1000.0 * qv) & (np.abs(c) < 0.99 * bound)",
    "a much longer second row, oblique": "(qv > 1000.0 * qu) & (np.abs(c) < 0.99 * bound)",
    "a longer first row": "qu > qv",
    "unequal rows at an acute angle": "(qv > 50.0 * qu) & (c > 0.5 * bound) & (c < 0.9 * bound)",
    "unequal rows at an obtuse angle": "(qv > 50.0 * qu) & (c < -0.5 * bound) & (c > -0.9 * bound)",
    "unequal rows at right angles": "(qv > 50.0 * qu) & (c == 0.0)",
    "rows 7 degrees apart": "(c < 0.999 * bound) & (c > 0.9 * bound)",
    "two short rows": "(qu < 0.5) & (qv < 0.5)",
}


def of_source(source: str) -> ModuleType:
    return Generated(generated(NAME).activation, source).load()


def planted(where: str) -> ModuleType:
    """The module with K° wrong by a relative 1e-6 at some arguments."""
    head, start, rest = generated(NAME).source.partition("def _kernel(")
    body, end, tail = rest.partition("\n\n\n")
    value = re.search(r"\n    return (.+)\Z", body)
    assert value is not None
    wrong = f"({value[1]}) * (1.0 + 1e-6 * ({where}))"
    return of_source(head + start + body[: value.start(1)] + wrong + end + tail)


_inside = accuracy._inside


@cache
def known(r: float, s: float, radius: float) -> list[arb]:
    return _inside(symcomp.dual_kernel(NAME), r, s, radius)


def errors(mod: ModuleType, blur: float = 0.0) -> Measured:
    """What is measured of the module, by enclosures that are wider by `blur`."""

    def blurred(_ker: symcomp.DualKernel, r: float, s: float, radius: float) -> list[arb]:
        with flint.ctx.workprec(500):
            return [x + arb(0, blur) for x in known(r, s, radius)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy, "_inside", blurred)
        return measured(symcomp.dual_kernel(NAME), mod, float("inf"), short=False)


def at_few(mod: ModuleType) -> list[float]:
    return [float(mod._kernel(*(np.array([x]) for x in point))[0]) for point in FEW]


def test_a_module_without_fault_keeps_its_digits():
    assert errors(module(NAME)).relative < 1e-10


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_few_points_do_not_show_is_noticed(fault):
    wrong = planted(FAULTS[fault])
    assert at_few(wrong) == at_few(module(NAME))
    assert errors(wrong).relative > 1e-8


def test_what_is_no_number_is_refused():
    wrong = planted("np.where(qu > 1000.0 * qv, np.nan, 0.0)")
    with pytest.raises(ArgumentError, match=r"comes out as nan at .*; expected a number"):
        errors(wrong)


# ---- the unit and the enclosure ------------------------------------------------------------------

SIGMAS = {
    STEEP: lambda x: x if x > 0 else mpmath.expm1(2 * x) / 2,
    "exp(-2*Abs(x))": lambda x: mpmath.exp(-2 * abs(x)),
}


def mean_square(name: str, r: float) -> mpf:
    """E σ(rZ)² by quadrature."""
    sigma = SIGMAS[name]
    with mpmath.workdps(20):
        cuts = [-14, -4, -1, -0.1, 0, 0.1, 1, 4, 14]
        return mpmath.quad(lambda z: sigma(r * z) ** 2 * mpmath.npdf(z), cuts)


@pytest.mark.parametrize("name", SIGMAS)
def test_the_unit_survives_exponentials_that_cancel(name):
    ker = symcomp.dual_kernel(name)
    rows = [(r, accuracy._size(ker, r), mean_square(name, r)) for r in (0.125, 1.0, 3.0, 8.0)]
    compare(rows, rtol=2.0**-13, min_points=4)


def test_at_fewer_bits_the_unit_is_refused(monkeypatch):
    monkeypatch.setattr(accuracy, "_MOST_BITS", 250)
    with pytest.raises(ArgumentError, match="not enclosed by 250 bits at rows of length 8"):
        accuracy._size(symcomp.dual_kernel(STEEP), 8.0)


def test_enclosures_are_as_narrow_as_asked():
    found = accuracy._inside(symcomp.dual_kernel(STEEP), 3.0, 8.0, 2.0**-60)
    compare([(i, float(x.rad()), 0) for i, x in enumerate(found)], atol=2.0**-60, min_points=11)


def test_a_wide_enclosure_counts_as_an_error():
    assert errors(module(NAME), blur=1e-9).relative > 1e-10
    with pytest.raises(ArgumentError, match="not enclosed by 5000 bits at rows of length 1/8"):
        errors(module(NAME), blur=float("inf"))


@pytest.mark.slow
def test_exponentials_over_the_whole_line_do_not_pass_for_accurate(monkeypatch):
    monkeypatch.setattr(accuracy, "_LENGTHS", ((1.0, 8.0),))
    monkeypatch.setattr(shifted, "_sided", lambda f: [shifted._Sided(t, 1) for t in f.terms])
    source = symcomp.generate(STEEP).source
    (stated,) = re.findall(r"^KERNEL_ERROR = (\S+)", source, re.MULTILINE)
    assert float(stated) > 1e6
