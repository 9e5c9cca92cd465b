"""Files that no reader ever sees half written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write; it takes the place of `path` whole when the block ends without an error.

    A folder that is missing is made. A file that is replaced keeps its permissions.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        # mkstemp's 0600 is not what a report wants
        os.chmod(temporary, target.stat().st_mode & 0o777 if target.exists() else 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def replace_file(path: str | os.PathLike[str], text: str) -> None:
    """Write the text, UTF-8 with line feeds, in place of whatever `path` holds."""
    with replacing(path) as file:
        file.write(text.encode())
