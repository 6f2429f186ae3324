"""python -m refimpl extract: get a whole hidden-layer network back from its images, and what that
costs and shows.
"""

import numpy as np

from refimpl.report.options import (
    Progress,
    UsageError,
    add_dataset,
    add_out,
    at_least,
    load_data,
    made,
    parser_of,
    positive,
)

EPILOG = """OUT gets extract-H-ACT.json and the pictures.

example: python -m refimpl extract --dataset mnist --curve 130,150,200"""


def counts(text):
    return tuple(sorted(set(map(at_least(2), text.split(",")))))


def widths(text):
    return tuple(map(positive, text.split(",")))


def parse(argv):
    parser = parser_of(
        "extract", "Extract a network with one hidden layer from images made of it.", EPILOG
    )
    add_dataset(parser)
    parser.add_argument(
        "--hidden",
        type=widths,
        default=(30,),
        metavar="N",
        help="hidden units (default 30); 30,20: two layers, ReLU, hints",
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
        default="hints,filters,scratch,black_box",
        metavar="LIST",
        help="some of hints,filters,scratch,black_box (default all)",
    )
    parser.add_argument(
        "--curve",
        type=counts,
        default=(200,),
        metavar="N,..",
        help="images from scratch (default 200)",
    )
    parser.add_argument(
        "--plain", action="store_true", help="from scratch without whitening the images"
    )
    parser.add_argument(
        "--seeds", type=positive, default=1, metavar="N", help="teachers (default 1)"
    )
    add_out(parser)
    return parser.parse_args(argv)


def measure(args, data, regimes, progress):
    """([one dict a seed], the first seed's teacher and Extraction of hints or None)."""
    from refimpl.companions.extraction import study
    from refimpl.metrics import accuracy

    runs, first = [], None
    for seed in range(args.seeds):

        def tell(text, seed=seed):
            progress(f"seed {seed}: {text}")

        tell("training the teacher")
        network = (
            study.teacher(data, args.hidden[0], args.activation, seed)
            if len(args.hidden) == 1
            else study.deeper(data, args.hidden, seed)
        )
        run: dict = {"teacher": accuracy(data.test_y, network.predict(data.test_x))}
        for regime in ("hints", "filters"):
            if regime in regimes:
                tell(regime)
                found, e = {"hints": study.hints, "filters": study.filters}[regime](data, network)
                run[regime] = found | {
                    "images": len(e.images),
                    "certificate": e.certificate.exact,
                    "why": e.certificate.reason,
                }
                run[f"{regime}_curve"] = study.curve(
                    data, network, regime, study.COUNTS[regime], report=tell
                )
                first = first or (network, e)
        if "black_box" in regimes and args.activation == "relu":
            tell("black box")
            run["black_box"] = study.black_box(data, network, seed)
        run["scratch"] = {}
        for n in args.curve if "scratch" in regimes else ():
            tell(f"from scratch, {n} images")
            run["scratch"][n] = study.scratch(data, network, n, seed, whiten=not args.plain)
        runs.append(run)
    return runs, first


def report(args, data, runs):
    """The lines of the regimes: mean over seeds."""

    def mean(regime, key):
        return float(np.mean([run[regime][key] for run in runs]))

    d, k = data.train_x.shape[1], len(data.classes)
    lines = [
        f"{'-'.join(map(str, (d, *args.hidden, k)))}, {args.activation}, on {data.title}: "
        f"{len(runs)} teacher{'s' * (len(runs) > 1)}, test accuracy "
        f"{np.mean([run['teacher'] for run in runs]):.2f}",
        "",
        f"{'regime':52}{'numbers':>12}{'accuracy':>10}{'agreement':>11}{'error':>10}",
    ]
    words = {
        "hints": "a  hidden pre-activations as hints",
        "filters": "b  logits only, visualizations as filters",
        "black_box": "d  queries of the logits alone",
    }
    for regime, what in words.items():
        if regime in runs[0]:
            what_counts = "queries" if regime == "black_box" else "images"
            count = f"{mean(regime, what_counts):,.0f} {what_counts}"
            lines.append(
                f"{what:48}{count:>16}{mean(regime, 'accuracy'):10.2f}{mean(regime, 'agreement'):11.2f}"
                f"{max(run[regime]['error'] for run in runs):10.0e}"
            )
    for n in runs[0]["scratch"]:
        rows = [run["scratch"][n] for run in runs]
        score, agree = (np.mean([row[key] for row in rows]) for key in ("accuracy", "agreement"))
        lines.append(
            f"{'c  logits only, unordered, from scratch':48}{f'{n} images':>16}{score:10.2f}{agree:11.2f}"
            f"{max(row['error'] for row in rows):10.0e}"
        )
    for regime in ("hints", "filters"):
        if regime in runs[0]:
            lines.append(
                f"certificate, {regime}: {runs[0][regime]['certificate']}: {runs[0][regime]['why']}"
            )
    return lines


def values_of(name, runs, args):
    """{id: [one a seed]} of the ledger, which has rows for 30 ReLU units."""
    if (args.hidden, args.activation, args.plain) != ((30,), "relu", False):
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
    return values


def costs(data, network, progress):
    """(lines, sizes, privacy) of a teacher; the privacy's own teacher is trained without the
    held-out images.
    """
    from refimpl.companions.extraction import study
    from refimpl.data import VALIDATION

    progress("bytes")
    sizes = study.sizes(data, network)
    progress("privacy: a teacher whose held-out images are known")
    held = data.validation(min(VALIDATION[data.name], 5_000))
    hidden, activation = len(network.parameters[1]), type(network.layers[1]).__name__.lower()
    shown = study.privacy(
        held, study.teacher(held, hidden, activation, 0), 0, images=min(2_000, len(held.test_x))
    )
    lines = ["", f"{'what is shipped (regime a)':52}{'bytes':>12}{'accuracy':>10}"]
    lines += [f"{what:52}{size:12,}{score:10.2f}" for what, size, score in sizes]
    lines += [
        "",
        f"{'largest |cosine| of an image with any of':52}{'training images':>16}{'unseen images':>15}",
    ]
    names = ["extraction images", "the same of an untrained network"]
    lines += [
        f"{name:52}{a:16.3f}{b:15.3f}"
        for name, (a, b) in zip([*names, "class averages"], shown["resemblance"].values())
    ]
    lines += [
        "",
        f"{'share of energy in the span of':52}{'class averages':>16}{'training images':>17}",
    ]
    names += ["as many training images", "class averages"]
    lines += [
        f"{name:52}{a:16.3f}{b:17.3f}" for name, (a, b) in zip(names, shown["energy"].values())
    ]
    lines += [
        "",
        "membership (loss threshold), area under the ROC curve, chance .5: "
        + ", ".join(
            f"{name} {area:.3f} ± {error:.3f}"
            for name, (area, error) in shown["membership"].items()
        ),
    ]
    return lines, sizes, shown


def run(argv):
    args = parse(argv)
    from refimpl.companions.extraction import study
    from refimpl.companions.extraction.figures import curves
    from refimpl.report.plots import grid
    from refimpl.report.results import drawing, finish

    regimes = args.regimes.split(",")
    known = ("hints", "filters", "scratch", "black_box")
    if not set(regimes) <= set(known):
        raise UsageError(f"--regimes: expected some of {', '.join(known)}, got {args.regimes!r}")
    if len(args.hidden) > 1 and (args.activation != "relu" or not {"hints"} & set(regimes)):
        raise UsageError("--hidden: several layers go with relu and the regime hints")
    regimes = regimes if len(args.hidden) == 1 else ["hints"]
    progress = Progress(args.quiet)
    data = load_data(args.dataset, args.data_dir)
    out = made(args.out, args.dataset)
    runs, first = measure(args, data, regimes, progress)
    lines, (figures, add), extra = report(args, data, runs), drawing(out), {}
    units = "-".join(map(str, args.hidden))
    name = f"extract-{units}-{args.activation}" + "-plain" * args.plain
    if first and len(args.hidden) == 1:
        more, sizes, shown = costs(data, first[0], progress)
        lines, extra = lines + more, {"sizes": sizes, "privacy": shown}
        pictures = first[1].images[np.abs(first[1].images).max(axis=1) > 0][:32]
        add(
            f"{name}-images.png",
            "Hidden-unit visualizations: with the blank they are the network",
            "",
            f"{len(pictures)} small images, one a hidden unit.",
            grid,
            pictures,
            data.image_shape,
            [str(i + 1) for i in range(len(pictures))],
        )
        add(
            f"{name}-curve.png",
            "Test accuracy against the number of images",
            "",
            "Hints reach the teacher at h + 1 images, filters near h + 1 + h/K, from scratch "
            "later.",
            curves,
            runs,
        )
    progress("")
    return finish(
        args.quiet,
        out,
        name,
        command="extract",
        lines=lines,
        figures=figures,
        data=data,
        runs=runs,
        title=f"Extraction of {units} {args.activation} units, {data.title}",
        values=values_of(data.name, runs, args),
        claims=study.claims(data.name),
        **extra,
    )
