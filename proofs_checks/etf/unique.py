"""Claims E4s and E4u: the cone of E4 has one optimal height; nothing else attains E4's bound."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import flint
import mpmath
import sympy
from flint import fmpq
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Expr, cos, pi, sin

from proofs_checks import certificates
from proofs_checks.checks import certify, combine, falsify, identities, signs
from proofs_checks.etf.ensembles import Ensemble, cone_optimum
from proofs_checks.etf.forms import ANGLE, BETA, M, S, height
from proofs_checks.etf.jensen_sines import K
from proofs_checks.etf.tangents import true_height
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.replay import height as replay_height
from proofs_checks.replay.checker import Field
from symcomp import objectives
from symcomp.balls import compiled
from symcomp.kernels import RHO, DualKernel, dual_kernel

Row: TypeAlias = tuple[str, Expr, Expr]
Sign: TypeAlias = tuple[str, Expr, str]

PSI, THETA, A, LEFT = sympy.symbols("psi theta a L", positive=True)
_SYMBOLS = Field(sympy.pi, sympy.sin, sympy.cos, sympy.sqrt, sympy.asin)

# ---- E4s -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SingleHeight:
    """The slope of G = ln φ - ln κ over ln s, with D in ψ: -1 + D(βs) - share w(E''/E' - E'/E)."""

    kernel: DualKernel
    bend: Expr
    share: int


def single_height() -> SingleHeight:
    """D = x(h''/h' - h'/h) = -cos ψ (1/(ψ sin ψ) - ψ/H) at x = -cos ψ, and a share of 2."""
    return SingleHeight(
        dual_kernel("relu"), -cos(PSI) * (1 / (PSI * sin(PSI)) - PSI / height(PSI)), 2
    )


def _height_proof(claim: SingleHeight, _: Settings) -> Finding:
    """The slope of ln(h(βs)²/E(s)), 2s(φ - κ), vanishes once; φ = βh'(βs)/(s h(βs)), κ = h'(t)/E.

    For s <= 0 it is positive: h'(βs) > 0 as βs > -1. On (0, 1) its sign is that of G = ln φ - ln κ,
    which tends to +∞ at 0 and is negative at 1, as βh'(β) < h(β), and h'(1) = E(1). With w = s²:
    s G' = -1 + D(βs) - 2w(E''/E' - E'/E), derivatives of E in w. For 0 <= x <= s D(x) is at most
    max(0, D(s)): D = -cos ψ N/P, with N < 0 up to ψ = 2.7, and beyond N and -cos ψ increase and
    P > 0 decreases. So s G' < 0 follows from (U), certified for all s in (0, 1) and all M >= 2.
    """
    top = fmpq(22, 7)
    ties = combine(
        identities([*_slope_rows(claim), *_bend_rows(claim), *_checker_rows(claim)]),
        certify(_below(_NUMERATOR), [(fmpq(3, 2), fmpq(27, 10))]),
        certify(_below(sympy.diff(_DENOMINATOR, PSI)), [(fmpq(27, 10), top)]),
        certify(_below(-sympy.diff(_NUMERATOR, PSI)), [(fmpq(27, 10), top)]),
    )
    return certificates.tied("U", ties)


_NUMERATOR = height(PSI) - PSI**2 * sin(PSI)
_DENOMINATOR = PSI * sin(PSI) * height(PSI)


def _slope_rows(claim: SingleHeight) -> Iterator[Row]:
    ker = claim.kernel
    h, e = objectives.kappa(ker, BETA * S), objectives.energy_bound(ker, M, S**2)
    first = sympy.diff(ker.correlation, RHO)
    t = (M * S**2 - 1) / (M - 1)
    phi, kappa = BETA * first.subs(RHO, BETA * S) / (S * h), first.subs(RHO, t) / e
    yield (
        "(ln(h²/E))' = 2s(φ - κ)",
        sympy.diff(2 * sympy.log(h) - sympy.log(e), S),
        2 * S * (phi - kappa),
    )
    x = BETA * S
    second = sympy.diff(first, RHO)
    slope = second.subs(RHO, x) / first.subs(RHO, x) - first.subs(RHO, x) / h
    yield "s (ln φ)' = -1 + D(βs)", S * sympy.diff(sympy.log(phi), S), -1 + x * slope
    w = sympy.Symbol("w", positive=True)
    energy = objectives.energy_bound(ker, M, w)
    yield "E' in w is h'(t), so κ = E'/E", sympy.diff(energy, w).subs(w, S**2), first.subs(RHO, t)
    any_e, free = sympy.Function("E")(w), sympy.symbols("E_2 E_1 E_0", positive=True)
    rise, bent = any_e.diff(w), any_e.diff(w, 2)
    swap = [*zip((bent, rise, any_e), free, strict=True)]
    yield (
        "(ln κ)' in w is E''/E' - E'/E, with E'', E', E free",
        sympy.diff(sympy.log(rise / any_e), w).subs(swap),
        (bent / rise - rise / any_e).subs(swap),
    )
    yield "s dw/ds = 2w", S * sympy.diff(S**2, S), claim.share * S**2
    yield "h(β) - βh'(β) = sin ψ/2π", *_ends(ker, first)


def _ends(ker: DualKernel, first: Expr) -> tuple[Expr, Expr]:
    return ker.correlation - RHO * first, sin(ANGLE) / (2 * pi)


def _bend_rows(claim: SingleHeight) -> Iterator[Row]:
    ker = claim.kernel
    first = sympy.diff(ker.correlation, RHO)
    yield "h in the angle", ker.correlation, height(ANGLE) / (2 * pi)
    yield "h' in the angle", first, ANGLE / (2 * pi)
    yield "h'' in the angle", sympy.diff(first, RHO), 1 / (2 * pi * sin(ANGLE))
    h, slope, bent = height(PSI) / (2 * pi), PSI / (2 * pi), 1 / (2 * pi * sin(PSI))
    yield "D = x(h''/h' - h'/h) in the angle", -cos(PSI) * (bent / slope - slope / h), claim.bend
    yield "D = -cos ψ N/P", claim.bend, -cos(PSI) * _NUMERATOR / _DENOMINATOR


def _checker_rows(claim: SingleHeight) -> Iterator[Row]:
    """With sin a = sqrt(2(1 - ε)) sin θ: t = cos 2θ, as ψ = π - 2θ; LEFT is 1 - ε."""
    eps, w, psi = 1 - LEFT, 1 - 2 * LEFT * sin(THETA) ** 2, pi - 2 * THETA
    sine = sympy.sqrt(2 * LEFT) * sin(THETA)
    energy = (eps * pi + LEFT * height(psi)) / (2 * pi)
    rise, bent = psi / (2 * pi), 1 / (2 * pi * sin(psi)) / LEFT
    yield "t = (w - ε)/(1 - ε) = cos 2θ = -cos ψ", (w - eps) / LEFT, -cos(psi)
    parts = (
        replay_height.slow(sine, w, THETA, eps, _SYMBOLS),
        replay_height.steep(w, THETA, eps, _SYMBOLS),
    )
    yield "slow = sin a (1 - 2wE'/E)", parts[0], sine * (1 - claim.share * w * rise / energy)
    yield (
        "steep = 2w sin a E''/E'",
        parts[1],
        (claim.share * w * sine * bent / rise).subs(sin(psi), 2 * sin(THETA) * cos(THETA)),
    )
    yield (
        "bend = sin a D(cos a)",
        replay_height.bend(A, _SYMBOLS),
        sin(A) * claim.bend.subs(PSI, pi - A),
    )


def _below(expr: Expr) -> Any:
    """The condition expr < 0 in the symbol ψ."""

    def condition(box: tuple[flint.arb, ...]) -> bool | None:
        value = form(*box)
        return True if value < 0 else False if value > 0 else None

    with flint.ctx.workprec(128):
        form = compiled(expr, [PSI])
    return condition


def _height_search(claim: SingleHeight, settings: Settings) -> Finding:
    """s G' < 0 by the claimed formula, and G by differences, at s, β and M next to their ends."""
    share = claim.share
    bend = sympy.lambdify(PSI, claim.bend, "mpmath")

    def margin(s: float, beta: float, m: int) -> float:
        with mpmath.workdps(settings.digits):
            x, w = mpf(beta) * mpf(s), mpf(s) ** 2
            psi = mpmath.pi - mpmath.acos((m * w - 1) / (m - 1))
            below = (mpmath.pi + (m - 1) * (mpmath.sin(psi) - psi * mpmath.cos(psi))) / m
            level = m / (m - 1) / (psi * mpmath.sin(psi)) - psi / below
            slope = -1 + bend(mpmath.pi - mpmath.acos(x)) - share * w * level
            step = mpf(10) ** (-settings.digits // 3)
            up, down = (_log_ratio(mpf(s) * (1 + d), mpf(beta), m) for d in (step, -step))
            off = abs((up - down) / (2 * step) - slope) / (1 + abs(slope))
            return float(min(-slope, mpf(10) ** -5 - off))

    inner = st.sampled_from((1e-3, 0.999)) | st.floats(0.001, 0.999)
    strategies = {"s": inner, "beta": inner, "m": st.sampled_from((2, 1000)) | st.integers(2, 60)}
    return falsify(margin, strategies, settings)


def _log_ratio(s: mpf, beta: mpf, m: int) -> mpf:
    """G = ln φ - ln κ."""
    t = (m * s * s - 1) / (m - 1)
    turn = [mpmath.pi - mpmath.acos(v) for v in (beta * s, t)]
    energy = (mpmath.pi + (m - 1) * true_height(t)) / m
    return mpmath.log(beta * turn[0] / (s * true_height(beta * s))) - mpmath.log(turn[1] / energy)


E4S = Claim(
    id="E4s",
    title="The cone of E4 has a single optimal height",
    statement=(
        r"\text{ReLU},\ M\ge2,\ 0<\beta<1:\quad h(\beta s)^2/E(s)\text{ has one stationary point "
        r"}s^*\text{ in }[-1,1];\text{ it increases before and decreases after, and }0<s^*<1"
    ),
    source=(
        "theory.md E4 leaves it open; proof found in this project, it rests on ball arithmetic; "
        "refereed by nobody outside it"
    ),
    subject=single_height,
    evidence=(
        Evidence(
            Kind.CERTIFICATE, "a logarithmic slope, and replay of U.json for all M", _height_proof
        ),
        Evidence(Kind.PROPERTY, "search over s, β and M, with differences of G", _height_search),
    ),
    mutants=(
        Mutant("w in place of 2w", lambda c: replace(c, share=1)),
        Mutant("D with the other sign", lambda c: replace(c, bend=-c.bend)),
        Mutant("a kernel that is not convex", lambda c: replace(c, kernel=dual_kernel("sign"))),
    ),
    depends_on=("K1",),
)


# ---- E4u -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SingleMinimiser:
    """Equality in E4 forces the cone, for β from least to most in the search.

    J* - ratio >= room · off⁴ there, off the largest distance of a weight's share, a height or a
    cosine from the cone's.
    """

    least: str
    most: str
    room: str


def single_minimiser() -> SingleMinimiser:
    """Any β in (0, 1); the search stays off the ends, where the gap vanishes."""
    return SingleMinimiser("0.01", "0.99", "1e-8")


def _minimiser_proof(_: SingleMinimiser, __: Settings) -> Finding:
    """Every inequality on the way to E4 is an equality only at the cone of height s*.

    Neurons of weight 0 are left out. The second case of E4's proof ends at h(β)²/E(1), which is
    below J*, because s* < 1 is the only maximum (E4s). In the first case the bound is
    h(βs̄)²/E(s̄), so s̄ = s*, and χ = π - arccos t(s*) is in (0, π), since 0 < s* < 1. If the ψ_i
    were not all equal, then g²ψ_i ≠ 1 for one of them, and for k = g²ψ_i the sine's W/B increases
    strictly ((rB - W)' = r'B > 0), so its sum is strictly above its bound. So all s_i are s*.
    Equality in A1 gives ρ_ij = t(s*) for i ≠ j; equality in Cauchy, with d(χ) > 0, equal weights,
    and n = M. Then the scalar products of v, u_1, ..., u_M are known, and the best scale r is one.
    """
    x = sympy.Symbol("x", positive=True)
    small, large = 1 / (1 + x), 1 + x
    sign = (1 - K**2) * (1 - K)
    rows: Sequence[Sign] = (
        ("(1 - k²)(1 - k) for k < 1", sympy.factor(sign.subs(K, small)), ">0"),
        ("and for k > 1", sympy.factor(sign.subs(K, large)), ">0"),
        ("t > -1 for s > 0, M = x + 2", _level(x, S**2) + 1, ">0"),
        ("t < 1 for s² = 1/(1 + x)", sympy.factor(1 - _level(x, 1 / (1 + x))), ">0"),
    )
    turn = sympy.Symbol("y", positive=True)
    lost = pi - turn - sin(turn)
    squares: Sequence[Row] = (
        ("d' = -2 cos²(y/2), not 0 before π", sympy.diff(lost, turn), -2 * cos(turn / 2) ** 2),
        ("d(π) = 0", lost.subs(turn, pi), sympy.S.Zero),
        ("the best scale is the only one", *_scale()),
    )
    return combine(signs(rows), identities(squares))


def _level(more: Expr, w: Expr) -> Expr:
    w = w.subs(S, sympy.Symbol("s", positive=True))
    return sympy.factor(((more + 2) * w - 1) / (more + 1))


def _scale() -> tuple[Expr, Expr]:
    r, a, b = sympy.symbols("r A B", positive=True)
    return b * r**2 - 2 * a * r, b * (r - a / b) ** 2 - a**2 / b


def _minimiser_search(claim: SingleMinimiser, settings: Settings) -> Finding:
    """Two and three neurons at all distances from the cone, also along single directions."""

    def margin(m: int, beta: float, moves: list[float], size: float) -> float:
        with mpmath.workdps(settings.digits):
            best, s = cone_optimum(m, mpf(beta))
            shift = [mpf(x) * mpf(size) for x in moves]
            c = [1 + abs(shift[i]) for i in range(m)]
            levels = [min(max(s + shift[3 + i], mpf(-1)), mpf(1)) for i in range(m)]
            turns = [2 * mpmath.pi * i / m + shift[6 + i] for i in range(m)]
            e = [[mpmath.cos(t), mpmath.sin(t)] for t in turns]
            gap = best - Ensemble(c, levels, e, mpf(beta)).ratio()
            return float(gap - mpf(claim.room) * _distance(c, levels, turns, s) ** 4)

    move = st.sampled_from((0.0, 1.0, -1.0)) | st.floats(-1, 1)
    strategies = {
        "m": st.integers(2, 3),
        "beta": st.floats(float(claim.least), float(claim.most)) | st.just(float(claim.most)),
        "moves": st.lists(move, min_size=9, max_size=9),
        "size": st.sampled_from((1e-3, 0.1, 1.0)) | st.floats(1e-6, 2),
    }
    return falsify(margin, strategies, settings, slack=10.0 ** (12 - settings.digits))


def _distance(c: list[mpf], levels: list[mpf], turns: list[mpf], s: mpf) -> mpf:
    m, total = len(c), sum(c)
    parts = [abs(w / total - mpf(1) / m) for w in c] + [abs(x - s) for x in levels]
    goal = mpf(-1) / (m - 1)
    parts += [
        abs(mpmath.cos(turns[i] - turns[j]) - goal) * (1 - s * s)
        for i in range(m)
        for j in range(i)
    ]
    return max(parts)


E4U = Claim(
    id="E4u",
    title="The minimiser of E4 is unique",
    statement=(
        r"\text{ReLU},\ M\ge2,\ 0<\beta<1,\ c_j\ge0:\quad\Bigl(\sum c_jh(\beta s_j)\Bigr)^2=J^*"
        r"\sum c_ic_jh(\rho_{ij})\ \text{ only if all }c_j\text{ are equal, all }s_j=s^*\text{ and"
        r" all }\rho_{ij}=t(s^*),\ i\ne j;\quad\text{with }b_j=1\text{ the minimiser of }F\text{ "
        r"is unique up to orthogonal maps that fix }v"
    ),
    source=(
        "theory.md E4 leaves it open; proof found in this project, it rests on E4 and E4s; "
        "refereed by nobody outside it"
    ),
    subject=single_minimiser,
    evidence=(
        Evidence(Kind.PROOF, "the cases of equality in E4's proof", _minimiser_proof),
        Evidence(Kind.PROPERTY, "search for another maximum, 2 and 3 neurons", _minimiser_search),
    ),
    mutants=(
        Mutant("also at β = 1", lambda c: replace(c, least="1", most="1")),
        Mutant("a gap of off⁴", lambda c: replace(c, room="1")),
    ),
    depends_on=("A1", "A2", "A3a", "E4", "E4s"),
)

CLAIMS: tuple[Claim[Any], ...] = (E4S, E4U)
