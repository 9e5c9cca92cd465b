"""E7n: which activations it is about, and the optimiser behind it against a case known by hand."""

import numpy as np
import pytest

import symcomp
from proofs_checks import self_energy
from proofs_checks.ledger import Outcome, Settings
from tests.comparison import compare

QUICK = Settings(seed=1)


def test_the_engine_chooses_the_activations() -> None:
    assert self_energy.decided().names == ("exp", "elu", "celu", "softplus")


def test_every_line_of_the_proof_is_there() -> None:
    finding = self_energy.E7N.evidence[0].check(self_energy.decided(), QUICK)
    assert finding.outcome is Outcome.HOLDS, finding
    for name in self_energy.decided().names:
        assert sum(step.startswith(f"{name}: ") for step in finding.steps) == 6


@pytest.mark.parametrize(("name", "q"), [("softplus", 4), ("elu", 1)])
def test_the_series_is_the_kernel(name: str, q: int) -> None:
    series = np.poly1d(self_energy._series(name, q))
    ker = symcomp.dual_kernel(name)
    rows = [
        (f"{name} at {rho}", series(float(rho)) / float(ker.enclosure(q, q, q)), wanted)
        for rho in (-1.0, -0.5, 0.25)
        if (wanted := float(ker.enclosure(q, q, q * rho)) / float(ker.enclosure(q, q, q)))
    ]
    compare(rows, atol=2e-5, min_points=3)


def test_the_optimiser_finds_what_is_known_by_hand() -> None:
    """κ = ρ²: orthonormal vectors; κ = ρ + ρ²: cosine max(-1/(M-1), -1/2)."""
    energy, U = self_energy.least_energy((1.0, 0.0, 0.0), 1.0, 3, 0)
    norms = np.linalg.norm(U, axis=1)
    compare([("energy", energy, 1 / 3), *(("norm", n, 1) for n in norms)], rtol=1e-9)
    energy, U = self_energy.least_energy((1.0, 1.0, 0.0), 2.0, 2, 0)
    compare([("energy", energy, (2 * 2 - 2 / 4) / 4), ("cosine", U[0] @ U[1], -0.5)], rtol=1e-6)


def test_an_activation_that_falls_is_refused() -> None:
    finding = self_energy.E7N.evidence[0].check(
        self_energy.SelfEnergy(("gaussian",), self_energy.decided().cosine), QUICK
    )
    assert finding.outcome is Outcome.FAILS
