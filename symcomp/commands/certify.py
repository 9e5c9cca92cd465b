"""symcomp certify: make a certificate anew."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from proofs_checks.certificates import Progress


@click.command()
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="folder of the certificate  [default: where verify looks for it]",
)
def certify(name: str, out: Path | None) -> None:
    """Make a ball-arithmetic certificate anew; verify replays it.

    NAME is a theorem with a certificate: V1, V2 or U, for instance. The search proposes boxes, an
    independent checker proves that they fill the domain and that each holds, and only then is
    NAME.json written, whole.

    \b
    symcomp certify V1
    symcomp certify V2 --out elsewhere
    """
    from proofs_checks import certificates

    with _bar(name) as watch:
        text = certificates.make(name, watch)
    path = certificates.write(name, text, out)
    click.echo(certificates.finding(text, certificates.known(name).theorem).figure)
    click.echo(f"wrote {path}")


@contextmanager
def _bar(name: str) -> "Iterator[Callable[[Progress], None]]":
    """A live bar for every chart: its boxes, and the settled share of its volume."""
    from rich import progress as bar
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    shown = bar.Progress(
        bar.TextColumn("{task.description}"),
        bar.BarColumn(),
        bar.TextColumn("{task.fields[boxes]}"),
        bar.TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    rows: dict[str, bar.TaskID] = {}

    with shown as bars:

        def watch(progress: "Progress") -> None:
            if progress.chart not in rows:
                title = f"{name} {progress.chart}"
                rows[progress.chart] = bars.add_task(title, total=1.0, boxes="")
            share = float(progress.share.p) / float(progress.share.q)
            text = f"{progress.boxes} boxes"
            bars.update(rows[progress.chart], completed=share, boxes=text)

        yield watch
