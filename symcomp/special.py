"""The bivariate normal distribution function: symbolic, at any precision, and in NumPy.

Φ₂(h, k; r) = P(X <= h, Y <= k) for standard normal X, Y of correlation r. With

    a = |h - k|/2,  b = |h + k|/2,  t = sqrt((1 + r)/(1 - r)),  m = max(|h|, |k|)

the derivative ∂Φ₂/∂r = φ₂, written in t, is a Gaussian in the increasing function y = a t - b/t:

    Φ₂(h, k; r) - Φ₂(h, k; r₀) = 1/π ∫_{t₀}^{t} exp(-(m² + y(t)²)/2) / (1 + t²) dt               (*)

The known value on the left is taken at r₀ = -1, max(0, Φ(h) - Φ(-k)), for r < 0 and at r₀ = 0,
Φ(h) Φ(k), for r > 0. Both terms are then positive, so that nothing cancels: the relative accuracy
of the integral is the relative accuracy of Φ₂, in the far tails too. Where the integrand leaves
its peak is known in closed form, since y(t) = ℓ at t = (ℓ + sqrt(ℓ² + 4ab))/(2a). For r > 0 the
interval [1, t] becomes [1/t, 1] by t -> 1/t, which exchanges a and b.
"""

import inspect
from functools import cache
from typing import Any

import flint
import mpmath
import numpy as np
import sympy
from flint import arb, fmpq
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf, erfcx
from sympy.core.function import ArgumentIndexError

from symcomp.bivariate_balls import ball
from symcomp.errors import ArgumentError

Array = NDArray[np.float64]

# ---- SymPy ---------------------------------------------------------------------------------------


def normal_cdf(x: sympy.Expr) -> sympy.Expr:
    """Φ(x) = (1 + erf(x/√2))/2, the standard normal distribution function."""
    return (1 + sympy.erf(x / sympy.sqrt(2))) / 2


def density(h: sympy.Expr, k: sympy.Expr, r: sympy.Expr) -> sympy.Expr:
    """φ₂(h, k; r) = exp(-(h² - 2rhk + k²)/(2(1 - r²))) / (2π sqrt(1 - r²)), which is ∂Φ₂/∂r."""
    h, k, r = map(sympy.sympify, (h, k, r))
    rest = 1 - r**2
    form = (h**2 - 2 * r * h * k + k**2) / (2 * rest)
    return sympy.exp(-form) / (2 * sympy.pi * sympy.sqrt(rest))


class BivariateNormalCDF(sympy.Function):  # type: ignore[misc]
    """Φ₂(h, k; r) = P(X <= h, Y <= k), X and Y standard normal of correlation r in [-1, 1].

    h and k are put in SymPy's canonical order. Closed forms replace it at r = 0, at h = k = 0,
    at infinite h or k, and at r = ±1 where SymPy can compare h with ±k. Derivatives are explicit;
    `evalf` has every digit right, in the far tails too. Raises ArgumentError for a number r
    outside [-1, 1].
    """

    nargs = 3
    is_real = True
    is_nonnegative = True

    @classmethod
    def eval(cls, h: sympy.Expr, k: sympy.Expr, r: sympy.Expr) -> sympy.Expr | None:
        """The closed form or the canonical order, None where there is nothing to do."""
        if sympy.nan in (h, k, r):
            return sympy.nan
        if r.is_Number and not -1 <= r <= 1:
            raise ArgumentError(f"r: found {r}, expected a correlation in [-1, 1]")
        if sympy.S.NegativeInfinity in (h, k):
            return sympy.S.Zero
        if h is sympy.S.Infinity or k is sympy.S.Infinity:
            return normal_cdf(k if h is sympy.S.Infinity else h)
        closed = cls._closed(h, k, r)
        if closed is None and [h, k] != sorted((h, k), key=sympy.default_sort_key):
            return cls(k, h, r)
        return closed

    @staticmethod
    def _closed(h: sympy.Expr, k: sympy.Expr, r: sympy.Expr) -> sympy.Expr | None:
        if r.is_zero:
            return normal_cdf(h) * normal_cdf(k)
        if r == 1:
            least = sympy.Min(h, k)
            return normal_cdf(least) if least in (h, k) else None
        if r == -1 and (h + k).is_nonpositive:
            return sympy.S.Zero
        if r == -1 and (h + k).is_nonnegative:
            return (sympy.erf(h / sympy.sqrt(2)) + sympy.erf(k / sympy.sqrt(2))) / 2
        if h.is_zero and k.is_zero:
            return sympy.Rational(1, 4) + sympy.asin(r) / (2 * sympy.pi)
        return None

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """∂Φ₂/∂h = φ(h) Φ((k - rh)/sqrt(1 - r²)), the same in k; ∂Φ₂/∂r = φ₂. Not at r = ±1."""
        h, k, r = self.args
        if argindex not in (1, 2, 3) or r in (1, -1):
            raise ArgumentIndexError(self, argindex)
        if argindex == 3:
            return density(h, k, r)
        x, y = (h, k) if argindex == 1 else (k, h)
        marginal = sympy.exp(-(x**2) / 2) / sympy.sqrt(2 * sympy.pi)
        return marginal * normal_cdf((y - r * x) / sympy.sqrt(1 - r**2))

    def _eval_evalf(self, prec: int) -> sympy.Expr | None:
        for bits in (prec + 32 << doubling for doubling in range(6)):
            values = [v for v in (_number(arg, bits) for arg in self.args) if v is not None]
            if len(values) < 3:
                return None
            with flint.ctx.workprec(bits):
                value = ball(*values)
            if value.rel_accuracy_bits() >= prec + 2:
                man, exponent = value.mid().man_exp()
                number = mpmath.libmp.from_man_exp(int(man), int(exponent))
                return sympy.Float(mpmath.mp.make_mpf(number), precision=prec)
        return None

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        h, k, r = map(printer._print, self.args)
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\Phi_2{power}\left({h}, {k}; {r}\right)"

    def _numpycode(self, printer: Any) -> str:
        return f"bivariate_normal_cdf({', '.join(map(printer._print, self.args))})"


def _number(x: sympy.Expr, bits: int) -> arb | fmpq | None:
    """The number, exact where it is rational, else a ball of that many bits; None if it is none."""
    if x.is_Rational:
        return fmpq(int(x.p), int(x.q))
    value = x if x.is_Float else x.evalf(int(bits / 3.3) + 2)
    if not value.is_Float:
        return None
    sign, man, exponent, _ = value._mpf_
    exact = fmpq(-int(man) if sign else int(man)) * fmpq(2) ** int(exponent)
    if x.is_Float:
        return exact
    with flint.ctx.workprec(2 * bits):
        return arb(exact, abs(arb(exact)) * arb(2) ** -bits)


# ---- NumPy: this section is also the source that generated modules carry -------------------------


def bivariate_normal_cdf(h: ArrayLike, k: ArrayLike, r: ArrayLike) -> Array:
    """Φ₂(h, k; r) = P(X <= h, Y <= k), X and Y standard normal of correlation r in [-1, 1].

    Elementwise with broadcasting, in float64; NaN where an argument is NaN or |r| > 1. Relative
    error below 1e-14 wherever the value is a normal number: for every r, ±1 and its neighbours
    included, and in the far tails. The part that is integrated has a positive integrand; 76 nodes.
    """
    x, y, corr = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (h, k, r)))
    out = np.empty(x.shape)
    flat, parts = out.reshape(-1), [v.reshape(-1) for v in (x, y, corr)]
    for start in range(0, flat.size, 256):
        here = slice(start, start + 256)
        flat[here] = _bivariate_block(*(v[here] for v in parts))
    scalar_if_all_are: Array = out[()]
    return scalar_if_all_are


def _bivariate_block(h: Array, k: Array, r: Array) -> Array:
    h, k = np.clip(h, -40.0, 40.0), np.clip(k, -40.0, 40.0)  # Φ(-40) is 0 and Φ(40) is 1
    swap = np.abs(h) > np.abs(k)
    h, k = np.where(swap, k, h), np.where(swap, h, k)
    inside = np.abs(r) < 1.0
    start = np.where(r < 0.0, _interval(h, k), _ndtr(h) * _ndtr(k))
    start = np.where(r >= 1.0, _ndtr(np.minimum(h, k)), start)
    rest = _from_start(h, k, np.where(inside, r, 0.0))
    return np.where(np.abs(r) <= 1.0, start + np.where(inside, rest, 0.0), np.nan)


def _from_start(h: Array, k: Array, r: Array) -> Array:
    """Φ₂(h, k; r) less its value at r = -1, if r < 0, or at r = 0; |h| <= |k|, |r| < 1.

    1/2π ∫ exp(-(k² + y²)/2) sech(x) dx over x up to atanh(r), where t = e^x, y = a t - b/t and
    a = |h - k|/2, b = |h + k|/2. With s the distance from the right end, where y = p - q, y has
    fallen by p(1 - e^-s) + q(e^s - 1). What is below 2e-16 of the peak is cut off at either end.
    """
    a, b, cut = 0.5 * np.abs(h - k), 0.5 * np.abs(h + k), 74.0
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        last = (np.sqrt(cut) + np.sqrt(cut + 4.0 * a * b)) / (2.0 * a)
        t = np.minimum(np.sqrt((1.0 + r) / (1.0 - r)), last)
        p, q = a * t, b / t
        end = np.minimum(p - q, 0.0)
        fall = np.sqrt(end**2 + cut)
        length = np.log((fall + np.sqrt(fall**2 + 4.0 * p * q)) / (2.0 * q))
        limit = np.where(r < 0.0, 38.0, np.minimum(np.arctanh(r), np.log(last)))
        length = np.maximum(np.minimum(length, limit), 0.0)
        nodes, weights = _legendre_rule(76)
        # Denser where e^-|x| is large: at the right end for r < 0, at the left end for r > 0.
        places, weights = nodes * (0.2 + 0.8 * nodes), weights * (0.2 + 1.6 * nodes)
        first, step = np.where(r > 0.0, (length, -length), (0.0 * length, length))
        growth = np.expm1(first[:, None] + step[:, None] * places)
        p, q, t, end = p[:, None], q[:, None], t[:, None], end[:, None]
        drop = growth * (q + p / (1.0 + growth)) - np.maximum(p - q, 0.0)
        falling = np.exp(-0.5 * drop * (drop - 2.0 * end))  # exp(-(y² - end²)/2)
        ratio = (1.0 + growth) / t
        integral = (falling / (ratio + 1.0 / ratio)) @ weights * length / np.pi
        rest: Array = _gauss(k) * np.where(end[:, 0] < 0.0, _end_factor(h, k, r), 1.0) * integral
        return rest


def _end_factor(h: Array, k: Array, r: Array) -> Array:
    """exp(-z²/2), z² = (h - rk)²/(1 - r²), with z² in twice the working precision."""
    product, low = _two_product(r, k)
    w, low_w = _two_sum(h, -product)
    w, low_w = _two_sum(w, low_w - low)
    square, low = _two_product(r, r)
    rest, low_rest = _two_sum(np.ones_like(square), -square)
    rest, low_rest = _two_sum(rest, low_rest - low)
    top, low_top = _two_product(w, w)
    low_top = low_top + 2.0 * w * low_w
    z = top / rest
    product, low = _two_product(z, rest)
    low_z = ((top - product) - low + low_top - z * low_rest) / rest
    return np.exp(-0.5 * z) * (1.0 - 0.5 * low_z)


def _two_sum(x: Array, y: Array) -> tuple[Array, Array]:
    """The rounded x + y and its rounding error (Knuth)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def _two_product(x: Array, y: Array) -> tuple[Array, Array]:
    """The rounded x y and its rounding error (Veltkamp, Dekker)."""
    total, shift = x * y, 134217729.0  # 2^27 + 1
    high_x, high_y = shift * x - (shift * x - x), shift * y - (shift * y - y)
    low_x, low_y = x - high_x, y - high_y
    error = ((high_x * high_y - total) + high_x * low_y + low_x * high_y) + low_x * low_y
    return total, error


def _gauss(x: Array) -> Array:
    """exp(-x²/2); the square of x rounded to 1/128 is exact, so that no digit is lost."""
    near = np.round(128.0 * x) / 128.0
    return np.exp(-0.5 * near**2) * np.exp(-0.5 * (x - near) * (x + near))


def _ndtr(x: Array) -> Array:
    """Φ(x) to a few ulp, in the far tail too."""
    tail: Array = 0.5 * erfcx(np.abs(x) * np.sqrt(0.5)) * _gauss(x)
    return np.where(x > 0.0, 1.0 - tail, tail)


def _interval(h: Array, k: Array) -> Array:
    """max(0, Φ(h) - Φ(-k)): by quadrature where the difference would cancel."""
    low, high, width = np.minimum(h, k), np.maximum(h, k), np.maximum(h + k, 0.0)
    nodes, weights = _legendre_rule(12)
    steps = np.where(width * (width + 2.0 * np.abs(low)) < 2.0, width, 0.0)[:, None] * nodes
    small = np.exp(low[:, None] * steps - 0.5 * steps**2) @ weights
    small = width * _gauss(low) * small / np.sqrt(2.0 * np.pi)
    both = 0.5 * (erf(low * np.sqrt(0.5)) + erf(high * np.sqrt(0.5)))
    large = np.where(low > 0.0, both, _ndtr(low) - _ndtr(-high))
    large = np.where(width > 0.0, large, 0.0)
    return np.where(width * (width + 2.0 * np.abs(low)) < 2.0, small, large)


@cache
def _legendre_rule(n: int) -> tuple[Array, Array]:
    """Gauss's nodes and weights on [0, 1], n even, all to a few ulp.

    Newton's method in θ, cos θ = 1 - 2 node, with the recurrence of P_j - P_(j-1): NumPy's
    leggauss has weights of relative error 1e-12 near the ends, where the integrands here peak.
    """
    theta = np.pi * (4.0 * np.arange(1, n // 2 + 1) - 1.0) / (4.0 * n + 2.0)
    for _ in range(5):
        offset = 2.0 * np.sin(0.5 * theta) ** 2  # 1 - cos θ
        before, value, change = np.ones_like(theta), 1.0 - offset, -offset
        for j in range(1, n):
            change = (j * change - (2 * j + 1) * offset * value) / (j + 1)
            before, value = value, value + change
        slope = n * ((1.0 - offset) * value - before) / np.sin(theta)
        theta = theta - value / slope
    left, weights = np.sin(0.5 * theta) ** 2, 1.0 / slope**2
    return np.concatenate([left, 1.0 - left[::-1]]), np.concatenate([weights, weights[::-1]])


numpy = bivariate_normal_cdf


def numpy_source() -> str:
    """Python source of `bivariate_normal_cdf`, which needs nothing but NumPy and SciPy."""
    head = (
        "from functools import cache\n\nimport numpy as np\n"
        "from numpy.typing import ArrayLike, NDArray\nfrom scipy.special import erf, erfcx\n\n"
        "Array = NDArray[np.float64]\n"
    )
    parts = (
        bivariate_normal_cdf,
        _bivariate_block,
        _from_start,
        _end_factor,
        _two_sum,
        _two_product,
        _gauss,
        _ndtr,
        _interval,
        _legendre_rule,
    )
    return "\n\n".join([head, *(inspect.getsource(part) for part in parts)])
