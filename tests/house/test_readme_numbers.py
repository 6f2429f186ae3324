"""Every number in README.md: printed by a command and recorded, by the benchmarks, or computed
here; or it is a setting.

tests/recorded/NAME.txt is what a command printed, the command itself in the first line, without the
last ("files in DIR"). tests/recorded/sentences.txt says which number of which record stands where
in the README. No number may be left over but the settings and sizes listed below. A slow test runs
the digits' column again, with REFIMPL_FULL=1 others some commands of minutes. The packings depend
on the machine's speed, and conv and vonc take hours: `python -m refimpl train` trains them.
"""

import os
import re
import shlex
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest

from refimpl.app import cli
from refimpl.ledger.claim import PAPER

ROOT = Path(__file__).parents[2]
RECORDED = Path(__file__).parents[1] / "recorded"
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
SENTENCES = [
    line
    for line in (RECORDED / "sentences.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("# ")
]
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?(?!\w)")
FIELD = re.compile(r"\{([^{}]*)\}")
WORDS = "zero one two three four five six seven eight nine ten".split()


def values(text):
    return [Decimal(v.rstrip(",").replace(",", "")) for v in NUMBER.findall(text)]


def recorded(name):
    path = ROOT / "benchmarks" / "README.md" if name == "benchmarks" else RECORDED / f"{name}.txt"
    return path.read_text(encoding="utf-8").splitlines()


def lookup(place, label, index):
    """The number `index` after the label, in the first line that has it (^: begins with it) after
    the one with the title.
    """
    name, _, title = place.partition(" > ")
    lines = recorded(name)
    for line in lines[next(i for i, line in enumerate(lines) if title in line) :]:
        if line.startswith(label[1:]) if label[0] == "^" else label in line:
            return values(line.split(label.lstrip("^"), 1)[1])[int(index)]
    raise AssertionError(f"{name}: no line with {label!r}")


def written(value, form):
    """A number as the README writes it.

    >>> examples = ("0.7756", ".3"), ("1.2", "0.2"), ("7e-15", "e"), ("5043", "d"), ("0.5402", "%1")
    >>> [written(Decimal(value), form) for value, form in examples]
    ['.776', '1.20', '7e-15', '5,043', '54.0']
    """
    if form == "word":
        return WORDS[int(value)]
    if form == "e":
        return np.format_float_scientific(value, trim="-", exp_digits=1)
    value = abs(value) if form[0] == "a" else 100 * value if form[0] == "%" else value
    text = f"{value.quantize(Decimal(10) ** -int(form[-1].replace('d', '0')), ROUND_HALF_UP):,}"
    return text.replace("0.", ".", 1) if form[0] in ".a" and abs(value) < 1 else text


def rendered(field):
    """'record > title :: label :: index :: format' -> the number; of two places with ' / ' between
    them -> their ratio.
    """
    *parts, form = field.split(" :: ")
    if len(parts) == 3:
        return written(lookup(*parts), form)
    index, other = parts[2].split(" / ")
    return written(lookup(*parts[:2], index) / lookup(other, *parts[3:]), form)


@pytest.mark.parametrize("sentence", SENTENCES, ids=range(len(SENTENCES)))
def test_the_readme_says_what_was_recorded(sentence):
    assert FIELD.search(sentence)
    assert FIELD.sub(lambda m: rendered(m[1]), sentence) in README


NAMES = (
    r"`[^`]*`",
    r"\]\([^)]*\)",
    r"\b\d+(?:-\d+)+\b",
    r"\b\d+ x \d+\b",
    r"\b[A-Za-z]+-?\d+\w*",
    r"\b\d+ vs \w+",
)
# what else stands in the README: versions, years, formulas, sizes, sections; and what is tested
# below
SETTINGS = {
    "The reference implementation": "2021 11 9374",
    "With Python 3.11": "3.11",
    "Below, ": "6 8 10",
    "The report names": "1e-12 1e-14",
    "`python -m refimpl --only": "1",
    "- **T2**": "0 1",
    "- **T3**": "11 2",
    "- **T4**": "1",
    "- **T6**": "0",
    "- **T7**": "0 +10",
    "- **T12**": "1",
    "One image a class": "2024",
    "| 784-30-10 (3072": "3072",
    "- *a* is two": "1",
    "- Queries": "2 18 19",
    "Convolution, pooling": "2019 2018",
    "| CIFAR-10 (JPEG), 35": "35,000 15,000",
    "Vonc's schedule": "1e-3",
    "`dissect` draws": "26 6",
    "| total bins": "500",
    "Nothing was tuned": "200",
    "Does the gradient": "22 0 1",
    "Missed of": "29 5",
    "Ten images of 784": "784 100 7,940 7,850 8",
    "± is the standard": "95 75",
    '- "Exceeded" means': "1,000 91.76 .5 .1 .01",
    "- The paper loses": ".14 .94 .43",
    "- 86.02": "86.02 10 .5 170 0",
    "- Section 6": "6 10",
    "`python -m refimpl claims` prints": "1 4 8 9 12 13 6 10",
    "From the ground up": "1,200",
    "Images are rows": "0 1",
    "Python 3.11 to": "3.11 3.13 1.26 3.8",
}
LITERALS = (
    ".001 .04 .5 1 1.3 1e-100 2 4 5 8 10 20 30 100 121 128 130 170 200 250 400 2,000 2010 2013 "
    "7,234 7,241 "
    "6,988"
)  # what SENTENCES say themselves: thresholds, sizes, years, others' results


def test_no_number_of_the_readme_is_left_over():
    said = [FIELD.sub(lambda m: rendered(m[1]), sentence) for sentence in SENTENCES]
    text = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.S)
    for block in re.split(r"\n\n|\n(?=- )", text):
        block = begin = " ".join(block.split())
        if begin.startswith("| test accuracy, % (paper"):  # the table of the next test
            continue
        for part in said:
            block = block.replace(part, " ")
        for name in NAMES:
            block = re.sub(name, " ", block)
        allowed = next(
            (numbers for key, numbers in SETTINGS.items() if begin.startswith(key)), ""
        ).split()
        assert {v.rstrip(",") for v in NUMBER.findall(block)} <= set(allowed), begin[:60]


def test_what_a_sentence_says_without_a_record_is_a_setting():
    said = re.sub("|".join(NAMES), " ", FIELD.sub(" ", " ".join(SENTENCES)))
    assert {v.rstrip(",") for v in NUMBER.findall(said)} <= set(LITERALS.split())


def test_the_claims_at_a_glance_are_those_recorded():
    table = [
        line
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    start = next(i for i, line in enumerate(table) if line.startswith("| test accuracy, % (paper"))
    summary = [line for line in recorded("reproduce") if line.startswith("| ")]
    assert table[start : start + len(summary)] == summary and len(summary) > 15


def test_numbers_that_are_computed():
    columns = (PAPER["table_5"][name] for name in ("mnist", "fashion_mnist", "cifar10"))
    lost = (f"{trained - student:.2f}"[1:] for trained, student, *_ in columns)
    assert "loses {}, {} and {} points".format(*lost) in README
    assert (
        f"784 numbers and 100 logits are {10 * 784 + 100:,} numbers; the teacher has {785 * 10:,}"
        in README
    )
    assert (
        f"({(ROOT / 'refimpl/companions/packing/thesis/scorer.npz').stat().st_size / 1000:.0f} KB)"
        in README
    )
    judged = ("reproduced", "not reproduced")
    verdicts = [line.split("  ")[0] for line in recorded("dissect") if line.startswith(judged)]
    assert f"Of {len(verdicts)} relations on training conditions" in README
    assert f"nine minutes) {verdicts.count('reproduced')} are reproduced" in README
    times = Decimal("0.5") / lookup("reproduce", "section7/cifar10/lr_bound", 0)
    assert f"with lr .5, some {10 * round(times / 10)} times too large there" in README
    for record, exact in (
        ("extract-mnist-curve", "170 images"),
        ("extract-mnist-plain", "200 images"),
    ):
        assert lookup(record, exact, 1) == 100 and lookup(record, exact, -1) < 1e-10


WORDS_ONLY = re.compile(r"[-+\d.,e±]+|\s+")
MEAN = re.compile(r"(\S+) \+- (\S+)")


def run_again(command, record, monkeypatch, tmp_path, capsys):
    """Pairs of lines of the same words: what the command prints now, and what the record has."""
    monkeypatch.chdir(tmp_path)
    assert cli.main([*shlex.split(command), "--out", str(tmp_path / "out")]) == 0
    known = defaultdict(list)  # by their words, in order
    for line in recorded(record):
        known[WORDS_ONLY.sub("", line)].append(line)
    pairs = [
        (line, known[WORDS_ONLY.sub("", line)].pop(0))
        for line in capsys.readouterr().out.splitlines()
        if values(line) and not line.endswith(" s") and known[WORDS_ONLY.sub("", line)]
    ]
    assert len(pairs) >= 4
    return pairs


@pytest.mark.slow
def test_the_digits_column_again(monkeypatch, tmp_path, capsys):
    """Means over ten seeds come back within a standard deviation, whatever NumPy and the processor."""
    pairs = run_again("--only 5,7,9 --seeds 10", "reproduce", monkeypatch, tmp_path, capsys)
    pairs = [
        [tuple(map(float, MEAN.search(line).groups())) for line in pair]
        for pair in pairs
        if MEAN.search(pair[0])
    ]
    assert len(pairs) > 20 and all(
        abs(now[0] - then[0]) <= max(now[1], then[1], 0.02) for now, then in pairs
    )


@pytest.mark.slow
@pytest.mark.skipif(
    "REFIMPL_FULL" not in os.environ, reason="minutes, and the last bits of one NumPy and processor"
)
@pytest.mark.parametrize("record", ["deconv", "invert", "dissect", "extract-mnist"])
def test_run_again(record, monkeypatch, tmp_path, capsys):
    command = recorded(record)[0].removeprefix("$ python -m refimpl")
    for line, before in run_again(command, record, monkeypatch, tmp_path, capsys):
        now, then = (np.array(values(text), float) for text in (line, before))
        tiny = (np.abs(now) < 1e-9) & (np.abs(then) < 1e-9)  # round-off itself
        assert np.allclose(now[~tiny], then[~tiny], rtol=0.02, atol=0.03), (line, before)
