"""The ledger: claims with evidence that can fail, each with false variants that it must refute."""

from proofs_checks import (
    catalogue,
    energy,
    frames,
    kernels,
    mutator,
    optimality,
    self_energy,
    simplification,
)
from proofs_checks.ledger import Registry

REGISTRY = Registry(
    (
        *kernels.CLAIMS,
        *catalogue.CLAIMS,
        *simplification.CLAIMS,
        *energy.CLAIMS,
        *optimality.CLAIMS,
        *frames.CLAIMS,
        *self_energy.CLAIMS,
        *mutator.CLAIMS,
    )
)
