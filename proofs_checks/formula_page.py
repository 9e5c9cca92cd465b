"""reports/formulas.md: the derived formulas of the activations that have readable ones."""

from collections.abc import Iterable, Iterator
from functools import cache

import sympy

from proofs_checks import catalogue
from symcomp.derivations import objective_formulas
from symcomp.kernels import DualKernel

ORIGIN = (
    "The source is one paper, of which only the abstract is at hand: M. H. Amani, S. Bombari, "
    "M. Mondelli, R. Pukdee, S. Rini, *Sharp asymptotics on the compression of two-layer neural "
    "networks*, IEEE Information Theory Workshop 2022 (arXiv 2205.08199). All statements below "
    "that concern the paper are this project's own reconstruction from that abstract, in its own "
    "notation; none is a quotation."
)
# Beyond this many operations a formula fills pages that nobody reads.
_READABLE = 40


def page(sections: Iterable[str]) -> str:
    """The page of these sections, empty ones left out."""
    blocks = [
        "# Derived formulas",
        ORIGIN,
        "Every formula is derived from σ by `symcomp`; networks are means over their nodes. "
        r"$\kappa(\rho) = K(1, 1, \rho)$; $W$ is the target's matrix and $\Theta$ the compressed "
        r"network's, with rows $w_i$ and $\theta_j$; $\tau^2 = \mathbb E|w|^2$, "
        r"$\mu = \mathbb E w$; $M$ neurons stand for $N$.",
    ]
    return "\n\n".join([*blocks, *filter(None, sections)]) + "\n"


def readable_section(name: str) -> str:
    """The section of an activation whose kernel has a closed form short enough to read, or ""."""
    ker = catalogue.kernel(name)
    return section(ker) if ker.expr is not None and ker.expr.count_ops() <= _READABLE else ""


@cache
def section(ker: DualKernel) -> str:
    """The formulas in LaTeX: kernel, κ, κ', losses, V, 1/d terms, optimum at β = 0."""
    lines = (f"{text}\n\n$$\n{left} = {sympy.latex(right)}\n$$" for text, left, right in _list(ker))
    return "\n\n".join([f"## {ker.activation.name}", *lines])


def _list(ker: DualKernel) -> Iterator[tuple[str, str, sympy.Expr]]:
    """(what it is, left side in LaTeX, right side)."""
    act = ker.activation
    yield "Activation", r"\sigma(x)", act.expr
    yield "Dual kernel (K1)", "K(q_u, q_v, c)", ker.expr
    yield "At unit variances", r"\kappa(\rho)", ker.correlation
    slope = sympy.simplify(sympy.diff(ker.correlation, ker.rho))
    yield "Its slope", r"\kappa'(\rho)", slope
    yield from objective_formulas(ker)
