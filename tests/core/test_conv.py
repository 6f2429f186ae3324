"""Conv2D, MaxPool2D, Upsample: their definition in loops, the whole gradient suite, conventions,
memory, bad input.
"""

from dataclasses import replace

import numpy as np
import oracles_conv as oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.gradcheck import assert_layer, check_layer
from refimpl.gradcheck.strategies import convolutions, kink_free_values, poolings, seeds, shapes
from refimpl.layers import Affine, ReLU, conv
from refimpl.layers.conv import (
    Conv2D,
    MaxPool2D,
    Upsample,
    blocks,
    images_first,
    images_last,
    tiling,
)
from refimpl.network import Network

ORDERS = (
    np.ascontiguousarray,
    np.asfortranarray,
    lambda x: images_first(images_last(x)),
    lambda x: x[:, :, ::-1][:, :, ::-1],
)


def near(a, b, size=1.0):
    assert (
        a.shape == b.shape
        and np.abs(a - b).max(initial=0) <= 1e-13 * max(1.0, np.abs(b).max(initial=0)) * size
    )


@given(convolutions(), st.sampled_from(ORDERS))
def test_convolution_is_its_definition_in_any_memory_order(drawn, order):
    layer, x = drawn.value
    how = (layer.stride, layer.padding)
    out, cache = layer.forward(order(x))
    near(out, oracles.conv2d(x, layer.w, layer.b, *how))
    dout = np.random.default_rng(0).normal(size=out.shape)
    dx, gradients = layer.backward(order(dout), cache)
    for mine, theirs in zip((dx, *gradients), oracles.conv2d_backward(dout, x, layer.w, *how)):
        near(mine, theirs, 10)
    assert all(
        np.array_equal(a, b) for a, b in zip(gradients, layer.parameter_gradients(dout, cache))
    )


@given(convolutions())
def test_gradients_of_any_convolution(drawn):
    layer, x = drawn.value
    assert_layer(layer, x, rng=np.random.default_rng(0))


@given(poolings(), st.sampled_from(ORDERS))
def test_pooling_is_its_definition_and_its_gradient(drawn, order):
    layer, x = drawn.value
    out, cache = layer.forward(order(x))
    assert np.array_equal(out, oracles.maxpool2d(x, layer.size, layer.stride))
    dout = np.random.default_rng(0).normal(size=out.shape)
    near(
        layer.backward(order(dout), cache)[0],
        *oracles.maxpool2d_backward(dout, x, layer.size, layer.stride),
    )
    assert_layer(layer, x, rng=np.random.default_rng(0))


@given(shapes(4, most=3), st.integers(1, 3), seeds, st.sampled_from(ORDERS))
def test_upsampling_is_its_definition_and_its_gradient(shape, factor, seed, order):
    x = kink_free_values(seed, shape)
    out, cache = Upsample(factor).forward(order(x))
    assert np.array_equal(out, oracles.upsample(x, factor))
    dout = np.random.default_rng(0).normal(size=out.shape)
    near(
        Upsample(factor).backward(order(dout), cache)[0],
        *oracles.upsample_backward(dout, x, factor),
    )
    assert_layer(Upsample(factor), x, rng=np.random.default_rng(0))


@given(convolutions(), seeds)
def test_adjoint(drawn, seed):
    """<J v, u> = <v, J' u>, J v by linearity: the convolution of v without its bias."""
    layer, x = drawn.value
    rng = np.random.default_rng(seed)
    v, linear = rng.normal(size=x.shape), replace(layer, b=np.zeros_like(layer.b))
    jv, cache = linear.forward(v)
    u = rng.normal(size=jv.shape)
    assert abs((jv * u).sum() - (v * layer.backward(u, cache)[0]).sum()) <= 1e-12 * max(
        1, np.abs(jv).sum()
    )


@pytest.mark.parametrize("columns, entries", [(1, 1), (7, 2**18), (1024, 60), (10**9, 10**9)])
def test_blocks_change_nothing_but_speed(monkeypatch, rng, columns, entries):
    layer, x = (
        Conv2D(rng.normal(size=(4, 3, 3, 2)), rng.normal(size=4), 2, "same"),
        rng.normal(size=(3, 3, 9, 8)),
    )
    out, cache = layer.forward(x)
    dout = rng.normal(size=out.shape)
    dx, gradients = layer.backward(dout, cache)
    monkeypatch.setattr(conv, "COLUMNS", columns)
    monkeypatch.setattr(conv, "ENTRIES", entries)
    again, cache = layer.forward(x)
    near(again, out)
    for a, b in zip(
        (dx, *gradients), (layer.backward(dout, cache)[0], *layer.parameter_gradients(dout, cache))
    ):
        near(a, b, 10)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 30))
def test_blocks_cover_every_output_once(rows, columns, pixels):
    count, sizes = np.zeros((rows, columns), int), []
    for p, q in blocks(rows, columns, pixels):
        count[p, q] += 1
        sizes.append(count[p, q].size)
    assert (count == 1).all() and max(sizes) <= max(1, pixels)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize(
    "layer",
    [Conv2D(np.ones((2, 3, 3, 3)), np.ones(2)), MaxPool2D(), Upsample(3)],
    ids=lambda v: type(v).__name__,
)
def test_dtype_in_is_dtype_out(layer, dtype, rng):
    if isinstance(layer, Conv2D):
        layer = replace(layer, w=layer.w.astype(dtype), b=layer.b.astype(dtype))
    out, cache = layer.forward(rng.normal(size=(2, 3, 6, 6)).astype(dtype))
    dx, gradients = layer.backward(rng.normal(size=out.shape).astype(dtype), cache)
    assert {a.dtype for a in (out, dx, *gradients)} == {np.dtype(dtype)}


def test_float32_is_float64_to_its_precision(rng):
    layer, x = (
        Conv2D(rng.normal(size=(8, 16, 3, 3)), rng.normal(size=8)),
        rng.normal(size=(5, 16, 12, 12)),
    )
    single = Conv2D(layer.w.astype(np.float32), layer.b.astype(np.float32))
    (out, cache), (rough, rough_cache) = layer.forward(x), single.forward(x.astype(np.float32))
    dout = rng.normal(size=out.shape)
    exact = [out, layer.backward(dout, cache)[0], *layer.parameter_gradients(dout, cache)]
    dout = dout.astype(np.float32)
    close = [
        rough,
        single.backward(dout, rough_cache)[0],
        *single.parameter_gradients(dout, rough_cache),
    ]
    assert all(np.abs(a - b).max() <= 1e-5 * np.abs(a).max() for a, b in zip(exact, close))


def test_no_images_give_no_outputs():
    layer = Conv2D(np.ones((2, 3, 3, 3)), np.ones(2), padding="same")
    for v in (layer, MaxPool2D(), Upsample()):
        out, cache = v.forward(np.zeros((0, 3, 4, 4)))
        assert len(out) == 0 and v.backward(out, cache)[0].shape == (0, 3, 4, 4)


# Conventions


def test_the_filter_is_not_flipped_and_an_even_kernel_looks_ahead():
    x, w = np.array([[[[1.0, 2.0, 3.0]]]]), np.array([[[[1.0, 10.0]]]])
    assert Conv2D(w, np.zeros(1)).forward(x)[0].tolist() == [[[[21, 32]]]]
    assert Conv2D(w, np.zeros(1), padding="same").forward(x)[0].tolist() == [[[[21, 32, 3]]]]
    assert Conv2D(w, np.array([5.0]), stride=2, padding="same").forward(x)[0].tolist() == [
        [[[26, 8]]]
    ]


@pytest.mark.parametrize(
    "pixels, kernel, stride, padding, expected",
    [
        (32, 3, 1, "valid", (30, 0, 0)),
        (32, 3, 1, "same", (32, 1, 1)),
        (28, 3, 2, "same", (14, 0, 1)),
        (29, 3, 2, "same", (15, 1, 1)),
        (5, 4, 1, "same", (5, 1, 2)),
        (1, 3, 1, "same", (1, 1, 1)),
        (7, 3, 4, "valid", (2, 0, 0)),
        (5, 1, 2, "same", (3, 0, 0)),
    ],
)
def test_tiling(pixels, kernel, stride, padding, expected):
    assert tiling(pixels, kernel, stride, padding) == expected


def test_a_shifted_image_gives_a_shifted_map(rng):
    layer, x = (
        Conv2D(rng.normal(size=(2, 1, 3, 3)), rng.normal(size=2)),
        rng.normal(size=(1, 1, 8, 8)),
    )
    assert np.allclose(
        layer.forward(x)[0][:, :, 1:], layer.forward(x[:, :, 1:])[0], rtol=1e-14, atol=1e-14
    )


def test_the_first_of_equal_maxima_takes_the_gradient(rng):
    x = np.array([[[[0.0, 7.0, 1.0, 1.0], [7.0, 7.0, 1.0, 1.0]]]])
    (out, cache), pool = MaxPool2D().forward(x), MaxPool2D()
    assert out.tolist() == [[[[7, 1]]]]
    assert pool.backward(np.array([[[[2.0, 3.0]]]]), cache)[0].tolist() == [
        [[[0, 2, 3, 0], [0, 0, 0, 0]]]
    ]
    assert check_layer(pool, x, rng=rng).ok and check_layer(pool, x, rng=rng).kink
    assert check_layer(MaxPool2D(3, 2), np.zeros((1, 1, 5, 5)), rng=rng).ok


def test_complex_maxima_compare_real_parts():
    x = np.array([[[[1 + 9j, 2 - 9j], [2 + 5j, 0]]]])
    out, cache = MaxPool2D().forward(x)
    assert out.item() == 2 - 9j
    assert MaxPool2D().backward(np.array([[[[1j]]]]), cache)[0].tolist() == [[[[0, 1j], [0, 0]]]]


def test_unpooling_by_switches_is_the_backward_of_pooling(rng):
    """Zeiler and Fergus' unpooling: each maximum back to its place, zeros elsewhere; pooling gives
    it again.
    """
    x = np.abs(rng.normal(size=(2, 3, 4, 6)))
    out, switches = MaxPool2D().forward(x)
    back, _ = MaxPool2D().backward(out, switches)
    assert np.array_equal(back[back != 0], x[back != 0]) and (back != 0).sum() == out.size
    assert np.array_equal(MaxPool2D().forward(back)[0], out)


def test_zeros_of_dead_units_tie_without_a_kink(rng):
    """ReLU's zeros tie in the window behind it; a tie of living units is a kink, and its place is
    named.
    """
    x = -np.abs(rng.normal(size=(1, 1, 2, 2)))
    dead = Network((ReLU(), MaxPool2D()))
    assert check_layer(dead, x, rng=rng).ok
    report = check_layer(dead, np.ones((1, 1, 2, 2)), rng=rng)
    assert (
        report.verdict == "kink: no verdict" and "layers 0 (ReLU) and 1 (MaxPool2D)" in report.kink
    )
    one = Network((Affine(np.array([[0.0]]), np.array([0.0])), ReLU()))  # moved by its weight alone
    assert check_layer(one, np.array([[1.0]]), rng=rng).verdict == "kink: no verdict"


# Bad input


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda: Conv2D(np.zeros((2, 3, 3)), np.zeros(2)),
            r"w, b: expected shapes \(F, C, kh, kw\) and \(F,\), got",
        ),
        (
            lambda: Conv2D(np.zeros((2, 3, 3, 3)), np.zeros(3)),
            r"w, b: expected .* got \(2, 3, 3, 3\) and \(3,\)",
        ),
        (
            lambda: Conv2D(np.zeros((2, 3, 3, 3)), np.zeros(2), 0),
            "stride: expected a whole number >= 1, got 0",
        ),
        (
            lambda: Conv2D(np.zeros((2, 3, 3, 3)), np.zeros(2), 1.5),
            "stride: expected a whole number >= 1, got 1.5",
        ),
        (
            lambda: Conv2D(np.zeros((2, 3, 3, 3)), np.zeros(2), 1, "full"),
            "padding: expected 'valid' or 'same', got 'full'",
        ),
        (
            lambda: Conv2D(np.zeros((2, 3, 3, 3)), np.zeros(2)).forward(np.zeros((1, 1, 8, 8))),
            r"x: expected shape \(N, 3, H, W\), got \(1, 1, 8, 8\)",
        ),
        (
            lambda: Conv2D(np.zeros((2, 3, 3, 3)), np.zeros(2)).forward(np.zeros((1, 192))),
            r"x: expected shape \(N, 3, H, W\), got \(1, 192\)",
        ),
        (
            lambda: Conv2D(np.zeros((2, 3, 5, 5)), np.zeros(2)).forward(np.zeros((1, 3, 8, 4))),
            "x: expected images of at least 5 pixels a side, the kernel's, got 4",
        ),
        (
            lambda: Conv2D(np.zeros((2, 3, 3, 3)), np.zeros(2), 2).forward(np.zeros((1, 3, 8, 9))),
            "x: expected a size that stride 2 fits, got 8 pixels a side: the last window of 3 "
            "ends 1 before the last pixel",
        ),
        (
            lambda: Conv2D(np.zeros((2, 3, 1, 1)), np.zeros(2), 2, "same").forward(
                np.zeros((1, 3, 8, 8))
            ),
            "x: expected a size that stride 2 fits, got 8 pixels a side: the last window of 1 "
            "ends 1 before",
        ),
        (
            lambda: Conv2D(np.zeros((2, 3, 3, 3)), np.zeros(2), 2.0),
            "stride: expected a whole number >= 1, got 2.0",
        ),
        (lambda: MaxPool2D(0), "size: expected a whole number >= 1, got 0"),
        (lambda: MaxPool2D(2.0), "size: expected a whole number >= 1, got 2.0"),
        (lambda: Upsample(float("nan")), "factor: expected a whole number >= 1, got nan"),
        (lambda: MaxPool2D(2, 0), "stride: expected a whole number >= 1, got 0"),
        (
            lambda: MaxPool2D().forward(np.zeros((2, 8))),
            r"x: expected shape \(N, C, H, W\), got \(2, 8\)",
        ),
        (
            lambda: MaxPool2D().forward(np.zeros((1, 1, 5, 4))),
            "x: expected a size that stride 2 fits, got 5",
        ),
        (
            lambda: MaxPool2D(3).forward(np.zeros((1, 1, 2, 3))),
            "x: expected images of at least 3 pixels",
        ),
        (lambda: Upsample(0), "factor: expected a whole number >= 1, got 0"),
        (
            lambda: Upsample().forward(np.zeros((2, 8))),
            r"x: expected shape \(N, C, H, W\), got \(2, 8\)",
        ),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
