"""python -m refimpl report: one page of what the commands left in a folder."""

from pathlib import Path

from refimpl.report.options import OUT, Parser, UsageError


def run(argv):
    """The command. Exit status 0: at least one page was written; 2: nothing to report."""
    parser = Parser(
        prog="python -m refimpl report",
        usage="python -m refimpl report [DIR] [-h]",
        description="Make DIR/report.html, and one in each folder of DIR, from what the commands "
        "left there.",
    )
    parser.add_argument(
        "dir", nargs="?", type=Path, default=OUT, metavar="DIR", help="default refimpl-out"
    )
    out = parser.parse_args(argv).dir
    from refimpl.files.whole import write_whole
    from refimpl.report import front
    from refimpl.report.report import render

    made = []
    for folder in (f for f in (out, *sorted(out.glob("*/"))) if f.is_dir()):
        try:
            text = render(folder)
        except FileNotFoundError:
            continue
        write_whole(folder / "report.html", text)
        made.append(folder / "report.html")
        sentence = "What the commands left in this folder, on one page."
        if not (folder / "results.json").is_file():  # whose report has a card of its own
            front.add(f"{folder}/report", made[-1], f"Everything in {folder.name}", sentence)
    if not made:
        raise UsageError(f"DIR: no results in {out} or its folders; run another command first")
    print("\n".join(f"Report: {path}" for path in made))
    return 0
