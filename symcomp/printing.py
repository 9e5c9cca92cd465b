"""Closed forms to NumPy source that keeps its accuracy: normal form, series, in-place statements.

Kernels are written in c, root = sqrt(q - c²) and alpha = arcsin(c/sqrt q), where q = q_u q_v; the
singular terms of their derivatives then cancel before any number is put in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import mpmath
import sympy
from mpmath import mpf
from sympy.printing.numpy import NumPyPrinter, _known_functions_numpy

from symcomp.errors import ArgumentError
from symcomp.special import BivariateNormalCDF, normal_cdf

ROOT = sympy.Symbol("root")
ALPHA = sympy.Symbol("alpha")
ANGLE = sympy.Symbol("angle")
ONE = sympy.S.One

DIGITS = 40
_ORDER = 61  # of the Taylor series before it is cut
_STEEP = {1 / ROOT: 1, ROOT**-3: 3}  # infinite at ρ = ±1
_WORST = 3  # a series takes over where the terms add up to more than so many times their sum


# ---- the normal form -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Angular:
    """An expression in c, ROOT = sqrt(q - c²), ALPHA = arcsin(c/sqrt q) and other symbols."""

    expr: sympy.Expr
    c: sympy.Symbol
    q: sympy.Expr

    @staticmethod
    def of(expr: sympy.Expr, c: sympy.Symbol, q: sympy.Expr) -> "Angular":
        """The same expression with its roots and angles recognised."""
        roots = {p: ROOT ** (2 * p.exp) for p in expr.atoms(sympy.Pow) if _same(p.base, q - c**2)}
        angles = {f: ALPHA for f in expr.atoms(sympy.asin) if _same(f.args[0], c / sympy.sqrt(q))}
        return Angular(expr.xreplace(roots | angles), c, q).reduced()

    def diff(self, variable: sympy.Symbol) -> "Angular":
        """The partial derivative, by the chain rule through ROOT and ALPHA."""
        f, c, q = self.expr, self.c, self.q
        of_root = sympy.diff(q - c**2, variable) / (2 * ROOT)
        of_alpha = (sympy.diff(c, variable) - c * sympy.diff(q, variable) / (2 * q)) / ROOT
        total = sympy.diff(f, variable) + sympy.diff(f, ROOT) * of_root
        return Angular(total + sympy.diff(f, ALPHA) * of_alpha, c, q).reduced()

    def reduced(self) -> "Angular":
        """The same expression with ROOT² = q - c² used up: ROOT to the powers -1, 0 and 1.

        An expression where ROOT stands inside another function or a sum's power stays as it is.
        """
        if not self.expr.has(ROOT, ALPHA):
            return self
        square = sympy.Poly(self.q - self.c**2, self.c)
        groups: dict[tuple[int, sympy.Expr], sympy.Poly] = {}  # ROOT^n, what is no polynomial in c
        for term in _expanded(self.expr):
            split = self._split(term)
            if split is None:
                return self
            n, rest, poly = split
            raised = max(n // 2, 0)
            key = (n - 2 * raised, rest)
            groups[key] = groups.get(key, 0) + poly * square**raised
        for n, rest in sorted(groups, key=lambda key: key[0]):
            if n < 0:
                quotient, groups[n, rest] = sympy.div(groups[n, rest], square)
                groups[n + 2, rest] = groups.get((n + 2, rest), 0) + quotient
        parts = (poly.as_expr() * rest * ROOT**n for (n, rest), poly in groups.items())
        return Angular(sympy.Add(*parts), self.c, self.q)

    def _split(self, term: sympy.Expr) -> tuple[int, sympy.Expr, sympy.Poly] | None:
        """A product as ROOT^n times what is no polynomial in c times a polynomial in c."""
        power, rest, poly = 0, ONE, sympy.Poly(1, self.c)
        for factor in sympy.Mul.make_args(term):
            base, exponent = factor.as_base_exp()
            if base == ROOT and exponent.is_Integer:
                power += int(exponent)
            elif factor.has(ROOT):
                return None
            elif factor.is_polynomial(self.c) and not factor.has(ALPHA):
                poly *= sympy.Poly(factor, self.c)
            else:
                rest *= factor
        return power, rest, poly


def _expanded(expr: sympy.Expr) -> list[sympy.Expr]:
    """The terms of a sum, numerators multiplied out and denominators left in factors."""
    terms: list[sympy.Expr] = []
    for term in sympy.Add.make_args(expr):
        total = next((factor for factor in sympy.Mul.make_args(term) if factor.is_Add), None)
        if total is None:
            terms.append(term)
        else:
            terms += _expanded(sympy.Add(*(part * (term / total) for part in total.args)))
    return terms


def _same(a: sympy.Expr, b: sympy.Expr) -> bool:
    return bool(sympy.expand(a - b) == 0)


# ---- κ and κ' as sums of terms -------------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """Which inverse function of ρ the code calls, and arcsin(ρ) in its terms."""

    name: str
    arcsin: sympy.Expr
    of_psi: Callable[[mpf], mpf]  # with ρ = -cos ψ
    code: tuple[str, ...]
    of_turn: str  # for rows at a small angle `turn` to parallel (sign 1) or opposite (sign -1)


ARCSIN = Form(
    name="arcsin(ρ)",
    arcsin=ANGLE,
    of_psi=lambda psi: psi - mpmath.pi / 2,
    code=("np.arcsin(t.rho, out=t.angle)",),
    of_turn="sign * (0.5 * np.pi - turn)",
)
ARCCOS = Form(
    name="arccos(-ρ)",
    arcsin=ANGLE - sympy.pi / 2,
    of_psi=lambda psi: psi,
    code=("np.negative(t.rho, out=t.angle)", "np.arccos(t.angle, out=t.angle)"),
    of_turn="np.where(sign > 0.0, np.pi - turn, turn)",
)


@dataclass(frozen=True)
class Series:
    """ψ^power Σ_n coefficients[n] ψ^2n for f(-cos ψ), 0 <= ψ <= switch."""

    power: int
    coefficients: tuple[float, ...]
    switch: float


@dataclass(frozen=True)
class Formula:
    """A function of ρ = -cos ψ: polynomials in ρ times 1, powers of sqrt(1 - ρ²), an angle."""

    form: Form
    parts: dict[sympy.Expr, sympy.Poly]  # basis element -> coefficient
    rho: sympy.Symbol

    @staticmethod
    def of(f: Angular, form: Form) -> "Formula | None":
        """f at q = 1; None if it is not of that kind."""
        parts: dict[sympy.Expr, sympy.Poly] = {}
        if f.expr == 0:
            return Formula(form, parts, f.c)
        for term in sympy.Add.make_args(sympy.expand(f.expr.subs(ALPHA, form.arcsin))):
            coefficient, basis = term.as_independent(ROOT, ANGLE, as_Add=False)
            known = basis in (ONE, ROOT, ANGLE, *_STEEP)
            if not known or not coefficient.is_polynomial(f.c) or coefficient.free_symbols - {f.c}:
                return None
            parts[basis] = parts.get(basis, 0) + sympy.Poly(coefficient, f.c)
        return Formula(form, {b: p for b, p in parts.items() if not p.is_zero}, f.c)

    @cached_property
    def expr(self) -> sympy.Expr:
        """The sum, in ROOT and ANGLE."""
        return sympy.factor_terms(sympy.Add(*(p.as_expr() * b for b, p in self.parts.items())))

    @property
    def bare(self) -> tuple[str, str] | None:
        """The buffer and the factor of a function that is a multiple of one of them."""
        if len(self.parts) == 1:
            ((basis, part),) = self.parts.items()
            if basis in _NAMES and part.is_ground:
                return _NAMES[basis], _number(part.LC())
        return None

    @property
    def curved(self) -> bool:
        """Whether the function is more than a polynomial in ρ."""
        return bool(self.parts.keys() - {ONE})

    @property
    def steep(self) -> bool:
        """Whether the function is infinite at ρ = ±1."""
        return any(basis in self.parts for basis in _STEEP)

    @property
    def digits(self) -> int:
        """Working precision: DIGITS of f are left a float above ρ = -1, where its terms cancel."""
        return 2 * DIGITS + 20 * max((int(p.degree()) for p in self.parts.values()), default=0)

    def at(self, rho: float) -> mpf:
        """f(ρ) to at least DIGITS digits."""
        with mpmath.workdps(self.digits):
            x = mpf(rho)
            return sum(self._terms(x, mpmath.sqrt((1 - x) * (1 + x)), mpmath.acos(-x)))

    def at_angle(self, psi: mpf) -> mpf:
        """f(-cos ψ) at the working precision."""
        return sum(self._terms(-mpmath.cos(psi), mpmath.sin(psi), psi))

    def cancellation(self, psi: mpf) -> mpf:
        """Σ|terms| / |Σ terms| at ρ = -cos ψ, which is what adding them up may lose."""
        values = self._terms(-mpmath.cos(psi), mpmath.sin(psi), psi)
        return sum(map(abs, values)) / abs(sum(values))

    def _terms(self, rho: mpf, sine: mpf, psi: mpf) -> list[mpf]:
        basis = {b: sine**-n if sine else mpmath.inf for b, n in _STEEP.items()}
        basis |= {ONE: 1, ROOT: sine}
        basis[ANGLE] = self.form.of_psi(psi)
        return [basis[b] * mpmath.polyval(p, rho) for b, p in self._numbers.items()]

    @cached_property
    def _numbers(self) -> dict[sympy.Expr, list[mpf]]:
        with mpmath.workdps(self.digits):
            return {
                basis: [mpf(sympy.N(c, self.digits)) for c in poly.all_coeffs()]
                for basis, poly in self.parts.items()
            }

    @cached_property
    def series(self) -> Series | None:
        """The series at ψ = 0 where the function vanishes there and its terms cancel, else None.

        It takes over below `switch`, beyond which no more than a factor _WORST is lost. It is cut
        where what is left out is below 2^-56 of the value at `switch`, hence everywhere below.
        """
        if self.form is not ARCCOS or set(self.parts) != {ROOT, ANGLE}:
            return None
        with mpmath.workdps(self.digits):
            grid = [mpf(i) / 16 for i in range(1, 48)]
            losing = [psi for psi in grid if self.cancellation(psi) > _WORST]
            switch = max(losing) + mpf(1) / 16
            taylor = mpmath.taylor(self.at_angle, 0, _ORDER)[1::2]  # an odd function of ψ
            first = next(n for n, c in enumerate(taylor) if abs(c) > mpf(10) ** (3 - DIGITS))
            sizes = [abs(c) * switch ** (2 * n + 1) for n, c in enumerate(taylor)]
            enough = abs(self.at_angle(switch)) / 2**56
            last = next(n for n in range(first, len(sizes)) if sum(sizes[n + 1 :]) < enough)
            coefficients = tuple(float(c) for c in taylor[first : last + 1])
        return Series(2 * first + 1, coefficients, float(switch))

    def code(self, into: str) -> list[str]:
        """Statements that put the function into the array `into`, in place."""
        if not self.parts:
            return [f"{into}.fill(0.0)"]
        factor, lines = self._factor(), list[str]()
        for basis, part in sorted(self.parts.items(), key=_length):
            poly = sympy.Poly(part.as_expr() / factor, self.rho)
            if not lines:
                lines += _product(poly, basis, into)
            elif basis == 1 and poly.is_ground:
                lines.append(f"{into} += {_number(poly.LC())}")
            elif basis in _NAMES and poly == 1:
                lines.append(f"{into} += {_NAMES[basis]}")
            else:
                lines += [*_product(poly, basis, "t.scratch"), f"{into} += t.scratch"]
        return lines if factor == 1 else [*lines, f"{into} *= {_number(factor)}"]

    def _factor(self) -> sympy.Expr:
        """What to take out of the sum, so that simple coefficients are left."""
        if len(self.parts) == 1 or ROOT not in self.parts:
            return ONE
        if self.parts[ROOT].is_ground:
            return self.parts[ROOT].LC()
        return self.expr.as_independent(self.rho, ROOT, ANGLE, as_Add=False)[0]


def formulas(*functions: Angular) -> tuple[Formula, ...] | None:
    """κ, κ', κ'' in the form in which the first two lose least to cancellation over a grid.

    None where one of them is not a sum of the terms of `Formula`.
    """
    scores: list[tuple[mpf, tuple[Formula, ...]]] = []
    for form in (ARCSIN, ARCCOS):
        found = [Formula.of(f, form) for f in functions]
        fitting = tuple(f for f in found if f is not None)
        if len(fitting) < len(found):
            return None
        with mpmath.workdps(max(f.digits for f in fitting)):
            grid = [mpmath.pi * (2 * i + 1) / 128 for i in range(64)]
            losses = [mpmath.log(f.cancellation(psi)) for f in fitting[:2] for psi in grid]
            scores.append((sum(losses), fitting))
    return min(scores, key=lambda score: score[0])[1]


# ---- orthant probabilities -----------------------------------------------------------------------

RU, RV, BELOW, ABOVE = sympy.symbols("ru rv below above", positive=True)
FLOORS = {BELOW: sympy.Symbol("floor_below", positive=True)}
FLOORS |= {ABOVE: sympy.Symbol("floor_above", positive=True)}
GAP, CORRELATION = sympy.symbols("gap rho", real=True)


def polar(expr: sympy.Expr, qu: sympy.Symbol, qv: sympy.Symbol, c: sympy.Symbol) -> sympy.Expr:
    """The expression in the lengths ru, rv, gap = rv - ru, rho, below = 1 - rho, above = 1 + rho.

    What vanishes between equal or opposite rows becomes a multiple of gap, below and above, so
    that these small numbers are not lost in the difference of large ones.
    """
    expr = in_lengths(expr, qu, qv, c)
    return _without_poles(_with_tails(expr.replace(_is_polynomial, _small)))


def in_lengths(expr: sympy.Expr, qu: sympy.Symbol, qv: sympy.Symbol, c: sympy.Symbol) -> sympy.Expr:
    """The expression in the lengths and the correlation."""
    return expr.subs({qu: RU**2, qv: RV**2, c: CORRELATION * RU * RV}, simultaneous=True)


def small(expr: sympy.Expr) -> sympy.Expr:
    """What `polar` gives, of an expression in lengths, its arguments put over one denominator."""
    expr = expr.replace(_is_quotient, lambda e: sympy.factor(sympy.together(e)))
    return _without_poles(_with_tails(expr.replace(_is_polynomial, _small)))


def floored(expr: sympy.Expr) -> sympy.Expr:
    """The same with the floors of below and above where a term is divided by their roots."""
    terms = (sympy.Mul.make_args(term) for term in sympy.Add.make_args(expr))
    return sympy.Add(
        *(sympy.Mul(*(f.xreplace(FLOORS) if _is_pole(f) else f for f in term)) for term in terms)
    )


def _is_pole(factor: sympy.Expr) -> bool:
    return bool(factor.is_Pow and factor.exp.is_negative and factor.base in FLOORS)


def _is_quotient(e: sympy.Expr) -> bool:
    known = {RU, RV, CORRELATION}
    return bool(e.is_Add and e.free_symbols <= known and e.is_rational_function(*known))


def _is_polynomial(e: sympy.Expr) -> bool:
    known = {RU, RV, CORRELATION}
    return bool(e.is_Add and e.free_symbols <= known and e.is_polynomial(*known))


def _small(poly: sympy.Expr) -> sympy.Expr:
    content, factors = sympy.factor_list(poly, RU, RV, CORRELATION)
    return content * sympy.prod(_small_factor(f) ** n for f, n in factors)


def _small_factor(factor: sympy.Expr) -> sympy.Expr:
    for end, distance, rho in ((1, BELOW, 1 - BELOW), (-1, ABOVE, ABOVE - 1)):
        if factor.subs({RV: RU, CORRELATION: end}) == 0:
            near = sympy.expand(factor.subs({CORRELATION: rho, RV: RU + GAP}))
            return sympy.collect(near, distance).subs(RU + GAP, RV)
    return factor


def _without_poles(expr: sympy.Expr) -> sympy.Expr:
    """Terms that grow at rho = ±1 put over rho² = 1 - above below, where they cancel."""
    terms = []
    for term in sympy.Add.make_args(expr):
        powers = term.as_powers_dict()
        n = int(powers.get(CORRELATION, 0)) // 2 if powers.get(BELOW, 0) < 0 else 0
        terms.append(term / CORRELATION ** (2 * n) * (1 - ABOVE * BELOW) ** n if n > 0 else term)
    return _multiplied_out(sympy.Add(*terms))


def _with_tails(expr: sympy.Expr) -> sympy.Expr:
    """Φ₂ and erf with the signs that leave the fewest terms: complements of tails would cancel."""
    expr = _multiplied_out(expr)
    for phi in sorted(expr.atoms(BivariateNormalCDF), key=sympy.default_sort_key):
        h, k, r = phi.args
        left, right = normal_cdf(h), normal_cdf(k)
        turned = [phi, BivariateNormalCDF(-h, -k, r) + left + right - 1]
        turned += [right - BivariateNormalCDF(-h, k, -r), left - BivariateNormalCDF(h, -k, -r)]
        expr = _shortest(expr, phi, turned)
    for error in sorted(expr.atoms(sympy.erf), key=sympy.default_sort_key):
        (x,) = error.args
        expr = _shortest(expr, error, [error, 1 - sympy.erfc(x), sympy.erfc(-x) - 1])
    return expr


def _shortest(expr: sympy.Expr, old: sympy.Expr, new: list[sympy.Expr]) -> sympy.Expr:
    variants = [_multiplied_out(expr.xreplace({old: n})) for n in new]
    return min(variants, key=lambda e: len(sympy.Add.make_args(e)))


def _multiplied_out(expr: sympy.Expr) -> sympy.Expr:
    """The terms of the sum multiplied out, their functions left as they are."""
    return sympy.Add(*(sympy.expand_mul(t, deep=False) for t in sympy.Add.make_args(expr)))


# ---- plain statements ----------------------------------------------------------------------------


# Functions that the generated module defines: rounding must not leave their domains.
_ARCSIN, _SQRT, _RECIPROCAL = map(sympy.Function, ("_arcsin", "_sqrt", "_reciprocal"))
CORRELATED, RESIDUAL = map(sympy.Function, ("_correlated", "_residual"))
NDTR = sympy.Function("ndtr")  # SciPy's Φ, which keeps its digits in the left tail


def statements(results: Mapping[str, sympy.Expr], shaped: sympy.Symbol | None = None) -> list[str]:
    """NumPy source that computes the results, sharing what they share, each of the shape `shaped`.

    Raises ArgumentError for a function that NumPy does not have.
    """
    shared, reduced = sympy.cse([_guarded(expr) for expr in results.values()])
    lines = [f"{symbol} = {_printed(value)}" for symbol, value in shared]
    for (name, expr), short in zip(results.items(), reduced, strict=True):
        text = _printed(short)
        if shaped and shaped not in expr.free_symbols:
            text = f"np.broadcast_to({text}, {shaped}.shape)"
        lines.append(f"{name}: Array = {text}")
    return [*lines, f"return {', '.join(results)}"]


def assignments(values: Mapping[sympy.Symbol, sympy.Expr]) -> list[str]:
    """NumPy source that computes the values one after the other."""
    return [f"{symbol} = {_printed(_guarded(value))}" for symbol, value in values.items()]


def _guarded(expr: sympy.Expr) -> sympy.Expr:
    """The same with roots of what may round below 0, quotients by 0 and arcsines guarded."""
    expr = expr.replace(sympy.asin, _ARCSIN)
    expr = expr.replace(
        lambda e: e.is_Pow and e.exp.is_Rational and e.exp.q == 2 and not e.base.is_nonnegative,
        lambda e: _SQRT(e.base) ** (2 * e.exp),
    )
    return expr.replace(
        lambda e: e.is_Pow and e.exp.is_negative and not e.base.is_positive,
        lambda e: _RECIPROCAL(e.base**-e.exp),
    )


def _printed(expr: sympy.Expr) -> str:
    text = str(NumPyPrinter({"allow_unknown_functions": True}).doprint(expr))
    defined = (_ARCSIN, _SQRT, _RECIPROCAL, CORRELATED, RESIDUAL, NDTR)
    known = {f.__name__ for f in defined} | set(_known_functions_numpy)
    known |= {"erf", "erfc", "BivariateNormalCDF"}
    unknown = {type(f).__name__ for f in expr.atoms(sympy.Function)} - known
    if unknown:
        raise ArgumentError(f"kernel: found {sorted(unknown)[0]}, expected functions NumPy has")
    return text.replace("numpy.", "np.").replace("math.erf", "erf")


# ---- in-place statements -------------------------------------------------------------------------

_NAMES = {ROOT: "t.sine", ANGLE: "t.angle"}


def _length(item: tuple[sympy.Expr, sympy.Poly]) -> tuple[int, bool]:
    """Long coefficients first and constants last, so that the short ones need no scratch."""
    basis, part = item
    return -part.degree(), basis == 1


def _product(poly: sympy.Poly, basis: sympy.Expr, into: str) -> list[str]:
    """poly(ρ) times a basis element."""
    coefficients = poly.all_coeffs()
    factors = [_NAMES[basis]] if basis in _NAMES else []
    while coefficients[-1] == 0:
        coefficients.pop()
        factors.insert(0, "t.rho")
    if len(coefficients) > 1:
        lines = _horner(coefficients, into)
    elif len(factors) > 1:
        lines = [f"np.multiply({factors.pop(0)}, {factors.pop(0)}, out={into})"]
        factors += [_number(coefficients[0])] if coefficients[0] != 1 else []
    elif factors:
        lines = [f"np.multiply({factors.pop(0)}, {_number(coefficients[0])}, out={into})"]
    else:
        lines = [f"{into}.fill({_number(coefficients[0])})"]
    lines += [f"{into} *= {factor}" for factor in factors]
    if basis in _STEEP:
        divide = f"np.divide({into}, t.sine, out={into}, where=t.sine > 0.0)"
        lines += [divide] * _STEEP[basis]
        lines.append(f"{into}[t.sine == 0.0] = 0.0  # infinite there; by convention")
    return lines


def _horner(coefficients: list[sympy.Expr], into: str) -> list[str]:
    lines = [f"np.multiply(t.rho, {_number(coefficients[0])}, out={into})"]
    for c in coefficients[1:-1]:
        lines += [f"{into} += {_number(c)}"] if c != 0 else []
        lines += [f"{into} *= t.rho"]
    return [*lines, f"{into} += {_number(coefficients[-1])}"]


def _number(value: sympy.Expr) -> str:
    return repr(float(sympy.N(value, 25)))
