"""python -m refimpl train: train a convolutional network, with checkpoints; run again, it goes on
where it was.
"""

import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from refimpl.companions.cnn.options import NETS, check_class, train_first
from refimpl.companions.cnn.table import MEASURED, columns_of, table
from refimpl.report.options import (
    Progress,
    UsageError,
    add_dataset,
    add_out,
    add_seed,
    load_data,
    make_folder,
    parser_of,
    positive,
)
from refimpl.report.provenance import recorded_command
from refimpl.report.room_table import add_write, check_checkout, tables_of, write_run

if TYPE_CHECKING:
    from refimpl.companions.cnn.epochs import Recipe
    from refimpl.data import Dataset

EVERY = 60  # seconds between checkpoints; there is one after each epoch, too
EPILOG = """OUT gets train-NET.json, train-NET.png (loss curve), NET.npz (best network, for
refimpl.weights.load) and NET.checkpoint.npz: run again, it goes on from there.

example: python -m refimpl train conv --dataset cifar10"""
ABOUT = (
    "The loss and the accuracy of a convolutional network, epoch by epoch, on the images it "
    "trains on and on others."
)
README = Path(__file__).with_name("README.md")


def parse(argv):
    parser = parser_of(
        "train", "Train a convolutional network by its recipe.", EPILOG, "[NET] [options]"
    )
    parser.add_argument(
        "net",
        nargs="?",
        choices=NETS,
        default="small",
        metavar="NET",
        help="small (default), conv or vonc (for cifar10, hours)",
    )
    add_dataset(parser, own=True)
    parser.add_argument(
        "--epochs", type=positive, metavar="N", help="instead of the recipe's number"
    )
    add_seed(parser)
    parser.add_argument(
        "--threads",
        type=positive,
        default=1,
        metavar="N",
        help="a batch in so many parts (default 1)",
    )
    parser.add_argument(
        "--without", type=int, metavar="C", help="leave class C out of training (for look)"
    )
    parser.add_argument(
        "--snapshots", action="store_true", help="keep each epoch's network: NET-epoch-00.npz, ..."
    )
    add_out(parser)
    add_write(parser)
    return parser.parse_args(argv)


def left(seconds):
    """A time as people say it.

    >>> left(20), left(100), left(4000)
    ('20 s', '2 min', '1 h 7 min')
    """
    hours, minutes = divmod(round(seconds / 60), 60)
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{hours} h {minutes} min"
        if hours
        else f"{minutes} min"
    )


def epoch_line(row):
    return (
        f"epoch {row['epoch']:3}  training loss {row['loss']:.3f}, accuracy {row['accuracy']:.3f}  "
        f"validation loss {row['validation_loss']:.3f}, accuracy {row['validation_accuracy']:.3f}"
    )


def score_lines(scores, published):
    """The measured numbers of the last and of the best epoch, beside the slides' where there are
    any.
    """
    columns = columns_of(scores, published)
    lines = [f"{'':32}" + "".join(f"{name:>16}" for name, _ in columns)]
    for key, name in MEASURED.items():
        cells = [f"{v[key]:16.3f}" if key in v else f"{'-':>16}" for _, v in columns]
        lines.append(f"{name:32}" + "".join(cells))
    return lines


def curve(axis, history, key, published):
    """One panel: `key` ("loss" or "accuracy") by epoch, in training and on validation images."""
    from refimpl.companions.cnn.epochs import best_epoch
    from refimpl.report.plots import BLUE, GREY, ORANGE

    epochs = [row["epoch"] for row in history]
    best = best_epoch(history)
    for name, colour, label in (
        (key, ORANGE, "training, running mean"),
        (f"validation_{key}", BLUE, "validation"),
    ):
        values = [row[name] for row in history]
        axis.plot(epochs, values, "o-", ms=3, lw=1.3, color=colour, label=label)
        if published:
            of = f"slides, {label.partition(',')[0]}"
            axis.axhline(published[name], ls="--", lw=1, color=colour, label=of)
    kept = best[f"validation_{key}"]
    axis.plot(best["epoch"], kept, "o", ms=9, mfc="none", color=GREY, label="network kept")
    axis.set(xlabel="epoch", ylabel="cross-entropy" if key == "loss" else "accuracy")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(fontsize=7)


def curves(path, history, title, published):
    """Loss and accuracy by epoch: training as the mean over the epoch, dropout at work; validation
    after it.
    """
    from matplotlib.figure import Figure

    from refimpl.report.plots import save

    figure = Figure(figsize=(8.5, 3.4), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for axis, key in zip(figure.subplots(1, 2), ("loss", "accuracy")):
        curve(axis, history, key, published)
    save(figure, path)


@dataclass(frozen=True)
class Job:
    """One training: its name, which names its files; the images and the recipe; the checkpoint's
    file, the settings that it must have been made with, and what was found in it.
    """

    name: str
    data: "Dataset"
    split: "Dataset"
    recipe: "Recipe"
    file: Path
    settings: dict
    found: dict

    def beside(self, ending):
        """The file NAME + ending beside the checkpoint."""
        return self.file.with_name(self.name + ending)


def job_of(args, data):
    """(Job, the untrained network) of the options. Raises UsageError, before the folder of the
    results is made, where the network does not take the images.
    """
    from refimpl.companions.cnn import recipes

    recipe = recipes.RECIPES[args.net]
    split = recipes.split(data)
    name = args.net
    if args.without is not None:
        check_class(args, data)
        name = f"{args.net}-without-{args.without}"
        keep = split.train_y != args.without
        if not keep.any():
            raise UsageError(f"--without: there is no training image but of class {args.without}")
        split = replace(split, train_x=split.train_x[keep], train_y=split.train_y[keep])
    batch = min(recipe.batch, len(split.train_y))  # a data set of the user's own may be small
    recipe = replace(recipe, epochs=args.epochs or recipe.epochs, batch=batch)
    try:
        network = recipes.untrained(args.net, data, args.seed)
    except ValueError as error:
        raise UsageError(
            f"{args.net} does not take the images of {args.dataset}, {data.image_shape}: {error}; "
            + train_first(args.net, args.dataset)
        ) from None
    settings = recipes.settings(args.net, data, recipe, args.seed)
    if args.without is not None:
        settings |= {"without": args.without}
    if args.threads > 1:
        settings |= {"threads": args.threads}
    file = make_folder(args.out, args.dataset) / f"{name}.checkpoint.npz"
    found = resume(file, settings, network)
    return Job(name, data, split, recipe, file, settings, found), network


class Teller:
    """Says a line at once, unless quiet, and keeps it for the results."""

    def __init__(self, quiet, progress):
        self.quiet, self.progress, self.lines = quiet, progress, []

    def __call__(self, line):
        self.progress("")
        self.lines.append(line)
        if not self.quiet:
            print(line, flush=True)


def opening_lines(args, job, network):
    recipe = ", ".join(f"{k} {v}" for k, v in asdict(job.recipe).items() if v)
    parameters = sum(p.size for p in network.parameters)
    return [
        f"{NETS[args.net]} on {job.data.title}: {parameters:,} parameters, seed {args.seed}; "
        f"{recipe}",
        f"{len(job.split.train_x):,} images to train on, the last {len(job.split.test_x):,} of the "
        f"training set to validate on",
    ]


def ledger_values(args, job, scores, published):
    """{id: [value]} of what the slides print, where the recipe is as it stands."""
    from refimpl.companions.cnn.recipes import RECIPES, REPORTED

    if not published or job.recipe != RECIPES[args.net]:
        return {}
    reported = scores[REPORTED[args.net]]
    return {f"slides/{job.data.name}/{args.net}/{key}": [reported[key]] for key in published}


def draw(path, args, job, state, scores, published):
    """The PNG file of the curves; returns its record for the JSON file."""
    title = f"Training {NETS[args.net]} on {job.data.title}"
    if args.without is not None:
        title += f" without {job.data.classes[args.without]}"
    curves(path, state.history, f"{title}, seed {args.seed}", published)
    best = scores["best"]
    alt = (
        f"Loss and accuracy by epoch. Validation accuracy ends at "
        f"{scores['last']['validation_accuracy']:.3f}, "
        f"the best is {best['validation_accuracy']:.3f} after epoch {best['epoch']}."
    )
    paper = "the slides print the last values only"
    return {"file": path.name, "title": title, "paper": paper, "alt": alt}


def run(argv):
    args = parse(argv)
    from refimpl.companions.cnn import recipes
    from refimpl.report import results

    if args.write:
        check_checkout(README)
    progress = Progress(args.quiet)
    progress(f"reading {args.dataset}")
    data = load_data(args.dataset, args.data_dir)
    job, network = job_of(args, data)
    say = Teller(args.quiet, progress)
    for line in (*opening_lines(args, job, network), ""):
        say(line)
    state, scores, seconds = train(args, job, progress, say)
    published = recipes.PUBLISHED.get(job.name, {}) if data.name == "cifar10" else {}
    for line in ("", *score_lines(scores, published)):
        say(line)
    picture = job.file.with_name(f"train-{job.name}.png")
    figure = draw(picture, args, job, state, scores, published)
    values = {"network": f"{job.name} on {data.title}", "scores": scores, "published": published}
    if args.write:
        write_run(README, recorded_command("train", argv), values, table)
    results.write_results(
        job.file.parent,
        f"train-{job.name}",
        command="train",
        argv=argv,
        title=figure["title"],
        about=ABOUT,
        data=data,
        lines=say.lines,
        tables=tables_of(values, table),
        figures=[figure],
        values=ledger_values(args, job, scores, published),
        claims=recipes.claims(data.name),
        net=args.net,
        seed=args.seed,
        recipe=asdict(job.recipe),
        history=state.history,
        scores=scores,
        published=published,
        seconds=round(seconds),
        weights=f"{job.name}.npz",
    )
    if not args.quiet:
        print(f"\n{job.beside('.npz')}, {picture}; trained in {left(seconds)}")
    return 0


def resume(file, settings, network):
    """What the run's checkpoint holds: {"state": State, "seconds": spent, "scores": {} or those of
    a finished run}.
    """
    from refimpl.companions.cnn import checkpoints
    from refimpl.companions.cnn.epochs import State, start
    from refimpl.weights import describe

    try:
        found = checkpoints.load(
            file, settings, report=lambda line: print(f"refimpl: {line}", file=sys.stderr)
        )
    except (ValueError, OSError) as error:
        raise UsageError(error) from None
    if found is None:
        return {"state": start(network), "seconds": 0.0, "scores": {}}
    state = State(**found["state"])
    if describe(state.network)[0] != describe(network)[0]:
        raise UsageError(
            f"{file} holds a network of other layers than {settings['network']} has now: delete "
            f"it or choose "
            "another folder"
        )
    return found | {"state": state}


class Keeper:
    """What is kept of a training while it goes on: checkpoints, snapshots, the best network."""

    def __init__(self, args, job):
        self.args, self.job = args, job
        self.begun = self.saved = time.perf_counter()

    def checkpoint(self, state, scores):
        """Write the checkpoint; returns the seconds that the training has taken, all runs
        together.
        """
        from refimpl.companions.cnn import checkpoints

        spent = self.job.found["seconds"] + time.perf_counter() - self.begun
        held = {"state": vars(state), "seconds": spent, "scores": scores}
        checkpoints.save(self.job.file, held, self.job.settings)
        self.saved = time.perf_counter()
        return spent

    def snapshot(self, state):
        """The network after an epoch, where --snapshots asks for it."""
        from refimpl import weights

        if self.args.snapshots:
            epoch = len(state.history)
            weights.save(state.network, self.job.beside(f"-epoch-{epoch:02}.npz"))

    def after_step(self, state, scores, say):
        """Between epochs say and save everything; between steps write a checkpoint every EVERY
        seconds.
        """
        from refimpl import weights

        if state.between_epochs:
            say(epoch_line(state.history[-1]))
            self.snapshot(state)
            if state.best is state.network:
                weights.save(state.best, self.job.beside(".npz"))
        if state.between_epochs or time.perf_counter() - self.saved > EVERY:
            self.checkpoint(state, scores)


def states_of(args, job):
    """The states of the training, from what resume() found on, as they come."""
    from refimpl.companions.cnn.epochs import fit

    split = job.split
    images = (split.train_pixels, split.train_y, split.test_pixels, split.test_y)
    return fit(job.found["state"], *images, job.recipe, seed=args.seed, threads=args.threads)


def train(args, job, progress, say):
    """(State, scores, seconds) of the finished run."""
    from refimpl import weights
    from refimpl.companions.cnn import recipes

    state = job.found["state"]
    scores = job.found["scores"]
    keeper = Keeper(args, job)
    first = state.step
    steps = job.recipe.epochs * (len(job.split.train_x) // job.recipe.batch)
    if not state.step:
        keeper.snapshot(state)
    for row in state.history:
        say(epoch_line(row))
    try:
        for state in states_of(args, job):
            keeper.after_step(state, scores, say)
            pace = (time.perf_counter() - keeper.begun) / (state.step - first)
            progress(
                f"{args.net}, epoch {len(state.history)} of {job.recipe.epochs} done, step "
                f"{state.step:,} of {steps:,}, {left(pace * (steps - state.step))} left"
            )
    except KeyboardInterrupt:
        keeper.checkpoint(state, scores)
        progress("")
        print(
            f"refimpl: stopped after step {state.step:,}; the same command goes on from there",
            file=sys.stderr,
        )
        raise
    except FloatingPointError as error:
        raise UsageError(error) from None
    weights.save(state.best, job.beside(".npz"))
    if scores:
        return state, scores, job.found["seconds"]
    progress("evaluating")
    scores = recipes.measure(state, job.split, job.data)
    return state, scores, keeper.checkpoint(state, scores)
