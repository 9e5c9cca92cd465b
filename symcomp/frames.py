"""Frames of unit vectors: the simplex, real equiangular tight frames, equiangular cones.

A frame of M vectors is an array U of shape (M, d), float64, whose rows are the vectors. A real
equiangular tight frame ETF(d, M) has the Gram matrix U U' = I + c S with c the Welch bound and S a
symmetric integer matrix, 0 on the diagonal and ±1 off it, such that S² = (M - 1) I + n S for an
integer n. Every construction below makes S exactly; only the last step, a factor of the Gram
matrix, is numerical.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import isqrt, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import hadamard

from symcomp.errors import ArgumentError
from symcomp.networks import check_count

Matrix: TypeAlias = NDArray[np.float64]
Signs: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Diagnostics:
    """How far M directions are from an equiangular tight frame of R^d; all figures are >= 0.

    coherence is max |ρ_ij|, i ≠ j; tightness the largest distance between the sorted eigenvalues
    of the Gram matrix and (M/d, ..., M/d, 0, ..., 0); equiangularity is max |ρ_ij| - min |ρ_ij|;
    centring is |Σ u_j|; welch_gap is coherence minus the Welch bound of (d, M).
    """

    coherence: float
    tightness: float
    equiangularity: float
    centring: float
    welch_gap: float


def welch_bound(d: int, M: int) -> float:
    """The least coherence of M unit vectors in R^d: sqrt((M - d)/(d (M - 1))), or 0 for M <= d.

    Raises ArgumentError unless d and M are positive integers.
    """
    check_count("d", d)
    check_count("M", M)
    return sqrt((M - d) / (d * (M - 1))) if d < M else 0.0


def simplex_etf(M: int, d: int | None = None) -> Matrix:
    """The regular simplex: M unit vectors with inner products -1/(M - 1) and sum zero (E2).

    Returns (M, d), float64, each entry right to rounding; d defaults to M - 1 and more coordinates
    are zeros. M = 1 is one unit vector. Raises ArgumentError unless d >= max(M - 1, 1).
    """
    check_count("M", M)
    least = max(M - 1, 1)
    d = least if d is None else d
    check_count("d", d, least)
    U = np.zeros((M, d))
    if M == 1:
        U[0, 0] = 1.0
    for k in range(M - 1):
        left = M - k  # vectors not yet placed: they share what is left of their mutual angle
        U[k, k] = sqrt(M * (left - 1) / ((M - 1) * left))
        U[k + 1 :, k] = -sqrt(M / ((M - 1) * left * (left - 1)))
    return U


def equiangular_cone(M: int, s: float, d: int | None = None) -> Matrix:
    """The cone u_j = s v + sqrt(1 - s²) e_j, v the first axis, e_j a simplex orthogonal to v (E4).

    All inner products are (M s² - 1)/(M - 1) and <v, u_j> = s. Returns (M, d), float64; d defaults
    to M. Raises ArgumentError unless M >= 2, d >= M and s is in [-1, 1].
    """
    check_count("M", M, 2)
    d = M if d is None else d
    check_count("d", d, M)
    if not -1 <= s <= 1:
        raise ArgumentError(f"s is {s}; expected a cosine in [-1, 1]")
    axis = np.full((M, 1), float(s))
    return np.hstack([axis, sqrt((1 - s) * (1 + s)) * simplex_etf(M, d - 1)])


def real_etf(d: int, M: int) -> Matrix:
    """A real equiangular tight frame of M unit vectors in R^d, float64, shape (M, d).

    Known here: an orthonormal basis (M = d); the simplex (M = d + 1); Paley's conference matrices
    (d = (q + 1)/2, M = q + 1, q a prime with q % 4 == 1) and the one of order 10; the 28 pairs of
    8 points, (7, 28); the Steiner frames (6, 16), (28, 64), (120, 256), ...; and the complement
    (M - d, M) of each. The simplex, (5, 10), (7, 28) and the Steiner frames are centred (sum zero).
    Raises ArgumentError for any other size.
    """
    check_count("d", d)
    check_count("M", M, d)
    if d == M:
        return np.eye(d)
    if d + 1 == M:
        return simplex_etf(M)
    return _factor(np.eye(M) + welch_bound(d, M) * seidel(d, M), d)


def seidel(d: int, M: int) -> Signs:
    """The integer matrix S of a real ETF(d, M), M > d: its Gram matrix is I + welch_bound * S.

    Returns (M, M), int64, with S² = (M - 1) I + n S, n an integer. Raises ArgumentError for a size
    without a construction here; the sizes are those of real_etf.
    """
    if found := _construction(d, M):
        return found()
    if found := _construction(M - d, M):
        return -found()  # the Naimark complement
    raise ArgumentError(
        f"no real ETF with d = {d}, M = {M} is constructed here; known: M = d, M = d + 1, "
        "(5, 10), (7, 28), ((q + 1)/2, q + 1) for primes q = 5, 13, 17, 29, ... (q % 4 == 1), "
        "(6, 16), (28, 64), (120, 256), ..., and (M - d, M) for each of these (d, M)"
    )


def diagnostics(U: ArrayLike, d: int | None = None) -> Diagnostics:
    """Compare the directions of the M >= 2 rows of U, shape (M, n), with an ETF of R^d.

    d defaults to n; give d = M - 1 for a simplex inside a larger space. Lengths do not matter.
    Raises ArgumentError for a zero row, a NaN, or a shape that is not (M, n) with M >= 2.
    """
    rows = np.asarray(U, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[0] < 2:
        raise ArgumentError(f"U has shape {rows.shape}; expected (M, n) with M >= 2")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and lengths.min() > 0):
        raise ArgumentError("U has a zero or non-finite row; expected M directions")
    M, d = len(rows), rows.shape[1] if d is None else d
    check_count("d", d)
    units = rows / lengths
    gram = units @ units.T
    angles = np.abs(gram[~np.eye(M, dtype=bool)])
    tight = np.zeros(M)
    tight[: min(d, M)] = M / min(d, M)
    spectrum = np.sort(np.linalg.eigvalsh(gram))[::-1]
    return Diagnostics(
        coherence=float(angles.max()),
        tightness=float(np.abs(spectrum - tight).max()),
        equiangularity=float(np.ptp(angles)),
        centring=float(np.linalg.norm(units.sum(axis=0))),
        welch_gap=max(0.0, float(angles.max()) - welch_bound(d, M)),
    )


def _construction(d: int, M: int) -> Callable[[], Signs] | None:
    """The maker of S for (d, M), or None."""
    if d == 1:
        return lambda: np.ones((M, M), dtype=np.int64) - np.eye(M, dtype=np.int64)
    if (d, M) == (5, 10):
        return lambda: -_pairs(5)
    if (d, M) == (7, 28):
        return lambda: _pairs(8)
    if 2 * d == M and M % 4 == 2 and _is_prime(M - 1):
        return lambda: _paley(M - 1)
    v = isqrt(M)
    if v * v == M and v >= 4 and v & (v - 1) == 0 and 2 * d == v * (v - 1):
        return lambda: _steiner(v)
    return None


def _pairs(points: int) -> Signs:
    """On the pairs of points: 1 where two pairs meet, -1 where they do not, 0 on the diagonal."""
    sets = [set(pair) for pair in combinations(range(points), 2)]
    S = np.array([[1 if p & q else -1 for q in sets] for p in sets], dtype=np.int64)
    np.fill_diagonal(S, 0)
    return S


def _paley(q: int) -> Signs:
    """Paley's symmetric conference matrix of order q + 1: S² = q I."""
    squares = {x * x % q for x in range(1, q)}
    character = np.array([0] + [1 if x in squares else -1 for x in range(1, q)], dtype=np.int64)
    S = np.ones((q + 1, q + 1), dtype=np.int64)
    S[1:, 1:] = character[np.subtract.outer(np.arange(q), np.arange(q)) % q]
    S[0, 0] = 0
    return S


def _steiner(v: int) -> Signs:
    """S of the Steiner frame on the pairs of v points, v a power of 2: d = v (v - 1)/2, M = v².

    Point i owns v vectors, supported on the v - 1 pairs that contain i: the columns of Hadamard's
    matrix without its row of ones. Two points share one pair, so inner products are ±1/(v - 1).
    """
    pairs = list(combinations(range(v), 2))
    signs = hadamard(v, dtype=np.int64)[1:].T
    rows = np.zeros((v * v, len(pairs)), dtype=np.int64)
    for point in range(v):
        mine = [k for k, pair in enumerate(pairs) if point in pair]
        rows[point * v : (point + 1) * v, mine] = signs
    return rows @ rows.T - (v - 1) * np.eye(v * v, dtype=np.int64)


def _factor(gram: Matrix, d: int) -> Matrix:
    """Rows U, (M, d), with U U' = gram, for a Gram matrix of rank d."""
    values, vectors = np.linalg.eigh(gram)
    U = vectors[:, -d:] * np.sqrt(values[-d:])
    units: Matrix = U / np.linalg.norm(U, axis=1, keepdims=True)
    return units


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % k for k in range(2, isqrt(n) + 1))
