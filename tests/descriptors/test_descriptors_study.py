"""The slides' experiments on data so small that they run at once: what is held out, the retraining,
what is refused.
"""

import numpy as np
import pytest

from refimpl.companions.cnn import recipes as cnn_training
from refimpl.companions.cnn.epochs import start
from refimpl.companions.descriptors import study as slides
from refimpl.ledger.judge import judge
from refimpl.network import one_hidden_net, softmax_net
from refimpl.paper.tiny import tiny


def test_what_is_held_out_is_every_image_of_the_class():
    data = tiny(100)
    x, y, own = slides.held_out(data, 3)
    assert 3 not in y and len(x) + len(own) == 100
    assert np.array_equal(
        own, [image for image, label in zip(data.train_x, data.train_y) if label == 3]
    )


def test_retraining_on_a_class_makes_it_likelier(rng):
    """Ten steps of Adam along gradients that keep their signs: every weight moves by 10 lr."""
    w, b = slides.retrain_on_class(
        softmax_net(16, 10), tiny(100).train_x[3::10], 3, rng=rng
    ).parameters
    signs = np.where(np.arange(10) == 3, 1, -1)
    assert np.allclose(w, 1e-2 * signs, rtol=0.01) and np.allclose(b, 1e-2 * signs, rtol=0.01)


@pytest.mark.parametrize(
    "own, others, message",
    [
        (9, 4, "own: expected at least 10 images .n . 6., got 9"),
        (10, 3, "others: expected at least 4 images, got 3"),
    ],
)
def test_too_few_images_to_look_again(own, others, message):
    with pytest.raises(ValueError, match=message):
        slides.look_again(
            softmax_net(4, 10), np.zeros((own, 4)), np.zeros((others, 4)), (1, 2, 2), 3, n=4, seed=0
        )


def test_only_a_missing_gradient_leaves_the_pictures_as_they_began(rng):
    """Whatever else the ascent refuses is said."""
    network, images = softmax_net(16, 10, rng=rng, sigma=0.1), rng.random((12, 16))
    with pytest.raises(ValueError, match="steps: expected a whole number >= 0, got -1"):
        slides.look_again(network, images, images, (1, 4, 4), 3, n=4, seed=0, steps=-1)


def test_a_run_without_an_epoch_has_nothing_to_report():
    with pytest.raises(ValueError, match="state: expected a run of at least one epoch"):
        cnn_training.measure(start(softmax_net(16, 10)), tiny(), tiny())


def test_tiled_batches_of_32_and_of_128_have_one_gradient(rng, monkeypatch):
    """Sixteen images, twice or eight times: Adam takes the same ten steps, but for round-off."""
    network = one_hidden_net(20, 5, 3, rng=rng)
    images, found = rng.normal(size=(16, 20)), []
    for batch in (32, 128):
        monkeypatch.setattr(slides, "BATCH", batch)
        found.append(slides.retrain_on_class(network, images, 1, rng=np.random.default_rng(0)))
    for one, other in zip(*(net.parameters for net in found)):
        assert np.abs(one - other).max() < 1e-9


def test_more_images_than_a_batch_are_all_used(rng):
    """Forty images fill two batches an epoch: the last of them moves the network."""
    network, images = one_hidden_net(20, 5, 3, rng=rng), rng.normal(size=(40, 20))
    other = images.copy()
    other[36:] *= 5
    one, two = (
        slides.retrain_on_class(network, x, 1, rng=np.random.default_rng(0))
        for x in (images, other)
    )
    assert np.abs(one.parameters[0] - two.parameters[0]).max() > 1e-6


def test_table_3s_medians_are_claims():
    rows = {claim.id: claim for claim in slides.claims("cifar10")}
    prefix = "slides/cifar10/conv/probability"
    medians = [rows[f"{prefix}/{when}/bag_of_words/median"] for when in ("before", "after")]
    assert [claim.paper for claim in medians] == [0.050, 0.090]
    assert rows["slides/cifar10/vonc/probability/after/bag_of_words/median"].paper is None
    runs = [0.05] * 50
    found = judge({medians[0].id: slides.medians(runs)}, [medians[0]])
    assert found[0]["ours"]["n"] == 5 and found[0]["verdict"] == "reproduced"
    few = judge({medians[0].id: slides.medians(runs[:20])}, [medians[0]])
    assert few[0]["verdict"] == "too few seeds" and slides.medians(runs[:9]) == []
