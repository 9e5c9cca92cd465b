"""Energies by moments for activations that are not homogeneous: definitions, pairs and balls."""

import tracemalloc
from collections.abc import Callable
from functools import cache
from types import ModuleType

import flint
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.special import erf, ndtr

import symcomp
from symcomp import problems
from symcomp.balls import exact
from symcomp.networks import TwoLayerNetwork
from symcomp.problems import Inputs, Problem
from tests.comparison import TALLY, compare
from tests.generated import generated, module

FORMULAS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "erf": erf,
    "gelu": lambda x: x * ndtr(x),
    "cos(x+1)": lambda x: np.cos(x + 1),
    "exp(x)*x": lambda x: x * np.exp(x),
    "x**3-2*x": lambda x: x**3 - 2 * x,
    "sign(x)+x-1": lambda x: np.sign(x) + x - 1,
    "Max(0,x)**2+Max(0,x)": lambda x: np.where(x > 0, x * x + x, 0),
    "Max(0,x-1)": lambda x: np.maximum(x - 1, 0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}
NAMES = [name for name in FORMULAS if name != "elu"]


@cache
def mutant(name: str, old: str, new: str) -> ModuleType:
    made = generated(name)
    assert made.source.count(old) == 1
    return symcomp.codegen.Generated(made.activation, made.source.replace(old, new)).load()


def targets() -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Networks that look different to the moments."""
    rng = np.random.default_rng(5)
    random = rng.standard_normal((200, 12)) / 3
    centres = np.repeat(rng.standard_normal((5, 12)) / 3, 40, axis=0)
    signed = rng.standard_normal(200)
    return {
        "random": (random, None),
        "random lengths": (random * np.exp(0.5 * rng.standard_normal((200, 1))), None),
        "with a mean": (random + 0.2, None),
        "clustered": (centres + 0.02 * random, None),
        "signed and clustered": (centres + 0.02 * random, signed),
        "all negative": (random + 0.1, -np.abs(signed)),
        "three outputs": (random, rng.standard_normal((200, 3))),
        "duplicates": (np.repeat(random[:1], 40, axis=0), None),
        "copies of a basis": (np.tile(np.eye(12), (20, 1)), None),
        "antipodal and signed": (np.vstack([random, -random]), np.repeat([1.0, -1.0], 200)),
        "one node": (random[:1], np.array([1.5])),
        "two nodes": (random[:2], None),
        "zero rows among others": (np.vstack([np.zeros((30, 12)), random[:30]]), None),
        "zero rows alone": (np.zeros((4, 2)), np.array([1.0, -2.0, 3.0, 0.5])),
        "zero weights": (random[:9], np.zeros(9)),
        "one dimension": (random[:, :1], signed),
        "short rows": (1e-6 * random, signed),
        "short and long rows": (random * np.geomspace(1e-9, 2, 200)[:, None], signed),
    }


def excess(mod: ModuleType, W: np.ndarray, a: np.ndarray | None) -> float:
    """How far the sum over all pairs lies outside the enclosure, over the sum of moduli."""
    target = mod.Target(W, a, expand=True)
    weights = np.ones((len(W), 1)) if a is None else np.reshape(a, (len(W), -1))
    lengths = np.maximum(np.linalg.norm(W, axis=1), 1e-60)
    size = np.linalg.norm(weights, axis=1)
    scale = np.mean(size * np.sqrt(mod._of_lengths(lengths)[3] + 1.0)) ** 2
    if not target.energy_error >= 0.0:
        return np.inf
    outside = abs(target.energy - mod.Target(W, a).energy) - target.energy_error
    return float(max(outside, 0.0) / scale) if scale else max(outside, 0.0)


# ---- the functions of one length -----------------------------------------------------------------


def integral(f: Callable[[np.ndarray], np.ndarray], r: float) -> float:
    """E f(Z) over panels that end at the kinks."""
    x, w = np.polynomial.legendre.leggauss(24)
    ends = np.sort([*np.linspace(-14, 14, 57), 1 / r])
    middle, half = 0.5 * (ends[1:] + ends[:-1]), 0.5 * np.diff(ends)
    z = middle[:, None] + half[:, None] * x
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return float(np.sum(half[:, None] * w * f(z) * density))


def coefficients(name: str, mod: ModuleType) -> list[tuple[str, float, float]]:
    """h_0, h_1, h_2 and S at a few lengths beside their definitions, over 1 + S or its root."""
    f, rows = FORMULAS[name], []
    for r in (0.01, 0.25, 1.0, 2.5):
        S = integral(lambda z, r=r: f(r * z) ** 2, r)
        wanted = [
            integral(lambda z, r=r: f(r * z), r),
            integral(lambda z, r=r: f(r * z) * z, r),
            integral(lambda z, r=r: f(r * z) * (z * z - 1), r) / 2**0.5,
            S / np.sqrt(1 + S),
        ]
        got = [float(h[0]) for h in mod._of_lengths(np.array([r]))]
        got[3] /= np.sqrt(1 + S)
        unit = np.sqrt(1 + S)
        rows += [
            (f"{name}: {m} at {r}", g / unit, w / unit)
            for m, (g, w) in enumerate(zip(got, wanted, strict=True))
        ]
    return rows


@pytest.mark.parametrize("name", FORMULAS)
def test_coefficients_are_the_integrals_that_define_them(name):
    compare(coefficients(name, module(name)), atol=2e-13, min_points=16)


def test_a_wrong_coefficient_is_noticed():
    faulty = mutant("erf", "first: Array = ", "first: Array = 1.0001*")
    with pytest.raises(AssertionError):
        compare(coefficients("erf", faulty), atol=2e-13)


@pytest.mark.parametrize("name", ["erf", "gelu", "exp(x)*x", "x**3-2*x"])
def test_long_and_short_rows_keep_the_digits_that_are_stated(name):
    """S against its enclosure at lengths that were not measured."""
    mod, ker = module(name), symcomp.dual_kernel(name)
    for r in (3e-50, 7e-8, 0.003, 0.7, 11.0, *((300.0, 2e6) if name != "exp(x)*x" else ())):
        q = exact(r) ** 2
        wanted = ker.enclosure(q, q, q, 20)
        unsure = mod.UNSURE * max(r / mod.MIDDLE, 1.0) ** mod.GROWTH
        error = abs(float(wanted - exact(float(mod._of_lengths(np.array([r]))[3][0]))))
        assert error <= unsure * (float(wanted) + mod.FLOOR)
        TALLY.points += 1


# ---- the enclosure holds -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_sum_over_all_pairs_is_enclosed(name):
    """Where σ jumps, rows that the sum does not see as parallel cost it half of its digits."""
    rows = [(label, excess(module(name), *target), 0) for label, target in targets().items()]
    compare(rows, atol=1e-7 if "sign" in name else 1e-14, min_points=18)


DIAGONAL = "return kept + 0.5 * (low + high)"
MUTANTS = {
    "wrong h_2": ("gelu", "second: Array = ", "second: Array = 1.1*"),
    "h_2 without its root of 2": ("x**2+x+1", "second: Array = ", "second: Array = 2.0**0.5*"),
    "T without its root": ("erf", "rest = np.sqrt(orders.most)", "rest = orders.most"),
    "no diagonal": ("erf", "low, high = max(least - pairs, 0.0), most + pairs", "low = high = 0.0"),
    "diagonal not taken away": ("x**3-2*x", "max(outer - apart, 0.0)", "outer - 2.0 * apart"),
    "no pairs": ("erf", "low, high = max(least - pairs, 0.0), most + pairs", "low = high = most"),
    "weights without signs": ("gelu", "nodes.weights[some].T", "abs(nodes.weights[some].T)"),
    "σ(0) left out": ("cos(x+1)", "exact[:, zero] = [[", "exact[:, zero] = [[0.0 * "),
}  # fmt: skip


@pytest.mark.parametrize("label", MUTANTS)
def test_a_faulty_expansion_is_noticed(label):
    name, old, new = MUTANTS[label]
    mod = mutant(name, old, new)
    assert max(excess(mod, *target) for target in targets().values()) > 1e-6


# ---- balls ---------------------------------------------------------------------------------------


def ball_excess(mod: ModuleType, name: str, W: np.ndarray, a: np.ndarray) -> flint.arb:
    """|energy - enclosed energy| - energy_error, a ball."""
    zero = TwoLayerNetwork(np.zeros((1, W.shape[1])), np.zeros(1), activation=name)
    wanted = symcomp.loss_enclosure(TwoLayerNetwork(W, a, activation=name), zero)
    target = mod.Target(W, a, expand=True)
    with flint.ctx.workprec(200):
        return abs(wanted - exact(target.energy)) - exact(target.energy_error)


@st.composite
def few_nodes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Up to five rows, many of them parallel, opposite, equal or zero; weights of both signs."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 3)))
    entries = st.one_of(st.integers(-2, 2).map(float), st.floats(-3, 3, width=16))
    return (
        draw(npst.arrays(np.float64, shape, elements=entries)),
        draw(npst.arrays(np.float64, shape[:1], elements=entries)),
    )


def search(mod: ModuleType, name: str, examples: int) -> None:
    """Hypothesis looks for an energy outside."""

    @settings(max_examples=examples, phases=[Phase.explicit, Phase.generate], deadline=None)
    @given(few_nodes())
    def look(network: tuple[np.ndarray, np.ndarray]) -> None:
        assert not ball_excess(mod, name, *network) > 0
        TALLY.points += 1

    look()


@pytest.mark.parametrize("name", ["erf", "gelu", "cos(x+1)", "exp(x)*x", "sign(x)+x-1"])
def test_no_search_finds_an_energy_outside(name):
    search(module(name), name, 12 if name == "cos(x+1)" else 40)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("x**2+x+1", {"rounding + 1e-300": "0.0", "slack = unsure": "slack = 0.0 * unsure"}),
        ("x**2+x+1", {"first: Array = ": "first: Array = 0.999*"}),
        ("erf", {"max(least - pairs, 0.0), most + pairs": "least, most"}),
    ],
)
def test_the_search_finds_a_fault(name, changes):
    text = generated(name).source
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    faulty = symcomp.codegen.Generated(generated(name).activation, text).load()
    with pytest.raises(AssertionError):
        search(faulty, name, 60)


def test_tiny_rows_against_balls():
    W = np.array([[3e-9, 4e-9], [1e-30, 0.0], [0.0, 0.0], [-1e-5, 2e-5], [1.0, 2.0]])
    a = np.array([1e3, -2e3, 3.0, 1.0, -1e-6])
    for name in ("erf", "gelu", "cos(x+1)"):
        assert not ball_excess(module(name), name, W, a) > 0


# ---- the enclosure is narrow ---------------------------------------------------------------------


@pytest.mark.parametrize("label", targets())
def test_polynomials_of_order_two_are_exact(label):
    W, a = targets()[label]
    mod = module("x**2+x+1")
    target = mod.Target(W, a, expand=True)
    scale = mod.Target(W, None if a is None else np.linalg.norm(a.reshape(len(W), -1), axis=1))
    compare([(label, target.energy, mod.Target(W, a).energy)], atol=1e-11 * (1 + scale.energy))
    assert target.energy_error < 1e-10 * (1 + scale.energy)


@pytest.mark.parametrize("name", FORMULAS)
def test_one_node_is_exact(name):
    target = module(name).Target([[0.75, 1.0]], [2.0], expand=True)
    wanted = 4 * integral(lambda z: FORMULAS[name](1.25 * z) ** 2, 1.25)
    compare([(name, target.energy, wanted)], rtol=1e-12)
    assert target.energy_error < 1e-10 * target.energy


@pytest.mark.parametrize("name", ["erf", "x**3-2*x"])
def test_copies_of_a_basis_attain_the_upper_end(name):
    """No bound from moments of order 2 can be lower: Σ ρ² = N²/d, all of it at ρ = 1."""
    W = np.tile(np.eye(12), (20, 1))
    target = module(name).Target(W, expand=True)
    compare([(name, target.energy + target.energy_error, module(name).Target(W).energy)], rtol=1e-9)


def test_the_error_is_the_rest_over_d():
    S, h = 2 / np.pi * np.arcsin(2 / 3), 2 / np.sqrt(3 * np.pi)
    for d in (8, 32, 128):
        W = np.random.default_rng(d).standard_normal((4000, d))
        W /= np.linalg.norm(W, axis=1)[:, None]
        error = module("erf").Target(W, expand=True).energy_error
        assert 0.45 * (S - h * h) / d < error < 0.52 * (S - h * h) / d


# ---- use -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_memory_map_is_not_copied(tmp_path, dtype):
    mod, rows = module("erf"), targets()["random"][0].astype(dtype)
    np.save(tmp_path / "W.npy", rows)
    W = np.load(tmp_path / "W.npy", mmap_mode="r")
    target, copied = mod.Target(W, expand=True), mod.Target(rows.astype(float), expand=True)
    assert np.shares_memory(target.nodes.rows, W)
    assert target.energy == copied.energy
    Theta = np.eye(3, 12)
    for got, wanted in zip(
        mod.loss_and_grad(target, Theta), mod.loss_and_grad(copied, Theta), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)


def test_the_loss_is_known_up_to_the_error_and_the_gradients_are_the_same():
    mod, (W, a) = module("gelu"), targets()["signed and clustered"]
    Theta = np.random.default_rng(1).standard_normal((4, 12))
    pairs, moments = mod.Target(W, a), mod.Target(W, a, expand=True)
    value, by_theta, by_b = mod.loss_and_grad(pairs, Theta)
    near, near_theta, near_b = mod.loss_and_grad(moments, Theta)
    assert abs(value - near) <= moments.energy_error * (1 + 1e-9)
    np.testing.assert_array_equal(near_theta, by_theta)
    np.testing.assert_array_equal(near_b, by_b)
    found, bound = mod.loss(moments, Theta, return_error=True)
    assert abs(found - value) <= bound
    assert moments.energy_error <= bound < 1.01 * moments.energy_error


def shown_by_blocks(mod: ModuleType, label: str, monkeypatch: pytest.MonkeyPatch) -> float:
    """By how much the energy changes where W is read in blocks of 8 or of 100 rows."""
    W, a = targets()[label]
    found = [mod.Target(W, a, expand=True).energy]
    for rows in (8, 100):
        monkeypatch.setattr(mod, "BLOCK", 12 * rows)
        found.append(mod.Target(W, a, expand=True).energy)
    return float(np.ptp(found))


@pytest.mark.parametrize("label", ["three outputs", "antipodal and signed"])
def test_blocks_do_not_show(monkeypatch, label):
    change = shown_by_blocks(module("cos(x+1)"), label, monkeypatch)
    compare([(label, change, 0)], atol=1e-11)  # ends move with the rounding


def test_a_lost_sign_shows_between_blocks(monkeypatch):
    faulty = mutant("cos(x+1)", "np.copysign(1.0, column.sum())", "1.0")
    assert shown_by_blocks(faulty, "antipodal and signed", monkeypatch) > 1e-6


def test_memory_is_a_block_and_a_few_numbers_a_node(monkeypatch):
    mod = module("erf")
    monkeypatch.setattr(mod, "BLOCK", 1 << 14)
    W = np.random.default_rng(0).standard_normal((40_000, 128), dtype=np.float32)
    mod.Target(W[:10], expand=True)
    tracemalloc.start()
    mod.Target(W, expand=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 8 * len(W) < W.nbytes


BAD = [
    ({"W": np.array([[1.0, np.nan]])}, "W contains NaN or infinity"),
    ({"W": np.array([[1.0, np.inf]], dtype=np.float32)}, "W contains NaN or infinity"),
    ({"W": np.ones(3)}, r"W has shape \(3,\)"),
    ({"W": np.ones((2, 3)), "a": np.ones(3)}, r"a has shape \(3,\)"),
    ({"W": np.ones((2, 3)), "a": np.array([1.0, np.nan])}, "a contains NaN"),
    ({"W": np.full((2, 3), 1e60)}, "W reaches"),
    ({"W": np.full((2, 3), 1e-70)}, "W has a row that is not 0 and shorter than 1e-60"),
    ({"W": np.full((2, 3), 1e-200)}, "W has a row that is not 0 and shorter than 1e-60"),
    ({"W": np.ones((2, 3)), "a": np.full(2, 1e200)}, "so large that the energy overflows"),
    ({"W": np.ones((2, 3)), "s": np.ones(2)}, "s is given and expand is True"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        module("gelu").Target(**arguments, expand=True)


@pytest.mark.parametrize(("name", "enclosed"), [("gelu", True), ("relu", True), ("tanh", False)])
def test_problems_of_very_many_nodes_are_enclosed_where_that_is_there(monkeypatch, name, enclosed):
    monkeypatch.setattr(problems, "MANY", 50)
    W, mod = targets()["with a mean"][0], module(name)
    problem = Problem.of(TwoLayerNetwork(W, activation=name), Inputs.standard(12), mod)
    assert (problem.error > 0.0) == enclosed
    assert abs(problem.scale - mod.Target(W).energy) <= problem.error + 1e-12
