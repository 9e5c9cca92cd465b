"""Claims U1 and U2, beyond E4: its equality cases, and the best height."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy
from flint import arb, fmpq
from hypothesis import assume
from hypothesis import strategies as st
from mpmath import mpf
from numpy.typing import NDArray
from sympy import Expr, Rational, cos, cot, pi, sin, sqrt

from proofs_checks.checks import certify, combine, falsify, identities, signs
from proofs_checks.etf_forms import defect
from proofs_checks.etf_signs import kernel_of
from proofs_checks.etf_signs_small import cone
from proofs_checks.etf_tangents import SOURCE
from proofs_checks.etf_theorem import cone_optimum
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.strategies import configurations
from symcomp import objectives
from symcomp.balls import compiled
from symcomp.kernels import RHO, DualKernel, dual_kernel

Array: TypeAlias = NDArray[np.float64]
Row: TypeAlias = tuple[str, Expr, Expr]
Sign: TypeAlias = tuple[str, Expr, str]

M, BETA, S = objectives.M, objectives.BETA, objectives.S
PSI, K = sympy.symbols("psi k", positive=True)
Y = sympy.Symbol("y", positive=True)


# ---- U1: equality in E4 --------------------------------------------------------------------------


@dataclass(frozen=True)
class Equality:
    """Minimisers have M neurons, at one height, with weights equal up to ``spread``; 0 < β < 1."""

    kernel: DualKernel
    spread: float = 0.0
    tilt: float = 0.0


def equality() -> Equality:
    """Equal weights, equal heights."""
    return Equality(dual_kernel("relu"))


def _equality_proof(claim: Equality, _: Settings) -> Finding:
    """Where E4's proof is an equality, neurons of weight 0 left out.

    The bad case gives at most h(β)²/E(1), and s = 1 is no maximum of h(βs)²/E(s): its slope there
    is negative. So the height s̄ is good and y = χ(s̄) with s̄² < 1, thus y < π and d(y) > 0. χ > 0,
    since χ = 0 is s̄ = 0 at M = 2, where the slope is positive. Then all these are equalities:
    Jensen for sin(g²ψ_iψ_j) over j; unless all ψ_j are equal, some k = g²ψ_i is not 1, and for it
    sin(kψ)/sin ψ is a strictly convex function of u, W/B being a running average of something
    strictly monotone; so the ψ_j, and the s_j, are equal. Cauchy with 1/M: there are M neurons and
    all c_i sqrt(d) are equal; so the c_i are. The tangents: ρ_ij = -cos y = t(s̄) for i ≠ j. That
    is the cone at a height that maximises h(βs)²/E(s), and conversely.
    """
    return combine(identities(_equality_rows(claim)), signs(_equality_signs()))


def _log_slope(kernel: DualKernel) -> Expr:
    """The slope in s of ln h(βs)²/E(s), times h E."""
    h, energy = _parts(kernel)
    return 2 * sympy.diff(h, S) * energy - h * sympy.diff(energy, S)


def _parts(kernel: DualKernel) -> tuple[Expr, Expr]:
    h = objectives.kappa(kernel, BETA * S)
    return h, objectives.energy_bound(kernel, M, S**2)


def _equality_rows(claim: Equality) -> Iterator[Row]:
    _, energy = _parts(claim.kernel)
    slope = sympy.diff(claim.kernel.correlation, RHO)
    yield (
        "E' = 2s h'(t)",
        sympy.diff(energy, S),
        2 * S * slope.subs(RHO, (M * S**2 - 1) / (M - 1)),
    )
    yield "E(1) = 1/2", energy.subs(S, 1), Rational(1, 2)
    yield "h'(1) = 1/2", slope.subs(RHO, 1), Rational(1, 2)
    ratio = 2 * BETA * slope.subs(RHO, BETA) / 2 - objectives.kappa(claim.kernel, BETA)
    yield "slope at s = 1: βh'(β) - h(β)", ratio, -sqrt(1 - BETA**2) / (2 * pi)
    yield "slope at s = 0: 2βh'(0)E(0) > 0", slope.subs(RHO, 0), Rational(1, 4)
    yield "d' = -(1 + cos y)", sympy.diff(defect(Y), Y), -1 - cos(Y)
    yield "d(π) = 0", defect(pi), sympy.S.Zero
    W = sympy.diff(sin(K * PSI), PSI) * sin(PSI) - sin(K * PSI) * cos(PSI)
    yield "W' = (1 - k²) sin kψ sin ψ", sympy.diff(W, PSI), (1 - K**2) * sin(K * PSI) * sin(PSI)
    quotient = sympy.log(sin(K * PSI) / sin(PSI))
    yield (
        "log-slope of sin kψ/sin ψ",
        sympy.diff(quotient, PSI),
        (K * PSI * cot(K * PSI) - PSI * cot(PSI)) / PSI,
    )
    inner = PSI - sin(2 * PSI) / 2
    yield (
        "(ψ cot ψ)' = -(ψ - sin 2ψ/2)/sin²ψ",
        sympy.diff(PSI * cot(PSI), PSI) * sin(PSI) ** 2,
        -inner,
    )
    yield "(ψ - sin 2ψ/2)' = 2 sin²ψ", sympy.diff(inner, PSI), 2 * sin(PSI) ** 2


def _equality_signs() -> Iterator[Sign]:
    x = sympy.Symbol("x", positive=True)
    within = -sqrt(1 - (x / (1 + x)) ** 2)
    yield "-sqrt(1 - β²), β = x/(1 + x)", sympy.simplify(within), "<0"
    yield "2 sin²ψ", 2 * sin(PSI) ** 2, ">=0"


def _equality_search(claim: Equality, settings: Settings) -> Finding:
    """J* - ratio exceeds a multiple of the squared distance from equal weights and cosines."""

    def margin(configuration: tuple[Array, Array], beta: float, noise: float) -> float:
        c, U = configuration
        m = len(c)
        assume(m > 1)
        with mpmath.workdps(20):
            best, s = (float(x) for x in cone_optimum(m, mpf(beta)))
        V = cone(m, s)
        V = V + noise * np.resize(U, V.shape) + claim.tilt * np.eye(m + 1)[:1]
        V /= np.linalg.norm(V, axis=1, keepdims=True)
        w = (1 + claim.spread * np.arange(m)) / m + noise * c
        gram = V @ V.T
        np.fill_diagonal(gram, 1)
        own = w @ kernel_of(gram) @ w
        gap = best - (w @ kernel_of(beta * V[:, 0])) ** 2 / own
        off = gram[~np.eye(m, dtype=bool)]
        apart = np.var(w / w.mean()) / m + np.var(V[:, 0]) + np.var(off)
        lone = claim.spread + abs(claim.tilt)
        return float(gap - 1e-4 * apart) if not lone else float(-abs(gap) + 1e-12)

    strategies = {
        "configuration": configurations(),
        "beta": st.floats(0.1, 0.9),
        "noise": st.sampled_from((0.0, 1e-3, 1e-2)) | st.floats(0, 0.1),
    }
    return falsify(margin, strategies, settings, slack=1e-12)


U1 = Claim(
    id="U1",
    title="Equality in E4: the cone alone",
    statement=(
        r"0<\beta<1,\ c\ge0:\ \Bigl(\textstyle\sum_jc_jh(\beta s_j)\Bigr)^2=J^*\sum_{ij}c_ic_j"
        r"h(\rho_{ij})\text{ only for }M\text{ equal weights, }s_j=s^*,\ \rho_{ij}=t(s^*),\ s^*"
        r"\in\arg\max\frac{h(\beta s)^2}{E(s)},\ |s^*|<1"
    ),
    source=f"{SOURCE}; the equality cases are new here",
    subject=equality,
    evidence=(
        Evidence(Kind.PROOF, "each inequality of E4's proof is strict elsewhere", _equality_proof),
        Evidence(Kind.PROPERTY, "search next to the cone", _equality_search),
    ),
    mutants=(
        Mutant("also weights 1, 1.1, ...", lambda c: replace(c, spread=0.1)),
        Mutant("also a shifted cone", lambda c: replace(c, tilt=0.1)),
    ),
    depends_on=("E4", "A1", "A2", "A3a", "A3b", "A4"),
)


# ---- U2: the best height is unique ---------------------------------------------------------------

COUNTS = (*range(2, 33), 48, 64)


@dataclass(frozen=True)
class Height:
    """G(s) = βh'(βs)E(s) - s h(βs)h'(t) has one zero on [-1, 1], and changes sign there only.

    ``slope`` is its stated derivative.
    """

    value: Expr
    slope: Expr
    low: Rational
    high: Rational


def height() -> Height:
    """symcomp's stationarity function, for 1/100 <= β <= 99/100."""
    h, energy = _parts(dual_kernel("relu"))
    value = sympy.diff(h, S) * energy - h * sympy.diff(energy, S) / 2
    return Height(value, sympy.diff(value, S), Rational(1, 100), Rational(99, 100))


def _height_rows(claim: Height, _: Settings) -> Finding:
    """G has the sign of the slope of h(βs)²/E(s); for s < 0 every term of G is >= 0, the first > 0.

    G(0) = βh'(0)E(0) > 0, and 2G(1) = βh'(β) - h(β) < 0. So a zero lies in (0, 1).
    """
    h, energy = _parts(dual_kernel("relu"))
    x = sympy.Symbol("x", positive=True)
    rows = [
        ("2hG/E² is the slope", sympy.diff(h**2 / energy, S), 2 * h * claim.value / energy**2),
        ("2G(1)", 2 * claim.value.subs(S, 1), -sqrt(1 - BETA**2) / (2 * pi)),
        ("G(0)", claim.value.subs(S, 0), BETA / 4 * energy.subs(S, 0)),
        ("symcomp's equation", objectives.cone_stationarity(dual_kernel("relu")), claim.value),
    ]
    within = (1 - claim.high**2) * x
    return combine(identities(rows), signs([("1 - β²", within, ">0")]))


def _height_balls(claim: Height, _: Settings) -> Finding:
    """On every box of β and s in [0, 1] G is not 0, or its derivative in s is negative.

    So G falls through each of its zeros; as G(0) > 0 > G(1), there is exactly one.
    """
    domain = [
        (fmpq(claim.low.p, claim.low.q), fmpq(claim.high.p, claim.high.q)),
        (fmpq(0), fmpq(1)),
    ]
    found = [certify(_falling(claim, m), domain, bits=64) for m in COUNTS]
    boxes = sum(one.decided for one in found)
    figure = f"{boxes} boxes at 64 bits for {len(COUNTS)} values of M"
    return replace(combine(*found), figure=figure)


def _falling(claim: Height, m: int) -> Any:
    value, slope = (compiled(expr.subs(M, m), [BETA, S]) for expr in (claim.value, claim.slope))

    def condition(box: tuple[arb, ...]) -> bool | None:
        at = value(*box)
        if at > 0 or at < 0:
            return True
        falls = slope(*box)
        if falls < 0:
            return True
        return False if falls > 0 and at == 0 else None

    return condition


U2 = Claim(
    id="U2",
    title="The best height is unique",
    statement=(
        r"\tfrac1{100}\le\beta\le\tfrac{99}{100},\ M\in\{2,\dots,32,48,64\}:\quad s\mapsto\frac{"
        r"h(\beta s)^2}{E(s)}\text{ on }[-1,1]\text{ rises up to one }s^*\in(0,1)\text{ and falls "
        r"after it; with U1 the minimiser of }F\text{ is unique up to rotations that fix }v"
    ),
    source="this project; left open by theory.md E4",
    subject=height,
    evidence=(
        Evidence(
            Kind.PROOF,
            "signs at s <= 0 and at the ends, every M and 0 < β < 1",
            _height_rows,
            covers="the existence of a zero in (0, 1), and none below",
        ),
        Evidence(Kind.CERTIFICATE, "G is not 0 or falls, boxes of β and s", _height_balls),
    ),
    mutants=(
        Mutant("2G", lambda c: replace(c, value=c.value * 2)),
        Mutant("E(s) + 1/10", lambda c: replace(c, value=c.value + c.value.subs(S, 0) / 10)),
    ),
    depends_on=("U1",),
)


CLAIMS: tuple[Claim[Any], ...] = (U1, U2)
