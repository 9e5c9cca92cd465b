"""False variants of derived formulas by machine: signs, constants, exponents and ρ → -ρ.

Every variant changes one place of a formula's tree. The evidence of the claim that holds the
formula must refute it, unless the variant is the same function: then SymPy shows why, or a
comparison at 60 digits does.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import flint
import sympy
from flint import arb
from mpmath import mpf

from proofs_checks import catalogue, energy, frames, kernels, optimality, simplification
from proofs_checks.ledger import (
    Claim,
    Evidence,
    Finding,
    Kind,
    Mutant,
    Outcome,
    Settings,
    Verdict,
)
from symcomp import objectives
from symcomp.antiderivatives import C
from symcomp.balls import ball, exact
from symcomp.errors import ArgumentError, DivergenceError, ExpressionError
from symcomp.expectations import QU, QV
from symcomp.kernels import DualKernel


@dataclass(frozen=True)
class Formula:
    """A formula of a claim's subject: its name, its tree, and how to put another in its place."""

    claim: Claim[Any]
    name: str
    expr: sympy.Expr
    put: Callable[[sympy.Expr], Any]
    # what refutes a false variant soonest: mostly numbers, at points that are kept
    first: Kind = Kind.PRECISION


@dataclass(frozen=True)
class Variant:
    """A changed formula, and what was changed."""

    formula: Formula
    change: str
    expr: sympy.Expr


@dataclass(frozen=True)
class Fate:
    """What became of a variant: killed by a piece of evidence, equivalent, or a survivor."""

    variant: Variant
    verdict: Verdict  # REFUTED: killed; PROVED: the same function; UNDECIDED: survives
    reason: str


def formulas() -> Iterator[Formula]:
    """Every formula in a subject of the ledger: K, e, μ_k, E1's and E3's bounds, E2's optimum, L_N.

    K of a homogeneous activation belongs to K1, of the others with a closed form to K1c.
    """
    yield from _kernels()
    yield from _hermite()
    halves = kernels.K6.subject()
    yield Formula(kernels.K6, "e", halves.even, lambda e: replace(halves, even=e))
    yield from _losses()
    yield from _optima()


def _kernels() -> Iterator[Formula]:
    homogeneous = kernels.catalogue()
    for d in homogeneous:

        def derived(expr: sympy.Expr, d: kernels.Derived = d) -> kernels.Catalogue:
            return (replace(d, expr=expr),)

        yield Formula(kernels.K1, f"K of {d.act.name}", d.expr, derived)
    known = {d.act.name for d in homogeneous}
    for ker in catalogue.everything().kernels:
        if ker.expr is None or ker.left.name in known:
            continue

        def enclosed(expr: sympy.Expr, ker: DualKernel = ker) -> catalogue.Kernels:
            return catalogue.Kernels((replace(ker, expr=expr),), _enclosure)

        yield Formula(catalogue.K1C, f"K of {ker.left.name}", ker.expr, enclosed)


def _enclosure(ker: DualKernel, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    """What ker.enclosure encloses, without its proof that a value is 0; NaN where it has none."""
    u, v, cov = (exact(x) for x in (qu, qv, c))
    with flint.ctx.workprec(8 * digits + 64):
        value = ball(ker.expr, {QU: u, QV: v, C: cov})
    if value.is_finite() and value.rad() < arb(10) ** -(digits + 5):
        return value
    if not value.is_finite() and cov * cov == u * v:
        return catalogue.quadrature(ker.left.expr, u, v, cov, digits)
    try:
        return ker.enclosure(u, v, cov, digits)
    except (ArgumentError, DivergenceError):
        return arb.nan()


def _hermite() -> Iterator[Formula]:
    series = kernels.K2.subject()
    for k in (0, 1, 2, 4, 6):

        def put(expr: sympy.Expr, k: int = k) -> kernels.Series:
            return replace(series, mu=(*series.mu[:k], expr, *series.mu[k + 1 :]))

        yield Formula(kernels.K2, f"μ_{k} of relu", series.mu[k], put)


class _Candid(simplification.Formula):
    """A loss that is NaN, which fails every comparison, where it has no real value."""

    def value(self, numbers: Mapping[str, Any], digits: int) -> mpf:
        try:
            return super().value(numbers, digits)
        except (ExpressionError, ValueError):
            return mpf("nan")


def _losses() -> Iterator[Formula]:
    for claim, name in ((simplification.S0, "L_N"), (simplification.S1, "F")):
        loss = claim.subject()

        def put(expr: sympy.Expr, loss: simplification.Formula = loss) -> simplification.Formula:
            return _Candid(loss.kernel, expr)

        yield Formula(claim, name, loss.expr, put, Kind.PROOF)
    yield Formula(simplification.S2, "V/N", simplification.S2.subject().expr, simplification.Excess)


def _optima() -> Iterator[Formula]:
    inequality = energy.E1.subject()
    stand_in = replace(inequality.kernels[0], expr=energy.ANY(C))

    def bounded(expr: sympy.Expr) -> energy.EnergyInequality:
        def bound(ker: DualKernel, m: sympy.Expr, square: sympy.Expr) -> sympy.Expr:
            at = expr.subs({objectives.M: m, energy.Q: square})
            return at.replace(energy.ANY, lambda rho: objectives.kappa(ker, rho))

        return replace(inequality, bound=bound)

    general = inequality.bound(stand_in, objectives.M, energy.Q)
    yield Formula(energy.E1, "bound", general, bounded)
    for claim, fields in (
        (optimality.E2, ("cosine", "energy", "radius", "value", "law")),
        (frames.E3, ("mass", "mean", "even")),
    ):
        subject = claim.subject()
        for field in fields:

            def exchange(expr: sympy.Expr, subject: Any = subject, field: str = field) -> Any:
                return replace(subject, **{field: expr})

            yield Formula(claim, field, getattr(subject, field), exchange)


def variants(formula: Formula) -> Iterator[Variant]:
    """One change each: a sign, a number more or less, an exponent, and c → -c; no duplicates."""
    seen = {formula.expr}
    for change, expr in _changes(formula.expr):
        if expr not in seen:
            seen.add(expr)
            yield Variant(formula, change, expr)
    if formula.expr.has(C) and (mirrored := formula.expr.subs(C, -C)) not in seen:
        yield Variant(formula, "c → -c", mirrored)


_LEAVES = (sympy.Symbol, sympy.Indexed)
_QUICKEST = (Kind.PRECISION, Kind.PROOF, Kind.PROPERTY, Kind.CERTIFICATE, Kind.STATISTICS)


def _changes(expr: sympy.Expr) -> Iterator[tuple[str, sympy.Expr]]:
    if expr.is_Number:
        yield from ((f"{expr} → {new}", new) for new in (expr + 1, -expr))
    elif expr == sympy.pi:
        yield "π → 3", sympy.Integer(3)
    elif not isinstance(expr, _LEAVES):
        yield f"the sign of {expr}", -expr
    if isinstance(expr, _LEAVES):
        return
    # the limits of a sum are no part of the formula that the mutator understands
    for i, arg in enumerate(expr.args[:1] if isinstance(expr, sympy.Sum) else expr.args):
        for change, new in _changes(arg):
            args = (*expr.args[:i], new, *expr.args[i + 1 :])
            yield change, expr.func(*args)


def fate(variant: Variant, settings: Settings) -> Fate:
    """Run the claim's evidence, numbers first, until a piece of it fails.

    What no number refutes may be the same function in other words, or no real function at all:
    that is looked at before SymPy, searches and balls try for seconds.
    """
    told: list[str] = []
    evidence = sorted(variant.formula.claim.evidence, key=lambda e: _QUICKEST.index(e.kind))
    quick = [e for e in evidence if e.kind is variant.formula.first]
    if fallen := _first_to_fail(variant, quick, settings, told):
        return fallen
    if _same_function(variant.formula.expr, variant.expr):
        return Fate(variant, Verdict.PROVED, "the same function at 12 random points, 60 digits")
    if _defined(variant.formula.expr) and not _defined(variant.expr):
        return Fate(variant, Verdict.REFUTED, "no real number at any of 12 random points")
    others = [e for e in evidence if e.kind is not variant.formula.first]
    fallen = _first_to_fail(variant, others, settings, told)
    return fallen or Fate(variant, Verdict.UNDECIDED, "; ".join(told))


def _first_to_fail(
    variant: Variant, evidence: list[Evidence[Any]], settings: Settings, told: list[str]
) -> Fate | None:
    subject = variant.formula.put(variant.expr)
    for e in evidence:
        try:
            finding = e.check(subject, settings)
        except (ArithmeticError, TypeError, ValueError, AttributeError) as error:
            told.append(f"{e.kind}: {type(error).__name__}: {error}"[:120])
            continue
        if finding.outcome is Outcome.FAILS:
            return Fate(variant, Verdict.REFUTED, f"{e.kind}: {e.method}")
        told.append(f"{e.kind}: {finding.outcome}, {finding.figure}"[:120])
    return None


def _points(expr: sympy.Expr) -> Iterator[dict[sympy.Symbol, sympy.Rational]]:
    """Random rationals within the assumptions; c within its bounds, y in [0, 1], M >= 2."""
    draw = random.Random(1)
    for _ in range(12):
        point = {}
        for symbol in sorted(expr.free_symbols, key=str):
            number = sympy.Rational(draw.randint(1, 96), 97)
            sign = 1 if symbol.is_nonnegative else draw.choice((-1, 1))
            whole = sympy.Integer(draw.randint(2, 9))
            big = number + 1 if str(symbol).startswith("q") else sign * number
            point[symbol] = whole if symbol.is_integer else big
        yield point


def _plain(expr: sympy.Expr) -> sympy.Expr:
    """The expression itself; sums over neurons written out for two of each, with plain symbols."""
    if not expr.has(sympy.Sum):
        return expr
    expr = expr.subs({objectives.N: 2, objectives.M: 2}).doit()
    return expr.xreplace({a: sympy.Symbol(str(a), real=True) for a in expr.atoms(sympy.Indexed)})


def _same_function(one: sympy.Expr, other: sympy.Expr) -> bool:
    one, other = _plain(one), _plain(other)
    met = 0
    for at in _points(one):
        value = (one - other).subs(at).evalf(60, chop=True)
        if not value.is_number or value.has(sympy.nan, sympy.zoo, sympy.oo):
            continue  # no number there, real or complex
        met += 1
        if not abs(value) < sympy.Float("1e-50"):
            return False
    return met > 0


def _defined(expr: sympy.Expr) -> bool:
    expr = _plain(expr)
    values = (expr.subs(at).evalf(30, chop=True) for at in _points(expr))
    return any(v.is_Float or v.is_Rational for v in values)


def survey(
    settings: Settings, limit: int = 0, judge: Callable[[Variant, Settings], Fate] = fate
) -> list[Fate]:
    """The fates of all variants, or of ``limit`` per formula drawn with the settings' seed."""
    fates = []
    for formula in formulas():
        found = list(variants(formula))
        if limit and len(found) > limit:
            found = random.Random(settings.seed).sample(found, limit)
        fates += [judge(variant, settings) for variant in found]
    return fates


def summary(fates: list[Fate]) -> str:
    """One line: killed, equivalent, surviving."""
    count = {v: sum(f.verdict is v for f in fates) for v in Verdict}
    false = count[Verdict.REFUTED] + count[Verdict.UNDECIDED]
    return (
        f"{count[Verdict.REFUTED]} of {false} false variants refuted; "
        f"{count[Verdict.PROVED]} more are the same function"
    )


# ---- the claim about the ledger itself -----------------------------------------------------------


@dataclass(frozen=True)
class Bite:
    """The share of false variants that falls, and who judges a variant."""

    share: sympy.Rational
    judge: Callable[[Variant, Settings], Fate]


_DRAWN = 1  # of each formula: the whole survey takes ten minutes


def _bites(bite: Bite, settings: Settings) -> Finding:
    """Variants drawn with the seed; the share that falls, survivors and equivalents by name."""
    fates = survey(settings, _DRAWN, bite.judge)
    killed = sum(fate.verdict is Verdict.REFUTED for fate in fates)
    false = killed + sum(fate.verdict is Verdict.UNDECIDED for fate in fates)
    notes = [
        f"{fate.variant.formula.name}, {fate.variant.change}: "
        f"{'the same function' if fate.verdict is Verdict.PROVED else 'survives'}, {fate.reason}"
        for fate in fates
        if fate.verdict is not Verdict.REFUTED
    ]
    if not false:
        return Finding(Outcome.UNDECIDED, "no false variant drawn", len(fates))
    enough = killed >= bite.share * false
    return Finding(
        Outcome.HOLDS if enough else Outcome.FAILS,
        f"{summary(fates)} ({_DRAWN} drawn from each of {len(list(formulas()))} formulas)",
        len(fates),
        false,
        false,
        "" if enough else "; ".join(notes[:3]),
        tuple(notes),
    )


def _never(variant: Variant, _: Settings) -> Fate:
    return Fate(variant, Verdict.UNDECIDED, "evidence that refutes nothing")


L1 = Claim(
    id="L1",
    title="The ledger's evidence refutes machine-made false formulas",
    statement=(
        r"\text{of all changes of one sign, constant or exponent, or of }c\to-c,\text{ in the "
        r"derived }K,e,E_M,|\theta_j|,\min F,\text{ at least }95\,\%\text{ of the false ones fall}"
    ),
    source="this project, on its own evidence",
    subject=lambda: Bite(sympy.Rational(95, 100), fate),
    evidence=(
        Evidence(
            Kind.STATISTICS,
            "variants drawn with the seed, run through the evidence of K1, K6 and E2",
            _bites,
            covers=f"{_DRAWN} variant of each formula",
        ),
    ),
    mutants=(Mutant("evidence that refutes nothing", lambda b: replace(b, judge=_never)),),
)

CLAIMS: tuple[Claim[Any], ...] = (L1,)
