"""python -m refimpl maximize: what each layer's channels, and each class, respond to most."""

from pathlib import Path

import numpy as np

from refimpl.companions.cnn.options import (
    add_count,
    add_network,
    channel_names,
    network_for,
    parse_network,
    places,
)
from refimpl.report.options import (
    Progress,
    add_count_of,
    add_dataset,
    add_out,
    add_steps,
    load_data,
    parser_of,
)
from refimpl.report.provenance import recorded_command
from refimpl.report.room_table import add_write, check_checkout, tables_of, write_run

EPILOG = """OUT gets maximize.json and the pictures. Without --weights and OUT/NET.npz a
small CNN is trained first (a minute).

example: python -m refimpl maximize --dataset mnist"""
ABOUT = (
    "What each filter, channel and class of a convolutional network would like to see most, "
    "found by gradient ascent on the pixels."
)
RECIPES = {  # of the class figure, and what each ascends
    "slides": "probability",
    "plain": "logit",
    "L2 and total variation": "logit",
    "the same with jitter": "logit",
}
README = Path(__file__).with_name("README.md")


def parse(argv):
    parser = parser_of(
        "maximize", "Activation maximization: first, hidden and output layers.", EPILOG
    )
    add_dataset(parser, own=True)
    add_network(parser)
    add_count(parser)
    add_count_of(parser, "starts", 4, "starts a class, the best kept")
    add_steps(parser, 200)
    add_out(parser)
    add_write(parser)
    return parse_network(parser, argv)


def priors_of(name, image_shape, rng):
    """The priors of a row of the class figure: none, smoothness, or smoothness and jitter."""
    from refimpl.companions.maximization.priors import jitter, total_variation
    from refimpl.optimize import l2, penalty

    smooth = (penalty(l2, 0.03), penalty(lambda x: total_variation(x, image_shape), 0.1))
    return {
        "slides": (),
        "plain": (),
        "L2 and total variation": smooth,
        "the same with jitter": (*smooth, jitter(2, image_shape, rng)),
    }[name]


def class_images(network, data, args, label, score):
    """(C, D): the image of each class by one recipe, the best of its starts."""
    from refimpl.companions.maximization.activation_maximization import (
        best,
        class_objective,
        maximize,
        noise_starts,
    )

    classes = np.arange(network.classes)
    rng = np.random.default_rng(args.seed)
    runs = 1 if label == "slides" else args.starts
    starts = noise_starts(network, len(classes) * runs, rng)
    priors = priors_of(label, data.image_shape, rng)
    objective = class_objective(network, np.repeat(classes, runs), score)
    images, history = maximize(network, objective, starts, steps=args.steps, priors=priors)
    images = images.reshape(len(classes), runs, -1)
    values = history.reshape(len(history), len(classes), runs)
    return np.array([best(own, values[:, c])[0] for c, own in enumerate(images)])


def class_rows(network, data, args, progress):
    """[(label, probabilities (K,), images (K, D))]: each class by probability as in the slides, and
    by logit with priors.
    """
    from refimpl.losses import softmax

    rows = []
    for label, score in RECIPES.items():
        progress(f"classes, {label}")
        images = class_images(network, data, args, label, score)
        probabilities = softmax(network.logits(images).astype(float)).diagonal()
        rows.append((label, probabilities, images))
    return rows


def channel_rows(network, args, progress):
    """[(layer, channels, images)]: the mean of each of a few channels of every hidden layer, by its
    pre-activation.
    """
    from refimpl.companions.maximization.activation_maximization import (
        maximize,
        noise_starts,
        place_objective,
    )

    rows = []
    for name, layers, channels in places(network)[:-1]:
        progress(name)
        shown = np.linspace(0, channels - 1, min(args.count, channels)).round().astype(int)
        images = []
        for channel in shown:
            starts = noise_starts(network, 1, np.random.default_rng(args.seed))
            objective = place_objective(network, layers, int(channel))
            images.append(maximize(network, objective, starts, steps=args.steps)[0][0])
        rows.append((name, shown.tolist(), np.array(images)))
    return rows


def dreamt_of(data):
    """The classes of the dreams: the first five that have a test image."""
    return [c for c in range(len(data.classes)) if (data.test_y == c).any()][:5]


def dreams(network, data, args):
    """DeepDream on the first test image of each class of dreamt_of, one row a hidden layer."""
    from refimpl.companions.maximization.deepdream import deepdream
    from refimpl.companions.maximization.priors import jitter

    firsts = data.test_x[[int(np.argmax(data.test_y == c)) for c in dreamt_of(data)]]
    rows = [("the images", firsts)]
    for name, layers, _ in places(network)[:-1]:
        prior = jitter(2, data.image_shape, np.random.default_rng(args.seed))
        rows.append(
            (f"dream of {name}", deepdream(network, firsts, layers=layers + 1, priors=(prior,))[0])
        )
    return rows


def first_filters(network):
    """(colour share (F,), filters (F, C, kh, kw)) of the first convolution: T13, a unit's preferred
    patch is its filter.
    """
    from refimpl.companions.maximization.activation_maximization import colour_share

    w = next(v for v in network.layers if type(v).__name__ == "Conv2D").w
    return colour_share(w), w


def report(data, words, args, classes, shares, coloured):
    """The lines that are printed; coloured: whether the first filters have colours."""
    lines = [
        f"Activation maximization on {data.title}: {words}, seed {args.seed}, {args.steps} steps",
        "",
        "class probability of the maximized image   "
        + "  ".join(f"{name[:7]:>7}" for name in data.classes),
    ]
    for label, found, _ in classes:
        lines.append(f"{label:42} " + "  ".join(f"{p:7.3f}" for p in found))
    if coloured:
        grey = (shares < 0.25).sum()
        colour = (shares > 0.75).sum()
        lines += [
            "",
            f"first filters: {grey} of {len(shares)} nearly black and white (colour share below "
            f".25), {colour} nearly pure colour (above .75), median {np.median(shares):.2f}",
        ]
    return lines


def draw_filters(add, shares, filters):
    """The PNG file of the first filters, with the colour share of each where there are colours."""
    from refimpl.report.plots import grid

    coloured = len(filters[0]) > 1
    median = f", median colour share {np.median(shares):.2f}." if coloured else "."
    names = (
        [f"{s:.2f}" for s in shares] if coloured else [f"filter {i}" for i in range(len(filters))]
    )
    add(
        "maximize_first.png",
        "First filters: by T13 what a unit of the first convolution prefers",
        "",
        f"{len(filters)} small filters{median}",
        grid,
        filters.reshape(len(filters), -1),
        filters.shape[1:],
        names,
    )


def draw_images(add, data, classes, channels, dreamt):
    """The PNG files of what was maximized: channels, classes, dreams."""
    from refimpl.report.plots import gallery, grid

    for name, shown, images in channels:
        add(
            f"maximize_{name.replace(' ', '_')}.png",
            f"Images that maximize the mean of a channel, {name}",
            "",
            f"{len(images)} images, one a channel of {name}.",
            grid,
            images,
            data.image_shape,
            channel_names(name, shown),
        )
    add(
        "maximize_classes.png",
        "Images that maximize a class: the slides' recipe, and the logit with priors",
        "",
        "Rows: slides, plain, smooth, smooth with jitter; columns: classes.",
        gallery,
        [(label, images) for label, _, images in classes],
        data.image_shape,
        data.classes,
    )
    add(
        "maximize_dreams.png",
        "DeepDream: what each layer sees is made stronger",
        "",
        "Rows: images, then one a layer.",
        gallery,
        dreamt,
        data.image_shape,
        [data.classes[c] for c in dreamt_of(data)],
    )


def run(argv):
    args = parse(argv)
    from refimpl.companions.maximization.table import table
    from refimpl.report.results import drawing, print_and_write

    if args.write:
        check_checkout(README)
    progress = Progress(args.quiet)
    data = load_data(args.dataset, args.data_dir)
    network, words, out = network_for(args, data, progress, convolution=True)
    classes = class_rows(network, data, args, progress)
    channels = channel_rows(network, args, progress)
    shares, filters = first_filters(network)
    progress("figures")
    figures, add = drawing(out)
    draw_filters(add, shares, filters)
    draw_images(add, data, classes, channels, dreams(network, data, args))
    progress("")
    probabilities = {label: found for label, found, _ in classes}
    values = {"network": f"{words}, {data.title}", "probabilities": probabilities}
    if args.write:
        write_run(README, recorded_command("maximize", argv), values, table)
    return print_and_write(
        args.quiet,
        out,
        "maximize",
        command="maximize",
        argv=argv,
        title=f"Activation maximization, {data.title}",
        about=ABOUT,
        shown="maximize_classes.png",
        data=data,
        lines=report(data, words, args, classes, shares, len(filters[0]) > 1),
        tables=tables_of(values, table),
        figures=figures,
        probabilities=probabilities,
        colour_share=shares,
        seed=args.seed,
        steps=args.steps,
    )
