import mpmath
import pytest
import sympy

import symcomp
from symcomp.errors import ArgumentError
from symcomp.objectives import (
    BETA,
    MU,
    OUTER,
    OUTER2,
    SCALE,
    SCALE2,
    TAU,
    D,
    M,
    N,
    S,
    cone_stationarity,
    cone_value,
    energy_bound,
    gaussian_scale,
    isotropic_objective,
    isotropic_variance,
    kappa,
    mean_distance,
    mean_field_constant,
    population_loss,
    radial_moment,
    simplex_optimum,
    simplified_objective,
    sphere_mean,
    target_variance,
)
from tests.comparison import compare

RELU = symcomp.dual_kernel("relu")


def test_the_simplex_optimum_is_the_minimum_over_the_radius():
    optimum = simplex_optimum(RELU)
    with mpmath.workdps(40):
        rows = []
        for m in (2, 3, 7, 40):
            at = {M: m, TAU: 1}
            energy = mpmath.mpf(sympy.N(optimum.energy.subs(at), 40))
            h0 = 1 / (2 * mpmath.pi)
            grid = mpmath.findroot(
                lambda r, e=energy, h0=h0: mpmath.diff(lambda s: h0 - 2 * s * h0 + s**2 * e, r), 1
            )
            rows.append((f"radius {m}", sympy.N(optimum.radius.subs(at), 40), grid))
            least = h0 - 2 * grid * h0 + grid**2 * energy
            rows.append((f"value {m}", sympy.N(optimum.value.subs(at), 40), least))
        compare(rows, rtol=1e-12, min_points=8)


def test_known_values_of_the_cone():
    """theory.md E4: M=3, β=0.4: F = 0.0218763540, s = 0.5683; M=2, β=0.2: 0.0458838949, 0.4885."""
    for m, beta, value, s in ((3, "2/5", 0.0218763540, 0.5683), (2, "1/5", 0.0458838949, 0.4885)):
        count, b = sympy.Integer(m), sympy.Rational(beta)
        root = sympy.nsolve(cone_stationarity(RELU, count, b), S, s)
        got = sympy.N(cone_value(RELU, count, b).subs(S, root), 20)
        compare([(m, got, value)], atol=6e-11)
        compare([(m, root, s)], atol=5e-5)


def test_stationarity_is_the_derivative_of_the_value():
    derivative = sympy.diff(cone_value(RELU), S)
    energy = energy_bound(RELU)
    cross = RELU.correlation.subs(RELU.rho, BETA * S)
    gap = derivative + 2 * cross * cone_stationarity(RELU) / energy**2
    for at in ({M: 3, BETA: "2/5", S: "1/3"}, {M: 9, BETA: "4/5", S: "-1/7"}):
        exact = {k: sympy.Rational(v) for k, v in at.items()}
        compare([(at, sympy.N(gap.subs(exact), 30), 0)], atol=1e-25)


def test_the_losses_are_sums_over_nodes():
    assert population_loss(RELU).free_symbols >= {M, N}
    assert TAU in simplified_objective(RELU).free_symbols


def test_a_non_homogeneous_activation_has_no_radial_optimum():
    with pytest.raises(ArgumentError, match="positively homogeneous"):
        simplex_optimum(symcomp.dual_kernel("erf"))


# ---- outer weights -------------------------------------------------------------------------------


def test_independent_outer_weights_scale_by_their_mean():
    """A target whose outer weights all are a is a times one without: F(a, b) = a² F(1, b/a)."""
    at = {M: 1, TAU: 2, MU: 1}
    plain, scaled = (simplified_objective(RELU, outer).subs(at).doit() for outer in (1, OUTER))
    (b,) = (x for x in plain.atoms(sympy.Indexed) if str(x.base.label) == "b")
    assert sympy.expand(scaled - OUTER**2 * plain.subs(b, b / OUTER)) == 0


def test_the_variance_with_outer_weights():
    """E a² = Var a + (E a)²: V_a = Var a · K(τ²,τ²,τ²) + (E a)² V."""
    spread = OUTER2 - OUTER**2
    wanted = spread * TAU**2 / 2 + OUTER**2 * target_variance(RELU)
    assert sympy.simplify(target_variance(RELU, OUTER, OUTER2) - wanted) == 0
    zero_mean = target_variance(RELU).subs(MU, 0)
    assert sympy.simplify(zero_mean - TAU**2 * (sympy.Rational(1, 2) - 1 / (2 * sympy.pi))) == 0


# ---- finite dimension ----------------------------------------------------------------------------

HOMOGENEOUS = (
    "relu",
    "abs",
    "leaky_relu:slope=1/10",
    "step",
    "relu_power",
    "abs_power",
    "monomial",
)


def test_radial_moments():
    for d in (1, 2, 7):
        assert radial_moment(2, d) == d
        assert radial_moment(4, d) == d * (d + 2)
    assert radial_moment(1, 1) == sympy.sqrt(2 / sympy.pi)
    assert sympy.simplify(radial_moment(2) - D) == 0


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_the_sphere_mean_is_the_integral_of_kappa(name):
    ker = symcomp.dual_kernel(name)
    kappa_ = sympy.lambdify(ker.rho, ker.correlation, "mpmath")
    rows = []
    with mpmath.workdps(30):
        for d in (2, 3, 4, 9):
            # the cosine of a uniform direction is cos φ with density sin(φ)^(d-2)
            weight, mean = (
                mpmath.quad(
                    lambda t, f=f, d=d: mpmath.re(f(mpmath.cos(t))) * mpmath.sin(t) ** (d - 2),
                    [0, mpmath.pi / 2, mpmath.pi],
                )
                for f in (lambda _: mpmath.mpf(1), kappa_)
            )
            rows.append((f"d = {d}", sympy.N(sphere_mean(ker, d), 25), mean / weight))
    compare(rows, rtol=1e-15, min_points=4)


def test_the_mean_field_constant_of_relu_is_the_stated_one():
    s = TAU / sympy.sqrt(D)
    stated = s * D * sympy.gamma(D / 2) / (2 * sympy.sqrt(2) * sympy.pi * sympy.gamma((D + 1) / 2))
    assert sympy.gammasimp(mean_field_constant(RELU) / stated) == 1


def test_the_isotropic_objective_of_one_neuron():
    """F_d = A² κ_d - 2 A b |θ| κ_d + b² |θ|²/2 for one neuron, and V from the same two means."""
    objective = isotropic_objective(RELU).subs(M, 1).doit()
    at = {x: {"b": 3}.get(str(x.base.label), 4) for x in objective.atoms(sympy.Indexed)}
    mean = sphere_mean(RELU)
    gap = objective.subs(at) - (SCALE**2 * mean - 2 * SCALE * 3 * 2 * mean + 9 * 2)
    assert sympy.simplify(gap) == 0
    assert isotropic_variance(RELU) == SCALE2 / 2 - SCALE**2 * mean
    gaussian = isotropic_variance(RELU, gaussian_scale(RELU), TAU**2)
    assert sympy.gammasimp(gaussian - target_variance(RELU).subs(MU, 0)) == 0


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_the_distance_of_the_mean_target(name):
    """(E σ(ζ))² E (|x/√d|^k - 1)², the norm's density r^(d-1) exp(-r²/2)."""
    ker = symcomp.dual_kernel(name)
    k, rows = ker.degree, []
    with mpmath.workdps(30):
        for d in (1, 3, 20):
            square, mass = (
                mpmath.quad(
                    lambda r, f=f, d=d: (
                        f(r / mpmath.sqrt(d)) * r ** (d - 1) * mpmath.exp(-r * r / 2)
                    ),
                    [0, mpmath.sqrt(d), 2 * mpmath.sqrt(d) + 20],
                )
                for f in (lambda r: (r**k - 1) ** 2, lambda _: 1)
            )
            level = mpmath.mpf(sympy.N(kappa(ker, sympy.S.Zero), 30))
            got = sympy.N(mean_distance(ker, sympy.Integer(d)).subs(TAU, 1), 25)
            rows.append((f"d = {d}", got, mpmath.sqrt(level * square / mass)))
    compare(rows, rtol=1e-13, atol=1e-15, min_points=3)


def test_only_homogeneous_activations_have_constants_in_d():
    with pytest.raises(ArgumentError, match="positively homogeneous"):
        sphere_mean(symcomp.dual_kernel("erf"))
