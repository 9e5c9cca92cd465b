"""What the commands share: the terminal, and an environment for worker processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """An environment for this process and its workers, entered before NumPy is imported.

    The workers share the cores, so BLAS starts no threads of its own: they would only wait for
    each other.
    """
    before = dict(os.environ)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def terminal(*, stderr: bool = False) -> "Console":
    """Where tables and bars go; a file has no width of its own and gets 120 columns."""
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console
