"""An activation's population loss and gradient as the source of a standalone NumPy module."""

import os
import sys
from base64 import b32encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import sympy

from symcomp.catalogue import Activation, activations
from symcomp.codegen.general import general_source
from symcomp.codegen.homogeneous import homogeneous_source
from symcomp.codegen.loading import executed
from symcomp.codegen.tabulated import tabulated_source
from symcomp.errors import ArgumentError
from symcomp.kernels import DualKernel, dual_kernel
from symcomp.storage import replace_file
from symcomp.tables import tables

__all__ = ["Generated", "generate", "write_catalogue"]


@dataclass(frozen=True)
class Generated:
    """The source of a module with the losses of networks with one activation.

    It needs NumPy alone, and SciPy where erf or Φ₂ occur, as they do with biases.

    Its functions, all in float64 and for networks that are means over their nodes:

        kernel(U, V, s=None, t=None)                 K(u_i, v_j), (m, d), (n, d) -> (m, n)
        loss(W, Theta, a=None, b=None)               L of (S0); W (N, d), Theta (M, d)
        loss_and_grad(W, Theta, a=None, b=None)      L, dL/dTheta (M, d), dL/db like b
        Target(W, a=None, s=None, *, expand=False)   a target prepared once, stands wherever W does
        simplified(tau, mu, Theta, b=None)           F of (S1)
        simplified_and_grad(tau, mu, Theta, b=None)  F, dF/dTheta (M, d), dF/db (M,)
        hessian_vector_product(W, Theta, dTheta, db=None, a=None, b=None)
        simplified_hessian_vector_product(tau, mu, Theta, dTheta, db=None, b=None)
                                                     second derivatives applied to a direction

    With biases, loss(..., s=s, t=t), s (N,) and t (M,), the nodes are σ(<w_i, x> + s_i) and
    σ(<θ_j, x> + t_j); loss_and_grad then gives dL/dt (M,) last, where t is given. This needs
    SciPy; ValueError is raised where E σ(X + s) σ(Y + t) has no short closed form.
    loss and simplified take return_error=True and then give a bound on their rounding error too.
    (S0) and (S1) are this project's reconstruction. Bad arguments raise ValueError.
    """

    activation: Activation
    source: str

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the source, UTF-8; a file at `path` is replaced whole or left as it was."""
        replace_file(path, self.source)

    def load(self) -> ModuleType:
        """The module, made from the source in memory; tracebacks show its lines.

        The same source gives the same module. Its functions and targets pickle: a process that
        unpickles them derives the module anew, from the activation's name.
        """
        name = module_name(self)
        if name not in sys.modules:
            sys.modules[name] = executed(name, self.source)
        return sys.modules[name]


def module_name(generated: Generated) -> str:
    """The name of the loaded module, from which `symcomp.loaded` derives it anew."""
    coded = b32encode(generated.activation.name.encode()).decode().rstrip("=").lower()
    digest = sha256(generated.source.encode()).hexdigest()[:16]
    return f"symcomp.loaded.m{coded}_{digest}"


def generate(source: str | sympy.Expr | Activation | DualKernel) -> Generated:
    """The NumPy module of an activation, derived from its dual kernel.

    source: an Activation, a catalogue name, text or an expression in x, or its dual kernel.
    Without a closed form K° is tabulated, for rows up to length 8, with its measured error stated.
    The same source gives the same bytes. Raises ArgumentError for the kernel of two different
    activations, one that NumPy and SciPy cannot evaluate, or a table that misses its tolerance;
    ExpressionError for kinks without a closed form.
    """
    ker = source if isinstance(source, DualKernel) else dual_kernel(source)
    if ker.left != ker.right:
        found = f"{ker.left.name} and {ker.right.name}"
        raise ArgumentError(f"kernel: found that of {found}, expected one activation")
    if ker.expr is None:
        return Generated(ker.left, tabulated_source(ker, tables(ker.left)))
    return Generated(ker.left, homogeneous_source(ker) or general_source(ker))


def write_catalogue(folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write <name>.py into `folder` for every activation of the catalogue."""
    paths = tuple(Path(folder) / f"{name}.py" for name in activations())
    for path in paths:
        generate(path.stem).write(path)
    return paths
