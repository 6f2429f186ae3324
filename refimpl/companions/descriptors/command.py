"""python -m refimpl look: retrain a network on a class it has never seen and look again (slides);
and ten images of it.
"""

import numpy as np

from refimpl.companions.cnn.options import NETS, check_class
from refimpl.report.options import (
    Progress,
    UsageError,
    add_dataset,
    add_out,
    add_steps,
    folder_of,
    load_data,
    made,
    parser_of,
    positive,
)

EPILOG = """Needs scikit-image: pip install 'refimpl[descriptors]'. conv and vonc need
OUT/NET.npz and OUT/NET-without-C.npz: python -m refimpl train NET --without C

example: python -m refimpl look --runs 4"""


def parse(argv):
    parser = parser_of("look", "Retrain on one unseen class and look again.", EPILOG)
    add_dataset(parser)
    parser.add_argument(
        "--net",
        choices=NETS,
        default="small",
        metavar="NET",
        help="small (default, trained on the spot), conv, vonc",
    )
    parser.add_argument("--runs", type=positive, default=20, metavar="N", help="runs (default 20)")
    parser.add_argument(
        "--images", type=positive, default=16, metavar="N", help="images of the class (default 16)"
    )
    parser.add_argument("--without", type=int, metavar="C", help="conv, vonc: the class held out")
    add_steps(parser, 200)
    add_out(parser)
    args = parser.parse_args(argv)
    if args.without is not None and args.net == "small":
        parser.error("--without goes with --net conv and --net vonc")
    return args


def trained(args, data, progress):
    """(the small network of all classes, {c: one that has never seen class c}), trained on the
    spot.
    """
    from refimpl.companions.cnn.options import train_small

    classes = range(min(args.runs, len(data.classes)))
    return train_small(data, 0, progress), {
        c: train_small(data, c + 1, progress, without=c) for c in classes
    }


def of_files(args, data, out):
    """(the network of all classes, {C: the network that has never seen class C}), from the files
    that train leaves.
    """
    from refimpl import weights

    check_class(args, data)
    loaded = []
    for name in (args.net, f"{args.net}-without-{args.without}"):
        path = out / f"{name}.npz"
        try:
            loaded.append(weights.load(path))
        except (FileNotFoundError, ValueError) as error:
            what = f"there is no {path}" if isinstance(error, FileNotFoundError) else error
            raise UsageError(
                f"--net: {what}; train it with: python -m refimpl train {args.net} --dataset "
                f"{data.name}" + (f" --without {args.without}" if "without" in name else "")
            ) from None
    return loaded[0], {args.without: loaded[1]}


def table(runs, slides):
    """(lines, {id part: [one a run]}) of all runs: {objective: [look_again(...)]}, with paired
    tests.
    """
    from refimpl.ledger.paired import paired_test

    lines: list[str] = []
    values: dict[str, list[float]] = {}
    for objective, found in runs.items():
        lines += [
            "",
            f"pictures by {objective} ascent{' (slides)' if objective == 'probability' else ''}, "
            f"rms change "
            f"from the start: before {np.mean([r['moved']['before'] for r in found]):.3f}, "
            f"after {np.mean([r['moved']['after'] for r in found]):.3f}",
            f"{'':22}{'before':>15}{'after':>15}{'chance':>15}"
            f"{'after - before':>18}{'p':>7}{'after - chance':>18}{'p':>7}",
        ]
        for score in slides.SCORES:
            columns = {
                when: np.array([r[when][score] for r in found])
                for when in ("before", "after", "chance")
            }
            values |= {
                f"{objective}/{when}/{score}": c[~np.isnan(c)].tolist()
                for when, c in columns.items()
            }
            cells = [
                f"{np.nanmean(c):.3f} ± {np.nanstd(c, ddof=1):.3f}"
                if np.isfinite(c).sum() > 1
                else "-"
                for c in columns.values()
            ]
            tests = []
            for other in ("before", "chance"):
                try:
                    test = paired_test(columns[other], columns["after"])
                    tests.append(f"{test.mean:+9.3f} ± {test.half:.3f}{test.p:7.3f}")
                except ValueError:
                    tests.append(f"{'-':>25}")
            lines.append(
                f"{slides.SAY[score]:22}"
                + "".join(f"{c:>15}" for c in cells)
                + "  "
                + "  ".join(tests)
            )
    return lines, {key: v for key, v in values.items() if v}


def run(argv):
    args = parse(argv)
    from refimpl.companions.descriptors import study as slides
    from refimpl.companions.descriptors.correspondence import scikit_image
    from refimpl.companions.descriptors.printed import TABLE3
    from refimpl.report.plots import gallery
    from refimpl.report.results import drawing, finish

    progress = Progress(args.quiet)
    data = load_data(args.dataset, args.data_dir)
    most = int(np.bincount(data.train_y).min()) - slides.REFERENCE
    if args.images > most:
        raise UsageError(f"--images: expected 1 to {most}, got {args.images}")
    loaded = (
        of_files(args, data, folder_of(args.out, args.dataset)) if args.net != "small" else None
    )
    try:
        scikit_image("skimage.feature")
    except ImportError as error:
        raise UsageError(error) from None
    out = made(args.out, args.dataset)
    whole, unseen = loaded or trained(args, data, progress)
    runs: dict[str, list[dict]] = {name: [] for name in slides.OBJECTIVES}
    slip: list[dict] = []
    shown: list[tuple] = []
    for i in range(args.runs):
        c = sorted(unseen)[i % len(unseen)]
        x, _, own = slides.held_out(data, c)
        for objective in slides.OBJECTIVES:
            progress(f"run {i + 1} of {args.runs}, class {data.classes[c]}, {objective}")
            how = {"n": args.images, "seed": i, "objective": objective, "steps": args.steps}
            found = slides.look_again(unseen[c], own, x, data.image_shape, c, **how)
            if objective == "probability":
                slip.append(
                    slides.look_again(
                        unseen[c], own, x, data.image_shape, c, standardize="vocabulary", **how
                    )
                )
            runs[objective].append(found)
            if len(shown) < 8:
                shown += [
                    (f"{data.classes[c]}, {objective}, {when}", found["pictures"][when])
                    for when in ("before", "after")
                ]
    progress("ten images")
    ten, images = slides.ten_images(whole, data, args.net, 0)
    lines, values = table(runs, slides)
    title = f"Retraining on one unseen class, {args.net} on {data.title}"
    lines = [
        f"{title}: {args.runs} runs, {args.images} images of the class,",
        f"{slides.IMAGES} pictures a run against {slides.REFERENCE} other images of the class",
        *lines,
        "",
        f"the slides print, for their networks: bag of words {TABLE3['before']} before, "
        f"{TABLE3['after'][0]} and "
        f"{TABLE3['after'][1]} after; sd {TABLE3['sd']}, 9 to 10 runs",
        "with their lookup slip (vocabulary standardized, descriptors not), bag of words: "
        + ", ".join(
            f"{when} {np.nanmean([r[when]['bag_of_words'] for r in slip]):.3f}"
            for when in ("before", "after", "chance")
        ),
        "",
        "The paper's pipeline on this network: ten images by log-probability ascent from grey "
        "noise",
        f"test accuracy: network {ten['network']:.2f}, linear student {ten['linear']:.2f} "
        f"(agrees on {ten['agreement']:.2f}), same architecture {ten['same']:.2f}, 8-bit PNG "
        f"{ten['png']:.2f}",
        *(f"not judged: {what}" for _, what in slides.NOT_JUDGED),
    ]
    figures, add = drawing(out)
    add(
        f"look-{args.net}-pictures.png",
        "The output of an unseen class, before and after",
        "The slides' pictures of VGG-16.",
        "Rows: class, objective, before and after; four starts.",
        gallery,
        shown,
        data.image_shape,
        [str(i + 1) for i in range(slides.IMAGES)],
    )
    add(
        f"look-{args.net}-ten.png",
        "Ten class visualizations of the network",
        "",
        "One picture a class.",
        gallery,
        [("ten images", images)],
        data.image_shape,
        data.classes,
    )
    progress("")
    prefix = f"slides/{data.name}/{args.net}"
    return finish(
        args.quiet,
        out,
        f"look-{args.net}",
        command="look",
        title=title,
        data=data,
        lines=lines,
        figures=figures,
        runs=args.runs,
        claims=slides.claims(data.name),
        values={f"{prefix}/{key}": v for key, v in values.items()}
        | {f"{prefix}/ten/{key}": [v] for key, v in ten.items()},
    )
