"""False variants of derived formulas by machine: signs, constants, exponents and ρ → -ρ.

Every variant changes one place of a formula's tree. The evidence of the claim that holds the
formula must refute it, unless the variant is the same function: then SymPy shows why, or a
comparison at 60 digits does.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import sympy

from proofs_checks import kernels, optimality
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
from symcomp.antiderivatives import C


@dataclass(frozen=True)
class Formula:
    """A formula of a claim's subject: its name, its tree, and how to put another in its place."""

    claim: Claim[Any]
    name: str
    expr: sympy.Expr
    put: Callable[[sympy.Expr], Any]


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
    """K of every homogeneous activation (K1), e (K6), and E_M, radius and value (E2)."""
    for d in kernels.catalogue():

        def put(expr: sympy.Expr, d: kernels.Derived = d) -> kernels.Catalogue:
            return (replace(d, expr=expr),)

        yield Formula(kernels.K1, f"K of {d.act.name}", d.expr, put)
    halves = kernels.K6.subject()
    yield Formula(kernels.K6, "e", halves.even, lambda e: replace(halves, even=e))
    best = optimality.E2.subject()
    for field in ("energy", "radius", "value"):

        def exchange(expr: sympy.Expr, field: str = field) -> Any:
            return replace(best, **{field: expr})

        yield Formula(optimality.E2, field, getattr(best, field), exchange)


def variants(formula: Formula) -> Iterator[Variant]:
    """One change each: a sign, a number more or less, an exponent, and c → -c; no duplicates."""
    seen = {formula.expr}
    for change, expr in _changes(formula.expr):
        if expr not in seen:
            seen.add(expr)
            yield Variant(formula, change, expr)
    if formula.expr.has(C) and (mirrored := formula.expr.subs(C, -C)) not in seen:
        yield Variant(formula, "c → -c", mirrored)


def _changes(expr: sympy.Expr) -> Iterator[tuple[str, sympy.Expr]]:
    if expr.is_Number:
        yield from ((f"{expr} → {new}", new) for new in (expr + 1, -expr))
    elif expr == sympy.pi:
        yield "π → 3", sympy.Integer(3)
    elif not expr.is_Symbol:
        yield f"the sign of {expr}", -expr
    for i, arg in enumerate(expr.args):
        for change, new in _changes(arg):
            args = (*expr.args[:i], new, *expr.args[i + 1 :])
            yield change, expr.func(*args)


def fate(variant: Variant, settings: Settings) -> Fate:
    """Run the claim's evidence, proofs first, until a piece of it fails."""
    formula = variant.formula
    if _same_function(formula.expr, variant.expr):
        return Fate(variant, Verdict.PROVED, "the same function at 12 random points, 60 digits")
    if not _defined(variant.expr):
        return Fate(variant, Verdict.REFUTED, "no real number at any of 12 random points")
    told = []
    for evidence in formula.claim.evidence:
        try:
            finding = evidence.check(formula.put(variant.expr), settings)
        except (ArithmeticError, TypeError, ValueError, AttributeError) as error:
            told.append(f"{evidence.kind}: {type(error).__name__}: {error}"[:120])
            continue
        if finding.outcome is Outcome.FAILS:
            return Fate(variant, Verdict.REFUTED, f"{evidence.kind}: {evidence.method}")
        told.append(f"{evidence.kind}: {finding.outcome}, {finding.figure}"[:120])
    return Fate(variant, Verdict.UNDECIDED, "; ".join(told))


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


def _same_function(one: sympy.Expr, other: sympy.Expr) -> bool:
    values = [(one - other).subs(at).evalf(60, chop=True) for at in _points(one)]
    return all(v.is_number and abs(v) < sympy.Float("1e-50") for v in values)


def _defined(expr: sympy.Expr) -> bool:
    values = [expr.subs(at).evalf(30, chop=True) for at in _points(expr)]
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
