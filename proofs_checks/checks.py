"""Ways to make a ``Finding``: SymPy decides, numbers agree, Hypothesis searches, balls certify.

Three outcomes, never two: what cannot be decided is undecided, and no number proves an identity.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flint
import hypothesis
import mpmath
import numpy as np
import sympy
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy

from proofs_checks.decisions import RELATIONS, equality, sign
from proofs_checks.ledger import Finding, Outcome, Settings
from symcomp.errors import ArgumentError

Box = tuple[tuple[flint.fmpq, flint.fmpq], ...]


def identities(rows: Iterable[tuple[str, sympy.Expr, sympy.Expr]]) -> Finding:
    """Let SymPy decide lhs = rhs for every row (label, lhs, rhs), under its symbols' assumptions.

    Holds if every difference simplifies to zero exactly. Fails at a random rational point, drawn
    within the assumptions, where the sides differ at 50 digits. A difference that merely vanishes
    numerically, or contains floats, leaves the row undecided.
    """
    return _decide_rows(
        ("identity closed", "identities closed"), (_decide_identity(*row) for row in rows)
    )


def signs(rows: Iterable[tuple[str, sympy.Expr, str]]) -> Finding:
    """Let SymPy decide the sign of every row (label, expr, relation) from assumptions alone.

    The relation is one of ">0", ">=0", "<0", "<=0". Fails at a random rational point, drawn within
    the assumptions, where the relation is false. Raises ``ArgumentError`` for another relation.
    """
    return _decide_rows(("sign decided", "signs decided"), (_decide_sign(*row) for row in rows))


def combine(*findings: Finding) -> Finding:
    """All of the findings together: fails if one fails, else undecided if one is undecided."""
    outcomes = [finding.outcome for finding in findings]
    return Finding(
        outcome=_all_of(outcomes),
        figure="; ".join(finding.figure for finding in findings),
        tried=sum(finding.tried for finding in findings),
        met=sum(finding.met for finding in findings),
        decided=sum(finding.decided for finding in findings),
        counterexample="; ".join(f.counterexample for f in findings if f.counterexample),
        steps=tuple(step for finding in findings for step in finding.steps),
    )


def agreement(
    rows: Iterable[tuple[str, mpmath.mpf, mpmath.mpf]], digits: int, floor: float = 1e-3
) -> Finding:
    """Compare got with wanted in every row (label, got, wanted) to ``digits`` decimal digits.

    The error of a row is |got - wanted| / max(|wanted|, floor): relative, but absolute near zero.
    It must be at most 10^-digits; NaN and infinity fail. No rows at all are undecided.
    """
    if digits < 1:
        raise ArgumentError(f"digits: got {digits}, expected at least 1")
    with mpmath.workdps(digits + 20):
        errors = [(_error(got, wanted, floor), label, got, wanted) for label, got, wanted in rows]
        bad = [row for row in errors if not row[0] <= mpmath.mpf(10) ** -digits]
        # NaN compares with nothing, so it is put on top by hand.
        worst = max(errors, key=lambda r: mpmath.inf if mpmath.isnan(r[0]) else r[0], default=None)
        shown = "" if worst is None else mpmath.nstr(worst[0], 2)
        listed = "; ".join(_differing(row, digits) for row in bad[:5])
    if worst is None:
        return Finding(Outcome.UNDECIDED, "no points")
    count = len(errors)
    figure = f"{_counted(count, 'point')} to {digits} digits, worst error {shown}"
    if bad:
        figure = f"{len(bad)} of {figure}"
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    return Finding(outcome, figure, count, count, count, counterexample=listed)


def falsify(
    margin: Callable[..., float],
    strategies: Mapping[str, SearchStrategy[Any]],
    settings: Settings,
    slack: float = 0.0,
) -> Finding:
    """Let Hypothesis search arguments with ``margin(**arguments) < -slack``; a NaN margin fails.

    ``settings`` gives the seed and the number of examples. The counterexample is the shrunk one.
    Examples that ``hypothesis.assume`` rejects are tried, not met; if none is met the finding is
    undecided. An exception raised by ``margin`` is raised again, shrunk.
    """
    search = _Search(margin, slack)

    @hypothesis.seed(settings.seed)
    @hypothesis.settings(
        max_examples=settings.examples,
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.target, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.given(**strategies)
    def attempt(**arguments: Any) -> None:
        search.attempt(arguments)

    try:
        attempt()
    except _FalsifiedError as found:
        return search.refuted(found.args[0])
    except Unsatisfiable:
        pass
    return search.survived()


def certify(
    condition: Callable[[tuple[flint.arb, ...]], bool | None],
    domain: Sequence[tuple[flint.fmpq, flint.fmpq]],
    depth: int = 30,
    bits: int = 128,
) -> Finding:
    """Certify a condition on the whole box ``domain`` by subdivision in ball arithmetic.

    ``condition`` takes one ball per side and answers ``True`` (certain for every point of the
    balls), ``False`` (certainly false somewhere in them) or ``None`` (split). The ends of the
    boxes are exact rationals and their union is the domain; each box is halved across its longest
    side at most ``depth`` times. Raises ``ArgumentError`` for an empty or reversed side.
    """
    queue: deque[tuple[Box, int]] = deque([(_domain(domain), 0)])
    certain, open_boxes, visited = 0, [], 0
    with flint.ctx.workprec(bits):
        while queue:
            box, level = queue.popleft()
            visited += 1
            answer = condition(tuple(_ball(low, high) for low, high in box))
            if answer is True:
                certain += 1
            elif answer is False:
                figure = f"refuted after {_counted(visited, 'box', 'boxes')} at {bits} bits"
                return Finding(Outcome.FAILS, figure, visited, visited, visited, _text(box))
            elif answer is not None:
                raise ArgumentError(f"condition: got {answer!r}, expected True, False or None")
            elif level < depth:
                queue.extend((half, level + 1) for half in _halves(box))
            else:
                open_boxes.append(box)
    figure = f"{_counted(certain, 'box', 'boxes')} at {bits} bits"
    if open_boxes:
        figure += f"; {len(open_boxes)} undecided at depth {depth}, first {_text(open_boxes[0])}"
    outcome = Outcome.UNDECIDED if open_boxes else Outcome.HOLDS
    return Finding(outcome, figure, certain + len(open_boxes), certain + len(open_boxes), certain)


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


# ------------------------------------------------------------------ SymPy decides


@dataclass(frozen=True)
class _Row:
    """One decided row: what it says, and a point against it if it fails."""

    outcome: Outcome
    label: str
    text: str
    against: str = ""


def _decide_rows(nouns: tuple[str, str], rows: Iterable[_Row]) -> Finding:
    decided = list(rows)
    closed = [row for row in decided if row.outcome is Outcome.HOLDS]
    failed = [row for row in decided if row.outcome is Outcome.FAILS]
    unsure = [row.label for row in decided if row.outcome is Outcome.UNDECIDED]
    figure = _counted(len(closed), *nouns)
    if failed or unsure:
        figure = f"{len(closed)} of {_counted(len(decided), *nouns)}"
    if failed:
        figure += f"; false: {', '.join(row.label for row in failed)}"
    if unsure:
        figure += f"; undecided: {', '.join(unsure)}"
    return Finding(
        outcome=_all_of([row.outcome for row in decided]),
        figure=figure,
        tried=len(decided),
        met=len(decided),
        decided=len(closed) + len(failed),
        counterexample="; ".join(f"{row.label}: {row.against}" for row in failed),
        steps=tuple(f"{row.label}: {row.text}" for row in closed),
    )


def _all_of(outcomes: Sequence[Outcome]) -> Outcome:
    if Outcome.FAILS in outcomes:
        return Outcome.FAILS
    if not outcomes or Outcome.UNDECIDED in outcomes:
        return Outcome.UNDECIDED
    return Outcome.HOLDS


def _decide_identity(label: str, lhs: sympy.Expr, rhs: sympy.Expr) -> _Row:
    lhs, rhs = sympy.sympify(lhs, strict=True), sympy.sympify(rhs, strict=True)
    text = f"{lhs} = {rhs}"
    if lhs.has(sympy.Float) or rhs.has(sympy.Float):
        return _Row(Outcome.UNDECIDED, f"{label} (contains floats)", text)
    outcome, against = equality(lhs, rhs)
    return _Row(outcome, label, text, against)


def _decide_sign(label: str, expr: sympy.Expr, relation: str) -> _Row:
    relation = relation.replace(" ", "")
    if relation not in RELATIONS:
        raise ArgumentError(f"relation: got {relation!r}, expected one of {', '.join(RELATIONS)}")
    expr = sympy.sympify(expr, strict=True)
    text = f"{expr} {relation[:-1]} 0"
    if expr.has(sympy.Float):
        return _Row(Outcome.UNDECIDED, f"{label} (contains floats)", text)
    outcome, against = sign(expr, relation)
    if outcome is Outcome.FAILS and not against:
        against = f"the assumptions say the opposite of {text}"
    return _Row(outcome, label, text, against)


# ------------------------------------------------------------------ two numbers agree


def _error(got: Any, wanted: Any, floor: float) -> Any:
    g, w = mpmath.mpf(got), mpmath.mpf(wanted)
    return abs(g - w) / max(abs(w), mpmath.mpf(floor))


def _differing(row: tuple[Any, str, Any, Any], digits: int) -> str:
    error, label, got, wanted = row
    shown = (mpmath.nstr(mpmath.mpf(value), min(digits, 20)) for value in (got, wanted))
    return f"{label}: got {{}}, wanted {{}}, error {mpmath.nstr(error, 2)}".format(*shown)


# ------------------------------------------------------------------ Hypothesis searches


class _FalsifiedError(Exception):
    """The claim fails for the arguments at hand; carries (margin, arguments as text)."""


@dataclass
class _Search:
    """Counts of one search, its worst margin and the margin function it searches."""

    margin: Callable[..., float]
    slack: float
    tried: int = 0
    met: int = 0
    worst: float = field(default=float("inf"))
    done: bool = False

    def attempt(self, arguments: Mapping[str, Any]) -> None:
        # Calls made while shrinking look at variants of one failure, so they are not counted.
        self.tried += not self.done
        value = float(self.margin(**arguments))
        self.met += not self.done
        if not value >= -self.slack:
            self.done = True
            raise _FalsifiedError((value, _arguments_text(arguments)))
        self.worst = min(self.worst, value)
        if np.isfinite(value):
            hypothesis.target(-value)

    def refuted(self, found: tuple[float, str]) -> Finding:
        value, text = found
        figure = f"margin {value:.2g} after {_counted(self.met, 'example')}"
        return Finding(Outcome.FAILS, figure, self.tried, self.met, self.met, text)

    def survived(self) -> Finding:
        if not self.met:
            return Finding(Outcome.UNDECIDED, "no example met the assumptions", self.tried)
        figure = f"{_counted(self.met, 'example')}, worst margin {self.worst:.2g}"
        return Finding(Outcome.HOLDS, figure, self.tried, self.met, self.met)


def _arguments_text(arguments: Mapping[str, Any]) -> str:
    with np.printoptions(precision=17, threshold=64):
        return ", ".join(f"{k} = {' '.join(repr(v).split())}" for k, v in arguments.items())


# ------------------------------------------------------------------ balls certify


def _domain(domain: Sequence[tuple[flint.fmpq, flint.fmpq]]) -> Box:
    sides = tuple((flint.fmpq(low), flint.fmpq(high)) for low, high in domain)
    if not sides or any(low > high for low, high in sides):
        raise ArgumentError(f"domain: got {_text(sides)}, expected sides with low <= high")
    return sides


def _ball(low: flint.fmpq, high: flint.fmpq) -> flint.arb:
    return flint.arb(low).union(flint.arb(high))


def _halves(box: Box) -> tuple[Box, Box]:
    longest = max(range(len(box)), key=lambda i: box[i][1] - box[i][0])
    low, high = box[longest]
    middle = (low + high) / 2
    before, after = box[:longest], box[longest + 1 :]
    return (*before, (low, middle), *after), (*before, (middle, high), *after)


def _text(box: Box) -> str:
    return " x ".join(f"[{low}, {high}]" for low, high in box)
