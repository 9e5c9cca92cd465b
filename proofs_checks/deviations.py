"""Claims S3 and S4: how far a target moves the loss (theory.md section 3), for ReLU."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st
from numpy.typing import NDArray
from sympy import Rational, Symbol

import symcomp
from proofs_checks import strategies
from proofs_checks.checks import combine, falsify, identities, signs
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from symcomp.objectives import N

Array = NDArray[np.float64]

SOURCE = "theory.md section 3, this project's reconstruction"
# A vanishing norm is the square root of a cancelled sum: eps^(1/2), not eps.
_ROOT_OF_ROUNDING = 1e-6

_D, _O = sympy.symbols("D O", real=True)  # E K(w,w), E K(w,w')


@cache
def generated() -> ModuleType:
    """The module of ReLU, made once a process."""
    return symcomp.generate("relu").load()


# ---- S3: uniform over all compressed networks ----------------------------------------------------


@dataclass(frozen=True)
class UniformBound:
    """|√L_N - √F_d| <= factor · ξ, and E ξ² in terms of D, O and N."""

    factor: sympy.Rational
    mean_square: sympy.Expr


def _triangle(bound: UniformBound, _: Settings) -> Finding:
    """p = ḡ - f̂ and q = f_N - ḡ = (C/A) p + r with r orthogonal to p: A = |p|², R = |r|².

    (L + F - ξ²)² <= 4 L F gives L + F - 2 √L √F <= ξ². At f̂ = ḡ, F = 0 and √L = ξ: equality.
    """
    A, R = Symbol("A", positive=True), Symbol("R", nonnegative=True)
    C = Symbol("C", real=True)  # <p, q>
    xi2 = R + C**2 / A
    F, L = A, A + 2 * C + xi2
    gap = 4 * L * F - (L + F - bound.factor**2 * xi2) ** 2
    second = (N * _D + N * (N - 1) * _O) / N**2 - 2 * _O + _O
    return combine(
        identities(
            [
                ("4 L F - (L + F - ξ²)² = 4 |p|² |r|²", gap, 4 * A * R),
                ("reached at f̂ = ḡ", bound.factor**2 * xi2, xi2),
                ("E |f_N|² - 2 E <f_N, ḡ> + |ḡ|²", second, bound.mean_square),
            ]
        ),
        signs([("4 |p|² |r|² >= 0", sympy.expand(4 * A * R), ">=0")]),
    )


@st.composite
def _targets(draw: st.DrawFn) -> dict[str, Array]:
    """A law's support, neurons drawn from it, and a compressed network of both and others."""
    d = draw(st.integers(1, 3))
    support, _ = draw(strategies.networks(d=d, decades=2))
    indices = st.integers(0, len(support) - 1)
    drawn = support[draw(st.lists(indices, min_size=1, max_size=4))]
    free, b = draw(strategies.networks(N=draw(st.integers(1, 3)), d=d, decades=2))
    mix = st.integers(-8, 8).map(lambda k: k / 4)
    shares = np.array([draw(mix), draw(mix), draw(st.sampled_from((0.0, 1e-3, 1.0)))])
    return {"support": support, "drawn": drawn, "free": free, "b": b, "shares": shares}


def _every_network(bound: UniformBound, settings: Settings) -> Finding:
    """f̂ = p ḡ + q f_N + a free network: p + q = 1 with q <= 0 or q >= 1 reaches the bound."""

    def margin(case: dict[str, Array]) -> float:
        support, drawn, free = case["support"], case["drawn"], case["free"]
        rows = np.concatenate([support, drawn, free])
        mean = _weights(rows, 0, np.ones(len(support)))
        target = _weights(rows, len(support), np.ones(len(drawn)))
        rest = _weights(rows, len(support) + len(drawn), case["b"])
        p, q, r = case["shares"]
        compressed = p * mean + q * target + r * rest
        norm = _norms(rows)
        xi = norm(target - mean)
        apart = abs(norm(target - compressed) - norm(mean - compressed))
        scale = norm(np.abs(target) + np.abs(mean) + np.abs(compressed)) or 1.0
        return (float(bound.factor) * xi - apart) / scale

    return falsify(margin, {"case": _targets()}, settings, slack=_ROOT_OF_ROUNDING)


def _weights(rows: Array, start: int, outer: Array) -> Array:
    """Outer weights of a mean network that holds the rows from `start` on."""
    weights = np.zeros(len(rows))
    weights[start : start + len(outer)] = outer / len(outer)
    return weights


def _norms(rows: Array) -> Callable[[Array], float]:
    """c -> |Σ c_i σ(<row_i, x>)|, a square root of c' K c in float64."""
    K = generated().kernel(rows, rows)
    return lambda c: float(np.sqrt(max(c @ K @ c, 0.0)))


S3 = Claim(
    id="S3",
    title="Uniform over all compressed networks",
    statement=(
        r"\bigl|\sqrt{L_N}-\sqrt{F_d}\bigr|\le\xi=|f_N-\bar g|\ \text{for all }\theta,b,M,"
        r"\text{ with equality at }\hat f=\bar g;\quad\mathbb{E}\xi^2=V/N"
    ),
    source=f"{SOURCE}, S3",
    subject=lambda: UniformBound(sympy.S.One, (_D - _O) / N),
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: 4 L F - (L + F - ξ²)² as a Gram determinant; E ξ² from the double sum",
            _triangle,
        ),
        Evidence(
            Kind.PROPERTY,
            "Hypothesis: laws of finite support, f̂ free or mixed with ḡ and f_N",
            _every_network,
            covers="the bound",
        ),
    ),
    mutants=(
        Mutant("0.9 ξ", lambda u: replace(u, factor=Rational(9, 10))),
        Mutant("E ξ² = V/(N-1)", lambda u: replace(u, mean_square=u.mean_square * N / (N - 1))),
    ),
    depends_on=("S0", "S2"),
)


# ---- S4: how far the target's weights can move the loss ------------------------------------------

_G, SPREAD = Symbol("G", positive=True), Symbol("s", positive=True)  # |G - G'| and the deviation


@dataclass(frozen=True)
class Lipschitz:
    """The claimed Lipschitz constant, squared, of √L_N and ξ in G, in terms of s and N."""

    square: sympy.Expr


def _averaged(claim: Lipschitz, _: Settings) -> Finding:
    """|√L_N(W) - √L_N(W')|² <= |f_W - f_W'|² (S3's triangle), and with δ_i the i-th difference
    (mean δ)² = mean δ² - mean (δ - mean δ)² <= mean δ² <= (1/N) Σ |w_i - w_i'|²/2 (K5).
    Least values differ by no more than the functions do: inf f <= f(θ) <= h(θ) + sup |f - h|.
    """
    Q, m = sympy.symbols("Q m", real=True)  # mean of δ², mean of δ
    w = Symbol("w", positive=True)
    ker = symcomp.dual_kernel("relu")
    apart = 2 * w - w  # of √L_N, in units of √κ(1)
    return identities(
        [
            ("mean (δ - m)² = mean δ² - m²", Q - 2 * m * m + m**2, Q - m**2),
            ("(1/N) |s(G - G')|²/2", claim.square * _G**2, (SPREAD * _G) ** 2 / (2 * N)),
            (
                "reached at f̂ = 0, all w_i of length w, w_i' = 2 w_i",
                claim.square * N * (w / SPREAD) ** 2,
                ker.correlation.subs(ker.rho, 1) * apart**2,
            ),
        ]
    )


@st.composite
def _moves(draw: st.DrawFn) -> dict[str, Array]:
    """Two targets with the same number of neurons and one compressed network."""
    d, n = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    W, _ = draw(strategies.networks(N=n, d=d, decades=2))
    other, _ = draw(strategies.networks(N=n, d=d, decades=2))
    step = draw(st.sampled_from((1e-3, 0.5, 1.0, 2.0)))
    towards = draw(st.sampled_from(("other", "longer", "shorter")))
    V = {"other": other, "longer": (1 + step) * W, "shorter": W / (1 + step)}[towards]
    Theta, b = draw(strategies.networks(N=draw(st.integers(1, 3)), d=d, decades=2))
    return {"W": W, "V": V, "Theta": Theta, "b": b}


def _any_move(claim: Lipschitz, settings: Settings) -> Finding:
    def margin(case: dict[str, Array]) -> float:
        W, V, n = case["W"], case["V"], len(case["W"])
        rows = np.concatenate([W, V, case["Theta"]])
        first, second = (_weights(rows, k * n, np.ones(n)) for k in (0, 1))
        compressed = _weights(rows, 2 * n, case["b"])
        norm = _norms(rows)
        apart = abs(norm(first - compressed) - norm(second - compressed))
        several = [0 * compressed, compressed / 2, compressed]
        least = [min(norm(f - c) for c in several) for f in (first, second)]
        apart = max(apart, abs(least[0] - least[1]))
        scale = norm(first + second + np.abs(compressed)) or 1.0
        constant = float(sympy.sqrt(claim.square.subs({SPREAD: 1, N: n})))
        return (constant * float(np.linalg.norm(W - V)) - apart) / scale

    return falsify(margin, {"case": _moves()}, settings, slack=_ROOT_OF_ROUNDING)


S4 = Claim(
    id="S4",
    title="The loss is Lipschitz in the target's Gaussian weights (ReLU)",
    statement=(
        r"w_i=\mu+sG_i:\ \sqrt{L_N(\theta)},\text{ its least value over any set of }\theta,"
        r"\text{ and }\xi\text{ are }\tfrac{s}{\sqrt{2N}}"
        r"\text{-Lipschitz in }G\in\mathbb{R}^{N\times d}\text{ for every }\theta,b,M,"
        r"\text{ a constant reached (the deterministic half of the deviation bound)}"
    ),
    source=f"{SOURCE}, S4 without its Gaussian concentration",
    subject=lambda: Lipschitz(SPREAD**2 / (2 * N)),
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: the mean of N neurons against the bound of K5, symbolic N",
            _averaged,
        ),
        Evidence(Kind.PROPERTY, "Hypothesis: arbitrary moves of the weights", _any_move),
    ),
    mutants=(Mutant("s/√(3N)", lambda c: Lipschitz(c.square * Rational(2, 3))),),
    depends_on=("K5", "S3"),
)

CLAIMS: tuple[Claim[Any], ...] = (S3, S4)
