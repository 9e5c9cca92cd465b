"""S2a and S2i: combinations of values of K by hand, and simulated targets."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy

import symcomp
from proofs_checks import outer_weights
from proofs_checks.ledger import Outcome, Settings
from proofs_checks.outer_weights import CLAIMS, JOINT, S2A
from tests.comparison import compare

QUICK = Settings(digits=20)
MUTANTS = [(claim, mutant) for claim in CLAIMS for mutant in claim.mutants]


@pytest.mark.parametrize(("claim", "mutant"), MUTANTS, ids=[m.name for _, m in MUTANTS])
def test_the_last_evidence_refutes_every_mutant(claim, mutant):
    assert claim.evidence[-1].check(claim.subject(), QUICK).outcome is Outcome.HOLDS
    finding = claim.evidence[-1].check(mutant.change(claim.subject()), QUICK)
    assert finding.outcome is Outcome.FAILS
    assert finding.counterexample


def test_one_neuron_by_hand():
    """w = ±2 on the line with a = 1, 3: E a² K(w,w) = (1 + 9)/2 K°(4, 4, 4), and so on."""
    law = [(Fraction(1, 2), Fraction(a), (Fraction(w),)) for a, w in ((1, 2), (3, -2))]
    means, four = S2A.subject(), Fraction(4)
    assert means.own(law) == {(four, four, four): 5}
    assert means.pair(law) == {
        (four, four, four): Fraction(10, 4),
        (four, four, -four): Fraction(6, 4),
    }
    assert means.cross(law, (Fraction(1),)) == {
        (Fraction(1), four, Fraction(2)): Fraction(1, 2),
        (Fraction(1), four, Fraction(-2)): Fraction(3, 2),
    }


def test_the_laws_are_probabilities_and_some_depend():
    dependent = 0
    for law, _ in JOINT.values():
        assert sum(p for p, _, _ in law) == 1
        mean = sum(p * a for p, a, _ in law)
        joint = [sum(p * a * w[i] for p, a, w in law) for i in range(len(law[0][2]))]
        apart = [mean * sum(p * w[i] for p, _, w in law) for i in range(len(joint))]
        dependent += joint != apart
    assert dependent >= 2


def test_the_joint_formula_against_every_target():
    """Rademacher, a = 2 + w_1: the mean of the generated loss over all 64 targets."""
    law, n = JOINT["Rademacher, a = 2 + w_1, d = 2, N = 3"]
    module = symcomp.generate("relu").load()
    rows = np.array([[float(x) for x in w] for _, _, w in law])
    outer = np.array([float(a) for _, a, _ in law])
    theta = np.array([[1.0, -2.0]])
    draws = [list(k) for k in product(range(len(law)), repeat=n)]
    mean = np.mean([module.loss(rows[k], theta, outer[k]) for k in draws])
    K, limit = module.kernel(rows, rows), module.loss(rows, theta, outer)
    excess = (outer**2 * np.diag(K)).mean() - np.mean(np.outer(outer, outer) * K)
    independent = (outer**2).mean() * np.diag(K).mean() - outer.mean() ** 2 * K.mean()
    compare([("E L_N", mean, limit + excess / n)], rtol=1e-12)
    assert abs(mean - limit - independent / n) > 0.05


def test_the_plane_is_spelled_out():
    """Σ b_j |θ_j| / 2 = (3/2 - 2/2)/2."""
    ker = symcomp.dual_kernel("relu")
    scale = symcomp.objectives.SCALE
    expr = symcomp.objectives.isotropic_objective(ker).subs(symcomp.objectives.M, 2)
    written = outer_weights._spelled(expr)
    assert not written.atoms(sympy.Indexed)
    slope = sympy.diff(written, scale).subs(scale, 0) / symcomp.objectives.sphere_mean(ker)
    assert sympy.simplify(slope + 2 * sympy.Rational(1, 4)) == 0
