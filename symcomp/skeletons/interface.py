"""What a generated module offers: targets, losses, gradients and the checks of arguments."""

INTERFACE = '''

# ---- the losses ----------------------------------------------------------------------------------


class Target:
    """A target network prepared once; stands wherever W does.

    W is (N, d), a is (N,) or (N, k), default ones, s is (N,). `energy` is
    N^-2 ΣΣ <a_i, a_i'> K(w_i, w_i'), known up to ±energy_error, and so is every loss with this
    target; gradients do not depend on it.

    expand=False: summed over all pairs in tiles, which takes O(N² d) time; energy_error is 0.0,
    rounding apart. W, a and s are copied.
    expand=True: enclosed by means of moments in O(N d²) time and O(N + k d²) memory; energy_error
    is a rigorous bound, rounding included (that of functions of σ as it was measured). W is not
    copied if it is an array or memory map of float32 or float64 (whose rows are zero or of lengths
    within 2^±400): leave it unchanged then.
    Raises ValueError as loss does, and where expand is True for biases, for an activation whose
    moments have no short closed form and, if it is not homogeneous, for nonzero rows shorter
    than 1e-60.
    """

    def __init__(
        self, W: ArrayLike, a: Given = None, s: Given = None,
        *, expand: bool = False,
    ) -> None:
        """Check and sum."""
        self.energy_error = 0.0
        if expand and np.shape(W)[:1] != (0,):
            if s is not None:
                raise ValueError("s is given and expand is True; expected one of both")
            self.nodes, self.energy, self.energy_error = _expanded(W, a)
            self.rows = self.nodes.rows
            return
        rows = self.rows = np.array(_matrix("W", W))
        weights = _weights("a", a, len(rows))
        if s is not None:
            self.nodes, self.energy = _biased_target(rows, weights, s)
            return
        self.nodes = _nodes("W", rows, np.ones((len(rows), 1)) if weights is None else weights)
        self.energy = _energy(self.nodes)


def kernel(
    U: ArrayLike, V: ArrayLike, s: Given = None, t: Given = None
) -> Array:
    """K(u_i, v_j) of the rows of U (m, d) and V (n, d): shape (m, n), float64.

    With biases s (m,) and t (n,): E σ(<u_i, x> + s_i) σ(<v_j, x> + t_j).
    Raises ValueError for a wrong shape, NaN, infinity or entries that are not real.
    """
    left = _matrix("U", U)
    right = _matrix("V", V, left.shape[1])
    if s is not None or t is not None:
        return _biased_kernel(left, right, s, t)
    return _entries(
        _nodes("U", left, np.ones((len(left), 1))), _nodes("V", right, np.ones((len(right), 1)))
    )


@overload
def loss(
    W: ArrayLike | Target, Theta: ArrayLike, a: Given = None, b: Given = None,
    return_error: Literal[False] = False,
    *, s: Given = None, t: Given = None,
) -> float: ...
@overload
def loss(
    W: ArrayLike | Target, Theta: ArrayLike, a: Given = None, b: Given = None,
    *, return_error: Literal[True], s: Given = None, t: Given = None,
) -> tuple[float, float]: ...
def loss(
    W: ArrayLike | Target, Theta: ArrayLike, a: Given = None, b: Given = None,
    return_error: bool = False,
    *, s: Given = None, t: Given = None,
) -> float | tuple[float, float]:
    """L = E |f_W(x) - f_Theta(x)|² of two networks (S0), at least 0.

    W (N, d) or a Target, Theta (M, d), a (N,) or (N, k), b (M,) or (M, k), default ones; biases
    s (N,) and t (M,), default zeros. Real numbers of any kind, computed in float64. A network
    without nodes is 0. Without a Target the cost is O((N + M)² d).
    return_error: gives (L, bound) with |computed L - exact L| <= bound for the arguments as they
    are in float64; `_sum_error` says what the bound rests on. There is none with biases.
    Raises ValueError for a wrong shape, NaN, infinity or entries that are not real.
    """
    if _has_biases(W, s, t):
        return _biased_loss(W, Theta, a, b, s, t, return_error)[0]
    nodes, energy, probe = _networks(W, Theta, a, b)
    value = _value(nodes, energy, probe)
    known = W.energy_error if isinstance(W, Target) else 0.0
    return (value, _error(nodes, probe, 8, known)) if return_error else value


def loss_and_grad(
    W: ArrayLike | Target, Theta: ArrayLike, a: Given = None, b: Given = None,
    *, s: Given = None, t: Given = None,
) -> tuple[float, Array, Array] | tuple[float, Array, Array, Array]:
    """L with its gradients in Theta (M, d), in b and, where t is given, in t (M,).

    Arguments and errors as in loss. The gradient in b has b's shape; for the default b that is
    (M,), or (M, k) where k > 1.
    """
    if _has_biases(W, s, t):
        value, by_theta, by_b, by_t = _biased_loss(W, Theta, a, b, s, t)
        by_b = by_b.reshape(_shape(b, by_b))
        return (value, by_theta, by_b) if t is None else (value, by_theta, by_b, by_t)
    nodes, energy, probe = _networks(W, Theta, a, b)
    value, by_theta, by_b = _value_and_grad(nodes, energy, probe)
    return value, by_theta, by_b.reshape(_shape(b, by_b))


@overload
def simplified(
    tau: float, mu: ArrayLike, Theta: ArrayLike, b: Given = None,
    return_error: Literal[False] = False,
) -> float: ...
@overload
def simplified(
    tau: float, mu: ArrayLike, Theta: ArrayLike, b: Given = None,
    *, return_error: Literal[True],
) -> tuple[float, float]: ...
def simplified(
    tau: float, mu: ArrayLike, Theta: ArrayLike, b: Given = None, return_error: bool = False,
) -> float | tuple[float, float]:
    """F, the limit of L for many target nodes of mean mu and E|w|² = tau² (S1), at least 0.

    tau > 0, mu (d,) with |mu| <= tau, Theta (M, d), b (M,), default ones. return_error as in loss.
    Raises ValueError for a wrong shape or value, NaN, infinity or entries that are not real.
    """
    nodes, energy, probe = _simplified_networks(tau, mu, Theta, b)
    value = _value(nodes, energy, probe)
    return (value, _error(nodes, probe, 48)) if return_error else value


def simplified_and_grad(
    tau: float, mu: ArrayLike, Theta: ArrayLike, b: Given = None
) -> tuple[float, Array, Array]:
    """F with its gradients in Theta (M, d) and b (M,); arguments and errors as in simplified."""
    nodes, energy, probe = _simplified_networks(tau, mu, Theta, b)
    value, by_theta, by_b = _value_and_grad(nodes, energy, probe)
    return value, by_theta, by_b.reshape(_shape(b, by_b))


def hessian_vector_product(
    W: ArrayLike | Target, Theta: ArrayLike, dTheta: ArrayLike, db: Given = None, a: Given = None,
    b: Given = None,
) -> tuple[Array, Array]:
    """The second derivative of L at (Theta, b) applied to a direction: (hTheta (M, d), hb like b).

    The direction is dTheta (M, d) and db like b, default zeros: the product is the derivative at
    t = 0 of the gradients at (Theta + t dTheta, b + t db). Other arguments as in loss; the cost
    is that of some three gradients, some eight where σ is not homogeneous. What counts as the
    second derivative where there is none stands at the head of this module. Raises ValueError as
    loss does, and where the product leaves the range of float64, next to zero rows.
    """
    nodes, probe = _two_networks(W, Theta, a, b)
    move = _move(probe, dTheta, db)
    by_theta, by_b = _product(nodes, probe, move)
    return by_theta, by_b.reshape(_shape(b, by_b) if db is None else np.shape(db))


def simplified_hessian_vector_product(
    tau: float, mu: ArrayLike, Theta: ArrayLike, dTheta: ArrayLike, db: Given = None,
    b: Given = None,
) -> tuple[Array, Array]:
    """The same of F, (hTheta (M, d), hb (M,)); arguments as in simplified and above."""
    nodes, _, probe = _simplified_networks(tau, mu, Theta, b)
    move = _move(probe, dTheta, db)
    by_theta, by_b = _product(nodes, probe, move)
    return by_theta, by_b.reshape(_shape(b, by_b) if db is None else np.shape(db))


def _move(probe: _Nodes, dTheta: ArrayLike, db: Given) -> "_Move":
    """The direction, checked."""
    M, k = probe.weights.shape
    rows = _matrix("dTheta", dTheta, probe.rows.shape[1])
    if len(rows) != M:
        raise ValueError(f"dTheta has shape {rows.shape}; expected {probe.rows.shape}, as Theta")
    _require_finite("dTheta", rows)
    weights = _weights("db", db, M)
    weights = np.zeros((M, k)) if weights is None else weights
    if weights.shape[1] != k:
        raise ValueError(f"db has {weights.shape[1]} outputs; expected {k}, as many as b")
    return _Move(rows, weights / M)


def _product(target: _Nodes, probe: _Nodes, move: "_Move") -> tuple[Array, Array]:
    """The derivatives of both gradients, as _value_and_grad has them."""
    with np.errstate(over="ignore", invalid="ignore"):
        with _shared(len(target.rows) * len(probe.rows)) as crew:
            own, own_pulls = _tangents(probe, probe, move, move, crew)
            cross, cross_pulls = _tangents(target, probe, None, move, crew)
        by_theta, by_b = 2.0 * (own_pulls - cross_pulls), 2.0 * (own - cross) / len(own)
    if not (np.isfinite(by_theta).all() and np.isfinite(by_b).all()):
        raise ValueError("Theta has rows so short or long that the second derivative overflows")
    return by_theta, by_b


def _value(target: _Nodes, energy: float, probe: _Nodes) -> float:
    if _same(target, probe):
        return 0.0
    with _shared(len(target.rows) * len(probe.rows)) as crew:
        values = _values(probe, probe, crew) - 2.0 * _values(target, probe, crew)
    return max(energy + float(np.vdot(probe.weights, values)), 0.0)


def _same(target: NamedTuple, probe: NamedTuple) -> bool:
    """Whether they are one network: then the loss is 0, whatever its sums would round to."""
    fields: Any = zip(target, probe, strict=True)
    return all(np.array_equal(x, y) for x, y in fields)


def _error(target: _Nodes, probe: _Nodes, slack: int, known: float = 0.0) -> float:
    """A bound on the error of _value; known is that of an energy by moments, 0 for a sum."""
    cross, own = (_sum_error(*pair, slack) for pair in ((target, probe), (probe, probe)))
    return (known or _sum_error(target, target, slack)) + 2.0 * cross + own


def _value_and_grad(target: _Nodes, energy: float, probe: _Nodes) -> tuple[float, Array, Array]:
    M = len(probe.rows)
    with _shared(len(target.rows) * M) as crew:
        if M * M <= TILE:
            sums = crew.beside(_values_and_pulls, probe, probe)
        else:
            sums = partial(_values_and_pulls, probe, probe, crew)
        cross, cross_pulls = _values_and_pulls(target, probe, crew)
        own, own_pulls = sums()
    by_theta, by_b = 2.0 * (own_pulls - cross_pulls), 2.0 * (own - cross) / M
    if _same(target, probe):
        return 0.0, by_theta, by_b
    value = energy + float(np.vdot(probe.weights, own - 2.0 * cross))
    return max(value, 0.0), by_theta, by_b


def _energy(nodes: _Nodes) -> float:
    """Σ_ij <a_i, a_j> K(w_i, w_j); pairs in different blocks of rows are visited once."""
    total = 0.0
    with _shared(len(nodes.rows) ** 2) as crew:
        for start in range(0, len(nodes.rows), SIDE):
            here = nodes.part(slice(start, start + SIDE))
            total += float(np.vdot(here.weights, _values(here, here, crew)))
            if start:
                before = nodes.part(slice(0, start))
                total += 2.0 * float(np.vdot(here.weights, _values(before, here, crew)))
    return total


# ---- arguments -----------------------------------------------------------------------------------


def _networks(
    W: ArrayLike | Target, Theta: ArrayLike, a: Given, b: Given
) -> tuple[_Nodes, float, _Nodes]:
    """The target's nodes and energy, and the nodes of the other network."""
    nodes, probe = _two_networks(W, Theta, a, b)
    return nodes, W.energy if isinstance(W, Target) else _energy(nodes), probe


def _two_networks(
    W: ArrayLike | Target, Theta: ArrayLike, a: Given, b: Given
) -> tuple[_Nodes, _Nodes]:
    """The nodes of the target and of the other network."""
    outer_a: Array | None
    if isinstance(W, Target):
        if a is not None:
            raise ValueError("a is given beside a Target; expected it inside, as Target(W, a)")
        if not isinstance(W.nodes, _Nodes):
            raise ValueError("W is a Target with biases; expected one without for this function")
        rows, outer_a = W.nodes.rows, W.nodes.weights
    else:
        rows = _matrix("W", W)
        outer_a = _weights("a", a, len(rows))
    theta = _matrix("Theta", Theta, rows.shape[1])
    outer_b = _weights("b", b, len(theta))
    if outer_a is None:
        outer_a = np.ones((len(rows), 1 if outer_b is None else outer_b.shape[1]))
    if outer_b is None:
        outer_b = np.ones((len(theta), outer_a.shape[1]))
    if outer_a.shape[1] != outer_b.shape[1]:
        raise ValueError(
            f"b has {outer_b.shape[1]} outputs; expected {outer_a.shape[1]}, as many as a"
        )
    probe = _nodes("Theta", theta, outer_b)
    return W.nodes if isinstance(W, Target) else _nodes("W", rows, outer_a), probe


def _simplified_networks(
    tau: float, mu: ArrayLike, Theta: ArrayLike, b: Given
) -> tuple[_Nodes, float, _Nodes]:
    """The simplified target's node and energy, and the nodes of the other network."""
    scale, mean = _real("tau", tau), _real("mu", mu)
    if scale.ndim != 0 or not 0.0 < scale < np.inf:
        raise ValueError(f"tau is {tau}; expected a positive finite number")
    if mean.ndim != 1 or mean.size == 0:
        raise ValueError(f"mu has shape {mean.shape}; expected (d,)")
    _require_finite("mu", mean)
    length = float(scale * np.linalg.norm(mean / scale))
    if length > scale * (1.0 + 2.0**-48):
        raise ValueError(f"mu has length {length}; expected at most tau = {tau}")
    theta = _matrix("Theta", Theta, len(mean))
    weights = _weights("b", b, len(theta))
    weights = np.ones((len(theta), 1)) if weights is None else weights
    if weights.shape[1] != 1:
        raise ValueError(f"b has shape {weights.shape}; expected ({len(theta)},)")
    return *_mean_node(float(scale), mean), _nodes("Theta", theta, weights)


def _shape(b: Given, by_b: Array) -> tuple[int, ...]:
    """The shape of the gradient in b, whose default is (M,) for one output."""
    if b is not None:
        return np.shape(b)
    return by_b.shape if by_b.shape[1] > 1 else by_b.shape[:1]


def _matrix(name: str, value: ArrayLike, d: int | None = None) -> Array:
    """A matrix of d columns, one row a node; whether it is finite is seen from its row lengths."""
    X = _real(name, value)
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"{name} has shape {X.shape}; expected (rows, d) with d at least 1")
    if d is not None and X.shape[1] != d:
        raise ValueError(f"{name} has shape {X.shape}; expected ({len(X)}, {d})")
    return X


def _weights(name: str, value: Given, n: int) -> Array | None:
    """Outer weights as (n, k)."""
    if value is None:
        return None
    weights = _real(name, value)
    if weights.ndim not in (1, 2) or len(weights) != n or 0 in weights.shape[1:]:
        raise ValueError(f"{name} has shape {weights.shape}; expected ({n},) or ({n}, k)")
    _require_finite(name, weights)
    return weights[:, None] if weights.ndim == 1 else weights


def _real(name: str, value: ArrayLike) -> Array:
    try:
        X = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is ragged; expected a rectangular array") from error
    if X.dtype.kind not in "buif":
        raise ValueError(f"{name} has dtype {X.dtype}; expected real numbers")
    return np.asarray(X, dtype=np.float64, order="C")


def _require_finite(name: str, X: Array) -> None:
    if not np.isfinite(X).all():
        raise ValueError(f"{name} contains NaN or infinity; expected finite numbers")
'''
