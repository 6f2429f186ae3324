"""Knapsack behind the four functions: the exact answer by trying all, the gradient by complex step,
ascended or not.
"""

from itertools import product

import numpy as np
import pytest
from numeric import assert_gradient

from refimpl.companions.packing.thesis import knapsack
from refimpl.network import one_hidden_net


@pytest.mark.parametrize("seed", range(20))
def test_the_exact_answer_is_that_of_all_subsets(seed):
    rng = np.random.default_rng(seed)
    items, capacity = rng.integers(1, 12, (int(rng.integers(1, 9)), 2)), int(rng.integers(0, 40))
    subsets = np.array(list(product([0, 1], repeat=len(items))))
    values, weights = (subsets @ items).T
    assert knapsack.exact(items, capacity) == values[weights <= capacity].max()


def test_the_scaling_is_dantzigs_bound():
    items = np.array([[6, 3], [4, 4], [9, 3]])
    assert np.allclose(
        knapsack.scaled(items, 8) * [9 + 6 + 2, 8], items
    )  # half of the item with ratio 1
    assert np.allclose(knapsack.scaled(items, 100) * [19, 100], items)


def test_gradient_of_the_score(rng):
    network, sizes, dv = (
        one_hidden_net(2, 5, 1, rng=rng),
        rng.uniform(0, 0.3, (6, 2)),
        rng.normal(size=2),
    )
    a = rng.uniform(size=(2, 6))
    assert_gradient(
        lambda a: dv @ knapsack.score(network, sizes, a)[0],
        a,
        dv[:, None] * knapsack.score(network, sizes, a)[1],
    )
    z = rng.normal(size=(2, 6))
    step = (knapsack.visualize(network, sizes, z, steps=1, lr=1e-3) - z) / 1e-3
    assert_gradient(
        lambda z: knapsack.score(network, sizes, knapsack.relax(z))[0].sum(),
        z,
        step,
        rtol=1e-9,
        atol=1e-12,
    )


def test_ascended_beats_un_ascended_and_is_near_the_optimum(rng):
    network = knapsack.train(np.random.default_rng(0))
    share = {0: [], 30: []}
    for _ in range(12):
        items, capacity = knapsack.draw(rng)
        sizes, z, best = (
            knapsack.scaled(items, capacity),
            rng.normal(0, 0.1, (4, 30)),
            knapsack.exact(items, capacity),
        )
        for steps, found in share.items():
            for a in knapsack.relax(knapsack.visualize(network, sizes, z, steps=steps)):
                taken = knapsack.decode(items, capacity, a)
                room = capacity - items[taken, 1].sum()
                assert room >= 0 and (items[~taken, 1] > room).all()
                found.append(items[taken, 0].sum() / best)
    assert max(map(max, share.values())) <= 1
    assert np.mean(share[0]) < 0.8 and np.mean(share[30]) > 0.97
