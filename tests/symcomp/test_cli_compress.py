import numpy as np
import pytest
import safetensors.numpy
from click.testing import CliRunner

from symcomp.cli import main
from symcomp.files import read_network
from tests.comparison import compare

RNG = np.random.default_rng(2)
D, N, K = 3, 8, 2
NET = {
    "fc1.weight": RNG.normal(size=(N, D)).astype(np.float32),
    "fc1.bias": (0.3 * RNG.normal(size=N)).astype(np.float32),
    "fc2.weight": RNG.normal(size=(K, N)).astype(np.float32),
    "fc2.bias": RNG.normal(size=K).astype(np.float32),
}
DATA = RNG.normal(size=(500, D)) @ np.diag([1.0, 0.5, 2.0]) + [0.3, 0.0, -0.2]


def call(*args):
    result = CliRunner().invoke(main, ["compress", *(str(a) for a in args)])
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def path(tmp_path):
    safetensors.numpy.save_file(NET, tmp_path / "net.safetensors")
    np.save(tmp_path / "data.npy", DATA)
    return tmp_path / "net.safetensors"


def figure(output, row):
    line = next(line for line in output.splitlines() if row in line)
    return float(line.split("│")[3].split()[0])


def test_a_network_of_another_tool_and_back(path):
    result = call(path, "-M", 4, "--data", path.with_name("data.npy"), "--starts", 2)
    assert result.exit_code == 0, result.output
    small = path.with_name("net-4.safetensors")
    assert result.output.splitlines()[-1] == f"wrote {small}"
    assert "nodes" in result.output
    arrays = safetensors.numpy.load_file(small)
    assert {name: x.shape for name, x in arrays.items()} == {
        "fc1.weight": (4, D),
        "fc1.bias": (4,),
        "fc2.weight": (K, 4),
        "fc2.bias": (K,),
    }
    assert {x.dtype for x in arrays.values()} == {np.dtype(np.float32)}
    # the printed loss is that of the files, by sampling the Gaussian of the data's moments
    big, little = read_network(path).network, read_network(small).network
    X = np.random.default_rng(0).multivariate_normal(
        DATA.mean(axis=0), np.cov(DATA.T, bias=True), 200_000
    )
    square = np.sum((big(X) - little(X)) ** 2, axis=1)
    error = 5 * square.std() / np.sqrt(len(X))
    compare([("loss", figure(result.output, "loss E"), square.mean())], atol=error)
    relative = figure(result.output, "relative loss")
    compare([("relative", relative, square.mean() / np.mean(np.sum(big(X) ** 2, axis=1)))], 0.05)
    assert relative < 0.5


def test_signs_and_moments_from_files(path):
    np.save(path.with_name("mean.npy"), DATA.mean(axis=0))
    np.savetxt(path.with_name("cov.csv"), np.cov(DATA.T, bias=True), delimiter=",")
    given = ["--mean", path.with_name("mean.npy"), "--cov", path.with_name("cov.csv")]
    out = path.with_name("out.safetensors")
    by_moments = call(path, "-M", 3, *given, "-o", out, "--starts", 1)
    by_data = call(path, "-M", 3, "--data", path.with_name("data.npy"), "-o", out, "--starts", 1)
    compare(
        [("loss", figure(by_moments.output, "loss E"), figure(by_data.output, "loss E"))], rtol=1e-4
    )
    call(path, "-M", 3, "--signs", "positive", "-o", out, "--starts", 1)
    assert (safetensors.numpy.load_file(out)["fc2.weight"] >= 0).all()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-M", 9], "Error: M is 9; expected at most the number of nodes, 8"),
        (["-M", 3, "--activation", "nope"], "Error: activation"),
        (["-M", 3, "--mean", "data.npy"], "Error: mean has shape (1500,); expected (3,)"),
        (["-M", 3, "--mean", "data.npy", "--data", "data.npy"], "Error: data: found beside mean"),
        (["-M", 0], "0 is not in the range"),
    ],
)
def test_errors_are_one_line_and_write_nothing(path, args, message, monkeypatch):
    monkeypatch.chdir(path.parent)
    before = sorted(path.parent.iterdir())
    result = call(path, *args)
    assert result.exit_code == 2
    assert message in result.output
    assert sorted(path.parent.iterdir()) == before


def test_a_damaged_file(path):
    path.write_bytes(path.read_bytes()[:-5])
    result = call(path, "-M", 3)
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: path: {path} is not a .safetensors file")
