"""Evaluating 10,000 images of 784 pixels with a shallow teacher and with 784-30-10, beside the
matrix products alone.
"""

import numpy as np

from benchmarks.timing import compare, least_seconds, peer, report, within
from benchmarks.training_peers import torch_model
from refimpl.network import one_hidden_net, softmax_net


def naive(network, x, y):
    """Image by image."""
    return float(
        np.mean([network.forward(row[None])[0].argmax() == label for row, label in zip(x, y)])
    )


def main(quick=False):
    rng, n = np.random.default_rng(0), 500 if quick else 10_000
    x, y = rng.random((n, 784), dtype=np.float32), rng.integers(0, 10, n)
    shallow = softmax_net(784, 10, rng=rng, sigma=0.1, dtype=np.float32)
    for name, network in (
        ("784-10", shallow),
        ("784-30-10", one_hidden_net(784, 30, 10, rng=rng, dtype=np.float32)),
    ):
        matrices = [p for p in network.parameters if p.ndim == 2]
        pairs = list(zip([x, *(np.zeros((n, len(w)), np.float32) for w in matrices[1:])], matrices))

        def ours(network=network):
            return float((network.predict(x) == y).mean())

        def products(pairs=pairs):
            for h, w in pairs:
                h @ w

        assert naive(network, x[:500], y[:500]) == float(
            (network.predict(x[:500]) == y[:500]).mean()
        )
        calls = {"ours": ours, "the matrix products alone": products}
        if torch := peer("torch"):
            model, xt, yt = (
                torch_model(torch, network, 0.1)[0],
                torch.from_numpy(x),
                torch.from_numpy(y),
            )

            def theirs(torch=torch, model=model, xt=xt, yt=yt):
                with torch.no_grad():
                    return float((model(xt).argmax(1) == yt).double().mean())

            assert abs(theirs() - ours()) <= 2 / n  # float32: near ties may fall either way
            calls["torch"] = theirs
        calls["naive: image by image"] = lambda network=network: naive(network, x, y)
        report(
            f"accuracy of {name} on {n} images",
            compare(calls, repeats=3 if quick else 9),
            [within("ours", "the matrix products alone", 1.2)],
            least=least_seconds(2 * n * sum(w.size for w in matrices), x.nbytes),
        )
