import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from symcomp.errors import ArgumentError
from symcomp.files import read_matrix, read_moments, read_network
from symcomp.networks import TwoLayerNetwork
from tests.comparison import compare

RNG = np.random.default_rng(5)
W1, B1 = RNG.normal(size=(6, 4)).astype(np.float32), RNG.normal(size=6).astype(np.float32)
W2, B2 = RNG.normal(size=(3, 6)).astype(np.float32), RNG.normal(size=3).astype(np.float32)
TORCH = {"0.weight": W1, "0.bias": B1, "2.weight": W2, "2.bias": B2}
X = RNG.normal(size=(5, 4))
BY_HAND = np.maximum(X @ W1.T + B1, 0) @ W2.T + B2


def saved(folder, arrays, suffix=".safetensors", **metadata):
    path = folder / f"net{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        safetensors.numpy.save_file(arrays, path, metadata or None)
    return path


def rows(got, wanted):
    return ((i, g, w) for (i, g), w in zip(np.ndenumerate(got), np.ravel(wanted), strict=True))


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(
    "names",
    [
        ("0.weight", "0.bias", "2.weight", "2.bias"),
        ("model.layer2.weight", "model.layer2.bias", "model.layer10.weight", "model.layer10.bias"),
        ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"),
        ("W1", "b1", "W2", "b2"),
    ],
)
def test_the_layout_of_linear_relu_linear(tmp_path, suffix, names):
    found = read_network(saved(tmp_path, dict(zip(names, TORCH.values(), strict=True)), suffix))
    compare(rows(found.network(X), BY_HAND), rtol=1e-13)
    assert found.names == names


def test_without_biases_and_one_output(tmp_path):
    net = read_network(saved(tmp_path, {"a.weight": W1, "b.weight": W2[:1]})).network
    assert net.a.shape == (6,)
    assert net.bias is None
    assert net.offset is None
    compare(rows(net(X), np.maximum(X @ W1.T, 0) @ W2[0]), rtol=1e-13)


def test_square_matrices_come_in_the_order_of_their_names(tmp_path):
    first, second = RNG.normal(size=(2, 3, 3))
    path = saved(tmp_path, {"l10.weight": second, "l9.weight": first}, ".npz")
    compare(rows(read_network(path).network.W, first))


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_what_is_read_is_written_back_alike(tmp_path, suffix):
    path = saved(tmp_path, TORCH, suffix, **({} if suffix == ".npz" else {"author": "someone"}))
    found = read_network(path)
    found.write(tmp_path / f"again{suffix}", found.network)
    again = read_network(tmp_path / f"again{suffix}")
    compare(rows(again.network(X), found.network(X)))
    assert again.types == dict.fromkeys(TORCH, np.float32)
    assert again.metadata == found.metadata
    fewer = TwoLayerNetwork(W1[:2], W2.T[:2], B1[:2], scaling="mean", offset=B2)
    found.write(path, fewer)
    compare(rows(read_network(path).network(X), fewer(X)), rtol=1e-6)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_bias_without_a_place_is_refused(tmp_path):
    found = read_network(saved(tmp_path, {"0.weight": W1, "2.weight": W2}))
    with pytest.raises(ArgumentError, match="network: found one with bias, expected none"):
        found.write(tmp_path / "out.safetensors", TwoLayerNetwork(W1, W2.T, bias=B1))
    assert not (tmp_path / "out.safetensors").exists()


def test_the_layout_of_save(tmp_path):
    net = TwoLayerNetwork(W1, W2.T, B1, "abs", offset=B2)
    net.save(tmp_path / "own.npz")
    found = read_network(tmp_path / "own.npz")
    compare(rows(found.network(X), net(X)))
    found.write(tmp_path / "again.npz", net)
    compare(rows(TwoLayerNetwork.load(tmp_path / "again.npz")(X), net(X)))
    with pytest.raises(ArgumentError, match="activation: found relu, expected abs as in"):
        read_network(tmp_path / "own.npz", "relu")


def test_an_activation_the_file_does_not_name(tmp_path):
    path = saved(tmp_path, TORCH)
    compare(rows(read_network(path, "abs").network(X), np.abs(X @ W1.T + B1) @ W2.T + B2), 1e-13)


class Payload:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def hostile():
    good = safetensors.numpy.save(TORCH)
    header = json.dumps({"0.weight": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}})
    return {
        "empty": b"",
        "cut": good[:-3],
        "header of 2^60 bytes": struct.pack("<Q", 1 << 60) + b"x",
        "no JSON": struct.pack("<Q", 3) + b"abc",
        "bfloat16": struct.pack("<Q", len(header)) + header.encode() + bytes(4),
        "pickle": pickle.dumps(Payload()),
    }


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("name", hostile())
def test_damaged_and_hostile_files(tmp_path, name, suffix):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(hostile()[name])
    with pytest.raises(ArgumentError, match=r"path: .* is not a"):
        read_network(path)


def test_pickled_arrays_are_not_loaded(tmp_path):
    np.savez(tmp_path / "net.npz", W1=np.array([Payload()], dtype=object), W2=W2)
    with pytest.raises(ArgumentError, match=r"is not a .npz file of plain arrays"):
        read_network(tmp_path / "net.npz")


def test_a_file_that_unpacks_to_too_much(tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    np.savez_compressed(path, W1=np.zeros((1000, 1000)), W2=np.zeros((1, 1000)))
    monkeypatch.setattr("symcomp.networks._LARGEST", 1 << 20)
    with pytest.raises(ArgumentError, match="unpacks to 8008"):
        read_network(path)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_damage_gives_one_error(tmp_path_factory, noise, at):
    folder = tmp_path_factory.mktemp("noise")
    for suffix in (".npz", ".safetensors"):
        path = saved(folder, {"0.weight": W1, "2.weight": W2}, suffix)
        data = path.read_bytes()
        path.write_bytes(data[:at] + noise + data[at + len(noise) :])
        try:
            found = read_network(path)
        except ArgumentError:
            continue
        assert np.isfinite(found.network.W).all()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"0.weight": W1}, r"holds 0.weight \(6, 4\); expected two matrices"),
        ({**TORCH, "4.weight": W2}, "expected two matrices"),
        ({"0.weight": W1, "2.weight": W1}, "expected two matrices"),
        ({**TORCH, "running_mean": B1}, "running_mean"),
        ({"x": W1, "y": W2}, "expected two matrices"),
        ({**TORCH, "0.bias": B1[:2]}, r"bias has shape \(2,\); expected \(6,\)"),
        ({**TORCH, "2.bias": B2[:2]}, r"offset has shape \(2,\); expected \(3,\)"),
        ({**TORCH, "0.weight": W1 * np.nan}, "0.weight contains NaN"),
    ],
)
def test_other_arrays(tmp_path, arrays, message):
    with pytest.raises(ArgumentError, match=message):
        read_network(saved(tmp_path, arrays))


def test_other_endings(tmp_path):
    with pytest.raises(ArgumentError, match=r"expected a .npz or .safetensors file"):
        read_network(tmp_path / "net.pt")
    archive = tmp_path / "other.npz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("note.txt", "hello")
    with pytest.raises(ArgumentError):
        read_network(archive)


def test_matrices_and_moments(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.savetxt(tmp_path / "x.csv", X, delimiter=",")
    np.savez(tmp_path / "x.npz", anything=X)
    for suffix in ("npy", "csv", "npz"):
        compare(rows(read_matrix(tmp_path / f"x.{suffix}"), X), rtol=1e-15)
    mean, cov = read_moments(data=tmp_path / "x.csv")
    compare(rows(mean, X.sum(axis=0) / 5), rtol=1e-14)
    compare(rows(cov, np.cov(X.T, bias=True)), rtol=1e-13)
    np.save(tmp_path / "cov.npy", cov)
    np.save(tmp_path / "mean.npy", mean)
    given_mean, given_cov = read_moments(tmp_path / "mean.npy", tmp_path / "cov.npy")
    compare([*rows(given_mean, mean), *rows(given_cov, cov)])
    assert read_moments() == (None, None)


def test_bad_moments(tmp_path):
    (tmp_path / "x.csv").write_text("1,2\n3,word\n")
    (tmp_path / "x.npy").write_bytes(pickle.dumps(Payload()))
    np.save(tmp_path / "one.npy", X[:1])
    np.savez(tmp_path / "two.npz", a=X, b=X)
    for name in ("x.csv", "x.npy"):
        with pytest.raises(ArgumentError, match="file of numbers"):
            read_matrix(tmp_path / name)
    with pytest.raises(ArgumentError, match="expected one array"):
        read_matrix(tmp_path / "two.npz")
    with pytest.raises(ArgumentError, match=r"expected a .npy, .npz or .csv file"):
        read_matrix(tmp_path / "x.txt")
    with pytest.raises(ArgumentError, match=r"expected \(n, d\) with n >= 2"):
        read_moments(data=tmp_path / "one.npy")
    with pytest.raises(ArgumentError, match="expected either"):
        read_moments(mean=tmp_path / "one.npy", data=tmp_path / "one.npy")
