"""E f(X) and E f(X) g(Y) for jointly Gaussian X, Y: Stein's recursion and Price's ladder (K1).

Throughout (X, Y) is centred with variances q_u, q_v and covariance c.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product

import sympy

from symcomp.antiderivatives import C, Element, add, integral_from_zero, scale, to_expr
from symcomp.errors import DivergenceError, SymcompError
from symcomp.gathering import factored, gathered
from symcomp.parsing import X
from symcomp.special import BivariateNormalCDF
from symcomp.terms import Dirac, Form, Term

QU = sympy.Symbol("q_u", positive=True)
QV = sympy.Symbol("q_v", positive=True)

Sum = dict[Element, sympy.Expr]
PRICE, STEIN = "Price's ladder", "Stein's recursion"


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
    return _real(gathered(total))


def stein(f: Form, g: Form) -> tuple[sympy.Expr, tuple[Step, ...]]:
    """E f(X) g(Y) and its derivation by Stein's recursion, which never integrates in c.

    Thresholds become probabilities of Gaussian orthants: covers every pair of terms with at most
    two thresholds between them. Raises as `expectation`.
    """
    high = [t for h in (f, g) for t in h.terms if _fills_pages(t)]
    if high:
        raise OutsideClassError(
            f"E f(X) g(Y): found {high[0].expr()}, whose closed form fills pages"
        )
    cov = sympy.Matrix([[QU, C], [C, QV]])
    x, y = sympy.symbols("x y", real=True)
    mean = sympy.Function("E")
    steps = [_sum_step("sigma", x, f)] + ([] if f == g else [_sum_step("tau", y, g)])
    total = sympy.S.Zero
    for s, t in product(f.terms, g.terms):
        value = gathered(_term_mean((s, t), cov))
        both = Form((s,)).expr() * Form((t,)).expr().subs(x, y)
        steps.append(Step("tilt, then E (X-m) F = Σ Cov ∂F", _equation(mean(both), value)))
        total += value
    total = _real(gathered(total))
    steps.append(_step_for_kernel(0, total, "add up"))
    return total, tuple(steps)


def _fills_pages(t: Term) -> bool:
    """High powers over thresholds off 0: minutes of algebra, where quadrature takes a moment."""
    return not (t.is_gaussian or t.is_centred) and t.power > (1 if t.soft else 3)


def _equation(left: sympy.Expr, right: sympy.Expr) -> sympy.Eq:
    return sympy.Eq(left, right, evaluate=False)


def _sum_step(name: str, at: sympy.Symbol, form: Form) -> Step:
    function = sympy.Function(name)(at)
    return Step("as a sum of terms", _equation(function, form.expr().subs(X, at)))


def convergence(f: Form, g: Form) -> tuple[sympy.Expr, ...]:
    """Expressions in q_u, q_v, c that must be positive for E f(X) g(Y) to exist term by term.

    With A the diagonal matrix of the exponents of a pair of terms, Σ^-1 + 2A must be positive
    definite: det(1 + 2ΣA) > 0 and 1 + tr ΣA > 0. Empty where every exponent is nonnegative.
    """
    conditions: dict[sympy.Expr, None] = {}
    for s, t in product(f.terms, g.terms):
        if not (s.alpha.is_nonnegative and t.alpha.is_nonnegative):
            det = (1 + 2 * s.alpha * QU) * (1 + 2 * t.alpha * QV) - 4 * s.alpha * t.alpha * C**2
            conditions[sympy.expand(det)] = None
            conditions[1 + s.alpha * QU + t.alpha * QV] = None
    return tuple(conditions)


def require_square_integrable(f: Form, name: str) -> None:
    """Raise DivergenceError unless f lies in L2 of the standard Gaussian, saying where it ends."""
    for t in f.terms:
        if (1 + 4 * t.alpha).is_positive is False:
            raise DivergenceError(
                f"activation: found {name}, not in L2 of the standard Gaussian: "
                f"E σ(X)² converges for Var X < {-1 / (4 * t.alpha)} only"
            )


def _real(expr: sympy.Expr) -> sympy.Expr:
    """A real sum of exponentials of complex arguments, with cosines and sines in their place."""
    if not expr.has(sympy.I):
        return expr
    real = gathered(sum(addend.as_real_imag()[0] for addend in sympy.Add.make_args(expr)))
    if real.has(sympy.I, sympy.re, sympy.im):
        raise OutsideClassError("E f(X) g(Y): found an integral that is not elementary")
    return real


def _term_mean(terms: tuple[Term, ...], cov: sympy.Matrix) -> sympy.Expr:
    """E Π t_i(X_i): tilt the Gaussian by the exponentials, then a moment over an orthant."""
    n = len(terms)
    if any(t.beta.is_real is False for t in terms) and not _waves_close(terms):
        raise OutsideClassError("E f(X) g(Y): found a wave over a threshold with no closed form")
    eye = sympy.eye(n)
    squeeze = eye + 2 * cov * sympy.diag(*(t.alpha for t in terms))
    det = factored(squeeze.det())
    if det.is_positive is False:
        shown = " · ".join(str(t.expr()) for t in terms)
        raise DivergenceError(f"E f(X): found {shown}, which grows too fast for a Gaussian mean")
    tilted = (squeeze.adjugate() * cov / det).applyfunc(factored)
    beta = sympy.Matrix([t.beta for t in terms])
    mean = tilted * beta
    weight = sympy.exp(factored((beta.T * mean)[0] / 2)) / sympy.sqrt(det)
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


def _waves_close(terms: tuple[Term, ...]) -> bool:
    """Waves are free of thresholds, or meet centred ones with no other exponential about."""
    if all(t.is_gaussian for t in terms):
        return True
    plain = all(t.alpha == 0 and (t.beta == 0 or t.beta.is_imaginary) for t in terms)
    return plain and all(t.start in (None, 0) and all(b == 0 for _, b in t.soft) for t in terms)


def _orthant_moment(
    powers: tuple[int, ...], mean: list[sympy.Expr], cov: sympy.Matrix
) -> sympy.Expr:
    """E Π X_i^n_i Π 1(U_k > 0) for (X, U) ~ N(mean, cov), the X first.

    Stein: E (X_i - m_i) F = Σ_j Cov(X_i, X_j) E ∂_j F + Σ_k Cov(X_i, U_k) E F δ(U_k).
    """
    n = len(powers)

    @cache
    def moment(powers: tuple[int, ...]) -> sympy.Expr:
        i = next((i for i in range(n) if powers[i]), None)
        if i is None:
            return _orthant(mean[n:], cov[n:, n:])
        less = _lowered(powers, i)
        total = mean[i] * moment(less)
        for j in range(n):
            if less[j] and cov[i, j] != 0:
                total += cov[i, j] * less[j] * moment(_lowered(less, j))
        for k in range(n, len(mean)):
            if cov[i, k] != 0:
                total += cov[i, k] * edge(less, k)
        # The polynomial in the entries stays short; unexpanded it doubles with every power.
        return gathered(total) if sum(powers) > 2 else total

    def edge(powers: tuple[int, ...], k: int) -> sympy.Expr:
        """E F δ(U_k): the density of U_k at 0 times the mean of F given U_k = 0."""
        given, scale, cond = conditioned[k]
        return scale * _orthant_moment(powers, given, cond)

    conditioned = {k: _given_zero(k, mean, cov) for k in range(n, len(mean))}
    return moment(powers)


def _given_zero(
    k: int, mean: list[sympy.Expr], cov: sympy.Matrix
) -> tuple[list[sympy.Expr], sympy.Expr, sympy.Matrix]:
    """Mean of the other variables given U_k = 0, the density of U_k at 0, and their covariance."""
    var = cov[k, k]
    density = sympy.exp(-(mean[k] ** 2) / (2 * var)) / (sympy.sqrt(2 * sympy.pi) * _root(var))
    rest = [j for j in range(len(mean)) if j != k]
    given = [mean[j] - cov[j, k] * mean[k] / var for j in rest]
    cond = sympy.Matrix(
        [[factored(cov[i, j] - cov[i, k] * cov[j, k] / var) for j in rest] for i in rest]
    )
    return given, density, cond


def _orthant(mean: list[sympy.Expr], cov: sympy.Matrix) -> sympy.Expr:
    """P(U > 0) of at most two Gaussian variables."""
    if not mean:
        return sympy.S.One
    if len(mean) == 1:
        return (1 + sympy.erf(_scaled(mean[0], cov[0, 0]) / sympy.sqrt(2))) / 2
    if len(mean) == 2:
        h, k = (_scaled(m, cov[i, i]) for i, m in enumerate(mean))
        r = factored(_scaled(_scaled(cov[0, 1], cov[0, 0]), cov[1, 1]))
        if not h.has(sympy.I) and not k.has(sympy.I):
            return BivariateNormalCDF(h, k, r)
    raise OutsideClassError("E f(X) g(Y): found an orthant probability with no closed form here")


def _root(variance: sympy.Expr) -> sympy.Expr:
    """Square root of a positive rational function, as a quotient of roots of polynomials."""
    top, bottom = sympy.fraction(factored(variance))
    # SymPy may have put the sign of both on either; as q -> 0 every variance here is positive.
    small = {s: sympy.Rational(1, 1000) if s in (QU, QV) else 0 for s in (QU, QV, C)}
    if bottom.subs(small).could_extract_minus_sign():
        top, bottom = -top, -bottom
    return sympy.sqrt(top) / sympy.sqrt(bottom)


def _scaled(mean: sympy.Expr, variance: sympy.Expr) -> sympy.Expr:
    return factored(mean) / _root(variance)


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
    steps = [step for k, pair in enumerate(rungs) for step in _rung_steps(k, pair)]
    n = len(rungs) - 1
    total = _elementary(*rungs[n])
    steps.append(_step_for_kernel(n, to_expr(total), "the expectation is elementary"))
    for k in range(n - 1, -1, -1):
        left, right = (expectation(h, q) for h, q in zip(rungs[k], (QU, QV), strict=True))
        start = factored(left * right)
        steps.append(Step("value at c = 0", _equation(_kernel(k, 0), start)))
        total = add(integral_from_zero(total), {Element(0): start})
        steps.append(_step_for_kernel(k, to_expr(total), "integrate from 0 to c"))
    return to_expr(total), tuple(steps)


def _kernel(k: int, at: sympy.Expr = C) -> sympy.Expr:
    """K or its k-th derivative in c, unevaluated."""
    K = sympy.Function("K")
    value = sympy.Derivative(K(C), (C, k)) if k else K(C)
    return value if at == C else sympy.Subs(value, C, at)


def _step_for_kernel(k: int, value: sympy.Expr, text: str) -> Step:
    return Step(text, _equation(_kernel(k), value))


def _rung_steps(k: int, pair: tuple[Form, Form]) -> list[Step]:
    """What the k-th derivatives are; once where both activations are the same."""
    same = pair[0] == pair[1]
    named = {"sigma": pair[0]} if same else {"sigma": pair[0], "tau": pair[1]}
    text = f"derivative of order {k}" if k else "as a sum of terms"
    functions = {name: sympy.Function(name)(X) for name in named}
    return [
        Step(text, _equation(sympy.Derivative(f, (X, k)) if k else f, named[name].expr()))
        for name, f in functions.items()
    ]


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
    forms = [h for rung in rungs for h in rung]
    terms = all(t.is_centred for h in forms for t in h.terms)
    if not (terms and all(d.at == 0 for h in forms for d in h.diracs)):
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
