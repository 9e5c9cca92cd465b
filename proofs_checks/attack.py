"""Descent of a margin at high precision: an optimiser that looks for a counterexample."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
from mpmath import mpf

from proofs_checks.ledger import Finding, Outcome, Settings

Margin = Callable[..., Any]
_ROUNDS = 24


def descend(
    margin: Margin,
    sides: Mapping[str, tuple[Any, Any]],
    settings: Settings,
    starts: Sequence[Sequence[Any]] = (),
    drawn: int = 4,
) -> Finding:
    """Compass search for ``margin(**point) < 0`` in a box, at ``settings.digits`` digits.

    ``starts`` are shares of the sides, between 0 and 1, and ``drawn`` more are random. A step that
    gains nothing is quartered. A margin of None means that the point does not meet the
    assumptions. What rounding explains, 10^-(digits - 10), is no counterexample; NaN is one.
    """
    draw = random.Random(settings.seed)
    random_starts = [[draw.random() for _ in sides] for _ in range(drawn)]
    values, least, where = 0, mpmath.inf, {}
    with mpmath.workdps(settings.digits):
        slack = mpf(10) ** (10 - settings.digits)
        for start in (*starts, *random_starts):
            path = _Path(margin, sides, [mpf(share) for share in start])
            path.run()
            values += path.values
            if not path.least >= least:
                least, where = path.least, path.point()
        if not values:
            return Finding(Outcome.UNDECIDED, "no point met the assumptions")
        text = ", ".join(f"{k} = {mpmath.nstr(v, 20)}" for k, v in where.items())
        count = len(starts) + drawn
        shown = mpmath.nstr(least, 2)
        figure = f"{count} descents, {values} values at {settings.digits} digits, least {shown}"
        outcome = Outcome.HOLDS if least >= -slack else Outcome.FAILS
        against = text if outcome is Outcome.FAILS else ""
    return Finding(outcome, figure, values, values, values, against)


class _Path:
    """One descent, in shares of the sides."""

    def __init__(
        self, margin: Margin, sides: Mapping[str, tuple[Any, Any]], start: list[mpf]
    ) -> None:
        self.margin, self.sides, self.at = margin, sides, start
        self.values = 0
        self.least = self._value(start)

    def point(self) -> dict[str, mpf]:
        """Where the path stands."""
        return self._point(self.at)

    def run(self) -> None:
        """Go down until the rounds are over or a margin is not a number."""
        step = mpf(1) / 4
        for _ in range(_ROUNDS):
            if mpmath.isnan(self.least):
                return
            moves = [(i, sign * step) for i in range(len(self.at)) for sign in (1, -1)]
            if not sum(self._try(*move) for move in moves):
                step /= 4

    def _try(self, i: int, step: mpf) -> bool:
        moved = [*self.at]
        moved[i] = min(max(moved[i] + step, mpf(0)), mpf(1))
        if moved == self.at:
            return False
        value = self._value(moved)
        if value >= self.least:
            return False
        self.at, self.least = moved, value
        return True

    def _point(self, shares: list[mpf]) -> dict[str, mpf]:
        return {
            name: mpf(low) + share * (mpf(high) - mpf(low))
            for (name, (low, high)), share in zip(self.sides.items(), shares, strict=True)
        }

    def _value(self, shares: list[mpf]) -> mpf:
        value = self.margin(**self._point(shares))
        if value is None:
            return mpmath.inf
        self.values += 1
        return mpf(value)
