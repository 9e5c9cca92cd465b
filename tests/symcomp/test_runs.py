from dataclasses import astuple, replace

import pytest

from symcomp.errors import ArgumentError
from symcomp.runs import Row, Run, Table

FIRST = Row(
    "relu", "gaussian", 16, 100, 3, 0.4, 7, 2,
    0.1 + 0.2, 1e-300, 0.5, 0.25, 1.5, 0.0, 0.125, 1e-9, -1.0, 2.0,
    "[[1.0, -0.5]]", 0.5, 0.75, "0.1.0",
)  # fmt: skip
SECOND = replace(FIRST, seed=8)
ENDINGS = ("csv", "parquet")


@pytest.mark.parametrize("ending", ENDINGS)
def test_rows_come_back_bit_for_bit(tmp_path, ending):
    path = tmp_path / f"new/runs.{ending}"
    table = Table(path)
    assert FIRST.run not in table
    for row in (FIRST, SECOND):
        table.append(row)
    again = Table(path)
    assert again.rows == (FIRST, SECOND) == table.rows
    assert FIRST.run in again
    assert FIRST.run == Run("relu", "gaussian", 16, 100, 3, 0.4, 7, 2)
    assert replace(FIRST, N=99).run not in again


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_is_kept_once(tmp_path, ending):
    table = Table(tmp_path / f"runs.{ending}")
    table.append(FIRST)
    table.append(replace(FIRST, minimum=9.0))
    assert Table(table.path).rows == (FIRST,)


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_that_a_crash_cut_off_is_dropped(tmp_path, cut):
    path = tmp_path / "runs.csv"
    for row in (FIRST, SECOND):
        Table(path).append(row)
    path.write_bytes(path.read_bytes()[:-cut])
    table = Table(path)
    assert table.rows == (FIRST,)
    table.append(SECOND)
    assert Table(path).rows == (FIRST, SECOND)


def test_a_header_that_a_crash_cut_off(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("activation,la")
    table = Table(path)
    table.append(FIRST)
    assert Table(path).rows == (FIRST,)


def test_parquet_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "runs.parquet"
    table = Table(path)
    table.append(FIRST)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        table.append(SECOND)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"expected a \.csv or \.parquet file"):
        Table(tmp_path / "runs.txt")
    path = tmp_path / "runs.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ArgumentError, match="has the columns a, b; expected activation, law"):
        Table(path)
    Table(tmp_path / "good.csv").append(FIRST)
    line = ",".join("x" if isinstance(v, int) else str(v) for v in astuple(FIRST))
    with open(tmp_path / "good.csv", "a") as file:
        file.write(line + "\n")
    with pytest.raises(ArgumentError, match="has a row that is no run"):
        Table(tmp_path / "good.csv")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ArgumentError, match=r"is not a \.parquet file"):
        Table(tmp_path / "bad.parquet")
