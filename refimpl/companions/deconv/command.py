"""python -m refimpl deconv: which pixels woke a unit, by three rules; feature maps; the review's
diagnosis in numbers.
"""

from pathlib import Path

import numpy as np

from refimpl.companions.cnn.options import (
    add_count,
    add_network,
    channel_names,
    image_for,
    network_for,
    parse_network,
    places,
)
from refimpl.report.options import (
    Progress,
    add_count_of,
    add_dataset,
    add_out,
    load_data,
    parser_of,
)
from refimpl.report.provenance import recorded_command
from refimpl.report.room_table import add_write, check_checkout, tables_of, write_run

EPILOG = """OUT gets deconv.json and the pictures. Without --weights and OUT/NET.npz a small
CNN is trained first (a minute). The diagnosis trains small networks anew.

example: python -m refimpl deconv --diagnosis 0"""
ABOUT = (
    "Which pixels woke a channel of a convolutional network: the images that wake it most, "
    "mapped back to the pixels by three rules."
)
RULES = {"DeconvNet": "deconvnet", "guided": "guided", "gradient": "gradient"}
PAIRS = (("DeconvNet", "guided"), ("DeconvNet", "gradient"), ("guided", "gradient"))
DEAD_ON = 512  # training images on which a dead unit never wakes
README = Path(__file__).with_name("README.md")


def parse(argv):
    parser = parser_of(
        "deconv", "DeconvNet beside guided backpropagation and the gradient.", EPILOG
    )
    add_dataset(parser, own=True)
    add_network(parser)
    add_count(parser)
    add_count_of(parser, "images", 1000, "searched for the strongest")
    parser.add_argument(
        "--image",
        default="0",
        metavar="I",
        help="test image, or a file, to answer and to map (default 0)",
    )
    add_count_of(parser, "diagnosis", 1, "seeds of the diagnosis, 0: none", least=0)
    add_out(parser)
    add_write(parser)
    return parse_network(parser, argv)


def pictures_of(network, x, channels, layers):
    """{rule: (C, D)}: what each rule makes of the channels' units of `layers`, image by image."""
    from refimpl.companions.deconv.deconvnet import project_unit

    found = {}
    for label, rule in RULES.items():
        found[label] = np.array(
            [
                project_unit(network, row[None], layers=layers, channel=int(c), rule=rule).images[0]
                for c, row in zip(channels, x)
            ]
        )
    return found


def deconvolved(network, x, args, progress):
    """{layer: (channels, images, {rule: pictures})} of the strongest image of a few channels of
    every hidden layer.
    """
    from refimpl.companions.deconv.deconvnet import strongest

    found = {}
    for name, layers, channels in places(network)[:-1]:
        progress(name)
        rows = strongest(network, x, layers=layers + 1, count=1)[0][:, 0]
        shown = np.linspace(0, channels - 1, min(args.count, channels)).round().astype(int)
        images = x[rows[shown]]
        pictures = pictures_of(network, images, shown, layers + 1)
        found[name] = (shown.tolist(), images, pictures)
    return found


def answer_for(network, image):
    """{"class", "probability", "pictures": {rule: (1, D)}} of one image (D,): the network's answer,
    and what made it so, each rule from a 1 at the logit of that class.
    """
    from refimpl.companions.deconv.deconvnet import project_unit
    from refimpl.losses import softmax

    p = softmax(network.logits(image[None]).astype(np.float64))[0]
    called = int(p.argmax())
    pictures = {
        label: project_unit(
            network,
            image[None],
            layers=len(network.layers),
            channel=called,
            rule=rule,
            start="one",
        ).images
        for label, rule in RULES.items()
    }
    return {"class": called, "probability": float(p[called]), "pictures": pictures}


def agreement(found):
    """{layer: the mean cosines of two rules' pictures, a number a pair of rules}; NaN where no
    picture is other than zero.
    """
    from refimpl.companions.deconv.diagnosis import cosine

    cosines: dict[str, list[float]] = {}
    for name, (_, _, pictures) in found.items():
        cosines[name] = []
        for a, b in PAIRS:
            values = cosine(pictures[a], pictures[b])
            defined = values[np.isfinite(values)]
            cosines[name].append(float(defined.mean()) if len(defined) else np.nan)
    return cosines


def agreement_lines(cosines):
    """The cosines as a table."""
    lines = [f"{'mean cosine of pictures':28}" + "".join(f"{f'{a}, {b}':>20}" for a, b in PAIRS)]
    for name, values in cosines.items():
        lines.append(f"{name:28}" + "".join(f"{v:20.3f}" for v in values))
    return lines


def dead_units(network, x):
    """{hidden layer: (dead channels, channels)} on the images x."""
    from refimpl.companions.deconv.diagnosis import dead_channels

    return {
        name: (int(dead_channels(network, x, layers=layers + 1).sum()), channels)
        for name, layers, channels in places(network)[:-1]
    }


def settled(evolved):
    """{"hidden layer i": {"strongest", "fixed": (median, lower, upper quartile) of the step from
    which on a channel's picture keeps a cosine of .9 with its last}} over channels and seeds.
    """
    found = {}
    for i in range(len(evolved[0]["layers"])):
        steps = {
            key: np.concatenate([run["layers"][i][key] for run in evolved])
            for key in ("strongest", "fixed")
        }
        found[f"hidden layer {i + 1}"] = {
            key: np.percentile(values, (50, 25, 75)) for key, values in steps.items()
        }
    return found


def cured(runs):
    """{first convolution: {"dead", "aliasing", "accuracy": mean over seeds}}."""

    def mean(name, key):
        return float(np.mean([run[name][key] for run in runs]))

    keys = ("dead", "aliasing", "accuracy")
    return {name: {key: mean(name, key) for key in keys} for name in runs[0]}


def settled_lines(found):
    lines = [
        "step from which on a channel's DeconvNet picture keeps a cosine of .9 with its last "
        "(median, quartiles)"
    ]
    for name, numbers in found.items():
        words = [
            f"{'strongest image' if key == 'strongest' else 'image held fixed'} {m:.0f} "
            f"({a:.0f} to {b:.0f})"
            for key, (m, a, b) in numbers.items()
        ]
        lines.append(f"{name}: " + "; ".join(words))
    return lines


def cured_lines(means, seeds):
    lines = [
        f"{'first convolution, retrained':30}{'dead channels':>15}{'aliasing':>12}"
        f"{'held-out accuracy':>20}   {seeds} seed" + "s" * (seeds > 1)
    ]
    for name, mean in means.items():
        lines.append(
            f"{name:30}{mean['dead']:15.3f}{mean['aliasing']:12.3f}{mean['accuracy']:20.2f}"
        )
    return lines


def diagnose(data, seeds, progress):
    """(evolutions, cures): one a seed, of small networks trained anew."""
    from refimpl.companions.deconv import study

    evolved, runs = [], []
    for seed in range(seeds):
        progress(f"the evolution of features, seed {seed}")
        evolved.append(study.evolution(data, seed))
    for seed in range(seeds):
        progress(f"the cure of aliasing, seed {seed}")
        runs.append(study.cure(data, seed))
    return evolved, runs


def draw_figures(add, data, args, found, image, of_image, answer, maps_of_image, evolved):
    """All PNG files, through `add` of report.results.drawing."""
    from refimpl.companions.deconv.figures import answered, maps, settling
    from refimpl.report.plots import gallery

    for name, (shown, images, pictures) in found.items():
        add(
            f"deconv_{name.replace(' ', '_')}.png",
            f"What woke {name}: strongest images, mapped back by three rules",
            "",
            f"Rows: image, DeconvNet, guided, gradient; columns: channels of {name}.",
            gallery,
            [("image", images), *pictures.items()],
            data.image_shape,
            channel_names(name, shown),
        )
    add(
        "deconv_image.png",
        f"What made {of_image} class {data.classes[answer['class']]}: three maps of it",
        "",
        "Four tiles: the image, then the logit of its class mapped back by each rule.",
        answered,
        [("image", image[None]), *answer["pictures"].items()],
        data.image_shape,
    )
    add(
        "deconv_maps.png",
        f"Feature maps of every layer for {of_image}",
        "Figures 3 and 4 of the slides.",
        "One row of maps a layer, from the image to the last pooling.",
        maps,
        maps_of_image,
        args.count,
    )
    if evolved:
        add(
            "deconv_evolution.png",
            "When features settle in training",
            "Zeiler and Fergus' figure 4, counted.",
            "Share of settled channels by training step, one line a layer: the first rises first.",
            settling,
            evolved[0],
        )


def run(argv):
    args = parse(argv)
    from refimpl.companions.deconv import study
    from refimpl.companions.deconv.deconvnet import feature_maps
    from refimpl.companions.deconv.table import table
    from refimpl.report.results import drawing, print_and_write

    if args.write:
        check_checkout(README)
    progress = Progress(args.quiet)
    data = load_data(args.dataset, args.data_dir)
    image, of_image = image_for(args.image, data)
    network, words, out = network_for(args, data, progress, convolution=True)
    answer = answer_for(network, image)
    found = deconvolved(network, data.train_x[: args.images], args, progress)
    measured = {"agreement": agreement(found), "dead": dead_units(network, data.train_x[:DEAD_ON])}
    lines = [
        f"DeconvNet on {data.title}: {words}, seed {args.seed}; feature maps of {of_image}",
        f"{of_image}: class {data.classes[answer['class']]}, probability "
        f"{answer['probability']:.3f}; three maps of it in deconv_image.png",
        "",
        *agreement_lines(measured["agreement"]),
        "",
    ]
    for name, (dead, channels) in measured["dead"].items():
        lines.append(f"dead on {DEAD_ON} training images: {name}, {dead} of {channels}")
    evolved, cures = diagnose(data, args.diagnosis, progress)
    if evolved:
        measured |= {"settled": settled(evolved), "cure": cured(cures)}
        lines += ["", *settled_lines(measured["settled"])]
        lines += ["", *cured_lines(measured["cure"], args.diagnosis)]
    progress("figures")
    figures, add = drawing(out)
    maps_of_image = feature_maps(network, image)
    draw_figures(add, data, args, found, image, of_image, answer, maps_of_image, evolved)
    progress("")
    values = {"settled": {}, "cure": {}} | measured
    if args.write:
        write_run(README, recorded_command("deconv", argv), values, table)
    own: dict = {"image": {key: answer[key] for key in ("class", "probability")}}
    own |= {"dead": {name: dead for name, (dead, _) in measured["dead"].items()}}
    if cures:
        own["cure"] = cures
    return print_and_write(
        args.quiet,
        out,
        "deconv",
        command="deconv",
        argv=argv,
        title=f"DeconvNet, {data.title}",
        about=ABOUT,
        shown="deconv_image.png",
        data=data,
        lines=lines,
        tables=tables_of(values, table),
        figures=figures,
        values=study.values_of(data.name, evolved, cures) if evolved else {},
        claims=study.claims(data.name),
        seed=args.seed,
        **own,
    )
