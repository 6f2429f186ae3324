"""README's "How to add", done: a layer, an objective, an experiment and a command in a copy of the
tree, each in the two files that README names, with what stands beside them; then the checks run
there.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYER = '''"""Softsign: a bounded activation without exponentials."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Softsign:
    """out = x / (1 + |x|), of any shape.

    >>> Softsign().forward(np.array([-1.0, 3.0]))[0].tolist()
    [-0.5, 0.75]
    """

    elementwise = True

    def forward(
        self, x: np.ndarray, *, train: bool = False, rng: np.random.Generator | None = None
    ) -> tuple:
        size = 1 + np.where(x.real < 0, -x, x)
        return x / size, size

    def backward(self, dout: np.ndarray, cache: np.ndarray) -> tuple:
        return dout / cache**2, ()
'''
OBJECTIVE = '''def half_square(z: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z_c^2 / 2; dz = z_c at c, 0 elsewhere.

    >>> [v.tolist() for v in half_square(np.array([[3.0, 1.0]]), np.array([0]))]
    [[4.5], [[3.0, 0.0]]]
    """
    value, dz = logit(z, classes)
    return value**2 / 2, dz * value[:, None]


'''
HVP = '''def half_square_hvp(z: np.ndarray, classes: np.ndarray, v: np.ndarray) -> np.ndarray:
    """H v of z_c^2 / 2: v_c at c, 0 elsewhere.

    >>> half_square_hvp(np.zeros((1, 2)), np.array([0]), np.array([[5.0, 7.0]])).tolist()
    [[5.0, 0.0]]
    """
    out = np.zeros_like(v)
    rows = np.arange(len(v))
    out[rows, classes] = v[rows, classes]
    return out


'''
EXPERIMENT = '''"""How bright the test images are."""

from collections.abc import Iterator

from refimpl.data import Dataset
from refimpl.ledger.claim import Claim, every
from refimpl.network import Network


def run(data: Dataset, teacher: Network, seed: int) -> dict[str, float]:
    """{id: the mean pixel of the test images}.

    >>> 1 + 1
    2
    """
    return {f"brightness/{data.name}/mean": float(data.test_x.mean())}


def claims(name: str) -> Iterator[Claim]:
    """They are darker than grey.

    >>> next(claims("digits")).id
    'brightness/digits/mean'
    """
    id = f"brightness/{name}/mean"
    yield Claim(
        id,
        "added",
        "mean pixel of the test images",
        expects="below .5",
        relation=every(id, lambda value: value < 0.5),
    )
'''
COMMAND = '''"""python -m refimpl greet: say hello."""

from refimpl.report.options import parser_of


def run(argv):
    parser_of("greet", "Say hello.", "example: python -m refimpl greet").parse_args(argv)
    print("hello")
    return 0
'''
FIRST = '        ("Affine", "transposed weight", '  # where a planted error is put before


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the tree to add to."""
    tree = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("refimpl", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("README.md", "setup.cfg", "pyproject.toml", "data_fetch.py"):
        shutil.copy(ROOT / name, tree)
    return tree


def put(path, old, new):
    """Replace `old`, which stands there once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def call(tree, *argv):
    """Run a module of the copy. Returns what it printed."""
    done = subprocess.run(
        [sys.executable, *argv],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def check(tree, at_least, *argv):
    """Run tests of the copy; at least so many pass."""
    out = call(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *argv)
    assert int(re.search(r"(\d+) passed", out)[1]) >= at_least, out[-500:]


def test_a_layer(copy):
    layers = copy / "refimpl" / "layers"
    (layers / "softsign.py").write_text(LAYER)
    put(
        layers / "__init__.py",
        "from refimpl.layers.regularization import",
        "from refimpl.layers.softsign import Softsign\nfrom refimpl.layers.regularization import",
    )
    put(layers / "__init__.py", "        Tanh,\n", "        Tanh,\n        Softsign,\n")

    planted = copy / "refimpl" / "gradcheck" / "mutants" / "planted.py"
    put(
        planted,
        "import Affine, ReLU, Sigmoid, Tanh",
        "import Affine, ReLU, Sigmoid, Softsign, Tanh",
    )
    put(planted, "alone(Tanh),\n", 'alone(Tanh),\n    "Softsign": alone(Softsign),\n')
    wrong = "backward(lambda layer, dout, cache, dx: (dout / cache, ()))"
    put(planted, FIRST, f'        ("Softsign", "no square", {wrong}),\n{FIRST}')
    with (copy / "tests" / "oracles.py").open("a") as oracles:
        oracles.write(
            "\n\ndef softsign(x):\n    return elementwise(lambda v: v / (1 + abs(v)), x)\n"
        )

    tests = ("tests/gradcheck/test_gradients.py", "tests/gradcheck/test_mutants.py")
    words = "Softsign or softsign or is_listed or has_a_case or covers_every_case"
    check(copy, 9, *tests, "tests/core/test_weights.py", "refimpl/layers/softsign.py", "-k", words)
    check(copy, 2, "tests/house/test_house.py", "-k", "softsign")


def test_an_objective(copy):
    put(copy / "refimpl" / "losses.py", "\nOBJECTIVES = {", f"\n{OBJECTIVE}OBJECTIVES = {{")
    put(
        copy / "refimpl" / "losses.py",
        "probability, log_probability)}",
        "probability, log_probability, half_square)}",
    )
    second = copy / "refimpl" / "second_order.py"
    put(
        second,
        "\nOBJECTIVE_HVPS = {\n",
        f'\n{HVP}OBJECTIVE_HVPS = {{\n    "half_square": half_square_hvp,\n',
    )

    planted = copy / "refimpl" / "gradcheck" / "mutants" / "planted.py"
    wrong = "gradient(lambda dz, z, target: 2 * dz)"
    put(planted, FIRST, f'        ("half_square", "doubled", {wrong}),\n{FIRST}')

    oracles = copy / "tests" / "oracles.py"
    value = '            "logit": z[n, c],\n'
    put(oracles, value, value + '            "half_square": z[n, c] ** 2 / 2,\n')
    slope = '                "logit": own,\n'
    put(oracles, slope, slope + '                "half_square": own * z[n, c],\n')

    tests = ("tests/gradcheck/test_gradients.py", "tests/gradcheck/test_mutants.py")
    check(copy, 10, *tests, "-k", "half_square or has_a_case or covers_every_case")
    check(copy, 10, "refimpl/losses.py", "refimpl/second_order.py")
    taken = "\n".join(
        (
            "import numpy as np",
            "from refimpl.class_visualization import class_visualizations",
            "from refimpl.network import softmax_net",
            "net = softmax_net(3, 2, rng=np.random.default_rng(0), sigma=1.0)",
            "start = np.ones((2, 3))",
            "print(class_visualizations(net, objective='half_square', start=start)[0].shape)",
        )
    )
    assert call(copy, "-c", taken) == "(2, 3)\n"


def test_an_experiment(copy, tmp_path):
    (copy / "refimpl" / "paper" / "brightness.py").write_text(EXPERIMENT)
    listed = copy / "refimpl" / "app" / "experiments.py"
    put(listed, "from refimpl.paper import (\n", "from refimpl.paper import (\n    brightness,\n")
    line = '    "brightness": Experiment(brightness, brightness.claims),\n'
    put(listed, '    "outlook": ', line + '    "outlook": ')

    out = str(tmp_path / "out")
    call(copy, "-m", "refimpl", "--only", "brightness", "--seeds", "1", "--quiet", "--out", out)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    (row,) = [row for row in results["claims"] if row["id"] == "brightness/digits/mean"]
    assert row["verdict"] == "reproduced" and row["ours"]["mean"] < 0.5
    assert "mean pixel of the test images" in (tmp_path / "out" / "report.html").read_text()
    assert "brightness" in call(copy, "-m", "refimpl", "claims", "--out", out)
    check(copy, 2, "tests/house/test_house.py", "-k", "brightness")


def test_a_command(copy):
    (copy / "refimpl" / "app" / "greet_command.py").write_text(COMMAND)
    put(
        copy / "refimpl" / "app" / "cli.py",
        '    "lesson": ',
        '    "greet": "refimpl.app.greet_command",\n    "lesson": ',
    )
    with (copy / "refimpl" / "lessons" / "README.md").open("a") as page:
        page.write("\n`python -m refimpl greet` says hello.\n")

    assert call(copy, "-m", "refimpl", "greet") == "hello\n"
    assert "example: python -m refimpl greet" in call(copy, "-m", "refimpl", "greet", "--help")
    check(
        copy,
        3,
        "tests/app/test_cli.py",
        "tests/house/test_readme.py",
        "-k",
        "greet or room_is_named",
    )
