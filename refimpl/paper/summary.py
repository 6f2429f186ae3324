"""The paper's results in short: the rows of README's table, and the words of the report's page."""

from collections.abc import Mapping

from refimpl.report.tables import numbers_of

HEADING = "test accuracy, % (paper, verdict)"
SUMMARY = (
    ("trained on the training set", "table5/{}/train_set"),
    ("the same after 1,000 steps", "section5/{}/thousand_steps"),
    ("best teacher", "section5/{}/best_teacher"),
    ("student of ten class visualizations", "table5/{}/class_visualizations"),
    ("it agrees with its teacher on", "section5/{}/logit/agreement"),
    ("student of ten images and a black one as 8-bit PNG, agreement", "section5/{}/png/agreement"),
    ("784-30-10 student of the ten, weight decay", "table5/{}/class_visualizations_deeper"),
    ("784-30-10 student of the ten, no weight decay", "section6/{}/plain"),
    ("with open gates, agreement", "section6/{}/open_gates/agreement"),
    ("student of ten class averages", "table5/{}/class_averages"),
    ("student of the output weights", "table5/{}/output_weights"),
    ("3 vs 4, retrained on two images", "section8/{}/three_vs_four_retrained"),
    ("3 vs all, retrained on two images", "section8/{}/three_vs_all_retrained"),
    ("the three of a 3-vs-4 network swapped in", "section8/{}/swap_three_vs_four"),
    ("the three of a 3-vs-all network swapped in", "section8/{}/swap_three_vs_all"),
    ("784-30-10 teacher", "section10/{}/teacher"),
    ("a 784-30-10 teacher's student of its ten images", "section10/{}/student"),
    ("its ten images as fixed weights, biases trained", "section10/{}/biases"),
    ("best student of ten images", "section10/{}/best_student"),
    ("best such biases", "section10/{}/best_biases"),
)
GLANCE = (  # the rows of the front page's table
    "trained on the training set",
    "student of ten class visualizations",
    "it agrees with its teacher on",
    "784-30-10 student of the ten, weight decay",
    "student of ten class averages",
    "a 784-30-10 teacher's student of its ten images",
)


def at_a_glance(table: str) -> str:
    """The front page's table, of the whole one: its head and the rows that GLANCE names.

    >>> at_a_glance("| a |\\n|---|\\n| best teacher |\\n| trained on the training set |")
    '| a |\\n|---|\\n| trained on the training set |'
    """
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return "\n".join([*lines[:2], *(x for x in lines[2:] if x.split("|")[1].strip() in GLANCE)])


ABOUT = (
    "A class visualization is the input image that gradient ascent finds for one output of a "
    "network. The paper: ten such images carry everything the network has learned. Below: what it "
    "printed, what we measured, and what can be proved."
)
HEADINGS = {
    "films": "The ascent, step by step",
    "theorems": "Theorems",
    "claims": "Claims in words, goals, controls",
    "cells": "Printed tables, cell by cell",
    "checks": "The paper against itself",
}
NOTES = {
    "theorems": "The worst seed of each; residuals relative, float64.",
    "checks": "Figures have the paper's numbers and captions and are drawn from our numbers; its "
    "pictures themselves are not reproduced here.",
}


def page(results: Mapping) -> dict:
    """The words of the report's page for results of the main job, as report.report wants them in
    results["page"]: title, answer (the result in one sentence, "" where it was not measured),
    about, headings and notes.

    >>> page({"environment": {"dataset": "digits", "title": "digits (drawn)"}, "claims": []})[
    ...     "answer"
    ... ]
    ''
    """
    environment = results["environment"]
    agreement = numbers_of(results).get(f"section5/{environment['dataset']}/logit/agreement")
    answer = ""
    if agreement:
        answer = (
            "A student retrained from zero on ten class visualizations agrees with its teacher on "
            f"{agreement['ours']['mean']:.2f} % of the test images."
        )
    return {
        "title": f"Class visualizations, {environment['title']}",
        "answer": answer,
        "about": ABOUT,
        "headings": HEADINGS,
        "notes": NOTES,
    }
