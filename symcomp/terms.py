"""σ as a finite sum of terms that Gaussian integrals and distributional derivatives can act on.

A term is  coeff · x^power · exp(-alpha x² + beta x) · Π Φ(a x + b) · H(x - start),
Φ the normal distribution function (from erf) and H the unit step; a Dirac is
coeff · δ^(order)(x - at).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

import sympy
from sympy.functions.elementary.miscellaneous import MinMaxBase

from symcomp.errors import ExpressionError
from symcomp.parsing import X

# They vanish with their argument and nowhere else.
_ODD_INCREASING = (sympy.tanh, sympy.sinh, sympy.asinh, sympy.atan, sympy.erf)

Soft = tuple[sympy.Expr, sympy.Expr]


@dataclass(frozen=True)
class Term:
    """One smooth or half-line term, as in the module's formula."""

    coeff: sympy.Expr
    power: int = 0
    alpha: sympy.Expr = sympy.S.Zero
    beta: sympy.Expr = sympy.S.Zero
    soft: tuple[Soft, ...] = ()
    start: sympy.Expr | None = None

    @property
    def is_gaussian(self) -> bool:
        """No threshold: a polynomial times an exponential of a quadratic, on the whole line."""
        return not self.soft and self.start is None

    @property
    def is_polynomial(self) -> bool:
        """A polynomial times at most one threshold: finitely many derivatives remove it."""
        return self.alpha == 0 == self.beta and len(self.soft) + (self.start is not None) <= 1

    @property
    def is_centred(self) -> bool:
        """Every threshold at 0 and no linear exponent."""
        return self.beta == 0 and self.start in (None, 0) and all(b == 0 for _, b in self.soft)

    def expr(self) -> sympy.Expr:
        """The smooth factor as an expression in x."""
        value = self.coeff * X**self.power * sympy.exp(-self.alpha * X**2 + self.beta * X)
        for a, b in self.soft:
            value *= (1 + sympy.erf((a * X + b) / sympy.sqrt(2))) / 2
        return value


@dataclass(frozen=True)
class Dirac:
    """coeff · δ^(order)(x - at)."""

    coeff: sympy.Expr
    at: sympy.Expr
    order: int = 0


@dataclass(frozen=True)
class Form:
    """A finite sum of terms and Diracs: a distribution on the line."""

    terms: tuple[Term, ...] = ()
    diracs: tuple[Dirac, ...] = ()

    def derivative(self) -> "Form":
        """The derivative as a distribution."""
        terms: list[Term] = []
        diracs = [replace(d, order=d.order + 1) for d in self.diracs]
        for t in self.terms:
            terms += _smooth_derivative(t)
            if t.start is not None:
                diracs.append(Dirac(t.expr().subs(X, t.start), t.start))
        return Form(_collect(terms), _collect(diracs))

    def shifted(self, s: sympy.Expr) -> "Form":
        """x -> f(x + s), for f without Diracs."""
        return Form(_collect(part for t in self.terms for part in _shifted(t, s)))

    def expr(self) -> sympy.Expr:
        """The distribution as a SymPy expression with Heaviside and DiracDelta."""
        total = sympy.S.Zero
        for t in self.terms:
            total += t.expr() * (1 if t.start is None else sympy.Heaviside(X - t.start))
        for d in self.diracs:
            args = (X - d.at, d.order) if d.order else (X - d.at,)
            total += d.coeff * sympy.DiracDelta(*args)
        return total


def _smooth_derivative(t: Term) -> list[Term]:
    parts = [
        replace(t, coeff=-2 * t.alpha * t.coeff, power=t.power + 1),
        replace(t, coeff=t.beta * t.coeff),
    ]
    if t.power:
        parts.append(replace(t, coeff=t.power * t.coeff, power=t.power - 1))
    for i, (a, b) in enumerate(t.soft):
        density = a * sympy.exp(-(b**2) / 2) / sympy.sqrt(2 * sympy.pi)
        rest = t.soft[:i] + t.soft[i + 1 :]
        parts.append(
            replace(
                t,
                coeff=t.coeff * density,
                alpha=t.alpha + a**2 / 2,
                beta=t.beta - a * b,
                soft=rest,
            )
        )
    return parts


def _shifted(t: Term, s: sympy.Expr) -> Iterable[Term]:
    """t(x + s): the power expands, the rest moves along."""
    moved = Term(
        t.coeff * sympy.exp(-t.alpha * s**2 + t.beta * s),
        alpha=t.alpha,
        beta=t.beta - 2 * t.alpha * s,
        soft=tuple((a, b + a * s) for a, b in t.soft),
        start=None if t.start is None else t.start - s,
    )
    for j in range(t.power + 1):
        ways = sympy.binomial(t.power, j) * s ** (t.power - j)
        yield replace(moved, coeff=moved.coeff * ways, power=j)


def _collect(parts: Iterable[Term] | Iterable[Dirac]) -> tuple:  # type: ignore[type-arg]
    """Add the coefficients of equal terms and drop the zeros."""
    sums: dict[Term | Dirac, sympy.Expr] = {}
    for part in parts:
        key = replace(part, coeff=sympy.S.One)
        sums[key] = sums.get(key, sympy.S.Zero) + part.coeff
    done = ((key, sympy.expand(coeff)) for key, coeff in sums.items())
    return tuple(replace(key, coeff=coeff) for key, coeff in done if coeff != 0)


# ---- from an expression to a form ----------------------------------------------------------------


def form(expr: sympy.Expr) -> Form | None:
    """The normal form of `expr` (in x), or None where it lies outside the class."""
    breaks, pieces = branches(expr)
    smooth = [_smooth_terms(piece) for piece in pieces]
    terms: list[Term] = []
    for i, here in enumerate(smooth):
        before = smooth[i - 1] if i else ()
        if here is None or before is None:
            return None
        start = breaks[i - 1] if i else None
        terms += [replace(t, start=start) for t in here]
        terms += [replace(t, coeff=-t.coeff, start=start) for t in before]
    whole = Form(_collect(terms))
    return None if _is_large(whole) else whole


def _is_large(form: Form) -> bool:
    """Beyond these sizes closed forms take minutes and pages; numbers come by quadrature."""
    halves = [t.power for t in form.terms if not t.is_gaussian]
    size = sum(t.power + 1 for t in form.terms)
    return len(form.terms) > 24 or size > 150 or max(halves, default=0) > 20


def branches(expr: sympy.Expr) -> tuple[list[sympy.Expr], list[sympy.Expr]]:
    """Switch points t_1 < ... < t_n and the n + 1 smooth expressions between them."""
    parts = _split(expr, -sympy.oo, sympy.oo)
    kept = [0]
    kept += [i for i in range(1, len(parts)) if sympy.expand(parts[i][1] - parts[i - 1][1]) != 0]
    return [parts[i][0] for i in kept[1:]], [parts[i][1] for i in kept]


def _split(
    expr: sympy.Expr, low: sympy.Expr, high: sympy.Expr
) -> list[tuple[sympy.Expr, sympy.Expr]]:
    """(start, smooth expression) of each branch on (low, high), innermost switches first."""
    switches = list(_switches(expr))
    if not switches:
        return [(low, expr)]
    roots = _sorted({root for switch in switches for root in _roots(switch)})
    inner = [r for r in roots if _positive(r - low) and _positive(high - r)]
    parts = []
    for start, end in pairwise([low, *inner, high]):
        parts += _split(_resolve(expr, _between(start, end)), start, end)
    return parts


def _between(low: sympy.Expr, high: sympy.Expr) -> sympy.Expr:
    if low.is_infinite and high.is_infinite:
        return sympy.S.Zero
    if low.is_infinite or high.is_infinite:
        return high - 1 if low.is_infinite else low + 1
    return (low + high) / 2


def _branch_args(node: sympy.Basic) -> list[sympy.Expr] | None:
    """Expressions in x whose sign decides the branch of `node`, None if it has no branches."""
    if isinstance(node, MinMaxBase):
        return [a - b for i, a in enumerate(node.args) for b in node.args[i + 1 :]]
    if isinstance(node, sympy.Abs | sympy.sign | sympy.Heaviside):
        return [node.args[0]]
    if isinstance(node, sympy.Piecewise):
        relations = node.atoms(sympy.core.relational.Relational)
        return [relation.lhs - relation.rhs for relation in relations]
    return None


def _is_innermost(node: sympy.Basic) -> bool:
    """Whether `node` branches in x on smooth expressions."""
    args = _branch_args(node)
    return (
        args is not None
        and node.has(X)
        and not any(_branch_args(inner) is not None for a in args for inner in _nodes(a))
    )


def _nodes(expr: sympy.Expr) -> Iterable[sympy.Basic]:
    return (node for node in sympy.preorder_traversal(expr) if node.has(X))


def _switches(expr: sympy.Expr) -> Iterable[sympy.Expr]:
    """What decides the innermost branches of `expr`."""
    for node in _nodes(expr):
        if _is_innermost(node):
            yield from _branch_args(node) or ()


def _roots(switch: sympy.Expr) -> list[sympy.Expr]:
    if X not in switch.free_symbols:
        return []
    switch = switch.as_independent(X, as_Add=False)[1]
    while isinstance(switch, _ODD_INCREASING):
        switch = switch.args[0]
    if switch.is_polynomial(X):
        found = sympy.roots(sympy.Poly(switch, X))
        if sum(found.values()) == sympy.degree(switch, X):
            return [root for root in found if root.is_real is not False and _is_real(root)]
    raise ExpressionError(
        f"expression: found a branch that switches where {switch} = 0, "
        "expected switch points that are roots of a polynomial in x"
    )


def _is_real(root: sympy.Expr) -> bool:
    if root.is_real is None:
        raise ExpressionError(
            f"expression: found the switch point {root}, expected one that is real under the"
            " stated assumptions"
        )
    return bool(root.is_real)


def _sorted(points: set[sympy.Expr]) -> list[sympy.Expr]:
    """Insertion sort by decided order, so that symbolic points work where assumptions decide."""
    ordered: list[sympy.Expr] = []
    for point in points:
        place = sum(_positive(point - other) for other in ordered)
        ordered.insert(place, point)
    return ordered


def _positive(value: sympy.Expr) -> bool:
    decided = value.is_extended_positive
    if decided is None:
        decided = sympy.simplify(value).is_extended_positive
    if decided is None:
        raise ExpressionError(
            f"expression: found {value} of undecided sign, expected a known order"
        )
    return bool(decided)


def _resolve(expr: sympy.Expr, point: sympy.Expr) -> sympy.Expr:
    """`expr` with its innermost branches replaced by those that hold around `point`."""
    return expr.xreplace({n: _branch(n, point) for n in _nodes(expr) if _is_innermost(n)})


def _branch(node: sympy.Expr, point: sympy.Expr) -> sympy.Expr:
    if isinstance(node, sympy.Piecewise):
        for value, condition in node.args:
            if condition.subs(X, point) == sympy.true:
                return value
        raise ExpressionError(f"expression: found no branch of {node} at x = {point}")
    if isinstance(node, MinMaxBase):
        sign = 1 if isinstance(node, sympy.Max) else -1
        return reduce(lambda a, b: a if _positive(sign * (a - b).subs(X, point)) else b, node.args)
    up = _positive(node.args[0].subs(X, point))
    if isinstance(node, sympy.Abs):
        return node.args[0] if up else -node.args[0]
    below = sympy.S.NegativeOne if isinstance(node, sympy.sign) else sympy.S.Zero
    return sympy.S.One if up else below


def _smooth_terms(expr: sympy.Expr) -> tuple[Term, ...] | None:
    """Terms of an analytic expression, or None outside the class."""
    waves = expr.atoms(sympy.sin, sympy.cos, sympy.sinh, sympy.cosh)
    expr = expr.xreplace({w: w.rewrite(sympy.exp) for w in waves if X in w.free_symbols})
    terms: list[Term] = []
    for addend in sympy.Add.make_args(sympy.expand(expr)):
        if addend == 0:
            continue
        coeff, rest = addend.as_independent(X, as_Add=False)
        found: list[Term] = [Term(coeff)]
        for factor in sympy.Mul.make_args(rest):
            powers = _factor_terms(factor)
            if powers is None:
                return None
            found = [_times(a, b) for a in found for b in powers]
        terms += found
    return _collect(terms)


def _factor_terms(factor: sympy.Expr) -> list[Term] | None:
    """One factor of a product as a sum of terms."""
    base, exponent = factor.as_base_exp()
    one = sympy.S.One
    if factor == 1:
        return [Term(one)]
    if base == X and exponent.is_Integer and exponent > 0:
        return [Term(one, int(exponent))]
    if isinstance(factor, sympy.exp):
        if not factor.args[0].is_polynomial(X) or sympy.degree(factor.args[0], X) > 2:
            return None
        poly = sympy.Poly(factor.args[0], X)
        a, b, c = (poly.coeff_monomial(X**k) for k in (2, 1, 0))
        if a.is_real is False:
            return None
        return [Term(sympy.exp(c), 0, -a, b)]
    if isinstance(base, sympy.erf | sympy.erfc) and exponent.is_Integer and exponent > 0:
        argument = base.args[0]
        if not argument.is_polynomial(X) or sympy.degree(argument, X) != 1:
            return None
        b, a = (sympy.Poly(argument, X).coeff_monomial(X**k) * sympy.sqrt(2) for k in (0, 1))
        if isinstance(base, sympy.erfc):
            a, b = -a, -b
        shift = Term(sympy.S.NegativeOne if isinstance(base, sympy.erf) else sympy.S.Zero)
        once = _collect([Term(sympy.Integer(2), soft=((a, b),)), shift])
        result = [Term(one)]
        for _ in range(int(exponent)):
            result = [_times(s, t) for s in result for t in once]
        return result
    return None


def _times(s: Term, t: Term) -> Term:
    return Term(
        s.coeff * t.coeff, s.power + t.power, s.alpha + t.alpha, s.beta + t.beta, s.soft + t.soft
    )
