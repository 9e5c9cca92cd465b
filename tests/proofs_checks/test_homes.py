"""A user's own file of claims: found by workers, joined to the built-in, refused in one line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import proofs_checks
from proofs_checks import homes
from symcomp.cli import main
from symcomp.errors import ArgumentError, SymcompError

EXAMPLE = Path(__file__).with_name("example_claim.py")


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert "Traceback" not in result.output
    return result


def test_the_example_is_verified_with_what_it_rests_on(tmp_path: Path) -> None:
    result = call("verify", str(EXAMPLE), "--jobs", "1", "--examples", "5", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    claims = json.loads((tmp_path / "ledger.json").read_text(encoding="utf-8"))["claims"]
    assert [c["id"] for c in claims] == ["K1", "K6", "MINE1"]
    mine = claims[-1]
    assert (mine["verdict"], mine["mutants"][0]["refuted"]) == ("proved", True)
    assert [c["selected"] for c in claims] == [False, False, True]


def test_a_false_claim_of_ones_own_falls(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace(
        "subject=lambda: sympy.Rational(1, 2)", "subject=lambda: sympy.Rational(2, 3)"
    )
    path = tmp_path / "false.py"
    path.write_text(text.replace('("K6",)', "()"), encoding="utf-8")
    result = call("verify", str(path), "--jobs", "1", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert "MINE1 FALLS" in result.output


def test_a_file_and_a_pattern() -> None:
    result = call("claims", str(EXAMPLE), "K6,MINE*")
    assert result.exit_code == 0
    assert "MINE1" in result.output
    assert "K6" in result.output
    assert "Energy inequality" not in result.output
    assert call("claims", str(EXAMPLE), "K6", "K1").exit_code == 2


def test_both_kinds_of_home() -> None:
    assert homes.find("proofs_checks:REGISTRY") is proofs_checks.REGISTRY
    registry = homes.find(str(EXAMPLE))
    assert registry.ids == (*proofs_checks.REGISTRY.ids, "MINE1")
    assert homes.source(registry.home) == EXAMPLE
    assert homes.source("proofs_checks:REGISTRY") == Path(proofs_checks.__file__)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1", "expected CLAIMS"),
        ("CLAIMS = ()", "expected CLAIMS"),
        ("CLAIMS = (1,)", "expected CLAIMS"),
        ("a = 1\nraise KeyError('b')", "line 2: KeyError: 'b'"),
        ("a = 1\nb = = 2", "line 2: SyntaxError"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=message):
        homes.load(path)
    result = call("verify", str(path), "--out", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_ids_are_not_taken_twice(tmp_path: Path) -> None:
    path = tmp_path / "twice.py"
    path.write_text(EXAMPLE.read_text(encoding="utf-8").replace('"MINE1"', '"K1"'))
    with pytest.raises(SymcompError, match="K1 occurs more than once"):
        homes.load(path)


def test_no_such_file() -> None:
    assert "is no file" in call("verify", "nothing.py").stderr
