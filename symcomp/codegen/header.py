"""The docstring and the imports of a generated module."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import fill

import sympy

import symcomp
from symcomp import skeletons
from symcomp.catalogue import Activation

__all__ = ["Header", "indented", "latex", "tidy"]


@dataclass(frozen=True)
class Header:
    """What the module's docstring says of its activation."""

    activation: Activation
    kernel: str
    equations: Sequence[str]
    imports: str = ""
    scipy: str = ""
    tile: int = 16  # log2 of the pairs of a tile
    few: int = 2  # tiles that are not worth several threads

    def text(self, notes: Sequence[str]) -> str:
        """The docstring with these notes, and the imports."""
        return skeletons.HEADER.substitute(
            name=_quoted(self.activation.name),
            version=symcomp.__version__,
            sigma=_quoted(str(self.activation.expr)),
            kernel=self.kernel,
            formulas="\n".join(f"    {_quoted(equation)}" for equation in self.equations),
            notes="\n\n".join(fill(note, 98, break_on_hyphens=False) for note in notes),
            imports=self.imports,
            scipy=self.scipy,
            tile=self.tile,
            few=self.few,
        )


def tidy(source: str) -> str:
    """At most two empty lines in a row."""
    return re.sub(r"\n{4,}", "\n\n\n", source)


def _quoted(text: str) -> str:
    """Text that cannot end the docstring it is put into."""
    return "".join(ch if ch.isprintable() else "?" for ch in text).replace('"', "'")


def latex(expr: sympy.Expr) -> str:
    """LaTeX with arcsin for asin."""
    return str(sympy.latex(expr, inv_trig_style="full"))


def indented(lines: Iterable[str]) -> str:
    """Lines of a function's body, to stand after its first indentation."""
    return "\n    ".join(lines)
