"""Claim E1, the energy inequality for convex kernels (theory.md section 4)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy
from hypothesis import strategies as st
from numpy.typing import NDArray
from sympy import IndexedBase, Rational, Sum

from proofs_checks import mergings, oracles, strategies
from proofs_checks.checks import agreement, certify, combine, falsify, identities, signs
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from symcomp import objectives
from symcomp.antiderivatives import C
from symcomp.frames import equiangular_cone
from symcomp.kernels import RHO, DualKernel, dual_kernel

Array: TypeAlias = NDArray[np.float64]
Row: TypeAlias = tuple[str, sympy.Expr, sympy.Expr]
Bound: TypeAlias = Callable[[DualKernel, sympy.Expr, sympy.Expr], sympy.Expr]

M = objectives.M
Q = sympy.Symbol("Q", nonnegative=True)  # |q|², q = Σ p_j u_j
ANY = sympy.Function("kappa")  # any kernel
MEAN = (M * Q - 1) / (M - 1)
CONVEX = ("relu", "leaky_relu:slope=1/10", "leaky_relu:slope=-1/2", "abs")
# M and s² = above/below of equiangular cones
CONES = ((2, 0, 1), (2, 1, 2), (3, 0, 1), (5, 0, 1), (5, 2, 3), (40, 0, 1))

# some σ by hand: what the oracles integrate
SIGMA: dict[str, oracles.Function] = {"relu": oracles.relu, "abs": abs, "sign": mpmath.sign}


@dataclass(frozen=True)
class EnergyInequality:
    """𝓔 = Σ p_i p_j κ(ρ_ij) >= bound(κ, M, |q|²) for weights p, unit vectors and every κ here."""

    kernels: tuple[DualKernel, ...]
    bound: Bound


def energy_inequality() -> EnergyInequality:
    """The bound that symcomp uses, for the convex kernels of degree 1."""
    return EnergyInequality(tuple(map(dual_kernel, CONVEX)), objectives.energy_bound)


# ---- proof ---------------------------------------------------------------------------------------


def _proof(claim: EnergyInequality, _: Settings) -> Finding:
    """Jensen's inequality for the mass p_i p_j at ρ_ij, less 1/M of the mass at 1.

    With k_t + g (x - t) a supporting line of κ at the mean t of that measure, slack(x) = κ(x) - k_t
    - g (x - t) is >= 0, and 𝓔 - bound is a sum of slacks with nonnegative weights. The lines exist
    at every t in (-1, 1) where κ is convex; t = ±1 leaves a single ρ, and equality. Where κ is
    strictly convex slack vanishes at t alone, which gives the case of equality.
    """
    return combine(
        identities([*_mass_and_mean(), *_jensen(claim)]),
        signs([*_range(), *map(_convexity, claim.kernels)]),
    )


def _mass_and_mean() -> Iterator[Row]:
    """Finite sums over i, j = 1..M with M a symbol; p, ρ and κ(ρ_ij) are indexed symbols."""
    i, j = sympy.symbols("i j", integer=True)
    p, rho, kappa = (IndexedBase(name) for name in ("p", "rho", "kappa"))
    level, slope, t = sympy.symbols("k_t g t", real=True)

    def double(term: sympy.Expr) -> sympy.Expr:
        return Sum(term, (i, 1, M), (j, 1, M))

    yield (
        "Σp² >= 1/M is the mass of the diagonal, by Σp = 1 and",
        Sum((p[i] - 1 / M) ** 2, (i, 1, M)),
        Sum(p[i] ** 2, (i, 1, M)) - 2 / M * Sum(p[i], (i, 1, M)) + 1 / M,
    )
    yield (
        "ΣΣ p p slack = 𝓔 - k_t - g (|q|² - t), by ΣΣ p p = (Σp)² = 1, ΣΣ p p ρ = |q|² and",
        double(p[i] * p[j] * (kappa[i, j] - level - slope * (rho[i, j] - t))),
        double(p[i] * p[j] * kappa[i, j])
        - (level - slope * t) * double(p[i] * p[j])
        - slope * double(p[i] * p[j] * rho[i, j]),
    )
    yield (
        "without 1/M at the point 1 the mass is 1 - 1/M and the mean is t = (M|q|² - 1)/(M - 1)",
        (1 - 1 / M) * MEAN,
        Q - 1 / M,
    )


def _jensen(claim: EnergyInequality) -> Iterator[Row]:
    kappa = ANY
    off, squares, slope = sympy.symbols("T S_2 g", real=True)
    slack = kappa(sympy.S.One) - kappa(MEAN) - slope * (1 - MEAN)
    energy = off + squares * slack + kappa(MEAN) + slope * (Q - MEAN)
    yield (
        "for any κ and g, with T = Σ_{i≠j} p_i p_j slack(ρ_ij), ΣΣ p p slack = T + S_2 slack(1)"
        " and S_2 = Σp²: 𝓔 - bound = T + (S_2 - 1/M) slack(1)",
        energy - claim.bound(replace(claim.kernels[0], expr=kappa(C)), M, Q),
        off + (squares - 1 / M) * slack,
    )


def _range() -> Iterator[tuple[str, sympy.Expr, str]]:
    """-1 <= t <= 1 for M >= 2, as |q| <= Σ p_i |u_i| = 1."""
    more, gap = sympy.symbols("m D", nonnegative=True)
    low, high = (1 + MEAN).subs(M, more + 2), (1 - MEAN).subs(Q, 1 - gap).subs(M, more + 2)
    yield "1 + t, with M = m + 2", sympy.factor(low), ">=0"
    yield "1 - t, with M = m + 2 and |q|² = 1 - D", sympy.factor(high), ">=0"


def _convexity(ker: DualKernel) -> tuple[str, sympy.Expr, str]:
    """κ is strictly convex: κ'' > 0 inside (-1, 1), and κ is continuous at the ends."""
    x = sympy.Symbol("x", positive=True)
    second = sympy.simplify(sympy.diff(ker.correlation, RHO, 2))
    label = f"{ker.left.name}: κ'' = {second} > 0 on (-1, 1); with ρ = (1 - x)/(1 + x), x > 0"
    return label, second.subs(RHO, (1 - x) / (1 + x)), ">0"


# ---- certificate ---------------------------------------------------------------------------------


def _chain(claim: EnergyInequality, _: Settings) -> Finding:
    return mergings.chain(claim.kernels, claim.bound)


def _direct(claim: EnergyInequality, _: Settings) -> Finding:
    """𝓔 - bound > 0 from the closed form of κ, for the first kernel, away from equality."""
    x, a, b, c = sympy.symbols("x a b c", real=True)
    half, third, fourth = Rational(1, 2), Rational(1, 3), Rational(1, 4)
    ker, bound = claim.kernels[0], claim.bound
    two = [half * (1 + x), half * (1 - x)], [[1, a], [a, 1]]
    three = [third] * 3, [[1, a, b], [a, 1, c], [b, c, 1]]
    four = [fourth] * 4, [[1, a, c, c], [a, 1, c, c], [c, c, 1, b], [c, c, b, 1]]
    boxes = (
        (two, (x, a), ("1/8 7/8", "-1 3/4")),
        (three, (a, b, c), ("-1 -1/4", "0 1", "0 1")),
        (four, (a, b, c), ("-1 -1/2", "0 1", "0 1")),
    )
    return combine(
        *(
            certify(
                mergings.positive(mergings.gap(ker, bound, *configuration), symbols),
                mergings.box(*sides),
                bits=64,
            )
            for configuration, symbols, sides in boxes
        )
    )


# ---- numbers -------------------------------------------------------------------------------------


def _equality(claim: EnergyInequality, settings: Settings) -> Finding:
    """Equal weights on an equiangular cone of height s: 𝓔 is the bound. s = 0 is the simplex.

    𝓔 comes from the defining integral of κ.
    """
    digits = settings.digits

    def rows() -> Iterator[tuple[str, mpmath.mpf, mpmath.mpf]]:
        for ker in claim.kernels:
            f = SIGMA.get(ker.left.name)
            if f is None:
                continue
            kappa = partial(oracles.homogeneous, f, f, 2 * (ker.degree or 0), 1, 1, digits=digits)
            for m, above, below in CONES:
                mean = mpmath.mpf(m * above - below) / (below * (m - 1))
                wanted = kappa(1) / m + (m - 1) * kappa(mean) / m
                got = claim.bound(ker, sympy.Integer(m), Rational(above, below))
                label = f"{ker.left.name}, M = {m}, s² = {above}/{below}"
                yield label, real_number(got, digits), wanted

    with mpmath.workdps(digits + 15):
        return agreement(rows(), digits)


def real_number(expr: sympy.Expr, digits: int) -> mpmath.mpf:
    """The value, NaN if it is no real number."""
    value = sympy.N(expr, digits + 15)
    return mpmath.mpf(value) if value.is_Float or value.is_Rational else mpmath.mpf("nan")


def _search(claim: EnergyInequality, settings: Settings) -> Finding:
    """Weights and unit vectors made to break it."""
    kappas = [_float_kernel(ker) for ker in claim.kernels]
    stand_in = replace(claim.kernels[0], expr=ANY(C))
    bounds = [
        sympy.lambdify((M, Q), claim.bound(stand_in, M, Q), [{"kappa": kappa}, "math"])
        for kappa in kappas
    ]

    def margin(kernel: int, configuration: tuple[Array, Array]) -> float:
        p, U = configuration
        gram = np.clip(U @ U.T, -1, 1)
        np.fill_diagonal(gram, 1)
        square = min(max(float(p @ gram @ p), 0.0), 1.0)
        return float(p @ kappas[kernel](gram) @ p - bounds[kernel](len(p), square))

    domain = {
        "kernel": st.integers(0, len(claim.kernels) - 1),
        "configuration": configurations(),
    }
    return falsify(margin, domain, settings, slack=1e-13)


def _float_kernel(ker: DualKernel) -> Callable[[Array], Array]:
    """κ in float64, to rounding up to the ends: 1 - ρ² cancels there, (1 - ρ)(1 + ρ) does not."""
    factored = sympy.sqrt((1 - RHO) * (1 + RHO))
    expr = ker.correlation.subs(sympy.sqrt(1 - RHO**2), factored)
    kappa: Callable[[Array], Array] = sympy.lambdify(RHO, expr, "numpy")
    return kappa


@st.composite
def configurations(draw: st.DrawFn, most: int = 40) -> tuple[Array, Array]:
    """Weights p (M,), >= 0 with sum 1, and unit vectors U (M, d), 2 <= M <= most, d <= M.

    Half of them lie near equality: equal weights on equiangular cones, perturbed by up to 1.
    """
    m = draw(st.integers(2, most))
    if draw(st.booleans()):
        d = draw(st.sampled_from((m - 1, m)) | st.integers(1, m))
        return draw(strategies.configurations(m, d))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    noise = draw(st.sampled_from((0.0, 1e-6, 1e-3, 0.1, 1.0)))
    height = draw(st.just(0.0) | st.floats(0, 1))
    U = equiangular_cone(m, height) + noise * rng.standard_normal((m, m))
    p = 1 + noise * rng.random(m)
    return p / p.sum(), U / np.linalg.norm(U, axis=1, keepdims=True)


# ---- the claim -----------------------------------------------------------------------------------


def _bound_with(mass: Callable[[Any], Any], mean: Callable[[Any, Any], Any]) -> Bound:
    """mass κ(1) + (1 - 1/M) κ(mean), for the false variants."""

    def bound(ker: DualKernel, m: sympy.Expr, square: sympy.Expr) -> sympy.Expr:
        rest = (1 - 1 / m) * objectives.kappa(ker, mean(m, square))
        return mass(m) * objectives.kappa(ker, sympy.S.One) + rest

    return bound


E1 = Claim(
    id="E1",
    title="Energy inequality",
    statement=(
        r"\kappa \text{ convex on } [-1,1],\ p_i \ge 0,\ \textstyle\sum p_i = 1,\ |u_i| = 1,\ "
        r"q = \sum p_i u_i,\ M \ge 2:\quad \sum_{i,j=1}^{M} p_i p_j\, \kappa(\langle u_i, u_j "
        r"\rangle) \ \ge\ \frac{\kappa(1)}{M} + \Bigl(1 - \frac1M\Bigr)\, \kappa\Bigl(\frac{M|q|^2"
        r" - 1}{M - 1}\Bigr);\quad \text{for strictly convex } \kappa \text{ equality iff all } "
        r"p_i = \tfrac1M \text{ and all } \langle u_i, u_j \rangle,\ i \ne j, \text{ are equal, or "
        r"all } u_i \text{ with } p_i > 0 \text{ coincide}"
    ),
    source="theory.md E1 (this project's reconstruction)",
    subject=energy_inequality,
    evidence=(
        Evidence(Kind.PROOF, "Jensen's inequality in symbolic moments, every M", _proof),
        Evidence(
            Kind.CERTIFICATE,
            "1, 3 and 6 mergings of two masses, identities that SymPy closes; the loss of each is "
            "λ(1-λ)(x-y)² times an average of κ''/2, and balls give κ'' > 0 up to the ends",
            _chain,
            covers="M = 2, 3, 4, all weights and correlations, the kernels of degree 1",
        ),
        Evidence(
            Kind.CERTIFICATE,
            "balls and mean-value forms of the closed form of κ, away from equality",
            _direct,
            covers="ReLU; M = 2, p = (1 ± x)/2, 1/8 <= x <= 7/8, ρ <= 3/4; equal weights: M = 3, "
            "one ρ <= -1/4, two >= 0, and M = 4, ρ_12 <= -1/2, ρ_34 >= 0, the other four equal "
            "and >= 0",
        ),
        Evidence(
            Kind.PRECISION,
            "the case of equality against the defining integral",
            _equality,
            covers="equal weights on equiangular cones",
        ),
        Evidence(Kind.PROPERTY, "search for a counterexample, M <= 40", _search),
    ),
    mutants=(
        Mutant(
            "the mean over M instead of M - 1",
            lambda c: replace(c, bound=_bound_with(lambda m: 1 / m, lambda m, q: (m * q - 1) / m)),
        ),
        Mutant(
            "κ(1)/(M - 1) instead of κ(1)/M",
            lambda c: replace(
                c, bound=_bound_with(lambda m: 1 / (m - 1), lambda m, q: (m * q - 1) / (m - 1))
            ),
        ),
        Mutant(
            "a kernel that is not convex (of the sign function)",
            lambda c: replace(c, kernels=(dual_kernel("sign"),)),
        ),
    ),
)

CLAIMS: tuple[Claim[Any], ...] = (E1,)
