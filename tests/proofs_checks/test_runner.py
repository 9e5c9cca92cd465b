"""Running claims: same results in any number of processes; trouble is undecided, never a pass."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from math import factorial

import pytest

from proofs_checks.ledger import (
    Evidence,
    Finding,
    Kind,
    Outcome,
    Registry,
    Settings,
    Verdict,
)
from proofs_checks.runner import Answer, Book, Run, run
from proofs_checks.workers import Errand, Task
from symcomp.errors import ArgumentError
from tests.proofs_checks.tiny import (
    BAD,
    GOOD,
    TROUBLE,
    claim,
    fails,
    holds,
    only_two,
    undecided,
)


def essence(outcome: Run) -> object:
    return [
        (
            r.claim.id,
            r.own,
            r.verdict,
            r.selected,
            [(e.method, e.finding) for e in r.evidence],
            [(m.name, m.refuted, [t.finding for t in m.tried]) for m in r.mutants],
        )
        for r in outcome.results
    ]


def test_verdicts_and_mutants() -> None:
    outcome = run(GOOD, settings=Settings(examples=20))
    assert [r.own for r in outcome.results] == [Verdict.PROVED, Verdict.CERTIFIED, Verdict.PROVED]
    assert [r.verdict for r in outcome.results] == [
        Verdict.PROVED,
        Verdict.CERTIFIED,
        Verdict.CERTIFIED,
    ]
    assert all(m.refuted for r in outcome.results for m in r.mutants)
    assert outcome.fallen == ()
    square = outcome.results[0]
    assert [m.name for m in square.mutants] == ["middle 3", "middle 1"]
    assert square.mutants[0].by is not None
    assert square.mutants[0].by.method == "expand"
    assert "x = " in square.mutants[0].counterexample
    assert square.seconds > 0


def test_any_number_of_processes_finds_the_same() -> None:
    settings = Settings(examples=20, seed=3)
    answers: list[Answer] = []
    two = run(GOOD, settings=settings, jobs=2, progress=answers.append)
    assert essence(two) == essence(run(GOOD, settings=settings, jobs=1))
    assert essence(two) == essence(run(GOOD, settings=settings))
    last = {a.task.claim: (a.done, a.total) for a in answers}
    assert last == {"T1": (4, 4), "T2": (2, 2), "U1": (2, 2)}


def test_a_refuted_claim_falls_and_takes_its_dependents_verdict() -> None:
    outcome = run(BAD)
    verdict = {r.claim.id: r.verdict for r in outcome.results}
    assert verdict == {"R1": Verdict.REFUTED, "S1": Verdict.PROVED, "D1": Verdict.UNDECIDED}
    survivor = outcome.results[1].mutants[0]
    assert not survivor.refuted
    assert survivor.counterexample == "proof holds: 1 point"
    assert outcome.fallen == ("R1", "S1")


def test_an_undecided_mutant_survives() -> None:
    registry = Registry((replace(claim("A", holds, undecided)),))
    assert run(registry).fallen == ("A",)


def test_a_mutant_stops_at_the_first_evidence_that_refutes_it_cheapest_first() -> None:
    def never(*_: object) -> None:
        raise AssertionError("not reached")

    evidence = (Evidence(Kind.STATISTICS, "late", never), Evidence(Kind.PROPERTY, "soon", only_two))
    result = run(Registry((replace(claim("A"), evidence=evidence),))).results[0]
    assert [t.method for t in result.mutants[0].tried] == ["soon"]
    assert result.mutants[0].refuted


def test_dependencies_run_without_mutants_and_are_marked() -> None:
    results = run(GOOD, "U1", Settings(examples=5)).results
    assert [(r.claim.id, r.selected, len(r.mutants)) for r in results] == [
        ("T1", False, 0),
        ("T2", False, 0),
        ("U1", True, 1),
    ]


def test_kinds_and_mutants_can_be_left_out() -> None:
    result = run(GOOD, "T1", kinds=(Kind.PROPERTY,), mutants=False).results[0]
    assert [e.kind for e in result.evidence] == [Kind.PROPERTY]
    assert result.verdict is Verdict.SUPPORTED
    assert result.mutants == ()


def test_trouble_is_undecided_with_its_reason_and_stops_nothing_else() -> None:
    start = time.monotonic()
    outcome = run(TROUBLE, "X[1-4]", jobs=2, budget=0.5, mutants=False)
    findings = [r.evidence[0].finding for r in outcome.results]
    assert {f.outcome for f in findings} == {Outcome.UNDECIDED}
    assert [f.figure for f in findings] == [
        "the worker process ended with exit code 3",
        "ValueError: no such number",
        "out of time after 0.5 s",
        "out of time after 0.5 s",
    ]
    assert {r.verdict for r in outcome.results} == {Verdict.UNDECIDED}
    assert time.monotonic() - start < 30


def test_a_killed_worker_is_undecided_and_its_mutants_survive() -> None:
    """SIGKILL cannot be caught: the task is told from one that hangs, and the others still run."""
    outcome = run(TROUBLE, "X[67]", jobs=1, budget=60)
    dead, sound = outcome.results
    reason = "the worker process was killed by SIGKILL"
    assert dead.evidence[0].finding == Finding(Outcome.UNDECIDED, reason)
    assert (dead.verdict, dead.falls) == (Verdict.UNDECIDED, True)
    assert reason in dead.mutants[0].counterexample
    assert (sound.verdict, sound.falls) == (Verdict.PROVED, False)


def test_trouble_in_this_process() -> None:
    outcome = run(TROUBLE, "X[23]", budget=0.2)
    figures = [r.evidence[0].finding.figure for r in outcome.results]
    assert figures == ["ValueError: no such number", "out of time after 0.2 s"]
    assert outcome.fallen == ("X2", "X3")  # their mutants survive: nothing refuted them
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_a_worker_that_heeds_no_alarm_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proofs_checks.workers.Worker._GRACE", 0.5)
    start = time.monotonic()
    result = run(TROUBLE, "X5", jobs=2, budget=0.5, mutants=False).results[0]
    assert result.evidence[0].finding.figure == "out of time after 0.5 s"
    assert time.monotonic() - start < 15


INTERRUPTED = """
import json, multiprocessing, os, signal, sys, threading, time
from proofs_checks.runner import run
from tests.proofs_checks.tiny import TROUBLE
if __name__ == "__main__":
    threading.Timer(4, os.killpg, (0, signal.SIGINT)).start()
    start = time.monotonic()
    try:
        run(TROUBLE, "X3", jobs=2, mutants=False)
    except KeyboardInterrupt:
        alive = len(multiprocessing.active_children())
        print(json.dumps({"alive": alive, "seconds": time.monotonic() - start}))
"""


def test_an_interrupt_stops_the_workers() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        start_new_session=True,  # Ctrl-C reaches the whole group; here the group is the script's
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    report = json.loads(done.stdout)
    assert report["alive"] == 0
    assert report["seconds"] < 20
    assert done.stderr == ""


def test_a_failing_progress_stops_the_workers() -> None:
    def stop(_: Answer) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as held:  # its traceback keeps the run's frames alive
        run(GOOD, "T1", jobs=2, progress=stop)
    assert multiprocessing.active_children() == []
    assert held.traceback


@pytest.mark.parametrize(
    ("options", "message"),
    [({"jobs": -1}, "jobs: got -1"), ({"budget": 0.0}, "budget: got 0.0")],
)
def test_bad_arguments(options: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        run(GOOD, **options)


def test_errands_are_brought_by_workers_and_left_to_the_caller_without_any() -> None:
    errands = [Errand("of 12", partial(factorial, 12)), Errand("of -1", partial(factorial, -1))]
    settings = Settings(examples=20)
    outcome = run(GOOD, settings=settings, jobs=2, errands=errands)
    assert dict(outcome.brought) == {"of 12": 479001600}  # the other one raised
    assert essence(outcome) == essence(run(GOOD, settings=settings))
    assert run(GOOD, settings=settings, errands=errands).brought == {}


def test_an_errand_that_kills_its_worker_costs_nothing_else() -> None:
    errands = [Errand("dies", partial(os._exit, 3)), Errand("of 5", partial(factorial, 5))]
    outcome = run(GOOD, jobs=1, errands=errands)
    assert dict(outcome.brought) == {"of 5": 120}
    assert outcome.fallen == ()


def test_a_worker_stays_with_its_claim_and_with_what_rests_on_it() -> None:
    ids = ("A", "B", "C")
    registry = Registry(
        (claim("A", holds, holds), claim("B", holds), claim("C", depends_on=("A",)))
    )
    book = Book(registry, ids, (), tuple(Kind), [Errand("last", list)])
    one, other = set[str](), set[str]()
    taken = [book.take(known) for known in (one, other, one, one, other)]
    assert [job.claim if isinstance(job, Task) else job.name for job in taken] == [
        *("A", "B", "A", "C"),
        "last",
    ]


def test_an_evidence_that_fails_on_the_claim_itself_refutes_it() -> None:
    assert run(Registry((claim("A", holds, fails),))).results[0].verdict is Verdict.REFUTED
