"""Section 8's rows of the ledger; what is measured for them stands in section8.py."""

from collections.abc import Iterator, Mapping

from refimpl.ledger.claim import (
    Claim,
    Entry,
    Measurement,
    always_below,
    entry,
    every,
    never_above,
)
from refimpl.paper.cells import printed_cells
from refimpl.paper.printed import PAPER
from refimpl.paper.section8 import GRID, MODELS, NORMS, READING, TARGETS


def is_fraction(percent: float, images: int) -> bool:
    """Whether some k / images prints as this percentage with two decimals.

    >>> (
    ...     is_fraction(97.39, 2020),
    ...     is_fraction(97.39, 10_000),
    ...     is_fraction(97.82, 2020),
    ...     is_fraction(99.7, 1992),
    ... )
    (False, True, True, True)
    """
    return any(round(100 * k / images, 2) == percent for k in range(images + 1))


def claims(name: str) -> Iterator[Entry]:
    """Section 8's rows of the ledger for one data set; printed numbers for MNIST only.

    >>> [(claim.id, claim.paper) for claim in claims("mnist")][0]
    ('section8/mnist/three_vs_four_teacher', 99.7)
    """
    p, printed = f"section8/{name}", PAPER["section_8"] if name == "mnist" else {}
    two = (
        "two-class network from zero, the teacher's lr and batch, steps chosen on validation images"
    )
    again = (
        "its two logit visualizations from the blank; from zero, squared error on its logits, "
        "gradient to 1e-12"
    )
    how = "the new three has the norm and the soft target of the image it replaces; " + again
    titles = dict(zip(MODELS, ("3 vs 4", "3 vs all", "3 vs all, trained balanced")))
    for model, title in titles.items():
        for who, protocol in (("teacher", two), ("retrained", again)):
            id, paper = f"{p}/{model}_{who}", printed.get(f"{model}_{who}")
            if model == "three_vs_all_balanced":
                paper = printed.get(f"three_vs_all_{who}")
                protocol += "; trained balanced, as printed, and tested on all test images"
            elif model == "three_vs_all":
                protocol += "; trained on ALL images: not as printed, but what the number needs"
            same = (
                every(f"{p}/{model}/agreement", lambda v: v == 100) if who == "retrained" else None
            )
            yield entry(
                id,
                "8",
                f"{title}, {who}",
                paper,
                "steps, balanced or all images, test images",
                protocol,
                expects="" if paper or not same else "equal to its teacher",
                relation=None if paper else same,
            )
            if model != "three_vs_four":
                yield Measurement(
                    f"{id}/balanced_test",
                    f"{title}, {who}, as many others as threes tested",
                    protocol=protocol,
                )
        yield Claim(
            f"{p}/{model}/agreement",
            "8",
            f"{title}, student agrees with its teacher on all test images",
            protocol=again,
            expects="100 %",
            relation=every(f"{p}/{model}/agreement", lambda v: v == 100),
        )
        yield Claim(
            f"{p}/{model}/antisymmetry",
            "8",
            f"{title}, |w_three + w_other|, relative",
            better="lower",
            protocol=two,
            expects="at most 1e-13 (T0)",
            relation=every(f"{p}/{model}/antisymmetry", lambda v: v <= 1e-13),
            own=True,
        )
    yield from _figure12(p, titles)
    for swap in READING:
        chosen = f"the three of {titles[READING[swap][0]]}"
        yield entry(
            f"{p}/swap_{swap}",
            "8",
            f"ten-class student, {chosen} swapped in",
            printed.get(f"swap_{swap}"),
            "norm and soft target of the new image, steps of both networks",
            how,
        )
        yield Measurement(
            f"{p}/recall/{swap}", f"percent of true threes found, {chosen}", protocol=how
        )
        yield Claim(
            f"{p}/false_positives/{swap}",
            "8",
            f"true fours called three, {chosen}",
            protocol=how,
            better="lower",
            expects="no more than without the swap",
            relation=never_above(f"{p}/false_positives/{swap}", f"{p}/false_positives/teacher"),
        )
    yield Measurement(
        f"{p}/false_positives/teacher", "true fours called three by the ten-class teacher"
    )
    for model, title in titles.items():
        for norm in NORMS:
            for target in TARGETS:
                yield Measurement(
                    f"{p}/swap/{model}/{norm}/{target}",
                    f"{title}: norm {norm}, target {target}",
                    protocol=again,
                )
        for steps in GRID[name]:
            yield Measurement(
                f"{p}/swap_after/{model}/{steps}",
                f"{title}: swap after {steps} steps",
                protocol=how,
            )
    if name == "mnist":
        for number in (10, 11):
            yield from printed_cells(number, "8")


def _figure12(p: str, titles: Mapping[str, str]) -> Iterator[Entry]:
    """What figure 12 shows and its section says: how far the three of a two-class network is from
    the ten-class network's, as the cosine of the two images; and what an untrained one scores.
    """
    how = "cosine of the two class visualizations, which are s w_three (T1)"
    near = f"{p}/cosine/three_vs_four"
    for model, title in titles.items():
        id = f"{p}/cosine/{model}"
        what = f"cosine of the three of {title} with the ten-class three"
        yield (
            Claim(
                id,
                "8",
                f"{what} (figure 12)",
                protocol=how,
                expects="above that of 3 vs 4",
                relation=always_below(near, id),
            )
            if model == "three_vs_all"
            else Measurement(id, what, protocol=how)
        )
        yield Measurement(
            f"{p}/{model}_untrained",
            f"{title}, before training: all are called three",
            protocol="a network of zeros on the test images",
        )
    yield Measurement(
        f"{p}/cosine/four", "cosine of the four of 3 vs 4 with the ten-class four", protocol=how
    )
