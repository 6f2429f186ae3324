"""What the commands about convolutional networks share: which network they look at, and how layers
are called.
"""

import re

import numpy as np

from refimpl.files.paths import check_is_file
from refimpl.report.options import UsageError, add_seed, folder_of, make_folder, positive

STEPS = 400
BRIGHT = 0.6  # a background above this is bright; black is 0, white 1
MOST_PIXELS = 36_000_000  # of an image file: in colour 250 MB while it is scaled
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # what image files may be
BACKGROUNDS = 100  # test images whose borders say what a data set's images are drawn on
SLIDES_DATA = "cifar10"  # what conv and vonc are made for
NETS = {
    "small": "small CNN",
    "conv": "Conv (slides, after Plotka)",
    "vonc": "Vonc (slides, after Bonaccorso)",
}


def add_network(parser):
    parser.add_argument(
        "--net",
        choices=NETS,
        default="small",
        metavar="NET",
        help="small (default), conv or vonc: OUT/NET.npz of train",
    )
    parser.add_argument("--weights", metavar="FILE", help="another network's file instead")
    add_seed(parser)


def parse_network(parser, argv):
    """The options of a parser that has those of add_network. Raises UsageError where both --net and
    --weights say what to look at.
    """
    args = parser.parse_args(argv)
    if {"net", "weights"} <= parser.given(argv):
        raise UsageError("--net, --weights: expected one of them, not both")
    return args


def train_first(net, dataset, more=""):
    """What to type where conv or vonc has not been trained: on the data that they are made for.

    >>> train_first("conv", "digits")
    'conv is made for cifar10; type: python -m refimpl train conv --dataset cifar10 (hours)'
    """
    made_for = "" if dataset == SLIDES_DATA else f"{net} is made for {SLIDES_DATA}; "
    return f"{made_for}type: python -m refimpl train {net} --dataset {SLIDES_DATA}{more} (hours)"


def add_count(parser):
    parser.add_argument(
        "--count", type=positive, default=8, metavar="N", help="channels shown a layer (default 8)"
    )


def check_class(args, data):
    """Raises UsageError where --without is no class of the data set."""
    if args.without is None or not 0 <= args.without < len(data.classes):
        raise UsageError(
            f"--without: expected a class, 0 to {len(data.classes) - 1}, got {args.without}"
        )


def network_for(args, data, progress, *, convolution=False):
    """(network, words, the folder of --out, made): from --weights, from OUT/NET.npz, or a small one
    trained on the spot. convolution: whether it must have one.

    Raises UsageError, before the folder is made, where the file is none or does not fit the data
    set or the command, and where conv or vonc has not been trained.
    """
    from refimpl import weights
    from refimpl.layers.conv import Conv2D

    option = "--weights" if args.weights else "--out"
    path = args.weights or folder_of(args.out, args.dataset) / f"{args.net}.npz"
    if args.weights or path.exists():
        try:
            network = weights.load(path)
        except FileNotFoundError:
            raise UsageError(
                f"--weights: expected a network's .npz file, there is no {path}"
            ) from None
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from None
        if network.inputs != data.train_pixels.shape[1] or network.classes != len(data.classes):
            raise UsageError(
                f"{option}: {path} takes {network.inputs} pixels and has {network.classes} "
                f"classes, {data.title} has {data.train_pixels.shape[1]} and {len(data.classes)}"
            )
        if convolution and not any(isinstance(layer, Conv2D) for layer in network.layers):
            raise UsageError(f"{option}: expected a network with a convolution, {path} has none")
        if not args.weights:
            check_trained_on(path, data)
        return network, f"the network of {path}", make_folder(args.out, args.dataset)
    if args.net != "small":
        then = "" if data.name == SLIDES_DATA else f", then add --dataset {SLIDES_DATA} here"
        raise UsageError(f"--net: there is no {path}; {train_first(args.net, data.name)}{then}")
    untrained_small(data, args.seed)  # says where it does not fit, before the folder is made
    out = make_folder(args.out, args.dataset)
    return train_small(data, args.seed, progress), f"small CNN, trained here for {STEPS} steps", out


def check_trained_on(path, data):
    """Raises UsageError where the checkpoint beside a network of OUT says that train made it on
    other images: data sets of one name share the folder. What cannot be read says nothing.
    """
    from refimpl.companions.cnn import checkpoints, recipes

    try:
        settings, _ = checkpoints.read(path.with_name(f"{path.stem}.checkpoint.npz"))
    except (OSError, ValueError):
        return
    if settings.get("images") != recipes.images_of(data):
        raise UsageError(
            f"--out: {path} was trained on other images than those of {data.title} here: delete it "
            "or choose another folder"
        )


def untrained_small(data, seed):
    """The small CNN for a data set. Raises UsageError where its images are too small for it."""
    from refimpl.companions.cnn.architectures import small_net

    try:
        return small_net(data.image_shape, len(data.classes), rng=np.random.default_rng(seed))
    except ValueError as error:
        raise UsageError(f"--dataset: {data.title} does not fit the small CNN: {error}") from None


def train_small(data, seed, progress, *, without=None):
    """small_net after STEPS steps of Adam 1e-3 on batches of 64; without: a class whose images it
    never sees.
    """
    from refimpl.optimize import adam
    from refimpl.training import train

    what = (
        "a small CNN" if without is None else f"a small CNN without class {data.classes[without]}"
    )

    def tell(step, network):
        progress(f"training {what}, step {step + 1} of {STEPS}")

    keep = (
        np.arange(len(data.train_y)) if without is None else np.flatnonzero(data.train_y != without)
    )
    network = untrained_small(data, seed)
    return train(
        network,
        data.train_x[keep],
        data.train_y[keep],
        steps=STEPS,
        lr=1e-3,
        batch=min(64, len(keep)),
        update=adam,
        rng=np.random.default_rng([seed, 1]),
        on_step=tell,
    )[0]


def image_for(text, data):
    """(x (D,) in [0, 1], words) of a test image's number, or of an image file, cut to the data's
    proportions and scaled; a file with a bright background is inverted where the data's is dark.

    Raises UsageError where there is no such test image, no such file, or a file that is no image.
    """
    if re.fullmatch(r"-?[0-9]{1,9}", text):
        if not 0 <= int(text) < len(data.test_pixels):
            raise UsageError(
                f"--image: expected 0 to {len(data.test_pixels) - 1} or an image file, got {text}"
            )
        return data.test_x[int(text)], f"test image {text}"
    from PIL import Image

    channels, height, width = data.image_shape
    try:
        check_is_file(text)
        with Image.open(text, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:  # told by the header, nothing is unpacked
                raise ValueError(
                    f"{image.width:,} x {image.height:,} pixels are more than {MOST_PIXELS:,}"
                )
            pixels = scaled(image, (width, height), "L" if channels == 1 else "RGB")
    except FileNotFoundError:
        raise UsageError(
            f"--image: expected a test image's number or an image file, there is no {text}"
        ) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"--image: expected an image file, {text} is none: {error}") from None
    x = np.asarray(pixels, data.test_x.dtype).reshape(height, width, channels) / 255
    x = x.transpose(2, 0, 1).reshape(-1)
    words = f"{text}, scaled to {width} x {height}"
    if channels == 1 and background(x[None], data.image_shape) > BRIGHT:
        if background(data.test_x[:BACKGROUNDS], data.image_shape) < 1 - BRIGHT:
            return (
                1 - x,
                f"{words} and inverted (a bright background, that of {data.title} is dark)",
            )
    return x, words


def scaled(image, size, mode):
    """A Pillow image cut and scaled to size (width, height), in a mode of 8 bits a channel. Of 16
    bits these are the upper eight, where Pillow would clip; what is transparent lies on white, as
    viewers show it.
    """
    from PIL import Image, ImageOps

    # An older Pillow says "I" of a PNG file of 16 bits.
    if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PNG"):
        image = Image.fromarray((np.asarray(image.convert("I")) >> 8).astype(np.uint8))
    if "A" not in image.getbands() and "transparency" not in image.info:
        return ImageOps.fit(image.convert(mode), size)
    image = ImageOps.fit(image if image.mode == "RGBA" else image.convert("RGBA"), size)
    return Image.alpha_composite(Image.new("RGBA", size, "white"), image).convert(mode)


def background(x, image_shape):
    """The median of the pixels on the border of the images x (N, D): what they are drawn on.

    >>> background(np.array([[0.9, 0.9, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.8]]), (1, 3, 3))
    0.9
    """
    images = x.reshape(-1, *image_shape)
    edges = (images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1])
    return float(np.median(np.concatenate([edge.ravel() for edge in edges])))


def places(network):
    """[(name, layers to run, channels)] of every convolution and hidden dense layer before its
    ReLU, then the outputs.
    """
    from refimpl.companions.cnn import activations

    return [
        (name, layers, shape[0])
        for name, layers, shape in activations.places(network)
        if "," not in name and not name.startswith("pooling")
    ]


def channel_names(layer, channels):
    """What stands above the pictures of some channels of a layer; those of a dense one are units.

    >>> channel_names("convolution 2", [0, 9]), channel_names("dense 1", [9])
    (['channel 0', 'channel 9'], ['unit 9'])
    """
    word = "unit" if layer.startswith("dense") else "channel"
    return [f"{word} {channel}" for channel in channels]
