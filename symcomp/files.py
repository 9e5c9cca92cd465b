"""Networks that other tools wrote, and the moments of their inputs, from files and back."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import DTypeLike, NDArray

from symcomp.catalogue import Activation
from symcomp.errors import ArgumentError
from symcomp.networks import TwoLayerNetwork, plain_arrays, real_array
from symcomp.storage import replacing

__all__ = ["SavedNetwork", "read_matrix", "read_moments", "read_network"]

Arrays: TypeAlias = dict[str, NDArray[Any]]

_FORMATS = (".npz", ".safetensors")
_MATRIX = re.compile(r"weight$|^W\d$")
_LAYOUT = (
    "two matrices, (hidden, inputs) and (outputs, hidden), each with a bias or none:"
    " 0.weight, 0.bias, 2.weight, 2.bias, or W1, b1, W2, b2"
)


@dataclass(frozen=True, eq=False)
class SavedNetwork:
    """A network and how its file holds it: names, types and metadata, so that it goes back alike.

    names is empty for the layout of `TwoLayerNetwork.save`; otherwise the names of the hidden
    matrix (N, d), its bias, the output matrix (k, N) and its bias, "" for a bias that is not there.
    """

    network: TwoLayerNetwork
    format: str
    names: tuple[str, ...]
    types: Mapping[str, DTypeLike]
    metadata: Mapping[str, str] | None

    def write(self, path: str | os.PathLike[str], network: TwoLayerNetwork) -> None:
        """Write a network in this one's format; the file is replaced whole.

        A bias is written where this network has one, zeros if `network` has none. Raises
        ArgumentError if `network` has a bias that the layout has no place for.
        """
        if not self.names:
            network.save(path)
            return
        arrays: dict[str, Any] = {
            name: np.ascontiguousarray(value, self.types[name])
            for name, value in self._arrays(network).items()
        }
        with replacing(path) as file:
            if self.format == ".npz":
                np.savez(file, **arrays)
            else:
                file.write(safetensors.numpy.save(arrays, dict(self.metadata or {}) or None))

    def _arrays(self, network: TwoLayerNetwork) -> Arrays:
        first, first_bias, second, second_bias = self.names
        outer = network.a.reshape(network.N, -1).T
        if network.scaling == "mean":
            outer = outer / network.N
        arrays: Arrays = {first: network.W, second: outer}
        for name, field, value, size in (
            (first_bias, "bias", network.bias, network.N),
            (second_bias, "offset", network.offset, len(outer)),
        ):
            if name:
                arrays[name] = np.zeros(size) if value is None else np.reshape(value, size)
            elif value is not None:
                raise ArgumentError(
                    f"network: found one with {field}, expected none as in the file"
                )
        return arrays


def read_network(
    path: str | os.PathLike[str], activation: str | Activation | None = None
) -> SavedNetwork:
    """Read a two-layer network from a .npz or .safetensors file; nothing is unpickled.

    Understands what `TwoLayerNetwork.save` wrote and PyTorch's Linear, activation, Linear:
    f(x) = A σ(W x + bias) + offset, W (N, d), A (k, N). activation stands for one that the file
    does not name, default "relu". Raises ArgumentError for a damaged file, for arrays that are not
    such a network, for NaN or infinity, and if the file names another activation.
    """
    suffix = Path(path).suffix
    if suffix not in _FORMATS:
        raise ArgumentError(f"path: found {path}, expected a .npz or .safetensors file")
    metadata: dict[str, str] | None = None
    if suffix == ".npz":
        arrays = plain_arrays(path)
        if "W" in arrays:
            return _own(path, activation)
    else:
        arrays, metadata = _tensors(path)
    names = _names(path, arrays)
    network = _network(arrays, names, activation or "relu")
    types = {name: arrays[name].dtype for name in names if name}
    return SavedNetwork(network, suffix, names, types, metadata)


def _own(path: str | os.PathLike[str], activation: str | Activation | None) -> SavedNetwork:
    network = TwoLayerNetwork.load(path)
    if activation is not None:
        asked = TwoLayerNetwork([[1.0]], activation=activation).activation
        if asked != network.activation:
            raise ArgumentError(
                f"activation: found {asked.name}, expected {network.activation.name} as in {path}"
            )
    return SavedNetwork(network, ".npz", (), {}, None)


def _tensors(path: str | os.PathLike[str]) -> tuple[Arrays, dict[str, str] | None]:
    try:
        with safetensors.safe_open(path, "np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    except (safetensors.SafetensorError, TypeError, ValueError) as error:
        raise ArgumentError(
            f"path: {path} is not a .safetensors file of numbers: {error}"
        ) from error


def _names(path: str | os.PathLike[str], arrays: Arrays) -> tuple[str, str, str, str]:
    """Names of the hidden matrix, its bias, the output matrix and its bias."""
    matrices = sorted(
        (n for n, x in arrays.items() if x.ndim == 2 and _MATRIX.search(n)), key=_natural
    )
    pairs = (
        [(a, b) for a, b in (matrices, matrices[::-1]) if arrays[a].shape[0] == arrays[b].shape[1]]
        if len(matrices) == 2
        else []
    )
    if pairs:
        first, second = pairs[0]
        names = (first, _bias(first, arrays), second, _bias(second, arrays))
        if set(arrays) == {name for name in names if name}:
            return names
    found = ", ".join(f"{n} {x.shape}" for n, x in sorted(arrays.items())) or "nothing"
    raise ArgumentError(f"path: {path} holds {found}; expected {_LAYOUT}")


def _bias(name: str, arrays: Arrays) -> str:
    """The bias that belongs to a matrix, "" if there is none."""
    wanted = re.sub(r"weight$", "bias", re.sub(r"^W(\d)$", r"b\1", name))
    return wanted if wanted in arrays else ""


def _natural(name: str) -> list[tuple[int, str]]:
    """layer2 before layer10."""
    return [(int(part or 0), text) for text, part in re.findall(r"(\D*)(\d*)", name)]


def _network(
    arrays: Arrays, names: tuple[str, str, str, str], activation: str | Activation
) -> TwoLayerNetwork:
    first, first_bias, second, second_bias = names
    W, A = real_array(first, arrays[first]), real_array(second, arrays[second])
    bias = real_array(first_bias, arrays[first_bias]) if first_bias else None
    offset = real_array(second_bias, arrays[second_bias]) if second_bias else None
    if len(A) == 1:
        if offset is not None and offset.shape != (1,):
            raise ArgumentError(f"{second_bias} has shape {offset.shape}; expected (1,)")
        return TwoLayerNetwork(
            W, A[0], bias, activation, "sum", None if offset is None else offset[0]
        )
    return TwoLayerNetwork(W, A.T, bias, activation, "sum", offset)


# ---- moments of the inputs -----------------------------------------------------------------------


def read_matrix(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """The array of a .npy file, of a .npz file with one array, or of a .csv file of numbers.

    Raises ArgumentError for another file, or for entries that are not finite real numbers.
    """
    suffix = Path(path).suffix
    if suffix == ".npz":
        arrays = plain_arrays(path)
        if len(arrays) != 1:
            raise ArgumentError(f"path: {path} holds {sorted(arrays)}; expected one array")
        return real_array(str(path), next(iter(arrays.values())))
    if suffix not in (".npy", ".csv"):
        raise ArgumentError(f"path: found {path}, expected a .npy, .npz or .csv file")
    try:
        if suffix == ".npy":
            found = np.load(path, allow_pickle=False)
        else:
            found = np.loadtxt(path, delimiter=",", ndmin=2)
    except (ValueError, EOFError) as error:
        raise ArgumentError(f"path: {path} is not a {suffix} file of numbers: {error}") from error
    return real_array(str(path), found)


def read_moments(
    mean: str | os.PathLike[str] | None = None,
    cov: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Mean (d,) and covariance (d, d) of the inputs, from files of their own or of samples.

    data holds one sample a row, (n, d); the covariance divides by n. None where nothing is given.
    Raises ArgumentError for data beside mean or cov, for fewer than 2 samples and as `read_matrix`.
    """
    if data is None:
        return (
            None if mean is None else read_matrix(mean).ravel(),
            None if cov is None else read_matrix(cov),
        )
    if mean is not None or cov is not None:
        raise ArgumentError("data: found beside mean or cov, expected either")
    samples = read_matrix(data)
    if samples.ndim != 2 or len(samples) < 2:
        raise ArgumentError(f"data has shape {samples.shape}; expected (n, d) with n >= 2")
    centre = samples.mean(axis=0)
    offsets = samples - centre
    return centre, offsets.T @ offsets / len(samples)
