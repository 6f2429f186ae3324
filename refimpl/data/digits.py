"""The embedded data set: handwriting-like digits, drawn stroke by stroke by this file alone.

A digit starts as a template (strokes through a few control points). Each image moves the points,
bends and slants the whole, sweeps a round pen of varying pressure along the strokes, and frames the
result the way MNIST does: 20 x 20 box with its aspect kept, centre of mass in the middle of 28 x
28, grey edges, 8 bits.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from refimpl.files.whole import sweep, written_whole

VERSION = 1  # of the cache's layout; the drawing code is told apart by a hash of this file
SIDE, BOX = 28, 20
BLOCK = 256  # images rendered at a time; a block's working set stays in the processor's cache
CACHE_BYTES = 1 << 24  # of its arrays, unpacked, at most
ARRAYS = (
    "train_x",
    "train_y",
    "test_x",
    "test_y",
)  # names in the cache, in the order `digits` returns them
Four = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
DOTS = 96  # pen positions an image: at most about .7 pixel apart, far less than the pen is wide

# label: (share of the writers, strokes). "x,y" in percent, y downwards; "|" turns the point before
# it into a corner; "/" lifts the pen. Points are joined by Catmull-Rom splines.
TEMPLATES = {
    0: (
        (4, "52,0 22,10 6,46 16,86 46,100 76,86 90,48 78,12 50,0"),
        (3, "64,9 38,1 11,28 6,66 30,98 66,92 88,55 78,16 52,2 38,9"),
        (2, "56,8 28,14 7,50 20,90 50,99 82,72 82,26 66,4"),
    ),
    1: (
        (5, "50,0 49,35 50,70 50,100"),
        (2, "56,0 53,32 48,68 40,100"),
        (3, "32,20 42,12 52,0 | 51,50 50,100"),
        (2, "30,20 42,11 52,0 | 51,50 50,100 / 24,100 50,99 78,100"),
    ),
    2: (
        (3, "10,24 27,4 56,0 76,20 68,48 38,76 6,97 | 45,95 88,97"),
        (3, "12,25 32,3 60,2 77,22 64,54 35,86 13,95 6,84 22,77 50,89 92,97"),
        (2, "14,14 42,0 72,13 70,40 40,70 8,96 | 30,91 60,97 92,87"),
    ),
    3: (
        (4, "13,13 42,0 74,11 70,36 40,47 | 72,54 83,77 56,98 8,90"),
        (2, "12,5 45,4 78,3 | 60,22 42,41 | 76,52 82,80 50,100 8,91"),
        (2, "12,14 45,0 74,16 62,42 38,51 36,44 52,46 80,60 78,87 45,100 6,88"),
    ),
    4: (
        (4, "24,2 17,30 12,54 | 45,55 88,50 / 72,6 68,50 64,100"),
        (3, "64,0 36,32 8,65 | 50,65 94,62 / 64,0 62,50 60,100"),
        (3, "17,5 12,34 28,52 58,46 78,10 | 73,50 66,100"),
    ),
    5: (
        (3, "32,4 28,22 24,42 | 52,36 80,56 76,86 45,100 9,92 / 32,4 56,4 82,1"),
        (3, "85,2 58,4 32,5 | 27,24 22,45 | 54,37 83,58 74,90 40,100 6,90"),
        (2, "80,4 48,3 25,22 38,44 70,58 77,82 48,100 10,92"),
    ),
    6: (
        (3, "70,0 38,20 15,54 16,86 44,100 73,86 72,61 46,52 17,70"),
        (3, "52,0 28,30 11,66 23,96 57,98 77,77 62,56 32,63 15,82"),
        (2, "78,8 55,2 23,30 9,66 28,97 62,94 69,69 45,59 17,80"),
    ),
    7: (
        (4, "6,8 46,6 86,4 | 64,48 44,100"),
        (2, "6,8 46,6 86,4 | 64,48 44,100 / 36,53 58,51 80,48"),
        (2, "9,23 12,5 | 50,7 87,3 | 66,42 48,100"),
        (3, "6,13 38,2 82,7 70,40 48,72 40,100"),
    ),
    8: (
        (5, "73,13 46,0 20,16 36,41 64,58 76,82 48,100 20,84 34,59 62,39 76,14"),
        (2, "50,0 25,10 27,36 50,46 75,35 73,10 50,0 / 50,46 17,64 18,90 50,100 82,89 81,63 50,46"),
        (2, "82,5 48,2 22,18 40,42 70,62 70,90 42,100 20,84 38,58 68,34 84,8"),
    ),
    9: (
        (4, "78,16 50,0 20,14 16,40 42,51 70,36 79,12 | 75,55 70,100"),
        (3, "77,17 49,0 17,18 18,44 47,51 74,34 80,10 | 80,60 58,97 16,93"),
        (3, "74,11 42,2 13,28 28,50 60,42 77,14 70,52 46,100"),
    ),
}


def _catmull_rom(count: int, at: np.ndarray) -> np.ndarray:
    """How much each of `count` points in a row weighs at the places `at`, (M,) in [0, count - 1]:
    (M, count).
    """
    left = np.minimum(at.astype(int), count - 2)
    t = (at - left)[:, None]
    cubic = (
        np.hstack(
            [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
        )
        / 2
    )
    weights = np.zeros((len(at), count + 2))
    np.put_along_axis(weights, left[:, None] + np.arange(4), cubic, axis=1)
    # The stroke goes on straight beyond its ends: the missing neighbours are 2 p0 - p1 and 2 pn -
    # pm.
    inner = weights[:, 1:-1]
    inner[:, :2] += weights[:, :1] * (2, -1)
    inner[:, -2:] += weights[:, -1:] * (-1, 2)
    return inner


def _compile_template(text: str, points_max: int) -> tuple[np.ndarray, np.ndarray]:
    """A template's text as control points (points_max, 2) and the weights (DOTS, points_max) that
    turn them into dots.

    Both float64, padded with zeros; points in digit heights from the middle of the digit.
    """
    points: list[list[float]] = []
    runs: list[list[int]] = []  # a run: the indices of the points of one smooth piece
    for stroke in text.split("/"):
        run: list[int] = []
        for word in stroke.split():
            if word == "|":
                runs.append(run)
                run = run[-1:]
            else:
                run.append(len(points))
                points.append([float(v) / 100 for v in word.split(",")])
        runs.append(run)
    padded = np.zeros((points_max, 2))
    padded[: len(points)] = np.array(points) - 0.5
    fine = np.zeros((len(runs), 256, points_max))
    for weights, run in zip(fine, runs):
        weights[:, run] = _catmull_rom(len(run), np.linspace(0, len(run) - 1, 256))
    # Dots at even distances along the ink; getting from one piece to the next costs nothing.
    steps = np.linalg.norm(np.diff(fine @ padded, axis=1, prepend=(fine @ padded)[:, :1]), axis=2)
    walked = np.cumsum(steps)
    return padded, fine.reshape(-1, points_max)[
        np.searchsorted(walked, np.linspace(0, walked[-1], DOTS))
    ]


def _compile_book() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All templates: odds (10, V) cumulative, first row of each label (10,), points (T, P, 2), dots
    (T, DOTS, P).
    """
    texts = [text for variants in TEMPLATES.values() for _, text in variants]
    points_max = max(text.count(",") for text in texts)
    points, dots = zip(*(_compile_template(text, points_max) for text in texts))
    odds = np.ones((10, max(map(len, TEMPLATES.values()))))
    for label, variants in TEMPLATES.items():
        shares = np.cumsum([share for share, _ in variants])
        odds[label, : len(shares)] = shares / shares[-1]
    first = np.cumsum([0] + [len(TEMPLATES[label]) for label in range(9)])
    return odds, first, np.array(points), np.array(dots)


ODDS, FIRST, POINTS, DOT_WEIGHTS = _compile_book()
# How far writers stray, as standard deviations. A linear softmax network reaches 91 to 92.5 % on
# this; POINT and BEND are what to turn for more or less.
POINT, BEND = 0.044, 0.21  # moves of a control point, strength of each bend; in digit heights
SLANT_MEAN, SLANT, TURN = 0.15, 0.23, 0.07  # slant as a slope, turn in radians
WIDTH, ASPECT = 0.8, 0.2  # typical width to height, and its spread (log)
PEN, PEN_SPREAD, PRESSURE = (
    1.35,
    0.2,
    0.12,
)  # pen radius in pixels, its spread (log), its change along the strokes
EDGE, EDGE_SPREAD = 0.65, 0.15  # half the width of the grey edge in pixels, and its spread (log)
# Normal numbers an image needs: moves of points, bends, pressure waves, then slant, turn, aspect,
# pen and edge.
MOVES, BENDS, WAVES = 2 * (POINTS.shape[1] + 2), 2 * 7, 4
PARTS = np.cumsum([MOVES, BENDS, WAVES, 1, 1, 1, 1, 1])
CHANCES = 1 + 3 * PARTS[-1]  # uniform numbers an image takes from the generator


def _trace(labels: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the pen goes: dots (B, DOTS, 2) in digit heights, pen radii (B, DOTS) and edges (B,) in
    pixels.

    labels (B,) int; chance (B, CHANCES), uniform in [0, 1).
    """
    variant = FIRST[labels] + (chance[:, :1] >= ODDS[labels]).sum(axis=1)
    # The sum of three uniforms is nearly normal but never beyond three deviations: no outliers
    # nobody could read.
    normal = chance[:, 1:].reshape(len(labels), -1, 3).sum(axis=2) * 2 - 3
    jitter, bend, wave, slant, turn, aspect, pen, edge = np.split(normal, PARTS[:-1], axis=1)
    # Neighbours move alike, else the strokes get corners.
    jitter = jitter.reshape(len(labels), -1, 2)
    jitter = (jitter[:, :-2] + 2 * jitter[:, 1:-1] + jitter[:, 2:]) / 6**0.5
    dots = DOT_WEIGHTS[variant] @ (POINTS[variant] + POINT * jitter)
    x, y = dots[..., 0], dots[..., 1]
    powers = np.stack([x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3], axis=2)
    dots = dots + powers @ (BEND * bend.reshape(-1, 7, 2))
    wide, lean, turn = WIDTH * np.exp(ASPECT * aspect), SLANT_MEAN + SLANT * slant, TURN * turn
    cos, sin = np.cos(turn), np.sin(turn)
    # Rows: where the digit's x and y axes go. Widen, then lean to the right (y points down, hence
    # -), then turn.
    frame = np.hstack([wide * cos, wide * sin, -lean * cos - sin, cos - lean * sin]).reshape(
        -1, 2, 2
    )
    waves = np.cos(np.outer(np.arange(1, WAVES + 1), np.linspace(0, np.pi, DOTS)))
    # One product an image: a single one for the block may round differently with the block's size.
    pressure = 1 + PRESSURE * (wave[:, None] @ waves)[:, 0]
    radii = PEN * np.exp(PEN_SPREAD * pen) * np.clip(pressure, 0.7, 1.4)
    return dots @ frame, radii, EDGE * np.exp(EDGE_SPREAD * edge[:, 0])


def _ink(dots: np.ndarray, radii: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """What the pen leaves, scaled to fill the box: grey levels (B, BOX, BOX), uint8. Arguments as
    from `_trace`.
    """
    low, high = dots.min(axis=1), dots.max(axis=1)  # (B, 2)
    # Half a pixel less than ink reaches: a pixel gets what is at its middle, half a pixel inside
    # the box.
    reach = radii.max(axis=1) + edge - 0.5
    scale = (BOX - 2 * reach) / (high - low).max(axis=1)
    places = (dots - (low + high)[:, None] / 2) * scale[:, None, None] + (BOX - 1) / 2
    # Image axis last, so that the inner loops are long.
    places = places.astype(np.float32).transpose(1, 2, 0)[:, :, None]  # (DOTS, 2, 1, B)
    away = (np.arange(BOX, dtype=np.float32)[:, None] - places) ** 2  # (DOTS, 2, BOX, B)
    away[:, 1] -= (radii.T**2).astype(np.float32)[:, None]
    # Squared distance less squared radius: one sum and one minimum a pixel and dot.
    depth = np.full((BOX, BOX, len(edge)), np.inf, dtype=np.float32)
    for across, down in away:
        np.minimum(depth, down[:, None] + across, out=depth)
    # Near the edge d**2 - r**2 = (d - r) (d + r) is about 2 r (d - r); grey falls from 1 to 0 over
    # 2 edge pixels.
    slope = (1 / (4 * edge * radii.mean(axis=1))).astype(np.float32)
    grey = np.clip(np.float32(0.5) - depth * slope, 0, 1)
    return np.rint(grey * 255).astype(np.uint8).transpose(2, 0, 1)


def _centre(boxes: np.ndarray) -> np.ndarray:
    """Boxes (B, BOX, BOX) moved by whole pixels to put their centres of mass in the middle of (B,
    SIDE, SIDE).
    """
    at, mass = np.arange(BOX), boxes.sum(axis=(1, 2))
    # About one image in 2,000 is so lopsided that its box would leave the field: it stays up to a
    # pixel short.
    rows, columns = (
        np.clip(np.rint((SIDE - 1) / 2 - boxes.sum(axis=axis) @ at / mass), 0, SIDE - BOX).astype(
            int
        )
        for axis in (2, 1)
    )
    out = np.zeros((len(boxes), SIDE, SIDE), dtype=np.uint8)
    image = np.arange(len(boxes))[:, None, None]
    out[image, (rows[:, None] + at)[:, :, None], (columns[:, None] + at)[:, None]] = boxes
    return out


def draw(labels: np.ndarray | Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """One image for each label, (N,) integers 0-9: (N, 784), float32, k / 255 in [0, 1]. Chance
    from `rng` alone.

    Image i depends on the generator's state, on label i and on i: not on the other labels, N or
    BLOCK. Raises ValueError on other labels.

    >>> draw([3, 8], np.random.default_rng(0)).shape
    (2, 784)
    """
    labels = np.asarray(labels)
    if (
        labels.ndim != 1
        or labels.size
        and (labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9)
    ):
        span = (
            f" from {labels.min()} to {labels.max()}"
            if labels.size and labels.dtype.kind in "iuf"
            else ""
        )
        raise ValueError(
            f"labels: got {labels.dtype} {labels.shape}{span}; expected (N,) integers from 0 to 9"
        )
    labels = labels.astype(np.int64)
    out = np.empty((len(labels), SIDE * SIDE), dtype=np.float32)
    for start in range(0, len(labels), BLOCK):
        some = labels[start : start + BLOCK]
        out[start : start + BLOCK] = _centre(
            _ink(*_trace(some, rng.random((len(some), CHANCES))))
        ).reshape(len(some), -1)
    out /= 255
    return out


def check_count(name: str, value: object) -> None:
    """Raises ValueError unless `value` is a whole number, 0 or more.

    >>> check_count("train", -1)
    Traceback (most recent call last):
        ...
    ValueError: train: got -1; expected an integer, 0 or more
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name}: got {value!r}; expected an integer, 0 or more")


def digits(seed: int = 0, *, train: int = 10_000, test: int = 2_000) -> Four:
    """Train images (train, 784) float32 in [0, 1], train labels (train,) int64, test images, test
    labels.

    Train and test come from streams of their own, labels too: a smaller count gives the first
    images of a larger one, and neither count changes the other set. Raises ValueError on a seed or
    count that is no whole number, 0 or more.

    >>> train_x, train_y, test_x, test_y = digits(train=3, test=1)
    >>> train_x.shape, train_y.tolist(), round(float(test_x.mean()), 3)
    ((3, 784), [5, 3, 3], 0.135)
    """
    for name, value in (("seed", seed), ("train", train), ("test", test)):
        check_count(name, value)
    sets = []
    for count, stream in zip((train, test), np.random.SeedSequence(seed).spawn(2)):
        rng, chooser = (np.random.default_rng(child) for child in stream.spawn(2))
        labels = chooser.integers(0, 10, count)
        sets.append((draw(labels, rng), labels))
    return *sets[0], *sets[1]


def cache_path(data_dir: str | Path, seed: int) -> Path:
    """DIR/digits/digits-vVERSION-seedSEED-HASH.npz; HASH tells this file's text and NumPy's
    version.

    >>> cache_path("data", 0).match("data/digits/digits-v1-seed0-*.npz")
    True
    """
    code = hashlib.sha256(Path(__file__).read_bytes() + np.__version__.encode()).hexdigest()[:10]
    return Path(data_dir) / "digits" / f"digits-v{VERSION}-seed{seed}-{code}.npz"


def _checksum(name: str, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """SHA-256 of a file name and of arrays with their types and shapes, as uint8 (32,)."""
    total = hashlib.sha256(name.encode())
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    return np.frombuffer(total.digest(), dtype=np.uint8)


def _read_cache(path: Path) -> Four | None:
    """What `digits` gave to `_write_cache`, or None where there is no file or not the one that was
    written.
    """
    try:
        with ZipFile(path) as archive:  # its header is read, nothing is unpacked
            if sum(entry.file_size for entry in archive.infolist()) > CACHE_BYTES:
                return None
        with np.load(path, allow_pickle=False) as stored:
            arrays = [stored[name] for name in ARRAYS]
            if not np.array_equal(stored["checksum"], _checksum(path.name, arrays)):
                return None
    except Exception:  # noqa: BLE001 - whatever zipfile, zlib and NumPy make of a broken file: it can be drawn again
        return None
    train_x, train_y, test_x, test_y = arrays
    return train_x / np.float32(255), train_y, test_x / np.float32(255), test_y


def _write_cache(path: Path, arrays: Four) -> None:
    """The file appears whole or not at all; a folder that can't be written to is no error."""
    stored = [np.rint(a * 255).astype(np.uint8) if a.dtype == np.float32 else a for a in arrays]
    entries: dict = dict(zip(ARRAYS, stored)) | {"checksum": _checksum(path.name, stored)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with written_whole(path) as part, open(part, "wb") as file:
            np.savez_compressed(file, **entries)
    except OSError:
        pass


def load_digits(data_dir: str | Path, seed: int = 0) -> Four:
    """`digits(seed)`, drawn once and kept under the folder `data_dir`. Raises ValueError on a bad
    seed.

    >>> load_digits("nowhere", seed=-1)
    Traceback (most recent call last):
        ...
    ValueError: seed: got -1; expected an integer, 0 or more
    """
    check_count("seed", seed)
    path = cache_path(data_dir, seed)
    arrays = _read_cache(path)
    if arrays is None:
        arrays = digits(seed)
        _write_cache(path, arrays)
    return arrays
