"""The ledger: claims with evidence that can fail, each with false variants that it must refute."""

from proofs_checks import (
    catalogue,
    energy,
    frames,
    hermite_series,
    kernel_shapes,
    kernels,
    mutator,
    optimality,
    relu_kernel,
    self_energy,
    simplification,
)
from proofs_checks.ledger import Registry

REGISTRY = Registry(
    (
        *kernels.CLAIMS,
        *hermite_series.CLAIMS,
        *kernel_shapes.CLAIMS,
        *relu_kernel.CLAIMS,
        *catalogue.CLAIMS,
        *simplification.CLAIMS,
        *energy.CLAIMS,
        *optimality.CLAIMS,
        *frames.CLAIMS,
        *self_energy.CLAIMS,
        *mutator.CLAIMS,
    )
)
