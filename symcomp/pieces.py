"""σ as a table of pieces, from which a generated module computes its kernel with biases."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from string import Template

import sympy

from symcomp import skeletons
from symcomp.terms import Form, Term

__all__ = ["Pieces"]

Y = sympy.Symbol("y", real=True)  # x - knot

_Threshold = tuple[sympy.Expr, sympy.Expr]  # knot and blur


@dataclass(frozen=True)
class _Place:
    """Where a piece stands: exp(-alpha y² + beta y) P(side (y + blur Z) > 0), y = x - knot.

    Z is standard normal, so that blur > 0 makes the threshold a soft one, Φ(side y/blur).
    side = 0: everywhere.
    """

    knot: sympy.Expr
    side: int
    blur: sympy.Expr
    alpha: sympy.Expr
    beta: sympy.Expr


@dataclass(frozen=True)
class _Piece:
    """polynomial(y) at a place."""

    place: _Place
    polynomial: sympy.Expr

    def slopes(self) -> list["_Piece"]:
        """The derivative, but for what a sharp edge leaves."""
        at = self.place
        smooth = sympy.diff(self.polynomial, Y) + (at.beta - 2 * at.alpha * Y) * self.polynomial
        slopes = [_Piece(at, sympy.expand(smooth))]
        if at.blur != 0:
            alpha = at.alpha + 1 / (2 * at.blur**2)
            height = at.side * self.polynomial / (at.blur * sympy.sqrt(2 * sympy.pi))
            edge = _Place(at.knot, 0, sympy.S.Zero, alpha, at.beta)
            slopes.append(_Piece(edge, sympy.expand(height)))
        return slopes

    @property
    def jump(self) -> sympy.Expr:
        """What the piece adds to the jump at its knot."""
        return self.place.side * self.polynomial.subs(Y, 0) if self.place.blur == 0 else 0


@dataclass(frozen=True)
class Pieces:
    """σ as a sum of pieces."""

    pieces: tuple[_Piece, ...]
    waves: bool  # some of the exponents are complex

    @staticmethod
    def of(form: Form) -> "Pieces | None":
        """The pieces of σ; None with two thresholds in one term, or with waves beside any."""
        waves = any(t.beta.has(sympy.I) for t in form.terms)
        most = max((len(t.soft) + (t.start is not None) for t in form.terms), default=0)
        if most > (0 if waves else 1):
            return None
        groups: dict[tuple[sympy.Expr, sympy.Expr], list[Term]] = defaultdict(list)
        for t in form.terms:
            groups[t.alpha, t.beta].append(t)
        return Pieces(tuple(p for terms in groups.values() for p in _sided(terms)), waves)

    def source(self) -> str:
        """The engine for pairs of biased nodes."""
        orders, soft = self._orders, any(p.place.blur != 0 for p in self._edges)
        number = "complex" if self.waves else "float"
        rows = _rows(orders if self._leaping else orders[:3], self.waves, soft)
        table = Template(skeletons.PIECE).substitute(
            number=number,
            pieces="".join(rows),
            soft=skeletons.SOFT_FIELD if soft else "",
            blurred=skeletons.SOFT_TEXT if soft else "",
            twist=skeletons.TWIST_FIELD if self._leaping else "",
            twisted=skeletons.TWIST_TEXT if self._leaping else "",
        )
        kinks = _kinks(*orders[:2])
        if kinks:
            table += Template(skeletons.KINKS).substitute(kinks=repr(kinks))
        if self._leaping:
            table += Template(skeletons.JUMPS_BY_PART).substitute(jumps=_jumps(orders))
        term = "factor * a[m] * b[n] * moments[m, n]"
        text = skeletons.SPLINE.substitute(definition=table)
        text += skeletons.PIECE_PAIRS.substitute(
            number=number,
            real=f"np.real({term})" if self.waves else term,
            kinks=(skeletons.JUMPING if self._jumps else skeletons.KINKED) if kinks else "",
            finite=skeletons.FINITE if self._growing else "",
            moments="_blurred(" if soft else "_piece_moments(",
            sides="f, g" if soft else "f.side, g.side",
            skip=skeletons.SKIP if soft else "",
            both=skeletons.BOTH_SIDES if self._sides else "",
            half=skeletons.HALF if self._sides else "",
        )
        if self._sides:
            text += skeletons.RADIAL + skeletons.WEDGE + skeletons.MILLS
        if soft:
            text += skeletons.BLURRED
        if kinks:
            text += skeletons.GIVEN.substitute(
                on_line=skeletons.SOFT_LINE if soft else skeletons.SHARP_LINE
            )
            text += skeletons.BLURRED_LINE if soft else ""
        return text

    def unbiased(self) -> str:
        """K° and its derivatives by the same engine where printed ones take minutes, else ""."""
        if not self._mixed:
            return ""
        kinks = skeletons.KINK_CURVES if _kinks(*self._orders[:2]) else ""
        start, following = skeletons.WITHOUT_BIASES, ""
        if self._leaping:
            start, kinks, following = skeletons.SNAPPED, skeletons.JUMP_CURVES, skeletons.NEXT
        return start + skeletons.PIECE_CURVES.substitute(
            kinks=kinks, following=following, number="float"
        )

    def note(self) -> str:
        """The accuracy, what holds at zero and parallel rows, and the range."""
        degree = max(sympy.degree(p.polynomial, Y) for p in self.pieces)
        text = _ACCURACY.replace("$error", "1e-13" if degree <= 3 else "1e-11")
        if self._jumps:
            text += _ZERO
        elif self._sides:
            text += _SHORT + (_KINKED if any(p.place.blur == 0 for p in self._edges) else "") + "."
        needs = "; SciPy is needed" if self._sides else ""
        return f"{text} Entries and biases stay below 1e3 then{needs}."

    @property
    def _orders(self) -> tuple[list[_Piece], ...]:
        """The pieces of σ, σ', σ'' and σ''', but for what sharp edges leave."""
        orders = [list(self.pieces)]
        for _ in range(3):
            orders.append([slope for piece in orders[-1] for slope in piece.slopes()])
        return tuple(orders)

    @property
    def _sides(self) -> bool:
        """Whether there are thresholds."""
        return bool(self._edges)

    @property
    def _edges(self) -> list[_Piece]:
        return [p for p in self.pieces if p.place.side]

    @property
    def _growing(self) -> bool:
        """Whether some E σ(X + s)² are infinite."""
        return any(p.place.alpha.is_negative for p in self.pieces)

    @property
    def _jumps(self) -> bool:
        return any(jump for _, jump, _ in _kinks(*self._orders[:2]))

    @property
    def _mixed(self) -> bool:
        """Whether there are both sharp and soft thresholds."""
        return len({p.place.blur == 0 for p in self._edges}) > 1

    @property
    def _leaping(self) -> bool:
        """Whether curves need σ''' too."""
        return self._mixed and self._jumps


_ACCURACY = (
    " It is a sum over pairs of the PIECES of σ, right to $error sqrt(E σ(X + s)² E σ(Y + t)²) for"
    " rows and biases up to 10, but where pieces cancel to 1e-15 times their own size."
)
_SHORT = " Rows shorter than 1e-60 count as 0 there"
_KINKED = ", and the derivatives at a zero row without bias are the means of the one-sided ones"
_ZERO = (
    " The derivatives at a zero row, and the share of parallel rows in them, where they are"
    " infinite, are 0."
)


def _sided(terms: list[Term]) -> list[_Piece]:
    """Terms with one exponential, on the sides where as little as possible has to cancel."""
    parts: dict[_Threshold, sympy.Expr] = defaultdict(lambda: sympy.S.Zero)
    whole = sympy.S.Zero
    for t in terms:
        factor = t.coeff * Y**t.power
        for a, b in t.soft:
            if a.is_negative:  # Φ(a x + b) = 1 - Φ(-a x - b)
                whole, factor = whole + factor, -factor
            parts[-b / a, 1 / abs(a)] += factor
        if t.start is not None:
            parts[t.start, sympy.S.Zero] += factor
        elif not t.soft:
            whole += factor
    whole = sympy.expand(whole)
    alpha, beta = terms[0].alpha, terms[0].beta
    beyond = sympy.expand(whole + sum(parts.values()))
    grows = alpha == 0 and sympy.re(beta).is_positive
    left = bool(parts) and beyond == 0 and (whole != 0 or grows)
    here = _Place(sympy.S.Zero, 0, sympy.S.Zero, alpha, beta)
    pieces = [] if left or whole == 0 else [_Piece(here, whole)]
    sign = -1 if left else 1
    for (knot, blur), polynomial in parts.items():
        moved = polynomial.subs(Y, Y + knot) * sympy.exp(beta * knot - alpha * knot**2)
        place = _Place(knot, sign, blur, alpha, beta - 2 * alpha * knot)
        pieces.append(_Piece(place, sympy.expand(sign * moved)))
    return pieces


def _kinks(*orders: list[_Piece]) -> tuple[tuple[float, ...], ...]:
    """The knots where one of these sums of pieces jumps, with the jumps of all."""
    jumps: dict[sympy.Expr, list[sympy.Expr]] = defaultdict(lambda: [sympy.S.Zero] * len(orders))
    for order, parts in enumerate(orders):
        for part in parts:
            if part.place.side:
                jumps[part.place.knot][order] += part.jump
    found = ((float(knot), *map(_exactly, sizes)) for knot, sizes in jumps.items())
    return tuple(row for row in found if any(row[1:]))


def _jumps(orders: tuple[list[_Piece], ...]) -> str:
    """Entries of the table of jumps by part."""
    parts = zip(("value", "slope", "curve"), orders[:3], strict=True)
    return "".join(f'\n    "{name}": {_kinks(pieces)!r},' for name, pieces in parts)


def _exactly(value: sympy.Expr) -> float:
    """A number that may be 0 without showing it."""
    number = sympy.N(sympy.expand(value), 60)
    return 0.0 if abs(number) < sympy.Float("1e-40", 60) else float(number)


def _rows(orders: tuple[Iterable[_Piece], ...], waves: bool, soft: bool) -> list[str]:
    """The table: for each place the polynomials of σ, σ' and σ''."""
    table: dict[_Place, list[sympy.Expr]] = defaultdict(lambda: [sympy.S.Zero] * len(orders))
    for order, pieces in enumerate(orders):
        for piece in pieces:
            table[piece.place][order] += piece.polynomial
    return [_row(place, parts, waves, soft) for place, parts in table.items()]


def _row(place: _Place, parts: list[sympy.Expr], waves: bool, soft: bool) -> str:
    """One entry of the table."""
    numbers = [repr(float(place.knot)), repr(place.side), repr(float(place.alpha))]
    numbers += [_number(place.beta, waves), *([repr(float(place.blur))] if soft else [])]
    entries = [*numbers, *(_powers(sympy.expand(p), waves) for p in parts)]
    line = f"\n    _Piece({', '.join(entries)}),"
    if len(line) <= 100:
        return line
    lines = [", ".join(numbers), *entries[len(numbers) :]]
    return "\n    _Piece(" + "".join(f"\n        {each}," for each in lines) + "\n    ),"


def _powers(polynomial: sympy.Expr, waves: bool) -> str:
    """{power: coefficient} of a polynomial in y."""
    terms = sorted(sympy.Poly(polynomial, Y).terms())
    shown = (f"{n}: {_number(c, waves)}" for (n,), c in terms if c != 0)
    return f"{{{', '.join(shown)}}}"


def _number(value: sympy.Expr, waves: bool) -> str:
    number = complex(sympy.N(value, 40))
    return repr(number if waves else number.real)
