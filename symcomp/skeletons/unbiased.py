"""K° and its derivatives up to second ones from the engines for biases, at biases 0."""

from string import Template

WITHOUT_BIASES = '''

def _kernel(qu: Array, qv: Array, c: Array) -> Array:
    return _kernel_and_slopes(qu, qv, c)[0]


def _kernel_and_slopes(qu: Array, qv: Array, c: Array) -> tuple[Array, Array, Array]:
    """K° and its derivatives in c and q_v, by the engine for biases at biases 0."""
    p = _without_biases(qu, qv, c)
    return _of_pairs(p, np.zeros_like(p.ru), np.zeros_like(p.rv))[:3]


def _without_biases(qu: Array, qv: Array, c: Array, parallel: float = 0.0) -> "_Pairs":
    """Rows with 1 - |ρ| < parallel are taken to be so."""
    ru, rv = (np.maximum(np.sqrt(q), SHORTEST) for q in (qu, qv))
    rho = np.clip(c / ru / rv, -1.0, 1.0)
    rho = np.where(1.0 - np.abs(rho) < parallel, np.sign(rho), rho)
    below, above = np.maximum(1.0 - rho, 1e-40), np.maximum(1.0 + rho, 1e-40)
    return _Pairs(ru, rv, rho, below, above, rv - ru)
'''

# Jumps: 1/sqrt(1 - ρ²) of rows that are parallel but for rounding would count.
SNAPPED = WITHOUT_BIASES.replace("parallel: float = 0.0", "parallel: float = 2.0**-48")

SPLINE_CURVES = Template('''

def _kernel_and_curves(qu: Array, qv: Array, c: Array) -> tuple[Array, ...]:
    """K°, its derivatives in c, q_u and q_v, then A, B, B' and G of `_tangents`.

    σ'' = Σ c δ(x - τ) leaves means given that one variable is at a knot: A = E σ'' σ'',
    B = E σ'(X) Y σ''(Y)/q_v and G = E σ(X) (Y²/q_v - 1) σ''(Y)/q_v.
    """
    p = _without_biases(qu, qv, c, parallel=2.0**-48)
    zero_u, zero_v = np.zeros_like(p.ru), np.zeros_like(p.rv)
    K, by_c, by_qv, _ = _of_pairs(p, zero_u, zero_v)
    root, steep = np.sqrt(p.below * p.above), np.sqrt(np.maximum(p.below * p.above, 2.0**-50))
    turn, small = np.where(p.rho < 0.0, -1.0, 1.0), np.minimum(p.below, p.above)
    by_qu, A, B, turned, G = np.zeros((5, *p.rho.shape))
    for knot, jump in KNOTS:
        h = (zero_u - knot) / p.ru
        for other, factor in KNOTS:
            k, both = (zero_v - other) / p.rv, jump * factor
            difference = _difference(p, zero_u - knot, zero_v - other)
            z = (difference + small * turn * k) / root
            w = turn * (small * h - difference) / root
            at_u, at_v = both * _density(h) / p.ru, both * _density(k) / p.rv
            by_qu += 0.5 * at_u * p.rv * root * _ramp(w)
            A += at_v * _density(z) / (p.ru * steep)
            B += at_v * other * _normal(z) / p.rv**2
            turned += at_u * knot * _normal(w) / p.ru**2
            G += at_v * (k * k - 1.0) * p.ru * root * _ramp(z) / p.rv**2
$line    return K, by_c, by_qu, by_qv, A, B, turned, G
''')

CURVES_LINE = """\
    for knot, jump in KNOTS:  # the line SLOPE x + LEVEL at the other variable's knots
        h, k = (zero_u - knot) / p.ru, (zero_v - knot) / p.rv
        at_u, at_v = jump * _density(h) / p.ru, jump * _density(k) / p.rv
        by_qu += 0.5 * at_u * (LEVEL - SLOPE * p.rho * p.rv * h)
        B += SLOPE * at_v * knot / p.rv**2
        turned += SLOPE * at_u * knot / p.ru**2
        G += at_v * (k * k - 1.0) * (LEVEL - SLOPE * p.rho * p.ru * k) / p.rv**2
"""

PIECE_CURVES = Template('''

def _kernel_and_curves(qu: Array, qv: Array, c: Array) -> tuple[Array, ...]:
    """K°, its derivatives in c, q_u and q_v, then A, B, B' and G of `_tangents`.

    A = E σ'' σ'', B = E σ'(X) Y σ''(Y)/q_v and G = E σ(X) (Y²/q_v - 1) σ''(Y)/q_v.
    """
    p = _without_biases(qu, qv, c, parallel=2.0**-48)
    back = _Pairs(p.rv, p.ru, *p[2:5], -p.gap)
    s, t, u, v = np.zeros_like(p.ru), np.zeros_like(p.rv), p.ru**-2.0, p.rv**-2.0
    K, by_c, by_qv, _ = _of_pairs(p, s, t)
    by_qu = _of_pairs(back, t, s)[2]
    A, B, turned, G = np.zeros((4, *p.rho.shape))
    for f, g in ((f, g) for f in PIECES for g in PIECES):
        first = _times_x(g.curve, g.knot)
        parts = (
            (A, 1.0, f.curve, g.curve),
            (B, v, f.slope, first),
            (turned, u, _times_x(f.curve, f.knot), g.slope),
            (G, v * v, f.value, _times_x(first, g.knot)),
            (G, -v, f.value, g.curve),
        )
        _add_means(p, f, g, s, t, parts)
$kinks    return K, by_c, by_qu, by_qv, A, B, turned, G


def _times_x(polynomial: dict[int, $number], knot: float) -> dict[int, $number]:
    """x times a polynomial in y = x - knot."""
    powers = sorted({n + k for n in polynomial for k in (0, 1)})
    return {n: knot * polynomial.get(n, 0.0) + polynomial.get(n - 1, 0.0) for n in powers}
$following''')

KINK_CURVES = """\
    steep = np.sqrt(np.maximum(p.below * p.above, 2.0**-50))
    for knot, _, bend in KINKS:  # σ'' has bend δ(x - knot)
        at_u, at_v = (bend * _density(knot / r) / r for r in (p.ru, p.rv))
        A += at_v * _mean_given(p, s, t, knot, "curve")
        A += at_u * _mean_given(back, t, s, knot, "curve")
        B += at_v * knot * v * _mean_given(p, s, t, knot, "slope")
        turned += at_u * knot * u * _mean_given(back, t, s, knot, "slope")
        G += at_v * (knot * knot * v - 1.0) * v * _mean_given(p, s, t, knot, "value")
        for other, _, step in KINKS:
            z = _conditional(p, s - other, t - knot)[0] / np.sqrt(p.below * p.above)
            A += at_v * step * _density(z) / (p.ru * steep)
"""

JUMP_CURVES = """\
    near = np.minimum(p.below, p.above)
    steep = np.where(near > 1e-36, 1.0 / np.sqrt(p.below * p.above), 0.0)  # else by convention 0
    inverse_u, inverse_v = (np.where(r > SHORTEST, 1.0 / r, 0.0) for r in (p.ru, p.rv))
    for knot, jump, bend in KINKS:  # σ'' has bend δ(x - knot) + jump δ'(x - knot)
        height, pull = _density(knot / p.rv) * inverse_v, knot * v
        lean, far = p.rho * p.ru / p.rv, knot * knot * v - 1.0
        mean, rate = _mean_and_next(p, s, t, knot, "value")
        G += height * v * far * (bend * mean + jump * (pull * mean - lean * rate))
        G -= height * v * 2.0 * pull * jump * mean
        for q, here, there, along, across in ((p, s, t, B, turned), (back, t, s, turned, B)):
            height, square = _density(knot / q.rv) / q.rv * (q.rv > SHORTEST), q.rv**-2.0
            pull, lean = knot * square, q.rho * q.ru / q.rv
            mean, rate = _mean_and_next(q, here, there, knot, "slope")
            along += height * (bend * pull - jump * square) * mean
            along += height * jump * knot * square * (pull * mean - lean * rate)
            mean, rate = _mean_and_next(q, here, there, knot, "curve")
            A += height * (bend * mean + jump * (pull * mean - lean * rate))
            across += height * jump * (lean * knot * q.ru**-2.0 * mean + q.below * q.above * rate)
        for other, step, fold in KINKS:
            away = _conditional(p, s - other, t - knot)
            x, y = (np.clip(-z * steep, -40.0, 40.0) for z in away)  # beyond, the density is 0
            both = _density(x) * _density(knot / p.rv) * steep * inverse_u * inverse_v
            x, y = x * steep * inverse_u, y * steep * inverse_v  # -∂/∂x and -∂/∂y of its logarithm
            A += both * (fold + step * x) * (bend + jump * y)
            A += both * step * jump * p.rho * (steep * inverse_u) * (steep * inverse_v)
            B += both * v * step * (knot * (bend + jump * y) - jump)
            turned += both * u * jump * (other * (fold + step * x) - step)
"""

NEXT = '''

def _mean_and_next(
    p: "_Pairs", s: Array, t: Array, knot: float, part: str
) -> tuple[Array, Array]:
    """E h(X + s) and E h'(X + s) given that Y + t is at the knot; h has that part of the pieces."""
    after = {"value": "slope", "slope": "curve", "curve": "twist"}[part]
    rate, near = _mean_given(p, s, t, knot, after), np.minimum(p.below, p.above)
    inverse = np.where(p.ru > SHORTEST, 1.0 / p.ru, 0.0)
    steep = np.where(near > 1e-36, 1.0 / np.sqrt(p.below * p.above), 0.0)
    for other, step in JUMPS[part]:
        z = _conditional(p, s - other, t - knot)[0] * steep
        rate += step * _density(z) * steep * inverse
    return _mean_given(p, s, t, knot, part), rate
'''
