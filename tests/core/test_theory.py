"""The theorems as properties of random small networks, each with its tolerance; and the
certificate's verdicts.
"""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refimpl import theory
from refimpl.class_visualization import class_visualizations
from refimpl.descent import descend
from refimpl.dual import gram
from refimpl.exact_recovery import certificate
from refimpl.layers import ReLU, Sigmoid
from refimpl.losses import cross_entropy, distillation, softmax, squared_error
from refimpl.network import one_hidden_net, softmax_net
from refimpl.optimize import momentum, sgd
from refimpl.retraining import retrain
from refimpl.theory import network_of, theta_of
from refimpl.training import train

seeds = st.integers(0, 10**6)
small = {"d": st.integers(3, 12), "k": st.integers(2, 5)}


def zero_sum(rng, d, k, rank=None):
    """A random teacher whose columns sum to zero; rank lowers the rank of W.

    The right factor of a low-rank W is centred before the product: centring the product would leave
    round-off of its uncentred size, which is a second singular value where the centred W is small.
    """
    right = rng.normal(size=(d if rank is None else rank, k))
    right -= right.mean(axis=1, keepdims=True)
    w = right if rank is None else rng.normal(size=(d, rank)) @ right
    b = rng.normal(size=k)
    return network_of(np.vstack([w, b - b.mean()]))


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@given(seed=seeds, **small, update=st.sampled_from([sgd, momentum]), soft=st.booleans())
def test_t0_columns_keep_their_zero_sum(seed, d, k, update, soft):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(30, d)), rng.integers(0, k, 30)
    t = rng.dirichlet(np.ones(k), 30) if soft else y
    loss = (lambda z, rows: cross_entropy(z, t[rows])) if soft else cross_entropy
    net = softmax_net(d, k)
    if soft:
        net = descend(net, x, np.arange(30), loss, lr=0.3, steps=60, tol=0, update=update).network
    else:
        net = train(net, x, y, steps=60, lr=0.3, batch=7, rng=rng, update=update)[0]
    assert theory.zero_sum_residual(*net.parameters) < 1e-13


def test_t0_fails_for_an_element_wise_optimizer(rng):
    """The negative control: sign descent, the simplest of Adam's kind, loses the zero sum."""
    x, y = rng.normal(size=(30, 6)), rng.integers(0, 3, 30)
    net = train(
        softmax_net(6, 3),
        x,
        y,
        steps=40,
        lr=0.1,
        batch=7,
        rng=rng,
        update=lambda x, g, s, lr: (x - lr * np.sign(g), s),
    )[0]
    assert theory.zero_sum_residual(*net.parameters) > 0.05


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_residual_of_what_is_not_finite(bad):
    """max() of Python passes over a NaN that comes second."""
    w, b = np.array([[1.0, -1.0]]), np.array([bad, 0.0])
    with pytest.raises(ValueError, match="b: expected finite numbers, found"):
        theory.zero_sum_residual(w, b)
    with pytest.raises(ValueError, match="w: expected finite numbers, found"):
        theory.zero_sum_residual(b[None], w[0])


@given(
    seed=seeds,
    **small,
    steps=st.integers(0, 40),
    lr=st.floats(0.01, 2),
    decay=st.sampled_from([0, 0.1, 0.4]),
    box=st.sampled_from([None, (-0.3, 0.5)]),
)
def test_t1_logit_ascent(seed, d, k, steps, lr, decay, box):
    assume(not (decay and box) and lr * decay < 1)
    net = network_of(
        np.random.default_rng(seed).normal(size=(d + 1, k))
    )  # any teacher, zero-sum or not
    images, history = class_visualizations(net, steps=steps, lr=lr, weight_decay=decay, box=box)
    predicted = theory.logit_ascent(
        net.parameters[0], steps=steps, lr=lr, weight_decay=decay, box=box
    )
    assert np.abs(images - predicted).max() <= 1e-13 * (1 + np.abs(predicted).max())
    assert history.shape == (steps + 1, k)


@pytest.mark.parametrize("decay", [1e-3, 1e-6, 1e-12, 1e-17, 1e-30, 1e-320])
def test_t1_with_a_penalty_that_vanishes(decay):
    net = network_of(np.array([[1.0, -1.0], [2.0, -2.0], [0.5, -0.5]]))
    how = {"steps": 10, "lr": 0.1, "weight_decay": decay}
    images, _ = class_visualizations(net, **how)
    assert relative(theory.logit_ascent(net.parameters[0], **how), images) < 1e-14


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda w: theory.logit_ascent(w, steps=-1, lr=0.1), "steps: expected a whole number >= 0"),
        (
            lambda w: theory.logit_ascent(w, steps=1, lr=0.1, box=(0.1, 1.0)),
            "box: expected low <= 0",
        ),
        (lambda w: theory.spectrum(w + 1), "w: this holds for a zero-sum teacher"),
        (lambda w: theory.best_scale(w + 1), "w: this holds for a zero-sum teacher"),
        (lambda w: theory.best_scale(0 * w), "w: expected a weight that is not zero"),
        (lambda w: theory.one_step_images(w + 1), "w: this holds for a zero-sum teacher"),
        (lambda w: theory.one_step_images(w * np.inf), "w: expected finite numbers"),
        (lambda w: theory.laplacian_null_vector(w / 0), "x: expected finite numbers"),
        (lambda w: theory.laplacian_null_vector(w[:0]), "x: expected images"),
        (lambda w: theory.extreme_eigenvalues(w / 0), "rows: expected finite numbers"),
        (
            lambda w: theory.descent_after(w, w, lr=0.1, steps=-1),
            "steps: expected a whole number >= 0",
        ),
        (
            lambda w: theory.nonzero_sum_error(w, np.ones(3), 1.0),
            "w: expected 3 independent columns, got rank 2",
        ),
        (
            lambda w: theory.nonzero_sum_error(np.ones((2, 3)), np.ones(3), 1.0),
            "w: expected 3 independent columns, got rank 1",
        ),
        (lambda w: theory.nonzero_sum_error(w, np.ones(3), 0.0), "scale: expected a finite number"),
        (lambda w: theory.nonzero_sum_error(w, np.ones(1), 1.0), r"b: expected shape \(3,\)"),
        (lambda w: theory.logit_ascent(w, steps=1.5, lr=0.1), "steps: expected a whole number"),
        (lambda w: theory.logit_ascent(w, steps=2, lr=np.nan), "lr: expected finite numbers"),
        (lambda w: theory.spectrum(w, np.nan), "scale: expected finite numbers"),
        (lambda w: theory.spectrum(w, np.ones(2)), r"scale: expected shape \(\)"),
        (
            lambda w: theory.extreme_eigenvalues(w[:0]),
            "x, its images: expected a whole number >= 1",
        ),
        (lambda w: theory.descent_limit(w, w[:4] * np.nan), "theta: expected finite numbers"),
        (lambda w: theory.descent_limit(w, w[:3]), r"theta: expected shape \(4, any\)"),
        (lambda w: theory.descent_limit(w, w[:4], w[:4, :1]), r"start: expected shape \(4, 3\)"),
        (
            lambda w: theory.descent_after(w, w[:1], lr=0.1, steps=1),
            r"target: expected shape \(5, any\), got \(1, 3\)",
        ),
        (
            lambda w: theory.high_temperature_gradient(w, w[:1]),
            r"teacher_z: expected shape \(5, 3\)",
        ),
        (lambda w: theory.best_lr([[1.0, "a"]]), "expected real numbers"),
    ],
)
def test_what_a_theorem_does_not_cover_is_refused(rng, call, message):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        call(zero_sum(rng, 5, 3).parameters[0])


@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.float32])
def test_closed_forms_take_numbers_of_any_kind(dtype):
    """Whole numbers and halves, which LAPACK does not know, are taken as float64."""
    w = np.array([[1, -1], [2, -2], [3, -3]])
    for form in (theory.spectrum, theory.best_scale, theory.one_step_images, theory.best_lr):
        assert np.allclose(form(w.astype(dtype)), form(w.astype(float)), rtol=1e-5)
    assert np.allclose(theory.one_step_images(w.tolist()), theory.one_step_images(w.astype(float)))


def test_closed_forms_of_a_hidden_layer_refuse_other_networks(rng):
    """A sigmoid has no open gates, and a class counted from the end is another class."""
    one, other = (
        one_hidden_net(3, 2, 2, rng=rng, activation=activation)
        for activation in (ReLU(), Sigmoid())
    )
    x = rng.normal(size=(4, 3))
    with pytest.raises(ValueError, match=r"expected Affine, ReLU, Affine, got \['Affine', 'Sigm"):
        theory.open_gate_function(other)
    with pytest.raises(ValueError, match="network: expected Affine, an activation, Affine"):
        theory.hidden_gradient(softmax_net(3, 2), x, np.zeros(4, int))
    for classes, message in (
        (np.array([-1, 0, 0, 0]), r"classes: expected labels in \[0, 2\)"),
        (np.array([2, 0, 0, 0]), r"classes: expected labels in \[0, 2\)"),
        (np.array([1]), r"x: expected shape \(1, any\)"),
    ):
        with pytest.raises(ValueError, match=message):
            theory.hidden_gradient(one, x, classes)
    with pytest.raises(ValueError, match="x: expected finite numbers"):  # NaN > 0 is False: zeros
        theory.hidden_gradient(one, x * np.nan, np.zeros(4, int))


def test_t3_classes_never_seen_share_a_column(rng):
    """Then W has rank below K - 1, and the best scale is that of the singular values that are
    there.
    """
    w = zero_sum(rng, 8, 5).parameters[0].copy()
    w[:, 3:] = w[:, 3:].mean(axis=1, keepdims=True)
    sigma = np.linalg.svd(w, compute_uv=False)
    low, high = theory.best_scale(w)
    assert high == pytest.approx(np.sqrt(5) / sigma[2]) and low == pytest.approx(
        np.sqrt(5) / sigma[0]
    )
    assert np.divide(*theory.extreme_eigenvalues(low * w.T)) == pytest.approx(
        (sigma[0] / sigma[2]) ** 2
    )
    teacher = network_of(np.vstack([w, np.zeros(5)]))
    images = np.sqrt(low * high) * w.T
    done = retrain(images, teacher.logits(images))
    assert done.converged and relative(theta_of(done.network), theta_of(teacher)) < 1e-11


def test_t1_converges_iff_lr_lambda_is_below_one(rng):
    net = zero_sum(rng, 5, 3)
    limit = net.parameters[0].T / (2 * 0.5)
    below, _ = class_visualizations(net, steps=4000, lr=1.99, weight_decay=0.5)
    assert relative(below, limit) < 1e-10
    above, _ = class_visualizations(net, steps=200, lr=2.1, weight_decay=0.5)
    assert relative(above, limit) > 1e3


@given(seed=seeds, d=st.integers(6, 14), k=st.integers(2, 5), low_rank=st.booleans())
def test_t2_exact_recovery_at_any_rank(seed, d, k, low_rank):
    rng = np.random.default_rng(seed)
    teacher = zero_sum(rng, d, k, rank=max(1, k - 2) if low_rank else None)
    w = teacher.parameters[0]
    assume(np.linalg.norm(w, axis=0).min() > 0.1 * np.linalg.norm(w) / k)
    images = rng.uniform(0.5, 2, (k, 1)) * w.T / np.linalg.norm(w, ord=2) * np.sqrt(k)
    z = teacher.logits(images)
    certified = certificate(images, z, teacher)
    assert certified.exact == "parameters"
    assume(certified.condition < 100)
    assert relative(theta_of(certified.student), theta_of(teacher)) < 1e-11
    done = retrain(images, z)
    assert done.converged and relative(theta_of(done.network), theta_of(teacher)) < 1e-9
    soft = retrain(images, z, temperature=30.0)
    assert soft.converged and relative(theta_of(soft.network), theta_of(teacher)) < 1e-7


@given(seed=seeds, **small)
def test_t3_eigenvalues_and_scale(seed, d, k):
    teacher = zero_sum(np.random.default_rng(seed), d, k)
    w, scale = teacher.parameters[0], 0.7
    values = np.linalg.eigvalsh(gram(scale * w.T))[::-1]
    zeros = np.zeros(max(0, k - 1 - d))
    assert np.allclose(
        values, [*theory.spectrum(w, scale), *zeros], rtol=1e-10, atol=1e-12 * values[0]
    )
    low, high = theory.best_scale(w)
    condition = [
        np.divide(*theory.extreme_eigenvalues(s * w.T)) for s in (0.8 * low, low, high, 1.25 * high)
    ]
    assert condition[1] == pytest.approx(condition[2], rel=1e-6)
    assert condition[0] > condition[1] and condition[3] > condition[2]


def test_t3_stable_below_and_unstable_above(rng):
    teacher = zero_sum(rng, 8, 4)
    images = teacher.parameters[0].T
    z, top = teacher.logits(images), theory.extreme_eigenvalues(images)[0]
    for factor, grows in ((0.99, False), (1.01, True)):
        done = descend(
            softmax_net(8, 4), images, z, squared_error, lr=factor * 2 * 4 / top, steps=3000, tol=0
        )
        assert (done.losses[-1] > done.losses[0]) == grows


@given(seed=seeds, **small, low_rank=st.booleans())
def test_t4_one_step(seed, d, k, low_rank):
    assume(d >= k)
    teacher = zero_sum(np.random.default_rng(seed), d, k, rank=max(1, k - 2) if low_rank else None)
    images = theory.one_step_images(teacher.parameters[0])
    after = descend(
        softmax_net(d, k), images, teacher.logits(images), squared_error, lr=1.0, steps=1
    ).network
    assert relative(theta_of(after), theta_of(teacher)) < 1e-12


def test_t4_the_full_svd_would_not_do(rng):
    teacher = zero_sum(rng, 8, 4)
    u, _, v = np.linalg.svd(teacher.parameters[0].T, full_matrices=False)
    images = 2 * u @ v
    after = descend(
        softmax_net(8, 4), images, teacher.logits(images), squared_error, lr=1.0, steps=1
    ).network
    assert relative(theta_of(after), theta_of(teacher)) > 1e-3


@given(seed=seeds, **small, n=st.integers(1, 6))
def test_t5_limit_from_a_random_start(seed, d, k, n):
    rng = np.random.default_rng(seed)
    teacher, start = (
        network_of(rng.normal(size=(d + 1, k))),
        network_of(rng.normal(size=(d + 1, k))),
    )
    images = rng.normal(size=(n, d))
    assume(np.divide(*theory.extreme_eigenvalues(images)) < 1e4)
    student = retrain(images, teacher.logits(images), student=start).network
    predicted = theory.descent_limit(images, theta_of(teacher), theta_of(start))
    assert np.abs(theta_of(student) - predicted).max() < 1e-8
    certified = certificate(images, teacher.logits(images), teacher, start=start)
    assert np.abs(theta_of(certified.student) - predicted).max() < 1e-9


@given(seed=seeds, d=st.integers(6, 12), k=st.integers(2, 5), scale=st.floats(0.5, 5))
def test_t6_a_teacher_that_is_not_zero_sum(seed, d, k, scale):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(d + 1, k))
    teacher = network_of(theta)
    images = scale * theta[:-1].T
    assume(np.linalg.cond(theory.augmented(images)) < 50)
    error = theory.descent_limit(images, theta) - theta
    assert np.abs(error - theory.nonzero_sum_error(theta[:-1], theta[-1], scale)).max() < 1e-10
    with_blank = np.vstack([images, np.zeros(d)])
    assert certificate(with_blank, teacher.logits(with_blank), teacher).exact == "parameters"
    assert certificate(images, teacher.logits(images), teacher).exact == "no"
    for objective in ("log_probability", "probability", "centred_logit"):
        images, _ = class_visualizations(teacher, objective=objective, steps=20, lr=0.1)
        assume(np.linalg.cond(images @ images.T + 1) < 1e6)
        certified = certificate(images, teacher.logits(images), teacher)
        assert certified.exact == "probabilities"
        x = rng.normal(size=(20, d))
        assert (
            np.abs(softmax(certified.student.logits(x)) - softmax(teacher.logits(x))).max() < 1e-9
        )
        pi = theory.laplacian_null_vector(images)
        assert (pi > 0).all() and np.abs(pi @ images).max() < 1e-12 * np.abs(images).max()


@given(
    seed=seeds,
    d=st.integers(1, 6),
    k=st.integers(2, 5),
    objective=st.sampled_from(["probability", "log_probability"]),
)
def test_t6_the_null_vector_is_unique_or_refused(seed, d, k, objective):
    """It is unique where K - 1 differences of the K columns are independent: in general where D >=
    K - 1.
    """
    teacher = network_of(np.random.default_rng(seed).normal(size=(d + 1, k)))
    images, _ = class_visualizations(teacher, objective=objective, steps=20, lr=0.1)
    if d < k - 1:
        with pytest.raises(
            ValueError, match=f"x: expected images of rank {k - 1} .*, got rank {d}"
        ):
            theory.laplacian_null_vector(images)
        return
    assume(np.linalg.svd(images, compute_uv=False)[: k - 1].min(initial=1) > 1e-6)
    pi = theory.laplacian_null_vector(images)
    assert pi.shape == (k,) and (pi > 0).all() and pi.sum() == pytest.approx(1)
    assert np.abs(pi @ images).max() < 1e-12 * (1 + np.abs(images).max())


@pytest.mark.parametrize(
    "x", [np.eye(3), np.array([[1.0], [2.0]]), np.array([[1.0], [1.0]]), np.zeros((3, 4))]
)
def test_t6_images_without_one_positive_null_vector_are_refused(x):
    """Full rank; weights of mixed sign; weights that sum to zero; any weights."""
    with pytest.raises(
        ValueError, match=f"x: expected images of rank {len(x) - 1} that positive weights sum to 0"
    ):
        theory.laplacian_null_vector(x)


@given(seed=seeds, n=st.integers(1, 5))
def test_t8_gradient_of_a_hidden_layer(seed, n):
    rng = np.random.default_rng(seed)
    net, x = one_hidden_net(7, 6, 3, rng=rng), rng.normal(size=(n, 7))
    classes = rng.integers(0, 3, n)
    by_loops = [
        [
            sum(
                net.layers[0].w[i, j]
                * (x[m] @ net.layers[0].w[:, j] > 0)
                * net.layers[2].w[j, classes[m]]
                for j in range(6)
            )
            for i in range(7)
        ]
        for m in range(n)
    ]
    assert np.allclose(theory.hidden_gradient(net, x, classes), by_loops, rtol=1e-12, atol=1e-14)


@given(seed=seeds, n=st.integers(1, 6), steps=st.integers(0, 60), repeated=st.booleans())
def test_t9_closed_form_in_t(seed, n, steps, repeated):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    if repeated:
        x = np.vstack([x, x[:1]])  # a zero eigenvalue of G
    target, start = rng.normal(size=(len(x), 3)), network_of(rng.normal(size=(6, 3)))
    lr = theory.best_lr(x)[0]
    done = retrain(x, target, student=start, lr=lr, steps=steps, tol=0).network
    predicted = theory.descent_after(x, target, lr=lr, steps=steps, start=theta_of(start))
    assert np.abs(theta_of(done) - predicted).max() < 1e-11 * (1 + np.abs(predicted).max())


@given(seed=seeds, k=st.integers(2, 6))
def test_t11_high_temperature(seed, k):
    rng = np.random.default_rng(seed)
    z, t = rng.normal(size=(2, 4, k))
    limit = theory.high_temperature_gradient(z, t)
    errors = [
        np.abs(s**2 * z.size * distillation(z, t, temperature=s)[1] - limit).max()
        for s in (1e2, 1e4)
    ]
    assert errors[0] < 0.2 and errors[1] < errors[0] / 50


def test_the_certificate_says_why_not(rng):
    teacher = zero_sum(rng, 9, 3)
    images = teacher.parameters[0].T
    z = teacher.logits(images)
    nine = certificate(images[:2], z[:2], teacher)
    assert (
        nine.exact == "no"
        and nine.rank == 2
        and "null space of 8 directions" in nine.reason
        and nine.missing > 0.1
    )
    hard = certificate(images, np.eye(3), teacher)
    assert hard.exact == "no" and "not the teacher's logits" in hard.reason and hard.misfit > 0.1
    far = certificate(images, z, teacher, start=network_of(rng.normal(size=(10, 3))))
    assert far.exact == "no"


def test_the_certificate_of_a_teacher_that_is_zero():
    images = np.array([[1.0, 2.0]])
    found = certificate(images, np.zeros((1, 3)), network_of(np.zeros((3, 3))))
    assert (
        found.exact == "parameters"
        and found.missing == found.misfit == 0
        and not theta_of(found.student).any()
    )


def test_the_certificate_predicts_the_accuracy(digits, teacher):
    images = digits.train_x[:20].astype(float)
    predicted = certificate(images, teacher.logits(images), teacher).student
    student = retrain(images, teacher.logits(images)).network
    assert np.array_equal(predicted.predict(digits.test_x), student.predict(digits.test_x))


@pytest.mark.parametrize(
    "images, targets, message",
    [
        (
            np.zeros((0, 9)),
            np.zeros((0, 3)),
            r"images: expected shape \(N, 9\) with N > 0, got \(0, 9\)",
        ),
        (np.zeros((2, 8)), np.zeros((2, 3)), r"images: expected shape \(N, 9\)"),
        (np.zeros((2, 9)), np.zeros((2, 4)), r"targets: expected shape \(2, 3\), got \(2, 4\)"),
    ],
)
def test_bad_arguments(rng, images, targets, message):
    with pytest.raises(ValueError, match=message):
        certificate(images, targets, zero_sum(rng, 9, 3))


def test_a_hidden_layer_is_no_linear_network(rng):
    with pytest.raises(
        ValueError, match=r"network: expected one Affine layer, got \['Affine', 'ReLU', 'Affine'\]"
    ):
        theta_of(one_hidden_net(4, 3, 2, rng=rng))
