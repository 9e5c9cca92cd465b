"""Worker processes: each answers tasks and errands until it is stopped.

Nothing but names, findings and the values of errands crosses a process border. What crashes, raises
or runs out of time is undecided, with its reason.
"""

import gc
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from types import FrameType
from typing import Any

from proofs_checks import homes
from proofs_checks.ledger import Finding, Outcome, Registry, Settings


@dataclass(frozen=True)
class Task:
    """One check: which evidence of which claim, on its subject or on that of one of its mutants."""

    claim: str
    mutant: int | None
    evidence: int


@dataclass(frozen=True)
class Errand:
    """Work besides the claims: a function that a worker can import, and the name of its value."""

    name: str
    make: Callable[[], Any]


@dataclass(frozen=True)
class Done:
    """A finding and its seconds; ``returned`` unless the check crashed, raised or ran too long."""

    finding: Finding
    seconds: float
    returned: bool = True


@dataclass(frozen=True)
class Brought:
    """The value of an errand."""

    value: Any


def finished_or_overdue(busy: dict[Connection, "Worker"]) -> list["Worker"]:
    """The workers that have answered, or whose time is up; waits until there is one."""
    now = time.monotonic()
    ready = wait(busy, timeout=max(0.0, min(w.deadline for w in busy.values()) - now))
    now = time.monotonic()
    return [w for pipe, w in busy.items() if pipe in ready or w.deadline <= now]


class Worker:
    """One process that does jobs until it is stopped; it dies with this process.

    A pool cannot do this: one crash breaks a whole pool, and a hung task in it cannot be ended.
    """

    # Starting Python and importing the registry are not part of a task's budget.
    _GRACE = 30.0

    def __init__(self, home: str, settings: Settings, budget: float) -> None:
        """Start the process, which imports the registry at ``home``."""
        context: SpawnContext = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, home, settings, budget), daemon=True
        )
        self.process.start()
        theirs.close()
        self.budget = budget
        self.job: Task | Errand = Task("", None, 0)
        self.known: set[str] = set()
        self.deadline = self.started = 0.0

    def begin(self, job: Task | Errand) -> None:
        """Send the worker a job; its clock starts."""
        self.job = job
        self.started = time.monotonic()
        self.deadline = self.started + self.budget + self._GRACE
        with suppress(BrokenPipeError):  # a worker that died idle: collect() will say so
            self.pipe.send(job)

    def collect(self) -> Any:
        """What the worker sent, a ``Done`` or a ``Brought``; a ``Done`` if it sent nothing."""
        if not self.pipe.poll():
            self.stop()
            return Done(_out_of_time(self.budget), time.monotonic() - self.started, returned=False)
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            self.stop()
            finding = Finding(Outcome.UNDECIDED, _ended(self.process.exitcode))
            return Done(finding, time.monotonic() - self.started, returned=False)
        return answer

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Connection, home: str, settings: Settings, budget: float) -> None:
    # Ctrl-C reaches the whole process group; the parent alone answers it, and stops the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    registry = homes.find(home)
    # Derivations make millions of small objects, few of them in cycles: collect less often.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        is_task = isinstance(job, Task)
        pipe.send(perform(registry, job, settings, budget) if is_task else _bring(job, budget))


def perform(registry: Registry, task: Task, settings: Settings, budget: float) -> Done:
    """Run one check in this process, within ``budget`` seconds where the platform allows."""
    start = time.perf_counter()
    returned = False
    try:
        with _alarm(budget):
            claim = registry[task.claim]
            subject = claim.subject()
            if task.mutant is not None:
                subject = claim.mutants[task.mutant].change(subject)
            finding = claim.evidence[task.evidence].check(subject, settings)
            returned = True
    except _OutOfTime:
        finding = _out_of_time(budget)
    except Exception as error:
        reason = " ".join(str(error).split())
        finding = Finding(Outcome.UNDECIDED, f"{type(error).__name__}: {reason}"[:500])
    return Done(finding, time.perf_counter() - start, returned)


def _bring(errand: Errand, budget: float) -> Brought | None:
    with suppress(Exception, _OutOfTime), _alarm(budget):
        return Brought(errand.make())
    return None


def _ended(code: int | None) -> str:
    if code is not None and -code in signal.valid_signals():
        return f"the worker process was killed by {signal.Signals(-code).name}"
    return f"the worker process ended with exit code {code}"


def _out_of_time(budget: float) -> Finding:
    return Finding(Outcome.UNDECIDED, f"out of time after {budget:g} s")


class _OutOfTime(BaseException):
    """Raised by the alarm; no ``except Exception`` on the way may swallow it."""


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Interrupt the block after so many seconds, where the platform and the thread allow it."""
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise _OutOfTime

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
