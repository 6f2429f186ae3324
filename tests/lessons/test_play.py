"""The page to play with, in a real Chromium: its numbers are NumPy's, it draws by pointer and by
key.
"""

import json
import re
from functools import partial
from pathlib import Path

import browser
import numpy as np
import pytest

from refimpl.class_visualization import class_visualizations
from refimpl.companions.extraction.recovery import from_hints
from refimpl.companions.maximization.priors import blur, jitter
from refimpl.descent import descend
from refimpl.exact_recovery import certificate
from refimpl.layers import Affine, ReLU
from refimpl.lessons import play_command, play_page
from refimpl.losses import OBJECTIVES, cross_entropy, softmax, squared_error
from refimpl.network import Network, softmax_net
from refimpl.optimize import momentum, sgd
from refimpl.report.options import UsageError
from refimpl.theory import best_momentum, extreme_eigenvalues, network_of

SHAPE, CLOSE = (1, 28, 28), 1e-10
ASCENTS = {  # options of the page, in its own words; steps and start are the same for all
    **{name: {"objective": name, "lr": 0.05} for name in OBJECTIVES},
    "decay and box": {"objective": "logit", "lr": 0.3, "weightDecay": 0.7, "box": [-0.1, 0.3]},
    "jitter and blur": {"objective": "log_probability", "lr": 0.5, "jitter": 3, "blur": 0.8},
    "all": {"objective": "probability", "lr": 2.0, "weightDecay": 0.1, "jitter": 1, "blur": 0.5}
    | {"box": [-0.5, 0.5]},
}
RETRAININGS = {  # source, how many, the blank too, start, temperature
    "ten": ("visualizations", 10, False, "zero", None),
    "four and the blank": ("visualizations", 4, True, "zero", None),
    "nine": ("visualizations", 9, False, "random", None),
    "averages": ("averages", 10, False, "zero", None),
    "noise": ("noise", 7, True, "random", 5),
    "warm": ("visualizations", 10, False, "zero", 20),
}
NUMBERS, HANDS = (
    (Path(__file__).parent / name).read_text() for name in ("play_numbers.js", "play_hands.js")
)
SEEN = """found.ink = [...drawing.ink]; found.x = [...drawing.x.data];
found.says = predict(teacher, drawing.x)[0]; found.asked = drawing.chosen; found.bars = [...$("bars").children].map(bar => bar.getAttribute("aria-label"));"""


@pytest.fixture(scope="module")
def arrays(digits):
    return play_page.arrays(digits)


@pytest.fixture(scope="module")
def text(digits, arrays):
    few = {name: array[:200] for name, array in arrays.items() if name in ("images", "labels")}
    return play_page.page(digits, arrays | few)


@pytest.fixture(scope="module")
def numbers(text, chrome):
    """What the page computes, asked once."""
    questions = json.dumps({"ascents": ASCENTS, "retrainings": RETRAININGS})
    found, console = browser.probe(text, NUMBERS.replace("QUESTIONS", questions), chrome)
    assert console == []
    return found


@pytest.fixture(scope="module")
def networks(arrays):
    linear = Network((Affine(arrays["teacher_w"], arrays["teacher_b"]),))
    deep = Network((Affine(arrays["w1"], arrays["b1"]), ReLU(), Affine(arrays["w2"], arrays["b2"])))
    return {"teacher": linear, "hidden": deep}


def close(theirs, ours):
    theirs = np.reshape(np.asarray(theirs, float), np.shape(ours))
    assert np.abs(theirs - ours).max() <= CLOSE * max(1, np.abs(ours).max())


def test_logits_and_input_gradients_are_numpys(numbers, networks, digits):
    x, classes = digits.test_x[:20].astype(np.float64), np.arange(20) % 10
    for name, network in networks.items():
        close(numbers["logits"][name], network.logits(x))
        for objective, score in OBJECTIVES.items():
            values, dz = score(network.logits(x), classes)
            close(numbers["values"][name + objective], values)
            close(numbers["gradients"][name + objective], network.input_gradient(x, dz))


class Draws:
    """The page's draws in the place of a generator: uniform ones, two a step."""

    def __init__(self, uniform):
        self.left = iter(uniform.astype(np.float64))

    def integers(self, low, high, size):
        return [int(np.floor(next(self.left) * (high - low))) + low for _ in range(size)]


@pytest.mark.parametrize("name", ASCENTS)
def test_twenty_steps_of_an_ascent_are_numpys(name, numbers, networks, arrays):
    how = dict(ASCENTS[name])
    priors = []
    if pixels := how.pop("jitter", 0):
        priors.append(jitter(pixels, SHAPE, Draws(arrays["jitter"])))
    if sigma := how.pop("blur", 0):
        priors.append(blur(sigma, SHAPE))
    images, values = class_visualizations(
        networks["teacher"],
        objective=how["objective"],
        lr=how["lr"],
        weight_decay=how.get("weightDecay", 0.0),
        box=how.get("box"),
        priors=priors,
        steps=20,
    )
    close(numbers["ascents"][name]["x"], images)
    close(numbers["ascents"][name]["values"], values)


@pytest.mark.parametrize("name", RETRAININGS)
def test_twenty_steps_of_a_retraining_are_numpys(name, numbers, networks, arrays):
    source, count, blank, start, temperature = RETRAININGS[name]
    teacher = networks["teacher"]
    visualizations, _ = class_visualizations(teacher, steps=100, lr=float(arrays["lr"][0]))
    images = visualizations if source == "visualizations" else arrays[source].astype(np.float64)
    images = np.vstack([images[:count], np.zeros((int(blank), 784))])
    targets = teacher.logits(images)
    student = softmax_net(784, 10)
    if start == "random":
        student = network_of(0.01 * arrays["start"].astype(np.float64))
    loss, update = squared_error, sgd
    if temperature:
        loss, lr = (
            partial(cross_entropy, temperature=temperature),
            2 * len(images) * temperature**2 / extreme_eigenvalues(images)[0],
        )
        wanted = softmax(targets / temperature)
    else:
        lr, beta = best_momentum(images)
        update, wanted = partial(momentum, beta=beta), targets
    descent = descend(student, images, wanted, loss, lr=lr, steps=20, tol=0, update=update)
    found = numbers["retrainings"][name]
    close(found["theta"], np.vstack(descent.network.parameters))
    close(found["losses"], descent.losses)
    ours = certificate(images, targets, teacher, start=student)
    assert (found["certificate"]["exact"], found["certificate"]["rank"]) == (ours.exact, ours.rank)
    assert found["certificate"]["missing"] == pytest.approx(ours.missing, rel=1e-6, abs=1e-12)


def test_nine_images_return_the_teacher_in_one_step(numbers, networks):
    assert numbers["nine"]["rows"] == 9
    close(numbers["nine"]["theta"], np.vstack(networks["teacher"].parameters))


def test_the_31_images_return_the_hidden_layer(numbers, networks):
    images, hidden = np.reshape(numbers["units"], (31, 784)), networks["hidden"]
    z1 = hidden.forward(images, upto=1)[0]
    ours = from_hints(images, hidden.logits(images), z1, activation=ReLU())
    for theirs, mine, right in zip(numbers["back"], ours.parameters, hidden.parameters):
        close(theirs, mine)
        close(theirs, right)


def test_the_checker_of_the_page_finds_planted_errors_and_shows_what_ones_hide(numbers):
    for name, found in numbers["checks"].items():
        what, error, how = name.split("|")
        if how == "ones" and what == "softmax":
            assert found["vanishes"] and found["worst"] < 1e-6  # even with an error: not seen
        elif how == "random":
            assert (found["worst"] > 1e-6) == bool(error), name
    assert numbers["agreement"] == 1


def centred(ink):
    """MNIST's framing of ink (S, S), written with matrices: an oracle of the page's `centre`."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    part = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    sizes = [max(1, int(np.floor(n * 20 / max(part.shape) + 0.5))) for n in part.shape]
    small = part
    for axis, size in enumerate(sizes):
        fine = np.repeat(small, size, axis=axis)  # each pixel in `size` pieces
        shape = (*fine.shape[:axis], size, -1, *fine.shape[axis + 1 :])
        small = fine.reshape(shape).mean(axis=axis + 1)
    centre = [(small.sum(axis=1 - a) @ np.arange(small.shape[a])) / small.sum() for a in range(2)]
    top, left = (
        int(np.clip(np.floor(13.5 - c + 0.5), 0, 28 - n)) for c, n in zip(centre, small.shape)
    )
    out = np.zeros((28, 28))
    out[top : top + small.shape[0], left : left + small.shape[1]] = np.floor(255 * small + 0.5)
    return (out.ravel() / 255).astype(np.float32)


@pytest.fixture(scope="module")
def hands(text, chrome):
    """What the page says while it is used: a stroke by the mouse, one by the keys, and the rest."""
    box = chrome.open(text).run('Object.assign(found, $("pad").getBoundingClientRect().toJSON());')
    chrome.run('$("pad-clear").click();')
    found = {"blank": chrome.run(SEEN)}
    across, down = np.linspace(0.52, 0.48, 11), np.linspace(0.2, 0.8, 11)
    stroke = np.stack([box["x"] + box["width"] * across, box["y"] + box["height"] * down], axis=1)
    chrome.drag(stroke.tolist())
    found["pointer"] = chrome.run(SEEN)
    chrome.run('$("pad").focus();')
    chrome.press("Delete")
    found["cleared"] = chrome.run(SEEN)
    for key in ["ArrowUp"] * 3 + [" "] + ["ArrowDown"] * 18 + [" ", "ArrowLeft"]:
        chrome.press(key)
    found["keys"] = chrome.run(SEEN)
    found |= chrome.run("const list = a => [...(a.data ?? a)];" + HANDS)
    assert chrome.console == []
    return found


def _plain(text):
    """Numbers as Python writes them: 1.7e-15, where the page has a power of ten."""
    digits = str.maketrans(
        "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079", "-0123456789"
    )
    return text.replace("\u2212", "-").replace("\u00b710", "e").translate(digits)


def _numbers(text):
    """The numbers of a sentence, in order."""
    plain = _plain(text)
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", plain)]


def test_a_digit_is_drawn_by_pointer_and_by_key(hands, networks):
    for how in ("pointer", "keys"):
        found = hands[how]
        ink = np.reshape(found["ink"], (140, 140))
        assert 500 < np.count_nonzero(ink) < 3000
        assert np.abs(np.array(found["x"]) - centred(ink)).max() <= 1.01 / 255
        assert found["says"] == found["asked"] == 1  # a stroke from above to below
        p = softmax(networks["teacher"].logits(np.array([found["x"]])))[0]
        assert found["bars"][1] == f"1: teacher {100 * p[1]:.1f} %, student {100 * p[1]:.1f} %"
    assert max(hands["blank"]["x"]) == max(hands["cleared"]["ink"]) == 0
    assert hands["chosen"][1] == "true"


def test_a_picture_of_ones_own_is_dropped_in(hands):
    dark, light = (np.array(found["x"]) for found in hands["dropped"])
    for found, x in zip(hands["dropped"], (dark, light)):
        ink = np.reshape(found["ink"], (140, 140))
        assert 1000 < np.count_nonzero(ink > 0.5) < 1600 and found["says"] == 1
        assert np.abs(x - centred(ink)).max() <= 1.01 / 255
    assert np.abs(dark - light).max() < 0.02  # dark on light and light on dark: the same digit
    assert hands["words"] == "That file is no picture."


def test_what_is_shown_says_its_sum(hands, networks, arrays):
    assert hands["logit"].startswith("z") and "Its probability is" in hands["logit"]
    assert hands["pixel"].startswith("Row 15, column 14: ink ") and "weight" in hands["pixel"]
    assert hands["corner"].startswith("Row 0, column 0:")
    text, c, i, x = hands["weight"]
    teacher, x = networks["teacher"], np.array([x])
    w, p = teacher.parameters[0][i, c], softmax(teacher.logits(x))[0, c]
    numbers = _numbers(text)
    assert i == 14 * 28 + 14 and numbers[:3] == [14, 14, c]
    assert numbers[3] == pytest.approx(w, abs=0.005) and x[0, i] > 0.01
    assert numbers[-1] == pytest.approx(x[0, i] * (p - 1), abs=0.006, rel=0.06)
    text, (c, i), theta, images = hands["slope"]
    images, theta = np.reshape(images, (10, 784)), np.reshape(theta, (785, 10))
    off = images @ theta[:-1] + theta[-1] - teacher.logits(images)
    slope = images[:, i] @ off[:, c] / 10
    numbers = _numbers(text)
    assert numbers[:3] == [i // 28, i % 28, c] and numbers[3] == pytest.approx(
        theta[i, c], abs=0.005
    )
    assert (
        numbers[-1] == pytest.approx(slope, abs=0.006, rel=0.06) and len(numbers) == 5 + 1 + 20 + 2
    )
    assert numbers[6] == pytest.approx(images[0, i], abs=0.006)


def test_the_sections_say_what_they_show(hands):
    assert hands["tick"].startswith("\u2713 After 7 steps each image is n lr wc, to ")
    assert "/ 2\u03bb" in hands["decayed"] and hands["decayed"].startswith("\u2713")
    assert "clip(n lr wc)" in hands["boxed"] and hands["boxed"].startswith("\u2713")
    assert hands["untick"].startswith("No closed form") and hands["tiles"] == 10
    steps, distance, _, agreement, sentence = hands["retrained"]
    assert int(steps) > 20 and float(_plain(distance)) < 1e-6
    assert hands["axis"].endswith(f"{steps} stepsdistance") and "10\u207b\u2078" in hands["axis"]
    assert agreement == "200 of 200" and sentence.startswith("Before the first step: Yes.")
    assert hands["six"].startswith("Before the first step: No. These 6 images tell 6 directions")
    assert hands["one"][0] == "1" and hands["one"][2] == "200 of 200"
    assert hands["hidden"].startswith("All 23,860 parameters are back")
    assert "of 30 gates are open" in hands["gates"] and "not enough" in hands["ten"]
    assert hands["check"] == [hands["check"][0], 8] and "is right" in hands["check"][0]
    assert "The planted error is found" in hands["planted"]


def test_the_page_has_no_faults_at_any_width_light_dark_or_printed(text, chrome):
    assert "http" not in text
    assert browser.faults_everywhere(text, chrome) == []


def test_the_page_is_fast_by_its_own_clock(digits, arrays, chrome, capsys):
    """First paint under a second, a step of ten ascents under 16 ms, a hundred retraining steps a
    second. The page's own sentence about it, with the ratios to the matrix products alone, is
    printed: the button below the page says the same.
    """
    page, paint = play_page.page(digits, arrays), []
    for _ in range(3):
        found = chrome.open(page).run(
            "await new Promise(d => requestAnimationFrame(() => setTimeout(d, 50)));"
            "found.speed = speed(); found.words = speedInWords(found.speed);"
        )
        paint.append(found["speed"]["paint"])
    speed = found["speed"]
    with capsys.disabled():
        print(f"\nplay: {found['words']}")
    assert min(paint) < 1000 and speed["ascent"] < 16 and speed["retrain"] < 10
    assert speed["ascentRatio"] > 1 and speed["retrainRatio"] > 1  # the products are timed, too


def test_the_page_is_smaller_than_two_megabytes(digits, arrays):
    assert arrays["images"].shape == (1000, 784)
    assert len(play_page.page(digits, arrays).encode()) < 2_000_000


def test_the_mathematics_fits_four_hundred_lines():
    path = play_page.files("refimpl.lessons").joinpath("play", "network.js")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_the_command_writes_one_file_and_refuses_colour(tmp_path, monkeypatch, capsys, digits):
    monkeypatch.setattr(play_page, "arrays", lambda data, seed: {"images": np.zeros((3, 784))})
    monkeypatch.setattr(play_command, "load_data", lambda name, folder: digits)
    assert play_command.run(["--out", str(tmp_path)]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["play-digits.html"]
    assert "Open it in a browser" in capsys.readouterr().out
    colour = type("Colour", (), {"image_shape": (3, 32, 32)})()
    monkeypatch.setattr(play_command, "load_data", lambda name, folder: colour)
    with pytest.raises(UsageError, match="28 x 28 grey images, got cifar10 with 3 x 32 x 32"):
        play_command.run(["--dataset", "cifar10", "--out", str(tmp_path)])
