"""Where the files of the ledger lie."""

from pathlib import Path


def certificate_folder() -> Path:
    """Where certificates lie: inside the installed package, else in reports/ of the source tree."""
    installed = Path(__file__).parent / "certificates_data"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "reports/certificates"
