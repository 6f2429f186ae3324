"""python -m refimpl lesson N: print a lesson, run its code as doctests, leave its figures.

A lesson is refimpl/lessons/NN_title.md. Its first line is "# N. Title". The code is in blocks
fenced by ```python, one doctest from the first to the last; it finds the folder of the figures
under the name `figures`. A figure is a line ![alt text](NN_name.png "Title"): the first one stands
below the question with which the lesson opens, the others below the code that draws them.
"""

import ast
import doctest
import json
import re
import symtable
import time
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from refimpl.files.whole import write_whole
from refimpl.lessons.text import plain
from refimpl.report import front
from refimpl.report.options import OUT, Parser, UsageError, add_folder, make_folder

FOLDER = Path(str(files("refimpl.lessons"))) / "pictures"
FIGURE = re.compile(
    r'^!\[(?P<alt>.*?)\]\((?P<file>\S+) "(?P<title>.*?)"\)', re.MULTILINE | re.DOTALL
)

NOTHING = "(nothing)"  # a result that is none


@dataclass(frozen=True)
class Difference:
    """A line of the lesson whose result is not what the text says."""

    line: int  # from 1
    source: str
    expected: str
    got: str

    def __str__(self):
        parts = (
            ("", self.source),
            ("the text says:", self.expected),
            ("the code gives:", self.got),
        )
        return f"line {self.line}:" + "".join(
            f"\n  {head}" * bool(head) + "".join(f"\n    {row}" for row in text.splitlines())
            for head, text in parts
        )


class _Runner(doctest.DocTestRunner):
    """Collects the differences instead of printing them."""

    def __init__(self):
        super().__init__(verbose=False)
        self.differences = []

    def _add(self, test, example, got):
        line = test.lineno + example.lineno + 1
        self.differences.append(
            Difference(
                line,
                example.source.strip(),
                example.want.strip() or NOTHING,
                got.strip() or NOTHING,
            )
        )

    def report_failure(self, out, test, example, got):
        self._add(test, example, got)

    def report_unexpected_exception(self, out, test, example, exc_info):
        self._add(test, example, f"{exc_info[0].__name__}: {exc_info[1]}")


def lessons():
    """{number: text} of every lesson in the package, in order."""
    found = [p for p in files("refimpl.lessons").iterdir() if re.fullmatch(r"\d\d_\w+\.md", p.name)]
    return {
        int(p.name[:2]): p.read_text(encoding="utf-8") for p in sorted(found, key=lambda p: p.name)
    }


def title_of(text):
    """The first line without its "# "."""
    return text.partition("\n")[0].removeprefix("# ")


def code_of(text):
    """The lesson with every line outside its ```python blocks left blank: line numbers stay."""
    inside, lines = False, []
    for line in text.splitlines():
        if line.startswith("```"):
            inside = line == "```python"
            line = ""
        lines.append(line if inside else "")
    return "\n".join(lines) + "\n"


def figures_of(text):
    """[{file, title, paper, alt}], as the report wants them."""
    words = [
        {name: " ".join(value.split()) for name, value in m.groupdict().items()}
        for m in FIGURE.finditer(text)
    ]
    return [{"file": w["file"], "title": w["title"], "paper": "", "alt": w["alt"]} for w in words]


def run_lesson(text, folder):
    """Run a lesson's code; its figures go to `folder`, which must be there. Returns (examples run,
    differences).

    A figure that the text shows and the code does not draw is a difference, too.
    """
    shown = figures_of(text)
    for figure in shown:
        (folder / figure["file"]).unlink(missing_ok=True)
    test = doctest.DocTestParser().get_doctest(
        code_of(text), {"figures": folder}, title_of(text), None, 0
    )
    runner = _Runner()
    runner.run(test)
    for figure in shown:
        if not (folder / figure["file"]).is_file():
            line = text[: text.index(f"]({figure['file']} ")].count("\n") + 1
            runner.differences.append(Difference(line, figure["file"], "a figure", "no such file"))
    return len(test.examples), runner.differences


def parse(argv):
    parser = Parser(
        prog="python -m refimpl lesson",
        description="Print a lesson, run its code, leave its figures.",
        epilog="exit status: 0 every result is what the text says, 1 some are not, 2 bad usage",
    )
    parser.add_argument(
        "number", nargs="?", metavar="N", help="which lesson; without it, a list of them"
    )
    parser.add_argument(
        "--html", action="store_true", help="the course as pages: run all of it, or lesson N"
    )
    parser.add_argument(
        "--notebook", action="store_true", help="lesson N as a Jupyter notebook, with its pictures"
    )
    parser.add_argument(
        "--check", type=Path, metavar="FILE", help="run lesson N's tests on your own answers"
    )
    parser.add_argument(
        "--pictures", action="store_true", help="draw the READMEs' pictures anew, from digits"
    )
    add_folder(parser, OUT / "lessons")
    args = parser.parse_args(argv)
    asked = [
        f"--{name}" for name in ("html", "notebook", "check", "pictures") if getattr(args, name)
    ]
    if len(asked) > 1:
        raise UsageError(f"{', '.join(asked)}: expected one of them")
    if args.pictures and args.number:
        raise UsageError(
            f"--pictures: of all READMEs, expected no lesson, got {args.number[:40]!r}"
        )
    return args


def run(argv):
    """The command. Exit status 0: every printed result is what the text says; 1: some are not; 2:
    bad usage.
    """
    args = parse(argv)
    course = lessons()
    if args.pictures:
        from refimpl.lessons import pictures

        print("\n".join(str(pictures.FOLDER / name) for name in pictures.write()))
        return 0
    by_name = {name: n for n in course for name in (str(n), f"{n:02}")} | {None: None}
    if args.number not in by_name:
        raise UsageError(
            f"lesson: expected a number from {min(course)} to {max(course)}, got "
            f"{args.number[:40]!r}"
        )
    number = by_name[args.number]
    if (args.notebook or args.check) and number is None:
        option = "--notebook" if args.notebook else "--check"
        raise UsageError(f"{option}: expected a lesson's number, as in lesson 5 {option}")
    if args.html:
        return write_site(args, course, course if number is None else [number])
    if number is None:
        print("\n".join(map(title_of, course.values())))
        print("\nRead, run and draw one: python -m refimpl lesson N")
        return 0
    if args.notebook:
        return write_notebook(args, number, course[number])
    if args.check:
        return check_answers(args, course[number])
    return run_one(args, number, course[number])


def write_notebook(args, number, text):
    """Run a lesson for its figures and leave OUT/lesson_NN.ipynb with them in it."""
    from refimpl.lessons.notebook import nbformat_v4, notebook

    try:
        nbformat_v4()
    except ImportError as error:
        raise UsageError(f"--notebook: {error}") from None
    out = make_folder(args.out)
    run_lesson(text, out)
    files = [out / figure["file"] for figure in figures_of(text)]
    found = notebook(text, {file.name: file.read_bytes() for file in files if file.is_file()})
    path = out / f"lesson_{number:02d}.ipynb"
    write_whole(path, json.dumps(found, indent=1) + "\n")
    title = f"Notebook of lesson {title_of(text)}"
    sentence = f"To be opened with Jupyter: jupyter lab {path}"
    front.add(f"{path}", path, title, sentence, files[0] if files else None)
    print(f"{path}: open it with Jupyter (python -m pip install jupyterlab)")
    return 0


def write_site(args, course, numbers):
    """Run lessons and leave a page for each, with the figures, and the index."""
    from refimpl.lessons import site

    try:
        markdown = site.renderer()
    except ImportError as error:
        raise UsageError(f"--html: {error}") from None
    out, wrong, pictures = make_folder(args.out), 0, {}
    for number in numbers:
        _, differences = run_lesson(course[number], out)
        wrong += len(differences)
        for difference in differences:
            print(f"lesson {number}, {difference}")
        write_whole(out / site.file_of(number), site.lesson_page(markdown, course, number))
        print(f"{out / site.file_of(number)}", flush=True)
    for number, text in course.items():
        shown = [f for f in figures_of(text) if (out / f["file"]).is_file()]
        if shown:
            pictures[number] = shown[0]["file"], shown[0]["alt"]
    write_whole(out / "index.html", site.index_page(course, pictures))
    front.add(
        f"{out}/lessons",
        out / "index.html",
        "The course",
        f"{len(course)} lessons from softmax on, each with its code, results and figures.",
        FOLDER / "lessons.png",
    )
    print(f"{out / 'index.html'}: start here")
    return 1 if wrong else 0


def check_answers(args, text):
    """Run the lesson's code up to its exercises, then the reader's file, then the results that the
    solutions promise, with the reader's names in the place of the solutions' own.
    """
    try:
        source = args.check.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--check: expected a Python file, got {args.check}: {error.strerror}"
        ) from None
    count, failed, asked = answered(text, source, make_folder(args.out))
    names = ", ".join(asked)
    if not count:
        raise UsageError(
            f"--check: expected {args.check} to define one of the names that this lesson's "
            f"solutions use, and it defines none of them: {names}"
        )
    for difference in failed:
        print(difference)
    right = count - sum(difference.expected != NOTHING for difference in failed)
    print(f"{right} of {count} results that your answers decide are what the lesson says.")
    if asked:
        print(f"Not checked, since your file does not define them: {names}")
    return 1 if failed else 0


def answered(text, source, folder):
    """(results that the reader's answers decide, differences, names that were left to the lesson).

    The reader's file is run after the lesson and may define again any name that the solutions
    define: their definitions are left out where it does, their tests are kept. A result counts
    where it reads such a name, or one that was computed from it.
    """
    lesson, solution = text.partition("\n## Exercise 1")[::2]
    names = {"figures": folder}
    runner = _Runner()
    parser = doctest.DocTestParser()
    test = parser.get_doctest(code_of(lesson), names, title_of(text), None, 0)
    runner.run(test, clear_globs=False)
    before = set(test.globs)
    try:
        exec(compile(source, "answers", "exec"), test.globs)  # the reader's own file
    except Exception as error:
        raise UsageError(f"--check: the file stops with {type(error).__name__}: {error}") from None
    given = {name for name in test.globs if name not in before} | _defined(source)
    runner.differences.clear()
    asked = parser.get_doctest(code_of(solution), test.globs, title_of(text), None, 0)
    kept, count, left = _decided(asked.examples, given)
    asked.examples = kept
    offset = text[: text.index("\n## Exercise 1")].count("\n") + 1
    for example in asked.examples:
        example.lineno += offset
    runner.run(asked, clear_globs=False)
    return count, runner.differences, left


def _decided(examples, given):
    """(examples to run, how many results the given names decide, the solutions' other names).

    The names of the solutions that decide nothing are those that an answer could still define.
    """
    kept, count, left = [], 0, []
    decided = set(given)
    for example in examples:
        own, read = _defined(example.source), _read(example.source)
        if not example.want and own & given:
            continue
        kept.append(example)
        if read & decided:
            decided |= own
            count += bool(example.want)
        else:
            left += [name for name in sorted(own) if name not in left]
    return kept, count, [name for name in left if not name.startswith("_")]


def _read(source):
    """The names that a piece of code takes from outside: no local ones, and no loop's own."""
    loops = [node.target for node in ast.parse(source).body if isinstance(node, ast.For)]
    own = {n.id for target in loops for n in ast.walk(target) if isinstance(n, ast.Name)}
    top, found = symtable.symtable(source, "answers", "exec"), set()
    tables = [top]
    for table in tables:
        tables += table.get_children()
        found |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (table is top or symbol.is_global())
        }
    return found - own


def _defined(source):
    """The names that a piece of code defines at its top."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {
                part.id
                for target in node.targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            }
    return found


def run_one(args, number, text):
    """Print a lesson, run it, leave its figures and lesson_NN.json."""
    make_folder(args.out)
    print(plain(text), flush=True)
    start = time.perf_counter()
    count, differences = run_lesson(text, args.out)
    seconds, shown = time.perf_counter() - start, figures_of(text)
    if differences:
        last = [
            f"{len(differences)} results differ from the text ({count} examples).",
            *map(str, differences),
        ]
    else:
        last = [f"All {count} examples ran, every result is what the text says ({seconds:.1f} s)."]
    last += [
        f"Figure: {args.out / figure['file']}"
        for figure in shown
        if (args.out / figure["file"]).is_file()
    ]
    print("-" * 80, *last, sep="\n")
    write_whole(
        args.out / f"lesson_{number:02d}.json",
        json.dumps(
            {
                "command": "lesson",
                "title": f"Lesson {title_of(text)}",
                "lines": [*text.splitlines(), *last],
                "figures": shown,
                "examples": count,
                "differences": list(map(asdict, differences)),
            },
            indent=1,
        ),
    )
    figures = [args.out / figure["file"] for figure in shown]
    if figures and figures[0].is_file():
        title = f"Lesson {title_of(text)}"
        question = text.partition("> ")[2].partition("\n\n")[0]
        front.add(f"{args.out}/{number}", figures[0], title, question, figures[0])
    return 1 if differences else 0
