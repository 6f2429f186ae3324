"""Regimes hints and filters: what comes back from the images is what the certificate said, whatever
is wrong with the network.
"""

import inspect

import numpy as np
import pytest
from degenerate import KINDS, few, inputs_like, network, networks
from hypothesis import given
from hypothesis import strategies as st

from refimpl.companions.extraction import certificates, filter_solvers
from refimpl.companions.extraction.certificates import largest_input, magnitude
from refimpl.companions.extraction.extraction import extract
from refimpl.companions.extraction.filter_images import typical_norm, visualizations
from refimpl.companions.extraction.recovery import FITS, from_filters, from_hints
from refimpl.layers import Affine, ReLU, Sigmoid, Tanh
from refimpl.network import Network, one_hidden_net
from refimpl.paper.section10_grid import TEACHERS, train_teacher


def recovered(teacher, regime, **how):
    """(Extraction, student, residual); the student gets nothing but images, targets and the kind of
    activation.
    """
    e = extract(teacher, regime=regime, **how)
    if regime == "hints":
        return e, from_hints(e.images, e.logits, e.hidden, activation=teacher.layers[1]), 0.0
    return e, *from_filters(e.images, e.logits, e.filters, activation=teacher.layers[1])


def relative_error(student, teacher):
    x = inputs_like(teacher)
    return (np.abs(student.logits(x) - teacher.logits(x)).max(axis=1) / magnitude(teacher, x)).max()


def by_scale(network):
    """(w1, b1, w2, b2) with columns of w1 of norm 1, the scale in w2: what a ReLU network's
    parameters mean.
    """
    w1, b1, w2, b2 = network.parameters
    norm = np.linalg.norm(w1, axis=0)
    return w1 / norm, b1 / norm, w2 * norm[:, None], b2


def same_parameters(student, teacher, tolerance):
    relu = isinstance(teacher.layers[1], ReLU)
    pairs = (
        zip(*map(by_scale, (student, teacher)))
        if relu
        else zip(student.parameters, teacher.parameters)
    )
    return all(np.abs(p - q).max() <= tolerance * (1 + np.abs(q).max()) for p, q in pairs)


@pytest.mark.parametrize("recover", [from_hints, from_filters])
def test_the_student_never_sees_the_teacher(recover):
    assert not {"teacher", "network"} & set(inspect.signature(recover).parameters)


@pytest.mark.parametrize("kind", KINDS)
@few(8)
@given(data=st.data())
def test_hints(kind, data):
    teacher = data.draw(networks([kind]))
    e, student, _ = recovered(teacher, "hints")
    c = e.certificate
    assert c.exact in ("parameters", "function")
    assert relative_error(student, teacher) <= c.bound
    if c.exact == "parameters":
        assert same_parameters(student, teacher, 64 * c.bound)


@pytest.mark.parametrize("kind", KINDS)
@few(8)
@given(data=st.data())
def test_filters_filters(kind, data):
    """ReLU always; sigmoid and tanh unless two units are parallel: then the certificate says
    "local" or "no".
    """
    teacher = data.draw(networks([kind]))
    e, student, residual = recovered(teacher, "filters")
    c = e.certificate
    if isinstance(teacher.layers[1], ReLU):
        assert c.exact in ("parameters", "function") or c.conditions[0] > 1e8  # nearly equal units
    if c.exact != "local" or residual <= FITS:
        assert relative_error(student, teacher) <= c.bound
    if c.exact in ("parameters", "function"):
        assert residual < 1e-7


@pytest.mark.parametrize("activation", [ReLU(), Sigmoid(), Tanh()], ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("classes, hidden", [(3, 3), (3, 8), (5, 20), (1, 4)])
def test_filters_from_as_few_images_as_there_are_numbers(rng, activation, classes, hidden):
    teacher = one_hidden_net(40, hidden, classes, rng=rng, activation=activation)
    teacher = teacher.with_parameters(
        [p + 0.2 * rng.normal(size=p.shape) for p in teacher.parameters]
    )
    e, student, residual = recovered(teacher, "filters")
    per_unit = 1 if isinstance(activation, ReLU) else 2
    assert len(e.images) == hidden + 1 + per_unit * -(-hidden // classes)
    assert e.certificate.exact == "parameters" and residual < 1e-13
    assert same_parameters(student, teacher, 1e-9)
    numbers = hidden * (per_unit + classes) + classes
    assert (len(e.images) - per_unit) * classes < numbers <= len(e.images) * classes
    fewer, _, _ = recovered(teacher, "filters", images=len(e.images) - per_unit)
    assert fewer.certificate.exact == "no"


@pytest.mark.parametrize("activation", [ReLU(), Sigmoid(), Tanh()], ids=lambda a: type(a).__name__)
@pytest.mark.parametrize(
    "kind, hidden, kept", [("wide", 7, 7), ("low rank", 6, 6), ("opposite", 5, None)]
)
def test_filters_with_a_first_layer_of_lower_rank(activation, kind, hidden, kept):
    """5 h + 1 images for ReLU, 4 h + 2 for sigmoid and tanh, each exact; opposite smooth units are
    one.
    """
    teacher = network(4, 4, hidden, 3, kind, activation)
    e, student, residual = recovered(teacher, "filters")
    kept = kept or (5 if isinstance(activation, ReLU) else 4)
    count = 5 * kept + 1 if isinstance(activation, ReLU) else 4 * kept + 2
    if kept <= 4 and kind == "opposite":
        count = 4 + 1 + 2 * 2  # the four that are left have full rank
    assert e.filters == kept and len(e.images) == count
    assert e.certificate.exact == ("parameters" if kept == hidden or kind == "wide" else "function")
    assert residual < 1e-9 and relative_error(student, teacher) <= e.certificate.bound


def random_images(teacher, count, rng):
    """Blank, s_j w_j and random combinations of the w_j: images that no linear system is made for,
    so that descent has to find the student.
    """
    first = teacher.layers[0]
    norm = np.linalg.norm(first.w, axis=0)
    size = 6 * typical_norm(first)
    mixed = rng.normal(size=(count - len(norm) - 1, len(norm))) @ (first.w / norm).T
    lengths = size * rng.uniform(0.3, 2, (len(mixed), 1))
    mixed *= lengths / np.linalg.norm(mixed, axis=1, keepdims=True)
    return np.vstack([visualizations(first, np.zeros(len(first.w)), size / norm), mixed])


def test_filters_by_descent(rng):
    """About 1.34 h images, by Levenberg-Marquardt; the certificate says "local" at best."""
    for activation in (ReLU(), Tanh()):
        teacher = one_hidden_net(30, 12, 5, rng=rng, activation=activation)
        x = random_images(teacher, 24, rng)
        certificate = certificates.filters(teacher, teacher, x)
        student, residual = from_filters(x, teacher.logits(x), 12, activation=activation)
        assert certificate.exact == "local" and residual <= FITS
        assert relative_error(student, teacher) <= certificate.bound
        assert same_parameters(student, teacher, 1e-8)


@pytest.mark.parametrize("name", ["relu decay 0", "sigmoid decay 0", "tanh decay 0"])
def test_a_teacher_of_the_digits(digits, name):
    recipe = TEACHERS[name]
    teacher = train_teacher(digits, type(recipe)(recipe.activation, recipe.lr, epochs=1), 0)
    x = digits.test_x.astype(np.float64)
    z = teacher.logits(x)
    for regime, images in (("hints", 31), ("filters", 34 if "relu" in name else 37)):
        e, student, _ = recovered(teacher, regime)
        assert len(e.images) == images and e.certificate.exact == "parameters"
        assert np.abs(student.logits(x) - z).max() < 1e-10 * np.abs(z).max()
        assert np.array_equal(student.predict(x), teacher.predict(x))


@few(30)
@given(
    seed=st.integers(0, 10**6),
    sizes=st.lists(st.integers(2, 8), min_size=3, max_size=4),
    activation=st.sampled_from([ReLU(), Sigmoid(), Tanh()]),
)
def test_hints_two_and_three_hidden_layers(seed, sizes, activation):
    rng, layers = np.random.default_rng(seed), []
    for d, k in zip([6, *sizes], [*sizes, 3]):
        layers += [Affine(rng.normal(size=(d, k)), 0.5 * rng.normal(size=k)), activation]
    teacher = Network(tuple(layers[:-1]))
    e, student, _ = recovered(teacher, "hints")
    assert len(e.hidden) == len(sizes)
    if e.certificate.exact != "no":
        assert relative_error(student, teacher) <= e.certificate.bound
    if e.certificate.exact == "parameters":
        assert all(
            np.abs(p - q).max() < 64 * e.certificate.bound * (1 + np.abs(q).max())
            for p, q in zip(student.parameters, teacher.parameters)
        )
    if min(sizes) > 2 and isinstance(activation, Tanh):
        assert e.certificate.exact == "parameters"


@pytest.mark.parametrize("activation", [ReLU(), Sigmoid(), Tanh()], ids=lambda a: type(a).__name__)
@pytest.mark.parametrize(
    "images",
    [np.zeros((8, 4)), np.ones((8, 4)), np.vstack([np.zeros((1, 4)), np.ones((9, 4))])],
    ids=["blank", "equal", "blank and equal"],
)
def test_images_that_no_solver_is_made_for_leave_a_residual(rng, activation, images):
    student, residual = from_filters(
        images, rng.normal(size=(len(images), 2)), 1, activation=activation, steps=30
    )
    assert 0.1 < residual <= 1 and all(np.isfinite(p).all() for p in student.parameters)


def test_a_wrong_target_shows_in_the_residual(rng):
    teacher = one_hidden_net(12, 6, 3, rng=rng)
    x = random_images(teacher, 20, rng)
    wrong = teacher.logits(x)
    wrong[3, 1] += 0.5
    assert from_filters(x, wrong, 6, activation=ReLU(), steps=60)[1] > 1e-4


@given(seed=st.integers(0, 10**6), activation=st.sampled_from([ReLU(), Sigmoid(), Tanh()]))
def test_the_jacobian_of_the_filters_problem(seed, activation):
    rng = np.random.default_rng(seed)
    g, z = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    f = filter_solvers.problem(g, z, activation)
    n = 3 * (1 if isinstance(activation, ReLU) else 2) + 3 * 2 + 2
    theta, u = rng.normal(size=n), rng.normal(size=n)
    numeric = (f(theta + 1e-6 * u)[0] - f(theta - 1e-6 * u)[0]) / 2e-6
    assert np.allclose(f(theta)[1] @ u, numeric, rtol=1e-6, atol=1e-7)


CHANGES = {  # what is made large or small: an index into (W1, b1, W2, b2), and which part
    "one bias": (1, np.s_[0]),
    "one filter": (0, np.s_[:, 0]),
    "one outgoing row": (2, np.s_[0]),
    "first weights": (0, np.s_[:]),
    "last weights": (2, np.s_[:]),
    "last bias": (3, np.s_[:]),
}


@few(60)
@given(
    teacher=networks(),
    change=st.sampled_from(sorted(CHANGES)),
    power=st.integers(-12, 12),
    sign=st.sampled_from([-1, 1]),
    regime=st.sampled_from(["hints", "filters"]),
)
def test_no_bound_is_below_the_real_error(teacher, change, power, sign, regime):
    """Whatever the sizes of a network's parts: the bound holds, is below 1, or the answer is no."""
    which, part = CHANGES[change]
    parameters = [p.copy() for p in teacher.parameters]
    parameters[which][part] *= sign * 10.0**power
    teacher = teacher.with_parameters(parameters)
    e, student, residual = recovered(teacher, regime)
    if e.certificate.exact == "no":
        assert e.certificate.bound == np.inf
        return
    assert e.certificate.bound < 1
    if e.certificate.exact != "local" or residual <= FITS:
        assert relative_error(student, teacher) <= e.certificate.bound


@pytest.mark.parametrize("which", [0, 2])  # a unit that looks at nothing, one that says nothing
@pytest.mark.parametrize("activation", [Sigmoid(), Tanh(), ReLU()], ids=lambda a: type(a).__name__)
def test_the_bound_holds_as_far_out_as_it_says(rng, activation, which):
    """Where a weight is zero, what round-off leaves of it grows with the input and nothing else."""
    teacher = one_hidden_net(5, 4, 3, rng=rng, activation=activation)
    parameters = [p.copy() for p in teacher.parameters]
    if which == 0:
        parameters[0][:, 1] = 0
    else:
        parameters[2] *= 1e-7
    teacher = teacher.with_parameters(parameters)
    e, student, _ = recovered(teacher, "hints")
    x = rng.normal(size=(2000, 5))
    x *= largest_input(teacher) / np.linalg.norm(x, axis=1, keepdims=True)
    off = np.abs(student.logits(x) - teacher.logits(x)).max(axis=1)
    assert e.certificate.exact != "no"
    assert (off <= e.certificate.bound * magnitude(teacher, x)).all()


@pytest.mark.parametrize("activation", [Sigmoid(), Tanh(), ReLU()], ids=lambda a: type(a).__name__)
def test_one_large_bias_does_not_inflate_the_magnitude(rng, activation):
    teacher = one_hidden_net(5, 4, 3, rng=rng, activation=activation)
    w1, b1, w2, b2 = teacher.parameters
    x = inputs_like(teacher)
    plain = magnitude(teacher, x)
    large = magnitude(teacher.with_parameters([w1, np.append(b1[:3], -1e8), w2, b2]), x)
    assert (large <= plain).all() and (large > 0.1 * plain).all()


@pytest.mark.parametrize("factor", [1e200, 1e-200, 1e308])
def test_what_cannot_be_surveyed_is_refused(rng, factor):
    teacher = one_hidden_net(5, 4, 3, rng=rng)
    w1, b1, w2, b2 = teacher.parameters
    for regime in ("hints", "filters"):
        with pytest.raises(ValueError, match="network: expected parameters up to 1e[+]60"):
            extract(teacher.with_parameters([factor * w1, b1, w2, b2]), regime=regime)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: from_hints(
                np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((2, 4)), activation=ReLU()
            ),
            r"logits: expected 2 rows, one an image, got shape \(3, 2\)",
        ),
        (
            lambda: from_hints(
                np.zeros((0, 3)), np.zeros((0, 2)), np.zeros((0, 4)), activation=ReLU()
            ),
            r"images: expected finite numbers of shape \(N, ...\) with N > 0, got shape \(0, 3\)",
        ),
        (
            lambda: from_filters(np.zeros((3, 2)), np.zeros((3, 2)), 3, activation=ReLU()),
            "filters: expected 0 to 2, got 3",
        ),
        (
            lambda: from_filters(np.zeros(3), np.zeros((3, 2)), 1, activation=ReLU()),
            "images: expected finite numbers of",
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_kind_of_every_name_is_drawn():
    assert network(0, 4, 3, 2, "wide", ReLU()).parameters[0].shape == (4, 7)
