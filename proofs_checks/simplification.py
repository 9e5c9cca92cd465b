"""Claims S1 and S2: the simplified objective and the mean loss (theory.md section 3), ReLU."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import Any

import sympy
from mpmath import fsum, mpf, workdps
from sympy import IndexedBase, Rational, Symbol

import symcomp
from proofs_checks import oracles
from proofs_checks.checks import agreement, identities
from proofs_checks.exact_loss import OUTER_B, THETA_GRAM
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from proofs_checks.loss_formulas import (
    Exact,
    Formula,
    changed,
    gram,
    kind_of,
    rows_of,
    scaled,
    term_rows,
)
from symcomp.objectives import MU, TAU, M, N, kernel_at, simplified_objective

_SOURCE = "theory.md section 3, this project's reconstruction"


# ---- S1: the simplified objective ----------------------------------------------------------------


@dataclass(frozen=True)
class MeanTarget:
    """τ, μ and one compressed network in the plane, |μ| rational."""

    label: str
    tau: Fraction
    mu: tuple[Fraction, ...]
    norm: Fraction
    Theta: Exact
    b: tuple[Fraction, ...]

    @property
    def numbers(self) -> dict[str, Any]:
        """What `Formula.value` needs."""
        return {
            "N": 1,
            "M": len(self.Theta),
            "b": self.b,
            TAU.name: self.tau,
            MU.name: self.norm,
            r"{(\Theta\mu)}": [row[0] for row in gram(self.Theta, [self.mu])],
            r"{(\Theta\Theta^\top)}": gram(self.Theta, self.Theta),
        }


def _mean_target(label: str, tau: str, mu: str, norm: str, Theta: str, b: str) -> MeanTarget:
    return MeanTarget(
        label, Fraction(tau), rows_of(mu)[0], Fraction(norm), rows_of(Theta), rows_of(b)[0]
    )


TARGETS = (
    _mean_target("|μ| = 2τ/3", "3/2", "3/5 4/5", "1", "1 -1/5, -1 2", "1 -1/3"),
    _mean_target("μ = 0", "1", "0 0", "0", "1 -1/5", "1"),
    _mean_target("|μ| = τ", "1", "1 0", "1", "1 1/2, 1 -1/2", "1 1"),
)


def simplified() -> Formula:
    """The formula (S1) for ReLU, as derived."""
    ker = symcomp.dual_kernel("relu")
    return Formula(ker, simplified_objective(ker))


@cache
def _simplified_oracle(target: MeanTarget, digits: int) -> mpf:
    return oracles.simplified_by_quadrature(
        target.tau, target.mu, target.Theta, target.b, digits=digits
    )


def _simplified_against_integral(objective: Formula, settings: Settings) -> Finding:
    digits = settings.digits
    rows = [
        (t.label, objective.value(t.numbers, digits), _simplified_oracle(t, digits))
        for t in TARGETS
    ]
    return agreement(rows, digits)


def _covariances(objective: Formula, _: Settings) -> Finding:
    """E g² and E g f̂ are kernels of Gaussian forms whose covariances SymPy computes.

    With x_1 along μ: g(x) = E_ζ σ(U), U = |μ| x_1 + √(τ²-|μ|²) ζ, and g(x)² = E σ(U) σ(U') with an
    independent ζ' in U'; a neuron is σ(V), V = t_1 x_1 + t_2 x_2, so that <μ,θ> = |μ| t_1.
    """
    noise = x1, x2, z, z2 = sympy.symbols("x1 x2 zeta zeta'", real=True)
    t1, t2 = sympy.symbols("t1 t2", real=True)
    spread = sympy.sqrt(TAU**2 - MU**2)
    U, U2, V = MU * x1 + spread * z, MU * x1 + spread * z2, t1 * x1 + t2 * x2
    along = IndexedBase(r"{(\Theta\mu)}")

    def cov(left: sympy.Expr, right: sympy.Expr) -> sympy.Expr:
        """Of linear forms in independent standard Gaussians."""
        return sympy.expand(sum(sympy.diff(left, n) * sympy.diff(right, n) for n in noise))

    def kernel(qu: sympy.Expr, qv: sympy.Expr, c: sympy.Expr) -> sympy.Expr:
        return kernel_at(objective.kernel, qu, qv, c)

    first = sympy.Add(*(t for t in sympy.Add.make_args(objective.expr) if not kind_of(t)))
    return identities(
        [
            ("Var V = |θ|²", cov(V, V), t1**2 + t2**2),
            ("Cov(U, V) = <μ,θ>", cov(U, V), MU * t1),
            ("E g² = E σ(U) σ(U')", first, kernel(cov(U, U), cov(U2, U2), cov(U, U2))),
            *term_rows(
                objective,
                "b",
                lambda j: -2 * OUTER_B[j] / M * kernel(cov(U, U), THETA_GRAM[j, j], along[j]),
                (M,),
            ),
            *term_rows(
                objective,
                "bb",
                lambda i, j: (
                    OUTER_B[i]
                    * OUTER_B[j]
                    / M**2
                    * kernel(THETA_GRAM[i, i], THETA_GRAM[j, j], THETA_GRAM[i, j])
                ),
                (M, M),
            ),
        ]
    )


S1 = Claim(
    id="S1",
    title="The simplified objective (ReLU)",
    statement=(
        r"F=|g-\hat f|^2=K^\circ(\tau^2,\tau^2,|\mu|^2)"
        r"-\tfrac2M\sum_jb_jK^\circ(\tau^2,|\theta_j|^2,\langle\mu,\theta_j\rangle)"
        r"+\tfrac1{M^2}\sum_{jj'}b_jb_{j'}K(\theta_j,\theta_{j'}),\quad "
        r"g(x)=\mathbb{E}_\zeta\,\sigma\bigl(\langle\mu,x\rangle+\sqrt{\tau^2-|\mu|^2}\,\zeta\bigr)"
    ),
    source=f"{_SOURCE}, (S1)",
    subject=simplified,
    evidence=(
        Evidence(
            Kind.PROOF, "SymPy: covariances of the forms behind g and f̂, symbolic M", _covariances
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: the formula against ∫ (g - f̂)² over x, ζ and ζ'",
            _simplified_against_integral,
        ),
    ),
    mutants=(
        changed("β in place of β² in E g²", lambda e: e.xreplace({MU: sympy.sqrt(TAU * MU)})),
        changed("cross term without the factor 2", scaled("b", Rational(1, 2))),
        changed("1/M in place of 1/M²", scaled("bb", M)),
    ),
    depends_on=("K1", "S0"),
)


# ---- S2: the mean over the target ----------------------------------------------------------------

_D, _O, _C, _T = sympy.symbols("D O C T", real=True)  # E K(w,w), E K(w,w'), E K(w,f̂), |f̂|²
_A1, _A2 = Symbol("A1", real=True), Symbol("A2", positive=True)  # E a, E a²


@dataclass(frozen=True)
class Excess:
    """E_w L_N - F_d in terms of D = E K(w,w), O = E K(w,w'), A1 = E a, A2 = E a² and N."""

    expr: sympy.Expr


def _excess() -> Excess:
    return Excess((_A2 * _D - _A1**2 * _O) / N)


def _mean_of_double_sum(excess: Excess, _: Settings) -> Finding:
    """i.i.d. neurons: in the N² pairs of (S0) each i meets itself once and N - 1 others.

    |ḡ|² = (E a)² E K(w,w') with independent w, w', by Fubini: the same in F_d, where N is gone.
    """
    i, j = sympy.symbols("i j", integer=True, positive=True)
    others = _A1**2 * _O * (sympy.summation(1, (j, 1, i - 1)) + sympy.summation(1, (j, i + 1, N)))
    target = sympy.summation(_A2 * _D + others, (i, 1, N)) / N**2
    cross = 2 * sympy.summation(_A1 * _C, (i, 1, N)) / N
    limit = _A1**2 * _O - 2 * _A1 * _C + _T
    return identities([("E L_N - F_d", target - cross + _T - limit, excess.expr)])


@dataclass(frozen=True)
class FiniteLaw:
    """Equally likely neurons (a, w) in the plane, N of them drawn, and one compressed network."""

    label: str
    w: Exact
    a: tuple[Fraction, ...]
    N: int
    Theta: Exact
    b: tuple[Fraction, ...]

    def kernel_means(self, digits: int) -> tuple[mpf, mpf]:
        """E K(w, w) and E K(w, w') for independent w, w', by enumeration."""
        at = gram(self.w, self.w)
        K = symcomp.dual_kernel("relu").evaluate
        n = len(self.w)
        pairs = [[K(at[i][i], at[j][j], at[i][j], digits) for j in range(n)] for i in range(n)]
        return fsum(pairs[i][i] for i in range(n)) / n, fsum(map(fsum, pairs)) / n**2

    def draws(self) -> Iterator[tuple[Fraction, tuple[int, ...]]]:
        """Every set of N neurons with its probability."""
        n = len(self.w)
        for chosen in combinations_with_replacement(range(n), self.N):
            ways = factorial(self.N) // prod(factorial(chosen.count(k)) for k in set(chosen))
            yield Fraction(ways, n**self.N), chosen


def _law(label: str, w: str, a: str, n: int, Theta: str, b: str) -> FiniteLaw:
    return FiniteLaw(label, rows_of(w), rows_of(a)[0], n, rows_of(Theta), rows_of(b)[0])


LAWS = (
    _law("Rademacher, N = 2", "1 1, 1 -1, -1 1, -1 -1", "1 1 1 1", 2, "1 0, -1 2", "1 1"),
    _law("Rademacher with a mean, N = 2", "2 3, 2 1, 0 3, 0 1", "1 1 1 1", 2, "1 1, 3 1/2", "2 -1"),
    _law("skewed, N = 3", "3 0, -1 1, -1 -1/2", "1 1 1", 3, "1 2", "1"),
    _law("random outer weights, N = 2", "1 1, 1 -1, 1 1, 1 -1", "2 2 -1 -1", 2, "1 0, 0 1", "1 1"),
)


@cache
def _mean_loss_and_limit(law: FiniteLaw, digits: int) -> tuple[mpf, mpf]:
    """E_w L_N and F_d, every loss an integral over the circle; the mean target is a network too."""

    def loss(chosen: Sequence[int]) -> mpf:
        W, a = [law.w[k] for k in chosen], [law.a[k] for k in chosen]
        return oracles.loss_by_quadrature(W, law.Theta, a, law.b, digits=digits)

    mean = fsum(loss(chosen) * p.numerator / p.denominator for p, chosen in law.draws())
    return mean, loss(range(len(law.w)))


def _enumerated_targets(excess: Excess, settings: Settings) -> Finding:
    digits = settings.digits
    with workdps(digits + 15):
        return agreement([_enumerated(excess, law, digits) for law in LAWS], digits)


def _enumerated(excess: Excess, law: FiniteLaw, digits: int) -> tuple[str, mpf, mpf]:
    mean, limit = _mean_loss_and_limit(law, digits)
    same, other = law.kernel_means(digits + 15)
    n = len(law.a)
    A1, A2 = Rational(sum(law.a)) / n, Rational(sum(x * x for x in law.a)) / n
    value = sympy.lambdify((_D, _O), excess.expr.subs({N: law.N, _A1: A1, _A2: A2}), "mpmath")
    return law.label, limit + value(same, other), mean


S2 = Claim(
    id="S2",
    title="The mean of the loss over the target",
    statement=(
        r"\mathbb{E}_wL_N(\theta)=F_d(\theta)+\tfrac VN,\ V=\mathbb{E}K(w,w)-\mathbb{E}K(w,w');"
        r"\ \text{with i.i.d. }(a_i,w_i),\ a\text{ independent of }w:\ "
        r"V=\mathbb{E}a^2\,\mathbb{E}K(w,w)-(\mathbb{E}a)^2\,\mathbb{E}K(w,w')"
    ),
    source=f"{_SOURCE}, S2",
    subject=_excess,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: the double sum over i.i.d. neurons, symbolic N",
            _mean_of_double_sum,
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: all targets of finite laws enumerated, each loss an integral",
            _enumerated_targets,
            covers="four laws of finite support, d = 2, N = 2, 3",
        ),
    ),
    mutants=(
        Mutant("V/(N-1)", lambda e: Excess(e.expr * N / (N - 1))),
        Mutant("V without its second term", lambda e: Excess(e.expr.subs(_O, 0))),
        Mutant("minus V/N", lambda e: Excess(-e.expr)),
        Mutant("outer weights only rescale", lambda e: Excess(e.expr.subs(_A2, _A1**2))),
    ),
    depends_on=("S0",),
)

CLAIMS: tuple[Claim[Any], ...] = (S1, S2)
