"""The embedded data set: what its images are like, how hard they are, and its cache."""

import io
import os

import numpy as np
import pytest

from refimpl.data import digits as module
from refimpl.data.digits import cache_path, digits, draw, load_digits
from refimpl.network import one_hidden_net, softmax_net
from refimpl.training import train


@pytest.fixture(scope="module")
def drawn():
    """The full-size set of seed 0: 10,000 and 2,000 images."""
    return digits(0)


@pytest.fixture(scope="module")
def linear(drawn):
    """The linear teacher on the full-size set."""
    return trained(softmax_net(784, 10, dtype=np.float32), drawn, lr=0.5, epochs=20)


def trained(network, drawn, lr, epochs):
    x, y, *_ = drawn
    return train(
        network,
        x,
        y,
        steps=epochs * len(x) // 100,
        lr=lr,
        falling=True,
        rng=np.random.default_rng(0),
    )[0]


def percent_right(network, drawn):
    """On the test images."""
    return 100 * (network.predict(drawn[2]) == drawn[3]).mean()


def same(a, b):
    return all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


# What the images are


def test_shapes_types_and_range(drawn):
    assert [a.shape for a in drawn] == [(10_000, 784), (10_000,), (2_000, 784), (2_000,)]
    for x, y in (drawn[:2], drawn[2:]):
        assert x.dtype == np.float32 and y.dtype == np.int64
        assert x.min() == 0 and x.max() == 1
        assert set(y) == set(range(10))


def test_every_value_is_a_byte_over_255(drawn):
    levels = np.arange(256).astype(np.float32) / np.float32(255)
    assert np.isin(np.unique(drawn[0]), levels).all()
    assert len(np.unique(drawn[0])) == 256


def test_every_class_is_near_a_tenth(drawn):
    # Four standard deviations of a binomial share: 1.2 and 2.7 points.
    assert np.abs(np.bincount(drawn[1]) / 10_000 - 0.1).max() < 0.012
    assert np.abs(np.bincount(drawn[3]) / 2_000 - 0.1).max() < 0.027


def test_train_and_test_share_no_image(drawn):
    seen = [x.tobytes() for x in np.concatenate([drawn[0], drawn[2]])]
    assert len(set(seen)) == len(seen)


def test_ink_fits_the_box(drawn):
    # As in MNIST no margin: not one grey pixel beyond 20 x 20; the longer side may stay short by a
    # pixel or two (where the pen is at its lightest).
    ink = drawn[0].reshape(-1, 28, 28) > 0
    sides = []
    for axis in (1, 2):
        used = ink.any(axis=axis)
        sides.append(28 - used.argmax(axis=1) - used[:, ::-1].argmax(axis=1))
    longest = np.max(sides, axis=0)
    assert longest.max() <= 20
    assert (longest >= 18).mean() > 0.99 and (longest >= 19).mean() > 0.9


def test_centre_of_mass_is_in_the_middle(drawn):
    x = drawn[0].reshape(-1, 28, 28).astype(np.float64)
    at = np.arange(28) - 13.5
    off = np.abs([x.sum(axis=2) @ at, x.sum(axis=1) @ at]) / x.sum(axis=(1, 2))
    assert off.max() < 1
    assert (off <= 0.5001).all(axis=0).mean() > 0.998


def test_strokes_are_solid_with_grey_edges(drawn):
    x = drawn[0]
    assert (x.max(axis=1) > 0.6).all() and 0.08 < x.mean() < 0.17  # MNIST: .13
    assert 0.3 < ((x > 0) & (x < 1)).sum() / (x > 0).sum() < 0.9


# Chance


def test_same_seed_same_bits():
    assert same(*(digits(3, train=300, test=100) for _ in range(2)))


def test_other_seeds_other_images():
    a, b = digits(3, train=50, test=50), digits(4, train=50, test=50)
    assert not (a[0] == b[0]).all(axis=1).any() and (a[1] != b[1]).any()


def test_smaller_counts_give_the_first_images(drawn):
    for few, all_ in zip(digits(0, train=300, test=70), drawn):
        assert few.tobytes() == all_[: len(few)].tobytes()


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_do_not_show(monkeypatch, block):
    labels = np.arange(150) % 10
    whole = draw(labels, np.random.default_rng(5))
    monkeypatch.setattr(module, "BLOCK", block)
    assert draw(labels, np.random.default_rng(5)).tobytes() == whole.tobytes()


def test_draw_takes_chance_from_the_generator_alone():
    labels = [0, 1, 2, 3]
    np.random.seed(1)
    a = draw(labels, np.random.default_rng(8))
    np.random.seed(2)
    rng = np.random.default_rng(8)
    assert np.array_equal(draw(labels, rng), a)
    assert not np.array_equal(draw(labels, rng), a)


def test_draw_of_small_types_and_nothing():
    want = draw(np.array([9, 0, 4]), np.random.default_rng(1))
    assert np.array_equal(draw(np.array([9, 0, 4], dtype=np.uint8), np.random.default_rng(1)), want)
    assert draw([], np.random.default_rng(1)).shape == (0, 784)
    assert [a.shape for a in digits(train=0, test=0)] == [(0, 784), (0,)] * 2


def test_templates_are_complete():
    assert sorted(module.TEMPLATES) == list(range(10))
    assert (
        module.POINTS.shape[0]
        == module.DOT_WEIGHTS.shape[0]
        == sum(map(len, module.TEMPLATES.values()))
    )
    assert np.allclose(module.DOT_WEIGHTS.sum(axis=2), 1)  # a moved template is drawn moved
    steps = np.linalg.norm(np.diff(module.DOT_WEIGHTS @ module.POINTS, axis=1), axis=2)
    assert np.quantile(steps, 0.95) * 20 < 1  # dots less than a pixel apart, but for lifted pens


# How hard they are


def test_linear_network_finds_it_neither_easy_nor_hopeless(drawn, linear):
    assert 88 <= percent_right(linear, drawn) <= 95


def test_hidden_layer_helps(drawn, linear):
    network = one_hidden_net(784, 30, 10, rng=np.random.default_rng(0), dtype=np.float32)
    assert (
        percent_right(trained(network, drawn, lr=0.3, epochs=30), drawn)
        >= percent_right(linear, drawn) + 1
    )


def test_class_averages_are_not_enough(drawn, linear):
    averages = np.stack([drawn[0][drawn[1] == label].mean(axis=0) for label in range(10)])
    theta = np.linalg.lstsq(np.c_[averages, np.ones(10)], linear.logits(averages), rcond=None)[0]
    assert (
        percent_right(linear, drawn)
        >= percent_right(linear.with_parameters((theta[:-1], theta[-1])), drawn) + 3
    )


# Bad arguments


@pytest.mark.parametrize(
    "labels, came",
    [
        ([3, 10], "from 3 to 10"),
        ([-1, 2], "from -1 to 2"),
        ([1.5, 2], "float64"),
        ([[1, 2]], r"\(1, 2\)"),
        (5, r"\(\)"),
        (["1"], "<U1"),
    ],
)
def test_draw_names_bad_labels(labels, came):
    with pytest.raises(
        ValueError, match=rf"labels: got .*{came}.*expected \(N,\) integers from 0 to 9"
    ):
        draw(labels, np.random.default_rng(0))


@pytest.mark.parametrize(
    "name, value",
    [
        ("train", -1),
        ("test", -5),
        ("seed", -2),
        ("train", 2.5),
        ("test", "7"),
        ("seed", None),
        ("train", True),
    ],
)
def test_digits_names_bad_counts(name, value):
    with pytest.raises(ValueError, match=f"{name}: got {value!r}; expected an integer, 0 or more"):
        digits(**{name: value})


def test_load_digits_names_a_bad_seed(tmp_path):
    with pytest.raises(ValueError, match="seed: got -1; expected"):
        load_digits(tmp_path, -1)
    assert not list(tmp_path.iterdir())


# The cache


@pytest.fixture
def small(monkeypatch):
    """`digits` cut to 60 images in `load_digits`: the list of the seeds it was called with."""
    calls = []

    def few(seed):
        calls.append(seed)
        return digits(seed, train=40, test=20)

    monkeypatch.setattr(module, "digits", few)
    return calls


def test_full_set_comes_back_from_the_file_bit_for_bit(tmp_path, drawn, monkeypatch):
    monkeypatch.setattr(module, "digits", lambda seed: drawn)
    load_digits(tmp_path)
    monkeypatch.setattr(module, "digits", None)  # a call would raise
    assert same(load_digits(str(tmp_path)), drawn)
    assert cache_path(tmp_path, 0).stat().st_size < 4_000_000


def test_second_load_reads_the_file(tmp_path, small):
    first = load_digits(tmp_path, 5)
    assert same(load_digits(tmp_path, 5), first) and small == [5]
    load_digits(tmp_path, 6)
    assert small == [5, 6]
    assert [p.name for p in sorted((tmp_path / "digits").iterdir())] == [
        cache_path(tmp_path, seed).name for seed in (5, 6)
    ]


def test_other_code_or_version_is_another_file(tmp_path, monkeypatch):
    before = cache_path(tmp_path, 0)
    other = tmp_path / "digits.py"
    other.write_text("# other code")
    with monkeypatch.context() as patch:
        patch.setattr(module, "__file__", str(other))
        assert cache_path(tmp_path, 0) != before
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    assert cache_path(tmp_path, 0) != before


def flip(data):
    """One bit of an image changed in a file that is a sound archive: only the checksum can tell."""
    with np.load(io.BytesIO(data)) as stored:
        arrays = dict(stored)
    arrays["train_x"][0, 300] ^= 1
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def pickled(data):
    """An archive whose arrays hold objects, which must not be unpickled."""
    out = io.BytesIO()
    np.savez(
        out, **{name: np.array([{}]) for name in (*module.ARRAYS, "checksum")}, allow_pickle=True
    )
    return out.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not an archive",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data[:200] + b"\xff" * 50 + data[250:],
        flip,
        pickled,
    ],
    ids=["empty", "text", "half", "one byte short", "overwritten", "bit flipped", "pickled"],
)
def test_damaged_cache_is_redrawn(tmp_path, small, damage):
    first = load_digits(tmp_path, 5)
    path = cache_path(tmp_path, 5)
    path.write_bytes(damage(path.read_bytes()))
    assert same(load_digits(tmp_path, 5), first) and small == [5, 5]
    assert same(load_digits(tmp_path, 5), first) and small == [5, 5]  # and mended


def test_another_seeds_file_is_not_taken(tmp_path, small):
    load_digits(tmp_path, 5)
    os.replace(cache_path(tmp_path, 5), cache_path(tmp_path, 6))
    load_digits(tmp_path, 6)
    assert small == [5, 6]


def test_unwritable_folder_works_without_cache(tmp_path, small):
    blocked = (
        tmp_path / "file"
    )  # a file where the folder should be: not even root can write below it
    blocked.write_text("")
    first = load_digits(blocked, 5)
    assert same(load_digits(blocked, 5), first) and small == [5, 5]


def test_folder_in_the_files_place_works_without_cache(tmp_path, small):
    cache_path(tmp_path, 5).mkdir(parents=True)
    load_digits(tmp_path, 5)
    load_digits(tmp_path, 5)
    assert small == [5, 5]
    assert [p.name for p in (tmp_path / "digits").iterdir()] == [cache_path(tmp_path, 5).name]


def test_full_disk_works_without_cache(tmp_path, small, monkeypatch):
    def full(file, **arrays):
        file.write(b"PK")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    load_digits(tmp_path, 5)
    assert not list((tmp_path / "digits").iterdir())


def test_killed_write_leaves_nothing_that_is_accepted(tmp_path, small, monkeypatch):
    def killed(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            load_digits(tmp_path, 5)
    assert not list((tmp_path / "digits").iterdir())
    # A harder death can't clean up: the unfinished file stays, under a name that is never read.
    (tmp_path / "digits" / (cache_path(tmp_path, 5).name + ".1-1.tmp")).write_bytes(b"PK")
    load_digits(tmp_path, 5)
    assert small == [5, 5]
