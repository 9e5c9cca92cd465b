"""Hypothesis strategies for what the claims are about; each one seeks the edges of its domain.

All arrays are float64. An example shrinks towards few, plain vectors.
"""

from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from symcomp.frames import simplex_etf
from symcomp.networks import LAWS

Array: TypeAlias = NDArray[np.float64]

FAMILIES = (
    "axes",
    "free",
    "random",
    "simplex",
    "antipodal",
    "parallel",
    "clustered",
    "rank deficient",
)
_MOST_VECTORS = 12
_MOST_DIMENSIONS = 8


def correlations() -> st.SearchStrategy[float]:
    """ρ in [-1, 1]: the whole range, and as close to -1, 0 and 1 as float64 comes."""
    decades = st.integers(1, 16).map(lambda k: 10.0**-k)
    return st.one_of(
        st.sampled_from((0.0, 1.0, -1.0, 0.5, -0.5)),
        st.floats(-1, 1),
        st.builds(lambda sign, e: sign * e, _SIGNS, decades),
        st.builds(lambda sign, e: sign * (1 - e), _SIGNS, decades),
    )


def norms(decades: int = 300) -> st.SearchStrategy[float]:
    """Positive lengths over so many decades around 1: 10^-decades/2 to 10^decades/2."""
    half = decades // 2
    return st.builds(
        lambda mantissa, exponent: mantissa * 10.0**exponent,
        st.integers(10, 99).map(lambda n: n / 10),
        st.integers(-half, half - 1),
    )


def laws() -> st.SearchStrategy[str]:
    """The name of a law of target weights, a key of ``symcomp.networks.LAWS``."""
    return st.sampled_from(tuple(LAWS))


@st.composite
def unit_vectors(draw: st.DrawFn, M: int | None = None, d: int | None = None) -> Array:
    """Rows of length 1, (M, d), of one of FAMILIES; by default 1 <= M <= 12 and 1 <= d <= 8.

    The families are orthogonal axes, rows drawn entry by entry, Gaussian rows, and perturbations,
    of size 0 to 1, of a regular simplex, of antipodal pairs, of one direction, of a few
    directions, and of rows in a subspace of half the dimension.
    """
    M = draw(st.integers(1, _MOST_VECTORS)) if M is None else M
    d = draw(st.integers(1, _MOST_DIMENSIONS)) if d is None else d
    family = draw(st.sampled_from(FAMILIES))
    if family == "axes":
        return _normalised(np.eye(d)[np.arange(M) % d])
    if family == "free":
        entries = draw(st.lists(st.integers(-9, 9), min_size=M * d, max_size=M * d))
        return _normalised(np.array(entries, dtype=np.float64).reshape(M, d))
    rng = _generator(draw)
    noise = draw(st.sampled_from((0.0, 1e-15, 1e-8, 1e-3, 0.1, 1.0)))
    return _normalised(_family(family, M, d, rng) + noise * rng.standard_normal((M, d)))


@st.composite
def gram_matrices(draw: st.DrawFn, M: int | None = None, rank: int | None = None) -> Array:
    """Correlation matrices, (M, M): positive semidefinite of rank at most ``rank``, diagonal 1.

    They are the Gram matrices of ``unit_vectors(M, rank)``, clipped to [-1, 1].
    """
    U = draw(unit_vectors(M, rank))
    gram = np.clip(U @ U.T, -1.0, 1.0)
    np.fill_diagonal(gram, 1.0)
    return gram


@st.composite
def simplex_weights(draw: st.DrawFn, M: int | None = None) -> Array:
    """Weights p >= 0 with sum 1, (M,): equal, random, and degenerate ones.

    Degenerate weights sit on a few vectors or spread over many decades.
    """
    M = draw(st.integers(1, _MOST_VECTORS)) if M is None else M
    family = draw(st.sampled_from(("equal", "single", "free", "few", "decades")))
    rng = _generator(draw)
    if family == "equal":
        p = np.ones(M)
    elif family == "single":
        p = np.eye(M)[draw(st.integers(0, M - 1))]
    elif family == "free":
        entries = draw(st.lists(st.integers(0, 9), min_size=M, max_size=M))
        p = np.array(entries, dtype=np.float64)
    elif family == "few":
        p = rng.exponential(size=M) * (rng.random(M) < 0.3)
    else:
        p = 10.0 ** rng.uniform(-12, 0, M)
    return p / p.sum() if p.any() else np.full(M, 1 / M)


@st.composite
def configurations(
    draw: st.DrawFn, M: int | None = None, d: int | None = None
) -> tuple[Array, Array]:
    """Weights p (M,) of ``simplex_weights`` with unit vectors U (M, d) of ``unit_vectors``."""
    U = draw(unit_vectors(M, d))
    return draw(simplex_weights(len(U))), U


@st.composite
def networks(
    draw: st.DrawFn, N: int | None = None, d: int | None = None, decades: int = 6
) -> tuple[Array, Array]:
    """Inner weights W (N, d) and outer weights a (N,) of both signs.

    The rows of W have the directions of ``unit_vectors``, with coinciding and opposite ones, and
    lengths over so many decades; a row may be zero.
    """
    U = draw(unit_vectors(N, d))
    count = len(U)
    lengths = draw(st.lists(st.just(0.0) | norms(decades), min_size=count, max_size=count))
    outer = draw(st.lists(st.integers(-4, 4), min_size=count, max_size=count))
    return U * np.array(lengths)[:, None], np.array(outer, dtype=np.float64)


_SIGNS = st.sampled_from((1.0, -1.0))


def _generator(draw: Any) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 999)))


def _family(family: str, M: int, d: int, rng: np.random.Generator) -> Array:
    rows = rng.standard_normal((M, d))
    if family == "simplex":
        rows = _resized(simplex_etf(M), d) if M > 1 else rows
    elif family == "antipodal":
        rows = rng.choice((1.0, -1.0), (M, 1)) * rows[:1]
    elif family == "parallel":
        rows = np.repeat(rows[:1], M, axis=0)
    elif family == "clustered":
        rows = rows[rng.integers(0, min(M, 3), M)]
    elif family == "rank deficient":
        rows[:, (d + 1) // 2 :] = 0.0
        rows = rows @ np.linalg.qr(rng.standard_normal((d, d)))[0]
    return rows


def _resized(rows: Array, d: int) -> Array:
    """The rows in d coordinates: padded with zeros, or cut (then no longer a simplex)."""
    resized = np.zeros((len(rows), d))
    width = min(d, rows.shape[1])
    resized[:, :width] = rows[:, :width]
    return resized


def _normalised(rows: Array) -> Array:
    """The rows at length 1; a zero row becomes the first axis."""
    rows = rows.copy()
    rows[~rows.any(axis=1), 0] = 1.0
    unit: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
