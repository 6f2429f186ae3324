"""python -m refimpl protocol: choose what the paper leaves open on validation images, print the
whole grid and keep it as a page.
"""

from refimpl.report.options import Parser, add_dataset, add_out, load_data, make_folder


def parse(argv):
    parser = Parser(
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
    add_out(parser)
    return parser.parse_args(argv)


def search(section, data, report):
    """Search one section's grid; report(line) for every cell, and for what was chosen."""
    if section == "10":
        from refimpl.paper import section10_grid

        cells = section10_grid.grid(data, report=report)
        best = sorted(cells, key=lambda cell: cell.distance)[:32]
        again = section10_grid.repeat(data, best, report=report)
        for name, cell in section10_grid.choose(again).items():
            report(f"{name}: {cell}")
    elif section == "5":
        from refimpl.paper.protocol import PROTOCOLS, choose

        chosen, fixed = choose(data, report=report), PROTOCOLS[data.name]
        for name in ("paper", "best", "averages", "iterations"):
            ours, coded = getattr(chosen, name), getattr(fixed, name)
            report(f"{name}: {ours}" + ("" if ours == coded else f", but the code has {coded}"))
    else:
        from refimpl.paper import missing_digit, section6, section8

        module = {"6": section6, "8": section8, "missing_digit": missing_digit}[section]
        report(str(module.choose(data, report=report)))


def run(argv):
    """The command. Exit status 0: something was chosen; 2: bad usage."""
    args = parse(argv)
    data = load_data(args.dataset, args.data_dir)
    out = make_folder(args.out, args.dataset)
    lines = []

    def report(line):
        lines.append(line)
        if not args.quiet:
            print(line, flush=True)

    search(args.only, data, report)
    from refimpl.report.results import write_results

    part = args.only.replace("_", " ")
    what = f"section {part}" if part.isdecimal() else f"the {part}"
    write_results(
        out,
        f"protocol-{args.only}",
        command="protocol",
        argv=argv,
        title=f"The protocol of {what}, {data.title}",
        about="What the paper leaves open, chosen on validation images: every setting that was "
        "tried, and the one that was taken. No test image was used.",
        words=lines[-1],
        data=data,
        lines=lines,
        figures=[],
    )
    return 0
