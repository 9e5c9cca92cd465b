"""The command line: what it prints, how it fails, and how quickly it answers --help."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import proofs_checks
import symcomp.kernels
from proofs_checks.ledger import Registry
from symcomp.cli import main
from tests.comparison import compare
from tests.proofs_checks.tiny import BAD, GOOD

COMMANDS = ("derive", "generate", "claims", "check", "verify", "optimum")
HALF = 0.5
H_OF_HALF = (math.sqrt(1 - HALF**2) + HALF * (math.pi - math.acos(HALF))) / (2 * math.pi)


def call(*arguments: str, **environment: str) -> Result:
    result = CliRunner().invoke(main, arguments, env=environment)
    assert "Traceback" not in result.output
    return result


@pytest.fixture(params=["good", "bad"])
def registry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Registry:
    chosen = {"good": GOOD, "bad": BAD}[request.param]
    monkeypatch.setattr(proofs_checks, "REGISTRY", chosen)
    return chosen


good = pytest.mark.parametrize("registry", ["good"], indirect=True)
bad = pytest.mark.parametrize("registry", ["bad"], indirect=True)

# ------------------------------------------------------------------ help


def test_help_names_every_command() -> None:
    result = call("--help")
    assert result.exit_code == 0
    assert all(name in result.output for name in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    """What keeps `symcomp --help` quick; its time is measured, not asserted."""
    script = (
        "import sys, symcomp.cli\n"
        "heavy = {'sympy', 'numpy', 'scipy', 'flint', 'hypothesis', 'rich', 'mpmath'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_explains_itself_with_an_example(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert f"  symcomp {command} " in result.output
    assert "ACT is" in result.output or "PATTERN chooses" in result.output


def test_short_helps_are_not_cut() -> None:
    assert "..." not in call("--help").output.split("Commands:")[1]


def test_version() -> None:
    assert symcomp.__version__ in call("--version").output


# ------------------------------------------------------------------ derive, generate, optimum


def test_derive_text_shows_the_formulas() -> None:
    text = call("derive", "relu").output
    assert text.startswith("relu: positively homogeneous of degree 1")
    assert "σ(x) = Max(0, x)" in text
    assert "K(qᵤ, qᵥ, c) =" in text
    assert "κ(ρ) =" in text
    assert "integrate" not in text
    assert "integrate from 0 to c" in call("derive", "relu", "--steps").output


def test_derive_latex() -> None:
    text = call("derive", "relu", "--format", "latex").output
    assert text.startswith("\\begin{align*}")
    assert r"\kappa{\left(\rho \right)} &= " in text
    assert "Price" in call("derive", "relu", "--format", "latex", "--steps").output


def test_derive_python_runs_by_itself() -> None:
    code = call("derive", "relu", "--format", "python").output
    names: dict = {}
    exec(code, names)
    compare(
        [
            ("κ", names["correlation"](HALF), H_OF_HALF),
            ("K", names["kernel"](4.0, 1.0, 1.0), 2 * H_OF_HALF),
        ],
        rtol=1e-15,
    )


def test_derive_json() -> None:
    document = json.loads(call("derive", "relu", "--format", "json").output)
    keys = ["name", "sigma", "degree", "symbols", "kernel", "correlation", "steps", "domain"]
    assert list(document) == keys
    assert document["name"] == "relu"
    assert document["degree"] == 1
    assert document["symbols"] == ["q_u", "q_v", "c"]
    assert document["steps"][-1]["equation"].endswith(f"{document['kernel']})")


@pytest.mark.parametrize("act", ["leaky_relu:slope=1/10", "Max(0,x)**2", "abs"])
def test_derive_takes_every_kind_of_activation(act: str) -> None:
    result = call("derive", act)
    assert result.exit_code == 0
    assert "κ(ρ) =" in result.output


def test_generate_prints_or_writes_the_module(tmp_path: Path) -> None:
    source = symcomp.generate("relu").source
    assert call("generate", "relu").output == source
    path = tmp_path / "deep" / "relu_loss.py"
    result = call("generate", "relu", "-o", str(path))
    assert result.output == f"wrote {path}\n"
    assert path.read_text(encoding="utf-8") == source


def test_optimum_takes_exact_numbers() -> None:
    wanted = symcomp.optimum("relu", 3, beta="2/5", tau=2)
    assert call("optimum", "relu", "-M", "3", "--beta", "0.4", "--tau", "2").output == f"{wanted}\n"
    assert "global minimiser (E3)" in call("optimum", "relu", "-M", "16", "-d", "6").output


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["derive", "nope"], "nope"),
        (["derive", "Max(0,"], "Max(0,"),
        (["derive", "__import__('os').system('true')"], "__import__"),
        (["derive", "x + y"], "y"),
        (["derive", "leaky_relu:slope=a"], "'a'"),
        (["generate", "nope"], "nope"),
        (["optimum", "relu", "-M", "0"], "0"),
        (["optimum", "relu", "-M", "3", "--beta", "2"], "2"),
        (["optimum", "relu", "-M", "3", "--beta", "nan"], "nan"),
        (["claims", "Q7"], "'Q7' matches no claim"),
        (["check", "Q7"], "'Q7' matches no claim"),
        (["verify", "Q7", "--out", "{tmp}"], "'Q7' matches no claim"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(
    arguments: list[str], part: str, tmp_path: Path
) -> None:
    result = call(*(a.format(tmp=tmp_path) for a in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert part in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["derive"],
        ["derive", "relu", "--format", "word"],
        ["optimum", "relu"],
        ["verify", "--jobs", "0"],
        ["verify", "--examples", "0"],
        ["verify", "--seed", "-1"],
        ["check", "--digits", "3"],
        ["frobnicate"],
    ],
)
def test_a_wrong_call_is_exit_code_2(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = call("generate", "relu", "-o", str(tmp_path / "file" / "relu.py"))
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


def test_an_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(symcomp.kernels, "dual_kernel", interrupt)
    result = call("derive", "relu")
    assert result.exit_code == 130
    assert result.stderr == "Interrupted.\n"


@pytest.mark.parametrize("command", ["derive relu", "claims"])
def test_a_reader_who_leaves_is_no_error(command: str) -> None:
    script = "import sys; from symcomp.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        f'"{sys.executable}" -c "{script}" {command} | true',
        shell=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""


# ------------------------------------------------------------------ claims


@good
def test_claims_lists_the_ledger(registry: Registry) -> None:
    lines = call("claims").output.splitlines()
    for claim_id in registry.ids:
        assert any(line.startswith(f"│ {claim_id} ") for line in lines)
    assert "proof, property" in call("claims", "t1").output
    assert "T2" not in call("claims", "t1").output


@good
@pytest.mark.usefixtures("registry")
def test_check_runs_the_evidence_without_chance() -> None:
    result = call("check", "T1", "--jobs", "1")
    assert result.exit_code == 0
    assert "proof 1 identity closed" in result.output
    assert "0/0" in result.output
    assert "1 claim in" in result.output


@bad
@pytest.mark.usefixtures("registry")
def test_check_fails_with_a_refuted_claim_only() -> None:
    assert call("check", "--jobs", "1").exit_code == 1
    assert call("check", "S1", "--jobs", "1").exit_code == 0


@good
@pytest.mark.usefixtures("registry")
def test_verify_writes_the_reports(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = call("verify", "--jobs", "1", "--examples", "5", "--seed", "7", "--out", str(out))
    assert result.exit_code == 0
    assert "fallen: none" in result.stdout
    assert result.stderr == ""
    document = json.loads((out / "ledger.json").read_text(encoding="utf-8"))
    assert [c["id"] for c in document["claims"]] == ["T1", "T2", "U1"]
    assert (document["seed"], document["examples"]) == (7, 5)
    assert document["claims"][0]["evidence"][1]["figure"].startswith("5 examples")
    assert {p.name for p in out.iterdir()} == {
        "ledger.json",
        "ledger.schema.json",
        "ledger.md",
        "formulas.md",
        "generated",
    }


@good
@pytest.mark.usefixtures("registry")
def test_verify_in_processes(tmp_path: Path) -> None:
    result = call("verify", "U1", "--jobs", "2", "--examples", "5", "--out", str(tmp_path))
    assert result.exit_code == 0
    assert "dependency" in result.output


@good
@pytest.mark.usefixtures("registry")
def test_verify_explains_line_by_line(tmp_path: Path) -> None:
    arguments = ("verify", "U1", "--jobs", "1", "--examples", "5", "--out", str(tmp_path))
    first = call(*arguments, "--explain")
    assert first.exit_code == 0
    assert "T1 → T2 → U1" in first.stdout
    assert "1. square: (x + 1)**2 = x**2 + 2*x + 1" in first.stdout
    again = call(*arguments, "--explain")  # from the cache
    chain = slice(first.stdout.index("U1. Title"), first.stdout.index("Ledger"))
    assert again.stdout[chain] == first.stdout[chain]
    assert " → " not in call(*arguments).stdout


@bad
@pytest.mark.usefixtures("registry")
def test_verify_fails_loudly_when_a_claim_falls(tmp_path: Path) -> None:
    result = call("verify", "--jobs", "1", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert "R1 FALLS: proof (by hand) refutes it: at x = 1" in result.output
    assert "S1 FALLS: mutant 'three' survives" in result.output
    assert "D1 is UNDECIDED" in result.output
    assert "fallen: R1, S1" in result.output
    assert (tmp_path / "ledger.json").exists()


@good
@pytest.mark.usefixtures("registry")
def test_verify_leaves_the_environment_and_the_folder_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENBLAS_NUM_THREADS", "HYPOTHESIS_STORAGE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    assert call("verify", "T1", "--jobs", "2", "--examples", "200").exit_code == 0
    assert dict(os.environ) == before
    assert [p.name for p in tmp_path.iterdir()] == ["reports"]


@good
@pytest.mark.usefixtures("registry")
def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    arguments = ("verify", "T2", "--jobs", "1", "--out", str(tmp_path))
    assert call(*arguments).stderr == ""
    assert "T1 Square of a sum" in call(*arguments, FORCE_COLOR="1", TERM="xterm").stderr
