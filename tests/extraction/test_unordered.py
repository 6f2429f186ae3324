"""Regime c: from an unordered set of (image, logits) and a random init, back to the network; and
every part of it.
"""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import complex_step

from refimpl.companions.extraction import unordered
from refimpl.companions.extraction.unordered import (
    coordinates,
    counting_heuristic,
    retrain_unordered,
    sparse_signs,
    tanh_of,
    unordered_images,
)
from refimpl.companions.extraction.wide_student import (
    decayed_error,
    drop_unit,
    fit,
    flatten,
    merge,
    residuals_and_jacobian,
    unpack,
)
from refimpl.gradcheck import assert_gradients, check_gradients
from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.network import Network, one_hidden_net, softmax_net

ACTIVATIONS = pytest.mark.parametrize(
    "activation", (ReLU(), Sigmoid(), Tanh()), ids=lambda a: type(a).__name__
)
SEEDS = st.integers(0, 10**6)
FAST = partial(retrain_unordered, steps=3000, short=60)


def network(activation, inputs=30, hidden=8, classes=5, seed=0):
    """A random network whose biases are not zero."""
    rng = np.random.default_rng(seed)
    w, b, v, c = one_hidden_net(inputs, hidden, classes, rng=rng, activation=activation).parameters
    return Network(
        (Affine(w, rng.normal(0, 0.3, b.shape)), activation, Affine(v, rng.normal(0, 0.3, c.shape)))
    )


def in_span(teacher, count, seed):
    """Points of the span of the first layer's weights: where alone any student can know the
    teacher.
    """
    w = teacher.parameters[0]
    return np.random.default_rng(seed).normal(0, 3, (count, w.shape[1])) @ np.linalg.pinv(w)


@pytest.fixture(scope="module")
def small():
    """A ReLU teacher 30-8-5, 80 images and their logits."""
    teacher = network(ReLU())
    images = unordered_images(teacher, 80, np.random.default_rng(1))
    return teacher, images, teacher.logits(images)


@ACTIVATIONS
def test_the_counting_heuristic_counts_the_free_parameters(activation):
    """The rank of the Jacobian at a generic network on many generic images."""
    net = network(activation, inputs=5, hidden=4, classes=3)
    u = np.random.default_rng(2).normal(0, 2, (200, 5))
    _, j = residuals_and_jacobian(net, u, np.zeros((200, 3)))(flatten(net))
    assert np.linalg.matrix_rank(j) == round(3 * counting_heuristic(5, 4, 3, activation))


@given(seed=SEEDS, count=st.integers(2, 40), hidden=st.integers(2, 12))
def test_signs_are_sparse_and_used_equally(seed, count, hidden):
    far = 1 + seed % hidden
    signs = sparse_signs(count, hidden, far, np.random.default_rng(seed))
    assert set(np.unique(signs)) <= {-1, 0, 1} and (np.abs(signs).sum(axis=1) == far).all()
    assert np.ptp(np.abs(signs).sum(axis=0)) <= 1


def test_balanced_signs_are_nearly_orthogonal():
    signs = sparse_signs(150, 30, 9, np.random.default_rng(0))
    drawn = np.abs(signs) * np.random.default_rng(1).choice((-1, 1), signs.shape)
    energy = [
        np.sum((s.T @ s - np.diag(np.diag(s.T @ s))) ** 2) + np.sum(s.sum(axis=0) ** 2)
        for s in (signs, drawn)
    ]
    assert energy[0] < 0.5 * energy[1]


@ACTIVATIONS
def test_images_put_each_unit_where_it_was_wanted(activation):
    teacher, (s, o) = (
        network(activation),
        {ReLU: (3, 0.06), Sigmoid: (6, 2), Tanh: (3, 1)}[type(activation)],
    )
    p = teacher.forward(unordered_images(teacher, 60, np.random.default_rng(1)), upto=1)[0] + o
    far = np.abs(p) > 1e-9
    assert (far.sum(axis=1) == 3).all()  # .4 of 8 units
    assert (np.abs(p[far]) >= s / 2 - 1e-9).all() and (np.abs(p[far]) <= 1.5 * s + 1e-9).all()
    few = teacher.forward(unordered_images(teacher, 10, np.random.default_rng(1)), upto=1)[0] + o
    assert ((np.abs(few) > 1e-9).sum(axis=1) == 2).all()


@given(seed=SEEDS, n=st.integers(2, 20), d=st.integers(1, 30), whiten=st.booleans())
def test_coordinates(seed, n, d, whiten):
    x = np.random.default_rng(seed).normal(3, 5, (n, d))
    u, mean, back = coordinates(x, whiten)
    assert u.shape[1] == min(n - 1, d) and np.abs((x - mean) @ back - u).max() < 1e-6
    assert np.abs(u.mean(axis=0)).max() < 1e-9 and abs((u * u).mean() - 1) < 1e-9
    moments = u.T @ u / n if whiten else back.T @ back / np.vdot(back[:, 0], back[:, 0])
    assert np.abs(moments - np.eye(u.shape[1])).max() < 1e-9


@ACTIVATIONS
def test_the_decayed_error_by_the_checker_and_its_planted_errors(activation, rng):
    net, u, t = network(activation, 4, 3, 2), rng.normal(size=(6, 4)), rng.normal(size=(6, 2))

    def f(*p):
        return np.asarray(
            decayed_error(net.with_parameters(p), u.astype(p[0].dtype), t.astype(p[0].dtype), 0.3)[
                0
            ]
        )

    def vjp(dout, *p):
        return tuple(dout * g for g in decayed_error(net.with_parameters(p), u, t, 0.3)[1])

    check = partial(
        check_gradients,
        inputs=net.parameters,
        rng=rng,
        names=("w", "b", "v", "c"),
        dtypes=("float64",),
    )
    assert_gradients(
        f, vjp, net.parameters, rng=rng, names=("w", "b", "v", "c"), dtypes=("float64",)
    )
    for planted in (0, 1, 2, 3):  # decay twice on a weight, decay on a bias
        assert (
            check(
                f,
                lambda dout, *p, k=planted: tuple(
                    g + 0.3 * dout * a if i == k else g
                    for i, (g, a) in enumerate(zip(vjp(dout, *p), p))
                ),
            ).verdict
            == "fail"
        )


@ACTIVATIONS
def test_the_jacobian_by_the_complex_step(activation, rng):
    net, u, t = network(activation, 4, 3, 2), rng.normal(size=(6, 4)), rng.normal(size=(6, 2))
    x, shapes = flatten(net), [p.shape for p in net.parameters]
    r, j = residuals_and_jacobian(net, u, t)(x)
    assert np.array_equal(r, (net.logits(u) - t).ravel())
    for k, direction in enumerate(np.eye(len(x))):
        column = complex_step(
            lambda x: net.with_parameters(unpack(x, shapes)).forward(u)[0].ravel(), x, direction
        )
        assert np.abs(column - j[:, k]).max() < 1e-13


def test_a_dead_or_parallel_unit_goes_first_and_the_function_stays():
    u = np.random.default_rng(0).normal(size=(80, 6))
    net = network(ReLU(), 6, 5, 3)
    (w, b), (v, c) = (net.layers[0].w, net.layers[0].b), (net.layers[2].w, net.layers[2].b)
    for more_w, more_b, more_v in (
        (w[:, :1], -50 + b[:1], v[:1]),
        (2.5 * w[:, 1:2], 2.5 * b[1:2], -v[:1]),
    ):
        first = Affine(np.hstack([w, more_w]), np.append(b, more_b))
        wide = Network((first, ReLU(), Affine(np.vstack([v, more_v]), c)))
        fewer = drop_unit(wide, u, ridge=1e-10)
        assert len(fewer.layers[0].b) == 5
        assert np.abs(fewer.logits(u) - wide.logits(u)).max() < 1e-6


@ACTIVATIONS
def test_the_unit_dropped_is_the_one_a_refit_misses_least(activation, rng):
    """Brute force: least squares of what the network gives on all activations but one."""
    u, net = rng.normal(size=(50, 6)), network(activation, 6, 5, 3)
    a, z = np.hstack([net.forward(u, upto=2)[0], np.ones((50, 1))]), net.logits(u)
    errors = [
        np.linalg.norm(a_j @ np.linalg.lstsq(a_j, z, rcond=None)[0] - z)
        for a_j in (np.delete(a, j, axis=1) for j in range(5))
    ]
    dropped = drop_unit(net, u, ridge=1e-12)
    assert np.array_equal(
        dropped.layers[0].w, np.delete(net.layers[0].w, np.argmin(errors), axis=1)
    )
    assert abs(np.linalg.norm(dropped.logits(u) - z) - min(errors)) < 1e-6


def test_fit_anneals_and_merge_ends_with_as_many_as_asked(rng):
    u, t, net = rng.normal(size=(40, 6)), rng.normal(size=(40, 3)), network(ReLU(), 6, 5, 3)
    _, values = fit(net, u, t, steps=200, lr=0.01, decay=(0.1, 0.0), until=0.5)
    assert values[0] == decayed_error(net, u, t, 0.1)[0] and values[-1] < values[0]
    heavy, _ = fit(net, u, t, steps=400, lr=0.01, decay=(0.5, 0.5))
    light, _ = fit(net, u, t, steps=400, lr=0.01, decay=(0.5, 0.0), until=0.5)
    assert np.linalg.norm(flatten(heavy)) < 0.8 * np.linalg.norm(flatten(light))
    assert len(merge(net, u, t, 2, steps=5, lr=0.01, decay=0.0).layers[0].b) == 2
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="step"):
        fit(net, u, t, steps=20, lr=1e200, decay=(0.0, 0.0))


@pytest.mark.parametrize("whiten", (True, False))
def test_a_relu_teacher_comes_back_unit_by_unit(small, whiten):
    teacher, images, logits = small
    student = FAST(
        images, logits, hidden=8, rng=np.random.default_rng(2), students=4, whiten=whiten
    )
    assert student.residual < 1e-12 and student.stages[-1] == student.residual
    x = in_span(teacher, 500, 3)
    assert np.abs(student.network.logits(x) - teacher.logits(x)).max() < 1e-9

    def units(
        net,
    ):  # (w, b) of norm 1, times v scaled the other way: what a ReLU unit is, whatever its scale
        rows = np.vstack([net.layers[0].w, net.layers[0].b])
        norms = np.linalg.norm(rows, axis=0)
        return np.vstack([rows / norms, (net.layers[2].w * norms[:, None]).T]).T

    ours, theirs = units(student.network), units(teacher)
    distance = np.abs(ours[:, None] - theirs).max(axis=2)  # (student's, teacher's)
    assert sorted(distance.argmin(axis=1)) == list(range(8)) and distance.min(axis=1).max() < 1e-9


@pytest.mark.parametrize("activation", (Sigmoid(), Tanh()), ids=lambda a: type(a).__name__)
def test_a_smooth_teacher_comes_back(activation):
    teacher = network(activation)
    images = unordered_images(teacher, 80, np.random.default_rng(1))
    student = FAST(
        images,
        teacher.logits(images),
        hidden=8,
        activation=activation,
        rng=np.random.default_rng(2),
        students=4,
    )
    x = in_span(teacher, 500, 3)
    assert student.residual < 1e-12 and type(student.network.layers[1]) is type(activation)
    assert np.abs(student.network.logits(x) - teacher.logits(x)).max() < 1e-9


def test_the_order_of_the_set_changes_nothing(small):
    _, images, logits = small
    quick = partial(retrain_unordered, hidden=8, steps=20, short=2, polish=1)
    a = quick(images, logits, rng=np.random.default_rng(4))
    for order in (
        np.arange(80)[::-1],
        np.roll(np.arange(80), 17),
        np.random.default_rng(9).permutation(80),
    ):
        b = quick(images[order], logits[order], rng=np.random.default_rng(4))
        assert all(np.array_equal(p, q) for p, q in zip(a.network.parameters, b.network.parameters))
    c = quick(images, logits, rng=np.random.default_rng(5))
    assert not np.array_equal(a.network.layers[0].w, c.network.layers[0].w)


def test_two_logits_exchanged_are_seen_in_the_residual(small):
    _, images, logits = small
    wrong = logits.copy()
    wrong[[3, 40]] = wrong[[40, 3]]
    assert FAST(images, wrong, hidden=8, rng=np.random.default_rng(2)).residual > 1e-4


def test_several_students_the_smallest_residual_wins(small, monkeypatch):
    _, images, logits = small
    train = partial(retrain_unordered, images, logits, hidden=8, steps=60, short=5, polish=0)
    rng, other = np.random.default_rng(7), np.random.default_rng(7)
    alone = [train(rng=rng).residual for _ in range(3)]
    assert train(rng=other, students=3).residual == min(alone)
    monkeypatch.setattr(unordered, "ENOUGH", 1.0)
    assert train(rng=np.random.default_rng(7), students=3).students == 1


@settings(max_examples=20)
@given(seed=SEEDS)
def test_a_tanh_network_is_a_sigmoid_network(seed):
    net, x = network(Sigmoid(), seed=seed), np.random.default_rng(seed).normal(size=(20, 30))
    assert np.abs(tanh_of(net).logits(x) - net.logits(x)).max() < 1e-13


def test_a_teacher_of_drawn_digits(digits):
    """A trained 784-10-10 from 70 images (the heuristic: 21)."""
    from refimpl.training import train

    rng = np.random.default_rng(0)
    start = one_hidden_net(784, 10, 10, rng=rng)
    teacher, _ = train(start, digits.train_x, digits.train_y, steps=1500, lr=0.1, rng=rng)
    images = unordered_images(teacher, 70, np.random.default_rng(1))
    student = FAST(
        images, teacher.logits(images), hidden=10, rng=np.random.default_rng(2), students=3
    )
    assert student.residual < 1e-10
    assert (student.network.predict(digits.test_x) == teacher.predict(digits.test_x)).mean() > 0.999


@pytest.mark.parametrize(
    "change, match",
    [
        (dict(images=np.zeros(4)), "images: expected shape"),
        (dict(images=np.ones((80, 30))), "images that differ"),
        (dict(logits=np.zeros((80, 5))), "not all zero"),
        (dict(logits=np.ones((79, 5))), r"logits: expected shape \(80, K\)"),
        (dict(logits=np.full((80, 5), np.nan)), "expected finite"),
        (dict(hidden=0), "hidden: expected"),
        (dict(activation=3), "activation: expected ReLU"),
        (dict(students=0), "students: expected at least one"),
    ],
)
def test_bad_arguments(small, change, match):
    _, images, logits = small
    with pytest.raises(ValueError, match=match):
        retrain_unordered(
            **(dict(images=images, logits=logits, hidden=8, rng=np.random.default_rng(0)) | change)
        )


def test_bad_networks_and_counts(rng):
    with pytest.raises(
        ValueError, match="network: expected Affine, .* with 1 hidden layer, got Affine"
    ):
        unordered_images(softmax_net(3, 2), 10, rng)
    for count in (1, 2.5, -3):
        with pytest.raises(ValueError, match="count: expected a whole number >= 2"):
            unordered_images(network(ReLU()), count, rng)
