"""Claims A4i, A4ii and A4iii: where a height is bad, (V2) holds; the regions done by hand."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import flint
import mpmath
import sympy
from flint import fmpq
from hypothesis import assume
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Expr, Rational, cos, pi, sin

from proofs_checks.checks import certify, combine, falsify, identities, signs
from proofs_checks.etf.forms import ANGLE, height
from proofs_checks.etf.inequalities import pair_values
from proofs_checks.etf.tangents import SOURCE
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from symcomp.balls import ball
from symcomp.kernels import RHO

Row: TypeAlias = tuple[str, Expr, Expr]
Sign: TypeAlias = tuple[str, Expr, str]

PSI, ALPHA, ETA = sympy.symbols("psi alpha eta", positive=True)
B, T = sympy.symbols("beta s", positive=True)
MORE = sympy.Symbol("D", nonnegative=True)


def _p(x: Expr) -> Expr:
    """p(x) = ψ/π = 1 - arccos(x)/π."""
    return ANGLE.subs(RHO, x) / pi


# ---- A4i -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class High:
    """Λ(s), L in ψ, and the share of β from which on no s is bad."""

    log: Expr
    slope: Expr
    share: str


def high() -> High:
    """Λ = 2 ln p(βs) - ln p(s²) - 2 ln p(β); L = -cot ψ/ψ; from β on."""
    log = 2 * sympy.log(_p(B * T)) - sympy.log(_p(T**2)) - 2 * sympy.log(_p(B))
    return High(log, -cos(PSI) / sin(PSI) / PSI, "1")


def _high_proof(claim: High, _: Settings) -> Finding:
    """Λ(1) = 0 and Λ decreases on [β, 1], so Λ >= 0 there; s is bad exactly where Λ < 0.

    y_c = π p(βs)²/p(β)² and s² > -cos y means π p(s²) > y for y in [0, π], as arccos decreases.
    Λ' = (2/s)(L(βs) - L(s²)) with L = x p'/p, an increasing function of x as it is one of ψ, and
    βs <= s² for s >= β. Λ is continuous up to s = 1, where its derivative may be infinite.
    """
    return combine(identities(_high_rows(claim)), signs(_high_signs()))


def _high_rows(claim: High) -> Iterator[Row]:
    slope = RHO * sympy.diff(_p(RHO), RHO) / _p(RHO)
    wanted = slope.subs(RHO, B * T) - slope.subs(RHO, T**2)
    yield "L(x) = x p'/p = -cot ψ/ψ with ψ = π - arccos x", slope, claim.slope.subs(PSI, ANGLE)
    yield "Λ' = (2/s)(L(βs) - L(s²))", sympy.diff(claim.log, T), 2 / T * wanted
    yield "Λ(1) = 0", claim.log.subs(T, 1), sympy.S.Zero
    yield (
        "e^Λ = y_c/(π p(s²)) with y_c = π p(βs)²/p(β)²",
        sympy.expand_log(claim.log, force=True),
        sympy.expand_log(
            sympy.log(_p(B * T) ** 2 / (_p(B) ** 2 * _p(T**2)), evaluate=False), force=True
        ),
    )
    rise = PSI + sin(PSI) * cos(PSI)
    yield (
        "dL/dψ = (ψ + sin ψ cos ψ)/(ψ sin ψ)²",
        sympy.diff(claim.slope, PSI),
        rise / (PSI * sin(PSI)) ** 2,
    )
    yield "(ψ + sin ψ cos ψ)' = 2 cos²ψ", sympy.diff(rise, PSI), 2 * cos(PSI) ** 2
    yield "which is 0 at 0", rise.subs(PSI, 0), sympy.S.Zero


def _high_signs() -> Iterator[Sign]:
    yield "2 cos²ψ", 2 * cos(PSI) ** 2, ">=0"
    yield "s² - βs for s = β + D", sympy.factor((T**2 - B * T).subs(T, B + MORE)), ">=0"


def _high_search(claim: High, settings: Settings) -> Finding:
    """No s from the share of β on is bad; s and β next to 0, 1 and each other."""
    digits = settings.digits

    def margin(beta: float, place: float) -> float:
        with mpmath.workdps(digits):
            b = mpf(beta)
            low = mpf(claim.share) * b
            s = low + (1 - low) * mpf(place)
            z, x = mpmath.acos(b) / mpmath.pi, mpmath.acos(b * s) / mpmath.pi
            return float(-pair_values(z, x)[1])

    ends = st.sampled_from((1e-9, 1 - 1e-9, 1e-4, 1 - 1e-4))
    strategies = {
        "beta": ends | st.floats(1e-6, 1 - 1e-6),
        "place": st.sampled_from((0.0, 1.0)) | ends | st.floats(0, 1),
    }
    # next to s = 1 arccos loses half of the digits
    return falsify(margin, strategies, settings, slack=10.0 ** (10 - digits // 2))


A4I = Claim(
    id="A4i",
    title="No height from β on is bad",
    statement=(
        r"0<\beta<1,\ \beta\le s\le1,\ y_c=\pi\bar\psi^2/m^2,\ m=\pi-\arccos\beta,\ \bar\psi=\pi-"
        r"\arccos\beta s:\quad s^2\le-\cos y_c;\quad p(x)=1-\tfrac1\pi\arccos x,\ \Lambda(s)=2\ln "
        r"p(\beta s)-\ln p(s^2)-2\ln p(\beta)\text{ decreases on }[\beta,1]\text{ to }0,\ s\text{ "
        r"is bad iff }\Lambda(s)<0"
    ),
    source=SOURCE,
    subject=high,
    evidence=(
        Evidence(Kind.PROOF, "a monotone logarithm, every β", _high_proof),
        Evidence(Kind.PROPERTY, "search for a bad s >= β, 50 digits", _high_search),
    ),
    mutants=(
        Mutant("from β/2 on", lambda c: replace(c, share="0.5")),
        Mutant("ln p(β) taken once", lambda c: replace(c, log=c.log + sympy.log(_p(B)))),
        Mutant("L = cot ψ/ψ", lambda c: replace(c, slope=-c.slope)),
    ),
)


# ---- A4ii ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Low:
    """β <= least: a bad s has π - y_c <= turn α and 1 - s² <= room α², α = arcsin β.

    cube: then y_c s² + sin y_c >= π(1 - room α² - cube α³).
    """

    least: Rational
    turn: int
    room: int
    cube: Rational


def low() -> Low:
    """β <= 0.07, 8α, 32α² and 27.2α³."""
    return Low(Rational(7, 100), 8, 32, Rational(136, 5))


def _low_proof(claim: Low, _: Settings) -> Finding:
    """A bad s > 0 would be above 97/100 > β, against A4i; for s <= 0 a bound in α decides.

    s > 0 bad: p(s²) > p(βs)²/p(β)² >= 1/(4p(β)²), least at the greatest β, and p(97²/100²) is below
    that. s <= 0 bad: p(βs) >= p(-β), so η = π - y_c <= 8α; s² > cos η >= 1 - η²/2; then
    y_c s² + sin y_c >= πs² - η³/6. H(βs) <= H(0) = 1, and H(β) >= 1 + πβ/2 by A1 with y = π/2;
    β >= α - α³/6. What is left is positive over α on the whole of [0, 701/10000].
    """
    end = [(fmpq(0), fmpq(701, 10000))]
    return combine(
        identities(_low_rows()),
        signs(_low_signs(claim)),
        certify(_positive(_left_over(claim)), end),
        certify(_positive(1 - claim.room * ALPHA**2 - claim.cube * ALPHA**3), end),
        certify(_positive(_excess()), [(fmpq(0), fmpq(claim.least.p, claim.least.q))]),
    )


def _excess() -> Expr:
    """1/(4p(β)²) - p(97²/100²)."""
    return 1 / (4 * _p(B) ** 2) - _p(Rational(97, 100) ** 2)


def _left_over(claim: Low) -> Expr:
    """((1 + πβ/2)²(1 - room α² - cube α³) - 1)/α with α - α³/6 for β."""
    beta = ALPHA - ALPHA**3 / 6
    bound = 1 - claim.room * ALPHA**2 - claim.cube * ALPHA**3
    return sympy.expand(((1 + pi * beta / 2) ** 2 * bound - 1) / ALPHA)


def _positive(expr: Expr) -> Any:
    def condition(box: tuple[flint.arb, ...]) -> bool | None:
        value = ball(expr, dict.fromkeys((ALPHA, B), box[0]))
        return True if value > 0 else False if value < 0 else None

    return condition


def _low_rows() -> Iterator[Row]:
    half = pi / 2
    ratio = (half - ALPHA) / (half + ALPHA)
    yield (
        "p(-sin α)/p(sin α), as p(sin α) = 1/2 + α/π",
        _p(-B) / _p(B),
        ratio.subs(ALPHA, sympy.asin(B)),
    )
    yield (
        "1 - that squared = 2πα/(π/2 + α)²",
        1 - ratio**2,
        2 * pi * ALPHA / (half + ALPHA) ** 2,
    )
    square = sympy.Symbol("S", positive=True)
    yield (
        "(π - η)s² + η - η³/6 = πs² - η³/6 + η(1 - s²)",
        (pi - ETA) * square + ETA - ETA**3 / 6,
        pi * square - ETA**3 / 6 + ETA * (1 - square),
    )
    yield "p(0) = 1/2", _p(sympy.S.Zero), Rational(1, 2)
    # sin η >= η - η³/6 and cos η >= 1 - η²/2: each is the integral from 0 of the one before
    chain = (ETA - sin(ETA), cos(ETA) - 1 + ETA**2 / 2, sin(ETA) - ETA + ETA**3 / 6)
    before = (1 - cos(ETA), *chain[:2])
    for k, (high_, low_) in enumerate(zip(chain, before, strict=True)):
        yield f"the sines, derivative {k}", sympy.diff(high_, ETA), low_
        yield f"the sines, at 0, {k}", high_.subs(ETA, 0), sympy.S.Zero
    yield "1 - cos η = 2 sin²(η/2)", 1 - cos(ETA), 2 * sin(ETA / 2) ** 2


def _low_signs(claim: Low) -> Iterator[Sign]:
    turn = sympy.factor(claim.turn * ALPHA - pi * 2 * pi * ALPHA / (pi / 2 + ALPHA) ** 2)
    yield "turn α - 2π²α/(π/2 + α)²", sympy.factor(turn / ALPHA * (pi + 2 * ALPHA) ** 2), ">=0"
    yield "room - turn²/2", sympy.Integer(claim.room) - Rational(claim.turn**2, 2), ">=0"
    yield "π cube - turn³/6", pi * claim.cube - Rational(claim.turn**3, 6), ">=0"
    yield "arcsin(least) < 701/10000", Rational(701, 10000) - sympy.asin(claim.least), ">0"
    yield "97/100 - least", Rational(97, 100) - claim.least, ">0"


def _low_search(claim: Low, settings: Settings) -> Finding:
    """Bad heights at small β, most of them next to s = -1: the two bounds, and (V2)."""

    def margin(beta: float, room: float, sign: int) -> float:
        with mpmath.workdps(settings.digits):
            b = mpf(beta)
            alpha = mpmath.asin(b)
            square = 1 - mpf(room) * 40 * alpha**2
            assume(square >= 0)
            s = sign * mpmath.sqrt(square)
            z, x = mpmath.acos(b) / mpmath.pi, mpmath.acos(b * s) / mpmath.pi
            s, badness, gap = pair_values(z, x)
            assume(badness > 0)
            eta = mpmath.pi * (1 - ((1 - x) / (1 - z)) ** 2)
            values = claim.turn - eta / alpha, claim.room - (1 - s * s) / alpha**2, gap / alpha
            return float(min(values))

    small = st.builds(lambda k, m: m * 10.0**-k, st.integers(2, 9), st.floats(1, 10))
    strategies = {
        "beta": small.map(lambda b: min(b, float(claim.least))) | st.just(float(claim.least)),
        "room": st.sampled_from((0.0, 0.75, 0.79, 0.7999)) | st.floats(0, 0.85),
        "sign": st.sampled_from((-1, -1, -1, 1)),
    }
    return falsify(margin, strategies, settings, slack=1e-12)


A4II = Claim(
    id="A4ii",
    title="(V2) for small β",
    statement=(
        r"0<\beta\le0.07,\ \alpha=\arcsin\beta,\ s\text{ bad}:\quad s\le0,\ \pi-y_c\le8\alpha,\ "
        r"1-s^2\le32\alpha^2,\ y_cs^2+\sin y_c\ge\pi(1-32\alpha^2-27.2\alpha^3)\text{ and }"
        r"(1+\tfrac\pi2\beta)^2(1-32\alpha^2-27.2\alpha^3)\ge1,\text{ hence (V2)}"
    ),
    source=SOURCE,
    subject=low,
    evidence=(
        Evidence(
            Kind.CERTIFICATE,
            "SymPy, and three functions of one variable in balls",
            _low_proof,
        ),
        Evidence(Kind.PROPERTY, "search among bad heights at small β, 50 digits", _low_search),
    ),
    mutants=(
        Mutant("1 - s² <= 16α²", lambda c: replace(c, room=16)),
        Mutant("π - y_c <= 6α", lambda c: replace(c, turn=6)),
        Mutant("β up to 0.2", lambda c: replace(c, least=Rational(1, 5))),
        Mutant("1000α³", lambda c: replace(c, cube=Rational(1000))),
    ),
    depends_on=("A1", "A4i"),
)


# ---- A4iii ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deep:
    """ψ̄ <= reach: H(βs) <= share ψ̄³ and sin y_c >= slope ψ̄², so (V2)."""

    reach: Rational
    share: Rational
    slope: Expr


def deep() -> Deep:
    """4/5, 1/3 and 2/π²."""
    return Deep(Rational(4, 5), Rational(1, 3), 2 / pi**2)


def _deep_proof(claim: Deep, _: Settings) -> Finding:
    """H(β)² >= 1 and sin y_c >= 2ψ̄²/π² on the left, πψ̄⁶/9 on the right; no badness needed.

    m is in [π/2, π], so ψ̄²/π <= y_c <= 4ψ̄²/π < π/2, where the concave sine is above its chord
    2y/π. H(β) >= 1 + πβ/2 by A1 with y = π/2. H(βs) = sin ψ̄ - ψ̄ cos ψ̄ has the derivative
    ψ̄ sin ψ̄ <= ψ̄².
    """
    return combine(identities(_deep_rows(claim)), signs(_deep_signs(claim)))


def _deep_rows(claim: Deep) -> Iterator[Row]:
    gap = claim.share * PSI**3 - height(PSI)
    yield "(ψ³/3 - H)' = ψ(ψ - sin ψ)", sympy.diff(gap, PSI), PSI * (PSI - sin(PSI))
    yield "which is 0 at 0", gap.subs(PSI, 0), sympy.S.Zero
    yield "(ψ - sin ψ)' = 2 sin²(ψ/2)", sympy.diff(PSI - sin(PSI), PSI), 2 * sin(PSI / 2) ** 2
    yield "2/π times the least y_c, ψ²/π", 2 / pi * PSI**2 / pi, claim.slope * PSI**2
    yield (
        "left - right",
        claim.slope * PSI**2 - pi * (claim.share * PSI**3) ** 2,
        pi * PSI**2 / 9 * (18 / pi**3 - PSI**4),
    )


def _deep_signs(claim: Deep) -> Iterator[Sign]:
    yield "2 sin²(ψ/2)", 2 * sin(PSI / 2) ** 2, ">=0"
    yield "π/2 - 4 reach²/π", pi / 2 - 4 * claim.reach**2 / pi, ">0"
    yield "18/π³ - reach⁴", 18 / pi**3 - claim.reach**4, ">0"


def _deep_search(claim: Deep, settings: Settings) -> Finding:
    """Every β, and every s with ψ̄ up to the reach, bad or not."""

    def margin(z: float, share: float) -> float:
        with mpmath.workdps(settings.digits):
            most = min(mpf(claim.reach.p) / claim.reach.q / mpmath.pi, 1 - mpf(z))
            assume(most >= z)
            turn = mpf(z) + (most - mpf(z)) * mpf(share)
            assume(turn > 0)
            psi = mpmath.pi * turn
            _, _, gap = pair_values(mpf(z), 1 - turn)
            bound = mpf(claim.share.p) / claim.share.q * psi**3
            return float(min(gap / psi**2, (bound - mpmath.sin(psi) + psi * mpmath.cos(psi))))

    strategies = {
        "z": st.sampled_from((0.0, 1e-9, 0.25)) | st.floats(0, 0.49),
        "share": st.sampled_from((1.0, 1e-6)) | st.floats(1e-9, 1),
    }
    return falsify(margin, strategies, settings, slack=1e-30)


A4III = Claim(
    id="A4iii",
    title="(V2) for low heights, bad or not",
    statement=(
        r"0\le\beta<1,\ -1\le s\le1,\ \bar\psi\le\tfrac45:\quad \sin y_c\ge\tfrac{2}{\pi^2}"
        r"\bar\psi^2,\ H(\beta)\ge1,\ H(\beta s)\le\tfrac13\bar\psi^3,\ \bar\psi^4<"
        r"\tfrac{18}{\pi^3},\text{ hence (V2)}"
    ),
    source=SOURCE,
    subject=deep,
    evidence=(
        Evidence(Kind.PROOF, "chords and derivatives, every β", _deep_proof),
        Evidence(Kind.PROPERTY, "search over β and ψ̄, 50 digits", _deep_search),
    ),
    mutants=(
        Mutant("ψ̄ up to 1", lambda c: replace(c, reach=sympy.Integer(1))),
        Mutant("H(βs) <= ψ̄³/4", lambda c: replace(c, share=Rational(1, 4))),
        Mutant("sin y_c >= 4ψ̄²/π²", lambda c: replace(c, slope=2 * c.slope)),
    ),
    depends_on=("A1",),
)


CLAIMS: tuple[Claim[Any], ...] = (A4I, A4II, A4III)
