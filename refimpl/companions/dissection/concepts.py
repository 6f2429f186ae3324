"""Drawn images with pixel masks of six kinds of concept, for network dissection: scene, object,
part, material, texture, colour, as in Broden (Bau et al. 2017, section 2.1).

An image is 3 x 32 x 32. Its scene is a layout of two greys and fills the image; on it lies a patch
of texture; in front stand a large object and, in half of the images, a small one behind it. An
object is a shape with a colour, a material and, five times of six, a part in black or white. Every
choice is drawn on its own, so no concept tells another, but for what Broden has too: an object's
colour, material and parts lie where the object is.

Masks show what is seen: what stands in front hides what is behind. A scene's mask is the whole
image, as in Broden. Twelve scenes, because no unit that is active on a share q of the pixels can
have an IoU above q / p with a concept that covers a share p > q: at q = .005 an IoU of .04 is out
of reach for everything that covers more than 12.5 %.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from refimpl.data.digits import check_count

SIDE = 32
BLOCK = 128  # images drawn at a time; their planes stay in the processor's cache
CONCEPTS = {
    "scene": (
        "horizon",
        "hills",
        "street",
        "room",
        "tunnel",
        "stairs",
        "slope",
        "quarters",
        "rays",
        "valley",
        "door",
        "crossroads",
    ),
    "object": ("disc", "square", "triangle", "cross", "ring", "crescent"),
    "part": ("eye", "stem", "belt", "feet", "wings"),
    "material": ("matt", "metal", "glass", "wool"),
    "texture": ("striped", "chequered", "dotted", "grid", "zigzag"),
    "colour": ("red", "yellow", "green", "cyan", "blue", "magenta"),
}
NAMES = tuple(name for names in CONCEPTS.values() for name in names)
KINDS = tuple(kind for kind, names in CONCEPTS.items() for _ in names)
FIELDS = 8 + 7 + 2 * 10  # uniform numbers of an image's background, texture patch and two objects
Y, X = (
    axis.astype(np.float32) for axis in np.mgrid[0:SIDE, 0:SIDE] / ((SIDE - 1) / 2) - 1
)  # -1 to 1, y downwards


@dataclass(frozen=True, eq=False)
class ConceptImages:
    """images (N, 3072) float32, k / 255 in [0, 1], pixels in C, H, W order; masks (N, concepts, 32,
    32) bool.

    scenes (N,), objects (N,) int64: labels to train a network on, the scene and the large object,
    as positions in CONCEPTS["scene"] and CONCEPTS["object"]. names, kinds: one a concept. An image
    takes 12 kB, its masks 38 kB: 250 MB for 5,000.

    >>> drawn = concept_images(1)
    >>> CONCEPTS["object"][drawn.objects[0]], int(drawn.masks[0, NAMES.index("crescent")].sum())
    ('crescent', 87)
    """

    images: np.ndarray
    scenes: np.ndarray
    objects: np.ndarray
    masks: np.ndarray
    names: tuple[str, ...] = NAMES
    kinds: tuple[str, ...] = KINDS
    image_shape: tuple[int, int, int] = (3, SIDE, SIDE)


def _choose(u: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """u (n,) uniform in [0, 1) -> integers (n,) in [0, count), and what is left of u, uniform
    again.
    """
    scaled = u * np.float32(count)
    chosen = np.minimum(scaled.astype(np.int64), count - 1)
    return chosen, scaled - chosen


def _between(u: np.ndarray, low: float, high: float) -> np.ndarray:
    """u (n,) uniform in [0, 1) -> (n, 1, 1) in [low, high)."""
    return (np.float32(low) + u * np.float32(high - low))[:, None, None]


def _select(chosen: np.ndarray, planes: Sequence[Callable]) -> np.ndarray:
    """planes: for each choice a function of a row selection -> (m, H, W) bool. Returns (n, H, W)
    bool.
    """
    out = np.zeros((len(chosen), SIDE, SIDE), bool)
    for i, plane in enumerate(planes):
        rows = np.flatnonzero(chosen == i)
        if len(rows):
            out[rows] = plane(rows)
    return out


def _scene_planes(
    chosen: np.ndarray, x: np.ndarray, y: np.ndarray, phase: np.ndarray
) -> np.ndarray:
    """Where a scene has its second grey. x, y (n, H, W): coordinates from a point near the middle;
    phase (n, 1, 1).
    """
    return _select(
        chosen,
        (
            lambda r: y[r] > 0.1,
            lambda r: y[r] > 0.25 * np.sin(6 * x[r] + 6.28 * phase[r]),
            lambda r: np.abs(x[r]) < 0.4,
            lambda r: np.maximum(np.abs(x[r]), np.abs(y[r])) < 0.55,
            lambda r: np.sin(9 * np.sqrt(x[r] ** 2 + y[r] ** 2)) > 0,
            lambda r: y[r] > np.floor(3 * x[r]) / 3,
            lambda r: y[r] > 0.9 * x[r],
            lambda r: (x[r] > 0) != (y[r] > 0),
            lambda r: np.sin(7 * np.arctan2(y[r], x[r]) + 6.28 * phase[r]) > 0,
            lambda r: y[r] > 1.4 * np.abs(x[r]) - 0.6,
            lambda r: (np.abs(x[r]) < 0.45) & (y[r] > -0.3),
            lambda r: (np.abs(x[r]) < 0.2) | (np.abs(y[r]) < 0.2),
        ),
    )


def _texture_planes(chosen: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where a texture is light. a, b (n, H, W): turned coordinates in radians, 2 pi a period."""
    return _select(
        chosen,
        (
            lambda r: np.sin(b[r]) > 0,
            lambda r: np.sin(0.75 * a[r]) * np.sin(0.75 * b[r]) > 0,
            lambda r: np.cos(a[r]) + np.cos(b[r]) > 0.7,
            lambda r: np.maximum(np.cos(a[r]), np.cos(b[r])) > 0.75,
            lambda r: np.sin(1.1 * b[r] + 2.2 * np.abs(a[r] / 3 % 2 - 1)) > 0,
        ),
    )


def _object_planes(chosen: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A shape's body. a, b (n, H, W): turned coordinates from its middle, in radii."""
    return _select(
        chosen,
        (
            lambda r: a[r] ** 2 + b[r] ** 2 < 0.9,
            lambda r: np.maximum(np.abs(a[r]), np.abs(b[r])) < 0.85,
            lambda r: (b[r] < 0.8) & (b[r] > 1.9 * np.abs(a[r]) - 1.1),
            lambda r: (
                np.minimum(np.abs(a[r]), np.abs(b[r]))
                < np.where(np.maximum(np.abs(a[r]), np.abs(b[r])) < 1, 0.36, 0)
            ),
            lambda r: np.abs(a[r] ** 2 + b[r] ** 2 - 0.68) < 0.4,
            lambda r: (a[r] ** 2 + b[r] ** 2 < 1.1) & ((a[r] - 0.55) ** 2 + b[r] ** 2 > 0.6),
        ),
    )


def _part_planes(chosen: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A part, in the coordinates of _object_planes; a choice beyond the last is no part."""
    return _select(
        chosen,
        (
            lambda r: a[r] ** 2 + b[r] ** 2 < 0.14,
            lambda r: (np.abs(a[r]) < 0.17) & (np.abs(b[r] + 1.15) < 0.5),
            lambda r: (np.abs(b[r] - 0.2) < 0.18) & (np.abs(a[r]) < 0.9),
            lambda r: (np.abs(a[r]) - 0.5) ** 2 + (b[r] - 0.95) ** 2 < 0.09,
            lambda r: (
                (np.abs(np.abs(a[r]) - 1.2) < 0.4) & (np.abs(b[r]) < 0.55 * (1.7 - np.abs(a[r])))
            ),
        ),
    )


def _turned(
    u: np.ndarray, x: np.ndarray, y: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (n, H, W) from the point x, y, turned by up to .35 radian either way, in units of
    size.
    """
    angle = _between(u, -0.35, 0.35)
    cos, sin = np.cos(angle) / size, np.sin(angle) / size
    return (X - x) * cos + (Y - y) * sin, (Y - y) * cos - (X - x) * sin


def _rgb(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """HSV to RGB, hue in sixths of a turn: (n, 1, 1) each -> (n, 3, 1, 1)."""
    wheel = (np.array([5, 3, 1], np.float32) + hue[:, 0]) % 6  # (n, 3)
    share = np.clip(np.minimum(wheel, 4 - wheel), 0, 1)[:, :, None, None]
    return value[:, None] * (1 - saturation[:, None] * share)


def _background(u: np.ndarray, maps: dict[str, np.ndarray]) -> np.ndarray:
    """A scene and its patch of texture: an image (n, 3, H, W), and their labels into maps.

    u: numbers in [0, 1), (n, 15).
    """
    scene, rest = _choose(u[:, 0], len(CONCEPTS["scene"]))
    maps["scene"][:] = scene[:, None, None]
    x, y = X - _between(u[:, 1], -0.35, 0.35), Y - _between(u[:, 2], -0.35, 0.35)
    second = _scene_planes(scene, x, y, rest[:, None, None])
    dark, contrast = _between(u[:, 3], 0.1, 0.6), _between(u[:, 4], 0.2, 0.4)
    grey = np.where(second == (u[:, 5] < 0.5)[:, None, None], dark, dark + contrast)
    texture, _ = _choose(u[:, 8], 1 + len(CONCEPTS["texture"]))
    x, y = _between(u[:, 9], -0.7, 0.7), _between(u[:, 10], -0.7, 0.7)
    patch = (np.abs(X - x) < _between(u[:, 11], 0.35, 0.6)) & (
        np.abs(Y - y) < _between(u[:, 12], 0.35, 0.6)
    )
    patch &= (texture < len(CONCEPTS["texture"]))[:, None, None]
    a, b = _turned(u[:, 13], x, y, _between(u[:, 14], 0.045, 0.06))  # a period of 4.4 to 5.8 pixels
    light = _texture_planes(texture, a, b)
    grey = np.where(patch, np.where(light, grey + 0.2, grey - 0.2), grey)
    maps["texture"][patch] = np.broadcast_to(texture[:, None, None], patch.shape)[patch]
    tint = np.stack(
        [_between(u[:, 6], -0.04, 0.04), _between(u[:, 7], -0.04, 0.04), np.zeros_like(x)], axis=1
    )
    return grey[:, None] + tint


def _place(
    image: np.ndarray,
    maps: dict[str, np.ndarray],
    u: np.ndarray,
    noise: np.ndarray,
    *,
    size: tuple[float, float],
    spread: float,
    present: np.ndarray | bool,
) -> np.ndarray:
    """Paint one object a image over what is there; labels into maps. u (n, 10). Returns the shapes
    (n,).
    """
    shape, rest = _choose(u[:, 0], len(CONCEPTS["object"]))
    material, _ = _choose(u[:, 1], len(CONCEPTS["material"]))
    part, _ = _choose(u[:, 2], 1 + len(CONCEPTS["part"]))
    colour, _ = _choose(u[:, 3], len(CONCEPTS["colour"]))
    a, b = _turned(
        rest,
        _between(u[:, 4], -spread, spread),
        _between(u[:, 5], -spread, spread),
        _between(u[:, 6], *size),
    )
    parts = _part_planes(part, a, b) & present
    body = _object_planes(shape, a, b) & present & ~parts
    paint = _rgb(
        colour[:, None, None].astype(np.float32) + _between(u[:, 7], -0.22, 0.22),
        _between(u[:, 8], 0.75, 1),
        _between(u[:, 9], 0.75, 1),
    )
    bright = np.ones_like(a)
    metal, wool = material == 1, material == 3
    bright[metal] = 0.35 + 0.65 * np.cos(3 * (a[metal] + b[metal])) ** 2
    bright[wool] = 0.35 + 0.65 * noise[wool]
    painted = paint * bright[:, None]
    glass = (material == 2)[:, None, None, None]
    painted = np.where(glass, 0.5 * painted + 0.5 * image, painted)
    tone = np.where(
        (_choose(u[:, 2], 12)[0] % 2)[:, None, None], np.float32(0.03), np.float32(0.97)
    )
    tone = np.where(
        (part == 0)[:, None, None] & (a**2 + b**2 < 0.05), 1 - tone, tone
    )  # the pupil of an eye
    image[:] = np.where(parts[:, None], tone[:, None], np.where(body[:, None], painted, image))
    seen = body | parts
    for kind, where, chosen in (
        ("object", seen, shape),
        ("material", body, material),
        ("colour", body, colour),
    ):
        maps[kind][seen] = -1
        maps[kind][where] = np.broadcast_to(chosen[:, None, None], where.shape)[where]
    maps["texture"][seen] = -1
    maps["part"][seen] = -1
    maps["part"][parts] = np.broadcast_to(part[:, None, None], parts.shape)[parts]
    return shape


def _draw(chance: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """chance (n, FIELDS + 1024), uniform in [0, 1) -> images (n, 3072), objects (n,), {kind: (n, H,
    W) or -1}.
    """
    u, noise = chance[:, :FIELDS], chance[:, FIELDS:].reshape(-1, SIDE, SIDE)
    maps = {kind: np.full(noise.shape, -1, np.int8) for kind in CONCEPTS}
    image = _background(u[:, :15], maps)
    small = u[:, 15:25]
    _place(
        image,
        maps,
        small,
        noise,
        size=(0.22, 0.31),
        spread=0.75,
        present=_choose(small[:, 6], 2)[0][:, None, None] == 0,
    )
    objects = _place(image, maps, u[:, 25:], noise, size=(0.38, 0.52), spread=0.45, present=True)
    image += 0.03 * (noise[:, None] - 0.5)
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.float32) / np.float32(255)
    return pixels.reshape(len(u), -1), objects, maps


def concept_images(count: int = 5_000, seed: int = 0, *, masks: bool = True) -> ConceptImages:
    """Draw `count` images with their masks: a ConceptImages.

    Image i depends on the seed and on i alone: a smaller count gives the first images of a larger
    one. masks=False: there are masks of no image, for who only trains on them. Raises ValueError on
    a count or seed that is no whole number, 0 or more.

    >>> drawn = concept_images(10)
    >>> drawn.images.shape, drawn.masks.shape, len(set(drawn.kinds))
    ((10, 3072), (10, 38, 32, 32), 6)
    """
    check_count("count", count)
    check_count("seed", seed)
    rng = np.random.default_rng(seed)
    images = np.empty((count, 3 * SIDE * SIDE), np.float32)
    own = np.empty((count if masks else 0, len(NAMES), SIDE, SIDE), bool)
    scenes, objects = np.empty(count, np.int64), np.empty(count, np.int64)
    for start in range(0, count, BLOCK):
        rows = slice(start, min(start + BLOCK, count))
        chance = rng.random((rows.stop - start, FIELDS + SIDE * SIDE), dtype=np.float32)
        images[rows], objects[rows], maps = _draw(chance)
        scenes[rows] = maps["scene"][:, 0, 0]
        for at, (kind, name) in enumerate(zip(KINDS, NAMES) if masks else ()):
            np.equal(maps[kind], CONCEPTS[kind].index(name), out=own[rows, at])
    return ConceptImages(images, scenes, objects, own)
