"""Population loss, simplified objective and its optimum, in symbols (theory.md sections 3 and 4).

All of it follows from the dual kernel that is passed in; networks are means over their nodes.
These statements are this project's reconstruction of the paper.

Outer weights a_i of the target enter through few expectations. Where they are independent of the
w_i: E a in F and F_d, E a and E a² in V (S1, S2). Where they may depend on w_i: the joint means
E a K(w, θ) and E a a' K(w, w') take their place; for a direction of w that is uniform and
independent of (a, |w|) both depend on the single factor E a|w|^k; and the linear half of ReLU's
kernel (K6) sees a through E a w alone.
"""

from dataclasses import dataclass
from functools import cache

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
D = Symbol("d", integer=True, positive=True)
# Moments of the target's outer weights, named as they are set in LaTeX.
OUTER = Symbol(r"{(\mathbb{E}a)}", real=True)
OUTER2 = Symbol(r"{(\mathbb{E}a^2)}", nonnegative=True)
SCALE = Symbol(r"{(\mathbb{E}a|w|^k)}", real=True)
SCALE2 = Symbol(r"{(\mathbb{E}a^2|w|^{2k})}", nonnegative=True)

_I, _I2, _J, _J2 = (sympy.Idx(name) for name in ("i", "i'", "j", "j'"))
_A, _B = IndexedBase("a"), IndexedBase("b")
_TT = IndexedBase(r"{(\Theta\Theta^\top)}")


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
    w, cross = _gram("W", "W"), _gram("W", r"\Theta")
    pair = _A[_I] * _B[_J] * kernel_at(ker, w[_I, _I], _TT[_J, _J], cross[_I, _J])
    own = _double(_A[_I] * _A[_I2] * _entry(ker, w, _I, _I2), _I, _I2, N) / N**2
    both = Sum(pair, (_I, 1, N), (_J, 1, M)) * 2 / (N * M)
    return own - both + _self_term(ker, _TT)


def simplified_objective(ker: DualKernel, outer: sympy.Expr = sympy.S.One) -> sympy.Expr:
    """F = K(τ²,τ²,|μ|²) - 2/M Σ b K(τ²,|θ|²,<μ,θ>) + M^-2 ΣΣ b b' K(θ,θ') (S1), in symbols.

    outer: E a for outer weights independent of w; the first term then has (E a)², the second E a.
    """
    along = IndexedBase(r"{(\Theta\mu)}")
    pair = _B[_J] * kernel_at(ker, TAU**2, _TT[_J, _J], along[_J])
    first = kernel_at(ker, TAU**2, TAU**2, MU**2)
    return outer**2 * first - Sum(pair, (_J, 1, M)) * 2 * outer / M + _self_term(ker, _TT)


def target_variance(
    ker: DualKernel, outer: sympy.Expr = sympy.S.One, outer2: sympy.Expr = sympy.S.One
) -> sympy.Expr:
    """The limit as d → ∞ of V = E a² E K(w,w) - (E a)² E K(w,w') (S2), a independent of w.

    |w|² tends to τ² and <w,w'> to |μ|². outer, outer2: E a and E a².
    For a that depends on w: V = E a² K(w,w) - E a a' K(w,w'); see `isotropic_variance`.
    """
    same, other = (kernel_at(ker, TAU**2, TAU**2, c) for c in (TAU**2, MU**2))
    return sympy.simplify(outer2 * same - outer**2 * other)


def _gram(left: str, right: str) -> IndexedBase:
    """Matrix of inner products of rows, named as it is set in LaTeX."""
    return IndexedBase(rf"{{({left}{right}^\top)}}")


def _entry(ker: DualKernel, gram: IndexedBase, i: sympy.Idx, j: sympy.Idx) -> sympy.Expr:
    return kernel_at(ker, gram[i, i], gram[j, j], gram[i, j])


def _double(term: sympy.Expr, i: sympy.Idx, j: sympy.Idx, count: Symbol) -> sympy.Expr:
    return Sum(term, (i, 1, count), (j, 1, count))


def _self_term(ker: DualKernel, gram: IndexedBase) -> sympy.Expr:
    return _double(_B[_J] * _B[_J2] * _entry(ker, gram, _J, _J2), _J, _J2, M) / M**2


# ---- finite dimension, zero mean ----------------------------------------------------------------


@cache
def radial_moment(p: int, d: sympy.Expr = D) -> sympy.Expr:
    """E |x|^p for x ~ N(0, I_d), p > -d: a quotient of two radial integrals."""
    r = sympy.Dummy("r", positive=True)
    power, half = sympy.Dummy("n", positive=True), sympy.Rational(1, 2)
    radial = sympy.integrate(r ** (power - 1) * sympy.exp(-half * r**2), (r, 0, sympy.oo))
    return sympy.powsimp(sympy.gammasimp(radial.subs(power, d + p) / radial.subs(power, d)))


def sphere_mean(ker: DualKernel, d: sympy.Expr = D) -> sympy.Expr:
    """κ_d = E κ(<u, v>), u uniform on the sphere of R^d, σ homogeneous of degree k.

    κ_d = κ(0) E|x|^2k / (E|x|^k)²: with x fixed the mean of σ(<u,x>) over u is |x|^k times a
    constant c, and E|x|^k c = E σ(ζ) for ζ ~ N(0, 1), while κ(0) = (E σ(ζ))².
    Raises ArgumentError for σ that are not positively homogeneous.
    """
    k = homogeneity(ker)
    ratio = radial_moment(2 * k, d) / radial_moment(k, d) ** 2
    return kappa(ker, sympy.S.Zero) * sympy.gammasimp(ratio)


def gaussian_scale(ker: DualKernel, d: sympy.Expr = D) -> sympy.Expr:
    """E |w|^k for w = s x, x ~ N(0, I_d), s² = τ²/d, σ homogeneous of degree k; τ^k for d → ∞."""
    k = homogeneity(ker)
    return TAU**k * d ** sympy.Rational(-k, 2) * radial_moment(k, d)


def mean_field_constant(ker: DualKernel, d: sympy.Expr = D) -> sympy.Expr:
    """c_0(d) = E K(w, u), |u| = 1, w ~ N(0, (τ²/d) I_d): the same for every u (S6).

    c_0(d) = E|w|^k κ_d; ReLU: s d Γ(d/2) / (2 √2 π Γ((d+1)/2)), s = τ/√d.
    Raises ArgumentError for σ that are not positively homogeneous.
    """
    return sympy.gammasimp(gaussian_scale(ker, d) * sphere_mean(ker, d))


def isotropic_objective(ker: DualKernel, scale: sympy.Expr = SCALE) -> sympy.Expr:
    """F_d at every d for w whose direction is uniform and independent of (a, |w|) (S2, E2).

    F_d = A² κ_d - 2 A κ_d/M Σ b_j |θ_j|^k + M^-2 ΣΣ b b' K(θ,θ'), A = E a|w|^k the one number it
    takes from the target (`scale`): E a · `gaussian_scale` for Gaussian w and independent a.
    Raises ArgumentError for σ that are not positively homogeneous.
    """
    lengths = _B[_J] * _TT[_J, _J] ** sympy.Rational(homogeneity(ker), 2)
    mean = sphere_mean(ker)
    linear = Sum(lengths, (_J, 1, M)) * 2 * scale * mean / M
    return scale**2 * mean - linear + _self_term(ker, _TT)


def isotropic_variance(
    ker: DualKernel, scale: sympy.Expr = SCALE, scale2: sympy.Expr = SCALE2
) -> sympy.Expr:
    """V = E a²|w|^2k κ(1) - (E a|w|^k)² κ_d for the targets of `isotropic_objective` (S2)."""
    return scale2 * kappa(ker, sympy.S.One) - scale**2 * sphere_mean(ker)


def mean_distance(ker: DualKernel, d: sympy.Expr = D) -> sympy.Expr:
    """|ḡ - g| for w ~ N(0, (τ²/d) I_d), σ homogeneous of degree k, in L2 of x ~ N(0, I_d) (S6).

    It is τ^k |E σ(ζ)| sqrt(E (|x|^k d^(-k/2) - 1)²). For k = 1 and w = μ + s x, with
    sqrt(τ²-|μ|²) = s √d in place of τ, it is an upper bound for every μ:
    ReLU: s (2π)^(-1/2) sqrt(2d - 2 √d E|x|).
    Raises ArgumentError for σ that are not positively homogeneous.
    """
    k = homogeneity(ker)
    first, second = (radial_moment(n * k, d) * d ** sympy.Rational(-n * k, 2) for n in (1, 2))
    spread = sympy.gammasimp(second) - 2 * first + 1
    return TAU**k * sympy.sqrt(kappa(ker, sympy.S.Zero)) * sympy.sqrt(spread)


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
