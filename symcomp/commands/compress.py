"""symcomp compress: a small network in place of a saved one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from symcomp.commands.surroundings import terminal

if TYPE_CHECKING:
    from symcomp.compression import Compressed, Progress
    from symcomp.networks import TwoLayerNetwork

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@click.option("-M", "M", type=click.IntRange(min=1), required=True, help="number of nodes")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="file to write"
)
@click.option("--activation", help="of a file that does not name it  [default: relu]")
@click.option("--mean", type=_FILE, help="mean of the inputs (d,): .npy, .npz or .csv")
@click.option("--cov", type=_FILE, help="covariance of the inputs (d, d)")
@click.option("--data", type=_FILE, help="samples (n, d), which give both")
@click.option("--signs", type=click.Choice(["free", "positive"]), default="free", show_default=True)
@click.option("--starts", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def compress(
    file: Path,
    M: int,
    output: Path | None,
    activation: str | None,
    mean: Path | None,
    cov: Path | None,
    data: Path | None,
    signs: str,
    starts: int,
    seed: int,
) -> None:
    """Compress a saved two-layer network to M nodes.

    FILE is a .npz or .safetensors file with Linear, activation, Linear as PyTorch names them
    (0.weight, 0.bias, 2.weight, 2.bias; or W1, b1, W2, b2), or what TwoLayerNetwork.save wrote.
    The exact loss E (f - f̂)² under x ~ N(mean, cov), by default N(0, I), is minimised over all
    weights and biases. OUTPUT has FILE's format; by default it is FILE's name with -M before the
    ending. signs are those of the outer weights.

    \b
    symcomp compress net.safetensors -M 32
    symcomp compress net.safetensors -M 32 --data inputs.npy -o small.safetensors
    """
    from symcomp.compression import compress as run
    from symcomp.files import read_moments, read_network

    saved = read_network(file, activation)
    centre, covariance = read_moments(mean, cov, data)
    target = output or file.with_name(f"{file.stem}-{M}{file.suffix}")
    begun = perf_counter()
    with _bar(starts) as watch:
        found = run(
            saved.network, M, centre, covariance, signs, seed=seed, starts=starts, watch=watch
        )
    seconds = perf_counter() - begun
    saved.write(target, found.network)
    _show(saved.network, found, seconds)
    click.echo(f"wrote {target}")


def _show(net: "TwoLayerNetwork", found: "Compressed", seconds: float) -> None:
    from rich.table import Table

    table = Table("", "before", "after")
    small = found.network
    table.add_row("nodes", str(net.N), str(small.N))
    before, after = _parameters(net), _parameters(small)
    table.add_row("parameters", str(before), f"{after} ({after / before:.1%})")
    table.add_row("loss E |f - f̂|²", "", f"{found.loss:.6g}")
    table.add_row("relative loss", "", f"{found.relative_loss:.6g}")
    table.add_row("gradient", "", f"{found.residual:.1e}" + ("" if found.converged else ", open"))
    table.add_row("starts", "", f"{len(found.values)}, {'equal' if found.agree else 'different'}")
    table.add_row("seconds", "", f"{seconds:.1f}")
    terminal().print(table)


def _parameters(net: "TwoLayerNetwork") -> int:
    arrays = (net.W, net.a, net.bias, net.offset)
    return sum(array.size for array in arrays if array is not None)


@contextmanager
def _bar(starts: int) -> "Iterator[Callable[[Progress], None]]":
    """A line with the start, the iteration and the relative loss so far; nothing off a terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = terminal(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        task = bars.add_task("compressing", total=starts)
        yield lambda p: bars.update(
            task,
            completed=p.start,
            description=f"start {p.start + 1} of {starts}, iteration {p.iteration},"
            f" relative loss {p.relative_loss:.3g}",
        )
