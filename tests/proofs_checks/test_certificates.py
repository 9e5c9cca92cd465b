import json

import flint
import pytest
import sympy
from flint import fmpq

from proofs_checks import certificates
from proofs_checks.ledger import Outcome
from proofs_checks.replay import checker
from proofs_checks.replay import etf as replay_etf
from symcomp.errors import ArgumentError, SymcompError


def test_v1_is_made_anew_like_the_one_in_the_repository():
    """Byte by byte but for the versions."""
    made, kept = (json.loads(t) for t in (certificates.make("V1"), stored("V1")))
    assert made.pop("versions")
    assert kept.pop("versions")
    assert made == kept


def stored(name):
    return (certificates.certificate_folder() / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_v2_is_made_anew_like_the_one_in_the_repository():
    made, kept = (json.loads(t)["charts"] for t in (certificates.make("V2"), stored("V2")))
    assert made == kept


def test_u_is_made_anew_like_the_one_in_the_repository():
    made, kept = (json.loads(t)["charts"] for t in (certificates.make("U"), stored("U")))
    assert made == kept


def test_progress_ends_at_the_whole_of_every_chart():
    seen = {}
    certificates.make("V1", lambda p: seen.update({p.chart: (p.boxes, p.share)}))
    assert {chart: share for chart, (_, share) in seen.items()} == {"y": 1, "e": 1}
    counts = {chart: len(c["boxes"]) for chart, c in json.loads(stored("V1"))["charts"].items()}
    assert counts == {chart: boxes for chart, (boxes, _) in seen.items()}


def test_a_checker_that_disagrees_stops_the_search(monkeypatch):
    theorem = checker.Theorem("", replay_etf.V1.charts, glue=lambda: False)
    search = certificates.Search(theorem, certificates.SEARCHES["V1"].decide)
    monkeypatch.setitem(certificates.SEARCHES, "V1", search)
    with pytest.raises(SymcompError, match="certificate V1: the checker refuses it"):
        certificates.make("V1")


def test_a_search_for_something_false_ends(monkeypatch):
    monkeypatch.setattr(certificates, "DEPTH", 6)
    x = sympy.Symbol("x")
    false = certificates.by_sign("positive", x - 1, x)
    search = certificates.Search(replay_etf.V1, {"y": false})
    monkeypatch.setitem(certificates.SEARCHES, "V1", search)
    with pytest.raises(SymcompError, match="chart y: undecided at depth 6"):
        certificates.make("V1")


def test_unknown_names():
    with pytest.raises(ArgumentError, match="found 'V9', expected one of V1, V2, U, B4"):
        certificates.make("V9")


def test_a_missing_file_decides_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(certificates, "certificate_folder", lambda: tmp_path)
    found = certificates.checked("V1")
    assert found.outcome is Outcome.UNDECIDED
    assert "V1.json" in found.figure


def test_written_and_checked(monkeypatch, tmp_path):
    text = stored("V1")
    monkeypatch.setattr(certificates, "certificate_folder", lambda: tmp_path / "deep")
    path = certificates.write("V1", text)
    assert path == tmp_path / "deep/V1.json"
    assert certificates.checked("V1").outcome is Outcome.HOLDS
    assert [p.name for p in path.parent.iterdir()] == ["V1.json"]


def test_boxes_of_the_search_are_enclosed():
    """The mean value form decides what the range cannot, and never something false."""
    x = sympy.Symbol("x")
    with flint.ctx.workprec(64):
        form = certificates.MeanValue(x**2 - x + sympy.Rational(26, 100), [x])
        assert form.positive(((fmpq(9, 20), fmpq(11, 20)),))
        assert not form.positive(((fmpq(0), fmpq(1)),))
        assert not certificates.MeanValue(x**2 - x, [x]).positive(((fmpq(1, 4), fmpq(1, 2)),))
