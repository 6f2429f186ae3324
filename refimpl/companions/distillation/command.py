"""python -m refimpl compress: test accuracy against bytes, for class visualizations, distilled
images, chosen images and compressed models.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from refimpl.companions.distillation import table as tables
from refimpl.companions.distillation.parts import COUNTS, PARTS, SEEDS, tasks_of
from refimpl.report.options import (
    FEWEST,
    Progress,
    UsageError,
    add_dataset,
    add_out,
    check_training_images,
    load_data,
    make_folder,
    parser_of,
    positive,
)
from refimpl.report.provenance import recorded_command
from refimpl.report.room_table import add_write, check_checkout, tables_of, write_run

README = Path(__file__).with_name("README.md")
EPILOG = """OUT gets compress.json and the pictures; what is finished of several seeds is
kept in OUT/compress-store, and a run that was stopped goes on there.

example: python -m refimpl compress --dataset mnist"""

SENTENCES = (
    "Compression of the data set: images and targets on which any student of the stated kind can "
    "be "
    "trained; distilled images do that, and best for the student they were distilled for.",
    "Compression of the model: the numbers of one trained network, written with fewer bits, fewer "
    "weights or lower rank; nobody trains on them.",
    "Class visualizations are the second in the clothes of the first: the weights of one linear "
    "network, which they return exactly, at the bytes of its weights; another student that is "
    "trained on them comes near that network.",
    "Here: {visualizations}; {bits}; {distilled}.",
    "What others report for one image a class stands in the figure as reported, not checked here: "
    "other students, other labels, other starts.",
)
QUOTED = {
    "visualizations": "ten visualizations, linear student",
    "bits": "linear, 4 bits",
    "distilled": "{} distilled, 8-bit pixels",
}


def sentences(found):
    """The five sentences under the table, the fourth with this run's numbers; none where a part
    that they speak of was not measured.
    """
    points = {what: (size, mean) for _, what, size, mean, *_ in found["points"]}
    names = {key: what.format(found["bytes"][2]) for key, what in QUOTED.items()}  # classes
    if not set(names.values()) <= set(points):
        return []
    quoted = {
        key: f"{what}, {points[what][0]:,} bytes, {points[what][1]:.1f} %"
        for key, what in names.items()
    }
    return [sentence.format(**quoted) for sentence in SENTENCES]


def parts_of(text):
    """The parts of a list like kernel,students, in their own order.

    >>> parts_of("frontier,kernel")
    ('kernel', 'frontier')
    """
    named = text.split(",")
    if not set(named) <= set(PARTS):
        raise argparse.ArgumentTypeError(f"expected some of {','.join(PARTS)}, got {text!r}")
    return tuple(part for part in PARTS if part in named)


def counts_of(text):
    """Numbers of images, without repetitions, in ascending order.

    >>> counts_of("20,10")
    (10, 20)
    """
    return tuple(sorted(set(map(positive, text.split(",")))))


def parse(argv):
    parser = parser_of(
        "compress", "Everything that ten images, or a small model, can be worth.", EPILOG
    )
    add_dataset(parser, own=True)
    parser.add_argument(
        "--parts",
        type=parts_of,
        default=PARTS,
        metavar="LIST",
        help="some of kernel,students,frontier (default all)",
    )
    parser.add_argument(
        "--images", type=counts_of, metavar="N,..", help="for the kernel (default one a class)"
    )
    parser.add_argument("--seeds", type=positive, metavar="N", help="(default 1)")
    parser.add_argument("--full", action="store_true", help="ten seeds; 1, 2, 5, 10 images a class")
    parser.add_argument(
        "--tried", action="store_true", help="instead: what was tried on validation images"
    )
    add_write(parser)
    add_out(parser)
    args = parser.parse_args(argv)
    beside = parser.given(argv) & {"parts", "images", "seeds", "full"}
    if args.tried and beside:
        raise UsageError(f"--tried goes without --{', --'.join(sorted(beside))}")
    args.seeds = args.seeds or (SEEDS if args.full else 1)
    return args


def counts_for(args, classes):
    """The numbers of images of --images, by default one a class; with --full COUNTS, which are for
    ten classes, in proportion.
    """
    counts = COUNTS if args.full else COUNTS[:1]
    return args.images or tuple(classes * n // COUNTS[0] for n in counts)


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


def report(found, bounds, said=lambda value: value):
    """The printed lines of a summary; said: see tables.in_words_of."""
    lines = [tables.seeds_of(found)]
    for words, headings, rows in said(tables.sections(found)):
        lines += ["", words, *columns(headings, rows)]
    lines += [
        f"T19, linear teacher, {size:,} bytes: with dither at least {bound:.1f} on average"
        for size, bound in bounds
    ]
    return [*lines, "", *said(sentences(found))]


def results(args, data, out, progress):
    """{task: what it gave}; several seeds are kept in the store, which is asked first."""
    from refimpl.companions.distillation import study
    from refimpl.report import jobs
    from refimpl.report.work import store_of

    tasks = tasks_of(args.parts, args.images, args.seeds)
    if args.seeds == 1:
        return {task: study.measure(data, task, progress) for task in tasks}
    store = store_of(out / "compress-store", "companions/distillation/study.py", data)
    call = partial(_one, data, progress)
    return jobs.run(tasks, call, store, jobs.InThisProcess(), progress)


def _one(data, progress, task):
    from refimpl.companions.distillation import study

    return study.measure(data, task, progress)


def draw_figures(add, data, found, bounds, first):
    """The frontier, and ten visualizations above ten distilled images, where they were made."""
    from refimpl.companions.distillation import figures as draw

    add(
        "compress-frontier.png",
        "Test accuracy against bytes",
        "",
        "Distilled images and models of few bits lie on the Pareto set, class visualizations to "
        "the right of the weights that they are.",
        draw.frontier,
        data.name,
        found,
        bounds,
    )
    if "images" in first and "visualizations" in first:
        add(
            "compress-images.png",
            "Ten class visualizations, and ten images distilled for the kernel",
            "",
            "Two rows of ten pictures, a column a class.",
            draw.beside,
            data,
            np.array(first["images"]),
            np.array(first["visualizations"]),
        )


def run_tried(args, argv, data, out, progress):
    """Measure and leave what was tried on validation images."""
    from refimpl.companions.distillation import choices
    from refimpl.report.results import print_and_write
    from refimpl.threads import one_thread

    held_out = data.validation(min(5_000, len(data.train_pixels) // 5))
    with one_thread():
        kernel = choices.kernel_rows(held_out, progress)
        finite = choices.finite_rows(held_out, progress)
    found = tables.tried(data.title, kernel, finite)
    progress("")
    if args.write:
        write_run(README, recorded_command("compress", argv), found, tables.table)
    said = partial(tables.in_words_of, data)
    lines = [tables.seeds_of(found)]
    for words, headings, rows in said(tables.sections(found)):
        lines += ["", words, *columns(headings, rows)]
    return print_and_write(
        args.quiet,
        out,
        "compress-tried",
        argv=argv,
        command="compress",
        title=said("Ten images: what was tried on validation images") + f", {data.title}",
        about=said("What was tried for ten distilled images, scored on validation images."),
        data=data,
        lines=lines,
        figures=[],
        values={},
        claims=(),
        summary=said(found),
    )


def run(argv):
    args = parse(argv)
    if args.write:
        check_checkout(README)
    from refimpl.companions.distillation import study
    from refimpl.paper.protocol import protocol_of, train_teacher
    from refimpl.report.results import drawing, print_and_write
    from refimpl.threads import one_thread

    progress = Progress(args.quiet)
    data = load_data(args.dataset, args.data_dir)
    check_training_images(data, FEWEST, each=1)
    args.images = counts_for(args, len(data.classes))
    try:
        study.check_counts(data, args.images)
    except ValueError as error:
        raise UsageError(f"--images: {str(error).removeprefix('count: ')}") from None
    out = make_folder(args.out, args.dataset)
    if args.tried:
        return run_tried(args, argv, data, out, progress)
    bounds = []
    with one_thread():
        try:
            runs = study.together(results(args, data, out, progress))
        except FloatingPointError as error:
            raise UsageError(
                f"--dataset: on {data.title} a training diverges ({error}); --parts without "
                "students may do"
            ) from None
        if "frontier" in args.parts:
            bounds = bounds_of(data, train_teacher(data, 0, protocol_of(data.name).best))
    size, classes = data.train_pixels.shape[1], len(data.classes)
    found = tables.summary(data.title, runs, pixels=size, classes=classes)
    values = study.values_of(data.name, runs, classes)
    progress("")
    figures, add = drawing(out)
    if found["points"]:
        draw_figures(add, data, found, bounds, runs[0])
    said = partial(tables.in_words_of, data)
    if args.write:
        write_run(README, recorded_command("compress", argv), found, tables.table)
    return print_and_write(
        args.quiet,
        out,
        "compress",
        command="compress",
        argv=argv,
        title=said("What ten images can be worth") + f", {data.title}",
        about=said(
            "What ten images, or a small model, can be worth: the test accuracy of students, and "
            "the bytes that are handed over for it."
        ),
        data=data,
        lines=report(found, bounds, said),
        tables=said(tables_of(found, tables.table)),
        figures=said(figures),
        values=values,
        claims=study.claims(data.name),
        summary=said(found),
    )
