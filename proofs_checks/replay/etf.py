"""The inequalities (V1) and (V2) of the ETF theorem for nonnegative weights, for ``replay``.

The formulas run on balls, on series of balls, on exact jets, and on SymPy symbols, by which the
ledger ties them to its own definitions. The standard library and python-flint, nothing else.

(V1), on (0, π): d(2d - yZ) = (2d + q)(d - q) + 2y² d sin y >= 0 with d = π - y - sin y and
q = y(1 + cos y). Chart "y" has y itself; chart "e" has e = π - y, and (V1) divided by e⁴.

(V2), on the region 0 <= z <= x <= 1 - z, z <= 12/25, x <= 3/4: with β = cos πz, βs = cos πx,
H(cos w) = sin w + (π - w) cos w and η = π - π(1 - x)²/(1 - z)²,

    good    cos η cos²πz >= cos²πx, that is, s is not bad
    strict  H(β)² ((π - η) cos²πx + cos²πz sin η) > π cos²πz H(βs)², which is (V2) times cos²πz
    high    cos πx >= cos²πz, that is, s >= β, where s is not bad either (A4i)

Chart "interior" has z and x >= 1/8, with "outside" for what is not in the region; chart "corner"
has θ = z/x and x <= 1/8, where all three tests degenerate at x = 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import factorial
from typing import Any

from flint import arb, arb_poly, arb_series, fmpq, fmpq_mpoly, fmpq_mpoly_ctx

from proofs_checks.replay.checker import (
    Box,
    Chart,
    Field,
    Formula,
    Side,
    Theorem,
    balls,
    capped,
    hull,
    positive,
)

# ------------------------------------------------------------------ V1


def v1(y: Any, f: Field) -> Any:
    """The left side of (V1)."""
    d = f.pi - y - f.sin(y)
    q = y * (1 + f.cos(y))
    return (2 * d + q) * (d - q) + 2 * y * y * d * f.sin(y)


def v1_at_pi(e: Any, parts: Iterable[Any], f: Field) -> Any:
    """(V1) at y = π - e divided by e⁴; sin e = e S, 1 - cos e = e² C, e - sin e = e³ D."""
    y, (S, C, D) = f.pi - e, parts
    return 2 * (e * D) ** 2 - e * y * C * D - (y * C) ** 2 + 2 * y * y * D * S


def entire(e: arb, k: int, terms: int = 12) -> arb:
    """Σ_n (-1)^n e^2n/(2n + k)!, that is S, C, D for k = 1, 2, 3.

    By Taylor's theorem for sin or cos what is left out is at most e^2t/(2t + k)! after t terms.
    """
    square, total = e * e, arb(0)
    for n in range(terms):
        total += (-1) ** n * square**n / factorial(2 * n + k)
    rest = (square**terms).abs_upper() / factorial(2 * terms + k)
    return total + rest * arb(0, 1)


def _v1(box: Box, _: Sequence[fmpq]) -> bool:
    return positive(v1, box)


def _v1_at_pi(box: Box, _: Sequence[fmpq]) -> bool:
    e = hull(box[0])
    return bool(v1_at_pi(e, [entire(e, k) for k in (1, 2, 3)], balls()) > 0)


V1 = Theorem(
    statement="(2d + q)(d - q) + 2y² d sin y > 0 for 0 <= y < π, d = π - y - sin y, "
    "q = y(1 + cos y); divided by (π - y)⁴ also at y = π",
    charts={
        "y": Chart(("y",), (("0", "53/20"),), {"positive": _v1}),
        "e": Chart(("e",), (("0", "1/2"),), {"positive": _v1_at_pi}),
    },
    glue=lambda: bool(arb.pi() - fmpq(1, 2) < fmpq(53, 20)),
)

# ------------------------------------------------------------------ V2


def _h(w: Any, f: Field) -> Any:
    return f.sin(w) + (f.pi - w) * f.cos(w)


def _eta(z: Any, x: Any, f: Field) -> Any:
    ratio = (1 - x) / (1 - z)
    return f.pi * (1 - ratio * ratio)


def good(z: Any, x: Any, f: Field) -> Any:
    """cos η cos²πz - cos²πx; s is bad where it is negative."""
    b, c = f.cos(f.pi * z), f.cos(f.pi * x)
    return f.cos(_eta(z, x, f)) * b * b - c * c


def strict(z: Any, x: Any, f: Field) -> Any:
    """Left minus right of (V2), times cos²πz."""
    b, c, eta = f.cos(f.pi * z), f.cos(f.pi * x), _eta(z, x, f)
    one, own = _h(f.pi * z, f), _h(f.pi * x, f)
    return one * one * ((f.pi - eta) * c * c + b * b * f.sin(eta)) - f.pi * b * b * own * own


def high(z: Any, x: Any, f: Field) -> Any:
    """cos πx - cos²πz, at least 0 where s >= β."""
    b = f.cos(f.pi * z)
    return f.cos(f.pi * x) - b * b


def _outside(box: Box, _: Sequence[fmpq]) -> bool:
    (z, _z), (x, top) = box
    return bool(top < z or x > 1 - z)


CORNER = fmpq(1, 8)
# lowest order in x at z = θx
ORDER = {good: 2, strict: 3, high: 2}


def _near_corner(f: Formula, box: Box) -> bool:
    """f(θx, x) > 0 for θ in the first side and 0 < x <= 1/8: Taylor's theorem in x.

    The coefficients are exact polynomials in θ; those of the lowest orders vanish. The first that
    does not is enclosed for the θ at hand, or, for ``strict``, is known in factors: then it is
    enough that it is not negative and that what comes after it is positive.
    """
    (low, top), order = box[1], ORDER[f]
    if low != 0 or top > CORNER or any(jet(f)[:order]):
        return False
    theta, x = hull(box[0]), hull(box[1])
    with capped(JET + 1):
        series = arb_series([x, 1], JET + 1)
        last = f(theta * series, series, balls())[JET]
    terms = [*(_over(c, box[0]) for c in jet(f)[order:]), last]
    if _sum(terms, x) > 0:
        return True
    known = f is strict and box[0][1] <= fmpq(1, 2) and _lowest_of_strict_in_factors()
    return bool(known and _sum(terms[1:], x) > 0)


def _over(c: fmpq_mpoly, side: Side) -> arb:
    """Enclosure of a polynomial in θ and π over an interval of θ, from its Taylor form there."""
    pi, middle = arb.pi(), (side[0] + side[1]) / 2
    coefficients = [arb(0)] * (c.total_degree() + 1)
    for (power, of_pi), number in c.to_dict().items():
        coefficients[power] += arb(number) * pi**of_pi
    shifted = arb_poly(coefficients)(arb_poly([middle, 1]))
    return _sum(shifted.coeffs(), hull(side) - middle)


def _sum(terms: Sequence[arb], x: arb) -> arb:
    total = arb(0)
    for term in reversed(terms):
        total = total * x + term
    return total


@cache
def _lowest_of_strict_in_factors() -> bool:
    """The coefficient of x³ is 2π⁵θ(1 - θ)(1 - 2θ), not negative for 0 <= θ <= 1/2."""
    theta, pi = _POLYNOMIALS.gens()
    return bool(jet(strict)[3] == 2 * pi**5 * theta * (1 - theta) * (1 - 2 * theta))


def _interior(f: Formula) -> Any:
    return lambda box, _: positive(f, box)


def _corner(f: Formula) -> Any:
    return lambda box, _: _near_corner(f, box)


_TESTS = {"good": good, "strict": strict, "high": high}

V2 = Theorem(
    statement="for 0 <= z <= x <= 1 - z, z <= 12/25, x <= 3/4, β = cos πz, s = cos πx / cos πz: "
    "s is not bad, or s >= β, or (V2) holds strictly",
    charts={
        "interior": Chart(
            ("z", "x"),
            (("0", "12/25"), ("1/8", "3/4")),
            {"outside": _outside} | {name: _interior(f) for name, f in _TESTS.items()},
        ),
        "corner": Chart(
            ("θ", "x"),
            (("0", "1"), ("0", "1/8")),
            {name: _corner(f) for name, f in _TESTS.items()},
        ),
    },
)

# ------------------------------------------------------------------ exact jets

JET = 9
_POLYNOMIALS = fmpq_mpoly_ctx.get(("theta", "pi"))


@dataclass(frozen=True)
class Jet:
    """Σ_{k < 9} c_k x^k, where c_k is a polynomial in θ and π with rational coefficients."""

    c: tuple[fmpq_mpoly, ...]

    def __add__(self, other: Any) -> "Jet":
        """The sum."""
        return Jet(tuple(a + b for a, b in zip(self.c, _jet(other).c, strict=True)))

    def __mul__(self, other: Any) -> "Jet":
        """The product, cut off at x⁹."""
        b = _jet(other).c
        return Jet(tuple(_dot(self.c[: k + 1], b[k::-1]) for k in range(JET)))

    __radd__, __rmul__ = __add__, __mul__

    def __sub__(self, other: Any) -> "Jet":
        """The difference."""
        return self + -1 * _jet(other)

    def __rsub__(self, other: Any) -> "Jet":
        """The difference."""
        return _jet(other) - self

    def __truediv__(self, other: "Jet") -> "Jet":
        """The quotient by a jet that is 1 at x = 0: the geometric series."""
        if other.c[0] != _POLYNOMIALS.constant(1):
            raise ArithmeticError("a jet can be divided by one that starts with 1 only")
        return self * _series(1 - other, [fmpq(1)] * JET)


def _dot(a: Sequence[fmpq_mpoly], b: Sequence[fmpq_mpoly]) -> fmpq_mpoly:
    total = _POLYNOMIALS.constant(0)
    for left, right in zip(a, b, strict=True):
        total += left * right
    return total


def _jet(value: Any) -> Jet:
    if isinstance(value, Jet):
        return value
    first = value if isinstance(value, fmpq_mpoly) else _POLYNOMIALS.constant(value)
    return Jet((first, *(_POLYNOMIALS.constant(0) for _ in range(JET - 1))))


def _series(inner: Jet, coefficients: Sequence[fmpq]) -> Jet:
    """Σ a_k inner^k for an inner jet without constant term."""
    if inner.c[0] != _POLYNOMIALS.constant(0):
        raise ArithmeticError("a jet put into a series has no constant term")
    total = _jet(0)
    for a in reversed(coefficients):
        total = total * inner + a
    return total


def _sine(x: Jet) -> Jet:
    return _series(x, [fmpq((0, 1, 0, -1)[k % 4], factorial(k)) for k in range(JET)])


def _cosine(x: Jet) -> Jet:
    return _series(x, [fmpq((1, 0, -1, 0)[k % 4], factorial(k)) for k in range(JET)])


@cache
def jet(f: Formula) -> tuple[fmpq_mpoly, ...]:
    """The first coefficients of f(θx, x) in x, exactly."""
    theta, pi = _POLYNOMIALS.gens()
    zero, one = _POLYNOMIALS.constant(0), _POLYNOMIALS.constant(1)
    rest = (zero,) * (JET - 2)
    value = f(Jet((zero, theta, *rest)), Jet((zero, one, *rest)), Field(_jet(pi), _sine, _cosine))
    return tuple(_jet(value).c)
