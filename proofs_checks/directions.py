"""Claims S5 and S5b: deviations in one direction, for ReLU (theory.md section 3).

Log moment generating functions are quadratures; tails are simulated.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st
from sympy import Rational

from proofs_checks import laws
from proofs_checks.checks import falsify, identities
from proofs_checks.deviations import SOURCE, SPREAD, Array, generated
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.tails import (
    IMAGES,
    SKEWED,
    WIDTHS,
    Setup,
    Tail,
    both_sides,
    clopper_pearson,
    image_rows,
)
from symcomp.kernels import dual_kernel
from symcomp.networks import draw_weights

# ---- S5: one direction ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Proxies:
    """log E exp(λ(K(w,u) - E K(w,u))) <= proxy λ² s² for |u| = 1, by law of the entries."""

    values: dict[str, sympy.Expr]


def _gaussian_proxy() -> Proxies:
    return Proxies({"gaussian": Rational(1, 8)})


def _other_proxies() -> Proxies:
    values = {name: width**2 / 8 for name, width in WIDTHS.items()}
    return Proxies({"uniform": IMAGES["uniform"] ** 2 / 8, **values})


def _proxy_rows(claim: Proxies, _: Settings) -> Finding:
    """f(z) = K(μ + sz, u) is s/2-Lipschitz and convex (K5). Gaussian entries: λ² (c s/2)²/2 by
    Herbst, c = 1, or the Lipschitz constant of the map that makes the entry. Entries in an interval
    of length Δ: f(z) - f(y) <= Σ |∂_i f(z)| Δ 1(z_i ≠ y_i), so λ² Δ² (s/2)²/2 by transport.
    And the tail of a mean of N: min over λ of exp(N(proxy λ² s² - λt)).
    """
    lam, t, v = sympy.symbols("lambda t v", positive=True)
    rows = list(image_rows())
    for name, value in claim.values.items():
        size = IMAGES[name] if name in IMAGES else WIDTHS[name]
        rows.append(
            (f"{name}: proxy", value * SPREAD**2 * lam**2, lam**2 * (size * SPREAD / 2) ** 2 / 2)
        )
    exponent = v * lam**2 * SPREAD**2 - lam * t
    (best,) = sympy.solve(sympy.diff(exponent, lam), lam)
    rows.append(
        ("exponent at its minimum", exponent.subs(lam, best), -(t**2) / (4 * v * SPREAD**2))
    )
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

    def rows() -> Iterator[Tail]:
        for law, value in claim.values.items():
            for setup in _DIRECTION_SETUPS.get(law, ()):
                sample = _directions(setup, settings.seed)
                rate = setup.N / (4 * float(value) * setup.s**2)
                label = f"{law}, N = {setup.N}, d = {setup.d}, β = {setup.beta}"
                # Thresholds at fractions of the one where the Gaussian bound is 0.02.
                full = np.sqrt(np.log(100) * setup.s**2 / (2 * setup.N))
                for t in (0.7 * full, full):
                    sides = tuple(both_sides(label, sample, float(t), 0.0))
                    surely, perhaps = (
                        sum(getattr(side, part) for side in sides) for part in ("surely", "perhaps")
                    )
                    bound = min(1.0, float(2 * np.exp(-rate * t * t)))
                    yield Tail(f"{label}, {t:.3g}", surely, perhaps, len(sample), bound)

    return clopper_pearson(rows())


@cache
def _directions(setup: Setup, seed: int) -> Array:
    """C_N(e_1) = (1/N) Σ K(w_i, e_1) of each target."""
    rows = draw_weights(setup.targets * setup.N, setup.d, setup.law, beta=setup.beta, seed=seed)
    first = np.eye(1, setup.d)
    means: Array = generated().kernel(rows, first).reshape(-1, setup.N).mean(axis=1)
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
    source=f"{SOURCE}, S5",
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
    source=f"{SOURCE}, S5; the analogues for other entries are this project's",
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

CLAIMS: tuple[Claim[Any], ...] = (S5, S5B)
