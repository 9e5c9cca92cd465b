"""The ledger: claims with evidence that can fail, each with false variants that it must refute."""

from proofs_checks import (
    catalogue,
    cones,
    energy,
    frames,
    kernels,
    landscape,
    mutator,
    optimality,
    rates,
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
        *landscape.CLAIMS,
        *cones.CLAIMS,
        *rates.CLAIMS,
        *mutator.CLAIMS,
    )
)
