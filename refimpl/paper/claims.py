"""The ledger: every number the paper prints, with specification, gaps, our protocol and the verdict's rule.

The rows of sections 5, 7 and 9 stand here, the others' in their own files. CLAIMS holds all as data; judge() turns values
over seeds into rows. A claim without a printed number (paper is None) is judged by a relation that the paper claims in
words, or only measured (a control).
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from refimpl.metrics import precision_recall_f1
from refimpl.paper import (
    dissection_study,
    extraction_study,
    inversion_study,
    missing_digit,
    perturbation_study,
    priors_study,
    review,
    section6,
    section8,
    section10,
    slides,
)
from refimpl.paper import map as the_map
from refimpl.paper.claim import PAPER, Claim, always_below, equal, every, printed_cells
from refimpl.paper.verdict import verdict

DATASETS = ("digits", "mnist", "fashion-mnist", "cifar10")
OTHERS = (section6, section8, missing_digit, section10, priors_study, the_map, slides, review, extraction_study,
          inversion_study, perturbation_study)
CONFUSIONS = {1: "5", 3: "5", 8: "7", 12: "9"}  # table number -> section; the per-class table is the next number

TEACHER = "zero init, minibatches of 100, lr and steps chosen on validation images (command: protocol)"
RETRAIN = "from zero, full batch, squared error on the teacher's logits, lr from the spectrum, to a gradient of 1e-12"
VISUAL = "100 steps of logit ascent from the blank, no box, lambda 0; " + RETRAIN
PNG = "logit images as 128 + 127 x / max|x|, written, read back, targets from the pixels; " + RETRAIN
AVERAGES = {"same_teacher": RETRAIN, "averages_teacher": "lr, falling or not, and steps chosen on validation images",
            "temperature": "section 5's recipe at T = 20, to a gradient of 1e-6", "onehot": "2,000 steps of cross-entropy",
            "lr_bound": "from the spectrum of G", "paper_lr": "1,000 steps of squared error on logits",
            "paper_lr_classes": "after the 1,000 steps all logits are NaN, and argmax takes class 0"}
ASCENT_GAPS = "objective, steps, lr, lambda, norm of the images, loss on soft targets, iterations"


def _table5(name: str) -> Iterator[Claim]:
    """The four columns of table 5 for one data set; on `digits`, which the paper does not have, relations instead."""
    printed = PAPER["table_5"].get(name.replace("-", "_"), [None] * 5)
    teacher = f"table5/{name}/train_set"
    rows = (("train_set", "5", "trained on the training set", printed[0], "number of steps, validation", TEACHER,
             "", None),
            ("class_visualizations", "5", "retrained on ten class visualizations", printed[1], ASCENT_GAPS, VISUAL,
             "equal to the teacher", equal(f"table5/{name}/class_visualizations", teacher)),
            ("class_averages", "7", "retrained on ten class averages", printed[3], "the teacher's steps, loss, iterations",
             RETRAIN + "; the teacher's steps chosen for this on validation images",
             "below the teacher", always_below(f"table5/{name}/class_averages", teacher)),
            ("output_weights", "9", "retrained on the output weights as images", printed[4], "loss, iterations", RETRAIN,
             "equal to the teacher", equal(f"table5/{name}/output_weights", teacher)))
    for column, section, what, paper, unspecified, protocol, expects, relation in rows:
        one_class = None
        if (name, column) == ("cifar10", "class_averages"):
            def one_class(values):
                return (all(v > 20 for v in values["table5/cifar10/class_averages"])
                        and values["section7/cifar10/paper_lr_classes"] == [1] * len(values[teacher]))
        yield Claim(f"table5/{name}/{column}", section, what, paper, unspecified, protocol,
                    expects="" if paper else expects, relation=None if paper else relation, contradicted=one_class)


def _text(name: str) -> Iterator[Claim]:
    """What sections 5, 7 and 9 say in words, our goals for it, and the controls."""
    p = f"section5/{name}"
    printed = PAPER["table_5"].get(name.replace("-", "_"))
    lost = None if printed is None else round(printed[0] - printed[1], 2)
    yield Claim(f"{p}/logit/loss", "5", "points lost by retraining on ten class visualizations", lost, ASCENT_GAPS, VISUAL,
                better="lower", expects="0", relation=every(f"{p}/logit/loss", lambda v: v == 0))
    for recipe, how in (("logit", "logit ascent"), ("log_probability", "log-probability ascent"),
                        ("temperature", "log-probability ascent, cross-entropy at T = 20")):
        yield Claim(f"{p}/{recipe}/agreement", "5", f"student agrees with teacher, {how}", protocol=how + "; " + RETRAIN,
                    expects="100 %", relation=every(f"{p}/{recipe}/agreement", lambda v: v == 100))
        yield Claim(f"{p}/{recipe}/parameters", "5", f"relative distance of the parameters, {how}", better="lower",
                    protocol=how + "; " + RETRAIN, expects="at most 1e-10",
                    relation=every(f"{p}/{recipe}/parameters", lambda v: v <= 1e-10))
    yield Claim(f"{p}/one_step/parameters", "5", "relative distance after ONE step on the one-step data set",
                protocol="T4, lr 1 from zero", better="lower", expects="at most 1e-12",
                relation=every(f"{p}/one_step/parameters", lambda v: v <= 1e-12))
    yield Claim(f"{p}/png/agreement", "5", "ten images and a black one as 8-bit PNG files, agreement",
                protocol=PNG, expects="at least 99.9 %" if name == "mnist" else "",
                relation=every(f"{p}/png/agreement", lambda v: v >= 99.9) if name == "mnist" else None)
    yield Claim(f"{p}/png/without_black/agreement", "5", "the same without the black image", protocol=PNG)
    yield Claim(f"{p}/png/bytes", "5", "bytes of those PNG files and targets")
    yield Claim(f"{p}/best_teacher", "5", "best protocol's teacher", protocol="lr falling linearly, most steps of the grid; "
                "lr chosen on validation images")
    yield Claim(f"{p}/any_init/logit/agreement", "5", "random-init teacher, logit ascent, agreement",
                protocol="weights N(0, .05^2); " + VISUAL)
    yield Claim(f"{p}/any_init/log_probability/agreement", "5", "random-init teacher, log-probability ascent, agreement",
                protocol="weights N(0, .05^2); log-probability ascent; " + RETRAIN, expects="100 %",
                relation=every(f"{p}/any_init/log_probability/agreement", lambda v: v == 100))
    yield Claim(f"{p}/thousand_steps", "5", "the same teacher after 1,000 steps", None if printed is None else printed[0],
                "number of steps", "lr and batch as train_set; 1,000 steps as in TensorFlow's beginners' example, "
                "not chosen on validation images")
    for key, what in (("same_teacher", "class averages with the logits of section 5's teacher"),
                      ("averages_teacher", "the teacher that gives the class averages' logits"),
                      ("temperature", "class averages, cross-entropy at T = 20"),
                      ("onehot", "class averages, one-hot targets"),
                      ("lr_bound", "largest stable lr on the class averages, 2N / l_1"),
                      ("paper_lr", "class averages with the paper's lr .5"),
                      ("paper_lr_classes", "how many classes that network predicts")):
        yield Claim(f"section7/{name}/{key}", "7", what, protocol=AVERAGES[key])
    yield Claim(f"section9/{name}/agreement", "9", "output weights as images, agreement",
                protocol=RETRAIN, expects="100 %",
                relation=every(f"section9/{name}/agreement", lambda v: v == 100))
    for key, what in (("noise", "ten noise images"), ("random_images", "ten random training images"),
                      ("nine_visualizations", "nine class visualizations")):
        yield Claim(f"controls/{name}/{key}", "controls", f"{what} with the teacher's logits",
                    protocol=RETRAIN, expects="below the teacher",
                    relation=always_below(f"controls/{name}/{key}", f"table5/{name}/train_set"))


CLAIMS = (*(claim for name in DATASETS for claim in (
    *_table5(name), *_text(name), *(claim for other in OTHERS for claim in other.claims(name)))),
          *dissection_study.claims(), *(cell for table in CONFUSIONS.items() for cell in printed_cells(*table)))
PER_CLASS = ("table1", "table3", "table6", "table8", "table12")  # the next number's table is made from it


def flatten(measured: Mapping) -> dict:
    """One seed's {id: value}, with every confusion matrix (K, K) spread into the ids of its cells and per-class scores.

    >>> list(flatten({"table3/mnist": np.array([[3, 1], [0, 4]])}).items())[3:6]
    [('table3/mnist/1/1', 4), ('table4/mnist/precision/0', 1.0), ('table4/mnist/precision/1', 0.8)]
    """
    flat = {}
    for id, value in measured.items():
        if not isinstance(value, np.ndarray):
            flat[id] = value
            continue
        table, name = id.split("/")
        flat |= {f"{id}/{i}/{j}": int(count) for (i, j), count in np.ndenumerate(value)}
        for key, scores in zip(("precision", "recall", "f1"), precision_recall_f1(value) if table in PER_CLASS else ()):
            number = int(table.removeprefix("table")) + 1
            flat |= {f"table{number}/{name}/{key}/{c}": round(float(v), 3) for c, v in enumerate(scores)}
    return flat


def judge(seeds: Sequence[Mapping]) -> list[dict]:
    """Rows of results.json for measured values: seeds is a list of {id: value}, one a seed.

    A value is a number or a confusion matrix (K, K). A claim whose id was not measured is left out. A row: id, section,
    what, paper, ours {mean, sd (None for one seed), n}, distance_sd, verdict, expects, protocol, unspecified.

    >>> row = judge([{"table5/mnist/train_set": v} for v in (91.7, 91.8, 91.9, 91.8, 91.7)])[0]
    >>> row["paper"], row["ours"]["n"], row["verdict"]
    (91.76, 5, 'reproduced')
    """
    flat = [flatten(measured) for measured in seeds]
    return judge_values({id: [f[id] for f in flat] for id in flat[0]})


def judge_values(values: Mapping[str, Sequence]) -> list[dict]:
    """Rows of results.json, as those of `judge`, for {id: [one number a seed or run]}: what the other commands measure.

    >>> row = judge_values({"extraction/mnist/hints/error": [1e-13, 2e-13]})[0]
    >>> row["expects"], row["verdict"]
    ('at most 1e-10', 'reproduced')
    """
    rows = []
    for claim in CLAIMS:
        if claim.id not in values:
            continue
        ours = values[claim.id]
        if claim.paper is not None:
            excluded = bool(claim.contradicted and claim.contradicted(values))
            result = verdict(claim.paper, ours, better=claim.better, unit=claim.unit, contradicted=excluded)
        elif claim.relation:
            result = "reproduced" if claim.relation(values) else "not reproduced"
        else:
            result = "measured"
        sd = float(np.std(ours, ddof=1)) if len(ours) > 1 else None
        if sd and sd < 1e-13 * abs(np.mean(ours)):
            sd = 0.0  # equal values, round-off of their mean
        rows.append({"id": claim.id, "section": claim.section, "what": claim.what, "paper": claim.paper,
                     "ours": {"mean": float(np.mean(ours)), "sd": sd, "n": len(ours)},
                     "distance_sd": (claim.paper - float(np.mean(ours))) / sd if sd and claim.paper is not None else None,
                     "verdict": result,
                     "expects": claim.expects, "protocol": claim.protocol, "unspecified": claim.unspecified})
    return rows
