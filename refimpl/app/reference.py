"""The reference: every public function and class of the package from its docstring, one page, by room in reading order.

Public is what stands at a module's top level under a name without underscore. The source is read, not imported, so that
no optional package is needed and defaults are shown as they are written.
"""

import ast
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from refimpl.app.page import page, wide

ROOMS = {"maths": "The maths", "data": "Data", "methods": "Methods, one paper a file", "packing": "Packing",
         "paper": "The paper's experiments"}
MATHS = ("layers", "losses", "network", "optimize", "train", "gradcheck", "derivatives", "comparisons", "second_order",
         "conv", "regularization", "architectures", "theory", "metrics", "ensemble", "epochs", "weights", "checkpoints",
         "batches", "paths", "strategies")  # what is read first


@dataclass(frozen=True)
class Entry:
    """A public function or class: doc is its docstring, "" without one; inside: a class's public methods."""

    module: str
    name: str
    signature: str
    doc: str
    inside: tuple = ()

    @property
    def id(self):
        return f"{self.module}.{self.name}"

    @property
    def has_example(self):
        """Whether a doctest shows it, or one of its methods."""
        return ">>> " in self.doc or any(entry.has_example for entry in self.inside)


def signature(node):
    """'name(arguments)' of a function as in the source; a class has its fields or the arguments of __init__."""
    if isinstance(node, ast.ClassDef):
        inits = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        if inits:
            return f"{node.name}({ast.unparse(inits[0].args).removeprefix('self').removeprefix(', ')})"
        fields = [ast.unparse(n.target) + (f"={ast.unparse(n.value)}" if n.value else "") for n in node.body
                  if isinstance(n, ast.AnnAssign)]
        return f"{node.name}({', '.join(fields)})" if fields else node.name
    arguments = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
    return f"{node.name}({arguments})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


def entries(module, source):
    """(docstring of a module, its public functions and classes in the order of the file)."""
    tree = ast.parse(source)
    return ast.get_docstring(tree) or "", [_entry(module, node) for node in _public(tree)]


def _public(node):
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [n for n in node.body if isinstance(n, kinds) and not n.name.startswith("_")]


def _entry(module, node):
    inside = _public(node) if isinstance(node, ast.ClassDef) else []
    return Entry(module, node.name, signature(node), ast.get_docstring(node) or "",
                 tuple(_entry(f"{module}.{node.name}", n) for n in inside))


def gather():
    """{room: [(module, docstring, [Entry])]} in reading order, of all modules of the rooms that define something public."""
    found: dict[str, list] = {}
    for room in ROOMS:
        folder = files("refimpl") if room == "maths" else files("refimpl") / room
        names = sorted((p.name.removesuffix(".py") for p in folder.iterdir() if p.name.endswith(".py")),
                       key=lambda name: (MATHS.index(name) if room == "maths" and name in MATHS else 99, name))
        found[room] = []
        for name in names:
            parts = [part for part in ("refimpl", "" if room == "maths" else room, name) if part not in ("", "__init__")]
            doc, public = entries(".".join(parts), (folder / f"{name}.py").read_text(encoding="utf-8"))
            if public:
                found[room].append((".".join(parts), doc, public))
    return found


def doc_html(doc):
    """First paragraph, text, example."""
    text, mark, example = doc.partition("\n>>> ")
    first, _, rest = text.partition("\n\n")
    parts = [f"<p>{escape(first.strip())}</p>"]
    if rest.strip():
        parts.append(f'<pre class="doc">{escape(rest.strip(chr(10)))}</pre>')
    if mark:
        parts.append(wide(f'<pre class="example">{escape((mark + example).strip())}</pre>', "Example"))
    return "".join(parts)


def entry_html(entry, level=4):
    head = f'<h{level} id="{entry.id}"><code>{escape(entry.signature)}</code></h{level}>'
    return head + doc_html(entry.doc or "No description.") + "".join(
        entry_html(method, level + 1) for method in entry.inside if method.doc)


def render(version):
    """The page as a string."""
    sections, found = [], gather()
    for room, modules in found.items():
        links = "".join(f'<li><a href="#{name}"><code>{name}</code></a></li>' for name, *_ in modules)
        sections.append((ROOMS[room], [f'<nav aria-label="{ROOMS[room]}"><ul>{links}</ul></nav>', *(
            f'<h3 id="{name}"><code>{name}</code></h3>{doc_html(doc)}' + "".join(map(entry_html, public))
            for name, doc, public in modules)]))
    count = sum(len(public) for modules in found.values() for *_, public in modules)
    return page(f"refimpl {version}: reference", [
        f"<p>{count} public functions and classes, from their docstrings, by room; imports only go up this page. Arrays are "
        "NumPy's, images rows (N, D) with pixels in [0, 1]. Every example here runs in the tests.</p>"], sections)
