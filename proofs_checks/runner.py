"""Run claims: every check is a task, in worker processes, within a time budget.

A task names its claim, mutant and evidence; a worker finds them in the registry's home module, so
nothing but names and findings crosses a process border. A worker stays with a claim, and with those
that rest on it, as they share what it has derived and integrated. A task that crashes, raises or
runs out of time is undecided, with its reason. With a cache every finding is kept as soon as it is
made, so that an interrupted run resumes where it was.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from proofs_checks.cache import Cache
from proofs_checks.ledger import (
    Claim,
    Finding,
    Kind,
    Outcome,
    Registry,
    Settings,
    Verdict,
    own_verdict,
    verdicts,
)
from proofs_checks.workers import Brought, Done, Errand, Task, Worker, finished_or_overdue, perform
from symcomp.errors import ArgumentError

BUDGET = 120.0

# What is likely to refute a false variant soonest: SymPy at a random point, then a search.
_CHEAPEST_FIRST = (
    Kind.PROOF,
    Kind.PROPERTY,
    Kind.PRECISION,
    Kind.CERTIFICATE,
    Kind.STATISTICS,
)


@dataclass(frozen=True)
class EvidenceResult:
    """What one piece of evidence found, and in how many seconds."""

    kind: Kind
    method: str
    covers: str
    finding: Finding
    seconds: float


@dataclass(frozen=True)
class MutantResult:
    """Whether a false variant fell, and to which evidence; ``tried`` has all that was run on it."""

    name: str
    tried: tuple[EvidenceResult, ...]

    @property
    def by(self) -> EvidenceResult | None:
        """The evidence that refuted the mutant, if any."""
        return next((t for t in self.tried if t.finding.outcome is Outcome.FAILS), None)

    @property
    def refuted(self) -> bool:
        """True if some evidence refuted the mutant; undecided is not refuted."""
        return self.by is not None

    @property
    def counterexample(self) -> str:
        """The point, example or box that refuted the mutant, or why it survives."""
        if self.by is None:
            return "; ".join(
                f"{t.kind} {t.finding.outcome}: {t.finding.figure}" for t in self.tried
            )
        return self.by.finding.counterexample or self.by.finding.figure


@dataclass(frozen=True)
class ClaimResult:
    """One claim's computed verdict with all its evidence and mutants.

    ``selected`` is false for a claim that ran only because a selected one depends on it; its
    mutants are then not run.
    """

    claim: Claim[Any]
    own: Verdict
    verdict: Verdict
    evidence: tuple[EvidenceResult, ...]
    mutants: tuple[MutantResult, ...]
    selected: bool

    @property
    def falls(self) -> bool:
        """True if the claim is refuted or one of its mutants survives."""
        return self.verdict is Verdict.REFUTED or any(not m.refuted for m in self.mutants)

    @property
    def seconds(self) -> float:
        """Seconds spent on the claim, summed over its tasks."""
        mutants = (tried for mutant in self.mutants for tried in mutant.tried)
        return sum(result.seconds for result in (*self.evidence, *mutants))


@dataclass(frozen=True)
class Run:
    """The results of one run, in the registry's order, with the settings that reproduce it.

    ``brought`` has the values of the errands that workers did, by name.
    """

    results: tuple[ClaimResult, ...]
    settings: Settings
    seconds: float
    brought: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fallen(self) -> tuple[str, ...]:
        """Ids of the claims that fall."""
        return tuple(result.claim.id for result in self.results if result.falls)


@dataclass(frozen=True)
class Answer:
    """One finished task; ``done`` of its claim's ``total`` evidence and mutants are settled."""

    task: Task
    finding: Finding
    seconds: float
    done: int
    total: int


def run(
    registry: Registry,
    pattern: str = "*",
    settings: Settings | None = None,
    *,
    jobs: int = 0,
    budget: float = BUDGET,
    kinds: Sequence[Kind] = tuple(Kind),
    mutants: bool = True,
    cache: Cache | None = None,
    progress: Callable[[Answer], None] = lambda _: None,
    errands: Iterable[Errand] = (),
) -> Run:
    """Run the claims that match ``pattern``, and what they depend on, and compute their verdicts.

    ``jobs`` worker processes share the tasks; with 0 all runs in this process, where a crash or a
    hang outside Python is not survived. ``budget`` is in seconds per task. ``kinds`` restricts
    the evidence, ``mutants=False`` leaves the mutants out. ``cache`` answers tasks it knows and
    keeps what the others find. ``progress`` is called after each task. Workers without a task do
    the ``errands``; what is not brought, all of it with ``jobs`` = 0, is left to the caller.
    Mutants are tried against the cheapest evidence first and stop at the first that refutes them.
    Raises ``ArgumentError`` for a pattern without match, for
    ``jobs`` < 0 or ``budget`` <= 0.
    """
    if jobs < 0:
        raise ArgumentError(f"jobs: got {jobs}, expected 0 or more")
    if not budget > 0:
        raise ArgumentError(f"budget: got {budget}, expected a positive number of seconds")
    start = time.perf_counter()
    settings = settings or Settings()
    selected = registry.select(pattern)
    ids = registry.with_dependencies(selected)
    book = Book(registry, ids, selected if mutants else (), kinds, errands)
    for answer in _remembered(book, cache):
        progress(answer)
    source = (_elsewhere if jobs else _here)(registry, book, settings, jobs, budget)
    with closing(source):  # stops the workers also when progress raises
        for task, done in source:
            if cache and done.returned:
                _keep(cache, registry[task.claim], task, done)
            progress(book.enter(task, done.finding, done.seconds))
            for answer in _remembered(book, cache):
                progress(answer)
    return Run(book.results(selected), settings, time.perf_counter() - start, book.brought)


def _remembered(book: "Book", cache: Cache | None) -> Iterator[Answer]:
    """Settle what the cache knows, and what becomes ready by that."""
    if cache is None:
        return
    unknown: deque[Task] = deque()
    while book.ready:
        task = book.ready.popleft()
        found = cache.get(book.registry[task.claim], task.mutant, task.evidence)
        if found is None:
            unknown.append(task)
        else:
            yield book.enter(task, *found)
    book.ready = unknown


def _keep(cache: Cache, claim: Claim[Any], task: Task, done: Done) -> None:
    with suppress(OSError):  # a cache that cannot be written costs time, never a result
        cache.put(claim, task.mutant, task.evidence, (done.finding, done.seconds))


# ------------------------------------------------------------------ what is left to do


class Book:
    """The open lines of tasks and the findings so far.

    A line is one piece of evidence, or one mutant with its evidence in the order it is tried.
    """

    def __init__(
        self,
        registry: Registry,
        ids: Iterable[str],
        mutated: Iterable[str],
        kinds: Sequence[Kind],
        errands: Iterable[Errand] = (),
    ) -> None:
        """Open a line for all evidence of ``ids`` of these kinds, and for the mutants."""
        self.registry = registry
        self.errands = deque(errands)
        self.brought: dict[str, Any] = {}
        self.begun: set[str] = set()
        self.ids = tuple(ids)
        self.found: dict[Task, tuple[Finding, float]] = {}
        self.lines: dict[tuple[str, int | None, int], deque[Task]] = {}
        self.totals = dict.fromkeys(self.ids, 0)
        for claim_id in self.ids:
            claim = registry[claim_id]
            order = [i for i, e in enumerate(claim.evidence) if e.kind in kinds]
            for i in order:
                self._open((claim_id, None, i), [Task(claim_id, None, i)])
            order.sort(key=lambda i: _CHEAPEST_FIRST.index(claim.evidence[i].kind))
            for m in range(len(claim.mutants) if claim_id in mutated else 0):
                self._open((claim_id, m, -1), [Task(claim_id, m, i) for i in order])
        self.ready = deque(line.popleft() for line in self.lines.values())

    def _open(self, key: tuple[str, int | None, int], tasks: list[Task]) -> None:
        if tasks:
            self.lines[key] = deque(tasks)
            self.totals[key[0]] += 1

    def take(self, known: set[str]) -> Task | Errand:
        """The next job of a worker that knows these claims.

        A task of one of them, else of a claim that rests on one, else of a claim that nobody has
        begun, else of any; an errand if there is none.
        """

        def strangeness(task: Task) -> int:
            if task.claim in known:
                return 0
            if task.claim in self.begun:
                return 3
            return 2 - (not known.isdisjoint(self.registry[task.claim].depends_on))

        if not self.ready:
            return self.errands.popleft()
        task = min(self.ready, key=strangeness)
        self.ready.remove(task)
        self.begun.add(task.claim)
        known.add(task.claim)
        return task

    def enter(self, task: Task, finding: Finding, seconds: float) -> Answer:
        """Note a finding; what follows on its line becomes ready, unless the mutant has fallen."""
        self.found[task] = finding, seconds
        key = (task.claim, task.mutant, task.evidence if task.mutant is None else -1)
        if finding.outcome is Outcome.FAILS or not self.lines[key]:
            del self.lines[key]
        else:
            self.ready.append(self.lines[key].popleft())
        total = self.totals[task.claim]
        open_lines = sum(claim_id == task.claim for claim_id, _, _ in self.lines)
        return Answer(task, finding, seconds, total - open_lines, total)

    def results(self, selected: Iterable[str]) -> tuple[ClaimResult, ...]:
        """The claims' results, with verdicts, from the findings so far."""
        evidence = {i: self._evidence(i, None) for i in self.ids}
        own = {
            i: own_verdict((e.kind, e.covers, e.finding.outcome) for e in evidence[i])
            for i in self.ids
        }
        final = verdicts(self.registry, own)
        chosen = set(selected)
        return tuple(
            ClaimResult(
                self.registry[i], own[i], final[i], evidence[i], self._mutants(i), i in chosen
            )
            for i in self.ids
        )

    def _evidence(self, claim_id: str, mutant: int | None) -> tuple[EvidenceResult, ...]:
        claim = self.registry[claim_id]
        return tuple(
            EvidenceResult(e.kind, e.method, e.covers, *self.found[task])
            for i, e in enumerate(claim.evidence)
            if (task := Task(claim_id, mutant, i)) in self.found
        )

    def _mutants(self, claim_id: str) -> tuple[MutantResult, ...]:
        tried = (
            (mutant.name, self._evidence(claim_id, m))
            for m, mutant in enumerate(self.registry[claim_id].mutants)
        )
        return tuple(MutantResult(name, results) for name, results in tried if results)


# ------------------------------------------------------------------ doing it

_Found = Generator[tuple[Task, Done], None, None]


def _here(registry: Registry, book: Book, settings: Settings, _: int, budget: float) -> _Found:
    while book.ready:
        task = book.ready.popleft()
        yield task, perform(registry, task, settings, budget)


def _elsewhere(
    registry: Registry, book: Book, settings: Settings, jobs: int, budget: float
) -> _Found:
    idle: list[Worker] = []
    busy: dict[Connection, Worker] = {}
    try:
        while book.ready or book.errands or busy:
            while (book.ready or book.errands) and len(busy) < jobs:
                worker = idle.pop() if idle else Worker(registry.home, settings, budget)
                worker.begin(book.take(worker.known))
                busy[worker.pipe] = worker
            for worker in finished_or_overdue(busy):
                del busy[worker.pipe]
                job, answer = worker.job, worker.collect()
                if worker.process.is_alive():
                    idle.append(worker)
                if isinstance(job, Task):
                    yield job, answer
                elif isinstance(answer, Brought):
                    book.brought[job.name] = answer.value
    finally:
        for worker in (*idle, *busy.values()):
            worker.stop()
