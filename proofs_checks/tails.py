"""Claim S4t: tails of the loss over drawn targets, for ReLU (theory.md section 3).

Tails are simulated, with Clopper-Pearson intervals.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import sympy
from scipy.stats import beta as beta_law
from sympy import Rational, Symbol

from proofs_checks import laws
from proofs_checks.checks import identities
from proofs_checks.deviations import SOURCE, SPREAD, Array, generated
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp.kernels import dual_kernel
from symcomp.networks import draw_weights
from symcomp.objectives import TAU, N, mean_field_constant

# ---- laws of entries beyond the Gaussian ---------------------------------------------------------

_sigma = Symbol("sigma", positive=True)  # s √d, the root of τ² - |μ|²
SKEWED = laws.TwoValued(Rational(1, 10))
# The width of a bounded entry, and the Lipschitz constant of x -> F^-1(Φ(x)), which makes the
# entry of a Gaussian: √3 (2Φ(x) - 1) for the uniform law, of slope at most 2 √3 φ(0) = √(6/π).
WIDTHS = {"rademacher": sympy.Integer(2), "skewed": SKEWED.values[0] - SKEWED.values[1]}
IMAGES = {"gaussian": sympy.S.One, "uniform": sympy.sqrt(6 / sympy.pi)}


def image_rows() -> Iterator[tuple[str, sympy.Expr, sympy.Expr]]:
    """x -> √3 (2Φ(x) - 1) = √3 erf(x/√2): uniform of variance 1, with slope √(6/π) exp(-x²/2)."""
    x = Symbol("x", real=True)
    image = sympy.sqrt(3) * sympy.erf(x / sympy.sqrt(2))
    slope = IMAGES["uniform"] * sympy.exp(-(x**2) / 2)
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
    rates = {name: N / (c * SPREAD) ** 2 for name, c in IMAGES.items()}
    rates |= {name: 4 * N / (c * _sigma) ** 2 for name, c in WIDTHS.items()}
    return Tails(rates)


def _rates_from_lipschitz(claim: Tails, _: Settings) -> Finding:
    """exp(-t²/(2L²)) for an L-Lipschitz function of Gaussians, L = c s/√(2N) by S4; and McDiarmid's
    exp(-2t²/Σ c_i²), a row moving X by at most c_i = |w_i - w_i'|/(√2 N) <= width σ/(√2 N).
    """
    rows = [
        (f"{name}: 1/(2L²)", claim.rates[name], 1 / (2 * (c * SPREAD) ** 2 / (2 * N)))
        for name, c in IMAGES.items()
    ]
    rows += [
        (f"{name}: 2/Σ c_i²", claim.rates[name], 2 / (N * (c * _sigma) ** 2 / (2 * N**2)))
        for name, c in WIDTHS.items()
    ]
    return identities([*rows, *image_rows()])


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
    module = generated()
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
    def rows() -> Iterator[Tail]:
        for setup in _LOSS_SETUPS:
            at = {N: setup.N, SPREAD: setup.s, _sigma: setup.s * setup.d**0.5}
            rate = float(claim.rates[setup.law].subs(at))
            for name, sample in _losses(setup, settings.seed).items():
                label = f"{setup.law}, N = {setup.N}, d = {setup.d}, β = {setup.beta}, {name}"
                # Thresholds where the bound of S4 itself is 0.3 and 0.02.
                true = float(_tails().rates[setup.law].subs(at))
                for p in (0.3, 0.02):
                    t = float(np.sqrt(-np.log(p) / true))
                    yield from both_sides(label, sample, t, float(np.exp(-rate * t * t)))

    return clopper_pearson(rows())


@dataclass(frozen=True)
class Tail:
    """How many of so many values are certainly, and possibly, beyond t, and the claimed bound."""

    label: str
    surely: int
    perhaps: int
    count: int
    bound: float


def both_sides(label: str, sample: Array, t: float, bound: float) -> Iterator[Tail]:
    """The mean is known to four of its standard errors; counts allow for that."""
    error = 4 * sample.std() / np.sqrt(len(sample))
    for side, values in (("above", sample - sample.mean()), ("below", sample.mean() - sample)):
        surely, perhaps = (int((values > t + sign * error).sum()) for sign in (1, -1))
        yield Tail(f"{label}, {side} {t:.3g}", surely, perhaps, len(sample), bound)


_LEVEL = 0.999


def clopper_pearson(rows: Iterable[Tail]) -> Finding:
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


def _lower(tail: Tail, alpha: float) -> float:
    if not tail.surely:
        return 0.0
    return float(beta_law.ppf(alpha / 2, tail.surely, tail.count - tail.surely + 1))


def _upper(tail: Tail, alpha: float) -> float:
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
    source=f"{SOURCE}, S4; the analogues for other entries are this project's",
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
            lambda c: Tails(c.rates | {"rademacher": 2 * N / SPREAD**2}),
        ),
    ),
    depends_on=("S4",),
)

CLAIMS: tuple[Claim[Any], ...] = (S4T,)
