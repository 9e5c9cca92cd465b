"""σ as a table of pieces, from which a generated module computes its kernel with biases."""

from collections import defaultdict
from dataclasses import dataclass
from string import Template

import sympy

from symcomp import skeletons
from symcomp.terms import Form, Term

__all__ = ["Pieces"]

Y = sympy.Symbol("y", real=True)  # x - knot


@dataclass(frozen=True)
class _Piece:
    """polynomial(y) exp(-alpha y² + beta y) where side y > 0, y = x - knot; side 0: everywhere."""

    knot: sympy.Expr
    side: int
    alpha: sympy.Expr
    beta: sympy.Expr
    polynomial: sympy.Expr

    def slope(self) -> "_Piece":
        """The derivative without what the edge leaves."""
        smooth = (self.beta - 2 * self.alpha * Y) * self.polynomial
        slope = sympy.expand(sympy.diff(self.polynomial, Y) + smooth)
        return _Piece(self.knot, self.side, self.alpha, self.beta, slope)

    @property
    def jump(self) -> sympy.Expr:
        """What the piece adds to the jump at its knot."""
        return self.side * self.polynomial.subs(Y, 0)


@dataclass(frozen=True)
class Pieces:
    """σ as a sum of pieces."""

    pieces: tuple[_Piece, ...]
    waves: bool  # some of the exponents are complex

    @staticmethod
    def of(form: Form) -> "Pieces | None":
        """The pieces of σ; None with erf, or with waves beside thresholds."""
        waves = any(t.beta.has(sympy.I) for t in form.terms)
        if any(t.soft or (waves and t.start is not None) for t in form.terms):
            return None
        groups: dict[tuple[sympy.Expr, sympy.Expr], list[Term]] = defaultdict(list)
        for t in form.terms:
            groups[t.alpha, t.beta].append(t)
        return Pieces(tuple(p for terms in groups.values() for p in _sided(terms)), waves)

    def source(self) -> str:
        """The engine for pairs of biased nodes."""
        slopes = self._slopes
        curves = [slope.slope() for slope in slopes]
        number = "complex" if self.waves else "float"
        rows = [
            _row(p, (p, slope, curve), self.waves)
            for p, slope, curve in zip(self.pieces, slopes, curves, strict=True)
        ]
        table = Template(skeletons.PIECE).substitute(number=number, pieces="".join(rows))
        kinks = _kinks(self.pieces, slopes)
        if kinks:
            table += Template(skeletons.KINKS).substitute(kinks=repr(kinks))
        term = "factor * a[m] * b[n] * moments[m, n]"
        text = skeletons.SPLINE.substitute(definition=table)
        text += skeletons.PIECE_PAIRS.substitute(
            real=f"np.real({term})" if self.waves else term,
            kinks=(skeletons.JUMPING if self._jumps else skeletons.KINKED) if kinks else "",
            finite=skeletons.FINITE if any(p.alpha.is_negative for p in self.pieces) else "",
            both=skeletons.BOTH_SIDES if self._sides else "",
            half=skeletons.HALF if self._sides else "",
        )
        if self._sides:
            text += skeletons.RADIAL + skeletons.WEDGE + skeletons.MILLS
        return text + (skeletons.GIVEN if kinks else "")

    def note(self) -> str:
        """The accuracy, what holds at zero and parallel rows, and the range."""
        degree = max(sympy.degree(p.polynomial, Y) for p in self.pieces)
        text = _ACCURACY.replace("$error", "1e-13" if degree <= 3 else "1e-11")
        if self._sides:
            text += _ZERO if self._jumps else _KINKED
        needs = "; SciPy is needed" if self._sides else ""
        return f"{text} Entries and biases stay below 1e3 then{needs}."

    @property
    def _slopes(self) -> list[_Piece]:
        return [piece.slope() for piece in self.pieces]

    @property
    def _sides(self) -> bool:
        """Whether there are thresholds."""
        return any(p.side for p in self.pieces)

    @property
    def _jumps(self) -> bool:
        return any(jump for _, jump, _ in _kinks(self.pieces, self._slopes))


_ACCURACY = (
    " It is a sum over pairs of the PIECES of σ, right to $error sqrt(E σ(X + s)² E σ(Y + t)²) for"
    " rows and biases up to 10, but where pieces cancel to 1e-15 times their own size."
)
_KINKED = (
    " Rows shorter than 1e-60 count as 0 there, and the derivatives at a zero row without bias are"
    " the means of the one-sided ones."
)
_ZERO = (
    " The derivatives at a zero row, and the share of parallel rows in them, where they are"
    " infinite, are 0."
)


def _sided(terms: list[Term]) -> list[_Piece]:
    """Terms with one exponential, on the sides where as little as possible has to cancel."""
    parts: dict[sympy.Expr | None, sympy.Expr] = defaultdict(lambda: sympy.S.Zero)
    for t in terms:
        parts[t.start] += t.coeff * Y**t.power
    whole = sympy.expand(parts.pop(None, sympy.S.Zero))
    alpha, beta = terms[0].alpha, terms[0].beta
    beyond = sympy.expand(whole + sum(parts.values()))
    grows = alpha == 0 and sympy.re(beta).is_positive
    left = bool(parts) and beyond == 0 and (whole != 0 or grows)
    pieces = [] if left or whole == 0 else [_Piece(sympy.S.Zero, 0, alpha, beta, whole)]
    for start, polynomial in parts.items():
        assert start is not None  # popped above
        sign = -1 if left else 1
        moved = polynomial.subs(Y, Y + start) * sympy.exp(beta * start - alpha * start**2)
        moved = sympy.expand(sign * moved)
        pieces.append(_Piece(start, sign, alpha, beta - 2 * alpha * start, moved))
    return pieces


def _kinks(
    pieces: tuple[_Piece, ...], slopes: list[_Piece]
) -> tuple[tuple[float, float, float], ...]:
    """The knots where σ or σ' jumps, with both jumps."""
    jumps: dict[sympy.Expr, list[sympy.Expr]] = defaultdict(lambda: [sympy.S.Zero] * 2)
    for piece, slope in zip(pieces, slopes, strict=True):
        if piece.side:
            jump, bend = jumps[piece.knot]
            jumps[piece.knot] = [jump + piece.jump, bend + slope.jump]
    found = ((float(knot), *map(_exactly, pair)) for knot, pair in jumps.items())
    return tuple((knot, jump, bend) for knot, jump, bend in found if jump or bend)


def _exactly(value: sympy.Expr) -> float:
    """A number that may be 0 without showing it."""
    number = sympy.N(sympy.expand(value), 60)
    return 0.0 if abs(number) < sympy.Float("1e-40", 60) else float(number)


def _row(piece: _Piece, parts: tuple[_Piece, ...], waves: bool) -> str:
    """One entry of the table."""
    numbers = [repr(float(piece.knot)), repr(piece.side), repr(float(piece.alpha))]
    entries = [*numbers, _number(piece.beta, waves), *(_powers(p.polynomial, waves) for p in parts)]
    line = f"\n    _Piece({', '.join(entries)}),"
    if len(line) <= 100:
        return line
    lines = [", ".join(entries[:4]), *entries[4:]]
    return "\n    _Piece(" + "".join(f"\n        {each}," for each in lines) + "\n    ),"


def _powers(polynomial: sympy.Expr, waves: bool) -> str:
    """{power: coefficient} of a polynomial in y."""
    terms = sorted(sympy.Poly(polynomial, Y).terms())
    shown = (f"{n}: {_number(c, waves)}" for (n,), c in terms if c != 0)
    return f"{{{', '.join(shown)}}}"


def _number(value: sympy.Expr, waves: bool) -> str:
    number = complex(sympy.N(value, 40))
    return repr(number if waves else number.real)
