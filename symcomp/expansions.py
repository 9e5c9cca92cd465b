"""The first correction in 1/d: F_d = F + F_1/d + ..., in symbols (theory.md S6 and S8).

w = μ + s z with s² = (τ²-|μ|²)/d and i.i.d. entries of mean 0 and variance 1 in z. The kernel sees
w through |w|² and <w, θ>, which are within O(d^-1/2) of τ² and <μ, θ>; their covariances to first
order in 1/d and the second derivatives of K° there give the coefficient. The remainder is O(d^-2)
where z has no third moment, else O(d^-3/2), K° smooth at (τ², |θ|², <μ,θ>): not where θ is
parallel to μ and |μ| = τ. These statements are this project's reconstruction of the paper.
"""

from dataclasses import dataclass

import sympy
from sympy import IndexedBase, Sum, Symbol

from symcomp.antiderivatives import C
from symcomp.expectations import QU, QV
from symcomp.kernels import DualKernel
from symcomp.objectives import BETA, MU, TAU, M, S, homogeneity, kernel_at

KURTOSIS = Symbol(r"\kappa_4", real=True)  # E z⁴ - 3
SKEW_MU = Symbol(r"\gamma_\mu", real=True)  # E z³ <1, μ>/√d
SKEW_THETA = Symbol(r"\gamma_\theta", real=True)  # E z³ <1, θ>/√d

_Q1, _Q2 = sympy.symbols("q_1 q_2", positive=True)


@dataclass(frozen=True)
class Entries:
    """What the coefficient of 1/d takes from the law of the entries z: all zero for a Gaussian.

    fourth = E z⁴ - 3; skew_mu = E z³ <1,μ>/√d and skew_theta = E z³ <1,θ>/√d, 1 = (1, ..., 1):
    a skewed law has a preferred direction, so that its third moment meets those of μ and θ.
    """

    fourth: sympy.Expr = sympy.S.Zero
    skew_mu: sympy.Expr = sympy.S.Zero
    skew_theta: sympy.Expr = sympy.S.Zero


GAUSSIAN = Entries()
GENERAL = Entries(KURTOSIS, SKEW_MU, SKEW_THETA)


def _spread() -> sympy.Expr:
    """s √d, the root of τ² - |μ|²."""
    return sympy.sqrt(TAU**2 - MU**2)


def _length_variance(law: Entries) -> sympy.Expr:
    """lim d Var |w|²: 4 s²|μ|² from <μ,z>, s⁴ (E z⁴ - 1) d from |z|², and their covariance."""
    v = _spread()
    return 4 * v**2 * MU**2 + 4 * v**3 * law.skew_mu + v**4 * (2 + law.fourth)


def cross_correction(ker: DualKernel, law: Entries = GAUSSIAN) -> sympy.Expr:
    """lim d (E K(w,θ) - K°(τ²,|θ|²,<μ,θ>)) in τ, |μ|, q_v = |θ|² and c = <μ,θ> (S6, S8).

    Raises ArgumentError without a closed form.
    """
    v = _spread()
    K = kernel_at(ker, QU, QV, C)
    covariance = 2 * v**2 * C + v**3 * law.skew_theta  # of |w|² with <w,θ>
    total = (
        sympy.diff(K, C, 2) * v**2 * QV / 2
        + sympy.diff(K, QU, C) * covariance
        + sympy.diff(K, QU, 2) * _length_variance(law) / 2
    )
    return total.subs(QU, TAU**2)


def target_correction(ker: DualKernel, law: Entries = GAUSSIAN) -> sympy.Expr:
    """lim d (E K(w,w') - K°(τ²,τ²,|μ|²)), w and w' independent, in τ and |μ| (S6, S8)."""
    v = _spread()
    K = kernel_at(ker, _Q1, _Q2, C)
    covariance = 2 * v**2 * MU**2 + v**3 * law.skew_mu  # of |w|² with <w,w'>
    total = sympy.diff(K, C, 2) * (2 * v**2 * MU**2 + v**4) / 2
    for q in (_Q1, _Q2):
        total += sympy.diff(K, q, C) * covariance
        total += sympy.diff(K, q, 2) * _length_variance(law) / 2
    return total.subs({_Q1: TAU**2, _Q2: TAU**2, C: MU**2}, simultaneous=True)


def objective_correction(ker: DualKernel, law: Entries = GAUSSIAN) -> sympy.Expr:
    """F_1 = lim d (F_d - F): the target's term less 2/M Σ b_j times that of θ_j (S6, S8).

    law.skew_theta, where it is not 0, is indexed by j. Sums as in `simplified_objective`.
    """
    j = sympy.Idx("j")
    b, along = IndexedBase("b"), IndexedBase(r"{(\Theta\mu)}")
    gram = IndexedBase(r"{(\Theta\Theta^\top)}")
    at = {QV: gram[j, j], C: along[j]}
    if isinstance(law.skew_theta, Symbol):
        at[law.skew_theta] = IndexedBase(str(law.skew_theta))[j]
    one = cross_correction(ker, law).subs(at, simultaneous=True)
    return target_correction(ker, law) - Sum(b[j] * one, (j, 1, M)) * 2 / M


def unit_correction(ker: DualKernel, law: Entries = GAUSSIAN) -> sympy.Expr:
    """B(β, s) of S6: E K(w,u) = τ^k (κ(βs) + B/d + ...), |u| = 1, β = |μ|/τ, s = <μ,u>/|μ|.

    σ homogeneous of degree k. law's entries are for τ = 1. ReLU, Gaussian: B(0, .) = 1/(8π).
    Raises ArgumentError for σ that are not positively homogeneous.
    """
    homogeneity(ker)
    at = {TAU: 1, MU: BETA, QV: 1, C: BETA * S}
    return sympy.factor(sympy.simplify(cross_correction(ker, law).subs(at, simultaneous=True)))
