"""Networks with biases: nodes, sums over pairs of rows and the losses, on K = E σ(X + s) σ(Y + t).

BIASED needs `_shifted(left, right)`, which gives K and its derivatives for the pairs of two sets of
nodes: SMOOTH_PAIRS has it from printed formulas, `splines` for piecewise linear and constant σ.
HOOKS are lines of the interface, and what stands there in a module that knows no biases.
"""

from string import Template

HOOKS = {
    """\
    if s is not None or t is not None:
        return _biased_kernel(left, right, s, t)
""": "    _refuse_biases(s, t)\n",
    """\
        if s is not None:
            self.nodes, self.energy = _biased_target(rows, weights, s)
            return
""": "        _refuse_biases(s)\n",
    """\
    if _has_biases(W, s, t):
        return _biased_loss(W, Theta, a, b, s, t, return_error)[0]
""": "    _refuse_biases(s, t)\n",
    """\
    if _has_biases(W, s, t):
        value, by_theta, by_b, by_t = _biased_loss(W, Theta, a, b, s, t)
        by_b = by_b.reshape(_shape(b, by_b))
        return (value, by_theta, by_b) if t is None else (value, by_theta, by_b, by_t)
""": "    _refuse_biases(s, t)\n",
}

UNBIASED = '''

# ---- biases --------------------------------------------------------------------------------------


def _refuse_biases(*biases: Given) -> None:
    """E σ(X + s) σ(Y + t) has no closed form here."""
    if any(bias is not None for bias in biases):
        raise ValueError("biases s, t are given; expected none with this activation, $reason")
'''

BIASED = Template('''

# ---- sums over pairs of nodes with biases --------------------------------------------------------


class _Biased(NamedTuple):
    """Nodes a_i σ(<w_i, x> + s_i)."""

    rows: Array  # (n, d)
    lengths: Array  # (n,), |w_i|
    biases: Array  # (n,)
    weights: Array  # (n, k), a_i / n

    def part(self, some: slice) -> "_Biased":
        """Some of the nodes."""
        return _Biased(*(x[some] for x in self))


def _biased(name: str, X: Array, letter: str, given: Given, weights: Array) -> _Biased:
    biases = np.zeros(len(X)) if given is None else _real(letter, given)
    if biases.shape != (len(X),):
        raise ValueError(f"{letter} has shape {biases.shape}; expected ({len(X)},)")
    for each, values in ((name, X), (letter, biases)):
        _require_finite(each, values)
        found = np.abs(values).max(initial=0.0)
        if not found < $largest:
            raise ValueError(f"{each} reaches {found:.3g}; expected below $largest with biases")
    lengths = np.sqrt(np.einsum("ij,ij->i", X, X))
    return _Biased(X, lengths, biases, weights / len(X))


def _biased_sums(
    source: _Biased, probe: _Biased, crew: _Crew = ALONE
) -> tuple[Array, Array, Array]:
    """V_j = Σ_i a_i K_ij, (M, k), and Σ_i <a_i, b_j> times ∂K_ij/∂θ_j, (M, d), or ∂K_ij/∂t_j.

    ∂K/∂θ = (∂K/∂c) w + 2 (∂K/∂q_v) θ.
    """
    V = np.zeros((len(probe.rows), source.weights.shape[1]))
    P, D = np.zeros(probe.rows.shape), np.zeros(len(probe.rows))

    def work(place: Place) -> tuple[Array, ...]:
        some, others = source.part(place[0]), probe.part(place[1])
        K, by_c, by_qv, by_t = _shifted(some, others)
        pairs = some.weights @ others.weights.T
        pull = (pairs * by_c).T @ some.rows
        pull += 2.0 * np.sum(pairs * by_qv, axis=0)[:, None] * others.rows
        return K.T @ some.weights, pull, np.sum(pairs * by_t, axis=0)

    _add_up(work, len(source.rows), len(V), crew, (V, P, D))
    return V, P, D


def _biased_kernel(U: Array, V: Array, s: Given, t: Given) -> Array:
    left = _biased("U", U, "s", s, np.ones((len(U), 1)))
    right = _biased("V", V, "t", t, np.ones((len(V), 1)))
    K = np.empty((len(U), len(V)))
    for i, j in _tiles(*K.shape):
        K[i, j] = _shifted(left.part(i), right.part(j))[0]
    return K


def _biased_target(W: Array, a: Array | None, s: ArrayLike) -> tuple[_Biased, float]:
    """The nodes and Σ_ij <a_i, a_j> K_ij; pairs in different blocks are visited once."""
    nodes = _biased("W", W, "s", s, np.ones((len(W), 1)) if a is None else a)
    total, side = 0.0, 64
    with _shared(len(W) ** 2) as crew:
        for start in range(0, len(W), side):
            here = nodes.part(slice(start, start + side))
            total += float(np.vdot(here.weights, _biased_sums(here, here, crew)[0]))
            if start:
                before = nodes.part(slice(0, start))
                total += 2.0 * float(np.vdot(here.weights, _biased_sums(before, here, crew)[0]))
    return nodes, total


def _has_biases(W: ArrayLike | Target, s: Given, t: Given) -> bool:
    inside = isinstance(W, Target) and isinstance(W.nodes, _Biased)
    return inside or s is not None or t is not None


def _biased_loss(
    W: ArrayLike | Target, Theta: ArrayLike, a: Given, b: Given, s: Given, t: Given,
    return_error: bool = False,
) -> tuple[float, Array, Array, Array]:
    """L and its gradients in Theta, in b as (M, k), and in t."""
    if return_error:
        raise ValueError("return_error is given with biases; expected networks without")
    outer_b = None if b is None else _weights("b", b, len(np.atleast_1d(np.asarray(b))))
    if not isinstance(W, Target):
        rows = _matrix("W", W)
        if a is None and outer_b is not None:
            a = np.ones((len(rows), outer_b.shape[1]))
        W = Target(rows, a, s)
    elif a is not None or s is not None:
        raise ValueError("a or s is given beside a Target; expected both inside, Target(W, a, s)")
    source, k = W.nodes, W.nodes.weights.shape[1]
    if not isinstance(source, _Biased):
        rows = np.asarray(W.rows, dtype=np.float64)  # a target by moments may hold float32
        source = _biased("W", rows, "s", None, source.weights * len(rows))
    theta = _matrix("Theta", Theta, source.rows.shape[1])
    outer_b = np.ones((len(theta), k)) if b is None else _weights("b", b, len(theta))
    if outer_b is None or outer_b.shape[1] != k:
        found = 0 if outer_b is None else outer_b.shape[1]
        raise ValueError(f"b has {found} outputs; expected {k}, as many as a")
    probe = _biased("Theta", theta, "t", t, outer_b)
    with _shared(len(source.rows) * len(theta)) as crew:
        own, cross = (_biased_sums(nodes, probe, crew) for nodes in (probe, source))
    by_b, by_theta, by_t = (2.0 * (x - y) for x, y in zip(own, cross, strict=True))
    value = W.energy + float(np.vdot(probe.weights, own[0] - 2.0 * cross[0]))
    value = 0.0 if _same(source, probe) else max(value, 0.0)
    return value, by_theta, by_b / len(theta), by_t
''')

SMOOTH_PAIRS = Template('''

# ---- biases: K = E σ(X + s) σ(Y + t) -------------------------------------------------------------


def _shifted(left: "_Biased", right: "_Biased") -> tuple[Array, Array, Array, Array]:
    """K and its derivatives in c, q_v and t."""
    s, t = left.biases[:, None], right.biases[None, :]
    ru, rv = left.lengths[:, None], right.lengths[None, :]
$variances    c = np.clip(left.rows @ right.rows.T, -ru * rv, ru * rv)
    $code
$functions''')
