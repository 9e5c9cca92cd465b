"""What the cache returns is what was found, for the same question only; trouble is never kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from proofs_checks import cache
from proofs_checks.cache import Cache
from proofs_checks.ledger import Finding, Outcome, Settings
from proofs_checks.runner import Answer, run
from tests.proofs_checks.tiny import GOOD, TROUBLE

SETTINGS = Settings(examples=10)
FOUND = Finding(Outcome.FAILS, "1 of 2", 3, 2, 1, "at x = π", ("a: b = c",))


@pytest.fixture
def kept(tmp_path: Path) -> Cache:
    return Cache(tmp_path, "sources", SETTINGS)


def files(store: Cache) -> list[Path]:
    return [path for path in store.folder.rglob("*") if path.is_file()]


def test_a_finding_comes_back_whole(kept: Cache) -> None:
    kept.put(GOOD["T1"], 1, 0, (FOUND, 1.5))
    assert kept.get(GOOD["T1"], 1, 0) == (FOUND, 1.5)
    assert len(files(kept)) == 1


def test_another_question_is_not_answered(kept: Cache) -> None:
    claim = GOOD["T1"]
    kept.put(claim, 1, 0, (FOUND, 1.5))
    evidence = (replace(claim.evidence[0], method="otherwise"), *claim.evidence[1:])
    others = [
        kept.get(claim, 0, 0),
        kept.get(claim, None, 0),
        kept.get(claim, 1, 1),
        kept.get(replace(claim, statement="x = 2"), 1, 0),
        kept.get(replace(claim, evidence=evidence), 1, 0),
        replace(kept, sources="edited").get(claim, 1, 0),
        replace(kept, settings=replace(SETTINGS, seed=1)).get(claim, 1, 0),
        replace(kept, fresh=True).get(claim, 1, 0),
    ]
    assert others == [None] * len(others)


@pytest.mark.parametrize("text", ["", "{", "{}", '{"finding": 3, "seconds": 1}'])
def test_a_damaged_file_is_no_answer(kept: Cache, text: str) -> None:
    kept.put(GOOD["T1"], None, 0, (FOUND, 1.5))
    files(kept)[0].write_text(text)
    assert kept.get(GOOD["T1"], None, 0) is None


def test_the_fingerprint_sees_sources_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.py"
    path.write_text("a = 1")
    before = cache.fingerprint(path)
    assert cache.fingerprint(path) == before
    path.write_text("a = 2")
    edited = cache.fingerprint(path)
    monkeypatch.setattr(cache, "versions", lambda: {"sympy": "0"})
    assert len({before, edited, cache.fingerprint(path)}) == 3
    monkeypatch.setattr(cache, "_modules", lambda _: iter(()))
    assert cache.fingerprint() != cache.fingerprint(path)


def test_a_second_run_asks_nothing_and_finds_the_same(kept: Cache) -> None:
    first = run(GOOD, settings=SETTINGS, jobs=1, cache=kept)
    times = {path: path.stat().st_mtime_ns for path in files(kept)}
    answers: list[Answer] = []
    second = run(GOOD, settings=SETTINGS, jobs=1, cache=kept, progress=answers.append)
    assert second.results == first.results
    assert {path: path.stat().st_mtime_ns for path in files(kept)} == times
    assert {a.task.claim: (a.done, a.total) for a in answers} == {
        "T1": (4, 4),
        "T2": (2, 2),
        "U1": (2, 2),
    }
    run(GOOD, settings=SETTINGS, cache=replace(kept, fresh=True))
    assert {path: path.stat().st_mtime_ns for path in files(kept)}.keys() == times.keys()
    assert all(path.stat().st_mtime_ns > then for path, then in times.items())


def test_an_interrupted_run_resumes(kept: Cache) -> None:
    def stop(answer: Answer) -> None:
        if answer.task.claim == "T2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(GOOD, settings=SETTINGS, cache=kept, progress=stop)
    done = len(files(kept))
    assert 0 < done < 8
    run(GOOD, settings=SETTINGS, cache=kept)
    assert len(files(kept)) == 8


def test_trouble_is_not_kept(kept: Cache) -> None:
    run(TROUBLE, "X[1-3]", settings=SETTINGS, jobs=1, budget=0.3, mutants=False, cache=kept)
    assert files(kept) == []


def test_a_folder_that_cannot_be_written_costs_no_result(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = Cache(tmp_path / "file", "sources", SETTINGS)
    outcome = run(GOOD, "T1", settings=SETTINGS, cache=blocked)
    assert outcome.fallen == ()


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMCOMP_CACHE", "/a")
    assert cache.default_folder() == Path("/a")
    monkeypatch.delenv("SYMCOMP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache.default_folder() == Path("/b/symcomp")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.default_folder() == Path.home() / ".cache" / "symcomp"
