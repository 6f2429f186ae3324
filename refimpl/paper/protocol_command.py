"""python -m refimpl protocol: choose what the paper leaves open on validation images, and print the
whole grid.
"""

import argparse

from refimpl.report.options import add_dataset, load_data


def run(argv):
    parser = argparse.ArgumentParser(
        prog="python -m refimpl protocol",
        description="Choose what the paper leaves open on "
        "validation images and print every cell of the grid.",
    )
    add_dataset(parser)
    parser.add_argument(
        "--only",
        "--section",  # the name of 0.1.0
        dest="only",
        choices=("5", "6", "8", "10", "missing_digit"),
        default="5",
        metavar="SECTION",
        help="5 (default: the teachers, and section 7's), 6, 8, 10 (minutes), missing_digit",
    )
    args = parser.parse_args(argv)
    data = load_data(args.dataset, args.data_dir)

    def report(line):
        print(line, flush=True)

    if args.only == "10":
        from refimpl.paper import section10_grid

        cells = section10_grid.grid(data, report=report)
        best = sorted(cells, key=lambda cell: cell.distance)[:32]
        for name, cell in section10_grid.choose(
            section10_grid.repeat(data, best, report=report)
        ).items():
            print(f"{name}: {cell}")
        return 0
    if args.only != "5":
        from refimpl.paper import missing_digit, section6, section8

        module = {"6": section6, "8": section8, "missing_digit": missing_digit}[args.only]
        print(module.choose(data, report=report))
        return 0
    from refimpl.paper.protocol import PROTOCOLS, choose

    chosen, fixed = choose(data, report=report), PROTOCOLS[data.name]
    for name in ("paper", "best", "averages", "iterations"):
        ours, coded = getattr(chosen, name), getattr(fixed, name)
        print(f"{name}: {ours}" + ("" if ours == coded else f", but the code has {coded}"))
    return 0
