"""What a person sees first: the answer in a sentence, five plain rows, and where to go on."""

from refimpl.report.tables import number, numbers_of

ROWS = (
    ("the teacher, trained on all images", "table5/{}/train_set", "%"),
    ("a student of its ten class visualizations", "table5/{}/class_visualizations", "%"),
    ("the same as 8-bit PNG files with a black one", "section5/{}/png/agreement", "% agreement"),
    ("a student of ten class averages", "table5/{}/class_averages", "%"),
    ("a student of ten noise images", "controls/{}/noise", "%"),
)
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def seeds_in_words(count):
    """'one seed', 'five seeds', '20 seeds'.

    >>> seeds_in_words(1), seeds_in_words(20)
    ('one seed', '20 seeds')
    """
    word = WORDS[count] if count < len(WORDS) else str(count)
    return f"{word} seed{'' if count == 1 else 's'}"


def headline(results, test_images):
    """The answer to the paper's question, "" where section 5 was not run.

    results: of `reproduce`; test_images: how many there are.
    """
    row = numbers_of(results).get(f"section5/{results['environment']['dataset']}/logit/agreement")
    if row is None:
        return ""
    seeds = seeds_in_words(row["ours"]["n"])
    if row["ours"]["mean"] == 100:
        share = f"{test_images:,} of {test_images:,}"
        return f"The student is the teacher on {share} test images, {seeds}."
    return (
        f"The student agrees with the teacher on {number(row['ours']['mean'])} % of "
        f"{test_images:,} test images (mean of {seeds})."
    )


def first_screen(results, test_images, out):
    """Lines for the terminal: headline, rows, theorems, the report, and what to do next."""
    environment = results["environment"]
    name, numbers = environment["dataset"], numbers_of(results)
    lines = [headline(results, test_images), ""]
    lines += [f"{environment['title'] + ', test accuracy of':48}{'mean':>8}{'sd':>8}"]
    for what, id, unit in ROWS:
        row = numbers.get(id.format(name))
        if row:
            sd = row["ours"]["sd"]
            lines.append(
                f"  {what:46}{number(row['ours']['mean']):>8}"
                f"{'' if sd is None else number(sd):>8} {unit}"
            )
    proved = results["theorems"]
    if proved:
        held = sum(theorem["holds"] for theorem in proved)
        lines += ["", f"{held} of {len(proved)} theorems hold to round-off on every seed."]
        lines += ["Why the claim holds, and each proof in short: refimpl/paper/README.md"]
        lines += [f"  FAILS: {row['id']}, {row['statement']}" for row in proved if not row["holds"]]
    further = "refimpl lesson 1" if name != "digits" else "refimpl --dataset mnist"
    first = " (first: python -m data_fetch mnist)" if name == "digits" else ""
    return [
        *lines,
        "",
        f"The report, with every row and figure: {out / 'report.html'}",
        f"Next: python -m refimpl play; python -m {further}{first}",
        "--verbose prints all rows here.",
    ]
