"""Every activation of the catalogue once more, by hand in mpmath: what the oracles integrate.

Imports nothing from symcomp, so that a slip in the catalogue or in its parser is seen.
"""

from collections.abc import Callable
from dataclasses import dataclass

import mpmath
from mpmath import mpf

Real = Callable[[mpf], mpf]


@dataclass(frozen=True)
class Reference:
    """σ at the catalogue's default parameters, its kinks, and its degree if homogeneous."""

    sigma: Real
    kinks: tuple[int, ...] = ()
    degree: int | None = None


def _relu(x: mpf) -> mpf:
    return x if x > 0 else mpf(0)


def _elu(x: mpf) -> mpf:
    return x if x > 0 else mpmath.expm1(x)


def _selu(x: mpf) -> mpf:
    alpha, scale = mpf("1.6732632423543772"), mpf("1.0507009873554805")
    return scale * (x if x > 0 else alpha * mpmath.expm1(x))


def _sigmoid(x: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-x))


def _softplus(x: mpf) -> mpf:
    return mpmath.log1p(mpmath.exp(-abs(x))) + _relu(x)


def _gelu_tanh(x: mpf) -> mpf:
    return x * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpf("0.044715") * x**3))) / 2


REFERENCE: dict[str, Reference] = {
    "identity": Reference(lambda x: x, (), 1),
    "relu": Reference(_relu, (0,), 1),
    "leaky_relu": Reference(lambda x: x if x > 0 else x / 100, (0,), 1),
    "abs": Reference(abs, (0,), 1),
    "step": Reference(lambda x: mpf(x > 0), (0,), 0),
    "sign": Reference(mpmath.sign, (0,), 0),
    "relu_power": Reference(lambda x: _relu(x) ** 2, (0,), 2),
    "abs_power": Reference(lambda x: abs(x) ** 3, (0,), 3),
    "monomial": Reference(lambda x: x * x, (), 2),
    "polynomial": Reference(lambda x: x, (), 1),
    "hermite": Reference(lambda x: x**3 - 3 * x),
    "erf": Reference(mpmath.erf),
    "normal_cdf": Reference(mpmath.ncdf),
    "gelu": Reference(lambda x: x * mpmath.ncdf(x)),
    "gaussian": Reference(lambda x: mpmath.exp(-x * x)),
    "exp": Reference(mpmath.exp),
    "sin": Reference(mpmath.sin),
    "cos": Reference(mpmath.cos),
    "gabor": Reference(lambda x: mpmath.exp(-x * x) * mpmath.sin(x)),
    "hard_tanh": Reference(lambda x: max(mpf(-1), min(mpf(1), x)), (-1, 1)),
    "hard_sigmoid": Reference(lambda x: max(mpf(0), min(mpf(1), x / 6 + mpf("0.5"))), (-3, 3)),
    "relu6": Reference(lambda x: min(mpf(6), _relu(x)), (0, 6)),
    "elu": Reference(_elu, (0,)),
    "selu": Reference(_selu, (0,)),
    "celu": Reference(_elu, (0,)),
    "tanh": Reference(mpmath.tanh),
    "sigmoid": Reference(_sigmoid),
    "softplus": Reference(_softplus),
    "silu": Reference(lambda x: x * _sigmoid(x)),
    "mish": Reference(lambda x: x * mpmath.tanh(_softplus(x))),
    "gelu_tanh": Reference(_gelu_tanh),
}
