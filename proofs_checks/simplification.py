"""Claims S0-S2: the exact loss, the simplified objective, the mean loss (theory.md section 3)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement
from math import factorial, prod
from types import ModuleType
from typing import Any

import flint
import numpy as np
import sympy
from hypothesis import strategies as st
from mpmath import fsum, mpf, workdps
from numpy.typing import NDArray
from sympy import Indexed, IndexedBase, Rational, Sum, Symbol

import symcomp
from proofs_checks import oracles, strategies
from proofs_checks.checks import agreement, falsify, identities
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from symcomp.balls import ball, exact, to_mpf
from symcomp.kernels import DualKernel
from symcomp.objectives import (
    MU,
    TAU,
    M,
    N,
    kernel_at,
    population_loss,
    simplified_objective,
)

Array = NDArray[np.float64]
Exact = tuple[tuple[Fraction, ...], ...]
Rows = Iterator[tuple[str, sympy.Expr, sympy.Expr]]

_SOURCE = "theory.md section 3, this project's reconstruction"
# A vanishing norm is the square root of a cancelled sum: eps^(1/2), not eps.
_ROOT_OF_ROUNDING = 1e-6


# ---- formulas in N, M and inner products, and their values ---------------------------------------


@dataclass(frozen=True)
class Formula:
    """A claimed value of a loss: sums over neurons of the kernel of inner products."""

    kernel: DualKernel
    expr: sympy.Expr

    def value(self, numbers: Mapping[str, Any], digits: int) -> mpf:
        """The formula at exact numbers, correct to `digits` digits.

        `numbers` maps the name of each symbol to its value, of each indexed family to a nested
        list; N and M are among them.
        """
        expr, atoms = _spelled_out(self.expr, numbers["N"], numbers["M"])
        values = {symbol: exact(_entry(numbers[name], at)) for symbol, name, at in atoms}
        # At |ρ| = 1 the arcsine keeps only half of the digits: four times as many leave plenty.
        with flint.ctx.workprec(14 * digits + 64):
            return to_mpf(ball(expr, values))


@cache
def _spelled_out(
    formula: sympy.Expr, n: int, m: int
) -> tuple[sympy.Expr, tuple[tuple[Symbol, str, tuple[int, ...]], ...]]:
    """The sums for N = n, M = m written out, and (symbol, name, indices) of each of its atoms."""
    expr = formula.subs({N: n, M: m}).doit()
    indexed = sorted(expr.atoms(Indexed), key=str)
    plain = {atom: sympy.Dummy(str(atom), real=True) for atom in indexed}
    atoms = [(plain[a], str(a.base.label), tuple(int(k) for k in a.indices)) for a in indexed]
    expr = expr.xreplace(plain)
    own = expr.free_symbols - set(plain.values())
    return expr, (*atoms, *((symbol, symbol.name, ()) for symbol in own))


def _entry(family: Any, indices: tuple[int, ...]) -> Any:
    for k in indices:
        family = family[k - 1]  # SymPy's sums start at 1
    return family


def _gram(U: Sequence[Sequence[Any]], V: Sequence[Sequence[Any]]) -> list[list[flint.fmpq]]:
    rows, columns = ([[exact(x) for x in row] for row in side] for side in (U, V))
    return [[_dot(u, v) for v in columns] for u in rows]


def _dot(u: Sequence[flint.fmpq], v: Sequence[flint.fmpq]) -> flint.fmpq:
    return sum((x * y for x, y in zip(u, v, strict=True)), flint.fmpq(0))


def _changed(name: str, change: Callable[[sympy.Expr], sympy.Expr]) -> Mutant[Formula]:
    return Mutant(name, lambda f: replace(f, expr=change(f.expr)))


def _scaled(kind: str, factor: sympy.Expr) -> Callable[[sympy.Expr], sympy.Expr]:
    """Multiply one term of a formula."""
    return lambda expr: sympy.Add(
        *(term * factor if _kind(term) == kind else term for term in sympy.Add.make_args(expr))
    )


def _kind(term: sympy.Expr) -> str:
    """The outer weights of a term, one letter a sum: "aa", "ab", "bb", "b", or "" without sums."""
    if not term.has(Sum):
        return ""
    (total,) = term.atoms(Sum)
    names = sorted({str(base.label) for base in total.atoms(IndexedBase)} & {"a", "b"})
    return "ab" if len(names) == 2 else names[0] * len(total.limits)


def _term_rows(
    formula: Formula, kind: str, value: Callable[..., sympy.Expr], ends: tuple[Symbol, ...]
) -> Rows:
    """The term of this kind: its ranges, and its summand (coefficient included) against `value`."""
    (term,) = (t for t in sympy.Add.make_args(formula.expr) if _kind(t) == kind)
    coefficient, total = term.as_independent(Sum)
    indices = []
    for (index, first, last), end in zip(total.limits, ends, strict=True):
        indices.append(index)
        yield f"{kind}: sum from 1", first, sympy.S.One
        yield f"{kind}: sum to {end}", last, end
    yield f"{kind}: coefficient times K", coefficient * total.function, value(*indices)


# ---- S0: the exact loss --------------------------------------------------------------------------


@dataclass(frozen=True)
class Networks:
    """Two mean networks with exact weights."""

    label: str
    W: Exact
    Theta: Exact
    a: tuple[Fraction, ...]
    b: tuple[Fraction, ...]

    @property
    def numbers(self) -> dict[str, Any]:
        """What `Formula.value` needs."""
        return {
            "N": len(self.W),
            "M": len(self.Theta),
            "a": self.a,
            "b": self.b,
            r"{(WW^\top)}": _gram(self.W, self.W),
            r"{(W\Theta^\top)}": _gram(self.W, self.Theta),
            r"{(\Theta\Theta^\top)}": _gram(self.Theta, self.Theta),
        }


def _networks(label: str, W: str, Theta: str, a: str = "", b: str = "") -> Networks:
    """Rows and entries from text: "1 2, 1/2 -1" are two rows; outer weights are 1 if not given."""
    w, t = _rows(W), _rows(Theta)
    (outer_a,), (outer_b,) = (_rows(a or "1 " * len(w)), _rows(b or "1 " * len(t)))
    return Networks(label, w, t, outer_a, outer_b)


def _rows(text: str) -> Exact:
    return tuple(tuple(Fraction(x) for x in row.split()) for row in text.split(","))


PAIRS = (
    _networks("generic", "1 2, 3/10 -1", "-1 1, 2 1"),
    _networks("signed outer weights", "1 2, -3/2 1, 1 0", "-1 1, 2 1/2", "1 -2 3", "1/2 -3"),
    _networks("opposite neurons", "1 2, -1 -2", "1/2 1, -2 -4", "1 1", "1 -1"),
    _networks("copies", "1 2, 3 -1", "3 -1, 1 2, 1 2, 3 -1"),
    _networks("parallel neurons merged", "1 2, 2 4", "3/2 3"),
    _networks("almost opposite", "1 0, -1 1/1000000000000", "0 1"),
    _networks("three dimensions", "1 2 1, 3/10 -1 1", "-1 1 2", "1 -2", "3/2"),
)


def exact_loss() -> Formula:
    """The formula (S0) for ReLU, as derived."""
    ker = symcomp.dual_kernel("relu")
    return Formula(ker, population_loss(ker))


@cache
def _loss_oracle(pair: Networks, digits: int) -> mpf:
    return oracles.loss_by_quadrature(pair.W, pair.Theta, pair.a, pair.b, digits=digits)


def _loss_against_integral(loss: Formula, settings: Settings) -> Finding:
    rows = [
        (pair.label, loss.value(pair.numbers, settings.digits), _loss_oracle(pair, settings.digits))
        for pair in PAIRS
    ]
    return agreement(rows, settings.digits)


_a, _b = IndexedBase("a"), IndexedBase("b")
_WW, _WT, _TT = (
    IndexedBase(name) for name in (r"{(WW^\top)}", r"{(W\Theta^\top)}", r"{(\Theta\Theta^\top)}")
)


def _square_of_difference(loss: Formula, _: Settings) -> Finding:
    """E (f_N - f̂)² for all N and M, with E σ(<u,x>) σ(<v,x>) = K(u, v), a linear mean and
    (Σ A_i - Σ B_j)² = ΣΣ A A' - 2 ΣΣ A B + ΣΣ B B'; the last is expanded once, for N = M = 4.
    """

    def own(outer: IndexedBase, gram: IndexedBase, count: Symbol) -> Callable[..., sympy.Expr]:
        return lambda i, j: (
            (outer[i] / count)
            * (outer[j] / count)
            * kernel_at(loss.kernel, gram[i, i], gram[j, j], gram[i, j])
        )

    def cross(i: Symbol, j: Symbol) -> sympy.Expr:
        pair = kernel_at(loss.kernel, _WW[i, i], _TT[j, j], _WT[i, j])
        return -2 * (_a[i] / N) * (_b[j] / M) * pair

    return identities(
        [
            _distributive_law(4),
            *_term_rows(loss, "aa", own(_a, _WW, N), (N, N)),
            *_term_rows(loss, "ab", cross, (N, M)),
            *_term_rows(loss, "bb", own(_b, _TT, M), (M, M)),
        ]
    )


def _distributive_law(n: int) -> tuple[str, sympy.Expr, sympy.Expr]:
    A, B = sympy.symbols(f"A:{n}"), sympy.symbols(f"B:{n}")
    double = sum(p * q for p in A for q in A) + sum(p * q for p in B for q in B)
    return "the square", (sum(A) - sum(B)) ** 2, double - 2 * sum(p * q for p in A for q in B)


@cache
def _generated() -> ModuleType:
    return symcomp.generate("relu").load()


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Array, Array, Array, Array]:
    """W, Θ, a, b in one dimension, small enough to be summed exactly."""
    d = draw(st.integers(1, 3))
    W, a = draw(strategies.networks(N=draw(st.integers(1, 3)), d=d))
    Theta, b = draw(strategies.networks(N=draw(st.integers(1, 3)), d=d))
    if draw(st.booleans()):  # the same neurons on both sides: the loss may vanish
        Theta = W
        b = a if draw(st.booleans()) else a + 1e-6
    return W, Theta, a, b


def _generated_loss(loss: Formula, settings: Settings) -> Finding:
    """The generated module's loss is the formula to 1e-12 of the networks' size, never negative."""
    module = _generated()

    def margin(networks: tuple[Array, Array, Array, Array]) -> float:
        W, Theta, a, b = networks
        found = float(module.loss(W, Theta, a, b))
        size = (_size(W, a) + _size(Theta, b)) ** 2
        if size == 0:
            return -abs(found)
        wanted = loss.value(_without_zeros(*networks).numbers, 20)
        return min(found / size, 1e-12 - abs(found - float(wanted)) / size)

    return falsify(margin, {"networks": _pairs()}, settings)


def _size(W: Array, a: Array) -> float:
    return float(np.abs(a) @ np.linalg.norm(W, axis=1)) / len(W)


def _without_zeros(W: Array, Theta: Array, a: Array, b: Array) -> Networks:
    """The same networks for a formula that divides by norms: a zero row is any row of weight 0."""
    sides = []
    for rows, outer in ((W, a), (Theta, b)):
        zero = np.linalg.norm(rows, axis=1) == 0
        sides.append((np.where(zero[:, np.newaxis], 1.0, rows), np.where(zero, 0.0, outer)))
    (W, a), (Theta, b) = sides
    return Networks("", _exactly(W), _exactly(Theta), *(_exactly([v])[0] for v in (a, b)))


def _exactly(rows: Iterable[Iterable[float]]) -> Exact:
    return tuple(tuple(Fraction(float(x)) for x in row) for row in rows)


def _even_half_negated(f: Formula) -> Formula:
    """κ with arcsin|ρ|: right for ρ >= 0, but a pair at ρ = -1 has the value -|u|²/2."""
    kernel = replace(f.kernel, expr=f.kernel.expr.replace(sympy.asin, _asin_of_modulus))
    return Formula(f.kernel, population_loss(kernel))


def _asin_of_modulus(x: sympy.Expr) -> sympy.Expr:
    return sympy.asin(abs(x))


S0 = Claim(
    id="S0",
    title="The exact loss between two networks (ReLU)",
    statement=(
        r"L_N=\mathbb{E}(f_N-\hat f)^2=\tfrac1{N^2}\sum_{ii'}a_ia_{i'}K(w_i,w_{i'})"
        r"-\tfrac2{NM}\sum_{ij}a_ib_jK(w_i,\theta_j)"
        r"+\tfrac1{M^2}\sum_{jj'}b_jb_{j'}K(\theta_j,\theta_{j'})"
    ),
    source=f"{_SOURCE}, (S0)",
    subject=exact_loss,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: every term of the expanded square, symbolic N and M",
            _square_of_difference,
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: the formula against ∫ (f_N - f̂)² over the circle and the sphere",
            _loss_against_integral,
        ),
        Evidence(
            Kind.PROPERTY,
            "Hypothesis: the generated NumPy loss against the formula",
            _generated_loss,
        ),
    ),
    mutants=(
        _changed("cross term without the factor 2", _scaled("ab", Rational(1, 2))),
        _changed("1/N in place of 1/N²", _scaled("aa", N)),
        Mutant("a pair at ρ = -1 valued -|u|²/2", _even_half_negated),
    ),
    depends_on=("K1",),
)


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
            r"{(\Theta\mu)}": [row[0] for row in _gram(self.Theta, [self.mu])],
            r"{(\Theta\Theta^\top)}": _gram(self.Theta, self.Theta),
        }


def _mean_target(label: str, tau: str, mu: str, norm: str, Theta: str, b: str) -> MeanTarget:
    return MeanTarget(label, Fraction(tau), _rows(mu)[0], Fraction(norm), _rows(Theta), _rows(b)[0])


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

    first = sympy.Add(*(t for t in sympy.Add.make_args(objective.expr) if not _kind(t)))
    return identities(
        [
            ("Var V = |θ|²", cov(V, V), t1**2 + t2**2),
            ("Cov(U, V) = <μ,θ>", cov(U, V), MU * t1),
            ("E g² = E σ(U) σ(U')", first, kernel(cov(U, U), cov(U2, U2), cov(U, U2))),
            *_term_rows(
                objective,
                "b",
                lambda j: -2 * _b[j] / M * kernel(cov(U, U), _TT[j, j], along[j]),
                (M,),
            ),
            *_term_rows(
                objective,
                "bb",
                lambda i, j: _b[i] * _b[j] / M**2 * kernel(_TT[i, i], _TT[j, j], _TT[i, j]),
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
        _changed("β in place of β² in E g²", lambda e: e.xreplace({MU: sympy.sqrt(TAU * MU)})),
        _changed("cross term without the factor 2", _scaled("b", Rational(1, 2))),
        _changed("1/M in place of 1/M²", _scaled("bb", M)),
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
        gram = _gram(self.w, self.w)
        K = symcomp.dual_kernel("relu").evaluate
        n = len(self.w)
        pairs = [
            [K(gram[i][i], gram[j][j], gram[i][j], digits) for j in range(n)] for i in range(n)
        ]
        return fsum(pairs[i][i] for i in range(n)) / n, fsum(map(fsum, pairs)) / n**2

    def draws(self) -> Iterator[tuple[Fraction, tuple[int, ...]]]:
        """Every set of N neurons with its probability."""
        n = len(self.w)
        for chosen in combinations_with_replacement(range(n), self.N):
            ways = factorial(self.N) // prod(factorial(chosen.count(k)) for k in set(chosen))
            yield Fraction(ways, n**self.N), chosen


def _law(label: str, w: str, a: str, n: int, Theta: str, b: str) -> FiniteLaw:
    return FiniteLaw(label, _rows(w), _rows(a)[0], n, _rows(Theta), _rows(b)[0])


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

CLAIMS: tuple[Claim[Any], ...] = (S0, S1, S2)
