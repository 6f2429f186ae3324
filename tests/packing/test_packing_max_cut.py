"""Max-cut behind the four functions: gradients by complex step, decoding that ends in a local
optimum, exact answers by definition, and who beats whom.
"""

from itertools import product

import numpy as np
import pytest
from numeric import assert_gradient

from refimpl.companions.packing.thesis import max_cut, max_cut_study
from refimpl.companions.packing.thesis.max_cut import score_cut, score_network
from refimpl.network import one_hidden_net


def cut_by_definition(a, s):
    n = len(a)
    return sum(a[i, j] for i in range(n) for j in range(i) if s[i] * s[j] < 0)


def test_cuts_and_the_exact_answer_by_definition(rng):
    for n in (1, 2, 7, 9):
        a = max_cut.draw(n, rng, degree=min(4, n / 2)) if n > 1 else np.zeros((1, 1))
        every = np.array(list(product([-1.0, 1.0], repeat=n)))
        counted = [cut_by_definition(a, s) for s in every]
        assert np.allclose(max_cut.cuts(a, every), counted)
        assert max_cut.exact(a) == max(counted)
    with pytest.raises(ValueError, match="at most 20 vertices, got 21"):
        max_cut.exact(np.zeros((21, 21)))


@pytest.mark.parametrize("kind", ["closed form", "learned"])
def test_gradient_of_the_scores(rng, kind):
    a, s, dv = max_cut.draw(9, rng, degree=4), rng.uniform(-1, 1, (2, 9)), rng.normal(size=2)
    network = one_hidden_net(2, 5, 1, rng=rng)
    network = network.with_parameters([p + 0.1 for p in network.parameters])
    score = score_cut if kind == "closed form" else score_network(network)
    assert_gradient(lambda s: dv @ score(a, s)[0], s, dv[:, None] * score(a, s)[1], scale=10.0)
    with pytest.raises(AssertionError):
        assert_gradient(lambda s: dv @ score(a, s)[0], s, dv[:, None] * score(a, s)[1] * 1.001)


def test_decoding_ends_where_no_single_change_helps(rng):
    a = max_cut.draw(30, rng)
    z = rng.standard_normal((5, 30))
    s = max_cut.decode(a, z)
    assert (((s @ a) * s) <= 0).all()
    assert (max_cut.cuts(a, s) >= max_cut.cuts(a, np.where(z >= 0, 1.0, -1.0))).all()


def test_tabu_returns_the_best_it_met(rng):
    for _ in range(5):
        a = max_cut.draw(14, rng, degree=5)
        s = np.where(rng.random(14) < 0.5, -1.0, 1.0)
        found = max_cut.tabu(a, s, rng, steps=400)
        assert max_cut.cuts(a, found[None])[0] == max_cut.exact(a)
        assert np.array_equal(max_cut.tabu(a, s, rng, steps=0), s)


def test_ascending_helps_and_tabu_helps_more():
    graphs = [max_cut.draw(60, np.random.default_rng([3, i])) for i in range(12)]
    means = {}
    for steps in (0, max_cut.STEPS):
        way = score_cut, steps, max_cut.LR_CUT
        found = [max_cut_study.one_try(way, a, 8, np.random.default_rng(0)) for a in graphs]
        means[steps] = np.mean(found)
    signs = np.ones(60)
    best = [max_cut.tabu(a, signs, np.random.default_rng(0), steps=600) for a in graphs]
    tabu = np.mean([max_cut.cuts(a, s[None])[0] for a, s in zip(graphs, best)])
    assert means[0] + 1 < means[max_cut.STEPS] < tabu


def test_the_study_in_small(monkeypatch):
    monkeypatch.setattr(max_cut_study, "GRAPHS", 3)
    monkeypatch.setattr(max_cut_study, "SMALL", 2)
    monkeypatch.setattr(max_cut_study, "NETWORKS", 2)
    monkeypatch.setattr(max_cut.train, "__kwdefaults__", {"graphs": 3, "steps": 5, "lr": 0.01})
    said, values = max_cut_study.run(lambda text: None)
    assert len(values["ways"]) == 5 and list(values["gaps"])[-1] == "tabu"
    assert all(row == sorted(row, reverse=True) for row in values["gaps"].values())
    assert any("untrained, network 1" in line for line in said)
