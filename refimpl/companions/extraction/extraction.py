"""Extraction: images made from a network alone, without data, from which a student gets the whole
network back.

Beyond Abreu-Pederzini et al. 2021 ("a more robust approach would be needed to generate all the
class visualizations that are required"). A hidden-unit visualization is the ascent of one
pre-activation, x <- x + lr dz1_j/dx = x + lr w_j from any start: after n steps start + n lr w_j,
whatever the activation (T1 for a unit instead of a class). So `hidden_visualizations` writes the
end down. Theorem T12 in two regimes, hints and filters; their students:
`refimpl.companions.extraction.recovery`. The two other regimes, for which nothing is proved
beforehand, have files of their own, images and students: `unordered` (scratch) and `black_box`.

hints: the hidden pre-activations come with the images, h + 1 of them: the blank and s_j w_j,
   j = 1 ... h. The rows (x_n, 1) span (0, 1) and every (w_j, 0), so least squares of least norm
   returns W1 and b1, whatever their rank. The rows (act(z1), 1) of the images return W2 and b2 if
   their rank is h + 1. If it is less, but equal to the dimension of the span of 1 and the units as
   functions on R^D (`refimpl.companions.extraction.units`), every solution is the same function:
   evaluation on the images is then one-to-one on that span. Deeper layers alike. s_j |w_j|^2 + b_j
   > 0, so that every unit is open somewhere, is necessary with ReLU; the rank is tested. Where it
   falls short (s_j w_j may shut other gates than its own), images are added: class visualizations,
   visualizations close to a boundary, random combinations.
filters: logits only. Image 0 is a base, images 1 ... h are visualizations of the units started from
   it, so x_j - x_0 = s_j w_j gives the directions of W1. Unknown: b1, W2, b2 (sigmoid, tanh: and a
   scale a unit): h + hK + K numbers (+ h) in N K equations, so N >= h + 1 + h / K (2 h / K). If W1
   has rank h, h + 1 + ceil(h / K) (2 ceil(h / K)) suffice, in linear systems one after the other:
   - ReLU. Base with all gates open, by so much that no visualization shuts one: there z is affine
     in the known f_j x, which gives W2. One image with all gates shut: b2. Images that open up to K
     gates S with independent rows w2_j: b_S. The student knows which, for the images are so far
     from the boundaries that f_j x has the sign of z1_j.
   - sigmoid, tanh. Base that saturates all units to the last bit, visualization j turns unit j
     over: the activations are known, 0 or 1 (-1 or 1), and give W2 and b2. Then images with up to K
     units at two places in between: two values of act, so scale and bias. (A few images more if no
     ceil(h / K) groups of up to K independent rows w2_j exist.)
   If W1 has lower rank (h > D, opposite units), ReLU: blank base and four images on a normal of
   each boundary, two on each side, 5 h + 1: lines through them meet on the boundary, so b_j; then
   W2 by regression. sigmoid, tanh without parallel w_j: h + 1 directions far out, where all units
   are saturated, and two images for each unit far out along its boundary, 4 h + 2.
Units that cannot be told apart are merged first with filters (`units.merged`), and left to least
norm with hints.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arguments import function, generator, takes, whole
from refimpl.companions.extraction import black_box, certificates
from refimpl.companions.extraction.certificates import Certificate, surveys
from refimpl.companions.extraction.filter_images import filter_images, hidden_visualizations
from refimpl.companions.extraction.ranks import additions, layer_inputs, rank_and_condition
from refimpl.companions.extraction.recovery import from_filters, from_hints
from refimpl.companions.extraction.units import check, merged
from refimpl.companions.extraction.unordered import (
    counting_heuristic,
    retrain_unordered,
    unordered_images,
)
from refimpl.layers import ReLU
from refimpl.network import Network
from refimpl.theory import augmented

REGIMES = ("hints", "filters", "scratch", "black_box")
ENOUGH = 4  # default of images from scratch, over the counting heuristic: small networks need it
STUDENTS = 2  # trained from scratch; the second where the first does not fit


@dataclass(frozen=True, eq=False, repr=False)
class Extraction:
    """Images of a network, what belongs to them, and what they must give back.

    images (N, D); with black_box the queries, in the order in which they were asked. logits (N, K):
    the network's answers to them. hidden: with hints the pre-activations (N, H), with more than one
    hidden layer a tuple of them; None in the other regimes. filters: so many images after image 0
    are filters once image 0 is taken off, 0 in all regimes but filters. certificate: what a student
    must recover. regime: one of REGIMES. activation: the layer between the students' dense layers.
    units: how many hidden units a student from scratch is to have. found: with black_box the
    student, which is made while the queries are asked, else None.

    >>> from refimpl.network import one_hidden_net
    >>> e = extract(one_hidden_net(6, 3, 2, rng=np.random.default_rng(1)), regime="filters")
    >>> e.images.shape, e.targets.shape, e.hidden, e.filters
    ((6, 6), (6, 2), None, 3)
    >>> e
    Extraction(filters: 6 images (6 pixels) with 2 logits; certificate: parameters)
    """

    images: np.ndarray
    logits: np.ndarray
    hidden: Any
    filters: int
    certificate: Certificate
    regime: str
    activation: Any
    units: int
    found: Network | None = None

    @property
    def targets(self) -> np.ndarray:
        """The logits (N, K), under the name that they have for the student."""
        return self.logits

    def recover(self) -> Network:
        """The student: a float64 Network made of the images and targets by the regime's own method.

        hints: `from_hints`. filters: `from_filters`. scratch: `retrain_unordered`, at most STUDENTS
        from default_rng(1), which takes seconds. black_box: the network that the queries gave. The
        certificate says beforehand how good it must be, and where it says "no" or "unproven" the
        student has to be compared with its teacher.

        >>> from refimpl.network import one_hidden_net
        >>> net = one_hidden_net(6, 3, 2, rng=np.random.default_rng(1))
        >>> student, new = extract(net).recover(), np.random.default_rng(2).normal(size=(5, 6))
        >>> bool(np.allclose(student.logits(new), net.logits(new), rtol=0, atol=1e-12))
        True
        """
        if self.found is not None:
            return self.found
        if self.regime == "hints":
            return from_hints(self.images, self.logits, self.hidden, activation=self.activation)
        if self.regime == "filters":
            return from_filters(self.images, self.logits, self.filters, activation=self.activation)[
                0
            ]
        return retrain_unordered(
            self.images,
            self.logits,
            hidden=self.units,
            activation=self.activation,
            rng=np.random.default_rng(1),
            students=STUDENTS,
        ).network

    def __repr__(self) -> str:
        """Extraction(hints: 31 images (784 pixels) with 10 logits; certificate: parameters)."""
        (n, pixels), classes = self.images.shape, self.logits.shape[1]
        what = "queries" if self.regime == "black_box" else "images"
        return (
            f"Extraction({self.regime}: {n:,} {what} ({pixels:,} pixels) with {classes:,} logits; "
            f"certificate: {self.certificate.exact})"
        )


@takes(progress=function)
def extract(
    network: Network,
    *,
    regime: str = "hints",
    images: int | None = None,
    rng: np.random.Generator | int | None = None,
    progress: Callable[[str], object] = lambda text: None,
) -> Extraction:
    """Images of a network with hidden layers, made without data, what belongs to them, and what
    they must give back.

    regime: "hints", with any number of hidden layers, "filters" and "scratch", with one, or
    "black_box", with one of ReLU, which asks for logits and sees no weights. images: keep only the
    first so many (filters: at least h + 1); from scratch, make so many (at least 2, four times the
    counting heuristic by default); no black box takes it. rng: a Generator or a seed for all that
    is random, 0 by default. progress(text) is told what is being done (refimpl.progress). Returns
    an Extraction, float64. Raises ValueError on another regime, on layers other than Affine,
    activation, Affine, ..., on parameters that are not finite and on a bad `images`.

    >>> from refimpl.network import one_hidden_net
    >>> teacher = one_hidden_net(6, 3, 2, rng=np.random.default_rng(1))
    >>> e = extract(teacher)
    >>> student = e.recover()
    >>> (
    ...     len(e.images),
    ...     e.certificate.exact,
    ...     bool(np.abs(student.logits(e.images) - e.targets).max() < 1e-12),
    ... )
    (4, 'parameters', True)
    """
    if not isinstance(regime, str) or regime not in REGIMES:
        raise ValueError(f"regime: expected one of {', '.join(REGIMES)}, got {regime!r}")
    if not isinstance(network, Network):
        raise ValueError(f"network: expected a Network, got {network!r:.80}")
    check(network, None if regime == "hints" else 1)
    network = network.astype(np.float64)
    if images is not None:
        images = whole("images", images, 2 if regime == "scratch" else 1)
    rng = generator("rng", 0 if rng is None else rng)
    progress(f"{regime}: images, and what they determine")
    units, hidden, filters, found = len(network.layers[0].b), None, 0, None
    if regime == "hints":
        wanted = [u.dimension for u in surveys(network)]
        x = _first_of(_hint_images(network, wanted, rng), images, 1)
        above = tuple(network.forward(x, upto=i)[0] for i in range(1, len(network.layers), 2))
        hidden = above[0] if len(above) == 1 else above
        certificate = certificates.hints(network, x)
    elif regime == "filters":
        small, kept = merged(network)
        filters = len(kept)
        x = _first_of(filter_images(small, rng), images, filters + 1)
        certificate = certificates.filters(network, small, x)
    elif regime == "scratch":
        x, certificate = _from_scratch(network, images, rng)
    else:
        x, certificate, found = _from_queries(network, images, rng, progress)
    z = network.logits(x)
    return Extraction(x, z, hidden, filters, certificate, regime, network.layers[1], units, found)


def _from_scratch(
    network: Network, images: int | None, rng: np.random.Generator
) -> tuple[np.ndarray, Certificate]:
    """Unordered images (N, D), and a certificate that proves nothing but says what was counted."""
    h = len(network.layers[0].b)
    rank = min(h, network.inputs)
    counted = counting_heuristic(rank, h, network.classes, network.layers[1])
    if images is None:
        images = max(2, int(np.ceil(ENOUGH * counted)))
    x = unordered_images(network, images, rng)
    return x, certificates.unproven(f"{len(x)} images, the counting heuristic says {counted:.0f}")


def _from_queries(
    network: Network,
    images: int | None,
    rng: np.random.Generator,
    progress: Callable[[str], object],
) -> tuple[np.ndarray, Certificate, Network]:
    """The queries (N, D) that a black box was asked, a certificate that proves nothing but says
    what was found, and the student.
    """
    if images is not None:
        raise ValueError(
            f"images: expected None, for a black box chooses its queries, got {images!r}"
        )
    if not isinstance(network.layers[1], ReLU):
        raise ValueError(
            f"network: expected ReLU with the regime black_box, got "
            f"{type(network.layers[1]).__name__}"
        )
    asked = []

    def query(x):
        asked.append(np.array(x))
        progress(f"black_box: asked {len(asked):,} times")
        return network.logits(x)

    found = black_box.recover(query, network.inputs, rng=rng)
    reason = found.reason
    if found.exact:
        reason += f"; fresh queries differ by {found.error:.0e}, relative"
    return np.vstack(asked), certificates.unproven(reason), found.network


def _first_of(x: np.ndarray, images: int | None, least: int) -> np.ndarray:
    """The first `images` rows of x, all by default. Raises ValueError unless least <= images <=
    len(x).
    """
    if images is not None and not least <= images <= len(x):
        raise ValueError(f"images: expected {least} to {len(x)}, got {images!r}")
    return x[:images]


def _hint_images(network: Network, wanted: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Blank and s_j w_j with s_j |w_j|^2 + b_j > 0, at the norm of best rank and condition; more
    (`_candidates`) only while a later layer's rows fall short of the wanted rank or of the
    condition that `additions` aims at.
    """
    first = network.layers[0]
    norm = np.linalg.norm(first.w, axis=0)
    live = norm > 0
    w, norm, b = first.w[:, live], norm[live], first.b[live]
    blank = np.zeros((1, len(first.w)))
    if not live.any():
        return blank

    def score(x):
        rows = [rank_and_condition(r) for r in layer_inputs(network, x)[1:]]
        short = sum(max(0, m - r) for m, (r, _) in zip(wanted, rows))
        return short, max(rank_and_condition(augmented(x))[1], *(c for _, c in rows))

    tries = []
    for r in np.median((1 + np.abs(b)) / norm) * 2.0 ** np.arange(-2, 8):
        scales = np.maximum(r / norm, (r * norm / 4 - b) / norm**2)  # each opens its own gate
        tries.append(np.vstack([blank, hidden_visualizations(w, scales)]))
    x = min(tries, key=score)
    pool = _candidates(network, w, b, np.linalg.norm(x, axis=1).max(), 8 * max(wanted), rng)
    return np.vstack([x, pool[additions(network, x, pool, wanted)]])


def _candidates(
    network: Network,
    w: np.ndarray,
    b: np.ndarray,
    size: float,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """More images, for units w (D, h), b (h,), no w_j = 0: class visualizations from the blank; for
    every unit some on both sides of its boundary, on w_j and elsewhere; `count` random combinations
    of the w_j, norms from size / 64 to 4 size.
    """
    norm, blank = np.linalg.norm(w, axis=0), np.zeros((network.classes, len(w)))
    classes = network.input_gradient(blank, np.eye(network.classes))
    slope = np.linalg.norm(classes, axis=1, keepdims=True)
    classes *= size / np.where(slope > 0, slope, 1)  # a blank where all gates are shut
    steps = [np.full(len(norm), z) for z in (-2, -0.5, 0.5, 2)]
    steps += [sign * 4.0**n * size * norm for n in range(-6, 0) for sign in (-1, 1)]
    edges = [hidden_visualizations(w, (z - b) / norm**2) for z in steps]
    for away in (-0.25, -1 / 64, 1 / 64, 0.25) * 2:
        p = size * rng.normal(size=(len(norm), len(norm))) @ (w / norm).T
        edges.append(p + (away * size - ((p * w.T).sum(axis=1) + b) / norm)[:, None] * (w / norm).T)
    mixed = rng.normal(size=(count, len(norm))) @ (w / norm).T
    mixed *= (
        size * 2.0 ** rng.uniform(-6, 2, (count, 1)) / np.linalg.norm(mixed, axis=1, keepdims=True)
    )
    return np.vstack([classes, *edges, mixed])
