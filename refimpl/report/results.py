"""What every command but reproduce leaves in OUT: pictures and <name>.json, with its rows of the
ledger already judged.
"""

import json
import time
from pathlib import Path

import numpy as np

from refimpl.data import NAMES, Dataset
from refimpl.files.whole import write_whole
from refimpl.ledger.claim import Measurement
from refimpl.ledger.judge import judge, measurements
from refimpl.report import front, report
from refimpl.report.provenance import recorded_command, stamped


def drawing(out):
    """([], add): add(file, title, paper, alt, draw, *args, **options) draws OUT/file and notes it
    in the list.

    The list is what JSON files and reports call figures. paper: what the paper shows there, ""
    where it shows nothing.
    """
    figures, out = [], Path(out)

    def add(file, title, paper, alt, draw, *args, **options):
        draw(out / file, *args, **options)
        figures.append({"file": file, "title": title, "paper": paper, "alt": alt})

    return figures, add


def plain(value):
    """Arrays as lists; NaN and infinity, which JSON does not know, as None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_results(
    out,
    name,
    *,
    command,
    argv,
    title,
    data,
    lines,
    figures,
    about="",
    shown="",
    words="",
    tables="",
    values=None,
    claims=(),
    **more,
):
    """Write OUT/<name>.json, all or nothing, and the page OUT/<name>.html made of it; where
    reproduce has made a report there, make it anew with this in it. The front page gets a card.

    lines: what was printed. about: a sentence for who comes across the page: what it shows. shown:
    the file of the figure that stands for all of them, by default the first; words: what stands
    there where there is no figure. tables: the same numbers as tables in Markdown. figures:
    [{"file", "title", "paper", "alt"}]. values: {id: [one a run]}, judged by the claims
    (measurements among them are kept beside); of a data set of the user's own nothing is judged,
    claims are measured only. argv: the words after the command, which the ledger's rows name with
    the processor time of this process so far. more: the command's own numbers, arrays among them.
    """
    entries = unjudged(claims) if is_own(data) else tuple(claims)
    found = plain(
        {
            "command": command,
            "ran": recorded_command(command, argv),
            "title": title,
            "about": about,
            "environment": {"dataset": data.name, "title": data.title},
            "lines": lines,
            "tables": tables,
            "figures": figures,
            "claims": stamped(judge(values or {}, entries), *_run(command, argv)),
            "measurements": measurements(values or {}, entries),
            **more,
        }
    )
    write_whole(out / f"{name}.json", json.dumps(found, indent=1))
    if (out / "results.json").exists():
        write_whole(out / "report.html", report.render(out))
    write_page(out, name, found, front.with_data(title, data.title), shown=shown, words=words)


def is_own(data):
    """Whether it is a data set of the user's own, of which the paper says nothing."""
    return isinstance(data, Dataset) and data.name not in NAMES


def unjudged(claims):
    """Claims as measurements: what is said of a data set that the paper knows nothing of.

    >>> from refimpl.ledger.claim import Claim
    >>> unjudged([Claim("a", "5", "accuracy", 91.76)])[0].what
    'accuracy'
    """
    return tuple(Measurement(c.id, c.what, c.protocol, c.heading, c.cell_of) for c in claims)


def write_page(out, name, found, title, *, shown="", words=""):
    """Write OUT/<name>.html, the page of a command's results `found` (the contents of its JSON
    file), and put its card on the front page under `title`: with what it is about, or without that
    the first line that was printed; and with the figure `shown`, or the first. words: as of
    front.add.
    """
    page = out / f"{name}.html"
    write_whole(page, report.render_command(found, out))
    printed = next((line.strip() for line in found["lines"] if line.strip()), "")
    sentence = found.get("about") or printed
    files = [figure["file"] for figure in found["figures"]]
    file = shown if shown in files else next(iter(files), None)
    picture = out / file if file else None
    front.add(f"{out}/{name}", page, title, sentence, picture, words=words)


def _run(command, argv):
    """(the command line, its seconds, what took them), for the rows of the ledger."""
    return recorded_command(command, argv), time.process_time(), "the run (processor time)"


def print_and_write(quiet, out, name, *, lines, figures, data, claims=(), **rest):
    """write_results(), and unless quiet print the lines and say where the rest is. Returns the exit
    status: 0.
    """
    claims = tuple(claims)
    if claims and is_own(data):
        lines = [*lines, "", f"{data.title} is none of the paper's data sets: nothing is judged."]
    write_results(out, name, lines=lines, figures=figures, data=data, claims=claims, **rest)
    if not quiet:
        print("\n".join(lines) + f"\n\n{len(figures)} figures and {name}.json in {out}")
    return 0
