"""Claim K2, the Hermite series of the ReLU kernel (theory.md section 2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import flint
import hypothesis
import mpmath
import sympy
from mpmath import mpf

import symcomp
from proofs_checks import oracles
from proofs_checks.checks import agreement, combine, falsify, identities, signs
from proofs_checks.kernels import (
    SIGMA,
    Derived,
    Row,
    real,
    relu,
)
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.reference import Real
from proofs_checks.strategies import correlations
from symcomp.balls import ball, exact
from symcomp.kernels import RHO

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
                yield f"μ_{k}", real(sympy.N(mu, settings.digits + 15)), wanted

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


CLAIMS: tuple[Claim[Any], ...] = (K2,)
