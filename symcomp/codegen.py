"""An activation's population loss and gradient as the source of a standalone NumPy module."""

import importlib.util
import math
import os
import re
import sys
from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.abc import ExecutionLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from textwrap import fill
from types import ModuleType

import flint
import mpmath
import numpy as np
import sympy
from flint import arb, fmpq
from numpy.typing import NDArray

import symcomp
from symcomp import skeletons
from symcomp.antiderivatives import C
from symcomp.balls import ball, exact
from symcomp.biases import biases, refused
from symcomp.catalogue import Activation, activations
from symcomp.errors import ArgumentError
from symcomp.expectations import QU, QV, gathered, stein
from symcomp.kernels import DualKernel, dual_kernel
from symcomp.printing import (
    ALPHA,
    CORRELATION,
    DIGITS,
    ROOT,
    RU,
    RV,
    Angular,
    Formula,
    floored,
    formulas,
    in_lengths,
    polar,
    small,
    statements,
)
from symcomp.special import BivariateNormalCDF, numpy_source
from symcomp.storage import replace_file
from symcomp.tables import EDGE, LONGEST, MIDDLE, REACH, Part, Tables, measure, tables
from symcomp.terms import Form

__all__ = ["Generated", "generate", "write_catalogue"]


@dataclass(frozen=True)
class Generated:
    """The source of a module with the losses of networks with one activation.

    It needs NumPy alone, and SciPy where erf or Φ₂ occur, as they do with biases.

    Its functions, all in float64 and for networks that are means over their nodes:

        kernel(U, V, s=None, t=None)                 K(u_i, v_j), (m, d), (n, d) -> (m, n)
        loss(W, Theta, a=None, b=None)               L of (S0); W (N, d), Theta (M, d)
        loss_and_grad(W, Theta, a=None, b=None)      L, dL/dTheta (M, d), dL/db like b
        Target(W, a=None, s=None, *, expand=False)   a target prepared once, stands wherever W does
        simplified(tau, mu, Theta, b=None)           F of (S1)
        simplified_and_grad(tau, mu, Theta, b=None)  F, dF/dTheta (M, d), dF/db (M,)
        hessian_vector_product(W, Theta, dTheta, db=None, a=None, b=None)
        simplified_hessian_vector_product(tau, mu, Theta, dTheta, db=None, b=None)
                                                     second derivatives applied to a direction

    With biases, loss(..., s=s, t=t), s (N,) and t (M,), the nodes are σ(<w_i, x> + s_i) and
    σ(<θ_j, x> + t_j); loss_and_grad then gives dL/dt (M,) last, where t is given. This needs
    SciPy; ValueError is raised where E σ(X + s) σ(Y + t) has no short closed form.
    loss and simplified take return_error=True and then give a bound on their rounding error too.
    (S0) and (S1) are this project's reconstruction. Bad arguments raise ValueError.
    """

    activation: Activation
    source: str

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the source, UTF-8; a file at `path` is replaced whole or left as it was."""
        replace_file(path, self.source)

    def load(self) -> ModuleType:
        """The module, made from the source in memory; tracebacks show its lines.

        The same source gives the same module. Its functions and targets pickle: a process that
        unpickles them derives the module anew, from the activation's name.
        """
        name = module_name(self)
        if name not in sys.modules:
            sys.modules[name] = _executed(name, self.source)
        return sys.modules[name]


def module_name(generated: Generated) -> str:
    """The name of the loaded module, from which `symcomp.loaded` derives it anew."""
    coded = b32encode(generated.activation.name.encode()).decode().rstrip("=").lower()
    digest = sha256(generated.source.encode()).hexdigest()[:16]
    return f"symcomp.loaded.m{coded}_{digest}"


def _executed(name: str, source: str) -> ModuleType:
    """A module of this name that no other one sees."""
    loader = Loader(source)
    module = importlib.util.module_from_spec(ModuleSpec(name, loader))
    loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Loader(ExecutionLoader):
    """Imports text that this module has generated."""

    source: str

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        return self.source

    def get_filename(self, fullname: str) -> str:
        return f"{fullname}.py"


def generate(source: str | sympy.Expr | Activation | DualKernel) -> Generated:
    """The NumPy module of an activation, derived from its dual kernel.

    source: an Activation, a catalogue name, text or an expression in x, or its dual kernel.
    Without a closed form K° is tabulated, for rows up to length 8, with its measured error stated.
    The same source gives the same bytes. Raises ArgumentError for the kernel of two different
    activations, one that NumPy and SciPy cannot evaluate, or a table that misses its tolerance;
    ExpressionError for kinks without a closed form.
    """
    ker = source if isinstance(source, DualKernel) else dual_kernel(source)
    if ker.left != ker.right:
        found = f"{ker.left.name} and {ker.right.name}"
        raise ArgumentError(f"kernel: found that of {found}, expected one activation")
    if ker.expr is None:
        return Generated(ker.left, _tabulated(ker, tables(ker.left)))
    return Generated(ker.left, _homogeneous(ker) or _general(ker))


def write_catalogue(folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write <name>.py into `folder` for every activation of the catalogue."""
    paths = tuple(Path(folder) / f"{name}.py" for name in activations())
    for path in paths:
        generate(path.stem).write(path)
    return paths


# ---- positively homogeneous activations ----------------------------------------------------------


def _homogeneous(ker: DualKernel) -> str | None:
    """The module on κ(ρ), or None where κ and κ' are not sums of the terms of `Formula`."""
    if ker.degree is None:
        return None
    functions = [Angular.of(ker.correlation, ker.rho, sympy.S.One)]
    for _ in range(2):
        functions.append(functions[-1].diff(ker.rho))
    found = formulas(*functions)
    if found is None:
        return None
    engine = _engine(ker.degree, *found) + _expansion(ker)
    exprs = [_without_names(f, ker.rho) for f in functions]
    kernel = rf"|u|^k |v|^k κ(ρ),  ρ = <u, v>/(|u||v|),  k = {ker.degree}"
    letters = ("κ", "κ'", "κ''")
    equations = [f"{name}(ρ) = {_latex(e)}" for name, e in zip(letters, exprs, strict=True)]
    extra = biases(ker.left)
    equations += extra.equations
    header = _Header(ker.left, kernel, equations, skeletons.HOMOGENEOUS_IMPORTS)
    draft = _executed("draft", _tidy(header.text([]) + engine))
    kappa, slope, curve = _measured_errors(draft, *found)
    body = engine + _errors(kappa, steep=found[1].steep) + extra.interface()
    curved = any(f.curved for f in found[:2])
    notes = [_conventions(ker.degree, curved), _accuracy(kappa, slope, curve), extra.note]
    return _tidy(header.text(notes) + body)


def _engine(degree: int, kappa: Formula, slope: Formula, curve: Formula) -> str:
    """κ, κ', κ'' and the sums over pairs of rows."""
    pair, form = {"kappa": kappa, "slope": slope, "curve": curve}, kappa.form
    curved = any(f.curved for f in pair.values())
    whole = ", zone=NEAR" if curved else ""
    sharpen = skeletons.SHARPEN.substitute(of_turn=form.of_turn) if curved else ""
    angles = skeletons.ANGLES.substitute(code=_indented(form.code))
    pieces = [angles if curved else skeletons.FLAT_ANGLES]
    pieces += [_function(name, f) for name, f in pair.items()]
    if any(f.series for f in pair.values()):
        pieces.append(skeletons.SERIES)
    return skeletons.HOMOGENEOUS.substitute(
        degree=degree,
        angle_name=form.name,
        formulas="".join(pieces),
        push="_reciprocal(probe.radii)[:, None]"
        if degree == 0
        else "probe.radii[:, None] ** (DEGREE - 1)",
        reciprocal=skeletons.GUARDS["_reciprocal"] if degree == 0 else "",
        sharpen=sharpen,
        parameter=", zone: float" if curved else "",
        sharpen_if=skeletons.SHARPEN_IF if curved else "",
        for_slopes=whole,
        for_values=(whole if slope.steep else ", zone=0.0") if curved else "",
    ) + skeletons.HOMOGENEOUS_HESSIAN.substitute(
        for_curves=", zone=WIDE" if curved else "",
        wide=skeletons.WIDE if curved else "",
        zero_rows=skeletons.ZERO_ROWS if degree == 1 else "",
    )


def _expansion(ker: DualKernel) -> str:
    """The energy by moments: the coefficients of κ up to order 2, and the sums of the others."""
    kappa, rho = ker.correlation, ker.rho
    orders = [sympy.diff(kappa, rho, n).subs(rho, 0) / sympy.factorial(n) for n in range(3)]
    ends = kappa.subs(rho, 1), kappa.subs(rho, -1)
    even = sympy.simplify((ends[0] + ends[1]) / 2 - orders[0] - orders[2])
    odd = sympy.simplify((ends[0] - ends[1]) / 2 - orders[1])
    numbers = [repr(float(x)) for x in (*orders, even, odd)]
    return skeletons.EXPANSION.substitute(
        orders=", ".join(numbers[:3]), rests=", ".join(numbers[3:])
    )


def _function(name: str, f: Formula) -> str:
    """The code of κ, κ' or κ''; the last one is put into an array beside the tile."""
    letter, into, parameter = {
        "kappa": ("κ", "t.kappa", ""),
        "slope": ("κ'", "t.slope", ""),
        "curve": ("κ''", "curve", ", curve: Array"),
    }[name]
    code, series = f.code(into), f.series
    if series is not None:
        coefficients = "\n".join(f"        {c!r}," for c in series.coefficients)
        code += skeletons.NEARLY_OPPOSITE.substitute(
            into=into, switch=series.switch, power=series.power, coefficients=coefficients
        ).splitlines()
    shown = f.expr.xreplace({ROOT: sympy.Symbol("sine")})
    return skeletons.FUNCTION.substitute(
        name=name, parameter=parameter, formula=f"{letter} = {shown}", code=_indented(code)
    )


def _indented(lines: Iterable[str]) -> str:
    return "\n    ".join(lines)


def _without_names(f: Angular, rho: sympy.Symbol) -> sympy.Expr:
    """The expression in ρ alone."""
    return f.expr.xreplace({ROOT: sympy.sqrt(1 - rho**2), ALPHA: sympy.asin(rho)})


# ---- the accuracy of κ and κ' --------------------------------------------------------------------


def _accuracy(kappa: "_Error", slope: "_Error", curve: "_Error") -> str:
    """A sentence on the errors of the module's κ, κ' and κ''."""
    return (
        f"Accuracy: κ within {kappa.text} and κ' within {slope.text}. That is twice the worst error"
        f" that was measured at {len(_points())} correlations, ±1 and ±(1 - 10^-k) for k <= 16"
        f" among them, rounded up to a power of 2. In the same sense κ'' is within {curve.text}."
    )


@dataclass(frozen=True)
class _Error:
    """A bound in ulp, of the value itself or, beside a change of sign, of the greatest one."""

    ulps: int
    relative: bool

    @property
    def text(self) -> str:
        return f"{self.ulps} ulp" + ("" if self.relative else " of its greatest value")


def _measured_errors(draft: ModuleType, *functions: Formula) -> list[_Error]:
    """The errors of κ, κ' and κ'', measured against many digits."""
    points = _points()
    t = draft._Tile(*np.empty((6, len(points))))
    t.rho[:], curve = points, np.empty(len(points))
    for call in (draft._angles, draft._kappa, draft._slope):
        call(t)
    draft._curve(t, curve)
    found = zip(functions, (t.kappa, t.slope, curve), strict=True)
    return [_error(f, points, got) for f, got in found]


def _error(f: Formula, points: NDArray[np.float64], got: NDArray[np.float64]) -> _Error:
    inside = np.abs(points) < (1.0 if f.steep else 2.0)
    wanted = [f.at(x) for x in points[inside]]
    with mpmath.workdps(DIGITS):
        errors = [abs(mpmath.mpf(y) - w) for y, w in zip(got[inside], wanted, strict=True)]
    sizes = np.abs(np.array(wanted, dtype=float))
    absolute = np.array(errors, dtype=float)
    worst, relative = float(np.max(absolute / np.spacing(sizes))), True
    if worst > 16 and min(wanted) < 0 < max(wanted):
        worst, relative = float(absolute.max() / np.spacing(sizes.max())), False
    # Coarse, since the last bits of arccos differ from machine to machine and the text must not.
    return _Error(2 ** math.ceil(math.log2(max(2.0 * worst, 1.0))), relative)


def _errors(kappa: _Error, steep: bool) -> str:
    """The bound on rounding errors."""
    of_rho = skeletons.FROM_TURN if steep else skeletons.FROM_SLOPE
    text = skeletons.HOMOGENEOUS_ERRORS.substitute(ulps=kappa.ulps, of_rho=of_rho)
    return text + (skeletons.TURN_ERROR if steep else "")


def _points() -> NDArray[np.float64]:
    """Correlations all over [-1, 1], crowded at the ends."""
    inner = np.cos(np.pi * np.arange(1, 1024) / 2048)
    right = np.concatenate([inner, 1.0 - 0.1 ** np.arange(1, 17), [1.0]])
    return np.sort(np.concatenate([-right, right]))


# ---- other activations ---------------------------------------------------------------------------


def _general(ker: DualKernel) -> str:
    """The module on K°(q_u, q_v, c) and its partial derivatives."""
    extra = biases(ker.left)
    orthants = ker.expr.has(BivariateNormalCDF, sympy.erf)
    printed = orthants and not extra.unbiased
    if orthants:
        functions = _of_lengths(ker) if printed else extra.unbiased
    else:
        functions = _of_variances(ker)
    guards = [text for name, text in skeletons.GUARDS.items() if f"{name}(" in functions]
    header = _Header(
        ker.left,
        "K°(|u|^2, |v|^2, <u, v>)",
        [f"K°(q_u, q_v, c) = {_latex(ker.expr)}", *extra.equations],
        "from functools import cache\n" if printed else "",
        _scipy(functions) if printed else "",
    )
    largest = ("256" if printed else "1e6") if orthants else "1e100"
    gaps = {"formulas": "".join(guards) + functions, "largest": largest}
    hessian = skeletons.GENERAL_HESSIAN.substitute(shortest=skeletons.SHORTEST if orthants else "")
    engine = skeletons.GENERAL.substitute(gaps) + hessian + skeletons.NO_EXPANSION
    draft = _executed("draft", _tidy(header.text([]) + engine + extra.source))
    _require_accurate(ker, draft)
    found = _measured(ker, draft, short=not orthants)
    errors = skeletons.GENERAL_ERRORS.substitute(kernel_error=found.bound, points=found.points)
    if orthants:
        conventions = _ORTHANT_CONVENTIONS.replace("$longest", "16" if printed else "1000")
        notes = [conventions + found.text, _SECOND + _SHORTEST, extra.note]
    else:
        half = _HALF if "root = " in functions else ""
        notes = [_GENERAL_CONVENTIONS + half, _SECOND, extra.note]
    return _tidy(header.text(notes) + engine + errors + extra.interface())


def _scipy(functions: str) -> str:
    names = [name for name in ("erf", "erfc", "erfcx") if f"{name}(" in functions]
    return f"from scipy.special import {', '.join(names)}\n"


def _of_variances(ker: DualKernel) -> str:
    """K° and its derivatives by its closed form in q_u, q_v, c."""
    qu, qv = (sympy.Symbol(name, nonnegative=True) for name in ("qu", "qv"))
    c = sympy.Symbol("c", real=True)
    expr = ker.expr.subs(dict(zip(ker.symbols, (qu, qv, c), strict=True)))
    K = Angular.of(expr, c, qu * qv)
    functions = _plain("_kernel", "Array", {"K": K})
    by_c, by_qv = K.diff(c), K.diff(qv)
    both = {"K": K, "by_c": by_c, "by_qv": by_qv}
    functions += _plain("_kernel_and_slopes", _arrays(3), both)
    A = by_c.diff(c)

    def crossed(q: sympy.Symbol) -> Angular:
        return replace(A, expr=2 * by_c.diff(q).expr + c / q * A.expr).reduced()

    far = 4 * by_qv.diff(qv).expr + 4 * c / qv * by_c.diff(qv).expr + (c / qv) ** 2 * A.expr
    G = replace(A, expr=far).reduced()
    bent = {"A": A, "B": crossed(qv), "turned": crossed(qu), "G": G}
    slopes = {"K": K, "by_c": by_c, "by_qu": K.diff(qu), "by_qv": by_qv}
    return functions + _plain("_kernel_and_curves", _arrays(8), slopes | bent)


def _of_lengths(ker: DualKernel) -> str:
    """K° and its derivatives with probabilities of orthants, in lengths and the correlation.

    The derivatives are Gaussian expectations themselves, free of the poles that differentiating
    K° leaves to cancel: ∂K°/∂c = E σ'(X) σ'(Y), 2 q_v ∂K°/∂q_v = E σ(X) Y σ'(Y) - c ∂K°/∂c.
    """
    f = ker.left.form
    assert f is not None  # the kernel has a closed form
    slope = f.derivative()
    if slope.diracs:
        raise ArgumentError(f"activation: found {ker.left.name} with jumps, expected none")
    turned = Form(tuple(replace(t, power=t.power + 1) for t in slope.terms))
    by_c, own = stein(slope, slope)[0], stein(f, turned)[0]
    _, qv, c = ker.symbols
    K = {"K": polar(ker.expr, *ker.symbols)}
    both = {
        **K,
        "by_c": polar(by_c, *ker.symbols),
        "by_qv": polar((own - c * by_c) / (2 * qv), *ker.symbols),
    }
    text = skeletons.POLAR + _orthants()
    curves = {"K": K["K"], "by_c": both["by_c"], **_bent(by_c, own, both["by_qv"])}
    for name, returns, results in (
        ("_kernel", "Array", K),
        ("_kernel_and_slopes", _arrays(3), both),
        ("_kernel_and_curves", _arrays(8), curves),
    ):
        code = [skeletons.POLAR_CALL, *statements(results, CORRELATION)]
        if name == "_kernel_and_curves":
            code[1:1] = skeletons.POLAR_FLOOR
        text += skeletons.PLAIN_FUNCTION.substitute(
            name=name, returns=returns, code=_indented(code)
        )
    return text


def _bent(by_c: sympy.Expr, own: sympy.Expr, by_qv: sympy.Expr) -> dict[str, sympy.Expr]:
    """The other derivatives that second ones need, from E σ'(X) σ'(Y) and `own` = E σ(X) Y σ'(Y).

    At a fixed correlation, in the lengths r = sqrt(q): B = (1/r_v) ∂/∂r_v E σ' σ' is also
    E σ'(X) Y σ''(Y)/q_v and G = E σ(X) σ''(Y) (Y²/q_v - 1)/q_v, both finite between parallel rows.
    """
    slope, pull = in_lengths(by_c, QU, QV, C), in_lengths(own, QU, QV, C)
    cross = CORRELATION * RU * RV * slope
    exchange = {RU: RV, RV: RU}
    B = slope.diff(RV) / RV
    bent = {
        "by_qu": ((pull - cross) / (2 * RV**2)).xreplace(exchange),
        "by_qv": (pull - cross) / (2 * RV**2),
        "A": slope.diff(CORRELATION) / (RU * RV),
        "B": B,
        "turned": B.xreplace(exchange),
        "G": (RV * pull.diff(RV) - 2 * pull + cross) / RV**4,
    }
    found = {name: small(gathered(expr)) for name, expr in bent.items()}
    return found | {"by_qv": by_qv, "A": floored(found["A"])}


def _arrays(n: int) -> str:
    return f"tuple[{', '.join(['Array'] * n)}]"


def _orthants() -> str:
    """The source of Φ₂, without its imports."""
    source = numpy_source()
    return "\n\n" + source[source.index("def ") :]


@dataclass(frozen=True)
class _Measured:
    """Errors of K° against its enclosure."""

    relative: float  # in units of sqrt(K°(q_u, q_u, q_u) K°(q_v, q_v, q_v))
    mixed: float  # the same with 1 added to both
    points: int

    @property
    def text(self) -> str:
        return (
            f" K° was within 1e{math.ceil(math.log10(max(2.0 * self.relative, 1e-15)))} of"
            f" sqrt(K°(q_u, q_u, q_u) K°(q_v, q_v, q_v)) at {self.points} points with rows of"
            " lengths 1/8 to 8, parallel and opposite ones and those almost so among them."
        )

    @property
    def bound(self) -> str:
        """Four times the worst mixed error; coarse, as in _error."""
        return f"1e{math.ceil(math.log10(max(4.0 * self.mixed, 1e-15)))}"


def _measured(ker: DualKernel, draft: ModuleType, short: bool) -> _Measured:
    relative, mixed, count = 0.0, 0.0, 0
    for lengths in _LENGTHS + _SHORT_LENGTHS * short:
        qu, qv = (fmpq(*(r * r).as_integer_ratio()) for r in lengths)
        sizes = [float(_inside(ker, q, q, q)) for q in (qu, qv)]
        for rho in _CORRELATIONS:
            c = lengths[0] * lengths[1] * rho
            arrays = (np.array([float(x)]) for x in (lengths[0] ** 2, lengths[1] ** 2, c))
            got = float(draft._kernel(*arrays)[0])
            error = abs(float(_inside(ker, qu, qv, exact(c)) - exact(got)))
            relative = max(relative, error / math.sqrt(sizes[0] * sizes[1]))
            mixed = max(mixed, error / math.sqrt((sizes[0] + 1.0) * (sizes[1] + 1.0)))
            count += 1
    return _Measured(relative, mixed, count)


def _inside(ker: DualKernel, qu: fmpq, qv: fmpq, c: fmpq) -> arb:
    """K° so little inside |c| <= sqrt(q_u q_v) that no float tells: the formula is regular."""
    values = dict(zip(ker.symbols, (qu, qv, c * (1 - fmpq(1, 10**24))), strict=True))
    with flint.ctx.workprec(250):
        return ball(ker.expr, values)


_LENGTHS = ((0.125, 1.0), (1.0, 1.0), (3.0, 8.0))
_SHORT_LENGTHS = ((2.0**-20, 2.0**-20), (2.0**-20, 1.0), (0.5, 8.0), (8.0, 8.0))
_CORRELATIONS = tuple(sign * r for r in (0.25, 1 - 2.0**-20, 1.0) for sign in (-1.0, 1.0))


def _plain(name: str, returns: str, results: Mapping[str, Angular]) -> str:
    """A function of qu, qv, c."""
    code = statements({key: f.expr for key, f in results.items()}, sympy.Symbol("c", real=True))
    if any(f.expr.has(ROOT, ALPHA) for f in results.values()):
        code = [*skeletons.ROOT, *code]
    if any(f.expr.has(ALPHA) for f in results.values()):
        code.insert(len(skeletons.ROOT), skeletons.ALPHA)
    return skeletons.PLAIN_FUNCTION.substitute(name=name, returns=returns, code=_indented(code))


# (q_u, q_v, c) -> tolerance; sqrt(1.25)² rounds to a neighbour of 1.25, as the lengths of rows do
_CHECKED = {
    (1.0, 1.0, 1.0): 1e-10,
    (2.25, 0.25, -0.75): 1e-10,
    (0.75, 1.5, 0.5): 1e-10,
    (2.0, 0.5, -0.9375): 1e-10,
    (1.25, 1.25, 1.25): 1e-6,
    (1.25, 1.25, -1.25): 1e-6,
}
_INFINITE = 1e10  # at 10^-24 from the edge a derivative that size is infinite at it


def _require_accurate(ker: DualKernel, draft: ModuleType) -> None:
    """K° and its derivatives against ball arithmetic, where c² = q_u q_v against their limit."""
    kernel_and_slopes = draft._kernel_and_slopes
    u, v, c = ker.symbols
    exprs = [ker.expr, sympy.diff(ker.expr, c), sympy.diff(ker.expr, v)]
    for point, tolerance in _CHECKED.items():
        qu, qv, edge = map(exact, point)
        inside = {u: qu, v: qv, c: edge * (1 - fmpq(1, 10**24))}
        with flint.ctx.workprec(250):
            wanted = [float(ball(expr, inside)) for expr in exprs]
        got = kernel_and_slopes(*(np.array([x]) for x in point))
        pairs = [(float(g[0]), w) for g, w in zip(got, wanted, strict=True) if abs(w) < _INFINITE]
        scale = max(1.0, *(abs(w) for _, w in pairs))
        if not max(abs(g - w) for g, w in pairs) <= tolerance * scale:
            raise ArgumentError(
                f"activation: found {ker.left.name}, whose dual kernel loses its digits at"
                f" (q_u, q_v, c) = {point}; expected no removable singularity"
            )


# ---- activations without a closed form -----------------------------------------------------------


def _tabulated(ker: DualKernel, table: Tables) -> str:
    """The module on the table of Chebyshev coefficients, its error measured."""
    parts = "".join(
        skeletons.PART.substitute(
            parity=part.parity,
            order=part.order,
            growth=part.growth,
            rows=_rows(part),
        )
        for part in table.parts
    )
    body = skeletons.TABULATED.substitute(
        longest=LONGEST,
        edge=EDGE,
        reach=REACH,
        middle=float(MIDDLE),
        centre=repr(table.constant),
        parts=parts,
    )
    header = _Header(
        ker.left, "K°(|u|^2, |v|^2, <u, v>)", _TABULATED_EQUATIONS, skeletons.TABULATED_IMPORTS
    )
    rest = skeletons.TABULATED_REST.substitute(kernel_error="1.0") + skeletons.NO_EXPANSION
    module = _executed("draft", _tidy(header.text([]) + body + rest))

    def differentiate(u: NDArray[np.float64], v: NDArray[np.float64]) -> tuple[float, ...]:
        nodes = [module._nodes("row", row[None, :], np.ones((1, 1))) for row in (u, v)]
        return tuple(float(x[0, 0]) for x in next(module._pairs(*nodes, slopes=True))[2:])

    errors = measure(ker, differentiate)
    rest = skeletons.TABULATED_REST.substitute(kernel_error=errors.stated_value)
    body += rest + skeletons.NO_EXPANSION
    extra = refused()
    notes = [_TABULATED_CONVENTIONS, errors.sentence(), extra.note]
    return _tidy(header.text(notes) + body + extra.interface())


def _rows(part: Part) -> str:
    """Its rows e n_0 n_1 ... parted by semicolons, each on lines of its own."""
    rows = (" ".join(map(str, (row.exponent, *row.coefficients))) for row in part.rows)
    return ";\n".join(fill(row, 98, break_on_hyphens=False) for row in rows)


_TABULATED_EQUATIONS = (
    r"K°(r_u^2, r_v^2, r_u r_v ρ) = \sum_m ε_m T_m(ρ)"
    r" \int_0^\infty a_m(r_u t) a_m(r_v t) t e^{-t^2/2} dt",
    r"σ(t \cos φ) = \sum_m a_m(t) \cos mφ,   ε_0 = 1, ε_m = 1/2 for m > 0",
)
_TABULATED_CONVENTIONS = (
    "K° has no closed form here; X = r_u t cos φ, Y = r_v t cos(φ - arccos ρ) with φ uniform gives"
    " the series above. The a_m are tabulated as Chebyshev series whose numbers were rounded from"
    f" balls, for rows of length at most {LONGEST}. The gradients are the derivatives of the"
    " tabulated K° itself; second ones are differences of order 8 of gradients, rows moving by 1/64"
    " a step, with some 1e-10 of relative error."
)


# ---- the header ----------------------------------------------------------------------------------

_GENERAL_CONVENTIONS = (
    "Conventions: where a quotient is 0/0 (zero rows, parallel or opposite rows) it counts as 0."
    " The covariance c is kept within ±sqrt(q_u q_v). Accuracy: K° and its derivatives were found"
    " right to 10 digits at parallel, opposite and oblique rows."
)
_SECOND = (
    "Second derivatives come from A = ∂²K°/∂c², B = 2 ∂²K°/∂c∂q_v + (c/q_v) A, B' with u and v"
    " exchanged, and G = 4 ∂²K°/∂q_v² + 4 (c/q_v) ∂²K°/∂c∂q_v + (c/q_v)² A, of which only A can be"
    " infinite between parallel rows; there its share is 0 or bounded, as its factors vanish."
)
_SHORTEST = (
    " Rows of Theta shorter than 1e-4 are refused, as quotients by their lengths would lose digits."
)
_ORTHANT_CONVENTIONS = (
    "Conventions: a row shorter than 1e-60 counts as one of that length, which has correlation 0"
    " with every row if it is a zero row; rows are shorter than $longest. The covariance c is kept"
    " within ±sqrt(q_u q_v). Between rows that are parallel but for rounding the derivatives keep"
    " half of their digits. Accuracy:"
)
_HALF = (
    " Between rows that are parallel but for rounding the derivatives keep half of these digits,"
    " since c alone does not tell how parallel they are."
)


def _conventions(degree: int, curved: bool) -> str:
    """What the gradient is where the kernel has none, or is computed apart."""
    mean = "the mean of its one-sided derivatives: σ'(0) is the mean of both slopes"
    text = (
        "Conventions: a zero row has correlation 0 with every row, and its gradient is"
        f" {mean if degree == 1 else 0}."
    )
    if degree == 1:
        text += (
            " Its second derivatives are such means too: between K's two rows κ'(0) times the unit"
            " matrix, and 0 in one row twice; |θ|² κ(1) keeps its own."
        )
    if degree == 2:
        text += " Its second derivative is the mean over opposite directions."
    if not curved:
        return text
    if degree == 0:
        return (
            f"{text} The share of exactly parallel or opposite rows, where κ' and κ'' are infinite,"
            " is 0 in all derivatives; between almost parallel rows, sin φ = sqrt(1 - ρ²), second"
            " ones have a relative error of some 1e-16/sin² φ."
        )
    return (
        f"{text} Between parallel or opposite rows the gradient is its limit, along the row; rows"
        " with directions that agree to 2^-49 count as parallel. The second derivative is its limit"
        " there as well: κ'' sqrt(1 - ρ²) is bounded, and κ'' comes with two factors of the size of"
        " sqrt(1 - ρ²)."
    )


@dataclass(frozen=True)
class _Header:
    """What the module's docstring says of its activation."""

    activation: Activation
    kernel: str
    equations: Sequence[str]
    imports: str = ""
    scipy: str = ""

    def text(self, notes: Sequence[str]) -> str:
        return skeletons.HEADER.substitute(
            name=_quoted(self.activation.name),
            version=symcomp.__version__,
            sigma=_quoted(str(self.activation.expr)),
            kernel=self.kernel,
            formulas="\n".join(f"    {_quoted(equation)}" for equation in self.equations),
            notes="\n\n".join(fill(note, 98, break_on_hyphens=False) for note in notes),
            imports=self.imports,
            scipy=self.scipy,
        )


def _tidy(source: str) -> str:
    """At most two empty lines in a row."""
    return re.sub(r"\n{4,}", "\n\n\n", source)


def _quoted(text: str) -> str:
    """Text that cannot end the docstring it is put into."""
    return "".join(ch if ch.isprintable() else "?" for ch in text).replace('"', "'")


def _latex(expr: sympy.Expr) -> str:
    return str(sympy.latex(expr, inv_trig_style="full"))
