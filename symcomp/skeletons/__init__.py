"""The text of the generated modules: what does not depend on the activation, with $gaps.

A module is HEADER, one engine (HOMOGENEOUS, GENERAL or TABULATED), INTERFACE, one engine for biases
(BIASED with SMOOTH_PAIRS, SPLINE or PIECE_PAIRS, or UNBIASED), second derivatives, EXPANSION and
errors. They offer the same names to the interface, which holds (S0) and (S1): `_Nodes`, `_nodes`,
`_mean_node`, `_entries`, `_values`, `_values_and_pulls`, `_sum_error`, `_expanded`, `_Move` and
`_tangents`.
Every module needs NumPy alone, and SciPy where erf or Φ₂ occur.
"""

from symcomp.skeletons.biased import BIASED, HOOKS, SMOOTH_PAIRS, UNBIASED
from symcomp.skeletons.blurred import (
    BLURRED,
    BLURRED_LINE,
    SHARP_LINE,
    SKIP,
    SOFT_FIELD,
    SOFT_LINE,
    SOFT_TEXT,
)
from symcomp.skeletons.errors import (
    FROM_SLOPE,
    FROM_TURN,
    GENERAL_ERRORS,
    HOMOGENEOUS_ERRORS,
    TURN_ERROR,
)
from symcomp.skeletons.expansion import EXPANSION, GENERAL_EXPANSION, NO_EXPANSION
from symcomp.skeletons.general import (
    ALPHA,
    GENERAL,
    GUARDS,
    LIFT,
    PLAIN_FUNCTION,
    POLAR,
    POLAR_CALL,
    POLAR_FLOOR,
    ROOT,
    SHORTEST,
    SNAP,
)
from symcomp.skeletons.header import HEADER
from symcomp.skeletons.hessian import GENERAL_HESSIAN, HOMOGENEOUS_HESSIAN, WIDE, ZERO_ROWS
from symcomp.skeletons.homogeneous import (
    ANGLES,
    EXTREMES,
    FLAT_ANGLES,
    FUNCTION,
    HOMOGENEOUS,
    NEARLY_OPPOSITE,
    SERIES,
    SHARPEN,
    SHARPEN_IF,
)
from symcomp.skeletons.interface import INTERFACE
from symcomp.skeletons.pieces import (
    BOTH_SIDES,
    FINITE,
    GIVEN,
    HALF,
    JUMPING,
    KINKED,
    KINKS,
    PIECE,
    PIECE_PAIRS,
    RADIAL,
    WEDGE,
)
from symcomp.skeletons.splines import (
    JUMPS,
    JUMPS_LINE,
    MILLS,
    ORTHANTS,
    PROBABILITY,
    RAMPS,
    RAMPS_LINE,
    SPLINE,
)
from symcomp.skeletons.tabulated import PART, TABULATED, TABULATED_REST
from symcomp.skeletons.unbiased import (
    CURVES_LINE,
    KINK_CURVES,
    PIECE_CURVES,
    SPLINE_CURVES,
    WITHOUT_BIASES,
)

__all__ = [
    "ALPHA",
    "ANGLES",
    "BIASED",
    "BLURRED",
    "BLURRED_LINE",
    "BOTH_SIDES",
    "CURVES_LINE",
    "EXPANSION",
    "EXTREMES",
    "FINITE",
    "FLAT_ANGLES",
    "FROM_SLOPE",
    "FROM_TURN",
    "FUNCTION",
    "GENERAL",
    "GENERAL_ERRORS",
    "GENERAL_EXPANSION",
    "GENERAL_HESSIAN",
    "GIVEN",
    "GUARDS",
    "HALF",
    "HEADER",
    "HOMOGENEOUS",
    "HOMOGENEOUS_ERRORS",
    "HOMOGENEOUS_HESSIAN",
    "HOOKS",
    "INTERFACE",
    "JUMPING",
    "JUMPS",
    "JUMPS_LINE",
    "KINKED",
    "KINKS",
    "KINK_CURVES",
    "LIFT",
    "MILLS",
    "NEARLY_OPPOSITE",
    "NO_EXPANSION",
    "ORTHANTS",
    "PART",
    "PIECE",
    "PIECE_CURVES",
    "PIECE_PAIRS",
    "PLAIN_FUNCTION",
    "POLAR",
    "POLAR_CALL",
    "POLAR_FLOOR",
    "PROBABILITY",
    "RADIAL",
    "RAMPS",
    "RAMPS_LINE",
    "ROOT",
    "SERIES",
    "SHARPEN",
    "SHARPEN_IF",
    "SHARP_LINE",
    "SHORTEST",
    "SKIP",
    "SMOOTH_PAIRS",
    "SNAP",
    "SOFT_FIELD",
    "SOFT_LINE",
    "SOFT_TEXT",
    "SPLINE",
    "SPLINE_CURVES",
    "TABULATED",
    "TABULATED_REST",
    "TURN_ERROR",
    "UNBIASED",
    "WEDGE",
    "WIDE",
    "WITHOUT_BIASES",
    "ZERO_ROWS",
]
