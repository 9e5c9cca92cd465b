"""E1 by mergings: the identities read in order, and the balls refuse what does not bend."""

import flint
import sympy

from proofs_checks import mergings
from proofs_checks.checks import certify
from proofs_checks.ledger import Outcome
from symcomp import objectives
from symcomp.kernels import dual_kernel

X, Y = sympy.symbols("x y", real=True)


def test_the_chain_has_three_identities_a_size_and_balls_for_every_kernel() -> None:
    kernels = (dual_kernel("relu"), dual_kernel("abs"))
    found = mergings.chain(kernels, objectives.energy_bound)
    assert found.outcome is Outcome.HOLDS, found
    assert len([step for step in found.steps if step.startswith("M = ")]) == 4 * 3
    assert found.figure.count("box") == 2


def test_a_kernel_with_an_inflection_is_refused() -> None:
    for name in ("step", "sign"):
        found = mergings.chain((dual_kernel(name),), objectives.energy_bound)
        assert found.outcome is Outcome.FAILS


def test_kappa_elsewhere_than_at_1_and_t_is_no_part_of_the_chain() -> None:
    def bound(ker, m, square):
        return objectives.energy_bound(ker, m, square) + 0 * m + objectives.kappa(ker, square)

    assert mergings.chain((dual_kernel("relu"),), bound).outcome is Outcome.FAILS


def test_mean_value_forms_decide_what_ranges_do_not() -> None:
    """On [0, 1]² the range of x - xy + 1/10 is [-9/10, 11/10]; its least value is 1/10."""
    shown = mergings.positive(X - X * Y + sympy.Rational(1, 10), (X, Y))
    found = certify(shown, mergings.box("0 1", "0 1"))
    assert found.outcome is Outcome.HOLDS
    assert found.decided < 40
    touching = mergings.positive(X - X * Y, (X, Y))
    assert certify(touching, mergings.box("0 1", "0 1"), depth=6).outcome is Outcome.UNDECIDED
    below = mergings.positive(X - X * Y - sympy.Rational(1, 10), (X, Y))
    assert certify(below, mergings.box("0 1", "0 1")).outcome is Outcome.FAILS


def test_the_gap_is_the_energy_less_the_bound() -> None:
    ker = dual_kernel("relu")
    half = sympy.Rational(1, 2)
    expr = mergings.gap(ker, objectives.energy_bound, [half, half], [[1, X], [X, 1]])
    assert sympy.simplify(expr.subs(X, half)) == 0  # M = 2, equal weights: equality
    apart = mergings.gap(ker, objectives.energy_bound, [1 - Y, Y], [[1, X], [X, 1]])
    at = sympy.N(apart.subs({X: 0, Y: sympy.Rational(1, 4)}), 30)
    h = ker.correlation.subs(ker.rho, half / 2)
    energy = sympy.Rational(10, 16) * half + sympy.Rational(6, 16) / (2 * sympy.pi)
    wanted = energy - half / 2 - h / 2
    assert abs(at - sympy.N(wanted, 30)) < 1e-25


def test_boxes_have_exact_ends() -> None:
    assert mergings.box("-1 1/3") == [(flint.fmpq(-1), flint.fmpq(1, 3))]
