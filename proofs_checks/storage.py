"""Files that no reader ever sees half written."""

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write the text beside ``path``, then rename: no reader ever sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)  # mkstemp's 0600 is not what a report wants
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def certificate_folder() -> Path:
    """Where certificates lie: inside the installed package, else in reports/ of the source tree."""
    installed = Path(__file__).parent / "certificates_data"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "reports/certificates"
