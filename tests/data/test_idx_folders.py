"""Any idx data set: by folder, by name, imported; the names that people's copies have."""

import gzip
import os
import re
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import data_fetch
from refimpl.app import cli
from refimpl.data import CHECKSUMS, load
from refimpl.files.idx_folder import check_folder, role_of
from refimpl.report.options import TAKE_OWN

ROOT = Path(data_fetch.__file__).parent
CODES = {"uint8": 8, "int16": 11, "int32": 12}
MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte") + (
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx_bytes(array):
    head = bytes([0, 0, CODES[array.dtype.name], array.ndim])
    big_endian = array.astype(array.dtype.newbyteorder(">"))
    return head + struct.pack(f">{array.ndim}I", *array.shape) + big_endian.tobytes()


def some_set(seed=0, shape=(3, 5), counts=(12, 7), classes=4):
    """train images, train labels, test images, test labels; every class occurs."""
    rng = np.random.default_rng(seed)
    arrays = []
    for n in counts:
        arrays.append(rng.integers(0, 256, (n, *shape), dtype=np.uint8))
        arrays.append(rng.permutation(np.arange(n) % classes).astype(np.uint8))
    return arrays


def put(folder, arrays, names=MNIST, pack=bytes, suffix=""):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, arrays, strict=True):
        (folder / (name + suffix)).write_bytes(pack(idx_bytes(array)))
    return folder


def assert_is(data, arrays, transposed=False):
    train_x, train_y, test_x, test_y = arrays
    if transposed:
        train_x, test_x = train_x.swapaxes(1, 2), test_x.swapaxes(1, 2)
    assert data.train_pixels.dtype == data.test_pixels.dtype == np.uint8
    assert np.array_equal(data.train_pixels, train_x.reshape(len(train_x), -1))
    assert np.array_equal(data.test_pixels, test_x.reshape(len(test_x), -1))
    assert data.train_y.dtype == data.test_y.dtype == np.int64
    assert np.array_equal(data.train_y, train_y)
    assert np.array_equal(data.test_y, test_y)
    assert data.image_shape[-2:] == train_x.shape[-2:]


def fetch(*arguments):
    return data_fetch.main([str(argument) for argument in arguments])


def dotted(name):
    return name.replace("-idx", ".idx")


def as_test(prefix):
    return tuple(f"{prefix}-{name}".replace("t10k", "test") for name in MNIST)


WAYS = {
    "plain": ("mine", MNIST, bytes, "", "mine"),
    "gzipped": ("mine", MNIST, gzip.compress, ".gz", "mine"),
    "dotted": ("mine", tuple(map(dotted, MNIST)), bytes, "", "mine"),
    "dotted gzip": ("mine", tuple(map(dotted, MNIST)), gzip.compress, ".gz", "mine"),
    "torchvision": ("KMNIST/raw", MNIST, bytes, "", "kmnist"),
    "qmnist": ("QMNIST/raw", as_test("qmnist"), gzip.compress, ".gz", "qmnist"),
    "emnist": ("EMNIST/raw", as_test("emnist-digits"), bytes, "", "emnist-digits"),
    "kaggle": ("mine", tuple(f"{name}/{name}" for name in MNIST), bytes, "", "mine"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_folder_is_loaded_and_imported_under_every_name_in_use(way, tmp_path, capsys):
    place, names, pack, suffix, name = WAYS[way]
    arrays = some_set()
    for file in names:
        (tmp_path / place / file).parent.mkdir(parents=True, exist_ok=True)
    folder = put(tmp_path / place, arrays, names, pack, suffix)
    turned = way == "emnist"
    data = load(folder)
    assert_is(data, arrays, turned)
    assert data.name == name
    assert data.classes == ("0", "1", "2", "3")
    assert ("upright" in data.title) == turned
    assert_is(load(str(tmp_path / place.split("/")[0])), arrays, turned)
    assert fetch("Own_Set", "--from", folder, "--data-dir", tmp_path / "data") == 0
    assert ("upright" in capsys.readouterr().out) == turned
    assert_is(load("own-set", tmp_path / "data"), arrays, turned)
    assert fetch("--from", folder, "--data-dir", tmp_path / "data") == 0
    assert_is(load(name.upper(), tmp_path / "data"), arrays, turned)
    assert fetch("own-set", "--verify", "--data-dir", tmp_path / "data") == 0
    assert f"  {name:14}complete" in listed(tmp_path / "data", capsys)


def listed(data_dir, capsys):
    capsys.readouterr()
    assert fetch("--list", "--data-dir", data_dir) == 0
    return capsys.readouterr().out


def test_labels_of_several_columns_and_of_two_bytes(tmp_path):
    arrays = some_set()
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 2**31, (12, 8), dtype=np.int32)
    rows[:, 0] = arrays[1]
    folder = put(tmp_path / "a", [arrays[0], rows, arrays[2], arrays[3].astype(np.int16)])
    assert_is(load(folder), arrays)


def test_labels_from_one_are_counted_from_zero_and_keep_their_names(tmp_path):
    arrays = some_set()
    folder = put(tmp_path / "a", [arrays[0], arrays[1] + 1, arrays[2], arrays[3] + 1])
    data = load(folder)
    assert_is(data, arrays)
    assert data.classes == ("1", "2", "3", "4")
    odd = put(tmp_path / "c", [arrays[0], arrays[1] | 1, arrays[2], arrays[3] | 1])
    assert set(load(odd).train_y.tolist()) == {1, 3}
    assert load(odd).classes == ("0", "1", "2", "3")
    gap = put(tmp_path / "b", [arrays[0], arrays[1] + 2, arrays[2], arrays[3] + 2])
    assert load(gap).train_y.min() == 2
    assert load(gap).classes == tuple("012345")


def test_colour_images_have_four_axes(tmp_path):
    arrays = some_set(shape=(3, 4, 2))
    data = load(put(tmp_path / "a", arrays))
    assert_is(data, arrays)
    assert data.image_shape == (3, 4, 2)


def test_of_several_sets_in_a_folder_one_is_named(tmp_path, capsys):
    digits, letters = some_set(1), some_set(2, classes=5)
    folder = put(tmp_path / "EMNIST" / "raw", digits, as_test("emnist-digits"))
    put(folder, letters, as_test("emnist-letters"))
    with pytest.raises(ValueError, match="holds several; take one of .*emnist-digits, .*emnist-le"):
        load(folder)
    assert_is(load(folder / "emnist-letters"), letters, transposed=True)
    assert_is(load("EMNIST_letters", tmp_path), letters, transposed=True)
    assert fetch("mine", "--from", folder, "--data-dir", tmp_path / "data") == 1
    assert "holds several data sets: emnist-digits, emnist-letters" in capsys.readouterr().err
    assert fetch("--from", tmp_path, "--data-dir", tmp_path / "data") == 0
    for name, arrays in {"emnist-digits": digits, "emnist-letters": letters}.items():
        assert_is(load(name, tmp_path / "data"), arrays, transposed=True)


def test_emnists_table_names_the_classes_and_is_imported_too(tmp_path):
    arrays = some_set()
    folder = put(
        tmp_path / "EMNIST",
        [arrays[0], arrays[1] + 1, arrays[2], arrays[3] + 1],
        as_test("emnist-letters"),
    )
    table = folder / "emnist-letters-mapping.txt"
    table.write_text("1 65 97\r\n2 66 98\r\n4 68 100\r\n")
    assert load(folder).classes == ("A", "B", "3", "D")
    assert fetch("abc", "--from", folder, "--data-dir", tmp_path / "data") == 0
    assert load("abc", tmp_path / "data").classes == ("A", "B", "3", "D")
    assert_is(load("abc", tmp_path / "data"), arrays, transposed=True)
    table.write_text("1 A\n")
    with pytest.raises(ValueError, match="mapping.txt: expected a label and codes, found '1 A'"):
        load(folder)
    assert fetch("abc", "--from", folder, "--data-dir", tmp_path / "data") == 1
    assert load("abc", tmp_path / "data").classes == ("A", "B", "3", "D")


def test_an_import_replaces_the_set_that_was_there(tmp_path):
    first, second = some_set(1), some_set(2, counts=(9, 5), shape=(2, 2))
    put(tmp_path / "a", first, as_test("emnist-digits"))
    put(tmp_path / "b", second)
    for folder in ("a", "b"):
        assert fetch("own", "--from", tmp_path / folder, "--data-dir", tmp_path / "data") == 0
    assert_is(load("own", tmp_path / "data"), second)
    left = sorted(path.name for path in (tmp_path / "data" / "own").iterdir())
    assert left == sorted([".lock", *(f"{name}.gz" for name in MNIST)])


def mnist_arrays():
    rng = np.random.default_rng(3)
    images = np.zeros((60_000, 28, 28), np.uint8)
    images[:50] = rng.integers(0, 256, (50, 28, 28))
    labels = rng.integers(0, 10, 60_000).astype(np.uint8)
    return [images, labels, images[:10_000], labels[:10_000]]


def test_case_and_hyphens_do_not_matter_and_torchvisions_folders_are_found(tmp_path, monkeypatch):
    arrays = mnist_arrays()
    put(tmp_path / "FashionMNIST" / "raw", arrays)
    other = load(tmp_path / "FashionMNIST" / "raw")  # its counts and sizes are right, no more
    assert (other.name, other.classes[0]) == ("own-fashion-mnist", "0")
    made_up = load("Fashion_MNIST", tmp_path).checksum
    monkeypatch.setitem(CHECKSUMS, "fashion-mnist", made_up)  # as if these had been published
    data = load("Fashion_MNIST", tmp_path)
    assert_is(data, arrays)
    assert (data.name, data.title, data.classes[0]) == ("fashion-mnist", "Fashion-MNIST", "T-shirt")
    folder = load(tmp_path / "FashionMNIST" / "raw")
    assert_is(folder, arrays)
    assert (folder.name, folder.title, folder.classes) == (data.name, data.title, data.classes)
    put(tmp_path / "mnist", arrays, map(dotted, MNIST))
    for name in ("MNIST", "mnist", "M_NIST"):
        assert load(name, tmp_path).title == "MNIST"
    with pytest.raises(FileNotFoundError, match="-m data_fetch mnist; without a network"):
        load("MNIST", tmp_path / "nowhere")


def test_what_is_only_called_like_a_known_set_gets_another_name(tmp_path):
    for name in ("MNIST", "digits", "cifar10"):
        data = load(put(tmp_path / name, some_set()))
        assert data.name == f"own-{name.lower()}"
        assert_is(data, some_set())


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("minst", ValueError, "or a folder of idx files, got 'minst'; did you mean mnist[?]$"),
        ("fashion", ValueError, "got 'fashion'"),
        ("cifar", ValueError, "did you mean cifar10[?]$"),
        ("EMNIST_letters", ValueError, "with: python -m data_fetch emnist-letters --from DIR$"),
        ("imagenet", ValueError, "got 'imagenet'$"),
        ("", ValueError, "^name: expected one of digits.*got ''"),
        (3, ValueError, "^name: expected one of digits.*got 3"),
        (None, ValueError, "^name: expected one of digits.*got None"),
        ("no/such/folder", FileNotFoundError, "no folder no/such/folder"),
        ("~nouser/mine", ValueError, "^name: expected a folder, got '~nouser/mine'"),
    ],
)
def test_other_names_are_refused(name, kind, message, tmp_path):
    with pytest.raises(kind, match=message):
        load(name, tmp_path)


def change(at, array):
    def of(arrays):
        return [array if i == at else other for i, other in enumerate(arrays)]

    return of


WRONG = {
    "fewer labels": (change(1, np.zeros(11, np.uint8)), "expected a label for each of the 12"),
    "other size": (change(2, np.zeros((7, 5, 3), np.uint8)), "expected images of 3 x 5"),
    "labels for images": (change(0, np.zeros(12, np.uint8)), "expected images of unsigned bytes"),
    "images of ints": (change(0, np.zeros((12, 3, 5), np.int32)), "found 12 x 3 x 5 of type int"),
    "no image": (change(2, np.zeros((0, 3, 5), np.uint8)), "expected images"),
    "no column": (change(3, np.zeros((7, 0), np.int32)), "expected a label for each"),
    "below zero": (change(3, np.full(7, -1, np.int32)), "expected labels from 0 .* found -1 at 0"),
    "a billion": (change(3, np.full(7, 10**9, np.int32)), "expected labels .* found 1000000000"),
}


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_files_that_do_not_fit_are_refused(fault, pack, tmp_path):
    wrong, message = WRONG[fault]
    folder = put(tmp_path / "a", wrong(some_set()), pack=pack)
    with pytest.raises(ValueError, match=f"^{re.escape(str(folder))}.*{message}"):
        load(folder)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("end", ["short", "long"])
def test_other_lengths_than_announced_are_refused_and_not_imported(pack, end, tmp_path, capsys):
    folder = put(tmp_path / "a", some_set(), pack=pack)
    good = idx_bytes(some_set()[2])
    (folder / MNIST[2]).write_bytes(pack(good[:-1] if end == "short" else good + b"\0"))
    with pytest.raises(ValueError, match=f"{MNIST[2]}: expected .*found"):
        load(folder)
    assert fetch("mine", "--from", folder, "--data-dir", tmp_path / "data") == 1
    assert f"{MNIST[2]}: expected" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "data" / "mine").iterdir()] == [".lock"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_no_memory_for_what_a_small_file_only_announces(pack, tmp_path):
    folder = put(tmp_path / "a", some_set())
    for at, head in enumerate([(12, 60_000, 60_000), (2**32 - 1,)]):
        start = bytes([0, 0, 8, len(head)]) + struct.pack(f">{len(head)}I", *head)
        (folder / MNIST[at]).write_bytes(pack(start + bytes(100)))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="its header says 12 x 60,000 x 60,000"):
            load(folder)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_what_is_missing_is_named(tmp_path):
    folder = put(tmp_path / "a", some_set())
    (folder / MNIST[3]).unlink()
    with pytest.raises(ValueError, match="found no t10k-labels$"):
        load(folder)
    (tmp_path / "empty").mkdir()
    for call in (load, check_folder):
        with pytest.raises(ValueError, match="found none"):
            call(tmp_path / "empty")


def test_names_that_are_no_idx_files():
    for name in (
        "notes-train-images.txt",
        "._train-images-idx3-ubyte",
        "train-images.zip",
        "train",
    ):
        assert role_of(name) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["minst"], "unknown name 'minst' .*; did you mean mnist[?]"),
        (["KMNIST", "--list"], "import yours with: python -m data_fetch kmnist --from DIR"),
        (["digits", "--from", "."], "needs no files"),
        (["a/b", "--from", "."], "unknown name 'a/b'"),
        (["mnist", "--from", "~nouser"], "--from: expected a folder, got '~nouser'"),
    ],
)
def test_data_fetch_leads_on(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        fetch(*arguments, "--data-dir", tmp_path)
    assert caught.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def run_with(folder, *command):
    environment = os.environ | {"REFIMPL_DATA": folder, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_an_import_needs_nothing_installed(tmp_path):
    folder, arrays = tmp_path / "EMNIST", some_set()
    put(folder, arrays, as_test("emnist-digits"))
    done = run_with(str(tmp_path / "data"), "-S", "-m", "data_fetch", "--from", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert_is(load("emnist-digits", tmp_path / "data"), arrays, transposed=True)


@pytest.mark.parametrize(
    "command",
    [
        ["-S", "-m", "data_fetch", "--list"],
        ["-m", "refimpl", "train", "--dataset", "digits"],
        ["-c", "import refimpl; refimpl.load('digits')"],
    ],
    ids=["data_fetch", "refimpl", "python"],
)
def test_a_home_that_is_not_there_is_said_in_a_line(command):
    done = run_with("~nouser/data", *command)
    assert done.returncode in (1, 2)
    told = done.stderr.strip().splitlines()[-1]
    assert "REFIMPL_DATA: expected a folder, got '~nouser/data'" in told
    if command[0] != "-c":
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["reproduce", "protocol"])
def test_commands_that_answer_for_the_paper_say_which_take_a_folder(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--dataset", "my/letters"])
    said = " ".join(capsys.readouterr().err.split())
    assert stop.value.code == 2
    assert "the paper's numbers are those of these data sets" in said
    assert f"is for {', '.join(TAKE_OWN)}" in said


def test_commands_take_a_folder_of_ones_own(tmp_path, monkeypatch):
    """The results lie in a folder that is called like the data set, not in the data."""
    monkeypatch.chdir(tmp_path)
    arrays = some_set(shape=(28, 28), counts=(60, 60), classes=3)
    (tmp_path / "My Letters").mkdir()
    for name, array in zip(MNIST, arrays):
        (tmp_path / "My Letters" / name).write_bytes(idx_bytes(array))
    before = sorted((tmp_path / "My Letters").iterdir())
    for command in (["train", "--epochs", "1"], ["maximize", "--steps", "2"]):
        own = ["--dataset", "./My Letters", "--quiet"]
        assert cli.main([*command, *own]) == 0
    assert (tmp_path / "refimpl-out/my-letters/small.npz").exists()
    assert sorted((tmp_path / "My Letters").iterdir()) == before
