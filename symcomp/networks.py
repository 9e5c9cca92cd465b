"""Two-layer networks as data, random target weights, and files."""

import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import inf, sqrt
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import sympy
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from symcomp.catalogue import Activation
from symcomp.catalogue import activation as _activation
from symcomp.errors import ArgumentError, SymcompError
from symcomp.storage import replacing

Array: TypeAlias = NDArray[np.float64]

SCALINGS = ("mean", "sum")
_FIELDS = {"W", "a", "bias", "activation", "scaling", "offset"}
_LARGEST = 4 << 30  # bytes that a file may unpack to

# i.i.d. entries of mean 0 and variance 1; the Bernoulli-Gaussian entry is 0 with probability 1/2
LAWS: Mapping[str, Callable[[Generator, tuple[int, ...]], Array]] = MappingProxyType(
    {
        "gaussian": lambda rng, shape: rng.standard_normal(shape),
        "rademacher": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
        "uniform": lambda rng, shape: rng.uniform(-sqrt(3), sqrt(3), shape),
        "bernoulli_gaussian": lambda rng, shape: (
            rng.integers(2, size=shape) * rng.normal(scale=sqrt(2), size=shape)
        ),
    }
)


@dataclass(frozen=True, eq=False, init=False)
class TwoLayerNetwork:
    """f(x) = offset + c Σ_i a_i σ(<w_i, x> + bias_i), with c = 1/N (scaling "mean") or 1 ("sum").

    W is (N, d) with the rows w_i, a is (N,) or (N, k), bias is (N,) or None, and offset, the bias
    of the output, is () or (k,) as a has it, or None: read-only float64.
    """

    W: Array
    a: Array
    bias: Array | None
    activation: Activation
    scaling: str
    offset: Array | None

    def __init__(
        self,
        W: ArrayLike,
        a: ArrayLike | None = None,
        bias: ArrayLike | None = None,
        activation: Activation | str | sympy.Expr = "relu",
        scaling: str = "mean",
        offset: ArrayLike | None = None,
    ) -> None:
        """Copy and check; a defaults to ones, activation is what symcomp.activation takes.

        Raises ArgumentError for a wrong shape, complex or other entries that are not real numbers,
        NaN or infinity, or an unknown scaling, and what symcomp.activation raises.
        """
        weights = real_array("W", W)
        if weights.ndim != 2 or 0 in weights.shape:
            raise ArgumentError(f"W has shape {weights.shape}; expected (N, d) with N, d >= 1")
        N = len(weights)
        outer = real_array("a", np.ones(N) if a is None else a)
        if outer.ndim not in (1, 2) or len(outer) != N or outer.size == 0:
            raise ArgumentError(f"a has shape {outer.shape}; expected ({N},) or ({N}, k)")
        shift = None if bias is None else real_array("bias", bias)
        if shift is not None and shift.shape != (N,):
            raise ArgumentError(f"bias has shape {shift.shape}; expected ({N},)")
        if scaling not in SCALINGS:
            raise ArgumentError(f"scaling is {scaling!r}; expected one of {SCALINGS}")
        constant = None if offset is None else real_array("offset", offset)
        if constant is not None and constant.shape != outer.shape[1:]:
            raise ArgumentError(
                f"offset has shape {constant.shape}; expected {outer.shape[1:]}, as the outputs"
            )
        values = (weights, outer, shift, _activation(activation), scaling, constant)
        for field, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, field.name, value)

    @property
    def N(self) -> int:
        """The number of hidden nodes."""
        return len(self.W)

    @property
    def d(self) -> int:
        """The dimension of the input."""
        return int(self.W.shape[1])

    def __call__(self, X: ArrayLike) -> Array:
        """The outputs at the points X (..., d): shape (...) for a (N,), (..., k) for a (N, k)."""
        points = real_array("X", X)
        if points.ndim == 0 or points.shape[-1] != self.d:
            raise ArgumentError(f"X has shape {points.shape}; expected (..., {self.d})")
        hidden = points @ self.W.T if self.bias is None else points @ self.W.T + self.bias
        outputs: Array = self._sigma()(hidden) @ self.a
        if self.scaling == "mean":
            outputs = outputs / self.N
        return outputs if self.offset is None else outputs + self.offset

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a .npz file of W, a, bias, activation, scaling, offset; path is replaced whole.

        Raises ArgumentError if the activation has no text that reads back as itself.
        """
        if not _reads_back(self.activation):
            raise ArgumentError(f"activation {self.activation.name} cannot be written as text")
        arrays: dict[str, Any] = {"W": self.W, "a": self.a, "scaling": np.array(self.scaling)}
        arrays["activation"] = np.array(self.activation.name)
        arrays |= {
            name: value
            for name, value in (("bias", self.bias), ("offset", self.offset))
            if value is not None
        }
        with replacing(path) as file:
            np.savez(file, **arrays)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "TwoLayerNetwork":
        """Read what save wrote; nothing is unpickled. Raises ArgumentError for any other file."""
        arrays: dict[str, Any] = dict(plain_arrays(path))
        unknown = sorted(set(arrays) - _FIELDS)
        if "W" not in arrays or unknown:
            raise ArgumentError(
                f"path: {path} holds {sorted(arrays)}; expected W and optionally "
                "a, bias, activation, scaling, offset"
            )
        texts = {
            name: str(arrays.pop(name)) for name in ("activation", "scaling") if name in arrays
        }
        return TwoLayerNetwork(**arrays, **texts)

    def _sigma(self) -> Callable[[Array], Array]:
        symbol, expr = self.activation.symbol, self.activation.expr
        sigma: Callable[[Array], Array] = sympy.lambdify(symbol, expr, ["numpy", "scipy"])
        return sigma


def draw_weights(
    N: int,
    d: int,
    law: str = "gaussian",
    tau: float = 1.0,
    beta: float = 0.0,
    seed: int = 0,
) -> Array:
    """N random rows w = μ + s z in R^d with μ = β τ e_1, E|w|² = τ² and s² = (τ² - |μ|²)/d (S).

    z has i.i.d. entries of mean 0 and variance 1 from `law`, a name in LAWS. Returns (N, d),
    float64, the same for the same seed. Raises ArgumentError unless N, d >= 1, τ > 0, β in [0, 1].
    """
    check_count("N", N)
    check_count("d", d)
    if law not in LAWS:
        raise ArgumentError(f"law is {law!r}; expected one of {tuple(LAWS)}")
    if not 0 < tau < inf:
        raise ArgumentError(f"tau is {tau}; expected a positive number")
    if not 0 <= beta <= 1:
        raise ArgumentError(f"beta is {beta}; expected a number in [0, 1]")
    W = tau * sqrt((1 - beta) * (1 + beta) / d) * LAWS[law](np.random.default_rng(seed), (N, d))
    W[:, 0] += beta * tau
    return W


def plain_arrays(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file, of which nothing is unpickled; ArgumentError for any other."""
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
        arrays: dict[str, Any] = {}
        if size <= _LARGEST:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
    except _BROKEN as error:
        raise ArgumentError(f"path: {path} is not a .npz file of plain arrays") from error
    if size > _LARGEST:
        raise ArgumentError(f"path: {path} unpacks to {size} bytes; expected at most {_LARGEST}")
    if not all(isinstance(value, np.ndarray) for value in arrays.values()):
        raise ArgumentError(f"path: {path} is not a .npz file of plain arrays")
    return arrays


# what zipfile, zlib and NumPy raise for damaged, encrypted or pickled content
_BROKEN = (
    ValueError,
    EOFError,
    TypeError,
    KeyError,
    SyntaxError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
)


def _reads_back(act: Activation) -> bool:
    try:
        return bool(_activation(act.name) == act)
    except SymcompError:
        return False


def real_array(name: str, value: ArrayLike) -> Array:
    """A read-only float64 copy of finite real numbers, or ArgumentError naming the argument."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ArgumentError(f"{name} is ragged; expected a rectangular array") from error
    if array.dtype.kind not in "iuf":
        raise ArgumentError(f"{name} has dtype {array.dtype}; expected real numbers")
    copy = array.astype(np.float64)
    if not np.isfinite(copy).all():
        raise ArgumentError(f"{name} contains NaN or infinity; expected finite numbers")
    copy.flags.writeable = False
    return copy


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise ArgumentError naming the argument unless value is an integer >= least."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ArgumentError(f"{name} is {value!r}; expected an integer >= {least}")
