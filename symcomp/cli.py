"""The command line; heavy imports wait inside the commands, so that --help is quick."""

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symcomp.commands.certify import certify
from symcomp.commands.compress import compress
from symcomp.commands.plot import plot
from symcomp.commands.surroundings import one_blas_thread, terminal
from symcomp.commands.sweep import sweep
from symcomp.errors import ArgumentError, SymcompError

if TYPE_CHECKING:
    from proofs_checks.cache import Cache
    from proofs_checks.ledger import Kind, Registry, Settings
    from proofs_checks.runner import Answer, Run

_ACT = """ACT is a name of the catalogue (relu), a name with parameters (leaky_relu:slope=1/10), or
an expression in x ("Max(0,x)**2"), which is parsed and never run."""
_PATTERN = """PATTERN chooses claims by id: K1, "E*", "K1,E?"; capitals or not. Default: all.
FILE.py is a Python file of your own with CLAIMS, which may depend on the built-in ones; it is run,
and by default its claims are chosen, with what they depend on."""


class _Failure(click.ClickException):
    """One line "Error: ..." and exit code 2."""

    exit_code = 2


class _Cli(click.Group):
    """A group that turns the errors raised on purpose into one line each."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SymcompError as error:
            raise _Failure(" ".join(str(error).split())) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader has left; click ends quietly
                raise
            raise _Failure(f"{error.filename or 'file'}: {error.strerror or error}") from error


@click.group(cls=_Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="symcomp")
def main() -> None:
    """Compression of two-layer networks: derived formulas and verified claims.

    From an activation σ, symcomp derives the dual kernel, the population loss and its optimal
    compression, generates fast NumPy code, and checks every claim of the theory.

    \b
    symcomp derive relu                the dual kernel of ReLU
    symcomp optimum relu -M 3          the best three neurons
    symcomp verify                     every claim, with its evidence

    Exit codes: 0 all is well; 1 a claim falls; 2 an error, told in one line; 130 interrupted.
    """


# ------------------------------------------------------------------ formulas and code


@main.command(epilog=_ACT)
@click.argument("act")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "latex", "python", "json"]),
    default="text",
    show_default=True,
    help="text to read, LaTeX, Python functions, or JSON",
)
@click.option("--steps", is_flag=True, help="show the derivation too (text, latex)")
def derive(act: str, style: str, steps: bool) -> None:
    """Derive the dual kernel K and κ of an activation.

    K(q_u, q_v, c) = E σ(X) σ(Y) for centred Gaussian X, Y with variances q_u, q_v and covariance
    c, and κ(ρ) = K(1, 1, ρ).

    \b
    symcomp derive relu --steps
    symcomp derive "Max(0,x)**2" --format latex
    """
    from symcomp.derivations import RENDER
    from symcomp.kernels import dual_kernel

    click.echo(RENDER[style](dual_kernel(act), steps))


@main.command(epilog=_ACT)
@click.argument("act")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="file to write"
)
def generate(act: str, output: Path | None) -> None:
    """Generate a NumPy module: kernel, losses and their gradients.

    The module needs NumPy alone. Without -o it is printed.

    \b
    symcomp generate relu -o relu_loss.py
    """
    import symcomp

    code = symcomp.generate(act)
    if output is None:
        click.echo(code.source, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        code.write(output)
        click.echo(f"wrote {output}")


@main.command(epilog=_ACT)
@click.argument("act")
@click.option("-M", "M", type=int, required=True, help="number of neurons")
@click.option("--beta", default="0", show_default=True, help="|E w| / tau, from 0 to 1")
@click.option("--tau", default="1", show_default=True, help="root of E|w|²")
@click.option("-d", "d", type=int, help="dimension; by default as many as needed")
def optimum(act: str, M: int, beta: str, tau: str, d: int | None) -> None:
    """Find the best M neurons for the simplified objective F.

    Shows the least F, the norm of the neurons, and their cosines with the target's mean and with
    each other. beta and tau are exact: 0.4 is 2/5. In few dimensions without a closed form, the
    best that a search finds, with a lower bound.

    \b
    symcomp optimum relu -M 3
    symcomp optimum relu -M 3 --beta 0.4
    symcomp optimum relu -M 16 -d 6
    """
    import symcomp

    click.echo(str(symcomp.optimum(act, M, beta=beta, tau=tau, d=d)))


# ------------------------------------------------------------------ claims


@main.command(epilog=_PATTERN)
@click.argument("which", nargs=-1, metavar="[FILE.py] [PATTERN]")
def claims(which: tuple[str, ...]) -> None:
    """List the claims and their kinds of evidence.

    \b
    symcomp claims
    symcomp claims "E*"
    """
    from rich.markup import escape
    from rich.table import Table

    registry, pattern = _chosen(which)
    table = Table("claim", "title", "rests on", "evidence", "mutants")
    for claim in (registry[i] for i in registry.select(pattern)):
        kinds = ", ".join(dict.fromkeys(e.kind.value for e in claim.evidence))
        below = ", ".join(claim.depends_on)
        table.add_row(claim.id, escape(claim.title), below, kinds, str(len(claim.mutants)))
    terminal().print(table)


_jobs = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: os.cpu_count() or 1,
    show_default="number of cores",
    help="worker processes",
)
_fresh = click.option(
    "--fresh", is_flag=True, help="run everything anew, whatever the cache has of earlier runs"
)


@main.command(epilog=_PATTERN)
@click.argument("which", nargs=-1, metavar="[FILE.py] [PATTERN]")
@click.option("--digits", type=click.IntRange(15, 1000), default=50, show_default=True)
@_jobs
@_fresh
def check(which: tuple[str, ...], digits: int, jobs: int, fresh: bool) -> None:
    """Check proofs, certificates and precision runs.

    Comparisons at high precision use the number of digits given. Searches, simulations and
    mutants are left to verify. Exit code 1 if a claim is refuted.

    \b
    symcomp check K1 --digits 200
    """
    with _workplace():
        from proofs_checks.ledger import Kind, Settings

        kinds = (Kind.PROOF, Kind.CERTIFICATE, Kind.PRECISION)
        outcome = _run(which, Settings(digits=digits), jobs, kinds, mutants=False, fresh=fresh)
        _show(outcome)
    sys.exit(1 if outcome.fallen else 0)


@main.command(epilog=_PATTERN)
@click.argument("which", nargs=-1, metavar="[FILE.py] [PATTERN]")
@click.option("--examples", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@_jobs
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="folder of the reports",
)
@_fresh
@click.option(
    "--explain",
    is_flag=True,
    help="also print what each chosen claim rests on, with every step of the proofs",
)
def verify(
    which: tuple[str, ...],
    examples: int,
    seed: int,
    jobs: int,
    out: Path,
    fresh: bool,
    explain: bool,
) -> None:
    """Verify claims by all evidence; write reports.

    Every mutant, a false variant of its claim, must be refuted. Writes ledger.md, ledger.json (and
    its schema), formulas.md and generated/ into the folder of reports. Exit code 1 if a claim
    falls: if it is refuted or one of its mutants survives. Findings are kept in
    $SYMCOMP_CACHE, by default ~/.cache/symcomp, and hold until a source, a statement or a version
    changes; so an interrupted run resumes.

    \b
    symcomp verify
    symcomp verify my_claims.py
    symcomp verify E1 --explain
    symcomp verify "E*" --examples 1000 --seed 7 --out elsewhere
    """
    out.mkdir(parents=True, exist_ok=True)
    with _workplace():
        from proofs_checks import report
        from proofs_checks.ledger import Kind, Settings

        settings = Settings(examples=examples, seed=seed)
        kinds = tuple(Kind)
        outcome = _run(which, settings, jobs, kinds, mutants=True, fresh=fresh, reports=True)
        data = report.experiments(outcome)
        paths = report.write(outcome, out, data)
        if explain:
            from proofs_checks.explain import explain as in_words

            click.echo(in_words(outcome))
        _show(outcome)
        for experiment in data:
            click.echo("\n" + report.on_data(experiment))
        click.echo("\nwrote " + ", ".join(str(path) for path in paths))
    sys.exit(1 if outcome.fallen else 0)


def _chosen(which: tuple[str, ...]) -> "tuple[Registry, str]":
    """The registry and the pattern that the arguments [FILE.py] [PATTERN] ask for."""
    import proofs_checks
    from proofs_checks import homes

    if which and which[0].endswith(".py"):
        registry = homes.load(Path(which[0]))
        built_in = set(proofs_checks.REGISTRY.ids)
        default = ",".join(i for i in registry.ids if i not in built_in)
        which = which[1:]
    else:
        registry, default = proofs_checks.REGISTRY, "*"
    if len(which) > 1:
        raise ArgumentError(f"arguments: found {' '.join(which)}, expected [FILE.py] [PATTERN]")
    return registry, which[0] if which else default


def _run(
    which: tuple[str, ...],
    settings: "Settings",
    jobs: int,
    kinds: "tuple[Kind, ...]",
    *,
    mutants: bool,
    fresh: bool,
    reports: bool = False,
) -> "Run":
    from proofs_checks import report
    from proofs_checks.runner import run

    registry, pattern = _chosen(which)
    ids = registry.with_dependencies(registry.select(pattern))
    with _progress(registry, ids) as p:
        return run(
            registry,
            pattern,
            settings,
            jobs=jobs,
            kinds=kinds,
            mutants=mutants,
            cache=_cache(registry, settings, fresh),
            progress=p,
            errands=report.errands(ids, settings.seed) if reports else (),
        )


def _cache(registry: "Registry", settings: "Settings", fresh: bool) -> "Cache":
    from proofs_checks import cache, homes

    sources = cache.fingerprint(homes.source(registry.home))
    return cache.Cache(cache.default_folder(), sources, settings, fresh)


@contextmanager
def _workplace() -> Iterator[None]:
    """One BLAS thread, and for Hypothesis, which would leave a folder here, one that passes.

    SymPy, which reads the size of its cache when imported, keeps more than 1000 results a function
    in the worker processes: that saves a seventh of the time of derivations.
    """
    os.environ.setdefault("SYMPY_CACHE_SIZE", "20000")
    with one_blas_thread(), tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", folder)
        yield


@contextmanager
def _progress(registry: "Registry", ids: tuple[str, ...]) -> Iterator[Any]:
    """A live bar for every claim, its clock running until it is settled; nothing off a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = terminal(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        rows = {i: bars.add_task(f"{i} {registry[i].title}", total=None) for i in ids}

        def advance(answer: "Answer") -> None:
            bars.update(rows[answer.task.claim], completed=answer.done, total=answer.total)

        yield advance


def _show(outcome: "Run") -> None:
    """The table, then all that must not be overlooked."""
    from rich.markup import escape

    from proofs_checks import report

    console = terminal()
    console.print(report.table(outcome))
    for style, line in report.remarks(outcome):
        console.print(escape(line), style=style, highlight=False)
    fallen = ", ".join(outcome.fallen) or "none"
    count = len(outcome.results)
    claims = "1 claim" if count == 1 else f"{count} claims"
    console.print(f"{claims} in {outcome.seconds:.1f} s; fallen: {fallen}")


for command in (certify, compress, sweep, plot):
    main.add_command(command)
