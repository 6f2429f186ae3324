"""python -m refimpl dissect: which units of a small CNN detect which drawn concepts, what chance
does, and Net2Vec.
"""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from refimpl.companions.dissection.lines import (
    QUANTILES,
    THRESHOLDS,
    beaten,
    condition_lines,
    curve_lines,
    detector_lines,
    net2vec_lines,
    planted_lines,
    title,
)
from refimpl.report.options import (
    OUT,
    Progress,
    UsageError,
    add_count_of,
    add_jobs,
    add_out,
    add_seed,
    at_least,
    check_jobs,
    make_folder,
    parser_of,
)
from refimpl.report.provenance import recorded_command
from refimpl.report.room_table import add_write, check_checkout, tables_of, write_run

EPILOG = """OUT gets dissect.json and the pictures. The images are drawn, with pixel masks
of 38 concepts of six kinds; a CNN is trained on 4,000 others first. Seeds of
--conditions are kept in OUT/units: a run that was stopped goes on there.

example: python -m refimpl dissect --conditions 5"""
ABOUT = (
    "Which units of a convolutional network stand for a concept that a person would name, and "
    "how many do so by chance."
)
README = Path(__file__).with_name("README.md")
FEWEST = 50  # images; a map of 8 x 8 needs 16 for its .001 quantile, Net2Vec some of every concept


def parse(argv):
    parser = parser_of(
        "dissect", "Network dissection with a null distribution, and Net2Vec.", EPILOG
    )
    parser.add_argument(
        "--task",
        choices=("object", "scene"),
        default="object",
        metavar="KIND",
        help="what the CNN learns: object (default) or scene",
    )
    add_count_of(parser, "images", 2000, "dissected on", least=FEWEST)
    add_count_of(parser, "shuffles", 99, "of masks, for chance", least=19)
    parser.add_argument(
        "--conditions",
        type=at_least(0),
        default=0,
        metavar="SEEDS",
        help="retrain under other conditions (default 0: no)",
    )
    add_jobs(parser)
    add_seed(parser)
    add_out(parser, OUT / "concepts")
    add_write(parser)
    args = parser.parse_args(argv)
    given = parser.given(argv)
    check_jobs(given)
    if not args.conditions and given & {"jobs", "cluster"}:
        raise UsageError("--jobs, --cluster: they go with --conditions, one seed a task")
    return args


def dissected(network, held, args, progress):
    """{layer: Dissection at .005}, {layer: the masks at the largest quantile}."""
    from refimpl.companions.dissection.dissection import score
    from refimpl.companions.dissection.study import places, widest

    found, active = {}, {}
    for name, layers in places(network):
        progress(f"dissecting {name}")
        active[name] = widest(network, layers, held, quantile=QUANTILES[-1])
        found[name] = score(
            active[name].at(0.005),
            held.masks,
            names=held.names,
            kinds=held.kinds,
            shuffles=args.shuffles,
            rng=np.random.default_rng([args.seed, 2]),
        )
    return found, active


def draw_detectors(add, held, measured):
    """The PNG files of detectors, by kind, by unit, by threshold and quantile."""
    from refimpl.companions.dissection import figures as draw

    add(
        "dissect_detectors.png",
        "Detectors by kind and layer, at .04 and at the level of chance",
        "Bau et al. show the same by network.",
        "Stacked bars by kind: units left, unique concepts right.",
        draw.detectors,
        measured.tables,
    )
    add(
        "dissect_iou.png",
        "Every unit's IoU with its concept",
        "",
        "Bars, the largest first, coloured by kind, with the concept's name.",
        draw.ious,
        measured.found,
    )
    add(
        "dissect_curves.png",
        "What the threshold and the quantile change",
        "Bau et al. fix .04 and .005.",
        "Detectors fall with the threshold on the IoU; by quantile; one colour a layer.",
        draw.curves,
        THRESHOLDS,
        measured.by_threshold,
        measured.by_quantile,
        {layer: one.chance.layer_levels[0.95] for layer, one in measured.found.items()},
    )
    for layer, one in measured.found.items():
        if (one.concept >= 0).any():
            add(
                f"dissect_{layer.replace(' ', '_')}.png",
                f"{layer}: the units of largest IoU, best images and masks",
                "As Bau et al. show units.",
                "Rows: units; columns: best images, dark where the unit is not active.",
                draw.best_images,
                one,
                held.images,
                held.image_shape,
            )


def draw_figures(add, held, measured, runs):
    """All PNG files, through `add` of report.results.drawing."""
    from refimpl.companions.dissection import figures as draw

    draw_detectors(add, held, measured)
    add(
        "dissect_net2vec.png",
        "Net2Vec: single unit and combination",
        "Fong and Vedaldi compare the same.",
        "A line a concept from the IoU of the best unit to that of the combination, a panel a "
        "layer.",
        draw.combinations,
        {layer: by_q[0.005] for layer, by_q in measured.combined.items()},
        held.names,
        held.kinds,
    )
    if runs:
        add(
            "dissect_conditions.png",
            "Training conditions",
            "Bau et al., section 3.5.",
            "Detectors by kind under each condition; unique concepts of every seed.",
            draw.conditions,
            runs,
            {name: title(name) for name in runs[0]},
        )


def layer_record(one, table, by_threshold, by_quantile, combined):
    """What the JSON file says of a layer."""
    units = [
        {
            "concept": one.names[c] if c >= 0 else None,
            "kind": one.kinds[c] if c >= 0 else None,
            "iou": iou,
            "p": p,
            "threshold": threshold,
            "best_images": best,
        }
        for c, iou, p, threshold, best in zip(
            one.concept, one.score, one.chance.p, one.thresholds, one.best_images
        )
    ]
    net2vec = {
        q: {
            name: {
                "unit": n.unit[c],
                "single": n.single_iou[c],
                "combined": n.combined_iou[c],
                "balanced": n.balanced_iou[c],
            }
            for c, name in enumerate(one.names)
        }
        for q, n in combined.items()
    }
    return {
        "levels": one.chance.levels,
        "layer_levels": one.chance.layer_levels,
        "units": units,
        "by_kind": table,
        "by_threshold": dict(zip(THRESHOLDS, by_threshold)),
        "by_quantile": by_quantile,
        "net2vec": net2vec,
    }


@dataclass(frozen=True)
class Measured:
    """What was measured of a network's layers, each a dict by layer: the dissection, the detectors
    by kind at .04 and at the level of chance, the detectors by threshold and by quantile, Net2Vec
    by quantile; and what became of planted detectors. lines: all of it as it is printed.
    """

    found: dict
    tables: dict
    by_threshold: dict
    by_quantile: dict
    combined: dict
    planted: dict
    lines: list

    @property
    def problems(self):
        """What could not be judged, in words."""
        words = [f"{layer}: {text}" for layer, one in self.found.items() for text in one.problems]
        for layer, by_q in self.combined.items():
            of_concepts = [text for text in by_q[0.005].problems if text.startswith("concept")]
            words += [f"{layer}, Net2Vec: {text}" for text in of_concepts]
        return words

    @property
    def layers(self):
        """The record of every layer for the JSON file."""
        return {
            layer: layer_record(
                one,
                self.tables[layer],
                self.by_threshold[layer],
                self.by_quantile[layer],
                self.combined[layer],
            )
            for layer, one in self.found.items()
        }


def train_network(args, drawn, progress):
    """The small CNN that is dissected, trained on the task of --task."""
    from refimpl.companions.dissection import study
    from refimpl.companions.dissection.concepts import CONCEPTS

    def tell(step, _):
        progress(f"training a small CNN, step {step + 1} of {study.STEPS}")

    start = study.concept_net(len(CONCEPTS[args.task]), rng=np.random.default_rng([args.seed, 0]))
    rng = np.random.default_rng([args.seed, 1])
    return study.fit(start, drawn, args.task, steps=study.STEPS, rng=rng, on_step=tell)


def measure(network, held, args, progress):
    """Measured: everything about one network's layers on the images `held`."""
    from refimpl.companions.dissection.study import combinations

    found, active = dissected(network, held, args, progress)
    top, tables = detector_lines(found)
    progress("planted detectors")
    words, planted = planted_lines(held, args.seed)
    progress("thresholds and quantiles")
    curves, by_threshold, by_quantile = curve_lines(found, active, held)
    combined = {}
    for layer, masks in active.items():
        progress(f"Net2Vec, {layer}")
        combined[layer] = combinations(masks, held)
    vectors = net2vec_lines(combined, held.kinds)
    lines = [*top, "", *words, "", *curves, "", *vectors]
    return Measured(found, tables, by_threshold, by_quantile, combined, planted, lines)


def condition_runs(args, out, progress):
    """[the conditions of each seed]: one task a seed, kept in OUT/units."""
    from refimpl.companions.dissection import tasks
    from refimpl.report.work import run_tasks

    units = [
        tasks.Conditions(args.task, args.images, args.seed, args.shuffles, seed)
        for seed in range(args.conditions)
    ]
    path = "companions/dissection/tasks.py"
    return list(run_tasks(args, out, path, units, tasks.measure, progress).values())


def values_for_table(measured, runs, values):
    """What --write records."""
    from refimpl.companions.dissection.study import claims
    from refimpl.companions.dissection.table import CONDITIONS

    layers = {}
    for layer, table in measured.tables.items():
        better, of = beaten(measured.combined[layer][0.005])
        layers[layer] = {
            "fixed": table[".04"]["all"],
            "chance": table["chance"]["all"],
            "level": measured.found[layer].chance.layer_levels[0.95],
            "better": better,
            "of": of,
        }
    conditions = {}
    for name in runs[0] if runs else ():
        conditions[title(name)] = {
            key: float(np.mean([run[name][key] for run in runs])) for key in CONDITIONS
        }
    relations = [
        [f"{claim.what}: {claim.expects}", bool(claim.relation(values))]
        for claim in claims()
        if values and claim.relation
    ]
    return {"layers": layers, "conditions": conditions, "relations": relations}


def run(argv):
    args = parse(argv)
    from refimpl.companions.dissection import study
    from refimpl.companions.dissection.table import table
    from refimpl.companions.dissection.tasks import drawn_images
    from refimpl.metrics import accuracy
    from refimpl.report.results import drawing, print_and_write

    if args.write:
        check_checkout(README)
    progress = Progress(args.quiet)
    out = make_folder(args.out)
    progress("drawing the images")
    drawn, held = drawn_images(args.images, args.seed)
    network = train_network(args, drawn, progress)
    percent = accuracy(getattr(held, study.TASKS[args.task]), network.predict(held.images))
    measured = measure(network, held, args, progress)
    problems = measured.problems
    runs = condition_runs(args, out, progress) if args.conditions else []
    values = study.values_of(runs) if args.task == "object" else {}
    lines = [
        f"Dissection of a small CNN, trained here for {study.STEPS} steps on the {args.task}s of "
        f"{len(drawn.images)} drawn images; {percent:.1f} % right on {args.images} others, which "
        f"are dissected; seed {args.seed}",
        "",
        *measured.lines,
        "",
        *(problems or ["problems: none; every unit and every concept could be judged"]),
    ]
    if runs:
        lines += ["", *condition_lines(runs, values)]
    progress("figures")
    figures, add = drawing(out)
    draw_figures(add, held, measured, runs)
    progress("")
    recorded = values_for_table(measured, runs, values)
    if args.write:
        write_run(README, recorded_command("dissect", argv), recorded, table)
    return print_and_write(
        args.quiet,
        out,
        "dissect",
        command="dissect",
        argv=argv,
        title="Network dissection, drawn concepts",
        about=ABOUT,
        shown="dissect_convolution_1.png",
        lines=lines,
        tables=tables_of(recorded, table),
        figures=figures,
        data=SimpleNamespace(name="concepts", title="drawn concepts"),
        values=values,
        claims=study.claims(),
        seed=args.seed,
        task=args.task,
        accuracy=percent,
        problems=problems,
        planted=measured.planted,
        conditions=runs,
        layers=measured.layers,
    )
