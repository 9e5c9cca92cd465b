"""Population loss, simplified objective and its optimum, in symbols (theory.md sections 3 and 4).

All of it follows from the dual kernel that is passed in; networks are means over their nodes.
These statements are this project's reconstruction of the paper.
"""

from dataclasses import dataclass

import sympy
from sympy import IndexedBase, Sum, Symbol

from symcomp.antiderivatives import C
from symcomp.errors import ArgumentError
from symcomp.expectations import QU, QV
from symcomp.kernels import DualKernel

M = Symbol("M", integer=True, positive=True)
N = Symbol("N", integer=True, positive=True)
TAU = Symbol("tau", positive=True)
BETA = Symbol("beta", nonnegative=True)
S = Symbol("s", real=True)
MU = Symbol(r"|\mu|", nonnegative=True)  # the norm of E w

_I, _I2, _J, _J2 = (sympy.Idx(name) for name in ("i", "i'", "j", "j'"))
_A, _B = IndexedBase("a"), IndexedBase("b")


def kernel_at(ker: DualKernel, qu: sympy.Expr, qv: sympy.Expr, c: sympy.Expr) -> sympy.Expr:
    """K(q_u, q_v, c) with expressions in place of the symbols."""
    return _closed(ker).subs({QU: qu, QV: qv, C: c}, simultaneous=True)


def kappa(ker: DualKernel, rho: sympy.Expr) -> sympy.Expr:
    """κ(ρ) with an expression in place of the symbol."""
    _closed(ker)
    return ker.correlation.subs(ker.rho, rho)


def _closed(ker: DualKernel) -> sympy.Expr:
    if ker.expr is None:
        found = ker.left.name if ker.left == ker.right else f"{ker.left.name}, {ker.right.name}"
        raise ArgumentError(f"kernel: found {found}, expected one with a closed form")
    return ker.expr


def homogeneity(ker: DualKernel) -> int:
    """The degree k of a positively homogeneous activation; raises ArgumentError for others."""
    if ker.degree is None:
        raise ArgumentError(
            f"activation: found {ker.left.name}, expected a positively homogeneous one such as relu"
        )
    return ker.degree


# ---- the exact loss and the simplified objective ------------------------------------------------


def population_loss(ker: DualKernel) -> sympy.Expr:
    """L_N = N^-2 ΣΣ a a' K(w,w') - 2/(NM) ΣΣ a b K(w,θ) + M^-2 ΣΣ b b' K(θ,θ') (S0), in symbols."""
    w, t = _gram("W", "W"), _gram(r"\Theta", r"\Theta")
    cross = _gram("W", r"\Theta")
    pair = _A[_I] * _B[_J] * kernel_at(ker, w[_I, _I], t[_J, _J], cross[_I, _J])
    own = _double(_A[_I] * _A[_I2] * _entry(ker, w, _I, _I2), _I, _I2, N) / N**2
    both = Sum(pair, (_I, 1, N), (_J, 1, M)) * 2 / (N * M)
    return own - both + _self_term(ker, t)


def simplified_objective(ker: DualKernel) -> sympy.Expr:
    """F = K(τ²,τ²,|μ|²) - 2/M Σ b K(τ²,|θ|²,<μ,θ>) + M^-2 ΣΣ b b' K(θ,θ') (S1), in symbols."""
    t = _gram(r"\Theta", r"\Theta")
    along = IndexedBase(r"{(\Theta\mu)}")
    pair = _B[_J] * kernel_at(ker, TAU**2, t[_J, _J], along[_J])
    first = kernel_at(ker, TAU**2, TAU**2, MU**2)
    return first - Sum(pair, (_J, 1, M)) * 2 / M + _self_term(ker, t)


def _gram(left: str, right: str) -> IndexedBase:
    """Matrix of inner products of rows, named as it is set in LaTeX."""
    return IndexedBase(rf"{{({left}{right}^\top)}}")


def _entry(ker: DualKernel, gram: IndexedBase, i: sympy.Idx, j: sympy.Idx) -> sympy.Expr:
    return kernel_at(ker, gram[i, i], gram[j, j], gram[i, j])


def _double(term: sympy.Expr, i: sympy.Idx, j: sympy.Idx, count: Symbol) -> sympy.Expr:
    return Sum(term, (i, 1, count), (j, 1, count))


def _self_term(ker: DualKernel, gram: IndexedBase) -> sympy.Expr:
    return _double(_B[_J] * _B[_J2] * _entry(ker, gram, _J, _J2), _J, _J2, M) / M**2


# ---- the optimum ---------------------------------------------------------------------------------


def energy_bound(ker: DualKernel, m: sympy.Expr = M, s2: sympy.Expr = S**2) -> sympy.Expr:
    """κ(1)/M + (1 - 1/M) κ((M s² - 1)/(M - 1)), the right side of E1; E(s) of E4."""
    m, s2 = sympy.S(m), sympy.S(s2)
    return kappa(ker, sympy.S.One) / m + (1 - 1 / m) * kappa(ker, (m * s2 - 1) / (m - 1))


@dataclass(frozen=True)
class SimplexOptimum:
    """E2 at β = 0: energy E_M, radius |θ_j| and minimum of F, in symbols M and τ."""

    energy: sympy.Expr
    radius: sympy.Expr
    value: sympy.Expr


def radial(ker: DualKernel, cross: sympy.Expr, energy: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    """Radius and value at the minimum over r > 0 of τ^2k κ(β²) - 2 τ^k r^k cross + r^2k energy.

    Returns (r, τ^2k-free decrease): r^k = τ^k cross/energy, decrease τ^2k cross²/energy.
    """
    k = homogeneity(ker)
    R = sympy.Dummy("R", positive=True)  # r^k
    objective = -2 * TAU**k * R * cross + R**2 * energy
    (best,) = sympy.solve(sympy.diff(objective, R), R)
    return best ** sympy.Rational(1, k), -sympy.factor(objective.subs(R, best))


def simplex_optimum(ker: DualKernel, m: sympy.Expr = M) -> SimplexOptimum:
    """E2: E_M = κ(1)/M + (1-1/M) κ(-1/(M-1)), the best radius and min F at β = 0, derived."""
    E = sympy.Dummy("E", positive=True)
    energy = energy_bound(ker, m, sympy.S.Zero)
    zero = kappa(ker, sympy.S.Zero)
    radius, decrease = radial(ker, zero, E)
    value = TAU ** (2 * homogeneity(ker)) * zero - decrease
    return SimplexOptimum(energy, radius.subs(E, energy), value.subs(E, energy))


def cone_value(ker: DualKernel, m: sympy.Expr = M, beta: sympy.Expr = BETA) -> sympy.Expr:
    """F/τ^2k on the equiangular cone family at its best radius: κ(β²) - κ(βs)²/E(s) (E4)."""
    beta = sympy.S(beta)
    return kappa(ker, beta**2) - kappa(ker, beta * S) ** 2 / energy_bound(ker, m)


def cone_stationarity(ker: DualKernel, m: sympy.Expr = M, beta: sympy.Expr = BETA) -> sympy.Expr:
    """β κ'(βs) E(s) - s κ(βs) κ'((Ms²-1)/(M-1)), zero at a stationary s (E4).

    It is d/ds[κ(βs)²/E(s)] · E(s)²/(2 κ(βs)), derived from the two factors.
    """
    cross, energy = kappa(ker, beta * S), energy_bound(ker, m)
    return sympy.diff(cross, S) * energy - cross * sympy.diff(energy, S) / 2
