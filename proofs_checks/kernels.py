"""Claims K1-K6 on dual kernels (theory.md section 2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import flint
import hypothesis
import mpmath
import numpy as np
import sympy
from hypothesis import strategies as st
from mpmath import mpf

import symcomp
from proofs_checks import oracles
from proofs_checks.checks import agreement, certify, combine, falsify, identities, signs
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.reference import REFERENCE, Real
from proofs_checks.strategies import correlations, gram_matrices
from symcomp.antiderivatives import C
from symcomp.balls import ball, exact
from symcomp.catalogue import Activation
from symcomp.expectations import QU, QV, Step, stein
from symcomp.kernels import RHO

# Those that homogeneous oracles reach quickly.
SIGMA: dict[str, Real] = {
    name: REFERENCE[name].sigma
    for name in ("relu", "leaky_relu", "abs", "step", "sign", "identity")
}

# Crowded near -1, 0 and 1; (q_u, q_v, c) with unequal variances too.
RHOS = ("-1", "-0.999999999999", "-0.9", "-0.3", "1e-9", "0.5", "0.999999999999", "1")
POINTS = (*((1, 1, r) for r in RHOS), ("1.3", 2, "0.5"), ("1e-6", "1e6", "-0.99"), (2, 8, "-4"))


@dataclass(frozen=True)
class Derived:
    """A kernel as derived: σ, K(q_u, q_v, c) and the rungs of the ladder that led to it."""

    act: Activation
    expr: sympy.Expr
    steps: tuple[Step, ...]

    @property
    def kappa(self) -> sympy.Expr:
        """κ(ρ)."""
        return self.expr.subs({QU: 1, QV: 1}).subs(C, RHO)


Catalogue = tuple[Derived, ...]
Row = tuple[str, sympy.Expr, sympy.Expr]


def catalogue() -> Catalogue:
    """The kernels of every activation that SIGMA spells out."""
    kernels = (symcomp.dual_kernel(name) for name in SIGMA)
    return tuple(Derived(k.activation, k.expr, k.steps) for k in kernels)


def relu() -> Derived:
    """The ReLU kernel alone."""
    ker = symcomp.dual_kernel("relu")
    return Derived(ker.activation, ker.expr, ker.steps)


def _sigma(d: Derived) -> Real:
    return SIGMA[d.act.name.split(":")[0]]


def _degree(d: Derived) -> int:
    degree = d.act.degree
    assert degree is not None
    return degree


def _value(d: Derived, qu: Any, qv: Any, c: Any, digits: int) -> mpf:
    """The claimed K at one point, by mpmath; NaN where it is no real number."""
    numbers = {QU: qu, QV: qv, C: c}
    at = {symbol: sympy.Rational(str(number)) for symbol, number in numbers.items()}
    return _real(sympy.N(d.expr.subs(at), digits + 15, maxn=1000))


def _real(value: sympy.Expr) -> mpf:
    """A number of SymPy's; NaN, which fails every comparison, if it is not real."""
    return mpf(value) if value.is_Float or value.is_Rational else mpf("nan")


@cache
def _integral(name: str, degree: int, qu: Any, qv: Any, c: Any, digits: int) -> mpf:
    """E σ(X) σ(Y) of the hand-written σ; kept, as many false formulas meet the same points."""
    u, v, cov = (mpf(str(number)) for number in (qu, qv, c))
    f = SIGMA[name]
    return oracles.homogeneous(f, f, 2 * degree, u, v, cov, digits)


def _changed(name: str, change: Callable[[sympy.Expr], sympy.Expr]) -> Mutant[Catalogue]:
    """The same formula changed in every kernel of the catalogue."""
    return Mutant(name, lambda all_: tuple(replace(d, expr=change(d.expr)) for d in all_))


# ---- K1: Price's ladder --------------------------------------------------------------------------


def _replay(kernels: Catalogue, _: Settings) -> Finding:
    """Each rung is the derivative of the next, its value at c = 0 a product of means; so is K."""
    return identities(row for d in kernels for row in _rungs(d))


def _rungs(d: Derived) -> Iterator[tuple[str, sympy.Expr, sympy.Expr]]:
    name, order = d.act.name, 0
    f = d.act.form
    assert f is not None
    expr, below = d.expr, d.expr
    values = {_order(s): s.equation.rhs for s in d.steps if s.text.startswith("integrate")}
    starts = {_order(s): s.equation.rhs for s in d.steps if s.text.startswith("value at c = 0")}
    while order in values:
        claimed = expr if order == 0 else sympy.diff(d.expr, C, order)
        yield f"{name}: rung {order}", claimed, values[order]
        yield f"{name}: K^({order}) at c = 0", values[order].subs(C, 0), starts[order]
        below, order = values[order], order + 1
    elementary = next(s.equation.rhs for s in d.steps if s.text.startswith("the expectation"))
    yield f"{name}: the elementary rung", sympy.diff(below, C) if order else below, elementary
    yield f"{name}: Stein's recursion agrees", d.expr, stein(f, f)[0]


def _order(step: Step) -> int:
    """k of an equation for ∂^k K/∂c^k."""
    left = step.equation.lhs
    derivatives = left.atoms(sympy.Derivative)
    return int(derivatives.pop().derivative_count) if derivatives else 0


def _against_integral(kernels: Catalogue, settings: Settings) -> Finding:
    """K against the double integral that defines it."""

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for d in kernels:
            for qu, qv, c in POINTS:
                wanted = _integral(d.act.name, _degree(d), qu, qv, c, settings.digits)
                yield f"{d.act.name} at {qu}, {qv}, {c}", _value(d, qu, qv, c, 60), wanted

    with mpmath.workdps(settings.digits + 20):
        return agreement(rows(), settings.digits)


def _ladder_of_expectations(kernels: Catalogue, settings: Settings) -> Finding:
    """dκ/dρ against E σ'(X) σ'(Y), σ' for the activations whose σ' is a function."""
    slopes: dict[str, Real] = {
        "relu": SIGMA["step"],
        "abs": mpmath.sign,
        "leaky_relu": lambda x: mpf(1) if x > 0 else mpf("0.01"),
        "identity": lambda _: mpf(1),
    }

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for d in kernels:
            slope = slopes.get(d.act.name.split(":")[0])
            if slope is None:
                continue
            derivative = replace(d, expr=sympy.diff(d.expr, C))
            for rho in RHOS[1:-1]:
                wanted = oracles.homogeneous(slope, slope, 0, 1, 1, mpf(rho), settings.digits)
                yield f"{d.act.name} at {rho}", _value(derivative, 1, 1, rho, 60), wanted

    with mpmath.workdps(settings.digits + 20):
        return agreement(rows(), settings.digits)


K1 = Claim(
    id="K1",
    title="Price's ladder gives the closed forms",
    statement=(
        r"\partial_c^k K(q_u,q_v,c) = \mathbb{E}\,\sigma^{(k)}(X)\sigma^{(k)}(Y), "
        r"K|_{c=0} = \mathbb{E}\sigma(X)\,\mathbb{E}\sigma(Y); "
        r"\text{for ReLU } K = \frac{1}{2\pi}\Bigl[\sqrt{q_uq_v-c^2}"
        r" + c\bigl(\pi-\arccos\tfrac{c}{\sqrt{q_uq_v}}\bigr)\Bigr]"
    ),
    source="Price 1958; theory.md K1",
    subject=catalogue,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy replays each rung: derivative, value at c = 0, and Stein's recursion as a"
            " second derivation of the same kernel",
            _replay,
        ),
        Evidence(Kind.PRECISION, "mpmath: K against its defining integral", _against_integral),
        Evidence(
            Kind.PRECISION,
            "mpmath: ∂K/∂c against E σ'(X)σ'(Y)",
            _ladder_of_expectations,
            covers="k = 1",
        ),
    ),
    mutants=(
        _changed("ρ → -ρ", lambda e: e.subs(C, -C)),
        _changed("π → 3 in the density", lambda e: e.subs(sympy.pi, 3)),
        # a public closed form does this at ρ = -1
        _changed("the pair at -ρ valued as at ρ", lambda e: e.subs(C, abs(C))),
    ),
)


# ---- K2: Hermite series --------------------------------------------------------------------------

_TERMS = 24


@dataclass(frozen=True)
class Series:
    """κ, its Hermite coefficients μ_0 .. μ_{n-1}, and the claimed bound of the remainder."""

    kernel: Derived
    mu: tuple[sympy.Expr, ...]
    remainder: Callable[[sympy.Expr, int, sympy.Expr], sympy.Expr]  # (tail mass, n, ρ)


def _series() -> Series:
    ker = symcomp.dual_kernel("relu")
    return Series(relu(), ker.hermite(_TERMS), lambda tail, n, rho: tail * abs(rho) ** n)


def _series_proof(s: Series, _: Settings) -> Finding:
    """Both sides satisfy one recursion; then each term of the remainder is within its share.

    Powers: (1-ρ²) ∂³κ = ρ ∂²κ fixes the Taylor coefficients c_k of κ from c_0, c_1, c_2, and they
    are >= 0, so the series converges on [-1, 1] (Abel). Hermite: ∂²σ is a Dirac at 0, so
    |μ_k| sqrt(k!) = |E ∂^k σ(Z)| is |He_{k-2}(0)| φ(0) for k >= 2 (integration by parts, as K1),
    and G = exp(sx - s²/2) = Σ s^k He_k(x)/k! gives He_{m+2}(0) = -(m+1) He_m(0). Remainder: with
    c = μ_k², k = n + m, and R = |ρ|^m, its term c |ρ|^n R is below the share c |ρ|^n as R <= 1, by
    induction on m; the shares add up to the bound, as Σ_k μ_k² = κ(1) = E σ².
    """
    k = sympy.Symbol("k", integer=True, positive=True)
    ratio = (k - 1) ** 2 / ((k + 1) * (k + 2))
    more = sympy.Symbol("m", integer=True, nonnegative=True)
    return combine(
        identities([*_taylor(s, k, ratio), *_hermite_numbers(s, k, ratio), *_shares(s)]),
        signs([("the ratio c_{k+2}/c_k, k = m + 2", ratio.subs(k, more + 2), ">=0"), *_unit()]),
    )


def _taylor(s: Series, k: sympy.Symbol, ratio: sympy.Expr) -> Iterator[Row]:
    kappa = s.kernel.kappa
    second, third = sympy.diff(kappa, RHO, 2), sympy.diff(kappa, RHO, 3)
    yield "(1-ρ²) ∂³κ = ρ ∂²κ", (1 - RHO**2) * third, RHO * second
    yield (
        "there, at ρ^(k-1): (k+2)(k+1)k c_{k+2} - k(k-1)(k-2) c_k = k(k-1) c_k, over c_k",
        (k + 2) * (k + 1) * k * ratio - k * (k - 1) * (k - 2),
        k * (k - 1),
    )
    for order in range(3):
        value = sympy.diff(kappa, RHO, order).subs(RHO, 0) / sympy.factorial(order)
        yield f"c_{order} = μ_{order}²", value, s.mu[order] ** 2


def _hermite_numbers(s: Series, k: sympy.Symbol, ratio: sympy.Expr) -> Iterator[Row]:
    x, t, z = sympy.symbols("x s z", real=True)
    G = sympy.exp(t * x - t**2 / 2)
    yield "∂G/∂s = (x - s) G: He_{k+1} = x He_k - k He_{k-1}", sympy.diff(G, t), (x - t) * G
    yield (
        "μ_{k+2}²/μ_k² = (k-1)² k!/(k+2)! is the ratio, k >= 2",
        (k - 1) ** 2 * sympy.factorial(k) / sympy.factorial(k + 2),
        ratio,
    )
    for order in range(1, len(s.mu) - 2):
        left, right = s.mu[order + 2] ** 2, ratio.subs(k, order) * s.mu[order] ** 2
        yield f"the claimed μ_{order + 2} keeps to it", left, right
    density = sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi)
    square = sympy.integrate(z**2 * density, (z, 0, sympy.oo))
    yield "κ(1) = E σ²", s.kernel.kappa.subs(RHO, 1), square


def _shares(s: Series) -> Iterator[Row]:
    n = len(s.mu)
    r, R, c, other = sympy.symbols("|rho| R c c'", nonnegative=True)
    yield "1 - |ρ|^(m+1), where |ρ|^m = R", 1 - r * R, (1 - r) + r * (1 - R)
    yield (
        f"the share of c less its term, n = {n}",
        s.remainder(c, n, r) - c * r**n * R,
        c * r**n * (1 - R),
    )
    both = s.remainder(c, n, r) + s.remainder(other, n, r)
    yield "shares add up", s.remainder(c + other, n, r), both


def _unit() -> Iterator[tuple[str, sympy.Expr, str]]:
    r, c, below, gap = sympy.symbols("|rho| c D G", nonnegative=True)
    yield "1 - |ρ|^(m+1), D = 1 - |ρ|, G = 1 - |ρ|^m >= 0", below + r * gap, ">=0"
    yield "the share less its term", c * r**_TERMS * gap, ">=0"


def _times_hermite(f: Real, k: int, z: mpf) -> mpf:
    return f(z) * mpmath.hermite(k, z / mpmath.sqrt(2))


def _coefficients(s: Series, settings: Settings) -> Finding:
    """μ_k against the integral of σ(z) He_k(z)."""

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for k, mu in enumerate(s.mu[:12]):
            with mpmath.workdps(settings.digits + 15):
                wanted = _mu_integral(s.kernel.act.name, k, settings.digits)
                yield f"μ_{k}", _real(sympy.N(mu, settings.digits + 15)), wanted

    return agreement(rows(), settings.digits)


@cache
def _mu_integral(name: str, k: int, digits: int) -> mpf:
    """E σ(Z) He_k(Z)/sqrt(k!), He_k(z) = 2^(-k/2) H_k(z/√2); kept."""
    product = partial(_times_hermite, SIGMA[name], k)
    mean = oracles.expectation1(product, 1, (0,), digits)
    return mean / mpmath.sqrt(mpf(2) ** k * mpmath.factorial(k))


def _remainder_search(s: Series, settings: Settings) -> Finding:
    """The remainder against its bound, both in balls of 512 bits at a drawn ρ."""
    tail = s.kernel.kappa.subs(RHO, 1) - sum(m**2 for m in s.mu)
    rest = s.kernel.kappa - sum(m**2 * RHO**k for k, m in enumerate(s.mu))
    room = s.remainder(tail, len(s.mu), RHO)

    def margin(rho: float) -> float:
        hypothesis.assume(abs(rho) > 1e-4)
        with flint.ctx.workprec(512):
            at = {RHO: exact(rho)}
            size, bound = abs(ball(rest, at)), ball(room, at)
            return float((bound - size) / bound)

    return falsify(margin, {"rho": correlations()}, settings, slack=1e-60)


K2 = Claim(
    id="K2",
    title="Hermite series and its remainder (ReLU)",
    statement=(
        r"\kappa(\rho)=\sum_k\mu_k^2\rho^k,\ \mu_k=\mathbb{E}\,\sigma(Z)\mathrm{He}_k(Z)/\sqrt{k!};"
        r"\ \Bigl|\kappa(\rho)-\sum_{k<n}\mu_k^2\rho^k\Bigr|\le"
        r"\Bigl(\mathbb{E}\sigma^2-\sum_{k<n}\mu_k^2\Bigr)|\rho|^n"
    ),
    source="Mehler's formula; theory.md K2",
    subject=_series,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: one recursion for Taylor coefficients and μ_k², and the remainder term by term",
            _series_proof,
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: μ_k against ∫ σ He_k φ",
            _coefficients,
            covers="the coefficients, k < 12",
        ),
        Evidence(
            Kind.PROPERTY,
            f"Hypothesis: the remainder after {_TERMS} terms within its bound, in balls",
            _remainder_search,
        ),
    ),
    mutants=(
        Mutant("no 1/sqrt(k!)", lambda s: replace(s, mu=_unnormalised(s.mu))),
        Mutant(
            "remainder |ρ|^(n+4)",
            lambda s: replace(s, remainder=lambda tail, n, rho: tail * abs(rho) ** (n + 4)),
        ),
    ),
    depends_on=("K1",),
)


def _unnormalised(mu: tuple[sympy.Expr, ...]) -> tuple[sympy.Expr, ...]:
    return tuple(m * sympy.sqrt(sympy.factorial(k)) for k, m in enumerate(mu))


# ---- K3: convexity and monotonicity --------------------------------------------------------------

_U = sympy.Symbol("u", positive=True)
# ρ = (1-u²)/(1+u²) runs through (-1, 1) as u runs through (0, ∞), and sqrt(1-ρ²) = 2u/(1+u²).
_RHO_OF_U = (1 - _U**2) / (1 + _U**2)


@dataclass(frozen=True)
class Shapes:
    """The kernels whose κ is claimed convex, and those claimed nondecreasing."""

    convex: Catalogue
    nondecreasing: Catalogue


def _shapes() -> Shapes:
    return Shapes(
        tuple(d for d in catalogue() if d.act.convex),
        tuple(d for d in catalogue() if d.act.nondecreasing),
    )


def _shape_signs(s: Shapes, _: Settings) -> Finding:
    """κ'' >= 0 and κ' >= 0 on (-1, 1), by the substitution above; κ is continuous at the ends.

    Where κ' itself is transcendental, κ'(-1) >= 0 and κ'' >= 0 decide it.
    """
    rows = [(f"{d.act.name}: κ'' on (-1,1)", _on_arc(d, 2), ">=0") for d in s.convex]
    for d in s.nondecreasing:
        if d.act.convex:
            limit = sympy.limit(sympy.diff(d.kappa, RHO), RHO, -1, "+")
            rows.append((f"{d.act.name}: κ'(-1)", limit, ">=0"))
            rows.append((f"{d.act.name}: κ'' on (-1,1)", _on_arc(d, 2), ">=0"))
        else:
            rows.append((f"{d.act.name}: κ' on (-1,1)", _on_arc(d, 1), ">=0"))
    return signs(rows)


def _on_arc(d: Derived, order: int) -> sympy.Expr:
    return sympy.simplify(sympy.diff(d.kappa, RHO, order).subs(RHO, _RHO_OF_U))


def _chords(s: Shapes, settings: Settings) -> Finding:
    """κ at a midpoint below the chord; κ at the right above κ at the left."""
    functions = [sympy.lambdify(RHO, d.kappa, "numpy") for d in s.convex]
    rising = [sympy.lambdify(RHO, d.kappa, "numpy") for d in s.nondecreasing]

    def margin(a: float, b: float) -> float:
        low, high = min(a, b), max(a, b)
        bends = [(f(a) + f(b)) / 2 - f((a + b) / 2) for f in functions]
        return float(min(*bends, *(f(high) - f(low) for f in rising)))

    return falsify(margin, {"a": correlations(), "b": correlations()}, settings, slack=1e-12)


def _plus_step(s: Shapes) -> Shapes:
    """Drop the hypothesis: claim convexity for the step too, which is not convex."""
    step = next(d for d in catalogue() if d.act.name == "step")
    return replace(s, convex=(*s.convex, step))


K3 = Claim(
    id="K3",
    title="Convex σ gives convex κ, nondecreasing σ nondecreasing κ",
    statement=(
        r"\sigma''\ge0\Rightarrow\kappa''=\mathbb{E}\,\sigma''(X)\sigma''(Y)\ge0;\quad"
        r"\sigma'\ge0\Rightarrow\kappa'\ge0\ \text{on }[-1,1]\ "
        r"\text{(checked for every homogeneous activation of the catalogue)}"
    ),
    source="theory.md K3, read off K1",
    subject=_shapes,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: signs of κ' and κ'' with ρ = (1-u²)/(1+u²), u > 0",
            _shape_signs,
        ),
        Evidence(Kind.PROPERTY, "Hypothesis: chords and order", _chords),
    ),
    mutants=(
        Mutant("the step function taken for convex", _plus_step),
        Mutant(
            "|x| taken for nondecreasing",
            lambda s: replace(
                s, nondecreasing=tuple(d for d in catalogue() if d.act.name == "abs")
            ),
        ),
    ),
    depends_on=("K1",),
)


# ---- K4: positive definiteness -------------------------------------------------------------------


def _least_eigenvalue(kernels: Catalogue, settings: Settings) -> Finding:
    functions = [sympy.lambdify(RHO, d.kappa, "numpy") for d in kernels]

    def margin(gram: np.ndarray) -> float:
        rho = np.clip(gram, -1, 1)
        return float(min(np.linalg.eigvalsh(f(rho) + 0 * rho)[0] for f in functions) / len(rho))

    # sqrt(1-ρ²) turns a rounding 1e-16 of an entry at ±1 into 1e-8.
    return falsify(margin, {"gram": gram_matrices()}, settings, slack=1e-7)


def _square_expands(kernels: Catalogue, _: Settings) -> Finding:
    """Σ c_i c_j K(u_i, u_j) = E (Σ c_i σ_i)² for every number n of vectors.

    With a_i = c_i σ(<u_i, x>): the double sum of a_i a_j is S², S = Σ a_i, a factor of a sum being
    taken out twice; E is linear and E a_i a_j = c_i c_j K(u_i, u_j) by K1, of which K(u, u) = E σ²
    and the symmetry of K are checked once more.
    """
    n = sympy.Symbol("n", integer=True, positive=True)
    i, j = sympy.symbols("i j", integer=True)
    a, total = sympy.IndexedBase("a"), sympy.Symbol("S", real=True)
    rows: list[Row] = [
        (
            "for fixed j: Σ_i a_i a_j = a_j S",
            sympy.Sum(a[i] * a[j], (i, 1, n)),
            a[j] * sympy.Sum(a[i], (i, 1, n)),
        ),
        (
            "Σ_j a_j S = S Σ_j a_j = S²",
            sympy.Sum(total * a[j], (j, 1, n)),
            total * sympy.Sum(a[j], (j, 1, n)),
        ),
    ]
    for d in kernels:
        mirrored = d.expr.subs({QU: QV, QV: QU}, simultaneous=True)
        rows.append((f"{d.act.name}: K(u,v) = K(v,u)", d.expr, mirrored))
        rows.append((f"{d.act.name}: K(u,u) = E σ²", d.expr.subs({QV: QU, C: QU}), _second(d)))
    return combine(identities(rows), signs([("S²", total**2, ">=0")]))


def _second(d: Derived) -> sympy.Expr:
    """E σ(√q Z)², by SymPy's integrals of σ² over the two half-lines."""
    z = sympy.Symbol("z", positive=True)
    density = sympy.exp(-(z**2) / (2 * QU)) / sympy.sqrt(2 * sympy.pi * QU)
    halves = (d.act.expr.subs(d.act.symbol, sign * z) ** 2 for sign in (1, -1))
    return sum(sympy.integrate(half * density, (z, 0, sympy.oo)) for half in halves)


K4 = Claim(
    id="K4",
    title="Gram matrices of the dual kernel are positive semidefinite",
    statement=(
        r"\sum_{ij}c_ic_jK(u_i,u_j)="
        r"\mathbb{E}\bigl(\textstyle\sum_ic_i\sigma(\langle u_i,x\rangle)\bigr)^2\ge0"
    ),
    source="theory.md K4",
    subject=catalogue,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: the double sum is the square of a sum, any number of vectors",
            _square_expands,
        ),
        Evidence(Kind.PROPERTY, "Hypothesis: least eigenvalue of κ(Gram)", _least_eigenvalue),
    ),
    mutants=(_changed("ρ → -ρ", lambda e: e.subs(C, -C)),),
    depends_on=("K1",),
)


# ---- K5: regularity of the ReLU kernel -----------------------------------------------------------


@dataclass(frozen=True)
class Regularity:
    """ReLU's κ, the Lipschitz constant of w -> K(w, u) and the constant of the mean square."""

    kernel: Derived
    lipschitz: sympy.Rational
    square: sympy.Rational


def _regularity() -> Regularity:
    half = sympy.Rational(1, 2)
    return Regularity(relu(), half, half)


def _regularity_proof(r: Regularity, _: Settings) -> Finding:
    """With K = |w| κ(ρ), ρ the cosine of w and u: gradient, Hessian and mean square from κ alone.

    Gradient: its square is g = κ² + (1-ρ²) κ'². Hessian: eigenvalues (κ - ρκ')/|w| across the
    plane of w, u and (κ - ρκ' + (1-ρ²)κ'')/|w| in it. Mean square: with norms a, b it is
    (a² + b²)/2 - 2ab κ(ρ), below q (a² + b² - 2abρ) for all a, b when q >= 1/2 and
    κ(ρ) >= 1/2 - q (1-ρ): then the difference is at least (q - 1/2)(a - b)².
    """
    kappa = r.kernel.kappa
    first, second = sympy.diff(kappa, RHO), sympy.diff(kappa, RHO, 2)
    across = kappa - RHO * first
    plane = across + (1 - RHO**2) * second
    g = kappa**2 + (1 - RHO**2) * first**2
    gap = kappa - sympy.Rational(1, 2) + r.square * (1 - RHO)

    def arc(expr: sympy.Expr) -> sympy.Expr:
        return sympy.simplify(expr.subs(RHO, _RHO_OF_U))

    exact = identities(
        [
            ("g' = 2 κ' (κ - ρκ' + (1-ρ²)κ'')", sympy.diff(g, RHO), 2 * first * plane),
            ("the Lipschitz constant is reached: g(1)", g.subs(RHO, 1), r.lipschitz**2),
            ("κ'(-1)", sympy.limit(first, RHO, -1, "+"), sympy.S.Zero),
            ("κ - 1/2 + q(1-ρ) vanishes at ρ = 1", gap.subs(RHO, 1), sympy.S.Zero),
            ("its slope vanishes at ρ = 1", sympy.diff(gap, RHO).subs(RHO, 1), sympy.S.Zero),
        ]
    )
    signed = signs(
        [
            ("κ'' >= 0: κ' >= κ'(-1) = 0, and the gap, flat at 1, is >= 0", arc(second), ">=0"),
            ("κ - ρκ' >= 0: convex across", arc(across), ">=0"),
            ("κ - ρκ' + (1-ρ²)κ'' >= 0: convex in the plane, and g' >= 0", arc(plane), ">=0"),
        ]
    )
    return combine(exact, signed)


def _regularity_search(r: Regularity, settings: Settings) -> Finding:
    """Both bounds for arbitrary w, w' in the plane, and the slope of K between two points."""
    kappa = sympy.lambdify(RHO, r.kernel.kappa, "numpy")

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        size = float(np.linalg.norm(x) * np.linalg.norm(y))
        return size * float(kappa(np.clip(x @ y / size, -1, 1))) if size else 0.0

    def margin(a: float, b: float, s: float, t: float) -> float:
        w, v = a * np.array([np.cos(s), np.sin(s)]), b * np.array([np.cos(t), np.sin(t)])
        unit = np.array([1.0, 0.0])
        apart = float(np.linalg.norm(w - v))
        square = kernel(w, w) + kernel(v, v) - 2 * kernel(w, v)
        slack = float(r.lipschitz) * apart - abs(kernel(w, unit) - kernel(v, unit))
        return min(float(r.square) * apart**2 - square, slack)

    length, angle = st.floats(0, 4), st.floats(-3.2, 3.2)
    arguments = {"a": length, "b": length, "s": angle, "t": angle}
    return falsify(margin, arguments, settings, slack=1e-7)


K5 = Claim(
    id="K5",
    title="Regularity of the ReLU kernel, with sharp constants",
    statement=(
        r"|u|=1:\ w\mapsto K(w,u)\text{ is convex and }\tfrac12\text{-Lipschitz};\quad"
        r"\mathbb{E}\bigl(\mathrm{relu}\langle w,x\rangle-\mathrm{relu}\langle w',x\rangle\bigr)^2"
        r"\le\tfrac12|w-w'|^2,\text{ both constants sharp}"
    ),
    source="theory.md K5",
    subject=_regularity,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: gradient, Hessian and mean square in terms of κ, their signs decided",
            _regularity_proof,
        ),
        Evidence(Kind.PROPERTY, "Hypothesis: both bounds in the plane", _regularity_search),
    ),
    mutants=(
        Mutant("mean square 2/5", lambda r: replace(r, square=sympy.Rational(2, 5))),
        Mutant("Lipschitz constant 2/5", lambda r: replace(r, lipschitz=sympy.Rational(2, 5))),
    ),
    depends_on=("K1", "K3"),
)


# ---- K6: half linear, half even ------------------------------------------------------------------

_Y = sympy.Symbol("y", nonnegative=True)


@dataclass(frozen=True)
class Halves:
    """ReLU's κ and the claimed even half e(y), y = ρ²."""

    kernel: Derived
    even: sympy.Expr


def _halves() -> Halves:
    root = sympy.sqrt(_Y)
    return Halves(relu(), (sympy.sqrt(1 - _Y) + root * sympy.asin(root)) / (2 * sympy.pi))


def _halves_proof(h: Halves, _: Settings) -> Finding:
    """κ(±√y) = ±√y/4 + e(y); e(0), e(1); e' and e'' by y = sin² t, signs from x < tan x."""
    t = sympy.Symbol("t", positive=True)  # in (0, π/2)
    root = sympy.sqrt(_Y)
    y = sympy.Symbol("y", positive=True)
    even = h.even.subs(_Y, y)
    cos = sympy.sqrt(1 - y)
    # asin√y = atan(√y/√(1-y)): with x = tan t the signs below are those of t and x - t.
    x = sympy.sqrt(y) / cos
    slope = sympy.asin(sympy.sqrt(y)) / (4 * sympy.pi * sympy.sqrt(y))
    bend = (x - sympy.asin(sympy.sqrt(y))) / (8 * sympy.pi * sympy.sqrt(y) ** 3)
    exact = identities(
        [
            ("κ(√y) = √y/4 + e(y)", h.kernel.kappa.subs(RHO, root), root / 4 + h.even),
            ("κ(-√y) = -√y/4 + e(y)", h.kernel.kappa.subs(RHO, -root), -root / 4 + h.even),
            ("e(0)", h.even.subs(_Y, 0), 1 / (2 * sympy.pi)),
            ("e(1)", h.even.subs(_Y, 1), sympy.Rational(1, 4)),
            ("e' = asin√y / (4π√y), positive", sympy.diff(even, y), slope),
            ("e'' = (tan t - t) / (8π sin³ t) at y = sin² t", sympy.diff(even, y, 2), bend),
            ("tan t - t vanishes at 0", (sympy.tan(t) - t).subs(t, 0), sympy.S.Zero),
            ("(tan t - t)' = tan² t", sympy.diff(sympy.tan(t) - t, t), sympy.tan(t) ** 2),
        ]
    )
    real = sympy.Symbol("x", real=True)
    return combine(exact, signs([("tan² t >= 0", real**2, ">=0")]))


def _halves_in_balls(h: Halves, _: Settings) -> Finding:
    """e' > 0 and e'' > 0 in balls, away from the ends, where e'' has limits 1/(12π) and ∞."""
    slope, bend = sympy.diff(h.even, _Y), sympy.diff(h.even, _Y, 2)

    def rises_and_bends(box: tuple[flint.arb, ...]) -> bool | None:
        values = [ball(expr, {_Y: box[0]}) for expr in (slope, bend)]
        if all(v > 0 for v in values):
            return True
        return False if any(v < 0 for v in values) else None

    domain = [(flint.fmpq(1, 1000), flint.fmpq(999, 1000))]
    return certify(rises_and_bends, domain, depth=40)


K6 = Claim(
    id="K6",
    title="The ReLU kernel is half linear, half even",
    statement=(
        r"\kappa(\rho)=\tfrac{\rho}{4}+e(\rho^2),\ "
        r"e(y)=\frac{\sqrt{1-y}+\sqrt y\arcsin\sqrt y}{2\pi}"
        r"\text{ convex and increasing on }[0,1],\ e(0)=\tfrac1{2\pi},\ e(1)=\tfrac14"
    ),
    source="theory.md K6",
    subject=_halves,
    evidence=(
        Evidence(
            Kind.PROOF, "SymPy: both halves, the ends, e' and e'' in closed form", _halves_proof
        ),
        Evidence(
            Kind.CERTIFICATE,
            "balls: e' > 0 and e'' > 0",
            _halves_in_balls,
            covers="1/1000 <= y <= 999/1000",
        ),
    ),
    mutants=(
        Mutant(
            "slope 1/3 in place of 1/4", lambda h: replace(h, even=h.even - sympy.sqrt(_Y) / 12)
        ),
        Mutant(
            "minus the arcsine",
            lambda h: replace(
                h, even=h.even.subs(sympy.asin(sympy.sqrt(_Y)), -sympy.asin(sympy.sqrt(_Y)))
            ),
        ),
    ),
    depends_on=("K1",),
)

CLAIMS: tuple[Claim[Any], ...] = (K1, K2, K3, K4, K5, K6)
