"""Claim S7: at which rates the loss becomes the simplified objective, in N and in d, for ReLU.

Rates in d are exact values at growing d (no sampling). Rates in N are slopes of simulated means,
with intervals; at μ = 0 all that a drawn target is compared with is exact (S6e, S2i).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, TypeAlias

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from proofs_checks import dimension, laws
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from proofs_checks.slopes import Remainder, Slope, fitted, orders
from symcomp import objectives
from symcomp.codegen import generate
from symcomp.kernels import dual_kernel
from symcomp.networks import draw_weights
from symcomp.objectives import TAU, D

Array: TypeAlias = NDArray[np.float64]

_SOURCE = "theory.md section 3, S7; this project's reconstruction"

# what, and how its rate is meant: as a power of d or of N
IN_D = MappingProxyType(
    {
        "|ḡ - g|, the least bound for all θ, b, M": -0.5,
        "E K(w,u) - K°": -1.0,
        "F_d - F at fixed θ": -1.0,
        "√F_d - √F at fixed θ": -1.0,
        "√F_d - √F, worst two neurons": -1.0,
    }
)
IN_N = MappingProxyType(
    {
        "ξ": -0.5,
        "√L_N - √F_d at fixed θ": -0.5,
        "L_N - F_d at fixed θ": -0.5,
        "√L_N - √F_d, worst two neurons": -0.5,
    }
)
AT_MINIMUM = MappingProxyType({"β = 0": -0.5, "β = 1/2": -1.0})


@dataclass(frozen=True)
class Rates:
    """Exponents of d, of N, and of N for E min L_N - min F_d - V/N."""

    in_dimension: Mapping[str, float] = field(default_factory=lambda: IN_D)
    in_nodes: Mapping[str, float] = field(default_factory=lambda: IN_N)
    at_minimum: Mapping[str, float] = field(default_factory=lambda: AT_MINIMUM)


@cache
def _module() -> ModuleType:
    return generate("relu").load()


@cache
def _constant(d: int) -> float:
    """c_0(d) at τ = 1 (S6e)."""
    expr = objectives.mean_field_constant(dual_kernel("relu"))
    return float(expr.subs({TAU: 1, D: d}))


# ---- in d ----------------------------------------------------------------------------------------

_DIMENSIONS = (16, 800, 1600)  # two decades; the slope is that of the last doubling
_THETA = np.array([[0.9, 0.3], [-0.4, 0.6], [0.2, -1.1]])
_B = np.array([1.0, 0.5, 1.5])
_BETA = 0.6  # of a target with a mean, along the first axis


def _dimension_rates(claim: Rates, _: Settings) -> Finding:
    values = _at_dimensions()
    return orders(
        Remainder(name, _DIMENSIONS, values[name], -order)
        for name, order in claim.in_dimension.items()
    )


@cache
def _at_dimensions() -> dict[str, list[float]]:
    quantities: tuple[Callable[[int], float], ...] = (
        _distance,
        lambda d: _cross(d, 0.4) - _limit(0.4),
        lambda d: _finite(d) - _finite(None),
        lambda d: float(np.sqrt(_finite(d)) - np.sqrt(_finite(None))),
        _worst_two,
    )
    return {
        name: [quantity(d) for d in _DIMENSIONS]
        for name, quantity in zip(IN_D, quantities, strict=True)
    }


def _distance(d: int) -> float:
    """At μ = 0, where S6's bound is an equality."""
    value = objectives.mean_distance(dual_kernel("relu"), sympy.Integer(d)).subs(TAU, 1)
    return float(sympy.N(value, 30))


@cache
def _relu() -> laws.Kernel:
    return laws.kernel_of(dual_kernel("relu"))


def _cross(d: int, t: float) -> float:
    """E K(w, u) at β = _BETA, <v,u> = t."""
    return laws.plane_rule("gaussian", d, _BETA, t).mean(_relu())


def _limit(t: float) -> float:
    return float(_relu()(np.ones(1), np.array([_BETA * t]))[0])


@cache
def _finite(d: int | None) -> float:
    """F_d at β = _BETA and fixed θ, b in the plane of μ; with None its limit F."""
    lengths = np.linalg.norm(_THETA, axis=1)
    cosines = _THETA[:, 0] / lengths
    means = np.array([_limit(t) if d is None else _cross(d, t) for t in cosines])
    own = _B @ _module().kernel(_THETA, _THETA) @ _B / len(_B) ** 2
    target = _limit(_BETA) if d is None else dimension.mean_target_square(_BETA, d)
    return float(target - 2 * np.mean(_B * lengths * means) + own)


def _worst_two(d: int) -> float:
    """sup over two neurons of √F - √F_d at μ = 0: a function of Σ|θ_j| and 𝓔 >= E_2 (E1) alone.

    √F - √F_d = (F - F_d)/(√F + √F_d) and F - F_d = 2 (c_0 - c) R rises with R = Σ|θ_j|/2, while
    both losses rise with 𝓔: so 𝓔 is least, and one variable is left.
    """
    energy = float(objectives.energy_bound(dual_kernel("relu"), sympy.Integer(2), sympy.S.Zero))
    level = 1 / (2 * np.pi)
    c = _constant(d)

    def gap(R: float) -> float:
        base = level + energy * R * R
        F, Fd = base - 2 * level * R, base - 2 * c * R
        return float(2 * (c - level) * R / (F**0.5 + Fd**0.5))

    found = minimize_scalar(lambda R: -gap(R), bounds=(0, 20), method="bounded")
    return -float(found.fun)


# ---- in N ----------------------------------------------------------------------------------------

_COUNTS = ((10, 400), (30, 400), (100, 200), (300, 80), (1000, 12))  # N and targets
_PLANE = 3  # d
# Large, so that V/N is small beside the fluctuation even at N = 10.
_NETWORK = np.array([[3.6, 0.6, 1.2], [-0.9, 1.5, -2.4]])


def _finite_objective(Theta: Array, d: int) -> tuple[float, Array]:
    """F_d and its gradient at μ = 0, τ = 1: F with 2π c_0 in place of τ, up to a constant."""
    tau = 2 * np.pi * _constant(d)
    value, grad, _ = _module().simplified_and_grad(tau, np.zeros(d), Theta)
    return float(value) + (1 - tau**2) / (2 * np.pi), grad


@cache
def _drawn(seed: int) -> dict[str, tuple[Array, Array]]:
    """Root mean squares over targets, one for each N, with their standard errors."""
    module = _module()
    limit, _ = _finite_objective(_NETWORK, _PLANE)
    names = list(IN_N)[:3]
    means: dict[str, list[float]] = {name: [] for name in names}
    errors: dict[str, list[float]] = {name: [] for name in names}
    for count, targets in _COUNTS:
        rows = draw_weights(count * targets, _PLANE, seed=seed + count)
        own = np.array([module.kernel(w, w).mean() for w in rows.reshape(-1, count, _PLANE)])
        cross = module.kernel(rows, _NETWORK).reshape(-1, count, 2).mean(axis=(1, 2))
        losses = own - 2 * cross + module.kernel(_NETWORK, _NETWORK).mean()
        lengths = np.linalg.norm(rows, axis=1).reshape(-1, count).mean(axis=1)
        squares = (
            own - 2 * _constant(_PLANE) * lengths + 1 / (2 * np.pi),
            (np.sqrt(losses) - limit**0.5) ** 2,
            (losses - limit) ** 2,
        )
        for name, square in zip(names, squares, strict=True):
            root = float(np.sqrt(square.mean()))
            means[name].append(root)
            errors[name].append(float(square.std(ddof=1)) / len(square) ** 0.5 / (2 * root))
    return {name: (np.array(means[name]), np.array(errors[name])) for name in names}


_WORST = ((10, 12), (100, 12), (1000, 12))


@cache
def _adversarial(seed: int) -> tuple[Array, Array, float]:
    """Means over targets of the largest |√L_N - √F_d| found, their errors, and the most of ξ."""
    means, errors, most = [], [], 0.0
    for count, targets in _WORST:
        rows = draw_weights(count * targets, _PLANE, seed=seed + 7 * count)
        found = []
        for k, w in enumerate(rows.reshape(-1, count, _PLANE)):
            worst, xi = _worst_found(w, seed + k)
            most = max(most, worst / xi)
            found.append(worst)
        means.append(float(np.mean(found)))
        errors.append(float(np.std(found, ddof=1)) / targets**0.5)
    return np.array(means), np.array(errors), most


def _worst_found(w: Array, seed: int) -> tuple[float, float]:
    """The largest |√L_N - √F_d| by L-BFGS over two neurons, both signs, and ξ."""
    target = _module().Target(w)
    rng = np.random.default_rng(seed)

    def gap(flat: Array, sign: int) -> tuple[float, Array]:
        Theta = flat.reshape(2, _PLANE)
        loss, slope, _ = _module().loss_and_grad(target, Theta)
        limit, rise = _finite_objective(Theta, _PLANE)
        value = loss**0.5 - limit**0.5
        grad = slope / (2 * loss**0.5) - rise / (2 * limit**0.5)
        return -sign * float(value), -sign * grad.ravel()

    start = rng.standard_normal(2 * _PLANE)
    worst = max(
        -minimize(gap, start, args=(sign,), jac=True, method="L-BFGS-B").fun for sign in (1, -1)
    )
    own = float(_module().kernel(w, w).mean())
    lengths = float(np.linalg.norm(w, axis=1).mean())
    return float(worst), (own - 2 * _constant(_PLANE) * lengths + 1 / (2 * np.pi)) ** 0.5


def _sample_rates(claim: Rates, settings: Settings) -> Finding:
    drawn = _drawn(settings.seed)
    means, errors, most = _adversarial(settings.seed)
    slopes = {
        name: fitted([count for count, _ in _COUNTS], *drawn[name]) for name in list(IN_N)[:3]
    }
    slopes[list(IN_N)[3]] = fitted([count for count, _ in _WORST], means, errors)
    sizes = ", ".join(f"{targets} of N = {count}" for count, targets in _COUNTS)
    told = f"targets: {sizes}; worst networks reach {most:.2f} of ξ"
    bad = "" if most <= 1 + 1e-6 else f"a network beyond ξ: {most:.3f} of it"
    return _compared(slopes, claim.in_nodes, f"d = {_PLANE}, {told}", bad)


def _compared(
    slopes: Mapping[str, Slope], claimed: Mapping[str, float], told: str, bad: str = ""
) -> Finding:
    wrong = [
        f"{name}: {slope}, claimed {claimed[name]:g}"
        for name, slope in slopes.items()
        if not slope.contains(claimed[name])
    ]
    level = next(iter(slopes.values())).level
    shown = "; ".join(f"{name}: {slope}" for name, slope in slopes.items())
    wrong += [bad] if bad else []
    outcome = Outcome.FAILS if wrong else Outcome.HOLDS
    count = len(slopes)
    figure = f"slopes at {level:.2%}: {shown}; {told}"
    return Finding(outcome, figure, count, count, count, "; ".join(wrong))


# ---- at the minimum ------------------------------------------------------------------------------

_DEPTH = 5  # d
_MINIMA = ((200, 200), (800, 120), (3200, 40), (12800, 12))


def _minimum_rates(claim: Rates, settings: Settings) -> Finding:
    """One neuron: E min L_N - min F_d - V/N is the mean of min L_N - L_N(θ*), θ* the best for F_d.

    By S2 E L_N(θ*) = F_d(θ*) + V/N, exactly.
    """
    slopes = {
        name: fitted([count for count, _ in _MINIMA], *_gains(beta, settings.seed))
        for name, beta in (("β = 0", 0.0), ("β = 1/2", 0.5))
    }
    sizes = ", ".join(f"{targets} of N = {count}" for count, targets in _MINIMA)
    return _compared(slopes, claim.at_minimum, f"d = {_DEPTH}, M = 1, targets: {sizes}")


@cache
def _gains(beta: float, seed: int) -> tuple[Array, Array]:
    """Means over targets, for each N, of L_N(θ*) - min L_N, and their standard errors.

    L_N(r u) = own - 2 r C_N(u) + r²/2, so r = 2 C_N(u), and θ* = 2 c v with c = E K(w, v).
    """
    c = _constant(_DEPTH) if beta == 0 else _mean_along(beta)
    means, errors = [], []
    for count, targets in _MINIMA:
        rows = draw_weights(count * targets, _DEPTH, beta=beta, seed=seed + 3 * count)
        w = rows.reshape(targets, count, _DEPTH)
        at_star = _direction_mean(w, np.broadcast_to(np.eye(1, _DEPTH), (targets, _DEPTH)))[0]
        best = _largest_mean(w)
        gain = 2 * best**2 - 4 * c * at_star + 2 * c**2
        means.append(float(gain.mean()))
        errors.append(float(gain.std(ddof=1)) / targets**0.5)
    return np.array(means), np.array(errors)


def _mean_along(beta: float) -> float:
    """E K(w, v) at d = _DEPTH by Gauss-Legendre in <w,v> and the norm of the rest."""
    s = np.sqrt((1 - beta) * (1 + beta) / _DEPTH)
    x, p = np.polynomial.legendre.leggauss(200)
    x, p = 10 * x, p * np.exp(-50 * x**2)
    r, q = np.polynomial.legendre.leggauss(200)
    r = 6 * (r + 1)
    q = q * r ** (_DEPTH - 2) * np.exp(-(r**2) / 2)
    along = beta + s * x[:, None]
    values = _relu()(along**2 + (s * r) ** 2, along + 0 * r)
    return float(p @ values @ q / (p.sum() * q.sum()))


def _direction_mean(w: Array, u: Array) -> tuple[Array, Array]:
    """C_N(u) of each target and its gradient in u, |u| = 1: Σ|w| (sqrt(1-ρ²) u + (π - α) w/|w|)."""
    lengths = np.linalg.norm(w, axis=2)
    along = np.einsum("rnd,rd->rn", w, u)
    rho = np.clip(along / lengths, -1, 1)
    across = np.sqrt((1 - rho) * (1 + rho)) * lengths
    angle = np.pi - np.arccos(rho)
    grad = across.mean(axis=1)[:, None] * u + np.einsum("rn,rnd->rd", angle, w) / w.shape[1]
    return np.einsum("rd,rd->r", grad, u) / (2 * np.pi), grad / (2 * np.pi)


def _largest_mean(w: Array) -> Array:
    """max over |u| = 1 of C_N(u), from the direction of the mean of the w.

    u <- ∇C_N - γu, normalised. C_N is convex, so γ = 0 never lowers it; but for isotropic w its
    curvature along the sphere is nearly 0, and only γ near <u, ∇C_N> gets anywhere.
    """
    start = w.mean(axis=1)
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    best: Array = np.zeros(len(w))
    for share, rounds in ((0.0, 15), (1 - min(1.0, 3 / w.shape[1] ** 0.5), 25)):
        u = start
        for _ in range(rounds):
            values, grad = _direction_mean(w, u)
            best = np.maximum(best, values)
            u = grad - share * values[:, None] * u
            u /= np.linalg.norm(u, axis=1, keepdims=True)
    return best


def _wrong(part: str, name: str, exponent: float) -> Mutant[Rates]:
    """Another exponent for one quantity."""
    return Mutant(
        f"{name}: exponent {exponent:g}",
        lambda claim: replace(claim, **{part: {**getattr(claim, part), name: exponent}}),
    )


S7 = Claim(
    id="S7",
    title="Rates in N and d at which the loss becomes the simplified objective (ReLU)",
    statement=(
        r"|\sqrt{L_N}-\sqrt F|\le\xi+|\bar g-g|=O(N^{-1/2})+O(d^{-1/2})\text{ for all }"
        r"\theta,b,M,\text{ both exponents right for }\xi\text{ and }|\bar g-g|;\ "
        r"\text{for fixed }\theta\text{ or }M:\ \sqrt{F_d}-\sqrt F\text{ and }F_d-F\sim d^{-1},\ "
        r"\sqrt{L_N}-\sqrt{F_d}\sim N^{-1/2};\quad "
        r"\mathbb{E}\min L_N-\min F_d-\tfrac VN\sim-N^{-1}\text{ where }\arg\min F_d"
        r"\text{ is one point, }-N^{-1/2}\text{ at }\mu=0\text{, where it is an orbit of rotations}"
    ),
    source=_SOURCE,
    subject=Rates,
    evidence=(
        Evidence(
            Kind.PRECISION,
            "exact values and Gauss rules at d = 800, 1600",
            _dimension_rates,
            covers="the rates in d; β = 0 and 3/5",
        ),
        Evidence(
            Kind.STATISTICS,
            "simulated targets; L-BFGS for the worst network",
            _sample_rates,
            covers="the rates in N for N = 10..1000, d = 3, μ = 0",
        ),
        Evidence(
            Kind.STATISTICS,
            "simulated targets, each minimised",
            _minimum_rates,
            covers="M = 1, d = 5, N = 200..12800",
        ),
    ),
    mutants=(
        _wrong("in_dimension", "F_d - F at fixed θ", -0.5),
        _wrong("in_dimension", "√F_d - √F, worst two neurons", -0.5),
        _wrong("in_dimension", "|ḡ - g|, the least bound for all θ, b, M", -1.0),
        _wrong("in_dimension", "E K(w,u) - K°", -2.0),
        _wrong("in_nodes", "ξ", -1.0),
        _wrong("in_nodes", "√L_N - √F_d at fixed θ", -1.0),
        _wrong("in_nodes", "√L_N - √F_d, worst two neurons", -1.0),
        _wrong("at_minimum", "β = 0", -1.0),
        _wrong("at_minimum", "β = 1/2", -0.5),
    ),
    depends_on=("S3", "S6", "S6b", "S6e"),
)

CLAIMS: tuple[Claim[Any], ...] = (S7,)
