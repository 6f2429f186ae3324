"""Priors of an ascent and DeepDream: gradients by the complex step, loops as oracles, adjoints,
closed forms.
"""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.class_visualization import class_visualizations
from refimpl.companions.maximization import priors
from refimpl.companions.maximization.deepdream import deepdream, half_square, mean_step
from refimpl.layers import Tanh
from refimpl.losses import OBJECTIVES
from refimpl.network import one_hidden_net
from refimpl.optimize import ascend, l2, penalty, with_priors
from refimpl.theory import network_of

SHAPE = (2, 5, 4)  # channels, height, width: all different
D = 40
COSTS = {
    "l2": lambda rng: l2,
    "alpha 3.5": lambda rng: partial(priors.alpha_norm, alpha=3.5),
    "alpha 6": lambda rng: priors.alpha_norm,
    "tv": lambda rng: partial(priors.total_variation, image_shape=SHAPE),
    "tv 3": lambda rng: partial(priors.total_variation, image_shape=SHAPE, beta=3),
    "tv 1": lambda rng: partial(priors.total_variation, image_shape=SHAPE, beta=1, eps=0.1),
    "tv 1.5": lambda rng: partial(priors.total_variation, image_shape=SHAPE, beta=1.5, eps=0.3),
    "patch": lambda rng: partial(
        priors.patch_prior, image_shape=SHAPE, dictionary=rng.normal(size=(7, 18)), size=3, stride=1
    ),
    "patch, stride 2": lambda rng: partial(
        priors.patch_prior, image_shape=SHAPE, dictionary=rng.normal(size=(5, 8)), size=2, stride=2
    ),
}
seeds = st.integers(0, 10**6)


def gaussian_blur(x, sigma):
    """What the prior blur does after a step."""
    _, project = priors.blur(sigma, SHAPE)(None, None)
    return project(x)


def complex_step(f, x):
    """d f_n / d x_n of values (N,) that do not mix images, one coordinate at a time, h = 1e-20."""
    numeric = np.empty(x.shape)
    for i in range(x.shape[1]):
        z = x.astype(complex)
        z[:, i] += 1e-20j
        numeric[:, i] = f(z).imag / 1e-20
    return numeric


def assert_gradient(f, x):
    kept = x.copy()
    values, analytic = f(x)
    numeric = complex_step(lambda z: f(z)[0], x)
    assert (
        np.abs(analytic - numeric)
        <= 1e-12 * np.abs(numeric) + 1e-14 * max(1, np.abs(numeric).max())
    ).all()
    assert values.shape == (len(x),) and analytic.shape == x.shape and np.array_equal(x, kept)


@pytest.mark.parametrize("name", COSTS)
@given(seed=seeds, scale=st.sampled_from([0.1, 1.0, 10.0]))
def test_gradients_of_costs(name, seed, scale):
    rng = np.random.default_rng(seed)
    assert_gradient(COSTS[name](rng), scale * rng.normal(size=(2, D)))


@pytest.mark.parametrize("name", COSTS)
def test_images_do_not_mix(rng, name):
    cost, x = COSTS[name](rng), rng.normal(size=(3, D))
    values, dx = cost(x)
    for n in range(3):
        value, gradient = cost(x[n : n + 1])
        assert np.allclose(value[0], values[n], rtol=1e-13) and np.allclose(
            gradient[0], dx[n], rtol=1e-13
        )


@pytest.mark.parametrize("name", COSTS)
def test_no_images_cost_nothing(rng, name):
    values, dx = COSTS[name](rng)(np.zeros((0, D)))
    assert values.shape == (0,) and dx.shape == (0, D)


@pytest.mark.parametrize("beta, eps", [(2, 0), (1, 0.1), (3, 0)])
def test_total_variation_by_loops(rng, beta, eps):
    x = rng.normal(size=(2, D))
    by_loops = np.zeros(2)
    for n, image in enumerate(x.reshape(2, *SHAPE)):
        for c in range(2):
            for i in range(5):
                for j in range(4):
                    right = image[c, i, j + 1] - image[c, i, j] if j < 3 else 0
                    below = image[c, i + 1, j] - image[c, i, j] if i < 4 else 0
                    by_loops[n] += (right**2 + below**2 + eps**2) ** (beta / 2) - eps**beta
    assert np.allclose(
        priors.total_variation(x, SHAPE, beta=beta, eps=eps)[0], by_loops, rtol=1e-12
    )
    flat, dx = priors.total_variation(np.full((1, D), 3.7), SHAPE, beta=beta, eps=eps)
    assert flat[0] == 0 and not dx.any()


def test_patch_prior_by_loops(rng):
    x, dictionary = rng.normal(size=(2, D)), rng.normal(size=(6, 8))
    value, gradient = np.zeros(2), np.zeros((2, *SHAPE))
    for n, image in enumerate(x.reshape(2, *SHAPE)):
        for i in range(0, 4, 2):
            for j in range(0, 3, 2):
                patch = image[:, i : i + 2, j : j + 2]
                away = min(
                    (patch - d.reshape(2, 2, 2) for d in dictionary), key=lambda a: (a**2).sum()
                )
                value[n] += (away**2).sum()
                gradient[n, :, i : i + 2, j : j + 2] += 2 * away
    values, dx = priors.patch_prior(x, SHAPE, dictionary, size=2, stride=2)
    assert np.allclose(values, value, rtol=1e-12) and np.allclose(
        dx, gradient.reshape(2, D), rtol=1e-12
    )


def test_patches_of_the_dictionary_cost_nothing(rng):
    image = rng.random((1, D))
    dictionary = priors.cut(image, SHAPE, 3, 1)[0]
    values, dx = priors.patch_prior(image, SHAPE, dictionary, size=3, stride=1)
    assert values[0] == 0 and not dx.any()
    drawn = priors.patch_dictionary(image, SHAPE, size=3, count=20, rng=rng)
    assert drawn.shape == (20, 18) and all((d == dictionary).all(axis=1).any() for d in drawn)


@given(seed=seeds, size=st.integers(1, 4), stride=st.integers(1, 3))
def test_paste_is_the_adjoint_of_cut(seed, size, stride):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, D))
    patches = priors.cut(x, SHAPE, size, stride)
    u = rng.normal(size=patches.shape)
    assert np.vdot(patches, u) == pytest.approx(
        np.vdot(x, priors.paste(u, SHAPE, size, stride)), rel=1e-11, abs=1e-12
    )


@given(seed=seeds, sigma=st.sampled_from([0.0, 0.4, 1.0, 3.0]))
def test_blur_is_symmetric_and_keeps_means(seed, sigma):
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(2, 1, D))
    blurred = gaussian_blur(u, sigma)
    assert np.vdot(blurred, v) == pytest.approx(
        np.vdot(u, gaussian_blur(v, sigma)), rel=1e-11, abs=1e-12
    )
    assert np.allclose(
        blurred.reshape(2, -1).mean(axis=1), u.reshape(2, -1).mean(axis=1), rtol=0, atol=1e-14
    )
    assert np.allclose(gaussian_blur(np.ones((1, D)), sigma), 1, rtol=0, atol=1e-14)
    assert sigma or np.array_equal(blurred, u)


@pytest.mark.parametrize(
    "sigma", [0.5, 2.5]
)  # the second reaches beyond the image, mirrored more than once
def test_blur_by_loops(rng, sigma):
    x = rng.normal(size=(1, D))
    radius = int(np.ceil(4 * sigma))

    def mirrored(i, n):
        while not 0 <= i < n:
            i = -1 - i if i < 0 else 2 * n - 1 - i
        return i

    kernel = {o: np.exp(-o * o / (2 * sigma**2)) for o in range(-radius, radius + 1)}
    total = sum(kernel.values()) ** 2
    by_loops = np.zeros(SHAPE)
    for c, i, j in np.ndindex(SHAPE):
        for o, a in kernel.items():
            for q, b in kernel.items():
                by_loops[c, i, j] += (
                    a * b / total * x.reshape(SHAPE)[c, mirrored(i + o, 5), mirrored(j + q, 4)]
                )
    assert np.allclose(gaussian_blur(x, sigma)[0], by_loops.ravel(), rtol=0, atol=1e-14)


@given(seed=seeds, down=st.integers(-6, 6), right=st.integers(-6, 6))
def test_shift_by_loops_and_its_inverse(seed, down, right):
    rng = np.random.default_rng(seed)
    x, u = rng.normal(size=(2, 1, D))
    moved = priors.shift(x, SHAPE, down, right).reshape(SHAPE)
    for c, i, j in np.ndindex(SHAPE):
        assert moved[c, (i + down) % 5, (j + right) % 4] == x.reshape(SHAPE)[c, i, j]
    assert np.array_equal(priors.shift(moved.reshape(1, D), SHAPE, -down, -right), x)
    assert np.vdot(moved, u) == pytest.approx(
        np.vdot(x, priors.shift(u, SHAPE, -down, -right)), rel=1e-12, abs=1e-13
    )


@given(seed=seeds, objective=st.sampled_from(sorted(OBJECTIVES)))
def test_gradient_under_all_priors_at_once(seed, objective):
    """Jitter drawn from the same seed each time; penalties before and after it."""
    rng = np.random.default_rng(seed)
    net, classes = one_hidden_net(D, 6, 3, rng=rng, activation=Tanh()), np.array([2, 0])

    def score(x, step):
        z, caches = net.forward(x)
        values, dz = OBJECTIVES[objective](z, classes)
        return values, net.backward(dz, caches)[0]

    def whole(x):
        tv = partial(priors.total_variation, image_shape=SHAPE)
        chain = (
            penalty(tv, 0.3),
            priors.jitter(2, SHAPE, np.random.default_rng(seed)),
            penalty(priors.alpha_norm, 0.01),
            priors.blur(1.0, SHAPE),
        )
        return with_priors(chain, score)[0](x, 0)

    assert_gradient(whole, rng.normal(size=(2, D)))


def linear(rng):
    return network_of(rng.normal(size=(D + 1, 3)))


def test_l2_as_a_prior_is_weight_decay(rng):
    net, how = linear(rng), {"objective": "log_probability", "steps": 30, "lr": 0.1}
    images, history = class_visualizations(net, weight_decay=0.2, **how)
    same, values = class_visualizations(net, priors=(penalty(l2, 0.2),), **how)
    assert np.allclose(images, same, rtol=0, atol=1e-13) and np.allclose(
        history, values, rtol=0, atol=1e-12
    )


def test_total_variation_on_a_linear_network_in_closed_form(rng):
    """x_n = sum_(k < n) (I - lr lambda H)^k lr w_c with the cost's constant Hessian H: one matrix A
    for all classes.
    """
    net, steps, lr, weight = linear(rng), 25, 0.1, 0.4
    tv = partial(priors.total_variation, image_shape=SHAPE)
    hessian = tv(np.eye(D))[1]
    images, _ = class_visualizations(net, steps=steps, lr=lr, priors=(penalty(tv, weight),))
    a = sum(np.linalg.matrix_power(np.eye(D) - lr * weight * hessian, k) for k in range(steps))
    assert np.allclose(hessian, hessian.T, rtol=0, atol=1e-14)
    assert np.allclose(images, lr * net.parameters[0].T @ a, rtol=0, atol=1e-12)


def test_blur_on_a_linear_network_in_closed_form(rng):
    net = linear(rng)
    images, _ = class_visualizations(net, steps=4, lr=0.5, priors=(priors.blur(0.7, SHAPE),))
    once = [net.parameters[0].T]
    for _ in range(4):
        once.append(gaussian_blur(once[-1], 0.7))
    assert np.allclose(images, 0.5 * sum(once[1:]), rtol=0, atol=1e-13)


def test_jitter_on_a_linear_network_is_a_mean_of_shifts(rng):
    net = linear(rng)
    jitter = priors.jitter(2, SHAPE, np.random.default_rng(8))
    images, history = class_visualizations(net, steps=6, lr=0.5, priors=(jitter,))
    draws = np.random.default_rng(8)
    moved = [priors.shift(net.parameters[0].T, SHAPE, *-draws.integers(-2, 3, 2)) for _ in range(6)]
    assert np.allclose(images, 0.5 * sum(moved), rtol=0, atol=1e-13)
    assert any(not np.array_equal(m, moved[0]) for m in moved) and history.shape == (7, 3)


def test_the_box_comes_last(rng):
    images, _ = class_visualizations(
        linear(rng), steps=20, lr=1, box=(-0.5, 0.25), priors=(priors.blur(0.5, SHAPE),)
    )
    assert images.min() == -0.5 and images.max() == 0.25


def test_single_precision_stays(rng):
    net = linear(rng).astype(np.float32)
    tv = partial(priors.total_variation, image_shape=SHAPE)
    chain = (penalty(tv, 0.1), priors.jitter(1, SHAPE, rng), priors.blur(0.5, SHAPE))
    assert class_visualizations(net, steps=3, priors=chain)[0].dtype == np.float32


@given(seed=seeds, layers=st.integers(1, 3))
def test_gradient_of_deepdream(seed, layers):
    rng = np.random.default_rng(seed)
    objective = half_square(one_hidden_net(D, 6, 3, rng=rng, activation=Tanh()), layers)
    assert_gradient(lambda x: objective(x, 0), rng.normal(size=(2, D)))


def test_deepdream_on_a_shut_layer_says_so(rng):
    net = one_hidden_net(6, 4, 3, rng=rng)
    w1, _, w2, b2 = net.parameters
    shut = net.with_parameters((w1, np.full(4, -1e3), w2, b2))
    with pytest.raises(ValueError, match="first 2 layers see nothing in images .*closed ReLU"):
        deepdream(shut, np.full((1, 6), 0.5), layers=2, steps=5)


def test_deepdream_on_a_linear_network_finds_the_first_singular_direction(rng):
    """Ascent of 1/2 |x W|^2 is power iteration, x_n = (I + lr W W')^n x_0: every start ends at +-
    u_1, so that all the pictures teach one direction; deepdream's own steps have the same
    directions and lengths that do not grow.
    """
    u, v = np.linalg.qr(rng.normal(size=(D, 3)))[0], np.linalg.qr(rng.normal(size=(3, 3)))[0]
    net, start = network_of(np.vstack([u * (5, 1, 0.5) @ v, np.zeros(3)])), rng.normal(size=(4, D))
    grown, _ = ascend(half_square(net, 1), start, steps=7, lr=0.1)
    w = net.parameters[0]
    assert np.allclose(
        grown, start @ np.linalg.matrix_power(np.eye(D) + 0.1 * w @ w.T, 7), rtol=1e-10, atol=1e-10
    )
    images, history = deepdream(net, start, layers=1, steps=300, lr=1.0)
    cosines = images @ u[:, 0] / np.linalg.norm(images, axis=1)
    assert np.allclose(np.abs(cosines), 1, atol=1e-2) and (np.diff(history, axis=0) > 0).all()


def test_mean_step_moves_every_image_by_lr_on_average(rng):
    x, g = rng.normal(size=(2, 3, D))
    g[2] = 0
    moved, _ = mean_step(x, g, None, lr=0.3)
    assert np.allclose(np.abs(moved - x).mean(axis=1), [0.3, 0.3, 0], rtol=1e-12, atol=0)
    assert np.allclose((moved - x)[0], -0.3 * g[0] / np.abs(g[0]).mean(), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: penalty(l2, -1), "weight: expected a number >= 0, got -1"),
        (lambda x: priors.alpha_norm(x, alpha=1), "alpha: expected a number >= 2, got 1"),
        (
            lambda x: priors.total_variation(x, (1, 5, 4)),
            r"x: expected shape \(N, 20\) for images \(1, 5, 4\), got \(2, ",
        ),
        (
            lambda x: priors.total_variation(x, SHAPE, beta=0.5),
            "beta: expected a number >= 1, got 0.5",
        ),
        (
            lambda x: priors.total_variation(x, SHAPE, beta=1),
            "eps: expected a number > 0 for beta < 2",
        ),
        (
            lambda x: priors.cut(x, SHAPE, 5, 1),
            r"size: expected 1 to 4 for images \(2, 5, 4\), got 5",
        ),
        (lambda x: priors.cut(x, SHAPE, 2, 0), "stride: expected a whole number >= 1, got 0"),
        (
            lambda x: priors.patch_prior(x, SHAPE, np.zeros((3, 7)), size=2, stride=1),
            r"dictionary: expected shape \(M, 8",
        ),
        (
            lambda x: priors.patch_dictionary(x, SHAPE, size=5, count=1, rng=None),
            "size: expected 1 to 4 for images",
        ),
        (
            lambda x: priors.patch_dictionary(x[:0], SHAPE, size=2, count=1, rng=None),
            "images, count: expected at least one",
        ),
        (
            lambda x: priors.patch_dictionary(x, SHAPE, size=2, count=0, rng=None),
            "images, count: .* got 2 and 0",
        ),
        (
            lambda x: priors.jitter(1.5, SHAPE, None),
            "pixels: expected a whole number >= 0, got 1.5",
        ),
        (lambda x: priors.blur(-1, SHAPE), "sigma: expected a number >= 0, got -1"),
        (
            lambda x: deepdream(network_of(np.ones((D + 1, 3))), x[:, 1:], layers=1),
            r"images: expected shape \(N, 40\)",
        ),
        (
            lambda x: half_square(network_of(np.ones((D + 1, 3))), 2),
            "layers: expected 1 to 1, got 2",
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((2, D)))
