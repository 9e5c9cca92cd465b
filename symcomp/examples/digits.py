"""Compress a ReLU network that reads digits, and compare with other ways to make it small.

    python -m symcomp.examples.digits -o reports/digits.md

scikit-learn ships the data (1797 images of 8 x 8 pixels) and trains the network, 64 inputs, 300
hidden nodes and 10 outputs. It is replaced by networks of 8 to 64 hidden nodes, found from its
weights and from mean and covariance of the training images alone, as if these were Gaussian.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from time import perf_counter
from types import ModuleType
from typing import TypeAlias

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor

import symcomp
from symcomp.networks import TwoLayerNetwork
from symcomp.problems import Inputs, Problem
from symcomp.storage import replace_file

Array: TypeAlias = NDArray[np.float64]

_PIXEL = 16.0  # the largest value of a pixel


@dataclass(frozen=True, eq=False)
class Task:
    """A trained network with the data it was trained on and that it has never seen."""

    network: TwoLayerNetwork
    train: Array
    test: Array
    labels: Array  # of the test images
    inputs: Inputs
    problem: Problem
    module: ModuleType
    seed: int

    def relative_loss(self, small: TwoLayerNetwork) -> float:
        """E |f - f̂|²/E |f|² under the Gaussian of the training images' moments, exactly."""
        rows = self.inputs.whitened(small.W)
        X = np.column_stack([rows, np.asarray(small.bias)])
        share = np.asarray(small.offset)[None]  # σ(1) = 1 carries the bias of the output
        b = np.vstack([small.a, share]) * (small.N + 1)
        return self.problem.slopes(X, b)[0] / self.problem.scale

    def loss_on_test(self, small: TwoLayerNetwork) -> float:
        """The mean of |f - f̂|² over the test images, relative to that of |f|²."""
        f = self.network(self.test)
        return float(np.sum((f - small(self.test)) ** 2) / np.sum(f**2))

    def accuracy(self, network: TwoLayerNetwork) -> float:
        """The share of test images that are read as what they are."""
        return float(np.mean(np.argmax(network(self.test), axis=1) == self.labels))

    def refitted(self, X: Array) -> TwoLayerNetwork:
        """The network of the nodes X with the best outer weights and output biases for them."""
        b = self.problem.best_outer("free", X)
        return self.problem.network(self.network, self.inputs, X, b)


def task(seed: int, hidden: int = 300) -> Task:
    """Train a network on 70 % of the images."""
    images, labels = load_digits(return_X_y=True)
    train, test, wanted, kept = train_test_split(
        images / _PIXEL, labels, test_size=0.3, random_state=seed, stratify=labels
    )
    model = MLPClassifier(
        hidden_layer_sizes=(hidden,), max_iter=400, tol=1e-3, random_state=seed
    ).fit(train, wanted)
    net = _network(model)
    inputs = Inputs.of(train.mean(axis=0), np.cov(train.T, bias=True))
    module = symcomp.generate("relu").load()
    problem = Problem.of(net, inputs, module)
    return Task(net, train, test, kept, inputs, problem, module, seed)


def _network(model: MLPClassifier | MLPRegressor) -> TwoLayerNetwork:
    """The outputs before the softmax of a scikit-learn model with one hidden layer."""
    W, a = model.coefs_
    bias, offset = model.intercepts_
    return TwoLayerNetwork(W.T, a, bias, "relu", "sum", offset)


# ---- ways to make it small -----------------------------------------------------------------------


def _weights(t: Task) -> Array:
    """|θ_i| |a_i| of every node, its row and bias as white inputs see them."""
    sizes: Array = np.linalg.norm(t.problem.nodes, axis=1) * np.linalg.norm(t.network.a, axis=1)
    return sizes


def compressed(t: Task, M: int) -> TwoLayerNetwork:
    """symcomp.compress: the exact population loss, minimised."""
    return symcomp.compress(
        t.network,
        M,
        t.train.mean(axis=0),
        np.cov(t.train.T, bias=True),
        seed=t.seed,
        starts=1,
        tol=1e-4,
        module=t.module,
    ).network


def pruned(t: Task, M: int) -> TwoLayerNetwork:
    """The M nodes with the greatest |θ| |a|, outer weights refitted."""
    return t.refitted(t.problem.nodes[np.argsort(-_weights(t))[:M]])


def random_subset(t: Task, M: int) -> TwoLayerNetwork:
    """M nodes at random, outer weights refitted."""
    chosen = np.random.default_rng(t.seed).choice(t.network.N, M, replace=False)
    return t.refitted(t.problem.nodes[chosen])


def merged(t: Task, M: int) -> TwoLayerNetwork:
    """The centres of M clusters of directions, weighted by |θ| |a|, outer weights refitted."""
    nodes = t.problem.nodes
    units = nodes / np.linalg.norm(nodes, axis=1, keepdims=True)
    found = KMeans(M, n_init=4, random_state=t.seed).fit(units, sample_weight=_weights(t))
    return t.refitted(found.cluster_centers_)


def distilled(t: Task, M: int) -> TwoLayerNetwork:
    """A network trained on the training images to give the outputs of the big one."""
    model = MLPRegressor(
        hidden_layer_sizes=(M,), solver="lbfgs", max_iter=2000, alpha=0.0, random_state=t.seed
    )
    with warnings.catch_warnings():  # it may stop at max_iter, as training does
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _network(model.fit(t.train, t.network(t.train)))


METHODS: dict[str, Callable[[Task, int], TwoLayerNetwork]] = {
    "symcomp": compressed,
    "magnitude pruning": pruned,
    "random subset": random_subset,
    "k-means merging": merged,
    "distillation on samples": distilled,
}


# ---- the table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One method at one size, means over the seeds."""

    M: int
    method: str
    loss: tuple[float, ...]
    on_test: tuple[float, ...]
    accuracy: tuple[float, ...]
    seconds: tuple[float, ...]


def compare(tasks: Sequence[Task], sizes: Sequence[int], see: Callable[[str], None]) -> list[Line]:
    """Every method at every size on every task."""
    lines = []
    for M in sizes:
        for method, make in METHODS.items():
            figures = []
            for t in tasks:
                see(f"M = {M}, {method}, seed {t.seed}")
                figures.append(_figures(t, M, make))
            lines.append(Line(M, method, *zip(*figures, strict=True)))
    return lines


def _figures(
    t: Task, M: int, make: Callable[[Task, int], TwoLayerNetwork]
) -> tuple[float, float, float, float]:
    begun = perf_counter()
    small = make(t, M)
    seconds = perf_counter() - begun
    return t.relative_loss(small), t.loss_on_test(small), t.accuracy(small), seconds


_ABOUT = """\
A network of 64 inputs, {hidden} hidden ReLU nodes and 10 outputs is trained on 70 % of
scikit-learn's digits, with {seeds} seeds; test accuracy {whole}. Hidden biases and output biases
are kept. `symcomp.compress` sees its weights and the mean and covariance of the training images,
no image. Pruning, random subset and merging get their outer weights and output biases refitted for
the same Gaussian; distillation trains a small network on the training images themselves.
"""
_READING = """\
The population loss is E |f - f̂|²/E |f|² for Gaussian inputs with the moments of the training
images, exact, no samples; ± is the standard deviation over the seeds.
"""


def as_markdown(tasks: Sequence[Task], lines: Sequence[Line]) -> str:
    """The report: what was done, the table, and what to make of it."""
    about = _ABOUT.format(
        hidden=tasks[0].network.N,
        seeds=len(tasks),
        whole=_percent([t.accuracy(t.network) for t in tasks]),
    )
    rows = [
        f"| {x.M} | {x.method} | {_spread(x.loss)} | {_spread(x.on_test)} |"
        f" {_percent(x.accuracy)} | {np.mean(x.seconds):.1f} |"
        for x in lines
    ]
    columns = "population loss | loss on test images | test accuracy | seconds"
    text = [
        "# Digits: a trained ReLU network, compressed",
        "",
        "Written by `python -m symcomp.examples.digits`; not to be edited by hand.",
        "",
        about,
        f"| M | method | {columns} |",
        "|---:|---|---:|---:|---:|---:|",
        *rows,
        "",
        _READING,
        *_remarks(lines),
    ]
    return "\n".join(text) + "\n"


def _remarks(lines: Sequence[Line]) -> list[str]:
    """What the figures say of the Gaussian as a model of images."""
    ours = [x for x in lines if x.method == "symcomp"]
    ratios = ", ".join(f"{np.mean(x.on_test) / np.mean(x.loss):.2f} at M = {x.M}" for x in ours)
    text = (
        "How good a model the Gaussian is: pixels are nonnegative, many hardly vary, and the digits"
        " form clusters, none of which a Gaussian knows. The loss of symcomp's networks on the test"
        f" images divided by that under the Gaussian is {ratios}."
    )
    for x in ours:
        rivals = [y for y in lines if x.M == y.M and y is not x]
        for name, at in (("loss on test images", "on_test"), ("test accuracy", "accuracy")):
            sign = 1 if at == "accuracy" else -1
            best = max(rivals, key=lambda y: sign * np.mean(getattr(y, at)))
            if sign * np.mean(getattr(best, at)) > sign * np.mean(getattr(x, at)):
                text += f" At M = {x.M} the best {name} is that of {best.method}."
    return [fill(text, 100)]


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.4f} ± {np.std(values):.4f}"


def _percent(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values):.1f} %"


@click.command()
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--hidden", type=click.IntRange(min=1), default=300, show_default=True)
@click.option("--sizes", default="8,16,32,64", show_default=True)
def main(output: Path | None, seeds: int, hidden: int, sizes: str) -> None:
    """Compress networks that read digits; compare the ways to do it in one table."""
    tasks = [task(seed, hidden) for seed in range(seeds)]
    chosen = [int(M) for M in sizes.split(",")]
    text = as_markdown(tasks, compare(tasks, chosen, lambda step: click.echo(step, err=True)))
    if output is None:
        click.echo(text, nl=False)
    else:
        replace_file(output, text)


if __name__ == "__main__":
    main()
