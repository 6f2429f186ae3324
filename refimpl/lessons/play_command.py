"""python -m refimpl play: one page in which the browser draws, ascends, retrains and checks."""

import time

from refimpl.files.whole import write_whole
from refimpl.report.options import (
    FEWEST,
    OUT,
    UsageError,
    add_dataset,
    add_out,
    add_seed,
    check_training_images,
    load_data,
    make_folder,
    parser_of,
)

EPILOG = """The page computes everything itself, with the forward and backward passes
of this package written out in JavaScript. It needs no network and no server:
open the file. Data sets of 28 x 28 grey images: digits, mnist, fashion-mnist.

example: python -m refimpl play"""


def run(argv):
    """The command. Exit status 0, 2 for bad usage."""
    parser = parser_of(
        "play", "Write one page to play with: draw, ascend, retrain, check, in the browser.", EPILOG
    )
    add_dataset(parser, own=True)
    add_seed(parser)
    add_out(parser, OUT / "play")
    args = parser.parse_args(argv)
    data = load_data(args.dataset, args.data_dir)
    if data.image_shape != (1, 28, 28):
        raise UsageError(
            f"play: expected a data set of 28 x 28 grey images, got {args.dataset} with "
            f"{' x '.join(map(str, data.image_shape))}"
        )
    check_training_images(data, FEWEST, each=1)
    from refimpl.lessons import pictures, play_page
    from refimpl.report import front

    out = make_folder(args.out)
    start = time.perf_counter()
    text = play_page.page(data, play_page.arrays(data, args.seed))
    path = out / f"play-{data.name}.html"
    write_whole(path, text)
    front.add(
        f"{out}/{path.name}",
        path,
        f"Play, {data.title}",
        "Draw a digit, climb a gradient, retrain a student, check a gradient, in the browser.",
        pictures.FOLDER / "play.png",
    )
    if not args.quiet:
        print(
            f"{path}: {len(text.encode()) / 1e6:.2f} MB, made in {time.perf_counter() - start:.0f} "
            f"s. Open it in a browser; it needs no network."
        )
    return 0
