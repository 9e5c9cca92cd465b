"""Claim E4: the equiangular cone is optimal for every β and nonnegative outer weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy
from hypothesis import assume
from hypothesis import strategies as st
from mpmath import mpf
from numpy.typing import NDArray
from scipy.optimize import minimize
from sympy import Expr, IndexedBase, Rational, Sum, cos, pi, sin

from proofs_checks.attack import descend
from proofs_checks.checks import combine, falsify, identities, signs
from proofs_checks.energy import configurations
from proofs_checks.etf.ensembles import Ensemble, cone_optimum, float_h, true_h
from proofs_checks.etf.forms import ANGLE, BETA, M, S, big_kernel, defect, height
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp import objectives
from symcomp.codegen import generate
from symcomp.kernels import RHO, DualKernel, dual_kernel

Array: TypeAlias = NDArray[np.float64]
Row: TypeAlias = tuple[str, Expr, Expr]

Y, PSI, TURN, G = sympy.symbols("y psi m g", positive=True)


@dataclass(frozen=True)
class Dominance:
    """(Σ c h(βs))² <= J* ΣΣ c c h(ρ), J* = max h(βs)²/E(s), with t(s) = mean.

    By way of (Σ c h)²/ΣΣ c c h <= H(βs̄)²/(2πe(y; s̄)) for 0 < y <= reach y_c. ``least`` is the
    lowest weight.
    """

    kernel: DualKernel
    mean: Expr
    reach: Rational
    least: str


def dominance() -> Dominance:
    """theory.md's theorem."""
    return Dominance(
        kernel=dual_kernel("relu"),
        mean=(M * S**2 - 1) / (M - 1),
        reach=Rational(1),
        least="0",
    )


# ---- proof ---------------------------------------------------------------------------------------


def _proof(claim: Dominance, _: Settings) -> Finding:
    """The assembly; each inequality it uses is a claim below it.

    0 < β < 1; the ends follow, as both sides are continuous in β, J* too, being the maximum of a
    continuous function over s in [-1, 1]. Neurons of weight 0 are left out; n <= M are left.
    ψ_j = π - arccos βs_j lies in [arccos β, m], m = π - arccos β < π. A2 gives m̄ and ψ̄ in
    [min ψ_j, max ψ_j], so s̄ = -cos ψ̄/β is between the s_j. For g² <= π/m² all y_ij = g²ψ_iψ_j
    are in [0, π]: A1 bounds H(ρ_ij) for i ≠ j, the diagonal is exact. The square of the vector
    Σ c g ψ u is at least that of its part along v. A3a, for k = g²ψ_i and then for k = g²ψ̄, with
    kψ <= π each time and π/k >= m, bounds the double sum of sines; Cauchy and A3b the diagonal,
    with 1/n >= 1/M. So the ratio is at most H(βs̄)²/(2πe(y; s̄)) for all y in (0, y_c].
    If χ(s̄) <= y_c, y = χ gives h(βs̄)²/E(s̄) by A1 (χ = 0, at M = 2 and s̄ = 0 only, is the limit
    y -> 0, where e tends to e(0; s̄) = π/M > 0). If not, t(s̄) > -cos y_c, and s̄² >= t(s̄) makes
    s̄ bad; e(y_c; s̄) >= y_c s̄² + sin y_c as d >= 0, and A4 gives h(β)²/E(1).
    """
    return combine(
        identities([*_numerator(claim), *_denominator(), *_ratio(claim), *_attained(claim)]),
        signs(_order(claim)),
    )


def _numerator(claim: Dominance) -> Iterator[Row]:
    H = big_kernel(claim.kernel, RHO)
    scale = sympy.Symbol("mbar", positive=True)
    yield "2πh(βs_j) = sin ψ_j - ψ_j cos ψ_j", H, height(ANGLE)
    yield "-cos ψ = ρ", -cos(ANGLE), RHO
    yield (
        "the sums of A2: 2πΣ c h(βs) = m̄ H(βs̄) with βs̄ = -cos ψ̄",
        scale * sin(PSI) - scale * PSI * cos(PSI),
        scale * height(PSI),
    )
    yield (
        "Σ c ψ s = m̄ ψ̄ s̄, as s = -cos ψ/β",
        -(scale * PSI * cos(PSI)) / BETA,
        scale * PSI * (-cos(PSI) / BETA),
    )


def _denominator() -> Iterator[Row]:
    i, j = sympy.symbols("i j", integer=True)
    n = sympy.Symbol("n", integer=True, positive=True)
    c, angle, rho, x = (IndexedBase(name) for name in ("c", "psi", "rho", "x"))

    def double(term: Expr) -> Expr:
        return Sum(term, (i, 1, n), (j, 1, n))

    y = G**2 * angle[i] * angle[j]
    yield (
        "the diagonal: H(1) = π = y + sin y + d(y)",
        big_kernel(dual_kernel("relu"), sympy.S.One),
        Y + sin(Y) + defect(Y),
    )
    yield (
        "ΣΣ c c (yρ + sin y) = ΣΣ (c g ψ)(c g ψ) ρ + ΣΣ c c sin y",
        double(sympy.expand(c[i] * c[j] * (y * rho[i, j] + sin(y)))),
        double(c[i] * G * angle[i] * c[j] * G * angle[j] * rho[i, j])
        + double(c[i] * c[j] * sin(y)),
    )
    rows = sympy.Matrix(3, 2, sympy.symbols("a:6", real=True))
    w = sympy.Matrix(sympy.symbols("w:3", real=True))
    yield (
        "ΣΣ w w <u, u> = |Σ w u|², here for three vectors of the plane",
        (w.T * rows * rows.T * w)[0],
        (rows.T * w).dot(rows.T * w),
    )
    mean = sympy.Symbol("xbar", real=True)
    yield (
        "Cauchy: Σx² >= (Σx)²/n, by Σx = n x̄ and",
        Sum(sympy.expand((x[i] - mean) ** 2), (i, 1, n)),
        Sum(x[i] ** 2, (i, 1, n)) - 2 * mean * Sum(x[i], (i, 1, n)) + n * mean**2,
    )


def _e(y: Expr) -> Expr:
    return y * S**2 + sin(y) + defect(y) / M


def _ratio(claim: Dominance) -> Iterator[Row]:
    scale, top, below = sympy.symbols("mbar H_s e", positive=True)
    one = sympy.Symbol("H_b", positive=True)
    energy = objectives.energy_bound(claim.kernel, M, S**2)
    relu_one = objectives.kappa(claim.kernel, sympy.S.One)
    y = G**2 * PSI**2
    yield (
        "the three bounds together are m̄² e(y; s̄), y = g²ψ̄²",
        G**2 * PSI**2 * S**2 + sin(y) + defect(y) / M,
        _e(Y).subs(Y, y),
    )
    yield (
        "the greatest y, at g² = π/m², is y_c",
        y.subs(G, sympy.sqrt(pi * claim.reach) / TURN),
        pi * PSI**2 / TURN**2,
    )
    yield (
        "(m̄H/2π)² over m̄²e/2π",
        (scale * top / (2 * pi)) ** 2 / (scale**2 * below / (2 * pi)),
        top**2 / (2 * pi * below),
    )
    yield (
        "e at χ is 2πE(s), with ρ for t: (1 - 1/M) H(t) + π/M",
        (1 - 1 / M) * big_kernel(claim.kernel, claim.mean) + pi / M,
        2 * pi * energy,
    )
    yield "H²/(2π 2πE) = h²/E", (2 * pi * top) ** 2 / (2 * pi * 2 * pi * below), top**2 / below
    yield "s² - t(s)", S**2 - claim.mean, (1 - S**2) / (M - 1)
    yield "E(1) = h(1)", energy.subs(S, 1), relu_one
    yield (
        "A4 compares H(βs)²/(2πe) with H(β)²/(2π²) = h(β)²/E(1)",
        one**2 / (2 * pi**2) - top**2 / (2 * pi * below),
        (one**2 * below - pi * top**2) / (2 * pi**2 * below),
    )
    yield "for h(β) = H(β)/2π", (one / (2 * pi)) ** 2 / relu_one, one**2 / (2 * pi**2)
    yield "e(0; s) = π/M", _e(sympy.S.Zero), pi / M


def _attained(claim: Dominance) -> Iterator[Row]:
    """Equal weights on the cone, and the best scale; V = h(β²)."""
    ker = claim.kernel
    r, a, b, own = sympy.symbols("r A B V", positive=True)
    cross, energy = objectives.kappa(ker, BETA * S), objectives.energy_bound(ker, M, S**2)
    off = objectives.kappa(ker, claim.mean)
    yield "cosines of the cone", S**2 - (1 - S**2) / (M - 1), claim.mean
    yield (
        "M equal weights: (M h(βs))² over M h(1) + M(M - 1) h(t)",
        (M * cross) ** 2 / (M * objectives.kappa(ker, sympy.S.One) + M * (M - 1) * off),
        cross**2 / energy,
    )
    yield (
        "F/τ² over the scale r of the weights",
        own - 2 * r * a + r**2 * b,
        own - a**2 / b + b * (r - a / b) ** 2,
    )
    yield (
        "the cone's value",
        objectives.cone_value(ker, M, BETA),
        objectives.kappa(ker, BETA**2) - cross**2 / energy,
    )


def _order(claim: Dominance) -> Iterator[tuple[str, Expr, str]]:
    """s² >= t(s) for |s| <= 1 and M >= 2."""
    more, gap = sympy.symbols("q D", nonnegative=True)
    level = (S**2 - claim.mean).subs(S, sympy.sqrt(1 - gap)).subs(M, more + 2)
    yield "s² - t(s), with M = q + 2 and s² = 1 - D", sympy.factor(level), ">=0"
    yield "h(1)", objectives.kappa(claim.kernel, sympy.S.One), ">0"


# ---- attacks -------------------------------------------------------------------------------------


def _search(claim: Dominance, settings: Settings) -> Finding:
    """Any M up to 40, any weights and vectors, v one of the axes or the mean direction."""
    mean = sympy.lambdify((M, S), claim.mean, "numpy")

    def margin(configuration: tuple[Array, Array], beta: float, axis: int) -> float:
        c, U = configuration
        v = np.eye(U.shape[1])[axis % U.shape[1]]
        if axis > 3 and np.linalg.norm(c @ U) > 1e-9:
            v = c @ U / np.linalg.norm(c @ U)
        gram = np.clip(U @ U.T, -1, 1)
        np.fill_diagonal(gram, 1)
        with mpmath.workdps(20):
            s = float(cone_optimum(len(c), mpf(beta))[1])
        energy = 0.5 / len(c) + (1 - 1 / len(c)) * float_h(np.asarray(mean(len(c), s)))
        best = float_h(np.asarray(beta * s)) ** 2 / energy
        return float(best - (c @ float_h(beta * (U @ v))) ** 2 / (c @ float_h(gram) @ c))

    strategies = {
        "configuration": configurations(),
        "beta": st.sampled_from((1e-6, 0.2, 0.4, 1 - 1e-6)) | st.floats(1e-6, 1 - 1e-6),
        "axis": st.integers(0, 9),
    }
    return falsify(margin, strategies, settings, slack=1e-13)


def _chain_search(claim: Dominance, settings: Settings) -> Finding:
    """Two to four neurons: the bound for all y up to y_c, and J*; heights and weights at edges."""

    def margin(
        weights: list[float], heights: list[float], sides: list[float], beta: float, share: float
    ) -> float:
        n = max(2, min(len(weights), len(heights)))
        assume(len(weights) >= n and len(heights) >= n and any(weights[:n]))
        with mpmath.workdps(settings.digits):
            found = Ensemble(
                [mpf(w) for w in weights[:n]],
                [mpf(x) for x in heights[:n]],
                [_unit(sides[3 * i : 3 * i + 3]) for i in range(n)],
                mpf(beta),
            )
            ratio = found.ratio()
            top = mpf(claim.reach.p) / claim.reach.q
            gaps = [found.bound(mpf(share) * top) - ratio, found.bound(top) - ratio]
            return float(min(*gaps, cone_optimum(n, mpf(beta))[0] - ratio))

    weight = st.sampled_from((1.0, 1e-9, 0.5)) | st.floats(float(claim.least), 2)
    level = st.sampled_from((-1.0, 0.0, 1.0)) | st.floats(-1, 1)
    strategies = {
        "weights": st.lists(weight, min_size=2, max_size=4),
        "heights": st.lists(level, min_size=2, max_size=4),
        "sides": st.lists(st.sampled_from((-1.0, 0.0, 1.0)) | st.floats(-1, 1), min_size=12),
        "beta": st.sampled_from((1e-6, 0.2, 0.4, 1 - 1e-6)) | st.floats(1e-6, 1 - 1e-6),
        "share": st.sampled_from((1.0, 1e-9)) | st.floats(1e-9, 1),
    }
    return falsify(margin, strategies, settings, slack=10.0 ** (12 - settings.digits))


def _unit(entries: Sequence[float]) -> list[mpf]:
    """The direction of three numbers; the first axis for zero."""
    vector = [mpf(x) for x in entries]
    size = mpmath.sqrt(mpmath.fdot(vector, vector))
    return [x / size for x in vector] if size else [mpf(1), mpf(0), mpf(0)]


def _descent(claim: Dominance, settings: Settings) -> Finding:
    """Two and three neurons, from the optimal cone and from corners, downwards in the margin."""

    def two(beta: mpf, a: mpf, b: mpf, w: mpf, turn: mpf) -> mpf:
        e = [[mpf(1), mpf(0)], [mpmath.cos(turn), mpmath.sin(turn)]]
        return _least_gap(Ensemble((w, 1 - w), (a, b), e, beta), claim)

    def three(beta: mpf, a: mpf, b: mpf, w: mpf, turn: mpf) -> mpf:
        e = [[mpmath.cos(k * turn), mpmath.sin(k * turn)] for k in range(3)]
        return _least_gap(Ensemble((w, w, 1 - w), (a, a, b), e, beta), claim)

    with mpmath.workdps(settings.digits):
        sides = {
            "beta": (mpf(1) / 1000, 1 - mpf(1) / 1000),
            "a": (-1, 1),
            "b": (-1, 1),
            "w": (mpf(1) / 1000, 1 - mpf(1) / 1000),
            "turn": (0, mpmath.pi),
        }
        starts = [(0.2, 0.74, 0.74, 0.5, 1), (0.01, 0.5, 0.5, 0.5, 1), (0.99, 1, 0, 0.5, 0)]
        third = [(0.4, 0.784, 0.784, 0.333, 2 / 3)]
    return combine(
        descend(two, sides, settings, starts, drawn=1),
        descend(three, sides, settings, third, drawn=0),
    )


def _optimiser(claim: Dominance, settings: Settings) -> Finding:
    """L-BFGS on F, with generated code, from random starts: never below the cone, and some at it.

    τ = 1, v the first axis, and one dimension more than neurons.
    """
    module = generate(claim.kernel.left).load()
    rng = np.random.default_rng(settings.seed)
    worst, reached, runs = np.inf, 0, 0
    for m, beta in ((2, 0.2), (3, 0.4), (3, 0.9), (6, 0.3), (9, 0.7)):
        mu = beta * np.eye(m + 1)[0]
        with mpmath.workdps(20):
            least = float(true_h(mpf(beta) ** 2) - cone_optimum(m, mpf(beta))[0])

        def objective(x: Array, mu: Array = mu, m: int = m) -> tuple[float, Array]:
            value, slope, _ = module.simplified_and_grad(1.0, mu, x.reshape(m, m + 1))
            return value, slope.ravel()

        for _ in range(3):
            start = rng.standard_normal(m * (m + 1))
            options: Any = {"maxiter": 3000, "ftol": 1e-16, "gtol": 1e-12}
            found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
            worst, runs = min(worst, found.fun - least), runs + 1
            reached += abs(found.fun - least) < 1e-9
    figure = f"{runs} runs, {reached} of them at the cone's value, least excess {worst:.2g}"
    good = worst > -1e-12 and reached > 0
    return Finding(Outcome.HOLDS if good else Outcome.FAILS, figure, runs, runs, runs)


def _least_gap(found: Ensemble, claim: Dominance) -> mpf:
    ratio, top = found.ratio(), mpf(claim.reach.p) / claim.reach.q
    return min(cone_optimum(len(found.c), found.beta)[0], found.bound(top)) - ratio


E4 = Claim(
    id="E4",
    title="ETF theorem, every β, nonnegative outer weights",
    statement=(
        r"\text{ReLU},\ 0\le\beta\le1,\ M\ge2,\ |u_j|=|v|=1,\ s_j=\langle v,u_j\rangle,\ c_j\ge0"
        r"\text{ not all }0:\quad\Bigl(\sum_{j=1}^Mc_jh(\beta s_j)\Bigr)^2\le J^*\sum_{i,j=1}^M"
        r"c_ic_jh(\langle u_i,u_j\rangle),\ J^*=\max_{|s|\le1}\frac{h(\beta s)^2}{E(s)},\ E(s)="
        r"\frac{h(1)}M+\Bigl(1-\frac1M\Bigr)h\Bigl(\frac{Ms^2-1}{M-1}\Bigr);\quad\text{hence }"
        r"F\ge\tau^2\bigl(h(\beta^2)-J^*\bigr),\text{ attained for }d\ge M\text{ by the "
        r"equiangular cone }\theta_j=r(s^*v+\sqrt{1-s^{*2}}\,e_j),\ e_j\text{ a simplex "
        r"orthogonal to }v"
    ),
    source=(
        "theory.md E4, this project's reconstruction of the abstract's conjecture. The proof was "
        "found in this project; it rests on A1 to A4, and through V1 and V2 on ball arithmetic; "
        "nobody outside the project has refereed it"
    ),
    subject=dominance,
    evidence=(
        Evidence(Kind.PROOF, "assembled from A1, A2, A3a, A3b and A4, every M and β", _proof),
        Evidence(Kind.PROPERTY, "search for a better network, M <= 40", _search),
        Evidence(Kind.PROPERTY, "search along the proof, 2 to 4 neurons, 50 digits", _chain_search),
        Evidence(Kind.PROPERTY, "descent from the optimum, 2 and 3 neurons, 50 digits", _descent),
        Evidence(Kind.PROPERTY, "L-BFGS on F from random starts, M <= 9", _optimiser),
    ),
    mutants=(
        Mutant("g² up to 2π/m²", lambda c: replace(c, reach=Rational(2))),
        Mutant("weights from -3", lambda c: replace(c, least="-3")),
        Mutant("t(s) with M - 1 for M", lambda c: replace(c, mean=((M - 1) * S**2 - 1) / (M - 2))),
        Mutant("the kernel of the sign", lambda c: replace(c, kernel=dual_kernel("sign"))),
    ),
    depends_on=("A1", "A2", "A3a", "A3b", "A4"),
)


CLAIMS: tuple[Claim[Any], ...] = (E4,)
