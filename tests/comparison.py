"""One comparison for all tests: lists every bad point, counts what was compared, refuses NaN."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import mpmath


@dataclass
class Tally:
    """How many numbers the session compared; pytest prints it at the end."""

    points: int = 0


TALLY = Tally()


def compare(
    rows: Iterable[tuple[Any, Any, Any]], rtol: float = 0.0, atol: float = 0.0, min_points: int = 1
) -> None:
    """Assert |got - wanted| <= atol + rtol |wanted| for every row (label, got, wanted)."""
    bad, count = [], 0
    with mpmath.extradps(80):
        for label, got, wanted in rows:
            count += 1
            g, w = mpmath.mpf(got), mpmath.mpf(wanted)
            error = abs(g - w)
            if not error <= atol + rtol * abs(w):
                relative = mpmath.nstr(error / abs(w), 3) if w else "-"
                bad.append(f"  {label}: got {g!s:.25}, wanted {w!s:.25}, relative error {relative}")
    TALLY.points += count
    assert count >= min_points, f"compared {count} points, expected at least {min_points}"
    assert not bad, f"{len(bad)} of {count} points differ:\n" + "\n".join(bad)
