"""A dual kernel and its derivation as text, LaTeX, Python or JSON; the objectives it leads to."""

import json
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TypeAlias

import sympy

from symcomp import expansions, objectives
from symcomp.catalogue import Activation
from symcomp.errors import ArgumentError
from symcomp.expectations import PRICE, STEIN, Step
from symcomp.kernels import DualKernel
from symcomp.special import BivariateNormalCDF

Line: TypeAlias = tuple[str, str, sympy.Expr]

NO_FORM = (
    "No closed form is known; evaluate and enclosure give K to any number of digits, by Hermite"
    " series and quadrature with rigorous remainders (K2)."
)

_SETTING = (
    r"Let $(X,Y)$ be centred Gaussian with variances $q_u$, $q_v$ and covariance $c$, and let"
    "\n"
    r"$K(c)=\mathbb{E}\,%s$, where $%s$."
)
_METHOD = {
    PRICE: (
        r"By Price's theorem $\partial_c^kK=\mathbb{E}\,%s$, with derivatives in the sense of"
        "\n"
        r"distributions ($\theta$ is the unit step, $\delta$ the Dirac mass). They are"
    ),
    STEIN: (
        r"Exponential factors tilt the Gaussian, and Stein's identity"
        r" $\mathbb{E}(X-m)F=\sum\mathrm{Cov}\,\mathbb{E}\,\partial F$ lowers"
        "\n"
        r"the powers until probabilities of orthants are left"
        r" ($\Phi_2$ is the bivariate normal distribution function)."
    ),
}


def as_text(ker: DualKernel, steps: bool = False) -> str:
    """K and κ drawn in Unicode; with `steps` each equation of the derivation first."""
    degree = ker.degree
    kind = "not homogeneous" if degree is None else f"positively homogeneous of degree {degree}"
    lines = [f"{_title(ker)}: {kind}"]
    if ker.expr is None:
        return "\n\n".join([*lines, _drawn(_sigma(ker)), NO_FORM])
    if steps:
        for n, step in enumerate(ker.steps, 1):
            lines += [f"{n}. {step.text}", _drawn(step.equation)]
    lines += [_drawn(equation) for equation in (_sigma(ker), *_results(ker))]
    if ker.domain:
        lines += [f"converges where {' and '.join(f'{d} > 0' for d in ker.domain)}"]
    return "\n\n".join(lines)


def as_latex(ker: DualKernel, steps: bool = False) -> str:
    """The formulas as displayed equations; with `steps` the text of an appendix around them."""
    if ker.expr is None:
        return f"{_display([_sigma(ker)])}\n{NO_FORM}"
    results = [_sigma(ker), *_results(ker)]
    if not steps:
        return _display(results)
    pair = r"\sigma(X)\,\sigma(Y)" if ker.left == ker.right else r"\sigma(X)\,\tau(Y)"
    names = [("sigma", ker.left)] if ker.left == ker.right else _named(ker)
    what = ",\\ ".join(rf"\{name}(x)={sympy.latex(act.expr)}" for name, act in names)
    paragraphs = [_SETTING % (pair, what)]
    method = (
        PRICE if any("integrate" in s.text or "elementary" in s.text for s in ker.steps) else STEIN
    )
    derived = pair.replace(r"\sigma(", r"\sigma^{(k)}(").replace(r"\tau(", r"\tau^{(k)}(")
    paragraphs.append(_METHOD[method].replace("%s", derived))
    for text, group in groupby(ker.steps, key=_phrase):
        if text:
            paragraphs.append(text)
        paragraphs.append(_display([step.equation for step in group]))
    paragraphs += ["At unit variances this is", _display(_results(ker)[1:])]
    if ker.domain:
        conditions = r",\ ".join(f"{sympy.latex(d)}>0" for d in ker.domain)
        paragraphs.append(f"The expectation converges where ${conditions}$.")
    return "\n".join(paragraphs)


def as_python(ker: DualKernel, _: bool = False) -> str:
    """Functions kernel and correlation that need the standard library only.

    Raises ArgumentError where the formula needs more than the module math has.
    """
    if ker.expr is None or ker.expr.has(BivariateNormalCDF, sympy.erfi):
        why = "no closed form" if ker.expr is None else "a function beyond the module math"
        raise ArgumentError(
            f"format: found python for {_title(ker)}, which has {why}; use symcomp generate"
        )
    arguments = ", ".join(str(symbol) for symbol in ker.symbols)
    return "\n".join(
        [
            "import math",
            *("", "", f"def kernel({arguments}):"),
            f"    return {sympy.pycode(ker.expr)}",
            *("", "", f"def correlation({ker.rho}):"),
            f"    return {sympy.pycode(ker.correlation)}",
        ]
    )


def as_json(ker: DualKernel, _: bool = False) -> str:
    """Name, σ, degree, symbols, K, κ (null without a closed form), steps and domain."""
    form = {
        "name": _title(ker),
        "sigma": str(ker.left.expr),
        "degree": ker.degree,
        "symbols": [str(symbol) for symbol in ker.symbols],
        "kernel": None if ker.expr is None else str(ker.expr),
        "correlation": None if ker.expr is None else str(ker.correlation),
        "steps": [{"text": step.text, "equation": str(step.equation)} for step in ker.steps],
        "domain": [str(condition) for condition in ker.domain],
    }
    return json.dumps(form, indent=2, ensure_ascii=False)


RENDER: dict[str, Callable[[DualKernel, bool], str]] = {
    "text": as_text,
    "latex": as_latex,
    "python": as_python,
    "json": as_json,
}


# ---- objectives ----------------------------------------------------------------------------------


def objective_formulas(ker: DualKernel) -> Iterator[Line]:
    """(what it is, left side in LaTeX, right side) of what `objectives` and `expansions` derive.

    (S0), (S1), V of (S2), the first correction in 1/d of (S6) and (S8); for positively homogeneous
    σ also what is exact at finite d for isotropic w, and the optimum at β = 0 (E2). These
    statements are this project's reconstruction. Raises ArgumentError without a closed form or for
    the kernel of two activations.
    """
    if ker.left != ker.right:
        raise ArgumentError(f"kernel: found that of {_title(ker)}, expected one activation")
    outer = (objectives.OUTER, objectives.OUTER2)
    yield "Population loss (S0)", "L_N", objectives.population_loss(ker)
    yield "Simplified objective (S1)", "F", objectives.simplified_objective(ker)
    variance = objectives.target_variance(ker)
    yield r"Variance of the target's draw as $d \to \infty$ (S2)", "V", variance
    yield (
        "The same with outer weights independent of $w$ (S2)",
        "V_a",
        objectives.target_variance(ker, *outer),
    )
    yield (
        r"First correction of the cross term, $|\theta|^2 = q_v$, $\langle\mu,\theta\rangle = c$, "
        r"for entries with $\kappa_4 = \mathbb E z^4 - 3$, $\gamma_\theta = \mathbb E z^3 \langle "
        r"1, \theta\rangle/\sqrt d$ and $\gamma_\mu$ likewise, all 0 for Gaussian ones (S6, S8)",
        r"\lim_{d\to\infty} d\,(\mathbb E K(w,\theta) - K^\circ)",
        expansions.cross_correction(ker, expansions.GENERAL),
    )
    yield (
        r"First correction of the target's own term (S6, S8)",
        r"\lim_{d\to\infty} d\,(\mathbb E K(w,w') - K^\circ)",
        expansions.target_correction(ker, expansions.GENERAL),
    )
    if ker.degree is not None:
        yield from _homogeneous_formulas(ker)


def _homogeneous_formulas(ker: DualKernel) -> Iterator[Line]:
    corrected = expansions.unit_correction(ker)
    yield (
        r"The same at $|u| = 1$ for Gaussian $w$, in units of $\tau^k$ (S6)",
        r"B(\beta, s)",
        corrected,
    )
    yield "Mean of the kernel over the sphere", r"\kappa_d", objectives.sphere_mean(ker)
    yield (
        r"Cross term with a unit vector at $\mu = 0$, Gaussian $w$, every $d$ (S6)",
        "c_0(d)",
        objectives.mean_field_constant(ker),
    )
    yield (
        r"Objective at finite $d$, isotropic $w$ (S2)",
        "F_d",
        objectives.isotropic_objective(ker),
    )
    yield (
        "Variance of the target's draw at finite $d$, isotropic $w$ (S2)",
        "V_d",
        objectives.isotropic_variance(ker),
    )
    yield (
        r"Distance of the mean target from its limit at $\mu = 0$, Gaussian $w$ (S6)",
        r"|\bar g - g|",
        objectives.mean_distance(ker),
    )
    if objectives.kappa(ker, sympy.S.Zero) != 0:
        best = objectives.simplex_optimum(ker)
        yield "Energy of the simplex (E2)", "E_M", best.energy
        yield r"Norm of its vectors at $\mu = 0$ (E2)", r"|\theta_j|", best.radius
        yield r"Least loss at $\mu = 0$ (E2)", r"\min F", best.value


# ---- parts ---------------------------------------------------------------------------------------


def _title(ker: DualKernel) -> str:
    return ker.left.name if ker.left == ker.right else f"{ker.left.name}, {ker.right.name}"


def _named(ker: DualKernel) -> list[tuple[str, Activation]]:
    return [("sigma", ker.left), ("tau", ker.right)]


def _equation(left: sympy.Expr, right: sympy.Expr) -> sympy.Eq:
    return sympy.Eq(left, right, evaluate=False)


def _sigma(ker: DualKernel) -> sympy.Eq:
    return _equation(sympy.Function("sigma")(ker.left.symbol), ker.left.expr)


def _results(ker: DualKernel) -> list[sympy.Eq]:
    K, kappa = sympy.Function("K"), sympy.Function("kappa")
    return [_equation(K(*ker.symbols), ker.expr), _equation(kappa(ker.rho), ker.correlation)]


def _phrase(step: Step) -> str:
    """The sentence that leads into equations of this kind; derivatives follow on the method's."""
    if "elementary" in step.text:
        return "The last expectation is elementary:"
    if step.text.startswith("value"):
        return r"At $c=0$ the variables are independent, and"
    if step.text.startswith("integrate"):
        return r"Integrating from $0$ to $c$,"
    if step.text.startswith("tilt"):
        return "Term by term,"
    if step.text.startswith("add"):
        return "In sum,"
    return ""


def _display(equations: list[sympy.Eq]) -> str:
    rows = (rf"{_latex(e.lhs)} &= {_latex(e.rhs)}" for e in equations)
    return "\\begin{align*}\n  " + " \\\\\n  ".join(rows) + "\n\\end{align*}"


def _latex(expr: sympy.Expr) -> str:
    text = str(sympy.latex(expr, inv_trig_style="full"))
    return text.replace(r"E{\left(", r"\mathbb{E}{\left(")


def _drawn(equation: sympy.Eq) -> str:
    drawn = sympy.pretty(equation, wrap_line=False)
    return "\n".join(f"  {line}".rstrip() for line in drawn.splitlines())
