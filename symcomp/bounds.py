"""Lower bounds of min F for homogeneous activations: any number of neurons in any dimension.

All are at τ = 1, in mpmath at the working precision. κ is positive definite (K4), so both parts
κ(ρ) = odd(ρ) + e(ρ²) have nonnegative coefficients, and e is convex and nondecreasing on [0, 1].
"""

from collections.abc import Callable
from typing import TypeAlias

import mpmath
import sympy

from symcomp.kernels import DualKernel

Real: TypeAlias = Callable[[mpmath.mpf], mpmath.mpf]


def correlation(ker: DualKernel) -> Real:
    """κ at the working precision; near ±1 rounding may leave its domain by an ulp."""
    return real_function(ker.correlation, ker.rho)


def real_function(expr: sympy.Expr, symbol: sympy.Symbol) -> Real:
    """The expression at the working precision, the real part of it."""
    f = sympy.lambdify(symbol, expr, "mpmath")
    return lambda x: mpmath.re(f(x))


def frame_bound(ker: DualKernel, M: int, d: int) -> mpmath.mpf:
    """min F >= κ(0) - κ(0)²/𝓔 at β = 0, 𝓔 = e(1)/M + (1 - 1/M) e(y), y = (M-d)/(d(M-1)) (E3).

    Σ p_i p_j odd(ρ_ij) >= 0, and for e Jensen's inequality in ρ² with the Welch bound Σ p_i p_j
    ρ_ij² >= 1/d, as E3 has it for ReLU. M >= 2; y = 0 where M <= d.
    """
    kappa = correlation(ker)
    y = mpmath.mpf(max(M - d, 0)) / (d * (M - 1))
    root, one, m = mpmath.sqrt(y), mpmath.mpf(1), mpmath.mpf(M)
    energy = _even(kappa, one) / m + (1 - 1 / m) * _even(kappa, root)
    return kappa(mpmath.mpf(0)) * (1 - kappa(mpmath.mpf(0)) / energy)


def inertia_bound(ker: DualKernel, M: int, d: int, beta: mpmath.mpf) -> mpmath.mpf:
    """min F >= C - B²/A for every β and all signs of the outer weights (B3 of the proofs).

    In Hermite order 2k, F holds r_2k |T_k - β^2k V_k|² with T_k a sum of M weighted squares and
    V_k one square. The difference has at most n_k = M (n_1 = min(M, d)) positive and one negative
    eigenvalue and the trace σ - β^2k, so it is at least r_2k (σ - β^2k)²/n_k; σ is eliminated. Odd
    orders are dropped. A, B, C are the coefficients of σ², -2σ and 1 in the sum over k.
    """
    kappa = correlation(ker)
    r0 = kappa(mpmath.mpf(0))
    r2 = real_function(sympy.diff(ker.correlation, ker.rho, 2), ker.rho)(mpmath.mpf(0)) / 2
    few = mpmath.mpf(min(M, d))

    def coefficient(at: mpmath.mpf) -> mpmath.mpf:
        second = r2 * at**2
        return r0 + second / few + (_even(kappa, at) - r0 - second) / M

    A, B, C = (coefficient(at) for at in (mpmath.mpf(1), beta, beta**2))
    return C - B**2 / A


def _even(kappa: Real, root: mpmath.mpf) -> mpmath.mpf:
    """e(root²)."""
    return (kappa(root) + kappa(-root)) / 2
