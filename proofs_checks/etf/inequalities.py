"""Claims V1 and V2: the two inequalities of E4's proof that ball arithmetic decides."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, TypeAlias

import mpmath
import sympy
from hypothesis import assume
from hypothesis import strategies as st
from mpmath import mpf
from sympy import Expr, cos, pi, sin

from proofs_checks import certificates
from proofs_checks.attack import descend
from proofs_checks.checks import combine, falsify, identities
from proofs_checks.etf import forms
from proofs_checks.etf.forms import defect
from proofs_checks.etf.tangents import SOURCE, true_height
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.replay import etf as replay_etf
from proofs_checks.replay.checker import Field
from symcomp.errors import ExpressionError

Row: TypeAlias = tuple[str, Expr, Expr]

Y, E = sympy.symbols("y e", positive=True)
Z, X = sympy.symbols("z x", positive=True)
THETA, OMEGA = sympy.symbols("theta omega", positive=True)
_SYMBOLS = Field(sympy.pi, sympy.sin, sympy.cos)


def taylor(expr: Expr, x: sympy.Symbol, order: int) -> Expr:
    """The Taylor polynomial of ``expr`` in x at 0 below x^order, exactly.

    For sums, products, whole powers, sines and cosines of functions analytic at 0.
    """
    if not expr.has(x) or expr == x:
        return expr
    if expr.is_Add:
        return sum((taylor(arg, x, order) for arg in expr.args), sympy.S.Zero)
    if expr.is_Mul:
        return reduce(lambda a, b: _cut(a * b, x, order), (taylor(a, x, order) for a in expr.args))
    first, rest = _split(taylor(expr.args[0], x, order), x)
    n = sympy.Symbol("n", integer=True)
    if expr.is_Pow and expr.exp.is_Integer:
        most = min(order, expr.exp + 1) if expr.exp > 0 else order
        terms = [sympy.binomial(expr.exp, k) * first ** (expr.exp - k) for k in range(most)]
    elif expr.func in (sin, cos):
        derivatives = [expr.func(first + n * pi / 2).subs(n, k) for k in range(order)]
        terms = [d / sympy.factorial(k) for k, d in enumerate(derivatives)]
    else:
        raise ExpressionError(
            f"expr: found {expr}, expected sums, products, integer powers, sin and cos"
        )
    # Horner's scheme; rest has no constant term
    return reduce(lambda total, a: _cut(total * rest + a, x, order), reversed(terms))


def _cut(expr: Expr, x: sympy.Symbol, order: int) -> Expr:
    expanded = sympy.expand(expr)
    return sum((expanded.coeff(x, k) * x**k for k in range(order)), sympy.S.Zero)


def _split(expr: Expr, x: sympy.Symbol) -> tuple[Expr, Expr]:
    first = sympy.expand(expr).coeff(x, 0)
    return first, sympy.expand(expr - first)


# ---- V1 ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class First:
    """(V1): left > 0 on [0, π) in the symbol y; near π it is lowest (π - y)⁴."""

    left: Expr
    lowest: Expr


def first() -> First:
    """(2d + q)(d - q) + 2y² d sin y, and π²/12."""
    d, q = defect(Y), Y * (1 + cos(Y))
    return First((2 * d + q) * (d - q) + 2 * Y**2 * d * sin(Y), pi**2 / 12)


def _first_certificate(claim: First, _: Settings) -> Finding:
    """The formulas of the checker are those of the claim, and it accepts the certificate."""
    return certificates.tied("V1", identities(_first_rows(claim)))


def _first_rows(claim: First) -> Iterator[Row]:
    yield "(V1) is d(2d - yZ)", claim.left, forms.first_inequality(Y)
    yield "what the checker evaluates in chart y", replay_etf.v1(Y, _SYMBOLS), claim.left
    parts = sin(E) / E, (1 - cos(E)) / E**2, (E - sin(E)) / E**3
    yield (
        "and in chart e, with y = π - e",
        E**4 * replay_etf.v1_at_pi(E, parts, _SYMBOLS),
        claim.left.subs(Y, pi - E),
    )
    yield (
        "its lowest term at π",
        taylor(claim.left.subs(Y, pi - E), E, 5),
        claim.lowest * E**4,
    )


def _first_descent(claim: First, settings: Settings) -> Finding:
    """(V1) over (π - y)⁴, in y and in the logarithm of π - y."""
    left = sympy.lambdify(Y, claim.left, "mpmath")

    def margin(y: mpf) -> mpf:
        return left(y) / (mpmath.pi - y) ** 4

    def near(digits: mpf) -> mpf:
        return margin(mpmath.pi - mpf(10) ** -digits)

    starts = [(share / 8,) for share in range(9)]
    return combine(
        descend(margin, {"y": (0, 3.14)}, settings, starts),
        descend(near, {"digits": (0, 8)}, settings, starts),
    )


V1 = Claim(
    id="V1",
    title="The inequality in one variable",
    statement=(
        r"d=\pi-y-\sin y,\ q=y(1+\cos y),\ Z=1+\cos y-2y\sin y+y(1+\cos y)^2/d:\quad d(2d-yZ)="
        r"(2d+q)(d-q)+2y^2d\sin y>0\ \text{ on }[0,\pi);\ \sim\tfrac{\pi^2}{12}(\pi-y)^4\text{ "
        r"at }\pi"
    ),
    source=SOURCE,
    subject=first,
    evidence=(
        Evidence(Kind.CERTIFICATE, "an independent checker replays V1.json", _first_certificate),
        Evidence(Kind.PROPERTY, "descent, also next to π, 50 digits", _first_descent),
    ),
    mutants=(
        Mutant(
            "y² d sin y in place of 2y² d sin y",
            lambda c: replace(c, left=c.left - Y**2 * defect(Y) * sin(Y)),
        ),
        Mutant("lowest term π²/6", lambda c: replace(c, lowest=pi**2 / 6)),
    ),
)


# ---- V2 ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Second:
    """(V2) for bad s < β, where least <= β and turn <= ψ̄/π; its expansions at the corner.

    With β = cos θω and βs = cos ω: left - right = cubic ω³ + quartic ω⁴ + ..., and
    -cos y_c - s² = level ω² + .... ``everywhere`` claims (V2) for all s, bad or not.
    """

    cubic: Expr
    quartic: Expr
    level: Expr
    everywhere: bool = False


def second() -> Second:
    """The coefficients of the proof."""
    low, gap = 1 - THETA, 1 - 3 * THETA
    return Second(2 * pi**2 * THETA * low * (1 - 2 * THETA), pi * low**2 * gap**2, -low * gap)


def _second_certificate(claim: Second, _: Settings) -> Finding:
    """The formulas of the checker are those of the claim, and it accepts the certificate."""
    return certificates.tied("V2", identities([*_checker_rows(), *_corner_rows(claim)]))


def _checker_rows() -> Iterator[Row]:
    pair = forms.scaled(Z, X)
    square = cos(pi * Z) ** 2
    yield (
        "what the checker calls good is -(s² + cos y_c) cos²πz",
        replay_etf.good(Z, X, _SYMBOLS),
        sympy.expand(-pair.badness * square),
    )
    yield (
        "what it calls strict is (left - right of (V2)) cos²πz",
        replay_etf.strict(Z, X, _SYMBOLS),
        sympy.expand((pair.left - pair.right) * square),
    )
    yield (
        "what it calls high is (s - β) cos πz",
        replay_etf.high(Z, X, _SYMBOLS),
        sympy.expand((pair.s - cos(pi * Z)) * cos(pi * Z)),
    )


def _corner_rows(claim: Second) -> Iterator[Row]:
    pair = forms.Pair(pi - THETA * OMEGA, pi - OMEGA)
    gap, level = taylor(pair.left - pair.right, OMEGA, 5), taylor(-pair.badness, OMEGA, 3)
    below = sum((gap.coeff(OMEGA, k) for k in range(3)), sympy.S.Zero)
    yield "(V2) holds with equality at the corner, up to ω²", below, sympy.S.Zero
    yield "its term in ω³", gap.coeff(OMEGA, 3), claim.cubic
    yield "its term in ω⁴", gap.coeff(OMEGA, 4), claim.quartic
    yield "badness at the corner", level, claim.level * OMEGA**2


def pair_values(z: mpf, x: mpf) -> tuple[mpf, mpf, mpf]:
    """s, s² + cos y_c and left - right of (V2), from β, s, arccos and H, at mpmath's precision."""
    beta, cross = mpmath.cos(mpmath.pi * z), mpmath.cos(mpmath.pi * x)
    s = cross / beta
    psi, m = mpmath.pi - mpmath.acos(cross), mpmath.pi - mpmath.acos(beta)
    y = mpmath.pi * psi**2 / m**2
    left = true_height(beta) ** 2 * (y * s * s + mpmath.sin(y))
    return s, s * s + mpmath.cos(y), left - mpmath.pi * true_height(cross) ** 2


def bad_margin(z: mpf, x: mpf, *, everywhere: bool = False) -> mpf | None:
    """Left - right of (V2) over x³ where s is in [-1, 1] and bad; else None."""
    if not (0 <= z <= x <= 1 - z and z < mpf(1) / 2 and x > 0):
        return None
    s, badness, gap = pair_values(z, x)
    # s = 1 is equality: there rounding decides what is bad
    if not everywhere and (not badness > 0 or s >= mpmath.cos(mpmath.pi * z)):
        return None
    return gap / x**3


def _second_search(claim: Second, settings: Settings) -> Finding:
    """The region of the certificate, its edges and its corner at all scales."""

    def margin(share: float, x: float) -> float:
        assume(share * x <= 0.48)
        with mpmath.workdps(settings.digits):
            value = bad_margin(mpf(share) * mpf(x), mpf(x), everywhere=claim.everywhere)
        assume(value is not None)
        return float(value if value is not None else 0)

    shares = st.sampled_from((0.0, 1 / 3, 0.5)) | st.floats(0, 1)
    scales = st.builds(lambda k: 10.0**-k, st.integers(1, 12))
    strategies = {"share": shares, "x": scales | st.floats(0.0625, 0.75)}
    return falsify(margin, strategies, settings, slack=10.0 ** (16 - settings.digits))


def _second_descent(claim: Second, settings: Settings) -> Finding:
    def inside(z: mpf, x: mpf) -> mpf | None:
        return bad_margin(z, x, everywhere=claim.everywhere)

    def corner(share: mpf, digits: mpf) -> mpf | None:
        x = mpf(10) ** -digits
        return bad_margin(share * x, x, everywhere=claim.everywhere)

    return combine(
        descend(inside, {"z": (0, 0.48), "x": (0.01, 0.75)}, settings, [(0, 0.1), (0.9, 0.8)]),
        descend(corner, {"share": (0, 1), "digits": (0.5, 6)}, settings, [(0, 0.5), (1 / 3, 0.9)]),
    )


V2 = Claim(
    id="V2",
    title="The inequality in two variables (A4 iv)",
    statement=(
        r"\beta=\cos\pi z,\ \beta s=\cos\pi x,\ 0\le z\le x\le1-z,\ z\le\tfrac{12}{25},\ x\le"
        r"\tfrac34,\ y_c=\pi\tfrac{(1-x)^2}{(1-z)^2}:\quad s^2>-\cos y_c\ \Rightarrow\ H(\beta)^2"
        r"(y_cs^2+\sin y_c)\ge\pi H(\beta s)^2;\quad\text{at }\beta=\cos\theta\omega,\ \beta s="
        r"\cos\omega\text{ the difference is }2\pi^2\theta(1-\theta)(1-2\theta)\omega^3+\pi(1-"
        r"\theta)^2(1-3\theta)^2\omega^4+\dots,\ -\cos y_c-s^2=(1-\theta)(3\theta-1)\omega^2+\dots"
    ),
    source=SOURCE,
    subject=second,
    evidence=(
        Evidence(Kind.CERTIFICATE, "an independent checker replays V2.json", _second_certificate),
        Evidence(Kind.PROPERTY, "search at the edges and the corner, 50 digits", _second_search),
        Evidence(Kind.PROPERTY, "descent inside and into the corner, 50 digits", _second_descent),
    ),
    mutants=(
        Mutant("also where s is not bad", lambda c: replace(c, everywhere=True)),
        Mutant("π² for 2π² in ω³", lambda c: replace(c, cubic=c.cubic / 2)),
        Mutant("1 - 2θ for 1 - 3θ in ω⁴", lambda c: replace(c, quartic=_other_quartic())),
        Mutant("the level with 2θ - 1", lambda c: replace(c, level=(1 - THETA) * (2 * THETA - 1))),
    ),
    depends_on=("A4i",),
)


def _other_quartic() -> Expr:
    return pi * (1 - THETA) ** 2 * (1 - 2 * THETA) ** 2


CLAIMS: tuple[Claim[Any], ...] = (V1, V2)
