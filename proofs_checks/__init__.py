"""The ledger: claims with evidence that can fail, each with false variants that it must refute."""

from proofs_checks import (
    catalogue,
    energy,
    etf_beyond,
    etf_inequalities,
    etf_jensen,
    etf_regions,
    etf_signs,
    etf_signs_small,
    etf_tangents,
    etf_theorem,
    frames,
    kernels,
    mutator,
    optimality,
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
        *etf_tangents.CLAIMS,
        *etf_jensen.CLAIMS,
        *etf_inequalities.CLAIMS,
        *etf_regions.CLAIMS,
        *etf_theorem.CLAIMS,
        *etf_signs.CLAIMS,
        *etf_signs_small.CLAIMS,
        *etf_beyond.CLAIMS,
        *mutator.CLAIMS,
    )
)
