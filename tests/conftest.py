"""Hypothesis profiles and the count of comparisons in pytest's summary."""

import os

# Threads that wait for each other cost more than they gain on small matrices; set before NumPy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

import pytest
from hypothesis import settings

from tests.comparison import TALLY

settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("SYMCOMP_HYPOTHESIS", "ci"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"numbers compared with an oracle: {TALLY.points}")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may find, or leave, a finding in the user's cache."""
    folder: Path = tmp_path_factory.getbasetemp() / f"cache{os.urandom(4).hex()}"
    monkeypatch.setenv("SYMCOMP_CACHE", str(folder))
