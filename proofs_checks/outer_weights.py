"""Claims S2a and S2i: outer weights of the target that may depend on its inner ones (theory.md 3).

S2a is checked as an identity between linear combinations of values of K at exact arguments, K
itself left unspecified: it holds for the kernel of every activation.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import product
from math import prod
from typing import Any, TypeAlias

import mpmath
import sympy
from mpmath import mpf
from sympy import Rational

from proofs_checks import oracles
from proofs_checks.checks import agreement, identities
from proofs_checks.ledger import Claim, Evidence, Finding, Kind, Mutant, Outcome, Settings
from symcomp import objectives
from symcomp.kernels import RHO, DualKernel, dual_kernel
from symcomp.objectives import SCALE, D, M

Vector: TypeAlias = tuple[Fraction, ...]
Values: TypeAlias = dict[
    tuple[Fraction, Fraction, Fraction], Fraction
]  # of K°(q, q', c), by argument
Neuron: TypeAlias = tuple[Fraction, Fraction, Vector]  # probability, a, w

_SOURCE = "theory.md section 3, {}; this project's reconstruction"


# ---- S2a: the mean over (a, w) -------------------------------------------------------------------


_OWN, _PAIR = sympy.symbols("D O", real=True)  # E a² K(w,w), E a a' K(w,w')


@dataclass(frozen=True)
class Means:
    """Which means over (a, w) stand for the target: E a² K(w,w), E a a' K(w,w'), E a K(w,θ).

    Each takes a law and gives values of K; `excess` is V/N, E L_N - F_d, in the first two.
    """

    own: Callable[[Sequence[Neuron]], Values]
    pair: Callable[[Sequence[Neuron]], Values]
    cross: Callable[[Sequence[Neuron], Vector], Values]
    excess: sympy.Expr = (_OWN - _PAIR) / objectives.N


def _add(total: Values, weight: Fraction, u: Vector, v: Vector) -> None:
    """weight · K(u, v); K is symmetric."""
    squares = sorted(sum((x * x for x in w), Fraction(0)) for w in (u, v))
    key = (squares[0], squares[1], sum((x * y for x, y in zip(u, v, strict=True)), Fraction(0)))
    total[key] += weight


def _joint_own(law: Sequence[Neuron]) -> Values:
    total: Values = defaultdict(Fraction)
    for p, a, w in law:
        _add(total, p * a * a, w, w)
    return total


def _joint_pair(law: Sequence[Neuron]) -> Values:
    total: Values = defaultdict(Fraction)
    for (p, a, w), (p2, a2, w2) in product(law, repeat=2):
        _add(total, p * p2 * a * a2, w, w2)
    return total


def _joint_cross(law: Sequence[Neuron], theta: Vector) -> Values:
    total: Values = defaultdict(Fraction)
    for p, a, w in law:
        _add(total, p * a, w, theta)
    return total


def _decoupled(law: Sequence[Neuron], power: int = 1) -> list[Neuron]:
    """The same law with every a replaced by the constant of the same mean of a^power."""
    mean = sum((p * a**power for p, a, _ in law), Fraction(0))
    return [(p, mean, w) for p, _, w in law]


def _scaled(values: Values, factor: Fraction) -> Values:
    return {key: factor * value for key, value in values.items()}


def _sum(*parts: Values) -> Values:
    total: Values = defaultdict(Fraction)
    for part in parts:
        for key, value in part.items():
            total[key] += value
    return total


def _signs(d: int) -> list[Vector]:
    return [tuple(map(Fraction, signs)) for signs in product((1, -1), repeat=d)]


def _uniform(ws: Sequence[Vector], outer: Callable[[Vector], int]) -> list[Neuron]:
    return [(Fraction(1, len(ws)), Fraction(outer(w)), w) for w in ws]


_SKEWED: list[Vector] = [tuple(map(Fraction, w)) for w in ((3, 0), (-1, 1), (-1, -1))]
# label -> the law of (a, w) and N
JOINT: Mapping[str, tuple[list[Neuron], int]] = {
    "Rademacher, a = 1, d = 3, N = 3": (_uniform(_signs(3), lambda _: 1), 3),
    "Rademacher, a = 2 + w_1, d = 2, N = 3": (_uniform(_signs(2), lambda w: 2 + int(w[0])), 3),
    "Rademacher, a = w_1 w_2, d = 3, N = 2": (_uniform(_signs(3), lambda w: int(w[0] * w[1])), 2),
    "skewed, a = w_1, d = 2, N = 3": (_uniform(_SKEWED, lambda w: int(w[0])), 3),
    "Rademacher, a = ±1 + 1/2 apart, d = 2, N = 2": (
        [(p / 2, Fraction(a, 2), w) for a in (3, -1) for p, _, w in _uniform(_signs(2), len)],
        2,
    ),
}
_THETA: tuple[tuple[Fraction, Vector], ...] = (
    (Fraction(1), (Fraction(1), Fraction(-2), Fraction(1, 2))),
    (Fraction(-3, 2), (Fraction(1, 3), Fraction(1), Fraction(2))),
)


def _enumerated(means: Means, _: Settings) -> Finding:
    """Σ over all draws of N neurons of the loss, less F_d and the excess: no value of K is left."""
    bad, values = [], 0
    for label, (law, n) in JOINT.items():
        d = len(law[0][2])
        compressed = [(b / len(_THETA), theta[:d]) for b, theta in _THETA]
        mean = _mean_loss(law, n, compressed)
        parts = [means.pair(law)]
        parts += [_scaled(means.cross(law, theta), -2 * b) for b, theta in compressed]
        parts += [_square(compressed)]
        for symbol, values_of in ((_OWN, means.own), (_PAIR, means.pair)):
            share = sympy.diff(means.excess, symbol).subs(objectives.N, n)
            parts.append(_scaled(values_of(law), Fraction(int(share.p), int(share.q))))
        left = _sum(*parts, _scaled(mean, Fraction(-1)))
        values += len(mean)
        differing = sum(1 for value in left.values() if value)
        if differing:
            bad.append(f"{label}: {differing} of {len(left)} values of K with another coefficient")
    count = len(JOINT)
    figure = f"{count - len(bad)} of {count} identities closed, {values} values of K compared"
    outcome = Outcome.FAILS if bad else Outcome.HOLDS
    return Finding(outcome, figure, count, count, count, "; ".join(bad))


def _square(network: Sequence[tuple[Fraction, Vector]]) -> Values:
    total: Values = defaultdict(Fraction)
    for (a, u), (b, v) in product(network, repeat=2):
        _add(total, a * b, u, v)
    return total


def _mean_loss(
    law: Sequence[Neuron], n: int, compressed: Sequence[tuple[Fraction, Vector]]
) -> Values:
    total: Values = defaultdict(Fraction)
    for drawn in product(law, repeat=n):
        chance = prod((p for p, _, _ in drawn), start=Fraction(1))
        difference = [(a / n, w) for _, a, w in drawn] + [(-b, theta) for b, theta in compressed]
        for key, value in _square(difference).items():
            total[key] += chance * value
    return total


def _double_sum(means: Means, _: Settings) -> Finding:
    """Of N² pairs of i.i.d. (a_i, w_i) N meet themselves; D = E a² K(w,w), O = E a a' K(w,w')."""
    n = objectives.N
    double = (n * _OWN + n * (n - 1) * _PAIR) / n**2
    rows = [("E |f_N|² - |ḡ|²", double - _PAIR, means.excess)]
    # a independent of w: the joint means factor, so that S2's formula is this one
    law = JOINT["Rademacher, a = ±1 + 1/2 apart, d = 2, N = 2"][0]
    for label, joint, factored in (
        ("own", means.own(law), _scaled(means.own(_uniform(_signs(2), len)), Fraction(5, 16))),
        ("pair", means.pair(law), _scaled(means.pair(_uniform(_signs(2), len)), Fraction(1, 16))),
    ):
        gap = _sum(joint, _scaled(factored, Fraction(-1)))
        left = sum((abs(v) for v in gap.values()), Fraction(0))
        rows.append((f"a independent of w: {label}", Rational(left), sympy.S.Zero))
    kappa = dual_kernel("relu").correlation
    rows.append(("K(w,θ) - K(w,-θ) = <w,θ>/2, ReLU", kappa - kappa.subs(RHO, -RHO), RHO / 2))
    return identities(rows)


S2A = Claim(
    id="S2a",
    title="Outer weights that depend on the inner ones",
    statement=(
        r"(a_i,w_i)\text{ i.i.d.}:\ \bar g=\mathbb{E}a\,\sigma(\langle w,x\rangle),\ "
        r"\mathbb{E}L_N=F_d+\tfrac VN,\ V=\mathbb{E}a^2K(w,w)-\mathbb{E}aa'K(w,w'),\ "
        r"\text{cross term }\mathbb{E}aK(w,\theta);\ a\text{ enters through }\mathbb{E}a,"
        r"\mathbb{E}a^2\text{ alone where it is independent of }w;\ "
        r"\text{ReLU: }\mathbb{E}a(K(w,\theta)-K(w,-\theta))="
        r"\tfrac12\langle\mathbb{E}aw,\theta\rangle"
    ),
    source=_SOURCE.format("S2"),
    subject=lambda: Means(_joint_own, _joint_pair, _joint_cross),
    evidence=(
        Evidence(Kind.PROOF, "SymPy: the double sum, symbolic N; the odd half of κ", _double_sum),
        Evidence(
            Kind.PROOF,
            "exact finite sums over all targets, K left unspecified",
            _enumerated,
            covers="5 laws of (a, w), d = 2, 3, N = 2, 3, every activation",
        ),
    ),
    mutants=(
        Mutant("V/(N+1)", lambda m: replace(m, excess=(_OWN - _PAIR) / (objectives.N + 1))),
        Mutant(
            "V of independent outer weights",
            lambda m: replace(m, own=lambda law: _joint_own(_halves(law))),
        ),
        Mutant(
            "E a E K(w,θ) in the cross term",
            lambda m: replace(m, cross=lambda law, theta: _joint_cross(_decoupled(law), theta)),
        ),
        Mutant(
            "(E a)² E K(w,w')", lambda m: replace(m, pair=lambda law: _joint_pair(_decoupled(law)))
        ),
    ),
    depends_on=("S2",),
)


def _halves(law: Sequence[Neuron]) -> list[Neuron]:
    """w and an independent copy of a."""
    return [(p * p2, a, w) for (p, _, w), (p2, a, _) in product(law, repeat=2)]


# ---- S2i: isotropic targets ----------------------------------------------------------------------


@dataclass(frozen=True)
class Isotropic:
    """F_d and V of a target whose w has a uniform direction, in its scaling factors."""

    objective: Callable[[DualKernel], sympy.Expr]
    variance: Callable[[DualKernel], sympy.Expr]


def _isotropic() -> Isotropic:
    return Isotropic(objectives.isotropic_objective, objectives.isotropic_variance)


_RADII = ((1, Fraction(1)), (-1, Fraction(2)), (3, Fraction(1, 2)))  # equally likely (a, |w|)
_ANGLES = (Fraction(1, 3), Fraction(7, 5))
_LENGTHS = (Fraction(3, 2), Fraction(1, 2))
_OUTER = (Fraction(1), Fraction(-2))
_SIGMA: dict[str, tuple[oracles.Function, int]] = {
    "relu": (oracles.relu, 1),
    "abs": (abs, 1),
    "relu_power": (lambda x: oracles.relu(x) ** 2, 2),
}


def _in_the_plane(claim: Isotropic, settings: Settings) -> Finding:
    """F_d = E (ḡ - f̂)² with ḡ a mean over (a, |w|) and the angle, and E L_N for N = 1, d = 2."""
    digits = min(settings.digits, 25)

    def rows() -> Iterator[tuple[str, mpf, mpf]]:
        for name, (_, k) in _SIGMA.items():
            ker = dual_kernel(name)
            scale, scale2 = (
                sum((Rational(a) ** n * Rational(r) ** (n * k) for a, r in _RADII), sympy.S.Zero)
                / 3
                for n in (1, 2)
            )
            at = {SCALE: scale, objectives.SCALE2: scale2, D: 2}
            objective = _spelled(claim.objective(ker).subs(M, 2)).subs(at)
            excess = claim.variance(ker).subs(at)
            found = [mpf(sympy.N(e, digits + 10)) for e in (objective, objective + excess)]
            for label, got, wanted in zip(
                ("F_d", "E L_1"), found, _plane_losses(name, digits), strict=True
            ):
                yield f"{name}: {label}", got, wanted

    with mpmath.workdps(digits + 10):
        return agreement(rows(), digits)


def _spelled(objective: sympy.Expr) -> sympy.Expr:
    """The sums written out for the network of _ANGLES, _LENGTHS and _OUTER."""
    values = {}
    written = objective.doit()
    for atom in written.atoms(sympy.Indexed):
        indices = [int(i) - 1 for i in atom.indices]
        if len(indices) == 1:
            values[atom] = Rational(_OUTER[indices[0]])
        else:
            i, j = indices
            turn = Rational(_ANGLES[i] - _ANGLES[j])
            values[atom] = Rational(_LENGTHS[i] * _LENGTHS[j]) * sympy.cos(turn)
    return written.subs(values)


@cache
def _plane_losses(name: str, digits: int) -> tuple[mpf, mpf]:
    sigma, k = _SIGMA[name]
    with mpmath.workdps(digits + 10):
        quarter = mpmath.pi / 2

        def around(f: Callable[[mpf], mpf], cuts: Sequence[mpf]) -> mpf:
            """The mean of f over the circle."""
            inside = {c % (2 * mpmath.pi) for c in cuts}
            ends = [mpf(0), *sorted(inside - {mpf(0)}), 2 * mpmath.pi]
            return mpmath.quad(f, ends) / (2 * mpmath.pi)

        angles = [mpf(a.numerator) / a.denominator for a in _ANGLES]
        lengths = [mpf(x.numerator) / x.denominator for x in _LENGTHS]
        outer = [mpf(x.numerator) / x.denominator for x in _OUTER]
        kinks = [a + sign * quarter for a in angles for sign in (1, -1)]
        radii = [(a, mpf(r.numerator) / r.denominator) for a, r in _RADII]
        level = around(lambda t: sigma(mpmath.cos(t)), [quarter, 3 * quarter])
        square = around(lambda t: sigma(mpmath.cos(t)) ** 2, [quarter, 3 * quarter])

        def small(t: mpf) -> mpf:
            terms = zip(outer, lengths, angles, strict=True)
            return mpmath.fsum(b * sigma(r * mpmath.cos(t - u)) for b, r, u in terms) / 2

        mean = mpmath.fsum(a * r**k for a, r in radii) / 3 * level
        radial = mpf(2) ** k * mpmath.factorial(k)  # E |x|^2k in the plane
        limit = radial * around(lambda t: (mean - small(t)) ** 2, kinks)
        own = mpmath.fsum((a * r**k) ** 2 for a, r in radii) / 3
        # E (a σ(<w,x>) - f̂)² = E a² σ² - 2 ḡ f̂ + f̂² pointwise in x
        return limit, limit + radial * (own * square - mean**2)


S2I = Claim(
    id="S2i",
    title="Isotropic targets: one scaling factor at every dimension",
    statement=(
        r"\sigma(tx)=t^k\sigma(x),\ w/|w|\text{ uniform and independent of }(a,|w|):\ "
        r"F_d=A^2\kappa_d-\tfrac{2A\kappa_d}M\sum_jb_j|\theta_j|^k"
        r"+\tfrac1{M^2}\sum_{jj'}b_jb_{j'}K(\theta_j,\theta_{j'}),\ "
        r"A=\mathbb{E}a|w|^k,\ \kappa_d=\kappa(0)\frac{\mathbb{E}|x|^{2k}}{(\mathbb{E}|x|^k)^2};\ "
        r"V=\mathbb{E}a^2|w|^{2k}\kappa(1)-A^2\kappa_d"
    ),
    source=_SOURCE.format("S2"),
    subject=_isotropic,
    evidence=(
        Evidence(
            Kind.PRECISION,
            "mpmath: both losses by quadrature over the plane",
            _in_the_plane,
            covers="ReLU, its square and |.|, d = 2, a dependent on |w|",
        ),
    ),
    mutants=(
        Mutant(
            "κ(0) in place of κ_d",
            lambda c: replace(
                c,
                objective=lambda ker: c.objective(ker).subs(
                    objectives.sphere_mean(ker), objectives.kappa(ker, sympy.S.Zero)
                ),
            ),
        ),
        Mutant(
            "V without its second term",
            lambda c: replace(
                c, variance=lambda ker: c.variance(ker) + SCALE**2 * objectives.sphere_mean(ker)
            ),
        ),
    ),
    depends_on=("S2a", "S6e"),
)

CLAIMS: tuple[Claim[Any], ...] = (S2A, S2I)
