"""The strategies stay in their domains and reach their edges."""

from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from proofs_checks.strategies import (
    configurations,
    correlations,
    gram_matrices,
    laws,
    networks,
    norms,
    simplex_weights,
    unit_vectors,
)
from symcomp.networks import LAWS

SEARCH = settings(max_examples=2000, database=None, derandomize=True)


@given(correlations())
def test_correlations_lie_in_their_range(rho: float) -> None:
    assert -1 <= rho <= 1


@given(norms())
def test_norms_are_positive_and_finite_even_squared(length: float) -> None:
    assert 0 < length**2 < np.inf


@given(laws())
def test_laws_are_those_of_the_networks(law: str) -> None:
    assert law in LAWS


@given(unit_vectors())
def test_unit_vectors_have_length_one(U: np.ndarray) -> None:
    assert U.dtype == np.float64
    assert 1 <= U.shape[0] <= 12
    assert 1 <= U.shape[1] <= 8
    assert np.abs(np.linalg.norm(U, axis=1) - 1).max() < 1e-15


@given(gram_matrices(M=5, rank=2))
def test_gram_matrices_are_correlation_matrices_of_their_rank(gram: np.ndarray) -> None:
    assert gram.shape == (5, 5)
    assert (gram == gram.T).all()
    assert (np.diag(gram) == 1).all()
    assert np.abs(gram).max() <= 1
    eigenvalues = np.linalg.eigvalsh(gram)
    assert np.abs(eigenvalues[:3]).max() < 1e-14


@given(simplex_weights())
def test_simplex_weights_sum_to_one(p: np.ndarray) -> None:
    assert p.min() >= 0
    assert abs(p.sum() - 1) < 1e-15


@given(configurations(M=4, d=3))
def test_configurations_match(configuration: tuple[np.ndarray, np.ndarray]) -> None:
    p, U = configuration
    assert p.shape == (4,)
    assert U.shape == (4, 3)


@given(networks(d=3))
def test_networks_match(network: tuple[np.ndarray, np.ndarray]) -> None:
    W, a = network
    assert W.shape == (len(a), 3)
    assert np.isfinite(W).all()


def cosine(U: np.ndarray, i: int, j: int) -> float:
    return float(U[i] @ U[j])


EDGES: list[tuple[str, st.SearchStrategy[Any], Any]] = [
    ("ρ = 1", correlations(), lambda r: r == 1),
    ("ρ just above -1", correlations(), lambda r: -1 < r < -1 + 1e-12),
    ("ρ just below 1", correlations(), lambda r: 1 > r > 1 - 1e-12),
    ("ρ near 0", correlations(), lambda r: 0 < abs(r) < 1e-12),
    ("ρ in the middle", correlations(), lambda r: 0.51 < abs(r) < 0.8),
    ("tiny norm", norms(), lambda r: r < 1e-140),
    ("huge norm", norms(), lambda r: r > 1e140),
    ("antipodal", unit_vectors(4, 3), lambda U: cosine(U, 0, 1) < -1 + 1e-12),
    ("parallel", unit_vectors(4, 3), lambda U: (U @ U.T).min() > 1 - 1e-12),
    (
        "near-parallel",
        unit_vectors(4, 3),
        lambda U: 1e-9 < np.abs(U - U[0]).max() < 1e-6,
    ),
    (
        "simplex",
        unit_vectors(4, 3),
        lambda U: np.abs(U @ U.T + 1 / 3 - 4 / 3 * np.eye(4)).max() < 1e-12,
    ),
    ("rank deficient", unit_vectors(6, 4), lambda U: np.linalg.matrix_rank(U) == 2),
    ("one weight", simplex_weights(5), lambda p: p.max() == 1),
    ("equal weights", simplex_weights(5), lambda p: np.ptp(p) == 0),
    ("tiny weight", simplex_weights(5), lambda p: 0 < p.min() < 1e-9),
    ("zero row", networks(3, 2), lambda n: not n[0].any(axis=1).all()),
    ("negative outer weight", networks(3, 2), lambda n: n[1].min() < 0),
    ("coinciding rows", networks(3, 2), lambda n: n[0].any() and (n[0][0] == n[0][1]).all()),
    *((f"law {name}", laws(), lambda law, name=name: law == name) for name in LAWS),
]


@pytest.mark.parametrize(("_name", "strategy", "at_edge"), EDGES, ids=[e[0] for e in EDGES])
def test_every_edge_is_reached(_name: str, strategy: Any, at_edge: Any) -> None:
    try:
        find(strategy, at_edge, settings=SEARCH)
    except NoSuchExample:
        pytest.fail("no example in 2000")
