from click.testing import CliRunner

from symcomp.cli import main


def run(*arguments):
    return CliRunner().invoke(main, arguments)


def test_certify_writes_what_verify_replays(tmp_path):
    result = run("certify", "V1", "--out", str(tmp_path))
    assert result.exit_code == 0
    assert "boxes replayed" in result.output
    assert (tmp_path / "V1.json").read_text(encoding="utf-8").startswith('{\n  "format"')


def test_certify_refuses_an_unknown_name(tmp_path):
    result = run("certify", "V9", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert result.output == "Error: name: found 'V9', expected one of V1, V2, U, B4\n"
    assert not list(tmp_path.iterdir())
