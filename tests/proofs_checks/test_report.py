"""What the reports say is what was found, the same each time, and whole on disk."""

import io
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import sympy
from rich.console import Console

import symcomp
from proofs_checks import formula_page, report
from proofs_checks.ledger import Finding, Outcome, Registry, Settings
from proofs_checks.minimisers import LAWS, Experiment, experiment
from proofs_checks.runner import Run, run
from symcomp.storage import replace_file
from tests.proofs_checks.tiny import BAD, GOOD, claim, fails, undecided

SETTINGS = Settings(examples=10, seed=5)


@cache
def good() -> Run:
    return run(GOOD, settings=SETTINGS)


@cache
def bad() -> Run:
    return run(BAD)


@cache
def data() -> Experiment:
    return experiment("rademacher", N=20, d=4, M=3, starts=1)


def on_terminal(outcome: Run) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(report.table(outcome))
    return console.export_text()


# ------------------------------------------------------------------ terminal


def test_the_table_has_one_line_a_claim() -> None:
    text = on_terminal(good())
    assert re.search(r"T1 +│ Square of a sum +│ proved +│ proof 1 identity closed +│ +2/2", text)
    assert re.search(r"T2 .* certified .* certificate 1 point +│ +1/1", text)
    assert re.search(r"U1 .* certified .* proof 1 point", text)


def test_the_table_shows_what_refutes_a_claim() -> None:
    assert re.search(r"R1 .* refuted .* proof fails: 1 point +│ +1/1", on_terminal(bad()))
    assert re.search(r"S1 .* proved .* 0/1", on_terminal(bad()))


def test_a_dependency_is_marked_in_the_table() -> None:
    assert re.search(r"T1 .* dependency", on_terminal(run(GOOD, "U1", SETTINGS)))


def test_titles_are_shown_as_they_are() -> None:
    outcome = run(Registry((replace(claim("A"), title="[bold] | *x*"),)))
    assert "[bold] | *x*" in on_terminal(outcome)
    assert r"\[bold\] \| \*x\*" in report.as_markdown(outcome)


def test_evidence_for_the_whole_statement_comes_before_a_part() -> None:
    outcome = good().results[0]
    proof, search = outcome.evidence
    in_part = replace(outcome, evidence=(replace(proof, covers="x = 1"), search))
    assert report.strongest(in_part).startswith("property 10 examples")
    assert report.strongest(replace(outcome, evidence=(in_part.evidence[0],))).endswith("(x = 1)")


def test_remarks_overlook_nothing() -> None:
    lines = [line for _, line in report.remarks(bad())]
    assert lines == [
        "R1 FALLS: proof (by hand) refutes it: at x = 1",
        "S1 FALLS: mutant 'three' survives: proof holds: 1 point",
        "D1 is UNDECIDED",
        "D1: proved by itself, undecided because it rests on R1",
    ]
    assert [line for _, line in report.remarks(run(Registry((claim("A", undecided),))))][:1] == [
        "A: proof (by hand) is undecided: no points"
    ]


def test_a_sound_run_needs_no_remark_but_its_caps() -> None:
    assert [line for _, line in report.remarks(good())] == [
        "U1: proved by itself, certified because it rests on T2"
    ]


# ------------------------------------------------------------------ JSON


def test_the_json_has_the_documented_keys() -> None:
    document = json.loads(report.as_json(good()))
    assert {"claims", "versions", "seed", "seconds"} <= set(document)
    assert document["seed"] == 5
    assert document["seconds"] >= 0
    assert {"python", "symcomp", "sympy", "numpy"} <= set(document["versions"])
    for entry in document["claims"]:
        keys = {"id", "title", "statement", "source", "depends_on", "verdict", "evidence"}
        assert keys <= set(entry)
        assert all({"kind", "outcome", "method", "figure"} <= set(e) for e in entry["evidence"])
        assert all({"name", "refuted"} <= set(m) for m in entry["mutants"])


def test_the_json_says_what_was_found() -> None:
    t1, t2, u1 = json.loads(report.as_json(good()))["claims"]
    assert [c["verdict"] for c in (t1, t2, u1)] == ["proved", "certified", "certified"]
    assert t1["statement"] == GOOD["T1"].statement
    assert [e["kind"] for e in t1["evidence"]] == ["proof", "property"]
    assert [e["outcome"] for e in t1["evidence"]] == ["holds", "holds"]
    assert t1["evidence"][0]["steps"] == ["square: (x + 1)**2 = x**2 + 2*x + 1"]
    assert [m["refuted"] for m in t1["mutants"]] == [True, True]
    assert u1["depends_on"] == ["T2"]
    r1, s1, _ = json.loads(report.as_json(bad()))["claims"]
    assert (r1["verdict"], r1["evidence"][0]["outcome"]) == ("refuted", "fails")
    assert s1["mutants"][0]["refuted"] is False


def test_reports_are_the_same_each_time_but_for_the_seconds() -> None:
    again = run(GOOD, settings=SETTINGS, jobs=2)
    assert report.as_markdown(again, [data()]) == report.as_markdown(good(), [data()])

    def steady(outcome: Run) -> dict:
        return json.loads(report.as_json(outcome)) | {"seconds": 0}

    assert steady(again) == steady(good())
    other = run(GOOD, settings=replace(SETTINGS, seed=6))
    assert report.as_markdown(other) != report.as_markdown(good())


# ------------------------------------------------------------------ Markdown


def test_the_markdown_has_table_graph_claims_and_origin() -> None:
    text = report.as_markdown(good())
    assert "this project's own reconstruction" in text
    assert "| [T1](#t1) | Square of a sum | proved | proof 1 identity closed | 2/2 |" in text
    assert '  T1["T1 Square of a sum: proved"]' in text
    assert "  U1 --> T2" in text
    assert text.count("\n## ") == 3
    assert f"$$\n{GOOD['T1'].statement}\n$$" in text
    assert "1. square: (x + 1)**2 = x**2 + 2*x + 1" in text
    assert '- mutant "middle 3" refuted by proof: square: at x =' in text
    assert "On data" not in text


def test_the_markdown_hides_no_failure() -> None:
    text = report.as_markdown(bad())
    assert "**refuted**" in text
    assert "```text\nat x = 1\n```" in text
    assert '- mutant "three" **survives**: proof holds: 1 point' in text
    assert "**undecided** (by itself: proved)" in text


def test_markdown_marks_in_findings_are_shown_as_they_are() -> None:
    finding = Finding(Outcome.HOLDS, "a|b < *c*", 1, 1, 1)
    outcome = run(Registry((claim("A", lambda *_: finding),)))
    assert r"proof a\|b \< \*c\* |" in report.as_markdown(outcome)


def test_data_stands_beside_the_simplex_whatever_the_order_of_the_neurons() -> None:
    e = data()
    text = report.on_data(e)
    assert "rademacher target, N = 20, d = 4, seed 0, compressed to M = 3" in text
    norms = [float(n) for n in re.findall(r"norms +([\d.]+) +([\d.]+) +([\d.]+)", text)[0]]
    assert norms == sorted(round(float(n), 3) for n in e.minimum.norms)
    assert " 1.000 -0.500 -0.500" in text
    turn = np.array([2, 0, 1])
    minimum = replace(
        e.minimum, norms=e.minimum.norms[turn], gram=e.minimum.gram[np.ix_(turn, turn)]
    )
    assert report.on_data(replace(e, minimum=minimum)) == text
    assert "## On data" in report.as_markdown(good(), [e])


def test_no_experiment_is_made_for_other_claims() -> None:
    assert report.experiments(good()) == ()


# ------------------------------------------------------------------ formulas and files


def test_the_formulas_are_those_derived_for_the_activation() -> None:
    relu, absolute = symcomp.dual_kernel("relu"), symcomp.dual_kernel("abs")
    text = formula_page.page(map(formula_page.section, [relu, absolute]))
    for ker in (relu, absolute):
        assert f"## {ker.activation.name}" in text
        assert f"K(q_u, q_v, c) = {sympy.latex(ker.expr)}" in text
        assert rf"\kappa(\rho) = {sympy.latex(ker.correlation)}" in text
    for left in ("L_N =", "F =", "V =", "E_M =", r"|\theta_j| =", r"\min F ="):
        assert text.count(f"$$\n{left}") == 2
    assert "reconstruction" in text


def test_what_workers_brought_is_what_the_reports_make() -> None:
    outcome = replace(good(), results=())
    errands = {e.name: e.make for e in report.errands(("T1",), 0)}
    assert list(errands) == ["formulas of relu"]
    (made,) = report._sections(outcome, ["relu"])
    assert made == errands["formulas of relu"]()
    brought = replace(outcome, brought={"formulas of relu": "by a worker"})
    assert list(report._sections(brought, ["relu"])) == ["by a worker"]
    assert formula_page.readable_section("gelu") == ""


def test_errands_of_the_whole_ledger_are_experiments_and_all_formulas() -> None:
    names = [e.name for e in report.errands(("K1c", "E8"), 0)]
    laws = [f"{law} target" for law in LAWS]
    assert names == [*laws, *(f"formulas of {name}" for name in symcomp.activations())]


def test_write_leaves_whole_files_and_nothing_else(tmp_path: Path) -> None:
    paths = report.write(good(), tmp_path)
    names = {str(path.relative_to(tmp_path)) for path in paths}
    assert names == {
        "ledger.json",
        "ledger.schema.json",
        "ledger.md",
        "formulas.md",
        "generated/relu.py",
    }
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == set(paths)
    source = (tmp_path / "generated" / "relu.py").read_text(encoding="utf-8")
    assert source == symcomp.generate("relu").source
    assert json.loads((tmp_path / "ledger.json").read_text(encoding="utf-8"))["claims"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.md"
    replace_file(path, "old")

    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="no"):
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failures_and_undecided_never_look_like_a_pass() -> None:
    outcome = run(Registry((claim("A", undecided), claim("B", fails))))
    text = report.as_markdown(outcome)
    assert "| [A](#a) | Title A | undecided | proof undecided: no points | 0/1 |" in text
    assert "| [B](#b) | Title B | refuted | proof fails: 1 point | 1/1 |" in text
