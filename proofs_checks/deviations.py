"""Claims S3-S5: how far a drawn target moves the loss (theory.md section 3), for ReLU.

What is deterministic is proved and searched; log moment generating functions are quadratures;
tails are simulated, with Clopper-Pearson intervals.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import beta as beta_law
from sympy import Rational, Symbol

import symcomp
from proofs_checks import laws, strategies
from proofs_checks.checks import combine, falsify, identities, signs
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp.kernels import dual_kernel
from symcomp.networks import draw_weights
from symcomp.objectives import TAU, N, mean_field_constant

Array = NDArray[np.float64]

_SOURCE = "theory.md section 3, this project's reconstruction"
# A vanishing norm is the square root of a cancelled sum: eps^(1/2), not eps.
_ROOT_OF_ROUNDING = 1e-6

_D, _O = sympy.symbols("D O", real=True)  # E K(w,w), E K(w,w')


@cache
def _generated() -> ModuleType:
    return symcomp.generate("relu").load()


# ---- S3: uniform over all compressed networks ----------------------------------------------------


@dataclass(frozen=True)
class UniformBound:
    """|√L_N - √F_d| <= factor · ξ, and E ξ² in terms of D, O and N."""

    factor: sympy.Rational
    mean_square: sympy.Expr


def _triangle(bound: UniformBound, _: Settings) -> Finding:
    """p = ḡ - f̂ and q = f_N - ḡ = (C/A) p + r with r orthogonal to p: A = |p|², R = |r|².

    (L + F - ξ²)² <= 4 L F gives L + F - 2 √L √F <= ξ². At f̂ = ḡ, F = 0 and √L = ξ: equality.
    """
    A, R = Symbol("A", positive=True), Symbol("R", nonnegative=True)
    C = Symbol("C", real=True)  # <p, q>
    xi2 = R + C**2 / A
    F, L = A, A + 2 * C + xi2
    gap = 4 * L * F - (L + F - bound.factor**2 * xi2) ** 2
    second = (N * _D + N * (N - 1) * _O) / N**2 - 2 * _O + _O
    return combine(
        identities(
            [
                ("4 L F - (L + F - ξ²)² = 4 |p|² |r|²", gap, 4 * A * R),
                ("reached at f̂ = ḡ", bound.factor**2 * xi2, xi2),
                ("E |f_N|² - 2 E <f_N, ḡ> + |ḡ|²", second, bound.mean_square),
            ]
        ),
        signs([("4 |p|² |r|² >= 0", sympy.expand(4 * A * R), ">=0")]),
    )


@st.composite
def _targets(draw: st.DrawFn) -> dict[str, Array]:
    """A law's support, neurons drawn from it, and a compressed network of both and others."""
    d = draw(st.integers(1, 3))
    support, _ = draw(strategies.networks(d=d, decades=2))
    indices = st.integers(0, len(support) - 1)
    drawn = support[draw(st.lists(indices, min_size=1, max_size=4))]
    free, b = draw(strategies.networks(N=draw(st.integers(1, 3)), d=d, decades=2))
    mix = st.integers(-8, 8).map(lambda k: k / 4)
    shares = np.array([draw(mix), draw(mix), draw(st.sampled_from((0.0, 1e-3, 1.0)))])
    return {"support": support, "drawn": drawn, "free": free, "b": b, "shares": shares}


def _every_network(bound: UniformBound, settings: Settings) -> Finding:
    """f̂ = p ḡ + q f_N + a free network: p + q = 1 with q <= 0 or q >= 1 reaches the bound."""

    def margin(case: dict[str, Array]) -> float:
        support, drawn, free = case["support"], case["drawn"], case["free"]
        rows = np.concatenate([support, drawn, free])
        mean = _weights(rows, 0, np.ones(len(support)))
        target = _weights(rows, len(support), np.ones(len(drawn)))
        rest = _weights(rows, len(support) + len(drawn), case["b"])
        p, q, r = case["shares"]
        compressed = p * mean + q * target + r * rest
        norm = _norms(rows)
        xi = norm(target - mean)
        apart = abs(norm(target - compressed) - norm(mean - compressed))
        scale = norm(np.abs(target) + np.abs(mean) + np.abs(compressed)) or 1.0
        return (float(bound.factor) * xi - apart) / scale

    return falsify(margin, {"case": _targets()}, settings, slack=_ROOT_OF_ROUNDING)


def _weights(rows: Array, start: int, outer: Array) -> Array:
    """Outer weights of a mean network that holds the rows from `start` on."""
    weights = np.zeros(len(rows))
    weights[start : start + len(outer)] = outer / len(outer)
    return weights


def _norms(rows: Array) -> Callable[[Array], float]:
    """c -> |Σ c_i σ(<row_i, x>)|, a square root of c' K c in float64."""
    K = _generated().kernel(rows, rows)
    return lambda c: float(np.sqrt(max(c @ K @ c, 0.0)))


S3 = Claim(
    id="S3",
    title="Uniform over all compressed networks",
    statement=(
        r"\bigl|\sqrt{L_N}-\sqrt{F_d}\bigr|\le\xi=|f_N-\bar g|\ \text{for all }\theta,b,M,"
        r"\text{ with equality at }\hat f=\bar g;\quad\mathbb{E}\xi^2=V/N"
    ),
    source=f"{_SOURCE}, S3",
    subject=lambda: UniformBound(sympy.S.One, (_D - _O) / N),
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: 4 L F - (L + F - ξ²)² as a Gram determinant; E ξ² from the double sum",
            _triangle,
        ),
        Evidence(
            Kind.PROPERTY,
            "Hypothesis: laws of finite support, f̂ free or mixed with ḡ and f_N",
            _every_network,
            covers="the bound",
        ),
    ),
    mutants=(
        Mutant("0.9 ξ", lambda u: replace(u, factor=Rational(9, 10))),
        Mutant("E ξ² = V/(N-1)", lambda u: replace(u, mean_square=u.mean_square * N / (N - 1))),
    ),
    depends_on=("S0", "S2"),
)


# ---- S4: how far the target's weights can move the loss ------------------------------------------

_G, _s = Symbol("G", positive=True), Symbol("s", positive=True)  # |G - G'| and the deviation


@dataclass(frozen=True)
class Lipschitz:
    """The claimed Lipschitz constant, squared, of √L_N and ξ in G, in terms of s and N."""

    square: sympy.Expr


def _averaged(claim: Lipschitz, _: Settings) -> Finding:
    """|√L_N(W) - √L_N(W')|² <= |f_W - f_W'|² (S3's triangle), and with δ_i the i-th difference
    (mean δ)² = mean δ² - mean (δ - mean δ)² <= mean δ² <= (1/N) Σ |w_i - w_i'|²/2 (K5).
    Least values differ by no more than the functions do: inf f <= f(θ) <= h(θ) + sup |f - h|.
    """
    Q, m = sympy.symbols("Q m", real=True)  # mean of δ², mean of δ
    w = Symbol("w", positive=True)
    ker = symcomp.dual_kernel("relu")
    apart = 2 * w - w  # of √L_N, in units of √κ(1)
    return identities(
        [
            ("mean (δ - m)² = mean δ² - m²", Q - 2 * m * m + m**2, Q - m**2),
            ("(1/N) |s(G - G')|²/2", claim.square * _G**2, (_s * _G) ** 2 / (2 * N)),
            (
                "reached at f̂ = 0, all w_i of length w, w_i' = 2 w_i",
                claim.square * N * (w / _s) ** 2,
                ker.correlation.subs(ker.rho, 1) * apart**2,
            ),
        ]
    )


@st.composite
def _moves(draw: st.DrawFn) -> dict[str, Array]:
    """Two targets with the same number of neurons and one compressed network."""
    d, n = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    W, _ = draw(strategies.networks(N=n, d=d, decades=2))
    other, _ = draw(strategies.networks(N=n, d=d, decades=2))
    step = draw(st.sampled_from((1e-3, 0.5, 1.0, 2.0)))
    towards = draw(st.sampled_from(("other", "longer", "shorter")))
    V = {"other": other, "longer": (1 + step) * W, "shorter": W / (1 + step)}[towards]
    Theta, b = draw(strategies.networks(N=draw(st.integers(1, 3)), d=d, decades=2))
    return {"W": W, "V": V, "Theta": Theta, "b": b}


def _any_move(claim: Lipschitz, settings: Settings) -> Finding:
    def margin(case: dict[str, Array]) -> float:
        W, V, n = case["W"], case["V"], len(case["W"])
        rows = np.concatenate([W, V, case["Theta"]])
        first, second = (_weights(rows, k * n, np.ones(n)) for k in (0, 1))
        compressed = _weights(rows, 2 * n, case["b"])
        norm = _norms(rows)
        apart = abs(norm(first - compressed) - norm(second - compressed))
        several = [0 * compressed, compressed / 2, compressed]
        least = [min(norm(f - c) for c in several) for f in (first, second)]
        apart = max(apart, abs(least[0] - least[1]))
        scale = norm(first + second + np.abs(compressed)) or 1.0
        constant = float(sympy.sqrt(claim.square.subs({_s: 1, N: n})))
        return (constant * float(np.linalg.norm(W - V)) - apart) / scale

    return falsify(margin, {"case": _moves()}, settings, slack=_ROOT_OF_ROUNDING)


S4 = Claim(
    id="S4",
    title="The loss is Lipschitz in the target's Gaussian weights (ReLU)",
    statement=(
        r"w_i=\mu+sG_i:\ \sqrt{L_N(\theta)},\text{ its least value over any set of }\theta,"
        r"\text{ and }\xi\text{ are }\tfrac{s}{\sqrt{2N}}"
        r"\text{-Lipschitz in }G\in\mathbb{R}^{N\times d}\text{ for every }\theta,b,M,"
        r"\text{ a constant reached (the deterministic half of the deviation bound)}"
    ),
    source=f"{_SOURCE}, S4 without its Gaussian concentration",
    subject=lambda: Lipschitz(_s**2 / (2 * N)),
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: the mean of N neurons against the bound of K5, symbolic N",
            _averaged,
        ),
        Evidence(Kind.PROPERTY, "Hypothesis: arbitrary moves of the weights", _any_move),
    ),
    mutants=(Mutant("s/√(3N)", lambda c: Lipschitz(c.square * Rational(2, 3))),),
    depends_on=("K5", "S3"),
)

# ---- laws of entries beyond the Gaussian ---------------------------------------------------------

_sigma = Symbol("sigma", positive=True)  # s √d, the root of τ² - |μ|²
SKEWED = laws.TwoValued(Rational(1, 10))
# The width of a bounded entry, and the Lipschitz constant of x -> F^-1(Φ(x)), which makes the
# entry of a Gaussian: √3 (2Φ(x) - 1) for the uniform law, of slope at most 2 √3 φ(0) = √(6/π).
_WIDTHS = {"rademacher": sympy.Integer(2), "skewed": SKEWED.values[0] - SKEWED.values[1]}
_IMAGES = {"gaussian": sympy.S.One, "uniform": sympy.sqrt(6 / sympy.pi)}


def _image_rows() -> Iterator[tuple[str, sympy.Expr, sympy.Expr]]:
    """x -> √3 (2Φ(x) - 1) = √3 erf(x/√2): uniform of variance 1, with slope √(6/π) exp(-x²/2)."""
    x = Symbol("x", real=True)
    image = sympy.sqrt(3) * sympy.erf(x / sympy.sqrt(2))
    slope = _IMAGES["uniform"] * sympy.exp(-(x**2) / 2)
    yield "slope of the map that makes a uniform entry", sympy.diff(image, x), slope
    u = Symbol("u", real=True)
    square = sympy.integrate(u**2, (u, -sympy.sqrt(3), sympy.sqrt(3))) / (2 * sympy.sqrt(3))
    yield "its variance", square, sympy.S.One


# ---- S4t: tails of the loss ----------------------------------------------------------------------


@dataclass(frozen=True)
class Tails:
    """P(X - E X > t) <= exp(-rate t²), and for -X, by law; rates in N, s and σ = s √d."""

    rates: dict[str, sympy.Expr]


def _tails() -> Tails:
    rates = {name: N / (c * _s) ** 2 for name, c in _IMAGES.items()}
    rates |= {name: 4 * N / (c * _sigma) ** 2 for name, c in _WIDTHS.items()}
    return Tails(rates)


def _rates_from_lipschitz(claim: Tails, _: Settings) -> Finding:
    """exp(-t²/(2L²)) for an L-Lipschitz function of Gaussians, L = c s/√(2N) by S4; and McDiarmid's
    exp(-2t²/Σ c_i²), a row moving X by at most c_i = |w_i - w_i'|/(√2 N) <= width σ/(√2 N).
    """
    rows = [
        (f"{name}: 1/(2L²)", claim.rates[name], 1 / (2 * (c * _s) ** 2 / (2 * N)))
        for name, c in _IMAGES.items()
    ]
    rows += [
        (f"{name}: 2/Σ c_i²", claim.rates[name], 2 / (N * (c * _sigma) ** 2 / (2 * N**2)))
        for name, c in _WIDTHS.items()
    ]
    return identities([*rows, *_image_rows()])


@dataclass(frozen=True)
class Setup:
    """Where tails are simulated: law, N, d, β = |μ|/τ and how many targets are drawn, τ = 1."""

    law: str
    N: int
    d: int
    beta: float
    targets: int

    @property
    def s(self) -> float:
        """The deviation of one entry of w."""
        return float(np.sqrt((1 - self.beta) * (1 + self.beta) / self.d))


_SMALL = tuple(Setup(law, 1, 1, 0.98, 40_000) for law in ("gaussian", "rademacher"))
_LOSS_SETUPS = (
    *_SMALL,
    Setup("gaussian", 2, 200, 0.0, 800),
    Setup("gaussian", 20, 20, 0.9, 800),
    Setup("gaussian", 200, 2, 0.0, 300),
    Setup("gaussian", 200, 200, 0.9, 200),
    Setup("uniform", 20, 20, 0.9, 800),
    Setup("rademacher", 20, 20, 0.9, 800),
)


@cache
def _losses(setup: Setup, seed: int) -> dict[str, Array]:
    """√L_N for f̂ = 0 and for a network, √ of the least L_N of 20 networks, and ξ at μ = 0."""
    count, d = setup.N, setup.d
    rows = draw_weights(setup.targets * count, d, setup.law, beta=setup.beta, seed=seed)
    module = _generated()
    if count == 1:  # K(w, w) = |w|²/2
        return {"f̂ = 0": np.linalg.norm(rows, axis=1) / np.sqrt(2)}
    own = np.array([module.kernel(w, w).mean() for w in rows.reshape(-1, count, d)])
    Theta = draw_weights(20, d, seed=seed + 1)
    cross = module.kernel(rows, Theta).reshape(-1, count, 20).mean(axis=1)
    single = own[:, None] - 2 * cross + np.diag(module.kernel(Theta, Theta))
    three = own - 2 * cross[:, :3].mean(axis=1) + module.kernel(Theta[:3], Theta[:3]).mean()
    squares = {"f̂ = 0": own, "three neurons": three, "least of 20": single.min(axis=1)}
    if setup.beta == 0 and setup.law == "gaussian":
        c0 = float(mean_field_constant(dual_kernel("relu"), sympy.Integer(d)).subs(TAU, 1))
        lengths = np.linalg.norm(rows, axis=1).reshape(-1, count).mean(axis=1)
        squares["ξ"] = own - 2 * c0 * lengths + 1 / (2 * np.pi)
    return {name: np.sqrt(np.maximum(square, 0)) for name, square in squares.items()}


def _loss_tails(claim: Tails, settings: Settings) -> Finding:
    def rows() -> Iterator[_Tail]:
        for setup in _LOSS_SETUPS:
            at = {N: setup.N, _s: setup.s, _sigma: setup.s * setup.d**0.5}
            rate = float(claim.rates[setup.law].subs(at))
            for name, sample in _losses(setup, settings.seed).items():
                label = f"{setup.law}, N = {setup.N}, d = {setup.d}, β = {setup.beta}, {name}"
                # Thresholds where the bound of S4 itself is 0.3 and 0.02.
                true = float(_tails().rates[setup.law].subs(at))
                for p in (0.3, 0.02):
                    t = float(np.sqrt(-np.log(p) / true))
                    yield from _both_sides(label, sample, t, float(np.exp(-rate * t * t)))

    return _clopper_pearson(rows())


@dataclass(frozen=True)
class _Tail:
    """How many of so many values are certainly, and possibly, beyond t, and the claimed bound."""

    label: str
    surely: int
    perhaps: int
    count: int
    bound: float


def _both_sides(label: str, sample: Array, t: float, bound: float) -> Iterator[_Tail]:
    """The mean is known to four of its standard errors; counts allow for that."""
    error = 4 * sample.std() / np.sqrt(len(sample))
    for side, values in (("above", sample - sample.mean()), ("below", sample.mean() - sample)):
        surely, perhaps = (int((values > t + sign * error).sum()) for sign in (1, -1))
        yield _Tail(f"{label}, {side} {t:.3g}", surely, perhaps, len(sample), bound)


_LEVEL = 0.999


def _clopper_pearson(rows: Iterable[_Tail]) -> Finding:
    """Each frequency's interval, all of them together at _LEVEL, against the claimed bound.

    A bound below an interval is refuted; it is decided where the interval lies below the bound.
    """
    tails = list(rows)
    alpha = (1 - _LEVEL) / len(tails)
    bad = [t for t in tails if _lower(t, alpha) > t.bound]
    below = [t for t in tails if _upper(t, alpha) <= t.bound]
    listed = "; ".join(
        f"{t.label}: {t.surely} of {t.count}, at least {_lower(t, alpha):.3g}, bound {t.bound:.3g}"
        for t in bad[:3]
    )
    targets = sum({t.label.rsplit(",", 1)[0]: t.count for t in tails}.values())
    closest = max(_upper(t, alpha) / t.bound for t in below) if below else float("inf")
    figure = (
        f"{len(below)} of {len(tails)} tail probabilities certainly below their bounds, the "
        f"closest at {closest:.2g} of it, {len(bad)} above; {targets} values drawn; "
        f"Clopper-Pearson, {_LEVEL:.1%} together"
    )
    outcome = Outcome.FAILS if bad else Outcome.HOLDS if below else Outcome.UNDECIDED
    return Finding(outcome, figure, len(tails), len(tails), len(below) + len(bad), listed)


def _lower(tail: _Tail, alpha: float) -> float:
    if not tail.surely:
        return 0.0
    return float(beta_law.ppf(alpha / 2, tail.surely, tail.count - tail.surely + 1))


def _upper(tail: _Tail, alpha: float) -> float:
    if tail.perhaps == tail.count:
        return 1.0
    return float(beta_law.ppf(1 - alpha / 2, tail.perhaps + 1, tail.count - tail.perhaps))


def _faster(factor: int) -> Callable[[Tails], Tails]:
    return lambda c: Tails({name: factor * rate for name, rate in c.rates.items()})


S4T = Claim(
    id="S4t",
    title="Tails of the loss over targets (ReLU)",
    statement=(
        r"X\in\{\sqrt{L_N(\theta)},\ \sqrt{\min_\theta L_N},\ \xi\},\ w=\mu+sz:\ "
        r"P(\pm(X-\mathbb{E}X)>t)\le e^{-Nt^2/s^2}\text{ for Gaussian entries, }"
        r"e^{-\pi Nt^2/(6s^2)}\text{ for uniform ones},\ e^{-4Nt^2/(\Delta^2\sigma^2)}"
        r"\text{ for entries in an interval of length }\Delta,\ \sigma^2=s^2d"
    ),
    source=f"{_SOURCE}, S4; the analogues for other entries are this project's",
    subject=_tails,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: rates from S4's Lipschitz constant and from McDiarmid's differences",
            _rates_from_lipschitz,
            covers="the rates, given Gaussian concentration and McDiarmid's inequality",
        ),
        Evidence(
            Kind.STATISTICS,
            "simulated tails, both sides, N and d from 1 to 200",
            _loss_tails,
            covers="8 laws with N, d and β",
        ),
    ),
    mutants=(
        Mutant("twice the rates", _faster(2)),
        Mutant("four times the rates", _faster(4)),
        Mutant(
            "s² in place of σ² for bounded entries, half of it",
            lambda c: Tails(c.rates | {"rademacher": 2 * N / _s**2}),
        ),
    ),
    depends_on=("S4",),
)


# ---- S5: one direction ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Proxies:
    """log E exp(λ(K(w,u) - E K(w,u))) <= proxy λ² s² for |u| = 1, by law of the entries."""

    values: dict[str, sympy.Expr]


def _gaussian_proxy() -> Proxies:
    return Proxies({"gaussian": Rational(1, 8)})


def _other_proxies() -> Proxies:
    values = {name: width**2 / 8 for name, width in _WIDTHS.items()}
    return Proxies({"uniform": _IMAGES["uniform"] ** 2 / 8, **values})


def _proxy_rows(claim: Proxies, _: Settings) -> Finding:
    """f(z) = K(μ + sz, u) is s/2-Lipschitz and convex (K5). Gaussian entries: λ² (c s/2)²/2 by
    Herbst, c = 1, or the Lipschitz constant of the map that makes the entry. Entries in an interval
    of length Δ: f(z) - f(y) <= Σ |∂_i f(z)| Δ 1(z_i ≠ y_i), so λ² Δ² (s/2)²/2 by transport.
    And the tail of a mean of N: min over λ of exp(N(proxy λ² s² - λt)).
    """
    lam, t, v = sympy.symbols("lambda t v", positive=True)
    rows = list(_image_rows())
    for name, value in claim.values.items():
        size = _IMAGES[name] if name in _IMAGES else _WIDTHS[name]
        rows.append((f"{name}: proxy", value * _s**2 * lam**2, lam**2 * (size * _s / 2) ** 2 / 2))
    exponent = v * lam**2 * _s**2 - lam * t
    (best,) = sympy.solve(sympy.diff(exponent, lam), lam)
    rows.append(("exponent at its minimum", exponent.subs(lam, best), -(t**2) / (4 * v * _s**2)))
    return identities(rows)


_LAMBDAS = st.sampled_from((-3.0, -0.3, 1e-2, 0.3, 1.0, 3.0)) | st.builds(
    lambda size, sign: sign * size, st.floats(1e-2, 8), st.sampled_from((1.0, -1.0))
)
_RATIOS = st.sampled_from((0.0, 0.5, 20.0)) | st.floats(0, 30)  # |μ|/s


def _log_mean(values: Array, weights: Array, lam: float) -> float:
    """log E exp(λ(X - E X)) = log1p E (exp(y) - 1 - y), y = λ(X - E X): exact for small λ too."""
    y = lam * (values - weights @ values)
    return float(np.log1p(weights @ (np.expm1(y) - y)))


def _gaussian_quadrature(claim: Proxies, settings: Settings) -> Finding:
    """s = 1, u = ±v or μ = 0: <w,u> is Gaussian and the rest of |w|² a χ², by Gauss-Legendre."""
    proxy = float(claim.values["gaussian"])
    kernel = _relu_kernel()

    def margin(lam: float, ratio: float, d: int, sign: int) -> float:
        x, p = _normal_rule()
        r, q = _chi_rule(d - 1)
        along = (sign * ratio + x)[:, None]
        values = kernel(along**2 + r[None, :] ** 2, along + 0 * r[None, :])
        found = _log_mean(values.ravel(), np.outer(p, q).ravel(), lam)
        return proxy - found / lam**2

    arguments = {
        "lam": _LAMBDAS,
        "ratio": _RATIOS,
        "d": st.integers(2, 6) | st.sampled_from((20, 100)),
        "sign": st.sampled_from((1, -1)),
    }
    return falsify(margin, arguments, settings, slack=1e-7)


@cache
def _relu_kernel() -> laws.Kernel:
    return laws.kernel_of(dual_kernel("relu"))


@cache
def _normal_rule() -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(120)
    x, w = 10 * x, w * np.exp(-50 * x**2)
    return x, w / w.sum()


@cache
def _chi_rule(freedom: int) -> tuple[Array, Array]:
    """Of the norm of so many standard Gaussians."""
    low, high = max(0.0, freedom**0.5 - 8), freedom**0.5 + 8
    x, w = np.polynomial.legendre.leggauss(80)
    r = low + (x + 1) * (high - low) / 2
    logs = (freedom - 1) * np.log(r) - r**2 / 2
    weights = w * np.exp(logs - logs.max())
    return r, weights / weights.sum()


def _other_quadrature(claim: Proxies, settings: Settings) -> Finding:
    """Two-valued entries by a finite sum over both halves of the entries, uniform ones by rules."""
    kernel = _relu_kernel()
    two = {"rademacher": laws.TwoValued(Rational(1, 2)), "skewed": SKEWED}

    def margin(name: str, lam: float, ratio: float, half: int, t: float) -> float:
        d = 2 * half if name in two else 2 * half + 16
        beta = ratio / np.sqrt(ratio**2 + d)  # at τ = 1 with |μ| = ratio s
        s = np.sqrt((1 - beta) * (1 + beta) / d)
        rule = (
            laws.two_valued_rule(two[name], d, beta, t)
            if name in two
            else laws.plane_rule(name, d, beta, t)
        )
        found = _log_mean(kernel(rule.square, rule.along), rule.weights, lam / s)
        return float(claim.values[name]) - found / lam**2

    arguments = {
        "name": st.sampled_from(tuple(claim.values)),
        "lam": _LAMBDAS,
        "ratio": _RATIOS,
        "half": st.integers(1, 4) | st.sampled_from((20,)),
        "t": st.sampled_from((1.0, 0.0, -1.0)) | st.floats(-1, 1),
    }
    return falsify(margin, arguments, settings, slack=1e-7)


_DIRECTION_SETUPS = {
    law: (
        Setup(law, 2, 200, 0.0, 2000),
        Setup(law, 20, 20, 0.9, 2000),
        Setup(law, 200, 2, 0.5, 2000),
    )
    for law in ("gaussian", "rademacher", "uniform")
}


def _direction_tails(claim: Proxies, settings: Settings) -> Finding:
    """C_N(e_1) over drawn targets, two-sided, against 2 exp(-N t²/(4 proxy s²))."""

    def rows() -> Iterator[_Tail]:
        for law, value in claim.values.items():
            for setup in _DIRECTION_SETUPS.get(law, ()):
                sample = _directions(setup, settings.seed)
                rate = setup.N / (4 * float(value) * setup.s**2)
                label = f"{law}, N = {setup.N}, d = {setup.d}, β = {setup.beta}"
                # Thresholds at fractions of the one where the Gaussian bound is 0.02.
                full = np.sqrt(np.log(100) * setup.s**2 / (2 * setup.N))
                for t in (0.7 * full, full):
                    sides = tuple(_both_sides(label, sample, float(t), 0.0))
                    surely, perhaps = (
                        sum(getattr(side, part) for side in sides) for part in ("surely", "perhaps")
                    )
                    bound = min(1.0, float(2 * np.exp(-rate * t * t)))
                    yield _Tail(f"{label}, {t:.3g}", surely, perhaps, len(sample), bound)

    return _clopper_pearson(rows())


@cache
def _directions(setup: Setup, seed: int) -> Array:
    """C_N(e_1) = (1/N) Σ K(w_i, e_1) of each target."""
    rows = draw_weights(setup.targets * setup.N, setup.d, setup.law, beta=setup.beta, seed=seed)
    first = np.eye(1, setup.d)
    means: Array = _generated().kernel(rows, first).reshape(-1, setup.N).mean(axis=1)
    return means


def _times(factor: sympy.Expr) -> Callable[[Proxies], Proxies]:
    return lambda c: Proxies({name: factor * value for name, value in c.values.items()})


S5 = Claim(
    id="S5",
    title="Deviations in one direction (ReLU, Gaussian targets)",
    statement=(
        r"|u|=1,\ w=\mu+sG:\ \log\mathbb{E}e^{\lambda(K(w,u)-\mathbb{E}K(w,u))}"
        r"\le\tfrac{\lambda^2s^2}8,\quad C_N(u)=\tfrac1N\sum_iK(w_i,u):\ "
        r"P(|C_N(u)-\mathbb{E}C_N(u)|>t)\le2e^{-2Nt^2/s^2};\ \tfrac18\text{ is sharp}"
    ),
    source=f"{_SOURCE}, S5",
    subject=_gaussian_proxy,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: the constants from K5's Lipschitz constant, the exponent minimised",
            _proxy_rows,
            covers="the constants, given Herbst's argument",
        ),
        Evidence(
            Kind.PROPERTY,
            "Hypothesis: λ, |μ|/s and d, the mean over w by quadrature",
            _gaussian_quadrature,
            covers="u along the mean, or no mean",
        ),
        Evidence(
            Kind.STATISTICS,
            "simulated tails, N and d from 2 to 200",
            _direction_tails,
            covers="3 laws with N, d and β",
        ),
    ),
    mutants=(
        Mutant("λ² s²/9", _times(Rational(8, 9))),
        Mutant("λ² s²/80", _times(Rational(1, 10))),
    ),
    depends_on=("K5",),
)

S5B = Claim(
    id="S5b",
    title="Deviations in one direction for bounded and uniform entries (ReLU)",
    statement=(
        r"w=\mu+sz,\ z_i\in\text{an interval of length }\Delta:\ "
        r"\log\mathbb{E}e^{\lambda(K(w,u)-\mathbb{E}K(w,u))}\le\tfrac{\Delta^2\lambda^2s^2}8"
        r"\ (K(\cdot,u)\text{ is convex});\quad z_i\text{ uniform}:\ "
        r"\le\tfrac6\pi\cdot\tfrac{\lambda^2s^2}8"
    ),
    source=f"{_SOURCE}, S5; the analogues for other entries are this project's",
    subject=_other_proxies,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: the constants from K5's Lipschitz constant, width and Lipschitz map",
            _proxy_rows,
            covers="the constants, given Herbst's argument and the transport inequality",
        ),
        Evidence(
            Kind.PROPERTY,
            "Hypothesis: λ, |μ|/s, d and the direction, the mean over w by finite sums and rules",
            _other_quadrature,
            covers="Rademacher, uniform, and the values 3 and -1/3",
        ),
        Evidence(
            Kind.STATISTICS,
            "simulated tails, N and d from 2 to 200",
            _direction_tails,
            covers="Rademacher and uniform entries, 3 pairs of N and d each",
        ),
    ),
    mutants=(
        Mutant(
            "the Gaussian constant for every law",
            lambda c: Proxies(dict.fromkeys(c.values, Rational(1, 8))),
        ),
        Mutant("a tenth of the constants", _times(Rational(1, 10))),
    ),
    depends_on=("K5",),
)

CLAIMS: tuple[Claim[Any], ...] = (S3, S4, S4T, S5, S5B)
