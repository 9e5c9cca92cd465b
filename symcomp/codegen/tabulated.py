"""Modules of activations without a closed form, on a table."""

from textwrap import fill

import numpy as np
from numpy.typing import NDArray

from symcomp import skeletons
from symcomp.biases import refused
from symcomp.codegen.header import Header, tidy
from symcomp.codegen.loading import executed
from symcomp.kernels import DualKernel
from symcomp.tables import EDGE, LONGEST, MIDDLE, REACH, Part, Tables, measure

__all__ = ["tabulated_source"]


def tabulated_source(ker: DualKernel, table: Tables) -> str:
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
    header = Header(ker.left, "K°(|u|^2, |v|^2, <u, v>)", _TABULATED_EQUATIONS)
    module = executed("draft", tidy(header.text([]) + body))

    def differentiate(u: NDArray[np.float64], v: NDArray[np.float64]) -> tuple[float, ...]:
        nodes = [module._nodes("row", row[None, :], np.ones((1, 1))) for row in (u, v)]
        return tuple(float(x[0, 0]) for x in next(module._pairs(*nodes, slopes=True))[2:])

    errors = measure(ker, differentiate)
    extra = refused()
    body += extra.interface() + extra.source
    body += skeletons.TABULATED_REST.substitute(kernel_error=errors.stated_value)
    body += skeletons.NO_EXPANSION
    notes = [_TABULATED_CONVENTIONS, errors.sentence(), extra.note]
    return tidy(header.text(notes) + body)


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
