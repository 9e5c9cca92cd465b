"""Modules of other activations with a closed form, on K°(q_u, q_v, c) and its derivatives."""

from collections.abc import Mapping
from dataclasses import replace

import sympy

from symcomp import skeletons
from symcomp.antiderivatives import C
from symcomp.biases import biases
from symcomp.codegen.accuracy import measured, require_accurate
from symcomp.codegen.expansion import expansion_source
from symcomp.codegen.header import Header, indented, latex, tidy
from symcomp.codegen.loading import executed
from symcomp.codegen.shifted import Shifted
from symcomp.codegen.tilted import Tilted, is_tilted, printable
from symcomp.expectations import QU, QV, stein
from symcomp.gathering import gathered
from symcomp.kernels import DualKernel
from symcomp.printing import (
    ALPHA,
    CORRELATION,
    GAP,
    ROOT,
    RU,
    RV,
    Angular,
    assignments,
    floored,
    in_lengths,
    polar,
    small,
    statements,
)
from symcomp.special import BivariateNormalCDF, numpy_source
from symcomp.terms import Form

__all__ = ["general_source"]


def general_source(ker: DualKernel) -> str:
    """The module on K°(q_u, q_v, c) and its partial derivatives."""
    extra = biases(ker.left)
    orthants = ker.expr.has(BivariateNormalCDF, sympy.erf)
    printed = orthants and not extra.unbiased
    form = ker.left.form
    assert form is not None  # the kernel has a closed form
    tilted = is_tilted(form)
    if orthants:
        functions = _of_lengths(ker) if printed else extra.unbiased
    else:
        functions = _of_tilts(Tilted(), form) if tilted else _of_variances(ker)
    guards = [
        text
        for name, text in skeletons.GUARDS.items()
        if f"{name}(" in functions and text not in extra.source
    ]
    header = Header(
        ker.left,
        "K°(|u|^2, |v|^2, <u, v>)",
        [f"K°(q_u, q_v, c) = {latex(ker.expr)}", *extra.equations],
        scipy=_scipy(functions) if printed else "",
    )
    largest = ("256" if printed else "1e6") if orthants else "1e100"
    growth = -float(min(t.alpha for t in form.terms))
    longest = (0.25 / growth) ** 0.5 if growth > 0 else float("inf")
    if growth > 0:
        largest = repr(0.25 / growth)  # K° is infinite for two such rows that are parallel
    gaps = {"formulas": "".join(guards) + functions, "largest": largest}
    hessian = skeletons.GENERAL_HESSIAN.substitute(shortest=skeletons.SHORTEST if orthants else "")
    engine = skeletons.GENERAL.substitute(gaps)
    draft = executed("draft", tidy(header.text([]) + engine + extra.interface() + extra.source))
    require_accurate(ker, draft, longest, parallel=1e-10 if tilted else 1e-6)
    found = measured(ker, draft, longest, short=not orthants)
    jumps = bool(form.derivative().diracs)
    errors = skeletons.GENERAL_ERRORS.substitute(
        kernel_error=found.bound,
        points=found.points,
        away=skeletons.JUMP_ERRORS if jumps else "",
        unit=skeletons.JUMP_UNIT if jumps else "unit",
    )
    steep = (_STEEP if printed or not orthants else _STEEPER) if jumps else ""
    second = _SECOND + (_MANY_INFINITE if jumps else _ONLY_A)
    if orthants:
        conventions = _ORTHANT_CONVENTIONS.replace("$longest", "16" if printed else "1000")
        notes = [conventions + found.text + steep, second + _SHORTEST, extra.note]
    else:
        half = _HALF if "root = " in functions else ""
        text = found.text + steep if tilted else ""
        notes = [_GENERAL_CONVENTIONS + text + half, second, extra.note]
    expansion = expansion_source(ker, draft, float(largest))
    body = engine + extra.interface() + extra.source + hessian + expansion + errors
    return tidy(header.text(notes) + body)


def _scipy(functions: str) -> str:
    names = [name for name in ("erf", "erfc", "erfcx", "ndtr") if f"{name}(" in functions]
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


def _of_tilts(means: Tilted | Shifted, form: Form) -> str:
    """K° and its derivatives with thresholds under Gaussian weights, in the tilted Gaussians."""
    exprs = means.derivatives(form)
    shifted = isinstance(means, Shifted)
    text = _orthants() if shifted else ""
    for name, returns, keys in (
        ("_kernel", "Array", ("K",)),
        ("_kernel_and_slopes", _arrays(3), ("K", "by_c", "by_qv")),
        ("_kernel_and_curves", _arrays(8), tuple(exprs)),
    ):
        results, values = printable(means.values, {key: exprs[key] for key in keys})
        lift = (skeletons.LIFT,) if shifted else ()
        snap = () if name == "_kernel" else (skeletons.SNAP,)
        code = [*lift, *skeletons.ROOT, *snap, *assignments(values), *statements(results)]
        text += skeletons.PLAIN_FUNCTION.substitute(name=name, returns=returns, code=indented(code))
    return text


def _of_lengths(ker: DualKernel) -> str:
    """K° and its derivatives with probabilities of orthants, in lengths and the correlation.

    The derivatives are Gaussian expectations themselves, free of the poles that differentiating
    K° leaves to cancel: ∂K°/∂c = E σ'(X) σ'(Y), 2 q_v ∂K°/∂q_v = E σ(X) Y σ'(Y) - c ∂K°/∂c.
    """
    f = ker.left.form
    assert f is not None  # the kernel has a closed form
    slope = f.derivative()
    weighted = any(t.start is not None and (t.alpha, t.beta) != (0, 0) for t in f.terms)
    if (weighted or slope.diracs) and not any(t.soft or t.beta.has(sympy.I) for t in f.terms):
        return _of_tilts(Shifted(), f)
    # No kernel closes with jumps beside waves or two thresholds in a term; others have pieces.
    assert not slope.diracs
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
            floors = any("floor_" in line for line in code)
            code[1:1] = skeletons.POLAR_FLOOR if floors else skeletons.POLAR_FLOOR[:-1]
        text += skeletons.PLAIN_FUNCTION.substitute(name=name, returns=returns, code=indented(code))
    return text


def _bent(by_c: sympy.Expr, own: sympy.Expr, by_qv: sympy.Expr) -> dict[str, sympy.Expr]:
    """The other derivatives that second ones need, from E σ'(X) σ'(Y) and `own` = E σ(X) Y σ'(Y).

    At a fixed correlation, in the lengths r = sqrt(q): B = (1/r_v) ∂/∂r_v E σ' σ' is also
    E σ'(X) Y σ''(Y)/q_v and G = E σ(X) σ''(Y) (Y²/q_v - 1)/q_v, both finite between parallel rows.
    """
    slope, pull = in_lengths(by_c, QU, QV, C), in_lengths(own, QU, QV, C)
    cross = CORRELATION * RU * RV * slope
    exchange = {RU: RV, RV: RU, GAP: -GAP}
    bent = {
        "A": slope.diff(CORRELATION) / (RU * RV),
        "B": slope.diff(RV) / RV,
        "G": (RV * pull.diff(RV) - 2 * pull + cross) / RV**4,
    }
    A, B, G = (small(gathered(expr)) for expr in bent.values())
    by_qu, turned = (expr.xreplace(exchange) for expr in (by_qv, B))
    return {
        "by_qu": by_qu,
        "by_qv": by_qv,
        "A": floored(A),
        "B": B,
        "turned": turned,
        "G": G,
    }


def _arrays(n: int) -> str:
    return f"tuple[{', '.join(['Array'] * n)}]"


def _orthants() -> str:
    """The source of Φ₂, without its imports."""
    source = numpy_source()
    return "\n\n" + source[source.index("def ") :]


def _plain(name: str, returns: str, results: Mapping[str, Angular]) -> str:
    """A function of qu, qv, c."""
    code = statements({key: f.expr for key, f in results.items()}, sympy.Symbol("c", real=True))
    if any(f.expr.has(ROOT, ALPHA) for f in results.values()):
        code = [*skeletons.ROOT, *code]
    if any(f.expr.has(ALPHA) for f in results.values()):
        code.insert(len(skeletons.ROOT), skeletons.ALPHA)
    return skeletons.PLAIN_FUNCTION.substitute(name=name, returns=returns, code=indented(code))


_GENERAL_CONVENTIONS = (
    "Conventions: where a quotient is 0/0 (zero rows, parallel or opposite rows) it counts as 0."
    " The covariance c is kept within ±sqrt(q_u q_v). Accuracy: K° and its derivatives were found"
    " right to 10 digits at parallel, opposite and oblique rows."
)
_SECOND = (
    "Second derivatives come from A = ∂²K°/∂c², B = 2 ∂²K°/∂c∂q_v + (c/q_v) A, B' with u and v"
    " exchanged, and G = 4 ∂²K°/∂q_v² + 4 (c/q_v) ∂²K°/∂c∂q_v + (c/q_v)² A"
)
_ONLY_A = (
    ", of which only A can be infinite between parallel rows; there its share is 0 or bounded, as"
    " its factors vanish."
)
_MANY_INFINITE = ", of which those parts that are infinite between parallel rows count as 0 there."
_SHORTEST = (
    " Rows of Theta shorter than 1e-4 are refused, as quotients by their lengths would lose digits."
)
_ORTHANT_CONVENTIONS = (
    "Conventions: a row shorter than 1e-60 counts as one of that length, which has correlation 0"
    " with every row if it is a zero row; rows are shorter than $longest. The covariance c is kept"
    " within ±sqrt(q_u q_v). Between rows that are parallel but for rounding the derivatives keep"
    " half of their digits. Accuracy:"
)
_STEEP = " Derivatives that are infinite between parallel rows count as 0 there."
_STEEPER = (
    " The parts of derivatives that are infinite between parallel rows count as 0 there. They grow"
    " like (1 - |ρ|)^(-1/2), in second derivatives like its third power, so that an error ε of ρ"
    " changes them by about ε/(1 - |ρ|) of their size; rows with 1 - |ρ| < 2^-48 count as parallel."
)
_HALF = (
    " Between rows that are parallel but for rounding the derivatives keep half of these digits,"
    " since c alone does not tell how parallel they are."
)
