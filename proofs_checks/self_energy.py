"""Claim E7n (theory.md E7): convex nondecreasing activations without a degree of homogeneity."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import sympy
from flint import arb, fmpq
from numpy.typing import NDArray
from scipy.optimize import minimize

import symcomp
from proofs_checks.checks import combine, identities, signs
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp import objectives
from symcomp.antiderivatives import C
from symcomp.catalogue import Activation
from symcomp.kernels import DualKernel

Array: TypeAlias = NDArray[np.float64]
M = objectives.M

VARIANCES = (1, 4)  # q = |θ|²
SIZES = (2, 3, 5)
STARTS = 3
_TERMS = 40


@dataclass(frozen=True)
class SelfEnergy:
    """Activations claimed convex and nondecreasing, and the cosine of their best frame, in M."""

    names: tuple[str, ...]
    cosine: sympy.Expr


def decided() -> SelfEnergy:
    """Those of the catalogue whose shape the engine decides and that have no degree."""
    acts = map(symcomp.activation, symcomp.activations())
    chosen = (a.name for a in acts if a.degree is None and a.convex and a.nondecreasing)
    return SelfEnergy(tuple(chosen), -1 / (M - 1))


# ---- proof ---------------------------------------------------------------------------------------


def _proof(claim: SelfEnergy, _: Settings) -> Finding:
    """σ' >= 0 and σ'' >= 0 as a measure, line by line; then E1 at p = 1/M with κ = K(q, q, q·).

    By K1 ∂_c K = E σ'(X)σ'(Y) and ∂_c² K = E σ''(X)σ''(Y), means of products of what is >= 0: κ is
    nondecreasing and convex. E1 bounds the self-energy below by its value at t, and t >= -1/(M-1).
    """
    kappa = sympy.Function("kappa")
    ker = replace(_stand_in(), expr=kappa(C))
    square = sympy.Symbol("Q", nonnegative=True)
    t = (M * square - 1) / (M - 1)
    least = objectives.energy_bound(ker, M, sympy.S.Zero)
    rows = [
        (
            "E1's bound above its value at q = 0, by κ(t) - κ(-1/(M-1))",
            objectives.energy_bound(ker, M, square) - least,
            (1 - 1 / M) * (kappa(t) - kappa(-1 / (M - 1))),
        ),
        (
            "the frame with the claimed cosine attains that value",
            (M * kappa(sympy.S.One) + M * (M - 1) * kappa(claim.cosine)) / M**2,
            kappa(sympy.S.One) / M + (1 - 1 / M) * kappa(-1 / (M - 1)),
        ),
        ("its vectors add up to 0", M + M * (M - 1) * claim.cosine, sympy.S.Zero),
    ]
    more = sympy.Symbol("m", nonnegative=True)
    above = ("t + 1/(M-1), M = m + 2", sympy.factor((t + 1 / (M - 1)).subs(M, more + 2)), ">=0")
    shapes = [row for name in claim.names for row in _shape(symcomp.activation(name))]
    return combine(signs([*shapes, above]), identities(rows))


@cache
def _stand_in() -> DualKernel:
    return symcomp.dual_kernel("identity")


def _shape(act: Activation) -> Iterator[tuple[str, sympy.Expr, str]]:
    """σ' and σ'' on both half-lines and their jumps at 0, the only kink of these activations."""
    x = sympy.Symbol("x", positive=True)
    ends = []
    for sign, side in ((1, "x > 0"), (-1, "x < 0")):
        half = act.expr.subs(act.symbol, sign * x)  # Max(0, x) and Min(0, x) resolve by sign
        first = sympy.simplify(sign * sympy.diff(half, x))
        yield f"{act.name}: σ' at {side}", first, ">=0"
        yield f"{act.name}: σ'' at {side}", sympy.simplify(sign * sympy.diff(first, x)), ">=0"
        ends.append((sympy.limit(half, x, 0, "+"), sympy.limit(first, x, 0, "+")))
    (right, after), (left, before) = ends
    yield f"{act.name}: the jump of σ at 0", right - left, ">=0"
    yield f"{act.name}: the jump of σ' at 0", after - before, ">=0"


# ---- optimisation --------------------------------------------------------------------------------


def _many_starts(claim: SelfEnergy, settings: Settings) -> Finding:
    """M^-2 ΣΣ K(θ_i, θ_j) over directions at |θ|² = q: the least found is the simplex's."""
    bad, count, worst = [], 0, 0.0
    for name in claim.names:
        for q in VARIANCES:
            series, one = _series(name, q), float(_kernel(name).enclosure(q, q, q, 15))
            for m in SIZES:
                cosine = float(claim.cosine.subs(M, m))
                wanted = _energy_at(name, q, m, claim.cosine)
                energy, U = least_energy(series, one, m, settings.seed)
                apart = np.abs((U @ U.T)[~np.eye(m, dtype=bool)] - cosine).max()
                error = max(abs(energy - wanted) / one * 1e3, float(apart))
                count, worst = count + 1, max(worst, error)
                if not error < 1e-2:
                    bad.append(
                        f"{name}, q = {q}, M = {m}: {energy:.8f} against {wanted:.8f}, "
                        f"cosines off by {apart:.2g}"
                    )
    figure = f"{count} optima of {', '.join(claim.names)}, worst error {worst:.1g}"
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    return Finding(outcome, figure, count, count, count, "; ".join(bad[:3]))


@cache
def _series(name: str, q: int) -> tuple[float, ...]:
    """μ_k² of σ(√q z), k < 40, highest first: κ as a polynomial."""
    act = symcomp.activation(name)
    scaled = act.expr.subs(act.symbol, sympy.sqrt(q) * act.symbol)
    mu = (_kernel(name) if q == 1 else symcomp.dual_kernel(scaled)).hermite(_TERMS, 20)
    return tuple(float(m) ** 2 for m in reversed(mu))


def _energy_at(name: str, q: int, m: int, cosine: sympy.Expr) -> float:
    """The self-energy of equal cosines from enclosures of the kernel, not from the series."""
    ker, at = _kernel(name), cosine.subs(M, m)
    one, other = (ker.enclosure(q, q, c, 15) for c in (q, fmpq(int(at.p), int(at.q)) * q))
    return float((one + (m - 1) * other) / arb(m))


@cache
def _kernel(name: str) -> DualKernel:
    return symcomp.dual_kernel(name)


def least_energy(series: tuple[float, ...], one: float, m: int, seed: int) -> tuple[float, Array]:
    """The least M^-2 ΣΣ κ(ρ_ij) over m unit vectors in R^m from several starts, and the vectors.

    κ is the polynomial with these coefficients, highest first, for i ≠ j, and κ(1) = one.
    """
    polynomial = np.poly1d(series)
    slope = polynomial.deriv()
    rng = np.random.default_rng(seed)

    def energy(z: Array) -> tuple[float, Array]:
        theta = z.reshape(m, m)
        sizes = np.linalg.norm(theta, axis=1, keepdims=True)
        U = theta / sizes
        gram = np.clip(U @ U.T, -1, 1)
        values, slopes = polynomial(gram), slope(gram)
        np.fill_diagonal(values, one)
        np.fill_diagonal(slopes, 0.0)
        pull = 2 * slopes @ U / m**2
        pull -= np.sum(pull * U, axis=1, keepdims=True) * U
        return float(values.mean()), (pull / sizes).ravel()

    options: Any = {"maxiter": 1000, "ftol": 1e-16, "gtol": 1e-10}
    runs = (
        minimize(energy, rng.standard_normal(m * m), jac=True, method="L-BFGS-B", options=options)
        for _ in range(STARTS)
    )
    best = min(runs, key=lambda run: float(run.fun))
    theta = best.x.reshape(m, m)
    return float(best.fun), theta / np.linalg.norm(theta, axis=1, keepdims=True)


# ---- the claim -----------------------------------------------------------------------------------

E7N = Claim(
    id="E7n",
    title="Convex nondecreasing activations without a degree: the simplex has least self-energy",
    statement=(
        r"\sigma\text{ convex and nondecreasing},\ |\theta_i|^2=q,\ d\ge M-1:\quad "
        r"\frac1{M^2}\sum_{ij}K(\theta_i,\theta_j)\ \ge\ \frac{K^\circ(q,q,q)}M+\Bigl(1-\frac1M"
        r"\Bigr)K^\circ\Bigl(q,q,-\frac q{M-1}\Bigr),\quad\text{with equality at the simplex: "
        r"it minimises the self-energy among equal norms and equal weights}"
    ),
    source="theory.md E7 (this project's reconstruction)",
    subject=decided,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: the shape of σ line by line, E1 at equal weights and its growth in |q|",
            _proof,
            covers="all but the sign of a mean of a product of what is >= 0",
        ),
        Evidence(
            Kind.STATISTICS,
            f"L-BFGS over directions, {STARTS} starts, κ from {_TERMS} Hermite coefficients",
            _many_starts,
            covers="q = 1 and 4, M = 2, 3, 5, d = M",
        ),
    ),
    mutants=(
        Mutant("cosine -1/M", lambda c: replace(c, cosine=-1 / M)),
        Mutant("an orthonormal frame", lambda c: replace(c, cosine=sympy.Integer(0))),
        Mutant("cos taken for convex and nondecreasing", lambda c: replace(c, names=("cos",))),
        Mutant("the sigmoid taken for convex", lambda c: replace(c, names=("sigmoid",))),
    ),
    depends_on=("E1", "K1", "K3"),
)

CLAIMS: tuple[Claim[Any], ...] = (E7N,)
