"""The exact loss between two given networks, enclosed in a ball: the arbiter of float64 losses."""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from typing import TypeAlias

import flint
import numpy as np
import sympy
from flint import arb, fmpq, fmpz_mat

from symcomp.balls import ball, compiled, rational
from symcomp.catalogue import Activation
from symcomp.errors import ArgumentError, ExpressionError
from symcomp.expectations import QU, OutsideClassError, expectation
from symcomp.kernels import DualKernel, dual_kernel, shifted_kernel
from symcomp.networks import Array, TwoLayerNetwork
from symcomp.parsing import X
from symcomp.quadrature import expectation2
from symcomp.terms import form

__all__ = ["loss_enclosure"]

_GROWTH = (1, 2, 4, 8)  # times the digits asked for, while the loss cancels

Row: TypeAlias = tuple[int, ...]
Kernel: TypeAlias = Callable[[fmpq, fmpq, fmpq, fmpq, fmpq], arb]


def loss_enclosure(target: TwoLayerNetwork, network: TwoLayerNetwork, digits: int = 30) -> arb:
    """Ball that contains L = E |f(x) - g(x)|², x ~ N(0, I), of the two networks f, g (S0).

    Weights are taken exactly, as the floats they are; biases, scalings, several outputs and two
    different activations are respected. (Inputs of mean m are biases <w, m>.) The relative radius
    is at most 10^-digits; exactly 0 where the nodes cancel one by one. A loss so small that 8 times
    the digits do not tell it from 0 is returned as a ball around 0 of radius below 10^(-4 digits)
    times the sum of the absolute terms.
    The time is O((N + M)²) evaluations of the dual kernel: seconds for hundreds of nodes, but 10 ms
    a pair where there is no closed form or one with Φ₂, which every pair with biases has for ReLU
    and its like; pairs of parallel rows with biases take 0.1 s. Raises ArgumentError for anything
    but two networks of one input and one output dimension, and digits >= 1, and what
    the kernels raise.
    """
    _check(target, network, digits)
    groups = _merged(target, network)
    bits = math.ceil(digits * math.log2(10)) + 4
    value = arb(0)
    for growth in _GROWTH if groups else ():
        with flint.ctx.workprec(growth * bits + 64):
            value = sum(_terms(groups, growth * (digits + 2)), arb(0))
        if value.rel_accuracy_bits() >= bits:
            break
    return value


def _check(target: TwoLayerNetwork, network: TwoLayerNetwork, digits: int) -> None:
    for name, value in (("target", target), ("network", network)):
        if not isinstance(value, TwoLayerNetwork):
            found = type(value).__name__
            raise ArgumentError(f"{name}: found {found}, expected a TwoLayerNetwork")
    if network.d != target.d:
        raise ArgumentError(f"network: found inputs in R^{network.d}, expected R^{target.d}")
    found, wanted = (net.a.size // net.N for net in (network, target))
    if found != wanted:
        raise ArgumentError(f"network: found {found} outputs, expected {wanted}")
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 10_000:
        raise ArgumentError(f"digits: found {digits!r}, expected an integer from 1 to 10000")


# ---- the difference f - g as one network ---------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """Nodes of one activation: Σ_i a_i σ(<w_i, x> + s_i), rows (w_i, s_i) in units of 1/unit."""

    activation: Activation
    rows: list[Row]
    weights: list[list[fmpq]]
    unit: int


def _merged(target: TwoLayerNetwork, network: TwoLayerNetwork) -> list[_Group]:
    """f - g, its equal nodes merged and those without weight left out.

    For a positively homogeneous σ, σ(t y) = t^k σ(y) makes positive multiples equal.
    """
    unit = max(_unit(net) for net in (target, network))
    merged: dict[Activation, dict[Row, list[fmpq]]] = {}
    for sign, net in ((1, target), (-1, network)):
        nodes = merged.setdefault(net.activation, {})
        scale = fmpq(sign, net.N if net.scaling == "mean" else 1)
        degree = net.activation.degree
        for w, a in zip(_rows(net), net.a.reshape(net.N, -1), strict=True):
            row, outer = _integers(w, unit), [scale * fmpq(*x.as_integer_ratio()) for x in a]
            content = math.gcd(*row)
            if degree is not None and content:
                row = tuple(x // content for x in row)
                outer = [x * fmpq(content, unit) ** degree for x in outer]
            known = nodes.get(row)
            nodes[row] = (
                outer if known is None else [x + y for x, y in zip(known, outer, strict=True)]
            )
    groups = []
    for act, nodes in merged.items():
        kept = {row: outer for row, outer in nodes.items() if any(x != 0 for x in outer)}
        if kept:
            one = 1 if act.degree is not None else unit
            groups.append(_Group(act, list(kept), list(kept.values()), one))
    return groups


def _rows(net: TwoLayerNetwork) -> Array:
    """The rows (w_i, s_i)."""
    return np.column_stack([net.W, np.zeros(net.N) if net.bias is None else net.bias])


def _unit(net: TwoLayerNetwork) -> int:
    """The power of 2 that makes all entries integers."""
    return max(int(x.as_integer_ratio()[1]) for x in np.unique(_rows(net)))


def _integers(w: Array, unit: int) -> Row:
    return tuple(p * (unit // q) for p, q in (x.as_integer_ratio() for x in w))


# ---- the double sum ------------------------------------------------------------------------------


def _terms(groups: list[_Group], digits: int) -> Iterator[arb]:
    """The terms <a_i, a_j> K(w_i, w_j), those off the diagonal twice."""
    for left, right in combinations_with_replacement(groups, 2):
        kernel = _kernel(left.activation, right.activation, digits)
        U, V = (fmpz_mat([row[:-1] for row in group.rows]) for group in (left, right))
        gram = U * V.transpose()
        units = left.unit**2, right.unit**2, left.unit * right.unit
        qu, qv = (
            [fmpq(sum(x * x for x in row[:-1]), unit) for row in group.rows]
            for group, unit in zip((left, right), units[:2], strict=True)
        )
        biases, others = (
            [fmpq(row[-1], group.unit) for row in group.rows] for group in (left, right)
        )
        for i, a in enumerate(left.weights):
            for j in range(i if left is right else 0, len(right.rows)):
                outer = sum((x * y for x, y in zip(a, right.weights[j], strict=True)), fmpq(0))
                if outer == 0:
                    continue
                cov = fmpq(gram[i, j], units[2])
                value = kernel(qu[i], qv[j], cov, biases[i], others[j])
                yield outer * value if left is right and i == j else 2 * outer * value


def _kernel(left: Activation, right: Activation, digits: int) -> Kernel:
    """K at the current precision: the dual kernel, where there are biases the shifted one."""
    plain = _plain_kernel(dual_kernel(left, right), digits)
    closed: list[Callable[..., arb]] = []  # made when it is first asked for

    def kernel(u: fmpq, v: fmpq, c: fmpq, s: fmpq, t: fmpq) -> arb:
        if s == 0 == t:
            return plain(u, v, c)
        if c * c == u * v:
            value = _on_one_line(left, right, (u, v, c), (s, t))
        else:
            closed[:] = closed or [_shifted(left, right)]
            value = closed[0](u, v, c, s, t)
        if value.is_finite():
            return value
        return expectation2(_moved(left, s), _moved(right, t), u, v, c, digits)

    return kernel


def _plain_kernel(ker: DualKernel, digits: int) -> Callable[[fmpq, fmpq, fmpq], arb]:
    """K by its closed form, at the current precision; by its enclosure where that degenerates."""

    def slow(u: fmpq, v: fmpq, c: fmpq) -> arb:
        return ker.enclosure(u, v, c, digits)

    if ker.expr is None or ker.domain:
        return slow
    closed = compiled(ker.expr, ker.symbols)

    def fast(u: fmpq, v: fmpq, c: fmpq) -> arb:
        value = closed(u, v, c) if u and v else arb.nan()
        return value if value.is_finite() else slow(u, v, c)

    return fast


# ---- biases --------------------------------------------------------------------------------------


@cache
def _shifted_expr(
    left: Activation, right: Activation
) -> tuple[sympy.Expr, tuple[sympy.Symbol, ...]] | None:
    with suppress(ExpressionError):
        if not dual_kernel(left, right).domain:
            return shifted_kernel(left, right)
    return None


def _shifted(left: Activation, right: Activation) -> Callable[..., arb]:
    """E σ(X + s) τ(Y + t) in q_u, q_v, c, s, t at this precision; NaN without a closed form."""
    found = _shifted_expr(left, right)
    return (lambda *_: arb.nan()) if found is None else compiled(*found)


def _moved(act: Activation, s: fmpq) -> sympy.Expr:
    """σ(x + s) in x."""
    return act.expr.subs(act.symbol, X + rational(s))


def _on_one_line(
    left: Activation, right: Activation, q: tuple[fmpq, fmpq, fmpq], biases: tuple[fmpq, fmpq]
) -> arb:
    """E σ(X + s) τ(Y + t) for c² = q_u q_v: one integral in closed form, NaN where none is known.

    Y is (c/q_u) X, or X is 0, where the roles change.
    """
    (u, v, c), (s, t) = q, biases
    if u == 0:
        return _mean(left, right, v, fmpq(0), (s, t))
    return _mean(right, left, u, c / u, (t, s))


def _mean(
    left: Activation, right: Activation, q: fmpq, slope: fmpq, biases: tuple[fmpq, fmpq]
) -> arb:
    """E σ(slope Y + s) τ(Y + t), Var Y = q."""
    s, t = map(rational, biases)
    product = left.expr.subs(left.symbol, rational(slope) * X + s) * right.expr.subs(
        right.symbol, X + t
    )
    with suppress(OutsideClassError, ExpressionError):
        found = form(product)
        if found is not None and q == 0:
            return ball(product.subs(X, 0), {})
        if found is not None:
            return ball(expectation(found, QU), {QU: q})
    return arb.nan()
