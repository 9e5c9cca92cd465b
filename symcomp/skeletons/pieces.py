"""Biased pairs of activations made of pieces: polynomials times Gaussians or exponentials, cut off.

Multiplying a Gaussian by the exponentials of a pair of pieces gives a Gaussian again. What is left
are its moments over a quadrant, which is a wedge once the variables are made independent: in polar
coordinates around its corner the radial integrals are closed and those over the angle have positive
integrands, so that nothing cancels between almost parallel or opposite rows nor in the tails.
"""

from string import Template

PIECE = '''class _Piece(NamedTuple):
    """Σ_n c_n y^n exp(-alpha y² + beta y), y = x - knot, where side y > 0, everywhere if side = 0.

    The c_n are the numbers of `value` in σ, of `slope` in σ' and of `curve` in σ''.$twisted$blurred
    """

    knot: float
    side: int
    alpha: float
    beta: $number
$soft    value: dict[int, $number]
    slope: dict[int, $number]
    curve: dict[int, $number]
$twist

PIECES = ($pieces
)'''

TWIST_FIELD = "    twist: dict[int, float]\n"
TWIST_TEXT = "\n    Those of `twist` are in σ'''."

KINKS = "\nKINKS = $kinks  # where σ and σ' jump: knot, jump of σ, jump of σ'"
JUMPS_BY_PART = "\nJUMPS = {$jumps\n}  # of σ, σ' and σ'': knot, jump"

PIECE_PAIRS = Template('''

def _shifted(left: "_Biased", right: "_Biased") -> tuple[Array, Array, Array, Array]:
    """K and its derivatives in c, q_v and t."""
    return _of_pairs(_pairs_of(left, right), left.biases[:, None], right.biases[None, :])


def _of_pairs(p: _Pairs, s: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """K and its derivatives in c, q_v and t: E σ' σ', E σ σ''/2 and E σ σ'."""
    K, by_c, by_qv, by_t = np.zeros((4, *p.rho.shape))
    for f, g in ((f, g) for f in PIECES for g in PIECES):
        parts = (
            (K, 1.0, f.value, g.value),
            (by_c, 1.0, f.slope, g.slope),
            (by_qv, 0.5, f.value, g.curve),
            (by_t, 1.0, f.value, g.slope),
        )
        _add_means(p, f, g, s, t, parts)
$kinks    return K, by_c, by_qv, by_t


def _add_means(
    p: _Pairs, f: _Piece, g: _Piece, s: Array, t: Array,
    parts: tuple[tuple[Array, Array | float, dict[int, $number], dict[int, $number]], ...],
) -> None:
    """Add to each total its factor times the mean of f and g with these polynomials."""
    powers = sorted({(m, n) for *_, a, b in parts for m in a for n in b})
$skip    moments = ${moments}_tilted(p, f, g, s, t), $sides, powers)
    for total, factor, a, b in parts:
        for m, n in ((m, n) for m in a for n in b):
            total += $real


class _Tilted(NamedTuple):
    """The Gaussian (X + s - f.knot, Y + t - g.knot) times the exponentials of f and g."""

    ru: Array  # the new standard deviations
    rv: Array
    h: Array  # means over them
    k: Array
    z: Array  # mean over deviation of one variable where the other is 0: (h - ρ k)/sqrt(1 - ρ²)
    w: Array  # (k - ρ h)/sqrt(1 - ρ²)
    rho: Array
    root: Array  # sqrt(1 - ρ²)
    shrunk: Array  # its mass is shrunk exp(peak)
    peak: Array
    corner: Array  # the exponent where both variables are 0


def _tilted(p: _Pairs, f: _Piece, g: _Piece, s: Array, t: Array) -> _Tilted:
    """In units of the rows' lengths A = 2 f.alpha ru², a = f.beta ru, and so B, b of g."""
    h, k = (s - f.knot) / p.ru, (t - g.knot) / p.rv
    root, free = np.sqrt(p.below * p.above), p.below * p.above
    x, y = _conditional(p, s - f.knot, t - g.knot)
    A, B = 2.0 * f.alpha * p.ru**2, 2.0 * g.alpha * p.rv**2
    a, b = f.beta * p.ru, g.beta * p.rv
    narrow_u, narrow_v, det = 1.0 + A * free, 1.0 + B * free, 1.0 + A + B + A * B * free
$finite    mean_u, mean_v = h + B * x, k + A * y
    peak = 0.5 * (a * a * narrow_v + 2.0 * p.rho * a * b + b * b * narrow_u) + a * mean_u
    peak = (peak + b * mean_v - 0.5 * (A * h * mean_u + B * k * mean_v)) / det
    return _Tilted(
        p.ru * np.sqrt(narrow_v / det),
        p.rv * np.sqrt(narrow_u / det),
        (mean_u + a * narrow_v + p.rho * b) / np.sqrt(det * narrow_v),
        (mean_v + b * narrow_u + p.rho * a) / np.sqrt(det * narrow_u),
        (x / root + a * root) / np.sqrt(narrow_u),
        (y / root + b * root) / np.sqrt(narrow_v),
        p.rho / np.sqrt(narrow_u * narrow_v),
        root * np.sqrt(det / (narrow_u * narrow_v)),
        1.0 / np.sqrt(det),
        peak,
        -0.5 * (h * h + (y / root) ** 2),
    )


def _conditional(p: _Pairs, s: Array, t: Array) -> tuple[Array, Array]:
    """h - ρ k and k - ρ h, h = s/ru and k = t/rv, right between nodes that almost coincide."""
    h, k, difference = s / p.ru, t / p.rv, _difference(p, s, t)
    turn, small = np.where(p.rho < 0.0, -1.0, 1.0), np.minimum(p.below, p.above)
    return (
        np.where(small > 0.25, h - p.rho * k, difference + small * turn * k),
        np.where(small > 0.25, k - p.rho * h, turn * (small * h - difference)),
    )


def _piece_moments(
    c: _Tilted, side: int, other: int, powers: list[tuple[int, int]]
) -> dict[tuple[int, int], Array]:
    """E X^m Y^n over the two pieces' sides, by powers (m, n)."""
$both    if side:
        turned = _Tilted(c.rv, c.ru, c.k, c.h, c.w, c.z, *c[6:])
        found = _piece_moments(turned, other, side, [(n, m) for m, n in powers])
        return {(m, n): found[n, m] for m, n in powers}
    # Stein: E X F = E X E F + Var X E ∂F/∂X + Cov(X, Y) E ∂F/∂Y; the edge's share has δ(Y).
    top, last = max(m for m, _ in powers), max(n for _, n in powers)
    cov = c.rho * c.ru * c.rv
    rows = [_on_line(other, c.k, c.rv, c.peak, c.peak - 0.5 * c.k * c.k, last)]
    edge = _on_line(0, c.z, c.ru * c.root, c.peak - 0.5 * c.k * c.k, c.corner, top)
    for m in range(top):
        row = [c.h * c.ru * moment for moment in rows[m]]
        for n in range(last + 1):
            if m:
                row[n] = row[n] + m * c.ru**2 * rows[m - 1][n]
            if n:
                row[n] = row[n] + n * cov * rows[m][n - 1]
        row[0] = row[0] + other * c.rho * c.ru * edge[m] / np.sqrt(2.0 * np.pi)
        rows.append(row)
    return {(m, n): c.shrunk * rows[m][n] for m, n in powers}


def _on_line(
    side: int, mean: Array, spread: Array, peak: Array, edge: Array, top: int
) -> list[Array]:
    """Moments of orders up to top where side x > 0 of a Gaussian on the line, of mass exp(peak).

    mean is in units of its deviation, spread; edge is its exponent at 0.
    """
$half    moments = [np.exp(peak)]
    for n in range(top):
        more = n * spread**2 * moments[n - 1] if n else 0.0
        moments.append(mean * spread * moments[n] + more)
    return moments
''')

BOTH_SIDES = """\
    if side and other:
        return _over_wedge(c, side, other, powers)
"""

HALF = """\
    if side:
        scale = 1.0 + np.abs(mean)
        found = _radial(side * mean, peak, edge, scale, top)
        unit = side * spread * scale
        return [unit**n * found[n] / np.sqrt(2.0 * np.pi) for n in range(top + 1)]
"""

FINITE = """\
    if not (np.minimum(np.minimum(narrow_u, narrow_v), det) > 0.0).all():
        raise ValueError("rows are too long for σ; expected ones with E σ(X + s) σ(Y + t) finite")
"""

RADIAL = '''

def _radial(x: Array, peak: Array, edge: Array, scale: Array, top: int) -> list[Array]:
    """exp(edge) ∫_0^∞ (r/scale)^n exp(x r - r²/2) dr for n up to top; peak = edge + x²/2.

    By parts I_(n+1) = x I_n + n I_(n-1); where that cancels, I_n/I_(n-1) = n/(I_(n+1)/I_n - x).
    """
    start = np.exp(edge)
    tail = start * _mills(x)
    whole = np.sqrt(2.0 * np.pi) * np.exp(np.where(x > 0.0, peak, edge))
    moments = [np.where(x > 0.0, whole - tail, tail)]
    for n in range(top):
        more = n * moments[n - 1] / scale if n else start
        moments.append((x * moments[n] + more) / scale)
    deep = x < -2.5
    if top and deep.any():
        low, unit = x[deep], np.broadcast_to(scale, x.shape)[deep]
        ratios, last = [], top + 48
        ratio = 0.5 * (low + np.sqrt(low * low + 4.0 * last))
        for n in range(last, 0, -1):
            ratio = n / (ratio - low)
            if n <= top:
                ratios.append(ratio)
        moment = moments[0][deep]
        for n, ratio in enumerate(reversed(ratios), start=1):
            moment = moment * ratio / unit
            moments[n][deep] = moment
    return moments
'''

WEDGE = '''

def _over_wedge(
    c: _Tilted, side: int, other: int, powers: list[tuple[int, int]]
) -> dict[tuple[int, int], Array]:
    """E X^m Y^n over a quadrant, a wedge where the variables are independent."""
    shape = c.rho.shape
    turned = (side * c.h, other * c.w, side * other * c.rho)
    columns = np.broadcast_arrays(c.ru, c.rv, *turned, c.root, c.peak, c.corner)
    flat = [np.ravel(x) for x in columns]
    moments = np.empty((len(powers), c.rho.size))
    near = np.hypot(flat[2], flat[3]) < 2.5  # the corner, to the mean
    top = max(m + n for m, n in powers)
    for group, nodes in ((near, 28 + top), (~near, 48 + top)):
        at, rule = np.flatnonzero(group), np.polynomial.legendre.leggauss(nodes)
        for begin in range(0, len(at), SIDE):
            here = at[begin : begin + SIDE]
            moments[:, here] = _rays([x[here, None] for x in flat], *rule, powers)
    return {
        (m, n): side**m * other**n * c.shrunk * row.reshape(shape)
        for (m, n), row in zip(powers, moments, strict=True)
    }


def _rays(
    columns: list[Array], nodes: Array, weights: Array, powers: list[tuple[int, int]]
) -> Array:
    """Moments by integrals over the angle ψ between the direction to the mean and a ray.

    The mean lies at the distance R from the corner, at the angles `first` and `second` from the
    edges X = 0 and Y = 0, which add up to the wedge's own, arccos(-ρ), up to a whole turn.
    """
    ru, rv, h, w, rho, root, peak, corner = columns
    R = np.hypot(h, w)
    size = np.where(R == 0.0, 1.0, R)
    sine, cosine = h / size, np.where(R == 0.0, 1.0, w / size)
    far_sine, far_cosine = root * cosine + rho * sine, root * sine - rho * cosine
    first, second = np.arctan2(sine, cosine), np.arctan2(far_sine, far_cosine)
    behind = first + second < -0.5 * np.pi
    nearer = np.abs(first) < np.abs(second)
    low = np.where(behind & ~nearer, -first - 2.0 * np.pi, -first)
    high = np.where(behind & nearer, second + 2.0 * np.pi, second)
    start = np.minimum(np.maximum(low, 0.0), high)  # nearest to the mean
    # exp(-(R sin ψ)²/2) ends where it is negligible; a wedge behind the corner has two ends.
    cut = 2.0 * (38.0 + 3.0 * max(m + n for m, n in powers))
    reach = np.hypot(R * np.sin(start), np.sqrt(cut)) / size
    ends = (np.cos(start) > 0.0) & (reach < 1.0)
    end = np.where(ends, np.arcsin(np.minimum(reach, 1.0)), 7.0)
    back = ~ends & (start != 0.0) & (R > 2.5)
    split = np.minimum(np.maximum(np.copysign(np.pi, start), low), high)
    lower = np.where(back & (start < 0.0), split, np.maximum(low, -end))
    upper = np.where(back & (start > 0.0), split, np.minimum(high, end))
    view = [ru, rv, R, sine, cosine, far_sine, far_cosine, peak, corner]
    total = _fan(view, lower, upper, start, nodes, weights, powers)
    if back.any():
        at, other = back[:, 0], np.where(start > 0.0, high, low)
        lower, upper = np.minimum(split, other)[at], np.maximum(split, other)[at]
        total[:, at] += _fan(
            [x[at] for x in view], lower, upper, other[at], nodes, weights, powers
        )
    return total


def _fan(
    view: list[Array], lower: Array, upper: Array, start: Array, nodes: Array, weights: Array,
    powers: list[tuple[int, int]],
) -> Array:  # fmt: skip
    """The integrals over [lower, upper], with nodes that are dense around start."""
    ru, rv, R, sine, cosine, far_sine, far_cosine, peak, corner = view
    scale = 1.0 + R
    left = np.arcsinh((lower - start) * scale)
    length = np.maximum(np.arcsinh((upper - start) * scale) - left, 0.0)
    grow = np.exp(left + length * (0.5 + 0.5 * nodes))
    psi = start + 0.5 * (grow - 1.0 / grow) / scale
    steps = 0.125 / np.pi * weights * length * (grow + 1.0 / grow)  # dψ scale/2π
    sin, cos = np.sin(psi), np.cos(psi)
    top = max(m + n for m, n in powers) + 1
    radial = _radial(R * cos, peak - 0.5 * (R * sin) ** 2, corner, scale, top)
    X = _powers(ru * scale * (sine * cos + cosine * sin), max(m for m, _ in powers))
    Y = _powers(rv * scale * (far_sine * cos - far_cosine * sin), max(n for _, n in powers))
    return np.array(
        [np.einsum("ij,ij,ij,ij->i", steps, radial[m + n + 1], X[m], Y[n]) for m, n in powers]
    )


def _powers(x: Array, top: int) -> list[Array]:
    """1, x, x², ..., which NumPy's x**n gives more slowly."""
    powers = [np.ones_like(x)]
    for _ in range(top):
        powers.append(powers[-1] * x)
    return powers
'''

KINKED = """\
    for knot, _, bend in KINKS:
        height = bend * _density((t - knot) / p.rv) / p.rv
        by_qv += 0.5 * height * _mean_given(p, s, t, knot, "value")
"""

JUMPING = """\
    inverse_u, inverse_v = (np.where(r > SHORTEST, 1.0 / r, 0.0) for r in (p.ru, p.rv))
    small, turned = np.minimum(p.below, p.above), _Pairs(p.rv, p.ru, *p[2:5], -p.gap)
    steep = np.where(small > 1e-36, 1.0 / np.sqrt(p.below * p.above), 0.0)  # else by convention 0
    for knot, jump, bend in KINKS:
        k, density = (t - knot) / p.rv, _density((t - knot) / p.rv)
        value = _mean_given(p, s, t, knot, "value")
        slope = _mean_given(p, s, t, knot, "slope")
        height = jump * density * inverse_v
        by_t += height * value
        by_c += height * slope
        by_c += jump * _density((s - knot) / p.ru) * inverse_u * (
            _mean_given(turned, t, s, knot, "slope")
        )
        by_qv += 0.5 * bend * density / p.rv * value
        by_qv -= 0.5 * height * inverse_v * (k * value + p.rho * p.ru * slope)
        for other, step, _ in KINKS:
            z = _conditional(p, s - other, t - knot)[0] / np.sqrt(p.below * p.above)
            both = step * height * _density(z) * steep
            by_c += both * inverse_u
            by_qv -= 0.5 * both * inverse_v * p.rho
"""

GIVEN = Template('''

def _mean_given(p: _Pairs, s: Array, t: Array, knot: float, part: str) -> Array:
    """E σ(X + s), or that of the pieces of σ', given that Y + t is at the knot."""
    total = np.zeros(p.rho.shape)
    for f in PIECES:
        coefficients = getattr(f, part)
        if coefficients:
            root = np.sqrt(p.below * p.above)
            spread, z = p.ru * root, _conditional(p, s - f.knot, t - knot)[0] / root
            A, a = 2.0 * f.alpha * spread**2, f.beta * spread
            narrow = np.sqrt(1.0 + A)
            peak = (0.5 * a * a + a * z - 0.5 * A * z * z) / (1.0 + A)
            top = max(coefficients)
            mean, spread = (z + a) / narrow, spread / narrow
            moments = $on_line, mean, spread, peak, -0.5 * z * z, top)
            total += sum(c * moments[n] for n, c in coefficients.items()) / narrow
    return total
''')
