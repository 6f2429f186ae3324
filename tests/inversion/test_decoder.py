"""Decoders: least squares where they are affine, their shapes, that they learn; and images made
through them.
"""

from functools import partial

import numpy as np
import pytest

from refimpl.companions.cnn.architectures import conv_net, small_net, vonc_net
from refimpl.companions.inversion.decoder import (
    decode,
    decoder_for,
    doublings,
    encode,
    train_decoder,
)
from refimpl.companions.inversion.generator import (
    autoencoder,
    class_codes,
    code_box,
    generate,
    halves,
    template,
    through,
)
from refimpl.companions.maximization.activation_maximization import class_objective
from refimpl.gradcheck import check_gradients
from refimpl.layers import Affine, parameter_names
from refimpl.layers.regularization import BatchNorm
from refimpl.losses import squared_error
from refimpl.network import Network
from refimpl.optimize import momentum
from refimpl.theory import best_momentum


def test_an_affine_decoder_of_a_linear_encoder_is_least_squares(rng):
    """Trained to its end by full batches, it is the regression of x on phi(x)."""
    x, encoder = (
        rng.random((40, 8)),
        Network((Affine(rng.normal(size=(8, 3)), rng.normal(size=3)),)),
    )
    codes = encode(encoder, 1, x)
    augmented = np.hstack([codes, np.ones((40, 1))])
    wanted = np.linalg.lstsq(augmented, x, rcond=None)[0]
    lr, beta = best_momentum(codes)

    def constant(
        p, g, state, lr
    ):  # train_decoder lets lr fall; the end of a descent does not depend on it
        return momentum(p, g, state, lr=fixed, beta=beta)

    fixed, start = lr, Network((Affine(np.zeros((3, 8)), np.zeros(8)),))
    trained, losses = train_decoder(
        start,
        x,
        steps=1500,
        lr=lr,
        batch=40,
        rng=rng,
        update=constant,
        code=lambda x: encode(encoder, 1, x),
    )
    assert np.abs(np.vstack(trained.parameters) - wanted).max() <= 1e-10
    away = augmented @ wanted - x
    assert (
        np.isclose(losses[-1], (away**2).sum() / 80, rtol=1e-12)
        and np.abs(codes.T @ away).max() <= 1e-11
    )


@pytest.mark.parametrize("make, shape", [(small_net, (1, 28, 28)), (conv_net, (3, 16, 16))])
def test_every_layer_has_a_decoder(rng, make, shape):
    network, x = make(shape, 10, rng=rng), rng.random((3, np.prod(shape)))
    for layers in range(1, len(network.layers) + 1):
        a = network.forward(x.astype(np.float32), upto=layers)[0]
        if a[0].size > 2**15:
            continue
        decoder = decoder_for(a.shape[1:], shape, rng=rng)
        codes = encode(network, layers, x)
        assert codes.shape == (3, a[0].size) and np.array_equal(codes, a.reshape(3, -1))
        found = decode(decoder, codes)
        assert (
            found.shape == x.shape
            and found.dtype == np.float32
            and decoder.inputs == codes.shape[1]
        )


def test_what_does_not_fit_is_said(rng):
    blank = np.zeros((1, 3072), np.float32)
    first = vonc_net(rng=rng).forward(blank, upto=2)[0].shape[1:]
    for call, word in (
        (lambda: decoder_for(first, (3, 32, 32), rng=rng), "does not double"),
        (lambda: decoder_for((4,), (1, 30, 30), rng=rng), "multiples of 4"),
    ):
        with pytest.raises(ValueError, match=word):
            call()
    assert [doublings(*v) for v in ((8, 32), (32, 32), (30, 32), (33, 32))] == [2, 0, None, None]
    assert decode(decoder_for((4, 5, 5), (1, 12, 12), rng=rng), np.ones((2, 100))).shape == (
        2,
        144,
    )  # the dense way


@pytest.mark.parametrize("shape", [(2, 3, 3), (2, 12, 12), (5,)])
def test_gradients_of_a_decoder(rng, shape):
    decoder = decoder_for(shape, (1, 12, 12), rng=rng, dtype=np.float64)
    codes, images = rng.normal(size=(3, np.prod(shape))), rng.random((3, 144))

    def loss(codes, *parameters):
        return squared_error(
            decoder.with_parameters(parameters).forward(codes, train=True)[0], images
        )[0]

    def vjp(dout, codes, *parameters):
        network = decoder.with_parameters(parameters)
        z, caches = network.forward(codes, train=True)
        dx, gradients = network.backward(dout * squared_error(z, images)[1], caches)
        return (dx, *[g for layer in gradients for g in layer])

    report = check_gradients(loss, vjp, (codes, *decoder.parameters), rng=rng, dtypes=("float64",))
    unknown = [k for k, a in enumerate(report.arguments) if a.verdict != "pass"]
    assert not report.findings and 0 not in unknown, report
    assert unknown == biases_before_normalization(decoder)  # their gradient is zero
    assert all(report.arguments[k].gradient < 1e-15 for k in unknown), report
    for k in (0, 1, len(report.arguments) - 1):

        def wrong(dout, *inputs, k=k):
            return [g * 1.01 if i == k else g for i, g in enumerate(vjp(dout, *inputs))]

        report = check_gradients(loss, wrong, (codes, *decoder.parameters), rng=rng, dtypes=())
        assert [a.verdict == "fail" for a in report.arguments].index(True) == k, report


def biases_before_normalization(network):
    """Where they stand among (codes, *parameters)."""
    found, position = [], 1
    for layer, after in zip(network.layers, (*network.layers[1:], None)):
        names = parameter_names(layer)
        if "b" in names and isinstance(after, BatchNorm):
            found.append(position + names.index("b"))
        position += len(names)
    return found


def test_decoders_learn_and_deeper_codes_are_decoded_worse(digits, rng):
    network, x = small_net(rng=rng), digits.train_x[:1000]
    errors = []
    for layers in (4, 11):
        codes = partial(encode, network, layers)
        start = decoder_for(network.forward(x[:1], upto=layers)[0].shape[1:], (1, 28, 28), rng=rng)
        trained, losses = train_decoder(start, x, steps=60, lr=5e-3, rng=rng, code=codes)
        assert losses[-5:].mean() < 0.5 * losses[0]
        errors.append(((decode(trained, codes(x)) - x) ** 2).mean())
    assert errors[0] < 0.5 * errors[1] < 0.5 * x.var(axis=0).mean()


def test_training_is_seeded_and_bad_batches_are_named(rng):
    x, runs = rng.random((20, 144)), []
    for _ in range(2):
        seeded = np.random.default_rng(3)
        network, layers = autoencoder((1, 12, 12), rng=seeded)
        runs.append(train_decoder(network, x, steps=3, batch=10, rng=seeded)[0].parameters)
    assert all(np.array_equal(a, b) for a, b in zip(*runs))
    with pytest.raises(ValueError, match="batch"):
        train_decoder(network, x, steps=1, batch=21, rng=rng)
    encoder, decoder = halves(network, layers)
    codes = encode(encoder, layers, x)
    assert codes.shape == (20, 64) and codes.min() >= 0
    assert np.allclose(decode(decoder, codes), network.logits(x), atol=1e-6)


def test_through_is_the_composition(rng):
    decoder, network = decoder_for((6,), (1, 12, 12), rng=rng), small_net((1, 12, 12), 4, rng=rng)
    codes = rng.random((5, 6))
    assert np.allclose(
        through(decoder, network).logits(codes), network.logits(decode(decoder, codes)), atol=1e-6
    )
    with pytest.raises(ValueError, match="decoder: expected one that makes 9 pixels"):
        through(decoder, Network((Affine(np.zeros((9, 2)), np.zeros(2)),)))


def test_generate_climbs_inside_the_box(rng):
    decoder = decoder_for((6,), (1, 12, 12), rng=rng, dtype=np.float64)
    network, codes = (
        small_net((1, 12, 12), 4, rng=rng, dtype=np.float64),
        np.abs(rng.normal(size=(50, 6))),
    )
    images, h, history = generate(network, decoder, codes, np.arange(4), steps=60)
    low, high = code_box(codes)
    assert (h >= low).all() and (h <= high).all() and (history[-1] > history[0]).all()
    assert np.array_equal(images, decode(decoder, h))
    values = class_objective(network, np.arange(4))(images, 0)[0] - 0.005 * (h * h).sum(axis=1)
    assert np.allclose(values, history[-1], rtol=1e-10)
    still = generate(network, decoder, codes, np.arange(4), steps=0)[1]
    assert np.allclose(still, codes.mean(axis=0))


def test_generate_through_affine_layers_ends_in_the_corner(rng):
    """Linear in h: every unit goes to the end of the box that its slope points to."""
    decoder, network = (
        Network((Affine(rng.normal(size=s), np.zeros(s[1])),)) for s in ((5, 7), (7, 3))
    )
    codes = np.abs(rng.normal(size=(30, 5))) + 0.1
    h = generate(network, decoder, codes, np.arange(3), steps=400, decay=0)[1]
    slope, (low, high) = (decoder.layers[0].w @ network.layers[0].w).T, code_box(codes)
    assert np.allclose(h, np.where(slope > 0, high, low))


def test_class_codes_and_templates(rng):
    codes, y = rng.random((30, 4)), np.arange(30) % 3
    assert np.allclose(class_codes(codes, y, 3), [codes[c::3].mean(axis=0) for c in range(3)])
    averages, x = rng.random((3, 8)), rng.random((2, 8))
    assert np.allclose(template(averages).logits(x), x @ (averages - averages.mean(axis=0)).T / 8)
    for call, word in (
        (lambda: class_codes(codes, y, 4), "none of class 3"),
        (lambda: class_codes(codes, y, 2), r"y: expected labels in \[0, 2\)"),
        (lambda: code_box(-codes), "codes"),
        (lambda: code_box(codes[:0]), "codes"),
    ):
        with pytest.raises(ValueError, match=word):
            call()
