"""E f(X) and E f(X) g(Y) for jointly Gaussian X, Y: Stein's recursion and Price's ladder (K1).

Throughout (X, Y) is centred with variances q_u, q_v and covariance c.
"""

from dataclasses import dataclass
from itertools import product

import sympy

from symcomp.antiderivatives import C, Element, add, integral_from_zero, scale, to_expr
from symcomp.errors import DivergenceError, SymcompError
from symcomp.terms import Dirac, Form, Term

QU = sympy.Symbol("q_u", positive=True)
QV = sympy.Symbol("q_v", positive=True)

Sum = dict[Element, sympy.Expr]


class OutsideClassError(SymcompError):
    """No route of this module closes the expectation."""


@dataclass(frozen=True)
class Step:
    """One line of a derivation: what was done, and the equation that it gave."""

    text: str
    equation: sympy.Eq


# ---- Stein's recursion ---------------------------------------------------------------------------


def expectation(f: Form, q: sympy.Expr) -> sympy.Expr:
    """E f(X) for X ~ N(0, q), q > 0, f a distribution in normal form.

    Raises DivergenceError where the integral does not exist, OutsideClassError where no closed
    form is known here.
    """
    total = sum((_term_mean((t,), sympy.Matrix([[q]])) for t in f.terms), sympy.S.Zero)
    for d in f.diracs:
        # (-1)^k p^(k)(s) = q^(-k/2) He_k(s/√q) p(s)
        z = d.at / sympy.sqrt(q)
        density = sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi * q)
        total += d.coeff * sympy.hermite_prob(d.order, z) * density / sympy.sqrt(q) ** d.order
    return sympy.expand(total)


def stein(f: Form, g: Form) -> sympy.Expr:
    """E f(X) g(Y) by Stein's recursion: thresholds become probabilities of Gaussian orthants.

    Covers every pair of terms with at most two thresholds between them. Raises as `expectation`.
    """
    cov = sympy.Matrix([[QU, C], [C, QV]])
    pairs = product(f.terms, g.terms)
    return sympy.expand(sum((_term_mean(pair, cov) for pair in pairs), sympy.S.Zero))


def _term_mean(terms: tuple[Term, ...], cov: sympy.Matrix) -> sympy.Expr:
    """E Π t_i(X_i): tilt the Gaussian by the exponentials, then a moment over an orthant."""
    n = len(terms)
    eye = sympy.eye(n)
    squeeze = eye + 2 * cov * sympy.diag(*(t.alpha for t in terms))
    det = sympy.factor(squeeze.det())
    if det.subs({QU: 1, QV: 1, C: 0}).is_positive is False:
        shown = " · ".join(str(t.expr()) for t in terms)
        raise DivergenceError(f"E f(X): found {shown}, which grows too fast for a Gaussian mean")
    tilted = (squeeze.adjugate() * cov / det).applyfunc(sympy.factor)
    beta = sympy.Matrix([t.beta for t in terms])
    mean = tilted * beta
    weight = sympy.exp(sympy.expand((beta.T * mean)[0] / 2)) / sympy.sqrt(det)
    # A threshold is U > 0 with U = a X_i + b + e Z, Z an independent standard normal.
    marks = [(i, a, b, 1) for i, t in enumerate(terms) for a, b in t.soft]
    marks += [(i, 1, -t.start, 0) for i, t in enumerate(terms) if t.start is not None]
    rows = sympy.Matrix([[a if i == j else 0 for j in range(n)] for i, a, _, _ in marks])
    lift = eye.col_join(rows) if marks else eye
    noise = sympy.diag(*([0] * n), *(e for *_, e in marks))
    means = lift * mean + sympy.Matrix([0] * n + [b for _, _, b, _ in marks])
    covs = lift * tilted * lift.T + noise
    powers = tuple(t.power for t in terms)
    coeff = sympy.prod([t.coeff for t in terms])
    return coeff * weight * _orthant_moment(powers, list(means), covs)


def _orthant_moment(
    powers: tuple[int, ...], mean: list[sympy.Expr], cov: sympy.Matrix
) -> sympy.Expr:
    """E Π X_i^n_i Π 1(U_k > 0) for (X, U) ~ N(mean, cov), the X first.

    Stein: E (X_i - m_i) F = Σ_j Cov(X_i, X_j) E ∂_j F + Σ_k Cov(X_i, U_k) E F δ(U_k).
    """
    n = len(powers)
    i = next((i for i in range(n) if powers[i]), None)
    if i is None:
        return _orthant(mean[n:], cov[n:, n:])
    less = _lowered(powers, i)
    total = mean[i] * _orthant_moment(less, mean, cov)
    for j in range(n):
        if less[j] and cov[i, j] != 0:
            total += cov[i, j] * less[j] * _orthant_moment(_lowered(less, j), mean, cov)
    for k in range(n, len(mean)):
        if cov[i, k] != 0:
            total += cov[i, k] * _edge(less, mean, cov, k)
    return total


def _edge(powers: tuple[int, ...], mean: list[sympy.Expr], cov: sympy.Matrix, k: int) -> sympy.Expr:
    """E F δ(U_k): the density of U_k at 0 times the mean of F given U_k = 0."""
    var = cov[k, k]
    density = sympy.exp(-(mean[k] ** 2) / (2 * var)) / sympy.sqrt(2 * sympy.pi * var)
    rest = [j for j in range(len(mean)) if j != k]
    given = [mean[j] - cov[j, k] * mean[k] / var for j in rest]
    cond = sympy.Matrix(
        [[sympy.factor(cov[i, j] - cov[i, k] * cov[j, k] / var) for j in rest] for i in rest]
    )
    return density * _orthant_moment(powers, given, cond)


def _orthant(mean: list[sympy.Expr], cov: sympy.Matrix) -> sympy.Expr:
    """P(U > 0) of at most two Gaussian variables."""
    if not mean:
        return sympy.S.One
    if len(mean) == 1:
        return (1 + sympy.erf(mean[0] / sympy.sqrt(2 * cov[0, 0]))) / 2
    if len(mean) == 2 and mean[0] == 0 == mean[1]:
        r = cov[0, 1] / sympy.sqrt(cov[0, 0] * cov[1, 1])
        return sympy.Rational(1, 4) + sympy.asin(r) / (2 * sympy.pi)
    raise OutsideClassError("E f(X) g(Y): found thresholds away from 0, expected centred ones")


def _lowered(powers: tuple[int, ...], i: int) -> tuple[int, ...]:
    return (*powers[:i], powers[i] - 1, *powers[i + 1 :])


# ---- Price's ladder ------------------------------------------------------------------------------


def price(f: Form, g: Form) -> tuple[sympy.Expr, tuple[Step, ...]]:
    """E f(X) g(Y) and its derivation by Price's theorem, ∂^k/∂c^k E f g = E f^(k) g^(k) (K1).

    Climbs until f^(n), g^(n) are free of thresholds, where the expectation is elementary, and
    integrates back in c from the values at c = 0, (E f^(k)(X)) (E g^(k)(Y)).
    Raises OutsideClassError where the ladder does not end or leaves the integrable class.
    """
    rungs = _rungs(f, g)
    steps = [_rung_step(k, pair) for k, pair in enumerate(rungs) if k or len(rungs) > 1]
    n = len(rungs) - 1
    total = _elementary(*rungs[n])
    steps.append(_value_step(n, total, "the expectation is elementary"))
    for k in range(n - 1, -1, -1):
        left, right = (expectation(h, q) for h, q in zip(rungs[k], (QU, QV), strict=True))
        start = sympy.factor(left * right)
        steps.append(Step(f"value at c = 0, order {k}", sympy.Eq(_kernel(k, 0), start)))
        total = add(integral_from_zero(total), {Element(0): start})
        steps.append(_value_step(k, total, "integrate from 0 to c"))
    return to_expr(total), tuple(steps)


def _kernel(k: int, at: sympy.Expr = C) -> sympy.Expr:
    """K or its k-th derivative in c, unevaluated."""
    K = sympy.Function("K")
    value = sympy.Derivative(K(C), (C, k)) if k else K(C)
    return value if at == C else sympy.Subs(value, C, at)


def _rung_step(k: int, pair: tuple[Form, Form]) -> Step:
    f, g = (sympy.Function(name) for name in ("f", "g"))
    x = sympy.Symbol("x", real=True)
    left = sympy.Derivative(f(x), (x, k)) if k else f(x)
    if pair[0] == pair[1]:
        return Step(f"derivative of order {k}", sympy.Eq(left, pair[0].expr(), evaluate=False))
    both = sympy.Tuple(left, left.subs(f, g))
    exprs = sympy.Tuple(pair[0].expr(), pair[1].expr())
    return Step(f"derivatives of order {k}", sympy.Eq(both, exprs, evaluate=False))


def _value_step(k: int, total: Sum, text: str) -> Step:
    return Step(text, sympy.Eq(_kernel(k), to_expr(total), evaluate=False))


def _rungs(f: Form, g: Form) -> list[tuple[Form, Form]]:
    """(f, g), (f', g'), ... up to the first pair without thresholds."""
    rungs = [(f, g)]
    stuck = [t for h in (f, g) for t in h.terms if not (t.is_gaussian or t.is_polynomial)]
    if stuck:
        raise OutsideClassError(
            f"E f(X) g(Y): found {stuck[0].expr()}, which no derivative removes"
        )
    while not all(t.is_gaussian for h in rungs[-1] for t in h.terms):
        f, g = rungs[-1]
        rungs.append((f.derivative(), g.derivative()))
    parts = [part for rung in rungs for h in rung for part in (*h.terms, *h.diracs)]
    centred = all(p.is_centred if isinstance(p, Term) else p.at == 0 for p in parts)
    if not centred:
        raise OutsideClassError("E f(X) g(Y): found thresholds away from 0, expected centred ones")
    return rungs


def _elementary(f: Form, g: Form) -> Sum:
    """E f(X) g(Y) for centred forms without thresholds."""
    sums = [_gauss_gauss(s, t) for s, t in product(f.terms, g.terms)]
    sums += [_dirac_gauss(d, t, QU, QV) for d, t in product(f.diracs, g.terms)]
    sums += [_dirac_gauss(d, t, QV, QU) for t, d in product(f.terms, g.diracs)]
    sums += [_dirac_dirac(d, e) for d, e in product(f.diracs, g.diracs)]
    return add(*sums)


def _polynomial(expr: sympy.Expr, root: int, a: sympy.Expr, b: sympy.Expr) -> Sum:
    """A polynomial in c times R^root as elements."""
    poly = sympy.Poly(expr, C)
    if b == 0:
        return {Element(n): coeff * a ** sympy.Rational(root, 2) for (n,), coeff in poly.terms()}
    return {Element(n, root, a, b): coeff for (n,), coeff in poly.terms()}


def _gauss_gauss(s: Term, t: Term) -> Sum:
    """E x^m y^n exp(-α x² - γ y²): moments under the tilted covariance S/Δ, Δ = det(1 + 2ΣA)."""
    a = (1 + 2 * s.alpha * QU) * (1 + 2 * t.alpha * QV)
    b = 4 * s.alpha * t.alpha
    var_x = QU * (1 + 2 * t.alpha * QV) - 2 * t.alpha * C**2
    var_y = QV * (1 + 2 * s.alpha * QU) - 2 * s.alpha * C**2
    m, n = s.power, t.power
    if (m + n) % 2:
        return {}
    moment = sympy.S.Zero
    for k in range(m % 2, min(m, n) + 1, 2):  # Isserlis: k pairs join x to y
        ways = sympy.binomial(m, k) * sympy.binomial(n, k) * sympy.factorial(k)
        within = sympy.factorial2(m - k - 1) * sympy.factorial2(n - k - 1)
        moment += ways * within * C**k * var_x ** ((m - k) // 2) * var_y ** ((n - k) // 2)
    return _polynomial(s.coeff * t.coeff * moment, -1 - (m + n), a, b)


def _dirac_gauss(d: Dirac, t: Term, qu: sympy.Expr, qv: sympy.Expr) -> Sum:
    """E δ^(k)(X) g(Y), lowering k by q_u E f' g = E x f g - c E f g'."""
    if d.order == 0:
        if t.power % 2:
            return {}
        a, b = qu * (1 + 2 * t.alpha * qv), 2 * t.alpha
        n = t.power
        scale_ = d.coeff * t.coeff * sympy.factorial2(n - 1) / sympy.sqrt(2 * sympy.pi)
        return _polynomial(scale_ * (qu * qv - C**2) ** (n // 2), -1 - n, a, b)
    down = Dirac(d.coeff, d.at, d.order - 1)
    sums = [
        _times_c(scale(-1 / qu, _dirac_gauss(down, u, qu, qv)))
        for u in Form((t,)).derivative().terms
    ]
    if d.order > 1:
        twice = Dirac(-(d.order - 1) * d.coeff, d.at, d.order - 2)
        sums.append(scale(1 / qu, _dirac_gauss(twice, t, qu, qv)))
    return add(*sums)


def _times_c(sum_: Sum) -> Sum:
    return {Element(e.power + 1, e.root, e.a, e.b, e.arc): k for e, k in sum_.items()}


def _dirac_dirac(d: Dirac, e: Dirac) -> Sum:
    """E δ^(i)(X) δ^(j)(Y) = (-1)^(i+j) i! j! [x^i y^j] of the density."""
    i, j = d.order, e.order
    if (i + j) % 2:
        return {}
    sums = []
    for k in range(i % 2, min(i, j) + 1, 2):
        a, b = (i - k) // 2, (j - k) // 2
        top = (-QV / 2) ** a * C**k * (-QU / 2) ** b
        ways = sympy.factorial(i) * sympy.factorial(j) / (2 * sympy.pi)
        ways /= sympy.factorial(a) * sympy.factorial(k) * sympy.factorial(b)
        root = -1 - 2 * (a + k + b)
        sums.append(_polynomial(d.coeff * e.coeff * ways * top, root, QU * QV, sympy.S.One))
    return add(*sums)
