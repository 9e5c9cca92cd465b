"""Claim K1c: what K1 says of every activation of the catalogue (theory.md 2).

The oracles integrate the hand-written σ of `proofs_checks.reference`. At interior points a second
route, `symcomp.quadrature`, is rigorous and uses no closed form, but reads σ from the catalogue.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import sympy
from flint import arb
from mpmath import mpf

import symcomp
from proofs_checks import oracles
from proofs_checks.checks import agreement
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.reference import REFERENCE
from symcomp.balls import exact, to_mpf
from symcomp.kernels import DualKernel
from symcomp.quadrature import expectation2

Value = Callable[[DualKernel, Any, Any, Any, int], arb]

# q_u, q_v, c: at |ρ| = 1 and c = 0 one-dimensional integrals are left.
ENDS = ((1, 4, 2), (1, 4, -2), (1, 4, 0))
INSIDE = ((1, 1, "1/2"), ("13/10", 2, "-4/5"))
_HALF = (1, 1, "-1/2")


@dataclass(frozen=True)
class Kernels:
    """Kernels of the catalogue and the way their values K(q_u, q_v, c) are had."""

    kernels: tuple[DualKernel, ...]
    value: Value


def _enclosure(ker: DualKernel, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    return ker.enclosure(qu, qv, c, digits)


@cache
def kernel(name: str) -> DualKernel:
    """Derived once a process: the whole catalogue takes seconds."""
    return symcomp.dual_kernel(name)


def everything() -> Kernels:
    """Every activation at its default parameters."""
    return Kernels(tuple(map(kernel, symcomp.activations())), _enclosure)


def with_value(name: str, value: Value, *, of: str = "relu") -> Mutant[Kernels]:
    """A false value for one activation; the others, which stay true, need not run again."""

    def change(k: Kernels) -> Kernels:
        return Kernels(tuple(ker for ker in k.kernels if ker.left.name == of), value)

    return Mutant(name, change)


# ---- K1c: values ---------------------------------------------------------------------------------


def _at_the_ends(k: Kernels, settings: Settings) -> Finding:
    digits = settings.digits

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for ker in k.kernels:
            known = _at_ends(ker.left.name, digits)
            for (qu, qv, c), wanted in zip(ENDS, known, strict=True):
                got = _number(k.value(ker, qu, qv, c, digits + 5))
                yield f"{ker.left.name} at {qu}, {qv}, {c}", got, wanted

    with mpmath.workdps(digits + 20):
        return agreement(rows(), digits)


def _number(value: arb) -> mpf:
    """The midpoint; NaN, which fails every comparison, of a ball that is not finite."""
    return to_mpf(value) if value.is_finite() else mpf("nan")


@cache
def _at_ends(name: str, digits: int) -> tuple[mpf, ...]:
    """E σ(X) σ(Y) of the hand-written σ at the ENDS, where the integrals have one dimension; kept.

    σ remembers its values meanwhile: the integrals share their nodes.
    """
    sigma, kinks = cache(REFERENCE[name].sigma), REFERENCE[name].kinks

    def mean(qu: int, qv: int, c: int) -> mpf:
        if c:
            return oracles.expectation(sigma, sigma, qu, qv, c, kinks, kinks, digits)
        return mpmath.fprod(oracles.expectation1(sigma, q, kinks, digits) for q in (qu, qv))

    with mpmath.workdps(digits + 20):
        return tuple(mean(*end) for end in ENDS)


@cache
def quadrature(expr: sympy.Expr, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    """E σ(X) σ(Y) by rigorous quadrature, no closed form; kept."""
    u, v, cov = (exact(x) for x in (qu, qv, c))
    return expectation2(expr, expr, u, v, cov, digits)


def _inside(k: Kernels, settings: Settings) -> Finding:
    digits = settings.digits

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for ker in k.kernels:
            # Without a closed form the values are this very quadrature; selu's slopes at its kink
            # have 17 digits, which it refuses.
            if ker.expr is None or ker.left.name == "selu":
                continue
            for qu, qv, c in INSIDE:
                wanted = quadrature(ker.left.expr, qu, qv, c, digits + 5)
                got = k.value(ker, qu, qv, c, digits + 5)
                yield f"{ker.left.name} at {qu}, {qv}, {c}", _number(got), to_mpf(wanted)

    with mpmath.workdps(digits + 20):
        return agreement(rows(), digits)


@cache
def _plane(name: str, digits: int, *point: Any) -> mpf:
    """E σ(X) σ(Y) of the hand-written σ over the plane; kept."""
    ref = REFERENCE[name]
    qu, qv, c = (mpf(x.numerator) / x.denominator for x in map(Fraction, point))
    return oracles.expectation(ref.sigma, ref.sigma, qu, qv, c, ref.kinks, ref.kinks, digits)


def _inside_by_hand(k: Kernels, settings: Settings) -> Finding:
    """The plane's integral of the hand-written σ: at 15 digits, to stay quick."""
    digits = min(settings.digits, 15)

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for ker in k.kernels:
            if any(REFERENCE[ker.left.name].kinks):
                continue  # nested quadrature: seconds a point
            got = k.value(ker, 1, 1, Fraction(-1, 2), digits + 5)
            yield f"{ker.left.name} at -1/2", _number(got), _plane(ker.left.name, digits, *_HALF)

    with mpmath.workdps(digits + 20):
        return agreement(rows(), digits)


def _selu_by_hand(k: Kernels, settings: Settings) -> Finding:
    """The same for selu, which the rigorous quadrature refuses, at 20 digits."""
    digits = min(settings.digits, 20)

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for ker in k.kernels:
            for point in INSIDE[1:] if ker.left.name == "selu" else ():
                got = k.value(ker, *point, digits + 5)
                yield f"selu at {point}", _number(got), _plane("selu", digits, *point)

    with mpmath.workdps(digits + 20):
        return agreement(rows(), digits)


def _minus_one_as_one(ker: DualKernel, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    u, v, cov = (exact(x) for x in (qu, qv, c))
    return ker.enclosure(u, v, abs(cov) if cov * cov == u * v else cov, digits)


def _mirrored(ker: DualKernel, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    return ker.enclosure(qu, qv, -exact(c), digits)


def _half_a_percent_off(ker: DualKernel, qu: Any, qv: Any, c: Any, digits: int) -> arb:
    return ker.enclosure(qu, qv, c, digits) * arb(201) / 200


K1C = Claim(
    id="K1c",
    title="The kernel of every activation of the catalogue is its defining integral",
    statement=(
        r"K(q_u,q_v,c)=\mathbb{E}\,\sigma(X)\sigma(Y),\ K(q_u,q_v,0)=\mathbb{E}\sigma(X)\,"
        r"\mathbb{E}\sigma(Y)\quad\text{for every }\sigma\text{ of the catalogue}"
    ),
    source="theory.md K1",
    subject=everything,
    evidence=(
        Evidence(
            Kind.PRECISION,
            "mpmath: c = 0 and |ρ| = 1 against integrals of the hand-written σ",
            _at_the_ends,
            covers="3 points each",
        ),
        Evidence(
            Kind.PRECISION,
            "closed form against rigorous quadrature without it (same σ)",
            _inside,
            covers="2 interior points each",
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: ρ = -1/2 against the plane's integral of the hand-written σ",
            _inside_by_hand,
            covers="15 digits; σ smooth but at 0",
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: selu against the plane's integral of the hand-written σ",
            _selu_by_hand,
            covers="20 digits; selu at an interior point",
        ),
    ),
    mutants=(
        # a public closed form does this
        with_value("a pair at ρ = -1 valued as at +1", _minus_one_as_one),
        with_value("ρ → -ρ", _mirrored),
        with_value("mish half a percent too large", _half_a_percent_off, of="mish"),
    ),
    depends_on=("K1",),
)

CLAIMS: tuple[Claim[Any], ...] = (K1C,)
