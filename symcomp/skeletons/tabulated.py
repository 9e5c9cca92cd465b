"""The engine of activations without a closed form: K° from a table of Chebyshev coefficients."""

from string import Template

from symcomp.skeletons.errors import COUNT
from symcomp.skeletons.hessian import MOVE

__all__ = ["PART", "TABULATED", "TABULATED_REST"]

PART = Template('''\
    _part(
        parity=$parity,
        order=$order,
        growth=$growth,
        rows="""\
$rows""",
    ),
''')

TABULATED = Template('''

# ---- K° as a sum of products ---------------------------------------------------------------------

LONGEST = $longest.0  # of the rows of networks
EDGE = $edge  # of the series in r, that much longer for the sake of derivatives
REACH = $reach.0  # of the table in t
SIZES = 64  # so many steps in r for the number of terms
CENTRE = $centre  # σ(0)


class _Part(NamedTuple):
    """The even or the odd part of K°, as a sum over k of products of functions of one length.

    F_k(r) = r^lift (1 + r²)^bend Σ_i T_i(s(r)) bases_k[i]: vectors, and with c = r_u r_v ρ,
    z = 2ρ² - 1 the share of K° is

        odd     c S(z),           S(z) = Σ_k F_k(r_u)·F_k(r_v) T_2k+1(ρ)/ρ,
        even    (r_u r_v)² S(z),  S(z) = Σ_k F_k(r_u)·F_k(r_v) T_k(z).
    """

    parity: int
    lift: int
    bend: float
    bases: list[Array]  # (D, rank of k)
    mean: Array  # (D,): E σ(r Z) - σ(0) = r² times the sum with `mean` for bases_k; even part
    sizes: Array  # (k, SIZES + 1): |F_k(r)|² at most for r up to so many SIZES-ths of LONGEST


def _part(parity: int, order: int, growth: int, rows: str) -> _Part:
    """From the table of g_k, m = 2k + parity, rows e n_0 n_1 ... parted by semicolons:

        a_m(t) = t^order (1 + t²)^((growth - order)/2) exp(t²/(4 EDGE²)) g_k(t),
        g_k(t) = 2^e Σ_i n_i T_i(2 t (REACH + $middle)/(REACH (t + $middle)) - 1).

    The mean over ϱ is a sum over log ϱ; vectors of values at ϱ are cut to their numerical rank.
    """
    nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64)
    fit = np.polynomial.chebyshev.chebvander(nodes, 63).T / 32.0
    fit[0] *= 0.5
    share = (1.0 + nodes) / 2.0 * EDGE / (EDGE + 2.0)
    lengths = (2.0 * share / (1.0 - share))[:, None]
    radii = np.exp(0.1 * np.arange(-100, 23))
    root = np.sqrt(0.1) * radii * np.exp(-((radii / 2.0) ** 2))  # of the weight of ϱ
    t = lengths * radii
    bend = (growth - order) / 2.0
    scale = root * radii**order * ((1.0 + t * t) / (1.0 + lengths**2)) ** bend
    scale *= np.exp((t / (2.0 * EDGE)) ** 2)
    s = 2.0 * t * (REACH + $middle) / (REACH * (t + $middle)) - 1.0
    table = [np.array(row.split(), dtype=float) for row in rows.split(";")]
    terms = np.polynomial.chebyshev.chebvander(s, max(map(len, table)) - 2)
    values = [
        scale * (terms[..., : len(row) - 1] @ (2.0 ** row[0] * row[1:])) for row in table
    ]
    halved = [v if k == 0 == parity else np.sqrt(0.5) * v for k, v in enumerate(values)]
    factors = [np.linalg.svd(v, full_matrices=False)[:2] for v in halved]
    largest = max(float(size[0]) for _, size in factors)
    least = 2.0**-27 * largest / (2.0 * np.arange(len(table)) + 1.0)  # T_m' <= m²
    bases = [fit @ (u * x)[:, x > cut] for (u, x), cut in zip(factors, least, strict=True)]
    felt = np.max([np.abs(B).max(axis=1) * np.abs(B).max() for B in bases if B.size], axis=0)
    width = max(int(np.flatnonzero(felt > 2.0**-47 * felt.max())[-1]) + 1, 2)
    grid = LONGEST * np.arange(SIZES + 1) / SIZES
    mean = (fit @ (values[0] @ root))[:width]
    draft = _Part(parity, order - (2 - parity), bend, [B[:width] for B in bases], mean, np.empty(0))
    sizes = np.array([np.sum(F * F, axis=1) for F in _features(draft, grid, len(table))])
    return draft._replace(sizes=np.maximum.accumulate(sizes, axis=1))


def _chebyshev(radii: Array, width: int) -> Array:
    """T_i(s(r)), i < width, s(r) = 2 r (EDGE + 2)/(EDGE (r + 2)) - 1."""
    s = 2.0 * radii * (EDGE + 2.0) / (EDGE * (radii + 2.0)) - 1.0
    return np.polynomial.chebyshev.chebvander(s, width - 1)


def _prefactor(part: _Part, radii: Array) -> tuple[Array, Array]:
    """r^lift (1 + r²)^bend and its derivative."""
    q = 1.0 + radii * radii
    factor = radii**part.lift * q**part.bend
    slope = 2.0 * part.bend * radii / q * factor
    if part.lift:
        slope += part.lift * radii ** (part.lift - 1) * q**part.bend
    return factor, slope


def _basis(part: _Part, radii: Array) -> Array:
    """What bases_k is multiplied by in F_k(r)."""
    return _chebyshev(radii, len(part.mean)) * _prefactor(part, radii)[0][:, None]


def _basis_slope(part: _Part, radii: Array) -> Array:
    """Its derivative in r."""
    T = _chebyshev(radii, len(part.mean))
    factor, slope = _prefactor(part, radii)
    by_s = T[:, :-1] @ np.polynomial.chebyshev.chebder(np.eye(len(part.mean)))
    turn = 4.0 * (EDGE + 2.0) / (EDGE * (radii + 2.0) ** 2)
    return by_s * (factor * turn)[:, None] + T * slope[:, None]


def _features(part: _Part, radii: Array, terms: int) -> list[Array]:
    """F_k(r), k < terms."""
    basis = _basis(part, radii)
    return [basis @ B for B in part.bases[:terms]]


def _terms(part: _Part, left: Array, right: Array) -> int:
    """How many k matter for rows up to the longest of `left` and of `right`."""
    steps = [min(int(np.ceil(r.max() * SIZES / LONGEST)), SIZES) for r in (left, right)]
    bounds = np.sqrt(part.sizes[:, steps[0]] * part.sizes[:, steps[1]])
    bounds *= (2.0 * np.arange(len(bounds)) + 1.0) ** 2  # T_m' <= m²
    tails = np.cumsum(bounds[::-1])[::-1]
    return max(int(np.count_nonzero(tails > 2.0**-49 * tails[0])), 1)


def _sum(parity: int, z: Array, left: list[Array], right: list[Array], order: int) -> list[Array]:
    """S(z) and its derivatives up to the order (at most 1), by Clenshaw's recurrence in 2z."""
    twice = 2.0 * z
    now = [np.zeros_like(z) for _ in range(order + 1)]
    last = [np.zeros_like(z) for _ in range(order + 1)]
    work = np.empty_like(z)
    for u, v in zip(left[::-1], right[::-1], strict=True):
        for n in range(order, -1, -1):
            # what was last is not needed again: x_k = x_k+1 of the order below + 2z x_k+1 - x_k+2
            np.multiply(twice, now[n], out=work)
            work -= last[n]
            if n:
                np.add(work, now[n - 1], out=last[n])
            else:
                np.matmul(u, v.T, out=last[0])
                last[0] += work
        now, last = last, now
    if parity:
        sums = [x - y for x, y in zip(now, last, strict=True)]
    else:
        sums = [x - z * y for x, y in zip(now, last, strict=True)]
        if order:
            sums[1] -= 0.5 * last[0]
    return [2.0**n * x for n, x in enumerate(sums)]


_PARTS = (
$parts)


# ---- sums over pairs of rows ---------------------------------------------------------------------


class _Nodes(NamedTuple):
    """Rows w_i with their lengths and outer weights."""

    rows: Array  # (n, d)
    radii: Array  # (n,), |w_i|; tau for the simplified target
    weights: Array  # (n, k), a_i / n

    def part(self, some: slice) -> "_Nodes":
        """Some of the rows."""
        rows, radii, weights = self
        return _Nodes(rows[some], radii[some], weights[some])


def _nodes(name: str, X: Array, weights: Array) -> _Nodes:
    radii = np.sqrt(np.einsum("ij,ij->i", X, X))
    if not np.isfinite(radii).all():
        _require_finite(name, X)
    _require_range(name, radii)
    return _Nodes(X, radii, weights / len(X))


def _require_range(name: str, radii: Array) -> None:
    """The table ends somewhere."""
    if not radii.max(initial=0.0) <= LONGEST * (1.0 + 2.0**-40):
        raise ValueError(
            f"{name} reaches |row| = {radii.max():.6g}; expected at most {LONGEST:g}, where the"
            " table of this activation ends"
        )


def _mean_node(tau: float, mu: Array) -> tuple[_Nodes, float]:
    """The simplified target: one row μ of length τ for its variance; its energy."""
    node = _Nodes(mu[None, :], np.array([tau]), np.ones((1, 1)))
    _require_range("tau", node.radii)
    return node, float(next(_pairs(node, node, slopes=False))[2][0, 0])


def _inverse(x: Array) -> Array:
    """1/x, and 0 where x is 0."""
    return np.divide(1.0, x, out=np.zeros_like(x), where=x > 0.0)


def _strips(
    source: _Nodes, probe: _Nodes, place: Place, slopes: bool
) -> Iterator[tuple[slice, Array, Array, Array]]:
    """Which rows of a tile, their K, and (if asked for) ∂K/∂c and ∂K/∂r_v at fixed c."""
    some, others = source.part(place[0]), probe.part(place[1])
    tables = [_Products.of(part, some.radii, others.radii, slopes) for part in _PARTS]
    size = max((TILE // 4) // len(others.rows), 1)
    for start in range(0, len(some.rows), size):
        strip = slice(start, min(start + size, len(some.rows)))
        found = _strip(some.part(strip), others, [t.part(strip) for t in tables], slopes)
        yield slice(place[0].start + strip.start, place[0].start + strip.stop), *found


def _pairs(
    source: _Nodes, probe: _Nodes, slopes: bool
) -> Iterator[tuple[slice, slice, Array, Array, Array]]:
    """The same of all tiles, and where they lie."""
    for place in _tiles(len(source.rows), len(probe.rows)):
        for i, K, by_c, by_r in _strips(source, probe, place, slopes):
            yield i, place[1], K, by_c, by_r


class _Products(NamedTuple):
    """F_k of both sides of a tile, and F_k' of the right one."""

    parity: int
    left: list[Array]
    right: list[Array]
    right_slopes: list[Array]
    means: tuple[Array, Array, Array]  # E σ(r Z) - σ(0), left and right; its derivative, right

    @staticmethod
    def of(part: _Part, left: Array, right: Array, slopes: bool) -> "_Products":
        """From the lengths of the rows."""
        terms = _terms(part, left, right)
        basis = _basis_slope(part, right) if slopes else np.empty((0, len(part.mean)))
        u, v = (_basis(part, r) @ part.mean for r in (left, right))
        by_r = 2.0 * right * v + right**2 * (basis @ part.mean) if slopes else v
        return _Products(
            part.parity,
            _features(part, left, terms),
            _features(part, right, terms),
            [basis @ B for B in part.bases[:terms]],
            (left**2 * u, right**2 * v, by_r),
        )

    def part(self, strip: slice) -> "_Products":
        """Some of the rows on the left."""
        left = [F[strip] for F in self.left]
        return self._replace(left=left, means=(self.means[0][strip], *self.means[1:]))


def _strip(
    source: _Nodes, probe: _Nodes, tables: list[_Products], slopes: bool
) -> tuple[Array, Array, Array]:
    """K, ∂K/∂c and ∂K/∂r_v at fixed c; empty derivatives unless asked for."""
    ru, rv = source.radii[:, None], probe.radii
    bound = ru * rv
    c = np.clip(source.rows @ probe.rows.T, -bound, bound)
    rho = np.clip(c * _inverse(ru) * _inverse(rv), -1.0, 1.0)
    z = 2.0 * rho * rho - 1.0
    K = np.full_like(c, CENTRE * CENTRE)
    by_c, by_r = (np.zeros_like(c) if slopes else np.empty(0) for _ in range(2))
    for t in tables:
        sums = _sum(t.parity, z, t.left, t.right, order=1 if slopes else 0)
        if t.parity:
            K += c * sums[0]
        else:
            K += bound * bound * sums[0] + CENTRE * (t.means[0][:, None] + t.means[1])
        if not slopes:
            continue
        (along,) = _sum(t.parity, z, t.left, t.right_slopes, order=0)
        turn = 4.0 * rho * sums[1]
        if t.parity:
            by_c += sums[0] + rho * turn
            by_r += c * along - ru * rho * rho * turn
        else:
            by_c += bound * turn
            by_r += ru * (bound * (2.0 * sums[0] + rv * along - rho * turn))
            by_r += CENTRE * t.means[2]
    return K, by_c, by_r


def _entries(source: _Nodes, probe: _Nodes) -> Array:
    """K(w_i, θ_j)."""
    K = np.empty((len(source.rows), len(probe.rows)))
    for i, j, values, _, _ in _pairs(source, probe, slopes=False):
        K[i, j] = values
    return K


def _values(source: _Nodes, probe: _Nodes, crew: _Crew = ALONE) -> Array:
    """V_j = Σ_i a_i K(w_i, θ_j), shape (M, k)."""
    V = np.zeros((len(probe.rows), source.weights.shape[1]))

    def work(place: Place) -> tuple[Array, ...]:
        v = np.zeros((len(probe.rows[place[1]]), V.shape[1]))
        for i, K, _, _ in _strips(source, probe, place, slopes=False):
            v += K.T @ source.weights[i]
        return (v,)

    _add_up(work, len(source.rows), len(V), crew, (V,))
    return V


def _values_and_pulls(
    source: _Nodes, probe: _Nodes, crew: _Crew = ALONE
) -> tuple[Array, Array]:
    """V as above and P_j = Σ_i <a_i, b_j> ∂K(w_i, θ_j)/∂θ_j, shape (M, d).

    ∂K/∂θ = (∂K/∂c) w + (∂K/∂r_v) θ/|θ|.
    """
    V, P = np.zeros((len(probe.rows), source.weights.shape[1])), np.zeros(probe.rows.shape)
    directions = probe.rows * _inverse(probe.radii)[:, None]

    def work(place: Place) -> tuple[Array, ...]:
        others = probe.part(place[1])
        v, p = np.zeros((len(others.rows), V.shape[1])), np.zeros(others.rows.shape)
        for i, K, by_c, by_r in _strips(source, probe, place, slopes=True):
            pairs = source.weights[i] @ others.weights.T
            v += K.T @ source.weights[i]
            p += (pairs * by_c).T @ source.rows[i]
            p += np.sum(pairs * by_r, axis=0)[:, None] * directions[place[1]]
        return v, p

    _add_up(work, len(source.rows), len(V), crew, (V, P))
    return V, P
''')


TABULATED_REST = Template(
    MOVE
    + '''

STENCIL = (4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0)  # of a derivative, error O(h^8)


def _moved(nodes: _Nodes, move: _Move | None, step: float) -> _Nodes:
    """The network some way along a direction."""
    if move is None:
        return nodes
    rows = nodes.rows + step * move.rows
    radii = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return _Nodes(rows, radii, nodes.weights + step * move.weights)


def _tangents(
    source: _Nodes, probe: _Nodes, behind: _Move | None, ahead: _Move, crew: _Crew = ALONE
) -> tuple[Array, Array]:
    """Derivatives of V and P of _values_and_pulls, θ moving by δ (`ahead`), w by ε (`behind`).

    By central differences of order 8, rows moving by 1/64 a step: K is smooth, and the table goes
    on beyond LONGEST as far as that.
    """
    moves = (move for move in (ahead, behind) if move is not None)
    fastest = max(float(np.linalg.norm(move.rows, axis=1).max(initial=0.0)) for move in moves)
    step = 1.0 / (64.0 * fastest) if fastest > 0.0 else 1.0
    dV, dP = np.zeros((len(probe.rows), source.weights.shape[1])), np.zeros(probe.rows.shape)
    for n, weight in enumerate(STENCIL, start=1):
        for sign in (1.0, -1.0):
            at = sign * n * step
            V, P = _values_and_pulls(_moved(source, behind, at), _moved(probe, ahead, at), crew)
            dV += sign * weight / step * V
            dP += sign * weight / step * P
    return dV, dP
'''
    + COUNT
    + '''

KERNEL_ERROR = $kernel_error  # of K°, in units of the norms of its factors; measured, not proved


def _norms(nodes: _Nodes) -> Array:
    """sqrt(K°(q, q, q)) of every row."""
    q = nodes.radii**2
    total = np.full_like(q, CENTRE * CENTRE)
    for part in _PARTS:
        own = sum(np.sum(F * F, axis=1) for F in _features(part, nodes.radii, len(part.bases)))
        total += q * own if part.parity else q * q * own
        total += 2.0 * CENTRE * q * (_basis(part, nodes.radii) @ part.mean)
    return np.sqrt(np.maximum(total, 0.0))


def _sum_error(source: _Nodes, probe: _Nodes, slack: int) -> float:
    """Bound on the error of Σ_j <b_j, V_j> with V = _values(source, probe).

    With d columns c is off by (d + slack) UNIT |u||v| and lengths by that share of themselves;
    twice their first-order effect is taken. K° itself is taken to be off by KERNEL_ERROR
    sqrt(K°(q_u, q_u, q_u) K°(q_v, q_v, q_v)), four times the worst error measured or more.
    """
    unit = (source.rows.shape[1] + slack) * UNIT
    left, right = (_norms(nodes) @ np.abs(nodes.weights) for nodes in (source, probe))
    relative = _roundings(source, probe) * UNIT
    total = (KERNEL_ERROR + relative) * float(left @ right)
    for one, other in ((source, probe), (probe, source)):
        for i, j, _, by_c, by_r in _pairs(one, other, slopes=True):
            lengths = one.radii[i, None], other.radii[j]
            error = np.abs(by_c) * lengths[0] * lengths[1] + np.abs(by_r) * lengths[1]
            masses = np.abs(one.weights[i]), np.abs(other.weights[j])
            total += 2.0 * unit * float(np.vdot(masses[1], error.T @ masses[0]))
    return 1.001 * total + 1e-300
'''
)
