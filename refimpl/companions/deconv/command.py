"""python -m refimpl deconv: which pixels woke a unit, by three rules; feature maps; the review's
diagnosis in numbers.
"""

import numpy as np

from refimpl.companions.cnn.options import add_count, add_network, image_for, network_for, places
from refimpl.report.options import (
    Progress,
    add_dataset,
    add_out,
    at_least,
    load_data,
    parser_of,
    positive,
)

EPILOG = """OUT gets deconv.json and the pictures. Without --weights and OUT/NET.npz a small
CNN is trained first (a minute). The diagnosis trains small networks anew.

example: python -m refimpl deconv --diagnosis 0"""
RULES = {"DeconvNet": "deconvnet", "guided": "guided", "gradient": "gradient"}


def parse(argv):
    parser = parser_of(
        "deconv", "DeconvNet beside guided backpropagation and the gradient.", EPILOG
    )
    add_dataset(parser)
    add_network(parser)
    add_count(parser)
    parser.add_argument(
        "--images",
        type=positive,
        default=1000,
        metavar="N",
        help="searched for the strongest (default 1000)",
    )
    parser.add_argument(
        "--image",
        default="0",
        metavar="I",
        help="test image, or a file, of the feature maps (default 0)",
    )
    parser.add_argument(
        "--diagnosis",
        type=at_least(0),
        default=1,
        metavar="N",
        help="seeds of the diagnosis, 0: none (default 1)",
    )
    add_out(parser)
    return parser.parse_args(argv)


def deconvolved(network, x, args, progress):
    """{layer: (channels, images, {rule: pictures})} of the strongest image of a few channels of
    every hidden layer.
    """
    from refimpl.companions.deconv.deconvnet import project_unit, strongest

    found = {}
    for name, layers, channels in places(network)[:-1]:
        progress(name)
        rows = strongest(network, x, layers=layers + 1, count=1)[0][:, 0]
        shown = np.linspace(0, channels - 1, min(args.count, channels)).round().astype(int)
        found[name] = (
            shown.tolist(),
            x[rows[shown]],
            {
                label: np.array(
                    [
                        project_unit(
                            network, x[rows[c]][None], layers=layers + 1, channel=int(c), rule=rule
                        ).images[0]
                        for c in shown
                    ]
                )
                for label, rule in RULES.items()
            },
        )
    return found


def agreement(found):
    """Lines: the mean cosine of DeconvNet's pictures with those of the two other rules, layer by
    layer.
    """
    from refimpl.companions.deconv.diagnosis import cosine

    lines = [
        f"{'mean cosine of pictures':28}{'DeconvNet, guided':>20}{'DeconvNet, gradient':>20}{'guided, gradient':>20}"
    ]
    for name, (_, _, pictures) in found.items():
        with np.errstate(invalid="ignore"):
            values = [
                np.nanmean(c)
                if np.isfinite(c := cosine(pictures[a], pictures[b])).any()
                else np.nan
                for a, b in (
                    ("DeconvNet", "guided"),
                    ("DeconvNet", "gradient"),
                    ("guided", "gradient"),
                )
            ]
        lines.append(f"{name:28}" + "".join(f"{v:20.3f}" for v in values))
    return lines


def diagnose(data, network, seeds, progress):
    """(lines, own values, values for the ledger, the first evolution) of dead units, evolution, the
    cure of aliasing.
    """
    from refimpl.companions.deconv import study as review
    from refimpl.companions.deconv.diagnosis import dead_channels

    lines: list[str] = []
    values: dict = {"dead": {}}
    x = data.train_x[:512]
    for name, layers, channels in places(network)[:-1]:
        dead = int(dead_channels(network, x, layers=layers + 1).sum())
        values["dead"][name] = dead
        lines.append(f"dead on {len(x)} training images: {name}, {dead} of {channels}")
    if not seeds:
        return lines, values, {}, None
    evolved = []
    for seed in range(seeds):
        progress(f"the evolution of features, seed {seed}")
        evolved.append(review.evolution(data, seed))
    lines += [
        "",
        "step from which on a channel's DeconvNet picture keeps a cosine of .9 with its last "
        "(median, quartiles)",
    ]
    for i in range(len(evolved[0]["layers"])):
        numbers = {
            key: np.percentile(
                np.concatenate([run["layers"][i][key] for run in evolved]), (50, 25, 75)
            )
            for key in ("strongest", "fixed")
        }
        lines.append(
            f"hidden layer {i + 1}: "
            + "; ".join(
                f"{'strongest image' if key == 'strongest' else 'image held fixed'} {m:.0f} "
                f"({a:.0f} to {b:.0f})"
                for key, (m, a, b) in numbers.items()
            )
        )
    runs = []
    for seed in range(seeds):
        progress(f"the cure of aliasing, seed {seed}")
        runs.append(review.cure(data, seed))
    values["cure"] = runs
    measured = review.values_of(data.name, evolved, runs)
    lines += [
        "",
        f"{'first convolution, retrained':30}{'dead channels':>15}{'aliasing':>12}{'held-out accuracy':>20}"
        f"   {seeds} seed" + "s" * (seeds > 1),
    ]
    for name in review.GEOMETRIES:
        mean = {
            key: np.mean([run[name][key] for run in runs])
            for key in ("dead", "aliasing", "accuracy")
        }
        lines.append(
            f"{name:30}{mean['dead']:15.3f}{mean['aliasing']:12.3f}{mean['accuracy']:20.2f}"
        )
    return lines, values, measured, evolved[0]


def run(argv):
    args = parse(argv)
    from refimpl.companions.deconv import study as review
    from refimpl.companions.deconv.deconvnet import feature_maps
    from refimpl.companions.deconv.figures import maps, settling
    from refimpl.report.plots import gallery
    from refimpl.report.results import drawing, finish

    progress = Progress(args.quiet)
    data = load_data(args.dataset, args.data_dir)
    image, of_image = image_for(args.image, data)
    network, words, out = network_for(args, data, progress)
    found = deconvolved(network, data.train_x[: args.images], args, progress)
    more, values, measured, evolved = diagnose(data, network, args.diagnosis, progress)
    lines = [
        f"DeconvNet on {data.title}: {words}, seed {args.seed}; feature maps of {of_image}",
        "",
        *agreement(found),
        "",
        *more,
    ]
    progress("figures")
    figures, add = drawing(out)
    for name, (shown, images, pictures) in found.items():
        add(
            f"deconv_{name.replace(' ', '_')}.png",
            f"What woke {name}: strongest images, mapped back by three rules",
            "",
            f"Rows: image, DeconvNet, guided, gradient; columns: channels of {name}.",
            gallery,
            [("image", images), *pictures.items()],
            data.image_shape,
            [str(c) for c in shown],
        )
    add(
        "deconv_maps.png",
        f"Feature maps of every layer for {of_image}",
        "Figures 3 and 4 of the slides.",
        "One row of maps a layer, from the image to the last pooling.",
        maps,
        feature_maps(network, image),
        args.count,
    )
    if evolved:
        add(
            "deconv_evolution.png",
            "When features settle in training",
            "Zeiler and Fergus' figure 4, counted.",
            "Share of settled channels by training step, one line a layer: the first rises first.",
            settling,
            evolved,
        )
    progress("")
    return finish(
        args.quiet,
        out,
        "deconv",
        command="deconv",
        title=f"DeconvNet, {data.title}",
        data=data,
        lines=lines,
        figures=figures,
        values=measured,
        claims=review.claims(data.name),
        seed=args.seed,
        **values,
    )
