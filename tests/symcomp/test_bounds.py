import mpmath
import numpy as np
import pytest
import sympy

from symcomp.bounds import frame_bound, inertia_bound
from symcomp.codegen import generate
from symcomp.descent import descend
from symcomp.frames import real_etf
from symcomp.kernels import dual_kernel
from symcomp.optima import optimum
from tests.comparison import compare

NAMES = ("relu", "abs", "Max(0,x)**2", "leaky_relu:slope=-1/2")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("beta", [0.0, 0.3, 0.8, 1.0])
def test_no_network_is_below(name, beta):
    """Descents from random starts end above it, and some come near; signs are free if β > 0."""
    ker, module = dual_kernel(name), generate(name).load()
    rng, gaps = np.random.default_rng(0), []
    for M, d in ((2, 1), (3, 2), (5, 2), (6, 3), (6, 8)):
        mu = beta * np.eye(d)[0]
        bound = float(inertia_bound(ker, M, d, mpmath.mpf(beta)))
        lower = None
        if beta == 0:  # E3 is about nonnegative weights
            bound = max(bound, float(frame_bound(ker, M, d)))
            lower = np.append(np.full(M * d, -np.inf), np.zeros(M))

        def objective(x, shape=(M, d), mu=mu):
            inner = shape[0] * shape[1]
            value, by_theta, by_b = module.simplified_and_grad(
                1.0, mu, x[:inner].reshape(shape), x[inner:]
            )
            return value, np.append(by_theta, by_b)

        for _ in range(3):
            start = np.append(rng.standard_normal(M * d), np.abs(rng.standard_normal(M)))
            found = descend(objective, start, lower=lower, maxiter=60, polish=0)
            gaps.append(found.value - bound)
    assert min(gaps) >= -1e-14
    assert min(gaps) < 0.02


@pytest.mark.parametrize("beta", ["0.2", "0.7"])
@pytest.mark.parametrize("M", [2, 5])
def test_inertia_bound_from_hermite_coefficients(beta, M):
    """For x², one even order beside the constant: the sum is finite."""
    ker, b = dual_kernel("monomial:n=2"), mpmath.mpf(beta)
    r0, r2, n = 1, 2, min(M, 3)  # μ_0² and μ_2² of x² = 1 + √2 He_2/√2
    sigma = sympy.Symbol("sigma")
    total = r0 * (sigma - 1) ** 2 + sympy.Rational(r2, n) * (sigma - sympy.Rational(beta) ** 2) ** 2
    (best,) = sympy.solve(sympy.diff(total, sigma), sigma)
    wanted = sympy.N(total.subs(sigma, best), 30)
    compare([("bound", inertia_bound(ker, M, 3, b), mpmath.mpf(wanted))], rtol=1e-13)


def test_frames_attain_the_frame_bound():
    module = generate("abs").load()
    for d, M in ((2, 3), (3, 6), (5, 10)):
        best = float(frame_bound(dual_kernel("abs"), M, d))
        radius = float(optimum("abs", M, d=d).radius)
        found = module.simplified(1.0, np.zeros(d), radius * real_etf(d, M))
        compare([((d, M), found, best)], rtol=1e-13)
