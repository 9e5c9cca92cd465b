"""Biased pairs of piecewise linear or piecewise constant activations: sums over pairs of knots.

(X + h)_+ and its like have Φ₂, and E (X + h)_+ (Y + k)_+ = ∫ Φ₂ dρ, in closed form; both come from
one quadrature of the density φ₂ with a positive integrand, which cancels nothing in the far tails
nor between opposite rows.
"""

from string import Template

SPLINE = Template('''

# ---- biases: K = E σ(X + s) σ(Y + t) -------------------------------------------------------------

$definition


class _Pairs(NamedTuple):
    """The pairs of two sets of rows."""

    ru: Array  # (m, 1), lengths, at least SHORTEST
    rv: Array  # (1, n)
    rho: Array  # (m, n), correlations
    below: Array  # 1 - ρ
    above: Array  # 1 + ρ
    gap: Array  # rv - ru


SHORTEST = 1e-60


def _pairs_of(left: "_Biased", right: "_Biased") -> _Pairs:
    """Small angles from the chord, |u ∓ v|² = 2 (1 ∓ ρ), since ρ alone would blur them."""
    ru = np.maximum(left.lengths[:, None], SHORTEST)
    rv = np.maximum(right.lengths[None, :], SHORTEST)
    units, others = left.rows / ru, right.rows / rv.T
    rho = np.clip(units @ others.T, -1.0, 1.0)
    below, above, gap = 1.0 - rho, 1.0 + rho, rv - ru
    near = np.argwhere(np.abs(rho) > 1.0 - 2.0**-20)
    for start in range(0, len(near), SIDE):
        i, j = near[start : start + SIDE].T
        sign = np.sign(rho[i, j])[:, None]
        small = 0.5 * np.sum((units[i] - sign * others[j]) ** 2, axis=1)
        small[small < 2.0**-99] = 0.0  # the same direction, up to rounding
        below[i, j] = np.where(sign[:, 0] > 0.0, small, 2.0 - small)
        above[i, j] = np.where(sign[:, 0] > 0.0, 2.0 - small, small)
        v, w = sign * right.rows[j], left.rows[i]
        gap[i, j] = np.sum((v - w) * (v + w), axis=1) / (ru[i, 0] + rv[0, j])
    return _Pairs(ru, rv, rho, np.maximum(below, 1e-40), np.maximum(above, 1e-40), gap)


def _difference(p: _Pairs, s: Array, t: Array) -> Array:
    """s/ru - t/rv for ρ >= 0, s/ru + t/rv for ρ < 0: small between nodes that almost coincide."""
    t = np.where(p.rho < 0.0, -t, t)
    h, k = s / p.ru, t / p.rv
    plain = h - k
    plain[np.abs(plain) < 2.0**-49 * (np.abs(h) + np.abs(k))] = 0.0
    close = (s - t) / p.ru + (t / p.ru) * (p.gap / p.rv)
    return np.where(np.abs(p.gap) < 0.5 * p.ru, close, plain)
''')

MILLS = '''

def _mills(x: Array) -> Array:
    """Φ(-|x|)/φ(x), to a few ulp."""
    from scipy.special import erfcx  # needed with biases alone

    return np.sqrt(0.5 * np.pi) * np.asarray(erfcx(np.sqrt(0.5) * np.abs(x)))


def _density(x: Array) -> Array:
    """φ(x)."""
    return np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)
'''

ORTHANTS = (
    '''

def _normal(x: Array) -> Array:
    """Φ(x)."""
    tail = _density(x) * _mills(x)
    return np.where(x > 0.0, 1.0 - tail, tail)
'''
    + MILLS
    + '''

def _ramp(x: Array) -> Array:
    """G(x) = E (Z + x)_+ = φ(x) + x Φ(x) = x + G(-x)."""
    tail = _density(x) * (1.0 - np.abs(x) * _mills(x))
    return np.where(x > 0.0, x, 0.0) + np.maximum(tail, 0.0)


def _orthants(
    h: Array, k: Array, difference: Array, rho: Array, below: Array, above: Array
) -> tuple[Array, Array]:
    """Φ₂(h, k; ρ) = P(X > -h, Y > -k) and E (X + h)_+ (Y + k)_+ in unit variances.

    ∂/∂ρ of the second is the first, whose own is the density φ₂: Taylor's formula at ρ = 0 gives

        Φ₂ = Φ(h) Φ(k) + ∫ φ₂(r) dr,  E = G(h) G(k) + ρ Φ(h) Φ(k) + ∫ (ρ - r) φ₂(r) dr,

    r from 0 to ρ and G(h) = E (Z + h)_+. What would lose digits that way is done by `_tails`.
    """
    nodes, weights = np.polynomial.legendre.leggauss(20)
    product, squares = h * k, 0.5 * (h * h + k * k)
    first, second = np.zeros_like(rho), np.zeros_like(rho)
    for node, weight in zip(0.5 + 0.5 * nodes, weights / (4.0 * np.pi), strict=True):
        r = node * rho
        rest = 1.0 - r * r
        density = weight * np.exp((r * product - squares) / rest) / np.sqrt(rest)
        first += density
        second += (1.0 - node) * density
    start, means = _normal(h) * _normal(k), _ramp(h) * _ramp(k)
    second = means + second * rho**2
    probability, moment = start + first * rho, second + rho * start
    lost = (probability < 0.0625 * start) | (moment < 0.0625 * second)
    lost |= (np.abs(rho) > 0.75) | (np.minimum(h, k) < -5.0)
    everything = np.broadcast_arrays(h, k, difference, rho, below, above)
    at = np.argwhere(lost)
    for begin in range(0, len(at), SIDE):
        here = tuple(at[begin : begin + SIDE].T)
        probability[here], moment[here] = _tails(*(x[here] for x in everything))
    return probability, moment


def _tails(
    h: Array, k: Array, difference: Array, rho: Array, below: Array, above: Array
) -> tuple[Array, Array]:
    """The same with Taylor's formula at ρ = -1 if ρ < 0, so that every term is positive.

    φ₂ dr = exp(-(m² + y²)/2) sech(x) dx/2π with r = tanh x, y = a e^x - b e^-x, m = max(|h|, |k|),
    a = |h - k|/2, b = |h + k|/2; what is below 2e-16 of the peak is cut off at either end.
    """
    nodes, weights = np.polynomial.legendre.leggauss(20)
    nodes, weights = 0.5 + 0.5 * nodes, 0.5 * weights
    negative, cut = rho < 0.0, 74.0
    furthest = np.clip(np.maximum(np.abs(h), np.abs(k)), 0.0, 40.0)
    size = np.minimum(np.abs(difference), 80.0)
    a = np.maximum(0.5 * np.where(negative, np.minimum(np.abs(h - k), 80.0), size), 1e-100)
    b = np.maximum(0.5 * np.where(negative, size, np.minimum(np.abs(h + k), 80.0)), 1e-100)
    t = np.minimum(np.sqrt(above / below), (np.sqrt(cut) + np.sqrt(cut + 4.0 * a * b)) / (2.0 * a))
    end = np.minimum(a * t - b / t, 0.0)
    fall = np.sqrt(end * end + cut)
    length = np.log(0.5 * t * (fall + np.sqrt(fall * fall + 4.0 * a * b)) / b)
    length = np.clip(length, 0.0, np.where(negative, 38.0, np.log(np.maximum(t, 1.0))))
    edges, sizes = np.array([0.0, 0.06, 0.2, 0.5]), np.array([0.06, 0.14, 0.3, 0.5])
    places = (edges[:, None] + sizes[:, None] * nodes).ravel()  # dense where sech(x) is large
    steps = (sizes[:, None] * weights).ravel()
    places = np.where(negative[:, None], places, 1.0 - places)
    ratio = np.exp(places * length[:, None]) / t[:, None]  # e^-x
    y = a[:, None] / ratio - b[:, None] * ratio
    density = np.exp(-0.5 * (furthest[:, None] ** 2 + y * y)) / (ratio + 1.0 / ratio)
    density *= steps * length[:, None] / np.pi
    probability = np.sum(density, axis=1)
    moment = np.sum(density * (above[:, None] - 2.0 / (1.0 + ratio * ratio)), axis=1)
    # At ρ = -1 both are integrals over [-h, k], where the exponential is flat by quadrature.
    width, low = np.where(negative, np.maximum(difference, 0.0), 0.0), np.minimum(h, k)
    flat = width * (width + 2.0 * np.abs(low)) < 30.0
    step = np.where(flat, width, 0.0)[:, None] * nodes
    inside = np.exp(low[:, None] * step - 0.5 * step * step) * (weights * _density(low)[:, None])
    rest = _normal(-np.maximum(h, k))
    mass = np.where(low > 0.0, 1.0 - _normal(-low) - rest, _normal(low) - rest)
    area = (h * k - 1.0) * mass + h * _density(k) + k * _density(h)
    mass = np.where(flat, width * inside.sum(axis=1), mass)
    area = np.where(flat, width * np.sum(inside * step * (width[:, None] - step), axis=1), area)
    start = np.where(negative, mass, _normal(h) * _normal(k))
    first = np.where(negative, area + above * mass, _ramp(h) * _ramp(k) + rho * start)
    return start + probability, first + moment
'''
)

RAMPS = Template('''
def _shifted(left: "_Biased", right: "_Biased") -> tuple[Array, Array, Array, Array]:
    return _of_pairs(_pairs_of(left, right), left.biases[:, None], right.biases[None, :])


def _of_pairs(p: _Pairs, s: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """K and its derivatives in c, q_v and t: E σ' σ', E σ σ''/2 and E σ σ'."""
    root = np.sqrt(p.below * p.above)
    turn, small = np.where(p.rho < 0.0, -1.0, 1.0), np.minimum(p.below, p.above)
    K, by_c, by_qv, by_t = np.zeros((4, *p.rho.shape))
    for knot, jump in KNOTS:
        h = (s - knot) / p.ru
        for other, factor in KNOTS:
            k, both = (t - other) / p.rv, jump * factor
            difference = _difference(p, s - knot, t - other)
            probability, moment = _orthants(h, k, difference, p.rho, p.below, p.above)
            z = (difference + small * turn * k) / root  # (h - ρ k)/sqrt(1 - ρ²)
            w = turn * (small * h - difference) / root  # (k - ρ h)/sqrt(1 - ρ²)
            K += both * p.ru * p.rv * moment
            by_c += both * probability
            by_qv += both * 0.5 * _density(k) * (p.ru / p.rv) * root * _ramp(z)
            mean = h * probability + _density(h) * _normal(w) + p.rho * _density(k) * _normal(z)
            by_t += both * p.ru * np.maximum(mean, 0.0)
$line    return K, by_c, by_qv, by_t

''')

RAMPS_LINE = """\
    # The line SLOPE x + LEVEL against itself and against the knots.
    line_u, line_v = LEVEL + SLOPE * s, LEVEL + SLOPE * t
    mean_u, mean_v, rise_u, rise_v = np.zeros_like(s), np.zeros_like(t), 0.0 * s, 0.0 * t
    for knot, jump in KNOTS:
        h, k = (s - knot) / p.ru, (t - knot) / p.rv
        mean_u, mean_v = mean_u + jump * p.ru * _ramp(h), mean_v + jump * p.rv * _ramp(k)
        rise_u, rise_v = rise_u + jump * _normal(h), rise_v + jump * _normal(k)
        by_t += SLOPE * jump * _density(k) * p.rho * p.ru
        by_qv += 0.5 * jump * _density(k) / p.rv * (line_u - SLOPE * p.rho * p.ru * k)
    K += line_u * mean_v + mean_u * line_v + line_u * line_v
    K += p.ru * p.rv * p.rho * SLOPE * (rise_u + rise_v + SLOPE)
    by_c += SLOPE * (rise_u + rise_v + SLOPE)
    by_t += line_u * (rise_v + SLOPE) + mean_u * SLOPE
"""

JUMPS = Template('''
def _shifted(left: "_Biased", right: "_Biased") -> tuple[Array, Array, Array, Array]:
    return _of_pairs(_pairs_of(left, right), left.biases[:, None], right.biases[None, :])


def _of_pairs(p: _Pairs, s: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """K and its derivatives in c, q_v and t: E σ' σ', E σ σ''/2 and E σ σ'."""
    root = np.sqrt(p.below * p.above)
    turn, small = np.where(p.rho < 0.0, -1.0, 1.0), np.minimum(p.below, p.above)
    inverse_u, inverse_v = (np.where(r > SHORTEST, 1.0 / r, 0.0) for r in (p.ru, p.rv))
    steep = np.where(small > 1e-36, 1.0 / root, 0.0)  # parallel rows: infinite, by convention 0
    K, by_c, by_qv, by_t = np.zeros((4, *p.rho.shape))
    for knot, jump in KNOTS:
        h = (s - knot) / p.ru
        for other, factor in KNOTS:
            k, both = (t - other) / p.rv, jump * factor
            difference = _difference(p, s - knot, t - other)
            z = (difference + small * turn * k) / root  # (h - ρ k)/sqrt(1 - ρ²)
            height, level = both * _density(k) * inverse_v, _normal(z)
            K += both * _orthants(h, k, difference, p.rho, p.below, p.above)[0]
            by_c += height * inverse_u * _density(z) * steep
            by_qv -= 0.5 * height * inverse_v * (k * level + p.rho * _density(z) * steep)
            by_t += height * level
$line    return K, by_c, by_qv, by_t

''')

JUMPS_LINE = """\
    K += LEVEL * LEVEL  # the constant against itself and against the jumps
    for knot, jump in KNOTS:
        h, k = (s - knot) / p.ru, (t - knot) / p.rv
        height = LEVEL * jump * _density(k) * inverse_v
        K += LEVEL * jump * (_normal(h) + _normal(k))
        by_qv -= 0.5 * height * inverse_v * k
        by_t += height
"""

PROBABILITY = '''

def bivariate_normal_cdf(h: Array, k: Array, r: Array) -> Array:
    """Φ₂(h, k; r) for |r| < 1."""
    return _orthants(h, k, h - np.where(r < 0.0, -k, k), r, 1.0 - r, 1.0 + r)[0]
'''
