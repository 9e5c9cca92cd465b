"""A run of the claims as terminal table, JSON and Markdown, with the derived formulas and code.

What the files say depends on the claims, their findings and the settings alone; only "seconds" and
"versions" in ledger.json vary from run to run. Every file is written whole, then put in its place.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table
from rich.text import Text

import symcomp
from proofs_checks import catalogue, formula_page, minimisers
from proofs_checks.cache import versions
from proofs_checks.etf import report as etf_report
from proofs_checks.formula_page import ORIGIN
from proofs_checks.ledger import Kind, Outcome, Verdict
from proofs_checks.runner import ClaimResult, EvidenceResult, MutantResult, Run
from proofs_checks.schema import LEDGER
from proofs_checks.workers import Errand
from symcomp import objectives
from symcomp.storage import replace_file

_COLOURS = {
    Verdict.PROVED: "green",
    Verdict.CERTIFIED: "green",
    Verdict.SUPPORTED: "cyan",
    Verdict.UNDECIDED: "bold yellow",
    Verdict.REFUTED: "bold red",
}


def write(
    run: Run,
    folder: Path,
    data: Sequence[minimisers.Experiment] = (),
    activations: Iterable[str] = ("relu",),
) -> tuple[Path, ...]:
    """Write ledger.json and its schema, ledger.md, formulas.md and generated/<name>.py.

    Returns their paths. A run with all claims of the ETF theorem writes etf-theorem.md too.

    ``data`` are experiments shown in ledger.md. The modules are those of ``activations``, the
    formulas too; those of the whole catalogue where the run is about it (K1c).
    """
    names = tuple(activations)
    sections = _sections(run, symcomp.activations() if _is_about_all(_ids(run)) else names)
    files = {
        folder / "ledger.json": as_json(run),
        folder / "ledger.schema.json": json.dumps(LEDGER, indent=2, ensure_ascii=False) + "\n",
        folder / "ledger.md": as_markdown(run, data),
        folder / "formulas.md": formula_page.page(sections),
    }
    for ker in map(catalogue.kernel, names):
        path = folder / "generated" / f"{ker.activation.name}.py"
        files[path] = symcomp.generate(ker).source
    files |= etf_report.files(run, folder)
    for path, text in files.items():
        replace_file(path, text)
    return tuple(files)


def errands(ids: Iterable[str], seed: int, activations: Iterable[str] = ("relu",)) -> list[Errand]:
    """What the reports of a run of these claims need besides its findings: they look in
    ``run.brought`` for it, and make what is not there.
    """
    ids = tuple(ids)
    names = symcomp.activations() if _is_about_all(ids) else activations
    drawn = minimisers.LAWS if _is_on_data(ids) else ()
    return [
        *(Errand(_drawn_name(law), partial(_drawn, law, seed)) for law in drawn),
        *(
            Errand(_section_name(name), partial(formula_page.readable_section, name))
            for name in names
        ),
    ]


def _ids(run: Run) -> tuple[str, ...]:
    return tuple(result.claim.id for result in run.results)


def _is_about_all(ids: Sequence[str]) -> bool:
    return "K1c" in ids


def _is_on_data(ids: Sequence[str]) -> bool:
    return "E8" in ids


# ------------------------------------------------------------------ terminal


def table(run: Run) -> Table:
    """One line a claim: id, title, verdict, strongest evidence with its figure, mutants fallen."""
    grid = Table(title="Ledger", title_justify="left", expand=False)
    for name in ("claim", "title", "verdict", "strongest evidence", "mutants", "seconds"):
        grid.add_column(name, justify="right" if name in ("mutants", "seconds") else "left")
    for result in run.results:
        grid.add_row(
            result.claim.id,
            escape(result.claim.title),
            Text(result.verdict.value, _COLOURS[result.verdict]),
            escape(strongest(result)),
            mutants_fallen(result),
            f"{result.seconds:.1f}",
        )
    return grid


def strongest(result: ClaimResult) -> str:
    """What decides the verdict: a failure, else the strongest evidence that holds."""
    order = (Outcome.FAILS, Outcome.HOLDS, Outcome.UNDECIDED)
    ranked = sorted(
        result.evidence,
        key=lambda e: (order.index(e.finding.outcome), bool(e.covers), list(Kind).index(e.kind)),
    )
    return f"{ranked[0].kind} {_figure(ranked[0])}" if ranked else "none of the kinds asked for"


def mutants_fallen(result: ClaimResult) -> str:
    """ "k/n", or "dependency" where the mutants were left out."""
    if not result.selected:
        return "dependency"
    fallen = sum(mutant.refuted for mutant in result.mutants)
    return f"{fallen}/{len(result.mutants)}"


def remarks(run: Run) -> Iterator[tuple[str, str]]:
    """(style, line) for all that must not be overlooked: refuted, surviving, undecided, capped."""
    for result in run.results:
        name = result.claim.id
        for e in result.evidence:
            if e.finding.outcome is Outcome.FAILS:
                why = e.finding.counterexample or e.finding.figure
                yield "bold red", f"{name} FALLS: {e.kind} ({e.method}) refutes it: {why}"
            if e.finding.outcome is Outcome.UNDECIDED:
                yield "yellow", f"{name}: {e.kind} ({e.method}) is undecided: {e.finding.figure}"
        for mutant in result.mutants:
            if not mutant.refuted:
                why = f"mutant {mutant.name!r} survives: {mutant.counterexample}"
                yield "bold red", f"{name} FALLS: {why}"
        if result.verdict is Verdict.UNDECIDED:
            yield "bold yellow", f"{name} is UNDECIDED"
        if result.own is not result.verdict:
            below = ", ".join(result.claim.depends_on)
            line = f"{name}: {result.own} by itself, {result.verdict} because it rests on {below}"
            yield "yellow", line


# ------------------------------------------------------------------ JSON


def as_json(run: Run) -> str:
    """The ledger as JSON: claims, versions, settings, and the seconds that the run took."""
    settings = run.settings
    document = {
        "claims": [_claim_json(result) for result in run.results],
        "versions": versions(),
        "seed": settings.seed,
        "examples": settings.examples,
        "digits": settings.digits,
        "seconds": round(run.seconds, 1),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _claim_json(result: ClaimResult) -> dict[str, Any]:
    claim = result.claim
    return {
        "id": claim.id,
        "title": claim.title,
        "statement": claim.statement,
        "source": claim.source,
        "depends_on": list(claim.depends_on),
        "verdict": result.verdict.value,
        "verdict_by_itself": result.own.value,
        "selected": result.selected,
        "evidence": [_evidence_json(e) for e in result.evidence],
        "mutants": [_mutant_json(m) for m in result.mutants],
    }


def _evidence_json(e: EvidenceResult) -> dict[str, Any]:
    finding = e.finding
    return {
        "kind": e.kind.value,
        "outcome": finding.outcome.value,
        "method": e.method,
        "figure": finding.figure,
        "covers": e.covers,
        "tried": finding.tried,
        "met": finding.met,
        "decided": finding.decided,
        "counterexample": finding.counterexample,
        "steps": list(finding.steps),
    }


def _mutant_json(mutant: MutantResult) -> dict[str, Any]:
    by = mutant.by
    return {
        "name": mutant.name,
        "refuted": mutant.refuted,
        "by": "" if by is None else by.kind.value,
        "counterexample": mutant.counterexample,
    }


# ------------------------------------------------------------------ Markdown


def as_markdown(run: Run, data: Sequence[minimisers.Experiment] = ()) -> str:
    """The ledger as Markdown: table, graph of dependencies, every claim in full, experiments."""
    settings = run.settings
    blocks = [
        "# Ledger of claims",
        ORIGIN,
        f"Made by `symcomp verify` with seed {settings.seed}, {settings.examples} examples and "
        f"{settings.digits} digits. Verdicts are computed from the evidence and are never stronger "
        "than the weakest claim that they rest on. A mutant is a false variant of the claim, which "
        "the same evidence must refute.",
        _markdown_table(run),
        _graph(run),
        *(block for result in run.results for block in _claim_markdown(result)),
        *_data_markdown(data),
    ]
    return "\n\n".join(blocks) + "\n"


def _markdown_table(run: Run) -> str:
    rows = [
        (
            f"[{r.claim.id}](#{r.claim.id.lower()})",
            _cell(r.claim.title),
            r.verdict.value,
            _cell(strongest(r)),
            mutants_fallen(r),
        )
        for r in run.results
    ]
    head = ("claim", "title", "verdict", "strongest evidence", "mutants fallen")
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * 5, *rows))


def _cell(text: str) -> str:
    return _plain(text).replace("|", r"\|")


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    for mark in "\\`*_<>[]":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())


def _graph(run: Run) -> str:
    lines = ["```mermaid", "graph TB"]
    for result in run.results:
        label = f"{result.claim.id} {result.claim.title}: {result.verdict}".replace('"', "#quot;")
        lines.append(f'  {result.claim.id}["{label}"]')
    lines += [f"  {r.claim.id} --> {i}" for r in run.results for i in r.claim.depends_on]
    return "\n".join([*lines, "```"])


def _claim_markdown(result: ClaimResult) -> Iterator[str]:
    claim = result.claim
    yield f'<a id="{claim.id.lower()}"></a>\n\n## {claim.id}. {_plain(claim.title)}'
    yield f"$$\n{claim.statement}\n$$"
    rests = f" Rests on {', '.join(claim.depends_on)}." if claim.depends_on else ""
    capped = f" (by itself: {result.own})" if result.own is not result.verdict else ""
    yield f"**{result.verdict}**{capped}. Source: {_plain(claim.source)}.{rests}"
    for evidence in result.evidence:
        yield from _evidence_markdown(evidence)
    if result.mutants:
        yield "\n".join(_mutant_line(mutant) for mutant in result.mutants)
    if not result.selected:
        yield "Run as a dependency only; its mutants were left out."


def _evidence_markdown(e: EvidenceResult) -> Iterator[str]:
    finding = e.finding
    covers = f" Covers: {_plain(e.covers)}." if e.covers else ""
    yield (
        f"*{e.kind}*, {_plain(e.method)}: {finding.outcome}. {_plain(finding.figure)}.{covers} "
        f"Points tried {finding.tried}, within the assumptions {finding.met}, "
        f"decided {finding.decided}."
    )
    if finding.counterexample:
        yield _fenced([finding.counterexample])
    if finding.steps:
        yield _fenced([f"{n}. {step}" for n, step in enumerate(finding.steps, 1)])


def _fenced(lines: Iterable[str]) -> str:
    return "\n".join(["```text", *lines, "```"])


def _mutant_line(mutant: MutantResult) -> str:
    how = f"refuted by {mutant.by.kind}" if mutant.by else "**survives**"
    return f'- mutant "{_plain(mutant.name)}" {how}: {_plain(mutant.counterexample)}'


def _figure(e: EvidenceResult) -> str:
    outcome = "" if e.finding.outcome is Outcome.HOLDS else f"{e.finding.outcome}: "
    part = f" ({e.covers})" if e.covers else ""
    return f"{outcome}{e.finding.figure}{part}"


# ------------------------------------------------------------------ on data


def experiments(run: Run) -> tuple[minimisers.Experiment, ...]:
    """One drawn target of each law with the run's seed, where the run is about data (E8).

    The residual is small enough for the three decimals that are shown.
    """
    if not _is_on_data(_ids(run)):
        return ()
    brought, seed = run.brought, run.settings.seed
    return tuple(brought.get(_drawn_name(law)) or _drawn(law, seed) for law in minimisers.LAWS)


def _drawn_name(law: str) -> str:
    return f"{law} target"


def _drawn(law: str, seed: int) -> minimisers.Experiment:
    return minimisers.experiment(law, seed=seed, tol=1e-6)


def on_data(experiment: minimisers.Experiment) -> str:
    """The minimiser of L_N for one drawn target beside the simplex ETF of E2, as plain text."""
    e, found = experiment, experiment.minimum
    theory = minimisers.finite_minimum()
    cosine, radius, value, excess = (
        float(expr.subs({objectives.M: e.M, objectives.TAU: 1}))
        for expr in (theory.cosine, theory.radius, theory.value, theory.excess)
    )
    simplex = np.full((e.M, e.M), cosine) + (1 - cosine) * np.eye(e.M)
    head = f"{e.law} target, N = {e.N}, d = {e.d}, seed {e.seed}, compressed to M = {e.M}"
    # The order of the neurons is an accident of the start; by norm it is one of the result.
    order = np.argsort(found.norms)
    gram = found.gram[np.ix_(order, order)]
    rows = [
        ("", "minimiser of L_N", "simplex ETF"),
        ("loss", f"{found.value:.5f}", f"{value + excess / e.N:.5f} = min F + V/N"),
        ("norms", _numbers(found.norms[order]), f"{radius:.3f}"),
        *(
            ("cosines" if i == 0 else "", _numbers(gram[i]), _numbers(simplex[i]))
            for i in range(e.M)
        ),
    ]
    width = max(len(row[1]) for row in rows)
    table = [f"{name:<9}{left:<{width}}   {right}".rstrip() for name, left, right in rows]
    return "\n".join([head, *table])


def _numbers(values: Iterable[float]) -> str:
    # Adding 0.0 turns -0.0, which prints a sign, into 0.0.
    return " ".join(f"{round(float(value), 3) + 0.0:6.3f}" for value in values)


def _data_markdown(data: Sequence[minimisers.Experiment]) -> Iterator[str]:
    if data:
        yield (
            "## On data\n\nTargets drawn at random, with zero mean and τ = 1, and the minimiser of "
            "the exact loss L_N, found from random starts, beside the optimum of E2."
        )
    yield from (_fenced([on_data(experiment)]) for experiment in data)


# ------------------------------------------------------------------ formulas


def _sections(run: Run, names: Iterable[str]) -> Iterator[str]:
    """Those of the activations whose formulas are readable."""
    for name in names:
        text = run.brought.get(_section_name(name))
        yield formula_page.readable_section(name) if text is None else text


def _section_name(name: str) -> str:
    return f"formulas of {name}"
