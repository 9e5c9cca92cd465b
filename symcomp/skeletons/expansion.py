"""The energy of very many nodes from their moments: orders 0, 1, 2 exact, the rest enclosed."""

from string import Template

_OPENING = """\
    rows = np.asarray(W) if isinstance(W, np.ndarray) else _matrix("W", W)
    if rows.dtype not in (np.float32, np.float64) or rows.ndim != 2 or rows.size == 0:
        rows = _matrix("W", rows)
    weights = _weights("a", a, len(rows))
    weights = np.ones((len(rows), 1)) if weights is None else weights
"""
_BLOCKS = """

def _blocks(rows: Array) -> list[slice]:
    n, d = rows.shape
    size = max(BLOCK // d, 1)
    return [slice(i, min(i + size, n)) for i in range(0, n, size)]
"""

EXPANSION = Template(
    '''

# ---- the energy of very many nodes ---------------------------------------------------------------

# κ(ρ) = Σ_n c_n ρ^n, every c_n = μ_n² >= 0: c_0, c_1, c_2, and the sums of the c_n over the even
# and over the odd n >= 3.
ORDERS = ($orders)
EVEN_REST, ODD_REST = $rests
BLOCK = 1 << 20  # numbers of W in float64 at a time


class _Moments(NamedTuple):
    """ΣΣ_{i != j} g_ij ρ_ij^n of n = 0, 1, 2, each for two matrices g, and what belongs to them."""

    signed: Array  # (3,), g_ij = <α_i, α_j> with α_i = a_i r_i^k / N
    absolute: Array  # (3,), g_ij = |α_i| |α_j|
    diagonal: tuple[float, float]  # Σ |α_i|², and the same without zero rows
    mass: float  # Σ |α_i|
    error: float  # bound of the rounding errors of one moment
    same: bool  # no <α_i, α_j> is negative


def _streamed(W: ArrayLike, a: Given) -> _Nodes:
    """The nodes of W, which stays where it is if it is an array of float32 or float64."""
'''
    + _OPENING
    + """\
    radii = np.empty(len(rows))
    for some in _blocks(rows):
        X = np.asarray(rows[some], dtype=np.float64)
        radii[some] = np.sqrt(np.einsum("ij,ij->i", X, X))
    zero = radii == 0.0
    if not np.all(zero | (radii > 2.0**-400) & (radii < 2.0**400)) or rows[zero].any():
        return _nodes("W", np.array(rows, dtype=np.float64), weights)
    inverse = np.divide(1.0, radii, out=np.zeros_like(radii), where=~zero)
    _require_range("W", radii, weights)
    return _Nodes(rows, inverse, radii, weights / len(rows), 0.0)
"""
    + _BLOCKS
    + '''\


def _expanded(W: ArrayLike, a: Given) -> tuple[_Nodes, float, float]:
    """The nodes, ΣΣ <a_i, a_j> K(w_i, w_j) and a bound of its error, in O(N d²) time.

    Exact are the orders 0, 1, 2 of all pairs and all of κ(1) where i = j. The rest
    T(ρ) = Σ_{n>=3} c_n ρ^n of the other pairs lies about a tangent,
    T(ρ) = T(a) + T'(a) (ρ - a) + D(ρ) (ρ - a)² with D in the range that `_quotients` gives, so
    that moments up to order 2 enclose its sum, for every a.
    """
    nodes = _streamed(W, a)
    moments = _moments(nodes)
    every, nonzero = moments.diagonal
    low, high = _rest(moments)
    kept = moments.signed + np.array([every, nonzero, nonzero])
    middle = float(np.dot(ORDERS, kept)) + (EVEN_REST + ODD_REST) * nonzero + 0.5 * (low + high)
    rounding = (sum(ORDERS) + EVEN_REST + ODD_REST) * moments.error
    return nodes, middle, 0.5 * (high - low) + rounding


def _rest(moments: _Moments) -> tuple[float, float]:
    """Bounds of ΣΣ_{i != j} <α_i, α_j> T(ρ_ij)."""
    whole, error = EVEN_REST + ODD_REST, moments.error
    pairs = max(float(moments.absolute[0]), 0.0) + error
    if whole == 0.0 or pairs <= 2.0 * error:
        return -whole * pairs, whole * pairs
    mean = float(moments.absolute[1]) / pairs
    a = np.append(np.linspace(-0.9375, 0.9375, 61), np.clip(mean, -0.9375, 0.9375))
    value, slope, least, greatest = _quotients(a)
    signed, absolute = (_about(a, g) for g in (moments.signed, moments.absolute))
    middle = value * signed[0] + slope * signed[1] + 0.5 * (greatest + least) * signed[2]
    # T, T' and D are at most `whole` over 1, 1 - |a| and its square, |ρ - a| <= 2, and κ and κ'
    # err by far less than 2^-44 κ(1).
    slack = whole * error + 2.0**-44 * (sum(ORDERS) + whole) * moments.mass**2
    slacks = 32.0 * slack / (1.0 - np.abs(a)) ** 2
    half = 0.5 * (greatest - least) * np.maximum(absolute[2], 0.0) + slacks
    # The sum over all pairs is a square norm, as c_n >= 0.
    low = max(float(np.max(middle - half)), -whole * (moments.diagonal[1] + error))
    if moments.same and ODD_REST == 0.0:  # T is convex in ρ²: Jensen's inequality
        square = np.clip((moments.absolute[2] - error) / pairs, 0.0, 1.0)
        tail = float(_tail(np.sqrt(square.reshape(1)))[0][0])
        low = max(low, (pairs - 2.0 * error) * tail - float(slacks.min()))
    return low, float(np.min(middle + half))


def _about(a: Array, moments: Array) -> Array:
    """The moments of (ρ - a)^n, n = 0, 1, 2."""
    zero, one, two = moments
    return np.array([zero + 0.0 * a, one - a * zero, two - 2.0 * a * one + a * a * zero])


def _quotients(a: Array) -> tuple[Array, Array, Array, Array]:
    """T(a), T'(a) and the range of D(ρ) = (T(ρ) - T(a) - T'(a) (ρ - a))/(ρ - a)² on [-1, 1].

    D = T[a, a, ρ] is a divided difference, D' = T[a, a, ρ, ρ], D'' = 2 T[a, a, ρ, ρ, ρ]. Of the
    even orders D is convex (T^(4) >= 0), least at ρ = -a and greatest at 1 or -1, where a tends;
    of the odd orders it increases (T^(3) >= 0).
    """
    r, sign = np.abs(a), np.sign(a)
    even, odd, even_slope, odd_slope = _tail(r)
    top = (EVEN_REST - even - even_slope * (1.0 - r)) / (1.0 - r) ** 2
    bottom = np.divide(even_slope, 2.0 * r, out=np.zeros_like(r), where=r > 0.03)
    right = (ODD_REST - odd - odd_slope * (1.0 - r)) / (1.0 - r) ** 2
    left = (odd_slope * (1.0 + r) - ODD_REST - odd) / (1.0 + r) ** 2
    least = np.maximum(bottom, 0.0) + np.where(a < 0.0, -right, left)
    greatest = top + np.where(a < 0.0, -left, right)
    return even + sign * odd, sign * even_slope + odd_slope, least, greatest


def _tail(r: Array) -> tuple[Array, Array, Array, Array]:
    """The even and the odd part of T at r >= 0, and their derivatives."""
    (plus, minus), (rise, fall) = _correlation(np.stack([r, -r]))
    even = 0.5 * (plus + minus) - ORDERS[0] - ORDERS[2] * r * r
    even_slope = 0.5 * (rise - fall) - 2.0 * ORDERS[2] * r
    if ODD_REST == 0.0:
        return even, 0.0 * r, even_slope, 0.0 * r
    return even, 0.5 * (plus - minus) - ORDERS[1] * r, even_slope, 0.5 * (rise + fall) - ORDERS[1]


def _moments(nodes: _Nodes) -> _Moments:
    """The sums over all pairs are square norms of Σ α_i u_i^n; their diagonals are taken away."""
    n, d = nodes.rows.shape
    alpha = nodes.weights * nodes.radii[:, None] ** DEGREE
    size = np.sqrt(np.sum(alpha * alpha, axis=1))
    same = alpha.shape[1] == 1 and not (alpha.min() < 0.0 < alpha.max())
    columns = size[:, None] if same else np.hstack([size[:, None], alpha])
    zeroth = np.zeros(columns.shape[1])
    first, second = np.zeros((len(zeroth), d)), np.zeros((len(zeroth), d, d))
    blocks = _blocks(nodes.rows)
    for some in blocks:
        U = nodes.rows[some] * nodes.inverse[some, None]
        share = columns[some]
        zeroth += share.sum(axis=0)
        first += share.T @ U
        root = np.sqrt(share[:, :1]) * U
        second[0] += root.T @ root
        for total, column in zip(second[1:], share.T[1:], strict=True):
            total += (column[:, None] * U).T @ U
    norms = np.array([zeroth**2, np.sum(first**2, axis=1), np.sum(second**2, axis=2).sum(axis=1)])
    square = size * size
    diagonal = float(square.sum()), float(square[nodes.inverse > 0.0].sum())
    away = np.array([diagonal[0], diagonal[1], diagonal[1]])
    absolute = norms[:, 0] - away
    signed = absolute if same else norms[:, 1:].sum(axis=1) - away
    # A sum of n terms errs by n 2^-53 of the sum of their moduli, in whatever order; the rest of
    # the count is for the lengths, the products and the norms, and all is taken twice.
    steps = 2 * (n // len(blocks) + 1 + len(blocks)) + (DEGREE + 2) * (d + 8) + 2 * d + 16
    mass = float(zeroth[0])
    return _Moments(signed, absolute, diagonal, mass, 2.0**-52 * steps * mass**2, same)
'''
)

GENERAL_EXPANSION = Template(
    '''

# ---- the energy of very many nodes ---------------------------------------------------------------

BLOCK = 1 << 20  # numbers of W in float64 at a time
# h_m errs by up to UNSURE max(r / MIDDLE, 1)^GROWTH sqrt(S + FLOOR), S by as much of S + FLOOR.
UNSURE, MIDDLE, GROWTH, FLOOR = $unsure, $middle, $growth, $floor
$guards

def _of_lengths(r: Array) -> tuple[Array, Array, Array, Array]:
    """h_m(r) = E σ(r Z) He_m(Z) / sqrt(m!), m = 0, 1, 2, and S(r) = E σ(r Z)², for r > 0.

    UNSURE is 4 times the worst error that was measured at $points lengths, from $shortest to
    $longest; it is not proved.
    """
    $code


class _Orders(NamedTuple):
    """What the lengths of the rows tell, arrays of (n,) but for the first."""

    exact: Array  # (3, n), h_0, h_1 and h_2; 0 but for h_0 where a row is 0
    doubt: Array  # how far each of them may be off
    least: Array  # bounds of Σ_{m>=3} h_m(r)²
    most: Array


def _streamed(W: ArrayLike, a: Given) -> _Nodes:
    """The nodes of W, which stays where it is if it is an array of float32 or float64."""
'''
    + _OPENING
    + """\
    variances = np.empty(len(rows))
    for some in _blocks(rows):
        X = np.asarray(rows[some], dtype=np.float64)
        variances[some] = np.einsum("ij,ij->i", X, X)
    if not np.isfinite(variances).all():
        _require_finite("W", rows)
    _require_range("W", variances)
    if rows[variances < 1e-120].any():
        raise ValueError("W has a row that is not 0 and shorter than 1e-60; expected expand=False")
    return _Nodes(rows, variances, weights / len(rows))
"""
    + _BLOCKS
    + '''

def _orders(variances: Array, spread: float) -> _Orders:
    """The h_m and what remains, for variances that are off by spread times themselves.

    Twice the first-order effect of that is taken: of S it is measured by a chord, and
    r h_m' = m h_m + sqrt((m + 1) (m + 2)) h_{m+2} is at most 4 sqrt(S).
    """
    zero, r = variances == 0.0, np.maximum(np.sqrt(variances), 1e-60)
    above, below = (_in_parts(r * (1.0 + x))[3] for x in (2.0**-17, -(2.0**-17)))
    *orders, S = _in_parts(r)
    exact, S = np.array(orders), np.where(zero, $at_zero, np.maximum(S, 0.0))
    exact[:, zero] = [[$origin], [0.0], [0.0]]
    unsure = UNSURE * np.maximum(r / MIDDLE, 1.0) ** GROWTH
    slack = unsure * (S + FLOOR) + 2.0**16 * spread * np.abs(above - below)
    doubt = unsure * np.sqrt(S + FLOOR) + 4.0 * spread * np.sqrt(S + slack)
    rest = S - np.sum(exact**2, axis=0)
    slack += doubt * (2.0 * np.sum(np.abs(exact), axis=0) + 3.0 * doubt) + 2.0**-50 * S
    return _Orders(exact, doubt, np.maximum(rest - slack, 0.0), np.maximum(rest, 0.0) + slack)


def _in_parts(r: Array) -> Array:
    """The four of `_of_lengths`, (4, n)."""
    return np.hstack([np.array(_of_lengths(r[i : i + TILE])) for i in range(0, len(r), TILE)])


def _expanded(W: ArrayLike, a: Given) -> tuple[_Nodes, float, float]:
    """The nodes, ΣΣ <a_i, a_j> K(w_i, w_j) and a bound of its error, in O(N d²) time.

    K(w_i, w_j) = Σ_m h_m(r_i) h_m(r_j) ρ_ij^m. The orders 0, 1, 2 of all pairs are square norms of
    Σ α_i h_m(r_i) u_i^m with α_i = a_i / N, u_i = w_i / r_i. Of the others the diagonal is
    Σ |α_i|² T_i², T(r)² = Σ_{m>=3} h_m(r)², and off it |R_ij| <= T_i T_j ρ_ij², whose weighted sum
    is |Σ |α_i| T_i u_i u_i'|² without its diagonal. All of R sums up to no negative number.
    """
    nodes = _streamed(W, a)
    with np.errstate(over="ignore", invalid="ignore"):
        energy, error = _enclosed(nodes)
    if not np.isfinite(error):
        raise ValueError("W or a is so large that the energy overflows; expected smaller entries")
    return nodes, energy, error


def _enclosed(nodes: _Nodes) -> tuple[float, float]:
    """The energy and the bound of its error."""
    n, d = nodes.rows.shape
    orders = _orders(nodes.variances, (d + 4) * 2.0**-53)
    size = np.sqrt(np.sum(nodes.weights**2, axis=1))
    rest = np.sqrt(orders.most)
    norms, outer = _norms(nodes, orders.exact, size * rest)
    mass = np.append(np.sum(size * np.abs(orders.exact), axis=1), np.sum(size * rest))
    # A sum of n terms errs by n 2^-53 of the sum of their moduli, in whatever order; the rest of
    # the count is for the lengths, the products and the norms, and all is taken twice.
    blocks = _blocks(nodes.rows)
    steps = blocks[0].stop + len(blocks) + 4 * d + nodes.weights.shape[1] + 32
    unit = 2.0**-52 * steps
    doubt = float(np.sum(size * orders.doubt))
    off = doubt + unit * (mass[:3] + doubt)
    rounding = float(np.sum(off * (2.0 * mass[:3] + off)))
    square = size * size
    most, least = float(np.sum(square * orders.most)), float(np.sum(square * orders.least))
    apart = most - float(np.sum((square * orders.most)[nodes.variances == 0.0]))
    rounding += (n + 8) * 2.0**-51 * most
    pairs = max(outer - apart, 0.0) + 2.0 * unit * float(mass[3]) ** 2
    low, high = max(least - pairs, 0.0), most + pairs
    kept = float(np.sum(norms))
    rounding += 2.0**-50 * (kept + high) + unit * kept
    return kept + 0.5 * (low + high), 0.5 * (high - low) + rounding + 1e-300


def _norms(nodes: _Nodes, exact: Array, rest: Array) -> tuple[Array, float]:
    """|Σ α_i h_m(r_i) u_i^m|² of m = 0, 1, 2, and |Σ rest_i u_i u_i'|²."""
    d, k = nodes.rows.shape[1], nodes.weights.shape[1]
    zeroth, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k + 1, d, d))
    r = np.sqrt(nodes.variances)
    inverse = np.divide(1.0, r, out=np.zeros_like(r), where=r > 0.0)
    for some in _blocks(nodes.rows):
        U = nodes.rows[some] * inverse[some, None]
        share = nodes.weights[some].T
        zeroth += share @ exact[0, some]
        first += (share * exact[1, some]) @ U
        second[0] += _gram(rest[some], U)
        for total, column in zip(second[1:], share * exact[2, some], strict=True):
            total += _gram(column, U)
    squares = np.sum(second**2, axis=2).sum(axis=1)
    return np.array([np.sum(zeroth**2), np.sum(first**2), np.sum(squares[1:])]), float(squares[0])


def _gram(column: Array, U: Array) -> ArrayLike:
    """Σ column_i u_i u_i', in half of the time where no two signs differ."""
    if not column.any():
        return 0.0
    if column.min() < 0.0 < column.max():
        return (column[:, None] * U).T @ U
    root = np.sqrt(np.abs(column))[:, None] * U
    return np.copysign(1.0, column.sum()) * (root.T @ root)
'''
)

NO_EXPANSION = """

def _expanded(_W: ArrayLike, _a: Given) -> tuple[_Nodes, float, float]:
    raise ValueError(
        "expand is True; expected False for an activation whose moments have no short closed form"
    )
"""
