"""False variants of derived formulas by machine: signs, constants, exponents and ρ → -ρ.

Every variant changes one place of a formula's tree. The evidence of the claim that holds the
formula must refute it, unless the variant is the same function: then SymPy shows why, or a
comparison at 60 digits does.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import sympy

from proofs_checks.derived import Formula, formulas
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
from symcomp.special import BivariateNormalCDF


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
        return Fate(variant, Verdict.PROVED, _why(variant.formula.expr - variant.expr))
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


def _why(difference: sympy.Expr) -> str:
    """Why two formulas are one function: SymPy's word where it has one."""
    if sympy.expand(difference) == 0 or sympy.simplify(difference) == 0:
        return "SymPy: the difference is 0"
    return "equal at 12 random points to 60 digits"


def _defined(expr: sympy.Expr) -> bool:
    expr = _plain(expr)
    values = (expr.subs(at).evalf(30, chop=True) for at in _points(expr))
    return any(v.is_Float or v.is_Rational for v in values)


def survey(
    settings: Settings,
    limit: int = 0,
    judge: Callable[[Variant, Settings], Fate] = fate,
    among: Callable[[Formula], bool] = lambda _: True,
) -> list[Fate]:
    """The fates of all variants, or of ``limit`` per formula drawn with the settings' seed.

    ``among`` chooses the formulas. All of them take minutes. Numbers are compared to 20 digits;
    what they do not refute is looked at once more with the settings' digits.
    """
    quick = replace(settings, digits=min(settings.digits, 20))
    fates = []
    for formula in filter(among, formulas()):
        found = list(variants(formula))
        if limit and len(found) > limit:
            found = random.Random(settings.seed).sample(found, limit)
        for variant in found:
            first = judge(variant, quick)
            fates.append(
                first if first.verdict is not Verdict.UNDECIDED else judge(variant, settings)
            )
    return fates


def summary(fates: list[Fate]) -> str:
    """One line: killed, equivalent, surviving."""
    count = {v: sum(f.verdict is v for f in fates) for v in Verdict}
    false = count[Verdict.REFUTED] + count[Verdict.UNDECIDED]
    return (
        f"{count[Verdict.REFUTED]} of {false} false variants refuted; "
        f"{count[Verdict.PROVED]} more are the same function"
    )


def notes(fates: list[Fate]) -> list[str]:
    """A line for each variant that is not refuted: its formula, the change, and why."""
    return [
        f"{fate.variant.formula.name}, {fate.variant.change}: "
        f"{'the same function' if fate.verdict is Verdict.PROVED else 'survives'}, {fate.reason}"
        for fate in fates
        if fate.verdict is not Verdict.REFUTED
    ]


# ---- the claim about the ledger itself -----------------------------------------------------------


@dataclass(frozen=True)
class Bite:
    """The share of false variants that falls, and who judges a variant."""

    share: sympy.Rational
    judge: Callable[[Variant, Settings], Fate]


def _is_orthant(formula: Formula) -> bool:
    return bool(formula.expr.has(BivariateNormalCDF))


def _is_loss(formula: Formula) -> bool:
    return bool(formula.expr.has(sympy.Sum))


def _is_kernel(formula: Formula) -> bool:
    return formula.name.startswith("K of") and not _is_orthant(formula)


def _is_optimum(formula: Formula) -> bool:
    return formula.claim.id == "E2"


def _is_other(formula: Formula) -> bool:
    groups = (_is_kernel, _is_orthant, _is_loss, _is_optimum)
    return not any(group(formula) for group in groups)


def _bites(among: Callable[[Formula], bool], drawn: int, bite: Bite, settings: Settings) -> Finding:
    """The share that falls; survivors and equivalents by name."""
    fates = survey(settings, drawn, bite.judge, among)
    killed = sum(fate.verdict is Verdict.REFUTED for fate in fates)
    false = killed + sum(fate.verdict is Verdict.UNDECIDED for fate in fates)
    if not false:
        return Finding(Outcome.UNDECIDED, "no false variant", len(fates))
    told = notes(fates)
    enough = killed >= bite.share * false
    return Finding(
        Outcome.HOLDS if enough else Outcome.FAILS,
        f"{summary(fates)}, in {len({fate.variant.formula.name for fate in fates})} formulas",
        len(fates),
        false,
        false,
        "" if enough else "; ".join(told[:3]),
        tuple(told),
    )


def _evidence(method: str, covers: str, among: Callable[[Formula], bool], drawn: int) -> Any:
    return Evidence(Kind.STATISTICS, method, partial(_bites, among, drawn), covers)


def _never(variant: Variant, _: Settings) -> Fate:
    return Fate(variant, Verdict.UNDECIDED, "evidence that refutes nothing")


L1: Claim[Bite] = Claim(
    id="L1",
    title="The ledger's evidence refutes machine-made false formulas",
    statement=(
        r"\text{of all changes of one sign, constant or exponent, or of }c\to-c,\text{ in the "
        r"derived }K,\mu_k,e,L_N,F,V/N,\text{ in the bounds of E1 and E3 and in }"
        r"E_M,|\theta_j|,\min F\text{ and the cone's, at least }95\,\%\text{ of the false ones "
        r"fall}"
    ),
    source="this project, on its own evidence",
    subject=lambda: Bite(sympy.Rational(95, 100), fate),
    evidence=(
        _evidence(
            "8 variants of each drawn with the seed, through the evidence of K1 and K1c",
            "K of every activation whose closed form is elementary",
            _is_kernel,
            8,
        ),
        _evidence(
            "6 variants of each drawn with the seed, through that of K2, K6, S2, E1, E3 and E4c",
            "μ_k, e, V/N, the bounds of E1 and E3, the formulas of the cone",
            _is_other,
            6,
        ),
        _evidence(
            "10 variants of each drawn with the seed, through the evidence of E2",
            "E_M, radius, value and law of E2",
            _is_optimum,
            10,
        ),
        _evidence(
            "1 variant of each formula drawn with the seed, through the evidence of K1c",
            "K with orthant probabilities",
            _is_orthant,
            1,
        ),
        _evidence(
            "2 variants of each drawn with the seed, through the evidence of S0 and S1",
            "L_N and F",
            _is_loss,
            2,
        ),
    ),
    mutants=(Mutant("evidence that refutes nothing", lambda b: replace(b, judge=_never)),),
)

CLAIMS: tuple[Claim[Any], ...] = (L1,)


def main() -> None:
    """The whole survey: a line for each formula, then what is not refuted and why."""
    everything: list[Fate] = []
    for formula in formulas():

        def this_one(other: Formula, name: str = formula.name) -> bool:
            return other.name == name

        fates = survey(Settings(examples=20), among=this_one)
        print(f"{formula.claim.id} {formula.name}: {summary(fates)}", flush=True)
        everything += fates
    print("\n".join([summary(everything), *notes(everything)]))
