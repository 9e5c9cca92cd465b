"""The functions of the proof of E4 in angles, as SymPy expressions (one place for all its claims).

ψ = π - arccos ρ in [0, π], so that ρ = -cos ψ. h is the ReLU kernel and H = 2πh. What is written
here in angles is tied to the kernel that symcomp derives by identities in claims A1 and V2.
"""

from dataclasses import dataclass

import sympy
from sympy import Expr, cos, pi, sin

from symcomp import objectives
from symcomp.kernels import RHO, DualKernel

M, S, BETA = objectives.M, objectives.S, objectives.BETA
ANGLE = pi - sympy.acos(RHO)  # ψ as a function of ρ


def big_kernel(ker: DualKernel, rho: Expr) -> Expr:
    """H(ρ) = 2π κ(ρ)."""
    return 2 * pi * objectives.kappa(ker, rho)


def height(psi: Expr) -> Expr:
    """H(-cos ψ) = sin ψ - ψ cos ψ."""
    return sin(psi) - psi * cos(psi)


def defect(y: Expr) -> Expr:
    """d(y) = π - y - sin y, what a tangent loses on the diagonal."""
    return pi - y - sin(y)


def first_inequality(y: Expr) -> Expr:
    """d(2d - yZ), the left side of (V1), with d > 0 multiplied in."""
    d = defect(y)
    return d * (2 * d - y * bracket(y))


def bracket(y: Expr) -> Expr:
    """Z = 1 + cos y - 2y sin y + y(1 + cos y)²/d."""
    return 1 + cos(y) - 2 * y * sin(y) + y * (1 + cos(y)) ** 2 / defect(y)


@dataclass(frozen=True)
class Pair:
    """(V2) for one β and one s, written with β = -cos m and βs = -cos ψ̄.

    m and ψ̄ are expressions; y_c = πψ̄²/m².
    """

    m: Expr
    psi: Expr

    @property
    def s(self) -> Expr:
        """The height s = cos ψ̄ / cos m."""
        return cos(self.psi) / cos(self.m)

    @property
    def y(self) -> Expr:
        """y_c."""
        return pi * self.psi**2 / self.m**2

    @property
    def badness(self) -> Expr:
        """s² + cos y_c: s is bad where it is positive."""
        return self.s**2 + cos(self.y)

    @property
    def left(self) -> Expr:
        """H(β)² (y_c s² + sin y_c)."""
        return height(self.m) ** 2 * (self.y * self.s**2 + sin(self.y))

    @property
    def right(self) -> Expr:
        """πH(βs)²."""
        return pi * height(self.psi) ** 2


def scaled(z: Expr, x: Expr) -> Pair:
    """The pair with m = π(1 - z) and ψ̄ = π(1 - x)."""
    return Pair(pi * (1 - z), pi * (1 - x))
