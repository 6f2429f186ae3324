"""python -m refimpl look: retrain a network on a class it has never seen and look again (slides);
and ten images of it.
"""

from functools import partial
from pathlib import Path

import numpy as np

from refimpl.companions.cnn.options import NETS, check_class, check_trained_on, train_first
from refimpl.report.options import (
    Progress,
    UsageError,
    add_count_of,
    add_dataset,
    add_jobs,
    add_out,
    add_steps,
    check_jobs,
    check_training_images,
    folder_of,
    load_data,
    make_folder,
    parser_of,
)
from refimpl.report.provenance import recorded_command
from refimpl.report.room_table import add_write, check_checkout, tables_of, write_run

EPILOG = """Needs scikit-image: python -m pip install 'refimpl[descriptors]'. conv and
vonc need OUT/NET.npz and OUT/NET-without-C.npz: train NET --without C
What is measured is kept in OUT/units, and a run that was stopped goes on there.

example: python -m refimpl look --runs 4"""
ABOUT = (
    "Does a network draw a class better once it has been retrained on it? Its pictures before "
    "and after, and three scores of them."
)
WHEN = ("before", "after", "chance")  # chance: images of other classes
README = Path(__file__).with_name("README.md")


def parse(argv):
    parser = parser_of("look", "Retrain on one unseen class and look again.", EPILOG)
    add_dataset(parser, own=True)
    parser.add_argument(
        "--net",
        choices=NETS,
        default="small",
        metavar="NET",
        help="small (default, trained on the spot), conv, vonc",
    )
    add_count_of(parser, "runs", 20, "runs")
    add_count_of(parser, "images", 16, "images of the class")
    parser.add_argument("--without", type=int, metavar="C", help="conv, vonc: the class held out")
    add_steps(parser, 200)
    add_jobs(parser)
    add_out(parser)
    add_write(parser)
    args = parser.parse_args(argv)
    check_jobs(parser.given(argv))
    if args.without is not None and args.net == "small":
        parser.error("--without goes with --net conv and --net vonc")
    return args


def load_networks(args, data, out):
    """(the network of all classes, the file of the network that has never seen class C), from what
    train leaves.
    """
    from refimpl import weights

    check_class(args, data)
    loaded = []
    paths = [out / f"{name}.npz" for name in (args.net, f"{args.net}-without-{args.without}")]
    for path in paths:
        try:
            loaded.append(weights.load(path))
            check_trained_on(path, data)
        except (FileNotFoundError, ValueError) as error:
            without = f" --without {args.without}" if path is paths[1] else ""
            what = f"there is no {path}" if isinstance(error, FileNotFoundError) else error
            raise UsageError(
                f"--net: {what}; {train_first(args.net, data.name, without)}"
            ) from None
    return loaded[0], paths[1]


def compare(columns, other):
    """The paired test of the pictures after retraining against another column, None where the runs
    are too few or all equal.
    """
    from refimpl.ledger.paired import paired_test

    try:
        return paired_test(columns[other], columns["after"])
    except ValueError:
        return None


def spread(column):
    """(mean, sd) of the runs that have a score, (None, None) of fewer than two."""
    if np.isfinite(column).sum() < 2:
        return None, None
    return float(np.nanmean(column)), float(np.nanstd(column, ddof=1))


def score_rows(runs):
    """One row an objective and score: {"ascent", "score", "before", "after", "chance": (mean, sd),
    "tests": {"before", "chance": a paired test or None}, "columns"}.

    runs: {objective: [look_again(...)]}.
    """
    from refimpl.companions.descriptors import study

    rows = []
    for objective, found in runs.items():
        for score in study.SCORES:
            columns = {when: np.array([run[when][score] for run in found]) for when in WHEN}
            rows.append(
                {"ascent": objective, "score": score, "columns": columns}
                | {when: spread(column) for when, column in columns.items()}
                | {"tests": {other: compare(columns, other) for other in ("before", "chance")}}
            )
    return rows


def score_line(row):
    """One row as it is printed."""
    from refimpl.companions.descriptors.study import SAY

    cells = []
    for when in WHEN:
        mean, sd = row[when]
        cells.append("-" if mean is None else f"{mean:.3f} ± {sd:.3f}")
    tests = [
        f"{test.mean:+9.3f} ± {test.half:.3f}{test.p:7.3f}" if test else f"{'-':>25}"
        for test in row["tests"].values()
    ]
    return f"{SAY[row['score']]:22}" + "".join(f"{c:>15}" for c in cells) + "  " + "  ".join(tests)


def score_lines(runs, rows):
    """The rows of score_rows, printed below a head for each objective."""
    lines = []
    for objective, found in runs.items():
        before, after = (
            np.mean([run["moved"][when] for run in found]) for when in ("before", "after")
        )
        lines += [
            "",
            f"pictures by {objective} ascent{' (slides)' if objective == 'probability' else ''}, "
            f"rms change from the start: before {before:.3f}, after {after:.3f}",
            f"{'':22}{'before':>15}{'after':>15}{'chance':>15}"
            f"{'after - before':>18}{'p':>7}{'after - chance':>18}{'p':>7}",
        ]
        lines += [score_line(row) for row in rows if row["ascent"] == objective]
    return lines


def ledger_values(rows, ten):
    """{id part: [one a run]} of the scores that are defined, and of the ten images."""
    from refimpl.companions.descriptors.printed import TABLE3
    from refimpl.companions.descriptors.study import medians

    values = {}
    for row in rows:
        for when, column in row["columns"].items():
            defined = column[~np.isnan(column)].tolist()
            if defined:
                values[f"{row['ascent']}/{when}/{row['score']}"] = defined
            if (row["ascent"], row["score"]) == (
                "probability",
                TABLE3["score"],
            ) and when != "chance":
                values[f"probability/{when}/{row['score']}/median"] = medians(defined)
    values = {id: found for id, found in values.items() if found}
    return values | {f"ten/{key}": [value] for key, value in ten.items()}


def values_for_table(rows, slip, ten, title, runs):
    """What --write records."""
    from refimpl.companions.descriptors.study import BATCH, SAY

    scores = []
    for row in rows:
        p = {f"p_{other}": test.p if test else None for other, test in row["tests"].items()}
        means = {when: row[when] for when in WHEN}
        scores.append({"ascent": row["ascent"], "score": SAY[row["score"]], **means, **p})
    found = {"scores": scores, "slip": slip, "ten": ten}
    return {"network": title, "batch": BATCH, "runs": runs, **found}


def look(args, data, out, file, progress):
    """({objective: [look_again(...)]}, the scores with the slides' lookup slip, pictures to show);
    the runs are kept in OUT/units.
    """
    from refimpl.companions.descriptors import study, tasks
    from refimpl.report.work import run_tasks

    network = tasks.network_name(args.net, file) if file else args.net
    units = [
        tasks.Look(
            args.dataset,
            network,
            c=args.without if file else i % len(data.classes),
            images=args.images,
            steps=args.steps,
            run=i,
        )
        for i in range(args.runs)
    ]
    call = partial(tasks.measure, data_dir=args.data_dir, file=file)
    path = "companions/descriptors/tasks.py"
    found = run_tasks(args, out, path, units, call, progress, data)
    runs = {name: [run[name] for run in found.values()] for name in study.OBJECTIVES}
    shown = [
        (f"{data.classes[unit.c]}, {objective}, {when}", np.array(run[objective]["pictures"][when]))
        for unit, run in list(found.items())[: tasks.SHOWN]
        for objective in study.OBJECTIVES
        for when in ("before", "after")
    ]
    return runs, [run["slip"] for run in found.values()], shown


def closing_lines(slip, ten, count):
    """What is printed below the scores: the slides' own, their slip, the ten images; count: how
    many they are, in words.
    """
    from refimpl.companions.descriptors.printed import TABLE3
    from refimpl.companions.descriptors.study import NOT_JUDGED

    return [
        "",
        f"the slides print, for {TABLE3['network']}: bag of words {TABLE3['before']} before, "
        f"{TABLE3['after']} after, median {TABLE3['median'][1]}; sd {TABLE3['sd']}, "
        f"{TABLE3['runs']} tries",
        "with their lookup slip (vocabulary standardized, descriptors not), bag of words: "
        + ", ".join(f"{when} {slip[when]:.3f}" for when in WHEN),
        "",
        f"The paper's pipeline on this network: {count} images by log-probability ascent from "
        "grey noise",
        f"test accuracy: network {ten['network']:.2f}, linear student {ten['linear']:.2f} "
        f"(agrees on {ten['agreement']:.2f}), same architecture {ten['same']:.2f}, 8-bit PNG "
        f"{ten['png']:.2f}",
        *(f"not judged: {what}" for _, what in NOT_JUDGED),
    ]


def one_a_class(data):
    """How many classes there are, in words where they are the paper's ten."""
    return "ten" if len(data.classes) == 10 else str(len(data.classes))


def draw_figures(add, args, data, shown, images):
    """Both PNG files."""
    from refimpl.companions.descriptors.study import IMAGES
    from refimpl.report.plots import gallery

    add(
        f"look-{args.net}-pictures.png",
        "The output of an unseen class, before and after",
        "The slides' pictures of VGG-16.",
        "Rows: class, objective, before and after; four starts.",
        gallery,
        shown,
        data.image_shape,
        [str(i + 1) for i in range(IMAGES)],
    )
    add(
        f"look-{args.net}-ten.png",
        f"{one_a_class(data).capitalize()} class visualizations of the network",
        "",
        "One picture a class.",
        gallery,
        [(f"{one_a_class(data)} images", images)],
        data.image_shape,
        data.classes,
    )


def check_count(images, data):
    """Raises UsageError where a class has too few images, to retrain on and to compare with."""
    from refimpl.companions.descriptors.study import REFERENCE

    check_training_images(data, each=REFERENCE + 1)
    most = int(np.bincount(data.train_y).min()) - REFERENCE
    if images > most:
        raise UsageError(f"--images: expected 1 to {most}, got {images}")


def prepare(args, progress):
    """(data, the folder of the results, the network of all classes, the file of the network that
    has not seen class --without, None where the networks are trained on the spot); every reason to
    refuse comes before the training.
    """
    from refimpl.companions.cnn.options import train_small, untrained_small
    from refimpl.companions.descriptors.correspondence import scikit_image
    from refimpl.report.work import dataset

    data = load_data(args.dataset, args.data_dir, dataset)
    check_count(args.images, data)
    whole, file = None, None
    if args.net == "small":
        untrained_small(data, 0)  # says where it does not fit, before the folder is made
    else:
        whole, file = load_networks(args, data, folder_of(args.out, args.dataset))
    try:
        scikit_image("skimage.feature")
    except ImportError as error:
        raise UsageError(error) from None
    out = make_folder(args.out, args.dataset)
    if whole is None:
        whole = train_small(data, 0, progress)
    return data, out, whole, file


def run(argv):
    args = parse(argv)
    from refimpl.companions.descriptors import study
    from refimpl.companions.descriptors.table import table
    from refimpl.report.results import drawing, print_and_write

    if args.write:
        check_checkout(README)
    progress = Progress(args.quiet)
    data, out, whole, file = prepare(args, progress)
    runs, slips, shown = look(args, data, out, file, progress)
    slip = {when: np.nanmean([run[when]["bag_of_words"] for run in slips]) for when in WHEN}
    progress("ten images")
    ten, images = study.ten_images(whole, data, args.net, 0)
    rows = score_rows(runs)
    title = f"Retraining on one unseen class, {args.net} on {data.title}"
    figures, add = drawing(out)
    draw_figures(add, args, data, shown, images)
    progress("")
    values = values_for_table(rows, slip, ten, f"{args.net} on {data.title}", args.runs)
    if args.write:
        write_run(README, recorded_command("look", argv), values, table)
    return print_and_write(
        args.quiet,
        out,
        f"look-{args.net}",
        command="look",
        argv=argv,
        title=title,
        about=ABOUT,
        data=data,
        lines=[
            f"{title}: {args.runs} runs, {args.images} images of the class,",
            f"{study.IMAGES} pictures a run against {study.REFERENCE} other images of the class",
            *score_lines(runs, rows),
            *closing_lines(slip, ten, one_a_class(data)),
        ],
        tables=tables_of(values, table),
        figures=figures,
        runs=args.runs,
        claims=study.claims(data.name),
        values={
            f"slides/{data.name}/{args.net}/{key}": found
            for key, found in ledger_values(rows, ten).items()
        },
    )
