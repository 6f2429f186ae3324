"""The thesis: gradients by complex step, feasible decoding, training that learns, the command."""

import json

import numpy as np
import pytest
from numeric import assert_gradient

from refimpl.companions.packing import command as pack_command
from refimpl.companions.packing.checker import violations
from refimpl.companions.packing.instances import CLASSES, fresh
from refimpl.companions.packing.thesis import assignment, attempts, repack, scorer, training
from refimpl.companions.packing.thesis import study as pack_thesis
from refimpl.companions.packing.thesis.assignment import (
    blank,
    decode,
    objective,
    proposer,
    relax,
    score,
)
from refimpl.companions.packing.thesis.partial import Partial
from refimpl.companions.packing.thesis.wishes import (
    AHEAD,
    closed_form,
    fit_linear_rule,
    read_forward,
)
from refimpl.network import Network


def a_scorer(rng):
    """float64, with biases away from 0."""
    net = scorer.new_scorer(rng).astype(np.float64)
    return net.with_parameters([p + 0.1 * rng.normal(size=p.shape) for p in net.parameters])


def a_state(rng, k=3, placed=4, kind=10, net=None):
    """Two packings of nine items in progress, by random choices; everything in float64."""
    items = fresh(kind, 9, 5).items
    partial = Partial(np.stack([items[rng.permutation(9)] for _ in range(2)]), (100, 100), k, net)
    for _ in range(placed):
        waste, slots = partial.options()
        partial.put(rng.normal(size=(2, k)) - waste, slots)
    return partial, partial.f.astype(np.float64), partial.u.astype(np.float64)


def full(bins, positions, items, bin_size):
    """Violations of what is placed."""
    inside = bins >= 0
    _, numbered = np.unique(bins[inside], return_inverse=True)
    return violations(items[inside], bin_size, numbered, positions[inside], items[inside])


@pytest.mark.parametrize("seed", range(3))
def test_gradient_of_shares_and_every_parameter(seed):
    rng = np.random.default_rng(seed)
    net = a_scorer(rng)
    partial, f, u = a_state(rng)
    a, dz, base = (
        relax(rng.normal(size=(2, 9, 3)), partial.allowed),
        rng.normal(size=(2, 3)),
        rng.normal(size=(2, 3, 52)),
    )

    def value(a, net=net):
        return (dz * scorer.forward(net, scorer.embed(net, f)[0], u, a, base)[0]).sum()

    g, embedded = scorer.embed(net, f)
    _, cache = scorer.forward(net, g, u, a, base)
    da, dg, head = scorer.backward(net, dz, cache)
    scale = np.abs(dz).sum() * max(np.abs(p).max() for p in net.parameters) * np.abs(g).sum()
    assert_gradient(value, a, da, scale=scale)
    with pytest.raises(AssertionError):
        assert_gradient(value, a, da * (1 + 1e-6), scale=scale)
    for i, (p, gradient) in enumerate(
        zip(net.parameters, (*scorer.embed_backward(net, dg(), embedded), *head))
    ):
        for j in rng.choice(p.size, min(p.size, 25), replace=False):
            e = np.zeros(p.shape)
            e.flat[j] = 1
            other = [q + 1e-20j * e if i == m else q for m, q in enumerate(net.parameters)]
            numeric = value(a, net.with_parameters(other)).imag / 1e-20
            assert abs(gradient.flat[j] - numeric) <= 1e-12 * abs(numeric) + 1e-14 * scale, (i, j)


@pytest.mark.parametrize("placed", [0, 4, 8])
def test_gradient_of_the_ascents_objective(rng, placed):
    net = a_scorer(rng)
    partial, f, u = a_state(rng, placed=placed)
    g, allowed, weights, z = (
        scorer.embed(net, f)[0],
        partial.allowed,
        rng.normal(size=2),
        rng.normal(size=(2, 9, 3)),
    )
    of = objective(net, g, u, allowed)
    assert_gradient(
        lambda z: weights @ of(z, 0)[0], z, weights[:, None, None] * of(z, 0)[1], scale=100.0
    )
    alone = objective(net, g[1:], u[1:], allowed[1:])(z[1:], 0)  # tries do not mix
    assert np.allclose(alone[0], of(z, 0)[0][1:], rtol=1e-12) and np.allclose(
        alone[1], of(z, 0)[1][1:], atol=1e-12
    )


def test_the_sum_of_decided_items_stands_for_their_rows(rng):
    net = a_scorer(rng)
    partial, f, u = a_state(rng, net=net)
    at, z = partial.at, rng.normal(size=(2, 9, 3))
    rows = objective(net, scorer.embed(net, f)[0], u, partial.allowed)(z, 0)
    summed = objective(net, partial.g[:, :, at:], partial.u, partial.allowed[:, at:], partial.base)(
        z[:, at:], 0
    )
    assert np.allclose(rows[0], summed[0], rtol=1e-5) and np.allclose(
        rows[1][:, at:], summed[1], atol=1e-5
    )
    assert not rows[1][:, :at].any()


def test_log_sigmoid_at_any_size():
    z = np.array([-1e4, -30.0, 0.0, 30.0, 1e4])
    values, slope = scorer.log_sigmoid(z)
    assert np.allclose(
        values, [-1e4, -30 - np.exp(-30), -np.log(2), -np.exp(-30), 0], rtol=1e-15, atol=1e-25
    )
    assert np.allclose(slope, [1, 1, 0.5, np.exp(-30), 0], rtol=1e-12)
    assert_gradient(lambda z: scorer.log_sigmoid(z)[0].sum(), z[1:4], slope[1:4])


@pytest.mark.parametrize("eps", [1.0, 0.3])
def test_gradient_of_training(rng, eps):
    net = a_scorer(rng)
    partial, f, u = a_state(rng)
    at, q, waste = np.full(2, partial.at), rng.uniform(size=(2, 3)), rng.uniform(0, 0.2, (2, 3))
    assert partial.allowed[:, partial.at].sum(axis=1).max() > 1

    def value(net):
        return training.choice(net, f, u, partial.allowed, at, q, waste, eps=eps)

    gradients = value(net)[2]
    for i, p in enumerate(net.parameters):
        direction = rng.normal(size=p.shape)
        other = [v + 1e-20j * direction if i == m else v for m, v in enumerate(net.parameters)]
        numeric = value(net.with_parameters(other))[0].imag / 1e-20
        assert abs((gradients[i] * direction).sum() - numeric) <= 1e-10 * max(1e-3, abs(numeric)), i


@pytest.mark.parametrize("eps", [1.0, 0.3])
def test_choice_scores_the_candidates_one_by_one(rng, eps):
    """The two passes with and without the item equal k passes over written-out candidates."""
    net = a_scorer(rng)
    partial, f, u = a_state(rng)
    at, rows = np.full(2, partial.at), np.arange(2)
    q, waste, values = (
        rng.uniform(size=(2, 3)),
        rng.uniform(0, 0.2, (2, 3)),
        np.full((2, 3), -np.inf),
    )
    even = relax(np.zeros((2, 9, 3)), partial.allowed)
    for b in range(3):
        a = even.copy()
        a[rows, at] = (1 - eps) * a[rows, at] + eps * np.eye(3)[b]
        fits = partial.allowed[rows, at, b]
        values[fits, b] = score(net, scorer.embed(net, f)[0], u, a)[0][fits]
    pi = np.exp(
        training.SCALE / eps * (values - values.max(axis=1, keepdims=True)) - assignment.FIT * waste
    )
    expected = (pi / pi.sum(axis=1, keepdims=True) * q).sum(axis=1).mean()
    assert np.isclose(
        training.choice(net, f, u, partial.allowed, at, q, waste, eps=eps)[0], expected, rtol=1e-10
    )


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("kind", CLASSES)
def test_decoding_is_always_feasible(kind, steps):
    instance, rng = fresh(kind, 15, 1), np.random.default_rng(kind)
    found = decode(a_scorer(rng), instance.items, instance.bin, 3, tries=2, rng=rng, steps=steps)
    area = instance.items.prod(axis=1)
    for bins, positions, over in zip(found.bins, found.positions, found.overflow):
        assert not full(bins, positions, instance.items, instance.bin)
        assert np.isclose(over, area[bins < 0].sum() / np.prod(instance.bin)) and bins.max() < 3


def test_decoding_repeats_and_keeps_the_shares_it_is_asked_for(rng):
    net, instance = a_scorer(rng), fresh(10, 12, 1)
    one, two = (
        decode(
            net,
            instance.items,
            instance.bin,
            2,
            tries=2,
            rng=np.random.default_rng(4),
            keep=(0, 6, 12),
        )
        for _ in range(2)
    )
    assert np.array_equal(one.positions, two.positions) and len(one.shares) == 3
    for a in one.shares:
        assert a.shape == (2, 12, 2) and np.isin(a.sum(axis=2).round(5), (0, 1)).all()
    assert np.array_equal(
        np.where(one.shares[2].any(axis=2), one.shares[2].argmax(axis=2), -1), one.bins
    )
    none = decode(net, np.zeros((0, 2), int), (5, 5), 2, tries=3, rng=rng)
    assert none.bins.shape == (3, 0) and not none.overflow.any()


def test_padding_changes_nothing(rng):
    items = np.zeros((2, 14, 2), np.int64)
    items[0, :9], items[1] = fresh(9, 9, 2).items, fresh(8, 14, 2).items
    for steps in (0, 2):
        found = [
            assignment.decode_sequences(
                scorer.trained(), rows, (100, 100), 4, rng=rng, noise=0, steps=steps
            )
            for rows in (items, items[:1, :9], items[1:])
        ]
        assert np.array_equal(found[0].bins[0, :9], found[1].bins[0])
        assert np.array_equal(found[0].bins[1], found[2].bins[0])


def test_the_engine_gets_bins_in_both_forms(rng):
    items = fresh(4, 20, 1).items
    for steps in (0, 1):
        bins = proposer((100, 100), steps=steps)(items, 3, np.random.default_rng(0), 5)
        assert (
            bins.shape == (5, 20) and bins.dtype.kind == "i" and bins.min() >= -1 and bins.max() < 3
        )
        assert np.array_equal(
            bins, proposer((100, 100), steps=steps)(items, 3, np.random.default_rng(0), 5)
        )


def test_the_ascent_climbs_and_sharpens(rng):
    net = a_scorer(rng).astype(np.float32)
    partial, _, _ = a_state(rng, net=net)
    z = blank(partial, rng, 0.02)
    of = objective(net, partial.g[:, :, 4:], partial.u, partial.allowed[:, 4:], partial.base)
    values = assignment.ascend(of, z, steps=20, lr=0.1)[1]
    assert (np.diff(values, axis=0) > 0).all()
    free = partial.allowed[:, 4:].sum(axis=2) > 1
    before, after = (
        assignment.visualize(partial, z, steps=0),
        assignment.visualize(partial, z, steps=20, lr=1.0),
    )
    assert after.max(axis=2)[free].mean() > before.max(axis=2)[free].mean() + 0.01
    with pytest.raises(ValueError, match="steps: expected 0 for a Partial without a scorer, got 2"):
        assignment.visualize(a_state(rng)[0], z, steps=2)


def state_of(items, choices, k):
    partial = Partial(np.array([items]), (4, 4), k)
    for b in choices:
        _, slots = partial.options()
        partial.put(np.where(np.arange(k) == b, 0.0, -np.inf)[None], slots)
    return partial


@pytest.mark.parametrize(
    "items, choices, k, expected",
    [
        (
            [[4, 2], [3, 2], [1, 2], [4, 2], [4, 2]],
            [0, 1],
            2,
            [0, 1],
        ),  # 1 x 2 belongs beside 3 x 2, not on 4 x 2
        ([[3, 2], [1, 2], [4, 2], [4, 4], [4, 4]], [1], 3, [0, 1, 0]),
        ([[4, 4], [1, 2], [3, 2], [4, 2]], [0], 3, [0, 1, 1]),
        ([[4, 2], [4, 2], [4, 2], [4, 4]], [0], 3, [1, 1, 1]),
        ([[4, 2], [4, 2], [4, 4], [4, 4]], [0], 3, [1, 0, 0]),
    ],
)
def test_values_of_states_made_by_hand(rng, items, choices, k, expected):
    partial = state_of(items, choices, k)
    waste, slots = partial.options()
    assert training.values(partial, np.array([0]), waste, slots, rng, 8)[0].tolist() == expected


def test_training_learns_a_choice():
    rng = np.random.default_rng(0)
    rows = training.examples(repack.full_bins(40, 3, 1_000), 3, rng)
    assert len(rows) >= 8 and all(
        q[~allowed[at]].max(initial=0) == 0 for _, _, allowed, at, q, _ in rows
    )
    _, history = training.train(scorer.new_scorer(rng), rows, rng, epochs=40)
    assert history[-1, 0] > history[0, 0] + 0.05


def test_the_closed_form_decides_as_the_three_steps(rng):
    """From the blank, without noise: the same bin in nearly every state."""
    same = []
    for seed in range(30):
        items = fresh(CLASSES[seed % 10], 12, seed).items
        size = fresh(CLASSES[seed % 10], 12, seed).bin
        partial = Partial(items[None], size, 4, scorer.trained())
        for _ in range(12):
            steps = assignment.visualize(partial, blank(partial, rng, 0.0))[:, 0]
            waste, slots = partial.options()
            one, other = np.log(steps + 1e-12) - waste, closed_form(partial) - waste
            if np.isfinite(waste).sum() > 1:
                same.append(one.argmax() == other.argmax())
            partial.put(one, slots)
    assert len(same) > 100 and np.mean(same) > 0.9


def test_the_forward_wish_is_the_difference_of_two_scores(rng):
    """Bin by bin, written out: the item wholly in it, and nowhere."""
    net = a_scorer(rng).astype(np.float32)
    partial, _, _ = a_state(rng, net=net)
    wish, at = read_forward(partial), partial.at
    even = relax(np.zeros((2, 9 - at, 3)), partial.allowed[:, at:])
    for b in range(3):
        found = []
        for share in (0, 1):
            a = even.copy()
            a[:, 0] = 0
            a[:, 0, b] = share
            g = partial.g[:, :, at:]
            found.append(score(net, g, partial.u, a, partial.base)[0])
        assert np.allclose(5 * (found[1] - found[0]), wish[:, b], rtol=1e-4, atol=1e-4)


def test_the_linear_rule_climbs_its_objective(rng):
    """The fitted weights choose better on the states that they were fitted to, and the gradient is
    the objective's by a difference quotient.
    """
    rows = training.examples(repack.full_bins(12, 3, 1_000), 3, rng)

    def success(weights):
        reached = []
        for f, _, allowed, at, q, waste in rows:
            logits = f[:, at, AHEAD] @ weights - assignment.FIT * waste
            p = np.where(allowed[at], np.exp(logits - logits.max()), 0)
            reached.append((p / p.sum()) @ q)
        return np.mean(reached)

    assert success(fit_linear_rule(rows)) > success(np.zeros(9)) + 0.02


def test_full_bins_go_into_k_and_the_ways_report_the_same_sets(rng):
    sets = repack.full_bins(4, 3, 700)
    for items, bin_size in sets:
        assert items.prod(axis=1).sum() <= 3 * bin_size[0] * bin_size[1]
    rows = repack.compare(a_scorer(rng), sets, 3, tries=2)
    assert set(rows) == set(repack.WAYS)
    for row in rows.values():
        assert row["success"].shape == row["any"].shape == (4,)
        assert (
            np.array_equal(row["success"] == 1, row["overflow"] == 0)
            and (row["any"] >= row["success"]).all()
        )
    with pytest.raises(ValueError, match="too few full bins for k = 99"):
        repack.full_bins(1, 99, 0)


def test_ascended_beats_its_twin_on_development_sets():
    """The claim in small; `pack --thesis` tests it on fresh instances."""
    rows = repack.compare(
        scorer.trained(), repack.full_bins(16, 5, 0), 5, tries=4, ways=("un-ascended", "ascended")
    )
    assert rows["ascended"]["success"].mean() > rows["un-ascended"]["success"].mean() + 0.15
    assert rows["ascended"]["overflow"].mean() < 0.75 * rows["un-ascended"]["overflow"].mean()


def test_the_command_leaves_numbers_and_a_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pack_thesis, "FRESH", 500)
    monkeypatch.setattr(pack_thesis, "TRIES", 2)
    monkeypatch.setattr(pack_thesis, "FIT_ON", 8)
    monkeypatch.setattr(pack_thesis, "NETWORKS", 2)
    monkeypatch.setattr(pack_thesis, "TIMED", 2)
    monkeypatch.setattr(attempts, "LIMITS", (0.01, 0.02))
    some = {name: attempts.ways()[name] for name in (attempts.PLAIN, attempts.MANY)}
    monkeypatch.setattr(attempts, "ways", lambda: some)
    assert pack_command.run(["--thesis", "--sets", "4", "--out", str(tmp_path)]) == 0
    said, record = (
        capsys.readouterr().out,
        json.loads((tmp_path / "packing-thesis.json").read_text()),
    )
    assert (
        "k = 5: 4 fresh sets, 2 decodes each" in said
        and record["lines"] == said.splitlines()[: len(record["lines"])]
    )
    ways = record["values"]["5"]
    assert list(ways)[: len(repack.WAYS) + 1] == [*repack.WAYS, pack_thesis.LINEAR]
    assert len(ways) == len(repack.WAYS) + 1 + pack_thesis.NETWORKS
    assert list(record["values"]["8"]) == [*repack.WAYS]
    tried = record["values"]["attempts"]
    assert list(tried) == [*attempts.ways(), attempts.FIRST, attempts.RUIN]
    assert sum(line.strip().startswith(tuple(tried)) for line in record["lines"]) >= len(tried)
    assert all(len(v) == 4 for row in ways.values() for v in row.values())
    difference = np.mean(ways["ascended"]["success"]) - np.mean(ways["un-ascended"]["success"])
    assert f"ascended - un-ascended, success a try: {difference:+.4f}" in said
    assert [f["file"] for f in record["figures"]] == [p.name for p in tmp_path.glob("*.png")]


def test_parameters_survive_the_file(tmp_path, rng):
    net = scorer.new_scorer(rng)
    scorer.save(net, tmp_path / "own.npz")
    assert all(
        np.array_equal(p, q)
        for p, q in zip(net.parameters, scorer.load(tmp_path / "own.npz").parameters)
    )
    scorer.save(scorer.Scorer(net.embed, Network(net.head.layers[:1])), tmp_path / "own.npz")
    with pytest.raises(ValueError, match="expected a scorer's parameters"):
        scorer.load(tmp_path / "own.npz")
    assert sum(p.size for p in scorer.trained().parameters) == 4513
