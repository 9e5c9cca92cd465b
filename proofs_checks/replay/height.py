"""The inequality (U) behind the single optimal height of the cone, for ``replay``.

With a = πr/2, s = cos a, w = s², ε = 1/M, sin θ = sin a/sqrt(2(1 - ε)), ψ = π - 2θ and
H(cos x) = sin x + (π - x) cos x,

    slow  = sin a (1 - 2wψ/(επ + (1 - ε)H(cos 2θ)))
    steep = w sqrt(2/(1 - ε))/(ψ cos θ) >= 0
    bend  = cos a (1/(π - a) - (π - a) sin a/H(cos a))

(U): slow + steep > 0 and slow + steep - bend > 0 for 0 <= r <= 1, 0 <= ε <= 1/2. Alternatives:

    whole   both, as they stand
    slow    slow > 0 and slow - bend > 0
    crude   the same with sin a (1 - 2w/ε) for slow, which is less: next to θ = π/2
"""

from collections.abc import Sequence
from typing import Any

from flint import fmpq

from proofs_checks.replay.checker import Box, Chart, Field, Formula, Theorem, positive


def slow(sine: Any, w: Any, theta: Any, eps: Any, f: Field) -> Any:
    """sin a (1 - 2wψ/(επ + (1 - ε)H(cos 2θ)))."""
    psi = f.pi - 2 * theta
    below = eps * f.pi + (1 - eps) * (f.sin(2 * theta) + psi * f.cos(2 * theta))
    return sine * (1 - 2 * w * psi / below)


def steep(w: Any, theta: Any, eps: Any, f: Field) -> Any:
    """w sqrt(2/(1 - ε))/(ψ cos θ)."""
    if f.sqrt is None:
        raise TypeError("this formula needs a field with square roots")
    return w * f.sqrt(2 / (1 - eps)) / ((f.pi - 2 * theta) * f.cos(theta))


def bend(a: Any, f: Field) -> Any:
    """cos a (1/(π - a) - (π - a) sin a/H(cos a))."""
    rest = f.pi - a
    return f.cos(a) * (1 / rest - rest * f.sin(a) / (f.sin(a) + rest * f.cos(a)))


def angles(r: Any, eps: Any, f: Field) -> tuple[Any, Any, Any, Any]:
    """a, sin a, cos² a and θ."""
    if f.sqrt is None or f.asin is None:
        raise TypeError("this formula needs a field with square roots and arcsines")
    a = f.pi * r / 2
    sine = f.sin(a)
    return a, sine, 1 - sine * sine, f.asin(sine / f.sqrt(2 * (1 - eps)))


def _whole(r: Any, eps: Any, f: Field) -> Any:
    _, sine, w, theta = angles(r, eps, f)
    return slow(sine, w, theta, eps, f) + steep(w, theta, eps, f)


def _slow(r: Any, eps: Any, f: Field) -> Any:
    _, sine, w, theta = angles(r, eps, f)
    return slow(sine, w, theta, eps, f)


def _crude(r: Any, eps: Any, f: Field) -> Any:
    sine = f.sin(f.pi * r / 2)
    return sine * (1 - 2 * (1 - sine * sine) / eps)


def _both(formula: Formula) -> Any:
    def bent(r: Any, eps: Any, f: Field) -> Any:
        return formula(r, eps, f) - bend(f.pi * r / 2, f)

    def test(box: Box, _: Sequence[fmpq]) -> bool:
        return positive(formula, box) and positive(bent, box)

    return test


U = Theorem(
    statement="slow + steep > 0 and slow + steep - bend > 0 for 0 <= r <= 1, 0 <= ε <= 1/2, where "
    "a = πr/2, ε = 1/M: s has at most one stationary value in (0, 1)",
    charts={
        "all": Chart(
            ("r", "ε"),
            (("0", "1"), ("0", "1/2")),
            {"whole": _both(_whole), "slow": _both(_slow), "crude": _both(_crude)},
        )
    },
)
