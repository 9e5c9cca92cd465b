"""symcomp sweep: experiments over a grid, one row a run."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from symcomp.commands.surroundings import one_blas_thread, terminal
from symcomp.errors import ArgumentError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from symcomp.runs import Row

T = TypeVar("T")


class _Listed(click.ParamType[tuple[Any, ...]]):
    """Values separated by commas."""

    def __init__(self, kind: Callable[[str], Any], name: str) -> None:
        self.kind, self.name = kind, name

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(self.kind(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of {self.name} separated by commas", param, ctx)


_INTEGERS, _NUMBERS, _NAMES = _Listed(int, "INT"), _Listed(float, "FLOAT"), _Listed(str, "NAME")


@click.command()
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--activation", type=_NAMES, default="relu", show_default=True)
@click.option("--law", type=_NAMES, default="gaussian", show_default=True)
@click.option("-d", "d", type=_INTEGERS, default="32", show_default=True)
@click.option("-N", "N", type=_INTEGERS, default="1000", show_default=True)
@click.option("-M", "M", type=_INTEGERS, default="4", show_default=True)
@click.option("--beta", type=_NUMBERS, default="0", show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--starts",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="random starts beside the optimum of F",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: os.cpu_count() or 1,
    show_default="number of cores",
    help="worker processes",
)
@click.option("--dask", metavar="ADDRESS", help="scheduler of a Dask cluster, tcp://host:port")
def sweep(
    output: Path,
    seeds: int,
    starts: int,
    jobs: int,
    dask: str | None,
    **axes: tuple[Any, ...],
) -> None:
    """Run a grid of experiments; one row a run.

    For every combination of the lists (separated by commas) a random target is drawn, its exact
    loss L_N minimised and compared with the optimum of the simplified objective F. The rows go to
    OUTPUT, a .csv or .parquet file, each as soon as it is there; runs that it holds already are not
    repeated, so an interrupted sweep resumes.

    \b
    symcomp sweep -o runs.csv -d 16,32,64 -N 100,1000,10000 --beta 0,0.4 --seeds 3
    symcomp sweep -o runs.parquet --law gaussian,rademacher --dask tcp://10.0.0.1:8786
    """
    with one_blas_thread():
        from symcomp.runs import Table
        from symcomp.sweep import grid
        from symcomp.sweep import sweep as run

        table = Table(output)
        runs = grid(seeds=seeds, starts=starts, **axes)
        todo = [r for r in runs if r not in table]
        with _executor(jobs, dask) as executor, _bar(len(runs), len(runs) - len(todo)) as advance:
            measured = run(todo, table, executor, advance)
    click.echo(f"{measured} runs measured, {len(runs) - measured} at hand; {output}")


@contextmanager
def _executor(jobs: int, dask: str | None) -> "Iterator[Executor]":
    """Local processes, or the workers of a cluster."""
    if dask is None:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        # Ctrl-C reaches the workers too, which die of it silently.
        with ProcessPoolExecutor(
            jobs,
            get_context("spawn"),
            initializer=signal.signal,
            initargs=(signal.SIGINT, signal.SIG_DFL),
        ) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ArgumentError(
            "dask: found no distributed, expected pip install 'symcomp[cluster]'"
        ) from error
    try:
        client = Client(dask, timeout="10s")
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"dask: found no scheduler at {dask}, expected tcp://host:port"
        ) from error
    with client:
        yield client.get_executor(pure=False)


@contextmanager
def _bar(total: int, done: int) -> "Iterator[Callable[[Row], None]]":
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = terminal(stderr=True)
    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("runs", total=total, completed=done)
        yield lambda _: bars.advance(task)
