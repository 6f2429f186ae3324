"""The house rules: imports go down, the maths stays small, matplotlib in app alone, no framework
anywhere.
"""

import ast
from pathlib import Path

import pytest

from refimpl.app.reference_command import is_api
from refimpl.files.rooms import ROOMS, room_of

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "refimpl").rglob("*.py"))
FORBIDDEN = {"torch", "jax", "tensorflow", "keras", "autograd", "mygrad", "sklearn", "pickle"}


def imports(path):
    """The modules that a file imports by name, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = {
    ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in FILES
}


def below(path):
    return path.relative_to(ROOT / "refimpl").as_posix()


def module_of(name):
    """The file that an imported name lies in, None where it is not ours."""
    while name.startswith("refimpl") and name not in MODULES:
        name = name.rpartition(".")[0]
    return MODULES.get(name)


@pytest.mark.parametrize("path", FILES, ids=below)
def test_imports_only_go_where_the_list_of_rooms_lets_them(path):
    if below(path) in ("__init__.py", "__main__.py"):  # the doors
        return
    here, used = room_of(below(path)), list(imports(path))
    ours = {
        room_of(below(file)).name
        for file in map(module_of, used)
        if file and below(file) != "__init__.py"
    }
    assert ours <= {here.name, *here.leans_on}
    judges = "peers" in path.stem or path.stem == "frameworks" or path.parent.name == "public"
    if not judges:  # these judge other checkers, and others' functions
        assert not {m.split(".")[0] for m in used} & FORBIDDEN
    if any(m.startswith("matplotlib") for m in used):
        assert path.stem.endswith(("figures", "pictures", "plots", "sheets", "growth", "command"))
    assert not any(m.startswith(("urllib", "http", "socket")) for m in used), (
        "data_fetch.py is the only network code"
    )


def test_the_list_of_rooms_has_no_circle():
    names = [room.name for room in ROOMS]
    assert len(set(names)) == len(names)
    for i, room in enumerate(ROOMS):
        assert set(room.leans_on) <= set(names[:i]), (
            f"{room.name} leans on a room that stands above it"
        )


def public_functions(tree):
    """Functions and methods without a leading underscore, __init__ too, of a module and its public
    classes.
    """
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)
        elif isinstance(node, ast.FunctionDef) and (
            node.name == "__init__" or not node.name.startswith("_")
        ):
            yield node


API = [p for p in FILES if is_api(below(p))]


@pytest.mark.parametrize("path", API, ids=below)
def test_what_is_public_is_typed(path):
    for function in public_functions(ast.parse(path.read_text())):
        a = function.args
        every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
        bare = [
            arg.arg for arg in every if arg.annotation is None and arg.arg not in ("self", "cls")
        ]
        assert not bare and (function.returns or function.name == "__init__"), (function.name, bare)


READING = (
    "losses network optimize training descent class_visualization retraining theory "
    "exact_recovery layers/__init__"
).split()  # what must be read to understand the paper


def code_lines(node_or_text):
    """The lines of code of a file: neither blank nor comment nor in a docstring."""
    tree, left_out = ast.parse(node_or_text), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            doc = node.body[0]
            left_out |= set(range(doc.lineno, doc.end_lineno + 1))
    return [
        i
        for i, line in enumerate(node_or_text.splitlines(), 1)
        if i not in left_out and line.strip() and not line.strip().startswith("#")
    ]


def test_what_must_be_read_is_short():
    texts = {name: (ROOT / "refimpl" / f"{name}.py").read_text() for name in READING}
    sizes = {name: len(code_lines(text)) for name, text in texts.items()}
    assert sum(sizes.values()) <= 1_100, sizes
    for name, text in texts.items():
        lines = code_lines(text)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                own = [i for i in lines if node.body[0].lineno <= i <= node.end_lineno]
                assert len(own) <= 60, (name, node.name, len(own))


COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def body_lines(function):
    """Lines of a function's body as formatted, without its signature and its docstring."""
    described = ast.get_docstring(function) is not None
    if described and len(function.body) == 1:
        return 0
    return function.end_lineno - function.body[int(described)].lineno + 1


def is_table_of_claims(function):
    return function.returns is not None and ast.unparse(function.returns) == "Iterator[Entry]"


@pytest.mark.parametrize("path", FILES, ids=below)
def test_no_function_is_over_60_lines(path):
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
    long = {f.name for f in functions if body_lines(f) > 60 and not is_table_of_claims(f)}
    assert not long


def depth(node):
    """How many comprehensions lie within each other below a node."""
    inner = max(map(depth, ast.iter_child_nodes(node)), default=0)
    return inner + isinstance(node, COMPREHENSIONS)


@pytest.mark.parametrize("path", FILES, ids=below)
def test_no_comprehension_is_nested_deeper_than_two(path):
    assert depth(ast.parse(path.read_text())) <= 2


@pytest.mark.parametrize("path", FILES, ids=below)
def test_no_file_is_much_over_500_lines(path):
    assert len(path.read_text().splitlines()) <= 510


def test_how_lines_and_depths_are_counted():
    source = 'def f(\n    a,\n):\n    """One.\n\n    Two.\n    """\n    b = [\n        a\n    ]\n    return b\n'
    assert body_lines(ast.parse(source).body[0]) == 4
    assert body_lines(ast.parse('def f():\n    """One."""').body[0]) == 0
    assert depth(ast.parse("[{(z for z in y) for y in x} for x in w], [a for a in b]")) == 3


# Every loop in which descent moves parameters, or images that are learned: six, beside the one
# ascent. Those of the first list call an update rule or train_step, and are found by it; those of
# the second write the step out, and are named by hand. Their docstrings say why they are.
BY_A_RULE = {
    "training.py": {"_minibatch_descent"},  # train, train_together
    "descent.py": {"minimize"},
    "optimize.py": {"ascend"},  # images that are not learned: the one ascent
    "companions/cnn/epochs.py": {"_steps"},
    "companions/distillation/unrolled.py": {"distill_unrolled"},
}
WRITTEN_OUT = {
    "dual.py": {"_in_blocks"},
    "companions/distillation/unrolled.py": {"descend_on"},  # the descent that is differentiated
}
RULES = {"update", "adam", "sgd", "momentum", "train_step"}


def loops_by_a_rule(tree):
    """The functions of a file that call an update rule, or train_step, inside a loop."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            loops = [n for n in ast.walk(function) if isinstance(n, ast.For | ast.While)]
            calls = [c for loop in loops for c in ast.walk(loop) if isinstance(c, ast.Call)]
            if RULES & {getattr(c.func, "id", "") for c in calls}:  # no method of that name
                yield function.name


def test_training_loops_are_few_and_say_why():
    trees = {below(path): ast.parse(path.read_text()) for path in FILES}
    found = {name: {*loops_by_a_rule(tree)} for name, tree in trees.items()}
    assert {name: loops for name, loops in found.items() if loops} == BY_A_RULE
    for table in (BY_A_RULE, WRITTEN_OUT):
        for name, loops in table.items():
            functions = [n for n in ast.walk(trees[name]) if isinstance(n, ast.FunctionDef)]
            described = {f.name for f in functions if ast.get_docstring(f)}
            assert loops <= described, name
