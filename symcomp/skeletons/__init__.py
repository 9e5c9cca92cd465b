"""The text of the generated modules: what does not depend on the activation, with $gaps.

A module is HEADER, one engine (HOMOGENEOUS or GENERAL), INTERFACE and one engine for biases (BIASED
with SMOOTH_PAIRS or SPLINE, or UNBIASED). The engines offer the same names to the interface, which
holds (S0) and (S1): `_Nodes`, `_nodes`, `_mean_node`, `_entries`, `_values` and
`_values_and_pulls`. Every module needs NumPy alone, and SciPy where erf or Φ₂ occur.
"""

from symcomp.skeletons.biased import BIASED, HOOKS, SMOOTH_PAIRS, UNBIASED
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
from symcomp.skeletons.splines import (
    JUMPS,
    JUMPS_LINE,
    ORTHANTS,
    PROBABILITY,
    RAMPS,
    RAMPS_LINE,
    SPLINE,
    WITHOUT_BIASES,
)

__all__ = [
    "ALPHA",
    "ANGLES",
    "BIASED",
    "FLAT_ANGLES",
    "FUNCTION",
    "GENERAL",
    "GUARDS",
    "HEADER",
    "HOMOGENEOUS",
    "HOMOGENEOUS_IMPORTS",
    "HOOKS",
    "INTERFACE",
    "JUMPS",
    "JUMPS_LINE",
    "NEARLY_OPPOSITE",
    "ORTHANTS",
    "PLAIN_FUNCTION",
    "POLAR",
    "POLAR_CALL",
    "PROBABILITY",
    "RAMPS",
    "RAMPS_LINE",
    "ROOT",
    "SERIES",
    "SHARPEN",
    "SMOOTH_PAIRS",
    "SPLINE",
    "UNBIASED",
    "WITHOUT_BIASES",
]
