"""The page about the ETF theorem says what the registry and its runs say."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from proofs_checks import REGISTRY
from proofs_checks.etf import figure as etf_figure
from proofs_checks.etf import report as etf_report
from proofs_checks.ledger import Finding, Outcome, Settings, Verdict
from proofs_checks.runner import ClaimResult, EvidenceResult, Run

REPORTS = Path(__file__).parents[3] / "reports"


def result(claim_id, verdict=Verdict.CERTIFIED):
    claim = REGISTRY[claim_id]
    found = Finding(Outcome.HOLDS, "one", 1, 1, 1)
    evidence = tuple(EvidenceResult(e.kind, e.method, e.covers, found, 0.0) for e in claim.evidence)
    return ClaimResult(claim, verdict, verdict, evidence, (), True)


@pytest.fixture(scope="module")
def run():
    return Run(tuple(result(i) for i in etf_report.IDS), Settings(), 0.0)


def test_every_claim_of_the_proof_is_on_the_page():
    proof = {i for i in REGISTRY.ids if re.match(r"A\d|V\d|B\d|E5", i)}
    assert proof <= set(etf_report.IDS)
    assert len(etf_report.IDS) == len(set(etf_report.IDS))


def test_the_page_in_the_repository_is_about_these_claims():
    """Titles and statements are those of the registry; run `symcomp verify` if they are not."""
    page = (REPORTS / etf_report.NAME).read_text(encoding="utf-8")
    for claim_id in etf_report.IDS:
        assert etf_report.heading(result(claim_id)) in page, claim_id
        assert etf_report.statement(result(claim_id)) in page, claim_id
    assert set(re.findall(r"ledger\.md#(\w+)", page)) <= {i.lower() for i in REGISTRY.ids}
    assert f"]({etf_figure.NAME})" in page
    assert (REPORTS / etf_figure.NAME).is_file()


def test_the_prose_in_the_repository_is_that_of_the_module(run):
    """Apart from the verdicts the page is made again like the one in the repository."""

    def plain(text):
        return [line for line in text.splitlines() if not line.startswith("| [")]

    page = (REPORTS / etf_report.NAME).read_text(encoding="utf-8")
    assert plain(etf_report.page(run)) == plain(page)


def test_verdicts_are_those_of_the_run(run):
    changed = replace(run, results=(result("A1", Verdict.REFUTED), *run.results[1:]))
    assert "| refuted |" in etf_report.page(changed)
    assert "| refuted |" not in etf_report.page(run)


def test_a_run_without_all_claims_leaves_the_page_alone(run, tmp_path):
    assert [*etf_report.files(run, tmp_path)] == [tmp_path / etf_report.NAME]
    assert etf_report.files(replace(run, results=run.results[1:]), tmp_path) == {}


def test_the_figure_is_the_same_every_time(tmp_path):
    for name in ("a.svg", "b.svg"):
        etf_figure.draw(tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second
    assert first.startswith(b"<?xml")


def test_no_network_of_the_figure_is_above_the_cone():
    points = etf_figure.networks()
    assert points.shape == (etf_figure.NETWORKS, 2)
    assert (points[:, 1] <= etf_figure.cone_ratio(points[:, 0]) + 1e-12).all()
    assert (np.abs(points[:, 0]) <= 1 + 1e-9).all()


def test_barycentre_of_one_height_is_that_height():
    heights = np.full(3, 0.3)
    assert etf_figure.barycentre(np.ones(3), heights) == pytest.approx(0.3, abs=1e-12)


def test_low_heights_are_bad_and_those_from_beta_on_are_not():
    assert etf_figure.bad(np.array([-1.0, -0.9])).all()
    assert not etf_figure.bad(np.linspace(etf_figure.BETA, 0.999, 50)).any()
