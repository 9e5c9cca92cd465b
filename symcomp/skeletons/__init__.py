"""The text of the generated modules: what does not depend on the activation, with $gaps.

A module is HEADER, one engine (HOMOGENEOUS, GENERAL or TABULATED) and INTERFACE. The engines
offer the same names to the interface, which holds (S0) and (S1): `_Nodes`, `_nodes`, `_mean_node`,
`_entries`, `_values` and `_values_and_pulls`. Every module needs NumPy alone, and SciPy where erf
or Φ₂ occur.
"""

from symcomp.skeletons.general import (
    ALPHA,
    GENERAL,
    GUARDS,
    PLAIN_FUNCTION,
    POLAR,
    POLAR_CALL,
    ROOT,
)
from symcomp.skeletons.header import HEADER
from symcomp.skeletons.homogeneous import (
    ANGLES,
    FLAT_ANGLES,
    FUNCTION,
    HOMOGENEOUS,
    HOMOGENEOUS_IMPORTS,
    NEARLY_OPPOSITE,
    SERIES,
    SHARPEN,
)
from symcomp.skeletons.interface import INTERFACE
from symcomp.skeletons.tabulated import PART, TABULATED, TABULATED_IMPORTS

__all__ = [
    "ALPHA",
    "ANGLES",
    "FLAT_ANGLES",
    "FUNCTION",
    "GENERAL",
    "GUARDS",
    "HEADER",
    "HOMOGENEOUS",
    "HOMOGENEOUS_IMPORTS",
    "INTERFACE",
    "NEARLY_OPPOSITE",
    "PART",
    "PLAIN_FUNCTION",
    "POLAR",
    "POLAR_CALL",
    "ROOT",
    "SERIES",
    "SHARPEN",
    "TABULATED",
    "TABULATED_IMPORTS",
]
