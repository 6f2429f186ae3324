"""The generator gives the published files bit for bit; fresh instances follow the same laws; bad
sizes are named.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from refimpl.companions.packing.instances import (
    CLASSES,
    SIZES,
    TYPES,
    benchmark,
    bin_of,
    fresh,
)

FILES = Path(
    os.environ.get(
        "REFIMPL_PACKING", Path(__file__).parents[3] / "shared" / "packing" / "instances"
    )
)
DIGESTS = dict(
    zip(
        CLASSES,
        """
77ec54be5a6c26e90e3f2844db070e510abd039dd0e99d9c7c0be7e9a3bd93a2
7b254f6bf8cc035f4c8fa6ae4fe5a951e9fa0ed48a8fda280f4008ab34ed8c86
03277b9c71be48131b3ee884b0c3e866d9d5aa44929fec51b1bf2a6b08c7731e
74a11a9123c4665a43b2514229b206f5e8b1a18c3b02677dc9e4766148b17552
9a1c8b7c36a87228b65639d376140e47c5c4d11b164bad5a381ef4d478991d39
fb6d1e1b323800000109633b5448627a8766e35a236e58f7caaa662d9e360b16
5881c944e33f69ab55bde6b94c715b555e09c43222bf4056ac9dfeb611303685
1d7172e61f2a4bd99bd64d66660456f13cd255ba06c877d8f67bb9eb90b3e911
9b7dc430495aa29b426ad26b389198a077b1ef4ec9e5c0eade008d8487f58a70
be7b92daa942472e1bf8fe6842a76c3553110e73419268f55010f27c0398f5a9
""".split(),
    )
)  # SHA-256 of the ten published files, of fontanf/packingsolver's data


def published(kind):
    """A class as the bytes of its published file: height first, CRLF."""
    lines = []
    for number, instance in enumerate(benchmark([kind]), 1):
        W, H = instance.bin
        lines += [
            f"{kind:5}        PROBLEM CLASS",
            f"{len(instance.items):5}        N. OF ITEMS",
            f"{(number - 1) % 10 + 1:5}{number + 50 * CLASSES.index(kind):5}   RELATIVE AND "
            f"ABSOLUTE N. OF INSTANCE",
            f"{H:5}{W:5}   HBIN,WBIN",
        ]
        lines += [
            f"{h:5}{w:5}" + ("   H(I),W(I),I=1,...,N" if i == 0 else "")
            for i, (w, h) in enumerate(instance.items)
        ]
        lines += [""]
    return "".join(line + "\r\n" for line in lines).encode()


@pytest.mark.parametrize("kind", CLASSES)
def test_the_published_files_bit_for_bit(kind):
    assert hashlib.sha256(published(kind)).hexdigest() == DIGESTS[kind]
    path = FILES / f"Class_{kind:02}.2bp"
    if path.exists():
        assert path.read_bytes() == published(kind)


def test_the_order_and_names_of_the_500():
    names = [instance.name for instance in benchmark()]
    assert (
        len(set(names)) == 500
        and names[0] == "1-20-1"
        and names[59] == "2-20-10"
        and names[-1] == "10-100-10"
    )


@pytest.mark.parametrize("kind", CLASSES)
def test_fresh_instances_follow_the_class(kind):
    instance = fresh(kind, 4000, 5)
    assert np.array_equal(instance.items, fresh(kind, 4000, 5).items)
    assert not np.array_equal(
        instance.items, fresh(kind, 4000, 6).items
    ) and instance.bin == bin_of(kind)
    w, h = instance.items.T
    if kind <= 6:
        largest = {1: 10, 2: 10, 3: 35, 4: 35, 5: 100, 6: 100}[kind]
        assert {w.min(), h.min()} == {1} and {w.max(), h.max()} == {largest}
        assert (
            abs(w.mean() - (largest + 1) / 2) < 0.03 * largest > abs(h.mean() - (largest + 1) / 2)
        )
    else:
        (low, high), (bottom, top) = TYPES[kind - 7]
        own = (w >= low) & (w <= high) & (h >= bottom) & (h <= top)
        assert 0.66 < own.mean() < 0.85  # .7, and what the other types add


def test_a_fresh_instance_is_none_of_the_published():
    items = {instance.items.tobytes() for instance in benchmark()}
    assert not any(
        fresh(kind, n, seed).items.tobytes() in items
        for kind in CLASSES
        for n in SIZES
        for seed in range(3)
    )


def test_unknown_class():
    with pytest.raises(ValueError, match="expected one of 1 to 10, got 11"):
        fresh(11, 20, 0)
    with pytest.raises(ValueError, match="expected one of 1 to 10, got 0"):
        benchmark([1, 0])
    assert [found.bin for found in benchmark(iter([1, 2]))[::50]] == [(10, 10), (30, 30)]
