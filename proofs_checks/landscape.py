"""Claims E4n, E5n and E6 (theory.md 4): numerical attacks on E4 and E5, and the landscape of F."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import sympy
from numpy.random import Generator
from numpy.typing import NDArray

from proofs_checks.descents_of_f import descent_of_f
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp import objectives
from symcomp.kernels import dual_kernel
from symcomp.optima import optimum

Array: TypeAlias = NDArray[np.float64]
Value: TypeAlias = Callable[[int, str], float]
Case: TypeAlias = tuple[int, str]

BETAS = ("0.05", "0.2", "0.35", "0.5", "0.65", "0.8", "0.95")


@cache
def claimed(M: int, beta: str) -> float:
    """min F at τ = 1 by E4."""
    return float(optimum("relu", M, beta, digits=17).value)


# ---- starts made to break the claim --------------------------------------------------------------


def _gaussian(M: int, d: int, rng: Generator) -> Array:
    theta: Array = rng.standard_normal((M, d)) / d**0.5
    return theta


def _opposite(M: int, d: int, rng: Generator) -> Array:
    """All neurons near -v."""
    theta = 0.05 * rng.standard_normal((M, d))
    theta[:, 0] -= 1
    return theta


def _uneven(M: int, d: int, rng: Generator) -> Array:
    """Norms over three decades."""
    return _gaussian(M, d, rng) * np.exp(rng.uniform(-5, 2, (M, 1)))


def _plane(M: int, _: int, rng: Generator) -> Array:
    """Fewer dimensions than the cone needs: only the bound is claimed there."""
    return _gaussian(M, 2, rng)


ROOMY = (_gaussian, _opposite, _uneven)


def _finding(figure: str, bad: list[str], runs: int) -> Finding:
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    return Finding(outcome, figure, runs, runs, runs, "; ".join(bad))


# ---- E4n -----------------------------------------------------------------------------------------


def cases(every: bool = False) -> Iterator[Case]:
    """M = 2..16 with one or (M <= 6) two β each that pass through (0, 1), or with every β."""
    for M in range(2, 17):
        few = {M % 7, (M + 3) % 7} if M <= 6 else {3 * M % 7}
        chosen = range(len(BETAS)) if every else sorted(few)
        yield from ((M, BETAS[i]) for i in chosen)


def attack(value: Value, settings: Settings, which: Iterator[Case]) -> Finding:
    """Descents with b = 1 from four kinds of starts in every case: attained, and nothing below."""
    rng, runs, below, off = np.random.default_rng(settings.seed), 0, np.inf, 0.0
    bad: list[str] = []
    for M, beta in which:
        wanted = value(M, beta)
        found = [descent_of_f(beta, make(M, M + 1, rng), tol=1e-8)[0] for make in ROOMY]
        best = min(f.value() for f in found) - wanted
        if M > 2:
            found.append(descent_of_f(beta, _plane(M, 2, rng), tol=1e-5, maxiter=500)[0])
        margins = [f.value() - wanted for f in found]
        runs, below, off = runs + len(found), min(below, *margins), max(off, best)
        least = int(np.argmin(margins))
        if margins[least] < -found[least].slack():
            bad.append(f"F lower by {-margins[least]:.3g} at {found[least]}")
        elif best > 1e-12:
            bad.append(f"M = {M}, β = {beta}: no start reached the value, {best:.3g} short")
        if bad:
            break
    figure = (
        f"{runs} descents; best of each case within {off:.1g} above the value, {-below:.1g} below"
    )
    return _finding(figure, bad, runs)


def on_simplex(M: int, beta: str) -> float:
    """F at its best radius on a simplex orthogonal to v, the member s = 0 of the cone family."""
    value = objectives.cone_value(dual_kernel("relu"), sympy.Integer(M), sympy.Rational(beta))
    return float(value.subs(objectives.S, 0))


VALUE_MUTANTS = (
    Mutant[Value]("a value 0.1% too high", lambda value: lambda M, beta: 1.001 * value(M, beta)),
    Mutant[Value]("M - 1 in place of M", lambda value: lambda M, beta: value(M - 1, beta)),
    Mutant[Value]("the simplex in place of the cone", lambda _: on_simplex),
)

E4N = Claim[Value](
    id="E4n",
    title="Numerical attacks on E4: no network with nonnegative outer weights is below the cone",
    statement=(
        r"\text{ReLU},\ 0<\beta<1,\ M\ge2,\ b_j=1:\quad \min_\theta F/\tau^2 = h(\beta^2) - "
        r"\max_s h(\beta s)^2/E(s)\ \text{ for } d\ge M,\ \text{ and } F \text{ is nowhere lower, "
        r"whatever } d"
    ),
    source="theory.md E4 (this project's reconstruction; the abstract's conjecture)",
    subject=lambda: claimed,
    evidence=(
        Evidence(
            Kind.STATISTICS,
            "descents from Gaussian, opposite, uneven and plane starts; 1e-12 either way",
            lambda value, settings: attack(value, settings, cases()),
            covers="M = 2..16, one or two β each out of seven in (0, 1)",
        ),
    ),
    mutants=(
        *VALUE_MUTANTS,
        Mutant[Value]("a value 0.1% too low", lambda f: lambda M, beta: 0.999 * f(M, beta)),
    ),
)


# ---- E5n -----------------------------------------------------------------------------------------

# E5's proof in proofs.md ends at β0(M) = 0.617, 0.579, 0.545, 0.516, 0.492 for M = 2..6
BEYOND = tuple((M, beta) for M in range(2, 7) for beta in ("0.3", "0.7", "0.95"))


def _mixed(M: int, d: int, rng: Generator) -> tuple[Array, Array]:
    return _gaussian(M, d, rng), rng.standard_normal(M)


def _derivative(M: int, d: int, rng: Generator) -> tuple[Array, Array]:
    """Two nearly equal neurons with large opposite weights: a derivative in their direction."""
    theta, b = _gaussian(M, d, rng), np.abs(rng.standard_normal(M))
    theta[1] = theta[0] + 0.05 * rng.standard_normal(d)
    b[0], b[1] = 20, -19
    return theta, b


def _mostly_negative(M: int, d: int, rng: Generator) -> tuple[Array, Array]:
    b = -np.abs(rng.standard_normal(M))
    b[0] = 2.0 * M
    return _gaussian(M, d, rng), b


SIGNED = (_mixed, _mixed, _derivative, _mostly_negative)


def signed_attack(
    value: Value, settings: Settings, which: tuple[Case, ...], repeats: int = 1
) -> Finding:
    """Descents over Theta and b together; none below, and from b > 0 the value is attained."""
    rng, runs, below, negative = np.random.default_rng(settings.seed), 0, np.inf, 0
    bad: list[str] = []
    for M, beta in which:
        wanted = value(M, beta)
        starts = [make(M, M + 1, rng) for make in SIGNED for _ in range(repeats)]
        starts.append((_gaussian(M, M + 1, rng), np.ones(M)))
        found = [descent_of_f(beta, T, b, tol=1e-8, maxiter=400)[0] for T, b in starts]
        margins = [f.value() - wanted for f in found]
        runs, below = runs + len(found), min(below, *margins)
        negative += sum(bool(f.b.min() < 0) for f in found)
        least = int(np.argmin(margins))
        if margins[least] < -found[least].slack():
            bad.append(f"F lower by {-margins[least]:.3g} at {found[least]}")
        elif margins[-1] > 1e-9:
            bad.append(f"M = {M}, β = {beta}: no start reached the value")
        if bad:
            break
    figure = (
        f"{runs} descents, {negative} of them ending with a negative weight; none more than "
        f"{-below:.1g} below"
    )
    return _finding(figure, bad, runs)


E5N = Claim[Value](
    id="E5n",
    title="Numerical attacks on E5: negative outer weights do not help, at large β either",
    statement=(
        r"\text{ReLU},\ 0<\beta<1,\ M\ge2,\ b\in\mathbb R^M:\quad F/\tau^2 \ge h(\beta^2) - "
        r"\max_s h(\beta s)^2/E(s)"
    ),
    source="theory.md E5 (this project's reconstruction)",
    subject=lambda: claimed,
    evidence=(
        Evidence(
            Kind.STATISTICS,
            "descents over Θ and b from mixed signs, near-derivatives, mostly negative weights",
            lambda value, settings: signed_attack(value, settings, BEYOND),
            covers="M = 2..6, β = 0.3 and, beyond β0(M), 0.7 and 0.95",
        ),
    ),
    mutants=VALUE_MUTANTS,
)


# ---- E6 ------------------------------------------------------------------------------------------

POSITIVE = tuple((M, beta) for M in range(2, 7) for beta in ("0.1", "0.5", "0.9"))
FREE = tuple((M, beta) for M in range(2, 5) for beta in ("0.1", "0.5", "0.9"))
EACH, EACH_FREE = 48, 32  # 720 and 288 starts


@dataclass(frozen=True)
class Landscape:
    """With b = 1 every start ends at value(M, β); with free signs some end at worse minima."""

    value: Value
    all_reach: bool = True
    bad_ones: bool = True


@dataclass
class _Tally:
    """Ends of descents: at the value, elsewhere though converged, or not converged."""

    reached: int = 0
    worse: int = 0
    fewer: int = 0  # of the worse ones, those at the optimum of fewer neurons
    open: int = 0

    @property
    def runs(self) -> int:
        return self.reached + self.worse + self.open


def _positive_starts(claim: Landscape, settings: Settings, each: int = EACH) -> Finding:
    """A start that ends elsewhere is pushed once off its point, lest that be a saddle."""
    rng, tally, bad = np.random.default_rng(settings.seed), _Tally(), list[str]()
    for M, beta in POSITIVE:
        wanted = claim.value(M, beta)
        for _ in range(each):
            found, _run = descent_of_f(beta, _gaussian(M, M + 1, rng), tol=1e-6, maxiter=1000)
            if abs(found.value() - wanted) > 1e-9:
                pushed = found.Theta + 1e-3 * rng.standard_normal(found.Theta.shape)
                found, _run = descent_of_f(beta, pushed)
            if abs(found.value() - wanted) <= 1e-9:
                tally.reached += 1
                continue
            tally.worse += 1
            bad.append(f"F = {found.value():.12g} against {wanted:.12g} at {found}")
            if claim.all_reach:
                return _finding(f"start {tally.runs}", bad, tally.runs)
    figure = f"b = 1: {tally.reached} of {tally.runs} starts reach the value to 1e-9"
    if not claim.all_reach:
        bad = [] if tally.worse else [f"no other minimum in {tally.runs} starts"]
    return _finding(figure, bad, tally.runs)


def _free_starts(claim: Landscape, settings: Settings, each: int = EACH_FREE) -> Finding:
    rng, tally, bad = np.random.default_rng(settings.seed), _Tally(), list[str]()
    for M, beta in FREE:
        wanted = claim.value(M, beta)
        smaller = [claimed(m, beta) for m in range(1, M)]
        for _ in range(each):
            found, _run = descent_of_f(beta, *_mixed(M, M + 1, rng), tol=1e-6, maxiter=120)
            end = found.value()
            if end < wanted - found.slack():
                return _finding(
                    f"start {tally.runs + 1}", [f"F = {end:.12g} at {found}"], tally.runs + 1
                )
            if end <= wanted + 1e-7:
                tally.reached += 1
            elif found.residual <= 1e-6:
                tally.worse += 1
                tally.fewer += any(abs(end - other) <= 1e-7 for other in smaller)
                if not claim.bad_ones:
                    return _finding(f"start {tally.runs}", [f"a worse end at {found}"], tally.runs)
            else:
                tally.open += 1
    figure = (
        f"free signs: {tally.reached} of {tally.runs} starts reach it to 1e-7, {tally.worse} end "
        f"at worse points of vanishing slope ({tally.fewer} of them at the optimum of fewer "
        f"neurons), {tally.open} were still descending"
    )
    if claim.bad_ones and not tally.worse:
        bad.append("no worse end")
    return _finding(figure, bad, tally.runs)


def _landscape_mutant(mutant: Mutant[Value]) -> Mutant[Landscape]:
    return Mutant(mutant.name, lambda claim: replace(claim, value=mutant.change(claim.value)))


E6 = Claim[Landscape](
    id="E6",
    title="Landscape of F: one value with b = 1, worse ends with free signs",
    statement=(
        r"\text{ReLU},\ d>M,\ b_j=1:\ \text{every descent of } F \text{ from a Gaussian start ends "
        r"at } \min F;\quad b \text{ free: some end at worse points of vanishing slope.}\quad "
        r"\text{This does not contradict Safran and Shamir (arXiv:1712.08968), who prove, with the "
        r"computer's help, that the loss } L_N \text{ of a target of } N=k \text{ orthonormal "
        r"neurons has spurious minima with } M=k \text{ neurons, } 6\le k\le20 \text{, and unit "
        r"outer weights: their target has finitely many neurons, } F \text{ is the limit of many "
        r"random ones and sees them through } \tau \text{ and } \mu \text{ alone}"
    ),
    source="theory.md E6 (this project's reconstruction), a conjecture",
    subject=lambda: Landscape(claimed),
    evidence=(
        Evidence(
            Kind.STATISTICS,
            "descents over Θ and b from Gaussian starts",
            _free_starts,
            covers="M = 2..4, d = M + 1, β = 0.1, 0.5, 0.9",
        ),
        Evidence(
            Kind.STATISTICS,
            "descents from Gaussian starts with b = 1",
            _positive_starts,
            covers="M = 2..6, d = M + 1, β = 0.1, 0.5, 0.9",
        ),
    ),
    mutants=(
        *(_landscape_mutant(mutant) for mutant in VALUE_MUTANTS),
        Mutant[Landscape]("free signs are as good", lambda c: replace(c, bad_ones=False)),
    ),
)

CLAIMS: tuple[Claim[Any], ...] = (E4N, E5N, E6)
