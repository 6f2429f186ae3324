"""Extraction: images made from a network alone, without data, from which a student gets the whole network back.

Beyond Abreu-Pederzini et al. 2021 ("a more robust approach would be needed to generate all the class visualizations that
are required"). A hidden-unit visualization is the ascent of one pre-activation, x <- x + lr dz1_j/dx = x + lr w_j from
any start: after n steps start + n lr w_j, whatever the activation (T1 for a unit instead of a class). So
`hidden_visualizations` writes the end down. Two regimes, solved in `refimpl.methods.recovery`:

hints (a). Each image comes with its hidden pre-activations. Blank and s_j w_j, j = 1 ... h: the rows (x_n, 1) span (0, 1)
  and every (w_j, 0), so least squares of least norm returns W1 and b1, whatever their rank. The rows (act(z1), 1) of
  the images return W2 and b2 if their rank is h + 1. If it is less, but equal to the dimension of the span of 1 and
  the units as functions on R^D (`refimpl.methods.units`), every solution is the same function: it agrees with the
  teacher on images whose rows span all rows there are. Deeper layers alike. h + 1 images; where the rank falls short
  (s_j w_j may shut other gates than its own) more are added from the gradient's directions and random combinations.
  With activations as hints a shut ReLU only says z <= 0. If W1 has rank h, there are images with any prescribed
  z1, so those of regime b with all gates open do with h + 1 images too; sigmoid and tanh are inverted.
filters (b). Logits only; image 0 is a base, images 1 ... h are visualizations of the units started from it: x_j - x_0 =
  s_j w_j gives the directions. Unknown: b1, W2, b2 (and a scale a unit for sigmoid and tanh): h + hK + K, for N K
  numbers, so N >= h + 1 + h / K. That many, h + 1 + ceil(h / K), suffice if W1 has rank h (then z1 can be prescribed):
  ReLU: a base that opens all gates by so much that no visualization shuts one: on those h + 1 images z is affine in
    the known f_j x, which gives W2. Then one image with all gates shut: b2; and images that open K gates S with
    independent rows w2_j: b_S. The student knows which, for at these scales f_j x has the sign of z1_j.
  sigmoid, tanh: a base that saturates all units to round-off, each visualization turns its own unit over: H is known
    to be 0 or 1 (-1 or 1), and gives W2, b2. Then images with K units at two places in between: two values of act,
    so scale and bias. h + 1 + 2 ceil(h / K).
  If W1 has lower rank (h > D, opposite units, ...), ReLU: base blank and pairs (x, 2x) along rays, far out, whose
  difference is linear in W2 and whose intercepts in b1 and b2: 2 h images and more, generic directions.
"""

from dataclasses import dataclass

import numpy as np

from refimpl.layers import ReLU
from refimpl.methods.units import check, merged, survey
from refimpl.theory import EPS, augmented

REGIMES = ("hints", "activations", "filters")
SATURATED = 40.0  # sigmoid(40) = 1 and tanh(20) = 1 in float64 up to 1 ulp


@dataclass(frozen=True, eq=False)
class Certificate:
    """What a student of the images must recover, known before any training.

    exact: "parameters" (equal to the teacher's; regime b: up to a positive factor a ReLU unit), "function" (the same
    logits for every input) or "no". reason: why. remarks: units that cannot be told apart or do not matter.
    ranks, wanted, conditions: of each linear system, in order. bound: the largest difference of logits at x that
    round-off may cause, relative to `magnitude(network, x)`; for "no" it is infinite.
    """

    exact: str
    reason: str
    remarks: tuple
    ranks: tuple
    wanted: tuple
    conditions: tuple
    bound: float


@dataclass(frozen=True, eq=False)
class Extraction:
    """images (N, D), logits (N, K); hidden: pre-activations or activations, (N, H) or a tuple of them, a layer each;
    None with filters, where images 1 ... `filters` minus image 0 are the filters. certificate."""

    images: np.ndarray
    logits: np.ndarray
    hidden: object
    filters: int
    certificate: Certificate


def hidden_visualizations(w, scales, start=0.0):
    """start + s_j w_j: the end of ascending z1_j from `start` in steps of lr that add up to s_j. (D, h) -> (h, D).

    >>> from refimpl.optimize import ascend
    >>> w = np.array([[1.0, -2.0], [3.0, 0.5]])
    >>> x, _ = ascend(lambda x, step: (np.diag(x @ w), w.T), np.zeros((2, 2)), steps=10, lr=0.05)
    >>> bool(np.allclose(x, hidden_visualizations(w, np.array([0.5, 0.5])), rtol=1e-14))
    True
    """
    return start + scales[:, None] * w.T


def magnitude(network, x):
    """What the logits at x (N, D) could be at most, by norms: s = |x|, then s <- |W| s + |b| through the layers."""
    s = np.linalg.norm(x, axis=1)
    for layer in network.layers[::2]:
        s = np.linalg.norm(layer.w) * s + np.linalg.norm(layer.b)
        s = s + np.sqrt(len(layer.b))  # |act(z)| <= |z| + 1 for all three
    return s


def rank_and_condition(rows, scale=1.0):
    """(rank, condition number of the part that counts) of a matrix by SVD; zero is below max(shape) eps times the top."""
    sigma = np.linalg.svd(rows * scale, compute_uv=False)
    rank = int((sigma > max(rows.shape) * EPS * sigma[0]).sum())
    return rank, float(sigma[0] / sigma[rank - 1])


def traces(network, x):
    """The pre-activations of every hidden layer: a list of (N, H)."""
    return [network.forward(x, upto=i)[0] for i in range(1, len(network.layers), 2)]


def layer_inputs(network, x):
    """What every Affine layer sees with its column of ones: a list of (N, in + 1)."""
    return [augmented(network.forward(x, upto=i)[0]) for i in range(0, len(network.layers), 2)]


def surveys(network):
    affine = network.layers[::2]
    return [survey(a.w, a.b, after.w, act) for a, act, after in zip(affine, network.layers[1::2], affine[1:])]


def slowest(activation, z):
    """How much inverting the activation amplifies round-off: 1 / act'(z) at the flattest z; 1 for ReLU."""
    if isinstance(activation, ReLU):
        return 1.0
    return float(1 / np.maximum(activation.backward(np.ones_like(z), activation.forward(z)[1])[0].min(), 1e-300))
