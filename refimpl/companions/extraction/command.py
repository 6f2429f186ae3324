"""python -m refimpl extract: get a whole hidden-layer network back from its images, and what that
costs and shows.
"""

from functools import partial
from pathlib import Path

import numpy as np

from refimpl.companions.extraction.table import REGIMES as WHAT
from refimpl.companions.extraction.table import SHOWN, regime_rows, table
from refimpl.report.options import (
    FEWEST,
    Progress,
    UsageError,
    add_dataset,
    add_jobs,
    add_out,
    at_least,
    check_jobs,
    check_training_images,
    load_data,
    make_folder,
    parser_of,
    positive,
)
from refimpl.report.provenance import recorded_command
from refimpl.report.room_table import add_write, check_checkout, tables_of, write_run

EPILOG = """OUT gets extract-H-ACT.json and the pictures; a run that was stopped goes on.

example: python -m refimpl extract --dataset mnist --curve 130,150,200"""
ABOUT = (
    "A network with a hidden layer comes back from images that were made of it: how many it "
    "takes, and how exactly."
)
REGIMES = ("hints", "filters", "scratch", "black_box")
README = Path(__file__).with_name("README.md")


def counts(text):
    return tuple(sorted(set(map(at_least(2), text.split(",")))))


def widths(text):
    return tuple(map(positive, text.split(",")))


def parse(argv):
    parser = parser_of(
        "extract", "Extract a network with one hidden layer from images made of it.", EPILOG
    )
    add_dataset(parser, own=True)
    parser.add_argument(
        "--hidden",
        type=widths,
        default=(30,),
        metavar="N",
        help="hidden units (default 30); 30,20: two layers",
    )
    parser.add_argument(
        "--activation",
        choices=("relu", "sigmoid", "tanh"),
        default="relu",
        metavar="NAME",
        help="relu (default), sigmoid, tanh",
    )
    parser.add_argument(
        "--regimes",
        default=",".join(REGIMES),
        metavar="LIST",
        help=f"some of {','.join(REGIMES)} (default all)",
    )
    parser.add_argument(
        "--curve",
        type=counts,
        default=(200,),
        metavar="N,..",
        help="images from scratch (default 200)",
    )
    parser.add_argument(
        "--unwhitened",
        "--plain",
        action="store_true",
        help="from scratch without whitening the images",
    )
    parser.add_argument(
        "--seeds", type=positive, default=1, metavar="N", help="teachers (default 1)"
    )
    add_jobs(parser)
    add_out(parser)
    add_write(parser)
    args = parser.parse_args(argv)
    args.given = parser.given(argv)
    check_jobs(args.given)
    return args


def tasks_of(args, regimes):
    """The tasks of every teacher, in order."""
    from refimpl.companions.extraction.tasks import Regime

    for seed in range(args.seeds):
        given = (args.dataset, args.hidden, args.activation, seed)
        for regime in ("teacher", *(name for name in regimes if name != "scratch")):
            yield Regime(*given, regime)
        for n in args.curve if "scratch" in regimes else ():
            yield Regime(*given, "scratch", n, whiten=not args.unwhitened)


def measure(args, data, regimes, out, progress):
    """[what is measured of one teacher of a Dataset, by regime: a dict a seed]; what is done is in
    OUT/units.
    """
    from refimpl.companions.extraction import tasks
    from refimpl.report.work import run_tasks

    call = partial(tasks.measure, data_dir=args.data_dir)
    path = "companions/extraction/tasks.py"
    found = run_tasks(args, out, path, list(tasks_of(args, regimes)), call, progress, data)
    runs: list[dict] = [{"scratch": {}} for _ in range(args.seeds)]
    for task, result in found.items():
        run = runs[task.seed]
        if task.regime == "teacher":
            run["teacher"] = result["accuracy"]
        elif task.regime == "scratch":
            run["scratch"][task.images] = result
        else:
            if "curve" in result:
                run[f"{task.regime}_curve"] = result.pop("curve")
            run[task.regime] = result
    return runs


def first_extraction(args, data, regimes):
    """(the first teacher, its Extraction of the first regime of known images); (None, None)
    without such a regime.
    """
    from refimpl.companions.extraction import study, tasks

    known = [name for name in ("hints", "filters") if name in regimes]
    if not known or len(args.hidden) > 1:
        return None, None
    task = tasks.Regime(args.dataset, args.hidden, args.activation, 0, known[0])
    network = tasks.teacher_of(task, args.data_dir)
    return network, {"hints": study.hints, "filters": study.filters}[known[0]](data, network)[1]


def shape_of(args, data):
    """The teachers' sizes, like 784-30-10."""
    return "-".join(map(str, (data.train_pixels.shape[1], *args.hidden, len(data.classes))))


def report(args, data, runs):
    """The lines of the regimes: mean over seeds."""
    lines = [
        f"{shape_of(args, data)}, {args.activation}, on {data.title}: "
        f"{len(runs)} teacher{'s' * (len(runs) > 1)}, test accuracy "
        f"{np.mean([run['teacher'] for run in runs]):.2f}",
        "",
        f"{'regime':52}{'numbers':>12}{'accuracy':>10}{'agreement':>11}{'error':>10}",
    ]
    for row in regime_rows(runs):
        what = f"{row['regime']:11}{WHAT[row['regime']]}"
        count = f"{row['count']:,} {row['counted']}"
        scores = f"{row['accuracy']:10.2f}{row['agreement']:11.2f}{row['error']:10.0e}"
        lines.append(f"{what:48}{count:>16}{scores}")
    for regime in ("hints", "filters"):
        if regime in runs[0]:
            one = runs[0][regime]
            lines.append(f"certificate, {regime}: {one['certificate']}: {one['why']}")
    return lines


def values_for_table(args, data, runs, extra):
    """What --write records; extra: sizes and privacy, where they were measured."""
    values = {
        "network": shape_of(args, data),
        "activation": args.activation,
        "data": data.title,
        "teachers": len(runs),
        "teacher": float(np.mean([run["teacher"] for run in runs])),
        "whitened": not args.unwhitened,
        "regimes": regime_rows(runs),
    }
    return values | ({"bytes": extra["sizes"], **extra["privacy"]} if extra else {})


def values_of(name, runs, args, privacy=None):
    """{id: [one a seed]} of the ledger, which has rows for 30 ReLU units; of privacy, which one
    teacher stands for, [one].
    """
    if (args.hidden, args.activation, args.unwhitened) != ((30,), "relu", False):
        return {}
    p, values = f"extraction/{name}", {}
    for regime in ("hints", "filters", "black_box"):
        if regime in runs[0]:
            values[f"{p}/{regime}/error"] = [run[regime]["error"] for run in runs]
    if "black_box" in runs[0]:
        values[f"{p}/black_box/queries"] = [run["black_box"]["queries"] for run in runs]
    for n in runs[0]["scratch"]:
        values[f"{p}/scratch/{n}/lost"] = [
            run["teacher"] - run["scratch"][n]["accuracy"] for run in runs
        ]
    if privacy:
        for key, network in (("teacher", "teacher"), ("student", "student of its images")):
            values[f"{p}/membership/{key}"] = [privacy["membership"][network][0]]
    return values


def costs(data, network, progress):
    """{"sizes", "privacy"} of a teacher; the privacy's own teacher is trained without the held-out
    images.
    """
    from refimpl.companions.extraction import study
    from refimpl.data import held_out

    progress("bytes")
    sizes = study.sizes(data, network)
    progress("privacy: a teacher whose held-out images are known")
    held = data.validation(min(held_out(data), 5_000))
    hidden, activation = len(network.parameters[1]), type(network.layers[1]).__name__.lower()
    teacher = study.teacher(held, hidden, activation, 0)
    images = min(2_000, len(held.test_pixels))
    return {"sizes": sizes, "privacy": study.privacy(held, teacher, 0, images=images)}


def cost_lines(sizes, privacy):
    """The lines of what costs() found."""
    lines = ["", f"{'what is shipped (regime hints)':52}{'bytes':>12}{'accuracy':>10}"]
    lines += [f"{what:52}{size:12,}{score:10.2f}" for what, size, score in sizes]
    head = "largest |cosine| of an image with any of"
    lines += ["", f"{head:52}{'training images':>16}{'unseen images':>15}"]
    for key, (members, others) in privacy["resemblance"].items():
        lines.append(f"{SHOWN[key]:52}{members:16.3f}{others:15.3f}")
    head = "share of energy in the span of"
    lines += ["", f"{head:52}{'class averages':>16}{'training images':>17}"]
    for key, (averages, members) in privacy["energy"].items():
        name = SHOWN.get(key, "as many training images")
        lines.append(f"{name:52}{averages:16.3f}{members:17.3f}")
    areas = ", ".join(
        f"{name} {area:.3f} ± {error:.3f}" for name, (area, error) in privacy["membership"].items()
    )
    head = "membership (loss threshold), area under the ROC curve, chance .5: "
    return [*lines, "", head + areas]


def regimes_of(args):
    """The regimes of --regimes, by default all that go with the other options, as a list. Raises
    UsageError on unknown ones, on one named twice, and where another option does not go with them.
    """
    regimes = args.regimes.split(",")
    if not set(regimes) <= set(REGIMES) or len(set(regimes)) < len(regimes):
        raise UsageError(
            f"--regimes: expected some of {', '.join(REGIMES)}, each once, got {args.regimes!r}"
        )
    if len(args.hidden) > 1 and (args.activation != "relu" or "hints" not in regimes):
        raise UsageError("--hidden: several layers go with relu and the regime hints")
    possible = ["hints"] if len(args.hidden) > 1 else [*REGIMES]
    if args.activation != "relu":
        possible.remove("black_box")
    beyond = [name for name in regimes if name not in possible]
    if beyond and "regimes" in args.given:
        raise UsageError(
            f"--regimes: {args.activation} with --hidden {','.join(map(str, args.hidden))} has "
            f"{', '.join(possible)}, got {', '.join(beyond)}"
        )
    regimes = [name for name in regimes if name in possible]
    for option in ("curve", "unwhitened"):
        if option in args.given and "scratch" not in regimes:
            raise UsageError(
                f"--{option} goes with the regime scratch, here are {', '.join(regimes)}"
            )
    return regimes


def draw_figures(add, name, data, images, runs):
    """Both PNG files: the images of the hidden units, and accuracy by the number of images."""
    from refimpl.companions.extraction.figures import curves
    from refimpl.report.plots import grid

    pictures = images[np.abs(images).max(axis=1) > 0][:32]
    add(
        f"{name}-images.png",
        "Hidden-unit visualizations: with the blank they are the network",
        "",
        f"{len(pictures)} small images, one a hidden unit.",
        grid,
        pictures,
        data.image_shape,
        [f"unit {i}" for i in range(len(pictures))],
    )
    add(
        f"{name}-curve.png",
        "Test accuracy against the number of images",
        "",
        "Hints reach the teacher at h + 1 images, filters near h + 1 + h/K, from scratch later.",
        curves,
        runs,
    )


def run(argv):
    args = parse(argv)
    from refimpl.companions.extraction import study
    from refimpl.report.results import drawing, print_and_write
    from refimpl.report.work import dataset

    regimes = regimes_of(args)
    if args.write:
        check_checkout(README)
    progress = Progress(args.quiet)
    data = load_data(args.dataset, args.data_dir, dataset)
    check_training_images(data, FEWEST, each=1)
    out = make_folder(args.out, args.dataset)
    runs = measure(args, data, regimes, out, progress)
    lines = report(args, data, runs)
    figures, add = drawing(out)
    extra = {}
    units = "-".join(map(str, args.hidden))
    name = f"extract-{units}-{args.activation}" + "-unwhitened" * args.unwhitened
    network, extraction = first_extraction(args, data, regimes)
    if network is not None:
        extra = costs(data, network, progress)
        lines += cost_lines(**extra)
        draw_figures(add, name, data, extraction.images, runs)
    progress("")
    values = values_for_table(args, data, runs, extra)
    if args.write:
        command = recorded_command("extract", argv).replace("--plain", "--unwhitened")
        write_run(README, command, values, table)
    return print_and_write(
        args.quiet,
        out,
        name,
        command="extract",
        argv=argv,
        lines=lines,
        tables=tables_of(values, table),
        figures=figures,
        data=data,
        runs=runs,
        about=ABOUT,
        title=f"Extraction of {units} {args.activation} units, {data.title}"
        + ", not whitened" * args.unwhitened,
        values=values_of(data.name, runs, args, extra.get("privacy")),
        claims=study.claims(data.name),
        **extra,
    )
