"""What every command but reproduce leaves in OUT: pictures and <name>.json, with its rows of the
ledger already judged.
"""

import json
import time
from pathlib import Path

import numpy as np

from refimpl.files.whole import write_whole
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
    out, name, *, command, argv, title, data, lines, figures, values=None, claims=(), **more
):
    """Write OUT/<name>.json, all or nothing; where reproduce has made a report there, make it anew
    with this in it.

    lines: what was printed. figures: [{"file", "title", "paper", "alt"}]. values: {id: [one a
    run]}, judged by the claims (measurements among them are kept beside). argv: the words after
    the command, which the ledger's rows name with the processor time of this process so far. more:
    the command's own numbers, arrays among them.
    """
    entries = tuple(claims)
    write_whole(
        out / f"{name}.json",
        json.dumps(
            plain(
                {
                    "command": command,
                    "title": title,
                    "environment": {"dataset": data.name, "title": data.title},
                    "lines": lines,
                    "figures": figures,
                    "claims": stamped(judge(values or {}, entries), *_run(command, argv)),
                    "measurements": measurements(values or {}, entries),
                    **more,
                }
            ),
            indent=1,
        ),
    )
    if (out / "results.json").exists():
        write_whole(out / "report.html", report.render(out))
    shown = out / figures[0]["file"] if figures else None
    opens = next(
        path
        for path in (out / "report.html", shown, out / f"{name}.json")
        if path and path.is_file()
    )
    sentence = next((line.strip() for line in lines if line.strip()), "")
    front.add(f"{out}/{name}", opens, f"{title}, {data.title}", sentence, shown)


def _run(command, argv):
    """(the command line, its seconds, what took them), for the rows of the ledger."""
    return recorded_command(command, argv), time.process_time(), "the run (processor time)"


def print_and_write(quiet, out, name, *, lines, figures, **rest):
    """write_results(), and unless quiet print the lines and say where the rest is. Returns the exit
    status: 0.
    """
    write_results(out, name, lines=lines, figures=figures, **rest)
    if not quiet:
        print("\n".join(lines) + f"\n\n{len(figures)} figures and {name}.json in {out}")
    return 0
