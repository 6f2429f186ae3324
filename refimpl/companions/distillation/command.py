"""python -m refimpl compress: test accuracy against bytes, for class visualizations, distilled
images, chosen images and compressed models.
"""

from pathlib import Path

import numpy as np

from refimpl.companions.distillation import table as tables
from refimpl.report.options import Progress, add_dataset, add_out, load_data, make_folder, parser_of
from refimpl.report.room_table import add_write, check_checkout, recorded_command, write_run

README = Path(__file__).with_name("README.md")
TEN = (10,)
EPILOG = """OUT gets compress.json and the pictures; with --full what is finished is kept in
OUT/compress-store, and a run that was stopped goes on there.

example: python -m refimpl compress --dataset mnist"""

SENTENCES = (
    "Compression of the data set: images and targets on which any student of the stated kind can "
    "be "
    "trained; distilled images do that, and best for the student they were distilled for.",
    "Compression of the model: the numbers of one trained network, written with fewer bits, fewer "
    "weights or lower rank; nobody trains on them.",
    "Class visualizations are the second in the clothes of the first: they are the weights of one "
    "linear network, which they return exactly, and they cost what its weights cost.",
    "Here: {visualizations}; {bits}; {distilled}.",
    "What others report for one image a class stands in the figure as reported, not checked here: "
    "other students, other labels, other starts.",
)
QUOTED = {
    "visualizations": "ten visualizations, linear student",
    "bits": "linear, 4 bits",
    "distilled": "10 distilled, 8-bit pixels",
}


def sentences(found):
    """The five sentences under the table, the fourth with this run's numbers."""
    points = {what: (size, mean) for _, what, size, mean, *_ in found["points"]}
    quoted = {
        key: f"{what}, {points[what][0]:,} bytes, {points[what][1]:.1f} %"
        for key, what in QUOTED.items()
    }
    return [sentence.format(**quoted) for sentence in SENTENCES]


def parse(argv):
    parser = parser_of(
        "compress", "Everything that ten images, or a small model, can be worth.", EPILOG
    )
    add_dataset(parser)
    parser.add_argument(
        "--full", action="store_true", help="ten seeds, 10 to 100 images (default: one seed, ten)"
    )
    add_write(parser)
    add_out(parser)
    return parser.parse_args(argv)


def columns(headings, rows):
    """Headings and rows as lines of text, columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(headings, *rows)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in (headings, *rows)
    ]


def bounds_of(data, teacher):
    """[(bytes, accuracy)]: T19's lower bound for the linear teacher at each number of bits, where
    it says something.
    """
    from refimpl.companions.distillation import compressed_models as models
    from refimpl.metrics import accuracy

    right = accuracy(data.test_y, teacher.predict(data.test_x))
    found = []
    for bits in models.BITS:
        step = models.rounded(teacher.parameters[0], bits)[2]
        bound = right - 100 + models.dithered_agreement(teacher, data.test_x, step)
        if bound > 0:
            found.append((models.few_bits(teacher, bits)[1], bound))
    return found


def report(found, bounds):
    """The printed lines of a summary."""
    lines = [f"{found['data']}, {found['seeds']} seed{'s' * (found['seeds'] > 1)}", ""]
    lines += ["What ten images teach, test accuracy (%):", *columns(*tables.student_rows(found))]
    lines += ["", tables.starts_line(found)]
    lines += ["", "DD-Ranking's two scores:"]
    lines += columns(tables.RANKING, tables.ranking_rows(found))
    lines += ["", "The frontier:", *columns(tables.FRONTIER, tables.frontier_rows(found))]
    lines += [
        f"T19, linear teacher, {size:,} bytes: with dither at least {bound:.1f} on average"
        for size, bound in bounds
    ]
    lines += ["", *columns(tables.PRIVACY, tables.privacy_rows(found)), ""]
    return [*lines, *sentences(found)]


def seeds_of(args, data, out, progress):
    """The runs of study.measure: one, or with --full all that the store has not yet."""
    from functools import partial

    from refimpl.companions.distillation import study
    from refimpl.files.rooms import room_of
    from refimpl.report import jobs

    if not args.full:
        return [study.measure(data, 0, TEN, progress)]
    room = room_of("companions/distillation/study.py")
    mark = jobs.fingerprint((room.name, *room.leans_on))
    store = jobs.Store(out / "compress-store", mark)
    tasks = {f"{data.name}-{seed}": seed for seed in range(study.SEEDS)}
    call = partial(_one_seed, data, tasks, progress)
    found = jobs.run(list(tasks), call, store, jobs.InThisProcess(), progress)
    return list(found.values())


def _one_seed(data, tasks, progress, task):
    from refimpl.companions.distillation import study

    return study.measure(data, tasks[task], study.COUNTS, progress)


def run(argv):
    args = parse(argv)
    if args.write:
        check_checkout(README)
    from refimpl.companions.distillation import figures as draw
    from refimpl.companions.distillation import study
    from refimpl.paper.protocol import PROTOCOLS, train_teacher
    from refimpl.report.results import drawing, print_and_write
    from refimpl.threads import one_thread

    progress = Progress(args.quiet)
    data = load_data(args.dataset, args.data_dir)
    out = make_folder(args.out, args.dataset)
    with one_thread():
        runs = seeds_of(args, data, out, progress)
        bounds = bounds_of(data, train_teacher(data, 0, PROTOCOLS[data.name].best))
    found = tables.summary(data.title, runs)
    progress("")
    figures, add = drawing(out)
    add(
        "compress-frontier.png",
        "Test accuracy against bytes",
        "",
        "Distilled images and models of few bits lie on the Pareto set, class visualizations to "
        "the "
        "right of the weights that they are.",
        draw.frontier,
        data.name,
        found,
        bounds,
    )
    add(
        "compress-images.png",
        "Ten class visualizations, and ten images distilled for the kernel",
        "",
        "Two rows of ten pictures, a column a class.",
        draw.beside,
        data,
        np.array(runs[0]["images"]),
        np.array(runs[0]["visualizations"]),
    )
    if args.write:
        write_run(README, recorded_command("compress", argv), found, tables.table)
    return print_and_write(
        args.quiet,
        out,
        "compress",
        command="compress",
        title=f"What ten images can be worth, {data.title}",
        data=data,
        lines=report(found, bounds),
        figures=figures,
        values=study.values_of(data.name, runs),
        claims=study.claims(data.name),
        summary=found,
    )
