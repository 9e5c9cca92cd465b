"""symcomp plot: figures of a table of experiments."""

from pathlib import Path

import click


@click.command()
@click.argument("kind", type=click.Choice(["rates", "frames", "gram", "angles"]))
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
def plot(kind: str, table: Path, output: Path) -> None:
    """Draw a figure of a sweep's table.

    KIND is rates (the error against N and d, fitted and predicted slopes), frames (min F against M
    with its 1/M law), gram (the Gram matrix beside the optimum's) or angles (cosine and angle
    against β). OUTPUT is a .pdf, .svg or .eps file.

    \b
    symcomp plot rates runs.csv -o rates.pdf
    """
    from symcomp.plots import plot as draw
    from symcomp.runs import Table

    draw(kind, Table(table).rows, output)
    click.echo(f"wrote {output}")
