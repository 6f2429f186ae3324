"""Are results still the same? Two folders of recorded results, compared; and two engines, step by
step.

    python tests/house/same_results.py BEFORE AFTER        results.json, units and other JSON files
    python tests/house/same_results.py --engine OLD_TREE   parameters after 100 steps, old and new
    python tests/house/same_results.py --pack OLD_TREE     bins after 200 iterations, old and new

Same means: equal, number for number, where the arithmetic did not change. Where it did: of the
values of several seeds, a mean paired difference within two standard errors (or within round-off);
no verdict and no theorem that changes; and float64 parameters equal to 1e-9 after 100 steps of the
old and the new engine on the same seed and order. A verdict on equal numbers that reads otherwise
now is the rule of verdicts, not a result: it is counted apart. Of packings no instance may need
more bins. Exit 1 where that is not so.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
PASSING = {"environment", "date", "seconds", "code", "checksum", "fingerprint", "version"}
ROUND_OFF = 1e-9
ENGINE = """
import sys
import numpy as np
from refimpl.layers import Sigmoid, Tanh
from refimpl.network import one_hidden_net, softmax_net
from refimpl.optimize import adam, momentum, sgd
try:
    from refimpl.train import train  # its name before part 1's move
except ImportError:
    from refimpl.training import train
rng = np.random.default_rng(0)
x, y = rng.random((600, 784)), rng.integers(0, 10, 600)
x[rng.random(x.shape) < 0.8] = 0
found = {}
for name, net in {
    "784-10": softmax_net(784, 10),
    "784-30-10 ReLU": one_hidden_net(784, 30, 10, rng=rng),
    "784-30-10 sigmoid": one_hidden_net(784, 30, 10, rng=rng, activation=Sigmoid()),
    "784-30-10 tanh": one_hidden_net(784, 30, 10, rng=rng, activation=Tanh()),
}.items():
    for update, lr in ((sgd, 0.1), (momentum, 0.02), (adam, 1e-3)):
        trained, losses = train(
            net, x, y, steps=100, lr=lr, rng=np.random.default_rng(1), update=update, falling=True
        )
        for i, p in enumerate(trained.parameters):
            found[f"{name}, {update.__name__}, {i}"] = p
        found[f"{name}, {update.__name__}, losses"] = losses
np.savez(sys.argv[1], **found)
"""
PACK = """
import sys
import numpy as np
try:
    from refimpl.packing.instances import fresh  # its name before part 1's move
    from refimpl.packing.search import pack
except ImportError:
    from refimpl.companions.packing import pack
    from refimpl.companions.packing.instances import fresh
found = {}
for rotate in (False, True):
    for kind in range(1, 11):
        for n in (20, 60):
            one = fresh(kind, n, 1)
            name = f"{one.name}, {'rotated' if rotate else 'oriented'}"
            found[name] = pack(one.items, one.bin, rotate=rotate, iterations=200).count
np.savez(sys.argv[1], **found)
"""


def leaves(value, path=""):
    """(path, leaf) of everything in a JSON value but what passes with time."""
    if isinstance(value, dict):
        parts = [(k, v) for k, v in value.items() if k not in PASSING]
    elif isinstance(value, list):
        named = all(isinstance(v, dict) and "id" in v for v in value)
        parts = [(v["id"] if named else i, v) for i, v in enumerate(value)]
    else:
        yield path, value
        return
    for key, part in parts:
        yield from leaves(part, f"{path}/{key}")


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(a, b):
    if is_number(a) and is_number(b):
        return a == b or math.isnan(a) and math.isnan(b)
    return a == b


def measured(key, new):
    """Where a row of the old ledger stands now: those with nothing to judge are measurements."""
    there = key.replace("/claims/", "/measurements/", 1)
    return there if key not in new and there in new else key


def compare_file(before, after):
    """A row of the table for one JSON file: what is equal, what is not."""
    old, new = (dict(leaves(json.loads(path.read_text()))) for path in (before, after))
    old = {measured(key, new): value for key, value in old.items()}
    shared = old.keys() & new.keys()
    apart = {k: (old[k], new[k]) for k in shared if not equal(old[k], new[k])}
    numbers = {k: v for k, v in apart.items() if is_number(v[0]) and is_number(v[1])}
    largest = max((abs(a - b) for a, b in numbers.values()), default=0.0)
    verdicts = {k: v for k, v in apart.items() if k.endswith(("/verdict", "/holds"))}
    moved = {
        k
        for k, (a, b) in numbers.items()
        if not math.isclose(a, b, rel_tol=ROUND_OFF, abs_tol=ROUND_OFF)
    }
    rule = {k for k in verdicts if not any(m.startswith(k[: k.rindex("/") + 1]) for m in moved)}
    words = {k: v for k, v in apart.items() if k not in numbers and k not in verdicts}
    missing = len(old.keys() - new.keys())
    return {
        "values": len(shared),
        "equal": len(shared) - len(apart),
        "largest": largest,
        "verdicts": {k: v for k, v in verdicts.items() if k not in rule},
        "rule": len(rule),
        "words": words,
        "missing": missing,
    }


def seeds(folder):
    """{value's path: {"data set, seed": number}} of a folder of units, one file for each seed.

    The section's name, which moved with its module, does not matter: a value's path has its own.
    """
    found = {}
    for path in sorted(folder.glob("**/units/*.json")):
        data, _, seed, _ = path.stem.rsplit("-", 3)  # and the fingerprint of the code
        unit = f"{data}, {seed}"
        for key, value in leaves(json.loads(path.read_text())):
            if is_number(value):
                found.setdefault(key, {})[unit] = value
    return found


def paired(before, after):
    """(values of several seeds, how many are equal, {path: (mean difference, standard error)} of
    those whose mean paired difference is beyond two standard errors).
    """
    old, new = seeds(before), seeds(after)
    beyond, same, several = {}, 0, 0
    for key in old.keys() & new.keys():
        both = sorted(old[key].keys() & new[key].keys())
        d = np.array([new[key][unit] - old[key][unit] for unit in both], float)
        if len(d) < 5:
            continue
        several += 1
        same += bool(np.all(d == 0))
        error = d.std(ddof=1) / np.sqrt(len(d))
        scale = max(abs(v) for v in old[key].values())
        if abs(d.mean()) > 2 * error and abs(d).max() > ROUND_OFF * max(scale, 1):
            beyond[key] = (float(d.mean()), float(error))
    return several, same, beyond


def compare_folders(before, after):
    """Print the table; return whether the folders say the same."""
    fine, files = True, sorted(p.relative_to(before) for p in before.rglob("*.json"))
    files = [p for p in files if "units" not in p.parts and (after / p).exists()]
    print(
        f"{'file':<34} {'values':>7} {'equal':>7} {'largest difference':>19} {'verdicts':>9} "
        f"{'by rule':>8}"
    )
    for name in files:
        row = compare_file(before / name, after / name)
        print(
            f"{name!s:<34} {row['values']:>7} {row['equal']:>7} {row['largest']:>19.3g} "
            f"{len(row['verdicts']):>9} {row['rule']:>8}"
        )
        for key, (a, b) in row["verdicts"].items():
            print(f"    {key}: {a} -> {b}")
        fine &= not row["verdicts"]
    several, same, beyond = paired(before, after)
    print(f"values of five seeds or more: {several}, equal in every seed: {same}")
    print(f"mean paired difference beyond two standard errors: {len(beyond)} of {several}")
    for key, (mean, error) in sorted(beyond.items()):
        print(f"    {key}: {mean:+.4g}, standard error {error:.2g}")
    return fine


def both_trees(code, tree):
    """The arrays that the code leaves in the old tree and in this one, as two dicts."""
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for name, path in (("old", tree), ("new", ROOT)):
            file = Path(folder, f"{name}.npz")
            subprocess.run(
                [sys.executable, "-c", code, str(file)],
                check=True,
                cwd=path,
                env={**os.environ, "PYTHONPATH": str(path), "OPENBLAS_NUM_THREADS": "1"},
            )
            with np.load(file) as arrays:
                found.append(dict(arrays))
    return found


def compare_engines(tree):
    """Print the largest difference of parameters and losses after 100 steps; return whether all
    are within round-off.
    """
    old, new = both_trees(ENGINE, tree)
    apart = {k: float(np.abs(old[k] - new[k]).max()) for k in old}
    worst = max(apart, key=lambda k: apart[k])
    print(f"{len(apart)} arrays after 100 steps in float64; largest difference {apart[worst]:.2g}")
    print(f"    ({worst})")
    return apart[worst] <= ROUND_OFF


def compare_packings(tree):
    """Print how many bins the instances took and take; return whether none takes more."""
    old, new = both_trees(PACK, tree)
    more = {k: (int(old[k]), int(new[k])) for k in old if new[k] > old[k]}
    fewer = {k: (int(old[k]), int(new[k])) for k in old if new[k] < old[k]}
    print(f"{len(old)} packings of 200 iterations: {sum(map(int, old.values()))} bins before, ")
    print(f"    {sum(map(int, new.values()))} now; fewer in {len(fewer)}, more in {len(more)}")
    for name, (a, b) in (fewer | more).items():
        print(f"    {name}: {a} -> {b}")
    return not more


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="BEFORE AFTER")
    parser.add_argument("--engine", type=Path, metavar="OLD_TREE")
    parser.add_argument("--pack", type=Path, metavar="OLD_TREE")
    args = parser.parse_args()
    if len(args.folders) not in (0, 2) or not (args.folders or args.engine or args.pack):
        parser.error(
            "expected BEFORE and AFTER, --engine OLD_TREE, --pack OLD_TREE, or some of them"
        )
    fine = compare_engines(args.engine.resolve()) if args.engine else True
    if args.pack:
        fine &= compare_packings(args.pack.resolve())
    if args.folders:
        fine &= compare_folders(*args.folders)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
