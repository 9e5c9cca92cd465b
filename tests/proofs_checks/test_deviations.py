"""S3-S5: bounds that are reached, quadratures and simulations against what is known exactly."""

import numpy as np
import pytest
import sympy
from scipy.stats import binomtest

import symcomp
from proofs_checks import deviations, directions, laws, tails
from proofs_checks.deviations import S3, S4
from proofs_checks.directions import S5, S5B, Proxies
from proofs_checks.ledger import Kind, Outcome, Settings
from proofs_checks.tails import S4T, Setup, Tails
from symcomp.objectives import N
from tests.comparison import compare

CLAIMS = (*deviations.CLAIMS, *tails.CLAIMS, *directions.CLAIMS)

QUICK = Settings(digits=20, examples=60, seed=3)
RELU = symcomp.generate("relu").load()

# (claim, mutant, evidence) that cannot see each other, with the reason; all other pairs must clash
BLIND = {
    ("S3", "E ξ² = V/(N-1)", Kind.PROPERTY),  # the search covers the bound alone
    # at N = 1, d = 1 Rademacher entries make |f_N| two-valued: s² there is σ²
    ("S4t", "s² in place of σ² for bounded entries, half of it", Kind.STATISTICS),
    ("S5", "λ² s²/9", Kind.STATISTICS),  # a ninth part of an exponent takes millions of targets
    ("S5b", "the Gaussian constant for every law", Kind.STATISTICS),  # no skewed law is drawn
}
PAIRS = [(c, m, e) for c in CLAIMS for m in c.mutants for e in c.evidence]


@pytest.mark.parametrize(
    ("claim", "mutant", "evidence"), PAIRS, ids=[f"{c.id}-{m.name}-{e.kind}" for c, m, e in PAIRS]
)
def test_which_evidence_refutes_which_mutant(claim, mutant, evidence):
    finding = evidence.check(mutant.change(claim.subject()), QUICK)
    blind = (claim.id, mutant.name, evidence.kind) in BLIND
    assert finding.outcome is (Outcome.HOLDS if blind else Outcome.FAILS), finding.figure
    assert blind or finding.counterexample


@pytest.mark.parametrize("seed", [1, 2])
def test_other_seeds_find_the_same(seed):
    for claim in (S4T, S5, S5B):
        for evidence in claim.evidence:
            finding = evidence.check(claim.subject(), Settings(examples=40, seed=seed))
            assert finding.outcome is Outcome.HOLDS, finding


# ---- constants that are reached ------------------------------------------------------------------


def test_the_triangle_of_s3_is_reached():
    """f̂ = ḡ: F_d = 0 and √L_N = ξ."""
    support = np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, -1.0]])
    drawn = support[[0, 0, 2]]
    left = RELU.loss(drawn, support) ** 0.5 - RELU.loss(support, support) ** 0.5
    rows = np.concatenate([drawn, support])
    weights = np.repeat([1 / 3, -1 / 3], 3)
    xi = float(weights @ RELU.kernel(rows, rows) @ weights) ** 0.5
    compare([("√L - √F = ξ", left, float(S3.subject().factor) * xi)], rtol=1e-7)


def test_the_lipschitz_constant_of_s4_is_reached():
    """f̂ = 0 and all rows one vector, made longer: |√L' - √L| = |W' - W|/√(2N)."""
    W = np.tile([[0.6, -0.8, 0.0]], (5, 1))
    nothing = np.zeros((1, 3))
    moved = RELU.loss(1.5 * W, nothing) ** 0.5 - RELU.loss(W, nothing) ** 0.5
    constant = float(sympy.sqrt(S4.subject().square.subs({N: 5, deviations.SPREAD: 1})))
    compare([("√L", moved, constant * np.linalg.norm(0.5 * W))], rtol=1e-12)


def test_both_constants_of_k5_are_reached():
    u = np.array([[0.6, 0.8]])
    slope = (RELU.kernel(2 * u, u) - RELU.kernel(u, u)).item()  # |2u - u| = 1
    square = RELU.loss(2 * u, u)
    compare([("Lipschitz", slope, 0.5), ("mean square", square, 0.5)], rtol=1e-14)


# ---- quadratures and tails -----------------------------------------------------------------------


def test_the_log_mean_of_a_gaussian_is_a_parabola():
    x, p = directions._normal_rule()
    rows = [(lam, directions._log_mean(x, p, lam), lam**2 / 2) for lam in (-2, 1e-3, 0.5, 3)]
    compare(rows, rtol=1e-9, min_points=4)


def test_the_norm_rule_has_the_moments_of_chi():
    for freedom in (1, 2, 9, 99):
        r, p = directions._chi_rule(freedom)
        wanted = freedom * (freedom + 2)
        compare([(2, p @ r**2, freedom), (4, p @ r**4, wanted)], rtol=1e-9, min_points=2)


def test_the_gaussian_proxy_is_nearly_reached():
    """Far from 0 the kernel is linear in w: within 1% of λ² s²/8 at |μ| = 30 s."""
    (search,) = (e for e in S5.evidence if e.kind is Kind.PROPERTY)
    tight = Proxies({"gaussian": sympy.Rational(99, 800)})
    assert search.check(tight, Settings(examples=100)).outcome is Outcome.FAILS


def test_skewed_entries_need_another_constant():
    """Values 3 and -1/3: more than λ² s²/8 at λs = 1/2, far from 0 and along the mean."""
    rule = laws.two_valued_rule(tails.SKEWED, 2, 0.999, 1.0)
    s = ((1 - 0.999**2) / 2) ** 0.5
    values = directions._relu_kernel()(rule.square, rule.along)
    found = directions._log_mean(values, rule.weights, 2 / s) / 4
    assert found > 1 / 8
    assert found < float(S5B.subject().values["skewed"])


def test_clopper_pearson_is_that_of_scipy():
    tail = tails.Tail("", 7, 9, 200, 0.1)
    for side, count in (("low", 7), ("high", 9)):
        interval = binomtest(count, 200).proportion_ci(0.99, method="exact")
        got = tails._lower(tail, 0.01) if side == "low" else tails._upper(tail, 0.01)
        compare([(side, got, interval[side == "high"])], rtol=1e-10)
    assert tails._lower(tails.Tail("", 0, 0, 9, 1), 0.1) == 0
    assert tails._upper(tails.Tail("", 9, 9, 9, 1), 0.1) == 1


def test_losses_are_those_of_the_generated_module():
    setup = Setup("gaussian", 6, 3, 0.0, 4)
    found = tails._losses.__wrapped__(setup, 5)
    rows = symcomp.networks.draw_weights(24, 3, seed=5).reshape(4, 6, 3)
    Theta = symcomp.networks.draw_weights(20, 3, seed=6)
    compare(
        [
            *(
                (f"three {k}", found["three neurons"][k] ** 2, RELU.loss(rows[k], Theta[:3]))
                for k in range(4)
            ),
            *(
                (
                    f"least {k}",
                    found["least of 20"][k] ** 2,
                    min(RELU.loss(rows[k], theta[None]) for theta in Theta),
                )
                for k in range(4)
            ),
        ],
        rtol=1e-9,
        min_points=8,
    )
    # E ξ² = V/N with V = 1/2 - 1/(2π) at every d
    many = tails._losses.__wrapped__(Setup("gaussian", 6, 3, 0.0, 4000), 5)["ξ"] ** 2
    error = many.std() / len(many) ** 0.5
    assert abs(many.mean() - (0.5 - 1 / (2 * np.pi)) / 6) < 4 * error


def test_nothing_below_a_bound_is_undecided():
    bounds = S4T.subject()
    slow = Tails({name: rate / 10**6 for name, rate in bounds.rates.items()})
    (simulated,) = (e for e in S4T.evidence if e.kind is Kind.STATISTICS)
    assert simulated.check(slow, QUICK).outcome is Outcome.HOLDS  # bounds near 1: all below
    rows = [tails.Tail("", 0, 5, 10, 0.2)]
    assert tails.clopper_pearson(rows).outcome is Outcome.UNDECIDED
