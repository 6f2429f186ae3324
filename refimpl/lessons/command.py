"""python -m refimpl lesson N: print a lesson, run its code as doctests, leave its figures.

A lesson is refimpl/lessons/NN_title.md. Its first line is "# N. Title". The code is in blocks
fenced by ```python, one doctest from the first to the last; it finds the folder of the figures
under the name `figures`. A figure is a line ![alt text](NN_name.png "Title") below the code that
draws it.
"""

import argparse
import doctest
import json
import re
import time
from dataclasses import asdict, dataclass
from importlib.resources import files

from refimpl.report.options import OUT, UsageError, add_folder, make_folder

FIGURE = re.compile(
    r'^!\[(?P<alt>.*?)\]\((?P<file>\S+) "(?P<title>.*?)"\)', re.MULTILINE | re.DOTALL
)


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
                example.want.strip() or "(nothing)",
                got.strip() or "(nothing)",
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


def run(argv):
    """The command. Exit status 0: every printed result is what the text says; 1: some are not; 2:
    bad usage.
    """
    from refimpl.files.whole import write_whole

    parser = argparse.ArgumentParser(
        prog="python -m refimpl lesson",
        description="Print a lesson, run its code, leave its figures.",
        epilog="exit status: 0 every result is what the text says, 1 some are not, 2 bad usage",
    )
    parser.add_argument(
        "number", nargs="?", metavar="N", help="which lesson; without it, a list of them"
    )
    parser.add_argument(
        "--pictures",
        action="store_true",
        help="draw the pictures of the READMEs from digits, into the package's own folder",
    )
    add_folder(parser, OUT / "lessons")
    args = parser.parse_args(argv)
    if args.pictures:
        from refimpl.lessons import pictures

        print("\n".join(str(pictures.FOLDER / name) for name in pictures.write()))
        return 0
    course = lessons()
    if args.number is None:
        print("\n".join(map(title_of, course.values())))
        print("\nRead, run and draw one: python -m refimpl lesson N")
        return 0
    by_name = {name: number for number in course for name in (str(number), f"{number:02}")}
    if args.number not in by_name:
        raise UsageError(
            f"lesson: expected a number from {min(course)} to {max(course)}, got "
            f"{args.number[:40]!r}"
        )
    number = by_name[args.number]
    text = course[number]
    make_folder(args.out)
    print(text, flush=True)
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
    return 1 if differences else 0
