from fractions import Fraction

import numpy as np
import pytest

from symcomp import frames
from symcomp.errors import ArgumentError
from tests.comparison import compare

SIZES = [(1, 4), (3, 4), (9, 10), (3, 6), (5, 10), (7, 14), (9, 18), (15, 30), (6, 16), (10, 16)]
SIZES += [(7, 28), (21, 28), (28, 64), (36, 64)]
CENTRED = [(3, 4), (9, 10), (5, 10), (6, 16), (7, 28), (28, 64)]


def gram_rows(U, wanted):
    return (((i, j), got, wanted[i, j]) for (i, j), got in np.ndenumerate(U @ U.T))


def simplex_gram(M):
    return np.full((M, M), -1 / (M - 1)) + np.eye(M) * (M / (M - 1))


@pytest.mark.parametrize(("M", "d"), [(2, 1), (3, 2), (5, 4), (5, 9), (40, 39)])
def test_simplex_gram_is_exact_to_rounding(M, d):
    U = frames.simplex_etf(M, d)
    assert U.shape == (M, d)
    assert U.dtype == np.float64
    compare(gram_rows(U, simplex_gram(M)), atol=1e-15, min_points=M * M)
    compare([("sum", np.abs(U.sum(axis=0)).max(), 0)], atol=1e-14)


def test_a_simplex_with_a_false_cosine_is_noticed():
    with pytest.raises(AssertionError, match="of 25 points differ"):
        compare(gram_rows(frames.simplex_etf(5), simplex_gram(6)[:5, :5]), atol=1e-15)


def test_one_vector_and_defaults():
    assert frames.simplex_etf(1).tolist() == [[1.0]]
    assert frames.simplex_etf(2).tolist() == [[1.0], [-1.0]]
    assert frames.simplex_etf(4).shape == (4, 3)


@pytest.mark.parametrize(("d", "M"), SIZES)
def test_seidel_matrices_are_tight_in_integers(d, M):
    S = frames.seidel(d, M)
    assert S.dtype == np.int64
    assert (S == S.T).all()
    assert (np.abs(S) == 1 - np.eye(M)).all()
    # S has the two eigenvalues x = -1/c (M - d times) and y with x y = -(M - 1): their sum is n
    n = S @ S - (M - 1) * np.eye(M, dtype=np.int64)
    assert (n == n[0, 1] * S[0, 1] * S).all()
    # trace 0 fixes the multiplicities: n = x + y with (M - d) x + d y = 0 and x y = -(M - 1)
    n_squared = Fraction((M - 2 * d) ** 2 * (M - 1), d * (M - d))
    assert int(n[0, 1] * S[0, 1]) ** 2 == n_squared
    assert (int(n[0, 1] * S[0, 1]) > 0) == (2 * d < M)


@pytest.mark.parametrize(("d", "M"), [*SIZES, (4, 4)])
def test_real_etf_meets_the_welch_bound(d, M):
    U = frames.real_etf(d, M)
    assert U.shape == (M, d)
    figures = frames.diagnostics(U)
    compare([("unit", x, 1) for x in np.linalg.norm(U, axis=1)], rtol=1e-15, min_points=M)
    compare(
        [
            ("coherence", figures.coherence, frames.welch_bound(d, M)),
            ("tightness", figures.tightness, 0),
            ("equiangularity", figures.equiangularity, 0),
            ("welch gap", figures.welch_gap, 0),
        ],
        atol=2e-14,
    )


@pytest.mark.parametrize(("d", "M"), SIZES)
def test_which_frames_are_centred(d, M):
    centring = frames.diagnostics(frames.real_etf(d, M)).centring
    assert (centring < 1e-13) == ((d, M) in CENTRED)


@pytest.mark.parametrize(("d", "M"), [(4, 7), (2, 4), (11, 22), (3, 9), (13, 26)])
def test_unknown_sizes_say_what_is_known(d, M):
    with pytest.raises(ArgumentError, match=rf"d = {d}, M = {M} .* known: .*\(7, 28\)"):
        frames.real_etf(d, M)


def test_equiangular_cone():
    M, s = 4, 0.3
    U = frames.equiangular_cone(M, s, 6)
    t = (M * s * s - 1) / (M - 1)
    compare(gram_rows(U, np.full((M, M), t) + (1 - t) * np.eye(M)), atol=1e-15)
    compare([("height", x, s) for x in U[:, 0]], min_points=M)
    assert frames.equiangular_cone(3, -1.0).tolist() == [[-1.0, 0, 0]] * 3


def test_welch_bound():
    compare(
        [
            ("simplex", frames.welch_bound(4, 5), 0.25),
            ("(6, 16)", frames.welch_bound(6, 16), 1 / 3),
            ("basis", frames.welch_bound(5, 5), 0),
            ("one", frames.welch_bound(3, 1), 0),
        ],
        rtol=1e-15,
    )


def test_diagnostics_by_hand():
    # unit vectors at 0, 90 and 180 degrees, given with lengths: Gram eigenvalues 2, 1, 0
    figures = frames.diagnostics([[2, 0], [0, 3], [-1, 0]])
    wanted = {"coherence": 1, "tightness": 0.5, "equiangularity": 1, "centring": 1}
    compare([(k, getattr(figures, k), v) for k, v in wanted.items()], rtol=1e-15)
    compare([("gap", figures.welch_gap, 0.5)], rtol=1e-15)
    inside = frames.diagnostics(frames.simplex_etf(4, 9), d=3)
    compare([("simplex in R^9", inside.tightness, 0)], atol=1e-14)
    assert frames.diagnostics(frames.simplex_etf(4, 9)).tightness > 0.3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: frames.simplex_etf(0), "M is 0; expected an integer >= 1"),
        (lambda: frames.simplex_etf(4, 2), "d is 2; expected an integer >= 3"),
        (lambda: frames.simplex_etf(2.0), "M is 2.0"),
        (lambda: frames.simplex_etf(True), "M is True"),
        (lambda: frames.equiangular_cone(1, 0.5), "M is 1"),
        (lambda: frames.equiangular_cone(3, 0.5, 2), "d is 2; expected an integer >= 3"),
        (lambda: frames.equiangular_cone(3, 1.5), "s is 1.5"),
        (lambda: frames.equiangular_cone(3, float("nan")), "s is nan"),
        (lambda: frames.real_etf(5, 4), "M is 4; expected an integer >= 5"),
        (lambda: frames.welch_bound(0, 4), "d is 0"),
        (lambda: frames.diagnostics([[1, 0], [0, 0]]), "zero or non-finite row"),
        (lambda: frames.diagnostics([[1, 0], [0, np.nan]]), "zero or non-finite row"),
        (lambda: frames.diagnostics([1, 0]), r"U has shape \(2,\)"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()
