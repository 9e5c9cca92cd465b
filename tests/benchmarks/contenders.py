"""Ways to a loss's cross term C = (1/(NM)) ΣΣ K(w_i, θ_j) and its gradient in Θ, all for ReLU.

Each is prepared once for W and then called with Θ; all compute in float64 and get the unit rows and
lengths of W for nothing.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

import symcomp

Array = NDArray[np.float64]
Contender = Callable[[Array], tuple[float, Array]]


def products(W: Array, turned: bool = False) -> Contender:
    """The two products that none can avoid, W Θᵀ and Sᵀ W; what it returns is not C.

    turned: as Θ Wᵀ and S' W, which OpenBLAS computes faster.
    """
    buffers: list[Array] = []

    def call(Theta: Array) -> tuple[float, Array]:
        if not buffers:
            shape = (len(Theta), len(W)) if turned else (len(W), len(Theta))
            buffers[:] = np.ones(shape), np.empty(shape)
        S, out = buffers
        if turned:
            np.matmul(Theta, W.T, out=out)
            return 0.0, S @ W
        np.matmul(W, Theta.T, out=out)
        return 0.0, S.T @ W

    return call


def turned_products(W: Array) -> Contender:
    """The two products the other way round."""
    return products(W, turned=True)


def generated(W: Array) -> Contender:
    """symcomp's module: the whole loss but for the target's energy, so a little more than C."""
    module = symcomp.generate("relu").load()
    target = module.Target(W, expand=True)

    def call(Theta: Array) -> tuple[float, Array]:
        value, by_theta, _ = module.loss_and_grad(target, Theta)
        return value - target.energy, by_theta

    return call


def by_hand(W: Array) -> Contender:
    """NumPy as one writes it down."""
    radii = np.linalg.norm(W, axis=1)
    U = W / radii[:, None]

    def call(Theta: Array) -> tuple[float, Array]:
        lengths = np.linalg.norm(Theta, axis=1)
        V = Theta / lengths[:, None]
        rho = np.clip(U @ V.T, -1.0, 1.0)
        slope = (np.pi - np.arccos(rho)) / (2.0 * np.pi)
        sine = np.sqrt(1.0 - rho * rho) / (2.0 * np.pi)
        kappa = sine + rho * slope
        scale = 1.0 / (len(W) * len(Theta))
        value = scale * float(radii @ kappa @ lengths)
        along = radii @ sine
        return value, scale * ((radii[:, None] * slope).T @ U + along[:, None] * V)

    return call


def lambdified(W: Array) -> Contender:
    """SymPy's own printer: K and its derivatives in c and q_v, common subexpressions shared."""
    ker = symcomp.dual_kernel("relu")
    _, qv, c = ker.symbols
    exprs = [ker.expr, sympy.diff(ker.expr, c), sympy.diff(ker.expr, qv)]
    function = sympy.lambdify(ker.symbols, exprs, "numpy", cse=True)
    variances = np.einsum("ij,ij->i", W, W)[:, None]

    def call(Theta: Array) -> tuple[float, Array]:
        others = np.einsum("ij,ij->i", Theta, Theta)[None, :]
        K, by_c, by_q = function(variances, others, W @ Theta.T)
        scale = 1.0 / (len(W) * len(Theta))
        return scale * K.sum(), scale * (by_c.T @ W + 2.0 * by_q.sum(axis=0)[:, None] * Theta)

    return call


def with_jax(W: Array) -> Contender:
    """jax.jit(jax.value_and_grad(...)) of the formula."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    radii = jnp.asarray(np.linalg.norm(W, axis=1))
    U = jnp.asarray(W) / radii[:, None]

    def cross(Theta: Any, U: Any, radii: Any) -> Any:
        lengths = jnp.sqrt(jnp.sum(Theta * Theta, axis=1))
        rho = jnp.clip(U @ (Theta / lengths[:, None]).T, -1.0, 1.0)
        kappa = (jnp.sqrt(1.0 - rho * rho) + rho * (jnp.pi - jnp.arccos(rho))) / (2.0 * jnp.pi)
        return radii @ kappa @ lengths / (len(U) * len(Theta))

    function = jax.jit(jax.value_and_grad(cross))

    def call(Theta: Array) -> tuple[float, Array]:
        value, by_theta = function(Theta, U, radii)
        return float(value), np.asarray(by_theta)

    return call


def with_torch(W: Array, compiled: bool = False) -> Contender:
    """PyTorch's autograd of the formula."""
    import torch

    radii = torch.from_numpy(np.linalg.norm(W, axis=1))
    U = torch.from_numpy(W) / radii[:, None]

    def cross(Theta: Any, U: Any, radii: Any) -> Any:
        lengths = torch.sqrt(torch.sum(Theta * Theta, dim=1))
        rho = torch.clamp(U @ (Theta / lengths[:, None]).T, -1.0, 1.0)
        bend = torch.sqrt(1.0 - rho * rho) + rho * (torch.pi - torch.arccos(rho))
        return radii @ bend @ lengths / (2.0 * torch.pi * len(U) * len(Theta))

    function = torch.compile(cross) if compiled else cross

    def call(Theta: Array) -> tuple[float, Array]:
        leaf = torch.from_numpy(Theta.copy()).requires_grad_()
        value = function(leaf, U, radii)
        (by_theta,) = torch.autograd.grad(value, leaf)
        return float(value.detach()), by_theta.numpy()

    return call


def with_torch_compiled(W: Array) -> Contender:
    """The same through torch.compile."""
    return with_torch(W, compiled=True)


PRODUCTS = ("the two products", "the same, turned")  # what the others are measured by

# name -> (what prepares it, the package it needs)
CONTENDERS: dict[str, tuple[Callable[[Array], Contender], str]] = {
    "the two products": (products, "numpy"),
    "the same, turned": (turned_products, "numpy"),
    "symcomp": (generated, "symcomp"),
    "NumPy by hand": (by_hand, "numpy"),
    "SymPy lambdify, cse": (lambdified, "sympy"),
    "jax.jit": (with_jax, "jax"),
    "torch, eager": (with_torch, "torch"),
    "torch.compile": (with_torch_compiled, "torch"),
}


def present(name: str) -> bool:
    return find_spec(CONTENDERS[name][1]) is not None


def data(N: int, d: int, M: int) -> tuple[Array, Array]:
    """W and Θ with entries of variance 1/(3d)."""
    rng = np.random.default_rng(0)
    W = rng.random((N, d))
    W -= 0.5
    W *= 2.0 / d**0.5
    return W, (rng.random((M, d)) - 0.5) * 2.0 / d**0.5


def own(Theta: Array) -> tuple[float, Array]:
    """What symcomp's loss holds beside -2 C and the energy: M^-2 ΣΣ K(θ_j, θ_j')."""
    module = symcomp.generate("relu").load()
    value, by_theta, _ = module.loss_and_grad(np.zeros((1, Theta.shape[1])), Theta)
    return value, by_theta


def disagreement(
    name: str, found: tuple[float, Array], wanted: tuple[float, Array], Theta: Array
) -> float:
    """The greatest relative error of the value and of the gradient."""
    value, by_theta = found
    if name == "symcomp":
        rest, by_rest = own(Theta)
        value, by_theta = -0.5 * (value - rest), -0.5 * (by_theta - by_rest)
    gradient = np.abs(by_theta - wanted[1]).max() / np.abs(wanted[1]).max()
    return max(abs(value / wanted[0] - 1.0), float(gradient))
