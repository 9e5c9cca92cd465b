"""The ledger: claims with evidence that can fail, each with false variants that it must refute."""

from proofs_checks import (
    catalogue,
    cone,
    energy,
    etf_inequalities,
    etf_jensen,
    etf_regions,
    etf_tangents,
    etf_theorem,
    etf_values,
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
        *cone.CLAIMS,
        *etf_tangents.CLAIMS,
        *etf_jensen.CLAIMS,
        *etf_inequalities.CLAIMS,
        *etf_regions.CLAIMS,
        *etf_theorem.CLAIMS,
        *etf_values.CLAIMS,
        *mutator.CLAIMS,
    )
)
