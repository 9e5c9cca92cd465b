"""An independent checker of certificates: the standard library and python-flint, nothing else.

A theorem here is a list of *charts*. A chart is a box of real variables with exact ends and some
*alternatives*: tests of a part of the box, each of which, where it says yes, proves what the
theorem says there. From a certificate comes only a list of parts and the alternative of each one.
The checker proves in exact rational arithmetic that the parts fill the chart without gap or
overlap, and in ball arithmetic that each alternative holds on the whole of its part. Domains and
formulas are written here and nowhere else: a certificate cannot change what is proved.

The format of a certificate is described at the head of ``certificates``.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import flint
from flint import arb, arb_series, fmpq

FORMAT = "symcomp certificate 1"

Side = tuple[fmpq, fmpq]
Box = tuple[Side, ...]
_Ranks = tuple[tuple[int, int], ...]
Test = Callable[[Box, tuple[fmpq, ...]], bool]

_NUMBER = re.compile(r"-?\d{1,400}(/\d{1,400})?")
_BITS = range(53, 1025)


@dataclass(frozen=True)
class Chart:
    """Variables, their exact ranges, and the alternatives by name."""

    variables: tuple[str, ...]
    domain: tuple[tuple[str, str], ...]
    alternatives: Mapping[str, Test]

    @property
    def box(self) -> Box:
        """The domain as exact rationals."""
        return tuple((_rational(low), _rational(high)) for low, high in self.domain)


@dataclass(frozen=True)
class Theorem:
    """What its certificate proves; ``glue`` decides, in balls, what the charts leave open."""

    statement: str
    charts: Mapping[str, Chart]
    glue: Callable[[], bool] = lambda: True


@dataclass(frozen=True)
class Replay:
    """Whether a certificate proves its theorem, its boxes by alternative, and the first problem."""

    boxes: Mapping[str, int]
    problem: str = ""

    @property
    def holds(self) -> bool:
        """True if there was no problem."""
        return not self.problem


class _RejectedError(Exception):
    """The certificate does not prove the theorem; says where."""


def replay(text: str, theorem: Theorem) -> Replay:
    """Check a certificate, given as its text, against a theorem; never raises for a bad text."""
    counts: dict[str, int] = {}
    try:
        data = _read(text)
        if set(data["charts"]) != set(theorem.charts):
            raise _RejectedError(f"its charts are {', '.join(data['charts'])}")
        with flint.ctx.workprec(data["bits"]):
            if not theorem.glue():
                raise _RejectedError("the charts do not cover the domain")
            for name, chart in theorem.charts.items():
                _check(name, chart, data["charts"][name], counts)
    except _RejectedError as problem:
        return Replay(counts, str(problem))
    return Replay(counts)


def _read(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise _RejectedError(f"its format is {data['format']!r}, expected {FORMAT!r}")
        if type(data["bits"]) is not int or data["bits"] not in _BITS:
            raise _RejectedError(f"bits: found {data['bits']!r}, expected 53 to 1024")
        return {"bits": data["bits"], "charts": dict(data["charts"])}
    except (ValueError, KeyError, TypeError) as error:
        raise _RejectedError(f"it cannot be read: {type(error).__name__} {error}") from None


def _check(name: str, chart: Chart, given: Any, counts: dict[str, int]) -> None:
    rows = [_row(name, chart, row) for row in _rows(name, chart, given)]
    if (gap := uncovered(chart.box, [box for _, box, _ in rows])) is not None:
        raise _RejectedError(f"chart {name}: no box covers {_shown(gap)}")
    if sum(map(_volume, (box for _, box, _ in rows))) != _volume(chart.box):
        raise _RejectedError(f"chart {name}: boxes overlap or leave the domain")
    for label, box, witnesses in rows:
        if label not in chart.alternatives:
            raise _RejectedError(f"chart {name}: unknown alternative {label!r}")
        if not chart.alternatives[label](box, witnesses):
            raise _RejectedError(f"chart {name}: {label!r} is not certain on {_shown(box)}")
        counts[label] = counts.get(label, 0) + 1


def _rows(name: str, chart: Chart, given: Any) -> list[Any]:
    if not isinstance(given, dict) or not isinstance(given.get("boxes"), list):
        raise _RejectedError(f"chart {name} has no list of boxes")
    if given.get("domain") != [list(side) for side in chart.domain]:
        raise _RejectedError(f"chart {name}: its domain is not {chart.domain}")
    return list(given["boxes"])


def _row(name: str, chart: Chart, row: Any) -> tuple[str, Box, tuple[fmpq, ...]]:
    sides = len(chart.variables)
    if not isinstance(row, list) or len(row) < 1 + 2 * sides:
        raise _RejectedError(f"chart {name}: {row!r} is no box in {sides} variables")
    label, *numbers = row
    values = [_rational(number) for number in numbers]
    box = tuple(zip(values[: 2 * sides : 2], values[1 : 2 * sides : 2], strict=True))
    if not isinstance(label, str) or not all(low < high for low, high in box):
        raise _RejectedError(f"chart {name}: {row!r} has an empty side or no label")
    return label, box, tuple(values[2 * sides :])


def _rational(number: Any) -> fmpq:
    if not isinstance(number, str) or not _NUMBER.fullmatch(number):
        raise _RejectedError(f"number: found {number!r}, expected a fraction such as '3/8'")
    top, _, bottom = number.partition("/")
    if bottom and not int(bottom):
        raise _RejectedError(f"number: found {number!r}, expected a fraction such as '3/8'")
    return fmpq(int(top), int(bottom or 1))


# ------------------------------------------------------------------ exact geometry


def uncovered(domain: Box, boxes: Sequence[Box]) -> Box | None:
    """A part of ``domain`` that no box covers, or None; all in exact arithmetic.

    Only the order of the ends counts, so they become whole numbers first. A region that no single
    box contains is cut at an end of a box that lies inside it.
    """
    ends = [sorted({e for box in (domain, *boxes) for e in box[i]}) for i in range(len(domain))]
    place = [{(e.p, e.q): n for n, e in enumerate(axis)} for axis in ends]

    def ranks(box: Box) -> _Ranks:
        return tuple(
            (at[low.p, low.q], at[high.p, high.q])
            for at, (low, high) in zip(place, box, strict=True)
        )

    work = [(ranks(domain), [ranks(box) for box in boxes])]
    while work:
        region, near = work.pop()
        near = [box for box in near if _meet(box, region)]
        if any(_inside(region, box) for box in near):
            continue
        if not near:
            return tuple((axis[p], axis[q]) for axis, (p, q) in zip(ends, region, strict=True))
        axis, at = _cut(region, near)
        low, high = region[axis]
        before, after = region[:axis], region[axis + 1 :]
        work.extend(((*before, side, *after), near) for side in ((low, at), (at, high)))
    return None


def _cut(region: _Ranks, near: Sequence[_Ranks]) -> tuple[int, int]:
    """The end of a box inside the region that halves it best; there is one."""
    cuts = (
        (abs(2 * at - low - high) / (high - low), axis, at)
        for axis, (low, high) in enumerate(region)
        for at in {end for box in near for end in box[axis] if low < end < high}
    )
    _, axis, at = min(cuts)
    return axis, at


def _meet(a: _Ranks, b: _Ranks) -> bool:
    return all(p < s and r < q for (p, q), (r, s) in zip(a, b, strict=True))


def _inside(inner: _Ranks, outer: _Ranks) -> bool:
    return all(r <= p and q <= s for (p, q), (r, s) in zip(inner, outer, strict=True))


def _volume(box: Box) -> fmpq:
    product = fmpq(1)
    for low, high in box:
        product *= high - low
    return product


def _shown(box: Box) -> str:
    return " x ".join(f"[{low}, {high}]" for low, high in box)


# ------------------------------------------------------------------ balls


@dataclass(frozen=True)
class Field:
    """What a formula needs besides + - * /: it then runs on balls, series, jets or symbols."""

    pi: Any
    sin: Callable[[Any], Any]
    cos: Callable[[Any], Any]
    sqrt: Callable[[Any], Any] | None = None
    asin: Callable[[Any], Any] | None = None


Formula = Callable[..., Any]


def balls() -> Field:
    """Balls, or power series of balls, at the current precision."""
    return Field(
        arb.pi(), lambda x: x.sin(), lambda x: x.cos(), lambda x: x.sqrt(), lambda x: x.asin()
    )


def hull(side: Side) -> arb:
    """The ball around an exact interval."""
    return arb(side[0]).union(arb(side[1]))


def positive(f: Formula, box: Box) -> bool:
    """f > 0 on the whole box: from its range, or from its middle and its slopes over the box."""
    try:
        return _positive(f, box)
    except ValueError:  # a series that may start with 0 has no inverse
        return False


def _positive(f: Formula, box: Box) -> bool:
    field, sides = balls(), [hull(side) for side in box]
    if f(*sides, field) > 0:
        return True
    middle = [(low + high) / 2 for low, high in box]
    value = f(*map(arb, middle), field)
    if not value > 0:
        return False
    with capped(2):
        for i, side in enumerate(sides):
            moved = [arb_series([s, int(j == i)], 2) for j, s in enumerate(sides)]
            value += f(*moved, field)[1] * (side - arb(middle[i]))
    return bool(value > 0)


@contextmanager
def capped(terms: int) -> Iterator[None]:
    """Series have this many terms within."""
    before, flint.ctx.cap = flint.ctx.cap, terms
    try:
        yield
    finally:
        flint.ctx.cap = before
