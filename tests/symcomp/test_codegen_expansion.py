"""Targets with very many nodes: the energy by moments against the sum over all pairs and balls."""

import tracemalloc
from types import ModuleType

import flint
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import symcomp
from symcomp.balls import exact
from tests.comparison import TALLY, compare
from tests.generated import generated, module

NAMES = [
    "relu",
    "abs",
    "identity",
    "leaky_relu:slope=-1/2",
    "step",
    "sign",
    "Max(0,x)**2",
    "x*Abs(x)",
    "Max(0,x)**3",
    "x**2",
    "x**3",
]


def mutant(old: str, new: str, name: str = "relu") -> ModuleType:
    made = generated(name)
    assert made.source.count(old) == 1
    return symcomp.codegen.Generated(made.activation, made.source.replace(old, new)).load()


def targets() -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Networks that look different to the moments."""
    rng = np.random.default_rng(5)
    random = rng.standard_normal((300, 12))
    centres = np.repeat(rng.standard_normal((6, 12)), 50, axis=0)
    signed = rng.standard_normal(300)
    return {
        "random": (random, None),
        "random lengths": (random * np.exp(rng.standard_normal((300, 1))), None),
        "with a mean": (random + 0.7, None),
        "clustered": (centres + 0.05 * random, None),
        "signed": (random, signed),
        "signed and clustered": (centres + 0.05 * random, signed),
        "all negative": (random + 0.2, -np.abs(signed)),
        "three outputs": (random, rng.standard_normal((300, 3))),
        "duplicates": (np.repeat(random[:1], 40, axis=0), None),
        "copies of a basis": (np.tile(np.eye(12), (20, 1)), None),
        "antipodal": (np.vstack([random, -random]), None),
        "antipodal and signed": (np.vstack([random, -random]), np.repeat([1.0, -1.0], 300)),
        "one node": (random[:1], np.array([1.5])),
        "two nodes": (random[:2], None),
        "a simplex": (symcomp.simplex_etf(5), None),
        "zero rows among others": (np.vstack([np.zeros((30, 12)), random[:30]]), None),
        "zero rows alone": (np.zeros((4, 2)), np.array([1.0, -2.0, 3.0, 0.5])),
        "zero weights": (random[:9], np.zeros(9)),
        "one dimension": (random[:, :1], signed),
        "tiny and huge": (random[:20] * 2.0 ** rng.integers(-60, 60, (20, 1)), None),
    }


def excess(mod: ModuleType, W: np.ndarray, a: np.ndarray | None) -> float:
    """How far the sum over all pairs lies outside the enclosure, over the sum of moduli."""
    target = mod.Target(W, a, expand=True)
    weights = np.ones((len(W), 1)) if a is None else np.reshape(a, (len(W), -1))
    lengths = np.linalg.norm(W, axis=1) ** mod.DEGREE
    scale = float(np.mean(np.linalg.norm(weights, axis=1) * lengths)) ** 2
    if not target.energy_error >= 0.0:
        return np.inf
    outside = abs(target.energy - mod.Target(W, a).energy) - target.energy_error
    return max(outside, 0.0) / scale if scale else max(outside, 0.0)


# ---- the enclosure holds -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_sum_over_all_pairs_is_enclosed(name):
    rows = [(label, excess(module(name), *target), 0) for label, target in targets().items()]
    compare(rows, atol=1e-14, min_points=20)  # the sum over all pairs rounds too


MUTANTS = {
    "no diagonal": ("(EVEN_REST + ODD_REST) * nonzero", "0.0", "relu"),
    "diagonal kept in the moments": ("norms[:, 0] - away", "norms[:, 0]", "relu"),
    "wrong coefficient": ("0.25, 0.0795", "0.25, 0.0895", "relu"),
    "wrong rest": ("EVEN_REST, ODD_REST = 0.0112", "EVEN_REST, ODD_REST = 0.0102", "relu"),
    "greatest quotient halved": ("top = (", "top = 0.5 * (", "relu"),
    "left end on both sides": ("np.where(a < 0.0, -right, left)", "left", "sign"),
    "odd quotients not negative": ("np.where(a < 0.0, -right, left)", "0.0", "sign"),
    "moduli for weights": ("signed = absolute if same", "signed = absolute if True", "relu"),
    "zero rows as unit rows": ("[nodes.inverse > 0.0]", "", "step"),
}  # fmt: skip


@pytest.mark.parametrize("label", MUTANTS)
def test_a_faulty_expansion_is_noticed(label):
    mod = mutant(*MUTANTS[label])
    assert max(excess(mod, *target) for target in targets().values()) > 1e-6


# ---- balls ---------------------------------------------------------------------------------------


def ball_excess(mod: ModuleType, name: str, W: np.ndarray, a: np.ndarray) -> flint.arb:
    """|energy - enclosed energy| - energy_error, a ball."""
    zero = symcomp.TwoLayerNetwork(np.zeros((1, W.shape[1])), np.zeros(1), activation=name)
    wanted = symcomp.loss_enclosure(symcomp.TwoLayerNetwork(W, a, activation=name), zero)
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


def search(mod: ModuleType, name: str, examples: int = 60) -> None:
    """Hypothesis looks for an energy outside."""

    @settings(max_examples=examples, phases=[Phase.explicit, Phase.generate])
    @given(few_nodes())
    def look(network: tuple[np.ndarray, np.ndarray]) -> None:
        assert not ball_excess(mod, name, *network) > 0
        TALLY.points += 1

    look()


@pytest.mark.parametrize("name", ["relu", "Max(0,x)**2", "Max(0,x)**3"])
def test_no_search_finds_an_energy_outside(name):
    search(module(name), name, 60 if name == "relu" else 15)


def test_the_search_finds_a_bound_without_rounding():
    with pytest.raises(AssertionError):
        search(mutant("2.0**-52 * steps", "0.0 * steps", "identity"), "identity")


# ---- the enclosure is narrow ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["identity", "x**2"])
def test_polynomials_of_order_two_are_exact(name):
    W, a = targets()["signed"]
    target = module(name).Target(W, a, expand=True)
    compare([(name, target.energy, module(name).Target(W, a).energy)], rtol=1e-12)
    assert target.energy_error < 1e-11 * np.mean(np.sum(W * W, axis=1)) ** 2


@pytest.mark.parametrize("label", ["duplicates", "one node", "a simplex", "two nodes"])
@pytest.mark.parametrize("name", ["relu", "abs"])
def test_equal_correlations_are_exact(name, label):
    target = module(name).Target(*targets()[label], expand=True)
    assert target.energy_error < 1e-10 * target.energy


@pytest.mark.parametrize("name", NAMES)
def test_one_node_is_exact(name):
    target = module(name).Target([[3.0, 4.0]], [2.0], expand=True)
    assert target.energy_error < 1e-12 * target.energy


@pytest.mark.parametrize("name", ["relu", "sign", "Max(0,x)**3"])
def test_copies_of_a_basis_attain_the_upper_end(name):
    """No bound from moments of order 2 can be lower: Σ ρ² = N²/d, all of it at ρ = 1."""
    W = np.tile(np.eye(12), (20, 1))
    target = module(name).Target(W, expand=True)
    compare([(name, target.energy + target.energy_error, module(name).Target(W).energy)], rtol=1e-9)


def test_the_error_is_the_rest_over_d():
    for d in (8, 32, 128):
        W = np.random.default_rng(d).standard_normal((4000, d))
        W /= np.linalg.norm(W, axis=1)[:, None]
        error = module().Target(W, expand=True).energy_error
        rest = 0.5 - 1 / (2 * np.pi) - 1 / 4 - 1 / (4 * np.pi)
        assert 0.45 * rest / d < error < 0.51 * rest / d


# ---- use -----------------------------------------------------------------------------------------


def test_the_loss_is_known_up_to_the_error_and_the_gradients_are_the_same():
    mod, (W, a) = module(), targets()["signed and clustered"]
    Theta = np.random.default_rng(1).standard_normal((4, 12))
    pairs, moments = mod.Target(W, a), mod.Target(W, a, expand=True)
    value, by_theta, by_b = mod.loss_and_grad(pairs, Theta)
    near, near_theta, near_b = mod.loss_and_grad(moments, Theta)
    assert pairs.energy_error == 0.0
    assert abs(value - near) <= moments.energy_error * (1 + 1e-9)
    np.testing.assert_array_equal(near_theta, by_theta)
    np.testing.assert_array_equal(near_b, by_b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_memory_map_is_not_copied(tmp_path, dtype):
    mod, rows = module(), targets()["random"][0].astype(dtype)
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


@pytest.mark.parametrize(
    "change", [np.ndarray.tolist, np.asfortranarray, lambda W: W.astype(">f8")]
)
def test_other_containers_give_the_same(change):
    W = targets()["random"][0]
    target, wanted = module().Target(change(W), expand=True), module().Target(W, expand=True)
    compare([("energy", target.energy, wanted.energy)], rtol=1e-14)


def test_blocks_do_not_show(monkeypatch):
    mod, (W, a) = module("relu"), targets()["three outputs"]
    whole = mod.Target(W, a, expand=True)
    monkeypatch.setattr(mod, "BLOCK", 100)
    blocks = mod.Target(W, a, expand=True)
    compare([("energy", blocks.energy, whole.energy)], rtol=1e-9)  # ends move with the rounding


def test_memory_is_a_block_and_a_few_numbers_a_node(monkeypatch):
    mod = module("relu")
    monkeypatch.setattr(mod, "BLOCK", 1 << 14)
    W = np.random.default_rng(0).standard_normal((40_000, 64), dtype=np.float32)
    mod.Target(W[:10], expand=True)
    tracemalloc.start()
    mod.Target(W, expand=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 8 * len(W) < W.nbytes


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_lengths_whose_squares_leave_the_range(scale):
    W = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0], [-1.0, 2.0]])
    a = np.full(4, 1.0 / scale)
    target, wanted = module().Target(scale * W, a, expand=True), module().Target(W, expand=True)
    compare([("energy", target.energy, wanted.energy)], rtol=1e-12)


BAD = [
    ({"W": np.array([[1.0, np.nan]])}, "W contains NaN or infinity"),
    ({"W": np.array([[1.0, np.inf]], dtype=np.float32)}, "W contains NaN or infinity"),
    ({"W": np.ones(3)}, r"W has shape \(3,\)"),
    ({"W": np.ones((3, 0))}, r"W has shape \(3, 0\)"),
    ({"W": np.ones((2, 3)) * 1j}, "W has dtype complex128"),
    ({"W": np.ones((2, 3)), "a": np.ones(3)}, r"a has shape \(3,\)"),
    ({"W": np.ones((2, 3)), "a": np.array([1.0, np.nan])}, "a contains NaN"),
    ({"W": np.full((2, 3), 1e100), "a": np.full(2, 1e100)}, "W reaches"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        module().Target(**arguments, expand=True)


@pytest.mark.parametrize("name", ["tanh", "exp(x**2/16)"])
def test_activations_without_closed_moments_refuse(name):
    with pytest.raises(ValueError, match="expand is True; expected False"):
        module(name).Target(np.eye(2), expand=True)
