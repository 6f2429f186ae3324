"""Networks trained together are the networks trained alone."""

from functools import partial

import numpy as np
import pytest

from refimpl.ensemble import train_together
from refimpl.layers import ReLU, Sigmoid, Tanh
from refimpl.network import one_hidden_net, softmax_net
from refimpl.optimize import momentum, sgd
from refimpl.train import train


@pytest.mark.parametrize("activation", [ReLU(), Sigmoid(), Tanh()])
@pytest.mark.parametrize("update", [sgd, partial(momentum, beta=0.5)])
def test_each_is_what_it_would_be_alone(activation, update):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 7)), rng.integers(0, 3, 60)
    starts = [one_hidden_net(7, 5, 3, rng=np.random.default_rng(s), activation=activation) for s in range(4)]
    how = {"steps": 30, "lr": 0.3, "batch": 20, "update": update}
    together, losses = train_together(starts, x, y, rng=np.random.default_rng(9), **how)
    for i, (start, net) in enumerate(zip(starts, together)):
        alone, own = train(start, x, y, rng=np.random.default_rng(9), **how)
        assert np.allclose(losses[:, i], own, rtol=1e-11)
        for a, b in zip(alone.parameters, net.parameters):
            assert np.allclose(a, b, rtol=0, atol=1e-12)
    assert not np.allclose(together[0].parameters[0], together[1].parameters[0])


def test_precision_is_kept_and_bad_input_named():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 7)), rng.integers(0, 3, 60)
    nets = [one_hidden_net(7, 5, 3, rng=rng, dtype=np.float32) for _ in range(2)]
    done, _ = train_together(nets, x, y, steps=2, lr=0.1, batch=10, rng=rng)
    assert {p.dtype for net in done for p in net.parameters} == {np.dtype(np.float32)}
    for bad in ([], [softmax_net(7, 3)], [nets[0], one_hidden_net(7, 4, 3, rng=rng)]):
        with pytest.raises(ValueError, match="networks"):
            train_together(bad, x, y, steps=1, lr=0.1, rng=rng)
    with pytest.raises(ValueError, match="batch"):
        train_together(nets, x, y, steps=1, lr=0.1, batch=61, rng=rng)
    with pytest.raises(FloatingPointError, match="lr"), np.errstate(all="ignore"):
        train_together(nets, x, y, steps=50, lr=1e30, batch=10, rng=rng)
