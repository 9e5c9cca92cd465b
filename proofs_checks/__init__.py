"""The ledger: claims with evidence that can fail, each with false variants that it must refute."""

from proofs_checks import (
    catalogue,
    deviations,
    dimension,
    energy,
    exact_loss,
    frames,
    kernels,
    mutator,
    optimality,
    outer_weights,
    rates,
    simplification,
)
from proofs_checks.ledger import Registry

REGISTRY = Registry(
    (
        *kernels.CLAIMS,
        *catalogue.CLAIMS,
        *exact_loss.CLAIMS,
        *simplification.CLAIMS,
        *outer_weights.CLAIMS,
        *deviations.CLAIMS,
        *dimension.CLAIMS,
        *rates.CLAIMS,
        *energy.CLAIMS,
        *optimality.CLAIMS,
        *frames.CLAIMS,
        *mutator.CLAIMS,
    )
)
