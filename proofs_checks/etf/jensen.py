"""Claim A2: Jensen's inequality for the pair (sin ψ, ψ cos ψ), for E4's proof."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import mpmath
import sympy
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Expr, IndexedBase, Sum, cos, pi, sin

from proofs_checks.checks import combine, falsify, identities, signs
from proofs_checks.etf.tangents import SOURCE
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings

Row: TypeAlias = tuple[str, Expr, Expr]
Sign: TypeAlias = tuple[str, Expr, str]

PSI = sympy.Symbol("psi", positive=True)
_F = sympy.Function("F")
U = PSI * cos(PSI) / sin(PSI)
B = PSI - sin(PSI) * cos(PSI)


def wronskian(f: Expr) -> Expr:
    """W = F' sin ψ - F cos ψ."""
    return sympy.diff(f, PSI) * sin(PSI) - f * cos(PSI)


def criterion(f: Expr) -> Expr:
    """N_F = B F'' - 2 sin²ψ F' + (ψ + sin ψ cos ψ) F."""
    slope = sympy.diff(f, PSI)
    bent = sympy.diff(slope, PSI)
    return B * bent - 2 * sin(PSI) ** 2 * slope + (PSI + sin(PSI) * cos(PSI)) * f


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
    return AngleJensen(U, B, wronskian, criterion, "0")


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


def jensen_gap(c: Sequence[mpf], psi: Sequence[mpf], f: Callable[[mpf], mpf]) -> mpf:
    """Σ c F(ψ) - m̄ F(ψ̄) at the current precision."""
    scale, end = mean_angle(c, psi)
    return mpmath.fsum(w * f(x) for w, x in zip(c, psi, strict=True)) - scale * f(end)


def ensembles() -> dict[str, st.SearchStrategy[Any]]:
    """Weights, angles as shares of the greatest one, that angle as a share of π, and b's share."""
    weight = st.sampled_from((1.0, 1e-9)) | st.floats(0.001, 10)
    share = st.sampled_from((1.0, 1e-6, 1 - 1e-9)) | st.floats(0.001, 1)
    return {
        "weights": st.lists(weight, min_size=1, max_size=4),
        "shares": st.lists(share, min_size=1, max_size=4),
        "turn": st.sampled_from((0.5, 1 - 1e-9, 1e-6)) | st.floats(0.001, 0.999),
        "top": st.sampled_from((1.0, 1e-6)) | st.floats(0.001, 1),
    }


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


CLAIMS: tuple[Claim[Any], ...] = (A2,)
