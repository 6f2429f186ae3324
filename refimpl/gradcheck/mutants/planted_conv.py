"""Planted errors in convolutions, pooling and shapes: as in planted.py, (case, what is wrong,
alter).
"""

from dataclasses import replace

import numpy as np

from refimpl.gradcheck.mutants.planted import (
    EVERY,
    backward,
    dx_only,
    instead,
    one,
    stored,
)
from refimpl.layers.conv import (
    Conv2D,
    Flatten,
    MaxPool2D,
    Unflatten,
    Upsample,
    images_first,
    images_last,
)
from refimpl.layers.regularization import BatchNorm, Dropout


def on_images(make):
    """The example of a layer that takes images (n, d, 4, 6): make(draw, d, k, scale) -> layer."""

    def example(draw, n, d, k, scale):
        images = draw(n, d, 4, 6, scale=scale)
        return make(draw, d, k, scale), images

    return example


def rows_of_images(draw, n, d, k, scale):
    """The example of Unflatten: rows that are images of 2 x 3 pixels in d channels."""
    images = draw(n, d, 4, 6, scale=scale)
    return Unflatten((d, 2, 3)), images.reshape(n, -1)[:, : d * 6]


EXAMPLES = {  # of each layer of images: draw(*shape, scale=), sizes -> (layer, batch)
    "Unflatten": rows_of_images,
    "Flatten": on_images(lambda draw, d, k, scale: Flatten()),
    "MaxPool2D": on_images(lambda draw, d, k, scale: MaxPool2D()),
    "Upsample": on_images(lambda draw, d, k, scale: Upsample()),
    "Conv2D": on_images(lambda draw, d, k, scale: Conv2D(draw(k, d, 2, 3), draw(k))),
    "Dropout": on_images(lambda draw, d, k, scale: Dropout(0.5)),
    "BatchNorm": on_images(
        lambda draw, d, k, scale: BatchNorm(*draw(3, d), np.abs(draw(d)) * scale**2)
    ),
}
NAMES = (
    "Conv2D",
    "Conv2D.same",
    "Conv2D.stride",
    "MaxPool2D",
    "MaxPool2D.overlap",
    "Upsample",
    "Unflatten",
    "Flatten",
    "Dropout.training",
    "BatchNorm",
    "BatchNorm.training",
)


def dw_only(change):
    """Plant in dw alone: change(dw, layer)."""
    return backward(lambda layer, dout, cache, dx, dw, db: (dx, (change(dw, layer), db)))


def swapped(change):
    """dx of a convolution whose backward reads other filters: change(w)."""
    return backward(
        lambda layer, dout, cache, dx, dw, db: (
            type(layer).__mro__[1].backward(replace(layer, w=change(layer.w)), dout, cache)[0],
            (dw, db),
        )
    )


def plain(layer):
    """The real class behind a broken layer."""
    return type(layer).__mro__[1]


def zeroed(dx, *index):
    dx = dx.copy()
    dx[index] = 0
    return dx


def overwritten(self, dout, cache):
    """Where windows overlap the last shift wins: = for +=."""
    padded, inside = cache
    dx, d = np.zeros(padded.shape, dout.dtype), images_last(dout)
    view, _ = self._patches(dx)
    products = np.einsum("fcij,fpqn->cijpqn", self.w, d)
    for i, j in np.ndindex(self.w.shape[2:]):
        view[:, i, j] = products[:, i, j]
    return images_first(dx[:, *inside]), self.parameter_gradients(dout, cache)


def densely(self, dout, cache):
    """dw with the windows of stride 1."""
    shape = [p + k - 1 for p, k in zip(dout.shape[2:], self.w.shape[2:])]
    near = cache[0][:, : shape[0], : shape[1]]
    dx, _ = plain(self).backward(self, dout, cache)
    return dx, plain(self).parameter_gradients(replace(self, stride=1), dout, (near, None))


def other_corner(self, x):
    """_padding with the odd zero before the image."""
    return [(after, before) for before, after in plain(self)._padding(self, x)]


def flipped(layer):
    return replace(layer, w=layer.w[:, :, ::-1, ::-1])


def convolving(self, dout, cache):
    """The gradient of a true convolution, with the flipped filter."""
    dx, (dw, db) = plain(self).backward(flipped(self), dout, cache)
    return dx, (dw[:, :, ::-1, ::-1], db)


def pooled(rule):
    """A max-pooling backward with another choice of receivers: rule(place, out, view of x) -> mask
    or weights.
    """

    def forward(self, x, **options):
        out, _ = plain(self).forward(self, x)
        return out, (x, out)

    def wrong(self, dout, cache):
        x, out = cache
        dx = np.zeros_like(x)
        for place, (to, view) in enumerate(zip(self._views(dx), self._views(x))):
            to += dout * np.asarray(rule(place, out, view)).astype(dout.real.dtype)
        return dx, ()

    return instead(forward=forward, backward=wrong)


def last_of_equals(self, x, **options):
    """Maxima compared with >= for >."""
    out, (shape, switches) = plain(self).forward(self, x)
    for place, view in enumerate(self._views(x)):
        switches[view == out] = place
    return out, (shape, switches)


def overlapping_written(self, dout, cache):
    shape, switches = cache
    dx = np.zeros(shape, dout.dtype)
    for place, view in enumerate(self._views(dx)):
        view[...] = dout * (switches == place)
    return dx, ()


PLANTED_IMAGES = (
    [(name, what, dx_only(change)) for name in NAMES for what, change in EVERY.items()]
    + [
        (name, "cache on self: stale after a second forward", stored)
        for name in ("Conv2D", "MaxPool2D", "Dropout.training", "BatchNorm.training")
    ]
    + [
        (
            "Conv2D",
            "dx by the filters flipped once too often",
            swapped(lambda w: w[:, :, ::-1, ::-1]),
        ),
        ("Conv2D", "dx by filters flipped in one axis", swapped(lambda w: w[:, :, ::-1])),
        ("Conv2D", "dx forgets the last filter", swapped(lambda w: zeroed(w, -1))),
        ("Conv2D", "dx by the next channel's filters", swapped(lambda w: np.roll(w, 1, axis=1))),
        ("Conv2D", "dx: overlapping windows overwrite each other", instead(backward=overwritten)),
        (
            "Conv2D",
            "dx: the last row of windows left out",
            dx_only(lambda dx, *a: zeroed(dx, Ellipsis, -1, slice(None))),
        ),
        ("Conv2D", "dx one pixel to the right", dx_only(lambda dx, *a: np.roll(dx, 1, axis=3))),
        (
            "Conv2D",
            "dw of the flipped filter",
            dw_only(lambda dw, layer: dw[:, :, ::-1, ::-1].copy()),
        ),
        ("Conv2D", "dw with rows exchanged", dw_only(lambda dw, layer: dw[:, :, ::-1].copy())),
        ("Conv2D", "dw of the next channel", dw_only(lambda dw, layer: np.roll(dw, 1, axis=1))),
        ("Conv2D", "dw of the next filter", dw_only(lambda dw, layer: np.roll(dw, 1, axis=0))),
        ("Conv2D", "dw of one weight, 1e-6 off", dw_only(lambda dw, layer: one(dw, 1 + 1e-6))),
        (
            "Conv2D",
            "dw averaged over the batch",
            backward(lambda layer, dout, cache, dx, dw, db: (dx, (dw / len(dout), db))),
        ),
        (
            "Conv2D",
            "db averaged over the pixels",
            backward(
                lambda layer, dout, cache, dx, dw, db: (
                    dx,
                    (dw, db / (dout.shape[2] * dout.shape[3])),
                )
            ),
        ),
        (
            "Conv2D",
            "db of the first pixel",
            backward(
                lambda layer, dout, cache, dx, dw, db: (dx, (dw, dout[:, :, 0, 0].sum(axis=0)))
            ),
        ),
        (
            "Conv2D",
            "gradients in the wrong order",
            backward(lambda layer, dout, cache, dx, dw, db: (dx, (db, dw))),
        ),
        (
            "Conv2D",
            "convolution for correlation, both ways",
            instead(
                forward=lambda self, x, **o: plain(self).forward(flipped(self), x),
                backward=convolving,
            ),
        ),
        (
            "Conv2D",
            "convolution for correlation in forward alone",
            instead(forward=lambda self, x, **o: plain(self).forward(flipped(self), x)),
        ),
        ("Conv2D.same", "the odd zero before the image, both ways", instead(_padding=other_corner)),
        (
            "Conv2D.same",
            "dx: the margin not cut off but folded",
            dx_only(lambda dx, *a: dx + np.roll(dx, 2, axis=2)),
        ),
        (
            "Conv2D.same",
            "dx: border pixels counted twice",
            dx_only(lambda dx, *a: np.concatenate([2 * dx[:, :, :1], dx[:, :, 1:]], axis=2)),
        ),
        (
            "Conv2D.same",
            "dw without the border",
            dw_only(lambda dw, layer: zeroed(dw, Ellipsis, 0, slice(None))),
        ),
        ("Conv2D.stride", "dx off by one pixel", dx_only(lambda dx, *a: np.roll(dx, 1, axis=3))),
        ("Conv2D.stride", "dx off by one row", dx_only(lambda dx, *a: np.roll(dx, -1, axis=2))),
        ("Conv2D.stride", "dw with the windows of stride 1", instead(backward=densely)),
        (
            "MaxPool2D",
            "ties: the gradient to every maximum",
            pooled(lambda place, out, view: view == out),
        ),
        ("MaxPool2D", "ties: the last of equal maxima", instead(forward=last_of_equals)),
        (
            "MaxPool2D",
            "the gradient to the window's first pixel",
            pooled(lambda place, out, view: place == 0),
        ),
        ("MaxPool2D", "the gradient shared by the window", pooled(lambda place, out, view: 0.25)),
        (
            "MaxPool2D",
            "the gradient to what is not the maximum",
            pooled(lambda place, out, view: view != out),
        ),
        (
            "MaxPool2D",
            "the largest magnitude",
            instead(forward=lambda self, x, **o: plain(self).forward(self, x * np.sign(x.real))),
        ),
        (
            "MaxPool2D",
            "the switches of the next image",
            backward(
                lambda layer, dout, cache, dx: MaxPool2D.backward(
                    layer, dout, (cache[0], np.roll(cache[1], 1, axis=0))
                )
            ),
        ),
        (
            "MaxPool2D.overlap",
            "overlapping windows overwrite each other",
            instead(backward=overlapping_written),
        ),
        (
            "Upsample",
            "the block's first pixel for its sum",
            dx_only(lambda dx, dout, *a: dout[:, :, ::2, ::2].copy()),
        ),
        ("Upsample", "the block's mean for its sum", dx_only(lambda dx, *a: dx / 4)),
        (
            "Upsample",
            "copies side by side",
            instead(
                forward=lambda self, x, **o: (np.tile(x, (1, 1, 2, 2)), x.shape),
                backward=lambda self, dout, shape: (
                    sum(
                        dout[:, :, i : i + shape[2], j : j + shape[3]]
                        for i in (0, shape[2])
                        for j in (0, shape[3])
                    ),
                    (),
                ),
            ),
        ),
        (
            "Unflatten",
            "rows and columns exchanged",
            dx_only(lambda dx, dout, *a: dout.swapaxes(2, 3).reshape(dx.shape)),
        ),
        (
            "Unflatten",
            "channels last, both ways",
            instead(
                forward=lambda self, x, **o: (
                    x.reshape(len(x), *self.shape[1:], self.shape[0]).transpose(0, 3, 1, 2),
                    None,
                ),
                backward=lambda self, dout, cache: (
                    dout.transpose(0, 2, 3, 1).reshape(len(dout), -1),
                    (),
                ),
            ),
        ),
        (
            "Flatten",
            "images last, both ways",
            instead(
                forward=lambda self, x, **o: (x.transpose(0, 2, 3, 1).reshape(len(x), -1), x.shape),
                backward=lambda self, dout, s: (
                    dout.reshape(s[0], s[2], s[3], s[1]).transpose(0, 3, 1, 2),
                    (),
                ),
            ),
        ),
        (
            "Flatten",
            "channels mixed with rows",
            dx_only(
                lambda dx, dout, *a: (
                    dout.reshape(len(dx), dx.shape[2], dx.shape[1], -1)
                    .swapaxes(1, 2)
                    .reshape(dx.shape)
                )
            ),
        ),
    ]
)
