"""Claims K2c, K3c and K4c: series, shape and positivity of every kernel (theory.md 2).

The values compared are balls; μ_k are integrals of the hand-written σ of
`proofs_checks.reference`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations_with_replacement, pairwise
from typing import Any

import flint
import mpmath
import sympy
from flint import arb, fmpq
from mpmath import mpf

import symcomp
from proofs_checks import oracles
from proofs_checks.catalogue import Kernels, everything, kernel, with_value
from proofs_checks.checks import agreement
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from proofs_checks.reference import REFERENCE
from symcomp.balls import ball, exact, to_mpf
from symcomp.kernels import DualKernel

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
        with_value(
            "c doubled, and clipped",
            lambda ker, qu, qv, c, digits: ker.enclosure(
                qu, qv, 2 * exact(c) if 4 * exact(c) ** 2 <= exact(qu) * exact(qv) else c, digits
            ),
        ),
        with_value(
            "ρ → -ρ off the diagonal",
            lambda ker, qu, qv, c, digits: ker.enclosure(
                qu, qv, c if exact(c) ** 2 == exact(qu) * exact(qv) else -exact(c), digits
            ),
        ),
    ),
    depends_on=("K1c", "K4"),
)

CLAIMS: tuple[Claim[Any], ...] = (K2C, K3C, K4C)
