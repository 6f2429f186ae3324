"""The house rules: imports go down, the maths stays small, matplotlib in app alone, no framework anywhere."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "refimpl").rglob("*.py"))
ROOMS = {"maths": 0, "data": 1, "methods": 1, "packing": 1, "paper": 2, "app": 3}  # what is level leans not on each other
MATHS = ("layers", "losses", "network", "optimize", "gradcheck", "derivatives", "comparisons", "theory")
FORBIDDEN = {"torch", "jax", "tensorflow", "keras", "autograd", "mygrad", "sklearn", "pickle"}


def imports(path):
    """The modules that a file imports by name, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "maths"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_go_down(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    if name == "refimpl.__main__" or "mutants" in name:  # the doors: the command line, and the planted errors' peers
        return
    used = list(imports(path))
    ours = [m for m in used if m.startswith("refimpl.") and not m.startswith(("refimpl.paths", "refimpl.__version__"))]
    here = room(name)
    assert all(ROOMS[room(m)] < ROOMS[here] or room(m) == here for m in ours), ours
    assert not {m.split(".")[0] for m in used} & FORBIDDEN
    if any(m.startswith("matplotlib") for m in used):
        assert room(name) == "app"
    if any(m.startswith(("urllib", "http", "socket")) for m in used):
        raise AssertionError("data_fetch.py is the only network code")


def public_functions(tree):
    """Functions and methods without a leading underscore, __init__ too, of a module and its public classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)
        elif isinstance(node, ast.FunctionDef) and (node.name == "__init__" or not node.name.startswith("_")):
            yield node


API = [p for p in FILES if room(".".join(p.relative_to(ROOT).with_suffix("").parts)) != "app" and "mutants" not in p.parts]


@pytest.mark.parametrize("path", API, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_is_public_is_typed(path):
    for function in public_functions(ast.parse(path.read_text())):
        a = function.args
        every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
        bare = [arg.arg for arg in every if arg.annotation is None and arg.arg not in ("self", "cls")]
        assert not bare and (function.returns or function.name == "__init__"), (function.name, bare)


def lines_but_examples(path):
    """How many lines a file would have without the doctests at the ends of its docstrings."""
    text, more = path.read_text(), 0
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ">>> " in (ast.get_docstring(node) or ""):
            said = ast.get_docstring(node).split(">>> ")[0].strip().splitlines()
            more += node.body[0].end_lineno - node.body[0].lineno + 1 - (len(said) + 1 if len(said) > 1 else 1)
    return len(text.splitlines()) - more


def test_the_maths_is_short():
    lines = {name: lines_but_examples(ROOT / "refimpl" / f"{name}.py") for name in MATHS}
    assert sum(lines.values()) <= 1200, lines


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "tests").glob("*.py")), ROOT / "data_fetch.py"],
                         ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_over_about_300_lines(path):
    assert len(path.read_text().splitlines()) <= 320
