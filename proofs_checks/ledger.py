"""Claims as data: what is claimed, its evidence, its false variants, and the computed verdict.

A claim's *subject* is what is claimed (a formula, a bound, a constant). Every check compares the
subject with an independent oracle, so a *mutant* is the same claim with a changed subject, run
through the very same evidence. A verdict is computed from findings, never typed in.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from typing import Any, Generic, TypeVar

from symcomp.errors import ArgumentError, SymcompError

S = TypeVar("S")


class Kind(StrEnum):
    """Kinds of evidence, strongest first."""

    PROOF = "proof"
    CERTIFICATE = "certificate"
    PRECISION = "precision"
    PROPERTY = "property"
    STATISTICS = "statistics"


class Outcome(StrEnum):
    """What one check found; ``UNDECIDED`` is never a pass."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"


class Verdict(StrEnum):
    """What is known of a claim, strongest first; ``SUPPORTED`` is not a proof."""

    PROVED = "proved"
    CERTIFIED = "certified"
    SUPPORTED = "supported"
    UNDECIDED = "undecided"
    REFUTED = "refuted"


@dataclass(frozen=True)
class Settings:
    """How hard to look: decimal digits, Hypothesis examples, and the seed of every random draw."""

    digits: int = 50
    examples: int = 100
    seed: int = 0


@dataclass(frozen=True)
class Finding:
    """What one check found, in one figure, with the points it tried, could use and decided.

    Raises ``ValueError`` for a finding that holds although nothing was decided.
    """

    outcome: Outcome
    figure: str
    tried: int = 0
    met: int = 0
    decided: int = 0
    counterexample: str = ""
    steps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a pass that decided nothing."""
        if self.outcome is Outcome.HOLDS and self.decided < 1:
            raise ValueError(f"a finding that holds must have decided something: {self.figure!r}")


@dataclass(frozen=True)
class Evidence(Generic[S]):
    """One check of the subject; ``covers`` names the part it covers, "" the whole statement."""

    kind: Kind
    method: str
    check: Callable[[S, Settings], Finding]
    covers: str = ""


@dataclass(frozen=True)
class Mutant(Generic[S]):
    """A false variant: the same subject with one constant, sign or condition changed."""

    name: str
    change: Callable[[S], S]


@dataclass(frozen=True)
class Claim(Generic[S]):
    """A statement (LaTeX), its source, subject, evidence, mutants and the ids it rests on."""

    id: str
    title: str
    statement: str
    source: str
    subject: Callable[[], S]
    evidence: tuple[Evidence[S], ...]
    mutants: tuple[Mutant[S], ...]
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Registry:
    """The claims in their order; ``home`` is where a worker process finds them.

    It is "module:NAME", or the path of a file of claims.

    Raises ``SymcompError`` for a duplicate id, an unknown dependency, a cycle, a claim without
    evidence or mutant, or a control character in a statement.
    """

    claims: tuple[Claim[Any], ...]
    home: str = "proofs_checks:REGISTRY"

    def __post_init__(self) -> None:
        """Refuse an incomplete or inconsistent set of claims."""
        for claim in self.claims:
            _require_complete(claim)
        _require_sound_references(self.claims)

    @property
    def ids(self) -> tuple[str, ...]:
        """The claims' ids, in the registry's order."""
        return tuple(claim.id for claim in self.claims)

    def __getitem__(self, claim_id: str) -> Claim[Any]:
        """The claim with this id."""
        return next(claim for claim in self.claims if claim.id == claim_id)

    def select(self, pattern: str = "*") -> tuple[str, ...]:
        """Ids that match one of the glob patterns between commas, ignoring case.

        Raises ``ArgumentError`` if there are none.
        """
        globs = [part.strip().upper() for part in pattern.split(",")]
        chosen = tuple(i for i in self.ids if any(fnmatchcase(i.upper(), g) for g in globs))
        if not chosen:
            known = ", ".join(self.ids)
            raise ArgumentError(f"pattern: {pattern!r} matches no claim, expected one of {known}")
        return chosen

    def with_dependencies(self, ids: Iterable[str]) -> tuple[str, ...]:
        """The given claims and all that they rest on, in the registry's order."""
        needed: set[str] = set()
        open_ids = list(ids)
        while open_ids:
            claim_id = open_ids.pop()
            if claim_id not in needed:
                needed.add(claim_id)
                open_ids.extend(self[claim_id].depends_on)
        return tuple(i for i in self.ids if i in needed)

    def foundations_first(self) -> tuple[str, ...]:
        """All ids, every claim after those it depends on."""
        return tuple(TopologicalSorter({c.id: c.depends_on for c in self.claims}).static_order())


def own_verdict(evidence: Iterable[tuple[Kind, str, Outcome]]) -> Verdict:
    """The verdict of (kind, covers, outcome) triples, before the dependencies are looked at."""
    triples = tuple(evidence)
    if any(outcome is Outcome.FAILS for _, _, outcome in triples):
        return Verdict.REFUTED
    earned = (_earned(kind, covers) for kind, covers, out in triples if out is Outcome.HOLDS)
    return min(earned, key=_weakness, default=Verdict.UNDECIDED)


def capped(own: Verdict, dependencies: Iterable[Verdict]) -> Verdict:
    """The verdict ``own``, but never stronger than the weakest dependency.

    A refuted dependency leaves a claim undecided, not refuted.
    """
    if own is Verdict.REFUTED:
        return own
    limits = (Verdict.UNDECIDED if d is Verdict.REFUTED else d for d in dependencies)
    return max((own, *limits), key=_weakness)


def verdicts(registry: Registry, own: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """Final verdicts of the claims in ``own``; a dependency missing from it counts as undecided."""
    final: dict[str, Verdict] = {}
    for claim_id in registry.foundations_first():
        if claim_id in own:
            below = (final.get(i, Verdict.UNDECIDED) for i in registry[claim_id].depends_on)
            final[claim_id] = capped(own[claim_id], below)
    return final


def _weakness(verdict: Verdict) -> int:
    return list(Verdict).index(verdict)


def _earned(kind: Kind, covers: str) -> Verdict:
    whole = {Kind.PROOF: Verdict.PROVED, Kind.CERTIFICATE: Verdict.CERTIFIED}
    return Verdict.SUPPORTED if covers else whole.get(kind, Verdict.SUPPORTED)


_CONTROL = {chr(i) for i in range(32)} - {"\n"}  # what LaTeX becomes outside a raw string


def _require_complete(claim: Claim[Any]) -> None:
    if not claim.evidence:
        raise SymcompError(f"claim {claim.id} has no evidence, expected at least one check")
    if not claim.mutants:
        raise SymcompError(f"claim {claim.id} has no mutant, expected at least one false variant")
    if odd := set(claim.statement) & _CONTROL:
        raise SymcompError(f"claim {claim.id}: found {min(odd)!r} in its statement, expected LaTeX")


def _require_sound_references(claims: tuple[Claim[Any], ...]) -> None:
    ids = [claim.id for claim in claims]
    for claim in claims:
        if ids.count(claim.id) > 1:
            raise SymcompError(f"claim id {claim.id} occurs more than once, expected it once")
        for unknown in set(claim.depends_on) - set(ids):
            raise SymcompError(f"claim {claim.id} depends on {unknown}, which is no claim")
    try:
        TopologicalSorter({claim.id: claim.depends_on for claim in claims}).prepare()
    except CycleError as error:
        raise SymcompError(f"claims depend on each other: {' -> '.join(error.args[1])}") from error
