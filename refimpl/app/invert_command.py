"""python -m refimpl invert: what each layer keeps of an image, what half of it would do, images made through a decoder."""

import argparse
import json
from pathlib import Path

import numpy as np

from refimpl.app.cnn import add_network, network_for, train_small
from refimpl.app.usage import OUT, Progress, UsageError, add_dataset, load_data, positive

EPILOG = """OUT gets invert.json and the pictures. Without --weights and OUT/NET.npz a small
CNN is trained first (seconds on digits).

example: python -m refimpl invert --steps 300 --decoder-steps 1000"""
METHODS = (("regularized", "regularization"), ("decoded", "trained decoder"))


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="python -m refimpl invert", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="python -m refimpl invert [options]", description="Inversion of every layer, and through a decoder.",
        conflict_handler="resolve")  # --count: here of images
    add_dataset(parser)
    add_network(parser)
    parser.add_argument("--images", type=positive, default=20, metavar="N", help="test images inverted (default 20)")
    parser.add_argument("--count", type=positive, default=5, metavar="N", help="of them shown (default 5)")
    parser.add_argument("--steps", type=positive, default=150, metavar="N", help="of every inversion (default 150)")
    parser.add_argument("--decoder-steps", type=positive, default=300, metavar="N", help="of training one (default 300)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default refimpl-out/DATASET")
    return parser.parse_args(argv)


def inversion_lines(found):
    """A table of both methods by layer, and where either found more of the image in a deeper layer."""
    rows = found["layers"]
    lines = ["error: distance to the image over the typical distance of two; SSIM: 1 is equal", "",
             f"{'':24}{'regularization':^34}{'trained decoder':^20}",
             f"{'layer':24}{'weight':>8}{'repr.':>8}{'error':>9}{'SSIM':>9}{'error':>10}{'SSIM':>9}"]
    for row in rows:
        decoded = "".join(f"{row['decoded'][k]:>{n}.3f}" for k, n in (("error", 10), ("ssim", 9))) if row["decoder"] else \
            f"{'none fits':>19}"
        lines.append(f"{row['name']:24}{row['weight']:8g}{row['representation']:8.4f}{row['regularized']['error']:9.3f}"
                     f"{row['regularized']['ssim']:9.3f}{decoded}")
    lines.append(f"{'mean training image':40}{found['mean']['error']:9.3f}{found['mean']['ssim']:9.3f}")
    for key, title in METHODS:
        kept = [(row["name"], row[key]["error"]) for row in rows if key in row]
        falls = [name for (_, a), (name, b) in zip(kept, kept[1:]) if b < a]
        lines.append(f"deeper keeps less, by {title}: error rises at {len(kept) - 1 - len(falls)} of {len(kept) - 1} steps"
                     + (f", falls at {'; '.join(falls)}" if falls else "") if kept else f"no {title} fits")
    return lines


def perturbation_lines(found, weights):
    """Tables of what perturbed representations and perturbed weights cost."""
    names = list(found[0]["accuracy"])
    head = "".join(f"{name.replace('without the', 'w/o'):>16}" for name in names)
    lines = ["Representations perturbed, norm kept. Error of the reconstruction by the same decoder:", f"{'layer':24}{head}"]
    lines += [f"{row['name']:24}" + "".join(f"{row['error'][n]:16.3f}" for n in names) for row in found if row["error"]]
    lines += ["Accuracy of the rest of the network (%):", f"{'layer':24}{head}{'zeros':>8}"]
    lines += [f"{row['name']:24}" + "".join(f"{row['accuracy'][n]:16.1f}" for n in names) + f"{100 * row['zeros']:7.0f}%"
              for row in found]
    lines += ["", f"{'Weights really pruned and quantized':40}{'accuracy':>10}{'agreement':>11}"]
    return lines + [f"{name:40}{a:10.2f}{b:11.2f}" for name, (a, b) in weights.items()]


def generated_lines(found):
    lines = [f"{'Classes maximized, means':32}{'probability':>12}{'by another net':>16}{'nearest image':>15}"]
    return lines + [f"{row['name']:32}{row['own'].mean():12.3f}{row['judge'].mean():16.3f}{row['nearest'].mean():15.3f}"
                    for row in found]


def outlook(data, args, progress):
    """(images by name, error of the autoencoder, {name: taught}) beside class averages and class visualizations."""
    from refimpl.paper.inversion_study import class_images, taught
    from refimpl.paper.protocol import PROTOCOLS, class_averages
    from refimpl.paper.protocol import teacher as train_teacher
    from refimpl.paper.section5 import visualize
    progress("a linear teacher")
    teacher = train_teacher(data, args.seed, PROTOCOLS[data.name].paper)
    progress("an autoencoder")
    made, error = class_images(data, args.seed, steps=2 * args.decoder_steps)
    images = {"class visualizations": visualize(teacher)[0], "class averages": class_averages(data),
              "decoded mean codes": made["mean_code"], "decoded codes after ascent": made["ascended"]}
    progress("students of ten images")
    return images, error, {name: taught(data, teacher, ten) for name, ten in images.items()}


def outlook_lines(error, students):
    lines = [f"An autoencoder's class images (its error on test images {error:.3f}) and what ten images teach (%)",
             f"{'':32}{'accuracy':>10}{'agreement':>11}{'one-hot targets':>17}"]
    return lines + [f"{name:32}{row['accuracy']:10.2f}{row['agreement']:11.2f}{row['onehot']:17.2f}"
                    for name, row in students.items()]


def reconstruction_figure(path, found, data, count):
    """One line a layer: `count` images by regularization, then by its decoder; error and SSIM of all images beside them.

    Pixels outside [0, 1] are shown as the nearest of both; the numbers are of the pixels as they are.
    """
    from matplotlib.figure import Figure

    from refimpl.app.cnn_figures import show
    from refimpl.app.plots import save
    rows, shown = found["layers"], min(count, len(found["x"]))
    lines = [("test images", {key: {"images": found["x"]} for key, _ in METHODS})] + [(row["name"], row) for row in rows]
    figure = Figure(figsize=(1.9 * shown + 4.2, 0.98 * len(lines) + 0.4), layout="constrained")
    for panel, (key, title) in zip(figure.subfigures(1, 2, width_ratios=(1.15, 1)), METHODS):
        axes = panel.subplots(len(lines), shown, squeeze=False)
        panel.suptitle(f"by {title}" if key == "decoded" else f"by {title} (total variation, alpha-norm)", fontsize=10)
        for line, (name, row) in zip(axes, lines):
            for axis, image in zip(line, row[key]["images"] if key in row else [None] * shown):
                axis.axis("off" if image is None else "on")
                if image is not None:
                    image = np.clip(image.reshape(data.image_shape), 0, 1)
                    show(axis, image[0] if len(image) == 1 else image.transpose(1, 2, 0))
            score = f"{row[key]['error']:.3f}\n{row[key]['ssim']:.3f}" if "error" in row.get(key, ()) else \
                "error\nSSIM" if name == "test images" else "none fits"
            line[-1].text(1.08, 0.5, score, transform=line[-1].transAxes, va="center", fontsize=8)
            if key == "regularized":
                line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    save(figure, path)


def curves_figure(path, found, perturbed):
    """Error by layer: both methods, and the decoders under perturbation."""
    from matplotlib.figure import Figure

    from refimpl.app.plots import BLUE, GREY, ORANGE, save
    rows = found["layers"]
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for (key, title), colour, marker in zip(METHODS, (ORANGE, BLUE), "so"):
        at = [i for i, row in enumerate(rows) if key in row]
        left.plot(at, [rows[i][key]["error"] for i in at], marker=marker, color=colour, label=title)
    left.axhline(found["mean"]["error"], color=GREY, ls="--", lw=1, label="mean training image")
    at = [i for i, row in enumerate(perturbed) if row["error"]]
    for name, marker in zip(perturbed[0]["accuracy"], "osD^"):
        right.plot(at, [perturbed[i]["error"][name] for i in at], marker=marker, label=name)
    for axis, title in ((left, "what is kept, by layer"), (right, "decoders of perturbed representations")):
        axis.set_xticks(range(len(rows)), [row["name"] for row in rows], rotation=40, ha="right", fontsize=7)
        axis.set(title=title, ylim=(0, None))
        axis.legend(fontsize=8)
    left.set_ylabel("error / typical distance of two images")
    save(figure, path)


def plain(value):
    """Results as JSON takes them: no networks, no pictures."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in ("decoder", "images", "x")}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def run(argv):
    args = parse(argv)
    from refimpl.app import jobs
    from refimpl.app.cnn_figures import gallery
    from refimpl.paper import inversion_study as study
    progress = Progress(args.quiet)
    data = load_data(args.dataset, args.data_dir)
    out = args.out or OUT / args.dataset
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: expected a folder, {out} is a file")
    if not 2 <= args.images <= len(data.test_x):
        raise UsageError(f"--images: expected 2 to {len(data.test_x)}, got {args.images}")
    out.mkdir(parents=True, exist_ok=True)
    network, words = network_for(args, data, out, progress)
    found = study.reconstructions(data, network, args.seed, images=args.images, steps=args.steps,
                                  decoder_steps=args.decoder_steps, progress=progress)
    progress("perturbations")
    perturbed = study.perturbations(data, network, found["layers"], found["scale"], args.seed)
    weights = study.compressed(data, network, args.seed)
    coded = [row for row in found["layers"] if len(row["shape"]) == 1 and "ReLU" in row["name"] and row["decoder"]]
    lines = [f"Inversion on {data.title}: {words}, seed {args.seed}, {args.images} test images", "", *inversion_lines(found),
             "", *perturbation_lines(perturbed, weights)]
    figures, made = [], []

    def add(file, title, paper, alt, draw, *what):
        draw(out / file, *what)
        figures.append({"file": file, "title": title, "paper": paper, "alt": alt})

    add("invert_layers.png", "Every layer inverted: by regularization and by a trained decoder, with error and SSIM", "",
        "Lines: test images, then one a layer; left by regularization, right decoded. "
        + "; ".join(inversion_lines(found)[-2:]) + ".",
        reconstruction_figure, found, data, args.count)
    add("invert_errors.png", "Error of the reconstruction by layer, and under perturbation", "",
        "Two panels of curves over the layers; the numbers are in the table.", curves_figure, found, perturbed)
    if coded:
        progress("another network, to judge")
        judge = train_small(data, args.seed + 1, progress)
        progress("maximizing through the generator")
        made = study.generated(data, network, judge, coded[-1], found["scale"], args.seed)
        lines += ["", *generated_lines(made), f"generator: the decoder of {coded[-1]['name']}; the other net: a small CNN"]
        add("invert_generated.png", "Classes maximized through a generator, and by pixels", "",
            "Lines: " + ", ".join(row["name"] for row in made) + "; columns: classes.", gallery,
            [(row["name"], row["images"]) for row in made], data.image_shape, data.classes)
    images, error, students = outlook(data, args, progress)
    lines += ["", *outlook_lines(error, students)]
    add("invert_outlook.png", "Class images: by a teacher, by averaging, and by an autoencoder without a classifier",
        "The paper's outlook: class images by an autoencoder, straight from the training data.",
        "Lines: " + ", ".join(images) + "; columns: classes.", gallery, list(images.items()), data.image_shape, data.classes)
    progress("")
    jobs.write(out / "invert.json", json.dumps(plain({
        "command": "invert", "title": f"Inversion, {data.title}", "lines": lines, "figures": figures, "inversion": found,
        "perturbations": perturbed, "weights": weights, "generated": made, "autoencoder_error": error,
        "outlook": students, "seed": args.seed, "steps": args.steps, "decoder_steps": args.decoder_steps}), indent=1))
    if not args.quiet:
        print("\n".join(lines) + f"\n\n{len(figures)} figures and invert.json in {out}")
    return 0
