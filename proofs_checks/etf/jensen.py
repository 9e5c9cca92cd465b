"""Claims A2, A3a and A3b: Jensen's inequality for the pair (sin ψ, ψ cos ψ), for E4's proof."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import factorial
from typing import Any, TypeAlias

import flint
import mpmath
import sympy
from flint import arb, fmpq
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Expr, IndexedBase, Rational, Sum, cos, pi, sin

from proofs_checks.attack import descend
from proofs_checks.checks import certify, combine, falsify, identities, signs
from proofs_checks.etf.forms import bracket, defect
from proofs_checks.etf.tangents import SOURCE
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings

Row: TypeAlias = tuple[str, Expr, Expr]
Sign: TypeAlias = tuple[str, Expr, str]

PSI = sympy.Symbol("psi", positive=True)
K = sympy.Symbol("k", positive=True)
G = sympy.Symbol("g", positive=True)
_F = sympy.Function("F")
_U = PSI * cos(PSI) / sin(PSI)
_B = PSI - sin(PSI) * cos(PSI)


def wronskian(f: Expr) -> Expr:
    """W = F' sin ψ - F cos ψ."""
    return sympy.diff(f, PSI) * sin(PSI) - f * cos(PSI)


def criterion(f: Expr) -> Expr:
    """N_F = B F'' - 2 sin²ψ F' + (ψ + sin ψ cos ψ) F."""
    slope = sympy.diff(f, PSI)
    bent = sympy.diff(slope, PSI)
    return _B * bent - 2 * sin(PSI) ** 2 * slope + (PSI + sin(PSI) * cos(PSI)) * f


# ---- A2 ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AngleJensen:
    """u and B in ψ, W and N as functions of F; the least weight allowed."""

    u: Expr
    b: Expr
    w: Callable[[Expr], Expr]
    n: Callable[[Expr], Expr]
    least: str


def angle_jensen() -> AngleJensen:
    """u = ψ cot ψ, B = ψ - sin ψ cos ψ; weights from 0."""
    return AngleJensen(_U, _B, wronskian, criterion, "0")


def _jensen_proof(claim: AngleJensen, _: Settings) -> Finding:
    """Jensen's inequality in u, for the weights c_i sin ψ_i > 0 (those of c_i = 0 are left out).

    u decreases strictly from 1 to -∞, as B > 0 (B(0) = 0, B' = 2 sin² ψ): so the mean of the
    u_i is u(ψ̄) for one ψ̄, between the least and the greatest ψ_i, and m̄ is Σ c sin ψ / sin ψ̄.
    d(F/sin)/du = -W/B: convex in u where W/B does not decrease in ψ, because u decreases. The
    supporting line of slope g at ū gives the inequality. If F is continuous up to the end b of its
    interval, ψ_i = b is allowed: a continuous function convex inside is convex.
    """
    return combine(identities([*_calculus(claim), *_supporting_line()]), signs(_pieces(claim)))


def _calculus(claim: AngleJensen) -> Iterator[Row]:
    yield "u' = -B/sin²ψ", sympy.diff(claim.u, PSI), -claim.b / sin(PSI) ** 2
    yield "B' = 2 sin²ψ", sympy.diff(claim.b, PSI), 2 * sin(PSI) ** 2
    yield "B(0) = 0", claim.b.subs(PSI, 0), sympy.S.Zero
    yield "u tends to 1 at 0", sympy.limit(claim.u, PSI, 0, "+"), sympy.S.One
    yield "1/u tends to 0 at π", sympy.limit(1 / claim.u, PSI, pi, "-"), sympy.S.Zero
    f, free = _F(PSI), sympy.symbols("F_2 F_1 F_0", real=True)
    swap = [*zip((f.diff(PSI, 2), f.diff(PSI), f), free, strict=True)]
    w, n = claim.w(f), claim.n(f)
    for name, left, right in (
        ("(F/sin)' = W/sin²ψ", sympy.diff(f / sin(PSI), PSI), w / sin(PSI) ** 2),
        ("(W/B)' = sin ψ N/B²", sympy.diff(w / claim.b, PSI), sin(PSI) * n / claim.b**2),
    ):
        yield f"{name}, F'', F', F being free", left.subs(swap), right.subs(swap)


def _supporting_line() -> Iterator[Row]:
    i, n = sympy.symbols("i n", integer=True, positive=True)
    c, angle, value = (IndexedBase(name) for name in ("c", "psi", "F"))
    level, slope, mean = sympy.symbols("G g u", real=True)
    scale, end, at = sympy.symbols("m psi_0 F_0", positive=True)

    def total(term: Expr) -> Expr:
        return Sum(term, (i, 1, n))

    u = angle[i] * cos(angle[i]) / sin(angle[i])
    line = level + slope * (u - mean)
    yield (
        "the weighted distances of F/sin from a line, summed",
        total(sympy.expand(c[i] * sin(angle[i]) * (value[i] / sin(angle[i]) - line))),
        total(c[i] * value[i])
        - (level - slope * mean) * total(c[i] * sin(angle[i]))
        - slope * total(c[i] * angle[i] * cos(angle[i])),
    )
    first, second = scale * sin(end), scale * end * cos(end)
    level_at, mean_at = at / sin(end), end * cos(end) / sin(end)
    yield (
        "are Σ c F - m̄ F(ψ̄) for the line at ū, whatever its slope",
        (level_at - slope * mean_at) * first + slope * second,
        scale * at,
    )


def _pieces(claim: AngleJensen) -> Iterator[Sign]:
    yield "B' on (0, π)", sympy.diff(claim.b, PSI).subs(PSI, PSI).rewrite(sin), ">=0"


# ---- angles and means at high precision ----------------------------------------------------------


def mean_angle(
    c: Sequence[mpf], psi: Sequence[mpf], u: Callable[[mpf], mpf] | None = None
) -> tuple[mpf, mpf]:
    """m̄ and ψ̄ of A2 at the current precision; NaN where there are none between the angles."""
    u = u or (lambda x: x * mpmath.cot(x))
    mass = mpmath.fsum(w * mpmath.sin(x) for w, x in zip(c, psi, strict=True))
    if not mass > 0:
        return mpmath.nan, mpmath.nan
    pairs = zip(c, psi, strict=True)
    goal = mpmath.fsum(w * mpmath.sin(x) * u(x) for w, x in pairs) / mass
    end = _root(lambda x: u(x) - goal, min(psi), max(psi))
    return mass / mpmath.sin(end), end


def _root(f: Callable[[mpf], mpf], low: mpf, high: mpf) -> mpf:
    """A zero of f by the Illinois form of regula falsi; NaN if the ends do not enclose one."""
    below, above = f(low), f(high)
    tiny = 100 * mpmath.eps * (1 + abs(below - above))
    if low == high or abs(below) <= tiny or abs(above) <= tiny:
        return low if abs(below) <= abs(above) else high
    if below * above > 0:
        return mpmath.nan
    kept, x = 0, low
    for _ in range(400):
        x, last = high - above * (high - low) / (above - below), x
        value = f(x)
        if value == 0 or abs(x - last) <= mpmath.eps * abs(x):
            break
        if value * above > 0:
            high, above, below, kept = x, value, below / 2 if kept > 0 else below, 1
        else:
            low, below, above, kept = x, value, above / 2 if kept < 0 else above, -1
    return x


def _jensen_search(claim: AngleJensen, settings: Settings) -> Finding:
    """F = sin ψ Φ(ψ cot ψ) with Φ convex: the two moments, the place of ψ̄, and the inequality."""
    digits = settings.digits
    u = sympy.lambdify(PSI, claim.u, "mpmath")

    def margin(weights: list[float], turns: list[float], kind: str) -> float:
        n = min(len(weights), len(turns))
        with mpmath.workdps(digits):
            c = [mpf(w) for w in weights[:n]]
            psi = [mpmath.pi * mpf(t) for t in turns[:n]]
            return float(_defects(c, psi, u, _CONVEX[kind], mpf(10) ** (15 - digits)))

    weight = st.sampled_from((1.0, 1e-12, 1e12)) | st.floats(float(claim.least), 10)
    turn = st.sampled_from((1e-6, 0.5, 1 - 1e-6)) | st.floats(0.001, 0.999)
    strategies = {
        "weights": st.lists(weight, min_size=1, max_size=5).filter(any),
        "turns": st.lists(turn, min_size=1, max_size=5),
        "kind": st.sampled_from(tuple(_CONVEX)),
    }
    return falsify(margin, strategies, settings)


_CONVEX: dict[str, Callable[[mpf], mpf]] = {
    "square": lambda u: u * u,
    "distance from 1/3": lambda u: abs(u - mpf(1) / 3),
    "exponential": mpmath.exp,
}


def _defects(
    c: list[mpf], psi: list[mpf], u: Callable[[mpf], mpf], phi: Callable[[mpf], mpf], small: mpf
) -> mpf:
    """Negative if a moment is off by more than ``small``, or if the inequality is."""
    scale, end = mean_angle(c, psi, u)
    pairs = [*zip(c, psi, strict=True)]
    sizes = mpmath.fsum(abs(w) * (1 + x * abs(mpmath.cot(x))) for w, x in pairs)
    first = mpmath.fsum(w * mpmath.sin(x) for w, x in pairs) - scale * mpmath.sin(end)
    second = mpmath.fsum(w * x * mpmath.cos(x) for w, x in pairs) - scale * end * mpmath.cos(end)
    true_u = [x * mpmath.cot(x) for x in (*psi, end)]
    *values, at = [mpmath.sin(x) * phi(v) for x, v in zip((*psi, end), true_u, strict=True)]
    gap = mpmath.fsum(w * v for w, v in zip(c, values, strict=True)) - scale * at
    size = sizes + abs(scale * at) + mpmath.fsum(abs(w * v) for w, v in zip(c, values, strict=True))
    return min(small - abs(first) / sizes, small - abs(second) / sizes, gap / size + small)


A2 = Claim(
    id="A2",
    title="Jensen's inequality for the pair (sin ψ, ψ cos ψ)",
    statement=(
        r"u(\psi)=\psi\cot\psi\text{ decreases strictly on }(0,\pi).\ \psi_i\in(0,\pi),\ c_i\ge0"
        r"\text{ not all }0:\ \text{unique }\bar m>0,\ \bar\psi\in[\min\psi_i,\max\psi_i]\text{ "
        r"with }\sum c_i\sin\psi_i=\bar m\sin\bar\psi,\ \sum c_i\psi_i\cos\psi_i=\bar m\bar\psi"
        r"\cos\bar\psi.\ B=\psi-\sin\psi\cos\psi,\ W=F'\sin\psi-F\cos\psi:\ \text{if }W/B\text{ "
        r"does not decrease on }(0,b)\ (\text{iff }N_F=BF''-2\sin^2\!\psi\,F'+(\psi+\sin\psi\cos"
        r"\psi)F\ge0)\text{ and all }\psi_i<b,\text{ or }\psi_i\le b<\pi\text{ and }F\text{ is "
        r"continuous at }b,\text{ then }\sum c_iF(\psi_i)\ge\bar mF(\bar\psi)"
    ),
    source=SOURCE,
    subject=angle_jensen,
    evidence=(
        Evidence(Kind.PROOF, "convexity in u, and a supporting line", _jensen_proof),
        Evidence(Kind.PROPERTY, "search over weights, angles and convex functions", _jensen_search),
    ),
    mutants=(
        Mutant("a negative weight", lambda c: replace(c, least="-10")),
        Mutant("u = ψ tan ψ", lambda c: replace(c, u=PSI * sin(PSI) / cos(PSI))),
        Mutant("W with the other sign", lambda c: replace(c, w=lambda f: -wronskian(f))),
        Mutant(
            "N with (ψ - sin ψ cos ψ) F",
            lambda c: replace(c, n=lambda f: criterion(f) - 2 * sin(PSI) * cos(PSI) * f),
        ),
    ),
)


# ---- A3a -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sines:
    """F = sin kψ for kψ <= reach π: W' and W'/B' as claimed."""

    rise: Expr
    ratio: Expr
    reach: str


def sines() -> Sines:
    """W' = (1 - k²) sin kψ sin ψ, over B' = 2 sin² ψ."""
    factor = 1 - K**2
    return Sines(factor * sin(K * PSI) * sin(PSI), factor * sin(K * PSI) / (2 * sin(PSI)), "1")


def _sines_proof(claim: Sines, _: Settings) -> Finding:
    """W/B is a running average of r = W'/B' with the weight B' dψ, and r does not decrease.

    W(0) = B(0) = 0, so W = ∫ r B' and B = ∫ B'. (W/B)' = B' (rB - W)/B², and rB - W is 0 at 0
    and has the derivative r'B. The sign of r' is that of (1 - k²)(u(kψ) - u(ψ)), because
    sin kψ / sin ψ > 0 for kψ < π, and that of (1 - k²)(1 - k) >= 0, because u decreases (A2). At
    the end b = π/k < π F is continuous.
    """
    return combine(identities(_sine_rows(claim)), signs(_sine_signs()))


def _sine_rows(claim: Sines) -> Iterator[Row]:
    w = wronskian(sin(K * PSI))
    yield "W(0) = 0", w.subs(PSI, 0), sympy.S.Zero
    yield "W' = (1 - k²) sin kψ sin ψ", sympy.diff(w, PSI), claim.rise
    yield "r = W'/B'", claim.rise / (2 * sin(PSI) ** 2), claim.ratio
    yield (
        "r' = (1 - k²)/2 · (u(kψ) - u(ψ))/ψ · sin kψ/sin ψ",
        sympy.diff(claim.ratio, PSI),
        (1 - K**2) / 2 * (_U.subs(PSI, K * PSI) - _U) / PSI * sin(K * PSI) / sin(PSI),
    )
    r, total = sympy.Function("r")(PSI), sympy.Function("W")(PSI)
    rise = sympy.diff(_B, PSI) * r
    swap = {sympy.diff(total, PSI): rise}
    yield (
        "(W/B)' = B' (rB - W)/B²",
        sympy.diff(total / _B, PSI).subs(swap),
        sympy.diff(_B, PSI) * (r * _B - total) / _B**2,
    )
    yield (
        "(rB - W)' = r'B",
        sympy.diff(r * _B - total, PSI).subs(swap),
        sympy.diff(r, PSI) * _B,
    )


def _sine_signs() -> Iterator[Sign]:
    yield "(1 - k²)(1 - k)", sympy.factor((1 - K**2) * (1 - K)), ">=0"


def jensen_gap(c: Sequence[mpf], psi: Sequence[mpf], f: Callable[[mpf], mpf]) -> mpf:
    """Σ c F(ψ) - m̄ F(ψ̄) at the current precision."""
    scale, end = mean_angle(c, psi)
    return mpmath.fsum(w * f(x) for w, x in zip(c, psi, strict=True)) - scale * f(end)


def _sines_search(claim: Sines, settings: Settings) -> Finding:
    """Weights, angles and k anywhere, also with kψ = π; N_F at each angle too."""
    n = sympy.lambdify((K, PSI), criterion(sin(K * PSI)), "mpmath")

    def margin(weights: list[float], shares: list[float], turn: float, top: float) -> float:
        with mpmath.workdps(settings.digits):
            most = mpmath.pi * mpf(turn)
            k = mpf(claim.reach) * mpmath.pi / most * mpf(top)
            count = min(len(weights), len(shares))
            psi = [most * mpf(share) for share in shares[:count]]
            c = [mpf(w) for w in weights[:count]]
            gap = jensen_gap(c, psi, lambda x: mpmath.sin(k * x)) / sum(c)
            return float(min(gap, *(n(k, x) for x in psi)))

    return falsify(margin, _ensembles(), settings, slack=10.0 ** (10 - settings.digits))


def _ensembles() -> dict[str, st.SearchStrategy[Any]]:
    """Weights, angles as shares of the greatest one, that angle as a share of π, and b's share."""
    weight = st.sampled_from((1.0, 1e-9)) | st.floats(0.001, 10)
    share = st.sampled_from((1.0, 1e-6, 1 - 1e-9)) | st.floats(0.001, 1)
    return {
        "weights": st.lists(weight, min_size=1, max_size=4),
        "shares": st.lists(share, min_size=1, max_size=4),
        "turn": st.sampled_from((0.5, 1 - 1e-9, 1e-6)) | st.floats(0.001, 0.999),
        "top": st.sampled_from((1.0, 1e-6)) | st.floats(0.001, 1),
    }


def _sines_descent(claim: Sines, settings: Settings) -> Finding:
    """Two neurons: their angles, the share of the first, and k."""

    def margin(a: mpf, b: mpf, w: mpf, top: mpf) -> mpf:
        k = mpf(claim.reach) * mpmath.pi * top / max(a, b)
        return jensen_gap((w, 1 - w), (a, b), lambda x: mpmath.sin(k * x))

    sides = {"a": (0.001, 3.14), "b": (0.001, 3.14), "w": (0, 1), "top": (0.001, 1)}
    return descend(margin, sides, settings, [(1, 0.5, 0.5, 1), (0.5, 0.5, 0.5, 0.9)])


A3A = Claim(
    id="A3a",
    title="Jensen in angles for sin kψ",
    statement=(
        r"k>0,\ F(\psi)=\sin k\psi:\ N_F\ge0\text{ for }0<\psi<\min(\pi,\pi/k);\text{ hence }"
        r"\sum c_i\sin k\psi_i\ge\bar m\sin k\bar\psi\text{ if all }0<\psi_i<\pi,\ k\psi_i\le\pi"
    ),
    source=SOURCE,
    subject=sines,
    evidence=(
        Evidence(Kind.PROOF, "running averages of a monotone quotient, every k", _sines_proof),
        Evidence(Kind.PROPERTY, "search over weights, angles and k, 50 digits", _sines_search),
        Evidence(Kind.PROPERTY, "descent for two neurons, 50 digits", _sines_descent),
    ),
    mutants=(
        Mutant("kψ up to 2π", lambda c: replace(c, reach="2")),
        Mutant("W' with 1 - k", lambda c: replace(c, rise=(1 - K) * sin(K * PSI) * sin(PSI))),
        Mutant("W'/B' with sin kψ / sin 2ψ", lambda c: replace(c, ratio=c.ratio / cos(PSI))),
    ),
    depends_on=("A2",),
)


# ---- A3b -----------------------------------------------------------------------------------------

_X = sympy.Symbol("x", positive=True)
_SIGMA = sin(PSI) * cos(PSI) / PSI
_TOP = fmpq(44, 7)  # > 2π


@dataclass(frozen=True)
class Roots:
    """F = sqrt(d(g²ψ²)) for g²ψ² <= reach π: Z, the lower bound of N_F, and the bound on σ.

    1 - σ <= share ψ² (1 + σ), σ = sin ψ cos ψ/ψ; N_F sqrt(d)/ψ >= (1 + σ)(d - yZ/2) where Z > 0.
    """

    z: Callable[[Expr], Expr]
    share: Expr
    reach: str


def roots() -> Roots:
    """Z = 1 + cos y - 2y sin y + y(1 + cos y)²/d, and a share of one half."""
    return Roots(bracket, Rational(1, 2), "1")


def _roots_proof(claim: Roots, _: Settings) -> Finding:
    """N_F sqrt(d)/ψ is a sum in which only the term with Z can be negative; (V1) outweighs it.

    If Z <= 0 every term of the first line is >= 0. If Z > 0 the second line has three terms >= 0,
    the first of them by (V1) as d > 0: d decreases to d(π) = 0. The bound on σ is, with x = 2ψ in
    (0, 2π), q(x)(1 + x²/8) <= 1/4 for q = (x - sin x)/x³; balls decide it on [0, 44/7], with the
    series of q at 0. (It follows from Redheffer's inequality too, on the last line.) At the end
    g²ψ² = π F is continuous.
    """
    return combine(
        identities([*_root_rows(claim), *_sigma_rows(claim)]),
        signs(_root_signs()),
        certify(_below_a_quarter, [(fmpq(0), _TOP)]),
    )


def _root_rows(claim: Roots) -> Iterator[Row]:
    y = G**2 * PSI**2
    d, z, whole = defect(y), claim.z(y), 1 + cos(y)
    left = criterion(sympy.sqrt(d)) * sympy.sqrt(d) / PSI
    terms = d * (1 + _SIGMA), 2 * G**2 * sin(PSI) ** 2 * whole, -(G**2) * (1 - _SIGMA) * z
    yield (
        "N_F sqrt(d)/ψ = d(1 + σ) + 2g² sin²ψ (1 + cos y) - g²(1 - σ) Z",
        left,
        sum(terms, sympy.S.Zero),
    )
    slack = claim.share * PSI**2 * (1 + _SIGMA) - (1 - _SIGMA)
    yield (
        "= (1 + σ)(d - yZ/2) + 2g² sin²ψ (1 + cos y) + g² Z (ψ²(1 + σ)/2 - (1 - σ))",
        sum(terms, sympy.S.Zero),
        (1 + _SIGMA) * (d - y * z / 2) + terms[1] + G**2 * z * slack,
    )


def _sigma_rows(claim: Roots) -> Iterator[Row]:
    slack = (claim.share * PSI**2 * (1 + _SIGMA) - (1 - _SIGMA)).subs(PSI, _X / 2)
    q = (_X - sin(_X)) / _X**3
    yield (
        "ψ²(1 + σ)/2 - (1 - σ) = x²(1/4 - q(1 + x²/8)), with x = 2ψ",
        slack.expand(trig=True).rewrite(sin).subs(sin(_X / 2) * cos(_X / 2), sin(_X) / 2),
        (_X**2 * (Rational(1, 4) - q * (1 + _X**2 / 8))),
    )
    yield "1 - σ = B/ψ", 1 - _SIGMA, _B / PSI
    yield (
        "(ψ(1 + σ))' = 2 cos²ψ, and ψ(1 + σ) is 0 at 0",
        sympy.diff(PSI * (1 + _SIGMA), PSI),
        2 * cos(PSI) ** 2,
    )
    y = sympy.Symbol("y", positive=True)
    yield "d' = -(1 + cos y) = -2 cos²(y/2)", sympy.diff(defect(y), y), -2 * cos(y / 2) ** 2
    yield "d(π) = 0", defect(pi), sympy.S.Zero
    yield (
        "Redheffer's sin x/x >= (π² - x²)/(π² + x²) would do",
        (pi**2 - _X**2) * (1 + _X**2 / 8) - (pi**2 + _X**2) * (1 - _X**2 / 8),
        _X**2 * (pi**2 - 8) / 4,
    )


def _root_signs() -> Iterator[Sign]:
    yield "2 cos²ψ", 2 * cos(PSI) ** 2, ">=0"
    yield "π² - 8", pi**2 - 8, ">0"


def _below_a_quarter(box: tuple[flint.arb, ...]) -> bool | None:
    """q(x)(1 + x²/8) < 1/4, q by its alternating series up to 3 and directly beyond 2."""
    (x,) = box
    square = x * x
    if x < 3:
        # Taylor's theorem for sin: after x²⁸ no more than x²⁸/31! is left of q
        q = sum((arb(-1) ** n * square**n / factorial(2 * n + 3) for n in range(14)), arb(0))
        q += (square**14).abs_upper() / factorial(31) * arb(0, 1)
    elif x > 2:
        q = (x - x.sin()) / (x * square)
    else:
        return None
    value = q * (1 + square / 8)
    return True if value < fmpq(1, 4) else False if value > fmpq(1, 4) else None


def _true_defect(y: mpf) -> mpf:
    """d(y), 0 for what rounding makes negative at y = π, NaN beyond π, where it has no root."""
    d = mpmath.pi - y - mpmath.sin(y)
    return d if d > 0 else mpmath.nan if d < -1e3 * mpmath.eps else mpf(0)


def _roots_search(claim: Roots, settings: Settings) -> Finding:
    """Weights, angles and g anywhere, also with g²ψ² = π; the bound on σ at each angle."""

    def margin(weights: list[float], shares: list[float], turn: float, top: float) -> float:
        with mpmath.workdps(settings.digits):
            most = mpmath.pi * mpf(turn)
            square = mpf(claim.reach) * mpmath.pi / most**2 * mpf(top)
            count = min(len(weights), len(shares))
            psi = [most * mpf(share) for share in shares[:count]]
            c = [mpf(w) for w in weights[:count]]
            gap = jensen_gap(c, psi, lambda x: mpmath.sqrt(_true_defect(square * x * x)))
            share = mpf(claim.share.p) / claim.share.q
            bounds = [share * x**2 * (1 + s) - 1 + s for x, s in ((x, _sinc(x)) for x in psi)]
            return float(min(gap / sum(c), *bounds))

    # the root of a rounding error next to π is 10^-25
    return falsify(margin, _ensembles(), settings, slack=10.0 ** (5 - settings.digits // 2))


def _sinc(x: mpf) -> mpf:
    return mpmath.sin(x) * mpmath.cos(x) / x


def _roots_descent(claim: Roots, settings: Settings) -> Finding:
    """Two neurons: their angles, the share of the first, and g."""

    def margin(a: mpf, b: mpf, w: mpf, top: mpf) -> mpf:
        square = mpf(claim.reach) * mpmath.pi * top / max(a, b) ** 2
        return jensen_gap(
            (w, 1 - w), (a, b), lambda x: mpmath.sqrt(_true_defect(square * x * x))
        ) + mpf(10) ** (5 - settings.digits // 2)

    sides = {"a": (0.001, 3.14), "b": (0.001, 3.14), "w": (0, 1), "top": (0.001, 1)}
    return descend(margin, sides, settings, [(1, 0.5, 0.5, 1), (0.5, 0.5, 0.5, 0.9)])


A3B = Claim(
    id="A3b",
    title="Jensen in angles for the root of d(g²ψ²)",
    statement=(
        r"g>0,\ d(y)=\pi-y-\sin y,\ F(\psi)=\sqrt{d(g^2\psi^2)}:\ N_F\ge0\text{ for }0<\psi<"
        r"\min(\pi,\sqrt\pi/g);\text{ hence }\sum c_iF(\psi_i)\ge\bar mF(\bar\psi)\text{ if all }"
        r"0<\psi_i<\pi,\ g^2\psi_i^2\le\pi"
    ),
    source=SOURCE,
    subject=roots,
    evidence=(
        Evidence(
            Kind.CERTIFICATE, "(V1), identities, and one bound in balls, every g", _roots_proof
        ),
        Evidence(Kind.PROPERTY, "search over weights, angles and g, 50 digits", _roots_search),
        Evidence(Kind.PROPERTY, "descent for two neurons, 50 digits", _roots_descent),
    ),
    mutants=(
        Mutant("g²ψ² up to 2π", lambda c: replace(c, reach="2")),
        Mutant("a share of 1/4", lambda c: replace(c, share=Rational(1, 4))),
        Mutant(
            "Z without its last term",
            lambda c: replace(c, z=lambda y: 1 + cos(y) - 2 * y * sin(y)),
        ),
    ),
    depends_on=("A2", "V1"),
)

CLAIMS: tuple[Claim[Any], ...] = (A2, A3A, A3B)
