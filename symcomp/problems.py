"""The exact loss of compressing one network as a function of what is free, with its units."""

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.optimize import nnls

from symcomp.catalogue import Activation
from symcomp.codegen import generate
from symcomp.errors import ArgumentError
from symcomp.networks import TwoLayerNetwork

Array: TypeAlias = NDArray[np.float64]

MANY = 20_000  # nodes from which on the sum over all pairs would take minutes
RANK = 1e-12  # relative size below which an eigenvalue is rounding


@dataclass(frozen=True, eq=False)
class Inputs:
    """x = mean + root z for white z (r,), <w, x> = <w, mean> + <root' w, z>; inverse root = 1."""

    mean: Array  # (d,)
    root: Array | None  # (d, r); None for the identity
    inverse: Array | None  # (r, d)

    @staticmethod
    def standard(d: int) -> "Inputs":
        """x ~ N(0, I)."""
        return Inputs(np.zeros(d), None, None)

    def whitened(self, W: Array) -> Array:
        """Rows (n, r) as white inputs see the rows W (n, d)."""
        return W if self.root is None else W @ self.root

    def unwhitened(self, X: Array) -> Array:
        """Rows (n, d) that inputs see as white ones see X (n, r)."""
        return X if self.inverse is None else X @ self.inverse

    @property
    def drift(self) -> Array:
        """The mean (r,) in the coordinates of white inputs."""
        return self.mean if self.inverse is None else self.inverse @ self.mean

    @staticmethod
    def of(mean: Array, cov: Array) -> "Inputs":
        """Inputs of this mean (d,) and covariance (d, d), of any rank but 0."""
        d = len(mean)
        if cov.shape != (d, d):
            raise ArgumentError(f"cov has shape {cov.shape}; expected ({d}, {d})")
        size = float(np.abs(cov).max())
        if np.abs(cov - cov.T).max() > RANK * size:
            raise ArgumentError("cov is not symmetric; expected a covariance matrix")
        values, vectors = np.linalg.eigh(cov)
        if size == 0 or values[0] < -RANK * size * d:
            raise ArgumentError(
                f"cov has least eigenvalue {values[0]:.3g}; expected a covariance matrix, and not 0"
            )
        kept = values > RANK * values[-1]
        lengths, axes = np.sqrt(values[kept]), vectors[:, kept]
        return Inputs(mean, axes * lengths, (axes / lengths).T)


@dataclass(frozen=True, eq=False)
class Problem:
    """A target in the generated module's terms, a mean over its nodes, and the nodes that may be.

    nodes (N, r) holds the target's rows as white inputs see them; with biases a column more, the
    biases. A network of M nodes is X like nodes, (M, r) or (M, r + 1), and outer weights b; where
    the output has a bias, b has a last row for it, that of a node σ(constant). unit is the root
    mean square length of the nodes, scale is |f_N|².
    """

    module: Any
    target: Any
    nodes: Array
    a: Array  # (N,) or (N, k), for means over nodes
    weights: Array  # (N, k), a / N; with a bias of the output (N + 1, k)
    unit: float
    scale: float
    biased: bool
    drift: Array | None  # (r,), the mean in white coordinates; None where biases do not enter
    constant: float | None

    @staticmethod
    def of(net: TwoLayerNetwork, inputs: Inputs, module: ModuleType | None = None) -> "Problem":
        """The problem of compressing net."""
        made: Any = generate(net.activation).load() if module is None else module
        nodes = inputs.whitened(net.W)
        if net.bias is not None:
            nodes = np.column_stack([nodes, net.bias])
        a = net.a * net.N if net.scaling == "sum" else net.a
        drifts = net.bias is not None or net.offset is not None or bool(inputs.mean.any())
        problem = Problem(
            module=made,
            target=None,
            nodes=nodes,
            a=a,
            weights=a.reshape(len(a), -1) / len(a),
            unit=float(np.linalg.norm(nodes)) / len(nodes) ** 0.5 or 1.0,
            scale=1.0,
            biased=net.bias is not None,
            drift=inputs.drift if drifts else None,
            constant=None if net.offset is None else _constant(net.activation),
        )
        return problem._prepared(net)

    def _prepared(self, net: TwoLayerNetwork) -> "Problem":
        """With its target, and the scale of its output."""
        weights = self.weights
        if self.constant is not None:  # one more node, the offset
            share = np.ravel(np.asarray(net.offset)) / _value(net.activation, self.constant)
            weights = np.vstack([weights, share])
        a = (weights * len(weights)).reshape(len(weights), *self.a.shape[1:])
        rows, s = self._rows(self.nodes)
        try:
            target = self._target(rows, a, s)
        except ValueError as error:
            raise ArgumentError(f"network: {error}") from error
        scale = float(self.module.loss(target, rows[:1], None, np.zeros((1, *a.shape[1:]))))
        if scale <= 0:
            raise ArgumentError(
                "the target network is identically zero; expected something to compress"
            )
        return replace(self, target=target, weights=weights, scale=scale)

    def _target(self, rows: Array, a: Array, s: Array | None) -> Any:
        """Prepared; of very many nodes by moments, which enclose |f_N|² and no slope depends on."""
        if s is not None:
            return self.module.Target(rows, a, s)
        many = len(rows) > MANY and hasattr(self.module, "BLOCK")  # else it refuses
        return self.module.Target(rows, a, expand=many)

    @property
    def error(self) -> float:
        """How far |f_N|², and with it every loss, may be off."""
        return float(self.target.energy_error)

    def slopes(self, X: Array, b: Array) -> tuple[float, Array, Array]:
        """L_N, dL_N/dX and dL_N/db."""
        rows, t = self._rows(X)
        if t is None or self.drift is None:
            loss, by_rows, by_b = self.module.loss_and_grad(self.target, rows, None, b)
            return loss, by_rows, by_b
        loss, by_rows, by_b, by_t = self.module.loss_and_grad(self.target, rows, None, b, t=t)
        by_rows, by_t = by_rows[: len(X)], by_t[: len(X)]
        by_x = by_rows + np.outer(by_t, self.drift)
        return loss, np.column_stack([by_x, by_t]) if self.biased else by_x, by_b

    @property
    def curved(self) -> bool:
        """Whether `curvature` is there and worth its cost: without biases, σ homogeneous."""
        return self.drift is None and hasattr(self.module, "DEGREE")

    def curvature(self, X: Array, b: Array, dX: Array, db: Array) -> tuple[Array, Array]:
        """The second derivative of L_N at (X, b) applied to (dX, db); without biases."""
        by_x, by_b = self.module.hessian_vector_product(self.target, X, dX, db, None, b)
        return by_x, by_b

    def best_outer(self, signs: str, X: Array) -> Array:
        """The outer weights that minimise the loss at X: b' K b / M² - 2 b' G / M least."""
        rows, t = self._rows(X)
        gram, cross = self._kernel(rows, t, rows, t), self._kernel(rows, t, *self._rows(self.nodes))
        values, vectors = np.linalg.eigh(gram)
        kept = values > RANK * values[-1]
        lengths, axes = np.sqrt(values[kept]), vectors[:, kept]
        aim = (axes / lengths).T @ cross @ self.weights  # gram = R'R, R = (axes * lengths)'
        if signs == "free":
            c = (axes / lengths) @ aim
        else:
            c = np.column_stack([self._nonnegative((axes * lengths).T, g) for g in aim.T])
        b: Array = (c * len(rows)).reshape((len(rows), *self.a.shape[1:]))
        return b

    def _nonnegative(self, R: Array, aim: Array) -> Array:
        """argmin |R c - aim| over c >= 0, but for the output's bias, which has either sign."""
        if self.constant is None:
            return np.asarray(nnls(R, aim)[0])
        c = nnls(np.column_stack([R, -R[:, -1]]), aim)[0]
        return np.append(c[:-2], c[-2] - c[-1])

    def _kernel(self, U: Array, s: Array | None, V: Array, t: Array | None) -> Array:
        found = self.module.kernel(U, V) if s is None else self.module.kernel(U, V, s, t)
        return np.asarray(found)

    def _rows(self, X: Array) -> tuple[Array, Array | None]:
        """The rows and biases of the nodes, and of the output's bias after them."""
        rows = X[:, : X.shape[1] - self.biased]
        if self.drift is None:
            return rows, None
        t = rows @ self.drift + (X[:, -1] if self.biased else 0.0)
        if self.constant is None:
            return rows, t
        return np.vstack([rows, np.zeros(rows.shape[1])]), np.append(t, self.constant)

    def network(self, net: TwoLayerNetwork, inputs: Inputs, X: Array, b: Array) -> TwoLayerNetwork:
        """The nodes X and outer weights b in the format of net."""
        M = len(X)
        a, offset = b[:M] / len(b), None
        if self.constant is not None:
            offset = b[M] / len(b) * _value(net.activation, self.constant)
        rows = X[:, : X.shape[1] - self.biased]
        return TwoLayerNetwork(
            inputs.unwhitened(rows),
            a if net.scaling == "sum" else a * M,
            X[:, -1] if self.biased else None,
            net.activation,
            net.scaling,
            offset,
        )


def _value(act: Activation, at: float) -> float:
    return float(act.expr.subs(act.symbol, sympy.Rational(at)))


def _constant(act: Activation) -> float:
    """Where σ is largest of a few points: a node of zero row and this bias is a constant."""
    best: float = max((1.0, 0.0, -1.0), key=lambda at: abs(_value(act, at)))
    if _value(act, best) == 0:
        raise ArgumentError(
            f"network: found a bias of the output with {act.name}, expected none as σ is 0 there"
        )
    return best
