"""Bounds on the rounding errors of the sums in a generated module."""

from string import Template

COUNT = '''

# ---- rounding errors -----------------------------------------------------------------------------

UNIT = 2.0**-53  # every operation is off by at most UNIT times its result


def _roundings(source: _Nodes, probe: _Nodes) -> int:
    """How many roundings a term of Σ_j <b_j, V_j> goes through after K, at most.

    A tile adds up at most 8 SIDE columns, at least SIDE of them unless it is the last one.
    """
    columns = min(len(source.rows), 8 * SIDE) + 3 * (len(source.rows) // SIDE + 1)
    return columns + probe.weights.size + 24
'''

HOMOGENEOUS_ERRORS = Template(
    COUNT
    + '''

def _sum_error(source: _Nodes, probe: _Nodes, slack: int) -> float:
    """Bound on the error of Σ_j <b_j, V_j> with V = _values(source, probe).

    |κ| <= κ(1) and |κ'| <= κ'(1), since κ is a power series without negative coefficients. With d
    columns ρ is off by at most (2 d + slack) UNIT, a power r^k by k (d/2 + 2) UNIT, and κ by the
    error stated at the head of the module, which was measured.
    """
    d = source.rows.shape[1]
    peak = float(_correlation(1.0)[0])
    relative = _roundings(source, probe) + DEGREE * (d + 8) + 2 * $ulps
    masses, pushes = (np.abs(x.weights) * x.radii[:, None] ** DEGREE for x in (source, probe))
    left, right = masses.sum(axis=0), pushes.sum(axis=0)
    with np.errstate(over="ignore", under="ignore"):
        total = UNIT * (relative * peak * float(left @ right))
        $of_rho
        # Underflow takes at most 2^-1074 from a factor of a term.
        powers = [float(np.sum(x.radii**DEGREE)) for x in (source, probe)]
        sizes = [float(np.sum(np.abs(x.weights))) + x.weights.size for x in (source, probe)]
        lost = 2.0**-1072 * powers[0] * (float(right.sum()) + sizes[1])
        lost += 2.0**-1072 * powers[1] * (float(left.sum()) + sizes[0])
        lost += 2.0**-1072 * (sizes[0] * (float(right.sum()) + 1.0) + sizes[1] * float(left.sum()))
        lost += 2.0**-1072 * sizes[0] * sizes[1]
    return 1.001 * (total + peak * lost)
'''
)

FROM_SLOPE = """\
steepest = float(_correlation(1.0)[1])
        total += UNIT * (2 * d + slack) * steepest * float(left @ right)"""
FROM_TURN = "total += _turn_error(source, probe, (2 * d + slack) * UNIT)"
TURN_ERROR = '''

def _turn_error(source: _Nodes, probe: _Nodes, error: float) -> float:
    """The part of an error of ρ; κ is linear in its angle, which is known better near ρ = ±1.

    There the chord gives it to (d + 32) UNIT, save for a mean node, whose length is not 1.
    """
    if len(source.rows) == 1 and error > (2 * source.rows.shape[1] + 8) * UNIT:
        turned = 2.3 * np.sqrt(error) * np.abs(source.weights).sum(axis=0)
        return float(_correlation(0.0)[1]) * float(turned @ np.abs(probe.weights).sum(axis=0))
    total, rate = 0.0, float(_correlation(0.0)[1])
    for t, i, j in _pairs(source, probe, zone=NEAR):
        near = np.abs(t.rho) >= 1.0 - NEAR
        turned = np.where(near, error + 32 * UNIT, 1.001 * error / np.where(near, 1.0, t.sine))
        total += rate * float(
            np.vdot(np.abs(probe.weights[j]), turned @ np.abs(source.weights[i]))
        )
    return total
'''

GENERAL_ERRORS = Template(
    COUNT
    + '''

KERNEL_ERROR = $kernel_error  # of K°, in units of what _sum_error says; measured


def _sum_error(source: _Nodes, probe: _Nodes, slack: int) -> float:
    """Bound on the error of Σ_j <b_j, V_j> with V = _values(source, probe).

    With d columns c is off by (d + slack) UNIT |u||v| and q by (d + slack) UNIT q; twice their
    first-order effect is taken, which leaves room for the curvature of K°. K° itself is taken to
    be off by KERNEL_ERROR sqrt(K°(q_u, q_u, q_u) + 1) sqrt(K°(q_v, q_v, q_v) + 1): that is 4 times
    the worst error measured at $points points, not proved.
    """
    unit = (source.rows.shape[1] + slack) * UNIT
    left, right = (
        np.sqrt(np.abs(_kernel(x.variances, x.variances, np.sqrt(x.variances) ** 2)) + 1.0)
        @ np.abs(x.weights)
        for x in (source, probe)
    )
    total = KERNEL_ERROR * float(left @ right)
    relative = _roundings(source, probe) * UNIT
    for i, j in _tiles(len(source.rows), len(probe.rows)):
        qu, qv, c = np.broadcast_arrays(*_arguments(source.part(i), probe.part(j)))
$away        K, by_c, by_qv = _kernel_and_slopes(qu, qv, c)
        by_qu = _kernel_and_slopes(qv, qu, c)[2]
        error = np.abs(by_c) * np.sqrt(qu) * np.sqrt(qv) + np.abs(by_qu) * qu + np.abs(by_qv) * qv
        error = 2.0 * $unit * error + relative * np.abs(K)
        total += float(np.vdot(np.abs(probe.weights[j]), error.T @ np.abs(source.weights[i])))
    return 1.001 * total + 1e-300
'''
)

# With jumps K° has a part C sqrt(1 - |ρ|). Where 1 - |ρ| < edge an error of at most edge/4 changes
# it by C sqrt(5 edge/4) at most; twice 2 edge times its slope at 2 edge is C sqrt(2 edge).
JUMP_ERRORS = """\
        bound, edge = np.sqrt(qu) * np.sqrt(qv), max(4.0 * unit, 2.0**-47)
        beside = np.abs(c) > (1.0 - edge) * bound  # K° is like sqrt(1 - |ρ|) there
        c = np.where(beside, np.copysign((1.0 - 2.0 * edge) * bound, c), c)
"""
JUMP_UNIT = "np.where(beside, 2.0 * edge, unit)"
