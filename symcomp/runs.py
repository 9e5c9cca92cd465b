"""A table of experiments in a CSV or Parquet file: appended safely, read back, never half a row."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from symcomp.errors import ArgumentError
from symcomp.storage import replace_file, replacing

__all__ = ["Row", "Run", "Table"]


@dataclass(frozen=True)
class Run:
    """One experiment: a random target of N nodes in R^d, compressed into M (S, E8).

    activation is a name, law one of networks.LAWS, w = μ + s z as in networks.draw_weights with
    τ = 1 and |μ| = beta; seed draws the target and the starts.
    """

    activation: str
    law: str
    d: int
    N: int
    M: int
    beta: float
    seed: int
    starts: int


@dataclass(frozen=True)
class Row(Run):
    """What a run measured; the losses are those of (S0) and (S1), b_j = 1.

    minimum is the least L_N found and at_optimum is L_N at the optimum of F (E2, E4), turned
    randomly around μ; simplified is min F; gap = at_optimum - minimum. energy is |f_N|², known up
    to ± energy_error, and so are the losses. xi = |f_N - g|, which bounds |sqrt L_N - sqrt F|
    (S3, with g for its mean). cosine and radius are means over the minimiser's neurons, of
    <v, u_j> and |θ_j|; gram is the JSON text of its matrix <u_i, u_j>. Seconds are wall time.
    """

    minimum: float
    at_optimum: float
    simplified: float
    gap: float
    energy: float
    energy_error: float
    xi: float
    gradient_norm: float
    cosine: float
    radius: float
    gram: str
    target_seconds: float
    minimise_seconds: float
    version: str

    @property
    def run(self) -> Run:
        """The experiment that this is the outcome of."""
        return Run(*(getattr(self, field.name) for field in fields(Run)))


_TYPES = {field.name: field.type for field in fields(Row)}
_NAMES = list(_TYPES)


class Table:
    """The rows of a .csv or .parquet file; rows of the same run are kept once, the first.

    A .csv file grows by whole lines that are on the disk before `append` returns, and a last line
    that a crash cut off is dropped when the file is opened. A .parquet file is written anew, whole,
    with every row. Raises ArgumentError for another ending and for a file with other columns.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read what is there; the file need not exist."""
        self.path = Path(path)
        if self.path.suffix not in (".csv", ".parquet"):
            raise ArgumentError(f"path: found {self.path}, expected a .csv or .parquet file")
        self._rows: dict[Run, Row] = {}
        if self.path.exists():
            read = _read_csv if self.path.suffix == ".csv" else _read_parquet
            for row in read(self.path):
                self._rows.setdefault(row.run, row)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows, in the order in which they came."""
        return tuple(self._rows.values())

    def __contains__(self, run: Run) -> bool:
        """Whether the run has a row."""
        return run in self._rows

    def append(self, row: Row) -> None:
        """Add a row; a run that has one already keeps it."""
        if row.run in self._rows:
            return
        self._rows[row.run] = row
        if self.path.suffix == ".parquet":
            _write_parquet(self.path, self.rows)
        elif self.path.exists():
            with open(self.path, "ab") as file:
                file.write(_lines([astuple(row)]))
                file.flush()
                os.fsync(file.fileno())
        else:
            replace_file(self.path, _lines([_NAMES, astuple(row)]).decode())


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _read_csv(path: Path) -> list[Row]:
    text = path.read_bytes().decode(errors="replace")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        replace_file(path, whole)
    lines = list(csv.reader(io.StringIO(whole)))
    if not lines:
        replace_file(path, _lines([_NAMES]).decode())
        return []
    _require_columns(path, lines[0])
    return [_row(path, dict(zip(_NAMES, line, strict=False))) for line in lines[1:]]


def _require_columns(path: Path, names: Sequence[str]) -> None:
    if list(names) != _NAMES:
        raise ArgumentError(
            f"path: {path} has the columns {', '.join(names)}; expected {', '.join(_NAMES)}"
        )


def _row(path: Path, values: dict[str, Any]) -> Row:
    try:
        return Row(**{name: kind(values[name]) for name, kind in _TYPES.items()})  # type: ignore[operator]
    except (KeyError, ValueError) as error:
        raise ArgumentError(f"path: {path} has a row that is no run: {error}") from error


def _parquet() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ArgumentError(
            "path: found a .parquet file and no pyarrow, expected pip install 'symcomp[parquet]'"
            " or a .csv file"
        ) from error
    return pyarrow, pyarrow.parquet


def _read_parquet(path: Path) -> list[Row]:
    pyarrow, parquet = _parquet()
    try:
        table = parquet.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise ArgumentError(f"path: {path} is not a .parquet file: {error}") from error
    _require_columns(path, table.column_names)
    return [_row(path, values) for values in table.to_pylist()]


def _write_parquet(path: Path, rows: Sequence[Row]) -> None:
    pyarrow, parquet = _parquet()
    columns = {name: [getattr(row, name) for row in rows] for name in _NAMES}
    with replacing(path) as file:
        parquet.write_table(pyarrow.table(columns), file)
