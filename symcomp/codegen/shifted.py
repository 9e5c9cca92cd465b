"""Means of thresholds and Gaussian weights that need not be centred, as a list of statements.

The weight exp(-a X² - b Y² + β X + γ Y) tilts the Gaussian (see `tilted`) and moves its means. With
standard deviations s_x, s_y, correlation ρ, means m_x, m_y and thresholds s, t of the tilted one,
h = (m_x - s)/s_x and k = (m_y - t)/s_y, Stein's lemma lowers the powers in E X^m Y^n over X > s,
Y > t down to Φ₂(h, k; ρ), with Φ((k - ρh)/sqrt(1 - ρ²)) at the edge X = s. All is a function of
h, k, ρ, s_x and s_y as they are rounded, so that their roundings are those of the arguments.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import product

import sympy

from symcomp.antiderivatives import C
from symcomp.codegen.tilted import ROOT, by_expectations
from symcomp.expectations import QU, QV
from symcomp.parsing import X
from symcomp.printing import CORRELATED, NDTR, RESIDUAL
from symcomp.special import BivariateNormalCDF
from symcomp.terms import Dirac, Form, Term

__all__ = ["Shifted"]

Key = tuple[object, ...]


@dataclass
class Shifted:
    """Means in q_u, q_v and the `values`, each of which stands on those before it."""

    values: dict[sympy.Symbol, sympy.Expr] = field(default_factory=dict)
    known: dict[Key, sympy.Expr] = field(default_factory=dict)

    def derivatives(self, f: Form) -> dict[str, sympy.Expr]:
        """K° and its derivatives, as in `by_expectations`."""
        return by_expectations(self._mean, f)

    def _put(self, key: Key, value: sympy.Expr, positive: bool = False) -> sympy.Expr:
        """A symbol for the value, one for each key; numbers and symbols stand for themselves."""
        if key not in self.known:
            if value.is_Atom:
                self.known[key] = value
            else:
                name = f"{key[0]}_{len(self.values)}"
                symbol = sympy.Symbol(name, **({"positive": True} if positive else {"real": True}))
                self.values[symbol] = value
                self.known[key] = symbol
        return self.known[key]

    def _mean(self, f: Form, g: Form) -> sympy.Expr:
        """E f(X) g(Y)."""
        parts = [self._of_terms(s, t) for s, t in product(_sided(f), _sided(g))]
        parts += [self._of_dirac(d, g, turned=False) for d in f.diracs]
        parts += [self._of_dirac(d, Form(f.terms), turned=True) for d in g.diracs]
        return sympy.Add(*parts)

    def _of_terms(self, left: "_Sided", right: "_Sided") -> sympy.Expr:
        s, t = left.term, right.term
        weights = (s.alpha, t.alpha, s.beta, t.beta)
        pair = _Pair(self, weights, (s.start, t.start), left.sign * right.sign)
        return s.coeff * t.coeff * pair.weight * pair.moment(s.power, t.power)

    def _of_dirac(self, d: Dirac, g: Form, turned: bool) -> sympy.Expr:
        """E δ^(n)(X - s) g(Y), X and Y exchanged if `turned`: the density at s, Y given X = s.

        Lowered by q_u E δ^(n) g = s E δ^(n-1) g - (n - 1) E δ^(n-2) g - c E δ^(n-1) g'.
        """
        deviation, spread = self._given(turned)
        if d.order > 0:
            lower = replace(d, order=d.order - 1)
            total = d.at * self._of_dirac(lower, g, turned)
            total -= C * self._of_dirac(lower, g.derivative(), turned)
            if d.order > 1:
                lowest = replace(d, order=d.order - 2)
                total -= (d.order - 1) * self._of_dirac(lowest, g, turned)
            return total / deviation**2
        h = d.at / deviation
        density = sympy.exp(-(h**2) / 2) / sympy.sqrt(2 * sympy.pi) / deviation
        parts = [self._alone(d.at, t, turned) for t in _sided(g)]
        for e in g.diracs:  # (-d/dy)^n of the density of Y given X = s
            z = -self._away(d.at, e.at, turned)
            bend = sympy.hermite_prob(e.order, z) * _density(z) / spread ** (e.order + 1)
            parts.append(e.coeff * bend)
        return d.coeff * density * sympy.Add(*parts)

    def _alone(self, at: sympy.Expr, sided: "_Sided", turned: bool) -> sympy.Expr:
        """E(t(±Y) | X = at), X and Y exchanged if `turned`."""
        deviation, spread = self._given(turned)
        t, sign = sided.term, sided.sign
        size = self._put(("alone", t.alpha, turned), 1 + 2 * t.alpha * spread**2, positive=True)
        mean = sign * C * at / deviation**2
        moved = (mean + t.beta * spread**2) / size
        weight = (t.beta * mean - t.alpha * mean**2 + t.beta**2 * spread**2 / 2) / size
        z = None
        if t.start is not None:
            pull = (t.beta - 2 * t.alpha * t.start) * spread
            z = (self._away(at, t.start, turned, sign) + pull) / sympy.sqrt(size)
        key = ("line", t.alpha, t.beta, t.start, sign, at, turned)
        scale = spread / sympy.sqrt(size)
        factor = t.coeff * sympy.exp(weight) / sympy.sqrt(size)
        return factor * self.line(t.power, key, moved, scale, t.start, z)

    def _given(self, turned: bool) -> tuple[sympy.Expr, sympy.Expr]:
        """The deviation of X, and that of Y given X."""
        q = QV if turned else QU
        deviation = self._put(("r", turned), sympy.sqrt(q), positive=True)
        return deviation, self._put(("spread", turned), ROOT / deviation)

    def _away(self, s: sympy.Expr, t: sympy.Expr, turned: bool, sign: int = 1) -> sympy.Expr:
        """(E(±Y | X = s) - t) over the deviation of Y given X."""
        ru, rv = self._given(turned)[0], self._given(not turned)[0]
        rho = self._put(("rho",), CORRELATED(C, ru * rv, ROOT))
        return self._put(("z", s, t, turned, sign), RESIDUAL(-s / ru, -t / rv, sign * rho))

    def line(
        self,
        n: int,
        key: Key,
        mean: sympy.Expr,
        scale: sympy.Expr,
        start: sympy.Expr | None,
        z: sympy.Expr | None,
    ) -> sympy.Expr:
        """E Y^n over Y > start, where z = (mean - start)/scale; over all Y without a start."""
        if n == 0:
            return sympy.S.One if z is None else self._put((*key, 0), NDTR(z))
        if (*key, n) in self.known:
            return self.known[*key, n]
        total = mean * self.line(n - 1, key, mean, scale, start, z)
        if n > 1:
            total += (n - 1) * scale**2 * self.line(n - 2, key, mean, scale, start, z)
        if start is not None:
            total += start ** (n - 1) * scale * _density(z)
        return self._put((*key, n), total)


@dataclass(frozen=True)
class _Sided:
    """term(sign · x)."""

    term: Term
    sign: int


def _sided(f: Form) -> list[_Sided]:
    """The terms of f, mirrored where an exponential would only grow on its side to be cancelled."""
    groups: dict[tuple[sympy.Expr, sympy.Expr], list[Term]] = defaultdict(list)
    for t in f.terms:
        groups[t.alpha, t.beta].append(t)
    found = []
    for (alpha, beta), terms in groups.items():
        beyond = sympy.expand(sympy.Add(*(t.coeff * X**t.power for t in terms)))
        whole = any(t.start is None for t in terms)
        left = alpha == 0 and beyond == 0 and (whole or beta.is_positive)
        found += (
            [_mirrored(t) for t in terms if t.start is not None]
            if left
            else [_Sided(t, 1) for t in terms]
        )
    return found


def _mirrored(t: Term) -> _Sided:
    """- x^n exp(beta x) where x < start, which with the whole line's is that where x > start."""
    assert t.start is not None
    coeff = -((-1) ** t.power) * t.coeff
    return _Sided(replace(t, coeff=coeff, beta=-t.beta, start=-t.start), -1)


def _density(z: sympy.Expr) -> sympy.Expr:
    return sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi)


class _Pair:
    """Two terms' weights and thresholds: their tilted Gaussian and its moments."""

    def __init__(
        self,
        of: Shifted,
        weights: tuple[sympy.Expr, sympy.Expr, sympy.Expr, sympy.Expr],
        starts: tuple[sympy.Expr | None, sympy.Expr | None],
        sign: int,
    ) -> None:
        self.of, self.starts, self.key = of, starts, (*weights, *starts, sign)
        a, b, beta, gamma = weights
        D, plane = ROOT**2, (a, b)
        size = of._put(("size", *plane), 1 + 2 * a * QU + 2 * b * QV + 4 * a * b * D, positive=True)
        self.sx = of._put(("sx", *plane), sympy.sqrt((QU + 2 * b * D) / size), positive=True)
        self.sy = of._put(("sy", *plane), sympy.sqrt((QV + 2 * a * D) / size), positive=True)
        rho = of._put(("rho", *plane), CORRELATED(C / size, self.sx * self.sy, ROOT))
        self.rho = sign * rho
        self.cov = sign * of._put(("cov", *plane), rho * self.sx * self.sy)
        mx, my = self.sx**2 * beta + self.cov * gamma, self.cov * beta + self.sy**2 * gamma
        tilt = (*weights, sign)
        self.mx, self.my = of._put(("mx", *tilt), mx), of._put(("my", *tilt), my)
        exponent = (beta * self.mx + gamma * self.my) / 2
        weight = sympy.exp(exponent) / sympy.sqrt(size)
        self.weight = of._put(("weight", *tilt), weight, positive=True)
        s, t = starts
        self.h = None if s is None else of._put(("h", *self.key), (self.mx - s) / self.sx)
        self.k = None if t is None else of._put(("k", *self.key), (self.my - t) / self.sy)

    def moment(self, m: int, n: int) -> sympy.Expr:
        """E X^m Y^n over the thresholds, by Stein's lemma."""
        key = ("moment", *self.key, m, n)
        if key in self.of.known:
            return self.of.known[key]
        if m == 0 == n:
            return self.of._put(key, self._share())
        left, vx, vy = m > 0, self.sx**2, self.sy**2
        i, j = (m - 1, n) if left else (m, n - 1)
        total = (self.mx if left else self.my) * self.moment(i, j)
        if i > 0:
            total += i * (vx if left else self.cov) * self.moment(i - 1, j)
        if j > 0:
            total += j * (self.cov if left else vy) * self.moment(i, j - 1)
        if self.h is not None:
            total += (vx if left else self.cov) * self._edge(i, j, turned=False)
        if self.k is not None:
            total += (self.cov if left else vy) * self._edge(j, i, turned=True)
        return self.of._put(key, total)

    def _share(self) -> sympy.Expr:
        if self.h is None or self.k is None:
            z = self.k if self.h is None else self.h
            return sympy.S.One if z is None else NDTR(z)
        return BivariateNormalCDF(self.h, self.k, self.rho)

    def _edge(self, i: int, j: int, turned: bool) -> sympy.Expr:
        """E δ(X - s) X^i Y^j over Y > t; X and Y exchanged if `turned`."""
        h, k, scale, other, mean = self.h, self.k, self.sx, self.sy, self.my
        s, t = self.starts
        if turned:
            h, k, scale, other, mean, s, t = k, h, self.sy, self.sx, self.mx, t, s
        assert s is not None  # the edge
        z = None
        if k is not None:
            z = self.of._put(("z", *self.key, turned), RESIDUAL(h, k, self.rho))
        spread = self.of._put(
            ("spread", *self.key, turned), other * sympy.sqrt((1 - self.rho) * (1 + self.rho))
        )
        given = self.of._put(("mean", *self.key, turned), mean - self.rho * other * h)
        key = ("line", *self.key, turned)
        density = self.of._put(("density", *self.key, turned), _density(h) / scale)
        return s**i * density * self.of.line(j, key, given, spread, t, z)
