"""python -m refimpl invert: what each layer keeps of an image, what half of it would do, images
made through a decoder.
"""

from pathlib import Path

from refimpl.companions.cnn.options import add_network, network_for, parse_network, train_small
from refimpl.report.options import (
    FEWEST,
    Progress,
    UsageError,
    add_dataset,
    add_out,
    add_steps,
    check_training_images,
    load_data,
    parser_of,
    positive,
)
from refimpl.report.provenance import recorded_command
from refimpl.report.room_table import add_write, check_checkout, tables_of, write_run

EPILOG = """OUT gets invert.json and the pictures. Without --weights and OUT/NET.npz a small
CNN is trained first (seconds on digits).

example: python -m refimpl invert --steps 300 --decoder-steps 1000"""
ABOUT = (
    "What each layer of a convolutional network keeps of an image: the image is sought again "
    "from the layer's numbers alone."
)
README = Path(__file__).with_name("README.md")


def parse(argv):
    parser = parser_of("invert", "Inversion of every layer, and through a decoder.", EPILOG)
    add_dataset(parser, own=True)
    add_network(parser)
    parser.add_argument(
        "--images", type=positive, default=20, metavar="N", help="test images inverted (default 20)"
    )
    parser.add_argument(
        "--count", type=positive, default=5, metavar="N", help="of them shown (default 5)"
    )
    add_steps(parser, 150)
    parser.add_argument(
        "--decoder-steps",
        type=positive,
        default=300,
        metavar="N",
        help="of training one (default 300)",
    )
    parser.add_argument(
        "--networks",
        type=positive,
        default=1,
        metavar="N",
        help="small CNNs more; of 5, verdicts (default 1)",
    )
    add_out(parser)
    add_write(parser)
    return parse_network(parser, argv)


def inversion_lines(found):
    """A table of both methods by layer, and at which layers either found more of the image than one
    layer before.
    """
    from refimpl.companions.inversion.perturbation_study import METHODS, deeper

    rows = found["layers"]
    lines = [
        "error: distance to the image over the typical distance of two; sd: its spread over "
        "images, starts: over those",
        "SSIM: 1 is equal",
        "",
        f"{'':22}{'regularization':^42}{'trained decoder':^24}",
        f"{'layer':22}{'weight':>8}{'repr.':>8}{'error':>8}{'sd':>7}{'starts':>8}{'SSIM':>8}"
        f"{'error':>9}{'sd':>7}{'SSIM':>8}",
    ]
    for row in rows:
        a, b = row["regularized"], row.get("decoded")
        decoded = (
            f"{b['error']:9.3f}{b['errors'].std(ddof=1):7.3f}{b['ssim']:8.3f}"
            if b
            else f"{'none fits':>18}"
        )
        lines.append(
            f"{row['name']:22}{row['weight']:8g}{row['representation']:8.4f}{a['error']:8.3f}"
            f"{a['errors'].std(ddof=1):7.3f}{row['starts']:8.3f}{a['ssim']:8.3f}{decoded}"
        )
    mean = found["mean"]
    lines.append(
        f"{'mean training image':38}{mean['error']:8.3f}{mean['errors'].std(ddof=1):7.3f}"
        f"{mean['ssim']:16.3f}"
    )
    for key, title in METHODS.items():
        steps = deeper(rows, key)
        falls = [name for name, test in steps if test.mean + test.half < 0]
        level = [name for name, test in steps if abs(test.mean) <= test.half]
        words = [
            f"{what} at {', '.join(names)}"
            for what, names in (("falls", falls), ("neither", level))
            if names
        ]
        lines.append(
            f"deeper keeps less, by {title}: the error rises at "
            f"{len(steps) - len(falls) - len(level)} of "
            f"{len(steps)} layers{''.join('; ' + w for w in words)}"
            if steps
            else f"no {title} fits"
        )
    return [*lines, "(rises, falls: the paired 95 % interval over the images is above, below 0)"]


def perturbation_lines(found, retrained, weights):
    """Tables of what perturbed representations and perturbed weights cost."""
    names = list(found[0]["accuracy"])
    head = "".join(f"{name.replace('without the', 'w/o'):>16}" for name in names)
    lines = [
        "Representations perturbed, norm kept. Error of the reconstruction by the same decoder:",
        f"{'layer':28}{head}",
    ]
    lines += [
        f"{row['name']:28}" + "".join(f"{row['error'][n]:16.3f}" for n in names)
        for row in found
        if row["error"]
    ]
    lines += [
        f"{row['name'] + ', own decoder':28}{'':16}"
        + "".join(f"{row[n]:16.3f}" for n in names if n in row)
        for row in retrained
    ]
    lines += ["Accuracy of the rest of the network (%):", f"{'layer':28}{head}{'zeros':>8}"]
    lines += [
        f"{row['name']:28}"
        + "".join(f"{row['accuracy'][n]:16.1f}" for n in names)
        + f"{100 * row['zeros']:7.0f}%"
        for row in found
    ]
    lines += ["", f"{'Weights really pruned and quantized':40}{'accuracy':>10}{'agreement':>11}"]
    return lines + [f"{name:40}{a:10.2f}{b:11.2f}" for name, (a, b) in weights.items()]


def verdict_lines(rows):
    """One line a judged row of the ledger."""
    return [
        f"{row['verdict']:16}{row['what']}: {row['expects']} (mean {row['ours']['mean']:.2f}"
        + (f", sd {row['ours']['sd']:.2f}" if row["ours"]["sd"] is not None else "")
        + f", n = {row['ours']['n']})"
        for row in rows
        if row["expects"]
    ]


def generated_lines(found):
    lines = [
        f"{'Classes maximized, means':32}{'probability':>12}{'by another net':>16}"
        f"{'nearest image':>15}"
    ]
    return lines + [
        f"{row['name']:32}{row['own'].mean():12.3f}{row['judge'].mean():16.3f}"
        f"{row['nearest'].mean():15.3f}"
        for row in found
    ]


def outlook(data, args, progress):
    """(images by name, error of the autoencoder, {name: taught}) beside class averages and class
    visualizations.
    """
    from refimpl.companions.inversion.study import class_images, taught
    from refimpl.paper.protocol import class_averages, protocol_of, train_teacher
    from refimpl.paper.section5 import visualize

    progress("a linear teacher")
    teacher = train_teacher(data, args.seed, protocol_of(data.name).paper)
    progress("an autoencoder")
    made, error = class_images(data, args.seed, steps=2 * args.decoder_steps)
    images = {
        "class visualizations": visualize(teacher)[0],
        "class averages": class_averages(data),
        "decoded mean codes": made["mean_code"],
        "decoded codes after ascent": made["ascended"],
    }
    progress("students of ten images")
    return images, error, {name: taught(data, teacher, ten) for name, ten in images.items()}


def outlook_lines(error, students):
    lines = [
        f"An autoencoder's class images (its error on test images {error:.3f}) and what ten "
        f"images teach (%)",
        f"{'':32}{'accuracy':>10}{'agreement':>11}{'one-hot targets':>17}",
    ]
    return lines + [
        f"{name:32}{row['accuracy']:10.2f}{row['agreement']:11.2f}{row['onehot']:17.2f}"
        for name, row in students.items()
    ]


def report(found, perturbed, retrained, weights, judged):
    """The lines of the layers, what is perturbed, and the verdicts."""
    return [
        "",
        *inversion_lines(found),
        "",
        *perturbation_lines(perturbed, retrained, weights),
        "",
        *verdict_lines(judged),
    ]


def bare(value):
    """Results without networks and pictures."""
    if isinstance(value, dict):
        return {k: bare(v) for k, v in value.items() if k not in ("decoder", "images")}
    return [bare(v) for v in value] if isinstance(value, list) else value


def layer_values(found):
    """The rows of the layers for the README's table, the mean training image last."""
    rows = []
    for row in [*found["layers"], {"name": "mean training image", "regularized": found["mean"]}]:
        a = row["regularized"]
        b = row.get("decoded")
        rows.append(
            {
                "name": row["name"],
                "regularized": a["error"],
                "sd": a["errors"].std(ddof=1),
                "ssim": a["ssim"],
                "decoded": b["error"] if b else None,
                "decoded_sd": b["errors"].std(ddof=1) if b else None,
                "decoded_ssim": b["ssim"] if b else None,
            }
        )
    return rows


def values_for_table(found, perturbed, retrained, weights, judged, students):
    """What --write records."""
    rows = [{"name": row["name"], "error": row["error"]} for row in perturbed if row["error"]]
    for row in retrained:
        own = {name: value for name, value in row.items() if name in perturbed[0]["accuracy"]}
        rows.append({"name": f"{row['name']}, own decoder", "error": own})
    relations = [
        {"what": row["what"], "expects": row["expects"], "verdict": row["verdict"], **row["ours"]}
        for row in judged
        if row["expects"]
    ]
    return {
        "layers": layer_values(found),
        "perturbed": rows,
        "weights": weights,
        "relations": relations,
        "taught": students,
    }


def measure_perturbations(data, network, found, args, progress):
    """(perturbed, retrained, weights, the small CNNs of --networks, what each of them lost)."""
    from refimpl.companions.inversion import perturbation_study as perturbing

    rows, scale = found["layers"], found["scale"]
    progress("perturbations")
    perturbed = perturbing.perturbations(data, network, rows, scale, args.seed)
    retrained = perturbing.retrained(
        data, network, rows, scale, args.seed, steps=args.decoder_steps, progress=progress
    )
    progress("pruning and quantization")
    weights = perturbing.compressed(data, network, args.seed)
    others = [train_small(data, args.seed + 1 + i, progress) for i in range(args.networks)]
    losses = []
    if args.networks >= perturbing.SEEDS:
        losses = [perturbing.lost(data, other, args.seed) for other in others]
    return perturbed, retrained, weights, others, losses


def measure_layers(args, data, network, progress):
    """Every layer inverted, as study.reconstructions returns it."""
    from refimpl.companions.inversion.study import reconstructions

    options = {"images": args.images, "steps": args.steps, "decoder_steps": args.decoder_steps}
    return reconstructions(data, network, args.seed, **options, progress=progress)


def draw_layers(add, data, args, found, perturbed, retrained):
    """The PNG files of the layers' inversion."""
    from refimpl.companions.inversion import figures as draw

    add(
        "invert_layers.png",
        "Every layer inverted: by regularization and by a trained decoder, with error and SSIM",
        "",
        "Lines: test images, then one a layer; left by regularization, right decoded. "
        + "; ".join(inversion_lines(found)[-3:-1])
        + ".",
        draw.reconstructions,
        found,
        data.image_shape,
        args.count,
    )
    add(
        "invert_errors.png",
        "Error of the reconstruction by layer, and under perturbation",
        "",
        "Two panels of curves over the layers; the numbers are in the table.",
        draw.errors,
        found,
        perturbed,
        retrained,
    )


def generate(add, data, network, other, found, args, progress):
    """(what is found of classes maximized through a decoder, its lines), and the PNG file; nothing
    where no decoder of a dense ReLU layer was trained.
    """
    from refimpl.companions.inversion import study
    from refimpl.report.plots import gallery

    coded = [
        row
        for row in found["layers"]
        if len(row["shape"]) == 1 and "ReLU" in row["name"] and row["decoder"]
    ]
    if not coded:
        return [], []
    progress("maximizing through the generator")
    generated = study.generated(data, network, other, coded[-1], found["scale"], args.seed)
    add(
        "invert_generated.png",
        "Classes maximized through a generator, and by pixels",
        "",
        "Lines: " + ", ".join(row["name"] for row in generated) + "; columns: classes.",
        gallery,
        [(row["name"], row["images"]) for row in generated],
        data.image_shape,
        data.classes,
    )
    where = f"generator: the decoder of {coded[-1]['name']}; the other net: a small CNN"
    return generated, ["", *generated_lines(generated), where]


def draw_outlook(add, data, images):
    """The PNG file of the class images: {name: ten images}."""
    from refimpl.report.plots import gallery

    add(
        "invert_outlook.png",
        "Class images: by a teacher, by averaging, and by an autoencoder without a classifier",
        "The paper's outlook: class images by an autoencoder, straight from the training data.",
        "Lines: " + ", ".join(images) + "; columns: classes.",
        gallery,
        list(images.items()),
        data.image_shape,
        data.classes,
    )


def check_images(images, data):
    """UsageError where the data set has not so many test images, or one is too few to compare, and
    where its training images are too few.
    """
    check_training_images(data, FEWEST, each=1)
    if not 2 <= images <= len(data.test_pixels):
        raise UsageError(f"--images: expected 2 to {len(data.test_pixels)}, got {images}")


def run(argv):
    args = parse(argv)
    from refimpl.companions.inversion import perturbation_study as perturbing
    from refimpl.companions.inversion import study
    from refimpl.companions.inversion.table import table
    from refimpl.ledger.judge import judge
    from refimpl.report.results import drawing, print_and_write

    if args.write:
        check_checkout(README)
    progress = Progress(args.quiet)
    data = load_data(args.dataset, args.data_dir)
    check_images(args.images, data)
    network, words, out = network_for(args, data, progress)
    found = measure_layers(args, data, network, progress)
    measured = measure_perturbations(data, network, found, args, progress)
    perturbed, retrained, weights, others, losses = measured
    values = perturbing.values_of(data.name, found["layers"], losses)
    claims = [*study.claims(data.name), *perturbing.claims(data.name)]
    judged = judge(values, claims)
    figures, add = drawing(out)
    draw_layers(add, data, args, found, perturbed, retrained)
    generated, more = generate(add, data, network, others[0], found, args, progress)
    images, error, students = outlook(data, args, progress)
    draw_outlook(add, data, images)
    progress("")
    recorded = values_for_table(found, perturbed, retrained, weights, judged, students)
    if args.write:
        write_run(README, recorded_command("invert", argv), recorded, table)
    return print_and_write(
        args.quiet,
        out,
        "invert",
        command="invert",
        argv=argv,
        title=f"Inversion, {data.title}",
        about=ABOUT,
        data=data,
        lines=[
            f"Inversion on {data.title}: {words}, seed {args.seed}, {args.images} test images",
            *report(found, perturbed, retrained, weights, judged),
            *more,
            "",
            *outlook_lines(error, students),
        ],
        tables=tables_of(recorded, table),
        figures=figures,
        values=values,
        claims=claims,
        inversion=bare({key: found[key] for key in ("scale", "mean", "layers")}),
        perturbations=perturbed,
        retrained=retrained,
        weights=weights,
        losses=losses,
        generated=bare(generated),
        autoencoder_error=error,
        outlook=students,
        seed=args.seed,
        steps=args.steps,
        decoder_steps=args.decoder_steps,
    )
