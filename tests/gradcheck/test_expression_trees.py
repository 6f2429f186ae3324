"""Random expressions: a right derivative is never "fail", an error above the printed bound never
"pass".
"""

import os

import numpy as np
import pytest

from refimpl.gradcheck import check_gradients

TREES = 5000 if os.environ.get("REFIMPL_FULL") else 200

ONE = {  # name: (f, f'), of one operand
    "exp": (np.exp, np.exp),
    "log": (np.log, lambda a: 1 / a),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda a: -np.sin(a)),
    "tan": (np.tan, lambda a: 1 + np.tan(a) ** 2),
    "arctan": (np.arctan, lambda a: 1 / (1 + a * a)),
    "tanh": (np.tanh, lambda a: 1 / np.cosh(a) ** 2),
    "sinh": (np.sinh, np.cosh),
    "cosh": (np.cosh, np.sinh),
    "sqrt": (np.sqrt, lambda a: 0.5 / np.sqrt(a)),
    "square": (lambda a: a * a, lambda a: 2 * a),
    "cube": (lambda a: a * a * a, lambda a: 3 * a * a),
    "log1p": (np.log1p, lambda a: 1 / (1 + a)),
    "expm1": (np.expm1, np.exp),
    "abs": (np.abs, np.sign),
    "reciprocal": (lambda a: 1 / a, lambda a: -1 / (a * a)),
    "negative": (lambda a: -a, lambda a: -np.ones_like(a)),
}
TWO = {  # value and derivative of two operands (a, a'), (b, b')
    "add": lambda a, da, b, db: (a + b, da + db),
    "subtract": lambda a, da, b, db: (a - b, da - db),
    "multiply": lambda a, da, b, db: (a * b, da * b + a * db),
}


def draw(rng, depth):
    """A tree: "x", a constant, or (name, operands)."""
    if depth == 0 or rng.random() < 0.1:
        return "x" if rng.random() < 0.7 else float(rng.normal() * 10 ** rng.uniform(-12, 12))
    names = [*ONE, *TWO]
    name = names[rng.integers(len(names))]
    return (name, *[draw(rng, depth - 1) for _ in range(1 if name in ONE else 2)])


def evaluate(tree, x):
    """(value, derivative) of the tree at x, entry by entry."""
    if tree == "x":
        return x, np.ones_like(x)
    if isinstance(tree, float):
        return tree + 0 * x, 0 * x
    operands = [evaluate(branch, x) for branch in tree[1:]]
    if tree[0] in ONE:
        f, slope = ONE[tree[0]]
        ((a, da),) = operands
        return f(a), slope(a) * da
    (a, da), (b, db) = operands
    return TWO[tree[0]](a, da, b, db)


def trees(count, seed):
    """(tree, x) whose values and derivatives are finite, with room for a cotangent."""
    rng = np.random.default_rng(seed)
    while count:
        tree = draw(rng, int(rng.integers(1, 5)))
        x = rng.normal(size=3) * 10 ** rng.uniform(-3, 3, 3)
        with np.errstate(all="ignore"):
            value, slope = evaluate(tree, x)
        if np.abs(value).max() < 1e300 and np.abs(slope).max() < 1e300:
            count -= 1
            yield tree, x


def check(tree, x, change=0.0):
    def vjp(d, x):
        slope = d * evaluate(tree, x)[1]
        slope[0] += change
        return slope

    with np.errstate(all="ignore"):
        return check_gradients(lambda x: evaluate(tree, x)[0], vjp, x, dtypes=())


@pytest.mark.parametrize("part", range(10))
def test_right_is_never_failed_and_wrong_never_passed(part):
    unknown = 0
    for tree, x in trees(TREES // 10, part):
        report = check(tree, x)
        assert report.verdict != "fail", (tree, x, str(report))
        unknown += not report.ok
        if report.ok:
            error = 3 * report.arguments[0].bound + 1e-300
            wrong = check(tree, x, error)
            assert not wrong.ok or wrong.arguments[0].bound >= error, (tree, x, str(wrong))
    assert unknown <= 0.5 * TREES // 10
