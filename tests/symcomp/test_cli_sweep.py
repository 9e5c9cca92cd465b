import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from symcomp.cli import main
from symcomp.runs import Table

SMALL = ["-d", "4,6", "-N", "20", "-M", "2,3", "--beta", "0,0.4", "--starts", "1"]


def call(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.mark.slow
def test_a_sweep_of_processes_and_its_figure(tmp_path):
    path = tmp_path / "runs.csv"
    first = call("sweep", "-o", path, *SMALL, "--jobs", 2)
    assert first.exit_code == 0, first.output
    assert first.output.splitlines()[-1] == f"8 runs measured, 0 at hand; {path}"
    again = call("sweep", "-o", path, *SMALL, "--seeds", 2, "--jobs", 2)
    assert again.output.splitlines()[-1] == f"8 runs measured, 8 at hand; {path}"
    assert len(Table(path).rows) == 16
    drawn = call("plot", "gram", path, "-o", tmp_path / "gram.pdf")
    assert drawn.output == f"wrote {tmp_path / 'gram.pdf'}\n"
    assert (tmp_path / "gram.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_an_interrupted_sweep_keeps_its_rows_and_resumes(tmp_path):
    path = tmp_path / "runs.csv"
    command = [sys.executable, "-c", "from symcomp.cli import main; main()", "sweep"]
    args = ["-o", str(path), *SMALL, "--seeds", "50", "--jobs", "1"]
    process = subprocess.Popen(
        command + args, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    end = time.monotonic() + 60
    while not path.exists() or len(path.read_text().splitlines()) < 3:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "Interrupted.\n"
    rows = Table(path).rows
    assert 2 <= len(rows) < 400
    again = call("sweep", "-o", path, *SMALL, "--jobs", 1)
    assert again.exit_code == 0
    assert Table(path).rows[: len(rows)] == rows


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-N", "x"], "'x' is not a list of INT separated by commas"),
        (["-d", "2", "-M", "4"], "Error: d is 2; expected at least M = 4"),
        (["--law", "cauchy"], "Error: law is 'cauchy'; expected one of"),
        (["--dask", "tcp://127.0.0.1:1"], "Error: dask: found no scheduler at tcp://127.0.0.1:1"),
    ],
)
def test_errors_are_one_line(tmp_path, args, message):
    result = call("sweep", "-o", tmp_path / "runs.csv", *args)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "runs.csv").exists()


def test_a_table_of_something_else(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n")
    result = call("plot", "rates", tmp_path / "a.csv", "-o", tmp_path / "a.pdf")
    assert result.exit_code == 2
    assert result.output.startswith("Error: path:")
