"""Claims K5 and K6 on the ReLU kernel (theory.md section 2)."""

from dataclasses import dataclass, replace
from typing import Any

import flint
import numpy as np
import sympy
from hypothesis import strategies as st

from proofs_checks.checks import certify, combine, falsify, identities, signs
from proofs_checks.kernel_shapes import RHO_OF_U
from proofs_checks.kernels import (
    Derived,
    relu,
)
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from symcomp.balls import ball
from symcomp.kernels import RHO

# ---- K5: regularity of the ReLU kernel -----------------------------------------------------------


@dataclass(frozen=True)
class Regularity:
    """ReLU's κ, the Lipschitz constant of w -> K(w, u) and the constant of the mean square."""

    kernel: Derived
    lipschitz: sympy.Rational
    square: sympy.Rational


def _regularity() -> Regularity:
    half = sympy.Rational(1, 2)
    return Regularity(relu(), half, half)


def _regularity_proof(r: Regularity, _: Settings) -> Finding:
    """With K = |w| κ(ρ), ρ the cosine of w and u: gradient, Hessian and mean square from κ alone.

    Gradient: its square is g = κ² + (1-ρ²) κ'². Hessian: eigenvalues (κ - ρκ')/|w| across the
    plane of w, u and (κ - ρκ' + (1-ρ²)κ'')/|w| in it. Mean square: with norms a, b it is
    (a² + b²)/2 - 2ab κ(ρ), below q (a² + b² - 2abρ) for all a, b when q >= 1/2 and
    κ(ρ) >= 1/2 - q (1-ρ): then the difference is at least (q - 1/2)(a - b)².
    """
    kappa = r.kernel.kappa
    first, second = sympy.diff(kappa, RHO), sympy.diff(kappa, RHO, 2)
    across = kappa - RHO * first
    plane = across + (1 - RHO**2) * second
    g = kappa**2 + (1 - RHO**2) * first**2
    gap = kappa - sympy.Rational(1, 2) + r.square * (1 - RHO)

    def arc(expr: sympy.Expr) -> sympy.Expr:
        return sympy.simplify(expr.subs(RHO, RHO_OF_U))

    exact = identities(
        [
            ("g' = 2 κ' (κ - ρκ' + (1-ρ²)κ'')", sympy.diff(g, RHO), 2 * first * plane),
            ("the Lipschitz constant is reached: g(1)", g.subs(RHO, 1), r.lipschitz**2),
            ("κ'(-1)", sympy.limit(first, RHO, -1, "+"), sympy.S.Zero),
            ("κ - 1/2 + q(1-ρ) vanishes at ρ = 1", gap.subs(RHO, 1), sympy.S.Zero),
            ("its slope vanishes at ρ = 1", sympy.diff(gap, RHO).subs(RHO, 1), sympy.S.Zero),
        ]
    )
    signed = signs(
        [
            ("κ'' >= 0: κ' >= κ'(-1) = 0, and the gap, flat at 1, is >= 0", arc(second), ">=0"),
            ("κ - ρκ' >= 0: convex across", arc(across), ">=0"),
            ("κ - ρκ' + (1-ρ²)κ'' >= 0: convex in the plane, and g' >= 0", arc(plane), ">=0"),
        ]
    )
    return combine(exact, signed)


def _regularity_search(r: Regularity, settings: Settings) -> Finding:
    """Both bounds for arbitrary w, w' in the plane, and the slope of K between two points."""
    kappa = sympy.lambdify(RHO, r.kernel.kappa, "numpy")

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        size = float(np.linalg.norm(x) * np.linalg.norm(y))
        return size * float(kappa(np.clip(x @ y / size, -1, 1))) if size else 0.0

    def margin(a: float, b: float, s: float, t: float) -> float:
        w, v = a * np.array([np.cos(s), np.sin(s)]), b * np.array([np.cos(t), np.sin(t)])
        unit = np.array([1.0, 0.0])
        apart = float(np.linalg.norm(w - v))
        square = kernel(w, w) + kernel(v, v) - 2 * kernel(w, v)
        slack = float(r.lipschitz) * apart - abs(kernel(w, unit) - kernel(v, unit))
        return min(float(r.square) * apart**2 - square, slack)

    length, angle = st.floats(0, 4), st.floats(-3.2, 3.2)
    arguments = {"a": length, "b": length, "s": angle, "t": angle}
    return falsify(margin, arguments, settings, slack=1e-7)


K5 = Claim(
    id="K5",
    title="Regularity of the ReLU kernel, with sharp constants",
    statement=(
        r"|u|=1:\ w\mapsto K(w,u)\text{ is convex and }\tfrac12\text{-Lipschitz};\quad"
        r"\mathbb{E}\bigl(\mathrm{relu}\langle w,x\rangle-\mathrm{relu}\langle w',x\rangle\bigr)^2"
        r"\le\tfrac12|w-w'|^2,\text{ both constants sharp}"
    ),
    source="theory.md K5",
    subject=_regularity,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: gradient, Hessian and mean square in terms of κ, their signs decided",
            _regularity_proof,
        ),
        Evidence(Kind.PROPERTY, "Hypothesis: both bounds in the plane", _regularity_search),
    ),
    mutants=(
        Mutant("mean square 2/5", lambda r: replace(r, square=sympy.Rational(2, 5))),
        Mutant("Lipschitz constant 2/5", lambda r: replace(r, lipschitz=sympy.Rational(2, 5))),
    ),
    depends_on=("K1", "K3"),
)


# ---- K6: half linear, half even ------------------------------------------------------------------

_Y = sympy.Symbol("y", nonnegative=True)


@dataclass(frozen=True)
class Halves:
    """ReLU's κ and the claimed even half e(y), y = ρ²."""

    kernel: Derived
    even: sympy.Expr


def _halves() -> Halves:
    root = sympy.sqrt(_Y)
    return Halves(relu(), (sympy.sqrt(1 - _Y) + root * sympy.asin(root)) / (2 * sympy.pi))


def _halves_proof(h: Halves, _: Settings) -> Finding:
    """κ(±√y) = ±√y/4 + e(y); e(0), e(1); e' and e'' by y = sin² t, signs from x < tan x."""
    t = sympy.Symbol("t", positive=True)  # in (0, π/2)
    root = sympy.sqrt(_Y)
    y = sympy.Symbol("y", positive=True)
    even = h.even.subs(_Y, y)
    cos = sympy.sqrt(1 - y)
    # asin√y = atan(√y/√(1-y)): with x = tan t the signs below are those of t and x - t.
    x = sympy.sqrt(y) / cos
    slope = sympy.asin(sympy.sqrt(y)) / (4 * sympy.pi * sympy.sqrt(y))
    bend = (x - sympy.asin(sympy.sqrt(y))) / (8 * sympy.pi * sympy.sqrt(y) ** 3)
    exact = identities(
        [
            ("κ(√y) = √y/4 + e(y)", h.kernel.kappa.subs(RHO, root), root / 4 + h.even),
            ("κ(-√y) = -√y/4 + e(y)", h.kernel.kappa.subs(RHO, -root), -root / 4 + h.even),
            ("e(0)", h.even.subs(_Y, 0), 1 / (2 * sympy.pi)),
            ("e(1)", h.even.subs(_Y, 1), sympy.Rational(1, 4)),
            ("e' = asin√y / (4π√y), positive", sympy.diff(even, y), slope),
            ("e'' = (tan t - t) / (8π sin³ t) at y = sin² t", sympy.diff(even, y, 2), bend),
            ("tan t - t vanishes at 0", (sympy.tan(t) - t).subs(t, 0), sympy.S.Zero),
            ("(tan t - t)' = tan² t", sympy.diff(sympy.tan(t) - t, t), sympy.tan(t) ** 2),
        ]
    )
    real = sympy.Symbol("x", real=True)
    return combine(exact, signs([("tan² t >= 0", real**2, ">=0")]))


def _halves_in_balls(h: Halves, _: Settings) -> Finding:
    """e' > 0 and e'' > 0 in balls, away from the ends, where e'' has limits 1/(12π) and ∞."""
    slope, bend = sympy.diff(h.even, _Y), sympy.diff(h.even, _Y, 2)

    def rises_and_bends(box: tuple[flint.arb, ...]) -> bool | None:
        values = [ball(expr, {_Y: box[0]}) for expr in (slope, bend)]
        if all(v > 0 for v in values):
            return True
        return False if any(v < 0 for v in values) else None

    domain = [(flint.fmpq(1, 1000), flint.fmpq(999, 1000))]
    return certify(rises_and_bends, domain, depth=40)


K6 = Claim(
    id="K6",
    title="The ReLU kernel is half linear, half even",
    statement=(
        r"\kappa(\rho)=\tfrac{\rho}{4}+e(\rho^2),\ "
        r"e(y)=\frac{\sqrt{1-y}+\sqrt y\arcsin\sqrt y}{2\pi}"
        r"\text{ convex and increasing on }[0,1],\ e(0)=\tfrac1{2\pi},\ e(1)=\tfrac14"
    ),
    source="theory.md K6",
    subject=_halves,
    evidence=(
        Evidence(
            Kind.PROOF, "SymPy: both halves, the ends, e' and e'' in closed form", _halves_proof
        ),
        Evidence(
            Kind.CERTIFICATE,
            "balls: e' > 0 and e'' > 0",
            _halves_in_balls,
            covers="1/1000 <= y <= 999/1000",
        ),
    ),
    mutants=(
        Mutant(
            "slope 1/3 in place of 1/4", lambda h: replace(h, even=h.even - sympy.sqrt(_Y) / 12)
        ),
        Mutant(
            "minus the arcsine",
            lambda h: replace(
                h, even=h.even.subs(sympy.asin(sympy.sqrt(_Y)), -sympy.asin(sympy.sqrt(_Y)))
            ),
        ),
    ),
    depends_on=("K1",),
)

CLAIMS: tuple[Claim[Any], ...] = (K5, K6)
