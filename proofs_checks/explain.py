"""A run in words, for a reader who doubts a claim: all that it rests on, line by line."""

from collections.abc import Iterator
from textwrap import wrap

from proofs_checks.ledger import Outcome
from proofs_checks.report import mutants_fallen
from proofs_checks.runner import ClaimResult, EvidenceResult, MutantResult, Run

_WIDTH = 100


def explain(run: Run) -> str:
    """Every selected claim after the chain of all that it rests on, foundations first.

    Each claim of the chain has its statement (LaTeX), verdict, evidence with every step of a proof
    and mutants; it is written out once, and named where it comes again. Needs nothing but the run,
    so findings from the cache serve as well as fresh ones.
    """
    results = {result.claim.id: result for result in run.results}
    told: set[str] = set()
    blocks = []
    for result in run.results:
        if result.selected:
            chain = _chain(result.claim.id, results)
            blocks.append(_heading(result, chain))
            blocks += [_claim(results[i]) for i in chain if i not in told]
            told.update(chain)
    return "\n\n".join(blocks) + "\n"


def _chain(claim_id: str, results: dict[str, ClaimResult]) -> list[str]:
    """The claim's dependencies, each after its own, and the claim last."""
    chain: list[str] = []

    def add(one: str) -> None:
        for below in results[one].claim.depends_on:
            if below not in chain:
                add(below)
        chain.append(one)

    add(claim_id)
    return chain


def _heading(result: ClaimResult, chain: list[str]) -> str:
    title = f"{result.claim.id}. {result.claim.title}: {result.verdict}"
    rests = " → ".join(chain) if len(chain) > 1 else "rests on no other claim"
    return "\n".join([title, "=" * len(title), rests])


def _claim(result: ClaimResult) -> str:
    claim = result.claim
    capped = f" (by itself: {result.own})" if result.own is not result.verdict else ""
    below = f"; rests on {', '.join(claim.depends_on)}" if claim.depends_on else ""
    lines = [
        f"{claim.id}  {claim.title}",
        *_folded(claim.statement, "    "),
        f"  verdict: {result.verdict}{capped}{below}",
        f"  source: {claim.source}",
    ]
    for evidence in result.evidence:
        lines += _evidence(evidence)
    fallen = mutants_fallen(result)
    if result.selected:
        lines.append(f"  mutants refuted: {fallen}")
        lines += [line for mutant in result.mutants for line in _mutant(mutant)]
    return "\n".join(lines)


def _evidence(e: EvidenceResult) -> Iterator[str]:
    finding = e.finding
    covers = f" [covers: {e.covers}]" if e.covers else ""
    yield from _folded(f"{e.kind}: {e.method}{covers}", "  ")
    yield from _folded(f"{finding.outcome}: {finding.figure}", "    ")
    if finding.outcome is Outcome.FAILS:
        yield from _folded(f"against it: {finding.counterexample}", "    ")
    for n, step in enumerate(finding.steps, 1):
        yield from _folded(f"{n}. {step}", "      ")


def _mutant(mutant: MutantResult) -> Iterator[str]:
    how = f"refuted by {mutant.by.kind}" if mutant.by else "SURVIVES"
    yield from _folded(f"{mutant.name}: {how}", "    ")


def _folded(text: str, indent: str) -> list[str]:
    """Lines of at most 100 characters; the second and later ones are set in."""
    return wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
