"""Claims K1c-K4c: what K1-K4 say of every activation of the catalogue, and K1d, K1m (theory.md 2).

The oracles integrate the hand-written σ of `proofs_checks.reference`. At interior points a second
route, `symcomp.quadrature`, is rigorous and uses no closed form, but reads σ from the catalogue.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial
from itertools import combinations_with_replacement, pairwise
from typing import Any

import flint
import mpmath
import numpy as np
import sympy
from flint import arb, fmpq
from hypothesis import strategies as st
from mpmath import mpf

import symcomp
from proofs_checks import oracles
from proofs_checks.checks import agreement, falsify
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from proofs_checks.reference import REFERENCE
from symcomp.antiderivatives import C
from symcomp.balls import ball, exact, to_mpf
from symcomp.errors import DivergenceError
from symcomp.expectations import QU, QV, expectation
from symcomp.kernels import DualKernel
from symcomp.quadrature import expectation2

Value = Callable[[DualKernel, Any, Any, Any, int], arb]

# q_u, q_v, c: at |ρ| = 1 and c = 0 one-dimensional integrals are left.
ENDS = ((1, 4, 2), (1, 4, -2), (1, 4, 0))
INSIDE = ((1, 1, "1/2"), ("13/10", 2, "-4/5"))
_HALF = (1, 1, "-1/2")


@dataclass(frozen=True)
class Kernels:
    """Kernels of the catalogue and the way their values K(q_u, q_v, c) are had."""

    kernels: tuple[DualKernel, ...]
    value: Value


def _enclosure(ker: DualKernel, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    return ker.enclosure(qu, qv, c, digits)


@cache
def kernel(name: str) -> DualKernel:
    """Derived once a process: the whole catalogue takes seconds."""
    return symcomp.dual_kernel(name)


def everything() -> Kernels:
    """Every activation at its default parameters."""
    return Kernels(tuple(map(kernel, symcomp.activations())), _enclosure)


def _with_value(name: str, value: Value, *, of: str = "relu") -> Mutant[Kernels]:
    """A false value for one activation; the others, which stay true, need not run again."""

    def change(k: Kernels) -> Kernels:
        return Kernels(tuple(ker for ker in k.kernels if ker.left.name == of), value)

    return Mutant(name, change)


# ---- K1c: values ---------------------------------------------------------------------------------


def _at_the_ends(k: Kernels, settings: Settings) -> Finding:
    digits = settings.digits

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for ker in k.kernels:
            for qu, qv, c in ENDS:
                wanted = _end(ker.left.name, qu, qv, c, digits)
                got = _number(k.value(ker, qu, qv, c, digits + 5))
                yield f"{ker.left.name} at {qu}, {qv}, {c}", got, wanted

    with mpmath.workdps(digits + 20):
        return agreement(rows(), digits)


def _number(value: arb) -> mpf:
    """The midpoint; NaN, which fails every comparison, of a ball that is not finite."""
    return to_mpf(value) if value.is_finite() else mpf("nan")


@cache
def _end(name: str, qu: int, qv: int, c: int, digits: int) -> mpf:
    """E σ(X) σ(Y) of the hand-written σ where one-dimensional integrals are left; kept."""
    ref = REFERENCE[name]
    with mpmath.workdps(digits + 20):
        if c:
            kinks = ref.kinks
            return oracles.expectation(ref.sigma, ref.sigma, qu, qv, c, kinks, kinks, digits)
        return mpmath.fprod(oracles.expectation1(ref.sigma, q, ref.kinks, digits) for q in (qu, qv))


@cache
def quadrature(expr: sympy.Expr, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    """E σ(X) σ(Y) by rigorous quadrature, no closed form; kept."""
    u, v, cov = (exact(x) for x in (qu, qv, c))
    return expectation2(expr, expr, u, v, cov, digits)


def _inside(k: Kernels, settings: Settings) -> Finding:
    digits = settings.digits

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for ker in k.kernels:
            # Without a closed form the values are this very quadrature; selu's slopes at its kink
            # have 17 digits, which it refuses.
            if ker.expr is None or ker.left.name == "selu":
                continue
            for qu, qv, c in INSIDE:
                wanted = quadrature(ker.left.expr, qu, qv, c, digits + 5)
                got = k.value(ker, qu, qv, c, digits + 5)
                yield f"{ker.left.name} at {qu}, {qv}, {c}", _number(got), to_mpf(wanted)

    with mpmath.workdps(digits + 20):
        return agreement(rows(), digits)


@cache
def _plane(name: str, digits: int, *point: Any) -> mpf:
    """E σ(X) σ(Y) of the hand-written σ over the plane; kept."""
    ref = REFERENCE[name]
    qu, qv, c = (mpf(x.numerator) / x.denominator for x in map(Fraction, point))
    return oracles.expectation(ref.sigma, ref.sigma, qu, qv, c, ref.kinks, ref.kinks, digits)


def _inside_by_hand(k: Kernels, settings: Settings) -> Finding:
    """The plane's integral of the hand-written σ: at 15 digits, to stay quick."""
    digits = min(settings.digits, 15)

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for ker in k.kernels:
            if any(REFERENCE[ker.left.name].kinks):
                continue  # nested quadrature: seconds a point
            got = k.value(ker, 1, 1, Fraction(-1, 2), digits + 5)
            yield f"{ker.left.name} at -1/2", _number(got), _plane(ker.left.name, digits, *_HALF)

    with mpmath.workdps(digits + 20):
        return agreement(rows(), digits)


def _selu_by_hand(k: Kernels, settings: Settings) -> Finding:
    """The same for selu, which the rigorous quadrature refuses, at 20 digits."""
    digits = min(settings.digits, 20)

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for ker in k.kernels:
            for point in INSIDE[1:] if ker.left.name == "selu" else ():
                got = k.value(ker, *point, digits + 5)
                yield f"selu at {point}", _number(got), _plane("selu", digits, *point)

    with mpmath.workdps(digits + 20):
        return agreement(rows(), digits)


def _minus_one_as_one(ker: DualKernel, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    u, v, cov = (exact(x) for x in (qu, qv, c))
    return ker.enclosure(u, v, abs(cov) if cov * cov == u * v else cov, digits)


def _mirrored(ker: DualKernel, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    return ker.enclosure(qu, qv, -exact(c), digits)


def _half_a_percent_off(ker: DualKernel, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    return ker.enclosure(qu, qv, c, digits) * arb(201) / 200


K1C = Claim(
    id="K1c",
    title="The kernel of every activation of the catalogue is its defining integral",
    statement=(
        r"K(q_u,q_v,c)=\mathbb{E}\,\sigma(X)\sigma(Y),\ K(q_u,q_v,0)=\mathbb{E}\sigma(X)\,"
        r"\mathbb{E}\sigma(Y)\quad\text{for every }\sigma\text{ of the catalogue}"
    ),
    source="theory.md K1",
    subject=everything,
    evidence=(
        Evidence(
            Kind.PRECISION,
            "mpmath: c = 0 and |ρ| = 1 against integrals of the hand-written σ",
            _at_the_ends,
            covers="3 points each",
        ),
        Evidence(
            Kind.PRECISION,
            "closed form against rigorous quadrature without it (same σ)",
            _inside,
            covers="2 interior points each",
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: ρ = -1/2 against the plane's integral of the hand-written σ",
            _inside_by_hand,
            covers="15 digits; σ smooth but at 0",
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: selu against the plane's integral of the hand-written σ",
            _selu_by_hand,
            covers="20 digits; selu at an interior point",
        ),
    ),
    mutants=(
        # a public closed form does this
        _with_value("a pair at ρ = -1 valued as at +1", _minus_one_as_one),
        _with_value("ρ → -ρ", _mirrored),
        _with_value("mish half a percent too large", _half_a_percent_off, of="mish"),
    ),
    depends_on=("K1",),
)


# ---- K1d: divergence -----------------------------------------------------------------------------

_A = sympy.Rational(1, 8)


@dataclass(frozen=True)
class Growth:
    """E exp(X²/8) exp(Y²/8) at q_u = q_v = c = q: the value claimed, ∞ where it diverges."""

    value: Callable[[Fraction], mpf]


def _derived_growth(q: Fraction) -> mpf:
    ker = symcomp.dual_kernel(sympy.exp(_A * sympy.Symbol("x") ** 2))
    try:
        return ker.evaluate(q, q, q, 40)
    except DivergenceError:
        return mpf("inf")


def _finite_beyond(q: Fraction) -> mpf:
    return 1 / mpmath.sqrt(abs(1 - mpf(q.numerator) / q.denominator / 2))


def _grows(g: Growth, _: Settings) -> Finding:
    """The integral over [-L, L], L = 20: its value where finite, beyond 10^6 where it diverges.

    The integrand is exp(q z²/4) against exp(-z²/2), so q >= 2 diverges.
    """

    def truncated(q: Fraction) -> mpf:
        slope = (mpf(q.numerator) / q.denominator / 2 - 1) / 2
        cuts = list(range(-20, 21))
        return mpmath.quad(lambda z: mpmath.exp(slope * z * z), cuts) / mpmath.sqrt(2 * mpmath.pi)

    rows = []
    with mpmath.workdps(30):
        for q in (Fraction(1, 2), Fraction(1), Fraction(3), Fraction(5)):
            part, claimed = truncated(q), g.value(q)
            wanted = part if q < 2 else mpf("inf")
            error = "" if _same(claimed, wanted) else f"q = {q}: {claimed}, [-20,20] has {part}"
            rows.append(error)
    bad = [row for row in rows if row]
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    figure = f"{len(rows)} variances, 2 of them beyond convergence"
    return Finding(outcome, figure, len(rows), len(rows), len(rows), "; ".join(bad))


def _same(a: mpf, b: mpf) -> bool:
    return bool(a == b or abs(a - b) < mpf(10) ** -20)


K1D = Claim(
    id="K1d",
    title="A Gaussian expectation that diverges has no value",
    statement=(
        r"\mathbb{E}\,e^{X^2/8}e^{X^2/8}=(1-q/2)^{-1/2}\text{ for }q<2,\quad"
        r"=\infty\text{ for }q\ge2"
    ),
    source="theory.md K1, the case the ladder must refuse",
    subject=lambda: Growth(_derived_growth),
    evidence=(Evidence(Kind.PRECISION, "mpmath: integrals over [-20, 20]", _grows),),
    mutants=(
        # a public tool returns this number
        Mutant("a finite value beyond q = 2", lambda g: replace(g, value=_finite_beyond)),
    ),
)


# ---- K1m: the mean of a maximum ------------------------------------------------------------------


def _mean_of_maximum() -> sympy.Expr:
    """E max(X, Y) = E relu(X - Y), as E Y = 0."""
    form = symcomp.activation("relu").form
    assert form is not None
    return expectation(form, QU + QV - 2 * C)


def _maximum_by_angle(expr: sympy.Expr, settings: Settings) -> Finding:
    """E |z| times the mean over the circle of max(√q_u cos φ, √q_v cos(φ - α)), cos α = ρ."""
    digits = settings.digits

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for qu, qv, c in ((1, 1, "-1/2"), (1, 1, "1/2"), (1, 4, -1), ("13/10", 2, "4/5")):
            at = {QU: sympy.Rational(qu), QV: sympy.Rational(qv), C: sympy.Rational(c)}
            u, v, cov = (mpf(n.p) / n.q for n in at.values())
            alpha = mpmath.acos(cov / mpmath.sqrt(u * v))
            x, y = mpmath.sqrt(u), mpmath.sqrt(v)

            def larger(t: mpf, x: mpf = x, y: mpf = y, alpha: mpf = alpha) -> mpf:
                return max(x * mpmath.cos(t), y * mpmath.cos(t - alpha))

            kink = mpmath.atan2(x - y * mpmath.cos(alpha), y * mpmath.sin(alpha))
            cuts = [kink, kink + mpmath.pi, kink + 2 * mpmath.pi]
            mean = mpmath.quad(larger, cuts) / (2 * mpmath.pi) * mpmath.sqrt(mpmath.pi / 2)
            yield f"at {qu}, {qv}, {c}", mpf(sympy.N(expr.subs(at), digits + 10)), mean

    with mpmath.workdps(digits + 20):
        return agreement(rows(), digits)


def _wrong_maximum(expr: sympy.Expr) -> sympy.Expr:
    q = QU + QV - 2 * C
    return sympy.Piecewise((expr - q / (2 * sympy.sqrt(2 * sympy.pi)), C < 0), (expr, True))


K1M = Claim(
    id="K1m",
    title="The mean of the larger of two Gaussians",
    statement=r"\mathbb{E}\max(X,Y)=\sqrt{(q_u+q_v-2c)/(2\pi)};\ 0.691\text{ at }\rho=-\tfrac12",
    source="Clark 1961; from E relu(X - Y)",
    subject=_mean_of_maximum,
    evidence=(Evidence(Kind.PRECISION, "mpmath: the integral over the angle", _maximum_by_angle),),
    mutants=(
        # a computer algebra system gives 0.093 at ρ = -1/2
        Mutant("0.093 at ρ = -1/2, and so for every c < 0", _wrong_maximum),
        Mutant("plus 2c", lambda e: e.subs(C, -C)),
    ),
)


# ---- K1f: in floating point ----------------------------------------------------------------------

FloatKernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _lambdified(U: np.ndarray, V: np.ndarray) -> np.ndarray:
    ker = symcomp.dual_kernel("relu")
    kappa = sympy.lambdify(ker.rho, ker.correlation, "numpy")
    sizes = np.outer(np.linalg.norm(U, axis=1), np.linalg.norm(V, axis=1))
    with np.errstate(invalid="ignore"):
        return np.asarray(sizes * kappa(U @ V.T / sizes))


def _generated() -> FloatKernel:
    kernel: FloatKernel = symcomp.generate("relu").load().kernel
    return kernel


def _parallel(kernel: FloatKernel, settings: Settings) -> Finding:
    """K(u, ku) = k |u|²/2: rounding puts the cosine of u and ku above 1 as often as below."""

    def margin(seed: int, k: float) -> float:
        u = np.random.default_rng(seed).standard_normal((1, 5))
        exact_value = k * float(np.sum(u * u)) / 2
        return 1e-14 - abs(float(kernel(u, k * u)[0, 0]) / exact_value - 1)

    domain = {"seed": st.integers(0, 9999), "k": st.floats(0.1, 10)}
    return falsify(margin, domain, settings)


K1F: Claim[FloatKernel] = Claim(
    id="K1f",
    title="The generated ReLU kernel of parallel vectors is right in float64",
    statement=r"K(u,ku)=\tfrac k2|u|^2\text{ to }10^{-14},\ k>0,\text{ in floating point}",
    source="theory.md K1 at ρ = 1",
    subject=_generated,
    evidence=(Evidence(Kind.PROPERTY, "Hypothesis: parallel vectors", _parallel),),
    mutants=(Mutant("the lambdified κ: NaN one ulp above 1", lambda _: _lambdified),),
    depends_on=("K1",),
)


# ---- K2c: Hermite series -------------------------------------------------------------------------

_TERMS = 12


@dataclass(frozen=True)
class AllSeries:
    """The kernels, their μ_k as claimed, and the bound (tail, n, |ρ|) of the remainder."""

    kernels: tuple[DualKernel, ...]
    mu: Callable[[DualKernel], list[arb]]
    remainder: Callable[[arb, int, arb], arb]


def _mu(ker: DualKernel) -> list[arb]:
    values = ker.hermite(_TERMS, 50)
    return [v if isinstance(v, arb) else exact_ball(v) for v in values]


def exact_ball(expr: sympy.Expr) -> arb:
    """The ball of a constant expression."""
    return ball(expr, {})


def _series_in_balls(s: AllSeries, _: Settings) -> Finding:
    """No ball of |κ - partial sum| lies above the ball of the bound."""
    bad, count = [], 0
    with flint.ctx.workprec(300):
        for ker in s.kernels:
            mu = s.mu(ker)
            tail = ker.enclosure(1, 1, 1, 40) - sum((m * m for m in mu), arb(0))
            for c in ("-9/10", "-1/2", "1/3", "9/10"):
                rho = arb(exact(c))
                partial_sum = sum((m * m * rho**k for k, m in enumerate(mu)), arb(0))
                rest = abs(ker.enclosure(1, 1, c, 40) - partial_sum)
                count += 1
                if rest > s.remainder(tail, len(mu), abs(rho)) + arb("1e-30"):
                    bad.append(f"{ker.left.name} at {c}")
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    return Finding(outcome, f"{count} points in balls", count, count, count, "; ".join(bad[:5]))


def _mu_by_hand(s: AllSeries, settings: Settings) -> Finding:
    digits = min(settings.digits, 20)

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for ker in s.kernels:
            ref = REFERENCE[ker.left.name]
            for k, mu in list(enumerate(s.mu(ker)))[:4]:
                product = partial(_times_hermite, ref.sigma, k)
                mean = oracles.expectation1(product, 1, ref.kinks, digits)
                yield f"{ker.left.name}: μ_{k}", to_mpf(mu), mean / mpmath.sqrt(mpmath.factorial(k))

    with mpmath.workdps(digits + 20), flint.ctx.workprec(300):
        return agreement(rows(), digits)


def _times_hermite(f: Callable[[mpf], mpf], k: int, z: mpf) -> mpf:
    return f(z) * (mpf(1), z, z * z - 1, z**3 - 3 * z)[k]


def _relu_alone(s: AllSeries) -> AllSeries:
    return replace(s, kernels=tuple(ker for ker in s.kernels if ker.left.name == "relu"))


def _unnormalised(ker: DualKernel) -> list[arb]:
    return [m * arb(sympy.factorial(k).p).sqrt() for k, m in enumerate(_mu(ker))]


K2C = Claim(
    id="K2c",
    title="Hermite series and its remainder, every activation",
    statement=(
        r"\Bigl|\kappa(\rho)-\sum_{k<n}\mu_k^2\rho^k\Bigr|\le"
        r"\Bigl(\mathbb{E}\sigma^2-\sum_{k<n}\mu_k^2\Bigr)|\rho|^n\quad"
        r"\text{for every }\sigma\text{ of the catalogue}"
    ),
    source="Mehler's formula; theory.md K2",
    subject=lambda: AllSeries(everything().kernels, _mu, lambda tail, n, r: tail * r**n),
    evidence=(
        Evidence(
            Kind.PRECISION,
            f"balls: the remainder after {_TERMS} terms within its bound",
            _series_in_balls,
            covers="4 points each",
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: μ_k against integrals of the hand-written σ",
            _mu_by_hand,
            covers="k < 4, 20 digits",
        ),
    ),
    mutants=(
        Mutant("no 1/sqrt(k!)", lambda s: replace(_relu_alone(s), mu=_unnormalised)),
        Mutant(
            "remainder |ρ|^(n+4)",
            lambda s: replace(_relu_alone(s), remainder=lambda tail, n, r: tail * r ** (n + 4)),
        ),
    ),
    depends_on=("K1c",),
)


# ---- K3c and K4c: shape and positive definiteness ------------------------------------------------


@dataclass(frozen=True)
class AllShapes:
    """Names of the activations claimed to have a convex, and a nondecreasing, κ."""

    convex: tuple[str, ...]
    nondecreasing: tuple[str, ...]


def _decided_shapes() -> AllShapes:
    acts = [symcomp.activation(name) for name in symcomp.activations()]
    return AllShapes(
        tuple(a.name for a in acts if a.convex), tuple(a.name for a in acts if a.nondecreasing)
    )


def _on_a_grid(s: AllShapes, _: Settings) -> Finding:
    """First and second differences of κ at ρ = -1, -3/4, ..., 1, in balls."""
    bad, count = [], 0
    grid = [fmpq(i, 4) for i in range(-4, 5)]
    with flint.ctx.workprec(200):
        for name in dict.fromkeys((*s.convex, *s.nondecreasing)):
            ker = kernel(name)
            values = [ker.enclosure(1, 1, rho, 30) for rho in grid]
            steps = [b - a for a, b in pairwise(values)]
            bends = [b - a for a, b in pairwise(steps)]
            claimed = (
                ("rises", steps, name in s.nondecreasing),
                ("bends", bends, name in s.convex),
            )
            for what, differences, is_claimed in claimed:
                if is_claimed:
                    count += len(differences)
                    bad += [f"{name} {what} not" for d in differences if d < 0][:1]
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    return Finding(outcome, f"{count} differences in balls", count, count, count, "; ".join(bad))


K3C = Claim(
    id="K3c",
    title="Convex σ gives convex κ, nondecreasing σ nondecreasing κ, whole catalogue",
    statement=(
        r"\sigma''\ge0\Rightarrow\kappa''\ge0,\ \sigma'\ge0\Rightarrow\kappa'\ge0\quad"
        r"\text{for every }\sigma\text{ whose sign the engine decides}"
    ),
    source="theory.md K3",
    subject=_decided_shapes,
    evidence=(
        Evidence(
            Kind.PRECISION,
            "balls: first and second differences at 9 points",
            _on_a_grid,
            covers="9 points each",
        ),
    ),
    mutants=(
        Mutant("the sigmoid taken for convex", lambda _: AllShapes(("sigmoid",), ())),
        Mutant("cos taken for nondecreasing", lambda _: AllShapes((), ("cos",))),
    ),
    depends_on=("K1c",),
)

# Rows of four vectors in the plane, of unequal lengths: a Gram matrix of rank 2.
_VECTORS = ((1, 0), (-1, 1), (0, 2), (-2, -1))


def _determinants(k: Kernels, _: Settings) -> Finding:
    """Leading principal minors of [K(u_i, u_j)] in balls: none is negative."""
    bad, count = [], 0
    with flint.ctx.workprec(300):
        for ker in k.kernels:
            entries: dict[tuple[int, int], arb] = {}
            for i, j in combinations_with_replacement(range(4), 2):
                u, v = _VECTORS[i], _VECTORS[j]
                qu, qv = (sum(x * x for x in w) for w in (u, v))
                c = sum(x * y for x, y in zip(u, v, strict=True))
                entries[i, j] = entries[j, i] = k.value(ker, qu, qv, c, 20)
            for n in range(1, 5):
                minor = flint.arb_mat(n, n, [entries[i, j] for i in range(n) for j in range(n)])
                count += 1
                if minor.det() < 0:
                    bad.append(f"{ker.left.name}, minor {n}")
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    return Finding(outcome, f"{count} minors in balls", count, count, count, "; ".join(bad[:5]))


K4C = Claim(
    id="K4c",
    title="Gram matrices of every kernel of the catalogue are positive semidefinite",
    statement=r"[K(u_i,u_j)]_{ij}\succeq0\quad\text{for every }\sigma\text{ of the catalogue}",
    source="theory.md K4",
    subject=everything,
    evidence=(
        Evidence(
            Kind.PRECISION,
            "balls: leading principal minors of a 4 x 4 matrix of rank 2 in u",
            _determinants,
            covers="4 vectors in the plane, unequal lengths",
        ),
    ),
    mutants=(
        _with_value(
            "c doubled, and clipped",
            lambda ker, qu, qv, c, digits: ker.enclosure(
                qu, qv, 2 * exact(c) if 4 * exact(c) ** 2 <= exact(qu) * exact(qv) else c, digits
            ),
        ),
        _with_value(
            "ρ → -ρ off the diagonal",
            lambda ker, qu, qv, c, digits: ker.enclosure(
                qu, qv, c if exact(c) ** 2 == exact(qu) * exact(qv) else -exact(c), digits
            ),
        ),
    ),
    depends_on=("K1c", "K4"),
)

CLAIMS: tuple[Claim[Any], ...] = (K1C, K1D, K1M, K1F, K2C, K3C, K4C)
