"""Modules of positively homogeneous activations, on κ(ρ)."""

import math
from dataclasses import replace

import sympy

from symcomp import skeletons
from symcomp.biases import biases
from symcomp.codegen.accuracy import Error, measured_errors, stated
from symcomp.codegen.header import Header, indented, latex, tidy
from symcomp.codegen.loading import executed
from symcomp.kernels import DualKernel
from symcomp.printing import ALPHA, ROOT, Angular, Formula, formulas

__all__ = ["homogeneous_source"]


def homogeneous_source(ker: DualKernel) -> str | None:
    """The module on κ(ρ), or None where κ and κ' are not sums of the terms of `Formula`."""
    if ker.degree is None:
        return None
    functions = [Angular.of(ker.correlation, ker.rho, sympy.S.One)]
    for _ in range(2):
        functions.append(functions[-1].diff(ker.rho))
    along = ker.degree * functions[0].expr - ker.rho * functions[1].expr
    functions.append(replace(functions[0], expr=along).reduced())
    found = formulas(*functions)
    if found is None:
        return None
    engine = _engine(ker.degree, *found)
    exprs = [_without_names(f, ker.rho) for f in functions[:3]]
    kernel = rf"|u|^k |v|^k κ(ρ),  ρ = <u, v>/(|u||v|),  k = {ker.degree}"
    letters = ("κ", "κ'", "κ''")
    equations = [f"{name}(ρ) = {latex(e)}" for name, e in zip(letters, exprs, strict=True)]
    extra = biases(ker.left)
    equations += extra.equations
    # Nearly all that a tile takes is for products, which BLAS shares as well; long ones suit them.
    imports = "from dataclasses import dataclass\n"
    header = Header(ker.left, kernel, equations, imports, tile=17, few=4)
    draft = executed("draft", tidy(header.text([]) + engine))
    kappa, slope, curve = measured_errors(ker, draft, found[:3])
    curved = any(f.curved for f in found[:2])
    errors = _errors(kappa, steep=found[1].steep)
    body = engine + extra.interface() + extra.source + _hessian(ker.degree, found)
    body += _expansion(ker) + errors
    notes = [_conventions(ker.degree, curved), stated(kappa, slope, curve), extra.note]
    return tidy(header.text(notes) + body)


def _engine(degree: int, kappa: Formula, slope: Formula, curve: Formula, along: Formula) -> str:
    """κ, κ', κ'', k κ - ρ κ' and the sums over pairs of rows."""
    pair, form = {"kappa": kappa, "slope": slope, "curve": curve}, kappa.form
    sums = skeletons.ONLY_KAPPA
    if degree and along.bare and slope.bare:
        sums = skeletons.bare_sums(along.bare, slope.bare)
    elif degree:
        pair["along"] = along
        sums = skeletons.ALONG
    curved = any(f.curved for f in pair.values())
    whole = ", zone=NEAR" if curved else ""
    sharpen = skeletons.SHARPEN.substitute(of_turn=form.of_turn) if curved else ""
    angles = skeletons.ANGLES.substitute(code=indented(form.code))
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
        extremes=skeletons.EXTREMES if curved else "",
        sharpen=sharpen,
        parameter=", zone: float" if curved else "",
        passed=", zone" if curved else "",
        sharpen_if=skeletons.SHARPEN_IF if curved else "",
        for_slopes=whole,
        for_values=(whole if slope.steep else ", zone=0.0") if curved else "",
        **sums,
    )


def _hessian(degree: int, functions: tuple[Formula, ...]) -> str:
    """The second derivatives."""
    curved = any(f.curved for f in functions)
    return skeletons.HOMOGENEOUS_HESSIAN.substitute(
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
    """The code of κ, κ', κ'' or k κ - ρ κ'; κ'' is put into an array beside the tile."""
    letter, into, parameter = {
        "kappa": ("κ", "t.kappa", ""),
        "slope": ("κ'", "t.slope", ""),
        "curve": ("κ''", "curve", ", curve: Array"),
        "along": ("In the place of κ, k κ - ρ κ'", "t.kappa", ""),
    }[name]
    code, series = f.code(into), f.series
    if series is not None:
        coefficients = "\n".join(f"        {c!r}," for c in series.coefficients)
        code += skeletons.NEARLY_OPPOSITE.substitute(
            into=into,
            switch=series.switch,
            edge=math.ceil(1000 * _least_square(series.switch)) / 1000,
            power=series.power,
            coefficients=coefficients,
        ).splitlines()
    shown = f.expr.xreplace({ROOT: sympy.Symbol("sine")})
    return skeletons.FUNCTION.substitute(
        name=name, parameter=parameter, formula=f"{letter} = {shown}", code=indented(code)
    )


def _least_square(psi: float) -> float:
    """1 - ρ² above which ρ > -cos ψ for certain."""
    return 1.0 if psi >= math.pi / 2 else math.sin(psi) ** 2


def _without_names(f: Angular, rho: sympy.Symbol) -> sympy.Expr:
    """The expression in ρ alone."""
    return f.expr.xreplace({ROOT: sympy.sqrt(1 - rho**2), ALPHA: sympy.asin(rho)})


def _errors(kappa: Error, steep: bool) -> str:
    """The bound on rounding errors."""
    of_rho = skeletons.FROM_TURN if steep else skeletons.FROM_SLOPE
    text = skeletons.HOMOGENEOUS_ERRORS.substitute(ulps=kappa.ulps, of_rho=of_rho)
    return text + (skeletons.TURN_ERROR if steep else "")


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
