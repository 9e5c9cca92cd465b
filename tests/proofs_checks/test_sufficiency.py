import numpy as np
import pytest
from flint import arb, arb_mat, ctx, fmpq

from proofs_checks import sufficiency
from proofs_checks.ledger import Outcome
from symcomp import generate
from symcomp.balls import compiled
from symcomp.objectives import S
from tests.comparison import compare


@pytest.fixture(scope="module")
def relu():
    return generate("relu").load()


def point(M, beta, s):
    claim = sufficiency.cone()
    with ctx.workprec(80):
        energy = compiled(claim.energy(M), (S,))
        return sufficiency.local(M, arb(beta), arb(s), energy)


@pytest.mark.parametrize(("M", "beta", "s"), [(2, "0.4", "0.5"), (4, "0.7", "0.3")])
def test_gradient_and_hessian_are_those_of_the_generated_module(relu, M, beta, s):
    """By differences, at a point that is not stationary."""
    p = point(M, beta, s)
    with ctx.workprec(80):
        H = sufficiency.hessian(p)
        found = np.array([[float(x) for x in row] for row in H.tolist()])
        slope = [float(x) for x in sufficiency.gradient(p)]
    phi = np.array([[float(x) for x in row] for row in p.phi])
    r, mu = float(p.r), float(beta) * np.eye(M + 1)[0]

    def grad(x):
        by_theta = relu.simplified_and_grad(1.0, mu, r * x.reshape(phi.shape))[1]
        return r * by_theta.ravel()

    compare(zip(range(M + 1), slope, grad(phi)[: M + 1] / r, strict=True), atol=1e-14)
    size = phi.size
    wanted = np.array(
        [(grad(phi.ravel() + e) - grad(phi.ravel() - e)) / 2e-5 for e in 1e-5 * np.eye(size)]
    )
    compare(zip(range(size**2), found.ravel(), wanted.ravel() / r, strict=True), atol=1e-8)


def test_rotations_are_flat_at_the_best_cone():
    for M in (2, 3, 5):
        beta = fmpq(2, 5)
        s = sufficiency._root(sufficiency.cone().stationarity(M), beta)
        p = point(M, "0.4", s)
        with ctx.workprec(80):
            H = sufficiency.hessian(p)
        found = np.array([[float(x) for x in row] for row in H.tolist()])
        N = sufficiency.rotations(M)
        assert N.shape == (M * (M + 1), M * (M - 1) // 2)
        assert np.abs(found @ N).max() < 1e-12
        values = np.linalg.eigvalsh(found)
        assert (np.abs(values) < 1e-11).sum() == N.shape[1]
        assert values[N.shape[1]] > 1e-4


def test_positive_definite_is_seen_and_denied():
    good = arb_mat([[arb(2), arb(1)], [arb(1), arb(2)]])
    assert sufficiency.positive_definite(good)
    assert not sufficiency.positive_definite(arb_mat([[arb(1), arb(2)], [arb(2), arb(1)]]))
    assert not sufficiency.positive_definite(arb_mat([[arb(1), arb(1)], [arb(1), arb(1)]]))
    wide = arb(0, 1)
    assert not sufficiency.positive_definite(arb_mat([[1 + wide, wide], [wide, 1 + wide]]))
    assert not sufficiency.positive_definite(arb_mat([[arb.nan(), arb(0)], [arb(0), arb(1)]]))


def test_two_heights_would_be_seen():
    """A stationarity with a second change of sign is not one height."""
    claim = sufficiency.cone()
    wavy = sufficiency.replace(claim, stationarity=lambda M: claim.stationarity(M) * (10 * S - 9))
    found = sufficiency._one_height(wavy, 3, fmpq(2, 5), 0.5683)
    assert found.outcome is Outcome.FAILS


@pytest.mark.slow
def test_larger_networks():
    finding = sufficiency.certificate(
        sufficiency.cone(), sizes=(7, 8, 10), grid=(fmpq(1, 5), fmpq(4, 5))
    )
    assert finding.outcome is Outcome.HOLDS, finding.figure
