"""The part of a generated module that knows biases: K = E σ(X + s) σ(Y + t) and its derivatives."""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import sympy

from symcomp import skeletons
from symcomp.antiderivatives import C
from symcomp.catalogue import Activation
from symcomp.errors import SymcompError
from symcomp.expectations import QU, QV, stein
from symcomp.pieces import Pieces
from symcomp.printing import statements
from symcomp.terms import Form, Term

__all__ = ["Biases", "biases", "refused"]

S, T = sympy.symbols("s t", real=True)

_LONGEST = 150  # lines of a printed formula
_TOO_LONG = "whose kernel with biases has no closed form short enough"


@dataclass(frozen=True)
class Biases:
    """The source of the engine, and what the header says of it."""

    source: str
    note: str
    supported: bool = True
    unbiased: str = ""  # K° and its derivatives from this engine too

    @property
    def equations(self) -> tuple[str, ...]:
        """What the kernel with biases and its derivatives are, in LaTeX."""
        return _EQUATIONS if self.supported else ()

    def interface(self) -> str:
        """The losses, with the ways to the biased ones or without them."""
        text = skeletons.INTERFACE
        if not self.supported:
            for way, refusal in skeletons.HOOKS.items():
                text = text.replace(way, refusal)
        return text


def biases(act: Activation) -> Biases:
    """The engine for biases; one that refuses them where σ is no sum of pieces nor short."""
    assert act.form is not None  # its kernel has a closed form
    numeric = act.expr.free_symbols <= {act.symbol}
    spline = _Spline.of(act.form) if numeric else None
    if spline is not None:
        return Biases(spline.source(), _NOTE + spline.note(), unbiased=spline.unbiased())
    if numeric and all(_short(term) for term in act.form.terms):
        source = _smooth(act.form)
        if source is not None:
            return Biases(source, _NOTE + _SMOOTH_NOTE)
    pieces = Pieces.of(act.form) if numeric else None
    if pieces is not None:
        source = pieces.source() + skeletons.BIASED.substitute(largest="1e3")
        return Biases(source, _NOTE + pieces.note(), unbiased=pieces.unbiased())
    return refused()


def refused() -> Biases:
    """The engine that refuses biases."""
    return Biases(
        skeletons.UNBIASED.replace("$reason", _TOO_LONG),
        "Biases are refused: E σ(X + s) σ(Y + t) has no closed form short enough.",
        supported=False,
    )


_EQUATIONS = (
    r"K(s, t) = \mathbb{E}\, σ(X + s) σ(Y + t)  with X = <u, x>, Y = <v, x>, c = \mathbb{E}\, X Y",
    r"\partial_c K = \mathbb{E}\, σ'(X + s) σ'(Y + t)",
    r"\partial_{q_v} K = \tfrac{1}{2} \mathbb{E}\, σ(X + s) σ''(Y + t)",
    r"\partial_t K = \mathbb{E}\, σ(X + s) σ'(Y + t)",
)
_NOTE = (
    "Biases s_i and t_j make the nodes σ(<w_i, x> + s_i) and σ(<θ_j, x> + t_j); K(s, t) then takes"
    " the place of K."
)
_SMOOTH_NOTE = " Entries and biases stay below 1e3 then; SciPy may be needed."


# ---- piecewise linear and piecewise constant activations -----------------------------------------


@dataclass(frozen=True)
class _Spline:
    """σ(x) = level + slope x + Σ c (x - τ)_+^power over the pairs (τ, c) of knots, power 0 or 1."""

    level: float
    slope: float
    knots: tuple[tuple[float, float], ...]
    power: int

    @staticmethod
    def of(form: Form) -> "_Spline | None":
        """The spline, or None for another function."""
        if any(t.soft or t.alpha != 0 or t.beta != 0 or t.power > 1 for t in form.terms):
            return None
        parts: dict[Any, list[sympy.Expr]] = defaultdict(lambda: [sympy.S.Zero, sympy.S.Zero])
        for t in form.terms:
            parts[t.start][t.power] += t.coeff
        level, slope = parts.pop(None, [sympy.S.Zero, sympy.S.Zero])
        ramps = all(sympy.simplify(a + b * at) == 0 for at, (a, b) in parts.items())
        jumps = slope == 0 and all(b == 0 for _, b in parts.values())
        if not parts or not (ramps or jumps):
            return None
        power = int(ramps)
        knots = tuple((float(at), float(pair[power])) for at, pair in parts.items())
        return _Spline(float(level), float(slope), knots, power)

    def source(self) -> str:
        """The engine of biased networks."""
        template = skeletons.RAMPS if self.power else skeletons.JUMPS
        line = skeletons.RAMPS_LINE if self.power else skeletons.JUMPS_LINE
        straight = self.level != 0 or self.slope != 0
        return (
            skeletons.SPLINE.substitute(definition=self._definition(straight))
            + template.substitute(line=line if straight else "")
            + skeletons.ORTHANTS
            + skeletons.BIASED.substitute(largest=self._largest())
        )

    def unbiased(self) -> str:
        """K° and its derivatives by this engine, "" for jumps."""
        if not self.power:
            return ""
        line = skeletons.CURVES_LINE if self.level != 0 or self.slope != 0 else ""
        return skeletons.WITHOUT_BIASES + skeletons.SPLINE_CURVES.substitute(line=line)

    def _definition(self, straight: bool) -> str:
        knot = "Σ c (x - τ)_+" if self.power else "Σ c [x > τ]"
        line = "LEVEL + SLOPE x + " if self.power else "LEVEL + "
        formula = f"{line if straight else ''}{knot}"
        shown = f"KNOTS = {self.knots!r}  # pairs (τ, c): σ(x) = {formula}"
        if not straight:
            return shown
        return f"LEVEL = {self.level!r}\n" + f"SLOPE = {self.slope!r}\n" * self.power + shown

    def _largest(self) -> str:
        """Between several knots of long rows the moments cancel, 1e-16 of r² against 1."""
        return "1e60" if len(self.knots) == 1 or not self.power else "1e3"

    def note(self) -> str:
        """The conventions."""
        text = (
            " Rows shorter than 1e-60 count as 0 there, and the derivatives at a zero row without"
            " bias are the means of the one-sided ones."
            if self.power
            else " The derivatives at a zero row, and the share of parallel rows in them, where"
            " they are infinite, are 0."
        )
        if self.power and len(self.knots) > 1:
            text += " The error of K grows like 1e-16 times the product of the rows' lengths."
        return f"{text} Entries and biases stay below {self._largest()} then; SciPy is needed."


# ---- smooth activations --------------------------------------------------------------------------


def _short(term: Term) -> bool:
    """Whether a formula may be short; waves in Gaussians make one that takes seconds to refuse."""
    return term.start is None and not (term.alpha != 0 and term.beta.has(sympy.I))


def _smooth(form: Form) -> str | None:
    """The engine from printed expectations, or None where they are too long or lose digits."""
    try:
        K = stein(form.shifted(S), form.shifted(T))[0]
        by_t = sympy.diff(K, T)  # biases move means, so that no pole comes in
        by_c, by_qv = sympy.diff(by_t, S), sympy.diff(by_t, T) / 2
        code = _printed({"K": K, "by_c": by_c, "by_qv": by_qv, "by_t": by_t})
    except SymcompError:  # no closed form, or functions that NumPy has not
        return None
    if len(code) > _LONGEST:
        return None
    orthants = any("bivariate_normal_cdf(" in line for line in code)
    functions = "".join(
        text for name, text in skeletons.GUARDS.items() if any(f"{name}(" in line for line in code)
    )
    functions += skeletons.ORTHANTS + skeletons.PROBABILITY if orthants else ""
    imports = [n for n in ("erf", "erfc") if any(f"{n}(" in line for line in code)]
    if imports:
        names = ", ".join(imports)
        code.insert(0, f"from scipy.special import {names}  # needed with biases alone\n")
    text = "\n    ".join(code)
    variances = "    qu, qv = ru * ru, rv * rv\n" if re.search(r"\bq[uv]\b", text) else ""
    pair = skeletons.SMOOTH_PAIRS.substitute(variances=variances, code=text, functions=functions)
    return pair + skeletons.BIASED.substitute(largest="1e3")


def _printed(exprs: dict[str, sympy.Expr]) -> list[str]:
    qu, qv = (sympy.Symbol(name, nonnegative=True) for name in ("qu", "qv"))
    c = sympy.Symbol("c", real=True)
    at = {QU: qu, QV: qv, C: c}
    return statements({name: expr.subs(at) for name, expr in exprs.items()}, c)
