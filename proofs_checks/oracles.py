"""Gaussian expectations and losses by quadrature of their bare definition, without a closed form.

Every number is an mpmath integral of the definition, split wherever the integrand is not smooth.
Numbers are taken as int, float, Fraction, mpf or strings such as "1.3"; floats as they are.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import combinations
from typing import Any

import mpmath
from mpmath import mpf

from proofs_checks.panels import (
    GUARD,
    QuadratureError,
    cutoff,
    gaussian_mean,
    integral,
    rayleigh_rule,
    settle,
    split,
)

Function = Callable[[mpf], mpf]
Rows = Sequence[Sequence[Any]]
Row = list[mpf]
Network = list[tuple[mpf, Row]]  # outer weight and inner weights of each neuron

_RIDGE = mpf("0.3")  # resolves a Gaussian to 80 digits; also the sqrt(1-ρ²) where grids change

_number = mpmath.mpmathify


def relu(x: mpf) -> mpf:
    """max(0, x)."""
    return x if x > 0 else mpf(0)


# ---- expectations --------------------------------------------------------------------------------


def expectation(
    f: Function,
    g: Function,
    qu: Any,
    qv: Any,
    c: Any,
    kinks_f: Iterable[Any] = (0,),
    kinks_g: Iterable[Any] = (0,),
    digits: int = 50,
) -> mpf:
    """E f(X) g(Y), (X, Y) centred Gaussian with variances qu, qv and covariance c, c² <= qu qv.

    f and g are smooth between their kinks and grow at most exponentially. Kinks at 0 alone take the
    `polar` road, others the `conditional` one, none at all the `trapezoid`; where c² = qu qv one
    integral is left.
    Raises ValueError for c² > qu qv, QuadratureError for an undeclared kink.
    """
    kinks_f, kinks_g = tuple(kinks_f), tuple(kinks_g)
    with mpmath.workdps(digits + GUARD):
        su, sv, c, spread = _covariance(qu, qv, c, digits)
        if su == 0:
            return f(su) * expectation1(g, qv, kinks_g, digits)
        if spread == 0:
            slope = mpmath.sign(c) * sv / su
            cuts = [*kinks_f, *(_number(k) / slope for k in kinks_g if slope)]
            return expectation1(lambda x: f(x) * g(slope * x), qu, cuts, digits)
    no_kinks = not (kinks_f or kinks_g)
    if no_kinks:
        return trapezoid(f, g, qu, qv, c, digits)
    if any(_number(k) for k in (*kinks_f, *kinks_g)):
        return conditional(f, g, qu, qv, c, kinks_f, kinks_g, digits)
    return polar(f, g, qu, qv, c, digits)


def expectation1(f: Function, q: Any, kinks: Iterable[Any] = (0,), digits: int = 50) -> mpf:
    """E f(X), X centred Gaussian with variance q >= 0, f smooth between its kinks."""
    with mpmath.workdps(digits + GUARD):
        s = mpmath.sqrt(_number(q))
        if s == 0:
            return f(s)
        return gaussian_mean(lambda z: f(s * z), [_number(k) / s for k in kinks], digits)


def polar(f: Function, g: Function, qu: Any, qv: Any, c: Any, digits: int = 50) -> mpf:
    """E f(X) g(Y) in polar coordinates, f and g smooth off 0; accurate uniformly up to |ρ| = 1.

    With cos α = ρ and δ = π - α the four sectors between the kinks give
    1/(2π) Σ_± [∫_0^α G(± sin t, ∓ sin(α-t)) dt + ∫_0^δ G(± sin(δ-t), ± sin t) dt],
    G(x, y) = ∫_0^∞ f(√qu r x) g(√qv r y) r exp(-r²/2) dr: no small angle is ever a difference.
    """
    with mpmath.workdps(digits + GUARD):
        su, sv, c, spread = _covariance(qu, qv, c, digits)

        def radial(x: mpf, y: mpf) -> mpf:
            x, y = su * x, sv * y
            return settle(partial(rayleigh_rule, digits), lambda r: f(r * x) * g(r * y), digits)

        return _sectors(radial, spread, c, digits, twins=f is g and su == sv)


def homogeneous(
    f: Function, g: Function, degree: Any, qu: Any, qv: Any, c: Any, digits: int = 50
) -> mpf:
    """E f(X) g(Y) for f(x) g(y) positively homogeneous of this degree: one integral over the angle.

    As `polar`, with ∫_0^∞ r^(degree+1) exp(-r²/2) dr = 2^(degree/2) Γ(1 + degree/2) taken out.
    """
    with mpmath.workdps(digits + GUARD):
        su, sv, c, spread = _covariance(qu, qv, c, digits)
        twins = f is g and su == sv
        angular = _sectors(lambda x, y: f(su * x) * g(sv * y), spread, c, digits, twins)
        return _radial_moment(2, degree) * angular


def trapezoid(f: Function, g: Function, qu: Any, qv: Any, c: Any, digits: int = 50) -> mpf:
    """E f(X) g(Y) for f, g without kinks and c² < qu qv, by the trapezoidal rule in the plane.

    For functions analytic in a strip its error falls like exp(-const/h): the step is cut until two
    levels agree to 0.7 of the digits, and once more. Off |ρ| = 1 the grid is one of x and y, where
    f and g are needed on two lines only; near it, one of x and of y's deviation given x.
    """
    with mpmath.workdps(digits + GUARD):
        su, sv, c, spread = _covariance(qu, qv, c, digits)
        rho, gap = c / (su * sv), spread / (su * sv)
        level = partial(_grid if gap > _RIDGE else _ridge, f, g, su, sv, rho, gap, cutoff(digits))
        h = max(min(gap, mpf(1)), _RIDGE) / 2
        before = level(h)
        for _ in range(6):
            h /= mpf("1.5")
            value = level(h)
            if abs(value - before) <= mpf(10) ** (-mpf("0.7") * digits) * max(abs(value), 1):
                return level(h / mpf("1.5"))
            before = value
    raise QuadratureError("E f(X) g(Y): the trapezoidal rule did not settle; is there a kink?")


def _line(end: mpf, h: mpf) -> list[mpf]:
    n = int(end / h) + 1
    return [k * h for k in range(-n, n + 1)]


def _grid(f: Function, g: Function, su: mpf, sv: mpf, rho: mpf, gap: mpf, end: mpf, h: mpf) -> mpf:
    """Σ over x and y: the density is A(x) B(y) exp(ρxy/gap²), a geometric progression in y."""
    line = _line(end, h)
    weights = [mpmath.exp(-(z * z) / (2 * gap**2)) for z in line]
    left = [f(su * z) * w for z, w in zip(line, weights, strict=True)]
    right = [g(sv * z) * w for z, w in zip(line, weights, strict=True)]
    total = mpf(0)
    for z, value in zip(line, left, strict=True):
        ratio = mpmath.exp(rho * z * h / gap**2)
        power, row = mpmath.exp(rho * z * line[0] / gap**2), mpf(0)
        for weight in right:
            row += weight * power
            power *= ratio
        total += value * row
    return total * h * h / (2 * mpmath.pi * gap)


def _ridge(f: Function, g: Function, su: mpf, sv: mpf, rho: mpf, gap: mpf, end: mpf, h: mpf) -> mpf:
    """Σ over x and the deviation of y from ρx, whose own step need not be as fine."""
    step = max(h, _RIDGE)
    across = [(gap * z, mpmath.exp(-(z * z) / 2)) for z in _line(end, step)]
    total = mpf(0)
    for z in _line(end, h):
        row = mpmath.fsum(g(sv * (rho * z + y)) * w for y, w in across)
        total += f(su * z) * mpmath.exp(-(z * z) / 2) * row
    return total * h * step / (2 * mpmath.pi)


def conditional(
    f: Function,
    g: Function,
    qu: Any,
    qv: Any,
    c: Any,
    kinks_f: Iterable[Any] = (0,),
    kinks_g: Iterable[Any] = (0,),
    digits: int = 50,
) -> mpf:
    """E f(X) E[g(Y) | X] for c² < qu qv, both means split at their kinks.

    The outer mean is split also where a kink of g enters, crosses and leaves the inner range.
    """
    with mpmath.workdps(digits + GUARD):
        su, _, c, spread = _covariance(qu, qv, c, digits)
        shift, width = c / su, spread / su  # Y given X = su z has mean shift z, deviation width
        kinks = [_number(k) for k in kinks_g]
        reach = width * cutoff(digits)
        cuts = [_number(k) / su for k in kinks_f]
        if shift:
            cuts += [(k + e) / shift for k in kinks for e in (-reach, 0, reach)]

        def given(z: mpf) -> mpf:
            left, mean = f(su * z), shift * z
            if left == 0:
                return left
            inner = [(k - mean) / width for k in kinks]
            return left * gaussian_mean(lambda y: g(mean + width * y), inner, digits)

        return gaussian_mean(given, cuts, digits)


# ---- losses between networks ---------------------------------------------------------------------


def loss_by_quadrature(
    W: Rows,
    Theta: Rows,
    a: Sequence[Any] | None = None,
    b: Sequence[Any] | None = None,
    sigma: Function = relu,
    degree: Any = 1,
    digits: int = 50,
) -> mpf:
    """E (f_N(x) - f̂(x))², f_N = (1/N) Σ a_i σ(<w_i,x>), f̂ = (1/M) Σ b_j σ(<θ_j,x>), x ~ N(0, I_d).

    W (N, d), Theta (M, d), d = 2 or 3, σ smooth off 0 and positively homogeneous: the square is a
    radial moment times an integral over the circle or the sphere, split at every neuron's kink.
    """
    with mpmath.workdps(digits + GUARD):
        negative = [(-weight, row) for weight, row in _network(Theta, b)]
        return _mean_square([*_network(W, a), *negative], sigma, degree, digits)


def simplified_by_quadrature(
    tau: Any,
    mu: Sequence[Any],
    Theta: Rows,
    b: Sequence[Any] | None = None,
    sigma: Function = relu,
    degree: Any = 1,
    digits: int = 50,
) -> mpf:
    """E (g(x) - f̂(x))², g(x) = E_ζ σ(<μ,x> + √(τ²-|μ|²) ζ), f̂ = (1/M) Σ b_j σ(<θ_j,x>), d = 2.

    As E g² - 2 E g f̂ + E f̂²: g² is a mean over (x, ζ, ζ'), g f̂ one over (x, ζ); σ as for the loss.
    """
    with mpmath.workdps(digits + GUARD):
        (x, y), zero = (_number(t) for t in mu), mpf(0)
        along, spread = mpmath.hypot(x, y), mpmath.sqrt(_number(tau) ** 2 - x**2 - y**2)
        flat = _network(Theta, b)
        raised = [(weight, [*row, zero]) for weight, row in flat]

        g = _network([[x, y, spread]])
        cross = mpmath.fsum(_product(g, [neuron], sigma, degree, digits) for neuron in raised)
        squared = _target_square(along, spread, sigma, degree, digits)
        return squared - 2 * cross + _mean_square(flat, sigma, degree, digits)


@lru_cache(maxsize=64)
def _target_square(along: mpf, spread: mpf, sigma: Function, degree: Any, digits: int) -> mpf:
    """E g(x)² of `simplified_by_quadrature`; kept, as many networks meet one target."""
    one, other = ([[along, *row]] for row in ((spread, mpf(0)), (mpf(0), spread)))
    return _product(_network(one), _network(other), sigma, degree, digits)


def _network(rows: Rows, weights: Sequence[Any] | None = None) -> Network:
    """The neurons of a mean over the rows, outer weights 1 unless given."""
    outer = [1] * len(rows) if weights is None else weights
    return [
        (_number(weight) / len(rows), [_number(x) for x in row])
        for weight, row in zip(outer, rows, strict=True)
    ]


def _mean_square(network: Network, sigma: Function, degree: Any, digits: int) -> mpf:
    """E f(x)², as `_product` but with one evaluation of f a point."""
    return _product(network, [], sigma, degree, digits)


def _product(left: Network, right: Network, sigma: Function, degree: Any, digits: int) -> mpf:
    """E f(x) g(x) for two networks, x ~ N(0, I_d), d = 2 or 3; an empty g stands for f."""
    dimension = len(left[0][1])
    if dimension == 3:
        frame = _frame([row for _, row in (*left, *right)], digits)
        left, right = _turned(left, frame, digits), _turned(right, frame, digits)
    normals = [row for _, row in (*left, *right) if any(row)]

    def size(network: Network) -> mpf:
        return mpmath.fsum(abs(weight) * mpmath.norm(row) ** degree for weight, row in network)

    def output(network: Network, x: tuple[mpf, ...]) -> mpf:
        return mpmath.fdot((weight, sigma(mpmath.fdot(row, x))) for weight, row in network)

    def value(*x: mpf) -> mpf:
        f = output(left, x)
        return f * (output(right, x) if right and f else f)

    mean = {2: _circle, 3: _sphere}[dimension]
    floor = size(left) * size(right or left) * mpf(10) ** -digits
    return _radial_moment(dimension, 2 * degree) * mean(value, normals, digits, floor)


def _circle(fun: Callable[..., mpf], normals: list[Row], digits: int, floor: mpf) -> mpf:
    """Mean of fun(cos φ, sin φ), split where (cos φ, sin φ) is orthogonal to a normal."""
    cuts = _whole_turn(mpmath.atan2(x, -y) for x, y in normals)
    total = integral(lambda t: fun(*mpmath.cos_sin(t)), cuts, digits, floor)
    return total / (2 * mpmath.pi)


def _sphere(fun: Callable[..., mpf], normals: list[Row], digits: int, floor: mpf) -> mpf:
    """Mean of fun over the sphere, over latitude at every longitude.

    A great circle that misses the pole meets each meridian once, so the inner integral is split at
    one latitude per normal; the outer one where two circles cross, and at a circle that is upright.
    """
    leaning = [row for row in normals if row[2]]
    crossings = [_cross(u, v) for u, v in combinations(leaning, 2)]
    upright = [mpmath.atan2(x, -y) for x, y, _ in normals if x or y]
    longitudes = _whole_turn([*upright, *(mpmath.atan2(y, x) for x, y, _ in crossings if x or y)])

    def meridian(t: mpf) -> mpf:
        c, s = mpmath.cos_sin(t)
        latitudes = [mpmath.atan(-(x * c + y * s) / z) for x, y, z in leaning]

        def point(h: mpf) -> mpf:
            cos, sin = mpmath.cos_sin(h)
            return cos * fun(cos * c, cos * s, sin)

        return integral(point, split(-mpmath.pi / 2, mpmath.pi / 2, latitudes), digits, floor)

    return integral(meridian, longitudes, digits, floor) / (4 * mpmath.pi)


def _whole_turn(angles: Iterable[mpf]) -> list[mpf]:
    """0, the angles modulo π, π, and the same half a turn on."""
    half = split(0, mpmath.pi, [angle % mpmath.pi for angle in angles])
    return half + [angle + mpmath.pi for angle in half[1:]]


def _frame(rows: list[Row], digits: int) -> list[Row]:
    """An orthonormal frame whose pole lies where the kinks of two neurons cross, if any do."""
    pairs = [(mpmath.norm(_cross(u, v)), u, v) for u, v in combinations(rows, 2)]
    size, u, v = max(pairs, key=lambda pair: pair[0])
    if size <= mpf(10) ** -digits * mpmath.norm(u) * mpmath.norm(v):
        return [[mpf(i == j) for j in range(3)] for i in range(3)]
    pole = [x / size for x in _cross(u, v)]
    first = [x / mpmath.norm(u) for x in u]
    return [first, _cross(pole, first), pole]


def _turned(network: Network, frame: list[Row], digits: int) -> Network:
    """The neurons in the frame, with what rounding left of a zero removed."""
    chop = partial(mpmath.chop, tol=mpf(10) ** -digits)
    return [(weight, [chop(mpmath.fdot(e, row)) for e in frame]) for weight, row in network]


def _cross(u: Row, v: Row) -> Row:
    (a, b, c), (x, y, z) = u, v
    return [b * z - c * y, c * x - a * z, a * y - b * x]


def _radial_moment(dimension: int, degree: Any) -> mpf:
    """E |x|^degree for x ~ N(0, I)."""
    half, power = mpf(dimension) / 2, _number(degree) / 2
    return 2**power * mpmath.gamma(half + power) / mpmath.gamma(half)


# ---- two Gaussians -------------------------------------------------------------------------------


def _covariance(qu: Any, qv: Any, c: Any, digits: int) -> tuple[mpf, mpf, mpf, mpf]:
    """√qu, √qv, c and √(qu qv - c²), the last free of cancellation."""
    with mpmath.workdps(4 * (digits + GUARD)):
        qu, qv, c = _number(qu), _number(qv), _number(c)
        gap = qu * qv - c * c
        if min(qu, qv) < 0 or gap < -qu * qv * mpf(10) ** -digits:
            raise ValueError(f"({qu}, {qv}, {c}) are not two variances and their covariance")
        spread = mpmath.sqrt(max(gap, mpf(0)))
    return mpmath.sqrt(qu), mpmath.sqrt(qv), c, +spread


def _sectors(
    integrand: Callable[[mpf, mpf], mpf], spread: mpf, c: mpf, digits: int, twins: bool
) -> mpf:
    """1/(2π) times the four sectors of `polar`.

    ``twins``: integrand(x, y) = integrand(y, x). Then t -> α - t turns one sector of opposite signs
    into the other, and t -> δ - t each half of a sector of like signs into its other half.
    """
    alpha, delta = mpmath.atan2(spread, c), mpmath.atan2(spread, -c)

    def opposite(t: mpf, sign: int) -> mpf:
        return integrand(sign * mpmath.sin(t), -sign * mpmath.sin(alpha - t))

    def alike(t: mpf, sign: int) -> mpf:
        return integrand(sign * mpmath.sin(delta - t), sign * mpmath.sin(t))

    def part(sector: Callable[[mpf, int], mpf], sign: int, width: mpf) -> mpf:
        return integral(lambda t: sector(t, sign), [mpf(0), width], digits)

    if twins:
        half = part(opposite, 1, alpha) + part(alike, 1, delta / 2) + part(alike, -1, delta / 2)
        return half / mpmath.pi
    total = mpmath.fsum(part(opposite, sign, alpha) + part(alike, sign, delta) for sign in (1, -1))
    return total / (2 * mpmath.pi)
