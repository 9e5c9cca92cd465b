"""The engine of positively homogeneous activations: K = |u|^k |v|^k κ(ρ), in six buffers a tile."""

from string import Template

HOMOGENEOUS = Template('''

# ---- κ and κ' ------------------------------------------------------------------------------------

DEGREE = $degree  # σ(t x) = t^DEGREE σ(x) for t > 0


@dataclass(slots=True)
class _Tile:
    """The six buffers of one tile, all of one shape."""

    rho: Array  # ρ
    sine: Array  # sqrt(1 - ρ²)
    angle: Array  # $angle_name
    kappa: Array  # κ(ρ)
    slope: Array  # κ'(ρ)
    scratch: Array
$extremes$formulas

def _correlation(rho: ArrayLike) -> tuple[Array, Array]:
    """κ(ρ) and κ'(ρ) elementwise; beyond ±1, where rounding may lead, as at ±1."""
    flat = np.ravel(rho)
    t = _Tile(*np.empty((6, flat.size)))
    t.rho[:] = flat
    _angles(t)
    _kappa(t)
    _slope(t)
    return t.kappa.reshape(np.shape(rho)), t.slope.reshape(np.shape(rho))


# ---- sums over pairs of rows ---------------------------------------------------------------------
$reciprocal

class _Nodes(NamedTuple):
    """Rows w_i = r_i u_i with |u_i| = 1 (or u_i = 0 for a zero row), and their outer weights."""

    rows: Array  # (n, d), rescaled if a squared length would leave the range of float64
    inverse: Array  # (n,), u_i = inverse_i rows_i
    radii: Array  # (n,), r_i
    weights: Array  # (n, k), a_i / n
    gap: float  # 1 - |u_i|², nonzero in _mean_node alone

    def part(self, some: slice) -> "_Nodes":
        """Some of the rows."""
        rows, inverse, radii, weights, gap = self
        return _Nodes(rows[some], inverse[some], radii[some], weights[some], gap)


def _nodes(name: str, X: Array, weights: Array) -> _Nodes:
    rows = X
    lengths = radii = np.sqrt(np.einsum("ij,ij->i", X, X))
    if not np.all((lengths > 2.0**-400) & (lengths < 2.0**400)):
        peaks = np.maximum(X.max(axis=1), -X.min(axis=1))
        _require_finite(name, peaks)
        exponents = np.frexp(peaks)[1]
        rows = np.ldexp(X, -exponents[:, None])
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        radii = np.ldexp(lengths, exponents)
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
    _require_range(name, radii, weights)
    return _Nodes(rows, inverse, radii, weights / len(X), 0.0)


def _require_range(name: str, radii: Array, weights: Array) -> None:
    """The loss is a square, so |row|^k |weight| must stay away from 1e154."""
    with np.errstate(over="ignore"):
        largest = float(np.max(np.abs(weights).max(axis=1) * radii**DEGREE, initial=0.0))
    if not largest < 1e152:
        raise ValueError(
            f"{name} reaches |row|^{DEGREE} |weight| = {largest:.3g}; expected less than 1e152"
        )


def _mean_node(tau: float, mu: Array) -> tuple[_Nodes, float]:
    """The simplified target: one row of length τ whose direction is shrunk to μ/τ; its energy."""
    u = mu / tau
    gap = 1.0 - float(u @ u)
    if gap < 2.0**-48:  # |μ| = τ, up to rounding
        u, gap = u / np.sqrt(u @ u), 0.0
    one = np.ones(1)
    _require_range("tau", tau * one, one[:, None])
    energy = tau ** (2 * DEGREE) * float(_correlation(1.0 - gap)[0])
    return _Nodes(u[None, :], one, tau * one, np.ones((1, 1)), gap), energy


$sharpen

def _strip(source: _Nodes, probe: _Nodes, m: int) -> int:
    """How many of the source's rows to multiply at a time with m others; 0 for a tile's at once.

    A matrix product first copies both factors into an order of its own, which takes up to as long
    as the rest if one is narrow. OpenBLAS for AVX-512 multiplies without copies where there are at
    most 10^6 terms, by one thread; from some 400 entries a row on, that is faster.
    """
    (n, d), strip = source.rows.shape, min(24, 10**6 // max(m * probe.rows.shape[1], 1))
    fits = m <= 64 and d >= 384 and strip >= 8 and n * len(probe.rows) > FEW
    return strip if fits and source.rows.flags.c_contiguous and _avx512() else 0


@cache
def _avx512() -> bool:
    blas, kinds = _blas(), {"SkylakeX", "Cooperlake", "SapphireRapids"}
    return blas is not None and any(
        getattr(each, "architecture", "") in kinds for each in blas.lib_controllers
    )


def _multiply(rows: Array, others: _Nodes, strip: int, t: _Tile) -> None:
    """t.rho = (u_j · rows_i) from strips of rows."""
    (m, n), d = t.rho.shape, rows.shape[1]
    memory = np.empty(m * d + 8)
    start = -memory.ctypes.data // 8 % 8  # a line of the cache begins here
    u = memory[start : start + m * d].reshape(d, m)
    np.multiply(others.rows.T, others.inverse, out=u)
    whole = n - n % strip
    strips = t.rho[:, :whole].reshape(m, -1, strip).transpose(1, 2, 0)
    np.matmul(rows[:whole].reshape(-1, strip, d), u, out=strips)
    np.matmul(rows[whole:], u, out=t.rho[:, whole:].T)


@contextmanager
def _pair(
    source: _Nodes, probe: _Nodes, place: Place, spare: list[Array]$parameter
) -> Iterator[tuple[_Tile, slice, slice]]:
    """One tile of source x probe with its correlations and angles, in memory it takes and gives."""
    i, j = place
    some, others = source.part(i), probe.part(j)
    m, n = len(others.rows), len(some.rows)
    memory = spare.pop() if spare else np.empty((6, m * n))
    if m * n > memory.shape[1]:
        memory = np.empty((6, m * n))
    t = _Tile(*memory[:, : m * n].reshape(-1, m, n))
    strip = _strip(source, probe, m)
    if strip:
        _multiply(some.rows, others, strip, t)
    else:
        np.matmul(others.rows * others.inverse[:, None], some.rows.T, out=t.rho)
    t.rho *= some.inverse
    _angles(t)$sharpen_if
    yield t, i, j
    spare.append(memory)


def _pairs(source: _Nodes, probe: _Nodes$parameter) -> Iterator[tuple[_Tile, slice, slice]]:
    """The tiles of source x probe one after the other, and where they lie."""
    spare: list[Array] = []
    for place in _tiles(len(source.rows), len(probe.rows)):
        with _pair(source, probe, place, spare$passed) as found:
            yield found


def _entries(source: _Nodes, probe: _Nodes) -> Array:
    """K(w_i, θ_j)."""
    K = np.empty((len(source.rows), len(probe.rows)))
    for t, i, j in _pairs(source, probe$for_slopes):
        _kappa(t)
        np.multiply(source.radii[i, None] ** DEGREE, probe.radii[j] ** DEGREE, out=K[i, j])
        K[i, j] *= t.kappa.T
    return K


def _values(source: _Nodes, probe: _Nodes, crew: _Crew = ALONE) -> Array:
    """V_j = Σ_i a_i K(w_i, θ_j), shape (M, k)."""
    mass = source.weights * source.radii[:, None] ** DEGREE
    V = np.zeros((len(probe.rows), mass.shape[1]))
    spare: list[Array] = []

    def work(place: Place) -> tuple[Array, ...]:
        with _pair(source, probe, place, spare$for_values) as (t, i, _):
            _kappa(t)
            return (t.kappa @ mass[i],)

    _add_up(work, len(source.rows), len(V), crew, (V,))
    return V * probe.radii[:, None] ** DEGREE


def _values_and_pulls(
    source: _Nodes, probe: _Nodes, crew: _Crew = ALONE
) -> tuple[Array, Array]:
    """V as above and P_j = Σ_i <a_i, b_j> ∂K(w_i, θ_j)/∂θ_j, shape (M, d).

    By homogeneity ∂/∂θ |θ|^k κ(ρ) = |θ|^{k-1} (κ' u + E θ/|θ|) with E = k κ - ρ κ': the sums over i
    of κ' u_i, which is one matrix product, and of $enough
    """
    mass = source.weights * source.radii[:, None] ** DEGREE
    turning = mass * source.inverse[:, None]
    push = probe.weights * $push
    single = push.shape[1] == 1
$before    V, P = np.zeros((len(probe.rows), mass.shape[1])), np.zeros(probe.rows.shape)
    spare: list[Array] = []

    def work(place: Place) -> tuple[Array, ...]:
        with _pair(source, probe, place, spare$for_slopes) as (t, i, j):
            $sums
            t.slope *= turning[i, 0] if single else np.matmul(push[j], turning[i].T, out=t.scratch)
            return sums, t.slope @ source.rows[i]

    _add_up(work, len(source.rows), len(V), crew, (V, P))
    u = probe.rows * probe.inverse[:, None]
$last
    return V * probe.radii[:, None] ** DEGREE, P + along[:, None] * u
''')

_FILLED = """
            sums = t.kappa @ mass[i]
            t.slope = t.kappa  # whose values are used up
            _slope(t)"""

ONLY_KAPPA = {
    "enough": "κ give both parts.",
    "before": "",
    "sums": "_kappa(t)" + _FILLED,
    "last": """\
    if single:
        P *= push
    along = DEGREE * np.sum(push * V, axis=1) - np.sum(P * u, axis=1)""",
}

ALONG = {
    "enough": """E or κ give both parts.
    One output takes E, which tends to be shorter, and k κ = E + ρ κ'.""",
    "before": "",
    "sums": """if single:
                _along(t)
            else:
                _kappa(t)"""
    + _FILLED,
    "last": """\
    if single:
        along = push[:, 0] * V[:, 0]
        V = (V + np.sum(P * u, axis=1)[:, None]) / DEGREE
        P *= push
    else:
        along = DEGREE * np.sum(push * V, axis=1) - np.sum(P * u, axis=1)""",
}


def bare_sums(along: tuple[str, str], slope: tuple[str, str]) -> dict[str, str]:
    """The same for E and κ' that are multiples of buffers, with factors for the masses alone."""
    (outward, factor), (turned, other) = along, slope
    return ALONG | {
        "before": f"""\
    if single:  # E = {factor} {outward[2:]}, κ' = {other} {turned[2:]}
        mass, turning = {factor} * mass, {other} * turning
""",
        "sums": f"""if single:
                sums, t.slope = {outward} @ mass[i], {turned}
            else:
                _kappa(t)
                sums = t.kappa @ mass[i]
                t.slope = t.kappa  # whose values are used up
                _slope(t)""",
    }


EXTREMES = """\
    square: float = 0.0  # the least 1 - ρ²
"""

FLAT_ANGLES = """

def _angles(t: _Tile) -> None:
    np.clip(t.rho, -1.0, 1.0, out=t.rho)
"""

ANGLES = Template("""

def _angles(t: _Tile) -> None:
    np.multiply(t.rho, t.rho, out=t.sine)
    np.subtract(1.0, t.sine, out=t.sine)
    t.square = float(t.sine.min())
    if not t.square > 0.75:  # digits would be lost
        np.clip(t.rho, -1.0, 1.0, out=t.rho)
        np.subtract(1.0, t.rho, out=t.sine)
        np.add(1.0, t.rho, out=t.angle)
        t.sine *= t.angle
    np.sqrt(t.sine, out=t.sine)
    $code
""")

FUNCTION = Template('''

def _$name(t: _Tile$parameter) -> None:
    """$formula."""
    $code
''')

NEARLY_OPPOSITE = Template("""\
# Near ρ = -1 those terms cancel: there its series in ψ = angle, ρ = -cos ψ, cut below 2^-56.
if t.square <= $edge:
    near = t.angle < $switch
    coefficients = (
$coefficients
    )
    $into[near] = _series(t.angle[near], $power, coefficients)
""")

SERIES = '''

def _series(psi: Array, power: int, coefficients: tuple[float, ...]) -> Array:
    """ψ^power Σ_n coefficients[n] ψ^2n."""
    square = psi * psi
    total = np.full_like(psi, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total *= square
        total += coefficient
    for _ in range(power):
        total *= psi
    return total
'''

SHARPEN = Template('''

NEAR = 2.0**-20  # 1 - |ρ| below which rounding in ρ would blur the angle


def _sharpen(t: _Tile, source: _Nodes, probe: _Nodes, zone: float) -> None:
    """Angles where 1 - |ρ| <= zone, from the chord: |u ∓ v|² + gap = 4 sin²(angle/2)."""
    if t.square > 2.0 * zone:
        return
    near = np.argwhere(np.abs(t.rho) >= 1.0 - zone)
    for start in range(0, len(near), SIDE):
        j, i = near[start : start + SIDE].T
        sign = np.sign(t.rho[j, i])
        chord = source.rows[i] * source.inverse[i, None]
        chord -= probe.rows[j] * (sign * probe.inverse[j])[:, None]
        square = np.einsum("ij,ij->i", chord, chord) + source.gap
        square[square < 2.0**-98] = 0.0  # the same direction, up to rounding
        turn = 2.0 * np.arcsin(0.5 * np.sqrt(square))
        t.sine[j, i] = np.sin(turn)
        t.angle[j, i] = $of_turn
''')

SHARPEN_IF = """
    if zone:
        _sharpen(t, some, others, zone)"""
