"""Mechanical mutations: one operator, comparison, constant, axis or transposition at a time,
against the tests.

    python -m refimpl.gradcheck.mutants.mechanical [FILE ...]      minutes; on a copy of the tree

Prints every survivor; those in EQUIVALENT carry the reason why no test can tell. Exit 1 when
another one survives.
"""

import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[3]
FILES = {  # file: the tests that answer for it
    "layers/conv.py": ("tests/core/test_conv.py",),
    "layers/regularization.py": ("tests/core/test_regularization.py", "tests/core/test_layers.py"),
    "companions/cnn/architectures.py": ("tests/cnn/test_architectures.py",),
    "layers/__init__.py": (
        "tests/core/test_layers.py",
        "tests/gradcheck/test_gradients.py",
        "tests/gradcheck/test_mutants.py",
        "tests/core/test_network.py",
    ),
    "losses.py": (
        "tests/gradcheck/test_gradients.py",
        "tests/gradcheck/test_mutants.py",
        "tests/core/test_losses.py",
    ),
    "network.py": (
        "tests/gradcheck/test_gradients.py",
        "tests/core/test_network.py",
        "tests/gradcheck/test_mutants.py",
    ),
    "optimize.py": ("tests/core/test_optimize.py", "tests/gradcheck/test_gradients.py"),
    "second_order.py": ("tests/gradcheck/test_gradients.py", "tests/gradcheck/test_mutants.py"),
}
OPERATIONS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
}
COMPARISONS = {
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
SIGNS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
SHIFT = "softmax does not change under any common shift of a row, real or complex"
EQUIVALENT = {  # "file: line text: what" -> why no test can tell
    "losses.py: z = z - z.real.max(axis=1, keepdims=True): drop .real": SHIFT,
    "losses.py: z -= np.maximum.reduce(z.real, axis=-2, keepdims=True)  # the largest is 0: no "
    "overflow: drop .real": SHIFT,
    "losses.py: e = np.exp(z - z.real.max(axis=1, keepdims=True)): drop .real": SHIFT,
    "network.py: BLOCK = 4096  # rows that go through a network at a time, where its first layer "
    "says nothing else: 4096 to 4097": "the size of a block changes speed, not logits",
}


def changes(node):
    """(what, function that applies it in place) for each mutation of one syntax node."""
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
        new = OPERATIONS[type(node.op)]
        yield f"{SIGNS[type(node.op)]} to {SIGNS[new]}", lambda n: setattr(n, "op", new())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        new = COMPARISONS[type(node.ops[0])]
        yield f"{SIGNS[type(node.ops[0])]} to {SIGNS[new]}", lambda n: n.ops.__setitem__(0, new())
    if isinstance(node, ast.AugAssign) and type(node.op) in OPERATIONS:
        new = OPERATIONS[type(node.op)]
        yield f"{SIGNS[type(node.op)]}= to {SIGNS[new]}=", lambda n: setattr(n, "op", new())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "minus dropped", lambda n: setattr(n, "op", ast.UAdd())
    if (
        isinstance(node, ast.keyword)
        and node.arg == "axis"
        and isinstance(node.value, ast.Constant)
    ):
        other = 1 - node.value.value
        yield (
            f"axis={node.value.value} to axis={other}",
            lambda n: setattr(n, "value", ast.Constant(other)),
        )
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield f"{node.value} to {node.value + 1}", lambda n: setattr(n, "value", n.value + 1)
    if isinstance(node, ast.Attribute) and node.attr in ("T", "real"):
        yield f"drop .{node.attr}", "inner"


def mutations(source):
    """(line, what, a function that returns the mutated source) for every mutation of a source text,
    docstrings and defaults of text left alone.
    """
    tree = ast.parse(source)
    axes = {id(k.value) for k in ast.walk(tree) if isinstance(k, ast.keyword) and k.arg == "axis"}
    for i, node in enumerate(ast.walk(tree)):
        if id(node) in axes:
            continue
        for j, (what, _) in enumerate(changes(node)):
            line = getattr(node, "lineno", getattr(getattr(node, "value", None), "lineno", 0))
            yield line, what, partial(_mutated, tree, i, j)


def _mutated(tree, i, j):
    """The source of a tree with change j of its node i."""
    mutant = copy.deepcopy(tree)
    target = list(ast.walk(mutant))[i]
    apply = list(changes(target))[j][1]
    if apply == "inner":
        mutant = _Replace(target).visit(mutant)
    else:
        apply(target)
    return ast.unparse(ast.fix_missing_locations(mutant)) + "\n"


class _Replace(ast.NodeTransformer):
    """Put the object of an attribute in the attribute's place: w.T becomes w."""

    def __init__(self, target):
        self.target = target

    def visit_Attribute(self, node):
        return node.value if node is self.target else self.generic_visit(node)


def survives(tree, file, text, tests):
    """Whether the tests pass with this text in place of the file."""
    path = tree / "refimpl" / file
    original = path.read_text()
    path.write_text(text)
    try:
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-x",
                "-p",
                "no:cacheprovider",
                f"refimpl/{file}",
                *[t for t in tests if (tree / t).exists()],
            ],
            cwd=tree,
            capture_output=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": str(tree), "OPENBLAS_NUM_THREADS": "1"},
        )
        return run.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_text(original)


def main(files, out=print):
    left = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", "__pycache__", ".*"))
        for file in files:
            source, done, killed = (ROOT / "refimpl" / file).read_text(), 0, 0
            lines = source.splitlines()
            for line, what, text in mutations(source):
                done += 1
                if not survives(tree, file, text(), FILES.get(file, ("tests",))):
                    killed += 1
                    continue
                key = f"{file}: {lines[line - 1].strip()}: {what}"
                reason = EQUIVALENT.get(key)
                left += reason is None
                out(f"{key}  [{reason or 'SURVIVES'}]")
            out(f"{file}: killed {killed} / {done}")
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(FILES)))
