"""The engine of other activations: K°(q_u, q_v, c) and its partial derivatives."""

from string import Template

PLAIN_FUNCTION = Template("""

def $name(qu: Array, qv: Array, c: Array) -> $returns:
    $code
""")

GUARDS = {
    "_reciprocal": '''

def _reciprocal(x: Array) -> Array:
    """1/x, and 0 where x is 0."""
    return np.divide(1.0, x, out=np.zeros_like(x), where=x != 0.0)
''',
    "_sqrt": '''

def _sqrt(x: Array) -> Array:
    """Square root of what may round below 0."""
    return np.sqrt(np.maximum(x, 0.0))
''',
    "_arcsin": '''

def _arcsin(x: Array) -> Array:
    """Arcsine of what may round beyond ±1."""
    return np.arcsin(np.clip(x, -1.0, 1.0))
''',
    "_correlated": '''

def _correlated(c: Array, bound: Array, root: Array) -> Array:
    """The correlation c/bound, ±1 where root says so."""
    return np.where(root > 0.0, np.clip(c / bound, -1.0, 1.0), np.sign(c))
''',
    "_residual": '''

def _residual(h: Array, k: Array, rho: Array) -> Array:
    """(k - ρ h)/sqrt(1 - ρ²), whose numerator does not cancel for h near ±k and ρ near ±1.

    Where ρ = ±1 it is ±1e8, where Φ has come to its end, or 0.
    """
    top = np.where(rho > 0.0, k - h + (1.0 - rho) * h, k + h - (1.0 + rho) * h)
    ends = 1e8 * np.sign(top)
    bottom = np.sqrt((1.0 - rho) * (1.0 + rho))
    return np.divide(top, bottom, out=ends, where=bottom > 0.0)
''',
}

POLAR = '''

def _polar(qu: Array, qv: Array, c: Array) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Lengths and their difference; the correlation ρ, 1 - ρ and 1 + ρ, kept above 0."""
    ru, rv = (np.maximum(np.sqrt(q), 1e-60) for q in (qu, qv))
    rho = np.clip(c / ru / rv, -1.0, 1.0)
    return ru, rv, rv - ru, rho, np.maximum(1.0 - rho, 1e-40), np.maximum(1.0 + rho, 1e-40)
'''
POLAR_FLOOR = (  # rows that are parallel up to rounding are taken to be so
    "rho = np.where(np.minimum(below, above) < 2.0**-48, np.sign(rho), rho)",
    "below, above = np.maximum(1.0 - rho, 1e-40), np.maximum(1.0 + rho, 1e-40)",
    "floor_below, floor_above = np.maximum(below, 2.0**-50), np.maximum(above, 2.0**-50)",
)
SHORTEST = """
    if probe.variances.min(initial=1.0) < 1e-8:
        raise ValueError("Theta has a row shorter than 1e-4, too short for second derivatives")"""
POLAR_CALL = "ru, rv, gap, rho, below, above = _polar(qu, qv, c)"

ROOT = ("bound = np.sqrt(qu) * np.sqrt(qv)", "root = np.sqrt((bound - c) * (bound + c))")
LIFT = "qu, qv = np.maximum(qu, 1e-120), np.maximum(qv, 1e-120)"
SNAP = (
    "root = np.where(bound - np.abs(c) <= 2.0**-50 * bound, 0.0, root)  # parallel but for rounding"
)
ALPHA = "alpha = np.arctan2(c, root)  # rounded as root is, so that their errors cancel"

GENERAL = Template('''

# ---- K° and its derivatives ----------------------------------------------------------------------

$formulas

# ---- sums over pairs of rows ---------------------------------------------------------------------


class _Nodes(NamedTuple):
    """Rows w_i with their variances q_i = |w_i|² and outer weights."""

    rows: Array  # (n, d)
    variances: Array  # (n,)
    weights: Array  # (n, k), a_i / n

    def part(self, some: slice) -> "_Nodes":
        """Some of the rows."""
        rows, variances, weights = self
        return _Nodes(rows[some], variances[some], weights[some])


def _nodes(name: str, X: Array, weights: Array) -> _Nodes:
    variances = np.einsum("ij,ij->i", X, X)
    if not np.isfinite(variances).all():
        _require_finite(name, X)
    _require_range(name, variances)
    return _Nodes(X, variances, weights / len(X))


def _require_range(name: str, variances: Array) -> None:
    """K° may grow like a power of the variances."""
    if not variances.max(initial=0.0) < $largest:
        raise ValueError(f"{name} reaches |row|^2 = {variances.max():.3g}; expected below $largest")


def _mean_node(tau: float, mu: Array) -> tuple[_Nodes, float]:
    """The simplified target: one row μ of variance τ²; its energy."""
    q = np.square([tau])
    _require_range("tau", q)
    energy = float(_kernel(q, q, np.minimum(mu @ mu, q))[0])
    return _Nodes(mu[None, :], q, np.ones((1, 1))), energy


def _arguments(left: _Nodes, right: _Nodes) -> tuple[Array, Array, Array]:
    """q_u, q_v and c, of which rounding must not make c² > q_u q_v."""
    qu, qv = left.variances[:, None], right.variances[None, :]
    c = left.rows @ right.rows.T
    bound = np.sqrt(qu) * np.sqrt(qv)
    np.clip(c, -bound, bound, out=c)
    return qu, qv, c


def _entries(left: _Nodes, right: _Nodes) -> Array:
    """K(w_i, θ_j)."""
    K = np.empty((len(left.rows), len(right.rows)))
    for i, j in _tiles(*K.shape):
        K[i, j] = _kernel(*_arguments(left.part(i), right.part(j)))
    return K


def _values(source: _Nodes, probe: _Nodes, crew: _Crew = ALONE) -> Array:
    """V_j = Σ_i a_i K(w_i, θ_j), shape (M, k)."""
    V = np.zeros((len(probe.rows), source.weights.shape[1]))

    def work(place: Place) -> tuple[Array, ...]:
        some, others = source.part(place[0]), probe.part(place[1])
        return (_kernel(*_arguments(some, others)).T @ some.weights,)

    _add_up(work, len(source.rows), len(V), crew, (V,))
    return V


def _values_and_pulls(
    source: _Nodes, probe: _Nodes, crew: _Crew = ALONE
) -> tuple[Array, Array]:
    """V as above and P_j = Σ_i <a_i, b_j> ∂K(w_i, θ_j)/∂θ_j, shape (M, d).

    ∂K/∂θ = (∂K°/∂c) w + 2 (∂K°/∂q_v) θ.
    """
    V, P = np.zeros((len(probe.rows), source.weights.shape[1])), np.zeros(probe.rows.shape)

    def work(place: Place) -> tuple[Array, ...]:
        some, others = source.part(place[0]), probe.part(place[1])
        K, by_c, by_qv = _kernel_and_slopes(*_arguments(some, others))
        pairs = some.weights @ others.weights.T
        pull = (pairs * by_c).T @ some.rows
        pull += 2.0 * np.sum(pairs * by_qv, axis=0)[:, None] * others.rows
        return K.T @ some.weights, pull

    _add_up(work, len(source.rows), len(V), crew, (V, P))
    return V, P
''')
