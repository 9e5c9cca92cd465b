"""An activation's population loss and gradient as the source of a standalone NumPy module."""

import importlib.util
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from symcomp.balls import ball, exact
from symcomp.catalogue import Activation, activations
from symcomp.errors import ArgumentError, ExpressionError
from symcomp.expectations import stein
from symcomp.kernels import DualKernel, dual_kernel
from symcomp.printing import (
    ALPHA,
    CORRELATION,
    DIGITS,
    ROOT,
    Angular,
    Formula,
    formulas,
    polar,
    statements,
)
from symcomp.special import BivariateNormalCDF, numpy_source
from symcomp.storage import replace_file
from symcomp.terms import Form

__all__ = ["Generated", "generate", "write_catalogue"]


@dataclass(frozen=True)
class Generated:
    """The source of a module with the losses of networks with one activation.

    It needs NumPy alone, and SciPy where erf or Φ₂ occur.

    Its functions, all in float64 and for networks that are means over their nodes:

        kernel(U, V)                                 K(u_i, v_j), (m, d), (n, d) -> (m, n)
        loss(W, Theta, a=None, b=None)               L of (S0); W (N, d), Theta (M, d)
        loss_and_grad(W, Theta, a=None, b=None)      L, dL/dTheta (M, d), dL/db like b
        Target(W, a=None, expand=False)              a target prepared once, stands wherever W does
        simplified(tau, mu, Theta, b=None)           F of (S1)
        simplified_and_grad(tau, mu, Theta, b=None)  F, dF/dTheta (M, d), dF/db (M,)

    (S0) and (S1) are this project's reconstruction. Bad arguments raise ValueError.
    """

    activation: Activation
    source: str

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the source, UTF-8; a file at `path` is replaced whole or left as it was."""
        replace_file(path, self.source)

    def load(self) -> ModuleType:
        """The module, made from the source in memory; tracebacks show its lines."""
        loader = _Loader(self.source)
        module = importlib.util.module_from_spec(ModuleSpec("symcomp_generated", loader))
        loader.exec_module(module)
        return module


@dataclass(frozen=True)
class _Loader(ExecutionLoader):
    """Imports text that this module has generated."""

    source: str

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        return self.source

    def get_filename(self, fullname: str) -> str:
        return f"{fullname}.py"


def generate(source: str | sympy.Expr | Activation | DualKernel) -> Generated:
    """The NumPy module of an activation, derived from its dual kernel.

    source: an Activation, a catalogue name, text or an expression in x, or its dual kernel.
    The same source gives the same bytes. Raises ArgumentError for the kernel of two different
    activations or one that NumPy and SciPy cannot evaluate, ExpressionError where no closed form
    is known.
    """
    ker = source if isinstance(source, DualKernel) else dual_kernel(source)
    if ker.left != ker.right:
        found = f"{ker.left.name} and {ker.right.name}"
        raise ArgumentError(f"kernel: found that of {found}, expected one activation")
    if ker.expr is None:
        name = ker.left.name
        raise ExpressionError(f"activation: found {name}, expected a dual kernel in closed form")
    return Generated(ker.left, _homogeneous(ker) or _general(ker))


def write_catalogue(folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write <name>.py into `folder` for every activation of the catalogue with a closed form."""
    paths = []
    for name in activations():
        ker = dual_kernel(name)
        if ker.expr is not None:
            paths.append(Path(folder) / f"{name}.py")
            generate(ker).write(paths[-1])
    return tuple(paths)


# ---- positively homogeneous activations ----------------------------------------------------------


def _homogeneous(ker: DualKernel) -> str | None:
    """The module on κ(ρ), or None where κ and κ' are not sums of the terms of `Formula`."""
    if ker.degree is None:
        return None
    functions = [Angular.of(ker.correlation, ker.rho, sympy.S.One)]
    functions.append(functions[0].diff(ker.rho))
    pair = formulas(*functions)
    if pair is None:
        return None
    body = _engine(ker.degree, *pair) + _expansion(ker) + skeletons.INTERFACE
    exprs = [_without_names(f, ker.rho) for f in functions]
    kernel = rf"|u|^k |v|^k κ(ρ),  ρ = <u, v>/(|u||v|),  k = {ker.degree}"
    equations = [f"κ(ρ) = {_latex(exprs[0])}", f"κ'(ρ) = {_latex(exprs[1])}"]
    header = _Header(ker.left, kernel, equations, skeletons.HOMOGENEOUS_IMPORTS)
    draft = Generated(ker.left, header.text([]) + body)
    notes = [_conventions(ker.degree, curved=any(f.curved for f in pair)), _accuracy(draft, *pair)]
    return _tidy(header.text(notes) + body)


def _engine(degree: int, kappa: Formula, slope: Formula) -> str:
    """κ, κ' and the sums over pairs of rows."""
    pair, form = {"kappa": kappa, "slope": slope}, kappa.form
    curved = any(f.curved for f in pair.values())
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
        parameter=", sharp: bool" if curved else "",
        sharpen_if="\n        if sharp:\n            _sharpen(t, some, others)" if curved else "",
        for_slopes=", sharp=True" if curved else "",
        for_values=f", sharp={slope.steep}" if curved else "",
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
    """The code of κ or κ'."""
    code, series = f.code(f"t.{name}"), f.series
    if series is not None:
        coefficients = "\n".join(f"        {c!r}," for c in series.coefficients)
        code += skeletons.NEARLY_OPPOSITE.substitute(
            name=name, switch=series.switch, power=series.power, coefficients=coefficients
        ).splitlines()
    shown = f.expr.xreplace({ROOT: sympy.Symbol("sine")})
    letter = {"kappa": "κ", "slope": "κ'"}[name]
    return skeletons.FUNCTION.substitute(
        name=name, formula=f"{letter} = {shown}", code=_indented(code)
    )


def _indented(lines: Iterable[str]) -> str:
    return "\n    ".join(lines)


def _without_names(f: Angular, rho: sympy.Symbol) -> sympy.Expr:
    """The expression in ρ alone."""
    return f.expr.xreplace({ROOT: sympy.sqrt(1 - rho**2), ALPHA: sympy.asin(rho)})


# ---- the accuracy of κ and κ' --------------------------------------------------------------------


def _accuracy(draft: Generated, *pair: Formula) -> str:
    """A sentence on the error of the module's κ and κ', measured against many digits."""
    points = _points()
    measured = draft.load()._correlation(points)
    clauses = [
        f"{name} within {_error(f, points, got)}"
        for name, f, got in zip(("κ", "κ'"), pair, measured, strict=True)
    ]
    return (
        f"Accuracy: {' and '.join(clauses)}. That is twice the worst error that was measured at"
        f" {len(points)} correlations, ±1 and ±(1 - 10^-k) for k <= 16 among them, rounded up to a"
        " power of 2."
    )


def _error(f: Formula, points: NDArray[np.float64], got: NDArray[np.float64]) -> str:
    """The worst error in ulp; beside a change of sign, in ulp of the greatest value."""
    inside = np.abs(points) < (1.0 if f.steep else 2.0)
    wanted = [f.at(x) for x in points[inside]]
    with mpmath.workdps(DIGITS):
        errors = [abs(mpmath.mpf(y) - w) for y, w in zip(got[inside], wanted, strict=True)]
    sizes = np.abs(np.array(wanted, dtype=float))
    absolute = np.array(errors, dtype=float)
    worst, unit = float(np.max(absolute / np.spacing(sizes))), "ulp"
    if worst > 16 and min(wanted) < 0 < max(wanted):
        worst, unit = float(absolute.max() / np.spacing(sizes.max())), "ulp of its greatest value"
    # Coarse, since the last bits of arccos differ from machine to machine and the text must not.
    return f"{2 ** math.ceil(math.log2(max(2.0 * worst, 1.0)))} {unit}"


def _points() -> NDArray[np.float64]:
    """Correlations all over [-1, 1], crowded at the ends."""
    inner = np.cos(np.pi * np.arange(1, 1024) / 2048)
    right = np.concatenate([inner, 1.0 - 0.1 ** np.arange(1, 17), [1.0]])
    return np.sort(np.concatenate([-right, right]))


# ---- other activations ---------------------------------------------------------------------------


def _general(ker: DualKernel) -> str:
    """The module on K°(q_u, q_v, c) and its partial derivatives."""
    orthants = ker.expr.has(BivariateNormalCDF, sympy.erf)
    functions = _of_lengths(ker) if orthants else _of_variances(ker)
    guards = [text for name, text in skeletons.GUARDS.items() if f"{name}(" in functions]
    header = _Header(
        ker.left,
        "K°(|u|^2, |v|^2, <u, v>)",
        [f"K°(q_u, q_v, c) = {_latex(ker.expr)}"],
        "from functools import cache\n" if orthants else "",
        _scipy(functions) if orthants else "",
    )
    gaps = {"formulas": "".join(guards) + functions, "largest": "256" if orthants else "1e100"}
    body = skeletons.GENERAL.substitute(gaps) + skeletons.NO_EXPANSION + skeletons.INTERFACE
    draft = Generated(ker.left, _tidy(header.text([]) + body))
    _require_accurate(ker, draft)
    if orthants:
        notes = [_ORTHANT_CONVENTIONS + _measured(ker, draft)]
    else:
        notes = [_GENERAL_CONVENTIONS + (_HALF if "root = " in functions else "")]
    return _tidy(header.text(notes) + body)


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
    both = {"K": K, "by_c": K.diff(c), "by_qv": K.diff(qv)}
    return functions + _plain("_kernel_and_slopes", "tuple[Array, Array, Array]", both)


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
    for name, returns, results in (
        ("_kernel", "Array", K),
        ("_kernel_and_slopes", "tuple[Array, Array, Array]", both),
    ):
        code = [skeletons.POLAR_CALL, *statements(results, CORRELATION)]
        text += skeletons.PLAIN_FUNCTION.substitute(
            name=name, returns=returns, code=_indented(code)
        )
    return text


def _orthants() -> str:
    """The source of Φ₂, without its imports."""
    source = numpy_source()
    return "\n\n" + source[source.index("def ") :]


def _measured(ker: DualKernel, draft: Generated) -> str:
    """A sentence on the error of K°, measured against its enclosure."""
    kernel = draft.load()._kernel
    worst, count = 0.0, 0
    for lengths in _LENGTHS:
        qu, qv = (fmpq(*(r * r).as_integer_ratio()) for r in lengths)
        scale = math.sqrt(float(_inside(ker, qu, qu, qu)) * float(_inside(ker, qv, qv, qv)))
        for rho in _CORRELATIONS:
            c = lengths[0] * lengths[1] * rho
            got = kernel(*(np.array([float(x)]) for x in (lengths[0] ** 2, lengths[1] ** 2, c)))
            error = abs(float(_inside(ker, qu, qv, exact(c)) - exact(float(got[0]))))
            worst, count = max(worst, error / scale), count + 1
    return (
        f" K° was within 1e{math.ceil(math.log10(max(2.0 * worst, 1e-15)))} of"
        f" sqrt(K°(q_u, q_u, q_u) K°(q_v, q_v, q_v)) at {count} points with rows of lengths"
        " 1/8 to 8, parallel and opposite ones and those almost so among them."
    )


def _inside(ker: DualKernel, qu: fmpq, qv: fmpq, c: fmpq) -> arb:
    """K° so little inside |c| <= sqrt(q_u q_v) that no float tells: the formula is regular."""
    values = dict(zip(ker.symbols, (qu, qv, c * (1 - fmpq(1, 10**24))), strict=True))
    with flint.ctx.workprec(250):
        return ball(ker.expr, values)


_LENGTHS = ((0.125, 1.0), (1.0, 1.0), (3.0, 8.0))
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


def _require_accurate(ker: DualKernel, generated: Generated) -> None:
    """K° and its derivatives against ball arithmetic, where c² = q_u q_v against their limit."""
    kernel_and_slopes = generated.load()._kernel_and_slopes
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


# ---- the header ----------------------------------------------------------------------------------

_GENERAL_CONVENTIONS = (
    "Conventions: where a quotient is 0/0 (zero rows, parallel or opposite rows) it counts as 0."
    " The covariance c is kept within ±sqrt(q_u q_v). Accuracy: K° and its derivatives were found"
    " right to 10 digits at parallel, opposite and oblique rows."
)
_ORTHANT_CONVENTIONS = (
    "Conventions: a row shorter than 1e-60 counts as one of that length, which has correlation 0"
    " with every row if it is a zero row; rows are shorter than 16. The covariance c is kept within"
    " ±sqrt(q_u q_v). Between rows that are parallel but for rounding the derivatives keep half of"
    " their digits. Accuracy:"
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
    if not curved:
        return text
    if degree == 0:
        return f"{text} The share of exactly parallel or opposite rows, where κ' is infinite, is 0."
    return (
        f"{text} Between parallel or opposite rows the gradient is its limit, along the row; rows"
        " with directions that agree to 2^-49 count as parallel."
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
