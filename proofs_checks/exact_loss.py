"""Claims S0 and S0c: the exact loss between two networks, as a formula (theory.md section 3)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import prod
from types import ModuleType
from typing import Any

import flint
import numpy as np
import sympy
from hypothesis import strategies as st
from mpmath import mpf
from numpy.typing import NDArray
from sympy import Indexed, IndexedBase, Rational, Sum, Symbol

import symcomp
from proofs_checks import oracles, strategies
from proofs_checks.checks import agreement, falsify, identities
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Settings
from symcomp.balls import ball, exact, rational, to_mpf
from symcomp.catalogue import Activation
from symcomp.kernels import DualKernel
from symcomp.objectives import (
    M,
    N,
    kernel_at,
    population_loss,
)

Array = NDArray[np.float64]
Exact = tuple[tuple[Fraction, ...], ...]
Rows = Iterator[tuple[str, sympy.Expr, sympy.Expr]]

_SOURCE = "theory.md section 3, this project's reconstruction"


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
        expr, atoms = spelled_out(self.expr, numbers["N"], numbers["M"])
        values = {symbol: exact(entry(numbers[name], at)) for symbol, name, at in atoms}
        # At |ρ| = 1 the arcsine keeps only half of the digits: four times as many leave plenty.
        with flint.ctx.workprec(14 * digits + 64):
            return to_mpf(ball(expr, values))


@cache
def spelled_out(
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


def entry(family: Any, indices: tuple[int, ...]) -> Any:
    """The member of a nested list at these indices, which start at 1 as in SymPy's sums."""
    for k in indices:
        family = family[k - 1]
    return family


def gram(U: Sequence[Sequence[Any]], V: Sequence[Sequence[Any]]) -> list[list[flint.fmpq]]:
    """The inner products of the rows, exact."""
    rows, columns = ([[exact(x) for x in row] for row in side] for side in (U, V))
    return [[_dot(u, v) for v in columns] for u in rows]


def _dot(u: Sequence[flint.fmpq], v: Sequence[flint.fmpq]) -> flint.fmpq:
    return sum((x * y for x, y in zip(u, v, strict=True)), flint.fmpq(0))


def changed(name: str, change: Callable[[sympy.Expr], sympy.Expr]) -> Mutant[Formula]:
    """The claim with another formula."""
    return Mutant(name, lambda f: replace(f, expr=change(f.expr)))


def scaled(kind: str, factor: sympy.Expr) -> Callable[[sympy.Expr], sympy.Expr]:
    """Multiply one term of a formula."""
    return lambda expr: sympy.Add(
        *(term * factor if kind_of(term) == kind else term for term in sympy.Add.make_args(expr))
    )


def kind_of(term: sympy.Expr) -> str:
    """The outer weights of a term, one letter a sum: "aa", "ab", "bb", "b", or "" without sums."""
    if not term.has(Sum):
        return ""
    (total,) = term.atoms(Sum)
    names = sorted({str(base.label) for base in total.atoms(IndexedBase)} & {"a", "b"})
    return "ab" if len(names) == 2 else names[0] * len(total.limits)


def term_rows(
    formula: Formula, kind: str, value: Callable[..., sympy.Expr], ends: tuple[Symbol, ...]
) -> Rows:
    """The term of this kind: its ranges, and its summand (coefficient included) against `value`."""
    (term,) = (t for t in sympy.Add.make_args(formula.expr) if kind_of(t) == kind)
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
            r"{(WW^\top)}": gram(self.W, self.W),
            r"{(W\Theta^\top)}": gram(self.W, self.Theta),
            r"{(\Theta\Theta^\top)}": gram(self.Theta, self.Theta),
        }


def _networks(label: str, W: str, Theta: str, a: str = "", b: str = "") -> Networks:
    """Rows and entries from text: "1 2, 1/2 -1" are two rows; outer weights are 1 if not given."""
    w, t = rows_of(W), rows_of(Theta)
    (outer_a,), (outer_b,) = (rows_of(a or "1 " * len(w)), rows_of(b or "1 " * len(t)))
    return Networks(label, w, t, outer_a, outer_b)


def rows_of(text: str) -> Exact:
    """Rows of exact numbers from text: "1 2, 1/2 -1" are two."""
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


OUTER_A, OUTER_B = IndexedBase("a"), IndexedBase("b")
_WW, _WT, THETA_GRAM = (
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
        pair = kernel_at(loss.kernel, _WW[i, i], THETA_GRAM[j, j], _WT[i, j])
        return -2 * (OUTER_A[i] / N) * (OUTER_B[j] / M) * pair

    return identities(
        [
            _distributive_law(4),
            *term_rows(loss, "aa", own(OUTER_A, _WW, N), (N, N)),
            *term_rows(loss, "ab", cross, (N, M)),
            *term_rows(loss, "bb", own(OUTER_B, THETA_GRAM, M), (M, M)),
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
        changed("cross term without the factor 2", scaled("ab", Rational(1, 2))),
        changed("1/N in place of 1/N²", scaled("aa", N)),
        Mutant("a pair at ρ = -1 valued -|u|²/2", _even_half_negated),
    ),
    depends_on=("K1",),
)

# ---- S0c: other activations ----------------------------------------------------------------------

Losses = tuple[Formula, ...]
# σ by hand, and its degree: what the oracles integrate
_SIGMA: dict[str, tuple[oracles.Function, int]] = {
    "abs": (abs, 1),
    "leaky_relu:slope=-1/2": (lambda x: x if x > 0 else -x / 2, 1),
    "relu_power": (lambda x: oracles.relu(x) ** 2, 2),
    "abs_power": (lambda x: abs(x) ** 3, 3),
}
_POLYNOMIALS = ("x", "x**2", "x**3 - 2*x + 1")
_OTHER_PAIRS = ("generic", "signed outer weights")


def _other_losses() -> Losses:
    kernels = map(symcomp.dual_kernel, (*_SIGMA, *_POLYNOMIALS))
    return tuple(Formula(ker, population_loss(ker)) for ker in kernels)


def _other_integrals(losses: Losses, settings: Settings) -> Finding:
    digits = min(settings.digits, 20)
    return agreement(
        (
            (
                f"{loss.kernel.left.name}, {pair.label}",
                loss.value(pair.numbers, digits),
                _other_oracle(loss.kernel.left.name, pair, digits),
            )
            for loss in losses
            if loss.kernel.left.name in _SIGMA
            for pair in PAIRS
            if pair.label in _OTHER_PAIRS
        ),
        digits,
    )


@cache
def _other_oracle(name: str, pair: Networks, digits: int) -> mpf:
    sigma, degree = _SIGMA[name]
    return oracles.loss_by_quadrature(
        pair.W, pair.Theta, pair.a, pair.b, sigma=sigma, degree=degree, digits=digits
    )


def _rational_losses(losses: Losses, _: Settings) -> Finding:
    """Polynomial σ and rational weights: the square is a polynomial in x, its mean is rational."""
    return identities(
        (
            f"{loss.kernel.left.name}, {pair.label}",
            _exact_value(loss, pair),
            _mean_square(loss.kernel.left, pair),
        )
        for loss in losses
        if loss.kernel.left.name in _POLYNOMIALS
        for pair in PAIRS
        if pair.label in ("signed outer weights", "three dimensions")
    )


def _exact_value(loss: Formula, pair: Networks) -> sympy.Expr:
    expr, atoms = spelled_out(loss.expr, len(pair.W), len(pair.Theta))
    entries = ((symbol, entry(pair.numbers[name], at)) for symbol, name, at in atoms)
    return expr.subs({symbol: rational(exact(value)) for symbol, value in entries})


def _mean_square(act: Activation, pair: Networks) -> sympy.Expr:
    x = sympy.symbols(f"x:{len(pair.W[0])}", real=True)

    def network(rows: Exact, outer: Sequence[Fraction]) -> sympy.Expr:
        nodes = (
            Rational(a)
            * act.expr.subs(act.symbol, sum(Rational(w) * t for w, t in zip(row, x, strict=True)))
            for a, row in zip(outer, rows, strict=True)
        )
        return sum(nodes, sympy.S.Zero) / len(rows)

    square = (network(pair.W, pair.a) - network(pair.Theta, pair.b)) ** 2
    # E x^n = (n-1)!! for even n, else 0, in each coordinate
    return sum(
        (
            c * prod(int(sympy.factorial2(n - 1)) if n % 2 == 0 else 0 for n in powers)
            for powers, c in sympy.Poly(square, *x).terms()
        ),
        sympy.S.Zero,
    )


S0C = Claim(
    id="S0c",
    title="The exact loss between two networks, other activations",
    statement=(
        r"L_N=\mathbb{E}(f_N-\hat f)^2\text{ is (S0) with the dual kernel of }\sigma\text{, for }"
        r"|x|,\ \text{leaky ReLU},\ x_+^2,\ |x|^3\text{ and polynomials}"
    ),
    source=f"{_SOURCE}, (S0)",
    subject=_other_losses,
    evidence=(
        Evidence(
            Kind.PROOF,
            "SymPy: polynomial σ, the square expanded and its mean taken, in rationals",
            _rational_losses,
            covers="3 polynomials, 2 pairs of networks, d = 2, 3",
        ),
        Evidence(
            Kind.PRECISION,
            "mpmath: the formula against ∫ (f_N - f̂)² over the circle and the sphere",
            _other_integrals,
            covers="4 homogeneous activations, 2 pairs of networks, d = 2",
        ),
    ),
    mutants=(
        Mutant(
            "cross term without the factor 2",
            lambda all_: tuple(replace(f, expr=scaled("ab", Rational(1, 2))(f.expr)) for f in all_),
        ),
        Mutant(
            "1/N in place of 1/N²",
            lambda all_: tuple(replace(f, expr=scaled("aa", N)(f.expr)) for f in all_),
        ),
    ),
    depends_on=("K1",),
)


CLAIMS: tuple[Claim[Any], ...] = (S0, S0C)
