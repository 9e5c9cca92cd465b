"""Certificates in ball arithmetic: their format, the search that makes them, the file they are in.

A certificate is a JSON object, all numbers of which are exact:

    {"format": "symcomp certificate 1",
     "theorem": "V2", "statement": "...",          what is proved, for the reader
     "bits": 96,                                   working precision of the checker
     "versions": {"python": "3.11.7", ...},        what the search ran on, for the reader
     "charts": {"interior": {
        "variables": ["z", "x"],
        "domain": [["0", "12/25"], ["1/8", "3/4"]],
        "boxes": [["strict", "0", "1/4", "1/8", "1/4"], ...]}}}

A box is a list: its alternative, then the low and the high end of each variable in turn, then any
witnesses, rational numbers that the test of the alternative asks for. Numbers are strings such as
"3/8" or "-2". The boxes of a chart fill its domain exactly; which charts, domains and alternatives
there are, and what each of them means, is up to the theorem, which ``replay`` holds (``checker``
for the checking, ``etf`` for V1 and V2, ``height`` for U), never the file.

The search below only proposes boxes. It evaluates SymPy expressions in balls and shares nothing
with the checker but python-flint; the search for B4 (``search_signs``) tries its cells on the
checker, ``replay.signs``, which knows nothing of it. A new theorem needs: a ``Theorem``, a
``Search`` here or in a module of its own, and a line in ``SEARCHES``.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flint
import sympy
from flint import arb, fmpq

from proofs_checks import search_signs
from proofs_checks.cache import versions
from proofs_checks.checks import combine
from proofs_checks.etf import forms as etf_forms
from proofs_checks.ledger import Finding, Outcome
from proofs_checks.replay import checker
from proofs_checks.replay import etf as replay_etf
from proofs_checks.replay import height as replay_height
from proofs_checks.replay import signs as replay_signs
from proofs_checks.storage import certificate_folder
from symcomp.balls import compiled
from symcomp.errors import ArgumentError, SymcompError
from symcomp.storage import replace_file

Box = tuple[tuple[fmpq, fmpq], ...]
Label = tuple[str, tuple[fmpq, ...]]
Decide = Callable[[Box], Label | None]
Row = list[str]

BITS = 96
DEPTH = 40


@dataclass(frozen=True)
class Search:
    """How boxes are found for a theorem: per chart, a maker of the function that labels a box.

    The function answers None for a box that has to be halved. It is made at the precision of the
    search; what it says is a proposal. ``whole`` names, per chart, variables that are not halved.
    """

    theorem: checker.Theorem
    decide: Mapping[str, Callable[[], Decide]]
    whole: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bits: int = BITS


@dataclass
class Progress:
    """Where a search stands: the chart, its boxes so far, and the settled share of its volume."""

    chart: str
    boxes: int = 0
    share: fmpq = field(default_factory=fmpq)


def make(name: str, watch: Callable[[Progress], None] = lambda _: None) -> str:
    """The text of the certificate NAME, searched anew.

    Raises ``ArgumentError`` for an unknown name and ``SymcompError`` if the search fails or if the
    checker does not accept what it found.
    """
    search = known(name)
    charts = {}
    for chart, decide in search.decide.items():
        domain = search.theorem.charts[chart]
        whole = search.whole.get(chart, ())
        axes = [i for i, variable in enumerate(domain.variables) if variable not in whole]
        with flint.ctx.workprec(search.bits):
            rows = [*_subdivide(domain.box, axes, decide(), Progress(chart), watch)]
        charts[chart] = {
            "variables": list(domain.variables),
            "domain": [list(side) for side in domain.domain],
            "boxes": rows,
        }
    text = _text(name, search, charts)
    checked = checker.replay(text, search.theorem)
    if not checked.holds:
        raise SymcompError(f"certificate {name}: the checker refuses it: {checked.problem}")
    return text


def known(name: str) -> Search:
    """The search of this name; raises ``ArgumentError`` if there is none."""
    if name not in SEARCHES:
        raise ArgumentError(f"name: found {name!r}, expected one of {', '.join(SEARCHES)}")
    return SEARCHES[name]


def write(name: str, text: str, folder: Any = None) -> Any:
    """Write NAME.json, whole, into ``folder`` (default: where ``checked`` looks); its path."""
    path = (folder or certificate_folder()) / f"{name}.json"
    replace_file(path, text)
    return path


def checked(name: str) -> Finding:
    """Replay the certificate NAME from its file, against the theorem that the checker holds."""
    path = certificate_folder() / f"{name}.json"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return Finding(Outcome.UNDECIDED, f"{path.name}: {error.strerror}")
    return finding(text, known(name).theorem)


def tied(name: str, ties: Finding) -> Finding:
    """The certificate NAME, and ``ties``: that the claim is what the checker checks."""
    return ties if ties.outcome is Outcome.FAILS else combine(ties, checked(name))


def finding(text: str, theorem: checker.Theorem) -> Finding:
    """What the checker says of a certificate; one that it does not accept decides nothing."""
    done = checker.replay(text, theorem)
    if not done.holds:
        return Finding(Outcome.UNDECIDED, f"the certificate is refused: {done.problem}")
    count = sum(done.boxes.values())
    parts = ", ".join(f"{number} {label}" for label, number in done.boxes.items())
    figure = f"{count} boxes replayed ({parts}) at {json.loads(text)['bits']} bits"
    return Finding(Outcome.HOLDS, figure, count, count, count)


def _text(name: str, search: Search, charts: Mapping[str, Any]) -> str:
    head = {
        "format": checker.FORMAT,
        "theorem": name,
        "statement": search.theorem.statement,
        "bits": search.bits,
        "versions": versions(),
    }
    lines = [f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}," for k, v in head.items()]
    return "\n".join(["{", *lines, '  "charts": {', ",\n".join(_chart_lines(charts)), "  }", "}\n"])


def _chart_lines(charts: Mapping[str, Any]) -> Iterator[str]:
    """One box a line, so that a difference between two certificates can be read."""
    for name, chart in charts.items():
        variables, domain = (
            json.dumps(chart[key], ensure_ascii=False) for key in ("variables", "domain")
        )
        boxes = ",\n".join("      " + json.dumps(row, ensure_ascii=False) for row in chart["boxes"])
        yield (
            f'    {json.dumps(name)}: {{"variables": {variables}, "domain": {domain}, "boxes": [\n'
            f"{boxes}\n    ]}}"
        )


# ------------------------------------------------------------------ the search


def _subdivide(
    domain: Box,
    axes: Sequence[int],
    decide: Decide,
    progress: Progress,
    watch: Callable[[Progress], None],
) -> Iterator[Row]:
    """Halve across the longest side, relative to the domain, until every box has a label."""
    work = [(domain, 0)]
    while work:
        box, level = work.pop()
        if (label := decide(box)) is not None:
            progress.boxes += 1
            progress.share += fmpq(1, 2**level)
            watch(progress)
            name, witnesses = label
            yield [name, *(str(end) for side in box for end in side), *map(str, witnesses)]
        elif level < DEPTH:
            work.extend((half, level + 1) for half in reversed(_halves(box, domain, axes)))
        else:
            raise SymcompError(f"chart {progress.chart}: undecided at depth {DEPTH}: {box}")


def _halves(box: Box, domain: Box, axes: Sequence[int]) -> tuple[Box, Box]:
    shares = [(q - p) / (s - r) for (p, q), (r, s) in zip(box, domain, strict=True)]
    axis = max(axes, key=lambda i: shares[i])
    low, high = box[axis]
    middle = (low + high) / 2
    before, after = box[:axis], box[axis + 1 :]
    return (*before, (low, middle), *after), (*before, (middle, high), *after)


class MeanValue:
    """An expression on boxes: enclosed by its range and by its middle and its slopes there."""

    def __init__(self, expr: sympy.Expr, symbols: Sequence[sympy.Symbol]) -> None:
        """Compile the expression and its derivatives, at the current precision."""
        self.value = compiled(expr, symbols)
        self.slopes = [compiled(sympy.diff(expr, symbol), symbols) for symbol in symbols]

    def positive(self, box: Box) -> bool:
        """True if the expression is certainly positive on the box."""
        balls = [arb(low).union(arb(high)) for low, high in box]
        if self.value(*balls) > 0:
            return True
        middle = [(low + high) / 2 for low, high in box]
        value = self.value(*middle)
        if not value > 0:
            return False
        for slope, side, at in zip(self.slopes, balls, middle, strict=True):
            value += slope(*balls) * (side - at)
        return bool(value > 0)


def by_sign(label: str, expr: sympy.Expr, symbol: sympy.Symbol) -> Callable[[], Decide]:
    """A chart in one variable with one alternative: the expression is positive."""

    def prepared() -> Decide:
        form = MeanValue(expr, [symbol])
        return lambda box: (label, ()) if form.positive(box) else None

    return prepared


# ------------------------------------------------------------------ V1 and V2

_Y, _E, _Z, _X, _THETA = sympy.symbols("y e z x theta", positive=True)


def _near_pi() -> Decide:
    """Boxes of width 1/32: (V1) divided by e⁴ is positive at the ends of each."""
    form = compiled(etf_forms.first_inequality(sympy.pi - _E) / _E**4, [_E])

    def decide(box: Box) -> Label | None:
        ((low, high),) = box
        if high - low > fmpq(1, 32):
            return None
        return ("positive", ()) if form(max(low, fmpq(1, 64))) > 0 and form(high) > 0 else None

    return decide


def _scaled() -> dict[str, sympy.Expr]:
    pair = etf_forms.scaled(_Z, _X)
    square = sympy.cos(pair.m) ** 2
    return {
        "high": -sympy.cos(pair.psi) - square,
        "good": -sympy.expand(pair.badness * square),
        "strict": sympy.expand((pair.left - pair.right) * square),
    }


def _inside() -> Decide:
    forms = {name: MeanValue(expr, [_Z, _X]) for name, expr in _scaled().items()}

    def decide(box: Box) -> Label | None:
        (z, _), (x, top) = box
        if top < z or x > 1 - z:
            return "outside", ()
        return next(((name, ()) for name, form in forms.items() if form.positive(box)), None)

    return decide


def _corner() -> Decide:
    """Boxes of width 1/32 in θ: an alternative whose margin is clear at x = 1/8 to 1/64."""
    order = {"strict": 3, "good": 2, "high": 2}
    forms = {
        name: compiled(_scaled()[name].subs(_Z, _THETA * _X) / _X**power, [_THETA, _X])
        for name, power in order.items()
    }

    def clear(name: str, theta: tuple[fmpq, fmpq]) -> bool:
        points = [(t, fmpq(1, n)) for t in theta for n in (8, 16, 32, 64)]
        return all(forms[name](*point) > fmpq(1, 4) for point in points)

    def decide(box: Box) -> Label | None:
        theta, _ = box
        if theta[1] - theta[0] > fmpq(1, 32):
            return None
        return next(((name, ()) for name in forms if clear(name, theta)), None)

    return decide


# ------------------------------------------------------------------ U


def _heights() -> Decide:
    """(U) from ψ as a function of r and ε, with 1/32 to spare for the checker's own enclosures."""
    r, eps = sympy.symbols("r epsilon", positive=True)
    a, root = sympy.pi * r / 2, sympy.sqrt(2 * (1 - eps))
    w, psi = sympy.cos(a) ** 2, sympy.pi - 2 * sympy.asin(sympy.sin(a) / root)
    below = eps * sympy.pi + (1 - eps) * etf_forms.height(psi)
    slow = sympy.sin(a) * (1 - 2 * w * psi / below)
    crude = sympy.sin(a) * (1 - 2 * w / eps)
    far = sympy.pi - a
    bend = sympy.cos(a) * (1 / far - far * sympy.sin(a) / etf_forms.height(far))
    # sin ψ = 2 sin θ cos θ, with sin θ = sin a/root, takes sin a out of the quotient
    half = (sympy.pi - psi) / 2
    steep = w * root / ((1 - eps) * psi * sympy.cos(half))
    forms = {
        name: [MeanValue(f - sympy.Rational(1, 32), [r, eps]) for f in (expr, expr - bend)]
        for name, expr in (("crude", crude), ("slow", slow), ("whole", slow + steep))
    }

    def decide(box: Box) -> Label | None:
        if any(high - low > fmpq(1, 16) for low, high in box):
            return None
        names = (n for n, pair in forms.items() if all(form.positive(box) for form in pair))
        return next(((name, ()) for name in names), None)

    return decide


SEARCHES: dict[str, Search] = {
    "V1": Search(
        replay_etf.V1,
        {"y": by_sign("positive", etf_forms.first_inequality(_Y), _Y), "e": _near_pi},
    ),
    "V2": Search(replay_etf.V2, {"interior": _inside, "corner": _corner}, whole={"corner": ("x",)}),
    "U": Search(replay_height.U, {"all": _heights}),
    "B4": Search(replay_signs.B4, search_signs.charts(), bits=64),
}
