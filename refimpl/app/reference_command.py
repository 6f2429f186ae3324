"""python -m refimpl reference: one page of every public function and class, from its docstring,
room by room.

Public is what stands at a module's top level under a name without underscore. The source is read,
not imported, so that no optional package is needed and defaults are shown as they are written. The
rooms are those of refimpl/files/rooms.py; commands and figures are no part of the reference.
"""

import ast
import csv
import sys
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

import refimpl
from refimpl import __version__
from refimpl.files.rooms import ROOMS, room_of
from refimpl.files.whole import write_whole
from refimpl.report import front
from refimpl.report.options import OUT, Parser, UsageError, add_folder, make_folder
from refimpl.report.page import page, table, wide

TITLES = {room.name: room.title for room in ROOMS}
CORE = (
    "losses.py",
    "network.py",
    "optimize.py",
    "training.py",
    "descent.py",
    "class_visualization.py",
    "retraining.py",
    "theory.py",
    "exact_recovery.py",
    "layers/__init__.py",
)  # what is read first, in this order


@dataclass(frozen=True)
class Entry:
    """A public function or class: doc is its docstring, "" without one; inside: a class's public
    methods.
    """

    module: str
    name: str
    signature: str
    doc: str
    inside: tuple = ()
    line: int = 0  # of the source, from 1
    file: str = ""  # below refimpl/

    @property
    def id(self):
        return f"{self.module}.{self.name}"

    @property
    def has_example(self):
        """Whether a doctest shows it, or one of its methods."""
        return ">>> " in self.doc or any(entry.has_example for entry in self.inside)


def signature(node):
    """'name(arguments)' of a function as in the source; a class has its fields or the arguments of
    __init__.
    """
    if isinstance(node, ast.ClassDef):
        inits = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        if inits:
            return (
                f"{node.name}({ast.unparse(inits[0].args).removeprefix('self').removeprefix(', ')})"
            )
        fields = [
            ast.unparse(n.target) + (f"={ast.unparse(n.value)}" if n.value else "")
            for n in node.body
            if isinstance(n, ast.AnnAssign)
        ]
        return f"{node.name}({', '.join(fields)})" if fields else node.name
    arguments = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
    return f"{node.name}({arguments})" + (
        f" -> {ast.unparse(node.returns)}" if node.returns else ""
    )


def entries(module, source, file=""):
    """(docstring of a module, its public functions and classes in the order of the file)."""
    tree = ast.parse(source)
    return ast.get_docstring(tree) or "", [_entry(module, node, file) for node in _public(tree)]


def _public(node):
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [n for n in node.body if isinstance(n, kinds) and not n.name.startswith("_")]


def _entry(module, node, file=""):
    inside = _public(node) if isinstance(node, ast.ClassDef) else []
    return Entry(
        module,
        node.name,
        signature(node),
        ast.get_docstring(node) or "",
        tuple(_entry(f"{module}.{node.name}", n, file) for n in inside),
        node.lineno,
        file,
    )


CHECKERS_WORKS = tuple(  # what check_gradients is made of, read in the source
    f"gradcheck/{name}"
    for name in (
        "comparisons",
        "differences",
        "joint",
        "kinks",
        "layers",
        "problem",
        "purity",
        "remainder",
    )
)


def is_api(path):
    """Whether a file, given below refimpl/, holds methods and studies: no command nor what it
    prints, no figures, no planted errors, no inner works of the checker.
    """
    words = (*path.removesuffix(".py").split("/"),)
    last = "/".join(words[-2:])
    return (
        room_of(path).name not in ("app", "lessons", "report")
        and "mutants" not in words
        and not last.endswith(
            (
                "figures",
                "pictures",
                "command",
                "/lines",
                "options",
                "benchmark",
                "proposals",
                *CHECKERS_WORKS,
            )
        )
        and words[-1] != "__main__"
    )


def gather():
    """{room: [(module, docstring, [Entry])]} in reading order, of all modules of the rooms that
    define something public.
    """
    root = Path(__file__).parent.parent
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py"))
    found: dict[str, list] = {room.name: [] for room in ROOMS}
    for path in sorted(
        filter(is_api, paths), key=lambda p: (CORE.index(p) if p in CORE else len(CORE), p)
    ):
        parts = [
            part for part in ("refimpl", *path.removesuffix(".py").split("/")) if part != "__init__"
        ]
        doc, public = entries(".".join(parts), (root / path).read_text(encoding="utf-8"), path)
        if public:
            found[room_of(path).name].append((".".join(parts), doc, public))
    return {room: modules for room, modules in found.items() if modules}


def doc_html(doc):
    """First paragraph, text, example."""
    text, mark, example = doc.partition("\n>>> ")
    first, _, rest = text.partition("\n\n")
    parts = [f"<p>{escape(first.strip())}</p>"]
    if rest.strip():
        parts.append(f'<pre class="doc">{escape(rest.strip(chr(10)))}</pre>')
    if mark:
        parts.append(
            wide(f'<pre class="example">{escape((mark + example).strip())}</pre>', "Example")
        )
    return "".join(parts)


def source_name(file):
    """The page of a source file, given below refimpl/, beside the reference.

    >>> source_name("layers/conv.py")
    'reference-source/layers.conv.html'
    """
    return f"reference-source/{file.removesuffix('.py').replace('/', '.')}.html"


def source_page(file, source):
    """A source file as a page whose lines can be linked to: #L1, #L2, ..."""
    lines = "".join(
        f'<span id="L{number}">{escape(line)}</span>'  # a block of its own: no newline behind it
        for number, line in enumerate(source.splitlines(), 1)
    )
    title = f"refimpl/{file}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{SOURCE_STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><p><a href="../reference.html">The reference</a></p>'
        f"<pre>{lines}</pre></body></html>\n"
    )


SOURCE_STYLE = """
:root { color-scheme: light dark; --link: #0b4fb3; --muted: #5a5e66; --mark: #fff3c4; }
@media screen and (prefers-color-scheme: dark) {
  :root { --link: #8ab8ff; --muted: #a9aeb8; --mark: #4a3f14; background: #121212; color: #f2f2f2; }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
a { color: var(--link); }
pre { font-size: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; counter-reset: line; }
pre span { display: block; padding-left: 3.5rem; text-indent: -3.5rem; min-height: 1.5em; }
pre span::before {
  counter-increment: line; content: counter(line); display: inline-block; width: 3.5rem;
  text-indent: 0; color: var(--muted);
}
pre span:target { background: var(--mark); }
"""


def write_sources(out):
    """Leave OUT/reference-source/ with a page of every source file that the reference links to."""
    root, folder = Path(__file__).parent.parent, out / "reference-source"
    folder.mkdir(exist_ok=True)
    found = {
        entry.file for modules in gather().values() for *_, public in modules for entry in public
    }
    for file in sorted(found):
        write_whole(out / source_name(file), source_page(file, (root / file).read_text("utf-8")))


def entry_html(entry, level=4):
    head = f'<h{level} id="{entry.id}"><code>{escape(entry.signature)}</code></h{level}>'
    source = (
        f'<p class="source"><a href="{source_name(entry.file)}#L{entry.line}">'
        f"refimpl/{entry.file}, line {entry.line}</a></p>"
        if entry.file
        else ""
    )
    return (
        head
        + source
        + doc_html(entry.doc or "No description.")
        + "".join(entry_html(method, level + 1) for method in entry.inside if method.doc)
    )


SEARCH = """<p class="search" role="search"><label for="search">Search</label>
<input type="search" id="search" placeholder="a name or a word" autocomplete="off"></p>
<ul id="hits" aria-live="polite"></ul><script>
addEventListener("DOMContentLoaded", () => {
  const box = document.getElementById("search"), list = document.getElementById("hits");
  const heads = [...document.querySelectorAll("main [id]")].filter(e => /^H[45]$/.test(e.tagName));
  const known = heads.map(head => ({head, name: head.id.toLowerCase(),
    text: [head.id, head.nextElementSibling?.nextElementSibling?.textContent ?? ""]
      .join(" ").toLowerCase()}));
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
    const inside = text => words.every(word => text.includes(word));
    const found = words.length ? known.filter(({text}) => inside(text)) : [];
    found.sort((a, b) => inside(b.name) - inside(a.name));
    list.replaceChildren(...found.slice(0, 12).map(({head}) => {
      const item = document.createElement("li"), link = document.createElement("a");
      Object.assign(link, {href: "#" + head.id, textContent: head.id});
      item.append(link);
      return item;
    }));
  });
});</script>"""


def start_here(found):
    """The names that `import refimpl` gives, each with the first sentence of its docstring."""
    known = {
        entry.id: entry for modules in found.values() for *_, public in modules for entry in public
    }
    lines = []
    for name, (module, own) in refimpl._PLACES.items():
        doc = getattr(known.get(f"{module}.{own}"), "doc", None)
        if doc is None:  # handed on by a package: the module below it that defines the name
            below = [e for e in known.values() if e.name == own and e.id.startswith(f"{module}.")]
            if below:
                module, doc = below[0].id.rpartition(".")[0], below[0].doc
        linked = doc is not None
        first = " ".join((doc or getattr(refimpl, name).__doc__).split("\n\n")[0].split())
        link = f"<code>refimpl.{name}</code>"
        if linked:
            link = f'<a href="#{module}.{own}">{link}</a>'
        lines.append(f"<li>{link}: {escape(first)}</li>")
    return f'<ul class="start">{"".join(lines)}</ul>'


def moved():
    """[(name in version 0.1.0, name today, "")] of what has moved: modules, functions, constants;
    ("", why) instead of the name today where it is gone. What a line about its module alone says
    has kept its name there.
    """
    text = files("refimpl.app").joinpath("moved.csv").read_text(encoding="utf-8")
    return [(row["old"], row["new"], row["why_gone"]) for row in csv.DictReader(text.splitlines())]


def moved_html():
    """The table of old and new names."""
    rows = (
        [
            f"<td><code>{old}</code></td>",
            f"<td>{f'<code>{new}</code>' if new else escape(why)}</td>",
        ]
        for old, new, why in moved()
    )
    return table(("in version 0.1.0", "today"), rows, "Old and new names")


def render(version):
    """The page as a string."""
    sections, found = [], gather()
    for room, modules in found.items():
        links = "".join(
            f'<li><a href="#{name}"><code>{name}</code></a></li>' for name, *_ in modules
        )
        sections.append(
            (
                TITLES[room],
                [
                    f'<nav aria-label="{TITLES[room]}"><ul>{links}</ul></nav>',
                    *(
                        f'<h3 id="{name}"><code>{name}</code></h3>{doc_html(doc)}'
                        + "".join(map(entry_html, public))
                        for name, doc, public in modules
                    ),
                ],
            )
        )
    sections.insert(0, ("Start here", [start_here(found)]))
    sections.append(("Old and new names", [moved_html()]))
    count = sum(len(public) for modules in found.values() for *_, public in modules)
    return page(
        f"refimpl {version}: reference",
        [
            f"<p>{count} public functions and classes, from their docstrings, by room; imports "
            f"only go up this page. Arrays are "
            "NumPy's, images rows (N, D) with pixels in [0, 1]. Every example here runs in the "
            "tests.</p>",
            SEARCH,
        ],
        sections,
    )


def run(argv):
    """The command. Exit status 0: the page was written; 2: bad usage."""
    parser = Parser(
        prog="python -m refimpl reference",
        description="Make OUT/reference.html: every "
        "public function and class, from the docstrings.",
    )
    add_folder(parser, OUT)
    args = parser.parse_args(argv)
    if sys.flags.optimize > 1:
        raise UsageError("reference: expected docstrings to read, python -OO leaves them out")
    out = make_folder(args.out)
    write_whole(out / "reference.html", render(__version__))
    write_sources(out)
    sentence = "Every public function and class, with its formula, shapes and an example that runs."
    words = "forward(x)\nbackward(dout, cache)"
    front.add(f"{out}/reference", out / "reference.html", "The reference", sentence, words=words)
    print(f"Reference: {out / 'reference.html'}")
    return 0
