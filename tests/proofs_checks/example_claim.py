"""A claim of one's own, as the README shows it: `symcomp verify example_claim.py`."""

import sympy

import symcomp
from proofs_checks.checks import identities
from proofs_checks.ledger import Claim, Evidence, Kind, Mutant

ker = symcomp.dual_kernel("relu")


def slope_at_one(claimed, _):  # a check takes what is claimed, and the settings
    return identities([("κ'(1)", sympy.diff(ker.correlation, ker.rho).subs(ker.rho, 1), claimed)])


CLAIMS = (
    Claim(
        id="MINE1",
        title="The slope of the ReLU kernel at 1",
        statement=r"\kappa'(1) = \tfrac12",
        source="my notes",
        subject=lambda: sympy.Rational(1, 2),
        evidence=(Evidence(Kind.PROOF, "SymPy differentiates κ", slope_at_one),),
        mutants=(Mutant("1/3", lambda half: half - sympy.Rational(1, 6)),),
        depends_on=("K6",),
    ),
)
