"""Symbolic-numeric verification of claims about two-layer networks under Gaussian inputs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symcomp.catalogue import Activation, activation, activations
    from symcomp.codegen import generate
    from symcomp.compression import Compressed, compress
    from symcomp.errors import SymcompError
    from symcomp.frames import real_etf, simplex_etf
    from symcomp.kernels import DualKernel, dual_kernel
    from symcomp.losses import loss_enclosure
    from symcomp.networks import TwoLayerNetwork
    from symcomp.optima import Optimum, optimum

_HOME = {
    "Activation": "catalogue",
    "Compressed": "compression",
    "DualKernel": "kernels",
    "Optimum": "optima",
    "SymcompError": "errors",
    "TwoLayerNetwork": "networks",
    "activation": "catalogue",
    "activations": "catalogue",
    "compress": "compression",
    "dual_kernel": "kernels",
    "generate": "codegen",
    "loss_enclosure": "losses",
    "optimum": "optima",
    "real_etf": "frames",
    "simplex_etf": "frames",
}

__all__ = [
    "Activation",
    "Compressed",
    "DualKernel",
    "Optimum",
    "SymcompError",
    "TwoLayerNetwork",
    "activation",
    "activations",
    "compress",
    "dual_kernel",
    "generate",
    "loss_enclosure",
    "optimum",
    "real_etf",
    "simplex_etf",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # SymPy takes half a second to import: `symcomp --help` must not pay for it.
    if name not in _HOME:
        raise AttributeError(f"module 'symcomp' has no attribute {name!r}")
    return getattr(import_module(f"symcomp.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
