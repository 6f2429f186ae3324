"""python -m refimpl train: train a convolutional network, with checkpoints; run again, it goes on
where it was.
"""

import sys
import time
from dataclasses import asdict, replace

from refimpl.companions.cnn.options import NETS, check_class
from refimpl.report.options import (
    Progress,
    UsageError,
    add_dataset,
    add_out,
    add_seed,
    load_data,
    made,
    parser_of,
    positive,
)

EVERY = 60  # seconds between checkpoints; there is one after each epoch, too
EPILOG = """OUT gets train-NET.json, train-NET.png (loss curve), NET.npz (best network, for
refimpl.weights.load) and NET.checkpoint.npz: run again, it goes on from there.

example: python -m refimpl train conv --dataset cifar10"""
ROWS = {
    "loss": "training loss, running mean",
    "accuracy": "training accuracy, running mean",
    "evaluated_loss": "training loss, evaluated",
    "evaluated_accuracy": "training accuracy, evaluated",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
    "test_accuracy": "test accuracy (no choice)",
}


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
        help="small (default), conv or vonc (the slides', for cifar10: hours)",
    )
    add_dataset(parser)
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


def table(scores, published):
    """The measured numbers of the last and of the best epoch, beside the slides' where there are
    any.
    """
    columns = [("slides", published)] if published else []
    columns += [
        (f"{which} epoch ({scores[which]['epoch']})", scores[which]) for which in ("last", "best")
    ]
    lines = [f"{'':32}" + "".join(f"{name:>16}" for name, _ in columns)]
    for key, name in ROWS.items():
        lines.append(
            f"{name:32}"
            + "".join(f"{v[key]:16.3f}" if key in v else f"{'-':>16}" for _, v in columns)
        )
    return lines


def curves(path, history, title, published):
    """Loss and accuracy by epoch: training as the mean over the epoch, dropout at work; validation
    after it.
    """
    from matplotlib.figure import Figure

    from refimpl.companions.cnn.epochs import best_epoch
    from refimpl.report.plots import BLUE, GREY, ORANGE, save

    figure, best = Figure(figsize=(8.5, 3.4), layout="constrained"), best_epoch(history)
    figure.suptitle(title, fontsize=10)
    epochs = [row["epoch"] for row in history]
    for axis, key in zip(figure.subplots(1, 2), ("loss", "accuracy")):
        for name, colour, label in (
            (key, ORANGE, "training, running mean"),
            (f"validation_{key}", BLUE, "validation"),
        ):
            axis.plot(
                epochs,
                [row[name] for row in history],
                "o-",
                ms=3,
                lw=1.3,
                color=colour,
                label=label,
            )
            if published:
                axis.axhline(
                    published[name],
                    ls="--",
                    lw=1,
                    color=colour,
                    label=f"slides, {label.partition(',')[0]}",
                )
        axis.plot(
            best["epoch"],
            best[f"validation_{key}"],
            "o",
            ms=9,
            mfc="none",
            color=GREY,
            label="network kept",
        )
        axis.set(xlabel="epoch", ylabel="cross-entropy" if key == "loss" else "accuracy")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize=7)
    save(figure, path)


def run(argv):
    args = parse(argv)
    from refimpl.companions.cnn import recipes as cnn_training
    from refimpl.report import results

    progress = Progress(args.quiet)
    progress(f"reading {args.dataset}")
    data = load_data(args.dataset, args.data_dir)
    recipe = cnn_training.RECIPES[args.net]
    recipe = replace(recipe, epochs=args.epochs or recipe.epochs)
    try:
        network = cnn_training.untrained(args.net, data, args.seed)
    except ValueError as error:
        raise UsageError(
            f"{args.net} does not take the images of {args.dataset}, {data.image_shape}: {error}"
        ) from None
    name, split, lines = args.net, cnn_training.split(data), []
    settings = cnn_training.settings(args.net, data, recipe, args.seed)
    if args.without is not None:
        check_class(args, data)
        name, keep = f"{args.net}-without-{args.without}", split.train_y != args.without
        split = replace(split, train_x=split.train_x[keep], train_y=split.train_y[keep])
        settings |= {"without": args.without}
    if args.threads > 1:
        settings |= {"threads": args.threads}
    out = made(args.out, args.dataset)
    file = out / f"{name}.checkpoint.npz"
    found = resume(file, settings, network)

    def say(line):
        progress("")
        lines.append(line)
        if not args.quiet:
            print(line, flush=True)

    say(
        f"{NETS[args.net]} on {data.title}: {sum(p.size for p in network.parameters):,} "
        f"parameters, seed {args.seed}; "
        + ", ".join(f"{k} {v}" for k, v in asdict(recipe).items() if v)
    )
    say(
        f"{len(split.train_x):,} images to train on, the last {len(split.test_x):,} of the "
        f"training set to validate on"
    )
    state, scores, seconds = train(args, file, settings, found, data, split, recipe, progress, say)
    published = cnn_training.PUBLISHED.get(name, {}) if args.dataset == "cifar10" else {}
    for line in ("", *table(scores, published)):
        say(line)
    picture, title = f"train-{name}.png", f"Training {NETS[args.net]} on {data.title}"
    title += f" without {data.classes[args.without]}" if args.without is not None else ""
    curves(out / picture, state.history, f"{title}, seed {args.seed}", published)
    best = scores["best"]
    alt = (
        f"Loss and accuracy by epoch. Validation accuracy ends at "
        f"{scores['last']['validation_accuracy']:.3f}, "
        f"the best is {best['validation_accuracy']:.3f} after epoch {best['epoch']}."
    )
    figure = {
        "file": picture,
        "title": title,
        "paper": "the slides print the last values only",
        "alt": alt,
    }
    ledger = {
        f"slides/{args.dataset}/{args.net}/{key}": [scores[cnn_training.REPORTED[args.net]][key]]
        for key in published
        if recipe == cnn_training.RECIPES[args.net]
    }
    results.leave(
        out,
        f"train-{name}",
        command="train",
        title=title,
        data=data,
        lines=lines,
        figures=[figure],
        values=ledger,
        claims=cnn_training.claims(data.name),
        net=args.net,
        seed=args.seed,
        recipe=asdict(recipe),
        history=state.history,
        scores=scores,
        published=published,
        seconds=round(seconds),
        weights=f"{name}.npz",
    )
    if not args.quiet:
        print(f"\n{out / f'{name}.npz'}, {out / picture}; trained in {left(seconds)}")
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


def train(args, file, settings, found, data, split, recipe, progress, say):
    """(State, scores, seconds) of the finished run, from what resume() found on."""
    from refimpl import weights
    from refimpl.companions.cnn import checkpoints
    from refimpl.companions.cnn import recipes as cnn_training
    from refimpl.companions.cnn.epochs import fit

    state, scores, weights_file = (
        found["state"],
        found["scores"],
        file.with_name(file.name.replace(".checkpoint", "")),
    )
    first, steps = state.step, recipe.epochs * (len(split.train_x) // recipe.batch)
    states = fit(
        state,
        split.train_x,
        split.train_y,
        split.test_x,
        split.test_y,
        recipe,
        seed=args.seed,
        threads=args.threads,
    )
    begun = saved = time.perf_counter()

    def keep():
        spent = found["seconds"] + time.perf_counter() - begun
        checkpoints.save(file, {"state": vars(state), "seconds": spent, "scores": scores}, settings)
        return spent

    def snapshot():
        if args.snapshots:
            weights.save(
                state.network,
                file.with_name(file.name.replace(".checkpoint", f"-epoch-{len(state.history):02}")),
            )

    if not state.step:
        snapshot()
    for row in state.history:
        say(epoch_line(row))
    try:
        for state in states:
            now = time.perf_counter()
            if state.between_epochs:
                say(epoch_line(state.history[-1]))
                snapshot()
                if state.best is state.network:
                    weights.save(state.best, weights_file)
            if state.between_epochs or now - saved > EVERY:
                keep()
                saved = now
            progress(
                f"{args.net}, epoch {len(state.history)} of {recipe.epochs} done, step "
                f"{state.step:,} of {steps:,}, "
                f"{left((now - begun) / (state.step - first) * (steps - state.step))} left"
            )
    except KeyboardInterrupt:
        keep()
        progress("")
        print(
            f"refimpl: stopped after step {state.step:,}; the same command goes on from there",
            file=sys.stderr,
        )
        raise
    except FloatingPointError as error:
        raise UsageError(error) from None
    weights.save(state.best, weights_file)
    if scores:
        return state, scores, found["seconds"]
    progress("evaluating")
    scores = cnn_training.measure(state, split, data)
    return state, scores, keep()
