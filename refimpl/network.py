"""Network: a tuple of layers that ends in logits, and its input gradient."""

from dataclasses import dataclass, replace

import numpy as np

from refimpl.layers import Affine, ReLU, parameter_names


@dataclass(frozen=True, eq=False)
class Network:
    """layers in order. forward and backward are pure: the caches travel through the caller's hands."""

    layers: tuple

    def forward(self, x, *, upto=None, train=False, rng=None):
        """x (N, D) -> (out, caches), through all layers or the first `upto` of them."""
        caches = []
        for layer in self.layers[:upto]:
            x, cache = layer.forward(x, train=train, rng=rng)
            caches.append(cache)
        return x, caches

    def backward(self, dout, caches):
        """dout like the output of forward -> (dx, gradients): one tuple a layer, one array a parameter."""
        gradients = []
        for layer, cache in zip(self.layers[: len(caches)][::-1], caches[::-1]):
            dout, gradient = layer.backward(dout, cache)
            gradients.append(gradient)
        return dout, tuple(gradients[::-1])

    def parameter_gradients(self, dout, caches):
        """The gradients of backward without its dx: the first layer's product with the data is saved."""
        first, *rest = self.layers
        dout, gradients = Network(tuple(rest)).backward(dout, caches[1:])
        return (first.parameter_gradients(dout, caches[0]), *gradients)

    def input_gradient(self, x, dout):
        """The vector-Jacobian product dout J(x) at the input: x (N, D), dout (N, K) -> (N, D)."""
        return self.backward(dout, self.forward(x)[1])[0]

    def logits(self, x, *, block=4096):
        """z (N, K) of x (N, D), in the network's dtype, `block` images at a time."""
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.inputs:
            raise ValueError(f"x: expected shape (N, {self.inputs}), got {x.shape}")
        dtype = self.parameters[0].dtype
        out = [self.forward(x[i : i + block].astype(dtype, copy=False))[0] for i in range(0, len(x), block)]
        return np.concatenate(out) if out else np.zeros((0, self.classes), dtype)

    def predict(self, x):
        """The class of the largest logit (the first of equals): x (N, D) -> labels (N,) int64."""
        return self.logits(x).argmax(axis=1)

    @property
    def inputs(self):
        return len(self.parameters[0])

    @property
    def classes(self):
        return len(self.parameters[-1])

    @property
    def parameters(self):
        """All parameters in order, as one flat tuple of arrays."""
        return tuple(getattr(layer, name) for layer in self.layers for name in parameter_names(layer))

    def with_parameters(self, parameters):
        """The same architecture with other parameters, given as in `parameters`."""
        new = iter(parameters)
        return Network(tuple(replace(v, **{n: next(new) for n in parameter_names(v)}) for v in self.layers))

    def astype(self, dtype):
        return self.with_parameters([p.astype(dtype) for p in self.parameters])


def softmax_net(inputs, classes, *, rng=None, sigma=0.0, dtype=np.float64):
    """The shallow network z = x w + b: zeros, or N(0, sigma^2) weights from rng and zero biases."""
    w = rng.normal(0, sigma, (inputs, classes)) if sigma else np.zeros((inputs, classes))
    return Network((Affine(w.astype(dtype), np.zeros(classes, dtype)),))


def one_hidden_net(inputs, hidden, classes, *, rng, activation=None, dtype=np.float64):
    """z = act(x w1 + b1) w2 + b2 with zero biases and random weights.

    activation: a layer, ReLU() by default (He et al. 2015, variance 2 / fan-in); Glorot's 2 / (in + out) for others.
    """
    activation = ReLU() if activation is None else activation

    def weights(d, k):
        variance = 2 / d if isinstance(activation, ReLU) else 2 / (d + k)
        return rng.normal(0, np.sqrt(variance), (d, k)).astype(dtype)

    first = Affine(weights(inputs, hidden), np.zeros(hidden, dtype))
    return Network((first, activation, Affine(weights(hidden, classes), np.zeros(classes, dtype))))
