"""The oracles against values known in closed form, against each other, and seen failing."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import pytest
from mpmath import mpf

from proofs_checks import oracles
from proofs_checks.panels import QuadratureError
from tests.comparison import compare

RHOS = ["0", "0.3", "-0.7", "0.999", "-0.999", "0.99999999999999999999", "-0.9999999999", "1", "-1"]


def relu_kernel(qu: Any, qv: Any, c: Any) -> mpf:
    """√(qu qv) [sqrt(1-ρ²) + ρ (π - arccos ρ)]/(2π), at far more digits than are compared."""
    with mpmath.workdps(250):
        size = mpmath.sqrt(mpmath.mpmathify(qu) * mpmath.mpmathify(qv))
        if size == 0:
            return size
        rho = mpmath.mpmathify(c) / size
        root = mpmath.sqrt(max(1 - rho**2, mpf(0)))
        return size * (root + rho * (mpmath.pi - mpmath.acos(rho))) / (2 * mpmath.pi)


def at(digits: int, value: Callable[[], Any]) -> mpf:
    with mpmath.workdps(digits + 30):
        return value()


def square(x: mpf) -> mpf:
    return x * x


def step(x: mpf) -> mpf:
    return mpf(x > 0)


def test_relu_kernel_to_fifty_digits_up_to_the_ends() -> None:
    relu = oracles.relu
    rows = []
    for rho in RHOS:
        wanted = relu_kernel(1, 1, rho)
        rows.append((f"homogeneous {rho}", oracles.homogeneous(relu, relu, 2, 1, 1, rho), wanted))
        rows.append((f"expectation {rho}", oracles.expectation(relu, relu, 1, 1, rho), wanted))
    compare(rows, rtol=1e-50, atol=1e-80, min_points=18)


def test_the_conditional_road_agrees_with_the_polar_one() -> None:
    rows = []
    for qu, qv, c in [(2, "0.5", "-0.9"), (1, 1, "0.9999"), ("1e-6", "1e6", 0)]:
        got = oracles.conditional(oracles.relu, step, qu, qv, c, digits=20)
        rows.append((f"{qu} {qv} {c}", got, oracles.polar(oracles.relu, step, qu, qv, c, 20)))
    compare(rows, rtol=1e-20)


def test_twins_are_integrated_over_half_of_the_plane_and_give_the_whole() -> None:
    """A function beside a copy of itself takes all four sectors, beside itself their halves."""

    def elu(x: mpf) -> mpf:
        return x if x > 0 else mpmath.expm1(x)

    rows = []
    for c in ("1", "-3/2", "1.9999"):
        q = Fraction(2), Fraction(2), Fraction(c)
        whole = oracles.homogeneous(oracles.relu, lambda x: oracles.relu(x), 2, *q)
        rows.append((f"relu, {c}", oracles.homogeneous(oracles.relu, oracles.relu, 2, *q), whole))
    whole = oracles.polar(elu, lambda x: elu(x), 2, 2, -1, digits=15)
    rows.append(("elu", oracles.polar(elu, elu, 2, 2, -1, digits=15), whole))
    compare(rows[:3], rtol=mpf(10) ** -50)
    compare(rows[3:], rtol=mpf(10) ** -15)


def test_polynomials_signs_and_exponentials() -> None:
    qu, qv, c = Fraction(3, 2), Fraction(2), Fraction(-1, 3)
    sign = mpmath.sign
    rows = [
        ("X²Y²", oracles.expectation(square, square, qu, qv, c), at(50, lambda: 3 + mpf(2) / 9)),
        ("step step", oracles.homogeneous(step, step, 0, 1, 1, "0.5"), at(50, lambda: mpf(1) / 3)),
        (
            "sign sign",
            oracles.expectation(sign, sign, 1, 1, "0.3"),
            at(50, lambda: 2 * mpmath.asin(mpf("0.3")) / mpmath.pi),
        ),
        (
            "|X| |Y|, ρ = 1/2",
            oracles.expectation(abs, abs, 1, 1, "0.5"),
            at(50, lambda: 2 / mpmath.pi * (mpmath.sqrt(3) / 2 + mpmath.pi / 12)),
        ),
        ("X^8", oracles.expectation1(lambda x: x**8, 2), mpf(105 * 16)),
        ("exp X", oracles.expectation1(mpmath.exp, 3), at(50, lambda: mpmath.exp(mpf("1.5")))),
    ]
    compare(rows, rtol=1e-49)


def test_smooth_functions_that_are_not_homogeneous() -> None:
    got = oracles.expectation(mpmath.exp, mpmath.exp, 1, 1, "0.3", digits=25)
    compare([("exp exp", got, at(25, lambda: mpmath.exp(mpf("1.3"))))], rtol=1e-25)


def test_kinks_off_zero_by_stein() -> None:
    # E |X-1| Y = c E sign(X-1), and E sign(X-1) = -erf(1/√2) at unit variance.
    for rho in ("0.5", "-0.95"):
        got = oracles.expectation(lambda x: abs(x - 1), lambda y: y, 1, 1, rho, (1,), (), 20)
        wanted = at(20, lambda rho=rho: -mpf(rho) * mpmath.erf(1 / mpmath.sqrt(2)))
        compare([(rho, got, wanted)], rtol=1e-20)


def test_degenerate_variables() -> None:
    relu = oracles.relu
    mean = at(50, lambda: mpmath.sqrt(2 / mpmath.pi))  # 2 E relu(Z)
    rows = [
        ("X = 0", oracles.expectation(lambda x: x + 2, relu, 0, 1, 0), mean),
        ("Y = 0", oracles.expectation(relu, lambda x: x + 2, 1, 0, 0), mean),
        ("X = Y = 0", oracles.expectation(lambda x: x + 2, lambda y: y - 1, 0, 0, 0), -2),
        ("Y = -2X", oracles.expectation(relu, lambda y: y, 1, 4, -2), -1),
        (
            "Y = X, a kink at 1: E X (X-1)_+ = P(X > 1) by Stein",
            oracles.expectation(lambda x: x, lambda y: relu(y - 1), 1, 1, 1, (), (1,)),
            at(50, lambda: mpmath.erfc(1 / mpmath.sqrt(2)) / 2),
        ),
    ]
    compare(rows, rtol=1e-49)


def test_a_wrong_value_is_rejected() -> None:
    wrong = relu_kernel(1, 1, "0.3") * (1 + mpf(10) ** -45)
    got = oracles.homogeneous(oracles.relu, oracles.relu, 2, 1, 1, "0.3")
    with pytest.raises(AssertionError, match="1 of 1 points differ"):
        compare([("a little off", got, wrong)], rtol=1e-49)


def test_an_undeclared_kink_is_an_error() -> None:
    with pytest.raises(QuadratureError, match="settle"):
        oracles.expectation1(lambda x: abs(x - mpf("0.37")), 1, digits=40)


@pytest.mark.parametrize("arguments", [(1, 1, "1.0001"), (-1, 1, 0), (1, 0, "0.1")])
def test_an_impossible_covariance_is_an_error(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="covariance"):
        oracles.expectation(oracles.relu, oracles.relu, *arguments)


def test_the_global_precision_is_left_alone() -> None:
    before = mpmath.mp.dps
    oracles.expectation(oracles.relu, oracles.relu, 1, 1, "0.3")
    oracles.loss_by_quadrature([[1, 2]], [[2, 1]])
    assert mpmath.mp.dps == before


# ---- losses --------------------------------------------------------------------------------------


def bilinear(rows: list[list[int]], weights: list[Any]) -> mpf:
    """Σ c_i c_j K(u_i, u_j) for ReLU."""

    def dot(u: list[int], v: list[int]) -> int:
        return sum(x * y for x, y in zip(u, v, strict=True))

    with mpmath.workdps(100):
        return mpmath.fsum(
            mpmath.mpmathify(p * q) * relu_kernel(dot(u, u), dot(v, v), dot(u, v))
            for p, u in zip(weights, rows, strict=True)
            for q, v in zip(weights, rows, strict=True)
        )


W2, T2 = [[1, 2], [-3, 1], [-1, -2]], [[2, -1], [4, -2]]
OUTER = [Fraction(1, 3), Fraction(-2, 3), Fraction(1)]
INNER = [Fraction(1, 2), Fraction(3, 2)]


def test_loss_in_the_plane() -> None:
    got = oracles.loss_by_quadrature(W2, T2, [1, -2, 3], [-1, -3])
    compare([("d = 2", got, bilinear(W2 + T2, OUTER + INNER))], rtol=1e-49)


def test_loss_in_space() -> None:
    W, T = [[1, 2, 1], [0, -1, 1]], [[-1, 1, 2], [0, 0, 0]]
    got = oracles.loss_by_quadrature(W, T, digits=25)
    half = Fraction(1, 2)
    compare([("d = 3", got, bilinear(W + T, [half, half, -half, 0]))], rtol=1e-25)


def test_the_plane_lies_in_space() -> None:
    flat = oracles.loss_by_quadrature(W2, T2, digits=20)
    lifted = oracles.loss_by_quadrature(
        [[0, x, y] for x, y in W2], [[0, x, y] for x, y in T2], digits=20
    )
    compare([("embedded", lifted, flat)], rtol=1e-20)


def test_collinear_neurons_in_space() -> None:
    got = oracles.loss_by_quadrature([[1, 2, 2]], [[-2, -4, -4]], digits=20)
    compare([("opposite", got, mpf(9 + 36) / 2)], rtol=1e-20)


def test_equal_networks_have_no_loss() -> None:
    got = oracles.loss_by_quadrature([[1, 2]] * 3, [[1, 2]] * 7)
    compare([("copies", got, 0)], atol=1e-90)


def test_another_homogeneous_activation() -> None:
    got = oracles.loss_by_quadrature([[1, 0]], [[0, 1]], sigma=square, degree=2)
    compare([("E (X² - Y²)²", got, 4)], rtol=1e-49)


def test_simplified_objective_at_both_ends_of_beta() -> None:
    T, b = [[1, 2], [-3, 1]], [1, -2]
    full = oracles.simplified_by_quadrature(5, [3, 4], T, b)
    none = oracles.simplified_by_quadrature(2, [0, 0], T, b)

    def constant_target() -> mpf:
        """g = 2/√(2π): its square, its product with the mean of f̂, and f̂'s own square."""
        mean = (mpmath.sqrt(5) - 2 * mpmath.sqrt(10)) / 2 / mpmath.sqrt(2 * mpmath.pi)
        g = 2 / mpmath.sqrt(2 * mpmath.pi)
        return g**2 - 2 * g * mean + bilinear(T, [Fraction(1, 2), Fraction(-1)])

    rows = [
        ("β = 1", full, oracles.loss_by_quadrature([[3, 4]], T, None, b)),
        ("β = 0", none, at(50, constant_target)),
    ]
    compare(rows, rtol=1e-49)
