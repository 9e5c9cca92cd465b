"""Second derivatives in a generated module: the tangents of `_values_and_pulls`, and products."""

from string import Template

MOVE = '''

# ---- second derivatives --------------------------------------------------------------------------


class _Move(NamedTuple):
    """A direction in which a network moves."""

    rows: Array  # (n, d)
    weights: Array  # (n, k), over n as in _Nodes

    def part(self, some: slice) -> "_Move":
        """That of some of the rows."""
        return _Move(self.rows[some], self.weights[some])
'''

WIDE = """

WIDE = 2.0**-7  # the same for second derivatives, of which κ' is a factor and not its integral
"""
ZERO_ROWS = """
    if behind is not None:  # a zero row has correlation 1 with itself, where K = κ(1) |θ|²
        zero, ends = probe.inverse == 0.0, _correlation([0.0, 1.0])[1]
        own = np.sum(push * source.weights, axis=1)[zero, None]
        dP[zero] += (ends[1] - ends[0]) * own * behind.rows[zero]"""

HOMOGENEOUS_HESSIAN = Template(
    MOVE
    + '''
$wide

def _power(radii: Array, n: int) -> Array:
    """r^n as a column; negative powers of 0 count as 0."""
    if n >= 0:
        return radii[:, None] ** n
    out = np.zeros_like(radii)
    return np.power(radii, float(n), out=out, where=radii > 0.0)[:, None]


def _tangents(
    source: _Nodes, probe: _Nodes, behind: _Move | None, ahead: _Move, crew: _Crew = ALONE
) -> tuple[Array, Array]:
    """Derivatives of V and P of _values_and_pulls, θ moving by δ (`ahead`), w by ε (`behind`).

    With u = w/R, v = θ/r, s = <u - ρ v, δ>, q = <v - ρ u, ε> and E = k κ - ρ κ', a pair of unit
    weights adds to the derivative of R^k r^{k-1} (κ' u + E v)

        R^k r^{k-2} [(κ'' s + (k-1) κ' <v, δ>) u + E (δ - <v, δ> v)
                     + ((k-1) (E <v, δ> + κ' s) - ρ κ'' s) v]
        + R^{k-1} r^{k-1} [(κ'' q + (k-1) κ' <u, ε>) u + κ' ε
                           + (k E <u, ε> + (k-1) κ' q - ρ κ'' q) v].
    """
    k, v = DEGREE, probe.rows * probe.inverse[:, None]
    lean = np.sum(v * ahead.rows, axis=1)[:, None]
    mass = source.weights * _power(source.radii, k)
    push = probe.weights * _power(probe.radii, k - 1)
    bent = probe.weights * _power(probe.radii, k - 2)
    pushed = ahead.weights * _power(probe.radii, k - 1)
    dV, dP = np.zeros((len(v), mass.shape[1])), np.zeros(v.shape)
    along, across = np.zeros((len(v), 1)), np.zeros((len(v), 1))
    spare: list[Array] = []

    def work(place: Place) -> tuple[Array, ...]:
        with _pair(source, probe, place, spare$for_curves) as (t, i, j):
            return tangents(t, i, j)

    def tangents(t: _Tile, i: slice, j: slice) -> tuple[Array, ...]:
        curve = np.empty_like(t.rho)
        _kappa(t)
        _slope(t)
        _curve(t, curve)
        u = source.rows[i] * source.inverse[i, None]
        radial = k * t.kappa
        radial -= t.rho * t.slope
        s = ahead.rows[j] @ u.T
        s -= t.rho * lean[j]
        pairs = bent[j] @ mass[i].T
        bend = curve * s
        on_u = (bend + (k - 1) * lean[j] * t.slope) * pairs
        s *= t.slope
        on_ahead = _row_sums(pairs, radial)
        on_v = _row_sums(pairs, (k - 1) * (radial * lean[j] + s) - t.rho * bend)
        s += k * lean[j] * t.kappa
        value = _power(probe.radii[j], k - 1) * (s @ mass[i])
        pull = np.zeros(v[j].shape)
        pairs = pushed[j] @ mass[i].T
        if behind is not None:
            move = behind.part(i)
            tilt = np.sum(u * move.rows, axis=1)
            light = source.weights[i] * _power(source.radii[i], k - 1)
            moved = move.weights * _power(source.radii[i], k)
            pairs += push[j] @ moved.T
            q = v[j] @ move.rows.T
            q -= t.rho * tilt
            both = push[j] @ light.T
            np.multiply(curve, q, out=bend)
            on_u += (bend + (k - 1) * tilt * t.slope) * both
            q *= t.slope
            on_v += _row_sums(both, k * tilt * radial + (k - 1) * q - t.rho * bend)
            q += k * tilt * t.kappa
            value += _power(probe.radii[j], k) * (q @ light + t.kappa @ moved)
            both *= t.slope
            pull += both @ move.rows
        on_v += _row_sums(pairs, radial)
        pairs *= t.slope
        on_u += pairs
        pull += on_u @ u
        return value, pull, on_v, on_ahead

    _add_up(work, len(source.rows), len(v), crew, (dV, dP, along, across))$zero_rows
    return dV, dP + along * v + across * (ahead.rows - lean * v)


def _row_sums(left: Array, right: Array) -> Array:
    """The sums of the rows of left * right, as a column."""
    return np.einsum("ij,ij->i", left, right)[:, None]
'''
)

GENERAL_HESSIAN = Template(
    MOVE
    + '''

def _tangents(
    source: _Nodes, probe: _Nodes, behind: _Move | None, ahead: _Move, crew: _Crew = ALONE
) -> tuple[Array, Array]:
    """Derivatives of V and P of _values_and_pulls, θ moving by δ (`ahead`), w by ε (`behind`).

    With m = c/q_v, w' = w - m θ, ρ² = c²/(q_u q_v) and A, B, B', G of _kernel_and_curves, a pair
    of unit weights adds to the derivative of (∂K°/∂c) w + 2 (∂K°/∂q_v) θ

        A <w', δ> w' + B (<θ, δ> w' + <w', δ> θ) + G <θ, δ> θ + 2 (∂K°/∂q_v) δ
        + (∂K°/∂c) ε + B' <w, ε> w + B <θ, ε> θ - A (c/q_u) <w', ε> w'
        + A (1 - ρ²) (<w', ε> θ + <θ, ε> w' + m <θ, ε> θ):

    A is infinite between parallel rows, and its factors are then small; where σ jumps, what is
    infinite beside it counts as 0 there.
    """$shortest
    dV, dP = np.zeros((len(probe.rows), source.weights.shape[1])), np.zeros(probe.rows.shape)
    on_theta, on_delta = np.zeros((2, len(probe.rows), 1))
    y = np.sum(probe.rows * ahead.rows, axis=1)[:, None]

    def work(place: Place) -> tuple[Array, ...]:
        i, j = place
        some, others, aim = source.part(i), probe.part(j), ahead.part(j)
        qu, qv, c = _arguments(some, others)
        K, by_c, by_qu, by_qv, A, B, turned, G = (
            x.T for x in _kernel_and_curves(*np.broadcast_arrays(qu, qv, c))
        )
        m = (c * _inverse(qv)).T
        p = aim.rows @ some.rows.T
        value = (by_c * p + 2.0 * y[j] * by_qv) @ some.weights
        pull = np.zeros(others.rows.shape)
        p -= m * y[j]
        pairs = others.weights @ some.weights.T
        on_w = (A * p + B * y[j]) * pairs
        on_row = _row_sums(pairs, B * p + G * y[j]) - _row_sums(on_w, m)
        on_aim = 2.0 * _row_sums(pairs, by_qv)
        weight = aim.weights @ some.weights.T
        if behind is not None:
            move = behind.part(i)
            weight += others.weights @ move.weights.T
            z = others.rows @ move.rows.T
            e = np.sum(some.rows * move.rows, axis=1)
            value += (by_c * z + 2.0 * by_qu * e) @ some.weights + K @ move.weights
            pull += (pairs * by_c) @ move.rows
            back = (c * _inverse(qu)).T
            rest = 1.0 - m * back
            rest[rest < 2.0**-48] = 0.0  # parallel, up to rounding
            rest *= A
            p = e - m * z
            on_w += pairs * turned * e
            skew = pairs * (rest * z - A * back * p)
            on_w += skew
            on_row += _row_sums(pairs, B * z + rest * (p + m * z)) - _row_sums(skew, m)
        on_w += weight * by_c
        on_row += 2.0 * _row_sums(weight, by_qv)
        pull += on_w @ some.rows
        return value, pull, on_row, on_aim

    _add_up(work, len(source.rows), len(dV), crew, (dV, dP, on_theta, on_delta))
    return dV, dP + on_theta * probe.rows + on_delta * ahead.rows


def _inverse(q: Array) -> Array:
    """1/q, and 0 where q is too small for it."""
    return np.divide(1.0, q, out=np.zeros_like(q), where=q > 1e-300)


def _row_sums(left: Array, right: Array) -> Array:
    """The sums of the rows of left * right, as a column."""
    return np.einsum("ij,ij->i", left, right)[:, None]
'''
)
